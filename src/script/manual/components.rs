//! The built-in components, read from the lists of their rooms.

use rhai::{Dynamic, Engine};

use crate::network::{LayerEntry, Symbol};
use crate::registry::{Entry, Parameter, Type};
use crate::script::api;
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
    /// A line of a script that uses it, when there is one to show.
    pub example: Option<String>,
}

/// Returns all kinds in the order of a recipe.
pub fn sections() -> Vec<Section> {
    let section = |name, title, intro, components| Section { name, title, intro, components };
    vec![
        section("loaders", "Loaders", LOADERS, read(loader::LIST)),
        section("transformers", "Transformers", TRANSFORMERS, read(transformer::LIST)),
        section("augmentors", "Augmentors", AUGMENTORS, read(augmentor::LIST)),
        section("layers", "Layers", LAYERS, layers()),
        section("initializers", "Initializers", INITIALIZERS, read(network::initializer::LIST)),
        section("regularizers", "Regularizers", REGULARIZERS, read(network::regularizer::LIST)),
        section("constraints", "Constraints", CONSTRAINTS, read(network::constraint::LIST)),
        section("losses", "Losses", LOSSES, read(loss::LIST)),
        section("metrics", "Metrics", METRICS, read(metric::LIST)),
        section("optimizers", "Optimizers", OPTIMIZERS, read(optimizer::LIST)),
        section("schedules", "Learning-rate schedules", SCHEDULES, read(schedule::LIST)),
    ]
}

const LOADERS: &str = "A loader turns a record into named inputs `x`, outputs `y` and, if wanted, sample weights `w`. A recipe \
    names it at `dataset.loader`:\n\n\
    ```rhai\n\
    let dataset = #{\n    \
        loader: component(\"KeySelector\", #{ inputs: #{ flower: [\"petal_length\"] }, outputs: #{ species: \"label\" } }),\n\
    };\n\
    ```\n\n\
    A scripted one defines `load(record)`; in the mode `score` it gives inputs only:\n\n\
    ```rhai\n\
    fn load(record) {\n    \
        let x = #{ flower: record.gather([\"petal_length\", \"petal_width\"]) };\n    \
        if this.mode == \"score\" { return [x]; }\n    \
        [x, #{ species: record.label }]\n\
    }\n\
    ```";

const TRANSFORMERS: &str = "A transformer is fitted once on the training records and then applied to every data record; on scores it \
    is undone. A recipe names it at `dataset.transformer`:\n\n\
    ```rhai\n\
    let dataset = #{ transformer: component(\"std.transformers.standardise\") };\n\
    ```\n\n\
    A scripted one defines `transform(data_record)`, and if wanted `fit(records)`, which keeps what it learns in `this`, and \
    `postprocess(score)`:\n\n\
    ```rhai\n\
    fn fit(records) { this.mean = this.loader.load_all(records).x.flower.mean(0); }\n\
    fn transform(data_record) {\n    \
        data_record.x.flower -= this.mean;\n    \
        data_record\n\
    }\n\
    ```\n\n\
    In place of `fit` it may define `fit_partial(records)`, which returns what some of the records tell, `merge(a, b)`, which puts \
    two such results together, and `finish(state)`, which keeps the last one in `this`. Parts of the records are then \
    looked at side by side, and by several machines with `barrage fit --shard`:\n\n\
    ```rhai\n\
    fn fit_partial(records) {\n    \
        let values = this.loader.load_all(records).x.flower;\n    \
        #{ count: values.shape[0], sum: values.sum(0) }\n\
    }\n\
    fn merge(a, b) { #{ count: a.count + b.count, sum: a.sum + b.sum } }\n\
    fn finish(state) { this.mean = state.sum / state.count; }\n\
    ```";

const AUGMENTORS: &str = "An augmentor changes the training records anew in each epoch. A recipe lists them at `dataset.augmentor`; \
    they are applied from first to last:\n\n\
    ```rhai\n\
    let dataset = #{ augmentor: [component(\"std.augmentors.noise\", #{ input: \"flower\", deviation: 0.05 })] };\n\
    ```\n\n\
    A scripted one is a function of the data record, its parameters and a stream of random numbers:\n\n\
    ```rhai\n\
    fn augment(data_record, params, rng) {\n    \
        if rng.chance(0.5) { data_record.x.flower *= 0.9; }\n    \
        data_record\n\
    }\n\
    ```";

const LAYERS: &str = "Called on a layer in a [network script](network.md), or named by `import` in the list of \
    `sequential_from_config`, which needs no script:\n\n\
    ```rhai\n\
    let x = input(\"flower\", [4]);\n\
    x.dense(25, #{ activation: \"relu\" }).dense(3, #{ activation: \"softmax\", name: \"species\" }) // => Layer(Dense, [3])\n\
    let layers = [\n    \
        component(\"Input\", #{ shape: [4], name: \"flower\" }),\n    \
        component(\"Dense\", #{ units: 25, activation: \"relu\" }),\n    \
        component(\"Dense\", #{ units: 3, activation: \"softmax\", name: \"species\" }),\n\
    ];\n\
    let model = #{ network: component(\"sequential_from_config\", #{ layers: layers }) };\n\
    ```\n\n\
    Every layer also takes `trainable` and `activity_regularizer`, a penalty on its output, divided by the number of records.";

const INITIALIZERS: &str = "How the weights of a layer start: named by its `kernel_initializer` and the like, with a seeded generator \
    of our own.\n\n\
    ```rhai\n\
    input(\"x\", [4]).dense(3, #{ kernel_initializer: \"he_normal\" }) // => Layer(Dense, [3])\n\
    ```";

const REGULARIZERS: &str = "Penalties that join the loss, so that weights stay small: named by a layer's `kernel_regularizer` and the \
    like, for the weights that are trained; `activity_regularizer` is one on the layer's output.\n\n\
    ```rhai\n\
    input(\"x\", [4]).dense(3, #{ kernel_regularizer: component(\"L2\", #{ l2: 0.001 }) }) // => Layer(Dense, [3])\n\
    ```";

const CONSTRAINTS: &str = "Rules that weights are brought back to after each step of the optimizer: named by a layer's \
    `kernel_constraint` and the like.\n\n\
    ```rhai\n\
    input(\"x\", [4]).dense(3, #{ kernel_constraint: component(\"MaxNorm\", #{ max_value: 1.5 }) }) // => Layer(Dense, [3])\n\
    ```";

const LOSSES: &str = "What training makes small: named for each output. Every loss is also a metric.\n\n\
    ```rhai\n\
    let outputs = [#{ name: \"price\", loss: component(\"Huber\", #{ delta: 2.0 }) }];\n\
    ```\n\n\
    A scripted one returns one value for each record, by tensor functions, which carry the gradients:\n\n\
    ```rhai\n\
    fn loss(y_true, y_pred) { (y_true - y_pred).abs().mean(-1) }\n\
    loss(tensor([[1.0, 2.0]]), tensor([[1.5, 2.5]])) // => tensor([0.5])\n\
    ```";

const METRICS: &str = "What is reported besides the loss: listed for each output.\n\n\
    ```rhai\n\
    let outputs = [#{\n    \
        name: \"species\",\n    \
        loss: component(\"sparse_categorical_crossentropy\"),\n    \
        metrics: [component(\"accuracy\")],\n\
    }];\n\
    ```\n\n\
    A scripted one is a function of a batch, whose values are averaged over the records, or defines `init()`, \
    `update(y_true, y_pred, weight)` and `result()`:\n\n\
    ```rhai\n\
    fn metric(y_true, y_pred) { (y_true == y_pred.argmax(-1)).mean() }\n\
    metric(tensor([0, 1]), tensor([[0.9, 0.1], [0.8, 0.2]])) // => tensor(0.5)\n\
    ```";

const OPTIMIZERS: &str = "How the weights follow the gradient. The learning rate, a number or a [schedule](schedules.md), stands beside \
    the name; the other parameters are `params`:\n\n\
    ```rhai\n\
    let solver = #{ optimizer: #{ \"import\": \"Adam\", learning_rate: 0.005, params: #{ beta_1: 0.8 } } };\n\
    ```";

const SCHEDULES: &str = "The learning rate as a function of the step:\n\n\
    ```rhai\n\
    let rate = component(\"ExponentialDecay\", #{ initial_learning_rate: 0.01, decay_steps: 100, decay_rate: 0.9 });\n\
    let solver = #{ optimizer: #{ \"import\": \"Adam\", learning_rate: rate } };\n\
    ```\n\n\
    A scripted one is a function of the step:\n\n\
    ```rhai\n\
    fn learning_rate(step) { if step < 100 { 0.01 } else { 0.001 } }\n\
    learning_rate(7) // => 0.01\n\
    ```";

fn read<T: ?Sized>(list: &'static [Entry<T>]) -> Vec<Component> {
    list.iter()
        .map(|entry| Component {
            name: entry.name,
            aliases: entry.aliases.to_vec(),
            doc: entry.doc,
            parameters: entry.parameters,
            example: None,
        })
        .collect()
}

fn layers() -> Vec<Component> {
    let mut engine = Engine::new_raw();
    (api::network::PAGE.register)(&mut engine);
    network::layers::LIST
        .iter()
        .map(|layer| {
            let code = layer_code(layer);
            let value = engine.eval::<Dynamic>(&code).ok();
            let shown = value.and_then(|value| value.read_lock::<Symbol>().map(|layer| api::network::show(&layer)));
            Component {
                name: layer.entry.name,
                aliases: vec![layer.script_name],
                doc: layer.entry.doc,
                parameters: layer.entry.parameters,
                example: shown.map(|shown| format!("{code} // => {shown}")),
            }
        })
        .collect()
}

/// Returns an expression that applies a layer to an input of a shape it takes.
fn layer_code(layer: &LayerEntry) -> String {
    let name = layer.script_name;
    if matches!(name, "attention" | "additive_attention") {
        return format!("{name}([input(\"a\", [20, 3]), input(\"b\", [10, 3])])");
    }
    if name == "dot" {
        return "dot([input(\"a\", [4]), input(\"b\", [4])], #{ axes: 1 })".to_owned();
    }
    if layer.merges {
        return format!("{name}([input(\"a\", [4]), input(\"b\", [4])])");
    }
    let input = match name {
        "embedding" => "input(\"x\", [20], #{ dtype: \"i64\" })",
        "simple_rnn"
        | "lstm"
        | "gru"
        | "bidirectional"
        | "time_distributed"
        | "masking"
        | "position_embedding"
        | "multi_head_attention" => "input(\"x\", [20, 3])",
        "permute" => "input(\"x\", [20, 3])",
        "group_normalization" => "input(\"x\", [8, 8, 64])",
        _ if name.contains("1d") => "input(\"x\", [8, 3])",
        _ if name.contains("2d") || name == "flatten" => "input(\"x\", [8, 8, 3])",
        _ => "input(\"x\", [4])",
    };
    let values: Vec<&str> = layer.positional.iter().map(|parameter| sample(layer, parameter)).collect();
    format!("{input}.{name}({})", values.join(", "))
}

/// Returns a value that a parameter may have.
fn sample(layer: &LayerEntry, name: &str) -> &'static str {
    let declared = layer.entry.parameters.iter().find(|parameter| parameter.name == name);
    match (name, declared) {
        ("target_shape", _) => "[2, 2]",
        ("dims", _) => "[2, 1]",
        ("axes", _) => "1",
        ("equation", _) => "\"ab,bc->ac\"",
        ("activation", _) => "\"relu\"",
        ("filters", _) => "16",
        ("kernel_size", _) => "3",
        ("input_dim", _) => "1000",
        ("sequence_length", _) => "20",
        ("layer", _) if layer.script_name == "bidirectional" => "#{ \"import\": \"LSTM\", params: #{ units: 2 } }",
        ("layer", _) => "#{ \"import\": \"Dense\", params: #{ units: 2 } }",
        (_, Some(Parameter { default: Some(default), .. })) if *default != "null" => default,
        (_, Some(Parameter { kind: Type::Float, .. })) => "0.5",
        (_, Some(Parameter { kind: Type::Text | Type::Component, .. })) => "\"relu\"",
        (_, Some(Parameter { kind: Type::Bool, .. })) => "true",
        _ => "2",
    }
}
