//! The section `model`, resolved.

use serde_json::{Map, Value, json};

use super::check::Report;
use super::fault;
use super::fields::Fields;
use super::imports::{self, Import};
use super::keys::OUTPUT;
use super::schema::{Absent, Kind};
use super::written::{Entry, Value as Tree};
use crate::error::nearest;

/// The network, and the loss and metrics of each of its outputs.
#[derive(Clone, Debug, PartialEq)]
pub struct Model {
    /// Builds the network.
    pub network: Import,
    /// The network's outputs; at least one, each with another name.
    pub outputs: Vec<Output>,
    /// Weights that training starts from.
    pub pretrained: Option<Pretrained>,
    /// Patterns of the weights that are not trained.
    pub freeze: Vec<String>,
}

/// Weights that training starts from.
#[derive(Clone, Debug, PartialEq)]
pub struct Pretrained {
    /// A file of weights, or the folder of a run.
    pub path: String,
    /// How the file names and lays them out: `keras` or `pytorch`.
    pub layout: String,
    /// Beginnings of names in the file, and what they are in the network.
    pub rename: Vec<(String, String)>,
    /// Patterns of the weights that are taken; all when empty.
    pub only: Vec<String>,
    /// Whether each weight must be found, and each array used.
    pub strict: bool,
    /// Whether arrays of another shape are left out rather than refused.
    pub skip_mismatched: bool,
}

/// What records of a class count in training.
#[derive(Clone, Debug, Default, PartialEq)]
pub enum ClassWeight {
    /// All the same.
    #[default]
    Equal,
    /// At least 0, by the class's index; others count 1.
    Given(Vec<(u32, f64)>),
    /// So that all classes of the training records count alike.
    Balanced,
}

/// An output of the network.
#[derive(Clone, Debug, PartialEq)]
pub struct Output {
    /// Its name in the network.
    pub name: String,
    /// What training makes small.
    pub loss: Import,
    /// The loss's share of the total; at least 0.
    pub loss_weight: f64,
    /// What is reported besides the loss.
    pub metrics: Vec<Import>,
    /// What is reported besides, with sample and class weights.
    pub weighted_metrics: Vec<Import>,
    /// What records of some classes count in training, at least 0, by the class's index.
    pub class_weight: ClassWeight,
    /// Accepted as Keras accepts it.
    pub sample_weight_mode: Option<String>,
}

impl Model {
    pub(super) fn resolve(fields: &Fields, report: &mut Report) -> Self {
        let outputs = fields.maps("outputs");
        check_names(&outputs, report);
        check_weights(&outputs, report);
        Model {
            network: imports::one(fields, "network"),
            outputs: outputs.iter().map(|output| Output::resolve(output, report)).collect(),
            pretrained: fields.map_if_any("pretrained").map(|fields| Pretrained::resolve(&fields, report)),
            freeze: fields.texts("freeze"),
        }
    }

    pub(super) fn to_json(&self) -> Value {
        let mut map = Map::new();
        map.insert("network".to_owned(), self.network.to_json());
        map.insert("outputs".to_owned(), self.outputs.iter().map(Output::to_json).collect());
        map.extend(self.pretrained.as_ref().map(|pretrained| ("pretrained".to_owned(), pretrained.to_json())));
        map.insert("freeze".to_owned(), json!(self.freeze));
        Value::Object(map)
    }
}

impl Pretrained {
    fn resolve(fields: &Fields, report: &mut Report) -> Self {
        let (rename, path) = fields.get("rename");
        for entry in rename.entries() {
            super::check::check(&Kind::Text, Absent::Refused, &entry.node, &path.to(entry), report);
        }
        let pair = |entry: &Entry| Some((entry.key.to_string(), entry.node.text()?.to_owned()));
        Pretrained {
            path: fields.text("path"),
            layout: fields.text("layout"),
            rename: rename.entries().iter().filter_map(pair).collect(),
            only: fields.texts("only"),
            strict: fields.flag("strict"),
            skip_mismatched: fields.flag("skip_mismatched"),
        }
    }

    fn to_json(&self) -> Value {
        let rename = self.rename.iter().map(|(from, to)| (from.clone(), json!(to)));
        json!({
            "path": self.path,
            "layout": self.layout,
            "rename": rename.collect::<Map<_, _>>(),
            "only": self.only,
            "strict": self.strict,
            "skip_mismatched": self.skip_mismatched,
        })
    }
}

impl Output {
    fn resolve(fields: &Fields, report: &mut Report) -> Self {
        Output {
            name: fields.text("name"),
            loss: imports::one(fields, "loss"),
            loss_weight: fields.number("loss_weight"),
            metrics: imports::list(fields, "metrics"),
            weighted_metrics: imports::list(fields, "weighted_metrics"),
            class_weight: ClassWeight::resolve(fields, report),
            sample_weight_mode: fields.text_if_any("sample_weight_mode"),
        }
    }

    fn to_json(&self) -> Value {
        let mut map = Map::new();
        map.insert("name".to_owned(), json!(self.name));
        map.insert("loss".to_owned(), self.loss.to_json());
        map.insert("loss_weight".to_owned(), json!(self.loss_weight));
        map.insert("metrics".to_owned(), imports::all_to_json(&self.metrics));
        map.insert("weighted_metrics".to_owned(), imports::all_to_json(&self.weighted_metrics));
        map.extend(self.class_weight.to_json().map(|own| ("class_weight".to_owned(), own)));
        map.extend(self.sample_weight_mode.as_ref().map(|mode| ("sample_weight_mode".to_owned(), json!(mode))));
        Value::Object(map)
    }
}

impl ClassWeight {
    /// Returns whether the weights follow from the records.
    pub fn is_balanced(&self) -> bool {
        *self == ClassWeight::Balanced
    }

    fn resolve(fields: &Fields, report: &mut Report) -> Self {
        let (node, path) = fields.get("class_weight");
        match &node.value {
            Tree::Map(_) => {}
            Tree::Text(text) if text == BALANCED => return ClassWeight::Balanced,
            // Anything else was refused already.
            _ => return ClassWeight::Equal,
        }
        let given = node.entries();
        let mut weights = Vec::with_capacity(given.len());
        for entry in given {
            match (entry.key.parse(), entry.node.number().filter(|weight| *weight >= 0.0)) {
                (Ok(class), Some(weight)) => weights.push((class, weight)),
                _ => report.faults.push(fault::class_weight(entry, &path)),
            }
        }
        if weights.is_empty() { ClassWeight::Equal } else { ClassWeight::Given(weights) }
    }

    fn to_json(&self) -> Option<Value> {
        match self {
            ClassWeight::Equal => None,
            ClassWeight::Balanced => Some(json!(BALANCED)),
            ClassWeight::Given(weights) => {
                Some(Value::Object(weights.iter().map(|(class, weight)| (class.to_string(), json!(weight))).collect()))
            }
        }
    }
}

/// The word for [`ClassWeight::Balanced`].
const BALANCED: &str = "balanced";

fn check_names(outputs: &[Fields], report: &mut Report) {
    let mut seen = Vec::new();
    for output in outputs {
        let (node, path) = output.get("name");
        let Some(name) = node.text() else { continue };
        match seen.iter().find(|(known, _)| known == name) {
            Some((_, first)) => report.faults.push(fault::same_name(name, first, &node, &path)),
            None => seen.push((name.to_owned(), node.clone().into_owned())),
        }
    }
}

/// With several outputs each says its share, so that no loss weighs by accident.
fn check_weights(outputs: &[Fields], report: &mut Report) {
    if outputs.len() < 2 {
        return;
    }
    for output in outputs.iter().filter(|output| !output.is_given("loss_weight")) {
        // A misspelt key was refused already, and what is no map at all.
        let misspelt =
            |entry: &Entry| OUTPUT.key(&entry.key).is_none() && nearest(&entry.key, ["loss_weight"]).is_some();
        let entries = output.node().entries();
        if !entries.is_empty() && !entries.iter().any(misspelt) {
            report.faults.push(fault::no_loss_weight(output.node(), output.path(), outputs.len()));
        }
    }
}
