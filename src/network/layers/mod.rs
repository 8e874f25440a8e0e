//! The built-in layers: one file for each, or for each small family, and one list.

mod activation;
mod attention;
mod average_pooling;
mod batch_normalization;
mod bidirectional;
mod channels_first;
mod concatenate;
mod conv;
mod conv_kernel;
mod conv_onnx;
mod conv_transpose;
mod dense;
mod depthwise_conv;
mod dot;
mod dot_attention;
mod dropout;
mod einsum_dense;
mod embedding;
mod factors;
mod flatten;
mod global_pooling;
mod group_normalization;
mod lambda;
mod layer_normalization;
mod margins;
mod mask;
mod masked_mean;
mod masking;
mod max_pooling;
mod merge;
mod moved;
mod multi_head_attention;
mod noise;
mod part;
mod permute;
mod position_embedding;
mod prelu;
mod recurrent;
mod repeat_vector;
mod rescaling;
mod reshape;
mod scale_normalization;
mod separable_conv;
mod terms;
mod time_distributed;
mod up_sampling;

use std::borrow::Cow;
use std::sync::Arc;

use crate::error::{self, Error, Result, codes};
use crate::registry::{Arguments, Entry, Parameter, Params, Type};

use super::{Initializer, Layer, LayerInstance, Regularizer, Weight};

use channels_first::ChannelsFirst;
pub use lambda::{Function, Lambda};
pub(super) use part::Part;
use terms::ACTIVITY_REGULARIZER;

/// A built-in layer.
pub struct LayerEntry {
    /// Keras name, documentation, parameters and how to make it.
    pub entry: Entry<dyn Layer>,
    /// The name of the function in scripts: `dense`.
    pub script_name: &'static str,
    /// The parameters that scripts give by position, before the map of options: `["units"]`.
    pub positional: &'static [&'static str],
    /// Whether it takes a list of values rather than one.
    pub merges: bool,
}

impl LayerEntry {
    /// Checks the parameters and makes the layer, ready to be applied. Every layer takes `trainable`: one without
    /// weights ignores it, one that holds another layer freezes that. Every layer takes `activity_regularizer`.
    ///
    /// # Errors
    /// Unknown, missing and mistyped parameters.
    pub fn make(&self, params: &Params) -> Result<Arc<LayerInstance>> {
        let (own, activity) = self.penalised(params)?;
        let own = self.frozen(&own)?;
        let first = own.get(DATA_FORMAT).is_some_and(|format| format == "channels_first");
        let first = first && self.entry.parameters.iter().any(|parameter| parameter.name == DATA_FORMAT);
        let layer = match first {
            true => {
                let mut own = own.into_owned();
                own.insert(DATA_FORMAT.to_owned(), "channels_last".into());
                Box::new(ChannelsFirst(self.entry.make(&own)?))
            }
            false => self.entry.make(&own)?,
        };
        let activity = activity.filter(|_| !layer.penalises());
        LayerInstance::with_activity(Arc::from(layer), params.get("name").and_then(|name| name.as_str()), activity)
    }

    /// Takes `activity_regularizer` from layers that do not declare it, and makes it.
    fn penalised<'a>(&self, params: &'a Params) -> Result<(Cow<'a, Params>, Option<Arc<dyn Regularizer>>)> {
        let Some(value) = params.get(ACTIVITY_REGULARIZER.name) else { return Ok((Cow::Borrowed(params), None)) };
        static CHECKED: &[Parameter] = &[ACTIVITY_REGULARIZER];
        let only = Params::from_iter([(ACTIVITY_REGULARIZER.name.to_owned(), value.clone())]);
        let activity = Arguments::check(self.entry.name, CHECKED, &only)
            .and_then(|arguments| terms::penalty_of(&arguments, ACTIVITY_REGULARIZER.name))?;
        if self.entry.parameters.iter().any(|parameter| parameter.name == ACTIVITY_REGULARIZER.name) {
            return Ok((Cow::Borrowed(params), activity));
        }
        let mut own = params.clone();
        own.shift_remove(ACTIVITY_REGULARIZER.name);
        Ok((Cow::Owned(own), activity))
    }

    /// Takes `trainable` from layers that have no weights of their own: layers within them are made with it, others do
    /// without.
    fn frozen<'a>(&self, params: &'a Params) -> Result<Cow<'a, Params>> {
        let own = self.entry.parameters.iter().any(|parameter| parameter.name == TRAINABLE.name);
        let Some(trainable) = params.get(TRAINABLE.name).filter(|_| !own) else { return Ok(Cow::Borrowed(params)) };
        // The error for what is neither true nor false is that of any parameter.
        static CHECKED: &[Parameter] = &[TRAINABLE];
        let only = Params::from_iter([(TRAINABLE.name.to_owned(), trainable.clone())]);
        let trainable = Arguments::check(self.entry.name, CHECKED, &only)?.bool(TRAINABLE.name);
        let mut params = params.clone();
        params.shift_remove(TRAINABLE.name);
        for inner in ["layer", "backward_layer"].into_iter().filter(|_| !trainable) {
            let Some(block) = params.get_mut(inner).filter(|block| !block.is_null()) else { continue };
            if let Some(name) = block.as_str() {
                *block = serde_json::json!({"import": name});
            }
            if let Some(block) = block.as_object_mut() {
                let params = block.entry("params").or_insert_with(|| serde_json::json!({}));
                if let Some(params) = params.as_object_mut() {
                    params.insert(TRAINABLE.name.to_owned(), false.into());
                }
            }
        }
        Ok(Cow::Owned(params))
    }
}

/// The built-in layers, in the order of the manual.
pub static LIST: &[LayerEntry] = &[
    dense::DENSE,
    einsum_dense::EINSUM_DENSE,
    conv::CONV_1D,
    conv::CONV_2D,
    depthwise_conv::DEPTHWISE_CONV_1D,
    depthwise_conv::DEPTHWISE_CONV_2D,
    separable_conv::SEPARABLE_CONV_1D,
    separable_conv::SEPARABLE_CONV_2D,
    conv_transpose::CONV_1D_TRANSPOSE,
    conv_transpose::CONV_2D_TRANSPOSE,
    max_pooling::MAX_POOLING_1D,
    max_pooling::MAX_POOLING_2D,
    average_pooling::AVERAGE_POOLING_1D,
    average_pooling::AVERAGE_POOLING_2D,
    global_pooling::GLOBAL_MAX_POOLING_1D,
    global_pooling::GLOBAL_MAX_POOLING_2D,
    global_pooling::GLOBAL_AVERAGE_POOLING_1D,
    global_pooling::GLOBAL_AVERAGE_POOLING_2D,
    up_sampling::UP_SAMPLING_1D,
    up_sampling::UP_SAMPLING_2D,
    margins::CROPPING_1D,
    margins::CROPPING_2D,
    margins::ZERO_PADDING_1D,
    margins::ZERO_PADDING_2D,
    flatten::FLATTEN,
    reshape::RESHAPE,
    permute::PERMUTE,
    repeat_vector::REPEAT_VECTOR,
    rescaling::RESCALING,
    embedding::EMBEDDING,
    position_embedding::POSITION_EMBEDDING,
    masking::MASKING,
    dropout::DROPOUT,
    noise::SPATIAL_DROPOUT_1D,
    noise::SPATIAL_DROPOUT_2D,
    noise::GAUSSIAN_DROPOUT,
    noise::GAUSSIAN_NOISE,
    batch_normalization::BATCH_NORMALIZATION,
    group_normalization::GROUP_NORMALIZATION,
    scale_normalization::RMS_NORMALIZATION,
    scale_normalization::UNIT_NORMALIZATION,
    recurrent::SIMPLE_RNN,
    recurrent::LSTM,
    recurrent::GRU,
    bidirectional::BIDIRECTIONAL,
    time_distributed::TIME_DISTRIBUTED,
    multi_head_attention::MULTI_HEAD_ATTENTION,
    dot_attention::ATTENTION,
    dot_attention::ADDITIVE_ATTENTION,
    layer_normalization::LAYER_NORMALIZATION,
    activation::ACTIVATION,
    activation::RELU,
    activation::LEAKY_RELU,
    prelu::PRELU,
    activation::ELU,
    activation::SOFTMAX,
    merge::ADD,
    merge::SUBTRACT,
    merge::MULTIPLY,
    merge::AVERAGE,
    merge::MAXIMUM,
    merge::MINIMUM,
    concatenate::CONCATENATE,
    dot::DOT,
];

/// Finds a layer by its Keras name, its name in scripts, or qualified as `barrage.layers.Dense`.
///
/// # Errors
/// An unknown name is refused with the nearest one; `tf.keras.layers.Dense` with the right one.
pub fn find(name: &str) -> Result<&'static LayerEntry> {
    let short = name.strip_prefix("barrage.layers.").unwrap_or(name);
    if let Some(found) = LIST
        .iter()
        .find(|layer| layer.entry.name == short || layer.script_name == short || layer.entry.aliases.contains(&short))
    {
        return Ok(found);
    }
    let names = || LIST.iter().map(|layer| layer.entry.name);
    let last = short.rsplit('.').next().unwrap_or(short);
    let foreign = ["tf.", "keras.", "tensorflow."].iter().any(|prefix| name.starts_with(prefix));
    let hint = match names().find(|known| foreign && *known == last) {
        Some(known) => Some(format!("write `{known}`")),
        None => error::did_you_mean(last, names()),
    };
    if ["Lambda", "lambda"].contains(&last) {
        return Err(Error::recipe("a `Lambda` has a function, so only a script can have one")
            .hint("in the script of a network: `x.lambda(|x| x * 2)`"));
    }
    Err(Error::recipe(format!("unknown layer `{name}`"))
        .coded(codes::UNKNOWN_COMPONENT)
        .maybe_hint(hint)
        .hint(format!("built in: {}", error::list(names()))))
}

/// The parameter that says where channels stand.
const DATA_FORMAT: &str = "data_format";

/// The parameter `name` that every layer has.
const NAME: Parameter = Parameter::optional(
    "name",
    Type::Text,
    "null",
    "the layer's name, that of the output if it makes one; counted by kind (`dense`, `dense_1`) when null",
);

/// The parameter `trainable` of every layer with weights of its own; others take it too, see [`LayerEntry::make`].
const TRAINABLE: Parameter =
    Parameter::optional("trainable", Type::Bool, "true", "whether the optimizer changes the weights");

/// The parameter `seed` of layers that draw while training.
const SEED: Parameter = Parameter::optional(
    "seed",
    Type::Int,
    "null",
    "a number that makes the draws others than without it; they also follow from the recipe's seed, the step and the \
     place of the layer, so that a run repeats itself without it",
);

fn seed(arguments: &Arguments) -> Option<u64> {
    (!arguments.is_null(SEED.name)).then(|| arguments.int(SEED.name) as u64)
}

/// Makes an initializer from a parameter.
fn initializer(arguments: &Arguments, name: &str) -> Result<Arc<dyn Initializer>> {
    super::initializer::from_value(arguments.value(name)).map_err(|error| error.within(format!("parameter `{name}`")))
}

/// Makes an activation from a parameter; null is `linear`.
fn activation(arguments: &Arguments, name: &str) -> Result<Box<dyn super::Activation>> {
    let made = super::activation::from_value(arguments.value(name))
        .map_err(|error| error.within(format!("parameter `{name}`")))?;
    match made.keeps_shape() {
        true => Ok(made),
        false => {
            Err(Error::recipe(format!("the activation `{}` changes the shape of what it is applied to", made.name()))
                .hint("apply it by itself, with the layer `Activation`")
                .within(format!("parameter `{name}`")))
        }
    }
}

/// Declares a weight, whose size must be one that memory can hold.
fn weight(
    name: impl Into<Cow<'static, str>>,
    shape: Vec<usize>,
    initializer: &Arc<dyn Initializer>,
    trainable: bool,
) -> Result<Weight> {
    let name = name.into();
    let count = shape.iter().try_fold(1usize, |count, length| count.checked_mul(*length));
    match count {
        Some(count) if count <= i32::MAX as usize => {
            initializer.check(&shape).map_err(|error| error.within(format!("weight `{name}`")))?;
            let initializer = Arc::clone(initializer);
            Ok(Weight { name, shape, initializer, trainable, regularizer: None, constraint: None })
        }
        _ => Err(Error::recipe(format!("weight `{name}` of shape {shape:?} is too large"))
            .hint("at most 2,147,483,647 numbers: check the sizes of the layer and of its input")),
    }
}

#[cfg(test)]
mod tests;
