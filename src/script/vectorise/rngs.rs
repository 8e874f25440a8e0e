//! The random streams of an augmentor's records: each lane draws from its own, as it would alone.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use super::value::{Positions, Value};
use crate::random::Random;

/// One stream a lane. Copies draw from the same streams, as those of an `Rng` do.
#[derive(Clone, Debug)]
pub(super) struct Rngs {
    streams: Arc<Mutex<Vec<Random>>>,
    lanes: Positions,
}

impl Rngs {
    pub fn new(streams: &[Random]) -> Rngs {
        let lanes = (0..streams.len() as u32).collect();
        Rngs { streams: Arc::new(Mutex::new(streams.to_vec())), lanes: Arc::new(lanes) }
    }

    pub fn take(&self, at: &[u32]) -> Rngs {
        let lanes = at.iter().filter_map(|&at| self.lanes.get(at as usize).copied()).collect();
        Rngs { streams: self.streams.clone(), lanes: Arc::new(lanes) }
    }

    /// Returns a copy of a lane's stream.
    pub fn stream(&self, lane: usize) -> Option<Random> {
        self.lock().get(*self.lanes.get(lane)? as usize).cloned()
    }

    /// Puts back a lane's stream after it was drawn from.
    pub fn put(&self, lane: usize, stream: Random) {
        let Some(&at) = self.lanes.get(lane) else { return };
        if let Some(place) = self.lock().get_mut(at as usize) {
            *place = stream;
        }
    }

    /// Draws for every lane, from its own stream.
    pub fn draw<T>(&self, mut one: impl FnMut(&mut Random, usize) -> T) -> Vec<T> {
        let mut streams = self.lock();
        let lanes = self.lanes.iter().enumerate();
        lanes.filter_map(|(lane, &at)| streams.get_mut(at as usize).map(|stream| one(stream, lane))).collect()
    }

    /// Returns the streams of lanes that were apart, when they are parts of one whole.
    pub fn merge(parts: &[(&Value, usize)], order: &[u32]) -> Option<Rngs> {
        let rngs = |value: &Value| match value {
            Value::Rngs(rngs) => Some(rngs.clone()),
            _ => None,
        };
        let parts: Vec<Rngs> = parts.iter().map(|(part, _)| rngs(part)).collect::<Option<_>>()?;
        let streams = parts.first()?.streams.clone();
        if !parts.iter().all(|part| Arc::ptr_eq(&part.streams, &streams)) {
            return None;
        }
        let all: Vec<u32> = parts.iter().flat_map(|part| part.lanes.iter().copied()).collect();
        let lanes = order.iter().map(|&at| all.get(at as usize).copied()).collect::<Option<_>>()?;
        Some(Rngs { streams, lanes: Arc::new(lanes) })
    }

    fn lock(&self) -> MutexGuard<'_, Vec<Random>> {
        self.streams.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
