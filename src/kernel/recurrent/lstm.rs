//! Long short-term memory, as Keras computes it.
//!
//! ```text
//! i = σ(xW₁ + hU₁ + b₁)    f = σ(xW₂ + hU₂ + b₂)    g = tanh(xW₃ + hU₃ + b₃)    o = σ(xW₄ + hU₄ + b₄)
//! c' = f·c + i·g           h' = o·tanh(c')
//! ```

use super::{Course, Sequence, SequenceGradient};
use crate::kernel::curve::{Curve, LANES, load, store};
use crate::kernel::packed::{Onto, Packed, Rows, RowsMut, multiply};

/// What is kept of a block from forward to backward, and its states.
#[derive(Debug)]
pub struct Kept<'a> {
    /// `[steps, rows, 4 · units]`: after forward, the gates; after backward, the gradients of the sums.
    pub gates: &'a mut [f32],
    /// `[steps, rows, input + units]`: x and h before each step.
    pub taken: &'a mut [f32],
    /// `[steps, rows, units]`: c before each step.
    pub cells: &'a mut [f32],
    /// `[steps, rows, units]`: tanh(c) after each step.
    pub curved: &'a mut [f32],
    /// `[rows, units]`: h, on the way back its gradient.
    pub state: &'a mut [f32],
    /// `[rows, units]`: c, on the way back its gradient.
    pub cell: &'a mut [f32],
}

/// The activations of states and of gates.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Curves {
    /// Of g and of c.
    pub state: Curve,
    /// Of i, f and o.
    pub gate: Curve,
}

/// Runs all steps; `recurrent` is U, `[units, 4 · units]`. States are those before the first step, then after the last.
pub fn forward(course: Course<'_>, kept: &mut Kept<'_>, recurrent: &Packed, curves: Curves, out: Option<Sequence<'_>>) {
    let (units, taken, wide, mut out) = (course.units, course.taken(), 4 * course.units, out);
    for (row, state) in kept.state.chunks_exact(units).enumerate().take(course.rows) {
        kept.taken[course.place(row, 0, taken) + course.input..][..units].copy_from_slice(state);
    }
    kept.cells[..course.rows * units].copy_from_slice(kept.cell);
    for order in 0..course.steps {
        course.sums_of_input(order, kept.taken, kept.gates, wide);
        if order > 0 || course.started {
            let states = Rows::new(&kept.taken[course.place(0, order, taken) + course.input..], course.rows, taken);
            let sums = RowsMut::new(&mut kept.gates[course.place(0, order, wide)..], wide);
            multiply(sums, Onto::Itself, states, recurrent);
        }
        step(&course, order, kept, curves);
        if let Some(out) = &mut out {
            match order + 1 < course.steps {
                true => {
                    out.write(&course, order, &kept.taken[course.place(0, order + 1, taken) + course.input..], taken)
                }
                false => out.write(&course, order, kept.state, units),
            }
        }
    }
}

/// Runs all steps back; `recurrent` is the transposed U. States are the gradients after the last step, then before
/// the first. Adds to `bias`, `[4 · units]`.
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
        if let Some(out) = &out {
            out.add(&course, order, kept.state);
        }
        step_back(&course, order, kept, curves, bias);
        if order > 0 || course.started {
            let sums = Rows::new(&kept.gates[course.place(0, order, wide)..], course.rows, wide);
            multiply(RowsMut::new(kept.state, course.units), Onto::Itself, sums, recurrent);
        }
    }
}

/// The curves of most layers: loops are compiled for these, and once for any.
const USUAL: Curves = Curves { state: Curve::Tanh, gate: Curve::Sigmoid };

crate::simd! {
    fn step(course: &Course<'_>, order: usize, kept: &mut Kept<'_>, curves: Curves) {
        if curves == USUAL { forth(course, order, kept, USUAL) } else { forth(course, order, kept, curves) }
    }

    fn step_back(course: &Course<'_>, order: usize, kept: &mut Kept<'_>, curves: Curves, bias: &mut [f32]) {
        if curves == USUAL { back(course, order, kept, USUAL, bias) } else { back(course, order, kept, curves, bias) }
    }
}

#[inline(always)]
fn forth(course: &Course<'_>, order: usize, kept: &mut Kept<'_>, curves: Curves) {
    let units = course.units;
    for row in 0..course.rows {
        let gates = &mut kept.gates[course.place(row, order, 4 * units)..][..4 * units];
        let (input, rest) = gates.split_at_mut(units);
        let (forget, rest) = rest.split_at_mut(units);
        let (candidate, output) = rest.split_at_mut(units);
        let at = course.place(row, order, units);
        // What this step makes is what the next one takes; after the last it is the states.
        let last = order + 1 == course.steps;
        let (done, next) = kept.taken.split_at_mut(course.place(0, order + 1, course.taken()));
        let before = &done[course.place(row, order, course.taken()) + course.input..][..units];
        let state = match last {
            true => &mut kept.state[row * units..][..units],
            false => &mut next[row * course.taken() + course.input..][..units],
        };
        let (done, next) = kept.cells.split_at_mut(course.place(0, order + 1, units));
        let before_cell = &done[at..][..units];
        let cell = if last { &mut kept.cell[row * units..] } else { &mut next[row * units..] };
        let (cell, curved) = (&mut cell[..units], &mut kept.curved[at..][..units]);
        if course.skips(row, order) {
            state.copy_from_slice(before);
            cell.copy_from_slice(before_cell);
            continue;
        }
        // Two loops: the second waits for what the first has made, and many of its rounds fit into the processor's
        // window at once.
        let mut j = 0;
        while j < units {
            let (mut i, mut f) = (load(&input[j..]), load(&forget[j..]));
            let (mut g, mut o) = (load(&candidate[j..]), load(&output[j..]));
            curves.gate.apply(&mut i);
            curves.gate.apply(&mut f);
            curves.state.apply(&mut g);
            curves.gate.apply(&mut o);
            let mut c = load(&before_cell[j..]);
            for l in 0..LANES {
                c[l] = f[l] * c[l] + i[l] * g[l];
            }
            store(&mut input[j..], &i);
            store(&mut forget[j..], &f);
            store(&mut candidate[j..], &g);
            store(&mut output[j..], &o);
            store(&mut cell[j..], &c);
            j += LANES;
        }
        let mut j = 0;
        while j < units {
            let (mut t, mut h) = (load(&cell[j..]), load(&output[j..]));
            curves.state.apply(&mut t);
            for l in 0..LANES {
                h[l] *= t[l];
            }
            store(&mut curved[j..], &t);
            store(&mut state[j..], &h);
            j += LANES;
        }
    }
}

#[inline(always)]
fn back(course: &Course<'_>, order: usize, kept: &mut Kept<'_>, curves: Curves, bias: &mut [f32]) {
    let units = course.units;
    for row in 0..course.rows {
        let gates = &mut kept.gates[course.place(row, order, 4 * units)..][..4 * units];
        if course.skips(row, order) {
            gates.fill(0.0);
            continue;
        }
        let (input, rest) = gates.split_at_mut(units);
        let (forget, rest) = rest.split_at_mut(units);
        let (candidate, output) = rest.split_at_mut(units);
        let at = course.place(row, order, units);
        let (cells, curved) = (&kept.cells[at..][..units], &kept.curved[at..][..units]);
        let (state, cell) = (&mut kept.state[row * units..][..units], &mut kept.cell[row * units..][..units]);
        let bias = &mut bias[..4 * units];
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
