//! Pictures: PNG, JPEG, WebP, GIF, BMP, TIFF and PNM, recognised by their first bytes, as `[height, width, channels]` of u8.

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

/// Decodes a picture. 16 bits a channel become 8, colours of a palette colours of their own; of a moving picture (GIF,
/// WebP) the first frame is taken, of a TIFF file its first page. The orientation that a camera noted beside a JPEG
/// picture is not applied, as Pillow and torchvision do not apply it unasked.
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
                "not a picture: none of PNG, JPEG, WebP, GIF, BMP, TIFF and PNM begins with the bytes {:02x?}",
                &bytes[..bytes.len().min(4)]
            )),
        }
        .hint("other formats have to be converted: `mogrify -format png *.heic`"));
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

/// Returns a picture as a file: `[height, width]` or `[height, width, channels]` of u8 with 1 to 4 channels, as
/// PNG, or as JPEG of quality 90 with 1 or 3.
///
/// # Errors
/// Another dtype, other shapes, and channels that the format does not have.
pub fn picture_bytes(picture: &Tensor, jpeg: bool) -> Result<Vec<u8>> {
    use image::{ExtendedColorType, ImageEncoder};
    if picture.dtype() != crate::tensor::Dtype::U8 || !(2..=3).contains(&picture.rank()) {
        return Err(Error::data(format!(
            "a picture to be written is u8 of shape [height, width, channels], found {} of shape {:?}",
            picture.dtype(),
            picture.shape()
        ))
        .hint("`(picture * 255).round().to_u8()` makes bytes of numbers from 0 to 1"));
    }
    let array = picture.to_host()?;
    let color = match (array.shape().get(2).copied().unwrap_or(1), jpeg) {
        (1, _) => ExtendedColorType::L8,
        (3, _) => ExtendedColorType::Rgb8,
        (2, false) => ExtendedColorType::La8,
        (4, false) => ExtendedColorType::Rgba8,
        (count, true) => return Err(Error::data(format!("JPEG has 1 or 3 channels, found {count}"))),
        (count, false) => return Err(Error::data(format!("PNG has 1 to 4 channels, found {count}"))),
    };
    let length = |at: usize| u32::try_from(array.shape()[at]).ok().filter(|length| *length > 0);
    let (Some(height), Some(width)) = (length(0), length(1)) else {
        return Err(Error::data(format!("a picture of shape {:?} cannot be written", array.shape())));
    };
    let mut bytes = Vec::new();
    let data = array.as_u8();
    match jpeg {
        true => {
            image::codecs::jpeg::JpegEncoder::new_with_quality(&mut bytes, 90).write_image(&data, width, height, color)
        }
        false => image::codecs::png::PngEncoder::new(&mut bytes).write_image(&data, width, height, color),
    }
    .map_err(|error| Error::data(format!("the picture cannot be written: {}", error.to_string().to_lowercase())))?;
    Ok(bytes)
}
