"""The curves that bench/peers.py draws: error over bytes cast, one picture per model, one panel per file.

Our points are what the policies and the sweep give; a line joins those that no other point of ours beats in both: black where
all FLOPs of matrix products and convolutions are in 16 bit, as in the files of the other converters, grey where at least half
are. Every other converter's file is a point, hollow where it is invalid."""

import math
import pathlib

import tables

# A file whose inputs are 16 bits wide already has nothing to cast: it stands at the left edge.
LEAST_KIB = 1.0
NAMED = {"mpt": "default", "mpt-aggressive": "aggressive", "mpt-conservative": "conservative", "mpt-paint": "paint"}
MARKERS = "osD^v<>PX*"


def point(record):
    """(KiB cast, error) of a converted file, or None."""
    error, size = record.get("error"), record.get("bytes")
    if record["status"] != "ok" or not isinstance(error, float) or not size or not math.isfinite(error) or error <= 0:
        return None
    return max(size / 1024, LEAST_KIB), error


def frontier(points):
    """The points that no other beats in both, from few bytes to many."""
    best, kept = math.inf, []
    for size, error in sorted(points):
        if error < best:
            best = error
            kept.append((size, error))
    return kept


def family_of(name):
    return name.split("/", 1)[1].split(".")[0]


def families(results):
    """Model -> [(file, records by tool)]."""
    found = {}
    for name, row in tables.group_rows(results, "models").items():
        if any(tool.startswith("mpt") and point(record) for tool, record in row.items()):
            found.setdefault(family_of(name), []).append((name.split("/", 1)[1], row))
    return found


def draw(results, peers, folder):
    """Writes folder/<model>.svg for every model and gives their names."""
    import matplotlib

    matplotlib.use("svg")
    matplotlib.rcParams.update({"svg.hashsalt": "mpt", "svg.fonttype": "none"})  # the same figures give the same file; text is text
    import matplotlib.pyplot as plt

    folder = pathlib.Path(folder)
    folder.mkdir(parents=True, exist_ok=True)
    colors = {peer: f"C{i % 10}" for i, peer in enumerate(peers)}
    drawn = families(results)
    for family, files in drawn.items():
        figure, panels = plt.subplots(1, len(files), figsize=(3.6 * len(files) + 2.4, 3.6), squeeze=False, sharey=True)
        labels = {}
        for axes, (name, row) in zip(panels[0], files):
            panel(axes, name, row, peers, colors, labels)
        panels[0][0].set_ylabel("error, 16-bit tensors stored in 16 bit")
        figure.legend(labels.values(), labels.keys(), loc="center right", fontsize=7)
        figure.tight_layout(rect=(0, 0, 1 - 2.4 / figure.get_figwidth(), 1))
        figure.savefig(folder / f"{family}.svg", metadata={"Date": None})
        plt.close(figure)
    return list(drawn)


def panel(axes, name, row, peers, colors, labels):
    from matplotlib import ticker

    fp16 = {tool: record for tool, record in row.items() if tables.kind(tool) == "fp16"}
    mine = {tool: record for tool, record in fp16.items() if tool.startswith(("mpt", "sweep:")) and tool != "mpt-paint"}
    for least, color, style, label in ((0.5, "0.6", ":", "at least half of the FLOPs in 16 bit"), (0.9999, "black", "-", "all FLOPs in 16 bit")):
        known = {tool: point(r) for tool, r in mine.items() if (r.get("flops16") or 0) >= least and point(r)}
        if known:
            labels[label] = axes.plot(*zip(*frontier(known.values())), color=color, linestyle=style, linewidth=1, drawstyle="steps-post")[0]
        swept = [value for tool, value in known.items() if tool.startswith("sweep:")]
        if swept:
            axes.plot(*zip(*swept), ".", color=color, markersize=4)
    ours = {tool: point(record) for tool, record in fp16.items() if tool.startswith("mpt") and point(record)}
    for marker, (tool, label) in zip("oDsx", NAMED.items()):
        if tool in ours:
            labels[f"MPT {label}"] = axes.plot(*ours[tool], marker, color="black", markersize=6, linestyle="none")[0]
    for i, peer in enumerate(p for p in peers if tables.kind(p) == "fp16"):
        record = fp16.get(peer)
        value = point(record) if record else None
        if value:
            face = colors[peer] if tables.valid(record) else "none"
            labels[peer] = axes.plot(*value, MARKERS[i % len(MARKERS)], color=colors[peer], markerfacecolor=face, markersize=7,
                                     linestyle="none", alpha=0.8)[0]  # fmt: skip
    axes.set_xscale("log")
    axes.set_yscale("log")
    axes.xaxis.set_major_locator(ticker.LogLocator(subs=(1, 2, 5)))
    axes.xaxis.set_major_formatter("{x:g}")
    axes.xaxis.set_minor_formatter(ticker.NullFormatter())
    axes.tick_params(labelsize=7, which="both")
    axes.set_xlabel("KiB read and written by casts")
    axes.set_title(name, fontsize=10)
    axes.grid(True, which="both", linewidth=0.3, alpha=0.5)
