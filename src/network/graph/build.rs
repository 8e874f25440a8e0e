//! How a network is made from the values of layers: reachable ones sorted, named and checked.

use std::collections::{HashMap, HashSet};
use std::ops::Range;
use std::sync::Arc;

use crate::error::{Error, Result};
use crate::record::Name;
use crate::tensor::Dtype;

use super::super::names::{self, Names};
use super::super::symbol::{Inner, LayerInstance, Source};
use super::super::{Integers, Shape, Symbol};
use super::{Network, Node, Port, WeightInfo};

impl Network {
    pub(super) fn check_output_names(&self) -> Result<()> {
        let mut seen = HashSet::new();
        match self.outputs.iter().find(|output| !seen.insert(&output.name)) {
            None => Ok(()),
            Some(twice) => Err(Error::recipe(format!("two outputs are named `{}`", twice.name)).hint(
                "an output is named after its layer; for another name, apply the activation `linear` with a `name`",
            )),
        }
    }

    pub(super) fn add_nodes(
        &mut self,
        inputs: &[Symbol],
        symbols: &[Symbol],
        names: &HashMap<*const (), Name>,
    ) -> Result<()> {
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
                activity: instance.activity.clone(),
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
    pub(super) fn values(&self, inputs: &[Symbol], symbols: &[Symbol]) -> HashMap<*const Inner, usize> {
        let layers = symbols.iter().filter(|symbol| matches!(symbol.0.source, Source::Layer { .. }));
        inputs.iter().chain(layers).enumerate().map(|(value, symbol)| (key(symbol), value)).collect()
    }

    pub(super) fn find_last_uses(&mut self) {
        let ends = self.output_values.iter().chain(self.output_masks.iter().flatten());
        let mut seen: HashSet<usize> = ends.copied().collect();
        for node in self.nodes.iter_mut().rev() {
            node.last_used = node.inputs.iter().copied().filter(|value| seen.insert(*value)).collect();
        }
    }
}

/// The symbols that lead to the outputs, in order of creation.
pub(super) fn reachable(outputs: &[Symbol]) -> Vec<Symbol> {
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

pub(super) fn check_inputs(inputs: &[Symbol], symbols: &[Symbol]) -> Result<()> {
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
pub(super) fn name_all(symbols: &[Symbol]) -> Result<HashMap<*const (), Name>> {
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

pub(super) fn port(symbol: &Symbol, names: &HashMap<*const (), Name>) -> Result<Port> {
    let identity = match &symbol.0.source {
        Source::Input { .. } => input_key(symbol),
        Source::Layer { instance, .. } => instance_key(instance),
    };
    let name = names.get(&identity).ok_or_else(|| Error::recipe(format!("{} has no name", symbol.described())))?;
    names::check(name)?;
    Ok(Port { name: Name::clone(name), shape: symbol.0.shape.clone(), dtype: symbol.dtype() })
}

pub(super) fn key(symbol: &Symbol) -> *const Inner {
    Arc::as_ptr(&symbol.0)
}

pub(super) fn input_key(symbol: &Symbol) -> *const () {
    Arc::as_ptr(&symbol.0).cast()
}

pub(super) fn instance_key(instance: &Arc<LayerInstance>) -> *const () {
    Arc::as_ptr(instance).cast()
}
