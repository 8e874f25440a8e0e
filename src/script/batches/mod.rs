//! Data sets and batches as scripts hold them: handles that share what they stand for, so that what a function
//! writes into a batch is there for its caller, too.
//!
//! No lock is held while a script runs.

pub mod action;
mod batch;
mod collection;
pub mod convert;
mod dataset;
pub mod expression;
pub mod files;
pub mod flow;
pub mod function;
pub mod images;
pub mod load;
pub mod metrics;
pub mod model;
pub mod per_item;
pub mod pipeline;

pub use batch::{About, Batch, Component, Item};
pub use collection::Collection;
pub use dataset::{Batches, Dataset, Made};
