//! Training steps per second, next to other programs: `cargo bench --bench training`.
//!
//! Prints `ready`, then answers each line `WORKLOAD SECONDS` on standard input with `WORKLOAD steps_per_second
//! loss=…`, so that one driver can ask several programs in turn. Steps are those of a real `Trainer`: shuffled batches
//! of a dataset in memory, forward, backward, optimizer, logs, a service that looks at every loss.
//!
//! Workloads, all f32: **F** MLP 4-16-16-3, batch 16, Adam; **A32**, **A128** MLP 784-512-512-10, Adam; **B** two
//! convolutions, pooling, dropout, two dense layers on 28×28×1, batch 64, Adam; **C8** ResNet-8 with batch normalisation on
//! 32×32×3, batch 64, SGD with momentum; **D** LSTM 64 over 100 steps of 8, batch 32, Adam; **E** two encoder layers
//! of a transformer over 64 tokens, batch 32, Adam.

use std::collections::HashMap;
use std::io::{BufRead, Write};
use std::path::PathBuf;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use barrage::dataset::{Dataset, Options, Stations};
use barrage::network::{Network, Symbol, layers};
use barrage::random::{Random, Stream};
use barrage::record::{Column, DataColumns, DataRecords, Loader, Mode, Name, Record, Records, Value};
use barrage::tensor::{Array, Dtype, Tensor, device};
use barrage::trainer::{OutputSpec, Parts, Progress, Rate, Step, Trainer};
use barrage::{Error, Result, loss, optimizer, registry, service, transformer};
use serde_json::json;

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
    let mut runs: HashMap<String, Running> = HashMap::new();
    answer("ready");
    for line in std::io::stdin().lock().lines() {
        let line = line?;
        let [workload, seconds] = line.split_whitespace().collect::<Vec<_>>()[..] else { break };
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
        let mut trainer = Trainer::new(parts(workload)?)?;
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

fn parts(workload: &str) -> Result<Parts> {
    let (batch, batches) = match workload {
        "F" => (16, 256),
        "A32" | "D" => (32, 64),
        "A128" => (128, 32),
        "B" | "C8" => (64, 16),
        "E" => (32, 16),
        other => return Err(Error::run(format!("unknown workload `{other}`"))),
    };
    let (x, y) = symbols(workload)?;
    let network = Arc::new(Network::new(&[x.clone()], &[y])?);
    let count = batch * batches;
    let shape: Vec<usize> = [count].into_iter().chain(x.shape().iter().flatten().copied()).collect();
    let mut random = Random::new(1, Stream::Script, &[]);
    let size = shape.iter().product();
    let inputs = match x.dtype() {
        Dtype::I64 => Array::from_i64((0..size).map(|_| random.below(10_000) as i64).collect(), &shape)?,
        _ => Array::from_f32((0..size).map(|_| random.uniform() as f32).collect(), &shape)?,
    };
    let classes = network.outputs()[0].shape[0].unwrap_or(1);
    let (targets, loss) = match classes {
        1 => {
            let values = (0..count).map(|_| random.uniform() as f32).collect();
            (Array::from_f32(values, &[count, 1])?, loss::make("mse", &serde_json::Map::new())?)
        }
        classes => {
            let values = (0..count).map(|_| random.below(classes as u64) as i64).collect();
            let logits = json!({"from_logits": true}).as_object().cloned().unwrap_or_default();
            (Array::from_i64(values, &[count])?, loss::make("sparse_categorical_crossentropy", &logits)?)
        }
    };
    let (rule, rate) = if workload == "C8" { ("SGD", 0.01) } else { ("Adam", 1e-3) };
    let params = if workload == "C8" { json!({"momentum": 0.9}) } else { json!({}) };
    let output = network.outputs()[0].name.clone();
    Ok(Parts {
        weights: network.initialise(1)?,
        outputs: vec![OutputSpec {
            name: output.clone(),
            loss,
            loss_weight: 1.0,
            class_weights: Default::default(),
            metrics: Vec::new(),
        }],
        optimizer: optimizer::make(rule, params.as_object().unwrap_or(&serde_json::Map::new()))?,
        rate: Rate::Constant(rate),
        train: dataset((network.inputs()[0].name.clone(), inputs), (output, targets), batch)?,
        validation: None,
        services: vec![registry::find(service::LIST, "service", "terminate_on_nan")?.make(&serde_json::Map::new())?],
        epochs: usize::MAX,
        seed: 1,
        device: device::cpu(),
        kernels: std::env::var_os("BARRAGE_KERNELS").is_none_or(|value| value != "off"),
        mixed: false,
        checkpoints: Default::default(),
        folder: PathBuf::new(),
        graph: Vec::new(),
        network,
    })
}

/// Gives the rows of two arrays.
struct Tables {
    x: (Name, Array),
    y: (Name, Array),
}

impl Loader for Tables {
    fn load(&self, records: &[Record], _: Mode) -> Result<DataRecords> {
        let rows: Vec<usize> = records.iter().map(Record::index).collect();
        let take = |(name, array): &(Name, Array)| -> Result<Vec<(Name, Column)>> {
            Ok(vec![(name.clone(), Column::Dense(Tensor::Host(array.take_rows(&rows)?)))])
        };
        Ok(DataRecords::Columns(DataColumns { len: rows.len(), x: take(&self.x)?, y: Some(take(&self.y)?), w: None }))
    }
}

fn dataset(x: (Name, Array), y: (Name, Array), batch: usize) -> Result<Dataset> {
    let rows = (0..x.1.len() as i64).map(|row| vec![("row".into(), Value::Int(row))]).collect();
    let records = Records::from_rows(rows, "memory")?;
    let same = registry::find(transformer::LIST, "transformer", "IdentityTransformer")?;
    let transformer = Arc::from(same.make(&serde_json::Map::new())?);
    let stations = Stations { loader: Arc::new(Tables { x, y }), transformer, augmentor: None };
    Dataset::new(records, stations, Mode::Train, batch, 1, Options::default())
}

/// Applies a layer by its Keras name.
fn layer(name: &str, params: serde_json::Value, inputs: &[&Symbol]) -> Result<Symbol> {
    let inputs: Vec<Symbol> = inputs.iter().map(|input| (*input).clone()).collect();
    layers::find(name)?.make(params.as_object().unwrap_or(&serde_json::Map::new()))?.apply(&inputs)
}

fn symbols(workload: &str) -> Result<(Symbol, Symbol)> {
    let input =
        |shape: &[usize], dtype| Symbol::input("x", &shape.iter().copied().map(Some).collect::<Vec<_>>(), dtype);
    let dense = |units: usize, activation: &str, from: &Symbol| {
        layer("Dense", json!({"units": units, "activation": activation}), &[from])
    };
    match workload {
        "F" | "A32" | "A128" => {
            let (length, units, classes) = if workload == "F" { (4, 16, 3) } else { (784, 512, 10) };
            let x = input(&[length], Dtype::F32)?;
            let hidden = dense(units, "relu", &dense(units, "relu", &x)?)?;
            let y = dense(classes, "linear", &hidden)?;
            Ok((x, y))
        }
        "B" => {
            let x = input(&[28, 28, 1], Dtype::F32)?;
            let conv = |filters: usize, from: &Symbol| {
                layer("Conv2D", json!({"filters": filters, "kernel_size": 3, "activation": "relu"}), &[from])
            };
            let pooled = layer("MaxPooling2D", json!({"pool_size": 2}), &[&conv(64, &conv(32, &x)?)?])?;
            let dropped = layer("Dropout", json!({"rate": 0.25}), &[&pooled])?;
            let y = dense(10, "linear", &dense(128, "relu", &layer("Flatten", json!({}), &[&dropped])?)?)?;
            Ok((x, y))
        }
        "C8" => {
            let x = input(&[32, 32, 3], Dtype::F32)?;
            let mut value = normed(16, 3, 1, true, &x)?;
            for (at, filters) in [16, 32, 64].into_iter().enumerate() {
                let stride = if at == 0 { 1 } else { 2 };
                let inner = normed(filters, 3, 1, false, &normed(filters, 3, stride, true, &value)?)?;
                let skip = if at == 0 { value } else { normed(filters, 1, stride, false, &value)? };
                let sum = layer("Add", json!({}), &[&inner, &skip])?;
                value = layer("Activation", json!({"activation": "relu"}), &[&sum])?;
            }
            let y = dense(10, "linear", &layer("GlobalAveragePooling2D", json!({}), &[&value])?)?;
            Ok((x, y))
        }
        "D" => {
            let x = input(&[100, 8], Dtype::F32)?;
            let y = dense(1, "linear", &layer("LSTM", json!({"units": 64}), &[&x])?)?;
            Ok((x, y))
        }
        _ => {
            let x = input(&[64], Dtype::I64)?;
            let mut value = layer("Embedding", json!({"input_dim": 10_000, "output_dim": 128}), &[&x])?;
            let places = layer("PositionEmbedding", json!({"sequence_length": 64}), &[&value])?;
            value = layer("Add", json!({}), &[&value, &places])?;
            for _ in 0..2 {
                let attention = json!({"num_heads": 4, "key_dim": 32});
                let seen = layer("MultiHeadAttention", attention, &[&value, &value])?;
                let sum = layer("Add", json!({}), &[&value, &seen])?;
                let first = layer("LayerNormalization", json!({}), &[&sum])?;
                let wide = dense(128, "linear", &dense(512, "gelu", &first)?)?;
                let sum = layer("Add", json!({}), &[&first, &wide])?;
                value = layer("LayerNormalization", json!({}), &[&sum])?;
            }
            let y = dense(4, "linear", &layer("GlobalAveragePooling1D", json!({}), &[&value])?)?;
            Ok((x, y))
        }
    }
}

/// A convolution without bias, normalised.
fn normed(filters: usize, size: usize, stride: usize, relu: bool, from: &Symbol) -> Result<Symbol> {
    let params =
        json!({"filters": filters, "kernel_size": size, "strides": stride, "padding": "same", "use_bias": false});
    let normal = layer("BatchNormalization", json!({}), &[&layer("Conv2D", params, &[from])?])?;
    match relu {
        true => layer("Activation", json!({"activation": "relu"}), &[&normal]),
        false => Ok(normal),
    }
}
