#!/usr/bin/env python3
"""Converts the same files with mpt-opt and with the other ONNX mixed-precision converters, in one run, and judges them.

    bench/peers.py                              # everything; writes docs/Peers.md and docs/Peers/ (about half an hour)
    bench/peers.py --tools mpt --groups small   # only these; prints the tables
    bench/peers.py --tools mpt --keep           # our rows anew, the others' from the last run on this machine
    bench/peers.py --redraw                     # the page and the curves from the last run's figures

Each peer has a virtual environment of its own in build/peers (their pins conflict), made the first time; one that cannot
be installed is named in the page. Every conversion is a fresh process with a time limit; one judge (bench/converters/
judge.py) with one checker and one ONNX Runtime judges all files. bench/README.md says how to read the tables.
"""

import argparse
import datetime
import json
import os
import pathlib
import re
import shlex
import statistics
import subprocess
import sys
import tempfile
import time

ROOT = pathlib.Path(__file__).resolve().parent.parent
HERE = ROOT / "bench/converters"
sys.path[:0] = [str(HERE), str(ROOT / "scripts")]

from measure import measured  # noqa: E402

# Name -> arguments of mpt-opt. A name that starts with "mpt" is ours.
OURS = {
    "mpt": ["--mpt-mixed-precision"],
    "mpt-conservative": ["--mpt-mixed-precision=policy=conservative"],
    "mpt-aggressive": ["--mpt-mixed-precision=policy=aggressive"],
    "mpt-paint": ["--mpt-mixed-precision=strategy=paint"],
    "mpt-bf16": ["--mpt-mixed-precision=low=bf16"],
}
# What our tool can vary beside its presets, for the curves of the exported models: lists of types in FP32.
NORMS = "softmax,layer_norm,rms_norm,group_norm,instance_norm,batch_norm_inference"
ACTIVATIONS = "gelu,erf,tanh,sigmoid,silu,relu,clip,leaky_relu,hard_sigmoid,hard_swish"
LISTS = {
    "softmax": "softmax",
    "norms": NORMS,
    "activations": ACTIVATIONS,
    "sums": "add,sub",
    "residual": f"add,sub,{NORMS}",
    "residual-activations": f"add,sub,{NORMS},{ACTIVATIONS}",
    "products": f"{NORMS},{ACTIVATIONS},add,sub,mul,div,where,pow,reduce_mean,avg_pool,max_pool",
}
SWEEP = {f"sweep:{name}": [f"--mpt-mixed-precision=fp32-ops={ops}"] for name, ops in LISTS.items()}
# Shares of the default's error that `mpt-run --repair` is to reach with the fewest nodes in FP32.
REPAIRS = (0.9, 0.7, 0.5, 0.3)
# Name -> environment.
PEERS = {"occ": "base", "occ-auto": "base", "ort": "base", "mo-fp16": "modelopt", "mo-bf16": "modelopt",
         "olive-mp": "olive", "winml": "winml", "quark-fp16": "quark"}  # fmt: skip
# Tools that block nothing by themselves get ["Max"] where a file is about blocked operations.
WITH_BLOCKED = {"mo-fp16": "mo-fp16-max", "mo-bf16": "mo-bf16-max"}
# Tools that need minutes for 10^4 nodes, and how long they get there: long enough to say how many times faster we are.
GROWTH_LIMITS = {"mo-fp16": 120.0}
# What says nothing new on the light models and on files that grow.
NOT_LIGHT = {"mpt-conservative", "mpt-paint", "mpt-bf16", "mo-bf16", "olive-mp", "occ-auto"}
NOT_GROWING = {"mpt-conservative", "mpt-paint", "mpt-bf16", "mo-bf16"}
GROUPS = ["models", "light", "small", "growth"]


# ---- environments ----------------------------------------------------------------------------------------------------


def make_environment(environments, name):
    """The environment's Python, or None and the reason."""
    folder, wanted = environments / name, HERE / "requirements" / f"{name}.txt"
    python, stamp = folder / "bin/python", folder / ".stamp"
    text = wanted.read_text()
    if stamp.exists() and stamp.read_text() == text:
        return python, None
    print(f"[peers] installing {' '.join(line for line in text.splitlines() if line[:1] != '#')} into {folder}", flush=True)
    steps = [[os.environ.get("MPT_PYTHON", "/usr/bin/python3"), "-m", "venv", str(folder)],
             [str(python), "-m", "pip", "install", "-q", "-U", "pip>=25"],  # older resolvers try versions for hours
             [str(python), "-m", "pip", "install", "-q", "-r", str(wanted)]]  # fmt: skip
    for step in steps:
        try:
            done = subprocess.run(step, capture_output=True, text=True, timeout=900)
        except subprocess.TimeoutExpired:
            return None, "pip took more than 900 s"
        if done.returncode:
            errors = [line for line in done.stderr.splitlines() if "ERROR" in line] or [done.stderr.strip()[-200:]]
            return None, errors[0]
    stamp.write_text(text)
    return python, None


# ---- one conversion --------------------------------------------------------------------------------------------------


def convert(tool, case, feeds, target, args, pythons, policy=None):
    """The record of a conversion: status "ok", "fails" or "capped"; wall, call, rss."""
    limit = max(args.limit, GROWTH_LIMITS.get(tool, 0)) if case.group == "growth" else args.limit
    if tool in OURS or tool in SWEEP or policy:
        options = [f"--mpt-mixed-precision=policy={policy}"] if policy else OURS.get(tool) or SWEEP[tool]
        command = [args.mpt_opt, str(case.path), *options, "-o", str(target)]
    else:
        name = WITH_BLOCKED.get(tool, tool) if case.group == "small" else tool
        command = [str(pythons[tool]), str(HERE / "convert.py"), name, str(case.path), str(target), str(feeds)]
    runs = []
    while True:
        target.unlink(missing_ok=True)
        run = measured(command, limit)
        status, wall, rss, text = run.status, run.seconds, run.mebibytes, run.output
        if status is None:
            return {"status": "capped", "wall": wall, "rss": rss}
        if status or not target.exists():
            lines = [line for line in text.strip().splitlines() if line.strip()]
            return {"status": "fails", "wall": wall, "rss": rss, "why": lines[-1][:300] if lines else f"exit status {status}"}
        call = re.search(r"^seconds ([\d.]+)$", text, re.M)
        runs.append((wall, float(call[1]) if call else wall, rss))
        if len(runs) == 3 or wall > 5 or policy or tool in SWEEP:  # the median of three where that costs little
            wall, call, rss = (statistics.median(values) for values in zip(*runs))
            return {"status": "ok", "wall": wall, "call": call, "rss": rss, "size": target.stat().st_size}


def judge(case, feeds, want, targets, static):
    """A verdict per tool. All in one process; if that dies, one process each."""
    command = [sys.executable, str(HERE / "judge.py"), str(case.path), str(feeds), str(want or "-")]
    tail = ["--static"] if static else []
    done = subprocess.run([*command, *map(str, targets.values()), *tail], capture_output=True, text=True)
    lines = done.stdout.strip().splitlines()
    if done.returncode == 0 and len(lines) == len(targets):
        return {tool: json.loads(line) for tool, line in zip(targets, lines)}
    if len(targets) == 1:
        return {tool: {"checker": "n", "ort": "n", "why": "the judge failed: " + done.stderr.strip()[-200:]} for tool in targets}
    verdicts = {}
    for tool, path in targets.items():
        verdicts.update(judge(case, feeds, want, {tool: path}, static))
    return verdicts


def work(case, tools, args, pythons, results, folder):
    import numpy as np

    feeds, want = folder / "feeds.npz", None
    np.savez(feeds, **case.feeds)
    if case.want is not None:
        want = folder / "want.npz"
        np.savez(want, **case.want)
    targets, records = {}, {}
    for tool in tools:
        skip = reason_to_skip(tool, case, results, args)
        if skip:
            records[tool] = {"status": "not run", "why": skip}
            continue
        target = folder / f"{tool}.onnx"
        records[tool] = convert(tool, case, feeds, target, args, pythons)
        if records[tool]["status"] == "ok":
            targets[tool] = target
    if targets:
        static = case.group == "growth"  # ONNX Runtime takes minutes to load these
        for tool, verdict in judge(case, feeds, want, targets, static).items():
            records[tool].update(verdict)
    for tool, record in records.items():
        results.setdefault(f"{case.group}/{case.name}", {})[tool] = record
    if case.group == "models" and args.sweep and "mpt" in targets:
        records.update(sweep(case, feeds, want, records["mpt"], targets["mpt"], args, folder))
        results[f"{case.group}/{case.name}"].update(records)
    for path in targets.values():
        path.unlink()
    brief = ", ".join(f"{t} {r['wall']:.2f}" if r["status"] == "ok" else f"{t} {r['status']}" for t, r in records.items() if "sweep" not in t)
    print(f"[peers] {case.group}/{case.name}: {brief}", flush=True)


def sweep(case, feeds, want, default, judged, args, folder):
    """Records of files that our tool makes of the case with other policies."""
    records, targets = {}, {}
    for tool in SWEEP:
        targets[tool] = folder / f"{tool.replace(':', '-')}.onnx"
        records[tool] = convert(tool, case, feeds, targets[tool], args, {})
    runner = pathlib.Path(args.mpt_opt).parent / "mpt-run"
    if runner.exists() and isinstance(default.get("error"), float):
        stop = time.perf_counter() + args.repair_limit
        for share in REPAIRS:
            tool, policy = f"sweep:repair-{share}", folder / f"repair-{share}.yaml"
            command = [str(runner), "--compare", str(case.path), str(judged), "--data", str(feeds),
                       "--tolerance", f"{share * default['error']:.3g}", "--repair", str(policy)]  # fmt: skip
            if time.perf_counter() < stop:
                measured(command, stop - time.perf_counter())
            if policy.exists():
                targets[tool] = folder / f"repair-{share}.onnx"
                records[tool] = convert(tool, case, feeds, targets[tool], args, {}, policy)
                policy.unlink()
    made = {tool: path for tool, path in targets.items() if records[tool]["status"] == "ok"}
    for tool, verdict in judge(case, feeds, want, made, False).items():
        records[tool].update(verdict)
    for path in made.values():
        path.unlink()
    return records


def reason_to_skip(tool, case, results, args):
    """Files that grow: what was too slow at a tenth of the size is not started, tools without a block list for Max do the same
    on both series."""
    if case.group == "light" and tool in NOT_LIGHT or case.group == "growth" and tool in NOT_GROWING:
        return "says nothing new"
    if case.group != "growth":
        return None
    if "+max" in case.name and tool not in OURS and tool not in ("occ", "occ-auto", "ort"):
        return "the same as without Max"
    if not case.name.startswith("100000"):
        return None
    smaller = results.get("growth/" + case.name.replace("100000", "10000"), {}).get(tool)
    if smaller and (smaller["status"] != "ok" or smaller["call"] * 10 > args.limit):
        return "too slow at 10000"
    return None


def measure(groups, tools, args, pythons, results, run, missing, store):
    """All conversions and verdicts; what the page says about the run."""
    import cases

    versions = {name: (HERE / "requirements" / f"{name}.txt").read_text() for name in sorted(set(PEERS.values()))}
    run = {**run, **tables_about(args, versions), "missing": missing}
    start = time.perf_counter()
    with tempfile.TemporaryDirectory() as name:
        folder = pathlib.Path(name)
        makers = {"models": lambda: cases.models(args.shared), "light": lambda: cases.light(folder),
                  "small": lambda: cases.small(folder), "growth": lambda: cases.growth(folder)}  # fmt: skip
        for group in groups:
            for case in makers[group]():
                if not args.files or re.search(args.files, case.name):
                    work(case, tools, args, pythons, results, folder)
                    run["seconds"], run["load"] = time.perf_counter() - start, os.getloadavg()[2]
                    if not args.no_setup:  # a run that is broken off leaves what it has
                        store.write_text(json.dumps({"run": run, "results": results}, indent=1))
    return results, run


def tables_about(args, versions):
    import tables

    notes = f"`{shlex.join(['bench/peers.py', *without_paths(sys.argv[1:])])}`"
    if args.keep:
        notes += " over the figures of earlier runs; compare times within a table's row"
    return {"notes": notes, "date": str(datetime.date.today()), "machine": tables.machine(), "limit": args.limit, "versions": versions}


def without_paths(arguments):
    """Without the options that name folders and files of this machine."""
    kept = iter(arguments)
    for argument in kept:
        if argument.split("=")[0] not in ("--environments", "--results", "--output", "--mpt-opt", "--shared"):
            yield argument
        elif "=" not in argument:
            next(kept, None)


def main():
    parser = argparse.ArgumentParser(description="mpt-opt beside the other mixed-precision converters")
    parser.add_argument("--tools", help="comma-separated; default: all")
    parser.add_argument("--groups", help=f"comma-separated, of {','.join(GROUPS)}; default: all")
    parser.add_argument("--files", help="regex over the files' names")
    parser.add_argument("--limit", type=float, default=60, help="seconds per conversion (default 60)")
    parser.add_argument("--mpt-opt", default=str(ROOT / "build/bin/mpt-opt"), help="the mpt-opt to measure")
    parser.add_argument("--shared", type=pathlib.Path, default=ROOT.parent / "shared", help="folder with models/")
    parser.add_argument("--output", type=pathlib.Path, help="where the page goes (default: docs/Peers.md after a complete run)")
    parser.add_argument("--keep", action="store_true", help="keep the figures of the last run for what is not run now")
    parser.add_argument("--redraw", action="store_true", help="run nothing: write the page and the curves from the last run's figures")
    parser.add_argument("--sweep", action=argparse.BooleanOptionalAction, default=None, help="points for the curves (default: in a complete run)")
    parser.add_argument("--repair-limit", type=float, default=15, help="seconds per file for mpt-run --repair in the sweep (default 15)")
    parser.add_argument("--environments", type=pathlib.Path, default=ROOT / "build/peers", help="where the peers' environments are")
    parser.add_argument("--results", type=pathlib.Path, help="where the figures are kept (default: results.json in --environments)")
    parser.add_argument("--no-setup", action="store_true", help="use this Python for the judge; only with --tools mpt...")
    parser.add_argument("--check", action="store_true", help="exit 1 if a file of ours is invalid or wrong")
    args = parser.parse_args()

    environments = args.environments.resolve()
    if not args.no_setup and pathlib.Path(sys.prefix) != environments / "base":
        python, why = make_environment(environments, "base")
        if not python:
            sys.exit(f"peers.py: the judge's environment cannot be made: {why}")
        os.execv(python, [str(python), *sys.argv])

    import tables

    groups = args.groups.split(",") if args.groups else GROUPS
    tools = args.tools.split(",") if args.tools else [*OURS, *PEERS]
    unknown = [t for t in tools if t not in OURS and t not in PEERS] + [g for g in groups if g not in GROUPS]
    if unknown:
        sys.exit(f"peers.py: unknown tool or group {', '.join(unknown)}; tools are {', '.join([*OURS, *PEERS])}, groups {', '.join(GROUPS)}")
    missing, pythons = {}, {}
    for tool in [t for t in tools if t in PEERS and not args.redraw]:
        pythons[tool], why = make_environment(environments, PEERS[tool])
        if why:
            missing[tool] = why
            print(f"[peers] {tool} does not install: {why}", flush=True)
    tools = [t for t in tools if t not in missing]

    store = args.results or environments / "results.json"
    keep = args.keep or args.redraw
    cached = json.loads(store.read_text()) if keep and store.exists() else {}
    results, run = cached.get("results", cached), cached.get("run", {})
    complete = keep or not (args.tools or args.groups or args.files)
    if args.sweep is None:
        args.sweep = complete and "mpt" in tools
    if not args.redraw:
        results, run = measure(groups, tools, args, pythons, results, run, missing, store)
    page = tables.page(results, list(OURS), list(PEERS), run)
    output = args.output or (ROOT / "docs/Peers.md" if complete else None)
    if output:
        import curves

        drawn = curves.draw(results, list(PEERS), output.with_suffix(""))
        output.write_text(page + tables.pictures(drawn, output.with_suffix("").name))
        print(f"[peers] wrote {output}")
    else:
        print(page)
    bad = tables.failures(results, [t for t in tools if t in OURS])
    for line in bad:
        print(f"[peers] {line}", file=sys.stderr)
    return 1 if args.check and bad else 0


if __name__ == "__main__":
    sys.exit(main())
