//! Activations on slices, forward in place and backward.
//!
//! Formulas and names are those of `network::activation`, whose composed operations are the reference. Where the
//! derivative can be told from the output alone, the values before the activation need not be kept.

use super::buffer::Buffer;
use super::math::{
    NORMAL_END, clamp, exp, normal_density, normal_distribution as distribution, sigmoid, softplus, tanh,
};
use super::pool;
use super::softmax::{log_softmax, log_softmax_backward, softmax, softmax_backward};
use crate::simd;

/// Values that are copied and worked on at a time.
const PIECE: usize = 4096;

/// An activation with its parameters.
#[derive(Clone, Copy)]
pub struct Activation {
    kind: Kind,
    parameters: [f32; 3],
}

#[derive(Clone, Copy)]
enum Kind {
    Linear,
    Each(&'static Elementwise),
    Softmax,
    LogSoftmax,
}

/// A function of single values.
struct Elementwise {
    name: &'static str,
    /// Replaces values by their function.
    forward: fn(&mut [f32], &[f32; 3]),
    /// Multiplies gradients by the derivative, told from inputs or outputs.
    backward: fn(&[f32], &mut [f32], &[f32; 3]),
    /// Whether `backward` takes outputs.
    of_output: bool,
    /// Where it takes inputs: replaces values by their function, and writes the derivative, for less than the two apart.
    with_slope: Option<fn(&mut [f32], &mut [f32], &[f32; 3])>,
    /// About how many operations a value takes.
    cost: usize,
}

impl Activation {
    /// The function that changes nothing.
    pub const LINEAR: Activation = Activation { kind: Kind::Linear, parameters: [0.0; 3] };

    /// Returns an activation by its Keras name, with its parameters as numbers in the order in which they are
    /// declared (null is infinity, true 1); `None` where there is no kernel, as for a softmax along an axis other than
    /// the last.
    pub fn find(name: &str, parameters: &[f64]) -> Option<Activation> {
        let given = |index: usize| parameters.get(index).copied().unwrap_or(0.0);
        let mut own = [given(0) as f32, given(1) as f32, given(2) as f32];
        let name = match name {
            "linear" => return Some(Activation::LINEAR),
            "softmax" | "log_softmax" if given(0) != -1.0 => return None,
            "softmax" => return Some(Activation { kind: Kind::Softmax, parameters: own }),
            "log_softmax" => return Some(Activation { kind: Kind::LogSoftmax, parameters: own }),
            // Declared as slope, largest value, threshold.
            "relu" if own == [0.0, f32::INFINITY, 0.0] => "relu",
            "relu" => "general_relu",
            "relu6" => {
                own = [0.0, 6.0, 0.0];
                "general_relu"
            }
            "leaky_relu" if own[0] < 0.0 => {
                own = [own[0], f32::INFINITY, 0.0];
                "general_relu"
            }
            "gelu" if own[0] != 0.0 => "gelu_by_tanh",
            "selu" => {
                own = [SELU_ALPHA, SELU_SCALE, 0.0];
                "selu"
            }
            name => name,
        };
        let each = ELEMENTWISE.iter().find(|each| each.name == name)?;
        Some(Activation { kind: Kind::Each(each), parameters: own })
    }

    /// Returns whether it changes nothing.
    pub fn is_linear(&self) -> bool {
        matches!(self.kind, Kind::Linear)
    }

    /// Returns whether it is the plain relu, which some kernels do on the way.
    pub fn is_relu(&self) -> bool {
        matches!(self.kind, Kind::Each(each) if each.name == "relu")
    }

    /// Returns whether [`Activation::backward`] needs the values before the activation, rather than those after.
    pub fn needs_input(&self) -> bool {
        matches!(self.kind, Kind::Each(each) if !each.of_output)
    }

    /// Returns how value and derivative are computed together, where the derivative does not follow from the output.
    #[allow(clippy::type_complexity)]
    fn with_slope(&self) -> Option<(&'static Elementwise, fn(&mut [f32], &mut [f32], &[f32; 3]))> {
        match self.kind {
            Kind::Each(each) => Some((each, each.with_slope?)),
            _ => None,
        }
    }

    /// Replaces values by their activation; rows of `width` values are the last axis.
    pub fn forward(&self, values: &mut [f32], width: usize) {
        let work = values.len() * self.cost();
        match self.kind {
            Kind::Linear => {}
            Kind::Each(each) => pool::rows(values, 1, work, |_, part| (each.forward)(part, &self.parameters)),
            Kind::Softmax => pool::rows(values, width, work, |_, part| softmax(part, width, f32::NAN)),
            Kind::LogSoftmax => pool::rows(values, width, work, |_, part| log_softmax(part, width)),
        }
    }

    /// Writes the activation of `from` to `to`, piece by piece, while these are in the fastest cache.
    pub fn forward_from(&self, from: &[f32], to: &mut [f32], width: usize) {
        let Kind::Each(each) = self.kind else {
            pool::copy(from, to);
            return self.forward(to, width);
        };
        let work = to.len() * (each.cost + 1);
        pool::rows(to, PIECE, work, |first, part| {
            for (at, piece) in part.chunks_mut(PIECE).enumerate() {
                let start = (first + at) * PIECE;
                piece.copy_from_slice(&from[start..start + piece.len()]);
                (each.forward)(piece, &self.parameters);
            }
        });
    }

    /// Writes the gradient of the inputs to `to`, as [`Activation::backward`] does in place.
    pub fn backward_into(&self, values: &[f32], gradient: &[f32], to: &mut [f32], width: usize) {
        let Kind::Each(each) = self.kind else {
            pool::copy(gradient, to);
            return self.backward(values, to, width);
        };
        let work = to.len() * (each.cost + 1);
        pool::rows(to, PIECE, work, |first, part| {
            for (at, piece) in part.chunks_mut(PIECE).enumerate() {
                let start = (first + at) * PIECE;
                let range = start..start + piece.len();
                piece.copy_from_slice(&gradient[range.clone()]);
                (each.backward)(&values[range], piece, &self.parameters);
            }
        });
    }

    /// Turns the gradient of the outputs into that of the inputs. `values` are the inputs where
    /// [`Activation::needs_input`], else the outputs.
    pub fn backward(&self, values: &[f32], gradient: &mut [f32], width: usize) {
        let work = values.len() * self.cost();
        let part = |first: usize, width: usize, part: &[f32]| first * width..first * width + part.len();
        match self.kind {
            Kind::Linear => {}
            Kind::Each(each) => pool::rows(gradient, 1, work, |first, own| {
                (each.backward)(&values[part(first, 1, own)], own, &self.parameters);
            }),
            Kind::Softmax => pool::rows(gradient, width, work, |first, own| {
                softmax_backward(&values[part(first, width, own)], own, width);
            }),
            Kind::LogSoftmax => pool::rows(gradient, width, work, |first, own| {
                log_softmax_backward(&values[part(first, width, own)], own, width);
            }),
        }
    }

    fn cost(&self) -> usize {
        match self.kind {
            Kind::Linear => 0,
            Kind::Each(each) => each.cost,
            Kind::Softmax | Kind::LogSoftmax => 8,
        }
    }
}

impl std::fmt::Debug for Activation {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self.kind {
            Kind::Linear => f.write_str("linear"),
            Kind::Each(each) => write!(f, "{}{:?}", each.name, self.parameters),
            Kind::Softmax => f.write_str("softmax"),
            Kind::LogSoftmax => f.write_str("log_softmax"),
        }
    }
}

/// The activation at the end of a layer, with what it keeps from forward to backward.
#[derive(Debug)]
pub struct Activated {
    activation: Activation,
    /// The derivatives, where they do not follow from the outputs.
    slopes: Buffer,
}

impl Activated {
    /// Creates one that has kept nothing yet.
    pub fn new(activation: Activation) -> Self {
        Activated { activation, slopes: Buffer::default() }
    }

    /// Replaces a layer's values by their activation; keeps the derivatives where backward cannot tell them from the
    /// outputs and there will be one.
    pub fn forward(&mut self, values: &mut [f32], width: usize, training: bool) {
        let Some((each, with_slope)) = self.activation.with_slope().filter(|_| training) else {
            return self.activation.forward(values, width);
        };
        self.slopes.fit(values.len());
        let work = values.len() * (2 * each.cost + 1);
        pool::together(&mut [values, &mut self.slopes], PIECE, work, |_, parts| {
            if let [values, slopes] = parts {
                with_slope(values, slopes, &self.activation.parameters);
            }
        });
    }

    /// Turns the gradient of the output that forward gave into that of the values before the activation.
    pub fn backward(&self, output: &[f32], gradient: &mut [f32], width: usize) {
        if self.activation.with_slope().is_none() {
            return self.activation.backward(output, gradient, width);
        }
        let work = gradient.len();
        pool::rows(gradient, 1, work, |first, own| multiply(own, &self.slopes[first..first + own.len()]));
    }
}

const SELU_ALPHA: f32 = 1.673_263_2;
const SELU_SCALE: f32 = 1.050_701;

/// Defines a function of single values and its derivative, each a loop for every instruction set.
macro_rules! elementwise {
    ($(
        $name:ident($x:ident, $p:ident) = $value:expr, by $of:ident($v:ident) $slope:expr, cost $cost:literal;
    )*) => {
        /// All functions of single values.
        static ELEMENTWISE: &[Elementwise] = &[$(Elementwise {
            name: stringify!($name),
            forward: $name::forward,
            backward: $name::backward,
            of_output: elementwise!(@ $of),
            with_slope: elementwise!(@with_slope $of $name),
            cost: $cost,
        }),*];
        $(mod $name {
            #[allow(unused_imports)]
            use super::*;
            simd! {
                #[allow(unused_variables)]
                pub(super) fn forward(values: &mut [f32], parameters: &[f32; 3]) {
                    let $p = *parameters;
                    for value in values {
                        let $x = *value;
                        *value = $value;
                    }
                }
                #[allow(unused_variables)]
                pub(super) fn backward(values: &[f32], gradient: &mut [f32], parameters: &[f32; 3]) {
                    let $p = *parameters;
                    for (gradient, value) in gradient.iter_mut().zip(values) {
                        let $v = *value;
                        *gradient *= $slope;
                    }
                }
            }
            elementwise!(@define $of $p, $x $value, $v $slope);
        })*
    };
    (@ output) => { true };
    (@ input) => { false };
    (@with_slope output $name:ident) => { None };
    (@with_slope input $name:ident) => { Some($name::with_slope) };
    (@define output $($rest:tt)*) => {};
    (@define input $p:ident, $x:ident $value:expr, $v:ident $slope:expr) => {
        simd! {
            #[allow(unused_variables)]
            pub(super) fn with_slope(values: &mut [f32], slopes: &mut [f32], parameters: &[f32; 3]) {
                let $p = *parameters;
                for (value, slope) in values.iter_mut().zip(slopes) {
                    let before = *value;
                    let $x = before;
                    *value = $value;
                    let $v = before;
                    *slope = $slope;
                }
            }
        }
    };
}

// Every value is computed without branches: both sides of a condition, of which one is taken.
elementwise! {
    relu(x, p) = if x <= 0.0 { 0.0 } else { x }, by output(y) if y <= 0.0 { 0.0 } else { 1.0 }, cost 1;
    general_relu(x, p) = {
        let low = if p[0] == 0.0 { 0.0 } else { p[0] * (x - p[2]) };
        let y = if x <= p[2] { low } else { x };
        if y > p[1] { p[1] } else { y }
    }, by input(x) {
        let slope = if x <= p[2] { p[0] } else { 1.0 };
        if x >= p[1] { 0.0 } else { slope }
    }, cost 2;
    leaky_relu(x, p) = if x <= 0.0 { p[0] * x } else { x }, by output(y) if y <= 0.0 { p[0] } else { 1.0 }, cost 1;
    sigmoid(x, p) = super::sigmoid(x), by output(y) y * (1.0 - y), cost 4;
    hard_sigmoid(x, p) = clamp(x * (1.0 / 6.0) + 0.5, 0.0, 1.0),
        by input(x) if x <= -3.0 || x >= 3.0 { 0.0 } else { 1.0 / 6.0 }, cost 1;
    log_sigmoid(x, p) = -softplus(-x), by input(x) super::sigmoid(-x), cost 8;
    tanh(x, p) = super::tanh(x), by output(y) 1.0 - y * y, cost 4;
    hard_tanh(x, p) = clamp(x, -1.0, 1.0), by output(y) if y <= -1.0 || y >= 1.0 { 0.0 } else { 1.0 }, cost 1;
    tanh_shrink(x, p) = x - super::tanh(x), by input(x) { let t = super::tanh(x); t * t }, cost 4;
    softplus(x, p) = super::softplus(x), by input(x) super::sigmoid(x), cost 8;
    softsign(x, p) = x / (1.0 + x.abs()), by input(x) { let d = 1.0 + x.abs(); 1.0 / (d * d) }, cost 2;
    elu(x, p) = if x > 0.0 { x } else { p[0] * (exp(x) - 1.0) },
        by input(x) if x > 0.0 { 1.0 } else { p[0] * exp(x) }, cost 4;
    selu(x, p) = p[1] * if x > 0.0 { x } else { p[0] * (exp(x) - 1.0) },
        by input(x) p[1] * if x > 0.0 { 1.0 } else { p[0] * exp(x) }, cost 4;
    celu(x, p) = { let u = x / p[0]; p[0] * if u > 0.0 { u } else { exp(u) - 1.0 } },
        by input(x) { let u = x / p[0]; if u > 0.0 { 1.0 } else { exp(u) } }, cost 4;
    gelu(x, p) = x * distribution(x), by input(x) {
        // Far out the density is as good as 0; without the clamp it would be times infinity.
        distribution(x) + clamp(x, -NORMAL_END, NORMAL_END) * normal_density(x)
    }, cost 6;
    gelu_by_tanh(x, p) = { let (t, _) = tangent(x); x * (0.5 + 0.5 * t) }, by input(x) {
        let (t, slope) = tangent(x);
        0.5 + 0.5 * t + (0.5 - 0.5 * t * t) * slope
    }, cost 6;
    silu(x, p) = x * super::sigmoid(x), by input(x) {
        let s = super::sigmoid(x);
        let y = x * s;
        s + y * (1.0 - s)
    }, cost 5;
    hard_silu(x, p) = x * clamp(x * (1.0 / 6.0) + 0.5, 0.0, 1.0), by input(x) {
        let inner = if x <= -3.0 || x >= 3.0 { 0.0 } else { x * (1.0 / 6.0) };
        clamp(x * (1.0 / 6.0) + 0.5, 0.0, 1.0) + inner
    }, cost 2;
    mish(x, p) = x * super::tanh(super::softplus(x)), by input(x) {
        let t = super::tanh(super::softplus(x));
        t + clamp(x, -50.0, 50.0) * super::sigmoid(x) * (1.0 - t * t)
    }, cost 12;
    exponential(x, p) = exp(x), by output(y) y, cost 3;
    squareplus(x, p) = 0.5 * (x + (x * x + p[0]).sqrt()), by input(x) 0.5 * (1.0 + x / (x * x + p[0]).sqrt()), cost 4;
    soft_shrink(x, p) = x - clamp(x, -p[0], p[0]), by input(x) if x <= -p[0] || x >= p[0] { 1.0 } else { 0.0 }, cost 1;
    hard_shrink(x, p) = if x.abs() <= p[0] { 0.0 } else { x }, by input(x) if x.abs() <= p[0] { 0.0 } else { 1.0 }, cost 1;
}

/// The tangent inside of the approximate gelu, and x times the derivative of its argument.
#[inline(always)]
fn tangent(x: f32) -> (f32, f32) {
    // √(2/π)
    const SCALE: f32 = 0.797_884_6;
    // Beyond ±10 the tangent is ±1 to the last bit, and the cube cannot overflow.
    let near = clamp(x, -10.0, 10.0);
    let square = near * near;
    (tanh(near * (SCALE * 0.044_715 * square + SCALE)), near * (3.0 * SCALE * 0.044_715 * square + SCALE))
}

simd! {
    fn multiply(values: &mut [f32], factors: &[f32]) {
        values.iter_mut().zip(factors).for_each(|(value, factor)| *value *= factor);
    }
}
