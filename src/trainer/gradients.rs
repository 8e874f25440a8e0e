//! Gradients against differences of the loss: whether scripted losses and layers are differentiated right.
//!
//! The network is composed in 64-bit numbers, where central differences have about nine right digits; where a script
//! insists on 32-bit ones, in these, and with more tolerance. Dropout draws the same numbers each time.

use candle_core::{DType, Var};

use super::Trainer;
use super::engine;
use super::feed::{Fed, feed_training};
use crate::dataset::Batch;
use crate::error::{Error, Result};
use crate::network::Pass;
use crate::random::{Random, Stream};
use crate::record::Name;
use crate::tensor::{Array, Graph, device, memory};

/// Numbers of each weight that are looked at, and of each prediction.
const LOOKED_AT: usize = 6;

/// Records of a batch that are used at most: each number costs two passes.
const RECORDS: usize = 8;

/// The gradient of something against differences of the loss.
#[derive(Clone, Debug, PartialEq)]
pub struct GradientCheck {
    /// What was changed: "the prediction of output `y`", "weight `hidden/kernel`".
    pub what: String,
    /// The output whose prediction was changed; `None` for a weight.
    pub output: Option<Name>,
    /// How many of its numbers were looked at.
    pub numbers: usize,
    /// The largest error, relative to the larger of gradient and difference.
    pub worst: f64,
    /// The gradient and the difference that do not agree, where some do not.
    pub disagreement: Option<(f64, f64)>,
    /// Whether 64-bit numbers were used.
    pub exact: bool,
}

/// How differences are taken.
#[derive(Clone, Copy)]
struct Way {
    dtype: DType,
    /// The step, for numbers of size 1 and below.
    step: f64,
    /// What gradient and difference may differ by, relative to the larger.
    relative: f64,
    /// What they may differ by at all, relative to the loss.
    absolute: f64,
}

const EXACT: Way = Way { dtype: DType::F64, step: 1e-5, relative: 1e-4, absolute: 1e-8 };
const COARSE: Way = Way { dtype: DType::F32, step: 1e-2, relative: 3e-2, absolute: 2e-4 };

impl Trainer {
    /// Compares gradients with differences of the total loss on the first records of a batch: of each prediction, and
    /// of each trainable weight. Nothing changes.
    ///
    /// # Errors
    /// Whatever the network or a loss raises.
    pub fn check_gradients(&self, batch: &Batch) -> Result<Vec<GradientCheck>> {
        let setup = &self.setup;
        let fed = first_records(feed_training(&setup.network, &setup.outputs, batch)?)?;
        match self.compare(&fed, EXACT) {
            Ok(found) => Ok(found),
            // A constant of a script may be of 32 bits, which go with no others.
            Err(_) => self.compare(&fed, COARSE),
        }
    }

    fn compare(&self, fed: &Fed, way: Way) -> Result<Vec<GradientCheck>> {
        let mut found = Vec::new();
        let (predictions, masks) = {
            let weights = self.graphs(way.dtype)?;
            let pass = self.pass(&weights, fed)?;
            (pass.0.iter().map(Graph::detach).collect::<Vec<_>>(), pass.1)
        };
        // Losses by themselves, so that a wrong one is told from a wrong layer.
        for (at, output) in self.setup.outputs.iter().enumerate() {
            let loss = |prediction: &Graph| {
                let mut all = predictions.clone();
                all[at] = prediction.clone();
                self.total(&all, &masks, fed, way.dtype)
            };
            let what = format!("the prediction of output `{}`", output.name);
            let own = Some(output.name.clone());
            found.push(GradientCheck { output: own, ..check(what, &predictions[at], way, loss)? });
        }
        let infos = self.setup.network.weights();
        for (at, info) in infos.iter().enumerate().filter(|(_, info)| info.trainable) {
            let weights = self.graphs(way.dtype)?;
            let loss = |weight: &Graph| {
                let mut weights = weights.clone();
                weights[at] = weight.clone();
                let (predictions, masks, penalties) = self.pass(&weights, fed)?;
                let mut total = self.total(&predictions, &masks, fed, way.dtype)?;
                for penalty in penalties {
                    total = (total + penalty)?;
                }
                Ok(total)
            };
            found.push(check(format!("weight `{}`", info.name), &weights[at], way, loss)?);
        }
        Ok(found)
    }

    fn graphs(&self, dtype: DType) -> Result<Vec<Graph>> {
        let weights = self.variables.engine.weights();
        let graph = |(at, info): (usize, &crate::network::WeightInfo)| {
            Ok(Graph::from_slice(weights.get(at), &info.shape[..], &device::cpu())?.to_dtype(dtype)?)
        };
        self.setup.network.weights().iter().enumerate().map(graph).collect()
    }

    /// Returns predictions, their masks, and penalties.
    #[allow(clippy::type_complexity)]
    fn pass(&self, weights: &[Graph], fed: &Fed) -> Result<(Vec<Graph>, Vec<Option<Array>>, Vec<Graph>)> {
        let cpu = device::cpu();
        let inputs: Vec<Graph> = fed.inputs.iter().map(|input| input.to_graph(&cpu)).collect::<Result<_>>()?;
        let mut pass = Pass::new(true, Random::new(self.setup.seed, Stream::Dropout, &[0]));
        let predictions = self.setup.network.forward(weights, &inputs, &mut pass)?;
        let mask = |mask: &Option<Graph>| match mask {
            Some(mask) => Array::from_graph(&mask.to_dtype(DType::F32)?).map(Some),
            None => Ok(None),
        };
        let mut masks = pass.masks.iter().map(mask).collect::<Result<Vec<_>>>()?;
        masks.resize(predictions.len(), None);
        Ok((predictions, masks, pass.penalties))
    }

    fn total(&self, predictions: &[Graph], masks: &[Option<Array>], fed: &Fed, dtype: DType) -> Result<Graph> {
        let cpu = device::cpu();
        let mut total: Option<Graph> = None;
        let outputs = self.setup.outputs.iter().zip(&fed.targets).zip(predictions).zip(masks);
        for (((output, target), prediction), mask) in outputs {
            let target = engine::masked_target(target, mask.clone(), output.loss.reduction())?;
            let float = |graph: Graph| if graph.dtype().is_float() { graph.to_dtype(dtype) } else { Ok(graph) };
            let value = float(target.value.to_graph(&cpu)?)?;
            let weight = target.weight.as_ref().map(|weight| weight.to_graph(&cpu)).transpose()?;
            let loss = output.loss.value(&value, prediction, weight.as_ref())?.to_dtype(dtype)?;
            let share = (loss * output.loss_weight)?;
            total = Some(match total {
                Some(sum) => (sum + share)?,
                None => share,
            });
        }
        total.ok_or_else(|| Error::recipe("the network has no outputs to train"))
    }
}

/// Looks at some numbers of a value that a loss depends on.
fn check(what: String, value: &Graph, way: Way, loss: impl Fn(&Graph) -> Result<Graph>) -> Result<GradientCheck> {
    let variable = Var::from_tensor(&value.contiguous()?)?;
    let total = loss(variable.as_tensor())?;
    let gradients = match total.track_op() {
        true => total.backward()?.get(&variable).cloned(),
        false => None,
    };
    let gradients = match gradients {
        Some(gradient) => numbers(&gradient)?,
        None => vec![0.0; value.elem_count()],
    };
    let (values, middle) = (numbers(value)?, number(&total)?);
    let exact = way.dtype == DType::F64;
    let mut check = GradientCheck { what, output: None, numbers: 0, worst: 0.0, disagreement: None, exact };
    let at = |index: usize, change: f64| -> Result<f64> {
        let mut moved = values.clone();
        moved[index] += change;
        let moved = Graph::from_vec(moved, value.dims(), value.device())?.to_dtype(way.dtype)?;
        number(&loss(&moved)?)
    };
    for index in chosen(values.len()) {
        let step = way.step * values[index].abs().max(1.0);
        let (up, down) = (at(index, step)?, at(index, -step)?);
        let (right, left, central) = ((up - middle) / step, (middle - down) / step, (up - down) / (2.0 * step));
        let found = gradients[index];
        let allowed = way.relative * found.abs().max(central.abs()) + way.absolute * middle.abs().max(1.0);
        let error = (found - central).abs();
        // At a kink every slope between those of both sides is right.
        let between = found >= right.min(left) - allowed && found <= right.max(left) + allowed;
        let kink = (right - left).abs() > 10.0 * allowed;
        check.numbers += 1;
        if error <= allowed || (kink && between) {
            if !kink {
                check.worst =
                    check.worst.max(error / found.abs().max(central.abs()).max(way.absolute * middle.abs().max(1.0)));
            }
        } else if check.disagreement.is_none_or(|(a, b)| (a - b).abs() < error) {
            check.worst = error / found.abs().max(central.abs());
            check.disagreement = Some((found, central));
        }
    }
    Ok(check)
}

/// The numbers that are looked at: all of a few, else some that are drawn.
fn chosen(count: usize) -> Vec<usize> {
    match count <= LOOKED_AT {
        true => (0..count).collect(),
        false => {
            let mut random = Random::new(count as u64, Stream::Script, &[]);
            (0..LOOKED_AT).map(|_| (random.uniform() * count as f64) as usize % count).collect()
        }
    }
}

fn numbers(graph: &Graph) -> Result<Vec<f64>> {
    Ok(graph.flatten_all()?.to_dtype(DType::F64)?.to_vec1()?)
}

fn number(graph: &Graph) -> Result<f64> {
    match graph.dtype() {
        DType::F64 => Ok(graph.to_scalar()?),
        _ => memory::scalar(graph),
    }
}

/// Keeps the first records of a batch.
fn first_records(fed: Fed) -> Result<Fed> {
    let rows: Vec<usize> = (0..fed.len.min(RECORDS)).collect();
    let take = |array: &Array| array.take_rows(&rows);
    let mut own = Fed { len: rows.len(), inputs: fed.inputs.iter().map(take).collect::<Result<_>>()?, ..fed };
    for target in &mut own.targets {
        target.value = take(&target.value)?;
        target.weight = target.weight.as_ref().map(take).transpose()?;
    }
    Ok(own)
}
