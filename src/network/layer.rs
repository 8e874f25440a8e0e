//! The trait of a layer.

use std::borrow::Cow;
use std::sync::Arc;

use super::{Constraint, Kernel, NotFinite, Regularizer, Symbol};
use crate::error::{Error, Result, codes};
use crate::kernel::activation::Activation;
use crate::random::Random;
use crate::tensor::Graph;

/// The shape of a value without the batch axis; `None` is an axis of any length.
pub type Shape = Vec<Option<usize>>;

/// One weight of a layer, declared before any memory is taken.
#[derive(Clone, Debug)]
pub struct Weight {
    /// Its Keras name, without the layer's: `kernel`, `moving_mean`; of a layer inside another, `forward/kernel`.
    pub name: Cow<'static, str>,
    /// Its shape, in Keras layout.
    pub shape: Vec<usize>,
    /// How it starts.
    pub initializer: Arc<dyn crate::network::Initializer>,
    /// Whether the optimizer changes it; moving statistics are not trainable.
    pub trainable: bool,
    /// A penalty that joins the loss while it is trained.
    pub regularizer: Option<Arc<dyn Regularizer>>,
    /// A rule that is kept after each step of the optimizer.
    pub constraint: Option<Arc<dyn Constraint>>,
}

/// One pass through a network.
#[derive(Debug)]
pub struct Pass {
    /// Whether dropout drops and batch normalisation uses the batch's own statistics.
    pub training: bool,
    /// The stream of this step; each layer derives its own from it by its position in the graph.
    pub random: Random,
    /// New values of weights that are not trained by gradients (moving statistics): index in the
    /// layer's weight list, new value. The network collects them; the trainer stores them after the step.
    pub updates: Vec<(usize, Graph)>,
    /// The masks of the network's outputs, in their order: 1 for steps that count, 0 for others; the network sets
    /// them.
    pub masks: Vec<Option<Graph>>,
    /// Penalties on values, which join the loss.
    pub penalties: Vec<Graph>,
    /// Whether dense, convolution, recurrent and attention layers compute their products of bfloat16 values; all else is
    /// computed in the dtype of the weights.
    pub mixed: bool,
    /// Whether the network looks for values that are not finite, which costs time.
    pub look: bool,
    /// The first layer that gave some, when it was looked for.
    pub not_finite: Option<NotFinite>,
}

impl Pass {
    /// Creates a pass; `random` is the stream of this step.
    pub fn new(training: bool, random: Random) -> Self {
        Pass {
            training,
            random,
            updates: Vec::new(),
            masks: Vec::new(),
            penalties: Vec::new(),
            mixed: false,
            look: false,
            not_finite: None,
        }
    }
}

/// What a layer does with inputs of an integer dtype.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Integers {
    /// It computes with numbers: the network makes floats of them first.
    AsFloats,
    /// It only moves values: the output has the dtype of the input.
    Kept,
    /// It looks them up: they stay integers, the output is floats.
    Indices,
}

/// A layer as it runs on certain values.
#[derive(Debug)]
pub struct Bound {
    /// What runs: the same layer, made for these inputs.
    pub layer: Arc<dyn Layer>,
    /// All its inputs.
    pub inputs: Vec<Symbol>,
}

/// Values that a layer is given by name, such as an initial state.
pub type Named<'a> = [(&'a str, Vec<Symbol>)];

/// Returns the stream of random numbers of a part of a pass: of the layer with this seed at this position.
pub(super) fn stream(random: &Random, position: u64, seed: Option<u64>) -> Random {
    let own = random.derive(position);
    match seed {
        Some(seed) => own.derive(seed),
        None => own,
    }
}

/// A layer: what it makes of shapes, which weights it has, and how it composes.
///
/// A [`Kernel`] is a second, optional way to run the same layer, on a CPU; `compose` stays the reference on any
/// device.
pub trait Layer: Send + Sync + std::fmt::Debug {
    /// Returns the Keras name: `Dense`.
    fn kind(&self) -> &'static str;

    /// Returns what it does with inputs of an integer dtype.
    fn integers(&self) -> Integers {
        Integers::AsFloats
    }

    /// Returns the names under which it takes further values of the network.
    fn named(&self) -> &'static [&'static str] {
        &[]
    }

    /// Returns what runs where further inputs come with these values: masks that it uses, and values given under
    /// one of [`Layer::named`]. `None` where it runs as it is, on these values alone.
    ///
    /// # Errors
    /// Explains which values the layer expects.
    fn bind(&self, _inputs: &[Symbol], _named: &Named<'_>) -> Result<Option<Bound>> {
        Ok(None)
    }

    /// Returns whether the output has the mask of the first input, as Keras's layers that treat steps one by one.
    fn keeps_mask(&self) -> bool {
        false
    }

    /// Returns the mask of the output: that of the first input, where the layer keeps it.
    ///
    /// # Errors
    /// Explains which values the layer expects.
    fn mask(&self, inputs: &[Symbol]) -> Result<Option<Symbol>> {
        Ok(inputs.first().and_then(Symbol::mask).filter(|_| self.keeps_mask()).cloned())
    }

    /// Returns the shapes of the values that stand in its output one after the other, where it has several; none
    /// where the output is one value.
    ///
    /// # Errors
    /// As [`Layer::output_shape`].
    fn parts(&self, _inputs: &[Shape]) -> Result<Vec<Shape>> {
        Ok(Vec::new())
    }

    /// Returns the output's shape, or explains why these inputs do not fit.
    fn output_shape(&self, inputs: &[Shape]) -> Result<Shape>;

    /// Declares the weights for these input shapes, in Keras order.
    fn weights(&self, inputs: &[Shape]) -> Result<Vec<Weight>>;

    /// Returns the number that makes what it draws other than without it.
    fn seed(&self) -> Option<u64> {
        None
    }

    /// Returns whether it puts its `activity_regularizer` on values within it, by [`Pass::penalties`]; otherwise it is
    /// on the output.
    fn penalises(&self) -> bool {
        false
    }

    /// Computes the output from inputs (with batch axis) and weights, by differentiable operations.
    fn compose(&self, inputs: &[Graph], weights: &[Graph], pass: &mut Pass) -> Result<Graph>;

    /// Writes the layer as nodes of ONNX, as it is when it does not train, and returns the name of its value.
    ///
    /// # Errors
    /// What of it cannot be written.
    fn onnx(&self, _step: &mut super::onnx::Step<'_>) -> Result<String> {
        Err(Error::artifact(format!("`{}` cannot be written as ONNX", self.kind())).coded(codes::WEIGHTS))
    }

    /// Returns the layer as it is when none of its weights is trained; `None` where that makes no difference to what it
    /// computes.
    fn frozen(&self) -> Option<Arc<dyn Layer>> {
        None
    }

    /// Returns whether its values have the channels before the other axes.
    fn channels_first(&self) -> bool {
        false
    }

    /// Returns the layer that this one applies to parts of its input, with the same weights.
    fn inner(&self) -> Option<&dyn Layer> {
        None
    }

    /// Returns whether the output is the input's values in order, only with other axes: then nothing is computed on a
    /// CPU.
    fn keeps_values(&self) -> bool {
        false
    }

    /// Returns the activation that this layer is and nothing else; the layer before may then do it on the way.
    fn activation(&self) -> Option<Activation> {
        None
    }

    /// Returns a kernel that also does an activation which follows, or `None` where there is none for both together.
    fn kernel_with(&self, _inputs: &[&[usize]], _then: Activation) -> Option<Box<dyn Kernel>> {
        None
    }

    /// Returns the CPU kernel for inputs of these shapes (of one record), or `None` where the layer has none for
    /// them and is composed.
    fn kernel(&self, _inputs: &[&[usize]]) -> Option<Box<dyn Kernel>> {
        None
    }
}
