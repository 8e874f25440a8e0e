//! `Add`, `Subtract`, `Multiply`, `Average`, `Maximum`, `Minimum`: several values of one shape become one.

use crate::error::{Error, Result};
use crate::kernel::activation::Activation;
use crate::kernel::pool;
use crate::registry::Entry;
use crate::simd;
use crate::tensor::Graph;

use super::super::kernel::{Backward, Forward};
use super::super::onnx::Step;
use super::super::{Kernel, Layer, Pass, Shape, Symbol, Weight, show_shape};
use super::mask::Any;
use super::{LayerEntry, NAME};

pub(super) const ADD: LayerEntry =
    entry("Add", "add", "Adds the values, element by element.", |_| Ok(Box::new(Merge(Operation::Add))));
pub(super) const SUBTRACT: LayerEntry =
    entry("Subtract", "subtract", "Subtracts the second value from the first.", |_| {
        Ok(Box::new(Merge(Operation::Subtract)))
    });
pub(super) const MULTIPLY: LayerEntry =
    entry("Multiply", "multiply", "Multiplies the values, element by element.", |_| {
        Ok(Box::new(Merge(Operation::Multiply)))
    });
pub(super) const AVERAGE: LayerEntry =
    entry("Average", "average", "Takes the mean of the values, element by element.", |_| {
        Ok(Box::new(Merge(Operation::Average)))
    });
pub(super) const MAXIMUM: LayerEntry =
    entry("Maximum", "maximum", "Takes the largest of the values, element by element.", |_| {
        Ok(Box::new(Merge(Operation::Maximum)))
    });
pub(super) const MINIMUM: LayerEntry =
    entry("Minimum", "minimum", "Takes the smallest of the values, element by element.", |_| {
        Ok(Box::new(Merge(Operation::Minimum)))
    });

const fn entry(
    name: &'static str,
    script_name: &'static str,
    doc: &'static str,
    build: fn(&crate::registry::Arguments) -> Result<Box<dyn Layer>>,
) -> LayerEntry {
    LayerEntry {
        entry: Entry { name, aliases: &[], doc, parameters: &[NAME], build },
        script_name,
        positional: &[],
        merges: true,
    }
}

#[derive(Clone, Copy, Debug, PartialEq)]
enum Operation {
    Add,
    Subtract,
    Multiply,
    Average,
    Maximum,
    Minimum,
}

/// Shapes are joined as Keras joins them: axis by axis from the last one; an axis of length 1, or one that is
/// missing, is repeated. The batch axis never is.
#[derive(Debug)]
struct Merge(Operation);

impl Layer for Merge {
    fn kind(&self) -> &'static str {
        match self.0 {
            Operation::Add => "Add",
            Operation::Subtract => "Subtract",
            Operation::Multiply => "Multiply",
            Operation::Average => "Average",
            Operation::Maximum => "Maximum",
            Operation::Minimum => "Minimum",
        }
    }

    fn mask(&self, inputs: &[Symbol]) -> Result<Option<Symbol>> {
        Any::of(inputs)
    }

    fn output_shape(&self, inputs: &[Shape]) -> Result<Shape> {
        match (self.0, inputs) {
            (Operation::Subtract, [_, _]) => {}
            (Operation::Subtract, _) => {
                return Err(Error::recipe(format!("expected two inputs, found {}", inputs.len())));
            }
            (_, [] | [_]) => {
                return Err(Error::recipe(format!("expected at least two inputs, found {}", inputs.len())));
            }
            _ => {}
        }
        let (first, rest) = inputs.split_first().ok_or_else(|| Error::recipe("expected inputs"))?;
        let joined = rest.iter().try_fold(first.clone(), |shape, next| join(&shape, next));
        joined.ok_or_else(|| {
            let shapes: Vec<String> = inputs.iter().map(|shape| show_shape(shape)).collect();
            Error::recipe(format!("expected inputs of one shape, found {}", shapes.join(" and ")))
                .hint("only an axis of length 1 is repeated; `Concatenate` joins values of different length")
        })
    }

    fn weights(&self, _: &[Shape]) -> Result<Vec<Weight>> {
        Ok(Vec::new())
    }

    fn onnx(&self, step: &mut Step<'_>) -> Result<String> {
        let rank = step.shapes.iter().map(Vec::len).max().unwrap_or(0);
        let mut values = Vec::with_capacity(step.inputs.len());
        for at in 0..step.inputs.len() {
            // Missing axes come after the batch axis, so that records stay apart.
            let (x, missing) = (step.x(at), rank - step.shapes[at].len());
            let axes: Vec<i64> = (1..=missing as i64).collect();
            values.push(if missing == 0 { x } else { step.to.unsqueeze(&x, &axes) });
        }
        let operation = match self.0 {
            Operation::Add | Operation::Average => "Add",
            Operation::Subtract => "Sub",
            Operation::Multiply => "Mul",
            Operation::Maximum => "Max",
            Operation::Minimum => "Min",
        };
        let mut y = values[0].clone();
        for value in &values[1..] {
            y = step.to.two(operation, &y, value);
        }
        Ok(match self.0 {
            Operation::Average => step.to.with("Mul", &y, 1.0 / values.len() as f64),
            _ => y,
        })
    }

    fn compose(&self, inputs: &[Graph], _: &[Graph], _: &mut Pass) -> Result<Graph> {
        let rank = inputs.iter().map(Graph::rank).max().unwrap_or(0);
        let mut values = Vec::with_capacity(inputs.len());
        for input in inputs {
            // Missing axes come after the batch axis, so that records stay apart.
            values.push(match rank - input.rank() {
                0 => input.clone(),
                missing => {
                    let mut shape = input.dims().to_vec();
                    shape.splice(1..1, std::iter::repeat_n(1, missing));
                    input.reshape(shape)?
                }
            });
        }
        let mut result = values[0].clone();
        for value in &values[1..] {
            result = combine(self.0, &result, value)?;
        }
        match self.0 {
            Operation::Average => Ok(result.affine(1.0 / inputs.len() as f64, 0.0)?),
            _ => Ok(result),
        }
    }

    fn kernel(&self, inputs: &[&[usize]]) -> Option<Box<dyn Kernel>> {
        let equal = inputs.windows(2).all(|pair| pair[0] == pair[1]);
        let several = matches!(self.0, Operation::Maximum | Operation::Minimum) && inputs.len() != 2;
        if equal && !several { Some(Box::new(Own(self.0, false))) } else { None }
    }

    fn kernel_with(&self, inputs: &[&[usize]], then: Activation) -> Option<Box<dyn Kernel>> {
        let equal = inputs.windows(2).all(|pair| pair[0] == pair[1]);
        match equal && self.0 == Operation::Add && then.is_relu() {
            true => Some(Box::new(Own(self.0, true))),
            false => None,
        }
    }
}

/// The layer on slices of one shape; whether a relu follows.
struct Own(Operation, bool);

impl Kernel for Own {
    fn forward(&mut self, step: &mut Forward<'_>) -> Result<()> {
        let (inputs, work) = (step.inputs, step.output.len() * step.inputs.len());
        let operation = match self.0 {
            Operation::Add | Operation::Average => add,
            Operation::Subtract => subtract,
            Operation::Multiply => multiply,
            Operation::Maximum => maximum,
            Operation::Minimum => minimum,
        };
        pool::rows(step.output, 1, work, |first, part| {
            let range = first..first + part.len();
            let begun = match self.0 {
                Operation::Add | Operation::Average if inputs.len() > 1 => {
                    put_sum(part, &inputs.get(0)[range.clone()], &inputs.get(1)[range.clone()]);
                    2
                }
                _ => {
                    part.copy_from_slice(&inputs.get(0)[range.clone()]);
                    1
                }
            };
            for at in begun..inputs.len() {
                operation(part, &inputs.get(at)[range.clone()]);
            }
            if self.0 == Operation::Average {
                scale(part, 1.0 / inputs.len() as f32);
            }
            if self.1 {
                above_zero(part);
            }
        });
        Ok(())
    }

    fn backward(&mut self, step: &mut Backward<'_>) -> Result<()> {
        if self.1 {
            pool::rows(step.gradient, 1, step.output.len(), |first, part| {
                zero_where_zero(part, &step.output[first..first + part.len()]);
            });
        }
        let (inputs, output, gradient) = (step.inputs, step.output, &*step.gradient);
        for at in 0..inputs.len() {
            let Some(target) = step.input_gradients.take(at) else { continue };
            let add_up = target.add;
            pool::rows(target.values, 1, gradient.len() * 2, |first, part| {
                let range = first..first + part.len();
                let put = if add_up { add_scaled } else { put_scaled };
                let own = &gradient[range.clone()];
                match self.0 {
                    Operation::Add => put(part, own, 1.0),
                    Operation::Subtract => put(part, own, if at == 0 { 1.0 } else { -1.0 }),
                    Operation::Average => put(part, own, 1.0 / inputs.len() as f32),
                    Operation::Multiply => {
                        for (index, (value, gradient)) in part.iter_mut().zip(own).enumerate() {
                            let others = (0..inputs.len()).filter(|other| *other != at);
                            let factor: f32 = others.map(|other| inputs.get(other)[first + index]).product();
                            *value = if add_up { *value } else { 0.0 } + gradient * factor;
                        }
                    }
                    Operation::Maximum | Operation::Minimum => {
                        let (mine, other) = (&inputs.get(at)[range.clone()], &inputs.get(1 - at)[range.clone()]);
                        if !add_up {
                            part.fill(0.0);
                        }
                        chosen(part, own, &output[range], mine, other);
                    }
                }
            });
        }
        Ok(())
    }
}

simd! {
    fn put_sum(values: &mut [f32], a: &[f32], b: &[f32]) {
        values.iter_mut().zip(a.iter().zip(b)).for_each(|(value, (a, b))| *value = a + b);
    }

    fn add(values: &mut [f32], other: &[f32]) {
        values.iter_mut().zip(other).for_each(|(value, other)| *value += other);
    }

    fn subtract(values: &mut [f32], other: &[f32]) {
        values.iter_mut().zip(other).for_each(|(value, other)| *value -= other);
    }

    fn multiply(values: &mut [f32], other: &[f32]) {
        values.iter_mut().zip(other).for_each(|(value, other)| *value *= other);
    }

    fn maximum(values: &mut [f32], other: &[f32]) {
        values.iter_mut().zip(other).for_each(|(value, other)| *value = if *other > *value { *other } else { *value });
    }

    fn minimum(values: &mut [f32], other: &[f32]) {
        values.iter_mut().zip(other).for_each(|(value, other)| *value = if *other < *value { *other } else { *value });
    }

    fn scale(values: &mut [f32], factor: f32) {
        values.iter_mut().for_each(|value| *value *= factor);
    }

    fn above_zero(values: &mut [f32]) {
        values.iter_mut().for_each(|value| *value = if *value <= 0.0 { 0.0 } else { *value });
    }

    fn zero_where_zero(gradient: &mut [f32], output: &[f32]) {
        gradient.iter_mut().zip(output).for_each(|(own, output)| *own = if *output > 0.0 { *own } else { 0.0 });
    }

    fn put_scaled(values: &mut [f32], other: &[f32], factor: f32) {
        values.iter_mut().zip(other).for_each(|(value, other)| *value = other * factor);
    }

    fn add_scaled(values: &mut [f32], other: &[f32], factor: f32) {
        values.iter_mut().zip(other).for_each(|(value, other)| *value += other * factor);
    }

    /// Adds gradients where the own value was chosen; where both were equal, each gets half.
    fn chosen(values: &mut [f32], gradient: &[f32], output: &[f32], mine: &[f32], other: &[f32]) {
        for ((((value, gradient), output), mine), other) in
            values.iter_mut().zip(gradient).zip(output).zip(mine).zip(other)
        {
            let share = if mine == other { 0.5 } else { 1.0 };
            *value += if mine == output { gradient * share } else { 0.0 };
        }
    }
}

fn combine(operation: Operation, a: &Graph, b: &Graph) -> candle_core::Result<Graph> {
    let same = a.dims() == b.dims();
    match operation {
        Operation::Add | Operation::Average if same => a.add(b),
        Operation::Add | Operation::Average => a.broadcast_add(b),
        Operation::Subtract if same => a.sub(b),
        Operation::Subtract => a.broadcast_sub(b),
        Operation::Multiply if same => a.mul(b),
        Operation::Multiply => a.broadcast_mul(b),
        Operation::Maximum => a.broadcast_maximum(b),
        Operation::Minimum => a.broadcast_minimum(b),
    }
}

fn join(a: &Shape, b: &Shape) -> Option<Shape> {
    let (long, short) = if a.len() >= b.len() { (a, b) } else { (b, a) };
    let missing = long.len() - short.len();
    let pair = |(index, axis): (usize, &Option<usize>)| match index.checked_sub(missing).map(|index| short[index]) {
        None | Some(Some(1)) => Some(*axis),
        Some(other) if *axis == Some(1) => Some(other),
        Some(None) => Some(None),
        Some(other) if axis.is_none() || *axis == other => Some(*axis),
        Some(_) => None,
    };
    long.iter().enumerate().map(pair).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::network::kernel::testing::{check, check_with, noise};

    #[test]
    fn kernels_merge_as_composition_does() {
        let both = [Operation::Maximum, Operation::Minimum];
        let any = [Operation::Add, Operation::Subtract, Operation::Multiply, Operation::Average];
        for operation in both.into_iter().chain(any) {
            let layer = Merge(operation);
            // Some values are equal.
            check(&layer, &[&[5, 3], &[5, 3]], 7, |input, at| if at % 4 == 0 { 0.5 } else { noise(input, at) });
            check(&layer, &[&[9001], &[9001]], 5, noise);
            if operation == Operation::Add {
                check_with(Box::new(Merge(operation)), "relu", &[&[90], &[90]], 5, noise);
            }
            if !both.contains(&operation) && operation != Operation::Subtract {
                check(&layer, &[&[6], &[6], &[6]], 4, noise);
            }
        }
    }
}
