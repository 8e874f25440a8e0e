use serde_json::json;

use super::*;
use crate::random::Stream;

/// (initializer, shape, low, high, deviation): the bounds of each value and the deviation of all.
#[test]
fn values_have_the_stated_bounds_and_deviation() {
    let limit = |variance: f64| (3.0 * variance).sqrt();
    let cut = |variance: f64| 2.0 * variance.sqrt() / 0.879_625_661_034_239_8;
    let cases = [
        (json!("zeros"), vec![3, 4], 0.0, 0.0),
        (json!({"import": "constant", "params": {"value": 2.5}}), vec![3], 2.5, 0.0),
        (json!("glorot_uniform"), vec![100, 60], limit(1.0 / 80.0), (1.0f64 / 80.0).sqrt()),
        (json!("GlorotNormal"), vec![100, 60], cut(1.0 / 80.0), (1.0f64 / 80.0).sqrt()),
        (json!("he_uniform"), vec![3, 3, 10, 60], limit(2.0 / 90.0), (2.0f64 / 90.0).sqrt()),
        (json!("he_normal"), vec![100, 60], cut(0.02), 0.02f64.sqrt()),
        (json!("lecun_uniform"), vec![100, 60], limit(0.01), 0.1),
        (json!("lecun_normal"), vec![100, 60], cut(0.01), 0.1),
        (
            json!({"import": "variance_scaling", "params": {"scale": 3.0, "mode": "fan_out", "distribution": "uniform"}}),
            vec![100, 60],
            limit(0.05),
            0.05f64.sqrt(),
        ),
        (json!("random_normal"), vec![100, 60], 0.5, 0.05),
        (json!("truncated_normal"), vec![100, 60], 0.1, 0.05 * 0.879_625_661_034_239_8),
        (json!("random_uniform"), vec![100, 60], 0.05, 0.05 / 3f64.sqrt()),
    ];
    for (value, shape, bound, deviation) in cases {
        let initializer = from_value(&value).unwrap();
        let values = initializer.values(&shape, &mut Random::new(5, Stream::Weights, &[0]));
        assert_eq!(values.len(), shape.iter().product::<usize>(), "{value}");
        assert!(values.iter().all(|v| f64::from(v.abs()) <= bound * (1.0 + 1e-6)), "{value}");
        let n = values.len() as f64;
        let mean = values.iter().map(|v| f64::from(*v)).sum::<f64>() / n;
        let found = (values.iter().map(|v| (f64::from(*v) - mean).powi(2)).sum::<f64>() / n).sqrt();
        assert!((found - deviation).abs() <= 0.03 * deviation, "{value}: deviation {found}, expected {deviation}");
    }
}

#[test]
fn orthogonal_vectors_are_orthonormal() {
    for shape in [vec![5, 3], vec![3, 5], vec![2, 2, 3], vec![4]] {
        let initializer = from_value(&json!({"import": "orthogonal", "params": {"gain": 2.0}})).unwrap();
        let values = initializer.values(&shape, &mut Random::new(5, Stream::Weights, &[0]));
        let columns = *shape.last().unwrap();
        let rows = values.len() / columns;
        let at = |i: usize, k: usize| if rows >= columns { values[k * columns + i] } else { values[i * columns + k] };
        for i in 0..rows.min(columns) {
            for j in 0..rows.min(columns) {
                let dot: f32 = (0..rows.max(columns)).map(|k| at(i, k) * at(j, k)).sum();
                assert!((dot - if i == j { 4.0 } else { 0.0 }).abs() < 1e-5, "{shape:?} {i} {j}: {dot}");
            }
        }
    }
}

#[test]
fn identity_and_waves_are_what_keras_makes() {
    let values = |value: serde_json::Value, shape: &[usize]| {
        let initializer = from_value(&value).unwrap();
        initializer.check(shape).unwrap();
        initializer.values(shape, &mut Random::new(5, Stream::Weights, &[0]))
    };
    let gain = json!({"import": "identity", "params": {"gain": 2.0}});
    assert_eq!(values(gain, &[2, 3]), [2.0, 0.0, 0.0, 0.0, 2.0, 0.0]);
    // A window of 4 is 0, 0.75, 0.75, 0; its root of the sum of squares 1.0607.
    let found = values(json!("stft"), &[4, 1, 3]);
    let share = 0.75 / (2.0f32 * 0.75 * 0.75).sqrt();
    let expected = [0.0, 0.0, 0.0, share, 0.0, -share, share, -share, share, 0.0, 0.0, 0.0];
    assert!(found.iter().zip(&expected).all(|(a, b)| (a - b).abs() < 1e-6), "{found:?} {expected:?}");
    let plain = json!({"import": "STFT", "params": {"side": "imag", "window": null}});
    let found = values(plain, &[2, 1, 3]);
    let expected = [0.0, 0.0, 0.0, 0.0, -1.0, 0.0];
    assert!(found.iter().zip(&expected).all(|(a, b)| (a - b).abs() < 1e-6), "{found:?}");
    for (name, shape) in [("identity", vec![2, 3, 4]), ("stft", vec![4, 2, 3])] {
        assert!(from_value(&json!(name)).unwrap().check(&shape).is_err());
    }
}

#[test]
fn a_seed_of_its_own_decides_alone() {
    let values = |value: serde_json::Value, run: u64, index: u64| {
        from_value(&value).unwrap().values(&[4, 3], &mut Random::new(run, Stream::Weights, &[index]))
    };
    let seeded = |seed: i64| json!({"import": "glorot_uniform", "params": {"seed": seed}});
    assert_eq!(values(seeded(3), 1, 0), values(seeded(3), 2, 5));
    assert_ne!(values(seeded(3), 1, 0), values(seeded(4), 1, 0));
    assert_eq!(
        values(json!({"import": "he_normal", "params": {"seed": null}}), 1, 0),
        values(json!("he_normal"), 1, 0)
    );
    assert!(from_value(&json!({"import": "zeros", "params": {"seed": 1}})).is_err());
}

#[test]
fn unknown_names_are_refused_with_the_nearest() {
    let error = from_value(&json!("glorot_unifrom")).unwrap_err();
    assert_eq!(error.to_string(), "unknown initializer `glorot_unifrom`");
    assert_eq!(error.hints()[0], "did you mean `glorot_uniform`?");
}

#[test]
fn fans_of_named_axes_are_those_of_keras() {
    // keras.initializers.VarianceScaling(distribution="uniform", mode=…, input_axes=[0, 1], output_axes=[2]) of [4, 5, 30]:
    // fan_in 20, fan_out 30; without axes 20 and 120.
    for (mode, fan) in [("fan_in", 20.0), ("fan_out", 30.0), ("fan_avg", 25.0)] {
        let params =
            serde_json::json!({ "distribution": "uniform", "mode": mode, "input_axes": [0, 1], "output_axes": [-1] });
        let own = from_value(&serde_json::json!({ "import": "variance_scaling", "params": params })).unwrap();
        let values = own.values(&[4, 5, 30], &mut Random::new(1, Stream::Weights, &[]));
        let (limit, largest) =
            ((3.0f64 / fan).sqrt() as f32, values.iter().fold(0.0f32, |most, value| most.max(value.abs())));
        assert!(largest <= limit && largest > 0.99 * limit, "{mode}: {largest}, expected nearly {limit}");
        assert!(own.check(&[4, 5]).is_ok());
    }
    let params = serde_json::json!({ "input_axes": [0], "output_axes": [2] });
    let own = from_value(&serde_json::json!({ "import": "variance_scaling", "params": params })).unwrap();
    assert!(own.check(&[4, 5]).unwrap_err().to_string().contains("no axis 2"));
}
