//! What the text of a script tells about its names, for hints: Rhai's errors do not say what was there.

use crate::error;

/// Returns what stands before the `.` of a field: `this.params`.
pub fn owner(place: &error::Place) -> &str {
    let before = place.text.get(..place.span.start).unwrap_or("").trim_end_matches(['.', '?']);
    let word = |c: char| c.is_alphanumeric() || c == '_' || c == '.';
    before.rsplit(|c: char| !word(c)).next().unwrap_or("")
}

/// Returns the functions of a script, each with the list of its parameters.
pub fn functions(text: &str) -> impl Iterator<Item = (&str, &str)> {
    text.lines().filter_map(|line| {
        let line = line.trim_start();
        let rest = line.strip_prefix("private ").unwrap_or(line).strip_prefix("fn ")?;
        let (name, rest) = rest.split_once('(')?;
        Some((name.trim(), rest.split_once(')')?.0.trim()))
    })
}

/// The variables, constants and parameters of a script, each with the word before it.
pub fn declared(text: &str) -> Vec<(&str, &str)> {
    let words: Vec<&str> =
        text.split(|c: char| !(c.is_alphanumeric() || c == '_')).filter(|word| !word.is_empty()).collect();
    let named = words.windows(2).filter(|pair| ["let", "const", "for", "as"].contains(&pair[0]));
    let parameters = functions(text).flat_map(|(_, list)| list.split(',')).map(|name| ("fn", name.trim()));
    named.map(|pair| (pair[0], pair[1])).chain(parameters).collect()
}

/// The names that a script reads, writes or gives as fields: `.name`, `name:` and `"name"`.
pub fn field_names(text: &str) -> impl Iterator<Item = &str> {
    let word = |c: char| c.is_alphanumeric() || c == '_';
    text.split(move |c| !word(c)).filter(move |name| {
        let start = name.as_ptr() as usize - text.as_ptr() as usize;
        let before = text[..start].chars().next_back();
        let after = text[start + name.len()..].chars().next();
        !name.is_empty()
            && !name.starts_with(|first: char| first.is_numeric())
            && (before == Some('.') || after == Some(':') || (before == Some('"') && after == Some('"')))
    })
}
