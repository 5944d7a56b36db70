"""Compares what training runs left behind.

    states.py equal A.safetensors B.safetensors [--except NAME,...]
        every tensor has the same bytes
    states.py close A.safetensors B.safetensors TOLERANCE
        every floating tensor differs by at most TOLERANCE of its norm
    states.py average STATE.safetensors MODEL.onnx DECAY
        after one step, <name>.ema is DECAY times the model's initializer plus 1 - DECAY times <name>
    states.py untouched STATE.safetensors MODEL.onnx
        parameters are the model's initializers bit for bit, optimizer state and step are zero
    states.py zeros GRADIENTS.safetensors PATTERN
        prints the fraction of zero entries over the tensors whose name matches
"""
import re
import sys

import numpy as np
from safetensors.numpy import load_file


def bits(array):
    return array.tobytes()


def equal(first, second, *rest):
    skip = set(rest[1].split(",")) if rest[:1] == ("--except",) else set()
    a, b = load_file(first), load_file(second)
    if set(a) != set(b):
        return f"different tensors: {sorted(set(a) ^ set(b))[:5]}"
    different = [n for n in sorted(a) if n not in skip and (a[n].dtype != b[n].dtype or bits(a[n]) != bits(b[n]))]
    if different:
        name = different[0]
        return f"{len(different)} of {len(a)} tensors differ, the first is '{name}': {a[name].ravel()[:3]} and {b[name].ravel()[:3]}"
    print(f"equal: {len(a) - len(skip & set(a))} tensors")


def close(first, second, tolerance):
    a, b = load_file(first), load_file(second)
    if set(a) != set(b):
        return f"different tensors: {sorted(set(a) ^ set(b))[:5]}"
    worst = 0.0
    for name in a:
        x, y = a[name].astype(np.float64), b[name].astype(np.float64)
        worst = max(worst, np.linalg.norm(x - y) / max(np.linalg.norm(y), 1e-30)) if np.any(x != y) else worst
    print(f"close: {len(a)} tensors differ by at most {worst:.1e}")
    return None if worst <= float(tolerance) else f"that is more than {tolerance}"


def average(state, model, decay):
    import onnx
    from onnx import numpy_helper

    saved, decay = load_file(state), float(decay)
    initial = {t.name: numpy_helper.to_array(t) for t in onnx.load(model).graph.initializer}
    names = [n for n in saved if n + ".ema" in saved]
    for name in names:
        want = decay * initial[name].astype(np.float64) + (1 - decay) * saved[name]
        # One rounding of each of three FP32 operations.
        if not np.allclose(saved[name + ".ema"], want, rtol=3e-7, atol=1e-9):
            return f"'{name}.ema' is no average"
        if np.array_equal(saved[name], initial[name]):
            return f"'{name}' has not moved"
    print(f"averages: {len(names)} parameters")
    return None if names else "there are no averages"


def untouched(state, model):
    import onnx
    from onnx import numpy_helper

    saved = load_file(state)
    initial = {t.name: numpy_helper.to_array(t) for t in onnx.load(model).graph.initializer}
    parameters = [n for n in saved if n in initial]
    if not parameters:
        return "no parameter of the model is in the state"
    for name, value in saved.items():
        if name.startswith("loss_scale"):
            continue
        if name in initial:
            if bits(value) != bits(initial[name].astype(value.dtype)):
                return f"'{name}' has changed"
        elif np.any(value != 0):
            return f"'{name}' is not zero"
    print(f"untouched: {len(parameters)} parameters, {len(saved) - len(parameters)} other tensors")


def zeros(gradients, pattern):
    total = zero = 0
    for name, value in load_file(gradients).items():
        if re.search(pattern, name):
            total += value.size
            zero += int(np.count_nonzero(value == 0))
    if total == 0:
        return f"no gradient matches '{pattern}'"
    print(f"zero fraction: {zero / total:.3f}")


if __name__ == "__main__":
    commands = {"equal": equal, "close": close, "average": average, "untouched": untouched, "zeros": zeros}
    problem = commands[sys.argv[1]](*sys.argv[2:])
    if problem:
        sys.exit(f"states.py: {problem}")
