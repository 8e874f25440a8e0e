//! Pipelines.

use rhai::plugin::*;
use rhai::{Array as List, Dynamic, Engine, FnPtr, Map};

use crate::error::{Error, Result as Outcome};
use crate::pipeline::{Length, Next, Run, Step, Stream};
use crate::script::api::arguments::{Answer, Arguments, Callback, Num, Source};
use crate::script::api::{Page, dataset, options::Options};
use crate::script::batches::expression::{self, follows, prepare, resolve};
use crate::script::batches::function::Function;
use crate::script::batches::pipeline::{Pipeline, chosen, regroup, save_for};
use crate::script::batches::{Batch, Batches, Dataset, action};
use crate::script::callable::Callable;
use crate::script::host::Host;
use crate::script::traceback::{raise, type_phrase};

/// The page of the manual.
pub const PAGE: Page = Page {
    name: "pipeline",
    title: "Pipeline",
    intro: "A `Pipeline` is a chain of steps that batches go through, on a data set or standing alone. It does nothing until it \
            runs. Each call returns another pipeline: it begins with the variables of the one before, and shares its models.\n\n\
            ```rhai\n\
            let ds = dataset(4, #{ preloaded: #{ x: [1.0, 2.0, 3.0, 4.0] } });\n\
            let scale = pipeline().exec(|batch| batch.x = batch.x * 10);\n\
            let sums = ds.pipeline()\n    \
                .init_variable(\"sums\", [])\n    \
                .apply(|x| x + 1, #{ src: \"x\" })\n    \
                .update(V(\"sums\", \"a\"), |batch| batch.x.sum().item);\n\
            let p = (scale + sums) << ds;\n\
            p.run(2, #{ n_epochs: 1 });\n\
            p.v(\"sums\") // => [32.0, 72.0]\n\
            ```\n\n\
            *Values.* Where a step takes a value it takes a [named expression](expression.md) or a function of the batch as well, \
            computed anew for each batch.\n\n\
            *Order.* With `prefetch: n`, so many batches are made ahead on threads of their own, and come out in the order they \
            went in. Steps that leave something behind (`update`, `save_to`, models, functions that change variables around them) \
            and all steps after them take the batches one after another, in order: results are the same for any `prefetch`. An error \
            ends the run and is raised, with or without `prefetch`.\n\n\
            *Draws.* All random numbers depend on the seed of the run, the number of the batch and the position of the item.",
    register,
};

fn register(engine: &mut Engine) {
    engine.register_type_with_name::<Pipeline>("Pipeline");
    engine.register_global_module(exported_module!(functions).into());
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

/// Adds a step that changes the batch in place, by a function of it and of its evaluated options.
pub fn add_native(
    context: &NativeCallContext,
    pipeline: &Pipeline,
    name: &'static str,
    options: Map,
    act: impl Fn(&Host, Batch, Map) -> Outcome<Batch> + Send + Sync + 'static,
) -> Answer<Pipeline> {
    let host = Host::of(context)?;
    let options = prepare(context, Dynamic::from(options))?;
    let ordered = follows(&options);
    Ok(pipeline.step(name, ordered, move |batch| {
        let options = resolve(&host, &batch, options.clone())?.try_cast::<Map>().unwrap_or_default();
        act(&host, batch, options).map(Next::On)
    }))
}

/// Reads what a run is given: a batch size, and options, or those that `run_later` kept.
struct Asked {
    key: String,
    plan: crate::pipeline::Plan,
    seed: u64,
    how: Run,
    reset: Vec<String>,
}

fn asked(
    pipeline: &Pipeline,
    size: Option<i64>,
    options: Map,
    function: &'static str,
    otherwise: Length,
) -> Answer<Asked> {
    let mut all = pipeline.inner().later.clone().unwrap_or_default();
    all.extend(options);
    let key = format!("{size:?} {}", Dynamic::from(all.clone()));
    let mut options = Options::new(function, all);
    let own = options.take("batch_size").and_then(|size| size.as_int().ok());
    let size = size.or(own).ok_or_else(|| {
        raise(
            Error::script(format!("`{function}` needs a batch size"))
                .hint(format!("`p.{function}(64)`, or `batch_size` in `run_later`")),
        )
    })?;
    let (plan, seed) = dataset::plan(&mut options, size, function, otherwise)?;
    let prefetch = match options.take("prefetch") {
        None => 0,
        Some(value) => match (value.as_bool(), value.as_int()) {
            (Ok(true), _) => 4,
            (Ok(false), _) => 0,
            (_, Ok(count)) if (0..=256).contains(&count) => count as usize,
            _ => {
                return Err(raise(Error::script(format!(
                    "option `prefetch` of `{function}`: expected 0 to 256, found {value}"
                ))));
            }
        },
    };
    let skip_failed = match options.text("on_error")?.as_deref() {
        None | Some("raise") => false,
        Some("skip") => true,
        Some(other) => {
            return Err(raise(
                Error::script(format!(
                    "option `on_error` of `{function}`: expected `raise` or `skip`, found `{other}`"
                ))
                .maybe_hint(crate::error::did_you_mean(other, ["raise", "skip"])),
            ));
        }
    };
    let reset = match options.take("reset") {
        None => Vec::new(),
        Some(value) => match value.read_lock::<List>() {
            Some(list) => super::arguments::texts(&list, "option `reset`")?,
            None => vec![value.clone().into_string().unwrap_or_default()],
        },
    };
    options.finish()?;
    Ok(Asked { key, plan, seed, how: Run { prefetch, skip_failed }, reset })
}

fn start(host: &Host, pipeline: &Pipeline, asked: &Asked) -> Outcome<Stream<Batch>> {
    for what in &asked.reset {
        reset(host, pipeline, what)?;
    }
    pipeline.batches(asked.plan, asked.seed, asked.how)
}

fn reset(host: &Host, pipeline: &Pipeline, what: &str) -> Outcome<()> {
    match what {
        "iter" => pipeline.reset(),
        "vars" | "variables" => pipeline.reset_variables(host)?,
        "all" => {
            pipeline.reset();
            pipeline.reset_variables(host)?;
        }
        _ => {
            return Err(Error::script(format!("`reset`: expected `iter`, `vars` or `all`, found `{what}`")));
        }
    }
    Ok(())
}

#[export_module]
#[allow(clippy::unwrap_used, reason = "what the macro makes of a `&mut` argument")]
mod functions {
    /// Returns a pipeline without a data set and without steps, with a config, if one is given: a map that `C(path)`
    /// reads.
    ///
    /// ```rhai
    /// let double = pipeline().apply(|x| 2 * x, #{ src: "x" });
    /// let p = double << dataset(2, #{ preloaded: #{ x: [1, 2] } });
    /// p.next_batch(2).x // => tensor([2, 4])
    /// ```
    #[rhai_fn(name = "pipeline")]
    pub fn alone() -> Pipeline {
        Pipeline::new(None, Map::new())
    }

    #[rhai_fn(name = "pipeline")]
    pub fn alone_with(config: Map) -> Pipeline {
        Pipeline::new(None, config)
    }

    /// Returns a pipeline on a data set, without steps, with a config, if one is given.
    ///
    /// ```rhai
    /// dataset(3).pipeline(#{ lr: 0.1 }).next_batch(2).ids // => [0, 1]
    /// ```
    #[rhai_fn(name = "pipeline")]
    pub fn of(dataset: Dataset) -> Pipeline {
        Pipeline::new(Some(dataset), Map::new())
    }

    #[rhai_fn(name = "pipeline")]
    pub fn of_with(dataset: Dataset, config: Map) -> Pipeline {
        Pipeline::new(Some(dataset), config)
    }

    /// Returns the pipeline on a data set, or with more config.
    ///
    /// ```rhai
    /// ((pipeline() << dataset(3)) << #{ lr: 0.1 }).config // => #{"lr": 0.1}
    /// ```
    #[rhai_fn(name = "<<")]
    pub fn bind(pipeline: Pipeline, dataset: Dataset) -> Pipeline {
        pipeline.changed(|inner| inner.dataset = Some(dataset))
    }

    #[rhai_fn(name = "<<")]
    pub fn configure(pipeline: Pipeline, config: Map) -> Pipeline {
        pipeline.changed(|inner| inner.flow.configure(config))
    }

    /// Returns the steps of both, one after the other.
    ///
    /// ```rhai
    /// let add = pipeline().apply(|x| x + 1, #{ src: "x" });
    /// let p = (add + add * 2) << dataset(1, #{ preloaded: #{ x: [0] } });
    /// p.next_batch(1).x // => tensor([3])
    /// ```
    #[rhai_fn(name = "+")]
    pub fn join_steps(left: Pipeline, right: Pipeline) -> Pipeline {
        left.then(&right)
    }

    /// Returns the steps so many times: a whole number of at least 0, or an expression of it.
    ///
    /// # Errors
    /// A negative number.
    ///
    /// ```rhai
    /// let add = pipeline().apply(|x| x + 1, #{ src: "x" });
    /// let p = add.times(3) << dataset(1, #{ preloaded: #{ x: [0] } });
    /// p.next_batch(1).x // => tensor([3])
    /// ```
    #[rhai_fn(name = "times", name = "*", return_raw)]
    pub fn times(context: NativeCallContext, pipeline: Pipeline, count: Dynamic) -> Answer<Pipeline> {
        let host = Host::of(&context)?;
        let count = prepare(&context, count)?;
        let read =
            |value: &Dynamic| -> Outcome<usize> {
                value.as_int().ok().and_then(|count| usize::try_from(count).ok()).ok_or_else(|| {
                    Error::script(format!("`times`: expected a whole number of at least 0, found {value}"))
                })
            };
        if !count.is::<expression::Expr>() {
            read(&count).map_err(raise)?;
        }
        Ok(pipeline.changed(|inner| {
            let whole = std::mem::take(&mut inner.chain);
            let ask = move |batch: &Batch| read(&resolve(&host, batch, count.clone())?);
            inner.chain.0.push(Step::Repeat(whole, std::sync::Arc::new(ask)));
        }))
    }

    /// Returns the steps, which each batch goes through with a probability, a number or an expression of one, or past
    /// all of them.
    ///
    /// # Errors
    /// A number outside 0 to 1.
    ///
    /// ```rhai
    /// let p = pipeline().apply(|x| x + 1, #{ src: "x" }).prob(0) << dataset(1, #{ preloaded: #{ x: [0] } });
    /// p.next_batch(1).x // => tensor([0])
    /// ```
    #[rhai_fn(name = "prob", return_raw)]
    pub fn prob(context: NativeCallContext, pipeline: Pipeline, probability: Num) -> Answer<Pipeline> {
        let host = Host::of(&context)?;
        let probability = prepare(&context, probability)?;
        let read = |value: &Dynamic| -> Outcome<f64> {
            let number = value.as_float().or_else(|_| value.as_int().map(|whole| whole as f64));
            number
                .ok()
                .filter(|p| (0.0..=1.0).contains(p))
                .ok_or_else(|| Error::script(format!("`prob`: expected a probability from 0 to 1, found {value}")))
        };
        if !probability.is::<expression::Expr>() {
            read(&probability).map_err(raise)?;
        }
        Ok(pipeline.changed(|inner| {
            let whole = std::mem::take(&mut inner.chain);
            let number = whole.0.len() as u64;
            let ask = move |batch: &Batch| {
                let p = read(&resolve(&host, batch, probability.clone())?)?;
                Ok(chosen(batch, number, p))
            };
            inner.chain.0.push(Step::Maybe(whole, std::sync::Arc::new(ask)));
        }))
    }

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

    /// Returns the pipeline with a variable, which begins as the value of an expression that needs no batch. Runs go on
    /// with what it has; `reset("vars")` begins anew.
    ///
    /// ```rhai
    /// let p = dataset(3).pipeline().init_variable("seen", []).update(V("seen", "e"), |batch| batch.ids);
    /// p.run(2);
    /// p.run(2);
    /// p.v("seen") // => [0, 1, 2, 0, 1, 2]
    /// p.reset("vars").v("seen") // => []
    /// ```
    #[rhai_fn(name = "init_variable", return_raw)]
    pub fn init_variable(
        context: NativeCallContext,
        pipeline: Pipeline,
        name: &str,
        value: Dynamic,
    ) -> Answer<Pipeline> {
        let value = prepare(&context, value)?;
        let next = pipeline.changed(|inner| inner.begin.push((name.to_owned(), value.clone())));
        if !next.inner().flow.has(name) {
            next.begin(&Host::of(&context)?, name, &value).map_err(raise)?;
        }
        Ok(next)
    }

    /// Returns the pipeline with a step that saves a value for each batch: into a variable, a component, or an array or
    /// a map of such, which gets an array or a map of as many values.
    ///
    /// # Errors
    /// Arrays of different lengths, a mode that does not go with what is there.
    ///
    /// ```rhai
    /// let p = dataset(4, #{ preloaded: #{ x: [1, 2, 3, 4] } }).pipeline()
    ///     .update([V("last"), V("ids", "a")], [B("x").invoke("max").item, |batch| batch.ids]);
    /// p.run(3);
    /// [p.v("last"), p.v("ids")] // => [4, [[0, 1, 2], [3]]]
    /// ```
    #[rhai_fn(name = "update", return_raw)]
    pub fn update(context: NativeCallContext, pipeline: Pipeline, to: Dynamic, value: Dynamic) -> Answer<Pipeline> {
        let host = Host::of(&context)?;
        let (to, value) = (prepare(&context, to)?, prepare(&context, value)?);
        Ok(pipeline.step("update", true, move |batch| {
            let value = resolve(&host, &batch, value.clone())?;
            save_for(&host, &batch, &to, value)?;
            Ok(Next::On(batch))
        }))
    }

    /// Returns the value of a variable.
    ///
    /// # Errors
    /// A variable that is not there.
    ///
    /// ```rhai
    /// dataset(1).pipeline().init_variable("n", 5).v("n") // => 5
    /// ```
    #[rhai_fn(name = "v", return_raw)]
    pub fn variable(pipeline: Pipeline, name: &str) -> Answer<Dynamic> {
        pipeline.inner().flow.variable(name).map_err(raise)
    }

    /// Returns all variables, a map.
    ///
    /// ```rhai
    /// dataset(1).pipeline().init_variable("n", 5).variables // => #{"n": 5}
    /// ```
    #[rhai_fn(get = "variables")]
    pub fn variables(pipeline: Pipeline) -> Map {
        pipeline.inner().flow.variables()
    }

    /// Returns the pipeline, after setting a variable at once.
    ///
    /// ```rhai
    /// dataset(1).pipeline().set_variable("n", 6).v("n") // => 6
    /// ```
    #[rhai_fn(name = "set_variable", return_raw)]
    pub fn set_variable(pipeline: Pipeline, name: &str, value: Dynamic) -> Answer<Pipeline> {
        let mode = crate::script::batches::flow::Mode::Write;
        pipeline.inner().flow.save(name, value, mode).map_err(raise)?;
        Ok(pipeline)
    }

    /// Returns the pipeline, after forgetting a variable at once.
    ///
    /// ```rhai
    /// dataset(1).pipeline().set_variable("n", 6).delete_variable("n").variables // => #{}
    /// ```
    #[rhai_fn(name = "delete_variable")]
    pub fn delete_variable(pipeline: Pipeline, name: &str) -> Pipeline {
        pipeline.inner().flow.forget(name);
        pipeline
    }

    /// Returns the config of the pipeline, a map.
    ///
    /// ```rhai
    /// pipeline(#{ lr: 0.1 }).config // => #{"lr": 0.1}
    /// ```
    #[rhai_fn(get = "config")]
    pub fn config(pipeline: Pipeline) -> Map {
        pipeline.inner().flow.config()
    }

    /// Returns the pipeline, whose batches from here on have so many items: those of the steps before are put together and
    /// cut anew, ids kept. The last one may be short.
    ///
    /// ```rhai
    /// let p = dataset(10).pipeline().rebatch(4);
    /// let sizes = []; for batch in p.gen_batch(3) { sizes.push(batch.len); }
    /// sizes // => [4, 4, 2]
    /// ```
    #[rhai_fn(name = "rebatch", return_raw)]
    pub fn rebatch(pipeline: Pipeline, batch_size: i64) -> Answer<Pipeline> {
        let size = usize::try_from(batch_size)
            .ok()
            .filter(|size| *size > 0)
            .ok_or_else(|| raise(Error::script(format!("expected a batch size of at least 1, found {batch_size}"))))?;
        Ok(pipeline.changed(|inner| inner.chain.0.push(Step::Rebatch(size, std::sync::Arc::new(regroup)))))
    }

    /// Returns the pipeline, whose next step gets, before its other arguments, the batches of the same ids that came
    /// through other pipelines.
    ///
    /// # Errors
    /// A pipeline without a data set, or one that changes the size of batches.
    ///
    /// ```rhai
    /// let labels = dataset(3, #{ preloaded: #{ y: [7, 8, 9] } }).pipeline();
    /// let p = dataset(3, #{ preloaded: #{ x: [1, 2, 3] } }).pipeline().join([labels])
    ///     .exec(|batch, other| { batch.y = other.y.tensor; });
    /// p.next_batch(2, #{ shuffle: 1 }).components // => ["x", "y"]
    /// ```
    #[rhai_fn(name = "join", return_raw)]
    pub fn join(pipeline: Pipeline, others: List) -> Answer<Pipeline> {
        let others = super::pipelines(others, "join")?;
        for other in &others {
            other.dataset().map_err(raise)?;
        }
        Ok(pipeline.step("join", others.iter().any(|other| other.inner().chain.regroups()), move |batch| {
            let (ids, about) = (batch.index().ids().collect::<Vec<_>>(), batch.about().clone());
            let mut joined = Vec::with_capacity(others.len());
            for other in &others {
                let made = other.dataset()?.batch_of(&ids, about.iteration, about.seed)?;
                match other.through(made)? {
                    Some(made) => joined.push(made),
                    None => return Ok(Next::Skip),
                }
            }
            Ok(Next::On(batch.changed(|about| about.joined = joined)))
        }))
    }

    /// Returns the pipeline, whose batches are put together with the next batch of each other pipeline: those that
    /// `run_later` told them to make, or as large as the own ones. Where another pipeline has no more batches, the run
    /// ends. A function given as second argument puts an array of batches together in a way of its own.
    ///
    /// ```rhai
    /// let more = dataset([10, 11]).pipeline();
    /// let p = dataset(2).pipeline().merge([more]);
    /// p.next_batch(2).ids // => [0, 1, 10, 11]
    /// ```
    #[rhai_fn(name = "merge", return_raw)]
    pub fn merge(context: NativeCallContext, pipeline: Pipeline, others: List) -> Answer<Pipeline> {
        super::merged(&context, pipeline, others, None)
    }

    #[rhai_fn(name = "merge", return_raw)]
    pub fn merge_by(context: NativeCallContext, pipeline: Pipeline, others: List, function: FnPtr) -> Answer<Pipeline> {
        super::merged(&context, pipeline, others, Some(Callable::new(&context, function)?))
    }

    /// Returns the pipeline, which calls a function of it once before each run.
    ///
    /// ```rhai
    /// let p = dataset(2).pipeline().before(|p| p.set_variable("runs", 1));
    /// p.run(1);
    /// p.v("runs") // => 1
    /// ```
    #[rhai_fn(name = "before", return_raw)]
    pub fn before(context: NativeCallContext, pipeline: Pipeline, function: FnPtr) -> Answer<Pipeline> {
        let function = Callable::new(&context, function)?;
        Ok(pipeline.changed(|inner| inner.before.push(function)))
    }

    /// Returns the pipeline, which calls a function of it once after each run that came to its end.
    ///
    /// ```rhai
    /// let p = dataset(2).pipeline().after(|p| p.set_variable("done", true));
    /// p.run(1);
    /// p.v("done") // => true
    /// ```
    #[rhai_fn(name = "after", return_raw)]
    pub fn after(context: NativeCallContext, pipeline: Pipeline, function: FnPtr) -> Answer<Pipeline> {
        let function = Callable::new(&context, function)?;
        Ok(pipeline.changed(|inner| inner.after.push(function)))
    }

    /// Returns the pipeline with options that later runs have when they are not given others: those of `run`, and
    /// `batch_size`.
    ///
    /// ```rhai
    /// let p = dataset(4).pipeline().run_later(#{ batch_size: 3, n_epochs: 1 });
    /// let sizes = []; for batch in p.gen_batch() { sizes.push(batch.len); }
    /// sizes // => [3, 1]
    /// ```
    #[rhai_fn(name = "run_later")]
    pub fn run_later(pipeline: Pipeline, options: Map) -> Pipeline {
        pipeline.changed(|inner| inner.later = Some(options))
    }

    /// Returns the pipeline after a run: one epoch, unless the options say something else. Options are those of
    /// `dataset.gen_batch`, and `prefetch`, how many batches are made ahead; `on_error`, `"skip"` to leave out batches
    /// that fail instead of raising their error; `reset`, `"vars"` to begin with variables anew.
    ///
    /// # Errors
    /// A pipeline without a data set, whatever a step raises, unknown options.
    ///
    /// ```rhai
    /// let p = dataset(5).pipeline().update(V("n", "a"), |batch| batch.len);
    /// p.run(2, #{ n_epochs: 1, shuffle: 42, prefetch: 2 }).v("n") // => [2, 2, 1]
    /// ```
    #[rhai_fn(name = "run", return_raw)]
    pub fn run(context: NativeCallContext, pipeline: Pipeline) -> Answer<Pipeline> {
        super::run_whole(&context, pipeline, None, Map::new())
    }

    #[rhai_fn(name = "run", return_raw)]
    pub fn run_size(context: NativeCallContext, pipeline: Pipeline, batch_size: i64) -> Answer<Pipeline> {
        super::run_whole(&context, pipeline, Some(batch_size), Map::new())
    }

    #[rhai_fn(name = "run", return_raw)]
    pub fn run_options(context: NativeCallContext, pipeline: Pipeline, options: Map) -> Answer<Pipeline> {
        super::run_whole(&context, pipeline, None, options)
    }

    #[rhai_fn(name = "run", return_raw)]
    pub fn run_with(context: NativeCallContext, pipeline: Pipeline, batch_size: i64, options: Map) -> Answer<Pipeline> {
        super::run_whole(&context, pipeline, Some(batch_size), options)
    }

    /// Returns the batches of a run, for a `for` loop; options as for `run`.
    ///
    /// ```rhai
    /// let p = dataset(3, #{ preloaded: #{ x: [1, 2, 3] } }).pipeline().apply(|x| -x, #{ src: "x" });
    /// let seen = []; for batch in p.gen_batch(2, #{ prefetch: 1 }) { seen.push(batch.x.tensor); }
    /// seen // => [tensor([-1, -2]), tensor([-3])]
    /// ```
    #[rhai_fn(name = "gen_batch", return_raw)]
    pub fn gen_batch(context: NativeCallContext, pipeline: Pipeline) -> Answer<Batches> {
        super::stream(&context, pipeline, None, Map::new())
    }

    #[rhai_fn(name = "gen_batch", return_raw)]
    pub fn gen_batch_size(context: NativeCallContext, pipeline: Pipeline, batch_size: i64) -> Answer<Batches> {
        super::stream(&context, pipeline, Some(batch_size), Map::new())
    }

    #[rhai_fn(name = "gen_batch", return_raw)]
    pub fn gen_batch_with(
        context: NativeCallContext,
        pipeline: Pipeline,
        batch_size: i64,
        options: Map,
    ) -> Answer<Batches> {
        super::stream(&context, pipeline, Some(batch_size), options)
    }

    /// Returns the next batch of a run without end, unless the options say something else; `()` at the end. Calls with
    /// the same size and options go on where the last one stopped. Options as for `run`.
    ///
    /// ```rhai
    /// let p = dataset(3).pipeline();
    /// [p.next_batch(2).ids, p.next_batch(2).ids, p.next_batch(2).ids] // => [[0, 1], [2], [0, 1]]
    /// ```
    #[rhai_fn(name = "next_batch", return_raw)]
    pub fn next_batch(context: NativeCallContext, pipeline: Pipeline) -> Answer<Dynamic> {
        super::next(&context, pipeline, None, Map::new())
    }

    #[rhai_fn(name = "next_batch", return_raw)]
    pub fn next_batch_size(context: NativeCallContext, pipeline: Pipeline, batch_size: i64) -> Answer<Dynamic> {
        super::next(&context, pipeline, Some(batch_size), Map::new())
    }

    #[rhai_fn(name = "next_batch", return_raw)]
    pub fn next_batch_with(
        context: NativeCallContext,
        pipeline: Pipeline,
        batch_size: i64,
        options: Map,
    ) -> Answer<Dynamic> {
        super::next(&context, pipeline, Some(batch_size), options)
    }

    /// Returns a batch after all steps, or `()` when one of them skips it.
    ///
    /// # Errors
    /// What a step raises; a pipeline that changes the size of batches.
    ///
    /// ```rhai
    /// pipeline().apply(|x| -x, #{ src: "x" }).execute_for(batch_of(#{ x: [1, 2] })).x // => tensor([-1, -2])
    /// ```
    #[rhai_fn(name = "execute_for", return_raw)]
    pub fn execute_for(pipeline: Pipeline, batch: Batch) -> Answer<Dynamic> {
        Ok(pipeline.through(batch).map_err(raise)?.map_or(Dynamic::UNIT, Dynamic::from))
    }

    /// Returns the pipeline, after `"iter"` lets `next_batch` start anew, `"vars"` the variables begin anew, or `"all"`
    /// both.
    ///
    /// ```rhai
    /// let p = dataset(3).pipeline();
    /// p.next_batch(2);
    /// p.reset("iter").next_batch(2).ids // => [0, 1]
    /// ```
    #[rhai_fn(name = "reset", return_raw)]
    pub fn reset_what(context: NativeCallContext, pipeline: Pipeline, what: &str) -> Answer<Pipeline> {
        reset(&Host::of(&context)?, &pipeline, what).map_err(raise)?;
        Ok(pipeline)
    }

    /// Returns how often each step was run and how long it took, an array of maps: `step`, `runs`, `seconds` in all.
    ///
    /// ```rhai
    /// let p = dataset(3).pipeline().exec(|batch| batch);
    /// p.run(2);
    /// let row = p.profile()[0];
    /// [row.step, row.runs] // => ["exec", 2]
    /// ```
    #[rhai_fn(name = "profile")]
    pub fn profile(pipeline: Pipeline) -> List {
        let row = |(name, runs, seconds): (String, u64, f64)| {
            Dynamic::from(Map::from([
                ("step".into(), Dynamic::from(name)),
                ("runs".into(), Dynamic::from(runs as i64)),
                ("seconds".into(), Dynamic::from(seconds)),
            ]))
        };
        pipeline.inner().flow.times().into_iter().map(row).collect()
    }

    #[rhai_fn(global, name = "to_string", name = "to_debug")]
    pub fn to_string(pipeline: Pipeline) -> String {
        let inner = pipeline.inner();
        let set = inner.dataset.as_ref().map_or_else(|| "no data set".to_owned(), ToString::to_string);
        let mut all = vec![set];
        all.extend(inner.chain.names());
        format!("Pipeline({})", all.join(" -> "))
    }
}

fn pipelines(list: List, function: &str) -> Answer<Vec<Pipeline>> {
    let one = |value: Dynamic| {
        let kind = value.type_name();
        value.try_cast::<Pipeline>().ok_or_else(|| {
            raise(Error::script(format!(
                "`{function}`: expected an array of pipelines, found {} in it",
                type_phrase(kind)
            )))
        })
    };
    list.into_iter().map(one).collect()
}

fn merged(
    context: &NativeCallContext,
    pipeline: Pipeline,
    others: List,
    function: Option<Callable>,
) -> Answer<Pipeline> {
    let _ = Host::of(context)?;
    let others = pipelines(others, "merge")?;
    for other in &others {
        other.dataset().map_err(raise)?;
    }
    let known = others.clone();
    let pipeline = pipeline.changed(|inner| inner.merged.extend(known));
    Ok(pipeline.step("merge", true, move |batch| {
        let size = batch.lock().len() as i64;
        let mut all = vec![batch.clone()];
        for other in &others {
            let asked = asked(other, None, size_of(other, size), "merge", Length::Endless)
                .map_err(|error| Error::script(error.to_string()))?;
            match other.next(asked.key, || other.batches(asked.plan, asked.seed, asked.how))? {
                Some(batch) => all.push(batch),
                None => return Ok(Next::Stop),
            }
        }
        if let Some(function) = &function {
            let list: List = all.into_iter().map(Dynamic::from).collect();
            return action::next(&batch, function.call(vec![Dynamic::from(list)])?, "merge").map(Next::On);
        }
        let (whole, _) = regroup(all, usize::MAX, true)?;
        Ok(Next::On(whole.unwrap_or(batch)))
    }))
}

/// The batch size that another pipeline has, where it says none itself.
fn size_of(other: &Pipeline, size: i64) -> Map {
    match other.inner().later.as_ref().is_some_and(|later| later.contains_key("batch_size")) {
        true => Map::new(),
        false => Map::from([("batch_size".into(), Dynamic::from(size))]),
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
            "apply" => crate::script::batches::apply::apply(&context, &batch, &function, given).map(Dynamic::from),
            _ => crate::script::batches::apply::parallel(&context, &batch, &function, given),
        };
        let result = result.map_err(|error| crate::script::traceback::explain(&host, *error, &label))?;
        action::next(&batch, result, name).map(Next::On)
    }))
}

fn run_whole(context: &NativeCallContext, pipeline: Pipeline, size: Option<i64>, options: Map) -> Answer<Pipeline> {
    let host = Host::of(context)?;
    let asked = asked(&pipeline, size, options, "run", Length::Epochs(1))?;
    for batch in start(&host, &pipeline, &asked).map_err(raise)? {
        batch.map_err(raise)?;
        if host.stop_flag().load(std::sync::atomic::Ordering::Relaxed) {
            return Err(raise(Error::new(crate::error::Kind::Interrupted, "interrupted")));
        }
    }
    Ok(pipeline)
}

fn stream(context: &NativeCallContext, pipeline: Pipeline, size: Option<i64>, options: Map) -> Answer<Batches> {
    let asked = asked(&pipeline, size, options, "gen_batch", Length::Epochs(1))?;
    let mut stream = start(&Host::of(context)?, &pipeline, &asked).map_err(raise)?;
    Ok(Batches::new(move || stream.next().map(|batch| batch.map_err(raise))))
}

fn next(context: &NativeCallContext, pipeline: Pipeline, size: Option<i64>, options: Map) -> Answer<Dynamic> {
    let host = Host::of(context)?;
    let asked = asked(&pipeline, size, options, "next_batch", Length::Endless)?;
    let next = pipeline.next(asked.key.clone(), || start(&host, &pipeline, &asked)).map_err(raise)?;
    Ok(next.map_or(Dynamic::UNIT, Dynamic::from))
}
