"""Small models after what users of mixed-precision converters complain about.

complaints.py FOLDER --tool MPT_OPT

Writes a model per complaint to FOLDER, converts it with `mpt-opt --mpt-mixed-precision`, and
checks: onnx.checker (full), ONNX Runtime runs it, its outputs agree with the FP32 model's, and
what the complaint was about. Prints one line per model; exit 1 if any is wrong.
"""

import argparse
import pathlib
import subprocess
import sys

import numpy as np
import onnx
import onnxruntime
from onnx import TensorProto, helper, numpy_helper

F32, F16, BOOL = TensorProto.FLOAT, TensorProto.FLOAT16, TensorProto.BOOL
rng = np.random.default_rng(1)


def weights(*shape, scale=None):
    scale = scale or 1 / np.sqrt(shape[0])
    return (rng.standard_normal(shape) * scale).astype(np.float32)


def info(name, shape, dtype=F32):
    return helper.make_tensor_value_info(name, dtype, shape)


def model(nodes, inputs, outputs, initializers, opset=18):
    graph = helper.make_graph(
        nodes, "complaint", inputs, outputs,
        [numpy_helper.from_array(v, k) for k, v in initializers.items()])
    return helper.make_model(graph, opset_imports=[helper.make_opsetid("", opset)], ir_version=9)


def count(m, op, **attributes):
    """Nodes of a type, those of subgraphs included."""
    def visit(graph):
        total = 0
        for node in graph.node:
            if node.op_type == op and all(
                    any(a.name == k and helper.get_attribute_value(a) == v for a in node.attribute)
                    for k, v in attributes.items()):
                total += 1
            for a in node.attribute:
                if a.type == onnx.AttributeProto.GRAPH:
                    total += visit(a.g)
        return total
    return visit(m.graph)


def node_types(m):
    """Element type of every value."""
    inferred = onnx.shape_inference.infer_shapes(m, strict_mode=True, data_prop=True)
    types = {v.name: v.type.tensor_type.elem_type
             for v in [*inferred.graph.value_info, *inferred.graph.input, *inferred.graph.output]}
    types |= {t.name: t.data_type for t in inferred.graph.initializer}
    return types


def find(m, name):
    return next(n for n in m.graph.node if n.name == name)


# Each case returns (model, inputs, check(converted) -> complaint or None, tolerance).
# Tolerances: a few roundings to FP16 (5e-4 each), relative to the largest element.
CASES = {}


def case(function):
    CASES[function.__name__] = function
    return function


@case
def cast_pairs_at_blocked_node():
    """1, 12: a node that must stay FP32 costs its casts once, and no cast follows a cast."""
    w = {"w1": weights(16, 16), "w2": weights(16, 16)}
    nodes = [
        helper.make_node("MatMul", ["x", "w1"], ["a"], "first"),
        helper.make_node("Exp", ["a"], ["b"], "blocked"),
        helper.make_node("MatMul", ["b", "w2"], ["y"], "second"),
    ]

    def check(m):
        made = {o: n for n in m.graph.node for o in n.output}
        types = node_types(m)
        if types[find(m, "blocked").input[0]] != F32:
            return "the blocked node is not FP32"
        for n in m.graph.node:
            if n.op_type == "Cast" and n.input[0] in made and made[n.input[0]].op_type == "Cast":
                return f"cast behind a cast at {n.input[0]}"
        if count(m, "Cast") > 4:
            return f"{count(m, 'Cast')} casts for x, a, b and y"
    return model(nodes, [info("x", [4, 16])], [info("y", [4, 16])], w), \
        {"x": weights(4, 16, scale=1)}, check, 2e-3


@case
def user_cast_to_fp16():
    """2: a region that its author put in FP16 stays as it is."""
    w = {"w1": weights(16, 16), "w2": weights(16, 16)}
    nodes = [
        helper.make_node("MatMul", ["x", "w1"], ["a"], "first"),
        helper.make_node("Cast", ["a"], ["h"], "down", to=F16),
        helper.make_node("Relu", ["h"], ["r"], "relu"),
        helper.make_node("Cast", ["r"], ["f"], "up", to=F32),
        helper.make_node("MatMul", ["f", "w2"], ["y"], "second"),
    ]

    def check(m):
        names = {n.name for n in m.graph.node}
        if not {"down", "up"} <= names:
            return "a cast of the author is gone"
    return model(nodes, [info("x", [4, 16])], [info("y", [4, 16])], w), \
        {"x": weights(4, 16, scale=1)}, check, 2e-3


@case
def cast_of_integers():
    """2: integers that become floats."""
    w = {"w1": weights(16, 16)}
    nodes = [
        helper.make_node("Cast", ["n"], ["x"], "to_float", to=F32),
        helper.make_node("MatMul", ["x", "w1"], ["y"], "product"),
    ]
    return model(nodes, [info("n", [4, 16], TensorProto.INT64)], [info("y", [4, 16])], w), \
        {"n": rng.integers(-9, 9, (4, 16))}, lambda m: None, 2e-3


@case
def inputs_and_outputs_keep_their_types():
    """3: the interface of the model does not change, and each input is cast once."""
    w = {"w1": weights(16, 16), "w2": weights(16, 16)}
    nodes = [
        helper.make_node("MatMul", ["x", "w1"], ["a"], "first"),
        helper.make_node("MatMul", ["x", "w2"], ["b"], "second"),
        helper.make_node("Add", ["a", "b"], ["y"], "sum"),
    ]

    def check(m):
        if [v.type.tensor_type.elem_type for v in [*m.graph.input, *m.graph.output]] != [F32, F32]:
            return "an input or output changed its type"
        if sum(n.op_type == "Cast" and n.input[0] == "x" for n in m.graph.node) != 1:
            return "x is not cast exactly once"
    return model(nodes, [info("x", [4, 16])], [info("y", [4, 16])], w), \
        {"x": weights(4, 16, scale=1)}, check, 2e-3


@case
def resize_scales_stay_fp32():
    """5: operands that ONNX wants in FP32, of an operator that MPT keeps as it is."""
    w = {"f": weights(4, 3, 3, 3, scale=0.2), "scales": np.array([1, 1, 2, 2], np.float32)}
    nodes = [
        helper.make_node("Conv", ["x", "f"], ["a"], "conv", pads=[1, 1, 1, 1]),
        helper.make_node("Resize", ["a", "", "scales"], ["y"], "resize", mode="linear", antialias=1),
    ]

    def check(m):
        if node_types(m)[find(m, "resize").input[2]] != F32:
            return "the scales are not FP32"
    return model(nodes, [info("x", [1, 3, 8, 8])], [info("y", [1, 4, 16, 16])], w), \
        {"x": weights(1, 3, 8, 8, scale=1)}, check, 2e-3


def attention(mask_nodes, initializers):
    w = {"wq": weights(16, 16), "wk": weights(16, 16), "wv": weights(16, 16)} | initializers
    nodes = [
        helper.make_node("MatMul", ["x", "wq"], ["q"], "query"),
        helper.make_node("MatMul", ["x", "wk"], ["k"], "key"),
        helper.make_node("MatMul", ["x", "wv"], ["v"], "value"),
        helper.make_node("Transpose", ["k"], ["kt"], "transpose", perm=[1, 0]),
        helper.make_node("MatMul", ["q", "kt"], ["s"], "scores"),
        *mask_nodes,
        helper.make_node("Softmax", ["masked"], ["p"], "softmax", axis=-1),
        helper.make_node("MatMul", ["p", "v"], ["y"], "context"),
    ]
    return nodes, w


@case
def mask_constant():
    """6: -3.4e38 in an attention mask overflows FP16; no row may become NaN."""
    mask = np.triu(np.full((8, 8), np.finfo(np.float32).min, np.float32), 1)
    nodes, w = attention([helper.make_node("Add", ["s", "mask"], ["masked"], "mask_add")], {"mask": mask})
    return model(nodes, [info("x", [8, 16])], [info("y", [8, 16])], w), \
        {"x": weights(8, 16, scale=1)}, lambda m: None, 2e-3


@case
def mask_computed():
    """6: the same, computed from a 0/1 input as (1 - m) * min; a row may be masked completely."""
    nodes, w = attention([
        helper.make_node("Sub", ["one", "m"], ["inverse"], "invert"),
        helper.make_node("Mul", ["inverse", "least"], ["mask"], "mask_scale"),
        helper.make_node("Add", ["s", "mask"], ["masked"], "mask_add")],
        {"one": np.float32(1).reshape(()), "least": np.finfo(np.float32).min.reshape(())})
    m = np.ones((8, 8), np.float32)
    m[:, 5:] = 0
    m[3] = 0
    return model(nodes, [info("x", [8, 16]), info("m", [8, 8])], [info("y", [8, 16])], w), \
        {"x": weights(8, 16, scale=1), "m": m}, lambda m: None, 2e-3


@case
def mask_of_integers():
    """6: (1 - attention_mask) * -1e9, as transformers are exported; the scores stay in FP16 up to the next product."""
    nodes, w = attention([
        helper.make_node("Cast", ["m"], ["floats"], "to_float", to=TensorProto.FLOAT),
        helper.make_node("Sub", ["one", "floats"], ["inverse"], "invert"),
        helper.make_node("Mul", ["inverse", "huge"], ["mask"], "mask_scale"),
        helper.make_node("Add", ["s", "mask"], ["masked"], "mask_add")],
        {"one": np.float32(1).reshape(()), "huge": np.float32(-1e9).reshape(())})
    m = np.ones((8, 8), np.int64)
    m[:, 5:] = 0
    m[3] = 0

    def check(converted):
        producers = {node.output[0]: node for node in converted.graph.node}
        softmax = next(node for node in converted.graph.node if node.op_type == "Softmax")
        product = next(node for node in converted.graph.node if softmax.output[0] in node.input)
        if product.op_type != "MatMul" or producers[softmax.input[0]].op_type == "Cast":
            return "casts around the softmax"
        # ONNX Runtime computes in FP32 what it has no FP16 kernel for, and hides this.
        if any(node.op_type == "Cast" and producers.get(node.input[0], node).name == "mask_scale" for node in converted.graph.node):
            return "the mask becomes an infinity"
        return None

    return model(nodes, [info("x", [8, 16]), info("m", [8, 8], TensorProto.INT64)], [info("y", [8, 16])], w), \
        {"x": weights(8, 16, scale=1), "m": m}, check, 2e-3


def layer_norm_by_hand(eps):
    return [
        helper.make_node("ReduceMean", ["h", "axes"], ["mean"], "mean", keepdims=1),
        helper.make_node("Sub", ["h", "mean"], ["d"], "center"),
        helper.make_node("Pow", ["d", "two"], ["d2"], "square"),
        helper.make_node("ReduceMean", ["d2", "axes"], ["var"], "variance", keepdims=1),
        helper.make_node("Add", ["var", "eps"], ["ve"], "add_eps"),
        helper.make_node("Sqrt", ["ve"], ["sd"], "sqrt"),
        helper.make_node("Div", ["d", "sd"], ["n"], "normalize"),
        helper.make_node("MatMul", ["n", "w2"], ["y"], "second"),
    ], {"axes": np.array([-1]), "two": np.float32(2).reshape(()), "eps": np.float32(eps).reshape(())}


def normalized(eps, x, scale=1.0):
    nodes, extra = layer_norm_by_hand(eps)
    w = {"w1": (np.eye(16) * scale).astype(np.float32), "w2": weights(16, 16)} | extra
    nodes = [helper.make_node("MatMul", ["x", "w1"], ["h"], "first"), *nodes]
    return model(nodes, [info("x", list(x.shape))], [info("y", list(x.shape))], w), {"x": x}, \
        lambda m: None, 4e-3


@case
def eps_with_a_zero_row():
    """7: an epsilon of 1e-12 is 0 in FP16, and 0/0 is NaN."""
    x = weights(4, 16, scale=1)
    x[1] = 0
    return normalized(1e-12, x)


@case
def eps_with_a_small_row():
    """7: the variance of a small row vanishes in FP16 too."""
    x = weights(4, 16, scale=1)
    x[1] *= 2e-4
    return normalized(1e-12, x)


@case
def layer_norm_of_large_values():
    """8: the squares of values around 300 overflow FP16."""
    return normalized(1e-5, weights(4, 16, scale=1), scale=400.0)


@case
def reduce_sum_of_a_million():
    """9: the sum of 10^6 ones overflows FP16."""
    w = {"w1": weights(16, 16), "axes": np.array([0, 1])}
    nodes = [
        helper.make_node("MatMul", ["x", "w1"], ["a"], "first"),
        helper.make_node("Abs", ["a"], ["b"], "abs"),
        helper.make_node("ReduceSum", ["b", "axes"], ["y"], "sum", keepdims=0),
    ]
    return model(nodes, [info("x", [65536, 16])], [info("y", [])], w), \
        {"x": weights(65536, 16, scale=1)}, lambda m: None, 2e-3


@case
def global_pool_of_large_values():
    """9: a mean whose sum overflows FP16."""
    w = {"f": np.full((2, 1, 1, 1), 900, np.float32), "w2": weights(2, 4)}
    nodes = [
        helper.make_node("Conv", ["x", "f"], ["a"], "conv"),
        helper.make_node("GlobalAveragePool", ["a"], ["p"], "pool"),
        helper.make_node("Flatten", ["p"], ["q"], "flatten"),
        helper.make_node("MatMul", ["q", "w2"], ["y"], "second"),
    ]
    return model(nodes, [info("x", [1, 1, 32, 32])], [info("y", [1, 4])], w), \
        {"x": np.abs(weights(1, 1, 32, 32, scale=1))}, lambda m: None, 2e-3


@case
def shared_initializer():
    """A weight that an FP16 and an FP32 node read keeps both forms."""
    w = {"w1": weights(16, 16)}
    nodes = [
        helper.make_node("MatMul", ["x", "w1"], ["a"], "product"),
        helper.make_node("Exp", ["w1"], ["e"], "blocked"),
        helper.make_node("Add", ["a", "e"], ["y"], "sum"),
    ]
    return model(nodes, [info("x", [16, 16])], [info("y", [16, 16])], w), \
        {"x": weights(16, 16, scale=1)}, lambda m: None, 2e-3


def branch(name, op):
    out = f"{name}_out"
    nodes = [helper.make_node("MatMul", ["x", "w1"], [f"{name}_a"], f"{name}_product"),
             helper.make_node(op, [f"{name}_a"], [out], f"{name}_op")]
    return helper.make_graph(nodes, name, [], [info(out, [4, 16])])


@case
def blocked_node_inside_if():
    """The branches of an If read values from outside, and hold nodes that must stay FP32."""
    w = {"w0": weights(16, 16), "w1": weights(16, 16)}
    nodes = [
        helper.make_node("MatMul", ["x0", "w0"], ["x"], "outside"),
        helper.make_node("If", ["c"], ["z"], "if", then_branch=branch("then", "Exp"),
                         else_branch=branch("else", "Relu")),
        helper.make_node("MatMul", ["z", "w0"], ["y"], "behind"),
    ]
    return model(nodes, [info("c", [], BOOL), info("x0", [4, 16])], [info("y", [4, 16])], w), \
        {"c": np.array(True), "x0": weights(4, 16, scale=1)}, lambda m: None, 4e-3


@case
def unnamed_nodes():
    """Nodes without names."""
    w = {"w1": weights(16, 16), "w2": weights(16, 16)}
    nodes = [
        helper.make_node("MatMul", ["x", "w1"], ["a"]),
        helper.make_node("Exp", ["a"], ["b"]),
        helper.make_node("Log", ["b"], ["c"]),
        helper.make_node("MatMul", ["c", "w2"], ["y"]),
    ]
    return model(nodes, [info("x", [4, 16])], [info("y", [4, 16])], w), \
        {"x": weights(4, 16, scale=1)}, lambda m: None, 2e-3


def run(path, inputs):
    options = onnxruntime.SessionOptions()
    # Every 16-bit tensor is stored in 16 bits: no fusion that would hide an overflow.
    options.graph_optimization_level = onnxruntime.GraphOptimizationLevel.ORT_DISABLE_ALL
    return onnxruntime.InferenceSession(path, options, providers=["CPUExecutionProvider"]).run(None, inputs)


def convert(tool, source, target):
    done = subprocess.run([tool, source, "--mpt-mixed-precision", "-o", target],
                          capture_output=True, text=True)
    return None if done.returncode == 0 else done.stderr.strip() or f"exit {done.returncode}"


def examine(tool, folder, name, build):
    m, inputs, check, tolerance = build()
    source, target, again = (str(folder / f"{name}{end}.onnx") for end in ("", ".fp16", ".again"))
    onnx.save(m, source)
    if error := convert(tool, source, target):
        return error
    converted = onnx.load(target)
    onnx.checker.check_model(converted, full_check=True)  # also that the order is topological
    types = node_types(converted)
    if not any(n.op_type in ("MatMul", "Conv") and types[n.input[0]] == F16 for n in converted.graph.node):
        return "nothing was converted"
    want, got = run(source, inputs), run(target, inputs)
    for a, b in zip(want, got, strict=True):
        worst = np.max(np.abs(a - b.astype(np.float64))) / np.max(np.abs(a))
        if not worst <= tolerance:
            return f"differs from FP32 by {worst:.2g}, allowed {tolerance:.0e}"
    if complaint := check(converted):
        return complaint
    # 4: what is converted already stays as it is.
    if error := convert(tool, target, again):
        return "second conversion: " + error
    second = onnx.load(again)
    if [n.op_type for n in second.graph.node] != [n.op_type for n in converted.graph.node]:
        return "converting it a second time changes it"
    names = [n.name for n in converted.graph.node if n.name]
    if len(names) != len(set(names)):
        return "two nodes have one name"
    return None


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("folder", type=pathlib.Path)
    parser.add_argument("--tool", required=True)
    args = parser.parse_args()
    args.folder.mkdir(parents=True, exist_ok=True)
    wrong = 0
    for name, build in CASES.items():
        try:
            error = examine(args.tool, args.folder, name, build)
        except Exception as e:  # an invalid file is a finding, not the end
            error = f"{type(e).__name__}: {str(e).splitlines()[0]}"
        wrong += error is not None
        print(f"{name}: {error or 'right'}")
    print(f"{len(CASES) - wrong} of {len(CASES)} right")
    sys.exit(wrong > 0)


main()
