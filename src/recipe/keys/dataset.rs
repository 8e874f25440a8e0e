//! The keys of the section `dataset`.

use super::{IMPORT, IMPORTS, key};
use crate::recipe::schema::Absent::{Default, Nothing, Refused};
use crate::recipe::schema::Bounds::Fraction;
use crate::recipe::schema::Kind::{Choice, Flag, Free, Map, Number, OneOf, Text, Whole};
use crate::recipe::schema::{Kind, LARGEST, Section};

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
            "what becomes of records that cannot be loaded or transformed: `stop`, `skip` them, or list them in \
             `quarantine.jsonl` too; other policies than `stop` try each record before training, and put another \
             training record in the place of one that an augmentor fails on, or another batch where it only fails on the \
             records together (ours)",
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
