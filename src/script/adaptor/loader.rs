//! A scripted loader: `load(record)` or `load(record, params)`.

use rhai::Dynamic;

use crate::error::{Error, Result};
use crate::record::{DataRecord, DataRecords, Loader, Mode, Record};
use crate::script::{Component, cast};

/// A script's `load` behind the trait of loaders.
pub struct ScriptLoader {
    component: Component,
    function: String,
    arity: usize,
}

impl ScriptLoader {
    /// Wraps a component, running its `init`.
    ///
    /// # Errors
    /// A script without a `load` of one or two parameters; whatever `init` raises.
    pub fn new(component: Component) -> Result<Self> {
        let (function, arity) = component.slot("load", 1..=2, "fn load(record) { #{ x: #{ … }, y: #{ … } } }")?;
        component.init(Mode::Train)?;
        Ok(ScriptLoader { component, function, arity })
    }
}

impl Loader for ScriptLoader {
    fn load(&self, records: &[Record], mode: Mode) -> Result<DataRecords> {
        let mut session = self.component.session(Some(mode));
        let mut rows = Vec::with_capacity(records.len());
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
        Ok(DataRecords::Rows(rows))
    }
}

impl ScriptLoader {
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
