//! The decisions of the early stoppings, the learning-rate reducer and the best checkpoint, against Keras'.
//!
//! What differs fails here and now, with both sides.

use std::path::Path;

use barrage::artifact::{Writer, checkpoint, layout};
use barrage::service::{Control, Gathered, LIST, Logs, Moment, Service, Weights};
use barrage::tensor::Array;
use serde_json::{Map, Value};

use super::Case;

/// Weights that are the number of the epoch.
struct Mark(usize);

impl Weights for Mark {
    fn weights(&self) -> barrage::Result<Vec<(String, Array)>> {
        let array = ndarray::ArrayD::from_elem(vec![1], self.0 as i64);
        Ok(vec![("mark".to_owned(), Array::I64(array.into_shared()))])
    }

    fn optimizer_state(&self) -> barrage::Result<Vec<(String, Array)>> {
        Ok(vec![])
    }
}

fn mark(arrays: &[(String, Array)]) -> i64 {
    match &arrays[0].1 {
        Array::I64(array) => array[[0]],
        other => panic!("expected an int64 mark, found {other:?}"),
    }
}

pub fn check(case: &Case) -> Result<(), String> {
    decide(case.value());
    Ok(())
}

fn decide(case: &Value) {
    let name = case["name"].as_str().unwrap();
    let values: Vec<f64> = case["inputs"]["values"]["data"].as_array().unwrap().iter().map(number).collect();
    let expected = &case["expected"];
    match case["component"].as_str().unwrap() {
        "EarlyStopping" => {
            let run = run(case, early_stopping(case), &values);
            assert_eq!(run.epochs, expected["epochs_run"], "{name}");
            let stopped = run.control.stop.is_some().then(|| run.epochs - 1);
            assert_eq!(serde_json::json!(stopped), expected["stopped_epoch"], "{name}");
            assert_eq!(run.service.state().unwrap()["best_epoch"], expected["best_epoch"], "{name}");
            let last = run.epochs as i64 - 1;
            let left = run.control.restore.as_ref().map_or(last, |weights| mark(weights));
            assert_eq!(left, expected["weights_from_epoch"], "{name}");
        }
        "ReduceLROnPlateau" => {
            let run = run(case, "learning_rate_reducer", &values);
            let rates = expected["lr_after_epoch"]["data"].as_array().unwrap();
            assert_eq!(run.rates.len(), rates.len(), "{name}");
            for (found, expected) in run.rates.iter().zip(rates.iter().map(number)) {
                let (abs, rel) = (number(&case["tolerance"]["abs"]), number(&case["tolerance"]["rel"]));
                assert!((found - expected).abs() <= abs + rel * expected, "{name}: {found}, expected {expected}");
            }
        }
        "ModelCheckpoint" => {
            let best = case["params"]["save_best_only"] == true;
            let run = run(case, if best { "best_checkpoint" } else { "resume_checkpoint" }, &values);
            assert_eq!(serde_json::json!(run.saved), expected["saved"], "{name}");
        }
        other => panic!("{name}: unknown component `{other}`"),
    }
}

/// What a service did in a run.
struct Run {
    service: Box<dyn Service>,
    control: Control,
    epochs: usize,
    rates: Vec<f64>,
    saved: Vec<bool>,
}

fn run(case: &Value, name: &str, values: &[f64]) -> Run {
    let entry = LIST.iter().find(|entry| entry.name == name).unwrap();
    let mut service = entry.make(&params(case, name)).unwrap_or_else(|error| panic!("{}: {error}", case["name"]));
    let monitor = case["inputs"]["monitor"].as_str().unwrap();
    let folder = tempfile::tempdir().unwrap();
    let writer = Writer::new();
    let mut control = Control { learning_rate: number(&case["inputs"]["initial_lr"]), ..Control::default() };
    let (mut rates, mut saved) = (Vec::new(), Vec::new());
    let tell = |service: &mut dyn Service, control: &mut Control, epoch: usize, logs: &Logs, what: What| {
        let learning_rate = control.learning_rate;
        let mut moment = Moment {
            folder: folder.path(),
            writer: &writer,
            epoch,
            batches: 0,
            step: epoch as u64 + 1,
            learning_rate,
            logs,
            graph: &[],
            control,
            weights: &Mark(epoch),
        };
        match what {
            What::TrainBegin => service.on_train_begin(&mut moment),
            What::EpochEnd => service.on_epoch_end(&mut moment).and_then(|()| {
                let after = layout::Position::after(epoch + 1);
                let state = checkpoint::State::new(after, epoch as u64 + 1, 0, learning_rate);
                service.on_checkpoint(&mut moment, &Gathered { state, services: Vec::new(), metrics: Vec::new() })
            }),
            What::TrainEnd => service.on_train_end(&mut moment),
        }
        .unwrap();
    };
    tell(service.as_mut(), &mut control, 0, &vec![], What::TrainBegin);
    let mut epochs = 0;
    for (epoch, value) in values.iter().enumerate() {
        let logs = vec![("loss".to_owned(), 0.0), (monitor.to_owned(), *value)];
        tell(service.as_mut(), &mut control, epoch, &logs, What::EpochEnd);
        epochs = epoch + 1;
        rates.push(control.learning_rate);
        if case["component"] == "ModelCheckpoint" {
            writer.flush().unwrap();
            saved.push(was_saved(folder.path(), name, epoch));
        }
        if control.stop.is_some() {
            break;
        }
    }
    tell(service.as_mut(), &mut control, epochs - 1, &vec![], What::TrainEnd);
    Run { service, control, epochs, rates, saved }
}

enum What {
    TrainBegin,
    EpochEnd,
    TrainEnd,
}

fn was_saved(folder: &Path, name: &str, epoch: usize) -> bool {
    match name {
        "best_checkpoint" => {
            checkpoint::read_best(&folder.join(layout::BEST_CHECKPOINT)).is_ok_and(|(weights, best)| {
                assert_eq!(mark(&weights), best.epoch as i64);
                best.epoch == epoch
            })
        }
        _ => folder.join(layout::RESUME_CHECKPOINTS).join(layout::epoch(epoch + 1)).exists(),
    }
}

fn early_stopping(case: &Value) -> &'static str {
    match case["inputs"]["monitor"].as_str().unwrap().starts_with("val_") {
        true => "validation_early_stopping",
        false => "train_early_stopping",
    }
}

/// Keras' parameters as ours: `mode` is said (Keras guesses it from the name), and so are Keras' defaults where
/// ours differ.
fn params(case: &Value, name: &str) -> Map<String, Value> {
    let mut params = case["params"].as_object().unwrap().clone();
    params.remove("save_best_only");
    match name {
        "resume_checkpoint" => return Map::new(),
        "learning_rate_reducer" => {
            params.entry("factor").or_insert(0.1.into());
        }
        "best_checkpoint" => {}
        _ => {
            params.entry("min_delta").or_insert(0.0.into());
        }
    }
    params.entry("mode").or_insert("min".into());
    params
}

fn number(value: &Value) -> f64 {
    match value.as_str() {
        Some(text) => text.parse().unwrap(),
        None => value.as_f64().unwrap_or(f64::NAN),
    }
}
