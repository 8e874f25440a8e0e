//! `LayerNormalization`: mean 0 and variance 1 within each record, along some axes.

use std::sync::Arc;

use crate::error::{Error, Result};
use crate::kernel::layer_norm;
use crate::kernel::pool;
use crate::network::kernel::{Backward, Forward, Kernel};
use crate::registry::{Arguments, Entry, Parameter, Type};
use crate::tensor::Graph;

use super::super::onnx::Step;
use super::super::{Initializer, Layer, Pass, Shape, Weight, shape, show_shape};
use super::terms::{BETA_CONSTRAINT, BETA_REGULARIZER, GAMMA_CONSTRAINT, GAMMA_REGULARIZER, Terms};
use super::{LayerEntry, NAME, TRAINABLE, initializer, weight};

pub(super) const LAYER_NORMALIZATION: LayerEntry = LayerEntry {
    entry: Entry {
        name: "LayerNormalization",
        aliases: &[],
        doc: "Shifts and scales each record along some axes: gamma · (x - mean) / √(variance + epsilon) + beta (Ba, Kiros \
              and Hinton, 2016).\n\n\
              Mean and variance (of the population) are those of the record, in training and otherwise. The output has \
              the shape of the input. Weights, each of the lengths of the axes: `gamma`, `beta`.",
        parameters: &[
            Parameter::optional(
                "axis",
                Type::Ints,
                "-1",
                "the axis or axes that are normalised together, counted with the batch axis as 0",
            ),
            Parameter::optional("epsilon", Type::Float, "0.001", "added to the variance; above 0"),
            Parameter::optional("center", Type::Bool, "true", "whether `beta` is added"),
            Parameter::optional("scale", Type::Bool, "true", "whether `gamma` is multiplied"),
            Parameter::optional("beta_initializer", Type::Component, "\"zeros\"", "how `beta` starts"),
            Parameter::optional("gamma_initializer", Type::Component, "\"ones\"", "how `gamma` starts"),
            BETA_REGULARIZER,
            GAMMA_REGULARIZER,
            BETA_CONSTRAINT,
            GAMMA_CONSTRAINT,
            TRAINABLE,
            NAME,
        ],
        build: |a| Ok(Box::new(LayerNormalization::new(a)?)),
    },
    script_name: "layer_normalization",
    positional: &[],
    merges: false,
};

#[derive(Debug)]
struct LayerNormalization {
    axes: Vec<i64>,
    epsilon: f64,
    center: bool,
    scale: bool,
    gamma: Arc<dyn Initializer>,
    beta: Arc<dyn Initializer>,
    trainable: bool,
    terms: Terms,
}

impl LayerNormalization {
    fn new(a: &Arguments) -> Result<Self> {
        // With 0 a record of equal values would be divided by 0.
        if a.float("epsilon") <= 0.0 {
            return Err(a.refuse("epsilon", "a number above 0"));
        }
        let axes: Vec<i64> = match a.value("axis") {
            serde_json::Value::Array(axes) => axes.iter().filter_map(serde_json::Value::as_i64).collect(),
            _ => vec![a.int("axis")],
        };
        if axes.is_empty() || axes.contains(&0) {
            return Err(a.refuse("axis", "one or more axes other than 0, the batch"));
        }
        Ok(LayerNormalization {
            axes,
            epsilon: a.float("epsilon"),
            center: a.bool("center"),
            scale: a.bool("scale"),
            gamma: initializer(a, "gamma_initializer")?,
            beta: initializer(a, "beta_initializer")?,
            trainable: a.bool("trainable"),
            terms: Terms::new(a, &[("gamma", "gamma"), ("beta", "beta")])?,
        })
    }

    /// The axes in order, without the batch axis.
    fn inner_axes(&self, rank: usize) -> Option<Vec<usize>> {
        let mut axes = self.axes.iter().map(|&axis| shape::inner_axis(axis, rank)).collect::<Option<Vec<_>>>()?;
        axes.sort_unstable();
        axes.dedup();
        Some(axes)
    }

    /// The lengths of the axes.
    fn lengths(&self, inputs: &[Shape]) -> Result<Vec<usize>> {
        let input = shape::single(inputs)?;
        let axes = self.inner_axes(input.len()).ok_or_else(|| {
            Error::recipe(format!(
                "`axis` {:?} is outside of shape {} without the batch axis",
                self.axes,
                show_shape(input)
            ))
            .hint("axis 1 is the first after the batch, -1 the last")
        })?;
        let known = |axis: &usize| {
            let error =
                || Error::recipe(format!("expected a known length of axis {}, found {}", axis + 1, show_shape(input)));
            input[*axis].ok_or_else(error)
        };
        axes.iter().map(known).collect()
    }
}

impl Layer for LayerNormalization {
    fn kind(&self) -> &'static str {
        "LayerNormalization"
    }

    fn keeps_mask(&self) -> bool {
        true
    }

    fn output_shape(&self, inputs: &[Shape]) -> Result<Shape> {
        self.lengths(inputs)?;
        shape::single(inputs).cloned()
    }

    fn weights(&self, inputs: &[Shape]) -> Result<Vec<Weight>> {
        let shape = self.lengths(inputs)?;
        let mut weights = Vec::with_capacity(2);
        if self.scale {
            weights.push(weight("gamma", shape.clone(), &self.gamma, self.trainable)?);
        }
        if self.center {
            weights.push(weight("beta", shape, &self.beta, self.trainable)?);
        }
        self.terms.on(weights)
    }

    fn onnx(&self, step: &mut Step<'_>) -> Result<String> {
        let (x, input) = (step.x(0), step.shapes.first().cloned().unwrap_or_default());
        let inner = self.inner_axes(input.len()).ok_or_else(|| Error::recipe("`axis` is outside of the value"))?;
        let mut wide = vec![1; input.len()];
        inner.iter().zip(self.lengths(&[input])?).for_each(|(axis, length)| wide[*axis] = length);
        let axes: Vec<usize> = inner.iter().map(|axis| axis + 1).collect();
        let mean = step.to.reduce("ReduceMean", &x, &axes, true);
        let centred = step.to.two("Sub", &x, &mean);
        let squares = step.to.two("Mul", &centred, &centred);
        let variance = step.to.reduce("ReduceMean", &squares, &axes, true);
        let variance = step.to.with("Add", &variance, self.epsilon);
        let deviation = step.to.one("Sqrt", &variance);
        let mut y = step.to.two("Div", &centred, &deviation);
        if self.scale {
            let gamma = step.weight_as(0, &wide);
            y = step.to.two("Mul", &y, &gamma);
        }
        if self.center {
            let beta = step.weight_as(usize::from(self.scale), &wide);
            y = step.to.two("Add", &y, &beta);
        }
        Ok(y)
    }

    fn compose(&self, inputs: &[Graph], weights: &[Graph], _: &mut Pass) -> Result<Graph> {
        let x = &inputs[0];
        let axes = self.inner_axes(x.rank().saturating_sub(1));
        let axes: Vec<usize> =
            axes.ok_or_else(|| Error::recipe("`axis` is outside of the value"))?.iter().map(|axis| axis + 1).collect();
        let mut wide = vec![1; x.rank()];
        for axis in &axes {
            wide[*axis] = x.dim(*axis)?;
        }
        let centred = x.broadcast_sub(&x.mean_keepdim(&*axes)?)?;
        let deviation = centred.sqr()?.mean_keepdim(&*axes)?.affine(1.0, self.epsilon)?.sqrt()?;
        let mut y = centred.broadcast_div(&deviation)?;
        let mut weights = weights.iter();
        if self.scale
            && let Some(gamma) = weights.next()
        {
            y = y.broadcast_mul(&gamma.reshape(&*wide)?)?;
        }
        if self.center
            && let Some(beta) = weights.next()
        {
            y = y.broadcast_add(&beta.reshape(&*wide)?)?;
        }
        Ok(y)
    }

    fn kernel(&self, inputs: &[&[usize]]) -> Option<Box<dyn Kernel>> {
        let shape = inputs[0];
        let axes = self.inner_axes(shape.len())?;
        // The numbers normalised together must stand together.
        let first = shape.len() - axes.len();
        let last = axes.iter().enumerate().all(|(at, &axis)| axis == first + at);
        let width: usize = shape[first..].iter().product();
        (last && width > 0).then(|| {
            Box::new(Normalise {
                width,
                count: shape[..first].iter().product(),
                epsilon: self.epsilon as f32,
                scale: self.scale,
                center: self.center,
                ones: vec![1.0; width],
                zeros: vec![0.0; width],
                statistics: Vec::new(),
                sums: vec![0.0; PIECES * 2 * width],
            }) as Box<dyn Kernel>
        })
    }
}

/// Gradients of the weights are summed in so many pieces, each by one thread.
const PIECES: usize = 16;

struct Normalise {
    width: usize,
    /// Rows of one record.
    count: usize,
    epsilon: f32,
    scale: bool,
    center: bool,
    ones: Vec<f32>,
    zeros: Vec<f32>,
    /// Mean and 1 / deviation of each row.
    statistics: Vec<[f32; 2]>,
    /// Gradients of γ and β of each piece.
    sums: Vec<f32>,
}

impl Kernel for Normalise {
    fn forward(&mut self, step: &mut Forward<'_>) -> Result<()> {
        let (x, width, rows) = (step.inputs.get(0), self.width, step.rows * self.count);
        let gamma = if self.scale { step.weights.get(0) } else { &self.ones };
        let beta = if self.center { step.weights.get(usize::from(self.scale)) } else { &self.zeros };
        self.statistics.resize(rows, [0.0; 2]);
        let buffers = [(&mut *step.output, width), (self.statistics.as_flattened_mut(), 2)];
        pool::shares(rows, 4 * x.len(), buffers, |range, [y, statistics]| {
            let (x, (statistics, _)) = (&x[range.start * width..range.end * width], statistics.as_chunks_mut::<2>());
            layer_norm::forward(x, gamma, beta, self.epsilon, y, statistics);
        });
        Ok(())
    }

    fn backward(&mut self, step: &mut Backward<'_>) -> Result<()> {
        let (x, width, rows) = (step.inputs.get(0), self.width, step.rows * self.count);
        let gamma = if self.scale { step.weights.get(0) } else { &self.ones };
        self.sums.fill(0.0);
        let piece = rows.div_ceil(PIECES);
        let (gradient, statistics) = (&*step.gradient, &self.statistics);
        // Nobody wants the gradient of the input where it is empty.
        let (into, add) = match step.input_gradients.take(0) {
            Some(target) => (target.values, target.add),
            None => (&mut [][..], false),
        };
        let buffers = [(into, piece * width), (&mut self.sums, 2 * width)];
        pool::each(PIECES, 6 * x.len(), buffers, |at, [into, sums]| {
            let range = (at * piece).min(rows)..((at + 1) * piece).min(rows);
            let numbers = range.start * width..range.end * width;
            let (of_gamma, of_beta) = sums.split_at_mut(width);
            let (x, gradient) = (&x[numbers.clone()], &gradient[numbers]);
            layer_norm::backward(x, gamma, &statistics[range], gradient, of_gamma, of_beta, into, add);
        });
        for (index, part) in [self.scale.then_some(0), self.center.then_some(1)].into_iter().flatten().enumerate() {
            let Some(target) = step.weight_gradients.take(index) else { continue };
            if !target.add {
                target.values.fill(0.0);
            }
            for sums in self.sums.chunks_exact(2 * width) {
                target.values.iter_mut().zip(&sums[part * width..]).for_each(|(sum, own)| *sum += own);
            }
        }
        Ok(())
    }
}
