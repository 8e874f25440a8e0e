"""Makes bounds.json: losses at, beyond and just within the bounds at which they clip, and where they turn.

    pip install keras==3.15.1 tensorflow
    python tests/numeric/bounds.py

A case has the form of losses.json: the loss and its gradient in the predictions. Numbers come from Keras on TensorFlow, by
GradientTape: there a bound itself lets the gradient pass (elsewhere, JAX halves it).
"""

import json
import os
import pathlib

os.environ["KERAS_BACKEND"] = "tensorflow"

import keras  # noqa: E402
import numpy as np  # noqa: E402
import tensorflow as tf  # noqa: E402

TOLERANCE = {"abs": 1e-6, "rel": 1e-5}


def tensor(value):
    value = np.asarray(value)
    dtype = "int64" if value.dtype.kind == "i" else "float32"
    number = lambda x: int(x) if dtype == "int64" else float(str(np.float32(x)))
    data = [number(x) if np.isfinite(x) else {"inf": "Infinity", "-inf": "-Infinity"}.get(str(x), "NaN") for x in value.reshape(-1)]
    return {"shape": list(value.shape), "dtype": dtype, "data": data}


def one(component, tag, params, y_true, y_pred):
    y_true = np.array(y_true, "int64" if np.array(y_true).dtype.kind == "i" and component in CLASSES else "float32")
    y_pred = tf.constant(np.array(y_pred, "float32"))
    loss = getattr(keras.losses, component)(**params)
    with tf.GradientTape() as tape:
        tape.watch(y_pred)
        value = loss(tf.constant(y_true), y_pred)
    gradient = tape.gradient(value, y_pred)
    return {"name": f"{component}_{tag}", "component": component, "params": params,
            "inputs": {"y_true": tensor(y_true), "y_pred": tensor(y_pred)},
            "expected": {"loss": tensor(value), "grad": tensor(gradient)}, "tolerance": TOLERANCE,
            "made_by": f"keras {keras.__version__} tensorflow backend"}


CLASSES = ["SparseCategoricalCrossentropy", "CategoricalGeneralizedCrossEntropy"]

# Chances around both bounds, 1e-7 and 1 - 1e-7.
CHANCES = [0.0, 1e-8, 1e-7, 2e-7, 0.5, 0.9999996, 0.9999999, 1.0, 1.1, -0.1]
LABELS = [[0.0] * 10, [1.0] * 10, [0.3] * 10]
# Of three classes: some that cannot be, the sum not always 1.
SHARES = [[0.0, 0.3, 0.7], [1.0, 0.0, 0.0], [1e-7, 0.5, 0.5], [2e-8, 1e-8, 1.0], [0.2, 0.3, 0.1], [0.5, 5e-8, 0.5]]
SURE = [[1, 0, 0], [0, 1, 0], [1, 0, 0], [0, 0, 1], [0, 1, 0], [0, 1, 0]]
SOFT = [[0.2, 0.3, 0.5], [0.6, 0.2, 0.2], [0.1, 0.1, 0.8], [0.3, 0.3, 0.4], [0.0, 0.5, 0.5], [1.0, 0.0, 0.0]]
LOGITS = [[-1000.0, -100.0, -20.0, 0.0, 20.0, 100.0, 1000.0]] * 2
MARGINS = [[1.0, -1.0, 0.0, 0.5, 2.0, -2.0]] * 2
ERRORS = [[0.0, 1e-4, -1e-4, 0.5, -0.5, 20.0, -20.0, 100.0, -1e4]]

CASES = [
    ("KLDivergence", "labels_0", {}, [[0.0] * 10], [CHANCES]),
    ("KLDivergence", "labels_1", {}, [[1.0] * 10], [CHANCES]),
    ("KLDivergence", "labels_beyond", {}, [[1.2, -0.2, 1e-7, 1e-8, 0.5] * 2] * 2, [CHANCES, CHANCES[::-1]]),
    ("KLDivergence", "rows", {"reduction": "sum"}, SOFT, SHARES),
    ("BinaryCrossentropy", "plain", {}, LABELS, [CHANCES] * 3),
    ("BinaryCrossentropy", "smoothed", {"label_smoothing": 0.2}, LABELS, [CHANCES] * 3),
    ("BinaryCrossentropy", "logits", {"from_logits": True}, [[0.0] * 7, [1.0] * 7], LOGITS),
    ("BinaryFocalCrossentropy", "plain", {}, LABELS, [CHANCES] * 3),
    ("BinaryFocalCrossentropy", "balanced", {"apply_class_balancing": True, "gamma": 1.0}, LABELS, [CHANCES] * 3),
    ("CategoricalCrossentropy", "sure", {}, SURE, SHARES),
    ("CategoricalCrossentropy", "soft", {"label_smoothing": 0.1}, SOFT, SHARES),
    ("CategoricalCrossentropy", "logits", {"from_logits": True}, [[1, 0, 0], [0, 1, 0]], [[-1000.0, 0.0, 1000.0], [100.0, 20.0, -20.0]]),
    ("CategoricalFocalCrossentropy", "sure", {}, SURE, SHARES),
    ("CategoricalFocalCrossentropy", "soft", {"gamma": 1.5}, SOFT, SHARES),
    ("SparseCategoricalCrossentropy", "plain", {}, [0, 1, 0, 2, 1, 1], SHARES),
    ("SparseCategoricalCrossentropy", "others", {"reduction": "sum"}, [1, 2, 2, 0, 0, 2], SHARES),
    ("SparseCategoricalCrossentropy", "logits", {"from_logits": True}, [0, 2], [[-1000.0, 0.0, 1000.0], [100.0, 20.0, -20.0]]),
    ("Poisson", "least", {}, [[0.0, 1.0, 2.0, 0.5, 3.0, 1.0]], [[0.0, 0.0, 1e-7, 1e-8, -5e-8, 3.0]]),
    ("LogCosh", "far", {}, [[0.0] * 9], ERRORS),
    ("LogCosh", "shifted", {}, [[0.25] * 9], ERRORS),
    ("Hinge", "signs", {}, [[1.0] * 6, [-1.0] * 6], MARGINS),
    ("Hinge", "bits", {}, [[1.0] * 6, [0.0] * 6], MARGINS),
    ("SquaredHinge", "signs", {}, [[1.0] * 6, [-1.0] * 6], MARGINS),
    ("SquaredHinge", "bits", {"reduction": "sum"}, [[1.0] * 6, [0.0] * 6], MARGINS),
    ("CategoricalHinge", "turn", {}, [[1, 0, 0], [0, 1, 0], [0, 0, 1]], [[1.0, 0.0, -0.5], [0.5, 1.5, 0.25], [0.5, 0.25, 0.5]]),
    ("MeanSquaredLogarithmicError", "least", {}, [[0.0, 1.0, 1.0, -1.0, 0.5, 2.0]], [[0.0, 1e-7, 1e-8, -0.5, -2.0, 2.0]]),
    ("MeanAbsolutePercentageError", "least", {}, [[0.0, 1e-7, 1e-8, -1e-7, 0.5, 2.0]], [[1e-7, 0.0, 1.0, 0.5, 0.5, 1.0]]),
    ("MeanAbsoluteError", "equal", {}, [[0.5, 1.0, 0.0]], [[0.5, 2.0, -1.0]]),
    ("Huber", "turn", {}, [[0.0] * 6], [[1.0, -1.0, 0.0, 0.5, 2.0, -2.0]]),
    ("Huber", "turn_at_half", {"delta": 0.5}, [[0.0] * 6], [[0.5, -0.5, 0.0, 0.25, 2.0, -2.0]]),
    ("CosineSimilarity", "short", {}, [[1.0, 2.0, 3.0], [0.0, 0.0, 0.0], [1.0, 0.0, 0.0]], [[3.0, 2.0, 1.0], [1.0, 0.5, 0.25], [2e-7, 1e-7, 0.0]]),
    ("Dice", "ends", {}, [[[0.0], [1.0]], [[1.0], [0.0]]], [[[0.0], [1.0]], [[1.0], [0.5]]]),
    ("Tversky", "ends", {"alpha": 0.3, "beta": 0.7}, [[[0.0], [1.0]], [[1.0], [0.0]]], [[[0.0], [1.0]], [[1.0], [0.5]]]),
    ("CategoricalGeneralizedCrossEntropy", "ends", {}, [0, 2, 1, 0], SHARES[2:]),
]


if __name__ == "__main__":
    cases = [json.dumps(one(*case), separators=(",", ":")) for case in CASES]
    path = pathlib.Path(__file__).with_suffix(".json")
    path.write_text("[\n" + ",\n".join(cases) + "\n]\n")
    print(f"{path.name}: {len(cases)} cases")
