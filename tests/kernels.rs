//! The plan of kernels against composed operations, and on several threads: every example, a few steps.

use std::fs;
use std::path::Path;
use std::process::Command;

use barrage::artifact::weights::{Named, load};
use barrage::network::Pass;
use barrage::random::{Random, Stream};
use barrage::tensor::{Graph, device};
use candle_core::{DType, Var};
use serde_json::{Value, json};

use crate::end_to_end::copy;
use crate::numeric::layers::{planned, values};
use crate::onnx;

/// Runs an example for five steps and returns the weights.
fn trained(example: &Path, environment: &[(&str, &str)]) -> Named {
    let folder = tempfile::tempdir().unwrap();
    copy(example, folder.path());
    shorten(folder.path());
    let output = Command::new(env!("CARGO_BIN_EXE_barrage"))
        .current_dir(folder.path())
        .args(["run", "recipe.rhai"])
        .envs(environment.iter().copied())
        .output()
        .unwrap();
    let message = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "{}: {message}", example.display());
    load(&folder.path().join("artifacts/best_checkpoint/model.safetensors")).unwrap()
}

/// Makes the run of an example one epoch of five steps.
fn shorten(folder: &Path) {
    let config = folder.join("config.json");
    let (file, from, to) = match config.exists() {
        true => (config, "\"solver\": {}", "\"solver\": { \"steps\": 5, \"epochs\": 1 }"),
        false => (folder.join("recipe.rhai"), "solver: #{", "solver: #{ steps: 5, "),
    };
    let text = fs::read_to_string(&file).unwrap();
    assert!(text.contains(from), "`{from}` is not in {}", file.display());
    let mut text = text.replacen(from, to, 1);
    text = text.replace("let count = 50000", "let count = 2000").replace("else { 9 }", "else { 1 }");
    for epochs in ["epochs: 500", "epochs: 15", "epochs: 20", "epochs: 40", "epochs: 60"] {
        text = text.replace(epochs, "epochs: 1");
    }
    fs::write(file, text).unwrap();
}

/// What a GPU would run, composed of Candle's operations, here on the CPU with kernels off: every layer and activation,
/// outputs, gradients of the weights and moved statistics, in training and otherwise.
#[test]
fn every_layer_composed_gives_what_kernels_give() {
    let mut compared = 0;
    for case in onnx::cases() {
        for training in [false, true] {
            let weights: Vec<Var> = case
                .weights
                .iter()
                .map(|weight| Var::from_tensor(&weight.to_graph(&device::cpu()).unwrap()).unwrap())
                .collect();
            let weights: Vec<Graph> = weights.iter().map(|weight| weight.as_tensor().clone()).collect();
            let mut pass = Pass::new(training, Random::new(0, Stream::Dropout, &[]));
            let ys = case.network.forward(&weights, &case.inputs, &mut pass).unwrap();
            let upstream = |y: &Graph| -> Value {
                let data: Vec<f64> = (0..y.elem_count()).map(|at| (at % 7) as f64 * 0.25 - 0.75).collect();
                json!({"shape": y.dims(), "dtype": "float32", "data": data})
            };
            let upstreams: Vec<Value> = ys.iter().map(upstream).collect();
            let told = json!({ "upstream": upstreams });
            let found = planned(&case.network, &case.inputs, &weights, training, &told).unwrap();
            let mut close = |what: &str, composed: &Graph, kernels: &Graph| {
                compared += 1;
                assert_eq!(composed.dims(), kernels.dims(), "{}: {what}", case.name);
                for (a, b) in values(composed).into_iter().zip(values(kernels)) {
                    let near = (a - b).abs() <= 1e-4 * b.abs().max(1.0);
                    assert!(near, "{}, training {training}: {what} is {a} composed and {b} by kernels", case.name);
                }
            };
            ys.iter().zip(&found.ys).for_each(|(composed, kernels)| close("output", composed, kernels));
            if !training {
                continue;
            }
            let mut loss = Graph::zeros((), DType::F32, &device::cpu()).unwrap();
            for (y, upstream) in ys.iter().zip(&upstreams) {
                let upstream = crate::numeric::layers::tensor(upstream);
                let share = y.to_dtype(DType::F32).unwrap().mul(&upstream).unwrap().sum_all().unwrap();
                loss = loss.add(&share).unwrap();
            }
            let gradients = loss.backward().unwrap();
            for (at, info) in case.network.weights().iter().enumerate() {
                match (info.trainable, gradients.get(&weights[at])) {
                    (true, Some(gradient)) => {
                        close(&format!("gradient of {}", info.name), gradient, &found.gradients[at])
                    }
                    (true, None) => panic!("{}: no gradient of {}", case.name, info.name),
                    (false, _) => {}
                }
            }
            for (at, moved) in &pass.updates {
                close("a moved statistic", moved, &found.weights[*at]);
            }
        }
    }
    assert!(compared > 500, "{compared}");
}

#[test]
fn kernels_change_no_more_than_rounding_and_threads_change_nothing() {
    let examples = Path::new(env!("CARGO_MANIFEST_DIR")).join("examples");
    let mut examples: Vec<_> = fs::read_dir(examples).unwrap().map(|entry| entry.unwrap().path()).collect();
    examples.sort();
    assert!(examples.len() >= 6);
    let mut moved = 0;
    for example in examples {
        let name = example.file_name().unwrap().to_string_lossy().into_owned();
        let planned = trained(&example, &[("RAYON_NUM_THREADS", "1")]);
        let threaded = trained(&example, &[("RAYON_NUM_THREADS", "3")]);
        let composed = trained(&example, &[("BARRAGE_KERNELS", "off")]);
        for (((weight, planned), (_, threaded)), (other, composed)) in planned.iter().zip(&threaded).zip(&composed) {
            assert_eq!(weight, other, "{name}");
            assert!(planned.same(threaded), "{name}: `{weight}` depends on the number of threads");
            let (planned, composed) = (planned.to_f64_vec(), composed.to_f64_vec());
            // A constant before a normalisation has no effect: its gradient is rounding, which Adam makes large.
            if name == "ucr" && weight.starts_with("conv1d") && weight.ends_with("/bias") {
                continue;
            }
            let worst = planned.iter().zip(&composed).map(|(a, b)| (a - b).abs()).fold(0.0, f64::max);
            assert!(worst <= 1e-4, "{name}: `{weight}` differs by {worst:e}");
            moved += usize::from(worst > 0.0);
        }
    }
    assert!(moved > 0, "all last digits are equal, so kernels were not switched off");
}
