"""Compares every model that the tests write with onnxruntime, number by number.

    BARRAGE_ONNX=/tmp/onnx cargo test --release --test main onnx::
    pip install onnx onnxruntime numpy
    python tests/onnx/check.py /tmp/onnx

Each model is also held against ONNX's own checker, shapes included. Exits with 1 where anything differs.
"""

import json
import pathlib
import sys

import numpy
import onnx
import onnxruntime

TYPES = {"tensor(float)": numpy.float32, "tensor(int64)": numpy.int64, "tensor(uint8)": numpy.uint8}


def array(value, dtype):
    return numpy.array([float(number) for number in value["data"]]).reshape(value["shape"]).astype(dtype)


def check(path):
    """Returns the largest difference, as a share of what is allowed."""
    told = json.loads(path.with_suffix(".json").read_text())
    onnx.checker.check_model(str(path), full_check=True)
    options = onnxruntime.SessionOptions()
    options.log_severity_level = 3
    session = onnxruntime.InferenceSession(str(path), options, providers=["CPUExecutionProvider"])
    feed = {port.name: array(told["inputs"][port.name], TYPES[port.type]) for port in session.get_inputs()}
    worst = 0.0
    for port, found in zip(session.get_outputs(), session.run(None, feed)):
        expected = array(told["outputs"][port.name], numpy.float64)
        if found.shape != expected.shape:
            raise ValueError(f"{port.name} has shape {found.shape}, expected {expected.shape}")
        allowed = told["tolerance"]["abs"] + told["tolerance"]["rel"] * numpy.abs(expected)
        share = numpy.abs(found.astype(numpy.float64) - expected) / allowed
        if not numpy.all(numpy.isfinite(share)):
            raise ValueError(f"{port.name} has numbers that are not finite")
        worst = max(worst, float(share.max(initial=0.0)))
    return worst


def main():
    paths = sorted(pathlib.Path(sys.argv[1]).glob("*.onnx"))
    failures = []
    worst = 0.0
    for path in paths:
        try:
            share = check(path)
        except Exception as error:
            failures.append(f"{path.stem}: {str(error).splitlines()[0]}")
            continue
        worst = max(worst, share)
        if share > 1.0:
            failures.append(f"{path.stem}: {share:.1f} times what is allowed")
    print(f"onnx {onnx.__version__}, onnxruntime {onnxruntime.__version__}")
    print(f"{len(paths) - len(failures)} of {len(paths)} models agree; the largest difference is {worst:.2f} of what is allowed")
    print("\n".join(failures))
    return 1 if failures or not paths else 0


if __name__ == "__main__":
    sys.exit(main())
