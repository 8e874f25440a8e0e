//! The keys of the section `services`.

use super::{IMPORTS, MODE, MODE_DOC, MONITOR_DOC, PATIENCE, VERBOSE, VERBOSE_DOC, key};
use crate::recipe::schema::Absent::{Default, Nothing, Refused};
use crate::recipe::schema::Bounds::{Any, NotNegative};
use crate::recipe::schema::Kind::{Choice, Flag, Map, NoEffect, Null, Number, Off, OneOf, Text, Whole};
use crate::recipe::schema::{LARGEST, Section};

/// The section `services`.
pub static SERVICES: Section = Section {
    what: "a map",
    merges: true,
    keys: &[
        key(
            "best_checkpoint",
            OneOf(&[Off, Map(&BEST_CHECKPOINT)]),
            Default(r#"{"monitor": "val_loss", "mode": "min"}"#),
            "keeps the weights of the best epoch; watches the validation records",
        ),
        key(
            "tensorboard",
            OneOf(&[Off, Map(&TENSORBOARD)]),
            Default("{}"),
            "writes curves, histograms and the graph for TensorBoard",
        ),
        key(
            "train_early_stopping",
            OneOf(&[Off, Map(&EARLY_STOPPING)]),
            Default(r#"{"monitor": "loss", "mode": "min", "patience": 10, "min_delta": 1e-5}"#),
            "ends training when a log of the training records stops getting better",
        ),
        key(
            "validation_early_stopping",
            OneOf(&[Off, Map(&EARLY_STOPPING)]),
            Default(r#"{"monitor": "val_loss", "mode": "min", "patience": 10, "min_delta": 1e-5}"#),
            "ends training when a log of the validation records stops getting better",
        ),
        key(
            "terminate_on_nan",
            Flag,
            Default("true"),
            "ends training when the loss is not a number (ours; always on there)",
        ),
        key(
            "resume_checkpoints",
            Flag,
            Default("true"),
            "keeps a checkpoint of every epoch to resume from (ours; always on there)",
        ),
        key(
            "keep",
            Whole { least: 1, most: LARGEST },
            Nothing,
            "how many of the last epochs' checkpoints stay; all when left out (ours)",
        ),
        key("callbacks", IMPORTS, Default("[]"), "services of your own, called in this order (ours)"),
    ],
};

/// `services.best_checkpoint`.
pub static BEST_CHECKPOINT: Section = Section {
    what: "a map with the keys `monitor` and `mode`",
    merges: false,
    keys: &[key("monitor", Text, Refused, MONITOR_DOC), key("mode", MODE, Refused, MODE_DOC)],
};

/// `services.tensorboard`; keys and defaults of Keras' TensorBoard callback.
pub static TENSORBOARD: Section = Section {
    what: "a map",
    merges: false,
    keys: &[
        key(
            "histogram_freq",
            Whole { least: 0, most: LARGEST },
            Default("0"),
            "epochs between histograms of the weights; 0 for none",
        ),
        key("write_graph", Flag, Default("true"), "whether the network's graph is written"),
        key(
            "update_freq",
            OneOf(&[Choice(&["epoch", "batch"]), Whole { least: 1, most: LARGEST }]),
            Default(r#""epoch""#),
            "when losses and metrics are written: each `epoch`, each `batch`, or each so many batches",
        ),
        key("log_dir", NoEffect("the logs are in `TensorBoard/` of the artifacts"), Nothing, "set by Barrage"),
        key("write_images", NoEffect("weights are not drawn as images"), Nothing, "not built"),
        key("write_steps_per_second", NoEffect("the speed is in the training report"), Nothing, "not built"),
        key("profile_batch", NoEffect("there is no TensorFlow to profile"), Nothing, "not built"),
        key("embeddings_freq", NoEffect("embeddings are not written"), Nothing, "not built"),
        key("embeddings_metadata", NoEffect("embeddings are not written"), Nothing, "not built"),
    ],
};

/// `services.train_early_stopping` and `services.validation_early_stopping`, as Keras' EarlyStopping, from
/// where the extra keys are.
pub static EARLY_STOPPING: Section = Section {
    what: "a map with the keys `monitor`, `mode`, `patience` and `min_delta`",
    merges: false,
    keys: &[
        key("monitor", Text, Refused, MONITOR_DOC),
        key("mode", MODE, Refused, MODE_DOC),
        key("patience", PATIENCE, Refused, "epochs without getting better after which training ends"),
        key("min_delta", Number(NotNegative), Refused, "the smallest change that counts as better"),
        key(
            "baseline",
            OneOf(&[Number(Any), Null]),
            Default("null"),
            "a value that must be beaten for an epoch to count as better",
        ),
        key("restore_best_weights", Flag, Default("false"), "whether the best epoch's weights are put back at the end"),
        key("start_from_epoch", Whole { least: 0, most: LARGEST }, Default("0"), "epochs before it starts to watch"),
        // The original says 1 in its own defaults and Keras 0; a run that stops says why.
        key("verbose", VERBOSE, Default("1"), VERBOSE_DOC),
    ],
};
