//! Steps: actions, functions, and what every batch can do.

use rhai::plugin::*;
use rhai::{Dynamic, Map};

use crate::error::Result as Outcome;
use crate::pipeline::{Next, Step};
use crate::script::api::arguments::{Answer, Arguments, Callback, Source};
use crate::script::api::options::Options;
use crate::script::batches::expression::{follows, prepare, resolve};
use crate::script::batches::function::Function;
use crate::script::batches::pipeline::{Pipeline, save_for};
use crate::script::batches::{Batch, action};
use crate::script::host::Host;
use crate::script::traceback::raise;

/// Registers the functions.
pub fn register(module: &mut Module) {
    module.combine_flatten(exported_module!(functions));
}

#[export_module]
#[allow(clippy::unwrap_used, reason = "what the macro makes of a `&mut` argument")]
mod functions {
    /// Returns the pipeline with an action of the batch's script as its next step. Arguments are an array of them, or a
    /// single one, in which expressions are evaluated for each batch. Options: `lock`, a name: actions with the same
    /// lock are never run at the same time; `ordered`, true for an action that touches variables or models of the
    /// pipeline.
    ///
    /// # Errors
    /// An action that the data set's batches do not have; what the action raises, when it runs.
    ///
    /// ```rhai
    /// let ds = dataset(2, #{ preloaded: #{ images: ones([2, 2]), labels: [0, 1] }, batch: "batches/pictures" });
    /// let p = ds.pipeline(#{ factor: 0.5 }).action("darken", [C("factor")]).action("invert");
    /// p.next_batch(2).images.max().item // => 0.5
    /// ```
    #[rhai_fn(name = "action", return_raw)]
    pub fn action_plain(context: NativeCallContext, pipeline: Pipeline, name: &str) -> Answer<Pipeline> {
        action_with(context, pipeline, name, Dynamic::UNIT, Map::new())
    }

    #[rhai_fn(name = "action", return_raw)]
    pub fn action_of(
        context: NativeCallContext,
        pipeline: Pipeline,
        name: &str,
        arguments: Arguments,
    ) -> Answer<Pipeline> {
        action_with(context, pipeline, name, arguments, Map::new())
    }

    #[rhai_fn(name = "action", return_raw)]
    pub fn action_with(
        context: NativeCallContext,
        pipeline: Pipeline,
        name: &str,
        arguments: Arguments,
        options: Map,
    ) -> Answer<Pipeline> {
        let host = Host::of(&context)?;
        let mut options = Options::new("action", options);
        let called = Called::read(&context, &mut options)?;
        options.finish()?;
        let values = action::arguments(arguments);
        let values = values.into_iter().map(|value| prepare(&context, value)).collect::<Answer<Vec<_>>>()?;
        let joins =
            pipeline.inner().chain.0.last().is_some_and(|step| matches!(step, Step::Do { name, .. } if name == "join"));
        if let (Some(set), false) = (&pipeline.inner().dataset, joins) {
            action::check(set.made().module.as_deref(), name, values.len()).map_err(raise)?;
        }
        let lock = called.lock.as_deref().map(|lock| pipeline.named_lock(lock));
        let ordered = called.ordered || called.save_to.is_some() || values.iter().any(follows);
        let action = name.to_owned();
        Ok(pipeline.step(name, ordered, move |batch| {
            let (batch, all) = super::arguments(&host, batch, &values)?;
            let _held = lock.as_ref().map(|lock| lock.lock().unwrap_or_else(std::sync::PoisonError::into_inner));
            action::run(&host, &batch, &action, all).map(Next::On)
        }))
    }

    /// Returns the pipeline with a function as its next step: it gets the batch and what the option `args` says. A
    /// batch that it returns goes on; anything else it returns is saved where the option `save_to` says. Options: also
    /// `lock` and `ordered`, as for `action`.
    ///
    /// # Errors
    /// What the function raises, when it runs.
    ///
    /// ```rhai
    /// let p = dataset(4, #{ preloaded: #{ x: [1, 2, 3, 4] } }).pipeline()
    ///     .exec(|batch, k| batch.x.sum().item * k, #{ args: [10], save_to: V("sums", "a") });
    /// p.run(2);
    /// p.v("sums") // => [30, 70]
    /// ```
    #[rhai_fn(name = "exec", return_raw)]
    pub fn exec(context: NativeCallContext, pipeline: Pipeline, function: Callback) -> Answer<Pipeline> {
        exec_with(context, pipeline, function, Map::new())
    }

    #[rhai_fn(name = "exec", return_raw)]
    pub fn exec_with(
        context: NativeCallContext,
        pipeline: Pipeline,
        function: Callback,
        options: Map,
    ) -> Answer<Pipeline> {
        let host = Host::of(&context)?;
        let module = pipeline.inner().dataset.as_ref().and_then(|set| set.made().module.clone());
        let function = Function::new(&context, &function, module.as_ref())?;
        let mut options = Options::new("exec", options);
        let called = Called::read(&context, &mut options)?;
        let values = options.take("args").map_or(Vec::new(), action::arguments);
        options.finish()?;
        let values = values.into_iter().map(|value| prepare(&context, value)).collect::<Answer<Vec<_>>>()?;
        let lock = called.lock.as_deref().map(|lock| pipeline.named_lock(lock));
        let ordered =
            called.ordered || called.save_to.is_some() || values.iter().any(follows) || function.assigns().is_some();
        Ok(pipeline.step("exec", ordered, move |batch| {
            let (batch, more) = super::arguments(&host, batch, &values)?;
            let result = {
                let _held = lock.as_ref().map(|lock| lock.lock().unwrap_or_else(std::sync::PoisonError::into_inner));
                let all = std::iter::once(Dynamic::from(batch.clone())).chain(more).collect();
                function.call(all)?
            };
            match &called.save_to {
                Some(to) => save_for(&host, &batch, to, result)?,
                None if result.is::<Batch>() => return Ok(Next::On(result.try_cast::<Batch>().unwrap_or(batch))),
                None => (),
            }
            Ok(Next::On(batch))
        }))
    }

    /// Returns the pipeline with `batch.load` as its next step; see there.
    ///
    /// ```rhai
    /// let p = dataset(3).pipeline().load(#{ src: [5, 6, 7], dst: "x" });
    /// p.next_batch(2).x // => tensor([5, 6])
    /// ```
    #[rhai_fn(name = "load", return_raw)]
    pub fn load(context: NativeCallContext, pipeline: Pipeline, src: Source) -> Answer<Pipeline> {
        load_with(context, pipeline, src, Map::new())
    }

    #[rhai_fn(name = "load", return_raw)]
    pub fn load_with(context: NativeCallContext, pipeline: Pipeline, src: Source, options: Map) -> Answer<Pipeline> {
        super::moves(&context, &pipeline, "load", "src", src, options)
    }

    /// Returns the pipeline with `batch.dump` as its next step; see there.
    ///
    /// ```rhai
    /// let ds = dataset(3, #{ preloaded: #{ x: [5, 6, 7] } });
    /// let out = collection(ds.index);
    /// ds.pipeline().dump(#{ dst: out, components: "x" }).run(2, #{ shuffle: 1, prefetch: 2 });
    /// out.data // => tensor([5, 6, 7])
    /// ```
    #[rhai_fn(name = "dump", return_raw)]
    pub fn dump(context: NativeCallContext, pipeline: Pipeline, dst: Source) -> Answer<Pipeline> {
        dump_with(context, pipeline, dst, Map::new())
    }

    #[rhai_fn(name = "dump", return_raw)]
    pub fn dump_with(context: NativeCallContext, pipeline: Pipeline, dst: Source, options: Map) -> Answer<Pipeline> {
        super::moves(&context, &pipeline, "dump", "dst", dst, options)
    }

    /// Returns the pipeline with `batch.apply` as its next step; see there.
    ///
    /// ```rhai
    /// let p = dataset(2, #{ preloaded: #{ x: [1, 2] } }).pipeline().apply(|x, k| x * k, #{ src: "x", args: [P([10, 100])] });
    /// p.next_batch(2).x // => tensor([10, 200])
    /// ```
    #[rhai_fn(name = "apply", return_raw)]
    pub fn apply(context: NativeCallContext, pipeline: Pipeline, function: Callback, options: Map) -> Answer<Pipeline> {
        super::per_item(&context, &pipeline, "apply", function, options)
    }

    /// Returns the pipeline with `batch.parallel` as its next step; see there. What `post` returns has to be a batch, or
    /// nothing.
    ///
    /// ```rhai
    /// fn collect(batch, results) { batch.y = results; }
    /// let p = dataset(2).pipeline().parallel(|id| id * 2, #{ post: "collect" });
    /// p.next_batch(2).y // => tensor([0, 2])
    /// ```
    #[rhai_fn(name = "parallel", return_raw)]
    pub fn parallel(
        context: NativeCallContext,
        pipeline: Pipeline,
        function: Callback,
        options: Map,
    ) -> Answer<Pipeline> {
        super::per_item(&context, &pipeline, "parallel", function, options)
    }
}

/// Returns the arguments of a step for a batch: batches that were joined to it first.
fn arguments(host: &Host, batch: Batch, values: &[Dynamic]) -> Outcome<(Batch, Vec<Dynamic>)> {
    let mut all: Vec<Dynamic> = batch.about().joined.iter().cloned().map(Dynamic::from).collect();
    let batch = if all.is_empty() { batch } else { batch.changed(|about| about.joined.clear()) };
    for value in values {
        all.push(resolve(host, &batch, value.clone())?);
    }
    Ok((batch, all))
}

/// The options of a step that calls something.
struct Called {
    save_to: Option<Dynamic>,
    ordered: bool,
    lock: Option<String>,
}

impl Called {
    fn read(context: &NativeCallContext, options: &mut Options) -> Answer<Called> {
        let save_to = options.take("save_to").map(|to| prepare(context, to)).transpose()?;
        let ordered = options.flag("ordered")?.unwrap_or(false);
        let lock = options.text("lock")?;
        Ok(Called { save_to, ordered, lock })
    }
}

/// Adds a step of `load` or `dump`, by way of the batch's script if that defines it.
fn moves(
    context: &NativeCallContext,
    pipeline: &Pipeline,
    name: &'static str,
    key: &str,
    first: Dynamic,
    options: Map,
) -> Answer<Pipeline> {
    let host = Host::of(context)?;
    let mut given = crate::script::batches::load::Given::new(name, options);
    let first = given.merged(key, first).map_err(raise)?;
    let values = vec![prepare(context, first)?, prepare(context, Dynamic::from(given.rest()))?];
    let ordered = values.iter().any(follows);
    Ok(pipeline.step(name, ordered, move |batch| {
        let (batch, all) = arguments(&host, batch, &values)?;
        action::run(&host, &batch, name, all).map(Next::On)
    }))
}

/// Adds a step of `apply` or `parallel`.
fn per_item(
    context: &NativeCallContext,
    pipeline: &Pipeline,
    name: &'static str,
    function: Dynamic,
    options: Map,
) -> Answer<Pipeline> {
    // The call is made anew for each batch from what is in sight here.
    let host = Host::of(context)?;
    let sight = context.global_runtime_state().clone();
    let module = pipeline.inner().dataset.as_ref().and_then(|set| set.made().module.clone());
    let known = Function::new(context, &function, module.as_ref());
    let ordered = known.is_ok_and(|function| function.assigns().is_some()) || follows(&Dynamic::from(options.clone()));
    Ok(pipeline.step(name, ordered, move |batch| {
        let mut global = sight.clone();
        global.num_operations = 0;
        let label = global.source.as_ref().map_or("<script>", |source| source.as_str()).to_owned();
        let context =
            NativeCallContext::new_with_all_fields(host.engine(), name, Some(&label), &global, Position::NONE);
        let given = Options::new(name, options.clone());
        let result = match name {
            "apply" => crate::script::batches::per_item::apply(&context, &batch, &function, given).map(Dynamic::from),
            _ => crate::script::batches::per_item::parallel(&context, &batch, &function, given),
        };
        let result = result.map_err(|error| crate::script::traceback::explain(&host, *error, &label))?;
        action::next(&batch, result, name).map(Next::On)
    }))
}
