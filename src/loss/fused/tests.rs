use serde_json::json;

use super::*;
use crate::loss::{Loss, make};
use crate::random::{Random, Stream};
use crate::tensor::{Graph, Tensor, device::cpu};

fn numbers(count: usize, low: f32, high: f32, seed: u64) -> Vec<f32> {
    let mut random = Random::new(seed, Stream::Script, &[]);
    (0..count).map(|_| low + (high - low) * random.uniform() as f32).collect()
}

/// Holds the fused loss against the composed one: value and gradient, with and without weights.
fn check(loss: &dyn Loss, labels: &Array, predictions: &[f32], shape: &[usize]) {
    let rows = labels.shape()[0];
    let whole = [&[rows], shape].concat();
    let positions = [&[rows], &shape[..shape.len() - 1]].concat();
    let weights = [
        None,
        Some(Array::from_f32(numbers(rows, 0.0, 2.0, 5), &[rows]).unwrap()),
        Some(Array::from_f32(numbers(positions.iter().product(), 0.0, 2.0, 6), &positions).unwrap()),
    ];
    for weight in &weights {
        let leaf = candle_core::Var::from_vec(predictions.to_vec(), whole.clone(), &cpu()).unwrap();
        let graph = |array: &Array| -> Graph { Tensor::Host(array.clone()).to_graph(&cpu()).unwrap() };
        let value = loss.value(&graph(labels), &leaf, weight.as_ref().map(graph).as_ref()).unwrap();
        let gradients = value.backward().unwrap();
        let expected = gradients.get(&leaf).unwrap().flatten_all().unwrap().to_vec1::<f32>().unwrap();
        for add in [false, true] {
            let mut gradient = vec![if add { 1.0 } else { f32::NAN }; predictions.len()];
            let mut fused = Fused {
                labels,
                predictions,
                shape,
                weight: weight.as_ref(),
                gradient: Some(&mut gradient),
                add,
                share: 3.0,
                values: None,
                memory: &mut FusedMemory::default(),
            };
            let found = loss.fused(&mut fused).unwrap_or_else(|| panic!("{} is not fused", loss.name()));
            let composed = f64::from(value.to_scalar::<f32>().unwrap());
            assert!((found - composed).abs() <= 1e-5 * composed.abs().max(1.0), "{}: {found}, {composed}", loss.name());
            for (found, expected) in gradient.iter().zip(&expected) {
                let found = (found - f32::from(u8::from(add))) / 3.0;
                let close = (found - expected).abs() <= 2e-6 * expected.abs().max(1.0);
                assert!(close, "{}: gradient {found}, expected {expected}", loss.name());
            }
        }
    }
}

#[test]
fn fused_losses_are_the_composed_ones() {
    for shape in [&[1][..], &[3], &[37], &[4, 5]] {
        let (rows, width) = (6, *shape.last().unwrap());
        let count = rows * shape.iter().product::<usize>();
        let whole = [&[rows], shape].concat();
        let array = |values: Vec<f32>| Array::from_f32(values, &whole).unwrap();
        for reduction in ["sum_over_batch_size", "sum"] {
            let loss = |name: &str, params: serde_json::Value| {
                let mut params = params.as_object().unwrap().clone();
                params.insert("reduction".to_owned(), json!(reduction));
                make(name, &params).unwrap()
            };
            let mut p = numbers(count, 0.02, 0.98, 1);
            (p[0], p[1]) = (1e-9, 1.0);
            let x = numbers(count, -5.0, 5.0, 2);
            let y = array(numbers(count, 0.0, 1.0, 3));
            for name in ["mse", "mae", "mape", "msle", "log_cosh", "huber", "hinge", "squared_hinge"] {
                check(&*loss(name, json!({})), &y, &x, shape);
            }
            check(&*loss("huber", json!({"delta": 2.5})), &y, &x, shape);
            for name in ["poisson", "kl_divergence"] {
                // Away from the bounds of clipping, where Candle halves gradients.
                check(&*loss(name, json!({})), &y, &numbers(count, 0.02, 0.98, 1), shape);
            }
            for name in ["hinge", "squared_hinge", "categorical_hinge", "cosine_similarity"] {
                let marks = array((0..count).map(|at| f32::from(u8::from(at % 3 == 0))).collect());
                check(&*loss(name, json!({})), &marks, &x, shape);
            }
            for smoothing in [0.0, 0.2] {
                let from = |logits: bool| json!({"from_logits": logits, "label_smoothing": smoothing});
                for name in ["binary_crossentropy", "categorical_crossentropy"] {
                    if name.starts_with("categorical") && width == 1 {
                        continue;
                    }
                    check(&*loss(name, from(false)), &y, &p, shape);
                    check(&*loss(name, from(true)), &y, &x, shape);
                }
            }
            if width > 1 {
                let classes: Vec<i64> = (0..count / width).map(|at| (at * 7 % width) as i64).collect();
                let classes = Array::from_i64(classes, &whole[..whole.len() - 1]).unwrap();
                check(&*loss("sparse_categorical_crossentropy", json!({})), &classes, &p, shape);
                let logits = loss("sparse_categorical_crossentropy", json!({"from_logits": true}));
                check(&*logits, &classes, &x, shape);
            }
        }
    }
}

#[test]
fn what_does_not_fit_is_left_to_composition() {
    let labels = |values: Vec<f32>, shape: &[usize]| Array::from_f32(values, shape).unwrap();
    let fused = |name: &str, params: serde_json::Value, labels: &Array| {
        let loss = make(name, params.as_object().unwrap()).unwrap();
        let predictions = [0.25; 4];
        loss.fused(&mut Fused {
            labels,
            predictions: &predictions,
            shape: &[2],
            weight: None,
            gradient: None,
            add: false,
            share: 1.0,
            values: None,
            memory: &mut FusedMemory::default(),
        })
    };
    assert!(fused("mse", json!({}), &labels(vec![0.0; 2], &[2])).is_none());
    assert!(fused("mse", json!({"reduction": "none"}), &labels(vec![0.0; 4], &[2, 2])).is_none());
    assert!(fused("dice", json!({}), &labels(vec![0.0; 4], &[2, 2])).is_none());
    assert!(fused("cosine_similarity", json!({"axis": 0}), &labels(vec![0.0; 4], &[2, 2])).is_none());
    let sparse = "sparse_categorical_crossentropy";
    assert!(fused(sparse, json!({}), &labels(vec![0.0, 1.0], &[2])).is_some());
    assert!(fused(sparse, json!({}), &labels(vec![0.0, 2.0], &[2])).is_none());
    assert!(fused(sparse, json!({}), &labels(vec![0.0, 0.5], &[2])).is_none());
    assert!(fused(sparse, json!({"ignore_class": 0}), &labels(vec![0.0, 1.0], &[2])).is_none());
}
