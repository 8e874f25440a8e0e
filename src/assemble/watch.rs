//! Scripts of a run that are edited while it goes on: compiled, checked on a batch, taken over between two epochs.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::time::Duration;

use crate::artifact::layout;
use crate::assemble::provenance::{self, hash};
use crate::assemble::run::{Fitted, assemble};
use crate::error::Result;
use crate::recipe::Recipe;
use crate::record::Records;
use crate::registry::Params;
use crate::script::Host;
use crate::trainer::{Renewal, Trainer};

/// A file that was the same for this long is written.
const SETTLE: Duration = Duration::from_millis(50);
/// A file that changes all the time is taken as it is after so many looks.
const SETTLE_TIMES: usize = 20;

/// Looks at the scripts of one run.
pub struct Watch {
    host: Host,
    recipe: Recipe,
    train: Records,
    validation: Records,
    folder: PathBuf,
    network_params: Params,
    /// The scripts as they were at the last look: name and hash of each file.
    seen: BTreeMap<PathBuf, (String, Option<String>)>,
    /// What the last look found: the host that compiled it, and the files that changed.
    fresh: Option<Host>,
    changed: Vec<(String, String)>,
}

impl Watch {
    /// Looks at the scripts of a run that is about to start; `host` has compiled them.
    pub fn new(
        host: &Host,
        recipe: &Recipe,
        (train, validation): (&Records, &Records),
        folder: &Path,
        network_params: &Params,
    ) -> Self {
        Watch {
            host: host.clone(),
            recipe: recipe.clone(),
            train: train.clone(),
            validation: validation.clone(),
            folder: folder.to_owned(),
            network_params: network_params.clone(),
            seen: files(host),
            fresh: None,
            changed: Vec::new(),
        }
    }

    /// Makes the run once more of the scripts as they are now, with the transformer as it was fitted.
    fn renewed(&mut self) -> Result<Trainer> {
        let host = self.host.again()?;
        let fitted = self.folder.join(layout::DATASET);
        let from = Fitted::From(&fitted, &self.network_params);
        let mut run = assemble(&host, &self.recipe, from, &self.train, &self.validation, &self.folder)?;
        run.check(&self.recipe)?;
        self.fresh = Some(host);
        Ok(run.trainer)
    }
}

/// Returns the scripts that a host has read from files, with their hashes.
fn files(host: &Host) -> BTreeMap<PathBuf, (String, Option<String>)> {
    let scripts = host.sources().all().into_iter();
    scripts
        .filter_map(|script| Some((script.file?, (script.label.to_string(), Some(hash(script.text.as_bytes()))))))
        .collect()
}

impl Renewal for Watch {
    fn look(&mut self) -> Option<Result<Trainer>> {
        self.fresh = None;
        self.changed.clear();
        for (file, (label, known)) in &mut self.seen {
            let read = || std::fs::read(file).ok().map(|bytes| hash(&bytes));
            let mut now = read();
            if now != *known {
                // An editor may still be writing.
                for _ in 0..SETTLE_TIMES {
                    std::thread::sleep(SETTLE);
                    let before = std::mem::replace(&mut now, read());
                    if now == before {
                        break;
                    }
                }
                self.changed.push((label.clone(), now.clone().unwrap_or_else(|| "the file is gone".to_owned())));
                *known = now;
            }
        }
        (!self.changed.is_empty()).then(|| self.renewed())
    }

    fn taken(&mut self, epoch: usize) -> Result<Vec<(String, String)>> {
        if let Some(host) = self.fresh.take() {
            provenance::replace_scripts(&host, &self.folder, epoch)?;
            // A script may import another one now.
            self.seen = files(&host);
            self.host = host;
        }
        Ok(self.changed.clone())
    }

    fn refused(&self) -> Vec<(String, String)> {
        self.changed.clone()
    }
}
