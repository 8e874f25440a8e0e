//! Plans against composed networks: outputs, gradients, moving statistics.

use std::sync::Arc;

use candle_core::Var;
use serde_json::json;

use super::*;
use crate::network::{Layer, LayerInstance, Pass, Shape, Symbol, Weight, layers};
use crate::random::Stream;
use crate::tensor::Dtype;
use crate::tensor::{Graph, device::cpu};

fn layer(name: &str, params: serde_json::Value) -> Arc<LayerInstance> {
    layers::find(name).unwrap().make(params.as_object().unwrap()).unwrap()
}

fn input(shape: &[Option<usize>], dtype: Dtype) -> Symbol {
    Symbol::input(None, shape, dtype).unwrap()
}

/// A layer without a kernel, with a weight: x² · w.
#[derive(Debug)]
struct Squares;

impl Layer for Squares {
    fn kind(&self) -> &'static str {
        "Squares"
    }
    fn output_shape(&self, inputs: &[Shape]) -> Result<Shape> {
        Ok(inputs[0].clone())
    }
    fn weights(&self, inputs: &[Shape]) -> Result<Vec<Weight>> {
        let initializer = crate::network::initializer::from_value(&json!("glorot_uniform"))?;
        Ok(vec![Weight {
            name: "w".into(),
            shape: vec![inputs[0][0].unwrap()],
            initializer,
            trainable: true,
            regularizer: None,
            constraint: None,
        }])
    }
    fn compose(&self, inputs: &[Graph], weights: &[Graph], _: &mut Pass) -> Result<Graph> {
        Ok(inputs[0].sqr()?.broadcast_mul(&weights[0])?)
    }
}

/// Everything at once: integers, an image that is flattened, a value with several readers, a shared layer, shared moving
/// statistics, a frozen layer, dropout, a layer without a kernel, an output that is read again.
fn network() -> Network {
    let image = input(&[Some(2), Some(3)], Dtype::F32);
    let counts = input(&[Some(6)], Dtype::I64);
    let flat = layer("Flatten", json!({})).apply(std::slice::from_ref(&image)).unwrap();
    let shared = layer("Dense", json!({"units": 6, "activation": "tanh"}));
    let norm = layer("BatchNormalization", json!({}));
    let a = shared.apply(std::slice::from_ref(&flat)).unwrap();
    let b = shared.apply(std::slice::from_ref(&counts)).unwrap();
    let a = norm.apply(&[a]).unwrap();
    let b = norm.apply(&[b]).unwrap();
    let sum = layer("Add", json!({})).apply(&[a.clone(), b.clone()]).unwrap();
    let squares = Symbol::apply(Arc::new(Squares), None, std::slice::from_ref(&sum)).unwrap();
    let product = layer("Multiply", json!({})).apply(&[squares, a.clone()]).unwrap();
    let dropped = layer("Dropout", json!({"rate": 0.4})).apply(std::slice::from_ref(&product)).unwrap();
    let frozen = layer("Dense", json!({"units": 4, "trainable": false})).apply(&[dropped]).unwrap();
    let grid = layer("Reshape", json!({"target_shape": [2, 3]})).apply(&[sum]).unwrap();
    let rows = layer("Dense", json!({"units": 2, "activation": "softmax"})).apply(&[grid]).unwrap();
    let joined = layer("Concatenate", json!({})).apply(&[frozen.clone(), b, flat, residual(&image)]).unwrap();
    let last = layer("Dense", json!({"units": 3, "use_bias": false})).apply(&[joined]).unwrap();
    Network::new(&[image, counts], &[last, rows, frozen]).unwrap()
}

/// Convolutions with activations that are done on the way, one that is not since its input has another reader, and a
/// penalty on values.
fn residual(image: &Symbol) -> Symbol {
    let then = |name: &str, params: serde_json::Value, from: &[Symbol]| layer(name, params).apply(from).unwrap();
    let penalty = json!({"import": "L1L2", "params": {"l1": 0.5, "l2": 0.25}});
    let picture = then("Reshape", json!({"target_shape": [2, 3, 1]}), std::slice::from_ref(image));
    let stem = then("Conv2D", json!({"filters": 4, "kernel_size": 2, "padding": "same"}), &[picture]);
    let bent = then("Activation", json!({"activation": "gelu"}), &[stem]);
    let norm = then("BatchNormalization", json!({}), &[bent]);
    let above = then("ReLU", json!({}), &[norm]);
    let conv = json!({"filters": 4, "kernel_size": 2, "padding": "same", "activity_regularizer": penalty});
    let inner = then("Conv2D", conv, std::slice::from_ref(&above));
    let twice = then("BatchNormalization", json!({"scale": false}), &[inner]);
    let again = then("ReLU", json!({}), std::slice::from_ref(&twice));
    let sum = then("Add", json!({}), &[above, twice, again]);
    then("GlobalAveragePooling2D", json!({}), &[then("ReLU", json!({}), &[sum])])
}

fn numbers(count: usize, seed: u64) -> Vec<f32> {
    let mut random = Random::new(seed, Stream::Script, &[]);
    (0..count).map(|_| random.uniform() as f32 * 2.0 - 1.0).collect()
}

struct Found {
    outputs: Vec<Vec<f32>>,
    gradients: Vec<Vec<f32>>,
    weights: Vec<Vec<f32>>,
}

fn batch(rows: usize) -> [Array; 2] {
    let image = Array::from_f32(numbers(rows * 6, 1), &[rows, 2, 3]).unwrap();
    let counts = numbers(rows * 6, 2).iter().map(|value| (value * 5.0) as i64).collect();
    [image, Array::from_i64(counts, &[rows, 6]).unwrap()]
}

fn random() -> Random {
    Random::new(5, Stream::Dropout, &[0])
}

fn composed(network: &Network, weights: &[Array], rows: usize, training: bool) -> Found {
    let graph = |array: &Array| array.to_graph(&cpu()).unwrap();
    let flat = |graph: &Graph| Array::from_graph(graph).unwrap().as_f32().into_owned();
    let tracked: Vec<Graph> =
        weights.iter().map(|weight| Var::from_tensor(&graph(weight)).unwrap().as_tensor().clone()).collect();
    let inputs: Vec<Graph> = batch(rows).iter().map(graph).collect();
    let mut pass = Pass::new(training, random());
    let outputs = network.forward(&tracked, &inputs, &mut pass).unwrap();
    let mut total = Graph::zeros((), candle_core::DType::F32, &cpu()).unwrap();
    for (at, output) in outputs.iter().enumerate() {
        let upstream = Graph::from_vec(numbers(output.elem_count(), 10 + at as u64), output.dims(), &cpu()).unwrap();
        total = (total + (output * upstream).unwrap().sum_all().unwrap()).unwrap();
    }
    for penalty in &pass.penalties {
        total = (total + penalty).unwrap();
    }
    let gradients = total.backward().unwrap();
    let mut after: Vec<Vec<f32>> = weights.iter().map(|weight| weight.as_f32().into_owned()).collect();
    for (at, value) in &pass.updates {
        after[*at] = flat(value);
    }
    let gradient = |(at, weight): (usize, &Graph)| match network.weights()[at].trainable {
        true => gradients.get(weight).map(flat).unwrap_or_default(),
        false => Vec::new(),
    };
    Found {
        outputs: outputs.iter().map(flat).collect(),
        gradients: tracked.iter().enumerate().map(gradient).collect(),
        weights: after,
    }
}

fn planned(plan: &mut Plan, weights: &mut FlatWeights, rows: usize, training: bool) -> Found {
    plan.begin(rows).unwrap();
    for (at, array) in batch(rows).iter().enumerate() {
        plan.feed(at, array).unwrap();
    }
    match training {
        true => plan.train_forward(weights, &random()).unwrap(),
        false => plan.forward(weights, &random()).unwrap(),
    }
    let outputs: Vec<Vec<f32>> = (0..3).map(|at| plan.output(at).to_vec()).collect();
    let mut gradients = Vec::new();
    if training {
        for (at, output) in outputs.iter().enumerate() {
            plan.loss(at, |_, _, place| {
                let _: () = place.unwrap().put(&numbers(output.len(), 10 + at as u64));
                Some(())
            });
        }
        plan.backward(weights).unwrap();
        assert_eq!(weights.unreached().count(), 0);
        let (ranges, trainable) = (weights.ranges().to_vec(), weights.trainable().to_vec());
        let (_, all) = weights.trained();
        let own =
            ranges.iter().zip(trainable).map(|(range, own)| if own { all[range.clone()].to_vec() } else { vec![] });
        gradients = own.collect();
    }
    let weights = (0..weights.ranges().len()).map(|at| weights.get(at).to_vec()).collect();
    Found { outputs, gradients, weights }
}

fn close(what: &str, expected: &[Vec<f32>], found: &[Vec<f32>]) {
    assert_eq!(expected.len(), found.len(), "{what}");
    for (at, (expected, found)) in expected.iter().zip(found).enumerate() {
        assert_eq!(expected.len(), found.len(), "{what} {at}");
        let largest = expected.iter().fold(1.0f32, |largest, value| largest.max(value.abs()));
        let worst = expected.iter().zip(found).map(|(a, b)| (a - b).abs()).fold(0.0, f32::max);
        assert!(worst <= 1e-5 * largest, "{what} {at}: {expected:?}\n{found:?}");
    }
}

#[test]
fn a_batch_that_no_memory_holds_is_refused() {
    let x = Symbol::input("x", &[Some(1000)], Dtype::F32).unwrap();
    let params = json!({"units": 5000, "name": "wide"});
    let wide = layers::find("Dense")
        .unwrap()
        .make(params.as_object().unwrap())
        .unwrap()
        .apply(std::slice::from_ref(&x))
        .unwrap();
    let network = Network::new(&[x], &[wide]).unwrap();
    let mut plan = Plan::new(&network, &[vec![1000]], &cpu()).unwrap();
    plan.begin(3).unwrap();
    let error = plan.begin(1_000_000_000).unwrap_err();
    let text = error.to_string();
    assert!(
        text.starts_with("the values of all layers take, for a batch of 1000000000 records, 24000.0 GB; "),
        "{text}"
    );
    assert!(error.hints().iter().any(|hint| hint.contains("`wide`, 5000 numbers for each record")), "{error:?}");
    // The plan is as it was.
    plan.begin(3).unwrap();
}

#[test]
fn plans_compute_what_composition_does_for_any_number_of_records() {
    let network = network();
    let initial = network.initialise(3).unwrap();
    let shapes = [vec![2, 3], vec![6]];
    let mut plan = Plan::new(&network, &shapes, &cpu()).unwrap();
    for rows in [5, 8, 3, 8] {
        for training in [true, false] {
            let mut weights = FlatWeights::new(&network, &initial).unwrap();
            let expected = composed(&network, &initial, rows, training);
            let found = planned(&mut plan, &mut weights, rows, training);
            close("outputs", &expected.outputs, &found.outputs);
            close("weights", &expected.weights, &found.weights);
            if training {
                close("gradients", &expected.gradients, &found.gradients);
            }
        }
    }
}

#[test]
fn gradients_nobody_needs_have_no_buffer_and_others_share() {
    let x = input(&[Some(4)], Dtype::F32);
    let mut symbol = layer("Dense", json!({"units": 4, "trainable": false})).apply(std::slice::from_ref(&x)).unwrap();
    for _ in 0..6 {
        symbol = layer("Dense", json!({"units": 4})).apply(&[symbol]).unwrap();
    }
    let network = Network::new(&[x], &[symbol]).unwrap();
    let plan = Plan::new(&network, &[vec![4]], &cpu()).unwrap();
    assert_eq!(plan.wanted[..3], [false, false, true]);
    assert_eq!(plan.gradients.len(), 2);
}

#[test]
fn what_no_loss_reaches_is_named() {
    let x = input(&[Some(4)], Dtype::F32);
    let [a, b] = [(); 2].map(|()| layer("Dense", json!({"units": 2})).apply(std::slice::from_ref(&x)).unwrap());
    let network = Network::new(&[x], &[a, b]).unwrap();
    let mut plan = Plan::new(&network, &[vec![4]], &cpu()).unwrap();
    let mut weights = FlatWeights::new(&network, &network.initialise(1).unwrap()).unwrap();
    plan.begin(1).unwrap();
    plan.feed(0, &Array::from_f32(vec![1.0; 4], &[1, 4]).unwrap()).unwrap();
    plan.train_forward(&mut weights, &random()).unwrap();
    plan.loss(0, |_, _, place| {
        let _: () = place.unwrap().put(&[1.0, 1.0]);
        Some(())
    });
    plan.backward(&mut weights).unwrap();
    assert_eq!(weights.unreached().collect::<Vec<_>>(), [2, 3]);
    assert!(plan.feed(0, &Array::from_f32(vec![1.0; 3], &[1, 3]).unwrap()).is_err());
}
