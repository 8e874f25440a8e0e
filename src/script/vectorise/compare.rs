//! The net below the others: what was computed for many records at once against what interpretation gives for
//! one of them, bit for bit.

use crate::record::{Column, Columns, DataColumns, DataRecord, Field, Fields};
use crate::tensor::Tensor;

/// Returns the name of the first value of a record that differs, such as "x.flower"; `None` when all are the same.
pub(super) fn difference(columns: &DataColumns, at: usize, record: &DataRecord) -> Option<String> {
    part("x", Some(&columns.x), at, Some(&record.x))
        .or_else(|| part("y", columns.y.as_ref(), at, record.y.as_ref()))
        .or_else(|| part("w", columns.w.as_ref(), at, record.w.as_ref()))
}

fn part(name: &str, columns: Option<&Columns>, at: usize, fields: Option<&Fields>) -> Option<String> {
    let (columns, fields) = match (columns, fields) {
        (None, None) => return None,
        (Some(columns), Some(fields)) => (columns, fields),
        _ => return Some(name.to_owned()),
    };
    if columns.len() != fields.len() {
        return Some(name.to_owned());
    }
    for (own, field) in fields {
        let column = columns.iter().find(|(known, _)| known == own).map(|(_, column)| column);
        if !column.is_some_and(|column| same(column, at, field)) {
            return Some(format!("{name}.{own}"));
        }
    }
    None
}

fn same(column: &Column, at: usize, field: &Field) -> bool {
    match (column, field) {
        (Column::Dense(Tensor::Host(array)), Field::Tensor(Tensor::Host(expected))) => array.row(at).same(expected),
        (Column::Ragged(tensors), Field::Tensor(expected)) => {
            tensors.get(at).is_some_and(|tensor| tensor.same(expected).unwrap_or(false))
        }
        (Column::Text(texts), Field::Text(expected)) => texts.get(at) == Some(expected),
        (Column::Texts(lists), Field::Texts(expected)) => lists.get(at) == Some(expected),
        _ => false,
    }
}
