use std::path::Path;

use serde_json::{Value, json};

use super::check::{Report, check};
use super::imports::{Import, keras_spelling};
use super::keys::{ELSEWHERE, ROOT, SYNONYMS};
use super::path::KeyPath;
use super::schema::{Absent, Kind, Section};
use super::{Format, Recipe, Written};
use crate::error::{Error, draw};
use crate::random::{Random, Stream};
use crate::registry::{Arguments, Parameter, Type};

const CONFIG: &str = r#"{
  // A comment, and every kind of value.
  "dataset": {"loader": {"import": "KeySelector", "params": {"inputs": {"x": ["a", 'b']}}}, "seed": 0x2A},
  "model": {
    "network": {"import": "networks.größe"}, /* another */
    "outputs": [{"name": "y", "loss": {"import": "mse"}, "loss_weight": .5, "metrics": []}],
  },
  "solver": {"optimizer": {"import": "Adam", "learning_rate": 1e-3, "params": {"amsgrad": null}}, "epochs": 5},
  "services": {"tensorboard": false, "best_checkpoint": {"monitor": "val_\u006coss", "mode": "min"}},
}"#;

fn resolve(text: &str) -> Result<(Recipe, Vec<String>), Error> {
    Recipe::resolve(&Written::from_json("config.json", text)?)
}

#[test]
fn every_default_is_what_its_key_takes() {
    fn walk(section: &'static Section, path: &str) {
        for key in section.keys {
            let path = format!("{path}.{}", key.name);
            assert!(!key.doc.is_empty() && !key.doc.ends_with('.'), "{path}: {}", key.doc);
            if let Absent::Default(text) = key.absent {
                let node = Written::from_json("default", text).unwrap().root;
                let mut report = Report::default();
                check(&key.kind, key.absent, &node, &KeyPath::top(), &mut report);
                assert!(report.faults.is_empty() && report.notes.is_empty(), "{path}: {text}");
            }
            key.kind.section().into_iter().for_each(|section| walk(section, &path));
        }
    }
    walk(&ROOT, "");
}

#[test]
fn hints_name_keys_that_exist() {
    fn find(section: &'static Section, path: &[&str]) -> bool {
        let Some(key) = section.key(path[0]) else { return false };
        path.len() == 1 || key.kind.section().is_some_and(|section| find(section, &path[1..]))
    }
    fn known(section: &'static Section, name: &str) -> bool {
        let inner = |key: &super::schema::Key| key.kind.section().is_some_and(|section| known(section, name));
        section.key(name).is_some() || section.keys.iter().any(inner)
    }
    for (name, meant) in ELSEWHERE {
        assert!(find(&ROOT, &meant.split('.').collect::<Vec<_>>()), "{name}: {meant}");
    }
    for (name, meant) in SYNONYMS {
        assert!(known(&ROOT, meant), "{name}: {meant}");
    }
}

/// The resolved config has the keys of the table, in its order, and every key with a default.
#[test]
fn the_resolved_config_follows_the_table() {
    fn walk(section: &'static Section, value: &Value, path: &str) {
        let Value::Object(map) = value else { return };
        let given: Vec<&str> = map.keys().map(String::as_str).collect();
        let table: Vec<&str> = section.keys.iter().map(|key| key.name).filter(|name| given.contains(name)).collect();
        assert_eq!(given, table, "{path}");
        for key in section.keys {
            let there = map.get(key.name);
            assert!(there.is_some() || matches!(key.absent, Absent::Nothing), "{path}.{}", key.name);
            let (Some(inner), Some(value)) = (key.kind.section(), there) else { continue };
            let path = format!("{path}.{}", key.name);
            match (&key.kind, value) {
                (Kind::Maps { .. }, Value::Array(items)) => items.iter().for_each(|item| walk(inner, item, &path)),
                (_, value) => walk(inner, value, &path),
            }
        }
    }
    walk(&ROOT, &resolve(CONFIG).unwrap().0.to_json(), "");
}

#[test]
fn resolving_the_resolved_config_changes_nothing() {
    let (recipe, _) = resolve(CONFIG).unwrap();
    assert_eq!(recipe.model.network.path, "networks.größe");
    assert_eq!(recipe.dataset.seed, Some(42));
    let text = serde_json::to_string_pretty(&recipe.to_json()).unwrap();
    let (again, notes) = resolve(&text).unwrap();
    assert_eq!(again, recipe);
    assert_eq!(again.to_json(), recipe.to_json());
    assert_eq!(notes, Vec::<String>::new());
}

const TOML: &str = r#"# A comment, and every kind of value.
extends = 'größe.toml'
[dataset]
loader = { import = "KeySelector", params = { inputs.x = ["a", 'b'], "y" = 0x2A } }
shuffle = true
[[model.outputs]]
name = """
y"""
loss_weight = 5e-1
[data]
date = 2026-01-31T10:00:00Z
"#;

const YAML: &str = r#"%YAML 1.2
--- # A comment, and every kind of value.
dataset: &d
  loader: {import: KeySelector, params: {inputs: {x: [a, 'b']}}}
  <<: [*d]
  seed: 0x2A
model:
  network: {import: "networks.größe\n"}
  outputs:
  - name: |-
      y
    ? loss
    : &l !!str mse
    again: *l
data: !tag >
  folded
   ~
"#;

/// Whatever is cut off or changed, there is a verdict, and an error can be drawn.
#[test]
fn no_text_panics() {
    for (format, text) in [(Format::Json, CONFIG), (Format::Toml, TOML), (Format::Yaml, YAML)] {
        disturb(text, &|text| {
            let resolved = Written::parse(format, "config", text).and_then(|written| Recipe::resolve(&written));
            if let Err(error) = resolved {
                assert!(draw(&error, false).starts_with("error[B01"), "{text}");
            }
        });
    }
    let written = Written::from_json("config.json", CONFIG).unwrap();
    disturb("+model.outputs[0].\"größe\".a={\"b\": [1, 'c']}", &|text| {
        if let Err(error) = written.clone().overridden(&[text]).and_then(|written| Recipe::resolve(&written)) {
            assert!(draw(&error, false).starts_with("error[B01"), "{text}");
        }
    });
}

fn disturb(config: &str, texts: &dyn Fn(&str)) {
    for (at, _) in config.char_indices() {
        texts(&config[..at]);
        texts(&config[at..]);
    }
    let mut random = Random::new(1, Stream::Script, &[]);
    let mut pick = |count: usize| random.below(count as u64) as usize;
    let pieces = [
        "", "\"", "'", "\\", "{", "}", "[", "]", ",", ":", "/", "/*", "//", "\n", "\r\n", "ß", "-", "1e999", "null",
        "\0", "\u{feff}", "=", "&", "*", "!", "- ", ": ", "? ", "\t", ".", "#", "~", "inf", "|", "<<",
    ];
    let places: Vec<usize> = config.char_indices().map(|(at, _)| at).collect();
    for _ in 0..3000 {
        let mut text = config.to_owned();
        let at = places[pick(places.len())];
        let end = at + config[at..].chars().next().map_or(0, char::len_utf8);
        text.replace_range(at..end, pieces[pick(pieces.len())]);
        texts(&text);
    }
    texts(&"[".repeat(100_000));
    texts(&"- ".repeat(10_000));
    texts(&format!("{}1{}", "{\"a\":".repeat(400), "}".repeat(400)));
    texts(&format!("a={}1{}", "[".repeat(10_000), "]".repeat(10_000)));
    texts(&format!("a{}=1", ".a".repeat(2_000)));
}

#[test]
fn a_map_of_a_script_is_refused_with_paths_alone() {
    let mut value = resolve(CONFIG).unwrap().0.to_json();
    value["solver"]["epochs"] = json!(3.0);
    value["dataset"]["loader"] = json!("KeySelector");
    let error = Recipe::resolve(&Written::from_value(&value)).unwrap_err();
    let expected = "\
error[B0103]: `dataset.loader`: expected an import block, found the text \"KeySelector\"
 |
 = help: write `component(\"KeySelector\")`

error[B0103]: `solver.epochs`: expected a whole number from 1 to 9999, found 3.0
 |
 = help: write `3`
";
    assert_eq!(draw(&error, false), expected);
}

#[test]
fn errors_about_parameters_are_located() {
    static PARAMETERS: &[Parameter] = &[Parameter::optional("beta_1", Type::Float, "0.9", "a decay")];
    let text = CONFIG.replace("\"amsgrad\": null", "\"beta_1\": \"high\", \"beta\": 1");
    let (recipe, _) = resolve(&text).unwrap();
    let import = &recipe.solver.optimizer.import;
    let error = import.locate(Arguments::check("Adam", PARAMETERS, &import.params).unwrap_err());
    let marked = |error: &Error| error.place().map(|place| place.text[place.span.clone()].to_owned());
    assert_eq!(marked(&error).as_deref(), Some("\"beta\""));
    assert_eq!(marked(&error.also()[0]).as_deref(), Some("\"high\""));
    assert_eq!(marked(&import.locate(Error::recipe("unknown optimizer `Adam`"))).as_deref(), Some("\"Adam\""));
    let made = Import::new("Adam", Default::default(), "solver.optimizer");
    assert_eq!(made.locate(Error::recipe("no")).to_string(), "no (`solver.optimizer`)");
}

/// The places of parameters inside of parameters: components in components, layers in a list, keys of a map.
#[test]
fn errors_about_nested_parameters_are_located() {
    let text = CONFIG.replace(
        r#"{"import": "networks.größe"}"#,
        r#"{"import": "sequential_from_config", "params": {"layers": [
            {"import": "Input", "params": {"shape": [4], "name": "x"}},
            {"import": "Dense", "params": {"units": 3}},
            {"import": "Dense", "params": {"units": "{{n}}", "kernel_initializer": {"import": "Zero"}, "name": "d"}},
            {"import": "Dense", "params": {"units": -3, "bias_initializer": {"import": "Constant", "params": {"val": 1}}}},
        ]}}"#,
    );
    let (recipe, _) = resolve(&text).unwrap();
    let marked = |import: &Import, error: Error| {
        let located = import.locate(error);
        let place = located.place().unwrap();
        format!("{}: {}", place.line_column().0, &place.text[place.span.clone()])
    };
    let network = |error: Error| marked(&recipe.model.network, error);
    let layer = |number: usize, error: Error| network(error.within(format!("layer {number} of 4, `Dense`")));
    assert_eq!(layer(4, Error::recipe("parameter `units` of `Dense`: expected a size, found -3")), "9: -3");
    assert_eq!(layer(3, Error::recipe("no parameter for the placeholder `{{n}}`")), "8: \"{{n}}\"");
    let inner = |error: Error| error.within("parameter `kernel_initializer`");
    assert_eq!(layer(3, inner(Error::recipe("unknown initializer `Zero`"))), "8: \"Zero\"");
    let inner = |error: Error| error.within("parameter `bias_initializer`");
    assert_eq!(layer(4, inner(Error::recipe("`Constant` has no parameter `val`"))), "9: \"val\"");
    assert_eq!(layer(2, Error::recipe("shapes do not fit")), "7: \"Dense\"");
    assert_eq!(network(Error::recipe("`Constant` has no parameter `val`")), "9: \"val\"");
    assert_eq!(network(Error::recipe("unknown parameter")), "5: \"sequential_from_config\"");
    let loader = Error::recipe("parameter `inputs` of `KeySelector`: expected texts under `x`, found 3");
    assert_eq!(marked(&recipe.dataset.loader, loader), "3: [\"a\", 'b']");
}

#[test]
fn python_paths_are_told_by_their_right_names() {
    for (path, name) in [
        ("tf.keras.losses.CategoricalCrossentropy", Some("CategoricalCrossentropy")),
        ("tensorflow.keras.losses.CategoricalCrossentropy", Some("CategoricalCrossentropy")),
        ("tensorflow.python.keras.optimizer_v2.adam.Adam", Some("Adam")),
        ("keras.metrics.AUC", Some("AUC")),
        ("Adam", None),
        ("tf", None),
        ("tf.", None),
        ("loaders.keras.iris", None),
        ("barrage.dataset.KeySelector", None),
    ] {
        assert_eq!(keras_spelling(path).as_deref(), name, "{path}");
    }
    let (recipe, _) = resolve(&CONFIG.replace("\"Adam\"", "\"tf.keras.optimizers.Adam\"")).unwrap();
    let drawn = draw(&recipe.check_spelling().unwrap_err(), false);
    assert!(drawn.contains("write `Adam`") && drawn.contains("config.json:8:38"), "{drawn}");
}

#[test]
fn files_are_read_by_their_ending() {
    let folder = tempfile::tempdir().unwrap();
    let path = |name: &str| folder.path().join(name);
    std::fs::write(path("config.json"), format!("\u{feff}{CONFIG}")).unwrap();
    std::fs::write(path("bytes.json"), b"{\"a\": \"\xff\"}").unwrap();
    assert!(Recipe::resolve(&Written::read(&path("config.json")).unwrap()).is_ok());
    let message = |path: &Path| {
        let error = Written::read(path).unwrap_err();
        format!("{} | {}", error.message(), error.hints().join(" | ")).replace(&*folder.path().to_string_lossy(), "…")
    };
    let missing = "cannot read the config `…/confg.json`: there is no such file | did you mean `config.json`?";
    assert_eq!(message(&path("confg.json")), missing);
    assert_eq!(message(folder.path()), "cannot read the config `…`: it is a folder | ");
    let bytes = "the config `…/bytes.json` is not text: byte 7 is not UTF-8 | save the file as UTF-8";
    assert_eq!(message(&path("bytes.json")), bytes);
    for (name, text) in [("c.toml", "data = {a = 1}"), ("c.yaml", "data: {a: 1}"), ("c.YML", "data:\n  a: 1")] {
        std::fs::write(path(name), text).unwrap();
        assert_eq!(Written::read(&path(name)).unwrap().root.to_value(), json!({"data": {"a": 1}}), "{name}");
    }
    assert!(message(&path("r.rhai")).ends_with("run it with `barrage run …/r.rhai`"));
}
