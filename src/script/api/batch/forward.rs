//! A component is used as the tensor it is: for each function of tensors, one that takes a component in its place.

use std::any::TypeId;
use std::collections::BTreeSet;

use rhai::{Dynamic, Engine, FuncRegistration, Module, NativeCallContext, RhaiFunc, Shared};

use crate::script::api::{arguments::Answer, tensor};
use crate::script::batches::Component;
use crate::script::traceback::raise;
use crate::tensor::Tensor;

/// What components have of their own.
const OWN: [&str; 6] = ["to_string", "to_debug", "get$len", "len", "index$get$", "index$set$"];

/// Returns a function for each of those that take a tensor first.
pub fn module() -> Module {
    let mut engine = Engine::new_raw();
    (tensor::PAGE.register)(&mut engine);
    let tensor = TypeId::of::<Tensor>();
    let mut all: Vec<(String, Vec<TypeId>)> = engine.collect_fn_metadata(
        None,
        |info| Some((info.metadata.name.to_string(), info.metadata.param_types.to_vec())),
        false,
    );
    all.retain(|(name, types)| types.contains(&tensor) && !OWN.contains(&name.as_str()));
    let mut module = Module::new();
    let mut known = BTreeSet::new();
    for (name, types) in all {
        // Each place of a tensor may be a component, and so may all of them.
        let places: Vec<usize> = (0..types.len()).filter(|at| types[*at] == tensor).collect();
        for choice in 1..(1usize << places.len().min(4)) {
            let mut types = types.clone();
            for (bit, &at) in places.iter().enumerate().take(4) {
                if choice & (1 << bit) != 0 {
                    types[at] = TypeId::of::<Component>();
                }
            }
            if known.insert((name.clone(), types.clone())) {
                register(&mut module, &name, types);
            }
        }
    }
    module
}

fn register(module: &mut Module, name: &str, types: Vec<TypeId>) {
    let called = name.to_owned();
    let run = move |context: Option<NativeCallContext>, arguments: &mut [&mut Dynamic]| match context {
        Some(context) => forward(&context, &called, arguments),
        None => Ok(Dynamic::UNIT),
    };
    let function = RhaiFunc::Method { func: Shared::new(run), has_context: true, is_pure: true, is_volatile: false };
    FuncRegistration::new(name).in_global_namespace().set_into_module_raw(module, types, function);
}

fn forward(context: &NativeCallContext, name: &str, arguments: &mut [&mut Dynamic]) -> Answer<Dynamic> {
    let tensor = |value: &&mut Dynamic| match value.read_lock::<Component>() {
        Some(component) => component.tensor().map(Dynamic::from).map_err(raise),
        None => Ok((**value).clone()),
    };
    let mut all = arguments.iter().map(tensor).collect::<Answer<Vec<Dynamic>>>()?;
    let mut places: Vec<&mut Dynamic> = all.iter_mut().collect();
    context.call_native_fn_raw(name, true, &mut places)
}
