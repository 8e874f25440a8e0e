//! A network run by plans of kernels, one plan for each shape that records have.

use candle_core::Var;

use super::super::feed::Target;
use super::super::parts::OutputSpec;
use super::{Losses, check_scalar, masked, named};
use crate::error::{Error, Result};
use crate::kernel::pool::Pool;
use crate::loss::{Fused, FusedMemory};
use crate::network::{FlatWeights, Network, NotFinite, Plan};
use crate::random::{Random, Stream};
use crate::tensor::memory::{read, scalar};
use crate::tensor::{Array, Device, Graph};

/// Plans that are kept, the last used first; more than a network of buckets of lengths has.
const PLANS: usize = 16;

/// Work below this many multiplications is done before another thread has woken up.
const WORTH_THREADS: usize = 1_000_000;

/// The plans and the threads.
pub(super) struct Planned {
    device: Device,
    plans: Vec<Plan>,
    /// How many threads; 0 as [`Pool::new`] has it.
    threads: usize,
    /// Started when a pass is worth it.
    pool: Option<Pool>,
    /// Whether the last pass was one of training, and how much work it was.
    training: bool,
    work: usize,
    rows: usize,
    /// What the losses compute with.
    memory: FusedMemory,
}

impl Planned {
    /// Creates it without plans; `device` is the CPU, for what has to be composed.
    pub(super) fn new(device: &Device) -> Self {
        Planned {
            device: device.clone(),
            plans: Vec::new(),
            threads: 0,
            pool: None,
            training: false,
            work: 0,
            rows: 0,
            memory: FusedMemory::default(),
        }
    }

    /// Computes on so many threads from now on.
    pub(super) fn set_threads(&mut self, threads: usize) {
        (self.threads, self.pool) = (threads, None);
    }

    pub(super) fn forward(
        &mut self,
        network: &Network,
        weights: &mut FlatWeights,
        inputs: &[Array],
        rows: usize,
        training: Option<&Random>,
    ) -> Result<()> {
        for (port, input) in network.inputs().iter().zip(inputs) {
            port.check(input.dtype())?;
        }
        self.choose(network, inputs)?;
        let Some(plan) = self.plans.first_mut() else { return Err(no_plan()) };
        (self.training, self.rows) = (training.is_some(), rows);
        // A weight is updated in about eight operations.
        self.work = rows.saturating_mul(plan.work()) + training.map_or(0, |_| weights.trained().0.len() * 8);
        plan.begin(rows)?;
        for (at, input) in inputs.iter().enumerate() {
            plan.feed(at, input)?;
        }
        let mut pass = || match training {
            Some(random) => plan.train_forward(weights, random),
            None => plan.forward(weights, &Random::new(0, Stream::Dropout, &[])),
        };
        match pool(&mut self.pool, self.threads, self.work)? {
            Some(pool) => pool.run(pass),
            None => pass(),
        }
    }

    /// Brings the plan for these inputs to the front.
    fn choose(&mut self, network: &Network, inputs: &[Array]) -> Result<()> {
        let fits =
            |plan: &Plan| plan.inputs().iter().zip(inputs).all(|(shape, input)| input.shape().get(1..) == Some(shape));
        match self.plans.iter().position(fits) {
            Some(0) => {}
            Some(at) => self.plans[..=at].rotate_right(1),
            None => {
                let shapes: Vec<Vec<usize>> = inputs.iter().map(|input| input.shape()[1..].to_vec()).collect();
                self.plans.truncate(PLANS - 1);
                self.plans.insert(0, Plan::new(network, &shapes, &self.device)?);
            }
        }
        Ok(())
    }

    pub(super) fn first_not_finite(&self) -> Result<Option<NotFinite>> {
        Ok(self.plans.first().ok_or_else(no_plan)?.first_not_finite())
    }

    pub(super) fn output(&self, output: usize) -> Result<Array> {
        let plan = self.plans.first().ok_or_else(no_plan)?;
        let shape = [&[self.rows], plan.output_shape(output)].concat();
        Array::from_f32(plan.output(output).to_vec(), &shape)
    }

    pub(super) fn plain_output(&self, output: usize) -> Option<(&[f32], &[usize])> {
        self.plans.first().map(|plan| (plan.output(output), plan.output_shape(output)))
    }

    pub(super) fn mask(&self, output: usize) -> Result<Option<Array>> {
        let plan = self.plans.first().ok_or_else(no_plan)?;
        let array = |(mask, shape): (&[f32], &[usize])| Array::from_f32(mask.to_vec(), &[&[self.rows], shape].concat());
        plan.output_mask(output).map(array).transpose()
    }

    pub(super) fn losses(&mut self, outputs: &[OutputSpec], targets: &[Target]) -> Result<Losses> {
        let several = outputs.len() > 1;
        let mut losses = Losses { total: 0.0, outputs: Vec::new() };
        for (at, (output, target)) in outputs.iter().zip(targets).enumerate() {
            let target = &*masked::target(target, self.mask(at)?, output.loss.reduction())?;
            let plan = self.plans.first_mut().ok_or_else(no_plan)?;
            let value = match fused(plan, at, output, target, self.training, &mut self.memory) {
                Some(value) => value,
                None => composed(plan, at, output, target, self.training, self.rows, &self.device)?,
            };
            losses.total += output.loss_weight * value;
            if several {
                losses.outputs.push(value);
            }
        }
        losses.total += self.plans.first().ok_or_else(no_plan)?.penalty();
        Ok(losses)
    }

    /// Computes the gradients, then calls `after` with the weights, on the same threads.
    pub(super) fn backward(
        &mut self,
        weights: &mut FlatWeights,
        after: impl FnOnce(&mut FlatWeights) -> Result<()> + Send,
    ) -> Result<()> {
        let plan = self.plans.first_mut().ok_or_else(no_plan)?;
        let pass = || {
            plan.backward(weights)?;
            after(weights)
        };
        match pool(&mut self.pool, self.threads, self.work)? {
            Some(pool) => pool.run(pass),
            None => pass(),
        }
    }
}

/// Returns the pool, where there is enough to do for one.
fn pool(pool: &mut Option<Pool>, threads: usize, work: usize) -> Result<Option<&Pool>> {
    if work < WORTH_THREADS {
        return Ok(None);
    }
    if pool.is_none() {
        *pool = Some(Pool::new(threads)?);
    }
    Ok(pool.as_ref())
}

/// Computes a loss in one pass over slices, where it can be.
fn fused(
    plan: &mut Plan,
    at: usize,
    output: &OutputSpec,
    target: &Target,
    training: bool,
    memory: &mut FusedMemory,
) -> Option<f64> {
    let mut loss = |predictions: &[f32], shape: &[usize], gradient: Option<&mut [f32]>, add: bool| {
        output.loss.fused(&mut Fused {
            labels: &target.value,
            predictions,
            shape,
            weight: target.weight.as_ref(),
            gradient,
            add,
            share: output.loss_weight as f32,
            values: None,
            memory,
        })
    };
    if !training {
        return loss(plan.output(at), plan.output_shape(at), None, false);
    }
    plan.loss(at, |predictions, shape, place| match place {
        Some(place) => loss(predictions, shape, Some(place.values), place.add),
        None => loss(predictions, shape, None, false),
    })
}

/// Computes a loss by Candle's operations on a prediction that is cut off from the network, and hands its gradient back.
fn composed(
    plan: &mut Plan,
    at: usize,
    output: &OutputSpec,
    target: &Target,
    training: bool,
    rows: usize,
    device: &Device,
) -> Result<f64> {
    let shape = [&[rows], plan.output_shape(at)].concat();
    let prediction = Graph::from_slice(plan.output(at), &shape[..], device)?;
    let leaf = Var::from_tensor(&prediction)?;
    let value = target.value.to_graph(device)?;
    let weight = target.weight.as_ref().map(|weight| weight.to_graph(device)).transpose()?;
    let prediction = if training { leaf.as_tensor() } else { &prediction };
    let loss = output.loss.value(&value, prediction, weight.as_ref());
    let loss = loss.map_err(|error| named(error, output, target, &shape))?;
    check_scalar(&loss, output)?;
    if training {
        let share = if output.loss_weight == 1.0 { loss.clone() } else { (&loss * output.loss_weight)? };
        // A loss that does not depend on the prediction gives none; the weights it misses are named later.
        if let Some(gradient) = share.backward()?.get(&leaf) {
            read(gradient, |numbers| {
                plan.loss(at, |_, _, place| {
                    if let Some(place) = place {
                        place.put(numbers);
                    }
                    Some(())
                })
            })?;
        }
    }
    scalar(&loss)
}

fn no_plan() -> Error {
    Error::run("the network has not computed anything yet")
}
