//! Pictures, sound and words: what a file's bytes decode to, and what texts become.

mod picture;
mod sound;
mod vocabulary;

pub use picture::{Channels, picture, picture_bytes};
pub use sound::{Sound, sound};
pub use vocabulary::{Cutting, FILTERS, Padding, Vocabulary, WordCounts, pad_sequences};
