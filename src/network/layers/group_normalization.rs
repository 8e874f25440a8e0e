//! `GroupNormalization`: mean 0 and variance 1 for groups of channels of each record.

use std::sync::Arc;

use crate::error::{Error, Result};
use crate::registry::{Arguments, Entry, Parameter, Type};
use crate::tensor::Graph;

use super::super::{Initializer, Layer, Pass, Shape, Weight, shape, show_shape};
use super::terms::{BETA_CONSTRAINT, BETA_REGULARIZER, GAMMA_CONSTRAINT, GAMMA_REGULARIZER, Terms};
use super::{LayerEntry, NAME, TRAINABLE, initializer, weight};

pub(super) const GROUP_NORMALIZATION: LayerEntry = LayerEntry {
    entry: Entry {
        name: "GroupNormalization",
        aliases: &[],
        doc: "Shifts and scales groups of channels: gamma · (x - mean) / √(variance + epsilon) + beta, with mean and \
              variance (of the population) of each record's group (Wu and He, 2018).\n\n\
              Batches do not matter, so it does the same while training and after. With `groups` 1 it is layer \
              normalisation of all axes, with one channel a group instance normalisation. The output has the shape of \
              the input. Weights, each `[channels]`: `gamma`, `beta`.",
        parameters: &[
            Parameter::optional(
                "groups",
                Type::Int,
                "32",
                "how many groups, a divisor of the channels; -1 is a group for each channel",
            ),
            AXIS,
            Parameter::optional("epsilon", Type::Float, "0.001", "added to the variance; above 0"),
            Parameter::optional("center", Type::Bool, "true", "whether `beta` is added"),
            Parameter::optional("scale", Type::Bool, "true", "whether `gamma` is multiplied"),
            Parameter::optional("beta_initializer", Type::Component, "\"zeros\"", "how `beta` starts"),
            Parameter::optional("gamma_initializer", Type::Component, "\"ones\"", "how `gamma` starts"),
            BETA_REGULARIZER,
            GAMMA_REGULARIZER,
            BETA_CONSTRAINT,
            GAMMA_CONSTRAINT,
            TRAINABLE,
            NAME,
        ],
        build: |a| Ok(Box::new(GroupNormalization::new(a)?)),
    },
    script_name: "group_normalization",
    positional: &[],
    merges: false,
};

const AXIS: Parameter =
    Parameter::optional("axis", Type::Int, "-1", "the axis of the channels, counted with the batch axis as 0");

#[derive(Debug)]
struct GroupNormalization {
    /// `None` is one for each channel.
    groups: Option<usize>,
    axis: i64,
    epsilon: f64,
    center: bool,
    scale: bool,
    gamma: Arc<dyn Initializer>,
    beta: Arc<dyn Initializer>,
    trainable: bool,
    terms: Terms,
}

impl GroupNormalization {
    fn new(a: &Arguments) -> Result<Self> {
        // With 0 a group of equal values would be divided by 0.
        if a.float("epsilon") <= 0.0 {
            return Err(a.refuse("epsilon", "a number above 0"));
        }
        if a.int("axis") == 0 {
            return Err(a.refuse("axis", "an axis other than 0, the batch"));
        }
        let groups = match a.int("groups") {
            -1 => None,
            groups if groups > 0 => Some(groups as usize),
            _ => return Err(a.refuse("groups", "a whole number of at least 1, or -1")),
        };
        Ok(GroupNormalization {
            groups,
            axis: a.int("axis"),
            epsilon: a.float("epsilon"),
            center: a.bool("center"),
            scale: a.bool("scale"),
            gamma: initializer(a, "gamma_initializer")?,
            beta: initializer(a, "beta_initializer")?,
            trainable: a.bool("trainable"),
            terms: Terms::new(a, &[("gamma", "gamma"), ("beta", "beta")])?,
        })
    }

    /// The axis of the channels without the batch axis, and their number.
    fn channels(&self, input: &Shape) -> Result<(usize, usize)> {
        let axis = shape::inner_axis(self.axis, input.len()).ok_or_else(|| {
            Error::recipe(format!(
                "`axis` {} is outside of shape {} without the batch axis",
                self.axis,
                show_shape(input)
            ))
            .hint("axis 1 is the first after the batch, -1 the last")
        })?;
        let channels = input[axis].ok_or_else(|| {
            Error::recipe(format!("expected a known length of axis {}, found {}", self.axis, show_shape(input)))
        })?;
        match self.groups {
            Some(groups) if !channels.is_multiple_of(groups) => {
                Err(Error::recipe(format!("{channels} channels cannot be split into {groups} groups"))
                    .hint("give `groups` as a divisor of the channels, or -1 for a group each"))
            }
            _ => Ok((axis, channels)),
        }
    }
}

impl Layer for GroupNormalization {
    fn kind(&self) -> &'static str {
        "GroupNormalization"
    }

    fn keeps_mask(&self) -> bool {
        true
    }

    fn output_shape(&self, inputs: &[Shape]) -> Result<Shape> {
        let input = shape::single(inputs)?;
        self.channels(input)?;
        Ok(input.clone())
    }

    fn weights(&self, inputs: &[Shape]) -> Result<Vec<Weight>> {
        let (_, channels) = self.channels(shape::single(inputs)?)?;
        let mut weights = Vec::with_capacity(2);
        if self.scale {
            weights.push(weight("gamma", vec![channels], &self.gamma, self.trainable)?);
        }
        if self.center {
            weights.push(weight("beta", vec![channels], &self.beta, self.trainable)?);
        }
        self.terms.on(weights)
    }

    fn compose(&self, inputs: &[Graph], weights: &[Graph], _: &mut Pass) -> Result<Graph> {
        let x = &inputs[0];
        let open: Shape = x.dims()[1..].iter().copied().map(Some).collect();
        let (axis, channels) = self.channels(&open)?;
        let groups = self.groups.unwrap_or(channels);
        let before = x.dims()[1..=axis].iter().product::<usize>();
        let after = x.dims()[axis + 2..].iter().product::<usize>();
        // Batch, places before, group, channel of the group, places after.
        let parts = x.reshape(&[x.dim(0)?, before, groups, channels / groups, after])?;
        let centred = parts.broadcast_sub(&parts.mean_keepdim((1, 3, 4))?)?;
        let variance = centred.sqr()?.mean_keepdim((1, 3, 4))?;
        let y = centred.broadcast_div(&variance.affine(1.0, self.epsilon)?.sqrt()?)?.reshape(x.shape())?;
        let mut wide = vec![1; x.rank()];
        wide[axis + 1] = channels;
        let y = match self.scale {
            true => y.broadcast_mul(&weights[0].reshape(wide.as_slice())?)?,
            false => y,
        };
        match self.center {
            true => Ok(y.broadcast_add(&weights[usize::from(self.scale)].reshape(wide.as_slice())?)?),
            false => Ok(y),
        }
    }
}
