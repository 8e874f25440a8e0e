//! How the stations of a run are run: found out on its records, without a step of training.

use std::path::Path;

use crate::assemble::run::{Fitted, assemble};
use crate::error::Result;
use crate::script::vectorise::Report;
use crate::script::{Host, Wanted};

/// Makes the first batch of the training and of the validation records, and returns how each station was run.
///
/// # Errors
/// Whatever stops the run before its first batches.
pub fn explain(host: &Host, wanted: &Wanted) -> Result<Vec<Report>> {
    let mut recipe = wanted.recipe.clone();
    recipe.dataset.seed.get_or_insert(0);
    let run = assemble(host, &recipe, Fitted::Afresh, wanted.train, wanted.validation, Path::new("artifacts"))?;
    run.trainer.train_data().epoch(0).batch(0)?;
    if let Some(data) = run.trainer.validation_data() {
        data.epoch(0).batch(0)?;
    }
    Ok(host.functions())
}
