//! Every key of a config, with what it may be, its default and its meaning: the only place where they stand.
//!
//! The four sections, their keys, ranges and defaults are those of Barrage for Python 0.6 as its code has
//! them (its pages print other values: epochs 10, and `val_loss` for `train_early_stopping`). A key marked
//! "ours" is not in the original. A default stands for the whole value: an `optimizer` that is given
//! replaces the default optimizer, learning rate and all.

use super::schema::Absent::{Default, Nothing, Refused};
use super::schema::Bounds::{Any, Fraction, NotNegative, Positive};
use super::schema::Kind::{Choice, Flag, Free, Map, Maps, NoEffect, Null, Number, Off, OneOf, Text, Texts, Whole};
use super::schema::{Absent, Key, Kind, LARGEST, Section};

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

/// The section `dataset`.
pub static DATASET: Section = Section {
    what: "a map with at least the key `loader`",
    merges: true,
    keys: &[
        key("loader", Map(&IMPORT), Refused, "turns a record into named inputs, outputs and sample weights"),
        key(
            "transformer",
            Map(&IMPORT),
            Default(r#"{"import": "IdentityTransformer"}"#),
            "fitted on the training records, applied to all",
        ),
        key("augmentor", IMPORTS, Default("[]"), "changes training records anew in each epoch, in this order"),
        key("sample_count", Text, Nothing, "the field that tells how often a training record is in an epoch"),
        key("seed", Whole { least: 0, most: LARGEST }, Nothing, "the seed of everything random in the run"),
        key("shuffle", Flag, Default("true"), "whether each epoch has the training records in another order (ours)"),
        key(
            "drop_last",
            Flag,
            Default("false"),
            "whether a last batch that is not full is left out of training (ours)",
        ),
        key(
            "cache",
            OneOf(&[Choice(&["auto"]), Flag]),
            Default(r#""auto""#),
            "whether loaded records are kept in memory; `auto` keeps them when they fit (ours)",
        ),
        key(
            "workers",
            Whole { least: 0, most: 1024 },
            Nothing,
            "threads that load records; 0 loads in the training thread (ours)",
        ),
        key(
            "prefetch",
            Whole { least: 1, most: 65_536 },
            Nothing,
            "batches that workers make ahead of the training step; two more than there are workers, when left out (ours)",
        ),
        key(
            "balance",
            Text,
            Nothing,
            "the field whose values are drawn equally often: as many training records as there are, with repetition (ours)",
        ),
        key(
            "sample_probability",
            Text,
            Nothing,
            "the field in proportion to which training records are drawn: as many as there are, with repetition (ours)",
        ),
        key(
            "bucket",
            Text,
            Nothing,
            "the field by whose length, or number, training records of a batch are chosen alike (ours)",
        ),
        key(
            "pad",
            Free,
            Default("{}"),
            "what is added to values of different lengths, by name: a number, to the longest of the batch, or \
             `{value, length}`, to one length (ours)",
        ),
        key(
            "on_error",
            OneOf(&[ON_ERROR, Map(&ON_ERROR_SECTION)]),
            Default(r#""stop""#),
            "what becomes of records that cannot be loaded: `stop`, `skip` them, or list them in \
             `quarantine.jsonl` too; other policies than `stop` load each record once before training (ours)",
        ),
    ],
};

const ON_ERROR: Kind = Choice(&["stop", "skip", "quarantine"]);

/// `dataset.on_error` with a limit.
pub static ON_ERROR_SECTION: Section = Section {
    what: "a policy, or a map with the key `policy`",
    merges: false,
    keys: &[
        key("policy", ON_ERROR, Refused, "`stop`, `skip` or `quarantine`"),
        key(
            "limit",
            OneOf(&[Whole { least: 0, most: LARGEST }, Number(Fraction)]),
            Default("0.1"),
            "how many records may fail, or which fraction of them; more stop the run",
        ),
    ],
};

/// The section `model`.
pub static MODEL: Section = Section {
    what: "a map with the keys `network` and `outputs`",
    merges: true,
    keys: &[
        key("network", Map(&IMPORT), Refused, "builds the network"),
        key(
            "outputs",
            Maps { section: &OUTPUT, least: 1, what: "a list of at least one output" },
            Refused,
            "the outputs of the network, each with its loss and metrics",
        ),
        key("pretrained", Map(&PRETRAINED), Nothing, "weights that training starts from (ours)"),
        key(
            "freeze",
            Texts,
            Default("[]"),
            "the weights that are not trained, by patterns: a weight or a layer, `*` is any text (ours)",
        ),
    ],
};

/// `model.pretrained`: all ours.
pub static PRETRAINED: Section = Section {
    what: "a map with the key `path`",
    merges: false,
    keys: &[
        key("path", Text, Refused, "a `.safetensors` file, or the folder of a run, whose best weights are taken"),
        key(
            "layout",
            Choice(&["keras", "pytorch"]),
            Default(r#""keras""#),
            "how the file names and lays out weights: `dense/kernel`, or `dense.weight` as PyTorch does",
        ),
        key("rename", Free, Default("{}"), "beginnings of names in the file, and the names that they stand for here"),
        key("only", Texts, Default("[]"), "patterns of the weights that are taken; all when empty"),
        key("strict", Flag, Default("false"), "whether each weight must be found, and each array of the file used"),
        key("skip_mismatched", Flag, Default("false"), "whether arrays of another shape are left out, not refused"),
    ],
};

/// An item of `model.outputs`.
pub static OUTPUT: Section = Section {
    what: "an output, which is a map with the keys `name` and `loss`",
    merges: false,
    keys: &[
        key("name", Text, Refused, "the output's name in the network"),
        key("loss", Map(&IMPORT), Refused, "what training makes small"),
        // Needed for each of several outputs; the rule stands in `model`.
        key("loss_weight", Number(NotNegative), Default("1.0"), "the loss's share of the total"),
        key("metrics", IMPORTS, Default("[]"), "what is reported besides the loss; every record counts once"),
        key(
            "weighted_metrics",
            IMPORTS,
            Default("[]"),
            "what is reported besides, with sample and class weights; given names of their own where both lists have \
             the same (ours)",
        ),
        key(
            "class_weight",
            OneOf(&[Choice(&["balanced"]), Free]),
            Nothing,
            "what records of a class count in training, by its index: `{\"0\": 0.5, \"1\": 2.0}`; others count 1; `balanced`: so \
             that all classes of the training records count alike (ours)",
        ),
        key(
            "sample_weight_mode",
            Text,
            Nothing,
            "accepted as Keras accepts it: weights for each time step need no mode",
        ),
    ],
};

/// The section `solver`.
pub static SOLVER: Section = Section {
    what: "a map",
    merges: true,
    keys: &[
        key(
            "optimizer",
            Map(&OPTIMIZER),
            Default(r#"{"import": "Adam", "learning_rate": 1e-3}"#),
            "how the weights follow the gradient; given or left out as a whole",
        ),
        key("batch_size", Whole { least: 1, most: LARGEST }, Default("32"), "records in a batch"),
        // Checkpoints are numbered with four digits.
        key("epochs", Whole { least: 1, most: 9999 }, Default("50"), "passes over the training records"),
        key("steps", Whole { least: 1, most: LARGEST }, Nothing, "batches in an epoch, when it is not one pass"),
        key(
            "validation_steps",
            Whole { least: 1, most: LARGEST },
            Nothing,
            "batches that each epoch is validated on, the same first ones; all when left out (ours)",
        ),
        key(
            "learning_rate_reducer",
            Map(&REDUCER),
            Nothing,
            "lowers a constant learning rate when a log stops getting better",
        ),
        key(
            "device",
            Kind::Device,
            Default(r#""auto""#),
            "where the network runs; `auto` takes a GPU when there is one (ours)",
        ),
        key(
            "precision",
            Choice(&["float32", "bf16"]),
            Default(r#""float32""#),
            "what layers compute in; `bf16` is mixed precision: products of bfloat16 values, float32 weights, losses and \
             updates (ours)",
        ),
        key(
            "gradient_clip",
            OneOf(&[Number(Positive), Map(&CLIP)]),
            Nothing,
            "a limit for the gradient: a number limits the norm of all gradients together (ours)",
        ),
        key(
            "accumulate",
            Whole { least: 1, most: LARGEST },
            Nothing,
            "batches whose gradients are averaged for one update (ours)",
        ),
        key(
            "ema",
            OneOf(&[Flag, Map(&EMA)]),
            Nothing,
            "moving averages of the weights, which replace them at the end of training (ours)",
        ),
        key(
            "checkpoint_every",
            OneOf(&[Whole { least: 1, most: LARGEST }, Map(&CHECKPOINT_EVERY)]),
            Nothing,
            "checkpoints within an epoch, to resume from: a number counts steps; of them only the newest stays (ours)",
        ),
    ],
};

/// `solver.gradient_clip`, as the optimizers of Keras clip.
pub static CLIP: Section = Section {
    what: "a map with one of the keys `norm`, `value` and `global_norm`",
    merges: false,
    keys: &[
        key("norm", Number(Positive), Nothing, "the largest norm of the gradient of each weight"),
        key("value", Number(Positive), Nothing, "the largest size of each number of the gradient"),
        key("global_norm", Number(Positive), Nothing, "the largest norm of all gradients together"),
    ],
};

/// `solver.ema`; defaults of Keras' optimizers.
pub static EMA: Section = Section {
    what: "a map",
    merges: false,
    keys: &[
        key("momentum", Number(Fraction), Default("0.99"), "the share of the old average that is kept"),
        key(
            "overwrite_every",
            Whole { least: 1, most: LARGEST },
            Nothing,
            "updates after which the averages replace the weights; only at the end of training when left out",
        ),
    ],
};

/// `solver.checkpoint_every`.
pub static CHECKPOINT_EVERY: Section = Section {
    what: "a map with one of the keys `steps` and `minutes`, or both",
    merges: false,
    keys: &[
        key("steps", Whole { least: 1, most: LARGEST }, Nothing, "steps of the run between two checkpoints"),
        key("minutes", Number(Positive), Nothing, "minutes after which the next step is followed by a checkpoint"),
    ],
};

/// `solver.optimizer`.
pub static OPTIMIZER: Section = Section {
    what: "a map with the keys `import` and `learning_rate`",
    merges: false,
    keys: &[
        key("import", Text, Refused, "the name of an optimizer"),
        key(
            "learning_rate",
            OneOf(&[Number(Positive), Map(&SCHEDULE)]),
            Refused,
            "the step size, constant or by a schedule",
        ),
        key("params", Free, Default("{}"), "the optimizer's other parameters"),
    ],
};

const MONITOR_DOC: &str = "the log to watch: `loss`, `val_loss`, the name of a metric";
const MODE: Kind = Choice(&["min", "max"]);
const MODE_DOC: &str = "whether less (`min`) or more (`max`) is better";
// Keras has 0, 1 and 2; 2 is for its progress bar.
const VERBOSE: Kind = OneOf(&[Flag, Whole { least: 0, most: 2 }]);
const VERBOSE_DOC: &str = "whether it tells what it does: 0 or 1";
const PATIENCE: Kind = Whole { least: 1, most: LARGEST };

/// `solver.learning_rate_reducer`, as Keras' ReduceLROnPlateau, from where its extra keys and their defaults are.
pub static REDUCER: Section = Section {
    what: "a map with the keys `monitor`, `mode`, `patience` and `factor`",
    merges: false,
    keys: &[
        key("monitor", Text, Refused, MONITOR_DOC),
        key("mode", MODE, Refused, MODE_DOC),
        key("patience", PATIENCE, Refused, "epochs without getting better after which the rate is lowered"),
        key("factor", Number(Fraction), Refused, "what the rate is multiplied by"),
        key("min_delta", Number(NotNegative), Default("1e-4"), "the smallest change that counts as better"),
        key("cooldown", Whole { least: 0, most: LARGEST }, Default("0"), "epochs to wait after the rate was lowered"),
        key("min_lr", Number(NotNegative), Default("0.0"), "the rate is not lowered below this"),
        key("verbose", VERBOSE, Default("1"), VERBOSE_DOC),
    ],
};

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

/// What people write, and the key of the same section that is meant, where the spelling does not tell.
pub static SYNONYMS: &[(&str, &str)] = &[
    ("parameters", "params"),
    ("args", "params"),
    ("kwargs", "params"),
    ("config", "params"),
    ("name", "import"),
    ("type", "import"),
    ("class", "import"),
    ("class_name", "import"),
    ("path", "import"),
    ("component", "import"),
    ("lr", "learning_rate"),
    ("weight", "loss_weight"),
    // Keras' former name.
    ("epsilon", "min_delta"),
    ("max_epochs", "epochs"),
    ("num_epochs", "epochs"),
    ("steps_per_epoch", "steps"),
    ("reduce_lr", "learning_rate_reducer"),
    ("gpu", "device"),
    ("num_workers", "workers"),
    ("random_state", "seed"),
    ("architecture", "network"),
    ("early_stopping", "validation_early_stopping"),
    ("val_early_stopping", "validation_early_stopping"),
    ("checkpoint", "best_checkpoint"),
    ("max_to_keep", "keep"),
    ("clipnorm", "norm"),
    ("clipvalue", "value"),
    ("global_clipnorm", "global_norm"),
    ("clip", "gradient_clip"),
    ("gradient_accumulation_steps", "accumulate"),
    ("accumulate_grad_batches", "accumulate"),
    ("use_ema", "ema"),
    ("decay", "momentum"),
    ("ema_momentum", "momentum"),
    ("ema_overwrite_frequency", "overwrite_every"),
    ("save_freq", "checkpoint_every"),
    ("mixed_precision", "precision"),
    ("class_weights", "class_weight"),
    ("hparams", "hyperparameters"),
];

/// What people write, and the path of the key that is meant, where it is in another section.
pub static ELSEWHERE: &[(&str, &str)] = &[
    ("lr", "solver.optimizer.learning_rate"),
    ("schedule", "solver.optimizer.learning_rate"),
    ("scheduler", "solver.optimizer.learning_rate"),
    ("max_epochs", "solver.epochs"),
    ("early_stopping", "services.validation_early_stopping"),
    ("network_params", "model.network.params"),
];

const fn key(name: &'static str, kind: Kind, absent: Absent, doc: &'static str) -> Key {
    Key { name, kind, absent, doc }
}
