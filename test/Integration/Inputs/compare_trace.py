"""Compares what mpt-train wrote with what PyTorch computed (shared/models).

    compare_trace.py MODEL_FOLDER gradients FILE.safetensors TOLERANCE|fp32
    compare_trace.py MODEL_FOLDER state FILE.safetensors TOLERANCE
    compare_trace.py MODEL_FOLDER losses LOG.jsonl TOLERANCE|fp32

The error of a tensor is the yardstick of the models' README: |got - want| / (|want| + 1e-3 G), norms
over the tensor, G the root mean square of all gradients' norms (state: without G). With
"fp32" the gradients are judged by PyTorch's own FP32 errors: their median and maximum at
most 3 times PyTorch's, never asked below 2e-6.

state: parameters after ten steps.

losses: the relative difference to the FP64 losses, with "fp32" at most 3 times that of
PyTorch's own FP32 losses. A skipped step leaves the state as it was: its successor's loss is
compared with the loss of as many steps as were applied.
"""
import json
import pathlib
import struct
import sys

import numpy as np

DTYPES = {"F64": "<f8", "F32": "<f4", "F16": "<f2", "I64": "<i8"}


def load(path):
    data = path.read_bytes()
    length = struct.unpack("<Q", data[:8])[0]
    for name, entry in json.loads(data[8 : 8 + length]).items():
        if name != "__metadata__":
            begin, end = (8 + length + offset for offset in entry["data_offsets"])
            yield name, np.frombuffer(data[begin:end], DTYPES[entry["dtype"]]).reshape(entry["shape"]).astype(np.float64)


folder, what, file, bound = pathlib.Path(sys.argv[1]), sys.argv[2], pathlib.Path(sys.argv[3]), sys.argv[4]
trace = json.loads((folder / "trace.json").read_text())
entry = trace["files"]["model.onnx"]
# PyTorch's name -> the file's name and whether the file holds the transpose
names = {torch: (own, kind == "transposed") for own, (torch, kind) in entry["parameters"].items()}
frozen = {entry["parameters"][own][0] for own in entry["frozen"] if own in entry["parameters"]}

if what == "losses":
    golden, own = np.array(trace["losses_fp64"]), np.array(trace["losses_fp32"])
    rows = [json.loads(line) for line in file.read_text().splitlines()]
    assert len(rows) == len(golden), f"{len(rows)} steps in the log, should be {len(golden)}"
    applied, worst = 0, 0.0
    for row in rows:
        worst = max(worst, abs(row["loss"] - golden[applied]) / golden[applied])
        applied += not row["skipped"]
    limit = 3 * np.max(np.abs(own - golden) / golden) if bound == "fp32" else float(bound)
    ok = worst <= limit and applied >= len(rows) // 2
    print(f"{applied} of {len(rows)} steps applied, losses differ by {worst:.1e}, at most {limit:.1e}: {'ok' if ok else 'TOO LARGE'}")
    sys.exit(not ok)

golden = dict(load(folder / "expected" / "gradients.safetensors"))
scale = np.sqrt(np.mean([np.sum(gradient**2) for gradient in golden.values()]))
want = golden if what == "gradients" else dict(load(folder / "expected" / "state_after_steps.safetensors"))
got = dict(load(file))


def error_of(name):
    own, transposed = names.get(name, (name, False))
    if own not in got:
        print(f"{name}: '{own}' is missing")
        return np.inf
    value = got[own].T if transposed else got[own]
    return np.linalg.norm(value - want[name]) / (np.linalg.norm(want[name]) + (1e-3 * scale if what == "gradients" else 0))


errors = {}
for name in want:
    if name in frozen or name not in names:
        continue  # running statistics: the trace starts from others than the file holds
    # Zero in exact arithmetic: Adam turns the rounding errors into whole steps.
    if what == "state" and name in golden and np.linalg.norm(golden[name]) <= 1e-10 * scale:
        continue
    errors[name] = error_of(name)
assert errors, "nothing to compare"
worst = max(errors, key=errors.get)
if bound == "fp32":
    torch = trace["torch_fp32_error"]
    limits = [(np.median(list(errors.values())), torch["gradients_median"], "median"), (errors[worst], torch["gradients_max"], "maximum")]
    ok = True
    for value, reference, kind in limits:
        limit = max(3 * reference, 2e-6)
        ok &= bool(value <= limit)
        print(f"{kind}: {value:.1e}, PyTorch's own {reference:.1e}, at most {limit:.1e}")
else:
    ok = errors[worst] <= float(bound)
print(f"{len(errors)} tensors ({what}); worst: {worst}, error {errors[worst]:.1e}: {'ok' if ok else 'TOO LARGE'}")
sys.exit(not ok)
