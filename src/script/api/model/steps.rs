//! Models as steps of a pipeline, and in its actions.

use rhai::plugin::*;
use rhai::{Dynamic, Map};

use super::{make, predict, train};
use crate::error::{Error, Result as Outcome};
use crate::pipeline::Next;
use crate::script::api::arguments::{Answer, Source};
use crate::script::api::options::Options;
use crate::script::batches::Batch;
use crate::script::batches::expression::{At, prepare, resolve};
use crate::script::batches::model::Model;
use crate::script::batches::pipeline::{Pipeline, save_for};
use crate::script::host::Host;
use crate::script::traceback::{raise, type_phrase};

/// Registers the functions.
pub fn register(module: &mut Module) {
    module.combine_flatten(exported_module!(functions));
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
