//! A function for each item of a batch: `batch.parallel` and `batch.apply`.

mod apply;
mod parallel;
mod work;

pub use apply::apply;
pub use parallel::parallel;

use crate::error::{Error, codes};
use crate::pipeline::Id;

/// What went wrong with one item, as a value among the results.
#[derive(Clone)]
pub struct Failure {
    /// What was raised, with its place.
    pub error: Error,
    /// The item.
    pub id: Option<Id>,
}

impl Failure {
    /// Returns the error with the item it is about.
    pub fn told(&self) -> Error {
        match &self.id {
            Some(id) => self.error.clone().within(format!("item `{id}`")),
            None => self.error.clone(),
        }
    }
}

/// Returns the first failure, with how many there are more.
fn failed<'a>(failures: impl Iterator<Item = &'a Failure>) -> Option<Error> {
    let all: Vec<&Failure> = failures.collect();
    let error = all.first()?.told();
    Some(match all.len() {
        1 => error,
        2 => error.hint("one more item failed"),
        count => error.hint(format!("{} more items failed", count - 1)),
    })
}

/// Returns the error by which a batch is left out of a run.
pub fn skip() -> Error {
    Error::script("`skip_batch` was called outside of a pipeline")
        .coded(codes::SKIP_BATCH)
        .hint("it leaves a batch out of a pipeline's run: call it in an action, or in `exec`")
}

/// Returns the error by which a run ends.
pub fn stop() -> Error {
    Error::script("`stop_pipeline` was called outside of a pipeline")
        .coded(codes::STOP_PIPELINE)
        .hint("it ends a pipeline's run: call it in an action, or in `exec`")
}
