//! What a plan knows before its first pass: shapes, the buffers of gradients, the amount of work.

use crate::error::{Error, Result};
use crate::network::shape::bounded;
use crate::network::{Integers, Layer, Network, Shape, WeightInfo, show_shape};
use crate::tensor::{Array, Dtype};

use super::{Output, Step};

/// Whole numbers up to this are exact in f32.
const EXACT: usize = 1 << 24;

/// Returns whether f32 holds everything this network computes with as exactly as composed operations do: tables are
/// not longer than whole numbers are exact, and where f64 comes in, weights make f32 of it.
pub(super) fn exact(network: &Network) -> bool {
    let long = |node: &super::super::graph::Node| {
        let weights = &network.weights[node.weights.clone()];
        node.layer.integers() == Integers::Indices && weights.iter().any(|weight| weight.shape.first() > Some(&EXACT))
    };
    let wide = network.weights.is_empty() && network.inputs.iter().any(|port| port.dtype == Dtype::F64);
    let whole = |value: &usize| match value.checked_sub(network.inputs.len()) {
        None => network.inputs[*value].dtype,
        Some(node) => network.nodes[node].dtype,
    };
    let integers = network.output_values.iter().any(|value| matches!(whole(value), Dtype::I64 | Dtype::U8));
    !wide && !integers && !network.nodes.iter().any(long)
}

/// Returns the shape of a layer's output for inputs of known shapes.
pub(super) fn shape(layer: &dyn Layer, inputs: &[&[usize]]) -> Result<Vec<usize>> {
    let open: Vec<Shape> = inputs.iter().map(|shape| shape.iter().copied().map(Some).collect()).collect();
    let shape = layer.output_shape(&open)?;
    bounded(&shape)?;
    let known: Option<Vec<usize>> = shape.iter().copied().collect();
    known.ok_or_else(|| Error::run(format!("expected an output of known shape, found {}", show_shape(&shape))))
}

/// Returns about how many multiplications a layer takes for one record: all weights meet each position of the input,
/// but a table is only looked up.
pub(super) fn work(layer: &dyn Layer, inputs: &[&[usize]], output: &[usize], weights: &[WeightInfo]) -> usize {
    let count = |shape: &[usize]| shape.iter().product::<usize>();
    let positions = inputs.iter().map(|shape| shape.split_last().map_or(1, |(_, front)| count(front))).max();
    let weights: usize = weights.iter().map(|weight| count(&weight.shape)).sum();
    match layer.integers() {
        Integers::Indices => count(output),
        _ => count(output).max(positions.unwrap_or(1).saturating_mul(weights)),
    }
}

/// Gives every gradient a buffer; two share one when the first is used up before the second is begun. Returns the
/// buffer of each value (or their number, where no gradient is wanted) and how many buffers there are.
pub(super) fn share(steps: &[Step], outputs: &[Output], sizes: &[usize], wanted: &[bool]) -> (Vec<usize>, usize) {
    let mut places: Vec<Option<usize>> = vec![None; sizes.len()];
    let (mut lengths, mut free): (Vec<usize>, Vec<usize>) = (Vec::new(), Vec::new());
    let mut take = |size: usize, free: &mut Vec<usize>| {
        // The smallest that is large enough, else the largest.
        let fitting = free.iter().enumerate().filter(|(_, place)| lengths[**place] >= size);
        let best = fitting.min_by_key(|(_, place)| lengths[**place]);
        let best = best.or_else(|| free.iter().enumerate().max_by_key(|(_, place)| lengths[**place]));
        match best.map(|(at, _)| at) {
            Some(at) => {
                let place = free.swap_remove(at);
                lengths[place] = lengths[place].max(size);
                place
            }
            None => {
                lengths.push(size);
                lengths.len() - 1
            }
        }
    };
    for output in outputs.iter().filter(|output| wanted[output.value]) {
        if places[output.value].is_none() {
            places[output.value] = Some(take(sizes[output.value], &mut free));
        }
    }
    for step in steps.iter().rev().filter(|step| wanted[step.output]) {
        for input in step.inputs.iter().filter(|input| wanted[**input]) {
            if places[*input].is_none() {
                places[*input] = Some(take(sizes[*input], &mut free));
            }
        }
        free.extend(places[step.output]);
    }
    let count = lengths.len();
    (places.into_iter().map(|place| place.unwrap_or(count)).collect(), count)
}

/// Copies the numbers of an array; returns whether there were as many as places.
pub(super) fn copy(array: &Array, place: &mut [f32]) -> bool {
    if array.size() != place.len() {
        return false;
    }
    match array {
        Array::F32(own) => match own.as_slice() {
            Some(own) => place.copy_from_slice(own),
            None => place.iter_mut().zip(own).for_each(|(place, own)| *place = *own),
        },
        Array::F64(own) => place.iter_mut().zip(own).for_each(|(place, own)| *place = *own as f32),
        Array::I64(own) => place.iter_mut().zip(own).for_each(|(place, own)| *place = *own as f32),
        Array::U8(own) => place.iter_mut().zip(own).for_each(|(place, own)| *place = f32::from(*own)),
    }
    true
}
