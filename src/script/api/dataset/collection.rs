//! Items gathered from batches.

use rhai::plugin::*;

use crate::pipeline::Index;
use crate::script::api::arguments::Answer;
use crate::script::batches::Collection;
use crate::script::batches::convert::from_items;
use crate::script::traceback::raise;

/// Registers the functions.
pub fn register(module: &mut Module) {
    module.combine_flatten(exported_module!(functions));
}

#[export_module]
#[allow(clippy::unwrap_used, reason = "what the macro makes of a `&mut` argument")]
mod functions {
    /// Returns an empty collection with a place for each id of an index: `batch.dump` writes items into it, in
    /// whatever order the batches come.
    ///
    /// ```rhai
    /// let ds = dataset(4, #{ preloaded: #{ x: [5, 6, 7, 8] } });
    /// let out = collection(ds.index);
    /// for batch in ds.gen_batch(3, #{ shuffle: 1 }) { batch.dump(#{ dst: out, components: "x" }); }
    /// out.data // => tensor([5, 6, 7, 8])
    /// ```
    #[rhai_fn(name = "collection")]
    pub fn collection(index: Index) -> Collection {
        Collection::new(index)
    }

    /// Returns the items of a collection in the order of the ids: a tensor, or an array.
    ///
    /// # Errors
    /// A place without an item.
    ///
    /// ```rhai
    /// let out = collection(index(1));
    /// dataset(1, #{ preloaded: #{ x: ["a"] } }).batch([0]).dump(#{ dst: out, components: "x" });
    /// out.data // => ["a"]
    /// ```
    #[rhai_fn(get = "data", return_raw)]
    pub fn collected(collection: Collection) -> Answer<Dynamic> {
        let items = collection.items().map_err(raise)?;
        Ok(from_items(&items))
    }

    /// Returns the number of places of a collection without an item.
    ///
    /// ```rhai
    /// collection(index(3)).missing // => 3
    /// ```
    #[rhai_fn(get = "missing")]
    pub fn missing(collection: Collection) -> i64 {
        collection.missing() as i64
    }

    #[rhai_fn(global, name = "to_string", name = "to_debug")]
    pub fn collection_to_string(collection: Collection) -> String {
        collection.to_string()
    }
}
