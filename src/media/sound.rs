//! Sound: WAV files of whole numbers (8 to 32 bits) or floats, as `[samples, channels]` of f32 from -1 to 1.
//!
//! A file is a list of chunks: `fmt ` says how numbers are stored, `data` has them (RIFF, little-endian).

use crate::error::{Error, Result};
use crate::tensor::{Array, Tensor};

/// A decoded sound.
#[derive(Clone, Debug)]
pub struct Sound {
    /// `[samples, channels]`, f32 from -1 to 1.
    pub samples: Tensor,
    /// Samples a second.
    pub rate: u32,
}

/// Decodes a WAV file. Whole numbers are divided by the largest of their size (32768 for 16 bits), as torchaudio and
/// SciPy's users do.
///
/// # Errors
/// Another format, a compressed one, and a file that is cut off.
pub fn sound(bytes: &[u8]) -> Result<Sound> {
    let (Some(b"RIFF"), Some(b"WAVE")) = (bytes.get(..4), bytes.get(8..12)) else {
        return Err(Error::data("not a WAV file: expected `RIFF` and `WAVE` in its first 12 bytes")
            .hint("convert it: ffmpeg -i OLD NEW.wav"));
    };
    let mut format = None;
    let mut at = 12;
    while let Some(head) = bytes.get(at..at + 8) {
        let size = u32::from_le_bytes([head[4], head[5], head[6], head[7]]) as usize;
        let found = bytes.len() - at - 8;
        let chunk = bytes.get(at + 8..(at + 8).saturating_add(size));
        match (&head[..4], chunk) {
            (b"fmt ", Some(chunk)) => format = Some(Format::read(chunk)?),
            (b"data", Some(chunk)) => {
                let format = format.ok_or_else(|| Error::data("the file has numbers before it says what they are"))?;
                return format.decode(chunk);
            }
            (b"data", None) => {
                return Err(Error::data(format!(
                    "the file is cut off: {size} bytes of sound from byte {} on, found {found}",
                    at + 8
                ))
                .hint("copy or download it again"));
            }
            (_, None) => break,
            _ => {}
        }
        // Chunks begin at even places.
        at += 8 + size + size % 2;
    }
    Err(Error::data("the file has no sound: its chunk `data` is missing").hint("copy or download it again"))
}

/// How numbers are stored.
struct Format {
    float: bool,
    channels: usize,
    rate: u32,
    bits: u16,
}

impl Format {
    fn read(chunk: &[u8]) -> Result<Format> {
        if chunk.len() < 16 {
            return Err(Error::data(format!("its chunk `fmt ` has {} bytes, expected at least 16", chunk.len())));
        }
        let word = |at: usize| u16::from_le_bytes([chunk[at], chunk[at + 1]]);
        // Extensible files say in a second place what they are.
        let kind = match word(0) {
            0xfffe if chunk.len() >= 26 => word(24),
            kind => kind,
        };
        let (channels, bits) = (usize::from(word(2)), word(14));
        let rate = u32::from_le_bytes([chunk[4], chunk[5], chunk[6], chunk[7]]);
        match (kind, bits) {
            _ if channels == 0 => Err(Error::data("the file says that it has no channels")),
            (1, 8 | 16 | 24 | 32) => Ok(Format { float: false, channels, rate, bits }),
            (3, 32 | 64) => Ok(Format { float: true, channels, rate, bits }),
            _ => Err(Error::data(format!("sound of format {kind} with {bits} bits is not read"))
                .hint("convert it: ffmpeg -i OLD -c:a pcm_s16le NEW.wav")),
        }
    }

    fn decode(&self, data: &[u8]) -> Result<Sound> {
        let size = usize::from(self.bits / 8);
        let number = |b: &[u8]| match (self.float, self.bits) {
            (false, 8) => (f32::from(b[0]) - 128.0) / 128.0,
            (false, 16) => f32::from(i16::from_le_bytes([b[0], b[1]])) / 32768.0,
            (false, 24) => (i32::from_le_bytes([0, b[0], b[1], b[2]]) >> 8) as f32 / 8_388_608.0,
            (false, _) => (f64::from(i32::from_le_bytes([b[0], b[1], b[2], b[3]])) / 2_147_483_648.0) as f32,
            (true, 32) => f32::from_le_bytes([b[0], b[1], b[2], b[3]]),
            (true, _) => f64::from_le_bytes([b[0], b[1], b[2], b[3], b[4], b[5], b[6], b[7]]) as f32,
        };
        // A last sample that not all channels have is left out.
        let samples = data.len() / (size * self.channels);
        let numbers = data.chunks_exact(size).take(samples * self.channels).map(number).collect();
        let samples = Array::from_f32(numbers, &[samples, self.channels])?.into();
        Ok(Sound { samples, rate: self.rate })
    }
}
