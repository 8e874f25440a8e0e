//! Data sets as batches of named components, and pipelines of actions on them.
//!
//! An [`Index`] holds the ids of a data set, [`split`] cuts it, [`Rounds`] says which items make up each batch. A
//! [`Batch`] has a component for each kind of data: an item for each id, filled from a [`Source`].

mod ahead;
mod batch;
mod chain;
mod confusion;
mod files;
pub mod images;
mod index;
mod parallel;
mod rounds;
mod source;
mod split;

pub use batch::{Batch, Preload};
pub use chain::{Act, Ask, Chain, Next, Regroup, Run, Source as Stream, Step, run as run_chain};
pub use confusion::{Average, Confusion, Format};
pub use files::{FileOptions, list};
pub use index::{Id, Index};
pub use parallel::{Target, run};
pub use rounds::{Length, Plan, Rounds};
pub use source::Source;
pub use split::{Parts, folds, split};
