//! Safetensors files (<https://github.com/huggingface/safetensors>) as records: every tensor is a column with the
//! records on axis 0. Files that [`Records::write`](crate::record::Records::write) made say under `columns` in
//! their metadata which tensors together are a column of texts, of tensors of different shapes, or one with gaps.

use std::collections::HashMap;
use std::sync::Arc;

use safetensors::tensor::{Dtype as Saved, SafeTensors, TensorInfo};
use serde::{Deserialize, Serialize};

use super::ReadResult;
use super::formats::Opened;
use crate::error::{Error, Result, list};
use crate::record::Name;
use crate::record::block::{Block, Layout, RaggedBlock, Stored};
use crate::record::cells::{Cells, Data};

/// The key of the metadata that lists the columns.
pub(in crate::record) const COLUMNS: &str = "columns";

/// A column of a file that was written by this program.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub(in crate::record) struct KeptColumn {
    pub name: String,
    pub kind: Kept,
    /// Whether there is a tensor of flags, 1 where the value is missing.
    pub gaps: bool,
}

/// How a column is kept.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub(in crate::record) enum Kept {
    /// One tensor.
    Tensor,
    /// One tensor of 0 and 1.
    Bool,
    /// UTF-8 bytes, and where each text begins.
    Text,
    /// Numbers one after another, where each row begins, and its shape.
    Ragged,
}

/// Returns the name of the tensor that says which values are missing.
pub(in crate::record) fn missing_name(column: &str) -> String {
    format!("{column}/missing")
}

/// Returns the name of the tensor that says where each row begins, in numbers; one more than there are rows.
pub(in crate::record) fn starts_name(column: &str) -> String {
    format!("{column}/starts")
}

/// Returns the name of the tensor of shapes.
pub(in crate::record) fn shapes_name(column: &str) -> String {
    format!("{column}/shapes")
}

pub(super) fn read(source: &Opened) -> ReadResult {
    let (len, columns) = columns(source).map_err(|error| error.within(source.name.clone()))?;
    source.table(len, columns)
}

/// An opened file.
struct Tensors<'a> {
    source: &'a Opened<'a>,
    /// Where the numbers begin.
    data: usize,
    infos: HashMap<String, TensorInfo>,
}

fn columns(source: &Opened) -> Result<(usize, Vec<(Name, Cells)>)> {
    let (header, metadata) = SafeTensors::read_metadata(&source.bytes).map_err(|error| {
        Error::data(format!("not a whole safetensors file: {}", error.to_string().to_lowercase()))
            .hint("copy, download or write it again")
    })?;
    let kept = metadata.metadata().as_ref().and_then(|about| about.get(COLUMNS));
    let infos: HashMap<String, TensorInfo> =
        metadata.tensors().into_iter().map(|(name, info)| (name, info.clone())).collect();
    let file = Tensors { source, data: header + 8, infos };
    let columns: Vec<KeptColumn> = match kept {
        Some(text) => serde_json::from_str(text)
            .map_err(|error| Error::data(format!("the list of columns in the metadata is damaged: {error}")))?,
        None => {
            let names = metadata.offset_keys().into_iter();
            names.map(|name| KeptColumn { name, kind: Kept::Tensor, gaps: false }).collect()
        }
    };
    let mut finished: Vec<(Name, Cells)> = Vec::with_capacity(columns.len());
    let mut first: Option<(usize, String)> = None;
    for column in &columns {
        let (len, cells) = file.column(column).map_err(|error| error.within(format!("column `{}`", column.name)))?;
        match &first {
            Some((known, other)) if *known != len => {
                return Err(Error::data(format!("`{other}` has {known} rows, `{}` has {len}", column.name))
                    .hint("all tensors of the file are columns of the same records"));
            }
            Some(_) => {}
            None => first = Some((len, column.name.clone())),
        }
        finished.push((column.name.as_str().into(), cells));
    }
    match first {
        Some((len, _)) => Ok((len, finished)),
        None => Err(Error::data("the file holds no tensors")),
    }
}

impl Tensors<'_> {
    fn column(&self, column: &KeptColumn) -> Result<(usize, Cells)> {
        let name = column.name.as_str();
        let (len, data) = match column.kind {
            Kept::Tensor | Kept::Bool => {
                let block = self.block(name)?;
                let len = block.len();
                match Cells::from_block(block)?.data {
                    Data::Int(values) if column.kind == Kept::Bool => {
                        (len, Data::Bool(values.into_iter().map(|value| value != 0).collect()))
                    }
                    data => (len, data),
                }
            }
            Kept::Text => {
                let starts = self.starts(name)?;
                let text = |row: &[u64]| {
                    let bytes = self.bytes(name).ok()?.get(row[0] as usize..row[1] as usize)?;
                    std::str::from_utf8(bytes).ok().map(Arc::from)
                };
                let texts: Option<Vec<Arc<str>>> = starts.windows(2).map(text).collect();
                let texts = texts.ok_or_else(|| Error::data("a text is no UTF-8, or ends beyond the file"))?;
                (texts.len(), Data::Text(texts))
            }
            Kept::Ragged => {
                let (info, stored) = self.info(name)?;
                let begin = self.data + info.data_offsets.0;
                let starts = self.starts(name)?;
                let (_, shapes) = self.whole(&shapes_name(name))?;
                let len = starts.len().saturating_sub(1);
                let rank = shapes.len().checked_div(len).unwrap_or(1);
                let size = stored.size() as u64;
                let rows = starts.iter().take(len).map(|&start| begin as u64 + start.saturating_mul(size)).collect();
                (len, Data::MappedRagged(RaggedBlock::new(self.source.bytes.clone(), stored, rows, shapes, rank)?))
            }
        };
        let nulls = match column.gaps {
            true => self.whole(&missing_name(name))?.1.into_iter().map(|flag| flag != 0).collect(),
            false => vec![false; len],
        };
        match nulls.len() == len {
            true => Ok((len, Cells::new(data, nulls))),
            false => Err(Error::data(format!("{len} rows, but {} flags of missing values", nulls.len()))),
        }
    }

    fn info(&self, name: &str) -> Result<(&TensorInfo, Stored)> {
        let info = self.infos.get(name).ok_or_else(|| {
            let mut names: Vec<&str> = self.infos.keys().map(String::as_str).collect();
            names.sort_unstable();
            Error::data(format!("there is no tensor `{name}`")).hint(format!("tensors: {}", list(names.into_iter())))
        })?;
        let stored = stored(info.dtype).ok_or_else(|| {
            Error::data(format!("numbers of type {:?} are not read", info.dtype))
                .hint("write them as F32, or as whole numbers of at most 64 bits")
        })?;
        Ok((info, stored))
    }

    fn block(&self, name: &str) -> Result<Block> {
        let (info, stored) = self.info(name)?;
        let Some((&len, shape)) = info.shape.split_first() else {
            return Err(Error::data("the tensor is a single number: expected records on axis 0"));
        };
        let start = self.data + info.data_offsets.0;
        let layout = Layout { start, stride: None, len, shape, stored, big_endian: false };
        Block::new(self.source.bytes.clone(), layout)
    }

    fn bytes(&self, name: &str) -> Result<&[u8]> {
        let (info, _) = self.info(name)?;
        let range = self.data + info.data_offsets.0..self.data + info.data_offsets.1;
        self.source.bytes.get(range).ok_or_else(|| Error::data("the tensor ends beyond the file"))
    }

    /// Returns all numbers of a tensor of whole numbers, and its rows.
    fn whole(&self, name: &str) -> Result<(usize, Vec<u64>)> {
        let block = self.block(name)?;
        let values = block.all()?.as_i64().iter().map(|&value| value.max(0) as u64).collect();
        Ok((block.len(), values))
    }

    /// Returns where the rows of a column begin, ascending.
    fn starts(&self, name: &str) -> Result<Vec<u64>> {
        let (_, starts) = self.whole(&starts_name(name))?;
        match starts.is_sorted() && !starts.is_empty() {
            true => Ok(starts),
            false => Err(Error::data("the list of where rows begin is not ascending: the file is damaged")),
        }
    }
}

fn stored(saved: Saved) -> Option<Stored> {
    Some(match saved {
        Saved::BOOL => Stored::Bool,
        Saved::U8 => Stored::U8,
        Saved::I8 => Stored::I8,
        Saved::U16 => Stored::U16,
        Saved::I16 => Stored::I16,
        Saved::U32 => Stored::U32,
        Saved::I32 => Stored::I32,
        Saved::U64 => Stored::U64,
        Saved::I64 => Stored::I64,
        Saved::F16 => Stored::F16,
        Saved::BF16 => Stored::Bf16,
        Saved::F32 => Stored::F32,
        Saved::F64 => Stored::F64,
        _ => return None,
    })
}
