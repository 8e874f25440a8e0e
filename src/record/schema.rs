//! The schema of records: stored with the artifacts, imposed on later files.

use std::fmt;

use serde::{Deserialize, Serialize};

use crate::tensor::Dtype;

/// The columns of records: name, type, and whether a value may be missing.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Schema {
    /// The columns in order.
    pub columns: Vec<ColumnSchema>,
}

/// One column of a [`Schema`].
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ColumnSchema {
    /// The column's name.
    pub name: String,
    /// The type of its values.
    #[serde(rename = "type")]
    pub kind: ColumnType,
    /// Whether a value was missing. For the reader: imposing a schema does not refuse missing values,
    /// the access to one does.
    pub nullable: bool,
}

/// The type of a column's values.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub enum ColumnType {
    /// Whole numbers of 64 bits.
    Int,
    /// Numbers.
    Float,
    /// `true` and `false`.
    Bool,
    /// Texts.
    Text,
    /// Lists of texts.
    Texts,
    /// Tensors of one dtype; shapes may differ.
    Tensor(Dtype),
    /// Anything else: maps, and mixtures of types.
    Mixed,
}

impl Schema {
    /// Returns the column of this name.
    pub fn column(&self, name: &str) -> Option<&ColumnSchema> {
        self.columns.iter().find(|column| column.name == name)
    }
}

impl ColumnType {
    /// Returns what a value of the column is, for errors: "a number".
    pub(super) fn describe(self) -> &'static str {
        match self {
            ColumnType::Int | ColumnType::Float => "a number",
            ColumnType::Bool => "true or false",
            ColumnType::Text => "a text",
            ColumnType::Texts => "a list of texts",
            ColumnType::Tensor(_) => "a list of numbers",
            ColumnType::Mixed => "any value",
        }
    }
}

impl fmt::Display for ColumnType {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            ColumnType::Int => f.write_str("int"),
            ColumnType::Float => f.write_str("float"),
            ColumnType::Bool => f.write_str("bool"),
            ColumnType::Text => f.write_str("text"),
            ColumnType::Texts => f.write_str("texts"),
            ColumnType::Tensor(dtype) => write!(f, "tensor {}", dtype.name()),
            ColumnType::Mixed => f.write_str("mixed"),
        }
    }
}

impl From<ColumnType> for String {
    fn from(kind: ColumnType) -> Self {
        kind.to_string()
    }
}

impl TryFrom<String> for ColumnType {
    type Error = String;

    fn try_from(text: String) -> Result<Self, String> {
        use ColumnType::{Bool, Float, Int, Mixed, Tensor, Text, Texts};
        [Int, Float, Bool, Text, Texts, Mixed]
            .into_iter()
            .chain([Dtype::F32, Dtype::F64, Dtype::I64, Dtype::U8].map(Tensor))
            .find(|kind| kind.to_string() == text)
            .ok_or_else(|| format!("unknown column type `{text}`"))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_schema_is_stored_as_json() {
        let text = r#"{"columns":[{"name":"a","type":"int","nullable":false},{"name":"b","type":"tensor f32","nullable":true}]}"#;
        let schema: Schema = serde_json::from_str(text).unwrap();
        assert_eq!(schema.columns[1].kind, ColumnType::Tensor(Dtype::F32));
        assert_eq!(serde_json::to_string(&schema).unwrap(), text);
        let error = serde_json::from_str::<Schema>(&text.replace("int", "number")).unwrap_err();
        assert!(error.to_string().starts_with("unknown column type `number`"), "{error}");
    }
}
