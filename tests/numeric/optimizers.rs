//! Parameters after ten steps of each optimizer.

use barrage::optimizer::{self, Update};
use barrage::schedule::{self, Constant, Schedule};
use serde_json::Value;

use super::{Case, check_table, numbers};

/// The parameters of every case, with their shapes.
const NAMES: [&str; 2] = ["a", "b"];

#[test]
fn parameters_are_those_of_keras() {
    check_table("optimizers.json", |case| check(case).map_err(|error| error.to_string()));
}

fn check(case: &Case) -> Result<(), Box<dyn std::error::Error>> {
    let mut params = case.params();
    let schedule: Box<dyn Schedule> = match params.shift_remove("learning_rate") {
        None => Box::new(Constant(0.001)),
        Some(Value::Number(rate)) => Box::new(Constant(rate.as_f64().ok_or("a rate")?)),
        Some(block) => schedule::make(
            block["component"].as_str().ok_or("a schedule")?,
            block["params"].as_object().ok_or("its parameters")?,
        )?,
    };
    let optimizer = optimizer::make(case.component(), &params)?;
    let shapes = NAMES.map(|name| numbers(&case.input("variables")[name]).shape);
    let mut values = NAMES.map(|name| floats(&case.input("variables")[name]));
    let mut state = optimizer.start(shapes.iter().zip(&values).map(|(shape, values)| (&shape[..], &values[..])));

    let gradients = case.input("gradients").as_array().ok_or("gradients")?;
    for (step, gradients) in gradients.iter().enumerate() {
        let mut gradients = NAMES.map(|name| floats(&gradients[name]));
        let mut updates: Vec<Update> = shapes
            .iter()
            .zip(&mut values)
            .zip(&mut gradients)
            .map(|((shape, parameter), gradient)| Update { shape, parameter, gradient })
            .collect();
        optimizer.apply(&mut state, schedule.learning_rate(step as u64)? as f32, &mut updates)?;
        compare(case, &format!("step {step}"), &values, &case.expected("steps")[step])?;

        // What a checkpoint keeps is all there is: a fresh state with it goes on alike.
        let arrays: Vec<Vec<f32>> = state.arrays().into_iter().map(|(_, _, values)| values.to_vec()).collect();
        let mut fresh = optimizer.start(shapes.iter().zip(&values).map(|(shape, values)| (&shape[..], &values[..])));
        fresh.restore(state.step, arrays)?;
        if fresh != state {
            return Err("a restored state differs".into());
        }
    }
    if !case.expected("ema").is_null() {
        let averages = state.arrays().into_iter().filter(|(_, name, _)| *name == "average");
        let averages: Vec<Vec<f32>> = averages.map(|(_, _, values)| values.to_vec()).collect();
        compare(case, "average", &averages, case.expected("ema"))?;
        optimizer.finish(&state, values.iter_mut().map(|values| &mut values[..]));
        compare(case, "finished", &values, case.expected("finalized"))?;
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
            let mut state = optimizer.start([(shape, &parameter[..])]);
            for step in 0..3 {
                gradient.fill(step as f32);
                let update = Update { shape, parameter: &mut parameter, gradient: &mut gradient };
                assert!(optimizer.apply(&mut state, 0.01, &mut [update]).expect("a step"), "{}", entry.name);
            }
            let finite = parameter.iter().all(|value| value.is_finite());
            assert!(finite, "{} {shape:?}: {parameter:?}", entry.name);
        }
    }
}
