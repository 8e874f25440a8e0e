//! `Concatenate`: several values, one after the other along an axis.

use std::sync::Arc;

use crate::error::{Error, Result};
use crate::registry::{Entry, Parameter, Type};
use crate::tensor::Graph;

use super::super::kernel::{Backward, Forward};
use super::super::{Integers, Kernel, Layer, Pass, Shape, Symbol, Weight, shape, show_shape};
use super::mask::{Any, NotEqual};
use super::{LayerEntry, NAME};

pub(super) const CONCATENATE: LayerEntry = LayerEntry {
    entry: Entry {
        name: "Concatenate",
        aliases: &[],
        doc: "Joins values along an axis; all other axes must be equal.\n\n\
              Inputs `[batch, …, n]` and `[batch, …, m]`, output `[batch, …, n + m]`.",
        parameters: &[
            Parameter::optional("axis", Type::Int, "-1", "the axis, counted with the batch axis as 0, or from the end"),
            NAME,
        ],
        build: |a| match a.int("axis") {
            0 => Err(a.refuse("axis", "an axis other than 0, the batch").hint("records are never mixed")),
            axis => Ok(Box::new(Concatenate { axis })),
        },
    },
    script_name: "concatenate",
    positional: &[],
    merges: true,
};

#[derive(Debug)]
struct Concatenate {
    axis: i64,
}

impl Layer for Concatenate {
    fn kind(&self) -> &'static str {
        "Concatenate"
    }

    fn integers(&self) -> Integers {
        Integers::Kept
    }

    fn mask(&self, inputs: &[Symbol]) -> Result<Option<Symbol>> {
        let sequences = inputs.iter().all(|input| input.shape().len() == 2);
        if !sequences || inputs.iter().all(|input| input.mask().is_none()) {
            return Ok(None);
        }
        match shape::inner_axis(self.axis, 2) {
            // Steps one after the other, so are their masks; all steps of a value without one count.
            Some(0) => {
                let own = |input: &Symbol| match input.mask() {
                    Some(mask) => Ok(mask.clone()),
                    None => NotEqual::anywhere(f64::NAN, input),
                };
                let masks = inputs.iter().map(own).collect::<Result<Vec<_>>>()?;
                Symbol::apply(Arc::new(Concatenate { axis: 1 }), None, &masks).map(Some)
            }
            _ => Any::of(inputs),
        }
    }

    fn output_shape(&self, inputs: &[Shape]) -> Result<Shape> {
        let [first, rest @ ..] = inputs else {
            return Err(Error::recipe("expected at least one input, found 0"));
        };
        let axis = shape::inner_axis(self.axis, first.len()).ok_or_else(|| {
            Error::recipe(format!(
                "`axis` {} is outside of shape {} without the batch axis",
                self.axis,
                show_shape(first)
            ))
            .hint("axis 1 is the first after the batch, -1 the last")
        })?;
        let mut joined = first.clone();
        for shape in rest {
            let fits = shape.len() == joined.len()
                && (0..shape.len()).all(|other| {
                    other == axis || shape[other].is_none() || joined[other].is_none() || shape[other] == joined[other]
                });
            if !fits {
                let shapes: Vec<String> = inputs.iter().map(|shape| show_shape(shape)).collect();
                return Err(Error::recipe(format!(
                    "expected inputs that differ only in axis {}, found {}",
                    axis + 1,
                    shapes.join(" and ")
                )));
            }
            for (other, length) in shape.iter().enumerate() {
                joined[other] = match other == axis {
                    true => joined[other].zip(*length).and_then(|(a, b)| a.checked_add(b)),
                    false => joined[other].or(*length),
                };
            }
        }
        Ok(joined)
    }

    fn weights(&self, _: &[Shape]) -> Result<Vec<Weight>> {
        Ok(Vec::new())
    }

    fn compose(&self, inputs: &[Graph], _: &[Graph], _: &mut Pass) -> Result<Graph> {
        let inner = shape::inner_axis(self.axis, inputs[0].rank().saturating_sub(1));
        let axis = inner.ok_or_else(|| Error::recipe("`axis` is outside of the value"))? + 1;
        // Integers of different kinds, or integers and floats, become floats.
        let dtype = inputs[0].dtype();
        if inputs.iter().all(|input| input.dtype() == dtype) {
            return Ok(Graph::cat(inputs, axis)?);
        }
        let float =
            inputs.iter().map(Graph::dtype).find(candle_core::DType::is_float).unwrap_or(candle_core::DType::F32);
        let cast: Vec<Graph> = inputs.iter().map(|input| input.to_dtype(float)).collect::<candle_core::Result<_>>()?;
        Ok(Graph::cat(&cast, axis)?)
    }
    fn kernel(&self, inputs: &[&[usize]]) -> Option<Box<dyn Kernel>> {
        let axis = shape::inner_axis(self.axis, inputs.first()?.len())?;
        Some(Box::new(Own { widths: inputs.iter().map(|shape| shape[axis..].iter().product()).collect() }))
    }
}

/// The layer on slices: pieces of these lengths, one of each input in turn.
struct Own {
    widths: Vec<usize>,
}

impl Kernel for Own {
    fn forward(&mut self, step: &mut Forward<'_>) -> Result<()> {
        let whole: usize = self.widths.iter().sum();
        let mut start = 0;
        for (at, width) in self.widths.iter().enumerate() {
            let pieces = step.inputs.get(at).chunks_exact((*width).max(1));
            for (row, piece) in step.output.chunks_exact_mut(whole.max(1)).zip(pieces) {
                row[start..start + width].copy_from_slice(piece);
            }
            start += width;
        }
        Ok(())
    }

    fn backward(&mut self, step: &mut Backward<'_>) -> Result<()> {
        let whole: usize = self.widths.iter().sum();
        let mut start = 0;
        for (at, width) in self.widths.iter().enumerate() {
            if let Some(target) = step.input_gradients.take(at) {
                let pieces = target.values.chunks_exact_mut((*width).max(1));
                for (row, piece) in step.gradient.chunks_exact(whole.max(1)).zip(pieces) {
                    let own = &row[start..start + width];
                    match target.add {
                        false => piece.copy_from_slice(own),
                        true => piece.iter_mut().zip(own).for_each(|(piece, own)| *piece += own),
                    }
                }
            }
            start += width;
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::network::kernel::testing::{check, noise};

    #[test]
    fn kernels_join_as_composition_does() {
        for (axis, shapes) in [
            (-1, [&[4, 3][..], &[4, 5], &[4, 1]]),
            (1, [&[2, 3], &[4, 3], &[1, 3]]),
            (2, [&[3, 1, 2], &[3, 2, 2], &[3, 3, 2]]),
        ] {
            check(&Concatenate { axis }, &shapes, 6, noise);
        }
    }
}
