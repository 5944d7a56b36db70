"""Judges converted files: judge.py SOURCE FEEDS.npz WANT.npz|- CONVERTED... [--static] prints a JSON object each.

valid      checker: "y", "s" (only after the nodes are sorted), "n". ORT: "y", "o" (only with optimisations off), "k" (no CPU
           kernel for the type), "t" (only after the declared types of inner tensors are dropped), "n".
casts      Cast nodes from one float type to another and CastLike that change a type, less those of the source
bytes      what those read and write in one run, less those of the source
ops16      share of the nodes with a float output (casts and constants apart) whose first float output has 16 bits
flops16    the same share of the FLOPs of MatMul, Gemm, Conv, ConvTranspose, Attention
error      |got - want| / |want| of the worst output, every 16-bit tensor rounded to its type, arithmetic inside an
           operation in FP32. ONNX Runtime's CPU provider removes casts and computes in FP32, so that running the file as
           it stands proves little about it; `ort_error` is that.

--static leaves out what needs a run (files with 10^5 nodes).
"""

import argparse
import json
import sys

import numpy as np
import onnx
import onnxruntime as ort
from onnx import TensorProto, helper, numpy_helper

LOW = {TensorProto.FLOAT16, TensorProto.BFLOAT16}
FLOATS = LOW | {TensorProto.FLOAT, TensorProto.DOUBLE}
WIDTH = {TensorProto.FLOAT16: 2, TensorProto.BFLOAT16: 2, TensorProto.FLOAT: 4, TensorProto.DOUBLE: 8}
NOT_COUNTED = {"Cast", "CastLike", "Constant", "ConstantOfShape"}


def session(model, optimise):
    options = ort.SessionOptions()
    options.log_severity_level = 4
    level = ort.GraphOptimizationLevel
    options.graph_optimization_level = level.ORT_ENABLE_ALL if optimise else level.ORT_DISABLE_ALL
    source = model if isinstance(model, str) else model.SerializeToString()
    return ort.InferenceSession(source, options, providers=["CPUExecutionProvider"])


def run(model, feeds, optimise=True):
    """The outputs by name. A file that made an FP32 input 16 bits wide gets it so."""
    made = session(model, optimise)
    known = {"tensor(float16)": np.float16, "tensor(float)": np.float32}
    fed = {}
    for value in made.get_inputs():
        array = feeds[value.name]
        fed[value.name] = array.astype(known[value.type]) if value.type in known else array
    return dict(zip([o.name for o in made.get_outputs()], made.run(None, fed)))


# ---- validity --------------------------------------------------------------------------------------------------------


def sorted_nodes(graph):
    """The nodes in an order in which each comes after what it reads, or None if there is a cycle."""
    maker = {o: i for i, node in enumerate(graph.node) for o in node.output if o}
    reads = [{maker[name] for name in names_read(node) if name in maker} - {i} for i, node in enumerate(graph.node)]
    users, missing = [[] for _ in graph.node], [len(r) for r in reads]
    for i, read in enumerate(reads):
        for j in read:
            users[j].append(i)
    ready, order = [i for i, count in enumerate(missing) if not count], []
    for i in ready:  # grows while it is walked
        order.append(graph.node[i])
        for j in users[i]:
            missing[j] -= 1
            if not missing[j]:
                ready.append(j)
    return order if len(order) == len(graph.node) else None


def names_read(node):
    yield from node.input
    for graph in bodies(node):
        for inner in graph.node:
            yield from names_read(inner)


def bodies(node):
    for attribute in node.attribute:
        if attribute.type == onnx.AttributeProto.GRAPH:
            yield attribute.g
        yield from attribute.graphs


def graphs_of(graph):
    stack = [graph]
    while stack:
        graph = stack.pop()
        yield graph
        for node in graph.node:
            stack.extend(bodies(node))


def check(model):
    try:
        onnx.checker.check_model(model, full_check=True)
        return "y"
    except Exception:  # the checker raises several kinds
        pass
    try:
        onnx.checker.check_model(in_order(model), full_check=True)
        return "s"
    except Exception:
        return "n"


def in_order(model):
    """A copy with the nodes sorted."""
    copy = onnx.ModelProto()
    copy.CopyFrom(model)
    order = sorted_nodes(copy.graph)
    if order is not None:
        nodes = [onnx.NodeProto.FromString(n.SerializeToString()) for n in order]
        del copy.graph.node[:]
        copy.graph.node.extend(nodes)
    return copy


def without_types(model):
    copy = onnx.ModelProto()
    copy.CopyFrom(model)
    for graph in graphs_of(copy.graph):
        del graph.value_info[:]
    return copy


def load(model, path, feeds):
    """How ONNX Runtime takes the file, and its outputs."""
    try:
        return "y", run(path, feeds)
    except Exception as error:
        first = str(error)
    try:
        return "o", run(path, feeds, optimise=False)
    except Exception as error:
        first += str(error)
    if "NOT_IMPLEMENTED" in first:
        return "k", None
    try:
        return "t", run(without_types(model), feeds, optimise=False)
    except Exception:
        return "n", None


# ---- every 16-bit tensor rounded -------------------------------------------------------------------------------------


def with_group_norms(model):
    """Without declared types, but for the results of GroupNormalization, which onnx 1.23 does not infer: they have the
    type and shape of the data."""
    copy = without_types(model)
    norms = [node for node in copy.graph.node if node.op_type == "GroupNormalization"]
    for node in norms:  # one after another: the second may need what the first lets be inferred
        made = onnx.shape_inference.infer_shapes(copy, strict_mode=False, data_prop=False)
        for value in [*made.graph.value_info, *made.graph.input]:
            if value.name == node.input[0]:
                declared = copy.graph.value_info.add()
                declared.CopyFrom(value)
                declared.name = node.output[0]
    return copy


def types_of(model):
    """Element type by tensor name, in all graphs, as inference finds them without the file's own claims. The bodies of
    control flow are inferred with their graphs; names are unique in a model."""
    made = onnx.shape_inference.infer_shapes(with_group_norms(model), strict_mode=False, data_prop=False)
    types = {}
    for graph in graphs_of(made.graph):
        for value in [*graph.value_info, *graph.input, *graph.output]:
            if value.type.HasField("tensor_type"):
                types[value.name] = value.type.tensor_type.elem_type
        for tensor in graph.initializer:
            types[tensor.name] = tensor.data_type
    # Inference stops at an operator it does not know or a type it finds wrong; a Cast says its own type.
    for graph in graphs_of(made.graph):
        for node in graph.node:
            if node.op_type == "Cast":
                types[node.output[0]] = next(a.i for a in node.attribute if a.name == "to")
            elif node.op_type == "Constant":
                for attribute in node.attribute:
                    if attribute.name == "value":
                        types[node.output[0]] = attribute.t.data_type
    return types


def widen(tensor):
    if tensor.data_type in LOW:
        tensor.CopyFrom(numpy_helper.from_array(numpy_helper.to_array(tensor).astype(np.float32), tensor.name))


def rounded(model, types):
    """The file with FP32 in place of each 16-bit type and each 16-bit result rounded. Cast, Identity, Cast: ONNX Runtime
    takes two casts in a row out even with optimisations off, but not with an operation between them."""
    copy = without_types(model)
    for graph in graphs_of(copy.graph):
        for tensor in graph.initializer:
            widen(tensor)
        nodes, first = [], []
        for value in graph.input:
            kind = value.type.tensor_type.elem_type
            if kind in LOW:
                value.type.tensor_type.elem_type = TensorProto.FLOAT
                if graph is copy.graph:  # a body's inputs were rounded outside
                    first += round_to(value.name, kind)
        for value in graph.output:
            if value.type.tensor_type.elem_type in LOW:
                value.type.tensor_type.elem_type = TensorProto.FLOAT
        moved = {}
        for value in [v for v in graph.input if first and types.get(v.name) in LOW]:
            moved[value.name] = f"{value.name}/rounded"
        for node in graph.node:
            made = onnx.NodeProto.FromString(node.SerializeToString())
            for attribute in made.attribute:
                if attribute.type == onnx.AttributeProto.TENSOR:
                    widen(attribute.t)
                if attribute.name in ("to", "dtype") and attribute.i in LOW:
                    attribute.i = TensorProto.FLOAT
            for i, name in enumerate(made.input):
                if name in moved:
                    made.input[i] = moved[name]
            nodes.append(made)
            if made.op_type in ("Constant", "ConstantOfShape"):
                continue
            for i, name in enumerate(made.output):
                if name and types.get(name) in LOW:
                    made.output[i] = f"{name}/raw"
                    nodes += round_to(f"{name}/raw", types[name], name)
        del graph.node[:]
        graph.node.extend([*first, *nodes])
    return copy


def round_to(name, kind, target=None):
    target = target or f"{name}/rounded"
    return [helper.make_node("Cast", [name], [f"{target}/low"], to=kind),
            helper.make_node("Identity", [f"{target}/low"], [f"{target}/kept"]),
            helper.make_node("Cast", [f"{target}/kept"], [target], to=TensorProto.FLOAT)]  # fmt: skip


def run_rounded(model, types, feeds):
    """Outputs, and the shape of every tensor of the outer graph."""
    copy = rounded(model, types)
    outputs = [o.name for o in copy.graph.output]
    named = set(outputs)
    for node in copy.graph.node:
        for name in node.output:
            if name and name not in named and not name.endswith(("/low", "/kept")):
                named.add(name)
                copy.graph.output.append(onnx.ValueInfoProto(name=name))
    got = run(copy, feeds, optimise=False)
    shapes = {name: value.shape for name, value in got.items() if isinstance(value, np.ndarray)}
    shapes.update({name: value.shape for name, value in feeds.items()})
    shapes.update({t.name: tuple(t.dims) for t in copy.graph.initializer})
    return {name: got[name] for name in outputs}, shapes


def shapes_of(model, types, feeds):
    return run_rounded(model, types, feeds)[1]


# ---- counts ----------------------------------------------------------------------------------------------------------


def casts(model, types):
    """(input, output, bytes per element) of every cast between float types."""
    found = []
    for graph in graphs_of(model.graph):
        for node in graph.node:
            if node.op_type in ("Cast", "CastLike"):
                kinds = types.get(node.input[0]), types.get(node.output[0])
                if set(kinds) <= FLOATS and (node.op_type == "Cast" or kinds[0] != kinds[1]):
                    found.append((node.output[0], WIDTH[kinds[0]] + WIDTH[kinds[1]]))
    return found


def cast_bytes(found, shapes):
    return int(sum(width * np.prod(shapes.get(name, (0,)), dtype=np.int64) for name, width in found))


def flops(node, shapes):
    shape = [shapes.get(name) for name in node.input]
    out = shapes.get(node.output[0])
    if out is None or None in shape[:2]:
        return 0
    size = int(np.prod(out, dtype=np.int64))
    if node.op_type == "MatMul":
        return 2 * size * shape[0][-1]
    if node.op_type == "Gemm":
        transposed = any(a.name == "transA" and a.i for a in node.attribute)
        return 2 * size * shape[0][0 if transposed else 1]
    if node.op_type == "Conv":
        return 2 * size * int(np.prod(shape[1][1:]))
    if node.op_type == "ConvTranspose":
        return 2 * int(np.prod(shape[0])) * int(np.prod(shape[1][1:]))
    if node.op_type == "Attention":
        keys = shape[1][-2]
        return 4 * int(np.prod(shape[0])) * keys
    return 0


def shares(model, types, shapes):
    ops = low_ops = work = low_work = 0
    for graph in graphs_of(model.graph):
        for node in graph.node:
            kinds = [types[name] for name in node.output if types.get(name) in FLOATS]
            if not kinds or node.op_type in NOT_COUNTED:
                continue
            ops += 1
            low_ops += kinds[0] in LOW
            cost = flops(node, shapes)
            work += cost
            low_work += cost * (kinds[0] in LOW)
    return (low_ops / ops if ops else None), (low_work / work if work else None), ops


def worst(got, want):
    """|got - want| / |want| of the worst output; "nan/inf" where a value is not finite that should be."""
    error = 0.0
    for name, value in want.items():
        value, mine = value.astype(np.float64), got[name].astype(np.float64)
        if mine.shape != value.shape or not np.all(np.isfinite(mine) | ~np.isfinite(value)):
            return "nan/inf"
        fine = np.isfinite(value)
        scale = np.linalg.norm(value[fine])
        difference = np.linalg.norm(mine[fine] - value[fine])
        error = max(error, difference / scale if scale else difference)
    return float(error)


def judge(path, source, feeds, want, static):
    model = onnx.load(path)
    result = {"checker": check(model)}
    model = in_order(model)  # inference and the rounded run need that
    types, source_types = types_of(model), types_of(source)
    found, before = casts(model, types), casts(source, source_types)
    result["casts"] = len(found) - len(before)
    if static:
        result["ops16"], _, result["ops"] = shares(model, types, {})
        return result
    result["ort"], outputs = load(model, path, feeds)
    if outputs:
        result["ort_error"] = worst(outputs, want)
    source_shapes = shapes_of(source, source_types, feeds) if before else {}
    try:
        got, shapes = run_rounded(model, types, feeds)
        result["error"] = worst(got, want)
    except Exception as error:  # an invalid file: say so, and count with the shapes of the source
        result["why"] = str(error)[:300]
        shapes = source_shapes or shapes_of(source, source_types, feeds)
    result["bytes"] = cast_bytes(found, shapes) - cast_bytes(before, source_shapes)
    result["ops16"], result["flops16"], result["ops"] = shares(model, types, shapes)
    return result


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("source")
    parser.add_argument("feeds")
    parser.add_argument("want")
    parser.add_argument("converted", nargs="+")
    parser.add_argument("--static", action="store_true")
    args = parser.parse_args()
    feeds, source, want = dict(np.load(args.feeds)), onnx.load(args.source), None
    if not args.static:
        want = dict(np.load(args.want)) if args.want != "-" else run(args.source, feeds)
    for path in args.converted:
        print(json.dumps(judge(path, source, feeds, want, args.static)), flush=True)
    return 0


if __name__ == "__main__":
    sys.exit(main())
