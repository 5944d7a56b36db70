"""Runs two ONNX models on the same inputs and compares their outputs.

    compare.py ORIGINAL EXPORTED --tolerance T [--batch FOLDER] [--dim NAME=N ...]

The exported model must pass onnx.checker's full check. Inputs are the .npy files of FOLDER
named after them, or random. The difference of an output is |got - want| / |want| in the
Frobenius norm.
"""
import argparse
import pathlib
import sys

import numpy as np
import onnx
import onnxruntime as ort

TYPES = {"tensor(float)": np.float32, "tensor(int64)": np.int64, "tensor(int32)": np.int32, "tensor(bool)": np.bool_}


def session(path):
    options = ort.SessionOptions()
    options.log_severity_level = 3
    return ort.InferenceSession(str(path), options, providers=["CPUExecutionProvider"])


def feeds_of(model, args):
    rng = np.random.default_rng(0)
    dims = dict(dim.split("=") for dim in args.dim)
    feeds = {}
    for value in model.get_inputs():
        path = pathlib.Path(args.batch or ".") / f"{value.name}.npy"
        if args.batch and path.exists():
            feeds[value.name] = np.load(path).astype(TYPES[value.type])
            continue
        shape = [d if isinstance(d, int) else int(dims[d]) for d in value.shape]
        feeds[value.name] = rng.standard_normal(shape).astype(TYPES[value.type])
    return feeds


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("original")
    parser.add_argument("exported")
    parser.add_argument("--tolerance", type=float, required=True)
    parser.add_argument("--batch")
    parser.add_argument("--dim", action="append", default=[])
    args = parser.parse_args()
    onnx.checker.check_model(args.exported, full_check=True)
    original, exported = session(args.original), session(args.exported)
    for kind in ("get_inputs", "get_outputs"):
        names = [[v.name for v in getattr(m, kind)()] for m in (original, exported)]
        if names[0] != names[1]:
            sys.exit(f"names differ: {names[0]} and {names[1]}")
    feeds = feeds_of(original, args)
    for output, want, got in zip(
        original.get_outputs(), original.run(None, feeds), exported.run(None, feeds), strict=True
    ):
        want, got = want.astype(np.float64), got.astype(np.float64)
        error = np.linalg.norm(got - want) / np.linalg.norm(want)
        print(f"{output.name}: relative difference {error:.2e}")
        if got.shape != want.shape or not error <= args.tolerance:
            sys.exit(f"{output.name}: differs by {error:.2e}, allowed {args.tolerance:.2e}")


main()
