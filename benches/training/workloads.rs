//! The workloads of the benchmark, as parts of a `Trainer`: records of random numbers in memory, a network, a loss, an
//! optimizer, a service.

use std::path::PathBuf;
use std::sync::Arc;

use barrage::dataset::{Dataset, Options, Stations};
use barrage::network::{Network, Symbol, layers};
use barrage::random::{Random, Stream};
use barrage::record::{Column, DataColumns, DataRecords, Loader, Mode, Name, Record, Records, Value};
use barrage::tensor::{Array, Dtype, Tensor, device};
use barrage::trainer::{OutputSpec, Parts, Rate};
use barrage::{Result, loss, optimizer, registry, service, transformer};
use serde_json::json;

/// Returns a run of steps of `batch` records, `batches` an epoch, that goes on until it is stopped.
pub fn parts(workload: &str, (batch, batches): (usize, usize)) -> Result<Parts> {
    let (x, y) = symbols(workload)?;
    let network = Arc::new(Network::new(std::slice::from_ref(&x), &[y])?);
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
        train: dataset(Tables { x: (network.inputs()[0].name.clone(), inputs), y: (output, targets), w: None }, batch)?,
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

/// Gives the rows of arrays.
pub struct Tables {
    /// The input.
    pub x: (Name, Array),
    /// The labels.
    pub y: (Name, Array),
    /// Sample weights.
    pub w: Option<(Name, Array)>,
}

impl Loader for Tables {
    fn load(&self, records: &[Record], _: Mode) -> Result<DataRecords> {
        let rows: Vec<usize> = records.iter().map(Record::index).collect();
        let take = |(name, array): &(Name, Array)| -> Result<Vec<(Name, Column)>> {
            Ok(vec![(name.clone(), Column::Dense(Tensor::Host(array.take_rows(&rows)?)))])
        };
        let (x, y, w) = (take(&self.x)?, Some(take(&self.y)?), self.w.as_ref().map(take).transpose()?);
        Ok(DataRecords::Columns(DataColumns { len: rows.len(), x, y, w }))
    }
}

/// Returns batches of tables.
pub fn dataset(tables: Tables, batch: usize) -> Result<Dataset> {
    let rows = (0..tables.x.1.len() as i64).map(|row| vec![("row".into(), Value::Int(row))]).collect();
    let records = Records::from_rows(rows, "memory")?;
    let same = registry::find(transformer::LIST, "transformer", "IdentityTransformer")?;
    let transformer = Arc::from(same.make(&serde_json::Map::new())?);
    let stations = Stations { loader: Arc::new(tables), transformer, augmentor: None };
    Dataset::new(records, stations, Mode::Train, batch, 1, Options::default())
}

/// Applies a layer by its Keras name.
pub fn layer(name: &str, params: serde_json::Value, inputs: &[&Symbol]) -> Result<Symbol> {
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
