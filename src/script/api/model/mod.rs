//! Models in pipelines, and metrics that are gathered over batches.

mod metrics;
mod steps;

use rhai::plugin::*;
use rhai::{Dynamic, Engine, Map};

use crate::assemble;
use crate::error::{Error, Result as Outcome};
use crate::record::Name;
use crate::script::api::arguments::{Answer, Source};
use crate::script::api::{Page, options::Options};
use crate::script::batches::convert;
use crate::script::batches::metrics::Metrics;
use crate::script::batches::model::{Arrays, Model};
use crate::script::cast;
use crate::script::host::Host;
use crate::script::traceback::raise;
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
    let mut module = exported_module!(functions);
    steps::register(&mut module);
    metrics::register(&mut module);
    engine.register_global_module(module.into());
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

#[export_module]
#[allow(clippy::unwrap_used, reason = "what the macro makes of a `&mut` argument")]
mod functions {
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
}
