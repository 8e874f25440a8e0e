"""Trains small networks, exports their weights in PyTorch's layout, loads them with PyTorch, and compares what both compute.

    cargo build --release
    pip install torch numpy
    python tests/pytorch/check.py target/release/barrage

`load_state_dict` is strict: every name and every shape must fit. Exits with 1 where anything differs.
"""

import json
import pathlib
import struct
import subprocess
import sys
import tempfile

import numpy
import torch
from torch import nn

RECORDS, CLASSES, TOLERANCE = 48, 3, 2e-5

LOADERS = """
fn image(record) { #{ x: #{ x: tensor(record.x).reshape([9, 7, 2]) }, y: #{ out: record.label } } }
fn series(record) { #{ x: #{ x: tensor(record.x).reshape([12, 3]) }, y: #{ out: record.label } } }
fn words(record) { #{ x: #{ x: tensor(record.x) }, y: #{ out: record.label } } }
"""

NETWORKS = """
fn convolutions(params) {
    let x = input("x", [9, 7, 2]);
    let y = x.conv2d(6, 3, #{ padding: "same", name: "first" }).batch_normalization(#{ epsilon: 1e-5, name: "norm" }).relu();
    let y = y.depthwise_conv2d(3, #{ depth_multiplier: 2, name: "each" }).relu().max_pooling2d(2);
    let y = y.conv2d_transpose(4, 2, #{ strides: 2, name: "up" }).relu();
    network(x, y.flatten().dense(8, #{ activation: "tanh", name: "hidden" }).dense(3, #{ activation: "softmax", name: "out" }))
}

fn recurrent(params) {
    let x = input("x", [12, 3]);
    let y = x.conv1d(5, 3, #{ padding: "same", name: "first" }).relu();
    let y = y.bidirectional(component("LSTM", #{ units: 4, return_sequences: true }), #{ name: "both" });
    let y = y.gru(5, #{ return_sequences: true, name: "gated" }).simple_rnn(4, #{ name: "plain" });
    network(x, y.dense(3, #{ activation: "softmax", name: "out" }))
}

fn attention(params) {
    let x = input("x", [10], #{ dtype: "i64" });
    let e = x.embedding(20, 8, #{ name: "table" });
    let a = e.multi_head_attention(2, 4, #{ name: "looks" });
    let y = add([e, a]).layer_normalization(#{ epsilon: 1e-5, name: "norm" });
    network(x, y.global_average_pooling1d().dense(3, #{ activation: "softmax", name: "out" }))
}
"""


class Convolutions(nn.Module):
    def __init__(self):
        super().__init__()
        self.first = nn.Conv2d(2, 6, 3, padding=1)
        self.norm = nn.BatchNorm2d(6)
        self.each = nn.Conv2d(6, 12, 3, groups=6)
        self.up = nn.ConvTranspose2d(12, 4, 2, stride=2)
        self.hidden, self.out = nn.Linear(4 * 6 * 4, 8), nn.Linear(8, CLASSES)

    def forward(self, x):
        x = torch.relu(self.norm(self.first(x.permute(0, 3, 1, 2))))
        x = torch.max_pool2d(torch.relu(self.each(x)), 2)
        return self.out(torch.tanh(self.hidden(torch.relu(self.up(x)).flatten(1))))


class Recurrent(nn.Module):
    def __init__(self):
        super().__init__()
        self.first = nn.Conv1d(3, 5, 3, padding=1)
        self.both = nn.LSTM(5, 4, bidirectional=True, batch_first=True)
        self.gated = nn.GRU(8, 5, batch_first=True)
        self.plain = nn.RNN(5, 4, batch_first=True)
        self.out = nn.Linear(4, CLASSES)

    def forward(self, x):
        x = torch.relu(self.first(x.permute(0, 2, 1))).permute(0, 2, 1)
        x, _ = self.both(x)
        x, _ = self.gated(x)
        x, _ = self.plain(x)
        return self.out(x[:, -1])


class Attention(nn.Module):
    def __init__(self):
        super().__init__()
        self.table = nn.Embedding(20, 8)
        self.looks = nn.MultiheadAttention(8, 2, batch_first=True)
        self.norm = nn.LayerNorm(8)
        self.out = nn.Linear(8, CLASSES)

    def forward(self, x):
        e = self.table(x)
        a, _ = self.looks(e, e, e, need_weights=False)
        return self.out(self.norm(e + a).mean(1))


CASES = [
    ("convolutions", "image", Convolutions, lambda draw: draw.standard_normal(9 * 7 * 2).round(4).tolist(), (9, 7, 2)),
    ("recurrent", "series", Recurrent, lambda draw: draw.standard_normal(12 * 3).round(4).tolist(), (12, 3)),
    ("attention", "words", Attention, lambda draw: draw.integers(0, 20, 10).tolist(), (10,)),
]


def read_safetensors(path):
    data = path.read_bytes()
    (length,) = struct.unpack("<Q", data[:8])
    head, body = json.loads(data[8 : 8 + length]), data[8 + length :]
    arrays = {}
    for name, told in head.items():
        if name != "__metadata__":
            start, end = told["data_offsets"]
            assert told["dtype"] == "F32", told
            array = numpy.frombuffer(body[start:end], numpy.float32).reshape(told["shape"])
            arrays[name] = torch.from_numpy(array.copy())
    return arrays


def check(barrage, folder, name, loader, module, draw_one, shape):
    """Returns the largest difference of a score."""
    draw = numpy.random.default_rng(5)
    rows = [{"x": draw_one(draw), "label": int(draw.integers(0, CLASSES))} for _ in range(RECORDS)]
    (folder / f"{name}.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows))
    config = {
        "dataset": {"loader": {"import": f"loaders.{loader}"}, "seed": 3},
        "model": {
            "network": {"import": f"networks.{name}"},
            "outputs": [{"name": "out", "loss": {"import": "sparse_categorical_crossentropy"}}],
        },
        "solver": {"epochs": 3, "batch_size": 8, "optimizer": {"import": "Adam", "learning_rate": 0.01}},
    }
    (folder / f"{name}.json").write_text(json.dumps(config))

    def run(*arguments):
        subprocess.run([barrage, *arguments], cwd=folder, check=True, capture_output=True, text=True)

    data, weights, scores = f"{name}.jsonl", f"{name}.safetensors", f"{name}_scores.json"
    run("train", f"{name}.json", data, data, "-a", name)
    run("export", name, "-o", weights, "--layout", "pytorch")
    run("predict", data, name, "-o", scores)
    own = module().eval()
    missing = own.load_state_dict(read_safetensors(folder / weights), strict=False)
    # What PyTorch counts and nothing computes with.
    left = [key for key in missing.missing_keys if not key.endswith("num_batches_tracked")]
    if left or missing.unexpected_keys:
        raise ValueError(f"not in the file: {left}; not in the module: {missing.unexpected_keys}")
    x = numpy.array([row["x"] for row in rows]).reshape(RECORDS, *shape)
    x = torch.from_numpy(x if name == "attention" else x.astype(numpy.float32))
    with torch.no_grad():
        expected = torch.softmax(own(x), -1).numpy()
    found = numpy.array([score["out"] for score in json.loads((folder / scores).read_text())])
    return float(numpy.abs(found - expected).max())


def main():
    barrage = str(pathlib.Path(sys.argv[1]).resolve())
    wrong = 0
    with tempfile.TemporaryDirectory() as folder:
        folder = pathlib.Path(folder)
        (folder / "loaders.rhai").write_text(LOADERS)
        (folder / "networks.rhai").write_text(NETWORKS)
        for case in CASES:
            try:
                worst = check(barrage, folder, *case)
                verdict = "equal" if worst <= TOLERANCE else "DIFFERS"
                print(f"{case[0]}: {verdict}, largest difference {worst:.1e}")
            except subprocess.CalledProcessError as error:
                worst, _ = float("inf"), print(f"{case[0]}: {error}\n{error.stderr}")
            except (ValueError, RuntimeError) as error:
                worst, _ = float("inf"), print(f"{case[0]}: {error}")
            wrong += worst > TOLERANCE
    print(f"torch {torch.__version__}: {len(CASES) - wrong} of {len(CASES)} networks equal to {TOLERANCE}")
    sys.exit(1 if wrong else 0)


if __name__ == "__main__":
    main()
