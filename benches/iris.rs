//! Iris, 50 epochs, as a whole process: `cargo bench --bench iris`.
//!
//! Runs the program on the declarative example eleven times, after one run that does not count, and prints
//! the wall time and the CPU time (user and system) of each process: median, least and most. The report of
//! each run must have 50 rows. Barrage for Python 0.6.0 (TensorFlow 2.4.4) takes 10.4 s of CPU for two such
//! runs.

use std::error::Error;
use std::path::Path;
use std::process::{Command, Stdio};
use std::time::Instant;

const RUNS: usize = 11;

fn main() -> Result<(), Box<dyn Error>> {
    // `cargo test` runs benchmarks too; they measure only when asked.
    if !std::env::args().any(|argument| argument == "--bench") {
        return Ok(());
    }
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let folder = std::env::temp_dir().join(format!("barrage-bench-{}", std::process::id()));
    std::fs::create_dir_all(&folder)?;
    for file in ["recipe.rhai", "config.json", "iris.csv"] {
        std::fs::copy(root.join("examples/iris").join(file), folder.join(file))?;
    }
    let mut rows = Vec::new();
    for _ in 0..=RUNS {
        let _ = std::fs::remove_dir_all(folder.join("artifacts"));
        let before = cpu_of_children()?;
        let started = Instant::now();
        let status = Command::new(env!("CARGO_BIN_EXE_barrage"))
            .arg("run")
            .arg(folder.join("recipe.rhai"))
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .status()?;
        let wall = started.elapsed().as_secs_f64();
        let report = std::fs::read_to_string(folder.join("artifacts/training_report.csv"))?;
        if !status.success() || report.lines().count() != 51 {
            return Err(format!("the run failed, or its report has {} lines", report.lines().count()).into());
        }
        rows.push((wall, cpu_of_children()? - before));
    }
    std::fs::remove_dir_all(&folder)?;
    rows.remove(0);
    show("wall", rows.iter().map(|row| row.0).collect());
    show("cpu", rows.iter().map(|row| row.1).collect());
    Ok(())
}

/// The CPU seconds of all child processes that have ended, from the kernel's account of this process.
fn cpu_of_children() -> Result<f64, Box<dyn Error>> {
    const TICKS_PER_SECOND: f64 = 100.0;
    let stat =
        std::fs::read_to_string("/proc/self/stat").map_err(|_| "this benchmark reads /proc, so it needs Linux")?;
    let after_name = stat.rsplit_once(')').ok_or("unknown form of /proc/self/stat")?.1;
    let fields: Vec<&str> = after_name.split_whitespace().collect();
    let ticks =
        |index: usize| fields.get(index).and_then(|field| field.parse::<f64>().ok()).ok_or("a field is missing");
    Ok((ticks(13)? + ticks(14)?) / TICKS_PER_SECOND)
}

#[allow(clippy::print_stdout)]
fn show(name: &str, mut seconds: Vec<f64>) {
    seconds.sort_by(f64::total_cmp);
    println!(
        "{name:>4}  median {:.3} s  least {:.3} s  most {:.3} s  ({} runs)",
        seconds[seconds.len() / 2],
        seconds[0],
        seconds[seconds.len() - 1],
        seconds.len()
    );
}
