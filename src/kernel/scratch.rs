//! Memory that is used again from step to step, for what is shared and so cannot own any that changes.

use std::fmt::{Debug, Formatter, Result};
use std::sync::{Mutex, MutexGuard, PoisonError};

/// Memory to compute with, whose contents mean nothing before and after. One thread at a time has it: who holds it for
/// long keeps others waiting, but changes no result.
#[derive(Default)]
pub struct Scratch<T>(Mutex<T>);

impl<T> Scratch<T> {
    /// Lends the memory.
    pub fn lend(&self) -> MutexGuard<'_, T> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl<T> Debug for Scratch<T> {
    fn fmt(&self, f: &mut Formatter<'_>) -> Result {
        f.write_str("Scratch")
    }
}
