//! Reading a Parquet file: its ends and its columns are checked before any data is touched.

use std::fs::File;
use std::io::{Read, Seek, SeekFrom};
use std::path::Path;
use std::sync::Arc;

use arrow_schema::Fields;
use parquet::arrow::arrow_reader::{ArrowReaderMetadata, ArrowReaderOptions, ParquetRecordBatchReaderBuilder};

use super::columns::Column;
use super::guard::guarded;
use super::types;
use crate::error::{Error, Result};
use crate::record::read::unreadable;
use crate::record::records::check_length;
use crate::record::table::{BadCell, Origin, Table, absent};
use crate::record::{Name, Schema};

/// What a Parquet file begins and ends with.
const MAGIC: [u8; 4] = *b"PAR1";
/// The same, when the footer is encrypted.
const ENCRYPTED: [u8; 4] = *b"PARE";

pub(in crate::record) fn read(path: &Path, source: Arc<str>, schema: Option<&Schema>) -> Result<Table> {
    let mut file = File::open(path).map_err(|error| unreadable(path, &error))?;
    let place = path.display().to_string();
    check_ends(&mut file).map_err(|error| error.within(place.clone()))?;
    guarded(|| table(file, source, schema)).map_err(|error| error.within(place))
}

/// The columns of a file, and its tables of some rows each.
pub(in crate::record) type Tables = (Vec<Name>, Box<dyn Iterator<Item = Result<Table>>>);

/// Reads a file in tables of some rows each.
pub(in crate::record) fn tables(
    mut file: File,
    name: &str,
    source: Arc<str>,
    schema: &Schema,
    rows: usize,
) -> Result<Tables> {
    let (place, schema) = (name.to_owned(), schema.clone());
    check_ends(&mut file).map_err(|error| error.within(place.clone()))?;
    let opened = guarded(|| {
        let (metadata, fields) = checked(&file)?;
        let builder = ParquetRecordBatchReaderBuilder::new_with_metadata(file, metadata).with_batch_size(rows);
        Ok((builder.build().map_err(damaged)?, fields))
    });
    let (mut reader, fields) = opened.map_err(|error| error.within(place.clone()))?;
    let names: Vec<Name> = fields.iter().map(|field| Name::from(field.name().as_str())).collect();
    let (mut first, mut begun) = (0, false);
    let tables = std::iter::from_fn(move || {
        let table = guarded(|| {
            let mut columns: Vec<Column> = fields.iter().map(|field| Column::new(field.data_type())).collect();
            let len = match reader.next().transpose().map_err(damaged)? {
                Some(batch) => {
                    columns.iter_mut().zip(batch.columns()).for_each(|(column, array)| column.push(array));
                    batch.num_rows()
                }
                // A file without rows is one table, if only to know its columns.
                None if !begun => 0,
                None => return Ok(None),
            };
            begun = true;
            let table = finish(columns, &fields, len, source.clone(), Some(&schema))?.starting_at(first);
            first += len;
            Ok(Some(table))
        });
        table.map_err(|error| error.within(place.clone())).transpose()
    });
    Ok((names, Box::new(tables)))
}

/// Checks the first and the last bytes.
fn check_ends(file: &mut File) -> Result<()> {
    let failed = |error: std::io::Error| Error::data(format!("cannot read: {}", crate::record::read::reason(&error)));
    let length = file.metadata().map_err(failed)?.len();
    let mut ends = [[0u8; 4]; 2];
    if length >= 12 {
        file.read_exact(&mut ends[0]).map_err(failed)?;
        file.seek(SeekFrom::End(-4)).map_err(failed)?;
        file.read_exact(&mut ends[1]).map_err(failed)?;
    }
    match ends {
        [MAGIC, MAGIC] => Ok(()),
        [ENCRYPTED, _] | [_, ENCRYPTED] => {
            Err(Error::data("the file is encrypted").hint("write it without encryption"))
        }
        [MAGIC, _] => {
            Err(Error::data(format!("the file is cut off: it has {length} bytes and does not end as a Parquet file"))
                .hint("copy or download it again"))
        }
        _ => Err(Error::data("not a Parquet file: it does not begin with `PAR1`")
            .hint("the ending of the name says what is in the file: .csv, .json, .jsonl or .parquet")),
    }
}

/// Reads what the file says about itself, and refuses columns that records cannot hold.
fn checked(file: &File) -> Result<(ArrowReaderMetadata, Fields)> {
    let options = ArrowReaderOptions::new().with_skip_arrow_metadata(true);
    let metadata = ArrowReaderMetadata::load(file, options).map_err(damaged)?;
    if let Some(error) = Error::join(types::check(metadata.schema())) {
        return Err(error);
    }
    let fields = metadata.schema().fields().clone();
    match fields.is_empty() {
        true => Err(Error::data("the file has no columns")),
        false => Ok((metadata, fields)),
    }
}

fn table(file: File, source: Arc<str>, schema: Option<&Schema>) -> Result<Table> {
    let (metadata, fields) = checked(&file)?;
    let rows = metadata.metadata().file_metadata().num_rows();
    check_length(usize::try_from(rows).map_err(|_| damaged(format!("it says that it has {rows} records")))?)?;

    let mut columns: Vec<Column> = fields.iter().map(|field| Column::new(field.data_type())).collect();
    let mut len = 0;
    for batch in ParquetRecordBatchReaderBuilder::new_with_metadata(file, metadata).build().map_err(damaged)? {
        let batch = batch.map_err(damaged)?;
        len += batch.num_rows();
        check_length(len)?;
        for (column, array) in columns.iter_mut().zip(batch.columns()) {
            column.push(array);
        }
    }
    finish(columns, &fields, len, source, schema)
}

pub(super) fn finish(
    columns: Vec<Column>,
    fields: &Fields,
    len: usize,
    source: Arc<str>,
    schema: Option<&Schema>,
) -> Result<Table> {
    let names: Vec<Name> = fields.iter().map(|field| Name::from(field.name().as_str())).collect();
    let mut finished = Vec::with_capacity(columns.len());
    for (name, column) in names.iter().zip(columns) {
        let wanted = schema.and_then(|schema| schema.column(name)).map(|column| column.kind);
        let cells = column.finish(wanted).map_err(|misfit| {
            let bad = BadCell::misfit(name.clone(), misfit);
            Error::data(bad.what).within(format!("record {} of {source}", bad.row))
        })?;
        finished.push((name.clone(), Arc::new(cells)));
    }
    let absent = absent(schema, names.iter());
    Ok(Table::new(len, finished, Origin::Source(source), absent))
}

/// Returns an error of the reader in plain words.
pub(super) fn damaged(error: impl std::fmt::Display) -> Error {
    let text = error.to_string();
    let mut text = text.as_str();
    let kinds = [
        "Ipc error: ",
        "Parser error: ",
        "Invalid argument error: ",
        "Parquet error: ",
        "Parquet argument error: ",
        "External: ",
        "Arrow: ",
        "EOF: ",
        "NYI: ",
    ];
    while let Some(rest) = kinds.iter().find_map(|kind| text.strip_prefix(kind)) {
        text = rest;
    }
    if let Some((_, codec)) = text.split_once("Disabled feature at compile time: ") {
        let codec = if codec == "flate2" { "gzip" } else { codec };
        return Error::data(format!("the file is compressed with {codec}, which this binary cannot read")).hint(
            "write it with snappy or zstd, or use a binary with the feature `datasets`, which reads all of them",
        );
    }
    Error::data(format!("the file is damaged: {text}")).hint("copy, download or write it again")
}
