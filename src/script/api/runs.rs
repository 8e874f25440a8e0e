//! A run in a person's hands: batches, a forward pass, gradients, training steps one by one.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use rhai::plugin::*;
use rhai::{Array as List, Dynamic, Engine, Map};

use crate::assemble::{self, Live};
use crate::dataset::{Arrays, Batch, Dataset};
use crate::error::{Error, Result};
use crate::record::{DataColumns, Field, Name, Records};
use crate::script::api::Page;
use crate::script::api::arguments::Answer;
use crate::script::api::loader::columns;
use crate::script::host::Host;
use crate::script::traceback::raise;
use crate::script::{cast, literal};
use crate::tensor::{Array, Tensor};

/// The page of the manual.
pub const PAGE: Page = Page {
    name: "runs",
    title: "A run by hand",
    intro: "`prepare` makes everything that training would (loader, fitted transformer, augmentors, network, losses, \
            optimizer), checks it on a first batch, and hands it over instead of training: for the prompt, for tests, and for \
            training loops of one's own. Nothing is written. A batch is a map of `x`, `y`, `w` (maps from name to tensor), \
            `rows` (where its records stand in the table) and `records` (the records themselves).\n\n\
            ```rhai\n\
            let parts = read_records(\"flowers.csv\").split(0.5, #{ seed: 1, stratify: \"species\" });\n\
            let run = prepare(read_json(\"flowers.json\"), parts[0], parts[1]);\n\
            run // => Run(step 0, epoch 0 of 2, 1 batch an epoch, 51 weights)\n\
            let batch = run.batch(0);\n\
            batch.x.flower.shape // => [3, 2]\n\
            run.stages(0).keys() // => [\"batch\", \"loaded\", \"records\", \"transformed\"]\n\
            run.forward(batch).species.shape // => [3, 3]\n\
            let before = run.loss(batch);\n\
            run.gradients(batch).keys() // => [\"dense/bias\", \"dense/kernel\", \"species/bias\", \"species/kernel\"]\n\
            let done = run.steps(3);\n\
            done.len // => 3\n\
            run.loss(batch) < before // => true\n\
            run.evaluate().keys() // => [\"accuracy\", \"loss\"]\n\
            run.weights().len() // => 4\n\
            run.step().step // => 4\n\
            run.reload();\n\
            print(run.summary());\n\
            ```",
    register,
};

/// A run; copies share it.
#[derive(Clone)]
pub struct RunHandle(Arc<Mutex<Live>>);

impl RunHandle {
    /// Wraps a run.
    pub fn new(live: Live) -> Self {
        RunHandle(Arc::new(Mutex::new(live)))
    }

    fn lock(&self) -> MutexGuard<'_, Live> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Returns a batch of an epoch before and after each station.
    ///
    /// # Errors
    /// Whatever a station raises.
    pub fn stages(&self, epoch: u64, number: usize) -> Result<Map> {
        stages(self.lock().trainer().train_data(), epoch, number)
    }

    /// Takes over scripts that were edited.
    ///
    /// # Errors
    /// Whatever is wrong with them; the run stays as it was.
    pub fn reload(&self) -> Result<()> {
        self.lock().reload()
    }
}

fn register(engine: &mut Engine) {
    engine.register_type_with_name::<RunHandle>("Run");
    engine.register_global_module(exported_module!(functions).into());
}

/// Raises what went wrong in a run, which is no fault of the call.
fn refuse(error: Error) -> Box<EvalAltResult> {
    raise(error.settled())
}

fn arrays(arrays: &Arrays) -> Dynamic {
    let one = |(name, array): &(Name, Array)| ((**name).into(), Dynamic::from(Tensor::Host(array.clone())));
    Dynamic::from(arrays.iter().map(one).collect::<Map>())
}

fn named(arrays: Vec<(String, Array)>) -> Map {
    let one = |(name, array): (String, Array)| (name.into(), Dynamic::from(Tensor::Host(array)));
    arrays.into_iter().map(one).collect()
}

/// Returns a batch as scripts see it.
fn batch(data: &Dataset, batch: &Batch) -> Result<Map> {
    let mut map = Map::from([("x".into(), arrays(&batch.x))]);
    if let Some(y) = &batch.y {
        map.insert("y".into(), arrays(y));
    }
    if let Some(w) = &batch.w {
        map.insert("w".into(), arrays(w));
    }
    let rows: List = batch.rows.iter().map(|row| Dynamic::from(*row as i64)).collect();
    map.insert("rows".into(), Dynamic::from(rows));
    map.insert("records".into(), Dynamic::from(data.records().take(&batch.rows)?));
    Ok(map)
}

fn parts(data: DataColumns) -> Dynamic {
    let mut map = Map::from([("x".into(), columns(data.x))]);
    if let Some(y) = data.y {
        map.insert("y".into(), columns(y));
    }
    if let Some(w) = data.w {
        map.insert("w".into(), columns(w));
    }
    Dynamic::from(map)
}

/// Returns a batch by epoch and number with what each station made of its records.
fn stages(data: &Dataset, epoch: u64, number: usize) -> Result<Map> {
    let stages = data.stages(epoch, number)?;
    let mut map = batch(data, &stages.batch)?;
    let records = map.get("records").cloned().unwrap_or_default();
    map.remove("records");
    let mut all = Map::from([
        ("records".into(), records),
        ("loaded".into(), parts(stages.loaded)),
        ("transformed".into(), parts(stages.transformed)),
    ]);
    if let Some(augmented) = stages.augmented {
        all.insert("augmented".into(), parts(augmented));
    }
    all.insert("batch".into(), Dynamic::from(map));
    Ok(all)
}

/// Reads a batch that a script made or changed.
fn given(map: &Map) -> Result<Batch> {
    let arrays = |part: &str| -> Result<Option<Arrays>> {
        let Some(value) = map.get(part).filter(|value| !value.is_unit()) else { return Ok(None) };
        let fields = cast::to_fields(value.clone(), &format!("`{part}` of a batch"))?;
        let array = |(name, field): (Name, Field)| match field {
            Field::Tensor(tensor) => Ok((name, tensor.to_host()?)),
            _ => Err(Error::data(format!("`{part}` of a batch: `{name}` is text"))
                .hint("the network takes numbers: turn texts into them in the transformer")),
        };
        fields.into_iter().map(array).collect::<Result<Arrays>>().map(Some)
    };
    let x = arrays("x")?.ok_or_else(|| {
        Error::data("the batch has no inputs `x`")
            .hint("take one from `run.batch(0)`, or write `#{ x: #{ name: tensor } }`")
    })?;
    let length = |array: &Array| array.shape().first().copied().unwrap_or(0);
    let len = x.first().map_or(0, |(_, array)| length(array));
    let (y, w) = (arrays("y")?, arrays("w")?);
    let all = x.iter().chain(y.iter().flatten()).chain(w.iter().flatten());
    if let Some((name, array)) = all.into_iter().find(|(_, array)| length(array) != len) {
        return Err(Error::data(format!(
            "`{name}` of the batch has shape {:?}: expected {len} records on its first axis",
            array.shape()
        )));
    }
    Ok(Batch { len, x, y, w, rows: Vec::new(), replaced: Vec::new() })
}

fn number(value: i64, what: &str) -> Answer<usize> {
    usize::try_from(value)
        .map_err(|_| raise(Error::script(format!("{what}: expected a whole number of at least 0, found {value}"))))
}

/// Returns a place that a dataset has.
fn place(data: &Dataset, epoch: i64, batch: i64) -> Answer<(u64, usize)> {
    let (epoch, batch) = (number(epoch, "`epoch`")?, number(batch, "`number`")?);
    match batch < data.batches() {
        true => Ok((epoch as u64, batch)),
        false => Err(raise(Error::script(format!("there is no batch {batch}: an epoch has {}", data.batches())))),
    }
}

/// Resolves the config of a run as `train` does; `None` when it was shown instead.
pub(super) fn recipe(
    host: &Host,
    context: &NativeCallContext,
    config: Map,
) -> Answer<Option<(crate::recipe::Recipe, Vec<String>)>> {
    let json = cast::to_json(&Dynamic::from(config)).map_err(|error| refuse(error.within("the config")))?;
    host.recipe(literal::written(host, context, &json)).map_err(refuse)
}

#[export_module]
mod functions {
    /// Returns the run of a config (a map of the four sections) on two tables of records, made and checked as training would,
    /// and not started. Without a seed it has the seed 0.
    ///
    /// # Errors
    /// Everything that is wrong with the config, the scripts and the records.
    #[rhai_fn(name = "prepare", return_raw)]
    pub fn prepare(context: NativeCallContext, config: Map, train: Records, validation: Records) -> Answer<RunHandle> {
        let host = Host::of(&context)?;
        let Some((recipe, _)) = super::recipe(&host, &context, config)? else {
            return Err(Box::new(EvalAltResult::Exit(Dynamic::UNIT, Position::NONE)));
        };
        assemble::prepare(&host, &recipe, &train, &validation).map(RunHandle::new).map_err(refuse)
    }

    /// Returns a batch of training by its number, from 0, in the first epoch or in the one that is given: with the records,
    /// the order and the random numbers that training has there.
    ///
    /// # Errors
    /// A number that no batch has; whatever a station raises.
    #[rhai_fn(name = "batch", return_raw)]
    pub fn batch(run: RunHandle, number: i64) -> Answer<Map> {
        batch_of_epoch(run, 0, number)
    }

    #[rhai_fn(name = "batch", return_raw)]
    pub fn batch_of_epoch(run: RunHandle, epoch: i64, number: i64) -> Answer<Map> {
        let live = run.lock();
        let data = live.trainer().train_data();
        let (epoch, number) = super::place(data, epoch, number)?;
        let found = data.epoch(epoch).batch(number).map_err(refuse)?;
        super::batch(data, &found).map_err(refuse)
    }

    /// Returns a batch before and after each station: a map of `records`, `loaded`, `transformed`, `augmented` (when there
    /// are augmentors) and `batch`.
    ///
    /// # Errors
    /// A number that no batch has; whatever a station raises.
    #[rhai_fn(name = "stages", return_raw)]
    pub fn stages(run: RunHandle, number: i64) -> Answer<Map> {
        stages_of_epoch(run, 0, number)
    }

    #[rhai_fn(name = "stages", return_raw)]
    pub fn stages_of_epoch(run: RunHandle, epoch: i64, number: i64) -> Answer<Map> {
        let live = run.lock();
        let data = live.trainer().train_data();
        let (epoch, number) = super::place(data, epoch, number)?;
        super::stages(data, epoch, number).map_err(refuse)
    }

    /// Returns what the network gives for a batch, as a map from output to tensor; dropout and the like are off, as in
    /// validation. The batch needs only `x`.
    ///
    /// # Errors
    /// Inputs that are missing or of a shape that the network does not take.
    #[rhai_fn(name = "forward", return_raw)]
    pub fn forward(run: RunHandle, batch: Map) -> Answer<Map> {
        let batch = super::given(&batch).map_err(raise)?;
        let outputs = run.lock().trainer_mut().forward(&batch).map_err(refuse)?;
        Ok(named(outputs.into_iter().map(|(name, array)| (name.to_string(), array)).collect()))
    }

    /// Returns the total loss of a batch, as in validation.
    ///
    /// # Errors
    /// A batch without `y`; whatever the network or a loss raises.
    #[rhai_fn(name = "loss", return_raw)]
    pub fn loss(run: RunHandle, batch: Map) -> Answer<f64> {
        let batch = super::given(&batch).map_err(raise)?;
        run.lock().trainer_mut().loss(&batch).map_err(refuse)
    }

    /// Returns the gradients that the next training step would follow on a batch, as a map from weight to tensor, before
    /// clipping. Nothing changes.
    ///
    /// # Errors
    /// A batch without `y`; whatever the network or a loss raises.
    #[rhai_fn(name = "gradients", return_raw)]
    pub fn gradients(run: RunHandle, batch: Map) -> Answer<Map> {
        let batch = super::given(&batch).map_err(raise)?;
        run.lock().trainer_mut().gradients(&batch).map(named).map_err(refuse)
    }

    /// Returns the weights as they are now, as a map from name to tensor.
    #[rhai_fn(name = "weights", return_raw)]
    pub fn weights(run: RunHandle) -> Answer<Map> {
        run.lock().trainer().weights().map(named).map_err(refuse)
    }

    /// Returns what the next training step gave, after doing it: `#{ step, loss, learning_rate }`, the loss before the update.
    /// Steps go through the batches of the epochs in order, as training does; services are not told.
    ///
    /// # Errors
    /// Whatever a station, the network, a loss or the optimizer raises.
    #[rhai_fn(name = "step", return_raw)]
    pub fn step(run: RunHandle) -> Answer<Map> {
        let learned = run.lock().trainer_mut().step_by_hand().map_err(refuse)?;
        Ok(Map::from([
            ("step".into(), Dynamic::from(learned.step as i64)),
            ("loss".into(), Dynamic::from(learned.loss)),
            ("learning_rate".into(), Dynamic::from(learned.learning_rate)),
        ]))
    }

    /// Returns what so many training steps gave, after doing them: records of `step`, `loss` and `learning_rate`.
    ///
    /// # Errors
    /// See `step`; a number below 1.
    #[rhai_fn(name = "steps", return_raw)]
    pub fn steps(run: RunHandle, count: i64) -> Answer<Records> {
        let count = super::number(count, "`count`")?;
        let mut rows = Vec::new();
        for _ in 0..count {
            let learned = run.lock().trainer_mut().step_by_hand().map_err(refuse)?;
            rows.push(vec![
                ("step".into(), crate::record::Value::Int(learned.step as i64)),
                ("loss".into(), crate::record::Value::Float(learned.loss)),
                ("learning_rate".into(), crate::record::Value::Float(learned.learning_rate)),
            ]);
        }
        Records::from_rows(rows, "steps").map_err(raise)
    }

    /// Returns losses and metrics over the validation records, with the weights as they are now: a map.
    ///
    /// # Errors
    /// Whatever a station, a loss or a metric raises.
    #[rhai_fn(name = "evaluate", return_raw)]
    pub fn evaluate(run: RunHandle) -> Answer<Map> {
        let logs = run.lock().trainer_mut().validation_logs().map_err(refuse)?;
        Ok(logs.into_iter().map(|(name, value)| (name.into(), Dynamic::from(value))).collect())
    }

    /// Returns the number of batches in an epoch.
    ///
    /// ```rhai
    /// fn last(run) { run.batch(run.batches - 1) }
    /// ```
    #[rhai_fn(get = "batches", name = "batches")]
    pub fn batches(run: RunHandle) -> i64 {
        run.lock().trainer().train_data().batches() as i64
    }

    /// Returns the table of the network's layers.
    #[rhai_fn(name = "summary")]
    pub fn summary(run: RunHandle) -> String {
        run.lock().trainer().network().summary()
    }

    /// Loads scripts that were edited: stations, losses, metrics and schedule are made again and checked on a batch; weights
    /// and position stay. `:reload` at the prompt does this for each run that a variable holds.
    ///
    /// # Errors
    /// Whatever is wrong with the scripts, or another network; the run then stays as it was.
    #[rhai_fn(name = "reload", return_raw)]
    pub fn reload(run: RunHandle) -> Answer<()> {
        run.reload().map_err(refuse)
    }

    /// Returns where the run stands.
    #[rhai_fn(global, name = "to_string", name = "to_debug")]
    pub fn to_string(run: RunHandle) -> String {
        let live = run.lock();
        let trainer = live.trainer();
        let ((epoch, _), data) = (trainer.next_batch(), trainer.train_data());
        let weights: usize = trainer.network().weights().iter().map(|info| info.shape.iter().product::<usize>()).sum();
        let (step, epochs, batches) = (trainer.steps(), trainer.planned_epochs(), data.batches());
        let batches = if batches == 1 { "1 batch".to_owned() } else { format!("{batches} batches") };
        format!("Run(step {step}, epoch {epoch} of {epochs}, {batches} an epoch, {weights} weights)")
    }
}
