//! Running means of an epoch, under the names that Keras gives them.
//!
//! With one output: `loss`, then its metrics. With several: `loss`, `<output>_loss` for each, then
//! `<output>_<metric>`. Names of validation values start with `val_`.

use serde_json::{Map, Value};

use super::engine::{self, Engine, Losses};
use super::feed::{Fed, Target};
use super::parts::OutputSpec;
use crate::artifact::weights::Named;
use crate::error::{Error, Result, Subject};
use crate::metric::{Metric, MetricState, MetricTarget, Seen, Values};
use crate::service::Logs;
use crate::tensor::{Array, Tensor};

/// A mean of batch values, weighted by batch size.
#[derive(Clone, Copy, Debug, Default)]
struct Mean {
    total: f64,
    count: f64,
}

impl Mean {
    fn update(&mut self, value: f64, count: usize) {
        self.total += value * count as f64;
        self.count += count as f64;
    }

    /// 0 before the first batch, as metrics do.
    fn result(self) -> f64 {
        if self.count == 0.0 { 0.0 } else { self.total / self.count }
    }
}

/// One metric and the output it looks at.
struct Own {
    output: usize,
    weighted: bool,
    metric: Box<dyn Metric>,
}

/// Losses and metrics of an epoch so far. The names are made once; a batch only changes values.
pub(super) struct Meters {
    logs: Logs,
    loss: Mean,
    /// Each output's loss; empty with one output, whose loss is the total.
    outputs: Vec<Mean>,
    metrics: Vec<Own>,
    sight: Sight,
}

impl Meters {
    /// Creates the meters of the given outputs (in network order) for labels and predictions as in a
    /// first batch, which the engine has just computed.
    ///
    /// # Errors
    /// A metric that cannot be made for these shapes, and two values of one name.
    pub fn new(outputs: &[OutputSpec], fed: &Fed, engine: &Engine, prefix: &str) -> Result<Self> {
        let several = outputs.len() > 1;
        let mut logs: Logs = vec![(format!("{prefix}loss"), 0.0)];
        if several {
            logs.extend(outputs.iter().map(|output| (format!("{prefix}{}_loss", output.name), 0.0)));
        }
        let mut metrics = Vec::new();
        for (at, output) in outputs.iter().enumerate() {
            let (labels, prediction) = (&fed.targets[at].value, engine.output(at)?);
            let target = MetricTarget { labels: labels.shape(), output: prediction.shape() };
            // Keras lists weighted metrics after the others.
            for weighted in [false, true] {
                for spec in output.metrics.iter().filter(|spec| spec.weighted == weighted) {
                    let metric = (spec.make)(&target).map_err(|error| within(error, output))?;
                    let name = match several {
                        true => format!("{prefix}{}_{}", output.name, metric.name()),
                        false => format!("{prefix}{}", metric.name()),
                    };
                    if logs.iter().any(|(own, _)| *own == name) {
                        let error = Error::recipe(format!("two values would be reported as `{name}`"))
                            .hint("give one of the metrics another `name`");
                        return Err(within(error, output));
                    }
                    logs.push((name, 0.0));
                    metrics.push(Own { output: at, weighted, metric });
                }
            }
        }
        let outputs = if several { vec![Mean::default(); outputs.len()] } else { Vec::new() };
        Ok(Meters { logs, loss: Mean::default(), outputs, metrics, sight: Sight::default() })
    }

    /// Forgets all batches.
    pub fn reset(&mut self) {
        self.loss = Mean::default();
        self.outputs.fill(Mean::default());
        self.metrics.iter_mut().for_each(|own| own.metric.reset());
    }

    /// Takes in one batch, which the engine has just computed.
    ///
    /// # Errors
    /// Whatever a metric raises, with its name and output.
    pub fn update(&mut self, outputs: &[OutputSpec], fed: &Fed, losses: &Losses, engine: &Engine) -> Result<()> {
        self.loss.update(losses.total, fed.len);
        for (mean, value) in self.outputs.iter_mut().zip(&losses.outputs) {
            mean.update(*value, fed.len);
        }
        // Metrics are grouped by output, so that each output is read once.
        for group in self.metrics.chunk_by_mut(|a, b| a.output == b.output) {
            let Some(at) = group.first().map(|own| own.output) else { continue };
            self.sight.update(group, &fed.targets[at], engine, fed.len).map_err(|error| within(error, &outputs[at]))?;
        }
        Ok(())
    }

    /// Brings the logs up to date and returns them.
    pub fn logs(&mut self) -> Result<&Logs> {
        let values = std::iter::once(self.loss.result()).chain(self.outputs.iter().map(|mean| mean.result()));
        let count = 1 + self.outputs.len();
        for (log, value) in self.logs.iter_mut().zip(values) {
            log.1 = value;
        }
        for (log, own) in self.logs.iter_mut().skip(count).zip(&self.metrics) {
            log.1 = own.metric.result()?;
        }
        Ok(&self.logs)
    }

    /// Returns the logs as they were brought up to date last.
    pub fn latest(&self) -> &Logs {
        &self.logs
    }

    /// Returns what has been gathered of the epoch, for a checkpoint within it: fields of scripts by log name, and
    /// arrays, which hold numbers to the bit.
    ///
    /// # Errors
    /// A state of a scripted metric that cannot be stored.
    pub fn state(&self) -> Result<(Map<String, Value>, Named)> {
        let (mut fields, mut arrays) = (Map::new(), Named::new());
        let means = std::iter::once(&self.loss).chain(&self.outputs);
        for ((name, _), mean) in self.logs.iter().zip(means) {
            arrays.push((name.clone(), Array::from_f64(vec![mean.total, mean.count], &[2])?));
        }
        for ((name, _), own) in self.logs.iter().skip(1 + self.outputs.len()).zip(&self.metrics) {
            let state = own.metric.state().map_err(|error| of_metric(error, name))?;
            if !state.fields.is_null() {
                fields.insert(name.clone(), state.fields);
            }
            let length = state.numbers.len();
            arrays.push((name.clone(), Array::from_f64(state.numbers, &[length])?));
            arrays.extend(state.arrays.into_iter().map(|(own, array)| (format!("{name}/{own}"), array)));
        }
        Ok((fields, arrays))
    }

    /// Takes back what [`Meters::state`] gave.
    ///
    /// # Errors
    /// A state of other metrics.
    pub fn restore(&mut self, fields: &Map<String, Value>, arrays: &Named) -> Result<()> {
        let numbers = |name: &str| match arrays.iter().find(|(own, _)| own == name) {
            Some((_, array)) => Ok(array.to_f64_vec()),
            None => Err(Error::artifact(format!("the checkpoint knows nothing of `{name}`"))
                .hint("resume with the outputs and metrics that the run was started with")),
        };
        let means = std::iter::once(&mut self.loss).chain(&mut self.outputs);
        for ((name, _), mean) in self.logs.iter().zip(means) {
            let found = numbers(name)?;
            let [total, count] = found[..] else {
                return Err(Error::artifact(format!("the checkpoint's sums of `{name}` are damaged")));
            };
            *mean = Mean { total, count };
        }
        for ((name, _), own) in self.logs.iter().skip(1 + self.outputs.len()).zip(&mut self.metrics) {
            let prefix = format!("{name}/");
            let inner = |(full, array): &(String, Array)| Some((full.strip_prefix(&prefix)?.to_owned(), array.clone()));
            let state = MetricState {
                numbers: numbers(name)?,
                fields: fields.get(name).cloned().unwrap_or_default(),
                arrays: arrays.iter().filter_map(inner).collect(),
            };
            own.metric.restore(&state)?;
        }
        Ok(())
    }

    /// Returns the names in the order of the report.
    pub fn names(&self) -> impl Iterator<Item = &str> {
        self.logs.iter().map(|(name, _)| &**name)
    }
}

/// How metrics see an output: in memory that is used again from step to step.
#[derive(Default)]
struct Sight {
    shape: Vec<usize>,
    labels: Vec<f32>,
    predictions: Vec<f32>,
    weight: Vec<f32>,
}

impl Sight {
    /// Gives the metrics of one output a batch.
    fn update(&mut self, metrics: &mut [Own], target: &Target, engine: &Engine, rows: usize) -> Result<()> {
        let output = metrics.first().map_or(0, |own| own.output);
        let plain = engine.plain_output(output);
        let composed = if plain.is_none() { Some(engine.output(output)?) } else { None };
        self.shape.clear();
        let predictions = match (&composed, plain) {
            (Some(array), _) => {
                self.shape.extend_from_slice(array.shape());
                array.read_f32(&mut self.predictions)
            }
            (None, Some((predictions, shape))) => {
                self.shape.push(rows);
                self.shape.extend_from_slice(shape);
                predictions
            }
            (None, None) => return Ok(()),
        };
        let mask = match (&target.weight, metrics.iter().any(|own| own.weighted)) {
            (Some(_), true) => engine.mask(output)?,
            _ => None,
        };
        let masked = match (&target.weight, &mask) {
            (Some(weight), Some(mask)) => Some(engine::masked_weight(weight, mask)?),
            _ => None,
        };
        let weight = masked.as_ref().or(target.weight.as_ref());
        let seen = Seen {
            labels: Values { shape: target.value.shape(), data: target.value.read_f32(&mut self.labels) },
            predictions: Values { shape: &self.shape, data: predictions },
            weight: weight.map(|own| Values { shape: own.shape(), data: own.read_f32(&mut self.weight) }),
            given: &target.value,
        };
        // For scripts only.
        let mut tensors: Option<(Tensor, Tensor)> = None;
        for own in metrics {
            let mut seen = seen;
            if !own.weighted {
                seen.weight = None;
            }
            let updated = own.metric.update_seen(&seen);
            if updated.map_err(|error| of_metric(error, own.metric.name()))? {
                continue;
            }
            let (labels, predictions) = match &mut tensors {
                Some(tensors) => tensors,
                none => none.insert((Tensor::Host(target.value.clone()), Tensor::Host(engine.output(output)?))),
            };
            let weight = weight.filter(|_| own.weighted).cloned().map(Tensor::Host);
            let updated = own.metric.update(labels, predictions, weight.as_ref());
            updated.map_err(|error| of_metric(error, own.metric.name()))?;
        }
        Ok(())
    }
}

fn within(error: Error, output: &OutputSpec) -> Error {
    error.within(format!("output `{}`", output.name)).about(Subject::Output(output.name.to_string()))
}

fn of_metric(error: Error, name: &str) -> Error {
    error.within(format!("metric `{name}`")).about(Subject::Metric(name.to_owned()))
}
