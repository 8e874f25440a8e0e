//! Parameters after ten steps of each optimizer.

use barrage::optimizer::{self, Parameter};
use barrage::schedule::{self, Constant, Schedule};
use serde_json::Value;

use super::{Case, default_rate, numbers};

/// The parameters of every case, with their shapes.
const NAMES: [&str; 2] = ["a", "b"];

pub fn check(case: &Case) -> Result<(), String> {
    steps(case).map_err(|error| error.to_string())
}

fn steps(case: &Case) -> Result<(), Box<dyn std::error::Error>> {
    let mut params = case.params();
    let schedule: Box<dyn Schedule> = match params.shift_remove("learning_rate") {
        None => Box::new(Constant(default_rate(case.component()))),
        Some(Value::Number(rate)) => Box::new(Constant(rate.as_f64().ok_or("a rate")?)),
        Some(block) => schedule::make(
            block["component"].as_str().ok_or("a schedule")?,
            block["params"].as_object().ok_or("its parameters")?,
        )?,
    };
    let optimizer = optimizer::make(case.component(), &params)?;
    // Both parameters in one slice, the second at the next multiple of 16 numbers.
    let mut values = Vec::new();
    let parameters: Vec<Parameter> = NAMES
        .iter()
        .map(|name| {
            let (shape, own) = (numbers(&case.input("variables")[name]).shape, floats(&case.input("variables")[name]));
            let start = values.len();
            values.extend_from_slice(&own);
            values.resize(values.len().next_multiple_of(16), 0.0);
            Parameter { name: (*name).to_owned(), shape, range: start..start + own.len() }
        })
        .collect();
    let mut state = optimizer.start(parameters.clone(), &values)?;

    let gradients = case.input("gradients").as_array().ok_or("gradients")?;
    for (step, by_name) in gradients.iter().enumerate() {
        let mut gradients = vec![0.0; values.len()];
        for (name, parameter) in NAMES.iter().zip(&parameters) {
            gradients[parameter.range.clone()].copy_from_slice(&floats(&by_name[name]));
        }
        optimizer.apply(&mut state, schedule.learning_rate(step as u64)? as f32, &mut values, &mut gradients)?;
        let found = parameters.iter().map(|parameter| values[parameter.range.clone()].to_vec()).collect::<Vec<_>>();
        compare(case, &format!("step {step}"), &found, &case.expected("steps")[step])?;

        // What a checkpoint keeps is all there is: a fresh state with it goes on alike.
        let arrays: Vec<Vec<f32>> = state.arrays().into_iter().map(|(_, _, values)| values.to_vec()).collect();
        let mut fresh = optimizer.start(parameters.clone(), &values)?;
        fresh.restore(state.step, arrays)?;
        if fresh != state {
            return Err("a restored state differs".into());
        }
    }
    if !case.expected("ema").is_null() {
        let averages = state.arrays().into_iter().filter(|(_, name, _)| *name == "average");
        let averages: Vec<Vec<f32>> = averages.map(|(_, _, values)| values.to_vec()).collect();
        compare(case, "average", &averages, case.expected("ema"))?;
        optimizer.finish(&state, &mut values);
        let found = parameters.iter().map(|parameter| values[parameter.range.clone()].to_vec()).collect::<Vec<_>>();
        compare(case, "finished", &found, case.expected("finalized"))?;
    }
    Ok(())
}

fn compare(case: &Case, what: &str, found: &[Vec<f32>], expected: &Value) -> Result<(), String> {
    for (name, values) in NAMES.iter().zip(found) {
        let values: Vec<f64> = values.iter().map(|value| f64::from(*value)).collect();
        case.compare(&format!("{what}, {name}"), &values, &expected[name])?;
    }
    Ok(())
}

fn floats(value: &Value) -> Vec<f32> {
    numbers(value).data.into_iter().map(|value| value as f32).collect()
}
#[test]
fn parameters_are_checked() {
    for (name, params, message) in [
        ("Adam", serde_json::json!({"learning_rate": 0.1}), "`Adam` has no parameter `learning_rate`"),
        ("Adam", serde_json::json!({"beta1": 0.9}), "`Adam` has no parameter `beta1`"),
        ("Adamm", serde_json::json!({}), "unknown optimizer `Adamm`"),
        (
            "SGD",
            serde_json::json!({"clipnorm": 1.0, "clipvalue": 1.0}),
            "only one of `clipnorm`, `global_clipnorm` and `clipvalue` may be given",
        ),
        (
            "SGD",
            serde_json::json!({"momentum": 2}),
            "parameter `momentum` of `SGD`: expected a number from 0 to 1, found 2",
        ),
    ] {
        let error = optimizer::make(name, params.as_object().expect("a map")).err().expect("an error");
        assert_eq!(error.message(), message);
    }
}

#[test]
fn every_optimizer_bears_empty_and_awkward_shapes() {
    for entry in optimizer::LIST {
        let optimizer = optimizer::make(entry.name, &serde_json::Map::new()).expect("optimizers have defaults");
        for shape in [&[][..], &[0], &[1], &[0, 3], &[3, 0], &[1, 1], &[5, 2], &[2, 5], &[2, 3, 4], &[2, 0, 4]] {
            let length = shape.iter().product();
            let (mut parameter, mut gradient) = (vec![0.5; length], vec![0.0; length]);
            let whole = Parameter { name: "w".to_owned(), shape: shape.to_vec(), range: 0..length };
            let mut state = optimizer.start(vec![whole], &parameter).expect("a state");
            for step in 0..3 {
                gradient.fill(step as f32);
                let updated = optimizer.apply(&mut state, 0.01, &mut parameter, &mut gradient).expect("a step");
                assert!(updated, "{}", entry.name);
            }
            let finite = parameter.iter().all(|value| value.is_finite());
            assert!(finite, "{} {shape:?}: {parameter:?}", entry.name);
        }
    }
}

#[test]
fn weights_that_are_excluded_are_not_decayed() {
    let params = serde_json::json!({"weight_decay": 0.5, "exclude_from_weight_decay": ["bias", "norm*gamma"]});
    let sgd = optimizer::make("SGD", params.as_object().expect("a map")).expect("an optimizer");
    let names = ["dense/kernel", "dense/bias", "norm_1/gamma", "norm_1/beta"];
    let parameter =
        |(at, name): (usize, &&str)| Parameter { name: (*name).to_owned(), shape: vec![1], range: at..at + 1 };
    let mut values = vec![1.0; 4];
    let mut state = sgd.start(names.iter().enumerate().map(parameter).collect(), &values).expect("a state");
    sgd.apply(&mut state, 0.1, &mut values, &mut [0.0; 4]).expect("a step");
    assert_eq!(values, [0.95, 1.0, 1.0, 0.95]);
}
