//! Declarations of parameters.

use rhai::plugin::*;
use rhai::{Dynamic, Engine, Map};

use crate::script::api::Page;
use crate::script::api::arguments::Answer;
use crate::script::declaration;
use crate::script::traceback::raise;

/// The page of the manual.
pub const PAGE: Page = Page {
    name: "params",
    title: "Parameters",
    intro: "A component may say which parameters it takes, by a function `params()` that returns a map from name to \
            `required(…)` or `optional(…)`. What a recipe gives is then checked before anything starts (an unknown \
            name, a missing one, a value of a wrong type or out of range are shown where they stand), defaults are \
            filled into `this.params` and into the argument `params`, and `barrage help components.noise` prints them as \
            a table. A script without `params()` takes whatever it is given.\n\n\
            ```rhai\n\
            fn params() {\n    \
                #{\n        \
                    input: required(\"text\", \"the input that gets noise\"),\n        \
                    deviation: optional(\"number\", 0.1, \"standard deviation, in the input's own unit\", #{ min: 0 }),\n    \
                }\n\
            }\n\n\
            fn augment(data_record, params, rng) {\n    \
                let x = data_record.x[params.input];\n    \
                data_record.x[params.input] = x + rng.normal(0.0, params.deviation, x.shape);\n    \
                data_record\n\
            }\n\
            ```\n\n\
            Where an import names a function of a script of several, each may have parameters of its own: `params()` \
            then returns a map from function to such a map.\n\n\
            ```rhai\n\
            fn params() {\n    \
                #{\n        \
                    shift: #{ days: required(\"int\", \"how far\", #{ min: 1 }) },\n        \
                    hide: #{ share: optional(\"number\", 0.1, \"how much\", #{ min: 0, max: 1 }) },\n    \
                }\n\
            }\n\
            ```\n\n\
            Types: `bool`, `int` (a whole number), `number`, `text`, `ints` (one or a list), `numbers`, `texts`, `map`, \
            `component` (a name or an import block), `any`. Limits: `min` and `max` of a number, or of each number of a \
            list; `choices`, an array of the values that are allowed. The parameters of a network are those of the recipe and \
            those that the transformer sets in `this.network_params`; what the transformer sets and the network does not \
            declare is passed on unchecked.",
    register,
};

fn register(engine: &mut Engine) {
    engine.register_global_module(exported_module!(functions).into());
}

/// Makes a declaration, refused at once where it makes no sense.
fn declare(kind: &str, default: Option<Dynamic>, doc: &str, limits: Map) -> Answer<Map> {
    let mut map = limits;
    map.insert("type".into(), Dynamic::from(kind.to_owned()));
    map.insert("doc".into(), Dynamic::from(doc.to_owned()));
    if let Some(default) = default {
        map.insert("default".into(), default);
    }
    declaration::parameter("it", &map).map_err(raise)?;
    Ok(map)
}

#[export_module]
mod functions {
    /// Returns the declaration of a parameter that must be given. `limits` has any of `min`, `max` and
    /// `choices`.
    ///
    /// # Errors
    /// An unknown type, limits that do not fit it.
    ///
    /// ```rhai
    /// required("int", "units of each layer", #{ min: 1 }).type // => "int"
    /// required("text", "how values are joined", #{ choices: ["mean", "max"] }).choices // => ["mean", "max"]
    /// ```
    #[rhai_fn(name = "required", return_raw)]
    pub fn required(kind: &str, doc: &str) -> Answer<Map> {
        declare(kind, None, doc, Map::new())
    }

    #[rhai_fn(name = "required", return_raw)]
    pub fn required_with(kind: &str, doc: &str, limits: Map) -> Answer<Map> {
        declare(kind, None, doc, limits)
    }

    /// Returns the declaration of a parameter with a default, which must fit type and limits; a default of
    /// `()` means that the parameter may be left out, or given as null.
    ///
    /// # Errors
    /// An unknown type, a default or limits that do not fit it.
    ///
    /// ```rhai
    /// optional("number", 0.1, "standard deviation", #{ min: 0 }).min // => 0
    /// optional("texts", (), "the inputs; all of them when left out")["default"] // => ()
    /// ```
    #[rhai_fn(name = "optional", return_raw)]
    pub fn optional(kind: &str, value: Dynamic, doc: &str) -> Answer<Map> {
        declare(kind, Some(value), doc, Map::new())
    }

    #[rhai_fn(name = "optional", return_raw)]
    pub fn optional_with(kind: &str, value: Dynamic, doc: &str, limits: Map) -> Answer<Map> {
        declare(kind, Some(value), doc, limits)
    }
}
