"""Compares outputs (<name>.npy in a folder) with those of a .safetensors file.

compare_outputs.py EXPECTED.safetensors FOLDER TOLERANCE

The error of a tensor is |got - want| / |want|, norms over the tensor. Prints it for
each and exits 1 if one is missing or above the tolerance.
"""
import json
import pathlib
import struct
import sys

import numpy as np

DTYPES = {"F64": "<f8", "F32": "<f4", "F16": "<f2", "I64": "<i8", "I32": "<i4", "BOOL": "|b1"}

expected, folder, tolerance = sys.argv[1], pathlib.Path(sys.argv[2]), float(sys.argv[3])
data = pathlib.Path(expected).read_bytes()
length = struct.unpack("<Q", data[:8])[0]
status = 0
for name, entry in json.loads(data[8 : 8 + length]).items():
    if name == "__metadata__":
        continue
    begin, end = (8 + length + offset for offset in entry["data_offsets"])
    want = np.frombuffer(data[begin:end], DTYPES[entry["dtype"]]).reshape(entry["shape"])
    got = np.load(folder / f"{name}.npy")
    if got.shape != want.shape:
        print(f"{name}: shape {got.shape}, should be {want.shape}")
        status = 1
        continue
    error = np.linalg.norm((got - want).ravel()) / np.linalg.norm(want.ravel())
    print(f"{name}: error {error:.1e}, at most {tolerance:.1e}: {'ok' if error <= tolerance else 'TOO LARGE'}")
    status |= not error <= tolerance
sys.exit(status)
