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
        }
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
