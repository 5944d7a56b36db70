#!/usr/bin/env python3
"""Trains the six model families, scaled down, on real data in FP32, FP16 and BF16, and writes docs/Models.md.

    scripts/torch.sh scripts/train_families.py                       # all; about 20 minutes on two cores
    scripts/torch.sh scripts/train_families.py --continue            # the same, without what is done: after an interruption
    scripts/torch.sh scripts/train_families.py --families gpt,bert   # these anew, the others from the last run here
    scripts/torch.sh scripts/train_families.py --families ''          # the page and the plans alone

Times mean something only where nothing else runs; the page says how much of the machine other programs used.

Per family: PyTorch's exporter writes the model (scripts/model_families.py), a script in examples/ the data, mpt-train runs
200 steps in each precision, with PyTorch's step of the same module, batch and threads timed before and after each run. FP16 and
BF16 pass when their final loss (mean of the last 20 steps) is within 1 % of FP32's (CTC 2 %), or inside the spread of FP32 runs
whose initial weights differ by 1e-6 relative; those are run where the first is not so.
"""

import argparse
import dataclasses
import datetime
import hashlib
import json
import os
import pathlib
import re
import shutil
import statistics
import subprocess
import sys
import time

ROOT = pathlib.Path(__file__).resolve().parent.parent
sys.path.insert(0, str(ROOT / "scripts"))
sys.path.insert(0, str(ROOT / "bench/converters"))

PRECISIONS = ["fp32", "fp16", "bf16"]
LAST = 20
BUDGET = 0.4  # of the peak of live bytes, for mpt-rematerialize


@dataclasses.dataclass
class Recipe:
    data: list  # script in examples/ and its arguments
    batch: int
    optimizer: str
    words: str  # the data, for the page
    tolerance: float = 0.01


ADAMW = "adamw(lr=1e-3, weight_decay=0.01)"
RECIPES = {
    "resnet": Recipe(["vision/prepare.py", "--samples", "12800"], 64, "sgd(lr=0.005, momentum=0.9, weight_decay=1e-4)",
                     "Fashion-MNIST, tiled to 64x64"),
    "inception": Recipe(["vision/prepare.py", "--extent", "299", "--how", "enlarge", "--samples", "1600"], 8,
                        "adamw(lr=3e-4, weight_decay=0.01)", "Fashion-MNIST, enlarged to 299x299"),
    "bert": Recipe(["text/prepare.py", "--task", "masked"], 16, ADAMW, "the Jargon File, bytes, masked"),
    "gpt": Recipe(["text/prepare.py", "--task", "causal"], 16, ADAMW, "the Jargon File, bytes"),
    "whisper": Recipe(["speech/prepare.py", "--task", "whisper"], 8, ADAMW, "Asterisk's prompts, log-mel"),
    "wav2vec2": Recipe(["speech/prepare.py", "--task", "wav2vec2", "--seconds", "2"], 8, ADAMW, "Asterisk's prompts, raw", 0.02),
}  # fmt: skip


def identity(name, args):
    """What a stored result belongs to: with the same, it need not be measured again."""
    text = repr((RECIPES[name], args.steps, args.threads, args.disturbed))
    return hashlib.sha256(text.encode() + pathlib.Path(shutil.which(args.mpt_train)).read_bytes()).hexdigest()


class Watch:
    """How much of the machine other programs use: what is busy beyond this process and its children."""

    def __init__(self):
        self.start, self.busy, self.own = time.perf_counter(), self.read(), self.mine()

    @staticmethod
    def read():
        numbers = [int(word) for word in pathlib.Path("/proc/stat").read_text().split("\n", 1)[0].split()[1:9]]
        return (sum(numbers) - numbers[3] - numbers[4]) / os.sysconf("SC_CLK_TCK")  # all but idle and iowait

    @staticmethod
    def mine():
        return sum(os.times()[:4])

    def others(self):
        """Their share of all cores since the start."""
        available = (time.perf_counter() - self.start) * os.cpu_count()
        return max(0.0, (self.read() - self.busy) - (self.mine() - self.own)) / available


def run(command, what):
    done = subprocess.run([str(word) for word in command], capture_output=True, text=True)
    if done.returncode:
        raise RuntimeError(f"{what}: {(done.stderr or done.stdout).strip()[-400:]}")
    return done


# ---- one family ------------------------------------------------------------------------------------------------------


def prepare(name, folder, args):
    """model.onnx and data.npz of the family, made if they are not there or of something else."""
    import model_families

    folder.mkdir(parents=True, exist_ok=True)
    model = model_families.build(name, batch=RECIPES[name].batch, calm_weights=True)
    path, data, stamp = folder / "model.onnx", folder / "data.npz", folder / "made-of"
    script, *more = RECIPES[name].data
    sources = [(ROOT / file).read_bytes() for file in ("scripts/model_families.py", f"examples/{script}")]
    made_of = hashlib.sha256(repr((more, RECIPES[name].batch)).encode() + b"".join(sources)).hexdigest()
    # Files without a stamp were put there by somebody.
    stale = stamp.read_text() != made_of if stamp.exists() else not (path.exists() and data.exists())
    if args.fresh or stale:
        model_families.export(model, path)
        run([sys.executable, ROOT / "examples" / script, data, *more], script)
        stamp.write_text(made_of)
    return model, path, data


def train(name, model, path, data, precision, folder, args, label):
    """The losses and figures of one run of mpt-train."""
    recipe = RECIPES[name]
    log, summary = folder / f"{label}.jsonl", folder / f"{label}.json"
    run([args.mpt_train, path, "--data", data, "--loss", model.loss, "--optimizer", recipe.optimizer, "--precision", precision,
         "--steps", args.steps, "--warmup-steps", args.steps // 10, "--lr-schedule", "cosine", "--seed", "1", "--threads", args.threads,
         "--log", log, "--summary", summary], f"mpt-train {name} {precision}")  # fmt: skip
    steps = [json.loads(line) for line in log.read_text().splitlines()]
    steps = [s for s in steps if "loss_scale" in s]
    figures = json.loads(summary.read_text())
    return {"losses": [s["loss"] for s in steps], "skipped": [s["step"] for s in steps if s["skipped"]],
            "seconds": statistics.median(s["seconds"] for s in steps[len(steps) // 10 :]), "compile": figures["compile_seconds"],
            "activations": figures["planned_activation_bytes"], "state": figures["state_bytes"],
            "low": figures["ops_low"], "fp32": figures["ops_fp32"], "casts": figures["casts"]}  # fmt: skip


def torch_optimizer(recipe, parameters):
    import torch

    kind, options = re.fullmatch(r"(\w+)\((.*)\)", recipe.optimizer).groups()
    options = dict(word.strip().split("=") for word in options.split(","))
    values = {k: v == "true" if v in ("true", "false") else float(v) for k, v in options.items()}
    return {"sgd": torch.optim.SGD, "adamw": torch.optim.AdamW}[kind](parameters, **values)


def torch_loss(name, outputs, batch):
    import torch.nn.functional as F

    labels = batch["labels"]
    if name == "inception":
        return F.cross_entropy(outputs[0], labels) + 0.4 * F.cross_entropy(outputs[1], labels)
    if name == "wav2vec2":
        log = F.log_softmax(outputs, -1).transpose(0, 1)
        return F.ctc_loss(log, labels, batch["logit_lengths"].tolist(), batch["label_lengths"].tolist())
    return F.cross_entropy(outputs.flatten(0, -2), labels.flatten(), ignore_index=-100)


def time_torch(name, model, data, args, steps=12):
    """Median seconds of PyTorch's own step: eager, FP32."""
    import numpy as np
    import torch

    torch.set_num_threads(args.threads)
    batch = {}
    with np.load(data) as arrays:
        for key in arrays:
            value = torch.from_numpy(np.array(arrays[key][: RECIPES[name].batch]))
            batch[key] = value / 255.0 if value.dtype == torch.uint8 else value
    inputs = [batch[key] for key in model.inputs]
    module = model.module.train()
    optimizer = torch_optimizer(RECIPES[name], module.parameters())
    seconds = []
    for _ in range(steps):
        start = time.perf_counter()
        loss = torch_loss(name, module(*inputs), batch)
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        seconds.append(time.perf_counter() - start)
    return statistics.median(seconds[3:])


def disturbed(path, seed):
    """The model with weights that differ by 1e-6 relative."""
    import numpy as np
    import onnx
    from onnx import numpy_helper

    model, rng = onnx.load(path), np.random.default_rng(seed)
    for tensor in model.graph.initializer:
        if tensor.data_type == onnx.TensorProto.FLOAT:
            value = numpy_helper.to_array(tensor)
            factor = 1 + 1e-6 * rng.standard_normal(value.shape)
            tensor.CopyFrom(numpy_helper.from_array((value * factor).astype(np.float32), tensor.name))
    target = path.with_name(f"disturbed{seed}.onnx")
    onnx.save(model, target)
    return target


def final(record):
    return statistics.fmean(record["losses"][-LAST:])


def close(record, reference, tolerance):
    return abs(final(record) - reference) <= tolerance * abs(reference)


def plan(name, loss, path, args):
    """Nodes of the file; operations, casts and bytes cast of the FP16 step; the planned bytes of the step in FP32, FP16, and
    FP16 with rematerialization, and by how much that multiplies the flops."""
    import onnx

    record = {"nodes": len(onnx.load(path, load_external_data=False).graph.node)}
    for label, more in (("single", "precision=fp32"), ("half", "precision=fp16"), ("again", f"precision=fp16 rematerialize=true memory-budget={BUDGET}")):
        options = f"--mpt-training=loss='{loss}' optimizer={RECIPES[name].optimizer.replace(' ', '')} {more}"
        text = run([args.mpt_opt, path, options, "--mpt-form-kernels", "--mpt-plan-memory", "--mpt-print-precision"], "mpt-opt")
        text = text.stderr + text.stdout
        counts = re.search(r"^@train_step: (\d+) ops low, (\d+) ops FP32, (\d+) casts of (\d+) bytes", text, re.M)
        memory = dict(re.findall(r"(\w+) = (\d+) : i64", re.search(r"nn\.plan = {([^}]*)}", text)[1]))
        record[label] = {"activations": int(memory["activations"]), "arena": int(memory["arena"]), "state": int(memory["state"]),
                         "weights": int(memory["weight_copies"])}  # fmt: skip
        record[label].update(zip(("low", "fp32", "casts", "bytes"), map(int, counts.groups())))
        if flops := re.search(r"flops_after = (\d+)[^}]*flops_before = (\d+)", text):
            record[label]["flops"] = int(flops[1]) / int(flops[2])
    return record


def family(name, args):
    folder = args.work / name
    start = time.perf_counter()
    model, path, data = prepare(name, folder, args)
    record = {"runs": {}, "torch": [], "loss": model.loss, "identity": identity(name, args)}
    watch = Watch()  # the times below are the page's
    for precision in PRECISIONS:
        record["torch"].append(time_torch(name, model, data, args))
        record["runs"][precision] = train(name, model, path, data, precision, folder, args, precision)
        print(f"[families] {name} {precision}: final loss {final(record['runs'][precision]):.4f}, "
              f"{1e3 * record['runs'][precision]['seconds']:.1f} ms per step, compiled in {record['runs'][precision]['compile']:.1f} s", flush=True)  # fmt: skip
    record["torch"].append(time_torch(name, model, data, args))
    record["others"] = watch.others()
    reference = final(record["runs"]["fp32"])
    if not all(close(record["runs"][p], reference, RECIPES[name].tolerance) for p in PRECISIONS[1:]):
        record["spread"] = [reference]
        for seed in range(1, args.disturbed + 1):
            other = disturbed(path, seed)
            record["spread"].append(final(train(name, model, other, data, "fp32", folder, args, f"disturbed{seed}")))
            other.unlink()
        print(f"[families] {name}: FP32 with other low bits ends between {min(record['spread']):.4f} and {max(record['spread']):.4f}")
    record["minutes"] = (time.perf_counter() - start) / 60
    print(f"[families] {name}: {record['minutes']:.1f} minutes, other programs used {100 * record['others']:.0f} % of the machine", flush=True)
    return record


# ---- the page --------------------------------------------------------------------------------------------------------


def outcome(name, record, precision):
    """Whether the run passes, and in words."""
    run_, reference = record["runs"][precision], final(record["runs"]["fp32"])
    value = final(run_)
    difference = f"{value:.4f} ({100 * (value / reference - 1):+.2f} %)"
    late = sum(1 for step in run_["skipped"] if step > LAST)
    finite = all(loss == loss and abs(loss) != float("inf") for loss in run_["losses"])
    inside = "spread" in record and min(record["spread"]) <= value <= max(record["spread"])
    good = finite and late <= 5 and (close(run_, reference, RECIPES[name].tolerance) or inside)
    return good, difference + ("" if late <= 5 else f", {late} steps skipped after the first {LAST}") + ("" if good else " **no**")


def curves(name, record, path):
    import matplotlib

    matplotlib.use("svg")
    matplotlib.rcParams["svg.hashsalt"] = "mpt"  # the same figures give the same file
    import matplotlib.pyplot as plt

    figure, axes = plt.subplots(figsize=(6, 3))
    for precision, style in zip(PRECISIONS, ("k-", "C0-", "C1-")):
        losses = record["runs"][precision]["losses"]
        smooth = [statistics.fmean(losses[max(0, i - 4) : i + 5]) for i in range(len(losses))]
        axes.plot(range(1, len(losses) + 1), smooth, style, linewidth=1, label=precision.upper())
    axes.set_xlabel("step")
    axes.set_ylabel("loss")
    axes.set_title(f"{name}: {RECIPES[name].words}", fontsize=10)
    axes.legend()
    figure.tight_layout()
    figure.savefig(path, metadata={"Date": None})
    plt.close(figure)


def mebi(value):
    return f"{value / 2**20:.1f}"


def busy(results):
    """What other programs used of the machine while times were taken."""
    shares = [record["others"] for record in results.values() if "others" in record]
    most = max(shares, default=0)
    if most < 0.05:
        return f" Other programs used at most {100 * most:.0f} % of the machine meanwhile."
    return (f" **Other programs used up to {100 * most:.0f} % of the machine meanwhile: the times say little, and "
            "PyTorch's, whose threads wait for each other actively, least of all.**")  # fmt: skip


def page(results, args, seconds):
    import tables
    import torch

    lines = ["# The six families", "",
             f"Written by `scripts/train_families.py` on {datetime.date.today()}. Machine: {tables.machine()}; {args.threads} threads; PyTorch "
             f"{torch.__version__.split('+')[0]}. Each network has the topology of the real one and few channels "
             f"(`scripts/model_families.py`), random weights, and trains {args.steps} steps with warm-up and a cosine schedule. Where the initial "
             "weights are free, they are chosen so that rounding is not amplified from layer to layer (`calm` there): a batch norm at random "
             "weights otherwise makes FP32 runs whose weights differ by 1e-6 end ten percent apart, and says nothing about a precision.", "",
             "## What is trained", "", "| family | data | batch | loss | optimizer |", "|---|---|---|---|---|"]  # fmt: skip
    for name, record in results.items():
        recipe = RECIPES[name]
        lines.append(f"| {name} | {recipe.words} | {recipe.batch} | `{record['loss']}` | `{recipe.optimizer}` |")
    lines += ["", "## FP16 and BF16 against FP32", "",
              f"Final loss, the mean of the last {LAST} steps. FP16 with dynamic loss scaling, BF16 without. A run passes within 1 % of FP32 "
              "(CTC: 2 %), or inside the spread of FP32 runs whose initial weights differ by 1e-6 relative.", "",
              "| family | first loss | FP32 | FP16 | BF16 | FP16 steps skipped | spread of FP32 |", "|---|---|---|---|---|---|---|"]  # fmt: skip
    for name, record in results.items():
        runs = record["runs"]
        spread = f"{min(record['spread']):.4f} to {max(record['spread']):.4f} ({len(record['spread'])} runs)" if "spread" in record else "not needed"
        lines.append(f"| {name} | {runs['fp32']['losses'][0]:.3f} | {final(runs['fp32']):.4f} | {outcome(name, record, 'fp16')[1]} | "
                     f"{outcome(name, record, 'bf16')[1]} | {len(runs['fp16']['skipped'])} | {spread} |")  # fmt: skip
    failing = [f"{n} in {p.upper()}" for n, r in results.items() for p in PRECISIONS[1:] if not outcome(n, r, p)[0]]
    if failing:
        lines += ["", f"**Not passed: {', '.join(failing)}.**"]
    lines += ["", "## The step", "",
              "Operations and casts of the FP16 step, forward, backward and optimizer; bytes are those the casts read. Time: the median "
              "step; PyTorch's is its FP32 step, eager, same module, batch and threads, timed between our runs, the best of four medians."
              + busy(results), "",
              "| family | nodes | ops 16 bit / FP32 | casts | KiB cast | compile s FP32 / FP16 | ms FP32 | ms FP16 | ms BF16 | ms PyTorch |",
              "|---" * 10 + "|"]  # fmt: skip
    for name, record in results.items():
        runs, half = record["runs"], record["plan"]["half"]
        single = runs["fp32"]
        lines.append(f"| {name} | {record['plan']['nodes']} | {half['low']} / {half['fp32']} | {half['casts']} | {half['bytes'] / 1024:.0f} | "
                     f"{single['compile']:.1f} / {runs['fp16']['compile']:.1f} | {1e3 * single['seconds']:.1f} | {1e3 * runs['fp16']['seconds']:.1f} | "
                     f"{1e3 * runs['bf16']['seconds']:.1f} | {1e3 * min(record['torch']):.1f} |")  # fmt: skip
    lines += ["", "## Memory", "",
              "Planned MiB. Activations: what lives from the forward to the backward pass. The 16-bit copies of the weights live as long. Arena: all "
              f"that a step allocates, parameters and optimizer state, which stay FP32 (*state*), included. With rematerialization (`mpt-rematerialize`, "
              f"a budget of {BUDGET} of the peak and at most 1.35 times the flops), operations are computed again.", "",
              "| family | activations FP32 | FP16 | ratio | weight copies | FP16, rematerialized | ratio | flops | arena FP32 / FP16 / rematerialized | state |",
              "|---" * 10 + "|"]  # fmt: skip
    for name, record in results.items():
        single, half, again = (record["plan"][key] for key in ("single", "half", "again"))
        lines.append(f"| {name} | {mebi(single['activations'])} | {mebi(half['activations'])} | {half['activations'] / single['activations']:.2f} | {mebi(half['weights'])} | "
                     f"{mebi(again['activations'])} | {again['activations'] / single['activations']:.2f} | {again.get('flops', 1):.2f}x | "
                     f"{mebi(single['arena'])} / {mebi(half['arena'])} / {mebi(again['arena'])} | {mebi(half['state'])} |")  # fmt: skip
    lines += ["", "## Loss curves", "", "The mean over nine steps.", ""]
    lines += [f"![{name}](Models/{name}.svg)" for name in results]
    return "\n".join(lines) + "\n"


def main():
    parser = argparse.ArgumentParser(description="Six families in FP32, FP16 and BF16 on real data")
    parser.add_argument("--families", default=",".join(RECIPES))
    parser.add_argument("--steps", type=int, default=200)
    parser.add_argument("--threads", type=int, default=2)
    parser.add_argument("--disturbed", type=int, default=4, help="FP32 runs beside the first, where the spread is needed")
    parser.add_argument("--continue", dest="go_on", action="store_true", help="leave out families whose results are there already, of this mpt-train and these recipes")
    parser.add_argument("--fresh", action="store_true", help="export the models and prepare the data anew")
    parser.add_argument("--mpt-train", default=ROOT / "build/bin/mpt-train")
    parser.add_argument("--mpt-opt", default=ROOT / "build/bin/mpt-opt")
    parser.add_argument("--work", type=pathlib.Path, default=ROOT / "build/families")
    parser.add_argument("--output", type=pathlib.Path, default=ROOT / "docs/Models.md")
    args = parser.parse_args()

    for tool in (args.mpt_train, args.mpt_opt):
        if not shutil.which(tool):
            sys.exit(f"train_families.py: {tool} is not there; build it, or name it with --mpt-train and --mpt-opt")
    chosen = [name for name in args.families.split(",") if name]
    if unknown := [name for name in chosen if name not in RECIPES]:
        sys.exit(f"train_families.py: unknown family {', '.join(unknown)}; families are {', '.join(RECIPES)}")
    start, store, bad = time.perf_counter(), args.work / "results.json", []
    results = json.loads(store.read_text()) if store.exists() else {}
    for name in chosen:
        if args.go_on and results.get(name, {}).get("identity") == identity(name, args):
            print(f"[families] {name}: done before", flush=True)
            continue
        try:
            results[name] = family(name, args)
        except RuntimeError as error:
            bad.append(str(error))
            print(f"[families] {error}", file=sys.stderr, flush=True)
            continue
        store.write_text(json.dumps(results))
    results = {name: results[name] for name in RECIPES if name in results}
    for name, record in results.items():
        record["plan"] = plan(name, record["loss"], args.work / name / "model.onnx", args)
    folder = args.output.with_suffix("")
    folder.mkdir(parents=True, exist_ok=True)
    for name, record in results.items():
        curves(name, record, folder / f"{name}.svg")
        for precision in PRECISIONS[1:]:
            good, words = outcome(name, record, precision)
            if not good:
                bad.append(f"{name} {precision}: final loss {words}")
    args.output.write_text(page(results, args, time.perf_counter() - start))
    for line in bad:
        print(f"[families] {line}", file=sys.stderr)
    return 1 if bad else 0


if __name__ == "__main__":
    sys.exit(main())
