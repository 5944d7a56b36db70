"""The example models as PyTorch modules: what bench/ compares with.

Covers the operators that examples/make_models.py uses, in training mode, with the weights
of the ONNX file. Batch norm follows PyTorch here (running variance with N-1); that does not
touch the training step.
"""
import onnx
import torch
import torch.nn.functional as F
from onnx import numpy_helper


class OnnxModule(torch.nn.Module):
    def __init__(self, path):
        super().__init__()
        graph = onnx.load(path).graph
        self.nodes = [
            (n.op_type, list(n.input), list(n.output), {a.name: onnx.helper.get_attribute_value(a) for a in n.attribute})
            for n in graph.node
        ]
        self.input_name, self.output_name = graph.input[0].name, graph.output[0].name
        self.keys = {}
        for initializer in graph.initializer:
            key = initializer.name.replace(".", "__")
            self.keys[initializer.name] = key
            value = torch.from_numpy(numpy_helper.to_array(initializer).copy())
            if "running_" in initializer.name:
                self.register_buffer(key, value)
            else:
                self.register_parameter(key, torch.nn.Parameter(value))

    def forward(self, x):
        values = {self.input_name: x}

        def get(name):
            return values[name] if name in values else getattr(self, self.keys[name])

        for op, inputs, outputs, attributes in self.nodes:
            args = [get(name) for name in inputs]
            values[outputs[0]] = self.evaluate(op, args, attributes)
        return values[self.output_name]

    def evaluate(self, op, args, attributes):
        if op == "Conv":
            return F.conv2d(*args, stride=attributes["strides"], padding=attributes["pads"][:2])
        if op == "BatchNormalization":
            x, scale, bias, mean, var = args
            momentum = 1 - attributes["momentum"]  # ONNX weighs the old value, PyTorch the new one
            return F.batch_norm(x, mean, var, scale, bias, self.training, momentum, attributes["epsilon"])
        if op == "Relu":
            return F.relu(args[0])
        if op == "MaxPool":
            return F.max_pool2d(args[0], attributes["kernel_shape"], attributes["strides"])
        if op == "Add":
            return args[0] + args[1]
        if op == "Flatten":
            return torch.flatten(args[0], attributes["axis"])
        if op == "Gemm":
            return F.linear(*args)
        raise ValueError(f"bench/onnx_torch.py: operator {op} is not one that the example models use")
