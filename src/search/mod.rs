//! Searches: many trials of one recipe, each with hyperparameters of its own.
//!
//! A [`Domain`] says which hyperparameters there are, a [`Searcher`] which of them are tried and which trials end
//! early; [`Search`] tries them, some at once, keeps every finished trial in its folder, and returns one table. What a
//! trial does is no business of this room: it is given as a function of a [`Trial`].

mod domain;
mod draw;
mod experiment;
mod halving;
mod keys;
mod preview;
mod run;
mod searcher;
mod table;
mod trial;

pub use domain::{Cell, Config, Domain, Row};
pub use draw::{Distribution, Draw};
pub use experiment::{Experiment, power};
pub use halving::{Bracket, Halving, Judge, Verdict};
pub use preview::preview;
pub use run::{Event, Outcome, Search, Status};
pub use searcher::{Method, Metric, Searcher};
pub use table::records;
pub use trial::{Trial, check_report};
