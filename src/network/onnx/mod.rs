//! Networks as ONNX: one graph of operations that other programs run, of the operator set 17.
//!
//! Each layer writes itself ([`Layer::onnx`](super::Layer::onnx)), as it is when it does not train. Inputs and outputs
//! have the network's names, shapes and layouts (channels last); the batch axis is open. Weights are kept under their
//! Keras names, some with their axes in another order.

mod activation;
#[allow(missing_docs, reason = "names and meanings are those of `onnx.proto`")]
pub mod message;
mod writer;

use std::collections::HashMap;

use prost::Message;

use self::message::{
    Dimension, FLOAT, Graph, INT64, Length, Model, OperatorSet, TensorShape, TensorType, Type, UINT8, ValueInfo,
};
pub use self::writer::{Step, Writer, float, floats, int, ints, lengths, text, texts, turned};
use super::{Network, Port};
use crate::error::{Error, Result, codes};
use crate::tensor::{Array, Dtype};

/// The operator set that graphs are written in.
const OPERATORS: i64 = 17;
/// The version of the file format: the first with that operator set.
const FORMAT: i64 = 8;
/// What a message may be at most; larger weights would have to stand in files of their own.
const LARGEST: usize = i32::MAX as usize;

/// Returns a network as the bytes of an ONNX file.
///
/// ```
/// use barrage::network::{Network, Symbol, layers, onnx};
/// use barrage::tensor::Dtype;
/// let x = Symbol::input("x", &[Some(4)], Dtype::F32)?;
/// let units = serde_json::json!({"units": 2}).as_object().cloned().unwrap_or_default();
/// let y = layers::find("Dense")?.make(&units)?.apply(&[x.clone()])?;
/// let network = Network::new(&[x], &[y])?;
/// let model = onnx::model(&network, &network.initialise(1)?)?;
/// let operations: Vec<String> = model.graph.unwrap_or_default().node.into_iter().map(|node| node.op_type).collect();
/// assert_eq!(operations, ["MatMul", "Add", "Identity"]);
/// # Ok::<(), barrage::Error>(())
/// ```
///
/// # Errors
/// As [`model`]; more than 2 GB of weights.
pub fn export(network: &Network, weights: &[Array]) -> Result<Vec<u8>> {
    let model = model(network, weights)?;
    match model.encoded_len() <= LARGEST {
        true => Ok(model.encode_to_vec()),
        false => Err(Error::artifact("the network has more than 2 GB of weights, which one ONNX file cannot hold")
            .coded(codes::WEIGHTS)
            .hint("write the weights alone, as safetensors")),
    }
}

/// Returns a network as the message of an ONNX file. `weights` are in the order of [`Network::weights`].
///
/// # Errors
/// A layer that cannot be written, by name: one with a script's function.
pub fn model(network: &Network, weights: &[Array]) -> Result<Model> {
    if weights.len() != network.weights.len() {
        return Err(Error::run(format!("expected {} weights, found {}", network.weights.len(), weights.len())));
    }
    let mut writer = Writer::default();
    let mut names: Vec<String> = network.inputs.iter().map(|port| port.name.to_string()).collect();
    let mut shapes: Vec<_> = network.inputs.iter().map(|port| port.shape.clone()).collect();
    let mut dtypes: Vec<Dtype> = network.inputs.iter().map(|port| port.dtype).collect();
    let mut applied: HashMap<&str, usize> = HashMap::new();
    for node in &network.nodes {
        let times = applied.entry(&node.name).or_default();
        writer.layer = if *times == 0 { node.name.to_string() } else { format!("{}:{times}", node.name) };
        *times += 1;
        let mut inputs = Vec::with_capacity(node.inputs.len());
        for at in &node.inputs {
            inputs.push(match node.floats && matches!(dtypes[*at], Dtype::I64 | Dtype::U8) {
                true => writer.cast(&names[*at], FLOAT),
                false => names[*at].clone(),
            });
        }
        let own = node.weights.clone().map(|at| (network.weights[at].name.to_string(), &weights[at]));
        let mut step = Step {
            shapes: node.inputs.iter().map(|at| shapes[*at].clone()).collect(),
            dtypes: node.inputs.iter().map(|at| if node.floats { Dtype::F32 } else { dtypes[*at] }).collect(),
            inputs,
            weights: own.collect(),
            to: &mut writer,
        };
        let value = node
            .layer
            .onnx(&mut step)
            .map_err(|error| error.within(format!("layer `{}`, `{}`", node.name, node.layer.kind())))?;
        names.push(value);
        shapes.push(node.shape.clone());
        dtypes.push(node.dtype);
    }
    for (port, value) in network.outputs.iter().zip(&network.output_values) {
        writer.call(&names[*value], &port.name);
    }
    let graph = Graph {
        node: writer.nodes,
        name: "barrage".to_owned(),
        initializer: writer.constants,
        input: network.inputs.iter().map(port).collect(),
        output: network.outputs.iter().map(port).collect(),
    };
    Ok(Model {
        ir_version: FORMAT,
        producer_name: "barrage".to_owned(),
        producer_version: env!("CARGO_PKG_VERSION").to_owned(),
        graph: Some(graph),
        opset_import: vec![OperatorSet { domain: String::new(), version: OPERATORS }],
    })
}

fn port(port: &Port) -> ValueInfo {
    let open = |name: String| Dimension { length: Some(Length::Open(name)) };
    let axis = |(at, length): (usize, &Option<usize>)| match length {
        Some(length) => Dimension { length: Some(Length::Known(*length as i64)) },
        None => open(format!("{}_{}", port.name, at + 1)),
    };
    let dim = std::iter::once(open("batch".to_owned())).chain(port.shape.iter().enumerate().map(axis)).collect();
    let elem_type = match port.dtype {
        Dtype::I64 => INT64,
        Dtype::U8 => UINT8,
        Dtype::F32 | Dtype::F64 => FLOAT,
    };
    let tensor = TensorType { elem_type, shape: Some(TensorShape { dim }) };
    ValueInfo { name: port.name.to_string(), kind: Some(Type { tensor: Some(tensor) }) }
}
