//! What layers refuse, and how they say it.

use candle_core::DType;

use super::*;

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
        (
            "Flatten",
            json!({"activity_regularizer": "l3"}),
            vec![&[4]],
            "unknown regularizer `l3` (parameter `activity_regularizer`)",
        ),
        (
            "Flatten",
            json!({"activity_regularizer": 2}),
            vec![&[4]],
            "parameter `activity_regularizer` of `Flatten`: expected a name or an import block, found 2",
        ),
        (
            "Conv1D",
            json!({"filters": 2, "kernel_size": 1, "activity_regularizer": "OrthogonalRegularizer"}),
            vec![&[4, 3]],
            "`OrthogonalRegularizer`: expected a weight of two axes, found [1, 4, 2] (parameter `activity_regularizer`, layer `Conv1D`)",
        ),
        (
            "TimeDistributed",
            json!({"layer": {"import": "Dense", "params": {"units": 1, "activity_regularizer": "l2"}}}),
            vec![&[4, 3]],
            "parameter `layer` of `TimeDistributed`: expected a layer without `activity_regularizer`: its steps are no values of the network, found a map (`TimeDistributed`)",
        ),
        (
            "Bidirectional",
            json!({"layer": {"import": "GRU", "params": {"units": 1, "activity_regularizer": "l2"}}}),
            vec![&[4, 3]],
            "parameter `layer` of `Bidirectional`: expected a layer without `activity_regularizer`: only what is merged is a value, found a map (`Bidirectional`)",
        ),
        (
            "MultiHeadAttention",
            json!({"num_heads": 1, "key_dim": 1, "activity_regularizer": "OrthogonalRegularizer"}),
            vec![&[4, 3], &[4, 3]],
            "parameter `activity_regularizer` of `MultiHeadAttention`: expected `L1`, `L2` or `L1L2`: projections have more than two axes, found the text \"OrthogonalRegularizer\" (`MultiHeadAttention`)",
        ),
        (
            "BatchNormalization",
            json!({"renorm": true, "renorm_clipping": {"rmin": 2.0, "rmax": 1.0}}),
            vec![&[4]],
            "parameter `rmax` of `renorm_clipping`: expected a number of at least `rmin`, found 1.0 (`BatchNormalization`)",
        ),
        (
            "BatchNormalization",
            json!({"renorm": true, "renorm_clipping": {"max": 2.0}}),
            vec![&[4]],
            "`renorm_clipping` has no parameter `max` (`BatchNormalization`)",
        ),
        (
            "BatchNormalization",
            json!({"renorm_clipping": {"dmax": 2.0}}),
            vec![&[4]],
            "parameter `renorm_clipping` of `BatchNormalization`: expected null where `renorm` is false, found a map (`BatchNormalization`)",
        ),
    ];
    for (layer, options, shapes, message) in cases {
        assert_eq!(apply(layer, options, &shapes).unwrap_err().to_string(), message);
    }
    assert_eq!(find("tf.keras.layers.Dense").err().unwrap().hints()[0], "write `Dense`");
    assert_eq!(find("barrage.layers.Dense").unwrap().entry.name, "Dense");
}
