//! A scripted network: `build(params)` returns `network(inputs, outputs)`.

use rhai::Dynamic;

use crate::error::{Error, Result};
use crate::network::Network;
use crate::record::Mode;
use crate::script::Component;

/// Builds the network of a component with its parameters: the recipe's and those of the transformer.
///
/// # Errors
/// A script without a fitting function, whatever it raises, a value that is no network.
pub fn build(component: &Component) -> Result<Network> {
    let (function, arity) = component.slot("build", 0..=1, "fn build(params) { …; network(inputs, outputs) }")?;
    component.init(Mode::Train)?;
    let mut arguments = [component.params()];
    let value: Dynamic = component.call(&function, Mode::Train, &mut arguments[..arity])?;
    let kind = value.type_name();
    value.try_cast::<Network>().ok_or_else(|| {
        let found = crate::script::traceback::type_phrase(kind);
        let error =
            Error::script(format!("expected a Network, found {found}")).hint("end with `network(inputs, outputs)`");
        component.returned(&function, error)
    })
}
