#!/usr/bin/env python3
"""Exports ResNet-50, Inception v3, BERT-base, GPT-2 124M, Whisper-small and Wav2Vec2-base so that they can be trained.

    scripts/torch.sh scripts/export_models.py OUT                       # all six, random weights, nothing downloaded
    scripts/torch.sh scripts/export_models.py OUT --models gpt --opset 23
    scripts/torch.sh scripts/export_models.py OUT --size small          # the scaled-down ones of train_families.py
    scripts/torch.sh scripts/export_models.py OUT --measure             # and what mpt-opt needs for each

docs/ExportingModels.md says why the exporters' options are what they are. --measure runs mpt-opt on each file: import,
loss, differentiation, optimizer, loss scaling, assignment and casts of the FP16 step; its kernels and memory plan; and
the forward graph in FP16 back to ONNX. It fails above --max-seconds (60) or --max-gigabytes (4).
"""

import argparse
import pathlib
import sys

from measure import measured

ROOT = pathlib.Path(__file__).resolve().parent.parent
# Batches small enough for the memory of a desktop; the plan grows with them, the compiler's work does not.
BATCH = {"resnet": 8, "inception": 8, "bert": 4, "gpt": 2, "whisper": 1, "wav2vec2": 2}


def measure(path, model, args):
    """Prints a row per run; the limits that were passed, in words."""
    options = f"loss='{model.loss}' optimizer=adamw(lr=1e-3) precision=fp16"
    training = f"--mpt-training={options}"
    written = path.with_name(path.stem + ".fp16.onnx")
    stages = {
        "step": [args.mpt_opt, path, training, "-o", "/dev/null"],
        "step and plan": [args.mpt_opt, path, training, "--mpt-form-kernels", "--mpt-plan-memory", "-o", "/dev/null"],
        "fp16 onnx": [args.mpt_opt, path, "--mpt-mixed-precision", "-o", written],
    }
    bad = []
    for stage, command in stages.items():
        run = measured(command, 10 * args.max_seconds)
        status, seconds, memory, output = run.status, run.seconds, run.mebibytes / 1024, run.output
        print(f"    {stage:<14} {seconds:6.1f} s {memory:6.2f} GiB" + ("" if status == 0 else "  failed"), flush=True)
        if status:
            bad.append(f"{path.name}: {stage}: {output.strip()[-300:]}")
        elif seconds > args.max_seconds or memory > args.max_gigabytes:
            bad.append(f"{path.name}: {stage}: {seconds:.1f} s, {memory:.2f} GiB; allowed {args.max_seconds} s, {args.max_gigabytes} GiB")
    for file in (written, written.with_name(written.name + ".data")):
        file.unlink(missing_ok=True)
    return bad


def main():
    parser = argparse.ArgumentParser(description="Exports of six models that can be trained")
    parser.add_argument("output", type=pathlib.Path)
    parser.add_argument("--models", help="comma-separated; default: all")
    parser.add_argument("--size", choices=["full", "small"], default="full")
    parser.add_argument("--batch", type=int, help="the batch that is written into the file")
    parser.add_argument("--opset", type=int, default=18)
    parser.add_argument("--keep", action="store_true", help="do not export what is there")
    parser.add_argument("--measure", action="store_true", help="run mpt-opt on the files")
    parser.add_argument("--mpt-opt", default=ROOT / "build/bin/mpt-opt")
    parser.add_argument("--max-seconds", type=float, default=60)
    parser.add_argument("--max-gigabytes", type=float, default=4)
    args = parser.parse_args()
    try:
        import model_families
    except ImportError as error:
        sys.exit(f"export_models.py: {error}; run it by scripts/torch.sh, which installs what it needs")

    names = args.models.split(",") if args.models else model_families.NAMES
    if unknown := [name for name in names if name not in model_families.NAMES]:
        sys.exit(f"export_models.py: unknown model {', '.join(unknown)}; models are {', '.join(model_families.NAMES)}")
    args.output.mkdir(parents=True, exist_ok=True)
    bad = []
    for name in names:
        model = model_families.build(name, args.size == "full", args.batch or BATCH[name])
        path = args.output / f"{name}.onnx"
        if not (args.keep and path.exists()):
            model_families.export(model, path, args.opset)
        count = sum(p.numel() for p in model.module.parameters())
        print(f"{path}: {count / 1e6:.1f} M parameters; --loss '{model.loss}'", flush=True)
        if args.measure:
            bad += measure(path, model, args)
    for line in bad:
        print(f"export_models.py: {line}", file=sys.stderr)
    return 1 if bad else 0


if __name__ == "__main__":
    sys.exit(main())
