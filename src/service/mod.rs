//! Services: what watches a run and writes about it. They are called in the order of their list.

use std::path::Path;

use crate::error::Result;

/// What a service is told; epochs count from 0, as in Keras.
pub struct Moment<'a> {
    /// The artifact folder.
    pub folder: &'a Path,
    /// The epoch, from 0.
    pub epoch: usize,
    /// Optimizer updates done so far.
    pub step: u64,
    /// Names and values so far: after a batch the running means of the epoch, after an epoch also the
    /// validation values (`val_…`). In the order of the report.
    pub logs: &'a Logs,
    /// What may be changed.
    pub control: &'a mut Control,
    /// The weights, for services that store or look at them.
    pub weights: &'a dyn Weights,
}

/// Log names and values in the order they are reported.
pub type Logs = Vec<(String, f64)>;

/// What a service may change.
#[derive(Clone, Debug, Default)]
pub struct Control {
    /// Why training ends after this epoch (or after this step, when `at_once`); `None` to go on.
    pub stop: Option<String>,
    /// Whether to stop before the epoch is over.
    pub at_once: bool,
    /// The learning rate of the next step, when it is not a schedule's.
    pub learning_rate: f64,
    /// Lines for the person, printed by the progress display.
    pub messages: Vec<String>,
    /// Whether the weights of the best epoch are put back when training ends.
    pub restore: Option<Vec<(String, crate::tensor::Array)>>,
}

/// Read access to the weights and the optimizer's state, by name.
pub trait Weights {
    /// Returns every weight under its Keras name (`hidden/kernel`), in the order of the network.
    fn weights(&self) -> Result<Vec<(String, crate::tensor::Array)>>;

    /// Returns every slot of the optimizer (`hidden/kernel/m`), in the same order.
    fn optimizer_state(&self) -> Result<Vec<(String, crate::tensor::Array)>>;
}

/// Something that watches a run.
pub trait Service: Send {
    /// Returns the name in recipes: `best_checkpoint`.
    fn name(&self) -> &str;

    /// Called before the first epoch, and again when a run is resumed (`moment.epoch` tells where).
    fn on_train_begin(&mut self, moment: &mut Moment) -> Result<()> {
        let _ = moment;
        Ok(())
    }

    /// Called before each epoch.
    fn on_epoch_begin(&mut self, moment: &mut Moment) -> Result<()> {
        let _ = moment;
        Ok(())
    }

    /// Called after each update.
    fn on_batch_end(&mut self, moment: &mut Moment) -> Result<()> {
        let _ = moment;
        Ok(())
    }

    /// Called after each epoch, validation included.
    fn on_epoch_end(&mut self, moment: &mut Moment) -> Result<()> {
        let _ = moment;
        Ok(())
    }

    /// Called after the last epoch.
    fn on_train_end(&mut self, moment: &mut Moment) -> Result<()> {
        let _ = moment;
        Ok(())
    }

    /// Returns what a resumed run needs to go on exactly.
    fn state(&self) -> serde_json::Value {
        serde_json::Value::Null
    }

    /// Takes back what [`Service::state`] gave.
    fn restore(&mut self, state: &serde_json::Value) -> Result<()> {
        let _ = state;
        Ok(())
    }

    /// Returns the log name this service watches, so that it can be checked before training.
    fn monitor(&self) -> Option<&str> {
        None
    }
}
