//! Shapes that do not fit are refused, whatever the loss or metric; nothing panics and nothing broadcasts.

use barrage::metric::{self, MetricTarget};
use barrage::tensor::{Array, Graph, Tensor, device};
use barrage::{loss, registry::Params};
use candle_core::{DType, Var};
use serde_json::json;

const SHAPES: &[&[usize]] = &[
    &[],
    &[0],
    &[1],
    &[2],
    &[3],
    &[2, 1],
    &[1, 2],
    &[2, 2],
    &[2, 3],
    &[3, 2],
    &[0, 3],
    &[2, 0],
    &[2, 3, 1],
    &[2, 3, 4],
];

#[test]
fn losses_bear_every_shape() {
    for entry in loss::LIST {
        let loss = entry.make(&Params::new()).expect("losses have defaults");
        for (labels, output) in pairs() {
            for dtype in [DType::F32, DType::I64, DType::U8] {
                let y_true = Graph::zeros(labels, dtype, &device::cpu()).unwrap();
                let y_pred = Graph::ones(output, DType::F32, &device::cpu()).unwrap();
                if let Ok(values) = loss.per_sample(&y_true, &y_pred) {
                    let least = labels.iter().product::<usize>().min(output.iter().product());
                    assert!(values.elem_count() <= least, "{}: {labels:?} {output:?}", entry.name);
                    for weights in SHAPES {
                        let weight = Graph::ones(*weights, DType::F32, &device::cpu()).unwrap();
                        if let Ok(value) = loss.value(&y_true, &y_pred, Some(&weight)) {
                            assert_eq!(value.rank(), 0, "{}: {labels:?} {output:?} {weights:?}", entry.name);
                        }
                    }
                }
            }
        }
    }
}

#[test]
fn metrics_bear_every_shape() {
    let names = metric::LIST.iter().map(|entry| entry.name).chain(loss::LIST.iter().map(|entry| entry.name));
    for name in names.chain(["accuracy", "crossentropy"]) {
        for (labels, output) in pairs() {
            let mut params = Params::new();
            if name.contains("IoU") && name != "BinaryIoU" {
                params.insert("num_classes".to_owned(), json!(3));
            }
            if matches!(name, "IoU" | "OneHotIoU") {
                params.insert("target_class_ids".to_owned(), json!([0, 2]));
            }
            if let Some((_, constraint)) = name.split_once("At") {
                params.insert(constraint.to_lowercase(), json!(0.5));
            }
            let Ok(mut metric) = metric::make(name, &params, &MetricTarget { labels, output }) else {
                assert!(matches!(name, "accuracy" | "crossentropy"), "{name} is made from any shape");
                continue;
            };
            for weights in std::iter::once(None).chain(SHAPES.iter().map(Some)) {
                let weight = weights.map(|weights| zeros(weights));
                let _ = metric.update(&zeros(labels), &zeros(output), weight.as_ref());
                let _ = metric.results().expect("a result");
                metric.result().expect("a result");
            }
        }
    }
}

#[test]
fn misfits_name_both_shapes_and_say_what_to_do() {
    for (name, labels, output, message, hint) in [
        (
            "mse",
            &[4usize][..],
            &[4usize, 3][..],
            "`mean_squared_error`: labels of shape [4] do not fit predictions of shape [4, 3]",
            "give labels of shape [4, 3], or end the network in 1 unit instead of 3",
        ),
        (
            "categorical_crossentropy",
            &[4, 1],
            &[4, 3],
            "`categorical_crossentropy`: labels of shape [4, 1] do not fit predictions of shape [4, 3]",
            "use `sparse_categorical_crossentropy` for class indices, or give one-hot labels",
        ),
        (
            "sparse_categorical_crossentropy",
            &[4, 3],
            &[4, 3],
            "`sparse_categorical_crossentropy`: labels of shape [4, 3] do not fit predictions of shape [4, 3]",
            "these labels look one-hot: use `categorical_crossentropy`, or give class indices",
        ),
        (
            "bce",
            &[4, 2],
            &[4, 1],
            "`binary_crossentropy`: labels of shape [4, 2] do not fit predictions of shape [4, 1]",
            "labels and predictions need one shape: give labels of shape [4, 1]",
        ),
    ] {
        let loss = loss::make(name, &Params::new()).unwrap();
        let y_true = Graph::zeros(labels, DType::I64, &device::cpu()).unwrap();
        let y_pred = Graph::ones(output, DType::F32, &device::cpu()).unwrap();
        let error = loss.per_sample(&y_true, &y_pred).expect_err("a misfit");
        assert_eq!(error.message(), message);
        assert_eq!(error.hints(), [hint]);
    }
    let loss = loss::make("sparse_categorical_crossentropy", &Params::new()).unwrap();
    let y_true = Graph::new(&[0i64, 3], &device::cpu()).unwrap();
    let y_pred = Graph::ones((2, 3), DType::F32, &device::cpu()).unwrap();
    let error = loss.per_sample(&y_true, &y_pred).expect_err("no such class");
    assert_eq!(
        error.message(),
        "`sparse_categorical_crossentropy`: label 3 is no class: the predictions have 3 classes"
    );
}

#[test]
fn extreme_logits_have_finite_losses_and_gradients() {
    let logits = Var::new(&[[300f32, -300.0, 0.0], [-1e30, 1e30, 0.0]], &device::cpu()).unwrap();
    let labels = Graph::new(&[[0f32, 1.0, 0.0], [1.0, 0.0, 0.0]], &device::cpu()).unwrap();
    let mut params = Params::new();
    params.insert("from_logits".to_owned(), json!(true));
    for name in [
        "binary_crossentropy",
        "binary_focal_crossentropy",
        "categorical_crossentropy",
        "categorical_focal_crossentropy",
    ] {
        let value = loss::make(name, &params).unwrap().value(&labels, logits.as_tensor(), None).unwrap();
        let gradients = value.backward().unwrap();
        let gradient = gradients.get(&logits).expect("a gradient").flatten_all().unwrap().to_vec1::<f32>().unwrap();
        assert!(value.to_scalar::<f32>().unwrap().is_finite(), "{name}");
        assert!(gradient.iter().all(|value| value.is_finite()), "{name}: {gradient:?}");
    }
}

fn pairs() -> impl Iterator<Item = (&'static [usize], &'static [usize])> {
    SHAPES.iter().flat_map(|labels| SHAPES.iter().map(move |output| (*labels, *output)))
}

fn zeros(shape: &[usize]) -> Tensor {
    Tensor::Host(Array::F32(ndarray::ArcArray::zeros(ndarray::IxDyn(shape))))
}
