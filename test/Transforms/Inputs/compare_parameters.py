"""Compares the trained parameters of a module with those PyTorch trains.

    compare_parameters.py MODULE.mlir TRACE.json FILE [--split]

TRACE.json tells for every exported FILE which initializer is which parameter, and which
of them PyTorch does not train. With --split the file merged parameters of equal elements:
those that were split off (name.1, ...) count for the ones merged.
"""
import json
import re
import sys

module, trace, name = sys.argv[1:4]
split = "--split" in sys.argv[4:]
entry = json.load(open(trace))["files"][name]
text = open(module).read()
trained = set(re.findall(r'nn\.parameter @"?([^" ]+)"? trainable = true', text))
want = set(entry["parameters"]) - set(entry["frozen"])
parts = {n for n in trained if re.sub(r"\.\d+$", "", n) in entry["merged"]} if split else set()
problems = [f"not trained: {n}" for n in sorted(want - trained)]
problems += [f"trained, but not by PyTorch: {n}" for n in sorted(trained - want - parts)]
if split and len(parts) <= len(entry["merged"]):
    problems.append("nothing was split")
print("\n".join(problems) or f"{name}: {len(trained)} trained parameters agree")
sys.exit(bool(problems))
