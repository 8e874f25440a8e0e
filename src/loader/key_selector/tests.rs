//! `KeySelector`: shapes and dtypes, modes, refusals; the path over columns and the path over rows.

use std::path::Path;

use serde_json::{Value as Json, json};

use crate::error::{Kind, Result};
use crate::loader::LIST;
use crate::record::{Column, DataRecords, Field, Fields, Loader, Mode, Name, Records, Value};
use crate::tensor::Tensor;

fn make(params: Json) -> Result<Box<dyn Loader>> {
    crate::registry::find(LIST, "loader", "KeySelector")?.make(params.as_object().unwrap())
}

fn records(json: Json) -> Records {
    let row = |row: &Json| {
        let fields = row.as_object().unwrap().iter();
        fields.map(|(name, value)| (Name::from(name.as_str()), Value::from_json(value))).collect()
    };
    Records::from_rows(json.as_array().unwrap().iter().map(row).collect(), "records").unwrap()
}

fn tensor(tensor: &Tensor) -> String {
    format!("{} {}", tensor.dtype().name(), Value::Tensor(tensor.clone()).to_json().unwrap())
}

fn fields(fields: &Fields) -> String {
    let field = |field: &Field| match field {
        Field::Tensor(dense) => tensor(dense),
        Field::Text(text) => format!("{text:?}"),
        Field::Texts(texts) => format!("{texts:?}"),
    };
    fields.iter().map(|(name, value)| format!("{name}: {}", field(value))).collect::<Vec<_>>().join(", ")
}

/// Returns the inputs of each record in short, and whether they came as columns.
fn inputs(inputs: Json, records: &Records) -> (String, bool) {
    let loader = make(json!({"inputs": inputs, "outputs": {"y": "y"}})).unwrap();
    match loader.load(&records.to_vec(), Mode::Score).unwrap() {
        DataRecords::Rows(rows) => (rows.iter().map(|row| fields(&row.x)).collect::<Vec<_>>().join("; "), false),
        DataRecords::Columns(columns) => {
            let column = |column: &Column| match column {
                Column::Dense(dense) => tensor(dense),
                Column::Ragged(tensors) => tensors.iter().map(tensor).collect::<Vec<_>>().join(" | "),
                Column::Text(texts) => format!("{texts:?}"),
                Column::Texts(lists) => format!("{lists:?}"),
            };
            let columns = columns.x.iter().map(|(name, values)| format!("{name}: {}", column(values)));
            (columns.collect::<Vec<_>>().join(", "), true)
        }
    }
}

#[test]
fn keys_give_values_with_their_shape() {
    let all = records(json!([
        {"i": 1, "f": 0.5, "b": true, "t": "s", "v": [1, 2], "u": [0.5, 1], "m": 7},
        {"i": 2, "f": 1.5, "b": false, "t": "t", "v": [3, 4], "u": [2.5, 3], "m": [8]}
    ]));
    for (keys, expected, as_columns) in [
        (json!({"x": "i"}), "x: i64 [1,2]", true),
        (json!({"x": "f"}), "x: f32 [0.5,1.5]", true),
        (json!({"x": "b"}), "x: u8 [1,0]", true),
        (json!({"x": "v"}), "x: i64 [[1,2],[3,4]]", true),
        (json!({"x": "t"}), "x: [\"s\", \"t\"]", true),
        (json!({"x": ["i"]}), "x: i64 [[1],[2]]", true),
        (json!({"x": ["f", "i"]}), "x: f32 [[0.5,1.0],[1.5,2.0]]", true),
        (json!({"x": ["t", "t"]}), "x: [[\"s\", \"s\"], [\"t\", \"t\"]]", true),
        (json!({"b": ["i", "f"], "a": "i"}), "b: f32 [[1.0,0.5],[2.0,1.5]], a: i64 [1,2]", true),
        (json!({"x": ["v", "v"]}), "x: i64 [[1,2],[1,2]]; x: i64 [[3,4],[3,4]]", false),
        (json!({"x": ["v", "u"]}), "x: f32 [[1.0,2.0],[0.5,1.0]]; x: f32 [[3.0,4.0],[2.5,3.0]]", false),
        (json!({"x": "m"}), "x: i64 7; x: i64 [8]", false),
        (json!({"x": "m", "t": ["t"]}), "x: i64 7, t: [\"s\"]; x: i64 [8], t: [\"t\"]", false),
    ] {
        assert_eq!(inputs(keys.clone(), &all), (expected.to_owned(), as_columns), "{keys}");
    }
}

#[test]
fn records_of_two_tables_load_like_those_of_one() {
    let loader = make(json!({"inputs": {"x": ["a", "b"], "t": ["t", "t"]}, "outputs": {"y": "y"}})).unwrap();
    let one = records(json!([{"a": 1, "b": 0.5, "t": "s", "y": 0}]));
    let other = records(json!([{"a": 2, "b": 1.5, "t": "t", "y": 1}]));
    let chunk = [one.record(0), other.record(0)];
    let DataRecords::Rows(rows) = loader.load(&chunk, Mode::Train).unwrap() else { panic!("expected rows") };
    let all: Vec<String> =
        rows.iter().map(|row| fields(&row.x) + "; " + fields(row.y.as_ref().unwrap()).as_str()).collect();
    assert_eq!(all, ["x: f32 [1.0,0.5], t: [\"s\", \"s\"]; y: i64 0", "x: f32 [2.0,1.5], t: [\"t\", \"t\"]; y: i64 1"]);
}

#[test]
fn outputs_and_weights_are_not_touched_in_score_mode() {
    let loader =
        make(json!({"inputs": {"x": "a"}, "outputs": {"y": "label"}, "sample_weights": {"y": "weight"}})).unwrap();
    let labelled = records(json!([{"a": 1, "label": 2, "weight": [0.5, 1.0]}])).to_vec();
    for mode in [Mode::Train, Mode::Validation] {
        let DataRecords::Columns(columns) = loader.load(&labelled, mode).unwrap() else { panic!("expected columns") };
        assert_eq!(columns.len, 1);
        let Column::Dense(weight) = &columns.w.unwrap()[0].1 else { panic!("expected numbers") };
        assert_eq!(weight.shape(), [1, 2]);
        assert_eq!(columns.y.unwrap().len(), 1);
    }
    let unlabelled = records(json!([{"a": 1}])).to_vec();
    let DataRecords::Columns(columns) = loader.load(&unlabelled, Mode::Score).unwrap() else {
        panic!("expected columns")
    };
    assert!(columns.y.is_none() && columns.w.is_none());
    let error = loader.load(&unlabelled, Mode::Train).unwrap_err();
    assert_eq!(error.to_string(), "there is no field `label` (record 0 of records)");
    let plain = make(json!({"inputs": {"x": "a"}, "outputs": {"y": "label"}, "sample_weights": null})).unwrap();
    let DataRecords::Columns(columns) = plain.load(&labelled, Mode::Train).unwrap() else { panic!("expected columns") };
    assert!(columns.w.is_none());
}

#[test]
fn wrong_fields_are_refused_with_the_record() {
    let all =
        records(json!([{"i": 1, "t": "s", "v": [1, 2], "u": [1], "n": 1}, {"i": 2, "t": "s", "v": [1, 2], "u": [1]}]));
    for (keys, message) in [
        (json!("j"), "there is no field `j` (record 0 of records)"),
        (json!(["i", "j"]), "there is no field `j` (record 0 of records)"),
        (json!("n"), "field `n` is missing (null) (record 1 of records)"),
        (json!(["i", "n"]), "field `n` is missing (null) (record 1 of records)"),
        (
            json!(["i", "t"]),
            "keys with texts and keys with numbers cannot be stacked: `t` holds text (record 0 of records)",
        ),
        (
            json!(["v", "u"]),
            "keys with different shapes cannot be stacked: `v` has shape [2], `u` has shape [1] (record 0 of records)",
        ),
    ] {
        let loader = make(json!({"inputs": {"x": keys}, "outputs": {"y": "i"}})).unwrap();
        let error = loader.load(&all.to_vec(), Mode::Train).unwrap_err();
        assert_eq!(error.to_string(), message);
        assert_eq!(error.kind(), Kind::Data);
    }
}

#[test]
fn parameters_are_checked() {
    for (params, message) in [
        (json!({"outputs": {"y": "y"}}), "`KeySelector` needs the parameter `inputs`"),
        (
            json!({"inputs": "x", "outputs": {"y": "y"}}),
            "parameter `inputs` of `KeySelector`: expected a map, found the text \"x\"",
        ),
        (
            json!({"inputs": {}, "outputs": {"y": "y"}}),
            "parameter `inputs` of `KeySelector`: expected a map of at least one name → a key or a list of keys, found a map",
        ),
        (
            json!({"inputs": {"x": []}, "outputs": {"y": "y"}}),
            "parameter `inputs` of `KeySelector`: expected a key or a list of keys under `x`, found a list of 0",
        ),
        (
            json!({"inputs": {"x": "x"}, "outputs": {"y": 1}}),
            "parameter `outputs` of `KeySelector`: expected a key or a list of keys under `y`, found 1",
        ),
        (
            json!({"inputs": {"x": "x"}, "outputs": {"y": "y"}, "sample_weights": {"y": ["w"]}}),
            "parameter `sample_weights` of `KeySelector`: expected a key under `y`, found a list of 1",
        ),
        (
            json!({"inputs": {"x": "x"}, "outputs": {"y": "y"}, "weights": null}),
            "`KeySelector` has no parameter `weights`",
        ),
    ] {
        let error = make(params).err().unwrap();
        assert_eq!((error.message(), error.kind()), (message, Kind::Recipe));
    }
}

#[test]
fn real_records_are_loaded() {
    let iris = Records::read(Path::new("examples/iris/iris.csv")).unwrap();
    let keys = ["sepal_length", "sepal_width", "petal_length", "petal_width"];
    let loader = make(json!({"inputs": {"flower": keys}, "outputs": {"species": "species"}})).unwrap();
    let DataRecords::Columns(columns) = loader.load(&iris.to_vec(), Mode::Train).unwrap() else {
        panic!("expected columns")
    };
    let Column::Dense(flower) = &columns.x[0].1 else { panic!("expected numbers") };
    assert_eq!((flower.shape(), flower.dtype().name()), (&[150, 4][..], "f32"));
    assert_eq!(flower.to_host().unwrap().row(0).to_f64_vec(), [5.1f32, 3.5, 1.4, 0.2].map(f64::from));
}
