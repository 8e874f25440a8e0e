//! `TimeDistributed`: the same layer on every step of a sequence.

use std::sync::Arc;

use crate::error::{Error, Result};
use crate::network::kernel::{Backward, Forward, Kernel};
use crate::registry::{Arguments, Entry, Parameter, Type};
use crate::tensor::Graph;

use super::super::onnx::Step;
use super::super::{Integers, Layer, Pass, Shape, Weight, component, names, shape, show_shape};
use super::{LayerEntry, NAME};

pub(super) const TIME_DISTRIBUTED: LayerEntry = LayerEntry {
    entry: Entry {
        name: "TimeDistributed",
        aliases: &[],
        doc: "Applies a layer to each step of a sequence, with the same weights.\n\n\
              Input `[batch, steps, …]`, output `[batch, steps, …]` with what the layer makes of a step. Weights: those of \
              the layer, as `dense/kernel`. Steps are to the layer what records are: `BatchNormalization` takes its \
              statistics over all steps of the batch at once.",
        parameters: &[
            Parameter::required(
                "layer",
                Type::Component,
                "the layer: `component(\"Conv2D\", #{ filters: 8, kernel_size: 3 })`",
            ),
            NAME,
        ],
        build: |a| Ok(Box::new(TimeDistributed::new(a)?)),
    },
    script_name: "time_distributed",
    positional: &["layer"],
    merges: false,
};

#[derive(Debug)]
struct TimeDistributed {
    layer: Arc<dyn Layer>,
    name: String,
}

impl TimeDistributed {
    fn new(a: &Arguments) -> Result<Self> {
        let within = |error: Error| error.within("parameter `layer`");
        let (kind, params) = component::parts(a.value("layer"), "the layer").map_err(within)?;
        let instance = super::find(kind).and_then(|entry| entry.make(&params)).map_err(within)?;
        let layer = Arc::clone(instance.layer());
        if instance.is_penalised() {
            return Err(a
                .refuse("layer", "a layer without `activity_regularizer`: its steps are no values of the network")
                .hint("give it to `TimeDistributed`"));
        }
        let name = instance.name().map_or_else(|| names::snake_case(layer.kind()), ToString::to_string);
        Ok(TimeDistributed { layer, name })
    }

    /// The shape of a step.
    fn step(&self, inputs: &[Shape]) -> Result<Shape> {
        match shape::single(inputs)?.split_first() {
            Some((_, step)) if !step.is_empty() => Ok(step.to_vec()),
            _ => Err(Error::recipe(format!("expected an input of shape [steps, …], found {}", show_shape(&inputs[0])))),
        }
    }

    fn within(&self, error: Error) -> Error {
        error.within(format!("`{}` in it", self.layer.kind()))
    }
}

impl Layer for TimeDistributed {
    fn kind(&self) -> &'static str {
        "TimeDistributed"
    }

    fn frozen(&self) -> Option<Arc<dyn Layer>> {
        let layer = self.layer.frozen()?;
        Some(Arc::new(TimeDistributed { layer, name: self.name.clone() }))
    }

    fn seed(&self) -> Option<u64> {
        self.layer.seed()
    }

    fn inner(&self) -> Option<&dyn Layer> {
        Some(&*self.layer)
    }

    fn integers(&self) -> Integers {
        self.layer.integers()
    }

    fn keeps_mask(&self) -> bool {
        true
    }

    fn output_shape(&self, inputs: &[Shape]) -> Result<Shape> {
        let step = [self.step(inputs)?];
        if !self.layer.parts(&step).map_err(|error| self.within(error))?.is_empty() {
            return Err(Error::recipe(format!("`{}` in it has several outputs", self.layer.kind()))
                .hint("leave out `return_state` and the like"));
        }
        let mut shape = self.layer.output_shape(&step).map_err(|error| self.within(error))?;
        shape.insert(0, inputs[0][0]);
        Ok(shape)
    }

    fn weights(&self, inputs: &[Shape]) -> Result<Vec<Weight>> {
        let own = self.layer.weights(&[self.step(inputs)?]).map_err(|error| self.within(error))?.into_iter();
        Ok(own.map(|weight| Weight { name: format!("{}/{}", self.name, weight.name).into(), ..weight }).collect())
    }

    fn onnx(&self, step: &mut Step<'_>) -> Result<String> {
        let input = step.shapes.first().cloned().unwrap_or_default();
        let inner = self.step(std::slice::from_ref(&input))?;
        let rows: Vec<i64> =
            std::iter::once(-1).chain(inner.iter().map(|axis| axis.map_or(0, |length| length as i64))).collect();
        if rows.contains(&0) {
            return Err(Error::artifact("steps of any size cannot be written as ONNX"));
        }
        let x = step.x(0);
        let all = step.to.reshape(&x, &rows);
        let count = step.weights.len();
        let y = step.within(&*self.layer, vec![all], vec![inner.clone()], 0..count)?;
        let output = self.layer.output_shape(&[inner])?;
        let lengths: Vec<i64> = output.iter().map(|axis| axis.map_or(-1, |length| length as i64)).collect();
        let shape = match input[0] {
            Some(steps) => step.to.indices(&[&[-1, steps as i64], &*lengths].concat()),
            None => {
                let shape = step.to.one("Shape", &x);
                let start = step.to.slice(&shape, 0, 0, 2, 1);
                let rest = step.to.indices(&lengths);
                step.to.concat(&[start, rest], 0)
            }
        };
        Ok(step.to.two("Reshape", &y, &shape))
    }

    fn compose(&self, inputs: &[Graph], weights: &[Graph], pass: &mut Pass) -> Result<Graph> {
        let [rows, steps, rest @ ..] = inputs[0].dims() else { return Err(Error::run("expected a sequence")) };
        let x = inputs[0].reshape([&[rows * steps], rest].concat())?;
        let y = self.layer.compose(&[x], weights, pass)?;
        Ok(y.reshape([&[*rows, *steps], &y.dims()[1..]].concat())?)
    }

    fn kernel(&self, inputs: &[&[usize]]) -> Option<Box<dyn Kernel>> {
        let (steps, step) = inputs[0].split_first()?;
        Some(Box::new(Run { steps: *steps, inner: self.layer.kernel(&[step])? }))
    }
}

/// Steps stand as records do: the inner kernel gets more of them.
struct Run {
    steps: usize,
    inner: Box<dyn Kernel>,
}

impl Kernel for Run {
    fn forward(&mut self, step: &mut Forward<'_>) -> Result<()> {
        self.inner.forward(&mut Forward {
            rows: step.rows * self.steps,
            training: step.training,
            random: step.random.clone(),
            inputs: step.inputs,
            weights: step.weights,
            output: &mut *step.output,
            moved: &mut *step.moved,
        })
    }

    fn backward(&mut self, step: &mut Backward<'_>) -> Result<()> {
        self.inner.backward(&mut Backward {
            rows: step.rows * self.steps,
            inputs: step.inputs,
            weights: step.weights,
            output: step.output,
            gradient: &mut *step.gradient,
            input_gradients: step.input_gradients.again(),
            weight_gradients: step.weight_gradients.again(),
        })
    }
}
