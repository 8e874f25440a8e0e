//! The weights of a run and the optimizer's state, in the order of the network.

use candle_core::Var;
use candle_core::backprop::GradStore;

use super::memory::{read, write};
use crate::artifact::weights::{Named, arrange};
use crate::error::{Error, Result};
use crate::network::{Network, WeightInfo};
use crate::optimizer::{Configured, State, Update};
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
    trained: Vec<Trained>,
    optimizer: Configured,
    state: State,
}

/// A weight that the optimizer trains. The optimizer works on all of them at once and on the host, so
/// its values stand here and are copied to the variable after each step.
struct Trained {
    /// Its index in the network.
    at: usize,
    variable: Var,
    values: Vec<f32>,
    gradient: Vec<f32>,
}

impl Variables {
    /// Creates variables from initial weights in network order, with the optimizer before its first step.
    ///
    /// # Errors
    /// Another number of weights than the network has, or another shape.
    pub fn new(network: &Network, weights: &[Array], optimizer: Configured, device: &Device) -> Result<Self> {
        let infos = network.weights().to_vec();
        if infos.len() != weights.len() {
            return Err(Error::artifact(format!("expected {} weights, found {}", infos.len(), weights.len())));
        }
        let (mut tracked, mut plain, mut trained) = (Vec::new(), Vec::new(), Vec::new());
        for (at, (info, weight)) in infos.iter().zip(weights).enumerate() {
            if info.shape != weight.shape() {
                let (expected, found) = (&info.shape, weight.shape());
                let name = &info.name;
                return Err(Error::artifact(format!("weight `{name}`: expected shape {expected:?}, found {found:?}")));
            }
            let value = weight.cast(Dtype::F32).to_graph(device)?;
            if !info.trainable {
                plain.push(value.clone());
                tracked.push(value);
                continue;
            }
            let variable = Var::from_tensor(&value)?;
            plain.push(variable.as_detached_tensor());
            tracked.push(variable.as_tensor().clone());
            trained.push(Trained { at, variable, values: weight.as_f32().into_owned(), gradient: Vec::new() });
        }
        let state = optimizer.start(trained.iter().map(|own| (&*infos[own.at].shape, &*own.values)));
        Ok(Variables { infos, tracked, plain, trained, optimizer, state })
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
        self.trained.iter().map(|own| own.values.len()).sum()
    }

    /// Does one step of the optimizer on every trainable weight.
    ///
    /// # Errors
    /// A weight that the backward pass did not reach, by name.
    pub fn update(&mut self, learning_rate: f64, gradients: &GradStore) -> Result<()> {
        for own in &mut self.trained {
            let gradient = gradients.get(&own.variable).ok_or_else(|| {
                Error::run(format!("weight `{}` received no gradient in this step", self.infos[own.at].name))
                    .hint("the loss or a scripted layer does not depend on it for every batch")
            })?;
            own.gradient.clear();
            read(gradient, |numbers| own.gradient.extend_from_slice(numbers))?;
        }
        let infos = &self.infos;
        let mut updates: Vec<Update> = self
            .trained
            .iter_mut()
            .map(|own| Update { shape: &infos[own.at].shape, parameter: &mut own.values, gradient: &mut own.gradient })
            .collect();
        self.optimizer.apply(&mut self.state, learning_rate as f32, &mut updates)?;
        self.publish()
    }

    /// Ends training: moving averages replace the weights, where the optimizer keeps them.
    pub fn finish(&mut self) -> Result<()> {
        self.optimizer.finish(&self.state, self.trained.iter_mut().map(|own| &mut *own.values));
        self.publish()
    }

    /// Stores new values of weights that gradients do not train, by their index in the network.
    pub fn store(&mut self, updates: Vec<(usize, Graph)>) -> Result<()> {
        for (at, value) in updates {
            match self.infos.get(at) {
                Some(info) if !info.trainable && info.shape == value.dims() => {}
                _ => {
                    let shape = value.dims();
                    return Err(Error::run(format!("a layer updated weight {at} with a value of shape {shape:?}")));
                }
            }
            let value = value.detach();
            self.tracked[at] = value.clone();
            self.plain[at] = value;
        }
        Ok(())
    }

    /// Puts back weights by name; `what` is what errors call their source.
    ///
    /// # Errors
    /// Missing and unknown names, and other shapes, all at once.
    pub fn restore(&mut self, weights: &Named, what: &str) -> Result<()> {
        let expected: Vec<_> = self.infos.iter().map(|info| (info.name.to_string(), info.shape.clone())).collect();
        let weights = arrange(weights.clone(), &expected, what)?;
        let mut trained = self.trained.iter_mut().peekable();
        for (at, weight) in weights.iter().enumerate() {
            match trained.next_if(|own| own.at == at) {
                Some(own) => own.values.copy_from_slice(&weight.as_f32()),
                None => {
                    let value = weight.cast(Dtype::F32).to_graph(self.plain[at].device())?;
                    self.tracked[at] = value.clone();
                    self.plain[at] = value;
                }
            }
        }
        self.publish()
    }

    /// Puts back the optimizer's state after `step` steps, by name (`hidden/kernel/momentum`).
    ///
    /// # Errors
    /// A missing array, and one of another length.
    pub fn restore_optimizer(&mut self, step: u64, state: &Named) -> Result<()> {
        let wanted = self.state.arrays().into_iter().map(|(parameter, name, _)| self.slot(parameter, name));
        let find = |name: String| match state.iter().find(|(own, _)| *own == name) {
            Some((_, array)) => Ok(array.as_f32().into_owned()),
            None => Err(Error::artifact(format!("the optimizer's state `{name}` is missing"))
                .hint("resume with the optimizer and the network that the run was started with")),
        };
        let arrays = wanted.map(find).collect::<Result<Vec<_>>>()?;
        self.state.restore(step, arrays)
    }

    /// Copies the trained values to where passes read them.
    fn publish(&self) -> Result<()> {
        self.trained.iter().try_for_each(|own| write(&own.variable, &own.values))
    }

    /// Returns the name of a state array.
    fn slot(&self, parameter: usize, name: &str) -> String {
        format!("{}/{name}", self.infos[self.trained[parameter].at].name)
    }
}

impl service::Weights for Variables {
    fn weights(&self) -> Result<Vec<(String, Array)>> {
        let mut trained = self.trained.iter().peekable();
        let value = |(at, info): (usize, &WeightInfo)| {
            let array = match trained.next_if(|own| own.at == at) {
                Some(own) => Array::from_f32(own.values.clone(), &info.shape)?,
                None => Array::from_graph(&self.plain[at])?,
            };
            Ok((info.name.to_string(), array))
        };
        self.infos.iter().enumerate().map(value).collect()
    }

    fn optimizer_state(&self) -> Result<Vec<(String, Array)>> {
        let array = |(parameter, name, values): (usize, &str, &[f32])| {
            let shape = &self.infos[self.trained[parameter].at].shape;
            // Some rules keep arrays of another length, such as one number a row.
            let flat = [values.len()];
            let shape = if shape.iter().product::<usize>() == values.len() { &**shape } else { &flat };
            Ok((self.slot(parameter, name), Array::from_f32(values.to_vec(), shape)?))
        };
        self.state.arrays().into_iter().map(array).collect()
    }
}
