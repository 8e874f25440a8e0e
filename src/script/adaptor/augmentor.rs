//! A scripted augmentor: `f(data_record)`, `f(data_record, params)` or `f(data_record, params, rng)`.

use rhai::Dynamic;

use crate::batch;
use crate::error::Result;
use crate::random::Random;
use crate::record::{Augmentor, DataRecords, Mode};
use crate::script::api::random::Rng;
use crate::script::{Component, cast};

/// A script's function behind the trait of augmentors.
pub struct ScriptAugmentor {
    component: Component,
    function: String,
    arity: usize,
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
        Ok(ScriptAugmentor { component, function, arity })
    }
}

impl Augmentor for ScriptAugmentor {
    fn augment(&self, chunk: DataRecords, random: &[Random]) -> Result<DataRecords> {
        let mut session = self.component.session(Some(Mode::Train));
        let mut rows = batch::rows(chunk);
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
        Ok(DataRecords::Rows(rows))
    }
}
