//! Runs of a pipeline.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use rhai::plugin::*;
use rhai::{Array as List, Dynamic, Map};

use crate::error::{Error, Result as Outcome};
use crate::pipeline::{Length, Run, Stream};
use crate::script::api::arguments::{self, Answer};
use crate::script::api::{dataset, options::Options};
use crate::script::bar::Monitored;
use crate::script::batches::expression::prepare;
use crate::script::batches::pipeline::Pipeline;
use crate::script::batches::{Batch, Batches};
use crate::script::host::Host;
use crate::script::traceback::{raise, type_phrase};

/// Registers the functions.
pub fn register(module: &mut Module) {
    module.combine_flatten(exported_module!(functions));
}

#[export_module]
#[allow(clippy::unwrap_used, reason = "what the macro makes of a `&mut` argument")]
mod functions {
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
    /// that fail instead of raising their error; `reset`, `"vars"` to begin with variables anew; `bar`, true or a title, for
    /// a progress bar (on a terminal only, else nothing is drawn), which shows `monitors`: an array of variables, of which
    /// it shows the last element, or a map of expressions and functions of the batch.
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

/// Reads what a run is given: a batch size, and options, or those that `run_later` kept.
pub struct Asked {
    /// What tells runs apart.
    pub key: String,
    /// Which items make up each batch.
    pub plan: crate::pipeline::Plan,
    /// The seed of all draws.
    pub seed: u64,
    /// How many batches are made ahead.
    prefetch: usize,
    /// Whether batches that fail are left out.
    skip_failed: bool,
    reset: Vec<String>,
    /// The title of a bar, and what it shows.
    bar: Option<(String, Vec<(String, Dynamic)>)>,
}

pub fn asked(
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
            Some(list) => arguments::texts(&list, "option `reset`")?,
            None => vec![value.clone().into_string().unwrap_or_default()],
        },
    };
    let bar = bar(&mut options, function)?;
    options.finish()?;
    Ok(Asked { key, plan, seed, prefetch, skip_failed, reset, bar })
}

fn start(host: &Host, pipeline: &Pipeline, asked: &Asked) -> Outcome<Stream<Batch>> {
    for what in &asked.reset {
        reset(host, pipeline, what)?;
    }
    pipeline.batches(asked.plan, asked.seed, asked.how(host))
}

impl Asked {
    /// Returns how batches are made.
    pub fn how(&self, host: &Host) -> Run {
        let left_out = self.skip_failed.then(|| LeftOut { host: host.clone(), count: AtomicUsize::new(0) });
        let skip_failed = left_out.map(|left_out| -> Arc<dyn Fn(&Error) + Send + Sync> {
            Arc::new(move |error: &Error| left_out.tell(error))
        });
        Run { prefetch: self.prefetch, skip_failed }
    }
}

/// Tells of the first batches of a run that are left out since they failed, and at its end how many there were.
struct LeftOut {
    host: Host,
    count: AtomicUsize,
}

impl LeftOut {
    /// How many are told one by one.
    const FIRST: usize = 3;

    fn tell(&self, error: &Error) {
        if self.count.fetch_add(1, Ordering::Relaxed) < Self::FIRST {
            let within: Vec<String> = error.context().iter().map(|part| format!(" ({part})")).collect();
            self.host.tell(&format!("a batch was left out: {}{}", error.message(), within.concat()));
        }
    }
}

impl Drop for LeftOut {
    fn drop(&mut self) {
        let count = self.count.load(Ordering::Relaxed);
        if count > Self::FIRST {
            self.host.tell(&format!("{count} batches were left out in all"));
        }
    }
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

fn run_whole(context: &NativeCallContext, pipeline: Pipeline, size: Option<i64>, options: Map) -> Answer<Pipeline> {
    let host = Host::of(context)?;
    let asked = asked(&pipeline, size, options, "run", Length::Epochs(1))?;
    let batches = start(&host, &pipeline, &asked).map_err(raise)?;
    let mut bar = shown(&host, &pipeline, &asked, context)?;
    for batch in batches {
        let batch = batch.map_err(raise)?;
        if let Some(bar) = &mut bar {
            bar.batch(&host, &pipeline.inner().flow, &batch).map_err(raise)?;
        }
        if host.stop_flag().load(Ordering::Relaxed) {
            return Err(raise(Error::new(crate::error::Kind::Interrupted, "interrupted")));
        }
    }
    Ok(pipeline)
}

fn stream(context: &NativeCallContext, pipeline: Pipeline, size: Option<i64>, options: Map) -> Answer<Batches> {
    let asked = asked(&pipeline, size, options, "gen_batch", Length::Epochs(1))?;
    let host = Host::of(context)?;
    let mut stream = start(&host, &pipeline, &asked).map_err(raise)?;
    let mut bar = shown(&host, &pipeline, &asked, context)?;
    Ok(Batches::new(move || {
        let next = stream.next();
        match (&next, &mut bar) {
            (Some(Ok(batch)), Some(bar)) => {
                if let Err(error) = bar.batch(&host, &pipeline.inner().flow, batch) {
                    return Some(Err(raise(error)));
                }
            }
            (Some(_), _) => (),
            // The display goes with the last batch.
            (None, _) => bar = None,
        }
        next.map(|batch| batch.map_err(raise))
    }))
}

/// Takes `bar`, true or a title, and `monitors`, names of variables or a map of expressions.
fn bar(options: &mut Options, function: &str) -> Answer<Option<(String, Vec<(String, Dynamic)>)>> {
    let title = match options.take("bar") {
        None => None,
        Some(value) => match (value.as_bool(), value.as_immutable_string_ref()) {
            (Ok(false), _) => None,
            (Ok(true), _) => Some(function.to_owned()),
            (_, Ok(title)) => Some(title.to_string()),
            _ => {
                return Err(raise(Error::script(format!(
                    "option `bar` of `{function}`: expected true, false or a title, found {value}"
                ))));
            }
        },
    };
    let monitors = match options.take("monitors") {
        None => Vec::new(),
        Some(value) => match (value.read_lock::<List>(), value.read_lock::<Map>()) {
            (Some(list), _) => {
                let names = arguments::texts(&list, "option `monitors`")?;
                names.into_iter().map(|name| (name, Dynamic::UNIT)).collect()
            }
            (_, Some(map)) => map.iter().map(|(name, value)| (name.to_string(), value.clone())).collect(),
            _ => {
                return Err(raise(Error::script(format!(
                    "option `monitors` of `{function}`: expected names of variables, or a map of expressions, found {}",
                    type_phrase(value.type_name())
                ))));
            }
        },
    };
    Ok(title.map(|title| (title, monitors)))
}

/// Starts the bar that a run asks for.
fn shown(host: &Host, pipeline: &Pipeline, asked: &Asked, context: &NativeCallContext) -> Answer<Option<Monitored>> {
    let Some((title, monitors)) = &asked.bar else { return Ok(None) };
    let prepared = |(name, value): &(String, Dynamic)| Ok((name.clone(), prepare(context, value.clone())?));
    let monitors = monitors.iter().map(prepared).collect::<Answer<Vec<_>>>()?;
    Ok(Monitored::start(host, title, pipeline.inner().flow.total(), monitors))
}

fn next(context: &NativeCallContext, pipeline: Pipeline, size: Option<i64>, options: Map) -> Answer<Dynamic> {
    let host = Host::of(context)?;
    let asked = asked(&pipeline, size, options, "next_batch", Length::Endless)?;
    let next = pipeline.next(asked.key.clone(), || start(&host, &pipeline, &asked)).map_err(raise)?;
    Ok(next.map_or(Dynamic::UNIT, Dynamic::from))
}
