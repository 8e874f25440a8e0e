//! What all layers have in common: gradients, refusals, draws, and kernels against operations.

#![allow(clippy::cloned_ref_to_slice_refs, reason = "a list of one reads like a list of two")]

mod drawn;
mod gradients;
mod kernels;
mod refusals;
mod values;

use serde_json::{Value, json};

use super::super::{Network, Pass, Symbol};
use super::*;
use crate::random::{Random, Stream};
use crate::tensor::{Dtype, Graph, device};

fn params(value: Value) -> Params {
    value.as_object().unwrap().clone()
}

fn apply(layer: &str, options: Value, shapes: &[&[usize]]) -> Result<Network> {
    let input = |shape: &&[usize]| {
        let shape: Vec<Option<usize>> = shape.iter().map(|length| Some(*length)).collect();
        Symbol::input(None, &shape, Dtype::F64).unwrap()
    };
    let inputs: Vec<Symbol> = shapes.iter().map(input).collect();
    let output = find(layer)?.make(&params(options))?.apply(&inputs)?;
    Network::new(&inputs, &[output])
}

fn random(shape: &[usize], key: u64) -> Graph {
    let mut random = Random::new(11, Stream::Script, &[key]);
    let values: Vec<f64> = (0..shape.iter().product()).map(|_| random.uniform_between(-1.5, 1.5)).collect();
    Graph::from_vec(values, shape, &device::cpu()).unwrap()
}

#[test]
fn the_list_is_in_order() {
    for layer in LIST {
        let names: Vec<&str> = layer.entry.parameters.iter().map(|parameter| parameter.name).collect();
        assert!(names.contains(&"name"), "{}", layer.entry.name);
        assert!(layer.positional.iter().all(|name| names.contains(name)), "{}", layer.entry.name);
        let others = LIST.iter().filter(|other| other.script_name == layer.script_name);
        assert_eq!(others.count(), 1, "{}", layer.entry.name);
    }
}
