//! Whole training runs: losses of every step, reports of every epoch, final weights, predictions.

use std::path::PathBuf;
use std::sync::Arc;

use serde_json::{Map, Value};

use barrage::dataset::{Dataset, Options, Stations};
use barrage::network::{Network, Symbol, layers};
use barrage::predictor::Predictor;
use barrage::record::{Column, DataColumns, DataRecords, Field, Loader, Mode, Name, Record, Records};
use barrage::tensor::{Array, Dtype, Tensor, device};
use barrage::trainer::{ClassWeights, MetricSpec, OutputSpec, Parts, Progress, Rate, Step, Trainer};
use barrage::{Error, Result, loss, metric, optimizer, record, registry, schedule, transformer};

use super::{Case, default_rate, layers as tables, numbers};

pub fn check(case: &Case) -> Result<(), String> {
    let run = |kernels| fit(case, kernels).map_err(|error| shown(&error)).and_then(|found| compare(case, &found));
    run(true).map_err(|error| format!("by kernels: {error}"))?;
    run(false).map_err(|error| format!("composed: {error}"))
}

/// What a run gave.
struct Found {
    step_losses: Vec<f64>,
    history: barrage::trainer::History,
    weights: Vec<(String, Array)>,
    predictions: Vec<Vec<(Name, Field)>>,
}

fn fit(case: &Case, kernels: bool) -> Result<Found> {
    let params = case.params();
    let network = Arc::new(network(&params)?);
    let weights = network.weights().iter().map(|info| {
        let (layer, name) = info.name.split_once('/').expect("layer/weight");
        array(&case.input("weights")[layer][name])
    });
    let weights = weights.collect::<Result<Vec<_>>>()?;
    let batch_size = params["batch_size"].as_u64().expect("a batch size") as usize;
    let data = |x: &str, y: &str, w: &str, mode: Mode| -> Result<(Records, Stations, Dataset)> {
        let (loader, records) = Tables::new(case.input(x), case.input(y), case.input(w))?;
        let transformer = registry::find(transformer::LIST, "transformer", "IdentityTransformer")?.make(&Map::new())?;
        let stations = Stations { loader: Arc::new(loader), transformer: Arc::from(transformer), augmentor: None };
        let options = Options { shuffle: false, ..Options::default() };
        let dataset = Dataset::new(records.clone(), stations.clone(), mode, batch_size, 1, options)?;
        Ok((records, stations, dataset))
    };
    let (records, stations, train) = data("x", "y", "sample_weight", Mode::Train)?;
    let validation = match case.input("val_x").is_null() {
        true => None,
        false => Some(data("val_x", "val_y", "val_sample_weight", Mode::Validation)?.2),
    };
    let (optimizer, rate) = optimizer(&params["optimizer"])?;
    let mut trainer = Trainer::new(Parts {
        network: network.clone(),
        weights,
        outputs: outputs(&params)?,
        optimizer,
        rate,
        train,
        validation,
        services: Vec::new(),
        epochs: params["epochs"].as_u64().expect("epochs") as usize,
        seed: 1,
        device: device::cpu(),
        kernels,
        mixed: false,
        checkpoints: Default::default(),
        folder: PathBuf::new(),
        graph: Vec::new(),
    })?;
    let mut losses = StepLosses(Vec::new());
    let history = trainer.train(&mut losses)?;
    let weights = trainer.weights()?;
    let predictor =
        Predictor::new(stations.loader, stations.transformer, network, &weights, batch_size, device::cpu(), kernels)?;
    Ok(Found { step_losses: losses.0, history, predictions: predictor.predict(&records)?, weights })
}

fn compare(case: &Case, found: &Found) -> Result<(), String> {
    case.compare("step_loss", &found.step_losses, case.expected("step_loss"))?;
    let history = case.expected("history").as_object().expect("a history");
    let reported = found.history.epochs[0].logs.len();
    if reported != history.len() {
        return Err(format!("expected {} reported values, found {reported}", history.len()));
    }
    for (name, expected) in history {
        case.compare(name, &found.history.values(name), expected)?;
    }
    for (name, weight) in &found.weights {
        let (layer, own) = name.split_once('/').expect("layer/weight");
        case.compare(name, &weight.to_f64_vec(), &case.expected("final_weights")[layer][own])?;
    }
    for (name, expected) in case.expected("predictions").as_object().expect("predictions") {
        let field = |score: &Vec<(Name, Field)>| match score.iter().find(|(own, _)| **own == **name) {
            Some((_, Field::Tensor(tensor))) => tensor.to_host().map(|array| array.to_f64_vec()).unwrap_or_default(),
            _ => Vec::new(),
        };
        let values: Vec<f64> = found.predictions.iter().flat_map(field).collect();
        case.compare(name, &values, expected)?;
    }
    Ok(())
}

fn network(params: &Map<String, Value>) -> Result<Network> {
    let mut symbols: Vec<(String, Symbol)> = Vec::new();
    for (name, input) in params["inputs"].as_object().expect("inputs") {
        let mut own = input.as_object().expect("an input").clone();
        own.insert("name".to_owned(), Value::from(name.as_str()));
        if own.get("dtype").is_some_and(|dtype| dtype == "int32") {
            own.insert("dtype".to_owned(), Value::from("int64"));
        }
        symbols.push((name.clone(), Symbol::input_from_params(&own)?));
    }
    let inputs: Vec<Symbol> = symbols.iter().map(|(_, symbol)| symbol.clone()).collect();
    let named = |symbols: &[(String, Symbol)], name: &Value| {
        symbols.iter().find(|(own, _)| own == name.as_str().expect("a name")).expect("a layer of that name").1.clone()
    };
    for layer in params["layers"].as_array().expect("layers") {
        let mut own = tables::params(&layer["params"]);
        own.insert("name".to_owned(), layer["name"].clone());
        let from: Vec<Symbol> =
            layer["from"].as_array().expect("from").iter().map(|name| named(&symbols, name)).collect();
        let made = layers::find(layer["component"].as_str().expect("a component"))?.make(&own)?.apply(&from)?;
        symbols.push((layer["name"].as_str().expect("a name").to_owned(), made));
    }
    let outputs: Vec<Symbol> =
        params["outputs"].as_array().expect("outputs").iter().map(|name| named(&symbols, name)).collect();
    Network::new(&inputs, &outputs)
}

fn outputs(params: &Map<String, Value>) -> Result<Vec<OutputSpec>> {
    let names = params["outputs"].as_array().expect("outputs").iter().map(|name| name.as_str().expect("a name"));
    let output = |name: &str| {
        let (component, own) = block(&params["loss"][name]);
        let list = |key: &str| params.get(key).and_then(|all| all.get(name)?.as_array()).into_iter().flatten();
        let spec = |block_: &Value, weighted: bool| {
            let (component, own) = block(block_);
            MetricSpec { make: Box::new(move |target| metric::make(&component, &own, target)), weighted }
        };
        let metrics = list("metrics").map(|block| spec(block, false));
        let weighted = list("weighted_metrics").map(|block| spec(block, true));
        Ok(OutputSpec {
            name: name.into(),
            loss: loss::make(&component, &own)?,
            class_weights: ClassWeights::new(
                params
                    .get("class_weight")
                    .and_then(Value::as_object)
                    .into_iter()
                    .flatten()
                    .map(|(class, weight)| (class.parse().expect("a class"), weight.as_f64().expect("a weight") as f32))
                    .collect(),
            ),
            loss_weight: params.get("loss_weights").and_then(|all| all.get(name)?.as_f64()).unwrap_or(1.0),
            metrics: metrics.chain(weighted).collect(),
        })
    };
    names.map(output).collect()
}

fn optimizer(value: &Value) -> Result<(optimizer::Configured, Rate)> {
    let (component, mut params) = block(value);
    let rate = params.shift_remove("learning_rate").unwrap_or_else(|| default_rate(&component).into());
    let rate = match rate.as_f64() {
        Some(rate) => Rate::Constant(rate),
        None => {
            let (component, params) = block(&rate);
            Rate::Schedule(schedule::make(&component, &params)?)
        }
    };
    Ok((optimizer::make(&component, &params)?, rate))
}

fn block(value: &Value) -> (String, Map<String, Value>) {
    let name = value["component"].as_str().expect("a component").to_owned();
    (name, value["params"].as_object().expect("params").clone())
}

/// Gives the rows of whole arrays, by the record's number.
struct Tables {
    x: Vec<(Name, Array)>,
    y: Vec<(Name, Array)>,
    w: Option<Vec<(Name, Array)>>,
}

impl Tables {
    fn new(x: &Value, y: &Value, w: &Value) -> Result<(Self, Records)> {
        let all = |value: &Value| -> Result<Vec<(Name, Array)>> {
            let values = value.as_object().expect("named tensors").iter();
            values.map(|(name, value)| Ok((Name::from(name.as_str()), array(value)?))).collect()
        };
        let own = Tables { x: all(x)?, y: all(y)?, w: (!w.is_null()).then(|| all(w)).transpose()? };
        let rows = (0..own.x[0].1.shape()[0] as i64).map(|row| vec![("row".into(), record::Value::Int(row))]);
        let records = Records::from_rows(rows.collect(), "table")?;
        Ok((own, records))
    }
}

impl Loader for Tables {
    fn load(&self, records: &[Record], mode: Mode) -> Result<DataRecords> {
        let rows: Vec<usize> = records.iter().map(Record::index).collect();
        let take = |arrays: &Vec<(Name, Array)>| -> Result<Vec<(Name, Column)>> {
            arrays
                .iter()
                .map(|(name, array)| Ok((name.clone(), Column::Dense(Tensor::Host(array.take_rows(&rows)?)))))
                .collect()
        };
        let score = mode == Mode::Score;
        Ok(DataRecords::Columns(DataColumns {
            len: rows.len(),
            x: take(&self.x)?,
            y: if score { None } else { Some(take(&self.y)?) },
            w: self.w.as_ref().filter(|_| !score).map(take).transpose()?,
        }))
    }
}

struct StepLosses(Vec<f64>);

impl Progress for StepLosses {
    fn batch(&mut self, step: &Step) {
        self.0.push(step.loss);
    }
}

fn array(value: &Value) -> Result<Array> {
    let numbers = numbers(value);
    let wide = Array::from_f64(numbers.data, &numbers.shape)?;
    Ok(wide.cast(if numbers.dtype.starts_with("float") { Dtype::F32 } else { Dtype::I64 }))
}

fn shown(error: &Error) -> String {
    format!("{error} {:?} {:?}", error.hints(), error.also())
}
