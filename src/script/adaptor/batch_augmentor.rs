//! A scripted augmentor of whole batches: `f(batch)`, `f(batch, params)` or `f(batch, params, rng)`; what makes it one
//! is the name of its first parameter.

use std::sync::Arc;

use rhai::{Dynamic, Map};

use crate::batch;
use crate::error::{Error, Result};
use crate::random::Random;
use crate::record::{Augmentor, Column, Columns, DataColumns, DataRecords, Field, Fields, Mode};
use crate::script::api::random::Rng;
use crate::script::{Component, cast};

/// The name of the first parameter of an augmentor of batches.
const BATCH: &str = "batch";

/// Kept apart from the streams of records: a batch draws its own numbers.
const OWN_STREAM: u64 = u64::MAX;

/// A script's function of a batch behind the trait of augmentors.
pub struct ScriptBatchAugmentor {
    component: Component,
    function: String,
    arity: usize,
}

impl ScriptBatchAugmentor {
    /// Returns whether a component's function takes batches.
    ///
    /// # Errors
    /// A script without a fitting function.
    pub fn fits(component: &Component) -> Result<bool> {
        let (function, _) =
            component.slot("augment", 1..=3, "fn augment(data_record, params, rng) { …; data_record }")?;
        Ok(component.first_parameter(&function) == Some(BATCH))
    }

    /// Wraps a component, running its `init`.
    ///
    /// # Errors
    /// A script without a fitting function; whatever `init` raises.
    pub fn new(component: Component) -> Result<Self> {
        let (function, arity) = component.slot("augment", 1..=3, "fn augment(batch, params, rng) { …; batch }")?;
        component.init(Mode::Train)?;
        Ok(ScriptBatchAugmentor { component, function, arity })
    }
}

impl Augmentor for ScriptBatchAugmentor {
    fn augment(&self, chunk: DataRecords, random: &[Random]) -> Result<DataRecords> {
        let columns = batch::columns(chunk, &|at| format!("record {at} of its batch"))?;
        let (len, Some(first)) = (columns.len, random.first()) else { return Ok(DataRecords::Columns(columns)) };
        let mut map = Map::from([("x".into(), part(columns.x)?)]);
        if let Some(y) = columns.y {
            map.insert("y".into(), part(y)?);
        }
        if let Some(w) = columns.w {
            map.insert("w".into(), part(w)?);
        }
        let mut arguments = [Dynamic::from(map), Dynamic::UNIT, Dynamic::UNIT];
        if self.arity > 1 {
            arguments[1] = self.component.params();
        }
        if self.arity > 2 {
            arguments[2] = Dynamic::from(Rng::new(first.derive(OWN_STREAM)));
        }
        let value = self.component.session(Some(Mode::Train)).call(&self.function, &mut arguments[..self.arity])?;
        let returned = |error: Error| self.component.returned(&self.function, error);
        let record = cast::to_data_record(value).map_err(returned)?;
        let dense = |fields: Fields| -> Result<Columns> {
            fields
                .into_iter()
                .map(|(name, field)| match field {
                    Field::Tensor(tensor) if tensor.rank() > 0 && tensor.len() == len => {
                        Ok((name, Column::Dense(tensor)))
                    }
                    Field::Tensor(tensor) => Err(Error::script(format!(
                        "`{name}` has shape {:?}: expected {len} records on axis 0",
                        tensor.shape()
                    ))
                    .hint("an augmentor of batches returns as many records as it is given")),
                    Field::Texts(texts) if texts.len() == len => {
                        Ok((name, Column::Text(texts.iter().map(Arc::clone).collect())))
                    }
                    _ => Err(Error::script(format!("`{name}` is not a batch of {len} records"))),
                })
                .collect()
        };
        Ok(DataRecords::Columns(DataColumns {
            len,
            x: dense(record.x).map_err(returned)?,
            y: record.y.map(dense).transpose().map_err(returned)?,
            w: record.w.map(dense).transpose().map_err(returned)?,
        }))
    }
}

/// Returns columns as a script's map.
fn part(columns: Columns) -> Result<Dynamic> {
    let field = |column: Column, name: &str| match column {
        Column::Dense(tensor) => Ok(Field::Tensor(tensor)),
        Column::Text(texts) => Ok(Field::Texts(texts.into())),
        Column::Ragged(_) | Column::Texts(_) => Err(Error::data(format!(
            "`{name}` has values of different shapes, which a function of batches cannot take"
        ))
        .hint("bring them to one shape in the transformer")),
    };
    let fields = columns.into_iter().map(|(name, column)| Ok((name.clone(), field(column, &name)?)));
    Ok(cast::from_fields(fields.collect::<Result<_>>()?))
}
