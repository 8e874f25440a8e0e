//! Weights in and out: from one run into another, under Keras's and PyTorch's names, and layers that are not trained.

use std::path::Path;
use std::sync::{Arc, Mutex};

use barrage::artifact::weights::{Named, load};
use barrage::script::Host;
use barrage::trainer::Progress;
use tempfile::TempDir;

struct Told(Arc<Mutex<Vec<String>>>);

impl Progress for Told {
    fn message(&mut self, text: &str) {
        self.0.lock().unwrap().push(text.to_owned());
    }
}

/// Trains for one epoch after `setup` has changed the config, and returns what was told.
fn train(project: &Path, folder: &str, setup: &str) -> barrage::Result<Vec<String>> {
    let told = Arc::new(Mutex::new(Vec::new()));
    let messages = told.clone();
    let host = Host::builder(project)
        .progress(move || Box::new(Told(messages.clone())))
        .script(
            "net",
            r#"fn build(params) {
                let x = input("x", [2]);
                let y = x.dense(4, #{ activation: "relu", name: "body" }).batch_normalization(#{ name: "norm" });
                network(x, y.dense(params.classes, #{ activation: "softmax", name: params.head }))
            }"#,
        )
        .build()?;
    let recipe = format!(
        r#"
        let rows = [];
        for i in 0..40 {{ rows.push(#{{ x: [i * 0.1, (i % 5) * 0.2], y: i % 2 }}); }}
        let data = records(rows);
        let config = #{{
            dataset: #{{ loader: component("KeySelector", #{{ inputs: #{{ x: "x" }}, outputs: #{{ y: "y" }} }}), seed: 3 }},
            model: #{{
                network: component("net", #{{ classes: 2, head: "y" }}),
                outputs: [#{{ name: "y", loss: component("sparse_categorical_crossentropy") }}],
            }},
            solver: #{{ epochs: 1 }},
        }};
        {setup}
        trainer("{folder}").train(config, data, data);
        "#
    );
    let _ = host.eval(&recipe)?;
    let told = told.lock().unwrap().clone();
    Ok(told)
}

fn weights(project: &TempDir, file: &str) -> Named {
    load(&project.path().join(file)).unwrap()
}

fn same(a: &Named, b: &Named, name: &str) -> bool {
    let of = |named: &Named| named.iter().find(|(own, _)| own == name).unwrap().1.clone();
    of(a).same(&of(b))
}

#[test]
fn a_run_starts_from_the_weights_of_another_and_frozen_layers_stay() {
    let project = tempfile::tempdir().unwrap();
    train(project.path(), "first", "").unwrap();
    let told = train(
        project.path(),
        "second",
        r#"config.model.pretrained = #{ path: "first", only: ["body", "norm"] };
           config.model.freeze = ["body", "norm"];"#,
    )
    .unwrap();
    assert_eq!(told[0], "loaded from `first`: 6 of 8 weights; not used of the file: `y/kernel`, `y/bias`");
    assert_eq!(told[1], "4 weights are frozen, 2 are trained");
    let first = weights(&project, "first/best_checkpoint/model.safetensors");
    let second = weights(&project, "second/best_checkpoint/model.safetensors");
    for (name, _) in &first {
        assert_eq!(same(&first, &second, name), !name.starts_with("y/"), "{name}");
    }
    // What the run was started from is kept, for a resume without a checkpoint.
    let start = weights(&project, "second/initial_weights.safetensors");
    assert!(same(&first, &start, "body/kernel") && !same(&start, &second, "y/kernel"));
}

#[test]
fn a_run_killed_before_its_first_checkpoint_starts_from_the_same_weights_again() {
    let project = tempfile::tempdir().unwrap();
    train(project.path(), "first", "").unwrap();
    let setup = r#"config.model.pretrained = #{ path: "first/best_checkpoint/model.safetensors" };"#;
    train(project.path(), "second", setup).unwrap();
    let reached = weights(&project, "second/best_checkpoint/model.safetensors");
    std::fs::remove_dir_all(project.path().join("second/resume_checkpoints")).unwrap();
    std::fs::remove_dir_all(project.path().join("first")).unwrap();
    let host = Host::builder(project.path()).build().unwrap();
    let _ = host
        .eval(
            r#"
        let rows = [];
        for i in 0..40 { rows.push(#{ x: [i * 0.1, (i % 5) * 0.2], y: i % 2 }); }
        let data = records(rows);
        trainer("second").resume(data, data);
        "#,
        )
        .unwrap();
    let again = weights(&project, "second/best_checkpoint/model.safetensors");
    assert!(reached.iter().all(|(name, _)| same(&reached, &again, name)));
}

#[test]
fn weights_go_out_under_the_names_of_pytorch_and_come_back() {
    let project = tempfile::tempdir().unwrap();
    train(project.path(), "first", "").unwrap();
    let host = Host::builder(project.path()).build().unwrap();
    let _ = host
        .eval(
            r#"
        let trainer = trainer("first");
        trainer.write("keras.safetensors");
        trainer.write("torch.safetensors", #{ layout: "pytorch" });
        trainer.write("model.onnx");
        "#,
        )
        .unwrap();
    let torch = weights(&project, "torch.safetensors");
    let names: Vec<(&str, &[usize])> = torch.iter().map(|(name, array)| (&**name, array.shape())).collect();
    let expected: [(&str, &[usize]); 8] = [
        ("body.weight", &[4, 2]),
        ("body.bias", &[4]),
        ("norm.weight", &[4]),
        ("norm.bias", &[4]),
        ("norm.running_mean", &[4]),
        ("norm.running_var", &[4]),
        ("y.weight", &[2, 4]),
        ("y.bias", &[2]),
    ];
    assert_eq!(names, expected);
    assert!(std::fs::metadata(project.path().join("model.onnx")).unwrap().len() > 200);
    let setup = |layout: &str, file: &str, more: &str| {
        format!(
            r#"config.solver.optimizer = #{{ "import": "SGD", learning_rate: 1e-30 }};
               config.model.network.params.head = "class";
               config.model.outputs[0].name = "class";
               config.dataset.loader.params.outputs = #{{ class: "y" }};
               config.model.pretrained = #{{ path: "{file}", layout: "{layout}", rename: #{{ y: "class" }}, strict: true {more} }};"#
        )
    };
    let told = train(project.path(), "again", &setup("pytorch", "torch.safetensors", "")).unwrap();
    assert_eq!(told[0], "loaded from `torch.safetensors`: 8 of 8 weights");
    let keras = weights(&project, "keras.safetensors");
    let again = weights(&project, "again/initial_weights.safetensors");
    assert!(same(&keras, &again, "body/kernel") && same(&keras, &again, "norm/moving_variance"));
    assert!(keras[6].1.same(&again.iter().find(|(name, _)| name == "class/kernel").unwrap().1));

    let error = train(project.path(), "wrong", &setup("keras", "torch.safetensors", "")).unwrap_err();
    assert!(error.to_string().contains("no weight of the network is in `torch.safetensors`"), "{error}");
    let error = train(
        project.path(),
        "wrong",
        r#"config.model.network.params.classes = 3; config.model.pretrained = #{ path: "first" };"#,
    )
    .unwrap_err();
    let expected = "`first`: `y/kernel` has shape [4, 2], the network expects [4, 3]";
    assert!(error.to_string().contains(expected), "{error}");
    let error = train(project.path(), "wrong", r#"config.model.freeze = ["bod"];"#).unwrap_err();
    assert!(error.to_string().contains("no weight is meant by `bod`"), "{error}");
    assert!(!project.path().join("wrong").exists());
}
