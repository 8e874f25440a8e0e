//! Recurrent layers as nodes of ONNX: its own operations where they can say it, else step by step.

use crate::error::{Error, Result, codes};
use crate::network::Activation;
use crate::network::onnx::message::Attribute;
use crate::network::onnx::{Step, floats, int, texts};

use super::{Cell, Recurrent};

/// The output (all steps or the last) and the last states.
pub(in super::super) struct Written {
    pub output: String,
    pub states: Vec<String>,
}

/// Writes a layer; with `return_state`, output and states stand in one value, as they do here.
pub(super) fn write(layer: &Recurrent, step: &mut Step<'_>) -> Result<String> {
    let written = both(layer, step)?;
    if !layer.own.return_state {
        return Ok(written.output);
    }
    let flat = step.to.reshape(&written.output, &[0, -1]);
    let parts: Vec<String> = std::iter::once(flat).chain(written.states).collect();
    Ok(step.to.concat(&parts, 1))
}

/// Writes a layer.
///
/// # Errors
/// A mask or an activation that only steps can say, on a sequence of any length.
pub(in super::super) fn both(layer: &Recurrent, step: &mut Step<'_>) -> Result<Written> {
    let own = &layer.own;
    let known = function(&*own.activation).zip(function(&*own.gate));
    match known.filter(|_| !layer.masked) {
        Some((activation, gate)) => Ok(whole(layer, step, activation, gate)),
        None => steps(layer, step),
    }
}

/// The name of an activation in ONNX with its two numbers, if its recurrent operations know it.
fn function(activation: &dyn Activation) -> Option<(&'static str, f32, f32)> {
    Some(match (activation.name(), activation.arguments()) {
        ("tanh", _) => ("Tanh", 0.0, 0.0),
        ("sigmoid", _) => ("Sigmoid", 0.0, 0.0),
        ("relu", [0.0, f64::INFINITY, 0.0]) => ("Relu", 0.0, 0.0),
        ("hard_sigmoid", _) => ("HardSigmoid", 1.0 / 6.0, 0.5),
        ("softsign", _) => ("Softsign", 0.0, 0.0),
        ("softplus", _) => ("Softplus", 0.0, 0.0),
        ("linear", _) => ("Affine", 1.0, 0.0),
        ("elu", [alpha]) => ("Elu", *alpha as f32, 0.0),
        _ => return None,
    })
}

type Function = (&'static str, f32, f32);

/// The layer as one operation, which has steps first.
fn whole(layer: &Recurrent, step: &mut Step<'_>, activation: Function, gate: Function) -> Written {
    let own = &layer.own;
    let (units, gates) = (own.units, own.cell.gates());
    let wide = gates * units;
    // Keras has input, forget, cell, output; ONNX input, output, forget, cell.
    let order: &[usize] = match own.cell {
        Cell::Lstm => &[0, 3, 1, 2],
        Cell::Gru { .. } => &[0, 1, 2],
        Cell::Simple => &[0],
    };
    let turned = |at: usize, to: &mut Step<'_>| {
        let values = to.values(at);
        let rows = values.len() / wide;
        let columns = order.iter().flat_map(|gate| gate * units..(gate + 1) * units);
        let values: Vec<f32> =
            columns.flat_map(|column| (0..rows).map(|row| values[row * wide + column]).collect::<Vec<_>>()).collect();
        let name = to.weights[at].0.clone();
        to.to.floats(&name, &values, &[1, wide, rows])
    };
    let (kernel, recurrent) = (turned(0, step), turned(1, step));
    let bias = match own.use_bias {
        false => String::new(),
        true => {
            let values = step.values(2);
            let row = |start: usize| {
                let columns = order.iter().flat_map(|gate| gate * units..(gate + 1) * units);
                columns.map(|column| values.get(start + column).copied().unwrap_or(0.0)).collect::<Vec<_>>()
            };
            // One row is the bias of the input, the second that of the state.
            let both = [row(0), row(wide)].concat();
            let name = step.weights[2].0.clone();
            step.to.floats(&name, &both, &[1, 2 * wide])
        }
    };
    let mut x = step.x(0);
    if layer.go_backwards {
        x = step.to.reverse(&x, 1);
    }
    let x = step.to.transpose(&x, &[1, 0, 2]);
    let states: Vec<String> = match layer.started {
        false => Vec::new(),
        true => (1..=own.cell.states()).map(|at| step.x(at)).collect::<Vec<_>>(),
    };
    let states: Vec<String> = states.iter().map(|state| step.to.unsqueeze(state, &[0])).collect();
    let mut inputs = vec![&*x, &*kernel, &*recurrent, &*bias, ""];
    inputs.extend(states.iter().map(String::as_str));
    while inputs.last().is_some_and(|name| name.is_empty()) {
        inputs.pop();
    }
    let used: Vec<Function> = match own.cell {
        Cell::Simple => vec![activation],
        Cell::Gru { .. } => vec![gate, activation],
        Cell::Lstm => vec![gate, activation, activation],
    };
    let mut attributes = vec![int("hidden_size", units as i64)];
    attributes.extend(activations(&used));
    let operation = match own.cell {
        Cell::Simple => "RNN",
        Cell::Lstm => "LSTM",
        Cell::Gru { reset_after } => {
            attributes.push(int("linear_before_reset", reset_after.into()));
            "GRU"
        }
    };
    let mut outputs = step.to.node_of(operation, &inputs, attributes, 1 + own.cell.states()).into_iter();
    let all = outputs.next().unwrap_or_default();
    let states: Vec<String> = outputs.map(|state| step.to.squeeze(&state, &[0])).collect();
    let output = match own.return_sequences {
        false => states[0].clone(),
        true => {
            let all = step.to.squeeze(&all, &[1]);
            step.to.transpose(&all, &[1, 0, 2])
        }
    };
    Written { output, states }
}

fn activations(used: &[Function]) -> Vec<Attribute> {
    let names: Vec<&str> = used.iter().map(|(name, ..)| *name).collect();
    let of = |number: fn(&Function) -> f32| used.iter().map(number).collect::<Vec<f32>>();
    let (alpha, beta) = (of(|function| function.1), of(|function| function.2));
    let mut attributes = vec![texts("activations", &names)];
    // They are given where a function has them, in the order of those functions.
    let needs = |name: &str| ["HardSigmoid", "Affine", "Elu"].contains(&name);
    if names.iter().any(|name| needs(name)) {
        let given = |all: &[f32]| {
            let own = names.iter().zip(all).filter(|(name, _)| needs(name));
            own.map(|(_, number)| *number).collect::<Vec<f32>>()
        };
        let second = |name: &str| ["HardSigmoid", "Affine"].contains(&name);
        attributes.push(floats("activation_alpha", &given(&alpha)));
        if names.iter().any(|name| second(name)) {
            let own = names.iter().zip(&beta).filter(|(name, _)| second(name)).map(|(_, number)| *number);
            attributes.push(floats("activation_beta", &own.collect::<Vec<f32>>()));
        }
    }
    attributes
}

/// The layer step by step, as it is composed.
fn steps(layer: &Recurrent, step: &mut Step<'_>) -> Result<Written> {
    let own = &layer.own;
    let (units, gates) = (own.units, own.cell.gates());
    let wide = gates * units;
    let Some(count) = step.shapes[0].first().copied().flatten() else {
        return Err(Error::artifact(
            "a masked sequence of any length, or one with such an activation, cannot be written as ONNX",
        )
        .coded(codes::WEIGHTS)
        .hint("state the number of steps of the input"));
    };
    let (kernel, recurrent) = (step.weight(0), step.weight(1));
    let biases = own.use_bias.then(|| step.values(2));
    let row = |start: usize| biases.as_ref().and_then(|values| values.get(start..start + wide)).map(<[f32]>::to_vec);
    let x = step.x(0);
    let mut projected = step.to.two("MatMul", &x, &kernel);
    if let Some(bias) = row(0) {
        let bias = step.to.numbers(&bias, &[wide]);
        projected = step.to.two("Add", &projected, &bias);
    }
    let inner = match own.cell {
        Cell::Gru { reset_after: true } => row(wide).map(|bias| step.to.numbers(&bias, &[wide])),
        _ => None,
    };
    let mut states: Vec<String> = match layer.started {
        true => (1..=own.cell.states()).map(|at| step.x(at)).collect(),
        false => {
            // Zeros, as many as there are records.
            let first = step.to.slice(&projected, 1, 0, 1, 1);
            let first = step.to.squeeze(&first, &[1]);
            let part = step.to.slice(&first, 1, 0, units as i64, 1);
            let shape = step.to.one("Shape", &part);
            let zero = step.to.number(0.0);
            let zeros = step.to.two("Expand", &zero, &shape);
            vec![zeros; own.cell.states()]
        }
    };
    let mask = match layer.masked {
        false => None,
        true => {
            let mask = step.x(step.inputs.len() - 1);
            let mask = step.to.differs(&mask, 0.0);
            Some(step.to.unsqueeze(&mask, &[2]))
        }
    };
    let mut outputs = Vec::with_capacity(count);
    for order in 0..count {
        let time = if layer.go_backwards { count - 1 - order } else { order } as i64;
        let at = |to: &mut Step<'_>, x: &str| {
            let part = to.to.slice(x, 1, time, time + 1, 1);
            to.to.squeeze(&part, &[1])
        };
        let part = at(step, &projected);
        let mut next = one(layer, step, &part, &states, &recurrent, inner.as_deref())?;
        let mut output = next[0].clone();
        if let Some(mask) = &mask {
            let on = at(step, mask);
            let on = step.to.with("Greater", &on, 0.5);
            for (next, before) in next.iter_mut().zip(&states) {
                *next = step.to.node("Where", &[&on, next, before], Vec::new());
            }
            output = match layer.zero_output_for_mask {
                false => next[0].clone(),
                true => {
                    let zero = step.to.number(0.0);
                    step.to.node("Where", &[&on, &output, &zero], Vec::new())
                }
            };
        }
        states = next;
        outputs.push(output);
    }
    let output = match own.return_sequences {
        false => outputs.pop().unwrap_or_default(),
        true => {
            let all: Vec<String> = outputs.iter().map(|output| step.to.unsqueeze(output, &[1])).collect();
            step.to.concat(&all, 1)
        }
    };
    Ok(Written { output, states })
}

/// The states after one step; the first is also its output.
fn one(
    layer: &Recurrent,
    step: &mut Step<'_>,
    x: &str,
    states: &[String],
    recurrent: &str,
    inner: Option<&str>,
) -> Result<Vec<String>> {
    let (own, units, h) = (&layer.own, layer.own.units as i64, states[0].as_str());
    let to = &mut *step.to;
    let part = |to: &mut crate::network::onnx::Writer, x: &str, from: i64, until: i64| {
        to.slice(x, 1, from * units, until * units, 1)
    };
    match own.cell {
        Cell::Simple => {
            let of_state = to.two("MatMul", h, recurrent);
            let sum = to.two("Add", x, &of_state);
            Ok(vec![to.activate(&*own.activation, &sum)?])
        }
        Cell::Lstm => {
            let of_state = to.two("MatMul", h, recurrent);
            let sums = to.two("Add", x, &of_state);
            let mut gates = Vec::with_capacity(4);
            for gate in 0..4 {
                let sum = part(to, &sums, gate, gate + 1);
                gates.push(to.activate(if gate == 2 { &*own.activation } else { &*own.gate }, &sum)?);
            }
            let (kept, new) = (to.two("Mul", &gates[1], &states[1]), to.two("Mul", &gates[0], &gates[2]));
            let cell = to.two("Add", &kept, &new);
            let curved = to.activate(&*own.activation, &cell)?;
            Ok(vec![to.two("Mul", &gates[3], &curved), cell])
        }
        Cell::Gru { reset_after } => {
            let gates = part(to, recurrent, 0, 2);
            let gates = if reset_after { recurrent.to_owned() } else { gates };
            let mut of_state = to.two("MatMul", h, &gates);
            if let Some(inner) = inner {
                of_state = to.two("Add", &of_state, inner);
            }
            let (a, b) = (part(to, x, 0, 2), part(to, &of_state, 0, 2));
            let sums = to.two("Add", &a, &b);
            let (z, r) = (part(to, &sums, 0, 1), part(to, &sums, 1, 2));
            let (z, r) = (to.activate(&*own.gate, &z)?, to.activate(&*own.gate, &r)?);
            let of_state = match reset_after {
                true => {
                    let own = part(to, &of_state, 2, 3);
                    to.two("Mul", &r, &own)
                }
                false => {
                    let (seen, kernel) = (to.two("Mul", &r, h), part(to, recurrent, 2, 3));
                    to.two("MatMul", &seen, &kernel)
                }
            };
            let of_input = part(to, x, 2, 3);
            let sum = to.two("Add", &of_input, &of_state);
            let new = to.activate(&*own.activation, &sum)?;
            // z · h + (1 - z) · n
            let difference = to.two("Sub", h, &new);
            let share = to.two("Mul", &z, &difference);
            Ok(vec![to.two("Add", &new, &share)])
        }
    }
}
