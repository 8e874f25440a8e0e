//! Scripts that are saved while a run goes on: taken over between two epochs, or shown and refused.

use std::fs;
use std::path::Path;
use std::time::{Duration, Instant};

use super::{edit, project, run, signal, start, text};

/// A process that ends with its test, whatever happens.
struct Running(std::process::Child);

impl Drop for Running {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

/// Waits until a line of the events says something.
fn wait_for_event(project: &tempfile::TempDir, wanted: impl Fn(&serde_json::Value) -> bool) -> serde_json::Value {
    let begun = Instant::now();
    loop {
        let found = events(project).into_iter().find(|event| wanted(event));
        if let Some(found) = found {
            return found;
        }
        assert!(begun.elapsed() < Duration::from_secs(60), "no such event");
        std::thread::sleep(Duration::from_millis(5));
    }
}

fn events(project: &tempfile::TempDir) -> Vec<serde_json::Value> {
    let text = fs::read_to_string(project.path().join("artifacts/events.jsonl")).unwrap_or_default();
    text.lines().filter_map(|line| serde_json::from_str(line).ok()).collect()
}

fn sha256(path: &Path) -> String {
    let output = std::process::Command::new("sha256sum").arg(path).output().unwrap();
    text(&output.stdout).split_whitespace().next().unwrap().to_owned()
}

/// A run that is long enough. It must tell little: nobody reads its streams before it has ended.
fn endless() -> tempfile::TempDir {
    let project = project();
    edit(&project, "recipe.rhai", "epochs: 2", "epochs: 9999");
    let quiet =
        "services: #{ train_early_stopping: false, validation_early_stopping: false, tensorboard: false, keep: 2 }";
    edit(&project, "recipe.rhai", "services: #{}", quiet);
    project
}

#[test]
#[cfg(target_os = "linux")]
fn a_saved_augmentor_is_in_effect_at_the_next_epoch_and_a_broken_one_is_refused() {
    let project = endless();
    let augmentor = project.path().join("components/noise.rhai");
    let sound = fs::read_to_string(&augmentor).unwrap();
    let log = project.path().join("told.txt");
    let streams = || std::process::Stdio::from(fs::File::options().create(true).append(true).open(&log).unwrap());
    let mut watching = super::command(&project, &["run", "recipe.rhai", "--watch"]);
    let mut child = Running(watching.stdout(streams()).stderr(streams()).spawn().unwrap());
    wait_for_event(&project, |event| event["event"] == "epoch" && event["epoch"] == 2);

    // One with a mistake: shown and refused; the run goes on.
    fs::write(&augmentor, sound.replace("params.deviation", "params.devation")).unwrap();
    let refused = wait_for_event(&project, |event| event["event"] == "scripts");
    assert_eq!(refused["taken"], false);
    assert_eq!(refused["scripts"]["components/noise.rhai"], sha256(&augmentor).as_str());
    let at = refused["epoch"].as_u64().unwrap();
    wait_for_event(&project, |event| event["event"] == "epoch" && event["epoch"].as_u64() > Some(at + 1));

    // One that hides the leaves: taken over, and the loss is that of a guess. Before that the network has to have
    // learned something, however many epochs the machine has done by now: a guess is no worse than a beginner.
    wait_for_event(&project, |event| event["event"] == "epoch" && event["logs"]["loss"].as_f64() < Some(0.1));
    let fresh = sound.replace("data_record.x.leaf +=", "data_record.x.leaf = data_record.x.leaf * 0.0 +");
    assert_ne!(fresh, sound);
    fs::write(&augmentor, &fresh).unwrap();
    let taken = wait_for_event(&project, |event| event["event"] == "scripts" && event["taken"] == true);
    assert_eq!(taken["scripts"]["components/noise.rhai"], sha256(&augmentor).as_str());
    let from = taken["epoch"].as_u64().unwrap();
    wait_for_event(&project, |event| event["event"] == "epoch" && event["epoch"].as_u64() > Some(from + 1));
    signal(child.0.id(), "-INT");
    let status = child.0.wait().unwrap();
    let told = fs::read_to_string(&log).unwrap();
    assert_eq!(status.code(), Some(130), "{told}");
    assert!(told.contains("components/noise.rhai:4:"), "the mistake is shown where it is\n{told}");
    assert!(told.contains("`components/noise.rhai` refused: the run goes on with what it has"), "{told}");
    let line = format!(
        "`components/noise.rhai` was changed: in effect from epoch {} on (sha256 {}",
        from + 1,
        sha256(&augmentor)
    );
    assert!(told.contains(&line), "{told}");

    // The loss of the epoch it begins with is another one, and not of the one before.
    let loss = |epoch: u64| {
        let all = events(&project);
        let row = all.iter().find(|event| event["event"] == "epoch" && event["epoch"] == epoch).unwrap();
        row["logs"]["loss"].as_f64().unwrap()
    };
    // As many oaks as elms: who sees nothing cannot do better than ln 2.
    assert!(loss(from - 1) < 0.3 && loss(from) > 0.6, "{} {}", loss(from - 1), loss(from));
    // Each save was read once.
    let told: Vec<_> = events(&project).into_iter().filter(|event| event["event"] == "scripts").collect();
    assert_eq!(told.len(), 2, "{told:?}");

    // The folder has the new scripts, and those of before apart; it scores and can be resumed.
    let kept = |folder: &str| fs::read_to_string(project.path().join(folder).join("components/noise.rhai")).unwrap();
    assert_eq!(kept("artifacts/scripts"), fresh);
    assert_eq!(kept(&format!("artifacts/replaced_scripts/epoch_{from:04}")), sound);
    let scored = run(&project, &["predict", "validation.csv", "artifacts", "-o", "-"]);
    assert!(scored.status.success(), "{}", text(&scored.stderr));
}

#[test]
#[cfg(target_os = "linux")]
fn a_network_that_is_edited_waits_for_the_next_run() {
    let project = endless();
    let network = project.path().join("components/network.rhai");
    let sound = fs::read_to_string(&network).unwrap();
    let _child = Running(start(&project, &["run", "recipe.rhai", "--watch", "--progress", "none"]));
    wait_for_event(&project, |event| event["event"] == "epoch");
    fs::write(&network, sound.replace("relu", "tanh").replace("x.dense(params.units,", "x.dense(params.units + 1,"))
        .unwrap();
    let refused = wait_for_event(&project, |event| event["event"] == "scripts");
    assert_eq!(refused["taken"], false);
    assert!(refused["error"].as_str().unwrap().starts_with("the network would be another one"), "{refused}");
}
