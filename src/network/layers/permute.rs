//! `Permute`: the axes of each record in another order.

use crate::error::{Error, Result};
use crate::registry::{Arguments, Entry, Parameter, Type};

use super::super::onnx::Step;
use super::super::{Shape, show_shape};
use super::moved::{Moved, Moves};
use super::{LayerEntry, NAME};

pub(super) const PERMUTE: LayerEntry = LayerEntry {
    entry: Entry {
        name: "Permute",
        aliases: &[],
        doc: "Puts the axes of each record in another order.\n\n\
              Input `[batch, a, b, …]`, output `[batch, …]` with the same axes in the order of `dims`.",
        parameters: &[
            Parameter::required(
                "dims",
                Type::Ints,
                "the input's axes in their new order, counted with the batch axis as 0: `[2, 1]` swaps two",
            ),
            NAME,
        ],
        build: |a| Ok(Box::new(Moved(Permute { dims: dims(a)? }))),
    },
    script_name: "permute",
    positional: &["dims"],
    merges: false,
};

fn dims(a: &Arguments) -> Result<Vec<usize>> {
    let given: Vec<i64> = match a.value("dims") {
        serde_json::Value::Array(items) => items.iter().filter_map(serde_json::Value::as_i64).collect(),
        value => value.as_i64().into_iter().collect(),
    };
    let mut sorted = given.clone();
    sorted.sort_unstable();
    match sorted.iter().copied().eq(1..=given.len() as i64) {
        true => Ok(given.into_iter().map(|axis| axis as usize - 1).collect()),
        false => Err(a.refuse("dims", "each axis from 1 on once, such as `[2, 1]`").hint("the batch axis, 0, stays")),
    }
}

/// The input's axes in their new order, without the batch axis.
#[derive(Debug)]
struct Permute {
    dims: Vec<usize>,
}

impl Moves for Permute {
    fn kind(&self) -> &'static str {
        "Permute"
    }

    fn output_shape(&self, input: &Shape) -> Result<Shape> {
        match input.len() == self.dims.len() {
            true => Ok(self.dims.iter().map(|axis| input[*axis]).collect()),
            false => Err(Error::recipe(format!(
                "expected an input of {} axes beside the batch axis, found {}",
                self.dims.len(),
                show_shape(input)
            ))),
        }
    }

    fn onnx(&self, step: &mut Step<'_>) -> Result<String> {
        let x = step.x(0);
        let axes: Vec<usize> = std::iter::once(0).chain(self.dims.iter().map(|axis| axis + 1)).collect();
        Ok(step.to.transpose(&x, &axes))
    }

    fn places(&self, lengths: &[usize]) -> (usize, Vec<Option<usize>>) {
        let steps: Vec<usize> = (0..lengths.len()).map(|axis| lengths[axis + 1..].iter().product()).collect();
        let mut places = vec![0];
        for axis in &self.dims {
            let (length, step) = (lengths[*axis], steps[*axis]);
            places = places.iter().flat_map(|place| (0..length).map(move |at| place + at * step)).collect();
        }
        (1, places.into_iter().map(Some).collect())
    }
}
