//! Operations against tables made with Pillow 12 and SciPy, and the properties of those that draw. (Pillow weighs u8 with whole
//! numbers when it resizes: one step of difference. Points exactly between two pixels are left out: the even pixel is taken
//! here, as in torchvision, the further one by Pillow.)

use serde_json::Value as Json;

use super::{Given, Pass, named};
use crate::batch::Items;
use crate::pipeline::{Index, Target};
use crate::random::{Random, Stream};
use crate::record::Value;
use crate::tensor::{Array, Dtype};

fn array(json: &Json) -> Array {
    let shape: Vec<usize> = json["shape"].as_array().unwrap().iter().map(|n| n.as_u64().unwrap() as usize).collect();
    let data = json["data"].as_array().unwrap().iter().map(|n| n.as_f64().unwrap()).collect();
    let array = Array::from_f64(data, &shape).unwrap();
    array.cast(if json["dtype"] == "uint8" { Dtype::U8 } else { Dtype::F32 })
}

fn batch_of(picture: &Array, count: usize) -> Items {
    Items::Dense(Array::stack(&vec![picture.clone(); count]).unwrap())
}

fn run(operation: &str, given: &Given, items: &Items, target: Target, chance: Option<f64>) -> crate::Result<Items> {
    let draw = Random::new(7, Stream::Batch, &[1]);
    let pass = Pass { chance, draw: &draw, target, workers: None };
    named(operation).unwrap().apply(items, &Index::count(items.len()).unwrap(), given, pass)
}

fn given(options: Json) -> Given {
    let options = options.as_object().unwrap().clone();
    let value = |(name, value): (String, Json)| (name.as_str().into(), Value::from_json(&value));
    Given { same: options.into_iter().map(value).collect(), each: Vec::new() }
}

#[test]
fn numbers_are_those_of_pillow_and_scipy() {
    let mut wrong = Vec::new();
    let table = include_str!("../../../tests/data/pictures.jsonl");
    for line in table.lines() {
        let case: Json = serde_json::from_str(line).unwrap();
        let mut options = given(case["options"].clone());
        for (name, value) in &mut options.same {
            if let ("background", Value::Tensor(tensor)) = (&**name, &value) {
                *value = Value::Tensor(tensor.to_host().unwrap().cast(Dtype::U8).into());
            }
        }
        let found =
            run(case["operation"].as_str().unwrap(), &options, &batch_of(&array(&case["x"]), 1), Target::For, None);
        let expected = array(&case["y"]);
        let found = match found.and_then(|items| items.get(0)) {
            Ok(Value::Tensor(found)) => found.to_host().unwrap(),
            Ok(other) => panic!("{}: {}", case["name"], other.describe()),
            Err(error) => {
                wrong.push(format!("{}: {error}", case["name"]));
                continue;
            }
        };
        if (found.shape(), found.dtype()) != (expected.shape(), expected.dtype()) {
            wrong.push(format!("{}: {:?} {}", case["name"], found.shape(), found.dtype()));
            continue;
        }
        let (found, expected) = (found.to_f64_vec(), expected.to_f64_vec());
        let tolerance = case["tolerance"].as_f64().unwrap();
        let off = found.iter().zip(&expected).filter(|(a, b)| (*a - *b).abs() > tolerance).count();
        if off > 0 {
            wrong.push(format!("{}: {off} of {} differ\n  {found:?}\n  {expected:?}", case["name"], found.len()));
        }
    }
    assert!(table.lines().count() > 50, "cases are missing");
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

#[test]
fn draws_are_the_same_on_any_number_of_threads_and_for_any_component() {
    let picture = Array::from_u8((0..75).map(|at| at * 3).collect(), &[5, 5, 3]).unwrap();
    let items = batch_of(&picture, 24);
    for (operation, options) in [
        ("salt", serde_json::json!({ "p_noise": 0.3, "size": 2 })),
        ("cutout", serde_json::json!({ "shape": [2, 3], "color": [1, 2, 3] })),
        ("crop", serde_json::json!({ "shape": [3, 3], "origin": "random" })),
        ("additive_noise", serde_json::json!({ "scale": 20.0 })),
        ("multiplicative_noise", serde_json::json!({ "distribution": "uniform", "clip": true, "preserve_type": true })),
        ("elastic_transform", serde_json::json!({ "alpha": 8, "sigma": 1.5 })),
        ("scale", serde_json::json!({ "factor": 0.5, "preserve_shape": true, "origin": "random" })),
    ] {
        let all = [Target::For, Target::Threads, Target::Async]
            .map(|target| run(operation, &given(options.clone()), &items, target, Some(0.7)).unwrap());
        let numbers = |items: &Items| match items {
            Items::Dense(array) => array.to_f64_vec(),
            Items::Mixed(values) => values
                .iter()
                .flat_map(|value| match value {
                    Value::Tensor(tensor) => tensor.to_host().unwrap().to_f64_vec(),
                    _ => Vec::new(),
                })
                .collect(),
        };
        let first = numbers(&all[0]);
        assert!(all.iter().all(|items| numbers(items) == first), "{operation}");
        // Items draw for themselves, and some are left as they are.
        let changed: Vec<bool> = (0..24)
            .map(|at| match all[0].get(at).unwrap() {
                Value::Tensor(tensor) => {
                    let found = tensor.to_host().unwrap();
                    found.shape() != picture.shape() || found.to_f64_vec() != picture.to_f64_vec()
                }
                _ => false,
            })
            .collect();
        let count = changed.iter().filter(|changed| **changed).count();
        assert!((10..24).contains(&count), "{operation} {count}");
    }
}

#[test]
fn draws_have_the_stated_shares() {
    let black = batch_of(&Array::from_u8(vec![0; 10_000], &[100, 100]).unwrap(), 1);
    let Items::Dense(salted) =
        run("salt", &given(serde_json::json!({ "p_noise": 0.1 })), &black, Target::For, None).unwrap()
    else {
        panic!("no array")
    };
    let share = salted.to_f64_vec().iter().filter(|x| **x == 255.0).count() as f64 / 10_000.0;
    assert!((share - 0.1).abs() < 0.015, "{share}");
    let noise = given(serde_json::json!({ "loc": 5, "scale": 2 }));
    let Items::Dense(noisy) = run("additive_noise", &noise, &black, Target::For, None).unwrap() else {
        panic!("no array")
    };
    let data = noisy.to_f64_vec();
    let mean = data.iter().sum::<f64>() / data.len() as f64;
    let deviation = (data.iter().map(|x| (x - mean).powi(2)).sum::<f64>() / data.len() as f64).sqrt();
    assert!((mean - 5.0).abs() < 0.1 && (deviation - 2.0).abs() < 0.1, "{mean} {deviation}");
}

#[test]
fn what_is_wrong_is_told() {
    let items = batch_of(&Array::from_u8(vec![0; 12], &[2, 2, 3]).unwrap(), 2);
    let flat = Items::Dense(Array::from_i64(vec![1, 2], &[2]).unwrap());
    for (operation, options, items, expected) in [
        ("crop", serde_json::json!({}), &items, "`crop` needs the option `shape`"),
        (
            "crop",
            serde_json::json!({ "shape": [0, 2] }),
            &items,
            "option `shape` of `crop`: expected [height, width], whole numbers of at least 1, found a tensor of shape [2]",
        ),
        ("crop", serde_json::json!({ "shape": 1, "origin": "middle" }), &items, "unknown origin `middle`"),
        ("crop", serde_json::json!({ "shap": [1, 1] }), &items, "`crop` has no option `shap`"),
        ("flip", serde_json::json!({ "mod": "lr" }), &items, "`flip` has no option `mod`"),
        ("flip", serde_json::json!({}), &flat, "`flip` needs a picture, found the number 1"),
        (
            "resize",
            serde_json::json!({ "size": [null, null] }),
            &items,
            "option `size` of `resize`: expected [height, width], whole numbers of at least 1, one of which may be (), found a list of 2",
        ),
        (
            "clip",
            serde_json::json!({ "low": [1, 2] }),
            &items,
            "`low`: expected one number, or 3 of them for the channels, found 2",
        ),
        (
            "enhance",
            serde_json::json!({ "factor": [1, 2] }),
            &items,
            "option `factor` of `enhance`: expected one for each letter of \"hcbs\", found 2",
        ),
        (
            "posterize",
            serde_json::json!({ "bits": 9 }),
            &items,
            "option `bits` of `posterize`: expected 1 to 8, found 9",
        ),
        ("filter", serde_json::json!({ "mode": "blurr" }), &items, "unknown filter `blurr`"),
    ] {
        let error = run(operation, &given(options), items, Target::For, None).unwrap_err();
        assert_eq!(error.message(), expected, "{operation}");
    }
    let each = Given { same: Vec::new(), each: vec![("angle".into(), vec![Value::Int(1)])] };
    let error = run("rotate", &each, &items, Target::For, None).unwrap_err();
    assert_eq!(error.message(), "option `angle` of `rotate`: expected 2 values, one for each item, found 1");
}
