//! What tests in scripts say.

use rhai::plugin::*;
use rhai::{Dynamic, Engine, Map};

use crate::error::Error;
use crate::script::api::Page;
use crate::script::api::arguments::{Answer, float};
use crate::script::api::options::Options;
use crate::script::golden;
use crate::script::host::Host;
use crate::script::traceback::raise;

/// The page of the manual.
pub const PAGE: Page = Page {
    name: "testing",
    title: "Tests",
    intro: "A function without parameters whose name begins with `test_` is a test, in any script of a project: \
            `barrage test` runs them all. A test fails when something in it raises an error. A golden value is what a test gave \
            once, kept in `golden/SCRIPT/TEST.json`; `barrage test --update` writes it.\n\n\
            ```text\n\
            fn test_area() { assert_equal(area(#{ length: 2.0, width: 3.0 }), 6.0) }\n\n\
            fn test_first_batch() {\n    \
                let parts = read_records(\"flowers.csv\").split(0.5, #{ seed: 1 });\n    \
                golden(prepare(read_json(\"flowers.json\"), parts[0], parts[1]).batch(0));\n\
            }\n\
            ```",
    register,
};

fn register(engine: &mut Engine) {
    engine.register_global_module(exported_module!(functions).into());
}

fn compare(found: &Dynamic, expected: &Dynamic, tolerance: f64) -> Answer<()> {
    let (expected, found) = (golden::to_json(expected).map_err(raise)?, golden::to_json(found).map_err(raise)?);
    golden::check(&expected, &found, tolerance, "`assert_equal`").map_err(raise)
}

fn keep(context: &NativeCallContext, name: Option<&str>, value: &Dynamic, options: Map) -> Answer<()> {
    let host = Host::of(context)?;
    let mut options = Options::new("golden", options);
    let tolerance = options.take("tolerance").map_or(Ok(0.0), |value| float(&value, "`tolerance` of `golden`"))?;
    options.finish()?;
    let plain = |c: char| c.is_alphanumeric() || c == '_' || c == '-';
    if let Some(name) = name.filter(|name| name.is_empty() || !name.chars().all(plain)) {
        return Err(raise(
            Error::script(format!("`{name}` is no name of a golden value"))
                .hint("use letters, digits, `_` and `-`: it becomes part of a file's name"),
        ));
    }
    let Some(testing) = host.testing() else {
        return Err(raise(Error::script("`golden` compares in tests only").hint("`barrage test` runs them")));
    };
    testing.golden(name, &golden::to_json(value).map_err(raise)?, tolerance).map_err(raise)
}

#[export_module]
mod functions {
    /// Stops with an error unless the two are equal, naming the first difference: numbers, texts, arrays, maps, tensors (with
    /// dtype and shape), records. Numbers may differ by `tolerance`, which is 0 unless it is given.
    ///
    /// # Errors
    /// They differ, or one of them is no data.
    ///
    /// ```rhai
    /// assert_equal([1, 2.5, "x"], [1, 2.5, "x"]) // => ()
    /// assert_equal(tensor([1.0, 2.0]) / 3.0, tensor([0.333, 0.667]), 0.001) // => ()
    /// ```
    #[rhai_fn(name = "assert_equal", return_raw)]
    pub fn assert_equal(found: Dynamic, expected: Dynamic) -> Answer<()> {
        super::compare(&found, &expected, 0.0)
    }

    #[rhai_fn(name = "assert_equal", return_raw)]
    pub fn assert_near(found: Dynamic, expected: Dynamic, tolerance: f64) -> Answer<()> {
        super::compare(&found, &expected, tolerance)
    }

    /// Stops with an error unless a value is the golden one of the running test. A test with several golden values gives each a
    /// name. Options: `tolerance`, by which numbers may differ (0).
    ///
    /// # Errors
    /// The value differs, there is no golden one yet, it is no data, or no test is running.
    ///
    /// ```rhai
    /// fn test_rows() { golden(read_records("flowers.csv").head(2)); }
    /// fn test_means() { golden("mean", tensor([1.0, 2.0]).mean(), #{ tolerance: 1e-6 }); }
    /// ```
    #[rhai_fn(name = "golden", return_raw)]
    pub fn golden_value(context: NativeCallContext, value: Dynamic) -> Answer<()> {
        super::keep(&context, None, &value, Map::new())
    }

    #[rhai_fn(name = "golden", return_raw)]
    pub fn golden_named(context: NativeCallContext, name: &str, value: Dynamic) -> Answer<()> {
        super::keep(&context, Some(name), &value, Map::new())
    }

    #[rhai_fn(name = "golden", return_raw)]
    pub fn golden_with(context: NativeCallContext, name: &str, value: Dynamic, options: Map) -> Answer<()> {
        super::keep(&context, Some(name), &value, options)
    }
}
