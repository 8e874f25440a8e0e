//! A scripted metric: `init()`, `update(y_true, y_pred, weight)`, `result()`; or one function of a
//! batch, whose values are averaged over the records.

use rhai::Dynamic;

use crate::error::{Error, Result};
use crate::metric::{Metric, MetricState};
use crate::record::Mode;
use crate::script::adaptor::loss::last_part;
use crate::script::{Component, state};
use crate::tensor::{Number, Tensor};

/// A script behind the trait of metrics.
pub struct ScriptMetric {
    component: Component,
    name: String,
    kind: Kind,
}

enum Kind {
    /// `init`, `update`, `result`.
    Running { update: usize },
    /// One function of a batch: its mean over records.
    Batch { function: String, total: f64, count: f64 },
}

impl ScriptMetric {
    /// Wraps a component.
    ///
    /// # Errors
    /// A script with neither `update` and `result` nor a function of a batch.
    pub fn new(component: Component) -> Result<Self> {
        let kind = match (component.arities("update").last(), component.has("result")) {
            (Some(&update @ 2..=3), true) => {
                component.init(Mode::Validation)?;
                Kind::Running { update }
            }
            _ => {
                let wanted =
                    "fn metric(y_true, y_pred) { … }` or `init()`, `update(y_true, y_pred, weight)` and `result()";
                let (function, _) = component.slot("metric", 2..=2, wanted)?;
                Kind::Batch { function, total: 0.0, count: 0.0 }
            }
        };
        let name = match &kind {
            Kind::Batch { function, .. } => last_part(component.import(), function),
            Kind::Running { .. } => last_part(component.import(), "metric"),
        };
        Ok(ScriptMetric { component, name, kind })
    }

    fn number(&self, value: &Dynamic, function: &str) -> Result<f64> {
        let number = value
            .as_float()
            .or_else(|_| value.as_int().map(|value| value as f64))
            .ok()
            .or_else(|| value.read_lock::<Tensor>().and_then(|tensor| tensor.item().ok().map(Number::to_f64)));
        number.ok_or_else(|| {
            let found = crate::script::traceback::type_phrase(value.type_name());
            self.component.returned(function, Error::script(format!("expected a number, found {found}")))
        })
    }
}

impl Metric for ScriptMetric {
    fn name(&self) -> &str {
        &self.name
    }

    fn reset(&mut self) {
        match &mut self.kind {
            Kind::Batch { total, count, .. } => (*total, *count) = (0.0, 0.0),
            // The script's own `init` ran without error when the metric was made.
            Kind::Running { .. } => drop(self.component.init(Mode::Validation)),
        }
    }

    fn update(&mut self, y_true: &Tensor, y_pred: &Tensor, weight: Option<&Tensor>) -> Result<()> {
        let batch = y_pred.shape().first().copied().unwrap_or(0) as f64;
        let mut arguments = [
            Dynamic::from(y_true.clone()),
            Dynamic::from(y_pred.clone()),
            weight.map_or(Dynamic::UNIT, |weight| Dynamic::from(weight.clone())),
        ];
        match &self.kind {
            Kind::Running { update } => {
                let update = *update;
                self.component.change("update", Mode::Validation, &mut arguments[..update]).map(drop)
            }
            Kind::Batch { function, .. } => {
                let value = self.component.call(function, Mode::Validation, &mut arguments[..2])?;
                let value = match value.read_lock::<Tensor>() {
                    Some(tensor) if !tensor.shape().is_empty() => Dynamic::from(tensor.mean(None, false)?),
                    _ => value.clone(),
                };
                let mean = self.number(&value, function)?;
                if let Kind::Batch { total, count, .. } = &mut self.kind {
                    *total += mean * batch;
                    *count += batch;
                }
                Ok(())
            }
        }
    }

    fn state(&self) -> Result<MetricState> {
        match &self.kind {
            Kind::Batch { total, count, .. } => {
                Ok(MetricState { numbers: vec![*total, *count], ..MetricState::default() })
            }
            Kind::Running { .. } => {
                let (fields, arrays) = state::gather(&self.component.state())
                    .map_err(|error| error.within(format!("the state of `{}`", self.component.import())))?;
                Ok(MetricState { numbers: Vec::new(), fields, arrays })
            }
        }
    }

    fn restore(&mut self, state: &MetricState) -> Result<()> {
        let foreign = || {
            Error::artifact(format!("the checkpoint's state of the metric `{}` cannot be understood", self.name))
                .hint("resume with the metrics that the run was started with")
        };
        match &mut self.kind {
            Kind::Batch { total, count, .. } => {
                [*total, *count] = state.numbers.as_slice().try_into().map_err(|_| foreign())?;
            }
            Kind::Running { .. } => {
                for (name, value) in state::put_back(&state.fields, &state.arrays).ok_or_else(foreign)? {
                    self.component.set(&name, value);
                }
            }
        }
        Ok(())
    }

    fn result(&self) -> Result<f64> {
        match &self.kind {
            Kind::Batch { count, .. } if *count == 0.0 => Ok(0.0),
            Kind::Batch { total, count, .. } => Ok(total / count),
            Kind::Running { .. } => {
                let value = self.component.call("result", Mode::Validation, &mut [])?;
                self.number(&value, "result")
            }
        }
    }
}
