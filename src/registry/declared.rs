//! Parameters declared at run time, as scripts do, and the check of what is given: one for built-ins and scripts.

use serde_json::{Map, Value};

use super::{Parameter, Params, Type, found};
use crate::error::{self, Error, Result, codes};

/// One parameter of a component.
#[derive(Clone, Debug, PartialEq)]
pub struct Declared {
    /// Its name.
    pub name: String,
    /// What it may be.
    pub kind: Type,
    /// The default, or `None` when it must be given. A default of null means that null may be given.
    pub default: Option<Value>,
    /// What it means.
    pub doc: String,
    /// The least number; of a list of numbers, the least of each.
    pub min: Option<f64>,
    /// The greatest number; of a list of numbers, the greatest of each.
    pub max: Option<f64>,
    /// The values that it may have; empty when all of its kind.
    pub choices: Vec<Value>,
}

impl From<&Parameter> for Declared {
    fn from(parameter: &Parameter) -> Self {
        Declared {
            name: parameter.name.to_owned(),
            kind: parameter.kind,
            // The defaults of built-ins are JSON, which a test holds.
            default: parameter.default.map(|text| serde_json::from_str(text).unwrap_or(Value::Null)),
            doc: parameter.doc.to_owned(),
            min: None,
            max: None,
            choices: Vec::new(),
        }
    }
}

impl Declared {
    /// Returns what to write, for errors and the manual: "a number from 0 to 1".
    pub fn describe(&self) -> String {
        if !self.choices.is_empty() {
            let choices: Vec<String> = self.choices.iter().map(Value::to_string).collect();
            return format!("one of {}", error::list(choices.iter().map(String::as_str)));
        }
        let kind = self.kind.describe();
        match (self.min, self.max) {
            (Some(min), Some(max)) => format!("{kind} from {min} to {max}"),
            (Some(min), None) => format!("{kind} of at least {min}"),
            (None, Some(max)) => format!("{kind} of at most {max}"),
            (None, None) => kind.to_owned(),
        }
    }

    /// Checks a value.
    ///
    /// # Errors
    /// One of another type, out of range, or that is none of the choices; the error says so of the parameter of
    /// the component.
    pub fn check(&self, component: &str, value: &Value) -> Result<()> {
        if value.is_null() && self.default == Some(Value::Null) {
            return Ok(());
        }
        let refuse = |code| {
            let message = format!(
                "parameter `{}` of `{component}`: expected {}, found {}",
                self.name,
                self.describe(),
                found(value)
            );
            Error::recipe(message).coded(code)
        };
        if !self.kind.accepts(value) {
            let number = matches!(self.kind, Type::Int | Type::Float);
            let quoted = value.as_str().map(str::trim).filter(|text| number && text.parse::<f64>().is_ok());
            return Err(refuse(codes::PARAMETER_TYPE)
                .maybe_hint(quoted.map(|text| format!("a number has no quotes: `{text}`"))));
        }
        if !self.choices.is_empty() && !self.choices.contains(value) {
            let texts = || self.choices.iter().filter_map(Value::as_str);
            let near = value.as_str().and_then(|text| error::did_you_mean(text, texts()));
            return Err(refuse(codes::PARAMETER_RANGE).maybe_hint(near));
        }
        let within = |value: &Value| {
            value.as_f64().is_none_or(|number| {
                self.min.is_none_or(|min| number >= min) && self.max.is_none_or(|max| number <= max)
            })
        };
        match value.as_array() {
            Some(items) if items.iter().all(within) => Ok(()),
            None if within(value) => Ok(()),
            _ => Err(refuse(codes::PARAMETER_RANGE)),
        }
    }
}

/// Checks the parameters that a component is given, and returns all that it has: given, or default.
///
/// # Errors
/// Unknown, missing, mistyped parameters and those out of range, all of them at once.
pub fn check(component: &str, declared: &[Declared], params: &Params) -> Result<Params> {
    let mut errors: Vec<Error> = check_given(component, declared, params).map_or_else(Error::split, |()| Vec::new());
    let mut values = Map::new();
    for parameter in declared {
        let name = &parameter.name;
        match (params.get(name), &parameter.default) {
            (Some(value), _) => drop(values.insert(name.clone(), value.clone())),
            (None, Some(default)) => drop(values.insert(name.clone(), default.clone())),
            (None, None) => errors.push(
                Error::recipe(format!("`{component}` needs the parameter `{name}`"))
                    .coded(codes::MISSING_PARAMETER)
                    .hint(match parameter.doc.is_empty() {
                        true => parameter.describe(),
                        false => format!("{}: {}", parameter.describe(), parameter.doc),
                    }),
            ),
        }
    }
    Error::join(errors).map_or(Ok(values), Err)
}

/// Checks the parameters that are given, where others may come from elsewhere.
///
/// # Errors
/// Unknown and mistyped parameters, and those out of range, all of them at once.
pub fn check_given(component: &str, declared: &[Declared], params: &Params) -> Result<()> {
    let unknown = params.keys().filter_map(|name| unknown(component, declared, name));
    let given = declared.iter().filter_map(|parameter| Some((parameter, params.get(&parameter.name)?)));
    let wrong = given.filter_map(|(parameter, value)| parameter.check(component, value).err());
    Error::join(unknown.chain(wrong).collect()).map_or(Ok(()), Err)
}

fn unknown(component: &str, declared: &[Declared], name: &str) -> Option<Error> {
    let names = || declared.iter().map(|parameter| parameter.name.as_str());
    if names().any(|known| known == name) {
        return None;
    }
    let error = Error::recipe(format!("`{component}` has no parameter `{name}`"))
        .coded(codes::UNKNOWN_PARAMETER)
        .maybe_hint(error::did_you_mean(name, names()));
    Some(match declared.is_empty() {
        true => error.hint("it takes no parameters"),
        false => error.hint(format!("parameters: {}", error::list(names()))),
    })
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn number(min: Option<f64>, max: Option<f64>) -> Declared {
        let doc = String::new();
        Declared { name: "x".into(), kind: Type::Float, default: None, doc, min, max, choices: Vec::new() }
    }

    #[test]
    fn ranges_and_choices_are_described_and_kept() {
        assert_eq!(number(None, None).describe(), "a number");
        assert_eq!(number(Some(0.0), None).describe(), "a number of at least 0");
        assert_eq!(number(None, Some(0.5)).describe(), "a number of at most 0.5");
        let share = number(Some(0.0), Some(1.0));
        for right in [json!(0), json!(1.0), json!(0.5)] {
            assert_eq!(share.check("c", &right), Ok(()), "{right}");
        }
        for (wrong, code) in
            [(json!(-1), "B0214"), (json!(1.5), "B0214"), (json!("1"), "B0213"), (json!(null), "B0213")]
        {
            assert_eq!(share.check("c", &wrong).unwrap_err().code(), Some(code), "{wrong}");
        }
        let list = Declared { kind: Type::Floats, ..share.clone() };
        assert_eq!(list.check("c", &json!([0, 1])), Ok(()));
        let error = list.check("c", &json!([0, 2])).unwrap_err();
        assert_eq!(error.message(), "parameter `x` of `c`: expected a list of numbers from 0 to 1, found a list of 2");
        let choice =
            Declared { kind: Type::Text, choices: vec![json!("mean"), json!("max")], min: None, max: None, ..share };
        let error = choice.check("c", &json!("men")).unwrap_err();
        assert_eq!(
            error.message(),
            "parameter `x` of `c`: expected one of `\"mean\"`, `\"max\"`, found the text \"men\""
        );
        assert_eq!(error.hints(), ["did you mean `mean`?"]);
    }

    #[test]
    fn all_mistakes_are_told_at_once_and_defaults_filled_in() {
        let rate = Declared { name: "rate".into(), default: Some(json!(0.5)), ..number(None, None) };
        let declared = [number(Some(0.0), None), rate];
        let params = |value: Value| value.as_object().cloned().unwrap();
        let checked = check("c", &declared, &params(json!({"x": 1}))).unwrap();
        assert_eq!(Value::Object(checked), json!({"x": 1, "rate": 0.5}));
        let error = check("c", &declared, &params(json!({"rat": 1, "rate": "fast"}))).unwrap_err();
        let messages: Vec<String> = error.split().iter().map(|error| error.message().to_owned()).collect();
        let wrong = "parameter `rate` of `c`: expected a number, found the text \"fast\"";
        assert_eq!(messages, ["`c` has no parameter `rat`", wrong, "`c` needs the parameter `x`"]);
    }
}
