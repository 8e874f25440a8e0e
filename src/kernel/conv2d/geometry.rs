//! Where windows lie: the sizes of a convolution, and the sweeps that compute it, its transposed form and its
//! gradients.

use super::outer::Outer;
use super::sweep::Sweep;

/// The sizes of a convolution of images with channels last.
///
/// Place (r, c) of the output sees the places (r · stride + i · dilation - before, c · …) of the input, where these exist.
/// A convolution of steps is one of images of height 1.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Geometry {
    /// Height and width of the input.
    pub input: [usize; 2],
    /// Channels of the input.
    pub channels: usize,
    /// Height and width of the output.
    pub output: [usize; 2],
    /// Channels of the output.
    pub filters: usize,
    /// Height and width of the window.
    pub kernel: [usize; 2],
    /// How far the window moves.
    pub strides: [usize; 2],
    /// The distance of neighbours in the window.
    pub dilation: [usize; 2],
    /// Rows above and columns left of the input that windows see, as zeros.
    pub before: [usize; 2],
    /// Into how many groups channels and filters are split; each filter sees its own group only.
    pub groups: usize,
}

impl Geometry {
    /// Returns the size of one image.
    pub fn input_len(&self) -> usize {
        self.input[0] * self.input[1] * self.channels
    }

    /// Returns the size of one output.
    pub fn output_len(&self) -> usize {
        self.output[0] * self.output[1] * self.filters
    }

    /// Returns the number of weights: `[height, width, channels / groups, filters]`.
    pub fn weights(&self) -> usize {
        self.window() * self.filters
    }

    /// Returns the numbers one filter sees.
    pub(super) fn window(&self) -> usize {
        self.kernel[0] * self.kernel[1] * self.channels / self.groups
    }

    /// The same convolution as long rows, where windows are single places: the rows of an image follow each other.
    pub(super) fn simplified(self) -> Self {
        let single = self.kernel == [1, 1] && self.strides == [1, 1] && self.before == [0, 0];
        match single && self.input == self.output {
            true => {
                let places = self.input[0] * self.input[1];
                Geometry { input: [1, places], output: [1, places], dilation: [1, 1], ..self }
            }
            false => self,
        }
    }

    /// The rows and columns that windows see, before and inside included; the input where it is no more than that.
    pub(super) fn frame(&self) -> Frame {
        let seen = |axis: usize| {
            (self.output[axis].max(1) - 1) * self.strides[axis] + (self.kernel[axis] - 1) * self.dilation[axis] + 1
        };
        Frame::new(self.input, self.channels, self.before, [seen(0), seen(1)])
    }

    /// The sweep over a framed image that computes one group's filters.
    pub(super) fn sweep(&self, frame: &Frame) -> Sweep {
        let own = self.channels / self.groups;
        let [_, wide] = frame.size;
        let [down, right] = self.dilation;
        let runs = (0..self.kernel[0] * self.kernel[1]).map(|at| {
            let (i, j) = (at / self.kernel[1], at % self.kernel[1]);
            (i * down * wide + j * right) * self.channels
        });
        let (runs, length) = merge(runs.collect(), own, self.kernel[1]);
        Sweep {
            windows: Windows {
                runs,
                length,
                rows: self.output[0],
                places: self.output[1],
                row_step: self.strides[0] * wide * self.channels,
                place_step: self.strides[1] * self.channels,
            },
            out_row: self.output[1] * self.filters,
            out_place: self.filters,
            channels: self.filters / self.groups,
        }
    }

    /// The sums over a framed image that are the gradient of one group's weights.
    pub(super) fn outer(&self, frame: &Frame) -> Outer {
        let sweep = self.sweep(frame);
        Outer {
            windows: sweep.windows,
            gradient_step: self.filters,
            channels: sweep.channels,
            weight_step: self.filters,
        }
    }

    /// The sweeps over a framed output that give each place of the input what it brought to the output. With strides,
    /// places of the input differ in which numbers of a window they can be: one sweep for each kind.
    pub(super) fn transposed(&self) -> (Frame, Vec<Phase>) {
        let axes = [self.kinds(0), self.kinds(1)];
        let first = |axis: usize| {
            let shifts = axes[axis].iter().flat_map(|kind| kind.taps.iter().map(|tap| tap.1));
            shifts.min().unwrap_or(0).min(0).unsigned_abs()
        };
        let before = [first(0), first(1)];
        let seen = |axis: usize| {
            let ends = axes[axis]
                .iter()
                .flat_map(|kind| kind.taps.iter().map(|tap| (before[axis] + kind.count).saturating_add_signed(tap.1)));
            ends.max().unwrap_or(1)
        };
        let frame = Frame::new(self.output, self.filters, before, [seen(0), seen(1)]);
        let mut phases = Vec::new();
        for rows in &axes[0] {
            for columns in &axes[1] {
                phases.push(self.phase(rows, columns, &frame));
            }
        }
        (frame, phases)
    }

    fn phase(&self, rows: &Kind, columns: &Kind, frame: &Frame) -> Phase {
        let own = self.filters / self.groups;
        let (mut runs, mut taps) = (Vec::new(), Vec::new());
        for (i, down) in &rows.taps {
            for (j, right) in &columns.taps {
                let row = frame.before[0].saturating_add_signed(*down);
                let column = frame.before[1].saturating_add_signed(*right);
                runs.push((row * frame.size[1] + column) * self.filters);
                taps.push(i * self.kernel[1] + j);
            }
        }
        let (runs, length) = merge(runs, own, columns.taps.len());
        Phase {
            sweep: Sweep {
                windows: Windows {
                    runs,
                    length,
                    rows: rows.count,
                    places: columns.count,
                    row_step: frame.size[1] * self.filters,
                    place_step: self.filters,
                },
                out_row: self.strides[0] * self.input[1] * self.channels,
                out_place: self.strides[1] * self.channels,
                channels: self.channels / self.groups,
            },
            taps,
            start: (rows.first * self.input[1] + columns.first) * self.channels,
        }
    }

    /// Along one axis, the kinds of places of the input.
    fn kinds(&self, axis: usize) -> Vec<Kind> {
        let (stride, before) = (self.strides[axis] as isize, self.before[axis] as isize);
        let kind = |first: usize| {
            // Backwards, so that neighbours in the output follow each other.
            let taps = (0..self.kernel[axis]).rev().filter_map(|tap| {
                let distance = first as isize + before - (tap * self.dilation[axis]) as isize;
                (distance % stride == 0).then_some((tap, distance / stride))
            });
            Kind { first, count: (self.input[axis] - first).div_ceil(self.strides[axis]), taps: taps.collect() }
        };
        (0..self.strides[axis].min(self.input[axis])).map(kind).collect()
    }
}

/// Where the windows of an image lie: rows of places, each with its window.
#[derive(Clone, Debug, Default)]
pub(super) struct Windows {
    /// Where the runs of a window start, counted from its first place.
    pub(super) runs: Vec<usize>,
    /// How many numbers a run has.
    pub(super) length: usize,
    /// Rows of places.
    pub(super) rows: usize,
    /// Places of a row.
    pub(super) places: usize,
    /// From the window of a row to that of the next, in the image.
    pub(super) row_step: usize,
    /// From the window of a place to that of the next, in the image.
    pub(super) place_step: usize,
}

impl Windows {
    /// Returns how many numbers a window has.
    pub(super) fn size(&self) -> usize {
        self.runs.len() * self.length
    }

    /// Returns up to where the windows reach in the image; there are rows and places.
    pub(super) fn reach(&self) -> usize {
        let last = (self.rows - 1) * self.row_step + (self.places - 1) * self.place_step;
        self.runs.iter().map(|run| last + run + self.length).max().unwrap_or(0)
    }
}

/// Places of the input, a stride apart, that the same numbers of windows see.
struct Kind {
    first: usize,
    count: usize,
    /// A number of the window, and how far its place of the output is from the count of this place.
    taps: Vec<(usize, isize)>,
}

/// One sweep of a transposed convolution.
#[derive(Clone, Debug)]
pub(super) struct Phase {
    pub(super) sweep: Sweep,
    /// Which place of the window each run's filters are, before runs were merged.
    pub(super) taps: Vec<usize>,
    /// The first number of the input it computes.
    pub(super) start: usize,
}

/// Joins runs that follow each other, row by row of the window.
fn merge(runs: Vec<usize>, length: usize, row: usize) -> (Vec<usize>, usize) {
    let follow = row > 0 && runs.chunks(row).all(|row| row.windows(2).all(|pair| pair[1] == pair[0] + length));
    match follow {
        true => (runs.into_iter().step_by(row).collect(), length * row),
        false => (runs, length),
    }
}

/// An image with zeros around it.
#[derive(Clone, Debug)]
pub(super) struct Frame {
    inner: [usize; 2],
    channels: usize,
    before: [usize; 2],
    size: [usize; 2],
}

impl Frame {
    pub(super) fn new(inner: [usize; 2], channels: usize, before: [usize; 2], seen: [usize; 2]) -> Self {
        let outside = (0..2).any(|axis| before[axis] > 0 || seen[axis] > inner[axis]);
        let size = if outside { seen } else { inner };
        Frame { inner, channels, before, size }
    }

    /// Returns how many places a row of the framed image has.
    pub(super) fn width(&self) -> usize {
        self.size[1]
    }

    /// Returns how many numbers a framed image takes; 0 where images are used as they are.
    pub(super) fn len(&self) -> usize {
        match self.before == [0, 0] && self.size == self.inner {
            true => 0,
            false => self.size[0] * self.size[1] * self.channels,
        }
    }

    /// Returns the framed image: the image itself, or a copy in `scratch`, which holds zeros elsewhere.
    pub(super) fn put<'a>(&self, image: &'a [f32], scratch: &'a mut [f32]) -> &'a [f32] {
        if self.len() == 0 {
            return image;
        }
        let ([_, wide], [_, width]) = (self.size, self.inner);
        let rows = self.inner[0].min(self.size[0].saturating_sub(self.before[0]));
        let columns = width.min(wide.saturating_sub(self.before[1]));
        for row in 0..rows {
            let to = ((row + self.before[0]) * wide + self.before[1]) * self.channels;
            let from = row * width * self.channels;
            let count = columns * self.channels;
            scratch[to..to + count].copy_from_slice(&image[from..from + count]);
        }
        scratch
    }
}
