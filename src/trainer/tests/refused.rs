use super::*;
use crate::error::{Error, Result};
use crate::loss::Loss;
use crate::service::Service;
use crate::tensor::Graph;
use crate::trainer::Quiet;

/// Returns the error of a check and sees that it changed no weight.
fn refused(change: impl FnOnce(&mut Parts)) -> Error {
    let mut parts = parts(7);
    change(&mut parts);
    let mut trainer = match Trainer::new(parts) {
        Ok(trainer) => trainer,
        Err(error) => return error,
    };
    let before = trainer.weights().unwrap();
    let error = trainer.check().unwrap_err();
    let after = trainer.weights().unwrap();
    assert!(before.iter().zip(&after).all(|((_, before), (_, after))| before.same(after)));
    assert!(trainer.train(&mut Quiet).is_err());
    error
}

fn train(tables: Tables) -> impl FnOnce(&mut Parts) {
    move |parts| parts.train = dataset(30, tables, Mode::Train, 3, Options::default()).unwrap()
}

#[test]
fn inputs_and_outputs_are_checked_by_name() {
    let mut tables = points(30);
    tables.x[0].0 = "features".into();
    tables.y[0].0 = "yy".into();
    tables.w = Some(vec![column("z", numbers(&[1.0; 30], &[30]))]);
    let error = refused(train(tables));
    let all: Vec<&str> = std::iter::once(&error).chain(error.also()).map(Error::message).collect();
    assert_eq!(
        all,
        [
            "the loader gives an input `features`, but the network has no input of that name",
            "the network needs an input `x`, but the loader gives none of that name",
            "the loader gives an output `yy`, but the network has no output of that name",
            "the network needs an output `y`, but the loader gives none of that name",
            "the loader gives a sample weight `z`, but the network has no output of that name",
        ]
    );
    assert_eq!(error.also()[1].hints(), ["did you mean `y`?", "the network's outputs: `y`"]);
}

#[test]
fn shapes_are_checked_against_the_network_and_the_loss() {
    let mut tables = points(30);
    tables.x = vec![column("x", numbers(&[0.5; 150], &[30, 5]))];
    let error = refused(train(tables));
    assert_eq!(error.message(), "input `x`: the network takes shape [4], the loader gives [5] for each record");

    let mut tables = points(30);
    tables.x = vec![column("x", numbers(&[0.5; 120], &[30, 2, 2]))];
    let error = refused(train(tables));
    assert_eq!(error.hints(), ["the number of values is right: reshape them in the loader or the transformer"]);

    let error = refused(train(ones(30, 3)));
    assert!(error.to_string().contains("output `y`, target [4, 3], prediction [4, 3]"), "{error}");
    let error = refused(|parts| {
        parts.validation = Some(dataset(10, ones(10, 3), Mode::Validation, 3, Options::default()).unwrap());
    });
    assert!(error.to_string().contains("validation"), "{error}");
}

#[test]
fn every_output_needs_a_loss() {
    let error = refused(|parts| parts.outputs = vec![output("yy", "mse", &[]), output("y", "mse", &[])]);
    assert_eq!(error.message(), "the network has no output `yy`");
    assert_eq!(error.hints(), ["did you mean `y`?", "its outputs: `y`"]);
    let error = refused(|parts| parts.outputs.clear());
    assert_eq!(error.message(), "output `y` of the network has no loss");
    let error = refused(|parts| {
        parts.outputs[0].metrics.extend(output("y", "mse", &["accuracy"]).metrics);
    });
    assert_eq!(error.message(), "two values would be reported as `accuracy`");
}

#[test]
fn a_first_loss_that_is_no_number_names_what_caused_it() {
    let mut tables = points(30);
    let mut x = vec![0.5; 120];
    x[4 * 17 + 2] = f32::NAN;
    tables.x = vec![column("x", numbers(&x, &[30, 4]))];
    let error = refused(|parts| {
        let options = Options { shuffle: false, ..Options::default() };
        // All records are in the first batch.
        let stations = crate::dataset::testing::stations(Arc::new(tables), None);
        let records = crate::dataset::testing::records(30, &[]);
        parts.train = Dataset::new(records, stations, Mode::Train, 30, 1, options).unwrap();
    });
    assert_eq!(error.message(), "the loss of output `y` is NaN in the first step");
    assert_eq!(error.hints()[0], "input `x` is not a finite number in record 17 of table.csv");
}

/// A loss that forgets where the prediction came from.
struct Detached;

impl Loss for Detached {
    fn name(&self) -> &str {
        "detached"
    }

    fn per_sample(&self, _: &Graph, y_pred: &Graph) -> Result<Graph> {
        Ok(y_pred.detach().sum(1)?)
    }
}

#[test]
fn weights_without_a_gradient_are_named() {
    let error = refused(|parts| parts.outputs[0].loss = Box::new(Detached));
    assert_eq!(
        error.message(),
        "the trainable weights `hidden/kernel`, `hidden/bias`, `norm/gamma`, `norm/beta`, `y/kernel`, `y/bias` \
         received no gradient"
    );
}

/// Watches a value, and may set the learning rate.
struct Watches(&'static str, bool);

impl Service for Watches {
    fn name(&self) -> &str {
        "best_checkpoint"
    }

    fn monitor(&self) -> Option<&str> {
        Some(self.0)
    }

    fn sets_learning_rate(&self) -> bool {
        self.1
    }
}

#[test]
fn services_watch_what_is_reported() {
    let error = refused(|parts| parts.services = vec![Box::new(Watches("val_acuracy", false))]);
    assert_eq!(error.message(), "service `best_checkpoint`: nothing is reported as `val_acuracy`");
    assert_eq!(
        error.hints(),
        ["did you mean `val_accuracy`?", "reported: `loss`, `accuracy`, `val_loss`, `val_accuracy`"]
    );
    let error = refused(|parts| {
        parts.validation = None;
        parts.services = vec![Box::new(Watches("val_loss", false))];
    });
    assert!(
        error.hints().iter().any(|hint| hint.starts_with("there are no validation records")),
        "{:?}",
        error.hints()
    );
    let error = refused(|parts| {
        let params = serde_json::json!({"initial_learning_rate": 0.1, "decay_steps": 8, "decay_rate": 0.5});
        parts.rate = Rate::Schedule(crate::schedule::make("ExponentialDecay", params.as_object().unwrap()).unwrap());
        parts.services = vec![Box::new(Watches("loss", true))];
    });
    assert_eq!(error.message(), "service `best_checkpoint` changes the learning rate, but a schedule sets it");
}

#[test]
fn a_learning_rate_is_a_number_of_at_least_0() {
    let error = refused(|parts| parts.rate = Rate::Constant(f64::NAN));
    assert_eq!(error.message(), "the learning rate: expected a number of at least 0, found NaN");
}
