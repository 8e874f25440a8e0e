//! What a training run is made of.

use std::path::PathBuf;
use std::sync::Arc;

use super::class_weights::ClassWeights;
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
    /// What updates weights: a rule with clipping and the like.
    pub optimizer: Configured,
    /// The learning rate.
    pub rate: Rate,
    /// The training records with their stations.
    pub train: Dataset,
    /// The validation records, when there are any.
    pub validation: Option<Dataset>,
    /// What watches the run, in the order in which they are called.
    pub services: Vec<Box<dyn Service>>,
    /// The number of epochs; a resumed run counts those already done.
    pub epochs: usize,
    /// The seed of dropout and of whatever else is random inside the network.
    pub seed: u64,
    /// Where the network computes.
    pub device: Device,
    /// Whether layers use their kernels on the CPU; otherwise everything is composed of Candle's operations.
    pub kernels: bool,
    /// Whether products are of bfloat16 values; weights, losses and updates stay float32. Everything is composed then.
    pub mixed: bool,
    /// When checkpoints within an epoch are written.
    pub checkpoints: Checkpoints,
    /// The artifact folder. The trainer itself writes nothing; services do.
    pub folder: PathBuf,
    /// The network as TensorBoard draws it; may be empty.
    pub graph: Vec<GraphNode>,
}

/// When checkpoints within an epoch are written, besides those after each epoch.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct Checkpoints {
    /// After each so many steps of the run, at least 1.
    pub steps: Option<u64>,
    /// After a step, when so many minutes have passed since the latest checkpoint; above 0.
    pub minutes: Option<f64>,
    /// When someone asks the run to stop.
    pub stop: bool,
}

/// What is asked of one output of the network.
pub struct OutputSpec {
    /// The output's name.
    pub name: Name,
    /// Its loss.
    pub loss: Box<dyn Loss>,
    /// Its share of the total loss; 1 unless the recipe says otherwise.
    pub loss_weight: f64,
    /// What records of some classes weigh in training.
    pub class_weights: ClassWeights,
    /// What is reported about it.
    pub metrics: Vec<MetricSpec>,
}

/// Makes a metric for an output, once for training and once for validation; what `accuracy` means is
/// known only with the shapes of the first batch.
pub type MetricFactory = Box<dyn Fn(&MetricTarget<'_>) -> Result<Box<dyn Metric>> + Send + Sync>;

/// One metric of an output.
pub struct MetricSpec {
    /// Makes it.
    pub make: MetricFactory,
    /// Whether sample weights enter it. As in Keras, `metrics` ignore them and `weighted_metrics` do not.
    pub weighted: bool,
}

/// The learning rate of a run.
pub enum Rate {
    /// The same at every step, until a service changes it.
    Constant(f64),
    /// A function of the number of steps done; services cannot change it.
    Schedule(Box<dyn Schedule>),
}

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
    pub checkpoints: Checkpoints,
    pub folder: PathBuf,
    pub graph: Vec<GraphNode>,
}
