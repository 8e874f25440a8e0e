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
