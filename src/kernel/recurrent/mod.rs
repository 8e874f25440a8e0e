//! Recurrent layers over whole sequences.
//!
//! Values stand record by record, then step by step, as the layer's input and output do, so that the products with
//! the input and the gradients of the weights are one large product each. What has to be done step by
//! step runs on a few records of one thread ([`lstm`], [`gru`], [`simple`]): a small product with the
//! packed recurrent kernel, then all gates in one pass.
//!
//! Records never meet, so any split over threads gives the same bits; sums of the bias's gradient are kept for
//! each [`BLOCK`] of records.

pub mod gru;
pub mod lstm;
pub mod simple;

/// Records whose gradients of the bias are summed together; threads get whole blocks.
pub const BLOCK: usize = 8;

/// What all recurrent kernels need to know about one call.
#[derive(Clone, Copy, Debug)]
pub struct Course<'a> {
    /// Records that this thread works on.
    pub rows: usize,
    /// Steps of a record.
    pub steps: usize,
    /// Length of a state.
    pub units: usize,
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

    /// Returns whether a record's step is left out.
    #[inline(always)]
    pub fn skips(&self, row: usize, time: usize) -> bool {
        self.mask.is_some_and(|mask| mask[row * self.steps + time] == 0.0)
    }

    /// Returns where the values of a record's step start, `width` numbers a step.
    #[inline(always)]
    pub fn place(&self, row: usize, time: usize, width: usize) -> usize {
        (row * self.steps + time) * width
    }
}

/// States of all steps as the layer's output: where there is one.
#[derive(Debug)]
pub struct Sequence<'a> {
    /// The output of this thread's records, `stride` numbers each.
    pub values: &'a mut [f32],
    /// The distance between records.
    pub stride: usize,
    /// Whether steps that are left out give 0 rather than the state before.
    pub zero: bool,
}

impl Sequence<'_> {
    /// Writes the states after the step done `order`-th.
    pub fn write(&mut self, course: &Course<'_>, order: usize, states: &[f32]) {
        let time = course.time(order);
        for (row, state) in states.chunks_exact(course.units).enumerate() {
            let out = &mut self.values[row * self.stride + order * course.units..][..course.units];
            match self.zero && course.skips(row, time) {
                true => out.fill(0.0),
                false => out.copy_from_slice(state),
            }
        }
    }
}

/// Gradients of the states of all steps: where the layer's output has them.
#[derive(Clone, Copy, Debug)]
pub struct SequenceGradient<'a> {
    /// The gradient of the output of this thread's records, `stride` numbers each.
    pub values: &'a [f32],
    /// The distance between records.
    pub stride: usize,
    /// Whether steps that are left out gave 0.
    pub zero: bool,
}

impl SequenceGradient<'_> {
    /// Adds the gradients of the states after the step done `order`-th.
    pub fn add(&self, course: &Course<'_>, order: usize, gradients: &mut [f32]) {
        let time = course.time(order);
        for (row, gradient) in gradients.chunks_exact_mut(course.units).enumerate() {
            if self.zero && course.skips(row, time) {
                continue;
            }
            let own = &self.values[row * self.stride + order * course.units..][..course.units];
            gradient.iter_mut().zip(own).for_each(|(gradient, own)| *gradient += own);
        }
    }
}
