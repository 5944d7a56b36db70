"""Runs small models of one operator with mpt-run and with ONNX Runtime.

    compare_with_onnxruntime.py GROUP WORK [mpt-run options]

GROUP is recurrent, resize or scatter. Prints a line per model; fails on a difference above 2e-6 (a few
roundings of FP32 numbers near 1, over at most 7 steps) or when an operator was not imported.
"""
import itertools
import pathlib
import subprocess
import sys

import numpy as np
import onnx
import onnxruntime
from onnx import TensorProto, helper, numpy_helper

TOLERANCE = 2e-6
random = np.random.default_rng(1)


def normal(*shape):
    return random.standard_normal(shape).astype(np.float32) * np.float32(0.5)


class Case:
    """A model of one node; `inputs` are (name, value, is an initializer), or None for one left out."""

    def __init__(self, name, op, inputs, outputs, opset=18, **attributes):
        self.name, self.inputs = name, [i for i in inputs if i and not i[2]]
        node = helper.make_node(op, [i[0] if i else "" for i in inputs], outputs, **attributes)
        graph = helper.make_graph(
            [node],
            "g",
            [helper.make_tensor_value_info(n, helper.np_dtype_to_tensor_dtype(v.dtype), v.shape) for n, v, _ in self.inputs],
            [helper.make_empty_tensor_value_info(o) for o in outputs if o],
            [numpy_helper.from_array(v, n) for n, v, constant in filter(None, inputs) if constant],
        )
        model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", opset)], ir_version=9)
        self.model = onnx.shape_inference.infer_shapes(model)


def recurrent():
    T, B, I, H = 7, 3, 4, 5
    lengths = np.array([7, 2, 4], np.int32)
    gates = {"RNN": 1, "GRU": 3, "LSTM": 4}
    for op, direction, with_lengths, full in itertools.product(
        gates, ("forward", "reverse", "bidirectional"), (False, True), (False, True)
    ):
        D, G = 2 if direction == "bidirectional" else 1, gates[op]
        inputs = [("x", normal(T, B, I), False), ("w", normal(D, G * H, I), True), ("r", normal(D, G * H, H), True)]
        inputs.append(("b", normal(D, 2 * G * H), True) if full else None)
        inputs.append(("lengths", lengths, False) if with_lengths else None)
        inputs.append(("h0", normal(D, B, H), False) if full else None)
        attributes = {"hidden_size": H, "direction": direction}
        outputs = ["y", "yh"]
        if op == "LSTM":
            inputs += [("c0", normal(D, B, H), False), ("p", normal(D, 3 * H), True)] if full else []
            outputs.append("yc")
        variants = [attributes]
        if op == "GRU":
            variants.append(attributes | {"linear_before_reset": 1})
        if full and op == "LSTM":
            variants.append(attributes | {"activations": ["HardSigmoid", "LeakyRelu", "Softsign"] * D, "activation_alpha": [0.3, 0.1] * D, "activation_beta": [0.4] * D})
        for number, variant in enumerate(variants):
            yield Case(f"{op}.{direction}.{with_lengths}.{full}.{number}", op, inputs, outputs, **variant)


def resize():
    modes = ["half_pixel", "pytorch_half_pixel", "align_corners", "asymmetric"]
    x = ("x", normal(2, 3, 5, 4), False)
    for mode, coordinates, scales in itertools.product(
        ("nearest", "linear", "cubic"), modes, ([1, 1, 2, 3], [1, 1, 0.6, 0.5], [1, 1, 1, 1.5])
    ):
        inputs = [x, None, ("scales", np.array(scales, np.float32), True)]
        attributes = {"mode": mode, "coordinate_transformation_mode": coordinates}
        yield Case(f"{mode}.{coordinates}.{scales}", "Resize", inputs, ["y"], **attributes)
    for nearest in ("round_prefer_floor", "round_prefer_ceil", "floor", "ceil"):
        inputs = [x, None, None, ("sizes", np.array([2, 3, 8, 3], np.int64), True)]
        yield Case(f"nearest.{nearest}", "Resize", inputs, ["y"], mode="nearest", nearest_mode=nearest)
    inputs = [x, None, None, ("sizes", np.array([9, 9], np.int64), True)]
    yield Case("axes", "Resize", inputs, ["y"], mode="linear", axes=[2, 3], keep_aspect_ratio_policy="not_larger")
    inputs = [x, None, ("scales", np.array([1, 1, 1.7, 0.8], np.float32), True)]
    yield Case("outside", "Resize", inputs, ["y"], mode="cubic", exclude_outside=1, cubic_coeff_a=-0.5)
    yield Case("upsample", "Upsample", [x, ("scales", np.array([1, 1, 2, 2], np.float32), True)], ["y"], opset=9)


def scatter():
    data, update = normal(4, 5), normal(3, 5)
    rows = np.array([[0, 3, 1, -1, 2], [1, 0, 2, 0, 0], [3, 2, 0, 1, 1]], np.int64)
    for reduction, constant in itertools.product(("none", "add"), (False, True)):
        inputs = [("x", data, False), ("i", rows, constant), ("u", update, False)]
        yield Case(f"elements.{reduction}.{constant}", "ScatterElements", inputs, ["y"], axis=0, reduction=reduction)
        tuples = np.array([[1, 2], [3, -1], [0, 0]], np.int64)
        inputs = [("x", normal(4, 5, 2), False), ("i", tuples, constant), ("u", normal(3, 2), False)]
        yield Case(f"nd.{reduction}.{constant}", "ScatterND", inputs, ["y"], reduction=reduction)
    integers = [("x", np.arange(5), False), ("i", np.array([[1], [4]]), False), ("u", np.array([7, -2]), False)]
    yield Case("nd.integers", "ScatterND", integers, ["y"])
    for largest, axis in itertools.product((0, 1), (0, -1)):
        inputs = [("x", normal(4, 5), False), ("k", np.array([3], np.int64), True)]
        yield Case(f"topk.{largest}.{axis}", "TopK", inputs, ["y", "i"], axis=axis, largest=largest)


def main():
    group, work, options = sys.argv[1], pathlib.Path(sys.argv[2]), sys.argv[3:]
    work.mkdir(parents=True, exist_ok=True)
    count = 0
    for case in {"recurrent": recurrent, "resize": resize, "scatter": scatter}[group]():
        path, outputs = work / f"{case.name}.onnx", work / f"{case.name}.outputs"
        onnx.save(case.model, path)
        session = onnxruntime.InferenceSession(path, providers=["CPUExecutionProvider"])
        want = session.run(None, {name: value for name, value, _ in case.inputs})
        command = ["mpt-run", path, "--output-dir", outputs, *options]
        for name, value, _ in case.inputs:
            np.save(work / f"{name}.npy", value)
            command += ["--input", f"{name}={work / name}.npy"]
        subprocess.run(command, check=True, stdout=subprocess.DEVNULL)
        worst = 0.0
        for output, value in zip(session.get_outputs(), want):
            got = np.load(outputs / f"{output.name}.npy")
            assert got.shape == value.shape and got.dtype == value.dtype, f"{case.name}: {output.name} is {got.dtype}{got.shape}"
            worst = max(worst, float(np.max(np.abs(got.astype(np.float64) - value))))
        print(f"{case.name}: {worst:.1e}")
        assert worst <= TOLERANCE, f"{case.name} differs by {worst:.1e}"
        count += 1
    print(f"{count} models agree")


if __name__ == "__main__":
    main()
