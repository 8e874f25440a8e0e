//! A rate that is constant between given steps.

use serde_json::Value;

use super::{Formula, Schedule};
use crate::error::{Error, Result};
use crate::registry::{Arguments, Entry, Parameter, Type};

/// Piecewise constant decay.
pub(super) const ENTRY: Entry<dyn Schedule> = Entry {
    name: "PiecewiseConstantDecay",
    aliases: &["piecewise_constant_decay"],
    doc: "values[0] up to and including step boundaries[0], then values[1] up to boundaries[1], and so on.",
    parameters: &[
        Parameter::required("boundaries", Type::Floats, "Steps, ascending: the last ones with the rate before"),
        Parameter::required("values", Type::Floats, "Rates: one more than boundaries"),
    ],
    build,
};

fn build(arguments: &Arguments) -> Result<Box<dyn Schedule>> {
    let floats = |name: &str| -> Vec<f64> {
        arguments.value(name).as_array().map_or(Vec::new(), |items| items.iter().filter_map(Value::as_f64).collect())
    };
    let (boundaries, values) = (floats("boundaries"), floats("values"));
    if values.len() != boundaries.len() + 1 {
        return Err(Error::recipe(format!(
            "{} boundaries need {} values, found {}",
            boundaries.len(),
            boundaries.len() + 1,
            values.len()
        )));
    }
    if !boundaries.is_sorted() {
        return Err(arguments.refuse("boundaries", "ascending steps"));
    }
    Ok(Box::new(Formula(move |step: f64| {
        // One value more than boundaries: the index is always in range.
        values[boundaries.partition_point(|boundary| *boundary < step)]
    })))
}
