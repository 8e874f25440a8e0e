//! A component of a batch.

use rhai::plugin::*;
use rhai::{Array as List, Dynamic};

use crate::script::api::arguments::Answer;
use crate::script::batches::Component;
use crate::script::batches::convert::from_items;
use crate::script::cast;
use crate::script::traceback::raise;
use crate::tensor::Tensor;

/// Registers the functions.
pub fn register(module: &mut Module) {
    module.combine_flatten(exported_module!(functions));
    module.set_iter(std::any::TypeId::of::<Component>(), |value| match value.try_cast::<Component>() {
        Some(component) => {
            let count = component.items().map_or(0, |items| items.len()) as i64;
            Box::new((0..count).filter_map(move |at| component.get(at).ok()).map(cast::from_value))
        }
        None => Box::new(std::iter::empty()),
    });
}

#[export_module]
#[allow(clippy::unwrap_used, reason = "what the macro makes of a `&mut` argument")]
mod functions {
    /// Returns the item of a component at a position, which can be written as well: `batch.images[i] = picture`. Negative
    /// positions count from the end. A range gives a tensor or an array of several.
    ///
    /// # Errors
    /// A position out of range; when written, a value of another shape or dtype than the others.
    ///
    /// ```rhai
    /// let batch = batch_of(#{ x: [5, 6, 7] });
    /// batch.x[0] += 10;
    /// [batch.x[0], batch.x[-1], batch.x[1..3]] // => [15, 7, tensor([6, 7])]
    /// ```
    #[rhai_fn(index_get, pure, return_raw)]
    pub fn item(component: &mut Component, position: i64) -> Answer<Dynamic> {
        component.get(position).map(cast::from_value).map_err(raise)
    }

    #[rhai_fn(index_get, pure, return_raw)]
    pub fn items(component: &mut Component, positions: std::ops::Range<i64>) -> Answer<Dynamic> {
        let items = component.items().map_err(raise)?;
        let count = items.len() as i64;
        let place = |at: i64| (if at < 0 { at.saturating_add(count) } else { at }).clamp(0, count) as usize;
        let range: Vec<usize> = (place(positions.start)..place(positions.end)).collect();
        Ok(from_items(&items.take(&range).map_err(raise)?))
    }

    #[rhai_fn(index_set, pure, return_raw)]
    pub fn set_item(component: &mut Component, position: i64, value: Dynamic) -> Answer<()> {
        let value = cast::to_value(&value).map_err(raise)?;
        component.set(position, value).map_err(raise)
    }

    /// Returns all items of a component as an array.
    ///
    /// ```rhai
    /// batch_of(#{ name: ["a", "b"] }).name.items // => ["a", "b"]
    /// ```
    #[rhai_fn(get = "items", return_raw)]
    pub fn list(component: Component) -> Answer<List> {
        let items = component.items().map_err(raise)?;
        (0..items.len()).map(|at| items.get(at).map(cast::from_value)).collect::<crate::Result<List>>().map_err(raise)
    }

    /// Returns all items of a component as a tensor, which later writes do not change.
    ///
    /// # Errors
    /// Items that are not numbers of one shape.
    ///
    /// ```rhai
    /// let batch = batch_of(#{ x: [5, 6] });
    /// let before = batch.x.tensor;
    /// batch.x[0] = 9;
    /// [before, batch.x] // => [tensor([5, 6]), tensor([9, 6])]
    /// ```
    #[rhai_fn(get = "tensor", return_raw)]
    pub fn tensor(component: Component) -> Answer<Tensor> {
        component.tensor().map_err(raise)
    }

    /// Returns the number of items of a component.
    ///
    /// ```rhai
    /// batch_of(#{ name: ["a", "b"] }).name.len // => 2
    /// ```
    #[rhai_fn(get = "len", name = "len", return_raw)]
    pub fn len(component: Component) -> Answer<i64> {
        component.items().map(|items| items.len() as i64).map_err(raise)
    }

    /// Returns the name of a component.
    ///
    /// ```rhai
    /// batch_of(#{ x: [5] }).x.name // => "x"
    /// ```
    #[rhai_fn(get = "name")]
    pub fn name(component: Component) -> String {
        component.name().to_owned()
    }

    #[rhai_fn(global, name = "to_string", name = "to_debug", return_raw)]
    pub fn to_string(context: NativeCallContext, component: Component) -> Answer<String> {
        match component.items() {
            Ok(items) => {
                let mut value = from_items(&items);
                let shown = context.call_native_fn_raw("to_string", true, &mut [&mut value])?;
                Ok(shown.into_string().unwrap_or_default())
            }
            Err(error) => Ok(format!("Component({:?}: {error})", component.name())),
        }
    }
}
