"""Checks the figures of two runs of examples/mlp.onnx (784-256-128-10) with batch 64: FP32.json FP16.json."""
import json
import sys

fp32, fp16 = (json.load(open(path)) for path in sys.argv[1:])
for run in fp32, fp16:
    assert 0 < run["activation_bytes"] <= run["planned_activation_bytes"], run
    assert run["planned_peak_bytes"] >= run["planned_activation_bytes"] + run["state_bytes"], run
    assert run["kernels"] >= run["distinct_kernels"] > 0 and run["compile_seconds"] > 0, run

# Every layer forwards and its weight's gradient, and the gradient of the input of all but the first.
layers = [784 * 256, 256 * 128, 128 * 10]
products = 2 * 64 * (3 * sum(layers) - layers[0])
# Adam and the finite check read 235,146 parameters a few times; the rest is smaller.
assert products < fp32["flops"] < products + 12 * 235146, (products, fp32["flops"])

assert fp32["casts"] == fp32["cast_bytes"] == fp32["ops_low"] == 0, fp32
# At least the three weights (FP32 masters) are cast.
assert fp16["casts"] >= 3 and fp16["cast_bytes"] >= 4 * sum(layers), fp16
assert fp16["ops_low"] > 0, fp16
print("ok")
