"""STATE.safetensors MODEL.onnx: exactly one 2-D table has kept its bits; a table used twice has one state."""
import sys

import numpy as np
import onnx
from onnx import numpy_helper
from safetensors.numpy import load_file

state, model = load_file(sys.argv[1]), onnx.load(sys.argv[2])
initial = {t.name: numpy_helper.to_array(t) for t in model.graph.initializer}
trained = [name for name in state if name + ".exp_avg" in state]
stayed = [name for name in trained if np.array_equal(state[name], initial[name])]
assert len(stayed) == 1 and state[stayed[0]].ndim >= 2, stayed
# Its moments moved: the gradient was there.
assert np.any(state[stayed[0] + ".exp_avg"] != 0)
vocabulary = max(state[name].shape[0] for name in trained if state[name].ndim == 2)
tables = [name for name in trained if state[name].ndim == 2 and vocabulary in state[name].shape]
assert len(tables) == 1, tables
print(f"one table stayed, {len(trained) - 1} parameters moved, one embedding")
