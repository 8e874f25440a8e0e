//! Records as a table: fields, columns, choosing and putting together, looking and writing.

use std::path::Path;

use serde_json::json;

use crate::error::Result;
use crate::record::{Column, Field, Name, Record, Records, Value, gather, gather_list};
use crate::tensor::Tensor;

/// Creates records from a JSON array of objects.
fn records(json: serde_json::Value) -> Records {
    let row = |row: &serde_json::Value| {
        let fields = row.as_object().unwrap().iter();
        fields.map(|(name, value)| (Name::from(name.as_str()), Value::from_json(value))).collect()
    };
    Records::from_rows(json.as_array().unwrap().iter().map(row).collect(), "records").unwrap()
}

fn penguins() -> Records {
    Records::read(Path::new("examples/penguins/penguins.csv")).unwrap()
}

fn column_json(column: &Column) -> String {
    let tensor =
        |tensor: &Tensor| format!("{} {}", tensor.dtype().name(), Value::Tensor(tensor.clone()).to_json().unwrap());
    match column {
        Column::Dense(dense) => tensor(dense),
        Column::Ragged(tensors) => tensors.iter().map(tensor).collect::<Vec<_>>().join("; "),
        Column::Text(texts) => format!("{texts:?}"),
        Column::Texts(lists) => format!("{lists:?}"),
    }
}

fn field_json(field: &Field) -> String {
    match field {
        Field::Tensor(tensor) => column_json(&Column::Dense(tensor.clone())),
        Field::Text(text) => format!("{text:?}"),
        Field::Texts(texts) => format!("{texts:?}"),
    }
}

#[test]
fn fields_are_read_by_name() {
    let all = records(json!([
        {"i": 3, "f": 0.5, "b": true, "t": "x", "v": [1, 2], "w": ["a"], "m": {"k": 1}, "e": [[1], [2, 3]]},
        {"i": 4, "f": null, "b": false, "t": "y", "v": [3, 4], "w": ["b", "c"], "m": 2, "e": "z"}
    ]));
    let first = all.record(0);
    for (name, value, field) in [
        ("i", "the number 3", "i64 3"),
        ("f", "the number 0.5", "f32 0.5"),
        ("b", "true", "u8 1"),
        ("t", "the text \"x\"", "\"x\""),
        ("v", "a tensor of shape [2]", "i64 [1,2]"),
        ("w", "a list of 1", "[\"a\"]"),
    ] {
        assert_eq!(first.get(name).unwrap().describe(), value);
        assert_eq!(first.get_or(name).unwrap().unwrap().describe(), value);
        assert_eq!(field_json(&first.field(name).unwrap()), field);
    }
    assert_eq!(first.keys().len(), 8);
    assert_eq!(field_json(&all.record(1).field("m").unwrap()), "i64 2");
    let (f, m) = (all.record(1).get("f"), first.field("m"));
    for (error, message) in [
        (f.unwrap_err(), "field `f` is missing (null) (record 1 of records)"),
        (
            m.unwrap_err(),
            "expected a number, a tensor, a text or a list of texts, found a map (field `m`, record 0 of records)",
        ),
        (first.get("x").unwrap_err(), "there is no field `x` (record 0 of records)"),
        (all.record(2).get("i").unwrap_err(), "field `i` is missing (null) (record 2 of records)"),
    ] {
        assert_eq!(error.to_string(), message);
    }
    assert!(all.record(1).get_or("f").unwrap().is_none());
    assert!(first.get_or("x").unwrap().is_none());
    let error = penguins().record(3).get("specis").unwrap_err();
    assert_eq!(error.hints()[0], "did you mean `species`?");
    assert!(error.hints()[1].starts_with("fields: `species`, `island`, "));
}

#[test]
fn long_lists_of_names_are_cut() {
    let wide: serde_json::Map<_, _> = (0..30).map(|i| (format!("p{i}"), json!(i))).collect();
    let error = records(json!([wide])).record(0).get("label").unwrap_err();
    assert!(error.hints()[0].ends_with("`p18`, `p19` and 10 more"), "{:?}", error.hints());
}

#[test]
fn rows_that_name_a_field_badly_are_refused() {
    for (names, message) in [
        (["a", "a"], "field `a` is given twice (record 1 of list)"),
        (["a", ""], "a field has no name (record 1 of list)"),
    ] {
        let row = |names: [&str; 2]| names.map(|name| (Name::from(name), Value::Int(1))).to_vec();
        let error = Records::from_rows(vec![row(["a", "b"]), row(names)], "list").unwrap_err();
        assert_eq!(error.to_string(), message);
    }
}

#[test]
fn columns_are_tensors_or_texts() {
    let all = records(json!([
        {"i": 3, "f": 0.5, "b": true, "t": "x", "v": [1, 2], "r": [1], "w": ["a"], "m": {"k": 1}, "n": 1},
        {"i": 4, "f": 2, "b": false, "t": "y", "v": [3, 4], "r": [1, 2], "w": ["b", "c"], "m": 2}
    ]));
    let show = |name: &str| column_json(&Column::Dense(all.column(name).unwrap()));
    assert_eq!(show("i"), "i64 [3,4]");
    assert_eq!(show("f"), "f32 [0.5,2.0]");
    assert_eq!(show("b"), "u8 [1,0]");
    assert_eq!(show("v"), "i64 [[1,2],[3,4]]");
    assert_eq!(all.texts("t").unwrap().join(" "), "x y");
    for (name, message, hint) in [
        ("t", "column `t` holds texts, not numbers", "`texts(\"t\")` returns them as a list"),
        (
            "r",
            "column `r` holds tensors of different shapes: record 1 of records has shape [2], record 0 of records has shape [1]",
            "go through the records one by one, and pad or cut each to one shape",
        ),
        ("w", "column `w` holds lists of texts, not numbers", ""),
        ("m", "column `m` holds values of different types, not numbers", ""),
        (
            "n",
            "field `n` is missing (null)",
            "leave such records out with `filter`, or give a default: `get(\"n\", 0.0)`",
        ),
        ("x", "there is no column `x`", "columns: `i`, `f`, `b`, `t`, `v`, `r`, `w`, `m`, `n`"),
    ] {
        let error = all.column(name).unwrap_err();
        assert_eq!((error.message(), error.hints().last().map_or("", String::as_str)), (message, hint));
    }
    assert_eq!(all.texts("i").unwrap_err().message(), "column `i` holds numbers, not texts");
    assert_eq!(all.texts("w").unwrap_err().message(), "column `w` holds texts, not one text a record");
    // The first missing value is named, by its row in the file, whatever was chosen since.
    let error = penguins().take(&[0, 3, 4]).unwrap().column("body_mass_g").unwrap_err();
    assert_eq!(error.to_string(), "field `body_mass_g` is missing (null) (record 3 of penguins.csv)");
    assert_eq!(all.head(0).column("f").unwrap().shape(), [0]);
    assert_eq!(all.take(&[1, 1]).unwrap().column("v").unwrap().shape(), [2, 2]);
}

#[test]
fn rows_and_columns_are_chosen_without_losing_their_place() {
    let all = penguins();
    let heavy = all
        .filter(&|record| Ok(record.get_or("body_mass_g")?.is_some_and(|mass| matches!(mass, Value::Int(5000..)))))
        .unwrap();
    assert_eq!(heavy.len(), 67);
    assert_eq!(heavy.record(0).place(), "record 153 of penguins.csv");
    assert_eq!(heavy.head(2).len(), 2);
    assert_eq!(heavy.head(1000).len(), heavy.len());
    let picked = heavy.take(&[5, 0]).unwrap().select(&["year", "species"]).unwrap();
    assert_eq!(picked.columns().iter().map(|name| &**name).collect::<Vec<_>>(), ["year", "species"]);
    assert_eq!(picked.record(1).index(), 153);
    assert_eq!(picked.schema().columns.len(), 2);
    assert_eq!(picked.iter().map(|record| record.index()).collect::<Vec<_>>().len(), 2);

    let message = |result: Result<Records>| result.unwrap_err().to_string();
    assert_eq!(message(heavy.take(&[0, 67])), "there is no record 67: there are 67, counted from 0");
    assert_eq!(message(all.select(&["yeer"])), "there is no column `yeer`");
    assert_eq!(message(all.select(&["year", "year"])), "column `year` is selected twice");
    let failing = all.filter(&|record| record.get("body_mass_g").map(|_| true));
    assert_eq!(message(failing), "field `body_mass_g` is missing (null) (record 3 of penguins.csv)");
    let failing = all.filter(&|_| Err(crate::Error::script("no")));
    assert_eq!(message(failing), "no (record 0 of penguins.csv)");
}

#[test]
fn map_makes_new_columns_and_keeps_places() {
    let double = |record: &Record| -> Result<Vec<(Name, Value)>> {
        let Value::Int(i) = record.get("i")? else { return Ok(Vec::new()) };
        Ok(vec![("double".into(), Value::Float(i as f64 * 2.0))])
    };
    let all = records(json!([{"i": 1}, {"i": 2}, {"i": 3}]));
    let mapped = all.take(&[2, 0]).unwrap().map(&double).unwrap();
    assert_eq!(column_json(&Column::Dense(mapped.column("double").unwrap())), "f32 [6.0,2.0]");
    assert_eq!(mapped.record(0).place(), "record 2 of records");
    assert_eq!(mapped.source(), "records");
    let twice = |_: &Record| Ok(vec![("a".into(), Value::Null), ("a".into(), Value::Null)]);
    assert_eq!(all.map(&twice).unwrap_err().to_string(), "field `a` is given twice (record 0 of records)");
}

#[test]
fn concat_needs_the_same_columns() {
    let a = records(json!([{"x": 1, "y": "a", "z": [1, 2]}, {"x": 2, "y": "b", "z": [3, 4]}]));
    let b = records(json!([{"z": [0.5, 1], "y": "c", "x": 0.5}]));
    let c = records(json!([{"x": null, "y": null, "z": null}]));
    let all = Records::concat(&[a.clone(), b.clone(), c, a.head(1)]).unwrap();
    assert_eq!(all.len(), 5);
    let x = all.take(&[0, 1, 2, 4]).unwrap();
    assert_eq!(column_json(&Column::Dense(x.column("x").unwrap())), "f32 [1.0,2.0,0.5,1.0]");
    assert_eq!(column_json(&Column::Dense(x.column("z").unwrap())), "f32 [[1.0,2.0],[3.0,4.0],[0.5,1.0],[1.0,2.0]]");
    assert_eq!(all.record(2).index(), 0);
    let penguins = penguins();
    let again = Records::concat(&[penguins.head(2), penguins.take(&[9]).unwrap()]).unwrap();
    assert_eq!(again.record(2).place(), "record 9 of penguins.csv");
    let other = records(json!([{"x": "one", "y": "a", "z": [1, 2]}]));
    let fewer = records(json!([{"x": 1, "y": "a"}]));
    for (parts, message) in [
        (vec![], "there are no records to put together"),
        (vec![a.clone(), other], "column `x` has the type int in one table and text in the other"),
        (vec![a.clone(), fewer.clone()], "the columns differ: one table has `z`, the other does not"),
        (vec![fewer, a], "the columns differ: one table has `z`, the other does not"),
    ] {
        assert_eq!(Records::concat(&parts).unwrap_err().message(), message);
    }
}

#[test]
fn chunks_are_gathered_from_the_columns() {
    let all = records(json!([
        {"i": 3, "f": 0.5, "b": true, "t": "x", "v": [1, 2], "r": [1], "m": {"k": 1}, "n": 1},
        {"i": 4, "f": 2.0, "b": false, "t": "y", "v": [3, 4], "r": [1, 2], "m": 2},
        {"i": 5, "f": 3.0, "b": true, "t": "x", "v": [5, 6], "r": [3], "m": 2, "n": 3}
    ]));
    let chunk = all.take(&[2, 0]).unwrap().to_vec();
    let one = |name: &str| gather(&chunk, name).unwrap().map(|column| column_json(&column));
    assert_eq!(one("i").unwrap(), "i64 [5,3]");
    assert_eq!(one("f").unwrap(), "f32 [3.0,0.5]");
    assert_eq!(one("b").unwrap(), "u8 [1,1]");
    assert_eq!(one("t").unwrap(), "[\"x\", \"x\"]");
    assert_eq!(one("v").unwrap(), "i64 [[5,6],[1,2]]");
    assert_eq!(one("n").unwrap(), "i64 [3,1]");
    assert_eq!(one("m"), None);
    assert_eq!(column_json(&gather(&all.to_vec(), "r").unwrap().unwrap()), "i64 [1]; i64 [1,2]; i64 [3]");
    // Shapes that differ in the file agree in this chunk.
    assert_eq!(one("r").unwrap(), "i64 [[3],[1]]");

    let list = |names: &[&str]| {
        let names: Vec<Name> = names.iter().map(|name| Name::from(*name)).collect();
        gather_list(&chunk, &names).unwrap().map(|column| column_json(&column))
    };
    assert_eq!(list(&["i"]).unwrap(), "i64 [[5],[3]]");
    assert_eq!(list(&["i", "b"]).unwrap(), "i64 [[5,1],[3,1]]");
    assert_eq!(list(&["b", "b"]).unwrap(), "u8 [[1,1],[1,1]]");
    assert_eq!(list(&["i", "f", "b"]).unwrap(), "f32 [[5.0,3.0,1.0],[3.0,0.5,1.0]]");
    assert_eq!(list(&["t", "t"]).unwrap(), "[[\"x\", \"x\"], [\"x\", \"x\"]]");
    assert_eq!(list(&["t", "i"]), None);
    assert_eq!(list(&["v", "v"]), None);
    assert_eq!(list(&[]), None);

    let mut mixed = chunk.clone();
    mixed.push(records(json!([{"i": 9}])).record(0));
    assert!(gather(&mixed, "i").unwrap().is_none());
    assert!(gather(&[], "i").unwrap().is_none());
    let error = gather(&all.to_vec(), "n").unwrap_err();
    assert_eq!(error.to_string(), "field `n` is missing (null) (record 1 of records)");
    let error = gather(&chunk, "label").unwrap_err();
    assert_eq!(error.to_string(), "there is no field `label` (record 2 of records)");
}

#[test]
fn long_chunks_are_gathered_as_short_ones() {
    let row = |i: i64| vec![("a".into(), Value::Int(i)), ("b".into(), Value::Float(i as f64 / 2.0))];
    let all = Records::from_rows((0..200).map(row).collect(), "records").unwrap();
    let column = gather_list(&all.to_vec(), &["a".into(), "b".into()]).unwrap().unwrap();
    let Column::Dense(tensor) = column else { panic!("expected a dense column") };
    let expected: Vec<f64> = (0..200).flat_map(|i| [f64::from(i), f64::from(i) / 2.0]).collect();
    assert_eq!(tensor.to_host().unwrap().to_f64_vec(), expected);
}

#[test]
fn records_are_described_and_shown() {
    let few = penguins().head(4);
    let cases = [
        (
            few.select(&["species", "bill_length_mm", "year"]).unwrap().describe(),
            concat!(
                "4 records, 3 columns, penguins.csv\n",
                "column          type   missing  min   mean  max   distinct\n",
                "species         text   0                          1\n",
                "bill_length_mm  float  1        39.1  39.6333  40.3\n",
                "year            int    0        2007  2007  2007\n",
            ),
        ),
        (
            few.select(&["species", "body_mass_g"]).unwrap().to_string(),
            concat!(
                "4 records, 2 columns\n",
                "species  body_mass_g\n",
                "Adelie   3750\n",
                "Adelie   3800\n",
                "Adelie   3250\n",
                "Adelie   -\n",
            ),
        ),
    ];
    for (found, expected) in cases {
        // Widths follow the contents; the words in their order are what matters.
        let words = |text: &str| text.split_whitespace().map(str::to_owned).collect::<Vec<_>>();
        assert_eq!(words(&found.replace("39.633333", "39.6333")), words(expected), "{found}");
        assert!(found.lines().all(|line| line.trim_end() == line));
    }
    assert!(penguins().to_string().ends_with("… 334 more\n"));
    assert!(records(json!([{"t": "a\nb", "v": [[1]]}])).to_string().contains("a b  i64 [1, 1]"));
}

#[test]
fn what_is_written_reads_back() {
    let folder = tempfile::tempdir().unwrap();
    let penguins = penguins().head(20);
    for name in ["p.csv", "p.json", "p.jsonl", "P.CSV"] {
        let path = folder.path().join(name);
        std::fs::write(&path, "to be replaced").unwrap();
        penguins.write(&path).unwrap();
        let back = Records::read_as(&path, penguins.schema()).unwrap();
        assert_eq!(back.schema(), penguins.schema());
        for (one, other) in penguins.iter().zip(back.iter()) {
            for key in one.keys() {
                let value = |record: &Record| record.get_or(key).unwrap().map(|value| value.describe());
                assert_eq!(value(&one), value(&other));
            }
        }
    }
    assert_eq!(std::fs::read_dir(folder.path()).unwrap().count(), 4);
    let nested = records(json!([{"a, b": 0.1, "v": [[0.1, 2]], "w": ["x"], "m": null}]));
    let path = folder.path().join("nested.json");
    nested.write(&path).unwrap();
    let text = std::fs::read_to_string(&path).unwrap();
    assert_eq!(text, "[\n{\"a, b\":0.1,\"v\":[[0.1,2.0]],\"w\":[\"x\"],\"m\":null}\n]\n");
    let csv = folder.path().join("flat.csv");
    records(json!([{"a, b": 2.0, "t": "say \"hi\"\n", "e": true}])).write(&csv).unwrap();
    assert_eq!(std::fs::read_to_string(&csv).unwrap(), "\"a, b\",t,e\n2.0,\"say \"\"hi\"\"\n\",true\n");

    let error = nested.write(&csv).unwrap_err();
    assert_eq!(error.message(), "column `v` holds tensor f32, which CSV cannot hold");
    assert_eq!(std::fs::read_to_string(&csv).unwrap().lines().count(), 3);
    let error = nested.write(&folder.path().join("deep/a.json")).unwrap_err();
    assert!(error.message().ends_with("no such file or directory"), "{error}");
    let error = nested.write(&folder.path().join("a.xlsx")).unwrap_err();
    assert!(error.message().ends_with("its name has the ending `.xlsx`"), "{error}");
}
