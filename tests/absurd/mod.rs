//! Arguments that nobody means: every component refuses them, or works.

mod layers;

use std::panic::{AssertUnwindSafe, catch_unwind};

use barrage::error::Result;
use barrage::registry::{Entry, Params, Type};
use barrage::tensor::{Array, Graph, Tensor, device};
use barrage::{loader, loss, metric, network, optimizer, schedule, service};
use serde_json::{Value, json};

/// The values that a parameter is given, besides what a component needs.
fn absurd(kind: Type) -> Vec<Value> {
    let whole = [-1, 0, 1, 3, 40, 3_000_000_000, 1_000_000_000_000, i64::MAX, i64::MIN].map(Value::from);
    let numbers = [-1.0, 0.0, 0.5, 1.0, 1e300, -1e300, 1e-300, 1e40].map(Value::from);
    let lists = |items: &[Value]| -> Vec<Value> {
        let some = items.iter().flat_map(|item| {
            [json!([item]), json!([item, 1]), json!([item, item]), json!([1, item, 2]), json!([[item, 1]])]
        });
        some.chain([json!([]), json!([[[1]]]), json!([[items.last(), items.last()], [0, items.last()]])]).collect()
    };
    match kind {
        Type::Int => whole.to_vec(),
        Type::Float => numbers.to_vec(),
        Type::Ints => [whole.to_vec(), lists(&whole)].concat(),
        Type::Floats => lists(&numbers),
        Type::Text => ["", "x", "ä/\u{0}", "{}", "%", "*"].map(Value::from).to_vec(),
        Type::Texts => vec![json!([]), json!([""]), json!(["x", "x"]), json!(["ä/\u{0}*"])],
        Type::Map => vec![json!({}), json!({"": null}), json!({"x": {"y": [1]}})],
        _ => [whole.to_vec(), lists(&whole), numbers.to_vec(), vec![json!(null), json!({}), json!("x")]].concat(),
    }
}

/// Makes each component with each of these values and uses it; returns how many were refused and how many worked.
fn walk<T: ?Sized>(
    list: &[Entry<T>],
    needed: &dyn Fn(&str) -> Value,
    run: impl Fn(Box<T>) -> Result<()>,
) -> [usize; 2] {
    let (mut panics, mut counts) = (Vec::new(), [0, 0]);
    for entry in list {
        let base: Params = entry.parameters.iter().filter(|parameter| parameter.default.is_none()).fold(
            Params::new(),
            |mut base, parameter| {
                base.insert(parameter.name.to_owned(), needed(parameter.name));
                base
            },
        );
        let plain = entry.make(&base).and_then(&run);
        assert!(plain.is_ok(), "{} with {base:?}: {:?}", entry.name, plain.err());
        for parameter in entry.parameters {
            for value in absurd(parameter.kind) {
                let mut given = base.clone();
                given.insert(parameter.name.to_owned(), value.clone());
                match catch_unwind(AssertUnwindSafe(|| entry.make(&given).and_then(&run))) {
                    Ok(result) => counts[usize::from(result.is_ok())] += 1,
                    Err(_) => panics.push(format!("{} {}={value}", entry.name, parameter.name)),
                }
            }
        }
    }
    assert!(panics.is_empty(), "{} panics:\n{}", panics.len(), panics.join("\n"));
    counts
}

fn graph(values: &[f32], shape: &[usize]) -> Graph {
    Graph::from_slice(values, shape, &device::cpu()).unwrap()
}

#[test]
fn absurd_arguments_of_components_are_refused_or_work() {
    let one = |_: &str| json!(1);
    let mut all = vec![walk(schedule::LIST, &schedule_needs, |schedule| {
        [0, 1, 1000, u64::MAX].iter().try_for_each(|step| schedule.learning_rate(*step).map(drop))
    })];
    all.push(walk(loss::LIST, &one, |loss| {
        let (labels, predictions) = (graph(&[0.0, 1.0, 1.0, 0.0], &[2, 2]), graph(&[0.3, 0.7, 0.6, 0.4], &[2, 2]));
        let classes = Graph::from_slice(&[0i64, 1], &[2][..], &device::cpu()).unwrap();
        let written = Graph::from_slice(&[1i64, 1], &[2, 1][..], &device::cpu()).unwrap();
        let steps = graph(&[0.1; 12], &[2, 3, 2]);
        let whole = loss.value(&labels, &predictions, None).or_else(|_| loss.value(&classes, &predictions, None));
        whole.or_else(|_| loss.value(&written, &steps, None)).map(drop)
    }));
    all.push(walk(metric::LIST, &metric_needs, |mut metric| {
        let tensor = |values: &[f32], shape: &[usize]| Array::from_f32(values.to_vec(), shape).map(Tensor::Host);
        let predictions = tensor(&[0.3, 0.7, 0.6, 0.4], &[2, 2])?;
        let whole = metric.update(&tensor(&[0.0, 1.0, 1.0, 0.0], &[2, 2])?, &predictions, None);
        whole.or_else(|_| metric.update(&Tensor::Host(Array::from_i64(vec![0, 1], &[2])?), &predictions, None))?;
        metric.result().map(drop)
    }));
    all.push(walk(network::initializer::LIST, &one, |initializer| {
        let mut random = barrage::random::Random::new(1, barrage::random::Stream::Weights, &[]);
        // One of them fills kernels of frames only.
        let shape: &[usize] = if initializer.check(&[3, 3]).is_ok() { &[3, 3] } else { &[4, 1, 4] };
        initializer.check(shape)?;
        assert_eq!(initializer.values(shape, &mut random).len(), shape.iter().product::<usize>());
        Ok(())
    }));
    all.push(walk(service::LIST, &service_needs, |_| Ok(())));
    all.push(walk(loader::LIST, &|_| json!({"x": "x"}), |_| Ok(())));
    for entry in optimizer::LIST {
        for parameter in entry.parameters {
            for value in absurd(parameter.kind) {
                let given: Params = [(parameter.name.to_owned(), value.clone())].into_iter().collect();
                let made = catch_unwind(|| {
                    let optimizer = optimizer::make(entry.name, &given)?;
                    let mut values = vec![0.5, -0.5, 1.0, 2.0];
                    let parameter = optimizer::Parameter { name: "k".to_owned(), shape: vec![2, 2], range: 0..4 };
                    let mut state = optimizer.start(vec![parameter], &values)?;
                    for _ in 0..3 {
                        optimizer.apply(&mut state, 0.1, &mut values, &mut [0.1, -0.2, 0.0, 1.0])?;
                    }
                    optimizer.finish(&state, &mut values);
                    Ok::<(), barrage::Error>(())
                });
                assert!(made.is_ok(), "{} {}={value} panics", entry.name, parameter.name);
            }
        }
    }
    let [refused, worked] = all.iter().fold([0, 0], |sum, counts| [sum[0] + counts[0], sum[1] + counts[1]]);
    assert!(refused > 200 && worked > 200, "{refused} refused, {worked} worked");
}

fn schedule_needs(name: &str) -> Value {
    match name {
        "boundaries" => json!([10]),
        "values" => json!([0.1, 0.01]),
        name if name.ends_with("steps") => json!(10),
        _ => json!(0.5),
    }
}

fn service_needs(name: &str) -> Value {
    match name {
        "monitor" => json!("loss"),
        "mode" => json!("min"),
        "factor" => json!(0.5),
        _ => json!(1),
    }
}

fn metric_needs(name: &str) -> Value {
    match name {
        "num_classes" | "k" => json!(2),
        "target_class_ids" => json!([0, 1]),
        _ => json!(0.5),
    }
}
