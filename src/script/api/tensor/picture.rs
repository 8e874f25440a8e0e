//! What is done to pictures and series before training.

use rhai::plugin::*;
use rhai::{Array as List, Map};

use crate::error::Error;
use crate::script::api::arguments::{Answer, Num, float, number, place, whole};
use crate::script::api::options::Options;
use crate::script::traceback::raise;
use crate::tensor::{Border, Filter, Tensor};

/// Registers the functions.
pub fn register(module: &mut rhai::Module) {
    module.combine_flatten(exported_module!(functions));
}

/// Takes `method` and `fill`, a number or the name of a border.
fn sampling(options: &mut Options, function: &str) -> Answer<(bool, f64, Option<Border>)> {
    let method = options.text("method")?.unwrap_or_else(|| "bilinear".to_owned());
    let bilinear = match method.as_str() {
        "bilinear" => true,
        "nearest" => false,
        other => {
            return Err(raise(Error::script(format!(
                "option `method` of `{function}`: expected \"bilinear\" or \"nearest\", found {other:?}"
            ))));
        }
    };
    let fill = options.take("fill");
    match fill {
        None => Ok((bilinear, 0.0, None)),
        Some(fill) => match fill.as_immutable_string_ref() {
            Ok(name) => Ok((bilinear, 0.0, Some(Border::parse(&name).map_err(raise)?))),
            Err(_) => Ok((bilinear, float(&fill, &format!("`fill` of `{function}`"))?, None)),
        },
    }
}

fn lengths(list: &List, what: &str, wanted: usize) -> Answer<Vec<isize>> {
    let found = whole(&Dynamic::from(list.clone()), &format!("{what}: an array of {wanted} whole numbers"))?;
    match found.len() == wanted {
        true => Ok(found),
        false => Err(raise(Error::script(format!("{what}: expected {wanted} numbers, found {}", found.len())))),
    }
}

fn size(list: &List, what: &str) -> Answer<(usize, usize)> {
    let found = lengths(list, what, 2)?;
    match (usize::try_from(found[0]), usize::try_from(found[1])) {
        (Ok(height), Ok(width)) => Ok((height, width)),
        _ => Err(raise(Error::script(format!("{what}: a length is at least 0, found {found:?}")))),
    }
}

#[export_module]
mod functions {
    /// Returns a picture (height, width, channels) or a batch of them in another size, `[height, width]`. u8 stays
    /// u8. Options: `method`, `"bilinear"` (the default), `"nearest"` or `"box"`; `antialias`, false to let
    /// `"bilinear"` look at two neighbours only, also where it shrinks, as `tf.image.resize` does. The default is that
    /// of torchvision and Pillow.
    ///
    /// # Errors
    /// Another number of axes than 2 to 4.
    ///
    /// ```rhai
    /// tensor([[0.0, 4.0], [8.0, 12.0]]).resize([1, 1]) // => tensor([[6.0]])
    /// tensor([[0.0, 4.0]]).resize([1, 4], #{ method: "nearest" }) // => tensor([[0.0, 0.0, 4.0, 4.0]])
    /// ```
    #[rhai_fn(name = "resize", return_raw)]
    pub fn resize(tensor: Tensor, size: List) -> Answer<Tensor> {
        resize_with(tensor, size, Map::new())
    }

    #[rhai_fn(name = "resize", return_raw)]
    pub fn resize_with(tensor: Tensor, size: List, options: Map) -> Answer<Tensor> {
        let (height, width) = super::size(&size, "`size` of `resize`")?;
        let mut options = Options::new("resize", options);
        let method = options.text("method")?;
        let antialias = options.flag("antialias")?.unwrap_or(true);
        options.finish()?;
        let filter = Filter::parse(method.as_deref().unwrap_or("bilinear"), antialias).map_err(raise)?;
        tensor.resize(height, width, filter).map_err(raise)
    }

    /// Returns the tensor with the order along an axis reversed: `flip(0)` turns a picture upside down, `flip(1)`
    /// mirrors it left to right.
    ///
    /// ```rhai
    /// tensor([[1, 2], [3, 4]]).flip(1) // => tensor([[2, 1], [4, 3]])
    /// ```
    #[rhai_fn(name = "flip", return_raw)]
    pub fn flip(tensor: Tensor, axis: i64) -> Answer<Tensor> {
        tensor.flip(place(axis)).map_err(raise)
    }

    /// Returns the tensor moved along an axis; what leaves at one end comes in at the other.
    ///
    /// ```rhai
    /// tensor([1, 2, 3, 4]).roll(1, 0) // => tensor([4, 1, 2, 3])
    /// ```
    #[rhai_fn(name = "roll", return_raw)]
    pub fn roll(tensor: Tensor, shift: i64, axis: i64) -> Answer<Tensor> {
        tensor.roll(place(shift), place(axis)).map_err(raise)
    }

    /// Returns a picture moved down and to the right by whole pixels (negative: up and to the left); what comes in is
    /// `fill`.
    ///
    /// # Errors
    /// Fewer than 2 axes.
    ///
    /// ```rhai
    /// tensor([[1, 2], [3, 4]]).shift(0, 1, 9) // => tensor([[9, 1], [9, 3]])
    /// ```
    #[rhai_fn(name = "shift", return_raw)]
    pub fn shift(tensor: Tensor, down: i64, right: i64, fill: Num) -> Answer<Tensor> {
        tensor.shift(place(down), place(right), number(&fill)?).map_err(raise)
    }

    /// Returns a part of a picture: `height` by `width` pixels from row `top` and column `left`.
    ///
    /// # Errors
    /// A part that is not wholly inside.
    ///
    /// ```rhai
    /// tensor([[1, 2, 3], [4, 5, 6]]).crop(0, 1, 2, 2) // => tensor([[2, 3], [5, 6]])
    /// ```
    #[rhai_fn(name = "crop", return_raw)]
    pub fn crop(tensor: Tensor, top: i64, left: i64, height: i64, width: i64) -> Answer<Tensor> {
        tensor.crop(place(top), place(left), place(height), place(width)).map_err(raise)
    }

    /// Returns a picture turned by quarter turns, counted against the clock.
    ///
    /// ```rhai
    /// tensor([[1, 2], [3, 4]]).rotate90(1) // => tensor([[2, 4], [1, 3]])
    /// ```
    #[rhai_fn(name = "rotate90", return_raw)]
    pub fn rotate90(tensor: Tensor, turns: i64) -> Answer<Tensor> {
        tensor.rotate90(place(turns)).map_err(raise)
    }

    /// Returns a picture turned about its centre by degrees, against the clock. Options: `method`, `"bilinear"` (the
    /// default) or `"nearest"`; `fill`, a number (0) or `"reflect"` or `"edge"`, for what comes in from outside.
    ///
    /// ```rhai
    /// tensor([[1.0, 2.0], [3.0, 4.0]]).rotate(180).round() // => tensor([[4.0, 3.0], [2.0, 1.0]])
    /// ```
    #[rhai_fn(name = "rotate", return_raw)]
    pub fn rotate(tensor: Tensor, degrees: Num) -> Answer<Tensor> {
        rotate_with(tensor, degrees, Map::new())
    }

    #[rhai_fn(name = "rotate", return_raw)]
    pub fn rotate_with(tensor: Tensor, degrees: Num, options: Map) -> Answer<Tensor> {
        let angle = float(&degrees, "`degrees` of `rotate`")?.to_radians();
        let mut options = Options::new("rotate", options);
        let (bilinear, fill, border) = sampling(&mut options, "rotate")?;
        options.finish()?;
        // Rows count downwards, so that a turn against the clock takes each pixel from its place with the clock.
        let (sine, cosine) = angle.sin_cos();
        tensor.affine([cosine, -sine, 0.0, sine, cosine, 0.0], bilinear, fill, border).map_err(raise)
    }

    /// Returns a picture whose pixel at column `x` and row `y`, counted from the centre, is taken from
    /// `(a * x + b * y + c, d * x + e * y + f)`; the six numbers are `matrix`. Options as for `rotate`.
    ///
    /// ```rhai
    /// tensor([[1.0, 2.0], [3.0, 4.0]]).affine([1, 0, 1, 0, 1, 0]) // => tensor([[2.0, 0.0], [4.0, 0.0]])
    /// ```
    #[rhai_fn(name = "affine", return_raw)]
    pub fn affine(tensor: Tensor, matrix: List) -> Answer<Tensor> {
        affine_with(tensor, matrix, Map::new())
    }

    #[rhai_fn(name = "affine", return_raw)]
    pub fn affine_with(tensor: Tensor, matrix: List, options: Map) -> Answer<Tensor> {
        let numbers = matrix.iter().map(|number| float(number, "`matrix` of `affine`")).collect::<Answer<Vec<_>>>()?;
        let matrix: [f64; 6] = numbers.try_into().map_err(|found: Vec<f64>| {
            raise(Error::script(format!("`matrix` of `affine`: expected 6 numbers, found {}", found.len())))
        })?;
        let mut options = Options::new("affine", options);
        let (bilinear, fill, border) = sampling(&mut options, "affine")?;
        options.finish()?;
        tensor.affine(matrix, bilinear, fill, border).map_err(raise)
    }

    /// Returns a picture with one value in a rectangle, as far as that lies inside.
    ///
    /// ```rhai
    /// ones([2, 3]).erase(0, 1, 1, 5, 0) // => tensor([[1.0, 0.0, 0.0], [1.0, 1.0, 1.0]])
    /// ```
    #[rhai_fn(name = "erase", return_raw)]
    pub fn erase(tensor: Tensor, top: i64, left: i64, height: i64, width: i64, value: Num) -> Answer<Tensor> {
        let length = |length: i64| usize::try_from(length).unwrap_or(0);
        tensor.erase(place(top), place(left), length(height), length(width), number(&value)?).map_err(raise)
    }

    /// Returns a picture of red, green and blue in grey, `[height, width, 1]`.
    ///
    /// # Errors
    /// Another number of channels than 3.
    ///
    /// ```rhai
    /// tensor([[[255, 0, 0], [255, 255, 255]]]).to_u8().grayscale().flatten() // => tensor([76, 255]).to_u8()
    /// ```
    #[rhai_fn(name = "grayscale", return_raw)]
    pub fn grayscale(tensor: Tensor) -> Answer<Tensor> {
        tensor.grayscale().map_err(raise)
    }

    /// Returns the tensor with places around it that are filled from within: `"reflect"` mirrors it at its border,
    /// `"edge"` repeats the border.
    ///
    /// ```rhai
    /// tensor([1, 2, 3]).pad([[2, 1]], "reflect") // => tensor([3, 2, 1, 2, 3, 2])
    /// tensor([1, 2, 3]).pad([[2, 1]], "edge") // => tensor([1, 1, 1, 2, 3, 3])
    /// ```
    #[rhai_fn(name = "pad", return_raw)]
    pub fn pad_border(tensor: Tensor, widths: List, border: &str) -> Answer<Tensor> {
        let pairs = super::super::shape::pairs(&widths)?;
        tensor.pad_border(&pairs, Border::parse(border).map_err(raise)?).map_err(raise)
    }
}
