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

/// Returns whether a text assigns to a variable, or to a part of it, or calls a method that changes an array or a map.
pub fn changes(text: &str, name: &str) -> bool {
    const METHODS: [&str; 12] =
        ["push", "append", "insert", "pop", "shift", "remove", "clear", "truncate", "retain", "drain", "mixin", "set"];
    let word = |c: char| c.is_alphanumeric() || c == '_';
    text.match_indices(name).any(|(at, _)| {
        let (before, mut rest) = (&text[..at], &text[at + name.len()..]);
        if before.ends_with(|c| word(c) || c == '.') || rest.starts_with(word) || before.trim_end().ends_with("let") {
            return false;
        }
        loop {
            rest = rest.trim_start();
            if rest.starts_with('[') {
                let mut depth = 0;
                let end = rest.find(|c| {
                    depth += i32::from(c == '[') - i32::from(c == ']');
                    depth == 0
                });
                rest = end.map_or("", |end| &rest[end + 1..]);
            } else if let Some(field) = rest.strip_prefix('.') {
                let length = field.find(|c| !word(c)).unwrap_or(field.len());
                if METHODS.contains(&&field[..length]) && field[length..].starts_with('(') {
                    return true;
                }
                rest = &field[length..];
            } else {
                let operators = ["+=", "-=", "*=", "/=", "%=", "**=", "|=", "&=", "^=", "<<=", ">>="];
                return operators.iter().any(|operator| rest.starts_with(operator))
                    || (rest.starts_with('=') && !rest.starts_with("==") && !rest.starts_with("=>"));
            }
        }
    })
}

#[cfg(test)]
mod tests {
    use super::changes;

    #[test]
    fn changes_of_a_variable_are_found() {
        for (text, found) in [
            ("|x| { n += x; x }", true),
            ("|x| { n[0].y = x; x }", true),
            ("|x| { seen.n = x }", false),
            ("|x| { n.push(x); x }", true),
            ("|x| x == n", false),
            ("|x| n == x", false),
            ("|x| n.len() + x", false),
            ("|x| { let n = 3; n }", false),
            ("|x| names = 3", false),
        ] {
            assert_eq!(changes(text, "n"), found, "{text}");
        }
    }
}
