//! Examples in texts: blocks fenced as `rhai`, and what their lines give.

/// A statement of an example, and what it gives.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Line {
    /// The code, without its comment.
    pub code: String,
    /// The value after `// =>`, if the line has one.
    pub value: Option<String>,
}

/// Returns the examples of a text, each as its statements.
///
/// ```
/// use barrage::script::manual::examples;
/// let found = examples("Adds.\n\n```rhai\nlet x = 1;\nx + 1 // => 2\n```\n");
/// assert_eq!((found.len(), found[0][1].code.as_str(), found[0][1].value.as_deref()), (1, "x + 1", Some("2")));
/// ```
pub fn examples(text: &str) -> Vec<Vec<Line>> {
    let mut found = Vec::new();
    let mut block: Option<Vec<&str>> = None;
    for line in text.lines() {
        match (line.trim(), &mut block) {
            ("```rhai", None) => block = Some(Vec::new()),
            ("```", Some(_)) => found.extend(block.take().map(|lines| statements(&lines))),
            (_, Some(lines)) => lines.push(line),
            _ => (),
        }
    }
    found
}

/// Joins lines until brackets are closed; a line that begins with a dot belongs to the one before it.
fn statements(lines: &[&str]) -> Vec<Line> {
    let mut all = Vec::new();
    let mut open = String::new();
    for (at, line) in lines.iter().enumerate() {
        let (code, value) = match line.split_once("// =>") {
            Some((code, value)) => (code.trim_end(), Some(value.trim().to_owned())),
            None => (*line, None),
        };
        if !open.is_empty() {
            open.push('\n');
        }
        open.push_str(code);
        let continued = lines.get(at + 1).is_some_and(|next| next.trim_start().starts_with('.'));
        if open.trim().is_empty() || continued || crate::script::repl::Session::is_incomplete(&open) {
            continue;
        }
        all.push(Line { code: std::mem::take(&mut open), value });
    }
    if !open.trim().is_empty() {
        all.push(Line { code: open, value: None });
    }
    all
}
