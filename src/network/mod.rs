//! Networks as static graphs: symbolic layers, sorted once, run by composing Candle operations.
//!
//! A [`Symbol`] stands for a value that a network will compute: an input, or a layer applied to other
//! symbols. [`Network::new`] walks back from the outputs, sorts what it meets, names the layers, and
//! declares the weights; [`Network::forward`] runs the layers in that order with Candle's autograd.
//! The built-in layers are in [`layers::LIST`], the initial values of their weights in
//! [`initializer::LIST`], the activations in [`activation::LIST`], penalties
//! on weights and values in [`regularizer::LIST`], rules for weights in [`constraint::LIST`].
//!
//! [`Layer::compose`] is the reference on any device; a [`Kernel`] is a second, optional way to run the same
//! layer on a CPU, and a [`Plan`] runs a whole network so, over weights in one slice ([`FlatWeights`]).

pub mod kernel;
mod layer;
mod shape;
mod symbol;

mod description;
mod graph;
mod names;
mod not_finite;
mod pattern;
mod sequential;
mod summary;

pub mod activation;
mod component;
pub mod constraint;
mod gradient;
pub mod initializer;
pub mod layers;
pub mod onnx;
pub mod plan;
pub mod pytorch;
pub mod regularizer;
pub mod transfer;
mod window;

pub use activation::Activation;
pub use constraint::Constraint;
pub use description::LayerInfo;
pub use graph::{Network, Port, WeightInfo};
pub use initializer::Initializer;
pub use kernel::Kernel;
pub use layer::{Bound, Integers, Layer, Named, Pass, Shape, Weight};
pub use layers::LayerEntry;
pub use not_finite::NotFinite;
pub use plan::{FlatWeights, Plan};
pub use regularizer::Regularizer;
pub use sequential::{render, sequential_from_config};
pub use shape::show_shape;
pub use symbol::{INPUT_PARAMETERS, LayerInstance, Symbol};
