//! `MultiHeadAttention`: every step looks at the steps of a sequence, in several ways at once.
//!
//! Composed here by Candle's operations; [`run`] is the kernel.

mod axes;
mod onnx;
mod run;

use std::sync::Arc;

use serde_json::Value;

use crate::error::{Error, Result};
use crate::network::kernel::Kernel;
use crate::registry::{Arguments, Entry, Parameter, Type};
use crate::tensor::{Graph, graph};

use super::super::gradient::linear;
use super::super::{Bound, Initializer, Layer, Named, Pass, Regularizer, Shape, Symbol, Weight, shape, show_shape};
use super::attention::{Looks, masked_softmax};
use super::terms::{ACTIVITY_REGULARIZER, Terms, penalty, penalty_of, rule};
use super::{LayerEntry, NAME, SEED, TRAINABLE, factors, initializer, seed, weight};
use crate::network::onnx::Step;

pub(super) const MULTI_HEAD_ATTENTION: LayerEntry = LayerEntry {
    entry: Entry {
        name: "MultiHeadAttention",
        aliases: &[],
        doc: "Lets every step look at the steps of a sequence, in several ways (heads) at once (Vaswani and others, \
              2017).\n\n\
              For each head: weights = softmax(q · kᵀ / √key_dim), head = weights · v, where q, k and v are projections of \
              query, key and value; the output is a projection of all heads. The layer is a method of the query; \
              without `value` a sequence looks at itself, without `key` keys are made of the values.\n\n\
              Query `[batch, queries, in]`, value and key `[batch, keys, in]`, output `[batch, queries, in]`, or of the \
              length `output_shape`. Weights: `query/kernel` `[in, num_heads, key_dim]`, `query/bias` `[num_heads, \
              key_dim]`, the same for `key`, with `value_dim` for `value`; `attention_output/kernel` `[num_heads, value_dim, \
              out]`, `attention_output/bias` `[out]`. Masks of query, value and key are kept; a step that may look at \
              nothing gets weights of 0.\n\n\
              With `use_gate` the heads are multiplied by sigmoid(projection of the query) before they are projected (Qiu \
              and others, 2025). Its weights: `gate/kernel` `[in, num_heads, value_dim]`, `gate/bias`.\n\n\
              Of inputs with more axes, those of `attention_axes` are the steps; along the others sequences stand by \
              themselves, as records do.",
        parameters: &[
            Parameter::required("num_heads", Type::Int, "in how many ways steps look at each other, at least 1"),
            Parameter::required("key_dim", Type::Int, "the length of queries and keys, a head"),
            Parameter::optional("value_dim", Type::Int, "null", "the length of values, a head; `key_dim` when null"),
            Parameter::optional(
                "dropout",
                Type::Float,
                "0.0",
                "the fraction of weights dropped while training, from 0 to 1",
            ),
            SEED,
            Parameter::optional("use_bias", Type::Bool, "true", "whether the projections have biases"),
            Parameter::optional(
                "output_shape",
                Type::Ints,
                "null",
                "the length of the output, or its axes after the steps; those of the query when null",
            ),
            Parameter::optional(
                "attention_axes",
                Type::Ints,
                "null",
                "the axes that are steps, counted with the batch axis as 0; all between batch and last when null",
            ),
            Parameter::optional(
                "sliding_window",
                Type::Int,
                "null",
                "how near a step must be to be looked at, either way: 1 for a step itself only, at least 1; null for any",
            ),
            Parameter::optional("kernel_initializer", Type::Component, "\"glorot_uniform\"", "how the kernels start"),
            Parameter::optional("bias_initializer", Type::Component, "\"zeros\"", "how the biases start"),
            penalty("kernel_regularizer", "a penalty on each kernel"),
            penalty("bias_regularizer", "a penalty on each bias"),
            penalty(
                ACTIVITY_REGULARIZER.name,
                "a penalty on what each projection gives, divided by the number of records",
            ),
            rule("kernel_constraint", "a rule for each kernel"),
            rule("bias_constraint", "a rule for each bias"),
            Parameter::optional(
                "use_gate",
                Type::Bool,
                "false",
                "whether each step opens and shuts what heads found for it",
            ),
            Parameter::optional(
                "use_causal_mask",
                Type::Bool,
                "false",
                "whether a step looks at itself and those before it only",
            ),
            Parameter::optional(
                "return_attention_scores",
                Type::Bool,
                "false",
                "whether a script gets an array: the output and the weights `[batch, num_heads, queries, keys]`",
            ),
            Parameter::optional("value", Type::Any, "null", "in a script: the value that is looked at"),
            Parameter::optional("key", Type::Any, "null", "in a script: what keys are made of"),
            Parameter::optional(
                "attention_mask",
                Type::Any,
                "null",
                "in a script: a value of the network, `[batch, queries, keys]`, 0 where a step may not look at another",
            ),
            TRAINABLE,
            NAME,
        ],
        build: |a| Ok(Box::new(MultiHeadAttention::new(a)?)),
    },
    script_name: "multi_head_attention",
    positional: &["num_heads", "key_dim"],
    merges: false,
};

/// The layer, applied to certain inputs.
#[derive(Clone, Debug)]
struct MultiHeadAttention {
    own: Arc<Settings>,
    looks: Looks,
}

#[derive(Debug)]
struct Settings {
    heads: usize,
    key: usize,
    value: usize,
    /// The axes of the output after the steps.
    output: Option<Vec<usize>>,
    /// As they were given.
    axes: Option<Vec<i64>>,
    dropout: f64,
    seed: Option<u64>,
    use_bias: bool,
    gate: bool,
    scores: bool,
    kernel: Arc<dyn Initializer>,
    bias: Arc<dyn Initializer>,
    trainable: bool,
    terms: Terms,
    /// A penalty on what each projection gives.
    activity: Option<Arc<dyn Regularizer>>,
}

/// The projections.
const QUERY: usize = 0;
const KEY: usize = 1;
const VALUE: usize = 2;
const OUTPUT: usize = 3;
const GATE: usize = 4;

impl Settings {
    /// Where the kernel of a projection stands among the weights; a gate's comes after that of the key, as in Keras.
    fn kernel_at(&self, projection: usize) -> usize {
        let place = match (self.gate, projection) {
            (true, GATE) => 2,
            (true, VALUE | OUTPUT) => projection + 1,
            _ => projection,
        };
        if self.use_bias { 2 * place } else { place }
    }
}

/// The numbers of a record, as far as they are known.
struct Lengths {
    queries: Option<usize>,
    keys: Option<usize>,
    /// Of the query, the value and the key.
    inputs: [usize; 3],
    output: Vec<usize>,
}

impl Lengths {
    /// The shape of the output.
    fn out(&self) -> Shape {
        std::iter::once(self.queries).chain(self.output.iter().copied().map(Some)).collect()
    }
}

/// A parameter of whole numbers, if it is given.
fn whole(a: &Arguments, name: &str) -> Option<Vec<i64>> {
    match a.value(name) {
        Value::Null => None,
        Value::Array(items) => Some(items.iter().filter_map(Value::as_i64).collect()),
        value => Some(value.as_i64().into_iter().collect()),
    }
}

fn output(a: &Arguments) -> Result<Option<Vec<usize>>> {
    let Some(lengths) = whole(a, "output_shape") else { return Ok(None) };
    let lengths: Option<Vec<usize>> =
        lengths.iter().map(|&length| usize::try_from(length).ok().filter(|length| *length > 0)).collect();
    match lengths.filter(|lengths| !lengths.is_empty()) {
        Some(lengths) => Ok(Some(lengths)),
        None => Err(a.refuse("output_shape", "a whole number of at least 1, or a list of such numbers")),
    }
}

impl MultiHeadAttention {
    fn new(a: &Arguments) -> Result<Self> {
        let key = a.at_least("key_dim", 1)?;
        let window = if a.is_null("sliding_window") { None } else { Some(a.at_least("sliding_window", 1)?) };
        let own = Settings {
            heads: a.at_least("num_heads", 1)?,
            key,
            value: if a.is_null("value_dim") { key } else { a.at_least("value_dim", 1)? },
            output: output(a)?,
            axes: whole(a, "attention_axes"),
            dropout: a.within("dropout", 0.0, 1.0)?,
            seed: seed(a),
            use_bias: a.bool("use_bias"),
            gate: a.bool("use_gate"),
            scores: a.bool("return_attention_scores"),
            kernel: initializer(a, "kernel_initializer")?,
            bias: initializer(a, "bias_initializer")?,
            trainable: a.bool("trainable"),
            terms: Terms::new(a, &[("kernel", "kernel"), ("bias", "bias")])?,
            activity: penalty_of(a, ACTIVITY_REGULARIZER.name)?,
        };
        if own.activity.as_ref().is_some_and(|activity| !activity.is_sum()) {
            return Err(
                a.refuse(ACTIVITY_REGULARIZER.name, "`L1`, `L2` or `L1L2`: projections have more than two axes")
            );
        }
        Ok(MultiHeadAttention { own: Arc::new(own), looks: Looks { window, ..Looks::new(a.bool("use_causal_mask")) } })
    }

    fn lengths(&self, inputs: &[Shape]) -> Result<Lengths> {
        let of = |index: usize| {
            let input = inputs.get(index..=index).unwrap_or(&[]);
            let input = shape::single_of_rank(input, 2, "steps, in")?;
            Ok::<_, Error>((input[0], shape::last_axis(input)?))
        };
        let (query, value, key) = (of(0)?, of(self.looks.value)?, of(self.looks.key)?);
        if value.0.zip(key.0).is_some_and(|(value, key)| value != key) {
            let (value, key) = (show_shape(&inputs[self.looks.value]), show_shape(&inputs[self.looks.key]));
            return Err(Error::recipe(format!("expected as many keys as values, found {key} and {value}")));
        }
        self.looks.check(inputs, query.0, value.0)?;
        Ok(Lengths {
            queries: query.0,
            keys: value.0.or(key.0),
            inputs: [query.1, value.1, key.1],
            output: self.own.output.clone().unwrap_or(vec![query.1]),
        })
    }

    /// The kernel and bias of a projection.
    fn projection<'a>(&self, weights: &'a [Graph], index: usize) -> (&'a Graph, Option<&'a Graph>) {
        let at = self.own.kernel_at(index);
        (&weights[at], self.own.use_bias.then(|| &weights[at + 1]))
    }

    /// Puts the penalty on what a projection gives.
    fn penalise(&self, projected: &Graph, rows: usize, pass: &mut Pass) -> Result<()> {
        if let Some(activity) = &self.own.activity {
            pass.penalties.push(activity.compose(projected)?.affine(1.0 / rows.max(1) as f64, 0.0)?);
        }
        Ok(())
    }
}

impl Layer for MultiHeadAttention {
    fn kind(&self) -> &'static str {
        "MultiHeadAttention"
    }

    fn named(&self) -> &'static [&'static str] {
        &["value", "key", "attention_mask"]
    }

    fn bind(&self, inputs: &[Symbol], named: &Named<'_>) -> Result<Option<Bound>> {
        let (looks, inputs) = self.looks.bind(inputs, named)?;
        let plain = MultiHeadAttention { own: Arc::clone(&self.own), looks };
        let rank = inputs.first().map_or(0, |query| query.shape().len() + 1);
        let layer: Arc<dyn Layer> = match axes::OverAxes::new(&plain, rank)? {
            Some(over) => Arc::new(over),
            None => Arc::new(plain),
        };
        Ok(Some(Bound { layer, inputs }))
    }

    fn keeps_mask(&self) -> bool {
        true
    }

    fn parts(&self, inputs: &[Shape]) -> Result<Vec<Shape>> {
        let lengths = self.lengths(inputs)?;
        if !self.own.scores {
            return Ok(Vec::new());
        }
        if lengths.queries.is_none() || lengths.keys.is_none() {
            return Err(Error::recipe("`return_attention_scores` needs sequences of known length"));
        }
        Ok(vec![lengths.out(), vec![Some(self.own.heads), lengths.queries, lengths.keys]])
    }

    fn output_shape(&self, inputs: &[Shape]) -> Result<Shape> {
        let lengths = self.lengths(inputs)?;
        match self.own.scores {
            false => Ok(lengths.out()),
            true => {
                let count = |parts: &Shape| shape::count(parts);
                let counts: Vec<Option<usize>> = self.parts(inputs)?.iter().map(count).collect::<Result<_>>()?;
                Ok(vec![counts.into_iter().sum()])
            }
        }
    }

    fn weights(&self, inputs: &[Shape]) -> Result<Vec<Weight>> {
        let Settings { heads, key, value, use_bias, trainable, gate, .. } = *self.own;
        let Lengths { inputs: [query_in, value_in, key_in], output, .. } = self.lengths(inputs)?;
        let mut weights = Vec::with_capacity(10);
        let (query, keys) = (("query", query_in, key), ("key", key_in, key));
        let gate = gate.then_some(("gate", query_in, value));
        for (name, length, width) in [query, keys].into_iter().chain(gate).chain([("value", value_in, value)]) {
            weights.push(weight(format!("{name}/kernel"), vec![length, heads, width], &self.own.kernel, trainable)?);
            if use_bias {
                weights.push(weight(format!("{name}/bias"), vec![heads, width], &self.own.bias, trainable)?);
            }
        }
        let last = [&[heads, value], &*output].concat();
        weights.push(weight("attention_output/kernel", last, &self.own.kernel, trainable)?);
        if use_bias {
            weights.push(weight("attention_output/bias", output, &self.own.bias, trainable)?);
        }
        self.own.terms.on(weights)
    }

    fn seed(&self) -> Option<u64> {
        self.own.seed
    }

    fn penalises(&self) -> bool {
        self.own.activity.is_some()
    }

    fn onnx(&self, step: &mut Step<'_>) -> Result<String> {
        onnx::write(self, step)
    }

    fn compose(&self, inputs: &[Graph], weights: &[Graph], pass: &mut Pass) -> Result<Graph> {
        let Settings { heads, key, value, .. } = *self.own;
        let (rows, queries, _) = inputs[0].dims3()?;
        let keys = inputs[self.looks.value].dim(1)?;
        let flat = |x: &Graph, index: usize, width: usize| {
            let (kernel, bias) = self.projection(weights, index);
            let (length, wide) = (x.dim(x.rank() - 1)?, width * heads);
            let bias = bias.map(|bias| bias.reshape(wide)).transpose()?;
            let all = linear(&x.reshape(((), length))?.contiguous()?, &kernel.reshape((length, wide))?, bias.as_ref())?;
            Ok::<_, Error>(all.reshape((rows, (), heads, width))?)
        };
        let by_heads = |x: Graph| Ok::<_, Error>(x.transpose(1, 2)?.contiguous()?);
        let gate = match self.own.gate {
            true => Some(graph::sigmoid(&flat(&inputs[0], GATE, value)?)?),
            false => None,
        };
        let (q, k) = (flat(&inputs[0], QUERY, key)?, flat(&inputs[self.looks.key], KEY, key)?);
        let v = flat(&inputs[self.looks.value], VALUE, value)?;
        for projected in gate.iter().chain([&q, &k, &v]) {
            self.penalise(projected, rows, pass)?;
        }
        let q = by_heads(q)?.affine(1.0 / (key as f64).sqrt(), 0.0)?;
        let (k, v) = (by_heads(k)?, by_heads(v)?);
        let scores = q.matmul(&k.transpose(2, 3)?.contiguous()?)?;
        let mask = self.looks.mask(inputs, queries, keys, &scores)?;
        let scores = masked_softmax(&scores, mask.map(|mask| mask.unsqueeze(1)).transpose()?.as_ref())?;
        let kept = match pass.training && self.own.dropout > 0.0 {
            true => scores.mul(&factors::factors(scores.dims(), self.own.dropout, &mut pass.random, &scores)?)?,
            false => scores.clone(),
        };
        let gathered = by_heads(kept.matmul(&v)?)?;
        let gathered = gate.map_or(Ok(gathered.clone()), |gate| gathered.mul(&gate))?;
        let gathered = gathered.reshape((rows * queries, heads * value))?;
        let (kernel, bias) = self.projection(weights, OUTPUT);
        let lengths = kernel.dims()[2..].to_vec();
        let output = lengths.iter().product::<usize>();
        let bias = bias.map(|bias| bias.reshape(output)).transpose()?;
        let out = linear(&gathered, &kernel.reshape((heads * value, output))?, bias.as_ref())?;
        self.penalise(&out, rows, pass)?;
        match self.own.scores {
            false => Ok(out.reshape([&[rows, queries], &*lengths].concat())?),
            true => Ok(Graph::cat(&[out.reshape((rows, queries * output))?, scores.flatten_from(1)?], 1)?),
        }
    }

    fn kernel(&self, inputs: &[&[usize]]) -> Option<Box<dyn Kernel>> {
        if self.penalises() {
            return None;
        }
        Some(Box::new(run::Run::new(self, inputs)?))
    }
}
