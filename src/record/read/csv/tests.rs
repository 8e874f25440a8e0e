//! Columns and errors do not depend on where a file is cut.

use proptest::prelude::*;

use super::*;

fn file(text: &str) -> File {
    File { name: "t.csv".to_owned(), source: "t.csv".into(), text: text.to_owned(), before: None }
}

/// The columns, or what is wrong.
fn told(text: &str, schema: Option<&Schema>, dialect: &Dialect, parts: usize) -> String {
    match read_in(&file(text), schema, dialect, parts) {
        Ok(table) => table.columns().map(|(name, cells)| format!("{name}: {cells:?}\n")).collect(),
        Err(error) => format!("{error:?}"),
    }
}

fn cell() -> impl Strategy<Value = &'static str> {
    prop::sample::select(vec![
        "1",
        "-0",
        "+7",
        "007",
        "2.5",
        "-0.0",
        "1e999",
        "99999999999999999999",
        "inf",
        "NA",
        "",
        " 3 ",
        "true",
        "False",
        "x",
        "\"a,\nb\"",
        "\"say \"\"hi\"\"\"",
        "5\" pipe",
        "é",
        "1e5",
        "nan",
        "-999",
    ])
}

/// Columns that are mostly of one kind, as they are in files.
fn table() -> impl Strategy<Value = String> {
    let column =
        (prop::sample::select(vec!["1", "2.5", "true", "x", "NA"]), prop::collection::vec((0..6_u8, cell()), 12));
    (prop::collection::vec(column, 1..4), 0..12_usize, any::<bool>(), 0..40_u8).prop_map(
        |(columns, rows, feed, broken)| {
            let row = |row: usize| {
                let cells = columns.iter().map(|(usual, own)| if own[row].0 == 0 { own[row].1 } else { usual });
                cells.collect::<Vec<_>>().join(",")
            };
            let end = if feed { "\r\n" } else { "\n" };
            let names = (0..columns.len()).map(|at| format!("c{at}")).collect::<Vec<_>>().join(",");
            let mut text = format!("{names}{end}");
            for at in 0..rows {
                text += &row(at);
                text += match broken {
                    0 if at == rows / 2 => ",9\n",
                    1 if at == rows / 2 => "\n\"open",
                    _ => end,
                };
            }
            text
        },
    )
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(600))]
    #[test]
    fn cuts_change_neither_columns_nor_errors(text in table(), parts in 2_usize..8, imposed in any::<bool>(), odd in any::<bool>()) {
        let missing = odd.then(|| vec!["-999".to_owned(), "NA".to_owned()]);
        let dialect = Dialect { missing, ..Dialect::default() };
        let column = |kind| crate::record::ColumnSchema { name: "c0".to_owned(), kind, nullable: true };
        let schema = imposed.then(|| Schema { columns: vec![column(crate::record::ColumnType::Int)] });
        let whole = told(&text, schema.as_ref(), &dialect, 1);
        prop_assert_eq!(told(&text, schema.as_ref(), &dialect, parts), whole);
    }
}

#[test]
fn a_number_may_stand_for_a_missing_value_anywhere() {
    let dialect = Dialect { missing: Some(vec!["-999".to_owned()]), ..Dialect::default() };
    let told = told("a,b\n1,2.5\n-999,-999\n3,1\n", None, &dialect, 1);
    assert_eq!(told.matches("Some([false, true, false])").count(), 2, "{told}");
}

#[test]
fn parts_of_other_types_become_one_column() {
    let told = |text: &str| told(text, None, &Dialect::default(), 8);
    assert_eq!(
        told("a\n1\n2\n3\n4\n5\n6\n7.5\n"),
        "a: Cells { data: Float([1.0, 2.0, 3.0, 4.0, 5.0, 6.0, 7.5]), nulls: None }\n"
    );
    assert_eq!(
        told("a\n1\ntrue\nNA\n x\n"),
        "a: Cells { data: Text([\"1\", \"true\", \"\", \" x\"]), nulls: Some([false, false, true, false]) }\n"
    );
    assert_eq!(
        told("a\n-0\n1\n2.5\n-0\n-0.0\n"),
        "a: Cells { data: Float([0.0, 1.0, 2.5, 0.0, -0.0]), nulls: None }\n"
    );
    assert_eq!(told("a\nNA\nNA\n"), "a: Cells { data: Float([NaN, NaN]), nulls: Some([true, true]) }\n");
}
