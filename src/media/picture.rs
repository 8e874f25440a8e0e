//! Pictures: PNG and JPEG, recognised by their first bytes, as `[height, width, channels]` of u8.

use std::io::Cursor;

use image::ImageReader;

use crate::error::{Error, Result};
use crate::tensor::{Array, Tensor};

/// The channels a picture is brought to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Channels {
    /// Those that the file has: grey 1, grey with opacity 2, colour 3, colour with opacity 4.
    AsStored,
    /// Grey, by [`Tensor::grayscale`]; opacity is left out.
    Grey,
    /// Red, green, blue; opacity is left out.
    Colour,
    /// Red, green, blue, opacity.
    Opacity,
}

impl Channels {
    /// Returns the channels of a number: 1, 3 or 4.
    ///
    /// # Errors
    /// Any other number.
    pub fn of(count: u64) -> Result<Channels> {
        match count {
            1 => Ok(Channels::Grey),
            3 => Ok(Channels::Colour),
            4 => Ok(Channels::Opacity),
            _ => Err(Error::data(format!("`channels`: expected 1, 3 or 4, found {count}"))),
        }
    }
}

/// Decodes a picture. 16 bits a channel become 8, colours of a palette colours of their own. The orientation that a
/// camera noted beside a JPEG picture is not applied, as Pillow and torchvision do not apply it unasked.
///
/// # Errors
/// Another format, and a file that is damaged or cut off.
pub fn picture(bytes: &[u8], channels: Channels) -> Result<Tensor> {
    let reader = ImageReader::new(Cursor::new(bytes))
        .with_guessed_format()
        .map_err(|error| Error::data(format!("the picture cannot be read: {error}")))?;
    if reader.format().is_none() {
        return Err(match bytes {
            [] => Error::data("the picture is empty: a file of 0 bytes"),
            _ => Error::data(format!(
                "not a picture: neither PNG nor JPEG begins with the bytes {:02x?}",
                &bytes[..bytes.len().min(4)]
            )),
        }
        .hint("other formats have to be converted: `mogrify -format png *.bmp`"));
    }
    let decoded = reader.decode().map_err(|error| {
        Error::data(format!("the picture is damaged or cut off: {}", error.to_string().to_lowercase()))
            .hint("copy or download it again, or leave such records out with `on_error`")
    })?;
    let (height, width) = (decoded.height() as usize, decoded.width() as usize);
    let colour = decoded.color().has_color();
    let (data, count) = match channels {
        Channels::AsStored => match (colour, decoded.color().has_alpha()) {
            (false, false) => (decoded.into_luma8().into_raw(), 1),
            (false, true) => (decoded.into_luma_alpha8().into_raw(), 2),
            (true, false) => (decoded.into_rgb8().into_raw(), 3),
            (true, true) => (decoded.into_rgba8().into_raw(), 4),
        },
        Channels::Grey if !colour => (decoded.into_luma8().into_raw(), 1),
        Channels::Grey => {
            let colours = Array::from_u8(decoded.into_rgb8().into_raw(), &[height, width, 3])?;
            return Tensor::from(colours).grayscale();
        }
        Channels::Colour => (decoded.into_rgb8().into_raw(), 3),
        Channels::Opacity => (decoded.into_rgba8().into_raw(), 4),
    };
    Ok(Array::from_u8(data, &[height, width, count])?.into())
}
