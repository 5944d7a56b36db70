"""Prints the parts of an ONNX model that tests look at, one a line."""
import sys

import onnx

model = onnx.load(sys.argv[1])
onnx.checker.check_model(model, full_check=True)


def name(element_type):
    return onnx.TensorProto.DataType.Name(element_type)


print("opset", next(i.version for i in model.opset_import if i.domain == ""))
for kind, values in (("input", model.graph.input), ("output", model.graph.output)):
    for value in values:
        tensor = value.type.tensor_type
        print(kind, value.name, name(tensor.elem_type), [d.dim_value for d in tensor.shape.dim])
for tensor in model.graph.initializer:
    print("initializer", tensor.name, name(tensor.data_type), list(tensor.dims))
for node in model.graph.node:
    print("node", node.name, node.op_type)
