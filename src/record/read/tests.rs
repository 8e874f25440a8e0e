//! Files good and bad, the exact message compared.

mod numbers;

use std::path::{Path, PathBuf};

use crate::error::{Error, Kind};
use crate::record::{Dialect, ReadOptions, Records, Schema, Value};
use crate::tensor::Tensor;

/// Writes a file into a new folder and hands its path to `then`.
fn with_file<T>(name: &str, bytes: &[u8], then: impl Fn(&Path) -> T) -> T {
    let folder = tempfile::tempdir().unwrap();
    let path: PathBuf = folder.path().join(name);
    std::fs::write(&path, bytes).unwrap();
    then(&path)
}

fn read(name: &str, text: &str) -> Records {
    with_file(name, text.as_bytes(), |path| Records::read(path).unwrap())
}

/// Returns the schema in short: "a int, b text?"; the question mark stands for missing values.
fn types(records: &Records) -> String {
    let column = |column: &crate::record::ColumnSchema| {
        format!("{} {}{}", column.name, column.kind, if column.nullable { "?" } else { "" })
    };
    records.schema().columns.iter().map(column).collect::<Vec<_>>().join(", ")
}

fn json(records: &Records) -> String {
    let object = |record: crate::record::Record| {
        let field = |name: &crate::record::Name| {
            let value = record.get_or(name).unwrap().unwrap_or(Value::Null);
            (name.to_string(), value.to_json().unwrap())
        };
        serde_json::Value::Object(record.keys().iter().map(field).collect()).to_string()
    };
    records.iter().map(object).collect::<Vec<_>>().join(" ")
}

/// Checks an error: kind, message without the folder, line and column, hint.
fn check(name: &str, error: &Error, message: &str, place: Option<(usize, usize)>, hint: &str) {
    assert_eq!(error.kind(), Kind::Data);
    let found: Vec<&str> = error.message().split(' ').map(|word| word.rsplit('/').next().unwrap_or(word)).collect();
    assert_eq!(found.join(" "), message, "{name}");
    assert_eq!(error.place().map(|place| place.line_column()), place, "{message}");
    assert!(error.hints().iter().any(|found| found.contains(hint)), "{hint} not in {:?}", error.hints());
}

#[test]
fn tabs_separate_where_the_ending_says_so() {
    let records = read("t.tsv", "a\tb\n1\t\"x, y\"\n2\t\n");
    assert_eq!(types(&records), "a int, b text?");
    assert_eq!(json(&records), r#"{"a":1,"b":"x, y"} {"a":2,"b":null}"#);
    let dialect = Dialect { delimiter: Some(b';'), ..Dialect::default() };
    with_file("t.csv", b"a;b\n1;2\n", |path| {
        let records =
            Records::read_with(path, &ReadOptions { dialect: dialect.clone(), ..ReadOptions::default() }).unwrap();
        assert_eq!((json(&records).as_str(), records.is_whole_file()), (r#"{"a":1,"b":2}"#, false));
    });
    with_file("t.tsv", b"a\tb\n1\n", |path| {
        let error = Records::read(path).unwrap_err();
        assert!(error.to_string().contains("line 2 of"), "{error}");
    });
}

#[test]
fn csv_types_are_inferred_over_the_whole_column() {
    for (column, kind, values) in [
        ("1\n2\n-3", "int", "1 2 -3"),
        ("1\n2.5\n3", "float", "1.0 2.5 3.0"),
        ("1\n\n3", "int?", "1 null 3"),
        ("NA\n NaN \nnull\nnan\n7", "int?", "null null null null 7"),
        ("NA\n1e-3", "float?", "null 0.001"),
        ("NA\nNA", "float?", "null null"),
        ("true\nfalse\nTrue", "bool", "true false true"),
        ("true\nNA", "bool?", "true null"),
        ("true\n1", "text", "\"true\" \"1\""),
        ("007\n1.50\nx", "text", "\"007\" \"1.50\" \"x\""),
        ("NA\n1\nx", "text?", "null \"1\" \"x\""),
        ("NA\nx", "text?", "null \"x\""),
        (" 1\n 2 ", "int", "1 2"),
        ("\" a, b\"\n\"say \"\"hi\"\"\"", "text", "\" a, b\" \"say \\\"hi\\\"\""),
        ("99999999999999999999\n1", "float", "1e+20 1.0"),
        ("inf\n1", "float", "null 1.0"),
        ("infinity\n1", "text", "\"infinity\" \"1\""),
    ] {
        let records = read(
            "a.csv",
            &format!("k,v\n{}\n", column.split('\n').map(|v| format!("0,{v}")).collect::<Vec<_>>().join("\n")),
        );
        assert_eq!(types(&records), format!("k int, v {kind}"), "{column}");
        let found = records
            .iter()
            .map(|record| record.get_or("v").unwrap().unwrap_or(Value::Null).to_json().unwrap().to_string());
        assert_eq!(found.collect::<Vec<_>>().join(" "), values, "{column}");
    }
}

#[test]
fn csv_oddities_are_read() {
    for (text, expected) in [
        ("\u{feff}a,b\r\n1,x\r\n", r#"{"a":1,"b":"x"}"#),
        (" a , b\n1,x", r#"{"a":1,"b":"x"}"#),
        ("a,b\n1,\"two\nlines\"\n\n2,x\n", r#"{"a":1,"b":"two\nlines"} {"a":2,"b":"x"}"#),
        ("a,b\n", ""),
        ("a,b\n5\",\"x\"\"\"\n", r#"{"a":"5\"","b":"x\""}"#),
        ("a,b\n1,\"x\"", r#"{"a":1,"b":"x"}"#),
    ] {
        assert_eq!(json(&read("a.csv", text)), expected);
    }
}

#[test]
fn json_and_jsonl_give_the_same_records() {
    let objects = [
        r#"{"a": 1, "b": "x", "image": [[1, 2], [3, 4]], "words": ["a", "b"], "odd": {"k": 1}}"#,
        r#"{"b": null, "a": 2.5, "image": [[0.5, 2], [3, 4]], "words": [], "odd": [1, "x"]}"#,
    ];
    let array = read("a.json", &format!(" [\n{}\n]\n", objects.join(",\n")));
    let lines = read("a.jsonl", &format!("{}\n\n{}\n", objects[0], objects[1]));
    for records in [array, lines] {
        assert_eq!(types(&records), "a float, b text?, image tensor f32, words texts, odd mixed");
        assert_eq!(
            json(&records),
            concat!(
                r#"{"a":1.0,"b":"x","image":[[1.0,2.0],[3.0,4.0]],"words":["a","b"],"odd":{"k":1}} "#,
                r#"{"a":2.5,"b":null,"image":[[0.5,2.0],[3.0,4.0]],"words":[],"odd":[1,"x"]}"#
            )
        );
        assert_eq!(records.column("image").unwrap().shape(), [2, 2, 2]);
    }
    assert_eq!(json(&read("a.json", "[]")), "");
    assert_eq!(types(&read("a.json", r#"[{"a": [1]}, {"a": [1, 2]}]"#)), "a tensor i64");
    assert_eq!(types(&read("a.json", r#"[{"a": [1]}, {}]"#)), "a tensor i64?");
    assert_eq!(types(&read("a.json", r#"[{"a": [1]}, {"a": 1}]"#)), "a mixed");
    assert_eq!(types(&read("a.json", r#"[{"a": 1}, {"a": "x"}]"#)), "a mixed");
}

#[test]
fn bad_files_are_refused_with_their_line() {
    let none = None;
    for (name, bytes, message, place, hint) in [
        ("a.csv", &b""[..], "the file a.csv is empty", none, "the first line has to name the columns"),
        ("a.csv", b" \n\n", "the file a.csv is empty", none, ""),
        ("a.json", b"", "the file a.json is empty", none, "expected objects"),
        ("a.csv", b"a,,c\n1,2,3\n", "column 2 has no name in the header", Some((1, 1)), "give this one a name"),
        ("a.csv", b"a,b,a\n", "the header names `a` twice: columns 1 and 3", Some((1, 1)), "columns: `a`, `b`, `a`"),
        (
            "a.csv",
            b"a,b\n1,2\n3\n",
            "line 3 of a.csv has 1 value, the header has 2",
            Some((3, 1)),
            "between two commas",
        ),
        (
            "a.csv",
            b"a,b\r\n1,2\r\n3,4,5\r\n",
            "line 3 of a.csv has 3 values, the header has 2",
            Some((3, 1)),
            "double quotes",
        ),
        ("a.csv", b"a,b\n\"x\n2,y\n", "line 2 of a.csv has 1 value, the header has 2", Some((2, 1)), "not closed"),
        ("a.csv", b"a,b\n1,\"x \"\"\n2,y\n", "line 2 of a.csv: the double quote is not closed", Some((2, 3)), "twice"),
        (
            "a.csv",
            b"a\nx\n\xff\xfe\n",
            "a.csv is not UTF-8: line 3 has bytes that are no text",
            none,
            "save it as UTF-8",
        ),
        (
            "a.xlsx",
            b"a\n1\n",
            "the format of a.xlsx is unknown: its name has the ending `.xlsx`",
            none,
            "endings: `.csv`",
        ),
        ("a", b"a\n1\n", "the format of a is unknown: its name has no ending", none, "endings: `.csv`"),
        (
            "a.json",
            b"{\"a\": 1}",
            "a.json: expected an array of objects: [{\u{2026}}, {\u{2026}}]",
            Some((1, 1)),
            ".jsonl",
        ),
        ("a.json", b"[\n 5]", "line 2 of a.json: expected an object such as {\"x\": 1.5, \"y\": 0}", Some((2, 2)), ""),
        (
            "a.json",
            b"[\n{\"a\": 1}\n{\"a\": 2}]",
            "line 3 of a.json: expected `,` or `]` after the object, found '{'",
            Some((3, 1)),
            "",
        ),
        (
            "a.json",
            b"[{\"a\": 1}",
            "line 1 of a.json: expected `,` or `]` after the object, found the end of the file",
            Some((1, 10)),
            "",
        ),
        ("a.json", b"[{\"a\": 1}] x", "line 1 of a.json: expected nothing after the array", Some((1, 12)), ""),
        (
            "a.json",
            b"[{\"a\": 1},\n {\"a\": tru}]",
            "line 2 of a.json: not valid JSON: expected ident",
            Some((2, 11)),
            "",
        ),
        ("a.json", b"[{\"a\": 1, \"a\": 2}]", "line 1 of a.json: field `a` is given twice", Some((1, 3)), ""),
        ("a.json", b"[{\"\": 1}]", "line 1 of a.json: a field has no name", Some((1, 3)), ""),
        (
            "a.jsonl",
            b"{\"a\": 1}\n{\"a\": 1} {\n",
            "line 2 of a.jsonl: expected one object a line, found more after it",
            Some((2, 10)),
            "",
        ),
        (
            "a.jsonl",
            b"{\"a\": 1}\n{\"a\":\n",
            "line 2 of a.jsonl: the file ends before the object that starts here is closed",
            Some((2, 1)),
            "",
        ),
        ("a.jsonl", b"[1]\n", "line 1 of a.jsonl: expected an object such as {\"x\": 1.5, \"y\": 0}", Some((1, 1)), ""),
    ] {
        let error = with_file(name, bytes, |path| Records::read(path).unwrap_err());
        if hint.is_empty() {
            let hints = error.clone().hint("");
            check(name, &hints, message, place, hint);
        } else {
            check(name, &error, message, place, hint);
        }
    }
}

#[test]
fn a_missing_file_is_refused_with_the_nearest_name() {
    let error = with_file("train.csv", b"a\n1\n", |path| Records::read(&path.with_file_name("trian.csv")).unwrap_err());
    check("train.csv", &error, "cannot read trian.csv: there is no such file", None, "did you mean `train.csv`?");
    let error = with_file("a.csv", b"", |path| Records::read(&path.join("deep/a.csv")).unwrap_err());
    assert!(error.message().starts_with("cannot read "), "{error}");
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("x.csv");
    std::fs::create_dir(&path).unwrap();
    assert!(Records::read(&path).unwrap_err().message().ends_with("is a folder, expected a file with records"));
}

#[test]
fn an_imposed_schema_keeps_types_and_ignores_absent_columns() {
    let schema = read("train.csv", "f,i,t,b,y\n0.5,1,x,true,1\n").schema().clone();
    let score =
        |name: &str, text: &str| with_file(name, text.as_bytes(), |path| Records::read_as(path, &schema).unwrap());

    let records = score("score.csv", "t,f,extra,i\n7,1,1,2\n8,NA,2,3\n");
    assert_eq!(types(&records), "t text, f float?, extra int, i int");
    assert_eq!(json(&records), r#"{"t":"7","f":1.0,"extra":1,"i":2} {"t":"8","f":null,"extra":2,"i":3}"#);
    let error = records.record(0).get("y").unwrap_err();
    assert_eq!(
        error.to_string(),
        "there is no field `y` here, though the training records have it (record 0 of score.csv)"
    );
    assert_eq!(types(&records.select(&["f"]).unwrap()), "f float?");

    assert_eq!(types(&score("score.json", r#"[{"f": 1, "i": 2.0, "t": "x"}]"#)), "f float, i int, t text");
    // Whole numbers in training do not forbid a fraction later.
    assert_eq!(types(&score("score.csv", "i\n1\n2.5\n")), "i float");
    assert_eq!(types(&score("score.jsonl", "{\"i\": 2.5}\n")), "i float");
    // A column without any value keeps its type.
    assert_eq!(types(&score("score.csv", "i,t\nNA,NA\n")), "i int?, t text?");

    let stored = serde_json::to_string(&schema).unwrap();
    assert_eq!(serde_json::from_str::<Schema>(&stored).unwrap(), schema);
}

#[test]
fn values_that_do_not_fit_the_schema_are_refused_with_their_place() {
    let schema = read("train.json", r#"[{"f": 0.5, "i": 1, "t": "x", "b": true, "image": [0.5]}]"#).schema().clone();
    let refused =
        |name: &str, text: &str| with_file(name, text.as_bytes(), |path| Records::read_as(path, &schema).unwrap_err());
    for (name, text, message, place) in [
        ("s.csv", "t,f\na,1\n\"b, c\",abc\n", "line 3 of s.csv, column `f`: expected a number, found \"abc\"", (3, 8)),
        ("s.csv", "i,t\n\n\n1,b\nabc,x\n", "line 5 of s.csv, column `i`: expected a number, found \"abc\"", (5, 1)),
        (
            "s.csv",
            "t,b\r\nx,true\r\nx,1\r\n",
            "line 3 of s.csv, column `b`: expected true or false, found \"1\"",
            (3, 3),
        ),
        (
            "s.json",
            "[{\"f\": 1},\n {\"t\": \"x\", \"f\": \"abc\"}]",
            "line 2 of s.json: column `f`: expected a number, found the text \"abc\"",
            (2, 13),
        ),
        ("s.jsonl", "{\"t\": 5}\n", "line 1 of s.jsonl: column `t`: expected a text, found the number 5", (1, 2)),
        (
            "s.jsonl",
            "{\"image\": 5}\n",
            "line 1 of s.jsonl: column `image`: expected a list of numbers, found the number 5",
            (1, 2),
        ),
    ] {
        check(name, &refused(name, text).hint("the"), message, Some(place), "the");
    }
    let error = refused("s.csv", "image\n1\n");
    assert!(error.message().contains("its type is tensor f32"), "{error}");
    let drawn = crate::error::draw(&refused("s.csv", "t,f\na,1\nb,abc\n"), false);
    assert!(drawn.contains("3 | b,abc\n"), "{drawn}");
}

#[test]
fn tensors_of_whole_numbers_take_the_imposed_dtype() {
    let schema = read("train.json", r#"[{"v": [0.5, 1]}]"#).schema().clone();
    let records =
        with_file("s.json", br#"[{"v": [1, 2]}, {"v": [3, 4]}]"#, |path| Records::read_as(path, &schema).unwrap());
    assert_eq!(types(&records), "v tensor f32");
    assert!(matches!(records.column("v").unwrap(), Tensor::Host(_)));
}

#[test]
fn real_files_are_read() {
    let iris = Records::read(Path::new("examples/iris/iris.csv")).unwrap();
    assert_eq!(iris.len(), 150);
    assert_eq!(
        types(&iris),
        "sepal_length float, sepal_width float, petal_length float, petal_width float, species text"
    );
    assert_eq!(iris.source(), "iris.csv");
    let penguins = Records::read(Path::new("examples/penguins/penguins.csv")).unwrap();
    assert_eq!(penguins.len(), 344);
    assert_eq!(
        types(&penguins),
        "species text, island text, bill_length_mm float?, bill_depth_mm float?, flipper_length_mm int?, \
         body_mass_g int?, sex text?, year int"
    );
}
