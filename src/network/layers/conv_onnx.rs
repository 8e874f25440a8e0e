//! Convolutions and pools as nodes of ONNX, which has channels first: values are turned, and turned back.

use crate::error::{Error, Result, codes};
use crate::network::onnx::message::Attribute;
use crate::network::onnx::{Step, Writer, int, ints, text};

use super::super::Shape;
use super::super::window::{Padding, Windows};

/// Puts the channels first, applies an operation on channels first, and puts them last again.
pub(super) fn channels_first(
    to: &mut Writer,
    x: &str,
    rank: usize,
    operation: impl FnOnce(&mut Writer, &str) -> String,
) -> String {
    let first: Vec<usize> = [0, rank + 1].into_iter().chain(1..=rank).collect();
    let last: Vec<usize> = std::iter::once(0).chain(2..=rank + 1).chain([1]).collect();
    let x = to.transpose(x, &first);
    let y = operation(to, &x);
    to.transpose(&y, &last)
}

/// The attributes of windows on an input of this shape.
///
/// # Errors
/// An axis of any length whose padding depends on the length.
pub(super) fn windows(windows: &Windows, input: &Shape) -> Result<Vec<Attribute>> {
    let rank = windows.rank();
    let mut attributes = vec![ints("kernel_shape", windows.size.clone()), ints("strides", windows.strides.clone())];
    if windows.dilation.iter().any(|dilation| *dilation > 1) {
        attributes.push(ints("dilations", windows.dilation.clone()));
    }
    let (mut before, mut after) = (Vec::with_capacity(rank), Vec::with_capacity(rank));
    for (axis, length) in input.iter().take(rank).enumerate() {
        let span = (windows.size[axis] - 1) * windows.dilation[axis] + 1;
        let (start, end) = match (windows.padding, length) {
            (Padding::Valid, _) => (0, 0),
            (Padding::Causal, _) => (span - 1, 0),
            (Padding::Same, Some(length)) => {
                let (output, start) = windows.axis(axis, *length)?;
                let reach = output.saturating_sub(1) * windows.strides[axis] + span;
                (start, reach.saturating_sub(length + start))
            }
            (Padding::Same, None) if windows.strides[axis] == 1 => ((span - 1) / 2, span / 2),
            (Padding::Same, None) => {
                attributes.push(text("auto_pad", "SAME_UPPER"));
                return Ok(attributes);
            }
        };
        before.push(start);
        after.push(end);
    }
    attributes.push(ints("pads", before.into_iter().chain(after)));
    Ok(attributes)
}

/// A convolution without activation: the kernel is weight `kernel` with its axes turned to `[filters, channels of a group,
/// spatial …]`, the bias weight `bias`.
pub(super) fn convolution(
    step: &mut Step<'_>,
    x: &str,
    sizes: &Windows,
    input: &Shape,
    kernel: String,
    bias: Option<usize>,
    groups: usize,
) -> Result<String> {
    let mut attributes = windows(sizes, input)?;
    if groups > 1 {
        attributes.push(int("group", groups as i64));
    }
    let bias = bias.map(|bias| step.weight(bias));
    let rank = sizes.rank();
    Ok(channels_first(step.to, x, rank, |to, x| match &bias {
        Some(bias) => to.node("Conv", &[x, &kernel, bias], attributes),
        None => to.node("Conv", &[x, &kernel], attributes),
    }))
}

/// The shape of a layer's only input.
///
/// # Errors
/// There is none.
pub(super) fn input(step: &Step<'_>) -> Result<Shape> {
    step.shapes.first().cloned().ok_or_else(|| Error::run("expected an input").coded(codes::WEIGHTS))
}
