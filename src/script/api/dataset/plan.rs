//! The options by which batches are made.

use crate::error::{Error, codes};
use crate::pipeline::{Length, Plan};
use crate::script::api::arguments::Answer;
use crate::script::api::options::Options;
use crate::script::traceback::{raise, type_phrase};

/// Takes the options of a plan of batches.
pub fn plan(options: &mut Options, batch_size: i64, function: &str, otherwise: Length) -> Answer<(Plan, u64)> {
    let (shuffle, seed) = seeds(options, function)?;
    let epochs = options.whole("n_epochs")?;
    let batches = options.whole("n_iters")?;
    let length = match (epochs, batches) {
        (Some(_), Some(_)) => {
            return Err(raise(
                Error::script(format!("`{function}`: `n_epochs` and `n_iters` are both given"))
                    .hint("give one of them: epochs, or a number of batches"),
            ));
        }
        (Some(epochs), None) => Length::Epochs(epochs as usize),
        (None, Some(batches)) => Length::Batches(batches as usize),
        (None, None) => otherwise,
    };
    let batch_size = usize::try_from(batch_size)
        .ok()
        .filter(|size| *size > 0)
        .ok_or_else(|| raise(Error::script(format!("expected a batch size of at least 1, found {batch_size}"))))?;
    let drop_last = options.flag("drop_last")?.unwrap_or(false);
    let cross_epochs = options.flag("cross_epochs")?.unwrap_or(false);
    Ok((Plan { batch_size, shuffle, drop_last, cross_epochs, length }, seed))
}

/// Takes `shuffle` and `seed`: the seed of the order, if there is one, and that of all draws.
pub fn seeds(options: &mut Options, function: &str) -> Answer<(Option<u64>, u64)> {
    let seed = options.whole("seed")?;
    let Some(shuffle) = options.take("shuffle") else { return Ok((None, seed.unwrap_or(0))) };
    match (shuffle.as_bool(), shuffle.as_int()) {
        (Ok(false), _) => Ok((None, seed.unwrap_or(0))),
        (Ok(true), _) => Ok((Some(seed.unwrap_or(0)), seed.unwrap_or(0))),
        // A negative number seeds every draw and leaves the order alone.
        (_, Ok(number)) if number < 0 => Ok((None, seed.unwrap_or(number.unsigned_abs()))),
        (_, Ok(number)) => Ok((Some(number.unsigned_abs()), seed.unwrap_or(number.unsigned_abs()))),
        _ => Err(raise(
            Error::script(format!(
                "option `shuffle` of `{function}`: expected true, false or a seed, found {}",
                type_phrase(shuffle.type_name())
            ))
            .coded(codes::WRONG_OPTION),
        )),
    }
}
