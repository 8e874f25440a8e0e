//! Searches: many trials of one recipe, each with hyperparameters of its own.
//!
//! A [`Domain`] says which hyperparameters there are; [`Search`] tries them, some at once, keeps every finished
//! trial in its folder, and returns one table. What a trial does is no business of this room: it is given as a
//! function of a [`Trial`].

mod domain;
mod run;
mod table;
mod trial;

pub use domain::{Cell, Config, Domain, Draw};
pub use run::{Event, Outcome, Search};
pub use table::records;
pub use trial::{Trial, check_report};
