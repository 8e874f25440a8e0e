//! New inputs from old ones: bytes, ranges and words changed at random, and two inputs crossed.

/// The largest input.
const MOST: usize = 4096;

/// Makes inputs by mutation; the same seed makes the same ones.
pub struct Mutator {
    state: u64,
    words: &'static [&'static str],
}

/// Bytes that parsers look for.
const MARKS: &[u8] = b"{}[]()\"'`,:;=#-+.\\/*&|~!?<>@$%^ \n\t\r\0\xff\x80_01eE";

impl Mutator {
    pub fn new(seed: u64, words: &'static [&'static str]) -> Self {
        Mutator { state: seed, words }
    }

    /// Returns a number below `end` (SplitMix64).
    fn below(&mut self, end: usize) -> usize {
        self.state = self.state.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut z = self.state;
        z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        ((z ^ (z >> 31)) % end.max(1) as u64) as usize
    }

    fn pick<'a, T>(&mut self, items: &'a [T]) -> &'a T {
        &items[self.below(items.len())]
    }

    /// Returns the next input.
    pub fn next(&mut self, pool: &[Vec<u8>]) -> Vec<u8> {
        let mut input = self.pick(pool).clone();
        // Mostly one change or two, so that much of what was right stays.
        let most = self.below(6);
        for _ in 0..=self.below(most + 1) {
            self.change(&mut input, pool);
        }
        input.truncate(MOST);
        input
    }

    fn range(&mut self, length: usize) -> std::ops::Range<usize> {
        let start = self.below(length + 1);
        let most = if self.below(4) == 0 { length } else { 12 };
        let end = (start + self.below(most + 1)).min(length);
        start..end
    }

    fn change(&mut self, input: &mut Vec<u8>, pool: &[Vec<u8>]) {
        let at = self.below(input.len() + 1);
        match self.below(10) {
            0 if at < input.len() => input[at] ^= 1 << self.below(8),
            1 if at < input.len() => input[at] = *self.pick(MARKS),
            2 => input.insert(at, *self.pick(MARKS)),
            3 => drop(input.drain(self.range(input.len()))),
            4 => {
                let copy = input[self.range(input.len())].to_vec();
                drop(input.splice(at..at, copy));
            }
            5 => {
                let other = self.pick(pool);
                let piece = other[self.range(other.len())].to_vec();
                let gone = self.range(input.len());
                drop(input.splice(gone, piece));
            }
            6 => {
                // The same again and again: depth.
                let copy = input[self.range(input.len())].to_vec();
                let many = copy.repeat(1 + self.below(40));
                drop(input.splice(at..at, many));
            }
            7 => input.truncate(at),
            8 if !self.words.is_empty() => {
                let gone = self.range(input.len());
                let word = self.pick(self.words).bytes();
                drop(input.splice(gone, word));
            }
            _ if !self.words.is_empty() => {
                let word = self.pick(self.words).bytes();
                drop(input.splice(at..at, word));
            }
            _ => (),
        }
    }
}
