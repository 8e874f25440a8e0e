//! Checkpoints: everything a run needs to go on exactly, and the best weights for scoring.

use std::collections::BTreeMap;
use std::fs::{self, File};
use std::io;
use std::path::{Path, PathBuf};

use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};

use super::layout::Position;
use super::weights::{self, Named};
use super::{cpu, exact, file, layout};
use crate::error::{Error, Result, codes};

/// The version of the checkpoint format that this program writes and reads.
pub const FORMAT: u32 = 1;

/// Everything a run needs to go on exactly.
#[derive(Clone, Debug)]
pub struct Checkpoint {
    /// The network's weights.
    pub weights: Named,
    /// The optimizer's slots.
    pub optimizer: Named,
    /// Arrays that services keep, each under `<service>/<name>`.
    pub services: Named,
    /// Arrays that metrics keep within an epoch, each under its log name, or `<log name>/<name>`.
    pub metrics: Named,
    /// Everything else.
    pub state: State,
}

/// The part of a checkpoint that is no array.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct State {
    /// The version of the format.
    pub format: u32,
    /// Finished epochs: the run goes on with the epoch of this number, counted from 0.
    pub epoch: usize,
    /// Optimizer updates done.
    pub step: u64,
    /// Batches already taken from the epoch that goes on; 0 between epochs.
    pub data_position: u64,
    /// The seed of the run: all random draws follow from it and the positions above.
    pub seed: u64,
    /// The learning rate of the next step, when it is not a schedule's.
    #[serde(with = "exact")]
    pub learning_rate: f64,
    /// The learning rate of the latest step, which the report of an epoch names.
    #[serde(with = "exact", default = "unknown_rate")]
    pub latest_learning_rate: f64,
    /// The CPU's architecture and vector extensions, see [`cpu::features`].
    pub cpu: String,
    /// What each service gave, by its name.
    pub services: Map<String, Value>,
    /// What each metric has gathered of the epoch that goes on besides arrays, by its log name.
    pub metrics: Map<String, Value>,
    /// Size and checksum of the other files; filled in when the checkpoint is written.
    #[serde(default)]
    pub files: BTreeMap<String, Fingerprint>,
}

/// How a file is recognised as whole.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Fingerprint {
    /// Its length.
    pub bytes: u64,
    /// Its CRC-32C.
    pub crc32c: u32,
}

/// What is known of the best weights; stored beside them.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Best {
    /// The version of the format.
    pub format: u32,
    /// The epoch the weights are from, counted from 0.
    pub epoch: usize,
    /// Optimizer updates done by then.
    pub step: u64,
    /// The log name that was watched.
    pub monitor: String,
    /// Its value in that epoch.
    #[serde(with = "exact")]
    pub value: f64,
}

impl State {
    /// Creates the state at a position and after `step` steps, on this CPU, with nothing gathered.
    pub fn new(position: Position, step: u64, seed: u64, learning_rate: f64) -> Self {
        State {
            format: FORMAT,
            epoch: position.epochs,
            step,
            data_position: position.batches,
            seed,
            learning_rate,
            latest_learning_rate: learning_rate,
            cpu: cpu::features(),
            services: Map::new(),
            metrics: Map::new(),
            files: BTreeMap::new(),
        }
    }

    /// Returns where the run stands.
    pub fn position(&self) -> Position {
        Position { epochs: self.epoch, batches: self.data_position }
    }
}

/// What checkpoints of earlier versions say of the latest learning rate.
fn unknown_rate() -> f64 {
    f64::NAN
}

impl Checkpoint {
    /// Writes the checkpoint below `parent` under the name of its position: a temporary folder, synced, then
    /// renamed. An older checkpoint of the same position is replaced.
    ///
    /// # Errors
    /// Whatever the disk says; the error names the path.
    pub fn write(&self, parent: &Path) -> Result<()> {
        let staged = self.stage(parent)?;
        staged.sync()?;
        staged.publish()?;
        file::sync_folder(parent).map_err(|error| file::failed("write", parent, &error))
    }

    /// Reads a checkpoint and checks that it is whole.
    ///
    /// # Errors
    /// A missing, truncated or changed file, another format version.
    pub fn read(folder: &Path) -> Result<Checkpoint> {
        Self::read_whole(folder).map_err(|error| error.coded(codes::DAMAGED))
    }

    fn read_whole(folder: &Path) -> Result<Checkpoint> {
        let state: State = read_state(&folder.join(layout::STATE))?;
        let part = |name: &str| match state.files.get(name) {
            Some(fingerprint) => read_checked(&folder.join(name), *fingerprint),
            None => Ok(Vec::new()),
        };
        if !state.files.contains_key(layout::MODEL) {
            return Err(Error::artifact(format!("`{}` lists no `{}`", folder.display(), layout::MODEL)));
        }
        Ok(Checkpoint {
            weights: part(layout::MODEL)?,
            optimizer: part(layout::OPTIMIZER)?,
            services: part(layout::SERVICES)?,
            metrics: part(layout::METRICS)?,
            state,
        })
    }

    /// Writes everything into the temporary folder; nothing is forced to the disk yet.
    pub(super) fn stage(&self, parent: &Path) -> Result<Staged> {
        let target = parent.join(self.state.position().name());
        let temporary = layout::partial(&target, "");
        let mut files = vec![(layout::MODEL, weights::encode(&self.weights)?)];
        if !self.optimizer.is_empty() {
            files.push((layout::OPTIMIZER, weights::encode(&self.optimizer)?));
        }
        if !self.services.is_empty() {
            files.push((layout::SERVICES, weights::encode(&self.services)?));
        }
        if !self.metrics.is_empty() {
            files.push((layout::METRICS, weights::encode(&self.metrics)?));
        }
        let mut state = self.state.clone();
        state.files = files.iter().map(|(name, bytes)| ((*name).to_owned(), fingerprint(bytes))).collect();
        files.push((layout::STATE, json(&state)?));

        let write = || -> io::Result<Vec<File>> {
            file::remove(&temporary)?;
            fs::create_dir_all(&temporary)?;
            files.iter().map(|(name, bytes)| file::create(&temporary.join(name), bytes)).collect()
        };
        let written = write().map_err(|error| {
            let _ = file::remove(&temporary);
            file::failed("write", &target, &error)
        });
        Ok(Staged { files: written?, temporary, target })
    }
}

/// A checkpoint in its temporary folder.
pub(super) struct Staged {
    temporary: PathBuf,
    target: PathBuf,
    files: Vec<File>,
}

impl Staged {
    /// Forces the contents to the disk.
    pub(super) fn sync(&self) -> Result<()> {
        self.files
            .iter()
            .try_for_each(File::sync_all)
            .and_then(|()| file::sync_folder(&self.temporary))
            .map_err(|error| file::failed("write", &self.target, &error))
    }

    /// Gives the folder its name; the caller syncs the parent.
    pub(super) fn publish(self) -> Result<()> {
        file::remove(&self.target)
            .and_then(|()| fs::rename(&self.temporary, &self.target))
            .map_err(|error| file::failed("write", &self.target, &error))
    }
}

/// Writes the best weights into `folder`. The two files are replaced one after the other, weights first, so
/// that whoever scores meanwhile always finds whole weights.
///
/// # Errors
/// Whatever the disk says; the error names the path.
pub fn write_best(folder: &Path, arrays: &[(String, crate::tensor::Array)], best: &Best) -> Result<()> {
    fs::create_dir_all(folder).map_err(|error| file::failed("create", folder, &error))?;
    weights::save(&folder.join(layout::MODEL), arrays)?;
    file::write_atomic(&folder.join(layout::STATE), &json(best)?)
}

/// Reads the best weights and what is known of them.
///
/// # Errors
/// A missing or truncated file, another format version.
pub fn read_best(folder: &Path) -> Result<(Named, Best)> {
    let best = read_state(&folder.join(layout::STATE)).map_err(|error| error.coded(codes::DAMAGED));
    Ok((weights::load(&folder.join(layout::MODEL))?, best?))
}

/// Returns the checkpoints below `parent`, oldest first: position and folder. Half-made ones are not among them.
pub(super) fn list(parent: &Path) -> Result<Vec<(Position, PathBuf)>> {
    let mut found: Vec<(Position, PathBuf)> = file::names(parent)?
        .into_iter()
        .filter_map(|name| Position::parse(&name).map(|position| (position, parent.join(name))))
        .collect();
    found.sort();
    Ok(found)
}

/// Removes checkpoints below `parent` that are not needed: those within an epoch but for the newest of all, and
/// finished epochs but for the newest `keep` (at least one).
pub fn prune(parent: &Path, keep: Option<usize>) -> Result<()> {
    let found = list(parent)?;
    let stays = needed(&found.iter().map(|(position, _)| *position).collect::<Vec<_>>(), keep);
    remove_all(found.into_iter().zip(stays).filter(|(_, stays)| !stays).map(|(found, _)| found))
}

/// Returns which checkpoints stay, of some that are sorted.
pub(super) fn needed(positions: &[Position], keep: Option<usize>) -> Vec<bool> {
    let epochs = positions.iter().filter(|position| position.batches == 0).count();
    let mut surplus = keep.map_or(0, |keep| epochs.saturating_sub(keep.max(1)));
    let stays = |(at, position): (usize, &Position)| match position.batches {
        0 if surplus > 0 => {
            surplus -= 1;
            false
        }
        0 => true,
        _ => at + 1 == positions.len(),
    };
    positions.iter().enumerate().map(stays).collect()
}

/// Removes the checkpoints below `parent` that are of later positions: a run that goes on from there makes them anew.
pub fn remove_after(parent: &Path, position: Position) -> Result<()> {
    remove_all(list(parent)?.into_iter().filter(|(found, _)| *found > position))
}

fn remove_all(checkpoints: impl Iterator<Item = (Position, PathBuf)>) -> Result<()> {
    for (_, path) in checkpoints {
        // Renamed first, so that a half-removed checkpoint is never taken for one.
        let hidden = layout::partial(&path, "");
        file::remove(&hidden)
            .and_then(|()| fs::rename(&path, &hidden))
            .and_then(|()| file::remove(&hidden))
            .map_err(|error| file::failed("remove", &path, &error))?;
    }
    Ok(())
}

fn read_state<T: serde::de::DeserializeOwned>(path: &Path) -> Result<T> {
    let value: Value = file::read_json(path)?;
    match value.get("format").and_then(Value::as_u64) {
        Some(found) if found == u64::from(FORMAT) => {}
        Some(found) => {
            return Err(Error::artifact(format!(
                "`{}` has format {found}, this program reads {FORMAT}",
                path.display()
            ))
            .hint("it was written by another version"));
        }
        None => return Err(Error::artifact(format!("`{}` is not the state of a checkpoint", path.display()))),
    }
    serde_json::from_value(value)
        .map_err(|error| Error::artifact(format!("`{}` cannot be understood: {error}", path.display())))
}

fn read_checked(path: &Path, expected: Fingerprint) -> Result<Named> {
    let bytes = file::read(path)?;
    let found = fingerprint(&bytes);
    let what = path.display();
    if found.bytes != expected.bytes {
        let (found, expected) = (found.bytes, expected.bytes);
        return Err(Error::artifact(format!("`{what}` has {found} bytes, the checkpoint was written with {expected}")));
    }
    if found.crc32c != expected.crc32c {
        return Err(Error::artifact(format!("`{what}` is damaged: its checksum differs from the recorded one")));
    }
    weights::decode(&bytes, &what.to_string())
}

fn fingerprint(bytes: &[u8]) -> Fingerprint {
    Fingerprint { bytes: bytes.len() as u64, crc32c: crc32c::crc32c(bytes) }
}

pub(super) fn json<T: Serialize>(value: &T) -> Result<Vec<u8>> {
    let mut bytes = serde_json::to_vec_pretty(value)
        .map_err(|error| Error::artifact(format!("the state cannot be written as JSON: {error}")))?;
    bytes.push(b'\n');
    Ok(bytes)
}

#[cfg(test)]
mod tests;
