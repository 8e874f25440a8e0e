//! Built-in components by name, their parameters declared once as data.
//!
//! Each room with built-ins has one list of [`Entry`]; the list checks parameters, answers "did you
//! mean", and is the table of contents of the manual.

mod declared;

use serde_json::{Map, Value};

use crate::error::{self, Error, Result, codes};

pub use declared::{Declared, check, check_given};

/// The parameters of a component, as a recipe or a script gives them.
pub type Params = Map<String, Value>;

/// What a parameter may be.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Type {
    /// `true` or `false`.
    Bool,
    /// A whole number.
    Int,
    /// A number, whole or not.
    Float,
    /// A text.
    Text,
    /// A list of whole numbers, or one whole number that stands for all of them.
    Ints,
    /// A list of numbers.
    Floats,
    /// A list of texts.
    Texts,
    /// A map.
    Map,
    /// An import block or a name: `{"import": "L2", "params": {…}}` or `"relu"`.
    Component,
    /// Anything.
    Any,
}

impl Type {
    /// All types, by the names that scripts declare parameters with.
    pub const NAMES: [(&'static str, Type); 10] = [
        ("bool", Type::Bool),
        ("int", Type::Int),
        ("number", Type::Float),
        ("text", Type::Text),
        ("ints", Type::Ints),
        ("numbers", Type::Floats),
        ("texts", Type::Texts),
        ("map", Type::Map),
        ("component", Type::Component),
        ("any", Type::Any),
    ];

    /// Returns what to write, for errors and the manual: "a whole number".
    pub fn describe(self) -> &'static str {
        match self {
            Type::Bool => "true or false",
            Type::Int => "a whole number",
            Type::Float => "a number",
            Type::Text => "a text",
            Type::Ints => "a whole number or a list of whole numbers",
            Type::Floats => "a list of numbers",
            Type::Texts => "a list of texts",
            Type::Map => "a map",
            Type::Component => "a name or an import block",
            Type::Any => "any value",
        }
    }

    fn accepts(self, value: &Value) -> bool {
        let all = |check: fn(&Value) -> bool| value.as_array().is_some_and(|items| items.iter().all(check));
        match self {
            Type::Bool => value.is_boolean(),
            Type::Int => value.is_i64() || value.is_u64(),
            Type::Float => value.is_number(),
            Type::Text => value.is_string(),
            Type::Ints => Type::Int.accepts(value) || all(|item| item.is_i64() || item.is_u64()),
            Type::Floats => all(Value::is_number),
            Type::Texts => all(Value::is_string),
            Type::Map => value.is_object(),
            Type::Component => value.is_string() || value.is_object(),
            Type::Any => true,
        }
    }
}

/// One parameter of a built-in component.
#[derive(Clone, Copy, Debug)]
pub struct Parameter {
    /// Its name, as in Keras.
    pub name: &'static str,
    /// What it may be.
    pub kind: Type,
    /// The default as JSON text (`"1e-3"`, `"\"relu\""`, `"null"`), or `None` when it must be given.
    pub default: Option<&'static str>,
    /// What it means: unit, range, source of the default.
    pub doc: &'static str,
}

impl Parameter {
    /// Declares a parameter that must be given.
    pub const fn required(name: &'static str, kind: Type, doc: &'static str) -> Self {
        Parameter { name, kind, default: None, doc }
    }

    /// Declares a parameter with a default, written as JSON. A default of `null` means that null may be given.
    pub const fn optional(name: &'static str, kind: Type, default: &'static str, doc: &'static str) -> Self {
        Parameter { name, kind, default: Some(default), doc }
    }
}

/// A built-in component.
pub struct Entry<T: ?Sized + 'static> {
    /// The name in recipes, as in Keras: `Adam`, `categorical_crossentropy`.
    pub name: &'static str,
    /// Other names for the same component: `mse`.
    pub aliases: &'static [&'static str],
    /// One line that starts with a verb or a noun, then details.
    pub doc: &'static str,
    /// Its parameters, in the order of the manual.
    pub parameters: &'static [Parameter],
    /// Makes it from checked arguments.
    pub build: fn(&Arguments) -> Result<Box<T>>,
}

impl<T: ?Sized> Entry<T> {
    /// Checks the parameters against the declaration and makes the component.
    pub fn make(&self, params: &Params) -> Result<Box<T>> {
        let arguments = Arguments::check(self.name, self.parameters, params)?;
        (self.build)(&arguments).map_err(|error| error.within(format!("`{}`", self.name)))
    }
}

/// Finds a component by its name, an alias, or the name qualified with `barrage.<room>.`.
///
/// # Errors
/// An unknown name is refused with the nearest one and the whole list.
pub fn find<T: ?Sized>(list: &'static [Entry<T>], room: &str, name: &str) -> Result<&'static Entry<T>> {
    lookup(list, name).ok_or_else(|| {
        Error::recipe(format!("unknown {room} `{name}`"))
            .coded(codes::UNKNOWN_COMPONENT)
            .maybe_hint(error::did_you_mean(name, names(list)))
            .hint(format!("built in: {}", error::list(list.iter().map(|entry| entry.name))))
    })
}

/// Returns the names and aliases of a list.
pub fn names<T: ?Sized>(list: &'static [Entry<T>]) -> impl Iterator<Item = &'static str> {
    list.iter().flat_map(|entry| std::iter::once(entry.name).chain(entry.aliases.iter().copied()))
}

/// Finds a component, or returns `None`; see [`find`].
pub fn lookup<T: ?Sized>(list: &'static [Entry<T>], name: &str) -> Option<&'static Entry<T>> {
    let short = match name.strip_prefix("barrage.") {
        Some(qualified) => qualified.rsplit('.').next().unwrap_or(qualified),
        None => name,
    };
    list.iter().find(|entry| entry.name == short || entry.aliases.contains(&short))
}

/// The checked arguments of one component: every parameter has a value, given or default.
#[derive(Clone, Debug)]
pub struct Arguments {
    component: &'static str,
    values: Map<String, Value>,
    given: Vec<&'static str>,
}

impl Arguments {
    /// Checks names and types; fills in defaults.
    ///
    /// # Errors
    /// Unknown, missing and mistyped parameters, all of them at once.
    pub fn check(component: &'static str, parameters: &'static [Parameter], params: &Params) -> Result<Self> {
        let declared: Vec<Declared> = parameters.iter().map(Declared::from).collect();
        let values = declared::check(component, &declared, params)?;
        let given =
            parameters.iter().map(|parameter| parameter.name).filter(|name| params.contains_key(*name)).collect();
        Ok(Arguments { component, values, given })
    }

    /// Returns the component's name.
    pub fn component(&self) -> &'static str {
        self.component
    }

    /// Returns whether the parameter was given, rather than filled in.
    pub fn is_given(&self, name: &str) -> bool {
        self.given.contains(&name)
    }

    /// Returns the value as it is; null when the default is null.
    pub fn value(&self, name: &str) -> &Value {
        self.values.get(name).unwrap_or(&Value::Null)
    }

    /// Returns whether the value is null.
    pub fn is_null(&self, name: &str) -> bool {
        self.value(name).is_null()
    }

    /// Returns a boolean.
    pub fn bool(&self, name: &str) -> bool {
        self.value(name).as_bool().unwrap_or(false)
    }

    /// Returns a number.
    pub fn float(&self, name: &str) -> f64 {
        self.value(name).as_f64().unwrap_or(0.0)
    }

    /// Returns a whole number.
    pub fn int(&self, name: &str) -> i64 {
        self.value(name).as_i64().unwrap_or(0)
    }

    /// Returns a text; empty when the value is null.
    pub fn text(&self, name: &str) -> &str {
        self.value(name).as_str().unwrap_or("")
    }

    /// Returns a number of at least `least`.
    ///
    /// # Errors
    /// A smaller number is refused.
    pub fn at_least(&self, name: &str, least: i64) -> Result<usize> {
        let value = self.int(name);
        match usize::try_from(value) {
            Ok(size) if value >= least => Ok(size),
            _ => Err(self.refuse(name, format!("a whole number of at least {least}"))),
        }
    }

    /// Returns a whole number within the given range (both ends included).
    ///
    /// # Errors
    /// A number outside is refused.
    pub fn between(&self, name: &str, least: i64, most: i64) -> Result<usize> {
        match usize::try_from(self.int(name)) {
            Ok(size) if (least..=most).contains(&self.int(name)) => Ok(size),
            _ => Err(self.refuse(name, format!("a whole number from {least} to {most}"))),
        }
    }

    /// Returns a number within the given range (both ends included).
    ///
    /// # Errors
    /// A number outside is refused.
    pub fn within(&self, name: &str, low: f64, high: f64) -> Result<f64> {
        let value = self.float(name);
        match (low..=high).contains(&value) {
            true => Ok(value),
            false if high.is_infinite() => Err(self.refuse(name, format!("a number of at least {low}"))),
            false => Err(self.refuse(name, format!("a number from {low} to {high}"))),
        }
    }

    /// Returns `count` sizes of at least `least`: a list, or one number for all.
    ///
    /// # Errors
    /// A list of another length and smaller numbers are refused.
    pub fn sizes(&self, name: &str, count: usize, least: i64) -> Result<Vec<usize>> {
        let all: Vec<i64> = match self.value(name) {
            Value::Array(items) => items.iter().filter_map(Value::as_i64).collect(),
            value => vec![value.as_i64().unwrap_or(0); count],
        };
        let sizes: Option<Vec<usize>> =
            all.iter().map(|&size| usize::try_from(size).ok().filter(|_| size >= least)).collect();
        sizes
            .filter(|sizes| sizes.len() == count)
            .ok_or_else(|| self.refuse(name, format!("{count} whole numbers of at least {least}, or one for all")))
    }

    /// Returns the value if it is one of the choices.
    ///
    /// # Errors
    /// Another value is refused with the nearest choice.
    pub fn choice(&self, name: &str, choices: &[&'static str]) -> Result<&'static str> {
        let found = self.text(name);
        choices.iter().copied().find(|choice| *choice == found).ok_or_else(|| {
            self.refuse(name, format!("one of {}", error::list(choices.iter().copied())))
                .maybe_hint(error::did_you_mean(found, choices.iter().copied()))
        })
    }

    /// Returns the error "parameter `x` of `C`: expected …, found …".
    pub fn refuse(&self, name: &str, expected: impl AsRef<str>) -> Error {
        let found = found(self.value(name));
        Error::recipe(format!(
            "parameter `{name}` of `{}`: expected {}, found {found}",
            self.component,
            expected.as_ref()
        ))
        .coded(codes::PARAMETER_RANGE)
    }
}

/// Returns a value as errors show it: short, with its type.
///
/// ```
/// assert_eq!(barrage::registry::found(&serde_json::json!("ten")), "the text \"ten\"");
/// ```
pub fn found(value: &Value) -> String {
    match value {
        Value::Null => "null".to_owned(),
        Value::Bool(value) => value.to_string(),
        Value::Number(number) => number.to_string(),
        Value::String(text) if text.chars().count() <= 40 => format!("the text {text:?}"),
        Value::String(_) => "a long text".to_owned(),
        Value::Array(items) => format!("a list of {}", items.len()),
        Value::Object(_) => "a map".to_owned(),
    }
}
