//! A scripted function as a layer: a closure, or `Fn("name")`, called with tensors of the graph.

use rhai::{Dynamic, EvalAltResult, FnPtr, GlobalRuntimeState, NativeCallContext, Position};

use crate::error::{Error, Result};
use crate::network::layers::Function;
use crate::script::host::Host;
use crate::script::traceback;
use crate::tensor::{Graph, Tensor};

/// A function of a script, with the functions and imports that it sees.
pub struct ScriptFunction {
    host: Host,
    function: FnPtr,
    /// The state of the engine where the layer was made: a closure is known only to the script that wrote it.
    global: GlobalRuntimeState,
    label: String,
}

impl ScriptFunction {
    /// Keeps a function to be called while the network runs. Variables that a closure captures keep the values they
    /// have now.
    pub fn new(context: &NativeCallContext<'_>, host: Host, function: &FnPtr) -> Self {
        let mut function = function.clone();
        let captured: Vec<Dynamic> = function.curry().iter().map(Dynamic::flatten_clone).collect();
        function.set_curry(captured);
        let label = context.fn_source().unwrap_or_default().to_owned();
        ScriptFunction { host, function, global: context.global_runtime_state().clone(), label }
    }
}

impl std::fmt::Debug for ScriptFunction {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{}", self.function.fn_name())
    }
}

impl Function for ScriptFunction {
    fn call(&self, inputs: &[Graph]) -> Result<Graph> {
        let mut arguments: Vec<Dynamic> =
            inputs.iter().map(|input| Dynamic::from(Tensor::Graph(input.clone()))).collect();
        let mut global = self.global.clone();
        // Limits on operations count one call.
        global.num_operations = 0;
        let source = Some(&*self.label).filter(|label| !label.is_empty());
        let context = NativeCallContext::new_with_all_fields(
            self.host.engine(),
            self.function.fn_name(),
            source,
            &global,
            Position::NONE,
        );
        let value = self.function.call_raw(&context, None, &mut arguments);
        let value = value.map_err(|error| match *error {
            // A function of another number of arguments is another function to the engine.
            EvalAltResult::ErrorFunctionNotFound(ref name, _) if name.starts_with(self.function.fn_name()) => {
                Error::script(format!(
                    "the function of a `lambda` must take as many values as it is given, here {}",
                    inputs.len()
                ))
            }
            error => traceback::explain(&self.host, error, &self.label),
        })?;
        let kind = value.type_name();
        match value.try_cast::<Tensor>() {
            Some(Tensor::Graph(graph)) => Ok(graph),
            Some(Tensor::Host(_)) => Err(Error::script("the function's value does not depend on its arguments")
                .hint("compute it from them by tensor operations")),
            None => {
                let found = traceback::type_phrase(kind);
                Err(Error::script(format!("the function of a `lambda` must give a Tensor, found {found}")))
            }
        }
    }
}
