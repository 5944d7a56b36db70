"""Compares the gradients of a model in shared/models with PyTorch's in FP64.

compare_gradients.py MODEL_FOLDER RESULTS TOLERANCE

RESULTS is a folder with loss.npy and a gradient <parameter>.npy for every trained
parameter. The error of a gradient is |got - want| / (|want| + 1e-3 G), norms over the
tensor, G the root mean square of all gradients' norms (the models' README). Prints the
worst and exits 1 if one is missing or above the tolerance.
"""
import json
import pathlib
import struct
import sys

import numpy as np

DTYPES = {"F64": "<f8", "F32": "<f4", "I64": "<i8"}


def load(path):
    data = path.read_bytes()
    length = struct.unpack("<Q", data[:8])[0]
    for name, entry in json.loads(data[8 : 8 + length]).items():
        if name != "__metadata__":
            begin, end = (8 + length + offset for offset in entry["data_offsets"])
            yield name, np.frombuffer(data[begin:end], DTYPES[entry["dtype"]]).reshape(entry["shape"])


model, results, tolerance = pathlib.Path(sys.argv[1]), pathlib.Path(sys.argv[2]), float(sys.argv[3])
trace = json.loads((model / "trace.json").read_text())
want = dict(load(model / "expected" / "gradients.safetensors"))
# PyTorch's name -> the file's name and whether the file holds the transpose
names = {torch: (own, kind) for own, (torch, kind) in trace["files"]["model.onnx"]["parameters"].items()}
mean = np.sqrt(np.mean([np.sum(gradient**2) for gradient in want.values()]))

errors = {}
for name, gradient in want.items():
    own, kind = names.get(name, (name, "same"))
    path = results / (own.replace("/", "_") + ".npy")
    if not path.exists():
        print(f"{name}: no gradient of '{own}'")
        errors[name] = np.inf
        continue
    got = np.load(path)
    got = got.T if kind == "transposed" else got
    errors[name] = np.linalg.norm(got - gradient) / (np.linalg.norm(gradient) + 1e-3 * mean)

golden = trace["losses_fp64"][0]
errors["the loss"] = abs(float(np.load(results / "loss.npy")) - golden) / abs(golden)
worst = max(errors, key=errors.get)
passed = errors[worst] <= tolerance
print(f"{len(want)} gradients; worst: {worst}, error {errors[worst]:.1e}, at most {tolerance:.1e}: {'ok' if passed else 'TOO LARGE'}")
sys.exit(not passed)
