"""casts.py MODEL: the number of Cast nodes, and how many of them read an initializer."""

import sys

import onnx

graph = onnx.load(sys.argv[1]).graph
initializers = {tensor.name for tensor in graph.initializer}
casts = [node for node in graph.node if node.op_type == "Cast"]
print(f"{len(casts)} casts, {sum(node.input[0] in initializers for node in casts)} of initializers")
