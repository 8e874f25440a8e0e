//! One row of a table.

use rhai::plugin::*;
use rhai::{Array as List, Dynamic, Engine, Map};

use crate::error::{Error, codes};
use crate::record::{Field, Name, Record, Value};
use crate::script::api::Page;
use crate::script::api::arguments::Answer;
use crate::script::cast;
use crate::script::traceback::{raise, type_phrase};
use crate::tensor::Tensor;

/// The page of the manual.
pub const PAGE: Page = Page {
    name: "record",
    title: "Record",
    intro: "A row of a table, as a loader gets it. Its fields are read by name, `record.x1` or `record[\"x1\"]`; a field \
            that does not exist or has no value is an error, unless `get` gives a default.",
    register,
};

fn register(engine: &mut Engine) {
    engine.register_type_with_name::<Record>("Record");
    engine.register_global_module(exported_module!(functions).into());
}

/// Stacks values; whole numbers beside others become f32, as in a list of numbers.
fn side_by_side(parts: &[Tensor]) -> crate::Result<Tensor> {
    let one_dtype = parts.windows(2).all(|pair| pair[0].dtype() == pair[1].dtype());
    match one_dtype {
        true => Tensor::stack(parts, 0),
        false => Tensor::stack(&parts.iter().map(Tensor::to_f32).collect::<crate::Result<Vec<_>>>()?, 0),
    }
}

#[export_module]
#[allow(clippy::unwrap_used, reason = "what the macro makes of a `&mut` argument")]
mod functions {
    /// Returns a field: a whole number, a number, true or false, a text, a tensor or an array.
    ///
    /// # Errors
    /// A field that does not exist (with the nearest name) or has no value.
    ///
    /// ```rhai
    /// let record = records([#{ x1: 2.5, name: "a" }])[0];
    /// [record.x1, record["name"]] // => [2.5, "a"]
    /// ```
    #[rhai_fn(index_get, pure, return_raw)]
    pub fn index(record: &mut Record, name: &str) -> Answer<Dynamic> {
        record.get(name).map(cast::from_value).map_err(raise)
    }

    /// Returns a field, or the default when the record does not have it or it has no value.
    ///
    /// ```rhai
    /// let record = records([#{ x: 1 }])[0];
    /// [record.get("x", 0), record.get("weight", 1.0)] // => [1, 1.0]
    /// ```
    #[rhai_fn(name = "get", pure, return_raw)]
    pub fn get(record: &mut Record, name: &str, default: Dynamic) -> Answer<Dynamic> {
        match record.get_or(name) {
            Ok(Some(Value::Null) | None) => Ok(default),
            Ok(Some(value)) => Ok(cast::from_value(value)),
            Err(error) => Err(raise(error)),
        }
    }

    /// Returns the named fields as one tensor of shape `[n]`: i64 when all are whole numbers, else f32.
    ///
    /// # Errors
    /// A field that does not exist, has no value, or is no number.
    ///
    /// ```rhai
    /// let record = records([#{ a: 1.5, b: 2, c: 0.5 }])[0];
    /// record.gather(["a", "c"]).to_array() // => [1.5, 0.5]
    /// ```
    #[rhai_fn(name = "gather", pure, return_raw)]
    pub fn gather(record: &mut Record, names: List) -> Answer<Tensor> {
        if names.is_empty() {
            return Err(raise(Error::script("`gather` needs at least one name of a field")));
        }
        let mut parts = Vec::with_capacity(names.len());
        for name in &names {
            let name = name.as_immutable_string_ref().map_err(|found| {
                raise(Error::script(format!("`gather` needs names of fields, found {}", type_phrase(found))))
            })?;
            let name = name.as_str();
            match record.field(name).map_err(raise)? {
                Field::Tensor(tensor) => parts.push(tensor),
                _ => {
                    let error = Error::data(format!("field `{name}` is a text, not a number")).coded(codes::WRONG_CELL);
                    return Err(raise(error.within(record.place())));
                }
            }
        }
        side_by_side(&parts).map_err(|error| raise(error.within(record.place())))
    }

    /// Returns the names of the fields.
    ///
    /// ```rhai
    /// records([#{ a: 1, b: 2 }])[0].keys() // => ["a", "b"]
    /// ```
    #[rhai_fn(name = "keys", pure)]
    pub fn keys(record: &mut Record) -> List {
        record.keys().iter().map(|name: &Name| Dynamic::from(name.to_string())).collect()
    }

    /// Returns the row as a map; fields without a value are left out.
    ///
    /// ```rhai
    /// records([#{ a: 1, b: "x" }])[0].to_map() // => #{"a": 1, "b": "x"}
    /// ```
    #[rhai_fn(name = "to_map", pure, return_raw)]
    pub fn to_map(record: &mut Record) -> Answer<Map> {
        let mut map = Map::new();
        for name in record.keys().to_vec() {
            match record.get_or(&name).map_err(raise)? {
                None | Some(Value::Null) => (),
                Some(value) => drop(map.insert((&*name).into(), cast::from_value(value))),
            }
        }
        Ok(map)
    }

    /// Returns the number of the row in its file or list, from 0.
    ///
    /// ```rhai
    /// records([#{ a: 1 }, #{ a: 2 }])[1].row // => 1
    /// ```
    #[rhai_fn(get = "row", name = "row", pure)]
    pub fn row(record: &mut Record) -> i64 {
        record.index() as i64
    }

    /// Returns whether the record has a field of this name, with or without a value: `"x" in record`.
    ///
    /// ```rhai
    /// "a" in records([#{ a: 1 }])[0] // => true
    /// ```
    #[rhai_fn(name = "contains", pure)]
    pub fn contains(record: &mut Record, name: &str) -> bool {
        record.keys().iter().any(|key| &**key == name)
    }

    /// Returns the row as text.
    #[rhai_fn(global, name = "to_string", name = "to_debug", pure)]
    pub fn to_string(context: NativeCallContext, record: &mut Record) -> String {
        let shown = |name: &Name| {
            let mut value = record.get_or(name).ok().flatten().map_or(Dynamic::UNIT, cast::from_value);
            let text = context.call_native_fn_raw("to_debug", true, &mut [&mut value]);
            format!("{name}: {}", text.map(|text| text.to_string()).unwrap_or_default())
        };
        format!("Record(#{{ {} }})", record.keys().iter().map(shown).collect::<Vec<_>>().join(", "))
    }
}
