//! A run that is killed by SIGKILL at any moment and resumed gives the bits of a run that was not.
//!
//! The run has what could be forgotten by a checkpoint: several epochs of 40 steps, a checkpoint every third step, an
//! augmentor and dropout that draw random numbers, accumulated gradients, averaged weights (EMA), a learning rate that a
//! service lowers, weighted metrics beside others, a scripted metric and two scripted services with a memory, and workers
//! that make batches ahead. The moments are spread over the run by a seed. How often it is killed:
//!
//! ```sh
//! BARRAGE_KILLS=50 cargo test --release --test main kills -- --nocapture
//! ```

use std::fs;
use std::path::Path;
use std::thread::sleep;
use std::time::Duration;

use barrage::random::{Random, Stream};

use crate::resume::{barrage, project};

/// How often the ordinary suite kills.
const KILLS: usize = 5;

const EPOCHS: usize = 5;
const STEPS: usize = 40;

/// The project of the other tests with a longer run, and a network whose steps take a few milliseconds.
fn long_project(folder: &Path) {
    project(folder);
    let network = r#"
        fn params() { #{ input_dim: required("int", "numbers of a flower"), num_classes: required("int", "species") } }
        fn build(params) {
            let x = input("flower", [params.input_dim]);
            let h = x.dense(128, #{ activation: "relu" }).batch_normalization().dropout(0.3);
            let h = h.repeat_vector(12).lstm(32, #{ dropout: 0.2, recurrent_dropout: 0.1 });
            network(x, h.dense(params.num_classes, #{ activation: "softmax", name: "species" }))
        }
    "#;
    fs::write(folder.join("components/network.rhai"), network).unwrap();
    let path = folder.join("config.json");
    let mut config: serde_json::Value = serde_json::from_slice(&fs::read(&path).unwrap()).unwrap();
    config["model"]["network"]["params"] = serde_json::json!({});
    config["dataset"]["workers"] = 2.into();
    config["dataset"]["prefetch"] = 3.into();
    let solver = &mut config["solver"];
    solver["batch_size"] = 3.into();
    solver["epochs"] = EPOCHS.into();
    solver["checkpoint_every"] = 3.into();
    fs::write(path, config.to_string()).unwrap();
}

/// What must be equal: the report, the best weights, everything of the last checkpoint.
fn outcome(artifacts: &Path) -> Vec<(String, Vec<u8>)> {
    let last = format!("resume_checkpoints/epoch_{EPOCHS:04}");
    let state = format!("{last}/state.json");
    let files = [
        "training_report.csv".to_owned(),
        "best_checkpoint/model.safetensors".to_owned(),
        "best_checkpoint/state.json".to_owned(),
        format!("{last}/model.safetensors"),
        format!("{last}/optimizer.safetensors"),
        state.clone(),
    ];
    let read = |file: String| {
        let mut bytes = fs::read(artifacts.join(&file)).unwrap();
        if file == state {
            // A resumed run writes further TensorBoard files, whose names hold the time.
            let mut json: serde_json::Value = serde_json::from_slice(&bytes).unwrap();
            assert!(json["services"].as_object_mut().unwrap().remove("tensorboard").is_some());
            bytes = json.to_string().into_bytes();
        }
        (file, bytes)
    };
    files.into_iter().map(read).collect()
}

/// What a killed run left.
#[derive(Default)]
struct Left {
    /// The names of its checkpoints to resume from.
    checkpoints: Vec<String>,
    /// Whether something was being written.
    half_written: bool,
}

impl Left {
    fn of(artifacts: &Path) -> Self {
        let mut left = Left::default();
        let mut folders = vec![artifacts.to_owned()];
        while let Some(folder) = folders.pop() {
            for entry in fs::read_dir(&folder).into_iter().flatten().map(Result::unwrap) {
                let name = entry.file_name().to_string_lossy().into_owned();
                left.half_written |= barrage::artifact::layout::is_partial(&name);
                if folder.ends_with("resume_checkpoints") && name.starts_with("epoch_") {
                    left.checkpoints.push(name);
                } else if entry.file_type().unwrap().is_dir() {
                    folders.push(entry.path());
                }
            }
        }
        left.checkpoints.sort();
        left
    }
}

#[test]
fn killed_at_any_moment_and_resumed_it_gives_the_same_bits() {
    let folder = tempfile::tempdir().unwrap();
    let folder = folder.path();
    long_project(folder);
    let train = |artifacts: &str| {
        let mut command = barrage(folder, &["train", "config.json", "train.csv", "validation.csv", "-a", artifacts]);
        command.spawn().unwrap()
    };
    let started = std::time::Instant::now();
    assert!(train("whole").wait().unwrap().success());
    let whole_run = started.elapsed();
    let whole = outcome(&folder.join("whole"));

    let given = std::env::var("BARRAGE_KILLS").ok();
    let kills: usize = given.map_or(KILLS, |kills| kills.parse().expect("BARRAGE_KILLS is a number"));
    let mut random = Random::new(11, Stream::Script, &[]);
    let (mut killed, mut unstarted, mut within, mut half_written) = (0, 0, 0, 0);
    while killed < kills {
        let share = 0.05 + 0.93 * random.uniform();
        let mut child = train("killed");
        sleep(whole_run.mul_f64(share));
        if child.try_wait().unwrap().is_some() {
            // Faster than the first: not a kill, so another moment is drawn.
            fs::remove_dir_all(folder.join("killed")).unwrap();
            continue;
        }
        child.kill().unwrap();
        child.wait().unwrap();
        killed += 1;
        let artifacts = folder.join("killed");
        let left = Left::of(&artifacts);
        within += usize::from(left.checkpoints.last().is_some_and(|name| name.contains("_batch_")));
        half_written += usize::from(left.half_written);
        if !artifacts.join("config.json").exists() {
            // Killed while it was still being checked: started once more.
            unstarted += 1;
            assert!(train("killed").wait().unwrap().success());
        } else {
            let command: &[&str] =
                if killed % 2 == 0 { &["resume", "killed"] } else { &["train", "--resume", "killed"] };
            let status = barrage(folder, command).status().unwrap();
            assert!(status.success(), "killed at {share:.3} of the run: resume ended with {status}");
        }
        for ((file, expected), (_, found)) in whole.iter().zip(outcome(&artifacts)) {
            assert!(*expected == found, "killed at {share:.3} of the run ({:?}): {file} differs", left.checkpoints);
        }
        assert!(!Left::of(&artifacts).half_written, "half-written files stay after a resumed run");
        fs::remove_dir_all(&artifacts).unwrap();
    }
    println!(
        "killed {kills} times in a run of {EPOCHS} epochs of {STEPS} steps ({:.2} s): {kills} of {kills} the same bits; {within} \
         of them within an epoch, {half_written} with half-written files left, {unstarted} before anything was written",
        whole_run.as_secs_f64()
    );
    assert!(whole_run > Duration::from_millis(50), "the run is too short to be killed within");
    assert!(unstarted < kills, "no run was killed after its start");
}
