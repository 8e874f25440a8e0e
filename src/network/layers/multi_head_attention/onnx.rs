//! The layer as nodes of ONNX.

use crate::error::Result;
use crate::network::onnx::Step;

use super::super::attention::masked_softmax_onnx;
use super::{GATE, KEY, Lengths, MultiHeadAttention, OUTPUT, QUERY, Settings, VALUE};

/// Writes the layer.
///
/// # Errors
/// Shapes that it refuses.
pub(super) fn write(own: &MultiHeadAttention, step: &mut Step<'_>) -> Result<String> {
    let Settings { heads, key, value, use_bias, .. } = *own.own;
    let Lengths { inputs: [query_in, value_in, key_in], output, .. } = own.lengths(&step.shapes.clone())?;
    let place = |index: usize| own.own.kernel_at(index);
    let mut project = |x: usize, index: usize, length: usize, width: usize, order: [usize; 4], factor: f64| {
        let (x, kernel) = (step.x(x), step.weight_as(place(index), &[length, heads * width]));
        let mut all = step.to.two("MatMul", &x, &kernel);
        if use_bias {
            let bias = step.weight_as(place(index) + 1, &[heads * width]);
            all = step.to.two("Add", &all, &bias);
        }
        if factor != 1.0 {
            all = step.to.with("Mul", &all, factor);
        }
        let split = step.to.reshape(&all, &[0, 0, heads as i64, width as i64]);
        step.to.transpose(&split, &order)
    };
    let q = project(0, QUERY, query_in, key, [0, 2, 1, 3], 1.0 / (key as f64).sqrt());
    let k = project(own.looks.key, KEY, key_in, key, [0, 2, 3, 1], 1.0);
    let v = project(own.looks.value, VALUE, value_in, value, [0, 2, 1, 3], 1.0);
    let gate = own.own.gate.then(|| project(0, GATE, query_in, value, [0, 1, 2, 3], 1.0));
    let scores = step.to.two("MatMul", &q, &k);
    let mask = own.looks.mask_onnx(step).map(|mask| step.to.unsqueeze(&mask, &[1]));
    let chosen = masked_softmax_onnx(step.to, &scores, mask.as_deref());
    let gathered = step.to.two("MatMul", &chosen, &v);
    let gathered = step.to.transpose(&gathered, &[0, 2, 1, 3]);
    let mut gathered = step.to.reshape(&gathered, &[0, 0, (heads * value) as i64]);
    if let Some(gate) = gate {
        let gate = step.to.one("Sigmoid", &gate);
        let gate = step.to.reshape(&gate, &[0, 0, (heads * value) as i64]);
        gathered = step.to.two("Mul", &gathered, &gate);
    }
    let count = output.iter().product();
    let kernel = step.weight_as(place(OUTPUT), &[heads * value, count]);
    let mut out = step.to.two("MatMul", &gathered, &kernel);
    if use_bias {
        let bias = step.weight_as(place(OUTPUT) + 1, &[count]);
        out = step.to.two("Add", &out, &bias);
    }
    if output.len() > 1 {
        let axes: Vec<i64> = [0, 0].into_iter().chain(output.iter().map(|length| *length as i64)).collect();
        out = step.to.reshape(&out, &axes);
    }
    if !own.own.scores {
        return Ok(out);
    }
    let both = [out, chosen].map(|value| step.to.reshape(&value, &[0, -1]));
    Ok(step.to.concat(&both, 1))
}
