//! The variables of a session on one step of a run.

use rhai::{Array as List, Dynamic, Map};

use super::Session;
use crate::error::{Error, Result};
use crate::record::Records;
use crate::script::api::runs::RunHandle;
use crate::tensor::Tensor;

/// Gives a session `run`, `stages` and `batch`, and `record` where one of the batch is asked for; returns how many records
/// the batch has.
///
/// # Errors
/// Whatever a station raises; a record that the batch has not.
pub fn replay(session: &mut Session, run: RunHandle, epoch: u64, batch: usize, record: Option<usize>) -> Result<usize> {
    let stages = run.stages(epoch, batch)?;
    let count = stages.get("records").and_then(|records| records.read_lock::<Records>().map(|records| records.len()));
    let count = count.unwrap_or(0);
    if let Some(at) = record {
        if at >= count {
            return Err(Error::data(format!("the batch has no record {at}: it has {count}, counted from 0")));
        }
        let one = |(name, value): (&rhai::Identifier, &Dynamic)| (name.clone(), of_record(value, at));
        session.set("record", Dynamic::from(stages.iter().map(one).collect::<Map>()));
    }
    session.set("batch", stages.get("batch").cloned().unwrap_or_default());
    session.set("stages", Dynamic::from(stages));
    session.set("run", Dynamic::from(run));
    Ok(count)
}

/// Returns what one record has of a value of the batch.
fn of_record(value: &Dynamic, at: usize) -> Dynamic {
    if let Some(map) = value.read_lock::<Map>() {
        return Dynamic::from(map.iter().map(|(name, value)| (name.clone(), of_record(value, at))).collect::<Map>());
    }
    if let Some(list) = value.read_lock::<List>() {
        return list.get(at).cloned().unwrap_or_default();
    }
    if let Some(records) = value.read_lock::<Records>() {
        return Dynamic::from(records.record(at));
    }
    let own = value.read_lock::<Tensor>().and_then(|tensor| tensor.index(at as isize).ok());
    own.map_or_else(|| value.clone(), Dynamic::from)
}
