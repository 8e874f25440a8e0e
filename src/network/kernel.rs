//! The second way to run a layer: on a CPU, in f32, on slices, forward and backward.
//!
//! [`Layer::compose`](super::Layer::compose) says what a layer computes; its [`Kernel`] computes the same faster. The plan
//! owns all buffers of values and gradients and passes them in; a kernel owns only what it keeps
//! from forward to backward. After the first steps of a batch size neither allocates.

use std::ops::Range;

use crate::error::Result;
use crate::kernel::buffer::Buffer;
use crate::kernel::pool;
use crate::random::Random;

/// A layer on a CPU. Backward is called at most once after each forward in training, with the same inputs.
pub trait Kernel: Send {
    /// Writes the layer's output.
    ///
    /// # Errors
    /// Values that the layer refuses, such as an index beyond the vocabulary.
    fn forward(&mut self, step: &mut Forward<'_>) -> Result<()>;

    /// Turns the gradient of the output into those of inputs and weights, where somebody wants them.
    ///
    /// # Errors
    /// None for most layers.
    fn backward(&mut self, step: &mut Backward<'_>) -> Result<()>;
}

/// What a kernel reads and writes on the way forward.
pub struct Forward<'a> {
    /// The number of records in this batch.
    pub rows: usize,
    /// Whether this is a step of training: dropout drops, normalisation uses the batch's own statistics.
    pub training: bool,
    /// The layer's own stream of this step: the same that `compose` gets, so that both draw the same masks.
    pub random: Random,
    /// The inputs, each `rows` times its size; integers come as floats.
    pub inputs: Values<'a>,
    /// The weights, in the order in which the layer declared them.
    pub weights: Values<'a>,
    /// The output; holds anything before.
    pub output: &'a mut [f32],
    /// Takes new values of weights that gradients do not train, by the weight's index; they count after the step.
    pub moved: &'a mut dyn FnMut(usize, &[f32]),
}

/// What a kernel reads and writes on the way back.
pub struct Backward<'a> {
    /// The number of records in this batch.
    pub rows: usize,
    /// The inputs, as they were forward.
    pub inputs: Values<'a>,
    /// The weights.
    pub weights: Values<'a>,
    /// The output that forward wrote.
    pub output: &'a [f32],
    /// The gradient of the output. Nobody reads it afterwards: a kernel may use it as scratch.
    pub gradient: &'a mut [f32],
    /// Where gradients of inputs go.
    pub input_gradients: Targets<'a>,
    /// Where gradients of weights go.
    pub weight_gradients: Targets<'a>,
}

/// Slices by number: the inputs or the weights of one layer.
#[derive(Clone, Copy)]
pub struct Values<'a>(Of<'a>);

#[derive(Clone, Copy)]
enum Of<'a> {
    Buffers { buffers: &'a [Buffer], sizes: &'a [usize], numbers: &'a [usize], rows: usize },
    Flat { values: &'a [f32], ranges: &'a [Range<usize>] },
}

impl<'a> Values<'a> {
    /// Creates the values that stand at the start of some of these buffers: `rows` times the buffer's size.
    pub fn buffers(buffers: &'a [Buffer], sizes: &'a [usize], numbers: &'a [usize], rows: usize) -> Self {
        Values(Of::Buffers { buffers, sizes, numbers, rows })
    }

    /// Creates the values that are parts of one slice.
    pub fn flat(values: &'a [f32], ranges: &'a [Range<usize>]) -> Self {
        Values(Of::Flat { values, ranges })
    }

    /// Returns how many there are.
    pub fn len(&self) -> usize {
        match self.0 {
            Of::Buffers { numbers, .. } => numbers.len(),
            Of::Flat { ranges, .. } => ranges.len(),
        }
    }

    /// Returns whether there are none.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// Returns some of them, for a layer inside another.
    #[must_use]
    pub fn part(&self, range: Range<usize>) -> Self {
        Values(match self.0 {
            Of::Buffers { buffers, sizes, numbers, rows } => {
                Of::Buffers { buffers, sizes, numbers: &numbers[range], rows }
            }
            Of::Flat { values, ranges } => Of::Flat { values, ranges: &ranges[range] },
        })
    }

    /// Returns one; a layer knows how many it has.
    pub fn get(&self, index: usize) -> &'a [f32] {
        match self.0 {
            Of::Buffers { buffers, sizes, numbers, rows } => {
                let number = numbers[index];
                &buffers[number][..rows * sizes[number]]
            }
            Of::Flat { values, ranges } => &values[ranges[index].clone()],
        }
    }
}

/// Places for gradients by number: of the inputs or of the weights of one layer.
pub struct Targets<'a> {
    places: Places<'a>,
    wanted: &'a [bool],
    written: &'a mut [bool],
}

enum Places<'a> {
    Buffers { buffers: Buffers<'a>, numbers: &'a [usize], rows: usize },
    Flat { values: &'a mut [f32], ranges: &'a [Range<usize>] },
}

/// Buffers that values share, one after the other: by the value's number its size, and which buffer it has.
pub struct Buffers<'a> {
    /// The buffers.
    pub buffers: &'a mut [Buffer],
    /// The size of each value, for one record.
    pub sizes: &'a [usize],
    /// The buffer of each value.
    pub places: &'a [usize],
}

/// A place for one gradient.
pub struct Target<'a> {
    /// Where it goes, of the size of what it is the gradient of.
    pub values: &'a mut [f32],
    /// Whether it is added to what stands there, since another layer uses the same value; otherwise it replaces
    /// what stands there.
    pub add: bool,
}

impl<'a> Targets<'a> {
    /// Creates the places of the values of these numbers. `wanted` and `written` have an entry a value.
    pub fn buffers(
        buffers: Buffers<'a>,
        numbers: &'a [usize],
        rows: usize,
        wanted: &'a [bool],
        written: &'a mut [bool],
    ) -> Self {
        Targets { places: Places::Buffers { buffers, numbers, rows }, wanted, written }
    }

    /// Creates the places in one slice. `wanted` and `written` have an entry a range.
    pub fn flat(
        values: &'a mut [f32],
        ranges: &'a [Range<usize>],
        wanted: &'a [bool],
        written: &'a mut [bool],
    ) -> Self {
        Targets { places: Places::Flat { values, ranges }, wanted, written }
    }

    /// Returns the same places, to be handed on.
    pub fn again(&mut self) -> Targets<'_> {
        self.part(0..self.len())
    }

    /// Returns some of the places, for a layer inside another.
    pub fn part(&mut self, range: Range<usize>) -> Targets<'_> {
        match &mut self.places {
            Places::Buffers { buffers: Buffers { buffers, sizes, places }, numbers, rows } => {
                let buffers = Buffers { buffers, sizes, places };
                let places = Places::Buffers { buffers, numbers: &numbers[range], rows: *rows };
                Targets { places, wanted: self.wanted, written: self.written }
            }
            Places::Flat { values, ranges } => Targets {
                places: Places::Flat { values, ranges: &ranges[range.clone()] },
                wanted: &self.wanted[range.clone()],
                written: &mut self.written[range],
            },
        }
    }

    /// Returns how many there are.
    pub fn len(&self) -> usize {
        match &self.places {
            Places::Buffers { numbers, .. } => numbers.len(),
            Places::Flat { ranges, .. } => ranges.len(),
        }
    }

    /// Returns whether there are none.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// Returns whether somebody wants this gradient; a kernel may save work where not.
    pub fn wanted(&self, index: usize) -> bool {
        self.wanted[self.number(index)]
    }

    /// Returns the place of a gradient, `None` where nobody wants it. Who takes a place writes all of it.
    pub fn take(&mut self, index: usize) -> Option<Target<'_>> {
        let number = self.number(index);
        if !self.wanted[number] {
            return None;
        }
        let add = std::mem::replace(&mut self.written[number], true);
        let values = match &mut self.places {
            Places::Buffers { buffers, rows, .. } => {
                &mut buffers.buffers[buffers.places[number]][..*rows * buffers.sizes[number]]
            }
            Places::Flat { values, ranges } => &mut values[ranges[number].clone()],
        };
        Some(Target { values, add })
    }

    fn number(&self, index: usize) -> usize {
        match &self.places {
            Places::Buffers { numbers, .. } => numbers[index],
            Places::Flat { .. } => index,
        }
    }
}

impl Target<'_> {
    /// Takes in a gradient: replaces what stands here, or adds to it.
    pub fn put(self, gradient: &[f32]) {
        let work = gradient.len();
        match self.add {
            false => pool::copy(gradient, self.values),
            true => pool::rows(self.values, 1, work, |first, part| {
                part.iter_mut().zip(&gradient[first..]).for_each(|(value, own)| *value += own);
            }),
        }
    }
}

#[cfg(test)]
pub(crate) mod testing;
