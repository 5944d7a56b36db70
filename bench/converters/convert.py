"""One conversion by one peer, in the peer's own environment: convert.py TOOL IN OUT FEEDS.npz

Prints the seconds between the loaded imports and the written file. peers.py starts it in a fresh process and takes the
wall time and the peak memory of that process.
"""

import pathlib
import sys
import tempfile
import time


def occ(source, target, _):
    import onnx
    from onnxconverter_common import float16

    start = time.perf_counter()
    onnx.save(float16.convert_float_to_float16(onnx.load(source), keep_io_types=True), target)
    return start


def occ_auto(source, target, feeds):
    import numpy as np
    import onnx
    from onnxconverter_common.auto_mixed_precision import auto_convert_mixed_precision

    start = time.perf_counter()
    # The tolerances are the documentation's; there is no default.
    made = auto_convert_mixed_precision(onnx.load(source), dict(np.load(feeds)), rtol=0.01, atol=0.001, keep_io_types=True)
    onnx.save(made, target)
    return start


def ort(source, target, _):
    import onnx
    from onnxruntime.transformers import float16

    start = time.perf_counter()
    onnx.save(float16.convert_float_to_float16(onnx.load(source), keep_io_types=True), target)
    return start


def modelopt(source, target, feeds, kind, blocked=()):
    import onnx
    from modelopt.onnx.autocast import convert_to_mixed_precision

    start = time.perf_counter()
    more = {"op_types_to_exclude": list(blocked)} if blocked else {}
    made = convert_to_mixed_precision(source, low_precision_type=kind, keep_io_types=True, calibration_data=feeds, **more)
    onnx.save(made, target)
    return start


def olive(source, target, _):
    import shutil

    from olive.model import ONNXModelHandler
    from olive.passes.olive_pass import create_pass_from_dict
    from olive.passes.onnx.mixed_precision import OrtMixedPrecision

    start = time.perf_counter()
    with tempfile.TemporaryDirectory() as folder:
        made = create_pass_from_dict(OrtMixedPrecision, {}, disable_search=True).run(
            ONNXModelHandler(model_path=source), str(pathlib.Path(folder) / "out.onnx")
        )
        shutil.copyfile(made.model_path, target)
    return start


def winml(source, target, _):
    import onnx
    from winml.modelkit.quant.fp16 import convert_to_fp16

    start = time.perf_counter()
    onnx.save(convert_to_fp16(onnx.load(source)), target)
    return start


def quark(source, target, _):
    import runpy

    import quark.onnx  # noqa: F401

    start = time.perf_counter()
    sys.argv = ["convert", "--input", source, "--output", target, "--keep_io_types"]
    runpy.run_module("quark.onnx.tools.convert_fp32_to_fp16", run_name="__main__")
    return start


TOOLS = {
    "occ": occ,
    "occ-auto": occ_auto,
    "ort": ort,
    "mo-fp16": lambda *a: modelopt(*a, "fp16"),
    "mo-bf16": lambda *a: modelopt(*a, "bf16"),
    "mo-fp16-max": lambda *a: modelopt(*a, "fp16", ["Max"]),
    "mo-bf16-max": lambda *a: modelopt(*a, "bf16", ["Max"]),
    "olive-mp": olive,
    "winml": winml,
    "quark-fp16": quark,
}

if __name__ == "__main__":
    start = TOOLS[sys.argv[1]](*sys.argv[2:5])
    print(f"\nseconds {time.perf_counter() - start:.3f}")
