#!/usr/bin/env python3
"""Times one training step of MPT beside PyTorch's: same model, batch, optimizer and threads.

    bench/run.sh [--model examples/cnn.onnx] [--batch 128] [--threads 2] [--steps 60] [--rounds 3]

The two take turns, round by round, so that a change in the machine's load meets both. A
figure is the median of a round's steps after the warm-up, and of those the best round, which
is the one least disturbed by others. MPT's times are the field `seconds` in mpt-train's log;
PyTorch's are taken around forward, loss, zero_grad, backward and optimizer step. Reading the
batch is in neither.

--max-fp32 and --max-fp16 make it a test: exit 1 if FP32 takes more than so many times
PyTorch's step, or FP16 more than so many times our FP32 step.
"""
import argparse
import json
import os
import pathlib
import statistics
import subprocess
import sys
import tempfile
import time

ROOT = pathlib.Path(__file__).resolve().parent.parent
WARM_UP = 10


def time_torch(args):
    import torch
    import torch.nn.functional as F

    from onnx_torch import OnnxModule

    torch.set_num_threads(args.threads)
    torch.manual_seed(1)
    model = OnnxModule(args.model).train()
    optimizer = torch.optim.SGD(model.parameters(), lr=0.05, momentum=0.9)
    images = torch.rand(args.batch, 1, 28, 28)
    labels = torch.randint(0, 10, (args.batch,))
    seconds = []
    for _ in range(WARM_UP + args.steps):
        start = time.perf_counter()
        loss = F.cross_entropy(model(images), labels)
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        seconds.append(time.perf_counter() - start)
    return statistics.median(seconds[WARM_UP:])


def time_mpt(args, precision):
    with tempfile.TemporaryDirectory() as folder:
        log = os.path.join(folder, "log.jsonl")
        command = [
            args.tool, args.model, "--dim", f"batch={args.batch}", "--data", args.data,
            "--loss", "cross_entropy(logits, labels)", "--optimizer", "sgd(lr=0.05, momentum=0.9)",
            "--precision", precision, "--loss-scale", "off" if precision == "fp32" else "dynamic",
            "--steps", str(WARM_UP + args.steps), "--seed", "1", "--threads", str(args.threads), "--log", log,
        ]  # fmt: skip
        done = subprocess.run(command, capture_output=True, text=True)
        if done.returncode != 0:
            sys.exit(f"train_step.py: mpt-train failed: {(done.stderr or done.stdout).strip()[-500:]}")
        with open(log) as file:
            records = [json.loads(line) for line in file]
    seconds = [r["seconds"] for r in records if "seconds" in r and "loss_scale" in r]
    if len(seconds) < WARM_UP + args.steps:
        sys.exit(f"train_step.py: the log has {len(seconds)} steps, expected {WARM_UP + args.steps}")
    return statistics.median(seconds[WARM_UP:])


def main():
    parser = argparse.ArgumentParser(description="MPT's training step beside PyTorch's")
    parser.add_argument("--model", default=str(ROOT / "examples/cnn.onnx"))
    parser.add_argument("--data", default="/usr/share/datasets/fashion-mnist")
    parser.add_argument("--tool", default=str(ROOT / "build/bin/mpt-train"), help="the mpt-train to time")
    parser.add_argument("--batch", type=int, default=128)
    parser.add_argument("--threads", type=int, default=os.cpu_count())
    parser.add_argument("--steps", type=int, default=60)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--precisions", default="fp32,fp16")
    parser.add_argument("--max-fp32", type=float, help="fail above this multiple of PyTorch's time")
    parser.add_argument("--max-fp16", type=float, help="fail above this multiple of our FP32 time")
    args = parser.parse_args()

    precisions = args.precisions.split(",")
    best = {}
    for number in range(args.rounds):
        figures = {"torch fp32": time_torch(args)}
        figures.update({f"mpt {p}": time_mpt(args, p) for p in precisions})
        print(f"round {number + 1}: " + ", ".join(f"{k} {1e3 * v:.2f} ms" for k, v in figures.items()), flush=True)
        for key, value in figures.items():
            best[key] = min(value, best.get(key, value))

    print(f"\n{pathlib.Path(args.model).name}, batch {args.batch}, {args.threads} threads, best of {args.rounds} rounds")
    for key, value in best.items():
        print(f"  {key:<12} {1e3 * value:8.2f} ms   {value / best['torch fp32']:5.2f} x PyTorch")
    failed = False
    if args.max_fp32 and "mpt fp32" in best:
        failed |= best["mpt fp32"] > args.max_fp32 * best["torch fp32"]
    if {"mpt fp32", "mpt fp16"} <= best.keys():
        ratio = best["mpt fp16"] / best["mpt fp32"]
        print(f"  FP16 takes {ratio:.2f} times our FP32")
        failed |= bool(args.max_fp16 and ratio > args.max_fp16)
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main())
