//! What all optimizers share: clipping, weight decay, loss scale, gradient accumulation, moving averages.

use std::ops::Range;

use crate::error::{Error, Result};
use crate::registry::{Arguments, Parameter, Type};

/// The parameters every optimizer has besides its own, with Keras's defaults.
const PARAMETERS: [Parameter; 10] = [
    Parameter::optional(
        "weight_decay",
        Type::Float,
        "null",
        "The share of each parameter, times the learning rate, taken away at every update",
    ),
    Parameter::optional("clipnorm", Type::Float, "null", "The largest norm of the gradient of each parameter"),
    Parameter::optional("clipvalue", Type::Float, "null", "The largest size of each gradient value"),
    Parameter::optional("global_clipnorm", Type::Float, "null", "The largest norm of all gradients together"),
    Parameter::optional("use_ema", Type::Bool, "false", "Whether moving averages of the parameters are kept"),
    Parameter::optional("ema_momentum", Type::Float, "0.99", "The share of the old average that is kept, 0 to 1"),
    Parameter::optional(
        "ema_overwrite_frequency",
        Type::Int,
        "null",
        "After how many updates the averages replace the parameters; null: only at the end of training",
    ),
    Parameter::optional(
        "loss_scale_factor",
        Type::Float,
        "null",
        "What the loss was multiplied by; gradients are divided",
    ),
    Parameter::optional(
        "gradient_accumulation_steps",
        Type::Int,
        "null",
        "How many batches' gradients are averaged for one update",
    ),
    Parameter::optional(
        "exclude_from_weight_decay",
        Type::Texts,
        "[]",
        "Weights that are not decayed: parts of their names, such as `bias` or `norm/`; `*` stands for any text",
    ),
];

/// Returns an optimizer's own parameters followed by the common ones; `M` = `N` + 10.
pub(super) const fn with_common<const N: usize, const M: usize>(own: [Parameter; N]) -> [Parameter; M] {
    assert!(M == N + PARAMETERS.len(), "own and common parameters fill the list");
    let mut all = [PARAMETERS[0]; M];
    let mut at = 0;
    while at < M {
        all[at] = if at < N { own[at] } else { PARAMETERS[at - N] };
        at += 1;
    }
    all
}

/// Replaces the default of `weight_decay`, for optimizers that decay unless told otherwise.
pub(super) const fn with_decay<const M: usize>(mut all: [Parameter; M], default: &'static str) -> [Parameter; M] {
    let at = M - PARAMETERS.len();
    all[at] = Parameter { default: Some(default), ..all[at] };
    all
}

/// Returns the size below which a mean of squares is negligible: it is lost when `epsilon` is added to it.
pub(super) fn lost_beside(epsilon: f32) -> f32 {
    (epsilon * 1e-8).min(1e-24)
}

/// What all optimizers share; see the parameters for the meaning of each field.
#[derive(Clone, Debug, PartialEq)]
pub struct Common {
    /// Decoupled weight decay.
    pub weight_decay: Option<f32>,
    /// How gradients are clipped.
    pub clip: Clip,
    /// Momentum of the moving averages, when they are kept.
    pub ema_momentum: Option<f32>,
    /// Batches between replacing the parameters by their averages.
    pub ema_overwrite_frequency: Option<u64>,
    /// What the loss was multiplied by.
    pub loss_scale_factor: Option<f32>,
    /// Batches for one update; at least 1.
    pub gradient_accumulation_steps: u64,
    /// Parts of the names of weights that are not decayed.
    pub exclude_from_weight_decay: Vec<String>,
}

/// How gradients are clipped.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Clip {
    /// Not at all.
    None,
    /// Each parameter's gradient to a norm.
    Norm(f32),
    /// All gradients together to a norm.
    GlobalNorm(f32),
    /// Each value to a size.
    Value(f32),
}

impl Common {
    /// Reads the common parameters.
    ///
    /// # Errors
    /// Values out of range, and more than one way to clip.
    pub(super) fn from(arguments: &Arguments) -> Result<Self> {
        let float = |name: &str, low: f64, high: f64| -> Result<Option<f32>> {
            match arguments.is_null(name) {
                true => Ok(None),
                false => Ok(Some(arguments.within(name, low, high)? as f32)),
            }
        };
        let int = |name: &str| -> Result<Option<u64>> {
            match arguments.is_null(name) {
                true => Ok(None),
                false => Ok(Some(arguments.at_least(name, 1)? as u64)),
            }
        };
        let positive = f64::from(f32::MIN_POSITIVE);
        let ways = [
            float("clipnorm", positive, f64::INFINITY)?.map(Clip::Norm),
            float("global_clipnorm", positive, f64::INFINITY)?.map(Clip::GlobalNorm),
            float("clipvalue", positive, f64::INFINITY)?.map(Clip::Value),
        ];
        if ways.iter().flatten().count() > 1 {
            return Err(Error::recipe("only one of `clipnorm`, `global_clipnorm` and `clipvalue` may be given")
                .within(format!("`{}`", arguments.component())));
        }
        Ok(Common {
            weight_decay: float("weight_decay", 0.0, f64::INFINITY)?,
            clip: ways.into_iter().flatten().next().unwrap_or(Clip::None),
            ema_momentum: match arguments.bool("use_ema") {
                true => Some(arguments.within("ema_momentum", 0.0, 1.0)? as f32),
                false => None,
            },
            ema_overwrite_frequency: int("ema_overwrite_frequency")?,
            loss_scale_factor: float("loss_scale_factor", positive, f64::INFINITY)?,
            gradient_accumulation_steps: int("gradient_accumulation_steps")?.unwrap_or(1),
            exclude_from_weight_decay: match arguments.value("exclude_from_weight_decay").as_array() {
                Some(parts) => parts.iter().filter_map(|part| part.as_str()).map(str::to_owned).collect(),
                None => Vec::new(),
            },
        })
    }

    /// Returns whether a weight of this name is decayed.
    pub(super) fn decays(&self, name: &str) -> bool {
        !self.exclude_from_weight_decay.iter().any(|part| holds(name, part))
    }
}

impl Clip {
    /// Clips gradients in place; each parameter's stands in one of the ranges.
    pub(super) fn apply(self, gradients: &mut [f32], range: impl Fn(usize) -> Option<Range<usize>>) {
        let ranges = || (0..).map_while(&range);
        match self {
            Clip::None => {}
            Clip::Value(limit) => gradients.iter_mut().for_each(|value| *value = value.clamp(-limit, limit)),
            Clip::Norm(limit) => {
                for range in ranges() {
                    let gradient = &mut gradients[range];
                    let norm = sum_of_squares(gradient).sqrt() as f32;
                    gradient.iter_mut().for_each(|value| *value = *value * limit / norm.max(limit));
                }
            }
            Clip::GlobalNorm(limit) => {
                let squares = ranges().map(|range| sum_of_squares(&gradients[range]));
                let norm = squares.sum::<f64>().sqrt() as f32;
                if norm.is_finite() {
                    let scale = limit * (1.0 / norm).min(1.0 / limit);
                    return gradients.iter_mut().for_each(|value| *value *= scale);
                }
                // Keras makes every gradient not a number, so that it is noticed; here only those that are to blame,
                // so that they can be named, and the others are 0. Where the norm alone is too large all are.
                let finite = |range: &Range<usize>| gradients[range.clone()].iter().all(|value| value.is_finite());
                let spoilt: Vec<bool> = ranges().map(|range| !finite(&range)).collect();
                let all = !spoilt.contains(&true);
                for (range, spoilt) in ranges().zip(spoilt) {
                    gradients[range].fill(if spoilt || all { f32::NAN } else { 0.0 });
                }
            }
        }
    }
}

/// Returns whether a pattern occurs in a name; `*` stands for any text.
fn holds(name: &str, pattern: &str) -> bool {
    let mut rest = Some(name);
    for part in pattern.split('*') {
        rest = rest.and_then(|rest| rest.find(part).map(|at| &rest[at + part.len()..]));
    }
    !pattern.is_empty() && rest.is_some()
}

/// Returns the sum of squares; eight partial sums, so that it runs on vectors and in a fixed order.
pub(super) fn sum_of_squares(values: &[f32]) -> f64 {
    let mut sums = [0.0f64; 8];
    let (chunks, rest) = values.as_chunks::<8>();
    for chunk in chunks {
        for (sum, value) in sums.iter_mut().zip(chunk) {
            *sum += f64::from(*value) * f64::from(*value);
        }
    }
    sums.iter().sum::<f64>() + rest.iter().map(|value| f64::from(*value) * f64::from(*value)).sum::<f64>()
}

#[cfg(test)]
mod tests {
    use super::holds;

    #[test]
    fn patterns_are_parts_of_names() {
        for (pattern, expected) in [
            ("bias", true),
            ("dense_1/bias", true),
            ("dense*bias", true),
            ("*bias*", true),
            ("bias*dense", false),
            ("kernel", false),
            ("dense/bias", false),
            ("", false),
            ("*", true),
        ] {
            assert_eq!(holds("dense_1/bias", pattern), expected, "{pattern}");
        }
    }
}
