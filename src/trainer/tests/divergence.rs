//! What is told of a loss that becomes no number within a run.

use super::*;
use crate::artifact::weights::Named;
use crate::error::Result;
use crate::loss::Loss;
use crate::service::TerminateOnNan;
use crate::tensor::Graph;
use crate::trainer::{History, Quiet};

/// Trains in the order of the records, four a batch, until the loss is no number.
fn diverged(change: impl FnOnce(&mut Parts)) -> History {
    let mut trainer = trainer(|parts| {
        parts.services = vec![Box::new(TerminateOnNan)];
        parts.train = ordered(points(30));
        parts.validation = None;
        change(parts);
    });
    trainer.train(&mut Quiet).unwrap()
}

fn ordered(tables: Tables) -> Dataset {
    dataset(30, tables, Mode::Train, 3, Options { shuffle: false, ..Options::default() }).unwrap()
}

/// Inputs of which one record has a number that is large, or none.
fn spoilt(row: usize, value: f32) -> Dataset {
    let mut random = Random::new(9, Stream::Script, &[30]);
    let mut x: Vec<f32> = (0..30 * 4).map(|_| random.normal() as f32).collect();
    x[row * 4 + 1] = value;
    let tables = Tables { x: vec![column("x", numbers(&x, &[30, 4]))], ..points(30) };
    ordered(tables)
}

#[test]
fn a_value_that_the_loader_gave_is_named() {
    let history = diverged(|parts| parts.train = spoilt(17, f32::NAN));
    assert_eq!(history.stopped.as_deref(), Some("the loss became NaN at step 5"));
    assert_eq!(history.details[0], "output `y`: its loss is NaN");
    assert_eq!(history.details[1], "input `x` is not a finite number in record 17 of table.csv");
    assert_eq!(history.details[2], "the batch: records 16, 17, 18, 19 of table.csv");
}

/// Without batch normalisation, which would spread one record's values over the batch.
fn plain() -> Arc<Network> {
    let layers = json!([
        {"import": "Input", "params": {"shape": [4], "name": "x"}},
        {"import": "Dense", "params": {"units": 8, "name": "first"}},
        {"import": "Dense", "params": {"units": 8, "activation": "exponential", "name": "second"}},
        {"import": "Dense", "params": {"units": 3, "activation": "softmax", "name": "y"}},
    ]);
    Arc::new(sequential_from_config(&layers, &Params::new()).unwrap())
}

fn with(parts: &mut Parts, network: Arc<Network>, kernels: bool) {
    parts.weights = network.initialise(7).unwrap();
    parts.network = network;
    parts.kernels = kernels;
}

#[test]
fn the_first_layer_and_its_records_are_named() {
    for kernels in [true, false] {
        let history = diverged(|parts| {
            with(parts, plain(), kernels);
            parts.train = spoilt(10, 1e4);
        });
        assert_eq!(history.stopped.as_deref(), Some("the loss became NaN at step 3"), "{history:?}");
        let line = "layer `second`, `Dense`: the first whose values are not finite, for record 10 of table.csv";
        assert_eq!(history.details[1], line);
        assert_eq!(history.details[2], "the batch: records 8, 9, 10, 11 of table.csv");
    }
}

/// A loss whose value is a number and whose gradient is none where the prediction is 0, as that of a root is.
struct Root;

impl Loss for Root {
    fn name(&self) -> &str {
        "root"
    }

    fn per_sample(&self, y_true: &Graph, y_pred: &Graph) -> Result<Graph> {
        let gap = y_pred.sub(&y_true.to_dtype(y_pred.dtype())?)?;
        Ok(gap.mul(&gap)?.sqrt()?.mean(1)?)
    }
}

#[test]
fn the_layer_whose_gradient_was_first_is_named() {
    for (kernels, clip) in [(true, None), (false, None), (true, Some(crate::optimizer::Clip::GlobalNorm(1.0)))] {
        let layers = json!([
            {"import": "Input", "params": {"shape": [4], "name": "x"}},
            {"import": "Dense", "params": {"units": 3, "name": "before", "use_bias": false}},
            {"import": "Dense", "params": {"units": 1, "name": "y", "use_bias": false}},
        ]);
        let network = Arc::new(sequential_from_config(&layers, &Params::new()).unwrap());
        // The third batch has inputs of 0, so that the prediction is the target.
        let mut x = vec![1.0; 30 * 4];
        x[8 * 4..12 * 4].fill(0.0);
        let mut y = vec![50.0; 30];
        y[8..12].fill(0.0);
        let history = diverged(|parts| {
            with(parts, network, kernels);
            if let Some(clip) = clip {
                parts.optimizer.common.clip = clip;
            }
            parts.outputs = vec![OutputSpec { loss: Box::new(Root), ..output("y", "mse", &[]) }];
            let tables = Tables {
                x: vec![column("x", numbers(&x, &[30, 4]))],
                y: vec![column("y", numbers(&y, &[30, 1]))],
                ..Tables::default()
            };
            parts.train = ordered(tables);
        });
        assert_eq!(history.stopped.as_deref(), Some("the loss became NaN at step 4"), "{history:?}");
        let line = &history.details[1];
        assert!(line.starts_with("layer `y`: the first whose gradient was not finite, in step 3, for records 8, 9, 10, 11 of table.csv; since then"), "{line}");
    }
}

#[test]
fn a_loss_that_alone_is_not_finite_is_told_apart() {
    let tables = Tables { y: vec![column("y", numbers(&[-3.0; 30], &[30, 1]))], ..points(30) };
    let layers = json!([
        {"import": "Input", "params": {"shape": [4], "name": "x"}},
        {"import": "Dense", "params": {"units": 1, "name": "y", "activation": "sigmoid"}},
    ]);
    let network = Arc::new(sequential_from_config(&layers, &Params::new()).unwrap());
    let mut trainer = trainer(|parts| {
        with(parts, network, true);
        parts.train = ordered(tables);
        parts.validation = None;
        parts.outputs = vec![output("y", "mean_squared_logarithmic_error", &[])];
    });
    // Keras clips such labels, so this loss stays a number.
    assert_eq!(trainer.train(&mut Quiet).unwrap().details, Vec::<String>::new());
}

#[test]
fn averages_and_accumulation_do_not_hide_what_happened() {
    let history = diverged(|parts| {
        with(parts, plain(), true);
        parts.train = spoilt(10, 1e4);
        parts.optimizer.common.gradient_accumulation_steps = 4;
        parts.optimizer.common.ema_momentum = Some(0.9);
    });
    assert_eq!(history.stopped.as_deref(), Some("the loss became NaN at step 3"), "{history:?}");
    assert!(history.details[1].contains("`second`"), "{history:?}");
}

#[test]
fn weights_of_a_run_that_goes_well_have_no_story() {
    let mut trainer = trainer(|_| ());
    let history = trainer.train(&mut Quiet).unwrap();
    let weights: Named = trainer.weights().unwrap();
    assert!(
        history.details.is_empty() && weights.iter().all(|(_, array)| array.as_f32().iter().all(|x| x.is_finite()))
    );
}
