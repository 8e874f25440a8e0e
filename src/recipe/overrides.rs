//! Overrides: changes to a config that stand on the command line.
//!
//! `solver.epochs=3` sets a key, `+data.classes=10` adds one, `~services.keep` takes one away. Items of a list
//! are named by their index, `model.outputs.0.loss_weight=2`, also as errors write it: `model.outputs[0]`. A key
//! with dots stands in quotes. The value is JSON, or else a text as it is.
//!
//! The keys of the sections are known, so any of them may be set; one that they do not have is refused with
//! the rest of the config. In maps with free keys only what is there may be set, as nothing else tells a slip
//! from a wish; `+` says that it is a wish. Where an override changes part of a block that was left out, the
//! block is its default first.

use std::ops::Range;
use std::sync::Arc;

use super::fields;
use super::read;
use super::schema::{Absent, Key, Kind};
use super::written::{Entry, Node, Value};
use crate::error::{self, Error, Place, Result, codes};

/// The name of the file that overrides stand in.
pub(super) const COMMAND_LINE: &str = "from the command line";

/// Checks that an override can be read; whether the config has its key is told when it is applied.
///
/// # Errors
/// Anything but `KEY=VALUE`, `+KEY=VALUE` and `~KEY`.
pub fn check_override(text: &str) -> Result<()> {
    Override::parse(text).map(drop)
}

/// Changes a config.
///
/// # Errors
/// See [`Written::overridden`](super::Written::overridden).
pub(super) fn apply(root: &mut Node, overrides: &[impl AsRef<str>]) -> Result<()> {
    let mut errors = Vec::new();
    for text in overrides {
        let change = Override::parse(text.as_ref())
            .and_then(|change| change.apply(root, &Keys::of(&Kind::Map(&super::keys::ROOT)), 0));
        errors.extend(change.err().map(Error::split).into_iter().flatten());
    }
    match Error::join(errors) {
        Some(error) => Err(error),
        None => Ok(()),
    }
}

struct Override {
    text: Arc<str>,
    action: Action,
    steps: Vec<Step>,
}

enum Action {
    Set(Node),
    Add(Node),
    Remove,
}

/// A key or an index on the way to the value.
struct Step {
    key: String,
    span: Range<usize>,
}

/// What is known about the keys of a value.
struct Keys {
    /// The table, when the keys are not free.
    known: Option<&'static [Key]>,
}

impl Keys {
    fn of(kind: &Kind) -> Self {
        Keys { known: kind.section().map(|section| section.keys) }
    }

    fn key(&self, name: &str) -> Option<&'static Key> {
        self.known?.iter().find(|key| key.name == name)
    }
}

impl Override {
    fn parse(text: &str) -> Result<Self> {
        let remove = text.starts_with('~');
        let start = usize::from(remove || text.starts_with('+'));
        let whole: Arc<str> = text.into();
        let malformed = |span: Range<usize>, label: &str| {
            Error::recipe(format!("expected `KEY=VALUE`, `+KEY=VALUE` or `~KEY`, found `{text}`"))
                .coded(codes::WRONG_OVERRIDE)
                .at(Place { file: COMMAND_LINE.into(), text: whole.clone(), span })
                .label(label)
        };
        let (steps, end) = steps(text, start).map_err(|at| malformed(at, "expected a key"))?;
        let action = match (text.get(end..).and_then(|rest| rest.chars().next()), remove) {
            (None, true) => Action::Remove,
            (Some('='), true) => return Err(malformed(end..text.len(), "a key is removed without a value")),
            (Some('='), false) => {
                let value = value(text, end + 1)?;
                if start == 1 { Action::Add(value) } else { Action::Set(value) }
            }
            (None, false) => return Err(malformed(start..end, "no `=` and no value")),
            (Some(other), _) => {
                return Err(malformed(end..end + other.len_utf8(), "expected `.`, `[` or `=`"));
            }
        };
        Ok(Override { text: whole, action, steps })
    }

    /// Changes the value at the path that begins with the step of this number, seen from `node`.
    fn apply(&self, node: &mut Node, keys: &Keys, done: usize) -> Result<()> {
        // A path has at least one step.
        let Some(step) = self.steps.get(done) else { return Ok(()) };
        let last = done + 1 == self.steps.len();
        match &mut node.value {
            Value::Map(entries) => {
                let index = entries.iter().position(|entry| entry.key == step.key);
                match (index, &self.action) {
                    (Some(index), Action::Remove) if last => drop(entries.remove(index)),
                    (Some(index), Action::Set(value) | Action::Add(value)) if last => {
                        entries[index] = self.entry(step, value.clone());
                    }
                    (Some(index), _) => {
                        let inner = keys.key(&step.key).map_or(Keys { known: None }, |key| Keys::of(&key.kind));
                        self.apply(&mut entries[index].node, &inner, done + 1)?;
                    }
                    (None, Action::Remove) => return Err(self.not_there(entries, keys, done)),
                    (None, Action::Set(_)) if keys.known.is_none() => {
                        return Err(self.not_there(entries, keys, done));
                    }
                    (None, Action::Set(value) | Action::Add(value)) if last => {
                        entries.push(self.entry(step, value.clone()));
                    }
                    (None, _) => {
                        let key = keys.key(&step.key);
                        let inner = key.map_or(Keys { known: None }, |key| Keys::of(&key.kind));
                        let mut entry = match key.map(|key| key.absent) {
                            Some(Absent::Default(text)) => {
                                Entry { key: step.key.clone(), place: None, node: fields::default(text) }
                            }
                            _ => self.entry(step, Node { value: Value::Map(Vec::new()), place: self.place(step) }),
                        };
                        // An unknown key is refused with the rest of the config; what is below it may be anything.
                        match key {
                            None if keys.known.is_some() => entry.node = self.below(done + 1),
                            _ => self.apply(&mut entry.node, &inner, done + 1)?,
                        }
                        entries.push(entry);
                    }
                }
            }
            Value::List(items) => match (step.key.parse::<usize>(), &self.action) {
                (Ok(index), Action::Remove) if last && index < items.len() => drop(items.remove(index)),
                (Ok(index), Action::Set(value) | Action::Add(value)) if last && index < items.len() => {
                    items[index] = value.clone();
                }
                (Ok(index), _) if index < items.len() => self.apply(&mut items[index], keys, done + 1)?,
                (Ok(index), Action::Add(value)) if last && index == items.len() => items.push(value.clone()),
                _ => return Err(self.no_item(items.len(), done)),
            },
            _ => return Err(self.no_keys(node, done)),
        }
        Ok(())
    }

    fn entry(&self, step: &Step, node: Node) -> Entry {
        Entry { key: step.key.clone(), place: self.place(step), node }
    }

    /// Returns the value inside of maps for the steps from the one of this number.
    fn below(&self, done: usize) -> Node {
        let value = match &self.action {
            Action::Set(value) | Action::Add(value) => value.clone(),
            Action::Remove => Node { value: Value::Null, place: None },
        };
        self.steps
            .iter()
            .skip(done)
            .rev()
            .fold(value, |node, step| Node { value: Value::Map(vec![self.entry(step, node)]), place: self.place(step) })
    }

    fn place(&self, step: &Step) -> Option<Place> {
        Some(Place { file: COMMAND_LINE.into(), text: self.text.clone(), span: step.span.clone() })
    }

    /// Returns the path of the first steps as errors write it.
    fn path(&self, count: usize) -> String {
        self.steps.iter().take(count).map(|step| step.key.as_str()).collect::<Vec<_>>().join(".")
    }

    fn refuse(&self, code: &'static str, done: usize, message: String, label: &str) -> Error {
        let span = self.steps.get(done).map_or(0..0, |step| step.span.clone());
        let place = Place { file: COMMAND_LINE.into(), text: self.text.clone(), span };
        Error::recipe(message).coded(code).at(place).label(label)
    }

    fn not_there(&self, entries: &[Entry], keys: &Keys, done: usize) -> Error {
        let key = self.path(done + 1);
        let whose = match done {
            0 => "the config".to_owned(),
            _ => format!("`{}`", self.path(done)),
        };
        let step = self.steps.get(done).map_or("", |step| step.key.as_str());
        let error = self.refuse(codes::NOT_THERE, done, format!("{whose} has no key `{step}`"), "not there");
        let names = || entries.iter().map(|entry| entry.key.as_str());
        let error = error.maybe_hint(error::did_you_mean(step, names()));
        let error = match entries.is_empty() {
            true => error.hint(format!("{whose} has no keys")),
            false => error.hint(format!("keys of {whose}: {}", error::list(names()))),
        };
        match (&self.action, keys.key(step)) {
            (Action::Remove, Some(_)) => error.hint(format!("`{key}` is not given, so there is nothing to remove")),
            (Action::Remove, None) => error,
            _ => error.hint(format!("to add it, write `+{}`", self.text)),
        }
    }

    fn no_item(&self, count: usize, done: usize) -> Error {
        let list = self.path(done);
        let step = self.steps.get(done).map_or("", |step| step.key.as_str());
        let error = format!("`{list}` has no item `{step}`");
        let error = self.refuse(codes::NO_WAY, done, error, "not an item of this list");
        let items = match count {
            0 => format!("`{list}` is an empty list"),
            1 => format!("`{list}` has one item: `{list}.0`"),
            _ => format!("`{list}` has {count} items: `{list}.0` to `{list}.{}`", count - 1),
        };
        error.hint(items).hint(format!("`+{list}.{count}=…` adds an item at the end"))
    }

    fn no_keys(&self, node: &Node, done: usize) -> Error {
        let (whole, found) = (self.path(done), node.found());
        let error = match done {
            0 => format!("the config is {found}, and has no keys"),
            _ => format!("`{whole}` is {found}, and has no keys"),
        };
        let error = self.refuse(codes::NO_WAY, done, error, "leads nowhere");
        error.maybe_hint((done > 0).then(|| format!("set it as a whole: `{whole}=…`")))
    }
}

/// Returns the steps of a path, and where it ends; what is no step is returned as the error.
fn steps(text: &str, start: usize) -> std::result::Result<(Vec<Step>, usize), Range<usize>> {
    let mut steps = Vec::new();
    let mut at = start;
    loop {
        let rest = text.get(at..).unwrap_or("");
        // Where the key begins, where it ends, and where the path goes on.
        let (begin, end, next) = if let Some(quoted) = rest.strip_prefix('"') {
            let end = at + 1 + quoted.find('"').ok_or(at..text.len())?;
            (at + 1, end, end + 1)
        } else if let Some(index) = rest.strip_prefix('[') {
            let end = at + 1 + index.find(']').ok_or(at..text.len())?;
            (at + 1, end, end + 1)
        } else {
            let end = at + rest.find(['.', '=', '[', ']', '"']).unwrap_or(rest.len());
            (at, end, end)
        };
        let key = text.get(begin..end).unwrap_or("");
        if key.is_empty() || key.trim() != key {
            return Err(begin..end);
        }
        steps.push(Step { key: key.to_owned(), span: begin..end });
        at = match text.as_bytes().get(next) {
            Some(b'.') => next + 1,
            Some(b'[') => next,
            _ => return Ok((steps, next)),
        };
    }
}

/// Reads the value after `=`: JSON, or a text as it is.
fn value(text: &str, start: usize) -> Result<Node> {
    let written = text.get(start..).unwrap_or("");
    let structured = written.trim_start().starts_with(['{', '[', '"', '\'']);
    match read::read_end(COMMAND_LINE, text, start) {
        Ok(Some(node)) => Ok(node),
        Err(error) if structured || error.code() == Some(codes::NOT_A_NUMBER) => Err(error),
        _ => {
            let place = Place { file: COMMAND_LINE.into(), text: text.into(), span: start..text.len() };
            Ok(Node { value: Value::Text(written.to_owned()), place: Some(place) })
        }
    }
}
