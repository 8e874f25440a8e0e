//! Pipelines made of pipelines: sums, repetitions, chances, joins and merges.

use rhai::plugin::*;
use rhai::{Array as List, Dynamic, FnPtr, Map};

use super::run::asked;
use crate::error::{Error, Result as Outcome};
use crate::pipeline::{Length, Next, Step};
use crate::script::api::arguments::{Answer, Num};
use crate::script::batches::expression::{self, prepare, resolve};
use crate::script::batches::pipeline::{Pipeline, chosen, regroup};
use crate::script::batches::{Batch, Dataset, action};
use crate::script::callable::Callable;
use crate::script::host::Host;
use crate::script::traceback::{raise, type_phrase};

/// Registers the functions.
pub fn register(module: &mut Module) {
    module.combine_flatten(exported_module!(functions));
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
    let host = Host::of(context)?;
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
            match other.next(asked.key.clone(), || other.batches(asked.plan, asked.seed, asked.how(&host)))? {
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
