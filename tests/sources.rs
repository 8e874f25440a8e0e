//! Data from many files: folders of pictures, packed files, batch loaders, caches between processes; and what a broken
//! file leads to.

#![allow(clippy::unwrap_used, clippy::panic)]

use std::fs;
use std::path::Path;
use std::process::{Command, Output};

use barrage::record::Records;
use barrage::script::Host;
use tempfile::TempDir;

/// A project with the pictures and sounds of the script tests.
fn project() -> TempDir {
    let folder = tempfile::tempdir().unwrap();
    copy(&Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/script/files"), folder.path());
    folder
}

fn copy(from: &Path, to: &Path) {
    fs::create_dir_all(to).unwrap();
    for entry in fs::read_dir(from).unwrap().map(Result::unwrap) {
        let target = to.join(entry.file_name());
        match entry.file_type().unwrap().is_dir() {
            true => copy(&entry.path(), &target),
            false => drop(fs::copy(entry.path(), target).unwrap()),
        }
    }
}

fn eval(folder: &Path, script: &str) -> barrage::Result<String> {
    let host = Host::builder(folder).build()?;
    host.eval(script).map(|value| value.to_string())
}

fn barrage(folder: &Path, arguments: &[&str]) -> Output {
    Command::new(env!("CARGO_BIN_EXE_barrage")).current_dir(folder).args(arguments).output().unwrap()
}

/// A recipe that learns which folder a picture lies in.
const PICTURES: &str = r#"
    let pictures = files("images/*/*.png", #{ label: "folder" });
    let config = #{
        dataset: #{
            loader: component("std.loaders.image_file", #{ size: [4, 4], channels: 3, output: "animal" }),
            augmentor: [component("std.augmentors.pictures.horizontal_flip", #{ input: "image" })],
            seed: 1,
            // OPTIONS
        },
        model: #{
            network: component("net"),
            outputs: [#{ name: "animal", loss: component("sparse_categorical_crossentropy") }],
        },
        solver: #{ epochs: 2, batch_size: 2 },
        services: #{ keep: 1 },
    };
    let trainer = trainer("run", #{ overwrite: true });
    let history = trainer.train(config, pictures, pictures);
    [history.steps, trainer.predict(pictures).len()]
"#;

const NETWORK: &str = r#"
    fn build(params) {
        let picture = input("image", [4, 4, 3]);
        network(picture, picture.flatten().dense(2, #{ activation: "softmax", name: "animal" }))
    }
"#;

#[test]
fn a_folder_of_pictures_is_learned_and_scored() {
    let folder = project();
    fs::write(folder.path().join("net.rhai"), NETWORK).unwrap();
    assert_eq!(eval(folder.path(), PICTURES).unwrap(), "[4, 4]");
}

#[test]
fn a_broken_picture_stops_is_skipped_or_is_put_into_quarantine() {
    let folder = project();
    fs::write(folder.path().join("net.rhai"), NETWORK).unwrap();
    let broken = folder.path().join("images/dog/1.png");
    let whole = fs::read(&broken).unwrap();
    fs::write(&broken, &whole[..whole.len() / 2]).unwrap();
    let with = |options: &str| {
        eval(folder.path(), &PICTURES.replace("// OPTIONS", options).replace("trainer.predict(pictures).len()", "0"))
    };

    let error = with("").unwrap_err();
    assert!(error.message().starts_with("the picture is damaged or cut off: "), "{error}");
    let context = error.context().join("; ");
    assert!(context.contains("images/dog/1.png") && context.contains("record 3 of images/*/*.png"), "{context}");

    // Three of four records are left: two batches an epoch.
    assert_eq!(with("on_error: \"skip\",").unwrap(), "[4, 0]");
    assert_eq!(with("on_error: #{ policy: \"quarantine\", limit: 1 },").unwrap(), "[4, 0]");
    let lines = fs::read_to_string(folder.path().join("run/quarantine.jsonl")).unwrap();
    let lines: Vec<serde_json::Value> = lines.lines().map(|line| serde_json::from_str(line).unwrap()).collect();
    assert_eq!(lines.len(), 2, "once among the training records, once among the validation records");
    assert_eq!(lines[0]["fields"]["path"], "images/dog/1.png");
    assert!(lines[0]["reason"].as_str().unwrap().starts_with("the picture is damaged"));
    let error = with("on_error: #{ policy: \"skip\", limit: 0 },").unwrap_err();
    assert!(error.hints().iter().any(|hint| hint.contains("limit")), "{error:?}");
}

#[test]
fn one_missing_file_among_ten_thousand_is_named() {
    let folder = project();
    fs::create_dir(folder.path().join("notes")).unwrap();
    for number in 0..10_000 {
        fs::write(folder.path().join(format!("notes/{number:05}.txt")), "x").unwrap();
    }
    let script = r#"
        let notes = files("notes/*.txt");
        remove();
        let read = 0;
        for note in notes { text(note.path); read += 1; }
        read
    "#;
    let gone = folder.path().join("notes/07321.txt");
    let host = Host::builder(folder.path())
        .extend(move |engine| {
            let gone = gone.clone();
            engine.register_fn("remove", move || fs::remove_file(&gone).unwrap());
        })
        .build()
        .unwrap();
    let error = host.eval(script).unwrap_err();
    assert_eq!(error.message(), "cannot read `notes/07321.txt`: there is no such file");
    assert!(error.hints()[0].starts_with("did you mean `"), "{error:?}");
}

#[test]
fn a_number_that_is_none_is_named_with_its_record() {
    let folder = project();
    fs::write(
        folder.path().join("net.rhai"),
        "fn build(params) { let x = input(\"x\", [1]); network(x, x.dense(1, #{ name: \"y\" })) }",
    )
    .unwrap();
    fs::write(folder.path().join("data.csv"), "x,y\n1.5,2\nNaN,3\n2.5,1\n").unwrap();
    let script = r#"
        let data = read_records("data.csv");
        let keys = component("KeySelector", #{ inputs: #{ x: ["x"] }, outputs: #{ y: ["y"] } });
        let config = #{
            dataset: #{ loader: keys, seed: 1, OPTIONS },
            model: #{ network: component("net"), outputs: [#{ name: "y", loss: component("mean_squared_error") }] },
            solver: #{ epochs: 1, batch_size: 2 },
        };
        trainer("run", #{ overwrite: true }).train(config, data, data).steps
    "#;
    let error = eval(folder.path(), &script.replace(", OPTIONS", "")).unwrap_err();
    assert_eq!(error.message(), "field `x` is missing (null)");
    assert!(error.context().contains(&"record 1 of data.csv".to_owned()), "{error}");
    assert_eq!(eval(folder.path(), &script.replace("OPTIONS", "on_error: \"skip\"")).unwrap(), "1");
}

/// A recipe that reads a file which is cut off, or whose rows have different lengths, ends with the exit code of bad
/// data: which file, which row or byte, what was expected.
#[test]
fn a_cut_off_idx_file_and_a_ragged_table_end_a_recipe_with_exact_words() {
    let head = |lengths: &[u32]| -> Vec<u8> {
        let magic = 0x0800 + lengths.len() as u32;
        std::iter::once(magic).chain(lengths.iter().copied()).flat_map(u32::to_be_bytes).collect()
    };
    let images = [head(&[3, 2, 2]), vec![7; 11]].concat();
    let idx = "let data = read_columns(#{ image: \"images.idx\", label: \"labels.idx\" });";
    let csv = "let data = read_records(\"rows.csv\");";
    let cases: [(&str, &[u8], &str); 4] = [
        (
            idx,
            &images,
            r#"error[B0326]: the header says shape [3, 2, 2], which is 28 bytes in all, found 27
 --> recipe.rhai:1:12
  |
1 | let data = read_columns(#{ image: "images.idx", label: "labels.idx" });
  |            ^^^^^^^^^^^^
  |
  = note: in images.idx
  = help: the file is cut off or damaged: copy, download or unpack it again

more about it: `barrage help B0326`
"#,
        ),
        (
            idx,
            &images[..10],
            r#"error[B0326]: the file is cut off within its header: 3 axes need 16 bytes, found 10
 --> recipe.rhai:1:12
  |
1 | let data = read_columns(#{ image: "images.idx", label: "labels.idx" });
  |            ^^^^^^^^^^^^
  |
  = note: in images.idx
  = help: copy, download or unpack it again

more about it: `barrage help B0326`
"#,
        ),
        (
            csv,
            b"a,b\n1,2\n3,4,5\n6,7\n",
            r#"error[B0404]: line 3 of rows.csv has 3 values, the header has 2
 --> rows.csv:3:1
  |
3 | 3,4,5
  | ^^^^^
  |
  = note: `read_records` was called from recipe.rhai:1:12
  = help: a text with a comma in it has to stand in double quotes

more about it: `barrage help B0404`
"#,
        ),
        (
            csv,
            b"a,b\n1,2\n3\n6,7\n",
            r#"error[B0404]: line 3 of rows.csv has 1 value, the header has 2
 --> rows.csv:3:1
  |
3 | 3
  | ^
  |
  = note: `read_records` was called from recipe.rhai:1:12
  = help: write nothing between two commas where a value is missing; is a double quote not closed?

more about it: `barrage help B0404`
"#,
        ),
    ];
    for (read, bytes, expected) in cases {
        let folder = tempfile::tempdir().unwrap();
        fs::write(folder.path().join("labels.idx"), [head(&[3]), vec![1; 3]].concat()).unwrap();
        let (name, config) = match read == idx {
            true => ("images.idx", "image"),
            false => ("rows.csv", "a"),
        };
        fs::write(folder.path().join(name), bytes).unwrap();
        let recipe = format!("{read}\nprint(data.column(\"{config}\"));\ntrainer(\"run\").train(#{{}}, data, data);\n");
        fs::write(folder.path().join("recipe.rhai"), recipe).unwrap();
        let output = barrage(folder.path(), &["run", "recipe.rhai"]);
        let place = format!("{}/", folder.path().display());
        assert_eq!(String::from_utf8_lossy(&output.stderr).replace(&place, ""), expected);
        assert_eq!((output.status.code(), output.stdout.len()), (Some(4), 0));
        assert!(!folder.path().join("run").exists());
    }
}

/// Twenty numbers; the transformer fails on one of them, the augmentor on another.
const FAILING: &str = r#"
    let rows = [];
    for i in 0..20 { rows.push(#{ x: i * 1.0, y: i * 2.0 }); }
    let data = records(rows);
    let config = #{
        dataset: #{
            loader: component("KeySelector", #{ inputs: #{ x: ["x"] }, outputs: #{ y: ["y"] } }),
            transformer: component("fails"), augmentor: [component("fails.augment")], seed: 1,
            on_error: #{ policy: "POLICY", limit: LIMIT }, workers: WORKERS, cache: CACHE,
        },
        model: #{ network: component("net"), outputs: [#{ name: "y", loss: component("mean_squared_error") }] },
        solver: #{ epochs: 3, batch_size: 4, optimizer: #{ "import": "SGD", learning_rate: 0.0001 } },
    };
    let trainer = trainer("run", #{ overwrite: true });
    let history = trainer.train(config, data, data);
    [history.steps, trainer.evaluate(data.filter(|row| row.x < 3.0)).loss]
"#;

const FAILS: &str = r#"
    fn fit(records) {}
    fn transform(data_record) {
        if data_record.x.x[0] == 3.0 { throw "a three"; }
        data_record
    }
    fn augment(data_record) {
        if data_record.x.x[0] == 5.0 { throw "a five"; }
        data_record
    }
"#;

#[test]
fn what_transformers_and_augmentors_fail_on_is_left_out_or_replaced() {
    let folder = project();
    fs::write(folder.path().join("fails.rhai"), FAILS).unwrap();
    let net = "fn build(params) { let x = input(\"x\", [1]); network(x, x.dense(1, #{ name: \"y\" })) }";
    fs::write(folder.path().join("net.rhai"), net).unwrap();
    let with = |policy: &str, limit: &str, workers: &str, cache: &str| {
        let script = FAILING.replace("POLICY", policy).replace("LIMIT", limit);
        eval(folder.path(), &script.replace("WORKERS", workers).replace("CACHE", cache))
    };

    let error = with("stop", "0", "0", "true").unwrap_err();
    assert_eq!(error.message(), "a three");
    let error = with("skip", "0", "0", "true").unwrap_err();
    assert!(
        error.message() == "a three" && error.context().iter().any(|place| place == "record 3 of records"),
        "{error}"
    );

    // Nineteen records are left, in five batches; the augmentor's record is replaced, so none of them is smaller.
    let result = with("quarantine", "2", "0", "true").unwrap();
    assert!(result.starts_with("[15, "), "{result}");
    let lines = fs::read_to_string(folder.path().join("run/quarantine.jsonl")).unwrap();
    let lines: Vec<serde_json::Value> = lines.lines().map(|line| serde_json::from_str(line).unwrap()).collect();
    let told: Vec<_> =
        lines.iter().map(|line| (line["fields"]["x"].as_f64().unwrap(), line["reason"].clone())).collect();
    let reason = |text: &str| serde_json::Value::from(text);
    let (three, five) = (reason("a three (record 3 of records)"), reason("a five (record 5 of records)"));
    assert_eq!(told, [(3.0, three.clone()), (3.0, three), (5.0, five)], "{lines:?}");

    for (workers, cache) in [("1", "true"), ("2", "false"), ("8", "false")] {
        assert_eq!(with("skip", "2", workers, cache).unwrap(), result, "{workers} workers");
    }
}

#[test]
fn more_failures_than_the_limit_end_the_run() {
    let folder = project();
    let many = FAILS.replace("== 5.0", "> 15.0").replace("== 3.0", "< 0.0");
    fs::write(folder.path().join("fails.rhai"), many).unwrap();
    let net = "fn build(params) { let x = input(\"x\", [1]); network(x, x.dense(1, #{ name: \"y\" })) }";
    fs::write(folder.path().join("net.rhai"), net).unwrap();
    let script = FAILING.replace("POLICY", "skip").replace("CACHE", "false");
    for workers in ["0", "2"] {
        let script = script.replace("WORKERS", workers);
        assert!(eval(folder.path(), &script.replace("LIMIT", "4")).unwrap().starts_with("[15, "));
        let error = eval(folder.path(), &script.replace("LIMIT", "3")).unwrap_err();
        assert_eq!(error.message(), "a five");
        assert!(error.hints().iter().any(|hint| hint.contains("the limit of `dataset.on_error` is 3")), "{error:?}");
    }
}

/// A file that vanished is one record that cannot be loaded, whatever the other ten thousand are.
#[test]
fn one_missing_file_among_ten_thousand_is_left_out_of_training() {
    let folder = project();
    fs::create_dir(folder.path().join("notes")).unwrap();
    for number in 0..10_000 {
        fs::write(folder.path().join(format!("notes/{number:05}.txt")), "x").unwrap();
    }
    fs::write(
        folder.path().join("notes.rhai"),
        "fn load(record) { [#{ x: [text(record.path).len()] }, #{ y: [1] }] }
         fn build(params) { let x = input(\"x\", [1]); network(x, x.dense(1, #{ name: \"y\" })) }",
    )
    .unwrap();
    let script = r#"
        let notes = files("notes/*.txt");
        remove();
        let config = #{
            dataset: #{ loader: component("notes"), seed: 1, on_error: POLICY },
            model: #{ network: component("notes"), outputs: [#{ name: "y", loss: component("mean_squared_error") }] },
            solver: #{ epochs: 1, batch_size: 128 },
        };
        trainer("run", #{ overwrite: true }).train(config, notes, notes.head(10)).steps
    "#;
    let run = |policy: &str| {
        let gone = folder.path().join("notes/07321.txt");
        let host = Host::builder(folder.path()).extend(move |engine| {
            let gone = gone.clone();
            engine.register_fn("remove", move || drop(fs::remove_file(&gone)));
        });
        host.build().unwrap().eval(&script.replace("POLICY", policy)).map(|value| value.to_string())
    };
    let error = run("\"stop\"").unwrap_err();
    assert_eq!(error.message(), "cannot read `notes/07321.txt`: there is no such file");
    fs::write(folder.path().join("notes/07321.txt"), "x").unwrap();
    assert_eq!(run("#{ policy: \"skip\", limit: 1 }").unwrap(), "79");
}

#[test]
fn a_folder_is_packed_into_one_file() {
    let folder = project();
    let done = barrage(folder.path(), &["pack", "images/*/*.png", "pictures.safetensors"]);
    assert!(done.status.success(), "{}", String::from_utf8_lossy(&done.stderr));
    let script = r#"
        let packed = read_records("pictures.safetensors");
        let same = image(packed[2].data) == image("images/dog/0.png");
        [packed.columns, packed.texts("label"), packed[3]["class"], same.all().item]
    "#;
    assert_eq!(
        eval(folder.path(), script).unwrap(),
        r#"[["path", "label", "class", "data"], ["cat", "cat", "dog", "dog"], 1, 1]"#
    );
    fs::write(
        folder.path().join("picture.rhai"),
        "fn load(record) { [#{ image: image(record.path) }, #{ animal: record[\"class\"] }] }",
    )
    .unwrap();
    eval(folder.path(), "files(\"images/*/*.png\", #{ label: \"folder\" }).write(\"list.csv\")").unwrap();
    let done = barrage(folder.path(), &["pack", "list.csv", "loaded.safetensors", "--loader", "picture"]);
    assert!(done.status.success(), "{}", String::from_utf8_lossy(&done.stderr));
    let loaded = Records::read(&folder.path().join("loaded.safetensors")).unwrap();
    assert_eq!(loaded.column("image").unwrap().shape(), [4, 3, 4, 3]);
    let wrong = barrage(folder.path(), &["pack", "list.csv", "loaded.npz"]);
    assert_eq!(wrong.status.code(), Some(4), "{}", String::from_utf8_lossy(&wrong.stderr));
}

/// A function that leaves a mark whenever it is computed, and takes its time.
const SLOW: &str = r#"
    let slow = memo_disk(|n| {
        records([#{ n: n }]).write("computed-" + args()[0] + "-" + n + ".csv");
        let sum = 0;
        for i in 0..400000 { sum += i % n; }
        #{ sum: sum, tensor: range(0, n) }
    }, #{ dir: "kept" });
    print(slow.call(7));
"#;

#[test]
fn two_processes_that_ask_the_same_compute_it_once() {
    let folder = project();
    fs::write(folder.path().join("ask.rhai"), SLOW).unwrap();
    let ask = |who: &str| {
        let mut command = Command::new(env!("CARGO_BIN_EXE_barrage"));
        command.current_dir(folder.path()).args(["run", "ask.rhai", "--", who]);
        command.stdout(std::process::Stdio::piped()).spawn().unwrap()
    };
    let both = [ask("a"), ask("b")].map(|child| child.wait_with_output().unwrap());
    let text = |output: &Output| String::from_utf8_lossy(&output.stdout).into_owned();
    assert!(both.iter().all(|output| output.status.success()));
    assert_eq!(text(&both[0]), text(&both[1]));
    assert!(text(&both[0]).contains("tensor([0, 1, 2, 3, 4, 5, 6])"), "{}", text(&both[0]));
    let computed = || {
        let names = fs::read_dir(folder.path()).unwrap().map(|entry| entry.unwrap().file_name());
        names.filter(|name| name.to_string_lossy().starts_with("computed-")).count()
    };
    assert_eq!(computed(), 1);

    // A torn file is computed anew; so is what another version asks for.
    let kept = fs::read_dir(folder.path().join("kept")).unwrap().map(|entry| entry.unwrap().path());
    let kept: Vec<_> = kept.filter(|path| path.extension().is_some_and(|ending| ending == "result")).collect();
    assert_eq!(kept.len(), 1);
    let bytes = fs::read(&kept[0]).unwrap();
    fs::write(&kept[0], &bytes[..bytes.len() - 1]).unwrap();
    assert_eq!(text(&ask("c").wait_with_output().unwrap()), text(&both[0]));
    assert_eq!((computed(), fs::read(&kept[0]).unwrap()), (2, bytes));
    fs::write(folder.path().join("ask.rhai"), SLOW.replace("dir: \"kept\"", "dir: \"kept\", version: \"2\"")).unwrap();
    ask("d").wait_with_output().unwrap();
    assert_eq!(computed(), 3);
}

#[test]
fn what_a_function_has_captured_is_part_of_the_question() {
    let folder = project();
    let ask = |factor: i64, argument: &str| {
        eval(
            folder.path(),
            &format!("let factor = {factor}; memo_disk(|n| n * factor, #{{ dir: \"kept\" }}).call({argument})"),
        )
    };
    assert_eq!(
        (ask(2, "3").unwrap(), ask(3, "3").unwrap(), ask(3, "3.0").unwrap()),
        ("6".into(), "9".into(), "9.0".into())
    );
    let error = ask(2, "|x| x").unwrap_err();
    assert_eq!(error.message(), "argument 1 cannot tell results apart: it is a function");
}

#[test]
fn recent_results_are_kept_and_failures_are_not() {
    let folder = project();
    let script = r#"
        let calls = 0;
        let read = lru_cache(|n| { calls += 1; if n < 0 { throw "below zero"; } n * 10 }, 2);
        for n in [1, 2, 1, 2, 3, 1] { read.call(n); }
        for attempt in 0..2 { try { read.call(-1); } catch { } }
        calls
    "#;
    // 1, 2, 3 once, 1 again after it was put out, and -1 twice.
    assert_eq!(eval(folder.path(), script).unwrap(), "6");
}

#[test]
fn batch_loaders_are_asked_within_their_bounds_only() {
    let folder = project();
    let loader = "let all = array_loader(zeros([6, 2]), range(0, 6));";
    for (script, message) in [
        ("all.get_batch(2, 7)", "expected a range with 0 ≤ start ≤ end ≤ 6, found 2 to 7"),
        ("all.get_batch(3, 2)", "expected a range with 0 ≤ start ≤ end ≤ 6, found 3 to 2"),
        ("all.get_batch(-1, 2)", "`start` of `get_batch`: expected a whole number of at least 0, found -1"),
        ("slice_loader(all, 4, 3)", "a slice of 3 records from 4 on reaches beyond the loader's 6"),
        (
            "slice_loader(slice_loader(all, 2, 3), 1, 2).get_batch(0, 3)",
            "expected a range with 0 ≤ start ≤ end ≤ 2, found 0 to 3",
        ),
        ("array_loader(zeros([6, 2]), range(0, 5))", "`input` has 6 records, `output` has 5"),
        ("batch(zeros([2]), 1.0)", "`output` is a single number: expected records on axis 0"),
        (
            "batch_loader(#{ len: || 4, get_batch: |a, b| batch(range(0, 1), range(0, 1)) }).get_batch(0, 2)",
            "expected 2 records for the range 0 to 2, found 1",
        ),
        (
            "batch_loader(#{ len: || -1, get_batch: |a, b| 0 })",
            "`len` of a batch loader: expected a whole number of at least 0, found -1",
        ),
        ("batch_loader(#{ len: || 1 })", "`batch_loader` needs the function `get_batch`"),
    ] {
        let error = eval(folder.path(), &format!("{loader} {script}")).unwrap_err();
        assert_eq!(error.message(), message, "{script}");
    }
    let empty = format!("{loader} slice_loader(all, 2, 3).get_batch(3, 3).x.input.shape");
    assert_eq!(eval(folder.path(), &empty).unwrap(), "[0, 2]");
}

#[test]
fn a_trainer_takes_batch_loaders_in_any_order_of_records() {
    let folder = project();
    fs::write(
        folder.path().join("net.rhai"),
        "fn build(params) { let x = input(\"input\", [1]); network(x, x.dense(1, #{ name: \"output\" })) }",
    )
    .unwrap();
    let script = r#"
        let x = range(0, 20).to_f32().reshape([20, 1]);
        let y = x * 2.0;
        let asked = [];
        let scripted = batch_loader(#{
            len: || 20,
            get_batch: |start, end| { asked.push(end - start); batch(x[start..end], y[start..end]) },
        });
        let config = #{
            dataset: #{ seed: 4, cache: CACHE },
            model: #{ network: component("net"), outputs: [#{ name: "output", loss: component("mean_squared_error") }] },
            solver: #{ epochs: 3, batch_size: 4 },
            services: #{ keep: 1 },
        };
        let losses = [];
        for all in [array_loader(x, y), scripted] {
            let trainer = trainer("run", #{ overwrite: true });
            let history = trainer.train(config, slice_loader(all, 0, 16), slice_loader(all, 16, 4));
            losses.push(history.logs.loss);
            losses.push(trainer.evaluate(slice_loader(all, 16, 4)).loss);
        }
        losses[0] == losses[2] && losses[1] == losses[3]
    "#;
    for cache in ["true", "false"] {
        assert_eq!(eval(folder.path(), &script.replace("CACHE", cache)).unwrap(), "true", "cache {cache}");
    }
}

#[test]
fn a_chain_fits_each_transformer_on_what_those_before_made() {
    let folder = project();
    let network = r#"
        fn build(params) {
            let x = input("flower", [2]);
            network(x, x.dense(params.classes.species, #{ activation: "softmax", name: "species" }))
        }
    "#;
    fs::write(folder.path().join("net.rhai"), network).unwrap();
    let script = r#"
        let flowers = read_records("flowers.csv");
        let keys = #{ inputs: #{ flower: ["petal_length", "petal_width"] }, outputs: #{ species: "species" } };
        let config = #{
            dataset: #{
                loader: component("KeySelector", keys),
                transformer: component("Chain", #{ transformers: [
                    component("std.transformers.min_max", #{ range: [5, 10] }),
                    component("std.transformers.standardise"),
                    component("std.transformers.labels"),
                ] }),
                seed: 1,
                balance: "species",
            },
            model: #{
                network: component("net"),
                outputs: [#{ name: "species", loss: component("sparse_categorical_crossentropy") }],
            },
            solver: #{ epochs: 30, batch_size: 2, optimizer: #{ "import": "Adam", learning_rate: 0.1 } },
            services: #{ keep: 1 },
        };
        let trainer = trainer("run", #{ overwrite: true });
        trainer.train(config, flowers, flowers);
        trainer.predict(flowers).map(|score| score.species)
    "#;
    let expected = r#"["setosa", "setosa", "versicolor", "versicolor", "virginica", "virginica"]"#;
    assert_eq!(eval(folder.path(), script).unwrap(), expected);
    let state = fs::read_to_string(folder.path().join("run/dataset/1/state.json")).unwrap();
    assert!(state.contains("inputs"), "{state}");
    let error =
        eval(folder.path(), &script.replace("std.transformers.min_max", "std.transformers.minmax")).unwrap_err();
    assert!(error.message().contains("no component `std.transformers.minmax`"), "{error}");
    let error = eval(folder.path(), &script.replace("balance: \"species\"", "balance: \"petal_length\"")).unwrap_err();
    assert!(error.message().starts_with("balance `petal_length`: expected a text"), "{error}");
}

/// A config that learns kinds of messages from their words and their length.
const MESSAGES: &str = r#"{
    "dataset": {
        "loader": { "import": "parts.load" },
        "transformer": { "import": "TRANSFORMER", "params": PARAMS },
        "seed": 3
    },
    "model": {
        "network": { "import": "parts.build" },
        "outputs": [{ "name": "kind", "loss": { "import": "mean_squared_error" } }]
    },
    "solver": { "epochs": 2, "batch_size": 500 },
    "services": { "keep": 1 }
}"#;

const PARTS: &str = r#"
    fn load(record) {
        let x = #{ LOADED };
        if this.mode == "score" { return [x]; }
        [x, #{ kind: [record.kind] }]
    }
    fn build(params) { let x = INPUT; network(x, HEAD.dense(1, #{ name: "kind" })) }
"#;

#[test]
fn a_transformer_fitted_in_shards_is_the_one_fitted_at_once() {
    let folder = project();
    // More records than are looked at in one part, words in another order in each.
    let line = |i: usize| format!("word{} and word{},{}.{},{}\n", i * 7 % 53, i * i % 31, i % 97, i % 10, i % 2);
    let lines: String = (0..9_000).map(line).collect();
    fs::write(folder.path().join("train.csv"), format!("text,length,kind\n{lines}")).unwrap();
    let run = |words: &[&str]| {
        let done = barrage(folder.path(), words);
        assert!(done.status.success(), "{words:?}: {}", String::from_utf8_lossy(&done.stderr));
    };
    let cases = [
        (
            "std.transformers.vocabulary",
            r#"{ "input": "t", "maxlen": 3 }"#,
            "t: record.text",
            "input(\"t\", [3], #{ dtype: \"i64\" })",
        ),
        ("std.transformers.min_max", "{}", "v: [record.length]", "input(\"v\", [1])"),
        ("std.transformers.impute", r#"{ "strategy": "median" }"#, "v: [record.length]", "input(\"v\", [1])"),
        ("std.transformers.standardise", "{}", "v: [record.length]", "input(\"v\", [1])"),
    ];
    let parts = |loaded: &str, input: &str| {
        let head = if input.contains("i64") { "x.embedding(200, 2).flatten()" } else { "x" };
        PARTS.replace("LOADED", loaded).replace("INPUT", input).replace("HEAD", head)
    };
    for (transformer, params, loaded, input) in cases {
        let config = MESSAGES.replace("TRANSFORMER", transformer).replace("PARAMS", params);
        fs::write(folder.path().join("config.json"), config).unwrap();
        fs::write(folder.path().join("parts.rhai"), parts(loaded, input)).unwrap();
        run(&["train", "config.json", "train.csv", "train.csv", "-a", "once", "--overwrite"]);
        for shard in ["1", "2", "3"] {
            run(&["fit", "config.json", "train.csv", "--shard", &format!("{shard}/3"), "-o", &format!("{shard}.part")]);
        }
        run(&["fit", "config.json", "--merge", "3.part", "1.part", "-o", "some.part"]);
        let some = barrage(
            folder.path(),
            &["train", "config.json", "train.csv", "train.csv", "--fitted", "some.part", "-a", "no"],
        );
        let said = String::from_utf8_lossy(&some.stderr).into_owned();
        assert!(!some.status.success() && said.contains("the shards 2/3 are missing"), "{said}");
        run(&[
            "train",
            "config.json",
            "train.csv",
            "train.csv",
            "-a",
            "parts",
            "--overwrite",
            "--fitted",
            "some.part",
            "--fitted",
            "2.part",
        ]);
        let state = |name: &str| fs::read_to_string(folder.path().join(name).join("dataset/state.json")).unwrap();
        assert_eq!(state("once"), state("parts"), "{transformer}");
        let numbers = |name: &str| {
            let file = folder.path().join(name).join("dataset/state.safetensors");
            if file.exists() { barrage::artifact::weights::load(&file).unwrap() } else { Default::default() }
        };
        for ((name, one), (_, other)) in numbers("once").iter().zip(&numbers("parts")) {
            let near = one.as_f64().iter().zip(other.as_f64().iter()).all(|(a, b)| (a - b).abs() <= 1e-6 * a.abs());
            assert!(near, "{transformer} {name}: {one:?} {other:?}");
        }
    }
    // The parts are those of this loader and this transformer.
    let refused = |words: &[&str], expected: &str| {
        let done = barrage(folder.path(), words);
        let said = String::from_utf8_lossy(&done.stderr).into_owned();
        assert!(!done.status.success() && said.contains(expected), "{said}");
    };
    refused(&["fit", "config.json", "--merge", "1.part", "1.part", "-o", "x"], "shard 1/3 is there twice");
    refused(&["fit", "config.json", "--merge", "train.csv", "-o", "x"], "`train.csv` is not what `barrage fit` writes");
    refused(
        &["fit", "config.json", "--merge", "1.part", "-o", "x", "-s", "+dataset.transformer.params.inputs=[]"],
        "`1.part` was fitted with another loader, transformer or parameters",
    );
    let plain = ["fit", "config.json", "train.csv", "-o", "x", "-s", "dataset.transformer.import=IdentityTransformer"];
    refused(&plain, "`IdentityTransformer` is fitted on all records at once");
    fs::write(folder.path().join("parts.rhai"), "fn load(r) { [#{ v: [r.length] }, #{ kind: [1] }] }").unwrap();
    refused(
        &["fit", "config.json", "--merge", "1.part", "-o", "x"],
        "the script `parts.rhai` was changed since `1.part` was fitted",
    );
}

#[test]
fn sequences_of_different_lengths_are_put_side_by_side_and_padded() {
    let folder = project();
    let network = r#"
        fn build(params) {
            let x = input("s", [6]);
            network(x, x.dense(1, #{ name: "y" }))
        }
    "#;
    let script = r#"
        let rows = [];
        for i in 0..12 { rows.push(#{ s: ones([1 + i % 6]), y: [i % 6] }); }
        let data = records(rows);
        let config = #{
            dataset: #{
                loader: component("KeySelector", #{ inputs: #{ s: "s" }, outputs: #{ y: "y" } }),
                seed: 1, bucket: "s", pad: #{ s: PAD },
            },
            model: #{ network: component("net"), outputs: [#{ name: "y", loss: component("mean_squared_error") }] },
            solver: #{ epochs: 1, batch_size: 4 },
            services: #{ keep: 1 },
        };
        let trainer = trainer("run", #{ overwrite: true });
        [trainer.train(config, data, data).steps, trainer.predict(data).len()]
    "#;
    let with = |pad: &str| {
        let network = if pad.contains('5') { network.replace("[6]", "[5]") } else { network.to_owned() };
        fs::write(folder.path().join("net.rhai"), network).unwrap();
        eval(folder.path(), &script.replace("PAD", pad))
    };
    assert_eq!(with("#{ value: -1, length: 6 }").unwrap(), "[3, 12]");
    let error = with("#{ length: 5 }").unwrap_err();
    assert!(error.message().ends_with("has length 6, `dataset.pad` says 5"), "{error}");
    let error = with("\"x\"").unwrap_err();
    assert!(error.message().starts_with("`dataset.pad.s`: expected a number or a map"), "{error}");
    let error = with("#{ length: 6, valeu: 1 }").unwrap_err();
    assert_eq!(error.message(), "`dataset.pad.s` has no key `valeu`");
}
