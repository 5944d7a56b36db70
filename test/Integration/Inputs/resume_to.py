"""resume_to.py CHECKPOINT N: prints --steps for a run that ends N steps behind the checkpoint."""
import json
import struct
import sys

with open(sys.argv[1], "rb") as file:
    (size,) = struct.unpack("<Q", file.read(8))
    metadata = json.loads(file.read(size))["__metadata__"]
print("--steps", int(metadata["mpt.step"]) + int(sys.argv[2]))
