"""Trains the files of shared/models with mpt-train and compares with PyTorch's traces.

    check_families.py MODELS WORK [--families bert,gpt] [--files model.onnx] [--modes f64,fp32,fp16,bf16]

A row per file and mode: the worst error of outputs, gradients, the ten-step losses and the state after
them, each with its bound, by the yardstick of the models' README (compare_trace.py):

    f64    Reference in double: outputs 2e-7, gradients 5e-7 (resnet, inception 1e-8), losses and state 1e-6
    fp32   compiled: outputs and gradients by PyTorch's own FP32 errors, losses by 3 times PyTorch's
    fp16   compiled, dynamic loss scale: ten steps, the losses within 3 % (batch norm at random weights
    bf16   compiled: the same within 5 %       amplifies rounding: there 3 times PyTorch's FP32 if that is more)

Where the exporter lost parameters (`lost` in trace.json), only what remains is compared and no curve.
"""
import argparse
import pathlib
import subprocess
import sys
import time

import numpy as np
from compare_trace import Trace, load, read_log, read_outputs

CE = "cross_entropy(logits, labels)"
LOSSES = {
    "inception": "cross_entropy(logits, labels) + 0.4*cross_entropy(aux_logits, labels)",
    "wav2vec2": "ctc(logits, labels, logit_lengths, label_lengths, blank=0)",
}
LABELS = ("labels", "label_lengths", "logit_lengths")
MODES = {
    "f64": ["--precision", "fp32", "--target=reference", "--compute=f64"],
    "fp32": ["--precision", "fp32", "--target=cpu"],
    "fp16": ["--precision", "fp16", "--loss-scale", "dynamic", "--target=cpu"],
    "bf16": ["--precision", "bf16", "--target=cpu"],
}
RUN_MODES = {"f64": ["--target=reference", "--compute=f64"], "fp32": ["--target=cpu"]}
LOW_TOLERANCE = {"fp16": 0.03, "bf16": 0.05}


def optimizer_of(trace):
    o = trace.json["optimizer"]
    if o["name"] == "SGD":
        nesterov = str(o["nesterov"]).lower()
        return f"sgd(lr={o['lr']}, momentum={o['momentum']}, nesterov={nesterov}, weight_decay={o['weight_decay']})"
    return f"adamw(lr={o['lr']}, betas=({o['betas'][0]},{o['betas'][1]}), eps={o['eps']}, weight_decay={o['weight_decay']})"


def run(command):
    result = subprocess.run(command, capture_output=True, text=True)
    if result.returncode:
        print(" ".join(map(str, command)), result.stderr, sep="\n")
    return result.returncode == 0


class Row:
    def __init__(self, family, file, mode):
        self.cells, self.ok = [f"{family}/{file}", mode], True

    def add(self, name, value, limit, detail=""):
        good = bool(value <= limit)
        self.ok &= good
        self.cells.append(f"{name} {value:.1e} / {limit:.1e}{detail}" + ("" if good else " TOO LARGE"))


def check(folder, file, mode, work):
    trace = Trace(folder, file)
    exact = "batch norm" if folder.name in ("resnet", "inception") else ""
    row = Row(folder.name, file, mode)
    work.mkdir(parents=True, exist_ok=True)
    begin = time.time()
    command = ["mpt-train", folder / file, "--data", folder / "batch", "--loss", LOSSES.get(folder.name, CE)]
    command += ["--optimizer", optimizer_of(trace), "--steps", "10", "--no-shuffle", "--quiet", *MODES[mode]]
    command += ["--checkpoint", work / "checkpoint.safetensors", "--log", work / "log.jsonl"]
    command += ["--dump-gradients", work / "gradients.safetensors", "--save", work / "state.safetensors"]
    if not run(command):
        row.ok = False
        row.cells.append("mpt-train FAILED")
        return row
    rows = read_log(work / "log.jsonl")
    loss, applied = trace.loss_error(rows, trace.stable_steps if mode == "f64" else None)
    if mode in RUN_MODES:
        outputs = work / "outputs"
        command = ["mpt-run", folder / file, *RUN_MODES[mode], "--output-dir", outputs]
        for path in sorted((folder / "batch").glob("*.npy")):
            if path.stem not in LABELS:
                command += ["--input", f"{path.stem}={path}"]
        if run(command):
            errors = trace.output_errors(read_outputs(outputs))
            row.add("outputs", max(errors.values()), 2e-7 if mode == "f64" else trace.limits("outputs", "fp32")[1])
        else:
            row.ok = False
            row.cells.append("mpt-run FAILED")
        gradients = load(work / "gradients.safetensors")
        names = trace.match(gradients)
        errors = trace.errors("gradients", gradients, names)
        values = list(errors.values())
        if mode == "f64":
            worst = max(errors, key=errors.get)
            row.add("gradients", max(values), 1e-8 if exact else 5e-7, f" ({len(values)}; {worst})")
        else:
            limits = trace.limits("gradients", "fp32")
            row.add("median", np.median(values), limits[0])
            row.add("max", max(values), limits[1])
        if not trace.lost:
            row.add("losses", loss, 1e-6 if mode == "f64" else max(3 * trace.torch_loss_error(), 2e-6))
            if mode == "f64" and trace.stable_steps == len(rows):
                state = trace.errors("state", load(work / "state.safetensors"), names)
                row.add("state", max(state.values()), 1e-6, f" ({max(state, key=state.get)})")
    else:
        row.ok &= len(rows) == 10
        if not trace.lost:
            row.add("losses", loss, max(LOW_TOLERANCE[mode], 3 * trace.torch_loss_error()), f", {applied} of 10 steps applied")
        # At most the first steps look for the scale.
        row.ok &= applied >= (5 if mode == "fp16" else 10)
    row.cells.append(f"{time.time() - begin:.0f} s")
    return row


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("models", type=pathlib.Path)
    parser.add_argument("work", type=pathlib.Path)
    parser.add_argument("--families", default="resnet,inception,bert,gpt,whisper,wav2vec2")
    parser.add_argument("--files", default="model.onnx,model.opset23.onnx,model.default.onnx")
    parser.add_argument("--modes", default="f64,fp32,fp16,bf16")
    options = parser.parse_args()
    failed = done = 0
    for family in options.families.split(","):
        for file in options.files.split(","):
            if not (options.models / family / file).exists():
                continue
            for mode in options.modes.split(","):
                row = check(options.models / family, file, mode, options.work / f"{family}.{file}.{mode}")
                print("ok   " if row.ok else "FAIL ", " | ".join(row.cells), flush=True)
                failed += not row.ok
                done += 1
    assert done, "nothing to check"
    print(f"{done - failed} of {done} ok")
    sys.exit(failed != 0)


if __name__ == "__main__":
    main()
