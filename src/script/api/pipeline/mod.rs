//! Pipelines.

mod compose;
mod run;
mod steps;
mod variables;

use rhai::Engine;

use crate::script::api::Page;
use crate::script::batches::pipeline::Pipeline;

/// The page of the manual.
pub const PAGE: Page = Page {
    name: "pipeline",
    title: "Pipeline",
    intro: "A `Pipeline` is a chain of steps that batches go through, on a data set or standing alone. It does nothing until it \
            runs. Each call returns another pipeline: it begins with the variables of the one before, and shares its models.\n\n\
            ```rhai\n\
            let ds = dataset(4, #{ preloaded: #{ x: [1.0, 2.0, 3.0, 4.0] } });\n\
            let scale = pipeline().exec(|batch| batch.x = batch.x * 10);\n\
            let sums = ds.pipeline()\n    \
                .init_variable(\"sums\", [])\n    \
                .apply(|x| x + 1, #{ src: \"x\" })\n    \
                .update(V(\"sums\", \"a\"), |batch| batch.x.sum().item);\n\
            let p = (scale + sums) << ds;\n\
            p.run(2, #{ n_epochs: 1 });\n\
            p.v(\"sums\") // => [32.0, 72.0]\n\
            ```\n\n\
            *Values.* Where a step takes a value it takes a [named expression](expression.md) or a function of the batch as well, \
            computed anew for each batch.\n\n\
            *Order.* With `prefetch: n`, so many batches are made ahead on threads of their own, and come out in the order they \
            went in. Steps that leave something behind (`update`, `save_to`, models, functions that change variables around them) \
            and all steps after them take the batches one after another, in order: results are the same for any `prefetch`. An error \
            ends the run and is raised, with or without `prefetch`.\n\n\
            *Draws.* All random numbers depend on the seed of the run, the number of the batch and the position of the item.",
    register,
};

fn register(engine: &mut Engine) {
    engine.register_type_with_name::<Pipeline>("Pipeline");
    let mut module = rhai::Module::new();
    compose::register(&mut module);
    steps::register(&mut module);
    variables::register(&mut module);
    run::register(&mut module);
    engine.register_global_module(module.into());
}
