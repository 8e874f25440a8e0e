//! An optimizer as a recipe configures it, and one step of training with it.

use super::{Common, LIST, Optimizer};
use crate::error::{Error, Result, codes};
use crate::registry::{self, Arguments, Params};

/// A rule and what is common to all rules.
pub struct Configured {
    /// How one parameter is updated.
    pub rule: Box<dyn Optimizer>,
    /// Clipping, weight decay, accumulation and averages.
    pub common: Common,
}

/// Everything an optimizer remembers, parameter by parameter; it belongs into a checkpoint.
#[derive(Clone, Debug, PartialEq)]
pub struct State {
    /// The number of batches seen.
    pub step: u64,
    slot_names: &'static [&'static str],
    slots: Vec<Vec<Vec<f32>>>,
    accumulated: Vec<Vec<f32>>,
    averages: Vec<Vec<f32>>,
}

/// One trainable parameter in a step: its values, and the gradient of the batch, which is used up.
#[derive(Debug)]
pub struct Update<'a> {
    /// The parameter's shape.
    pub shape: &'a [usize],
    /// Its values, row-major.
    pub parameter: &'a mut [f32],
    /// The gradient of the loss, of the same length.
    pub gradient: &'a mut [f32],
}

/// Makes an optimizer from its name and parameters. `learning_rate` is none of them: it is the solver's.
///
/// # Errors
/// Unknown names and parameters are refused with the nearest ones.
pub fn make(name: &str, params: &Params) -> Result<Configured> {
    let entry = registry::find(LIST, "optimizer", name)?;
    if params.contains_key("learning_rate") {
        return Err(Error::recipe(format!("`{}` has no parameter `learning_rate`", entry.name))
            .coded(codes::UNKNOWN_PARAMETER)
            .hint("the learning rate stands beside the optimizer: `solver.learning_rate`"));
    }
    let arguments = Arguments::check(entry.name, entry.parameters, params)?;
    let rule = (entry.build)(&arguments).map_err(|error| error.within(format!("`{}`", entry.name)))?;
    Ok(Configured { rule, common: Common::from(&arguments)? })
}

impl Configured {
    /// Returns the state before the first step, for parameters given as shape and values.
    pub fn start<'a>(&self, parameters: impl IntoIterator<Item = (&'a [usize], &'a [f32])>) -> State {
        let slot_names = self.rule.slots();
        let mut state = State { step: 0, slot_names, slots: Vec::new(), accumulated: Vec::new(), averages: Vec::new() };
        for (shape, values) in parameters {
            let slots = (0..slot_names.len()).map(|slot| self.rule.slot_start(slot, shape, values)).collect();
            state.slots.push(slots);
            if self.common.gradient_accumulation_steps > 1 {
                state.accumulated.push(vec![0.0; values.len()]);
            }
            if self.common.ema_momentum.is_some() {
                state.averages.push(vec![0.0; values.len()]);
            }
        }
        state
    }

    /// Does one step of training on all parameters, in the order of [`Configured::start`]: divides gradients by the
    /// loss scale, accumulates, clips, decays, updates, and keeps the averages, as Keras does in `apply`. Returns
    /// whether the parameters were updated, rather than gradients only accumulated.
    ///
    /// # Errors
    /// Another number or other lengths of parameters than the state was started with.
    pub fn apply(&self, state: &mut State, learning_rate: f32, updates: &mut [Update<'_>]) -> Result<bool> {
        let lengths_fit = |update: &Update<'_>| {
            let length = update.parameter.len();
            update.gradient.len() == length && update.shape.iter().product::<usize>() == length
        };
        if updates.len() != state.slots.len() || !updates.iter().all(lengths_fit) {
            return Err(Error::run(format!(
                "the optimizer was started with {} parameters, and got {} whose shapes and gradients may not fit",
                state.slots.len(),
                updates.len()
            )));
        }
        let common = &self.common;
        state.step += 1;
        // Keras counts an update for every so many batches, from 1.
        let update_number = (state.step - 1) / common.gradient_accumulation_steps + 1;
        if let Some(scale) = common.loss_scale_factor {
            updates.iter_mut().flat_map(|update| &mut *update.gradient).for_each(|value| *value /= scale);
        }
        let due = accumulate(common.gradient_accumulation_steps, state, updates);
        if due {
            common.clip.apply(&mut updates.iter_mut().map(|update| &mut *update.gradient));
            for (update, slots) in updates.iter_mut().zip(&mut state.slots) {
                if let Some(decay) = self.rule.weight_decay(update.shape, common.weight_decay) {
                    update.parameter.iter_mut().for_each(|value| *value -= *value * decay * learning_rate);
                }
                let Update { shape, parameter, gradient } = update;
                self.rule.update(update_number, learning_rate, shape, parameter, gradient, slots);
            }
        }
        if let Some(momentum) = common.ema_momentum {
            let momentum = if update_number == 1 { 0.0 } else { momentum };
            for (update, averages) in updates.iter_mut().zip(&mut state.averages) {
                for (average, value) in averages.iter_mut().zip(update.parameter.iter()) {
                    *average = momentum * *average + (1.0 - momentum) * value;
                }
            }
            if common.ema_overwrite_frequency.is_some_and(|frequency| update_number.is_multiple_of(frequency)) {
                self.finish(state, updates.iter_mut().map(|update| &mut *update.parameter));
            }
        }
        Ok(due)
    }

    /// Ends training: where averages are kept, they replace the parameters.
    pub fn finish<'a>(&self, state: &State, parameters: impl IntoIterator<Item = &'a mut [f32]>) {
        for (parameter, average) in parameters.into_iter().zip(&state.averages) {
            if parameter.len() == average.len() {
                parameter.copy_from_slice(average);
            }
        }
    }
}

impl State {
    /// Returns every array with the number of its parameter and its name (`momentum`, `gradient_accumulator`,
    /// `average`), always in the same order.
    pub fn arrays(&self) -> Vec<(usize, &'static str, &[f32])> {
        let slots = self.slots.iter().enumerate().flat_map(|(parameter, slots)| {
            self.slot_names.iter().zip(slots).map(move |(name, values)| (parameter, *name, values.as_slice()))
        });
        let accumulated = named("gradient_accumulator", &self.accumulated);
        let averages = named("average", &self.averages);
        slots.chain(accumulated).chain(averages).collect()
    }

    /// Puts back what [`State::arrays`] gave, in the same order.
    ///
    /// # Errors
    /// Another number or other lengths of arrays: they are of another optimizer or network.
    pub fn restore(&mut self, step: u64, arrays: Vec<Vec<f32>>) -> Result<()> {
        let wanted: Vec<usize> = self.arrays().iter().map(|(_, _, values)| values.len()).collect();
        let found: Vec<usize> = arrays.iter().map(Vec::len).collect();
        if wanted != found {
            return Err(Error::artifact("the optimizer's state does not fit this optimizer and network")
                .hint("resume with the optimizer and the network that the run was started with"));
        }
        self.step = step;
        let places = self.slots.iter_mut().flatten().chain(&mut self.accumulated).chain(&mut self.averages);
        places.zip(arrays).for_each(|(place, values)| *place = values);
        Ok(())
    }
}

/// Adds the batch's gradients to the accumulated ones; when an update is due, leaves their mean in the updates.
fn accumulate(steps: u64, state: &mut State, updates: &mut [Update<'_>]) -> bool {
    if steps <= 1 {
        return true;
    }
    let due = state.step.is_multiple_of(steps);
    for (update, accumulated) in updates.iter_mut().zip(&mut state.accumulated) {
        for (value, sum) in update.gradient.iter_mut().zip(accumulated.iter_mut()) {
            if due {
                *value = (*value + *sum) / steps as f32;
                *sum = 0.0;
            } else {
                *sum += *value;
            }
        }
    }
    due
}

fn named<'a>(name: &'static str, arrays: &'a [Vec<f32>]) -> impl Iterator<Item = (usize, &'static str, &'a [f32])> {
    arrays.iter().enumerate().map(move |(parameter, values)| (parameter, name, values.as_slice()))
}
