//! Scripts by name: those that must run on whole columns, and those that must not, with the reason.

use std::fmt::Write;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex};

use barrage::record::Mode;
use barrage::script::Host;
use barrage::script::vectorise::How;

use super::{Slot, Subject, same, table};

const FOLLOWED: &[(&str, Slot, &str)] = &[
    ("key selector", Slot::Loader, "fn load(record) { #{ x: #{ x: tensor([record.a, record.b, record.i]) }, y: #{ y: record.s } } }"),
    ("all fields but one", Slot::Loader, "fn load(record) {
        let names = record.keys().filter(|name| name == \"a\" || name == \"b\");
        [#{ x: record.gather(names), many: record.keys().len }, #{ y: record.j }] }"),
    ("key selector by gather", Slot::Loader, "const NAMES = [\"a\", \"b\"];
        fn load(record) { [#{ x: record.gather(global::NAMES), n: record.gather([\"i\", \"j\"]) }, #{ y: record.j }] }"),
    ("helper functions", Slot::Loader, "fn scaled(x, by) { x * by + 1.0 }
        fn load(record) { [#{ x: [scaled(record.a, 0.5), scaled(record.i, 2), scaled(record.b, -1.5)] }, #{ y: record.j }] }"),
    ("a loop over names", Slot::Loader, "fn load(record) {
            let x = [];
            for name in [\"a\", \"b\", \"i\"] { x.push(record[name] * 0.1); }
            [#{ x: x }, #{ y: record.j }]
        }"),
    ("map over names", Slot::Loader, "fn load(record) { [#{ x: [\"a\", \"b\"].map(|name| record[name] / 3.0) }, #{ y: record.flag }] }"),
    ("a scaler with a branch", Slot::Loader, "fn load(record) {
            let x = record.a;
            if x > 1.5 { x = (x - 1.5) * 0.5 + 1.5; } else if x < -1.0 { x = -1.0; }
            [#{ x: [x, record.b] }, #{ y: record.j }]
        }"),
    ("early returns", Slot::Loader, "fn class(record) {
            if record.s == \"setosa\" { return 0; }
            if record.a > 2.0 && record.i >= 3 { return 1; }
            for limit in [0.0, 1.0] { if record.b < limit { return 2; } }
            3
        }
        fn load(record) { [#{ x: record.v }, #{ y: class(record) }] }"),
    ("a string encoder", Slot::Loader, "const KINDS = [\"setosa\", \"virginica\", \"versicolor\", \"Other kind\", \"\"];
        fn load(record) { [#{ x: one_hot(global::KINDS.index_of(record.s), 5), known: record.t in [\"setosa\", \"virginica\"] },
                           #{ y: global::KINDS.index_of(record.t) }] }"),
    ("comparisons of texts", Slot::Loader, "fn load(record) {
            let same = if record.s == record.t { 1.0 } else { 0.0 };
            let order = if record.s < record.t { 1 } else if record.s > record.t { -1 } else { 0 };
            [#{ x: [same, order], length: record.text.len(), short: record.text.len() < 20 }, #{ y: record.j }]
        }"),
    ("words", Slot::Loader, "fn words(text) {
            let plain = text.to_lower();
            for mark in [\",\", \"!\"] { plain.replace(mark, \" \"); }
            plain.split().filter(|word| word != \"\")
        }
        fn load(record) {
            let numbers = [];
            for word in words(record.text) { numbers.push(if word.starts_with(\"w\") { 2 } else { word.len() + 10 }); }
            numbers.truncate(6);
            numbers.pad(6, 0);
            [#{ words: tensor(numbers) }, #{ y: record.j }]
        }"),
    ("a dictionary", Slot::Loader, "const NUMBERS = #{ setosa: 3, virginica: 4 };
        fn load(record) { [#{ x: [global::NUMBERS.get(record.s, 0), record.i] }, #{ y: record.j }] }"),
    ("while", Slot::Loader, "fn load(record) {
            let x = record.a * 10.0;
            let steps = 0;
            while x > 1.0 { x /= 2.0; steps += 1; if steps == 4 { break; } if record.flag { continue; } x -= 0.25; }
            [#{ x: [x, steps] }, #{ y: record.j }]
        }"),
    ("images", Slot::Loader, "fn load(record) {
            let image = record.pixels.to_f32() / 255.0;
            [#{ image: image.reshape([6, 6, 1]), mean: image.mean(), rows: image.sum(1), columns: image.sum(0) }, #{ y: record.j }]
        }"),
    ("a loop over elements", Slot::Loader, "fn load(record) {
            let sum = 0.0;
            for x in record.v { if x > 0.0 { sum += x; } }
            [#{ x: [sum, record.v[0], record.m[1][2]] }, #{ y: record.j }]
        }"),
    ("loops over ranges", Slot::Loader, "fn load(record) {
            let n = 0;
            for k in 0..record.j { n += k * record.i; }
            for k in 1..=record.j { if k == 3 { break; } n -= k; }
            for k in 0..4000000000 { if n % 7 == 0 || k > 5 { break; } n += 1; }
            [#{ x: [n, record.a] }, #{ y: record.j }]
        }"),
    ("weights and a default", Slot::Loader, "fn load(record) {
            #{ x: #{ x: record.a }, y: #{ y: record.j }, w: #{ y: record.get(\"weight\", 1.0) } } }"),
    ("standardise", Slot::Transformer, "fn fit(records) {
            let batch = this.loader.load_all(records);
            this.mean = batch.x.v.mean(0);
            this.deviation = batch.x.v.std(0);
        }
        fn transform(data_record) {
            data_record.x.v = (data_record.x.v - this.mean) / this.deviation;
            if data_record.x.a.item > 2.0 { data_record.x.a = 2.0; }
            data_record
        }"),
    ("labels", Slot::Transformer, "fn fit(records) {
            this.classes = [];
            for label in this.loader.load_all(records).y.label { if label !in this.classes { this.classes.push(label); } }
            this.classes.sort();
        }
        fn transform(data_record) {
            if this.mode == \"score\" { return data_record; }
            let number = this.classes.index_of(data_record.y.label);
            if number < 0 { throw \"unknown\"; }
            data_record.y.label = number;
            data_record.x.s = `${data_record.x.s} of ${number}`;
            data_record
        }"),
    ("noise", Slot::Augmentor, "fn augment(data_record, params, rng) {
            let x = data_record.x[params.name];
            data_record.x[params.name] = x + rng.normal(0.0, params.deviation, x.shape);
            data_record
        }"),
    ("shift", Slot::Augmentor, "fn augment(data_record, params, rng) {
            let by = rng.below(5) - 2;
            data_record.x.pixels = data_record.x.pixels.pad([[0, 0], [2, 2]], 0).slice(1, 2 - by, 8 - by);
            data_record
        }"),
    ("draws behind conditions", Slot::Augmentor, "fn augment(data_record, params, rng) {
            if rng.chance(params.probability) {
                data_record.x.v = data_record.x.v * rng.uniform(0.5, 1.5);
                if rng.chance(0.5) { data_record.x.m = data_record.x.m.transpose().reshape([2, 3]); }
            } else {
                data_record.x.a = data_record.x.a + rng.normal().abs() * rng.choice([1, -1]);
            }
            data_record.x.v = data_record.x.v + rng.uniform(0, 1, [4]) * rng.uniform();
            data_record
        }"),
    ("types of parameters", Slot::Augmentor, "fn augment(data_record, params, rng) {
            let by = if type_of(params.deviation) == \"array\" { params.deviation[0] } else { params.deviation };
            if type_of(params.name) == \"string\" { data_record.x[params.name] = data_record.x[params.name] * by; }
            if type_of(data_record.y) == \"map\" && type_of(params.factor) == \"i64\" { data_record.x.i = data_record.x.i * params.factor; }
            data_record
        }"),
    ("a random crop", Slot::Augmentor, "fn augment(data_record, params, rng) {
            let padded = data_record.x.pixels.to_f32().pad([[1, 1], [1, 1]], -1.0);
            let top = rng.below(3);
            let left = rng.below(3);
            data_record.x.pixels = padded.slice(0, top, top + 6).slice(1, left, left + 6);
            data_record.x.m = data_record.x.m.pad([[1, 0], [0, 2]], 7).slice(-1, -4 - top % 2, -1 - top % 2);
            data_record
        }"),
    ("cutout", Slot::Augmentor, "fn augment(data_record, params, rng) {
            let at = range(0, 6);
            let top = rng.below(4);
            let inside = at.greater_equal(top) * at.less(top + 2);
            data_record.x.pixels = where(inside.reshape([6, 1]) * ones([1, 6], \"u8\"), 0, data_record.x.pixels);
            data_record
        }"),
];

#[test]
fn named_scripts_run_on_columns_and_give_the_bits_of_interpretation() {
    let records = table(200);
    let mut refused = String::new();
    for (name, slot, script) in FOLLOWED {
        for mode in [Mode::Train, Mode::Score] {
            if let Some(why) = same(script, *slot, &records, mode) {
                refused += &format!("{name}: {why}\n");
            }
        }
    }
    assert!(refused.is_empty(), "{refused}");
    assert!(FOLLOWED.len() >= 20);
}

const REFUSED: &[(&str, &str)] = &[
    (
        "fn load(record) { let y = switch record.j { 0 => 1, _ => 2 }; [#{ x: record.a }, #{ y: y }] }",
        "uses `switch` at under/test.rhai:1:27",
    ),
    (
        "fn load(record) { [#{ x: record.a }, #{ y: type_of(record.a) }] }",
        "asks for a type with `type_of` at under/test.rhai:1:44",
    ),
    ("fn load(record) { print(record.a); [#{ x: record.a }, #{ y: 1 }] }", "prints at under/test.rhai:1:19"),
    (
        "fn load(record) { try { record.a } catch { 1 } [#{ x: record.a }, #{ y: 1 }] }",
        "uses `try` at under/test.rhai:1:19",
    ),
    (
        "fn load(record) { [#{ x: record.a }, #{ y: `${record.a}`.len() }] }",
        "writes something else than texts and whole numbers into a text at under/test.rhai:1:44",
    ),
    (
        "fn load(record) { [#{ x: record.a }, #{ y: record.a.to_string() }] }",
        "`to_string` is not among the functions that are followed at under/test.rhai:1:53",
    ),
    (
        "fn load(record) { let n = 0; let f = |x| { n += x; n }; f.call(2); [#{ x: record.a }, #{ y: n }] }",
        "`n` is shared with a function and changed at under/test.rhai:1:38",
    ),
    (
        "fn load(record) { [#{ x: record.a }, #{ y: if timestamp().elapsed < 0.0 { 1 } else { 2 } }] }",
        "`timestamp` is not among the functions that are followed at under/test.rhai:1:47",
    ),
    (
        "fn load(record) { do { record.a } while record.a > 100.0; [#{ x: record.a }, #{ y: 1 }] }",
        "uses `do` at under/test.rhai:1:19",
    ),
];

#[test]
fn what_would_leak_is_refused_with_its_line() {
    let mut wrong = Vec::new();
    let records = table(40);
    for (script, why) in REFUSED {
        let found = same(script, Slot::Loader, &records, Mode::Train);
        if found.as_deref() != Some(*why) {
            wrong.push(format!("{script}\n{found:?}\ninstead of\n{why}"));
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

/// An error of a record is that of interpretation, wherever the record stands in its chunk.
#[test]
fn errors_are_those_of_interpretation() {
    let records = table(100);
    for script in [
        "fn load(record) { [#{ x: record.aa }, #{ y: 1 }] }",
        "fn load(record) { if record.i == 12 { throw \"twelve\"; } [#{ x: record.a }, #{ y: 1 }] }",
        "fn load(record) { [#{ x: 7 / (record.i - 12) }, #{ y: 1 }] }",
        "fn load(record) { [#{ x: record.v[record.i] }, #{ y: 1 }] }",
        "fn load(record) { [#{ x: record.a }, ()] }",
        "fn load(record) { [#{ x: if record.i > 3 { record.v } else { record.m } }, #{ y: 1 }] }",
        "fn load(record) { this.count = 1; [#{ x: record.a }, #{ y: 1 }] }",
    ] {
        same(script, Slot::Loader, &records, Mode::Train);
    }
}

/// The scripts of every example and of the standard library that examples use.
#[test]
fn the_scripts_of_the_examples_run_on_columns() {
    let mut functions = 0;
    for folder in folders("examples") {
        let example = folder.display().to_string();
        if !folder.join("recipe.rhai").is_file() {
            continue;
        }
        let reports = Arc::new(Mutex::new(Vec::new()));
        let place = reports.clone();
        let host = Host::builder(&folder).instead_of_training(move |host, wanted| {
            *place.lock().unwrap() = barrage::assemble::explain(host, wanted)?;
            Ok(())
        });
        let _ = host.build().unwrap().run_file(&folder.join("recipe.rhai")).unwrap();
        for report in reports.lock().unwrap().iter() {
            assert_eq!(report.how.why(), None, "{example}: {} `{}`", report.import, report.function);
            assert!(matches!(report.how, How::Native) || report.followed > 0, "{example}: {report:?}");
            functions += 1;
        }
    }
    assert!(functions >= 10, "{functions}");
}

/// Every record function of the standard library, with parameters that fit [`super::LOADER`].
fn standard() -> Vec<(&'static str, Slot, serde_json::Value)> {
    use serde_json::json;
    let picture = |more: serde_json::Value| {
        let mut params = json!({ "input": "picture" });
        params.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
        params
    };
    let series = |more: serde_json::Value| {
        let mut params = json!({ "input": "history" });
        params.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
        params
    };
    vec![
        ("std.loaders.image_file", Slot::Loader, json!({ "path": "image", "label": "s", "size": [4, 4] })),
        ("std.loaders.text_file", Slot::Loader, json!({ "path": "file", "label": "s" })),
        ("std.loaders.windows", Slot::Loader, json!({})),
        ("std.transformers.standardise", Slot::Transformer, json!({ "inputs": ["v", "m", "a"] })),
        ("std.transformers.min_max", Slot::Transformer, json!({ "inputs": ["v", "m"], "outputs": ["number"] })),
        ("std.transformers.labels", Slot::Transformer, json!({ "outputs": ["label"] })),
        ("std.transformers.vocabulary", Slot::Transformer, json!({ "input": "text", "maxlen": 6 })),
        ("std.transformers.impute", Slot::Transformer, json!({ "inputs": ["v", "a"] })),
        ("std.augmentors.noise", Slot::Augmentor, json!({ "input": "v" })),
        ("std.augmentors.pictures.horizontal_flip", Slot::Augmentor, picture(json!({}))),
        ("std.augmentors.pictures.vertical_flip", Slot::Augmentor, picture(json!({}))),
        ("std.augmentors.pictures.random_crop", Slot::Augmentor, picture(json!({ "size": [4, 4], "padding": 1 }))),
        ("std.augmentors.pictures.random_crop", Slot::Augmentor, picture(json!({ "size": [3, 4], "p": 0.5 }))),
        ("std.augmentors.pictures.random_resized_crop", Slot::Augmentor, picture(json!({ "size": [4, 4] }))),
        ("std.augmentors.pictures.random_resized_crop", Slot::Augmentor, picture(json!({ "size": [4, 4], "p": 0.5 }))),
        ("std.augmentors.pictures.translation", Slot::Augmentor, picture(json!({ "translate": [0.3, 0.3] }))),
        ("std.augmentors.pictures.rotation", Slot::Augmentor, picture(json!({}))),
        ("std.augmentors.pictures.rotation", Slot::Augmentor, picture(json!({ "degrees": [-20, 40.5], "p": 0.5 }))),
        ("std.augmentors.pictures.erasing", Slot::Augmentor, picture(json!({}))),
        (
            "std.augmentors.pictures.colour_jitter",
            Slot::Augmentor,
            picture(json!({ "brightness": 0.3, "contrast": 0.3 })),
        ),
        (
            "std.augmentors.pictures.colour_jitter",
            Slot::Augmentor,
            picture(json!({ "brightness": 0.3, "contrast": 0.3, "p": 0.5 })),
        ),
        ("std.augmentors.pictures.random_grayscale", Slot::Augmentor, picture(json!({ "p": 0.5 }))),
        ("std.augmentors.series.jitter", Slot::Augmentor, series(json!({}))),
        ("std.augmentors.series.scaling", Slot::Augmentor, series(json!({}))),
        ("std.augmentors.series.time_shift", Slot::Augmentor, series(json!({ "most": 2 }))),
        ("std.augmentors.series.window", Slot::Augmentor, series(json!({ "length": 4 }))),
        ("std.augmentors.series.window", Slot::Augmentor, series(json!({ "length": 4, "p": 0.5 }))),
        ("std.augmentors.series.reverse", Slot::Augmentor, series(json!({}))),
        ("std.augmentors.series.dropout", Slot::Augmentor, series(json!({ "length": 3 }))),
        // `mixup` and `cutmix` take whole batches: there is nothing to vectorise.
        ("std.augmentors.mix.label_smoothing", Slot::Augmentor, json!({ "outputs": ["hot"] })),
        ("std.augmentors.mix.label_smoothing", Slot::Augmentor, json!({ "outputs": ["hot"], "p": 0.5 })),
    ]
}

#[test]
fn the_standard_library_runs_on_columns() {
    let records = table(200);
    let mut wrong = String::new();
    for (import, slot, params) in standard() {
        let subject = Subject { script: "", import, slot, params };
        for mode in [Mode::Train, Mode::Score] {
            if slot == Slot::Augmentor && mode == Mode::Score {
                continue;
            }
            if let Some(why) = subject.same(&records, mode) {
                writeln!(wrong, "{import}: {why}").unwrap();
            }
        }
    }
    for folder in ["loaders", "transformers", "augmentors"] {
        for script in folders(&format!("stdlib/{folder}")) {
            let name = script.file_stem().unwrap().to_string_lossy();
            let import = format!("std.{folder}.{name}");
            let listed = |known: &str| known == import || known.starts_with(&format!("{import}."));
            if !standard().iter().any(|(known, ..)| listed(known)) {
                writeln!(wrong, "{import} is not in the list of this test").unwrap();
            }
        }
    }
    assert!(wrong.is_empty(), "{wrong}");
}

/// What is in a folder of the project, sorted; nothing when there is none.
fn folders(name: &str) -> Vec<PathBuf> {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join(name);
    let mut all: Vec<PathBuf> =
        std::fs::read_dir(folder).into_iter().flatten().map(|entry| entry.unwrap().path()).collect();
    all.sort();
    all
}
