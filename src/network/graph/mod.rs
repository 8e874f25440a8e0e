//! A network: sorted layers, named ports, declared weights, and the pass through them.

mod build;
mod forward;
#[cfg(test)]
mod tests;

use std::ops::Range;
use std::sync::Arc;

use candle_core::backprop::GradStore;
use ndarray::{ArcArray, IxDyn};

use crate::error::{Error, Result, Subject};
use crate::machine;
use crate::random::{Random, Stream};
use crate::record::Name;
use crate::tensor::{Array, Dtype, Graph};

use super::{Constraint, Initializer, Layer, Regularizer, Shape, Symbol, summary};

use build::{check_inputs, key, name_all, port, reachable};

/// A named input or output.
#[derive(Clone, Debug, PartialEq)]
pub struct Port {
    /// Its name: that of the input, or of the layer that makes the output.
    pub name: Name,
    /// The shape of one record, without the batch axis.
    pub shape: Shape,
    /// The element type.
    pub dtype: Dtype,
}

/// One weight of a network.
#[derive(Clone, Debug)]
pub struct WeightInfo {
    /// Its Keras name with the layer's: `dense/kernel`.
    pub name: Name,
    /// Its shape, in Keras layout.
    pub shape: Vec<usize>,
    /// Whether the optimizer changes it.
    pub trainable: bool,
    /// How it starts.
    pub initializer: Arc<dyn Initializer>,
    /// A penalty that joins the loss while it is trained.
    pub regularizer: Option<Arc<dyn Regularizer>>,
    /// A rule that is kept after each step of the optimizer.
    pub constraint: Option<Arc<dyn Constraint>>,
}

impl Port {
    /// Checks that values of a dtype can be given here: whole numbers where they are expected.
    ///
    /// # Errors
    /// They cannot.
    pub fn check(&self, found: Dtype) -> Result<()> {
        let name = &self.name;
        let refused = match (self.dtype, found) {
            (Dtype::I64 | Dtype::U8, Dtype::F32 | Dtype::F64) => {
                Err(Error::data(format!("input `{name}`: expected whole numbers, found floats"))
                    .hint("declare the input as `float32`, or convert it with `to_i64` in the loader"))
            }
            (Dtype::U8, Dtype::I64) => Err(Error::data(format!(
                "input `{name}`: expected numbers from 0 to 255 (uint8), found 64-bit integers"
            ))
            .hint("declare the input as `int64`, or convert it with `to_u8` in the loader")),
            _ => Ok(()),
        };
        refused.map_err(|error: Error| error.about(Subject::Network))
    }
}

/// One application of a layer. Values are numbered: the inputs first, then the nodes in order.
#[derive(Clone, Debug)]
pub(super) struct Node {
    pub(super) name: Name,
    pub(super) layer: Arc<dyn Layer>,
    /// A penalty on the output.
    pub(super) activity: Option<Arc<dyn Regularizer>>,
    pub(super) inputs: Vec<usize>,
    pub(super) shape: Shape,
    pub(super) weights: Range<usize>,
    /// Whether the same layer is applied elsewhere too.
    pub(super) shared: bool,
    /// Whether integer inputs must be made floats.
    pub(super) floats: bool,
    /// The dtype of the output.
    pub(super) dtype: Dtype,
    /// The values that no later node reads and that are no outputs.
    last_used: Vec<usize>,
}

/// A static graph of layers; immutable, shared by reference. The weights' values live elsewhere.
///
/// ```
/// use barrage::network::{Network, Symbol, layers};
/// use barrage::tensor::Dtype;
/// let x = Symbol::input("x", &[Some(4)], Dtype::F32)?;
/// let options = serde_json::json!({"units": 25, "activation": "relu"}).as_object().cloned().unwrap_or_default();
/// let y = layers::find("Dense")?.make(&options)?.apply(&[x.clone()])?;
/// let network = Network::new(&[x], &[y])?;
/// assert_eq!(&*network.outputs()[0].name, "dense");
/// assert_eq!(network.initialise(7)?[0].shape(), [4, 25]);
/// # Ok::<(), barrage::Error>(())
/// ```
#[derive(Clone, Debug)]
pub struct Network {
    pub(super) inputs: Vec<Port>,
    pub(super) outputs: Vec<Port>,
    pub(super) nodes: Vec<Node>,
    pub(super) weights: Vec<WeightInfo>,
    pub(super) output_values: Vec<usize>,
    /// The masks of the outputs, as values of their own.
    pub(super) output_masks: Vec<Option<usize>>,
    /// Whether shapes must be looked at again when the lengths are known.
    open_axes: bool,
}

impl Network {
    /// Creates the network between inputs and outputs; layers that lead to no output are left out.
    ///
    /// # Errors
    /// Refuses an input that nothing uses or that was not declared, two equal names, and a shared layer that is
    /// applied to values of different sizes.
    pub fn new(inputs: &[Symbol], outputs: &[Symbol]) -> Result<Network> {
        if inputs.is_empty() || outputs.is_empty() {
            return Err(Error::recipe("a network needs at least one input and one output"));
        }
        let masks: Vec<Option<Symbol>> = outputs.iter().map(|output| output.mask().cloned()).collect();
        let ends: Vec<Symbol> = outputs.iter().chain(masks.iter().flatten()).cloned().collect();
        let symbols = reachable(&ends);
        check_inputs(inputs, &symbols)?;
        let names = name_all(&symbols)?;
        let input_port = |symbol: &Symbol| port(symbol, &names);
        let mut network = Network {
            inputs: inputs.iter().map(input_port).collect::<Result<_>>()?,
            outputs: outputs.iter().map(input_port).collect::<Result<_>>()?,
            nodes: Vec::new(),
            weights: Vec::new(),
            output_values: Vec::new(),
            output_masks: Vec::new(),
            open_axes: inputs.iter().any(|input| input.shape().contains(&None)),
        };
        network.check_output_names()?;
        network.add_nodes(inputs, &symbols, &names)?;
        let values = network.values(inputs, &symbols);
        network.output_values = outputs.iter().filter_map(|output| values.get(&key(output)).copied()).collect();
        let place = |mask: &Option<Symbol>| mask.as_ref().and_then(|mask| values.get(&key(mask)).copied());
        network.output_masks = masks.iter().map(place).collect();
        network.find_last_uses();
        Ok(network)
    }

    /// Returns the inputs, in the order they were given.
    pub fn inputs(&self) -> &[Port] {
        &self.inputs
    }

    /// Returns the outputs, in the order they were given.
    pub fn outputs(&self) -> &[Port] {
        &self.outputs
    }

    /// Returns the weights, layer by layer in the sorted order; those of a shared layer stand once.
    pub fn weights(&self) -> &[WeightInfo] {
        &self.weights
    }

    /// Returns a table of the layers, their output shapes and their numbers of parameters.
    pub fn summary(&self) -> String {
        summary::table(self)
    }

    /// Returns initial values for all weights, each drawn from its own stream of the seed.
    pub fn initialise(&self, seed: u64) -> Result<Vec<Array>> {
        let count = |weight: &WeightInfo| weight.shape.iter().map(|length| *length as u128).product::<u128>();
        let all = self.weights.iter().map(count).sum::<u128>() * size_of::<f32>() as u128;
        let largest = self.weights.iter().max_by_key(|weight| count(weight));
        machine::check_memory(all, "the weights of the network take").map_err(|error| match largest {
            Some(weight) => error.hint(format!("the largest is `{}`, of shape {:?}", weight.name, weight.shape)),
            None => error,
        })?;
        let values = self.weights.iter().enumerate().map(|(index, weight)| {
            let mut random = Random::new(seed, Stream::Weights, &[index as u64]);
            let values = weight.initializer.values(&weight.shape, &mut random);
            let found = values.len();
            ArcArray::from_shape_vec(IxDyn(&weight.shape), values).map(Array::F32).map_err(|_| {
                Error::recipe(format!(
                    "the initializer of `{}` gave {found} values for shape {:?}",
                    weight.name, weight.shape
                ))
            })
        });
        values.collect()
    }

    /// Returns the names of the trainable weights that received no gradient: a sign of a detached operation.
    /// `weights` are those given to [`Network::forward`].
    pub fn audit(&self, weights: &[Graph], gradients: &GradStore) -> Vec<Name> {
        let pairs = self.weights.iter().zip(weights);
        let missing = pairs.filter(|(info, weight)| info.trainable && gradients.get(weight).is_none());
        missing.map(|(info, _)| Name::clone(&info.name)).collect()
    }
}
