//! Records as an endless stream of passes, of which each of several readers takes its share, as yogadl has it.

use crate::error::{Error, Result};
use crate::random::{Random, Stream};
use crate::record::Records;

impl Records {
    /// Returns what is left of the pass that `offset` lies in, in the order of the stream: shuffled anew in each pass
    /// when there is a seed, then every `shards`-th record from `rank` on, without the last few when
    /// `drop_remainder` is set. Pass `k` is shuffled with a key of the seed and `k`, so that a stream goes on anywhere.
    ///
    /// # Errors
    /// A rank that is not below the number of shards, and fewer records than shards.
    pub fn stream(
        &self,
        offset: u64,
        shuffle: Option<u64>,
        rank: usize,
        shards: usize,
        drop_remainder: bool,
    ) -> Result<Records> {
        if rank >= shards {
            return Err(Error::data(format!("`rank` {rank} is not below `shards` {shards}")));
        }
        let whole = if drop_remainder { self.len() / shards * shards } else { self.len() };
        // How many of 0, 1, … below `whole` this reader takes.
        let share = whole.saturating_sub(rank).div_ceil(shards);
        if share == 0 {
            return Err(Error::data(format!("{} records are too few for {shards} shards", self.len())));
        }
        let (pass, done) = (offset / share as u64, (offset % share as u64) as usize);
        let mut order: Vec<usize> = (0..self.len()).collect();
        if let Some(seed) = shuffle {
            Random::new(seed, Stream::Split, &[pass]).shuffle(&mut order);
        }
        order.truncate(whole);
        let mine: Vec<usize> = order.into_iter().skip(rank).step_by(shards).skip(done).collect();
        self.take(&mine)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::record::Value;

    fn numbers(count: i64) -> Records {
        Records::from_rows((0..count).map(|i| vec![("i".into(), Value::from(i))]).collect(), "made").unwrap()
    }

    fn taken(records: &Records) -> Vec<usize> {
        records.iter().map(|record| record.index()).collect()
    }

    #[test]
    fn a_stream_goes_on_where_it_was_left() {
        let all = numbers(10);
        let pass = taken(&all.stream(10, Some(3), 0, 1, false).unwrap());
        assert_eq!(taken(&all.stream(14, Some(3), 0, 1, false).unwrap()), pass[4..]);
        assert_ne!(pass, taken(&all.stream(0, Some(3), 0, 1, false).unwrap()));
        let mut sorted = pass;
        sorted.sort_unstable();
        assert_eq!(sorted, (0..10).collect::<Vec<_>>());
    }

    #[test]
    fn shards_share_a_pass_between_them() {
        let all = numbers(11);
        let mut together: Vec<usize> =
            (0..3).flat_map(|rank| taken(&all.stream(0, Some(1), rank, 3, false).unwrap())).collect();
        together.sort_unstable();
        assert_eq!(together, (0..11).collect::<Vec<_>>());
        let lengths: Vec<usize> = (0..3).map(|rank| all.stream(0, None, rank, 3, true).unwrap().len()).collect();
        assert_eq!(lengths, [3, 3, 3]);
        assert_eq!(all.stream(0, None, 3, 3, true).unwrap_err().message(), "`rank` 3 is not below `shards` 3");
        assert_eq!(
            numbers(2).stream(0, None, 2, 3, false).unwrap_err().message(),
            "2 records are too few for 3 shards"
        );
    }
}
