//! Models of pipelines: a network with its losses and its optimizer, trained batch by batch.

use std::path::Path;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use crate::error::Result;
use crate::record::Name;
use crate::tensor::Array;

/// Named arrays with a row for each item.
pub type Arrays = Vec<(Name, Array)>;

/// What trains and predicts.
pub trait Learner: Send {
    /// Does one training step and returns the loss before it.
    ///
    /// # Errors
    /// Inputs and targets that the network does not take.
    fn train(&mut self, x: Arrays, y: Arrays, w: Option<Arrays>) -> Result<f64>;

    /// Returns the network's outputs by name.
    ///
    /// # Errors
    /// Inputs that the network does not take.
    fn predict(&mut self, x: Arrays) -> Result<Arrays>;

    /// Writes the weights.
    ///
    /// # Errors
    /// A file that cannot be written.
    fn save(&self, path: &Path) -> Result<()>;

    /// Reads the weights.
    ///
    /// # Errors
    /// A file of another network, or that cannot be read.
    fn load(&mut self, path: &Path) -> Result<()>;

    /// Returns the names of the inputs and of the outputs, in the order of the network.
    fn names(&self) -> (Vec<Name>, Vec<Name>);

    /// Returns the number of training steps done.
    fn steps(&self) -> u64;

    /// Returns the table of the network's layers.
    fn summary(&self) -> String;
}

/// A model; copies share its weights, and one at a time uses them.
#[derive(Clone)]
pub struct Model(Arc<Mutex<Box<dyn Learner>>>);

impl Model {
    /// Creates a model.
    pub fn new(learner: Box<dyn Learner>) -> Model {
        Model(Arc::new(Mutex::new(learner)))
    }

    /// Returns what trains and predicts, for as long as nobody else needs it.
    pub fn lock(&self) -> MutexGuard<'_, Box<dyn Learner>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
