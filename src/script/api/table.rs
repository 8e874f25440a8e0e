//! Registers functions from tables, where one text and one Rust function stand for several versions.

use std::any::TypeId;

use rhai::{Array as List, Dynamic, FuncRegistration, ImmutableString, Map, Module, NativeCallContext, RhaiFunc};

use crate::network::Symbol;
use crate::script::api::arguments::Answer;
use crate::tensor::Tensor;

/// The type of a parameter: as the engine looks it up, and as the manual prints it.
#[derive(Clone, Copy, Debug)]
pub struct Kind {
    id: TypeId,
    name: &'static str,
}

macro_rules! kinds {
    ($($(#[$doc:meta])* $constant:ident: $type:ty as $name:literal;)+) => {
        $($(#[$doc])* pub const $constant: Kind = Kind { id: TypeId::of::<$type>(), name: $name };)+
    };
}

kinds! {
    /// A tensor.
    TENSOR: Tensor as "Tensor";
    /// A tensor, where a number would do too.
    TENSOR_TOO: Tensor as "TensorOrNumber";
    /// A tensor or a number.
    TENSOR_OR_NUMBER: Dynamic as "TensorOrNumber";
    /// A number beside a tensor.
    NUMBER: Dynamic as "Num";
    /// A whole number, where any number would do.
    WHOLE: i64 as "Num";
    /// A number with a fraction, where any number would do.
    FRACTION: f64 as "Num";
    /// One axis or an array of them.
    AXES: Dynamic as "Axes";
    /// A whole number.
    INT: i64 as "int";
    /// True or false.
    BOOL: bool as "bool";
    /// A text.
    TEXT: ImmutableString as "string";
    /// An array.
    ARRAY: List as "array";
    /// A map.
    MAP: Map as "map";
    /// A symbolic value of a network.
    LAYER: Symbol as "Layer";
    /// Any value.
    ANY: Dynamic as "any";
}

impl Kind {
    /// Returns the kind of an own type under a name of the manual.
    pub fn of<T: 'static>(name: &'static str) -> Kind {
        Kind { id: TypeId::of::<T>(), name }
    }

    /// Returns the same type under another name of the manual.
    pub const fn shown_as(self, name: &'static str) -> Kind {
        Kind { name, ..self }
    }
}

/// The result type of what only refuses; the manual leaves such functions out.
pub const REFUSED: &str = "!";

/// Registers one version of a function. The text is its documentation (Markdown); a version without one
/// shares that of the versions before it.
pub fn register(
    module: &mut Module,
    name: &str,
    text: &str,
    parameters: &[(&str, Kind)],
    result: &str,
    run: impl Fn(&NativeCallContext, &mut [&mut Dynamic]) -> Answer<Dynamic> + Send + Sync + 'static,
) {
    let mut info: Vec<String> = parameters.iter().map(|(name, kind)| format!("{name}: {}", kind.name)).collect();
    info.push(result.to_owned());
    let function = RhaiFunc::Method {
        func: rhai::Shared::new(
            move |context: Option<NativeCallContext>, arguments: &mut [&mut Dynamic]| match context {
                Some(context) => run(&context, arguments),
                None => Ok(Dynamic::UNIT),
            },
        ),
        has_context: true,
        // Arguments are read, never changed: a read-only `this` may be the receiver.
        is_pure: true,
        is_volatile: false,
    };
    FuncRegistration::new(name)
        .in_global_namespace()
        .with_params_info(info)
        .with_comments(text.lines().map(|line| format!("/// {line}")))
        .set_into_module_raw(module, parameters.iter().map(|(_, kind)| kind.id).collect::<Vec<_>>(), function);
}
