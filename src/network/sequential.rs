//! A network from a list of import blocks: one layer after the other.

use serde_json::Value;

use crate::error::{self, Error, Result, codes};
use crate::registry::{self, Params};

use super::{Network, Symbol, component, layers};

/// Creates a network from a list like `[{"import": "Input", "params": {"shape": [4], "name": "x"}}, {"import": "Dense",
/// "params": {"units": "{{units}}"}}]`. A text that is exactly `{{units}}` stands for the parameter `units`, with
/// its type. The last layer's name is that of the output.
///
/// ```
/// use barrage::network::sequential_from_config;
/// use serde_json::json;
/// let layers = json!([
///     {"import": "Input", "params": {"shape": [4], "name": "x"}},
///     {"import": "Dense", "params": {"units": "{{units}}", "activation": "softmax", "name": "class"}},
/// ]);
/// let params = json!({"units": 3}).as_object().cloned().unwrap_or_default();
/// let network = sequential_from_config(&layers, &params)?;
/// assert_eq!(&*network.outputs()[0].name, "class");
/// assert_eq!(network.weights()[0].shape, [4, 3]);
/// # Ok::<(), barrage::Error>(())
/// ```
///
/// # Errors
/// Names the layer by its position and kind: an unknown layer, a wrong parameter, a placeholder without a
/// parameter, shapes that do not fit.
pub fn sequential_from_config(layers: &Value, params: &Params) -> Result<Network> {
    let Value::Array(blocks) = layers else {
        return Err(Error::recipe(format!(
            "`layers`: expected a list of import blocks, found {}",
            registry::found(layers)
        )));
    };
    let mut ends: Option<(Symbol, Symbol)> = None;
    for (position, block) in blocks.iter().enumerate() {
        let kind = block.get("import").and_then(Value::as_str);
        let within = |error: Error| {
            let place = format!("layer {} of {}", position + 1, blocks.len());
            let named = |kind: &&str| !error.context().iter().any(|context| context.contains(&format!("`{kind}`")));
            let place = kind.filter(named).map_or(place.clone(), |kind| format!("{place}, `{kind}`"));
            error.within(place)
        };
        ends = Some(next(ends, &render(block, params), params).map_err(within)?);
    }
    match ends {
        Some((input, output)) if !input.is(&output) => Network::new(&[input], &[output]),
        Some(_) => Err(Error::recipe("`layers` has an `Input` and no layer after it")),
        None => Err(Error::recipe("`layers` is empty").hint(BEGIN)),
    }
}

/// Returns a value in which each text that is exactly `{{name}}` is replaced by that parameter; others stay.
pub fn render(value: &Value, params: &Params) -> Value {
    match value {
        Value::String(text) => placeholder(text).and_then(|name| params.get(name)).unwrap_or(value).clone(),
        Value::Array(items) => items.iter().map(|item| render(item, params)).collect(),
        Value::Object(map) => map.iter().map(|(key, value)| (key.clone(), render(value, params))).collect(),
        other => other.clone(),
    }
}

const BEGIN: &str = r#"begin with {"import": "Input", "params": {"shape": [4], "name": "x"}}"#;

/// First and last symbol after one more layer.
fn next(ends: Option<(Symbol, Symbol)>, block: &Value, params: &Params) -> Result<(Symbol, Symbol)> {
    check_placeholders(block, params)?;
    if !block.is_object() {
        return Err(Error::recipe(format!("expected an import block, found {}", registry::found(block)))
            .hint(r#"a layer is written {"import": "Dense", "params": {"units": 3}}"#));
    }
    let (name, own) = component::parts(block, "the layer")?;
    let is_input = ["Input", "InputLayer", "input"].contains(&name.strip_prefix("barrage.layers.").unwrap_or(name));
    match (ends, is_input) {
        (None, true) => {
            let input = Symbol::input_from_params(&own)?;
            Ok((input.clone(), input))
        }
        (None, false) => Err(Error::recipe("the first layer must be `Input`").hint(BEGIN)),
        (Some(_), true) => Err(Error::recipe("`Input` can only be the first layer")
            .hint("a network of several inputs is written as a function in a script")),
        (Some((input, last)), false) => Ok((input, layers::find(name)?.make(&own)?.apply(&[last])?)),
    }
}

/// Refuses what looks like a placeholder after rendering: no parameter has that name.
fn check_placeholders(value: &Value, params: &Params) -> Result<()> {
    match value {
        Value::String(text) => match placeholder(text) {
            None => Ok(()),
            Some(name) => {
                let names = || params.keys().map(String::as_str);
                let error = Error::recipe(format!("no parameter for the placeholder `{text}`"))
                    .coded(codes::NO_PLACEHOLDER)
                    .maybe_hint(error::did_you_mean(name, names()));
                Err(match params.is_empty() {
                    true => error.hint("there are no network parameters"),
                    false => error.hint(format!("parameters: {}", error::list(names()))),
                })
            }
        },
        Value::Array(items) => items.iter().try_for_each(|item| check_placeholders(item, params)),
        Value::Object(map) => map.values().try_for_each(|value| check_placeholders(value, params)),
        _ => Ok(()),
    }
}

fn placeholder(text: &str) -> Option<&str> {
    text.strip_prefix("{{").and_then(|rest| rest.strip_suffix("}}"))
}

#[cfg(test)]
mod tests;
