//! From an import name to a metric, with the names that depend on the shapes of labels and predictions.

use serde_json::Value;

use super::seen::misfit;
use super::{LIST, Metric, loss_metric};
use crate::error::{self, Error, Result, codes};
use crate::loss;
use crate::registry::{self, Entry, Params};

/// What a metric looks at: the shapes of one batch.
#[derive(Clone, Copy, Debug)]
pub struct MetricTarget<'a> {
    /// The shape of the labels, with the batch axis (of any length).
    pub labels: &'a [usize],
    /// The shape of the network's output, with the batch axis.
    pub output: &'a [usize],
}

/// Makes a metric from its import name and parameters: a built-in metric, any built-in loss, or the names
/// `accuracy` (`acc`) and `crossentropy` (`ce`), which are resolved by the shapes: an output of one value a sample is
/// binary; labels that are shaped like an output of several are one-hot; labels without the class axis, or with one
/// of length 1, are class indices.
///
/// It is reported under the parameter `name`, else under an alias as it was written, else under its class name in
/// snake case.
///
/// # Errors
/// Unknown names and parameters are refused with the nearest ones, shapes that `accuracy` cannot be resolved for too.
pub fn make(name: &str, params: &Params, target: &MetricTarget<'_>) -> Result<Box<dyn Metric>> {
    let short = match name.strip_prefix("barrage.") {
        Some(qualified) => qualified.rsplit('.').next().unwrap_or(qualified),
        None => name,
    };
    let class = match short {
        "accuracy" | "acc" => {
            by_shape(short, target, ["BinaryAccuracy", "CategoricalAccuracy", "SparseCategoricalAccuracy"])?
        }
        "crossentropy" | "ce" => {
            let classes = ["BinaryCrossentropy", "CategoricalCrossentropy", "SparseCategoricalCrossentropy"];
            by_shape(short, target, classes)?
        }
        _ => short,
    };
    if let Some(entry) = registry::lookup(LIST, class) {
        return entry.make(&named(params, alias(entry, short)));
    }
    if let Some(entry) = registry::lookup(loss::LIST, class) {
        let mut params = named(params, alias(entry, short));
        let given = params.shift_remove("name");
        let report = match &given {
            None | Some(Value::Null) => None,
            Some(Value::String(text)) => Some(text.as_str()),
            Some(value) => {
                return Err(Error::recipe(format!(
                    "parameter `name` of `{}`: expected a text, found {}",
                    entry.name,
                    registry::found(value)
                )));
            }
        };
        return Ok(loss_metric::metric(entry.make(&params)?, report));
    }
    Err(unknown(name))
}

/// Returns the class for binary, one-hot or index labels.
fn by_shape(name: &str, target: &MetricTarget<'_>, classes: [&'static str; 3]) -> Result<&'static str> {
    let MetricTarget { labels, output } = *target;
    let front = match output.split_last() {
        None | Some((_, [])) | Some((1, _)) => return Ok(classes[0]),
        Some((_, front)) => front,
    };
    // The last batch of an epoch may be short: only the axes after it are compared.
    let inner = |shape: &[usize]| shape.get(1..).map(<[usize]>::to_vec).unwrap_or_default();
    if inner(labels) == inner(output) {
        return Ok(classes[1]);
    }
    let bare = match labels.split_last() {
        Some((1, bare)) if labels.len() == output.len() => bare,
        _ => labels,
    };
    match inner(bare) == inner(front) && bare.len() == front.len() {
        true => Ok(classes[2]),
        false => Err(misfit(name, labels, output)
            .hint("give class indices (one a prediction) or one-hot labels (shaped like the output)")),
    }
}

/// Returns the name as written, when it is not the class name.
fn alias<'a, T: ?Sized>(entry: &Entry<T>, short: &'a str) -> Option<&'a str> {
    (entry.name != short).then_some(short)
}

/// Adds the name to report to the parameters, unless one is given.
fn named(params: &Params, alias: Option<&str>) -> Params {
    let mut params = params.clone();
    if let Some(alias) = alias
        && params.get("name").is_none_or(Value::is_null)
    {
        params.insert("name".to_owned(), Value::String(alias.to_owned()));
    }
    params
}

fn unknown(name: &str) -> Error {
    let metrics = LIST.iter().flat_map(|entry| std::iter::once(entry.name).chain(entry.aliases.iter().copied()));
    let losses = loss::LIST.iter().flat_map(|entry| std::iter::once(entry.name).chain(entry.aliases.iter().copied()));
    let names = ["accuracy", "acc", "crossentropy", "ce"].into_iter().chain(metrics).chain(losses);
    Error::recipe(format!("unknown metric `{name}`"))
        .coded(codes::UNKNOWN_COMPONENT)
        .maybe_hint(error::did_you_mean(name, names))
        .hint(format!(
            "built in: `accuracy`, `crossentropy`, {}, and every loss",
            error::list(LIST.iter().map(|entry| entry.name))
        ))
}
