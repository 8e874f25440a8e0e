//! The keys of the section `model`.

use super::{IMPORT, IMPORTS, key};
use crate::recipe::schema::Absent::{Default, Nothing, Refused};
use crate::recipe::schema::Bounds::NotNegative;
use crate::recipe::schema::Kind::{Choice, Flag, Free, Map, Maps, Number, OneOf, Text, Texts};
use crate::recipe::schema::Section;

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
