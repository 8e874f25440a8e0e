//! Pipelines of batches, as a program beside BatchFlow's: `cargo bench --bench batches -- W1 threads 2`.
//!
//! * **W1** `TARGET THREADS [PREFETCH]`: 60 000 images of 28×28 bytes in memory, batches of 64 in random order; for
//!   each image a function of the script: to numbers from 0 to 1, a random shift of up to 2 pixels both ways, zeros
//!   come in. Three epochs, the last counts. `closure` in place of a target hands the function over as a closure.
//!   Prints a line of JSON: records, wall and CPU seconds, records a second and a CPU second.
//! * **reads** `BATCH`: 2 000 reads of a component of one batch, and how long the first and the last of them took.

use std::error::Error;
use std::time::Instant;

use barrage::prelude::*;
use barrage::tensor::Array;

type Outcome<T> = std::result::Result<T, Box<dyn Error>>;

const RECORDS: i64 = 60_000;

/// What a user of pipelines writes: a module of batches.
const MODULE: &str = "
fn shift_item(image, down, right) { (image.to_f32() / 255.0).shift(down, right, 0.0) }
";

const PIPELINE: &str = r#"
fn pipeline_of(images, function, target, workers) {
    dataset(images.shape[0], #{ preloaded: #{ images: images }, batch: "batches" }).pipeline()
        .apply(function, #{
            src: "images", target: target, workers: workers,
            args: [P(R("integers", -2, 3)), P(R("integers", -2, 3))],
        })
}
"#;

fn main() -> Outcome<()> {
    let arguments: Vec<String> = std::env::args().skip(1).filter(|argument| !argument.starts_with("--")).collect();
    let arguments: Vec<&str> = arguments.iter().map(String::as_str).collect();
    match arguments.as_slice() {
        // `cargo test` runs benchmarks too; without a workload there is nothing to measure.
        [] => Ok(()),
        ["W1", target, threads, prefetch @ ..] => {
            w1(target, threads.parse()?, prefetch.first().map_or(Ok(0), |count| count.parse())?)
        }
        ["reads", batch] => reads(batch.parse()?),
        other => Err(format!("unknown workload {other:?}").into()),
    }
}

fn host() -> Result<Host> {
    Host::builder(std::env::temp_dir()).script("batches", MODULE).build()
}

fn images(count: i64) -> Result<Tensor> {
    let bytes = (0..count * 784).map(|at| (at.wrapping_mul(2_654_435_761) >> 7) as u8).collect();
    Ok(Array::from_u8(bytes, &[count as usize, 28, 28])?.into())
}

#[allow(clippy::print_stdout)]
fn w1(target: &str, threads: i64, prefetch: i64) -> Outcome<()> {
    let host = host()?;
    let mut scope = Scope::new();
    scope.push("images", images(RECORDS)?);
    scope.push("workers", threads);
    scope.push("prefetch", prefetch);
    scope.push("target", if target == "closure" { "threads" } else { target }.to_owned());
    let function = match target {
        "closure" => "|image, down, right| (image.to_f32() / 255.0).shift(down, right, 0.0)",
        _ => "\"shift_item\"",
    };
    let _ =
        host.eval_with(&mut scope, &format!("{PIPELINE} let p = pipeline_of(images, {function}, target, workers);"))?;
    let (mut records, mut wall, mut cpu, mut check) = (0, 0.0, 0.0, 0.0);
    for epoch in 0..3i64 {
        scope.push("seed", epoch + 1);
        let (start, used) = (Instant::now(), cpu_seconds()?);
        let text = r#"
            let count = 0;
            let last = ();
            for batch in p.gen_batch(64, #{ shuffle: seed, prefetch: prefetch }) { count += batch.len; last = batch; }
            let check = last.images.mean().item;
        "#;
        let _ = host.eval_with(&mut scope, text)?;
        (wall, cpu) = (start.elapsed().as_secs_f64(), cpu_seconds()? - used);
        records = scope.get_value::<i64>("count").unwrap_or(0);
        check = scope.get_value::<f64>("check").unwrap_or(0.0);
    }
    let line = serde_json::json!({
        "records": records, "wall": wall, "cpu": cpu, "rps": records as f64 / wall, "rpcpu": records as f64 / cpu,
        "check": check,
    });
    println!("{line}");
    Ok(())
}

#[allow(clippy::print_stdout)]
fn reads(batch: i64) -> Outcome<()> {
    let host = host()?;
    let mut scope = Scope::new();
    scope.push("images", images(batch)?);
    scope.push("n", batch);
    let _ = host.eval_with(
        &mut scope,
        "let batch = dataset(n, #{ preloaded: #{ images: images } }).next_batch(n, #{ shuffle: 1 });",
    )?;
    let mut times = Vec::new();
    for _ in 0..20 {
        // A hundred reads at a time: a single one is shorter than the call around it.
        let start = Instant::now();
        let _ = host.eval_with(&mut scope, "for at in 0..100 { let one = batch.images[at % n]; }")?;
        times.push(start.elapsed().as_secs_f64() / 100.0 * 1e6);
    }
    let line = serde_json::json!({
        "batch": batch, "first_microseconds": times[0], "last_microseconds": times[times.len() - 1],
        "least": times.iter().copied().fold(f64::MAX, f64::min), "most": times.iter().copied().fold(0.0, f64::max),
    });
    println!("{line}");
    Ok(())
}

/// The CPU seconds of this process, from the kernel's account of it: those of ended threads are in it.
fn cpu_seconds() -> Outcome<f64> {
    const TICKS_PER_SECOND: f64 = 100.0;
    let stat = std::fs::read_to_string("/proc/self/stat")?;
    let fields: Vec<&str> =
        stat.rsplit_once(')').ok_or("unknown form of /proc/self/stat")?.1.split_whitespace().collect();
    let ticks = |at: usize| -> Outcome<f64> { Ok(fields.get(at).ok_or("a field is missing")?.parse()?) };
    Ok((ticks(11)? + ticks(12)?) / TICKS_PER_SECOND)
}
