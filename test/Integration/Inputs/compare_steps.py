"""Compares two runs of mpt-train bit for bit: A.safetensors and A.jsonl with B's.

The loss scale and the times may differ, everything else may not.
"""
import json
import struct
import sys


def tensors(path):
    data = open(path, "rb").read()
    (length,) = struct.unpack("<Q", data[:8])
    header = json.loads(data[8 : 8 + length])
    header.pop("__metadata__", None)
    body = data[8 + length :]
    return {
        name: body[slice(*entry["data_offsets"])]
        for name, entry in header.items()
        if not name.startswith("loss_scale")
    }


def steps(path):
    for line in open(path):
        step = json.loads(line)
        yield {k: v for k, v in step.items() if k not in ("seconds", "loss_scale")}


a, b = sys.argv[1:]
left, right = tensors(a + ".safetensors"), tensors(b + ".safetensors")
assert left, "no tensors saved"
assert left.keys() == right.keys(), left.keys() ^ right.keys()
different = [name for name in left if left[name] != right[name]]
log_a, log_b = list(steps(a + ".jsonl")), list(steps(b + ".jsonl"))
assert any("grad_norm" in step for step in log_a), "no gradient norms logged"
if different or log_a != log_b:
    sys.exit(f"different: {different or 'logs'}")
print(f"{len(left)} tensors and {len(log_a)} steps are the same")
