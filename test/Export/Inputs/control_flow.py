"""If, Loop and Scan with run-time conditions, through mpt-opt and ONNX Runtime.

    control_flow.py FOLDER --tool mpt-opt

Every exported model passes onnx.checker's full check and gives what the original does, for both values
of conditions and for several numbers of trips; the names of inputs, outputs and nodes are kept. In mixed precision
products in bodies read FP16, and the error is below the predicted tolerance.
"""
import argparse
import json
import pathlib
import subprocess
import sys

import numpy as np
import onnx
import onnxruntime
from onnx import TensorProto, helper, numpy_helper

F32, F16, I64, BOOL = TensorProto.FLOAT, TensorProto.FLOAT16, TensorProto.INT64, TensorProto.BOOL
RNG = np.random.default_rng(0)
# A few hundred roundings of FP32 sums in another order; FP16 rounds to 11 bits (5e-4), a few times in a row.
EXACT, MIXED = 1e-5, 1e-2


def info(name, shape, dtype=F32):
    return helper.make_tensor_value_info(name, dtype, shape)


def node(op, inputs, outputs, name, **attributes):
    return helper.make_node(op, inputs, outputs, name, **attributes)


def weights(*shape):
    return (RNG.standard_normal(shape) / 8).astype(np.float32)


def tensor(name, values):
    return numpy_helper.from_array(np.asarray(values), name)


def branch(name, op):
    nodes = [node("MatMul", ["x", f"{name}_w"], [f"{name}_a"], f"{name}_product"),
             node(op, [f"{name}_a"], [f"{name}_out"], f"{name}_op")]
    return helper.make_graph(nodes, name, [], [info(f"{name}_out", [4, 16])],
                             [tensor(f"{name}_w", weights(16, 16))])


def build_if():
    nodes = [node("MatMul", ["x0", "w"], ["x"], "outside"),
             node("If", ["c"], ["z"], "choose", then_branch=branch("then", "Exp"), else_branch=branch("else", "Relu")),
             node("MatMul", ["z", "w"], ["y"], "behind")]
    feeds = [{"c": np.array(c), "x0": weights(4, 16)} for c in (True, False)]
    return [info("c", [], BOOL), info("x0", [4, 16])], nodes, [info("y", [4, 16])], [tensor("w", weights(16, 16))], feeds


def build_nested_if():
    inner = helper.make_graph(
        [node("If", ["d"], ["inner_out"], "inner", then_branch=branch("then", "Tanh"),
              else_branch=branch("else", "Relu"))], "outer_then", [], [info("inner_out", [4, 16])])
    nodes = [node("If", ["c"], ["y"], "outer", then_branch=inner, else_branch=branch("last", "Neg"))]
    feeds = [{"c": np.array(c), "d": np.array(d), "x": weights(4, 16)} for c in (True, False) for d in (True, False)]
    return [info("c", [], BOOL), info("d", [], BOOL), info("x", [4, 16])], nodes, [info("y", [4, 16])], [], feeds


def build_loop():
    body = helper.make_graph(
        [node("MatMul", ["a", "w"], ["p"], "product"),
         node("Tanh", ["p"], ["a_next"], "squash"),
         node("ReduceSum", ["a_next"], ["s"], "size", keepdims=0),
         node("Less", ["s", "limit"], ["going_out"], "test")],
        "body", [info("i", [], I64), info("going", [], BOOL), info("a", [4, 16])],
        [info("going_out", [], BOOL), info("a_next", [4, 16])])
    nodes = [node("Loop", ["n", "c", "x"], ["z"], "repeat", body=body), node("Relu", ["z"], ["y"], "behind")]
    feeds = [{"n": np.array(n), "c": np.array(c), "x": weights(4, 16)} for n in (0, 1, 5) for c in (True, False)]
    return ([info("n", [], I64), info("c", [], BOOL), info("x", [4, 16])], nodes, [info("y", [4, 16])],
            [tensor("w", weights(16, 16)), tensor("limit", np.float32(100))], feeds)


def build_counted_loop():
    body = helper.make_graph(
        [node("Identity", ["going"], ["going_out"], "keep"),
         node("MatMul", ["a", "w"], ["a_next"], "product"),
         node("Relu", ["a_next"], ["collected"], "collect")],
        "body", [info("i", [], I64), info("going", [], BOOL), info("a", [4, 16])],
        [info("going_out", [], BOOL), info("a_next", [4, 16]), info("collected", [4, 16])])
    nodes = [node("Loop", ["three", "", "x"], ["y", "all"], "repeat", body=body)]
    return ([info("x", [4, 16])], nodes, [info("y", [4, 16]), info("all", [3, 4, 16])],
            [tensor("w", weights(16, 16)), tensor("three", np.int64(3))], [{"x": weights(4, 16)}])


def build_scan():
    body = helper.make_graph(
        [node("MatMul", ["h", "w"], ["hw"], "recur"), node("Add", ["hw", "step"], ["sum"], "mix"),
         node("Tanh", ["sum"], ["h_next"], "squash"), node("Relu", ["h_next"], ["seen"], "see")],
        "body", [info("h", [4, 16]), info("step", [4, 16])], [info("h_next", [4, 16]), info("seen", [4, 16])])
    nodes = [node("Scan", ["h0", "x"], ["h", "all"], "scan", body=body, num_scan_inputs=1, scan_input_axes=[1],
                  scan_input_directions=[1], scan_output_axes=[1], scan_output_directions=[1])]
    return ([info("h0", [4, 16]), info("x", [4, 6, 16])], nodes, [info("h", [4, 16]), info("all", [4, 6, 16])],
            [tensor("w", weights(16, 16))], [{"h0": weights(4, 16), "x": weights(4, 6, 16)}])


def graphs(graph):
    yield graph
    for n in graph.node:
        for attribute in n.attribute:
            if attribute.HasField("g"):
                yield from graphs(attribute.g)


def run(path, feeds):
    options = onnxruntime.SessionOptions()
    options.log_severity_level = 3
    session = onnxruntime.InferenceSession(path, options, providers=["CPUExecutionProvider"])
    return [session.run(None, feed) for feed in feeds]


def compare(source, target, feeds, tolerance):
    for a, b in zip(run(source, feeds), run(target, feeds), strict=True):
        for want, got in zip(a, b, strict=True):
            error = np.max(np.abs(want - got.astype(np.float64))) / max(np.max(np.abs(want)), 1e-6)
            if not error <= tolerance:
                return f"differs by {error:.2g}, allowed {tolerance:.0e}"
    return None


def examine(tool, folder, name, build):
    inputs, nodes, outputs, initializers, feeds = build()
    source, plain, mixed, again = (str(folder / f"{name}{end}.onnx") for end in ("", ".plain", ".mixed", ".again"))
    model = helper.make_model(helper.make_graph(nodes, name, inputs, outputs, initializers),
                              opset_imports=[helper.make_opsetid("", 18)], ir_version=8)
    onnx.save(model, source)
    why = folder / f"{name}.json"
    for begin, target, options in ((source, plain, []),
                                   (source, mixed, ["--mpt-mixed-precision", "--explain", str(why)]),
                                   (mixed, again, ["--mpt-mixed-precision"])):
        done = subprocess.run([tool, begin, *options, "-o", target], capture_output=True, text=True)
        if done.returncode:
            return done.stderr.strip() or f"exit {done.returncode}"
        onnx.checker.check_model(target, full_check=True)
        if error := compare(source, target, feeds, EXACT if target == plain else MIXED):
            return f"{target}: {error}"
    tolerance = json.loads(why.read_text())[0]["totals"]["error_tolerance"]
    for a, b in zip(run(source, feeds), run(mixed, feeds), strict=True):
        for want, got in zip(a, b, strict=True):
            error = np.linalg.norm(want - got.astype(np.float64)) / np.linalg.norm(want)
            if not error <= tolerance:
                return f"the error is {error:.2g}, the prediction at most {tolerance:.2g}"
    read = onnx.load(mixed)
    if [v.name for v in read.graph.input] != [v.name for v in inputs]:
        return "inputs are renamed"
    kept = {n.name for g in graphs(read.graph) for n in g.node}
    if missing := {n.name for g in graphs(model.graph) for n in g.node if n.op_type != "Identity"} - kept:
        return f"nodes are gone: {sorted(missing)}"
    low = set()
    for g in graphs(read.graph):
        low |= {t.name for t in g.initializer if t.data_type == F16}
        low |= {n.output[0] for n in g.node if n.op_type == "Cast" and n.attribute[0].i == F16}
    inside = [n for g in list(graphs(read.graph))[1:] for n in g.node if n.op_type == "MatMul"]
    if not inside or any(not set(n.input) & low for n in inside):
        return "a product in a body is not in FP16"
    if [[n.op_type for n in g.node] for g in graphs(onnx.load(again).graph)] != \
            [[n.op_type for n in g.node] for g in graphs(read.graph)]:
        return "converting it a second time changes it"
    return None


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("folder", type=pathlib.Path)
    parser.add_argument("--tool", required=True)
    args = parser.parse_args()
    args.folder.mkdir(parents=True, exist_ok=True)
    wrong = 0
    for build in (build_if, build_nested_if, build_loop, build_counted_loop, build_scan):
        name = build.__name__.removeprefix("build_")
        error = examine(args.tool, args.folder, name, build)
        wrong += error is not None
        print(f"{name}: {error or 'right'}")
    sys.exit(wrong > 0)


main()
