//! What is drawn while training.

use candle_core::DType;

use super::*;

#[test]
fn dropout_drops_the_stated_fraction_by_its_seed() {
    let ones = Graph::ones((100, 100), DType::F64, &device::cpu()).unwrap();
    let run = |rate: f64, seed: u64, training: bool| {
        let network = apply("Dropout", json!({"rate": rate}), &[&[100]]).unwrap();
        let mut pass = Pass::new(training, Random::new(seed, Stream::Dropout, &[]));
        let y = network.forward(&[], std::slice::from_ref(&ones), &mut pass).unwrap().remove(0);
        y.flatten_all().unwrap().to_vec1::<f64>().unwrap()
    };
    let y = run(0.2, 1, true);
    let kept = y.iter().filter(|value| **value == 1.25).count();
    assert!((7_800..8_200).contains(&kept), "{kept}");
    assert_eq!(y.iter().filter(|value| **value == 0.0).count(), 10_000 - kept);
    assert_eq!(y, run(0.2, 1, true));
    assert_ne!(y, run(0.2, 2, true));
    assert!(run(1.0, 1, true).iter().all(|value| *value == 0.0));
    assert!(run(0.9, 1, false).iter().chain(&run(0.0, 1, true)).all(|value| *value == 1.0));
}

#[test]
fn whole_channels_are_dropped_together() {
    let network = apply("SpatialDropout2D", json!({"rate": 0.5}), &[&[3, 3, 40]]).unwrap();
    let ones = Graph::ones((2, 3, 3, 40), DType::F64, &device::cpu()).unwrap();
    let mut pass = Pass::new(true, Random::new(1, Stream::Dropout, &[]));
    let y = network.forward(&[], &[ones], &mut pass).unwrap().remove(0).reshape((2, 9, 40)).unwrap();
    let y = y.to_vec3::<f64>().unwrap();
    assert!(y.iter().all(|record| record.iter().all(|pixel| *pixel == record[0])));
    let kept: Vec<usize> = y.iter().map(|record| record[0].iter().filter(|value| **value == 2.0).count()).collect();
    assert!(kept.iter().all(|kept| (10..30).contains(kept)), "{kept:?}");
    assert_ne!(y[0][0], y[1][0]);
}

#[test]
fn noise_has_the_stated_moments() {
    for (layer, options, mean, deviation) in
        [("GaussianNoise", json!({"stddev": 0.5}), 1.0, 0.5), ("GaussianDropout", json!({"rate": 0.2}), 1.0, 0.5)]
    {
        let network = apply(layer, options, &[&[100]]).unwrap();
        let ones = [Graph::ones((200, 100), DType::F64, &device::cpu()).unwrap()];
        let run = |training| {
            let mut pass = Pass::new(training, Random::new(1, Stream::Dropout, &[]));
            network.forward(&[], &ones, &mut pass).unwrap().remove(0).flatten_all().unwrap().to_vec1::<f64>().unwrap()
        };
        let y = run(true);
        let found = y.iter().sum::<f64>() / y.len() as f64;
        let spread = (y.iter().map(|value| (value - found).powi(2)).sum::<f64>() / y.len() as f64).sqrt();
        assert!((found - mean).abs() < 0.02 && (spread - deviation).abs() < 0.02, "{layer}: {found} {spread}");
        assert_eq!(y, run(true));
        assert!(run(false).iter().all(|value| *value == 1.0));
    }
}
