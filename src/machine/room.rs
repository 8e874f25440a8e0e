//! Rooms in large pages, for what a run keeps and goes over in every step.
//!
//! Large pages begin at multiples of 2 MB, and a page is large only when all of it was asked for before it is touched: buffers
//! from the heap, which lie anywhere and beside others, get a few of them at best. Rooms are cut out of regions that are
//! large pages throughout; one that is let go of is used again, and pages with no room in them go back to the
//! system. Systems without such pages have no rooms.

// Nobody makes rooms on other systems.
#![cfg_attr(not(target_os = "linux"), allow(dead_code))]

use std::ptr::NonNull;
#[cfg(target_os = "linux")]
use std::sync::Mutex;

#[cfg(target_os = "linux")]
use regions::Region;

/// Where a room begins: lines of the cache.
const LINE: usize = 64;

#[cfg(target_os = "linux")]
static REGIONS: Mutex<Vec<Region>> = Mutex::new(Vec::new());

/// A piece of memory that nobody else has, at a multiple of 64 bytes. It holds anything.
#[derive(Debug)]
pub struct Room {
    start: NonNull<u8>,
    bytes: usize,
}

// SAFETY: a room has its memory to itself, as a `Vec` has.
unsafe impl Send for Room {}
// SAFETY: as above; shared, it is only read.
unsafe impl Sync for Room {}

impl Room {
    /// Returns a room of at least so many bytes; `None` where the system gives none.
    #[cfg(target_os = "linux")]
    pub fn new(bytes: usize) -> Option<Room> {
        let bytes = bytes.max(1).checked_next_multiple_of(LINE)?;
        let mut regions = REGIONS.lock().unwrap_or_else(std::sync::PoisonError::into_inner);
        let start = match regions.iter_mut().find_map(|region| region.take(bytes)) {
            Some(start) => start,
            None => {
                let mut region = Region::new(bytes)?;
                let start = region.take(bytes)?;
                regions.push(region);
                start
            }
        };
        Some(Room { start, bytes })
    }

    /// There are no rooms here.
    #[cfg(not(target_os = "linux"))]
    pub fn new(_: usize) -> Option<Room> {
        None
    }

    /// Returns where it begins.
    pub fn start(&self) -> NonNull<u8> {
        self.start
    }

    /// Returns how many bytes it has.
    pub fn bytes(&self) -> usize {
        self.bytes
    }
}

#[cfg(target_os = "linux")]
impl Drop for Room {
    fn drop(&mut self) {
        let mut regions = REGIONS.lock().unwrap_or_else(std::sync::PoisonError::into_inner);
        if let Some(at) = regions.iter().position(|region| region.holds(self.start)) {
            regions[at].give_back(self.start, self.bytes);
            if regions[at].is_empty() {
                regions.swap_remove(at);
            }
        }
    }
}

#[cfg(target_os = "linux")]
mod regions {
    use std::collections::BTreeMap;
    use std::ptr::NonNull;

    use memmap2::{Advice, MmapMut};

    /// The bytes of a large page.
    const PAGE: usize = 2 << 20;
    /// The bytes of a region, unless a room needs more. Only what is touched is taken from the system.
    const REGION: usize = 64 << 20;

    /// Rooms begin this far apart, counted in small pages that lie over each other: numbers at the same place of several
    /// rooms are used together, and those whose addresses end alike push each other out of the first cache.
    const SHIFT: usize = 5 * super::LINE;
    const SMALL_PAGE: usize = 4096;

    /// Memory from the system, in large pages.
    pub(super) struct Region {
        memory: MmapMut,
        /// The first byte of its first large page.
        first: usize,
        len: usize,
        /// What no room has: where it begins, counted from `first`, and its bytes. Never two side by side.
        free: BTreeMap<usize, usize>,
        /// How many rooms were made.
        made: usize,
    }

    impl Region {
        /// Maps a region with place for a room of so many bytes.
        pub(super) fn new(bytes: usize) -> Option<Region> {
            let len = bytes.checked_add(SMALL_PAGE)?.max(REGION).checked_next_multiple_of(PAGE)?;
            let mut memory = MmapMut::map_anon(len.checked_add(PAGE)?).ok()?;
            memory.advise(Advice::HugePage).ok()?;
            let start = memory.as_mut_ptr() as usize;
            let first = start.next_multiple_of(PAGE) - start;
            Some(Region { memory, first, len, free: BTreeMap::from([(0, len)]), made: 0 })
        }

        /// Takes a part of the first free piece that is large enough.
        pub(super) fn take(&mut self, bytes: usize) -> Option<NonNull<u8>> {
            let ending = self.made * SHIFT % SMALL_PAGE;
            let place = |start: usize| start + (ending + SMALL_PAGE - start % SMALL_PAGE) % SMALL_PAGE;
            let fits = |start: usize, len: usize| place(start).checked_add(bytes).is_some_and(|end| end <= start + len);
            let mut free = self.free.iter().map(|(start, len)| (*start, *len));
            let (start, len) = free.find(|(start, len)| fits(*start, *len))?;
            let (own, end) = (place(start), place(start) + bytes);
            self.free.remove(&start);
            for (start, end) in [(start, own), (end, start + len)] {
                if start < end {
                    self.free.insert(start, end - start);
                }
            }
            self.made += 1;
            NonNull::new(self.memory[self.first + own..].as_mut_ptr())
        }

        pub(super) fn holds(&self, place: NonNull<u8>) -> bool {
            self.memory.as_ptr_range().contains(&place.as_ptr().cast_const())
        }

        /// Takes a room back; large pages that are free as a whole go back to the system.
        pub(super) fn give_back(&mut self, place: NonNull<u8>, bytes: usize) {
            let mut start = place.as_ptr() as usize - self.memory.as_ptr() as usize - self.first;
            let mut end = start + bytes;
            if let Some(len) = self.free.remove(&end) {
                end += len;
            }
            if let Some((before, len)) = self.free.range(..start).next_back().map(|(start, len)| (*start, *len))
                && before + len == start
            {
                self.free.remove(&before);
                start = before;
            }
            self.free.insert(start, end - start);
            let (own, last) = (start.next_multiple_of(PAGE), end / PAGE * PAGE);
            if own < last {
                let begin = self.memory[self.first + own..].as_mut_ptr();
                // SAFETY: whole pages of this region that no room is in: what they hold is nobody's.
                unsafe { libc::madvise(begin.cast(), last - own, libc::MADV_DONTNEED) };
            }
        }

        pub(super) fn is_empty(&self) -> bool {
            self.free.get(&0) == Some(&self.len)
        }
    }

    #[cfg(test)]
    mod tests {
        use super::*;

        #[test]
        fn pieces_are_apart_and_come_together_again() {
            let mut region = Region::new(100).unwrap();
            let sizes = [64, 4 * PAGE, 640, 2 * PAGE + 64];
            let places: Vec<NonNull<u8>> = sizes.iter().map(|bytes| region.take(*bytes).unwrap()).collect();
            for (at, (place, bytes)) in places.iter().zip(sizes).enumerate() {
                assert!(region.holds(*place));
                // SAFETY: the pieces were taken with these sizes.
                unsafe { place.as_ptr().write_bytes(at as u8 + 1, bytes) };
            }
            for (at, (place, bytes)) in places.iter().zip(sizes).enumerate() {
                // SAFETY: as above.
                let own = unsafe { std::slice::from_raw_parts(place.as_ptr(), bytes) };
                assert!(own.iter().all(|byte| *byte == at as u8 + 1), "piece {at}");
            }
            let ends: Vec<usize> = places.iter().map(|place| place.as_ptr() as usize % SMALL_PAGE).collect();
            assert_eq!(ends, [0, SHIFT, 2 * SHIFT, 3 * SHIFT]);
            for at in [1, 3, 0, 2] {
                assert!(!region.is_empty());
                region.give_back(places[at], sizes[at]);
            }
            assert!(region.is_empty());
            // What was given back is taken first, and no piece is larger than a region.
            assert!(region.take(64) < Some(places[2]));
            assert_eq!(region.take(region.len), None);
        }
    }
}

#[cfg(all(test, target_os = "linux"))]
mod tests {
    use super::*;

    #[test]
    fn rooms_are_aligned_and_large_enough() {
        for bytes in [0, 1, 64, 65, 3 << 20, 100 << 20] {
            let room = Room::new(bytes).unwrap();
            assert!(room.bytes() >= bytes);
            assert_eq!(room.start().as_ptr() as usize % LINE, 0);
        }
        assert!(Room::new(usize::MAX).is_none());
    }
}
