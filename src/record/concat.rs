//! Records of several tables as one.

use std::sync::Arc;

use crate::error::{Error, Result, listed};
use crate::record::cells::{Cells, wider};
use crate::record::records::check_length;
use crate::record::table::{BadCell, Origin, Table};
use crate::record::{ColumnType, Records};

impl Records {
    /// Returns the records of all parts, one after another. Columns have the order of the first part; a
    /// column of whole numbers and one of numbers give numbers. Each record keeps the place it came from.
    ///
    /// # Errors
    /// No part at all, and parts whose columns differ in name or type.
    pub fn concat(parts: &[Records]) -> Result<Records> {
        let first = parts.first().ok_or_else(|| Error::data("there are no records to put together"))?;
        check_length(parts.iter().map(Records::len).sum())?;
        if parts.iter().all(|part| Arc::ptr_eq(part.table(), first.table())) {
            return Ok(first.with_rows(parts.iter().flat_map(Records::rows).collect()));
        }
        for part in parts {
            same_names(first, part)?;
        }
        let mut columns = Vec::new();
        for (name, cells) in first.table().columns() {
            let kind = common_kind(name, cells, parts)?;
            let mut values = Vec::new();
            for part in parts {
                let cells = part.table().cells(name, "column")?;
                values.extend(part.rows().into_iter().map(|row| cells.value(row as usize)));
            }
            let cells = Cells::from_values(values, Some(kind))
                .map_err(|misfit| Error::data(BadCell::misfit(name.clone(), misfit).what))?;
            columns.push((name.clone(), Arc::new(cells)));
        }
        let len = parts.iter().map(Records::len).sum();
        Ok(Records::from_table(Table::new(len, columns, origin(parts), first.table().absent().clone())))
    }
}

/// Returns where each row of the parts was read.
pub(super) fn origin(parts: &[Records]) -> Origin {
    let mut sources: Vec<Arc<str>> = Vec::new();
    let mut rows = Vec::new();
    for part in parts {
        for row in part.rows() {
            let source = part.table().source(row as usize);
            // The last source is the likely one.
            let at = sources.iter().rposition(|known| &**known == source).unwrap_or_else(|| {
                sources.push(source.into());
                sources.len() - 1
            });
            rows.push((at as u32, part.table().number(row as usize) as u32));
        }
    }
    Origin::Rows { sources: sources.into(), rows: rows.into() }
}

fn same_names(first: &Records, part: &Records) -> Result<()> {
    for (one, other) in [(first, part), (part, first)] {
        for name in one.columns() {
            if other.table().get(name).is_none() {
                let columns = listed(other.columns().iter().map(|name| &**name));
                let (named, unnamed) = match one.source() == other.source() {
                    true => ("one table", "the other"),
                    false => (one.source(), other.source()),
                };
                return Err(Error::data(format!("the columns differ: {named} has `{name}`, {unnamed} does not"))
                    .hint(format!("columns of {unnamed}: {columns}; `select` picks those that both have")));
            }
        }
    }
    Ok(())
}

/// Returns the type that holds a column of all parts; a part without any value there has no say.
fn common_kind(name: &str, cells: &Cells, parts: &[Records]) -> Result<ColumnType> {
    let mut common: Option<(ColumnType, &Records)> = None;
    for part in parts {
        let Some(cells) = part.table().get(name).filter(|cells| !cells.is_all_null(part.table().len())) else {
            continue;
        };
        let kind = cells.kind();
        common = Some(match common {
            None => (kind, part),
            Some((known, first)) => match (known, kind) {
                _ if known == kind => (known, first),
                (ColumnType::Int, ColumnType::Float) | (ColumnType::Float, ColumnType::Int) => {
                    (ColumnType::Float, first)
                }
                (ColumnType::Tensor(a), ColumnType::Tensor(b)) => (ColumnType::Tensor(wider(a, b)), first),
                _ => {
                    return Err(Error::data(format!(
                        "column `{name}` has the type {known} in {} and {kind} in {}",
                        if first.source() == part.source() { "one table" } else { first.source() },
                        if first.source() == part.source() { "the other" } else { part.source() }
                    )));
                }
            },
        });
    }
    Ok(common.map_or(cells.kind(), |(kind, _)| kind))
}
