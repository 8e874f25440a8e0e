//! Holds a kernel against the composed layer: same output, same gradients, same moving statistics.

use super::{Backward, Buffers, Forward, Targets, Values};
use crate::kernel::buffer::Buffer;
use crate::network::{Layer, Pass, Shape};
use crate::random::{Random, Stream};
use crate::tensor::{Array, Graph, device::cpu};

/// Compares one layer's kernel with its composition on `rows` records, in training and not, on 1 and 3 threads, when
/// gradients replace and when they add. Inputs are what `input` gives for (input, position).
pub(crate) fn check(layer: &dyn Layer, shapes: &[&[usize]], rows: usize, input: impl Fn(usize, usize) -> f32) {
    for training in [false, true] {
        let case = Case::new(layer, shapes, rows, training, &input);
        let results = [1, 3].map(|threads| crate::kernel::pool::Pool::new(threads).unwrap().run(|| case.kernel()));
        assert!(results[0] == results[1], "{}: threads show", layer.kind());
        case.compare(&results[0]);
    }
}

/// Compares the kernel of a layer that an activation follows.
pub(crate) fn check_with(
    layer: Box<dyn Layer>,
    activation: &str,
    shapes: &[&[usize]],
    rows: usize,
    input: impl Fn(usize, usize) -> f32,
) {
    let activation = crate::network::activation::from_value(&activation.into()).unwrap();
    check(&Both { layer, activation }, shapes, rows, input);
}

/// A layer and the activation after it.
#[derive(Debug)]
struct Both {
    layer: Box<dyn Layer>,
    activation: Box<dyn crate::network::Activation>,
}

impl Layer for Both {
    fn kind(&self) -> &'static str {
        self.layer.kind()
    }

    fn output_shape(&self, inputs: &[Shape]) -> crate::error::Result<Shape> {
        self.layer.output_shape(inputs)
    }

    fn weights(&self, inputs: &[Shape]) -> crate::error::Result<Vec<crate::network::Weight>> {
        self.layer.weights(inputs)
    }

    fn compose(&self, inputs: &[Graph], weights: &[Graph], pass: &mut Pass) -> crate::error::Result<Graph> {
        self.activation.compose(&self.layer.compose(inputs, weights, pass)?)
    }

    fn kernel(&self, inputs: &[&[usize]]) -> Option<Box<dyn crate::network::Kernel>> {
        self.layer.kernel_with(inputs, self.activation.kernel()?)
    }
}

/// Numbers between -1 and 1 that look random.
pub(crate) fn noise(input: usize, position: usize) -> f32 {
    Random::new(11, Stream::Weights, &[input as u64, position as u64]).uniform() as f32 * 2.0 - 1.0
}

struct Case<'a> {
    layer: &'a dyn Layer,
    shapes: &'a [&'a [usize]],
    rows: usize,
    training: bool,
    inputs: Vec<Buffer>,
    weights: Vec<Vec<f32>>,
    declared: Vec<crate::network::Weight>,
    upstream: Vec<f32>,
}

#[derive(PartialEq)]
struct Results {
    output: Vec<f32>,
    moved: Vec<(usize, Vec<f32>)>,
    /// Of inputs, then of trainable weights.
    gradients: Vec<Vec<f32>>,
}

impl<'a> Case<'a> {
    fn new(
        layer: &'a dyn Layer,
        shapes: &'a [&'a [usize]],
        rows: usize,
        training: bool,
        input: &impl Fn(usize, usize) -> f32,
    ) -> Self {
        let open: Vec<Shape> = shapes.iter().map(|shape| shape.iter().map(|&axis| Some(axis)).collect()).collect();
        let declared = layer.weights(&open).unwrap();
        let values = |(index, shape): (usize, &&[usize])| {
            (0..rows * shape.iter().product::<usize>()).map(|at| input(index, at)).collect::<Vec<f32>>().into()
        };
        let weight = |(index, weight): (usize, &crate::network::Weight)| {
            let count = weight.shape.iter().product::<usize>();
            // Statistics such as variances have to be positive.
            let shift = if weight.trainable { 0.0 } else { 1.5 };
            (0..count).map(|at| noise(100 + index, at) * 0.5 + shift).collect()
        };
        let output = layer.output_shape(&open).unwrap().iter().map(|axis| axis.unwrap()).product::<usize>();
        Case {
            layer,
            shapes,
            rows,
            training,
            inputs: shapes.iter().enumerate().map(values).collect(),
            weights: declared.iter().enumerate().map(weight).collect(),
            declared,
            upstream: (0..rows * output).map(|at| noise(200, at)).collect(),
        }
    }

    fn random(&self) -> Random {
        Random::new(5, Stream::Dropout, &[3])
    }

    /// Forward and backward by the kernel; the second backward adds, so gradients are twice those of one.
    fn kernel(&self) -> Results {
        let mut kernel = self.layer.kernel(self.shapes).expect("a kernel");
        let numbers: Vec<usize> = (0..self.inputs.len()).collect();
        let sizes: Vec<usize> = self.inputs.iter().map(|input| input.len() / self.rows).collect();
        let (mut ranges, mut flat) = (Vec::new(), Vec::new());
        for weight in &self.weights {
            ranges.push(flat.len()..flat.len() + weight.len());
            flat.extend_from_slice(weight);
        }
        let mut output = vec![f32::NAN; self.upstream.len()];
        let mut moved = Vec::new();
        let mut input_gradients: Vec<Buffer> =
            self.inputs.iter().map(|input| vec![f32::NAN; input.len()].into()).collect();
        let mut weight_gradients = vec![f32::NAN; flat.len()];
        let (wanted_inputs, mut written_inputs) = (vec![true; numbers.len()], vec![false; numbers.len()]);
        let wanted_weights: Vec<bool> = self.declared.iter().map(|weight| weight.trainable).collect();
        let mut written_weights = vec![false; ranges.len()];
        for _ in 0..2 {
            moved.clear();
            output.fill(f32::NAN);
            kernel
                .forward(&mut Forward {
                    rows: self.rows,
                    training: self.training,
                    random: self.random(),
                    inputs: Values::buffers(&self.inputs, &sizes, &numbers, self.rows),
                    weights: Values::flat(&flat, &ranges),
                    output: &mut output,
                    moved: &mut |index, values| moved.push((index, values.to_vec())),
                })
                .unwrap();
            if !self.training {
                return Results { output, moved, gradients: Vec::new() };
            }
            let mut gradient = self.upstream.clone();
            kernel
                .backward(&mut Backward {
                    rows: self.rows,
                    inputs: Values::buffers(&self.inputs, &sizes, &numbers, self.rows),
                    weights: Values::flat(&flat, &ranges),
                    output: &output,
                    gradient: &mut gradient,
                    input_gradients: Targets::buffers(
                        Buffers { buffers: &mut input_gradients, sizes: &sizes, places: &numbers },
                        &numbers,
                        self.rows,
                        &wanted_inputs,
                        &mut written_inputs,
                    ),
                    weight_gradients: Targets::flat(
                        &mut weight_gradients,
                        &ranges,
                        &wanted_weights,
                        &mut written_weights,
                    ),
                })
                .unwrap();
        }
        let of_weights = ranges.iter().zip(&self.declared).filter(|(_, weight)| weight.trainable);
        let of_weights = of_weights.map(|(range, _)| weight_gradients[range.clone()].to_vec());
        let gradients = input_gradients.iter().map(|own| own.to_vec()).chain(of_weights).collect();
        Results { output, moved, gradients }
    }

    fn compare(&self, found: &Results) {
        let graph = |values: &[f32], shape: &[usize]| {
            Array::from_f32(values.to_vec(), shape).unwrap().to_graph(&cpu()).unwrap()
        };
        let tracked = |graph: Graph| candle_core::Var::from_tensor(&graph).unwrap().as_tensor().clone();
        let with_rows = |shape: &[usize]| [&[self.rows], shape].concat();
        let inputs: Vec<Graph> =
            self.inputs.iter().zip(self.shapes).map(|(own, shape)| tracked(graph(own, &with_rows(shape)))).collect();
        let weights: Vec<Graph> =
            self.weights.iter().zip(&self.declared).map(|(own, weight)| tracked(graph(own, &weight.shape))).collect();
        let mut pass = Pass::new(self.training, self.random());
        let output = self.layer.compose(&inputs, &weights, &mut pass).unwrap();
        let flat = |graph: &Graph| Array::from_graph(graph).unwrap().as_f32().into_owned();
        close(self.layer.kind(), "output", &flat(&output), &found.output, 1.0);
        let moved: Vec<(usize, Vec<f32>)> = pass.updates.iter().map(|(index, value)| (*index, flat(value))).collect();
        assert_eq!(moved.len(), found.moved.len(), "{}: moving statistics", self.layer.kind());
        for (expected, found) in moved.iter().zip(&found.moved) {
            assert_eq!(expected.0, found.0);
            close(self.layer.kind(), "moving statistics", &expected.1, &found.1, 1.0);
        }
        if !self.training {
            return;
        }
        let upstream = graph(&self.upstream, output.dims());
        let gradients = (output * upstream).unwrap().sum_all().unwrap().backward().unwrap();
        let trainable = weights.iter().zip(&self.declared).filter(|(_, weight)| weight.trainable);
        let sources = inputs.iter().chain(trainable.map(|(graph, _)| graph));
        for (at, (source, found)) in sources.zip(&found.gradients).enumerate() {
            let expected = gradients.get(source).map_or(vec![0.0; found.len()], flat);
            close(self.layer.kind(), &format!("gradient {at}"), &expected, found, 2.0);
        }
    }
}

/// Compares within 1e-4 of the largest number; `times` is how often the found ones were added.
fn close(kind: &str, what: &str, expected: &[f32], found: &[f32], times: f32) {
    assert_eq!(expected.len(), found.len(), "{kind}: {what}");
    let largest = expected.iter().fold(1.0f32, |largest, value| largest.max(value.abs()));
    for (at, (expected, found)) in expected.iter().zip(found).enumerate() {
        let found = found / times;
        assert!(
            (expected - found).abs() <= 1e-4 * largest,
            "{kind}: {what} at {at}: expected {expected}, found {found}"
        );
    }
}
