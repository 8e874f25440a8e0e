//! The errors of a config's values: each made in one function, with its code.

use std::path::Path;

use super::keys::{ELSEWHERE, ROOT, SYNONYMS};
use super::overrides::COMMAND_LINE;
use super::path::KeyPath;
use super::read::Format;
use super::schema::{Absent, Key, Kind, LARGEST, Section, joined};
use super::written::{self, Entry, Node, Value};
use crate::error::{self, Error, Place, codes};

/// A key that is not in the section; also returns the key of this section that was probably meant.
pub(super) fn unknown_key(section: &'static Section, entry: &Entry, path: &KeyPath) -> (Error, Option<&'static str>) {
    let key = entry.key.as_str();
    let whose = path.whose();
    let mut error = Error::recipe(match path.text().is_empty() {
        true => format!("unknown key `{key}`"),
        false => format!("unknown key `{key}` in {whose}"),
    });
    error = place(error, entry.place.clone()).coded(codes::UNKNOWN_KEY).label("unknown key");
    let synonym = SYNONYMS.iter().find(|(name, meant)| *name == key && section.key(meant).is_some());
    let near = error::nearest(key, section.names());
    // A key of another section is meant rather than one of this that is only spelt like it.
    let (hint, meant) = match (synonym, near, elsewhere(key, path)) {
        (Some((_, meant)), _, _) => (Some(format!("did you mean `{meant}`?")), Some(*meant)),
        (None, Some(near), None) => (Some(format!("did you mean `{near}`?")), Some(near)),
        (None, Some(near), Some(_)) if near.eq_ignore_ascii_case(key) => {
            (Some(format!("did you mean `{near}`?")), Some(near))
        }
        (None, _, elsewhere) => (elsewhere, None),
    };
    let keys = error::list(section.names());
    (error.maybe_hint(hint).hint(format!("keys of {whose}: {keys}")), meant)
}

/// Keys that must be there and are not; `absent` is what leaving out the whole map would mean.
pub(super) fn missing_keys(missing: &[&Key], absent: Absent, node: &Node, path: &KeyPath) -> Error {
    let whose = path.whose();
    let names = joined(missing.iter().map(|key| format!("`{}`", key.name)).collect(), "and");
    let plural = if missing.len() == 1 { "key" } else { "keys" };
    let verb = if missing.len() == 1 { "is" } else { "are" };
    let error = Error::recipe(format!("{whose} needs the {plural} {names}")).coded(codes::MISSING_KEY);
    let error = place(error, path.place.clone().or_else(|| opening(node))).label(format!("{names} {verb} missing"));
    let error = missing
        .iter()
        .fold(error, |error, key| error.hint(format!("`{}`: {}; {}", key.name, key.kind.describe(), key.doc)));
    match absent {
        Absent::Default(default) if default != "{}" => {
            error.hint(format!("it is given or left out as a whole; left out, it is `{default}`"))
        }
        _ => error,
    }
}

/// A value of a wrong type or out of its range.
pub(super) fn wrong_value(kind: &Kind, absent: Absent, node: &Node, path: &KeyPath) -> Error {
    let expected = kind.describe();
    let found = node.found();
    let message = match path.text().is_empty() {
        true => format!("expected {expected}, found {found}"),
        false => format!("`{path}`: expected {expected}, found {found}"),
    };
    let code = if fits(kind, node) { codes::OUT_OF_RANGE } else { codes::WRONG_TYPE };
    let error = place(Error::recipe(message).coded(code), node.mark());
    error.label(reason(kind, node)).maybe_hint(remedy(kind, absent, node))
}

/// Two outputs with one name.
pub(super) fn same_name(name: &str, first: &Node, again: &Node, path: &KeyPath) -> Error {
    let error = place(Error::recipe(format!("`{path}`: another output is called `{name}` already")), again.mark());
    let error = error.coded(codes::SAME_NAME).label("given again here");
    let first = first.mark().map(|place| format!("the first is {}", at(&place)));
    error.maybe_hint(first).hint("every output of the network has a name of its own")
}

/// One of several outputs without a weight.
pub(super) fn no_loss_weight(node: &Node, path: &KeyPath, count: usize) -> Error {
    let error = Error::recipe(format!("`{path}` needs the key `loss_weight`, as there are {count} outputs"));
    place(error, node.get("name").and_then(Node::mark).or_else(|| opening(node)))
        .coded(codes::NO_LOSS_WEIGHT)
        .label("`loss_weight` is missing")
        .hint("`loss_weight`: a number of at least 0; the loss's share of the total, 1.0 for equal shares")
}

/// A reducer beside a schedule.
pub(super) fn reducer_with_schedule(reducer: &Entry, schedule: &str) -> Error {
    let error = Error::recipe(format!(
        "`solver.learning_rate_reducer` cannot lower a rate that the schedule `{schedule}` sets at each step"
    ));
    place(error, reducer.place.clone())
        .coded(codes::REDUCER_WITH_SCHEDULE)
        .label("excluded by the schedule")
        .hint("leave the reducer out, or make `solver.optimizer.learning_rate` a number")
}

/// A map that needs one of some keys and has none of them, or several.
pub(super) fn one_of(node: &Node, path: &KeyPath, keys: &[&str], found: usize) -> Error {
    let keys = joined(keys.iter().map(|key| format!("`{key}`")).collect(), "or");
    let (message, label) = match found {
        0 => (format!("`{path}` needs one of the keys {keys}"), "nothing is given here"),
        _ => (format!("`{path}`: only one of the keys {keys} may be given"), "more than one is given"),
    };
    let code = if found == 0 { codes::MISSING_KEY } else { codes::GIVEN_TWICE };
    place(Error::recipe(message), opening(node).or_else(|| node.mark())).coded(code).label(label).hint(if found == 0 {
        format!("give {keys}")
    } else {
        "leave out all but one".to_owned()
    })
}

/// A key of the solver beside a parameter of the optimizer that means the same.
pub(super) fn set_twice(entry: &Entry, path: &KeyPath, parameter: &str) -> Error {
    place(
        Error::recipe(format!("`{path}` and the optimizer's parameter `{parameter}` mean the same")),
        entry.place.clone(),
    )
    .coded(codes::GIVEN_TWICE)
    .label("given here, too")
    .hint("leave one of them out")
}

/// A checkpoint within an epoch where none is kept to resume from.
pub(super) fn nothing_to_resume(entry: &Entry) -> Error {
    let error =
        Error::recipe("`solver.checkpoint_every` writes checkpoints, but `services.resume_checkpoints` is false");
    place(error, entry.place.clone())
        .coded(codes::GIVEN_TWICE)
        .label("excluded by `services.resume_checkpoints`")
        .hint("leave one of them out")
}

/// An entry of `class_weight` that is no class, or no weight.
pub(super) fn class_weight(entry: &Entry, path: &KeyPath) -> Error {
    let at = path.to(entry);
    let (message, mark) = match entry.key.parse::<u32>() {
        Err(_) => (
            format!("`{path}`: expected the index of a class, from 0, found the key `{}`", entry.key),
            entry.place.clone(),
        ),
        Ok(_) => (format!("`{at}`: expected a number of at least 0, found {}", entry.node.found()), entry.node.mark()),
    };
    place(Error::recipe(message), mark)
        .coded(codes::OUT_OF_RANGE)
        .label("no class and its weight")
        .hint("write `{\"0\": 0.5, \"1\": 2.0}`: classes by their index, as text, and what their records count")
}

/// `extends` in a config that stands in no file.
pub(super) fn not_in_a_file(extends: &Entry) -> Error {
    let error = Error::recipe("`extends` names a file relative to the config's own, and this config is in no file");
    place(error, extends.place.clone())
        .coded(codes::NOT_IN_A_FILE)
        .label("cannot be followed from here")
        .hint("write it into a config file")
}

/// Returns where something stands, for the middle of a sentence.
pub(super) fn at(place: &Place) -> String {
    match &*place.file == COMMAND_LINE {
        true => format!("{COMMAND_LINE}: `{}`", place.text),
        false => format!("at {place}"),
    }
}

/// Returns whether a value is of a type that the kind takes, so that only its value is wrong.
fn fits(kind: &Kind, node: &Node) -> bool {
    match (kind, &node.value) {
        (Kind::OneOf(kinds), _) => kinds.iter().any(|kind| fits(kind, node)),
        (Kind::Number(_), Value::Number(_)) => true,
        // `3.0` is a number of another type, and one too large for any whole number is out of range.
        (Kind::Whole { .. }, Value::Number(number)) => !number.is_f64() || reason(kind, node) == "too large",
        (Kind::Choice(_) | Kind::Device, Value::Text(_)) => true,
        (Kind::Off, Value::Bool(_)) => true,
        (Kind::Maps { .. }, Value::List(_)) => true,
        _ => false,
    }
}

/// The label beside the mark: what about the value is wrong.
fn reason(kind: &Kind, node: &Node) -> &'static str {
    match &node.value {
        Value::Null => "nothing is given here",
        Value::Bool(true) if accepts_off(kind) => "it is on already",
        Value::Bool(_) if takes_numbers(kind) => "not a number",
        Value::Bool(_) => "this is `true` or `false`",
        Value::Number(_) if !takes_numbers(kind) => "this is a number",
        Value::Number(number) => match kind {
            Kind::Number(_) => "out of range",
            _ if number.is_f64() && number.as_f64().is_some_and(|value| value.abs() >= LARGEST as f64) => "too large",
            _ if number.is_f64() => "not a whole number",
            Kind::Whole { least, .. } if node.whole().is_none_or(|value| value < *least) => "too small",
            Kind::Whole { .. } => "too large",
            _ => "out of range",
        },
        Value::Text(_) if matches!(kind, Kind::Choice(_) | Kind::Device) => "not one of these",
        Value::Text(_) => "this is a text",
        Value::List(items) if items.is_empty() => "this list is empty",
        Value::List(_) => "this is a list",
        Value::Map(_) => "this is a map",
    }
}

/// The hint: what to write instead.
fn remedy(kind: &Kind, absent: Absent, node: &Node) -> Option<String> {
    let leave_out = match absent {
        Absent::Refused => None,
        Absent::Default(_) if accepts_off(kind) => {
            Some("leave the key out for the default, or write `false` to switch it off".to_owned())
        }
        Absent::Default(default) if default.len() < 24 => {
            Some(format!("leave the key out for the default, `{default}`"))
        }
        Absent::Default(_) => Some("leave the key out for the default".to_owned()),
        Absent::Nothing => Some("leave the key out when there is none".to_owned()),
    };
    match &node.value {
        Value::Null => leave_out,
        Value::Bool(true) if accepts_off(kind) => {
            Some("it is on unless this is `false`; leave the key out, or write its settings as a map".to_owned())
        }
        Value::Number(number) if reason(kind, node) == "too large" && number.is_f64() => {
            Some(format!("the largest is {LARGEST}"))
        }
        Value::Number(number) if takes_numbers(kind) => {
            let whole = number.as_f64().filter(|value| value.fract() == 0.0 && (1.0..1e15).contains(value));
            whole
                .filter(|_| number.is_f64() && !matches!(kind, Kind::Number(_)))
                .map(|value| format!("write `{value}`"))
        }
        Value::Text(text) => match text.trim() {
            text if takes_numbers(kind) && quoted(node) && text.parse::<f64>().is_ok_and(f64::is_finite) => {
                Some(format!("a number has no quotes: `{text}`"))
            }
            text if takes_numbers(kind) && text.contains('_') && text.replace('_', "").parse::<u64>().is_ok() => {
                Some(format!("write `{}`", text.replace('_', "")))
            }
            text if takes_flags(kind) && flag(text).is_some() => flag(text).map(|meant| match quoted(node) {
                true => format!("write `{meant}` without quotes"),
                false => format!("write `{meant}`"),
            }),
            "auto" if choices(kind).contains(&"min") => {
                Some("`auto` is not guessed here: `min` suits a loss, `max` an accuracy".to_owned())
            }
            text if matches!(kind, Kind::Device) => Some(match text.to_lowercase().as_str() {
                "gpu" | "cuda" => "the first GPU is `cuda:0`".to_owned(),
                _ => "`auto` takes the first GPU when there is one, and the CPU else".to_owned(),
            }),
            text => match (choices(kind), import_of(kind)) {
                (choices, _) if !choices.is_empty() => error::did_you_mean(text, choices),
                // Scripts have a function for this.
                (_, Some(others)) if node.is_scripted() => {
                    others.is_empty().then(|| format!("write `component({text:?})`"))
                }
                (_, Some(others)) => Some(match format(node) {
                    Format::Toml => {
                        format!("write `{{import = {text:?}{}}}`", others.replace("\"params\":", "params ="))
                    }
                    _ => format!(r#"write `{{"import": {text:?}{others}}}`"#),
                }),
                _ => None,
            },
        },
        Value::Number(_) if matches!(kind, Kind::Text) => Some("a text needs quotes".to_owned()),
        Value::Map(_) if matches!(kind, Kind::Maps { .. }) => Some(match (format(node), starts_with(node, '{')) {
            (Format::Toml, false) => "a list of tables has headers with two brackets: `[[…]]`".to_owned(),
            (Format::Yaml, false) => {
                "put it in a list: `- ` before its first line, blanks before the others".to_owned()
            }
            _ => "put it in a list: `[` before and `]` after it".to_owned(),
        }),
        Value::List(items) if items.len() == 1 && kind.section().is_some() => {
            Some("take it out of its list: only one is possible here".to_owned())
        }
        _ => None,
    }
}

/// Where a key that is unknown here is known: the hint, when there is just one such section.
fn elsewhere(key: &str, path: &KeyPath) -> Option<String> {
    let mut found = Vec::new();
    search(&ROOT, "", key, &mut found);
    found.retain(|there| there != path.text());
    match found.as_slice() {
        [there] if there.is_empty() => Some(format!("`{key}` belongs at the top of the config, beside `dataset`")),
        [there] => Some(format!("`{key}` belongs in `{there}`")),
        _ => ELSEWHERE.iter().find(|(name, _)| *name == key).map(|(_, there)| format!("did you mean `{there}`?")),
    }
}

fn search(section: &'static Section, at: &str, key: &str, found: &mut Vec<String>) {
    // Import blocks are everywhere; that one of them has the key tells nothing.
    for known in section.keys.iter().filter(|known| !matches!(known.name, "import" | "params")) {
        let dotted = if at.is_empty() { known.name.to_owned() } else { format!("{at}.{}", known.name) };
        if known.name == key {
            found.push(at.to_owned());
        }
        if let Some(inner) = known.kind.section() {
            let items = if matches!(known.kind, Kind::Maps { .. }) { "[…]" } else { "" };
            search(inner, &format!("{dotted}{items}"), key, found);
        }
    }
}

/// Returns whether a text stands in quotes; in YAML and on the command line it need not.
fn quoted(node: &Node) -> bool {
    node.place.is_none() || starts_with(node, '"') || starts_with(node, '\'')
}

fn starts_with(node: &Node, bracket: char) -> bool {
    node.place.as_ref().is_some_and(|place| place.text.get(place.span.start..).unwrap_or("").starts_with(bracket))
}

/// Returns how the file is written that a value stands in.
fn format(node: &Node) -> Format {
    node.place.as_ref().map_or(Format::Json, |place| Format::of(Path::new(&*place.file)))
}

fn flag(text: &str) -> Option<bool> {
    match text.to_lowercase().as_str() {
        "true" | "yes" | "on" => Some(true),
        "false" | "no" | "off" => Some(false),
        _ => None,
    }
}

fn takes_numbers(kind: &Kind) -> bool {
    match kind {
        Kind::OneOf(kinds) => kinds.iter().any(takes_numbers),
        kind => matches!(kind, Kind::Whole { .. } | Kind::Number(_)),
    }
}

fn takes_flags(kind: &Kind) -> bool {
    match kind {
        Kind::OneOf(kinds) => kinds.iter().any(takes_flags),
        kind => matches!(kind, Kind::Flag | Kind::Off),
    }
}

fn accepts_off(kind: &Kind) -> bool {
    matches!(kind, Kind::OneOf(kinds) if kinds.iter().any(|kind| matches!(kind, Kind::Off)))
}

fn choices(kind: &Kind) -> Vec<&'static str> {
    match kind {
        Kind::OneOf(kinds) => kinds.iter().flat_map(choices).collect(),
        Kind::Choice(choices) => choices.to_vec(),
        _ => Vec::new(),
    }
}

/// Returns the keys that must stand beside `import` where a map with it is expected: `, "params": …`.
fn import_of(kind: &Kind) -> Option<String> {
    let section = kind.section().filter(|_| !matches!(kind, Kind::Maps { .. }))?;
    section.key("import")?;
    let others = section.keys.iter().filter(|key| key.name != "import" && matches!(key.absent, Absent::Refused));
    Some(others.map(|key| format!(", {:?}: …", key.name)).collect())
}

fn opening(node: &Node) -> Option<Place> {
    node.place.clone().map(written::opening)
}

fn place(error: Error, place: Option<Place>) -> Error {
    match place {
        Some(place) => error.at(place),
        None => error,
    }
}
