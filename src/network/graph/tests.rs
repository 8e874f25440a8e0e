#![allow(clippy::cloned_ref_to_slice_refs, reason = "a list of one reads like a list of two")]

use crate::network::{LayerInstance, Pass};
use candle_core::Var;
use serde_json::{Value, json};

use super::*;
use crate::network::layers;
use crate::tensor::device;

fn layer(kind: &str, params: Value) -> Arc<LayerInstance> {
    layers::find(kind).unwrap().make(params.as_object().unwrap()).unwrap()
}

fn input(name: &str, length: usize) -> Symbol {
    Symbol::input(name, &[Some(length)], Dtype::F32).unwrap()
}

fn dense(x: &Symbol, params: Value) -> Symbol {
    layer("Dense", params).apply(std::slice::from_ref(x)).unwrap()
}

fn matrix(rows: usize, columns: usize, start: f32) -> Graph {
    let values: Vec<f32> = (0..rows * columns).map(|i| start + i as f32 / 10.0).collect();
    Graph::from_vec(values, (rows, columns), &device::cpu()).unwrap()
}

fn pass(training: bool) -> Pass {
    Pass::new(training, Random::new(1, Stream::Dropout, &[0]))
}

fn weights(network: &Network) -> Vec<Graph> {
    let values = network.initialise(7).unwrap();
    let graph = |array: &Array| match array {
        Array::F32(values) => {
            let values = Graph::from_vec(values.iter().copied().collect(), values.shape(), &device::cpu()).unwrap();
            Var::from_tensor(&values).unwrap().as_tensor().clone()
        }
        _ => unreachable!(),
    };
    values.iter().map(graph).collect()
}

/// Two inputs, a shared layer, two outputs, and a branch that leads nowhere.
fn two_towers() -> Network {
    let (a, b) = (input("a", 4), input("b", 4));
    let tower = layer("Dense", json!({"units": 3, "activation": "relu"}));
    let (left, right) = (tower.apply(&[a.clone()]).unwrap(), tower.apply(&[b.clone()]).unwrap());
    dense(&left, json!({"units": 1000}));
    let joined = layer("Concatenate", json!({})).apply(&[left.clone(), right]).unwrap();
    let joined = layer("BatchNormalization", json!({})).apply(&[joined]).unwrap();
    let class = dense(&joined, json!({"units": 2, "activation": "softmax", "name": "class"}));
    let mass = dense(&joined, json!({"units": 1}));
    Network::new(&[b, a], &[mass, class]).unwrap()
}

#[test]
fn names_weights_and_ports_are_those_of_keras() {
    for _ in 0..2 {
        let network = two_towers();
        assert_eq!(network.inputs().iter().map(|port| &*port.name).collect::<Vec<_>>(), ["b", "a"]);
        assert_eq!(network.outputs().iter().map(|port| &*port.name).collect::<Vec<_>>(), ["dense_1", "class"]);
        let weights: Vec<&str> = network.weights().iter().map(|weight| &*weight.name).collect();
        assert_eq!(
            weights,
            [
                "dense/kernel",
                "dense/bias",
                "batch_normalization/gamma",
                "batch_normalization/beta",
                "batch_normalization/moving_mean",
                "batch_normalization/moving_variance",
                "class/kernel",
                "class/bias",
                "dense_1/kernel",
                "dense_1/bias"
            ]
        );
    }
}

#[test]
fn the_summary_counts_parameters() {
    let expected = "\
layer (type)                              output shape  parameters  connected to
───────────────────────────────────────────────────────────────────────────────────────
b (Input)                                 [batch, 4]             0
a (Input)                                 [batch, 4]             0
dense (Dense)                             [batch, 3]            15  a
dense (Dense)                             [batch, 3]        shared  b
concatenate (Concatenate)                 [batch, 6]             0  dense, dense
batch_normalization (BatchNormalization)  [batch, 6]            24  concatenate
class (Dense)                             [batch, 2]            14  batch_normalization
dense_1 (Dense)                           [batch, 1]             7  batch_normalization
───────────────────────────────────────────────────────────────────────────────────────
parameters: 60, trainable: 48, not trainable: 12
";
    assert_eq!(two_towers().summary(), expected);
    let x = Symbol::input("x", &[None, Some(1000)], Dtype::F32).unwrap();
    let wide = Network::new(&[x.clone()], &[dense(&x, json!({"units": 1234}))]).unwrap();
    assert!(wide.summary().contains("[batch, null, 1234]   1,235,234  x\n"), "{}", wide.summary());
}

#[test]
fn one_seed_gives_one_set_of_weights() {
    let values = |seed: u64| {
        let arrays = two_towers().initialise(seed).unwrap();
        arrays
            .iter()
            .flat_map(|array| if let Array::F32(values) = array { values.iter().copied().collect() } else { vec![] })
            .collect::<Vec<f32>>()
    };
    assert_eq!(values(1), values(1));
    assert_ne!(values(1), values(2));
}

#[test]
fn a_shared_layer_sums_its_gradients_and_the_audit_is_content() {
    let network = two_towers();
    let weights = weights(&network);
    let (x, y) = (matrix(5, 4, -1.0), matrix(5, 4, 0.5));
    let mut pass = pass(true);
    let outputs = network.forward(&weights, &[y.clone(), x.clone()], &mut pass).unwrap();
    assert_eq!(outputs.iter().map(|output| output.dims().to_vec()).collect::<Vec<_>>(), [[5, 1], [5, 2]]);
    assert_eq!(pass.updates.iter().map(|(index, _)| *index).collect::<Vec<_>>(), [4, 5]);
    let both = outputs[0].sum_all().unwrap().add(&outputs[1].sqr().unwrap().sum_all().unwrap()).unwrap();
    assert_eq!(network.audit(&weights, &both.backward().unwrap()), Vec::<Name>::new());
    let one = outputs[0].sum_all().unwrap();
    assert_eq!(
        network.audit(&weights, &one.backward().unwrap()),
        [Name::from("class/kernel"), Name::from("class/bias")]
    );
}

#[test]
fn a_shared_normalisation_moves_twice() {
    let (a, b) = (input("a", 1), input("b", 1));
    let norm = layer("BatchNormalization", json!({"momentum": 0.5}));
    let outputs = [norm.apply(&[a.clone()]).unwrap(), norm.apply(&[b.clone()]).unwrap()];
    let sum = layer("Add", json!({})).apply(&outputs).unwrap();
    let network = Network::new(&[a, b], &[sum]).unwrap();
    let mut pass = pass(true);
    let constant = |value: f32| Graph::new(&[[value], [value]], &device::cpu()).unwrap();
    network.forward(&weights(&network), &[constant(4.0), constant(8.0)], &mut pass).unwrap();
    let means: Vec<(usize, Vec<f32>)> =
        pass.updates.iter().map(|(index, value)| (*index, value.to_vec1().unwrap())).collect();
    assert_eq!(means, [(2, vec![5.0]), (3, vec![0.25])]);
}

#[test]
fn integers_become_floats_where_a_layer_computes() {
    let x = Symbol::input("x", &[Some(2), Some(2)], Dtype::U8).unwrap();
    let flat = layer("Flatten", json!({})).apply(std::slice::from_ref(&x)).unwrap();
    assert_eq!(flat.dtype(), Dtype::U8);
    let network = Network::new(&[x], &[dense(&flat, json!({"units": 1}))]).unwrap();
    let pixels = Graph::new(&[[[1u8, 2], [3, 4]]], &device::cpu()).unwrap();
    let y = network.forward(&weights(&network), &[pixels], &mut pass(false)).unwrap();
    assert_eq!(y[0].dims(), [1, 1]);
}

#[test]
fn axes_of_any_length_are_looked_at_in_each_pass() {
    let x = Symbol::input("x", &[None, Some(2)], Dtype::F32).unwrap();
    let y = layer("Conv1D", json!({"filters": 1, "kernel_size": 3})).apply(std::slice::from_ref(&x)).unwrap();
    assert_eq!(y.shape(), [None, Some(1)]);
    let network = Network::new(&[x], &[y]).unwrap();
    let run = |steps: usize| {
        let x = matrix(steps, 2, 0.0).unsqueeze(0).unwrap();
        network.forward(&weights(&network), &[x], &mut pass(false)).map(|y| y[0].dims().to_vec())
    };
    assert_eq!(run(5).unwrap(), [1, 3, 1]);
    assert_eq!(
        run(2).unwrap_err().to_string(),
        "a window of 3 does not fit into an axis of length 2 (layer `conv1d`, `Conv1D`)"
    );
}

#[test]
fn graphs_that_cannot_run_are_refused() {
    let (a, b) = (input("a", 4), input("b", 4));
    let named = |x: &Symbol, name: &str| dense(x, json!({"units": 2, "name": name}));
    let message = |inputs: &[Symbol], outputs: &[Symbol]| Network::new(inputs, outputs).unwrap_err().to_string();
    let y = named(&a, "y");
    assert_eq!(message(&[a.clone(), b.clone()], &[y.clone()]), "input `b` leads to no output");
    let sum = layer("Add", json!({})).apply(&[y.clone(), named(&b, "z")]).unwrap();
    assert_eq!(message(&[a.clone()], &[sum]), "the outputs depend on input `b`, which is not among the inputs");
    assert_eq!(message(&[a.clone()], &[named(&y, "y")]), "two layers or inputs are named `y`");
    assert_eq!(message(&[a.clone()], &[named(&a, "a")]), "two layers or inputs are named `a`");
    assert_eq!(message(&[a.clone()], &[y.clone(), y.clone()]), "two outputs are named `y`");
    assert_eq!(message(&[y.clone()], &[y.clone()]), "expected inputs made by `input`, found `y`");
    assert_eq!(message(&[a.clone(), a.clone()], &[y]), "input `a` is listed twice");
    assert_eq!(message(&[], &[]), "a network needs at least one input and one output");
    let shared = layer("Dense", json!({"units": 2}));
    let (one, two) = (shared.apply(&[a.clone()]).unwrap(), shared.apply(&[input("c", 5)]).unwrap());
    assert!(
        message(&[a.clone()], &[layer("Add", json!({})).apply(&[one, two]).unwrap()]).contains("depend on input `c`")
    );
    let (c, d) = (input("c", 5), input("d", 4));
    let both = [shared.apply(&[d.clone()]).unwrap(), shared.apply(&[c.clone()]).unwrap()];
    assert_eq!(
        message(&[c, d], &[layer("Add", json!({})).apply(&both).unwrap()]),
        "layer `dense` is shared by inputs of different sizes"
    );
}

#[test]
fn values_that_do_not_fit_are_refused() {
    let network = two_towers();
    let weights = weights(&network);
    let run = |a: Graph, b: Graph| network.forward(&weights, &[a, b], &mut pass(false)).unwrap_err().to_string();
    let good = || matrix(5, 4, 0.0);
    assert_eq!(run(good(), matrix(5, 3, 0.0)), "input `a`: expected shape [batch, 4], found [5, 3]");
    assert_eq!(run(good(), matrix(4, 4, 0.0)), "input `a`: expected a batch of 5 as in `b`, found 4");
    assert_eq!(run(matrix(0, 4, 0.0), good()), "input `b`: the batch is empty");
    let few = network.forward(&weights, &[good()], &mut pass(false)).unwrap_err();
    assert_eq!(few.to_string(), "expected 2 inputs, found 1");
    let none = network.forward(&[], &[good(), good()], &mut pass(false)).unwrap_err();
    assert_eq!(none.to_string(), "expected 10 weights, found 0");
}

#[test]
fn a_value_is_dropped_after_its_last_use_only() {
    let x = input("x", 2);
    let first = dense(&x, json!({"units": 2}));
    let deep = dense(&dense(&first, json!({"units": 2})), json!({"units": 2}));
    let sum = layer("Add", json!({})).apply(&[first.clone(), deep]).unwrap();
    let network = Network::new(&[x.clone()], &[sum, first, x]).unwrap();
    let outputs = network.forward(&weights(&network), &[matrix(3, 2, 0.0)], &mut pass(false)).unwrap();
    assert_eq!(outputs.len(), 3);
}

#[test]
fn a_chain_that_gradients_could_not_walk_is_refused() {
    let mut x = input("x", 2);
    let mut depth = 0;
    let error = loop {
        match layer("Flatten", json!({})).apply(std::slice::from_ref(&x)) {
            Ok(next) => x = next,
            Err(error) => break error,
        }
        depth += 1;
    };
    assert_eq!((depth, error.to_string().as_str()), (2000, "a chain of more than 2000 layers is too deep"));
}

#[test]
fn mixed_precision_rounds_the_products_of_every_layer_that_has_it() {
    for (kind, params) in [
        ("Dense", json!({"units": 3})),
        ("Conv1D", json!({"filters": 3, "kernel_size": 2})),
        ("SimpleRNN", json!({"units": 3, "bias_initializer": "ones"})),
        ("LSTM", json!({"units": 3, "return_sequences": true})),
        ("GRU", json!({"units": 3})),
        ("GRU", json!({"units": 3, "reset_after": false})),
        ("Bidirectional", json!({"layer": {"import": "LSTM", "params": {"units": 3}}})),
        ("MultiHeadAttention", json!({"num_heads": 2, "key_dim": 3, "bias_initializer": "ones"})),
    ] {
        let x = Symbol::input("x", &[Some(5), Some(4)], Dtype::F32).unwrap();
        let made = layer(kind, params);
        let network = Network::new(&[x.clone()], &[made.apply(&[x]).unwrap()]).unwrap();
        let weights: Vec<Var> = network
            .initialise(1)
            .unwrap()
            .iter()
            .map(|weight| Var::from_tensor(&weight.to_graph(&device::cpu()).unwrap()).unwrap())
            .collect();
        let own: Vec<Graph> = weights.iter().map(|weight| weight.as_tensor().clone()).collect();
        let numbers: Vec<f32> = (0..40).map(|at| ((at * 7) % 11) as f32 / 5.0 - 1.0).collect();
        let input = Graph::from_vec(numbers, (2, 5, 4), &device::cpu()).unwrap();
        let [exact, mixed] = [false, true].map(|mixed| {
            let mut pass = pass(false);
            pass.mixed = mixed;
            network.forward(&own, std::slice::from_ref(&input), &mut pass).unwrap().remove(0)
        });
        let apart = (&exact - &mixed).unwrap().abs().unwrap().flatten_all().unwrap().max(0).unwrap();
        let apart = apart.to_scalar::<f32>().unwrap();
        assert!(apart > 0.0 && apart < 0.03, "{kind}: {apart}");
        let gradients = mixed.sqr().unwrap().sum_all().unwrap().backward().unwrap();
        for (weight, port) in weights.iter().zip(network.weights()) {
            let gradient = gradients.get(weight).unwrap_or_else(|| panic!("{kind}: nothing for {}", port.name));
            let total = gradient.abs().unwrap().sum_all().unwrap().to_scalar::<f32>().unwrap();
            assert!(total.is_finite(), "{kind}: {} {total}", port.name);
        }
    }
}
