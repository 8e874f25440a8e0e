//! Recipes: a config as written, then as resolved.
//!
//! [`Written`] is the text as a tree with places; [`Recipe`] is the same with every default filled in, typed
//! and checked. Nothing is built here: imports are names, and whether they exist is told by who looks them
//! up. Every key stands in one table ([`keys`]); what the table cannot say stands beside the section's type.
//!
//! ```
//! use barrage::recipe::{Recipe, Written};
//!
//! let written = Written::from_json("config.json", r#"{
//!     // comments are welcome
//!     "dataset": {"loader": {"import": "KeySelector", "params": {"inputs": {"x": "a"}, "outputs": {"y": "b"}}}},
//!     "model": {
//!         "network": {"import": "networks.small"},
//!         "outputs": [{"name": "y", "loss": {"import": "mean_squared_error"}}],
//!     },
//! }"#)?;
//! let (recipe, notes) = Recipe::resolve(&written)?;
//! assert_eq!(recipe.solver.epochs, 50);
//! assert!(notes.is_empty());
//! # Ok::<(), barrage::Error>(())
//! ```

mod extends;
mod overrides;
mod read;
mod written;

pub mod keys;
pub mod schema;

mod check;
mod fault;
mod path;

pub mod imports;
mod locate;

mod dataset;
mod fields;
mod model;
mod monitor;
mod services;
mod solver;

mod json_schema;
mod origin;

#[cfg(test)]
mod tests;

use std::borrow::Cow;

use serde_json::{Map, Value, json};

pub use dataset::{Cache, Dataset, Limit, OnError};
pub use imports::Import;
pub use json_schema::json_schema;
pub use model::{ClassWeight, Model, Output, Pretrained};
pub use monitor::Better;
pub use overrides::check_override;
pub use read::Format;
pub use services::{BestCheckpoint, EarlyStopping, Services, TensorBoard, UpdateFreq};
pub use solver::{CheckpointEvery, Clip, Device, Ema, Optimizer, Precision, Rate, Reducer, Solver};
pub use written::{Entry, Node, Value as WrittenValue, Written};

use crate::error::{Error, Place, Result};
use check::Report;
use fields::Fields;
use path::KeyPath;
use schema::{Absent, Kind};

/// A resolved config: checked, typed, with every default filled in.
#[derive(Clone, Debug, PartialEq)]
pub struct Recipe {
    /// How records are loaded, transformed and augmented.
    pub dataset: Dataset,
    /// The network, and the loss and metrics of each of its outputs.
    pub model: Model,
    /// How the weights are found.
    pub solver: Solver,
    /// What watches the run.
    pub services: Services,
    /// Anything that scripts want to read.
    pub data: Map<String, Value>,
    /// What `make_data_loaders` gets as `hparams`.
    pub hyperparameters: Map<String, Value>,
    /// Where all this was written.
    pub origin: Origin,
}

/// The config a recipe was resolved from. Equal to any other: places do not change what a recipe means.
#[derive(Clone, Debug)]
pub struct Origin(Node);

impl PartialEq for Origin {
    fn eq(&self, _: &Self) -> bool {
        true
    }
}

impl Recipe {
    /// Returns the recipe of a config, and notes about what was read otherwise than written (a monitor of
    /// the wrong split, a key without effect).
    ///
    /// Imports are not looked up.
    ///
    /// # Errors
    /// Everything that is wrong, at once: unknown and missing keys, values of a wrong type or out of range,
    /// and keys that exclude each other, each with its place.
    pub fn resolve(written: &Written) -> Result<(Self, Vec<String>)> {
        let mut report = Report::default();
        check::check(&Kind::Map(&keys::ROOT), Absent::Refused, &written.root, &KeyPath::top(), &mut report);
        if let Some(extends) = written.root.entry("extends").filter(|extends| extends.node.text().is_some()) {
            // Reading a file takes the key away.
            report.faults.push(fault::not_in_a_file(extends));
        }
        let fields = Fields::new(&keys::ROOT, Cow::Borrowed(&written.root), KeyPath::top());
        let recipe = Recipe {
            dataset: Dataset::resolve(&fields.map("dataset")),
            model: Model::resolve(&fields.map("model"), &mut report),
            solver: Solver::resolve(&fields.map("solver"), &mut report),
            services: Services::resolve(&fields.map("services"), &mut report),
            data: fields.get("data").0.to_map(),
            hyperparameters: fields.get("hyperparameters").0.to_map(),
            origin: Origin(written.root.clone()),
        };
        if let Some(entry) = fields.map("solver").node().entry("checkpoint_every")
            && !recipe.services.resume_checkpoints
        {
            report.faults.push(fault::nothing_to_resume(entry));
        }
        let notes = std::mem::take(&mut report.notes);
        match report.into_error() {
            Some(error) => Err(error),
            None => Ok((recipe, notes)),
        }
    }

    /// Returns the config with every default filled in, in the order of the table of keys; what has no
    /// default and was left out stays out, what is switched off is `false`. Resolving it gives an equal
    /// recipe.
    pub fn to_json(&self) -> Value {
        json!({
            "dataset": self.dataset.to_json(),
            "model": self.model.to_json(),
            "solver": self.solver.to_json(),
            "services": self.services.to_json(),
            "data": self.data,
            "hyperparameters": self.hyperparameters,
        })
    }

    /// Returns where the value at a path of keys stands (`services.best_checkpoint.monitor`), if it was given.
    pub fn place(&self, path: &str) -> Option<Place> {
        self.origin.0.at(path).and_then(Node::mark)
    }

    /// Returns every component that the recipe names, in the order of the config.
    pub fn imports(&self) -> Vec<&Import> {
        let mut imports = vec![&self.dataset.loader, &self.dataset.transformer];
        imports.extend(&self.dataset.augmentor);
        imports.push(&self.model.network);
        for output in &self.model.outputs {
            imports.push(&output.loss);
            imports.extend(&output.metrics);
            imports.extend(&output.weighted_metrics);
        }
        imports.push(&self.solver.optimizer.import);
        if let Rate::Schedule(schedule) = &self.solver.optimizer.learning_rate {
            imports.push(schedule);
        }
        imports.extend(&self.services.callbacks);
        imports
    }

    /// Checks that no import is a path of Python; part of looking imports up, and of nothing before it.
    ///
    /// # Errors
    /// All such paths at once, each with the name to write instead.
    pub fn check_spelling(&self) -> Result<()> {
        let errors = self.imports().into_iter().filter_map(imports::refuse_keras).collect();
        match Error::join(errors) {
            Some(error) => Err(error),
            None => Ok(()),
        }
    }
}
