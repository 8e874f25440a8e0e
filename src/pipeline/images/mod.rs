//! Operations on the pictures of a batch: one item after another or on all cores, with a probability and with
//! settings that may differ from item to item.
//!
//! A picture is a tensor `[height, width]` or `[height, width, channels]`. Sizes, places and shifts are in this
//! order, rows first. What is random about an operation is drawn from the item's own stream, so that results do not
//! depend on threads, and pictures and masks that are changed together are changed in the same way.

mod colour;
mod elastic;
mod filter;
mod geometry;
mod noise;
mod origin;
pub mod patches;
mod settings;

use crate::batch::Items;
use crate::error::{self, Error, Result};
use crate::pipeline::Index;
use crate::pipeline::parallel::{Target, run};
use crate::random::Random;
use crate::record::{Name, Value};
use crate::tensor::{Array, Dtype, Tensor};
pub use settings::Settings;

/// What is done to one picture.
pub type Change = Box<dyn Fn(&Tensor, &mut Random) -> Result<Tensor> + Send + Sync>;

/// An operation.
pub struct Operation {
    /// Its name.
    pub name: &'static str,
    /// What it does and what its settings are (Markdown).
    pub text: &'static str,
    /// Reads its settings.
    pub make: fn(&mut Settings) -> Result<Change>,
}

/// All operations.
pub const LIST: &[Operation] = &[
    geometry::RESIZE,
    geometry::SCALE,
    geometry::CROP,
    geometry::PUT_ON_BACKGROUND,
    geometry::SHIFT,
    geometry::PAD,
    geometry::ROTATE,
    geometry::FLIP,
    colour::INVERT,
    colour::CLIP,
    colour::THRESHOLD,
    colour::MULTIPLY,
    colour::ADD,
    colour::POSTERIZE,
    colour::ENHANCE,
    colour::GRAYSCALE,
    colour::TO_ARRAY,
    noise::SALT,
    noise::ADDITIVE_NOISE,
    noise::MULTIPLICATIVE_NOISE,
    noise::CUTOUT,
    filter::FILTER,
    elastic::ELASTIC_TRANSFORM,
];

/// Returns an operation by its name.
pub fn named(name: &str) -> Option<&'static Operation> {
    LIST.iter().find(|operation| operation.name == name)
}

/// What an operation is given: values for all items, and values with one for each of them.
#[derive(Clone, Debug, Default)]
pub struct Given {
    /// The same for all items.
    pub same: Vec<(Name, Value)>,
    /// One for each item.
    pub each: Vec<(Name, Vec<Value>)>,
}

/// How an operation goes through a batch.
#[derive(Clone, Copy, Debug)]
pub struct Pass<'a> {
    /// The probability that an item is changed.
    pub chance: Option<f64>,
    /// The draws of the call.
    pub draw: &'a Random,
    /// Where the work is done.
    pub target: Target,
    /// The most that work at the same time.
    pub workers: Option<usize>,
}

impl Operation {
    /// Returns the items of a component after the operation.
    ///
    /// # Errors
    /// Unknown or wrong settings, items that are no pictures, a value for each of another number of items: with the
    /// id of the item, where it is about one.
    pub fn apply(&self, items: &Items, ids: &Index, given: &Given, pass: Pass) -> Result<Items> {
        let count = items.len();
        for (name, values) in &given.each {
            if values.len() != count {
                return Err(Error::data(format!(
                    "option `{name}` of `{}`: expected {count} values, one for each item, found {}",
                    self.name,
                    values.len()
                )));
            }
        }
        let change = |item: Option<usize>| -> Result<Change> {
            let mut values = given.same.clone();
            let own = |(name, list): &(Name, Vec<Value>)| Some((name.clone(), list.get(item?)?.clone()));
            values.extend(given.each.iter().filter_map(own));
            let mut settings = Settings::new(self.name, values);
            match (self.make)(&mut settings) {
                Ok(change) => settings.finish().map(|()| change),
                Err(error) => Err(settings.refused(error)),
            }
        };
        // What is the same for all is read once, and refused before anything is done.
        let shared = if given.each.is_empty() { Some(change(None)?) } else { None };
        let results = run(count, pass.target, pass.workers, &|| (), &|(), item| -> Result<Value> {
            let value = items.get(item)?;
            if pass.chance.is_some_and(|p| pass.draw.derive(item as u64 * 2).uniform() >= p) {
                return Ok(value);
            }
            let Value::Tensor(picture) = &value else { return Err(no_picture(self.name, &value)) };
            if picture.rank() < 2 || picture.rank() > 3 || picture.shape().contains(&0) {
                return Err(no_picture(self.name, &value));
            }
            let own = if shared.is_some() { None } else { Some(change(Some(item))?) };
            let change = shared.as_ref().or(own.as_ref());
            let mut random = pass.draw.derive(item as u64 * 2 + 1);
            change.map_or_else(|| Ok(picture.clone()), |change| change(picture, &mut random)).map(Value::Tensor)
        });
        let failed = results.iter().filter(|result| result.is_err()).count();
        let mut values = Vec::with_capacity(count);
        for (item, result) in results.into_iter().enumerate() {
            values.push(result.map_err(|error| {
                let error = ids.id(item).map_or(error.clone(), |id| error.within(format!("item `{id}`")));
                match failed {
                    1 => error,
                    2 => error.hint("one more item failed"),
                    more => error.hint(format!("{} more items failed", more - 1)),
                }
            })?);
        }
        Ok(Items::assemble(values))
    }
}

fn no_picture(name: &str, value: &Value) -> Error {
    Error::data(format!("`{name}` needs a picture, found {}", value.describe()))
        .hint("a picture has the axes height, width and, if any, channels: `src` names the component that holds some")
}

/// Returns the error of a name that is not among those known.
fn unknown(what: &str, found: &str, known: &[&str]) -> Error {
    Error::data(format!("unknown {what} `{found}`"))
        .maybe_hint(error::did_you_mean(found, known.iter().copied()))
        .hint(format!("known: {}", error::list(known.iter().copied())))
}

/// The numbers of a picture, channel by channel within each pixel.
struct Pixels {
    data: Vec<f32>,
    height: usize,
    width: usize,
    channels: usize,
    shape: Vec<usize>,
    dtype: Dtype,
}

impl Pixels {
    fn of(picture: &Tensor) -> Result<Pixels> {
        let array = picture.to_host()?;
        let shape = array.shape().to_vec();
        let channels = shape[2..].iter().product();
        let (height, width, dtype) = (shape[0], shape[1], array.dtype());
        Ok(Pixels { data: array.as_f32().into_owned(), height, width, channels, shape, dtype })
    }

    /// The value of white.
    fn white(&self) -> f32 {
        if self.dtype.is_float() { 1.0 } else { 255.0 }
    }

    /// Returns the picture in a dtype; u8 is cut off at 0 and 255 and, as NumPy does it, rounded towards 0.
    fn into_tensor(self, dtype: Dtype) -> Result<Tensor> {
        let array = match dtype {
            Dtype::U8 => {
                Array::from_u8(self.data.iter().map(|value| value.clamp(0.0, 255.0) as u8).collect(), &self.shape)?
            }
            Dtype::F32 => Array::from_f32(self.data, &self.shape)?,
            other => Array::from_f32(self.data, &self.shape)?.cast(other),
        };
        Ok(array.into())
    }

    /// Returns the picture with its own dtype.
    fn back(self) -> Result<Tensor> {
        let dtype = self.dtype;
        self.into_tensor(dtype)
    }

    /// Returns a value for each channel: one for all, or as many as there are.
    fn of_channels(&self, values: &[f32], what: &str) -> Result<Vec<f32>> {
        match values {
            [one] => Ok(vec![*one; self.channels]),
            many if many.len() == self.channels => Ok(many.to_vec()),
            many => Err(Error::data(format!(
                "`{what}`: expected one number, or {} of them for the channels, found {}",
                self.channels,
                many.len()
            ))),
        }
    }
}

#[cfg(test)]
mod tests;
