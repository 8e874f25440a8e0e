//! What a layer's parameters say about its weights beside how they start: penalties and constraints.

use std::sync::Arc;

use crate::error::Result;
use crate::registry::{Arguments, Parameter, Type};

use super::super::{Constraint, Regularizer, Weight, constraint, regularizer};

pub(super) const KERNEL_REGULARIZER: Parameter = penalty("kernel_regularizer", "a penalty on the kernel");
pub(super) const BIAS_REGULARIZER: Parameter = penalty("bias_regularizer", "a penalty on the bias");
pub(super) const ACTIVITY_REGULARIZER: Parameter =
    penalty("activity_regularizer", "a penalty on the output, divided by the number of records");
pub(super) const KERNEL_CONSTRAINT: Parameter = rule("kernel_constraint", "a rule for the kernel");
pub(super) const BIAS_CONSTRAINT: Parameter = rule("bias_constraint", "a rule for the bias");
pub(super) const GAMMA_REGULARIZER: Parameter = penalty("gamma_regularizer", "a penalty on `gamma`");
pub(super) const BETA_REGULARIZER: Parameter = penalty("beta_regularizer", "a penalty on `beta`");
pub(super) const GAMMA_CONSTRAINT: Parameter = rule("gamma_constraint", "a rule for `gamma`");
pub(super) const BETA_CONSTRAINT: Parameter = rule("beta_constraint", "a rule for `beta`");

/// Declares a penalty that joins the loss.
pub(super) const fn penalty(name: &'static str, doc: &'static str) -> Parameter {
    Parameter::optional(name, Type::Component, "null", doc)
}

/// Declares a rule that is kept after each step of the optimizer.
pub(super) const fn rule(name: &'static str, doc: &'static str) -> Parameter {
    Parameter::optional(name, Type::Component, "null", doc)
}

/// The penalties and rules of one layer.
#[derive(Clone, Debug, Default)]
pub(super) struct Terms {
    /// By the name of the weight.
    weights: Vec<(&'static str, Option<Arc<dyn Regularizer>>, Option<Arc<dyn Constraint>>)>,
}

impl Terms {
    /// Reads `…_regularizer` and `…_constraint` for each pair of what stands before and the weight it is about. A
    /// parameter that the layer does not have is null.
    ///
    /// # Errors
    /// Unknown names and parameters.
    pub(super) fn new(a: &Arguments, weights: &[(&str, &'static str)]) -> Result<Self> {
        let mut terms = Terms::default();
        for (parameter, weight) in weights {
            let regularizer = penalty_of(a, &format!("{parameter}_regularizer"))?;
            let name = format!("{parameter}_constraint");
            let constraint = constraint::from_value(a.value(&name));
            let constraint = constraint.map_err(|error| error.within(format!("parameter `{name}`")))?;
            terms.weights.push((weight, regularizer, constraint));
        }
        Ok(terms)
    }

    /// Adds them to the weights they are about.
    ///
    /// # Errors
    /// A rule that has no meaning for the shape of its weight.
    pub(super) fn on(&self, mut weights: Vec<Weight>) -> Result<Vec<Weight>> {
        for (name, regularizer, constraint) in &self.weights {
            // `kernel` is also that of each projection: `query/kernel`.
            let about = |own: &str| own == *name || own.strip_suffix(name).is_some_and(|rest| rest.ends_with('/'));
            for weight in weights.iter_mut().filter(|weight| about(&weight.name)) {
                let within = |error: crate::error::Error| error.within(format!("weight `{}`", weight.name));
                regularizer.iter().try_for_each(|own| own.check(&weight.shape)).map_err(within)?;
                constraint.iter().try_for_each(|own| own.check(&weight.shape)).map_err(within)?;
                weight.regularizer.clone_from(regularizer);
                weight.constraint.clone_from(constraint);
            }
        }
        Ok(weights)
    }
}

/// Makes the penalty that a parameter names.
///
/// # Errors
/// Unknown names and parameters.
pub(super) fn penalty_of(a: &Arguments, name: &str) -> Result<Option<Arc<dyn Regularizer>>> {
    regularizer::from_value(a.value(name)).map_err(|error| error.within(format!("parameter `{name}`")))
}
