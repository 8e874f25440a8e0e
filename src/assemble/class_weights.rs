//! `class_weight: "balanced"`: weights of classes from how often they are among the training records.

use crate::dataset::{self, Batch, Dataset, Stations};
use crate::error::{Error, Result, Subject};
use crate::network::Network;
use crate::recipe::Recipe;
use crate::record::{Mode, Records};
use crate::trainer::{ClassCounts, OutputSpec};

/// Gives the outputs that ask for it weights by which all classes count alike. The training records are loaded and
/// transformed once for it, not augmented; each counts once.
///
/// # Errors
/// Records that cannot be loaded; an output without labels.
pub(super) fn balance(
    recipe: &Recipe,
    outputs: &mut [OutputSpec],
    network: &Network,
    train: &Records,
    stations: &Stations,
    options: &dataset::Options,
) -> Result<()> {
    let balanced =
        |name: &str| recipe.model.outputs.iter().any(|own| own.name == name && own.class_weight.is_balanced());
    let mut asked: Vec<(&mut OutputSpec, usize, ClassCounts)> = Vec::new();
    for output in outputs.iter_mut().filter(|output| balanced(&output.name)) {
        // What is wrong with the name is told by the check of the run.
        let Some(port) = network.outputs().iter().find(|port| port.name == output.name) else { continue };
        asked.push((output, port.shape.len(), ClassCounts::default()));
    }
    if asked.is_empty() {
        return Ok(());
    }
    let stations = Stations { augmentor: None, ..stations.clone() };
    let options = dataset::Options {
        shuffle: false,
        drop_last: false,
        sample_count: None,
        cache: dataset::Cache::Off,
        steps: None,
        balance: None,
        sample_probability: None,
        bucket: None,
        ..options.clone()
    };
    let data = Dataset::new(train.clone(), stations, Mode::Train, recipe.solver.batch_size, 0, options)?;
    let mut epoch = data.epoch(0);
    for at in 0..data.batches() {
        let batch = epoch.batch(at)?;
        let labels =
            batch.y.as_ref().ok_or_else(|| Error::data("the loader gives no outputs").about(Subject::Loader))?;
        for (output, rank, counts) in &mut asked {
            counts.add(Batch::find(labels, "output", &output.name)?, *rank);
        }
    }
    for (output, _, counts) in asked {
        output.class_weights = counts.balanced();
    }
    Ok(())
}
