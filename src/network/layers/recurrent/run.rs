//! The whole sequence on a CPU: the large products around the kernels of [`crate::kernel::recurrent`].

use std::ops::Range;
use std::sync::Arc;

use crate::error::Result;
use crate::kernel::gemm::{Matrix, MatrixMut, Start, product, product_onto};
use crate::kernel::packed::Packed;
use crate::kernel::pool;
use crate::kernel::recurrent::{BLOCK, Course, Sequence, SequenceGradient, gru, lstm, lstm::Curves, simple};
use crate::network::kernel::{Backward, Forward, Kernel};

use super::buffers::{Buffers, Lengths, Part};
use super::{Cell, Recurrent, Settings};

/// Longer inputs are multiplied by the crate `gemm`, whose blocks fit the caches.
const SHORT_INPUT: usize = 256;

pub(super) struct Run {
    own: Arc<Settings>,
    curves: Curves,
    steps: usize,
    input: usize,
    started: bool,
    masked: bool,
    zero: bool,
    backwards: bool,
    kept: Buffers,
    packed: Packing,
}

#[derive(Default)]
struct Packing {
    input: Packed,
    /// The bias that is added before the steps.
    bias: Vec<f32>,
    recurrent: Packed,
    candidate: Packed,
    /// The bias inside of a GRU.
    inner: Vec<f32>,
}

impl Run {
    pub(super) fn new(layer: &Recurrent, steps: usize, input: usize) -> Option<Self> {
        let own = Arc::clone(&layer.own);
        if own.dropout > 0.0 || own.recurrent_dropout > 0.0 {
            return None;
        }
        Some(Run {
            curves: own.curves?,
            own,
            steps,
            input,
            started: layer.started,
            masked: layer.masked,
            zero: layer.zero_output_for_mask,
            backwards: layer.go_backwards,
            kept: Buffers::default(),
            packed: Packing::default(),
        })
    }

    fn lengths(&self) -> Lengths {
        Lengths { cell: self.own.cell, units: self.own.units, steps: self.steps, input: self.input }
    }

    fn wide(&self) -> usize {
        self.lengths().wide()
    }

    /// Numbers of one record's output before its states.
    fn output(&self) -> usize {
        if self.own.return_sequences { self.steps * self.own.units } else { self.own.units }
    }

    fn width(&self) -> usize {
        let states = if self.own.return_state { self.own.cell.states() } else { 0 };
        self.output() + states * self.own.units
    }

    /// Elementary operations on `rows` records, one way.
    fn work(&self, rows: usize) -> usize {
        rows * self.steps * self.wide() * (self.own.units + self.input)
    }

    /// Packs the recurrent kernel, transposed on the way back.
    fn pack(&mut self, recurrent: &[f32], back: bool) {
        let (units, wide) = (self.own.units, self.wide());
        let turned = |matrix: Matrix<'_>, packed: &mut Packed| packed.pack(if back { matrix.t() } else { matrix });
        match self.own.cell {
            Cell::Gru { .. } => {
                let gates = Matrix::strided(recurrent, [units, 2 * units], [wide, 1]);
                turned(gates, &mut self.packed.recurrent);
                let candidate = Matrix::strided(&recurrent[2 * units..], [units, units], [wide, 1]);
                turned(candidate, &mut self.packed.candidate);
            }
            _ => turned(Matrix::new(recurrent, units, wide), &mut self.packed.recurrent),
        }
    }

    /// Sets the bias before the steps and that inside.
    fn pack_bias(&mut self, bias: Option<&[f32]>) {
        let (units, wide) = (self.own.units, self.wide());
        let Packing { bias: outer, inner, .. } = &mut self.packed;
        outer.clear();
        outer.resize(wide, 0.0);
        inner.clear();
        inner.resize(units, 0.0);
        let Some(bias) = bias else { return };
        outer.copy_from_slice(&bias[..wide]);
        if let Some(state) = bias.get(wide..2 * wide) {
            outer[..2 * units].iter_mut().zip(state).for_each(|(outer, state)| *outer += state);
            inner.copy_from_slice(&state[2 * units..]);
        }
    }

    /// Calls `part` with the records of each block, its buffers, and its part of one more.
    fn split(
        &self,
        rows: usize,
        work: usize,
        (kept, more): (&mut Buffers, (&mut [f32], usize)),
        part: impl Fn(Range<usize>, Part<'_>, &mut [f32]) + Sync,
    ) {
        pool::each(rows.div_ceil(BLOCK), work, kept.by_blocks(self.lengths(), more), |block, buffers| {
            let (own, more) = Part::of(buffers);
            part(block * BLOCK..((block + 1) * BLOCK).min(rows), own, more);
        });
    }
}

impl Kernel for Run {
    fn forward(&mut self, step: &mut Forward<'_>) -> Result<()> {
        let (rows, units, steps, wide) = (step.rows, self.own.units, self.steps, self.wide());
        self.kept.fit(self.lengths(), rows);
        let (x, kernel, taken) = (step.inputs.get(0), step.weights.get(0), self.input + units);
        self.pack(step.weights.get(1), false);
        self.pack_bias(self.own.use_bias.then(|| step.weights.get(2)));
        let (kernel, short) = (Matrix::new(kernel, self.input, wide), self.input <= SHORT_INPUT);
        if short {
            self.packed.input.pack(kernel);
        }
        for (index, state) in [&mut self.kept.state, &mut self.kept.cell].into_iter().enumerate() {
            match self.started && index < self.own.cell.states() {
                true => state.copy_from_slice(step.inputs.get(1 + index)),
                false => state.fill(0.0),
            }
        }
        let mask = self.masked.then(|| step.inputs.get(step.inputs.len() - 1));
        let width = self.width();
        let mut kept = std::mem::take(&mut self.kept);
        self.split(rows, rows * steps * self.input, (&mut kept, (&mut [], 0)), |range, part, _| {
            self.course(&range, mask).take(&x[range.start * steps * self.input..], part.taken);
        });
        if !short {
            let x = Matrix::strided(&kept.taken, [rows * steps, self.input], [taken, 1]);
            let sums = MatrixMut::new(&mut kept.gates, rows * steps, wide);
            product_onto(sums, Start::Row(&self.packed.bias), x, kernel, 1.0);
        }
        self.split(rows, self.work(rows), (&mut kept, (&mut *step.output, width)), |range, mut part, output| {
            let mut course = self.course(&range, mask);
            course.fresh = short.then_some((&self.packed.input, &*self.packed.bias));
            let sequence = match self.own.return_sequences {
                true => Some(Sequence { values: &mut *output, stride: width, zero: self.zero }),
                false => None,
            };
            self.steps_forward(course, &mut part, sequence);
            self.write_states(&part, output);
        });
        self.kept = kept;
        debug_assert_eq!(self.kept.state.len(), rows * units);
        Ok(())
    }

    fn backward(&mut self, step: &mut Backward<'_>) -> Result<()> {
        let (rows, units, steps, wide) = (step.rows, self.own.units, self.steps, self.wide());
        let (width, sums) = (self.width(), self.lengths().sums());
        let last = step.inputs.len() - 1;
        self.pack(step.weights.get(1), true);
        let mask = self.masked.then(|| step.inputs.get(last));
        let mut kept = std::mem::take(&mut self.kept);
        kept.bias.fill(0.0);
        let gradient = &*step.gradient;
        self.split(rows, self.work(rows), (&mut kept, (&mut [], 0)), |range, mut part, _| {
            let course = self.course(&range, mask);
            let own = &gradient[range.start * width..range.end * width];
            self.read_states(&mut part, own);
            let sequence = match self.own.return_sequences {
                true => Some(SequenceGradient { values: own, stride: width, zero: self.zero }),
                false => None,
            };
            self.steps_back(course, &mut part, sequence);
        });
        let (all, taken) = (rows * steps, self.input + units);
        let gates = Matrix::new(&kept.gates, all, wide);
        if let Some(target) = step.weight_gradients.take(0) {
            let out = MatrixMut::new(target.values, self.input, wide);
            let x = Matrix::strided(&kept.taken, [all, self.input], [taken, 1]);
            product(out, target.add, x.t(), gates, 1.0);
        }
        if let Some(target) = step.weight_gradients.take(1) {
            let before = Matrix::strided(&kept.taken[self.input..], [all, units], [taken, 1]).t();
            match self.own.cell {
                Cell::Gru { reset_after } => {
                    let out = MatrixMut::strided(target.values, [units, 2 * units], [wide, 1]);
                    let of_gates = Matrix::strided(&kept.gates, [all, 2 * units], [wide, 1]);
                    product(out, target.add, before, of_gates, 1.0);
                    let inner = Matrix::new(&kept.inner, all, units);
                    let candidate = Matrix::strided(&kept.gates[2 * units..], [all, units], [wide, 1]);
                    let (left, right) = if reset_after { (before, inner) } else { (inner.t(), candidate) };
                    let out = MatrixMut::strided(&mut target.values[2 * units..], [units, units], [wide, 1]);
                    product(out, target.add, left, right, 1.0);
                }
                _ => product(MatrixMut::new(target.values, units, wide), target.add, before, gates, 1.0),
            }
        }
        if self.own.use_bias
            && let Some(target) = step.weight_gradients.take(2)
        {
            if !target.add {
                target.values.fill(0.0);
            }
            for block in kept.bias.chunks_exact(sums) {
                let (outer, state) = target.values.split_at_mut(wide);
                outer.iter_mut().zip(block).for_each(|(sum, own)| *sum += own);
                // The two biases of a GRU differ in the last part only; others have one.
                if !state.is_empty() {
                    let inner = block[..2 * units].iter().chain(&block[wide..]);
                    state.iter_mut().zip(inner).for_each(|(sum, own)| *sum += own);
                }
            }
        }
        if let Some(target) = step.input_gradients.take(0) {
            let kernel = Matrix::new(step.weights.get(0), self.input, wide).t();
            // Where the input was taken from, since nobody needs it any more; from there to the records.
            let out = MatrixMut::strided(&mut kept.taken, [all, self.input], [taken, 1]);
            product(out, false, gates, kernel, 1.0);
            let (add, size) = (target.add, steps * self.input);
            self.split(rows, rows * size, (&mut kept, (target.values, size)), |range, part, out| {
                self.course(&range, None).give(part.taken, out, add);
            });
        }
        for (index, own) in [&kept.state, &kept.cell].into_iter().enumerate().take(self.own.cell.states()) {
            if self.started
                && let Some(target) = step.input_gradients.take(1 + index)
            {
                target.put(own);
            }
        }
        if self.masked
            && let Some(target) = step.input_gradients.take(last)
            && !target.add
        {
            target.values.fill(0.0);
        }
        self.kept = kept;
        Ok(())
    }
}

impl Run {
    fn course<'a>(&self, range: &Range<usize>, mask: Option<&'a [f32]>) -> Course<'a> {
        Course {
            rows: range.len(),
            steps: self.steps,
            units: self.own.units,
            input: self.input,
            fresh: None,
            backwards: self.backwards,
            started: self.started,
            mask: mask.map(|mask| &mask[range.start * self.steps..range.end * self.steps]),
        }
    }

    fn recurrent(&self) -> gru::Recurrent<'_> {
        let after = self.own.cell == (Cell::Gru { reset_after: true });
        gru::Recurrent {
            gates: &self.packed.recurrent,
            candidate: &self.packed.candidate,
            bias: after.then_some(&*self.packed.inner),
        }
    }

    fn steps_forward(&self, course: Course<'_>, part: &mut Part<'_>, out: Option<Sequence<'_>>) {
        let Part { gates, taken, cells, curved, inner, state, cell, scratch, .. } = part;
        match self.own.cell {
            Cell::Simple => {
                let kept = &mut simple::Kept { gates, taken, state };
                simple::forward(course, kept, &self.packed.recurrent, self.curves.state, out);
            }
            Cell::Lstm => {
                let kept = &mut lstm::Kept { gates, taken, cells, curved, state, cell };
                lstm::forward(course, kept, &self.packed.recurrent, self.curves, out);
            }
            Cell::Gru { .. } => {
                let kept = &mut gru::Kept { gates, inner, taken, state, scratch };
                gru::forward(course, kept, self.recurrent(), self.curves, out);
            }
        }
    }

    fn steps_back(&self, course: Course<'_>, part: &mut Part<'_>, out: Option<SequenceGradient<'_>>) {
        let Part { gates, taken, cells, curved, inner, state, cell, scratch, bias } = part;
        match self.own.cell {
            Cell::Simple => {
                let kept = &mut simple::Kept { gates, taken, state };
                simple::backward(course, kept, &self.packed.recurrent, self.curves.state, out, bias);
            }
            Cell::Lstm => {
                let kept = &mut lstm::Kept { gates, taken, cells, curved, state, cell };
                lstm::backward(course, kept, &self.packed.recurrent, self.curves, out, bias);
            }
            Cell::Gru { .. } => {
                let kept = &mut gru::Kept { gates, inner, taken, state, scratch };
                gru::backward(course, kept, self.recurrent(), self.curves, out, bias);
            }
        }
    }

    /// Writes the last states to where the output has them.
    fn write_states(&self, part: &Part<'_>, output: &mut [f32]) {
        let (units, first) = (self.own.units, self.output());
        for (row, output) in output.chunks_exact_mut(self.width()).enumerate() {
            let state = &part.state[row * units..][..units];
            if !self.own.return_sequences {
                output[..units].copy_from_slice(state);
            }
            if self.own.return_state {
                output[first..][..units].copy_from_slice(state);
                if self.own.cell == Cell::Lstm {
                    output[first + units..].copy_from_slice(&part.cell[row * units..][..units]);
                }
            }
        }
    }

    /// Reads the gradients of the last states from where the output's gradient has them.
    fn read_states(&self, part: &mut Part<'_>, gradient: &[f32]) {
        let (units, first) = (self.own.units, self.output());
        part.cell.fill(0.0);
        for (row, gradient) in gradient.chunks_exact(self.width()).enumerate() {
            let state = &mut part.state[row * units..][..units];
            match self.own.return_sequences {
                true => state.fill(0.0),
                false => state.copy_from_slice(&gradient[..units]),
            }
            if self.own.return_state {
                state.iter_mut().zip(&gradient[first..]).for_each(|(sum, own)| *sum += own);
                if self.own.cell == Cell::Lstm {
                    part.cell[row * units..][..units].copy_from_slice(&gradient[first + units..]);
                }
            }
        }
    }
}
