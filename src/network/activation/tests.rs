use candle_core::Var;
use serde_json::json;

use super::*;
use crate::kernel::activation::Activated;
use crate::tensor::device;

fn run(value: &Value, x: &[f32]) -> (Vec<f32>, Vec<f32>) {
    let x = Var::new(x, &device::cpu()).unwrap();
    let rows = x.reshape((1, ())).unwrap();
    let y = from_value(value).unwrap().compose(&rows).unwrap();
    let gradients = y.sum_all().unwrap().backward().unwrap();
    (y.flatten_all().unwrap().to_vec1().unwrap(), gradients.get(&x).unwrap().to_vec1().unwrap())
}

/// An activation with what it needs.
fn named(entry: &Entry<dyn Activation>) -> Value {
    match entry.name {
        "threshold" => json!({"import": "threshold", "params": {"threshold": 0.5, "default_value": -2.0}}),
        name => json!(name),
    }
}

#[test]
fn sparsemax_gives_shares_many_of_which_are_zero() {
    let (y, gradient) = run(&json!("sparsemax"), &[1.0, 0.8, 0.1, -3.0]);
    let expected = [0.6f32, 0.4, 0.0, 0.0];
    assert!(y.iter().zip(expected).all(|(y, expected)| (y - expected).abs() < 1e-6), "{y:?}");
    // The sum is always 1.
    assert!(gradient.iter().all(|gradient| gradient.abs() < 1e-6), "{gradient:?}");
    let along = json!({"import": "sparsemax", "params": {"axis": 1}});
    let x = Graph::from_vec(vec![1.0f32, 0.0, 0.8, 0.0, 0.1, 9.0, -3.0, 0.0], (1, 4, 2), &device::cpu()).unwrap();
    let y = from_value(&along).unwrap().compose(&x).unwrap().flatten_all().unwrap().to_vec1::<f32>().unwrap();
    assert!((y[0] - 0.6).abs() < 1e-6 && (y[2] - 0.4).abs() < 1e-6 && y[5] == 1.0 && y[4] == 0.0, "{y:?}");
}

#[test]
fn piecewise_functions_have_the_values_of_their_formulas() {
    for (value, x, expected, slopes) in [
        (named(find("threshold")), [-1.0f32, 0.5, 2.0], [-2.0f32, -2.0, 2.0], [0.0f32, 0.0, 1.0]),
        (json!("sparse_plus"), [-2.0, 0.0, 3.0], [0.0, 0.25, 3.0], [0.0, 0.5, 1.0]),
        (json!("sparse_sigmoid"), [-2.0, 0.0, 3.0], [0.0, 0.5, 1.0], [0.0, 0.5, 0.0]),
    ] {
        let (y, gradient) = run(&value, &x);
        assert_eq!((y, gradient), (expected.to_vec(), slopes.to_vec()), "{value}");
    }
}

fn find(name: &str) -> &'static Entry<dyn Activation> {
    LIST.iter().find(|entry| entry.name == name).unwrap()
}

#[test]
fn far_values_stay_finite() {
    for entry in LIST.iter().filter(|entry| !["exponential", "squareplus"].contains(&entry.name)) {
        let (y, gradient) = run(&named(entry), &[-1e15, -200.0, -90.0, 0.0, 90.0, 200.0, 1e15, 1.0]);
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

#[test]
fn kernels_agree_with_composition() {
    let far = [-1e15, -200.0, -90.0, -30.0, -3.0, -1.0, -0.5, 0.0, 0.5, 1.0, 3.0, 6.0, 30.0, 80.0, 90.0, 1e15];
    let near = (0..1000).map(|at| (at as f32 - 500.0) * 0.0137);
    let x: Vec<f32> = far.into_iter().chain(near).collect();
    let variants = [
        json!({"import": "relu", "params": {"negative_slope": 0.1, "max_value": 4.0, "threshold": 0.5}}),
        json!({"import": "relu", "params": {"negative_slope": -0.1}}),
        json!({"import": "leaky_relu", "params": {"negative_slope": -0.3}}),
        json!({"import": "leaky_relu", "params": {"negative_slope": 0.0}}),
        json!({"import": "gelu", "params": {"approximate": true}}),
        json!({"import": "elu", "params": {"alpha": 0.3}}),
        json!({"import": "celu", "params": {"alpha": 2.5}}),
        json!({"import": "squareplus", "params": {"b": 1.5}}),
        json!({"import": "soft_shrink", "params": {"threshold": 1.5}}),
    ];
    // These are composed on every device.
    let composed = ["threshold", "sparse_plus", "sparse_sigmoid", "sparsemax"];
    let own = LIST.iter().map(|entry| json!(entry.name)).filter(|name| !composed.iter().any(|own| name == own));
    for value in own.chain(variants) {
        let activation = from_value(&value).unwrap();
        // `glu` halves an axis, which no kernel of a layer does on the way.
        if !activation.keeps_shape() {
            continue;
        }
        let kernel = activation.kernel().unwrap_or_else(|| panic!("{value} has no kernel"));
        // Rows as long as a softmax likes, with a rest beside the lanes; the far values alone would hide the others.
        for (width, x) in [(x.len(), &x[..]), (127, &x[16..])] {
            let x = &x[..x.len() / width * width];
            let leaf = Var::new(x, &device::cpu()).unwrap();
            let rows = leaf.reshape((x.len() / width, width)).unwrap();
            let composed = activation.compose(&rows).unwrap();
            let upstream: Vec<f32> = (0..x.len()).map(|at| (at % 7) as f32 - 2.5).collect();
            let weight = Graph::from_slice(&upstream, composed.dims(), &device::cpu()).unwrap();
            let gradients = (&composed * weight).unwrap().sum_all().unwrap().backward().unwrap();
            let flat = |graph: &Graph| graph.flatten_all().unwrap().to_vec1::<f32>().unwrap();
            let (mut y, mut gradient) = (x.to_vec(), upstream.clone());
            kernel.forward(&mut y, width);
            kernel.backward(if kernel.needs_input() { x } else { &y }, &mut gradient, width);
            close(&value, "value", x, &flat(&composed), &y);
            close(&value, "gradient", x, &flat(gradients.get(&leaf).unwrap()), &gradient);
            // At the end of a layer, derivatives are kept from forward.
            let (mut kept, mut same, mut back) = (Activated::new(kernel), x.to_vec(), upstream.clone());
            kept.forward(&mut same, width, true);
            kept.backward(&same, &mut back, width);
            close(&value, "value kept", x, &y, &same);
            close(&value, "gradient kept", x, &gradient, &back);
        }
    }
}

fn close(activation: &Value, what: &str, x: &[f32], expected: &[f32], found: &[f32]) {
    for ((x, expected), found) in x.iter().zip(expected).zip(found) {
        let equal = expected == found || (expected - found).abs() <= 2e-6 * expected.abs().max(1.0);
        assert!(equal, "{activation}: {what} at {x}: expected {expected}, found {found}");
    }
}
