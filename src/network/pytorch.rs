//! PyTorch's names and layouts of weights.
//!
//! A network's weights stand in a `state_dict` under the names of `torch.nn`: `dense.weight` `[out, in]` for
//! `dense/kernel` `[in, out]`, convolutions as `[out, in, …]`, `running_mean`, `weight_ih_l0`, `in_proj_weight`. Gates of a
//! GRU stand in another order there, and a `Linear` after `Flatten` sees channels first; both are accounted for.

mod arrays;

use ndarray::{ArrayView, IxDyn};

use crate::error::{self, Error, Result, codes};
use crate::tensor::{Array, Dtype};

use super::graph::Node;
use super::transfer::{Match, mismatch};
use super::{Layer, Network};
use arrays::of_group;

/// An array of PyTorch: pieces one after the other along its first axis.
struct Foreign {
    name: String,
    shape: Vec<usize>,
    pieces: Vec<Piece>,
    /// An array of the same shape that PyTorch adds to this one: the second bias of a recurrent layer.
    twin: Option<String>,
}

/// A weight, or a row of it, as a part of an array of PyTorch: split into axes, these in another order, then the blocks
/// of the first axis in another order.
#[derive(Clone)]
struct Piece {
    weight: usize,
    row: Option<usize>,
    split: Vec<usize>,
    axes: Vec<usize>,
    blocks: Vec<usize>,
}

impl Piece {
    fn new(weight: usize, split: &[usize], axes: &[usize]) -> Self {
        Piece { weight, row: None, split: split.to_vec(), axes: axes.to_vec(), blocks: Vec::new() }
    }

    fn len(&self) -> usize {
        self.split.iter().product()
    }

    /// Here to there.
    fn export(&self, weight: &[f32]) -> Vec<f32> {
        let start = self.row.unwrap_or(0) * self.len();
        let values = permuted(&weight[start..start + self.len()], &self.split, &self.axes);
        let length = values.len() / self.blocks.len().max(1);
        match self.blocks.is_empty() {
            true => values,
            false => self.blocks.iter().flat_map(|at| values[at * length..(at + 1) * length].to_vec()).collect(),
        }
    }

    /// There to here.
    fn import(&self, values: &[f32], weight: &mut [f32]) {
        let mut ordered = values.to_vec();
        let length = values.len() / self.blocks.len().max(1);
        for (from, to) in self.blocks.iter().enumerate() {
            ordered[to * length..(to + 1) * length].copy_from_slice(&values[from * length..(from + 1) * length]);
        }
        let shape: Vec<usize> = self.axes.iter().map(|axis| self.split[*axis]).collect();
        let mut back = vec![0; self.axes.len()];
        self.axes.iter().enumerate().for_each(|(to, from)| back[*from] = to);
        let start = self.row.unwrap_or(0) * self.len();
        weight[start..start + self.len()].copy_from_slice(&permuted(&ordered, &shape, &back));
    }
}

/// Returns values with their axes in another order; what does not fit stays as it is.
fn permuted(values: &[f32], shape: &[usize], axes: &[usize]) -> Vec<f32> {
    match ArrayView::from_shape(IxDyn(shape), values) {
        Ok(view) => view.permuted_axes(axes).iter().copied().collect(),
        Err(_) => values.to_vec(),
    }
}

/// Returns a network's weights under PyTorch's names and in its layouts, in the order of the network.
///
/// ```
/// use barrage::network::{Network, Symbol, layers, pytorch};
/// use barrage::tensor::Dtype;
/// let x = Symbol::input("x", &[Some(4)], Dtype::F32)?;
/// let units = serde_json::json!({"units": 2}).as_object().cloned().unwrap_or_default();
/// let y = layers::find("Dense")?.make(&units)?.apply(&[x.clone()])?;
/// let network = Network::new(&[x], &[y])?;
/// let state = pytorch::export(&network, &network.initialise(1)?)?;
/// assert_eq!((state[0].0.as_str(), state[0].1.shape()), ("dense.weight", &[2, 4][..]));
/// # Ok::<(), barrage::Error>(())
/// ```
///
/// # Errors
/// Another number of weights than the network has; a layer that PyTorch has no counterpart of.
pub fn export(network: &Network, weights: &[Array]) -> Result<Vec<(String, Array)>> {
    if weights.len() != network.weights.len() {
        return Err(Error::run(format!("expected {} weights, found {}", network.weights.len(), weights.len())));
    }
    let (foreigns, without) = foreigns(network);
    if !without.is_empty() {
        let names = without.iter().map(|at| &*network.weights[*at].name);
        return Err(Error::artifact(format!("PyTorch has no counterpart of {}", error::list(names)))
            .coded(codes::WEIGHTS)
            .hint("write them with the layout `keras`")
            .hint("a `GRU` has one with `reset_after: true`, `MultiHeadAttention` where queries, heads and output are of one length"));
    }
    let mut arrays = Vec::with_capacity(foreigns.len());
    for foreign in foreigns {
        let values: Vec<f32> =
            foreign.pieces.iter().flat_map(|piece| piece.export(&weights[piece.weight].as_f32())).collect();
        let zeros = vec![0.0; values.len()];
        arrays.push((foreign.name, Array::from_f32(values, &foreign.shape)?));
        if let Some(twin) = foreign.twin {
            arrays.push((twin, Array::from_f32(zeros, &foreign.shape)?));
        }
    }
    Ok(arrays)
}

/// Finds the chosen weights of a network among arrays of PyTorch.
pub(super) fn import<'a>(
    network: &Network,
    chosen: &[usize],
    find: &mut dyn FnMut(&str) -> Option<&'a Array>,
) -> Vec<Match> {
    let infos = &network.weights;
    let mut values: Vec<Option<Vec<f32>>> = vec![None; infos.len()];
    let mut matches = Vec::new();
    for foreign in foreigns(network).0 {
        if !foreign.pieces.iter().any(|piece| chosen.contains(&piece.weight)) {
            continue;
        }
        let Some(array) = find(&foreign.name) else { continue };
        let twin = foreign.twin.as_deref().and_then(&mut *find);
        let wrong = [Some(array), twin].into_iter().flatten().find(|array| array.shape() != foreign.shape);
        if let Some(wrong) = wrong {
            let text = mismatch(&foreign.name, wrong.shape(), &foreign.shape);
            matches.extend(foreign.pieces.iter().map(|piece| (piece.weight, Err(text.clone()))));
            continue;
        }
        let mut all = array.as_f32().into_owned();
        if let Some(twin) = twin {
            all.iter_mut().zip(twin.as_f32().iter()).for_each(|(value, twin)| *value += twin);
        }
        let mut rest = all.as_slice();
        for piece in &foreign.pieces {
            let (own, others) = rest.split_at(piece.len());
            let size = infos[piece.weight].shape.iter().product();
            piece.import(own, values[piece.weight].get_or_insert_with(|| vec![0.0; size]));
            rest = others;
        }
    }
    for (at, values) in values.into_iter().enumerate().filter(|(at, _)| chosen.contains(at)) {
        if let Some(Ok(array)) = values.map(|values| Array::from_f32(values, &infos[at].shape)) {
            matches.push((at, Ok(array.cast(Dtype::F32))));
        }
    }
    matches
}

/// All arrays, and the weights that have no counterpart.
fn foreigns(network: &Network) -> (Vec<Foreign>, Vec<usize>) {
    let orders = orders(network);
    let (mut all, mut without) = (Vec::new(), Vec::new());
    let mut done = 0;
    for node in &network.nodes {
        // The weights of a shared layer stand once.
        if node.weights.end <= done {
            continue;
        }
        done = node.weights.end;
        let order = node.inputs.first().and_then(|input| orders[*input].clone());
        for group in groups(network, node) {
            let before = all.len();
            of_group(&group, order.as_deref(), &mut all);
            let told = |at: &usize| all[before..].iter().flat_map(|own| &own.pieces).any(|piece| piece.weight == *at);
            without.extend(group.weights.iter().map(|(_, at, _)| *at).filter(|at| !told(at)));
        }
    }
    (all, without)
}

/// The weights of a layer, or of a layer within it, that stand under one name.
struct Group<'a> {
    layer: &'a dyn Layer,
    /// The name, with dots.
    name: String,
    /// Own name, index and shape.
    weights: Vec<(String, usize, Vec<usize>)>,
}

impl Group<'_> {
    fn get(&self, name: &str) -> Option<(usize, &[usize])> {
        self.weights.iter().find(|(own, ..)| own == name).map(|(_, at, shape)| (*at, shape.as_slice()))
    }
}

fn groups<'a>(network: &'a Network, node: &'a Node) -> Vec<Group<'a>> {
    let mut groups: Vec<Group> = Vec::new();
    let mut layer: &dyn Layer = &*node.layer;
    while let Some(inner) = layer.inner() {
        layer = inner;
    }
    // The parts of one layer that PyTorch names together.
    let together = ["MultiHeadAttention", "Bidirectional"].contains(&layer.kind());
    for at in node.weights.clone() {
        let info = &network.weights[at];
        let (start, own) = match together {
            true => info.name.split_once('/').unwrap_or(("", &info.name)),
            false => info.name.rsplit_once('/').unwrap_or(("", &info.name)),
        };
        let (name, weight) = (start.replace('/', "."), (own.to_owned(), at, info.shape.clone()));
        match groups.iter_mut().find(|group| group.name == name) {
            Some(group) => group.weights.push(weight),
            None => groups.push(Group { layer, name, weights: vec![weight] }),
        }
    }
    groups
}

/// The order of values along the last axis, where `Flatten` made it of channels last: the shape before.
fn orders(network: &Network) -> Vec<Option<Vec<usize>>> {
    let mut orders: Vec<Option<Vec<usize>>> = vec![None; network.inputs.len()];
    // The values that have their channels first, as PyTorch has them.
    let mut first = vec![false; network.inputs.len()];
    let shapes: Vec<_> = network.inputs.iter().map(|port| &port.shape).collect();
    for (at, node) in network.nodes.iter().enumerate() {
        let input = node.inputs.first().copied().unwrap_or(0);
        let shape = match input.checked_sub(shapes.len()) {
            None => shapes[input],
            Some(earlier) => &network.nodes[earlier.min(at)].shape,
        };
        let order = match node.layer.kind() {
            "Flatten" if node.layer.channels_first() => {
                // It puts the channels last before it flattens.
                let mut shape = shape.iter().copied().collect::<Option<Vec<usize>>>().filter(|shape| shape.len() > 1);
                shape.iter_mut().for_each(|shape| shape.rotate_left(1));
                shape
            }
            "Flatten" if orders[input].is_none() && !first[input] => {
                shape.iter().copied().collect::<Option<Vec<usize>>>().filter(|shape| shape.len() > 1)
            }
            "Dropout"
            | "AlphaDropout"
            | "GaussianDropout"
            | "GaussianNoise"
            | "Activation"
            | "ReLU"
            | "LeakyReLU"
            | "ELU"
            | "Rescaling"
            | "Identity"
            | "BatchNormalization"
            | "ActivityRegularization" => orders[input].clone(),
            _ => None,
        };
        let keeps = node.shape == *shape && first[input];
        first.push(node.layer.channels_first() || keeps);
        orders.push(order);
    }
    orders
}

#[cfg(test)]
mod tests;
