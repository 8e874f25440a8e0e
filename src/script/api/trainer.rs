//! The trainer: an artifact folder and what is done with it.

use std::path::PathBuf;
use std::sync::{Arc, Mutex, PoisonError};

use rhai::plugin::*;
use rhai::{Array as List, Dynamic, Engine, Map};

use crate::artifact::{Folder, layout};
use crate::assemble::{self, Model};
use crate::error::Error;
use crate::network::transfer::Layout;
use crate::record::{BatchLoader, Records};
use crate::script::api::arguments::Answer;
use crate::script::api::{Page, options::Options};
use crate::script::cast;
use crate::script::host::{Host, Wanted};
use crate::script::literal;
use crate::script::traceback::raise;
use crate::trainer::History;

/// The page of the manual.
pub const PAGE: Page = Page {
    name: "trainer",
    title: "Trainer",
    intro: "A trainer stands for an artifact folder: `train` makes it, `load`, `predict` and `evaluate` use the best \
            checkpoint in it. The folder's name is relative to the project root.\n\n\
            ```rhai\n\
            let parts = read_records(\"flowers.csv\").split(0.5, #{ seed: 1, stratify: \"species\" });\n\
            let trainer = trainer(\"run\", #{ overwrite: true });\n\
            let history = trainer.train(read_json(\"flowers.json\"), parts[0], parts[1]);\n\
            history.logs.keys() // => [\"accuracy\", \"loss\", \"val_accuracy\", \"val_loss\"]\n\
            trainer.predict(parts[1]).len() // => 3\n\
            trainer.load().folder // => \"run\"\n\
            print(trainer.summary());\n\
            trainer.evaluate(parts[1]).keys() // => [\"accuracy\", \"loss\"]\n\
            ```",
    register,
};

/// A trainer; copies share the loaded model.
#[derive(Clone)]
pub struct TrainerHandle {
    folder: PathBuf,
    name: String,
    overwrite: bool,
    model: Arc<Mutex<Option<Arc<Model>>>>,
}

fn register(engine: &mut Engine) {
    engine.register_type_with_name::<TrainerHandle>("Trainer");
    engine.register_global_module(exported_module!(functions).into());
}

impl TrainerHandle {
    fn model(&self, host: &Host) -> Answer<Arc<Model>> {
        let mut slot = self.model.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(model) = &*slot {
            return Ok(model.clone());
        }
        let run = Folder::open(&self.folder).map_err(raise)?;
        let inside = host.at(run.join(layout::SCRIPTS)).map_err(raise)?;
        let model = Arc::new(assemble::load(&inside, &self.folder).map_err(raise)?);
        *slot = Some(model.clone());
        Ok(model)
    }

    fn forget(&self) {
        *self.model.lock().unwrap_or_else(PoisonError::into_inner) = None;
    }
}

fn logs(values: &[(String, f64)]) -> Map {
    values.iter().map(|(name, value)| (name.as_str().into(), Dynamic::from(*value))).collect()
}

/// What a run reached, as scripts see it.
fn report(history: &History) -> Map {
    let names: Vec<String> =
        history.epochs.first().map(|row| row.logs.iter().map(|(name, _)| name.clone()).collect()).unwrap_or_default();
    let values = |name: &String| Dynamic::from(history.values(name).into_iter().map(Dynamic::from).collect::<List>());
    let logs: Map = names.iter().map(|name| (name.as_str().into(), values(name))).collect();
    Map::from([
        ("epochs".into(), Dynamic::from(history.epochs.len() as i64)),
        ("steps".into(), Dynamic::from(history.steps as i64)),
        ("details".into(), Dynamic::from(history.details.iter().cloned().map(Dynamic::from).collect::<List>())),
        ("stopped".into(), history.stopped.clone().map_or(Dynamic::UNIT, Dynamic::from)),
        ("logs".into(), Dynamic::from(logs)),
    ])
}

/// Tells what is known about a loss that became no number: the script may not look.
fn tell_why(host: &Host, history: &History) {
    let mut progress = host.progress();
    history.details.iter().for_each(|line| progress.message(line));
}

/// Raises what went wrong in a run, which is no fault of the call.
fn refuse(error: crate::Error) -> Box<EvalAltResult> {
    raise(error.settled())
}

/// Where the records of a run come from.
enum Data {
    Records(Records, Records),
    /// The rows of batch loaders.
    Batches(Records, Records),
    /// The script of the config's loader makes them.
    Made,
}

fn run(context: &NativeCallContext, trainer: TrainerHandle, config: Map, data: Data) -> Answer<Map> {
    let host = Host::of(context)?;
    let mut json = cast::to_json(&Dynamic::from(config)).map_err(|error| refuse(error.within("the config")))?;
    if let (Data::Batches(..), Some(dataset)) = (&data, json.get_mut("dataset").and_then(|json| json.as_object_mut())) {
        dataset.entry("loader").or_insert_with(|| serde_json::json!({ "import": "BatchLoader" }));
    }
    let Some((recipe, notes)) = host.recipe(literal::written(&host, context, &json)).map_err(refuse)? else {
        // The config was shown instead.
        return Err(Box::new(EvalAltResult::Exit(Dynamic::UNIT, Position::NONE)));
    };
    let (train, validation) = match data {
        Data::Records(train, validation) | Data::Batches(train, validation) => (train, validation),
        Data::Made => assemble::data_loaders(&host, &recipe).map_err(refuse)?,
    };
    if let Some(instead) = host.instead_of_training() {
        let (folder, overwrite) = (&*trainer.folder, trainer.overwrite || host.overwrite());
        let (recipe, notes) = (&recipe, &*notes);
        let wanted = Wanted { recipe, notes, train: &train, validation: &validation, folder, overwrite };
        instead(&host, &wanted).map_err(refuse)?;
        // What follows in the recipe needs the run that was not started.
        return Err(Box::new(EvalAltResult::Exit(Dynamic::UNIT, Position::NONE)));
    }
    trainer.forget();
    let history = assemble::train(&host, &recipe, &notes, &train, &validation, &trainer.folder, trainer.overwrite)
        .map_err(refuse)?;
    tell_why(&host, &history);
    Ok(report(&history))
}

#[export_module]
mod functions {
    /// Returns a trainer for an artifact folder, which `train` makes and which must not hold a run yet. Options:
    /// `overwrite`, true to move an existing run to `folder.1` (`.2` …) instead of refusing the folder.
    ///
    /// # Errors
    /// A folder outside the project, unknown options.
    ///
    /// ```rhai
    /// trainer("artifacts").folder // => "artifacts"
    /// trainer("artifacts", #{ overwrite: true }) // => trainer("artifacts", #{overwrite: true})
    /// ```
    #[rhai_fn(name = "trainer", return_raw)]
    pub fn trainer(context: NativeCallContext, folder: &str) -> Answer<TrainerHandle> {
        trainer_with(context, folder, Map::new())
    }

    #[rhai_fn(name = "trainer", return_raw)]
    pub fn trainer_with(context: NativeCallContext, folder: &str, options: Map) -> Answer<TrainerHandle> {
        let host = Host::of(&context)?;
        let mut options = Options::new("trainer", options);
        let overwrite = options.flag("overwrite")?.unwrap_or(false);
        options.finish()?;
        Ok(TrainerHandle {
            folder: host.roots().writable(folder).map_err(refuse)?,
            name: folder.to_owned(),
            overwrite,
            model: Arc::default(),
        })
    }

    /// Trains a config (a map of the four sections) on two tables of records, and writes the artifact folder.
    /// Returns the history: `#{ epochs, steps, stopped, details, logs }`, where `logs` maps each name of the report to
    /// its values, `stopped` is why training ended early, or `()`, and `details` lists what is known about a loss that
    /// became no number: the output, the layer, the records.
    ///
    /// # Errors
    /// Everything that is wrong with the config, the scripts and the records, found before the folder is made.
    #[rhai_fn(name = "train", return_raw)]
    pub fn train(
        context: NativeCallContext,
        trainer: TrainerHandle,
        config: Map,
        train: Records,
        validation: Records,
    ) -> Answer<Map> {
        run(&context, trainer, config, Data::Records(train, validation))
    }

    /// Trains a config on two batch loaders; its `dataset` needs no loader. See the other `train`.
    #[rhai_fn(name = "train", return_raw)]
    pub fn train_batches(
        context: NativeCallContext,
        trainer: TrainerHandle,
        config: Map,
        train: BatchLoader,
        validation: BatchLoader,
    ) -> Answer<Map> {
        let (train, validation) = (train.records().map_err(raise)?, validation.records().map_err(raise)?);
        run(&context, trainer, config, Data::Batches(train, validation))
    }

    /// Trains a config whose loader's script makes its own records: `make_data_loaders(experiment_config, hparams)` gets
    /// the resolved config, with its free section `data`, and the section `hyperparameters`, and returns
    /// `[training, validation]`, batch loaders or tables of records.
    ///
    /// # Errors
    /// A loader without this function; see the other `train`.
    #[rhai_fn(name = "train", return_raw)]
    pub fn train_made(context: NativeCallContext, trainer: TrainerHandle, config: Map) -> Answer<Map> {
        run(&context, trainer, config, Data::Made)
    }

    /// Returns the history of the epochs that were left, as `train` does, after going on with the run in the
    /// folder from its newest checkpoint, to the same bits as if it had never stopped. The records must be those
    /// the run was started with.
    ///
    /// # Errors
    /// A folder without a run, records that are not those of the run, scripts in the folder that were changed.
    ///
    /// ```rhai
    /// fn go_on(train, validation) { trainer("run").resume(train, validation) }
    /// ```
    ///
    /// Without records, those the run was started with are read again from their files.
    #[rhai_fn(name = "resume", return_raw)]
    pub fn resume(
        context: NativeCallContext,
        trainer: TrainerHandle,
        train: Records,
        validation: Records,
    ) -> Answer<Map> {
        go_on(context, trainer, Some((train, validation)))
    }

    #[rhai_fn(name = "resume", return_raw)]
    pub fn resume_alone(context: NativeCallContext, trainer: TrainerHandle) -> Answer<Map> {
        go_on(context, trainer, None)
    }

    fn go_on(context: NativeCallContext, trainer: TrainerHandle, records: Option<(Records, Records)>) -> Answer<Map> {
        let host = Host::of(&context)?;
        if host.rehearses() {
            return Err(raise(
                Error::script("`resume` goes on with a run, which is no rehearsal")
                    .hint("`check`, `--dry-run` and the like end at `train`; only `run` reaches `resume`"),
            ));
        }
        let run = Folder::open(&trainer.folder).map_err(refuse)?;
        let inside = host.at(run.join(layout::SCRIPTS)).map_err(refuse)?;
        trainer.forget();
        let records = records.as_ref().map(|(train, validation)| (train, validation));
        let history = assemble::resume(&inside, &trainer.folder, records).map_err(refuse)?;
        tell_why(&host, &history);
        Ok(report(&history))
    }

    #[rhai_fn(name = "resume", return_raw)]
    pub fn resume_batches(
        context: NativeCallContext,
        trainer: TrainerHandle,
        train: BatchLoader,
        validation: BatchLoader,
    ) -> Answer<Map> {
        resume(context, trainer, train.records().map_err(raise)?, validation.records().map_err(raise)?)
    }

    /// Loads the best checkpoint, which `predict` and `evaluate` otherwise do at their first call. Returns the
    /// trainer.
    ///
    /// # Errors
    /// A folder without a run, a damaged file, scripts in it that were changed.
    #[rhai_fn(name = "load", return_raw)]
    pub fn load(context: NativeCallContext, trainer: TrainerHandle) -> Answer<TrainerHandle> {
        trainer.model(&Host::of(&context)?)?;
        Ok(trainer)
    }

    /// Returns a score for each record, in order: an array of maps from output name to value, after the
    /// transformer's `postprocess`. Outputs and weights of the records are not touched.
    ///
    /// # Errors
    /// See `load`; whatever the loader and the transformer raise.
    #[rhai_fn(name = "predict", return_raw)]
    pub fn predict(context: NativeCallContext, trainer: TrainerHandle, records: Records) -> Answer<List> {
        let model = trainer.model(&Host::of(&context)?)?;
        Ok(model.predict(&records).map_err(refuse)?.into_iter().map(cast::from_score).collect())
    }

    #[rhai_fn(name = "predict", return_raw)]
    pub fn predict_batches(context: NativeCallContext, trainer: TrainerHandle, loader: BatchLoader) -> Answer<List> {
        predict(context, trainer, loader.records().map_err(raise)?)
    }

    /// Returns losses and metrics over records that have outputs, named as in the training report: a map.
    ///
    /// # Errors
    /// See `predict`; no records.
    #[rhai_fn(name = "evaluate", return_raw)]
    pub fn evaluate(context: NativeCallContext, trainer: TrainerHandle, records: Records) -> Answer<Map> {
        let model = trainer.model(&Host::of(&context)?)?;
        Ok(logs(&model.evaluate(&records).map_err(refuse)?))
    }

    #[rhai_fn(name = "evaluate", return_raw)]
    pub fn evaluate_batches(context: NativeCallContext, trainer: TrainerHandle, loader: BatchLoader) -> Answer<Map> {
        evaluate(context, trainer, loader.records().map_err(raise)?)
    }

    /// Writes the best checkpoint for other programs: a name that ends in `.onnx` gives the network with its weights,
    /// one in `.safetensors` the weights alone. Options: `layout`, `"keras"` (default) or `"pytorch"`, how weights are
    /// named and lie.
    ///
    /// # Errors
    /// See `load`; another ending; a layer that the format cannot hold, such as one with a script's function.
    ///
    /// ```rhai
    /// fn ship(trainer) {
    ///     trainer.write("model.onnx");
    ///     trainer.write("weights.safetensors", #{ layout: "pytorch" });
    /// }
    /// ```
    #[rhai_fn(name = "write", return_raw)]
    pub fn write(context: NativeCallContext, trainer: TrainerHandle, file: &str) -> Answer<()> {
        write_with(context, trainer, file, Map::new())
    }

    #[rhai_fn(name = "write", return_raw)]
    pub fn write_with(context: NativeCallContext, trainer: TrainerHandle, file: &str, options: Map) -> Answer<()> {
        let host = Host::of(&context)?;
        let mut options = Options::new("write", options);
        let layout = match options.text("layout")? {
            None => None,
            Some(name) => Some(Layout::parse(&name).ok_or_else(|| {
                raise(
                    Error::script(format!("`write`: there is no layout `{name}`"))
                        .hint(format!("layouts: {}", crate::error::list(Layout::NAMES.iter().copied()))),
                )
            })?),
        };
        options.finish()?;
        let file = host.roots().writable(file).map_err(refuse)?;
        assemble::export(&*trainer.model(&host)?, &file, layout).map(drop).map_err(refuse)
    }

    /// Returns the table of the network's layers.
    ///
    /// # Errors
    /// See `load`.
    #[rhai_fn(name = "summary", return_raw)]
    pub fn summary(context: NativeCallContext, trainer: TrainerHandle) -> Answer<String> {
        Ok(trainer.model(&Host::of(&context)?)?.summary())
    }

    /// Returns the name of the artifact folder.
    ///
    /// ```rhai
    /// trainer("artifacts").folder // => "artifacts"
    /// ```
    #[rhai_fn(get = "folder", name = "folder")]
    pub fn folder(trainer: TrainerHandle) -> String {
        trainer.name
    }

    /// Returns the expression that makes the trainer.
    #[rhai_fn(global, name = "to_string", name = "to_debug")]
    pub fn to_string(trainer: TrainerHandle) -> String {
        let options = if trainer.overwrite { ", #{overwrite: true}" } else { "" };
        format!("trainer({:?}{options})", trainer.name)
    }
}
