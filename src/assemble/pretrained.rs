//! Weights before the first step: drawn, or taken from a file; and those that are not trained.

use std::path::{Path, PathBuf};
use std::sync::Arc;

use crate::artifact::weights::{self, Named, arrange};
use crate::artifact::{Folder, layout};
use crate::assemble::blame;
use crate::error::Result;
use crate::network::Network;
use crate::network::transfer::{Layout, Wanted};
use crate::recipe::{Pretrained, Recipe};
use crate::script::Host;
use crate::tensor::Array;

/// Returns the network with its frozen weights, and a note about them.
///
/// # Errors
/// A pattern that means no weight; nothing left to train.
pub fn freeze(recipe: &Recipe, network: Arc<Network>) -> Result<(Arc<Network>, Option<String>)> {
    let patterns = &recipe.model.freeze;
    if patterns.is_empty() {
        return Ok((network, None));
    }
    let frozen = network.frozen(patterns).map_err(|error| blame::key(recipe, error, "model.freeze"));
    let (network, count) = frozen?;
    let trained = network.weights().iter().filter(|weight| weight.trainable).count();
    Ok((Arc::new(network), Some(format!("{count} weights are frozen, {trained} are trained"))))
}

/// Returns the weights that training starts from, and what was taken from a file.
///
/// # Errors
/// A file that is missing or damaged, or whose arrays do not fit.
pub fn start(host: &Host, recipe: &Recipe, network: &Network, seed: u64) -> Result<(Vec<Array>, Option<String>)> {
    let mut values = network.initialise(seed)?;
    let Some(pretrained) = &recipe.model.pretrained else { return Ok((values, None)) };
    let at = |error| blame::key(recipe, error, "model.pretrained.path");
    let file = find(host, &pretrained.path).map_err(at)?;
    let report = weights::load(&file)
        .and_then(|named| network.load(&mut values, named, &wanted(pretrained), &pretrained.path))
        .map_err(at)?;
    Ok((values, Some(format!("loaded from `{}`: {report}", pretrained.path))))
}

/// Returns the weights that a run was started from, which its folder keeps.
///
/// # Errors
/// A file that is missing or damaged.
pub fn restart(recipe: &Recipe, network: &Network, seed: u64, run: &Path) -> Result<Vec<Array>> {
    match recipe.model.pretrained {
        None => network.initialise(seed),
        Some(_) => {
            let infos = network.weights().iter();
            let expected: Vec<_> = infos.map(|info| (info.name.to_string(), info.shape.clone())).collect();
            arrange(weights::load(&run.join(layout::INITIAL))?, &expected, layout::INITIAL)
        }
    }
}

/// Keeps the weights that a run starts from, where they cannot be drawn again.
///
/// # Errors
/// Whatever the disk says.
pub fn keep(recipe: &Recipe, weights: &Named, file: &Path) -> Result<()> {
    match recipe.model.pretrained {
        None => Ok(()),
        Some(_) => weights::save(file, weights),
    }
}

fn wanted(pretrained: &Pretrained) -> Wanted {
    Wanted {
        layout: Layout::parse(&pretrained.layout).unwrap_or(Layout::Keras),
        rename: pretrained.rename.clone(),
        only: pretrained.only.clone(),
        strict: pretrained.strict,
        skip_mismatched: pretrained.skip_mismatched,
    }
}

/// The file of a path in a recipe: itself, that of a checkpoint, or that of a run's best weights.
fn find(host: &Host, path: &str) -> Result<PathBuf> {
    let found = host.roots().readable(path)?;
    if !found.is_dir() {
        return Ok(found);
    }
    let own = found.join(layout::MODEL);
    match own.exists() {
        true => Ok(own),
        false => Ok(Folder::open(found)?.join(layout::BEST_CHECKPOINT).join(layout::MODEL)),
    }
}
