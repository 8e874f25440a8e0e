//! All services together: a run that was killed and resumed equals one that was not.

use std::fs;
use std::path::Path;

use serde_json::{Value, json};

use super::testing::{Mark, Run, service, start};
use super::{LIST, Logs, Service};
use crate::artifact::weights::Named;
use crate::artifact::{Checkpoint, checkpoint};
use crate::tensor::Array;

/// A value that improves, stays, and is NaN once.
fn logs(epoch: usize) -> Logs {
    let losses = [0.9, 0.5, 0.1 + 0.2, f64::NAN, 0.31, 0.32, 0.29, 0.4, 0.5, 0.6];
    let loss = losses[epoch % losses.len()];
    vec![("loss".to_owned(), loss), ("accuracy".to_owned(), 1.0 - loss), ("val_loss".to_owned(), loss / 3.0)]
}

fn all() -> Vec<Box<dyn Service>> {
    let reducer = json!({ "monitor": "val_loss", "mode": "min", "patience": 1, "factor": 0.3, "cooldown": 1 });
    let stopping = json!({ "patience": 4, "restore_best_weights": true });
    vec![
        service("best_checkpoint", json!({})).unwrap(),
        service("resume_checkpoint", json!({})).unwrap(),
        service("tensorboard", json!({})).unwrap(),
        service("csv_report", json!({})).unwrap(),
        service("train_early_stopping", json!({ "patience": 50 })).unwrap(),
        service("validation_early_stopping", stopping).unwrap(),
        service("learning_rate_reducer", reducer).unwrap(),
        service("events", json!({})).unwrap(),
    ]
}

fn text(folder: &Path, name: &str) -> String {
    fs::read_to_string(folder.join(name)).unwrap()
}

fn events(folder: &Path) -> Vec<Value> {
    text(folder, "events.jsonl").lines().map(|line| serde_json::from_str(line).unwrap()).collect()
}

fn first(named: &Named) -> f32 {
    let Array::F32(array) = &named[0].1 else { panic!("expected float32") };
    array[[0]]
}

#[test]
fn a_resumed_run_equals_one_that_was_not_killed() {
    let whole = tempfile::tempdir().unwrap();
    let mut straight = Run::new(whole.path(), all());
    straight.train(20, logs, false).unwrap();
    assert_eq!(
        straight.control.stop.as_deref(),
        Some("validation_early_stopping: `val_loss` has not improved for 4 epochs")
    );
    assert_eq!(first(straight.control.restore.as_ref().unwrap()), 6.0);
    assert!(straight.control.messages.contains(&"epoch 00011: early stopping".to_owned()));

    for killed_after in [0, 1, 4, 7, 11] {
        let folder = tempfile::tempdir().unwrap();
        start(folder.path());
        Run::new(folder.path(), all()).train(killed_after, logs, true).unwrap();
        // What was written after the checkpoint, and what was half written.
        for name in ["training_report.csv", "events.jsonl"] {
            let torn = text(folder.path(), name) + "99,0.1,0.2";
            fs::write(folder.path().join(name), torn).unwrap();
        }
        let mut resumed = Run::new(folder.path(), all());
        resumed.train(20, logs, false).unwrap();
        for name in ["training_report.csv", "best_checkpoint/state.json"] {
            assert_eq!(text(folder.path(), name), text(whole.path(), name), "killed after {killed_after}");
        }
        assert_eq!(resumed.control.stop, straight.control.stop);
        assert_eq!(resumed.control.learning_rate.to_bits(), straight.control.learning_rate.to_bits());
        assert_eq!(first(resumed.control.restore.as_ref().unwrap()), 6.0);
        let last = |folder: &Path| {
            let mut last = Checkpoint::read(&folder.join("resume_checkpoints/epoch_0011")).unwrap().state;
            last.services.remove("tensorboard");
            last
        };
        assert_eq!(last(folder.path()), last(whole.path()));
        let epochs = |folder: &Path| -> Vec<Value> {
            let epochs = events(folder).into_iter().filter(|event| event["event"] == "epoch");
            epochs.map(|event| json!([event["epoch"], event["logs"], event["learning_rate"]])).collect()
        };
        assert_eq!(epochs(folder.path()), epochs(whole.path()));
    }
}

#[test]
fn the_report_and_the_events_say_what_happened() {
    let folder = tempfile::tempdir().unwrap();
    let services = || vec![service("csv_report", json!({})).unwrap(), service("events", json!({})).unwrap()];
    Run::new(folder.path(), services()).train(4, logs, false).unwrap();
    let expected = "epoch,learning_rate,loss,accuracy,val_loss\n\
                    0,0.1,0.9,0.09999999999999998,0.3\n\
                    1,0.1,0.5,0.5,0.16666666666666666\n\
                    2,0.1,0.30000000000000004,0.7,0.10000000000000002\n\
                    3,0.1,NaN,NaN,NaN\n";
    assert_eq!(text(folder.path(), "training_report.csv"), expected);
    let events = events(folder.path());
    let names: Vec<&str> = events.iter().map(|event| event["event"].as_str().unwrap()).collect();
    assert_eq!(names, ["run_begin", "epoch", "epoch", "epoch", "epoch", "run_end"]);
    assert_eq!(events[1]["logs"]["loss"], 0.9);
    assert_eq!(events[4]["logs"]["loss"], "NaN");
    assert_eq!(events[4]["step"], 40);
}

#[test]
fn the_header_is_written_at_once() {
    let folder = tempfile::tempdir().unwrap();
    let mut run = Run::new(folder.path(), vec![service("csv_report", json!({})).unwrap()]);
    run.each(&Mark(0.0), 0, 0, &logs(0), |service, moment| service.on_train_begin(moment)).unwrap();
    assert_eq!(text(folder.path(), "training_report.csv"), "epoch,learning_rate,loss,accuracy,val_loss\n");
    let error = run.each(&Mark(0.0), 0, 10, &vec![], |service, moment| service.on_epoch_end(moment)).unwrap_err();
    assert_eq!(error.message(), "`csv_report` has the column `loss`, which is not reported");
}

#[test]
fn watching_what_is_not_reported_is_an_error() {
    let reducer = json!({ "monitor": "val_los", "mode": "min", "patience": 1, "factor": 0.3 });
    for (name, params) in [
        ("best_checkpoint", json!({ "monitor": "val_los" })),
        ("train_early_stopping", json!({ "monitor": "val_loss_" })),
        ("validation_early_stopping", json!({ "monitor": "los" })),
        ("learning_rate_reducer", reducer),
    ] {
        let folder = tempfile::tempdir().unwrap();
        let mut run = Run::new(folder.path(), vec![service(name, params).unwrap()]);
        let watched = run.services[0].monitor().unwrap().to_owned();
        let error = run.train(1, logs, false).unwrap_err();
        assert_eq!(error.message(), format!("`{name}` watches `{watched}`, which is not reported"));
        assert_eq!(error.hints()[1], "reported: `loss`, `accuracy`, `val_loss`");
    }
}

#[test]
fn the_sides_of_early_stopping_are_corrected_and_said() {
    for (name, written, watched) in
        [("train_early_stopping", "val_loss", "loss"), ("validation_early_stopping", "loss", "val_loss")]
    {
        let folder = tempfile::tempdir().unwrap();
        let mut run = Run::new(folder.path(), vec![service(name, json!({ "monitor": written })).unwrap()]);
        assert_eq!(run.services[0].monitor(), Some(watched));
        run.train(1, logs, false).unwrap();
        assert_eq!(run.control.messages, [format!("`{name}` watches `{watched}`, not `{written}`")]);
    }
}

#[test]
fn a_loss_that_is_no_number_stops_at_once() {
    for (loss, reason) in [(f64::NAN, "NaN"), (f64::INFINITY, "inf")] {
        let folder = tempfile::tempdir().unwrap();
        let mut run = Run::new(folder.path(), vec![service("terminate_on_nan", json!({})).unwrap()]);
        let batch = |run: &mut Run, loss| {
            let logs = vec![("loss".to_owned(), loss)];
            run.each(&Mark(0.0), 0, 3, &logs, |service, moment| service.on_batch_end(moment)).unwrap();
        };
        batch(&mut run, 1.0);
        assert!(!run.control.at_once);
        batch(&mut run, loss);
        assert!(run.control.at_once);
        assert_eq!(run.control.stop, Some(format!("the loss became {reason} at step 3")));
    }
}

#[test]
fn checkpoints_are_kept_as_many_as_asked() {
    let folder = tempfile::tempdir().unwrap();
    start(folder.path());
    let services = |keep: Value| vec![service("resume_checkpoint", json!({ "keep": keep })).unwrap()];
    Run::new(folder.path(), services(json!(2))).train(5, logs, false).unwrap();
    let names = crate::artifact::names(&folder.path().join("resume_checkpoints")).unwrap();
    assert_eq!(names, ["epoch_0004", "epoch_0005"]);
    assert!(service("resume_checkpoint", json!({ "keep": 0 })).is_err());
}

#[test]
fn states_of_another_make_are_refused() {
    for entry in LIST {
        let params = json!({ "monitor": "val_loss", "mode": "min", "patience": 1, "factor": 0.5 });
        let params: serde_json::Map<String, Value> = params
            .as_object()
            .unwrap()
            .iter()
            .filter(|(name, _)| entry.parameters.iter().any(|parameter| parameter.name == *name))
            .map(|(name, value)| (name.clone(), value.clone()))
            .collect();
        let mut made = entry.make(&params).unwrap();
        assert_eq!(made.name(), entry.name);
        let own = made.state().unwrap();
        if !own.is_null() {
            made.restore(&own, vec![]).unwrap();
            let foreign = json!({ "wait": "x", "best": [1], "train": 3, "validation": 3 });
            let error = made.restore(&foreign, vec![]).unwrap_err();
            assert!(error.message().starts_with(&format!("the checkpoint's state of `{}`", entry.name)), "{error}");
        }
    }
    assert_eq!(checkpoint::FORMAT, 1);
}

/// Prints what the services of a small run cost; no time is asserted, since disks differ.
#[test]
fn the_cost_of_fifty_epochs_is_printed() {
    struct Network(Array);
    impl super::Weights for Network {
        fn weights(&self) -> crate::Result<Named> {
            Ok(vec![("dense/kernel".to_owned(), self.0.clone()), ("dense/bias".to_owned(), self.0.clone())])
        }

        fn optimizer_state(&self) -> crate::Result<Named> {
            let slots = ["dense/kernel/m", "dense/kernel/v", "dense/bias/m", "dense/bias/v"];
            Ok(slots.iter().map(|name| ((*name).to_owned(), self.0.clone())).collect())
        }
    }
    let network = Network(Array::F32(ndarray::Array1::from_elem(750, 0.5f32).into_dyn().into_shared()));
    let folder = tempfile::tempdir().unwrap();
    let begin = std::time::Instant::now();
    let names = LIST.iter().map(|entry| entry.name).filter(|name| *name != "learning_rate_reducer");
    let mut run = Run::new(folder.path(), names.map(|name| service(name, json!({})).unwrap()).collect());
    run.each(&network, 0, 0, &vec![], |service, moment| service.on_train_begin(moment)).unwrap();
    for epoch in 0..50 {
        let loss = 1.0 / (epoch + 1) as f64;
        let logs = ["loss", "accuracy", "val_loss"].map(|name| (name.to_owned(), loss)).to_vec();
        run.epoch(&network, epoch, &logs).unwrap();
    }
    run.each(&network, 49, 500, &vec![], |service, moment| service.on_train_end(moment)).unwrap();
    let training = begin.elapsed();
    run.writer.flush().unwrap();
    println!("services of 50 epochs: {training:?} on the training thread, {:?} with the disk", begin.elapsed());
    assert_eq!(crate::artifact::names(&folder.path().join("resume_checkpoints")).unwrap().len(), 50);
}
