//! Muon: momentum made orthogonal by Newton-Schulz iterations, for matrices; Adam for everything else.

use serde_json::Value;

use super::Optimizer;
use super::adam::Moments;
use super::common::{sum_of_squares, with_common, with_decay};
use crate::error::Result;
use crate::kernel::buffer::Buffer;
use crate::kernel::scratch::Scratch;
use crate::registry::{Arguments, Entry, Parameter, Type};

/// Muon.
pub(super) const ENTRY: Entry<dyn Optimizer> = Entry {
    name: "Muon",
    aliases: &["muon"],
    doc: "For parameters of two axes, the momentum is replaced by the nearest matrix with orthogonal rows (Jordan, 2024); \
          all others are updated by Adam.",
    parameters: &with_decay(
        with_common::<14, 24>([
            Parameter::optional("adam_beta_1", Type::Float, "0.9", "Adam's beta_1"),
            Parameter::optional("adam_beta_2", Type::Float, "0.999", "Adam's beta_2"),
            Parameter::optional("adam_weight_decay", Type::Float, "0.004", "Weight decay of what Adam updates"),
            Parameter::optional("adam_lr_ratio", Type::Float, "1.0", "Adam's rate as a multiple of the rate"),
            Parameter::optional("epsilon", Type::Float, "1e-7", "Adam's epsilon"),
            Parameter::optional("momentum", Type::Float, "0.95", "The share of the momentum that is kept, 0 to 1"),
            Parameter::optional("nesterov", Type::Bool, "true", "Whether momentum looks ahead"),
            Parameter::optional("ns_steps", Type::Int, "5", "Newton-Schulz iterations, 0 to 100"),
            Parameter::optional("muon_a", Type::Float, "3.4445", "First coefficient of the iteration"),
            Parameter::optional("muon_b", Type::Float, "-4.775", "Second coefficient of the iteration"),
            Parameter::optional("muon_c", Type::Float, "2.0315", "Third coefficient of the iteration"),
            Parameter::optional("rms_rate", Type::Float, "0.2", "Steps are scaled by this × sqrt(longer axis)"),
            Parameter::optional(
                "exclude_layers",
                Type::Texts,
                "[]",
                "Parts of the names of weights that are updated by Adam whatever their axes",
            ),
            Parameter::optional(
                "exclude_embeddings",
                Type::Bool,
                "true",
                "Whether weights with `embedding` in their name are updated by Adam",
            ),
        ]),
        "0.004",
    ),
    build,
};

struct Muon {
    adam: Moments,
    adam_weight_decay: Option<f32>,
    adam_ratio: f32,
    momentum: f32,
    nesterov: bool,
    iterations: usize,
    coefficients: [f32; 3],
    scale: f32,
    /// Parts of the names of weights that Adam updates.
    excluded: Vec<String>,
    embeddings: bool,
    /// Kept from update to update, so that nothing is allocated.
    memory: Scratch<Memory>,
}

/// What the iterations compute with.
#[derive(Default)]
struct Memory {
    x: Vec<f32>,
    turned: Vec<f32>,
    gram: Vec<f32>,
    square: Vec<f32>,
    next: Vec<f32>,
}

fn build(arguments: &Arguments) -> Result<Box<dyn Optimizer>> {
    Ok(Box::new(Muon {
        adam: Moments::new(
            arguments.within("adam_beta_1", 0.0, 1.0)?,
            arguments.within("adam_beta_2", 0.0, 1.0)?,
            arguments.within("epsilon", 0.0, f64::INFINITY)? as f32,
        ),
        adam_weight_decay: Some(arguments.within("adam_weight_decay", 0.0, f64::INFINITY)? as f32),
        adam_ratio: arguments.float("adam_lr_ratio") as f32,
        momentum: arguments.within("momentum", 0.0, 1.0)? as f32,
        nesterov: arguments.bool("nesterov"),
        iterations: arguments.between("ns_steps", 0, 100)?,
        coefficients: ["muon_a", "muon_b", "muon_c"].map(|name| arguments.float(name) as f32),
        scale: arguments.float("rms_rate") as f32,
        excluded: match arguments.value("exclude_layers") {
            Value::Array(parts) => parts.iter().filter_map(|part| part.as_str().map(str::to_owned)).collect(),
            one => one.as_str().map(str::to_owned).into_iter().collect(),
        },
        embeddings: arguments.bool("exclude_embeddings"),
        memory: Scratch::default(),
    }))
}

impl Optimizer for Muon {
    fn name(&self) -> &'static str {
        "Muon"
    }

    fn slots(&self) -> &'static [&'static str] {
        &["momentum", "velocity"]
    }

    fn takes_as_list(&self, name: &str) -> bool {
        (self.embeddings && name.to_lowercase().contains("embedding"))
            || self.excluded.iter().any(|part| name.contains(part.as_str()))
    }

    fn slot_start(&self, slot: usize, shape: &[usize], parameter: &[f32]) -> Buffer {
        if slot == 1 && is_matrix(shape) { Buffer::default() } else { Buffer::zeros(parameter.len()) }
    }

    fn weight_decay(&self, shape: &[usize], given: Option<f32>) -> Option<f32> {
        if is_matrix(shape) { given } else { self.adam_weight_decay }
    }

    fn update(
        &self,
        step: u64,
        learning_rate: f32,
        shape: &[usize],
        parameter: &mut [f32],
        gradient: &[f32],
        slots: &mut [&mut [f32]],
    ) {
        let [m, v] = slots else { return };
        let &[rows, columns] = shape else {
            return self.adam.adam(step, learning_rate * self.adam_ratio, parameter, gradient, m, v);
        };
        for (m, g) in m.iter_mut().zip(gradient) {
            *m += g + *m * (self.momentum - 1.0);
        }
        let mut memory = self.memory.lend();
        memory.x.clear();
        match self.nesterov {
            true => memory.x.extend(m.iter().zip(gradient).map(|(m, g)| g + self.momentum * m)),
            false => memory.x.extend_from_slice(m),
        }
        self.orthogonal(&mut memory, rows, columns);
        let scale = (rows.max(columns) as f32).sqrt() * self.scale;
        parameter.iter_mut().zip(&memory.x).for_each(|(w, step)| *w -= learning_rate * step * scale);
    }
}

impl Muon {
    /// Replaces `x` by about the nearest matrix with orthogonal rows (or columns, where these are fewer).
    fn orthogonal(&self, memory: &mut Memory, rows: usize, columns: usize) {
        let Memory { x, turned, gram, square, next } = memory;
        let tall = rows > columns;
        if tall {
            transpose(x, turned, rows, columns);
            std::mem::swap(x, turned);
        }
        let (rows, columns) = if tall { (columns, rows) } else { (rows, columns) };
        let norm = sum_of_squares(x).sqrt() as f32 + 1e-7;
        x.iter_mut().for_each(|value| *value /= norm);
        let [a, b, c] = self.coefficients;
        for _ in 0..self.iterations {
            transpose(x, turned, rows, columns);
            product(x, turned, gram, [rows, columns, rows]);
            product(gram, gram, square, [rows, rows, rows]);
            gram.iter_mut().zip(&*square).for_each(|(gram, square)| *gram = b * *gram + c * square);
            product(gram, x, next, [rows, rows, columns]);
            x.iter_mut().zip(&*next).for_each(|(x, next)| *x = a * *x + next);
        }
        if tall {
            transpose(x, turned, rows, columns);
            std::mem::swap(x, turned);
        }
    }
}

fn is_matrix(shape: &[usize]) -> bool {
    shape.len() == 2
}

fn transpose(matrix: &[f32], turned: &mut Vec<f32>, rows: usize, columns: usize) {
    turned.clear();
    turned.extend((0..columns).flat_map(|column| (0..rows).map(move |row| matrix[row * columns + column])));
}

/// Computes the product of a matrix of `rows` × `inner` and one of `inner` × `columns`.
fn product(left: &[f32], right: &[f32], result: &mut Vec<f32>, [rows, inner, columns]: [usize; 3]) {
    result.clear();
    result.resize(rows * columns, 0.0);
    if inner == 0 || columns == 0 {
        return;
    }
    for (result, left) in result.chunks_exact_mut(columns).zip(left.chunks_exact(inner)) {
        for (left, right) in left.iter().zip(right.chunks_exact(columns)) {
            result.iter_mut().zip(right).for_each(|(result, right)| *result += left * right);
        }
    }
}
