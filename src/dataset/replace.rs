//! Batches in which some records fail: others take their places, so that a batch keeps its shape, and always the same
//! ones, whoever makes the batch and whatever was made before.

use super::batch::Batch;
use super::shared::Shared;
use crate::error::{Error, Kind, Result};

/// The records that are tried for one place.
const TRIES: usize = 16;

/// Makes a batch of which a record failed with `error`; `at` are the pass and the position in it that it starts at.
///
/// # Errors
/// That error, when each record goes well alone; a place for which none of [`TRIES`] records does.
pub(super) fn batch(shared: &Shared, rows: &[usize], at: (u64, usize), error: Error) -> Result<Batch> {
    let (pass, start) = at;
    let order = shared.pass(pass);
    let mut rows = rows.to_vec();
    let mut replaced: Vec<(usize, Error)> = Vec::new();
    let len = rows.len();
    for place in 0..len {
        let mut tries = 0;
        // Each place has draws of its own, whoever stands there.
        while let Err(failure) = shared.made(&rows[place..=place], pass, start + place) {
            if failure.kind() == Kind::Interrupted {
                return Err(failure);
            }
            let name = shared.place(rows[place]);
            let failure = if failure.context().contains(&name) { failure } else { failure.within(name) };
            tries += 1;
            replaced.push((rows[place], failure.clone()));
            let next = order.get((start + place + tries * len) % order.len().max(1));
            match next.filter(|_| tries < TRIES) {
                Some(&next) => rows[place] = next,
                None => {
                    return Err(failure.hint(format!("{tries} records, one after another, failed: this is the last")));
                }
            }
        }
    }
    if replaced.is_empty() {
        // No record is to blame alone.
        return Err(error);
    }
    let chunk = shared.made(&rows, pass, start)?;
    Ok(Batch { replaced, ..shared.stacked(chunk, &rows)? })
}
