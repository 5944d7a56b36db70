"""ONE.mlir EIGHT.mlir: planned steps with one and with eight micro-batches."""
import re
import sys


def plan(path):
    text = re.search(r"nn\.plan = \{([^}]*)\}", open(path, errors="replace").read()).group(1)
    return {name: int(value) for name, value in re.findall(r"(\w+) = (\d+)", text)}


one, eight = (plan(path) for path in sys.argv[1:])
assert eight["state"] == one["state"], (one, eight)
# The state is the parameters (momentum 0); their gradients' sums take as much, and the planner's gaps a little.
growth = eight["transient"] - one["transient"]
assert growth < 1.3 * one["state"], growth
# What is kept for the backward pass is that of one micro-batch; some operations get another precision, since
# casts that all micro-batches share weigh less.
assert 0.85 * one["activations"] < eight["activations"] < 1.05 * one["activations"], (one, eight)
# What the batch takes: arguments of eight times the samples.
assert 7 * one["inputs"] < eight["inputs"] <= 8 * one["inputs"], (one, eight)
print(f"ok: {one['transient']} bytes became {eight['transient']}")
