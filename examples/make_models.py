#!/usr/bin/env python3
"""Writes the example models beside this file: mlp.onnx, cnn.onnx and underflow.onnx.

    python3 examples/make_models.py [FOLDER]

Needs only the packages onnx and numpy (scripts/setup.sh --python puts both into .venv). The
weights are He-initialised from a fixed seed, so a second run writes the same bytes.
All three take `image`, float [batch, 1, 28, 28], and give `logits`, float [batch, 10].
"""
import pathlib
import sys

import numpy as np
import onnx
from onnx import TensorProto, helper, numpy_helper

OPSET = 17
CLASSES = 10


class Graph:
    """Collects nodes and initializers; every method returns the name of its output."""

    def __init__(self, name, seed):
        self.name = name
        self.rng = np.random.Generator(np.random.PCG64(seed))
        self.nodes, self.initializers = [], []

    def node(self, op, inputs, name, outputs=None, **attributes):
        outputs = outputs or [f"{name}_out"]
        self.nodes.append(helper.make_node(op, inputs, outputs, name=name, **attributes))
        return outputs[0]

    def parameter(self, name, value):
        self.initializers.append(numpy_helper.from_array(np.ascontiguousarray(value, np.float32), name))
        return name

    def he_normal(self, name, shape, fan_in, gain=2.0):
        """Normal with variance gain / fan_in (He et al. 2015 for gain 2)."""
        return self.parameter(name, self.rng.standard_normal(shape) * np.sqrt(gain / fan_in))

    def conv_bn(self, x, name, channels_in, channels):
        """3x3 convolution without bias (batch norm has one), then batch norm in training mode."""
        weight = self.he_normal(f"{name}.weight", (channels, channels_in, 3, 3), channels_in * 9)
        x = self.node("Conv", [x, weight], name, kernel_shape=[3, 3], pads=[1, 1, 1, 1], strides=[1, 1])
        bn = f"{name}_bn"
        scale = self.parameter(f"{bn}.weight", np.ones(channels))
        bias = self.parameter(f"{bn}.bias", np.zeros(channels))
        mean = self.parameter(f"{bn}.running_mean", np.zeros(channels))
        var = self.parameter(f"{bn}.running_var", np.ones(channels))
        outputs = [f"{bn}_out", f"{bn}.running_mean_new", f"{bn}.running_var_new"]
        return self.node(
            "BatchNormalization", [x, scale, bias, mean, var], bn, outputs, epsilon=1e-5, momentum=0.9, training_mode=1
        )

    def relu(self, x, name):
        return self.node("Relu", [x], name)

    def max_pool(self, x, name):
        return self.node("MaxPool", [x], name, kernel_shape=[2, 2], strides=[2, 2])

    def linear(self, x, name, features_in, features, output=None, scale=1.0, gain=2.0):
        """Gemm with the weight as [features, features_in], as PyTorch keeps it."""
        value = self.rng.standard_normal((features, features_in)) * np.sqrt(gain / features_in) * scale
        weight = self.parameter(f"{name}.weight", value)
        bias = self.parameter(f"{name}.bias", np.zeros(features))
        return self.node("Gemm", [x, weight, bias], name, [output] if output else None, transB=1)

    def model(self, doc):
        image = helper.make_tensor_value_info("image", TensorProto.FLOAT, ["batch", 1, 28, 28])
        logits = helper.make_tensor_value_info("logits", TensorProto.FLOAT, ["batch", CLASSES])
        graph = helper.make_graph(self.nodes, self.name, [image], [logits], self.initializers, doc_string=doc)
        model = helper.make_model(
            graph, producer_name="mpt-examples", opset_imports=[helper.make_opsetid("", OPSET)], ir_version=8
        )
        onnx.checker.check_model(model, full_check=True)
        return model


def mlp():
    g = Graph("mlp", seed=1)
    x = g.node("Flatten", ["image"], "flatten", axis=1)
    x = g.relu(g.linear(x, "fc1", 784, 256), "relu1")
    x = g.relu(g.linear(x, "fc2", 256, 128), "relu2")
    g.linear(x, "fc3", 128, CLASSES, output="logits", gain=1.0)
    return g.model("784-256-128-10 perceptron for 28x28 grey images")


def cnn():
    g = Graph("cnn", seed=2)
    x = g.relu(g.conv_bn("image", "conv1", 1, 8), "relu1")
    x = g.max_pool(x, "pool1")
    x = g.relu(g.conv_bn(x, "conv2", 8, 16), "relu2")
    y = g.conv_bn(x, "conv3", 16, 16)
    x = g.relu(g.node("Add", [y, x], "residual1"), "relu3")
    x = g.max_pool(x, "pool2")
    x = g.relu(g.conv_bn(x, "conv4", 16, 32), "relu4")
    y = g.conv_bn(x, "conv5", 32, 32)
    x = g.relu(g.node("Add", [y, x], "residual2"), "relu5")
    x = g.max_pool(x, "pool3")
    x = g.node("Flatten", [x], "flatten", axis=1)
    g.linear(x, "fc", 32 * 3 * 3, CLASSES, output="logits", gain=1.0)
    return g.model("Small convolutional network with batch norm and residual connections for 28x28 grey images")


def underflow():
    """A perceptron for the underflow drill: examples/README.md says what to run on it.

    The hidden layers' gradients pass through a last layer whose weights are 1e-4 times their
    usual size. With a loss of small weight on top, as an auxiliary loss or one in large units
    has, they lie below 2^-25, half of FP16's smallest subnormal number, and round to zero.
    """
    g = Graph("underflow", seed=3)
    x = g.node("Flatten", ["image"], "flatten", axis=1)
    x = g.relu(g.linear(x, "fc1", 784, 64), "relu1")
    x = g.relu(g.linear(x, "fc2", 64, 64), "relu2")
    g.linear(x, "fc3", 64, CLASSES, output="logits", gain=1.0, scale=1e-4)
    return g.model("Perceptron whose FP16 gradients vanish without loss scaling")


def main():
    folder = pathlib.Path(sys.argv[1] if len(sys.argv) > 1 else pathlib.Path(__file__).parent)
    folder.mkdir(parents=True, exist_ok=True)
    for model in (mlp(), cnn(), underflow()):
        path = folder / f"{model.graph.name}.onnx"
        onnx.save(model, path)
        parameters = sum(int(np.prod(i.dims)) for i in model.graph.initializer)
        print(f"{path.name}: {len(model.graph.node)} nodes, {parameters} parameters, {path.stat().st_size} bytes")


if __name__ == "__main__":
    main()
