//! The plain recurrent layer: h' = tanh(xW + hU + b).

use super::{BLOCK, Course, Sequence, SequenceGradient};
use crate::kernel::curve::{Curve, LANES, load, store};
use crate::kernel::packed::{Onto, Packed, Rows, RowsMut, multiply};

/// What one thread keeps of its records from forward to backward, and its states.
#[derive(Debug)]
pub struct Kept<'a> {
    /// `[rows, steps, units]`: before, xW + b; after forward, the states; after backward, the gradients of the sums.
    pub gates: &'a mut [f32],
    /// `[rows, steps, units]`: h before each step.
    pub before: &'a mut [f32],
    /// `[rows, units]`: h, on the way back its gradient.
    pub state: &'a mut [f32],
}

/// Runs all steps; `recurrent` is U, `[units, units]`. States are those before the first step, then after the last.
pub fn forward(course: Course<'_>, kept: &mut Kept<'_>, recurrent: &Packed, curve: Curve, out: Option<Sequence<'_>>) {
    let (units, mut out) = (course.units, out);
    for order in 0..course.steps {
        let time = course.time(order);
        if order > 0 || course.started {
            let sums = RowsMut::new(&mut kept.gates[time * units..], course.steps * units);
            multiply(sums, Onto::Itself, Rows::new(kept.state, course.rows, units), recurrent);
        }
        step(course, time, kept, curve);
        if let Some(out) = &mut out {
            out.write(&course, order, kept.state);
        }
    }
}

/// Runs all steps back; `recurrent` is the transposed U. States are the gradients after the last step, then before
/// the first. Adds to `bias`, `[rows / 8 rounded up, units]`.
pub fn backward(
    course: Course<'_>,
    kept: &mut Kept<'_>,
    recurrent: &Packed,
    curve: Curve,
    out: Option<SequenceGradient<'_>>,
    bias: &mut [f32],
) {
    let units = course.units;
    for order in (0..course.steps).rev() {
        let time = course.time(order);
        if let Some(out) = &out {
            out.add(&course, order, kept.state);
        }
        step_back(course, time, kept, curve, bias);
        if order > 0 || course.started {
            let sums = Rows::new(&kept.gates[time * units..], course.rows, course.steps * units);
            multiply(RowsMut::new(kept.state, units), Onto::Itself, sums, recurrent);
        }
    }
}

crate::simd! {
    fn step(course: Course<'_>, time: usize, kept: &mut Kept<'_>, curve: Curve) {
        let units = course.units;
        for row in 0..course.rows {
            let at = course.place(row, time, units);
            let (gates, before) = (&mut kept.gates[at..][..units], &mut kept.before[at..][..units]);
            let state = &mut kept.state[row * units..][..units];
            before.copy_from_slice(state);
            if course.skips(row, time) {
                continue;
            }
            let mut j = 0;
            while j < units {
                let mut h = load(&gates[j..]);
                curve.apply(&mut h);
                store(&mut gates[j..], &h);
                store(&mut state[j..], &h);
                j += LANES;
            }
        }
    }

    fn step_back(course: Course<'_>, time: usize, kept: &mut Kept<'_>, curve: Curve, bias: &mut [f32]) {
        let units = course.units;
        for row in 0..course.rows {
            let gates = &mut kept.gates[course.place(row, time, units)..][..units];
            if course.skips(row, time) {
                gates.fill(0.0);
                continue;
            }
            let state = &mut kept.state[row * units..][..units];
            let bias = &mut bias[row / BLOCK * units..][..units];
            let mut j = 0;
            while j < units {
                let mut d = load(&state[j..]);
                curve.slope(&load(&gates[j..]), &mut d);
                store(&mut gates[j..], &d);
                store(&mut state[j..], &[0.0; LANES]);
                let mut sum = load(&bias[j..]);
                for l in 0..LANES {
                    sum[l] += d[l];
                }
                store(&mut bias[j..], &sum);
                j += LANES;
            }
        }
    }
}
