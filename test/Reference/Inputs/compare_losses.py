"""Compares the losses of a log with the FP64 losses of a model in shared/models.

compare_losses.py MODEL_FOLDER LOG.jsonl TOLERANCE

Prints the largest relative difference and exits 1 if it is above the tolerance.
"""
import json
import pathlib
import sys

want = json.loads((pathlib.Path(sys.argv[1]) / "trace.json").read_text())["losses_fp64"]
got = [json.loads(line)["loss"] for line in pathlib.Path(sys.argv[2]).read_text().splitlines()]
tolerance = float(sys.argv[3])
if len(got) != len(want):
    sys.exit(f"{len(got)} losses, should be {len(want)}")
error = max(abs(g - w) / abs(w) for g, w in zip(got, want))
print(f"{len(got)} losses, largest difference {error:.1e}, at most {tolerance:.1e}: {'ok' if error <= tolerance else 'TOO LARGE'}")
sys.exit(not error <= tolerance)
