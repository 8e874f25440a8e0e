//! Every name inside an artifact folder, in one place.

use std::ffi::OsString;
use std::path::{Path, PathBuf};

/// The resolved config: every default filled in.
pub const CONFIG: &str = "config.json";
/// The folder of the scripts that were used.
pub const SCRIPTS: &str = "scripts";
/// The hashes of the scripts, inside [`SCRIPTS`].
pub const SCRIPTS_LOCK: &str = "lock.json";
/// The sources of the records: paths, sizes, hashes, schema.
pub const DATA: &str = "data.json";
/// What the transformer gave the network builder.
pub const NETWORK_PARAMS: &str = "network_params.json";
/// The weights before the first step, where they are not drawn alone: a run killed early starts from them again.
pub const INITIAL: &str = "initial_weights.safetensors";
/// The folder of the fitted transformer.
pub const DATASET: &str = "dataset";
/// The folder of the best weights, for scoring: [`MODEL`] and [`STATE`].
pub const BEST_CHECKPOINT: &str = "best_checkpoint";
/// The folder of the checkpoints a run can be resumed from.
pub const RESUME_CHECKPOINTS: &str = "resume_checkpoints";
/// The folder of TensorBoard's two runs.
pub const TENSORBOARD: &str = "TensorBoard";
/// The run of the training values, inside [`TENSORBOARD`].
pub const TENSORBOARD_TRAIN: &str = "train";
/// The run of the validation values, inside [`TENSORBOARD`].
pub const TENSORBOARD_VALIDATION: &str = "validation";
/// The table of epochs.
pub const REPORT: &str = "training_report.csv";
/// The records that could not be loaded, one JSON object a line, when `dataset.on_error` asks for the list.
pub const QUARANTINE: &str = "quarantine.jsonl";
/// One line for each event of the run.
pub const EVENTS: &str = "events.jsonl";

/// The network's weights, inside a checkpoint.
pub const MODEL: &str = "model.safetensors";
/// The optimizer's slots, inside a checkpoint.
pub const OPTIMIZER: &str = "optimizer.safetensors";
/// Arrays that services keep (the weights of the best epoch), inside a checkpoint.
pub const SERVICES: &str = "services.safetensors";
/// What metrics have gathered of an epoch that goes on, inside a checkpoint.
pub const METRICS: &str = "metrics.safetensors";
/// Everything else of a checkpoint.
pub const STATE: &str = "state.json";

const PARTIAL: &str = ".partial";

/// Returns the name of the checkpoint after `epochs` finished epochs: `epoch_0001` after the first.
pub fn epoch(epochs: usize) -> String {
    format!("epoch_{epochs:04}")
}

/// Where a run stands: finished epochs, and batches of the one that goes on. Later positions are larger.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord)]
pub struct Position {
    /// Finished epochs.
    pub epochs: usize,
    /// Batches of the next epoch that are done; 0 between epochs.
    pub batches: u64,
}

impl Position {
    /// Returns the position after so many finished epochs.
    pub fn after(epochs: usize) -> Self {
        Position { epochs, batches: 0 }
    }

    /// Returns the name of the checkpoint written here: `epoch_0001` after the first epoch, `epoch_0001_batch_000020`
    /// after 20 batches of the second.
    pub fn name(self) -> String {
        match self.batches {
            0 => epoch(self.epochs),
            batches => format!("{}_batch_{batches:06}", epoch(self.epochs)),
        }
    }

    /// Reads a checkpoint's name, when it is one that [`Position::name`] makes.
    pub fn parse(name: &str) -> Option<Self> {
        let rest = name.strip_prefix("epoch_")?;
        let (epochs, batches) = rest.split_once("_batch_").unwrap_or((rest, "0"));
        let position = Position { epochs: epochs.parse().ok()?, batches: batches.parse().ok()? };
        (position.name() == name).then_some(position)
    }
}

impl std::fmt::Display for Position {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self.batches {
            0 => write!(f, "after epoch {}", self.epochs),
            1 => write!(f, "after the first batch of epoch {}", self.epochs + 1),
            batches => write!(f, "after {batches} batches of epoch {}", self.epochs + 1),
        }
    }
}

/// Returns where a file or folder is made before it is renamed to `path`: hidden, in the same folder.
/// `tag` keeps two writers of the same file apart.
pub fn partial(path: &Path, tag: &str) -> PathBuf {
    let mut name = OsString::from(".");
    name.push(path.file_name().unwrap_or_default());
    name.push(tag);
    name.push(PARTIAL);
    path.with_file_name(name)
}

/// Returns whether a name is one that [`partial`] makes: what a killed process leaves behind.
pub fn is_partial(name: &str) -> bool {
    name.starts_with('.') && name.ends_with(PARTIAL)
}

/// Returns where an earlier run is moved: `DIR.1`, `DIR.2` …
pub fn moved(path: &Path, number: usize) -> PathBuf {
    let mut name = path.file_name().unwrap_or_default().to_owned();
    name.push(format!(".{number}"));
    path.with_file_name(name)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn epochs_have_at_least_four_digits_and_read_back() {
        for (epochs, name) in [(1, "epoch_0001"), (9999, "epoch_9999"), (12345, "epoch_12345")] {
            assert_eq!(epoch(epochs), name);
            assert_eq!(Position::parse(name), Some(Position::after(epochs)));
        }
        for name in ["epoch_1", "epoch_00001", "epoch_", "epoch_-001", "best", ".epoch_0001.partial"] {
            assert_eq!(Position::parse(name), None, "{name}");
        }
    }

    #[test]
    fn positions_within_epochs_have_names_in_their_order() {
        let positions = [(0, 7), (1, 0), (1, 20), (1, 1_000_000), (2, 0)];
        let positions = positions.map(|(epochs, batches)| Position { epochs, batches });
        assert!(positions.is_sorted());
        assert_eq!(positions[2].name(), "epoch_0001_batch_000020");
        for position in positions {
            assert_eq!(Position::parse(&position.name()), Some(position));
        }
        for name in ["epoch_0001_batch_000000", "epoch_0001_batch_20", "epoch_0001_batch_", "epoch_0001_step_000020"] {
            assert_eq!(Position::parse(name), None, "{name}");
        }
        assert_eq!(positions[2].to_string(), "after 20 batches of epoch 2");
        assert_eq!(positions[1].to_string(), "after epoch 1");
    }

    #[test]
    fn partial_names_are_hidden_siblings() {
        let path = partial(Path::new("run/state.json"), ".7");
        assert_eq!(path, Path::new("run/.state.json.7.partial"));
        assert!(is_partial(".state.json.7.partial"));
        assert!(!is_partial("state.json"));
        assert_eq!(moved(Path::new("a/run"), 2), Path::new("a/run.2"));
    }
}
