//! Data sets as batches of named components, and pipelines of actions on them.
//!
//! An [`Index`] holds the ids of a data set, [`split`] cuts it, [`Rounds`] says which items make up each batch. A
//! [`Batch`] has a component for each kind of data: an item for each id, filled from a [`Source`].

mod batch;
mod files;
mod index;
mod rounds;
mod source;
mod split;

pub use batch::{Batch, Preload};
pub use files::{FileOptions, list};
pub use index::{Id, Index};
pub use rounds::{Length, Plan, Rounds};
pub use source::Source;
pub use split::{Parts, folds, split};
