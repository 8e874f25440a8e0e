//! The weights of a run and the optimizer's state, in the order of the network.

use super::engine::Engine;
use crate::artifact::weights::{Named, arrange};
use crate::error::{Error, Result};
use crate::network::WeightInfo;
use crate::optimizer::{Configured, Parameter, State};
use crate::service;
use crate::tensor::Array;

/// A network that is trained: its weights, and what the optimizer remembers about them.
pub(super) struct Variables {
    pub engine: Engine,
    /// The weights that the optimizer trains, by their index in the network.
    trained: Vec<usize>,
    optimizer: Configured,
    state: State,
}

impl Variables {
    /// Creates variables with the optimizer before its first step.
    ///
    /// # Errors
    /// None: the engine has checked the weights.
    pub fn new(engine: Engine, optimizer: Configured) -> Result<Self> {
        let (infos, weights) = (engine.network().weights(), engine.weights());
        let trained: Vec<usize> = (0..infos.len()).filter(|at| infos[*at].trainable).collect();
        let parameter = |at: &usize| Parameter {
            name: infos[*at].name.to_string(),
            shape: infos[*at].shape.clone(),
            range: weights.ranges()[*at].clone(),
        };
        let state = optimizer.start(trained.iter().map(parameter).collect(), weights.values())?;
        Ok(Variables { engine, trained, optimizer, state })
    }

    /// Returns how many numbers the optimizer trains.
    pub fn trainable(&self) -> usize {
        self.trained.iter().map(|at| self.engine.weights().get(*at).len()).sum()
    }

    /// Does one step of the optimizer on every trainable weight, from the losses that the engine has computed.
    ///
    /// # Errors
    /// A weight that the backward pass did not reach, by name.
    pub fn update(&mut self, learning_rate: f64) -> Result<()> {
        let (optimizer, state) = (&self.optimizer, &mut self.state);
        self.engine.train(|values, gradients| optimizer.apply(state, learning_rate as f32, values, gradients))
    }

    /// Ends training: moving averages replace the weights, where the optimizer keeps them.
    pub fn finish(&mut self) -> Result<()> {
        let (optimizer, state) = (&self.optimizer, &self.state);
        self.engine.change(|weights| {
            optimizer.finish(state, weights.trained().0);
            Ok(())
        })
    }

    /// Puts back weights by name; `what` is what errors call their source.
    ///
    /// # Errors
    /// Missing and unknown names, and other shapes, all at once.
    pub fn restore(&mut self, weights: &Named, what: &str) -> Result<()> {
        let network = self.engine.network().clone();
        let infos = network.weights();
        let expected: Vec<_> = infos.iter().map(|info| (info.name.to_string(), info.shape.clone())).collect();
        let given = arrange(weights.clone(), &expected, what)?;
        self.engine.change(|weights| {
            let all = infos.iter().zip(&given).enumerate();
            all.into_iter().try_for_each(|(at, (info, weight))| weights.set(at, info, weight))
        })
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

    fn info(&self, parameter: usize) -> &WeightInfo {
        &self.engine.network().weights()[self.trained[parameter]]
    }

    /// Returns the name of a state array.
    fn slot(&self, parameter: usize, name: &str) -> String {
        format!("{}/{name}", self.info(parameter).name)
    }
}

impl service::Weights for Variables {
    fn weights(&self) -> Result<Vec<(String, Array)>> {
        let infos = self.engine.network().weights().iter().enumerate();
        let value = |(at, info): (usize, &WeightInfo)| {
            let values = self.engine.weights().get(at).to_vec();
            Ok((info.name.to_string(), Array::from_f32(values, &info.shape)?))
        };
        infos.map(value).collect()
    }

    fn optimizer_state(&self) -> Result<Vec<(String, Array)>> {
        let array = |(parameter, name, values): (usize, &str, &[f32])| {
            let shape = &self.info(parameter).shape;
            // Some rules keep arrays of another length, such as one number a row.
            let flat = [values.len()];
            let shape = if shape.iter().product::<usize>() == values.len() { &**shape } else { &flat };
            Ok((self.slot(parameter, name), Array::from_f32(values.to_vec(), shape)?))
        };
        self.state.arrays().into_iter().map(array).collect()
    }
}
