//! Elementary functions that the compiler can vectorise: no calls, no branches, no tables.
//!
//! All are accurate to a few units in the last place, which the tests below hold against 64 bits.

/// Returns eˣ; x is clamped to what a float can hold, so that the result is finite, and not a number stays that.
///
/// Reduction to a power of two and a polynomial, as in Cephes' `expf`.
#[inline(always)]
pub fn exp(x: f32) -> f32 {
    // Written so that a comparison with not-a-number keeps it.
    let x = if x < -87.0 { -87.0 } else { x };
    let x = if x > 88.0 { 88.0 } else { x };
    // Adding 1.5 · 2²³ leaves the nearest whole number in the low bits.
    let shifted = x * std::f32::consts::LOG2_E + 12_582_912.0;
    let whole = shifted - 12_582_912.0;
    let r = x - whole * 0.693_359_4;
    let r = r + whole * 2.121_944_4e-4;
    let p = 1.987_569_1e-4_f32;
    let p = p * r + 1.398_199_9e-3;
    let p = p * r + 8.333_452e-3;
    let p = p * r + 4.166_579_6e-2;
    let p = p * r + 1.666_666_5e-1;
    let p = p * r + 0.5;
    let p = p * (r * r) + r + 1.0;
    f32::from_bits(p.to_bits().wrapping_add(shifted.to_bits() << 23))
}

/// Returns 1 / (1 + e⁻ˣ).
#[inline(always)]
pub fn sigmoid(x: f32) -> f32 {
    1.0 / (1.0 + exp(-x))
}

/// Returns the hyperbolic tangent.
///
/// Near 0 the quotient would lose digits by cancellation; there the series is exact enough.
#[inline(always)]
pub fn tanh(x: f32) -> f32 {
    let far = 1.0 - 2.0 / (1.0 + exp(2.0 * x));
    let square = x * x;
    let near =
        x * (1.0 + square * (-1.0 / 3.0 + square * (2.0 / 15.0 + square * (-17.0 / 315.0 + square * (62.0 / 2835.0)))));
    if square < 0.09 { near } else { far }
}

/// Returns the normal distribution function of x and its density.
///
/// The error function is formula 7.1.26 of Abramowitz and Stegun, off by at most 1.5e-7.
#[inline(always)]
pub fn normal(x: f32) -> (f32, f32) {
    let z = x.abs() * std::f32::consts::FRAC_1_SQRT_2;
    let t = 1.0 / (1.0 + 0.327_591_1 * z);
    let e = exp(-z * z);
    let p = ((((1.061_405_4 * t - 1.453_152) * t) + 1.421_413_8) * t - 0.284_496_74) * t + 0.254_829_6;
    let tail = 0.5 * p * t * e;
    (if x < 0.0 { tail } else { 1.0 - tail }, e * 0.398_942_3)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn points() -> impl Iterator<Item = f32> {
        (-40_000..40_000).map(|at| at as f32 * 0.0021)
    }

    #[test]
    fn values_are_those_of_64_bits() {
        for x in points() {
            let wide = f64::from(x);
            let close = |found: f32, expected: f64, relative: f64| {
                let error = (f64::from(found) - expected).abs();
                assert!(error <= relative * expected.abs() + 1e-37, "at {x}: {found}, expected {expected}");
            };
            close(exp(x), wide.exp(), 3e-7);
            close(sigmoid(x), 1.0 / (1.0 + (-wide).exp()), 4e-7);
            close(tanh(x), wide.tanh(), 4e-7);
            let (distribution, density) = normal(x);
            close(density, (-0.5 * wide * wide).exp() / std::f64::consts::TAU.sqrt(), 3e-5);
            assert!((f64::from(distribution) - distribution_of(wide)).abs() < 3e-7, "at {x}: {distribution}");
        }
    }

    /// The normal distribution function by Simpson's rule.
    fn distribution_of(x: f64) -> f64 {
        let density = |x: f64| (-0.5 * x * x).exp() / std::f64::consts::TAU.sqrt();
        let end = x.clamp(-9.0, 9.0);
        let steps = 200;
        let width = end / f64::from(steps);
        let inner: f64 =
            (1..steps).map(|at| density(width * f64::from(at)) * if at % 2 == 1 { 4.0 } else { 2.0 }).sum();
        0.5 + (density(0.0) + inner + density(end)) * width / 3.0
    }

    #[test]
    fn far_out_values_stay_finite_and_not_a_number_stays() {
        for x in [f32::INFINITY, 1e30, 200.0] {
            assert_eq!((sigmoid(x), tanh(x), normal(x).0), (1.0, 1.0, 1.0));
            assert!(sigmoid(-x) < 1e-37 && tanh(-x) == -1.0 && normal(-x).0 < 1e-37);
        }
        assert!(exp(f32::NAN).is_nan() && sigmoid(f32::NAN).is_nan() && tanh(f32::NAN).is_nan());
    }
}
