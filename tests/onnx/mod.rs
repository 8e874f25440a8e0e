//! Networks written as ONNX: the structure of what is written, for every built-in layer and activation.
//!
//! Whether other programs compute the same with it is for `check.py`, which needs Python and onnxruntime: with
//! `BARRAGE_ONNX` these tests write every model to that folder, with inputs and the numbers that are expected (Keras's,
//! where there is a table).

#![allow(clippy::unwrap_used, reason = "a case that cannot be made fails the test")]

use std::collections::HashSet;
use std::path::Path;

use barrage::network::onnx::message::{Graph as Written, Model};
use barrage::network::{Network, Pass, Symbol, activation, layers, onnx};
use barrage::random::{Random, Stream};
use barrage::tensor::{Array, Dtype, Graph, device};
use prost::Message;
use serde_json::{Map, Value, json};

use crate::numeric::layers::{Made, each, make, read, tensor, values};

/// The kind of a layer, its parameters, the shapes of its inputs.
type Further = (&'static str, Value, Vec<Vec<Option<usize>>>);

/// Layers that the tables of Keras do not have, or not so.
fn further() -> Vec<Further> {
    let known = |shape: &[usize]| shape.iter().copied().map(Some).collect::<Vec<_>>();
    vec![
        ("SpatialDropout2D", json!({"rate": 0.5}), vec![known(&[3, 3, 2])]),
        ("GaussianDropout", json!({"rate": 0.5}), vec![known(&[3])]),
        ("PositionEmbedding", json!({"sequence_length": 7}), vec![known(&[4, 3])]),
        ("PositionEmbedding", json!({"sequence_length": 7}), vec![vec![None, Some(3)]]),
        ("LSTM", json!({"units": 3, "return_sequences": true}), vec![vec![None, Some(2)]]),
        ("GRU", json!({"units": 3, "activation": "gelu"}), vec![known(&[4, 2])]),
        ("GRU", json!({"units": 3, "reset_after": false, "activation": "mish"}), vec![known(&[4, 2])]),
        ("SimpleRNN", json!({"units": 3, "activation": "elu"}), vec![known(&[4, 2])]),
        ("Conv1D", json!({"filters": 3, "kernel_size": 4, "padding": "same"}), vec![vec![None, Some(2)]]),
        (
            "Conv1D",
            json!({"filters": 3, "kernel_size": 3, "padding": "causal", "dilation_rate": 2}),
            vec![vec![None, Some(2)]],
        ),
        ("Conv2D", json!({"filters": 2, "kernel_size": 3, "strides": 2, "padding": "same"}), vec![known(&[5, 8, 3])]),
        ("MaxPooling2D", json!({"pool_size": 3, "strides": 2, "padding": "same"}), vec![known(&[6, 7, 3])]),
        ("TimeDistributed", json!({"layer": {"import": "Dense", "params": {"units": 2}}}), vec![vec![None, Some(3)]]),
        (
            "MultiHeadAttention",
            json!({"num_heads": 2, "key_dim": 3, "use_causal_mask": true}),
            vec![vec![None, Some(4)], vec![None, Some(4)]],
        ),
        (
            "MultiHeadAttention",
            json!({"num_heads": 2, "key_dim": 3, "value_dim": 5, "use_gate": true}),
            vec![known(&[3, 4]), known(&[5, 4])],
        ),
        (
            "MultiHeadAttention",
            json!({"num_heads": 2, "key_dim": 3, "use_gate": true, "use_bias": false}),
            vec![vec![None, Some(4)], vec![None, Some(4)]],
        ),
        ("BatchNormalization", json!({"renorm": true}), vec![known(&[3, 4])]),
        ("Activation", json!({"activation": {"import": "sparsemax", "params": {"axis": 1}}}), vec![known(&[5, 3])]),
        ("Activation", json!({"activation": {"import": "sparsemax", "params": {"axis": 2}}}), vec![known(&[2, 5, 3])]),
        ("AveragePooling2D", json!({"pool_size": 3, "strides": 2, "padding": "same"}), vec![known(&[6, 7, 3])]),
        (
            "EinsumDense",
            json!({"equation": "abc,cd->abd", "output_shape": [null, 4], "bias_axes": "d", "activation": "relu"}),
            vec![known(&[3, 2])],
        ),
        ("EinsumDense", json!({"equation": "...x,xy->...y", "output_shape": 4}), vec![known(&[3, 2])]),
        (
            "Conv2D",
            json!({"filters": 2, "kernel_size": 3, "padding": "same", "data_format": "channels_first"}),
            vec![known(&[3, 5, 6])],
        ),
        ("GlobalMaxPooling2D", json!({"data_format": "channels_first"}), vec![known(&[3, 5, 6])]),
        ("Reshape", json!({"target_shape": [-1, 2]}), vec![vec![None, Some(4)]]),
        ("UpSampling2D", json!({"size": [2, 3], "interpolation": "bilinear"}), vec![known(&[3, 4, 2])]),
        ("GroupNormalization", json!({"groups": 2}), vec![vec![None, Some(3), Some(4)]]),
        (
            "Bidirectional",
            json!({"layer": {"import": "LSTM", "params": {"units": 2, "return_sequences": true}}, "merge_mode": "mul"}),
            vec![vec![None, Some(3)]],
        ),
    ]
}

/// A model with inputs and the outputs that are expected.
pub(crate) struct Case {
    pub name: String,
    pub network: Network,
    pub weights: Vec<Array>,
    pub inputs: Vec<Graph>,
    expected: Vec<Graph>,
    tolerance: (f64, f64),
}

fn of_table(case: &Value) -> Case {
    let Made { network, weights, xs, more, values_of_outputs, .. } = make(case).unwrap();
    let mut expected: Vec<Graph> = each(&case["expected"]["y"]).into_iter().map(tensor).collect();
    assert_eq!(expected.len(), values_of_outputs);
    if !case["expected"]["mask"].is_null() {
        expected.push(tensor(&case["expected"]["mask"]));
    }
    let tolerance = (case["tolerance"]["abs"].as_f64().unwrap(), case["tolerance"]["rel"].as_f64().unwrap());
    Case {
        name: case["name"].as_str().unwrap().to_owned(),
        network,
        weights: weights.iter().map(|weight| Array::from_graph(weight).unwrap()).collect(),
        inputs: xs.into_iter().chain(more).collect(),
        expected,
        tolerance,
    }
}

fn composed(name: String, kind: &str, params: &Value, shapes: &[Vec<Option<usize>>]) -> Case {
    let inputs: Vec<Symbol> = shapes.iter().map(|shape| Symbol::input(None, shape, Dtype::F32).unwrap()).collect();
    let layer = layers::find(kind).unwrap().make(params.as_object().unwrap_or(&Map::new())).unwrap();
    let network = Network::new(&inputs, &[layer.apply(&inputs).unwrap()]).unwrap();
    let mut next = 0;
    let mut noise = |shape: &[usize], low: f32| {
        let values = (0..shape.iter().product::<usize>()).map(|_| {
            next += 1;
            (next * 7919 % 997) as f32 / 498.5 * (1.0 - low / 2.0) + low
        });
        Array::from_f32(values.collect(), shape).unwrap()
    };
    // Statistics such as variances are positive.
    let weights: Vec<Array> =
        network.weights().iter().map(|info| noise(&info.shape, if info.trainable { -2.0 } else { 0.5 })).collect();
    let lengths = |shape: &Vec<Option<usize>>| {
        std::iter::once(2).chain(shape.iter().map(|axis| axis.unwrap_or(5))).collect::<Vec<_>>()
    };
    let inputs: Vec<Graph> =
        shapes.iter().map(|shape| noise(&lengths(shape), -2.0).to_graph(&device::cpu()).unwrap()).collect();
    let values: Vec<Graph> = weights.iter().map(|weight| weight.to_graph(&device::cpu()).unwrap()).collect();
    let mut pass = Pass::new(false, Random::new(0, Stream::Dropout, &[]));
    let expected = network.forward(&values, &inputs, &mut pass).unwrap();
    Case { name, network, weights, inputs, expected, tolerance: (1e-5, 1e-5) }
}

pub(crate) fn cases() -> Vec<Case> {
    let mut tables = read(include_str!("../numeric/layers.json"));
    tables.extend(read(include_str!("../numeric/sequences.json")));
    // What is written does not train.
    let table = tables.iter().filter(|case| case["inputs"]["call_kwargs"]["training"] != true);
    let mut cases: Vec<Case> = table.map(of_table).collect();
    for (at, (kind, params, shapes)) in further().into_iter().enumerate() {
        cases.push(composed(format!("further_{at}_{kind}"), kind, &params, &shapes));
    }
    for entry in activation::LIST {
        let value = match entry.name {
            "threshold" => json!({"import": "threshold", "params": {"threshold": 0.5, "default_value": -2.0}}),
            name => json!(name),
        };
        let params = json!({"activation": value});
        cases.push(composed(format!("activation_{}", entry.name), "Activation", &params, &[vec![Some(30), Some(4)]]));
    }
    cases
}

/// The operations of set 17 that layers may use.
const OPERATIONS: &[&str] = &[
    "Abs",
    "Add",
    "AveragePool",
    "Cast",
    "Clip",
    "Concat",
    "Conv",
    "ConvTranspose",
    "Einsum",
    "Split",
    "CumSum",
    "Div",
    "Einsum",
    "Elu",
    "Equal",
    "Erf",
    "Exp",
    "Expand",
    "GRU",
    "Gather",
    "Greater",
    "GreaterOrEqual",
    "HardSigmoid",
    "Identity",
    "LSTM",
    "LeakyRelu",
    "LessOrEqual",
    "LogSoftmax",
    "MatMul",
    "Max",
    "MaxPool",
    "Min",
    "Mul",
    "Neg",
    "Not",
    "PRelu",
    "Pad",
    "RNN",
    "Range",
    "ReduceMax",
    "ReduceMean",
    "ReduceSum",
    "Relu",
    "Reshape",
    "Resize",
    "Selu",
    "Shape",
    "Sigmoid",
    "Slice",
    "Softmax",
    "Softplus",
    "Softsign",
    "Split",
    "Sqrt",
    "Squeeze",
    "Sub",
    "Tanh",
    "Tile",
    "TopK",
    "Transpose",
    "Unsqueeze",
    "Where",
];

/// Every value is made once and before it is read, constants have their sizes, outputs are there.
fn check_structure(name: &str, network: &Network, graph: &Written) {
    let mut known: HashSet<&str> = HashSet::from([""]);
    for input in &graph.input {
        assert!(known.insert(&input.name), "{name}: {}", input.name);
    }
    for constant in &graph.initializer {
        assert!(known.insert(&constant.name), "{name}: {} twice", constant.name);
        let width = if constant.data_type == onnx::message::INT64 { 8 } else { 4 };
        let count: i64 = constant.dims.iter().product();
        assert_eq!(constant.raw_data.len() as i64, count * width, "{name}: {}", constant.name);
    }
    for node in &graph.node {
        assert!(OPERATIONS.contains(&node.op_type.as_str()), "{name}: {}", node.op_type);
        node.input.iter().for_each(|input| assert!(known.contains(&**input), "{name}: {input} in {node:?}"));
        node.output.iter().for_each(|output| assert!(known.insert(output), "{name}: {output} twice"));
    }
    let ports = network.inputs().iter().zip(&graph.input).chain(network.outputs().iter().zip(&graph.output));
    for (port, value) in ports {
        assert_eq!(*port.name, *value.name, "{name}");
        assert!(known.contains(&*value.name), "{name}: {}", value.name);
    }
    assert_eq!((network.inputs().len(), network.outputs().len()), (graph.input.len(), graph.output.len()));
}

#[test]
fn every_layer_and_every_activation_is_written() {
    let folder = std::env::var("BARRAGE_ONNX").ok();
    let mut met: HashSet<&str> = HashSet::new();
    for case in &cases() {
        met.extend(case.network.layers().iter().map(|layer| layer.kind));
        let bytes = onnx::export(&case.network, &case.weights).unwrap_or_else(|error| panic!("{}: {error}", case.name));
        let model = Model::decode(&*bytes).unwrap();
        check_structure(&case.name, &case.network, &model.graph.unwrap());
        if let Some(folder) = &folder {
            write(Path::new(folder), case, &bytes);
        }
    }
    let missing: Vec<&str> =
        layers::LIST.iter().map(|layer| layer.entry.name).filter(|name| !met.contains(name)).collect();
    assert!(missing.is_empty(), "no case for {missing:?}");
}

/// Writes a model and what it should give, for `check.py`.
fn write(folder: &Path, case: &Case, bytes: &[u8]) {
    let array = |graph: &Graph| {
        let numbers: Vec<Value> = values(graph)
            .into_iter()
            .map(|value| serde_json::Number::from_f64(value).map_or(json!(value.to_string()), Value::Number))
            .collect();
        json!({"shape": graph.dims(), "data": numbers})
    };
    let ports = |ports: &[barrage::network::Port], values: &[Graph]| {
        let named = ports.iter().zip(values).map(|(port, value)| (port.name.to_string(), array(value)));
        Value::Object(named.collect())
    };
    let told = json!({
        "inputs": ports(case.network.inputs(), &case.inputs),
        "outputs": ports(case.network.outputs(), &case.expected),
        "tolerance": {"abs": case.tolerance.0, "rel": case.tolerance.1},
    });
    std::fs::create_dir_all(folder).unwrap();
    std::fs::write(folder.join(format!("{}.onnx", case.name)), bytes).unwrap();
    std::fs::write(folder.join(format!("{}.json", case.name)), told.to_string()).unwrap();
}

#[test]
fn weights_keep_their_names_and_shared_layers_are_written_twice_with_one_weight() {
    let (a, b) = (Symbol::input("a", &[Some(3)], Dtype::F32), Symbol::input("b", &[Some(3)], Dtype::F32));
    let (a, b) = (a.unwrap(), b.unwrap());
    let dense = layers::find("Dense").unwrap().make(json!({"units": 2, "name": "both"}).as_object().unwrap()).unwrap();
    let (x, y) = (dense.apply(std::slice::from_ref(&a)).unwrap(), dense.apply(std::slice::from_ref(&b)).unwrap());
    let sum = layers::find("Add").unwrap().make(&Map::new()).unwrap().apply(&[x, y]).unwrap();
    let network = Network::new(&[a, b], &[sum]).unwrap();
    let model = onnx::model(&network, &network.initialise(1).unwrap()).unwrap();
    assert_eq!(model.opset_import[0].version, 17);
    let graph = model.graph.unwrap();
    check_structure("shared", &network, &graph);
    let constants: Vec<&str> = graph.initializer.iter().map(|constant| &*constant.name).collect();
    assert_eq!(constants, ["both/kernel", "both/bias"]);
    let operations: Vec<&str> = graph.node.iter().map(|node| &*node.op_type).collect();
    assert_eq!(operations, ["MatMul", "Add", "MatMul", "Add", "Add", "Identity"]);
}
