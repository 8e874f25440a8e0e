//! Activations whose derivative follows from their value: what gates and states of recurrent layers use.

use super::math;

/// Numbers that one loop works on at a time.
pub const LANES: usize = 16;

/// Numbers side by side.
pub type Lanes = [f32; LANES];

/// An activation.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Curve {
    /// x
    Linear,
    /// 1 / (1 + e⁻ˣ)
    Sigmoid,
    /// The hyperbolic tangent.
    Tanh,
    /// x above 0, 0 elsewhere.
    Relu,
    /// x / 6 + 0.5, kept within 0 and 1.
    HardSigmoid,
    /// x / (1 + |x|)
    Softsign,
}

impl Curve {
    /// Returns the curve of a Keras name, if it is one of these.
    pub fn named(name: &str) -> Option<Curve> {
        Some(match name {
            "linear" => Curve::Linear,
            "sigmoid" => Curve::Sigmoid,
            "tanh" => Curve::Tanh,
            "relu" => Curve::Relu,
            "hard_sigmoid" => Curve::HardSigmoid,
            "softsign" => Curve::Softsign,
            _ => return None,
        })
    }

    /// Replaces each x by its value.
    #[inline(always)]
    pub fn apply(self, x: &mut Lanes) {
        #[inline(always)]
        fn each(x: &mut Lanes, value: impl Fn(f32) -> f32) {
            for x in x {
                *x = value(*x);
            }
        }
        match self {
            Curve::Linear => {}
            Curve::Sigmoid => each(x, math::sigmoid),
            Curve::Tanh => each(x, math::tanh_of_gate),
            // Not a number stays that, so that a broken run is noticed.
            Curve::Relu => each(x, |x| if x <= 0.0 { 0.0 } else { x }),
            Curve::HardSigmoid => each(x, |x| {
                let x = x * (1.0 / 6.0) + 0.5;
                let x = if x < 0.0 { 0.0 } else { x };
                if x > 1.0 { 1.0 } else { x }
            }),
            Curve::Softsign => each(x, |x| x / (1.0 + x.abs())),
        }
    }

    /// Multiplies each gradient of a value by the derivative there, which follows from the value y.
    #[inline(always)]
    pub fn slope(self, y: &Lanes, gradient: &mut Lanes) {
        #[inline(always)]
        fn each(y: &Lanes, gradient: &mut Lanes, slope: impl Fn(f32) -> f32) {
            for (gradient, y) in gradient.iter_mut().zip(y) {
                *gradient *= slope(*y);
            }
        }
        match self {
            Curve::Linear => {}
            Curve::Sigmoid => each(y, gradient, |y| y * (1.0 - y)),
            Curve::Tanh => each(y, gradient, |y| 1.0 - y * y),
            Curve::Relu => each(y, gradient, |y| if y > 0.0 { 1.0 } else { 0.0 }),
            Curve::HardSigmoid => each(y, gradient, |y| if y > 0.0 && y < 1.0 { 1.0 / 6.0 } else { 0.0 }),
            Curve::Softsign => each(y, gradient, |y| (1.0 - y.abs()) * (1.0 - y.abs())),
        }
    }
}

/// Returns the first numbers of a slice, at most 16; the rest are 0.
#[inline(always)]
pub fn load(values: &[f32]) -> Lanes {
    match <&Lanes>::try_from(values.get(..LANES).unwrap_or(&[])) {
        Ok(lanes) => *lanes,
        Err(_) => {
            let mut lanes = [0.0; LANES];
            lanes.iter_mut().zip(values).for_each(|(lane, value)| *lane = *value);
            lanes
        }
    }
}

/// Writes lanes to the first numbers of a slice, at most 16.
#[inline(always)]
pub fn store(values: &mut [f32], lanes: &Lanes) {
    match values.len() >= LANES {
        true => values[..LANES].copy_from_slice(lanes),
        false => values.iter_mut().zip(lanes).for_each(|(value, lane)| *value = *lane),
    }
}

/// Makes one number of all lanes, in a fixed order: halves with each other, so that it takes few steps.
#[inline(always)]
pub fn folded(lanes: &Lanes, two: impl Fn(f32, f32) -> f32) -> f32 {
    let eight: [f32; 8] = std::array::from_fn(|at| two(lanes[at], lanes[at + 8]));
    let four: [f32; 4] = std::array::from_fn(|at| two(eight[at], eight[at + 4]));
    two(two(four[0], four[2]), two(four[1], four[3]))
}

/// Adds lanes up.
#[inline(always)]
pub fn total(lanes: &Lanes) -> f32 {
    folded(lanes, |a, b| a + b)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn slopes_are_those_of_finite_differences() {
        for curve in ["linear", "sigmoid", "tanh", "relu", "hard_sigmoid", "softsign"] {
            let curve = Curve::named(curve).unwrap();
            for at in -40..40 {
                // Not at a bend.
                let x = at as f32 * 0.11 + 0.04;
                let value = |x: f32| {
                    let mut lanes = [x; LANES];
                    curve.apply(&mut lanes);
                    lanes
                };
                let mut slope = [1.0; LANES];
                curve.slope(&value(x), &mut slope);
                let expected = (value(x + 0.01)[0] - value(x - 0.01)[0]) / 0.02;
                assert!((slope[0] - expected).abs() < 2e-3, "{curve:?} at {x}: {} {expected}", slope[0]);
            }
        }
    }
}
