//! Where pixels go: sizes, parts, shifts, turns.

use super::origin::Origin;
use super::settings::whole;
use super::{Operation, Pixels, Settings, unknown};
use crate::error::{Error, Result};
use crate::record::Value;
use crate::tensor::{Filter, Number, Tensor};

/// Another size.
pub const RESIZE: Operation = Operation {
    name: "resize",
    text: "in another size. Options: `size`, `[height, width]`, of which one may be `()`: it keeps the ratio; `method`, \
           `\"bilinear\"` (the default), `\"nearest\"` or `\"box\"`.",
    make: |settings| {
        let filter = filter(settings)?;
        let value = settings.need("size")?;
        let expected = "[height, width], whole numbers of at least 1, one of which may be ()";
        let sides: Vec<Value> = match &value {
            Value::List(list) => list.to_vec(),
            Value::Tensor(tensor) if tensor.rank() == 1 => {
                tensor.to_host()?.to_f64_vec().into_iter().map(Value::Float).collect()
            }
            _ => Vec::new(),
        };
        let side = |side: &Value| match side {
            Value::Null => Some(None),
            Value::Int(length) => usize::try_from(*length).ok().filter(|length| *length > 0).map(Some),
            Value::Float(length) => whole(*length).and_then(|length| usize::try_from(length).ok()).map(Some),
            _ => None,
        };
        let sides = match sides.as_slice() {
            [height, width] => side(height).zip(side(width)).filter(|sides| *sides != (None, None)),
            _ => None,
        };
        let (height, width) = sides.ok_or_else(|| settings.wrong("size", expected, &value))?;
        Ok(Box::new(move |picture, _| {
            let (own_height, own_width) = size(picture);
            let keep = |own: usize, given: usize, other: usize| (own as u128 * given as u128 / other as u128) as usize;
            let height = height.unwrap_or_else(|| keep(own_height, width.unwrap_or(1), own_width).max(1));
            let width = width.unwrap_or_else(|| keep(own_width, height, own_height).max(1));
            picture.resize(height, width, filter)
        }))
    },
};

/// Larger or smaller by a factor.
pub const SCALE: Operation = Operation {
    name: "scale",
    text: "larger or smaller. Options: `factor`, one or `[rows, columns]`; `preserve_shape`, true to cut the result to the \
           size it had, or to put it on black of that size, at `origin` (`\"center\"`, see `crop`); `method` as for `resize`.",
    make: |settings| {
        let filter = filter(settings)?;
        let value = settings.need("factor")?;
        let factor = super::settings::pair(&value).filter(|(rows, columns)| *rows > 0.0 && *columns > 0.0);
        let factor = factor.ok_or_else(|| settings.wrong("factor", "a number above 0, or two of them", &value))?;
        let preserve = settings.flag("preserve_shape")?;
        let origin = Origin::take(settings, Origin::Center)?;
        Ok(Box::new(move |picture, random| {
            let own = size(picture);
            let scaled = |length: usize, factor: f64| ((length as f64 * factor).ceil() as usize).max(1);
            let scaled = picture.resize(scaled(own.0, factor.0), scaled(own.1, factor.1), filter)?;
            if !preserve {
                return Ok(scaled);
            }
            let found = size(&scaled);
            let part = (found.0.min(own.0), found.1.min(own.1));
            let (top, left) = origin.place(part, found, random);
            let part = window(&scaled, (top, left), part, 0.0)?;
            let (top, left) = origin.place(size(&part), own, random);
            window(&part, (-top, -left), own, 0.0)
        }))
    },
};

/// A part.
pub const CROP: Operation = Operation {
    name: "crop",
    text: "cut out. Options: `shape`, `[height, width]`; `origin`, where its upper left corner is: `\"center\"` (the default), \
           `\"top_left\"`, `\"top_right\"`, `\"bottom_left\"`, `\"bottom_right\"`, `\"random\"`, whole numbers `[row, column]`, or \
           shares from 0 to below 1 of the places inside; `fill`, what stands outside of the picture (0); \
           `crop_boundaries`, true to leave out what is outside.",
    make: |settings| {
        let shape = settings.size("shape")?;
        let shape =
            shape.ok_or_else(|| Error::data("`crop` needs the option `shape`").hint("`shape: [height, width]`"))?;
        let origin = Origin::take(settings, Origin::Center)?;
        let boundaries = settings.flag("crop_boundaries")?;
        let fill = settings.number("fill")?.unwrap_or(0.0);
        Ok(Box::new(move |picture, random| {
            let own = size(picture);
            let (top, left) = origin.place(shape, own, random);
            if !boundaries {
                return window(picture, (top, left), shape, fill);
            }
            let (rows, columns) = (inside(top, shape.0, own.0), inside(left, shape.1, own.1));
            if rows.1 <= rows.0 || columns.1 <= columns.0 {
                return Err(Error::data(format!("`crop` at row {top}, column {left} is outside of the picture")));
            }
            picture.crop(rows.0, columns.0, rows.1 - rows.0, columns.1 - columns.0)
        }))
    },
};

/// On something else.
pub const PUT_ON_BACKGROUND: Operation = Operation {
    name: "put_on_background",
    text: "on another picture. Options: `background`, a picture with as many channels; `origin`, where on it, as for `crop`; \
           `mask`, `[height, width]` of the picture, how much of it is seen: white for all, black for nothing, and a mixture \
           of both between.",
    make: |settings| {
        let background = settings.picture("background")?;
        let mask = match settings.take("mask") {
            None => None,
            Some(mask) => Some(Settings::new("put_on_background", vec![("mask".into(), mask)]).picture("mask")?),
        };
        let origin = Origin::take(settings, Origin::Center)?;
        Ok(Box::new(move |picture, random| {
            let (top, left) = origin.place(size(picture), size(&background), random);
            let Some(mask) = &mask else { return background.paste(picture, top, left) };
            let below = window(&background, (top, left), size(picture), 0.0)?;
            background.paste(&mixed(picture, &below, mask)?, top, left)
        }))
    },
};

/// Returns a picture over one of the same shape, as far as a mask lets it be seen; whole numbers are rounded to the nearest, as
/// Pillow does it.
fn mixed(picture: &Tensor, below: &Tensor, mask: &Tensor) -> Result<Tensor> {
    let (mut over, below, mask) = (Pixels::of(picture)?, Pixels::of(below)?, Pixels::of(mask)?);
    if mask.channels != 1 || (mask.height, mask.width) != (over.height, over.width) {
        return Err(Error::data(format!(
            "`mask` of `put_on_background`: expected a picture of shape [{}, {}], found {:?}",
            over.height, over.width, mask.shape
        )));
    }
    if over.shape != below.shape {
        // The background says it better.
        return Ok(picture.clone());
    }
    let (white, rounding) = (mask.white(), if over.dtype.is_float() { 0.0 } else { 0.5 });
    let pixels = over.data.chunks_exact_mut(over.channels).zip(below.data.chunks_exact(over.channels));
    for ((over, below), mask) in pixels.zip(&mask.data) {
        let seen = (mask / white).clamp(0.0, 1.0);
        over.iter_mut().zip(below).for_each(|(over, below)| *over = *over * seen + below * (1.0 - seen) + rounding);
    }
    over.back()
}

/// Moved.
pub const SHIFT: Operation = Operation {
    name: "shift",
    text: "moved by whole pixels. Options: `offset`, `[down, right]`; `mode`, `\"const\"` (the default) to fill with `fill` (0) \
           what comes in, or `\"wrap\"` to fill it with what leaves.",
    make: |settings| {
        let value = settings.need("offset")?;
        let offset = super::settings::pair(&value).and_then(|(down, right)| whole(down).zip(whole(right)));
        let (down, right) = offset.ok_or_else(|| settings.wrong("offset", "[down, right], whole numbers", &value))?;
        let fill = settings.number("fill")?.unwrap_or(0.0);
        let wrap = match settings.text("mode")?.as_deref() {
            None | Some("const") => false,
            Some("wrap") => true,
            Some(other) => return Err(unknown("mode", other, &["const", "wrap"])),
        };
        Ok(Box::new(move |picture, _| match wrap {
            true => picture.roll(down, 0)?.roll(right, 1),
            false => picture.shift(down, right, number(fill, picture)),
        }))
    },
};

/// With more around it.
pub const PAD: Operation = Operation {
    name: "pad",
    text: "with more around it. Options: `by`, a number of pixels for all sides, `[rows, columns]` or \
           `[top, bottom, left, right]`; `fill`, a number (0), or `\"reflect\"` or `\"edge\"`.",
    make: |settings| {
        let value = settings.need("by")?;
        let widths = Settings::new("pad", vec![("by".into(), value.clone())]).wholes("by")?.unwrap_or_default();
        let widths: Option<Vec<usize>> = widths.into_iter().map(|width| usize::try_from(width).ok()).collect();
        let (rows, columns) = match widths.as_deref() {
            Some([all]) => ((*all, *all), (*all, *all)),
            Some([rows, columns]) => ((*rows, *rows), (*columns, *columns)),
            Some([top, bottom, left, right]) => ((*top, *bottom), (*left, *right)),
            _ => return Err(settings.wrong("by", "1, 2 or 4 whole numbers of at least 0", &value)),
        };
        let (fill, border) = settings.fill("fill")?;
        Ok(Box::new(move |picture, _| {
            let mut widths = vec![(0, 0); picture.rank()];
            (widths[0], widths[1]) = (rows, columns);
            match border {
                Some(border) => picture.pad_border(&widths, border),
                None => picture.pad(&widths, number(fill, picture)),
            }
        }))
    },
};

/// Turned.
pub const ROTATE: Operation = Operation {
    name: "rotate",
    text: "turned. Options: `angle`, degrees against the clock; `expand`, true to make it large enough for all of the \
           picture; `center`, `[row, column]` of the point that stays, counted from the upper left corner (by default \
           the middle); `method`, `\"bilinear\"` (the default) or `\"nearest\"`; `fill`, a number (0), `\"reflect\"` or `\"edge\"`.",
    make: |settings| {
        let value = settings.need("angle")?;
        let angle = Settings::new("rotate", vec![("angle".into(), value)]).number("angle")?.unwrap_or(0.0);
        let expand = settings.flag("expand")?;
        let center = match settings.take("center") {
            None => None,
            Some(value) => Some(
                super::settings::pair(&value)
                    .ok_or_else(|| settings.wrong("center", "[row, column], numbers", &value))?,
            ),
        };
        let bilinear = match settings.text("method")?.as_deref() {
            None | Some("bilinear") => true,
            Some("nearest") => false,
            Some(other) => return Err(unknown("method", other, &["bilinear", "nearest"])),
        };
        let (fill, border) = settings.fill("fill")?;
        let (sine, cosine) = match angle.rem_euclid(360.0) {
            // Quarter turns are exact.
            0.0 => (0.0, 1.0),
            90.0 => (1.0, 0.0),
            180.0 => (0.0, -1.0),
            270.0 => (-1.0, 0.0),
            other => other.to_radians().sin_cos(),
        };
        Ok(Box::new(move |picture, _| {
            let (height, width) = size(picture);
            let (height, width) = (height as f64, width as f64);
            // The point that stays, from the middle.
            let (y, x) = center.map_or((0.0, 0.0), |(row, column)| (row - height / 2.0, column - width / 2.0));
            let mut matrix = [cosine, -sine, x - (cosine * x - sine * y), sine, cosine, y - (sine * x + cosine * y)];
            let mut grown = size(picture);
            if expand {
                // Where the corners come to, from the upper left corner of the result, as Pillow has it.
                let corners = [(0.0, 0.0), (width, 0.0), (width, height), (0.0, height)];
                let place = |(column, row): (f64, f64)| {
                    let (x, y) = (column - width / 2.0, row - height / 2.0);
                    let (x, y) = (cosine * x + sine * y, -sine * x + cosine * y);
                    (x + width / 2.0, y + height / 2.0)
                };
                let corners = corners.map(place);
                let span = |values: [f64; 4]| {
                    let least = values.into_iter().fold(f64::MAX, f64::min);
                    let most = values.into_iter().fold(f64::MIN, f64::max);
                    // A corner that rounding moved past a pixel does not make the result larger.
                    ((most - 1e-9).ceil() - (least + 1e-9).floor()).max(1.0) as usize
                };
                grown = (span(corners.map(|(_, y)| y)), span(corners.map(|(x, _)| x)));
                if sine == 0.0 || cosine == 0.0 {
                    // Quarter turns need no more room than the picture has.
                    grown = if sine == 0.0 { size(picture) } else { (width as usize, height as usize) };
                }
                (matrix[2], matrix[5]) = (0.0, 0.0);
            }
            picture.affine_to(matrix, grown, bilinear, fill, border)
        }))
    },
};

/// Mirrored.
pub const FLIP: Operation = Operation {
    name: "flip",
    text: "mirrored. Option: `mode`, `\"lr\"` (the default) left to right, or `\"ud\"` upside down.",
    make: |settings| {
        let axis = match settings.text("mode")?.as_deref() {
            None | Some("lr") => 1,
            Some("ud") => 0,
            Some(other) => return Err(unknown("mode", other, &["lr", "ud"])),
        };
        Ok(Box::new(move |picture, _| picture.flip(axis)))
    },
};

fn filter(settings: &mut Settings) -> Result<Filter> {
    Filter::parse(settings.text("method")?.as_deref().unwrap_or("bilinear"), true)
}

/// Returns height and width.
pub fn size(picture: &Tensor) -> (usize, usize) {
    (picture.shape()[0], picture.shape()[1])
}

/// Returns a number as the picture's dtype has it.
fn number(value: f64, picture: &Tensor) -> Number {
    match (picture.dtype().is_float(), whole(value)) {
        (false, Some(value)) => Number::Int(value as i64),
        _ => Number::Float(value),
    }
}

/// Returns the first and the last place, excluded, of a span that are within a length.
fn inside(start: isize, count: usize, length: usize) -> (isize, isize) {
    (start.clamp(0, length as isize), start.saturating_add_unsigned(count).clamp(0, length as isize))
}

/// Returns a rectangle of a picture, which may lie outside of it.
fn window(picture: &Tensor, at: (isize, isize), shape: (usize, usize), fill: f64) -> Result<Tensor> {
    let own = size(picture);
    let (rows, columns) = (inside(at.0, shape.0, own.0), inside(at.1, shape.1, own.1));
    let part = picture.crop(rows.0, columns.0, rows.1 - rows.0, columns.1 - columns.0)?;
    // What lies before the picture, of what is asked for.
    let around = |start: isize, count: usize, part: (isize, isize)| {
        let inner = (part.1 - part.0) as usize;
        let before = if inner == 0 { 0 } else { (part.0 - start).max(0) as usize };
        (before, count - inner - before)
    };
    let mut widths = vec![(0, 0); picture.rank()];
    (widths[0], widths[1]) = (around(at.0, shape.0, rows), around(at.1, shape.1, columns));
    match widths.iter().all(|width| *width == (0, 0)) {
        true => Ok(part),
        false => part.pad(&widths, number(fill, picture)),
    }
}
