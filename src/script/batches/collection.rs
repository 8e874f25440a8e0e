//! Items gathered from batches, each at the place of its id.

use std::fmt;
use std::sync::{Arc, Mutex, PoisonError};

use crate::batch::Items;
use crate::error::{Error, Result};
use crate::pipeline::Index;
use crate::record::Value;

/// A collection; copies share it.
#[derive(Clone)]
pub struct Collection {
    index: Index,
    items: Arc<Mutex<Vec<Option<Value>>>>,
}

impl Collection {
    /// Creates an empty collection with a place for each id.
    pub fn new(index: Index) -> Collection {
        let places = vec![None; index.len()];
        Collection { index, items: Arc::new(Mutex::new(places)) }
    }

    /// Returns the index.
    pub fn index(&self) -> &Index {
        &self.index
    }

    fn lock(&self) -> std::sync::MutexGuard<'_, Vec<Option<Value>>> {
        self.items.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Writes items at the places of their ids.
    ///
    /// # Errors
    /// An id that has no place.
    pub fn put(&self, ids: &Index, items: &Items) -> Result<()> {
        let places = ids.ids().map(|id| self.index.position(&id)).collect::<Result<Vec<_>>>()?;
        let mut known = self.lock();
        for (at, place) in places.into_iter().enumerate() {
            // A row of its own: a view would keep the whole batch alive.
            known[place] = Some(match items.get(at)? {
                Value::Tensor(tensor) => Value::Tensor(tensor.to_host()?.owned().into()),
                value => value,
            });
        }
        Ok(())
    }

    /// Returns the number of places without an item.
    pub fn missing(&self) -> usize {
        self.lock().iter().filter(|item| item.is_none()).count()
    }

    /// Returns all items in the order of the ids.
    ///
    /// # Errors
    /// A place without an item.
    pub fn items(&self) -> Result<Items> {
        let known = self.lock();
        if let Some(at) = known.iter().position(Option::is_none) {
            return Err(Error::data(format!("the collection has no item for the id `{}`", self.index.id(at)?))
                .hint("`missing` counts the places without an item"));
        }
        Ok(Items::assemble(known.iter().flatten().cloned().collect()))
    }
}

impl fmt::Display for Collection {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Collection({} of {} items)", self.index.len() - self.missing(), self.index.len())
    }
}
