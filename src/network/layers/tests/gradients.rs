//! Gradients against finite differences in 64 bits, on odd sizes.

use candle_core::{DType, Var};

use super::*;

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
        ("MultiHeadAttention", json!({"num_heads": 2, "key_dim": 3, "use_gate": true}), vec![&[3, 2][..], &[4, 3]]),
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
    for activation in crate::network::activation::LIST {
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
