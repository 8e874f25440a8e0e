//! What a name stands for while a script runs once for a whole chunk: one value for all lanes, or one value a
//! lane, in the most compact form there is. A lane is one record; inside a branch the lanes are those
//! records that take it.

use std::collections::BTreeMap;
use std::sync::Arc;

use rhai::{Array as List, Dynamic, Identifier, ImmutableString, Map};

use super::halt::{Halt, Outcome};
use super::rngs::Rngs;
use crate::record::Rows;
use crate::script::api::random::Rng;
use crate::tensor::{Array, Tensor};

/// Positions of lanes, ascending unless said otherwise.
pub(super) type Positions = Arc<Vec<u32>>;

/// The longest array a lane may have whose elements become columns of their own; longer ones stay arrays.
const WIDEST: usize = 64;

/// The values of all lanes.
#[derive(Clone, Debug)]
pub(super) enum Value {
    /// One value for all lanes; neither an array nor a map.
    Same(Dynamic),
    /// An array of the same length in every lane, element by element.
    List(Arc<Vec<Value>>),
    /// A map with the same names in every lane, name by name.
    Map(Arc<BTreeMap<Identifier, Value>>),
    Ints(Arc<Vec<i64>>),
    Floats(Arc<Vec<f64>>),
    Bools(Arc<Vec<bool>>),
    Texts(Arc<Vec<Arc<str>>>),
    /// Tensors of one shape and dtype: lanes on axis 0.
    Tensors(Array),
    /// Anything, lane by lane.
    Each(Arc<Vec<Dynamic>>),
    Records(Rows),
    Rngs(Rngs),
    /// A function with captured values.
    Closure(Arc<Closure>),
}

/// A closure: its function and what it captured, whose lanes are those of the place where it was made.
#[derive(Debug)]
pub(super) struct Closure {
    pub function: usize,
    pub captured: Vec<Value>,
}

impl Value {
    pub const UNIT: Value = Value::Same(Dynamic::UNIT);

    pub fn int(value: i64) -> Value {
        Value::Same(Dynamic::from(value))
    }

    pub fn bool(value: bool) -> Value {
        Value::Same(Dynamic::from(value))
    }

    pub fn text(text: &str) -> Value {
        Value::Same(Dynamic::from(text.to_owned()))
    }

    pub fn tensor(tensor: Tensor) -> Value {
        Value::Same(Dynamic::from(tensor))
    }

    pub fn ints(values: Vec<i64>) -> Value {
        Value::Ints(Arc::new(values))
    }

    pub fn floats(values: Vec<f64>) -> Value {
        Value::Floats(Arc::new(values))
    }

    pub fn bools(values: Vec<bool>) -> Value {
        Value::Bools(Arc::new(values))
    }

    pub fn texts(values: Vec<Arc<str>>) -> Value {
        Value::Texts(Arc::new(values))
    }

    pub fn list(values: Vec<Value>) -> Value {
        Value::List(Arc::new(values))
    }

    /// Returns a script's value as that of all lanes.
    pub fn from_dynamic(value: Dynamic) -> Value {
        let value = value.flatten();
        if value.is_array() {
            return Value::list(value.into_array().unwrap_or_default().into_iter().map(Value::from_dynamic).collect());
        }
        match value.try_cast_result::<Map>() {
            Ok(map) => {
                Value::Map(Arc::new(map.into_iter().map(|(name, value)| (name, Value::from_dynamic(value))).collect()))
            }
            Err(value) => Value::Same(value),
        }
    }

    /// Returns whether all lanes have one value.
    pub fn is_uniform(&self) -> bool {
        match self {
            Value::Same(_) => true,
            Value::List(items) => items.iter().all(Value::is_uniform),
            Value::Map(fields) => fields.values().all(Value::is_uniform),
            _ => false,
        }
    }

    /// Returns the one value of all lanes as a script has it.
    pub fn uniform(&self) -> Option<Dynamic> {
        self.is_uniform().then(|| self.lane(0)).flatten()
    }

    /// Returns the value of one lane as a script has it; `None` for a closure, and a lane that does not exist.
    pub fn lane(&self, at: usize) -> Option<Dynamic> {
        Some(match self {
            Value::Same(value) => value.clone(),
            Value::List(items) => Dynamic::from(items.iter().map(|item| item.lane(at)).collect::<Option<List>>()?),
            Value::Map(fields) => {
                let field = |(name, value): (&Identifier, &Value)| Some((name.clone(), value.lane(at)?));
                Dynamic::from(fields.iter().map(field).collect::<Option<Map>>()?)
            }
            Value::Ints(values) => Dynamic::from(*values.get(at)?),
            Value::Floats(values) => Dynamic::from(*values.get(at)?),
            Value::Bools(values) => Dynamic::from(*values.get(at)?),
            Value::Texts(values) => Dynamic::from(ImmutableString::from(&**values.get(at)?)),
            Value::Tensors(array) => Dynamic::from(Tensor::Host(array.row(at))),
            Value::Each(values) => values.get(at)?.clone(),
            Value::Records(rows) => Dynamic::from(rows.record(at)?),
            Value::Rngs(rngs) => Dynamic::from(Rng::new(rngs.stream(at)?)),
            Value::Closure(_) => return None,
        })
    }

    /// Returns a value for script code that runs lane by lane: what [`Value::lane`] would refuse, halts.
    pub fn lane_or_halt(&self, at: usize) -> Outcome<Dynamic> {
        self.lane(at).ok_or_else(|| Halt::new("a function with captured variables is handed on"))
    }

    /// Returns the values of the lanes at these positions.
    pub fn take(&self, at: &[u32]) -> Value {
        fn pick<T: Clone>(values: &[T], at: &[u32]) -> Arc<Vec<T>> {
            Arc::new(at.iter().filter_map(|&at| values.get(at as usize).cloned()).collect())
        }
        match self {
            Value::Same(_) => self.clone(),
            Value::List(items) if self.is_uniform() => Value::List(items.clone()),
            Value::List(items) => Value::list(items.iter().map(|item| item.take(at)).collect()),
            Value::Map(fields) if self.is_uniform() => Value::Map(fields.clone()),
            Value::Map(fields) => {
                Value::Map(Arc::new(fields.iter().map(|(name, value)| (name.clone(), value.take(at))).collect()))
            }
            Value::Ints(values) => Value::Ints(pick(values, at)),
            Value::Floats(values) => Value::Floats(pick(values, at)),
            Value::Bools(values) => Value::Bools(pick(values, at)),
            Value::Texts(values) => Value::Texts(pick(values, at)),
            Value::Tensors(array) => {
                let rows: Vec<usize> = at.iter().map(|&at| at as usize).collect();
                // Positions are below the number of lanes.
                Value::Tensors(array.take_rows(&rows).unwrap_or_else(|_| array.clone()))
            }
            Value::Each(values) => Value::Each(pick(values, at)),
            Value::Records(rows) => Value::Records(rows.take(at)),
            Value::Rngs(rngs) => Value::Rngs(rngs.take(at)),
            Value::Closure(closure) => Value::Closure(Arc::new(Closure {
                function: closure.function,
                captured: closure.captured.iter().map(|value| value.take(at)).collect(),
            })),
        }
    }

    /// Returns the most compact form of values given lane by lane.
    pub fn compact(values: Vec<Dynamic>) -> Value {
        let Some(first) = values.first() else { return Value::Each(Arc::new(values)) };
        if first.is_int() {
            if let Some(ints) = all(&values, |value| value.as_int().ok()) {
                return Value::ints(ints);
            }
        } else if first.is_float() {
            if let Some(floats) = all(&values, |value| value.as_float().ok()) {
                return Value::floats(floats);
            }
        } else if first.is_bool() {
            if let Some(bools) = all(&values, |value| value.as_bool().ok()) {
                return Value::bools(bools);
            }
        } else if first.is_string() {
            let text = |value: &Dynamic| value.as_immutable_string_ref().ok().map(|text| Arc::from(text.as_str()));
            if let Some(texts) = all(&values, text) {
                return Value::texts(texts);
            }
        } else if first.is_unit() {
            if values.iter().all(Dynamic::is_unit) {
                return Value::UNIT;
            }
        } else if first.is_array() {
            return compact_arrays(values);
        } else if first.is_map() {
            return compact_maps(values);
        } else if first.is::<Tensor>()
            && let Some(tensors) = all(&values, |value| value.read_lock::<Tensor>().map(|tensor| tensor.clone()))
            && let Some(array) = stacked(&tensors)
        {
            return Value::Tensors(array);
        }
        Value::Each(Arc::new(values))
    }

    /// Returns whether both are the same one value of all lanes, bit for bit.
    pub fn is_one_with(&self, other: &Value) -> bool {
        match (self, other) {
            (Value::Same(a), Value::Same(b)) => same_scalar(a, b),
            (Value::List(a), Value::List(b)) => a.len() == b.len() && a.iter().zip(&**b).all(|(a, b)| a.is_one_with(b)),
            (Value::Map(a), Value::Map(b)) => {
                a.len() == b.len()
                    && a.iter().zip(&**b).all(|((name, a), (other, b))| name == other && a.is_one_with(b))
            }
            _ => false,
        }
    }

    pub fn as_ints(&self, len: usize) -> Option<Arc<Vec<i64>>> {
        match self {
            Value::Ints(values) => Some(values.clone()),
            Value::Same(value) => value.as_int().ok().map(|value| Arc::new(vec![value; len])),
            _ => None,
        }
    }

    pub fn as_floats(&self, len: usize) -> Option<Arc<Vec<f64>>> {
        match self {
            Value::Floats(values) => Some(values.clone()),
            Value::Same(value) => value.as_float().ok().map(|value| Arc::new(vec![value; len])),
            _ => None,
        }
    }

    pub fn as_bools(&self, len: usize) -> Option<Arc<Vec<bool>>> {
        match self {
            Value::Bools(values) => Some(values.clone()),
            Value::Same(value) => value.as_bool().ok().map(|value| Arc::new(vec![value; len])),
            _ => None,
        }
    }

    pub fn as_texts(&self, len: usize) -> Option<Arc<Vec<Arc<str>>>> {
        match self {
            Value::Texts(values) => Some(values.clone()),
            Value::Same(value) => {
                let text: Arc<str> = value.as_immutable_string_ref().ok()?.as_str().into();
                Some(Arc::new(vec![text; len]))
            }
            _ => None,
        }
    }

    /// Returns the one tensor of all lanes.
    pub fn same_tensor(&self) -> Option<Tensor> {
        match self {
            Value::Same(value) => value.read_lock::<Tensor>().map(|tensor| tensor.clone()),
            _ => None,
        }
    }

    /// Returns the one whole number of all lanes.
    pub fn same_int(&self) -> Option<i64> {
        match self {
            Value::Same(value) => value.as_int().ok(),
            _ => None,
        }
    }

    /// Returns the one text of all lanes.
    pub fn same_text(&self) -> Option<ImmutableString> {
        match self {
            Value::Same(value) => value.as_immutable_string_ref().ok().map(|text| text.clone()),
            _ => None,
        }
    }
}

/// Returns the rows of tensors of one dtype and shape, all on the host.
pub(super) fn stacked(tensors: &[Tensor]) -> Option<Array> {
    let arrays = tensors.iter().map(|tensor| match tensor {
        Tensor::Host(array) => Some(array.clone()),
        Tensor::Graph(_) => None,
    });
    let arrays: Vec<Array> = arrays.collect::<Option<_>>()?;
    let first = arrays.first()?;
    let alike = arrays.iter().all(|array| array.dtype() == first.dtype() && array.shape() == first.shape());
    alike.then(|| Array::stack(&arrays).ok()).flatten()
}

fn all<T>(values: &[Dynamic], one: impl Fn(&Dynamic) -> Option<T>) -> Option<Vec<T>> {
    values.iter().map(one).collect()
}

fn compact_arrays(values: Vec<Dynamic>) -> Value {
    let len = |value: &Dynamic| value.as_array_ref().ok().map(|list| list.len());
    let first = values.first().and_then(len);
    let Some(width) = first.filter(|width| *width <= WIDEST && values.iter().all(|value| len(value) == first)) else {
        return Value::Each(Arc::new(values));
    };
    let mut columns: Vec<Vec<Dynamic>> = (0..width).map(|_| Vec::with_capacity(values.len())).collect();
    for value in values {
        for (column, item) in columns.iter_mut().zip(value.into_array().unwrap_or_default()) {
            column.push(item);
        }
    }
    Value::list(columns.into_iter().map(Value::compact).collect())
}

fn compact_maps(values: Vec<Dynamic>) -> Value {
    let names = |value: &Dynamic| value.as_map_ref().ok().map(|map| map.keys().cloned().collect::<Vec<_>>());
    let first = values.first().and_then(names);
    let Some(names) = first.filter(|first| values.iter().all(|value| names(value).as_ref() == Some(first))) else {
        return Value::Each(Arc::new(values));
    };
    let mut columns: Vec<Vec<Dynamic>> = names.iter().map(|_| Vec::with_capacity(values.len())).collect();
    for value in values {
        let fields = value.try_cast::<Map>().unwrap_or_default();
        for (column, (_, field)) in columns.iter_mut().zip(fields) {
            column.push(field);
        }
    }
    Value::Map(Arc::new(names.into_iter().zip(columns.into_iter().map(Value::compact)).collect()))
}

/// Returns the array in each of `len` lanes.
pub(super) fn repeated(array: &Array, len: usize) -> Option<Array> {
    array.raised(0).take_rows(&vec![0; len]).ok()
}

fn same_scalar(a: &Dynamic, b: &Dynamic) -> bool {
    if a.type_id() != b.type_id() {
        return false;
    }
    if let (Ok(a), Ok(b)) = (a.as_float(), b.as_float()) {
        return a.to_bits() == b.to_bits();
    }
    if let (Ok(a), Ok(b)) = (a.as_immutable_string_ref(), b.as_immutable_string_ref()) {
        return *a == *b;
    }
    if let (Some(a), Some(b)) = (a.read_lock::<Tensor>(), b.read_lock::<Tensor>()) {
        return matches!((&*a, &*b), (Tensor::Host(a), Tensor::Host(b)) if a.same(b));
    }
    match (a.as_int(), a.as_bool(), a.as_char()) {
        (Ok(value), ..) => b.as_int() == Ok(value),
        (_, Ok(value), _) => b.as_bool() == Ok(value),
        (.., Ok(value)) => b.as_char() == Ok(value),
        _ => a.is_unit() && b.is_unit(),
    }
}
