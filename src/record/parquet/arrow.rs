//! Reading what Arrow itself writes: a stream of batches, or the same stream as a file (Feather) with a list of the
//! batches after it.
//!
//! Both are decoded from memory as a stream, since the decoder takes no more memory than there are bytes, whatever
//! lengths a damaged file claims; the list is used only to see that a file is whole.

use std::sync::Arc;

use arrow_array::RecordBatch;
use arrow_buffer::Buffer;
use arrow_ipc::reader::StreamDecoder;

use super::columns::Column;
use super::guard::guarded;
use super::read::{damaged, finish};
use super::types;
use crate::error::{Error, Result, codes};
use crate::record::Schema;
use crate::record::records::check_length;
use crate::record::table::Table;

/// What a file begins and ends with; the stream in it begins at a multiple of eight bytes after it. Most writers take the
/// next one, some the next multiple of 64, with zeros between.
const MAGIC: &[u8] = b"ARROW1";
const WORD: usize = 8;
/// The length of the list and the last [`MAGIC`].
const END: usize = 10;
/// What a stream begins with, before the length of its first message.
const CONTINUES: [u8; 4] = [0xff; 4];

/// Reads the bytes of a file or of a stream; `name` is what errors call it.
pub(in crate::record) fn read(bytes: Vec<u8>, name: &str, source: Arc<str>, schema: Option<&Schema>) -> Result<Table> {
    stream(bytes)
        .and_then(|stream| guarded(|| table(stream, source, schema)))
        .map_err(|error| error.within(name.to_owned()).coded(codes::BROKEN_TABLE))
}

/// Returns the stream, without what a file has around it.
fn stream(bytes: Vec<u8>) -> Result<Buffer> {
    let length = bytes.len();
    if bytes.starts_with(&CONTINUES) {
        return Ok(Buffer::from_vec(bytes));
    }
    if !bytes.starts_with(MAGIC) {
        return Err(Error::data("not an Arrow file: it begins neither with `ARROW1` nor as a stream")
            .hint("the ending of the name says what is in the file: .csv, .json, .jsonl, .parquet or .arrow"));
    }
    let list = || {
        let end = length.checked_sub(END).filter(|_| bytes.ends_with(MAGIC))?;
        let length = i32::from_le_bytes(bytes.get(end..end + 4)?.try_into().ok()?);
        end.checked_sub(usize::try_from(length).ok()?).filter(|&end| end >= WORD)
    };
    let end = list().ok_or_else(|| {
        Error::data(format!("the file is cut off: it has {length} bytes and does not end as an Arrow file"))
            .hint("copy or download it again")
    })?;
    let zeros = bytes[WORD..end].chunks_exact(WORD).take_while(|word| word.iter().all(|&byte| byte == 0)).count();
    let begin = WORD * (1 + zeros);
    Ok(Buffer::from_vec(bytes).slice_with_length(begin, end - begin))
}

fn table(mut stream: Buffer, source: Arc<str>, imposed: Option<&Schema>) -> Result<Table> {
    let mut decoder = StreamDecoder::new();
    let mut columns: Vec<Column> = Vec::new();
    let mut len = 0;
    let mut take = |batch: Option<RecordBatch>, decoder: &StreamDecoder| -> Result<()> {
        let Some(schema) = decoder.schema() else { return Ok(()) };
        if columns.is_empty() {
            if let Some(error) = Error::join(types::check(&schema)) {
                return Err(error);
            }
            columns = schema.fields().iter().map(|field| Column::new(field.data_type())).collect();
        }
        if let Some(batch) = batch {
            len += batch.num_rows();
            check_length(len)?;
            columns.iter_mut().zip(batch.columns()).for_each(|(column, array)| column.push(array));
        }
        Ok(())
    };
    while let Some(batch) = decoder.decode(&mut stream).map_err(refused)? {
        take(Some(batch), &decoder)?;
    }
    // A stream may end without saying so, but not within a message.
    let whole = decoder.finish();
    take(None, &decoder)?;
    let Some(schema) = decoder.schema().filter(|schema| !schema.fields().is_empty()) else {
        return Err(Error::data("the file has no columns"));
    };
    if whole.is_err() {
        return Err(Error::data(format!("the stream is cut off after {len} records")).hint("copy or download it again"));
    }
    finish(columns, schema.fields(), len, source, imposed)
}

/// Returns an error of the decoder in plain words.
fn refused(error: arrow_schema::ArrowError) -> Error {
    let text = error.to_string();
    match ["lz4", "zstd"].into_iter().find(|codec| text.contains(&format!("requires the {codec} feature"))) {
        Some(codec) => Error::data(format!("the file is compressed with {codec} within, which is not read")).hint(
            "write it without compression: `pyarrow.feather.write_feather(table, FILE, compression=\"uncompressed\")`",
        ),
        None => damaged(error),
    }
}

#[cfg(test)]
mod tests;
