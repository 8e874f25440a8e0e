//! Adafactor: Adam with the mean of squares kept by row and column only.

use super::Optimizer;
use super::common::{sum_of_squares, with_common};
use crate::error::Result;
use crate::kernel::buffer::Buffer;
use crate::kernel::scratch::Scratch;
use crate::registry::{Arguments, Entry, Parameter, Type};

/// Adafactor.
pub(super) const ENTRY: Entry<dyn Optimizer> = Entry {
    name: "Adafactor",
    aliases: &["adafactor"],
    doc: "For a matrix, the mean of squared gradients is kept as a row and a column whose product it is; steps are in \
          proportion to the parameter's root mean square (Shazeer and Stern, 2018).",
    parameters: &with_common::<5, 15>([
        Parameter::optional("beta_2_decay", Type::Float, "-0.8", "The means keep 1 - step^beta_2_decay"),
        Parameter::optional("epsilon_1", Type::Float, "1e-30", "Added to squared gradients"),
        Parameter::optional("epsilon_2", Type::Float, "0.001", "The least root mean square of a parameter"),
        Parameter::optional("clip_threshold", Type::Float, "1.0", "The largest root mean square of a step; above 0"),
        Parameter::optional("relative_step", Type::Bool, "true", "Whether the rate is at most 1 / sqrt(step)"),
    ]),
    build,
};

struct Adafactor {
    beta_2_decay: f32,
    epsilon_1: f32,
    epsilon_2: f32,
    clip_threshold: f32,
    relative_step: bool,
    update: Scratch<Vec<f32>>,
}

fn build(arguments: &Arguments) -> Result<Box<dyn Optimizer>> {
    let positive = |name: &str| arguments.within(name, 0.0, f64::INFINITY).map(|value| value as f32);
    Ok(Box::new(Adafactor {
        beta_2_decay: arguments.float("beta_2_decay") as f32,
        epsilon_1: positive("epsilon_1")?,
        epsilon_2: positive("epsilon_2")?,
        clip_threshold: arguments.within("clip_threshold", f64::from(f32::MIN_POSITIVE), f64::INFINITY)? as f32,
        relative_step: arguments.bool("relative_step"),
        update: Scratch::default(),
    }))
}

impl Optimizer for Adafactor {
    fn name(&self) -> &'static str {
        "Adafactor"
    }

    fn slots(&self) -> &'static [&'static str] {
        &["row", "column", "velocity"]
    }

    /// Matrices (the last two axes) have a mean for each row and each column, vectors one for each value.
    fn slot_start(&self, slot: usize, shape: &[usize], parameter: &[f32]) -> Buffer {
        let length = match (slot, shape) {
            (0, [.., _, columns]) => parameter.len() / (*columns).max(1),
            (1, [.., rows, _]) => parameter.len() / (*rows).max(1),
            (2, [] | [_]) => parameter.len(),
            _ => 0,
        };
        Buffer::zeros(length)
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
        let [row, column, velocity] = slots else { return };
        if parameter.is_empty() {
            return;
        }
        let step = step as f32;
        let falling = 1.0 / step.sqrt();
        let rate = if self.relative_step { learning_rate.min(falling) } else { learning_rate };
        let alpha = self.epsilon_2.max(root_mean_square(parameter)) * rate.min(falling);
        let beta_2 = 1.0 - step.powf(self.beta_2_decay);
        let mut update = self.update.lend();
        update.clear();
        update.extend_from_slice(gradient);
        match shape {
            [.., rows, columns] => {
                let matrices = gradient.chunks_exact(rows * columns).zip(update.chunks_exact_mut(rows * columns));
                let means = row.chunks_exact_mut(*rows).zip(column.chunks_exact_mut(*columns));
                for ((gradient, update), (row, column)) in matrices.zip(means) {
                    self.factor(beta_2, gradient, update, row, column);
                }
            }
            _ => {
                for (update, v) in update.iter_mut().zip(velocity.iter_mut()) {
                    *v = beta_2 * *v + (1.0 - beta_2) * (*update * *update + self.epsilon_1);
                    *update /= v.sqrt();
                }
            }
        }
        let scale = alpha / (root_mean_square(&update) / self.clip_threshold).max(1.0);
        parameter.iter_mut().zip(&*update).for_each(|(w, update)| *w -= scale * update);
    }
}

impl Adafactor {
    /// Updates the means of one matrix and divides its gradient by the root of their product.
    fn factor(&self, beta_2: f32, gradient: &[f32], update: &mut [f32], row: &mut [f32], column: &mut [f32]) {
        let (rows, columns) = (row.len() as f32, column.len() as f32);
        column.iter_mut().for_each(|mean| *mean *= beta_2);
        for (gradient, mean) in gradient.chunks_exact(column.len()).zip(row.iter_mut()) {
            let mut total = 0.0;
            for (g, column) in gradient.iter().zip(column.iter_mut()) {
                let square = g * g + self.epsilon_1;
                total += square;
                *column += (1.0 - beta_2) * square / rows;
            }
            *mean = beta_2 * *mean + (1.0 - beta_2) * total / columns;
        }
        let mean_of_rows = row.iter().sum::<f32>() / rows;
        for (update, row) in update.chunks_exact_mut(column.len()).zip(row.iter()) {
            for (update, column) in update.iter_mut().zip(column.iter()) {
                *update /= (row / mean_of_rows * column).sqrt();
            }
        }
    }
}

fn root_mean_square(values: &[f32]) -> f32 {
    (sum_of_squares(values) / values.len().max(1) as f64).sqrt() as f32
}
