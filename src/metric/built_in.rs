//! What all built-in metrics have in common: a name, and numbers gathered over the batches of an epoch.

use std::borrow::Cow;

use super::{Metric, MetricState, Seen, Values};
use crate::error::Result;
use crate::registry::Arguments;
use crate::tensor::{Array, Tensor};

/// What a built-in metric gathers. While batches have one shape neither [`Running::add`] nor [`Running::result`]
/// allocates: both are called at every training step.
pub(super) trait Running: Send {
    /// Forgets all batches.
    fn reset(&mut self);

    /// Takes in one batch; `metric` is the name for errors.
    fn add(&mut self, metric: &str, batch: &Seen<'_>) -> Result<()>;

    /// Returns the result so far.
    fn result(&self) -> f64;

    /// Returns all results, of a metric that has several.
    fn results(&self) -> Vec<f64> {
        vec![self.result()]
    }

    /// Returns what it has gathered.
    fn state(&self) -> MetricState;

    /// Takes back what [`Running::state`] gave.
    fn restore(&mut self, metric: &str, state: &MetricState) -> Result<()>;
}

struct BuiltIn<R> {
    name: String,
    running: R,
}

/// Makes a metric, reported under the parameter `name` or else the default.
pub(super) fn built_in(
    default_name: &str,
    arguments: &Arguments,
    running: impl Running + 'static,
) -> Result<Box<dyn Metric>> {
    let name = match arguments.text("name") {
        "" => default_name,
        name => name,
    };
    Ok(named(name, running))
}

/// Makes a metric that is reported under a name.
pub(super) fn named(name: &str, running: impl Running + 'static) -> Box<dyn Metric> {
    Box::new(BuiltIn { name: name.to_owned(), running })
}

impl<R: Running> Metric for BuiltIn<R> {
    fn name(&self) -> &str {
        &self.name
    }

    fn reset(&mut self) {
        self.running.reset();
    }

    fn update(&mut self, y_true: &Tensor, y_pred: &Tensor, weight: Option<&Tensor>) -> Result<()> {
        let (labels, predictions) = (host(y_true)?, host(y_pred)?);
        let weight = weight.map(host).transpose()?;
        let (label_data, data) = (labels.as_f32(), predictions.as_f32());
        let weight = weight.as_ref().map(|weight| (weight.shape(), weight.as_f32()));
        self.running.add(
            &self.name,
            &Seen {
                labels: Values { shape: labels.shape(), data: &label_data },
                predictions: Values { shape: predictions.shape(), data: &data },
                weight: weight.as_ref().map(|(shape, data)| Values { shape, data }),
                given: &labels,
            },
        )
    }

    fn update_seen(&mut self, batch: &Seen<'_>) -> Result<bool> {
        self.running.add(&self.name, batch).map(|()| true)
    }

    fn result(&self) -> Result<f64> {
        Ok(self.running.result())
    }

    fn results(&self) -> Result<Vec<f64>> {
        Ok(self.running.results())
    }

    fn state(&self) -> Result<MetricState> {
        Ok(self.running.state())
    }

    fn restore(&mut self, state: &MetricState) -> Result<()> {
        self.running.restore(&self.name, state)
    }
}

fn host(tensor: &Tensor) -> Result<Cow<'_, Array>> {
    match tensor {
        Tensor::Host(array) => Ok(Cow::Borrowed(array)),
        Tensor::Graph(_) => Ok(Cow::Owned(tensor.to_host()?)),
    }
}
