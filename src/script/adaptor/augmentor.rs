//! A scripted augmentor: `f(data_record)`, `f(data_record, params)` or `f(data_record, params, rng)`.

use std::sync::Arc;

use rhai::Dynamic;

use crate::error::Result;
use crate::random::Random;
use crate::record::{Augmentor, DataRecord, DataRecords, Mode};
use crate::script::api::random::Rng;
use crate::script::vectorise::{Argument, Calls, Chunk, Follower};
use crate::script::{Component, cast};

/// A script's function behind the trait of augmentors.
pub struct ScriptAugmentor {
    component: Component,
    function: String,
    arity: usize,
    follower: Arc<Follower>,
}

impl ScriptAugmentor {
    /// Wraps a component, running its `init`.
    ///
    /// # Errors
    /// A script without a fitting function; whatever `init` raises.
    pub fn new(component: Component) -> Result<Self> {
        let wanted = "fn augment(data_record, params, rng) { …; data_record }";
        let (function, arity) = component.slot("augment", 1..=3, wanted)?;
        component.init(Mode::Train)?;
        let follower = Follower::new(&component, "augmentor", &function, arity);
        Ok(ScriptAugmentor { component, function, arity, follower })
    }

    fn interpret<'a>(
        &self,
        mut rows: Vec<DataRecord>,
        random: impl Iterator<Item = &'a Random>,
    ) -> Result<Vec<DataRecord>> {
        let mut session = self.component.session(Some(Mode::Train));
        for (row, random) in rows.iter_mut().zip(random) {
            let record = cast::from_data_record(std::mem::take(row));
            let mut arguments = [record, Dynamic::UNIT, Dynamic::UNIT];
            if self.arity > 1 {
                arguments[1] = self.component.params();
            }
            if self.arity > 2 {
                arguments[2] = Dynamic::from(Rng::new(random.clone()));
            }
            let value = session.call(&self.function, &mut arguments[..self.arity])?;
            *row = cast::to_data_record(value).map_err(|error| self.component.returned(&self.function, error))?;
        }
        Ok(rows)
    }
}

impl Augmentor for ScriptAugmentor {
    fn augment(&self, chunk: DataRecords, random: &[Random]) -> Result<DataRecords> {
        let chunk = Chunk::new(chunk);
        let Some(columns) = chunk.columns() else {
            let all: Vec<usize> = (0..chunk.len()).collect();
            self.follower.note_interpreted(all.len());
            return Ok(DataRecords::Rows(self.interpret(chunk.rows(&all)?, random.iter())?));
        };
        let interpret = |at: &[usize]| self.interpret(chunk.rows(at)?, at.iter().filter_map(|&at| random.get(at)));
        let calls = Calls { finish: &Ok, interpret: &interpret, place: &|at| format!("record {at} of its batch") };
        let arguments = [Argument::DataRecords(columns), Argument::Params, Argument::Rngs(random)];
        self.follower.run(&self.component, Mode::Train, &arguments[..self.arity], chunk.len(), &calls)
    }
}
