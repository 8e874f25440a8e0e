//! Rows of numbers in a file as they lie there: converted only when a row is asked for, so that a large mapped
//! file costs no memory.

use crate::error::{Error, Result};
use crate::record::bytes::Bytes;
use crate::tensor::{Array, Dtype, Tensor};

/// How a number is stored in a file.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Stored {
    Bool,
    U8,
    I8,
    U16,
    I16,
    U32,
    I32,
    U64,
    I64,
    F16,
    Bf16,
    F32,
    F64,
}

impl Stored {
    /// Their names, as Rust, safetensors (in capitals) and `read_records` write them.
    pub const ALL: [(&'static str, Stored); 13] = [
        ("bool", Stored::Bool),
        ("u8", Stored::U8),
        ("i8", Stored::I8),
        ("u16", Stored::U16),
        ("i16", Stored::I16),
        ("u32", Stored::U32),
        ("i32", Stored::I32),
        ("u64", Stored::U64),
        ("i64", Stored::I64),
        ("f16", Stored::F16),
        ("bf16", Stored::Bf16),
        ("f32", Stored::F32),
        ("f64", Stored::F64),
    ];

    /// Returns the type of a name in small letters.
    pub fn parse(name: &str) -> Option<Stored> {
        Stored::ALL.iter().find(|(known, _)| *known == name).map(|(_, stored)| *stored)
    }

    /// Returns the bytes of one number.
    pub fn size(self) -> usize {
        match self {
            Stored::Bool | Stored::U8 | Stored::I8 => 1,
            Stored::U16 | Stored::I16 | Stored::F16 | Stored::Bf16 => 2,
            Stored::U32 | Stored::I32 | Stored::F32 => 4,
            Stored::U64 | Stored::I64 | Stored::F64 => 8,
        }
    }

    /// Returns the dtype that numbers of this type become: the narrowest that holds them all (u64 beyond 63
    /// bits saturates).
    pub fn dtype(self) -> Dtype {
        match self {
            Stored::Bool | Stored::U8 => Dtype::U8,
            Stored::I8 | Stored::U16 | Stored::I16 | Stored::U32 | Stored::I32 | Stored::U64 | Stored::I64 => {
                Dtype::I64
            }
            Stored::F16 | Stored::Bf16 | Stored::F32 => Dtype::F32,
            Stored::F64 => Dtype::F64,
        }
    }
}

/// Rows of one shape at equal distances in a file.
#[derive(Clone, Debug)]
pub(super) struct Block {
    bytes: Bytes,
    /// Where the first row begins, and how far apart rows begin.
    start: usize,
    stride: usize,
    len: usize,
    /// The shape of a row as it is stored.
    shape: Vec<usize>,
    stored: Stored,
    big_endian: bool,
    /// The order of a row's axes as records have them, when it is not the stored one.
    order: Option<Vec<usize>>,
}

/// Where rows lie in a file.
pub(super) struct Layout<'a> {
    pub start: usize,
    /// `None` when row follows row.
    pub stride: Option<usize>,
    pub len: usize,
    /// The shape of a row.
    pub shape: &'a [usize],
    pub stored: Stored,
    pub big_endian: bool,
}

impl Block {
    /// Creates a block.
    ///
    /// # Errors
    /// Rows that reach beyond the end of the file, or sizes no memory can hold.
    pub fn new(bytes: Bytes, layout: Layout) -> Result<Block> {
        let Layout { start, stride, len, shape, stored, big_endian } = layout;
        let row = row_bytes(shape, stored);
        let end = row.and_then(|row| match len {
            0 => Some(start),
            _ => stride.unwrap_or(row).checked_mul(len - 1)?.checked_add(row)?.checked_add(start),
        });
        match (row, end) {
            (Some(row), Some(end)) if end <= bytes.len() => Ok(Block {
                bytes,
                start,
                stride: stride.unwrap_or(row),
                len,
                shape: shape.to_vec(),
                stored,
                big_endian,
                order: None,
            }),
            _ => Err(Error::data(format!(
                "the file is cut off: {len} rows of shape {shape:?} end at byte {}, the file has {}",
                end.map_or_else(|| "(too large)".to_owned(), |end| end.to_string()),
                bytes.len()
            ))
            .hint("copy, download or write it again")),
        }
    }

    /// Sets the order in which records have the axes of a row: `[1, 2, 0]` puts channels last.
    #[must_use]
    pub fn ordered(mut self, order: &[usize]) -> Block {
        self.order = (order.len() == self.shape.len()).then(|| order.to_vec());
        self
    }

    /// Returns the number of rows.
    pub fn len(&self) -> usize {
        self.len
    }

    /// Returns the shape of a row as records have it.
    pub fn row_shape(&self) -> Vec<usize> {
        match &self.order {
            Some(order) => order.iter().map(|&axis| self.shape[axis]).collect(),
            None => self.shape.clone(),
        }
    }

    /// Returns the dtype that the numbers become.
    pub fn dtype(&self) -> Dtype {
        self.stored.dtype()
    }

    /// Returns a row; one beyond the last is zeros.
    pub fn row(&self, row: usize) -> Result<Array> {
        let rows = self.gather(std::iter::once(row))?;
        Ok(rows.row(0))
    }

    /// Returns all rows, `[len, …]`.
    pub fn all(&self) -> Result<Array> {
        self.gather(0..self.len)
    }

    /// Returns rows stacked on axis 0.
    ///
    /// # Errors
    /// More numbers than memory can hold.
    pub fn gather(&self, rows: impl ExactSizeIterator<Item = usize>) -> Result<Array> {
        let mut shape = vec![rows.len()];
        shape.extend_from_slice(&self.shape);
        let size: usize = self.shape.iter().product();
        let pieces = rows.map(|row| self.piece(row, size * self.stored.size()));
        let array = decode(pieces, self.stored, self.big_endian, rows_total(&shape), &shape)?;
        match &self.order {
            None => Ok(array),
            Some(order) => {
                let order: Vec<isize> = std::iter::once(0).chain(order.iter().map(|&axis| axis as isize + 1)).collect();
                Ok(Tensor::from(array).transpose(Some(&order))?.to_host()?.to_contiguous())
            }
        }
    }

    fn piece(&self, row: usize, length: usize) -> &[u8] {
        let start = self.start + row * self.stride;
        self.bytes.get(start..start + length).filter(|_| row < self.len).unwrap_or(&[])
    }
}

/// Rows of different lengths or shapes, each somewhere in a file.
#[derive(Clone, Debug)]
pub(super) struct RaggedBlock {
    bytes: Bytes,
    stored: Stored,
    /// The byte where each row begins.
    starts: Vec<u64>,
    /// The shape of each row, `rank` numbers each.
    shapes: Vec<u64>,
    rank: usize,
}

impl RaggedBlock {
    /// Creates a block; `shapes` has `rank` lengths a row.
    ///
    /// # Errors
    /// A row that reaches beyond the file.
    pub fn new(bytes: Bytes, stored: Stored, starts: Vec<u64>, shapes: Vec<u64>, rank: usize) -> Result<RaggedBlock> {
        let block = RaggedBlock { bytes, stored, starts, shapes, rank };
        let fits = |row: usize| {
            let shape = block.shape(row)?;
            let end = row_bytes(&shape, stored)?.checked_add(usize::try_from(block.starts[row]).ok()?)?;
            (end <= block.bytes.len()).then_some(())
        };
        match (0..block.len()).find(|&row| fits(row).is_none()) {
            None => Ok(block),
            Some(row) => Err(Error::data(format!("row {row} reaches beyond the end of the file"))
                .hint("the file is damaged: copy, download or write it again")),
        }
    }

    /// Returns the number of rows.
    pub fn len(&self) -> usize {
        self.starts.len()
    }

    /// Returns the dtype that the numbers become.
    pub fn dtype(&self) -> Dtype {
        self.stored.dtype()
    }

    /// Returns the number of axes of each row.
    #[cfg_attr(not(feature = "parquet"), expect(dead_code, reason = "only a writer of nested lists asks"))]
    pub fn rank(&self) -> usize {
        self.rank
    }

    /// Returns a row; one beyond the last is empty.
    ///
    /// # Errors
    /// More numbers than memory can hold.
    pub fn row(&self, row: usize) -> Result<Array> {
        let shape = self.shape(row).unwrap_or_else(|| vec![0]);
        let size: usize = shape.iter().product();
        let raw = self.raw(row, size * self.stored.size());
        decode(std::iter::once(raw), self.stored, false, size, &shape)
    }

    fn raw(&self, row: usize, length: usize) -> &[u8] {
        let start = self.starts.get(row).map_or(usize::MAX, |&start| start as usize);
        start.checked_add(length).and_then(|end| self.bytes.get(start..end)).unwrap_or(&[])
    }

    fn shape(&self, row: usize) -> Option<Vec<usize>> {
        let lengths = self.shapes.get(row * self.rank..(row + 1) * self.rank).filter(|_| row < self.len())?;
        lengths.iter().map(|&length| usize::try_from(length).ok()).collect()
    }
}

/// Returns the bytes of a row; `None` when no memory can hold them.
pub(super) fn row_bytes(shape: &[usize], stored: Stored) -> Option<usize> {
    shape.iter().try_fold(stored.size(), |size, &length| size.checked_mul(length)).filter(|&size| size < 1 << 48)
}

fn rows_total(shape: &[usize]) -> usize {
    shape.iter().product()
}

/// Returns stored numbers as an array; a piece that is short (a row beyond the last) leaves zeros.
fn decode<'a>(
    pieces: impl Iterator<Item = &'a [u8]>,
    stored: Stored,
    big: bool,
    total: usize,
    shape: &[usize],
) -> Result<Array> {
    fn numbers<'a, const N: usize, T: Clone + Default>(
        pieces: impl Iterator<Item = &'a [u8]>,
        big: bool,
        total: usize,
        convert: impl Fn([u8; N]) -> T,
    ) -> Result<Vec<T>> {
        let mut data = Vec::new();
        data.try_reserve_exact(total)
            .map_err(|_| Error::data(format!("{total} elements are too many for the memory")))?;
        for piece in pieces {
            data.extend(piece.chunks_exact(N).map(|chunk| {
                let mut bytes = [0; N];
                bytes.copy_from_slice(chunk);
                if big {
                    bytes.reverse();
                }
                convert(bytes)
            }));
        }
        data.resize(total, T::default());
        Ok(data)
    }
    match stored {
        Stored::U8 => {
            let mut data: Vec<u8> = Vec::new();
            data.try_reserve_exact(total)
                .map_err(|_| Error::data(format!("{total} elements are too many for the memory")))?;
            pieces.for_each(|piece| data.extend_from_slice(piece));
            data.resize(total, 0);
            Array::from_u8(data, shape)
        }
        Stored::Bool => Array::from_u8(numbers(pieces, big, total, |[byte]: [u8; 1]| u8::from(byte != 0))?, shape),
        Stored::I8 => Array::from_i64(numbers(pieces, big, total, |b: [u8; 1]| i64::from(b[0] as i8))?, shape),
        Stored::U16 => Array::from_i64(numbers(pieces, big, total, |b| i64::from(u16::from_le_bytes(b)))?, shape),
        Stored::I16 => Array::from_i64(numbers(pieces, big, total, |b| i64::from(i16::from_le_bytes(b)))?, shape),
        Stored::U32 => Array::from_i64(numbers(pieces, big, total, |b| i64::from(u32::from_le_bytes(b)))?, shape),
        Stored::I32 => Array::from_i64(numbers(pieces, big, total, |b| i64::from(i32::from_le_bytes(b)))?, shape),
        Stored::I64 => Array::from_i64(numbers(pieces, big, total, i64::from_le_bytes)?, shape),
        Stored::U64 => {
            let saturated = |bytes| i64::try_from(u64::from_le_bytes(bytes)).unwrap_or(i64::MAX);
            Array::from_i64(numbers(pieces, big, total, saturated)?, shape)
        }
        Stored::F16 => Array::from_f32(numbers(pieces, big, total, |b| half(u16::from_le_bytes(b)))?, shape),
        Stored::Bf16 => {
            let wide = |bytes| f32::from_bits(u32::from(u16::from_le_bytes(bytes)) << 16);
            Array::from_f32(numbers(pieces, big, total, wide)?, shape)
        }
        Stored::F32 => Array::from_f32(numbers(pieces, big, total, f32::from_le_bytes)?, shape),
        Stored::F64 => Array::from_f64(numbers(pieces, big, total, f64::from_le_bytes)?, shape),
    }
}

/// Returns the f32 of a half-precision number (IEEE 754 binary16).
fn half(bits: u16) -> f32 {
    let (sign, exponent, fraction) = (u32::from(bits >> 15), i32::from(bits >> 10 & 31), u32::from(bits & 1023));
    let magnitude = match exponent {
        0 => fraction as f32 * 2f32.powi(-24),
        31 if fraction == 0 => f32::INFINITY,
        31 => f32::NAN,
        _ => f32::from_bits(((exponent + 112) as u32) << 23 | fraction << 13),
    };
    if sign == 1 { -magnitude } else { magnitude }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn layout(len: usize, shape: &[usize], stored: Stored) -> Layout<'_> {
        Layout { start: 1, stride: None, len, shape, stored, big_endian: false }
    }

    #[test]
    fn rows_are_converted_when_asked_for() {
        let bytes: Vec<u8> = std::iter::once(9).chain((0..6i16).flat_map(|x| (x * 300).to_le_bytes())).collect();
        let block = Block::new(bytes.into(), layout(3, &[2], Stored::I16)).unwrap();
        let rows = block.gather([2, 0].into_iter()).unwrap();
        assert_eq!((rows.shape(), rows.as_i64().as_ref()), (&[2, 2][..], &[1200i64, 1500, 0, 300][..]));
        assert_eq!(block.row(1).unwrap().as_i64().as_ref(), [600, 900]);
    }

    #[test]
    fn a_block_never_reaches_beyond_its_file() {
        let refused = |len, shape: &[usize], stored| {
            Block::new(vec![0; 13].into(), layout(len, shape, stored)).unwrap_err().message().to_owned()
        };
        let message = "the file is cut off: 4 rows of shape [2] end at byte 17, the file has 13";
        assert_eq!(refused(4, &[2], Stored::I16), message);
        assert!(refused(usize::MAX, &[2], Stored::I16).starts_with("the file is cut off"));
        assert!(refused(1, &[usize::MAX, 2], Stored::F64).starts_with("the file is cut off"));
        assert!(Block::new(vec![0].into(), layout(0, &[2], Stored::F64)).is_ok());
    }

    #[test]
    fn planes_become_pixels() {
        let block = Block::new((0..13).collect::<Vec<u8>>().into(), layout(1, &[3, 2, 2], Stored::U8)).unwrap();
        let block = block.ordered(&[1, 2, 0]);
        assert_eq!(block.row_shape(), [2, 2, 3]);
        assert_eq!(block.row(0).unwrap().as_u8().as_ref(), [1, 5, 9, 2, 6, 10, 3, 7, 11, 4, 8, 12]);
    }

    #[test]
    fn big_endian_and_half_precision() {
        let bytes = [&[0u8][..], &1.5f64.to_be_bytes(), &(-2.0f64).to_be_bytes()].concat();
        let block = Block::new(bytes.into(), Layout { big_endian: true, ..layout(2, &[], Stored::F64) }).unwrap();
        assert_eq!(block.all().unwrap().as_f64().as_ref(), [1.5, -2.0]);
        for (bits, value) in
            [(0x3c00, 1.0), (0xc000, -2.0), (0x0001, 5.960_464_5e-8), (0x7bff, 65504.0), (0x3555, 0.333_251_95)]
        {
            assert_eq!(half(bits), value);
        }
        assert!(half(0x7e00).is_nan() && half(0xfc00) == f32::NEG_INFINITY);
    }
}
