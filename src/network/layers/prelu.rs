//! `PReLU`: a slope below 0 that is learned.

use std::sync::Arc;

use serde_json::Value;

use crate::error::{Error, Result};
use crate::registry::{Arguments, Entry, Parameter, Type};
use crate::tensor::Graph;

use super::super::{Initializer, Layer, Pass, Shape, Weight, shape, show_shape};
use super::terms::{Terms, penalty, rule};
use super::{LayerEntry, NAME, TRAINABLE, initializer, weight};

pub(super) const PRELU: LayerEntry = LayerEntry {
    entry: Entry {
        name: "PReLU",
        aliases: &[],
        doc: "Keeps values above 0 and multiplies others by a learned slope (He and others, 2015); the derivative at 0 is \
              0.\n\nThe output has the shape of the input. Weight: `alpha`, of the shape of one record; its shared axes \
              have length 1.",
        parameters: &[
            Parameter::optional("alpha_initializer", Type::Component, "\"zeros\"", "how the slopes start"),
            penalty("alpha_regularizer", "a penalty on the slopes"),
            rule("alpha_constraint", "a rule for the slopes"),
            Parameter::optional(
                "shared_axes",
                Type::Ints,
                "null",
                "the axes along which one slope serves all, counted with the batch axis as 0: `[1, 2]` for the pixels of \
                 an image",
            ),
            TRAINABLE,
            NAME,
        ],
        build: |a| Ok(Box::new(Prelu::new(a)?)),
    },
    script_name: "prelu",
    positional: &[],
    merges: false,
};

#[derive(Debug)]
struct Prelu {
    alpha: Arc<dyn Initializer>,
    shared: Vec<i64>,
    trainable: bool,
    terms: Terms,
}

impl Prelu {
    fn new(a: &Arguments) -> Result<Self> {
        let shared = match a.value("shared_axes") {
            Value::Array(items) => items.iter().filter_map(Value::as_i64).collect(),
            value => value.as_i64().into_iter().collect(),
        };
        Ok(Prelu {
            alpha: initializer(a, "alpha_initializer")?,
            shared,
            trainable: a.bool("trainable"),
            terms: Terms::new(a, &[("alpha", "alpha")])?,
        })
    }

    fn slopes(&self, input: &Shape) -> Result<Vec<usize>> {
        let mut slopes = input.clone();
        for axis in &self.shared {
            let axis = shape::inner_axis(*axis, input.len()).ok_or_else(|| {
                Error::recipe(format!(
                    "`shared_axes` {axis} is outside of shape {} without the batch axis",
                    show_shape(input)
                ))
                .hint("axis 1 is the first after the batch, -1 the last")
            })?;
            slopes[axis] = Some(1);
        }
        slopes.into_iter().collect::<Option<_>>().ok_or_else(|| {
            Error::recipe(format!("expected known lengths, found {}", show_shape(input)))
                .hint("share the slopes along axes of any length with `shared_axes`")
        })
    }
}

impl Layer for Prelu {
    fn kind(&self) -> &'static str {
        "PReLU"
    }

    fn keeps_mask(&self) -> bool {
        true
    }

    fn output_shape(&self, inputs: &[Shape]) -> Result<Shape> {
        let input = shape::single(inputs)?;
        self.slopes(input)?;
        Ok(input.clone())
    }

    fn weights(&self, inputs: &[Shape]) -> Result<Vec<Weight>> {
        let slopes = self.slopes(shape::single(inputs)?)?;
        self.terms.on(vec![weight("alpha", slopes, &self.alpha, self.trainable)?])
    }

    fn compose(&self, inputs: &[Graph], weights: &[Graph], _: &mut Pass) -> Result<Graph> {
        let x = &inputs[0];
        let zeros = x.zeros_like()?.detach();
        let above = x.detach().gt(&zeros)?.to_dtype(x.dtype())?;
        let below = x.detach().lt(&zeros)?.to_dtype(x.dtype())?;
        Ok(x.mul(&above)?.add(&x.mul(&below)?.broadcast_mul(&weights[0])?)?)
    }
}
