//! The buffers of networks: values, gradients, weights, slots of optimizers, scratch. Large ones lie in large pages.

use std::fmt::{Debug, Formatter, Result};
use std::ops::{Deref, DerefMut};

use crate::machine::pages::LARGE;
use crate::machine::room::Room;

/// Numbers in a row, which can become more: as a `Vec`, but where they are many they lie in large pages, since every step
/// goes over all of them.
#[derive(Default)]
pub struct Buffer {
    few: Vec<f32>,
    /// Where the numbers are when they are many, and how many; `few` is empty then.
    many: Option<(Room, usize)>,
}

impl Buffer {
    /// Returns a buffer of zeros.
    pub fn zeros(len: usize) -> Self {
        let mut buffer = Buffer::default();
        buffer.grow(len);
        buffer
    }

    /// Makes it at least so long; what is new holds zeros.
    pub fn grow(&mut self, len: usize) {
        let before = self.len();
        if len <= before {
            return;
        }
        self.reserve(len);
        match &mut self.many {
            Some((_, own)) => {
                *own = len;
                self[before..].fill(0.0);
            }
            None => {
                self.few.reserve_exact(len - before);
                self.few.resize(len, 0.0);
            }
        }
    }

    /// Makes it exactly so long; what is new holds zeros.
    pub fn fit(&mut self, len: usize) {
        match &mut self.many {
            Some((_, own)) => *own = len.min(*own),
            None => self.few.truncate(len),
        }
        self.grow(len);
    }

    /// Makes it exactly so long, and all of it zeros.
    pub fn refill(&mut self, len: usize) {
        self.fit(0);
        self.grow(len);
    }

    /// Makes room for `len` numbers in all; moves those that are there into large pages where they become many.
    fn reserve(&mut self, len: usize) {
        let bytes = len.saturating_mul(size_of::<f32>());
        let has = self.many.as_ref().map_or(0, |(room, _)| room.bytes());
        if bytes < LARGE || bytes <= has {
            return;
        }
        if let Some(room) = Room::new(bytes) {
            let mut next = Buffer { few: Vec::new(), many: Some((room, self.len())) };
            next.copy_from_slice(self);
            *self = next;
        } else if self.many.is_some() {
            // No room is left: the heap has it, or ends the program as it does for a `Vec`.
            let mut few = Vec::with_capacity(len);
            few.extend_from_slice(self);
            *self = Buffer { few, many: None };
        }
    }
}

impl Deref for Buffer {
    type Target = [f32];

    fn deref(&self) -> &[f32] {
        match &self.many {
            // SAFETY: the room has so many numbers, all of them written (`grow`, `reserve`), at a place for them.
            Some((room, len)) => unsafe { std::slice::from_raw_parts(room.start().as_ptr().cast(), *len) },
            None => &self.few,
        }
    }
}

impl DerefMut for Buffer {
    fn deref_mut(&mut self) -> &mut [f32] {
        match &mut self.many {
            // SAFETY: as above; the buffer is borrowed mutably.
            Some((room, len)) => unsafe { std::slice::from_raw_parts_mut(room.start().as_ptr().cast(), *len) },
            None => &mut self.few,
        }
    }
}

impl From<&[f32]> for Buffer {
    fn from(values: &[f32]) -> Self {
        let mut buffer = Buffer::zeros(values.len());
        buffer.copy_from_slice(values);
        buffer
    }
}

impl From<Vec<f32>> for Buffer {
    fn from(values: Vec<f32>) -> Self {
        Buffer::from(&*values)
    }
}

impl Clone for Buffer {
    fn clone(&self) -> Self {
        Buffer::from(&**self)
    }
}

impl PartialEq for Buffer {
    fn eq(&self, other: &Self) -> bool {
        **self == **other
    }
}

impl Debug for Buffer {
    fn fmt(&self, f: &mut Formatter<'_>) -> Result {
        (**self).fmt(f)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_grows_keeps_its_beginning_and_goes_on_with_zeros() {
        let many = LARGE;
        let mut buffer = Buffer::from(vec![1.0, 2.0]);
        buffer.grow(many);
        assert_eq!(buffer.len(), many);
        assert_eq!(buffer[..3], [1.0, 2.0, 0.0]);
        assert!(buffer[2..].iter().all(|number| *number == 0.0));
        let before = buffer.as_ptr();
        buffer.grow(5);
        buffer.grow(many - 1);
        assert_eq!((buffer.len(), buffer.as_ptr()), (many, before));
        // In a room, numbers of before are not those that are new.
        buffer.fill(7.0);
        buffer.fit(2);
        assert_eq!(*buffer, [7.0, 7.0]);
        buffer.grow(many);
        assert_eq!((buffer[1], buffer[2], buffer[many - 1]), (7.0, 0.0, 0.0));
        buffer.grow(3 * many);
        assert_eq!((buffer.len(), buffer[1], buffer[3 * many - 1]), (3 * many, 7.0, 0.0));
        buffer.refill(3);
        assert_eq!(*buffer, [0.0; 3]);
        assert_eq!(*Buffer::zeros(3), [0.0; 3]);
        assert!(Buffer::default().is_empty());
    }
}
