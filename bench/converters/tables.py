"""The page that bench/peers.py writes."""

import os
import platform
import re

# A file is right when it is valid and its error is below this. FP16 loses three digits, BF16 two; a wrong file here is
# wrong by 0.5 and more.
RIGHT = {"fp16": 1e-2, "bf16": 3e-2}


def kind(tool):
    return "bf16" if "bf16" in tool else "fp16"


def valid(record):
    """The checker takes it and ONNX Runtime runs it (or has no CPU kernel for BF16: not the file's fault)."""
    return record["status"] == "ok" and record.get("checker") == "y" and record.get("ort") in ("y", "k")


def usable(record):
    """ONNX Runtime takes it as it stands, although the checker may want its nodes sorted."""
    return record["status"] == "ok" and record.get("checker") in ("y", "s") and record.get("ort") in ("y", "o", "k")


def right(record, tool):
    error = record.get("error")
    return usable(record) and isinstance(error, float) and error <= RIGHT[kind(tool)]


def failures(results, ours):
    """What is wrong with our files, in words."""
    found = []
    for name, row in results.items():
        for tool in ours:
            record = row.get(tool)
            if not record or record["status"] == "not run":
                continue
            if record["status"] != "ok":
                found.append(f"{name}: {tool} {record['status']}: {record.get('why', '')}")
            elif record["checker"] != "y" or record.get("ort", "y") not in ("y", "k"):
                found.append(f"{name}: {tool} wrote an invalid file: checker {record['checker']}, ORT {record.get('ort')}")
            elif name.startswith("small/") and not right(record, tool):
                found.append(f"{name}: {tool} is wrong: error {record.get('error')}")
    return found


def number(value):
    return value if isinstance(value, str) else "-" if value is None else f"{value:.1e}".replace("e-0", "e-").replace("e+00", "")


def cell(record, show):
    if not record:
        return ""
    if record["status"] == "ok":
        return show(record)
    if record["status"] == "not run":
        return ""
    return record["status"] if record["status"] == "fails" else f"> {record['wall']:.0f} s"


def table(results, group, tools, show):
    rows = {name.split("/", 1)[1]: row for name, row in results.items() if name.startswith(group + "/")}
    if not rows:
        return []
    lines = [f"| file | {' | '.join(tools)} |", "|---" * (len(tools) + 1) + "|"]
    for name, row in rows.items():
        lines.append(f"| {name} | {' | '.join(cell(row.get(tool), lambda r, t=tool: show(r, t)) for tool in tools)} |")
    return [*lines, ""]


def validity(record, _):
    return f"{record['checker']}/{record.get('ort', '')}"


def casts(record, _):
    return f"{record['casts']} / {record['bytes'] / 1024:.0f}"


def ops(record, _):
    work = record.get("flops16")
    return f"{100 * record['ops16']:.0f}" + ("" if work is None else f" / {100 * work:.0f}")


def error(record, _):
    text = number(record.get("error"))
    return text if valid(record) else f"({text})"


def provider_error(record, _):
    return number(record.get("ort_error"))


def cost(record, _):
    return f"{record['wall']:.2f} / {record['call']:.2f} / {record['rss']:.0f}"


def verdict(record, tool):
    if not usable(record):
        return "invalid"
    return ("ok " if right(record, tool) else "WRONG ") + number(record.get("error"))


def growth(record, _):
    return f"{record['wall']:.2f} / {record['rss']:.0f} / {record['checker']} / {record['casts']}"


def speedups(results, ours, peers):
    """How many times faster than each peer, file to file; for a peer that was stopped, at least so many times."""
    rows = group_rows(results, "growth")
    mine = next((t for t in ours if all(row.get(t, {}).get("status") == "ok" for row in rows.values())), None)
    if not mine or not peers:
        return []
    lines = [f"How many times the wall time of {mine} (>: the peer was stopped):", "",
             f"| file | {' | '.join(peers)} |", "|---" * (len(peers) + 1) + "|"]  # fmt: skip
    for name, row in rows.items():
        cells = []
        for peer in peers:
            record = row.get(peer, {})
            known = record.get("status") in ("ok", "capped")
            ratio = record["wall"] / row[mine]["wall"] if known else 0
            sign = "> " if record.get("status") == "capped" else ""
            cells.append(f"{sign}{ratio:.{0 if ratio >= 10 else 1}f}" if known else "")
        lines.append(f"| {name.split('/', 1)[1]} | {' | '.join(cells)} |")
    return [*lines, ""]


def pictures(names, folder):
    """The section with the curves."""
    if not names:
        return ""
    lines = ["", "## Error over bytes cast", "",
             "A panel per exported file. Black: what MPT gives with its presets and with other lists of types in FP32, all matrix products and",
             "convolutions in 16 bit, as in the peers' files; grey: with at least half of their FLOPs in 16 bit, among them the fewest nodes in FP32",
             "for a tolerance (`mpt-run --repair`). A line joins the points of ours that no other of ours beats in both. Colours: the peers; hollow: a",
             "file that the checker or ONNX Runtime refuses. FP16 only.", ""]  # fmt: skip
    return "\n".join([*lines, *(f"![{name}: error over bytes cast]({folder}/{name}.svg)" for name in names)]) + "\n"


def group_rows(results, group):
    return {name: row for name, row in results.items() if name.startswith(group + "/")}


def summary(results, tools):
    lines = ["| tool | valid, exported models | valid, light models | right, small files | KiB cast, exported models | "
             "files with all FLOPs in 16 bit | seconds, exported models |", "|---" * 7 + "|"]  # fmt: skip
    for tool in tools:
        counts = []
        for group, judge in (("models", valid), ("light", valid), ("small", lambda r: right(r, tool))):
            rows = [row[tool] for row in group_rows(results, group).values() if row.get(tool, {}).get("status", "not run") != "not run"]
            counts.append(f"{sum(map(judge, rows))} of {len(rows)}" if rows else "-")
        models = [row[tool] for row in group_rows(results, "models").values() if tool in row]
        done = [r for r in models if valid(r)]
        bytes_cast = f"{sum(r['bytes'] for r in done) / 1024:.0f}" + ("" if len(done) == len(models) else f" ({len(done)} files)")
        full = sum(1 for r in done if (r.get("flops16") or 0) > 0.9999)
        seconds = f"{sum(r['wall'] for r in models):.1f}"
        figures = f"{bytes_cast} | {full} | {seconds}" if models else "- | - | -"
        lines.append(f"| {tool} | {' | '.join(counts)} | {figures} |")
    return [*lines, ""]


def losses(results, ours, peers):
    """Where a peer's valid file is better than ours, by figure; for the presets that are meant to be the best."""
    lines = []
    for tool in [t for t in ours if t in ("mpt", "mpt-aggressive")]:
        fewer, dominated, faster = [], [], []
        for name, row in results.items():
            group, _, short = name.partition("/")
            mine = row.get(tool)
            if not mine or group == "small":
                continue
            others = {p: row[p] for p in peers if p in row and row[p]["status"] == "ok" and kind(p) == "fp16"}
            quick = [(r["wall"], p) for p, r in others.items()]
            if quick and (mine["status"] != "ok" or min(quick)[0] < mine["wall"]):
                took = f"{mine['wall']:.2f}" if mine["status"] == "ok" else mine["status"]
                faster.append(f"{short} ({took} s, {min(quick)[1]} {min(quick)[0]:.2f})")
            if group == "growth" or not valid(mine):
                continue
            whole = [(r["bytes"], p) for p, r in others.items() if valid(r) and (r.get("flops16") or 0) > 0.9999]
            if whole and min(whole)[0] < mine["bytes"]:
                fewer.append(f"{short} ({mine['bytes'] / 1024:.0f} KiB, {min(whole)[1]} {min(whole)[0] / 1024:.0f})")
            for p, r in others.items():
                if not valid(r) or not isinstance(r.get("error"), float) or not isinstance(mine.get("error"), float):
                    continue
                # 2 %: the order in which a product adds moves the error by as much.
                if r["bytes"] < mine["bytes"] and r["error"] < 0.98 * mine["error"]:
                    dominated.append(f"{short} ({p}: {r['bytes'] / 1024:.0f} KiB, {number(r['error'])}; "
                                     f"ours {mine['bytes'] / 1024:.0f}, {number(mine['error'])})")  # fmt: skip
        for what, found in (("A peer casts fewer bytes with all FLOPs in 16 bit", fewer),
                            ("A peer has both fewer bytes cast and a smaller error", dominated),
                            ("A peer is faster, file to file", faster)):  # fmt: skip
            lines.append(f"- **{tool}**. {what}: {'; '.join(found) if found else 'nowhere'}.")
    return [*lines, ""]


def machine():
    model, memory = platform.machine(), "?"
    try:
        with open("/proc/cpuinfo") as file:
            model = next(line.split(":", 1)[1].strip() for line in file if line.startswith("model name"))
        with open("/proc/meminfo") as file:
            memory = f"{int(file.readline().split()[1]) / 2**20:.0f} GiB"
        with open("/etc/os-release") as file:
            system = next(line.split("=", 1)[1].strip().strip('"') for line in file if line.startswith("PRETTY_NAME"))
    except (OSError, StopIteration):
        system = platform.platform()
    return f"{model}, {os.cpu_count()} cores, {memory}, {system}, Python {platform.python_version()}"


def busy(load):
    """A warning where others used the machine: this run alone gives a load of about one."""
    if load < 1.5 * os.cpu_count():
        return ""
    return (f" **Other programs were running meanwhile (load average {load:.0f} on {os.cpu_count()} cores): all times are several times what an "
            "idle machine needs.**")  # fmt: skip


def page(results, ours, peers, run):
    """`run` is what peers.py keeps of a run beside its figures."""
    seen = {tool for row in results.values() for tool in row}
    ours, peers = [t for t in ours if t in seen], [t for t in peers if t in seen]
    tools = [*ours, *peers]
    missing = run.get("missing", {})
    pins = "; ".join(" ".join(line for line in text.splitlines() if line and line[0] != "#") for text in run.get("versions", {}).values())
    lines = ["# Beside the other converters", "",
             f"Written by {run.get('notes', '`bench/peers.py`')}, on {run.get('date', '?')}; bench/README.md says how to read it. "
             f"Machine: {run.get('machine', '?')}. The run took {run.get('seconds', 0) / 60:.0f} min; a conversion was stopped after "
             f"{run.get('limit', 0):.0f} s.{busy(run.get('load', 0))} Environments: {pins}.", ""]  # fmt: skip
    lines += [f"Not installable from PyPI here: {', '.join(f'{t} ({why})' for t, why in missing.items())}.", ""] if missing else []
    lines += ["## Summary", "", *summary(results, tools)]
    if ours and peers:
        lines += ["## Where we lose", "", *losses(results, ours, peers)]
    for group, title in (("models", "Exported models"), ("light", "Light models of the onnx wheel")):
        if not group_rows(results, group):
            continue
        for head, show in (("valid: checker / ONNX Runtime", validity), ("float casts added / KiB that they read and write", casts),
                           ("% of float ops / % of FLOPs in 16 bit", ops),
                           ("error, every 16-bit tensor stored in 16 bit (in brackets: an invalid file)", error),
                           ("error in ONNX Runtime's CPU provider", provider_error),
                           ("wall s / call s / peak MiB", cost)):  # fmt: skip
            lines += [f"## {title}: {head}", "", *table(results, group, tools, show)]
    if group_rows(results, "small"):
        lines += ["## Small files after known complaints", "", *table(results, "small", tools, verdict)]
        lines += ["Valid, checker / ONNX Runtime:", "", *table(results, "small", tools, validity)]
    if group_rows(results, "growth"):
        lines += ["## Growth: wall s / peak MiB / checker / casts added", "", *table(results, "growth", tools, growth)]
        lines += [*speedups(results, ours, peers)]
    failed = []
    for name, row in results.items():
        failed += [f"- {name}, {t}: {r['why']}" for t, r in row.items() if r["status"] == "fails" and t in tools]
    if failed:
        lines += ["## What the tools said where they failed", "", *(clean(line) for line in failed), ""]
    return "\n".join(lines).rstrip() + "\n"


def clean(line):
    """Without the folders of this machine."""
    return re.sub(r"(?:/[\w.+-]+)+/", "", line)
