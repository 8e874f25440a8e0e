//! Which items make up each batch: rounds over an index, in order or shuffled.

use crate::error::{Error, Result};
use crate::random::{Random, Stream};

/// The most items of a batch across epochs, which is larger than the data set when that is small.
const LARGEST: usize = 1 << 24;

/// How long to go on.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Length {
    /// Every item so many times.
    Epochs(usize),
    /// So many batches.
    Batches(usize),
    /// Without end.
    Endless,
}

/// How items become batches.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Plan {
    /// Items of a batch; a smaller set gives smaller batches.
    pub batch_size: usize,
    /// The seed of the order, another one each epoch; without it, items come in the order of the index.
    pub shuffle: Option<u64>,
    /// Leaves out the last batch of an epoch when it would be short.
    pub drop_last: bool,
    /// Fills a short batch at the end of an epoch with items of the next one, so that only the very last one is
    /// short; an item may then be in a batch twice.
    pub cross_epochs: bool,
    /// How long to go on.
    pub length: Length,
}

impl Plan {
    /// Checks the plan.
    ///
    /// # Errors
    /// Batches of no items.
    pub fn check(&self) -> Result<()> {
        match self.batch_size {
            size if self.cross_epochs && size > LARGEST => {
                Err(Error::data(format!("expected a batch size of at most {LARGEST} across epochs, found {size}")))
            }
            0 => Err(Error::data("expected a batch size of at least 1, found 0")),
            _ => Ok(()),
        }
    }

    /// Returns how many batches there will be of so many items, or `None` when there is no end.
    pub fn total(&self, count: usize) -> Option<usize> {
        let size = self.batch_size.max(1);
        match self.length {
            Length::Batches(_) if self.drop_last && count < size => Some(0),
            Length::Batches(batches) => Some(batches),
            Length::Endless => None,
            Length::Epochs(epochs) if self.drop_last => Some((count / size).saturating_mul(epochs)),
            Length::Epochs(epochs) if self.cross_epochs => Some(count.saturating_mul(epochs).div_ceil(size)),
            Length::Epochs(epochs) => Some(count.div_ceil(size).saturating_mul(epochs)),
        }
    }
}

/// The batches of a plan, one after another: the positions of each one's items.
#[derive(Clone, Debug)]
pub struct Rounds {
    plan: Plan,
    count: usize,
    order: Vec<usize>,
    /// Epochs begun.
    epoch: u64,
    next: usize,
    given: usize,
}

impl Rounds {
    /// Starts over so many items.
    ///
    /// # Errors
    /// See [`Plan::check`].
    pub fn new(plan: Plan, count: usize) -> Result<Rounds> {
        plan.check()?;
        Ok(Rounds { plan, count, order: Vec::new(), epoch: 0, next: 0, given: 0 })
    }

    /// Returns the number of batches given so far.
    pub fn given(&self) -> usize {
        self.given
    }

    /// Returns the number of batches in all, or `None` when there is no end.
    pub fn total(&self) -> Option<usize> {
        self.plan.total(self.count)
    }

    /// Returns the plan.
    pub fn plan(&self) -> &Plan {
        &self.plan
    }

    fn begin_epoch(&mut self) {
        self.order = match self.plan.shuffle {
            // A function of the seed and the epoch, so that any epoch can be made without those before it.
            Some(seed) => Random::new(seed, Stream::Shuffle, &[self.epoch]).permutation(self.count),
            None if self.epoch == 0 => (0..self.count).collect(),
            None => std::mem::take(&mut self.order),
        };
        self.epoch += 1;
        self.next = 0;
    }

    fn may_begin(&self) -> bool {
        match self.plan.length {
            Length::Epochs(epochs) => self.epoch < epochs as u64,
            Length::Batches(_) | Length::Endless => true,
        }
    }
}

impl Iterator for Rounds {
    type Item = Vec<usize>;

    fn next(&mut self) -> Option<Vec<usize>> {
        if self.count == 0 || self.total().is_some_and(|total| self.given >= total) {
            return None;
        }
        if self.plan.drop_last && self.count < self.plan.batch_size {
            return None;
        }
        let short = |rounds: &Rounds| rounds.order.len() - rounds.next < rounds.plan.batch_size;
        if self.epoch == 0 || self.next == self.order.len() || (self.plan.drop_last && short(self)) {
            if !self.may_begin() {
                return None;
            }
            self.begin_epoch();
        }
        let mut batch = Vec::with_capacity(self.plan.batch_size.min(self.count));
        loop {
            let end = (self.next + self.plan.batch_size - batch.len()).min(self.order.len());
            batch.extend_from_slice(&self.order[self.next..end]);
            self.next = end;
            if !self.plan.cross_epochs || batch.len() == self.plan.batch_size || !self.may_begin() {
                break;
            }
            self.begin_epoch();
        }
        self.given += 1;
        Some(batch)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn batches(count: usize, plan: Plan) -> Vec<Vec<usize>> {
        let rounds = Rounds::new(plan, count).unwrap();
        let total = rounds.total();
        let all: Vec<_> = rounds.take(50).collect();
        assert!(total.is_none_or(|total| total == all.len()), "{total:?} batches said, {} given", all.len());
        all
    }

    const PLAN: Plan =
        Plan { batch_size: 3, shuffle: None, drop_last: false, cross_epochs: false, length: Length::Epochs(2) };

    #[test]
    fn four_items_in_batches_of_three() {
        assert_eq!(batches(4, PLAN), [vec![0, 1, 2], vec![3], vec![0, 1, 2], vec![3]]);
        let crossing = Plan { cross_epochs: true, ..PLAN };
        assert_eq!(batches(4, crossing), [vec![0, 1, 2], vec![3, 0, 1], vec![2, 3]]);
        let dropping = Plan { drop_last: true, ..PLAN };
        assert_eq!(batches(4, dropping), [[0, 1, 2], [0, 1, 2]]);
        let four = Plan { length: Length::Batches(4), ..crossing };
        assert_eq!(batches(4, four), [[0, 1, 2], [3, 0, 1], [2, 3, 0], [1, 2, 3]]);
        assert_eq!(batches(2, PLAN), [[0, 1], [0, 1]]);
        assert!(batches(2, dropping).is_empty());
        assert!(batches(2, Plan { length: Length::Batches(4), ..dropping }).is_empty());
        assert_eq!(batches(4, Plan { length: Length::Endless, ..PLAN }).len(), 50);
        assert!(Rounds::new(Plan { batch_size: 0, ..PLAN }, 4).is_err());
    }

    #[test]
    fn a_seed_gives_an_order_of_its_own_to_each_epoch() {
        let shuffled = Plan { shuffle: Some(7), batch_size: 10, ..PLAN };
        let two = batches(10, shuffled);
        assert_eq!(two, batches(10, shuffled));
        assert_ne!(two[0], two[1]);
        let mut sorted = two[1].clone();
        sorted.sort_unstable();
        assert_eq!(sorted, (0..10).collect::<Vec<_>>());
        assert_ne!(two[0], batches(10, Plan { shuffle: Some(8), ..shuffled })[0]);
    }
}
