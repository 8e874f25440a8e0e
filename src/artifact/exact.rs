//! Floating-point numbers in JSON that read back bit for bit.
//!
//! The JSON reader may be off by the last bit, and JSON has no word for infinities; so what a resumed run
//! depends on is written as the text of the shortest decimal. Used as `#[serde(with = "exact")]`.

use serde::{Deserialize, Deserializer, Serializer};
use serde_json::Value;

/// Returns a number as text: `"0.1"`, `"inf"`, `"NaN"`.
pub fn to_json(value: f64) -> Value {
    Value::String(format!("{value:?}"))
}

/// Reads what [`to_json`] made; a plain JSON number will do, too.
pub fn from_json(value: &Value) -> Option<f64> {
    match value {
        Value::String(text) => text.parse().ok(),
        value => value.as_f64(),
    }
}

/// Writes a number as text.
pub fn serialize<S: Serializer>(value: &f64, serializer: S) -> Result<S::Ok, S::Error> {
    serializer.serialize_str(&format!("{value:?}"))
}

/// Reads a number from text.
pub fn deserialize<'de, D: Deserializer<'de>>(deserializer: D) -> Result<f64, D::Error> {
    let value = Value::deserialize(deserializer)?;
    from_json(&value).ok_or_else(|| serde::de::Error::custom(format!("expected a number, found {value}")))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_kind_of_number_reads_back() {
        let awkward = [0.1, -0.0, 1e-5, 5e-324, f64::MAX, 0.1 + 0.2, f64::INFINITY, f64::NEG_INFINITY, 1e300 / 3.0];
        for value in awkward {
            let text = to_json(value).to_string();
            let read = from_json(&serde_json::from_str(&text).unwrap()).unwrap();
            assert_eq!(read.to_bits(), value.to_bits(), "{text}");
        }
        assert!(from_json(&to_json(f64::NAN)).unwrap().is_nan());
        assert_eq!(from_json(&Value::Bool(true)), None);
    }
}
