//! Symbolic values: what a script holds while it describes a network.

use std::fmt;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use crate::error::{self, Error, Result};
use crate::record::Name;
use crate::registry::{Arguments, Parameter, Params, Type};
use crate::tensor::Dtype;

use super::layers::Part;
use super::{Bound, Integers, Layer, Named, Regularizer, Shape, names, shape};

/// Longest chain of layers. Candle walks its graph recursively, so a longer chain could overflow a
/// thread's stack while gradients are computed.
const MAX_DEPTH: usize = 2000;

/// The parameters of `Input` where it is given as a layer.
pub static INPUT_PARAMETERS: &[Parameter] = &[
    Parameter::required(
        "shape",
        Type::Any,
        "the shape of one record: a length, or a list of lengths; null is an axis of any length",
    ),
    Parameter::optional(
        "name",
        Type::Text,
        "null",
        "the name under which a loader gives the values; `input_layer` when null",
    ),
    Parameter::optional(
        "dtype",
        Type::Text,
        "\"float32\"",
        "`float32`, `int64` or `uint8`; other numbers are converted where nothing is lost",
    ),
];

/// A layer with its name. Applied twice, it shares its weights.
#[derive(Debug)]
pub struct LayerInstance {
    pub(super) layer: Arc<dyn Layer>,
    pub(super) name: Option<Name>,
    /// Order of creation: automatic names are given in this order.
    pub(super) serial: u64,
    /// A penalty on the output, which joins the loss divided by the number of records, as in Keras 3.
    pub(super) activity: Option<Arc<dyn Regularizer>>,
}

impl LayerInstance {
    /// Creates a layer to be applied, with a name of its own or, later, an automatic one.
    ///
    /// # Errors
    /// Refuses empty names and names with `/` or control characters.
    pub fn new(layer: Arc<dyn Layer>, name: Option<&str>) -> Result<Arc<Self>> {
        LayerInstance::with_activity(layer, name, None)
    }

    /// Creates a layer with a penalty on its output.
    ///
    /// # Errors
    /// As [`LayerInstance::new`].
    pub fn with_activity(
        layer: Arc<dyn Layer>,
        name: Option<&str>,
        activity: Option<Arc<dyn Regularizer>>,
    ) -> Result<Arc<Self>> {
        name.map_or(Ok(()), names::check)?;
        Ok(Arc::new(LayerInstance { layer, name: name.map(Name::from), serial: next_serial(), activity }))
    }

    /// Returns the value of this layer applied to others.
    ///
    /// # Errors
    /// Explains which shapes the layer expects; refuses a layer of several outputs.
    pub fn apply(self: &Arc<Self>, inputs: &[Symbol]) -> Result<Symbol> {
        let mut outputs = self.apply_with(inputs, &[])?;
        match (outputs.pop(), outputs.is_empty()) {
            (Some(output), true) => Ok(output),
            _ => Err(Error::recipe(format!("{} has several outputs", self.described()))
                .hint("only a script can take them apart: leave out `return_state` and the like")),
        }
    }

    /// Returns the values of this layer applied to others and to values given by name: one, or, in a layer such as
    /// `LSTM` with `return_state`, several.
    ///
    /// # Errors
    /// Explains which shapes the layer expects, and which names.
    pub fn apply_with(self: &Arc<Self>, inputs: &[Symbol], named: &Named<'_>) -> Result<Vec<Symbol>> {
        let within = |error: Error| error.within(self.described());
        let taken = self.layer.named();
        if let Some((name, _)) = named.iter().find(|(name, _)| !taken.contains(name)) {
            return Err(within(Error::recipe(format!("`{name}` is not a value of the network")).hint(match taken {
                [] => "this layer takes no values by name".to_owned(),
                names => format!("values of the network go to {}", error::list(names.iter().copied())),
            })));
        }
        let bound = self.layer.bind(inputs, named).map_err(within)?;
        let mask = self.layer.mask(inputs).map_err(within)?;
        let Bound { layer, inputs } =
            bound.unwrap_or_else(|| Bound { layer: Arc::clone(&self.layer), inputs: inputs.to_vec() });
        let shapes: Vec<Shape> = inputs.iter().map(|input| input.0.shape.clone()).collect();
        let shape = layer.output_shape(&shapes).map_err(within)?;
        // The weights are declared again when the network is made; here a wrong size is found at once.
        layer.weights(&shapes).map_err(within)?;
        shape::bounded(&shape).map_err(within)?;
        let depth = 1 + inputs.iter().map(|input| input.0.depth).max().unwrap_or(0);
        if depth > MAX_DEPTH {
            return Err(Error::recipe(format!("a chain of more than {MAX_DEPTH} layers is too deep")));
        }
        let dtypes: Vec<Dtype> = inputs.iter().map(Symbol::dtype).collect();
        let dtype = match dtypes.as_slice() {
            [first, rest @ ..] if layer.integers() == Integers::Kept && rest.iter().all(|other| other == first) => {
                *first
            }
            all if all.contains(&Dtype::F64) => Dtype::F64,
            _ => Dtype::F32,
        };
        let parts = layer.parts(&shapes).map_err(within)?;
        if let Some(activity) = &self.activity {
            penalised(&**activity, &shape, parts.len()).map_err(within)?;
        }
        let source = Source::Layer { instance: Arc::clone(self), layer, inputs };
        let masked = |mask| Symbol(Arc::new(Inner { source, shape, dtype, depth, serial: next_serial(), mask }));
        if parts.is_empty() {
            return Ok(vec![masked(mask)]);
        }
        // The first part is the output proper: the mask is its.
        let whole = masked(None);
        let mut mask = mask;
        let part = |index: usize| {
            let name = self.name.as_ref().map(|name| format!("{name}_{index}"));
            let part = LayerInstance::new(Arc::new(Part::new(&parts, index)), name.as_deref())?
                .apply(std::slice::from_ref(&whole))?;
            Ok(part.with_mask(mask.take()))
        };
        (0..parts.len()).map(part).collect()
    }

    /// Returns whether it has an `activity_regularizer`, on its output or on values within it.
    pub(super) fn is_penalised(&self) -> bool {
        self.activity.is_some() || self.layer.penalises()
    }

    fn described(&self) -> String {
        match &self.name {
            Some(name) => format!("layer `{name}`, `{}`", self.layer.kind()),
            None => format!("layer `{}`", self.layer.kind()),
        }
    }

    /// Returns the layer.
    pub fn layer(&self) -> &Arc<dyn Layer> {
        &self.layer
    }

    /// Returns the name, if one was given.
    pub fn name(&self) -> Option<&Name> {
        self.name.as_ref()
    }
}

/// Checks that a penalty means something for a value of this shape, or for so many values that stand in it.
fn penalised(activity: &dyn Regularizer, shape: &Shape, parts: usize) -> Result<()> {
    let within = |error: Error| error.within("parameter `activity_regularizer`");
    // Of all values together a sum is the sum of the penalties on each.
    if parts > 0 && !activity.is_sum() {
        return Err(within(
            Error::recipe("expected `L1`, `L2` or `L1L2` for a layer of several outputs").hint("leave it out"),
        ));
    }
    let axes: Vec<usize> = std::iter::once(1).chain(shape.iter().map(|axis| axis.unwrap_or(1))).collect();
    activity.check(&axes).map_err(within)
}

/// A value of a network that is being described: an input, or what a layer makes of others.
#[derive(Clone)]
pub struct Symbol(pub(super) Arc<Inner>);

pub(super) struct Inner {
    pub(super) source: Source,
    pub(super) shape: Shape,
    pub(super) dtype: Dtype,
    depth: usize,
    /// Order of creation, which is also a topological order: a layer is applied to what exists.
    pub(super) serial: u64,
    /// Which steps count: 1, or 0 for a step that layers which know masks leave out.
    mask: Option<Symbol>,
}

#[derive(Clone)]
pub(super) enum Source {
    Input {
        name: Option<Name>,
    },
    /// The instance gives name and weights; what runs is made for these inputs.
    Layer {
        instance: Arc<LayerInstance>,
        layer: Arc<dyn Layer>,
        inputs: Vec<Symbol>,
    },
}

impl Symbol {
    /// Creates an input. `shape` is that of one record, without the batch axis; without a name it is called
    /// `input_layer`, `input_layer_1` …
    ///
    /// # Errors
    /// Refuses an axis of length 0 and names that cannot stand in files.
    pub fn input<'a>(name: impl Into<Option<&'a str>>, shape: &[Option<usize>], dtype: Dtype) -> Result<Symbol> {
        let name = name.into();
        name.map_or(Ok(()), names::check)?;
        if shape.contains(&Some(0)) {
            return Err(Error::recipe(format!(
                "input shape: expected lengths of at least 1, found {}",
                shape::show_shape(shape)
            )));
        }
        shape::bounded(shape)?;
        Ok(Symbol(Arc::new(Inner {
            source: Source::Input { name: name.map(Name::from) },
            shape: shape.to_vec(),
            dtype,
            depth: 0,
            serial: next_serial(),
            mask: None,
        })))
    }

    /// Creates an input from the parameters in [`INPUT_PARAMETERS`].
    ///
    /// # Errors
    /// Refuses unknown and mistyped parameters.
    pub fn input_from_params(params: &Params) -> Result<Symbol> {
        let arguments = Arguments::check("Input", INPUT_PARAMETERS, params)?;
        let axis = |value: &serde_json::Value| match value {
            serde_json::Value::Null => Some(None),
            value => {
                value.as_u64().filter(|length| *length > 0).and_then(|length| usize::try_from(length).ok()).map(Some)
            }
        };
        let lengths: Option<Shape> = match arguments.value("shape") {
            serde_json::Value::Array(axes) => axes.iter().map(axis).collect(),
            serde_json::Value::Null => None,
            length => axis(length).map(|axis| vec![axis]),
        };
        let lengths = lengths.ok_or_else(|| {
            arguments.refuse("shape", "a length or a list of lengths of at least 1").hint("the batch axis is left out")
        })?;
        let dtype = match arguments.choice("dtype", &["float32", "int64", "uint8"])? {
            "int64" => Dtype::I64,
            "uint8" => Dtype::U8,
            _ => Dtype::F32,
        };
        let name = arguments.text("name");
        let name = if arguments.is_null("name") { None } else { Some(name) };
        Symbol::input(name, &lengths, dtype)
    }

    /// Returns the value of a new layer applied to others; see [`LayerInstance`] for shared weights.
    ///
    /// # Errors
    /// Explains which shapes the layer expects.
    pub fn apply(layer: Arc<dyn Layer>, name: Option<&str>, inputs: &[Symbol]) -> Result<Symbol> {
        LayerInstance::new(layer, name)?.apply(inputs)
    }

    /// Returns the shape without the batch axis; `None` is an axis of any length.
    pub fn shape(&self) -> &[Option<usize>] {
        &self.0.shape
    }

    /// Returns the dtype.
    pub fn dtype(&self) -> Dtype {
        self.0.dtype
    }

    /// Returns the name that was given; automatic names come with the network.
    pub fn name(&self) -> Option<&Name> {
        match &self.0.source {
            Source::Input { name } => name.as_ref(),
            Source::Layer { instance, .. } => instance.name.as_ref(),
        }
    }

    /// Returns the kind: `Input`, or that of the layer.
    pub fn kind(&self) -> &'static str {
        match &self.0.source {
            Source::Input { .. } => "Input",
            Source::Layer { instance, .. } => instance.layer.kind(),
        }
    }

    /// Returns the mask: which steps count, 1 or 0 a step; `None` where all do.
    pub fn mask(&self) -> Option<&Symbol> {
        self.0.mask.as_ref()
    }

    /// Returns the same value with another mask, of which there is one number a step: 1 where it counts, or 0.
    #[must_use]
    pub fn with_mask(&self, mask: Option<Symbol>) -> Symbol {
        let Inner { source, shape, dtype, depth, serial, .. } = &*self.0;
        let (source, shape) = (source.clone(), shape.clone());
        Symbol(Arc::new(Inner { source, shape, dtype: *dtype, depth: *depth, serial: *serial, mask }))
    }

    /// Returns whether both are the same value.
    pub fn is(&self, other: &Symbol) -> bool {
        Arc::ptr_eq(&self.0, &other.0)
    }

    /// Returns what to call it in errors.
    pub(super) fn described(&self) -> String {
        match self.name() {
            Some(name) => format!("`{name}`"),
            None => format!("the {} of shape {}", self.kind(), shape::show_shape(self.shape())),
        }
    }
}

impl fmt::Debug for Symbol {
    /// Without the symbols it depends on: those can be a whole network.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Symbol({}, {})", self.described(), shape::show_shape(self.shape()))
    }
}

/// Only the order of these numbers within one network matters, never their values.
fn next_serial() -> u64 {
    static SERIAL: AtomicU64 = AtomicU64::new(0);
    SERIAL.fetch_add(1, Ordering::Relaxed)
}
