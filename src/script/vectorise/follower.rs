//! One function of a component, followed where that is possible.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use super::halt::{Halt, Outcome};
use super::prepared::Prepared;
use super::report::{ElementLoop, How, Report};
use super::rngs::Rngs;
use super::trust::Trust;
use super::value::Value;
use super::{Argument, Calls, compare, convert, loops};
use crate::clock::{Stopwatch, Total};
use crate::error::{Error, Place, Result};
use crate::record::{DataColumns, DataRecords, Mode, Rows};
use crate::script::{Component, Host};

/// One function of a component, followed where that is possible.
pub struct Follower {
    /// What the function is: "loader", "transformer", "augmentor".
    slot: &'static str,
    import: String,
    function: String,
    prepared: Outcome<Prepared>,
    trust: Trust,
    place: Option<Place>,
    counts: Counts,
    /// A loop over elements of a tensor in the text of a function that is interpreted.
    element_loop: Option<ElementLoop>,
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
    pub(in crate::script) fn new(component: &Component, slot: &'static str, function: &str, arity: usize) -> Arc<Self> {
        let prepared = Prepared::new(component, function, arity);
        // What is interpreted says nothing about its values: there the text of the script has to do.
        let element_loop = match prepared {
            Ok(_) => None,
            Err(_) => loops::find(component.host(), component.compiled(), function, arity),
        };
        let follower = Arc::new(Follower {
            slot,
            import: component.import().to_owned(),
            function: function.to_owned(),
            prepared,
            trust: Trust::default(),
            place: component.compiled().defined(function),
            counts: Counts::default(),
            element_loop,
        });
        component.host().note_function(&follower);
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
    pub(in crate::script) fn run(
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
        let Ok(prepared) = &self.prepared else { return all() };
        if !self.trust.allows(len) {
            return all();
        }
        let followed = self.follow(component, prepared, mode, arguments, len);
        let columns = match followed.and_then(finish) {
            Ok(columns) => columns,
            Err(halt) => {
                let rows = all()?;
                // Interpretation raised nothing: these values cannot be followed.
                self.trust.halted(halt);
                return Ok(rows);
            }
        };
        let (checked, first) = self.trust.next(len);
        if !checked.is_empty() {
            let expected = interpret(&checked)?;
            self.counts.compared.fetch_add(checked.len() as u64, Ordering::Relaxed);
            let differs = checked
                .iter()
                .zip(&expected)
                .find_map(|(&at, record)| compare::difference(&columns, at, record).map(|name| (at, name)));
            if let Some((at, name)) = differs {
                if first {
                    self.trust.give_up(Halt::new(format!("`{name}` of {} came out differently", place(at))));
                    return all();
                }
                return Err(self.refuse(&name).within(place(at)));
            }
        }
        self.trust.agreed(checked.len());
        self.counts.followed.fetch_add(len as u64, Ordering::Relaxed);
        Ok(DataRecords::Columns(columns))
    }

    /// Notes records that were interpreted without an attempt to follow.
    pub(in crate::script) fn note_interpreted(&self, records: usize) {
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
        prepared: &Prepared,
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
        let result = prepared.call(component, mode, arguments, len)?;
        convert::to_columns(&result, len).map_err(|halt| match &self.place {
            Some(_) => halt.or_in(&component.script().label),
            None => halt,
        })
    }

    /// Returns how the function is run.
    pub(crate) fn report(&self, host: &Host) -> Report {
        let count = |count: &AtomicU64| count.load(Ordering::Relaxed);
        let never = || self.trust.latest().filter(|_| count(&self.counts.followed) == 0);
        let prepared = self.prepared.as_ref();
        let halt = prepared.err().cloned().or_else(|| self.trust.given_up()).or_else(never);
        Report {
            slot: self.slot,
            import: self.import.clone(),
            function: self.function.clone(),
            how: match halt {
                None => How::Vectorised,
                Some(halt) => How::Interpreted { place: halt.place(host), why: halt.why },
            },
            followed: count(&self.counts.followed),
            interpreted: count(&self.counts.interpreted),
            compared: count(&self.counts.compared),
            time: self.counts.time.get(),
            loops: prepared.map_or(self.element_loop.as_ref(), Prepared::element_loop).cloned(),
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
