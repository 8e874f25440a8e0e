//! What a training run is made of.

use std::path::PathBuf;
use std::sync::Arc;

use crate::dataset::Dataset;
use crate::error::Result;
use crate::loss::Loss;
use crate::metric::{Metric, MetricTarget};
use crate::network::Network;
use crate::optimizer::Optimizer;
use crate::record::Name;
use crate::schedule::Schedule;
use crate::service::Service;
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
    /// How gradients are limited before the rule sees them.
    pub clip: Clip,
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
    /// The artifact folder. The trainer itself writes nothing; services do.
    pub folder: PathBuf,
}

/// What is asked of one output of the network.
pub struct OutputSpec {
    /// The output's name.
    pub name: Name,
    /// Its loss.
    pub loss: Box<dyn Loss>,
    /// Its share of the total loss; 1 unless the recipe says otherwise.
    pub loss_weight: f64,
    /// What is reported about it.
    pub metrics: Vec<MetricSpec>,
}

/// Makes a metric for an output, once for training and once for validation; what `accuracy` means is
/// known only with the shapes of the first batch.
pub type MetricFactory = Box<dyn Fn(&MetricTarget) -> Result<Box<dyn Metric>> + Send + Sync>;

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
    /// A function of the number of updates done; services cannot change it.
    Schedule(Box<dyn Schedule>),
}

/// How gradients are limited before the optimizer's rule sees them; at most one of Keras's three ways.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub enum Clip {
    /// They are not.
    #[default]
    None,
    /// Each number lies between minus and plus this (`clipvalue`).
    Value(f64),
    /// Each weight's gradient is scaled down to at most this norm (`clipnorm`).
    Norm(f64),
    /// All gradients together are scaled down to at most this norm (`global_clipnorm`).
    GlobalNorm(f64),
}
