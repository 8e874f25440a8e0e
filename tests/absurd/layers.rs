//! Arguments that nobody means: every layer refuses them, or works.

use std::panic::{AssertUnwindSafe, catch_unwind};

use barrage::error::Result;
use barrage::network::layers::{LIST, LayerEntry, find};
use barrage::network::{FlatWeights, Network, Pass, Plan, Symbol};
use barrage::random::{Random, Stream};
use barrage::registry::{Params, Type};
use barrage::tensor::{Array, Dtype, Graph, device};
use serde_json::json;

use super::absurd;

/// Shapes of inputs that layers are tried on, for one record.
const SHAPES: [&[usize]; 5] = [&[6], &[6, 4], &[5, 6, 4], &[2, 5, 6, 4], &[]];

/// What makes a layer where only what is needed is given.
fn needed(layer: &LayerEntry) -> Params {
    let value = |parameter: &barrage::registry::Parameter| match parameter.kind {
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
        plan.feed(at, &Array::from_f32(values, &[&[2], shape].concat())?)?;
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
    let graph = |array: &Array| array.to_graph(&device::cpu());
    let weights = network.initialise(1)?.iter().map(graph).collect::<Result<Vec<_>>>()?;
    let shape = [&[2], shape].concat();
    let values: Vec<f32> = (0..shape.iter().product()).map(|at: usize| (at as f32).sin()).collect();
    let all = inputs.iter().map(|_| Graph::from_slice(&values, &*shape, &device::cpu()));
    let all = all.collect::<std::result::Result<Vec<_>, _>>()?;
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
