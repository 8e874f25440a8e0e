//! Files and streams made here; broken ones; categories and the other ways of keeping texts and lists.

use std::path::Path;
use std::sync::Arc;

use arrow_array::builder::{FixedSizeListBuilder, Float32Builder, StringDictionaryBuilder};
use arrow_array::types::Int8Type;
use arrow_array::{ArrayRef, Date32Array, DictionaryArray, Int64Array, LargeStringArray, RecordBatch, StringViewArray};
use arrow_ipc::writer::{FileWriter, StreamWriter};
use serde_json::json;

use crate::error::{Error, Kind};
use crate::record::{ColumnSchema, ColumnType, Name, ReadOptions, Record, Records, Schema, Source, Value};

fn with_file<T>(bytes: &[u8], then: impl Fn(&Path) -> T) -> T {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("a.arrow");
    std::fs::write(&path, bytes).unwrap();
    then(&path)
}

fn read(bytes: &[u8]) -> Result<Records, Error> {
    with_file(bytes, Records::read)
}

fn written(records: &Records) -> Vec<u8> {
    with_file(b"", |path| {
        records.write(path).unwrap();
        std::fs::read(path).unwrap()
    })
}

fn rows(rows: serde_json::Value) -> Records {
    let row = |row: &serde_json::Value| {
        let fields = row.as_object().unwrap().iter();
        fields.map(|(name, value)| (Name::from(name.as_str()), Value::from_json(value))).collect()
    };
    Records::from_rows(rows.as_array().unwrap().iter().map(row).collect(), "records").unwrap()
}

fn json(records: &Records, name: &str) -> String {
    let value = |record: Record| record.get_or(name).unwrap().unwrap_or(Value::Null).to_json().unwrap().to_string();
    records.iter().map(value).collect::<Vec<_>>().join(" ")
}

fn mixed_rows() -> Records {
    rows(json!([
        {"i": 1, "f": 0.5, "b": true, "t": "a", "w": ["x", "y"], "v": [1.5, 2], "m": [[1], [2]], "r": [1, 2, 3]},
        {"i": null, "f": null, "b": null, "t": null, "w": null, "v": null, "m": null, "r": null},
        {"i": 9007199254740993i64, "f": 1e300, "b": false, "t": "Zürich", "w": [], "v": [5.5, 6], "m": [[5], [6]], "r": [5]},
    ]))
}

/// Two batches of columns as other writers keep them, as a stream or as a file.
fn foreign(stream: bool) -> Vec<u8> {
    let mut kinds = StringDictionaryBuilder::<Int8Type>::new();
    ["setosa", "virginica", "setosa"].iter().for_each(|kind| kinds.append_value(kind));
    kinds.append_null();
    let mut points = FixedSizeListBuilder::new(Float32Builder::new(), 2);
    for at in 0..4 {
        points.values().append_slice(&[at as f32, at as f32 + 0.5]);
        points.append(true);
    }
    let columns: Vec<(&str, ArrayRef)> = vec![
        ("n", Arc::new(Int64Array::from(vec![Some(1), None, Some(3), Some(4)]))),
        ("kind", Arc::new(kinds.finish())),
        ("large", Arc::new(LargeStringArray::from(vec![Some("a"), None, Some(""), Some("d")]))),
        ("view", Arc::new(StringViewArray::from(vec!["short", "a text of more than twelve bytes", "x", "y"]))),
        ("point", Arc::new(points.finish())),
    ];
    let batch = RecordBatch::try_from_iter(columns).unwrap();
    let mut bytes = Vec::new();
    if stream {
        let mut writer = StreamWriter::try_new(&mut bytes, &batch.schema()).unwrap();
        writer.write(&batch.slice(0, 3)).unwrap();
        writer.write(&batch.slice(3, 1)).unwrap();
        writer.finish().unwrap();
    } else {
        let mut writer = FileWriter::try_new(&mut bytes, &batch.schema()).unwrap();
        writer.write(&batch.slice(0, 3)).unwrap();
        writer.write(&batch.slice(3, 1)).unwrap();
        writer.finish().unwrap();
    }
    bytes
}

#[test]
fn what_is_written_reads_back_as_from_json() {
    let records = mixed_rows();
    let back = read(&written(&records)).unwrap();
    assert_eq!(back.schema(), records.schema());
    for name in records.columns() {
        assert_eq!(json(&records, name), json(&back, name), "{name}");
    }
    assert_eq!(back.record(2).place(), "record 2 of a.arrow");
    let chosen = records.take(&[2, 0]).unwrap();
    assert_eq!(json(&read(&written(&chosen)).unwrap(), "i"), "9007199254740993 1");
}

#[test]
fn arrow_and_parquet_give_the_same_columns() {
    let records = mixed_rows();
    let folder = tempfile::tempdir().unwrap();
    let [arrow, parquet] = ["a.arrow", "a.parquet"].map(|name| {
        records.write(&folder.path().join(name)).unwrap();
        Records::read(&folder.path().join(name)).unwrap()
    });
    assert_eq!(arrow.schema(), parquet.schema());
    for name in arrow.columns() {
        assert_eq!(json(&arrow, name), json(&parquet, name), "{name}");
    }
}

#[test]
fn files_and_streams_of_another_writer_are_read() {
    for stream in [false, true] {
        let records = read(&foreign(stream)).unwrap();
        let kinds: Vec<String> =
            records.schema().columns.iter().map(|column| format!("{} {}", column.name, column.kind)).collect();
        assert_eq!(kinds, ["n int", "kind text", "large text", "view text", "point tensor f32"]);
        assert_eq!(json(&records, "n"), "1 null 3 4");
        assert_eq!(json(&records, "kind"), "\"setosa\" \"virginica\" \"setosa\" null");
        assert_eq!(json(&records, "large"), "\"a\" null \"\" \"d\"");
        assert_eq!(json(&records, "view"), "\"short\" \"a text of more than twelve bytes\" \"x\" \"y\"");
        assert_eq!(json(&records, "point"), "[0.0,0.5] [1.0,1.5] [2.0,2.5] [3.0,3.5]");
    }
}

#[test]
fn the_name_and_the_first_bytes_tell_the_format() {
    let folder = tempfile::tempdir().unwrap();
    for (name, bytes) in [("a.feather", foreign(false)), ("a.data", foreign(true))] {
        let path = folder.path().join(name);
        std::fs::write(&path, &bytes).unwrap();
        let options = ReadOptions { format: name.ends_with("data").then(|| "arrow".into()), ..ReadOptions::default() };
        assert_eq!(Records::read_with(&path, &options).unwrap().len(), 4);
        let source = Source::stream(&bytes[..], "<stdin>", None).unwrap();
        assert_eq!(source.format().name(), "arrow");
        let parts: Vec<usize> =
            source.parts(&Schema::default(), 1, &[]).unwrap().map(|part| part.unwrap().len()).collect();
        assert_eq!(parts.iter().sum::<usize>(), 4);
    }
}

#[test]
fn a_schema_is_imposed() {
    let bytes = written(&rows(json!([{"a": 1, "b": 2.5}, {"a": 2, "b": 3.0}])));
    let schema = |kind| Schema { columns: vec![ColumnSchema { name: "a".into(), kind, nullable: false }] };
    let floats = with_file(&bytes, |path| Records::read_as(path, &schema(ColumnType::Float))).unwrap();
    assert_eq!(floats.schema().columns[0].kind, ColumnType::Float);
    let error = with_file(&bytes, |path| Records::read_as(path, &schema(ColumnType::Text))).unwrap_err();
    assert_eq!(error.message(), "column `a`: expected a text, found the number 1");
}

#[test]
fn what_records_cannot_hold_is_refused() {
    let days: ArrayRef = Arc::new(Date32Array::from(vec![1, 2]));
    let keys: ArrayRef = Arc::new(Int64Array::from(vec![10, 20]));
    let numbered: ArrayRef = Arc::new(DictionaryArray::<Int8Type>::new(vec![0i8, 1].into(), keys));
    let batch = RecordBatch::try_from_iter(vec![("day", days), ("numbered", numbered)]).unwrap();
    let mut bytes = Vec::new();
    let mut writer = FileWriter::try_new(&mut bytes, &batch.schema()).unwrap();
    writer.write(&batch).unwrap();
    writer.finish().unwrap();
    drop(writer);
    let found: Vec<String> = read(&bytes).unwrap_err().split().iter().map(|error| error.message().to_owned()).collect();
    assert_eq!(
        found,
        [
            "column `day` holds dates, which records cannot hold",
            "column `numbered` holds numbered values that are no texts, which records cannot hold"
        ]
    );
    let mixed = rows(json!([{"a": 1}, {"a": "x"}]));
    let error = with_file(b"", |path| mixed.write(path)).unwrap_err();
    assert_eq!(error.message(), "column `a` holds values of different types, which Arrow cannot hold");
}

#[test]
fn broken_files_are_refused_in_plain_words() {
    let (file, stream) = (foreign(false), foreign(true));
    for (bytes, message) in [
        (&b""[..], "not an Arrow file: it begins neither with `ARROW1` nor as a stream"),
        (b"a,b\n1,2\n", "not an Arrow file: it begins neither with `ARROW1` nor as a stream"),
        (&file[..file.len() / 2], "the file is cut off: it has "),
        (b"ARROW1\0\0\xff\xff\xff\x7fARROW1", "the file is cut off: it has "),
        (&stream[..stream.len() / 2], "the stream is cut off after "),
        (&stream[..4], "the file has no columns"),
        (b"\xff\xff\xff\xff\xff\xff\xff\x7f", "the file has no columns"),
    ] {
        let error = read(bytes).unwrap_err();
        assert_eq!(error.kind(), Kind::Data);
        assert!(error.message().starts_with(message), "{message}: {error}");
        assert!(error.context()[0].ends_with("a.arrow"), "{error}");
    }
}

/// Any byte may be wrong: that is an error or other values, never a panic, nor memory that a length claims.
#[test]
fn damaged_bytes_do_not_panic() {
    for bytes in [foreign(false), foreign(true)] {
        for at in 0..bytes.len() {
            let mut damaged = bytes.clone();
            damaged[at] ^= [0x01, 0x80, 0xff][at % 3];
            let _ = read(&damaged);
        }
        for length in (0..bytes.len()).step_by(7) {
            let _ = read(&bytes[..length]);
        }
    }
}
