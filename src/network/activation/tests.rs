use candle_core::Var;
use serde_json::json;

use super::*;
use crate::tensor::device;

fn run(value: &Value, x: &[f32]) -> (Vec<f32>, Vec<f32>) {
    let x = Var::new(x, &device::cpu()).unwrap();
    let rows = x.reshape((1, ())).unwrap();
    let y = from_value(value).unwrap().compose(&rows).unwrap();
    let gradients = y.sum_all().unwrap().backward().unwrap();
    (y.flatten_all().unwrap().to_vec1().unwrap(), gradients.get(&x).unwrap().to_vec1().unwrap())
}

#[test]
fn far_values_stay_finite() {
    for entry in LIST.iter().filter(|entry| !["exponential", "squareplus"].contains(&entry.name)) {
        let (y, gradient) = run(&json!(entry.name), &[-1e15, -200.0, -90.0, 0.0, 90.0, 200.0, 1e15]);
        assert!(y.iter().chain(&gradient).all(|value| value.is_finite()), "{}: {y:?} {gradient:?}", entry.name);
    }
}

#[test]
fn relu_is_flat_at_zero_and_keeps_what_is_not_a_number() {
    let (y, gradient) = run(&json!("relu"), &[-1.0, 0.0, 2.0, f32::NAN, f32::INFINITY, f32::NEG_INFINITY]);
    assert_eq!(y[..3], [0.0, 0.0, 2.0]);
    assert!(y[3].is_nan());
    assert_eq!(y[4..], [f32::INFINITY, 0.0]);
    assert_eq!(gradient[..3], [0.0, 0.0, 1.0]);
}

#[test]
fn smooth_functions_have_their_derivative_at_zero() {
    for (name, expected) in
        [("softplus", 0.5), ("silu", 0.5), ("gelu", 0.5), ("mish", 0.6), ("softsign", 1.0), ("log_sigmoid", 0.5)]
    {
        let (_, gradient) = run(&json!(name), &[0.0]);
        assert!((gradient[0] - expected).abs() < 1e-6, "{name}: {}", gradient[0]);
    }
}

#[test]
fn the_batch_axis_is_refused() {
    let softmax = from_value(&json!({"import": "softmax", "params": {"axis": 0}})).unwrap();
    let x = Graph::new(&[[1f32, 2.0]], &device::cpu()).unwrap();
    assert_eq!(softmax.compose(&x).unwrap_err().to_string(), "`axis`: expected 1 to 1 or -1 to -1, found 0");
}
