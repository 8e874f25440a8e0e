//! What a recipe is written with, besides data and trainers.

use rhai::plugin::*;
use rhai::{Array as List, Dynamic, Engine, EvalAltResult, Map};

use crate::error::{Error, codes};
use crate::optimizer;
use crate::script::api::Page;
use crate::script::host::Host;
use crate::script::traceback::{raise, type_phrase};

/// The page of the manual.
pub const PAGE: Page = Page {
    name: "recipe",
    title: "Recipes",
    intro: "A recipe is a program: it reads records, builds the map of four sections (`dataset`, `model`, `solver`, \
            `services`), trains and scores. The word `import` is reserved in Rhai, so a block that names a component is \
            written with a quoted key, `#{ \"import\": \"KeySelector\", params: #{ … } }`, or with `component`.\n\n\
            ```rhai\n\
            let parts = read_records(\"flowers.csv\").split(0.5, #{ seed: 1, stratify: \"species\" });\n\
            let config = #{\n    \
                dataset: #{ loader: component(\"loaders.flowers\"), seed: 1 },\n    \
                model: #{\n        \
                    network: component(\"networks.dense\", #{ units: 10 }),\n        \
                    outputs: [#{ name: \"species\", loss: component(\"sparse_categorical_crossentropy\") }],\n    \
                },\n    \
                solver: #{ epochs: 2, optimizer: #{ \"import\": \"Adam\", learning_rate: 0.01 } },\n\
            };\n\
            let history = trainer(\"flowers\", #{ overwrite: true }).train(config, parts[0], parts[1]);\n\
            history.epochs // => 2\n\
            ```",
    register,
};

fn register(engine: &mut Engine) {
    engine.register_global_module(exported_module!(functions).into());
}

#[export_module]
#[allow(clippy::unwrap_used, reason = "what the macro makes of a `&mut` argument")]
mod functions {
    /// Returns the block that names a component: `#{ "import": path }`.
    ///
    /// ```rhai
    /// component("IdentityTransformer") // => #{"import": "IdentityTransformer"}
    /// ```
    #[rhai_fn(name = "component")]
    pub fn component(path: &str) -> Map {
        Map::from([("import".into(), Dynamic::from(path.to_owned()))])
    }

    /// Returns the block that names a component, with its parameters. The learning rate of an optimizer stands beside
    /// them in a config, and in this block, too.
    ///
    /// ```rhai
    /// component("Huber", #{ delta: 2.0 }) // => #{"import": "Huber", "params": #{"delta": 2.0}}
    /// component("SGD", #{ learning_rate: 0.1, momentum: 0.9 }) // => #{"import": "SGD", "learning_rate": 0.1, "params": #{"momentum": 0.9}}
    /// ```
    #[rhai_fn(name = "component")]
    pub fn component_with(path: &str, params: Map) -> Map {
        let mut params = params;
        let rate = optimizer::LIST.iter().any(|entry| entry.name == path).then(|| params.remove("learning_rate"));
        let mut block =
            Map::from([("import".into(), Dynamic::from(path.to_owned())), ("params".into(), params.into())]);
        block.extend(rate.flatten().map(|rate| ("learning_rate".into(), rate)));
        block
    }

    /// Returns a field of a map, or the default when the map does not have it. Reading a field that is
    /// not there with `.` is an error.
    ///
    /// ```rhai
    /// let params = #{ units: 10 };
    /// [params.get("units", 5), params.get("rate", 0.5)] // => [10, 0.5]
    /// ```
    #[rhai_fn(name = "get", pure)]
    pub fn get(map: &mut Map, name: &str, default: Dynamic) -> Dynamic {
        map.get(name).cloned().unwrap_or(default)
    }

    /// Returns the arguments after `--` on the command line, as an array of texts.
    ///
    /// ```rhai
    /// args() // => []
    /// ```
    #[rhai_fn(name = "args", return_raw)]
    pub fn arguments(context: NativeCallContext) -> Result<List, Box<EvalAltResult>> {
        Ok(Host::of(&context)?.arguments().iter().map(|argument| Dynamic::from(argument.clone())).collect())
    }

    /// Returns a file's JSON (comments allowed) as maps, arrays, numbers and texts. The name is relative to
    /// the project root.
    ///
    /// # Errors
    /// A missing file, a file outside the project, a mistake in the JSON with its line.
    ///
    /// ```rhai
    /// read_json("settings.json") // => #{"epochs": 3, "rate": 0.5}
    /// ```
    #[rhai_fn(name = "read_json", return_raw)]
    pub fn read_json(context: NativeCallContext, name: &str) -> Result<Dynamic, Box<EvalAltResult>> {
        let file = Host::of(&context)?.roots().readable(name).map_err(raise)?;
        let text = std::fs::read_to_string(&file).map_err(|error| {
            let error = Error::data(format!("cannot read `{name}`: {}", crate::script::host::reason(&error)));
            raise(error.coded(codes::UNREADABLE_DATA))
        })?;
        let written = crate::recipe::Written::from_json(name, &text).map_err(raise)?;
        Ok(crate::script::cast::from_json(&written.root.to_value()))
    }

    /// Stops with an error unless the condition holds.
    ///
    /// # Errors
    /// The condition is false.
    ///
    /// ```rhai
    /// assert(1 + 1 == 2, "arithmetic works") // => ()
    /// ```
    #[rhai_fn(name = "assert", return_raw)]
    pub fn assert(condition: Dynamic, message: &str) -> Result<(), Box<EvalAltResult>> {
        match condition.as_bool() {
            Ok(true) => Ok(()),
            Ok(false) => Err(raise(Error::script(message.to_owned()).coded(codes::THROWN))),
            Err(_) => Err(raise(Error::script(format!(
                "`assert` needs true or false, found {}",
                type_phrase(condition.type_name())
            )))),
        }
    }
}
