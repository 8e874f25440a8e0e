//! Masks and states as values of the network.

use candle_core::DType;

use super::*;

#[test]
fn masks_go_along_as_in_keras() {
    let ids = Symbol::input("ids", &[Some(6)], Dtype::I64).unwrap();
    let apply = |layer: &str, options: Value, inputs: &[Symbol]| {
        find(layer).unwrap().make(&params(options)).unwrap().apply(inputs).unwrap()
    };
    let x = apply("Embedding", json!({"input_dim": 9, "output_dim": 4, "mask_zero": true}), &[ids.clone()]);
    let mask = x.mask().unwrap().clone();
    assert_eq!((mask.shape(), mask.kind()), (&[Some(6)][..], "NotEqual"));
    let kept = |y: &Symbol| y.mask().is_some_and(|own| own.is(&mask));
    let sequence = json!({"units": 3, "return_sequences": true});
    let normal = apply("LayerNormalization", json!({}), &[x.clone()]);
    let states = apply("LSTM", sequence.clone(), &[normal.clone()]);
    let both = apply("Bidirectional", json!({"layer": {"import": "GRU", "params": sequence}}), &[states.clone()]);
    let heads = apply("MultiHeadAttention", json!({"num_heads": 1, "key_dim": 2}), &[both.clone()]);
    let all = [&normal, &states, &both, &heads];
    assert!(all.iter().all(|y| kept(y)), "{all:?}");
    let last = apply("GRU", json!({"units": 3}), &[heads.clone()]);
    assert!(last.mask().is_none());
    assert!(apply("Embedding", json!({"input_dim": 9, "output_dim": 4}), &[ids.clone()]).mask().is_none());
    assert!(apply("Flatten", json!({}), &[x.clone()]).mask().is_none());

    // What stands where the mask is 0 does not matter.
    let network = Network::new(&[ids], &[last]).unwrap();
    let weights: Vec<Graph> =
        network.initialise(1).unwrap().iter().map(|weight| weight.to_graph(&device::cpu()).unwrap()).collect();
    let run = |ids: [i64; 6]| {
        let x = [Graph::new(&[ids], &device::cpu()).unwrap()];
        let y = network.forward(&weights, &x, &mut Pass::new(false, Random::new(3, Stream::Dropout, &[]))).unwrap();
        y[0].to_vec2::<f32>().unwrap().remove(0)
    };
    let padded = run([3, 8, 0, 0, 0, 0]);
    assert_ne!(padded, run([3, 8, 0, 1, 0, 0]));
    let close = |a: &[f32], b: &[f32]| a.iter().zip(b).all(|(a, b)| (a - b).abs() < 1e-6);
    assert!(close(&padded, &run([0, 0, 3, 8, 0, 0])) && close(&padded, &run([0, 3, 0, 0, 8, 0])));
}

#[test]
fn states_are_values_of_the_network() {
    let x = Symbol::input("x", &[None, Some(3)], Dtype::F32).unwrap();
    let options = json!({"units": 4, "return_sequences": true, "return_state": true, "name": "encoder"});
    let encoder = find("lstm").unwrap().make(&params(options)).unwrap();
    let parts = encoder.apply_with(&[x.clone()], &[]).unwrap();
    assert_eq!(parts.iter().map(|part| part.shape().len()).collect::<Vec<_>>(), [2, 1, 1]);
    let decoder = find("lstm").unwrap().make(&params(json!({"units": 4, "name": "decoder"}))).unwrap();
    let y = decoder.apply_with(&[parts[0].clone()], &[("initial_state", parts[1..].to_vec())]).unwrap().remove(0);
    let network = Network::new(&[x], &[y, parts[2].clone()]).unwrap();
    let weights: Vec<Graph> =
        network.initialise(1).unwrap().iter().map(|weight| weight.to_graph(&device::cpu()).unwrap()).collect();
    let forget: Vec<f32> = weights[2].to_vec1().unwrap();
    assert_eq!(forget, [vec![0.0; 4], vec![1.0; 4], vec![0.0; 8]].concat());
    let input = random(&[2, 5, 3], 4).to_dtype(DType::F32).unwrap();
    let outputs =
        network.forward(&weights, &[input], &mut Pass::new(false, Random::new(3, Stream::Dropout, &[]))).unwrap();
    assert_eq!((outputs[0].dims(), outputs[1].dims()), (&[2, 4][..], &[2, 4][..]));

    let message = |error: Error| error.to_string();
    assert_eq!(message(encoder.apply(&[parts[0].clone()]).unwrap_err()), "layer `encoder`, `LSTM` has several outputs");
    assert_eq!(
        message(decoder.apply_with(&[parts[0].clone()], &[("initial_state", parts[1..2].to_vec())]).unwrap_err()),
        "`initial_state`: expected 2, found 1 (layer `decoder`, `LSTM`)"
    );
    assert_eq!(
        message(decoder.apply_with(&[parts[0].clone()], &[("units", parts[1..].to_vec())]).unwrap_err()),
        "`units` is not a value of the network (layer `decoder`, `LSTM`)"
    );
}
