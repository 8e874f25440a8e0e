//! Elementary functions of one `f32` that the compiler can vectorise: no branches, no calls.
//!
//! They are meant for the bodies of [`simd!`](crate::simd) loops. The polynomials of [`exp`], [`ln`] and [`tanh`] are
//! those of the Cephes library (Moshier, 1992), the quotients of [`erf`] and [`tanh_of_gate`] those of Eigen. Each is
//! within a few units in the last place of the exact value; denormal results become 0. Not a number stays that.

// Coefficients stand as published.
#![allow(clippy::excessive_precision)]

use std::f32::consts::{FRAC_1_SQRT_2, LOG2_E};

/// 1 / √(2π): the height of the normal density.
const DENSITY: f32 = 0.398_942_3;

/// Where the normal density ends.
pub const NORMAL_END: f32 = 13.0;

/// ln 2 in two parts, the first of so few bits that its products with whole numbers are exact.
const LN_2_HIGH: f32 = 0.693_359_4;
const LN_2_LOW: f32 = -2.121_944_4e-4;

/// 1.5 · 2²³: adding it rounds to a whole number, which then stands in the lowest bits.
const ROUND: f32 = 12_582_912.0;

/// Returns e to the power of x.
#[inline(always)]
pub fn exp(x: f32) -> f32 {
    const HIGH: f32 = 88.722_83;
    const LOW: f32 = -87.336_54;
    let inside = if x > HIGH { HIGH } else { x };
    let inside = if inside < LOW { LOW } else { inside };
    let rounded = inside * LOG2_E + ROUND;
    let n = rounded - ROUND;
    let r = inside - n * LN_2_HIGH;
    let r = r - n * LN_2_LOW;
    let p = near_zero(r);
    let y = f32::from_bits(p.to_bits().wrapping_add(rounded.to_bits() << 23));
    let y = if x > HIGH { f32::INFINITY } else { y };
    let y = if x < LOW { 0.0 } else { y };
    if x.is_nan() { x } else { y }
}

/// Returns e to the power of x for x from -87 to 88, in fewer steps.
#[inline(always)]
pub fn exp_within(x: f32) -> f32 {
    let rounded = x * LOG2_E + ROUND;
    let n = rounded - ROUND;
    let r = x - n * LN_2_HIGH;
    let r = r - n * LN_2_LOW;
    near_zero(r) * power_of_two(rounded)
}

/// Returns 2 to the power of the whole number in the lowest bits. As a factor, it leaves not a number what it is.
#[inline(always)]
fn power_of_two(rounded: f32) -> f32 {
    f32::from_bits((rounded.to_bits() << 23).wrapping_add(1.0f32.to_bits()))
}

/// Returns e to the power of x for x up to half of ln 2 either way.
#[inline(always)]
fn near_zero(r: f32) -> f32 {
    let p = 1.987_569_15e-4_f32;
    let p = p * r + 1.398_199_950_7e-3;
    let p = p * r + 8.333_451_907_3e-3;
    let p = p * r + 4.166_579_589_4e-2;
    let p = p * r + 1.666_666_545_9e-1;
    let p = p * r + 0.500_000_012_01;
    p * r * r + r + 1.0
}

/// Returns the natural logarithm; minus infinity at 0, not a number below.
#[inline(always)]
pub fn ln(x: f32) -> f32 {
    const SCALE: f32 = 8_388_608.0;
    let small = x < f32::MIN_POSITIVE;
    let scaled = if small { x * SCALE } else { x };
    let bits = scaled.to_bits();
    // The mantissa between √½ and √2.
    let shifted = bits.wrapping_sub(0x3f35_04f3);
    let exponent = (shifted as i32) >> 23;
    let mantissa = f32::from_bits((shifted & 0x007f_ffff).wrapping_add(0x3f35_04f3));
    let exponent = exponent as f32 - if small { 23.0 } else { 0.0 };
    let m = mantissa - 1.0;
    let square = m * m;
    let p = 7.037_683_629_2e-2_f32;
    let p = p * m - 1.151_461_031_0e-1;
    let p = p * m + 1.167_699_874_0e-1;
    let p = p * m - 1.242_014_084_6e-1;
    let p = p * m + 1.424_932_278_7e-1;
    let p = p * m - 1.666_805_766_5e-1;
    let p = p * m + 2.000_071_476_5e-1;
    let p = p * m - 2.499_999_399_3e-1;
    let p = p * m + 3.333_333_117_4e-1;
    let y = m * square * p + exponent * LN_2_LOW;
    let y = y - 0.5 * square;
    let y = (m + y) + exponent * LN_2_HIGH;
    let y = if x == f32::INFINITY { x } else { y };
    let y = if x == 0.0 { f32::NEG_INFINITY } else { y };
    let y = if x < 0.0 { f32::NAN } else { y };
    if x.is_nan() { x } else { y }
}

/// Returns 1 / (1 + e^-x).
#[inline(always)]
pub fn sigmoid(x: f32) -> f32 {
    // Beyond these the sum is 1, or so large that its inverse is 0.
    let inside = if x > 87.0 { 87.0 } else { x };
    let inside = if inside < -89.0 { -89.0 } else { inside };
    let rounded = ROUND - inside * LOG2_E;
    let n = rounded - ROUND;
    let r = (-n) * LN_2_HIGH - inside;
    let r = r - n * LN_2_LOW;
    1.0 / (1.0 + near_zero(r) * power_of_two(rounded))
}

/// Returns the hyperbolic tangent.
#[inline(always)]
pub fn tanh(x: f32) -> f32 {
    let size = x.abs();
    let z = x * x;
    let p = -5.704_988_727_45e-3_f32;
    let p = p * z + 2.063_908_879_54e-2;
    let p = p * z - 5.373_971_555_31e-2;
    let p = p * z + 1.333_144_220_36e-1;
    let p = p * z - 3.333_328_194_22e-1;
    let near = p * z * x + x;
    let far = (1.0 - 2.0 / (exp(2.0 * size) + 1.0)).copysign(x);
    if size < 0.625 { near } else { far }
}

/// Returns the hyperbolic tangent in half the time, and a last digit less exact: for the gates of recurrent layers.
///
/// A quotient of polynomials, that of Eigen, and so of TensorFlow; beyond 7.9 it is 1.
#[inline(always)]
pub fn tanh_of_gate(x: f32) -> f32 {
    const END: f32 = 7.905_311_107_6;
    let inside = if x > END { END } else { x };
    let inside = if inside < -END { -END } else { inside };
    let z = inside * inside;
    let p = -2.760_768_477_423_55e-16_f32;
    let p = p * z + 2.000_187_904_824_77e-13;
    let p = p * z - 8.604_671_522_137_35e-11;
    let p = p * z + 5.122_297_090_371_14e-8;
    let p = p * z + 1.485_722_357_179_79e-5;
    let p = p * z + 6.372_619_288_754_36e-4;
    let p = p * z + 4.893_524_558_917_86e-3;
    let q = 1.198_258_394_667_02e-6_f32;
    let q = q * z + 1.185_347_056_866_54e-4;
    let q = q * z + 2.268_434_632_439e-3;
    let q = q * z + 4.893_525_185_543_85e-3;
    inside * p / q
}

/// Returns log(1 + e^x).
#[inline(always)]
pub fn softplus(x: f32) -> f32 {
    let above = if x < 0.0 { 0.0 } else { x };
    let small = exp(-x.abs());
    let rounded = 1.0 + small;
    // What the sum lost counts where the power is small.
    above + (ln(rounded) + (small - (rounded - 1.0)) / rounded)
}

/// Returns the error function.
#[inline(always)]
pub fn erf(x: f32) -> f32 {
    // Beyond 4 it is 1 to the last bit.
    let inside = if x > 4.0 { 4.0 } else { x };
    let inside = if inside < -4.0 { -4.0 } else { inside };
    let z = inside * inside;
    let p = -2.726_142_258_01e-10_f32;
    let p = p * z + 2.770_681_424_96e-8;
    let p = p * z - 2.101_024_020_83e-6;
    let p = p * z - 5.692_506_394_62e-5;
    let p = p * z - 7.349_906_303_27e-4;
    let p = p * z - 2.954_599_808_54e-3;
    let p = p * z - 1.609_603_332_62e-2;
    let q = -1.456_607_184_65e-5_f32;
    let q = q * z - 2.133_740_552_79e-4;
    let q = q * z - 1.682_826_974_38e-3;
    let q = q * z - 7.373_329_167_20e-3;
    let q = q * z - 1.426_473_905_14e-2;
    inside * p / q
}

/// Returns the normal distribution function: the chance of a value up to x.
#[inline(always)]
pub fn normal_distribution(x: f32) -> f32 {
    0.5 + 0.5 * erf(x * FRAC_1_SQRT_2)
}

/// Returns the normal density; beyond 13 either way, where it is below 10⁻³⁷, that at 13.
///
/// As a power of 2, whose polynomial of Cephes has the density's height in its coefficients.
#[inline(always)]
pub fn normal_density(x: f32) -> f32 {
    let near = clamp(x, -NORMAL_END, NORMAL_END);
    let power = near * near * (-0.5 * LOG2_E);
    let rounded = power + ROUND;
    let r = power - (rounded - ROUND);
    let p = 1.535_336_188_319_500e-4 * DENSITY;
    let p = p * r + 1.339_887_440_266_574e-3 * DENSITY;
    let p = p * r + 9.618_437_357_674_640e-3 * DENSITY;
    let p = p * r + 5.550_332_471_162_809e-2 * DENSITY;
    let p = p * r + 2.402_264_791_363_012e-1 * DENSITY;
    let p = p * r + 6.931_472_028_550_421e-1 * DENSITY;
    (p * r + DENSITY) * power_of_two(rounded)
}

/// Returns x kept within two bounds; not a number stays that.
#[inline(always)]
pub fn clamp(x: f32, low: f32, high: f32) -> f32 {
    let x = if x < low { low } else { x };
    if x > high { high } else { x }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Compares with f64 on many points; the error is relative to the value, or to 1 where `absolute`.
    fn check(name: &str, own: fn(f32) -> f32, exact: fn(f64) -> f64, from: f32, to: f32, tolerance: f64) {
        let count = 200_000;
        let mut worst = (0.0, 0.0);
        for at in 0..=count {
            let x = from + (to - from) * (at as f32 / count as f32);
            let expected = exact(f64::from(x));
            let error = (f64::from(own(x)) - expected).abs() / expected.abs().max(f64::from(f32::MIN_POSITIVE));
            if error > worst.0 {
                worst = (error, x);
            }
        }
        assert!(worst.0 <= tolerance, "{name}({}) is off by {:e}", worst.1, worst.0);
    }

    #[test]
    fn functions_are_exact_to_the_last_digits() {
        check("exp", exp, f64::exp, -87.0, 88.7, 2e-7);
        check("exp_within", exp_within, f64::exp, -87.0, 88.0, 2e-7);
        check("ln", ln, f64::ln, 1e-38, 1e-3, 2e-7);
        check("ln", ln, f64::ln, 1.1, 1e6, 2e-7);
        check("tanh", tanh, f64::tanh, -20.0, 20.0, 3e-7);
        check("tanh", tanh, f64::tanh, 1e-6, 1e-3, 3e-7);
        check("tanh_of_gate", tanh_of_gate, f64::tanh, -20.0, 20.0, 4e-7);
        check("tanh_of_gate", tanh_of_gate, f64::tanh, 1e-6, 1e-3, 4e-7);
        check("sigmoid", sigmoid, |x| 1.0 / (1.0 + (-x).exp()), -80.0, 80.0, 4e-7);
        check("softplus", softplus, |x| (1.0 + x.exp()).ln(), -15.0, 80.0, 5e-7);
        let density = |x: f64| (-0.5 * x * x).exp() / std::f64::consts::TAU.sqrt();
        check("normal_density", normal_density, density, -5.0, 5.0, 3e-6);
        check("normal_density", normal_density, density, -1.0, 1.0, 3e-7);
        check("erf", erf, candle_core::cpu::erf::erf_f64, 1e-5, 6.0, 5e-7);
        check("erf", erf, candle_core::cpu::erf::erf_f64, -6.0, -1e-5, 5e-7);
    }

    #[test]
    fn limits_are_those_of_the_functions() {
        assert_eq!((exp(89.0), exp(-104.0), exp(0.0)), (f32::INFINITY, 0.0, 1.0));
        assert_eq!((exp(f32::INFINITY), exp(f32::NEG_INFINITY)), (f32::INFINITY, 0.0));
        assert_eq!((ln(0.0), ln(f32::INFINITY), ln(1.0)), (f32::NEG_INFINITY, f32::INFINITY, 0.0));
        assert_eq!((tanh(f32::INFINITY), tanh(-100.0), tanh(0.0)), (1.0, -1.0, 0.0));
        assert_eq!((tanh_of_gate(f32::INFINITY), tanh_of_gate(-100.0), tanh_of_gate(0.0)), (1.0, -1.0, 0.0));
        assert_eq!((sigmoid(-200.0), sigmoid(200.0), sigmoid(0.0)), (0.0, 1.0, 0.5));
        assert_eq!((erf(f32::INFINITY), erf(-50.0), erf(0.0)), (1.0, -1.0, 0.0));
        assert!((ln(1e-44) - (-101.2) < 0.2) && ln(-1.0).is_nan());
        for function in
            [exp, exp_within, ln, tanh, tanh_of_gate, sigmoid, softplus, erf, normal_density, |x| clamp(x, 0.0, 1.0)]
        {
            for bits in [0x7fc0_0000, 0x7fc0_01ff, 0xffc0_1234] {
                assert!(function(f32::from_bits(bits)).is_nan());
            }
        }
    }
}
