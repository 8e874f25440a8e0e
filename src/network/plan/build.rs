//! How a plan is made: what runs each layer, and where its values stand.

use std::sync::Arc;

use crate::error::{Error, Result};
use crate::kernel::activation::Activation as Function;
use crate::kernel::buffer::Buffer;
use crate::network::Network;
use crate::tensor::{Device, Dtype};

use super::composed::Composed;
use super::{Activity, Output, Plan, Step, Way, layout};

impl Plan {
    /// Makes a plan for inputs whose records have these shapes; `device` is the CPU, for what has to be composed.
    ///
    /// # Errors
    /// Shapes that a layer refuses.
    pub fn new(network: &Network, inputs: &[Vec<usize>], device: &Device) -> Result<Plan> {
        // By the number of a value in the network: where it stands here, its shape, its dtype.
        let mut places: Vec<usize> = (0..inputs.len()).collect();
        let mut shapes = inputs.to_vec();
        let mut dtypes: Vec<Dtype> = network.inputs.iter().map(|port| port.dtype).collect();
        let mut sizes: Vec<usize> = inputs.iter().map(|shape| shape.iter().product()).collect();
        let mut wanted = vec![false; inputs.len()];
        let (mut steps, mut work, mut fused) = (Vec::new(), 0, Vec::new());
        for (position, node) in network.nodes.iter().enumerate() {
            let within = |error: Error| error.within(format!("layer `{}`, `{}`", node.name, node.layer.kind()));
            let own: Vec<&[usize]> = node.inputs.iter().map(|value| &*shapes[*value]).collect();
            let shape = layout::shape(&*node.layer, &own).map_err(within)?;
            dtypes.push(node.dtype);
            // Done by the layer before, or only other axes of the same numbers.
            let done = fused.contains(&position) || (node.layer.keeps_values() && node.activity.is_none());
            if let (true, [input]) = (done, &node.inputs[..]) {
                let input = *input;
                places.push(places[input]);
                shapes.push(shape);
                continue;
            }
            let numbers: Vec<usize> = node.inputs.iter().map(|value| places[*value]).collect();
            let weights = &network.weights[node.weights.clone()];
            let size = shape.iter().product();
            wanted.push(weights.iter().any(|weight| weight.trainable) || numbers.iter().any(|value| wanted[*value]));
            work += layout::work(&*node.layer, &own, &shape, weights);
            let then =
                follower(network, position).and_then(|(at, then)| Some((at, node.layer.kernel_with(&own, then)?)));
            let kernel = match then {
                Some((at, kernel)) => {
                    fused.push(at);
                    Some(kernel)
                }
                None => node.layer.kernel(&own),
            };
            let way = match kernel {
                Some(kernel) => Way::Kernel(kernel),
                None => {
                    let taken = |value: &usize| if node.floats { Dtype::F32 } else { dtypes[*value] };
                    Way::Composed(Composed::new(
                        node.layer.clone(),
                        own.iter().map(|shape| shape.to_vec()).collect(),
                        &node.inputs.iter().map(taken).collect::<Vec<_>>(),
                        weights.iter().map(|weight| weight.shape.clone()).collect(),
                        device.clone(),
                    ))
                }
            };
            steps.push(Step {
                name: node.name.clone(),
                kind: node.layer.kind(),
                inputs: numbers,
                output: sizes.len(),
                weights: node.weights.clone(),
                position: position as u64,
                seed: node.layer.seed(),
                activity: node.activity.as_ref().map(|regularizer| Activity {
                    regularizer: Arc::clone(regularizer),
                    shape: [&[0], &*shape].concat(),
                }),
                way,
            });
            places.push(sizes.len());
            shapes.push(shape);
            sizes.push(size);
        }
        let output = |value: &usize| Output { value: places[*value], shape: shapes[*value].clone() };
        let outputs: Vec<Output> = network.output_values.iter().map(output).collect();
        let masks = network.output_masks.iter().map(|mask| mask.as_ref().map(output)).collect();
        let (places, buffers) = layout::share(&steps, &outputs, &sizes, &wanted);
        Ok(Plan {
            inputs: inputs.to_vec(),
            steps,
            outputs,
            masks,
            values: vec![Buffer::default(); sizes.len()],
            places,
            gradients: vec![Buffer::default(); buffers],
            written: vec![false; sizes.len()],
            wanted,
            sizes,
            moved: Vec::new(),
            rows: 0,
            work,
            penalty: 0.0,
            most: 0,
        })
    }
}

/// Returns the activation that takes the output of a layer, and its position, if nothing else takes it.
fn follower(network: &Network, position: usize) -> Option<(usize, Function)> {
    let value = network.inputs.len() + position;
    if network.output_values.contains(&value) || network.nodes[position].activity.is_some() {
        return None;
    }
    let mut takers = network.nodes.iter().enumerate().filter(|(_, node)| node.inputs.contains(&value));
    match (takers.next(), takers.next()) {
        (Some((at, taker)), None) if taker.inputs.len() == 1 && taker.activity.is_none() => {
            taker.layer.activation().map(|activation| (at, activation))
        }
        _ => None,
    }
}
