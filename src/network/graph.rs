//! A network: sorted layers, named ports, declared weights, and the pass through them.

use std::borrow::Cow;
use std::collections::{HashMap, HashSet};
use std::ops::Range;
use std::sync::Arc;

use candle_core::DType;
use candle_core::backprop::GradStore;
use ndarray::{ArcArray, IxDyn};

use crate::error::{self, Error, Result, Subject};
use crate::random::{Random, Stream};
use crate::record::Name;
use crate::tensor::{Array, Dtype, Graph};

use super::layer::stream;
use super::names::{self, Names};
use super::symbol::{Inner, LayerInstance, Source};
use super::{Constraint, Initializer, Integers, Layer, NotFinite, Pass, Regularizer, Shape, Symbol, summary};

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

/// Layers whose kernel goes into one matrix product, which mixed precision computes of bfloat16 values.
const PRODUCTS: [&str; 3] = ["Dense", "Conv1D", "Conv2D"];

/// Returns kernels in bfloat16; biases stay as they are.
fn halved(weights: &[Graph]) -> Result<Vec<Graph>> {
    let half = |weight: &Graph| match weight.rank() {
        0 | 1 => Ok(weight.clone()),
        _ => Ok(weight.to_dtype(DType::BF16)?),
    };
    weights.iter().map(half).collect()
}

/// One application of a layer. Values are numbered: the inputs first, then the nodes in order.
#[derive(Clone, Debug)]
pub(super) struct Node {
    pub(super) name: Name,
    pub(super) layer: Arc<dyn Layer>,
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

    /// Computes the outputs (in the order of [`Network::outputs`]) from weights in the order of
    /// [`Network::weights`] and inputs in the order of [`Network::inputs`], each with the batch axis.
    ///
    /// Numbers of another dtype than the port's are converted; floats take the dtype of the weights, so a network
    /// with f64 weights computes in f64. `pass.updates` gets the new values of moving statistics by
    /// their index in [`Network::weights`], `pass.masks` the masks of the outputs. Each layer draws from a stream derived from `pass.random` by its position.
    ///
    /// # Errors
    /// Refuses inputs of another shape or batch size and weights of another number or shape.
    pub fn forward(&self, weights: &[Graph], inputs: &[Graph], pass: &mut Pass) -> Result<Vec<Graph>> {
        self.check_weights(weights)?;
        let mut values = self.input_values(inputs, weights)?;
        let float = weights.first().map_or(DType::F32, Graph::dtype);
        // Only a shared layer can read a statistic that this same pass has already moved.
        let mut weights = Cow::Borrowed(weights);
        for (position, node) in self.nodes.iter().enumerate() {
            let within = |error: Error| error.within(format!("layer `{}`, `{}`", node.name, node.layer.kind()));
            let arguments = node.arguments(&values, float).map_err(within)?;
            if self.open_axes {
                let shapes: Vec<Shape> = arguments.iter().map(inner_shape).collect();
                node.layer.output_shape(&shapes).map_err(within)?;
            }
            let mut own = Pass::new(pass.training, stream(&pass.random, position as u64, node.layer.seed()));
            let own_weights = &weights[node.weights.clone()];
            let value = match pass.mixed && PRODUCTS.contains(&node.layer.kind()) {
                true => node.layer.compose(&arguments, &halved(own_weights)?, &mut own),
                false => node.layer.compose(&arguments, own_weights, &mut own),
            }
            .map_err(within)?;
            if pass.look && pass.not_finite.is_none() {
                pass.not_finite = NotFinite::look(&node.name, node.layer.kind(), &value)?;
            }
            if let Some(activity) = node.layer.activity() {
                let rows = value.dims().first().copied().unwrap_or(1).max(1);
                pass.penalties.push(activity.compose(&value)?.affine(1.0 / rows as f64, 0.0)?);
            }
            for (index, update) in own.updates {
                let index = node.weights.start + index;
                if node.shared {
                    weights.to_mut()[index] = update.clone();
                    pass.updates.retain(|(earlier, _)| *earlier != index);
                }
                pass.updates.push((index, update));
            }
            values.push(Some(value));
            for unused in &node.last_used {
                values[*unused] = None;
            }
        }
        pass.masks = self.output_masks.iter().map(|mask| values[(*mask)?].clone()).collect();
        let outputs = self
            .output_values
            .iter()
            .map(|value| values[*value].clone().ok_or_else(|| Error::run("an output was dropped before it was read")));
        outputs.collect()
    }

    /// Returns the names of the trainable weights that received no gradient: a sign of a detached operation.
    /// `weights` are those given to [`Network::forward`].
    pub fn audit(&self, weights: &[Graph], gradients: &GradStore) -> Vec<Name> {
        let pairs = self.weights.iter().zip(weights);
        let missing = pairs.filter(|(info, weight)| info.trainable && gradients.get(weight).is_none());
        missing.map(|(info, _)| Name::clone(&info.name)).collect()
    }

    fn check_output_names(&self) -> Result<()> {
        let mut seen = HashSet::new();
        match self.outputs.iter().find(|output| !seen.insert(&output.name)) {
            None => Ok(()),
            Some(twice) => Err(Error::recipe(format!("two outputs are named `{}`", twice.name)).hint(
                "an output is named after its layer; for another name, apply the activation `linear` with a `name`",
            )),
        }
    }

    fn add_nodes(&mut self, inputs: &[Symbol], symbols: &[Symbol], names: &HashMap<*const (), Name>) -> Result<()> {
        let values = self.values(inputs, symbols);
        let mut declared: HashMap<*const (), Range<usize>> = HashMap::new();
        for symbol in symbols {
            let Source::Layer { instance, layer, inputs: arguments } = &symbol.0.source else { continue };
            let name = names.get(&instance_key(instance)).cloned().unwrap_or_else(|| Name::from(""));
            let shapes: Vec<Shape> = arguments.iter().map(|argument| argument.0.shape.clone()).collect();
            let own = layer.weights(&shapes)?;
            let range = match declared.get(&instance_key(instance)) {
                Some(range) => {
                    let shapes = self.weights[range.clone()].iter().map(|weight| &weight.shape);
                    if !shapes.eq(own.iter().map(|weight| &weight.shape)) {
                        return Err(Error::recipe(format!("layer `{name}` is shared by inputs of different sizes"))
                            .hint("each size needs weights of its own: make one layer for each"));
                    }
                    let range = range.clone();
                    let same = |node: &&mut Node| node.name == name;
                    self.nodes.iter_mut().filter(same).for_each(|node| node.shared = true);
                    range
                }
                None => {
                    let start = self.weights.len();
                    self.weights.extend(own.into_iter().map(|weight| WeightInfo {
                        name: Name::from(format!("{name}/{}", weight.name)),
                        shape: weight.shape,
                        trainable: weight.trainable,
                        initializer: weight.initializer,
                        regularizer: weight.regularizer,
                        constraint: weight.constraint,
                    }));
                    start..self.weights.len()
                }
            };
            let shared = declared.insert(instance_key(instance), range.clone()).is_some();
            let integer = |argument: &Symbol| matches!(argument.dtype(), Dtype::I64 | Dtype::U8);
            self.nodes.push(Node {
                name,
                layer: Arc::clone(layer),
                inputs: arguments.iter().filter_map(|argument| values.get(&key(argument)).copied()).collect(),
                shape: symbol.0.shape.clone(),
                dtype: symbol.dtype(),
                weights: range,
                shared,
                floats: layer.integers() == Integers::AsFloats && arguments.iter().any(integer),
                last_used: Vec::new(),
            });
        }
        Ok(())
    }

    /// The number of each value.
    fn values(&self, inputs: &[Symbol], symbols: &[Symbol]) -> HashMap<*const Inner, usize> {
        let layers = symbols.iter().filter(|symbol| matches!(symbol.0.source, Source::Layer { .. }));
        inputs.iter().chain(layers).enumerate().map(|(value, symbol)| (key(symbol), value)).collect()
    }

    fn find_last_uses(&mut self) {
        let ends = self.output_values.iter().chain(self.output_masks.iter().flatten());
        let mut seen: HashSet<usize> = ends.copied().collect();
        for node in self.nodes.iter_mut().rev() {
            node.last_used = node.inputs.iter().copied().filter(|value| seen.insert(*value)).collect();
        }
    }

    fn check_weights(&self, weights: &[Graph]) -> Result<()> {
        if weights.len() != self.weights.len() {
            return Err(Error::run(format!("expected {} weights, found {}", self.weights.len(), weights.len())));
        }
        match self.weights.iter().zip(weights).find(|(info, weight)| info.shape != weight.dims()) {
            None => Ok(()),
            Some((info, weight)) => Err(Error::run(format!(
                "weight `{}`: expected shape {:?}, found {:?}",
                info.name,
                info.shape,
                weight.dims()
            ))),
        }
    }

    fn input_values(&self, inputs: &[Graph], weights: &[Graph]) -> Result<Vec<Option<Graph>>> {
        if inputs.len() != self.inputs.len() {
            return Err(Error::data(format!("expected {} inputs, found {}", self.inputs.len(), inputs.len()))
                .hint(format!("inputs: {}", error::list(self.inputs.iter().map(|port| &*port.name)))));
        }
        let batch = inputs.first().and_then(|input| input.dims().first().copied());
        let mut values = Vec::with_capacity(inputs.len() + self.nodes.len());
        for (port, input) in self.inputs.iter().zip(inputs) {
            let fits = match input.dims() {
                [] => false,
                [rows, inner @ ..] => {
                    if *rows == 0 {
                        return Err(Error::data(format!("input `{}`: the batch is empty", port.name)));
                    }
                    if Some(*rows) != batch {
                        return Err(Error::data(format!(
                            "input `{}`: expected a batch of {} as in `{}`, found {rows}",
                            port.name,
                            batch.unwrap_or(0),
                            self.inputs[0].name
                        )));
                    }
                    inner.len() == port.shape.len()
                        && port.shape.iter().zip(inner).all(|(axis, length)| axis.is_none_or(|axis| axis == *length))
                }
            };
            if !fits {
                let mut expected = vec!["batch".to_owned()];
                expected.extend(port.shape.iter().map(|axis| axis.map_or("null".to_owned(), |axis| axis.to_string())));
                return Err(Error::data(format!(
                    "input `{}`: expected shape [{}], found {:?}",
                    port.name,
                    expected.join(", "),
                    input.dims()
                )));
            }
            values.push(Some(convert(port, input, weights)?));
        }
        Ok(values)
    }
}

impl Node {
    fn arguments(&self, values: &[Option<Graph>], float: DType) -> Result<Vec<Graph>> {
        let arguments = self.inputs.iter().map(|value| {
            let value = values.get(*value).and_then(Option::as_ref);
            let value = value.ok_or_else(|| Error::run("a value was dropped before it was read"))?;
            match self.floats && !value.dtype().is_float() {
                true => Ok(value.to_dtype(float)?),
                false => Ok(value.clone()),
            }
        });
        arguments.collect()
    }
}

/// The symbols that lead to the outputs, in order of creation.
fn reachable(outputs: &[Symbol]) -> Vec<Symbol> {
    let mut seen: HashSet<*const Inner> = HashSet::new();
    let mut found = Vec::new();
    let mut open: Vec<Symbol> = outputs.to_vec();
    while let Some(symbol) = open.pop() {
        if !seen.insert(key(&symbol)) {
            continue;
        }
        if let Source::Layer { inputs, .. } = &symbol.0.source {
            open.extend(inputs.iter().cloned());
        }
        found.push(symbol);
    }
    found.sort_by_key(|symbol| symbol.0.serial);
    found
}

fn check_inputs(inputs: &[Symbol], symbols: &[Symbol]) -> Result<()> {
    for (i, input) in inputs.iter().enumerate() {
        if !matches!(input.0.source, Source::Input { .. }) {
            return Err(Error::recipe(format!("expected inputs made by `input`, found {}", input.described())));
        }
        if inputs[..i].iter().any(|earlier| earlier.is(input)) {
            return Err(Error::recipe(format!("input {} is listed twice", input.described())));
        }
        if !symbols.iter().any(|symbol| symbol.is(input)) {
            return Err(Error::recipe(format!("input {} leads to no output", input.described()))
                .hint("use it, or leave it out of the inputs"));
        }
    }
    let undeclared = symbols
        .iter()
        .find(|symbol| matches!(symbol.0.source, Source::Input { .. }) && !inputs.iter().any(|input| input.is(symbol)));
    match undeclared {
        None => Ok(()),
        Some(input) => Err(Error::recipe(format!(
            "the outputs depend on input {}, which is not among the inputs",
            input.described()
        ))
        .hint("list every input: network([x, …], [y])")),
    }
}

/// Names by the address of the layer (shared layers have one) or of the input.
fn name_all(symbols: &[Symbol]) -> Result<HashMap<*const (), Name>> {
    // (creation, identity, name given, kind)
    let mut things: Vec<(u64, *const (), Option<&Name>, &str)> = Vec::new();
    let mut seen = HashSet::new();
    for symbol in symbols {
        let thing = match &symbol.0.source {
            Source::Input { name } => (symbol.0.serial, input_key(symbol), name.as_ref(), "InputLayer"),
            Source::Layer { instance, .. } => {
                (instance.serial, instance_key(instance), instance.name.as_ref(), instance.layer.kind())
            }
        };
        if seen.insert(thing.1) {
            things.push(thing);
        }
    }
    things.sort_by_key(|(serial, ..)| *serial);
    let mut names = Names::default();
    for (_, _, given, _) in &things {
        given.map_or(Ok(()), |given| names.take(given))?;
    }
    let named = things.into_iter().map(|(_, identity, given, kind)| {
        let name = given.cloned().unwrap_or_else(|| Name::from(names.next(kind)));
        (identity, name)
    });
    Ok(named.collect())
}

fn port(symbol: &Symbol, names: &HashMap<*const (), Name>) -> Result<Port> {
    let identity = match &symbol.0.source {
        Source::Input { .. } => input_key(symbol),
        Source::Layer { instance, .. } => instance_key(instance),
    };
    let name = names.get(&identity).ok_or_else(|| Error::recipe(format!("{} has no name", symbol.described())))?;
    names::check(name)?;
    Ok(Port { name: Name::clone(name), shape: symbol.0.shape.clone(), dtype: symbol.dtype() })
}

fn convert(port: &Port, input: &Graph, weights: &[Graph]) -> Result<Graph> {
    let wanted = match port.dtype {
        Dtype::F32 => weights.first().map_or(DType::F32, Graph::dtype),
        Dtype::F64 => weights.first().map_or(DType::F64, Graph::dtype),
        Dtype::I64 => DType::I64,
        Dtype::U8 => DType::U8,
    };
    if wanted == input.dtype() {
        return Ok(input.clone());
    }
    port.check(Dtype::of_graph(input.dtype()))?;
    Ok(input.to_dtype(wanted)?)
}

fn inner_shape(value: &Graph) -> Shape {
    value.dims().iter().skip(1).map(|length| Some(*length)).collect()
}

fn key(symbol: &Symbol) -> *const Inner {
    Arc::as_ptr(&symbol.0)
}

fn input_key(symbol: &Symbol) -> *const () {
    Arc::as_ptr(&symbol.0).cast()
}

fn instance_key(instance: &Arc<LayerInstance>) -> *const () {
    Arc::as_ptr(instance).cast()
}

#[cfg(test)]
mod tests;
