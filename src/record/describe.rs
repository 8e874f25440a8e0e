//! Records as a person looks at them: the first rows, or one line for each column.

use std::collections::HashSet;
use std::fmt;
use std::sync::Arc;

use crate::error::counted;
use crate::record::cells::{Cells, Data};
use crate::record::{ColumnType, Name, Records, Value};

/// How many rows are shown.
const SHOWN: usize = 10;
/// How many characters of a cell are shown.
const WIDTH: usize = 30;

/// What stands in one column.
#[derive(Clone, Debug, PartialEq)]
pub struct ColumnSummary {
    /// Its name.
    pub name: Name,
    /// The type of its values.
    pub kind: ColumnType,
    /// How many values are missing.
    pub missing: usize,
    /// Of numbers, when there are any: the least, the mean and the greatest.
    pub range: Option<[f64; 3]>,
    /// Of texts and of `true` and `false`: how many different ones there are.
    pub distinct: Option<usize>,
}

impl Records {
    /// Returns what stands in each column.
    pub fn summary(&self) -> Vec<ColumnSummary> {
        let rows = self.rows();
        let summary = |(name, cells): (&Name, &Arc<Cells>)| ColumnSummary {
            name: name.clone(),
            kind: cells.kind(),
            missing: rows.iter().filter(|&&row| cells.is_null(row as usize)).count(),
            range: numbers(cells, &rows).and_then(|numbers| range(&numbers)),
            distinct: distinct(cells, &rows),
        };
        self.table().columns().map(summary).collect()
    }

    /// Returns a table with a line for each column: name, type, number of missing values, and the least,
    /// mean and greatest of numbers or the number of distinct values of texts and `true`/`false`.
    pub fn describe(&self) -> String {
        let mut lines =
            vec![["column", "type", "missing", "min", "mean", "max", "distinct"].map(str::to_owned).to_vec()];
        for column in self.summary() {
            let mut line = vec![column.name.to_string(), column.kind.to_string(), column.missing.to_string()];
            line.extend(column.range.map_or([const { String::new() }; 3], |range| range.map(digits)));
            line.push(column.distinct.map(|count| count.to_string()).unwrap_or_default());
            lines.push(line);
        }
        format!("{}, {}\n{}", title(self), self.source(), align(&lines))
    }
}

impl fmt::Display for Records {
    /// Writes the size and the first rows as a table.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut lines = vec![self.columns().iter().map(|name| short(name)).collect::<Vec<_>>()];
        for row in self.head(SHOWN).rows() {
            lines.push(self.table().columns().map(|(_, cells)| shown(&cells.value(row as usize))).collect());
        }
        write!(f, "{}\n{}", title(self), align(&lines))?;
        match self.len().saturating_sub(SHOWN) {
            0 => Ok(()),
            more => writeln!(f, "… {more} more"),
        }
    }
}

fn title(records: &Records) -> String {
    format!("{}, {}", counted(records.len(), "record"), counted(records.columns().len(), "column"))
}

fn numbers(cells: &Cells, rows: &[u32]) -> Option<Vec<f64>> {
    let present = rows.iter().map(|&row| row as usize).filter(|&row| !cells.is_null(row));
    match &cells.data {
        Data::Int(values) => Some(present.map(|row| values[row] as f64).collect()),
        Data::Float(values) => Some(present.map(|row| values[row]).collect()),
        _ => None,
    }
}

/// Returns the least, the mean and the greatest number.
fn range(numbers: &[f64]) -> Option<[f64; 3]> {
    let mean = numbers.iter().sum::<f64>() / numbers.len() as f64;
    let least = numbers.iter().copied().fold(f64::INFINITY, f64::min);
    let greatest = numbers.iter().copied().fold(f64::NEG_INFINITY, f64::max);
    (!numbers.is_empty()).then_some([least, mean, greatest])
}

fn distinct(cells: &Cells, rows: &[u32]) -> Option<usize> {
    let present = || rows.iter().map(|&row| row as usize).filter(|&row| !cells.is_null(row));
    match &cells.data {
        Data::Text(texts) => Some(present().map(|row| &texts[row]).collect::<HashSet<_>>().len()),
        Data::Bool(values) => Some(present().map(|row| values[row]).collect::<HashSet<_>>().len()),
        _ => None,
    }
}

fn shown(value: &Value) -> String {
    match value {
        Value::Null => "-".to_owned(),
        Value::Text(text) => short(text),
        Value::Int(value) => value.to_string(),
        Value::Float(value) => digits(*value),
        Value::Tensor(tensor) => format!("{} {:?}", tensor.dtype().name(), tensor.shape()),
        other => short(&other.describe()),
    }
}

/// Returns a number with six digits at most after the point, without trailing zeros.
fn digits(value: f64) -> String {
    if value != 0.0 && !(1e-4..1e15).contains(&value.abs()) {
        return format!("{value:.4e}");
    }
    let text = format!("{value:.6}");
    text.trim_end_matches('0').trim_end_matches('.').to_owned()
}

/// Returns a text on one line, cut where it is too long.
fn short(text: &str) -> String {
    let text: String = text.chars().map(|c| if c.is_control() { ' ' } else { c }).collect();
    match text.chars().count() > WIDTH {
        true => text.chars().take(WIDTH - 1).chain(['…']).collect(),
        false => text,
    }
}

/// Returns lines whose cells stand in columns; the first line is the head.
fn align(lines: &[Vec<String>]) -> String {
    let columns = lines.iter().map(Vec::len).max().unwrap_or(0);
    let width = |at: usize| lines.iter().filter_map(|line| line.get(at)).map(|cell| cell.chars().count()).max();
    let widths: Vec<usize> = (0..columns).map(|at| width(at).unwrap_or(0)).collect();
    let mut text = String::new();
    for line in lines {
        let cells = line.iter().zip(&widths).map(|(cell, width)| format!("{cell:<width$}"));
        text.push_str(cells.collect::<Vec<_>>().join("  ").trim_end());
        text.push('\n');
    }
    text
}
