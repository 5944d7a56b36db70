#!/usr/bin/env python3
"""Feeds damaged models, IR and files to the tools: each run ends with status 0, or with 1 and one line.

    fuzz.py [onnx] [bytes] [mlir] [files] [--tool build-asan/bin/mpt-opt] [--cases N] [--seconds S] [--seed N]
            [--jobs N] [--keep DIR] [--only CASE] [--verbose]

onnx   structural mutations of models (mutate_onnx.py) through the importer, the pipelines, the exporter
       and the interpreter
bytes  the same models with damaged bytes
mlir   tokens of this folder's .mlir tests swapped and changed, through the passes of their RUN lines
files  policies, profiles, checkpoints and data of a small model

Case N of a seed is the same on every run, whatever the number of cases. Findings are signals, reports of
sanitizers, failed assertions, more than 20 s or 3 GiB, several lines or none for an error, an output file
behind an error, a model that onnx.checker rejects made of one that it accepts. Every finding is a line with
its case and the command; --keep keeps the inputs. Exits 1 if there was one.
"""
import argparse
import concurrent.futures
import os
import pathlib
import random
import re
import resource
import shlex
import shutil
import subprocess
import sys
import tempfile
import time

import mutate_onnx
import mutate_text
import onnx

ROOT = pathlib.Path(__file__).resolve().parents[3]
SECONDS = 20
MEBIBYTES = 3072
REPORT = re.compile(r"(ERROR: (?:Address|Leak)Sanitizer: [^\n]*|runtime error: [^\n]*|[Aa]ssertion [^\n]* failed|LLVM ERROR: [^\n]*|terminate called[^\n]*)")
FRAME = re.compile(r"#\d+ 0x\w+ in (\S.*?) (?:\S*/)?((?:lib|tools|include)/\S+:\d+)")


def instrumented(tool):
    return b"__asan_init" in pathlib.Path(tool).read_bytes()


class Runner:
    def __init__(self, tools):
        self.tools = pathlib.Path(tools).resolve()
        self.sanitized = instrumented(self.tools / "mpt-opt")
        self.environment = dict(os.environ)
        self.environment["ASAN_OPTIONS"] = (
            f"detect_container_overflow=0:allow_user_poisoning=0:detect_leaks=0:hard_rss_limit_mb={MEBIBYTES}:max_allocation_size_mb={MEBIBYTES}:allocator_may_return_null=0"
        )
        self.environment["UBSAN_OPTIONS"] = "halt_on_error=1:print_stacktrace=1"

    def limit(self):
        resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
        if not self.sanitized:  # whose shadow memory is terabytes of addresses
            resource.setrlimit(resource.RLIMIT_AS, (MEBIBYTES << 20, MEBIBYTES << 20))

    def run(self, command, folder, outputs, one_line=True):
        """None, or what is wrong with how the command ended."""
        argv = [str(self.tools / command[0]), *command[1:]]
        for output in outputs:
            output.unlink(missing_ok=True)
        try:
            done = subprocess.run(
                argv, cwd=folder, env=self.environment, capture_output=True, timeout=SECONDS, preexec_fn=self.limit, stdin=subprocess.DEVNULL
            )
        except subprocess.TimeoutExpired:
            return None, f"more than {SECONDS} s"
        text = done.stderr.decode(errors="replace")
        if report := REPORT.search(text):
            frame = FRAME.search(text)
            return done, report.group(1)[:160] + (f" in {frame.group(2)}" if frame else "")
        if done.returncode < 0:
            frame = FRAME.search(text)
            return done, f"signal {-done.returncode}" + (f" in {frame.group(2)}" if frame else "")
        if done.returncode not in (0, 1):
            return done, f"exit status {done.returncode}: {text[:200]}"
        if done.returncode == 1:
            lines = [line for line in text.splitlines() if line and not line.startswith("  ") and " warning: " not in line]
            if not lines or (one_line and len(lines) != 1):
                return done, f"{len(lines)} lines for an error: {' | '.join(lines)[:300]}"
            if left := [output.name for output in outputs if output.exists()]:
                return done, f"left {left} behind an error: {text.strip()[:200]}"
        return done, None


def checks(model, full):
    try:
        onnx.checker.check_model(model, full_check=full)
        return True
    except Exception:
        return False


# ---- corpora ---------------------------------------------------------------------------------
def load_models():
    paths = sorted(pathlib.Path("/usr/share/libonnx-testdata/data/node").glob("*/model.onnx"))
    paths += sorted((ROOT / "examples").glob("*.onnx"))
    paths += [p for p in sorted((ROOT.parent / "shared" / "models").glob("*/*.onnx"))]
    models = [onnx.load(path, load_external_data=False) for path in paths if path.stat().st_size < 4 << 20]
    for path in sorted((ROOT / "test").rglob("*.onnxtxt")):
        try:
            models.append(onnx.parser.parse_model(re.sub(r"(?m)^(//|#).*$", "", path.read_text())))
        except Exception:  # several models in a file, or what only MPT reads
            continue
    # Types inside of large models, so that a part of them has some, too.
    return [onnx.shape_inference.infer_shapes(model) if len(model.graph.node) > 12 else model for model in models]


def fresh_dims(random, model):
    """Values for symbolic dimensions."""
    names = {dim.dim_param for value in model.graph.input for dim in value.type.tensor_type.shape.dim if dim.dim_param}
    return [part for name in sorted(names) if name.isidentifier() for part in ("--dim", f"{name}={random.choice([1, 2, 3])}")]


def choose_pipeline(random, model, folder):
    """Arguments behind the model, and the outputs."""
    outputs = [value.name for value in model.graph.output] or ["none"]
    out = random.choice(outputs)
    quoted = out if re.fullmatch(r"\w+", out) else f"'{out}'" if re.fullmatch(r"[^'\\ ]+", out) else "none"
    loss = random.choice([f"mse({quoted},target)", f"cross_entropy({quoted},labels)", quoted, f"l1({quoted},target)"])
    training = f'--mpt-training=loss="{loss}" optimizer={random.choice(["sgd(lr=0.1)", "adam(lr=0.1)"])} trainable=.*'
    onnx_out, mlir_out = folder / "out.onnx", folder / "out.mlir"
    choices = [
        (6, "mpt-opt", ["--mpt-mixed-precision", "-o", "out.onnx"], [onnx_out]),
        (1, "mpt-opt", ["--mpt-mixed-precision=low=bf16 target=h100 keep-io=false policy=aggressive", "-o", "out.onnx"], [onnx_out]),
        (1, "mpt-opt", ["-o", "out.onnx"], [onnx_out]),
        (1, "mpt-opt", ["--mpt-mixed-precision=policy=aggressive target=cpu-avx512", "--explain", "why.html", "-o", "out.mlir"], [mlir_out]),
        (3, "mpt-opt", ["--mpt-infer-ranges=annotate=true remarks=true", "-o", "out.mlir"], [mlir_out]),
        (1, "mpt-opt", ["--canonicalize", "--cse", "--mpt-inference-mode", "--mpt-fuse-activations", "-o", "out.mlir"], [mlir_out]),
        (4, "mpt-opt", [training, "-o", "out.mlir"], [mlir_out]),
        (2, "mpt-opt", [training + " loss-scale=dynamic", "--mpt-rematerialize=budget=0.5", "--mpt-form-kernels", "--mpt-plan-memory", "-o", "out.mlir"], [mlir_out]),
        (2, "mpt-opt", ["--mpt-form-kernels", "--mpt-plan-memory", "--mpt-lower-kernels-to-cpu=stage=loops", "-o", "out.mlir"], [mlir_out]),
    ]  # fmt: skip
    weights = [choice[0] for choice in choices]
    return random.choices(choices, weights)[0][1:]


def onnx_case(seed, number, runner, models, folder, damage):
    rng = random.Random(f"{seed}:{'bytes' if damage else 'onnx'}:{number}")
    model, done = mutate_onnx.mutate(rng, rng.choice(models), models)
    data = model.SerializeToString()
    if damage:
        data, done = mutate_onnx.damage_bytes(rng, data), ["bytes"]
    path = folder / "model.onnx"
    path.write_bytes(data)
    if rng.random() < 0.15 and (runner.tools / "mpt-run").exists():
        tool, arguments, outputs = "mpt-run", interpret(rng, model, folder), []
    else:
        tool, arguments, outputs = choose_pipeline(rng, model, folder)
    command = [tool, "model.onnx", *fresh_dims(rng, model), *arguments]
    result, problem = runner.run(command, folder, outputs)
    if not problem and result.returncode == 0 and not damage and (folder / "out.onnx") in outputs:
        if not (folder / "out.onnx").exists():
            problem = "no output"
        elif checks(model, True) and not checks(onnx.load(folder / "out.onnx"), True):
            problem = "onnx.checker rejects the output"
    return command, "+".join(done), problem, result


def interpret(rng, model, folder):
    """Inputs for the interpreter, as the model's types want them."""
    import numpy

    arguments = []
    known = {tensor.name for tensor in model.graph.initializer}
    for index, value in enumerate(model.graph.input):
        tensor = value.type.tensor_type
        shape = [dim.dim_value if dim.HasField("dim_value") else 2 for dim in tensor.shape.dim]
        if value.name in known or any(not 0 <= extent <= 64 for extent in shape) or numpy.prod(shape, dtype=float) > 1 << 16:
            continue
        try:
            array = (numpy.random.default_rng(rng.randrange(1 << 30)).normal(size=shape) * 3).astype(onnx.helper.tensor_dtype_to_np_dtype(tensor.elem_type))
            numpy.save(folder / f"input{index}.npy", array)
        except Exception:
            continue
        arguments += ["--input", f"{value.name}=input{index}.npy"]
    return arguments + rng.choice([[], ["--compute=f64"], ["--check-ranges"]])


def mlir_case(seed, number, runner, tests, folder):
    rng = random.Random(f"{seed}:mlir:{number}")
    source, pipelines = rng.choice(tests)
    text = mutate_text.mutate(rng, rng.choice(source))
    (folder / "in.mlir").write_text(text)
    command = ["mpt-opt", "in.mlir", *rng.choice(pipelines), "-o", "out.mlir"]
    result, problem = runner.run(command, folder, [folder / "out.mlir"], one_line=False)
    return command, "tokens", problem, result


def file_case(seed, number, runner, corpus, folder):
    rng = random.Random(f"{seed}:files:{number}")
    command, damaged, outputs, one_line = mutate_text.damage_file(rng, corpus, folder)
    result, problem = runner.run(command, folder, outputs, one_line)
    return command, damaged, problem, result


def main():
    parser = argparse.ArgumentParser(usage=__doc__)
    parser.add_argument("kinds", nargs="*", default=[])
    parser.add_argument("--tool", default=str(ROOT / "build-asan" / "bin" / "mpt-opt"))
    parser.add_argument("--cases", type=int, default=200)
    parser.add_argument("--seconds", type=float, default=1e9)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--jobs", type=int, default=2)
    parser.add_argument("--keep")
    parser.add_argument("--only", type=int)
    parser.add_argument("--verbose", action="store_true")
    options = parser.parse_args()
    kinds = options.kinds or ["onnx", "bytes", "mlir", "files"]
    runner = Runner(pathlib.Path(shutil.which(options.tool)).parent)
    scratch = pathlib.Path(tempfile.mkdtemp(prefix="mpt-fuzz-"))
    keep = pathlib.Path(options.keep).resolve() if options.keep else None
    models = load_models() if {"onnx", "bytes"} & set(kinds) else []
    tests = mutate_text.load_tests(ROOT / "test") if "mlir" in kinds else []
    corpus = mutate_text.make_files(runner, scratch) if "files" in kinds else None
    started, findings, statuses = time.monotonic(), 0, {}

    def one(kind, number):
        if time.monotonic() - started > options.seconds:
            return None
        folder = pathlib.Path(tempfile.mkdtemp(dir=scratch))
        try:
            if kind in ("onnx", "bytes"):
                command, done, problem, result = onnx_case(options.seed, number, runner, models, folder, kind == "bytes")
            elif kind == "mlir":
                command, done, problem, result = mlir_case(options.seed, number, runner, tests, folder)
            else:
                command, done, problem, result = file_case(options.seed, number, runner, corpus, folder)
            if keep and (problem or options.only is not None):
                shutil.copytree(folder, keep / f"{kind}-{options.seed}-{number}", dirs_exist_ok=True)
                if result:
                    (keep / f"{kind}-{options.seed}-{number}" / "stderr.txt").write_bytes(result.stderr)
        finally:
            shutil.rmtree(folder)
        return kind, number, command, done, problem, result

    numbers = [options.only] if options.only is not None else range(options.cases)
    with concurrent.futures.ThreadPoolExecutor(options.jobs) as pool:
        for outcome in pool.map(lambda job: one(*job), [(kind, number) for number in numbers for kind in kinds]):
            if outcome is None:
                continue
            kind, number, command, done, problem, result = outcome
            status = (kind, "finding" if problem else "accepted" if result.returncode == 0 else "refused")
            statuses[status] = statuses.get(status, 0) + 1
            findings += problem is not None
            if problem or options.verbose:
                message = problem or result.stderr.decode(errors="replace").strip()[:200]
                print(f"{kind} {number} ({done}): {message}\n    {shlex.join(command)}", flush=True)
    shutil.rmtree(scratch)
    for kind in kinds:
        counts = {name: statuses.get((kind, name), 0) for name in ("accepted", "refused", "finding")}
        print(f"{kind}: {counts['accepted']} accepted, {counts['refused']} refused, {counts['finding']} findings")
    return findings != 0


if __name__ == "__main__":
    sys.exit(main())
