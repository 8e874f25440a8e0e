//! What a recurrent layer keeps of a pass, and how threads share it: in blocks of records.

use crate::kernel::buffer::Buffer;
use crate::kernel::recurrent::BLOCK;

use super::Cell;

/// What the lengths of buffers follow from.
#[derive(Clone, Copy)]
pub(super) struct Lengths {
    pub(super) cell: Cell,
    pub(super) units: usize,
    pub(super) steps: usize,
    pub(super) input: usize,
}

impl Lengths {
    /// Numbers of a step's sums.
    pub(super) fn wide(self) -> usize {
        self.cell.gates() * self.units
    }

    /// Sums of a bias's gradient: one more part in a GRU, that of the inner bias.
    pub(super) fn sums(self) -> usize {
        match self.cell {
            Cell::Gru { .. } => 4 * self.units,
            _ => self.wide(),
        }
    }

    /// Numbers of a record in each buffer, in the order of [`Buffers`]; 0 where a cell has no use for it.
    fn widths(self) -> [usize; 8] {
        let (lstm, gru) = (self.cell == Cell::Lstm, matches!(self.cell, Cell::Gru { .. }));
        let when = |has: bool, width: usize| if has { width } else { 0 };
        let (steps, units) = (self.steps, self.units);
        [
            steps * self.wide(),
            steps * (self.input + units),
            when(lstm, steps * units),
            when(lstm, steps * units),
            when(gru, steps * units),
            units,
            when(lstm, units),
            when(gru, units),
        ]
    }
}

/// What is kept from forward to backward: `[blocks, steps, rows of the block, …]` unless said otherwise.
#[derive(Default)]
pub(super) struct Buffers {
    pub(super) gates: Buffer,
    /// x and h before each step.
    pub(super) taken: Buffer,
    /// c before each step.
    cells: Buffer,
    /// tanh(c).
    curved: Buffer,
    /// The inner part of a GRU.
    pub(super) inner: Buffer,
    /// `[rows, units]`.
    pub(super) state: Buffer,
    pub(super) cell: Buffer,
    scratch: Buffer,
    /// `[blocks, sums]`: gradients of the bias.
    pub(super) bias: Buffer,
}

impl Buffers {
    fn all(&mut self) -> [&mut Buffer; 8] {
        let Buffers { gates, taken, cells, curved, inner, state, cell, scratch, .. } = self;
        [gates, taken, cells, curved, inner, state, cell, scratch]
    }

    /// Makes room for so many records.
    pub(super) fn fit(&mut self, of: Lengths, rows: usize) {
        let fit = |buffer: &mut Buffer, length: usize| {
            if buffer.len() != length {
                buffer.fit(length);
            }
        };
        self.all().into_iter().zip(of.widths()).for_each(|(buffer, width)| fit(buffer, rows * width));
        fit(&mut self.bias, rows.div_ceil(BLOCK) * of.sums());
    }

    /// Returns each buffer and one more, with the numbers of a block in it; `more` comes with those of a record.
    pub(super) fn by_blocks<'a>(
        &'a mut self,
        of: Lengths,
        more: (&'a mut [f32], usize),
    ) -> [(&'a mut [f32], usize); 10] {
        let [gates, taken, cells, curved, inner, state, cell, scratch] = of.widths().map(|width| BLOCK * width);
        [
            (&mut self.gates, gates),
            (&mut self.taken, taken),
            (&mut self.cells, cells),
            (&mut self.curved, curved),
            (&mut self.inner, inner),
            (&mut self.state, state),
            (&mut self.cell, cell),
            (&mut self.scratch, scratch),
            (&mut self.bias, of.sums()),
            (more.0, BLOCK * more.1),
        ]
    }
}

/// The buffers of a block; those that a cell has no use for are empty.
pub(super) struct Part<'a> {
    pub(super) gates: &'a mut [f32],
    pub(super) taken: &'a mut [f32],
    pub(super) cells: &'a mut [f32],
    pub(super) curved: &'a mut [f32],
    pub(super) inner: &'a mut [f32],
    pub(super) state: &'a mut [f32],
    pub(super) cell: &'a mut [f32],
    pub(super) scratch: &'a mut [f32],
    pub(super) bias: &'a mut [f32],
}

impl<'a> Part<'a> {
    /// Names what [`Buffers::by_blocks`] gave of a block; what was one more is beside it.
    pub(super) fn of(buffers: [&'a mut [f32]; 10]) -> (Self, &'a mut [f32]) {
        let [gates, taken, cells, curved, inner, state, cell, scratch, bias, more] = buffers;
        (Part { gates, taken, cells, curved, inner, state, cell, scratch, bias }, more)
    }
}
