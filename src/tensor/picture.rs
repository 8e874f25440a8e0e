//! What augmentation does to pictures and series: mirror, roll, turn, tilt, extend at the border, erase.

use super::element::{Element, Typed};
use super::{Array, Dtype, Number, Tensor, array, axes};
use crate::error::{self, Error, Result};

/// What stands beyond the border of a picture.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Border {
    /// The picture mirrored, its border pixel not repeated.
    Reflect,
    /// The border pixel again and again.
    Edge,
}

impl Border {
    /// Returns the border of a name: `reflect` or `edge`.
    ///
    /// # Errors
    /// Any other name.
    pub fn parse(name: &str) -> Result<Border> {
        match name {
            "reflect" => Ok(Border::Reflect),
            "edge" => Ok(Border::Edge),
            _ => Err(Error::data(format!("unknown border `{name}`"))
                .maybe_hint(error::did_you_mean(name, ["reflect", "edge"]))
                .hint("borders: `reflect`, `edge`; a number is a value of its own")),
        }
    }

    /// Returns the place within an axis that stands at a place before or behind it.
    fn inside(self, place: isize, length: usize) -> usize {
        let last = length as isize - 1;
        match self {
            Border::Edge => place.clamp(0, last) as usize,
            Border::Reflect if last == 0 => 0,
            Border::Reflect => {
                let place = place.rem_euclid(2 * last);
                (if place > last { 2 * last - place } else { place }) as usize
            }
        }
    }
}

impl Tensor {
    /// Returns the tensor with the order along an axis reversed.
    ///
    /// # Errors
    /// An axis out of range.
    pub fn flip(&self, axis: isize) -> Result<Tensor> {
        let axis = axes::axis(axis, self.shape())?;
        let places = (0..self.shape()[axis]).rev().collect::<Vec<_>>();
        self.pick(&places, axis)
    }

    /// Returns the tensor moved along an axis by so many places; what leaves at one end comes in at the other.
    ///
    /// # Errors
    /// An axis out of range.
    pub fn roll(&self, shift: isize, axis: isize) -> Result<Tensor> {
        let axis = axes::axis(axis, self.shape())?;
        let length = self.shape()[axis] as isize;
        let place = |at: isize| (at - shift % length.max(1)).rem_euclid(length.max(1)) as usize;
        self.pick(&(0..length).map(place).collect::<Vec<_>>(), axis)
    }

    /// Returns the tensor with `widths` places before and behind each axis, filled from within.
    ///
    /// # Errors
    /// Another number of pairs than axes, and an empty axis.
    pub fn pad_border(&self, widths: &[(usize, usize)], border: Border) -> Result<Tensor> {
        if widths.len() != self.rank() || self.shape().contains(&0) {
            return Err(Error::data(format!(
                "`pad` of shape {:?} needs {} pairs of widths and no empty axis, found {}",
                self.shape(),
                self.rank(),
                widths.len()
            ))
            .hint("a pair for each axis: [[before, behind], …]"));
        }
        let grown: Option<Vec<usize>> = self
            .shape()
            .iter()
            .zip(widths)
            .map(|(&length, &(before, behind))| before.checked_add(behind)?.checked_add(length))
            .collect();
        axes::count(&grown.ok_or_else(|| Error::data(format!("`pad` by {widths:?} is too large for the memory")))?)?;
        let mut padded = self.clone();
        for (axis, &(before, behind)) in widths.iter().enumerate().filter(|(_, widths)| **widths != (0, 0)) {
            let length = self.shape()[axis];
            let range = -(before as isize)..(length + behind) as isize;
            padded = padded.pick(&range.map(|place| border.inside(place, length)).collect::<Vec<_>>(), axis)?;
        }
        Ok(padded)
    }

    /// Returns a picture (`[height, width, …]`) moved down and to the right by whole pixels; what comes in is `fill`.
    ///
    /// # Errors
    /// Fewer than 2 axes, and a value that the dtype cannot hold.
    pub fn shift(&self, down: isize, right: isize, fill: Number) -> Result<Tensor> {
        check_picture("shift", self)?;
        let mut widths = vec![(0, 0); self.rank()];
        let mut moved = self.clone();
        for (axis, by) in [(0, down), (1, right)] {
            let length = self.shape()[axis];
            let by = by.clamp(-(length as isize), length as isize);
            widths[axis] = (by.max(0) as usize, (-by).max(0) as usize);
            let end = length as isize - by.max(0);
            moved = moved.slice(axis as isize, (-by).max(0).min(length as isize), Some(end))?;
        }
        moved.pad(&widths, fill)
    }

    /// Returns a part of a picture (`[height, width, …]`).
    ///
    /// # Errors
    /// Fewer than 2 axes, and a part that is not wholly inside.
    pub fn crop(&self, top: isize, left: isize, height: isize, width: isize) -> Result<Tensor> {
        check_picture("crop", self)?;
        let inside = |start: isize, size: isize, length: usize| {
            start >= 0 && size >= 0 && start.checked_add(size).is_some_and(|end| end <= length as isize)
        };
        match inside(top, height, self.shape()[0]) && inside(left, width, self.shape()[1]) {
            true => self.slice(0, top, Some(top + height))?.slice(1, left, Some(left + width)),
            false => Err(Error::data(format!(
                "`crop` of {height} by {width} from row {top}, column {left} is not inside shape {:?}",
                self.shape()
            ))
            .hint("`pad` makes room around a picture first")),
        }
    }

    /// Returns a picture (`[height, width, …]`) turned by quarter turns, counted against the clock.
    ///
    /// # Errors
    /// Fewer than 2 axes.
    pub fn rotate90(&self, turns: isize) -> Result<Tensor> {
        check_picture("rotate90", self)?;
        let mut order: Vec<isize> = (0..self.rank() as isize).collect();
        order.swap(0, 1);
        match turns.rem_euclid(4) {
            1 => self.transpose(Some(&order))?.flip(0),
            2 => self.flip(0)?.flip(1),
            3 => self.transpose(Some(&order))?.flip(1),
            _ => Ok(self.clone()),
        }
    }

    /// Returns a picture (`[height, width, …]`) whose pixel at column `x` and row `y`, both from its centre, is that
    /// at `(a·x + b·y + c, d·x + e·y + f)` of the input, as torchvision's `affine` and Keras' random layers have it.
    /// Between pixels the nearest one or a bilinear mixture is taken, beyond the border `fill` or what `border` says.
    /// u8 is rounded, halves up; whole numbers become f32. No gradient flows through it.
    ///
    /// # Errors
    /// Fewer than 2 axes, numbers that are not finite.
    pub fn affine(&self, matrix: [f64; 6], bilinear: bool, fill: f64, border: Option<Border>) -> Result<Tensor> {
        check_picture("affine", self)?;
        self.affine_to(matrix, (self.shape()[0], self.shape()[1]), bilinear, fill, border)
    }

    /// Returns what [`Tensor::affine`] does with another height and width: places are counted from the centres of both.
    ///
    /// # Errors
    /// As [`Tensor::affine`], and a size that is too large for the memory.
    pub fn affine_to(
        &self,
        matrix: [f64; 6],
        size: (usize, usize),
        bilinear: bool,
        fill: f64,
        border: Option<Border>,
    ) -> Result<Tensor> {
        check_picture("affine", self)?;
        if matrix.iter().chain([&fill]).any(|number| !number.is_finite()) {
            return Err(Error::data(format!("`affine` needs finite numbers, found {matrix:?} and {fill}")));
        }
        let array = self.to_host()?;
        let (height, width) = (self.shape()[0], self.shape()[1]);
        let channels: usize = self.shape()[2..].iter().product();
        let sample = Sample { height, width, channels, bilinear, fill: fill as f32, border };
        let data = array.as_f32();
        let mut shape = self.shape().to_vec();
        (shape[0], shape[1]) = size;
        let mut result = axes::room(axes::count(&shape)?)?;
        let middle = |height: usize, width: usize| ((width as f64 - 1.0) / 2.0, (height as f64 - 1.0) / 2.0);
        let ((middle_x, middle_y), (own_x, own_y)) = (middle(height, width), middle(size.0, size.1));
        let [a, b, c, d, e, f] = matrix;
        for row in 0..size.0 {
            for column in 0..size.1 {
                let (x, y) = (column as f64 - own_x, row as f64 - own_y);
                sample.push(&data, a * x + b * y + c + middle_x, d * x + e * y + f + middle_y, &mut result);
            }
        }
        let result = Array::from_f32(result, &shape)?;
        Ok(Tensor::Host(match array.dtype() {
            Dtype::U8 => {
                let round = |value: &f32| (value + 0.5).clamp(0.0, 255.0) as u8;
                Array::from_u8(result.as_f32().iter().map(round).collect(), &shape)?
            }
            Dtype::F64 => result.cast(Dtype::F64),
            _ => result,
        }))
    }

    /// Returns a picture (`[height, width, …]`) with one value in a rectangle, as far as it is inside.
    ///
    /// # Errors
    /// Fewer than 2 axes, and a value that the dtype cannot hold.
    pub fn erase(&self, top: isize, left: isize, height: usize, width: usize, value: Number) -> Result<Tensor> {
        fn fill<T: Element>(
            typed: &Typed<T>,
            rows: (usize, usize),
            columns: (usize, usize),
            value: T,
        ) -> Result<Array> {
            let shape = typed.shape().to_vec();
            let pixel: usize = shape[2..].iter().product();
            let mut data = array::slice(typed).into_owned();
            for row in rows.0..rows.1 {
                let line = row * shape[1];
                data[(line + columns.0) * pixel..(line + columns.1) * pixel].fill(value);
            }
            Array::new(data, &shape)
        }
        check_picture("erase", self)?;
        super::create::check_number(value, self.dtype())?;
        let span = |start: isize, size: usize, length: usize| {
            let end = start.saturating_add_unsigned(size).clamp(0, length as isize);
            (start.clamp(0, end) as usize, end as usize)
        };
        let (rows, columns) = (span(top, height, self.shape()[0]), span(left, width, self.shape()[1]));
        let array = self.to_host()?;
        let erased = array::each!(&array, typed => fill(typed, rows, columns, Element::from_number(value)))?;
        Ok(Tensor::Host(erased))
    }

    /// Returns a picture (`[height, width, …]`) with another one on it, whose upper left pixel is at a row and a column,
    /// as far as it is inside.
    ///
    /// # Errors
    /// Fewer than 2 axes, other channels or another dtype.
    pub fn paste(&self, picture: &Tensor, top: isize, left: isize) -> Result<Tensor> {
        fn put<T: Element>(onto: &Typed<T>, picture: &[T], size: (usize, usize), at: (isize, isize)) -> Result<Array> {
            let shape = onto.shape().to_vec();
            let pixel: usize = shape[2..].iter().product();
            let mut data = array::slice(onto).into_owned();
            let columns = (at.1.max(0), (at.1.saturating_add_unsigned(size.1)).min(shape[1] as isize));
            for row in 0..size.0 {
                let to = at.0.saturating_add_unsigned(row);
                if to < 0 || to >= shape[0] as isize || columns.1 <= columns.0 {
                    continue;
                }
                let count = (columns.1 - columns.0) as usize * pixel;
                let from = (row * size.1 + (columns.0 - at.1) as usize) * pixel;
                let to = (to as usize * shape[1] + columns.0 as usize) * pixel;
                data[to..to + count].copy_from_slice(&picture[from..from + count]);
            }
            Array::new(data, &shape)
        }
        check_picture("paste", self)?;
        check_picture("paste", picture)?;
        if self.shape()[2..] != picture.shape()[2..] || self.dtype() != picture.dtype() {
            return Err(Error::data(format!(
                "a picture of shape {:?} ({}) does not go on one of shape {:?} ({})",
                picture.shape(),
                picture.dtype(),
                self.shape(),
                self.dtype()
            ))
            .hint("both need the same channels and the same dtype"));
        }
        let (onto, picture) = (self.to_host()?, picture.to_host()?);
        let size = (picture.shape()[0], picture.shape()[1]);
        let pasted = match (&onto, &picture) {
            (Array::F32(onto), Array::F32(picture)) => put(onto, &array::slice(picture), size, (top, left)),
            (Array::F64(onto), Array::F64(picture)) => put(onto, &array::slice(picture), size, (top, left)),
            (Array::I64(onto), Array::I64(picture)) => put(onto, &array::slice(picture), size, (top, left)),
            (Array::U8(onto), Array::U8(picture)) => put(onto, &array::slice(picture), size, (top, left)),
            _ => Err(Error::data("the pictures have different dtypes")),
        }?;
        Ok(Tensor::Host(pasted))
    }

    /// Returns a picture of red, green and blue as one of grey, `[height, width, 1]`: 0.299, 0.587 and 0.114 of them
    /// (ITU-R 601, as Pillow and Keras have it). u8 stays u8, by Pillow's whole numbers.
    ///
    /// # Errors
    /// Another last axis than 3.
    pub fn grayscale(&self) -> Result<Tensor> {
        if self.shape().last() != Some(&3) {
            return Err(Error::data(format!(
                "`grayscale` needs 3 channels on the last axis, found shape {:?}",
                self.shape()
            ))
            .hint("red, green and blue, in this order"));
        }
        let array = self.to_host()?;
        let mut shape = self.shape().to_vec();
        shape[self.rank() - 1] = 1;
        Ok(Tensor::Host(match array.dtype() {
            Dtype::U8 => {
                let grey = |pixel: &[u8]| {
                    let [r, g, b] = [pixel[0], pixel[1], pixel[2]].map(u32::from);
                    ((r * 19595 + g * 38470 + b * 7471 + 32768) >> 16) as u8
                };
                Array::from_u8(array.as_u8().chunks_exact(3).map(grey).collect(), &shape)?
            }
            _ => {
                let grey = |pixel: &[f64]| (0.299 * pixel[0] + 0.587 * pixel[1] + 0.114 * pixel[2]) as f32;
                let grey = Array::from_f32(array.as_f64().chunks_exact(3).map(grey).collect(), &shape)?;
                if array.dtype() == Dtype::F64 { grey.cast(Dtype::F64) } else { grey }
            }
        }))
    }

    /// Picks the slices at checked places along an axis.
    fn pick(&self, places: &[usize], axis: usize) -> Result<Tensor> {
        let places = Array::from_i64(places.iter().map(|&place| place as i64).collect(), &[places.len()])?;
        self.take(&places.into(), axis as isize)
    }
}

/// How pixels between pixels are made.
struct Sample {
    height: usize,
    width: usize,
    channels: usize,
    bilinear: bool,
    fill: f32,
    border: Option<Border>,
}

impl Sample {
    fn push(&self, data: &[f32], x: f64, y: f64, result: &mut Vec<f32>) {
        if !self.bilinear {
            // Halves go to the even neighbour, as torchvision rounds.
            let pixel = self.pixel(x.round_ties_even(), y.round_ties_even());
            return (0..self.channels).for_each(|channel| result.push(self.value(data, pixel, channel)));
        }
        let (left, top) = (x.floor(), y.floor());
        let (right_share, bottom_share) = ((x - left) as f32, (y - top) as f32);
        let corners = [
            (self.pixel(left, top), (1.0 - right_share) * (1.0 - bottom_share)),
            (self.pixel(left + 1.0, top), right_share * (1.0 - bottom_share)),
            (self.pixel(left, top + 1.0), (1.0 - right_share) * bottom_share),
            (self.pixel(left + 1.0, top + 1.0), right_share * bottom_share),
        ];
        for channel in 0..self.channels {
            // A corner of weight 0 does not count, even where it is not a number.
            let corners = corners.iter().filter(|(_, share)| *share != 0.0);
            result.push(corners.map(|&(pixel, share)| self.value(data, pixel, channel) * share).sum());
        }
    }

    /// Returns the place of a pixel in the data, or `None` beyond the border.
    fn pixel(&self, x: f64, y: f64) -> Option<usize> {
        let inside = x >= 0.0 && y >= 0.0 && x < self.width as f64 && y < self.height as f64;
        let (x, y) = (x as isize, y as isize);
        let (x, y) = match self.border {
            _ if inside => (x as usize, y as usize),
            Some(border) => (border.inside(x, self.width), border.inside(y, self.height)),
            None => return None,
        };
        Some((y * self.width + x) * self.channels)
    }

    fn value(&self, data: &[f32], pixel: Option<usize>, channel: usize) -> f32 {
        pixel.map_or(self.fill, |pixel| data[pixel + channel])
    }
}

fn check_picture(what: &str, tensor: &Tensor) -> Result<()> {
    match tensor.rank() >= 2 {
        true => Ok(()),
        false => Err(Error::data(format!("`{what}` needs a picture, found shape {:?}", tensor.shape()))
            .hint("its axes are height, width, channels")),
    }
}
