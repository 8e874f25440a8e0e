//! A scripted loader: `load(record)` or `load(record, params)`.

use std::sync::Arc;

use rhai::Dynamic;

use crate::error::{Error, Result};
use crate::record::{DataColumns, DataRecord, DataRecords, Loader, Mode, Record};
use crate::script::vectorise::{Argument, Calls, Follower, Halt};
use crate::script::{Component, cast};

/// A script's `load` behind the trait of loaders.
pub struct ScriptLoader {
    component: Component,
    function: String,
    arity: usize,
    follower: Arc<Follower>,
}

impl ScriptLoader {
    /// Wraps a component, running its `init`.
    ///
    /// # Errors
    /// A script without a `load` of one or two parameters; whatever `init` raises.
    pub fn new(component: Component) -> Result<Self> {
        let (function, arity) = component.slot("load", 1..=2, "fn load(record) { #{ x: #{ … }, y: #{ … } } }")?;
        component.init(Mode::Train)?;
        let follower = Follower::new(&component, "loader", &function, arity);
        Ok(ScriptLoader { component, function, arity, follower })
    }
}

impl Loader for ScriptLoader {
    fn load(&self, records: &[Record], mode: Mode) -> Result<DataRecords> {
        let interpret = |at: &[usize]| self.interpret(at.iter().filter_map(|&at| records.get(at)), mode);
        let place = |at: usize| records.get(at).map_or_else(String::new, Record::place);
        let finish = |mut columns: DataColumns| match mode {
            Mode::Score => {
                (columns.y, columns.w) = (None, None);
                Ok(columns)
            }
            _ if columns.y.is_none() => Err(Halt::new("no outputs `y`")),
            _ => Ok(columns),
        };
        let calls = Calls { finish: &finish, interpret: &interpret, place: &place };
        let arguments = [Argument::Records(records), Argument::Params];
        self.follower.run(&self.component, mode, &arguments[..self.arity], records.len(), &calls)
    }
}

impl ScriptLoader {
    fn interpret<'a>(&self, records: impl Iterator<Item = &'a Record>, mode: Mode) -> Result<Vec<DataRecord>> {
        let mut session = self.component.session(Some(mode));
        let mut rows = Vec::with_capacity(records.size_hint().0);
        for record in records {
            let mut arguments = [Dynamic::from(record.clone()), Dynamic::UNIT];
            if self.arity == 2 {
                arguments[1] = self.component.params();
            }
            let loaded = session
                .call(&self.function, &mut arguments[..self.arity])
                .and_then(|value| cast::to_data_record(value).map_err(|error| self.returned(error)))
                .map_err(|error| error.within(record.place()))?;
            rows.push(check(loaded, mode).map_err(|error| self.returned(error).within(record.place()))?);
        }
        Ok(rows)
    }

    fn returned(&self, error: Error) -> Error {
        self.component.returned(&self.function, error)
    }
}

/// In score mode outputs and weights are dropped; otherwise outputs must be there.
fn check(mut record: DataRecord, mode: Mode) -> Result<DataRecord> {
    if mode == Mode::Score {
        record.y = None;
        record.w = None;
    } else if record.y.is_none() {
        return Err(Error::script("the data record has no outputs `y`")
            .hint("return `[x, y]` or `#{ x: #{ … }, y: #{ … } }`; only in score mode may they be missing"));
    }
    Ok(record)
}
