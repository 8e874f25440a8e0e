//! `OrthogonalRegularizer`: rows, or columns, at right angles to each other.

use candle_core::D;

use super::{Regularizer, factor};
use crate::error::{Error, Result};
use crate::kernel::scratch::Scratch;
use crate::registry::{Entry, Parameter, Type};
use crate::tensor::Graph;

pub(super) const ENTRY: Entry<dyn Regularizer> = Entry {
    name: "OrthogonalRegularizer",
    aliases: &["orthogonal_regularizer"],
    doc: "Adds factor · the mean of |cosine| over all pairs of different rows (or columns) to the loss; for weights of two \
          axes only.",
    parameters: &[
        Parameter::optional("factor", Type::Float, "0.01", "the factor, at least 0"),
        Parameter::optional("mode", Type::Text, "\"rows\"", "`rows` or `columns`"),
    ],
    build: |a| {
        let columns = a.choice("mode", &["rows", "columns"])? == "columns";
        Ok(Box::new(Orthogonal { factor: factor(a, "factor")?, columns, memory: Scratch::default() }))
    },
};

/// What Keras keeps a squared length from 0 by (`keras/src/utils/numerical_utils.py`, `normalize`).
const EPSILON: f32 = 1e-12;

#[derive(Debug)]
struct Orthogonal {
    factor: f64,
    columns: bool,
    /// Kept from step to step, so that nothing is allocated.
    memory: Scratch<Memory>,
}

#[derive(Debug, Default)]
struct Memory {
    /// The vectors with length 1, one after the other.
    units: Vec<f32>,
    /// Their lengths.
    lengths: Vec<f32>,
    /// The derivative in one of them.
    slope: Vec<f32>,
}

impl Memory {
    /// Takes in the vectors.
    fn read(&mut self, values: &[f32], count: usize, width: usize, place: impl Fn(usize, usize) -> usize) {
        self.units.clear();
        self.units.extend((0..count * width).map(|at| values[place(at / width, at % width)]));
        self.lengths.clear();
        for unit in self.units.chunks_exact_mut(width) {
            let length = unit.iter().map(|value| value * value).sum::<f32>().sqrt().max(EPSILON);
            unit.iter_mut().for_each(|value| *value /= length);
            self.lengths.push(length);
        }
    }

    fn cosine(&self, a: usize, b: usize, width: usize) -> f32 {
        let (a, b) = (&self.units[a * width..][..width], &self.units[b * width..][..width]);
        a.iter().zip(b).map(|(a, b)| a * b).sum()
    }
}

impl Orthogonal {
    /// Returns how many vectors there are, their length, and what one pair of them weighs.
    fn sizes(&self, shape: &[usize]) -> Option<(usize, usize, f64)> {
        let [rows, columns] = *shape else { return None };
        let (count, width) = if self.columns { (columns, rows) } else { (rows, columns) };
        (count > 1 && width > 0).then(|| (count, width, self.factor / (count as f64 * (count as f64 - 1.0) / 2.0)))
    }

    /// Hands over the memory with the vectors of the weight in it.
    fn with<T>(&self, values: &[f32], (count, width): (usize, usize), work: impl FnOnce(&mut Memory) -> T) -> T {
        let mut memory = self.memory.lend();
        let columns = self.columns;
        memory.read(values, count, width, |at, place| if columns { place * count + at } else { at * width + place });
        work(&mut memory)
    }
}

impl Regularizer for Orthogonal {
    fn check(&self, shape: &[usize]) -> Result<()> {
        match shape {
            [_, _] => Ok(()),
            _ => Err(Error::recipe(format!("`OrthogonalRegularizer`: expected a weight of two axes, found {shape:?}"))
                .hint("it fits the kernel of a `Dense`")),
        }
    }

    fn value(&self, values: &[f32], shape: &[usize]) -> f64 {
        let Some((count, width, share)) = self.sizes(shape) else { return 0.0 };
        self.with(values, (count, width), |memory| {
            let pairs = (0..count).flat_map(|a| (0..a).map(move |b| (a, b)));
            pairs.map(|(a, b)| f64::from(memory.cosine(a, b, width).abs())).sum::<f64>() * share
        })
    }

    fn add_gradient(&self, values: &[f32], shape: &[usize], share: f32, gradient: &mut [f32]) {
        let Some((count, width, own)) = self.sizes(shape) else { return };
        let (share, columns) = (own as f32 * share, self.columns);
        self.with(values, (count, width), |memory| {
            for a in 0..count {
                let mut slope = std::mem::take(&mut memory.slope);
                slope.clear();
                slope.resize(width, 0.0);
                for b in (0..count).filter(|b| *b != a) {
                    let cosine = memory.cosine(a, b, width);
                    let sign = if cosine == 0.0 { 0.0 } else { cosine.signum() };
                    let units = (&memory.units[a * width..][..width], &memory.units[b * width..][..width]);
                    // The derivative of the cosine in the vector: what of the other is at right angles to it.
                    for (slope, (own, other)) in slope.iter_mut().zip(units.0.iter().zip(units.1)) {
                        *slope += sign * (other - cosine * own);
                    }
                }
                for (place, slope) in slope.iter().enumerate() {
                    let at = if columns { place * count + a } else { a * width + place };
                    gradient[at] += share * slope / memory.lengths[a];
                }
                memory.slope = slope;
            }
        });
    }

    fn compose(&self, x: &Graph) -> Result<Graph> {
        let x = if self.columns { x.t()?.contiguous()? } else { x.clone() };
        let rows = Orthogonal { columns: false, memory: Scratch::default(), ..*self };
        let Some((count, _, share)) = rows.sizes(x.dims()) else {
            return Ok(x.sum_all()?.affine(0.0, 0.0)?);
        };
        let length = x.sqr()?.sum_keepdim(D::Minus1)?.sqrt()?.maximum(f64::from(EPSILON))?;
        let units = x.broadcast_div(&length)?;
        let cosines = units.matmul(&units.t()?.contiguous()?)?;
        let others = Graph::eye(count, cosines.dtype(), cosines.device())?.affine(-1.0, 1.0)?;
        let cosines = cosines.mul(&others)?;
        Ok(cosines.mul(&cosines.detach().sign()?)?.sum_all()?.affine(share / 2.0, 0.0)?)
    }
}

#[cfg(test)]
mod tests {
    use candle_core::Var;
    use serde_json::json;

    use crate::network::regularizer::from_value;
    use crate::tensor::device;

    #[test]
    fn penalties_and_derivatives_are_those_of_keras_and_of_composition() {
        let x = [0.5f32, -1.5, 0.25, 2.0, 1.0, -0.75];
        // keras.regularizers.OrthogonalRegularizer(0.1, mode)(…) of the same numbers as [2, 3] and [3, 2].
        for (mode, shape, penalty) in KERAS {
            let value = json!({"import": "OrthogonalRegularizer", "params": {"factor": 0.1, "mode": mode}});
            let own = from_value(&value).unwrap().unwrap();
            assert!((own.value(&x, &shape) - penalty).abs() < 1e-6, "{mode} {shape:?}: {}", own.value(&x, &shape));
            let leaf = Var::from_vec(x.to_vec(), shape.to_vec(), &device::cpu()).unwrap();
            let composed = own.compose(&leaf).unwrap();
            assert!((f64::from(composed.to_scalar::<f32>().unwrap()) - penalty).abs() < 1e-6, "{mode} {shape:?}");
            let gradients = composed.backward().unwrap();
            let expected = gradients.get(&leaf).unwrap().flatten_all().unwrap().to_vec1::<f32>().unwrap();
            let mut found = [1.0; 6];
            own.add_gradient(&x, &shape, 2.0, &mut found);
            let close = |(found, expected): (&f32, &f32)| (found - 1.0 - 2.0 * expected).abs() < 1e-6;
            assert!(found.iter().zip(&expected).all(close), "{mode} {shape:?}: {found:?} {expected:?}");
        }
        let own = from_value(&json!("OrthogonalRegularizer")).unwrap().unwrap();
        assert!(own.check(&[3]).unwrap_err().to_string().contains("two axes"));
        assert!(own.value(&[1.0, 2.0], &[1, 2]).abs() < 1e-12);
    }

    const KERAS: [(&str, [usize; 2], f64); 4] = [
        ("rows", [2, 3], 0.018209824),
        ("rows", [3, 2], 0.074015506),
        ("columns", [2, 3], 0.065645002),
        ("columns", [3, 2], 0.033442371),
    ];
}
