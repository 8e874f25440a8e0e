//! The plan of kernels against composed operations, and on several threads: every example, a few steps.

use std::fs;
use std::path::Path;
use std::process::Command;

use barrage::artifact::weights::{Named, load};

use crate::end_to_end::copy;

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
    for epochs in ["epochs: 15", "epochs: 20", "epochs: 40", "epochs: 60"] {
        text = text.replace(epochs, "epochs: 1");
    }
    fs::write(file, text).unwrap();
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
            let worst = planned.iter().zip(&composed).map(|(a, b)| (a - b).abs()).fold(0.0, f64::max);
            assert!(worst <= 1e-4, "{name}: `{weight}` differs by {worst:e}");
            moved += usize::from(worst > 0.0);
        }
    }
    assert!(moved > 0, "all last digits are equal, so kernels were not switched off");
}
