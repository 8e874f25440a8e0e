//! The steps by Candle's operations: the reference, and what other devices run.

use crate::error::{Error, Result};
use crate::tensor::Graph;

use super::super::super::Pass;
use super::super::super::gradient::linear;
use super::super::factors::factors;
use super::{Cell, Recurrent};

/// Streams of the two kinds of dropout below that of the layer.
pub(super) const INPUT_STREAM: u64 = 0;
pub(super) const STATE_STREAM: u64 = 1;

pub(super) fn compose(layer: &Recurrent, inputs: &[Graph], weights: &[Graph], pass: &mut Pass) -> Result<Graph> {
    let own = &layer.own;
    let (rows, steps, length) = inputs[0].dims3()?;
    let (units, gates) = (own.units, own.cell.gates());
    let mut x = inputs[0].clone();
    if pass.training && own.dropout > 0.0 {
        let mut random = pass.random.derive(INPUT_STREAM);
        x = x.broadcast_mul(&factors(&[rows, 1, length], own.dropout, &mut random, &x)?)?;
    }
    let kept = match pass.training && own.recurrent_dropout > 0.0 {
        true => {
            let mut random = pass.random.derive(STATE_STREAM);
            Some(factors(&[rows, units], own.recurrent_dropout, &mut random, &x)?)
        }
        false => None,
    };
    let bias = weights.get(2).map(|bias| bias.reshape(((), gates * units))).transpose()?;
    let row = |index: usize| bias.as_ref().map(|bias| bias.get(index)).transpose();
    let reset_after = own.cell == (Cell::Gru { reset_after: true });
    let inner = if reset_after { row(1)? } else { None };
    let flat = x.reshape((rows * steps, length))?;
    let projected = linear(&flat, &weights[0], row(0)?.as_ref())?.reshape((rows, steps, gates * units))?;
    let mut states: Vec<Graph> = match layer.started {
        true => inputs[1..=own.cell.states()].to_vec(),
        false => vec![Graph::zeros((rows, units), x.dtype(), x.device())?; own.cell.states()],
    };
    let mask = match (layer.masked, inputs.last()) {
        (true, Some(mask)) => Some(mask.detach().to_dtype(x.dtype())?.reshape((rows, steps, 1))?),
        _ => None,
    };
    let mut outputs = Vec::with_capacity(steps);
    for order in 0..steps {
        let time = if layer.go_backwards { steps - 1 - order } else { order };
        let part = projected.narrow(1, time, 1)?.squeeze(1)?;
        let mut next = step(layer, &part, &states, kept.as_ref(), &weights[1], inner.as_ref())?;
        let mut output = next[0].clone();
        if let Some(mask) = &mask {
            let on = mask.narrow(1, time, 1)?.squeeze(1)?;
            let off = on.affine(-1.0, 1.0)?;
            for (next, before) in next.iter_mut().zip(&states) {
                *next = next.broadcast_mul(&on)?.add(&before.broadcast_mul(&off)?)?;
            }
            output = if layer.zero_output_for_mask { output.broadcast_mul(&on)? } else { next[0].clone() };
        }
        states = next;
        outputs.push(output);
    }
    let output = match own.return_sequences {
        true => Graph::stack(&outputs, 1)?,
        false => outputs.pop().ok_or_else(|| Error::data("a sequence has no steps"))?,
    };
    if !own.return_state {
        return Ok(output);
    }
    let parts: Vec<Graph> = std::iter::once(output.flatten_from(1)?).chain(states).collect();
    Ok(Graph::cat(&parts, 1)?)
}

/// The states after one step; the first is also its output.
fn step(
    layer: &Recurrent,
    x: &Graph,
    states: &[Graph],
    kept: Option<&Graph>,
    recurrent: &Graph,
    inner: Option<&Graph>,
) -> Result<Vec<Graph>> {
    let (own, units) = (&layer.own, layer.own.units);
    let h = &states[0];
    let seen = kept.map_or_else(|| Ok(h.clone()), |kept| h.mul(kept))?;
    let gate = |sums: &Graph, index: usize| own.gate.compose(&sums.narrow(1, index * units, units)?.contiguous()?);
    match own.cell {
        Cell::Simple => Ok(vec![own.activation.compose(&x.add(&linear(&seen, recurrent, None)?)?)?]),
        Cell::Lstm => {
            let sums = x.add(&linear(&seen, recurrent, None)?)?;
            let (i, f, o) = (gate(&sums, 0)?, gate(&sums, 1)?, gate(&sums, 3)?);
            let g = own.activation.compose(&sums.narrow(1, 2 * units, units)?.contiguous()?)?;
            let c = f.mul(&states[1])?.add(&i.mul(&g)?)?;
            Ok(vec![o.mul(&own.activation.compose(&c)?)?, c])
        }
        Cell::Gru { reset_after } => {
            let (z, n) = match reset_after {
                true => {
                    let of_state = linear(&seen, recurrent, inner)?;
                    let sums = x.narrow(1, 0, 2 * units)?.add(&of_state.narrow(1, 0, 2 * units)?)?;
                    let (z, r) = (gate(&sums, 0)?, gate(&sums, 1)?);
                    let of_state = r.mul(&of_state.narrow(1, 2 * units, units)?)?;
                    (z, x.narrow(1, 2 * units, units)?.add(&of_state)?)
                }
                false => {
                    let of_gates = linear(&seen, &recurrent.narrow(1, 0, 2 * units)?.contiguous()?, None)?;
                    let sums = x.narrow(1, 0, 2 * units)?.add(&of_gates)?;
                    let (z, r) = (gate(&sums, 0)?, gate(&sums, 1)?);
                    let of_state = linear(&r.mul(&seen)?, &recurrent.narrow(1, 2 * units, units)?.contiguous()?, None)?;
                    (z, x.narrow(1, 2 * units, units)?.add(&of_state)?)
                }
            };
            let n = own.activation.compose(&n)?;
            Ok(vec![z.mul(h)?.add(&z.affine(-1.0, 1.0)?.mul(&n)?)?])
        }
    }
}
