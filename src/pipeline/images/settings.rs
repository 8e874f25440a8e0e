//! The settings of one operation on one picture, read one by one.

use crate::error::{self, Error, Result, codes};
use crate::record::{Name, Value};
use crate::tensor::{Border, Number, Tensor};

/// Values by name; what was not asked for is refused at the end.
pub struct Settings {
    operation: &'static str,
    values: Vec<(Name, Value)>,
    known: Vec<&'static str>,
}

impl Settings {
    /// Starts reading the settings of an operation.
    pub fn new(operation: &'static str, values: Vec<(Name, Value)>) -> Settings {
        Settings { operation, values, known: Vec::new() }
    }

    /// Takes a value; a missing one counts as none.
    pub fn take(&mut self, name: &'static str) -> Option<Value> {
        self.known.push(name);
        let at = self.values.iter().position(|(known, _)| &**known == name)?;
        Some(self.values.remove(at).1).filter(|value| !value.is_null())
    }

    /// Takes a value that has to be there.
    ///
    /// # Errors
    /// It is not.
    pub fn need(&mut self, name: &'static str) -> Result<Value> {
        self.take(name).ok_or_else(|| {
            Error::data(format!("`{}` needs the option `{name}`", self.operation)).coded(codes::WRONG_OPTION)
        })
    }

    /// Returns the error of a value that is not what is expected.
    pub fn wrong(&self, name: &str, expected: &str, found: &Value) -> Error {
        Error::data(format!("option `{name}` of `{}`: expected {expected}, found {}", self.operation, shown(found)))
            .coded(codes::WRONG_OPTION)
    }

    /// Takes a number.
    ///
    /// # Errors
    /// Anything else, and one that is not finite.
    pub fn number(&mut self, name: &'static str) -> Result<Option<f64>> {
        let Some(value) = self.take(name) else { return Ok(None) };
        one(&value).map(Some).ok_or_else(|| self.wrong(name, "a number", &value))
    }

    /// Takes a number of at least 0.
    ///
    /// # Errors
    /// Anything else.
    pub fn amount(&mut self, name: &'static str) -> Result<Option<f64>> {
        let Some(value) = self.take(name) else { return Ok(None) };
        let number = one(&value).filter(|number| *number >= 0.0);
        number.map(Some).ok_or_else(|| self.wrong(name, "a number of at least 0", &value))
    }

    /// Takes a number or several.
    ///
    /// # Errors
    /// Anything else.
    pub fn numbers(&mut self, name: &'static str) -> Result<Option<Vec<f32>>> {
        let Some(value) = self.take(name) else { return Ok(None) };
        let list = list(&value).filter(|list| !list.is_empty());
        let list = list.ok_or_else(|| self.wrong(name, "a number, or an array of numbers", &value))?;
        Ok(Some(list.into_iter().map(|number| number as f32).collect()))
    }

    /// Takes a whole number or several.
    ///
    /// # Errors
    /// Anything else.
    pub fn wholes(&mut self, name: &'static str) -> Result<Option<Vec<isize>>> {
        let Some(value) = self.take(name) else { return Ok(None) };
        let whole = |list: Vec<f64>| list.into_iter().map(whole).collect::<Option<Vec<isize>>>();
        let list = list(&value).and_then(whole).filter(|list| !list.is_empty());
        list.map(Some).ok_or_else(|| self.wrong(name, "a whole number, or an array of them", &value))
    }

    /// Takes two lengths, one number standing for both.
    ///
    /// # Errors
    /// Anything but one or two whole numbers of at least 1.
    pub fn size(&mut self, name: &'static str) -> Result<Option<(usize, usize)>> {
        let Some(value) = self.take(name) else { return Ok(None) };
        let length = |number: f64| whole(number).filter(|number| *number >= 1).map(|number| number as usize);
        let size = match list(&value).as_deref() {
            Some([one]) => length(*one).map(|one| (one, one)),
            Some([height, width]) => length(*height).zip(length(*width)),
            _ => None,
        };
        size.map(Some).ok_or_else(|| self.wrong(name, "[height, width], whole numbers of at least 1", &value))
    }

    /// Takes true or false.
    ///
    /// # Errors
    /// Anything else.
    pub fn flag(&mut self, name: &'static str) -> Result<bool> {
        match self.take(name) {
            None => Ok(false),
            Some(Value::Bool(flag)) => Ok(flag),
            Some(value) => Err(self.wrong(name, "true or false", &value)),
        }
    }

    /// Takes a text.
    ///
    /// # Errors
    /// Anything else.
    pub fn text(&mut self, name: &'static str) -> Result<Option<String>> {
        match self.take(name) {
            None => Ok(None),
            Some(Value::Text(text)) => Ok(Some(text.to_string())),
            Some(value) => Err(self.wrong(name, "a text", &value)),
        }
    }

    /// Takes a picture.
    ///
    /// # Errors
    /// Anything else.
    pub fn picture(&mut self, name: &'static str) -> Result<Tensor> {
        match self.need(name)? {
            Value::Tensor(picture) if (2..=3).contains(&picture.rank()) => Ok(picture),
            value => Err(self.wrong(name, "a picture", &value)),
        }
    }

    /// Takes what stands beyond the border: a number, by default 0, or the name of a border.
    ///
    /// # Errors
    /// Anything else.
    pub fn fill(&mut self, name: &'static str) -> Result<(f64, Option<Border>)> {
        match self.take(name) {
            None => Ok((0.0, None)),
            Some(Value::Text(border)) => Ok((0.0, Some(Border::parse(&border)?))),
            Some(value) => match one(&value) {
                Some(number) => Ok((number, None)),
                None => Err(self.wrong(name, "a number, `reflect` or `edge`", &value)),
            },
        }
    }

    /// Returns what is to be told of an operation that could not be made: a name that is left and nearly that of a
    /// setting comes before the setting that is missing for it.
    pub fn refused(self, error: Error) -> Error {
        let near = |name: &str| error::nearest(name, self.known.iter().copied()).is_some();
        match self.values.iter().position(|(name, _)| near(name)) {
            Some(at) if !self.known.contains(&&*self.values[at].0) => self.unknown(at),
            _ => error,
        }
    }

    /// Refuses what is left.
    ///
    /// # Errors
    /// A name that is not known.
    pub fn finish(self) -> Result<()> {
        match self.values.is_empty() {
            true => Ok(()),
            false => Err(self.unknown(0)),
        }
    }

    fn unknown(&self, at: usize) -> Error {
        let name = &self.values[at].0;
        Error::data(format!("`{}` has no option `{name}`", self.operation))
            .coded(codes::WRONG_OPTION)
            .maybe_hint(error::did_you_mean(name, self.known.iter().copied()))
            .hint(format!(
                "options: {}",
                error::list(self.known.iter().copied().chain(["src", "dst", "p", "target", "workers"]))
            ))
    }
}

fn shown(value: &Value) -> String {
    match value {
        Value::Int(number) => number.to_string(),
        Value::Float(number) => format!("{number:?}"),
        other => other.describe(),
    }
}

fn one(value: &Value) -> Option<f64> {
    match value {
        Value::Int(number) => Some(*number as f64),
        Value::Float(number) => Some(*number).filter(|number| number.is_finite()),
        Value::Tensor(tensor) if tensor.rank() == 0 => match tensor.item().ok()? {
            Number::Int(number) => Some(number as f64),
            Number::Float(number) => Some(number).filter(|number| number.is_finite()),
        },
        _ => None,
    }
}

fn list(value: &Value) -> Option<Vec<f64>> {
    match value {
        Value::Tensor(tensor) if tensor.rank() == 1 => {
            let numbers = tensor.to_host().ok()?.to_f64_vec();
            numbers.iter().all(|number| number.is_finite()).then_some(numbers)
        }
        Value::List(values) => values.iter().map(one).collect(),
        other => one(other).map(|number| vec![number]),
    }
}

/// Returns a number that has no fraction as a whole one.
pub fn whole(number: f64) -> Option<isize> {
    (number.fract() == 0.0 && number.abs() < 1e9).then_some(number as isize)
}

/// Returns two numbers, or one for both.
pub fn pair(value: &Value) -> Option<(f64, f64)> {
    match list(value)?.as_slice() {
        [one] => Some((*one, *one)),
        [first, second] => Some((*first, *second)),
        _ => None,
    }
}
