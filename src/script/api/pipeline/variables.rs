//! Variables and the config of a pipeline.

use rhai::plugin::*;
use rhai::{Dynamic, Map};

use crate::pipeline::Next;
use crate::script::api::arguments::Answer;
use crate::script::batches::expression::{prepare, resolve};
use crate::script::batches::pipeline::{Pipeline, save_for};
use crate::script::host::Host;
use crate::script::traceback::raise;

/// Registers the functions.
pub fn register(module: &mut Module) {
    module.combine_flatten(exported_module!(functions));
}

#[export_module]
#[allow(clippy::unwrap_used, reason = "what the macro makes of a `&mut` argument")]
mod functions {
    /// Returns the pipeline with a variable, which begins as the value of an expression that needs no batch. Runs go on
    /// with what it has; `reset("vars")` begins anew.
    ///
    /// ```rhai
    /// let p = dataset(3).pipeline().init_variable("seen", []).update(V("seen", "e"), |batch| batch.ids);
    /// p.run(2);
    /// p.run(2);
    /// p.v("seen") // => [0, 1, 2, 0, 1, 2]
    /// p.reset("vars").v("seen") // => []
    /// ```
    #[rhai_fn(name = "init_variable", return_raw)]
    pub fn init_variable(
        context: NativeCallContext,
        pipeline: Pipeline,
        name: &str,
        value: Dynamic,
    ) -> Answer<Pipeline> {
        let value = prepare(&context, value)?;
        let next = pipeline.changed(|inner| inner.begin.push((name.to_owned(), value.clone())));
        if !next.inner().flow.has(name) {
            next.begin(&Host::of(&context)?, name, &value).map_err(raise)?;
        }
        Ok(next)
    }

    /// Returns the pipeline with a step that saves a value for each batch: into a variable, a component, or an array or
    /// a map of such, which gets an array or a map of as many values.
    ///
    /// # Errors
    /// Arrays of different lengths, a mode that does not go with what is there.
    ///
    /// ```rhai
    /// let p = dataset(4, #{ preloaded: #{ x: [1, 2, 3, 4] } }).pipeline()
    ///     .update([V("last"), V("ids", "a")], [B("x").invoke("max").item, |batch| batch.ids]);
    /// p.run(3);
    /// [p.v("last"), p.v("ids")] // => [4, [[0, 1, 2], [3]]]
    /// ```
    #[rhai_fn(name = "update", return_raw)]
    pub fn update(context: NativeCallContext, pipeline: Pipeline, to: Dynamic, value: Dynamic) -> Answer<Pipeline> {
        let host = Host::of(&context)?;
        let (to, value) = (prepare(&context, to)?, prepare(&context, value)?);
        Ok(pipeline.step("update", true, move |batch| {
            let value = resolve(&host, &batch, value.clone())?;
            save_for(&host, &batch, &to, value)?;
            Ok(Next::On(batch))
        }))
    }

    /// Returns the value of a variable.
    ///
    /// # Errors
    /// A variable that is not there.
    ///
    /// ```rhai
    /// dataset(1).pipeline().init_variable("n", 5).v("n") // => 5
    /// ```
    #[rhai_fn(name = "v", return_raw)]
    pub fn variable(pipeline: Pipeline, name: &str) -> Answer<Dynamic> {
        pipeline.inner().flow.variable(name).map_err(raise)
    }

    /// Returns all variables, a map.
    ///
    /// ```rhai
    /// dataset(1).pipeline().init_variable("n", 5).variables // => #{"n": 5}
    /// ```
    #[rhai_fn(get = "variables")]
    pub fn variables(pipeline: Pipeline) -> Map {
        pipeline.inner().flow.variables()
    }

    /// Returns the pipeline, after setting a variable at once.
    ///
    /// ```rhai
    /// dataset(1).pipeline().set_variable("n", 6).v("n") // => 6
    /// ```
    #[rhai_fn(name = "set_variable", return_raw)]
    pub fn set_variable(pipeline: Pipeline, name: &str, value: Dynamic) -> Answer<Pipeline> {
        let mode = crate::script::batches::flow::Mode::Write;
        pipeline.inner().flow.save(name, value, mode).map_err(raise)?;
        Ok(pipeline)
    }

    /// Returns the pipeline, after forgetting a variable at once.
    ///
    /// ```rhai
    /// dataset(1).pipeline().set_variable("n", 6).delete_variable("n").variables // => #{}
    /// ```
    #[rhai_fn(name = "delete_variable")]
    pub fn delete_variable(pipeline: Pipeline, name: &str) -> Pipeline {
        pipeline.inner().flow.forget(name);
        pipeline
    }

    /// Returns the config of the pipeline, a map.
    ///
    /// ```rhai
    /// pipeline(#{ lr: 0.1 }).config // => #{"lr": 0.1}
    /// ```
    #[rhai_fn(get = "config")]
    pub fn config(pipeline: Pipeline) -> Map {
        pipeline.inner().flow.config()
    }
}
