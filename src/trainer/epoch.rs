//! One epoch of training steps.

use std::sync::atomic::Ordering;
use std::time::Duration;

use super::blame::{self, Earlier};
use super::feed::Fed;
use super::parts::Checkpoints;
use super::progress::{Progress, Step};
use super::watch::Watch;
use super::{Rate, Trainer, Within, scheduled};
use crate::artifact::layout::Position;
use crate::error::{Error, Result};
use crate::random::{Random, Stream};
use crate::service::{Control, Logs, clock};

impl Trainer {
    /// Runs one epoch, or the rest of it; returns whether it was finished, rather than cut short by the stop flag or by
    /// a service that stops at once. `logs` holds all names and the values of the epoch before.
    pub(super) fn train_epoch(
        &mut self,
        logs: &Logs,
        control: &mut Control,
        progress: &mut dyn Progress,
    ) -> Result<bool> {
        let epoch = self.epoch;
        let resumed = self.within.take();
        if resumed.is_none() {
            self.watch(epoch, control, progress).tell(logs, |service, moment| service.on_epoch_begin(moment))?;
        }
        let Trainer { setup, variables, writer, meters, stop, step, learning_rate, done, .. } = self;
        let Some(meters) = meters.as_mut() else {
            return Err(Error::run("the run has not been checked"));
        };
        meters.reset();
        let mut first = 0;
        if let Some(Within { batches, fields, arrays }) = resumed {
            meters.restore(&fields, &arrays)?;
            first = batches as usize;
        }
        *done = first as u64;
        let scheduled_rate = matches!(setup.rate, Rate::Schedule(_));
        let (batches, epochs) = (setup.train.batches(), setup.epochs);
        let mut data = setup.train.epoch(epoch as u64);
        let mut due = Due::new(setup.checkpoints);
        let mut earlier = Earlier::default();
        // Reused from step to step: while batches have one shape, a step allocates nothing.
        let (mut read, mut fed) = (None, Fed::default());
        let (mut read_next, mut next, mut ready) = (None, Fed::default(), false);
        for batch in first..batches {
            if std::mem::take(&mut ready) {
                std::mem::swap(&mut read, &mut read_next);
                std::mem::swap(&mut fed, &mut next);
            } else {
                fed.clear();
                data.batch_into(batch, &mut read)?;
                let Some(records) = &read else { continue };
                fed.fill(&setup.network, records)?;
                fed.weigh(&setup.network, &setup.outputs)?;
            }
            let Some(records) = &read else { continue };
            let random = Random::new(setup.seed, Stream::Dropout, &[*step]);
            variables.engine.forward(&fed.inputs, fed.len, Some(&random))?;
            // The forward pass is only on its way: reading the loss waits for it, making the next batch does not.
            if variables.engine.works_beside() && batch + 1 < batches {
                next.clear();
                data.batch_into(batch + 1, &mut read_next)?;
                if let Some(records) = &read_next {
                    next.fill(&setup.network, records)?;
                    next.weigh(&setup.network, &setup.outputs)?;
                    variables.engine.copy_ahead(&next.inputs)?;
                    ready = true;
                }
            }
            let losses = variables.engine.losses(&setup.outputs, &fed.targets)?;
            if !losses.total.is_finite() && control.details.is_empty() {
                let found =
                    blame::Seen { batch: records, fed: &fed, losses: &losses, random: &random, step: *step + 1 };
                control.details =
                    blame::explain(&setup.outputs, &setup.train, &mut variables.engine, &found, &earlier)?;
            }
            meters.update(&setup.outputs, &fed, &losses, &variables.engine)?;
            *learning_rate = control.learning_rate;
            variables.update(*learning_rate)?;
            let loss = losses.total;
            *step += 1;
            if let Rate::Schedule(schedule) = &setup.rate {
                control.learning_rate = scheduled(&**schedule, *step)?;
            }
            meters.logs()?;
            let meters = &*meters;
            let position = Position { epochs: epoch, batches: batch as u64 + 1 };
            let mut watch = Watch {
                services: &mut setup.services,
                folder: &setup.folder,
                writer,
                graph: &setup.graph,
                variables,
                epoch,
                batches: position.batches,
                step: *step,
                learning_rate: *learning_rate,
                scheduled: scheduled_rate,
                control: &mut *control,
                progress: &mut *progress,
            };
            watch.tell(meters.latest(), |service, moment| service.on_batch_end(moment))?;
            watch.progress.batch(&Step { epoch, epochs, batch, batches, loss, logs: meters.latest() });
            writer.take_saved().iter().for_each(|saved| watch.progress.saved(saved));
            *done = position.batches;
            if stop.load(Ordering::Relaxed) || watch.control.at_once {
                return Ok(false);
            }
            if due.now(*step, batch + 1 == batches) {
                watch.checkpoint(meters.latest(), setup.seed, position, Some(meters))?;
            }
            earlier.rows.clear();
            earlier.rows.extend_from_slice(&records.rows);
        }
        Ok(true)
    }
}

impl Trainer {
    /// Remembers where an epoch was cut short, and offers a checkpoint of it where the run is to be gone on with.
    pub(super) fn pause(
        &mut self,
        logs: &Logs,
        control: &mut Control,
        progress: &mut dyn Progress,
        goes_on: bool,
    ) -> Result<()> {
        let position = Position { epochs: self.epoch, batches: self.done };
        if self.done == 0 {
            return Ok(());
        }
        let Some(meters) = self.meters.take() else { return Ok(()) };
        let (fields, arrays) = meters.state()?;
        self.within = Some(Within { batches: self.done, fields, arrays });
        let (epoch, seed) = (self.epoch, self.setup.seed);
        if goes_on && self.setup.checkpoints.stop {
            self.watch(epoch, control, progress).checkpoint(logs, seed, position, Some(&meters))?;
        }
        self.meters = Some(meters);
        Ok(())
    }
}

/// When the next checkpoint within an epoch is due.
struct Due {
    every: Checkpoints,
    /// When the latest was written; asked for only where minutes count.
    latest: Option<Duration>,
}

impl Due {
    /// Begins an epoch: a checkpoint was just written, or the run begins.
    fn new(every: Checkpoints) -> Self {
        Due { every, latest: every.minutes.map(|_| clock::now()) }
    }

    /// Returns whether a checkpoint is due after a step; none is at the end of an epoch, which has its own.
    fn now(&mut self, step: u64, last: bool) -> bool {
        if last {
            return false;
        }
        let counted = self.every.steps.is_some_and(|steps| step.is_multiple_of(steps.max(1)));
        let long_ago = match (self.every.minutes, self.latest) {
            (Some(minutes), Some(latest)) => clock::now().saturating_sub(latest).as_secs_f64() >= minutes * 60.0,
            _ => false,
        };
        if (counted || long_ago) && self.latest.is_some() {
            self.latest = Some(clock::now());
        }
        counted || long_ago
    }
}
