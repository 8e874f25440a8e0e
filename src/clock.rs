//! A stopwatch: how long something took, for people and for deciding whether work is worth handing to another
//! thread. No result depends on it.

use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant};

/// Measures from when it is started.
///
/// ```
/// use barrage::clock::Stopwatch;
/// let stopwatch = Stopwatch::start();
/// assert!(stopwatch.elapsed() >= std::time::Duration::ZERO);
/// ```
#[derive(Clone, Copy, Debug)]
pub struct Stopwatch(Instant);

impl Stopwatch {
    /// Starts measuring.
    pub fn start() -> Self {
        Stopwatch(Instant::now())
    }

    /// Returns the time since the start.
    pub fn elapsed(&self) -> Duration {
        self.0.elapsed()
    }
}

/// A sum of times that several threads add to.
#[derive(Debug, Default)]
pub struct Total(AtomicU64);

impl Total {
    /// Adds the time since a stopwatch was started.
    pub fn add(&self, stopwatch: &Stopwatch) {
        let nanoseconds = u64::try_from(stopwatch.elapsed().as_nanos()).unwrap_or(u64::MAX);
        self.0.fetch_add(nanoseconds, Ordering::Relaxed);
    }

    /// Returns the sum.
    pub fn get(&self) -> Duration {
        Duration::from_nanos(self.0.load(Ordering::Relaxed))
    }
}
