//! Any loss as a metric: the mean over samples, whatever the loss's own reduction.
//!
//! What a loss leaves out (`ignore_class`) counts as 0 here, as in Keras.

use super::built_in::{self, Running, built_in};
use super::mean::{Mean, Measured};
use super::{Metric, MetricState, NAME, Seen};
use crate::error::Result;
use crate::loss::{self, Fused, FusedMemory, Loss};
use crate::registry::{Arguments, Entry, Parameter, Params, Type};
use crate::tensor::{Graph, device};

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

/// A mean of the values of a loss, or of their opposites.
struct LossMean {
    loss: Box<dyn Loss>,
    sign: f32,
    mean: Mean,
    measured: Measured,
    memory: FusedMemory,
}

impl LossMean {
    fn new(loss: Box<dyn Loss>, sign: f32) -> Self {
        let (mean, measured, memory) = (Mean::default(), Measured::default(), FusedMemory::default());
        LossMean { loss, sign, mean, measured, memory }
    }

    /// Computes the values in one pass over slices; returns whether that could be done.
    fn fused(&mut self, batch: &Seen<'_>) -> bool {
        let ([_, inner @ ..], data) = (batch.predictions.shape, batch.predictions.data) else { return false };
        let Some((_, front)) = batch.predictions.shape.split_last().filter(|_| !inner.is_empty()) else { return false };
        self.measured.set(front, std::iter::repeat_n(0.0, front.iter().product()));
        let mut fused = Fused {
            labels: batch.given,
            predictions: data,
            shape: inner,
            weight: None,
            gradient: None,
            add: false,
            share: 1.0,
            values: Some(&mut self.measured.values),
            memory: &mut self.memory,
        };
        self.loss.fused(&mut fused).is_some()
    }

    fn composed(&mut self, batch: &Seen<'_>) -> Result<()> {
        let device = device::cpu();
        let y_pred = Graph::from_slice(batch.predictions.data, batch.predictions.shape, &device)?;
        let values = self.loss.per_sample(&batch.given.to_graph(&device)?, &y_pred)?;
        let data: Vec<f32> = values.flatten_all()?.to_dtype(candle_core::DType::F32)?.to_vec1()?;
        self.measured.set(values.dims(), data.into_iter());
        Ok(())
    }
}

/// Makes a metric of a loss, reported under `name`, or the loss's own name.
pub(super) fn metric(loss: Box<dyn Loss>, name: Option<&str>) -> Box<dyn Metric> {
    let name = name.unwrap_or(loss.name()).to_owned();
    built_in::named(&name, LossMean::new(loss, 1.0))
}

fn of_loss(loss: &str, default_name: &str, sign: f32, arguments: &Arguments) -> Result<Box<dyn Metric>> {
    let mut params = Params::new();
    if !arguments.is_null("axis") {
        params.insert("axis".to_owned(), arguments.value("axis").clone());
    }
    built_in(default_name, arguments, LossMean::new(loss::make(loss, &params)?, sign))
}

impl Running for LossMean {
    fn reset(&mut self) {
        self.mean = Mean::default();
    }

    fn add(&mut self, metric: &str, batch: &Seen<'_>) -> Result<()> {
        if !self.fused(batch) {
            self.composed(batch)?;
        }
        self.measured.values.iter_mut().for_each(|value| *value *= self.sign);
        self.mean.add(metric, batch, &self.measured)
    }

    fn result(&self) -> f64 {
        self.mean.result()
    }

    fn state(&self) -> MetricState {
        self.mean.state()
    }

    fn restore(&mut self, metric: &str, state: &MetricState) -> Result<()> {
        self.mean.restore(metric, state)
    }
}
