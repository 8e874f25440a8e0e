//! Any loss as a metric: the mean over samples, whatever the loss's own reduction.
//!
//! What a loss leaves out (`ignore_class`) counts as 0 here, as in Keras.

use std::sync::Arc;

use super::mean::{self, Mean};
use super::{Metric, MetricState, NAME};
use crate::error::Result;
use crate::loss::{self, Loss};
use crate::registry::{Arguments, Entry, Parameter, Params, Type};
use crate::tensor::{Array, Graph, Tensor, device};

/// Cosine similarity.
pub(super) const COSINE_SIMILARITY: Entry<dyn Metric> = Entry {
    name: "CosineSimilarity",
    aliases: &["cosine_similarity"],
    doc: "The mean cosine of the angle between y_true and y_pred: 1 for the same direction (the loss of this name has \
          the other sign).",
    parameters: &[NAME, Parameter::optional("axis", Type::Int, "-1", "The axis of the vectors")],
    build: |arguments| of_loss("CosineSimilarity", "cosine_similarity", -1.0, arguments),
};

/// Log-cosh error.
pub(super) const LOG_COSH: Entry<dyn Metric> = Entry {
    name: "LogCoshError",
    aliases: &["logcosh"],
    doc: "The mean of log(cosh(y_pred - y_true)).",
    parameters: &[NAME],
    build: |arguments| of_loss("LogCosh", "logcosh", 1.0, arguments),
};

/// A loss as a metric.
pub struct LossMetric {
    loss: Arc<dyn Loss>,
    name: String,
    sign: f32,
    mean: Mean,
}

impl LossMetric {
    /// Creates the metric, reported under `name`, or the loss's own name.
    pub fn new(loss: Arc<dyn Loss>, name: Option<&str>) -> Self {
        let name = name.unwrap_or(loss.name()).to_owned();
        LossMetric { loss, name, sign: 1.0, mean: Mean::default() }
    }
}

impl Metric for LossMetric {
    fn name(&self) -> &str {
        &self.name
    }

    fn reset(&mut self) {
        self.mean = Mean::default();
    }

    fn update(&mut self, y_true: &Tensor, y_pred: &Tensor, weight: Option<&Tensor>) -> Result<()> {
        let (y_true, mut y_pred) = (graph(y_true)?, graph(y_pred)?);
        if y_pred.dtype().is_int() {
            y_pred = y_pred.to_dtype(candle_core::DType::F32)?;
        }
        let values = self.loss.per_sample(&y_true, &y_pred)?;
        let mut data: Vec<f32> = values.flatten_all()?.to_dtype(candle_core::DType::F32)?.to_vec1()?;
        data.iter_mut().for_each(|value| *value *= self.sign);
        self.mean.add(&self.name, values.dims(), &data, weight)
    }

    fn result(&self) -> Result<f64> {
        Ok(self.mean.result())
    }

    fn state(&self) -> Result<MetricState> {
        Ok(self.mean.state())
    }

    fn restore(&mut self, state: &MetricState) -> Result<()> {
        self.mean.restore(&self.name, state)
    }
}

fn of_loss(loss: &str, default_name: &str, sign: f32, arguments: &Arguments) -> Result<Box<dyn Metric>> {
    let mut params = Params::new();
    if !arguments.is_null("axis") {
        params.insert("axis".to_owned(), arguments.value("axis").clone());
    }
    let loss = Arc::from(loss::make(loss, &params)?);
    Ok(Box::new(LossMetric { loss, name: mean::name(default_name, arguments), sign, mean: Mean::default() }))
}

/// Reads a tensor as a value that a loss can work on.
fn graph(tensor: &Tensor) -> Result<Graph> {
    let array = match tensor {
        Tensor::Graph(graph) => return Ok(graph.detach()),
        Tensor::Host(array) => array,
    };
    let (shape, device) = (array.shape(), device::cpu());
    Ok(match array {
        Array::F32(array) => Graph::from_vec(array.iter().copied().collect::<Vec<f32>>(), shape, &device)?,
        Array::F64(array) => Graph::from_vec(array.iter().copied().collect::<Vec<f64>>(), shape, &device)?,
        Array::I64(array) => Graph::from_vec(array.iter().copied().collect::<Vec<i64>>(), shape, &device)?,
        Array::U8(array) => Graph::from_vec(array.iter().copied().collect::<Vec<u8>>(), shape, &device)?,
    })
}
