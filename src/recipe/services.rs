//! The section `services`, resolved.

use serde_json::{Map, Value, json};

use super::check::Report;
use super::fields::Fields;
use super::imports::{self, Import};
use super::monitor::{self, Better, Split};
use super::written::Node;

/// What watches the run. `None` is switched off.
#[derive(Clone, Debug, PartialEq)]
pub struct Services {
    /// Keeps the weights of the best epoch.
    pub best_checkpoint: Option<BestCheckpoint>,
    /// Writes curves, histograms and the graph for TensorBoard.
    pub tensorboard: Option<TensorBoard>,
    /// Ends training when a log of the training records stops getting better.
    pub train_early_stopping: Option<EarlyStopping>,
    /// Ends training when a log of the validation records stops getting better.
    pub validation_early_stopping: Option<EarlyStopping>,
    /// Ends training when the loss is not a number.
    pub terminate_on_nan: bool,
    /// Keeps a checkpoint of every epoch to resume from.
    pub resume_checkpoints: bool,
    /// How many of the last epochs' checkpoints stay; all when `None`.
    pub keep: Option<usize>,
    /// Services of the person's own, called in this order.
    pub callbacks: Vec<Import>,
}

/// Keeps the weights of the best epoch.
#[derive(Clone, Debug, PartialEq)]
pub struct BestCheckpoint {
    /// The log to watch; starts with `val_`.
    pub monitor: String,
    /// Which direction is better.
    pub mode: Better,
}

/// What is written for TensorBoard.
#[derive(Clone, Debug, PartialEq)]
pub struct TensorBoard {
    /// Epochs between histograms of the weights; 0 for none.
    pub histogram_freq: usize,
    /// Whether the network's graph is written.
    pub write_graph: bool,
    /// When losses and metrics are written.
    pub update_freq: UpdateFreq,
}

/// When losses and metrics are written.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum UpdateFreq {
    /// After each epoch.
    Epoch,
    /// After each batch.
    Batch,
    /// After each so many batches, at least 1.
    Batches(usize),
}

/// Ends training when a log stops getting better, as Keras' EarlyStopping.
#[derive(Clone, Debug, PartialEq)]
pub struct EarlyStopping {
    /// The log to watch; starts with `val_` when the validation records are watched, and only then.
    pub monitor: String,
    /// Which direction is better.
    pub mode: Better,
    /// Epochs without getting better after which training ends; at least 1.
    pub patience: usize,
    /// The smallest change that counts as better; at least 0.
    pub min_delta: f64,
    /// A value that must be beaten for an epoch to count as better.
    pub baseline: Option<f64>,
    /// Whether the best epoch's weights are put back at the end.
    pub restore_best_weights: bool,
    /// Epochs before it starts to watch.
    pub start_from_epoch: usize,
    /// Whether it tells what it does.
    pub verbose: bool,
}

impl Services {
    pub(super) fn resolve(fields: &Fields, report: &mut Report) -> Self {
        let resume_checkpoints = fields.flag("resume_checkpoints");
        let (keep, path) = fields.get("keep");
        if !resume_checkpoints && fields.is_given("keep") {
            let place = Node::mark(&keep).map_or(String::new(), |place| format!(" ({place})"));
            report.notes.push(format!("`{path}` has no effect: `services.resume_checkpoints` is false{place}"));
        }
        Services {
            best_checkpoint: fields.map_if_any("best_checkpoint").map(|fields| BestCheckpoint {
                monitor: monitor::of_split(&fields, Split::Validation, report),
                mode: Better::of(&fields),
            }),
            tensorboard: fields.map_if_any("tensorboard").map(|fields| TensorBoard::resolve(&fields)),
            train_early_stopping: fields
                .map_if_any("train_early_stopping")
                .map(|fields| EarlyStopping::resolve(&fields, Split::Train, report)),
            validation_early_stopping: fields
                .map_if_any("validation_early_stopping")
                .map(|fields| EarlyStopping::resolve(&fields, Split::Validation, report)),
            terminate_on_nan: fields.flag("terminate_on_nan"),
            resume_checkpoints,
            keep: fields.whole_if_any("keep").filter(|_| resume_checkpoints),
            callbacks: imports::list(fields, "callbacks"),
        }
    }

    pub(super) fn to_json(&self) -> Value {
        let mut map = Map::new();
        let best = self.best_checkpoint.as_ref();
        let best = best.map(|best| json!({"monitor": best.monitor, "mode": best.mode.name()}));
        let stopping = |stopping: &Option<EarlyStopping>| stopping.as_ref().map(EarlyStopping::to_json);
        let services = [
            ("best_checkpoint", best),
            ("tensorboard", self.tensorboard.as_ref().map(TensorBoard::to_json)),
            ("train_early_stopping", stopping(&self.train_early_stopping)),
            ("validation_early_stopping", stopping(&self.validation_early_stopping)),
        ];
        map.extend(services.map(|(name, service)| (name.to_owned(), service.unwrap_or(Value::Bool(false)))));
        map.insert("terminate_on_nan".to_owned(), json!(self.terminate_on_nan));
        map.insert("resume_checkpoints".to_owned(), json!(self.resume_checkpoints));
        map.extend(self.keep.map(|keep| ("keep".to_owned(), json!(keep))));
        map.insert("callbacks".to_owned(), imports::all_to_json(&self.callbacks));
        Value::Object(map)
    }
}

impl TensorBoard {
    fn resolve(fields: &Fields) -> Self {
        TensorBoard {
            histogram_freq: fields.whole("histogram_freq"),
            write_graph: fields.flag("write_graph"),
            update_freq: match (fields.text("update_freq").as_str(), fields.whole_if_any("update_freq")) {
                (_, Some(batches)) => UpdateFreq::Batches(batches),
                ("batch", None) => UpdateFreq::Batch,
                _ => UpdateFreq::Epoch,
            },
        }
    }

    fn to_json(&self) -> Value {
        let update_freq = match self.update_freq {
            UpdateFreq::Epoch => json!("epoch"),
            UpdateFreq::Batch => json!("batch"),
            UpdateFreq::Batches(batches) => json!(batches),
        };
        json!({"histogram_freq": self.histogram_freq, "write_graph": self.write_graph, "update_freq": update_freq})
    }
}

impl EarlyStopping {
    fn resolve(fields: &Fields, split: Split, report: &mut Report) -> Self {
        EarlyStopping {
            monitor: monitor::of_split(fields, split, report),
            mode: Better::of(fields),
            patience: fields.whole("patience"),
            min_delta: fields.number("min_delta"),
            baseline: fields.get("baseline").0.number(),
            restore_best_weights: fields.flag("restore_best_weights"),
            start_from_epoch: fields.whole("start_from_epoch"),
            verbose: fields.flag("verbose"),
        }
    }

    fn to_json(&self) -> Value {
        json!({
            "monitor": self.monitor,
            "mode": self.mode.name(),
            "patience": self.patience,
            "min_delta": self.min_delta,
            "baseline": self.baseline,
            "restore_best_weights": self.restore_best_weights,
            "start_from_epoch": self.start_from_epoch,
            "verbose": u8::from(self.verbose),
        })
    }
}
