//! The order of records: which rows a batch holds, as a function of the epoch and the batch's number.
//!
//! Passes over the data form one endless stream of batches; an epoch is a piece of it. Without `steps`
//! an epoch is one pass. With fewer steps than a pass has batches, an epoch goes on where the last one
//! ended, so that all records are seen equally often; with more, an epoch continues into the next pass.

use crate::error::{Error, Result};
use crate::random::{Random, Stream};
use crate::record::Records;

/// The rows of a dataset and how they are cut into batches.
#[derive(Clone, Debug)]
pub(super) struct Order {
    rows: Vec<usize>,
    shuffle: Option<u64>,
    batch_size: usize,
    batches_per_pass: usize,
    batches_per_epoch: usize,
    /// The seed of draws with repetition, and the sums of weights up to each row.
    draws: Option<(u64, Vec<f64>)>,
    /// The length of each row of the table, when a batch has rows of similar length.
    lengths: Option<Vec<f64>>,
}

/// Batches that are looked at together when rows of similar length are put side by side: enough that lengths within a
/// batch are close, few enough that batches differ from pass to pass.
const BATCHES_TOGETHER: usize = 50;

/// Where a batch stands in the stream of passes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Spot {
    /// The pass, from 0.
    pub pass: u64,
    /// The batch's first position in the pass.
    pub start: usize,
    /// The number of records.
    pub len: usize,
}

impl Order {
    /// Creates an order; `shuffle` is the seed of the permutations, or `None` to keep the rows' order.
    pub fn new(
        rows: Vec<usize>,
        shuffle: Option<u64>,
        batch_size: usize,
        drop_last: bool,
        steps: Option<usize>,
    ) -> Result<Self> {
        if batch_size == 0 {
            return Err(Error::recipe("`batch_size`: expected at least 1, found 0"));
        }
        if steps == Some(0) {
            return Err(Error::recipe("`steps`: expected at least 1, found 0")
                .hint("leave `steps` out to see every record once an epoch"));
        }
        let batches_per_pass = match drop_last {
            true => rows.len() / batch_size,
            false => rows.len().div_ceil(batch_size),
        };
        if batches_per_pass == 0 && !rows.is_empty() {
            return Err(Error::recipe(format!(
                "no batch is left: `drop_last` leaves out the short last batch, and {} records are fewer than a batch of {batch_size}",
                rows.len()
            ))
            .hint("set `drop_last` to false, or choose a smaller `batch_size`"));
        }
        let batches_per_epoch = match batches_per_pass {
            0 => 0,
            _ => steps.unwrap_or(batches_per_pass),
        };
        Ok(Order { rows, shuffle, batch_size, batches_per_pass, batches_per_epoch, draws: None, lengths: None })
    }

    /// Returns the number of records in a pass, repeated ones counted.
    pub fn records(&self) -> usize {
        self.rows.len()
    }

    /// Returns the number of batches in an epoch.
    pub fn batches(&self) -> usize {
        self.batches_per_epoch
    }

    /// Returns the rows that a pass uses, each once, ascending.
    pub fn used(&self) -> Vec<usize> {
        let mut rows = self.rows.clone();
        rows.sort_unstable();
        rows.dedup();
        rows
    }

    /// Returns where a batch of an epoch stands; `index` is below [`Order::batches`].
    pub fn spot(&self, epoch: u64, index: usize) -> Spot {
        let per_pass = self.batches_per_pass.max(1) as u64;
        let batch = epoch.saturating_mul(self.batches_per_epoch as u64).saturating_add(index as u64);
        let start = (batch % per_pass) as usize * self.batch_size;
        Spot { pass: batch / per_pass, start, len: self.batch_size.min(self.rows.len().saturating_sub(start)) }
    }

    /// Lets each pass draw as many rows as there are, with repetition, in proportion to the weights of the rows.
    ///
    /// # Errors
    /// Without shuffling there is no draw.
    pub fn draw(&mut self, weights: Option<Vec<f64>>, seed: u64) -> Result<()> {
        let Some(weights) = weights else { return Ok(()) };
        if self.shuffle.is_none() {
            return Err(Error::recipe(
                "`balance` and `sample_probability` draw records at random, which `shuffle: false` forbids",
            )
            .hint("leave `shuffle` out"));
        }
        let mut sum = 0.0;
        let sums = self.rows.iter().map(|&row| {
            sum += weights.get(row).copied().unwrap_or(0.0);
            sum
        });
        self.draws = Some((seed, sums.collect()));
        Ok(())
    }

    /// Lets a batch have rows of similar length.
    pub fn bucket(&mut self, lengths: Option<Vec<f64>>) {
        self.lengths = lengths;
    }

    /// Returns the rows of a pass in order: the same for the same seed and pass, whatever was asked before. They are put into
    /// the memory of another pass, which is over.
    pub fn pass(&self, pass: u64, mut rows: Vec<usize>) -> Vec<usize> {
        rows.clone_from(&self.rows);
        match (&self.draws, self.shuffle) {
            (Some((seed, sums)), _) => {
                let mut random = Random::new(*seed, Stream::Shuffle, &[pass]);
                let total = sums.last().copied().unwrap_or(0.0);
                for row in &mut rows {
                    let drawn = random.uniform() * total;
                    let at = sums.partition_point(|&sum| sum <= drawn);
                    *row = self.rows[at.min(self.rows.len() - 1)];
                }
            }
            (None, Some(seed)) => Random::new(seed, Stream::Shuffle, &[pass]).shuffle(&mut rows),
            (None, None) => {}
        }
        match &self.lengths {
            Some(lengths) => self.side_by_side(rows, lengths, pass),
            None => rows,
        }
    }

    /// Sorts stretches of rows by length, and puts the batches of each stretch into an order of their own: else every
    /// stretch would begin with its shortest rows. A last batch that is not full stays the last one.
    fn side_by_side(&self, mut rows: Vec<usize>, lengths: &[f64], pass: u64) -> Vec<usize> {
        let length = |row: usize| lengths.get(row).copied().unwrap_or(0.0);
        let full = rows.len() / self.batch_size * self.batch_size;
        for (number, stretch) in rows[..full].chunks_mut(self.batch_size * BATCHES_TOGETHER).enumerate() {
            stretch.sort_by(|&a, &b| length(a).total_cmp(&length(b)));
            if let Some(seed) = self.shuffle {
                let mut random = Random::new(seed, Stream::Shuffle, &[pass, number as u64]);
                let order = random.permutation(stretch.len() / self.batch_size);
                let sorted = stretch.to_vec();
                for (to, from) in order.into_iter().enumerate() {
                    let (to, from) = (to * self.batch_size, from * self.batch_size);
                    stretch[to..to + self.batch_size].copy_from_slice(&sorted[from..from + self.batch_size]);
                }
            }
        }
        rows
    }
}

/// Returns the rows of a training pass: each row as often as its field `column` says, or once each.
///
/// A count of 0 leaves the record out. (Barrage for Python turns 0 and negative counts into 1, and cuts
/// off fractions; here a negative or fractional count is an error.)
///
/// # Errors
/// A count that is no whole number of at least 0 names its record.
pub(super) fn repeated(records: &Records, column: Option<&str>) -> Result<Vec<usize>> {
    let Some(column) = column else {
        return Ok((0..records.len()).collect());
    };
    let mut rows = Vec::with_capacity(records.len());
    for row in 0..records.len() {
        let record = records.record(row);
        let count = count(&record.get(column)?).map_err(|found| {
            Error::data(format!("sample count `{column}`: expected a whole number of at least 0, found {found}"))
                .hint("a count says how often a record is used in each pass; 0 leaves it out")
                .within(record.place())
        })?;
        rows.extend(std::iter::repeat_n(row, count));
    }
    match rows.is_empty() && !records.is_empty() {
        true => Err(Error::data(format!("sample count `{column}` is 0 in every record: nothing is left to train on"))
            .within(records.source())),
        false => Ok(rows),
    }
}

/// Counts above this are taken for a mistake: one record would fill the memory.
const MOST_REPEATS: f64 = 1e6;

fn count(value: &crate::record::Value) -> Result<usize, String> {
    use crate::record::Value;
    let number = match value {
        Value::Int(count) => *count as f64,
        Value::Float(count) => *count,
        Value::Bool(count) => f64::from(u8::from(*count)),
        Value::Text(text) => return Err(format!("the text {text:?}")),
        _ => return Err("a value that is no number".to_owned()),
    };
    match number >= 0.0 && number.fract() == 0.0 && number <= MOST_REPEATS {
        true => Ok(number as usize),
        false => Err(format!("{number}")),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn order(n: usize, batch: usize, drop_last: bool, steps: Option<usize>) -> Order {
        Order::new((0..n).collect(), Some(3), batch, drop_last, steps).unwrap()
    }

    #[test]
    fn an_epoch_is_one_pass_and_the_last_batch_may_be_short() {
        let order = order(10, 4, false, None);
        assert_eq!(order.batches(), 3);
        assert_eq!(order.spot(2, 2), Spot { pass: 2, start: 8, len: 2 });
        assert_eq!(Order::new((0..10).collect(), None, 4, true, None).unwrap().batches(), 2);
    }

    #[test]
    fn fewer_steps_go_on_where_the_last_epoch_ended_and_more_steps_continue_into_the_next_pass() {
        let few = order(10, 4, false, Some(2));
        let place = |(epoch, index)| few.spot(epoch, index);
        let spots: Vec<_> = (0..3).flat_map(|epoch| [(epoch, 0), (epoch, 1)]).map(place).collect();
        let spots: Vec<_> = spots.iter().map(|spot| (spot.pass, spot.start)).collect();
        assert_eq!(spots, [(0, 0), (0, 4), (0, 8), (1, 0), (1, 4), (1, 8)]);
        let many = order(10, 4, false, Some(5));
        assert_eq!(many.batches(), 5);
        assert_eq!(many.spot(0, 4), Spot { pass: 1, start: 4, len: 4 });
        assert_eq!(many.spot(1, 0), Spot { pass: 1, start: 8, len: 2 });
    }

    #[test]
    fn passes_are_permutations_and_differ() {
        let order = order(50, 4, false, None);
        let (first, second) = (order.pass(0, Vec::new()), order.pass(1, Vec::new()));
        assert_ne!(first, second);
        assert_eq!(first, order.pass(0, Vec::new()));
        let mut sorted = second.clone();
        sorted.sort_unstable();
        assert_eq!(sorted, (0..50).collect::<Vec<_>>());
    }

    #[test]
    fn draws_follow_the_weights_and_repeat_by_the_seed() {
        let mut drawn = order(10_000, 100, false, None);
        // Row 0 has half of all weight.
        drawn.draw(Some(std::iter::once(9_999.0).chain(std::iter::repeat_n(1.0, 9_999)).collect()), 3).unwrap();
        let pass = drawn.pass(0, Vec::new());
        let share = pass.iter().filter(|&&row| row == 0).count();
        assert!((4_800..5_200).contains(&share), "{share}");
        assert_eq!(
            (pass.len(), pass == drawn.pass(0, Vec::new()), pass == drawn.pass(1, Vec::new())),
            (10_000, true, false)
        );
        let mut kept = Order::new((0..3).collect(), None, 1, false, None).unwrap();
        assert!(kept.draw(Some(vec![1.0; 3]), 1).is_err());
        let mut none = order(100, 10, false, None);
        none.draw(Some((0..100).map(|row| f64::from(u8::from(row % 2 == 0))).collect()), 1).unwrap();
        assert!(none.pass(4, Vec::new()).iter().all(|row| row % 2 == 0), "a weight of 0 is never drawn");
    }

    #[test]
    fn batches_have_rows_of_similar_length() {
        let mut order = order(1_003, 10, false, None);
        order.bucket(Some((0..1_003).map(|row| (row * 37 % 100) as f64).collect()));
        let pass = order.pass(0, Vec::new());
        let mut sorted = pass.clone();
        sorted.sort_unstable();
        assert_eq!(sorted, (0..1_003).collect::<Vec<_>>());
        let spread = |batch: &[usize]| {
            let lengths: Vec<usize> = batch.iter().map(|row| row * 37 % 100).collect();
            lengths.iter().max().unwrap() - lengths.iter().min().unwrap()
        };
        assert!(pass[..1_000].chunks(10).all(|batch| spread(batch) <= 6));
        let first: Vec<usize> = pass.chunks(10).take(20).map(|batch| batch[0] * 37 % 100).collect();
        assert!(!first.is_sorted(), "the batches are in an order of their own");
        assert_ne!(pass, order.pass(1, Vec::new()));
    }

    #[test]
    fn impossible_sizes_are_refused() {
        let refused = |batch, drop_last, steps| {
            Order::new((0..3).collect(), None, batch, drop_last, steps).unwrap_err().message().to_owned()
        };
        assert_eq!(refused(0, false, None), "`batch_size`: expected at least 1, found 0");
        assert_eq!(refused(2, false, Some(0)), "`steps`: expected at least 1, found 0");
        assert!(refused(4, true, None).starts_with("no batch is left"));
        assert_eq!(Order::new(vec![], None, 4, true, Some(2)).unwrap().batches(), 0);
    }
}
