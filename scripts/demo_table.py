#!/usr/bin/env python3
"""Prints the summaries of an FP32 and an FP16 training side by side and checks the claims.

    scripts/demo_table.py FP32.json FP16.json

The files are what mpt-train writes with --summary. Exits 1 if a claim does not hold.
"""
import json
import math
import sys

MIN_ACCURACY = 0.88
MAX_DIFFERENCE = 0.005  # of test accuracy: 0.5 points
MAX_ACTIVATIONS = 0.6  # of FP32's planned activation bytes


def load(path):
    try:
        with open(path) as file:
            return json.load(file)
    except (OSError, ValueError) as error:
        sys.exit(f"demo_table.py: {path}: {error}")


def power(scale):
    exponent = math.frexp(scale)[1] - 1
    return f"2^{exponent}" if scale == 2.0**exponent else f"{scale:g}"


def changes(summary):
    """The loss scale's changes as [step, scale]; empty without loss scaling."""
    off = summary.get("loss_scale_mode", "dynamic") == "off"
    return [] if off else summary.get("loss_scale_history") or []


def scales(summary):
    history = changes(summary)
    if not history:
        return "off"
    first, last = power(history[0][1]), power(history[-1][1])
    return first if len(history) == 1 else f"{first} to {last}"


def history_line(summary):
    """'2^16, 2^17 from step 301, ...', shortened in the middle."""
    history = changes(summary)
    parts = [power(history[0][1])] + [f"{power(scale)} from step {step}" for step, scale in history[1:]]
    if len(parts) > 8:
        parts = parts[:4] + ["..."] + parts[-3:]
    return ", ".join(parts)


def main():
    if len(sys.argv) != 3:
        sys.exit("usage: scripts/demo_table.py FP32.json FP16.json")
    both = [load(path) for path in sys.argv[1:]]
    rows = [
        ("training loss (last 100 steps)", lambda s: f"{s['train_loss']:.4f}"),
        ("test accuracy", lambda s: f"{100 * s['test_accuracy']:.2f} %"),
        ("time per step", lambda s: f"{1000 * s['seconds_per_step']:.1f} ms"),
        ("peak activations, planned", lambda s: f"{s['planned_activation_bytes'] / 2**20:.2f} MiB"),
        ("operations in FP16", lambda s: str(s["ops_low"])),
        ("operations in FP32", lambda s: str(s["ops_fp32"])),
        ("casts inserted", lambda s: str(s["casts"])),
        ("steps skipped", lambda s: str(s["skipped_steps"])),
        ("loss scale, first to last", scales),
    ]
    table = [("", "FP32", "FP16 mixed")]
    for title, cell in rows:
        try:
            table.append((title, *(cell(s) for s in both)))
        except KeyError as key:
            sys.exit(f"demo_table.py: the summaries have no entry {key}")
    widths = [max(len(row[i]) for row in table) for i in range(3)]
    for i, row in enumerate(table):
        print(f"  {row[0]:<{widths[0]}}   {row[1]:>{widths[1]}}   {row[2]:>{widths[2]}}")
        if i == 0:
            print("  " + "-" * (sum(widths) + 6))
    if changes(both[1]):
        print(f"\n  loss scale of FP16: {history_line(both[1])}")

    fp32, fp16 = both
    difference = abs(fp32["test_accuracy"] - fp16["test_accuracy"])
    ratio = fp16["planned_activation_bytes"] / fp32["planned_activation_bytes"]
    claims = [
        (min(s["test_accuracy"] for s in both) >= MIN_ACCURACY, f"both reach {100 * MIN_ACCURACY:.0f} % test accuracy"),
        (
            difference <= MAX_DIFFERENCE,
            f"accuracies differ by {100 * difference:.2f} points, at most {100 * MAX_DIFFERENCE:.1f}",
        ),
        (ratio <= MAX_ACTIVATIONS, f"FP16 needs {ratio:.2f} times FP32's activation bytes, at most {MAX_ACTIVATIONS}"),
    ]
    print()
    for holds, claim in claims:
        print(f"  {'ok  ' if holds else 'FAIL'}  {claim}")
    return 0 if all(holds for holds, _ in claims) else 1


if __name__ == "__main__":
    sys.exit(main())
