//! Vectors of numbers, for the few loops that a compiler does not vectorise well enough by itself.
//!
//! A loop is written once, over the trait [`Lanes`], and compiled for each instruction set by functions with the
//! matching `target_feature`; [`simd`](super::simd) says which one this machine can run.

/// A loop over vectors of one kind.
pub(super) trait Loop<L: Lanes> {
    /// Runs it. Implementations are `#[inline(always)]`, so that they are compiled with the instructions of
    /// [`Lanes::run`].
    ///
    /// # Safety
    /// The machine has the instructions; the rest is said by the loop.
    unsafe fn run(self);
}

/// A vector of [`COUNT`](Lanes::COUNT) numbers in one register.
///
/// # Safety of the methods
/// The machine has the instructions, and pointers point to as many numbers as are read or written.
#[allow(clippy::missing_safety_doc, reason = "said once, above")]
pub(super) trait Lanes: Copy {
    /// How many numbers there are.
    const COUNT: usize;
    /// How many places one tile of two vectors each has, so that accumulators and operands fit the registers.
    const PLACES: usize;

    /// Runs a loop, compiled with the instructions of these vectors.
    unsafe fn run(work: impl Loop<Self>);
    /// Returns zeros.
    unsafe fn zero() -> Self;
    /// Returns a number in all lanes.
    unsafe fn splat(value: f32) -> Self;
    /// Reads all lanes.
    unsafe fn load(from: *const f32) -> Self;
    /// Reads the first `count` lanes; the others are 0.
    unsafe fn load_part(from: *const f32, count: usize) -> Self;
    /// Writes all lanes.
    unsafe fn store(self, to: *mut f32);
    /// Writes the first `count` lanes.
    unsafe fn store_part(self, to: *mut f32, count: usize);
    /// Returns `self + a * b`.
    unsafe fn add_product(self, a: Self, b: Self) -> Self;
    /// Returns `self + other`.
    unsafe fn plus(self, other: Self) -> Self;
    /// Returns `self - other`.
    unsafe fn minus(self, other: Self) -> Self;
    /// Returns a bit for each lane, the first one lowest: whether its number is not 0.
    unsafe fn not_zero(self) -> u32;
    /// Writes the numbers that are not 0, close together, and the places that belong to them; both have room for all
    /// lanes. Returns how many there are.
    unsafe fn keep_not_zero(self, places: *const u32, values: *mut f32, kept: *mut u32) -> usize;
    /// Returns the larger number of each lane, that of `self` where it is not a number.
    unsafe fn at_least(self, low: Self) -> Self;
    /// Asks for memory that is read soon; any pointer will do.
    unsafe fn prefetch(from: *const f32);
}

/// [`Lanes::keep_not_zero`] without an instruction for it.
#[inline(always)]
unsafe fn keep(lanes: &[f32], places: *const u32, values: *mut f32, kept: *mut u32) -> usize {
    let mut count = 0;
    for (at, lane) in lanes.iter().enumerate() {
        // SAFETY: the caller's: there is room for all lanes.
        unsafe {
            *values.add(count) = *lane;
            *kept.add(count) = *places.add(at);
        }
        count += usize::from(*lane != 0.0);
    }
    count
}

/// Lanes on any machine.
#[derive(Clone, Copy)]
pub(super) struct Portable([f32; 4]);

impl Lanes for Portable {
    const COUNT: usize = 4;
    const PLACES: usize = 6;

    unsafe fn run(work: impl Loop<Self>) {
        // SAFETY: the caller's.
        unsafe { work.run() }
    }

    #[inline(always)]
    unsafe fn zero() -> Self {
        Portable([0.0; 4])
    }

    #[inline(always)]
    unsafe fn splat(value: f32) -> Self {
        Portable([value; 4])
    }

    #[inline(always)]
    unsafe fn load(from: *const f32) -> Self {
        // SAFETY: the caller promises 4 numbers; an array of numbers has their alignment.
        Portable(unsafe { *from.cast::<[f32; 4]>() })
    }

    #[inline(always)]
    unsafe fn load_part(from: *const f32, count: usize) -> Self {
        let mut lanes = [0.0; 4];
        for (at, lane) in lanes.iter_mut().enumerate().take(count) {
            // SAFETY: the caller promises `count` numbers.
            *lane = unsafe { *from.add(at) };
        }
        Portable(lanes)
    }

    #[inline(always)]
    unsafe fn store(self, to: *mut f32) {
        // SAFETY: as for `load`.
        unsafe { *to.cast::<[f32; 4]>() = self.0 }
    }

    #[inline(always)]
    unsafe fn store_part(self, to: *mut f32, count: usize) {
        for (at, lane) in self.0.into_iter().enumerate().take(count) {
            // SAFETY: the caller promises room for `count` numbers.
            unsafe { *to.add(at) = lane }
        }
    }

    #[inline(always)]
    unsafe fn add_product(self, a: Self, b: Self) -> Self {
        let mut sum = self.0;
        for (sum, (a, b)) in sum.iter_mut().zip(a.0.into_iter().zip(b.0)) {
            // Without an instruction for it, `mul_add` is a slow function call.
            *sum = if cfg!(target_arch = "aarch64") { a.mul_add(b, *sum) } else { *sum + a * b };
        }
        Portable(sum)
    }

    #[inline(always)]
    unsafe fn plus(self, other: Self) -> Self {
        let mut sum = self.0;
        sum.iter_mut().zip(other.0).for_each(|(sum, other)| *sum += other);
        Portable(sum)
    }

    #[inline(always)]
    unsafe fn minus(self, other: Self) -> Self {
        let mut rest = self.0;
        rest.iter_mut().zip(other.0).for_each(|(rest, other)| *rest -= other);
        Portable(rest)
    }

    #[inline(always)]
    unsafe fn prefetch(_: *const f32) {}

    #[inline(always)]
    unsafe fn not_zero(self) -> u32 {
        self.0.into_iter().enumerate().map(|(at, lane)| u32::from(lane != 0.0) << at).sum()
    }

    #[inline(always)]
    unsafe fn keep_not_zero(self, places: *const u32, values: *mut f32, kept: *mut u32) -> usize {
        // SAFETY: the caller's.
        unsafe { keep(&self.0, places, values, kept) }
    }

    #[inline(always)]
    unsafe fn at_least(self, low: Self) -> Self {
        let mut lanes = self.0;
        for (lane, low) in lanes.iter_mut().zip(low.0) {
            *lane = if *lane < low { low } else { *lane };
        }
        Portable(lanes)
    }
}

#[cfg(target_arch = "x86_64")]
pub(super) use x86::{Avx2, Avx512};

#[cfg(target_arch = "x86_64")]
mod x86 {
    use std::arch::x86_64::*;

    use super::{Lanes, Loop, keep};

    /// Lanes of AVX2.
    #[derive(Clone, Copy)]
    pub(in super::super) struct Avx2(__m256);

    #[inline(always)]
    unsafe fn first_of_8(count: usize) -> __m256i {
        const FIRST: [i32; 16] = [-1, -1, -1, -1, -1, -1, -1, -1, 0, 0, 0, 0, 0, 0, 0, 0];
        // SAFETY: 8 of 16 numbers are read, from 0 to 8.
        unsafe { _mm256_loadu_si256(FIRST.as_ptr().add(8 - count.min(8)).cast()) }
    }

    // SAFETY of the calls: the trait's, for every method.
    impl Lanes for Avx2 {
        const COUNT: usize = 8;
        const PLACES: usize = 6;

        unsafe fn run(work: impl Loop<Self>) {
            #[target_feature(enable = "avx2,fma")]
            unsafe fn compiled(work: impl Loop<Avx2>) {
                unsafe { work.run() }
            }
            unsafe { compiled(work) }
        }

        #[inline(always)]
        unsafe fn zero() -> Self {
            unsafe { Avx2(_mm256_setzero_ps()) }
        }

        #[inline(always)]
        unsafe fn splat(value: f32) -> Self {
            unsafe { Avx2(_mm256_set1_ps(value)) }
        }

        #[inline(always)]
        unsafe fn load(from: *const f32) -> Self {
            unsafe { Avx2(_mm256_loadu_ps(from)) }
        }

        #[inline(always)]
        unsafe fn load_part(from: *const f32, count: usize) -> Self {
            unsafe { Avx2(_mm256_maskload_ps(from, first_of_8(count))) }
        }

        #[inline(always)]
        unsafe fn store(self, to: *mut f32) {
            unsafe { _mm256_storeu_ps(to, self.0) }
        }

        #[inline(always)]
        unsafe fn store_part(self, to: *mut f32, count: usize) {
            unsafe { _mm256_maskstore_ps(to, first_of_8(count), self.0) }
        }

        #[inline(always)]
        unsafe fn add_product(self, a: Self, b: Self) -> Self {
            unsafe { Avx2(_mm256_fmadd_ps(a.0, b.0, self.0)) }
        }

        #[inline(always)]
        unsafe fn plus(self, other: Self) -> Self {
            unsafe { Avx2(_mm256_add_ps(self.0, other.0)) }
        }

        #[inline(always)]
        unsafe fn minus(self, other: Self) -> Self {
            unsafe { Avx2(_mm256_sub_ps(self.0, other.0)) }
        }

        #[inline(always)]
        unsafe fn prefetch(from: *const f32) {
            unsafe { _mm_prefetch::<_MM_HINT_T0>(from.cast()) }
        }

        #[inline(always)]
        unsafe fn not_zero(self) -> u32 {
            unsafe { _mm256_movemask_ps(_mm256_cmp_ps::<_CMP_NEQ_UQ>(self.0, _mm256_setzero_ps())) as u32 }
        }

        #[inline(always)]
        unsafe fn keep_not_zero(self, places: *const u32, values: *mut f32, kept: *mut u32) -> usize {
            let mut lanes = [0.0; 8];
            unsafe {
                self.store(lanes.as_mut_ptr());
                keep(&lanes, places, values, kept)
            }
        }

        #[inline(always)]
        unsafe fn at_least(self, low: Self) -> Self {
            // The second operand is the result where one of them is not a number.
            unsafe { Avx2(_mm256_max_ps(low.0, self.0)) }
        }
    }

    /// Lanes of AVX-512.
    #[derive(Clone, Copy)]
    pub(in super::super) struct Avx512(__m512);

    #[inline(always)]
    fn first_of_16(count: usize) -> __mmask16 {
        if count >= 16 { u16::MAX } else { (1 << count) - 1 }
    }

    // SAFETY of the calls: the trait's, for every method.
    impl Lanes for Avx512 {
        const COUNT: usize = 16;
        const PLACES: usize = 12;

        unsafe fn run(work: impl Loop<Self>) {
            #[target_feature(enable = "avx512f,avx512vl,avx512dq,avx512bw,avx2,fma")]
            unsafe fn compiled(work: impl Loop<Avx512>) {
                unsafe { work.run() }
            }
            unsafe { compiled(work) }
        }

        #[inline(always)]
        unsafe fn zero() -> Self {
            unsafe { Avx512(_mm512_setzero_ps()) }
        }

        #[inline(always)]
        unsafe fn splat(value: f32) -> Self {
            unsafe { Avx512(_mm512_set1_ps(value)) }
        }

        #[inline(always)]
        unsafe fn load(from: *const f32) -> Self {
            unsafe { Avx512(_mm512_loadu_ps(from)) }
        }

        #[inline(always)]
        unsafe fn load_part(from: *const f32, count: usize) -> Self {
            unsafe { Avx512(_mm512_maskz_loadu_ps(first_of_16(count), from)) }
        }

        #[inline(always)]
        unsafe fn store(self, to: *mut f32) {
            unsafe { _mm512_storeu_ps(to, self.0) }
        }

        #[inline(always)]
        unsafe fn store_part(self, to: *mut f32, count: usize) {
            unsafe { _mm512_mask_storeu_ps(to, first_of_16(count), self.0) }
        }

        #[inline(always)]
        unsafe fn add_product(self, a: Self, b: Self) -> Self {
            unsafe { Avx512(_mm512_fmadd_ps(a.0, b.0, self.0)) }
        }

        #[inline(always)]
        unsafe fn plus(self, other: Self) -> Self {
            unsafe { Avx512(_mm512_add_ps(self.0, other.0)) }
        }

        #[inline(always)]
        unsafe fn minus(self, other: Self) -> Self {
            unsafe { Avx512(_mm512_sub_ps(self.0, other.0)) }
        }

        #[inline(always)]
        unsafe fn prefetch(from: *const f32) {
            unsafe { _mm_prefetch::<_MM_HINT_T0>(from.cast()) }
        }

        #[inline(always)]
        unsafe fn not_zero(self) -> u32 {
            unsafe { u32::from(_mm512_cmp_ps_mask::<_CMP_NEQ_UQ>(self.0, _mm512_setzero_ps())) }
        }

        #[inline(always)]
        unsafe fn keep_not_zero(self, places: *const u32, values: *mut f32, kept: *mut u32) -> usize {
            unsafe {
                let mask = _mm512_cmp_ps_mask::<_CMP_NEQ_UQ>(self.0, _mm512_setzero_ps());
                let places = _mm512_loadu_si512(places.cast());
                // Into a register first: some machines write single numbers to memory slowly.
                _mm512_storeu_ps(values, _mm512_maskz_compress_ps(mask, self.0));
                _mm512_storeu_si512(kept.cast(), _mm512_maskz_compress_epi32(mask, places));
                mask.count_ones() as usize
            }
        }

        #[inline(always)]
        unsafe fn at_least(self, low: Self) -> Self {
            // The second operand is the result where one of them is not a number.
            unsafe { Avx512(_mm512_max_ps(low.0, self.0)) }
        }
    }
}
