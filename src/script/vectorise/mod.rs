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
mod frame;
mod halt;
mod items;
mod lists;
mod loops;
mod lower;
mod maps;
mod native;
mod natives;
mod numbers;
mod pack;
mod program;
mod properties;
mod records;
mod report;
mod rngs;
mod run;
mod select;
mod tensors;
mod texts;
mod value;

use std::sync::atomic::{AtomicU64, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, OnceLock, PoisonError};

use crate::batch;
use crate::clock::{Stopwatch, Total};
use crate::error::{Error, Place, Result};
use crate::random::Random;
use crate::record::{DataColumns, DataRecord, DataRecords, Mode, Record, Rows};
use crate::script::{Component, Limits};
pub(super) use halt::{Halt, Outcome};
pub(super) use items::{Column as ItemColumn, ItemFollower};
use program::Program;
pub use report::{ElementLoop, How, Report};
use rngs::Rngs;
use run::Run;
use value::Value;

/// The records at the beginning that are interpreted, too.
pub const FIRST: usize = 32;

/// Of so many records one is interpreted, too.
pub const BLOCK: u64 = 4096;

/// A chunk smaller than this is interpreted: there is nothing to gain.
const LEAST: usize = 4;

/// Chunks that were halted, one after another, before a function is given up.
const PATIENCE: usize = 3;

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

/// One function of a component, followed where that is possible.
pub struct Follower {
    /// What the function is: "loader", "transformer", "augmentor".
    slot: &'static str,
    import: String,
    function: String,
    program: std::result::Result<Program, Box<Halt>>,
    /// Why the function is interpreted although it was lowered.
    given_up: OnceLock<Box<Halt>>,
    /// What ended the latest attempt that failed.
    latest: Mutex<Option<Box<Halt>>>,
    place: Option<Place>,
    halted: AtomicUsize,
    verified: AtomicUsize,
    seen: AtomicU64,
    counts: Counts,
    state: Mutex<Vec<(u64, Mode, Arc<Value>)>>,
    /// The first loop over elements of a tensor that was found.
    loops: OnceLock<ElementLoop>,
}

/// What was done so far, in records.
#[derive(Default)]
struct Counts {
    followed: AtomicU64,
    interpreted: AtomicU64,
    compared: AtomicU64,
    time: Total,
}

impl Follower {
    /// Prepares a function of a component; one that cannot be followed is interpreted.
    pub(super) fn new(component: &Component, slot: &'static str, function: &str, arity: usize) -> Arc<Self> {
        let host = component.host();
        let program = match host.interpret() {
            true => Err(Halt::new("`--interpret` is given")),
            false if !unlimited(host.limits()) => Err(Halt::new("limits are set for scripts")),
            false => lower::lower(host, component.compiled(), function, arity),
        };
        let place = component.compiled().defined(function);
        let follower = Arc::new(Follower {
            slot,
            import: component.import().to_owned(),
            function: function.to_owned(),
            program,
            given_up: OnceLock::new(),
            latest: Mutex::new(None),
            place,
            halted: AtomicUsize::new(0),
            verified: AtomicUsize::new(0),
            seen: AtomicU64::new(0),
            counts: Counts::default(),
            state: Mutex::new(Vec::new()),
            loops: OnceLock::new(),
        });
        // What is interpreted says nothing about its values: there the text of the script has to do.
        if follower.program.is_err()
            && let Some(found) = loops::find(host, component.compiled(), function, arity)
        {
            let _ = follower.loops.set(found);
        }
        host.note_function(&follower);
        follower
    }

    /// Runs the function on a chunk of `len` records: followed, or else record by record.
    ///
    /// `finish` looks at the columns that came out; `interpret` runs the function on the records at the given
    /// positions; `place` names one.
    ///
    /// # Errors
    /// Whatever interpretation raises; a result that differs from that of interpretation, after the first
    /// records agreed.
    pub(super) fn run(
        &self,
        component: &Component,
        mode: Mode,
        arguments: &[Argument],
        len: usize,
        calls: &Calls,
    ) -> Result<DataRecords> {
        let Calls { finish, interpret, place } = calls;
        let _timed = Timed { stopwatch: Stopwatch::start(), total: &self.counts.time };
        let all = || -> Result<DataRecords> {
            let rows = interpret(&(0..len).collect::<Vec<_>>())?;
            self.counts.interpreted.fetch_add(len as u64, Ordering::Relaxed);
            Ok(DataRecords::Rows(rows))
        };
        let Ok(program) = &self.program else { return all() };
        if self.given_up.get().is_some() || len < LEAST {
            return all();
        }
        let followed = self.follow(component, program, mode, arguments, len);
        let columns = match followed.and_then(finish) {
            Ok(columns) => columns,
            Err(halt) => {
                let rows = all()?;
                // Interpretation raised nothing: these values cannot be followed.
                *self.latest.lock().unwrap_or_else(PoisonError::into_inner) = Some(halt.clone());
                if self.halted.fetch_add(1, Ordering::Relaxed) + 1 >= PATIENCE {
                    let _ = self.given_up.set(halt);
                }
                return Ok(rows);
            }
        };
        let verified = self.verified.load(Ordering::Relaxed);
        let start = self.seen.fetch_add(len as u64, Ordering::Relaxed);
        let first = len.min(FIRST.saturating_sub(verified));
        let checked: Vec<usize> = (0..first).chain(sampled(start, len).filter(|at| *at >= first)).collect();
        if !checked.is_empty() {
            let expected = interpret(&checked)?;
            self.counts.compared.fetch_add(checked.len() as u64, Ordering::Relaxed);
            let differs = checked
                .iter()
                .zip(&expected)
                .find_map(|(&at, record)| compare::difference(&columns, at, record).map(|name| (at, name)));
            if let Some((at, name)) = differs {
                if verified < FIRST {
                    let why = format!("`{name}` of {} came out differently", place(at));
                    let _ = self.given_up.set(Halt::new(why));
                    return all();
                }
                return Err(self.refuse(&name).within(place(at)));
            }
            self.verified.fetch_add(checked.len(), Ordering::Relaxed);
        }
        self.halted.store(0, Ordering::Relaxed);
        self.counts.followed.fetch_add(len as u64, Ordering::Relaxed);
        Ok(DataRecords::Columns(columns))
    }

    /// Notes records that were interpreted without an attempt to follow.
    pub(super) fn note_interpreted(&self, records: usize) {
        self.counts.interpreted.fetch_add(records as u64, Ordering::Relaxed);
    }

    fn refuse(&self, name: &str) -> Error {
        let error = Error::run(format!(
            "`{}` of `{}` gave another `{name}` when it ran for many records at once than for this record alone",
            self.function, self.import
        ))
        .hint("run with `--interpret`; results until here may be wrong")
        .hint("this is a defect of the program: please report it with the script");
        match &self.place {
            Some(place) => error.at(place.clone()),
            None => error,
        }
    }

    fn follow(
        &self,
        component: &Component,
        program: &Program,
        mode: Mode,
        arguments: &[Argument],
        len: usize,
    ) -> Outcome<DataColumns> {
        let value = |argument: &Argument| match argument {
            Argument::Records(records) => {
                Rows::of(records).map(Value::Records).ok_or_else(|| Halt::new("records of several tables"))
            }
            Argument::DataRecords(chunk) => convert::from_columns(chunk),
            Argument::Params => Ok(Value::from_dynamic(component.params())),
            Argument::Rngs(random) => Ok(Value::Rngs(Rngs::new(random))),
        };
        let arguments = arguments.iter().map(value).collect::<Outcome<Vec<Value>>>()?;
        let this = self.state(component, mode);
        let host = component.host();
        let mut run = Run::new(program, host, &this);
        let result = run.call(0, arguments, len)?;
        if self.loops.get().is_none()
            && let Some((function, at)) = run.element_loop()
            && let Some(function) = program.functions.get(function)
            && let Some(place) = host.sources().place(&function.script, at)
        {
            let _ = self.loops.set(ElementLoop { instead: loops::instead(component.compiled(), at), place });
        }
        convert::to_columns(&result, len).map_err(|halt| match &self.place {
            Some(_) => halt.or_in(&component.script().label),
            None => halt,
        })
    }

    /// Returns the component's state as a value, made once for each state and mode.
    fn state(&self, component: &Component, mode: Mode) -> Arc<Value> {
        let version = component.version();
        let mut known = self.state.lock().unwrap_or_else(PoisonError::into_inner);
        known.retain(|(own, ..)| *own == version);
        if let Some((.., value)) = known.iter().find(|(_, own, _)| *own == mode) {
            return value.clone();
        }
        let value = Arc::new(Value::from_dynamic(component.state_in(mode)));
        known.push((version, mode, value.clone()));
        value
    }

    /// Returns how the function is run.
    pub(crate) fn report(&self, host: &crate::script::Host) -> Report {
        let count = |count: &AtomicU64| count.load(Ordering::Relaxed);
        let latest = self.latest.lock().unwrap_or_else(PoisonError::into_inner);
        let never = latest.as_ref().filter(|_| count(&self.counts.followed) == 0);
        let halt = self.program.as_ref().err().or_else(|| self.given_up.get()).or(never);
        Report {
            slot: self.slot,
            import: self.import.clone(),
            function: self.function.clone(),
            how: match halt {
                None => How::Vectorised,
                Some(halt) => How::Interpreted { why: halt.why.clone(), place: halt.place(host) },
            },
            followed: count(&self.counts.followed),
            interpreted: count(&self.counts.interpreted),
            compared: count(&self.counts.compared),
            time: self.counts.time.get(),
            loops: self.loops.get().cloned(),
        }
    }
}

/// Adds to a total how long something took, however it ends.
struct Timed<'a> {
    stopwatch: Stopwatch,
    total: &'a Total,
}

impl Drop for Timed<'_> {
    fn drop(&mut self) {
        self.total.add(&self.stopwatch);
    }
}

/// Limits count what interpretation does; a script is followed only when it has all the room it wants.
fn unlimited(limits: &Limits) -> bool {
    let usual = Limits::default();
    limits.operations == 0 && limits.text >= usual.text && limits.array >= usual.array && limits.map >= usual.map
}

/// Returns the positions of a chunk whose records are interpreted, too: one of each block of records that the
/// function has seen, at a place that a hash of the block's number gives.
fn sampled(start: u64, len: usize) -> impl Iterator<Item = usize> {
    let end = start + len as u64;
    let place = |block: u64| block * BLOCK + Random::new(block, crate::random::Stream::Script, &[BLOCK]).below(BLOCK);
    (start / BLOCK..=end / BLOCK)
        .map(place)
        .filter(move |at| (start..end).contains(at))
        .map(move |at| (at - start) as usize)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn one_record_of_each_block_is_sampled_however_the_chunks_are_cut() {
        let places = |sizes: &[usize]| {
            let mut start = 0;
            let mut all = Vec::new();
            for &size in sizes.iter().cycle().take_while(|_| true) {
                all.extend(sampled(start, size).map(|at| start + at as u64));
                start += size as u64;
                if start >= 4 * BLOCK {
                    break;
                }
            }
            all.retain(|at| *at < 4 * BLOCK);
            all
        };
        let whole = places(&[BLOCK as usize]);
        assert_eq!(whole.len(), 4);
        assert_eq!(places(&[64]), whole);
        assert_eq!(places(&[1000, 7]), whole);
    }
}
