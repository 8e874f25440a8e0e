//! No call of any function of the API with any values panics or hangs; errors are fine.

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::time::{Duration, Instant};

use barrage::random::{Random, Stream};
use barrage::script::Host;
use barrage::script::api::PAGES;
use barrage::script::manual::{Function, Group, functions};
use rhai::{Dynamic, Scope};

use super::Project;

/// Calls of each version of each function.
const ROUNDS: u64 = 24;

/// Values by type; `any` draws from all.
const VALUES: &[(&str, &[&str])] = &[
    ("int", &["0", "1", "2", "-1", "3", "7", "-9223372036854775807", "9223372036854775807"]),
    ("float", &["0.0", "0.5", "-1.5", "2.0", "1e300", "-1e-300", "0.0 / 0.0", "1.0 / 0.0"]),
    ("bool", &["true", "false"]),
    (
        "string",
        &["\"\"", "\"a\"", "\"x\"", "\"f32\"", "\"i64\"", "\"relu\"", "\"small.csv\"", "\"../x\"", "\"å\\n\\\"\""],
    ),
    ("()", &["()"]),
    (
        "array",
        &[
            "[]",
            "[0]",
            "[1]",
            "[2, 3]",
            "[-1]",
            "[0, 1]",
            "[1, 0]",
            "[2, -1]",
            "[[1, 2], [3]]",
            "[[1, 2], [3, 4]]",
            "[9223372036854775807, 9223372036854775807]",
            "[4294967296, 4294967296]",
            "[\"a\"]",
            "[\"a\", \"b\"]",
            "[()]",
            "[0.5, 1]",
            "[[0, 1]]",
            "[[0, 1], [1, 0]]",
            "[[9223372036854775807, 1]]",
            "[tensor([1, 2])]",
            "[tensor([1.0]), tensor([2.0])]",
            "[#{ a: 1 }]",
            "[#{ a: 1, b: \"x\" }, #{ a: 2.5 }]",
            "[input(\"x\", [4])]",
            "[input(\"x\", [4]), input(\"y\", [4])]",
            "[[[]], []]",
            "[|x| x]",
            "[true, 'c']",
        ],
    ),
    (
        "map",
        &[
            "#{}",
            "#{ a: 1 }",
            "#{ seed: 1 }",
            "#{ size: [2, ()], angle: 30, expand: true, p: 0.5 }",
            "#{ shape: [2, 2] }",
            "#{ by: 1 }",
            "#{ seed: -1 }",
            "#{ stratify: \"b\" }",
            "#{ overwrite: true }",
            "#{ dtype: \"i64\" }",
            "#{ name: \"y\", activation: \"softmax\" }",
            "#{ units: 3 }",
            "#{ padding: \"same\", strides: 2 }",
            "#{ activation: \"nosuch\" }",
            "#{ axis: 9223372036854775807 }",
            "#{ like: records([#{ a: 1 }]) }",
            "#{ name: 5 }",
            "#{ dataset: #{}, model: #{}, solver: #{} }",
        ],
    ),
    (
        "Tensor",
        &[
            "tensor(1)",
            "tensor(2.5)",
            "tensor([])",
            "tensor([1, 2, 3])",
            "tensor([1.5, -2.0])",
            "tensor([[1, 2], [3, 4]])",
            "tensor([[1.0, 2.0, 3.0]])",
            "zeros([2, 0])",
            "zeros([0, 3], \"i64\")",
            "ones([2, 3, 4])",
            "tensor([0, 255]).to_u8()",
            "tensor([9223372036854775807, -9223372036854775807])",
            "tensor([1e30, -1e30])",
            "tensor([0.0 / 0.0, 1.0 / 0.0])",
            "tensor([1.5]).to_f64()",
            "ones([1, 1, 1])",
            "tensor([[0], [1]])",
            "graph([1.0, 2.0, 3.0])",
            "graph([[1, 2], [3, 4]])",
            "graph([[1.0, 2.0], [3.0, 4.0]])",
            "graph(3.0)",
        ],
    ),
    (
        "Records",
        &[
            "records([])",
            "records([#{ a: 1, b: \"x\" }, #{ a: 2, b: \"y\" }, #{ a: 3, b: \"x\" }])",
            "records([#{ a: 1.5 }])",
            "records([#{ a: [1, 2] }, #{ a: [1] }])",
            "records([#{ a: tensor([1.0]) }, #{ a: () }])",
            "records([#{}])",
        ],
    ),
    ("Record", &["records([#{ a: 1, b: \"x\", c: [1, 2], d: () }])[0]", "records([#{ a: 1.5 }, #{ b: true }])[1]"]),
    ("Rng", &["rng(1)"]),
    ("Index", &["index(3)", "index([\"a\", \"b\"])", "index([2, 0])", "files_index(\"batches/*.rhai\")"]),
    (
        "Dataset",
        &[
            "dataset(4)",
            "dataset(3, #{ preloaded: #{ x: [1.5, 2.5, 3.5] } }).split([0.4, 0.3])",
            "dataset([\"a\", \"b\"], #{ preloaded: [1, 2] })",
            "dataset(3, #{ batch: \"batches/pictures\", attrs: #{ a: 1 } }).cv_split(2)",
        ],
    ),
    (
        "Batch",
        &[
            "batch_of(#{ x: [1.5, 2.5], y: [0, 1] })",
            "batch_of(#{ images: ones([2, 4, 5, 3]).to_u8() })",
            "batch_of(#{ images: zeros([2, 1, 2]) })",
            "batch_of(#{ images: zeros([2, 3, 3]), name: [\"a\", \"b\"] }, #{ ids: [\"a\", \"b\"] })",
            "dataset(3, #{ preloaded: [5, 6, 7] }).batch([2, 1])",
            "dataset(3, #{ batch: \"batches/pictures\" }).batch([2])",
        ],
    ),
    (
        "Component",
        &["batch_of(#{ x: [1.5, 2.5] }).x", "batch_of(#{ x: [\"a\", \"b\"] }).x", "batch_of(#{ x: ones([2, 2]) }).x"],
    ),
    ("Item", &["batch_of(#{ x: [1.5, 2.5] }).at(1)"]),
    ("Collection", &["collection(index(2))"]),
    ("Batches", &["dataset(2).gen_batch(1)"]),
    (
        "Layer",
        &[
            "input(\"x\", [4])",
            "input(\"x\", [])",
            "input(\"x\", [8, 8, 3])",
            "input(\"x\", [6, 2])",
            "input(\"x\", [()])",
            "input(\"x\", [5], #{ dtype: \"i64\" })",
            "input(\"x\", [9223372036854775807])",
            "input(\"x\", [4]).dense(2)",
        ],
    ),
    (
        "Network",
        &[
            "network(input(\"x\", [4]), input(\"x\", [4]).dense(2))",
            "{ let x = input(\"x\", [4]); network(x, x.dense(2)) }",
        ],
    ),
    ("Trainer", &["trainer(\"run\")", "trainer(\"run\", #{ overwrite: true })"]),
    ("function", &["|x| x", "|x| x.a", "|| 1", "|x| x.a > 1", "|x| #{ a: 1 }", "|x| throw \"no\""]),
    ("range", &["0..1", "1..=2", "-2..-1", "5..2", "-9223372036854775807..=9223372036854775807"]),
];

fn of_type(kind: &str) -> Vec<&'static str> {
    let kinds: &[&str] = match kind {
        "number" => &["int", "float"],
        "Tensor or number" => &["Tensor", "int", "float"],
        "Tensor, array or number" => &["Tensor", "array", "int", "float"],
        "int or array" => &["int", "array"],
        "string or map" => &["string", "map"],
        "Index, int or array" => &["Index", "int", "array"],
        "string or array" => &["string", "array"],
        "number or array" => &["int", "float", "array"],
        "function or string" => &["function", "string"],
        "Layer or array" => &["Layer", "array"],
        other => {
            return VALUES.iter().filter(|(name, _)| *name == other).flat_map(|(_, values)| *values).copied().collect();
        }
    };
    kinds.iter().flat_map(|kind| of_type(kind)).collect()
}

#[test]
fn no_call_of_the_api_panics() {
    let project = Project::new();
    let host: Host = project
        .host()
        .extend(|engine| {
            engine.register_fn("graph", |values: Dynamic| {
                let tensor = barrage::script::cast::to_tensor(&values).unwrap();
                barrage::tensor::Tensor::Graph(tensor.to_graph(&barrage::tensor::device::cpu()).unwrap())
            });
        })
        .build()
        .unwrap();
    let any: Vec<&str> = VALUES.iter().flat_map(|(_, values)| *values).copied().collect();
    let made: Vec<(&str, Dynamic)> = any.iter().filter_map(|code| Some((*code, host.eval(code).ok()?))).collect();
    let refused: Vec<&&str> = any.iter().filter(|code| !made.iter().any(|(known, _)| known == *code)).collect();
    assert!(refused.len() <= 3, "values that cannot be made: {refused:?}");
    let mut random = Random::new(8, Stream::Script, &[]);
    let (mut calls, mut answers, mut wrong) = (0, 0, Vec::new());
    for page in PAGES {
        for function in functions(page) {
            for version in &function.versions {
                let needed = version.parameters.len();
                for round in 0..ROUNDS {
                    // Most values have the type that is wanted; some calls have other numbers of them.
                    let count = if round % 16 == 15 { random.below(5) as usize } else { needed };
                    let chosen: Vec<&(&str, Dynamic)> = (0..count)
                        .map(|at| {
                            let fitting = version.parameters.get(at).map(|(_, kind)| of_type(kind)).unwrap_or_default();
                            let fitting: Vec<&(&str, Dynamic)> =
                                made.iter().filter(|(code, _)| fitting.contains(code)).collect();
                            match fitting.is_empty() || random.below(5) == 0 {
                                true => &made[random.below(made.len() as u64) as usize],
                                false => fitting[random.below(fitting.len() as u64) as usize],
                            }
                        })
                        .collect();
                    let code = call(&function, count);
                    let shown = || format!("{code} with {:?}", chosen.iter().map(|(code, _)| code).collect::<Vec<_>>());
                    let mut scope = Scope::new();
                    for (at, (_, value)) in chosen.iter().enumerate() {
                        // Constants, so that a function that would change one is found.
                        scope.push_constant_dynamic(format!("v{at}"), value.clone());
                    }
                    calls += 1;
                    let start = Instant::now();
                    let result = catch_unwind(AssertUnwindSafe(|| {
                        let value = host.engine().eval_with_scope::<Dynamic>(&mut scope, &code)?;
                        let mut scope = Scope::new();
                        scope.push_dynamic("value", value);
                        host.engine().eval_with_scope::<String>(&mut scope, "value.to_string()")
                    }));
                    match result {
                        Err(_) => wrong.push(format!("panics: {}", shown())),
                        Ok(Ok(_)) => answers += 1,
                        Ok(Err(error)) => {
                            let own = count == needed
                                && chosen
                                    .first()
                                    .is_some_and(|(code, _)| of_type(&version.parameters[0].1).contains(code));
                            if own && matches!(*error, rhai::EvalAltResult::ErrorNonPureMethodCallOnConstant(..)) {
                                wrong.push(format!("wants to change its value: {}", shown()));
                            }
                            let text = barrage::script::traceback::explain(&host, *error, "call").to_string();
                            let rust = [
                                "::",
                                "Dynamic",
                                "rhai",
                                "i64>",
                                "Box<",
                                "&mut",
                                "TypeId",
                                "Symbol",
                                "Handle",
                                "Immutable",
                            ];
                            if rust.iter().any(|word| text.contains(word)) {
                                wrong.push(format!("shows Rust: {text}: {}", shown()));
                            }
                        }
                    }
                    if start.elapsed() > Duration::from_secs(2) {
                        wrong.push(format!("took {:?}: {}", start.elapsed(), shown()));
                    }
                }
            }
        }
    }
    wrong.sort();
    wrong.dedup();
    assert!(wrong.is_empty(), "{} of {calls} calls\n{}", wrong.len(), wrong.join("\n"));
    println!("random calls: {calls}, {answers} of them gave a value");
    // Otherwise nothing was tested. (Functions that need certain options refuse most of what is drawn.)
    assert!(answers * 5 > calls, "only {answers} of {calls} calls gave a value");
}

fn call(function: &Function, count: usize) -> String {
    let values: Vec<String> = (0..count).map(|at| format!("v{at}")).collect();
    match (function.group, values.as_slice()) {
        (Group::Property, [value]) => format!("{value}.{}", function.name),
        (Group::Property, [value, index]) => format!("{value}[{index}]"),
        (Group::Operator, [value]) => format!("{}{value}", function.name),
        (Group::Operator, [left, right]) => format!("{left} {} {right}", function.name),
        (Group::Operator | Group::Property, _) => "()".to_owned(),
        (Group::Method, [receiver, rest @ ..]) => format!("{receiver}.{}({})", function.name, rest.join(", ")),
        (_, all) => format!("{}({})", function.name, all.join(", ")),
    }
}
