//! Penalties join the loss, rules are kept after each step, by kernels and composed.

use serde_json::{Value, json};

use super::*;
use crate::artifact::weights::Named;
use crate::record::Column;
use crate::tensor::Tensor;
use crate::trainer::Quiet;

fn of(weights: &Named, name: &str) -> Vec<f64> {
    weights.iter().find(|(own, _)| own == name).unwrap().1.to_f64_vec()
}

fn network(options: Value, units: usize) -> Arc<Network> {
    let mut params = options.as_object().unwrap().clone();
    params.extend(json!({"units": units, "name": "y"}).as_object().unwrap().clone());
    let layers = json!([
        {"import": "Input", "params": {"shape": [4], "name": "x"}},
        {"import": "Dense", "params": params},
    ]);
    Arc::new(sequential_from_config(&layers, &Params::new()).unwrap())
}

/// The loss and the weights after one step on `rows` records with targets of 1.
fn one_step(options: Value, rows: usize, kernels: bool) -> (f64, Named) {
    let network = network(options, 1);
    let mut trainer = trainer(|parts| {
        parts.weights = network.initialise(1).unwrap();
        parts.network = network;
        parts.outputs = vec![output("y", "mean_squared_error", &[])];
        parts.optimizer = optimizer::make("SGD", &Params::new()).unwrap();
        parts.rate = Rate::Constant(0.5);
        parts.train = dataset(rows, ones(rows, 1), Mode::Train, 3, Options::default()).unwrap();
        parts.validation = None;
        parts.epochs = 1;
        parts.kernels = kernels;
    });
    let history = trainer.train(&mut Quiet).unwrap();
    (history.values("loss")[0], trainer.weights().unwrap())
}

#[test]
fn a_step_with_penalties_is_that_of_the_formula() {
    let options = json!({
        "use_bias": false,
        "kernel_initializer": {"import": "constant", "params": {"value": 0.5}},
        "kernel_regularizer": {"import": "L1L2", "params": {"l1": 0.125, "l2": 0.25}},
        "activity_regularizer": {"import": "L1", "params": {"l1": 0.75}},
        "kernel_constraint": "non_neg",
    });
    let rows = 4;
    let (_, Column::Dense(Tensor::Host(x))) = points(rows).x.remove(0) else { panic!("expected an array") };
    let x = x.to_f64_vec();
    let y: Vec<f64> = x.chunks(4).map(|x| x.iter().sum::<f64>() * 0.5).collect();
    let count = rows as f64;
    let loss = y.iter().map(|y| ((y - 1.0).powi(2) + 0.75 * y.abs()) / count).sum::<f64>() + 4.0 * (0.0625 + 0.0625);
    let slope = |y: f64| (2.0 * (y - 1.0) + 0.75 * y.signum()) / count;
    let gradient = |at: usize| x.chunks(4).zip(&y).map(|(x, y)| slope(*y) * x[at]).sum::<f64>() + 0.125 + 0.25;
    let kernel: Vec<f64> = (0..4).map(|at| (0.5 - 0.5 * gradient(at)).max(0.0)).collect();
    assert!(kernel.contains(&0.0), "the rule has something to do: {kernel:?}");
    for kernels in [true, false] {
        let (found, weights) = one_step(options.clone(), rows, kernels);
        assert!((found - loss).abs() < 1e-5, "{found} {loss}");
        let own = of(&weights, "y/kernel");
        assert!(own.iter().zip(&kernel).all(|(a, b)| (a - b).abs() < 1e-5), "{own:?} {kernel:?}");
    }
}

#[test]
fn what_is_not_trained_has_no_penalty() {
    let frozen = json!({"trainable": false, "kernel_regularizer": "l2", "kernel_constraint": "unit_norm"});
    let plain = json!({"trainable": false});
    let step = |options: Value| {
        let network = network(options, 2);
        let mut weights = crate::network::FlatWeights::new(&network, &network.initialise(1).unwrap()).unwrap();
        let before = weights.values().to_vec();
        weights.constrain();
        (weights.penalty(), weights.values() == before)
    };
    assert_eq!(step(frozen), (0.0, true));
    assert_eq!(step(plain), (0.0, true));
}

#[test]
fn a_rule_that_does_not_fit_its_weight_is_refused() {
    let layers = json!([
        {"import": "Input", "params": {"shape": [4], "name": "x"}},
        {"import": "Dense", "params": {"units": 2, "bias_constraint": {"import": "UnitNorm", "params": {"axis": 1}}}},
    ]);
    let error = sequential_from_config(&layers, &Params::new()).unwrap_err();
    assert!(
        error
            .to_string()
            .starts_with("`axis` [1] of the constraint is outside of a weight of shape [2] (weight `bias`"),
        "{error}"
    );
}
