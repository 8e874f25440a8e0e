//! The value that a path at the end of a line leads to (`batch.x`, `rows[0]`), found without running anything.

use rhai::{Array as List, Dynamic, Map, Scope};

use crate::record::{Record, Records};
use crate::script::cast;

/// Returns the value of the path that a text ends in: a variable, then fields of maps and records, and positions in
/// arrays and tables. `None` where that would mean calling something.
pub(super) fn value(scope: &Scope, text: &str) -> Option<Dynamic> {
    let path = &text[start(text)..];
    let mut rest = path;
    let name = word(rest);
    // A path that begins in the middle of a chain, such as that of a call's result, has no variable.
    if name.is_empty() || text[..text.len() - path.len()].ends_with(['.', ')', ']']) {
        return None;
    }
    let mut value = scope.get(name)?.clone();
    rest = &rest[name.len()..];
    while !rest.is_empty() {
        if let Some(field) = rest.strip_prefix('.') {
            let name = word(field);
            value = member(&value, name)?;
            rest = &field[name.len()..];
        } else {
            let (position, after) = rest.strip_prefix('[')?.split_once(']')?;
            value = match position.trim().strip_prefix('"').and_then(|name| name.strip_suffix('"')) {
                Some(name) => member(&value, name)?,
                None => item(&value, position.trim().parse().ok()?)?,
            };
            rest = after;
        }
    }
    Some(value)
}

/// Returns where the path at the end begins.
fn start(text: &str) -> usize {
    let mut open = false;
    for (at, c) in text.char_indices().rev() {
        match c {
            ']' if !open => open = true,
            '[' if open => open = false,
            _ if open || c == '.' || c.is_alphanumeric() || c == '_' => (),
            _ => return at + c.len_utf8(),
        }
    }
    0
}

fn word(text: &str) -> &str {
    let end = text.find(|c: char| !(c.is_alphanumeric() || c == '_')).unwrap_or(text.len());
    &text[..end]
}

fn member(value: &Dynamic, name: &str) -> Option<Dynamic> {
    if let Some(map) = value.read_lock::<Map>() {
        return map.get(name).cloned();
    }
    value.read_lock::<Record>()?.get(name).ok().map(cast::from_value)
}

fn item(value: &Dynamic, position: i64) -> Option<Dynamic> {
    let at = |length: usize| {
        let position = if position < 0 { position + length as i64 } else { position };
        usize::try_from(position).ok().filter(|at| *at < length)
    };
    if let Some(list) = value.read_lock::<List>() {
        return at(list.len()).map(|at| list[at].clone());
    }
    let records = value.read_lock::<Records>()?;
    at(records.len()).map(|at| Dynamic::from(records.record(at)))
}
