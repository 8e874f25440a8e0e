//! `SimpleRNN`, `LSTM` and `GRU`: one step after the other, with states.
//!
//! The three differ in their gates only; parameters, shapes, masks and states are here, [`compose`] computes them
//! step by step by Candle's operations, [`run`] over the whole sequence on a CPU.

mod buffers;
mod compose;
mod onnx;
mod parameters;
mod run;

pub(super) use onnx::Written;

use std::sync::Arc;

use crate::error::{Error, Result};
use crate::kernel::curve::Curve;
use crate::kernel::recurrent::lstm::Curves;
use crate::network::kernel::Kernel;
use crate::network::onnx::Step;
use crate::random::Random;
use crate::registry::{Arguments, Entry, Params};
use crate::tensor::Graph;

use super::super::{Activation, Bound, Initializer, Layer, Named, Pass, Shape, Symbol, Weight, shape, show_shape};
use super::terms::Terms;
use super::{LayerEntry, activation, initializer, seed, weight};

pub(super) const SIMPLE_RNN: LayerEntry = LayerEntry {
    entry: Entry {
        name: "SimpleRNN",
        aliases: &[],
        doc: "Goes through the steps of a sequence with one state: h' = activation(x · kernel + h · recurrent_kernel + \
              bias).\n\n\
              Input `[batch, steps, in]`, output `[batch, units]`, the last state, or `[batch, steps, units]` with \
              `return_sequences`. Weights: `kernel` `[in, units]`, `recurrent_kernel` `[units, units]`, `bias` `[units]`. \
              Steps that a mask leaves out keep the state before.",
        parameters: parameters::SIMPLE_RNN,
        build: |a| Ok(Box::new(Recurrent::new(a, Cell::Simple)?)),
    },
    script_name: "simple_rnn",
    positional: &["units"],
    merges: false,
};

pub(super) const LSTM: LayerEntry = LayerEntry {
    entry: Entry {
        name: "LSTM",
        aliases: &[],
        doc: "Goes through the steps of a sequence with a state h and a cell c that gates guard (Hochreiter and \
              Schmidhuber, 1997).\n\n\
              i, f, o = recurrent_activation(x · W + h · U + b), g = activation(x · W + h · U + b), c' = f · c + i · g, \
              h' = o · activation(c').\n\n\
              Input `[batch, steps, in]`, output `[batch, units]`, the last h, or `[batch, steps, units]` with \
              `return_sequences`. Weights, for i, f, g and o side by side: `kernel` `[in, 4 · units]`, `recurrent_kernel` \
              `[units, 4 · units]`, `bias` `[4 · units]`. Steps that a mask leaves out keep the states before.",
        parameters: parameters::LSTM,
        build: |a| Ok(Box::new(Recurrent::new(a, Cell::Lstm)?)),
    },
    script_name: "lstm",
    positional: &["units"],
    merges: false,
};

pub(super) const GRU: LayerEntry = LayerEntry {
    entry: Entry {
        name: "GRU",
        aliases: &[],
        doc: "Goes through the steps of a sequence with a state h that gates update and reset (Cho and others, 2014).\n\n\
              z, r = recurrent_activation(x · W + h · U + b), n = activation(x · W + b + r · (h · U + b')), h' = z · h + \
              (1 - z) · n; with `reset_after: false`, n = activation(x · W + b + (r · h) · U).\n\n\
              Input `[batch, steps, in]`, output `[batch, units]`, the last h, or `[batch, steps, units]` with \
              `return_sequences`. Weights, for z, r and n side by side: `kernel` `[in, 3 · units]`, `recurrent_kernel` \
              `[units, 3 · units]`, `bias` `[2, 3 · units]` (of the input and of the state), or `[3 · units]` with \
              `reset_after: false`. Steps that a mask leaves out keep the state before.",
        parameters: parameters::GRU,
        build: |a| Ok(Box::new(Recurrent::new(a, Cell::Gru { reset_after: a.bool("reset_after") })?)),
    },
    script_name: "gru",
    positional: &["units"],
    merges: false,
};

/// What happens in one step.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Cell {
    Simple,
    Lstm,
    Gru { reset_after: bool },
}

impl Cell {
    /// How many sums of `units` numbers a step has.
    fn gates(self) -> usize {
        match self {
            Cell::Simple => 1,
            Cell::Lstm => 4,
            Cell::Gru { .. } => 3,
        }
    }

    fn states(self) -> usize {
        if self == Cell::Lstm { 2 } else { 1 }
    }
}

/// A recurrent layer, applied to certain inputs.
#[derive(Clone, Debug)]
pub(super) struct Recurrent {
    own: Arc<Settings>,
    /// Whether inputs after the first are the states before the first step.
    started: bool,
    /// Whether the last input is a mask.
    masked: bool,
    /// Whether steps that a mask leaves out give 0; in `Bidirectional` they do.
    zero_output_for_mask: bool,
    go_backwards: bool,
}

#[derive(Debug)]
struct Settings {
    cell: Cell,
    units: usize,
    activation: Box<dyn Activation>,
    gate: Box<dyn Activation>,
    /// The same as the kernel knows them, if it does.
    curves: Option<Curves>,
    use_bias: bool,
    kernel: Arc<dyn Initializer>,
    recurrent: Arc<dyn Initializer>,
    bias: Arc<dyn Initializer>,
    dropout: f64,
    recurrent_dropout: f64,
    seed: Option<u64>,
    return_sequences: bool,
    return_state: bool,
    trainable: bool,
    terms: Terms,
}

impl Recurrent {
    fn new(a: &Arguments, cell: Cell) -> Result<Self> {
        if a.bool("stateful") {
            return Err(a
                .refuse("stateful", "false")
                .hint("states do not go from batch to batch: records are shuffled, and a run resumes anywhere"));
        }
        let gates = cell != Cell::Simple;
        let gate = if gates { "recurrent_activation" } else { "activation" };
        let bias = initializer(a, "bias_initializer")?;
        let own = Settings {
            cell,
            units: a.at_least("units", 1)?,
            activation: activation(a, "activation")?,
            gate: activation(a, gate)?,
            curves: curve(a, "activation").zip(curve(a, gate)).map(|(state, gate)| Curves { state, gate }),
            use_bias: a.bool("use_bias"),
            kernel: initializer(a, "kernel_initializer")?,
            recurrent: initializer(a, "recurrent_initializer")?,
            bias: if a.bool("unit_forget_bias") { Arc::new(ForgetBias(bias)) } else { bias },
            dropout: a.within("dropout", 0.0, 1.0)?,
            recurrent_dropout: a.within("recurrent_dropout", 0.0, 1.0)?,
            seed: seed(a),
            return_sequences: a.bool("return_sequences"),
            return_state: a.bool("return_state"),
            trainable: a.bool("trainable"),
            terms: Terms::new(a, &[("kernel", "kernel"), ("recurrent", "recurrent_kernel"), ("bias", "bias")])?,
        };
        let zero_output_for_mask = a.bool("zero_output_for_mask") && own.return_sequences;
        let go_backwards = a.bool("go_backwards");
        Ok(Recurrent { own: Arc::new(own), started: false, masked: false, zero_output_for_mask, go_backwards })
    }

    /// Makes one of the three by its name, for a layer around it.
    pub(super) fn of_kind(kind: &str, params: &Params) -> Result<Self> {
        let entry = super::find(kind)?;
        let gru = |a: &Arguments| Cell::Gru { reset_after: a.bool("reset_after") };
        let cell: fn(&Arguments) -> Cell = match entry.entry.name {
            "SimpleRNN" => |_| Cell::Simple,
            "LSTM" => |_| Cell::Lstm,
            "GRU" => gru,
            other => {
                return Err(Error::recipe(format!("expected a recurrent layer, found `{other}`"))
                    .hint("`LSTM`, `GRU` or `SimpleRNN`"));
            }
        };
        let arguments = Arguments::check(entry.entry.name, entry.entry.parameters, params)?;
        Recurrent::new(&arguments, cell(&arguments)).map_err(|error| error.within(format!("`{}`", entry.entry.name)))
    }

    /// Returns the layer going the other way.
    pub(super) fn reversed(&self) -> Self {
        Recurrent { go_backwards: !self.go_backwards, ..self.clone() }
    }

    /// Returns the layer as it is inside of `Bidirectional`: steps that a mask leaves out give 0 in a sequence.
    pub(super) fn within_bidirectional(self) -> Self {
        Recurrent { zero_output_for_mask: self.own.return_sequences, ..self }
    }

    /// Returns the layer for an input with a mask after it.
    pub(super) fn masked(&self) -> Self {
        Recurrent { masked: true, ..self.clone() }
    }

    /// Returns whether it goes backwards.
    pub(super) fn is_backwards(&self) -> bool {
        self.go_backwards
    }

    /// Returns whether its output has all steps, and whether the states come with it.
    pub(super) fn outputs(&self) -> (bool, bool) {
        (self.own.return_sequences, self.own.return_state)
    }

    /// Returns the length of a state.
    pub(super) fn units(&self) -> usize {
        self.own.units
    }

    /// Writes the layer as nodes of ONNX.
    ///
    /// # Errors
    /// As [`Layer::onnx`].
    pub(super) fn written(&self, step: &mut Step<'_>) -> Result<Written> {
        onnx::both(self, step)
    }

    /// Returns the number of weights.
    pub(super) fn weight_count(&self) -> usize {
        if self.own.use_bias { 3 } else { 2 }
    }

    /// Returns the number of states.
    pub(super) fn states(&self) -> usize {
        self.own.cell.states()
    }

    /// Steps and length of the input.
    fn input<'a>(&self, inputs: &'a [Shape]) -> Result<&'a Shape> {
        let (input, rest) = inputs.split_first().ok_or_else(|| Error::recipe("expected an input, found none"))?;
        let input = shape::single_of_rank(std::slice::from_ref(input), 2, "steps, in")?;
        if input[0] == Some(0) {
            return Err(Error::recipe("expected at least one step, found 0"));
        }
        let states = if self.started { self.states() } else { 0 };
        for state in &rest[..states.min(rest.len())] {
            if *state != [Some(self.own.units)] {
                let (units, found) = (self.own.units, show_shape(state));
                return Err(Error::recipe(format!("`initial_state`: expected shape [{units}], found {found}")));
            }
        }
        match rest.len() == states + usize::from(self.masked) {
            true => Ok(input),
            false => Err(Error::recipe(format!("expected one input, found {}", inputs.len()))
                .hint("states before the first step are given by name: `initial_state`")),
        }
    }
}

impl Layer for Recurrent {
    fn kind(&self) -> &'static str {
        match self.own.cell {
            Cell::Simple => "SimpleRNN",
            Cell::Lstm => "LSTM",
            Cell::Gru { .. } => "GRU",
        }
    }

    fn named(&self) -> &'static [&'static str] {
        &["initial_state"]
    }

    fn bind(&self, inputs: &[Symbol], named: &Named<'_>) -> Result<Option<Bound>> {
        let mut all = inputs.to_vec();
        let mut layer = self.clone();
        if let Some((_, states)) = named.first() {
            if states.len() != self.states() {
                let (expected, found) = (self.states(), states.len());
                let hint = if expected == 2 { "h and c: `initial_state: [h, c]`" } else { "`initial_state: h`" };
                return Err(
                    Error::recipe(format!("`initial_state`: expected {expected}, found {found}")).hint(hint.to_owned())
                );
            }
            layer.started = true;
            all.extend(states.iter().cloned());
        }
        if let Some(mask) = inputs.first().and_then(Symbol::mask) {
            layer.masked = true;
            all.push(mask.clone());
        }
        Ok((layer.started || layer.masked).then(|| Bound { layer: Arc::new(layer), inputs: all }))
    }

    fn keeps_mask(&self) -> bool {
        self.own.return_sequences
    }

    fn parts(&self, inputs: &[Shape]) -> Result<Vec<Shape>> {
        let (steps, units) = (self.input(inputs)?[0], Some(self.own.units));
        if !self.own.return_state {
            return Ok(Vec::new());
        }
        let output = if self.own.return_sequences { vec![steps, units] } else { vec![units] };
        Ok(std::iter::once(output).chain(vec![vec![units]; self.states()]).collect())
    }

    fn output_shape(&self, inputs: &[Shape]) -> Result<Shape> {
        let (steps, units) = (self.input(inputs)?[0], self.own.units);
        let all = |outputs: Option<usize>| Some((outputs? + self.states()) * units);
        Ok(match (self.own.return_sequences, self.own.return_state) {
            (false, false) => vec![Some(units)],
            (true, false) => vec![steps, Some(units)],
            (false, true) => vec![all(Some(1))],
            (true, true) => vec![all(steps)],
        })
    }

    fn weights(&self, inputs: &[Shape]) -> Result<Vec<Weight>> {
        let Settings { cell, units, trainable, .. } = *self.own;
        let length = shape::last_axis(self.input(inputs)?)?;
        let wide = cell.gates().saturating_mul(units);
        let mut weights = vec![
            weight("kernel", vec![length, wide], &self.own.kernel, trainable)?,
            weight("recurrent_kernel", vec![units, wide], &self.own.recurrent, trainable)?,
        ];
        if self.own.use_bias {
            let shape = if cell == (Cell::Gru { reset_after: true }) { vec![2, wide] } else { vec![wide] };
            weights.push(weight("bias", shape, &self.own.bias, trainable)?);
        }
        self.own.terms.on(weights)
    }

    fn seed(&self) -> Option<u64> {
        self.own.seed
    }

    fn onnx(&self, step: &mut Step<'_>) -> Result<String> {
        onnx::write(self, step)
    }

    fn compose(&self, inputs: &[Graph], weights: &[Graph], pass: &mut Pass) -> Result<Graph> {
        compose::compose(self, inputs, weights, pass)
    }

    fn kernel(&self, inputs: &[&[usize]]) -> Option<Box<dyn Kernel>> {
        let &[steps, length] = inputs[0] else { return None };
        Some(Box::new(run::Run::new(self, steps, length)?))
    }
}

/// Returns the activation as the kernel knows it.
fn curve(a: &Arguments, name: &str) -> Option<Curve> {
    a.value(name).as_str().and_then(Curve::named)
}

/// The bias of an LSTM: that of the forget gate starts at 1, so that cells keep at first (Józefowicz and others, 2015).
#[derive(Debug)]
struct ForgetBias(Arc<dyn Initializer>);

impl Initializer for ForgetBias {
    fn values(&self, shape: &[usize], random: &mut Random) -> Vec<f32> {
        let units = shape.iter().product::<usize>() / 4;
        let mut values = self.0.values(&[units], random);
        values.resize(2 * units, 1.0);
        values.extend(self.0.values(&[2 * units], random));
        values
    }
}
