#!/usr/bin/env python3
"""Checks the include directions between MPT's components (docs/Architecture.md).

    scripts/check_layering.py [ROOT]

Prints one line per forbidden include and exits 1 if there is one.
"""
import pathlib
import re
import sys

DIALECTS = {"Support", "Data", "Interfaces", "Dialect"}
# component -> components whose headers it may include, itself apart
ALLOWED = {
    "Support": set(),
    "Data": {"Support"},
    "Runtime": set(),
    "Interfaces": {"Support"},
    "Dialect": {"Support", "Interfaces"},
    "Analysis": DIALECTS,
    "Transforms": DIALECTS | {"Analysis"},
    "Conversion": DIALECTS | {"Analysis"},
    "Reference": DIALECTS,
    # constant shape arithmetic is folded with the interpreter
    "Import": DIALECTS | {"Reference"},
    # values of fixed weights are computed with the interpreter
    "Export": DIALECTS | {"Reference"},
    "Pipelines": DIALECTS | {"Analysis", "Transforms", "Conversion"},
    # its common interface has an implementation that interprets
    "Execution": DIALECTS | {"Analysis", "Transforms", "Conversion", "Pipelines", "Reference", "Runtime"},
    # a tool in the shape of a library
    "Plugin": DIALECTS | {"Analysis", "Transforms", "Conversion", "Pipelines"},
    # log, checkpoint, report and the loop behind mpt-train
    "Training": DIALECTS | {"Analysis", "Transforms", "Conversion", "Pipelines", "Execution", "Reference", "Import", "Runtime"},
}
NO_MLIR = {"Data", "Runtime"}
PROTOBUF = {"Import", "Export"}
CUDA = {"Runtime", "Execution"}
# headers of external systems -> the components that may include them
EXTERNAL = [
    (re.compile(r"^(mlir|mlir-c|llvm|llvm-c)/"), set(ALLOWED) - NO_MLIR, "MLIR and LLVM"),
    (re.compile(r"^(onnx|google/protobuf)/"), PROTOBUF, "protobuf and libonnx"),
    (re.compile(r"^(cuda|cublas|cudnn|nvrtc)\w*\.h$"), CUDA, "CUDA"),
]
INCLUDE = re.compile(r'^\s*#\s*include\s*["<]([^">]+)[">]')
SUFFIXES = {".h", ".cpp", ".td", ".in", ".inc"}
TD_INCLUDE = re.compile(r'^\s*include\s+"([^"]+)"')


def problems_of(component, family, header):
    """Why `component` (with `family`, the second folder) may not include `header`."""
    if header.startswith("mpt/"):
        parts = header.split("/")
        if len(parts) == 2 and component == "Plugin":
            return None
        if len(parts) == 2:
            return "headers directly in mpt/ are for tools only"
        target = parts[1]
        if target not in ALLOWED:
            return f"'{target}' is not a component that scripts/check_layering.py knows"
        if target != component and target not in ALLOWED[component]:
            return f"{component} may not depend on {target}"
        if component == target == "Dialect" and family == "MP" and parts[2] == "NN":
            return "the dialect mp may not know the dialect nn"
    for pattern, components, what in EXTERNAL:
        if pattern.match(header) and component not in components:
            return f"{component} may not include headers of {what}"
    return None


def main():
    root = pathlib.Path(sys.argv[1] if len(sys.argv) > 1 else pathlib.Path(__file__).parent.parent)
    errors, files = [], 0
    for base in (root / "include" / "mpt", root / "lib"):
        for path in sorted(p for p in base.rglob("*") if p.suffix in SUFFIXES):
            parts = path.relative_to(base).parts
            if len(parts) == 1:
                continue  # InitAllDialects.h and InitAllPasses.h name everything
            files += 1
            component = parts[0]
            if component not in ALLOWED:
                errors.append(f"{path.relative_to(root)}: '{component}' is not a component that scripts/check_layering.py knows")
                continue
            pattern = TD_INCLUDE if path.suffix == ".td" else INCLUDE
            for number, line in enumerate(path.read_text().splitlines(), 1):
                match = pattern.match(line)
                problem = match and problems_of(component, parts[1], match.group(1))
                if problem:
                    errors.append(f'{path.relative_to(root)}:{number}: includes "{match.group(1)}": {problem}')
    for error in errors:
        print(error)
    if files == 0:
        errors.append("no source file found")
        print(f"{root}: no source file found under include/mpt and lib")
    print(f"layering: {files} files, {len(errors)} problems")
    return 1 if errors else 0


if __name__ == "__main__":
    sys.exit(main())
