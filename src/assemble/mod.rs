//! Recipe and scripts become a training run or a model: the one place where components meet.
//!
//! [`train`] checks everything before the artifact folder is made: imports, parameters, names, shapes of a
//! first batch, monitors, storable state, one backward pass. [`load`] reads such a folder back.

mod blame;
mod chain;
mod check;
mod class_weights;
mod explain;
mod export;
mod faults;
pub mod fit;
mod leaks;
mod learner;
mod live;
mod load;
mod model;
mod pack;
mod pretrained;
mod provenance;
mod rehearse;
mod resume;
mod run;
mod screen;
mod services;
mod stations;
mod summary;
mod train;
mod verify;
mod watch;

pub use check::{Facts, Report, Time, Values, check};
pub use explain::explain;
pub use export::export;
pub use learner::learner;
pub use live::{Live, Replay, prepare, replay, scripts_at};
pub use load::{Model, load};
pub use pack::pack;
pub use rehearse::{DryRun, dry_run, find_rate, overfit};
pub use resume::resume;
pub use run::{Fitted, Run, assemble, check_not_empty, refuse_divergence};
pub use stations::{data_loaders, makes_records};
pub use train::{fresh_seed, train};
pub use verify::{Extent, Stop, verify_resume};

use crate::error::{Error, Result, codes};
use crate::record::{Field, Fields};
use crate::script::cast;
use crate::tensor::{Device, device};

/// Returns scores as JSON: one object a record, arrays as nested lists.
pub fn scores_to_json(scores: &[Fields]) -> Result<Vec<serde_json::Value>> {
    let field = |field: &Field| -> Result<serde_json::Value> { cast::to_json(&cast::from_field(field.clone())) };
    scores
        .iter()
        .map(|score| {
            let fields = score.iter().map(|(name, value)| Ok((name.to_string(), field(value)?)));
            fields.collect::<Result<serde_json::Map<_, _>>>().map(serde_json::Value::Object)
        })
        .collect()
}

/// Opens the device a recipe asks for.
fn open(wanted: crate::recipe::Device) -> Result<Device> {
    match wanted {
        crate::recipe::Device::Auto => Ok(device::auto()),
        crate::recipe::Device::Cpu => Ok(device::cpu()),
        crate::recipe::Device::Cuda(number) => device::cuda(number).map_err(|reason| {
            let reason = match reason.to_string() {
                reason if reason.contains("not been built with cuda") => {
                    "this program was built without CUDA".to_owned()
                }
                reason => reason,
            };
            Error::recipe(format!("the device `cuda:{number}` cannot be used: {reason}"))
                .coded(codes::NO_DEVICE)
                .hint("set `solver.device` to `cpu`, or use a binary built with the feature `cuda`")
        }),
    }
}

/// Opens the device that a model scores on: that of its run where it is here, else the CPU. A folder scores anywhere.
fn open_for_scores(host: &crate::script::Host, wanted: crate::recipe::Device) -> Device {
    open(wanted).unwrap_or_else(|error| {
        host.trace(|| format!("scoring on the CPU: {error}"));
        device::cpu()
    })
}

/// Returns whether layers use their kernels: unless the environment variable `BARRAGE_KERNELS` is `off`, which is for
/// tests and for finding a fault.
fn kernels() -> bool {
    std::env::var_os("BARRAGE_KERNELS").is_none_or(|value| value != "off")
}
