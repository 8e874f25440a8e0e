//! Pictures of batches: each operation of the list as a method of batches and of pipelines.

use rhai::{Dynamic, Engine, Map, Module};

use crate::error::Result;
use crate::pipeline::Next;
use crate::pipeline::images::{LIST, patches};
use crate::script::api::Page;
use crate::script::api::table::{self, Kind};
use crate::script::batches::expression::{follows, prepare};
use crate::script::batches::pipeline::Pipeline;
use crate::script::batches::{Batch, images};
use crate::script::host::Host;
use crate::script::traceback::raise;

/// The page of the manual.
pub const PAGE: Page = Page {
    name: "images",
    title: "Pictures of batches",
    intro: "Operations on the pictures of a batch, `[height, width]` or `[height, width, channels]`: methods of a batch, steps of a \
            pipeline, and actions by their names. Sizes, places and shifts have rows first. They run on all cores; what is drawn \
            is drawn from each item's own stream, so that results are a function of the seed.\n\n\
            ```rhai\n\
            let batch = batch_of(#{ images: range(0, 32).reshape([2, 4, 4]).to_u8(), masks: range(0, 32).reshape([2, 4, 4]).to_u8() });\n\
            batch.flip().crop(#{ shape: [1, 2], origin: \"top_left\" }).images // => tensor([[[3, 2]], [[19, 18]]]).to_u8()\n\
            batch.shift(#{ src: \"masks\", offset: [0, P([1, -1])], p: 1 }).masks[1][0] // => tensor([17, 18, 19, 0]).to_u8()\n\
            let ds = dataset(8, #{ preloaded: #{ images: zeros([8, 6, 6]), masks: zeros([8, 6, 6]) } });\n\
            let p = ds.pipeline()\n    \
                .add(#{ term: P(R(\"uniform\", 0, 1)), src: [\"images\", \"masks\"] })\n    \
                .rotate(#{ angle: P(R(\"uniform\", -30, 30)), p: 0.7, src: [\"images\", \"masks\"] })\n    \
                .crop(#{ shape: [4, 4], origin: \"random\", src: [\"images\", \"masks\"] });\n\
            let batch = p.next_batch(4, #{ shuffle: 42, prefetch: 2 });\n\
            [batch.images.shape, (batch.images - batch.masks).abs().max().item] // => [[4, 4, 4], 0.0]\n\
            ```\n\n\
            ```rhai\n\
            fn pic() { batch_of(#{ images: tensor([[[0, 100], [200, 250]]]).to_u8() }) }\n\
            pic().resize(#{ size: [1, ()], method: \"nearest\" }).images.shape // => [1, 1, 1]\n\
            pic().scale(#{ factor: 2, method: \"nearest\" }).images.shape // => [1, 4, 4]\n\
            pic().put_on_background(#{ background: zeros([4, 4]).to_u8(), origin: \"bottom_right\" }).images[0][3] // => tensor([0, 0, 200, 250]).to_u8()\n\
            pic().pad(#{ by: [0, 1], fill: \"edge\" }).images[0][0] // => tensor([0, 0, 100, 100]).to_u8()\n\
            pic().invert().images[0][1] // => tensor([55, 5]).to_u8()\n\
            pic().clip(#{ high: 150 }).images[0][1] // => tensor([150, 150]).to_u8()\n\
            pic().threshold(#{ at: 150 }).images[0] // => tensor([[0, 0], [255, 255]]).to_u8()\n\
            pic().multiply(#{ multiplier: 0.5 }).images[0][0] // => tensor([0.0, 50.0])\n\
            pic().posterize(#{ bits: 1 }).images[0][1] // => tensor([128, 128]).to_u8()\n\
            pic().enhance(#{ layout: \"b\", factor: 0.5 }).images[0][0] // => tensor([0, 50]).to_u8()\n\
            batch_of(#{ images: ones([1, 1, 1, 3]) }).grayscale().images.shape // => [1, 1, 1, 1]\n\
            pic().to_array(#{ dtype: \"f32\" }).images.dtype // => \"f32\"\n\
            pic().salt(#{ p_noise: 1, color: 7 }).images[0][0] // => tensor([7, 7]).to_u8()\n\
            pic().additive_noise(#{ scale: 0, loc: 1 }).images[0][0] // => tensor([1.0, 101.0])\n\
            pic().multiplicative_noise(#{ scale: 0 }).images[0][0] // => tensor([0.0, 100.0])\n\
            pic().cutout(#{ shape: [1, 2], origin: [0, 0] }).images[0][0] // => tensor([0, 0]).to_u8()\n\
            pic().filter(#{ mode: \"max\" }).images.min().item // => 250\n\
            let cut = pic().split_to_patches(#{ patch_shape: [1, 1] });\n\
            [cut.ids, cut.images[2]] // => [[\"0/0\", \"0/1\", \"0/2\", \"0/3\"], tensor([[200]]).to_u8()]\n\
            pic().elastic_transform(#{ alpha: 0, sigma: 1 }).images[0][1] // => tensor([200, 250]).to_u8()\n\
            ```\n\n\
            *Options of all of them*: `src`, the component, or several, which are changed in the same way (`\"images\"`, or the only \
            one); `dst`, where results go (`src`); `p`, the probability that an item is changed; `target` and `workers`, as for \
            `batch.apply`. Every option may be an expression or a function of the batch; `P(…)` has a value for each item, also \
            within an array. Pictures that come out in different sizes make a list, others a tensor.\n\n\
            *Numbers.* White is 255 in pictures of u8 and 1 in those of floats. Where BatchFlow has column before row, or rows of \
            Pillow's defaults, read the options: `resize` and `rotate` are bilinear here.",
    register,
};

fn register(engine: &mut Engine) {
    let mut module = Module::new();
    for operation in LIST {
        add(&mut module, operation.name, operation.text, move |host, batch, options| {
            images::change(host, batch, operation, options)
        });
    }
    add(&mut module, patches::NAME, patches::TEXT, images::split);
    engine.register_global_module(module.into());
}

fn add(
    module: &mut Module,
    name: &'static str,
    text: &str,
    change: impl Fn(&Host, &Batch, Map) -> Result<()> + Copy + Send + Sync + 'static,
) {
    let text = format!(
        "Returns the batch with its pictures {text}\n\nOf a pipeline: the pipeline with this as its next step. See above for the \
         options of all operations.\n\n# Errors\nWrong options, a component without pictures."
    );
    let (batch, pipeline) = (Kind::of::<Batch>("Batch"), Kind::of::<Pipeline>("Pipeline"));
    let own = |arguments: &mut [&mut Dynamic]| -> Map {
        arguments.get(1).and_then(|options| options.read_lock::<Map>().map(|map| map.clone())).unwrap_or_default()
    };
    for options in [&[("options", table::MAP)][..], &[]] {
        let all = [&[("batch", batch)][..], options].concat();
        table::register(module, name, &text, &all, "Batch", move |context, arguments| {
            let options = prepare(context, Dynamic::from(own(arguments)))?.try_cast::<Map>().unwrap_or_default();
            let batch = arguments[0].clone().try_cast::<Batch>();
            let batch = batch.ok_or_else(|| raise(crate::Error::script("expected a batch")))?;
            change(&Host::of(context)?, &batch, options).map_err(raise)?;
            Ok(Dynamic::from(batch))
        });
        let all = [&[("pipeline", pipeline)][..], options].concat();
        table::register(module, name, &text, &all, "Pipeline", move |context, arguments| {
            let pipeline = arguments[0].clone().try_cast::<Pipeline>();
            let pipeline = pipeline.ok_or_else(|| raise(crate::Error::script("expected a pipeline")))?;
            let host = Host::of(context)?;
            let options = prepare(context, Dynamic::from(own(arguments)))?;
            let ordered = follows(&options);
            let options = options.try_cast::<Map>().unwrap_or_default();
            let step = pipeline.step(name, ordered, move |batch| {
                change(&host, &batch, options.clone())?;
                Ok(Next::On(batch))
            });
            Ok(Dynamic::from(step))
        });
    }
}
