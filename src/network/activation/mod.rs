//! Activations, in Keras vocabulary, with formulas that hold for all floats.
//!
//! Formulas, defaults and names are those of Keras 3 (`keras/src/activations/activations.py`). Where Candle's own
//! gradient is wrong or not a number, the derivative is written next to the value.

mod formulas;
mod glu;
#[cfg(test)]
mod tests;

use serde_json::Value;

use crate::error::Result;
use crate::kernel::activation::Activation as Kernel;
use crate::registry::{Arguments, Entry, Parameter, Type};
use crate::tensor::Graph;

use super::gradient::define;
use super::{Shape, component};

use formulas::*;
use glu::Glu;

/// A function of the values of a layer; all but `glu` keep their shape.
pub trait Activation: Send + Sync + std::fmt::Debug {
    /// Returns the Keras name: `relu`.
    fn name(&self) -> &'static str;

    /// Computes it, by differentiable operations. `x` has the batch axis first.
    fn compose(&self, x: &Graph) -> Result<Graph>;

    /// Returns whether the output has the shape of the input; `glu` halves an axis.
    fn keeps_shape(&self) -> bool {
        true
    }

    /// Returns the output's shape, both without the batch axis.
    ///
    /// # Errors
    /// An axis that the activation cannot work on.
    fn output_shape(&self, input: &Shape) -> Result<Shape> {
        Ok(input.clone())
    }

    /// Returns the same function on slices, for kernels; `None` where there is none.
    fn kernel(&self) -> Option<Kernel> {
        None
    }

    /// Returns its parameters as numbers in the order in which they are declared: null is infinity, true 1.
    fn arguments(&self) -> &[f64] {
        &[]
    }
}

/// The built-in activations.
pub static LIST: &[Entry<dyn Activation>] = &[
    entry("linear", &[], "Returns x itself.", &[], |a| function(a, &[], |x, _| Ok(x.clone()))),
    entry(
        "relu",
        &[],
        "Returns x above 0 and 0 elsewhere; the derivative at 0 is 0. With parameters: `max_value` from there on, \
         `negative_slope * (x - threshold)` up to the threshold.",
        &[
            Parameter::optional("negative_slope", Type::Float, "0.0", "the slope up to the threshold"),
            Parameter::optional("max_value", Type::Float, "null", "the largest value; null is none"),
            Parameter::optional("threshold", Type::Float, "0.0", "x counts only above it"),
        ],
        |a| function(a, &["negative_slope", "max_value", "threshold"], |x, p| relu(x, p[0], p[1], p[2])),
    ),
    entry("relu6", &[], "Returns x kept within 0 and 6.", &[], |a| function(a, &[], |x, _| relu(x, 0.0, 6.0, 0.0))),
    entry(
        "leaky_relu",
        &[],
        "Returns x above 0 and `negative_slope * x` elsewhere.",
        &[Parameter::optional("negative_slope", Type::Float, "0.2", "the slope below 0")],
        |a| function(a, &["negative_slope"], |x, p| relu(x, p[0], f64::INFINITY, 0.0)),
    ),
    entry("sigmoid", &[], "Returns 1 / (1 + exp(-x)).", &[], |a| {
        function(a, &[], |x, _| define(x, logistic, |_, y, g| g.mul(y)?.mul(&y.affine(-1.0, 1.0)?)))
    }),
    entry("hard_sigmoid", &[], "Returns x / 6 + 0.5 kept within 0 and 1.", &[], |a| {
        function(a, &[], |x, _| clip(&x.affine(1.0 / 6.0, 0.5)?, 0.0, 1.0))
    }),
    entry("log_sigmoid", &[], "Returns log(sigmoid(x)).", &[], |a| {
        function(a, &[], |x, _| define(x, |x| plus(&x.neg()?)?.neg(), |x, _, g| g.mul(&logistic(&x.neg()?)?)))
    }),
    entry("tanh", &[], "Returns the hyperbolic tangent.", &[], |a| function(a, &[], |x, _| Ok(x.tanh()?))),
    entry("hard_tanh", &[], "Returns x kept within -1 and 1.", &[], |a| function(a, &[], |x, _| clip(x, -1.0, 1.0))),
    entry("tanh_shrink", &[], "Returns x - tanh(x).", &[], |a| function(a, &[], |x, _| Ok(x.sub(&x.tanh()?)?))),
    entry(
        "softmax",
        &[],
        "Returns exp(x) divided by its sum along an axis: positive numbers that add up to 1.",
        &[Parameter::optional("axis", Type::Int, "-1", "the axis of the sum, counted with the batch axis as 0")],
        |a| function(a, &["axis"], |x, p| softmax(x, axis(x, p[0])?)),
    ),
    entry(
        "log_softmax",
        &[],
        "Returns the logarithm of softmax.",
        &[Parameter::optional("axis", Type::Int, "-1", "the axis of the sum, counted with the batch axis as 0")],
        |a| function(a, &["axis"], |x, p| log_softmax(x, axis(x, p[0])?)),
    ),
    entry(
        "glu",
        &[],
        "Splits an axis in halves a and b and returns a * sigmoid(b), of half the length (Dauphin and others, 2017); only \
         in the layer `Activation`.",
        &[Parameter::optional("axis", Type::Int, "-1", "the axis that is split, counted with the batch axis as 0")],
        |a| Ok(Box::new(Glu { axis: a.int("axis"), arguments: [a.int("axis") as f64] })),
    ),
    entry("softplus", &[], "Returns log(1 + exp(x)).", &[], |a| {
        function(a, &[], |x, _| define(x, plus, |x, _, g| g.mul(&logistic(x)?)))
    }),
    entry("softsign", &[], "Returns x / (1 + |x|).", &[], |a| {
        function(a, &[], |x, _| {
            define(x, |x| x.div(&x.abs()?.affine(1.0, 1.0)?), |x, _, g| g.div(&x.abs()?.affine(1.0, 1.0)?.sqr()?))
        })
    }),
    entry(
        "elu",
        &[],
        "Returns x above 0 and `alpha * (exp(x) - 1)` elsewhere.",
        &[Parameter::optional("alpha", Type::Float, "1.0", "minus the limit at minus infinity")],
        |a| function(a, &["alpha"], |x, p| Ok(x.elu(p[0])?)),
    ),
    entry(
        "selu",
        &[],
        "Returns elu scaled so that mean 0 and variance 1 are kept (Klambauer and others, 2017).",
        &[],
        |a| function(a, &[], |x, _| Ok(x.elu(1.673_263_242_354_377_2)?.affine(1.050_700_987_355_480_5, 0.0)?)),
    ),
    entry(
        "celu",
        &[],
        "Returns x above 0 and `alpha * (exp(x / alpha) - 1)` elsewhere.",
        &[Parameter::optional("alpha", Type::Float, "1.0", "minus the limit at minus infinity; not 0")],
        |a| match a.float("alpha") == 0.0 {
            true => Err(a.refuse("alpha", "a number other than 0")),
            false => function(a, &["alpha"], |x, p| Ok(x.affine(1.0 / p[0], 0.0)?.elu(1.0)?.affine(p[0], 0.0)?)),
        },
    ),
    entry(
        "gelu",
        &[],
        "Returns x times the normal distribution function of x.",
        &[Parameter::optional(
            "approximate",
            Type::Bool,
            "false",
            "by tanh, as in GPT-2, instead of the error function",
        )],
        |a| function(a, &["approximate"], |x, p| if p[0] == 0.0 { gelu(x) } else { gelu_by_tanh(x) }),
    ),
    entry("silu", &["swish"], "Returns x * sigmoid(x).", &[], |a| {
        function(a, &[], |x, _| {
            define(
                x,
                |x| x.mul(&logistic(x)?),
                |x, y, g| {
                    let s = logistic(x)?;
                    g.mul(&s.add(&y.sub(&y.mul(&s)?)?)?)
                },
            )
        })
    }),
    entry("hard_silu", &["hard_swish"], "Returns x * hard_sigmoid(x).", &[], |a| {
        function(a, &[], |x, _| Ok(x.mul(&clip(&x.affine(1.0 / 6.0, 0.5)?, 0.0, 1.0)?)?))
    }),
    entry("mish", &[], "Returns x * tanh(softplus(x)).", &[], |a| {
        function(a, &[], |x, _| {
            define(
                x,
                |x| x.mul(&plus(x)?.tanh()?),
                |x, _, g| {
                    let t = plus(x)?.tanh()?;
                    // Far out the second term is 0; without the clamp it would be infinity times 0.
                    let inner = x.clamp(-50.0, 50.0)?.mul(&logistic(x)?)?.mul(&t.sqr()?.affine(-1.0, 1.0)?)?;
                    g.mul(&t.add(&inner)?)
                },
            )
        })
    }),
    entry("exponential", &[], "Returns exp(x).", &[], |a| function(a, &[], |x, _| Ok(x.exp()?))),
    entry(
        "squareplus",
        &[],
        "Returns (x + sqrt(x² + b)) / 2.",
        &[Parameter::optional("b", Type::Float, "4.0", "how smooth it is at 0; above 0")],
        |a| match a.float("b") > 0.0 {
            true => function(a, &["b"], |x, p| Ok(x.add(&x.sqr()?.affine(1.0, p[0])?.sqrt()?)?.affine(0.5, 0.0)?)),
            false => Err(a.refuse("b", "a number above 0")),
        },
    ),
    entry(
        "threshold",
        &[],
        "Returns x above the threshold, and another number elsewhere.",
        &[
            Parameter::required("threshold", Type::Float, "x counts only above it"),
            Parameter::required("default_value", Type::Float, "the number elsewhere"),
        ],
        |a| {
            function(a, &["threshold", "default_value"], |x, p| {
                let (threshold, other) = (p[0], p[1]);
                let kept = move |x: &Graph, v: &Graph, other: f64| {
                    x.gt(threshold)?.where_cond(v, &v.zeros_like()?.affine(1.0, other)?)
                };
                define(x, move |x| kept(x, x, other), move |x, _, g| kept(x, g, 0.0))
            })
        },
    ),
    entry("sparse_sigmoid", &[], "Returns (x + 1) / 2 kept within 0 and 1.", &[], |a| {
        function(a, &[], |x, _| clip(&x.affine(0.5, 0.5)?, 0.0, 1.0))
    }),
    entry("sparse_plus", &[], "Returns (x + 1)² / 4 between -1 and 1, 0 below and x above.", &[], |a| {
        function(a, &[], |x, _| {
            let value = |x: &Graph| {
                let curve = x.clamp(-1.0, 1.0)?.affine(1.0, 1.0)?.sqr()?.affine(0.25, 0.0)?;
                curve.add(&x.affine(1.0, -1.0)?.relu()?)
            };
            define(x, value, |x, _, g| g.mul(&x.affine(0.5, 0.5)?.clamp(0.0, 1.0)?))
        })
    }),
    entry(
        "sparsemax",
        &[],
        "Returns the nearest point to x whose numbers are at least 0 and add up to 1 along an axis (Martins and Astudillo, \
         2016): many of them are 0.",
        &[Parameter::optional("axis", Type::Int, "-1", "the axis of the sum, counted with the batch axis as 0")],
        |a| function(a, &["axis"], |x, p| sparsemax_along(x, axis(x, p[0])?)),
    ),
    entry(
        "soft_shrink",
        &[],
        "Returns x moved towards 0 by the threshold, and 0 within it.",
        &[Parameter::optional("threshold", Type::Float, "0.5", "at least 0")],
        |a| {
            a.within("threshold", 0.0, f64::INFINITY)?;
            function(a, &["threshold"], |x, p| Ok(x.sub(&clip(x, -p[0], p[0])?)?))
        },
    ),
    entry(
        "hard_shrink",
        &[],
        "Returns x outside of the threshold, and 0 within it.",
        &[Parameter::optional("threshold", Type::Float, "0.5", "at least 0")],
        |a| {
            a.within("threshold", 0.0, f64::INFINITY)?;
            function(a, &["threshold"], |x, p| {
                let threshold = p[0];
                let kept = move |x: &Graph, v: &Graph| x.abs()?.le(threshold)?.where_cond(&v.zeros_like()?, v);
                define(x, |x| kept(x, x), move |x, _, g| kept(x, g))
            })
        },
    ),
];

/// Makes the activation that a parameter names; null is `linear`.
///
/// # Errors
/// Refuses unknown names and parameters.
pub fn from_value(value: &Value) -> Result<Box<dyn Activation>> {
    match value {
        Value::Null => component::make(LIST, "activation", &Value::from("linear")),
        value => component::make(LIST, "activation", value),
    }
}

type Compose = fn(&Graph, &[f64]) -> Result<Graph>;

struct Function {
    name: &'static str,
    arguments: Vec<f64>,
    compose: Compose,
}

impl std::fmt::Debug for Function {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{}{:?}", self.name, self.arguments)
    }
}

impl Activation for Function {
    fn name(&self) -> &'static str {
        self.name
    }

    fn compose(&self, x: &Graph) -> Result<Graph> {
        (self.compose)(x, &self.arguments)
    }

    fn kernel(&self) -> Option<Kernel> {
        Kernel::find(self.name, &self.arguments)
    }

    fn arguments(&self) -> &[f64] {
        &self.arguments
    }
}

const fn entry(
    name: &'static str,
    aliases: &'static [&'static str],
    doc: &'static str,
    parameters: &'static [Parameter],
    build: fn(&Arguments) -> Result<Box<dyn Activation>>,
) -> Entry<dyn Activation> {
    Entry { name, aliases, doc, parameters, build }
}

/// A function with its arguments as numbers: null becomes infinity, true 1.
fn function(arguments: &Arguments, names: &[&str], compose: Compose) -> Result<Box<dyn Activation>> {
    let number = |name: &&str| match arguments.value(name) {
        Value::Null => f64::INFINITY,
        Value::Bool(value) => f64::from(u8::from(*value)),
        value => value.as_f64().unwrap_or(0.0),
    };
    Ok(Box::new(Function { name: arguments.component(), arguments: names.iter().map(number).collect(), compose }))
}
