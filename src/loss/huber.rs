//! Huber's loss: squared near 0, linear beyond `delta`.

use super::aligned::fused_or;
use super::fused::Aligned;
use super::{Loss, Reduction, formula};
use crate::error::Result;
use crate::registry::{Arguments, Entry, Parameter, Type};

/// Huber's loss.
pub(super) const ENTRY: Entry<dyn Loss> = Entry {
    name: "Huber",
    aliases: &["huber", "huber_loss"],
    doc: "Mean over the last axis of e²/2 where |e| <= delta and delta |e| - delta²/2 elsewhere, e = y_pred - y_true.",
    parameters: &[
        Parameter::optional("delta", Type::Float, "1.0", "Where the loss turns from squared to linear; above 0"),
        Reduction::PARAMETER,
    ],
    build,
};

fn build(arguments: &Arguments) -> Result<Box<dyn Loss>> {
    let delta = arguments.within("delta", f64::MIN_POSITIVE, f64::INFINITY)?;
    let fused = Aligned::Huber { delta: delta as f32 };
    fused_or(Some(fused), "huber_loss", arguments, move |y_true, y_pred| {
        let error = (y_pred - y_true)?;
        let size = formula::abs(&error)?;
        // The clipped error is `error` within delta and ±delta beyond: e c - c²/2 is both branches in one.
        let clipped = size.minimum(delta)?;
        formula::mean_last(&((&size * &clipped)? - (clipped.sqr()? * 0.5)?)?)
    })
}
