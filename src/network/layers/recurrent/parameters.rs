//! The parameters of the recurrent layers, with Keras's names and defaults.

use crate::registry::{Parameter, Type};

use super::super::terms::{
    ACTIVITY_REGULARIZER, BIAS_CONSTRAINT, BIAS_REGULARIZER, KERNEL_CONSTRAINT, KERNEL_REGULARIZER, penalty, rule,
};
use super::super::{NAME, SEED, TRAINABLE};

pub(super) const SIMPLE_RNN: &[Parameter] = &[
    UNITS,
    ACTIVATION,
    USE_BIAS,
    KERNEL,
    RECURRENT,
    BIAS,
    KERNEL_REGULARIZER,
    RECURRENT_REGULARIZER,
    BIAS_REGULARIZER,
    ACTIVITY_REGULARIZER,
    KERNEL_CONSTRAINT,
    RECURRENT_CONSTRAINT,
    BIAS_CONSTRAINT,
    DROPOUT,
    RECURRENT_DROPOUT,
    SEED,
    RETURN_SEQUENCES,
    RETURN_STATE,
    GO_BACKWARDS,
    STATEFUL,
    UNROLL,
    ZERO_OUTPUT,
    INITIAL_STATE,
    TRAINABLE,
    NAME,
];

pub(super) const LSTM: &[Parameter] = &[
    UNITS,
    ACTIVATION,
    GATE,
    USE_BIAS,
    KERNEL,
    RECURRENT,
    BIAS,
    KERNEL_REGULARIZER,
    RECURRENT_REGULARIZER,
    BIAS_REGULARIZER,
    ACTIVITY_REGULARIZER,
    KERNEL_CONSTRAINT,
    RECURRENT_CONSTRAINT,
    BIAS_CONSTRAINT,
    Parameter::optional("unit_forget_bias", Type::Bool, "true", "whether the bias of the forget gate starts at 1"),
    DROPOUT,
    RECURRENT_DROPOUT,
    SEED,
    RETURN_SEQUENCES,
    RETURN_STATE,
    GO_BACKWARDS,
    STATEFUL,
    UNROLL,
    ZERO_OUTPUT,
    INITIAL_STATE,
    TRAINABLE,
    NAME,
];

pub(super) const GRU: &[Parameter] = &[
    UNITS,
    ACTIVATION,
    GATE,
    USE_BIAS,
    KERNEL,
    RECURRENT,
    BIAS,
    KERNEL_REGULARIZER,
    RECURRENT_REGULARIZER,
    BIAS_REGULARIZER,
    ACTIVITY_REGULARIZER,
    KERNEL_CONSTRAINT,
    RECURRENT_CONSTRAINT,
    BIAS_CONSTRAINT,
    Parameter::optional(
        "reset_after",
        Type::Bool,
        "true",
        "whether the reset gate acts after the product with the recurrent kernel, or before it",
    ),
    DROPOUT,
    RECURRENT_DROPOUT,
    SEED,
    RETURN_SEQUENCES,
    RETURN_STATE,
    GO_BACKWARDS,
    STATEFUL,
    UNROLL,
    ZERO_OUTPUT,
    INITIAL_STATE,
    TRAINABLE,
    NAME,
];

const UNITS: Parameter = Parameter::required("units", Type::Int, "the length of the state, at least 1");
const ACTIVATION: Parameter =
    Parameter::optional("activation", Type::Component, "\"tanh\"", "what is applied to new states");
const GATE: Parameter =
    Parameter::optional("recurrent_activation", Type::Component, "\"sigmoid\"", "what is applied to gates");
const USE_BIAS: Parameter = Parameter::optional("use_bias", Type::Bool, "true", "whether a bias is added");
const KERNEL: Parameter =
    Parameter::optional("kernel_initializer", Type::Component, "\"glorot_uniform\"", "how the kernel starts");
const RECURRENT: Parameter =
    Parameter::optional("recurrent_initializer", Type::Component, "\"orthogonal\"", "how the recurrent kernel starts");
const BIAS: Parameter = Parameter::optional("bias_initializer", Type::Component, "\"zeros\"", "how the bias starts");
const RECURRENT_REGULARIZER: Parameter = penalty("recurrent_regularizer", "a penalty on the recurrent kernel");
const RECURRENT_CONSTRAINT: Parameter = rule("recurrent_constraint", "a rule for the recurrent kernel");
const DROPOUT: Parameter = Parameter::optional(
    "dropout",
    Type::Float,
    "0.0",
    "the fraction of input values dropped while training, from 0 to 1; the same ones in all steps of a record",
);
const RECURRENT_DROPOUT: Parameter = Parameter::optional(
    "recurrent_dropout",
    Type::Float,
    "0.0",
    "the fraction of the state dropped before its product with the recurrent kernel, from 0 to 1; the same in all \
     steps of a record and for all gates",
);
const RETURN_SEQUENCES: Parameter =
    Parameter::optional("return_sequences", Type::Bool, "false", "whether the output has the states of all steps");
const RETURN_STATE: Parameter = Parameter::optional(
    "return_state",
    Type::Bool,
    "false",
    "whether a script gets an array: the output and the last states (h, and c of an `LSTM`)",
);
const GO_BACKWARDS: Parameter = Parameter::optional(
    "go_backwards",
    Type::Bool,
    "false",
    "whether it goes from the last step to the first; a sequence comes out in that order",
);
const STATEFUL: Parameter = Parameter::optional(
    "stateful",
    Type::Bool,
    "false",
    "only false: states do not go from batch to batch, since records are shuffled and a run resumes anywhere",
);
const UNROLL: Parameter = Parameter::optional(
    "unroll",
    Type::Bool,
    "false",
    "no effect: a whole sequence is computed at once either way, and the numbers are the same",
);
const ZERO_OUTPUT: Parameter = Parameter::optional(
    "zero_output_for_mask",
    Type::Bool,
    "false",
    "whether a sequence has 0 at the steps that a mask leaves out, rather than the state before",
);
const INITIAL_STATE: Parameter = Parameter::optional(
    "initial_state",
    Type::Any,
    "null",
    "in a script: values of the network, the states before the first step (h, or `[h, c]` of an `LSTM`); 0 when null",
);
