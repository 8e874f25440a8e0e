//! Arguments that nobody means: every layer refuses them, or works.

use std::panic::{AssertUnwindSafe, catch_unwind};

use super::*;
use crate::network::{FlatWeights, Plan};
use crate::registry::Type;

/// Shapes of inputs that layers are tried on, for one record.
const SHAPES: [&[usize]; 5] = [&[6], &[6, 4], &[5, 6, 4], &[2, 5, 6, 4], &[]];

/// The values that a parameter is given, besides what layers need.
fn absurd(kind: Type) -> Vec<Value> {
    let whole = [-1, 0, 1, 3, 40, 3_000_000_000, 1_000_000_000_000, i64::MAX, i64::MIN];
    match kind {
        Type::Int => whole.iter().map(|number| json!(number)).collect(),
        Type::Float => [-1.0, 0.0, 1.0, 1e300, -1e300, 1e-300, 1e40].iter().map(|number| json!(number)).collect(),
        Type::Ints => {
            let lists = whole.iter().flat_map(|number| {
                [json!(number), json!([number]), json!([number, 1]), json!([number, number]), json!([1, number, 2])]
            });
            lists.chain([json!([]), json!([[1, 2], [3, 4]]), json!([[i64::MAX, i64::MAX], [0, i64::MAX]])]).collect()
        }
        Type::Any => {
            let lists = whole.iter().flat_map(|number| [json!(number), json!([number, 2]), json!([[number, 1]])]);
            lists.chain([json!(null), json!("x"), json!({}), json!([[[1]]])]).collect()
        }
        _ => Vec::new(),
    }
}

/// What makes a layer where only what is needed is given.
fn needed(layer: &LayerEntry) -> Params {
    let value = |parameter: &crate::registry::Parameter| match parameter.kind {
        Type::Int => json!(2),
        Type::Float => json!(0.5),
        Type::Ints if layer.entry.name.contains("2D") => json!([2, 2]),
        Type::Ints => json!([2]),
        Type::Component => json!({"class_name": "Dense", "config": {"units": 2}}),
        Type::Text => json!("ab,bc->ac"),
        _ => json!(2),
    };
    let all = layer.entry.parameters.iter().filter(|parameter| parameter.default.is_none());
    all.map(|parameter| (parameter.name.to_owned(), value(parameter))).collect()
}

/// Makes a layer, applies it to an input, and trains it for a step on a CPU.
fn run(name: &str, given: &Params, shape: &[usize], inputs: usize) -> Result<()> {
    let input = || {
        let shape: Vec<Option<usize>> = shape.iter().map(|length| Some(*length)).collect();
        Symbol::input(None, &shape, Dtype::F32)
    };
    let inputs = (0..inputs).map(|_| input()).collect::<Result<Vec<_>>>()?;
    let output = find(name)?.make(given)?.apply(&inputs)?;
    let network = Network::new(&inputs, &[output])?;
    let mut weights = FlatWeights::new(&network, &network.initialise(1)?)?;
    let shapes: Vec<Vec<usize>> = inputs.iter().map(|_| shape.to_vec()).collect();
    let mut plan = Plan::new(&network, &shapes, &device::cpu())?;
    plan.begin(2)?;
    for at in 0..inputs.len() {
        let values = (0..2 * shape.iter().product::<usize>()).map(|at| at as f32 * 0.1).collect();
        plan.feed(at, &crate::tensor::Array::from_f32(values, &[&[2], shape].concat())?)?;
    }
    plan.train_forward(&mut weights, &Random::new(1, Stream::Dropout, &[]))?;
    plan.loss(0, |values, _, place| {
        if let Some(place) = place {
            place.put(&vec![1.0; values.len()]);
        }
        Some(())
    });
    plan.backward(&mut weights)?;
    // The same composed of operations.
    let graph = |array: &crate::tensor::Array| array.to_graph(&device::cpu());
    let weights = network.initialise(1)?.iter().map(graph).collect::<Result<Vec<_>>>()?;
    let all: Vec<Graph> = inputs
        .iter()
        .map(|_| random(&[&[2], shape].concat(), 1).to_dtype(candle_core::DType::F32))
        .collect::<std::result::Result<_, _>>()?;
    network.forward(&weights, &all, &mut Pass::new(true, Random::new(1, Stream::Dropout, &[])))?;
    Ok(())
}

#[test]
fn absurd_arguments_are_refused_or_work() {
    let mut panics = Vec::new();
    let (mut refused, mut worked) = (0, 0);
    for layer in LIST {
        let base = needed(layer);
        for parameter in layer.entry.parameters {
            for value in absurd(parameter.kind) {
                let mut given = base.clone();
                given.insert(parameter.name.to_owned(), value.clone());
                for shape in SHAPES {
                    let inputs = if layer.merges { 2 } else { 1 };
                    match catch_unwind(AssertUnwindSafe(|| run(layer.entry.name, &given, shape, inputs))) {
                        Ok(Ok(())) => worked += 1,
                        Ok(Err(_)) => refused += 1,
                        Err(_) => panics.push(format!("{} {}={value} on {shape:?}", layer.entry.name, parameter.name)),
                    }
                }
            }
        }
    }
    assert!(panics.is_empty(), "{} panics:\n{}", panics.len(), panics.join("\n"));
    assert!(refused > 1000 && worked > 1000, "{refused} refused, {worked} worked");
}
