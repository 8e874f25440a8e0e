//! All weights of a network in one slice of numbers, their gradients in another.

use std::ops::Range;
use std::sync::Arc;

use crate::error::{Error, Result};
use crate::kernel::buffer::Buffer;
use crate::network::{Constraint, Network, Regularizer, WeightInfo};
use crate::tensor::Array;

/// A weight starts at a multiple of this many numbers, so that vectors load it at once.
const ALIGNMENT: usize = 16;

/// The weights of a network, the trainable ones first, with the gradients of these.
///
/// One pass over the first part updates everything that gradients train. Gaps between weights hold zeros.
#[derive(Clone, Debug)]
pub struct FlatWeights {
    values: Buffer,
    gradients: Buffer,
    /// Where each weight stands, in the order of the network.
    ranges: Vec<Range<usize>>,
    trainable: Vec<bool>,
    /// Which gradients have been written since [`FlatWeights::clear`].
    written: Vec<bool>,
    /// Penalties and rules of trainable weights.
    terms: Vec<Term>,
}

/// What one weight has to keep beside its gradient.
#[derive(Clone, Debug)]
struct Term {
    range: Range<usize>,
    shape: Vec<usize>,
    regularizer: Option<Arc<dyn Regularizer>>,
    constraint: Option<Arc<dyn Constraint>>,
}

impl FlatWeights {
    /// Creates the storage from values in the order of the network.
    ///
    /// # Errors
    /// Another number of weights than the network has, or another shape.
    pub fn new(network: &Network, weights: &[Array]) -> Result<Self> {
        let infos = network.weights();
        if infos.len() != weights.len() {
            return Err(Error::artifact(format!("expected {} weights, found {}", infos.len(), weights.len())));
        }
        let mut ranges = vec![0..0; infos.len()];
        let mut end = 0usize;
        let mut place = |trainable: bool| {
            for (info, range) in infos.iter().zip(&mut ranges).filter(|(info, _)| info.trainable == trainable) {
                *range = end..end + info.shape.iter().product::<usize>();
                end = range.end.next_multiple_of(ALIGNMENT);
            }
            end
        };
        let (trained, all) = (place(true), place(false));
        let mut flat = FlatWeights {
            values: Buffer::zeros(all),
            gradients: Buffer::zeros(trained),
            ranges,
            trainable: infos.iter().map(|info| info.trainable).collect(),
            written: vec![false; infos.len()],
            terms: Vec::new(),
        };
        let held = infos.iter().zip(&flat.ranges).filter(|(info, _)| info.trainable);
        let held = held.filter(|(info, _)| info.regularizer.is_some() || info.constraint.is_some());
        flat.terms = held
            .map(|(info, range)| Term {
                range: range.clone(),
                shape: info.shape.clone(),
                regularizer: info.regularizer.clone(),
                constraint: info.constraint.clone(),
            })
            .collect();
        infos.iter().zip(weights).enumerate().try_for_each(|(at, (info, weight))| flat.set(at, info, weight))?;
        Ok(flat)
    }

    /// Replaces one weight.
    ///
    /// # Errors
    /// A value of another shape.
    pub fn set(&mut self, at: usize, info: &WeightInfo, weight: &Array) -> Result<()> {
        if info.shape != weight.shape() {
            let (name, expected, found) = (&info.name, &info.shape, weight.shape());
            return Err(Error::artifact(format!("weight `{name}`: expected shape {expected:?}, found {found:?}")));
        }
        self.values[self.ranges[at].clone()].copy_from_slice(&weight.as_f32());
        Ok(())
    }

    /// Returns one weight.
    pub fn get(&self, at: usize) -> &[f32] {
        &self.values[self.ranges[at].clone()]
    }

    /// Returns one weight to be changed.
    pub fn get_mut(&mut self, at: usize) -> &mut [f32] {
        &mut self.values[self.ranges[at].clone()]
    }

    /// Returns where each weight stands, in the order of the network.
    pub fn ranges(&self) -> &[Range<usize>] {
        &self.ranges
    }

    /// Returns all numbers; those that gradients train come first.
    pub fn values(&self) -> &[f32] {
        &self.values
    }

    /// Returns what gradients train, and the gradients.
    pub fn trained(&mut self) -> (&mut [f32], &mut [f32]) {
        (&mut self.values[..self.gradients.len()], &mut self.gradients)
    }

    /// Returns what gradients do not train: moving statistics, frozen weights.
    pub fn untrained(&mut self) -> &mut [f32] {
        &mut self.values[self.gradients.len()..]
    }

    /// Returns the sum of the penalties on trainable weights, which joins the loss.
    pub fn penalty(&self) -> f64 {
        let penalty =
            |term: &Term| Some(term.regularizer.as_ref()?.value(&self.values[term.range.clone()], &term.shape));
        self.terms.iter().filter_map(penalty).sum()
    }

    /// Adds the derivatives of the penalties to the gradients.
    pub fn add_penalties(&mut self) {
        let FlatWeights { values, gradients, terms, .. } = self;
        for term in terms {
            if let Some(regularizer) = &term.regularizer {
                let gradient = &mut gradients[term.range.clone()];
                regularizer.add_gradient(&values[term.range.clone()], &term.shape, 1.0, gradient);
            }
        }
    }

    /// Brings weights back to their rules.
    pub fn constrain(&mut self) {
        let FlatWeights { values, terms, .. } = self;
        for term in terms {
            if let Some(constraint) = &term.constraint {
                constraint.apply(&mut values[term.range.clone()], &term.shape);
            }
        }
    }

    /// Returns which weights gradients train, in the order of the network.
    pub fn trainable(&self) -> &[bool] {
        &self.trainable
    }

    /// Begins a backward pass: no gradient has been written.
    pub fn clear(&mut self) {
        self.written.fill(false);
    }

    /// Replaces the gradient of one weight.
    pub fn set_gradient(&mut self, at: usize, gradient: &[f32]) {
        self.gradients[self.ranges[at].clone()].copy_from_slice(gradient);
        self.written[at] = true;
    }

    /// Returns the gradient of a weight that the latest backward pass wrote; `None` for weights that gradients do not
    /// train.
    pub fn gradient(&self, at: usize) -> Option<&[f32]> {
        self.gradients.get(self.ranges[at].clone()).filter(|_| self.trainable[at])
    }

    /// Returns the trainable weights that the last backward pass did not reach.
    pub fn unreached(&self) -> impl Iterator<Item = usize> {
        let pairs = self.trainable.iter().zip(&self.written).enumerate();
        pairs.filter(|(_, (trainable, written))| **trainable && !**written).map(|(at, _)| at)
    }

    /// Returns values with their ranges, gradients, which of these are written, and which wanted.
    #[allow(clippy::type_complexity)]
    pub(super) fn parts(&mut self) -> ((&[f32], &[Range<usize>]), &mut [f32], &mut [bool], &[bool]) {
        ((&self.values, &self.ranges), &mut self.gradients, &mut self.written, &self.trainable)
    }
}
