//! Which types of a column of Parquet or Arrow records can hold.

use std::fmt::Display;

use arrow_schema::{DataType, Schema, TimeUnit};

use crate::error::Error;

/// Returns what is wrong with the columns: each type that records cannot hold, and each missing or
/// repeated name.
pub(super) fn check(schema: &Schema) -> Vec<Error> {
    let mut errors = Vec::new();
    for (at, field) in schema.fields().iter().enumerate() {
        let name = field.name();
        if name.is_empty() {
            errors.push(Error::data(format!("column {} has no name", at + 1)));
        }
        if let Some(before) = schema.fields().iter().take(at).position(|known| known.name() == name) {
            errors.push(Error::data(format!("two columns are named `{name}`: {} and {}", before + 1, at + 1)));
        }
        errors.extend(refuse(name, field.data_type()));
    }
    errors
}

/// Returns why a column cannot be read; `name` is dotted within structures.
fn refuse(name: &str, kind: &DataType) -> Vec<Error> {
    let error = |what: &str, hint: String| {
        vec![Error::data(format!("column `{name}` holds {what}, which records cannot hold")).hint(hint)]
    };
    let rewrite = |how: &dyn Display| format!("write the file with `{name}` {how}, or without it");
    match kind {
        DataType::Date32 | DataType::Date64 => error("dates", rewrite(&"as text or as a number of days")),
        DataType::Timestamp(unit, _) => {
            let unit = match unit {
                TimeUnit::Second => "seconds",
                TimeUnit::Millisecond => "milliseconds",
                TimeUnit::Microsecond => "microseconds",
                TimeUnit::Nanosecond => "nanoseconds",
            };
            error("dates with times", rewrite(&format_args!("as text or as a number of {unit}")))
        }
        DataType::Time32(_) | DataType::Time64(_) => error("times of day", rewrite(&"as text or as a number")),
        DataType::Duration(_) | DataType::Interval(_) => error("time spans", rewrite(&"as a number")),
        DataType::Decimal32(..) | DataType::Decimal64(..) | DataType::Decimal128(..) | DataType::Decimal256(..) => {
            error("decimals", rewrite(&"as floats, or as whole numbers of the smallest unit"))
        }
        DataType::Binary | DataType::LargeBinary | DataType::BinaryView | DataType::FixedSizeBinary(_) => {
            error("bytes", rewrite(&"as text (UTF-8) or as lists of numbers"))
        }
        DataType::List(item) | DataType::LargeList(item) | DataType::FixedSizeList(item, _) => {
            refuse(name, item.data_type())
        }
        DataType::Struct(fields) => {
            fields.iter().flat_map(|field| refuse(&format!("{name}.{}", field.name()), field.data_type())).collect()
        }
        DataType::Null
        | DataType::Boolean
        | DataType::Int8
        | DataType::Int16
        | DataType::Int32
        | DataType::Int64
        | DataType::UInt8
        | DataType::UInt16
        | DataType::UInt32
        | DataType::UInt64
        | DataType::Float16
        | DataType::Float32
        | DataType::Float64
        | DataType::Utf8
        | DataType::LargeUtf8
        | DataType::Utf8View => Vec::new(),
        // Texts that are numbered, as categories of data frames are.
        DataType::Dictionary(_, value)
            if matches!(**value, DataType::Utf8 | DataType::LargeUtf8 | DataType::Utf8View) =>
        {
            Vec::new()
        }
        DataType::Dictionary(..) => error("numbered values that are no texts", rewrite(&"as plain values")),
        DataType::Map(..) => error("maps with keys of their own", rewrite(&"as columns, one for each key")),
        _ => error("values of an unknown type", rewrite(&"as numbers or text")),
    }
}
