//! The numbers of some rows that are not 0, and where they belong.

use crate::kernel::lanes::{Lanes, Loop};

use super::super::turn::turn;
use super::PANEL;
use super::rows::VECTORS;

/// Some rows of the left side.
pub(super) struct Left {
    pub(super) values: *const f32,
    pub(super) strides: [usize; 2],
    pub(super) rows: usize,
    pub(super) columns: usize,
}

/// For each row, its numbers that are not 0 in order, with the place in the panel of what each is multiplied with. The
/// columns are cut into blocks, for each of which the panel has room.
#[derive(Default)]
pub(super) struct Lists {
    values: Vec<f32>,
    places: Vec<u32>,
    /// Numbers that a row has room for.
    room: usize,
    /// Where the numbers of a block end, row by row.
    ends: Vec<u32>,
    /// The columns that are needed, in order, and where those of each block end.
    needed: Vec<u32>,
    needed_ends: Vec<usize>,
    /// The groups of columns, a vector each, where each block ends.
    group_ends: Vec<usize>,
    /// The place in the panel of each column.
    places_of: Vec<u32>,
    /// A bit for each column of a group: whether any row has a number there.
    any: Vec<u32>,
    /// The rows, where those of the matrix are not contiguous.
    turned: Vec<f32>,
}

impl Lists {
    /// Lists rows. Without `choose` all columns are needed.
    ///
    /// # Safety
    /// The machine has the instructions, and all places are inside what is borrowed.
    pub(super) unsafe fn fill<L: Lanes>(&mut self, left: &Left, choose: bool) {
        let (rows, columns) = (left.rows, left.columns);
        // SAFETY: the caller's.
        unsafe {
            let (from, down) = match left.strides {
                [down, 1] => (left.values, down),
                strides => {
                    self.turned.resize(self.turned.len().max(rows * columns), 0.0);
                    turn(left.values, strides, rows, columns, self.turned.as_mut_ptr(), columns);
                    (self.turned.as_ptr(), columns)
                }
            };
            let groups = columns.div_ceil(L::COUNT);
            self.any.clear();
            self.any.resize(groups, 0);
            if choose {
                L::run(Any { from, down, rows, columns, any: &mut self.any });
            } else {
                self.any.iter_mut().enumerate().for_each(|(group, any)| {
                    let len = (columns - group * L::COUNT).min(L::COUNT);
                    *any = (1 << len) - 1;
                });
            }
            // Room for any data of this shape: later steps allocate nothing.
            for (list, most) in [(&mut self.needed_ends, groups), (&mut self.group_ends, groups)] {
                list.clear();
                list.reserve(most);
            }
            self.needed.clear();
            self.needed.reserve(columns);
            self.ends.clear();
            self.ends.reserve(rows * groups);
            self.cut(L::COUNT);
            // Vectors are written whole, behind the last number of a row, too.
            self.room = columns + L::COUNT;
            self.values.resize(self.values.len().max(rows * self.room), 0.0);
            self.places.resize(self.places.len().max(rows * self.room), 0);
            L::run(Kept { from, down, rows, columns, lists: self });
        }
    }

    /// Finds what is needed, and cuts it into blocks.
    fn cut(&mut self, group_len: usize) {
        self.places_of.clear();
        self.places_of.resize(self.any.len() * group_len, 0);
        let mut first = 0;
        for (group, any) in self.any.iter().enumerate() {
            if self.needed.len() - first + any.count_ones() as usize > PANEL {
                self.needed_ends.push(self.needed.len());
                self.group_ends.push(group);
                first = self.needed.len();
            }
            let mut bits = *any;
            while bits != 0 {
                let column = group * group_len + bits.trailing_zeros() as usize;
                self.places_of[column] = ((self.needed.len() - first) * VECTORS * group_len) as u32;
                self.needed.push(column as u32);
                bits &= bits - 1;
            }
        }
        self.needed_ends.push(self.needed.len());
        self.group_ends.push(self.any.len());
    }

    /// Returns the number of blocks.
    pub(super) fn blocks(&self) -> usize {
        self.group_ends.len()
    }

    /// Returns the columns of a block that are needed.
    pub(super) fn needed(&self, block: usize) -> &[u32] {
        let start = if block == 0 { 0 } else { self.needed_ends[block - 1] };
        &self.needed[start..self.needed_ends[block]]
    }

    /// Returns the numbers of a row in a block, and their places.
    #[inline(always)]
    pub(super) fn of(&self, row: usize, block: usize) -> (&[f32], &[u32]) {
        let blocks = self.group_ends.len();
        let start = if block == 0 { 0 } else { self.ends[row * blocks + block - 1] };
        let range = row * self.room + start as usize..row * self.room + self.ends[row * blocks + block] as usize;
        (&self.values[range.clone()], &self.places[range])
    }
}

/// Finds the columns that any row has a number in.
struct Any<'a> {
    from: *const f32,
    down: usize,
    rows: usize,
    columns: usize,
    any: &'a mut [u32],
}

impl<L: Lanes> Loop<L> for Any<'_> {
    #[inline(always)]
    unsafe fn run(self) {
        // SAFETY: the caller's.
        unsafe {
            for row in 0..self.rows {
                let from = self.from.add(row * self.down);
                let whole = self.columns / L::COUNT;
                for group in 0..whole {
                    self.any[group] |= L::load(from.add(group * L::COUNT)).not_zero();
                }
                if whole < self.any.len() {
                    let start = whole * L::COUNT;
                    self.any[whole] |= L::load_part(from.add(start), self.columns - start).not_zero();
                }
            }
        }
    }
}

/// Lists the numbers of each row.
struct Kept<'a> {
    from: *const f32,
    down: usize,
    rows: usize,
    columns: usize,
    lists: &'a mut Lists,
}

impl<L: Lanes> Loop<L> for Kept<'_> {
    #[inline(always)]
    unsafe fn run(self) {
        let lists = self.lists;
        // SAFETY: the caller's; a row has room for all its numbers and a vector more.
        unsafe {
            for row in 0..self.rows {
                let from = self.from.add(row * self.down);
                let values = lists.values.as_mut_ptr().add(row * lists.room);
                let kept = lists.places.as_mut_ptr().add(row * lists.room);
                let (mut end, mut group) = (0, 0);
                for block in 0..lists.group_ends.len() {
                    while group < lists.group_ends[block] {
                        let start = group * L::COUNT;
                        let numbers = match self.columns - start {
                            rest if rest < L::COUNT => L::load_part(from.add(start), rest),
                            _ => L::load(from.add(start)),
                        };
                        let places = lists.places_of.as_ptr().add(start);
                        end += numbers.keep_not_zero(places, values.add(end), kept.add(end));
                        group += 1;
                    }
                    lists.ends.push(end as u32);
                }
            }
        }
    }
}
