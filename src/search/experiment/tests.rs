use serde_json::json;

use super::*;

fn read(config: Value) -> Result<Experiment> {
    Experiment::read(config.as_object().unwrap())
}

#[test]
fn hyperparameters_have_types_and_may_be_nested() {
    let experiment = read(json!({
        "name": "widths", "entrypoint": "trial.rhai", "data": {"path": "x.csv"},
        "hyperparameters": {
            "rate": {"type": "log", "base": 10, "minval": -2, "maxval": 0, "count": 2},
            "net": {"units": {"type": "int", "minval": 1, "maxval": 3, "count": 3}, "act": "relu"},
            "drop": {"type": "double", "minval": 0, "maxval": 1, "count": 1},
            "kind": {"type": "categorical", "vals": ["a", 2]},
            "fixed": {"type": "const", "val": [1, 2]}
        },
        "searcher": {"name": "grid", "metric": "loss"},
        "reproducibility": {"experiment_seed": 7}
    }))
    .unwrap();
    assert_eq!((experiment.name.as_deref(), experiment.seed), (Some("widths"), Some(7)));
    let configs = experiment.searcher.configs(&experiment.domain, 0).unwrap();
    assert_eq!(configs.len(), 12);
    let text = |at: usize| Value::Object(configs[at].values.clone()).to_string();
    assert_eq!(text(0), r#"{"rate":0.01,"net":{"units":1,"act":"relu"},"drop":0.5,"kind":"a","fixed":[1,2]}"#);
    assert_eq!(text(1), r#"{"rate":0.01,"net":{"units":1,"act":"relu"},"drop":0.5,"kind":2,"fixed":[1,2]}"#);
    assert_eq!(text(11), r#"{"rate":1.0,"net":{"units":3,"act":"relu"},"drop":0.5,"kind":2,"fixed":[1,2]}"#);
}

#[test]
fn what_makes_no_sense_is_refused() {
    let refused = |config: Value| read(config).unwrap_err().message().to_owned();
    let with = |hyperparameter: Value| {
        let hyperparameters = json!({"net": {"x": hyperparameter}});
        refused(json!({"entrypoint": "a", "searcher": {"name": "grid"}, "hyperparameters": hyperparameters}))
    };
    assert_eq!(refused(json!({})), "an experiment has no `entrypoint`");
    assert_eq!(refused(json!({"entrypoint": "a"})), "an experiment has no `searcher`");
    assert_eq!(
        refused(json!({"entrypoint": "a", "searcher": {"name": "grid"}, "serch": 1})),
        "an experiment has no key `serch`"
    );
    assert_eq!(with(json!({"type": "whole"})), "hyperparameter `net.x` cannot be of type \"whole\"");
    assert_eq!(with(json!({"type": "int", "minval": 1})), "hyperparameter `net.x` has no `maxval`");
    assert_eq!(
        with(json!({"type": "int", "minval": 3, "maxval": 1})),
        "hyperparameter `net.x`: expected minval < maxval, found 3 and 1"
    );
    assert_eq!(
        with(json!({"type": "double", "minval": 0, "maxval": 1, "steps": 3})),
        "hyperparameter `net.x` has no key `steps`"
    );
    assert_eq!(
        with(json!({"type": "categorical", "vals": []})),
        "`vals` of hyperparameter `net.x`: expected a list of values, found []"
    );
    assert!(
        with(json!({"type": "log", "base": 10, "minval": 1, "maxval": 1000})).starts_with("expected a base above 0")
    );
}
