//! The gated recurrent unit, in both forms of Keras.
//!
//! ```text
//! z = σ(xW₁ + hU₁ + b₁)    r = σ(xW₂ + hU₂ + b₂)
//! reset after the product:   n = tanh(xW₃ + b₃ + r·(hU₃ + b'₃))
//! reset before the product:  n = tanh(xW₃ + b₃ + (r·h)U₃)
//! h' = z·h + (1 - z)·n
//! ```

use super::{Course, Sequence, SequenceGradient};
use crate::kernel::curve::{LANES, load, store};
use crate::kernel::packed::{Onto, Packed, Rows, RowsMut, multiply};

pub use super::lstm::Curves;

/// What is kept of a block from forward to backward, and its states.
#[derive(Debug)]
pub struct Kept<'a> {
    /// `[steps, rows, 3 · units]`: after forward, z, r and n; after backward, the gradients of the sums.
    pub gates: &'a mut [f32],
    /// `[steps, rows, units]`. Reset after: hU₃ + b'₃, after backward its gradient. Reset before: r·h.
    pub inner: &'a mut [f32],
    /// `[steps, rows, input + units]`: x and h before each step.
    pub taken: &'a mut [f32],
    /// `[rows, units]`: h, on the way back its gradient.
    pub state: &'a mut [f32],
    /// `[rows, units]`, for backward with reset before.
    pub scratch: &'a mut [f32],
}

/// The recurrent kernel, packed in two parts: forward `[units, 2 · units]` of z and r and `[units, units]` of n; backward
/// both transposed.
#[derive(Clone, Copy, Debug)]
pub struct Recurrent<'a> {
    /// Of z and r.
    pub gates: &'a Packed,
    /// Of n.
    pub candidate: &'a Packed,
    /// With reset after the product: b'₃. `None`: reset before.
    pub bias: Option<&'a [f32]>,
}

/// Runs all steps. States are those before the first step, then after the last.
pub fn forward(
    course: Course<'_>,
    kept: &mut Kept<'_>,
    recurrent: Recurrent<'_>,
    curves: Curves,
    out: Option<Sequence<'_>>,
) {
    let (rows, units, mut out) = (course.rows, course.units, out);
    let wide = 3 * units;
    for order in 0..course.steps {
        course.sums_of_input(order, kept.taken, kept.gates, wide);
        let (sums, parts) = (course.place(0, order, wide), course.place(0, order, units));
        let states = Rows::new(kept.state, rows, units);
        multiply(RowsMut::new(&mut kept.gates[sums..], wide), Onto::Itself, states, recurrent.gates);
        match recurrent.bias {
            Some(bias) => {
                let inner = RowsMut::new(&mut kept.inner[parts..], units);
                multiply(inner, Onto::Row(bias), states, recurrent.candidate);
                step_after(course, order, kept, curves);
            }
            None => {
                gates_before(course, order, kept, curves);
                let inner = Rows::new(&kept.inner[parts..], rows, units);
                let candidates = RowsMut::new(&mut kept.gates[sums + 2 * units..], wide);
                multiply(candidates, Onto::Itself, inner, recurrent.candidate);
                step_before(course, order, kept, curves);
            }
        }
        if let Some(out) = &mut out {
            out.write(&course, order, kept.state, units);
        }
    }
}

/// Runs all steps back. States are the gradients after the last step, then before the first. Adds to `bias`,
/// `[4 · units]`: of z, r and n, and of b'₃.
pub fn backward(
    course: Course<'_>,
    kept: &mut Kept<'_>,
    recurrent: Recurrent<'_>,
    curves: Curves,
    out: Option<SequenceGradient<'_>>,
    bias: &mut [f32],
) {
    let (rows, units) = (course.rows, course.units);
    let wide = 3 * units;
    for order in (0..course.steps).rev() {
        let (sums, parts) = (course.place(0, order, wide), course.place(0, order, units));
        if let Some(out) = &out {
            out.add(&course, order, kept.state);
        }
        match recurrent.bias {
            Some(_) => {
                step_after_back(course, order, kept, curves, bias);
                let inner = Rows::new(&kept.inner[parts..], rows, units);
                multiply(RowsMut::new(kept.state, units), Onto::Itself, inner, recurrent.candidate);
            }
            None => {
                step_before_back(course, order, kept, curves, bias);
                let candidates = Rows::new(&kept.gates[sums + 2 * units..], rows, wide);
                multiply(RowsMut::new(kept.scratch, units), Onto::Nothing, candidates, recurrent.candidate);
                gates_before_back(course, order, kept, curves, bias);
            }
        }
        let sums = Rows::new(&kept.gates[sums..], rows, wide);
        multiply(RowsMut::new(kept.state, units), Onto::Itself, sums, recurrent.gates);
    }
}

/// Adds to sums of a bias's gradient.
#[inline(always)]
fn sum(bias: &mut [f32], own: &[f32; LANES]) {
    let mut sum = load(bias);
    for l in 0..LANES {
        sum[l] += own[l];
    }
    store(bias, &sum);
}

crate::simd! {
    fn step_after(course: Course<'_>, order: usize, kept: &mut Kept<'_>, curves: Curves) {
        let units = course.units;
        for row in 0..course.rows {
            let gates = &mut kept.gates[course.place(row, order, 3 * units)..][..3 * units];
            let (update, rest) = gates.split_at_mut(units);
            let (reset, candidate) = rest.split_at_mut(units);
            let at = course.place(row, order, units);
            let h_at = course.place(row, order, course.taken()) + course.input;
            let (before, inner) = (&mut kept.taken[h_at..][..units], &kept.inner[at..][..units]);
            let state = &mut kept.state[row * units..][..units];
            before.copy_from_slice(state);
            if course.skips(row, order) {
                continue;
            }
            let mut j = 0;
            while j < units {
                let (mut z, mut r, mut n) = (load(&update[j..]), load(&reset[j..]), load(&candidate[j..]));
                let (q, mut h) = (load(&inner[j..]), load(&state[j..]));
                curves.gate.apply(&mut z);
                curves.gate.apply(&mut r);
                for l in 0..LANES {
                    n[l] += r[l] * q[l];
                }
                curves.state.apply(&mut n);
                for l in 0..LANES {
                    h[l] = z[l] * h[l] + (1.0 - z[l]) * n[l];
                }
                store(&mut update[j..], &z);
                store(&mut reset[j..], &r);
                store(&mut candidate[j..], &n);
                store(&mut state[j..], &h);
                j += LANES;
            }
        }
    }

    fn step_after_back(course: Course<'_>, order: usize, kept: &mut Kept<'_>, curves: Curves, bias: &mut [f32]) {
        let units = course.units;
        for row in 0..course.rows {
            let gates = &mut kept.gates[course.place(row, order, 3 * units)..][..3 * units];
            let at = course.place(row, order, units);
            let h_at = course.place(row, order, course.taken()) + course.input;
            let (before, inner) = (&kept.taken[h_at..][..units], &mut kept.inner[at..][..units]);
            if course.skips(row, order) {
                gates.fill(0.0);
                inner.fill(0.0);
                continue;
            }
            let (update, rest) = gates.split_at_mut(units);
            let (reset, candidate) = rest.split_at_mut(units);
            let state = &mut kept.state[row * units..][..units];
            let bias = &mut bias[..4 * units];
            let (bias_z, rest) = bias.split_at_mut(units);
            let (bias_r, rest) = rest.split_at_mut(units);
            let (bias_n, bias_q) = rest.split_at_mut(units);
            let mut j = 0;
            while j < units {
                let (z, r, n) = (load(&update[j..]), load(&reset[j..]), load(&candidate[j..]));
                let (q, h, mut dh) = (load(&inner[j..]), load(&before[j..]), load(&state[j..]));
                let (mut dz, mut dr, mut dn, mut dq) = (dh, dh, dh, dh);
                for l in 0..LANES {
                    dz[l] = dh[l] * (h[l] - n[l]);
                    dn[l] = dh[l] * (1.0 - z[l]);
                    dh[l] *= z[l];
                }
                curves.gate.slope(&z, &mut dz);
                curves.state.slope(&n, &mut dn);
                for l in 0..LANES {
                    dr[l] = dn[l] * q[l];
                    dq[l] = dn[l] * r[l];
                }
                curves.gate.slope(&r, &mut dr);
                store(&mut update[j..], &dz);
                store(&mut reset[j..], &dr);
                store(&mut candidate[j..], &dn);
                store(&mut inner[j..], &dq);
                store(&mut state[j..], &dh);
                sum(&mut bias_z[j..], &dz);
                sum(&mut bias_r[j..], &dr);
                sum(&mut bias_n[j..], &dn);
                sum(&mut bias_q[j..], &dq);
                j += LANES;
            }
        }
    }

    fn gates_before(course: Course<'_>, order: usize, kept: &mut Kept<'_>, curves: Curves) {
        let units = course.units;
        for row in 0..course.rows {
            let gates = &mut kept.gates[course.place(row, order, 3 * units)..][..2 * units];
            let (update, reset) = gates.split_at_mut(units);
            let at = course.place(row, order, units);
            let h_at = course.place(row, order, course.taken()) + course.input;
            let (before, inner) = (&mut kept.taken[h_at..][..units], &mut kept.inner[at..][..units]);
            let state = &kept.state[row * units..][..units];
            before.copy_from_slice(state);
            let mut j = 0;
            while j < units {
                let (mut z, mut r) = (load(&update[j..]), load(&reset[j..]));
                curves.gate.apply(&mut z);
                curves.gate.apply(&mut r);
                let mut q = load(&state[j..]);
                for l in 0..LANES {
                    q[l] *= r[l];
                }
                store(&mut update[j..], &z);
                store(&mut reset[j..], &r);
                store(&mut inner[j..], &q);
                j += LANES;
            }
        }
    }

    fn step_before(course: Course<'_>, order: usize, kept: &mut Kept<'_>, curves: Curves) {
        let units = course.units;
        for row in 0..course.rows {
            let gates = &mut kept.gates[course.place(row, order, 3 * units)..][..3 * units];
            let (update, candidate) = gates.split_at_mut(2 * units);
            let state = &mut kept.state[row * units..][..units];
            if course.skips(row, order) {
                continue;
            }
            let mut j = 0;
            while j < units {
                let (z, mut n, mut h) = (load(&update[j..units]), load(&candidate[j..]), load(&state[j..]));
                curves.state.apply(&mut n);
                for l in 0..LANES {
                    h[l] = z[l] * h[l] + (1.0 - z[l]) * n[l];
                }
                store(&mut candidate[j..], &n);
                store(&mut state[j..], &h);
                j += LANES;
            }
        }
    }

    fn step_before_back(course: Course<'_>, order: usize, kept: &mut Kept<'_>, curves: Curves, bias: &mut [f32]) {
        let units = course.units;
        for row in 0..course.rows {
            let gates = &mut kept.gates[course.place(row, order, 3 * units)..][..3 * units];
            if course.skips(row, order) {
                gates.fill(0.0);
                continue;
            }
            let (update, candidate) = gates.split_at_mut(2 * units);
            let update = &mut update[..units];
            let before = &kept.taken[course.place(row, order, course.taken()) + course.input..][..units];
            let state = &mut kept.state[row * units..][..units];
            let bias = &mut bias[..4 * units];
            let (bias_z, bias_n) = bias.split_at_mut(2 * units);
            let mut j = 0;
            while j < units {
                let (z, n, h, mut dh) = (load(&update[j..]), load(&candidate[j..]), load(&before[j..]), load(&state[j..]));
                let (mut dz, mut dn) = (dh, dh);
                for l in 0..LANES {
                    dz[l] = dh[l] * (h[l] - n[l]);
                    dn[l] = dh[l] * (1.0 - z[l]);
                    dh[l] *= z[l];
                }
                curves.gate.slope(&z, &mut dz);
                curves.state.slope(&n, &mut dn);
                store(&mut update[j..], &dz);
                store(&mut candidate[j..], &dn);
                store(&mut state[j..], &dh);
                sum(&mut bias_z[j..units], &dz);
                sum(&mut bias_n[j..units], &dn);
                j += LANES;
            }
        }
    }

    fn gates_before_back(course: Course<'_>, order: usize, kept: &mut Kept<'_>, curves: Curves, bias: &mut [f32]) {
        let units = course.units;
        for row in 0..course.rows {
            if course.skips(row, order) {
                continue;
            }
            let reset = &mut kept.gates[course.place(row, order, 3 * units) + units..][..units];
            let before = &kept.taken[course.place(row, order, course.taken()) + course.input..][..units];
            let state = &mut kept.state[row * units..][..units];
            let scratch = &kept.scratch[row * units..][..units];
            let bias = &mut bias[units..][..units];
            let mut j = 0;
            while j < units {
                let (r, h, dq, mut dh) = (load(&reset[j..]), load(&before[j..]), load(&scratch[j..]), load(&state[j..]));
                let mut dr = dq;
                for l in 0..LANES {
                    dr[l] *= h[l];
                    dh[l] += dq[l] * r[l];
                }
                curves.gate.slope(&r, &mut dr);
                store(&mut reset[j..], &dr);
                store(&mut state[j..], &dh);
                sum(&mut bias[j..], &dr);
                j += LANES;
            }
        }
    }
}
