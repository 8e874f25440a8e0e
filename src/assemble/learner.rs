//! The model of a pipeline: network, losses, optimizer and learning rate of a recipe, without its records.

use std::path::Path;

use crate::artifact;
use crate::assemble::{blame, kernels, model, open};
use crate::dataset::{self, Batch, Dataset};
use crate::error::{Error, Result};
use crate::recipe::{Precision, Recipe};
use crate::record::{DataRecords, Loader, Mode, Name, Record, Records, Value};
use crate::registry::Params;
use crate::script::Host;
use crate::script::batches::model::{Arrays, Learner};
use crate::trainer::{Checkpoints, Parts, Trainer};
use crate::transformer::IdentityTransformer;

/// Makes the model of a recipe.
///
/// # Errors
/// Whatever is wrong with its network, losses, metrics, optimizer and schedule.
pub fn learner(host: &Host, recipe: &Recipe) -> Result<Box<dyn Learner>> {
    recipe.check_spelling()?;
    let seed = recipe.dataset.seed.unwrap_or(0);
    let network = model::network(host, &recipe.model.network, &Params::new())?;
    // Batches come from the pipeline; a trainer without records is not made.
    let records = Records::from_rows(vec![vec![("none".into(), Value::Int(0))]], "a pipeline")?;
    let stations = dataset::Stations {
        loader: std::sync::Arc::new(Elsewhere),
        transformer: std::sync::Arc::new(IdentityTransformer),
        augmentor: None,
    };
    if let Some(output) = recipe.model.outputs.iter().find(|output| output.class_weight.is_balanced()) {
        return Err(Error::recipe(format!("output `{}`: a pipeline has no training records to balance", output.name))
            .hint("give `class_weight` as a map of classes"));
    }
    let parts = Parts {
        weights: network.initialise(seed)?,
        outputs: model::outputs(host, &recipe.model.outputs)?,
        optimizer: model::optimizer(&recipe.solver)?,
        rate: model::rate(host, &recipe.solver.optimizer.learning_rate)?,
        train: Dataset::new(records, stations, Mode::Train, 1, seed, dataset::Options::default())?,
        validation: None,
        services: Vec::new(),
        epochs: 1,
        seed,
        device: open(recipe.solver.device)?,
        kernels: kernels(),
        mixed: recipe.solver.precision == Precision::Bfloat16,
        checkpoints: Checkpoints::default(),
        folder: std::path::PathBuf::new(),
        graph: Vec::new(),
        network,
    };
    let trainer = Trainer::new(parts).map_err(|error| blame::blame(recipe, error))?;
    Ok(Box::new(Stepper { trainer }))
}

/// Stands where a loader has to be.
struct Elsewhere;

impl Loader for Elsewhere {
    fn load(&self, _: &[Record], _: Mode) -> Result<DataRecords> {
        Err(Error::run("the model of a pipeline has no records of its own"))
    }
}

struct Stepper {
    trainer: Trainer,
}

fn batch(x: Arrays, y: Option<Arrays>, w: Option<Arrays>) -> Result<Batch> {
    let len = x.first().map_or(0, |(_, array)| array.len());
    for (name, array) in x.iter().chain(y.iter().flatten()).chain(w.iter().flatten()) {
        if array.rank() == 0 || array.len() != len {
            return Err(Error::data(format!(
                "`{name}`: expected {len} rows, one for each item, found shape {:?}",
                array.shape()
            )));
        }
    }
    Ok(Batch { len, x, y, w, rows: (0..len).collect(), replaced: Vec::new() })
}

impl Learner for Stepper {
    fn train(&mut self, x: Arrays, y: Arrays, w: Option<Arrays>) -> Result<f64> {
        let rate = self.trainer.rate_at(self.trainer.steps())?;
        self.trainer.learn(&batch(x, Some(y), w)?, rate)
    }

    fn predict(&mut self, x: Arrays) -> Result<Arrays> {
        self.trainer.forward(&batch(x, None, None)?)
    }

    fn save(&self, path: &Path) -> Result<()> {
        artifact::weights::save(path, &self.trainer.weights()?)
    }

    fn load(&mut self, path: &Path) -> Result<()> {
        let weights = artifact::weights::load(path)?;
        self.trainer.put_weights(&weights, &path.display().to_string())
    }

    fn names(&self) -> (Vec<Name>, Vec<Name>) {
        let network = self.trainer.network();
        let names = |ports: &[crate::network::Port]| ports.iter().map(|port| port.name.clone()).collect();
        (names(network.inputs()), names(network.outputs()))
    }

    fn steps(&self) -> u64 {
        self.trainer.steps()
    }

    fn summary(&self) -> String {
        self.trainer.network().summary()
    }
}
