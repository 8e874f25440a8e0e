//! Data of a whole set, from which batches take their items.

use std::collections::BTreeMap;

use crate::batch::Items;
use crate::error::{self, Error, Result};
use crate::pipeline::index::{Id, Index};
use crate::record::{Name, Records, Value};

/// Data of a whole set, in memory.
#[derive(Clone, Debug)]
pub enum Source {
    /// An item in each row: a whole-number id is the row; any other id has its position in the data set's index.
    Rows(Items),
    /// An item for each id.
    ById(BTreeMap<Id, Value>),
    /// A table whose columns are components; rows as in [`Source::Rows`].
    Table(Records),
    /// A source for each component.
    Named(Vec<(Name, Source)>),
}

impl Source {
    /// Returns the names of the components it brings, if it has names.
    pub fn names(&self) -> Option<Vec<Name>> {
        match self {
            Source::Rows(_) | Source::ById(_) => None,
            Source::Table(records) => Some(records.columns().to_vec()),
            Source::Named(parts) => Some(parts.iter().map(|(name, _)| name.clone()).collect()),
        }
    }

    /// Returns the items of the ids of an index, as one component. `all` is the index of the whole data set.
    ///
    /// # Errors
    /// An id without an item, and a source of several components.
    pub fn items(&self, index: &Index, all: &Index) -> Result<Items> {
        match self {
            Source::Rows(items) => items.take(&rows(index, all, items.len())?),
            Source::ById(items) => {
                let item = |id: Id| {
                    items.get(&id).cloned().ok_or_else(|| {
                        let known: Vec<String> = items.keys().map(Id::to_string).collect();
                        Error::data(format!("there is no item for the id `{id}`"))
                            .maybe_hint(error::did_you_mean(&id.to_string(), known.iter().map(String::as_str)))
                    })
                };
                Ok(Items::assemble(index.ids().map(item).collect::<Result<_>>()?))
            }
            Source::Table(records) => match records.columns() {
                [only] => column(records, only, index, all),
                names => Err(several(names)),
            },
            Source::Named(parts) => match parts.as_slice() {
                [(_, only)] => only.items(index, all),
                parts => Err(several(&parts.iter().map(|(name, _)| name.clone()).collect::<Vec<_>>())),
            },
        }
    }

    /// Returns the items of the ids of an index for one of its components.
    ///
    /// # Errors
    /// A component it does not have, and see [`Source::items`].
    pub fn component(&self, name: &str, index: &Index, all: &Index) -> Result<Items> {
        let items = match self {
            Source::Rows(_) | Source::ById(_) => self.items(index, all),
            Source::Table(records) => column(records, name, index, all),
            Source::Named(parts) => match parts.iter().find(|(known, _)| &**known == name) {
                Some((_, part)) => part.items(index, all),
                None => {
                    let known = || parts.iter().map(|(name, _)| &**name);
                    return Err(Error::data(format!("there is no data for the component `{name}`"))
                        .maybe_hint(error::did_you_mean(name, known()))
                        .hint(format!("data: {}", error::list(known()))));
                }
            },
        };
        items.map_err(|error| error.within(format!("component `{name}`")))
    }
}

fn several(names: &[Name]) -> Error {
    Error::data(format!("expected one component, found {}", names.len()))
        .hint(format!("name those to take: {}", error::list(names.iter().map(|name| &**name))))
}

fn column(records: &Records, name: &str, index: &Index, all: &Index) -> Result<Items> {
    let rows = rows(index, all, records.len())?;
    let value = |row: usize| {
        let value = records.record(row).get(name)?;
        // Lists of numbers are tensors wherever they can be.
        Ok(value)
    };
    Ok(Items::assemble(rows.into_iter().map(value).collect::<Result<_>>()?))
}

/// Returns the rows of the ids: a whole number is the row itself, a text has its position in the whole index.
fn rows(index: &Index, all: &Index, count: usize) -> Result<Vec<usize>> {
    let row = |id: Id| {
        let row = match &id {
            Id::Number(number) => usize::try_from(*number).ok(),
            Id::Text(_) => Some(all.position(&id)?),
        };
        row.filter(|row| *row < count).ok_or_else(|| {
            Error::data(format!("there is no row for the id `{id}`: the data has {count} rows")).hint(
                "a whole-number id is the row of the data; give data by other ids as a map: `#{ \"a\": …, \"b\": … }`",
            )
        })
    };
    index.ids().map(row).collect()
}
