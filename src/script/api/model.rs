//! Models in pipelines, and metrics that are gathered over batches.

use rhai::plugin::*;
use rhai::{Array as List, Dynamic, Engine, Map};

use crate::assemble;
use crate::error::{Error, Result as Outcome};
use crate::pipeline::{Average, Confusion, Format, Next};
use crate::record::Name;
use crate::script::api::arguments::{Answer, Source};
use crate::script::api::{Page, options::Options};
use crate::script::batches::expression::{At, prepare, resolve};
use crate::script::batches::metrics::Metrics;
use crate::script::batches::model::{Arrays, Model};
use crate::script::batches::pipeline::{Pipeline, save_for};
use crate::script::batches::{Batch, convert};
use crate::script::cast;
use crate::script::host::Host;
use crate::script::traceback::{raise, type_phrase};
use crate::tensor::Tensor;

/// The page of the manual.
pub const PAGE: Page = Page {
    name: "model",
    title: "Models in pipelines",
    intro: "A model is the network, the losses, the optimizer and the schedule of a recipe's sections `model` and `solver`, trained \
            batch by batch with what a pipeline gives it. It is the same network and the same training step as those of \
            `trainer.train`.\n\n\
            ```rhai\n\
            let flowers = read_records(\"flowers.csv\");\n\
            let ds = dataset(6, #{ preloaded: flowers });\n\
            let config = #{ model: read_json(\"flowers.json\").model, solver: read_json(\"flowers.json\").solver };\n\
            let p = ds.pipeline()\n    \
                .exec(|batch| { batch.flower = stack([batch.petal_length.tensor.to_f32(), batch.petal_width.tensor.to_f32()], 1); })\n    \
                .exec(|batch| { batch.label = batch.species.items.map(|name| [\"setosa\", \"versicolor\", \"virginica\"].index_of(name)); })\n    \
                .init_model(\"net\", config)\n    \
                .train_model(\"net\", #{ x: B(\"flower\"), y: B(\"label\"), save_to: V(\"loss\", \"a\") });\n\
            p.run(3, #{ n_epochs: 2, shuffle: 1 });\n\
            [p.v(\"loss\").len(), p.m(\"net\").steps] // => [4, 4]\n\
            let test = ds.pipeline()\n    \
                .exec(|batch| { batch.flower = stack([batch.petal_length.tensor.to_f32(), batch.petal_width.tensor.to_f32()], 1); })\n    \
                .exec(|batch| { batch.label = batch.species.items.map(|name| [\"setosa\", \"versicolor\", \"virginica\"].index_of(name)); })\n    \
                .import_model(\"net\", p)\n    \
                .predict_model(\"net\", #{ x: B(\"flower\"), save_to: V(\"scores\") })\n    \
                .gather_metrics(\"classification\", #{ targets: B(\"label\"), predictions: V(\"scores\"), fmt: \"proba\", save_to: V(\"m\", \"u\") });\n\
            test.run(4);\n\
            test.v(\"m\").evaluate([\"accuracy\"]).keys() // => [\"accuracy\"]\n\
            ```",
    register,
};

fn register(engine: &mut Engine) {
    engine.register_type_with_name::<Model>("Model");
    engine.register_type_with_name::<Metrics>("Metrics");
    engine.register_global_module(exported_module!(functions).into());
}

/// Makes a model of a config: the sections `model` and `solver` of a recipe, with the seed of its `dataset`.
fn make(host: &Host, config: Map) -> Outcome<Model> {
    let mut config = match cast::to_json(&Dynamic::from(config)).map_err(|error| error.within("the model's config"))? {
        serde_json::Value::Object(config) => config,
        _ => return Err(Error::script("the model's config: expected a map")),
    };
    // What a recipe must say about its records, which come from the pipeline here.
    let dataset = config.entry("dataset").or_insert_with(|| serde_json::json!({}));
    if let Some(dataset) = dataset.as_object_mut() {
        dataset
            .entry("loader")
            .or_insert_with(|| serde_json::json!({ "import": "KeySelector", "params": { "x_keys": ["none"] } }));
    }
    let written = crate::recipe::Written::from_value(&serde_json::Value::Object(config));
    let Some((recipe, _)) = host.recipe(written)? else { return Err(Error::script("the config was shown instead")) };
    assemble::learner(host, &recipe).map(Model::new)
}

/// Returns arrays by name: a map, or one value for the only name.
fn arrays(value: &Dynamic, names: &[Name], what: &str) -> Outcome<Arrays> {
    let array = |value: &Dynamic, name: &str| -> Outcome<crate::tensor::Array> {
        let items = convert::to_items(value).map_err(|error| error.within(format!("{what} `{name}`")))?;
        items.to_tensor().and_then(|tensor| tensor.to_host()).map_err(|error| error.within(format!("{what} `{name}`")))
    };
    if let Some(map) = value.read_lock::<Map>() {
        return map.iter().map(|(name, value)| Ok((Name::from(name.as_str()), array(value, name)?))).collect();
    }
    match names {
        [only] => Ok(vec![(only.clone(), array(value, only)?)]),
        names => Err(Error::script(format!("the network has {} {what}s", names.len()))
            .hint(format!("give a map of them: {}", crate::error::list(names.iter().map(|name| &**name))))),
    }
}

fn train(model: &Model, given: &mut Options) -> Answer<f64> {
    let need = |given: &mut Options, name: &'static str| {
        given.take(name).ok_or_else(|| {
            raise(Error::script(format!("`train` needs `{name}`")).hint("`#{ x: …, y: … }`: inputs and targets"))
        })
    };
    let (x, y) = (need(given, "x")?, need(given, "y")?);
    let w = given.take("w");
    let mut model = model.lock();
    let (inputs, outputs) = model.names();
    let x = arrays(&x, &inputs, "input").map_err(raise)?;
    let y = arrays(&y, &outputs, "output").map_err(raise)?;
    let w = w.map(|w| arrays(&w, &outputs, "sample weight")).transpose().map_err(raise)?;
    model.train(x, y, w).map_err(raise)
}

fn predict(model: &Model, x: &Dynamic) -> Outcome<Dynamic> {
    let mut model = model.lock();
    let (inputs, _) = model.names();
    let mut outputs = model.predict(arrays(x, &inputs, "input")?)?;
    let value = |array| Dynamic::from(Tensor::Host(array));
    Ok(match outputs.len() {
        1 => outputs.pop().map_or(Dynamic::UNIT, |(_, array)| value(array)),
        _ => Dynamic::from(outputs.into_iter().map(|(name, array)| ((&*name).into(), value(array))).collect::<Map>()),
    })
}

/// Counts one batch.
fn gather(kind: &str, mut given: Options) -> Answer<Metrics> {
    let name =
        ["classification", "segmentation", "mask", "regression", "loss"].into_iter().find(|known| kind.contains(known));
    let need = |given: &mut Options, name: &'static str| {
        given.take(name).ok_or_else(|| raise(Error::script(format!("`gather_metrics` needs `{name}`"))))
    };
    let array = |value: Dynamic, what: &str| -> Answer<crate::tensor::Array> {
        let tensor = cast::to_tensor(&value).or_else(|_| convert::to_items(&value).and_then(|items| items.to_tensor()));
        tensor.and_then(|tensor| tensor.to_host()).map_err(|error| raise(error.within(format!("`{what}`"))))
    };
    let metrics = match name {
        Some("loss") => {
            let losses = array(need(&mut given, "predictions")?, "predictions")?.to_f64_vec();
            Metrics::Loss { sum: losses.iter().sum(), count: losses.len() as u64 }
        }
        Some("regression") => {
            let targets = array(need(&mut given, "targets")?, "targets")?.to_f64_vec();
            let predictions = array(need(&mut given, "predictions")?, "predictions")?.to_f64_vec();
            if targets.len() != predictions.len() {
                return Err(raise(Error::data(format!(
                    "{} targets, {} predictions",
                    targets.len(),
                    predictions.len()
                ))));
            }
            let differences = || targets.iter().zip(&predictions).map(|(a, b)| a - b);
            Metrics::Regression {
                absolute: differences().map(f64::abs).sum(),
                squared: differences().map(|d| d * d).sum(),
                count: targets.len() as u64,
            }
        }
        Some(_) => {
            let targets = array(need(&mut given, "targets")?, "targets")?;
            let predictions = array(need(&mut given, "predictions")?, "predictions")?;
            let format =
                given.text("fmt")?.map_or(Ok(Format::Labels), |format| Format::parse(&format)).map_err(raise)?;
            let classes = given.whole("num_classes")?.map(|classes| classes as usize);
            let threshold = given.take("threshold").and_then(|value| value.as_float().ok()).unwrap_or(0.5);
            Metrics::Classes(Confusion::count(&targets, &predictions, format, classes, threshold).map_err(raise)?)
        }
        None => {
            let kinds = ["classification", "segmentation", "regression", "loss"];
            return Err(raise(
                Error::script(format!("unknown kind of metrics `{kind}`"))
                    .maybe_hint(crate::error::did_you_mean(kind, kinds))
                    .hint(format!("kinds: {}", crate::error::list(kinds))),
            ));
        }
    };
    given.finish()?;
    Ok(metrics)
}

/// Makes a model from a config whose expressions need a batch, at the first batch of a run.
fn ready(host: &Host, batch: &Batch, name: &str) -> Outcome<Model> {
    let flow = batch.about().flow.clone().ok_or_else(|| Error::script("the batch is not in a pipeline"))?;
    match flow.pending(name) {
        None => flow.model(name),
        Some(config) => {
            let config = resolve(host, batch, config)?.try_cast::<Map>().unwrap_or_default();
            let model = make(host, config)?;
            flow.add_model(name, model.clone());
            Ok(model)
        }
    }
}

/// Adds a step that uses a model, with its options evaluated for each batch.
fn step(
    context: &NativeCallContext,
    pipeline: Pipeline,
    step: &'static str,
    name: &str,
    options: Map,
    act: impl Fn(&Model, Map) -> Answer<Dynamic> + Send + Sync + 'static,
) -> Answer<Pipeline> {
    let host = Host::of(context)?;
    let mut options = options;
    let save_to = options.remove("save_to").map(|to| prepare(context, to)).transpose()?;
    let options = prepare(context, Dynamic::from(options))?;
    let name = name.to_owned();
    Ok(pipeline.step(step, true, move |batch| {
        let model = ready(&host, &batch, &name)?;
        let given = resolve(&host, &batch, options.clone())?.try_cast::<Map>().unwrap_or_default();
        let value = act(&model, given).map_err(|error| crate::script::traceback::explain(&host, *error, ""))?;
        if let Some(to) = &save_to {
            save_for(&host, &batch, to, value)?;
        }
        Ok(Next::On(batch))
    }))
}

#[export_module]
#[allow(clippy::unwrap_used, reason = "what the macro makes of a `&mut` argument")]
mod functions {
    /// Returns the pipeline with a model of a config: a map with the sections `model` and `solver` of a recipe, and
    /// `dataset.seed` for the seed of its weights. A config with expressions that need a batch is evaluated with the
    /// first one; any other at once.
    ///
    /// # Errors
    /// Whatever is wrong with the network, the losses or the optimizer.
    ///
    /// ```rhai
    /// let config = #{ model: read_json("flowers.json").model, solver: read_json("flowers.json").solver };
    /// pipeline().init_model("net", config).m("net").steps // => 0
    /// ```
    #[rhai_fn(name = "init_model", return_raw)]
    pub fn init_model(context: NativeCallContext, pipeline: Pipeline, name: &str, config: Map) -> Answer<Pipeline> {
        let host = Host::of(&context)?;
        let config = prepare(&context, Dynamic::from(config))?;
        let at = At { host: &host, batch: None, flow: Some(&pipeline.inner().flow) };
        let next = pipeline.changed(|_| ());
        if next.inner().flow.has_model(name) {
            return Ok(next);
        }
        match at.value(config.clone()) {
            Ok(config) => {
                let model = make(&host, config.try_cast::<Map>().unwrap_or_default()).map_err(raise)?;
                next.inner().flow.add_model(name, model);
            }
            // It needs a batch.
            Err(_) => next.inner().flow.await_model(name, config),
        }
        Ok(next)
    }

    /// Returns the pipeline with the model of another pipeline, or a model, which both train and use from now on.
    ///
    /// # Errors
    /// A pipeline without this model.
    ///
    /// ```rhai
    /// let config = #{ model: read_json("flowers.json").model, solver: read_json("flowers.json").solver };
    /// let train = pipeline().init_model("net", config);
    /// pipeline().import_model("net", train).m("net").steps // => 0
    /// ```
    #[rhai_fn(name = "import_model", return_raw)]
    pub fn import_model(pipeline: Pipeline, name: &str, from: Source) -> Answer<Pipeline> {
        let model = match (from.read_lock::<Pipeline>(), from.read_lock::<Model>()) {
            (Some(other), _) => other.inner().flow.model(name).map_err(raise)?,
            (_, Some(model)) => model.clone(),
            _ => {
                return Err(raise(Error::script(format!(
                    "`import_model`: expected a pipeline or a model, found {}",
                    type_phrase(from.type_name())
                ))));
            }
        };
        Ok(pipeline.changed(|inner| inner.flow.add_model(name, model)))
    }

    /// Returns the pipeline with a training step of a model for each batch. Options: `x`, the inputs, a value for a
    /// network with one input, else a map by name; `y`, the targets of the outputs in the same way; `w`, sample
    /// weights; `save_to`, where the loss before the step goes.
    ///
    /// # Errors
    /// When it runs: a model that is not there, inputs and targets that the network does not take.
    #[rhai_fn(name = "train_model", return_raw)]
    pub fn train_model(context: NativeCallContext, pipeline: Pipeline, name: &str, options: Map) -> Answer<Pipeline> {
        step(&context, pipeline, "train_model", name, options, |model, given| {
            let mut given = Options::new("train_model", given);
            let loss = train(model, &mut given)?;
            given.finish()?;
            Ok(Dynamic::from(loss))
        })
    }

    /// Returns the pipeline with a prediction of a model for each batch. Options: `x`, as for `train_model`; `save_to`,
    /// where the output goes, a tensor, or a map of them by name where there are several.
    ///
    /// # Errors
    /// When it runs: a model that is not there, inputs that the network does not take.
    #[rhai_fn(name = "predict_model", return_raw)]
    pub fn predict_model(context: NativeCallContext, pipeline: Pipeline, name: &str, options: Map) -> Answer<Pipeline> {
        step(&context, pipeline, "predict_model", name, options, |model, given| {
            let mut given = Options::new("predict_model", given);
            let x = given.take("x").ok_or_else(|| raise(Error::script("`predict_model` needs `x`")))?;
            given.finish()?;
            predict(model, &x).map_err(raise)
        })
    }

    /// Returns the pipeline with metrics of each batch: `"classification"` and `"segmentation"` (by elements) count which
    /// class was taken for which, `"regression"` measures differences, `"loss"` averages. Options: `targets`,
    /// `predictions`, `fmt` (`"labels"`, `"proba"`, `"logits"`), `num_classes`, `threshold`, and `save_to`: `"w"` keeps
    /// those of the last batch, `"a"` all of them, `"u"` adds them up.
    ///
    /// # Errors
    /// An unknown kind; when it runs, shapes that do not go together.
    ///
    /// ```rhai
    /// let ds = dataset(4, #{ preloaded: #{ y: [1, 0, 1, 0], p: [1, 0, 0, 0] } });
    /// let p = ds.pipeline().gather_metrics("classification", #{ targets: B("y"), predictions: B("p"), save_to: V("m", "u") });
    /// p.run(2);
    /// p.v("m").evaluate(["accuracy", "precision", "recall"]) // => #{"accuracy": 0.75, "precision": 1.0, "recall": 0.5}
    /// ```
    #[rhai_fn(name = "gather_metrics", return_raw)]
    pub fn gather_metrics(
        context: NativeCallContext,
        pipeline: Pipeline,
        kind: &str,
        options: Map,
    ) -> Answer<Pipeline> {
        let host = Host::of(&context)?;
        let mut options = options;
        let save_to = options.remove("save_to").ok_or_else(|| {
            raise(
                Error::script("`gather_metrics` needs `save_to`")
                    .hint("`save_to: V(\"metrics\", \"u\")` adds up those of all batches"),
            )
        })?;
        let (save_to, options) = (prepare(&context, save_to)?, prepare(&context, Dynamic::from(options))?);
        let kind = kind.to_owned();
        Ok(pipeline.step("gather_metrics", true, move |batch| {
            let given = resolve(&host, &batch, options.clone())?.try_cast::<Map>().unwrap_or_default();
            let metrics = gather(&kind, Options::new("gather_metrics", given));
            let metrics = metrics.map_err(|error| crate::script::traceback::explain(&host, *error, ""))?;
            save_for(&host, &batch, &save_to, Dynamic::from(metrics))?;
            Ok(Next::On(batch))
        }))
    }

    /// Returns a model of the pipeline.
    ///
    /// # Errors
    /// A model that is not there, or that is made with the first batch.
    #[rhai_fn(name = "m", return_raw)]
    pub fn model_of(pipeline: Pipeline, name: &str) -> Answer<Model> {
        pipeline.inner().flow.model(name).map_err(raise)
    }

    /// Returns a model of the pipeline that the batch is in, for actions. An action that uses one is a step with
    /// `ordered: true`, so that batches come to it in order.
    ///
    /// # Errors
    /// Outside of a pipeline; in a part of it that runs ahead; a model that is not there.
    #[rhai_fn(name = "model", return_raw)]
    pub fn model_of_batch(context: NativeCallContext, batch: Batch, name: &str) -> Answer<Model> {
        shared(&batch, "a model")?;
        ready(&Host::of(&context)?, &batch, name).map_err(raise)
    }

    /// Returns a variable of the pipeline that the batch is in, for actions, as `model` does a model.
    ///
    /// # Errors
    /// See `model`.
    ///
    /// ```rhai
    /// let p = dataset(2).pipeline().init_variable("k", 3)
    ///     .exec(|batch| { batch.set_variable("k", batch.v("k") + 1); }, #{ ordered: true });
    /// p.run(1);
    /// p.v("k") // => 5
    /// ```
    #[rhai_fn(name = "v", return_raw)]
    pub fn variable_of_batch(batch: Batch, name: &str) -> Answer<Dynamic> {
        shared(&batch, "a variable")?.variable(name).map_err(raise)
    }

    /// Returns the batch, after setting a variable of the pipeline that it is in, for actions.
    ///
    /// # Errors
    /// See `model`.
    ///
    /// ```rhai
    /// let p = dataset(2).pipeline().exec(|batch| { batch.set_variable("last", batch.ids); }, #{ ordered: true });
    /// p.run(1);
    /// p.v("last") // => [1]
    /// ```
    #[rhai_fn(name = "set_variable", return_raw)]
    pub fn set_variable_of_batch(batch: Batch, name: &str, value: Dynamic) -> Answer<Batch> {
        let mode = crate::script::batches::flow::Mode::Write;
        shared(&batch, "a variable")?.save(name, value, mode).map_err(raise)?;
        Ok(batch)
    }

    /// Returns the loss before one training step on inputs `x` and targets `y`, with sample weights `w`, if any.
    ///
    /// # Errors
    /// Inputs and targets that the network does not take.
    ///
    /// ```rhai
    /// let config = #{ model: read_json("flowers.json").model, solver: read_json("flowers.json").solver };
    /// let net = pipeline().init_model("net", config).m("net");
    /// net.train(#{ x: zeros([2, 2]), y: [0, 1] }) > 0.0 // => true
    /// net.steps // => 1
    /// ```
    #[rhai_fn(name = "train", return_raw)]
    pub fn train_once(model: Model, given: Map) -> Answer<f64> {
        let mut given = Options::new("train", given);
        let loss = train(&model, &mut given)?;
        given.finish()?;
        Ok(loss)
    }

    /// Returns the network's output for inputs: a tensor, or a map of them by name where there are several.
    ///
    /// # Errors
    /// Inputs that the network does not take.
    ///
    /// ```rhai
    /// let config = #{ model: read_json("flowers.json").model, solver: read_json("flowers.json").solver };
    /// pipeline().init_model("net", config).m("net").predict(zeros([5, 2])).shape // => [5, 3]
    /// ```
    #[rhai_fn(name = "predict", return_raw)]
    pub fn predict_once(model: Model, x: Source) -> Answer<Dynamic> {
        predict(&model, &x).map_err(raise)
    }

    /// Returns the model, after writing its weights to a file (safetensors).
    ///
    /// # Errors
    /// A file outside the project, or that cannot be written.
    ///
    /// ```rhai
    /// let config = #{ model: read_json("flowers.json").model, solver: read_json("flowers.json").solver };
    /// let net = pipeline().init_model("net", config).m("net");
    /// net.save("net.safetensors").load("net.safetensors").steps // => 0
    /// ```
    #[rhai_fn(name = "save", return_raw)]
    pub fn save(context: NativeCallContext, model: Model, file: &str) -> Answer<Model> {
        let host = Host::of(&context)?;
        let path = host.roots().writable(file).map_err(raise)?;
        model.lock().save(&path).map_err(raise)?;
        Ok(model)
    }

    /// Returns the model, with the weights of a file.
    ///
    /// # Errors
    /// A file of another network, or that cannot be read.
    ///
    /// ```rhai
    /// let config = #{ model: read_json("flowers.json").model, solver: read_json("flowers.json").solver };
    /// let net = pipeline().init_model("net", config).m("net").save("net.safetensors");
    /// net.load("net.safetensors").predict(zeros([1, 2])).shape // => [1, 3]
    /// ```
    #[rhai_fn(name = "load", return_raw)]
    pub fn load(context: NativeCallContext, model: Model, file: &str) -> Answer<Model> {
        let path = Host::of(&context)?.roots().readable(file).map_err(raise)?;
        model.lock().load(&path).map_err(raise)?;
        Ok(model)
    }

    /// Returns the number of training steps done.
    ///
    /// ```rhai
    /// let config = #{ model: read_json("flowers.json").model, solver: read_json("flowers.json").solver };
    /// pipeline().init_model("net", config).m("net").steps // => 0
    /// ```
    #[rhai_fn(get = "steps")]
    pub fn steps(model: Model) -> i64 {
        model.lock().steps() as i64
    }

    /// Returns the table of the network's layers.
    ///
    /// ```rhai
    /// let config = #{ model: read_json("flowers.json").model, solver: read_json("flowers.json").solver };
    /// print(pipeline().init_model("net", config).m("net").summary());
    /// ```
    #[rhai_fn(name = "summary")]
    pub fn summary(model: Model) -> String {
        model.lock().summary()
    }

    #[rhai_fn(global, name = "to_string", name = "to_debug")]
    pub fn to_string(model: Model) -> String {
        let model = model.lock();
        let (inputs, outputs) = model.names();
        let list = |names: &[Name]| crate::error::list(names.iter().map(|name| &**name));
        format!("Model({} -> {}, {} steps)", list(&inputs), list(&outputs), model.steps())
    }

    /// Returns values of metrics by name, a map: `accuracy`, `precision`, `recall`, `f1`, `iou` and others of classes; `mae`,
    /// `mse`, `rmse` of a regression; `loss`. Options: `multiclass`, `"micro"` or `"macro"` (the default), how
    /// values of more than two classes become one; of two classes, they are those of the second.
    ///
    /// # Errors
    /// An unknown name.
    ///
    /// ```rhai
    /// let p = dataset(2, #{ preloaded: #{ y: [1.0, 2.0], p: [1.5, 2.5] } }).pipeline()
    ///     .gather_metrics("regression", #{ targets: B("y"), predictions: B("p"), save_to: V("m", "u") });
    /// p.run(1);
    /// p.v("m").evaluate(["mae"]) // => #{"mae": 0.5}
    /// ```
    #[rhai_fn(name = "evaluate", return_raw)]
    pub fn evaluate(metrics: Metrics, names: List) -> Answer<Map> {
        evaluate_with(metrics, names, Map::new())
    }

    #[rhai_fn(name = "evaluate", return_raw)]
    pub fn evaluate_with(metrics: Metrics, names: List, options: Map) -> Answer<Map> {
        let mut options = Options::new("evaluate", options);
        let average = match options.text("multiclass")?.as_deref() {
            None => None,
            Some("micro") => Some(Average::Micro),
            Some("macro") => Some(Average::Macro),
            Some(other) => {
                return Err(raise(Error::script(format!(
                    "`multiclass`: expected `micro` or `macro`, found `{other}`"
                ))));
            }
        };
        options.finish()?;
        let names = super::super::arguments::texts(&names, "`names` of `evaluate`")?;
        let value = |name: &String| Ok((name.as_str().into(), Dynamic::from(metrics.value(name, average)?)));
        names.iter().map(value).collect::<Outcome<Map>>().map_err(raise)
    }

    #[rhai_fn(global, name = "to_string", name = "to_debug")]
    pub fn metrics_to_string(metrics: Metrics) -> String {
        match metrics {
            Metrics::Classes(confusion) => {
                format!("Metrics({} classes, {} items)", confusion.classes(), confusion.counts().iter().sum::<u64>())
            }
            Metrics::Loss { count, .. } => format!("Metrics({count} losses)"),
            Metrics::Regression { count, .. } => format!("Metrics({count} numbers)"),
        }
    }
}

/// Returns the run of a batch whose step comes in order.
fn shared(batch: &Batch, what: &str) -> Answer<std::sync::Arc<crate::script::batches::flow::Flow>> {
    let about = batch.about();
    let Some(flow) = &about.flow else {
        return Err(raise(Error::script(format!("the batch is not in a pipeline, so there is not {what}"))));
    };
    match about.ahead {
        false => Ok(flow.clone()),
        true => Err(raise(
            Error::script(format!("{what} of the pipeline is used in a part of it that runs ahead"))
                .hint("give the step `ordered: true`: batches then come to it in order, one after another"),
        )),
    }
}
