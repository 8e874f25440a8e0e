//! The record functions of a run: how each is run, and what it costs.

use std::sync::{Arc, PoisonError};

use super::Host;
use crate::script::vectorise::{Follower, Report};

/// The record functions that a host remembers.
const MOST_FUNCTIONS: usize = 64;

/// A station of a run: a scripted function, or a native component.
#[derive(Clone)]
#[allow(clippy::large_enum_variant, reason = "there are a handful in a run")]
pub(super) enum Known {
    Scripted(Arc<Follower>),
    Native(Report),
}

impl Host {
    pub(crate) fn note_function(&self, follower: &Arc<Follower>) {
        self.note(Known::Scripted(follower.clone()));
    }

    /// Notes that a station is a native component.
    pub(crate) fn note_native(&self, slot: &str, import: &str) {
        if let Some(slot) = ["loader", "transformer", "augmentor"].into_iter().find(|known| *known == slot) {
            self.note(Known::Native(Report::native(slot, import)));
        }
    }

    fn note(&self, known: Known) {
        let mut functions = self.0.functions.lock().unwrap_or_else(PoisonError::into_inner);
        // A host may train any number of runs; the latest are asked for.
        if functions.len() >= MOST_FUNCTIONS {
            functions.remove(0);
        }
        functions.push(known);
    }

    /// Forgets how the functions of earlier runs were run.
    pub(crate) fn forget_functions(&self) {
        self.0.functions.lock().unwrap_or_else(PoisonError::into_inner).clear();
    }

    /// Returns how loaders, transformers and augmentors of the latest run are run, in the order in which they were made.
    pub fn functions(&self) -> Vec<Report> {
        let functions = self.0.functions.lock().unwrap_or_else(PoisonError::into_inner).clone();
        let report = |known: &Known| match known {
            Known::Scripted(follower) => follower.report(self),
            Known::Native(report) => report.clone(),
        };
        functions.iter().map(report).collect()
    }
}
