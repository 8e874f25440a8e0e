//! `UpSampling1D` and `UpSampling2D`: steps and images, larger.

use crate::error::{Error, Result};
use crate::registry::{Arguments, Entry, Parameter, Type};
use crate::tensor::Graph;

use super::super::onnx::{Step, lengths, text};
use super::super::window::{self, DATA_FORMAT};
use super::super::{Layer, Pass, Shape, Weight, shape, show_shape};
use super::conv_onnx;
use super::moved::{Moved, Moves};
use super::{LayerEntry, NAME};

pub(super) const UP_SAMPLING_1D: LayerEntry = LayerEntry {
    entry: Entry {
        name: "UpSampling1D",
        aliases: &[],
        doc: "Repeats each step.\n\nInput `[batch, steps, channels]`, output `[batch, steps · size, channels]`.",
        parameters: &[Parameter::optional("size", Type::Int, "2", "how often, at least 1"), NAME],
        build: |a| Ok(Box::new(Moved(Repeated { kind: "UpSampling1D", size: vec![a.at_least("size", 1)?] }))),
    },
    script_name: "up_sampling1d",
    positional: &["size"],
    merges: false,
};

pub(super) const UP_SAMPLING_2D: LayerEntry = LayerEntry {
    entry: Entry {
        name: "UpSampling2D",
        aliases: &[],
        doc: "Makes images larger by whole factors.\n\n\
              Input `[batch, height, width, channels]`, output `[batch, height · size, width · size, channels]`.",
        parameters: &[
            Parameter::optional("size", Type::Ints, "2", "the factors of height and width, or one for both"),
            DATA_FORMAT,
            Parameter::optional(
                "interpolation",
                Type::Text,
                "\"nearest\"",
                "`nearest` repeats rows and columns; `bilinear` mixes the four nearest values, pixels being squares",
            ),
            NAME,
        ],
        build: up_sampling_2d,
    },
    script_name: "up_sampling2d",
    positional: &["size"],
    merges: false,
};

fn up_sampling_2d(a: &Arguments) -> Result<Box<dyn Layer>> {
    window::check_data_format(a)?;
    let repeated = Repeated { kind: "UpSampling2D", size: a.sizes("size", 2, 1)? };
    Ok(match a.choice("interpolation", &["nearest", "bilinear"])? {
        "bilinear" => Box::new(Bilinear(repeated)),
        _ => Box::new(Moved(repeated)),
    })
}

/// Each place of the axes between batch and channels, several times.
#[derive(Debug)]
struct Repeated {
    kind: &'static str,
    size: Vec<usize>,
}

impl Moves for Repeated {
    fn kind(&self) -> &'static str {
        self.kind
    }

    fn output_shape(&self, input: &Shape) -> Result<Shape> {
        let axes = if self.size.len() == 1 { "steps, channels" } else { "height, width, channels" };
        let input = shape::single_of_rank(std::slice::from_ref(input), self.size.len() + 1, axes)?;
        let mut output = input.clone();
        for (length, size) in output.iter_mut().zip(&self.size) {
            *length = length.map(|length| length.saturating_mul(*size));
        }
        // Places are counted in 32 bits.
        match shape::count(&output)?.is_none_or(|count| count < i32::MAX as usize) {
            true => Ok(output),
            false => Err(Error::recipe(format!("shape {} has too many elements", show_shape(&output)))),
        }
    }

    fn onnx(&self, step: &mut Step<'_>) -> Result<String> {
        let (mut x, input) = (step.x(0), step.shapes.first().cloned().unwrap_or_default());
        // Each place becomes an axis of equal ones.
        let axes: Vec<i64> = (1..=self.size.len() as i64).map(|axis| 2 * axis).collect();
        x = step.to.unsqueeze(&x, &axes);
        let repeats: Vec<i64> =
            std::iter::once(1).chain(self.size.iter().flat_map(|size| [1, *size as i64])).chain([1]).collect();
        x = step.to.tile(&x, &repeats);
        Ok(step.to.reshape(&x, &lengths(&self.output_shape(&input)?)?))
    }

    fn places(&self, lengths: &[usize]) -> (usize, Vec<Option<usize>>) {
        let mut places = vec![0];
        for (length, size) in lengths.iter().zip(&self.size) {
            let own = |place: &usize| {
                let first = place * length;
                (0..length * size).map(move |at| first + at / size).collect::<Vec<_>>()
            };
            places = places.iter().flat_map(own).collect();
        }
        (lengths.last().copied().unwrap_or(1), places.into_iter().map(Some).collect())
    }
}

/// Values between the middles of pixels are those of the plane between them; beyond the outer middles nothing changes.
#[derive(Debug)]
struct Bilinear(Repeated);

impl Bilinear {
    /// For each place of a larger axis, the two nearest of the smaller one with the shares of both.
    fn shares(length: usize, size: usize) -> Vec<[(usize, f64); 2]> {
        let share = |at: usize| {
            let place = ((at as f64 + 0.5) / size as f64 - 0.5).clamp(0.0, length.saturating_sub(1) as f64);
            let first = place.floor() as usize;
            let far = place - first as f64;
            [(first, 1.0 - far), ((first + 1).min(length.saturating_sub(1)), far)]
        };
        (0..length * size).map(share).collect()
    }
}

impl Layer for Bilinear {
    fn kind(&self) -> &'static str {
        self.0.kind
    }

    fn output_shape(&self, inputs: &[Shape]) -> Result<Shape> {
        self.0.output_shape(shape::single(inputs)?)
    }

    fn weights(&self, _: &[Shape]) -> Result<Vec<Weight>> {
        Ok(Vec::new())
    }

    fn onnx(&self, step: &mut Step<'_>) -> Result<String> {
        let x = step.x(0);
        let scales: Vec<f32> = [1, 1].iter().chain(&self.0.size).map(|size| *size as f32).collect();
        let scales = step.to.numbers(&scales, &[4]);
        let attributes = vec![text("mode", "linear"), text("coordinate_transformation_mode", "half_pixel")];
        Ok(conv_onnx::channels_first(step.to, &x, 2, |to, x| to.node("Resize", &[x, "", &scales], attributes)))
    }

    fn compose(&self, inputs: &[Graph], _: &[Graph], _: &mut Pass) -> Result<Graph> {
        let x = &inputs[0];
        let (batch, height, width, channels) = x.dims4()?;
        let (down, right) = (self.0.size[0], self.0.size[1]);
        let (mut places, mut shares) = (Vec::new(), Vec::new());
        let columns = Self::shares(width, right);
        for rows in Self::shares(height, down) {
            for columns in &columns {
                for (row, of_row) in rows {
                    for (column, of_column) in columns {
                        places.push(row * width + column);
                        shares.push(of_row * of_column);
                    }
                }
            }
        }
        let outputs = places.len() / 4;
        let seen = window::gather_nearest(x, &places)?.reshape((batch, outputs, 4, channels))?;
        let shares = Graph::from_vec(shares, (1, outputs, 4, 1), x.device())?.to_dtype(x.dtype())?;
        let y = seen.broadcast_mul(&shares)?.sum(2)?;
        Ok(y.reshape((batch, height * down, width * right, channels))?)
    }
}
