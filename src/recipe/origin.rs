//! Shows a resolved config with where each of its values came from.

use serde_json::Value;

use super::overrides::COMMAND_LINE;
use super::written::{Node, Written};
use super::{Recipe, fields};

/// The widest line beside which comments are lined up.
const WIDEST: usize = 60;

impl Recipe {
    /// Returns the resolved config as JSON with comments that tell where each value came from: a line of a
    /// file, the command line, the script, or the default. Read as a config, it gives an equal recipe.
    ///
    /// `written` is the config that this recipe was resolved from.
    pub fn explain(&self, written: &Written) -> String {
        let mut lines = Vec::new();
        show(&self.to_json(), Some(&written.root), "", "", &mut lines);
        let widths = lines.iter().filter(|(_, origin)| origin.is_some()).map(|(line, _)| line.chars().count());
        let column = widths.filter(|width| *width <= WIDEST).max().unwrap_or(0);
        let line = |(line, origin): (String, Option<String>)| match origin {
            Some(origin) => format!("{line:column$}  // {origin}\n"),
            None => format!("{line}\n"),
        };
        lines.into_iter().map(line).collect()
    }
}

/// Adds the lines of a value; `node` is the value as written, if it was.
fn show(value: &Value, node: Option<&Node>, indent: &str, key: &str, lines: &mut Vec<(String, Option<String>)>) {
    let inner = format!("{indent}  ");
    let begin = format!("{indent}{key}");
    let children: Vec<(String, &Value, Option<&Node>)> = match value {
        Value::Object(map) => {
            let child =
                |(key, value)| (format!("{}: ", Value::from(key as &str)), value, node.and_then(|n| n.get(key)));
            map.iter().map(|(key, value)| child((key.as_str(), value))).collect()
        }
        Value::Array(items) if items.iter().any(|item| item.is_object() || item.is_array()) => {
            let written = node.map_or(&[][..], Node::items);
            items.iter().enumerate().map(|(index, item)| (String::new(), item, written.get(index))).collect()
        }
        _ => Vec::new(),
    };
    if children.is_empty() {
        lines.push((format!("{begin}{}", inline(value)), Some(origin(value, node))));
        return;
    }
    let (open, close) = if value.is_object() { ('{', '}') } else { ('[', ']') };
    lines.push((format!("{begin}{open}"), None));
    let last = children.len() - 1;
    for (index, (key, value, node)) in children.into_iter().enumerate() {
        show(value, node, &inner, &key, lines);
        if let Some((line, _)) = lines.last_mut().filter(|_| index < last) {
            line.push(',');
        }
    }
    lines.push((format!("{indent}{close}"), None));
}

/// Returns a value on one line, its items apart.
fn inline(value: &Value) -> String {
    match value {
        Value::Array(items) => format!("[{}]", items.iter().map(Value::to_string).collect::<Vec<_>>().join(", ")),
        value => value.to_string(),
    }
}

fn origin(value: &Value, node: Option<&Node>) -> String {
    let Some(node) = node else { return fields::DEFAULT.to_owned() };
    let from = match &node.place {
        None => "from the script".to_owned(),
        Some(place) if *place.file == *COMMAND_LINE || *place.file == *fields::DEFAULT => place.file.to_string(),
        Some(place) => format!("{}:{}", place.file, place.line_column().0),
    };
    let written = node.to_value();
    let changed = |item: &Node| item.place.as_ref().is_some_and(|place| *place.file == *COMMAND_LINE);
    if from != COMMAND_LINE && node.items().iter().any(changed) {
        return format!("{from}, items {COMMAND_LINE}");
    }
    let same = written == *value || (written.is_number() && written.as_f64() == value.as_f64());
    if same { from } else { format!("{from}, written `{written}`") }
}
