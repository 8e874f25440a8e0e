//! Running results of metrics after each of three batches.

use barrage::metric::{self, MetricTarget};
use barrage::tensor::{Array, Tensor};
use serde_json::{Value, json};

use super::{Case, numbers};

pub fn check(case: &Case) -> Result<(), String> {
    running_results(case).map_err(|error| error.to_string())
}

fn running_results(case: &Case) -> Result<(), Box<dyn std::error::Error>> {
    let steps = case.input("steps").as_array().ok_or("steps")?;
    // `Mean` and `Sum` take values, which are predictions here.
    let of = |step: &Value| if step["y_pred"].is_null() { step["y_true"].clone() } else { step["y_pred"].clone() };
    let (labels, output) = (numbers(&steps[0]["y_true"]).shape, numbers(&of(&steps[0])).shape);
    let target = MetricTarget { labels: &labels, output: &output };
    let mut metric = metric::make(case.component(), &case.params(), &target)?;
    if metric.result()? != 0.0 {
        return Err("before the first batch the result is not 0".into());
    }
    // Twice: a reset metric starts anew.
    for _ in 0..2 {
        metric.reset();
        let expected = case.expected("results").as_array().ok_or("results")?;
        for (at, (step, expected)) in steps.iter().zip(expected).enumerate() {
            let weight = &step["sample_weight"];
            let weight = if weight.is_null() { None } else { Some(tensor(weight)?) };
            metric.update(&tensor(&step["y_true"])?, &tensor(&of(step))?, weight.as_ref())?;
            case.compare(&format!("batch {at}"), &metric.results()?, expected)?;
            // What a checkpoint keeps is all there is: a fresh metric with it goes on alike.
            let mut fresh = metric::make(case.component(), &case.params(), &target)?;
            fresh.restore(&metric.state()?)?;
            if fresh.results()? != metric.results()? && !metric.result()?.is_nan() {
                return Err("a restored metric differs".into());
            }
            metric = fresh;
        }
    }
    Ok(())
}

#[test]
fn accuracy_is_resolved_by_shapes() {
    let resolved = |labels: &[usize], output: &[usize], y_true: Value, y_pred: Value| -> f64 {
        let target = MetricTarget { labels, output };
        let mut metric = metric::make("acc", &serde_json::Map::new(), &target).expect("a metric");
        assert_eq!(metric.name(), "acc");
        metric.update(&tensor(&y_true).unwrap(), &tensor(&y_pred).unwrap(), None).expect("an update");
        metric.result().expect("a result")
    };
    let scores = json!({"shape": [2, 3], "dtype": "float32", "data": [0.1, 0.2, 0.7, 0.8, 0.1, 0.1]});
    let column = json!({"shape": [2, 1], "dtype": "int32", "data": [2, 0]});
    let flat = json!({"shape": [2], "dtype": "int32", "data": [2, 1]});
    let one_hot = json!({"shape": [2, 3], "dtype": "float32", "data": [0, 0, 1, 0, 1, 0]});
    let single = json!({"shape": [2, 1], "dtype": "float32", "data": [0.9, 0.4]});
    let binary = json!({"shape": [2], "dtype": "int32", "data": [1, 0]});
    assert_eq!(resolved(&[2, 1], &[2, 3], column, scores.clone()), 1.0);
    assert_eq!(resolved(&[2], &[2, 3], flat, scores.clone()), 0.5);
    assert_eq!(resolved(&[2, 3], &[2, 3], one_hot, scores), 0.5);
    assert_eq!(resolved(&[2], &[2, 1], binary, single), 1.0);
}

#[test]
fn names_are_those_of_keras() {
    let target = MetricTarget { labels: &[4, 3], output: &[4, 3] };
    for (name, params, reported) in [
        ("AUC", json!({}), "auc"),
        ("mse", json!({}), "mse"),
        ("MeanSquaredError", json!({}), "mean_squared_error"),
        ("barrage.metrics.F1Score", json!({}), "f1_score"),
        ("accuracy", json!({}), "accuracy"),
        ("accuracy", json!({"name": "right"}), "right"),
        ("mae", json!({"name": "off_by"}), "off_by"),
    ] {
        let metric = metric::make(name, params.as_object().unwrap(), &target).expect("a metric");
        assert_eq!(metric.name(), reported);
    }
}

fn tensor(value: &Value) -> Result<Tensor, Box<dyn std::error::Error>> {
    let numbers = numbers(value);
    let shape = ndarray::IxDyn(&numbers.shape);
    Ok(Tensor::Host(match numbers.dtype.as_str() {
        "float32" => {
            let data = numbers.data.into_iter().map(|value| value as f32).collect();
            Array::F32(ndarray::ArcArray::from_shape_vec(shape, data)?)
        }
        _ => {
            let data = numbers.data.into_iter().map(|value| value as i64).collect();
            Array::I64(ndarray::ArcArray::from_shape_vec(shape, data)?)
        }
    }))
}
