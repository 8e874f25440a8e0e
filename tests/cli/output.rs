//! What training tells: events, progress, colors, help.

use std::fs;
use std::process::Command;

use barrage::script::Host;
use serde_json::Value;
use tempfile::TempDir;

use super::{command, edit, project, run, text};

const TRAIN: [&str; 4] = ["train", "config.json", "train.csv", "validation.csv"];

/// Runs a command; returns its exit code, standard output and standard error.
fn barrage(project: &TempDir, words: &[&str]) -> (i32, String, String) {
    let output = run(project, words);
    (output.status.code().unwrap(), text(&output.stdout), text(&output.stderr))
}

fn train(project: &TempDir, words: &[&str]) -> (i32, String, String) {
    barrage(project, &[&TRAIN, words].concat())
}

/// Reads events; each holds to the schema in the documents.
fn events(stdout: &str) -> Vec<Value> {
    let schema: Value = serde_json::from_str(include_str!("../../docs/events.schema.json")).unwrap();
    let read = |line: &str| -> Value {
        let event: Value = serde_json::from_str(line).unwrap_or_else(|error| panic!("{error}: {line}"));
        assert!(crate::recipe::holds(&schema, &event, &schema), "the schema does not know {line}");
        event
    };
    stdout.lines().map(read).collect()
}

fn kinds(events: &[Value]) -> Vec<&str> {
    events.iter().map(|event| event["event"].as_str().unwrap()).collect()
}

#[test]
fn events_hold_to_the_schema_and_their_numbers_are_those_of_the_run() {
    let project = project();
    let (code, stdout, stderr) = train(&project, &["--json"]);
    assert_eq!((code, stderr.as_str()), (0, ""));
    let found = events(&stdout);
    assert_eq!(kinds(&found)[..3], ["start", "epoch", "epoch"]);
    assert_eq!(kinds(&found).last(), Some(&"end"));
    let start = &found[0];
    assert_eq!((&start["folder"], &start["records"], &start["seed"]), (&"artifacts".into(), &8.into(), &1.into()));
    assert_eq!((&start["device"], &start["steps_per_epoch"]), (&"cpu".into(), &2.into()));

    // The same run in a program of one's own: the numbers are the same to the last bit.
    let host = Host::builder(project.path()).build().unwrap();
    let script = r#"
        let history = trainer("again").train(read_json("config.json"), read_records("train.csv"), read_records("validation.csv"));
        history.logs
    "#;
    let logs = host.eval(script).unwrap().cast::<barrage::rhai::Map>();
    let mut compared = 0;
    for (index, line) in stdout.lines().filter(|line| line.contains(r#""event":"epoch""#)).enumerate() {
        let written: Value = serde_json::from_str(line).unwrap();
        for (name, values) in &logs {
            let expected = values.clone().into_array().unwrap()[index].as_float().unwrap();
            // The text itself is read: a reader of JSON may round.
            let at = line.find(&format!("\"{name}\":")).unwrap() + name.len() + 3;
            let digits: &str = line[at..].split([',', '}']).next().unwrap();
            assert_eq!(digits.parse::<f64>().unwrap().to_bits(), expected.to_bits(), "{name} of epoch {index}");
            assert!(written["logs"][name.as_str()].is_number());
            compared += 1;
        }
    }
    assert_eq!(compared, 2 * 4);

    let saved: Vec<&Value> = found.iter().filter(|event| event["event"] == "checkpoint").collect();
    assert!(saved.iter().any(|event| event["purpose"] == "best"));
    let newest = saved.iter().rfind(|event| event["purpose"] == "resume").unwrap();
    assert!(project.path().join(newest["path"].as_str().unwrap()).join("state.json").is_file());
    assert_eq!((&newest["epoch"], &newest["step"]), (&1.into(), &4.into()));
}

#[test]
fn numbers_that_json_cannot_write_are_texts() {
    let project = project();
    edit(&project, "config.json", r#""learning_rate": 0.01"#, r#""learning_rate": 1e38"#);
    edit(&project, "config.json", r#""services": {}"#, r#""services": { "terminate_on_nan": false }"#);
    let (_, stdout, _) = train(&project, &["--json"]);
    let found = events(&stdout);
    let epoch = found.iter().rfind(|event| event["event"] == "epoch").unwrap();
    assert!(["NaN", "inf"].contains(&epoch["logs"]["loss"].as_str().unwrap()), "{epoch}");
}

#[test]
fn what_a_recipe_prints_is_an_event_among_the_others() {
    let project = project();
    edit(&project, "recipe.rhai", "let trainer", "print(\"now\\ntraining\");\nlet trainer");
    fs::write(project.path().join("recipe.rhai"), {
        let recipe = fs::read_to_string(project.path().join("recipe.rhai")).unwrap();
        format!("{recipe}\nprint(\"trained\");\n")
    })
    .unwrap();
    let (code, stdout, stderr) = barrage(&project, &["run", "recipe.rhai", "--json"]);
    assert_eq!((code, stderr.as_str()), (0, ""));
    let found = events(&stdout);
    assert_eq!(found[0]["text"], "now\ntraining");
    assert_eq!((kinds(&found)[0], kinds(&found)[1]), ("print", "start"));
    assert_eq!(found.last().unwrap()["text"], "trained");

    // Who wants to see the run as well sees what is printed, too, on the other stream.
    let (_, stdout, stderr) =
        barrage(&project, &["run", "recipe.rhai", "--overwrite", "--json", "--progress", "plain"]);
    assert_eq!(events(&stdout).len(), found.len());
    assert!(stderr.starts_with("now\ntraining\ntraining on 8 records"), "{stderr}");
    assert!(stderr.ends_with("trained\n"), "{stderr}");
    // Without --json it is data.
    let (_, stdout, _) = barrage(&project, &["run", "recipe.rhai", "--overwrite"]);
    assert_eq!(stdout, "now\ntraining\ntrained\n");
}

#[test]
fn errors_are_events_with_their_places() {
    let project = project();
    edit(&project, "config.json", r#""epochs": 2"#, r#""epoch": 2, "batch": 1"#);
    let (code, stdout, stderr) = train(&project, &["--json"]);
    assert_eq!(code, 3);
    assert!(stderr.contains("config.json:34:"), "a person sees them, too: {stderr}");
    let found = events(&stdout);
    assert!(found.len() >= 2, "{stdout}");
    let unknown = found.iter().find(|event| event["message"].as_str().unwrap().contains("`epoch`")).unwrap();
    assert_eq!(
        (&unknown["kind"], &unknown["exit_code"], &unknown["code"]),
        (&"recipe".into(), &3.into(), &"B0101".into())
    );
    assert_eq!((&unknown["place"]["file"], &unknown["place"]["line"]), (&"config.json".into(), &34.into()));

    for (words, kind, code) in [
        (&["train", "config.json", "train.csv", "--json"][..], "usage", 2),
        (&["run", "nothing.rhai", "--json"], "script", 3),
        (&["resume", "nowhere", "--json"], "artifact", 4),
        (&["evaluate", "train.csv", "nowhere", "--json"], "artifact", 4),
        (&["inspect", "train.cvs", "--json"], "artifact", 4),
    ] {
        let (exit, stdout, _) = barrage(&project, words);
        let found = events(&stdout);
        assert_eq!((exit, kinds(&found)), (code, vec!["error"]), "{words:?}");
        assert_eq!((&found[0]["kind"], &found[0]["exit_code"]), (&kind.into(), &code.into()), "{words:?}");
    }
    // A verb without events does not take the switch.
    let (exit, stdout, _) = barrage(&project, &["new", "x", "--json"]);
    assert_eq!((exit, kinds(&events(&stdout))), (2, vec!["error"]));
}

#[test]
fn progress_into_a_file_is_a_line_an_epoch_whatever_is_asked() {
    let project = project();
    let lines = |words: &[&str]| {
        let (code, stdout, stderr) = train(&project, &[&["--overwrite"], words].concat());
        assert_eq!((code, stdout.as_str()), (0, ""), "{stderr}");
        assert!(!stderr.contains(['\r', '\x1b']), "{stderr:?}");
        stderr.lines().map(str::to_owned).collect::<Vec<_>>()
    };
    let plain = lines(&[]);
    assert_eq!(plain.len(), 4);
    assert!(plain[1].starts_with("epoch 1/2  loss ") && plain[3].starts_with("2 epochs, 4 steps in "), "{plain:?}");
    assert_eq!(lines(&["--progress", "bar"])[..3], plain[..3]);
    assert_eq!(lines(&["--progress", "plain"])[..3], plain[..3]);
    assert!(lines(&["--progress", "none"]).is_empty());
    assert!(lines(&["-q"]).is_empty());
    assert_eq!(lines(&["-q", "--progress", "plain"])[..3], plain[..3]);

    let verbose = lines(&["-v"]);
    let told = |part: &str| assert!(verbose.iter().any(|line| line.contains(part)), "{part}: {verbose:#?}");
    for part in
        [" s] barrage ", " threads", " s] project root: ", " s] read 8 training", "device cpu", "saved: artifacts"]
    {
        told(part);
    }
    assert_eq!(barrage(&project, &[&TRAIN[..], &["-q", "-v"]].concat()).0, 2);
}

#[test]
fn colors_are_as_asked() {
    let project = project();
    let colored = |words: &[&str], variables: &[(&str, &str)]| {
        let output = command(&project, &[&["resume", "nowhere"], words].concat())
            .env_remove("NO_COLOR")
            .envs(variables.iter().copied())
            .output()
            .unwrap();
        text(&output.stderr).contains('\x1b')
    };
    assert!(!colored(&[], &[]), "into a file");
    assert!(colored(&["--color", "always"], &[]));
    assert!(colored(&["--color=always"], &[("NO_COLOR", "1")]), "what is asked for comes first");
    assert!(!colored(&["--color", "never"], &[]));
}

/// Runs a command on a terminal; returns what appears there.
#[cfg(target_os = "linux")]
fn on_a_terminal(project: &TempDir, words: &str, variables: &[(&str, &str)]) -> Option<String> {
    let line = format!("{} {words}", env!("CARGO_BIN_EXE_barrage"));
    let output = Command::new("script")
        .args(["-qec", &line, "/dev/null"])
        .current_dir(project.path())
        .env("TERM", "xterm")
        .env_remove("NO_COLOR")
        .envs(variables.iter().copied())
        .stdin(std::process::Stdio::null())
        .output();
    // Not every machine has the program.
    output.ok().map(|output| text(&output.stdout))
}

#[test]
#[cfg(target_os = "linux")]
fn a_terminal_gets_a_bar_unless_asked_otherwise() {
    let project = project();
    edit(&project, "config.json", r#""epochs": 2"#, r#""epochs": 40"#);
    let train = TRAIN.join(" ");
    let Some(bar) = on_a_terminal(&project, &train, &[]) else { return };
    assert!(bar.contains("epoch 1/40 ["), "{bar:?}");
    assert!(bar.contains(" steps/s  0 s left  loss "), "{bar:?}");
    assert!(bar.contains("epoch 40/40  loss "), "{bar:?}");
    let plain = on_a_terminal(&project, &format!("{train} --overwrite --progress plain"), &[]).unwrap();
    assert!(!plain.contains(['\x1b', '[']) && plain.contains("epoch 40/40  loss "), "{plain:?}");
    let dumb = on_a_terminal(&project, &format!("{train} --overwrite"), &[("TERM", "dumb")]).unwrap();
    assert!(!dumb.contains('\x1b'), "{dumb:?}");
    // Events that go to the terminal themselves are not drawn over.
    let events = on_a_terminal(&project, &format!("{train} --overwrite --json"), &[]).unwrap();
    assert!(events.lines().all(|line| line.starts_with('{')), "{events:?}");
    let beside = on_a_terminal(&project, &format!("{train} --overwrite --json > events"), &[]).unwrap();
    assert!(beside.contains("epoch 1/40 ["), "{beside:?}");

    let error = on_a_terminal(&project, "resume nowhere", &[]).unwrap();
    assert!(error.contains("\x1b["), "{error:?}");
    let error = on_a_terminal(&project, "resume nowhere", &[("NO_COLOR", "1")]).unwrap();
    assert!(!error.contains('\x1b'), "{error:?}");
}

#[test]
fn help_of_every_verb_is_one_screen_with_an_example() {
    let project = project();
    let help = |words: &[&str]| {
        let output = command(&project, words).env("COLUMNS", "80").output().unwrap();
        assert!(output.status.success());
        text(&output.stdout)
    };
    let top = help(&["--help"]);
    let verbs = top.lines().skip_while(|line| *line != "Commands:").skip(1).take_while(|line| !line.is_empty());
    let verbs: Vec<&str> = verbs.filter_map(|line| line.strip_prefix("  ")?.split(' ').next()).collect();
    let verbs: Vec<&str> = verbs.into_iter().filter(|verb| !verb.is_empty()).collect();
    assert!(verbs.len() >= 13 && verbs.contains(&"predict"), "{verbs:?}");
    for verb in verbs.iter().copied().chain([""]) {
        let words: Vec<&str> = [verb, "--help"].into_iter().filter(|word| !word.is_empty()).collect();
        let page = help(&words);
        let (lines, width) = (page.lines().count(), page.lines().map(|line| line.chars().count()).max().unwrap());
        assert!(lines <= 44 && width <= 80, "`{verb}`: {lines} lines of {width}\n{page}");
        let example = page.lines().find_map(|line| Some(line.split_once("Example")?.1.split_once(": ")?.1));
        let example = example.unwrap_or_else(|| panic!("`{verb}` has no example\n{page}"));
        assert!(example.contains(&format!("barrage {verb}")), "`{verb}`: {example}");
        assert_eq!(
            page,
            help(
                &words
                    .iter()
                    .map(|word| word.replace("--help", "-h"))
                    .collect::<Vec<_>>()
                    .iter()
                    .map(String::as_str)
                    .collect::<Vec<_>>()
            )
        );
    }
}
