//! Pipelines as scripts hold them: a data set, a chain of steps, and what runs keep.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use rhai::{Dynamic, Map};

use crate::error::{Error, Result, codes};
use crate::pipeline::{self, Chain, Next, Plan, Rounds, Run, Step, Stream, run_chain};
use crate::random::{Random, Stream as Draws};
use crate::script::batches::expression::{At, save};
use crate::script::batches::flow::Flow;
use crate::script::batches::{Batch, Dataset};
use crate::script::callable::Callable;
use crate::script::host::Host;
use crate::service::clock;

/// A pipeline; copies share what runs keep.
#[derive(Clone)]
pub struct Pipeline(Arc<Inner>);

/// What a pipeline is made of. A chained call makes another one.
#[derive(Clone, Default)]
pub struct Inner {
    /// Where batches come from.
    pub dataset: Option<Dataset>,
    /// What they go through.
    pub chain: Chain<Batch>,
    /// What runs keep.
    pub flow: Arc<Flow>,
    /// Variables and the values they begin with.
    pub begin: Vec<(String, Dynamic)>,
    /// Options of runs that give none.
    pub later: Option<Map>,
    /// Called before a run.
    pub before: Vec<Callable>,
    /// Called after a run.
    pub after: Vec<Callable>,
    /// Pipelines whose batches are merged into those of this one; each run starts them anew.
    pub merged: Vec<Pipeline>,
    locks: Arc<Mutex<BTreeMap<String, Arc<Mutex<()>>>>>,
    under_way: Arc<Mutex<Option<(String, Stream<Batch>)>>>,
}

fn lock<T: ?Sized>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

impl Pipeline {
    /// Creates a pipeline without steps.
    pub fn new(dataset: Option<Dataset>, config: Map) -> Pipeline {
        let inner = Inner { dataset, ..Inner::default() };
        inner.flow.configure(config);
        Pipeline(Arc::new(inner))
    }

    /// Returns what it is made of.
    pub fn inner(&self) -> &Inner {
        &self.0
    }

    /// Returns another pipeline, with variables of its own that begin as those of this one are; models are shared.
    #[must_use]
    pub fn changed(&self, change: impl FnOnce(&mut Inner)) -> Pipeline {
        let mut inner = (*self.0).clone();
        inner.flow = Arc::new(self.0.flow.copy());
        inner.under_way = Arc::default();
        change(&mut inner);
        Pipeline(Arc::new(inner))
    }

    /// Returns the pipeline with one more step.
    #[must_use]
    pub fn step(
        &self,
        name: &str,
        ordered: bool,
        act: impl Fn(Batch) -> Result<Next<Batch>> + Send + Sync + 'static,
    ) -> Pipeline {
        self.changed(|inner| {
            let label = format!("{:02} {name}", inner.chain.0.len() + 1);
            let act = move |batch: Batch| {
                let (flow, start) = (batch.about().flow.clone(), clock::now());
                let next = signals(act(batch));
                if let Some(flow) = flow {
                    flow.took(&label, clock::now().saturating_sub(start));
                }
                next
            };
            inner.chain.0.push(Step::Do { name: name.to_owned(), ordered, act: Arc::new(act) });
        })
    }

    /// Returns the lock of a name, which copies of the pipeline share.
    pub fn named_lock(&self, name: &str) -> Arc<Mutex<()>> {
        lock(&self.0.locks).entry(name.to_owned()).or_default().clone()
    }

    /// Returns the steps of both, with what both keep; the data set is the first's, if it has one.
    #[must_use]
    pub fn then(&self, other: &Pipeline) -> Pipeline {
        self.changed(|inner| {
            inner.dataset = inner.dataset.take().or_else(|| other.0.dataset.clone());
            inner.chain.0.extend(other.0.chain.0.iter().cloned());
            inner.flow.join(&other.0.flow);
            inner.begin.extend(other.0.begin.iter().cloned());
            inner.before.extend(other.0.before.iter().cloned());
            inner.after.extend(other.0.after.iter().cloned());
            inner.merged.extend(other.0.merged.iter().cloned());
            inner.later = inner.later.take().or_else(|| other.0.later.clone());
        })
    }

    /// Returns the data set.
    ///
    /// # Errors
    /// A pipeline without one.
    pub fn dataset(&self) -> Result<&Dataset> {
        self.0.dataset.as_ref().ok_or_else(|| {
            Error::script("the pipeline has no data set")
                .hint("`pipeline << dataset` gives it one, `dataset.pipeline()` makes one that has it")
        })
    }

    /// Sets a variable to the value it begins with.
    ///
    /// # Errors
    /// An expression that cannot be evaluated yet.
    pub fn begin(&self, host: &Host, name: &str, value: &Dynamic) -> Result<()> {
        let at = At { host, batch: None, flow: Some(&self.0.flow) };
        let value = at.value(value.clone()).map_err(|error| error.within(format!("variable `{name}`")))?;
        self.0.flow.forget(name);
        self.0.flow.save(name, value, super::flow::Mode::Write)
    }

    /// Sets all variables to the values they begin with.
    ///
    /// # Errors
    /// See [`Pipeline::begin`].
    pub fn reset_variables(&self, host: &Host) -> Result<()> {
        self.0.flow.reset_variables();
        self.0.begin.iter().try_for_each(|(name, value)| self.begin(host, name, value))
    }

    /// Lets [`Pipeline::next`] start anew.
    pub fn reset(&self) {
        *lock(&self.0.under_way) = None;
    }

    /// Returns the batches of a run.
    ///
    /// # Errors
    /// A pipeline without a data set, a plan that cannot be, and whatever `before` raises.
    pub fn batches(&self, plan: Plan, seed: u64, how: Run) -> Result<Stream<Batch>> {
        let set = self.dataset()?.clone();
        let mut rounds = Rounds::new(plan, set.index().len())?;
        for other in &self.0.merged {
            other.reset();
        }
        for function in &self.0.before {
            let _ = function.call(vec![Dynamic::from(self.clone())])?;
        }
        let flow = self.0.flow.clone();
        flow.expect(rounds.total());
        let source = std::iter::from_fn(move || {
            let positions = rounds.next()?;
            let batch = set.batch_at(&positions, rounds.given(), seed);
            Some(batch.map(|batch| batch.changed(|about| about.flow = Some(flow.clone()))))
        });
        let mark = |batch: Batch, ahead: bool| match batch.about().ahead == ahead {
            true => batch,
            false => batch.changed(|about| about.ahead = ahead),
        };
        let mut stream = run_chain(&self.0.chain, Box::new(source), how, mark)?;
        let (own, mut told) = (self.clone(), false);
        Ok(Box::new(std::iter::from_fn(move || {
            let next = stream.next();
            if next.is_none() && !std::mem::replace(&mut told, true) {
                for function in &own.0.after {
                    if let Err(error) = function.call(vec![Dynamic::from(own.clone())]) {
                        return Some(Err(error));
                    }
                }
            }
            next
        })))
    }

    /// Returns the next batch of a run that goes on from call to call; `key` tells runs apart.
    ///
    /// # Errors
    /// See [`Pipeline::batches`]; whatever a step raises.
    pub fn next(&self, key: String, start: impl FnOnce() -> Result<Stream<Batch>>) -> Result<Option<Batch>> {
        let known = lock(&self.0.under_way).take().filter(|(known, _)| *known == key);
        let mut stream = match known {
            Some((_, stream)) => stream,
            None => start()?,
        };
        let next = stream.next().transpose();
        *lock(&self.0.under_way) = Some((key, stream));
        next
    }

    /// Sends one batch through the steps.
    ///
    /// # Errors
    /// Whatever a step raises; a batch that a step skips.
    pub fn through(&self, batch: Batch) -> Result<Option<Batch>> {
        let flow = self.0.flow.clone();
        let batch = batch.changed(|about| {
            about.flow = Some(flow);
            about.ahead = false;
        });
        match self.0.chain.go(batch)? {
            Next::On(batch) => Ok(Some(batch)),
            Next::Skip | Next::Stop => Ok(None),
        }
    }
}

/// Turns the errors by which a script skips a batch or stops a run into what they stand for.
fn signals(next: Result<Next<Batch>>) -> Result<Next<Batch>> {
    match next {
        Err(error) if error.code() == Some(codes::SKIP_BATCH) => Ok(Next::Skip),
        Err(error) if error.code() == Some(codes::STOP_PIPELINE) => Ok(Next::Stop),
        other => other,
    }
}

/// Evaluates the expressions in a value for a batch, and saves what comes of it where `to` says.
///
/// # Errors
/// See [`save`].
pub fn save_for(host: &Host, batch: &Batch, to: &Dynamic, value: Dynamic) -> Result<()> {
    save(&At { host, batch: Some(batch), flow: batch.about().flow.as_deref() }, to, value)
}

/// Draws whether something is done with a batch; `number` tells draws of one batch apart.
pub fn chosen(batch: &Batch, number: u64, probability: f64) -> bool {
    let about = batch.about();
    Random::new(about.seed, Draws::Batch, &[about.iteration as u64, u64::MAX, number]).uniform() < probability
}

/// Puts batches together for a step that makes batches of another size.
///
/// # Errors
/// Components that some have and others have not.
pub fn regroup(parts: Vec<Batch>, size: usize, end: bool) -> Result<(Option<Batch>, Option<Batch>)> {
    let Some(first) = parts.first().cloned() else { return Ok((None, None)) };
    let count: usize = parts.iter().map(|part| part.lock().len()).sum();
    let mut data: Vec<pipeline::Batch> = parts.iter().map(|part| part.lock().clone()).collect();
    if count < size && !end {
        let (whole, _) = pipeline::Batch::merge(&mut data, None)?;
        return Ok((None, Some(first.with(whole))));
    }
    let (merged, rest) = pipeline::Batch::merge(&mut data, Some(size))?;
    // The rest goes on as the batch it came from, so that its draws are its own.
    let last = parts.last().cloned().unwrap_or_else(|| first.clone());
    Ok((Some(first.with(merged)), rest.map(|rest| last.with(rest))))
}
