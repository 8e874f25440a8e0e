//! Every key of a config, with what it may be, its default and its meaning: the only place where they stand.
//!
//! The four sections, their keys, ranges and defaults are those of Barrage for Python 0.6 as its code has
//! them (its pages print other values: epochs 10, and `val_loss` for `train_early_stopping`). A key marked
//! "ours" is not in the original. A default stands for the whole value: an `optimizer` that is given
//! replaces the default optimizer, learning rate and all.

mod dataset;
mod model;
mod services;
mod solver;
mod words;

use crate::recipe::schema::Absent::{Default, Nothing, Refused};
use crate::recipe::schema::Kind::{Choice, Flag, Free, Map, Maps, OneOf, Text, Whole};
use crate::recipe::schema::{Absent, Key, Kind, LARGEST, Section};

pub use dataset::{DATASET, ON_ERROR_SECTION};
pub use model::{MODEL, OUTPUT, PRETRAINED};
pub use services::{BEST_CHECKPOINT, EARLY_STOPPING, SERVICES, TENSORBOARD};
pub use solver::{CHECKPOINT_EVERY, CLIP, EMA, OPTIMIZER, REDUCER, SOLVER};
pub use words::{ELSEWHERE, SYNONYMS};

/// The whole config.
pub static ROOT: Section = Section {
    what: "a map with at least the keys `dataset` and `model`",
    merges: true,
    keys: &[
        key("extends", Text, Nothing, "another config that this one changes: its path, relative to this file (ours)"),
        key("dataset", Map(&DATASET), Refused, "how records are loaded, transformed and augmented"),
        key("model", Map(&MODEL), Refused, "the network, and the loss and metrics of each output"),
        key("solver", Map(&SOLVER), Default("{}"), "how the weights are found"),
        key(
            "services",
            Map(&SERVICES),
            Default("{}"),
            "what watches the run: checkpoints, early stopping, TensorBoard",
        ),
        key("data", Free, Default("{}"), "anything that scripts want to read (ours)"),
        key("hyperparameters", Free, Default("{}"), "what `make_data_loaders` gets as `hparams` (ours)"),
        key("$schema", Text, Nothing, "the JSON schema for editors; ignored here (ours)"),
    ],
};

/// `{"import": …, "params": {…}}`.
pub static IMPORT: Section = Section {
    what: "an import block",
    merges: false,
    keys: &[
        key("import", Text, Refused, "the name of a built-in, or the dotted path of a script"),
        key("params", Free, Default("{}"), "the parameters it is made with"),
    ],
};

/// The import block of a learning-rate schedule: the original needs `params` here, though its schema does
/// not say so.
pub static SCHEDULE: Section = Section {
    what: "the import block of a schedule",
    merges: false,
    keys: &[
        key("import", Text, Refused, "the name of a schedule, or the dotted path of a script"),
        key("params", Free, Refused, "the parameters of the schedule"),
    ],
};

const IMPORTS: Kind = Maps { section: &IMPORT, least: 0, what: "a list of import blocks" };

const MONITOR_DOC: &str = "the log to watch: `loss`, `val_loss`, the name of a metric";
const MODE: Kind = Choice(&["min", "max"]);
const MODE_DOC: &str = "whether less (`min`) or more (`max`) is better";
// Keras has 0, 1 and 2; 2 is for its progress bar.
const VERBOSE: Kind = OneOf(&[Flag, Whole { least: 0, most: 2 }]);
const VERBOSE_DOC: &str = "whether it tells what it does: 0 or 1";
const PATIENCE: Kind = Whole { least: 1, most: LARGEST };

const fn key(name: &'static str, kind: Kind, absent: Absent, doc: &'static str) -> Key {
    Key { name, kind, absent, doc }
}
