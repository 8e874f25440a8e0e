//! Stacking, the batch border, picking and putting together; refusals with their exact text.

use serde_json::{Value as Json, json};

use super::*;
use crate::error::Error;
use crate::record::{Column, Columns, DataColumns, DataRecord, DataRecords, Field, Fields, Value};
use crate::tensor::{Array, Dtype, Tensor};

fn fields(json: &Json) -> Fields {
    let field = |value: &Json| Value::from_json(value).to_field().unwrap();
    json.as_object().unwrap().iter().map(|(name, value)| (name.as_str().into(), field(value))).collect()
}

/// Creates a data record from `{"x": {…}, "y": {…}, "w": {…}}`.
fn record(json: Json) -> DataRecord {
    DataRecord { x: fields(&json["x"]), y: json.get("y").map(fields), w: json.get("w").map(fields) }
}

fn stacked(records: Json) -> Result<DataColumns> {
    let records: Vec<DataRecord> = records.as_array().unwrap().iter().cloned().map(record).collect();
    stack(&records, &|i| format!("record {} of a.csv", i + 10))
}

fn show(columns: &Columns) -> String {
    let tensor = |tensor: &Tensor| {
        format!("{} {}", tensor.dtype().name(), Value::from(Field::Tensor(tensor.clone())).to_json().unwrap())
    };
    let column = |column: &Column| match column {
        Column::Dense(dense) => tensor(dense),
        Column::Ragged(tensors) => format!("ragged {}", tensors.iter().map(tensor).collect::<Vec<_>>().join("; ")),
        Column::Text(texts) => format!("{texts:?}"),
        Column::Texts(lists) => format!("{lists:?}"),
    };
    columns.iter().map(|(name, values)| format!("{name}: {}", column(values))).collect::<Vec<_>>().join(", ")
}

#[test]
fn records_are_stacked_name_by_name() {
    for (records, x) in [
        (json!([{"x": {"a": 1}}, {"x": {"a": 2}}]), "a: i64 [1,2]"),
        (json!([{"x": {"a": [0.5]}}, {"x": {"a": [1.5]}}]), "a: f32 [[0.5],[1.5]]"),
        (json!([{"x": {"a": true}}, {"x": {"a": false}}]), "a: u8 [1,0]"),
        (json!([{"x": {"a": 1, "b": 2}}, {"x": {"b": 4, "a": 3}}]), "a: i64 [1,3], b: i64 [2,4]"),
        (json!([{"x": {"a": [1, 2]}}, {"x": {"a": [3]}}]), "a: ragged i64 [1,2]; i64 [3]"),
        (json!([{"x": {"a": "s"}}, {"x": {"a": "t"}}]), "a: [\"s\", \"t\"]"),
        (json!([{"x": {"a": ["s", "u"]}}, {"x": {"a": []}}]), "a: [[\"s\", \"u\"], []]"),
        (json!([{"x": {}}]), ""),
        (json!([]), ""),
    ] {
        let columns = stacked(records.clone()).unwrap();
        assert_eq!(show(&columns.x), x);
        assert_eq!(columns.len, records.as_array().unwrap().len());
        assert!(columns.y.is_none() && columns.w.is_none());
    }
    let columns = stacked(json!([{"x": {"a": 1}, "y": {"b": 2}, "w": {"b": 0.5}}])).unwrap();
    assert_eq!((show(&columns.y.unwrap()), show(&columns.w.unwrap())), ("b: i64 [2]".into(), "b: f32 [0.5]".into()));
}

#[test]
fn tensors_of_every_dtype_and_layout_are_stacked() {
    for dtype in [Dtype::F32, Dtype::F64, Dtype::I64, Dtype::U8] {
        let whole = Array::from_u8((0..6).collect(), &[3, 2]).unwrap().cast(dtype);
        // Rows of a transposed array do not lie in one piece.
        let turned = Tensor::from(whole).transpose(None).unwrap().to_host().unwrap();
        let row = |i| DataRecord { x: vec![("a".into(), Field::Tensor(turned.row(i).into()))], ..Default::default() };
        let columns = stack(&[row(0), row(1)], &|i| i.to_string()).unwrap();
        let array = dense(&columns.x[0].1, "inputs `a`").unwrap();
        assert_eq!(
            (array.dtype(), array.shape(), array.to_f64_vec()),
            (dtype, &[2, 3][..], vec![0., 2., 4., 1., 3., 5.])
        );
    }
}

#[test]
fn what_does_not_fit_together_is_refused() {
    for (records, message, hint) in [
        (
            json!([{"x": {"a": 1, "size": 2}}, {"x": {"a": 1}}]),
            "inputs `x`: record 10 of a.csv has `size`, record 11 of a.csv has not",
            "record 11 of a.csv has `a`",
        ),
        (
            json!([{"x": {"a": 1}}, {"x": {"a": 1, "size": 2}}]),
            "inputs `x`: record 11 of a.csv has `size`, record 10 of a.csv has not",
            "record 10 of a.csv has `a`",
        ),
        (
            json!([{"x": {"size": 1}}, {"x": {"sizes": 1}}]),
            "inputs `x`: record 10 of a.csv has `size`, record 11 of a.csv has not",
            "did you mean `sizes`?",
        ),
        (
            json!([{"x": {"a": 1}}, {"x": {}}]),
            "inputs `x`: record 10 of a.csv has `a`, record 11 of a.csv has not",
            "record 11 of a.csv has none",
        ),
        (
            json!([{"x": {}, "y": {"l": 1}}, {"x": {}}]),
            "record 11 of a.csv has no outputs `y`, record 10 of a.csv has them",
            "a loader or transformer has to give them for every record, or for none",
        ),
        (
            json!([{"x": {}}, {"x": {}, "w": {"l": 1}}]),
            "record 10 of a.csv has no sample weights `w`, record 11 of a.csv has them",
            "a loader or transformer has to give them for every record, or for none",
        ),
        (
            json!([{"x": {"a": 1}}, {"x": {"a": 1.5}}]),
            "record 11 of a.csv is f32, record 10 of a.csv is i64",
            "give every record the same dtype: `.to_f32()`, or `.to_i64()` for class numbers",
        ),
        (
            json!([{"x": {"a": 1}}, {"x": {"a": "s"}}]),
            "record 11 of a.csv has a text, record 10 of a.csv has numbers",
            "a name has to hold the same in every record",
        ),
    ] {
        let error = stacked(records).unwrap_err();
        assert_eq!((error.message(), error.hints()[0].as_str()), (message, hint));
    }
    let error = stacked(json!([{"x": {"a": 1}}, {"x": {"a": 1.5}}])).unwrap_err();
    assert_eq!(error.context(), ["inputs `x`: `a`"]);
    let twice = DataRecord { x: [fields(&json!({"a": 1})), fields(&json!({"a": 2}))].concat(), ..Default::default() };
    let error = stack(&[twice], &|i| format!("record {i}")).unwrap_err();
    assert_eq!(error.message(), "record 0 has inputs `x` twice: `a`");
}

#[test]
fn the_border_takes_dense_numbers_only() {
    let column = |json: Json| {
        let x = json.as_array().unwrap().iter().map(|value| json!({"x": {"a": value}})).collect();
        stacked(x).unwrap().x.remove(0).1
    };
    assert_eq!(dense(&column(json!([[1, 2], [3, 4]])), "").unwrap().shape(), [2, 2]);
    for (json, message) in [
        (
            json!([[1, 2, 3], [1, 2, 3], [1, 2, 3], [1, 2, 3, 4]]),
            "inputs `x`: record 3 has shape [4], record 0 has shape [3]",
        ),
        (
            json!(["a long text about something", "b"]),
            "inputs `x`: expected numbers, found texts, such as \"a long text about so\"",
        ),
        (json!([["a"], ["b", "c"]]), "inputs `x`: expected numbers, found lists of texts"),
    ] {
        let error = dense(&column(json), "inputs `x`").unwrap_err();
        assert_eq!(error.message(), message);
        assert!(error.hints()[0].ends_with("in the transformer") || error.hints()[0].contains("in the transformer:"));
    }
}

#[test]
fn rows_are_picked() {
    let columns = stacked(json!([
        {"x": {"a": 1, "r": [1], "t": "s", "l": ["s"]}, "y": {"y": 1}},
        {"x": {"a": 2, "r": [1, 2], "t": "t", "l": []}, "y": {"y": 2}},
        {"x": {"a": 3, "r": [3], "t": "u", "l": ["u"]}, "y": {"y": 3}}
    ]))
    .unwrap();
    let picked = take(&columns, &[2, 0, 2]).unwrap();
    assert_eq!(
        show(&picked.x),
        "a: i64 [3,1,3], r: i64 [[3],[1],[3]], t: [\"u\", \"s\", \"u\"], l: [[\"u\"], [\"s\"], [\"u\"]]"
    );
    assert_eq!((picked.len, show(&picked.y.unwrap())), (3, "y: i64 [3,1,3]".to_owned()));
    assert_eq!(take(&columns, &[]).unwrap().len, 0);
    let error = take(&columns, &[3]).unwrap_err();
    assert_eq!(error.message(), "there is no record 3 in a batch of 3, counted from 0");
}

#[test]
fn chunks_are_put_together() {
    let part = |json: Json| stacked(json).unwrap();
    let a = part(json!([{"x": {"a": [1], "t": "s"}, "y": {"y": 1}}, {"x": {"a": [2], "t": "t"}, "y": {"y": 2}}]));
    let b = part(json!([{"x": {"t": "u", "a": [3]}, "y": {"y": 3}}]));
    let c = part(json!([{"x": {"t": "v", "a": [4, 5]}, "y": {"y": 4}}]));
    let whole = concat(&[a.clone(), b.clone()]).unwrap();
    assert_eq!((whole.len, show(&whole.x)), (3, "a: i64 [[1],[2],[3]], t: [\"s\", \"t\", \"u\"]".to_owned()));
    assert_eq!(show(&whole.y.unwrap()), "y: i64 [1,2,3]");
    let ragged = concat(&[b.clone(), c.clone(), a.clone()]).unwrap();
    assert_eq!(show(&ragged.x), "t: [\"u\", \"v\", \"s\", \"t\"], a: ragged i64 [3]; i64 [4,5]; i64 [1]; i64 [2]");
    assert_eq!(show(&concat(&[ragged.clone(), c.clone()]).unwrap().x).matches("i64").count(), 5);
    assert_eq!(concat(std::slice::from_ref(&c)).unwrap().len, 1);

    let message = |parts: &[DataColumns]| -> String {
        let error: Error = concat(parts).unwrap_err();
        error.to_string()
    };
    let score = part(json!([{"x": {"a": [1], "t": "s"}}]));
    let fewer = part(json!([{"x": {"a": [1]}, "y": {"y": 1}}]));
    let float = part(json!([{"x": {"a": [1.5], "t": "s"}, "y": {"y": 1}}]));
    let text = part(json!([{"x": {"a": "one", "t": "s"}, "y": {"y": 1}}]));
    assert_eq!(message(&[]), "there are no batches to put together");
    assert_eq!(message(&[a.clone(), score]), "some batches have outputs `y`, others have not");
    assert_eq!(message(&[a.clone(), fewer.clone()]), "inputs `x` differ: one batch has `a`, `t`, another has `a`");
    assert_eq!(message(&[fewer, a.clone()]), "inputs `x` differ: one batch has `a`, another has `a`, `t`");
    assert_eq!(message(&[a.clone(), float]), "some numbers are i64, others f32 (inputs `x`: `a`)");
    assert_eq!(message(&[a, text]), "one batch has numbers, another has texts (inputs `x`: `a`)");
}

#[test]
fn chunks_turn_over() {
    let columns = stacked(json!([{"x": {"a": 1}}, {"x": {"a": 2}}])).unwrap();
    let chunk = DataRecords::Columns(columns);
    assert_eq!(len(&chunk), 2);
    let rows = DataRecords::Rows(rows(chunk));
    assert_eq!(len(&rows), 2);
    let names = |i: usize| format!("record {i}");
    let back = super::columns(rows, &names).unwrap();
    assert_eq!(show(&super::columns(DataRecords::Columns(back), &names).unwrap().x), "a: i64 [1,2]");
}
