#!/usr/bin/env python3
"""Checks rules that hold for every file under version control.

    scripts/check_files.py [ROOT [FILES...]]

- No source file has more than 800 lines.
- No fast-math flag but `contract`: `nnan`, `ninf` and `fast` let LLVM delete the overflow
  check that dynamic loss scaling depends on.
- No absolute path of the machine it was written on.
- No conflict marker.
Exits 1 with one line per problem.
"""
import pathlib
import re
import subprocess
import sys

MAX_LINES = 800
LIMITED = {".cpp", ".h", ".td", ".py", ".mlir", ".onnxtxt", ".test", ".sh", ".cmake", ".md"}
GENERATED = ("docs/Dialects/", "docs/Passes.md")
CODE = {".cpp", ".h", ".td", ".cmake", ".txt", ".mlir"}
FAST_MATH = re.compile(
    r"fastmath<[^>]*\b(fast|nnan|ninf|afn|arcp|nsz|reassoc)\b"
    r"|FastMathFlags::(fast|nnan|ninf|afn|arcp|nsz|reassoc)\b"
    r"|-f(fast-math|finite-math-only|no-honor-nans|no-honor-infinities)\b|-Ofast\b"
)
MACHINE_PATH = re.compile(r"(?<![\w.$}/])/(work|farm|root|home/\w+|tmp/(?!\$))(/|\b)")
SELF = "scripts/check_files.py"


def check(name, text, suffix):
    lines = text.splitlines()
    if suffix in LIMITED and len(lines) > MAX_LINES and not name.startswith(GENERATED):
        yield 1, f"{len(lines)} lines, more than {MAX_LINES}: split it by what it is about"
    for number, line in enumerate(lines, 1):
        # a line may quote a forbidden flag to test that it is rejected
        if suffix in CODE and FAST_MATH.search(line) and "CHECK-NOT" not in line:
            yield number, "fast-math flag other than contract"
        if name != SELF and MACHINE_PATH.search(line):
            yield number, f"path of one machine: {line.strip()[:80]}"
        if re.match(r"^(<{7} |>{7} )", line):
            yield number, "conflict marker"


def main():
    root = pathlib.Path(sys.argv[1] if len(sys.argv) > 1 else pathlib.Path(__file__).parent.parent)
    names = sys.argv[2:] or subprocess.run(
        ["git", "-C", str(root), "ls-files", "-z", "--cached", "--others", "--exclude-standard"], check=True, capture_output=True, text=True
    ).stdout.strip("\0").split("\0")
    files = count = 0
    for name in names:
        path = root / name
        if not path.is_file():
            continue
        data = path.read_bytes()
        if b"\0" in data[:8192]:
            continue
        files += 1
        for number, problem in check(name, data.decode(errors="replace"), path.suffix):
            count += 1
            print(f"{name}:{number}: {problem}")
    if files == 0:
        count = 1
        print("no file found")
    print(f"files: {files} files, {count} problems")
    return 1 if count else 0


if __name__ == "__main__":
    sys.exit(main())
