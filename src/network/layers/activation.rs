//! `Activation` and the activations that are layers of their own: `ReLU`, `LeakyReLU`, `ELU`, `Softmax`.

use serde_json::{Value, json};

use crate::error::Result;
use crate::registry::{Arguments, Entry, Parameter, Type};
use crate::tensor::Graph;

use super::super::kernel::{Backward, Forward};
use super::super::onnx::Step;
use super::super::{Bound, Kernel, Layer, Named, Pass, Shape, Symbol, Weight, activation, shape};
use super::attention::MaskedSoftmax;
use super::{LayerEntry, NAME};

pub(super) const ACTIVATION: LayerEntry = LayerEntry {
    entry: Entry {
        name: "Activation",
        aliases: &[],
        doc: "Applies an activation.\n\nThe output has the shape of the input; with `glu`, half of its last axis.",
        parameters: &[
            Parameter::required("activation", Type::Component, "its name, or an import block with parameters"),
            NAME,
        ],
        build: |a| build("Activation", a.value("activation").clone()),
    },
    script_name: "activation",
    positional: &["activation"],
    merges: false,
};

pub(super) const RELU: LayerEntry = LayerEntry {
    entry: Entry {
        name: "ReLU",
        aliases: &[],
        doc: "Keeps values above 0 and sets others to 0.\n\nThe output has the shape of the input.",
        parameters: &[
            Parameter::optional("max_value", Type::Float, "null", "the largest value; null is none"),
            Parameter::optional("negative_slope", Type::Float, "0.0", "the slope up to the threshold"),
            Parameter::optional("threshold", Type::Float, "0.0", "values count only above it"),
            NAME,
        ],
        build: |a| with("ReLU", "relu", a, &["max_value", "negative_slope", "threshold"]),
    },
    script_name: "relu",
    positional: &[],
    merges: false,
};

pub(super) const LEAKY_RELU: LayerEntry = LayerEntry {
    entry: Entry {
        name: "LeakyReLU",
        aliases: &[],
        doc: "Keeps values above 0 and multiplies others by a slope.\n\nThe output has the shape of the input.",
        parameters: &[Parameter::optional("negative_slope", Type::Float, "0.3", "the slope below 0"), NAME],
        build: |a| with("LeakyReLU", "leaky_relu", a, &["negative_slope"]),
    },
    script_name: "leaky_relu",
    positional: &[],
    merges: false,
};

pub(super) const ELU: LayerEntry = LayerEntry {
    entry: Entry {
        name: "ELU",
        aliases: &[],
        doc: "Keeps values above 0 and bends others towards -alpha.\n\nThe output has the shape of the input.",
        parameters: &[Parameter::optional("alpha", Type::Float, "1.0", "minus the limit at minus infinity"), NAME],
        build: |a| with("ELU", "elu", a, &["alpha"]),
    },
    script_name: "elu",
    positional: &[],
    merges: false,
};

pub(super) const SOFTMAX: LayerEntry = LayerEntry {
    entry: Entry {
        name: "Softmax",
        aliases: &[],
        doc: "Turns values into positive ones that add up to 1 along an axis.\n\nThe output has the shape of the input.",
        parameters: &[
            Parameter::optional("axis", Type::Int, "-1", "the axis of the sum, counted with the batch axis as 0"),
            NAME,
        ],
        build: |a| with("Softmax", "softmax", a, &["axis"]),
    },
    script_name: "softmax",
    positional: &[],
    merges: false,
};

#[derive(Debug)]
struct Activation {
    kind: &'static str,
    activation: Box<dyn super::super::Activation>,
}

fn build(kind: &'static str, value: Value) -> Result<Box<dyn Layer>> {
    Ok(Box::new(Activation { kind, activation: activation::from_value(&value)? }))
}

fn with(kind: &'static str, name: &str, a: &Arguments, names: &[&str]) -> Result<Box<dyn Layer>> {
    let params: serde_json::Map<String, Value> =
        names.iter().map(|name| ((*name).to_owned(), a.value(name).clone())).collect();
    build(kind, json!({"import": name, "params": params}))
}

impl Layer for Activation {
    fn kind(&self) -> &'static str {
        self.kind
    }

    fn bind(&self, inputs: &[Symbol], _: &Named<'_>) -> Result<Option<Bound>> {
        Ok(match self.kind {
            // A mask of values, as that of scores; there is one axis.
            "Softmax" => inputs.first().filter(|x| x.shape().len() == 1).and_then(MaskedSoftmax::bind),
            _ => None,
        })
    }

    fn keeps_values(&self) -> bool {
        self.activation.kernel().is_some_and(|kernel| kernel.is_linear())
    }

    fn keeps_mask(&self) -> bool {
        true
    }

    fn output_shape(&self, inputs: &[Shape]) -> Result<Shape> {
        self.activation.output_shape(shape::single(inputs)?)
    }

    fn weights(&self, _: &[Shape]) -> Result<Vec<Weight>> {
        Ok(Vec::new())
    }

    fn onnx(&self, step: &mut Step<'_>) -> Result<String> {
        let x = step.x(0);
        step.to.activate(&*self.activation, &x)
    }

    fn compose(&self, inputs: &[Graph], _: &[Graph], _: &mut Pass) -> Result<Graph> {
        self.activation.compose(&inputs[0])
    }

    fn activation(&self) -> Option<crate::kernel::activation::Activation> {
        self.activation.kernel()
    }

    fn kernel(&self, inputs: &[&[usize]]) -> Option<Box<dyn Kernel>> {
        let width = inputs.first()?.last().copied().unwrap_or(1);
        Some(Box::new(Own { activation: self.activation.kernel()?, width }))
    }
}

/// The activation on slices.
struct Own {
    activation: crate::kernel::activation::Activation,
    width: usize,
}

impl Kernel for Own {
    fn forward(&mut self, step: &mut Forward<'_>) -> Result<()> {
        self.activation.forward_from(step.inputs.get(0), step.output, self.width);
        Ok(())
    }

    fn backward(&mut self, step: &mut Backward<'_>) -> Result<()> {
        let values = if self.activation.needs_input() { step.inputs.get(0) } else { step.output };
        match step.input_gradients.take(0) {
            Some(target) if target.add => {
                self.activation.backward(values, step.gradient, self.width);
                target.put(step.gradient);
            }
            Some(target) => self.activation.backward_into(values, step.gradient, target.values, self.width),
            None => {}
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::network::kernel::testing::{check, noise};

    #[test]
    fn kernels_compute_what_composition_does() {
        for name in ["relu", "sigmoid", "gelu", "softmax", "log_softmax", "mish"] {
            let layer = build("Activation", json!(name)).unwrap();
            check(&*layer, &[&[5, 4]], 3, noise);
            check(&*layer, &[&[50, 31]], 7, noise);
        }
    }
}
