use serde_json::{Value, json};

use super::*;
use crate::network::transfer::{Layout, Wanted};
use crate::network::{Symbol, layers};
use crate::tensor::Dtype;

fn network(shape: &[usize], chain: &[(&str, Value)]) -> Network {
    let shape: Vec<Option<usize>> = shape.iter().copied().map(Some).collect();
    let x = Symbol::input("x", &shape, Dtype::F32).unwrap();
    let mut y = x.clone();
    for (kind, params) in chain {
        let values = if *kind == "MultiHeadAttention" { vec![y.clone(), y.clone()] } else { vec![y.clone()] };
        y = layers::find(kind).unwrap().make(params.as_object().unwrap()).unwrap().apply(&values).unwrap();
    }
    Network::new(&[x], &[y]).unwrap()
}

fn counted(network: &Network) -> Vec<Array> {
    let mut next = 0.0;
    let mut array = |shape: &[usize]| {
        let values = (0..shape.iter().product::<usize>()).map(|_| {
            next += 1.0;
            next
        });
        Array::from_f32(values.collect(), shape).unwrap()
    };
    network.weights().iter().map(|info| array(&info.shape)).collect()
}

fn round_trip(network: &Network) -> Vec<(String, Vec<usize>)> {
    let weights = counted(network);
    let exported = export(network, &weights).unwrap();
    let mut back = network.initialise(1).unwrap();
    let wanted = Wanted { layout: Layout::PyTorch, rename: vec![], only: vec![], strict: true, skip_mismatched: false };
    let report = network.load(&mut back, exported.clone(), &wanted, "file").unwrap();
    assert_eq!(report.loaded.len(), weights.len());
    for (at, (own, back)) in weights.iter().zip(&back).enumerate() {
        assert!(own.same(back), "{}", network.weights()[at].name);
    }
    exported.into_iter().map(|(name, array)| (name, array.shape().to_vec())).collect()
}

/// The shape of the input, layers, and the names and shapes of PyTorch's arrays.
type Expected<'a> = (&'a [usize], &'a [(&'a str, Value)], &'a [(&'a str, &'a [usize])]);

#[test]
fn every_array_comes_back_and_has_the_shape_that_pytorch_gives_it() {
    let cases: &[Expected] = &[
        (&[3], &[("Dense", json!({"units": 2}))], &[("dense.weight", &[2, 3]), ("dense.bias", &[2])]),
        (
            &[9, 4],
            &[("Conv1D", json!({"filters": 6, "kernel_size": 3, "groups": 2}))],
            &[("conv1d.weight", &[6, 2, 3]), ("conv1d.bias", &[6])],
        ),
        (
            &[5, 5, 3],
            &[("Conv2D", json!({"filters": 7, "kernel_size": [2, 4], "use_bias": false}))],
            &[("conv2d.weight", &[7, 3, 2, 4])],
        ),
        (
            &[5, 5, 3],
            &[("Conv2DTranspose", json!({"filters": 7, "kernel_size": [2, 4]}))],
            &[("conv2d_transpose.weight", &[3, 7, 2, 4]), ("conv2d_transpose.bias", &[7])],
        ),
        (
            &[5, 5, 3],
            &[("DepthwiseConv2D", json!({"kernel_size": 2, "depth_multiplier": 2, "use_bias": false}))],
            &[("depthwise_conv2d.weight", &[6, 1, 2, 2])],
        ),
        (
            &[5, 5, 3],
            &[("SeparableConv2D", json!({"filters": 4, "kernel_size": 2}))],
            &[
                ("separable_conv2d.depthwise.weight", &[3, 1, 2, 2]),
                ("separable_conv2d.pointwise.weight", &[4, 3, 1, 1]),
                ("separable_conv2d.pointwise.bias", &[4]),
            ],
        ),
        (
            &[5, 3],
            &[("BatchNormalization", json!({}))],
            &[
                ("batch_normalization.weight", &[3]),
                ("batch_normalization.bias", &[3]),
                ("batch_normalization.running_mean", &[3]),
                ("batch_normalization.running_var", &[3]),
            ],
        ),
        (
            &[5, 3],
            &[("LSTM", json!({"units": 2}))],
            &[
                ("lstm.weight_ih_l0", &[8, 3]),
                ("lstm.weight_hh_l0", &[8, 2]),
                ("lstm.bias_ih_l0", &[8]),
                ("lstm.bias_hh_l0", &[8]),
            ],
        ),
        (
            &[5, 3],
            &[("Bidirectional", json!({"layer": {"import": "GRU", "params": {"units": 2}}}))],
            &[
                ("bidirectional.weight_ih_l0", &[6, 3]),
                ("bidirectional.weight_hh_l0", &[6, 2]),
                ("bidirectional.bias_ih_l0", &[6]),
                ("bidirectional.bias_hh_l0", &[6]),
                ("bidirectional.weight_ih_l0_reverse", &[6, 3]),
                ("bidirectional.weight_hh_l0_reverse", &[6, 2]),
                ("bidirectional.bias_ih_l0_reverse", &[6]),
                ("bidirectional.bias_hh_l0_reverse", &[6]),
            ],
        ),
        (
            &[5, 6],
            &[("MultiHeadAttention", json!({"num_heads": 2, "key_dim": 3}))],
            &[
                ("multi_head_attention.in_proj_weight", &[18, 6]),
                ("multi_head_attention.in_proj_bias", &[18]),
                ("multi_head_attention.out_proj.weight", &[6, 6]),
                ("multi_head_attention.out_proj.bias", &[6]),
            ],
        ),
        (
            &[4, 5, 3],
            &[("TimeDistributed", json!({"layer": {"import": "Conv1D", "params": {"filters": 2, "kernel_size": 2}}}))],
            &[("time_distributed.conv1d.weight", &[2, 3, 2]), ("time_distributed.conv1d.bias", &[2])],
        ),
        (&[5, 3], &[("PReLU", json!({"shared_axes": [1]}))], &[("p_re_lu.weight", &[3])]),
    ];
    for (shape, chain, expected) in cases {
        let found = round_trip(&network(shape, chain));
        let found: Vec<(&str, &[usize])> = found.iter().map(|(name, shape)| (&**name, &**shape)).collect();
        assert_eq!(found, *expected);
    }
}

#[test]
fn a_linear_layer_after_flatten_sees_channels_first() {
    let chain = [("Flatten", json!({})), ("Dropout", json!({"rate": 0.5})), ("Dense", json!({"units": 1}))];
    let network = network(&[2, 3, 2], &chain);
    let exported = export(&network, &counted(&network)).unwrap();
    // The kernel counts [row, column, channel].
    let expected = [1.0, 3.0, 5.0, 7.0, 9.0, 11.0, 2.0, 4.0, 6.0, 8.0, 10.0, 12.0];
    assert_eq!(exported[0].1.as_f32().to_vec(), expected);
    round_trip(&network);
}

#[test]
fn gates_of_a_gru_and_both_biases_of_an_lstm_find_their_places() {
    let network = network(&[4, 1], &[("GRU", json!({"units": 1}))]);
    let exported = export(&network, &counted(&network)).unwrap();
    assert_eq!(exported[0].1.as_f32().to_vec(), [2.0, 1.0, 3.0]);
    assert_eq!(exported[3].1.as_f32().to_vec(), [11.0, 10.0, 12.0]);

    let network = self::network(&[4, 1], &[("LSTM", json!({"units": 1}))]);
    let mut file = export(&network, &counted(&network)).unwrap();
    file[3].1 = Array::from_f32(vec![1.0; 4], &[4]).unwrap();
    let mut weights = network.initialise(1).unwrap();
    let wanted = Wanted { layout: Layout::PyTorch, rename: vec![], only: vec![], strict: true, skip_mismatched: false };
    network.load(&mut weights, file, &wanted, "file").unwrap();
    assert_eq!(weights[2].as_f32().to_vec(), [10.0, 11.0, 12.0, 13.0]);
}

#[test]
fn what_pytorch_does_not_have_is_refused_by_name() {
    for (chain, named) in [
        (("GRU", json!({"units": 2, "reset_after": false})), "gru/kernel"),
        (("MultiHeadAttention", json!({"num_heads": 2, "key_dim": 5})), "multi_head_attention/query/kernel"),
    ] {
        let network = network(&[4, 6], &[chain]);
        let error = export(&network, &counted(&network)).unwrap_err();
        assert!(error.message().contains(named), "{error}");
    }
}
