//! The parameters that a script declares, read from what its `params()` returns.
//!
//! A declaration is a map from name to a parameter, which `required(…)` and `optional(…)` make. A script of several
//! functions may return a map from function to declaration instead.

use rhai::{Dynamic, Map};
use serde_json::Value as Json;

use crate::error::{self, Error, Kind, Result, codes};
use crate::registry::{Declared, Type};
use crate::script::cast;
use crate::script::traceback::type_phrase;

/// The function that declares.
pub const FUNCTION: &str = "params";

/// What slots call in a component that is a whole script.
const SLOTS: [&str; 7] = ["load", "transform", "augment", "build", "loss", "metric", "learning_rate"];

/// What a script declares.
#[derive(Clone, Debug, PartialEq)]
pub enum Declaration {
    /// The parameters of the component, whichever of its functions is called.
    Whole(Vec<Declared>),
    /// The parameters of each function.
    Functions(Vec<(String, Vec<Declared>)>),
}

impl Declaration {
    /// Reads what `params()` returned; `functions` are those of the script.
    ///
    /// # Errors
    /// Anything but a map of declared parameters, or of such maps by function; declarations that cannot be
    /// understood.
    pub fn read(value: &Dynamic, functions: &[&str]) -> Result<Self> {
        let map = map_of(value, "`params` returns a map from name to `required(…)` or `optional(…)`")?;
        if map.values().all(is_parameter) {
            return Ok(Declaration::Whole(parameters(&map)?));
        }
        if let Some((name, odd)) = map.iter().find(|(_, value)| !value.is_map()) {
            return Err(refuse(format!("`{name}`: expected a parameter, found {}", type_phrase(odd.type_name())))
                .hint("a parameter is declared by `required(…)` or `optional(…)`"));
        }
        let mut declared = Vec::new();
        for (name, value) in &map {
            if is_parameter(value) {
                return Err(refuse(format!("`{name}` is a parameter, and others here are maps of parameters"))
                    .hint("declare the parameters of the component, or those of each function"));
            }
            let inner = map_of(value, &format!("`{name}` is declared by `required(…)` or `optional(…)`"))?;
            if !functions.contains(&name.as_str()) {
                return Err(refuse(format!("`{name}` is declared, and the script has no function of that name"))
                    .maybe_hint(error::did_you_mean(name, functions.iter().copied()))
                    .hint("a parameter is declared by `required(…)` or `optional(…)`"));
            }
            let parameters = parameters(&inner).map_err(|error| error.within(format!("function `{name}`")))?;
            declared.push((name.to_string(), parameters));
        }
        Ok(Declaration::Functions(declared))
    }

    /// Returns the parameters of a component: of a function, or of a whole script; `None` when they are not declared.
    pub fn of(&self, function: Option<&str>) -> Option<&[Declared]> {
        match self {
            Declaration::Whole(parameters) => Some(parameters),
            Declaration::Functions(functions) => {
                let own = |name: &str| function.map_or(SLOTS.contains(&name), |function| function == name);
                functions.iter().find(|(name, _)| own(name)).map(|(_, parameters)| parameters.as_slice())
            }
        }
    }
}

/// Reads one parameter from the map that `required` and `optional` make.
///
/// # Errors
/// An unknown type or key; a default or a choice that the parameter itself would refuse; limits of what is no number.
pub fn parameter(name: &str, map: &Map) -> Result<Declared> {
    const KEYS: [&str; 6] = ["type", "default", "doc", "min", "max", "choices"];
    if let Some(unknown) = map.keys().find(|key| !KEYS.contains(&key.as_str())) {
        return Err(refuse(format!("a declaration has no key `{unknown}`"))
            .maybe_hint(error::did_you_mean(unknown, KEYS))
            .hint("limits are `min`, `max` and `choices`"));
    }
    let word = map.get("type").map(ToString::to_string).unwrap_or_default();
    let names = || Type::NAMES.iter().map(|(name, _)| *name);
    let kind = Type::NAMES.iter().find(|(name, _)| *name == word).map(|(_, kind)| *kind).ok_or_else(|| {
        refuse(format!("there is no type `{word}`"))
            .maybe_hint(error::did_you_mean(&word, names()))
            .hint(format!("types: {}", error::list(names())))
    })?;
    let json = |key: &str| map.get(key).map(|value| cast::to_json(value).map_err(coded)).transpose();
    let limit = |key: &str| -> Result<Option<f64>> {
        let Some(value) = map.get(key) else { return Ok(None) };
        let number = value.as_float().or_else(|_| value.as_int().map(|number| number as f64));
        match number {
            Ok(number) if matches!(kind, Type::Int | Type::Float | Type::Ints | Type::Floats) => Ok(Some(number)),
            Ok(_) => Err(refuse(format!("`{key}` is a limit of numbers, and the type is `{word}`"))),
            Err(found) => Err(refuse(format!("`{key}`: expected a number, found {}", type_phrase(found)))),
        }
    };
    let choices = match json("choices")? {
        None => Vec::new(),
        Some(Json::Array(choices)) if !choices.is_empty() => choices,
        Some(_) => return Err(refuse("`choices`: expected an array of the values that are allowed")),
    };
    let mut declared = Declared {
        name: name.to_owned(),
        kind,
        default: None,
        doc: map.get("doc").map(ToString::to_string).unwrap_or_default(),
        min: limit("min")?,
        max: limit("max")?,
        choices: Vec::new(),
    };
    for choice in &choices {
        declared
            .check(name, choice)
            .map_err(|_| refuse(format!("the choice {choice} is not {}", declared.describe())))?;
    }
    declared.choices = choices;
    if let Some(default) = json("default")? {
        let fits = default.is_null() || declared.check(name, &default).is_ok();
        if !fits {
            return Err(refuse(format!("the default {default} is not {}", declared.describe())));
        }
        declared.default = Some(default);
    }
    Ok(declared)
}

fn parameters(map: &Map) -> Result<Vec<Declared>> {
    map.iter()
        .map(|(name, value)| {
            let inner = map_of(value, "a parameter is declared by `required(…)` or `optional(…)`")?;
            parameter(name, &inner).map_err(|error| error.within(format!("parameter `{name}`")))
        })
        .collect()
}

/// A parameter has a type, which is a text; a map of parameters has parameters.
fn is_parameter(value: &Dynamic) -> bool {
    value.read_lock::<Map>().is_some_and(|map| map.get("type").is_some_and(Dynamic::is_string))
}

fn map_of(value: &Dynamic, wanted: &str) -> Result<Map> {
    value.read_lock::<Map>().map(|map| map.clone()).ok_or_else(|| {
        refuse(format!("expected a map, found {}", type_phrase(value.type_name()))).hint(wanted.to_owned())
    })
}

fn refuse(message: impl Into<String>) -> Error {
    Error::recipe(message).coded(codes::DECLARATION)
}

fn coded(error: Error) -> Error {
    error.of_kind(Kind::Recipe).coded(codes::DECLARATION)
}
