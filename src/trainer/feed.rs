//! A batch as the training step takes it: in the order of the network's inputs and outputs.

use super::class_weights;
use super::parts::OutputSpec;
use crate::dataset::Batch;
use crate::error::{Error, Result, Subject, codes};
use crate::network::{Network, Port, show_shape};
use crate::tensor::{Array, Dtype};

/// A batch in the network's order.
#[derive(Default)]
pub(super) struct Fed {
    /// The number of records.
    pub len: usize,
    /// Inputs in the network's order.
    pub inputs: Vec<Array>,
    /// Targets in the network's order of outputs; empty in score mode.
    pub targets: Vec<Target>,
    /// What weights of classes are computed in, output by output.
    pub class_weights: Vec<class_weights::Memory>,
}

/// What one output should be.
#[derive(Clone)]
pub(super) struct Target {
    /// The values.
    pub value: Array,
    /// Sample weights.
    pub weight: Option<Array>,
}

/// Returns the inputs of a batch in the network's order, cast to what each input computes in.
///
/// # Errors
/// A missing input, and one whose shape the network does not take.
pub(crate) fn inputs(network: &Network, batch: &Batch) -> Result<Vec<Array>> {
    network.inputs().iter().map(|port| input(port, batch)).collect()
}

/// Returns a whole batch in the network's order.
///
/// # Errors
/// As [`inputs`]; also a missing output.
pub(super) fn feed(network: &Network, batch: &Batch) -> Result<Fed> {
    let mut fed = Fed::default();
    fed.fill(network, batch)?;
    Ok(fed)
}

impl Fed {
    /// Lets go of a batch, so that its memory may be written to again.
    pub(super) fn clear(&mut self) {
        self.inputs.clear();
        self.targets.clear();
    }

    /// Takes in another batch, in the memory that is there.
    ///
    /// # Errors
    /// As [`feed`].
    pub(super) fn fill(&mut self, network: &Network, batch: &Batch) -> Result<()> {
        self.clear();
        self.len = batch.len;
        for port in network.inputs() {
            self.inputs.push(input(port, batch)?);
        }
        let Some(y) = &batch.y else { return Ok(()) };
        for port in network.outputs() {
            let value = target(port, Batch::find(y, "output", &port.name)?)?;
            let weight = match &batch.w {
                Some(w) => w.iter().find(|(name, _)| *name == port.name).map(|(_, weight)| sample_weight(port, weight)),
                None => None,
            };
            self.targets.push(Target { value, weight: weight.transpose()? });
        }
        Ok(())
    }

    /// Takes in another batch as training takes it, in the memory that is there: classes weigh what the outputs, in the
    /// network's order, say.
    ///
    /// # Errors
    /// As [`feed_training`].
    pub(super) fn fill_training(&mut self, network: &Network, outputs: &[OutputSpec], batch: &Batch) -> Result<()> {
        self.fill(network, batch)?;
        self.class_weights.resize_with(self.targets.len(), Default::default);
        let targets = self.targets.iter_mut().zip(&mut self.class_weights);
        for (((target, memory), output), port) in targets.zip(outputs).zip(network.outputs()) {
            let weighed = output.class_weights.apply(target, port.shape.len(), memory);
            let within = |error: Error| error.within(format!("output `{}`", output.name));
            weighed.map_err(|error| within(error).about(Subject::Output(output.name.to_string())))?;
        }
        Ok(())
    }
}

/// Returns a whole batch as training takes it: classes weigh what the outputs, in the network's order, say.
///
/// # Errors
/// As [`feed`]; sample weights that do not fit the labels.
pub(super) fn feed_training(network: &Network, outputs: &[OutputSpec], batch: &Batch) -> Result<Fed> {
    let mut fed = Fed::default();
    fed.fill_training(network, outputs, batch)?;
    Ok(fed)
}

/// Returns an input's values. A scalar a record, shape `[batch]`, becomes `[batch, 1]` where the network
/// takes one feature, as Keras does; nothing else is reshaped.
fn input(port: &Port, batch: &Batch) -> Result<Array> {
    let array = Batch::find(&batch.x, "input", &port.name)?;
    let array = match array.shape().len() == 1 && port.shape.len() == 1 && port.shape[0].is_none_or(|size| size == 1) {
        true => array.with_shape(&[array.len(), 1])?,
        false => array.clone(),
    };
    match matches(&port.shape, &array.shape()[1..]) {
        // Floats for an input of integers stay as they are: the network refuses them with a reason.
        true if matches!(port.dtype, Dtype::F32 | Dtype::F64) => Ok(array.cast(port.dtype)),
        true => Ok(array),
        false => Err(Error::data(format!(
            "input `{}`: the network takes shape {}, the loader gives {:?} for each record",
            port.name,
            show_shape(&port.shape),
            &array.shape()[1..]
        ))
        .coded(codes::INPUT_SHAPE)
        .about(Subject::Network)
        .hint("change the shape of the network's input, or what the loader and the transformer return")),
    }
}

/// Returns the target of an output, floats as f32. A scalar a record becomes `[batch, 1]` where the
/// network gives one value, as Keras does.
fn target(port: &Port, array: &Array) -> Result<Array> {
    let array = match array.shape().len() == 1 && one_value(port) {
        true => array.with_shape(&[array.len(), 1])?,
        false => array.clone(),
    };
    Ok(match array.dtype() {
        Dtype::F64 => array.cast(Dtype::F32),
        _ => array,
    })
}

/// Returns sample weights as f32; `[batch, 1]` becomes `[batch]` where the output has one feature axis.
fn sample_weight(port: &Port, array: &Array) -> Result<Array> {
    let array = match array.shape() {
        [_, 1] if port.shape.len() == 1 => array.with_shape(&[array.len()])?,
        _ => array.clone(),
    };
    Ok(array.cast(Dtype::F32))
}

fn one_value(port: &Port) -> bool {
    port.shape.len() == 1 && port.shape[0] == Some(1)
}

/// Returns whether a record's shape is one that a port takes.
pub(super) fn matches(port: &[Option<usize>], shape: &[usize]) -> bool {
    port.len() == shape.len() && port.iter().zip(shape).all(|(own, found)| own.is_none_or(|own| own == *found))
}

/// Returns the names of ports.
pub(super) fn names(ports: &[Port]) -> impl Iterator<Item = &str> {
    ports.iter().map(|port| &*port.name)
}
