//! Round trips, files of another writer, broken files; without the feature, the way out.

#[cfg(not(feature = "parquet"))]
mod without {
    use crate::record::Records;

    #[test]
    fn a_binary_without_the_feature_says_so() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("a.parquet");
        let records = Records::from_rows(vec![vec![("a".into(), 1i64.into())]], "records").unwrap();
        for error in [records.write(&path).unwrap_err(), Records::read(&path).unwrap_err()] {
            assert!(error.message().ends_with("this binary was built without the feature `parquet`"), "{error}");
            assert!(error.hints()[0].contains("--features parquet"));
        }
        assert_eq!(std::fs::read_dir(folder.path()).unwrap().count(), 0);
    }
}

#[cfg(feature = "parquet")]
mod with {
    use std::path::{Path, PathBuf};

    use serde_json::json;

    use crate::error::{Error, Kind};
    use crate::record::{ColumnSchema, ColumnType, Name, Record, Records, Schema, Value};
    use crate::tensor::{Array, Tensor};

    /// Written by pyarrow 25 with zstd, two rows a row group, its Arrow schema beside the file's own.
    const FOREIGN: &[u8] = include_bytes!("../../../tests/data/pyarrow.parquet");
    const REFUSED: &[u8] = include_bytes!("../../../tests/data/pyarrow_refused.parquet");

    fn types(records: &Records) -> String {
        let column = |column: &ColumnSchema| {
            format!("{} {}{}", column.name, column.kind, if column.nullable { "?" } else { "" })
        };
        records.schema().columns.iter().map(column).collect::<Vec<_>>().join(", ")
    }

    fn json(records: &Records, name: &str) -> String {
        let value = |record: Record| record.get_or(name).unwrap().unwrap_or(Value::Null).to_json().unwrap().to_string();
        records.iter().map(value).collect::<Vec<_>>().join(" ")
    }

    fn with_file<T>(bytes: &[u8], then: impl Fn(&Path) -> T) -> T {
        let folder = tempfile::tempdir().unwrap();
        let path: PathBuf = folder.path().join("a.parquet");
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

    fn same(one: &Records, other: &Records) {
        assert_eq!(types(one), types(other));
        for name in one.columns() {
            assert_eq!(json(one, name), json(other, name), "{name}");
        }
    }

    #[test]
    fn what_is_written_reads_back() {
        let records = rows(json!([
            {"i": 1, "f": 0.5, "b": true, "t": "a", "w": ["x", "y"], "v": [1.5, 2], "m": [[1], [2]], "r": [1, 2, 3]},
            {"i": -7, "f": 2.0, "b": false, "t": "", "w": [], "v": [0.1, 4], "m": [[3], [4]], "r": [4]},
            {"i": 9007199254740993i64, "f": 1e300, "b": true, "t": "Zürich", "w": ["z"], "v": [5.5, 6],
             "m": [[5], [6]], "r": [5, 6]},
        ]));
        let kinds = "i int, f float, b bool, t text, w texts, v tensor f32, m tensor i64, r tensor i64";
        assert_eq!(types(&records), kinds);
        let back = read(&written(&records)).unwrap();
        same(&records, &back);
        assert_eq!(back.column("m").unwrap().shape(), [3, 2, 1]);
        assert_eq!(back.source(), "a.parquet");
        assert_eq!(back.record(1).place(), "record 1 of a.parquet");
        // Only the chosen rows, in their order.
        let chosen = records.take(&[2, 0]).unwrap();
        same(&chosen, &read(&written(&chosen)).unwrap());
    }

    #[test]
    fn missing_values_read_back_as_missing() {
        let records = rows(json!([
            {"i": 1, "f": 0.5, "b": true, "t": "a", "w": ["x"], "v": [1.5], "m": [[1], [2]], "r": [1, 2], "n": null},
            {"i": null, "f": null, "b": null, "t": null, "w": null, "v": null, "m": null, "r": null, "n": null},
            {"i": 2, "f": 0.25, "b": false, "t": "b", "w": ["y"], "v": [2.5], "m": [[3], [4]], "r": [3], "n": null},
        ]));
        let back = read(&written(&records)).unwrap();
        same(&records, &back);
        assert_eq!(types(&back).matches('?').count(), 9);
        let error = back.column("i").unwrap_err();
        assert!(error.to_string().contains("record 1 of a.parquet"), "{error}");
    }

    #[test]
    fn tensors_of_every_dtype_and_rank_are_written() {
        let column = |array: Array| vec![(Name::from("x"), Tensor::from(array))];
        for (array, kind) in [
            (Array::from_u8((0..16).collect(), &[4, 2, 2, 1]).unwrap(), "x tensor u8"),
            (Array::from_i64((0..8).collect(), &[4, 2]).unwrap(), "x tensor i64"),
            (Array::from_f32((0..8).map(|x| x as f32).collect(), &[4, 2]).unwrap(), "x tensor f32"),
            // Lists of floats are f32, whatever wrote them.
            (Array::from_f64((0..8).map(f64::from).collect(), &[4, 2]).unwrap(), "x tensor f32"),
        ] {
            let shape = array.shape().to_vec();
            let back = read(&written(&Records::from_columns(column(array), "records").unwrap())).unwrap();
            assert_eq!(types(&back), kind);
            assert_eq!(back.column("x").unwrap().shape(), shape);
        }
        let scalar = |value: i64| vec![(Name::from("x"), Value::from(Array::from_i64(vec![value], &[]).unwrap()))];
        let missing = vec![(Name::from("x"), Value::Null)];
        let scalars = Records::from_rows(vec![scalar(4), missing, scalar(5)], "records").unwrap();
        let back = read(&written(&scalars)).unwrap();
        assert_eq!((types(&back), json(&back, "x")), ("x int?".to_owned(), "4 null 5".to_owned()));
    }

    #[test]
    fn more_rows_than_are_turned_over_at_a_time() {
        let numbers: Vec<i64> = (0..20_000).collect();
        let labels = Array::from_i64(numbers.clone(), &[20_000]).unwrap();
        let images = Array::from_f32(numbers.iter().map(|&x| x as f32).collect(), &[20_000, 1]).unwrap();
        let columns = vec![("label".into(), labels.into()), ("image".into(), images.into())];
        let back = read(&written(&Records::from_columns(columns, "records").unwrap())).unwrap();
        assert_eq!(back.column("label").unwrap().to_host().unwrap().as_i64().as_ref(), numbers);
        assert_eq!(back.column("image").unwrap().shape(), [20_000, 1]);
    }

    #[test]
    fn a_file_of_another_writer_is_read() {
        let records = read(FOREIGN).unwrap();
        assert_eq!(
            types(&records),
            "i8 int?, u64 float, f16 float?, f32 float?, f64 float, b bool?, s text, large text?, species text?, \
             none float?, v tensor f32, fixed tensor u8, m tensor i64?, ragged tensor i64, words texts, holes mixed, \
             box mixed?"
        );
        for (name, values) in [
            ("i8", "1 -2 null"),
            ("u64", "1.0 9.223372036854776e+18 3.0"),
            ("f16", "0.5 null 2.0"),
            ("b", "true null false"),
            ("s", "\"a\" \"\" \"Zürich\""),
            ("species", "\"setosa\" \"virginica\" null"),
            ("v", "[1.0,2.0] [3.0,4.0] [5.0,6.0]"),
            ("fixed", "[1,2] [3,4] [5,6]"),
            ("m", "[[1],[2]] [[3],[4]] null"),
            ("ragged", "[1,2,3] [] [4]"),
            ("words", "[\"a\",\"b\"] [] [\"c\"]"),
            ("holes", "[1,null] [2] [3]"),
            ("box", "{\"w\":1,\"h\":2.5} {\"w\":3,\"h\":null} null"),
        ] {
            assert_eq!(json(&records, name), values, "{name}");
        }
    }

    #[test]
    fn a_schema_is_imposed() {
        let records = rows(json!([{"a": 1, "b": 2.5}, {"a": 2, "b": 3.0}]));
        let bytes = written(&records);
        let schema = |a: ColumnType| Schema {
            columns: [("a", a), ("gone", ColumnType::Int)]
                .map(|(name, kind)| ColumnSchema { name: name.into(), kind, nullable: false })
                .into(),
        };
        let read_as = |kind| with_file(&bytes, |path| Records::read_as(path, &schema(kind)));
        assert_eq!(types(&read_as(ColumnType::Float).unwrap()), "a float, b float");
        assert_eq!(types(&read_as(ColumnType::Int).unwrap()), "a int, b float");
        let error = read_as(ColumnType::Int).unwrap().column("gone").unwrap_err();
        assert!(error.message().contains("though the training records have it"), "{error}");
        let error = read_as(ColumnType::Text).unwrap_err();
        assert_eq!(error.message(), "column `a`: expected a text, found the number 1");
        assert_eq!(error.context()[0], "record 0 of a.parquet");
    }

    #[test]
    fn types_that_records_cannot_hold_are_refused_by_column() {
        let error = read(REFUSED).unwrap_err();
        let found: Vec<String> = error.split().iter().map(|error| error.message().to_owned()).collect();
        let expected = [
            "day` holds dates",
            "at` holds dates with times",
            "price` holds decimals",
            "raw` holds bytes",
            "time` holds times of day",
            "img.bytes` holds bytes",
            "map` holds maps with keys of their own",
        ];
        let expected: Vec<String> =
            expected.iter().map(|what| format!("column `{what}, which records cannot hold")).collect();
        assert_eq!(found, expected);
        let mixed = rows(json!([{"a": 1}, {"a": "x"}]));
        let error = with_file(b"", |path| mixed.write(path)).unwrap_err();
        assert_eq!(error.message(), "column `a` holds values of different types, which Parquet cannot hold");
    }

    #[test]
    fn broken_files_are_refused_in_plain_words() {
        let whole = written(&rows(json!([{"a": 1, "b": "x"}, {"a": 2, "b": "y"}])));
        for (bytes, message) in [
            (&b""[..], "not a Parquet file: it does not begin with `PAR1`"),
            (b"a,b\n1,2\n3,4\n", "not a Parquet file: it does not begin with `PAR1`"),
            (&whole[..whole.len() / 2], "the file is cut off: it has "),
            (b"PAR1\0\0\0\0\0\0\0\0PARE", "the file is encrypted"),
            (b"PAR1\xff\xff\xff\x7fPAR1", "the file is damaged: "),
            (b"PAR1\0\0\0\0PAR1", "the file is damaged: "),
        ] {
            let error = read(bytes).unwrap_err();
            assert_eq!(error.kind(), Kind::Data);
            assert!(error.message().starts_with(message), "{message}: {error}");
            assert!(error.context()[0].ends_with("a.parquet"), "{error}");
            assert!(!error.hints().is_empty());
        }
        let error = Records::read(Path::new("nowhere.parquet")).unwrap_err();
        assert_eq!(error.message(), "cannot read nowhere.parquet: there is no such file");
    }

    /// Any byte may be wrong: that is an error or other values, never a panic.
    #[test]
    fn damaged_bytes_do_not_panic() {
        let bytes = written(&rows(json!([{"a": 1, "b": "x", "v": [1, 2]}, {"a": null, "b": "y", "v": [3, 4]}])));
        let mut outcomes = std::collections::BTreeSet::new();
        let mut outcome = |bytes: &[u8]| {
            let text = read(bytes).map_or_else(|error| error.message().to_owned(), |_| "read".to_owned());
            outcomes.insert(text.split(": ").take(2).collect::<Vec<_>>().join(": "));
        };
        for at in 4..bytes.len() - 4 {
            let mut damaged = bytes.clone();
            damaged[at] ^= [0x01, 0x80, 0xff][at % 3];
            outcome(&damaged);
        }
        for length in (0..bytes.len()).step_by(11) {
            outcome(&[&bytes[..length], b"PAR1"].concat());
        }
        // The reader's own panics are among them.
        assert!(outcomes.contains("the file is damaged: its data do not fit together"), "{outcomes:#?}");
    }
}
