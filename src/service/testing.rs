//! A stage for tests: a folder, a writer, and weights that are one number.

use std::path::Path;

use ndarray::arr1;
use serde_json::Value;

use super::{Control, GraphNode, LIST, Logs, Moment, Service, Weights, gather, restore};
use crate::artifact::layout::Position;
use crate::artifact::weights::Named;
use crate::artifact::{Folder, State, Writer, layout};
use crate::error::Result;
use crate::registry::find;
use crate::tensor::Array;

pub(super) struct Mark(pub f32);

impl Weights for Mark {
    fn weights(&self) -> Result<Named> {
        Ok(vec![("dense/kernel".to_owned(), Array::F32(arr1(&[self.0, self.0 + 1.0]).into_dyn().into_shared()))])
    }

    fn optimizer_state(&self) -> Result<Named> {
        Ok(vec![("dense/kernel/m".to_owned(), Array::F32(arr1(&[-self.0]).into_dyn().into_shared()))])
    }
}

/// Makes a service from its name and parameters.
pub(super) fn service(name: &str, params: Value) -> Result<Box<dyn Service>> {
    find(LIST, "service", name)?.make(params.as_object().unwrap())
}

/// Writes what a trainer writes before the first epoch, as far as it makes the folder one of a run.
pub(super) fn start(folder: &Path) {
    for name in [layout::CONFIG, layout::NETWORK_PARAMS] {
        std::fs::write(folder.join(name), "{}").unwrap();
    }
}

/// A run of services on made-up logs, ten updates an epoch.
pub(super) struct Run<'a> {
    pub folder: &'a Path,
    pub writer: Writer,
    pub control: Control,
    pub graph: Vec<GraphNode>,
    pub services: Vec<Box<dyn Service>>,
}

impl<'a> Run<'a> {
    pub(super) fn new(folder: &'a Path, services: Vec<Box<dyn Service>>) -> Self {
        let control = Control { learning_rate: 0.1, ..Control::default() };
        Run { folder, writer: Writer::new(), control, graph: Vec::new(), services }
    }

    /// Tells every service.
    pub(super) fn each(
        &mut self,
        weights: &dyn Weights,
        epoch: usize,
        step: u64,
        logs: &Logs,
        call: impl Fn(&mut dyn Service, &mut Moment) -> Result<()>,
    ) -> Result<()> {
        for service in &mut self.services {
            let mut moment = Moment {
                folder: self.folder,
                writer: &self.writer,
                epoch,
                batches: step - 10 * epoch as u64,
                step,
                learning_rate: self.control.learning_rate,
                logs,
                graph: &self.graph,
                control: &mut self.control,
                weights,
            };
            call(service.as_mut(), &mut moment)?;
        }
        Ok(())
    }

    /// Runs epochs as a trainer does; goes on from the folder's newest checkpoint when it has one. Ends without
    /// the end of training, as if killed, when `killed`.
    pub(super) fn train(&mut self, epochs: usize, logs: fn(usize) -> Logs, killed: bool) -> Result<()> {
        let mut first = 0;
        if self.folder.join(layout::CONFIG).exists()
            && let Some(checkpoint) = Folder::open(self.folder)?.latest_checkpoint()?.0
        {
            restore(&mut self.services, &checkpoint)?;
            first = checkpoint.state.epoch;
            self.control.learning_rate = checkpoint.state.learning_rate;
        }
        let names = logs(0).into_iter().map(|(name, _)| (name, f64::NAN)).collect();
        self.each(&Mark(0.0), first, 10 * first as u64, &names, |service, moment| service.on_train_begin(moment))?;
        let mut last = first;
        for epoch in first..epochs {
            if self.control.stop.is_some() {
                break;
            }
            self.epoch(&Mark(epoch as f32), epoch, &logs(epoch))?;
            last = epoch;
        }
        if !killed {
            let (step, logs) = (10 * (last as u64 + 1), logs(last));
            self.each(&Mark(last as f32), last, step, &logs, |service, moment| service.on_train_end(moment))?;
        }
        self.writer.flush()
    }

    /// Runs one epoch.
    pub(super) fn epoch(&mut self, weights: &dyn Weights, epoch: usize, logs: &Logs) -> Result<()> {
        for batch in 1..=10 {
            let step = 10 * epoch as u64 + batch;
            self.each(weights, epoch, step, logs, |service, moment| service.on_batch_end(moment))?;
        }
        let step = 10 * (epoch as u64 + 1);
        self.each(weights, epoch, step, logs, |service, moment| service.on_epoch_end(moment))?;
        let state = State::new(Position::after(epoch + 1), step, 7, self.control.learning_rate);
        let gathered = gather(&self.services, state)?;
        self.each(weights, epoch, step, logs, |service, moment| service.on_checkpoint(moment, &gathered))
    }
}
