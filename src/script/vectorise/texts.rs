//! Texts by columns: comparisons, and the functions that encoders of text use.

use std::sync::Arc;

use super::halt::Outcome;
use super::program::Operator;
use super::value::Value;

/// Compares texts; `None` when one side is something else.
pub(super) fn compare(operator: Operator, left: &Value, right: &Value) -> Option<Value> {
    let holds: fn(&str, &str) -> bool = match operator {
        Operator::Equal => |a, b| a == b,
        Operator::NotEqual => |a, b| a != b,
        Operator::Less => |a, b| a < b,
        Operator::LessEqual => |a, b| a <= b,
        Operator::Greater => |a, b| a > b,
        Operator::GreaterEqual => |a, b| a >= b,
        _ => return None,
    };
    let answers = match (left, right) {
        (Value::Texts(a), Value::Texts(b)) => a.iter().zip(b.iter()).map(|(a, b)| holds(a, b)).collect(),
        (Value::Texts(a), other) => {
            let other = other.same_text()?;
            a.iter().map(|text| holds(text, &other)).collect()
        }
        (other, Value::Texts(b)) => {
            let other = other.same_text()?;
            b.iter().map(|text| holds(&other, text)).collect()
        }
        _ => return None,
    };
    Some(Value::bools(answers))
}

/// Functions of a column of texts.
pub(super) fn call(name: &str, arguments: &mut [Value]) -> Outcome<Option<Value>> {
    let changed = |arguments: &mut [Value], texts: Vec<Arc<str>>| {
        arguments[0] = Value::texts(texts);
        Some(Value::UNIT)
    };
    let (Some(Value::Texts(texts)), rest) = (arguments.first().cloned(), arguments.get(1..).unwrap_or(&[])) else {
        return Ok(None);
    };
    let same: Vec<_> = rest.iter().map(Value::same_text).collect();
    let answers = |f: &dyn Fn(&str) -> bool| Some(Value::bools(texts.iter().map(|text| f(text)).collect()));
    Ok(match (name, same.as_slice()) {
        ("len", []) => Some(Value::ints(texts.iter().map(|text| text.chars().count() as i64).collect())),
        ("is_empty", []) => answers(&|text| text.is_empty()),
        ("contains", [Some(part)]) => answers(&|text| text.contains(part.as_str())),
        ("starts_with", [Some(part)]) => answers(&|text| text.starts_with(part.as_str())),
        ("ends_with", [Some(part)]) => answers(&|text| text.ends_with(part.as_str())),
        ("to_lower", []) => Some(Value::texts(mapped(&texts, |text| text.to_lowercase()))),
        ("to_upper", []) => Some(Value::texts(mapped(&texts, |text| text.to_uppercase()))),
        ("replace", [Some(from), Some(to)]) => {
            let replace = |text: &Arc<str>| match text.contains(from.as_str()) {
                true => text.replace(from.as_str(), to).into(),
                false => text.clone(),
            };
            changed(arguments, texts.iter().map(replace).collect())
        }
        ("trim", []) => {
            let trim = |text: &Arc<str>| match text.trim() {
                trimmed if trimmed.len() == text.len() => text.clone(),
                trimmed => trimmed.into(),
            };
            changed(arguments, texts.iter().map(trim).collect())
        }
        _ => None,
    })
}

fn mapped(texts: &[Arc<str>], f: impl Fn(&str) -> String) -> Vec<Arc<str>> {
    texts.iter().map(|text| f(text).into()).collect()
}
