//! `Bidirectional`: a recurrent layer forward and another one backward.

mod run;

use std::sync::Arc;

use serde_json::Value;

use crate::error::{Error, Result};
use crate::network::kernel::Kernel;
use crate::registry::{Arguments, Entry, Parameter, Type};
use crate::tensor::Graph;

use super::super::layer::stream;
use super::super::onnx::Step;
use super::super::{Bound, Layer, Named, Pass, Shape, Symbol, Weight, component, shape};
use super::recurrent::{Recurrent, Written};
use super::terms::ACTIVITY_REGULARIZER;
use super::{LayerEntry, NAME};
use run::{Plan, Run};

pub(super) const BIDIRECTIONAL: LayerEntry = LayerEntry {
    entry: Entry {
        name: "Bidirectional",
        aliases: &[],
        doc: "Runs a recurrent layer over a sequence forward and a second one backward, and merges what they give for each \
              step (Schuster and Paliwal, 1997).\n\n\
              Input `[batch, steps, in]`; output that of the layer, twice as long with `concat`. Weights: those of both, \
              as `forward/kernel`, `backward/kernel` … Steps that a mask leaves out give 0 in a sequence.",
        parameters: &[
            Parameter::required(
                "layer",
                Type::Component,
                "the layer: `component(\"LSTM\", #{ units: 8 })`, or a `GRU` or a `SimpleRNN`",
            ),
            Parameter::optional(
                "merge_mode",
                Type::Any,
                "\"concat\"",
                "how both outputs are merged: `concat`, `sum`, `mul`, `ave`; null: a script gets an array of both",
            ),
            Parameter::optional(
                "backward_layer",
                Type::Component,
                "null",
                "the layer that goes backward, with `go_backwards: true`; one like `layer` when null",
            ),
            NAME,
        ],
        build: |a| Ok(Box::new(Bidirectional::new(a)?)),
    },
    script_name: "bidirectional",
    positional: &["layer"],
    merges: false,
};

/// How two outputs become one.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Merge {
    Concat,
    Sum,
    Multiply,
    Average,
    Both,
}

#[derive(Clone, Debug)]
struct Bidirectional {
    forward: Recurrent,
    backward: Recurrent,
    merge: Merge,
}

impl Bidirectional {
    fn new(a: &Arguments) -> Result<Self> {
        let merge = match a.value("merge_mode") {
            Value::Null => Merge::Both,
            value => match value.as_str() {
                Some("concat") => Merge::Concat,
                Some("sum") => Merge::Sum,
                Some("mul") => Merge::Multiply,
                Some("ave") => Merge::Average,
                _ => return Err(a.refuse("merge_mode", "`concat`, `sum`, `mul`, `ave` or null")),
            },
        };
        let inner = |name: &str| {
            let (kind, params) = component::parts(a.value(name), "the layer")?;
            Recurrent::of_kind(kind, &params)
        };
        let forward = inner("layer").map_err(|error| error.within("parameter `layer`"))?;
        let backward = match a.is_null("backward_layer") {
            true => forward.reversed(),
            false => inner("backward_layer").map_err(|error| error.within("parameter `backward_layer`"))?,
        };
        for name in ["layer", "backward_layer"] {
            let block = a.value(name).get("params").and_then(|params| params.get(ACTIVITY_REGULARIZER.name));
            if block.is_some_and(|activity| !activity.is_null()) {
                return Err(a
                    .refuse(name, "a layer without `activity_regularizer`: only what is merged is a value")
                    .hint("give it to `Bidirectional`"));
            }
        }
        if forward.outputs() != backward.outputs() {
            return Err(
                a.refuse("backward_layer", "the same `return_sequences` and `return_state` as those of `layer`")
            );
        }
        if forward.is_backwards() == backward.is_backwards() {
            return Err(a.refuse("backward_layer", "a layer that goes the other way: `go_backwards: true`"));
        }
        if merge != Merge::Concat && merge != Merge::Both && forward.units() != backward.units() {
            return Err(a.refuse("backward_layer", format!("a layer of {} units, to be merged", forward.units())));
        }
        Ok(Bidirectional { forward: forward.within_bidirectional(), backward: backward.within_bidirectional(), merge })
    }

    fn both(&self) -> [&Recurrent; 2] {
        [&self.forward, &self.backward]
    }

    fn sequences(&self) -> bool {
        self.forward.outputs().0
    }

    /// Shapes of the merged output, or of both, and of all states.
    fn outputs(&self, inputs: &[Shape]) -> Result<Vec<Shape>> {
        let steps = shape::single_of_rank(inputs.get(..1).unwrap_or(&[]), 2, "steps, in")?[0];
        let [forward, backward] = self.both().map(Recurrent::units);
        let output = |units: usize| if self.sequences() { vec![steps, Some(units)] } else { vec![Some(units)] };
        let mut all = match self.merge {
            Merge::Concat => vec![output(forward.saturating_add(backward))],
            Merge::Both => vec![output(forward), output(backward)],
            Merge::Sum | Merge::Multiply | Merge::Average => vec![output(forward)],
        };
        if self.forward.outputs().1 {
            all.extend(self.both().iter().flat_map(|layer| vec![vec![Some(layer.units())]; layer.states()]));
        }
        Ok(all)
    }

    /// Length of a step of each output, number of steps, and lengths of the states.
    fn plan(&self, steps: usize) -> Plan {
        let [forward, backward] = self.both().map(Recurrent::units);
        let states = |layer: &Recurrent| if layer.outputs().1 { layer.states() * layer.units() } else { 0 };
        Plan {
            merge: self.merge,
            steps: if self.sequences() { steps } else { 1 },
            units: [forward, backward],
            states: [states(&self.forward), states(&self.backward)],
            // The one that goes backward gives its sequence in that order.
            turned: [self.forward.is_backwards(), self.backward.is_backwards()],
        }
    }
}

impl Layer for Bidirectional {
    fn kind(&self) -> &'static str {
        "Bidirectional"
    }

    fn bind(&self, inputs: &[Symbol], _: &Named<'_>) -> Result<Option<Bound>> {
        let Some(mask) = inputs.first().and_then(Symbol::mask) else { return Ok(None) };
        let layer =
            Bidirectional { forward: self.forward.masked(), backward: self.backward.masked(), merge: self.merge };
        Ok(Some(Bound { layer: Arc::new(layer), inputs: inputs.iter().chain([mask]).cloned().collect() }))
    }

    fn keeps_mask(&self) -> bool {
        self.sequences()
    }

    fn parts(&self, inputs: &[Shape]) -> Result<Vec<Shape>> {
        let outputs = self.outputs(inputs)?;
        let open = self.sequences() && inputs[0][0].is_none() && self.merge == Merge::Both;
        match outputs.len() {
            1 => Ok(Vec::new()),
            _ if open => Err(Error::recipe("two sequences of unknown length cannot be given at once")
                .hint("state the length of the input, or merge both")),
            _ => Ok(outputs),
        }
    }

    fn output_shape(&self, inputs: &[Shape]) -> Result<Shape> {
        for layer in self.both() {
            layer.output_shape(inputs)?;
        }
        let outputs = self.outputs(inputs)?;
        match <[Shape; 1]>::try_from(outputs) {
            Ok([output]) => Ok(output),
            Err(outputs) => {
                let counts = outputs.iter().map(|output| shape::count(output)).collect::<Result<Vec<_>>>()?;
                Ok(vec![counts.into_iter().sum()])
            }
        }
    }

    fn weights(&self, inputs: &[Shape]) -> Result<Vec<Weight>> {
        let mut all = Vec::with_capacity(6);
        for (name, layer) in ["forward", "backward"].into_iter().zip(self.both()) {
            let own = layer.weights(inputs)?.into_iter();
            all.extend(own.map(|weight| Weight { name: format!("{name}/{}", weight.name).into(), ..weight }));
        }
        Ok(all)
    }

    fn onnx(&self, step: &mut Step<'_>) -> Result<String> {
        let count = self.forward.weight_count();
        let (shares, mut written) = ([0..count, count..step.weights.len()], Vec::with_capacity(2));
        for (layer, share) in self.both().into_iter().zip(shares) {
            let mut own = Step {
                inputs: step.inputs.clone(),
                shapes: step.shapes.clone(),
                dtypes: step.dtypes.clone(),
                weights: step.weights[share].to_vec(),
                to: &mut *step.to,
            };
            let Written { mut output, states } = layer.written(&mut own)?;
            // The one that goes backward gives its sequence in that order.
            if layer.is_backwards() && self.sequences() {
                output = step.to.reverse(&output, 1);
            }
            written.push((output, states));
        }
        let [(a, a_states), (b, b_states)] =
            <[(String, Vec<String>); 2]>::try_from(written).map_err(|_| Error::run("expected two directions"))?;
        let merged = match self.merge {
            Merge::Concat => step.to.concat(&[a, b], if self.sequences() { 2 } else { 1 }),
            Merge::Sum => step.to.two("Add", &a, &b),
            Merge::Multiply => step.to.two("Mul", &a, &b),
            Merge::Average => {
                let sum = step.to.two("Add", &a, &b);
                step.to.with("Mul", &sum, 0.5)
            }
            Merge::Both => {
                let both = [a, b].map(|value| step.to.reshape(&value, &[0, -1]));
                step.to.concat(&both, 1)
            }
        };
        if self.merge != Merge::Both && !self.forward.outputs().1 {
            return Ok(merged);
        }
        let mut parts = vec![step.to.reshape(&merged, &[0, -1])];
        if self.forward.outputs().1 {
            parts.extend(a_states.into_iter().chain(b_states));
        }
        Ok(step.to.concat(&parts, 1))
    }

    fn compose(&self, inputs: &[Graph], weights: &[Graph], pass: &mut Pass) -> Result<Graph> {
        let rows = inputs[0].dim(0)?;
        let plan = self.plan(inputs[0].dim(1)?);
        let (first, second) = weights.split_at(self.forward.weight_count());
        let mut results = Vec::with_capacity(2);
        for (index, (layer, weights)) in self.both().into_iter().zip([first, second]).enumerate() {
            let mut own = Pass::new(pass.training, stream(&pass.random, index as u64, layer.seed()));
            let all = layer.compose(inputs, weights, &mut own)?.flatten_from(1)?;
            let output = plan.steps * plan.units[index];
            let mut y = all.narrow(1, 0, output)?.reshape((rows, plan.steps, plan.units[index]))?;
            if plan.turned[index] {
                let order: Vec<i64> = (0..plan.steps as i64).rev().collect();
                y = y.contiguous()?.index_select(&Graph::new(order.as_slice(), y.device())?, 1)?;
            }
            results.push((y, all.narrow(1, output, plan.states[index])?));
        }
        let [(a, a_states), (b, b_states)] =
            <[(Graph, Graph); 2]>::try_from(results).map_err(|_| Error::run("expected two directions"))?;
        let merged = match self.merge {
            Merge::Concat => Graph::cat(&[a, b], 2)?,
            Merge::Sum => a.add(&b)?,
            Merge::Multiply => a.mul(&b)?,
            Merge::Average => a.add(&b)?.affine(0.5, 0.0)?,
            Merge::Both => Graph::cat(&[a.flatten_from(1)?, b.flatten_from(1)?], 1)?,
        };
        let several = self.merge == Merge::Both || self.forward.outputs().1;
        match (several, self.sequences()) {
            (false, true) => Ok(merged),
            (false, false) => Ok(merged.squeeze(1)?),
            (true, _) => Ok(Graph::cat(&[merged.flatten_from(1)?, a_states, b_states], 1)?),
        }
    }

    fn kernel(&self, inputs: &[&[usize]]) -> Option<Box<dyn Kernel>> {
        Some(Box::new(Run {
            plan: self.plan(*inputs[0].first()?),
            weights: self.forward.weight_count(),
            seeds: [self.forward.seed(), self.backward.seed()],
            kernels: [self.forward.kernel(inputs)?, self.backward.kernel(inputs)?],
            outputs: Default::default(),
            gradients: Default::default(),
        }))
    }
}
