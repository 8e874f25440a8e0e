//! A component named inside another one's parameters: `"relu"`, or `{"import": "…", "params": {…}}`.

use serde_json::Value;

use crate::error::{self, Error, Result};
use crate::registry::{self, Entry, Params};

/// Splits a name or an import block into the name and its parameters.
pub(super) fn parts<'a>(value: &'a Value, what: &str) -> Result<(&'a str, Params)> {
    match value {
        Value::String(name) => Ok((name, Params::new())),
        Value::Object(block) => {
            if let Some(key) = block.keys().find(|key| !["import", "params"].contains(&key.as_str())) {
                return Err(Error::recipe(format!("unknown key `{key}` in the import block of {what}"))
                    .maybe_hint(error::did_you_mean(key, ["import", "params"]))
                    .hint("an import block has `import` and `params`"));
            }
            let name = block.get("import").and_then(Value::as_str).ok_or_else(|| {
                Error::recipe(format!("the import block of {what} needs `import`: the name of {what}"))
            })?;
            let params = match block.get("params") {
                None | Some(Value::Null) => Params::new(),
                Some(Value::Object(params)) => params.clone(),
                Some(other) => {
                    return Err(Error::recipe(format!(
                        "`params` of `{name}`: expected a map, found {}",
                        registry::found(other)
                    )));
                }
            };
            Ok((name, params))
        }
        other => Err(Error::recipe(format!(
            "expected {what} as a name or an import block, found {}",
            registry::found(other)
        ))),
    }
}

/// Makes the built-in component that a value names.
pub(super) fn make<T: ?Sized>(list: &'static [Entry<T>], room: &str, value: &Value) -> Result<Box<T>> {
    let (name, params) = parts(value, room)?;
    registry::find(list, room, name)?.make(&params)
}
