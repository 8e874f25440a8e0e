//! Mixed precision: products of bfloat16 values, everything else float32.

use super::*;
use crate::trainer::Quiet;

/// The nearest bfloat16, ties to even.
fn half(value: f32) -> f32 {
    let bits = value.to_bits();
    f32::from_bits((bits + 0x7fff + ((bits >> 16) & 1)) & 0xffff_0000)
}

#[test]
fn products_are_of_bfloat16_values_and_sums_are_not() {
    let layers = json!([
        {"import": "Input", "params": {"shape": [4], "name": "x"}},
        {"import": "Dense", "params": {"units": 1, "name": "y", "bias_initializer": "ones"}},
    ]);
    let network = Arc::new(sequential_from_config(&layers, &Params::new()).unwrap());
    let weights = network.initialise(3).unwrap();
    let kernel = weights[0].to_f64_vec();
    let tables = || Tables { y: vec![column("y", numbers(&[0.0; 4], &[4, 1]))], ..points(4) };
    let mut trainer = trainer(|parts| {
        (parts.network, parts.weights, parts.mixed) = (network, weights, true);
        parts.outputs = vec![output("y", "mean_absolute_error", &[])];
        parts.train = dataset(4, tables(), Mode::Train, 4, Options::default()).unwrap();
        parts.validation = None;
    });
    let data = dataset(4, tables(), Mode::Validation, 4, Options::default()).unwrap();
    let found = trainer.evaluate(&data).unwrap()[0].1;
    let (_, crate::record::Column::Dense(crate::tensor::Tensor::Host(x))) = points(4).x.remove(0) else { panic!() };
    let row = |x: &[f64]| {
        let product: f32 = x.iter().zip(&kernel).map(|(x, k)| half(*x as f32) * half(*k as f32)).sum();
        f64::from((half(product) + 1.0).abs())
    };
    let expected = x.to_f64_vec().chunks(4).map(row).sum::<f64>() / 4.0;
    assert!((found - expected).abs() < 1e-2, "{found} {expected}");
    let x = x.to_f64_vec();
    let exact =
        x.chunks(4).map(|x| (x.iter().zip(&kernel).map(|(x, k)| x * k).sum::<f64>() + 1.0).abs()).sum::<f64>() / 4.0;
    assert!((found - exact).abs() > 1e-6, "nothing was rounded");
}

#[test]
fn a_mixed_run_learns_nearly_what_an_exact_one_does() {
    let run = |mixed: bool| {
        let mut trainer = trainer(|parts| (parts.mixed, parts.epochs) = (mixed, 20));
        let history = trainer.train(&mut Quiet).unwrap();
        (history.values("loss"), trainer.weights().unwrap())
    };
    let ((exact, _), (mixed, weights)) = (run(false), run(true));
    assert!(mixed[19] < 0.7 * mixed[0], "{mixed:?}");
    assert!(exact.iter().zip(&mixed).all(|(a, b)| (a - b).abs() < 0.05), "{exact:?}\n{mixed:?}");
    assert_ne!(exact, mixed);
    // Weights have more digits than bfloat16 holds.
    let kernel = weights[0].1.as_f32().into_owned();
    assert!(kernel.iter().any(|value| half(*value) != *value));
    assert_eq!(run(true).0, mixed, "it repeats to the bit");
}
