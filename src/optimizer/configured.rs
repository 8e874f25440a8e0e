//! An optimizer as a recipe configures it, and one step of training with it.

use std::ops::Range;

use super::{Common, LIST, Optimizer};
use crate::error::{Error, Result, codes};
use crate::kernel::buffer::Buffer;
use crate::kernel::pool;
use crate::registry::{self, Arguments, Params};
use crate::simd;

/// A rule and what is common to all rules.
pub struct Configured {
    /// How one parameter is updated.
    pub rule: Box<dyn Optimizer>,
    /// Clipping, weight decay, accumulation and averages.
    pub common: Common,
}

/// One trainable parameter: a part of the slice of all parameters.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Parameter {
    /// Its name: `dense/kernel`.
    pub name: String,
    /// Its shape.
    pub shape: Vec<usize>,
    /// Where its values stand, row-major; its gradient stands at the same place among the gradients.
    pub range: Range<usize>,
}

/// Everything an optimizer remembers, parameter by parameter; it belongs into a checkpoint.
#[derive(Clone, Debug, PartialEq)]
pub struct State {
    /// The number of batches seen.
    pub step: u64,
    parameters: Vec<Parameter>,
    slot_names: &'static [&'static str],
    slots: Vec<Vec<Buffer>>,
    accumulated: Vec<Buffer>,
    averages: Vec<Buffer>,
    /// Which parameters are decayed.
    decayed: Vec<bool>,
    /// Their shapes as the rule sees them.
    shapes: Vec<Vec<usize>>,
}

/// Numbers that a rule updates at a time where it may: few enough to stay in the cache between the steps of an update.
const PIECE: usize = 4096;

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

/// Updates from one time to the next that negligible numbers of the state are made 0: with a momentum of 0.9 they shrink to a
/// thousandth between.
const SETTLED: u64 = 64;

/// One update of one parameter.
#[derive(Clone, Copy)]
struct Update<'a> {
    /// Its number, from 1.
    number: u64,
    rate: f32,
    shape: &'a [usize],
    decayed: bool,
}

impl Configured {
    /// Returns the state before the first step, for parameters within these values.
    ///
    /// # Errors
    /// Parameters that are no parts of the values, or whose length is not that of their shape.
    pub fn start(&self, parameters: Vec<Parameter>, values: &[f32]) -> Result<State> {
        let slot_names = self.rule.slots();
        let (mut slots, mut accumulated, mut averages) = (Vec::new(), Vec::new(), Vec::new());
        let mut shapes = Vec::with_capacity(parameters.len());
        for Parameter { name, shape, range } in &parameters {
            let values = values.get(range.clone()).filter(|values| values.len() == shape.iter().product::<usize>());
            let values = values.ok_or_else(|| Error::run(format!("no parameter of shape {shape:?} at {range:?}")))?;
            let shape = if self.rule.takes_as_list(name) { vec![values.len()] } else { shape.clone() };
            slots.push((0..slot_names.len()).map(|slot| self.rule.slot_start(slot, &shape, values)).collect());
            shapes.push(shape);
            if self.common.gradient_accumulation_steps > 1 {
                accumulated.push(Buffer::zeros(values.len()));
            }
            if self.common.ema_momentum.is_some() {
                averages.push(Buffer::zeros(values.len()));
            }
        }
        let decayed = parameters.iter().map(|parameter| self.common.decays(&parameter.name)).collect();
        Ok(State { step: 0, parameters, slot_names, slots, accumulated, averages, decayed, shapes })
    }

    /// Does one step of training on all parameters, in the order of [`Configured::start`]: divides gradients by the
    /// loss scale, accumulates, clips, decays, updates, and keeps the averages, as Keras does in `apply`. Gradients are
    /// used up. Returns whether the parameters were updated, rather than gradients only accumulated.
    ///
    /// # Errors
    /// Fewer values or gradients than the state was started with.
    pub fn apply(
        &self,
        state: &mut State,
        learning_rate: f32,
        values: &mut [f32],
        gradients: &mut [f32],
    ) -> Result<bool> {
        let end = state.parameters.iter().map(|parameter| parameter.range.end).max().unwrap_or(0);
        if values.len() < end || gradients.len() < end {
            return Err(Error::run(format!(
                "the optimizer was started with {end} numbers, and got {} and gradients of {}",
                values.len(),
                gradients.len()
            )));
        }
        let common = &self.common;
        state.step += 1;
        // Keras counts an update for every so many batches, from 1.
        let update_number = (state.step - 1) / common.gradient_accumulation_steps + 1;
        if let Some(scale) = common.loss_scale_factor {
            gradients.iter_mut().for_each(|value| *value /= scale);
        }
        let due = accumulate(common.gradient_accumulation_steps, state, gradients);
        if due {
            common.clip.apply(gradients, |at| state.parameters.get(at).map(|parameter| parameter.range.clone()));
            let seen = state.decayed.iter().zip(&state.shapes);
            for ((parameter, slots), (decayed, shape)) in state.parameters.iter().zip(&mut state.slots).zip(seen) {
                let (values, gradient) = (&mut values[parameter.range.clone()], &gradients[parameter.range.clone()]);
                let step = Update { number: update_number, rate: learning_rate, shape, decayed: *decayed };
                self.update(step, values, gradient, slots);
            }
            if update_number.is_multiple_of(SETTLED) {
                self.settle(state);
            }
        }
        if let Some(momentum) = common.ema_momentum {
            let momentum = if update_number == 1 { 0.0 } else { momentum };
            for (parameter, averages) in state.parameters.iter().zip(&mut state.averages) {
                for (average, value) in averages.iter_mut().zip(&values[parameter.range.clone()]) {
                    *average = momentum * *average + (1.0 - momentum) * value;
                }
            }
            if common.ema_overwrite_frequency.is_some_and(|frequency| update_number.is_multiple_of(frequency)) {
                self.finish(state, values);
            }
        }
        Ok(due)
    }

    /// Decays and updates one parameter; pieces of it on several threads where the rule allows.
    fn update(&self, step: Update, values: &mut [f32], gradient: &[f32], slots: &mut [Buffer]) {
        let Update { number: step, rate, shape, decayed } = step;
        let decay = self.rule.weight_decay(shape, self.common.weight_decay).filter(|_| decayed);
        let decayed = |values: &mut [f32]| {
            if let Some(decay) = decay {
                values.iter_mut().for_each(|value| *value -= *value * decay * rate);
            }
        };
        // Few rules keep more than three arrays.
        let mut parts: [&mut [f32]; 8] = Default::default();
        let count = slots.len() + 1;
        if count > parts.len() {
            return;
        }
        for (part, slot) in parts[1..].iter_mut().zip(slots) {
            *part = slot;
        }
        if !self.rule.elementwise() {
            decayed(values);
            return self.rule.update(step, rate, shape, values, gradient, &mut parts[1..count]);
        }
        let work = values.len() * 4;
        parts[0] = values;
        pool::together(&mut parts[..count], PIECE, work, |first, parts| {
            let Some((values, slots)) = parts.split_first_mut() else { return };
            decayed(values);
            let gradient = &gradient[first..first + values.len()];
            self.rule.update(step, rate, shape, values, gradient, slots);
        });
    }

    /// Makes numbers 0 that are negligible.
    fn settle(&self, state: &mut State) {
        for slots in &mut state.slots {
            for (slot, values) in slots.iter_mut().enumerate() {
                let least = self.rule.negligible(slot);
                if least > 0.0 {
                    let work = values.len();
                    pool::rows(values, PIECE, work, |_, values| settle(values, least));
                }
            }
        }
    }

    /// Ends training: where averages are kept, they replace the parameters.
    pub fn finish(&self, state: &State, values: &mut [f32]) {
        for (parameter, average) in state.parameters.iter().zip(&state.averages) {
            if let Some(values) = values.get_mut(parameter.range.clone()) {
                values.copy_from_slice(average);
            }
        }
    }
}

impl State {
    /// Returns every array with the number of its parameter and its name (`momentum`, `gradient_accumulator`,
    /// `average`), always in the same order.
    pub fn arrays(&self) -> Vec<(usize, &'static str, &[f32])> {
        let slots = self.slots.iter().enumerate().flat_map(|(parameter, slots)| {
            self.slot_names.iter().zip(slots).map(move |(name, values)| (parameter, *name, &**values))
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
        places.zip(arrays).for_each(|(place, values)| place.copy_from_slice(&values));
        Ok(())
    }
}

simd! {
    fn settle(values: &mut [f32], least: f32) {
        for value in values {
            *value = if value.abs() < least { 0.0 } else { *value };
        }
    }
}

/// Adds the batch's gradients to the accumulated ones; when an update is due, leaves their mean in the gradients.
fn accumulate(steps: u64, state: &mut State, gradients: &mut [f32]) -> bool {
    if steps <= 1 {
        return true;
    }
    let due = state.step.is_multiple_of(steps);
    for (parameter, accumulated) in state.parameters.iter().zip(&mut state.accumulated) {
        for (value, sum) in gradients[parameter.range.clone()].iter_mut().zip(accumulated.iter_mut()) {
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

fn named<'a>(name: &'static str, arrays: &'a [Buffer]) -> impl Iterator<Item = (usize, &'static str, &'a [f32])> {
    arrays.iter().enumerate().map(move |(parameter, values)| (parameter, name, &**values))
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    /// Trains four weights: two get a gradient throughout, two none after ten steps. Returns weights and state.
    fn train(name: &str, params: &serde_json::Value, steps: u64) -> (Vec<f32>, State) {
        let optimizer = make(name, params.as_object().unwrap()).unwrap();
        let mut values = vec![1.0f32, -2.0, 0.5, 3.0];
        let parameter = Parameter { name: "dense/kernel".to_owned(), shape: vec![2, 2], range: 0..4 };
        let mut state = optimizer.start(vec![parameter], &values).unwrap();
        for step in 0..steps {
            let dead = if step < 10 { 0.1 } else { 0.0 };
            let mut gradients = [0.1, dead, -0.2, -dead];
            assert!(optimizer.apply(&mut state, 1e-4, &mut values, &mut gradients).unwrap());
        }
        (values, state)
    }

    #[test]
    fn what_belongs_to_weights_without_gradients_becomes_zero() {
        for (name, params, mean) in [
            ("Adam", json!({}), "momentum"),
            ("Nadam", json!({}), "momentum"),
            ("Adamax", json!({}), "momentum"),
            ("SGD", json!({"momentum": 0.9}), "momentum"),
            ("RMSprop", json!({"momentum": 0.9}), "momentum"),
        ] {
            // Unless they are made 0, means take more than 800 steps to vanish, and stop at the smallest number there is.
            let (values, state) = train(name, &params, 704);
            let arrays = state.arrays();
            let (_, _, m) = arrays.iter().find(|(_, own, _)| *own == mean).unwrap();
            assert_eq!((m[1], m[3]), (0.0, 0.0), "{name}");
            assert!(m[0].abs() > 1e-6 && m[2].abs() > 1e-6, "{name}: {m:?}");
            // The weights stand where they stood long before, to the bit.
            let (before, _) = train(name, &params, 448);
            assert_eq!((values[1], values[3]), (before[1], before[3]), "{name}");
        }
        // The smallest mean has a sign, and Lion goes by that.
        let (_, state) = train("Lion", &json!({}), 10_000);
        assert!(state.arrays()[0].2[1] > 0.0);
    }
}
