//! The plain recurrent layer: h' = tanh(xW + hU + b).

use super::{Course, Sequence, SequenceGradient};
use crate::kernel::curve::{Curve, LANES, load, store};
use crate::kernel::packed::{Onto, Packed, Rows, RowsMut, multiply};

/// What is kept of a block from forward to backward, and its states.
#[derive(Debug)]
pub struct Kept<'a> {
    /// `[steps, rows, units]`: after forward, the states; after backward, the gradients of the sums.
    pub gates: &'a mut [f32],
    /// `[steps, rows, input + units]`: x and h before each step.
    pub taken: &'a mut [f32],
    /// `[rows, units]`: h, on the way back its gradient.
    pub state: &'a mut [f32],
}

/// Runs all steps; `recurrent` is U, `[units, units]`. States are those before the first step, then after the last.
pub fn forward(course: Course<'_>, kept: &mut Kept<'_>, recurrent: &Packed, curve: Curve, out: Option<Sequence<'_>>) {
    let (units, mut out) = (course.units, out);
    for order in 0..course.steps {
        course.sums_of_input(order, kept.taken, kept.gates, units);
        if order > 0 || course.started {
            let sums = RowsMut::new(&mut kept.gates[course.place(0, order, units)..], units);
            multiply(sums, Onto::Itself, Rows::new(kept.state, course.rows, units), recurrent);
        }
        step(course, order, kept, curve);
        if let Some(out) = &mut out {
            out.write(&course, order, kept.state, units);
        }
    }
}

/// Runs all steps back; `recurrent` is the transposed U. States are the gradients after the last step, then before
/// the first. Adds to `bias`, `[units]`.
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
        if let Some(out) = &out {
            out.add(&course, order, kept.state);
        }
        step_back(course, order, kept, curve, bias);
        if order > 0 || course.started {
            let sums = Rows::new(&kept.gates[course.place(0, order, units)..], course.rows, units);
            multiply(RowsMut::new(kept.state, units), Onto::Itself, sums, recurrent);
        }
    }
}

crate::simd! {
    fn step(course: Course<'_>, order: usize, kept: &mut Kept<'_>, curve: Curve) {
        let units = course.units;
        for row in 0..course.rows {
            let gates = &mut kept.gates[course.place(row, order, units)..][..units];
            let before = &mut kept.taken[course.place(row, order, course.taken()) + course.input..][..units];
            let state = &mut kept.state[row * units..][..units];
            before.copy_from_slice(state);
            if course.skips(row, order) {
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

    fn step_back(course: Course<'_>, order: usize, kept: &mut Kept<'_>, curve: Curve, bias: &mut [f32]) {
        let units = course.units;
        for row in 0..course.rows {
            let gates = &mut kept.gates[course.place(row, order, units)..][..units];
            if course.skips(row, order) {
                gates.fill(0.0);
                continue;
            }
            let state = &mut kept.state[row * units..][..units];
            let bias = &mut bias[..units];
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
