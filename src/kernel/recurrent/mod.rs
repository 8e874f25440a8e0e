//! Recurrent layers over whole sequences.
//!
//! Records are taken by [`BLOCK`]s. The values of a block stand step by step, in the order in which steps are done,
//! then record by record: what one step needs is contiguous and stays in the first cache, and the gradients
//! of the weights are one large product each over all blocks. A step of a block ([`lstm`], [`gru`],
//! [`simple`]) is a small product with the packed kernel of the input, one with that of the state, then all gates
//! in one pass.
//!
//! Records never meet, so any split over threads gives the same bits; sums of the bias's gradient are kept for
//! each block.

pub mod gru;
pub mod lstm;
pub mod simple;

use super::packed::{Onto, Packed, Rows, RowsMut, multiply};

/// Records that are worked on together; threads get whole blocks.
pub const BLOCK: usize = 8;

/// What all recurrent kernels need to know about one call.
#[derive(Clone, Copy, Debug)]
pub struct Course<'a> {
    /// Records of the block.
    pub rows: usize,
    /// Steps of a record.
    pub steps: usize,
    /// Length of a state.
    pub units: usize,
    /// Length of one step's input.
    pub input: usize,
    /// The packed kernel of the input and the bias; `None` where their sums stand in the gates already.
    pub fresh: Option<(&'a Packed, &'a [f32])>,
    /// Whether the last step comes first.
    pub backwards: bool,
    /// Whether there are states before the first step; otherwise they are 0.
    pub started: bool,
    /// `[rows, steps]`, 0 where a step is left out: states stay as they are.
    pub mask: Option<&'a [f32]>,
}

impl Course<'_> {
    /// Returns the place in time of the step that is done `order`-th.
    pub fn time(&self, order: usize) -> usize {
        if self.backwards { self.steps - 1 - order } else { order }
    }

    /// Returns whether a record leaves out the step done `order`-th.
    #[inline(always)]
    pub fn skips(&self, row: usize, order: usize) -> bool {
        self.mask.is_some_and(|mask| mask[row * self.steps + self.time(order)] == 0.0)
    }

    /// Returns where the values of a record's step start, `width` numbers a step.
    #[inline(always)]
    pub fn place(&self, row: usize, order: usize, width: usize) -> usize {
        (order * self.rows + row) * width
    }

    /// Numbers that a step takes of a record: its input, then the state before it.
    #[inline(always)]
    pub fn taken(&self) -> usize {
        self.input + self.units
    }

    /// Copies the input, `[rows, steps, input]`, to where steps take it from.
    pub fn take(&self, x: &[f32], taken: &mut [f32]) {
        for order in 0..self.steps {
            for row in 0..self.rows {
                let x = &x[(row * self.steps + self.time(order)) * self.input..][..self.input];
                taken[self.place(row, order, self.taken())..][..self.input].copy_from_slice(x);
            }
        }
    }

    /// Copies, or adds, the gradients of the input from there to `x`.
    pub fn give(&self, taken: &[f32], x: &mut [f32], add: bool) {
        for order in 0..self.steps {
            for row in 0..self.rows {
                let x = &mut x[(row * self.steps + self.time(order)) * self.input..][..self.input];
                let own = &taken[self.place(row, order, self.taken())..][..self.input];
                match add {
                    true => x.iter_mut().zip(own).for_each(|(x, own)| *x += own),
                    false => x.copy_from_slice(own),
                }
            }
        }
    }

    /// Gives the sums of a step, `wide` for a record, those of the input and the bias, unless they stand there.
    fn sums_of_input(&self, order: usize, taken: &[f32], gates: &mut [f32], wide: usize) {
        if let Some((kernel, bias)) = self.fresh {
            let x = Rows::new(&taken[self.place(0, order, self.taken())..], self.rows, self.taken());
            multiply(RowsMut::new(&mut gates[self.place(0, order, wide)..], wide), Onto::Row(bias), x, kernel);
        }
    }
}

/// States of all steps as the layer's output: where there is one.
#[derive(Debug)]
pub struct Sequence<'a> {
    /// The output of the block's records, `stride` numbers each.
    pub values: &'a mut [f32],
    /// The distance between records.
    pub stride: usize,
    /// Whether steps that are left out give 0 rather than the state before.
    pub zero: bool,
}

impl Sequence<'_> {
    /// Writes the states after the step done `order`-th, which stand `stride` apart.
    pub fn write(&mut self, course: &Course<'_>, order: usize, states: &[f32], stride: usize) {
        for row in 0..course.rows {
            let out = &mut self.values[row * self.stride + order * course.units..][..course.units];
            match self.zero && course.skips(row, order) {
                true => out.fill(0.0),
                false => out.copy_from_slice(&states[row * stride..][..course.units]),
            }
        }
    }
}

/// Gradients of the states of all steps: where the layer's output has them.
#[derive(Clone, Copy, Debug)]
pub struct SequenceGradient<'a> {
    /// The gradient of the output of the block's records, `stride` numbers each.
    pub values: &'a [f32],
    /// The distance between records.
    pub stride: usize,
    /// Whether steps that are left out gave 0.
    pub zero: bool,
}

impl SequenceGradient<'_> {
    /// Adds the gradients of the states after the step done `order`-th.
    pub fn add(&self, course: &Course<'_>, order: usize, gradients: &mut [f32]) {
        for (row, gradient) in gradients.chunks_exact_mut(course.units).enumerate() {
            if self.zero && course.skips(row, order) {
                continue;
            }
            let own = &self.values[row * self.stride + order * course.units..][..course.units];
            gradient.iter_mut().zip(own).for_each(|(gradient, own)| *gradient += own);
        }
    }
}
