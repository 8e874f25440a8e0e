//! Fuzzing on the stable compiler: see `README.md` beside this file.

// Clippy knows functions with `#[test]` as tests, and not what they call.
#![allow(clippy::unwrap_used, clippy::panic)]

mod checkpoint;
mod config;
mod mutate;
mod recipe;
mod records;

use std::collections::BTreeSet;
use std::fs;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant};

use barrage::Error;
use barrage::error::draw;

use mutate::Mutator;

/// Inputs of the short run among the ordinary tests.
const SHORT: u64 = 400;

/// An input that takes longer is a hang.
const HANG: Duration = Duration::from_secs(60);

/// What is fuzzed.
trait Target {
    /// The name of the target and of the folder of its corpus.
    const NAME: &'static str;
    /// Words that random bytes would hardly make.
    const WORDS: &'static [&'static str];

    /// Inputs to start from, besides the corpus.
    fn seeds(&self) -> Vec<Vec<u8>>;

    /// Takes an input, and returns what became of it.
    fn run(&mut self, input: &[u8]) -> String;
}

/// Replays the corpus, then mutates: a fixed number of inputs, or as long as `FUZZ_MINUTES` says.
fn fuzz<T: Target>(mut target: T) {
    let corpus = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/fuzz/corpus").join(T::NAME);
    let minutes: Option<f64> = std::env::var("FUZZ_MINUTES").ok().map(|text| text.parse().unwrap());
    let seed = std::env::var("FUZZ_SEED").ok().map_or(1, |text| text.parse().unwrap());
    let mut seeds = target.seeds();
    seeds.extend(files(&corpus).iter().map(|file| fs::read(file).unwrap()));
    assert!(!seeds.is_empty(), "{}: nothing to start from", T::NAME);

    let watch = minutes.map(|_| Watch::start(T::NAME));
    let (mut seen, mut pool, mut found) = (BTreeSet::new(), Vec::new(), Vec::new());
    let (mut count, mut slowest) = (0u64, Duration::ZERO);
    let mut mutator = Mutator::new(seed, T::WORDS);
    let started = Instant::now();
    loop {
        let input = match seeds.pop() {
            Some(seed) => seed,
            None => mutator.next(&pool),
        };
        if let Some(watch) = &watch {
            watch.begin(&input);
        }
        let begun = Instant::now();
        match catch_unwind(AssertUnwindSafe(|| target.run(&input))) {
            Ok(outcome) => {
                if seen.insert(outcome) {
                    pool.push(input);
                }
            }
            // One input for each panic is enough: the messages tell them apart.
            Err(panic) => {
                if seen.insert(format!("panic: {}", message(&*panic))) {
                    let file = corpus.join(format!("found-{:016x}", hash(&input)));
                    fs::create_dir_all(&corpus).unwrap();
                    fs::write(&file, &input).unwrap();
                    found.push(format!("{}: {}", file.display(), message(&*panic)));
                }
            }
        }
        slowest = slowest.max(begun.elapsed());
        count += 1;
        let enough = match minutes {
            Some(minutes) => started.elapsed().as_secs_f64() > minutes * 60.0,
            None => count >= SHORT,
        };
        if enough && seeds.is_empty() {
            break;
        }
    }
    println!(
        "fuzz {}: {count} inputs, {} outcomes, slowest {:.0} ms, seed {seed}",
        T::NAME,
        seen.len(),
        slowest.as_secs_f64() * 1e3
    );
    assert!(found.is_empty(), "{}", found.join("\n"));
}

fn files(folder: &Path) -> Vec<PathBuf> {
    let entries = fs::read_dir(folder).into_iter().flatten();
    let mut files: Vec<PathBuf> = entries.map(|entry| entry.unwrap().path()).collect();
    files.sort();
    files
}

/// What became of a result: an error is drawn, and told apart by its words without names and numbers.
fn outcome<T>(result: Result<T, Error>) -> String {
    match result {
        Ok(_) => "fine".to_owned(),
        Err(error) => {
            assert!(!draw(&error, false).is_empty());
            let plain = error.message().split('`').step_by(2).collect::<String>();
            let plain: String = plain.chars().filter(|c| !c.is_ascii_digit()).take(60).collect();
            format!("{} {plain}", error.code().unwrap_or_default())
        }
    }
}

fn message(panic: &(dyn std::any::Any + Send)) -> String {
    let text = panic.downcast_ref::<String>().cloned();
    text.or_else(|| panic.downcast_ref::<&str>().map(|text| (*text).to_owned())).unwrap_or_default()
}

/// FNV-1a: a name for an input.
fn hash(bytes: &[u8]) -> u64 {
    bytes.iter().fold(0xcbf2_9ce4_8422_2325, |hash, byte| (hash ^ u64::from(*byte)).wrapping_mul(0x0100_0000_01b3))
}

/// Keeps the input under way in a file, and ends the process when one takes too long.
struct Watch {
    file: PathBuf,
    number: std::sync::Arc<AtomicU64>,
}

impl Watch {
    // What hangs cannot report itself otherwise.
    #[allow(clippy::print_stderr)]
    fn start(name: &'static str) -> Self {
        let folder = Path::new(env!("CARGO_TARGET_TMPDIR")).parent().unwrap().join("fuzz");
        fs::create_dir_all(&folder).unwrap();
        let number = std::sync::Arc::new(AtomicU64::new(0));
        let (seen, file) = (number.clone(), folder.join(name));
        let shown = file.clone();
        std::thread::spawn(move || {
            let mut last = 0;
            loop {
                std::thread::sleep(HANG);
                let now = seen.load(Ordering::Relaxed);
                if now == last && now > 0 {
                    eprintln!("fuzz {name}: input {now} hangs, see {}", shown.display());
                    std::process::abort();
                }
                last = now;
            }
        });
        Watch { file, number }
    }

    fn begin(&self, input: &[u8]) {
        self.number.fetch_add(1, Ordering::Relaxed);
        fs::write(&self.file, input).unwrap();
    }
}
