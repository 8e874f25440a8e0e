//! Gradients against finite differences in 64 bits, on odd sizes; random and moving parts; refusals.

#![allow(clippy::cloned_ref_to_slice_refs, reason = "a list of one reads like a list of two")]

use candle_core::{DType, Var};
use serde_json::{Value, json};

use super::super::kernel::testing;
use super::super::{Network, Pass, Symbol};
use super::*;
use crate::random::{Random, Stream};
use crate::tensor::{Dtype, Graph, device};

fn params(value: Value) -> Params {
    value.as_object().unwrap().clone()
}

fn apply(layer: &str, options: Value, shapes: &[&[usize]]) -> Result<Network> {
    let input = |shape: &&[usize]| {
        let shape: Vec<Option<usize>> = shape.iter().map(|length| Some(*length)).collect();
        Symbol::input(None, &shape, Dtype::F64).unwrap()
    };
    let inputs: Vec<Symbol> = shapes.iter().map(input).collect();
    let output = find(layer)?.make(&params(options))?.apply(&inputs)?;
    Network::new(&inputs, &[output])
}

fn random(shape: &[usize], key: u64) -> Graph {
    let mut random = Random::new(11, Stream::Script, &[key]);
    let values: Vec<f64> = (0..shape.iter().product()).map(|_| random.uniform_between(-1.5, 1.5)).collect();
    Graph::from_vec(values, shape, &device::cpu()).unwrap()
}

/// The sum of the output times fixed numbers, and its gradients.
fn loss(network: &Network, weights: &[Graph], inputs: &[Graph], training: bool) -> Graph {
    let mut pass = Pass::new(training, Random::new(3, Stream::Dropout, &[]));
    let y = network.forward(weights, inputs, &mut pass).unwrap().remove(0);
    y.mul(&random(y.dims(), 99)).unwrap().sum_all().unwrap()
}

fn variables(tensors: &[Graph]) -> Vec<Graph> {
    tensors.iter().map(|tensor| Var::from_tensor(tensor).unwrap().as_tensor().clone()).collect()
}

fn check_gradients(layer: &str, options: Value, batch: usize, shapes: &[&[usize]], training: bool) {
    let place = format!("{layer} {options} {shapes:?}");
    let network = apply(layer, options, shapes).unwrap();
    let inputs: Vec<Graph> =
        shapes.iter().enumerate().map(|(index, shape)| random(&[&[batch], *shape].concat(), index as u64)).collect();
    let weights: Vec<Graph> = network
        .weights()
        .iter()
        .enumerate()
        // A variance must be positive.
        .map(|(index, weight)| random(&weight.shape, 50 + index as u64).sqr().unwrap().affine(1.0, 0.1).unwrap())
        .collect();
    let (weights, inputs) = (variables(&weights), variables(&inputs));
    let gradients = loss(&network, &weights, &inputs, training).backward().unwrap();
    let count = inputs.len();
    let all: Vec<Graph> = inputs.iter().chain(&weights).cloned().collect();
    for (index, tensor) in all.iter().enumerate() {
        let moving = index >= count && !network.weights()[index - count].trainable;
        if moving {
            continue;
        }
        // No gradient is one of zeros, which has to be right as well: some layers only look at the shape.
        let gradient = gradients.get(tensor).cloned().unwrap_or_else(|| tensor.zeros_like().unwrap());
        let gradient: Vec<f64> = gradient.flatten_all().unwrap().to_vec1().unwrap();
        let values: Vec<f64> = tensor.flatten_all().unwrap().to_vec1().unwrap();
        for at in 0..values.len() {
            let moved = |by: f64| {
                let mut values = values.clone();
                values[at] += by;
                let mut all: Vec<Graph> = all.iter().map(Graph::detach).collect();
                all[index] = Graph::from_vec(values, tensor.shape(), &device::cpu()).unwrap();
                let (inputs, weights) = all.split_at(count);
                loss(&network, weights, inputs, training).to_scalar::<f64>().unwrap()
            };
            let step = 1e-5;
            let expected = (moved(step) - moved(-step)) / (2.0 * step);
            let found = gradient[at];
            assert!(
                (found - expected).abs() <= 1e-7 + 1e-6 * expected.abs(),
                "{place}: value {index} at {at}: {found}, expected {expected}"
            );
        }
    }
}

#[test]
fn gradients_are_those_of_finite_differences() {
    let cases = [
        ("Dense", json!({"units": 3, "activation": "tanh"}), vec![&[4usize][..]]),
        ("Dense", json!({"units": 2, "use_bias": false}), vec![&[3, 2, 4][..]]),
        ("Conv1D", json!({"filters": 3, "kernel_size": 3, "padding": "causal", "dilation_rate": 2}), vec![&[7, 2][..]]),
        ("Conv1D", json!({"filters": 2, "kernel_size": 5, "padding": "same", "strides": 3}), vec![&[7, 1][..]]),
        ("Conv2D", json!({"filters": 3, "kernel_size": [3, 2]}), vec![&[5, 7, 2][..]]),
        ("Conv2D", json!({"filters": 2, "kernel_size": 3, "strides": [2, 3], "padding": "same"}), vec![&[5, 7, 3][..]]),
        ("Conv2D", json!({"filters": 4, "kernel_size": 2, "groups": 2, "dilation_rate": 2}), vec![&[5, 3, 4][..]]),
        ("Conv2D", json!({"filters": 3, "kernel_size": 1}), vec![&[3, 5, 2][..]]),
        ("Conv2D", json!({"filters": 2, "kernel_size": 1, "strides": 2}), vec![&[3, 5, 2][..]]),
        ("Conv2D", json!({"filters": 1, "kernel_size": 7, "padding": "same"}), vec![&[3, 2, 1][..]]),
        ("MaxPooling1D", json!({"pool_size": 3, "strides": 1}), vec![&[7, 2][..]]),
        ("MaxPooling2D", json!({}), vec![&[5, 7, 2][..]]),
        ("MaxPooling2D", json!({"pool_size": 3, "strides": 2, "padding": "same"}), vec![&[5, 7, 2][..]]),
        ("MaxPooling2D", json!({"pool_size": 9, "padding": "same"}), vec![&[5, 3, 1][..]]),
        ("AveragePooling1D", json!({"pool_size": 3, "strides": 2}), vec![&[8, 2][..]]),
        ("AveragePooling2D", json!({"pool_size": [2, 3], "strides": 1, "padding": "same"}), vec![&[5, 7, 2][..]]),
        ("AveragePooling2D", json!({}), vec![&[5, 7, 2][..]]),
        ("GlobalMaxPooling2D", json!({"keepdims": true}), vec![&[3, 5, 2][..]]),
        ("GlobalAveragePooling1D", json!({}), vec![&[5, 2][..]]),
        ("BatchNormalization", json!({}), vec![&[3][..]]),
        ("BatchNormalization", json!({"axis": 1, "center": false}), vec![&[3, 5][..]]),
        ("BatchNormalization", json!({"scale": false}), vec![&[3, 3, 2][..]]),
        ("Dropout", json!({"rate": 0.4}), vec![&[9][..]]),
        ("LayerNormalization", json!({}), vec![&[5][..]]),
        ("LayerNormalization", json!({"axis": [-1, 1], "center": false}), vec![&[3, 2, 2][..]]),
        ("LayerNormalization", json!({"axis": 1, "scale": false}), vec![&[3, 2][..]]),
        ("SimpleRNN", json!({"units": 3, "dropout": 0.3, "recurrent_dropout": 0.3}), vec![&[4, 2][..]]),
        ("SimpleRNN", json!({"units": 2, "activation": "gelu", "return_sequences": true}), vec![&[3, 2][..]]),
        ("LSTM", json!({"units": 2, "dropout": 0.3, "recurrent_dropout": 0.3}), vec![&[3, 3][..]]),
        ("LSTM", json!({"units": 2, "return_sequences": true, "go_backwards": true}), vec![&[3, 1][..]]),
        ("GRU", json!({"units": 2, "dropout": 0.3, "recurrent_dropout": 0.3}), vec![&[3, 3][..]]),
        ("GRU", json!({"units": 2, "reset_after": false, "recurrent_dropout": 0.3}), vec![&[3, 3][..]]),
        (
            "Bidirectional",
            json!({"layer": {"import": "GRU", "params": {"units": 2, "return_sequences": true}}, "merge_mode": "mul"}),
            vec![&[3, 2][..]],
        ),
        ("TimeDistributed", json!({"layer": {"import": "Dense", "params": {"units": 2}}}), vec![&[3, 2][..]]),
        ("PositionEmbedding", json!({"sequence_length": 3}), vec![&[3, 2][..]]),
        (
            "MultiHeadAttention",
            json!({"num_heads": 2, "key_dim": 3, "value_dim": 2, "dropout": 0.3}),
            vec![&[3, 4][..]],
        ),
        (
            "MultiHeadAttention",
            json!({"num_heads": 1, "key_dim": 2, "use_bias": false, "output_shape": 5}),
            vec![&[3, 2][..], &[4, 3]],
        ),
        (
            "MultiHeadAttention",
            json!({"num_heads": 2, "key_dim": 2, "use_causal_mask": true}),
            vec![&[3, 2][..], &[4, 3], &[4, 1]],
        ),
        ("Attention", json!({"use_scale": true, "dropout": 0.3}), vec![&[3, 2][..], &[4, 2]]),
        (
            "Attention",
            json!({"use_scale": true, "score_mode": "concat", "use_causal_mask": true}),
            vec![&[3, 2][..], &[4, 3], &[4, 2]],
        ),
        ("AdditiveAttention", json!({}), vec![&[3, 2][..], &[4, 3], &[4, 2]]),
        ("Add", json!({}), vec![&[3, 2][..], &[2], &[3, 1]]),
        ("Subtract", json!({}), vec![&[3][..], &[3]]),
        ("Multiply", json!({}), vec![&[3, 2][..], &[3, 2], &[1]]),
        ("Average", json!({}), vec![&[3][..], &[3]]),
        ("Maximum", json!({}), vec![&[3][..], &[3], &[3]]),
        ("Minimum", json!({}), vec![&[3][..], &[1]]),
        ("Concatenate", json!({"axis": 1}), vec![&[3, 2][..], &[1, 2]]),
        ("Reshape", json!({"target_shape": [2, -1]}), vec![&[3, 4][..]]),
        ("Flatten", json!({}), vec![&[3, 2, 2][..]]),
        ("Softmax", json!({"axis": 1}), vec![&[3, 2][..]]),
        ("DepthwiseConv1D", json!({"kernel_size": 3, "depth_multiplier": 2, "activation": "tanh"}), vec![&[7, 2][..]]),
        ("DepthwiseConv2D", json!({"kernel_size": [3, 2], "padding": "same", "strides": 2}), vec![&[5, 3, 2][..]]),
        ("DepthwiseConv2D", json!({"kernel_size": 2, "dilation_rate": 2, "use_bias": false}), vec![&[5, 3, 3][..]]),
        ("SeparableConv1D", json!({"filters": 3, "kernel_size": 3, "padding": "causal"}), vec![&[5, 2][..]]),
        ("SeparableConv2D", json!({"filters": 2, "kernel_size": 2, "depth_multiplier": 2}), vec![&[3, 5, 2][..]]),
        ("Conv1DTranspose", json!({"filters": 3, "kernel_size": 3, "strides": 2}), vec![&[5, 2][..]]),
        (
            "Conv1DTranspose",
            json!({"filters": 2, "kernel_size": 2, "strides": 3, "padding": "same"}),
            vec![&[3, 1][..]],
        ),
        ("Conv2DTranspose", json!({"filters": 2, "kernel_size": [3, 2], "dilation_rate": 2}), vec![&[3, 2, 2][..]]),
        (
            "Conv2DTranspose",
            json!({"filters": 2, "kernel_size": 4, "strides": 2, "padding": "same", "output_padding": 1}),
            vec![&[3, 2, 1][..]],
        ),
        ("UpSampling1D", json!({"size": 3}), vec![&[3, 2][..]]),
        ("UpSampling2D", json!({"size": [1, 3]}), vec![&[3, 2, 2][..]]),
        ("UpSampling2D", json!({"size": [3, 2], "interpolation": "bilinear"}), vec![&[3, 4, 2][..]]),
        ("Cropping1D", json!({"cropping": [0, 2]}), vec![&[5, 2][..]]),
        ("Cropping2D", json!({"cropping": [[1, 0], [0, 2]]}), vec![&[3, 5, 2][..]]),
        ("ZeroPadding1D", json!({"padding": 3}), vec![&[2, 3][..]]),
        ("ZeroPadding2D", json!({"padding": [[0, 1], [2, 0]]}), vec![&[3, 1, 2][..]]),
        ("Permute", json!({"dims": [3, 1, 2]}), vec![&[3, 2, 5][..]]),
        ("RepeatVector", json!({"n": 3}), vec![&[5][..]]),
        ("Rescaling", json!({"scale": 0.5, "offset": 3.0}), vec![&[5][..]]),
        ("SpatialDropout1D", json!({"rate": 0.4}), vec![&[3, 5][..]]),
        ("SpatialDropout2D", json!({"rate": 0.4}), vec![&[3, 1, 5][..]]),
        ("GaussianDropout", json!({"rate": 0.4}), vec![&[7][..]]),
        ("GaussianNoise", json!({"stddev": 0.4}), vec![&[7][..]]),
        ("GroupNormalization", json!({"groups": 3}), vec![&[3, 6][..]]),
        ("GroupNormalization", json!({"groups": 1, "scale": false}), vec![&[3, 5][..]]),
        ("GroupNormalization", json!({"groups": -1, "center": false, "axis": 1}), vec![&[2, 3, 3][..]]),
        ("RMSNormalization", json!({}), vec![&[3, 5][..]]),
        ("RMSNormalization", json!({"axis": [1, -1]}), vec![&[3, 5, 2][..]]),
        ("UnitNormalization", json!({}), vec![&[3, 5][..]]),
        ("UnitNormalization", json!({"axis": [2, 1]}), vec![&[3, 5, 2][..]]),
        ("PReLU", json!({}), vec![&[3, 5][..]]),
        ("PReLU", json!({"shared_axes": [1, 2]}), vec![&[3, 5, 2][..]]),
        ("Dot", json!({"axes": 1}), vec![&[5][..], &[5]]),
        ("Dot", json!({"axes": [1, 2], "normalize": true}), vec![&[3, 2][..], &[5, 3]]),
        ("Dot", json!({"axes": -1}), vec![&[3, 2, 4][..], &[4]]),
    ];
    for (layer, options, shapes) in cases {
        for training in [false, true] {
            check_gradients(layer, options.clone(), 3, &shapes, training);
        }
    }
    for activation in super::super::activation::LIST {
        let value = match activation.name {
            "threshold" => json!({"import": "threshold", "params": {"threshold": 0.05, "default_value": 1.0}}),
            name => json!(name),
        };
        check_gradients("Activation", json!({"activation": value}), 2, &[&[6]], false);
    }
}

#[test]
fn the_gradient_of_a_maximum_goes_to_the_first_of_equals() {
    let network = apply("MaxPooling2D", json!({"padding": "same"}), &[&[3, 3, 1]]).unwrap();
    let x = variables(&[Graph::zeros((1, 3, 3, 1), DType::F64, &device::cpu()).unwrap()]);
    let mut pass = Pass::new(true, Random::new(3, Stream::Dropout, &[]));
    let y = network.forward(&[], &x, &mut pass).unwrap().remove(0);
    let gradients = y.sum_all().unwrap().backward().unwrap();
    let gradient: Vec<f64> = gradients.get(&x[0]).unwrap().flatten_all().unwrap().to_vec1().unwrap();
    assert_eq!(gradient, [1.0, 0.0, 1.0, 0.0, 0.0, 0.0, 1.0, 0.0, 1.0]);
}

#[test]
fn batch_normalization_of_one_value_per_channel_stays_finite() {
    let network = apply("BatchNormalization", json!({"momentum": 0.5}), &[&[2]]).unwrap();
    let value = |values: [f64; 2]| Graph::new(&values, &device::cpu()).unwrap();
    let weights = variables(&[value([2.0, 3.0]), value([0.5, -0.5]), value([1.0, 1.0]), value([4.0, 4.0])]);
    let x = variables(&[Graph::new(&[[3.0, -5.0]], &device::cpu()).unwrap()]);
    let mut pass = Pass::new(true, Random::new(3, Stream::Dropout, &[]));
    let y = network.forward(&weights, &x, &mut pass).unwrap().remove(0);
    assert_eq!(y.to_vec2::<f64>().unwrap(), [[0.5, -0.5]]);
    let gradients = y.sum_all().unwrap().backward().unwrap();
    assert_eq!(gradients.get(&x[0]).unwrap().to_vec2::<f64>().unwrap(), [[0.0, 0.0]]);
    let updates: Vec<(usize, Vec<f64>)> =
        pass.updates.iter().map(|(index, value)| (*index, value.to_vec1().unwrap())).collect();
    assert_eq!(updates, [(2, vec![2.0, -2.0]), (3, vec![2.0, 2.0])]);
    assert!(pass.updates.iter().all(|(_, value)| !value.track_op()));

    let frozen = apply("BatchNormalization", json!({"trainable": false}), &[&[2]]).unwrap();
    assert!(frozen.weights().iter().all(|weight| !weight.trainable));
    let mut pass = Pass::new(true, Random::new(3, Stream::Dropout, &[]));
    frozen.forward(&weights, &x, &mut pass).unwrap();
    assert!(pass.updates.is_empty());
}

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

#[test]
fn a_vector_of_zeros_has_no_direction() {
    let network = apply("UnitNormalization", json!({}), &[&[3]]).unwrap();
    let x = variables(&[Graph::zeros((1, 3), DType::F64, &device::cpu()).unwrap()]);
    let mut pass = Pass::new(true, Random::new(1, Stream::Dropout, &[]));
    let y = network.forward(&[], &x, &mut pass).unwrap().remove(0);
    assert_eq!(y.to_vec2::<f64>().unwrap(), [[0.0; 3]]);
    let gradients = y.sum_all().unwrap().backward().unwrap();
    let gradient = gradients.get(&x[0]).unwrap().to_vec2::<f64>().unwrap();
    assert!(gradient[0].iter().all(|value| value.is_finite()));
}

#[test]
fn an_embedding_refuses_numbers_without_a_vector() {
    let ids = Symbol::input("ids", &[Some(2)], Dtype::I64).unwrap();
    let layer = find("embedding").unwrap().make(&params(json!({"input_dim": 3, "output_dim": 2}))).unwrap();
    let network = Network::new(&[ids.clone()], &[layer.apply(&[ids]).unwrap()]).unwrap();
    let weights = [random(&[3, 2], 1).to_dtype(DType::F32).unwrap()];
    for (id, fits) in [(2i64, true), (3, false), (-1, false), (i64::MAX, false)] {
        let x = [Graph::new(&[[0i64, id]], &device::cpu()).unwrap()];
        let mut pass = Pass::new(false, Random::new(3, Stream::Dropout, &[]));
        match network.forward(&weights, &x, &mut pass) {
            Ok(_) => assert!(fits),
            Err(error) => assert_eq!(
                error.to_string(),
                format!("expected numbers from 0 to 2, found {id} (layer `embedding`, `Embedding`)")
            ),
        }
    }
}

#[test]
fn refusals_say_what_was_expected() {
    let cases = [
        (
            "Dense",
            json!({"units": 0}),
            vec![&[4][..]],
            "parameter `units` of `Dense`: expected a whole number of at least 1, found 0 (`Dense`)",
        ),
        (
            "Dense",
            json!({"units": 3, "activation": "rellu"}),
            vec![&[4]],
            "unknown activation `rellu` (parameter `activation`, `Dense`)",
        ),
        (
            "Dense",
            json!({"units": 3, "kernel_regulariser": "l2"}),
            vec![&[4]],
            "`Dense` has no parameter `kernel_regulariser`",
        ),
        (
            "Dense",
            json!({"units": 3}),
            vec![&[]],
            "expected an input of at least one axis beside the batch axis, found [] (layer `Dense`)",
        ),
        (
            "Dense",
            json!({"units": 3, "name": "head"}),
            vec![&[4], &[4]],
            "expected one input, found 2 (layer `head`, `Dense`)",
        ),
        (
            "Dense",
            json!({"units": i64::MAX}),
            vec![&[4]],
            "weight `kernel` of shape [4, 9223372036854775807] is too large (layer `Dense`)",
        ),
        ("Dense", json!({"units": 3, "name": "a/b"}), vec![&[4]], "the name `a/b` must not contain `/`"),
        (
            "Conv2D",
            json!({"filters": 3, "kernel_size": 3}),
            vec![&[8, 8]],
            "expected an input of shape [height, width, channels], found [8, 8] (layer `Conv2D`)",
        ),
        (
            "Conv2D",
            json!({"filters": 3, "kernel_size": 3}),
            vec![&[2, 8, 1]],
            "a window of 3 does not fit into an axis of length 2 (layer `Conv2D`)",
        ),
        (
            "Conv2D",
            json!({"filters": 3, "kernel_size": [3]}),
            vec![&[8, 8, 1]],
            "parameter `kernel_size` of `Conv2D`: expected 2 whole numbers of at least 1, or one for all, found a list of 1 (`Conv2D`)",
        ),
        (
            "Conv2D",
            json!({"filters": 4, "kernel_size": 3, "groups": 2}),
            vec![&[8, 8, 3]],
            "3 input channels cannot be split into 2 groups (layer `Conv2D`)",
        ),
        (
            "Conv2D",
            json!({"filters": 4, "kernel_size": 3, "data_format": "channels_middle"}),
            vec![&[8, 8, 3]],
            "parameter `data_format` of `Conv2D`: expected `channels_last` or `channels_first`, found the text \"channels_middle\" (`Conv2D`)",
        ),
        (
            "MaxPooling2D",
            json!({"pool_size": 1_000_000, "padding": "same"}),
            vec![&[8, 8, 3]],
            "the windows see too many places of the input (layer `MaxPooling2D`)",
        ),
        (
            "Dropout",
            json!({"rate": 1.5}),
            vec![&[4]],
            "parameter `rate` of `Dropout`: expected a number from 0 to 1, found 1.5 (`Dropout`)",
        ),
        (
            "Reshape",
            json!({"target_shape": [-1, 3]}),
            vec![&[4]],
            "values of shape [4] cannot take the shape [-1, 3] (layer `Reshape`)",
        ),
        ("Add", json!({}), vec![&[4], &[5]], "expected inputs of one shape, found [4] and [5] (layer `Add`)"),
        ("Add", json!({}), vec![&[4]], "expected at least two inputs, found 1 (layer `Add`)"),
        (
            "Concatenate",
            json!({}),
            vec![&[4, 2], &[5, 3]],
            "expected inputs that differ only in axis 2, found [4, 2] and [5, 3] (layer `Concatenate`)",
        ),
        (
            "Concatenate",
            json!({"axis": 3}),
            vec![&[4, 2]],
            "`axis` 3 is outside of shape [4, 2] without the batch axis (layer `Concatenate`)",
        ),
        (
            "BatchNormalization",
            json!({"epsilon": 0.0}),
            vec![&[4]],
            "parameter `epsilon` of `BatchNormalization`: expected a number above 0, found 0.0 (`BatchNormalization`)",
        ),
        (
            "DepthwiseConv2D",
            json!({"kernel_size": 3}),
            vec![&[8, 8]],
            "expected an input of shape [height, width, channels], found [8, 8] (layer `DepthwiseConv2D`)",
        ),
        (
            "Conv2DTranspose",
            json!({"filters": 2, "kernel_size": 3, "strides": 2, "output_padding": 2}),
            vec![&[8, 8, 1]],
            "parameter `output_padding` of `Conv2DTranspose`: expected whole numbers below `strides`, found 2 (`Conv2DTranspose`)",
        ),
        (
            "Conv1DTranspose",
            json!({"filters": 2, "kernel_size": 3, "strides": 2, "dilation_rate": 2}),
            vec![&[8, 1]],
            "parameter `dilation_rate` of `Conv1DTranspose`: expected 1 where `strides` are above 1, found 2 (`Conv1DTranspose`)",
        ),
        (
            "Conv2DTranspose",
            json!({"filters": 2, "kernel_size": 3, "strides": 1_000_000}),
            vec![&[80, 80, 1]],
            "shape [80000000, 80000000] has too many elements (layer `Conv2DTranspose`)",
        ),
        (
            "Cropping2D",
            json!({"cropping": [1, 2, 3]}),
            vec![&[8, 8, 1]],
            "parameter `cropping` of `Cropping2D`: expected `[[top, bottom], [left, right]]`, `[rows, columns]` or one number, \
             of whole numbers of at least 0, found a list of 3 (`Cropping2D`)",
        ),
        (
            "Cropping1D",
            json!({"cropping": 4}),
            vec![&[8, 1]],
            "cutting 4 and 4 off leaves nothing of [8, 1] (layer `Cropping1D`)",
        ),
        (
            "ZeroPadding2D",
            json!({"padding": 1_000_000}),
            vec![&[8, 8, 1]],
            "shape [2000008, 2000008, 1] has too many elements (layer `ZeroPadding2D`)",
        ),
        (
            "UpSampling2D",
            json!({"interpolation": "bicubic"}),
            vec![&[8, 8, 1]],
            "parameter `interpolation` of `UpSampling2D`: expected one of `nearest`, `bilinear`, found the text \"bicubic\" (`UpSampling2D`)",
        ),
        (
            "Permute",
            json!({"dims": [1, 3]}),
            vec![&[8, 8]],
            "parameter `dims` of `Permute`: expected each axis from 1 on once, such as `[2, 1]`, found a list of 2 (`Permute`)",
        ),
        (
            "RepeatVector",
            json!({"n": 2}),
            vec![&[8, 8]],
            "expected an input of shape [features], found [8, 8] (layer `RepeatVector`)",
        ),
        (
            "GroupNormalization",
            json!({"groups": 3}),
            vec![&[8]],
            "8 channels cannot be split into 3 groups (layer `GroupNormalization`)",
        ),
        (
            "Dot",
            json!({"axes": 1}),
            vec![&[4], &[5]],
            "expected axes of one length, found 4 and 5 in [4] and [5] (layer `Dot`)",
        ),
        (
            "Dot",
            json!({"axes": 0}),
            vec![&[4], &[5]],
            "parameter `axes` of `Dot`: expected two axes, or one for both, other than 0, the batch, found 0 (`Dot`)",
        ),
        ("Dens", json!({}), vec![], "unknown layer `Dens`"),
    ];
    for (layer, options, shapes, message) in cases {
        assert_eq!(apply(layer, options, &shapes).unwrap_err().to_string(), message);
    }
    assert_eq!(find("tf.keras.layers.Dense").err().unwrap().hints()[0], "write `Dense`");
    assert_eq!(find("barrage.layers.Dense").unwrap().entry.name, "Dense");
}

#[test]
fn the_list_is_in_order() {
    for layer in LIST {
        let names: Vec<&str> = layer.entry.parameters.iter().map(|parameter| parameter.name).collect();
        assert!(names.contains(&"name"), "{}", layer.entry.name);
        assert!(layer.positional.iter().all(|name| names.contains(name)), "{}", layer.entry.name);
        let others = LIST.iter().filter(|other| other.script_name == layer.script_name);
        assert_eq!(others.count(), 1, "{}", layer.entry.name);
    }
}

/// Applies a layer to inputs of which some bring masks or have names, and checks what then runs.
fn check_bound(layer: &str, options: Value, shapes: &[&[usize]], masks: &[Option<usize>], named: &[(&str, &[usize])]) {
    let input = |shape: &[usize]| {
        Symbol::input(None, &shape.iter().map(|length| Some(*length)).collect::<Vec<_>>(), Dtype::F32).unwrap()
    };
    let inputs: Vec<Symbol> = shapes
        .iter()
        .enumerate()
        .map(|(at, shape)| input(shape).with_mask(masks.get(at).copied().flatten().map(|steps| input(&[steps]))))
        .collect();
    let mut values: Vec<(&str, Vec<Symbol>)> = Vec::new();
    for (name, shape) in named {
        match values.iter_mut().find(|(own, _)| own == name) {
            Some((_, all)) => all.push(input(shape)),
            None => values.push((name, vec![input(shape)])),
        }
    }
    let layer = find(layer).unwrap().make(&params(options)).unwrap();
    let bound = layer.layer().bind(&inputs, &values).unwrap();
    let (layer, inputs) = bound.map_or((layer.layer().clone(), inputs), |bound| (bound.layer, bound.inputs));
    let shapes: Vec<Vec<usize>> =
        inputs.iter().map(|input| input.shape().iter().map(|axis| axis.unwrap()).collect()).collect();
    let shapes: Vec<&[usize]> = shapes.iter().map(|shape| &**shape).collect();
    let masks: Vec<bool> =
        inputs.iter().enumerate().map(|(at, _)| at >= inputs.len() - masks.iter().flatten().count()).collect();
    for rows in [1, 9, 18] {
        testing::check(&*layer, &shapes, rows, |input, at| match masks[input] {
            true => f32::from(testing::noise(input, at) > -0.4),
            false => testing::noise(input, at),
        });
    }
}

#[test]
fn kernels_of_recurrent_layers_give_what_the_steps_give() {
    let variants = [
        ("SimpleRNN", json!({"units": 5})),
        ("SimpleRNN", json!({"units": 17, "activation": "relu", "use_bias": false})),
        ("LSTM", json!({"units": 17})),
        ("LSTM", json!({"units": 3, "activation": "softsign", "recurrent_activation": "hard_sigmoid"})),
        ("LSTM", json!({"units": 16, "use_bias": false})),
        ("GRU", json!({"units": 17})),
        ("GRU", json!({"units": 3, "use_bias": false, "activation": "linear"})),
        ("GRU", json!({"units": 17, "reset_after": false})),
        ("GRU", json!({"units": 3, "reset_after": false, "use_bias": false})),
    ];
    let modes = [
        json!({}),
        json!({"return_sequences": true}),
        json!({"return_sequences": true, "return_state": true, "go_backwards": true}),
        json!({"return_state": true}),
        json!({"return_sequences": true, "zero_output_for_mask": true, "go_backwards": true}),
    ];
    for (layer, own) in &variants {
        for mode in &modes {
            let mut options = own.clone();
            options.as_object_mut().unwrap().extend(mode.as_object().unwrap().clone());
            let units = own["units"].as_u64().unwrap() as usize;
            let state = [units];
            let states = vec![("initial_state", &state[..]); if *layer == "LSTM" { 2 } else { 1 }];
            check_bound(layer, options.clone(), &[&[7, 3]], &[], &[]);
            check_bound(layer, options.clone(), &[&[4, 300]], &[Some(4)], &[]);
            check_bound(layer, options, &[&[5, 2]], &[Some(5)], &states);
        }
    }
}

#[test]
fn kernels_of_normalisation_and_embedding_give_what_their_operations_give() {
    for shape in [&[5usize][..], &[7, 33], &[3, 4, 16]] {
        for options in [json!({}), json!({"center": false, "epsilon": 1e-5}), json!({"scale": false})] {
            check_bound("LayerNormalization", options, &[shape], &[], &[]);
        }
    }
    check_bound("LayerNormalization", json!({"axis": [1, 2]}), &[&[7, 33]], &[], &[]);
    let layer = find("Embedding").unwrap().make(&params(json!({"input_dim": 7, "output_dim": 37}))).unwrap();
    testing::check(&**layer.layer(), &[&[11]], 40, |_, at| (at * 5 % 7) as f32);
}

#[test]
fn kernels_of_attention_give_what_its_operations_give() {
    let variants = [
        json!({"num_heads": 2, "key_dim": 5}),
        json!({"num_heads": 1, "key_dim": 3, "value_dim": 4, "use_bias": false, "output_shape": 7}),
        json!({"num_heads": 3, "key_dim": 16, "use_causal_mask": true, "dropout": 0.2}),
        json!({"num_heads": 2, "key_dim": 4, "return_attention_scores": true, "dropout": 0.2}),
    ];
    let pairs: (&str, &[usize]) = ("attention_mask", &[7, 5]);
    for options in variants {
        check_bound("MultiHeadAttention", options.clone(), &[&[7, 6]], &[], &[]);
        check_bound("MultiHeadAttention", options.clone(), &[&[19, 6]], &[Some(19)], &[]);
        check_bound("MultiHeadAttention", options.clone(), &[&[7, 6], &[5, 3]], &[], &[]);
        check_bound(
            "MultiHeadAttention",
            options.clone(),
            &[&[7, 6], &[5, 3], &[5, 2]],
            &[None, Some(5), Some(5)],
            &[],
        );
        check_bound("MultiHeadAttention", options, &[&[7, 6], &[5, 3]], &[Some(7), Some(5)], &[pairs]);
    }
}

#[test]
fn kernels_of_wrappers_give_what_their_layers_give() {
    let inner = json!({"units": 3});
    let sequences = json!({"units": 5, "return_sequences": true});
    let states = json!({"units": 3, "return_sequences": true, "return_state": true});
    let backwards = json!({"units": 3, "go_backwards": true});
    for merge in [json!("concat"), json!("sum"), json!("mul"), json!("ave"), json!(null)] {
        for (kind, params) in [("LSTM", &inner), ("GRU", &sequences), ("LSTM", &states), ("SimpleRNN", &backwards)] {
            let options = json!({"layer": {"import": kind, "params": params}, "merge_mode": merge});
            check_bound("Bidirectional", options.clone(), &[&[5, 2]], &[], &[]);
            check_bound("Bidirectional", options, &[&[5, 2]], &[Some(5)], &[]);
        }
    }
    let options = json!({
        "layer": {"import": "LSTM", "params": {"units": 3}},
        "backward_layer": {"import": "GRU", "params": {"units": 2, "go_backwards": true}},
    });
    check_bound("Bidirectional", options, &[&[5, 2]], &[Some(5)], &[]);
    let options = json!({"layer": {"import": "LSTM", "params": {"units": 3}}});
    check_bound("TimeDistributed", options, &[&[4, 5, 2]], &[], &[]);
    check_bound("PositionEmbedding", json!({"sequence_length": 9}), &[&[7, 3]], &[], &[]);
    let layer = find("Masking").unwrap().make(&params(json!({"mask_value": 0.5}))).unwrap();
    testing::check(&**layer.layer(), &[&[6, 2]], 5, |_, at| if at / 2 % 3 == 1 { 0.5 } else { at as f32 });
}

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
