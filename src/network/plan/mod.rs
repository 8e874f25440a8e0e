//! A network made ready for a CPU: kernels in order, with all buffers they need.
//!
//! A [`Plan`] is made once, for the shape that records have; the number of records may change from pass to pass. It owns
//! the values and their gradients: after the first pass of a batch size nothing is allocated. Values stay until
//! the next pass; gradients share memory, since each is only needed between the layers that use a value and the
//! one that makes it. The first layer that has a gradient for a value stores it, the others add theirs. Gradients that
//! lead to no trainable weight are not computed, so the input batch never has one.
//!
//! A layer without a kernel is composed of Candle's operations within the plan.

mod build;
mod composed;
mod layout;
mod weights;

use std::sync::Arc;

use crate::error::{Error, Result};
use crate::kernel::buffer::Buffer;
use crate::machine;
use crate::random::Random;
use crate::record::Name;
use crate::tensor::Array;

use super::kernel::{Backward, Buffers, Forward, Target, Targets, Values};
use super::layer::stream;
use super::{Kernel, Network, NotFinite, Regularizer};
use composed::Composed;
pub use weights::FlatWeights;

/// A network for inputs of one shape, with its buffers.
pub struct Plan {
    inputs: Vec<Vec<usize>>,
    steps: Vec<Step>,
    outputs: Vec<Output>,
    /// The masks of the outputs.
    masks: Vec<Option<Output>>,
    /// The size of each value, for one record. Values of equal numbers under several shapes stand once.
    sizes: Vec<usize>,
    values: Vec<Buffer>,
    /// The buffer of the gradient of each value.
    places: Vec<usize>,
    gradients: Vec<Buffer>,
    wanted: Vec<bool>,
    written: Vec<bool>,
    /// New values of weights that gradients do not train, until the layer is done.
    moved: Vec<(usize, Vec<f32>)>,
    /// The number of records of the last pass.
    rows: usize,
    /// Multiplications for one record, about.
    work: usize,
    /// The sum of the penalties on values of the last pass.
    penalty: f64,
    /// The most records that there was memory for.
    most: usize,
}

/// A layer of a plan, applied to some values.
struct Step {
    name: Name,
    kind: &'static str,
    inputs: Vec<usize>,
    output: usize,
    weights: std::ops::Range<usize>,
    /// Its position in the network, from which it draws its random numbers.
    position: u64,
    seed: Option<u64>,
    activity: Option<Activity>,
    way: Way,
}

/// A penalty on an output.
struct Activity {
    regularizer: Arc<dyn Regularizer>,
    /// The shape of the output, records first.
    shape: Vec<usize>,
}

enum Way {
    Kernel(Box<dyn Kernel>),
    Composed(Composed),
}

struct Output {
    value: usize,
    /// The shape of one record.
    shape: Vec<usize>,
}

/// The weights of a pass.
enum Access<'a> {
    Read(&'a FlatWeights),
    Train(&'a mut FlatWeights),
}

impl Plan {
    /// Returns whether f32 holds all numbers of this network as exactly as composed operations do.
    pub fn suits(network: &Network) -> bool {
        layout::exact(network)
    }

    /// Returns the shapes of the inputs, for one record.
    pub fn inputs(&self) -> &[Vec<usize>] {
        &self.inputs
    }

    /// Returns about how many multiplications a pass forward takes for one record.
    pub fn work(&self) -> usize {
        self.work
    }

    /// Begins a pass of `rows` records; the inputs are to be given next.
    ///
    /// # Errors
    /// More records than the memory of the machine has room for.
    pub fn begin(&mut self, rows: usize) -> Result<()> {
        if rows > self.most {
            self.check_memory(rows)?;
            self.most = rows;
        }
        self.rows = rows;
        self.values.iter_mut().zip(&self.sizes).for_each(|(buffer, size)| buffer.grow(rows * size));
        Ok(())
    }

    fn check_memory(&self, rows: usize) -> Result<()> {
        let numbers = self.sizes.iter().fold(0u128, |sum, size| sum + *size as u128) * rows as u128;
        let what = format!("the values of all layers take, for a batch of {rows} records,");
        machine::check_memory(numbers * size_of::<f32>() as u128, &what).map_err(|error| {
            let largest = self.steps.iter().max_by_key(|step| self.sizes[step.output]);
            error.hint(match largest {
                Some(step) => format!(
                    "make batches smaller, or the layers: the largest values are those of `{}`, {} numbers for each record",
                    step.name, self.sizes[step.output]
                ),
                None => "make batches smaller".to_owned(),
            })
        })
    }

    /// Takes in an input of the pass that was begun; integers become floats.
    ///
    /// # Errors
    /// Another number of values than the input has.
    pub fn feed(&mut self, input: usize, array: &Array) -> Result<()> {
        let place = &mut self.values[input][..self.rows * self.sizes[input]];
        match layout::copy(array, place) {
            true => Ok(()),
            false => Err(Error::run(format!("expected {} input values, found {}", place.len(), array.size()))),
        }
    }

    /// Computes the outputs from the inputs that were fed. Statistics move while training; `random` is the stream of this
    /// step.
    ///
    /// # Errors
    /// Values that a layer refuses.
    pub fn train_forward(&mut self, weights: &mut FlatWeights, random: &Random) -> Result<()> {
        for (size, place) in self.sizes.iter().zip(&self.places) {
            if let Some(buffer) = self.gradients.get_mut(*place) {
                buffer.grow(self.rows * size);
            }
        }
        self.written.fill(false);
        weights.clear();
        self.run(Access::Train(weights), random)
    }

    /// Computes the outputs from the inputs that were fed, without what is random or moves in training.
    ///
    /// # Errors
    /// Values that a layer refuses.
    pub fn forward(&mut self, weights: &FlatWeights, random: &Random) -> Result<()> {
        self.run(Access::Read(weights), random)
    }

    fn run(&mut self, mut weights: Access<'_>, random: &Random) -> Result<()> {
        let Plan { steps, values, sizes, wanted, moved, rows, penalty, .. } = self;
        *penalty = 0.0;
        for step in steps {
            let training = matches!(weights, Access::Train(_));
            let flat = weights.get();
            let (before, after) = values.split_at_mut(step.output);
            let Some(output) = after.first_mut() else { continue };
            let mut move_weight = |index: usize, values: &[f32]| keep(moved, step.weights.start + index, values);
            let mut pass = Forward {
                rows: *rows,
                training,
                random: stream(random, step.position, step.seed),
                inputs: Values::buffers(before, sizes, &step.inputs, *rows),
                weights: Values::flat(flat.values(), &flat.ranges()[step.weights.clone()]),
                output: &mut output[..*rows * sizes[step.output]],
                moved: &mut move_weight,
            };
            match &mut step.way {
                Way::Kernel(kernel) => kernel.forward(&mut pass),
                Way::Composed(composed) => {
                    let trainable = &flat.trainable()[step.weights.clone()];
                    composed
                        .forward(pass, (|at: usize| wanted[step.inputs[at]], |at: usize| trainable[at]))
                        .map(|own| *penalty += own)
                }
            }
            .map_err(|error| error.within(format!("layer `{}`, `{}`", step.name, step.kind)))?;
            if let Some(Activity { regularizer, shape }) = &mut step.activity {
                shape[0] = *rows;
                let own = &values[step.output][..*rows * sizes[step.output]];
                *penalty += regularizer.value(own, shape) / (*rows).max(1) as f64;
            }
            // A layer that is applied again in this pass reads what it moved before.
            if let Access::Train(flat) = &mut weights {
                for (at, values) in moved.iter_mut().filter(|(_, values)| !values.is_empty()) {
                    flat.get_mut(*at).copy_from_slice(values);
                    values.clear();
                }
            }
        }
        Ok(())
    }

    /// Returns the sum of the penalties on values of the last pass, which joins the loss.
    pub fn penalty(&self) -> f64 {
        self.penalty
    }

    /// Returns the first layer whose values were not finite in the last pass.
    pub fn first_not_finite(&self) -> Option<NotFinite> {
        self.steps.iter().find_map(|step| {
            let size = self.sizes[step.output];
            let values = &self.values[step.output][..self.rows * size];
            NotFinite::find(&step.name, step.kind, values, self.rows)
        })
    }

    /// Returns the shape of an output, for one record.
    pub fn output_shape(&self, output: usize) -> &[usize] {
        &self.outputs[output].shape
    }

    /// Returns the values of an output.
    pub fn output(&self, output: usize) -> &[f32] {
        let value = self.outputs[output].value;
        &self.values[value][..self.rows * self.sizes[value]]
    }

    /// Returns the mask of an output and its shape, for one record: 1 for steps that count, 0 for others.
    pub fn output_mask(&self, output: usize) -> Option<(&[f32], &[usize])> {
        let Output { value, shape } = self.masks.get(output)?.as_ref()?;
        Some((&self.values[*value][..self.rows * self.sizes[*value]], shape))
    }

    /// Calls `loss` with the values of an output, the shape of one record, and where their gradient goes: `None` when no
    /// trainable weight leads there. What it returns is returned; when that is `None`, no gradient was written.
    pub fn loss<T>(
        &mut self,
        output: usize,
        loss: impl FnOnce(&[f32], &[usize], Option<Target<'_>>) -> Option<T>,
    ) -> Option<T> {
        let Output { value, shape } = &self.outputs[output];
        let len = self.rows * self.sizes[*value];
        let target = self.wanted[*value]
            .then(|| Target { values: &mut self.gradients[self.places[*value]][..len], add: self.written[*value] });
        let result = loss(&self.values[*value][..len], shape, target)?;
        self.written[*value] = true;
        Some(result)
    }

    /// Computes the gradients of the weights from those of the outputs.
    ///
    /// # Errors
    /// None for most layers.
    pub fn backward(&mut self, weights: &mut FlatWeights) -> Result<()> {
        let Plan { steps, values, sizes, places, gradients, wanted, written, rows, .. } = self;
        for step in steps.iter_mut().rev() {
            let within = matches!(&step.way, Way::Composed(composed) if composed.penalises());
            if (within || step.activity.is_some()) && wanted[step.output] {
                let len = *rows * sizes[step.output];
                let own = &mut gradients[places[step.output]][..len];
                if !std::mem::replace(&mut written[step.output], true) {
                    own.fill(0.0);
                }
                if let Some(Activity { regularizer, shape }) = &step.activity {
                    regularizer.add_gradient(&values[step.output][..len], shape, 1.0 / (*rows).max(1) as f32, own);
                }
            }
            // What no loss depends on gets no gradient; the weights there are missed by who asks.
            if !wanted[step.output] || !written[step.output] {
                continue;
            }
            let mut own = std::mem::take(&mut gradients[places[step.output]]);
            let len = *rows * sizes[step.output];
            let gradient = &mut own[..len];
            let (flat, weight_gradients, weights_written, trainable) = weights.parts();
            let ranges = &flat.1[step.weights.clone()];
            let mut input_gradients =
                Targets::buffers(Buffers { buffers: gradients, sizes, places }, &step.inputs, *rows, wanted, written);
            let mut weight_gradients = Targets::flat(
                weight_gradients,
                ranges,
                &trainable[step.weights.clone()],
                &mut weights_written[step.weights.clone()],
            );
            let done = match &mut step.way {
                Way::Composed(composed) => composed.backward(gradient, &mut input_gradients, &mut weight_gradients),
                Way::Kernel(kernel) => kernel.backward(&mut Backward {
                    rows: *rows,
                    inputs: Values::buffers(values, sizes, &step.inputs, *rows),
                    weights: Values::flat(flat.0, ranges),
                    output: &values[step.output][..len],
                    gradient,
                    input_gradients,
                    weight_gradients,
                }),
            };
            gradients[places[step.output]] = own;
            done.map_err(|error| error.within(format!("layer `{}`, `{}`", step.name, step.kind)))?;
        }
        Ok(())
    }
}

impl Access<'_> {
    fn get(&self) -> &FlatWeights {
        match self {
            Access::Read(weights) => weights,
            Access::Train(weights) => weights,
        }
    }
}

impl std::fmt::Debug for Plan {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let way = |step: &Step| match step.way {
            Way::Kernel(_) => format!("{} ({})", step.name, step.kind),
            Way::Composed(_) => format!("{} ({}, composed)", step.name, step.kind),
        };
        f.debug_list().entries(self.steps.iter().map(way)).finish()
    }
}

/// Remembers a new value of a weight, in memory that is there from the step before.
fn keep(moved: &mut Vec<(usize, Vec<f32>)>, at: usize, values: &[f32]) {
    match moved.iter_mut().find(|(own, _)| *own == at) {
        Some((_, own)) => {
            own.clear();
            own.extend_from_slice(values);
        }
        None => moved.push((at, values.to_vec())),
    }
}

#[cfg(test)]
mod tests;
