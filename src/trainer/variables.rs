//! The weights of a run and the optimizer's state, in the order of the network.

use candle_core::{Var, backprop::GradStore};

use super::memory::{edit, read};
use super::parts::Clip;
use crate::error::{self, Error, Result};
use crate::network::{Network, WeightInfo};
use crate::optimizer::Optimizer;
use crate::service;
use crate::tensor::{Array, Device, Dtype, Graph};

/// Weights as values of the graph. Trainable ones are Candle variables, so that backward reaches them;
/// the others are plain tensors, replaced when a layer gives them a new value.
pub(super) struct Variables {
    infos: Vec<WeightInfo>,
    /// What training passes use, in network order.
    tracked: Vec<Graph>,
    /// The same memory without autograd, for passes that do not train.
    plain: Vec<Graph>,
    variables: Vec<Option<Var>>,
    slot_names: &'static [&'static str],
    /// For each weight the optimizer's state arrays; none for weights it does not train.
    slots: Vec<Vec<Vec<f32>>>,
    /// Clipped gradients of the current step; empty while nothing is clipped.
    clipped: Vec<Vec<f32>>,
}

impl Variables {
    /// Creates variables from initial weights in network order; the optimizer's state starts at 0.
    ///
    /// # Errors
    /// Another number of weights than the network has, or another shape.
    pub fn new(network: &Network, weights: &[Array], optimizer: &dyn Optimizer, device: &Device) -> Result<Self> {
        let infos = network.weights().to_vec();
        if infos.len() != weights.len() {
            return Err(Error::artifact(format!("expected {} weights, found {}", infos.len(), weights.len())));
        }
        let mut own = Variables {
            tracked: Vec::with_capacity(infos.len()),
            plain: Vec::with_capacity(infos.len()),
            variables: Vec::with_capacity(infos.len()),
            slot_names: optimizer.slots(),
            slots: Vec::with_capacity(infos.len()),
            clipped: Vec::new(),
            infos,
        };
        for (info, weight) in own.infos.iter().zip(weights) {
            fits(info, weight)?;
            let value = weight.cast(Dtype::F32).to_graph(device)?;
            let variable = if info.trainable { Some(Var::from_tensor(&value)?) } else { None };
            own.plain.push(variable.as_ref().map_or_else(|| value.clone(), Var::as_detached_tensor));
            own.tracked.push(variable.as_ref().map_or(value, |variable| variable.as_tensor().clone()));
            let slots = if info.trainable { own.slot_names.len() } else { 0 };
            own.slots.push(vec![vec![0.0; weight.len()]; slots]);
            own.variables.push(variable);
        }
        Ok(own)
    }

    /// Returns the weights for a training pass.
    pub fn tracked(&self) -> &[Graph] {
        &self.tracked
    }

    /// Returns the weights for a pass that does not train.
    pub fn plain(&self) -> &[Graph] {
        &self.plain
    }

    /// Returns how many numbers the optimizer trains.
    pub fn trainable(&self) -> usize {
        self.infos.iter().filter(|info| info.trainable).map(|info| info.shape.iter().product::<usize>()).sum()
    }

    /// Updates every trainable weight in place; `step` counts updates from 1.
    pub fn update(
        &mut self,
        step: u64,
        learning_rate: f64,
        optimizer: &dyn Optimizer,
        clip: Clip,
        gradients: &GradStore,
    ) -> Result<()> {
        if clip != Clip::None {
            self.clip(clip, gradients)?;
        }
        for (at, variable) in self.variables.iter().enumerate() {
            let Some(variable) = variable else { continue };
            let gradient = gradients.get(variable).ok_or_else(|| lost(&self.infos[at].name))?;
            let slots = &mut self.slots[at];
            let mut update = |gradient: &[f32]| {
                edit(variable, &mut |weight| optimizer.update(step, learning_rate as f32, weight, gradient, slots))
            };
            match clip {
                Clip::None => read(gradient, update)??,
                _ => update(&self.clipped[at])?,
            }
        }
        Ok(())
    }

    /// Stores new values of weights that gradients do not train, by their index in the network.
    pub fn store(&mut self, updates: Vec<(usize, Graph)>) -> Result<()> {
        for (at, value) in updates {
            let Some(info) = self.infos.get(at).filter(|info| !info.trainable && info.shape == value.dims()) else {
                return Err(Error::run(format!(
                    "a layer updated weight {at} with a value of shape {:?}",
                    value.dims()
                )));
            };
            let value = value.detach();
            self.tracked[at] = value.clone();
            self.plain[at] = value;
        }
        Ok(())
    }

    /// Puts back weights by name.
    ///
    /// # Errors
    /// A name that is not there, a missing one, and another shape.
    pub fn restore(&mut self, weights: &[(String, Array)]) -> Result<()> {
        for (name, _) in weights {
            if !self.infos.iter().any(|info| *info.name == **name) {
                let names = || self.infos.iter().map(|info| &*info.name);
                return Err(Error::artifact(format!("the network has no weight `{name}`"))
                    .maybe_hint(error::did_you_mean(name, names())));
            }
        }
        for (at, info) in self.infos.iter().enumerate() {
            let (_, weight) = weights
                .iter()
                .find(|(name, _)| **name == *info.name)
                .ok_or_else(|| Error::artifact(format!("weight `{}` is missing", info.name)))?;
            fits(info, weight)?;
            match &self.variables[at] {
                Some(variable) => edit(variable, &mut |numbers| numbers.copy_from_slice(&weight.as_f32()))?,
                None => {
                    let value = weight.cast(Dtype::F32).to_graph(self.plain[at].device())?;
                    self.tracked[at] = value.clone();
                    self.plain[at] = value;
                }
            }
        }
        Ok(())
    }

    /// Puts back the optimizer's state by name (`hidden/kernel/m`).
    ///
    /// # Errors
    /// A missing array, and another length.
    pub fn restore_optimizer(&mut self, state: &[(String, Array)]) -> Result<()> {
        for (info, slots) in self.infos.iter().zip(&mut self.slots) {
            for (slot, name) in slots.iter_mut().zip(self.slot_names) {
                let name = format!("{}/{name}", info.name);
                let found = state
                    .iter()
                    .find(|(own, _)| *own == name)
                    .ok_or_else(|| Error::artifact(format!("the optimizer's state `{name}` is missing")))?;
                match found.1.len() == slot.len() {
                    true => slot.copy_from_slice(&found.1.as_f32()),
                    false => {
                        return Err(Error::artifact(format!(
                            "the optimizer's state `{name}`: expected {} numbers, found {}",
                            slot.len(),
                            found.1.len()
                        )));
                    }
                }
            }
        }
        Ok(())
    }

    /// Copies all gradients, limited, to where the update reads them.
    fn clip(&mut self, clip: Clip, gradients: &GradStore) -> Result<()> {
        self.clipped.resize_with(self.variables.len(), Vec::new);
        for (at, variable) in self.variables.iter().enumerate() {
            let Some(variable) = variable else { continue };
            let gradient = gradients.get(variable).ok_or_else(|| lost(&self.infos[at].name))?;
            let own = &mut self.clipped[at];
            own.clear();
            read(gradient, |numbers| own.extend_from_slice(numbers))?;
        }
        limit(clip, &mut self.clipped);
        Ok(())
    }
}

impl service::Weights for Variables {
    fn weights(&self) -> Result<Vec<(String, Array)>> {
        let value = |(info, value): (&WeightInfo, &Graph)| Ok((info.name.to_string(), Array::from_graph(value)?));
        self.infos.iter().zip(&self.plain).map(value).collect()
    }

    fn optimizer_state(&self) -> Result<Vec<(String, Array)>> {
        let mut state = Vec::new();
        for (info, slots) in self.infos.iter().zip(&self.slots) {
            for (slot, name) in slots.iter().zip(self.slot_names) {
                state.push((format!("{}/{name}", info.name), Array::from_f32(slot.clone(), &info.shape)?));
            }
        }
        Ok(state)
    }
}

/// Limits gradients as Keras does: `g · c / max(norm, c)` for a norm, the range −c to c for values.
/// Norms are summed in 64 bits and in order, so that they do not depend on threads.
pub(super) fn limit(clip: Clip, gradients: &mut [Vec<f32>]) {
    let squares = |gradient: &Vec<f32>| gradient.iter().map(|&g| f64::from(g) * f64::from(g)).sum::<f64>();
    let scale = |gradient: &mut Vec<f32>, squares: f64, most: f64| {
        let factor = most / squares.sqrt().max(most);
        if factor != 1.0 {
            gradient.iter_mut().for_each(|g| *g = (f64::from(*g) * factor) as f32);
        }
    };
    match clip {
        Clip::None => {}
        Clip::Value(most) => {
            let most = most.abs() as f32;
            gradients.iter_mut().flatten().for_each(|g| *g = if g.is_nan() { *g } else { g.clamp(-most, most) });
        }
        Clip::Norm(most) => gradients.iter_mut().for_each(|gradient| {
            let norm = squares(gradient);
            scale(gradient, norm, most);
        }),
        Clip::GlobalNorm(most) => {
            let norm = gradients.iter().map(squares).sum();
            gradients.iter_mut().for_each(|gradient| scale(gradient, norm, most));
        }
    }
}

fn fits(info: &WeightInfo, weight: &Array) -> Result<()> {
    match info.shape == weight.shape() {
        true => Ok(()),
        false => Err(Error::artifact(format!(
            "weight `{}`: expected shape {:?}, found {:?}",
            info.name,
            info.shape,
            weight.shape()
        ))),
    }
}

fn lost(name: &str) -> Error {
    Error::run(format!("weight `{name}` received no gradient in this step"))
        .hint("the loss or a scripted layer does not depend on it for every batch")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn gradients_are_limited_as_in_keras() {
        let limited = |clip| {
            let mut gradients = vec![vec![3.0, 4.0], vec![], vec![0.6, -12.0]];
            limit(clip, &mut gradients);
            gradients
        };
        assert_eq!(limited(Clip::None), [vec![3.0, 4.0], vec![], vec![0.6, -12.0]]);
        assert_eq!(limited(Clip::Value(1.0)), [vec![1.0, 1.0], vec![], vec![0.6, -1.0]]);
        assert_eq!(limited(Clip::Norm(5.0))[0], [3.0, 4.0]);
        assert_eq!(limited(Clip::Norm(1.0))[0], [0.6, 0.8]);
        let norm: f32 = limited(Clip::GlobalNorm(2.0)).iter().flatten().map(|g| g * g).sum();
        assert!((norm.sqrt() - 2.0).abs() < 1e-6);
    }

    #[test]
    fn limits_leave_what_is_not_a_number_as_it_is() {
        let mut gradients = vec![vec![f32::NAN, 2.0]];
        limit(Clip::Value(1.0), &mut gradients);
        assert!(gradients[0][0].is_nan() && gradients[0][1] == 1.0);
    }
}
