"""The workloads of benches/training.rs in TensorFlow: `python3 tensorflow_steps.py graph|xla|fit`, asked by compare.py.

`graph` is a `tf.function` of Keras layers with a gradient tape, `xla` the same compiled by XLA; both train on one and the
same batch on the device. `fit` is Keras's own loop over NumPy arrays.
"""

import os
import sys
import time

os.environ["TF_CPP_MIN_LOG_LEVEL"] = "3"
os.environ["CUDA_VISIBLE_DEVICES"] = ""
os.environ["KERAS_BACKEND"] = "tensorflow"

import keras
import numpy
import tensorflow as tf
from keras import layers

MODE = sys.argv[1] if len(sys.argv) > 1 else "graph"
THREADS = int(os.environ.get("T", "2"))
tf.config.threading.set_intra_op_parallelism_threads(THREADS)
tf.config.threading.set_inter_op_parallelism_threads(THREADS)
keras.utils.set_random_seed(0)


class Positions(layers.Layer):
    def build(self, shape):
        self.places = self.add_weight(shape=(shape[1], shape[2]), initializer="random_normal")

    def call(self, x):
        return x + self.places


def normed(filters, size, stride, x):
    return layers.BatchNormalization()(layers.Conv2D(filters, size, stride, "same", use_bias=False)(x))


def resnet8():
    x = layers.Input((32, 32, 3))
    value = layers.ReLU()(normed(16, 3, 1, x))
    for at, filters in enumerate([16, 32, 64]):
        stride = 1 if at == 0 else 2
        inner = normed(filters, 3, 1, layers.ReLU()(normed(filters, 3, stride, value)))
        value = layers.ReLU()(inner + (value if at == 0 else normed(filters, 1, stride, value)))
    return keras.Model(x, layers.Dense(10)(layers.GlobalAveragePooling2D()(value)))


def encoder():
    x = layers.Input((64,), dtype="int32")
    value = Positions()(layers.Embedding(10000, 128)(x))
    for _ in range(2):
        seen = layers.MultiHeadAttention(4, 32)(value, value)
        first = layers.LayerNormalization(epsilon=1e-5)(value + seen)
        wide = layers.Dense(128)(layers.Dense(512, "gelu")(first))
        value = layers.LayerNormalization(epsilon=1e-5)(first + wide)
    return keras.Model(x, layers.Dense(4)(layers.GlobalAveragePooling1D()(value)))


def perceptron(length, units, classes):
    hidden = [layers.Dense(units, "relu"), layers.Dense(units, "relu")]
    return keras.Sequential([layers.Input((length,)), *hidden, layers.Dense(classes)])


def model_and_batch(workload):
    random = numpy.random.RandomState(0)

    def floats(*shape):
        return random.rand(*shape).astype("float32")

    def labels(count, classes):
        return random.randint(0, classes, count)

    if workload in ("A32", "A128"):
        count = int(workload[1:])
        return perceptron(784, 512, 10), floats(count, 784), labels(count, 10)
    if workload == "F":
        return perceptron(4, 16, 3), floats(16, 4), labels(16, 3)
    if workload == "B":
        convolutions = [layers.Conv2D(32, 3, activation="relu"), layers.Conv2D(64, 3, activation="relu")]
        head = [layers.Dropout(0.25), layers.Flatten(), layers.Dense(128, "relu"), layers.Dense(10)]
        model = keras.Sequential([layers.Input((28, 28, 1)), *convolutions, layers.MaxPool2D(2), *head])
        return model, floats(64, 28, 28, 1), labels(64, 10)
    if workload == "C8":
        return resnet8(), floats(64, 32, 32, 3), labels(64, 10)
    if workload == "D":
        model = keras.Sequential([layers.Input((100, 8)), layers.LSTM(64), layers.Dense(1)])
        return model, floats(32, 100, 8), floats(32, 1)
    return encoder(), random.randint(0, 10000, (32, 64)).astype("int32"), labels(32, 4)


def training_step(workload):
    """A function that does some steps, and how many."""
    model, x, y = model_and_batch(workload)
    logits = keras.losses.SparseCategoricalCrossentropy(from_logits=True)
    measure = keras.losses.MeanSquaredError() if workload == "D" else logits
    optimizer = keras.optimizers.SGD(0.01, 0.9) if workload == "C8" else keras.optimizers.Adam(1e-3)
    if MODE == "fit":
        model.compile(optimizer=optimizer, loss=measure)
        repeats = 200 if workload[0] in "AF" else 8
        many_x, many_y = numpy.concatenate([x] * repeats), numpy.concatenate([y] * repeats)

        def run():
            history = model.fit(many_x, many_y, batch_size=len(x), epochs=1, verbose=0, shuffle=False)
            return history.history["loss"][0]

        return run, repeats
    x, y = tf.constant(x), tf.constant(y)
    optimizer.build(model.trainable_variables)

    @tf.function(jit_compile=MODE == "xla")
    def step():
        with tf.GradientTape() as tape:
            loss = measure(y, model(x, training=True))
        optimizer.apply(tape.gradient(loss, model.trainable_variables), model.trainable_variables)
        return loss

    return step, 1


def main():
    steps = {}
    print("ready", flush=True)
    for line in sys.stdin:
        workload, seconds = line.split()
        try:
            if workload not in steps:
                steps[workload] = training_step(workload)
                for _ in range(2 if MODE == "fit" else 10):
                    steps[workload][0]()
            (step, steps_each), count = steps[workload], 0
            # Small steps are counted twenty at a time, so that waiting for the result costs nothing.
            together = 20 if workload[0] in "FA" and MODE != "fit" else 1
            start = time.perf_counter()
            while True:
                for _ in range(together):
                    loss = step()
                float(loss)
                count += together * steps_each
                spent = time.perf_counter() - start
                if spent > float(seconds):
                    break
            print(f"{workload} {count / spent:.3f} loss={float(loss):.4f}", flush=True)
        except Exception as error:
            print(f"{workload} nan {type(error).__name__} {str(error)[:200]!r}", flush=True)


if __name__ == "__main__":
    main()
