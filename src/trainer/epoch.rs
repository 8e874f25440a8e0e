//! One epoch of training steps.

use std::sync::atomic::Ordering;

use super::feed::feed;
use super::progress::{Progress, Step};
use super::step::forward;
use super::watch::Watch;
use super::{Rate, Trainer, scheduled};
use crate::error::{Error, Result};
use crate::service::{Control, Logs};

impl Trainer {
    /// Runs one epoch; returns the learning rate of its last step, or `None` when it was cut short by
    /// the stop flag or by a service that stops at once. An epoch cut short is not reported.
    pub(super) fn train_epoch(&mut self, control: &mut Control, progress: &mut dyn Progress) -> Result<Option<f64>> {
        let (epoch, nothing) = (self.epoch, Logs::new());
        self.watch(control, progress).tell(epoch, &nothing, |service, moment| service.on_epoch_begin(moment))?;
        let Trainer { parts, variables, meters, stop, step, .. } = self;
        let Some(meters) = meters.as_mut() else {
            return Err(Error::run("the run has not been checked"));
        };
        meters.reset();
        let scheduled_rate = matches!(parts.rate, Rate::Schedule(_));
        let (batches, epochs) = (parts.train.batches(), parts.epochs);
        let mut data = parts.train.epoch(epoch as u64);
        let mut rate = control.learning_rate;
        for batch in 0..batches {
            let fed = feed(&parts.network, &data.batch(batch)?, &parts.device)?;
            let losses = forward(&parts.network, &parts.outputs, variables.tracked(), &fed, true, parts.seed, *step)?;
            let gradients = losses.graph.backward()?;
            rate = control.learning_rate;
            variables.update(*step + 1, rate, &*parts.optimizer, parts.clip, &gradients)?;
            meters.update(&parts.outputs, &fed, &losses)?;
            let loss = losses.total;
            variables.store(losses.updates)?;
            *step += 1;
            if let Rate::Schedule(schedule) = &parts.rate {
                control.learning_rate = scheduled(&**schedule, *step)?;
            }
            let logs = meters.logs()?;
            let watch = Watch {
                services: &mut parts.services,
                folder: &parts.folder,
                variables,
                step: *step,
                scheduled: scheduled_rate,
                control,
                progress,
            };
            watch.tell(epoch, logs, |service, moment| service.on_batch_end(moment))?;
            progress.batch(&Step { epoch, epochs, batch, batches, loss, logs });
            if stop.load(Ordering::Relaxed) || control.at_once {
                return Ok(None);
            }
        }
        Ok(Some(rate))
    }
}
