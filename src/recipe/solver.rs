//! The section `solver`, resolved.

use std::fmt;

use serde_json::{Map, Value, json};

use super::check::Report;
use super::fault;
use super::fields::Fields;
use super::imports::Import;
use super::monitor::Better;

/// How the weights are found.
#[derive(Clone, Debug, PartialEq)]
pub struct Solver {
    /// How the weights follow the gradient.
    pub optimizer: Optimizer,
    /// Records in a batch; at least 1.
    pub batch_size: usize,
    /// Passes over the training records; 1 to 9999.
    pub epochs: usize,
    /// Batches in an epoch, when it is not one pass; at least 1.
    pub steps: Option<usize>,
    /// Batches of validation, when they are not all; at least 1.
    pub validation_steps: Option<usize>,
    /// Lowers a constant learning rate when a log stops getting better.
    pub learning_rate_reducer: Option<Reducer>,
    /// Where the network runs.
    pub device: Device,
    /// What layers compute in.
    pub precision: Precision,
    /// A limit for the gradient.
    pub gradient_clip: Option<Clip>,
    /// Batches whose gradients are averaged for one update, when there are several; at least 1.
    pub accumulate: Option<usize>,
    /// Moving averages of the weights.
    pub ema: Option<Ema>,
    /// Checkpoints within an epoch.
    pub checkpoint_every: Option<CheckpointEvery>,
}

/// What layers compute in.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Precision {
    /// Numbers of 32 bits.
    #[default]
    Float32,
    /// Products of bfloat16 values; weights, losses and updates are numbers of 32 bits.
    Bfloat16,
}

/// A limit for the gradient, above 0.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Clip {
    /// Of the norm of each weight's gradient.
    Norm(f64),
    /// Of the size of each number.
    Value(f64),
    /// Of the norm of all gradients together.
    GlobalNorm(f64),
}

/// Moving averages of the weights.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Ema {
    /// The share of the old average that is kept; above 0 and below 1.
    pub momentum: f64,
    /// Updates after which the averages replace the weights, when that is not only at the end; at least 1.
    pub overwrite_every: Option<usize>,
}

/// When checkpoints within an epoch are written.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct CheckpointEvery {
    /// Steps of the run between two; at least 1.
    pub steps: Option<usize>,
    /// Minutes between two; above 0.
    pub minutes: Option<f64>,
}

/// An optimizer and its learning rate.
#[derive(Clone, Debug, PartialEq)]
pub struct Optimizer {
    /// The optimizer, with its parameters without the learning rate.
    pub import: Import,
    /// The step size.
    pub learning_rate: Rate,
}

/// A learning rate.
#[derive(Clone, Debug, PartialEq)]
#[allow(clippy::large_enum_variant, reason = "one of them in a recipe")]
pub enum Rate {
    /// The same at each step, until a reducer lowers it; above 0.
    Constant(f64),
    /// A function of the step.
    Schedule(Import),
}

/// Lowers the learning rate when a log stops getting better, as Keras' ReduceLROnPlateau.
#[derive(Clone, Debug, PartialEq)]
pub struct Reducer {
    /// The log to watch, as written: it may be of either split.
    pub monitor: String,
    /// Which direction is better.
    pub mode: Better,
    /// Epochs without getting better after which the rate is lowered; at least 1.
    pub patience: usize,
    /// What the rate is multiplied by; above 0 and below 1.
    pub factor: f64,
    /// The smallest change that counts as better; at least 0.
    pub min_delta: f64,
    /// Epochs to wait after the rate was lowered.
    pub cooldown: usize,
    /// The rate is not lowered below this; at least 0.
    pub min_lr: f64,
    /// Whether it tells what it does.
    pub verbose: bool,
}

/// Where the network runs.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Device {
    /// The first GPU when there is one, else the CPU.
    Auto,
    /// The CPU.
    Cpu,
    /// The CUDA device of this number.
    Cuda(usize),
}

impl Solver {
    pub(super) fn resolve(fields: &Fields, report: &mut Report) -> Self {
        let optimizer = Optimizer::resolve(&fields.map("optimizer"));
        match (&optimizer.learning_rate, fields.node().entry("learning_rate_reducer")) {
            (Rate::Schedule(schedule), Some(reducer)) if !schedule.path.is_empty() => {
                report.faults.push(fault::reducer_with_schedule(reducer, &schedule.path));
            }
            _ => {}
        }
        Solver {
            optimizer,
            batch_size: fields.whole("batch_size"),
            epochs: fields.whole("epochs"),
            steps: fields.whole_if_any("steps"),
            validation_steps: fields.whole_if_any("validation_steps"),
            learning_rate_reducer: fields.map_if_any("learning_rate_reducer").map(|fields| Reducer::resolve(&fields)),
            device: fields.text_if_any("device").and_then(|name| Device::parse(&name)).unwrap_or(Device::Auto),
            precision: match fields.text("precision").as_str() {
                "bf16" => Precision::Bfloat16,
                _ => Precision::Float32,
            },
            gradient_clip: Clip::resolve(fields, report),
            accumulate: fields.whole_if_any("accumulate"),
            ema: Ema::resolve(fields),
            checkpoint_every: CheckpointEvery::resolve(fields, report),
        }
        .once(fields, report)
    }

    /// Refuses what both the solver and the optimizer's parameters set.
    fn once(self, fields: &Fields, report: &mut Report) -> Self {
        const SAME: [(&str, &[&str]); 3] = [
            ("gradient_clip", &["clipnorm", "clipvalue", "global_clipnorm"]),
            ("accumulate", &["gradient_accumulation_steps"]),
            ("ema", &["use_ema"]),
        ];
        for (key, parameters) in SAME {
            let given = parameters.iter().find(|name| self.optimizer.import.params.contains_key(**name));
            if let (Some(entry), Some(parameter)) = (fields.node().entry(key), given) {
                report.faults.push(fault::set_twice(entry, &fields.path().to(entry), parameter));
            }
        }
        self
    }

    pub(super) fn to_json(&self) -> Value {
        let mut map = Map::new();
        map.insert("optimizer".to_owned(), self.optimizer.to_json());
        map.insert("batch_size".to_owned(), json!(self.batch_size));
        map.insert("epochs".to_owned(), json!(self.epochs));
        map.extend(self.steps.map(|steps| ("steps".to_owned(), json!(steps))));
        map.extend(self.validation_steps.map(|steps| ("validation_steps".to_owned(), json!(steps))));
        let reducer = self.learning_rate_reducer.as_ref();
        map.extend(reducer.map(|reducer| ("learning_rate_reducer".to_owned(), reducer.to_json())));
        map.insert("device".to_owned(), json!(self.device.to_string()));
        let precision = match self.precision {
            Precision::Float32 => "float32",
            Precision::Bfloat16 => "bf16",
        };
        map.insert("precision".to_owned(), json!(precision));
        map.extend(self.gradient_clip.map(|clip| ("gradient_clip".to_owned(), clip.to_json())));
        map.extend(self.accumulate.map(|batches| ("accumulate".to_owned(), json!(batches))));
        map.extend(self.ema.map(|ema| ("ema".to_owned(), ema.to_json())));
        map.extend(self.checkpoint_every.map(|every| ("checkpoint_every".to_owned(), every.to_json())));
        Value::Object(map)
    }
}

impl Clip {
    fn resolve(fields: &Fields, report: &mut Report) -> Option<Self> {
        let (node, path) = fields.get("gradient_clip");
        if let Some(norm) = node.number() {
            return Some(Clip::GlobalNorm(norm));
        }
        let own = fields.map_if_any("gradient_clip")?;
        let ways = [("norm", Clip::Norm as fn(f64) -> Clip), ("value", Clip::Value), ("global_norm", Clip::GlobalNorm)];
        let given: Vec<_> = ways.iter().filter(|(key, _)| own.is_given(key)).collect();
        match (given.as_slice(), own.node().entries()) {
            ([(key, way)], _) => Some(way(own.number(key))),
            // A misspelt key was refused already.
            ([], [_, ..]) => None,
            (given, _) => {
                report.faults.push(fault::one_of(&node, &path, &["norm", "value", "global_norm"], given.len()));
                None
            }
        }
    }

    fn to_json(self) -> Value {
        match self {
            Clip::Norm(limit) => json!({"norm": limit}),
            Clip::Value(limit) => json!({"value": limit}),
            Clip::GlobalNorm(limit) => json!({"global_norm": limit}),
        }
    }
}

impl Ema {
    fn resolve(fields: &Fields) -> Option<Self> {
        let (node, _) = fields.get("ema");
        match (node.flag(), fields.map_if_any("ema")) {
            (Some(true), _) => Some(Ema { momentum: 0.99, overwrite_every: None }),
            (_, Some(own)) => {
                Some(Ema { momentum: own.number("momentum"), overwrite_every: own.whole_if_any("overwrite_every") })
            }
            _ => None,
        }
    }

    fn to_json(self) -> Value {
        let mut map = Map::new();
        map.insert("momentum".to_owned(), json!(self.momentum));
        map.extend(self.overwrite_every.map(|updates| ("overwrite_every".to_owned(), json!(updates))));
        Value::Object(map)
    }
}

impl CheckpointEvery {
    fn resolve(fields: &Fields, report: &mut Report) -> Option<Self> {
        let (node, path) = fields.get("checkpoint_every");
        if let Some(steps) = fields.whole_if_any("checkpoint_every") {
            return Some(CheckpointEvery { steps: Some(steps), minutes: None });
        }
        let own = fields.map_if_any("checkpoint_every")?;
        if own.node().entries().is_empty() {
            report.faults.push(fault::one_of(&node, &path, &["steps", "minutes"], 0));
        }
        Some(CheckpointEvery { steps: own.whole_if_any("steps"), minutes: own.get("minutes").0.number() })
    }

    fn to_json(self) -> Value {
        let mut map = Map::new();
        map.extend(self.steps.map(|steps| ("steps".to_owned(), json!(steps))));
        map.extend(self.minutes.map(|minutes| ("minutes".to_owned(), json!(minutes))));
        Value::Object(map)
    }
}

impl Optimizer {
    fn resolve(fields: &Fields) -> Self {
        let (rate, path) = fields.get("learning_rate");
        Optimizer {
            import: Import::take(fields.node(), fields.path()),
            learning_rate: match rate.number() {
                Some(rate) => Rate::Constant(rate),
                None => Rate::Schedule(Import::take(&rate, &path)),
            },
        }
    }

    fn to_json(&self) -> Value {
        let rate = match &self.learning_rate {
            Rate::Constant(rate) => json!(rate),
            Rate::Schedule(schedule) => schedule.to_json(),
        };
        json!({"import": self.import.path, "learning_rate": rate, "params": self.import.params})
    }
}

impl Reducer {
    fn resolve(fields: &Fields) -> Self {
        Reducer {
            monitor: fields.text("monitor"),
            mode: Better::of(fields),
            patience: fields.whole("patience"),
            factor: fields.number("factor"),
            min_delta: fields.number("min_delta"),
            cooldown: fields.whole("cooldown"),
            min_lr: fields.number("min_lr"),
            verbose: fields.flag("verbose"),
        }
    }

    fn to_json(&self) -> Value {
        json!({
            "monitor": self.monitor,
            "mode": self.mode.name(),
            "patience": self.patience,
            "factor": self.factor,
            "min_delta": self.min_delta,
            "cooldown": self.cooldown,
            "min_lr": self.min_lr,
            "verbose": u8::from(self.verbose),
        })
    }
}

impl Device {
    /// Returns the device of a name, or `None` when there is no such device.
    pub fn parse(name: &str) -> Option<Self> {
        match name {
            "auto" => Some(Device::Auto),
            "cpu" => Some(Device::Cpu),
            _ => {
                let number = name.strip_prefix("cuda:")?;
                // `parse` alone would take a sign.
                let digits = (1..=4).contains(&number.len()) && number.bytes().all(|byte| byte.is_ascii_digit());
                number.parse().ok().filter(|_| digits).map(Device::Cuda)
            }
        }
    }
}

impl fmt::Display for Device {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Device::Auto => f.write_str("auto"),
            Device::Cpu => f.write_str("cpu"),
            Device::Cuda(number) => write!(f, "cuda:{number}"),
        }
    }
}
