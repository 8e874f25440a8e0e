//! Training steps per second, next to other programs: `cargo bench --bench training`.
//!
//! Prints `ready`, then answers each line `WORKLOAD SECONDS` on standard input with `WORKLOAD steps_per_second
//! loss=…`, so that one driver can ask several programs in turn. Steps are those of a real `Trainer`: shuffled batches
//! of a dataset in memory, forward, backward, optimizer, logs, a service that looks at every loss. The environment
//! variable `T` says on how many threads (2). `bits WORKLOAD STEPS` is answered with a hash of all weights after so
//! many steps, which is the same for any number of threads. `benches/peers` has other programs that answer alike.
//!
//! Workloads, all f32: **F** MLP 4-16-16-3, batch 16, Adam; **A32**, **A128** MLP 784-512-512-10, Adam; **B** two
//! convolutions, pooling, dropout, two dense layers on 28×28×1, batch 64, Adam; **C8** ResNet-8 with batch normalisation on
//! 32×32×3, batch 64, SGD with momentum; **D** LSTM 64 over 100 steps of 8, batch 32, Adam; **E** two encoder layers
//! of a transformer over 64 tokens, batch 32, Adam.

#[path = "training/workloads.rs"]
mod workloads;

use std::collections::HashMap;
use std::io::{BufRead, Write};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use barrage::trainer::{Progress, Quiet, Step, Trainer};
use barrage::{Error, Result};

/// The allocator of the program itself.
#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

fn main() -> std::result::Result<(), Box<dyn std::error::Error>> {
    // `cargo test` runs benchmarks too; they measure only when asked.
    if std::env::args().any(|argument| argument == "--test") {
        return Ok(());
    }
    if std::env::var_os("RAYON_NUM_THREADS").is_none() {
        let threads = std::env::var("T").unwrap_or_else(|_| "2".to_owned());
        // SAFETY: this is the first thing the program does, so no other thread reads the environment.
        unsafe { std::env::set_var("RAYON_NUM_THREADS", threads) };
    }
    barrage::cli::memory::keep_small();
    let mut runs: HashMap<String, Running> = HashMap::new();
    answer("ready");
    for line in std::io::stdin().lock().lines() {
        let line = line?;
        let (workload, seconds) = match line.split_whitespace().collect::<Vec<_>>()[..] {
            ["bits", workload, steps] => {
                answer(&format!("bits {workload} {:016x}", bits(workload, steps.parse()?)?));
                continue;
            }
            [workload, seconds] => (workload, seconds),
            _ => break,
        };
        let time = Duration::from_secs_f64(seconds.parse()?);
        match measure(&mut runs, workload, time) {
            Ok((steps, loss)) => answer(&format!("{workload} {steps:.3} loss={loss:.4}")),
            Err(error) => answer(&format!("{workload} nan {error}")),
        }
    }
    Ok(())
}

#[allow(clippy::print_stdout)]
fn answer(text: &str) {
    println!("{text}");
    let _ = std::io::stdout().flush();
}

/// A run that goes on from one question to the next.
struct Running {
    trainer: Trainer,
    stop: Arc<AtomicBool>,
}

fn measure(runs: &mut HashMap<String, Running>, workload: &str, time: Duration) -> Result<(f64, f64)> {
    if !runs.contains_key(workload) {
        let mut trainer = Trainer::new(workloads::parts(workload, sizes(workload)?)?)?;
        let stop = Arc::new(AtomicBool::new(false));
        trainer.set_stop_flag(stop.clone());
        let mut running = Running { trainer, stop };
        running.train(Duration::from_millis(300))?;
        runs.insert(workload.to_owned(), running);
    }
    match runs.get_mut(workload) {
        Some(running) => running.train(time),
        None => Err(Error::run("no run")),
    }
}

impl Running {
    /// Trains for a while; returns steps per second and the last loss.
    fn train(&mut self, time: Duration) -> Result<(f64, f64)> {
        self.stop.store(false, Ordering::Relaxed);
        let started = Instant::now();
        let mut clock = Clock { started, time, stop: self.stop.clone(), steps: 0, loss: f64::NAN };
        self.trainer.train(&mut clock)?;
        Ok((clock.steps as f64 / started.elapsed().as_secs_f64(), clock.loss))
    }
}

/// Counts steps and stops when the time is over.
struct Clock {
    started: Instant,
    time: Duration,
    stop: Arc<AtomicBool>,
    steps: u64,
    loss: f64,
}

impl Progress for Clock {
    fn batch(&mut self, step: &Step) {
        self.steps += 1;
        self.loss = step.loss;
        if self.started.elapsed() >= self.time {
            self.stop.store(true, Ordering::Relaxed);
        }
    }
}

/// Returns the records of a step and the steps of an epoch.
fn sizes(workload: &str) -> Result<(usize, usize)> {
    match workload {
        "F" => Ok((16, 256)),
        "A32" | "D" => Ok((32, 64)),
        "A128" => Ok((128, 32)),
        "B" | "C8" => Ok((64, 16)),
        "E" => Ok((32, 16)),
        other => Err(Error::run(format!("unknown workload `{other}`"))),
    }
}

/// Returns a hash of the weights after some steps.
fn bits(workload: &str, steps: usize) -> Result<u64> {
    let (batch, _) = sizes(workload)?;
    let mut parts = workloads::parts(workload, (batch, steps))?;
    parts.epochs = 1;
    let mut trainer = Trainer::new(parts)?;
    trainer.train(&mut Quiet)?;
    let weights = trainer.weights()?;
    let values = weights.iter().flat_map(|(_, weight)| weight.as_f32().into_owned());
    // FNV-1a, a number at a time.
    Ok(values.fold(0xcbf2_9ce4_8422_2325, |hash, value| {
        (hash ^ u64::from(value.to_bits())).wrapping_mul(0x0000_0100_0000_01b3)
    }))
}
