//! Sliding windows: which places of the input each place of the output sees.
//!
//! Convolution and pooling gather their windows by index, so that any number of axes, strides, dilation and
//! padding is one piece of arithmetic with an exact gradient: what was gathered is added back.

use candle_core::Result as CandleResult;

use crate::error::{Error, Result};
use crate::registry::{Arguments, Parameter, Type};
use crate::tensor::Graph;

use super::gradient::define;

/// How an axis is continued beyond its ends.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Padding {
    /// Not at all: windows lie within the axis.
    Valid,
    /// Evenly, one more at the end, so that the output has the input's length divided by the stride, rounded up.
    Same,
    /// At the start only: an output sees nothing after its own place.
    Causal,
}

impl Padding {
    /// Reads the parameter `padding`.
    pub(super) fn from(arguments: &Arguments, causal: bool) -> Result<Self> {
        let choices: &[&str] = if causal { &["valid", "same", "causal"] } else { &["valid", "same"] };
        Ok(match arguments.choice("padding", choices)? {
            "same" => Padding::Same,
            "causal" => Padding::Causal,
            _ => Padding::Valid,
        })
    }
}

/// The parameter `data_format`: where the channels of images and sequences stand.
pub(super) const DATA_FORMAT: Parameter = Parameter::optional(
    "data_format",
    Type::Text,
    "\"channels_last\"",
    "`channels_last`: `[height, width, channels]`; `channels_first`: before the other axes, which costs a move of all \
     values before the layer and after it",
);

/// Refuses other layouts.
pub(super) fn check_data_format(arguments: &Arguments) -> Result<()> {
    match arguments.text("data_format") {
        "channels_last" => Ok(()),
        _ => Err(arguments
            .refuse("data_format", "`channels_last` or `channels_first`")
            .hint("channels last is faster: [height, width, channels]")),
    }
}

/// Windows of one size over the axes between batch and channels.
#[derive(Clone, Debug)]
pub(super) struct Windows {
    pub(super) size: Vec<usize>,
    pub(super) strides: Vec<usize>,
    pub(super) dilation: Vec<usize>,
    pub(super) padding: Padding,
}

/// The windows over an input of known lengths.
pub(super) struct Places {
    /// The lengths of the output.
    pub(super) output: Vec<usize>,
    /// For each place of the output, row by row, the flat places of the input; `None` is padding.
    pub(super) inputs: Vec<Option<usize>>,
    /// The same with padding replaced by the nearest place within the input, which lies in the same window.
    pub(super) nearest: Vec<usize>,
}

impl Windows {
    /// Returns the number of axes.
    pub(super) fn rank(&self) -> usize {
        self.size.len()
    }

    /// Returns the number of places of one window.
    pub(super) fn len(&self) -> usize {
        self.size.iter().product()
    }

    /// Returns whether each window is one place, each place in turn.
    pub(super) fn is_identity(&self) -> bool {
        self.size.iter().chain(&self.strides).all(|length| *length == 1)
    }

    /// Returns the lengths of the output for lengths of the input.
    ///
    /// # Errors
    /// Without padding, an axis shorter than the window is refused.
    pub(super) fn output(&self, lengths: &[Option<usize>]) -> Result<Vec<Option<usize>>> {
        let axes = lengths.iter().enumerate().map(|(axis, length)| match length {
            Some(length) => self.axis(axis, *length).map(|(output, _)| Some(output)),
            None => Ok(None),
        });
        let output: Vec<Option<usize>> = axes.collect::<Result<_>>()?;
        // Places are counted in 32 bits, and a table of them is made for every pass.
        let sizes = output.iter().flatten().chain(&self.size);
        let places = sizes.fold(1usize, |product, size| product.saturating_mul(*size));
        let inputs = lengths.iter().flatten().fold(1usize, |product, length| product.saturating_mul(*length));
        match places.max(inputs) < i32::MAX as usize {
            true => Ok(output),
            false => Err(Error::recipe("the windows see too many places of the input").hint("use smaller windows")),
        }
    }

    /// Returns which places of the input each window sees.
    pub(super) fn places(&self, lengths: &[usize]) -> Result<Places> {
        let mut output = Vec::new();
        let mut places: Vec<(Option<usize>, usize)> = vec![(Some(0), 0)];
        // Axis by axis: for each place so far (outputs, then window), the places of the next axis.
        let (mut outputs, mut window) = (1, 1);
        for (axis, length) in lengths.iter().enumerate() {
            let (out, before) = self.axis(axis, *length)?;
            let size = self.size[axis];
            let mut next = Vec::with_capacity(places.len() * out * size);
            for o in 0..outputs {
                for at in 0..out {
                    for w in 0..window {
                        let (exact, near) = places[o * window + w];
                        for k in 0..size {
                            let place = (at * self.strides[axis] + k * self.dilation[axis]).checked_sub(before);
                            let inside = place.filter(|place| place < length);
                            let clamped = place.unwrap_or(0).min(length - 1);
                            next.push((
                                exact.zip(inside).map(|(exact, inside)| exact * length + inside),
                                near * length + clamped,
                            ));
                        }
                    }
                }
            }
            places = next;
            outputs *= out;
            window *= size;
            output.push(out);
        }
        let (inputs, nearest) = places.into_iter().unzip();
        Ok(Places { output, inputs, nearest })
    }

    /// The length of the output along one axis, and the padding before its start.
    pub(super) fn axis(&self, axis: usize, length: usize) -> Result<(usize, usize)> {
        let stride = self.strides[axis];
        let span = (self.size[axis] - 1)
            .checked_mul(self.dilation[axis])
            .and_then(|span| span.checked_add(1))
            .ok_or_else(|| Error::recipe("the window is too large"))?;
        match self.padding {
            Padding::Same => {
                let output = length.div_ceil(stride);
                let total = ((output.max(1) - 1) * stride).saturating_add(span).saturating_sub(length);
                Ok((output, total / 2))
            }
            Padding::Causal => Ok((length.div_ceil(stride), span - 1)),
            Padding::Valid if span <= length => Ok(((length - span) / stride + 1, 0)),
            Padding::Valid => {
                Err(Error::recipe(format!("a window of {span} does not fit into an axis of length {length}"))
                    .hint("use a smaller window, or padding \"same\""))
            }
        }
    }
}

/// Gathers windows: `[batch, axes …, channels]` becomes `[batch, places, channels]`, padding as 0.
pub(super) fn gather(x: &Graph, places: &[Option<usize>]) -> Result<Graph> {
    let (batch, length, channels) = flat(x);
    let padded = places.contains(&None);
    let ids: Vec<u32> = places.iter().map(|place| place.unwrap_or(length) as u32).collect();
    let ids = Graph::from_vec(ids, places.len(), x.device())?;
    let shape = x.dims().to_vec();
    let index = ids.clone();
    let value = move |x: &Graph| {
        let rows = x.reshape((batch, length, channels))?;
        let rows = match padded {
            true => Graph::cat(&[&rows, &Graph::zeros((batch, 1, channels), x.dtype(), x.device())?], 1)?,
            false => rows.contiguous()?,
        };
        rows.index_select(&index, 1)
    };
    define(x, value, move |_, _, g| add_back(&ids, g, length, padded)?.reshape(shape.as_slice()))
}

/// Gathers windows by places that are all within the input: `[batch, axes …, channels]` becomes
/// `[batch, places, channels]`.
pub(super) fn gather_nearest(x: &Graph, places: &[usize]) -> Result<Graph> {
    let places: Vec<Option<usize>> = places.iter().copied().map(Some).collect();
    gather(x, &places)
}

/// The largest value along the middle axis of `[rows, window, channels]`; among equal ones the gradient goes to the first.
pub(super) fn maximum(x: &Graph) -> Result<Graph> {
    define(
        x,
        |x| x.max(1),
        |x, _, g| {
            let first = x.contiguous()?.argmax_keepdim(1)?;
            x.zeros_like()?.scatter_add(&first, &g.unsqueeze(1)?.contiguous()?, 1)
        },
    )
}

/// Batch, number of places and channels of a value with channels last.
pub(super) fn flat(x: &Graph) -> (usize, usize, usize) {
    match x.dims() {
        [batch, axes @ .., channels] => (*batch, axes.iter().product(), *channels),
        _ => (1, 1, 1),
    }
}

fn add_back(ids: &Graph, gradient: &Graph, length: usize, padded: bool) -> CandleResult<Graph> {
    let (batch, _, channels) = gradient.dims3()?;
    let rows = length + usize::from(padded);
    let sums = Graph::zeros((batch, rows, channels), gradient.dtype(), gradient.device())?;
    let sums = sums.index_add(ids, &gradient.contiguous()?, 1)?;
    if padded { sums.narrow(1, 0, length)?.contiguous() } else { Ok(sums) }
}
