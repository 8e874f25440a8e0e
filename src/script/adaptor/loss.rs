//! A scripted loss: `loss(y_true, y_pred)` or `loss(y_true, y_pred, params)`, with gradients through the
//! tensor operations it uses.

use std::sync::OnceLock;

use rhai::Dynamic;

use crate::error::{Error, Result};
use crate::loss::Loss;
use crate::record::Mode;
use crate::script::Component;
use crate::tensor::{Graph, Tensor};

/// A script's function behind the trait of losses.
pub struct ScriptLoss {
    component: Component,
    function: String,
    arity: usize,
    name: OnceLock<String>,
}

impl ScriptLoss {
    /// Wraps a component.
    ///
    /// # Errors
    /// A script without a fitting function.
    pub fn new(component: Component) -> Result<Self> {
        let (function, arity) = component.slot("loss", 2..=3, "fn loss(y_true, y_pred) { … }")?;
        component.init(Mode::Train)?;
        Ok(ScriptLoss { component, function, arity, name: OnceLock::new() })
    }
}

impl Loss for ScriptLoss {
    fn name(&self) -> &str {
        self.name.get_or_init(|| last_part(self.component.import(), &self.function))
    }

    fn per_sample(&self, y_true: &Graph, y_pred: &Graph) -> Result<Graph> {
        let tensors = [y_true, y_pred].map(|tensor| Dynamic::from(Tensor::Graph(tensor.clone())));
        let [y_true_value, y_pred_value] = tensors;
        let mut arguments = [y_true_value, y_pred_value, Dynamic::UNIT];
        if self.arity == 3 {
            arguments[2] = self.component.params();
        }
        let value = self.component.call(&self.function, Mode::Train, &mut arguments[..self.arity])?;
        let within = |error: Error| self.component.returned(&self.function, error);
        let kind = value.type_name();
        let tensor = value.try_cast::<Tensor>().ok_or_else(|| {
            within(
                Error::script(format!("expected a Tensor, found {}", crate::script::traceback::type_phrase(kind)))
                    .hint("return a tensor with the loss of each record: shape `[batch]`"),
            )
        })?;
        let batch = y_pred.dims().first().copied().unwrap_or(0);
        let graph = match tensor {
            Tensor::Graph(graph) => graph,
            Tensor::Host(_) => {
                return Err(within(
                    Error::script("the loss does not depend on `y_pred`, so nothing can be learned from it")
                        .hint("compute it from `y_pred` by tensor operations"),
                ));
            }
        };
        match graph.dims().first() {
            Some(&first) if first == batch => Ok(graph),
            _ => Err(within(
                Error::script(format!(
                    "expected one value for each of the {batch} records, found shape {:?}",
                    graph.dims()
                ))
                .hint("reduce the inner axes only: `(y_true - y_pred).pow(2).mean(-1)`"),
            )),
        }
    }
}

/// Returns the name under which a component is reported: its function, or its file for the usual name.
pub(super) fn last_part(import: &str, function: &str) -> String {
    match import.rsplit('.').next() {
        Some(last) => last.to_owned(),
        None => function.to_owned(),
    }
}
