"""Checks the error that the explanation of a mixed-precision model predicts.

    predicted_error.py MODELS SCRATCH

Converts every exported model of the families in MODELS to FP16 and BF16. The error of the outputs,
|got - want| / |want|, must be below the predicted tolerance: as `mpt-run --compare` measures it
(every 16-bit tensor is stored in 16 bits), and for FP16 in ONNX Runtime, whose CPU provider has no
BF16 kernels and computes much of an FP16 model in FP32. And the prediction must say something: the
tolerance is at most 20 times the error in 16-bit storage.
"""

import json
import pathlib
import re
import subprocess
import sys

import numpy as np
import onnxruntime as ort

LOOSEST = 20


def run(*command):
    return subprocess.run([str(part) for part in command], capture_output=True, text=True)


def measure(original, converted, batch):
    result = run("mpt-run", "--compare", original, converted, "--data", batch)
    errors = re.findall(r"^output '.*': error ([^;]+);", result.stdout, re.M)
    if not errors:
        sys.exit(f"{converted}: {result.stdout}{result.stderr}")
    return max(float(error) for error in errors)


def measure_in_runtime(original, converted, batch):
    options = ort.SessionOptions()
    options.log_severity_level = 3
    outputs = []
    for path in (original, converted):
        session = ort.InferenceSession(path, options, providers=["CPUExecutionProvider"])
        feeds = {i.name: np.load(batch / f"{i.name}.npy") for i in session.get_inputs()}
        outputs.append([output.astype(np.float64) for output in session.run(None, feeds)])
    return max(np.linalg.norm(got - want) / np.linalg.norm(want) for want, got in zip(*outputs, strict=True))


def main():
    models, scratch = map(pathlib.Path, sys.argv[1:])
    scratch.mkdir(exist_ok=True)
    converted, explanation = scratch / "converted.onnx", scratch / "why.json"
    failed = False
    for original in sorted(models.glob("*/model*.onnx")):
        for low in ("f16", "bf16"):
            result = run(
                "mpt-opt", original, f"--mpt-mixed-precision=low={low}", "--explain", explanation, "-o", converted
            )
            if result.returncode:
                sys.exit(result.stderr)
            (function,) = json.loads(explanation.read_text())
            expected, tolerance = (function["totals"][key] for key in ("expected_error", "error_tolerance"))
            batch = original.parent / "batch"
            error = measure(original, converted, batch)
            in_runtime = measure_in_runtime(original, converted, batch) if low == "f16" else 0
            print(
                f"{original.parent.name}/{original.name}, {low}: expected {expected:.1e}, tolerance {tolerance:.1e}, "
                f"error {error:.1e}, in ONNX Runtime {in_runtime:.1e}"
            )
            if not max(error, in_runtime) <= tolerance:
                print("  the error is above the tolerance")
                failed = True
            if tolerance > LOOSEST * error:
                print(f"  the tolerance is more than {LOOSEST} times the error: it says nothing")
                failed = True
    sys.exit(failed)


main()
