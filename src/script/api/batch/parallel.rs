//! Work on the items of a batch.

use rhai::plugin::*;
use rhai::{Array as List, Dynamic, Map};

use crate::script::api::arguments::{Answer, Callback};
use crate::script::api::options::Options;
use crate::script::batches::Batch;
use crate::script::batches::per_item::{self, Failure};
use crate::script::traceback::raise;

/// Registers the functions.
pub fn register(module: &mut Module) {
    module.combine_flatten(exported_module!(functions));
}

#[export_module]
#[allow(clippy::unwrap_used, reason = "what the macro makes of a `&mut` argument")]
mod functions {
    /// Returns the batch after a function was called for each item of components: `src` names the component whose items
    /// it gets, and the results become the component `dst` (by default `src`): one tensor when they have one shape, else
    /// a list. The function is a closure, a function of the script by its name, or one of the batch's script. Options:
    ///
    /// * `src`, a name; an array of names, each for itself and with the same draws, so that pictures and their masks go
    ///   the same way; in it arrays of names, whose items are arguments together, with as many results for `dst`;
    /// * `dst`, where results go: as many as `src`;
    /// * `args`, an array of further arguments; `P(values)` in it has one for each item;
    /// * `p`, the probability that an item is changed; others stay as they are;
    /// * `rng`, true for a last argument, an `Rng` of the item's own;
    /// * `target`: `"threads"` (the default) works on all cores, `"for"` on one item after another, `"async"` on many
    ///   threads that wait for files at the same time; `workers`, how many at most.
    ///
    /// Draws depend on the seed of the run, the batch's number and the item's position, never on threads. A function that
    /// assigns to variables around it is called for one item after another.
    ///
    /// # Errors
    /// What the function raises, with the item's id; results that are no data; unknown options.
    ///
    /// ```rhai
    /// let batch = batch_of(#{ x: [1, 2, 3], y: [10, 20, 30] });
    /// batch.apply(|x| x * 2, #{ src: "x" }).x // => tensor([2, 4, 6])
    /// batch.apply(|x, k| x + k, #{ src: ["x", "y"], args: [100] }).y // => tensor([110, 120, 130])
    /// batch.apply(|x, y| [y, x], #{ src: [["x", "y"]], dst: [["x", "y"]] }).x // => tensor([110, 120, 130])
    /// batch.apply(|x, k| x + k, #{ src: "y", args: [P([1, 2, 3])] }).y // => tensor([103, 106, 109])
    /// batch.apply(|x, rng| rng.below(1), #{ src: "x", dst: "z", rng: true, target: "for" }).z // => tensor([0, 0, 0])
    /// ```
    #[rhai_fn(name = "apply", return_raw)]
    pub fn apply(context: NativeCallContext, batch: Batch, function: Callback, options: Map) -> Answer<Batch> {
        per_item::apply(&context, &batch, &function, Options::new("apply", options))
    }

    /// Returns the batch after a function was called for each of its items, or what `post` returns. Options:
    ///
    /// * `init`, what each call gets: `"ids"` (the default), `"items"`, the name of a component, `"run_once"` for one
    ///   call without an item, an array, or a function of the batch that returns one; an entry that is an array has
    ///   several arguments;
    /// * `args`, further arguments; `P(values)` has one for each call;
    /// * `post`, a function of the batch and of all results, in the order of the items whoever was done first; a call
    ///   that failed gives an error, which `any_failed` and `errors` find. Without it, a failure is raised;
    /// * `target` and `workers`, as for `apply`.
    ///
    /// # Errors
    /// What the function raises, with the item's id; unknown options.
    ///
    /// ```rhai
    /// let batch = batch_of(#{ x: [1, 2, 3] }, #{ ids: ["a", "b", "c"] });
    /// fn load_one(id, folder) { `${folder}/${id}` }
    /// fn collect(batch, results) { batch.path = results; }
    /// batch.parallel("load_one", #{ args: ["data"], post: "collect", target: "async" }).path // => ["data/a", "data/b", "data/c"]
    /// batch.parallel(|x| 6 / (x - 2), #{ init: "x", post: |batch, results| errors(results).len() }) // => 1
    /// batch.parallel(|| 5, #{ init: "run_once", post: |batch, results| results }) // => [5]
    /// ```
    #[rhai_fn(name = "parallel", return_raw)]
    pub fn parallel_with(
        context: NativeCallContext,
        batch: Batch,
        function: Callback,
        options: Map,
    ) -> Answer<Dynamic> {
        per_item::parallel(&context, &batch, &function, Options::new("parallel", options))
    }

    #[rhai_fn(name = "parallel", return_raw)]
    pub fn parallel(context: NativeCallContext, batch: Batch, function: Callback) -> Answer<Dynamic> {
        parallel_with(context, batch, function, Map::new())
    }

    /// Returns whether any of the results of `parallel` is an error.
    ///
    /// ```rhai
    /// any_failed([1, 2]) // => false
    /// ```
    #[rhai_fn(name = "any_failed")]
    pub fn any_failed(results: List) -> bool {
        results.iter().any(Dynamic::is::<Failure>)
    }

    /// Returns the errors among the results of `parallel`: each has a `message`, a `place` in a script, the `id` of its
    /// item, and can be thrown.
    ///
    /// ```rhai
    /// fn post(batch, results) { let error = errors(results)[0]; [error.id, error.message] }
    /// batch_of(#{ x: [1, 0] }).parallel(|x| 6 / x, #{ init: "x", post: "post" }) // => [1, "division by zero: 6 / 0"]
    /// ```
    #[rhai_fn(name = "errors")]
    pub fn errors(results: List) -> List {
        results.into_iter().filter(Dynamic::is::<Failure>).collect()
    }

    /// Returns what went wrong with an item.
    ///
    /// ```rhai
    /// fn post(batch, results) { errors(results)[0].message }
    /// batch_of(#{ x: [0] }).parallel(|x| throw "no", #{ init: "x", post: "post" }) // => "no"
    /// ```
    #[rhai_fn(get = "message")]
    pub fn message(failure: Failure) -> String {
        failure.error.message().to_owned()
    }

    /// Returns the place in a script where an item failed: file, line and column, or nothing.
    ///
    /// ```rhai
    /// fn post(batch, results) { errors(results)[0].place }
    /// batch_of(#{ x: [0] }).parallel(|x| throw "no", #{ init: "x", post: "post" }).ends_with(":36") // => true
    /// ```
    #[rhai_fn(get = "place")]
    pub fn place(failure: Failure) -> Dynamic {
        failure.error.place().map_or(Dynamic::UNIT, |place| Dynamic::from(place.to_string()))
    }

    /// Returns the id of an item that failed, or nothing.
    ///
    /// ```rhai
    /// fn post(batch, results) { errors(results)[0].id }
    /// batch_of(#{ x: [0] }, #{ ids: ["a"] }).parallel(|x| throw "no", #{ init: "x", post: "post" }) // => "a"
    /// ```
    #[rhai_fn(get = "id")]
    pub fn failed_id(failure: Failure) -> Dynamic {
        failure.id.map_or(Dynamic::UNIT, crate::script::batches::convert::from_id)
    }

    #[rhai_fn(global, name = "to_string", name = "to_debug")]
    pub fn to_string(failure: Failure) -> String {
        format!("Failure({})", failure.told())
    }

    /// Stops a batch on its way through a pipeline: the run goes on with the next one. `throw skip_batch();` does the
    /// same.
    ///
    /// # Errors
    /// Outside of a pipeline, always.
    ///
    /// ```rhai
    /// let kept = dataset(4).pipeline().exec(|batch| if 0 in batch.index { skip_batch() });
    /// let seen = []; for batch in kept.gen_batch(2) { seen.push(batch.ids); }
    /// seen // => [[2, 3]]
    /// ```
    #[rhai_fn(name = "skip_batch", volatile, return_raw)]
    pub fn skip_batch() -> Answer<Dynamic> {
        Err(raise(per_item::skip()))
    }

    /// Stops the run of a pipeline before the batch it is called for: no error, the run is done.
    ///
    /// # Errors
    /// Outside of a pipeline, always.
    ///
    /// ```rhai
    /// let begun = dataset(4).pipeline().exec(|batch| if 2 in batch.index { stop_pipeline() });
    /// let seen = []; for batch in begun.gen_batch(1) { seen.push(batch.ids[0]); }
    /// seen // => [0, 1]
    /// ```
    #[rhai_fn(name = "stop_pipeline", volatile, return_raw)]
    pub fn stop_pipeline() -> Answer<Dynamic> {
        Err(raise(per_item::stop()))
    }
}
