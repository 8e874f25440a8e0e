//! The keys of the section `solver`.

use super::{MODE, MODE_DOC, MONITOR_DOC, PATIENCE, SCHEDULE, VERBOSE, VERBOSE_DOC, key};
use crate::recipe::schema::Absent::{Default, Nothing, Refused};
use crate::recipe::schema::Bounds::{Fraction, NotNegative, Positive};
use crate::recipe::schema::Kind::{Choice, Flag, Free, Map, Number, OneOf, Text, Whole};
use crate::recipe::schema::{Kind, LARGEST, Section};

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
            "what layers compute in; `bf16` is mixed precision: products of bfloat16 values in dense, convolution, recurrent and attention \
             layers, float32 weights, losses and updates; made for GPUs, slower than `float32` on a CPU (ours)",
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
