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
    /// Returns the batch, loaded from `src`: data of the whole set, from which it takes its items by id, or files.
    /// Options: `src`, which may also stand first; `dst`, the component to fill, or an array of them. Where the batch's
    /// script defines `load(batch, src, options)`, that is what runs.
    ///
    /// Formats, the option `fmt`:
    ///
    /// * `"npy"`, `"image"` (PNG, JPEG; `channels` 1, 3 or 4) and `"raw"` (bytes; with `shape` and `dtype`, numbers; `skip`
    ///   bytes before them) have a file for each item: in the folder `src`, named by the id, with or without the ending;
    ///   without `src`, where the index of files says; `src` may be another index of files. They are read on many
    ///   threads at once (`workers`). `"npy"` of a single file is an array of the whole set.
    /// * `"csv"`, `"json"`, `"jsonl"`, `"parquet"` and `"arrow"` are tables whose columns are components, and whose rows are found by
    ///   the column `id`, or, without one, as rows of the whole set. The ending of the name says it, too.
    ///
    /// Any of them may be compressed, `.gz` or `.zst` after the ending (Parquet compresses itself).
    ///
    /// # Errors
    /// Data that has no item for an id, files that are missing or damaged, an unknown format, unknown options.
    ///
    /// ```rhai
    /// let batch = dataset(3).batch([2, 0]);
    /// batch.load(#{ src: [5, 6, 7], dst: "labels" });
    /// batch.load([[0.5, 1.5, 2.5], ["a", "b", "c"]], #{ dst: ["x", "name"] });
    /// [batch.labels, batch.x, batch.name] // => [tensor([7, 5]), tensor([2.5, 0.5]), ["c", "a"]]
    /// let pictures = dataset(files_index("images/cat/*.png")).batch(["1.png"]);
    /// pictures.load(#{ fmt: "image", dst: "images" }).images.shape // => [1, 3, 4, 3]
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

    /// Returns the batch, after writing components to `dst`: a collection, where each item gets the place of its id, or
    /// files, each of which is replaced at once. Options: `dst`, which may also stand first; `components`, what to
    /// write; `fmt`, the format of files, as for `load`: a file for each item in the folder `dst` (of pictures, `ext` is
    /// `"png"` or `"jpg"`), or a table `dst` with a column `id`, where `*` in the name is the batch's number in its run;
    /// `compress`, `"zst"` or `"gz"`. Where the batch's script defines `dump(batch, dst, options)`, that is what runs.
    ///
    /// # Errors
    /// What a format cannot hold, an unknown format, a place outside of the project, unknown options.
    ///
    /// ```rhai
    /// let out = collection(index(2));
    /// batch_of(#{ x: [6, 5] }, #{ ids: [1, 0] }).dump(out, #{ components: "x" });
    /// out.data // => tensor([5, 6])
    /// let batch = batch_of(#{ x: [[1.5, 2.5], [3.5, 4.5]], y: [0, 1] }, #{ ids: ["a", "b"] });
    /// batch.dump("made/x", #{ fmt: "npy", components: "x", compress: "zst" }).dump("made/y.csv", #{ components: "y" });
    /// let other = dataset(["b", "a"]).batch(["b", "a"]).load("made/x", #{ fmt: "npy", dst: "x" }).load("made/y.csv");
    /// [other.x, other.y] // => [tensor([[3.5, 4.5], [1.5, 2.5]]), tensor([1, 0])]
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
