//! The results of a search as a table.

use serde_json::{Map, Value as Json};

use super::run::Outcome;
use super::trial::COLUMNS;
use crate::error::Result;
use crate::record::{Name, Records, Row, Value};

/// Returns one row for each trial: number, repetition, hyperparameters, how it ended, the last value of everything it
/// reported, and the error of a failed one. Maps among hyperparameters become columns such as `net.units`.
///
/// # Errors
/// None in practice: names were checked when they were reported.
pub fn records(outcomes: &[Outcome], source: &str) -> Result<Records> {
    let flat: Vec<(Map<String, Json>, Map<String, Json>)> = outcomes
        .iter()
        .map(|outcome| {
            let mut values = Map::new();
            flatten("", &outcome.values, &mut values);
            let mut last = Map::new();
            outcome.reports.iter().for_each(|report| last.extend(report.clone()));
            (values, last)
        })
        .collect();
    let hyperparameters = names(flat.iter().map(|(values, _)| values));
    let mut reported = names(flat.iter().map(|(_, last)| last));
    reported.retain(|name| !hyperparameters.contains(name));
    let failed = outcomes.iter().any(|outcome| outcome.error.is_some());

    let rows = outcomes.iter().zip(&flat).map(|(outcome, (values, last))| {
        let mut row: Row = vec![
            (COLUMNS[0].into(), Value::Int(outcome.number as i64)),
            (COLUMNS[1].into(), Value::Int(outcome.repetition as i64)),
        ];
        let cell = |map: &Map<String, Json>, name: &String| {
            (Name::from(name.as_str()), map.get(name).map_or(Value::Null, Value::from_json))
        };
        row.extend(hyperparameters.iter().map(|name| cell(values, name)));
        row.push((COLUMNS[2].into(), Value::Text(outcome.status.name().into())));
        row.extend(reported.iter().map(|name| cell(last, name)));
        if failed {
            let error = outcome.error.as_deref().map_or(Value::Null, |error| Value::Text(error.into()));
            row.push((COLUMNS[3].into(), error));
        }
        row
    });
    Records::from_rows(rows.collect(), source)
}

/// Returns all names, in the order in which they appear first.
fn names<'a>(maps: impl Iterator<Item = &'a Map<String, Json>>) -> Vec<String> {
    let mut names: Vec<String> = Vec::new();
    for name in maps.flat_map(Map::keys) {
        if !names.contains(name) {
            names.push(name.clone());
        }
    }
    names
}

fn flatten(prefix: &str, values: &Map<String, Json>, flat: &mut Map<String, Json>) {
    for (name, value) in values {
        let name = format!("{prefix}{name}");
        match value {
            Json::Object(inner) => flatten(&format!("{name}."), inner, flat),
            // A table has one value in a cell.
            Json::Array(_) => drop(flat.insert(name, Json::String(value.to_string()))),
            value => drop(flat.insert(name, value.clone())),
        }
    }
}
