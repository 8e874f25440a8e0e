//! From values per sample to one number, with sample weights.

use candle_core::DType;

use super::formula;
use crate::error::{Error, Result};
use crate::registry::{Arguments, Parameter, Type};
use crate::tensor::Graph;

/// How values per sample become one number.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Reduction {
    /// The sum of value × weight, divided by the number of values (not by the sum of weights): Keras's
    /// `sum_over_batch_size`.
    SumOverBatchSize,
    /// The sum of value × weight.
    Sum,
    /// The sum of value × weight, divided by the sum of weights.
    MeanWithSampleWeight,
    /// No reduction: values per sample.
    None,
}

impl Reduction {
    /// The parameter that every loss has.
    pub(super) const PARAMETER: Parameter = Parameter::optional(
        "reduction",
        Type::Any,
        "\"sum_over_batch_size\"",
        "How values per sample become one number: `sum_over_batch_size` (sum of value × weight, divided by the \
         number of values), `sum`, `mean_with_sample_weight` (divided by the sum of weights), or null for none",
    );

    /// Reads the parameter `reduction`.
    pub(super) fn from(arguments: &Arguments) -> Result<Self> {
        let value = arguments.value("reduction");
        match value.as_str() {
            Some("sum_over_batch_size" | "mean" | "auto") => Ok(Reduction::SumOverBatchSize),
            Some("sum") => Ok(Reduction::Sum),
            Some("mean_with_sample_weight") => Ok(Reduction::MeanWithSampleWeight),
            Some("none") => Ok(Reduction::None),
            None if value.is_null() => Ok(Reduction::None),
            _ => Err(arguments.refuse(
                "reduction",
                "one of `sum_over_batch_size`, `sum`, `mean_with_sample_weight`, or null for no reduction",
            )),
        }
    }
}

/// Returns values reduced to one number (shape `[]`), or the weighted values with [`Reduction::None`].
///
/// A weight has the shape of the values, or their first axes (`[batch]` for values of `[batch, time]`
/// weighs all times of a sample alike), or is one number. A division by a sum of weights of 0 gives 0.
///
/// # Errors
/// A weight that does not fit the values is refused.
pub fn reduce(values: &Graph, weight: Option<&Graph>, reduction: Reduction) -> Result<Graph> {
    let weight = weight.map(|weight| fit(values, weight)).transpose()?;
    let weighted = match &weight {
        Some(weight) => values.broadcast_mul(weight)?,
        None => values.clone(),
    };
    let count = match reduction {
        Reduction::None => return Ok(weighted),
        Reduction::Sum => return Ok(weighted.sum_all()?),
        Reduction::MeanWithSampleWeight if let Some(weight) = &weight => {
            f64::from(weight.sum_all()?.to_dtype(DType::F32)?.to_scalar::<f32>()?)
        }
        _ => values.elem_count() as f64,
    };
    let total = weighted.sum_all()?;
    match count == 0.0 {
        // A product of tensors: gradients of 0 still reach every parameter.
        true => Ok((&total * total.zeros_like()?)?),
        false => Ok((total * (1.0 / count))?),
    }
}

/// Reduces values of which some do not count (mask 0): a mean is over those that do.
pub(super) fn reduce_masked(
    values: &Graph,
    weight: Option<&Graph>,
    mask: &Graph,
    reduction: Reduction,
) -> Result<Graph> {
    let mask = match reduction {
        Reduction::SumOverBatchSize => {
            let valid = f64::from(mask.sum_all()?.to_dtype(DType::F32)?.to_scalar::<f32>()?);
            let scale = if valid == 0.0 { 0.0 } else { mask.elem_count() as f64 / valid };
            (mask * scale)?
        }
        _ => mask.clone(),
    };
    let weight = match weight {
        Some(weight) => mask.broadcast_mul(&fit(values, weight)?)?,
        None => mask,
    };
    reduce(values, Some(&weight), reduction)
}

/// Gives a weight the rank of the values; the axes it lacks get length 1.
fn fit(values: &Graph, weight: &Graph) -> Result<Graph> {
    let weight = formula::constant(weight, values.dtype())?;
    let (wanted, found) = (values.dims(), weight.dims());
    let mut dims = found.to_vec();
    if dims.len() == wanted.len() + 1 && dims.last() == Some(&1) {
        dims.pop();
    }
    let scalar = found.is_empty();
    let fits = dims.len() <= wanted.len()
        && dims.iter().zip(wanted).enumerate().all(|(axis, (w, v))| w == v || (axis > 0 && *w == 1));
    if !scalar && !fits {
        return Err(Error::data(format!("sample weights of shape {found:?} do not fit a loss of shape {wanted:?}"))
            .hint(match wanted.first() {
                Some(batch) => format!("give one weight a sample: shape [{batch}]"),
                None => "this loss is one number for the whole batch, which cannot be weighted by sample".to_owned(),
            }));
    }
    dims.resize(wanted.len(), 1);
    Ok(weight.reshape(dims)?)
}
