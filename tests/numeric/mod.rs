//! Losses, metrics, optimizers and schedules against tables of expected numbers, made with Keras 3.15.1.
//!
//! A table is a list of cases `{name, component, params, inputs, expected, tolerance}`; a value v matches an expected
//! e when |v - e| <= abs + rel × |e|. `BARRAGE_FIXTURES` names a folder with more tables of the same names, which
//! are checked too. Every case of every table counts: a component that is not built fails.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::print_stdout)]

mod callbacks;
mod fits;
mod images;
pub(crate) mod layers;
mod losses;
mod metrics;
mod optimizers;
mod schedules;
mod shapes;
mod texts;

use std::path::Path;

use serde_json::{Map, Value};

/// One case of a table.
pub struct Case(Value);

/// Numbers with a shape, as a table writes them; not-a-number and infinities are texts.
#[derive(Clone, Debug, PartialEq)]
pub struct Numbers {
    pub shape: Vec<usize>,
    pub dtype: String,
    pub data: Vec<f64>,
}

impl Case {
    pub fn component(&self) -> &str {
        self.0["component"].as_str().expect("a component")
    }

    pub fn params(&self) -> Map<String, Value> {
        self.0["params"].as_object().expect("params").clone()
    }

    pub fn input(&self, name: &str) -> &Value {
        &self.0["inputs"][name]
    }

    pub fn expected(&self, name: &str) -> &Value {
        &self.0["expected"][name]
    }

    /// Compares values with an expected tensor.
    pub fn compare(&self, what: &str, found: &[f64], expected: &Value) -> Result<(), String> {
        let expected = numbers(expected).data;
        if found.len() != expected.len() {
            return Err(format!("{what}: expected {} values, found {}", expected.len(), found.len()));
        }
        let tolerance = |name: &str| self.0["tolerance"][name].as_f64().expect("a tolerance");
        let (abs, rel) = (tolerance("abs"), tolerance("rel"));
        for (at, (v, e)) in found.iter().zip(&expected).enumerate() {
            let same = v == e || (v.is_nan() && e.is_nan());
            let near = (v - e).abs() <= abs + rel * e.abs();
            if !same && !near {
                return Err(format!("{what}[{at}]: expected {e}, found {v}"));
            }
        }
        Ok(())
    }
}

/// Reads a tensor of a table.
pub fn numbers(value: &Value) -> Numbers {
    let number = |item: &Value| match item {
        Value::String(text) => text.parse().expect("NaN, Infinity or -Infinity"),
        Value::Bool(truth) => f64::from(u8::from(*truth)),
        item => item.as_f64().expect("a number"),
    };
    Numbers {
        shape: value["shape"].as_array().expect("a shape").iter().map(|n| n.as_u64().unwrap() as usize).collect(),
        dtype: value["dtype"].as_str().expect("a dtype").to_owned(),
        data: value["data"].as_array().expect("data").iter().map(number).collect(),
    }
}

/// Checks every case of the table in the project and of the one in `BARRAGE_FIXTURES`, and prints their number.
pub fn check_table(file: &str, check: impl Fn(&Case) -> Result<(), String>) {
    let own = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/numeric").join(file);
    let more = std::env::var_os("BARRAGE_FIXTURES").map(|folder| Path::new(&folder).join(file));
    let mut failures = Vec::new();
    let mut count = 0;
    for path in std::iter::once(own).chain(more.filter(|path| path.exists())) {
        let text = std::fs::read_to_string(&path).expect("a readable table");
        let cases: Vec<Value> = serde_json::from_str(&text).expect("a list of cases");
        for case in cases.into_iter().map(Case) {
            count += 1;
            if let Err(failure) = check(&case) {
                failures.push(format!("{}: {failure}", case.0["name"].as_str().unwrap_or("?")));
            }
        }
    }
    println!("numeric cases: {count} ({file})");
    assert!(failures.is_empty(), "{} of {count} cases differ:\n{}", failures.len(), failures.join("\n"));
}
