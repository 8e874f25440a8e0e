"""Makes further.json: arguments of layers that the other tables do not have.

    pip install keras==3.15.1 tensorflow
    python tests/numeric/further.py

A case has the form that the other tables have: outputs and gradients of sum(y * upstream) + penalty, of seeded inputs. Numbers
come from Keras on TensorFlow; `MultiHeadAttention` over three axes is beyond what TensorFlow's softmax takes.
"""

import json
import os
import pathlib

os.environ["KERAS_BACKEND"] = "tensorflow"

import keras  # noqa: E402
import numpy as np  # noqa: E402
import tensorflow as tf  # noqa: E402

TOLERANCE = {"abs": 2e-6, "rel": 2e-5}


class Draw:
    """Seeded numbers of four decimals, so that files stay small."""

    def __init__(self, seed):
        self.random = np.random.RandomState(seed)

    def normal(self, shape, scale=1.0):
        return np.round(self.random.normal(0, scale, shape), 4).astype("float32")

    def positive(self, shape):
        return np.round(self.random.uniform(0.5, 1.5, shape), 4).astype("float32")


def tensor(value):
    value = np.asarray(value)
    if value.dtype == bool:
        dtype, data = "bool", [bool(x) for x in value.reshape(-1)]
    else:
        dtype, data = "float32", [float(str(np.float32(x))) for x in value.reshape(-1)]
    return {"shape": list(value.shape), "dtype": dtype, "data": data}


def make(component, params):
    own = {}
    for name, value in params.items():
        if isinstance(value, dict):
            value = make(value["component"], value["params"]) if "component" in value else value
        own[name] = tuple(value) if isinstance(value, list) else value
    return (getattr(keras.layers, component, None) or getattr(keras.regularizers, component))(**own)


def name_of(variable):
    """The name without the layer's own and without those of cells."""
    parts = [part for part in variable.path.split("/")[1:] if not part.endswith("_cell")]
    start = lambda part: next((way for way in ("forward", "backward") if part.startswith(way + "_")), part)
    return "/".join(map(start, parts))


def one(spec, seed):
    component, tag, params, shapes, *rest = spec
    arguments = rest[0] if rest else {}
    keras.backend.clear_session()
    draw = Draw(seed)
    xs = [draw.normal(shape) for shape in shapes]
    call = {name: np.array(value, bool) if "mask" in name and name != "use_causal_mask" else value for name, value in arguments.items()}
    layer = make(component, params)
    apply = lambda values: layer(list(values), **call) if component in MERGES else layer(*values, **call)
    apply(map(tf.constant, xs))
    variables = [v for v in layer.trainable_variables + layer.non_trainable_variables if "seed" not in v.path]
    weights = {}
    for variable in variables:
        positive = variable.path.endswith(("variance", "stddev", "gamma", "scale"))
        value = draw.positive(variable.shape) if positive else draw.normal(variable.shape, 0.5)
        variable.assign(value)
        weights[name_of(variable)] = value
    given, trained = [tf.Variable(x) for x in xs], list(layer.trainable_variables)
    with tf.GradientTape() as tape:
        y = apply(map(tf.convert_to_tensor, given))
        ys = list(y) if isinstance(y, (list, tuple)) else [y]
        upstream = [draw.normal(y.shape) for y in ys]
        penalty = tf.add_n(layer.losses) if layer.losses else tf.constant(0.0)
        total = tf.add_n([tf.reduce_sum(y * own) for y, own in zip(ys, upstream)]) + penalty
    gradients = tape.gradient(total, given + [v.value for v in trained])
    of_inputs, of_weights = gradients[: len(xs)], gradients[len(xs) :]
    lists = lambda values: tensor(values[0]) if len(xs) == 1 else [tensor(value) for value in values]
    several = lambda values: tensor(values[0]) if len(ys) == 1 else [tensor(value) for value in values]
    expected = {
        "y": several(ys),
        "grad_x": lists(of_inputs),
        "grad_weights": {name_of(v): tensor(gradient) for v, gradient in zip(trained, of_weights)},
    }
    moved = {name_of(v): v.numpy() for v in variables}
    moved = {name: tensor(value) for name, value in moved.items() if not np.array_equal(value, weights[name])}
    if moved:
        expected["updated_weights"] = moved
    if layer.losses:
        expected["penalty"] = tensor(penalty)
    inputs = {
        "x": lists(xs),
        "call": "single" if len(xs) == 1 else "list" if component in MERGES else "args",
        "call_kwargs": {name: tensor(v) if isinstance(v, np.ndarray) else v for name, v in call.items()},
        "weights": {name: tensor(value) for name, value in weights.items()},
        "upstream": several(upstream),
    }
    made_by = f"keras {keras.__version__} tensorflow backend"
    return {"name": f"{component}_{tag}", "component": component, "params": params, "inputs": inputs,
            "expected": expected, "tolerance": TOLERANCE, "made_by": made_by}


MHA = "MultiHeadAttention"
MERGES = ["Add", "Concatenate", "Multiply"]


def penalty(l1=0.0, l2=0.0):
    return {"component": "L1L2", "params": {"l1": l1, "l2": l2}}


CASES = [
    (MHA, "axes_first", {"num_heads": 2, "key_dim": 3, "attention_axes": [1]}, [(2, 3, 4, 5), (2, 3, 4, 5)]),
    (MHA, "axes_second", {"num_heads": 2, "key_dim": 3, "attention_axes": [2], "value_dim": 2}, [(2, 3, 4, 5), (2, 3, 6, 5)]),
    (MHA, "axes_both", {"num_heads": 2, "key_dim": 2}, [(2, 2, 3, 4), (2, 3, 2, 5)]),
    (MHA, "axes_named_both", {"num_heads": 1, "key_dim": 2, "attention_axes": [1, 2], "use_bias": False}, [(2, 2, 3, 4), (2, 2, 3, 4), (2, 2, 3, 4)]),
    (MHA, "axes_causal", {"num_heads": 2, "key_dim": 3, "attention_axes": [1]}, [(2, 3, 2, 4), (2, 3, 2, 4)], {"use_causal_mask": True}),
    (MHA, "axes_plain", {"num_heads": 2, "key_dim": 3, "attention_axes": [1]}, [(2, 3, 4), (2, 5, 4)]),
    (MHA, "axes_mask", {"num_heads": 2, "key_dim": 3, "attention_axes": [2]}, [(2, 2, 3, 4), (2, 2, 3, 4)], {"attention_mask": [[[1, 0, 0], [1, 1, 0], [1, 1, 1]], [[1, 1, 0], [0, 1, 1], [1, 0, 1]]]}),
    (MHA, "output_length", {"num_heads": 2, "key_dim": 3, "output_shape": 7}, [(2, 3, 4), (2, 3, 4)]),
    (MHA, "output_axes", {"num_heads": 2, "key_dim": 3, "output_shape": [2, 3]}, [(2, 3, 4), (2, 5, 4)]),
    (MHA, "output_and_axes", {"num_heads": 2, "key_dim": 3, "attention_axes": [2], "output_shape": [2, 3]}, [(2, 2, 3, 4), (2, 2, 5, 4)]),
    (MHA, "no_bias_value_dim", {"num_heads": 3, "key_dim": 2, "value_dim": 4, "use_bias": False}, [(2, 3, 4), (2, 5, 6)]),
    (MHA, "dropout_inference", {"num_heads": 2, "key_dim": 3, "dropout": 0.5, "seed": 1}, [(2, 3, 4), (2, 3, 4)], {"training": False}),
    ("Dropout", "noise_shape_inference", {"rate": 0.5, "noise_shape": [None, 1, 4], "seed": 3}, [(2, 3, 4)], {"training": False}),
    ("SpatialDropout2D", "inference", {"rate": 0.5, "seed": 3}, [(2, 3, 4, 2)], {"training": False}),
    ("BatchNormalization", "no_scale_training", {"scale": False, "momentum": 0.9}, [(4, 3, 2)], {"training": True}),
    ("BatchNormalization", "no_center_axis", {"center": False, "axis": 1, "epsilon": 0.01}, [(4, 3, 2)], {"training": True}),
    ("BatchNormalization", "frozen", {"trainable": False}, [(4, 3)], {"training": True}),
    ("LayerNormalization", "two_axes", {"axis": [1, 2]}, [(3, 4, 2)]),
    ("LayerNormalization", "no_scale", {"scale": False, "epsilon": 0.1}, [(3, 4, 2)]),
    ("GroupNormalization", "each_channel", {"groups": -1}, [(2, 5, 4)]),
    ("Conv2D", "groups_dilated", {"filters": 4, "kernel_size": [2, 3], "groups": 2, "dilation_rate": [2, 1], "padding": "same"}, [(2, 5, 6, 4)]),
    ("Conv1DTranspose", "output_padding", {"filters": 2, "kernel_size": 3, "strides": 2, "output_padding": 1}, [(2, 4, 3)]),
    ("Conv2DTranspose", "dilated", {"filters": 2, "kernel_size": 2, "dilation_rate": 2, "padding": "same"}, [(2, 4, 3, 2)]),
    ("AveragePooling2D", "same_strides", {"pool_size": [3, 2], "strides": 2, "padding": "same"}, [(2, 5, 5, 2)]),
    ("ZeroPadding2D", "numbers", {"padding": 2}, [(2, 2, 3, 1)]),
    ("Cropping2D", "pair", {"cropping": [1, 2]}, [(2, 5, 6, 1)]),
    ("LSTM", "backwards_sequences", {"units": 3, "go_backwards": True, "return_sequences": True, "unit_forget_bias": False}, [(2, 4, 3)]),
    ("GRU", "no_bias_before", {"units": 3, "reset_after": False, "use_bias": False, "activation": "relu"}, [(2, 4, 3)]),
    ("Bidirectional", "ave_gru", {"layer": {"component": "GRU", "params": {"units": 2, "return_sequences": True}}, "merge_mode": "ave"}, [(2, 4, 3)]),
    (MHA, "window_one", {"num_heads": 2, "key_dim": 3, "sliding_window": 1}, [(2, 5, 4), (2, 5, 4)]),
    (MHA, "window_of_more_keys", {"num_heads": 1, "key_dim": 3, "sliding_window": 2}, [(2, 3, 4), (2, 5, 4)]),
    (MHA, "window_causal", {"num_heads": 2, "key_dim": 2, "sliding_window": 3}, [(2, 7, 4), (2, 7, 4)], {"use_causal_mask": True}),
    (MHA, "window_and_mask", {"num_heads": 1, "key_dim": 2, "sliding_window": 2}, [(1, 3, 4), (1, 3, 4)], {"attention_mask": [[[1, 1, 1], [0, 1, 1], [1, 1, 1]]]}),
    ("Flatten", "channels_first", {"data_format": "channels_first"}, [(2, 3, 2, 4)]),
    ("LSTM", "unroll", {"units": 3, "unroll": True, "return_sequences": True}, [(2, 4, 3)]),
    ("BatchNormalization", "renorm", {"renorm": True, "momentum": 0.9, "renorm_momentum": 0.8}, [(4, 3, 2)], {"training": True}),
    ("BatchNormalization", "renorm_clipped", {"renorm": True, "renorm_clipping": {"rmax": 1.1, "rmin": 0.9, "dmax": 0.2}}, [(4, 3, 5)], {"training": True}),
    ("BatchNormalization", "renorm_part_of_the_bounds", {"renorm": True, "renorm_clipping": {"dmax": 0.1}, "scale": False}, [(5, 4)], {"training": True}),
    ("BatchNormalization", "renorm_no_center_axis", {"renorm": True, "center": False, "axis": 1, "epsilon": 0.01}, [(3, 4, 2)], {"training": True}),
    ("BatchNormalization", "renorm_inference", {"renorm": True}, [(4, 3)], {"training": False}),
    ("BatchNormalization", "renorm_mask", {"renorm": True}, [(2, 3, 2)], {"training": True, "mask": [[1, 1, 0], [1, 0, 0]]}),
    (MHA, "gate", {"num_heads": 2, "key_dim": 3, "use_gate": True}, [(2, 3, 4), (2, 5, 4)]),
    (MHA, "gate_no_bias_value_dim", {"num_heads": 3, "key_dim": 2, "value_dim": 4, "use_bias": False, "use_gate": True}, [(2, 3, 4), (2, 5, 6)]),
    (MHA, "gate_causal_output", {"num_heads": 2, "key_dim": 2, "use_gate": True, "output_shape": 5}, [(2, 4, 3), (2, 4, 3)], {"use_causal_mask": True}),
    (MHA, "gate_axes", {"num_heads": 2, "key_dim": 3, "attention_axes": [2], "use_gate": True}, [(2, 3, 4, 5), (2, 3, 6, 5)]),
    (MHA, "gate_scores", {"num_heads": 2, "key_dim": 3, "use_gate": True}, [(2, 3, 4), (2, 3, 4)], {"return_attention_scores": True}),
    (MHA, "penalty", {"num_heads": 2, "key_dim": 3, "activity_regularizer": penalty(0.02, 0.05)}, [(2, 3, 4), (2, 5, 4)]),
    (MHA, "penalty_gate_axes", {"num_heads": 2, "key_dim": 3, "attention_axes": [1], "use_gate": True, "activity_regularizer": penalty(0.02, 0.05)}, [(2, 3, 2, 4), (2, 3, 2, 4)]),
    ("Dense", "penalty", {"units": 3, "activation": "relu", "activity_regularizer": penalty(0.1, 0.2)}, [(4, 5)]),
    ("Dense", "penalty_at_right_angles", {"units": 3, "activity_regularizer": {"component": "OrthogonalRegularizer", "params": {"factor": 0.5}}}, [(4, 5)]),
    ("Flatten", "penalty", {"activity_regularizer": penalty(0.1, 0.2)}, [(3, 2, 4)]),
    ("Activation", "penalty", {"activation": "tanh", "activity_regularizer": penalty(0.1, 0.2)}, [(3, 4)]),
    ("Add", "penalty", {"activity_regularizer": penalty(0.1, 0.2)}, [(3, 4), (3, 4)]),
    ("BatchNormalization", "penalty", {"activity_regularizer": penalty(0.1, 0.2)}, [(4, 3)], {"training": True}),
    ("Conv2D", "penalty", {"filters": 2, "kernel_size": 2, "padding": "same", "activity_regularizer": penalty(0.1, 0.2)}, [(2, 3, 4, 2)]),
    ("GlobalAveragePooling1D", "penalty", {"activity_regularizer": penalty(0.1, 0.2)}, [(2, 3, 4)]),
    ("LSTM", "penalty_states", {"units": 3, "return_sequences": True, "return_state": True, "activity_regularizer": penalty(0.1, 0.2)}, [(2, 4, 3)]),
    ("Bidirectional", "penalty", {"layer": {"component": "GRU", "params": {"units": 2}}, "activity_regularizer": penalty(0.1, 0.2)}, [(2, 4, 3)]),
    ("TimeDistributed", "penalty", {"layer": {"component": "Dense", "params": {"units": 2}}, "activity_regularizer": penalty(0.1, 0.2)}, [(2, 4, 3)]),
]


if __name__ == "__main__":
    cases = [json.dumps(one(spec, 9000 + at), separators=(",", ":")) for at, spec in enumerate(CASES)]
    path = pathlib.Path(__file__).with_suffix(".json")
    path.write_text("[\n" + ",\n".join(cases) + "\n]\n")
    print(f"{path.name}: {len(cases)} cases")
