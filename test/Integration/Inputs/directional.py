"""Checks the gradient of an ONNX model's loss along random directions, in double.

    directional.py MODEL.onnx DATA LOSS WORK STEP TOLERANCE [--directions N] [mpt-train options]

mpt-train --compute=f64 gives the gradient g at the parameters p of the file. For a random direction v
(normal, in units of each tensor's root mean square) two more files hold p + STEP v and p - STEP v as
double initializers behind a Cast, which evaluation in double leaves alone. The difference of their losses
is g.d, d = 2 STEP v, up to STEP^3; it is judged by |g * d|, what a sum of that many terms is in size. One parameter is
not moved: a run needs something to train. Three directions unless told otherwise.
"""
import json
import pathlib
import struct
import subprocess
import sys

import numpy as np
import onnx
from compare_trace import load
from onnx import numpy_helper


def loss_and_gradients(path, data, loss, work, options):
    file = work / "gradients.safetensors"
    command = ["mpt-train", path, "--data", data, "--loss", loss, "--optimizer", "sgd(lr=0)", "--precision", "fp32"]
    command += ["--target=reference", "--compute=f64", "--steps", "1", "--no-shuffle", "--quiet", *options]
    command += ["--dump-gradients", file, "--checkpoint", work / "checkpoint.safetensors"]
    subprocess.run(command, check=True, stdout=subprocess.DEVNULL)
    data = file.read_bytes()
    header = json.loads(data[8 : 8 + struct.unpack("<Q", data[:8])[0]])
    return float(header["__metadata__"]["loss"]), load(file)


def main():
    path, data, loss, work = pathlib.Path(sys.argv[1]), sys.argv[2], sys.argv[3], pathlib.Path(sys.argv[4])
    step, tolerance, options = float(sys.argv[5]), float(sys.argv[6]), sys.argv[7:]
    directions = 3
    if options[:1] == ["--directions"]:
        directions, options = int(options[1]), options[2:]
    work.mkdir(parents=True, exist_ok=True)
    _, gradients = loss_and_gradients(path, data, loss, work, options)
    random = np.random.default_rng(7)
    names = [i.name for i in onnx.load(path).graph.initializer if i.name in gradients]
    assert len(names) == len(gradients), f"{len(gradients) - len(names)} gradients belong to no initializer"
    frozen = options + ["--freeze", ",".join(name + ".wide" for name in names[:-1])]
    for number in range(directions):
        terms, moved = [], [onnx.load(path), onnx.load(path)]
        for name in names[:-1]:
            for sign, model in zip((1, -1), moved):
                tensor = next(i for i in model.graph.initializer if i.name == name)
                p = numpy_helper.to_array(tensor).astype(np.float64)
                if sign == 1:
                    v = random.standard_normal(p.shape) * step * (np.sqrt(np.mean(p**2)) or 0.01)
                    terms.append(np.ravel(2 * gradients[name] * v))
                tensor.CopyFrom(numpy_helper.from_array(p + sign * v, name + ".wide"))
                model.graph.node.insert(0, onnx.helper.make_node("Cast", [name + ".wide"], [name], to=onnx.TensorProto.FLOAT))
        losses = []
        for model in moved:
            file = work / "moved.onnx"
            onnx.save(model, file)
            losses.append(loss_and_gradients(file, data, loss, work, frozen)[0])
        terms = np.concatenate(terms)
        error = abs(losses[0] - losses[1] - np.sum(terms)) / np.linalg.norm(terms)
        print(f"direction {number}: difference {losses[0] - losses[1]:.10e}, gradient {np.sum(terms):.10e}, error {error:.1e}")
        assert error <= tolerance, f"differs by {error:.1e}, at most {tolerance:.1e}"
    print(f"the gradient of {len(gradients)} parameters agrees along {directions} directions")


if __name__ == "__main__":
    main()
