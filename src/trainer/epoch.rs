//! One epoch of training steps.

use std::sync::atomic::Ordering;

use super::feed::Fed;
use super::progress::{Progress, Step};
use super::watch::Watch;
use super::{Rate, Trainer, scheduled};
use crate::error::{Error, Result};
use crate::random::{Random, Stream};
use crate::service::{Control, Logs};

impl Trainer {
    /// Runs one epoch; returns whether it was finished, rather than cut short by the stop flag or by a
    /// service that stops at once. `logs` holds all names and the values of the epoch before.
    pub(super) fn train_epoch(
        &mut self,
        logs: &Logs,
        control: &mut Control,
        progress: &mut dyn Progress,
    ) -> Result<bool> {
        let epoch = self.epoch;
        self.watch(epoch, control, progress).tell(logs, |service, moment| service.on_epoch_begin(moment))?;
        let Trainer { setup, variables, writer, meters, stop, step, learning_rate, .. } = self;
        let Some(meters) = meters.as_mut() else {
            return Err(Error::run("the run has not been checked"));
        };
        meters.reset();
        let scheduled_rate = matches!(setup.rate, Rate::Schedule(_));
        let (batches, epochs) = (setup.train.batches(), setup.epochs);
        let mut data = setup.train.epoch(epoch as u64);
        // Reused from step to step: while batches have one shape, a step allocates nothing.
        let (mut read, mut fed, mut next) = (None, Fed::default(), Fed::default());
        let mut ready = false;
        for batch in 0..batches {
            if std::mem::take(&mut ready) {
                std::mem::swap(&mut fed, &mut next);
            } else {
                fed.clear();
                data.batch_into(batch, &mut read)?;
                let Some(read) = &read else { continue };
                fed.fill(&setup.network, read)?;
            }
            let random = Random::new(setup.seed, Stream::Dropout, &[*step]);
            variables.engine.forward(&fed.inputs, fed.len, Some(&random))?;
            // The forward pass is only on its way: reading the loss waits for it, making the next batch does not.
            if variables.engine.works_beside() && batch + 1 < batches {
                next.clear();
                data.batch_into(batch + 1, &mut read)?;
                if let Some(read) = &read {
                    next.fill(&setup.network, read)?;
                    variables.engine.copy_ahead(&next.inputs)?;
                    ready = true;
                }
            }
            let losses = variables.engine.losses(&setup.outputs, &fed.targets)?;
            meters.update(&setup.outputs, &fed, &losses, &variables.engine)?;
            *learning_rate = control.learning_rate;
            variables.update(*learning_rate)?;
            let loss = losses.total;
            *step += 1;
            if let Rate::Schedule(schedule) = &setup.rate {
                control.learning_rate = scheduled(&**schedule, *step)?;
            }
            let logs = meters.logs()?;
            let watch = Watch {
                services: &mut setup.services,
                folder: &setup.folder,
                writer,
                graph: &setup.graph,
                variables,
                epoch,
                step: *step,
                learning_rate: *learning_rate,
                scheduled: scheduled_rate,
                control,
                progress,
            };
            watch.tell(logs, |service, moment| service.on_batch_end(moment))?;
            progress.batch(&Step { epoch, epochs, batch, batches, loss, logs });
            writer.take_saved().iter().for_each(|saved| progress.saved(saved));
            if stop.load(Ordering::Relaxed) || control.at_once {
                return Ok(false);
            }
        }
        Ok(true)
    }
}
