//! `orthogonal`: vectors at right angles.

use crate::random::Random;

use super::Initializer;

#[derive(Debug)]
pub(super) struct Orthogonal {
    pub gain: f64,
}

impl Initializer for Orthogonal {
    fn values(&self, shape: &[usize], random: &mut Random) -> Vec<f32> {
        let columns = shape.last().copied().unwrap_or(1);
        let rows: usize = shape.iter().rev().skip(1).product();
        let (count, length) = (rows.min(columns), rows.max(columns));
        let mut vectors: Vec<Vec<f64>> = Vec::with_capacity(count);
        for _ in 0..count {
            let vector = orthonormal(&vectors, length, random);
            vectors.push(vector);
        }
        let at = |row: usize, column: usize| {
            if rows >= columns { vectors[column][row] } else { vectors[row][column] }
        };
        (0..rows)
            .flat_map(|row| (0..columns).map(move |column| (row, column)))
            .map(|(row, column)| (self.gain * at(row, column)) as f32)
            .collect()
    }
}

/// Gram and Schmidt, twice for accuracy; a draw that depends on the others is drawn again.
fn orthonormal(others: &[Vec<f64>], length: usize, random: &mut Random) -> Vec<f64> {
    loop {
        let mut vector: Vec<f64> = (0..length).map(|_| random.normal()).collect();
        for other in others.iter().chain(others) {
            let dot: f64 = vector.iter().zip(other).map(|(a, b)| a * b).sum();
            vector.iter_mut().zip(other).for_each(|(a, b)| *a -= dot * b);
        }
        let norm = vector.iter().map(|a| a * a).sum::<f64>().sqrt();
        if norm > 1e-6 || length == 0 {
            vector.iter_mut().for_each(|a| *a /= norm);
            return vector;
        }
    }
}
