//! `Cropping1D`, `Cropping2D`, `ZeroPadding1D`, `ZeroPadding2D`: less, or more, around steps and images.

use serde_json::Value;

use crate::error::{Error, Result};
use crate::registry::{Arguments, Entry, Parameter, Type};

use super::super::onnx::Step;
use super::super::window::{self, DATA_FORMAT};
use super::super::{Layer, Shape, shape, show_shape};
use super::moved::{Moved, Moves};
use super::{LayerEntry, NAME};

pub(super) const CROPPING_1D: LayerEntry = LayerEntry {
    entry: Entry {
        name: "Cropping1D",
        aliases: &[],
        doc: "Cuts steps off both ends.\n\nInput `[batch, steps, channels]`, output `[batch, fewer steps, channels]`.",
        parameters: &[
            Parameter::optional(
                "cropping",
                Type::Any,
                "1",
                "how many at the start and at the end, or one number for both",
            ),
            DATA_FORMAT,
            NAME,
        ],
        build: |a| margins("Cropping1D", "cropping", 1, true, a),
    },
    script_name: "cropping1d",
    positional: &["cropping"],
    merges: false,
};

pub(super) const CROPPING_2D: LayerEntry = LayerEntry {
    entry: Entry {
        name: "Cropping2D",
        aliases: &[],
        doc: "Cuts rows and columns off an image.\n\n\
              Input `[batch, height, width, channels]`, output `[batch, less height, less width, channels]`.",
        parameters: &[
            Parameter::optional(
                "cropping",
                Type::Any,
                "[[0, 0], [0, 0]]",
                "`[[top, bottom], [left, right]]`, `[rows, columns]` for both sides, or one number for all",
            ),
            DATA_FORMAT,
            NAME,
        ],
        build: |a| margins("Cropping2D", "cropping", 2, true, a),
    },
    script_name: "cropping2d",
    positional: &["cropping"],
    merges: false,
};

pub(super) const ZERO_PADDING_1D: LayerEntry = LayerEntry {
    entry: Entry {
        name: "ZeroPadding1D",
        aliases: &[],
        doc: "Puts steps of zeros before and after.\n\n\
              Input `[batch, steps, channels]`, output `[batch, more steps, channels]`.",
        parameters: &[
            Parameter::optional(
                "padding",
                Type::Any,
                "1",
                "how many at the start and at the end, or one number for both",
            ),
            DATA_FORMAT,
            NAME,
        ],
        build: |a| margins("ZeroPadding1D", "padding", 1, false, a),
    },
    script_name: "zero_padding1d",
    positional: &["padding"],
    merges: false,
};

pub(super) const ZERO_PADDING_2D: LayerEntry = LayerEntry {
    entry: Entry {
        name: "ZeroPadding2D",
        aliases: &[],
        doc: "Puts rows and columns of zeros around an image.\n\n\
              Input `[batch, height, width, channels]`, output `[batch, more height, more width, channels]`.",
        parameters: &[
            Parameter::optional(
                "padding",
                Type::Any,
                "[[1, 1], [1, 1]]",
                "`[[top, bottom], [left, right]]`, `[rows, columns]` for both sides, or one number for all",
            ),
            DATA_FORMAT,
            NAME,
        ],
        build: |a| margins("ZeroPadding2D", "padding", 2, false, a),
    },
    script_name: "zero_padding2d",
    positional: &["padding"],
    merges: false,
};

fn margins(kind: &'static str, parameter: &str, rank: usize, cuts: bool, a: &Arguments) -> Result<Box<dyn Layer>> {
    window::check_data_format(a)?;
    let size =
        |value: &Value| value.as_u64().and_then(|size| usize::try_from(size).ok()).filter(|size| *size < 1 << 31);
    let pair = |value: &Value| match value {
        Value::Array(pair) if pair.len() == 2 => Some((size(&pair[0])?, size(&pair[1])?)),
        value => size(value).map(|both| (both, both)),
    };
    let sides: Option<Vec<(usize, usize)>> = match a.value(parameter) {
        Value::Array(axes) if rank == 2 && axes.len() == 2 => axes.iter().map(pair).collect(),
        Value::Array(_) if rank == 2 => None,
        value => pair(value).map(|pair| vec![pair; rank]),
    };
    let form = if rank == 1 { "`[start, end]`" } else { "`[[top, bottom], [left, right]]`, `[rows, columns]`" };
    let expected = || a.refuse(parameter, format!("{form} or one number, of whole numbers of at least 0"));
    Ok(Box::new(Moved(Margins { kind, sides: sides.ok_or_else(expected)?, cuts })))
}

#[derive(Debug)]
struct Margins {
    kind: &'static str,
    /// Before and after, for each axis between batch and channels.
    sides: Vec<(usize, usize)>,
    cuts: bool,
}

impl Moves for Margins {
    fn kind(&self) -> &'static str {
        self.kind
    }

    fn output_shape(&self, input: &Shape) -> Result<Shape> {
        let axes = if self.sides.len() == 1 { "steps, channels" } else { "height, width, channels" };
        let input = shape::single_of_rank(std::slice::from_ref(input), self.sides.len() + 1, axes)?;
        let mut output = input.clone();
        for (length, (before, after)) in output.iter_mut().zip(&self.sides) {
            let Some(length) = length else { continue };
            *length = match self.cuts {
                false => *length + before + after,
                true => length.checked_sub(before + after).filter(|rest| *rest > 0).ok_or_else(|| {
                    Error::recipe(format!("cutting {before} and {after} off leaves nothing of {}", show_shape(input)))
                })?,
            };
        }
        // Places are counted in 32 bits.
        match shape::count(&output)?.is_none_or(|count| count < i32::MAX as usize) {
            true => Ok(output),
            false => Err(Error::recipe(format!("shape {} has too many elements", show_shape(&output)))),
        }
    }

    fn onnx(&self, step: &mut Step<'_>) -> Result<String> {
        let mut x = step.x(0);
        if self.cuts {
            for (axis, (before, after)) in self.sides.iter().enumerate() {
                let end = if *after == 0 { i64::MAX } else { -(*after as i64) };
                x = step.to.slice(&x, axis + 1, *before as i64, end, 1);
            }
            return Ok(x);
        }
        // Batch and channels have no margins.
        let side = |sides: &dyn Fn(&(usize, usize)) -> usize| {
            let own = self.sides.iter().map(|pair| sides(pair) as i64);
            std::iter::once(0).chain(own).chain([0]).collect::<Vec<_>>()
        };
        let pads = step.to.indices(&[side(&|pair| pair.0), side(&|pair| pair.1)].concat());
        Ok(step.to.two("Pad", &x, &pads))
    }

    fn places(&self, lengths: &[usize]) -> (usize, Vec<Option<usize>>) {
        let mut places = vec![Some(0)];
        for (length, (before, after)) in lengths.iter().zip(&self.sides) {
            let own: Vec<Option<usize>> = match self.cuts {
                true => (*before..length.saturating_sub(*after)).map(Some).collect(),
                false => {
                    (0..length + before + after).map(|at| at.checked_sub(*before).filter(|at| at < length)).collect()
                }
            };
            let joined = |place: &Option<usize>| {
                let place = *place;
                own.iter().map(move |at| Some(place? * length + (*at)?)).collect::<Vec<_>>()
            };
            places = places.iter().flat_map(joined).collect();
        }
        (lengths.last().copied().unwrap_or(1), places)
    }
}
