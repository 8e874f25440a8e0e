//! What attention layers share: which inputs are query, value, key and masks.

use std::sync::Arc;

use crate::error::{Error, Result};
use crate::tensor::Graph;

use super::super::onnx::{Step, Writer, int, message::FLOAT};
use super::super::{Bound, Layer, Named, Pass, Shape, Symbol, Weight, show_shape};

/// Where the inputs of an attention layer stand, and which steps look at which.
#[derive(Clone, Copy, Debug)]
pub(super) struct Looks {
    pub value: usize,
    pub key: usize,
    pub query_mask: Option<usize>,
    pub value_mask: Option<usize>,
    pub key_mask: Option<usize>,
    pub pairs: Option<usize>,
    pub causal: bool,
    /// How near a step must be to be looked at: 1 for a step itself only.
    pub window: Option<usize>,
}

impl Looks {
    /// A sequence that looks at itself.
    pub(super) fn new(causal: bool) -> Self {
        Looks {
            value: 0,
            key: 0,
            query_mask: None,
            value_mask: None,
            key_mask: None,
            pairs: None,
            causal,
            window: None,
        }
    }

    /// Finds query, value, key and their masks among values given in this order or by name, and lists each once.
    pub(super) fn bind(&self, inputs: &[Symbol], named: &Named<'_>) -> Result<(Looks, Vec<Symbol>)> {
        let by_name = |name: &str, at: usize| {
            let given = named.iter().find(|(own, _)| *own == name).map(|(_, values)| values.as_slice());
            match (given, inputs.get(at)) {
                (Some([value]), None) => Ok(Some(value)),
                (Some(_), Some(_)) => Err(Error::recipe(format!("`{name}` is given twice"))),
                (Some(values), None) => {
                    Err(Error::recipe(format!("`{name}`: expected one value of the network, found {}", values.len())))
                }
                (None, positional) => Ok(positional),
            }
        };
        let query = match inputs {
            [query] | [query, _] | [query, _, _] => query,
            _ => return Err(Error::recipe(format!("expected query, value and key, found {} values", inputs.len()))),
        };
        let value = by_name("value", 1)?.unwrap_or(query);
        let key = by_name("key", 2)?.unwrap_or(value);
        let pairs = by_name("attention_mask", usize::MAX)?;
        let mut all: Vec<Symbol> = vec![query.clone()];
        let mut place = |symbol: &Symbol| match all.iter().position(|known| known.is(symbol)) {
            Some(place) => place,
            None => {
                all.push(symbol.clone());
                all.len() - 1
            }
        };
        let (at_value, at_key) = (place(value), place(key));
        let looks = Looks {
            value: at_value,
            key: at_key,
            query_mask: query.mask().map(&mut place),
            value_mask: value.mask().map(&mut place),
            // A mask that values bring counts once.
            key_mask: key.mask().filter(|_| !key.is(value)).map(&mut place),
            pairs: pairs.map(&mut place),
            causal: self.causal,
            window: self.window,
        };
        Ok((looks, all))
    }

    /// Refuses masks of other lengths.
    pub(super) fn check(&self, inputs: &[Shape], queries: Option<usize>, keys: Option<usize>) -> Result<()> {
        let fits = |found: &[Option<usize>], expected: &[Option<usize>]| {
            found.len() == expected.len()
                && found.iter().zip(expected).all(|(a, b)| a.is_none() || b.is_none() || a == b)
        };
        let masks = [
            ("mask of the query", self.query_mask, vec![queries]),
            ("mask of the value", self.value_mask, vec![keys]),
            ("mask of the key", self.key_mask, vec![keys]),
            ("`attention_mask`", self.pairs, vec![queries, keys]),
        ];
        for (what, place, expected) in masks {
            let Some(found) = place.and_then(|place| inputs.get(place)) else { continue };
            if !fits(found, &expected) {
                let (expected, found) = (show_shape(&expected), show_shape(found));
                return Err(Error::recipe(format!("{what}: expected shape {expected}, found {found}")));
            }
        }
        Ok(())
    }

    /// Returns `[rows, queries, keys]` of 1 and 0 with the dtype of `like`; axes may have length 1.
    pub(super) fn mask(&self, inputs: &[Graph], queries: usize, keys: usize, like: &Graph) -> Result<Option<Graph>> {
        let rows = inputs[0].dim(0)?;
        let of = |place: usize, shape: [usize; 3]| {
            // A mask is no value that gradients flow to.
            Ok::<_, Error>(inputs[place].detach().to_dtype(like.dtype())?.reshape(&shape)?)
        };
        let mut parts: Vec<Graph> = Vec::new();
        parts.extend(self.query_mask.map(|place| of(place, [rows, queries, 1])).transpose()?);
        parts.extend(self.value_mask.map(|place| of(place, [rows, 1, keys])).transpose()?);
        parts.extend(self.key_mask.map(|place| of(place, [rows, 1, keys])).transpose()?);
        parts.extend(self.pairs.map(|place| of(place, [rows, queries, keys])).transpose()?);
        if self.ordered() {
            let looks = Graph::from_vec(self.order(queries, keys), (1, queries, keys), like.device())?;
            parts.push(looks.to_dtype(like.dtype())?);
        }
        let mut all: Option<Graph> = None;
        for part in parts {
            // Numbers other than 0 count as 1.
            let part = part.ne(0.0)?.to_dtype(like.dtype())?;
            all = Some(match all {
                None => part,
                Some(all) => all.broadcast_mul(&part)?,
            });
        }
        Ok(all)
    }
}

impl Looks {
    /// Returns whether the places of two steps say whether one looks at the other.
    fn ordered(&self) -> bool {
        self.causal || self.window.is_some()
    }

    /// Returns `[queries, keys]` of 1 where a step looks at another by their places.
    fn order(&self, queries: usize, keys: usize) -> Vec<f32> {
        let looks = |query: usize, key: usize| {
            (!self.causal || key <= query) && self.window.is_none_or(|window| key.abs_diff(query) < window)
        };
        let pairs = (0..queries).flat_map(|query| (0..keys).map(move |key| (query, key)));
        pairs.map(|(query, key)| f32::from(u8::from(looks(query, key)))).collect()
    }

    /// Returns the mask of queries and keys, if there is one; `scores` have `[…, queries, keys]` as their last axes.
    pub(super) fn mask_onnx(&self, step: &mut Step<'_>) -> Option<String> {
        let lengths = [0, self.value].map(|at| step.shapes[at].first().copied().flatten());
        let mut parts = Vec::new();
        for (place, axis) in [(self.query_mask, 2), (self.value_mask, 1), (self.key_mask, 1)] {
            let Some(place) = place else { continue };
            let mask = step.x(place);
            let mask = step.to.differs(&mask, 0.0);
            parts.push(step.to.unsqueeze(&mask, &[axis]));
        }
        if let Some(place) = self.pairs {
            let mask = step.x(place);
            parts.push(step.to.differs(&mask, 0.0));
        }
        if self.ordered() {
            let order = match lengths {
                [Some(queries), Some(keys)] => step.to.numbers(&self.order(queries, keys), &[1, queries, keys]),
                _ => {
                    let [queries, keys] = [0, self.value].map(|at| {
                        let x = step.x(at);
                        let shape = step.to.one("Shape", &x);
                        let (place, axis) = (step.to.indices(&[1]), step.to.indices(&[0]));
                        let length = step.to.two("Gather", &shape, &place);
                        let length = step.to.two("Squeeze", &length, &axis);
                        let [start, by] = [0, 1].map(|value| {
                            let one = step.to.indices(&[value]);
                            step.to.two("Squeeze", &one, &axis)
                        });
                        step.to.node("Range", &[&start, &length, &by], Vec::new())
                    });
                    let (queries, keys) = (step.to.unsqueeze(&queries, &[1]), step.to.unsqueeze(&keys, &[0]));
                    let mut looks = Vec::new();
                    if self.causal {
                        looks.push(step.to.two("GreaterOrEqual", &queries, &keys));
                    }
                    if let Some(window) = self.window {
                        let apart = step.to.two("Sub", &queries, &keys);
                        let apart = step.to.one("Abs", &apart);
                        let window = step.to.indices(&[i64::try_from(window).unwrap_or(i64::MAX)]);
                        looks.push(step.to.two("Less", &apart, &window));
                    }
                    let looks: Vec<String> = looks.into_iter().map(|looks| step.to.cast(&looks, FLOAT)).collect();
                    let looks = looks.into_iter().reduce(|all, part| step.to.two("Mul", &all, &part));
                    step.to.unsqueeze(&looks.unwrap_or_default(), &[0])
                }
            };
            parts.push(order);
        }
        parts.into_iter().reduce(|all, part| step.to.two("Mul", &all, &part))
    }
}

/// [`masked_softmax`] as nodes of ONNX.
pub(super) fn masked_softmax_onnx(to: &mut Writer, scores: &str, mask: Option<&str>) -> String {
    let softmax = |to: &mut Writer, x: &str| to.node("Softmax", &[x], vec![int("axis", -1)]);
    let Some(mask) = mask else { return softmax(to, scores) };
    let far = far_onnx(to, mask);
    let kept = to.two("Mul", scores, mask);
    let hidden = to.two("Add", &kept, &far);
    let chosen = softmax(to, &hidden);
    to.two("Mul", &chosen, mask)
}

/// 0 where a mask is 1, a large negative number where it is 0.
pub(super) fn far_onnx(to: &mut Writer, mask: &str) -> String {
    let large = to.with("Mul", mask, 1e9);
    to.with("Sub", &large, 1e9)
}

/// Returns the softmax along the last axis of what the mask leaves; a row of which nothing is left is 0.
pub(super) fn masked_softmax(scores: &Graph, mask: Option<&Graph>) -> Result<Graph> {
    let Some(mask) = mask else { return softmax(scores) };
    let mask = mask.broadcast_as(scores.shape())?.contiguous()?;
    let far = mask.affine(1e9, -1e9)?;
    Ok(softmax(&scores.mul(&mask)?.add(&far)?)?.mul(&mask)?)
}

/// Returns the softmax along the last axis.
pub(super) fn softmax(scores: &Graph) -> Result<Graph> {
    super::super::activation::from_value(&serde_json::json!("softmax"))?.compose(scores)
}

/// `Softmax` of values with a mask: those that it leaves out become 0.
#[derive(Debug)]
pub(super) struct MaskedSoftmax;

impl MaskedSoftmax {
    /// Returns what runs on a value with a mask of its own shape; `None` where it has none.
    pub(super) fn bind(x: &Symbol) -> Option<Bound> {
        let mask = x.mask().filter(|mask| mask.shape() == x.shape())?;
        Some(Bound { layer: Arc::new(MaskedSoftmax), inputs: vec![x.clone(), mask.clone()] })
    }
}

impl Layer for MaskedSoftmax {
    fn kind(&self) -> &'static str {
        "Softmax"
    }

    fn output_shape(&self, inputs: &[Shape]) -> Result<Shape> {
        inputs.first().cloned().ok_or_else(|| Error::recipe("expected an input, found none"))
    }

    fn weights(&self, _: &[Shape]) -> Result<Vec<Weight>> {
        Ok(Vec::new())
    }

    fn onnx(&self, step: &mut Step<'_>) -> Result<String> {
        let (x, mask) = (step.x(0), step.x(1));
        let mask = step.to.differs(&mask, 0.0);
        Ok(masked_softmax_onnx(step.to, &x, Some(&mask)))
    }

    fn compose(&self, inputs: &[Graph], _: &[Graph], _: &mut Pass) -> Result<Graph> {
        masked_softmax(&inputs[0], Some(&inputs[1].detach().ne(0.0)?.to_dtype(inputs[0].dtype())?))
    }
}
