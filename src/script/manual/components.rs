//! The built-in components, read from the lists of their rooms.

use crate::registry::{Entry, Parameter};
use crate::{augmentor, loader, loss, metric, network, optimizer, schedule, transformer};

/// One kind of component.
#[derive(Clone, Debug)]
pub struct Section {
    /// The name of the page: `losses`.
    pub name: &'static str,
    /// The heading.
    pub title: &'static str,
    /// What the kind is for.
    pub intro: &'static str,
    /// The components, in the order of their list.
    pub components: Vec<Component>,
}

/// One built-in component.
#[derive(Clone, Debug)]
pub struct Component {
    /// Its name.
    pub name: &'static str,
    /// Other names.
    pub aliases: Vec<&'static str>,
    /// Its text.
    pub doc: &'static str,
    /// Its parameters.
    pub parameters: &'static [Parameter],
}

/// Returns all kinds in the order of a recipe.
pub fn sections() -> Vec<Section> {
    let section = |name, title, intro, components| Section { name, title, intro, components };
    vec![
        section("loaders", "Loaders", "Named by `dataset.loader`.", read(loader::LIST)),
        section("transformers", "Transformers", "Named by `dataset.transformer`.", read(transformer::LIST)),
        section(
            "augmentors",
            "Augmentors",
            "Named by `dataset.augmentor`, applied left to right.",
            read(augmentor::LIST),
        ),
        section(
            "layers",
            "Layers",
            "Called on a layer in a network script (`x.dense(25, #{ activation: \"relu\" })`), or named by `import` in \
             `sequential_from_config`.",
            layers(),
        ),
        section(
            "initializers",
            "Initializers",
            "Named by a layer's `kernel_initializer` and the like.",
            read(network::initializer::LIST),
        ),
        section("losses", "Losses", "Named by `model.outputs[].loss`; every loss is also a metric.", read(loss::LIST)),
        section("metrics", "Metrics", "Named by `model.outputs[].metrics`.", read(metric::LIST)),
        section("optimizers", "Optimizers", "Named by `solver.optimizer`.", read(optimizer::LIST)),
        section(
            "schedules",
            "Learning-rate schedules",
            "Named by `solver.optimizer.learning_rate`.",
            read(schedule::LIST),
        ),
    ]
}

fn read<T: ?Sized>(list: &'static [Entry<T>]) -> Vec<Component> {
    list.iter()
        .map(|entry| Component {
            name: entry.name,
            aliases: entry.aliases.to_vec(),
            doc: entry.doc,
            parameters: entry.parameters,
        })
        .collect()
}

fn layers() -> Vec<Component> {
    network::layers::LIST
        .iter()
        .map(|layer| Component {
            name: layer.entry.name,
            aliases: vec![layer.script_name],
            doc: layer.entry.doc,
            parameters: layer.entry.parameters,
        })
        .collect()
}
