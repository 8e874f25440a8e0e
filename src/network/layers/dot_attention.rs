//! `Attention` and `AdditiveAttention`: one sequence looks at another, without projections.

use std::sync::Arc;

use crate::error::{Error, Result};
use crate::registry::{Arguments, Entry, Parameter, Type};
use crate::tensor::Graph;

use super::super::onnx::Step;
use super::super::{Bound, Initializer, Layer, Named, Pass, Shape, Symbol, Weight, shape, show_shape};
use super::attention::{Looks, far_onnx, masked_softmax_onnx, softmax};
use super::{LayerEntry, NAME, SEED, TRAINABLE, factors, seed, weight};

pub(super) const ATTENTION: LayerEntry = LayerEntry {
    entry: Entry {
        name: "Attention",
        aliases: &[],
        doc: "Lets each step of a query look at the steps of a value (Luong, Pham and Manning, 2015): softmax(query · keyᵀ) \
              · value.\n\n\
              Inputs `[query, value]` or `[query, value, key]`: `[batch, queries, length]`, `[batch, keys, length]` twice; \
              output `[batch, queries, length]`. Weights: `scale` `[]` with `use_scale`, `concat_score_weight` `[]` with \
              `score_mode: \"concat\"`. Steps that the value's mask leaves out are not looked at; those of the query's mask \
              give 0.",
        parameters: &[
            Parameter::optional("use_scale", Type::Bool, "false", "whether scores are multiplied by a weight"),
            Parameter::optional(
                "score_mode",
                Type::Text,
                "\"dot\"",
                "`dot`: the product of query and key; `concat`: a weight times the sum of tanh(query + key)",
            ),
            DROPOUT,
            SEED,
            CAUSAL,
            SCORES,
            TRAINABLE,
            NAME,
        ],
        build: |a| {
            let mode = match a.choice("score_mode", &["dot", "concat"])? {
                "dot" => Mode::Dot,
                _ => Mode::Concat,
            };
            Ok(Box::new(Attention::new(a, mode)?))
        },
    },
    script_name: "attention",
    positional: &[],
    merges: true,
};

pub(super) const ADDITIVE_ATTENTION: LayerEntry = LayerEntry {
    entry: Entry {
        name: "AdditiveAttention",
        aliases: &[],
        doc: "Lets each step of a query look at the steps of a value (Bahdanau, Cho and Bengio, 2015): softmax(Σ scale · \
              tanh(query + key)) · value.\n\n\
              Inputs `[query, value]` or `[query, value, key]`: `[batch, queries, length]`, `[batch, keys, length]` twice; \
              output `[batch, queries, length]`. Weights: `scale` `[length]` with `use_scale`. Steps that the value's mask \
              leaves out are not looked at; those of the query's mask give 0.",
        parameters: &[
            Parameter::optional("use_scale", Type::Bool, "true", "whether each place of the sum has a weight"),
            DROPOUT,
            SEED,
            CAUSAL,
            SCORES,
            TRAINABLE,
            NAME,
        ],
        build: |a| Ok(Box::new(Attention::new(a, Mode::Additive)?)),
    },
    script_name: "additive_attention",
    positional: &[],
    merges: true,
};

const DROPOUT: Parameter =
    Parameter::optional("dropout", Type::Float, "0.0", "the fraction of weights dropped while training, from 0 to 1");
const CAUSAL: Parameter = Parameter::optional(
    "use_causal_mask",
    Type::Bool,
    "false",
    "whether a step looks at itself and those before it only",
);
const SCORES: Parameter = Parameter::optional(
    "return_attention_scores",
    Type::Bool,
    "false",
    "whether a script gets an array: the output and the weights `[batch, queries, keys]`",
);

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Mode {
    Dot,
    Concat,
    Additive,
}

/// The layer, applied to certain inputs.
#[derive(Clone, Debug)]
struct Attention {
    mode: Mode,
    use_scale: bool,
    dropout: f64,
    seed: Option<u64>,
    scores: bool,
    trainable: bool,
    looks: Looks,
}

/// Queries and keys, as far as they are known, and the lengths of query and value.
type Lengths = ([Option<usize>; 2], [usize; 2]);

impl Attention {
    fn new(a: &Arguments, mode: Mode) -> Result<Self> {
        Ok(Attention {
            mode,
            use_scale: a.bool("use_scale"),
            dropout: a.within("dropout", 0.0, 1.0)?,
            seed: seed(a),
            scores: a.bool("return_attention_scores"),
            trainable: a.bool("trainable"),
            looks: Looks::new(a.bool("use_causal_mask")),
        })
    }

    fn lengths(&self, inputs: &[Shape]) -> Result<Lengths> {
        let of = |index: usize| {
            let input = shape::single_of_rank(inputs.get(index..=index).unwrap_or(&[]), 2, "steps, length")?;
            Ok::<_, Error>((input[0], shape::last_axis(input)?))
        };
        let (query, value, key) = (of(0)?, of(self.looks.value)?, of(self.looks.key)?);
        if query.1 != key.1 || value.0.zip(key.0).is_some_and(|(value, key)| value != key) {
            let shapes = [0, self.looks.value, self.looks.key].map(|index| show_shape(&inputs[index]));
            return Err(Error::recipe(format!(
                "expected a query and a key of one length and as many keys as values, found query {}, value {} and key {}",
                shapes[0], shapes[1], shapes[2]
            )));
        }
        self.looks.check(inputs, query.0, value.0)?;
        Ok(([query.0, value.0.or(key.0)], [query.1, value.1]))
    }

    fn score(&self, q: &Graph, k: &Graph, weights: &[Graph]) -> Result<Graph> {
        let scale = weights.first().filter(|_| self.use_scale);
        if self.mode == Mode::Dot {
            let scores = q.contiguous()?.matmul(&k.transpose(1, 2)?.contiguous()?)?;
            return Ok(scale.map_or(Ok(scores.clone()), |scale| scores.broadcast_mul(scale))?);
        }
        let mut sum = q.unsqueeze(2)?.broadcast_add(&k.unsqueeze(1)?)?;
        if self.mode == Mode::Concat
            && let Some(scale) = scale
        {
            sum = sum.broadcast_mul(scale)?;
        }
        let mut curved = sum.tanh()?;
        if self.mode == Mode::Additive
            && let Some(scale) = scale
        {
            curved = curved.broadcast_mul(scale)?;
        }
        let scores = curved.sum(3)?;
        match weights.last().filter(|_| self.mode == Mode::Concat) {
            Some(weight) => Ok(scores.broadcast_mul(weight)?),
            None => Ok(scores),
        }
    }
}

impl Layer for Attention {
    fn kind(&self) -> &'static str {
        if self.mode == Mode::Additive { "AdditiveAttention" } else { "Attention" }
    }

    fn bind(&self, inputs: &[Symbol], named: &Named<'_>) -> Result<Option<Bound>> {
        if inputs.len() < 2 {
            return Err(Error::recipe(format!("expected query and value, found {} value", inputs.len()))
                .hint("a sequence looks at itself as `[x, x]`"));
        }
        let (looks, inputs) = self.looks.bind(inputs, named)?;
        Ok(Some(Bound { layer: Arc::new(Attention { looks, ..self.clone() }), inputs }))
    }

    fn seed(&self) -> Option<u64> {
        self.seed
    }

    fn keeps_mask(&self) -> bool {
        true
    }

    fn parts(&self, inputs: &[Shape]) -> Result<Vec<Shape>> {
        let ([queries, keys], [_, length]) = self.lengths(inputs)?;
        match (self.scores, queries, keys) {
            (false, ..) => Ok(Vec::new()),
            (true, Some(_), Some(_)) => Ok(vec![vec![queries, Some(length)], vec![queries, keys]]),
            _ => Err(Error::recipe("`return_attention_scores` needs sequences of known length")),
        }
    }

    fn output_shape(&self, inputs: &[Shape]) -> Result<Shape> {
        let ([queries, keys], [_, length]) = self.lengths(inputs)?;
        match self.scores {
            false => Ok(vec![queries, Some(length)]),
            true => {
                Ok(vec![queries.zip(keys).and_then(|(queries, keys)| queries.checked_mul(length.checked_add(keys)?))])
            }
        }
    }

    fn weights(&self, inputs: &[Shape]) -> Result<Vec<Weight>> {
        let (_, [length, _]) = self.lengths(inputs)?;
        let start = |name: &str| -> Result<Arc<dyn Initializer>> {
            super::super::initializer::from_value(&serde_json::Value::from(name))
        };
        let mut weights = Vec::with_capacity(2);
        if self.use_scale {
            weights.push(match self.mode {
                Mode::Additive => weight("scale", vec![length], &start("glorot_uniform")?, self.trainable)?,
                _ => weight("scale", vec![], &start("ones")?, self.trainable)?,
            });
        }
        if self.mode == Mode::Concat {
            weights.push(weight("concat_score_weight", vec![], &start("ones")?, self.trainable)?);
        }
        Ok(weights)
    }

    fn onnx(&self, step: &mut Step<'_>) -> Result<String> {
        let (q, v, k) = (step.x(0), step.x(self.looks.value), step.x(self.looks.key));
        let scale = self.use_scale.then(|| step.weight(0));
        let scores = match self.mode {
            Mode::Dot => {
                let turned = step.to.transpose(&k, &[0, 2, 1]);
                let scores = step.to.two("MatMul", &q, &turned);
                scale.map_or(scores.clone(), |scale| step.to.two("Mul", &scores, &scale))
            }
            mode => {
                let (q, k) = (step.to.unsqueeze(&q, &[2]), step.to.unsqueeze(&k, &[1]));
                let mut sum = step.to.two("Add", &q, &k);
                if let (Some(scale), Mode::Concat) = (&scale, mode) {
                    sum = step.to.two("Mul", &sum, scale);
                }
                let mut curved = step.to.one("Tanh", &sum);
                if let (Some(scale), Mode::Additive) = (&scale, mode) {
                    curved = step.to.two("Mul", &curved, scale);
                }
                let scores = step.to.sum(&curved, &[3], false);
                match mode {
                    Mode::Concat => {
                        let factor = step.weight(usize::from(self.use_scale));
                        step.to.two("Mul", &scores, &factor)
                    }
                    _ => scores,
                }
            }
        };
        let hides = Looks { query_mask: None, key_mask: None, pairs: None, ..self.looks };
        let hidden = match hides.mask_onnx(step) {
            Some(mask) => {
                let far = far_onnx(step.to, &mask);
                step.to.two("Add", &scores, &far)
            }
            None => scores,
        };
        let chosen = masked_softmax_onnx(step.to, &hidden, None);
        let mut out = step.to.two("MatMul", &chosen, &v);
        if let Some(place) = self.looks.query_mask {
            let mask = step.x(place);
            let mask = step.to.differs(&mask, 0.0);
            let mask = step.to.unsqueeze(&mask, &[2]);
            out = step.to.two("Mul", &out, &mask);
        }
        if !self.scores {
            return Ok(out);
        }
        let both = [out, chosen].map(|value| step.to.reshape(&value, &[0, -1]));
        Ok(step.to.concat(&both, 1))
    }

    fn compose(&self, inputs: &[Graph], weights: &[Graph], pass: &mut Pass) -> Result<Graph> {
        let (q, v, k) = (&inputs[0], &inputs[self.looks.value], &inputs[self.looks.key]);
        let (queries, keys) = (q.dim(1)?, k.dim(1)?);
        let mut scores = self.score(q, k, weights)?;
        // As Keras: masks of value and order hide scores behind a large number, that of the query sets results to 0.
        let hides = Looks { query_mask: None, key_mask: None, pairs: None, ..self.looks };
        if let Some(mask) = hides.mask(inputs, queries, keys, &scores)? {
            scores = scores.broadcast_add(&mask.affine(1e9, -1e9)?)?;
        }
        let chosen = softmax(&scores)?;
        let kept = match pass.training && self.dropout > 0.0 {
            true => chosen.mul(&factors::factors(chosen.dims(), self.dropout, &mut pass.random, &chosen)?)?,
            false => chosen.clone(),
        };
        let mut out = kept.matmul(&v.contiguous()?)?;
        if let Some(place) = self.looks.query_mask {
            let mask = inputs[place].detach().ne(0.0)?.to_dtype(out.dtype())?;
            out = out.broadcast_mul(&mask.unsqueeze(2)?)?;
        }
        match self.scores {
            false => Ok(out),
            true => Ok(Graph::cat(&[out.flatten_from(1)?, chosen.flatten_from(1)?], 1)?),
        }
    }
}
