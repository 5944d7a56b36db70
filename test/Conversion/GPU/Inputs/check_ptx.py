#!/usr/bin/env python3
"""Assemble every .ptx file of a folder with ptxas, for every chip named; or, without chips, only look at them.

usage: check_ptx.py FOLDER --at-least N [--ptxas PTXAS CHIP...]

Prints one line per failure and a summary; exits with 1 when a file fails, names an external function, has no
entry point, or when there are fewer than N files. A file's own .target has to be one that the chip can run.
"""
import argparse
import pathlib
import re
import subprocess
import sys


def look(path):
    text = path.read_text()
    problems = []
    if ".extern" in text or "__nv_" in text:
        problems.append("needs a symbol from outside")
    if ".visible .entry" not in text:
        problems.append("has no entry point")
    if text.startswith("// pointwise"):
        # Tensors of 16 bytes and more are moved 16 bytes at a time; what is smaller has no vector to move.
        elements = [int(n) for n in re.findall(r"(\d+)x", text.splitlines()[0].split("tensor<")[-1])]
        count = 1
        for extent in elements:
            count *= extent
        wide = re.search(r"ld\.global(\.nc)?\.v[48]\.", text) or re.search(r"ld\.global(\.nc)?\.v2\.b64", text)
        if count >= 64 and not wide:
            problems.append("is pointwise on %d elements, but has no 16-byte load" % count)
    return problems


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("folder", type=pathlib.Path)
    parser.add_argument("--at-least", type=int, required=True)
    parser.add_argument("--ptxas", nargs="+", default=[])
    arguments = parser.parse_args()
    files = sorted(arguments.folder.glob("*.ptx"))
    failures = 0
    for path in files:
        problems = look(path)
        for chip in arguments.ptxas[1:]:
            command = [arguments.ptxas[0], "-arch=" + chip, "-o", "/dev/null", str(path)]
            result = subprocess.run(command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True)
            if result.returncode != 0:
                problems.append("ptxas -arch=%s: %s" % (chip, result.stdout.strip()))
        for problem in problems:
            print("%s: %s (%s)" % (path.name, problem, path.read_text().splitlines()[0]))
        failures += bool(problems)
    print("%d files, %d failed" % (len(files), failures))
    if len(files) < arguments.at_least:
        print("fewer than %d files" % arguments.at_least)
        return 1
    return 1 if failures else 0


if __name__ == "__main__":
    sys.exit(main())
