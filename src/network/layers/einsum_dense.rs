//! `EinsumDense`: a product of input and kernel that an equation describes, plus a bias.
//!
//! Equations, weights and defaults are those of Keras 3 (`keras/src/layers/core/einsum_dense.py`). The product is one
//! matrix product of permuted operands.

use std::sync::Arc;

use serde_json::Value;

use crate::error::{Error, Result};
use crate::registry::{Arguments, Entry, Parameter, Type};
use crate::tensor::Graph;

use super::super::onnx::{self, Step};
use super::super::{Activation, Initializer, Layer, Pass, Shape, Weight, shape, show_shape};
use super::conv::{BIAS_INITIALIZER, KERNEL_INITIALIZER};
use super::terms::{
    ACTIVITY_REGULARIZER, BIAS_CONSTRAINT, BIAS_REGULARIZER, KERNEL_CONSTRAINT, KERNEL_REGULARIZER, Terms,
};
use super::{LayerEntry, NAME, TRAINABLE, activation, initializer, weight};

pub(super) const EINSUM_DENSE: LayerEntry = LayerEntry {
    entry: Entry {
        name: "EinsumDense",
        aliases: &[],
        doc: "Multiplies with a kernel as an equation says: activation(einsum(equation, x, kernel) + bias).\n\n\
              A letter names an axis, the first that of the batch: `ab,bc->ac` is a `Dense`, `abc,cd->abd` one on each \
              step; `...` stands for any axes. Weights: `kernel` of the axes in the middle of the equation, `bias` of \
              those in `bias_axes`.",
        parameters: &[
            Parameter::required("equation", Type::Text, "the axes of input and kernel, and those of the output"),
            Parameter::required(
                "output_shape",
                Type::Any,
                "the output's shape without the batch axis: a length or a list of them; null is that of the input",
            ),
            Parameter::optional("activation", Type::Component, "null", "what is applied to the output"),
            Parameter::optional(
                "bias_axes",
                Type::Text,
                "null",
                "the axes of the output that have a bias; none when null",
            ),
            KERNEL_INITIALIZER,
            BIAS_INITIALIZER,
            KERNEL_REGULARIZER,
            BIAS_REGULARIZER,
            ACTIVITY_REGULARIZER,
            KERNEL_CONSTRAINT,
            BIAS_CONSTRAINT,
            TRAINABLE,
            NAME,
        ],
        build: |a| Ok(Box::new(EinsumDense::new(a)?)),
    },
    script_name: "einsum_dense",
    positional: &["equation", "output_shape"],
    merges: false,
};

/// Stands for the axes of `...`, one character each.
const ELLIPSIS: [char; 10] = ['0', '1', '2', '3', '4', '5', '6', '7', '8', '9'];

#[derive(Debug)]
struct EinsumDense {
    equation: String,
    output: Vec<Option<usize>>,
    bias_axes: Vec<char>,
    activation: Box<dyn Activation>,
    kernel: Arc<dyn Initializer>,
    bias: Arc<dyn Initializer>,
    trainable: bool,
    terms: Terms,
}

/// The axes of an equation for inputs of a certain rank.
struct Axes {
    input: Vec<char>,
    kernel: Vec<char>,
    output: Vec<char>,
}

impl EinsumDense {
    fn new(a: &Arguments) -> Result<Self> {
        let axis = |value: &Value| match value {
            Value::Null => Some(None),
            value => {
                value.as_u64().and_then(|length| usize::try_from(length).ok()).filter(|length| *length > 0).map(Some)
            }
        };
        let output = match a.value("output_shape") {
            Value::Array(axes) => axes.iter().map(axis).collect(),
            one => axis(one).map(|axis| vec![axis]),
        };
        let made = EinsumDense {
            equation: a.text("equation").chars().filter(|c| !c.is_whitespace()).collect(),
            output: output.ok_or_else(|| a.refuse("output_shape", "a length of at least 1, or a list of them"))?,
            bias_axes: a.text("bias_axes").chars().collect(),
            activation: activation(a, "activation")?,
            kernel: initializer(a, "kernel_initializer")?,
            bias: initializer(a, "bias_initializer")?,
            trainable: a.bool("trainable"),
            terms: Terms::new(a, &[("kernel", "kernel"), ("bias", "bias")])?,
        };
        match made.parts().is_some() {
            true => Ok(made),
            false => Err(a.refuse("equation", "axes such as `ab,bc->ac`, each a letter and once in its part")),
        }
    }

    /// Returns the three parts of the equation.
    fn parts(&self) -> Option<[&str; 3]> {
        let (operands, output) = self.equation.split_once("->")?;
        let (input, kernel) = operands.split_once(',')?;
        let sound = |part: &str| {
            let letters: Vec<char> = part.replacen("...", "", 1).chars().collect();
            let once = letters.iter().enumerate().all(|(at, c)| c.is_ascii_alphabetic() && !letters[..at].contains(c));
            once && !letters.is_empty()
        };
        let everywhere = input.contains("...") == output.contains("...") && !kernel.contains("...");
        (sound(input) && sound(kernel) && sound(output) && everywhere).then_some([input, kernel, output])
    }

    /// Returns the axes for inputs of a rank, the batch counted.
    fn axes(&self, rank: usize) -> Result<Axes> {
        let [input, kernel, output] = self.parts().unwrap_or_default();
        let named = input.replacen("...", "", 1).len();
        let open =
            rank.checked_sub(named).filter(|open| (*open == 0 || input.contains("...")) && *open <= ELLIPSIS.len());
        let Some(open) = open else {
            return Err(Error::recipe(format!(
                "`{}` takes an input of {named} axes, found {rank}, the batch counted",
                self.equation
            )));
        };
        let more: String = ELLIPSIS[..open].iter().collect();
        let expand = |part: &str| part.replacen("...", &more, 1).chars().collect();
        let axes = Axes { input: expand(input), kernel: expand(kernel), output: expand(output) };
        let unknown = axes.output.iter().find(|c| !axes.input.contains(c) && !axes.kernel.contains(c));
        match (unknown, axes.input.first() == axes.output.first()) {
            (None, true) => Ok(axes),
            (Some(axis), _) => {
                Err(Error::recipe(format!("axis `{axis}` of the output is in no operand of `{}`", self.equation)))
            }
            (None, false) => {
                Err(Error::recipe(format!("`{}` does not keep the axis of the batch first", self.equation)))
            }
        }
    }

    /// Returns the length of each axis of the output, the batch first.
    fn lengths(&self, axes: &Axes, input: &Shape) -> Result<Shape> {
        let given = |at: usize| match axes.output.len().checked_sub(self.output.len() + 1) {
            // Axes that `...` stands for may be left out.
            Some(more) => self.output.get(at.checked_sub(1 + more)?).copied().flatten(),
            None => None,
        };
        let length = |(at, axis): (usize, &char)| {
            let of_input = axes.input.iter().position(|own| own == axis).and_then(|at| input[at]);
            match (given(at), of_input) {
                (Some(given), Some(found)) if given != found => {
                    Err(Error::recipe(format!("`output_shape` says {given} for axis `{axis}`, the input has {found}")))
                }
                (given, found) => Ok(given.or(found)),
            }
        };
        axes.output.iter().enumerate().map(length).collect()
    }

    fn with_batch(inputs: &[Shape]) -> Result<Shape> {
        let mut shape = vec![None];
        shape.extend(shape::single(inputs)?);
        Ok(shape)
    }
}

impl Layer for EinsumDense {
    fn kind(&self) -> &'static str {
        "EinsumDense"
    }

    fn output_shape(&self, inputs: &[Shape]) -> Result<Shape> {
        let input = EinsumDense::with_batch(inputs)?;
        let axes = self.axes(input.len())?;
        self.weights(inputs)?;
        Ok(self.lengths(&axes, &input)?.split_off(1))
    }

    fn weights(&self, inputs: &[Shape]) -> Result<Vec<Weight>> {
        let input = EinsumDense::with_batch(inputs)?;
        let axes = self.axes(input.len())?;
        let output = self.lengths(&axes, &input)?;
        let known = |axis: &char| {
            let of = |axes: &[char], shape: &Shape| axes.iter().position(|own| own == axis).and_then(|at| shape[at]);
            of(&axes.input, &input).or_else(|| of(&axes.output, &output)).ok_or_else(|| {
                Error::recipe(format!("the length of axis `{axis}` of `{}` is not known", self.equation))
                    .hint(format!("give it in `output_shape`; the input has shape {}", show_shape(&inputs[0])))
            })
        };
        let kernel = axes.kernel.iter().map(known).collect::<Result<Vec<_>>>()?;
        let mut weights = vec![weight("kernel", kernel, &self.kernel, self.trainable)?];
        if !self.bias_axes.is_empty() {
            // Of the first axis with a bias on; those between without one have length 1.
            let first = axes.output.iter().position(|axis| self.bias_axes.contains(axis));
            let wrong = self.bias_axes.iter().find(|axis| !axes.output[1..].contains(axis));
            let (Some(first), None) = (first, wrong) else {
                return Err(Error::recipe(format!("`bias_axes` must be axes of the output of `{}`", self.equation)));
            };
            let length = |axis: &char| if self.bias_axes.contains(axis) { known(axis) } else { Ok(1) };
            let bias = axes.output[first..].iter().map(length).collect::<Result<Vec<_>>>()?;
            weights.push(weight("bias", bias, &self.bias, self.trainable)?);
        }
        self.terms.on(weights)
    }

    fn onnx(&self, step: &mut Step<'_>) -> Result<String> {
        let (x, kernel) = (step.x(0), step.weight(0));
        let mut y = step.to.node("Einsum", &[&x, &kernel], vec![onnx::text("equation", &self.equation)]);
        if !self.bias_axes.is_empty() {
            let bias = step.weight(1);
            y = step.to.two("Add", &y, &bias);
        }
        step.to.activate(&*self.activation, &y)
    }

    fn compose(&self, inputs: &[Graph], weights: &[Graph], _: &mut Pass) -> Result<Graph> {
        let axes = self.axes(inputs[0].rank())?;
        let mut y = product(&inputs[0], &axes.input, &weights[0], &axes.kernel, &axes.output)?;
        if let Some(bias) = weights.get(1) {
            y = y.broadcast_add(bias)?;
        }
        self.activation.compose(&y)
    }
}

/// Returns the product of two operands, summed over the axes that are not in the output.
fn product(x: &Graph, of_x: &[char], kernel: &Graph, of_kernel: &[char], output: &[char]) -> Result<Graph> {
    // What only one operand has and the output has not is summed at once.
    let reduce = |graph: &Graph, own: &[char], other: &[char]| -> Result<(Graph, Vec<char>)> {
        let alone: Vec<usize> =
            (0..own.len()).filter(|at| !other.contains(&own[*at]) && !output.contains(&own[*at])).collect();
        let left = own.iter().enumerate().filter(|(at, _)| !alone.contains(at)).map(|(_, axis)| *axis).collect();
        Ok((if alone.is_empty() { graph.clone() } else { graph.sum(alone)? }, left))
    };
    let ((x, of_x), (kernel, of_kernel)) = (reduce(x, of_x, of_kernel)?, reduce(kernel, of_kernel, of_x)?);
    let both = |axis: &&char| of_kernel.contains(axis);
    let shared: Vec<char> = of_x.iter().filter(both).filter(|axis| output.contains(axis)).copied().collect();
    let summed: Vec<char> = of_x.iter().filter(both).filter(|axis| !output.contains(axis)).copied().collect();
    let left: Vec<char> = of_x.iter().filter(|axis| !of_kernel.contains(axis)).copied().collect();
    let right: Vec<char> = of_kernel.iter().filter(|axis| !of_x.contains(axis)).copied().collect();
    let arranged = |graph: &Graph, own: &[char], parts: [&[char]; 3]| -> Result<(Graph, Vec<usize>)> {
        let place = |axis: &char| own.iter().position(|other| other == axis).unwrap_or(0);
        let order: Vec<usize> = parts.iter().flat_map(|part| part.iter().map(place)).collect();
        let lengths = order.iter().map(|at| graph.dims()[*at]).collect();
        let sizes: Vec<usize> =
            parts.iter().map(|part| part.iter().map(|axis| graph.dims()[place(axis)]).product()).collect();
        let graph = if order.is_empty() { graph.clone() } else { graph.permute(order)? };
        Ok((graph.contiguous()?.reshape(sizes)?, lengths))
    };
    let (a, of_a) = arranged(&x, &of_x, [&shared, &left, &summed])?;
    let (b, of_b) = arranged(&kernel, &of_kernel, [&shared, &summed, &right])?;
    let y = a.matmul(&b)?;
    let lengths: Vec<usize> =
        of_a[..shared.len() + left.len()].iter().chain(&of_b[shared.len() + summed.len()..]).copied().collect();
    let found: Vec<char> = shared.iter().chain(&left).chain(&right).copied().collect();
    let order: Vec<usize> = output.iter().map(|axis| found.iter().position(|own| own == axis).unwrap_or(0)).collect();
    Ok(y.reshape(lengths)?.permute(order)?.contiguous()?)
}
