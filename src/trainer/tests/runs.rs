use std::sync::atomic::Ordering;
use std::sync::{Arc, Mutex};

use serde_json::{Value, json};

use super::*;
use crate::artifact::Checkpoint;
use crate::artifact::weights::Named;
use crate::error::Result;
use crate::network::{Symbol, layers};
use crate::service::{Gathered, Moment, Service};
use crate::tensor::Dtype;
use crate::trainer::{History, Progress, Quiet, Step};

fn bits(weights: &Named) -> Vec<u32> {
    weights
        .iter()
        .flat_map(|(_, array)| array.as_f32().iter().map(|value| value.to_bits()).collect::<Vec<_>>())
        .collect()
}

fn run(change: impl FnOnce(&mut Parts)) -> (History, Named) {
    let mut trainer = trainer(change);
    let history = trainer.train(&mut Quiet).unwrap();
    (history, trainer.weights().unwrap())
}

#[test]
fn a_run_learns_and_reports_under_the_names_of_keras() {
    let (history, _) = run(|parts| parts.epochs = 30);
    let names: Vec<&str> = history.epochs[0].logs.iter().map(|(name, _)| &**name).collect();
    assert_eq!(names, ["loss", "accuracy", "val_loss", "val_accuracy"]);
    let loss = history.values("loss");
    assert_eq!(loss.len(), 30);
    assert!(loss[29] < 0.7 * loss[0], "{loss:?}");
    assert_eq!(history.steps, 30 * 8);
    assert_eq!(history.stopped, None);
}

#[test]
fn the_same_seed_gives_the_same_bits_and_another_seed_others() {
    let (history, weights) = run(|_| ());
    let (again, weights_again) = run(|_| ());
    assert_eq!(bits(&weights), bits(&weights_again));
    assert_eq!(history, again);
    // The initial weights stay: only dropout draws differently.
    let (other, other_weights) = run(|parts| parts.seed = 8);
    assert_ne!(bits(&weights), bits(&other_weights));
    assert_ne!(history.values("loss"), other.values("loss"));
}

#[test]
fn moving_statistics_move_and_are_no_parameters() {
    let trainer = trainer(|_| ());
    let before = trainer.weights().unwrap();
    let (_, after) = run(|_| ());
    for name in ["norm/moving_mean", "norm/moving_variance", "norm/gamma", "hidden/kernel"] {
        let of = |weights: &Named| weights.iter().find(|(own, _)| own == name).unwrap().1.to_f64_vec();
        assert_ne!(of(&before), of(&after), "{name}");
    }
    assert_eq!(trainer.run().trainable, 4 * 8 + 8 + 8 + 8 + 8 * 3 + 3);
}

#[test]
fn several_outputs_are_reported_one_by_one_and_weighed() {
    let input = Symbol::input("x", &[Some(4)], Dtype::F32).unwrap();
    let dense = |units: usize, activation: &str, name: &str, from: &Symbol| {
        let params = json!({"units": units, "activation": activation, "name": name});
        layers::find("Dense")
            .unwrap()
            .make(params.as_object().unwrap())
            .unwrap()
            .apply(std::slice::from_ref(from))
            .unwrap()
    };
    let trunk = dense(6, "tanh", "trunk", &input);
    let outputs = [dense(3, "softmax", "species", &trunk), dense(1, "linear", "mass", &trunk)];
    let network = Arc::new(Network::new(&[input], &outputs).unwrap());
    let tables = |n: usize| {
        let Tables { x, y, .. } = points(n);
        let (_, species) = y.into_iter().next().unwrap();
        // A scalar a record for an output of one value.
        let mass = column("mass", numbers(&vec![2.0; n], &[n]));
        let w = Some(vec![column("species", numbers(&vec![0.5; n], &[n, 1]))]);
        Tables { x, y: vec![mass, ("species".into(), species)], w, ..Tables::default() }
    };
    let (history, _) = run(|parts| {
        parts.weights = network.initialise(1).unwrap();
        parts.network = network;
        let mass = OutputSpec { loss_weight: 0.75, ..output("mass", "mse", &["mae"]) };
        parts.outputs = vec![mass, output("species", "sparse_categorical_crossentropy", &["accuracy"])];
        parts.train = dataset(30, tables(30), Mode::Train, 1, Options::default()).unwrap();
        parts.validation = Some(dataset(10, tables(10), Mode::Validation, 1, Options::default()).unwrap());
    });
    let logs = &history.epochs[0].logs;
    let names: Vec<&str> = logs.iter().map(|(name, _)| &**name).collect();
    assert_eq!(
        names,
        [
            "loss",
            "species_loss",
            "mass_loss",
            "species_accuracy",
            "mass_mae",
            "val_loss",
            "val_species_loss",
            "val_mass_loss",
            "val_species_accuracy",
            "val_mass_mae"
        ]
    );
    assert!((logs[0].1 - (logs[1].1 + 0.75 * logs[2].1)).abs() < 1e-6, "{logs:?}");
}

#[test]
fn evaluation_gives_what_validation_reported() {
    let mut trainer = trainer(|_| ());
    let history = trainer.train(&mut Quiet).unwrap();
    let found = trainer.evaluate(&data(10, Mode::Validation)).unwrap();
    assert_eq!(found[0], ("loss".to_owned(), *history.values("val_loss").last().unwrap()));
    assert_eq!(found[1], ("accuracy".to_owned(), *history.values("val_accuracy").last().unwrap()));
    assert!(trainer.evaluate(&data(10, Mode::Score)).is_err());
}

/// Does what a test asks for at the end of epochs and batches, and keeps the checkpoints.
#[derive(Default)]
struct Probe {
    at_epoch: Option<fn(&mut Moment)>,
    at_batch: Option<fn(&mut Moment)>,
    checkpoints: Arc<Mutex<Vec<Checkpoint>>>,
    epochs: usize,
}

impl Service for Probe {
    fn name(&self) -> &str {
        "probe"
    }

    fn on_batch_end(&mut self, moment: &mut Moment) -> Result<()> {
        if let Some(call) = self.at_batch {
            call(moment);
        }
        Ok(())
    }

    fn on_epoch_end(&mut self, moment: &mut Moment) -> Result<()> {
        self.epochs += 1;
        if let Some(call) = self.at_epoch {
            call(moment);
        }
        Ok(())
    }

    fn on_checkpoint(&mut self, moment: &mut Moment, gathered: &Gathered) -> Result<()> {
        self.checkpoints.lock().unwrap().push(Checkpoint {
            weights: moment.weights.weights()?,
            optimizer: moment.weights.optimizer_state()?,
            services: gathered.services.clone(),
            metrics: gathered.metrics.clone(),
            state: gathered.state.clone(),
        });
        Ok(())
    }

    fn state(&self) -> Result<Value> {
        Ok(json!(self.epochs))
    }

    fn restore(&mut self, state: &Value, _: Named) -> Result<()> {
        self.epochs = state.as_u64().unwrap() as usize;
        Ok(())
    }
}

#[test]
fn a_resumed_run_ends_with_the_bits_of_one_that_was_not_stopped() {
    let checkpoints = Arc::new(Mutex::new(Vec::new()));
    let probe = || Box::new(Probe { checkpoints: checkpoints.clone(), ..Probe::default() });
    let (whole, weights) = run(|parts| parts.services = vec![probe()]);
    let first = checkpoints.lock().unwrap().remove(0);
    assert_eq!((first.state.epoch, first.state.step), (1, 8));

    let mut resumed = trainer(|parts| {
        parts.weights = parts.network.initialise(99).unwrap();
        parts.services = vec![probe()];
    });
    assert_eq!(resumed.resume(&first).unwrap(), None);
    let rest = resumed.train(&mut Quiet).unwrap();
    assert_eq!(rest.epochs[..], whole.epochs[1..]);
    assert_eq!(rest.steps, whole.steps);
    assert_eq!(bits(&weights), bits(&resumed.weights().unwrap()));
    assert_eq!(resumed.setup.services[0].state().unwrap(), json!(3));
}

#[test]
fn services_set_the_learning_rate_stop_the_run_and_put_weights_back() {
    let at_epoch = |call: fn(&mut Moment)| {
        move |parts: &mut Parts| {
            parts.services = vec![Box::new(Probe { at_epoch: Some(call), ..Probe::default() })];
        }
    };
    let (history, _) = run(at_epoch(|moment| moment.control.learning_rate *= 0.5));
    let rates: Vec<f64> = history.epochs.iter().map(|row| row.learning_rate).collect();
    assert_eq!(rates, [0.02, 0.01, 0.005]);

    let (history, _) = run(at_epoch(|moment| moment.control.stop_after_epoch(format!("after {}", moment.epoch))));
    assert_eq!((history.epochs.len(), history.stopped.as_deref()), (1, Some("after 0")));

    let (_, first) = run(|parts| parts.epochs = 1);
    let (_, restored) = run(at_epoch(|moment| {
        if moment.epoch == 0 {
            moment.control.restore = Some(moment.weights.weights().unwrap());
        }
    }));
    assert_eq!(bits(&first), bits(&restored));

    let (history, _) = run(|parts| {
        let at_batch: fn(&mut Moment) = |moment| {
            if moment.step == 10 {
                moment.control.stop_after_epoch("enough".to_owned());
                moment.control.at_once = true;
            }
        };
        parts.services = vec![Box::new(Probe { at_batch: Some(at_batch), ..Probe::default() })];
    });
    assert_eq!((history.epochs.len(), history.steps), (1, 10));
    assert_eq!((history.stopped.as_deref(), history.interrupted), (Some("enough"), false));
}

#[test]
fn the_stop_flag_ends_the_run_after_the_step() {
    struct StopAt(Arc<std::sync::atomic::AtomicBool>);
    impl Progress for StopAt {
        fn batch(&mut self, step: &Step) {
            self.0.store((step.epoch, step.batch) == (1, 2), Ordering::Relaxed);
        }
    }
    let mut trainer = trainer(|_| ());
    let mut progress = StopAt(trainer.stop_flag());
    let history = trainer.train(&mut progress).unwrap();
    assert_eq!((history.epochs.len(), history.steps, history.interrupted), (1, 11, true));
}

#[test]
fn the_stop_flag_ends_the_run_while_records_are_loaded() {
    struct StopAtValidation(Arc<std::sync::atomic::AtomicBool>);
    impl Progress for StopAtValidation {
        fn validation_begin(&mut self) {
            self.0.store(true, Ordering::Relaxed);
        }
    }
    let stop = Arc::new(std::sync::atomic::AtomicBool::new(false));
    let options = Options { stop: stop.clone(), ..Options::default() };
    let mut trainer = trainer(|parts| {
        parts.validation = Some(dataset(10, points(10), Mode::Validation, 3, options).unwrap());
    });
    trainer.set_stop_flag(stop.clone());
    let history = trainer.train(&mut StopAtValidation(stop)).unwrap();
    assert_eq!((history.epochs.len(), history.steps, history.interrupted), (0, 8, true));
}

#[test]
fn schedules_count_steps() {
    let params = json!({"initial_learning_rate": 0.1, "decay_steps": 8, "decay_rate": 0.5});
    let (history, _) = run(|parts| {
        let schedule = crate::schedule::make("ExponentialDecay", params.as_object().unwrap()).unwrap();
        parts.rate = Rate::Schedule(schedule);
    });
    let rates: Vec<f64> = history.epochs.iter().map(|row| row.learning_rate).collect();
    for (epoch, rate) in rates.iter().enumerate() {
        let last_step = (epoch * 8 + 7) as f64;
        assert!((rate - 0.1 * 0.5f64.powf(last_step / 8.0)).abs() < 1e-6, "{rates:?}");
    }
}
