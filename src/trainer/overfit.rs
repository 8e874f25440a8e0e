//! Learning one batch by heart: what a sound network does within some hundred steps, and what one with a broken
//! loss, wrong labels or cut gradients never does.
//!
//! The batch is the same at every step, so the loss can only stay up for a reason. What counts as near zero is
//! measured against what knows nothing: the loss of the untrained network, or that of predicting each target's
//! mean over the batch (for classes, their shares) when that is less, so that a bias that moves to the scale of
//! the targets does not pass for learning.

use super::Trainer;
use crate::dataset::Batch;
use crate::error::Result;
use crate::network::Port;
use crate::tensor::Array;

/// Near zero: at most this share of the loss of knowing nothing.
pub const NEAR_ZERO: f64 = 0.01;

/// What training on one batch came to.
#[derive(Clone, Debug, PartialEq)]
pub struct Overfit {
    /// The loss before each step; when it stayed up, at last that of the whole network, with nothing dropped.
    pub losses: Vec<f64>,
    /// The loss of knowing nothing; `None` when it is not above 0, so that nothing is near zero.
    pub reference: Option<f64>,
    /// The learning rate of the last step.
    pub learning_rate: f64,
    /// What was found when the loss stayed up.
    pub causes: Vec<Cause>,
}

/// Why a batch may not be learned by heart.
#[derive(Clone, Debug, PartialEq)]
pub enum Cause {
    /// The loss was no number after so many steps.
    NotFinite(u64),
    /// The loss goes up and down, or up.
    Jumps,
    /// The loss was still falling at the end.
    Falling,
    /// The loss no longer moves.
    Stuck,
    /// Two records of the batch, by their places, have the same inputs and different targets.
    Contradiction(String, String),
    /// The network predicts the same for every record, at this output.
    Constant(String),
    /// Layers that add noise in training, by name.
    Noise(Vec<String>),
}

impl Overfit {
    /// Returns the loss that was reached.
    pub fn last(&self) -> f64 {
        self.losses.last().copied().unwrap_or(f64::NAN)
    }

    /// Returns the number of steps.
    pub fn steps(&self) -> usize {
        self.losses.len().saturating_sub(1)
    }

    /// Returns whether the loss fell near zero; `None` when it is of a kind that has no zero to fall to.
    pub fn learned(&self) -> Option<bool> {
        self.reference.map(|reference| self.last() <= NEAR_ZERO * reference)
    }
}

impl Trainer {
    /// Trains on one batch until its loss is near zero, or for `most` steps, and looks for reasons if it is not.
    /// `tell` sees the number of steps done and the loss. The trainer is used up: its weights know one batch.
    ///
    /// # Errors
    /// Whatever a step raises, and that someone asked to stop.
    pub fn overfit(mut self, batch: &Batch, most: usize, tell: &mut dyn FnMut(usize, f64)) -> Result<Overfit> {
        let (_, predictions) = self.score(batch)?;
        let mut found = Overfit { losses: Vec::new(), reference: None, learning_rate: 0.0, causes: Vec::new() };
        let ignorant =
            ignorant(self.network().outputs(), batch, &predictions).and_then(|means| self.loss_of(batch, &means).ok());
        for step in 0..most {
            self.go_on()?;
            found.learning_rate = self.rate_at(step as u64)?;
            let loss = self.learn(batch, found.learning_rate)?;
            found.losses.push(loss);
            tell(step, loss);
            if step == 0 {
                let known = ignorant.filter(|loss| loss.is_finite() && *loss > 0.0);
                found.reference = (loss > 0.0).then(|| known.map_or(loss, |known| known.min(loss)));
            }
            if !loss.is_finite() || found.learned() == Some(true) {
                break;
            }
        }
        if found.last().is_finite() && found.learned() != Some(true) {
            // Noise of dropout is not in this one.
            let (last, predictions) = self.score(batch)?;
            found.losses.push(last);
            tell(found.steps(), last);
            if found.learned() == Some(false) {
                found.causes = self.causes(batch, &predictions, &found.losses);
            }
        } else if !found.last().is_finite() {
            found.causes = vec![Cause::NotFinite(found.steps() as u64)];
        }
        Ok(found)
    }

    fn causes(&self, batch: &Batch, predictions: &[Array], losses: &[f64]) -> Vec<Cause> {
        let place = |at: usize| batch.rows.get(at).map_or_else(String::new, |&row| self.train_data().place(row));
        let contradiction = contradiction(batch).map(|(one, other)| Cause::Contradiction(place(one), place(other)));
        let ports = self.network().outputs().iter().zip(predictions);
        let same = ports.filter(|(_, values)| batch.len > 1 && is_constant(values));
        let layers = self.network().layers().into_iter().filter(|layer| is_noise(layer.kind));
        let noise: Vec<String> = layers.map(|layer| layer.name.to_string()).collect();
        let mut causes: Vec<Cause> = contradiction.into_iter().collect();
        causes.extend(same.map(|(port, _)| Cause::Constant(port.name.to_string())));
        if !noise.is_empty() {
            causes.push(Cause::Noise(noise));
        }
        causes.push(course(losses));
        causes
    }
}

fn is_noise(kind: &str) -> bool {
    kind.contains("Dropout") || kind.starts_with("Gaussian")
}

/// Says how the losses went: the last tenth of the steps against the tenth before it. A loss falls when it loses
/// a fiftieth from one to the other, or a twentieth of all that it has lost.
fn course(losses: &[f64]) -> Cause {
    let piece = (losses.len() / 10).max(2);
    let tail = &losses[losses.len().saturating_sub(2 * piece)..];
    let (before, after) = tail.split_at(tail.len() / 2);
    let mean = |losses: &[f64]| losses.iter().sum::<f64>() / losses.len().max(1) as f64;
    let (old, new) = (mean(before), mean(after));
    // How far single steps are from their mean.
    let spread = after.iter().map(|loss| (loss - new).abs()).fold(0.0, f64::max);
    if spread > 0.5 * new.abs() || new > 1.1 * old {
        Cause::Jumps
    } else if old - new > 0.02 * old.abs() || old - new > 0.05 * (losses[0] - new) && new < 0.999 * old {
        Cause::Falling
    } else {
        Cause::Stuck
    }
}

/// Returns for each output the mean of its targets over the batch, as a prediction of every record; for class
/// numbers the share of each class. `None` when a target has another form.
fn ignorant(ports: &[Port], batch: &Batch, predictions: &[Array]) -> Option<Vec<Array>> {
    let y = batch.y.as_ref()?;
    ports.iter().zip(predictions).map(|(port, like)| means(Batch::find(y, "output", &port.name).ok()?, like)).collect()
}

fn means(target: &Array, like: &Array) -> Option<Array> {
    let (size, len) = (like.size(), like.len().max(1));
    let mut means = vec![0.0; size / len];
    let values = target.to_f64_vec();
    if target.size() == size {
        values.iter().enumerate().for_each(|(at, value)| means[at % (size / len)] += value / len as f64);
    } else if target.size() == len && like.rank() == 2 {
        for value in &values {
            *means.get_mut(*value as usize)? += 1.0 / len as f64;
        }
    } else {
        return None;
    }
    Array::from_f32((0..size).map(|at| means[at % means.len()] as f32).collect(), like.shape()).ok()
}

/// Returns the first two records with the same inputs and different targets.
fn contradiction(batch: &Batch) -> Option<(usize, usize)> {
    let bits = |arrays: &[(crate::record::Name, Array)], at: usize| -> Vec<u64> {
        let row = |(_, array): &(_, Array)| array.row(at).to_f64_vec().into_iter().map(f64::to_bits);
        arrays.iter().flat_map(row).collect()
    };
    let y = batch.y.as_ref()?;
    let rows: Vec<(Vec<u64>, Vec<u64>)> = (0..batch.len).map(|at| (bits(&batch.x, at), bits(y, at))).collect();
    (1..batch.len).find_map(|at| {
        let earlier = (0..at).find(|&earlier| rows[earlier].0 == rows[at].0 && rows[earlier].1 != rows[at].1);
        earlier.map(|earlier| (earlier, at))
    })
}

fn is_constant(values: &Array) -> bool {
    let first = values.row(0).to_f64_vec();
    let near = |(a, b): (&f64, &f64)| (a - b).abs() <= 1e-5 * (1.0 + b.abs());
    (1..values.len()).all(|at| values.row(at).to_f64_vec().iter().zip(&first).all(near))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_course_of_losses_is_told() {
        let of = |loss: &dyn Fn(f64) -> f64| course(&(0..200).map(|step| loss(f64::from(step))).collect::<Vec<_>>());
        assert_eq!(of(&|_| 0.7), Cause::Stuck);
        assert_eq!(of(&|step| 2.0 * (-step / 300.0).exp()), Cause::Falling);
        assert_eq!(of(&|step| 5.0 - 0.001 * step), Cause::Falling);
        assert_eq!(of(&|step| 2.0 * (-step / 30.0).exp() + 0.5), Cause::Stuck);
        assert_eq!(of(&|step| if step % 2.0 == 0.0 { 0.2 } else { 3.0 }), Cause::Jumps);
        assert_eq!(of(&|step| (step / 20.0).exp()), Cause::Jumps);
    }
}
