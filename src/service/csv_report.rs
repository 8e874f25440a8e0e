//! The table of epochs.

use std::path::Path;

use crate::artifact::{layout, read, write_atomic};
use crate::error::{self, Error, Result};
use crate::registry::Entry;
use crate::service::{Logs, Moment, Service};

/// Writes `training_report.csv`: the epoch (from 0), the learning rate, then every log name in the order of
/// the logs; one row for each finished epoch, numbers as the shortest decimals that read back.
#[derive(Clone, Debug, Default)]
pub struct CsvReport {
    columns: Option<Vec<String>>,
}

pub(super) const ENTRY: Entry<dyn Service> = Entry {
    name: "csv_report",
    aliases: &["CsvReport", "CSVLogger"],
    doc: "Writes a table with one row for each epoch.",
    parameters: &[],
    build: |_| Ok(Box::new(CsvReport::default())),
};

impl CsvReport {
    fn header(&self) -> Result<Vec<u8>> {
        line(["epoch", "learning_rate"].into_iter().chain(self.columns.iter().flatten().map(String::as_str)))
    }

    fn set_columns(&mut self, logs: &Logs) {
        self.columns = Some(logs.iter().map(|(name, _)| name.clone()).collect());
    }
}

impl Service for CsvReport {
    fn name(&self) -> &str {
        ENTRY.name
    }

    /// Writes the header, and the rows before `moment.epoch` when a run is resumed.
    fn on_train_begin(&mut self, moment: &mut Moment) -> Result<()> {
        let path = moment.folder.join(layout::REPORT);
        self.columns = None;
        if !moment.logs.is_empty() {
            self.set_columns(moment.logs);
        }
        let (earlier, rows) = match moment.epoch > 0 && path.exists() {
            true => finished_rows(&path, moment.epoch)?,
            false => (Vec::new(), Vec::new()),
        };
        if self.columns.is_none() {
            // The header follows with the first epoch, when the names are known.
            self.columns = earlier.get(2..).filter(|names| !names.is_empty()).map(<[String]>::to_vec);
            if self.columns.is_none() {
                return write_atomic(&path, b"");
            }
        } else if !earlier.is_empty() && earlier.get(2..) != self.columns.as_deref() {
            return Err(Error::artifact(format!("`{}` has other columns than this run reports", path.display()))
                .hint(format!("in the file: {}", error::list(earlier.iter().map(String::as_str))))
                .hint(format!("reported: {}", error::list(moment.logs.iter().map(|(name, _)| name.as_str())))));
        }
        let mut bytes = self.header()?;
        for row in &rows {
            bytes.extend(line(row.iter())?);
        }
        if rows.len() < moment.epoch {
            let missing = moment.epoch - rows.len();
            moment.control.messages.push(format!("`{}` lacks {missing} of the earlier epochs", layout::REPORT));
        }
        write_atomic(&path, &bytes)
    }

    fn on_epoch_end(&mut self, moment: &mut Moment) -> Result<()> {
        let mut bytes = Vec::new();
        if self.columns.is_none() {
            self.set_columns(moment.logs);
            bytes = self.header()?;
        }
        let mut row = vec![moment.epoch.to_string(), number(moment.learning_rate)];
        for column in self.columns.iter().flatten() {
            match moment.logs.iter().find(|(name, _)| name == column) {
                Some((_, value)) => row.push(number(*value)),
                None => {
                    return Err(Error::run(format!(
                        "`{}` has the column `{column}`, which is not reported",
                        ENTRY.name
                    ))
                    .hint(format!("reported: {}", error::list(moment.logs.iter().map(|(name, _)| name.as_str())))));
                }
            }
        }
        bytes.extend(line(row)?);
        moment.writer.append(&moment.folder.join(layout::REPORT), bytes)
    }
}

/// Returns the shortest decimal that reads back.
fn number(value: f64) -> String {
    format!("{value:?}")
}

/// Returns the header and the rows of epochs before `epoch`. A row that a killed process left torn is not
/// among them.
fn finished_rows(path: &Path, epoch: usize) -> Result<(Vec<String>, Vec<csv::StringRecord>)> {
    let bytes = read(path)?;
    let whole = bytes.iter().rposition(|byte| *byte == b'\n').map_or(0, |end| end + 1);
    let mut reader = csv::ReaderBuilder::new().flexible(true).from_reader(&bytes[..whole]);
    let damaged = |error: csv::Error| Error::artifact(format!("`{}` cannot be understood: {error}", path.display()));
    let header: Vec<String> = reader.headers().map_err(damaged)?.iter().map(str::to_owned).collect();
    let mut rows = Vec::new();
    for row in reader.records() {
        let row = row.map_err(damaged)?;
        let before = row.get(0).and_then(|text| text.parse::<usize>().ok()).is_some_and(|found| found < epoch);
        if before && row.len() == header.len() {
            rows.push(row);
        }
    }
    Ok((header, rows))
}

fn line<I: IntoIterator<Item = T>, T: AsRef<[u8]>>(fields: I) -> Result<Vec<u8>> {
    let mut writer = csv::Writer::from_writer(Vec::new());
    let written = writer.write_record(fields).map_err(|error| error.to_string());
    written
        .and_then(|()| writer.into_inner().map_err(|error| error.to_string()))
        .map_err(|error| Error::run(format!("`{}`: {error}", ENTRY.name)))
}
