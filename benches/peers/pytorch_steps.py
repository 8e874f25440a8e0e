"""The workloads of benches/training.rs in PyTorch: `python3 pytorch_steps.py eager|fused|compile`, asked by compare.py.

`eager` is what tutorials do, `fused` has the optimizer in one kernel, `compile` compiles model and loss besides. The
batch is one and the same tensor in memory at every step.
"""

import os
import sys
import time

THREADS = int(os.environ.get("T", "2"))
os.environ["OMP_NUM_THREADS"] = os.environ["MKL_NUM_THREADS"] = str(THREADS)

import torch
from torch import nn
from torch.nn import functional

MODE = sys.argv[1] if len(sys.argv) > 1 else "eager"
torch.set_num_threads(THREADS)
torch.set_num_interop_threads(1)
torch.manual_seed(0)


class Block(nn.Module):
    def __init__(self, before, after, stride):
        super().__init__()
        self.first = nn.Conv2d(before, after, 3, stride, 1, bias=False)
        self.second = nn.Conv2d(after, after, 3, 1, 1, bias=False)
        self.norms = nn.ModuleList([nn.BatchNorm2d(after), nn.BatchNorm2d(after)])
        self.skip = nn.Identity()
        if stride != 1 or before != after:
            self.skip = nn.Sequential(nn.Conv2d(before, after, 1, stride, 0, bias=False), nn.BatchNorm2d(after))

    def forward(self, x):
        y = functional.relu(self.norms[0](self.first(x)))
        return functional.relu(self.norms[1](self.second(y)) + self.skip(x))


class ResNet8(nn.Module):
    def __init__(self):
        super().__init__()
        self.start = nn.Sequential(nn.Conv2d(3, 16, 3, 1, 1, bias=False), nn.BatchNorm2d(16), nn.ReLU())
        self.blocks = nn.Sequential(Block(16, 16, 1), Block(16, 32, 2), Block(32, 64, 2))
        self.last = nn.Linear(64, 10)

    def forward(self, x):
        return self.last(self.blocks(self.start(x)).mean((2, 3)))


class Recurrent(nn.Module):
    def __init__(self):
        super().__init__()
        self.lstm = nn.LSTM(8, 64, batch_first=True)
        self.last = nn.Linear(64, 1)

    def forward(self, x):
        return self.last(self.lstm(x)[0][:, -1])


class Encoder(nn.Module):
    def __init__(self):
        super().__init__()
        self.words = nn.Embedding(10000, 128)
        self.places = nn.Parameter(torch.randn(64, 128) * 0.02)
        layer = nn.TransformerEncoderLayer(128, 4, 512, 0.0, "gelu", batch_first=True)
        self.layers = nn.TransformerEncoder(layer, 2, enable_nested_tensor=False)
        self.last = nn.Linear(128, 4)

    def forward(self, x):
        return self.last(self.layers(self.words(x) + self.places).mean(1))


def perceptron(length, units, classes):
    return nn.Sequential(
        nn.Linear(length, units), nn.ReLU(), nn.Linear(units, units), nn.ReLU(), nn.Linear(units, classes)
    )


def model_and_batch(workload):
    def labels(count, classes):
        return torch.randint(0, classes, (count,))

    if workload in ("A32", "A128"):
        count = int(workload[1:])
        return perceptron(784, 512, 10), torch.rand(count, 784), labels(count, 10)
    if workload == "F":
        return perceptron(4, 16, 3), torch.rand(16, 4), labels(16, 3)
    if workload == "B":
        convolutions = [nn.Conv2d(1, 32, 3), nn.ReLU(), nn.Conv2d(32, 64, 3), nn.ReLU(), nn.MaxPool2d(2)]
        head = [nn.Dropout(0.25), nn.Flatten(), nn.Linear(9216, 128), nn.ReLU(), nn.Linear(128, 10)]
        return nn.Sequential(*convolutions, *head), torch.rand(64, 1, 28, 28), labels(64, 10)
    if workload == "C8":
        return ResNet8(), torch.rand(64, 3, 32, 32), labels(64, 10)
    if workload == "D":
        return Recurrent(), torch.rand(32, 100, 8), torch.rand(32, 1)
    return Encoder(), torch.randint(0, 10000, (32, 64)), labels(32, 4)


def training_step(workload):
    model, x, y = model_and_batch(workload)
    model.train()
    measure = nn.MSELoss() if workload == "D" else nn.CrossEntropyLoss()
    fused = {"fused": True} if MODE != "eager" else {}
    if workload == "C8":
        optimizer = torch.optim.SGD(model.parameters(), lr=0.01, momentum=0.9, **fused)
    else:
        optimizer = torch.optim.Adam(model.parameters(), lr=1e-3, **fused)

    def forward(x, y):
        return measure(model(x), y)

    if MODE == "compile":
        forward = torch.compile(forward)

    def step():
        optimizer.zero_grad(set_to_none=True)
        loss = forward(x, y)
        loss.backward()
        optimizer.step()
        return loss

    return step


def main():
    steps = {}
    print("ready", flush=True)
    for line in sys.stdin:
        workload, seconds = line.split()
        try:
            if workload not in steps:
                steps[workload] = training_step(workload)
                for _ in range(3 if workload in ("B", "C8", "E") else 20):
                    steps[workload]()
            # Small steps are counted twenty at a time, so that the clock costs nothing.
            step, together, count = steps[workload], 20 if workload[0] in "FA" else 1, 0
            start = time.perf_counter()
            while True:
                for _ in range(together):
                    loss = step()
                count += together
                spent = time.perf_counter() - start
                if spent > float(seconds):
                    break
            print(f"{workload} {count / spent:.3f} loss={loss.item():.4f}", flush=True)
        except Exception as error:
            print(f"{workload} nan {type(error).__name__} {str(error)[:200]!r}", flush=True)


if __name__ == "__main__":
    main()
