//! Holds a written config against the table of keys and says everything that is wrong at once.
//!
//! What the table cannot say (names that must differ, keys that exclude each other) stands beside the
//! type of each section.

use super::fault;
use super::keys::ROOT;
use super::path::KeyPath;
use super::schema::{Absent, Bounds, Key, Kind, Section};
use super::written::{Node, Value};
use crate::error::Error;

/// What a check has to say.
#[derive(Default)]
pub(super) struct Report {
    /// What refuses the config.
    pub faults: Vec<Error>,
    /// What a person should know though the config is right.
    pub notes: Vec<String>,
}

impl Report {
    /// Returns the faults in the order of the text, joined; those of one file stand together.
    pub(super) fn into_error(mut self) -> Option<Error> {
        let text = |error: &Error| error.place().map(|place| (place.file.clone(), place.text.clone()));
        let mut texts = Vec::new();
        for fault in &self.faults {
            let text = text(fault);
            if !texts.contains(&text) {
                texts.push(text);
            }
        }
        self.faults.sort_by_cached_key(|error| {
            let rank = texts.iter().position(|known| *known == text(error));
            (rank, error.place().map_or(0, |place| place.span.start))
        });
        Error::join(self.faults)
    }
}

/// Checks a value; `absent` is what leaving it out would mean.
pub(super) fn check(kind: &Kind, absent: Absent, node: &Node, path: &KeyPath, report: &mut Report) {
    match fitting(kind, node) {
        Some(Kind::Map(section)) => check_map(section, absent, node, path, report),
        Some(Kind::Maps { section, least, .. }) if node.items().len() >= *least => {
            for (index, item) in node.items().iter().enumerate() {
                let path = path.item(index);
                match item.value {
                    Value::Map(_) => check_map(section, Absent::Refused, item, &path, report),
                    _ => report.faults.push(fault::wrong_value(&Kind::Map(section), Absent::Refused, item, &path)),
                }
            }
        }
        Some(Kind::NoEffect(why)) => {
            let place = node.mark().map_or(String::new(), |place| format!(" ({place})"));
            report.notes.push(format!("`{path}` has no effect: {why}{place}"));
        }
        Some(fitting) if holds(fitting, node) => {}
        _ => report.faults.push(fault::wrong_value(kind, absent, node, path)),
    }
}

fn check_map(section: &'static Section, absent: Absent, node: &Node, path: &KeyPath, report: &mut Report) {
    let mut meant = Vec::new();
    for entry in node.entries() {
        match section.key(&entry.key) {
            Some(key) => check(&key.kind, key.absent, &entry.node, &path.to(entry), report),
            None => {
                let (error, guess) = fault::unknown_key(section, entry, path);
                report.faults.push(error);
                meant.extend(guess);
            }
        }
    }
    // What another config has cannot be missed here.
    let elsewhere = std::ptr::eq(section, &ROOT) && node.get("extends").is_some();
    // A misspelt key is one mistake, not two.
    let missing = |key: &&Key| {
        let needed = matches!(key.absent, Absent::Refused) && !elsewhere;
        needed && node.get(key.name).is_none() && !meant.contains(&key.name)
    };
    let missing: Vec<&Key> = section.keys.iter().filter(missing).collect();
    if !missing.is_empty() {
        report.faults.push(fault::missing_keys(&missing, absent, node, path));
    }
}

/// Returns the kind that the type of a value fits: of alternatives, the first that does.
fn fitting<'a>(kind: &'a Kind, node: &Node) -> Option<&'a Kind> {
    if let Kind::OneOf(kinds) = kind {
        return kinds.iter().find_map(|kind| fitting(kind, node).filter(|kind| structured(kind) || holds(kind, node)));
    }
    let fits = match &node.value {
        Value::Null => matches!(kind, Kind::Null),
        Value::Bool(_) => matches!(kind, Kind::Flag | Kind::Off),
        Value::Number(_) => matches!(kind, Kind::Whole { .. } | Kind::Number(_)),
        Value::Text(_) => matches!(kind, Kind::Text | Kind::Choice(_) | Kind::Device),
        Value::List(_) => matches!(kind, Kind::Maps { .. } | Kind::Texts),
        Value::Map(_) => matches!(kind, Kind::Map(_) | Kind::Free),
    };
    (fits || matches!(kind, Kind::NoEffect(_))).then_some(kind)
}

fn structured(kind: &Kind) -> bool {
    matches!(kind, Kind::Map(_) | Kind::Maps { .. })
}

/// Returns whether a value of the fitting type lies in the range.
fn holds(kind: &Kind, node: &Node) -> bool {
    match kind {
        Kind::Whole { least, most } => node.whole().is_some_and(|value| (*least..=*most).contains(&value)),
        Kind::Number(bounds) => node.number().is_some_and(|value| match bounds {
            Bounds::Any => true,
            Bounds::NotNegative => value >= 0.0,
            Bounds::Positive => value > 0.0,
            Bounds::Fraction => value > 0.0 && value < 1.0,
        }),
        Kind::Choice(choices) => node.text().is_some_and(|text| choices.contains(&text)),
        Kind::Device => node.text().is_some_and(|text| super::Device::parse(text).is_some()),
        Kind::Off => node.flag() == Some(false),
        Kind::Texts => node.items().iter().all(|item| item.text().is_some()),
        Kind::Maps { .. } => false,
        _ => true,
    }
}
