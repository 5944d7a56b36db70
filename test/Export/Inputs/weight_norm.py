"""weight_norm.py KIND OUT: a product with a normalized weight, w = g v / |v|.

KIND "weight": v is an initializer. "input": v is an input, so that nothing is known of its norm. "both": v is an initializer
that the FP32 output `plain` reads, too.
"""

import sys

import numpy as np
import onnx
from onnx import TensorProto, helper, numpy_helper

kind, path = sys.argv[1:]
rng = np.random.default_rng(11)
v = rng.standard_normal((16, 8)).astype(np.float32)
nodes = [
    helper.make_node("ReduceL2", ["v", "axes"], ["norm"], name="norm", keepdims=1),
    helper.make_node("Div", ["g", "norm"], ["factor"], name="factor"),
    helper.make_node("Mul", ["v", "factor"], ["w"], name="weight"),
    helper.make_node("MatMul", ["x", "w"], ["y"], name="product"),
]
inputs = [helper.make_tensor_value_info("x", TensorProto.FLOAT, [4, 16])]
outputs = [helper.make_tensor_value_info("y", TensorProto.FLOAT, [4, 8])]
initializers = [numpy_helper.from_array(np.array([0]), "axes"),
                numpy_helper.from_array(rng.uniform(0.5, 2, (1, 8)).astype(np.float32), "g")]  # fmt: skip
if kind == "input":
    inputs.append(helper.make_tensor_value_info("v", TensorProto.FLOAT, [16, 8]))
else:
    initializers.append(numpy_helper.from_array(v, "v"))
if kind == "both":
    nodes.append(helper.make_node("Exp", ["v"], ["plain"], name="plain"))
    outputs.append(helper.make_tensor_value_info("plain", TensorProto.FLOAT, [16, 8]))
graph = helper.make_graph(nodes, "weight_norm", inputs, outputs, initializers)
onnx.save(helper.make_model(graph, opset_imports=[helper.make_opsetid("", 18)], ir_version=9), path)
