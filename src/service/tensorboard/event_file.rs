//! One event file: framed, checksummed messages that are only ever added to.
//!
//! A frame is the length (u64), its masked CRC-32C, the message, its masked CRC-32C, little-endian
//! (TFRecord). The first message names the version, the second is a START: a reader drops what an
//! earlier file said about that step and later ones, so a resumed run shows no point twice.

use std::path::{Path, PathBuf};
use std::time::Duration;

use prost::Message;

use super::message::{Data, Event, START, SessionLog, Summary, Value, What};
use crate::artifact::{self, Writer};
use crate::error::Result;
use crate::service::clock;

/// How long events wait in memory; TensorBoard looks for new ones every few seconds.
const WAIT: Duration = Duration::from_secs(2);

#[derive(Clone, Debug)]
pub(super) struct EventFile {
    path: PathBuf,
    /// Bytes handed to the writer.
    written: u64,
    buffer: Vec<u8>,
    flushed: Duration,
}

impl EventFile {
    /// Creates the next file in `folder`, sorted after those that are there; it starts at `step`.
    pub(super) fn create(folder: &Path, step: i64) -> Result<Self> {
        artifact::make_folder(folder)?;
        let now = clock::now();
        let earlier = event_files(folder)?;
        let last = earlier.last().and_then(|name| name.split('.').nth(3)?.parse::<u64>().ok());
        let seconds = last.map_or(now.as_secs(), |last| now.as_secs().max(last.saturating_add(1)));
        let name = format!("events.out.tfevents.{seconds:010}.barrage.{}.{}", std::process::id(), earlier.len());
        let mut file = EventFile { path: folder.join(name), written: 0, buffer: Vec::new(), flushed: now };
        file.put(0, What::FileVersion("brain.Event:2".to_owned()));
        file.put(step, What::Session(SessionLog { status: START }));
        Ok(file)
    }

    /// Adds one scalar for each name and value, all under one step.
    pub(super) fn scalars(&mut self, step: i64, values: impl IntoIterator<Item = (String, f64)>) {
        let scalar = |(tag, value)| Value { tag, data: Some(Data::Scalar(value as f32)) };
        let values: Vec<Value> = values.into_iter().map(scalar).collect();
        if !values.is_empty() {
            self.put(step, What::Summary(Summary { values }));
        }
    }

    /// Adds a message.
    pub(super) fn put(&mut self, step: i64, what: What) {
        let event = Event { wall_time: clock::now().as_secs_f64(), step, what: Some(what) }.encode_to_vec();
        let length = (event.len() as u64).to_le_bytes();
        self.buffer.extend(length);
        self.buffer.extend(masked_crc(&length).to_le_bytes());
        self.buffer.extend(&event);
        self.buffer.extend(masked_crc(&event).to_le_bytes());
    }

    /// Hands what has gathered to the writer.
    pub(super) fn flush(&mut self, writer: &Writer) -> Result<()> {
        self.flushed = clock::now();
        if self.buffer.is_empty() {
            return Ok(());
        }
        self.written += self.buffer.len() as u64;
        writer.append(&self.path, std::mem::take(&mut self.buffer))
    }

    /// Flushes when that is long ago.
    pub(super) fn flush_when_due(&mut self, writer: &Writer) -> Result<()> {
        match clock::now().saturating_sub(self.flushed) >= WAIT {
            true => self.flush(writer),
            false => Ok(()),
        }
    }

    /// Returns the file's name and the bytes handed to the writer: where a resumed run cuts it.
    pub(super) fn position(&self) -> (String, u64) {
        (self.path.file_name().unwrap_or_default().to_string_lossy().into_owned(), self.written)
    }
}

/// Cuts a run back to a position: later files go, the named one is shortened; without a position all go.
pub(super) fn cut(folder: &Path, position: Option<(&str, u64)>) -> Result<()> {
    for name in event_files(folder)? {
        let path = folder.join(&name);
        match position {
            Some((last, _)) if name.as_str() < last => {}
            Some((last, bytes)) if name == last => artifact::shorten(&path, bytes)?,
            _ => artifact::remove_file(&path)?,
        }
    }
    Ok(())
}

/// Returns the names of the event files in a folder, in the order TensorBoard reads them in.
fn event_files(folder: &Path) -> Result<Vec<String>> {
    Ok(artifact::names(folder)?.into_iter().filter(|name| name.starts_with("events.out.tfevents.")).collect())
}

/// The checksum of TFRecord: a CRC of data that holds CRCs is weak, so it is rotated and shifted.
pub(super) fn masked_crc(bytes: &[u8]) -> u32 {
    crc32c::crc32c(bytes).rotate_right(15).wrapping_add(0xa282_ead8)
}
