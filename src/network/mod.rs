//! Networks as static graphs: symbolic layers, sorted once, run by composing Candle operations.

mod layer;

pub use layer::{Layer, Pass, Shape, Weight};
mod initializer;
pub use initializer::Initializer;
