"""The files that bench/peers.py converts: exported models, small files after known complaints, and files that grow.

A case is a file, the values of its inputs, and the values its outputs should have (None: what ONNX Runtime gives for
the FP32 file).
"""

import dataclasses
import importlib.util
import pathlib

import numpy as np
import onnx
from onnx import TensorProto, helper, numpy_helper

F32 = TensorProto.FLOAT


@dataclasses.dataclass
class Case:
    group: str  # "models", "light", "small", "growth"
    name: str
    path: pathlib.Path
    feeds: dict  # input name -> array
    want: dict | None = None  # output name -> array


def constant(name, value):
    return numpy_helper.from_array(np.asarray(value, np.float32), name)


def model(name, nodes, inputs, outputs, initializers, feeds=None):
    """A model with opset 18 whose shapes and types of all tensors are in the file, as exporters write them.

    `inputs` and `outputs` map a name to a shape, or to a pair of a type and a shape."""

    def info(item):
        key, value = item
        kind, shape = value if isinstance(value, tuple) else (F32, value)
        return helper.make_tensor_value_info(key, kind, shape)

    graph = helper.make_graph(nodes, name, [info(i) for i in inputs.items()], [info(o) for o in outputs.items()], initializers)
    made = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 18)], ir_version=9)
    return onnx.shape_inference.infer_shapes(made), feeds


def named(nodes):
    for number, node in enumerate(nodes):
        node.name = f"{node.op_type.lower()}_{number}"
    return nodes


# ---- small files, each after a complaint about some converter --------------------------------------------------------
# The product at one end of each file is what 16 bits are for: without one a tool may rightly leave everything FP32.


def if_blocked_inside(rng):
    """Operations on block lists inside a branch that reads tensors of the outer graph."""
    h, n = helper.make_tensor_value_info, helper.make_node
    then = helper.make_graph(
        named([n("Max", ["product", "floor"], ["bounded"]), n("Add", ["bounded", "product"], ["then_out"])]),
        "then", [], [h("then_out", F32, [4, 16])])  # fmt: skip
    other = helper.make_graph(named([n("Mul", ["product", "floor"], ["else_out"])]), "else", [], [h("else_out", F32, [4, 16])])
    nodes = named([n("MatMul", ["x", "a"], ["product"]), n("If", ["which"], ["chosen"], then_branch=then, else_branch=other),
                   n("MatMul", ["chosen", "b"], ["y"])])  # fmt: skip
    return model("if", nodes, {"x": [4, 32], "which": (TensorProto.BOOL, [1])}, {"y": [4, 8]},
                 [constant("a", rng.standard_normal((32, 16)) / 6), constant("b", rng.standard_normal((16, 8)) / 4),
                  constant("floor", rng.standard_normal(16) / 2)],
                 {"x": rng.standard_normal((4, 32)).astype(np.float32), "which": np.array([True])})  # fmt: skip


def cast_int_to_float(rng):
    """A cast of the model's own that blocked and unblocked operations read."""
    n = helper.make_node
    nodes = named([n("Cast", ["count"], ["real"], to=F32), n("Mul", ["real", "s"], ["scaled"]),
                   n("Max", ["real", "floor"], ["bounded"]), n("Add", ["scaled", "bounded"], ["sum"]),
                   n("MatMul", ["sum", "w"], ["y"])])  # fmt: skip
    return model("cast", nodes, {"count": (TensorProto.INT64, [4, 16])}, {"y": [4, 8]},
                 [constant("s", rng.uniform(0.1, 0.9, 16)), constant("floor", rng.uniform(0, 9, 16)),
                  constant("w", rng.standard_normal((16, 8)) / 4)],
                 {"count": rng.integers(0, 20, (4, 16))})  # fmt: skip


def cast_user_fp16_region(rng):
    """A region that the author of the model put in FP16."""
    n = helper.make_node
    nodes = named([n("MatMul", ["x", "a"], ["product"]), n("Cast", ["product"], ["half"], to=TensorProto.FLOAT16),
                   n("Relu", ["half"], ["positive"]), n("Cast", ["positive"], ["single"], to=F32),
                   n("MatMul", ["single", "b"], ["y"])])  # fmt: skip
    return model("region", nodes, {"x": [4, 32]}, {"y": [4, 8]},
                 [constant("a", rng.standard_normal((32, 16)) / 6), constant("b", rng.standard_normal((16, 8)) / 4)],
                 {"x": rng.standard_normal((4, 32)).astype(np.float32)})  # fmt: skip


def shared_initializer(rng):
    """One initializer for operations on block lists and others."""
    n = helper.make_node
    nodes = named([n("Mul", ["x", "w"], ["product"]), n("Max", ["product", "w"], ["bounded"]), n("Add", ["bounded", "w"], ["sum"]),
                   n("MatMul", ["sum", "m"], ["y"])])  # fmt: skip
    return model("shared", nodes, {"x": [4, 16]}, {"y": [4, 8]},
                 [constant("w", rng.standard_normal(16)), constant("m", rng.standard_normal((16, 8)) / 4)],
                 {"x": rng.standard_normal((4, 16)).astype(np.float32)})  # fmt: skip


def unnamed_blocked_nodes(rng):
    """Nodes without names, two of each kind."""
    n = helper.make_node
    nodes = [n("MatMul", ["x", "a"], ["p"]), n("Max", ["p", "c"], ["q"]), n("Add", ["q", "c"], ["r"]), n("Max", ["r", "d"], ["s"]),
             n("Add", ["s", "d"], ["t"]), n("MatMul", ["t", "b"], ["y"])]  # fmt: skip
    return model("unnamed", nodes, {"x": [4, 32]}, {"y": [4, 8]},
                 [constant("a", rng.standard_normal((32, 16)) / 6), constant("b", rng.standard_normal((16, 8)) / 4),
                  constant("c", rng.standard_normal(16)), constant("d", rng.standard_normal(16))],
                 {"x": rng.standard_normal((4, 32)).astype(np.float32)})  # fmt: skip


def attention(rng, mask_nodes, inputs, initializers, feeds):
    n = helper.make_node
    nodes = named([*mask_nodes, n("MatMul", ["q", "k"], ["scores"]), n("Add", ["scores", "mask"], ["masked"]),
                   n("Softmax", ["masked"], ["weights"], axis=-1), n("MatMul", ["weights", "v"], ["y"])])  # fmt: skip
    initializers = [*initializers, constant("k", rng.standard_normal((16, 8)) / 4), constant("v", rng.standard_normal((8, 16)))]
    return model("attention", nodes, {"q": [8, 16], **inputs}, {"y": [8, 16]}, initializers,
                 {"q": rng.standard_normal((8, 16)).astype(np.float32), **feeds})  # fmt: skip


def mask_constant(rng):
    """The mask value that transformers writes, the lowest FP32 number, in an initializer."""
    return attention(rng, [], {}, [constant("mask", np.triu(np.full((8, 8), np.finfo(np.float32).min), 1))], {})


def mask_computed(rng):
    """The same computed from an input of zeros and ones."""
    n = helper.make_node
    nodes = [n("Sub", ["one", "keep"], ["drop"]), n("Mul", ["drop", "lowest"], ["mask"])]
    keep = np.ones((8, 8), np.float32)
    keep[:, 6:] = 0
    return attention(rng, nodes, {"keep": [8, 8]}, [constant("one", 1), constant("lowest", np.finfo(np.float32).min)], {"keep": keep})


def root_mean_square(rng, x):
    n = helper.make_node
    nodes = named([n("Mul", ["x", "x"], ["square"]), n("ReduceMean", ["square", "axes"], ["mean"], keepdims=1),
                   n("Add", ["mean", "eps"], ["above"]), n("Sqrt", ["above"], ["rms"]), n("Div", ["x", "rms"], ["normed"]),
                   n("MatMul", ["normed", "w"], ["y"])])  # fmt: skip
    return model("rms", nodes, {"x": list(x.shape)}, {"y": [x.shape[0], 8]},
                 [constant("eps", 1e-12), numpy_helper.from_array(np.array([-1]), "axes"),
                  constant("w", rng.standard_normal((x.shape[1], 8)) / 4)], {"x": x.astype(np.float32)})  # fmt: skip


def eps_zero_row(rng):
    """An epsilon that FP16 rounds to zero under a root, and a row of zeros: 0/0."""
    x = rng.standard_normal((4, 16))
    x[1] = 0
    return root_mean_square(rng, x)


def eps_small_row(rng):
    """Squares below the smallest FP16 number."""
    return root_mean_square(rng, 1e-4 * rng.standard_normal((4, 16)))


def reduce_sum_1e6(_):
    """A sum above the largest FP16 number whose logarithm is small."""
    n = helper.make_node
    nodes = named([n("ReduceSum", ["x"], ["sum"], keepdims=0), n("Log", ["sum"], ["y"])])
    return model("sum", nodes, {"x": [1000000]}, {"y": []}, [], {"x": np.ones(1000000, np.float32)})


def layernorm_1e3(rng):
    """A layer norm in parts, on values whose squares overflow."""
    n = helper.make_node
    nodes = named([n("ReduceMean", ["x", "axes"], ["mean"], keepdims=1), n("Sub", ["x", "mean"], ["centred"]),
                   n("Pow", ["centred", "two"], ["square"]), n("ReduceMean", ["square", "axes"], ["variance"], keepdims=1),
                   n("Add", ["variance", "eps"], ["above"]), n("Sqrt", ["above"], ["deviation"]),
                   n("Div", ["centred", "deviation"], ["normed"]), n("Mul", ["normed", "gain"], ["scaled"]),
                   n("Add", ["scaled", "shift"], ["shifted"]), n("MatMul", ["shifted", "w"], ["y"])])  # fmt: skip
    return model("layernorm", nodes, {"x": [4, 64]}, {"y": [4, 8]},
                 [constant("two", 2), constant("eps", 1e-5), numpy_helper.from_array(np.array([-1]), "axes"),
                  constant("gain", rng.uniform(0.5, 1.5, 64)), constant("shift", rng.standard_normal(64) / 8),
                  constant("w", rng.standard_normal((64, 8)) / 8)],
                 {"x": (1e3 * rng.standard_normal((4, 64))).astype(np.float32)})  # fmt: skip


SMALL = [if_blocked_inside, cast_int_to_float, cast_user_fp16_region, shared_initializer, unnamed_blocked_nodes, mask_constant,
         mask_computed, eps_zero_row, eps_small_row, reduce_sum_1e6, layernorm_1e3]  # fmt: skip


def small(folder):
    for make in SMALL:
        made, feeds = make(np.random.default_rng(7))
        path = folder / f"{make.__name__}.onnx"
        onnx.save(made, path)
        yield Case("small", make.__name__, path, feeds)


# ---- files that grow -------------------------------------------------------------------------------------------------


def blocks(count, with_max):
    """`count` transformer blocks of 42 nodes on [1, 4, 8], norms after the sums; 16 sets of weights take turns.

    `with_max` puts a Max, which block lists name, into each block."""
    rng, n, nodes, initializers = np.random.default_rng(3), helper.make_node, [], []
    initializers += [constant("eps", 1e-5), constant("two", 2), constant("scale", 8**-0.5), constant("root2", 2**0.5)]
    initializers += [constant("one", 1), constant("half", 0.5), constant("floor", -100), numpy_helper.from_array(np.array([-1]), "axes")]
    for turn in range(16):
        for key, shape in dict(q=(8, 8), k=(8, 8), v=(8, 8), o=(8, 8), up=(8, 16), down=(16, 8)).items():
            initializers.append(constant(f"{turn}.{key}", rng.standard_normal(shape) / shape[0] ** 0.5))
            initializers.append(constant(f"{turn}.{key}.b", rng.standard_normal(shape[1]) / 8))
        for key in ("ln1", "ln2"):
            initializers.append(constant(f"{turn}.{key}.g", rng.uniform(0.5, 1.5, 8)))
            initializers.append(constant(f"{turn}.{key}.b", rng.standard_normal(8) / 8))
    fresh = 0

    def add(op, *inputs, **attributes):
        nonlocal fresh
        fresh += 1
        nodes.append(n(op, list(inputs), [f"t{fresh}"], name=f"n{fresh}", **attributes))
        return f"t{fresh}"

    def linear(x, key):
        return add("Add", add("MatMul", x, key), f"{key}.b")

    def norm(x, key):
        centred = add("Sub", x, add("ReduceMean", x, "axes", keepdims=1))
        variance = add("ReduceMean", add("Pow", centred, "two"), "axes", keepdims=1)
        normed = add("Div", centred, add("Sqrt", add("Add", variance, "eps")))
        return add("Add", add("Mul", normed, f"{key}.g"), f"{key}.b")

    def gelu(x):
        cdf = add("Add", add("Erf", add("Div", x, "root2")), "one")
        return add("Mul", add("Mul", x, cdf), "half")

    x = "x"
    for number in range(count):
        turn = str(number % 16)
        q, k, v = (linear(x, f"{turn}.{key}") for key in "qkv")
        scores = add("Mul", add("MatMul", q, add("Transpose", k, perm=[0, 2, 1])), "scale")
        mixed = linear(add("MatMul", add("Softmax", scores, axis=-1), v), f"{turn}.o")
        x = norm(add("Add", x, mixed), f"{turn}.ln1")
        x = norm(add("Add", x, linear(gelu(linear(x, f"{turn}.up")), f"{turn}.down")), f"{turn}.ln2")
        if with_max:
            x = add("Max", x, "floor")
    nodes[-1].output[0] = "y"
    return model("blocks", nodes, {"x": [1, 4, 8]}, {"y": [1, 4, 8]}, initializers,
                 {"x": rng.standard_normal((1, 4, 8)).astype(np.float32)})  # fmt: skip


def growth(folder, sizes=(10**4, 10**5)):
    for with_max in (False, True):
        for size in sizes:
            name = f"{size}{'+max' if with_max else ''}"
            made, feeds = blocks(size // 42, with_max)
            path = folder / f"blocks-{name}.onnx"
            onnx.save(made, path)
            yield Case("growth", name, path, feeds)


# ---- exported models -------------------------------------------------------------------------------------------------


def golden(outputs):
    from safetensors.numpy import load_file

    return {key: value.astype(np.float64) for key, value in load_file(outputs).items()}


def models(shared):
    for path in sorted(shared.glob("models/*/model*.onnx")):
        folder = path.parent
        inputs = [i.name for i in onnx.load(path, load_external_data=False).graph.input]
        feeds = {name: np.load(folder / "batch" / f"{name}.npy") for name in inputs}
        variant = path.name.removeprefix("model").removesuffix(".onnx")
        yield Case("models", folder.name + variant, path, feeds, golden(folder / "expected" / "outputs.safetensors"))


def light(folder):
    """The light models of the onnx wheel (zoo networks whose weights are made by ConstantOfShape). IR version 3 wants
    every initializer among the inputs, which most tools refuse."""
    data = pathlib.Path(importlib.util.find_spec("onnx").origin).parent / "backend/test/data/light"
    for source in sorted(data.glob("light_*.onnx")):
        made = onnx.load(source)
        made.ir_version = 8
        known = {t.name for t in made.graph.initializer}
        kept = [i for i in made.graph.input if i.name not in known]
        del made.graph.input[:]
        made.graph.input.extend(kept)
        path = folder / source.name
        onnx.save(made, path)
        rng = np.random.default_rng(5)
        feeds = {i.name: rng.random([d.dim_value for d in i.type.tensor_type.shape.dim], np.float32) for i in kept}
        yield Case("light", source.stem.removeprefix("light_"), path, feeds)
