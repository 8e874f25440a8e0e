//! The engine factory: every engine of this program is made here.

use rhai::packages::{Package, StandardPackage};
use rhai::{Dynamic, Engine, EvalAltResult};

use crate::error::{Error, codes};
use crate::script::host::{Host, Sink};
use crate::script::resolver::Resolver;
use crate::script::traceback::raise;
use crate::script::{Limits, api};

/// Makes the engine of a host.
pub fn make(host: &Host, limits: &Limits, print: Sink, debug: Sink) -> Engine {
    let mut engine = Engine::new_raw();
    StandardPackage::new().register_into_engine(&mut engine);
    limits.set(&mut engine);
    // `Full` would call native functions while compiling.
    engine.set_optimization_level(rhai::OptimizationLevel::Simple);
    engine.set_fail_on_invalid_map_property(true);
    // Text that becomes code cannot be checked beforehand.
    engine.disable_symbol("eval");
    engine.set_default_tag(Dynamic::from(host.downgrade()));
    engine.set_module_resolver(Resolver(host.downgrade()));
    let stop = host.stop_flag().clone();
    engine.on_progress(move |operations| {
        // Reading the flag at every operation costs more than it is worth.
        (operations & 255 == 0 && stop.load(std::sync::atomic::Ordering::Relaxed)).then_some(Dynamic::UNIT)
    });
    let sources = host.downgrade();
    engine.on_print(move |text| print(text));
    engine.on_debug(move |text, source, position| {
        let place = source.and_then(|label| sources.upgrade().and_then(|host| host.sources().place(label, position)));
        match place {
            Some(place) => debug(&format!("{place}: {text}")),
            None => debug(text),
        }
    });
    api::register(&mut engine);
    // Rhai's `sleep` cannot be interrupted; it has a version for each kind of number.
    let sleep = || {
        let error = Error::script("`sleep` is not available: a script that waits cannot be interrupted");
        raise(error.coded(codes::NOT_AVAILABLE))
    };
    engine.register_fn("sleep", move |_: i64| -> Result<(), Box<EvalAltResult>> { Err(sleep()) });
    engine.register_fn("sleep", move |_: f64| -> Result<(), Box<EvalAltResult>> { Err(sleep()) });
    engine
}
