//! Batches made of batches, and actions.

use rhai::plugin::*;
use rhai::{Array as List, Dynamic, Map};

use crate::error::Error;
use crate::pipeline::{self, Index};
use crate::registry::Params;
use crate::script::api::arguments::{Answer, Arguments, NameOrBlock, Source};
use crate::script::api::{dataset, options::Options};
use crate::script::batches::convert::to_items;
use crate::script::batches::{Batch, Dataset, Made, action};
use crate::script::host::Host;
use crate::script::traceback::{raise, type_phrase};

/// Registers the functions.
pub fn register(module: &mut Module) {
    module.combine_flatten(exported_module!(functions));
}

#[export_module]
#[allow(clippy::unwrap_used, reason = "what the macro makes of a `&mut` argument")]
mod functions {
    /// Returns the batch with a new component.
    ///
    /// # Errors
    /// A name that is taken, another number of items than ids.
    ///
    /// ```rhai
    /// batch_of(#{ x: [1, 2] }).add_component("y", [3, 4]).components // => ["x", "y"]
    /// ```
    #[rhai_fn(name = "add_component", return_raw)]
    pub fn add_component(batch: Batch, name: &str, items: Source) -> Answer<Batch> {
        let items = to_items(&items).map_err(|error| raise(error.within(format!("component `{name}`"))))?;
        batch.lock().add(name, items).map_err(raise)?;
        Ok(batch)
    }

    /// Returns a batch that shares nothing with this one.
    ///
    /// ```rhai
    /// let batch = batch_of(#{ x: [1, 2] });
    /// let other = batch.deep_copy();
    /// other.x[0] = 9;
    /// [batch.x[0], other.x[0]] // => [1, 9]
    /// ```
    #[rhai_fn(name = "deep_copy")]
    pub fn deep_copy(batch: Batch) -> Batch {
        batch.deep_copy()
    }

    /// Returns the batch of the items at an array of positions, which may repeat: its data is independent.
    ///
    /// # Errors
    /// No positions, and one out of range.
    ///
    /// ```rhai
    /// batch_of(#{ x: [5, 6, 7] }).subset([2, 0]).ids // => [2, 0]
    /// ```
    #[rhai_fn(name = "subset", return_raw)]
    pub fn subset(batch: Batch, positions: List) -> Answer<Batch> {
        let count = batch.lock().len();
        let position = |value: &Dynamic| {
            let position = value
                .as_int()
                .map_err(|found| Error::script(format!("expected positions, found {}", type_phrase(found))))?;
            usize::try_from(position)
                .ok()
                .filter(|at| *at < count)
                .ok_or_else(|| Error::data(format!("position {position} is out of range: the batch has {count} items")))
        };
        let positions = positions.iter().map(position).collect::<crate::Result<Vec<_>>>().map_err(raise)?;
        let part = batch.lock().subset(&positions).map_err(raise)?;
        Ok(batch.with(part))
    }

    /// Returns the same data as a batch of another script, whose functions are its actions from now on.
    ///
    /// # Errors
    /// No such script.
    ///
    /// ```rhai
    /// let batch = batch_of(#{ images: ones([2, 2, 2]) }).as_batch("batches/pictures");
    /// batch.action("darken", 0.5).images.max().item // => 0.5
    /// ```
    #[rhai_fn(name = "as_batch", return_raw)]
    pub fn as_batch(context: NativeCallContext, batch: Batch, import: NameOrBlock) -> Answer<Batch> {
        let module = dataset::module(&Host::of(&context)?, &import, Params::new()).map_err(raise)?;
        Ok(batch.changed(|about| about.module = Some(module)))
    }

    /// Returns a data set of the items of the batch, whose batches have the same script.
    ///
    /// ```rhai
    /// batch_of(#{ x: [5, 6] }).as_dataset().batch([1]).x // => tensor([6])
    /// ```
    #[rhai_fn(name = "as_dataset", return_raw)]
    pub fn as_dataset(batch: Batch) -> Answer<Dataset> {
        let mut data = batch.lock();
        let index = data.index().clone();
        let components = data.components().map_err(raise)?;
        let parts = components.iter().map(|(name, items)| (name.clone(), super::by_id(&index, items))).collect();
        let preloaded = Some(std::sync::Arc::new(pipeline::Source::Named(parts)));
        Ok(Dataset::new(index, Made { module: batch.about().module.clone(), preloaded, ..Made::default() }))
    }

    /// Returns `[merged, rest]`: the batches as one, ids kept, and a rest when they have more items than the option
    /// `batch_size` says, else `()`.
    ///
    /// # Errors
    /// No batches, a component that some have and others have not.
    ///
    /// ```rhai
    /// let parts = merge([batch_of(#{ x: [1, 2, 3] }), batch_of(#{ x: [4, 5] })], #{ batch_size: 4 });
    /// [parts[0].x, parts[1].x] // => [tensor([1, 2, 3, 4]), tensor([5])]
    /// merge([batch_of(#{ x: [1] }), batch_of(#{ x: [2] })])[0].x // => tensor([1, 2])
    /// ```
    #[rhai_fn(name = "merge", return_raw)]
    pub fn merge(batches: List) -> Answer<List> {
        merge_with(batches, Map::new())
    }

    #[rhai_fn(name = "merge", return_raw)]
    pub fn merge_with(batches: List, options: Map) -> Answer<List> {
        let mut options = Options::new("merge", options);
        let size = options.whole("batch_size")?.map(|size| size as usize);
        options.finish()?;
        let parts: Option<Vec<Batch>> = batches.iter().map(|batch| batch.clone().try_cast::<Batch>()).collect();
        let parts = parts.ok_or_else(|| raise(Error::script("`merge`: expected an array of batches")))?;
        let first = parts.first().ok_or_else(|| raise(Error::script("`merge`: there are no batches")))?.clone();
        let mut data: Vec<pipeline::Batch> = parts.iter().map(|part| part.lock().clone()).collect();
        let (merged, rest) = pipeline::Batch::merge(&mut data, size).map_err(raise)?;
        Ok(vec![Dynamic::from(first.with(merged)), rest.map_or(Dynamic::UNIT, |rest| Dynamic::from(first.with(rest)))])
    }

    /// Returns the batch after an action: a function of its script, or `load` and `dump`. Arguments are an array of
    /// them, or a single one.
    ///
    /// # Errors
    /// An unknown action, whatever it raises, a result that is neither a batch nor nothing.
    ///
    /// ```rhai
    /// let batch = batch_of(#{ images: ones([2, 2, 2]) }, #{ batch: "batches/pictures" });
    /// batch.action("darken", [0.5]).images.max().item // => 0.5
    /// batch.action("invert").images.max().item // => 0.5
    /// ```
    #[rhai_fn(name = "action", return_raw)]
    pub fn act(context: NativeCallContext, batch: Batch, name: &str) -> Answer<Batch> {
        act_with(context, batch, name, Dynamic::UNIT)
    }

    #[rhai_fn(name = "action", return_raw)]
    pub fn act_with(context: NativeCallContext, batch: Batch, name: &str, arguments: Arguments) -> Answer<Batch> {
        action::run(&Host::of(&context)?, &batch, name, action::arguments(arguments)).map_err(raise)
    }

    /// Returns what the batch holds.
    #[rhai_fn(global, name = "to_string", name = "to_debug")]
    pub fn to_string(batch: Batch) -> String {
        batch.to_string()
    }
}

/// Returns items as a source that finds them by id.
fn by_id(index: &Index, items: &crate::batch::Items) -> pipeline::Source {
    let pairs = index.ids().enumerate().filter_map(|(at, id)| Some((id, items.get(at).ok()?)));
    pipeline::Source::ById(pairs.collect())
}
