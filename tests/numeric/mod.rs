//! Losses, metrics, optimizers, schedules, layers, whole fits, callbacks, pictures and texts against tables of expected
//! numbers, made with Keras 3.15.1.
//!
//! A table is a list of cases `{name, component, params, inputs, expected, tolerance}`; a value v matches an expected
//! e when |v - e| <= abs + rel × |e|. `BARRAGE_FIXTURES` names a folder with more tables of the same names, which
//! are checked too. Every case of every table counts: a component that is not built fails, and so does a table that
//! nobody knows. `cargo test --release --test main every_table_holds -- --nocapture` shows their number.

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

use std::path::{Path, PathBuf};

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
    pub fn value(&self) -> &Value {
        &self.0
    }

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

/// Checks one case.
type Check = fn(&Case) -> Result<(), String>;

/// Every table, and how a case of it is checked. A table that Keras's makers do not have, such as `sequences.json`, has the
/// form of its family.
const TABLES: [(&str, Check); 12] = [
    ("losses.json", losses::check),
    ("bounds.json", losses::check),
    ("metrics.json", metrics::check),
    ("optimizers.json", optimizers::check),
    ("schedules.json", schedules::check),
    ("layers.json", layers::check),
    ("sequences.json", layers::check),
    ("further.json", layers::check),
    ("fits.json", fits::check),
    ("callbacks.json", callbacks::check),
    ("image_ops.json", images::check),
    ("text_ops.json", texts::check),
];

/// All tables of the project and of `BARRAGE_FIXTURES`, kernels on and off where there are both. Its last line is
/// `numeric cases: N`: how many were checked, in both folders together.
#[test]
fn every_table_holds() {
    let own = PathBuf::from(concat!(env!("CARGO_MANIFEST_DIR"), "/tests/numeric"));
    let more = std::env::var_os("BARRAGE_FIXTURES").map(PathBuf::from);
    let (mut count, mut failures) = (0, Vec::new());
    for folder in std::iter::once(own).chain(more) {
        let files = tables(&folder);
        assert!(!files.is_empty(), "no table in {}", folder.display());
        let of_all = std::thread::scope(|scope| {
            let running: Vec<_> = files.iter().map(|file| scope.spawn(move || check_table(file))).collect();
            running.into_iter().map(|table| table.join().expect("a table that can be read")).collect::<Vec<_>>()
        });
        for (file, (cases, wrong)) in files.iter().zip(of_all) {
            println!("{}: {cases} cases", file.display());
            count += cases;
            failures.extend(wrong);
        }
    }
    assert!(failures.is_empty(), "{} of {count} cases differ:\n{}", failures.len(), failures.join("\n"));
    // Tables get longer, not shorter.
    assert!(count >= LEAST, "{count} cases, there were {LEAST}");
    assert!(losses::fused() >= 20, "only {} cases of losses ran fused", losses::fused());
    println!("numeric cases: {count}");
}

/// How many cases the project's own tables have at least.
const LEAST: usize = 689;

/// The tables in a folder, each known by its name.
fn tables(folder: &Path) -> Vec<PathBuf> {
    let entries = std::fs::read_dir(folder).unwrap_or_else(|error| panic!("{}: {error}", folder.display()));
    let mut files: Vec<PathBuf> = entries.map(|entry| entry.unwrap().path()).collect();
    files.retain(|file| file.extension().is_some_and(|ending| ending == "json"));
    files.sort();
    files
}

/// Returns how many cases a table has, and what is wrong with some.
fn check_table(file: &Path) -> (usize, Vec<String>) {
    let name = file.file_name().unwrap().to_string_lossy();
    let Some((_, check)) = TABLES.iter().find(|(known, _)| *known == name) else {
        return (0, vec![format!("{name}: no such table is known")]);
    };
    let text = std::fs::read_to_string(file).expect("a readable table");
    let cases: Vec<Value> = serde_json::from_str(&text).expect("a list of cases");
    let wrong = |case: Value| {
        let name = case["name"].as_str().unwrap_or("?").to_owned();
        // A case of another form is told by its name, and hides no other.
        let checked = std::panic::catch_unwind(|| check(&Case(case)));
        let result = checked.unwrap_or_else(|_| Err("the case could not be read: see the panic above".to_owned()));
        result.err().map(|error| format!("{name}: {error}"))
    };
    (cases.len(), cases.into_iter().filter_map(wrong).collect())
}

/// A table writes a nested component as `component` and `params`, recipes as an import block.
pub fn imports(value: &mut Value) {
    match value {
        Value::Object(map) => {
            map.values_mut().for_each(imports);
            if let Some(name) = map.remove("component") {
                map.insert("import".to_owned(), name);
            }
        }
        Value::Array(items) => items.iter_mut().for_each(imports),
        _ => {}
    }
}

/// The learning rate that Keras's optimizer has where none is given.
pub fn default_rate(optimizer: &str) -> f64 {
    match optimizer {
        "SGD" => 0.01,
        "ScheduleFreeAdamW" => 0.0025,
        _ => 0.001,
    }
}
