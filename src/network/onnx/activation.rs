//! Activations as nodes: the formulas of [`network::activation`](crate::network::activation).

use std::f64::consts::{FRAC_2_SQRT_PI, SQRT_2};

use super::message::{Attribute, FLOAT};
use super::writer::{Writer, float, int};
use crate::error::{Error, Result, codes};
use crate::network::Activation;

/// The attribute of a reduction along the last axis.
fn axes(axis: i64) -> Attribute {
    Attribute { name: "axes".to_owned(), ints: vec![axis], kind: 7, ..Attribute::default() }
}

pub(super) fn write(to: &mut Writer, activation: &dyn Activation, x: &str) -> Result<String> {
    let p = |at: usize| activation.arguments().get(at).copied().unwrap_or(0.0);
    let clip = |to: &mut Writer, x: &str, low: f64, high: f64| {
        let (low, high) = (to.number(low), to.number(high));
        to.node("Clip", &[x, &low, &high], Vec::new())
    };
    let hard =
        |to: &mut Writer, x: &str| to.node("HardSigmoid", &[x], vec![float("alpha", 1.0 / 6.0), float("beta", 0.5)]);
    Ok(match activation.name() {
        "linear" => x.to_owned(),
        "relu" if p(0) == 0.0 && p(1) == f64::INFINITY && p(2) == 0.0 => to.one("Relu", x),
        "relu" => {
            let below = to.with("LessOrEqual", x, p(2));
            let shifted = to.with("Sub", x, p(2));
            let low = to.with("Mul", &shifted, p(0));
            let y = to.node("Where", &[&below, &low, x], Vec::new());
            if p(1).is_finite() { to.with("Min", &y, p(1)) } else { y }
        }
        "relu6" => clip(to, x, 0.0, 6.0),
        "leaky_relu" => to.node("LeakyRelu", &[x], vec![float("alpha", p(0))]),
        "sigmoid" => to.one("Sigmoid", x),
        "hard_sigmoid" => hard(to, x),
        "log_sigmoid" => {
            let minus = to.one("Neg", x);
            let plus = to.one("Softplus", &minus);
            to.one("Neg", &plus)
        }
        "tanh" => to.one("Tanh", x),
        "hard_tanh" => clip(to, x, -1.0, 1.0),
        "tanh_shrink" => {
            let curve = to.one("Tanh", x);
            to.two("Sub", x, &curve)
        }
        "softmax" => to.node("Softmax", &[x], vec![int("axis", p(0) as i64)]),
        "log_softmax" => to.node("LogSoftmax", &[x], vec![int("axis", p(0) as i64)]),
        "softplus" => to.one("Softplus", x),
        "softsign" => to.one("Softsign", x),
        "elu" => to.node("Elu", &[x], vec![float("alpha", p(0))]),
        "selu" => to.one("Selu", x),
        "celu" => {
            let scaled = to.with("Div", x, p(0));
            let y = to.one("Elu", &scaled);
            to.with("Mul", &y, p(0))
        }
        "gelu" if p(0) == 0.0 => {
            let scaled = to.with("Div", x, SQRT_2);
            let erf = to.one("Erf", &scaled);
            let doubled = to.with("Add", &erf, 1.0);
            let share = to.with("Mul", &doubled, 0.5);
            to.two("Mul", x, &share)
        }
        "gelu" => {
            const SCALE: f64 = FRAC_2_SQRT_PI / SQRT_2;
            let square = to.two("Mul", x, x);
            let cubic = to.with("Mul", &square, SCALE * 0.044_715);
            let factor = to.with("Add", &cubic, SCALE);
            let inner = to.two("Mul", x, &factor);
            let curve = to.one("Tanh", &inner);
            let doubled = to.with("Add", &curve, 1.0);
            let share = to.with("Mul", &doubled, 0.5);
            to.two("Mul", x, &share)
        }
        "silu" => {
            let gate = to.one("Sigmoid", x);
            to.two("Mul", x, &gate)
        }
        "glu" => {
            let halves = to.node_of("Split", &[x], vec![int("axis", p(0) as i64)], 2);
            let gate = to.one("Sigmoid", &halves[1]);
            to.two("Mul", &halves[0], &gate)
        }
        "hard_silu" => {
            let gate = hard(to, x);
            to.two("Mul", x, &gate)
        }
        "mish" => {
            let plus = to.one("Softplus", x);
            let curve = to.one("Tanh", &plus);
            to.two("Mul", x, &curve)
        }
        "exponential" => to.one("Exp", x),
        "squareplus" => {
            let square = to.two("Mul", x, x);
            let sum = to.with("Add", &square, p(0));
            let root = to.one("Sqrt", &sum);
            let both = to.two("Add", x, &root);
            to.with("Mul", &both, 0.5)
        }
        "soft_shrink" => {
            let within = clip(to, x, -p(0), p(0));
            to.two("Sub", x, &within)
        }
        "hard_shrink" => {
            let size = to.one("Abs", x);
            let within = to.with("LessOrEqual", &size, p(0));
            let zero = to.number(0.0);
            to.node("Where", &[&within, &zero, x], Vec::new())
        }
        "threshold" => {
            let above = to.with("Greater", x, p(0));
            let other = to.number(p(1));
            to.node("Where", &[&above, x, &other], Vec::new())
        }
        "sparse_plus" => {
            // (x + 1)² / 4 between -1 and 1, 0 below, x above.
            let within = clip(to, x, -1.0, 1.0);
            let shifted = to.with("Add", &within, 1.0);
            let square = to.two("Mul", &shifted, &shifted);
            let curve = to.with("Mul", &square, 0.25);
            let beyond = to.with("Sub", x, 1.0);
            let above = to.one("Relu", &beyond);
            to.two("Add", &curve, &above)
        }
        "sparsemax" => {
            let along = p(0) as i64;
            let largest = to.node("ReduceMax", &[x], vec![axes(along), int("keepdims", 1)]);
            let x = &*to.two("Sub", x, &largest);
            let shape = to.one("Shape", x);
            let length = to.slice(&shape, 0, along, if along == -1 { i64::MAX } else { along + 1 }, 1);
            let sorted = to.node_of("TopK", &[x, &length], vec![int("axis", along)], 2).swap_remove(0);
            let axis = to.indices(&[along]);
            let axis = to.one("Squeeze", &axis);
            let sums = to.two("CumSum", &sorted, &axis);
            let zeros = to.with("Mul", &sorted, 0.0);
            let ones = to.with("Add", &zeros, 1.0);
            let places = to.two("CumSum", &ones, &axis);
            let grown = to.two("Mul", &sorted, &places);
            let grown = to.with("Add", &grown, 1.0);
            let chosen = to.two("Greater", &grown, &sums);
            let chosen = to.cast(&chosen, FLOAT);
            let last = to.indices(&[along]);
            let sum = |to: &mut Writer, x: &str| to.node("ReduceSum", &[x, &last], vec![int("keepdims", 1)]);
            let count = sum(to, &chosen);
            let kept = to.two("Mul", &sorted, &chosen);
            let kept = sum(to, &kept);
            let above = to.with("Sub", &kept, 1.0);
            let limit = to.two("Div", &above, &count);
            let shifted = to.two("Sub", x, &limit);
            to.one("Relu", &shifted)
        }
        "sparse_sigmoid" => {
            let half = to.with("Mul", x, 0.5);
            let shifted = to.with("Add", &half, 0.5);
            clip(to, &shifted, 0.0, 1.0)
        }
        other => {
            return Err(
                Error::artifact(format!("the activation `{other}` cannot be written as ONNX")).coded(codes::WEIGHTS)
            );
        }
    })
}
