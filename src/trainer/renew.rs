//! Parts of a run that are exchanged between two epochs, such as scripts that were edited meanwhile.

use serde_json::{Value, json};

use super::progress::Progress;
use super::{Rate, Trainer};
use crate::error::{self, Error, Result};
use crate::network::Network;
use crate::service::{Control, Logs};

/// Looks for new parts of a run between its epochs.
pub trait Renewal: Send {
    /// Returns a run with new parts, checked on its first batch; `None` when nothing has changed since the last look. An
    /// error is what is wrong with the new parts: it is shown, and the run goes on with those it has.
    fn look(&mut self) -> Option<Result<Trainer>>;

    /// Keeps what was taken over before the epoch of this number, from 0; returns what it was, with its hashes, as
    /// name and text.
    ///
    /// # Errors
    /// What cannot be kept ends the run.
    fn taken(&mut self, epoch: usize) -> Result<Vec<(String, String)>>;

    /// Returns what was refused, as [`Renewal::taken`] does.
    fn refused(&self) -> Vec<(String, String)>;
}

impl Trainer {
    /// Looks for new parts before each epoch but the first.
    pub fn set_renewal(&mut self, renewal: Box<dyn Renewal>) {
        self.renewal = Some(renewal);
    }

    /// Takes over stations, losses, metrics and schedule of a run of the same network, which was checked. Weights,
    /// optimizer, services and position stay.
    ///
    /// # Errors
    /// A run of another network; then nothing is changed.
    pub fn renew(&mut self, fresh: Trainer) -> Result<()> {
        check_network(&self.setup.network, &fresh.setup.network)?;
        let (meters, validation_meters) = (fresh.meters, fresh.validation_meters);
        let names = |one: &Option<super::Meters>, other: &Option<super::Meters>| {
            one.iter().chain(other).flat_map(|meters| meters.names().map(str::to_owned)).collect::<Vec<_>>()
        };
        if self.checked && names(&self.meters, &self.validation_meters) != names(&meters, &validation_meters) {
            return Err(Error::recipe("losses and metrics would be reported under other names")
                .hint("the report of a run has the same columns from its first epoch to its last"));
        }
        let setup = &mut self.setup;
        (setup.outputs, setup.train, setup.validation) =
            (fresh.setup.outputs, fresh.setup.train, fresh.setup.validation);
        if matches!(setup.rate, Rate::Schedule(_)) {
            setup.rate = fresh.setup.rate;
        }
        (self.meters, self.validation_meters, self.checked) = (meters, validation_meters, fresh.checked);
        Ok(())
    }

    /// Looks for new parts and takes them over, or says why not.
    pub(super) fn look_for_changes(
        &mut self,
        logs: &Logs,
        control: &mut Control,
        progress: &mut dyn Progress,
    ) -> Result<()> {
        let Some(mut renewal) = self.renewal.take() else { return Ok(()) };
        let epoch = self.epoch;
        if let Some(found) = renewal.look() {
            // What a resumed run goes on from must be on the disk before the scripts beside it change.
            self.writer.flush()?;
            let about = match found.and_then(|fresh| self.renew(fresh)) {
                Ok(()) => {
                    let parts = renewal.taken(epoch)?;
                    for (name, hash) in &parts {
                        progress.message(&format!(
                            "`{name}` was changed: in effect from epoch {} on (sha256 {hash})",
                            epoch + 1
                        ));
                    }
                    json!({ "taken": true, "epoch": epoch, "step": self.step, "scripts": map(parts) })
                }
                Err(error) => {
                    let parts = renewal.refused();
                    let list = error::list(parts.iter().map(|(name, _)| name.as_str()));
                    progress.message(&format!(
                        "{}\n{list} refused: the run goes on with what it has",
                        error::draw(&error, false).trim_end()
                    ));
                    let (step, message) = (self.step, error.message());
                    json!({ "taken": false, "epoch": epoch, "step": step, "scripts": map(parts), "error": message })
                }
            };
            self.watch(epoch, control, progress).tell(logs, |service, moment| service.on_change(moment, &about))?;
        }
        self.renewal = Some(renewal);
        Ok(())
    }
}

fn map(parts: Vec<(String, String)>) -> Value {
    Value::Object(parts.into_iter().map(|(name, hash)| (name, Value::from(hash))).collect())
}

/// Weights go on only in the network that they were trained in.
fn check_network(old: &Network, new: &Network) -> Result<()> {
    let layers = |network: &Network| {
        let layers = network.layers().into_iter();
        layers.map(|layer| (layer.name.to_string(), layer.kind, layer.shape, layer.inputs)).collect::<Vec<_>>()
    };
    let (old_layers, new_layers) = (layers(old), layers(new));
    let weights = |network: &Network| {
        let infos = network.weights().iter();
        infos.map(|info| (info.name.to_string(), info.shape.clone(), info.trainable)).collect::<Vec<_>>()
    };
    if old_layers == new_layers && weights(old) == weights(new) {
        return Ok(());
    }
    let odd = new_layers.iter().zip(&old_layers).find(|(new, old)| new != old).map(|(new, _)| new.0.clone());
    let error = Error::recipe("the network would be another one, which cannot take over the weights of the run");
    Err(error
        .maybe_hint(odd.map(|name| format!("the first layer that differs is `{name}`")))
        .hint("start a new run for another network"))
}
