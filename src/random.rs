//! The one source of randomness: a counter-based generator, so that every draw is a function of a key.
//!
//! A key is a few numbers: the seed, what the draw is for ([`Stream`]), and where in the run it happens
//! (epoch, record, layer …). Nothing is shared and no order of calls matters, so any number of workers,
//! and a run that was killed and resumed, draw the same numbers.
//!
//! The generator is Philox4x32-10 (Salmon, Moraes, Dror and Shaw, "Parallel random numbers: as easy as
//! 1, 2, 3", 2011); the key is mixed with SplitMix64 (Steele, Lea and Flood, 2014).

/// What a draw is for. The numbers are part of the file format: a checkpoint resumes with the same draws.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(u64)]
pub enum Stream {
    /// Initial values of a network's weights.
    Weights = 1,
    /// The order of the training records of an epoch.
    Shuffle = 2,
    /// Augmentors: one key for each record of each pass.
    Augment = 3,
    /// Dropout masks and other noise inside the network.
    Dropout = 4,
    /// Splitting and sampling of records.
    Split = 5,
    /// Numbers that a script asks for outside the training loop.
    Script = 6,
}

/// A stream of random numbers for one key.
///
/// ```
/// use barrage::random::{Random, Stream};
/// let mut a = Random::new(7, Stream::Shuffle, &[0]);
/// let mut b = Random::new(7, Stream::Shuffle, &[0]);
/// assert_eq!(a.permutation(10), b.permutation(10));
/// ```
#[derive(Clone, Debug)]
pub struct Random {
    key: [u32; 2],
    counter: u64,
    block: [u32; 4],
    used: usize,
    spare_normal: Option<f64>,
}

impl Random {
    /// Creates the stream for a seed, a purpose and a position.
    pub fn new(seed: u64, stream: Stream, position: &[u64]) -> Self {
        let mut mixed = split_mix(seed ^ 0x6261_7272_6167_6531);
        mixed = split_mix(mixed ^ stream as u64);
        for part in position {
            mixed = split_mix(mixed ^ part);
        }
        Random { key: [mixed as u32, (mixed >> 32) as u32], counter: 0, block: [0; 4], used: 4, spare_normal: None }
    }

    /// Creates an independent stream for a part of what this one is for; does not advance this one.
    #[must_use]
    pub fn derive(&self, part: u64) -> Self {
        let own = u64::from(self.key[0]) | u64::from(self.key[1]) << 32;
        let mixed = split_mix(split_mix(own) ^ part);
        Random { key: [mixed as u32, (mixed >> 32) as u32], counter: 0, block: [0; 4], used: 4, spare_normal: None }
    }

    /// Returns 32 random bits.
    pub fn bits(&mut self) -> u32 {
        if self.used == 4 {
            self.block = philox([self.counter as u32, (self.counter >> 32) as u32, 0, 0], self.key);
            self.counter = self.counter.wrapping_add(1);
            self.used = 0;
        }
        let bits = self.block[self.used];
        self.used += 1;
        bits
    }

    /// Returns 64 draws at once: of a stream that nothing was drawn from, those that [`Random::bits`] would give from the
    /// `64 · index`-th on. Written so that it can be vectorised.
    #[inline(always)]
    pub fn block(&self, index: u64) -> [u32; 64] {
        let first = index.wrapping_mul(16);
        let mut lanes = [[0u32; 16], [(first >> 32) as u32; 16], [0; 16], [0; 16]];
        for (at, lane) in lanes[0].iter_mut().enumerate() {
            *lane = (first as u32).wrapping_add(at as u32);
        }
        let mut key = self.key;
        for _ in 0..10 {
            let [c0, c1, c2, c3] = &mut lanes;
            for at in 0..16 {
                let a = u64::from(c0[at]) * 0xD251_1F53;
                let b = u64::from(c2[at]) * 0xCD9E_8D57;
                c0[at] = (b >> 32) as u32 ^ c1[at] ^ key[0];
                c1[at] = b as u32;
                c2[at] = (a >> 32) as u32 ^ c3[at] ^ key[1];
                c3[at] = a as u32;
            }
            key = [key[0].wrapping_add(0x9E37_79B9), key[1].wrapping_add(0xBB67_AE85)];
        }
        let mut draws = [0; 64];
        for (at, draws) in draws.as_chunks_mut::<4>().0.iter_mut().enumerate() {
            *draws = [lanes[0][at], lanes[1][at], lanes[2][at], lanes[3][at]];
        }
        draws
    }

    /// Returns a number from 0 (included) to 1 (excluded) with 53 random bits.
    pub fn uniform(&mut self) -> f64 {
        let high = u64::from(self.bits() >> 5);
        let low = u64::from(self.bits() >> 6);
        ((high << 26) | low) as f64 / (1u64 << 53) as f64
    }

    /// Returns a number from `low` (included) to `high` (excluded).
    pub fn uniform_between(&mut self, low: f64, high: f64) -> f64 {
        low + (high - low) * self.uniform()
    }

    /// Returns a draw from the standard normal distribution (mean 0, deviation 1), by Box and Muller.
    pub fn normal(&mut self) -> f64 {
        if let Some(spare) = self.spare_normal.take() {
            return spare;
        }
        let radius = (-2.0 * (1.0 - self.uniform()).ln()).sqrt();
        let angle = std::f64::consts::TAU * self.uniform();
        self.spare_normal = Some(radius * angle.sin());
        radius * angle.cos()
    }

    /// Returns a draw from the gamma distribution of a shape above 0 and scale 1 (Marsaglia and Tsang, "A simple method
    /// for generating gamma variables", 2000; below 1 by their boost).
    pub fn gamma(&mut self, shape: f64) -> f64 {
        if shape < 1.0 {
            let boost = (1.0 - self.uniform()).powf(1.0 / shape);
            return self.gamma(shape + 1.0) * boost;
        }
        let d = shape - 1.0 / 3.0;
        let c = 1.0 / (9.0 * d).sqrt();
        loop {
            let x = self.normal();
            let v = (1.0 + c * x).powi(3);
            let u = 1.0 - self.uniform();
            if v > 0.0 && u.ln() < 0.5 * x * x + d - d * v + d * v.ln() {
                return d * v;
            }
        }
    }

    /// Returns a draw from the beta distribution, from 0 to 1; both parameters are above 0.
    pub fn beta(&mut self, a: f64, b: f64) -> f64 {
        let (x, y) = (self.gamma(a), self.gamma(b));
        // Tiny parameters may leave 0 of both.
        if x + y > 0.0 { x / (x + y) } else { f64::from(u8::from(self.uniform() < a / (a + b))) }
    }

    /// Returns a whole number from 0 to `n - 1`, each equally likely; 0 when `n` is 0.
    pub fn below(&mut self, n: u64) -> u64 {
        if n == 0 {
            return 0;
        }
        // Rejection of the few values that would favour small numbers.
        let zone = u64::MAX - u64::MAX % n;
        loop {
            let bits = u64::from(self.bits()) | u64::from(self.bits()) << 32;
            if bits < zone {
                return bits % n;
            }
        }
    }

    /// Shuffles in place (Fisher and Yates).
    pub fn shuffle<T>(&mut self, items: &mut [T]) {
        for i in (1..items.len()).rev() {
            let j = self.below(i as u64 + 1) as usize;
            items.swap(i, j);
        }
    }

    /// Returns the numbers 0 to `n - 1` in random order.
    pub fn permutation(&mut self, n: usize) -> Vec<usize> {
        let mut order: Vec<usize> = (0..n).collect();
        self.shuffle(&mut order);
        order
    }
}

fn split_mix(state: u64) -> u64 {
    let mut z = state.wrapping_add(0x9e37_79b9_7f4a_7c15);
    z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
    z ^ (z >> 31)
}

fn philox(mut counter: [u32; 4], mut key: [u32; 2]) -> [u32; 4] {
    for _ in 0..10 {
        let a = u64::from(counter[0]) * 0xD251_1F53;
        let b = u64::from(counter[2]) * 0xCD9E_8D57;
        counter = [(b >> 32) as u32 ^ counter[1] ^ key[0], b as u32, (a >> 32) as u32 ^ counter[3] ^ key[1], a as u32];
        key = [key[0].wrapping_add(0x9E37_79B9), key[1].wrapping_add(0xBB67_AE85)];
    }
    counter
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The known answers published with the Random123 library.
    #[test]
    fn philox_gives_the_published_numbers() {
        assert_eq!(philox([0; 4], [0; 2]), [0x6627_e8d5, 0xe169_c58d, 0xbc57_ac4c, 0x9b00_dbd8]);
        assert_eq!(philox([u32::MAX; 4], [u32::MAX; 2]), [0x408f_276d, 0x41c8_3b0e, 0xa20b_c7c6, 0x6d54_51fd]);
        assert_eq!(
            philox([0x243f_6a88, 0x85a3_08d3, 0x1319_8a2e, 0x0370_7344], [0xa409_3822, 0x299f_31d0]),
            [0xd16c_fe09, 0x94fd_cceb, 0x5001_e420, 0x2412_6ea1]
        );
    }

    #[test]
    fn blocks_are_the_draws_in_order() {
        let random = Random::new(3, Stream::Dropout, &[1, 2]);
        let mut one_by_one = random.clone();
        for index in 0..3 {
            assert_eq!(random.block(index), [(); 64].map(|()| one_by_one.bits()));
        }
    }

    #[test]
    fn draws_have_the_stated_moments() {
        let mut random = Random::new(1, Stream::Script, &[]);
        let normal: Vec<f64> = (0..20_000).map(|_| random.normal()).collect();
        let mean = normal.iter().sum::<f64>() / normal.len() as f64;
        let variance = normal.iter().map(|x| (x - mean).powi(2)).sum::<f64>() / normal.len() as f64;
        assert!(mean.abs() < 0.03, "mean {mean}");
        assert!((variance - 1.0).abs() < 0.05, "variance {variance}");
        let uniform = (0..20_000).map(|_| random.uniform()).sum::<f64>() / 20_000.0;
        assert!((uniform - 0.5).abs() < 0.01, "mean {uniform}");
    }

    #[test]
    fn keys_are_independent_and_a_permutation_is_whole() {
        let mut order = Random::new(3, Stream::Shuffle, &[1]).permutation(100);
        assert_ne!(order, Random::new(3, Stream::Shuffle, &[2]).permutation(100));
        assert_ne!(order, Random::new(4, Stream::Shuffle, &[1]).permutation(100));
        order.sort_unstable();
        assert_eq!(order, (0..100).collect::<Vec<_>>());
    }
}
