//! The memory of a run in a process of its own, as the first workload of `benches/loading.rs` has it: it is bounded, however
//! many epochs there are. (From run to run it differs by some MB, as freed pages go back when the allocator sees fit; what was
//! measured stands in `docs/loading.md`.)

#![cfg(target_os = "linux")]

use std::fs;
use std::io::{BufRead, BufReader};
use std::process::{Child, Command, Stdio};
use std::sync::mpsc;
use std::time::Duration;

/// Images as in `benches/loading.rs` W1: 47 MB of bytes, in memory.
const IMAGES: usize = 60_000;

const SCRIPT: &str = r#"
fn load(record) { [#{ image: record.image.to_f32() / 255.0 }, #{ label: record.label }] }
fn shift(data_record, params, rng) {
    let by = rng.below(5) - 2;
    data_record.x.image = data_record.x.image.pad([[0, 0], [2, 2]], 0.0).slice(1, 2 - by, 30 - by);
    data_record
}
fn build(params) {
    let x = input("image", [28, 28]);
    network(x, x.flatten().dense(1, #{ name: "label" }))
}
"#;

const RECIPE: &str = r#"
let images = read_columns(#{ image: "images.idx", label: "labels.idx" }, #{ mmap: false });
trainer("run").train(#{
    dataset: #{ loader: component("w1"), augmentor: [component("w1.shift")], seed: 1, cache: false, workers: 2 },
    model: #{ network: component("w1"), outputs: [#{ name: "label", loss: component("mean_squared_error") }] },
    solver: #{ epochs: 20, steps: 200, batch_size: 64 },
    services: #{ callbacks: [component("watch")] },
}, images, images.head(64));
"#;

/// Returns the most memory that a process has held so far, in MB; `None` once it has ended.
fn peak(child: &Child) -> Option<f64> {
    let status = fs::read_to_string(format!("/proc/{}/status", child.id())).ok()?;
    let line = status.lines().find_map(|line| line.strip_prefix("VmHWM:"))?;
    Some(line.trim().trim_end_matches(" kB").parse::<f64>().ok()? / 1024.0)
}

/// Returns bytes as MNIST has them: a magic number, the shape, the values.
fn idx(shape: &[usize], values: &[u8]) -> Vec<u8> {
    let magic = 0x0800 | shape.len() as u32;
    let sizes = shape.iter().map(|&size| size as u32);
    let head: Vec<u8> = std::iter::once(magic).chain(sizes).flat_map(u32::to_be_bytes).collect();
    [&head, values].concat()
}

#[test]
fn memory_does_not_grow_with_the_epochs() {
    let folder = tempfile::tempdir().unwrap();
    let write = |name: &str, bytes: &[u8]| fs::write(folder.path().join(name), bytes).unwrap();
    let pixels: Vec<u8> = (0..IMAGES * 784).map(|at| (at * 31 % 251) as u8).collect();
    write("images.idx", &idx(&[IMAGES, 28, 28], &pixels));
    write("labels.idx", &idx(&[IMAGES], &vec![1; IMAGES]));
    write("w1.rhai", SCRIPT.as_bytes());
    write("watch.rhai", b"fn on_epoch_end(logs) { print(\"epoch\"); }");
    write("recipe.rhai", RECIPE.as_bytes());

    let mut child = Command::new(env!("CARGO_BIN_EXE_barrage"))
        .args(["run", "recipe.rhai"])
        .current_dir(folder.path())
        .stdout(Stdio::piped())
        .stderr(fs::File::create(folder.path().join("errors.txt")).unwrap())
        .spawn()
        .unwrap();
    let (said, says) = mpsc::channel();
    let lines = BufReader::new(child.stdout.take().unwrap()).lines();
    std::thread::spawn(move || lines.map_while(Result::ok).try_for_each(|line| said.send(line)));

    // The most that was held by the end of each epoch.
    let mut peaks = Vec::new();
    while child.try_wait().unwrap().is_none() {
        while let Ok(line) = says.recv_timeout(Duration::from_millis(2)) {
            assert_eq!(line, "epoch");
            peaks.extend(peak(&child));
        }
    }
    let status = child.wait().unwrap();
    let complaint = fs::read_to_string(folder.path().join("errors.txt")).unwrap();
    assert!(status.success(), "{complaint}");
    assert!(peaks.len() >= 19, "{peaks:?}");
    // Batches that were kept would add 0.2 MB a step, 40 MB an epoch.
    let (first, last) = (peaks[0], peaks[peaks.len() - 1]);
    assert!(last <= first * 1.05 && last <= 100.0, "MB: {peaks:?}");
}
