//! Scripts at native speed: a record function runs once for a whole chunk, on columns, where that is the same.
//!
//! A function is first lowered to a `program`: only what is listed in `lower` and `natives` is followed at
//! all, and names, calls and places are resolved. `run` then evaluates it with a column for each value that
//! differs from record to record. A condition on such a value splits the chunk: each side runs on the records
//! that take it, and what they changed is put together again, so no record runs code that it would not have run
//! alone, and an augmentor's draws come from the same streams in the same order. Natives without a form for
//! columns are called record by record, which is still the function interpretation calls.
//!
//! Three nets hold the results to the bits of interpretation. What is not on the lists is refused before
//! anything runs. Whatever goes wrong while a chunk is followed, an error of a record included, ends in
//! `halt::Halt`: the chunk is interpreted, and an error is raised with its record and line. And interpretation is
//! compared bit for bit: on the first [`FIRST`] records, where a difference means that the function is
//! interpreted from then on, and on one record of each [`BLOCK`] later, where it stops the run.

mod call;
mod compare;
mod convert;
mod draws;
mod fields;
mod follower;
mod frame;
mod halt;
mod items;
mod lists;
mod loops;
mod lower;
mod maps;
mod merge;
mod native;
mod natives;
mod numbers;
mod pack;
mod prepared;
mod program;
mod properties;
mod records;
mod report;
mod rngs;
mod run;
mod select;
mod tensors;
mod texts;
mod trust;
mod value;

use crate::batch;
use crate::error::Result;
use crate::random::Random;
use crate::record::{DataColumns, DataRecord, DataRecords, Record};

pub use follower::Follower;
pub(super) use halt::{Halt, Outcome};
pub(super) use items::{Column as ItemColumn, ItemFollower};
pub use report::{ElementLoop, How, Report};
pub use trust::{BLOCK, FIRST};

/// One argument of a record function.
pub(super) enum Argument<'a> {
    Records(&'a [Record]),
    DataRecords(&'a DataColumns),
    Params,
    Rngs(&'a [Random]),
}

/// What a station adds to following its function.
pub(super) struct Calls<'a> {
    /// Looks at the columns that came out, and may halt.
    pub finish: &'a dyn Fn(DataColumns) -> Outcome<DataColumns>,
    /// Runs the function on the records at the given positions.
    pub interpret: &'a dyn Fn(&[usize]) -> Result<Vec<DataRecord>>,
    /// Names a record.
    pub place: &'a dyn Fn(usize) -> String,
}

/// A chunk of data records that may be followed, or interpreted in parts.
pub(super) enum Chunk {
    Columns(DataColumns),
    Rows(Vec<DataRecord>),
}

impl Drop for Chunk {
    /// What was made of the columns is there; their memory is free for what comes next.
    fn drop(&mut self) {
        if let Chunk::Columns(columns) = self {
            let (x, y, w) = (std::mem::take(&mut columns.x), columns.y.take(), columns.w.take());
            batch::release(DataColumns { len: columns.len, x, y, w });
        }
    }
}

impl Chunk {
    /// Returns the chunk with its columns, when they go together.
    pub fn new(chunk: DataRecords) -> Self {
        match chunk {
            DataRecords::Columns(columns) => Chunk::Columns(columns),
            DataRecords::Rows(rows) => match batch::stack(&rows, &|_| String::new()) {
                Ok(columns) => Chunk::Columns(columns),
                Err(_) => Chunk::Rows(rows),
            },
        }
    }

    pub fn len(&self) -> usize {
        match self {
            Chunk::Columns(columns) => columns.len,
            Chunk::Rows(rows) => rows.len(),
        }
    }

    pub fn columns(&self) -> Option<&DataColumns> {
        match self {
            Chunk::Columns(columns) => Some(columns),
            Chunk::Rows(_) => None,
        }
    }

    /// Returns the records at these positions.
    pub fn rows(&self, at: &[usize]) -> Result<Vec<DataRecord>> {
        match self {
            Chunk::Columns(columns) if at.len() == columns.len => Ok(batch::split(columns)),
            Chunk::Columns(columns) => Ok(batch::split(&batch::take(columns, at)?)),
            Chunk::Rows(rows) => Ok(at.iter().filter_map(|&at| rows.get(at).cloned()).collect()),
        }
    }
}
