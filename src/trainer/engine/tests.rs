//! The two ways of an engine against each other.

use serde_json::json;

use super::*;
use crate::network::{Symbol, layers};
use crate::random::Stream;
use crate::registry::Params;
use crate::tensor::{Dtype, device::cpu};
use crate::{loss, optimizer};

fn layer(name: &str, params: serde_json::Value, input: &Symbol) -> Symbol {
    layers::find(name).unwrap().make(params.as_object().unwrap()).unwrap().apply(std::slice::from_ref(input)).unwrap()
}

/// Sequences of any length and two outputs: classes, and one number.
fn network() -> Arc<Network> {
    let x = Symbol::input("x", &[None, Some(3)], Dtype::F32).unwrap();
    let steps = layer("Dense", json!({"units": 6, "activation": "tanh"}), &x);
    let mean = layer("GlobalAveragePooling1D", json!({}), &steps);
    let mean = layer("BatchNormalization", json!({}), &mean);
    let classes = layer("Dense", json!({"units": 4, "activation": "softmax", "name": "classes"}), &mean);
    let number = layer("Dense", json!({"units": 1, "name": "number"}), &mean);
    Arc::new(Network::new(&[x], &[classes, number]).unwrap())
}

fn specs(number_loss: &str) -> Vec<OutputSpec> {
    let spec = |name: &str, loss: &str, loss_weight: f64| OutputSpec {
        name: name.into(),
        loss: loss::make(loss, &Params::new()).unwrap(),
        loss_weight,
        class_weights: Default::default(),
        metrics: Vec::new(),
    };
    vec![spec("classes", "sparse_categorical_crossentropy", 0.3), spec("number", number_loss, 2.0)]
}

fn numbers(shape: &[usize], seed: u64) -> Array {
    let mut random = Random::new(seed, Stream::Script, &[]);
    let count = shape.iter().product();
    Array::from_f32((0..count).map(|_| random.uniform() as f32 * 2.0 - 1.0).collect(), shape).unwrap()
}

/// Losses of some steps with batches of several lengths and sizes, and the weights after them.
fn train(kernels: bool, number_loss: &str, lengths: &[usize]) -> (Vec<f64>, Vec<f32>, Array) {
    let network = network();
    let weights = network.initialise(3).unwrap();
    let mut engine = Engine::new(network, &weights, &cpu(), kernels).unwrap();
    assert_eq!(matches!(engine.way, Way::Planned(_)), kernels);
    let (outputs, mut losses) = (specs(number_loss), Vec::new());
    let optimizer = optimizer::make("SGD", &Params::new()).unwrap();
    let mut state = optimizer.start(Vec::new(), &[]).unwrap();
    for (step, length) in lengths.iter().enumerate() {
        let rows = 5 + step % 3;
        let seed = step as u64;
        let inputs = [numbers(&[rows, *length, 3], seed)];
        let classes = Array::from_i64((0..rows as i64).map(|row| row % 4).collect(), &[rows]).unwrap();
        let weight = Array::from_f32((0..rows).map(|row| row as f32 * 0.4).collect(), &[rows]).unwrap();
        let targets = [
            Target { value: classes, weight: Some(weight) },
            Target { value: numbers(&[rows, 1], 100 + seed), weight: None },
        ];
        engine.forward(&inputs, rows, Some(&Random::new(1, Stream::Dropout, &[seed]))).unwrap();
        let found = engine.losses(&outputs, &targets).unwrap();
        losses.push(found.total);
        losses.extend(found.outputs);
        engine
            .train(|values, gradients| {
                values.iter_mut().zip(gradients.iter()).for_each(|(value, gradient)| *value -= 0.1 * gradient);
                optimizer.apply(&mut state, 0.1, values, gradients)
            })
            .unwrap();
    }
    engine.forward(&[numbers(&[3, 4, 3], 50)], 3, None).unwrap();
    let all = (0..weights.len()).flat_map(|at| engine.weights().get(at).to_vec()).collect();
    (losses, all, engine.output(1).unwrap())
}

#[test]
fn both_ways_give_the_same_numbers() {
    // More lengths than plans are kept; some come again.
    let lengths: Vec<usize> = (1..20).chain([3, 19, 1, 19]).collect();
    for number_loss in ["mse", "huber"] {
        let (planned, composed) = (train(true, number_loss, &lengths), train(false, number_loss, &lengths));
        assert_eq!(planned.0.len(), 3 * lengths.len());
        let close = |a: f64, b: f64| (a - b).abs() <= 1e-5 * b.abs().max(1.0);
        assert!(planned.0.iter().zip(&composed.0).all(|(a, b)| close(*a, *b)), "{:?}\n{:?}", planned.0, composed.0);
        let pairs = planned.1.iter().zip(&composed.1);
        assert!(pairs.clone().all(|(a, b)| close(f64::from(*a), f64::from(*b))), "{planned:?}\n{composed:?}");
        assert_eq!(planned.2.shape(), [3, 1]);
        assert!(planned.2.as_f32().iter().zip(composed.2.as_f32().iter()).all(|(a, b)| (a - b).abs() < 1e-5));
    }
}

#[test]
fn inputs_that_were_copied_ahead_are_those_of_their_own_pass_only() {
    let network = network();
    let weights = network.initialise(3).unwrap();
    let mut engine = Engine::new(network, &weights, &cpu(), false).unwrap();
    let (first, second) = (numbers(&[2, 4, 3], 1), numbers(&[2, 4, 3], 2));
    let mut output = |ahead: Option<&Array>, input: &Array| {
        ahead.iter().for_each(|input| engine.copy_ahead(&[(*input).clone()]).unwrap());
        engine.forward(std::slice::from_ref(input), 2, None).unwrap();
        engine.output(1).unwrap()
    };
    let expected = output(None, &second);
    assert!(output(Some(&second), &second).same(&expected));
    // An epoch that was cut short leaves what was copied for the next step.
    assert!(output(Some(&first), &second).same(&expected));
}

#[test]
fn what_is_refused_is_refused_alike() {
    for kernels in [true, false] {
        let network = network();
        let weights = network.initialise(3).unwrap();
        let mut engine = Engine::new(network, &weights, &cpu(), kernels).unwrap();
        engine.forward(&[numbers(&[2, 4, 3], 1)], 2, None).unwrap();
        let target = |value: Array| Target { value, weight: None };
        let class = |class: i64| target(Array::from_i64(vec![0, class], &[2]).unwrap());
        let mut losses = |first: Target, second: Target| engine.losses(&specs("mse"), &[first, second]);
        let error = losses(class(7), target(numbers(&[2, 1], 1))).map(drop).unwrap_err();
        assert!(error.to_string().contains("label 7 is no class"), "{error}");
        let error = losses(class(3), target(numbers(&[2, 2], 1))).map(drop).unwrap_err();
        assert!(error.to_string().contains("output `number`, target [2, 2], prediction [2, 1]"), "{error}");
    }
}
