//! Writing records to a file.

use std::fs::File;
use std::io::{self, BufWriter, Write};
use std::path::Path;
use std::sync::Arc;

use crate::error::{Error, Result};
use crate::record::cells::Cells;
use crate::record::read::{ending, reason};
use crate::record::{ColumnType, Name, Pack, Records, Value, parquet};

impl Records {
    /// Writes the records as `.csv`, `.json` (an array of objects, one a line) or `.jsonl`, with the cargo
    /// feature `parquet` also as `.parquet` (compressed with snappy), or as `.safetensors`, which is mapped when it is read
    /// and so is the fastest to train from (see [`Pack`]), replacing the file at once: it is
    /// written beside it and then renamed. Missing values are an empty field in CSV and null elsewhere. The
    /// file reads back as the same records, but for texts in CSV that look like something else (`NA`,
    /// `007`): impose the schema to keep those, or write JSON.
    ///
    /// # Errors
    /// Another ending, tensors or lists in CSV, columns of mixed types in Parquet, and whatever the file
    /// system refuses.
    pub fn write(&self, path: &Path) -> Result<()> {
        let ending = ending(path)?;
        let name = path.display();
        if ending == "csv" {
            self.check_flat().map_err(|error| error.within(name.to_string()))?;
        }
        replace(path, |out| match ending {
            "csv" => self.write_csv(out).map_err(|error| Error::data(format!("cannot write: {}", reason(&error)))),
            "parquet" => parquet::write(self, out),
            "safetensors" => {
                let mut pack = Pack::new();
                pack.push_records(self)?;
                pack.write_to(out)
            }
            _ => self.write_json(out, ending == "json"),
        })
    }

    fn check_flat(&self) -> Result<()> {
        let flat = [ColumnType::Int, ColumnType::Float, ColumnType::Bool, ColumnType::Text];
        let names: Vec<&str> = self.columns().iter().map(|name| &**name).collect();
        match self.table().columns().find(|(_, cells)| !flat.contains(&cells.kind())) {
            Some((name, cells)) => {
                Err(Error::data(format!("column `{name}` holds {}, which CSV cannot hold", cells.kind()))
                    .hint("write .json or .jsonl, or `select` the other columns"))
            }
            None if names.is_empty() => Err(Error::data("records without columns cannot be written as CSV")),
            None => Ok(()),
        }
    }

    fn write_csv(&self, out: &mut impl Write) -> io::Result<()> {
        let mut writer = csv::Writer::from_writer(out);
        writer.write_record(self.columns().iter().map(|name| name.as_bytes()))?;
        for row in self.rows() {
            for (_, cells) in self.table().columns() {
                writer.write_field(match cells.value(row as usize) {
                    Value::Bool(value) => value.to_string(),
                    Value::Int(value) => value.to_string(),
                    // The debug form keeps the point of a whole number, so that it reads back as a float.
                    Value::Float(value) => format!("{value:?}"),
                    Value::Text(text) => text.to_string(),
                    _ => String::new(),
                })?;
            }
            writer.write_record(None::<&[u8]>)?;
        }
        writer.flush()
    }

    fn write_json(&self, out: &mut impl Write, array: bool) -> Result<()> {
        let failed = |error: io::Error| Error::data(format!("cannot write: {}", reason(&error)));
        let mut text = String::new();
        if array {
            text.push('[');
        }
        for (index, row) in self.rows().into_iter().enumerate() {
            if array {
                text.push_str(if index == 0 { "\n" } else { ",\n" });
            }
            let field =
                |(name, cells): (&Name, &Arc<Cells>)| Ok((name.to_string(), cells.value(row as usize).to_json()?));
            let object: serde_json::Map<_, _> = self.table().columns().map(field).collect::<Result<_>>()?;
            text.push_str(&serde_json::Value::Object(object).to_string());
            if !array {
                text.push('\n');
            }
            out.write_all(text.as_bytes()).map_err(failed)?;
            text.clear();
        }
        if array {
            text.push_str("\n]\n");
        }
        out.write_all(text.as_bytes()).map_err(failed)
    }
}

/// Replaces a file at once: `fill` writes a file beside it, which is then renamed.
pub(super) fn replace(path: &Path, fill: impl FnOnce(&mut BufWriter<&mut File>) -> Result<()>) -> Result<()> {
    let name = path.display();
    let failed = |error: io::Error| Error::data(format!("cannot write {name}: {}", reason(&error)));
    let folder = path.parent().filter(|folder| !folder.as_os_str().is_empty()).unwrap_or(Path::new("."));
    let mut temporary = temporary(folder).map_err(failed)?;
    let mut out = BufWriter::new(temporary.as_file_mut());
    fill(&mut out).map_err(|error| error.within(name.to_string()))?;
    out.flush().map_err(failed)?;
    drop(out);
    temporary.as_file().sync_all().map_err(failed)?;
    temporary.persist(path).map_err(|error| failed(error.error))?;
    // The rename itself lasts only once the folder is on the disk; a folder that cannot be opened
    // for that is no reason to fail.
    if let Ok(folder) = File::open(folder) {
        let _ = folder.sync_all();
    }
    Ok(())
}

/// A temporary file in the folder, with the permissions that any new file has: the default of the
/// crate is the owner alone.
fn temporary(folder: &Path) -> io::Result<tempfile::NamedTempFile> {
    let mut builder = tempfile::Builder::new();
    builder.prefix(".records");
    #[cfg(unix)]
    {
        use std::os::unix::fs::PermissionsExt;
        builder.permissions(std::fs::Permissions::from_mode(0o666));
    }
    builder.tempfile_in(folder)
}
