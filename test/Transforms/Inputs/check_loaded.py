"""check_loaded.py SAVED MODEL [SUFFIX]: the initializers of the model are the tensors of the safetensors file."""
import json
import struct
import sys

import numpy as np
import onnx
from onnx import numpy_helper

saved, model = sys.argv[1:3]
suffix = sys.argv[3] if len(sys.argv) > 3 else ""
data = open(saved, "rb").read()
size = struct.unpack("<Q", data[:8])[0]
header = json.loads(data[8 : 8 + size])
found = 0
for initializer in onnx.load(model).graph.initializer:
    name = initializer.name + suffix
    if name not in header:
        name = initializer.name  # statistics have no average
    if name not in header:
        continue
    begin, end = header[name]["data_offsets"]
    want = np.frombuffer(data[8 + size + begin : 8 + size + end], "<f4")
    assert np.array_equal(numpy_helper.to_array(initializer).ravel(), want), name
    found += name.endswith(suffix)
assert found >= 10, found
