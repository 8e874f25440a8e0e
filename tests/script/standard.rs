//! The scripts of the standard library, as components of a run.

use std::sync::Arc;

use barrage::batch;
use barrage::loader;
use barrage::random::{Random, Stream};
use barrage::record::{Augmentor, DataRecords};
use barrage::record::{Mode, Record, Records, Transformer};
use barrage::script::adaptor::{ScriptAugmentor, ScriptTransformer};
use barrage::script::cast;
use serde_json::{Value, json};

use super::Project;

fn params(value: Value) -> barrage::registry::Params {
    value.as_object().cloned().unwrap_or_default()
}

/// Fits a transformer of the standard library on the flowers, and shows what it makes of one of them.
fn transformed(import: &str, with: Value, mode: Mode) -> (ScriptTransformer, Vec<String>) {
    let project = Project::new();
    let host = project.host().build().unwrap();
    let keys = json!({
        "inputs": { "flower": ["petal_length", "petal_width"] },
        "outputs": { "species": "species" },
    });
    let loader: Arc<dyn barrage::record::Loader> = Arc::from(loader::LIST[0].make(&params(keys)).unwrap());
    let records = Records::read(&project.0.path().join("flowers.csv")).unwrap();
    let component = host.component(import, &params(with)).unwrap();
    let mut transformer = ScriptTransformer::new(component, loader.clone(), Mode::Train).unwrap();
    transformer.fit(&records, loader.as_ref()).unwrap();
    transformer.check_storable().unwrap();
    let rows: Vec<Record> = records.to_vec();
    let loaded = transformer.transform(loader.load(&rows, mode).unwrap(), mode).unwrap();
    let shown = batch::rows(loaded).into_iter().map(|row| show(cast::from_data_record(row), &host)).collect();
    (transformer, shown)
}

fn show(value: rhai::Dynamic, host: &barrage::script::Host) -> String {
    let mut scope = rhai::Scope::new();
    scope.push_dynamic("value", value);
    host.engine().eval_with_scope::<String>(&mut scope, "value.to_string()").unwrap()
}

#[test]
fn standardise_gives_mean_0_and_deviation_1() {
    let (_, rows) = transformed("std.transformers.standardise", json!({}), Mode::Score);
    assert_eq!(rows[0], "#{\"x\": #{\"flower\": tensor([-1.5350188, -1.3372275])}}");
    let (_, untouched) = transformed("std.transformers.standardise", json!({ "inputs": [] }), Mode::Score);
    assert_eq!(untouched[0], "#{\"x\": #{\"flower\": tensor([1.0, 0.2])}}");
}

#[test]
fn labels_become_numbers_and_names_again() {
    let (transformer, rows) = transformed("std.transformers.labels", json!({}), Mode::Train);
    assert!(rows[0].contains("\"y\": #{\"species\": tensor(0)}"), "{}", rows[0]);
    assert!(rows[5].contains("\"y\": #{\"species\": tensor(2)}"), "{}", rows[5]);
    assert_eq!(json!(transformer.network_params()), json!({ "classes": { "species": 3 } }));
    let scores = barrage::tensor::Tensor::from_nested(&vec![0.1, 0.7, 0.2].into()).unwrap();
    let score = [("species".into(), barrage::record::Field::Tensor(scores))].into_iter().collect();
    let score = cast::from_score(transformer.postprocess(score).unwrap());
    assert_eq!(score.to_string(), "#{\"species\": \"versicolor\", \"species_probability\": 0.699999988079071}");
    let (_, scored) = transformed("std.transformers.labels", json!({}), Mode::Score);
    assert!(!scored[0].contains("\"y\""), "{}", scored[0]);
}

#[test]
fn noise_is_of_the_asked_size_and_seeded() {
    let project = Project::new();
    let host = project.host().build().unwrap();
    let noisy = |deviation: f64, seed: u64| {
        let with = json!({ "input": "flower", "deviation": deviation });
        let augmentor = ScriptAugmentor::new(host.component("std.augmentors.noise", &params(with)).unwrap()).unwrap();
        let x = barrage::tensor::Tensor::from_nested(&vec![1.0; 1000].into()).unwrap();
        let x = [("flower".into(), barrage::record::Field::Tensor(x))].into_iter().collect();
        let row = barrage::record::DataRecord { x, y: None, w: None };
        let random = [Random::new(seed, Stream::Script, &[])];
        let rows = batch::rows(augmentor.augment(DataRecords::Rows(vec![row]), &random).unwrap());
        match rows[0].x.first() {
            Some((_, barrage::record::Field::Tensor(x))) => x.clone(),
            _ => panic!("no tensor"),
        }
    };
    let deviation = noisy(0.5, 1).std(None, false).unwrap().item().unwrap().to_f64();
    assert!((deviation - 0.5).abs() < 0.05, "{deviation}");
    assert!(noisy(0.5, 1).same(&noisy(0.5, 1)).unwrap());
    assert!(!noisy(0.5, 1).same(&noisy(0.5, 2)).unwrap());
    assert!(noisy(0.0, 1).equal(1).unwrap().all(None, false).unwrap().item().unwrap() == 1.into());
}

#[test]
fn min_max_brings_inputs_to_a_range_and_outputs_back() {
    let (_, rows) = transformed("std.transformers.min_max", json!({}), Mode::Score);
    assert_eq!(rows[0], "#{\"x\": #{\"flower\": tensor([0.0, 0.0])}}");
    let (_, rows) = transformed("std.transformers.min_max", json!({ "range": [-1, 1] }), Mode::Score);
    assert!(rows.iter().any(|row| row.contains("tensor([1.0, 1.0])")), "{rows:?}");
}

#[test]
fn labels_become_vectors_when_asked() {
    let (_, rows) = transformed("std.transformers.labels", json!({ "one_hot": true }), Mode::Train);
    assert!(rows[5].contains("\"species\": tensor([0.0, 0.0, 1.0])"), "{}", rows[5]);
}

/// Fits a transformer of the standard library on rows that a script made, with a loader that is a script.
fn fitted(import: &str, with: Value, rows: &str, loader: &str) -> (Vec<String>, Value) {
    let project = Project::new();
    std::fs::write(project.0.path().join("own.rhai"), loader).unwrap();
    let host = project.host().build().unwrap();
    let records = host.eval(&format!("records({rows})")).unwrap().cast::<Records>();
    let own = barrage::script::adaptor::ScriptLoader::new(host.component("own", &params(json!({}))).unwrap()).unwrap();
    let loader: Arc<dyn barrage::record::Loader> = Arc::new(own);
    let make =
        || ScriptTransformer::new(host.component(import, &params(with.clone())).unwrap(), loader.clone(), Mode::Train);
    let mut transformer = make().unwrap();
    transformer.fit(&records, loader.as_ref()).unwrap();
    transformer.check_storable().unwrap();
    let folder = tempfile::tempdir().unwrap();
    transformer.save(folder.path()).unwrap();
    // What was stored transforms as what was fitted.
    let mut stored = make().unwrap();
    stored.load(folder.path()).unwrap();
    let shown = |transformer: &ScriptTransformer| -> Vec<String> {
        let loaded = loader.load(&records.to_vec(), Mode::Score).unwrap();
        let rows = batch::rows(transformer.transform(loaded, Mode::Score).unwrap());
        rows.into_iter().map(|row| show(cast::from_data_record(row), &host)).collect()
    };
    assert_eq!(shown(&transformer), shown(&stored));
    (shown(&stored), json!(transformer.network_params()))
}

#[test]
fn texts_become_padded_word_numbers() {
    let loader = "fn load(record) { if this.mode == \"score\" { return [#{ words: record.t }]; } [#{ words: record.t }, #{ y: 1 }] }";
    let rows = "[#{ t: \"The cat, the dog\" }, #{ t: \"a cat\" }]";
    let with = json!({ "input": "words", "maxlen": 3, "num_words": 4 });
    let (rows, network) = fitted("std.transformers.vocabulary", with, rows, loader);
    // 1 is any unknown word, 2 "the", 3 "cat".
    assert_eq!(rows, ["#{\"x\": #{\"words\": tensor([2, 3, 2])}}", "#{\"x\": #{\"words\": tensor([1, 3, 0])}}"]);
    assert_eq!(network, json!({ "vocabulary": 4, "maxlen": 3 }));
}

#[test]
fn gaps_are_filled() {
    let loader = "fn load(record) { let x = #{ v: [record.get(\"a\", nan()), record.get(\"b\", nan())] }; if this.mode == \"score\" { return [x]; } [x, #{ y: 1 }] }";
    let rows = "[#{ a: 1.0 }, #{ a: 2.0 }, #{ b: () , a: () }, #{ a: 6.0 }]";
    for (strategy, expected) in [("mean", "[3.0, 9.0]"), ("median", "[2.0, 9.0]"), ("constant", "[9.0, 9.0]")] {
        let with = json!({ "strategy": strategy, "value": 9.0 });
        let (rows, _) = fitted("std.transformers.impute", with, rows, loader);
        assert_eq!(rows[2], format!("#{{\"x\": #{{\"v\": tensor({expected})}}}}"), "{strategy}");
    }
}

#[test]
fn an_augmentor_of_batches_gets_whole_batches() {
    use barrage::record::{Column, DataColumns};
    use barrage::script::adaptor::ScriptBatchAugmentor;
    let project = Project::new();
    let host = project.host().build().unwrap();
    let make = |import: &str, with: Value| host.component(import, &params(with)).unwrap();
    assert!(!ScriptBatchAugmentor::fits(&make("std.augmentors.noise", json!({ "input": "a" }))).unwrap());
    assert!(ScriptBatchAugmentor::fits(&make("std.augmentors.mix.mixup", json!({}))).unwrap());
    let mixup = ScriptBatchAugmentor::new(make("std.augmentors.mix.mixup", json!({ "alpha": 0.4 }))).unwrap();
    let tensor = |values: &[f32], shape: &[usize]| {
        Column::Dense(barrage::tensor::Array::from_f32(values.to_vec(), shape).unwrap().into())
    };
    let columns = DataColumns {
        len: 3,
        x: vec![("a".into(), tensor(&[1.0, 2.0, 4.0], &[3, 1]))],
        y: Some(vec![("b".into(), tensor(&[1.0, 0.0, 0.0, 1.0, 1.0, 0.0], &[3, 2]))]),
        w: None,
    };
    let random: Vec<Random> = (0..3).map(|at| Random::new(1, Stream::Augment, &[0, at])).collect();
    let run = || match mixup.augment(DataRecords::Columns(columns.clone()), &random).unwrap() {
        DataRecords::Columns(columns) => show(cast::from_data_record(batch::split(&columns).remove(1)), &host),
        DataRecords::Rows(_) => panic!("expected columns"),
    };
    assert_eq!(run(), run());
    assert_ne!(run(), "#{\"x\": #{\"a\": tensor([2.0])}, \"y\": #{\"b\": tensor([0.0, 1.0])}}");
}
