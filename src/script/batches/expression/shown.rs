//! How expressions print: as they are written.

use std::fmt;

use rhai::Dynamic;

use super::{Expr, Kind, Node};
use crate::script::batches::flow::Mode;

impl fmt::Display for Expr {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let name = |letter: &str, name: &Option<String>| match name {
            Some(name) => format!("{letter}({name:?})"),
            None => format!("{letter}()"),
        };
        match &*self.0 {
            Node::Constant(value) => write!(f, "{value}"),
            Node::Batch(component) => f.write_str(&name("B", component)),
            Node::Items(component) => write!(f, "L({component:?})"),
            Node::Variable(variable, Mode::Write) => write!(f, "V({variable:?})"),
            Node::Variable(variable, mode) => {
                let mode = match mode {
                    Mode::Write => "w",
                    Mode::Append => "a",
                    Mode::Extend => "e",
                    Mode::Update => "u",
                };
                write!(f, "V({variable:?}, {mode:?})")
            }
            Node::Config(path, None) => write!(f, "C({path:?})"),
            Node::Config(path, Some(otherwise)) => write!(f, "C({path:?}, {otherwise})"),
            Node::Dataset(attribute) => f.write_str(&name("D", attribute)),
            Node::Model(model) => write!(f, "M({model:?})"),
            Node::Iteration(what) => write!(f, "I({what:?})"),
            Node::Random(draw) => match &draw.kind {
                Kind::Uniform(low, high) => write!(f, "R(\"uniform\", {low:?}, {high:?})"),
                Kind::Normal(mean, deviation) => write!(f, "R(\"normal\", {mean:?}, {deviation:?})"),
                Kind::Integers(low, high) => write!(f, "R(\"integers\", {low}, {high})"),
                Kind::Choice(values, _) => write!(f, "R({})", Dynamic::from(values.clone())),
            },
            Node::PerItem(value) => write!(f, "P({})", Shown(value)),
            Node::EachItem(value) => write!(f, "PP({})", Shown(value)),
            Node::Call(function, _) if function.function().is_anonymous() => f.write_str("F(closure)"),
            Node::Call(function, _) => write!(f, "F({})", function.function().fn_name()),
            Node::Whole(inner) => write!(f, "W({inner})"),
            Node::If(condition, yes, no) => write!(f, "IF({}, {}, {})", Shown(condition), Shown(yes), Shown(no)),
            Node::Native(name, values) => match values.as_slice() {
                [left, right] if !name.starts_with(char::is_alphabetic) && !name.contains('$') => {
                    write!(f, "({} {name} {})", Shown(left), Shown(right))
                }
                values => {
                    let name = if name == "index$get$" { "idx" } else { name };
                    let shown: Vec<String> = values.iter().skip(1).map(|value| Shown(value).to_string()).collect();
                    write!(
                        f,
                        "{}.{name}({})",
                        values.first().map_or(String::new(), |value| Shown(value).to_string()),
                        shown.join(", ")
                    )
                }
            },
            Node::Field(value, name) => write!(f, "{}.{name}", Shown(value)),
        }
    }
}

struct Shown<'a>(&'a Dynamic);

impl fmt::Display for Shown<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.0.read_lock::<Expr>() {
            Some(expression) => expression.fmt(f),
            None if self.0.is_string() => write!(f, "{:?}", self.0.to_string()),
            None => self.0.fmt(f),
        }
    }
}
