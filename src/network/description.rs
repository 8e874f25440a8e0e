//! A network's layers as plain data, for drawings and tables.

use super::{Network, Shape};
use crate::record::Name;

/// One input, or one application of a layer.
#[derive(Clone, Debug, PartialEq)]
pub struct LayerInfo {
    /// Its name.
    pub name: Name,
    /// `Input`, or the layer's Keras name.
    pub kind: &'static str,
    /// The names of the values it reads.
    pub inputs: Vec<Name>,
    /// The shape of its value without the batch axis.
    pub shape: Shape,
}

impl Network {
    /// Returns inputs and layers in the order in which they are computed.
    pub fn layers(&self) -> Vec<LayerInfo> {
        let mut layers: Vec<LayerInfo> = self
            .inputs
            .iter()
            .map(|port| LayerInfo {
                name: port.name.clone(),
                kind: "Input",
                inputs: Vec::new(),
                shape: port.shape.clone(),
            })
            .collect();
        for node in &self.nodes {
            let inputs =
                node.inputs.iter().filter_map(|&value| layers.get(value).map(|layer| layer.name.clone())).collect();
            layers.push(LayerInfo {
                name: node.name.clone(),
                kind: node.layer.kind(),
                inputs,
                shape: node.shape.clone(),
            });
        }
        layers
    }
}
