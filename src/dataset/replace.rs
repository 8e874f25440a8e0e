//! Batches in which some records fail: others take their places, so that a batch keeps its shape, and always the same
//! ones, whoever makes the batch and whatever was made before. Where an augmentor fails on a batch though it takes each of
//! its records alone, as one that mixes them may, all of them are replaced, by those of the next batch that it takes.

use super::batch::Batch;
use super::shared::Shared;
use crate::error::{Error, Kind, Result, codes};

/// The records that are tried for one place, and the batches for one batch.
const TRIES: usize = 16;

/// Makes a batch of which a record failed with `error`; `at` are the pass and the position in it that it starts at.
///
/// # Errors
/// That error, when each record goes well alone and it is not the augmentor's; a place for which none of [`TRIES`] records
/// goes well, and a batch for which none of as many does.
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
    let made = match replaced.is_empty() {
        // No record is to blame alone.
        true => Err(error),
        false => shared.made(&rows, pass, start),
    };
    match made {
        Ok(chunk) => with(shared.stacked(chunk, &rows)?, replaced),
        Err(error) => whole(shared, &rows, at, replaced, error),
    }
}

/// Makes a batch that an augmentor failed on with `error`, of records that it takes one by one.
fn whole(
    shared: &Shared,
    rows: &[usize],
    (pass, start): (u64, usize),
    mut replaced: Vec<(usize, Error)>,
    error: Error,
) -> Result<Batch> {
    // Values that differ in shape or name are no matter of single batches, nor are records that load only alone.
    let ours = error.kind() != Kind::Interrupted && error.code() != Some(codes::UNEVEN_BATCH);
    if !ours || shared.plain(rows).is_err() {
        return Err(error);
    }
    let order = shared.pass(pass);
    let len = rows.len();
    for tries in 1..TRIES {
        let row = |place: usize| order.get((start + place + tries * len) % order.len().max(1)).copied();
        let Some(others) = (0..len).map(row).collect::<Option<Vec<usize>>>() else { break };
        match shared.made(&others, pass, start) {
            Ok(chunk) => {
                let first = rows.first().map_or_else(String::new, |&row| shared.place(row));
                let error = error.within(format!("a batch of {len} that begins with {first}"));
                replaced.extend(rows.iter().map(|&row| (row, error.clone())));
                return with(shared.stacked(chunk, &others)?, replaced);
            }
            Err(failure) if failure.kind() == Kind::Interrupted => return Err(failure),
            Err(_) => {}
        }
    }
    Err(error.hint(format!("{TRIES} batches, one after another, failed: this is the first")))
}

/// Returns the batch with the rows that others stand in the places of.
fn with(mut batch: Batch, replaced: Vec<(usize, Error)>) -> Result<Batch> {
    batch.replaced = replaced;
    Ok(batch)
}
