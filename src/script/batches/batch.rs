//! A batch as scripts hold it, its components and its items.

use std::fmt;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use crate::batch::Items;
use crate::error::{self, Error, Result};
use crate::pipeline::{self, Id, Index};
use crate::random::{Random, Stream};
use crate::record::{Name, Value};
use crate::script::api::random::Rng;
use crate::script::batches::Dataset;
use crate::script::batches::flow::Flow;
use crate::script::component;
use crate::tensor::Tensor;

/// A batch; copies share its data.
#[derive(Clone)]
pub struct Batch {
    data: Arc<Mutex<pipeline::Batch>>,
    about: Arc<About>,
}

/// Where a batch comes from.
#[derive(Clone)]
pub struct About {
    /// The data set it was made from, however it was changed since.
    pub dataset: Option<Dataset>,
    /// The script whose functions are its actions.
    pub module: Option<Arc<component::Component>>,
    /// Its number in the run, from 1; 0 outside of one.
    pub iteration: usize,
    /// The seed of the run.
    pub seed: u64,
    /// The run it is in.
    pub flow: Option<Arc<Flow>>,
    /// Batches of other pipelines that go into the next action.
    pub joined: Vec<Batch>,
    /// Whether it is in the part of a pipeline that runs ahead, where nothing that other batches see may be touched.
    pub ahead: bool,
    random: Rng,
    /// Draws begun: each parallel call has numbers of its own.
    draws: Arc<AtomicU64>,
}

impl Batch {
    /// Creates a batch.
    pub fn new(
        data: pipeline::Batch,
        dataset: Option<Dataset>,
        module: Option<Arc<component::Component>>,
        iteration: usize,
        seed: u64,
    ) -> Batch {
        let random = Rng::new(Random::new(seed, Stream::Batch, &[iteration as u64]));
        let about = About {
            dataset,
            module,
            iteration,
            seed,
            flow: None,
            joined: Vec::new(),
            ahead: false,
            random,
            draws: Arc::default(),
        };
        Batch { data: Arc::new(Mutex::new(data)), about: Arc::new(about) }
    }

    /// Returns where it comes from.
    pub fn about(&self) -> &About {
        &self.about
    }

    /// Returns the same data with something else about it.
    #[must_use]
    pub fn changed(&self, change: impl FnOnce(&mut About)) -> Batch {
        let mut about = (*self.about).clone();
        change(&mut about);
        Batch { data: self.data.clone(), about: Arc::new(about) }
    }

    /// Returns other data with the same about it.
    #[must_use]
    pub fn with(&self, data: pipeline::Batch) -> Batch {
        Batch { data: Arc::new(Mutex::new(data)), about: self.about.clone() }
    }

    /// Returns the data, for as long as nobody else needs it: no script may run meanwhile.
    pub fn lock(&self) -> MutexGuard<'_, pipeline::Batch> {
        self.data.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Returns whether both are the same batch.
    pub fn is(&self, other: &Batch) -> bool {
        Arc::ptr_eq(&self.data, &other.data)
    }

    /// Returns a copy that shares nothing that can be seen.
    #[must_use]
    pub fn deep_copy(&self) -> Batch {
        let data = self.lock().clone();
        self.with(data)
    }

    /// Returns the ids.
    pub fn index(&self) -> Index {
        self.lock().index().clone()
    }

    /// Returns the index of the whole data set; that of the batch, where there is none.
    pub fn all(&self) -> Index {
        match &self.about.dataset {
            Some(dataset) => dataset.all().clone(),
            None => self.index(),
        }
    }

    /// Returns the batch's stream of random numbers, which its copies share.
    pub fn random(&self) -> Rng {
        self.about.random.clone()
    }

    /// Returns the random numbers of the next parallel call: of each item, a stream derived from it.
    pub fn draw(&self) -> Random {
        let number = self.about.draws.fetch_add(1, Ordering::Relaxed);
        Random::new(self.about.seed, Stream::Batch, &[self.about.iteration as u64, number + 1])
    }

    /// Returns the handle of a component.
    pub fn component(&self, name: &str) -> Component {
        Component { batch: self.clone(), name: name.into() }
    }

    /// Returns the item of an id.
    ///
    /// # Errors
    /// An id that is not in the batch.
    pub fn item(&self, id: &Id) -> Result<Item> {
        let position = self.lock().position(id)?;
        Ok(Item { batch: self.clone(), position })
    }

    /// Returns the item at a position; negative ones count from the end.
    ///
    /// # Errors
    /// A position out of range.
    pub fn at(&self, position: i64) -> Result<Item> {
        let position = place(position, self.lock().len(), "the batch")?;
        Ok(Item { batch: self.clone(), position })
    }
}

impl fmt::Display for Batch {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut data = self.lock();
        write!(f, "Batch of {}", error::counted(data.len(), "item"))?;
        match data.components() {
            Ok(components) => {
                for (at, (name, items)) in components.iter().enumerate() {
                    write!(f, "{} {name} {}", if at == 0 { ":" } else { "," }, items.describe())?;
                }
            }
            Err(_) => return Ok(()),
        }
        match data.raw() {
            Ok(Some(items)) => write!(f, ": {}", items.describe()),
            _ => Ok(()),
        }
    }
}

/// A component of a batch: what it gives is read when it is used, and what is written goes into the batch.
#[derive(Clone)]
pub struct Component {
    batch: Batch,
    name: Name,
}

impl Component {
    /// Returns its batch.
    pub fn batch(&self) -> &Batch {
        &self.batch
    }

    /// Returns its name.
    pub fn name(&self) -> &str {
        &self.name
    }

    /// Returns the items; cheap.
    ///
    /// # Errors
    /// A component that is not there, or has no data yet.
    pub fn items(&self) -> Result<Items> {
        self.batch.lock().component(&self.name).cloned()
    }

    /// Returns the items as a tensor.
    ///
    /// # Errors
    /// Items that are not numbers of one shape.
    pub fn tensor(&self) -> Result<Tensor> {
        self.items()?.to_tensor().map_err(|error| error.within(format!("component `{}`", self.name)))
    }

    /// Returns the item at a position; negative ones count from the end.
    ///
    /// # Errors
    /// A position out of range.
    pub fn get(&self, position: i64) -> Result<Value> {
        let mut data = self.batch.lock();
        let position = place(position, data.component(&self.name)?.len(), &self.name)?;
        data.item(&self.name, position)
    }

    /// Writes the item at a position; negative ones count from the end.
    ///
    /// # Errors
    /// A position out of range, and a value of another shape or dtype than the others.
    pub fn set(&self, position: i64, value: Value) -> Result<()> {
        let mut data = self.batch.lock();
        let position = place(position, data.component(&self.name)?.len(), &self.name)?;
        data.set_item(&self.name, position, value)
    }
}

/// One item of a batch, with all its components.
#[derive(Clone)]
pub struct Item {
    /// Its batch.
    pub batch: Batch,
    /// Its position there.
    pub position: usize,
}

impl Item {
    /// Returns the id.
    ///
    /// # Errors
    /// A batch that was cut down since.
    pub fn id(&self) -> Result<Id> {
        self.batch.lock().index().id(self.position)
    }
}

fn place(position: i64, count: usize, what: &str) -> Result<usize> {
    let from_start = if position < 0 { position.checked_add(count as i64) } else { Some(position) };
    from_start.and_then(|at| usize::try_from(at).ok()).filter(|at| *at < count).ok_or_else(|| {
        Error::data(
            format!("position {position} is out of range: `{what}` has {count} items")
                .replace("`the batch`", "the batch"),
        )
        .hint("positions count from 0; `batch[id]` finds an item by its id")
    })
}
