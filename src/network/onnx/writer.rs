//! Nodes, constants and names of an ONNX graph that is being written.

use std::collections::HashSet;

use super::message::{Attribute, FLOAT, INT64, Node, Tensor};
use crate::network::{Activation, Layer, Shape};
use crate::tensor::{Array, Dtype};

/// The graph as far as it is written. Every method that adds something returns the name of its value.
#[derive(Default)]
pub struct Writer {
    pub(super) nodes: Vec<Node>,
    pub(super) constants: Vec<Tensor>,
    known: HashSet<String>,
    count: usize,
    /// The layer that is being written: names begin with it.
    pub(super) layer: String,
}

/// One layer on its way into a graph: the values it takes, and its weights.
pub struct Step<'a> {
    /// The graph.
    pub to: &'a mut Writer,
    /// The names of its inputs.
    pub inputs: Vec<String>,
    /// Their shapes without the batch axis.
    pub shapes: Vec<Shape>,
    /// Their element types.
    pub dtypes: Vec<Dtype>,
    /// The names of its weights, and their values.
    pub weights: Vec<(String, &'a Array)>,
}

impl Step<'_> {
    /// Returns the name of an input.
    pub fn x(&self, at: usize) -> String {
        self.inputs.get(at).cloned().unwrap_or_default()
    }

    /// Adds a weight as it is.
    pub fn weight(&mut self, at: usize) -> String {
        let Some((name, array)) = self.weights.get(at) else { return String::new() };
        self.to.constant(name, array)
    }

    /// Adds a weight with another shape.
    pub fn weight_as(&mut self, at: usize, shape: &[usize]) -> String {
        let axes: Vec<usize> = (0..self.weights.get(at).map_or(0, |(_, array)| array.rank())).collect();
        self.weight_turned(at, &axes, shape)
    }

    /// Adds a weight with its axes in another order, then another shape.
    pub fn weight_turned(&mut self, at: usize, axes: &[usize], shape: &[usize]) -> String {
        let Some((name, array)) = self.weights.get(at) else { return String::new() };
        let (name, values) = (name.clone(), turned(array, axes));
        self.to.floats(&name, &values, shape)
    }

    /// Returns the values of a weight.
    pub fn values(&self, at: usize) -> Vec<f32> {
        self.weights.get(at).map(|(_, array)| array.as_f32().into_owned()).unwrap_or_default()
    }

    /// Writes a layer within this one, on these values and weights.
    ///
    /// # Errors
    /// What the layer cannot be written as.
    pub fn within(
        &mut self,
        layer: &dyn Layer,
        inputs: Vec<String>,
        shapes: Vec<Shape>,
        weights: std::ops::Range<usize>,
    ) -> crate::Result<String> {
        let dtypes = vec![Dtype::F32; inputs.len()];
        let weights = self.weights[weights].to_vec();
        layer.onnx(&mut Step { to: &mut *self.to, inputs, shapes, dtypes, weights })
    }
}

/// Returns the values of an array with its axes in another order.
pub fn turned(array: &Array, axes: &[usize]) -> Vec<f32> {
    match ndarray::ArrayView::from_shape(ndarray::IxDyn(array.shape()), &array.as_f32()) {
        Ok(view) => view.permuted_axes(axes).iter().copied().collect(),
        Err(_) => array.as_f32().into_owned(),
    }
}

/// An attribute that is a whole number.
pub fn int(name: &str, i: i64) -> Attribute {
    Attribute { name: name.to_owned(), i, kind: 2, ..Attribute::default() }
}

/// An attribute that is a number.
pub fn float(name: &str, f: f64) -> Attribute {
    Attribute { name: name.to_owned(), f: f as f32, kind: 1, ..Attribute::default() }
}

/// An attribute that is a list of whole numbers.
pub fn ints(name: &str, ints: impl IntoIterator<Item = usize>) -> Attribute {
    let ints = ints.into_iter().map(|value| value as i64).collect();
    Attribute { name: name.to_owned(), ints, kind: 7, ..Attribute::default() }
}

/// An attribute that is a text.
pub fn text(name: &str, text: &str) -> Attribute {
    Attribute { name: name.to_owned(), s: text.as_bytes().to_vec(), kind: 3, ..Attribute::default() }
}

/// An attribute that is a list of texts.
pub fn texts(name: &str, texts: &[&str]) -> Attribute {
    let strings = texts.iter().map(|text| text.as_bytes().to_vec()).collect();
    Attribute { name: name.to_owned(), strings, kind: 8, ..Attribute::default() }
}

/// An attribute that is a list of numbers.
pub fn floats(name: &str, floats: &[f32]) -> Attribute {
    Attribute { name: name.to_owned(), floats: floats.to_vec(), kind: 6, ..Attribute::default() }
}

impl Writer {
    fn fresh(&mut self) -> String {
        self.count += 1;
        format!("{}:{}", self.layer, self.count)
    }

    /// Adds a node of one output.
    pub fn node(&mut self, operation: &str, inputs: &[&str], attributes: Vec<Attribute>) -> String {
        self.node_of(operation, inputs, attributes, 1).pop().unwrap_or_default()
    }

    /// Adds a node of several outputs.
    pub fn node_of(
        &mut self,
        operation: &str,
        inputs: &[&str],
        attributes: Vec<Attribute>,
        outputs: usize,
    ) -> Vec<String> {
        let output: Vec<String> = (0..outputs).map(|_| self.fresh()).collect();
        self.nodes.push(Node {
            input: inputs.iter().map(|name| (*name).to_owned()).collect(),
            output: output.clone(),
            name: output.first().cloned().unwrap_or_default(),
            op_type: operation.to_owned(),
            attribute: attributes,
        });
        output
    }

    /// Gives a value another name: that of an output.
    pub(super) fn call(&mut self, value: &str, name: &str) {
        self.nodes.push(Node {
            input: vec![value.to_owned()],
            output: vec![name.to_owned()],
            name: format!("{name}:output"),
            op_type: "Identity".to_owned(),
            attribute: Vec::new(),
        });
    }

    fn put(&mut self, name: &str, shape: &[usize], data_type: i32, raw_data: Vec<u8>) -> String {
        if self.known.insert(name.to_owned()) {
            let dims = shape.iter().map(|length| *length as i64).collect();
            self.constants.push(Tensor { dims, data_type, name: name.to_owned(), raw_data });
        }
        name.to_owned()
    }

    /// Adds a weight; the same one twice is one constant.
    pub fn constant(&mut self, name: &str, array: &Array) -> String {
        self.floats(name, &array.as_f32(), array.shape())
    }

    /// Adds numbers under a name of their own.
    pub fn floats(&mut self, name: &str, values: &[f32], shape: &[usize]) -> String {
        self.put(name, shape, FLOAT, values.iter().flat_map(|value| value.to_le_bytes()).collect())
    }

    /// Adds numbers.
    pub fn numbers(&mut self, values: &[f32], shape: &[usize]) -> String {
        let name = self.fresh();
        self.floats(&name, values, shape)
    }

    /// Adds one number.
    pub fn number(&mut self, value: f64) -> String {
        self.numbers(&[value as f32], &[])
    }

    /// Adds a list of whole numbers.
    pub fn indices(&mut self, values: &[i64]) -> String {
        let name = self.fresh();
        self.put(&name, &[values.len()], INT64, values.iter().flat_map(|value| value.to_le_bytes()).collect())
    }

    /// Adds an operation of two values.
    pub fn two(&mut self, operation: &str, a: &str, b: &str) -> String {
        self.node(operation, &[a, b], Vec::new())
    }

    /// Adds an operation of a value.
    pub fn one(&mut self, operation: &str, x: &str) -> String {
        self.node(operation, &[x], Vec::new())
    }

    /// Adds an operation of a value and a number.
    pub fn with(&mut self, operation: &str, x: &str, number: f64) -> String {
        let number = self.number(number);
        self.two(operation, x, &number)
    }

    /// Orders the axes anew, the batch axis among them.
    pub fn transpose(&mut self, x: &str, axes: &[usize]) -> String {
        match axes.iter().copied().eq(0..axes.len()) {
            true => x.to_owned(),
            false => self.node("Transpose", &[x], vec![ints("perm", axes.iter().copied())]),
        }
    }

    /// Changes the shape: 0 keeps an axis, -1 takes what is left.
    pub fn reshape(&mut self, x: &str, shape: &[i64]) -> String {
        let shape = self.indices(shape);
        self.two("Reshape", x, &shape)
    }

    /// Takes a part of an axis.
    pub fn slice(&mut self, x: &str, axis: usize, start: i64, end: i64, step: i64) -> String {
        let parts = [start, end, axis as i64, step].map(|value| self.indices(&[value]));
        self.node("Slice", &[x, &parts[0], &parts[1], &parts[2], &parts[3]], Vec::new())
    }

    /// Turns the order along an axis round.
    pub fn reverse(&mut self, x: &str, axis: usize) -> String {
        self.slice(x, axis, -1, i64::MIN + 1, -1)
    }

    /// Puts values one after the other along an axis.
    pub fn concat(&mut self, values: &[String], axis: usize) -> String {
        match values {
            [one] => one.clone(),
            several => {
                let names: Vec<&str> = several.iter().map(String::as_str).collect();
                self.node("Concat", &names, vec![int("axis", axis as i64)])
            }
        }
    }

    /// Adds axes of length 1 at these places.
    pub fn unsqueeze(&mut self, x: &str, axes: &[i64]) -> String {
        let axes = self.indices(axes);
        self.two("Unsqueeze", x, &axes)
    }

    /// Takes axes of length 1 away.
    pub fn squeeze(&mut self, x: &str, axes: &[i64]) -> String {
        let axes = self.indices(axes);
        self.two("Squeeze", x, &axes)
    }

    /// Reduces axes by the mean or the largest value.
    pub fn reduce(&mut self, operation: &str, x: &str, axes: &[usize], keep: bool) -> String {
        self.node(operation, &[x], vec![ints("axes", axes.iter().copied()), int("keepdims", keep.into())])
    }

    /// Reduces axes by the sum.
    pub fn sum(&mut self, x: &str, axes: &[usize], keep: bool) -> String {
        let axes: Vec<i64> = axes.iter().map(|axis| *axis as i64).collect();
        let axes = self.indices(&axes);
        self.node("ReduceSum", &[x, &axes], vec![int("keepdims", keep.into())])
    }

    /// Makes floats of numbers.
    pub fn cast(&mut self, x: &str, to: i32) -> String {
        self.node("Cast", &[x], vec![int("to", to.into())])
    }

    /// 1 where a value differs from a number, 0 elsewhere.
    pub fn differs(&mut self, x: &str, number: f64) -> String {
        let x = self.cast(x, FLOAT);
        let same = self.with("Equal", &x, number);
        let differs = self.one("Not", &same);
        self.cast(&differs, FLOAT)
    }

    /// Repeats values along axes.
    pub fn tile(&mut self, x: &str, repeats: &[i64]) -> String {
        let repeats = self.indices(repeats);
        self.two("Tile", x, &repeats)
    }

    /// Applies an activation.
    ///
    /// # Errors
    /// One that ONNX has no form of.
    pub fn activate(&mut self, activation: &dyn Activation, x: &str) -> crate::Result<String> {
        super::activation::write(self, activation, x)
    }
}

/// The lengths of a shape after the batch axis, which is kept: an open axis is the one that takes what is left.
///
/// # Errors
/// More than one open axis.
pub fn lengths(shape: &[Option<usize>]) -> crate::Result<Vec<i64>> {
    match shape.iter().filter(|axis| axis.is_none()).count() {
        0 | 1 => {
            Ok(std::iter::once(0).chain(shape.iter().map(|axis| axis.map_or(-1, |length| length as i64))).collect())
        }
        _ => Err(crate::Error::artifact(format!(
            "expected at most one axis of any length, found {}",
            crate::network::show_shape(shape)
        ))
        .hint("state the lengths of the input")),
    }
}
