//! Networks as scripts write them: symbolic layers in Keras vocabulary.
//!
//! The functions of layers are registered from the list of layers, so that a new layer is one file there
//! and nothing here.

use std::sync::Arc;

use rhai::plugin::*;
use rhai::{Array as List, Dynamic, Engine, FnPtr, Map};

use crate::error::Error;
use crate::network::layers::Lambda;
use crate::network::{LayerEntry, Network, Symbol, layers};
use crate::registry::{Parameter, Type};
use crate::script::adaptor::ScriptFunction;
use crate::script::api::arguments::{Answer, Layers, Shape};
use crate::script::api::{Page, options::Options, table};
use crate::script::cast;
use crate::script::host::Host;
use crate::script::traceback::{raise, type_phrase};
use crate::tensor::Dtype;

/// The page of the manual.
pub const PAGE: Page = Page {
    name: "network",
    title: "Networks",
    intro: "A network script defines `build(params)` and returns `network(inputs, outputs)`. `input` makes a symbolic value; \
            each layer is a method of one, with the parameters of [the list of layers](layers.md): the \
            leading ones by position, all of them by name in a map. Layers that join several values take them as an array. \
            Data is channels last. Inputs and outputs are known by their layers' names.\n\n\
            ```rhai\n\
            fn build(params) {\n    \
                let x = input(\"flower\", [4]);\n    \
                let y = x.dense(params.units, #{ activation: \"relu\" }).dense(3, #{ activation: \"softmax\", name: \"species\" });\n    \
                network(x, y)\n\
            }\n\
            build(#{ units: 10 }).parameters // => 83\n\
            ```",
    register,
};

fn register(engine: &mut Engine) {
    engine.register_type_with_name::<Symbol>("Layer");
    engine.register_type_with_name::<Network>("Network");
    let mut module = exported_module!(functions);
    for entry in layers::LIST {
        register_layer(&mut module, entry);
    }
    engine.register_global_module(module.into());
}

/// Registers `layer.dense(positional…)` and `layer.dense(positional…, #{ … })`, or `add([x, y])` and
/// `add([x, y], #{ … })`.
fn register_layer(module: &mut rhai::Module, entry: &'static LayerEntry) {
    let text = format!(
        "Returns the value after the layer [`{}`](layers.md): {}",
        entry.entry.name,
        entry.entry.doc.lines().next().unwrap_or_default().trim_start()
    );
    let declared = |name: &str| declared(entry, name);
    let mut parameters = vec![if entry.merges { ("values", table::ARRAY) } else { ("layer", table::LAYER) }];
    for taken in 0..=entry.positional.len() {
        if let Some(name) = taken.checked_sub(1).and_then(|at| entry.positional.get(at)) {
            let kind = declared(name).map_or("any", |parameter| type_name(parameter.kind));
            parameters.push((*name, table::ANY.shown_as(kind)));
        }
        let needs_more = entry
            .positional
            .iter()
            .skip(taken)
            .any(|name| declared(name).is_some_and(|parameter| parameter.default.is_none()));
        // What is not given by position may stand among the options.
        for options in if needs_more { &[true][..] } else { &[false, true] } {
            let options = *options;
            let mut all = parameters.clone();
            if options {
                all.push(("options", table::MAP));
            }
            table::register(module, entry.script_name, &text, &all, "Layer", move |_, arguments| {
                apply(entry, arguments, taken, options)
            });
        }
    }
}

/// Returns a declared type, by the name from which the manual makes its own: the engine drops blanks.
pub fn type_name(kind: Type) -> &'static str {
    match kind {
        Type::Bool => "bool",
        Type::Int => "int",
        Type::Float => "Num",
        Type::Text => "string",
        Type::Ints => "Axes",
        Type::Floats | Type::Texts => "array",
        Type::Map => "map",
        Type::Component => "NameOrBlock",
        Type::Any => "any",
    }
}

fn declared(entry: &LayerEntry, name: &str) -> Option<&'static Parameter> {
    entry.entry.parameters.iter().find(|parameter| parameter.name == name)
}

fn apply(entry: &LayerEntry, arguments: &mut [&mut Dynamic], taken: usize, options: bool) -> Answer<Dynamic> {
    let inputs = match entry.merges {
        true => symbols(&arguments[0].clone(), entry.script_name)?,
        false => arguments[0].clone().try_cast::<Symbol>().into_iter().collect(),
    };
    let mut options =
        if options { arguments[taken + 1].clone().try_cast::<Map>().unwrap_or_default() } else { Map::new() };
    // A lone import block is the layer that is asked for, not the options.
    if let Some(name) = entry.positional.get(taken)
        && declared(entry, name).is_some_and(|parameter| parameter.kind == Type::Component)
        && options.contains_key("import")
    {
        options = Map::from([((*name).into(), Dynamic::from(options))]);
    }
    let named = take_values(&mut options);
    let mut params = cast::to_params(&Dynamic::from(options), "options").map_err(raise)?;
    for (name, value) in entry.positional.iter().zip(&arguments[1..=taken]) {
        let value = cast::to_json(value).map_err(|error| raise(error.within(format!("parameter `{name}`"))))?;
        if params.insert((*name).to_owned(), value).is_some() {
            return Err(raise(Error::recipe(format!("`{}`: `{name}` is given twice", entry.script_name))));
        }
    }
    // A name that the layer does not have is refused as that of any other option.
    let unknown = named.iter().filter(|(name, _)| declared(entry, name).is_none());
    params.extend(unknown.map(|(name, _)| (name.clone(), serde_json::Value::Null)));
    let layer = entry.make(&params).map_err(raise)?;
    let named: Vec<(&str, Vec<Symbol>)> = named.iter().map(|(name, values)| (&**name, values.clone())).collect();
    let mut outputs = layer.apply_with(&inputs, &named).map_err(raise)?;
    match (outputs.pop(), outputs.is_empty()) {
        (Some(output), true) => Ok(Dynamic::from(output)),
        (last, _) => Ok(outputs.into_iter().chain(last).map(Dynamic::from).collect::<List>().into()),
    }
}

/// Takes the options that are values of the network, or arrays of them, out of the others.
fn take_values(options: &mut Map) -> Vec<(String, Vec<Symbol>)> {
    let values = |value: &Dynamic| match value.read_lock::<List>() {
        Some(list) if !list.is_empty() => list.iter().map(|item| item.clone().try_cast::<Symbol>()).collect(),
        Some(_) => None,
        None => value.clone().try_cast::<Symbol>().map(|symbol| vec![symbol]),
    };
    let found: Vec<(String, Vec<Symbol>)> =
        options.iter().filter_map(|(name, value)| Some((name.to_string(), values(value)?))).collect();
    for (name, _) in &found {
        options.remove(name.as_str());
    }
    found
}

/// Applies a joining layer by its Keras name.
pub fn merge(name: &str, values: &List, options: Map) -> Answer<Symbol> {
    let entry = layers::find(name).map_err(raise)?;
    let inputs = symbols(&Dynamic::from(values.clone()), entry.script_name)?;
    let params = cast::to_params(&Dynamic::from(options), "options").map_err(raise)?;
    entry.make(&params).and_then(|layer| layer.apply(&inputs)).map_err(raise)
}

/// One symbolic value, or an array of them.
fn symbols(value: &Dynamic, function: &str) -> Answer<Vec<Symbol>> {
    if let Some(symbol) = value.read_lock::<Symbol>() {
        return Ok(vec![symbol.clone()]);
    }
    let list = value.read_lock::<List>();
    let all =
        list.as_ref().map(|list| list.iter().map(|item| item.clone().try_cast::<Symbol>()).collect::<Option<Vec<_>>>());
    match all {
        Some(Some(symbols)) => Ok(symbols),
        Some(None) => {
            Err(raise(Error::script(format!("`{function}`: expected an array of layers, found other values in it"))))
        }
        None => Err(raise(Error::script(format!(
            "`{function}`: expected a layer or an array of layers, found {}",
            type_phrase(value.type_name())
        )))),
    }
}

/// Applies a script's function as a layer.
fn lambda(context: &NativeCallContext<'_>, values: &[Symbol], function: &FnPtr, options: Map) -> Answer<Symbol> {
    let mut options = Options::new("lambda", options);
    let name = options.text("name")?;
    options.finish()?;
    let function = ScriptFunction::new(context, Host::of(context)?, function);
    Lambda::apply(Arc::new(function), name.as_deref(), values).map_err(raise)
}

/// Returns the kind of a layer and its shape, as scripts print it.
pub fn show(layer: &Symbol) -> String {
    let lengths: Vec<String> =
        layer.shape().iter().map(|length| length.map_or("()".to_owned(), |length| length.to_string())).collect();
    format!("Layer({}, [{}])", layer.kind(), lengths.join(", "))
}

#[export_module]
mod functions {
    /// Returns an input of a network: its name, under which loaders give values, and the shape of one record.
    /// A length of `()` is any length. Options: `dtype`, `"f32"` (default) or `"i64"` for indices.
    ///
    /// # Errors
    /// A shape that is no array of whole numbers of at least 1.
    ///
    /// ```rhai
    /// input("x", [4]).shape // => [4]
    /// input("words", [20], #{ dtype: "i64" }).embedding(1000, 8).shape // => [20, 8]
    /// ```
    #[rhai_fn(name = "input", return_raw)]
    pub fn input(name: &str, shape: Shape) -> Answer<Symbol> {
        input_with(name, shape, Map::new())
    }

    #[rhai_fn(name = "input", return_raw)]
    pub fn input_with(name: &str, shape: Shape, options: Map) -> Answer<Symbol> {
        let mut options = Options::new("input", options);
        let dtype = match options.text("dtype")? {
            None => Dtype::F32,
            Some(name) => Dtype::parse(&name).map_err(raise)?,
        };
        options.finish()?;
        let wrong = || {
            raise(Error::script("expected a shape such as `[4]`: whole numbers of at least 1, or `()` for any length"))
        };
        let length = |item: &Dynamic| match (item.is_unit(), item.as_int()) {
            (true, _) => Ok(None),
            (_, Ok(length)) if length >= 1 => Ok(Some(length as usize)),
            _ => Err(wrong()),
        };
        let shape = match shape.read_lock::<List>() {
            Some(list) => list.iter().map(length).collect::<Answer<Vec<_>>>()?,
            None => vec![length(&shape)?],
        };
        Symbol::input(name, &shape, dtype).map_err(raise)
    }

    /// Returns what a function makes of a value, or of several: a layer without weights, which gradients flow through.
    /// The function gets tensors with the batch axis first and returns one; it is tried on ones at once. Variables that
    /// it captures keep the values they have here. Options: `name`.
    ///
    /// # Errors
    /// Whatever the function raises; a result that is no tensor, or has not one value a record.
    ///
    /// ```rhai
    /// let x = input("x", [4]);
    /// x.lambda(|x| (x * 2).tanh()) // => Layer(Lambda, [4])
    /// lambda([x, x.dense(4)], |a, b| (a * b).sum(-1)) // => Layer(Lambda, [])
    /// ```
    #[rhai_fn(name = "lambda", return_raw)]
    pub fn lambda(context: NativeCallContext, layer: Symbol, function: FnPtr) -> Answer<Symbol> {
        super::lambda(&context, &[layer], &function, Map::new())
    }

    #[rhai_fn(name = "lambda", return_raw)]
    pub fn lambda_with(context: NativeCallContext, layer: Symbol, function: FnPtr, options: Map) -> Answer<Symbol> {
        super::lambda(&context, &[layer], &function, options)
    }

    /// Returns the values of several layers after a script's function of as many arguments.
    ///
    /// # Errors
    /// As `layer.lambda`; a function that takes another number of values.
    ///
    /// ```rhai
    /// let x = input("x", [4]);
    /// lambda([x, x.dense(4)], |a, b| a * b) // => Layer(Lambda, [4])
    /// ```
    #[rhai_fn(name = "lambda", return_raw)]
    pub fn lambda_of_several(context: NativeCallContext, values: List, function: FnPtr) -> Answer<Symbol> {
        let values = symbols(&values.into(), "lambda")?;
        super::lambda(&context, &values, &function, Map::new())
    }

    #[rhai_fn(name = "lambda", return_raw)]
    pub fn lambda_of_several_with(
        context: NativeCallContext,
        values: List,
        function: FnPtr,
        options: Map,
    ) -> Answer<Symbol> {
        let values = symbols(&values.into(), "lambda")?;
        super::lambda(&context, &values, &function, options)
    }

    /// Returns the network from inputs to outputs; each is one value or an array of them.
    ///
    /// # Errors
    /// Inputs that do not reach an output, values that need another input, two layers of one name.
    ///
    /// ```rhai
    /// let x = input("x", [4]);
    /// network(x, x.dense(3, #{ name: "y" })).parameters // => 15
    /// ```
    #[rhai_fn(name = "network", return_raw)]
    pub fn network(inputs: Layers, outputs: Layers) -> Answer<Network> {
        Network::new(&symbols(&inputs, "network")?, &symbols(&outputs, "network")?).map_err(raise)
    }

    /// Returns the shape of one record's value, without the batch axis; `()` is any length.
    ///
    /// ```rhai
    /// input("x", [8, 8, 1]).conv2d(16, 3).shape // => [6, 6, 16]
    /// ```
    #[rhai_fn(get = "shape", name = "shape")]
    pub fn shape(layer: Symbol) -> List {
        layer.shape().iter().map(|length| length.map_or(Dynamic::UNIT, |length| Dynamic::from(length as i64))).collect()
    }

    /// Returns a table in text: layers, shapes, parameters.
    ///
    /// ```rhai
    /// let x = input("x", [4]);
    /// print(network(x, x.dense(3, #{ name: "y" })).summary());
    /// ```
    #[rhai_fn(name = "summary")]
    pub fn summary(network: Network) -> String {
        network.summary()
    }

    /// Returns the number of weights of all layers, trained or not.
    ///
    /// ```rhai
    /// let x = input("x", [4]);
    /// network(x, x.dense(3, #{ name: "y" })).parameters // => 15
    /// ```
    #[rhai_fn(get = "parameters", name = "parameters")]
    pub fn parameters(network: Network) -> i64 {
        network.weights().iter().map(|weight| weight.shape.iter().product::<usize>() as i64).sum()
    }

    /// Returns the kind and shape.
    #[rhai_fn(global, name = "to_string", name = "to_debug")]
    pub fn to_string(layer: Symbol) -> String {
        show(&layer)
    }

    /// Returns the summary.
    #[rhai_fn(global, name = "to_string", name = "to_debug")]
    pub fn network_to_string(network: Network) -> String {
        network.summary()
    }
}
