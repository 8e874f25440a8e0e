//! Where a loss that is no number came from: the output, the records, the first layer whose values or gradients were not
//! finite.

use super::engine::{Engine, Losses};
use super::feed::Fed;
use super::parts::OutputSpec;
use crate::dataset::{Batch, Dataset};
use crate::error::{Result, list};
use crate::random::Random;
use crate::tensor::Array;

/// Records that are named one by one.
const NAMED: usize = 8;

/// The step before the one that is looked at.
#[derive(Default)]
pub(super) struct Earlier {
    /// The rows of its batch; none before the first step of a run.
    pub rows: Vec<usize>,
}

/// A step whose losses were computed and whose update was not done yet.
pub(super) struct Seen<'a> {
    pub batch: &'a Batch,
    pub fed: &'a Fed,
    pub losses: &'a Losses,
    /// The stream of the step's random numbers.
    pub random: &'a Random,
    /// The number of the step, from 1.
    pub step: u64,
}

/// Returns what is known of a total loss that is not finite, a line each.
///
/// # Errors
/// Whatever the network raises when it is looked at again.
pub(super) fn explain(
    outputs: &[OutputSpec],
    dataset: &Dataset,
    engine: &mut Engine,
    seen: &Seen,
    earlier: &Earlier,
) -> Result<Vec<String>> {
    let mut lines = Vec::new();
    let spoilt = seen.losses.outputs.iter().enumerate().find(|(_, loss)| !loss.is_finite());
    match (outputs, spoilt) {
        ([only], _) => lines.push(format!("output `{}`: its loss is {}", only.name, seen.losses.total)),
        (_, Some((at, loss))) => lines.push(format!("output `{}`: its loss is {loss}", outputs[at].name)),
        (_, None) => lines.push(format!("no output's loss, but the total is {}", seen.losses.total)),
    }
    let culprit = spoilt.map_or(0, |(at, _)| at);
    lines.push(match (given(seen.batch, dataset), spoilt_weights(engine, seen.step, earlier, dataset)) {
        (Some(line), _) | (None, Some(line)) => line,
        (None, None) => match engine.first_not_finite(&seen.fed.inputs, seen.random)? {
            Some(found) => {
                let rows: Vec<usize> = found.rows.iter().filter_map(|at| seen.batch.rows.get(*at)).copied().collect();
                let whose = match rows.len() == seen.batch.rows.len() {
                    true => "for all records of the batch".to_owned(),
                    false => format!("for {}", places(dataset, &rows)),
                };
                format!("layer `{}`, `{}`: the first whose values are not finite, {whose}", found.layer, found.kind)
            }
            None => format!(
                "inputs, weights and all layers are finite: the loss itself is not, for {}",
                places(dataset, &rows_of_loss(outputs, engine, seen, culprit)?)
            ),
        },
    });
    lines.push(format!("the batch: {}", places(dataset, &seen.batch.rows)));
    Ok(lines)
}

/// Says which value that the loader gave is not finite.
pub(super) fn given(batch: &Batch, dataset: &Dataset) -> Option<String> {
    let parts = [("input", Some(&batch.x)), ("output", batch.y.as_ref()), ("sample weight", batch.w.as_ref())];
    for (what, arrays) in parts {
        for (name, array) in arrays.into_iter().flatten() {
            if let Some(at) = first(array) {
                let record = at / (array.size() / batch.len.max(1)).max(1);
                let place = batch.rows.get(record).map_or_else(String::new, |&row| dataset.place(row));
                return Some(format!("{what} `{name}` is not a finite number in {place}"));
            }
        }
    }
    None
}

/// Says of weights that are not finite which gradient made them so. Gradients of the step before are still there;
/// backward goes from the last layer to the first, so the last one was the first to be spoilt.
fn spoilt_weights(engine: &Engine, step: u64, earlier: &Earlier, dataset: &Dataset) -> Option<String> {
    let (infos, weights) = (engine.network().weights(), engine.weights());
    let spoilt: Vec<usize> = (0..infos.len()).filter(|at| !all_finite(weights.get(*at))).collect();
    let first = *spoilt.first()?;
    let names = || match spoilt.len() {
        count if count > 3 => format!("`{}` and {} more weights", infos[first].name, count - 1),
        _ => list(spoilt.iter().map(|at| &*infos[*at].name)),
    };
    let records = match earlier.rows.is_empty() {
        true => String::new(),
        false => format!(", for {}", places(dataset, &earlier.rows)),
    };
    let before = step.saturating_sub(1);
    let gradient = (0..infos.len()).rev().find(|at| weights.gradient(*at).is_some_and(|values| !all_finite(values)));
    Some(match gradient {
        Some(at) => {
            let layer = infos[at].name.split('/').next().unwrap_or_default();
            format!(
                "layer `{layer}`: the first whose gradient was not finite, in step {before}{records}; since then {} are no numbers",
                names()
            )
        }
        None if infos[first].trainable => {
            format!("the update of step {before} made {} not finite: the learning rate is too high{records}", names())
        }
        None => format!("{} are not finite since step {before}{records}", names()),
    })
}

/// Returns the rows whose own loss is not finite; all where the loss does not tell.
fn rows_of_loss(outputs: &[OutputSpec], engine: &Engine, seen: &Seen, at: usize) -> Result<Vec<usize>> {
    let (Some(output), Some(target)) = (outputs.get(at), seen.fed.targets.get(at)) else {
        return Ok(seen.batch.rows.clone());
    };
    let device = engine.device();
    let (labels, prediction) = (target.value.to_graph(device)?, engine.output(at)?.to_graph(device)?);
    let Ok(values) = output.loss.per_sample(&labels, &prediction) else { return Ok(seen.batch.rows.clone()) };
    let values = Array::from_graph(&values)?.to_f64_vec();
    let each = (values.len() / seen.batch.len.max(1)).max(1);
    let bad = values.chunks(each).map(|values| values.iter().any(|value| !value.is_finite()));
    let rows: Vec<usize> = seen.batch.rows.iter().zip(bad).filter(|(_, bad)| *bad).map(|(row, _)| *row).collect();
    Ok(if rows.is_empty() { seen.batch.rows.clone() } else { rows })
}

/// Names records: "record 3 of train.csv", "records 3, 5, 8 … of train.csv, 32 in all".
fn places(dataset: &Dataset, rows: &[usize]) -> String {
    let all: Vec<String> = rows.iter().take(NAMED).map(|row| dataset.place(*row)).collect();
    let more = if rows.len() > NAMED { format!(" …, {} in all", rows.len()) } else { String::new() };
    let [first, ..] = all.as_slice() else { return "no records".to_owned() };
    let source = first.strip_prefix("record ").and_then(|rest| rest.split_once(" of ")).map(|(_, source)| source);
    let numbers = |source: &str| -> Option<Vec<&str>> {
        let number = |place: &'_ String| -> Option<(usize, usize)> {
            let rest = place.strip_prefix("record ")?;
            let (number, own) = rest.split_once(" of ")?;
            (own == source).then_some((place.len() - rest.len(), number.len()))
        };
        all.iter().map(|place| number(place).map(|(start, length)| &place[start..start + length])).collect()
    };
    match source.and_then(|source| Some((source, numbers(source)?))) {
        Some((_, _)) if all.len() == 1 => first.clone(),
        Some((source, numbers)) => format!("records {}{more} of {source}", numbers.join(", ")),
        None => format!("{}{more}", all.join(", ")),
    }
}

fn first(array: &Array) -> Option<usize> {
    array.to_f64_vec().iter().position(|value| !value.is_finite())
}

fn all_finite(values: &[f32]) -> bool {
    values.iter().all(|value| value.is_finite())
}
