//! Batches of named components.

mod component;
mod data;
mod forward;
mod item;
mod parallel;
mod transfer;
mod whole;

use rhai::{Dynamic, Engine};

use crate::script::api::Page;
use crate::script::batches::{Batch, Component, Item, per_item::Failure};

/// The page of the manual.
pub const PAGE: Page = Page {
    name: "batch",
    title: "Batch",
    intro: "A `Batch` has the ids of some items, and components: for each kind of data, an item for each id. A data set makes \
            batches; `batch_of` makes one of data.\n\n\
            ```rhai\n\
            let batch = batch_of(#{ images: zeros([3, 2, 2]), labels: [5, 6, 7] }, #{ ids: [10, 20, 30] });\n\
            batch.images[1] = ones([2, 2]);\n\
            batch[30].labels = 8;\n\
            [batch.images[1].sum().item, batch.labels, batch.at(0).id] // => [4.0, tensor([5, 6, 8]), 10]\n\
            ```\n\n\
            *Components.* `batch.images` stands for the whole component, `batch.images[i]` for the item at a position; both can be \
            written. It has the methods of a tensor. `batch[id]` is the item of an id and `batch.at(position)` the one at a position, \
            with its components as fields. Copies of a batch share its data, so that what a function writes is there for its \
            caller; `deep_copy` makes an independent one.\n\n\
            *Actions.* Each function of the batch's script that takes a batch first is an action: it changes the batch and returns \
            it, or another one; a function that returns nothing has returned its batch. `batch.action(\"name\")` runs one, and so \
            does a pipeline. A script may define `load(batch, src, options)` and `dump(batch, dst, options)` to know formats of \
            its own, and go on to those below with `batch.super_load(src, options)`.\n\n\
            *For users of BatchFlow*, each example of its page on batches: `batches/mine` stands for a class `MyBatch`.\n\n\
            ```rhai\n\
            // batch = MyBatch(index, preloaded=data); Dataset(index, batch_class=MyBatch, preloaded=data)\n\
            let data = #{ images: ones([4, 2]), labels: [0, 1, 0, 1] };\n\
            let ds = dataset(4, #{ batch: \"batches/mine\", params: #{ scale: 2.0 }, preloaded: data, attrs: #{ classes: 2 } });\n\
            let batch = ds.batch([3, 1]);\n\
            // self.load(src=some_data, components=['comp1', 'comp2'])\n\
            batch.load(#{ src: [[1, 2, 3, 4], [5, 6, 7, 8]], dst: [\"comp1\", \"comp2\"] });\n\
            [batch.comp1, batch.comp2] // => [tensor([4, 2]), tensor([8, 6])]\n\
            // image_5 = batch.images[5]; batch.images[i] = new_image; label_k = batch[k].labels; batch[4].masks = new_masks\n\
            batch.images[0] = tensor([5.0, 5.0]);\n\
            batch.masks = [[0, 0], [0, 0]];\n\
            batch[1].masks = tensor([1, 1]);\n\
            [batch.images[0], batch[1].labels, batch.masks] // => [tensor([5.0, 5.0]), 1, tensor([[0, 0], [1, 1]])]\n\
            // batch.dataset, and the D-expression\n\
            batch.dataset.classes // => 2\n\
            // @action: batch.some_action(), batch.change_data(arg1, arg2) with @inbatch_parallel\n\
            batch.action(\"some_action\").action(\"change_data\", [10.0, 1.0]).images // => tensor([[101.0, 101.0], [21.0, 21.0]])\n\
            // .load('/some/path', 'raw') with async per-item readers, .dump(...)\n\
            let files = dataset(files_index(\"items/*.json\", #{ no_ext: true }), #{ batch: \"batches/mine\" });\n\
            let out = collection(files.index);\n\
            files.pipeline().load(\"items\", #{ fmt: \"raw\" }).dump(out, #{ components: \"images\" }).run(2);\n\
            out.data // => tensor([[1.0, 2.0], [3.0, 4.0]])\n\
            // @inbatch_parallel(init='run_once', target='async')\n\
            files.batch([\"a\", \"b\"]).action(\"read_some_data\", \"items/a.json\").masks // => tensor([1.0, 2.0])\n\
            // self.get_model_by_name(model_name)\n\
            let config = #{ model: read_json(\"flowers.json\").model, solver: read_json(\"flowers.json\").solver };\n\
            let p = ds.pipeline().init_model(\"net\", config).action(\"train_my_model\", [\"net\"], #{ ordered: true });\n\
            p.run(2, #{ prefetch: 1 });\n\
            p.m(\"net\").steps // => 2\n\
            ```",
    register,
};

fn register(engine: &mut Engine) {
    engine.register_type_with_name::<Batch>("Batch");
    engine.register_type_with_name::<Component>("Component");
    engine.register_type_with_name::<Item>("Item");
    engine.register_type_with_name::<Failure>("Failure");
    let mut module = rhai::Module::new();
    module.set_iter(std::any::TypeId::of::<Batch>(), |value| match value.try_cast::<Batch>() {
        Some(batch) => {
            let count = batch.lock().len();
            Box::new((0..count).map(move |position| Dynamic::from(Item { batch: batch.clone(), position })))
        }
        None => Box::new(std::iter::empty()),
    });
    data::register(&mut module);
    transfer::register(&mut module);
    whole::register(&mut module);
    item::register(&mut module);
    component::register(&mut module);
    parallel::register(&mut module);
    engine.register_global_module(module.into());
}

/// Lets components be used as the tensors they are.
pub fn register_forwards(engine: &mut Engine) {
    engine.register_global_module(forward::module().into());
}
