//! What a training run is made of.

use std::path::PathBuf;
use std::sync::Arc;

use crate::dataset::Dataset;
use crate::error::{Error, Result};
use crate::loss::Loss;
use crate::metric::{Metric, MetricTarget};
use crate::network::Network;
use crate::optimizer::Configured;
use crate::record::Name;
use crate::schedule::Schedule;
use crate::service::{GraphNode, Service};
use crate::tensor::{Array, Device};

/// The parts of a training run, all of them made and none of them started.
pub struct Parts {
    /// The network.
    pub network: Arc<Network>,
    /// Its initial weights, in the order of `network.weights()`.
    pub weights: Vec<Array>,
    /// Losses and metrics, one entry for each output of the network, in any order.
    pub outputs: Vec<OutputSpec>,
    /// The rule that updates weights.
    pub optimizer: Box<dyn Optimizer>,

impl Rate {
    /// Returns the learning rate of the first step.
    pub(super) fn first(&self) -> Result<f64> {
        match self {
            Rate::Constant(rate) if rate.is_finite() && *rate >= 0.0 => Ok(*rate),
            Rate::Constant(rate) => {
                Err(Error::recipe(format!("the learning rate: expected a number of at least 0, found {rate}")))
            }
            Rate::Schedule(schedule) => super::scheduled(&**schedule, 0),
        }
    }
}

/// What of the parts stays as it is during a run; see [`Parts`].
pub(super) struct Setup {
    pub network: Arc<Network>,
    /// In the network's order.
    pub outputs: Vec<OutputSpec>,
    pub rate: Rate,
    pub train: Dataset,
    pub validation: Option<Dataset>,
    pub services: Vec<Box<dyn Service>>,
    pub epochs: usize,
    pub seed: u64,
    pub device: Device,
    pub folder: PathBuf,
    pub graph: Vec<GraphNode>,
}
