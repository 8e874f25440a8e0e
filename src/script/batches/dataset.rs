//! Data sets: an index, what batches of it are made of, and its parts.

use std::fmt;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use rhai::{Dynamic, EvalAltResult, Map};

use crate::error::{self, Error, Result};
use crate::pipeline::{self, Id, Index, Parts, Plan, Preload, Rounds, Source};
use crate::record::Name;
use crate::script::batches::Batch;
use crate::script::component;
use crate::script::traceback::raise;

/// A data set; copies share it.
#[derive(Clone)]
pub struct Dataset(Arc<Shared>);

struct Shared {
    index: Index,
    /// The index of the whole set, of which this may be a part.
    all: Index,
    made: Made,
    parts: Mutex<Split>,
    under_way: Mutex<Option<(Rounds, u64)>>,
}

/// What batches of a data set are made of.
#[derive(Clone, Default)]
pub struct Made {
    /// The script whose functions are the actions of its batches.
    pub module: Option<Arc<component::Component>>,
    /// The names of their components, in order.
    pub components: Vec<Name>,
    /// What they are filled with.
    pub preloaded: Option<Arc<Source>>,
    /// What scripts keep with the data set.
    pub attributes: Map,
}

#[derive(Clone, Default)]
struct Split {
    train: Option<Dataset>,
    test: Option<Dataset>,
    validation: Option<Dataset>,
    folds: Vec<Dataset>,
}

fn lock<T: ?Sized>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

impl Dataset {
    /// Creates a data set of a whole index.
    pub fn new(index: Index, made: Made) -> Dataset {
        Dataset::part(index.clone(), index, made)
    }

    fn part(index: Index, all: Index, made: Made) -> Dataset {
        Dataset(Arc::new(Shared { index, all, made, parts: Mutex::default(), under_way: Mutex::default() }))
    }

    /// Returns the index.
    pub fn index(&self) -> &Index {
        &self.0.index
    }

    /// Returns the index of the whole set, of which this may be a part.
    pub fn all(&self) -> &Index {
        &self.0.all
    }

    /// Returns what batches are made of.
    pub fn made(&self) -> &Made {
        &self.0.made
    }

    /// Returns an attribute.
    ///
    /// # Errors
    /// A name that is not there.
    pub fn attribute(&self, name: &str) -> Result<Dynamic> {
        let known = &self.0.made.attributes;
        known.get(name).cloned().ok_or_else(|| {
            let names = || known.keys().map(rhai::Identifier::as_str);
            let error = Error::script(format!("the data set has no attribute `{name}`"))
                .maybe_hint(error::did_you_mean(name, names().chain(["train", "test", "validation", "index"])));
            match known.is_empty() {
                true => error.hint("`dataset(index, #{ attrs: #{ … } })` gives it some"),
                false => error.hint(format!("attributes: {}", error::list(names()))),
            }
        })
    }

    /// Returns the data set of some of the ids.
    ///
    /// # Errors
    /// No ids, and one that is not there.
    pub fn choose(&self, ids: &[Id]) -> Result<Dataset> {
        Ok(self.subset(self.0.index.choose(ids)?))
    }

    fn subset(&self, index: Index) -> Dataset {
        Dataset::part(index, self.0.all.clone(), self.0.made.clone())
    }

    fn at(&self, positions: &[usize]) -> Result<Option<Dataset>> {
        match positions {
            [] => Ok(None),
            positions => Ok(Some(self.subset(self.0.index.subset(positions)?))),
        }
    }

    fn split_of(&self, parts: &Parts) -> Result<Split> {
        Ok(Split {
            train: self.at(&parts.train)?,
            test: self.at(&parts.test)?,
            validation: self.at(&parts.validation)?,
            folds: Vec::new(),
        })
    }

    /// Splits the set by shares.
    ///
    /// # Errors
    /// See [`pipeline::split`].
    pub fn split(&self, shares: &[f64], shuffle: Option<u64>) -> Result<()> {
        let parts = pipeline::split(self.0.index.len(), shares, shuffle)?;
        let split = self.split_of(&parts)?;
        let mut known = lock(&self.0.parts);
        let folds = std::mem::take(&mut known.folds);
        *known = Split { folds, ..split };
        Ok(())
    }

    /// Splits the set into folds.
    ///
    /// # Errors
    /// See [`pipeline::folds`].
    pub fn cross(&self, folds: usize, shuffle: Option<u64>) -> Result<()> {
        let fold = |parts: &Parts| {
            let fold = self.subset(self.0.index.clone());
            *lock(&fold.0.parts) = fold.split_of(parts)?;
            Ok(fold)
        };
        let made = pipeline::folds(self.0.index.len(), folds, shuffle)?.iter().map(fold).collect::<Result<_>>()?;
        lock(&self.0.parts).folds = made;
        Ok(())
    }

    /// Returns a part: `train`, `test` or `validation`.
    ///
    /// # Errors
    /// A set that was not split, or not into this part.
    pub fn named(&self, name: &str) -> Result<Dataset> {
        let parts = lock(&self.0.parts).clone();
        let whole = parts.train.is_none() && parts.test.is_none() && parts.validation.is_none();
        let part = match name {
            "train" => parts.train,
            "test" => parts.test,
            _ => parts.validation,
        };
        part.ok_or_else(|| match whole {
            true if !parts.folds.is_empty() => Error::script(format!("the data set has no part `{name}`, only folds"))
                .hint(format!("`cv(0).{name}` is that of the first fold")),
            true => Error::script("the data set was not split").hint("split it first: `ds.split([0.8, 0.1, 0.1])`"),
            false => Error::script(format!("the data set has no part `{name}`: its share was 0"))
                .hint("shares are those of training, testing and validation: `ds.split([0.8, 0.1, 0.1])`"),
        })
    }

    /// Returns a fold, whose parts are `train` and `test`.
    ///
    /// # Errors
    /// A set without folds, or without this one.
    pub fn fold(&self, number: usize) -> Result<Dataset> {
        let parts = lock(&self.0.parts);
        parts.folds.get(number).cloned().ok_or_else(|| match parts.folds.len() {
            0 => Error::script("the data set has no folds").hint("make them first: `ds.cv_split(5)`"),
            count => Error::script(format!("there is no fold {number}: folds are 0 to {}", count - 1)),
        })
    }

    /// Makes the batch of the items at these positions.
    ///
    /// # Errors
    /// No positions, and one past the end.
    pub fn batch_at(&self, positions: &[usize], iteration: usize, seed: u64) -> Result<Batch> {
        let index = self.0.index.subset(positions)?;
        let preload = self.0.made.preloaded.clone().map(|source| Preload { source, all: self.0.all.clone() });
        let batch = pipeline::Batch::new(index, self.0.made.components.clone(), preload);
        Ok(Batch::new(batch, Some(self.clone()), self.0.made.module.clone(), iteration, seed))
    }

    /// Makes the batch of these ids.
    ///
    /// # Errors
    /// No ids, and one that is not there.
    pub fn batch_of(&self, ids: &[Id], iteration: usize, seed: u64) -> Result<Batch> {
        let positions = ids.iter().map(|id| self.0.index.position(id)).collect::<Result<Vec<_>>>()?;
        self.batch_at(&positions, iteration, seed)
    }

    /// Returns the next batch of a plan that goes on from call to call; another plan starts anew. `None` at its end.
    ///
    /// # Errors
    /// A plan that cannot be.
    pub fn next(&self, plan: Plan, seed: u64) -> Result<Option<Batch>> {
        let (positions, given) = {
            let mut slot = lock(&self.0.under_way);
            let known = slot.take().filter(|(rounds, known)| *rounds.plan() == plan && *known == seed);
            let (mut rounds, seed) = match known {
                Some(known) => known,
                None => (Rounds::new(plan, self.0.index.len())?, seed),
            };
            let next = (rounds.next(), rounds.given());
            *slot = Some((rounds, seed));
            next
        };
        positions.map(|positions| self.batch_at(&positions, given, seed)).transpose()
    }

    /// Lets [`Dataset::next`] start anew.
    pub fn reset(&self) {
        *lock(&self.0.under_way) = None;
    }

    /// Returns the batches of a plan.
    ///
    /// # Errors
    /// A plan that cannot be.
    pub fn batches(&self, plan: Plan, seed: u64) -> Result<Batches> {
        let (set, mut rounds) = (self.clone(), Rounds::new(plan, self.0.index.len())?);
        Ok(Batches::new(move || {
            let positions = rounds.next()?;
            Some(set.batch_at(&positions, rounds.given(), seed).map_err(raise))
        }))
    }
}

impl fmt::Display for Dataset {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Dataset({}", error::counted(self.0.index.len(), "item"))?;
        let Made { module, components, preloaded, .. } = &self.0.made;
        let brought = || preloaded.as_ref().and_then(|source| source.names()).unwrap_or_default();
        let components = if components.is_empty() { brought() } else { components.clone() };
        if !components.is_empty() {
            write!(f, ", components {}", error::list(components.iter().map(|name| &**name)))?;
        }
        if let Some(module) = module {
            write!(f, ", batches of `{}`", module.import())?;
        }
        let parts = lock(&self.0.parts).clone();
        let named = [("train", &parts.train), ("test", &parts.test), ("validation", &parts.validation)];
        for (name, part) in named.iter().filter_map(|(name, part)| Some((name, part.as_ref()?))) {
            write!(f, ", {} {name}", part.index().len())?;
        }
        if !parts.folds.is_empty() {
            write!(f, ", {}", error::counted(parts.folds.len(), "fold"))?;
        }
        f.write_str(")")
    }
}

type Step = dyn FnMut() -> Option<std::result::Result<Batch, Box<EvalAltResult>>> + Send;

/// Batches that come one after another: what `for` goes through.
#[derive(Clone)]
pub struct Batches(Arc<Mutex<Step>>);

impl Batches {
    /// Creates one of a function that gives the next batch.
    pub fn new(
        next: impl FnMut() -> Option<std::result::Result<Batch, Box<EvalAltResult>>> + Send + 'static,
    ) -> Batches {
        Batches(Arc::new(Mutex::new(next)))
    }
}

impl Iterator for Batches {
    type Item = std::result::Result<Batch, Box<EvalAltResult>>;

    fn next(&mut self) -> Option<Self::Item> {
        (*lock(&self.0))()
    }
}
