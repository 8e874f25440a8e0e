//! Which arrays of PyTorch the weights of a layer are.

use super::{Foreign, Group, Piece};

/// Adds the arrays of a layer's weights; those that have no counterpart are left out.
pub(super) fn of_group(group: &Group, order: Option<&[usize]>, all: &mut Vec<Foreign>) {
    let mut add = |name: &str, shape: Vec<usize>, pieces: Vec<Piece>, twin: Option<&str>| {
        let named = |name: &str| format!("{}.{name}", group.name);
        all.push(Foreign { name: named(name), shape, pieces, twin: twin.map(named) });
    };
    match group.layer.kind() {
        "MultiHeadAttention" => return attention(group, &mut add),
        "Bidirectional" => {
            recurrent(group, "forward/", "", &mut add);
            return recurrent(group, "backward/", "_reverse", &mut add);
        }
        "SimpleRNN" | "LSTM" | "GRU" => return recurrent(group, "", "", &mut add),
        _ => {}
    }
    for (name, at, shape) in &group.weights {
        let whole = |axes: &[usize]| vec![Piece::new(*at, shape, axes)];
        let rank = shape.len();
        match (name.as_str(), group.layer.kind()) {
            // [spatial …, channels, multiplier] is [channels · multiplier, 1, spatial …].
            ("kernel", "DepthwiseConv1D" | "DepthwiseConv2D") | ("depthwise_kernel", _) => {
                let place = if name == "kernel" { "weight" } else { "depthwise.weight" };
                let axes: Vec<usize> = [rank - 2, rank - 1].into_iter().chain(0..rank - 2).collect();
                let mut wide = vec![shape[rank - 2] * shape[rank - 1], 1];
                wide.extend(&shape[..rank - 2]);
                add(place, wide, whole(&axes), None);
            }
            // [in, out], after `Flatten` [spatial …, channels, out] as rows.
            ("kernel", "Dense") => {
                let (split, axes) = match order.filter(|order| order.iter().product::<usize>() == shape[0]) {
                    None => (shape.clone(), vec![1, 0]),
                    Some(order) => {
                        let last = order.len();
                        let axes = [last, last - 1].into_iter().chain(0..last - 1).collect();
                        ([order, &shape[1..]].concat(), axes)
                    }
                };
                add("weight", vec![shape[1], shape[0]], vec![Piece::new(*at, &split, &axes)], None);
            }
            // [spatial …, in, out] is [out, in, spatial …]; of a transposed one, [spatial …, out, in] is [in, out, …].
            ("kernel" | "pointwise_kernel", kind) if rank > 2 && kind.contains("Conv") => {
                let axes: Vec<usize> = [rank - 1, rank - 2].into_iter().chain(0..rank - 2).collect();
                let place = if name == "kernel" { "weight" } else { "pointwise.weight" };
                add(place, axes.iter().map(|axis| shape[*axis]).collect(), whole(&axes), None);
            }
            ("bias", "SeparableConv1D" | "SeparableConv2D") => add("pointwise.bias", shape.clone(), whole(&[0]), None),
            // A product of any axes: PyTorch has no module for it.
            (_, "EinsumDense") => {}
            ("alpha", _) => {
                // PyTorch has a slope a channel: the other axes have length 1.
                if shape.iter().product::<usize>() == *shape.last().unwrap_or(&1) {
                    let axes: Vec<usize> = (0..rank).collect();
                    add("weight", vec![shape[rank - 1]], whole(&axes), None);
                }
            }
            (name, kind) => {
                let place = match name {
                    "gamma" | "embeddings" => "weight",
                    "scale" if kind == "RMSNormalization" => "weight",
                    "beta" => "bias",
                    "moving_mean" => "running_mean",
                    "moving_variance" => "running_var",
                    other => other,
                };
                let flattened = order.filter(|order| {
                    rank == 1 && order.iter().product::<usize>() == shape[0] && kind == "BatchNormalization"
                });
                let piece = match flattened {
                    None => Piece::new(*at, shape, &(0..rank).collect::<Vec<_>>()),
                    Some(order) => {
                        let last = order.len() - 1;
                        Piece::new(*at, order, &std::iter::once(last).chain(0..last).collect::<Vec<_>>())
                    }
                };
                add(place, shape.clone(), vec![piece], None);
            }
        }
    }
}

type Add<'a> = dyn FnMut(&str, Vec<usize>, Vec<Piece>, Option<&str>) + 'a;

/// Kernels and biases of a recurrent layer that goes one way.
fn recurrent(group: &Group, start: &str, end: &str, add: &mut Add<'_>) {
    let get = |name: &str| group.get(&format!("{start}{name}"));
    let (Some((kernel, shape)), Some((state, state_shape))) = (get("kernel"), get("recurrent_kernel")) else { return };
    let (length, wide, units) = (shape[0], shape[1], state_shape[0]);
    let bias = get("bias");
    let gru = wide == 3 * units;
    if gru && bias.is_some_and(|(_, shape)| shape.len() == 1) {
        return;
    }
    // Keras has update and reset, PyTorch reset and update.
    let blocks = if gru { vec![1, 0, 2] } else { Vec::new() };
    let transposed =
        |at: usize, rows: usize| vec![Piece { blocks: blocks.clone(), ..Piece::new(at, &[rows, wide], &[1, 0]) }];
    add(&format!("weight_ih_l0{end}"), vec![wide, length], transposed(kernel, length), None);
    add(&format!("weight_hh_l0{end}"), vec![wide, units], transposed(state, units), None);
    let (input, inner) = (format!("bias_ih_l0{end}"), format!("bias_hh_l0{end}"));
    match bias {
        Some((at, [2, _])) if gru => {
            for (row, name) in [input, inner].iter().enumerate() {
                let piece = Piece { row: Some(row), blocks: blocks.clone(), ..Piece::new(at, &[wide], &[0]) };
                add(name, vec![wide], vec![piece], None);
            }
        }
        Some((at, _)) => add(&input, vec![wide], vec![Piece::new(at, &[wide], &[0])], Some(&inner)),
        None => {}
    }
}

/// Projections of queries, keys and values, in one array where their inputs have one length.
fn attention(group: &Group, add: &mut Add<'_>) {
    let kernel = |name: &str| group.get(&format!("{name}/kernel"));
    let (Some(query), Some(key), Some(value), Some(output)) =
        (kernel("query"), kernel("key"), kernel("value"), kernel("attention_output"))
    else {
        return;
    };
    let &[embedded, heads, length] = query.1 else { return };
    let inner = heads * length;
    // What `torch.nn.MultiheadAttention` can be: it has no gate.
    if kernel("gate").is_some() || inner != embedded || key.1[1..] != [heads, length] || value.1[1..] != [heads, length]
    {
        return;
    }
    if output.1 != [heads, length, embedded] {
        return;
    }
    let rows = |(at, shape): (usize, &[usize])| Piece::new(at, &[shape[0], inner], &[1, 0]);
    match key.1[0] == embedded && value.1[0] == embedded {
        true => {
            add("in_proj_weight", vec![3 * inner, embedded], [query, key, value].map(rows).to_vec(), None);
        }
        false => {
            for (name, own) in [("q_proj_weight", query), ("k_proj_weight", key), ("v_proj_weight", value)] {
                add(name, vec![inner, own.1[0]], vec![rows(own)], None);
            }
        }
    }
    let bias = |name: &str| group.get(&format!("{name}/bias")).map(|(at, _)| Piece::new(at, &[inner], &[0]));
    if let (Some(query), Some(key), Some(value)) = (bias("query"), bias("key"), bias("value")) {
        add("in_proj_bias", vec![3 * inner], vec![query, key, value], None);
    }
    add("out_proj.weight", vec![embedded, inner], vec![Piece::new(output.0, &[inner, embedded], &[1, 0])], None);
    if let Some((at, _)) = group.get("attention_output/bias") {
        add("out_proj.bias", vec![embedded], vec![Piece::new(at, &[embedded], &[0])], None);
    }
}
