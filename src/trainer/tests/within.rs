//! Checkpoints within epochs: from each of them a run goes on to the bits of one that was not stopped.

use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex};

use super::*;
use crate::artifact::Checkpoint;
use crate::artifact::layout::Position;
use crate::artifact::weights::Named;
use crate::error::Result;
use crate::service::{Gathered, Moment, Service};
use crate::trainer::{Progress, Quiet, Step};

/// Keeps the checkpoints that a run offers.
#[derive(Clone, Default)]
struct Keeper(Arc<Mutex<Vec<Checkpoint>>>);

impl Service for Keeper {
    fn name(&self) -> &str {
        "keeper"
    }

    fn on_checkpoint(&mut self, moment: &mut Moment, gathered: &Gathered) -> Result<()> {
        self.0.lock().unwrap().push(Checkpoint {
            weights: moment.weights.weights()?,
            optimizer: moment.weights.optimizer_state()?,
            services: gathered.services.clone(),
            metrics: gathered.metrics.clone(),
            state: gathered.state.clone(),
        });
        Ok(())
    }
}

impl Keeper {
    fn positions(&self) -> Vec<(usize, u64)> {
        let position = |checkpoint: &Checkpoint| {
            let Position { epochs, batches } = checkpoint.state.position();
            (epochs, batches)
        };
        self.0.lock().unwrap().iter().map(position).collect()
    }
}

/// Metrics of every way of gathering, an accumulating optimizer with averages, a schedule, class weights.
fn rich(parts: &mut Parts, kernels: bool) {
    let metrics = ["accuracy", "sparse_categorical_crossentropy", "sparse_top_k_categorical_accuracy", "MeanIoU"];
    let mut own = output("y", "sparse_categorical_crossentropy", &metrics[..3]);
    let spec = |params: serde_json::Value, weighted: bool| MetricSpec {
        make: Box::new(move |target| metric::make("MeanIoU", params.as_object().unwrap(), target)),
        weighted,
    };
    own.metrics.push(spec(json!({"num_classes": 3, "sparse_y_pred": false}), false));
    own.metrics.push(spec(json!({"num_classes": 3, "sparse_y_pred": false, "name": "weighted"}), true));
    own.class_weights = ClassWeights::new(vec![(0, 0.5), (2, 3.0)]);
    parts.outputs = vec![own];
    let params =
        json!({"gradient_accumulation_steps": 3, "use_ema": true, "ema_overwrite_frequency": 2, "clipnorm": 0.5});
    parts.optimizer = optimizer::make("Adam", params.as_object().unwrap()).unwrap();
    let params = json!({"initial_learning_rate": 0.05, "decay_steps": 5, "decay_rate": 0.7});
    parts.rate = Rate::Schedule(crate::schedule::make("ExponentialDecay", params.as_object().unwrap()).unwrap());
    parts.kernels = kernels;
}

fn bits(weights: &Named) -> Vec<u32> {
    weights
        .iter()
        .flat_map(|(_, array)| array.as_f32().iter().map(|value| value.to_bits()).collect::<Vec<_>>())
        .collect()
}

#[test]
fn every_step_is_a_place_to_go_on_from() {
    for kernels in [true, false] {
        let keeper = Keeper::default();
        let parts = |parts: &mut Parts, keeper: &Keeper| {
            rich(parts, kernels);
            parts.services = vec![Box::new(keeper.clone())];
        };
        let mut whole = trainer(|own| {
            parts(own, &keeper);
            own.checkpoints.steps = Some(1);
        });
        let history = whole.train(&mut Quiet).unwrap();
        assert!(history.values("weighted") != history.values("mean_io_u"), "classes weigh: {history:?}");
        let expected = bits(&whole.weights().unwrap());
        // Eight batches an epoch; the one after the last is that of the epoch.
        let of_epoch = |epoch: usize| (1..8).map(move |batch| (epoch, batch)).chain([(epoch + 1, 0)]);
        assert_eq!(keeper.positions(), (0..3).flat_map(of_epoch).collect::<Vec<_>>());

        let checkpoints = std::mem::take(&mut *keeper.0.lock().unwrap());
        for checkpoint in &checkpoints {
            let position = checkpoint.state.position();
            let mut resumed = trainer(|own| {
                parts(own, &Keeper::default());
                own.weights = own.network.initialise(99).unwrap();
            });
            assert_eq!(resumed.resume(checkpoint).unwrap(), None);
            assert_eq!(resumed.position(), position);
            let rest = resumed.train(&mut Quiet).unwrap();
            assert_eq!(rest.epochs[..], history.epochs[position.epochs..], "{position}");
            assert_eq!(rest.steps, history.steps);
            assert_eq!(expected, bits(&resumed.weights().unwrap()), "{position}");
        }
    }
}

/// Sets the stop flag after a step.
struct StopAfter(u64, Arc<AtomicBool>);

impl Progress for StopAfter {
    fn batch(&mut self, _: &Step) {
        self.0 = self.0.saturating_sub(1);
        self.1.store(self.0 == 0, Ordering::Relaxed);
    }
}

#[test]
fn a_run_that_is_stopped_keeps_what_it_has_done() {
    let mut whole = trainer(|parts| rich(parts, true));
    let history = whole.train(&mut Quiet).unwrap();
    // Within an epoch, and after the last batch of one, before it is validated.
    for (after, position) in [(3, (0, 3)), (8, (0, 8)), (16, (1, 8)), (23, (2, 7))] {
        let keeper = Keeper::default();
        let mut stopped = trainer(|parts| {
            rich(parts, true);
            parts.services = vec![Box::new(keeper.clone())];
            parts.checkpoints.stop = true;
        });
        let mut progress = StopAfter(after, stopped.stop_flag());
        assert!(stopped.train(&mut progress).unwrap().interrupted);
        let checkpoint = keeper.0.lock().unwrap().pop().unwrap();
        assert_eq!(checkpoint.state.position(), Position { epochs: position.0, batches: position.1 });
        let mut resumed = trainer(|parts| rich(parts, true));
        resumed.resume(&checkpoint).unwrap();
        let rest = resumed.train(&mut Quiet).unwrap();
        assert_eq!(rest.epochs[..], history.epochs[position.0..], "stopped after step {after}");
        assert_eq!(bits(&whole.weights().unwrap()), bits(&resumed.weights().unwrap()));
    }
}

#[test]
fn a_checkpoint_of_another_run_is_refused() {
    let keeper = Keeper::default();
    let mut first = trainer(|parts| {
        parts.services = vec![Box::new(keeper.clone())];
        parts.checkpoints.steps = Some(5);
        parts.epochs = 1;
    });
    first.train(&mut Quiet).unwrap();
    assert_eq!(keeper.positions(), [(0, 5), (1, 0)]);
    let checkpoint = keeper.0.lock().unwrap().remove(0);

    let mut other = trainer(|parts| {
        parts.outputs = vec![output("y", "sparse_categorical_crossentropy", &["sparse_categorical_crossentropy"])]
    });
    other.resume(&checkpoint).unwrap();
    let error = other.train(&mut Quiet).unwrap_err();
    assert_eq!(error.message(), "the checkpoint knows nothing of `sparse_categorical_crossentropy`");
    let mut shorter = trainer(|parts| parts.train = data(12, Mode::Train));
    let error = shorter.resume(&checkpoint).unwrap_err();
    let expected = "the checkpoint was written after 5 batches of epoch 1, but epochs of this run have 3 batches";
    assert_eq!(error.message(), expected);
}
