"""draw.py TRACE SVG: draws the rows, slices, arrows, marks and counts of a trace, in colours of their outcomes."""
import json
import pathlib
import sys

import matplotlib

matplotlib.use("svg")
# The same trace makes the same file; text stays text.
matplotlib.rcParams.update({"svg.hashsalt": "trace", "svg.fonttype": "none", "font.size": 8})
from matplotlib import pyplot  # noqa: E402

COLOURS = {"succeeded": "#8c9db5", "raised": "#dd8452", "cancelled": "#c9b458"}
FAILED, SUBMIT, ARROW, THEN = "#c44e52", "#dddddd", "#bbbbbb", "#55a868"
MARKS = {"died": "x", "killed": "v", "time limit": "s", "started": "|", "restarted": "|", "ended": "|", "recycled": "|"}


def ms(us):
    return us / 1000


def named_rows(events):
    """Rows with something to show, from the top to the bottom: the program's threads, then its workers."""
    names = {(e["pid"], e["tid"]): e["args"]["name"] for e in events if e["ph"] == "M" and e["name"] == "thread_name"}
    used = {(e["pid"], e["tid"]) for e in events if e["ph"] == "X"}
    first = {row: min(e["ts"] for e in events if e["ph"] == "X" and (e["pid"], e["tid"]) == row) for row in used}
    return {row: names[row] for row in sorted(used, key=lambda row: first[row])}


def draw_slices(axes, events, places):
    for e in events:
        if e["ph"] != "X":
            continue
        place = places[e["pid"], e["tid"]]
        colour = SUBMIT if e["cat"] == "submit" else COLOURS.get(e["args"]["outcome"], FAILED)
        axes.broken_barh([(ms(e["ts"]), ms(e["dur"]))], (place - 0.35, 0.7), facecolor=colour, edgecolor="#444444", linewidth=0.4)
        if e["cat"] != "submit" and e["dur"] > axes.width_us / 14:
            axes.text(ms(e["ts"] + e["dur"] / 2), place, e["name"], ha="center", va="center", clip_on=True, zorder=5)


def draw_arrows(axes, events, places):
    ends = {e["id"]: e for e in events if e["ph"] == "f"}
    for e in events:
        if e["ph"] == "s":
            to = ends[e["id"]]
            axes.annotate("", (ms(to["ts"]), places[to["pid"], to["tid"]]), (ms(e["ts"]), places[e["pid"], e["tid"]]),
                          arrowprops={"arrowstyle": "->", "linewidth": 0.6, "alpha": 1 if e["name"] == "then" else 0.5,
                                      "color": THEN if e["name"] == "then" else ARROW})


def draw_marks(axes, events, places):
    for e in events:
        if e["ph"] == "i" and e["cat"] == "worker" and e["name"] in MARKS and (e["pid"], e["tid"]) in places:
            ours = e["name"] in ("died", "killed", "time limit")
            axes.plot(ms(e["ts"]), places[e["pid"], e["tid"]] + 0.42, MARKS[e["name"]], color=FAILED if ours else "#444444", markersize=5)


def draw_counts(axes, events):
    counts = [e for e in events if e["ph"] == "C" and e["name"].endswith(" tasks")]
    counts.sort(key=lambda e: e["ts"])
    times = [ms(e["ts"]) for e in counts]
    for what, colour in ("waiting", "#c9b458"), ("running", "#55a868"):
        axes.step(times, [e["args"][what] for e in counts], where="post", label=what, color=colour)
    axes.legend(frameon=False, loc="upper right")


def draw(events, path):
    rows = named_rows(events)
    places = {row: len(rows) - i for i, row in enumerate(rows)}
    figure, (upper, lower) = pyplot.subplots(2, 1, figsize=(9, 1.6 + 0.42 * len(rows)), sharex=True,
                                             gridspec_kw={"height_ratios": [max(2, len(rows)), 2]})
    slices = [e for e in events if e["ph"] == "X"]
    upper.width_us = max(e["ts"] + e["dur"] for e in slices) - min(e["ts"] for e in slices)
    draw_slices(upper, events, places)
    draw_arrows(upper, events, places)
    draw_marks(upper, events, places)
    draw_counts(lower, events)
    upper.set_yticks(list(places.values()), list(rows.values()))
    upper.set_ylim(0.4, len(rows) + 0.7)
    lower.set_ylabel("tasks")
    lower.set_xlabel("milliseconds")
    for axes in upper, lower:
        axes.spines[["top", "right"]].set_visible(False)
    figure.tight_layout()
    figure.savefig(path, metadata={"Date": None}, bbox_inches="tight")
    # matplotlib leaves blanks at ends of lines
    path.write_text("\n".join(line.rstrip() for line in path.read_text().splitlines()) + "\n")


draw(json.load(open(sys.argv[1], encoding="utf-8")), pathlib.Path(sys.argv[2]))
