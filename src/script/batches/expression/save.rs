//! Where values of steps go.

use rhai::{Array as List, Dynamic, Map};

use super::{At, Expr, Node};
use crate::error::{Error, Result};
use crate::record::Value;
use crate::script::batches::convert;
use crate::script::traceback::type_phrase;

/// Puts what a step gave where an expression says: a variable, a component, an attribute of an item.
///
/// # Errors
/// An expression that cannot be saved to, lists of different lengths, a missing key.
pub fn save(at: &At, to: &Dynamic, value: Dynamic) -> Result<()> {
    if let Some(list) = to.read_lock::<List>() {
        let kind = value.type_name();
        let values = value.into_array().map_err(|_| {
            Error::script(format!("`save_to`: expected {} values, found {}", list.len(), type_phrase(kind)))
        })?;
        if values.len() != list.len() {
            return Err(Error::script(format!("`save_to`: expected {} values, found {}", list.len(), values.len())));
        }
        return list.iter().zip(values).try_for_each(|(to, value)| save(at, to, value));
    }
    if let Some(map) = to.read_lock::<Map>() {
        let Some(values) = value.read_lock::<Map>() else {
            return Err(Error::script(format!("`save_to`: expected a map, found {}", type_phrase(value.type_name()))));
        };
        return map.iter().try_for_each(|(name, to)| {
            let value = values.get(name).cloned();
            save(at, to, value.ok_or_else(|| Error::script(format!("`save_to`: the result has no `{name}`")))?)
        });
    }
    let Some(expression) = to.read_lock::<Expr>() else {
        return Err(Error::script(format!("`save_to`: expected an expression, found {}", type_phrase(to.type_name())))
            .hint("`V(\"name\")` is a variable, `B(\"name\")` a component"));
    };
    match &*expression.0 {
        Node::Variable(name, mode) => at.flow()?.save(name, value, *mode),
        Node::Batch(Some(name)) => {
            let items = convert::to_items(&value).map_err(|error| error.within(format!("component `{name}`")))?;
            at.batch()?.lock().set(name, items)
        }
        Node::Items(name) => {
            let values: Vec<Value> = match value.read_lock::<List>() {
                Some(list) => convert::to_values(&list)?,
                None => {
                    return Err(Error::script(format!(
                        "`L`: expected an array, found {}",
                        type_phrase(value.type_name())
                    )));
                }
            };
            at.batch()?.lock().set(name, crate::batch::Items::assemble(values))
        }
        Node::Config(path, _) if !path.contains('/') => {
            at.flow()?.configure(Map::from([(path.as_str().into(), value)]));
            Ok(())
        }
        Node::If(condition, yes, no) => {
            let condition = at.value(condition.clone())?.as_bool().unwrap_or(false);
            save(at, if condition { yes } else { no }, value)
        }
        _ => Err(Error::script(format!("`save_to`: {} cannot be saved to", *expression))
            .hint("`V(\"name\")` is a variable, `B(\"name\")` a component")),
    }
}
