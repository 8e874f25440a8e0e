//! One loop, compiled for several instruction sets, chosen when the program runs.
//!
//! A plain x86-64 build may only use SSE2. [`simd!`](crate::simd) compiles a loop again with AVX2 and with
//! AVX-512 switched on, and calls the best version that the machine has. The loops are ordinary Rust, written so
//! that the compiler can vectorise them: fixed lanes (`[f32; 16]`), slices cut to one length first.

use std::sync::OnceLock;

/// An instruction set that kernels are compiled for, the weakest first.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Level {
    /// What every machine of the target has: SSE2 on x86-64, NEON on aarch64.
    Baseline,
    /// AVX2 with fused multiply and add.
    Avx2,
    /// AVX-512 (F, VL, DQ, BW).
    Avx512,
}

/// Returns the best instruction set of this machine, or the weaker one that the environment variable
/// `BARRAGE_SIMD` names (`baseline`, `avx2`), which is for tests and for comparing machines.
pub fn level() -> Level {
    static LEVEL: OnceLock<Level> = OnceLock::new();
    *LEVEL.get_or_init(|| {
        let wanted = match std::env::var("BARRAGE_SIMD").as_deref() {
            Ok("baseline") => Level::Baseline,
            Ok("avx2") => Level::Avx2,
            _ => Level::Avx512,
        };
        wanted.min(detected())
    })
}

#[cfg(target_arch = "x86_64")]
fn detected() -> Level {
    use std::arch::is_x86_feature_detected as has;
    let avx2 = has!("avx2") && has!("fma");
    let avx512 = has!("avx512f") && has!("avx512vl") && has!("avx512dq") && has!("avx512bw");
    match (avx2, avx512) {
        (true, true) => Level::Avx512,
        (true, false) => Level::Avx2,
        _ => Level::Baseline,
    }
}

#[cfg(not(target_arch = "x86_64"))]
fn detected() -> Level {
    Level::Baseline
}

/// Defines functions whose bodies are compiled for each [`Level`] and dispatched when called.
///
/// The arguments are plain names with types, the result is optional:
///
/// ```
/// barrage::simd! {
///     /// Adds `x` to `y`, element by element.
///     pub fn add(y: &mut [f32], x: &[f32]) {
///         for (y, x) in y.iter_mut().zip(x) {
///             *y += x;
///         }
///     }
/// }
/// let mut y = [1.0, 2.0];
/// add(&mut y, &[10.0, 20.0]);
/// assert_eq!(y, [11.0, 22.0]);
/// ```
#[macro_export]
macro_rules! simd {
    ($($(#[$doc:meta])* $visible:vis fn $name:ident($($argument:ident: $type:ty),* $(,)?) $(-> $result:ty)? $body:block)*) => { $(
        $(#[$doc])*
        #[allow(clippy::too_many_arguments)]
        $visible fn $name($($argument: $type),*) $(-> $result)? {
            #[inline(always)]
            #[allow(clippy::too_many_arguments)]
            fn plain($($argument: $type),*) $(-> $result)? $body
            #[cfg(target_arch = "x86_64")]
            {
                #[target_feature(enable = "avx512f,avx512vl,avx512dq,avx512bw,avx2,fma")]
                #[allow(clippy::too_many_arguments)]
                fn avx512($($argument: $type),*) $(-> $result)? { plain($($argument),*) }
                #[target_feature(enable = "avx2,fma")]
                #[allow(clippy::too_many_arguments)]
                fn avx2($($argument: $type),*) $(-> $result)? { plain($($argument),*) }
                match $crate::kernel::simd::level() {
                    // SAFETY: `level` has found these instructions on this machine.
                    $crate::kernel::simd::Level::Avx512 => return unsafe { avx512($($argument),*) },
                    // SAFETY: as above.
                    $crate::kernel::simd::Level::Avx2 => return unsafe { avx2($($argument),*) },
                    $crate::kernel::simd::Level::Baseline => {}
                }
            }
            plain($($argument),*)
        }
    )* };
}
