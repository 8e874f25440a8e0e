//! Long short-term memory, as Keras computes it.
//!
//! ```text
//! i = σ(xW₁ + hU₁ + b₁)    f = σ(xW₂ + hU₂ + b₂)    g = tanh(xW₃ + hU₃ + b₃)    o = σ(xW₄ + hU₄ + b₄)
//! c' = f·c + i·g           h' = o·tanh(c')
//! ```

use super::{BLOCK, Course, Sequence, SequenceGradient};
use crate::kernel::curve::{Curve, LANES, load, store};
use crate::kernel::packed::{Onto, Packed, Rows, RowsMut, multiply};

/// What one thread keeps of its records from forward to backward, and its states.
#[derive(Debug)]
pub struct Kept<'a> {
    /// `[rows, steps, 4 · units]`: before, xW + b; after forward, the gates; after backward, the gradients of the sums.
    pub gates: &'a mut [f32],
    /// `[rows, steps, units]`: h before each step.
    pub before: &'a mut [f32],
    /// `[rows, steps, units]`: c before each step.
    pub cells: &'a mut [f32],
    /// `[rows, steps, units]`: tanh(c) after each step.
    pub curved: &'a mut [f32],
    /// `[rows, units]`: h, on the way back its gradient.
    pub state: &'a mut [f32],
    /// `[rows, units]`: c, on the way back its gradient.
    pub cell: &'a mut [f32],
}

/// The activations of states and of gates.
#[derive(Clone, Copy, Debug)]
pub struct Curves {
    /// Of g and of c.
    pub state: Curve,
    /// Of i, f and o.
    pub gate: Curve,
}

/// Runs all steps; `recurrent` is U, `[units, 4 · units]`. States are those before the first step, then after the last.
pub fn forward(course: Course<'_>, kept: &mut Kept<'_>, recurrent: &Packed, curves: Curves, out: Option<Sequence<'_>>) {
    let (wide, mut out) = (4 * course.units, out);
    for order in 0..course.steps {
        let time = course.time(order);
        if order > 0 || course.started {
            let sums = RowsMut::new(&mut kept.gates[time * wide..], course.steps * wide);
            multiply(sums, Onto::Itself, Rows::new(kept.state, course.rows, course.units), recurrent);
        }
        step(course, time, kept, curves);
        if let Some(out) = &mut out {
            out.write(&course, order, kept.state);
        }
    }
}

/// Runs all steps back; `recurrent` is the transposed U. States are the gradients after the last step, then before
/// the first. Adds to `bias`, `[rows / 8 rounded up, 4 · units]`.
pub fn backward(
    course: Course<'_>,
    kept: &mut Kept<'_>,
    recurrent: &Packed,
    curves: Curves,
    out: Option<SequenceGradient<'_>>,
    bias: &mut [f32],
) {
    let wide = 4 * course.units;
    for order in (0..course.steps).rev() {
        let time = course.time(order);
        if let Some(out) = &out {
            out.add(&course, order, kept.state);
        }
        step_back(course, time, kept, curves, bias);
        if order > 0 || course.started {
            let sums = Rows::new(&kept.gates[time * wide..], course.rows, course.steps * wide);
            multiply(RowsMut::new(kept.state, course.units), Onto::Itself, sums, recurrent);
        }
    }
}

crate::simd! {
    fn step(course: Course<'_>, time: usize, kept: &mut Kept<'_>, curves: Curves) {
        let units = course.units;
        for row in 0..course.rows {
            let gates = &mut kept.gates[course.place(row, time, 4 * units)..][..4 * units];
            let (input, rest) = gates.split_at_mut(units);
            let (forget, rest) = rest.split_at_mut(units);
            let (candidate, output) = rest.split_at_mut(units);
            let at = course.place(row, time, units);
            let (before, cells) = (&mut kept.before[at..][..units], &mut kept.cells[at..][..units]);
            let curved = &mut kept.curved[at..][..units];
            let (state, cell) = (&mut kept.state[row * units..][..units], &mut kept.cell[row * units..][..units]);
            before.copy_from_slice(state);
            cells.copy_from_slice(cell);
            if course.skips(row, time) {
                continue;
            }
            let mut j = 0;
            while j < units {
                let (mut i, mut f) = (load(&input[j..]), load(&forget[j..]));
                let (mut g, mut o) = (load(&candidate[j..]), load(&output[j..]));
                curves.gate.apply(&mut i);
                curves.gate.apply(&mut f);
                curves.state.apply(&mut g);
                curves.gate.apply(&mut o);
                let mut c = load(&cell[j..]);
                for l in 0..LANES {
                    c[l] = f[l] * c[l] + i[l] * g[l];
                }
                let mut t = c;
                curves.state.apply(&mut t);
                let mut h = o;
                for l in 0..LANES {
                    h[l] *= t[l];
                }
                store(&mut input[j..], &i);
                store(&mut forget[j..], &f);
                store(&mut candidate[j..], &g);
                store(&mut output[j..], &o);
                store(&mut cell[j..], &c);
                store(&mut curved[j..], &t);
                store(&mut state[j..], &h);
                j += LANES;
            }
        }
    }

    fn step_back(course: Course<'_>, time: usize, kept: &mut Kept<'_>, curves: Curves, bias: &mut [f32]) {
        let units = course.units;
        for row in 0..course.rows {
            let gates = &mut kept.gates[course.place(row, time, 4 * units)..][..4 * units];
            if course.skips(row, time) {
                gates.fill(0.0);
                continue;
            }
            let (input, rest) = gates.split_at_mut(units);
            let (forget, rest) = rest.split_at_mut(units);
            let (candidate, output) = rest.split_at_mut(units);
            let at = course.place(row, time, units);
            let (cells, curved) = (&kept.cells[at..][..units], &kept.curved[at..][..units]);
            let (state, cell) = (&mut kept.state[row * units..][..units], &mut kept.cell[row * units..][..units]);
            let bias = &mut bias[row / BLOCK * 4 * units..][..4 * units];
            let (bias_i, rest) = bias.split_at_mut(units);
            let (bias_f, rest) = rest.split_at_mut(units);
            let (bias_g, bias_o) = rest.split_at_mut(units);
            let mut j = 0;
            while j < units {
                let (i, f) = (load(&input[j..]), load(&forget[j..]));
                let (g, o) = (load(&candidate[j..]), load(&output[j..]));
                let (c, t) = (load(&cells[j..]), load(&curved[j..]));
                let (dh, mut dc) = (load(&state[j..]), load(&cell[j..]));
                let mut through = dh;
                for l in 0..LANES {
                    through[l] *= o[l];
                }
                curves.state.slope(&t, &mut through);
                let (mut di, mut df, mut dg, mut do_) = (dc, dc, dc, dh);
                for l in 0..LANES {
                    let d = dc[l] + through[l];
                    di[l] = d * g[l];
                    df[l] = d * c[l];
                    dg[l] = d * i[l];
                    do_[l] = dh[l] * t[l];
                    dc[l] = d * f[l];
                }
                curves.gate.slope(&i, &mut di);
                curves.gate.slope(&f, &mut df);
                curves.state.slope(&g, &mut dg);
                curves.gate.slope(&o, &mut do_);
                store(&mut input[j..], &di);
                store(&mut forget[j..], &df);
                store(&mut candidate[j..], &dg);
                store(&mut output[j..], &do_);
                store(&mut cell[j..], &dc);
                store(&mut state[j..], &[0.0; LANES]);
                for (bias, own) in [(&mut *bias_i, di), (&mut *bias_f, df), (&mut *bias_g, dg), (&mut *bias_o, do_)] {
                    let mut sum = load(&bias[j..]);
                    for l in 0..LANES {
                        sum[l] += own[l];
                    }
                    store(&mut bias[j..], &sum);
                }
                j += LANES;
            }
        }
    }
}
