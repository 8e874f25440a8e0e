//! Small runs of native parts.

mod divergence;
mod mixed;
mod penalties;
mod refused;
mod runs;
mod within;

use std::path::PathBuf;
use std::sync::Arc;

use serde_json::json;

use super::{Checkpoints, ClassWeights, MetricSpec, OutputSpec, Parts, Rate, Trainer};
use crate::dataset::testing::{Tables, column, dataset, numbers};
use crate::dataset::{Dataset, Options};
use crate::network::{Network, sequential_from_config};
use crate::random::{Random, Stream};
use crate::record::Mode;
use crate::registry::Params;
use crate::tensor::{Array, device};
use crate::{loss, metric, optimizer};

/// A network of one input `x` of 4 numbers and one output `y` of 3 classes, with dropout and moving
/// statistics.
fn classifier() -> Arc<Network> {
    let layers = json!([
        {"import": "Input", "params": {"shape": [4], "name": "x"}},
        {"import": "Dense", "params": {"units": 8, "activation": "relu", "name": "hidden"}},
        {"import": "BatchNormalization", "params": {"name": "norm"}},
        {"import": "Dropout", "params": {"rate": 0.2}},
        {"import": "Dense", "params": {"units": 3, "activation": "softmax", "name": "y"}},
    ]);
    Arc::new(sequential_from_config(&layers, &Params::new()).unwrap())
}

/// Points in four dimensions; the class is the largest of the first three, as an index.
fn points(n: usize) -> Tables {
    let mut random = Random::new(9, Stream::Script, &[n as u64]);
    let x: Vec<f32> = (0..n * 4).map(|_| random.normal() as f32).collect();
    let class = |x: &[f32]| (0..3).max_by(|&a, &b| x[a].total_cmp(&x[b])).unwrap() as i64;
    let y: Vec<i64> = x.chunks(4).map(class).collect();
    Tables::new(numbers(&x, &[n, 4]), Array::from_i64(y, &[n]).unwrap())
}

fn data(n: usize, mode: Mode) -> Dataset {
    dataset(n, points(n), mode, 3, Options::default()).unwrap()
}

fn output(name: &str, loss: &str, metrics: &[&'static str]) -> OutputSpec {
    let spec = |&name: &&'static str| MetricSpec {
        make: Box::new(move |target| metric::make(name, &Params::new(), target)),
        weighted: false,
    };
    OutputSpec {
        name: name.into(),
        loss: loss::make(loss, &Params::new()).unwrap(),
        loss_weight: 1.0,
        class_weights: ClassWeights::default(),
        metrics: metrics.iter().map(spec).collect(),
    }
}

/// A run of the classifier on 30 points, 4 a batch.
fn parts(seed: u64) -> Parts {
    let network = classifier();
    Parts {
        weights: network.initialise(seed).unwrap(),
        network,
        outputs: vec![output("y", "sparse_categorical_crossentropy", &["accuracy"])],
        optimizer: optimizer::make("Adam", &Params::new()).unwrap(),
        rate: Rate::Constant(0.02),
        train: data(30, Mode::Train),
        validation: Some(data(10, Mode::Validation)),
        services: Vec::new(),
        epochs: 3,
        seed,
        device: device::cpu(),
        kernels: true,
        mixed: false,
        checkpoints: Checkpoints::default(),
        folder: PathBuf::new(),
        graph: Vec::new(),
    }
}

fn trainer(change: impl FnOnce(&mut Parts)) -> Trainer {
    let mut parts = parts(7);
    change(&mut parts);
    Trainer::new(parts).unwrap()
}

/// Training data of one output that is `width` numbers of 1.
fn ones(n: usize, width: usize) -> Tables {
    let Tables { x, .. } = points(n);
    Tables { x, y: vec![column("y", numbers(&vec![1.0; n * width], &[n, width]))], ..Tables::default() }
}
