//! `load` and `dump`.

use rhai::plugin::*;
use rhai::{Dynamic, Map};

use crate::script::api::arguments::{Answer, Source};
use crate::script::batches::{Batch, action, load};
use crate::script::host::Host;
use crate::script::traceback::raise;

/// Registers the functions.
pub fn register(module: &mut Module) {
    module.combine_flatten(exported_module!(functions));
}

#[export_module]
#[allow(clippy::unwrap_used, reason = "what the macro makes of a `&mut` argument")]
mod functions {
    /// Returns the batch, loaded from `src`: data of the whole set, from which it takes its items by id. Options:
    /// `src`, which may also stand first; `dst`, the component to fill, or an array of them; `fmt`, the format of
    /// files. Where the batch's script defines `load(batch, src, options)`, that is what runs.
    ///
    /// # Errors
    /// Data that has no item for an id, an unknown format, unknown options.
    ///
    /// ```rhai
    /// let batch = dataset(3).batch([2, 0]);
    /// batch.load(#{ src: [5, 6, 7], dst: "labels" });
    /// batch.load([[0.5, 1.5, 2.5], ["a", "b", "c"]], #{ dst: ["x", "name"] });
    /// [batch.labels, batch.x, batch.name] // => [tensor([7, 5]), tensor([2.5, 0.5]), ["c", "a"]]
    /// ```
    #[rhai_fn(name = "load", return_raw)]
    pub fn load(context: NativeCallContext, batch: Batch, src: Source) -> Answer<Batch> {
        load_with(context, batch, src, Map::new())
    }

    #[rhai_fn(name = "load", return_raw)]
    pub fn load_with(context: NativeCallContext, batch: Batch, src: Source, options: Map) -> Answer<Batch> {
        super::through(&context, batch, "load", "src", src, options)
    }

    /// Returns the batch, loaded as if its script defined no `load`: for a script's own `load` to go on with.
    ///
    /// ```rhai
    /// dataset(3).batch([2]).super_load([5, 6, 7], #{ dst: "x" }).x // => tensor([7])
    /// ```
    #[rhai_fn(name = "super_load", return_raw)]
    pub fn super_load(context: NativeCallContext, batch: Batch, src: Source, options: Map) -> Answer<Batch> {
        load::load(&Host::of(&context)?, &batch, src, options).map_err(raise)?;
        Ok(batch)
    }

    /// Returns the batch, after writing a component to `dst`: a collection, where each item gets the place of its id.
    /// Options: `dst`, which may also stand first; `components`, what to write; `fmt`, the format of files. Where
    /// the batch's script defines `dump(batch, dst, options)`, that is what runs.
    ///
    /// # Errors
    /// An unknown format, unknown options.
    ///
    /// ```rhai
    /// let out = collection(index(2));
    /// batch_of(#{ x: [6, 5] }, #{ ids: [1, 0] }).dump(out, #{ components: "x" });
    /// out.data // => tensor([5, 6])
    /// ```
    #[rhai_fn(name = "dump", name = "save", return_raw)]
    pub fn dump(context: NativeCallContext, batch: Batch, dst: Source) -> Answer<Batch> {
        dump_with(context, batch, dst, Map::new())
    }

    #[rhai_fn(name = "dump", name = "save", return_raw)]
    pub fn dump_with(context: NativeCallContext, batch: Batch, dst: Source, options: Map) -> Answer<Batch> {
        super::through(&context, batch, "dump", "dst", dst, options)
    }

    /// Returns the batch, written as if its script defined no `dump`: for a script's own `dump` to go on with.
    ///
    /// ```rhai
    /// let out = collection(index(1));
    /// batch_of(#{ x: [6] }).super_dump(out, #{ components: "x" });
    /// out.missing // => 0
    /// ```
    #[rhai_fn(name = "super_dump", return_raw)]
    pub fn super_dump(context: NativeCallContext, batch: Batch, dst: Source, options: Map) -> Answer<Batch> {
        load::dump(&Host::of(&context)?, &batch, dst, options).map_err(raise)?;
        Ok(batch)
    }
}

/// Runs `load` or `dump` by way of the batch's script, if that defines it.
fn through(
    context: &NativeCallContext,
    batch: Batch,
    name: &'static str,
    key: &str,
    first: Dynamic,
    options: Map,
) -> Answer<Batch> {
    let mut given = load::Given::new(name, options);
    let first = given.merged(key, first).map_err(raise)?;
    let arguments = vec![first, Dynamic::from(given.rest())];
    action::run(&Host::of(context)?, &batch, name, arguments).map_err(raise)
}
