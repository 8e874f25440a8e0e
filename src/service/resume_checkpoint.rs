//! Writes a checkpoint after every epoch, and within epochs where asked, from which a killed run goes on exactly.

use crate::artifact::{Checkpoint, checkpoint, layout};
use crate::error::Result;
use crate::registry::{Entry, Parameter, Type};
use crate::service::{Gathered, Moment, Service};

/// Writes `resume_checkpoints/epoch_0001/` … after every epoch; all stay unless `keep` says how many. Of those within
/// an epoch, `epoch_0001_batch_000020`, only the newest stays, until the epoch's end.
#[derive(Clone, Debug, Default)]
pub struct ResumeCheckpoint {
    keep: Option<usize>,
}

pub(super) const ENTRY: Entry<dyn Service> = Entry {
    name: "resume_checkpoint",
    aliases: &["ResumeCheckpoint"],
    doc: "Writes a checkpoint after every epoch, from which a killed run goes on exactly.",
    parameters: &[Parameter::optional(
        "keep",
        Type::Int,
        "null",
        "how many of the newest checkpoints of epochs stay, at least 1; null keeps all",
    )],
    build: |arguments| {
        let keep = match arguments.is_null("keep") {
            true => None,
            false => Some(arguments.at_least("keep", 1)?),
        };
        Ok(Box::new(ResumeCheckpoint { keep }))
    },
};

impl ResumeCheckpoint {
    /// Creates the service; `keep` is how many of the newest checkpoints stay (all when `None`).
    pub fn new(keep: Option<usize>) -> Self {
        ResumeCheckpoint { keep }
    }
}

impl Service for ResumeCheckpoint {
    fn name(&self) -> &str {
        ENTRY.name
    }

    /// A run that goes on from an earlier checkpoint makes the later ones anew.
    fn on_train_begin(&mut self, moment: &mut Moment) -> Result<()> {
        checkpoint::remove_after(&moment.folder.join(layout::RESUME_CHECKPOINTS), moment.start())
    }

    fn on_checkpoint(&mut self, moment: &mut Moment, gathered: &Gathered) -> Result<()> {
        let checkpoint = Checkpoint {
            weights: moment.weights.weights()?,
            optimizer: moment.weights.optimizer_state()?,
            services: gathered.services.clone(),
            metrics: gathered.metrics.clone(),
            state: gathered.state.clone(),
        };
        moment.writer.checkpoint(&moment.folder.join(layout::RESUME_CHECKPOINTS), checkpoint, self.keep)
    }
}
