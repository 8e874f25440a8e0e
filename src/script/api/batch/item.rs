//! One item of a batch.

use rhai::plugin::*;
use rhai::{Dynamic, ImmutableString};

use crate::pipeline::Id;
use crate::script::api::arguments::Answer;
use crate::script::batches::Item;
use crate::script::batches::convert::from_id;
use crate::script::traceback::raise;

/// Registers the functions.
pub fn register(module: &mut Module) {
    module.combine_flatten(exported_module!(functions));
}

#[export_module]
#[allow(clippy::unwrap_used, reason = "what the macro makes of a `&mut` argument")]
mod functions {
    /// Returns the id of an item.
    ///
    /// ```rhai
    /// batch_of(#{ x: [5, 6] }, #{ ids: ["a", "b"] }).at(1).id // => "b"
    /// ```
    #[rhai_fn(get = "id", return_raw)]
    pub fn id(item: Item) -> Answer<Dynamic> {
        item.id().map(from_id).map_err(raise)
    }

    /// Returns the position of an item in its batch.
    ///
    /// ```rhai
    /// batch_of(#{ x: [5, 6] }, #{ ids: ["a", "b"] })["b"].position // => 1
    /// ```
    #[rhai_fn(get = "position")]
    pub fn position(item: Item) -> i64 {
        item.position as i64
    }

    /// Returns what a component holds of an item: `item.labels`. It can be written as well.
    ///
    /// # Errors
    /// A component that the batch does not have.
    ///
    /// ```rhai
    /// let batch = batch_of(#{ x: [5, 6] });
    /// for item in batch { item.x = item.x * 10; }
    /// batch.x // => tensor([50, 60])
    /// ```
    #[rhai_fn(index_get, pure, return_raw)]
    pub fn field(item: &mut Item, name: ImmutableString) -> Answer<Dynamic> {
        let value = item.batch.lock().item(&name, item.position);
        value.map(crate::script::cast::from_value).map_err(raise)
    }

    #[rhai_fn(index_set, pure, return_raw)]
    pub fn set_field(item: &mut Item, name: ImmutableString, value: Dynamic) -> Answer<()> {
        let value = crate::script::cast::to_value(&value).map_err(raise)?;
        item.batch.lock().set_item(&name, item.position, value).map_err(raise)
    }

    #[rhai_fn(global, name = "to_string", name = "to_debug")]
    pub fn item_to_string(item: Item) -> String {
        match item.id() {
            Ok(Id::Text(id)) => format!("Item({id:?})"),
            Ok(Id::Number(id)) => format!("Item({id})"),
            Err(_) => "Item()".to_owned(),
        }
    }
}
