"""resume_to.py CHECKPOINT N: prints the step N steps behind the one the checkpoint was written at."""
import json
import struct
import sys

with open(sys.argv[1], "rb") as file:
    (size,) = struct.unpack("<Q", file.read(8))
    metadata = json.loads(file.read(size))["__metadata__"]
print(int(metadata["mpt.step"]) + int(sys.argv[2]))
