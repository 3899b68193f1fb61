"""plot.py RESULTS FOLDER: draws the results as FOLDER/tasks.svg and FOLDER/payload.svg."""
import json
import pathlib
import sys

import matplotlib

matplotlib.use("svg")
# The same results make the same files; text stays text.
matplotlib.rcParams.update({"svg.hashsalt": "bench", "svg.fonttype": "none", "font.size": 9})
from matplotlib import pyplot  # noqa: E402

import table  # noqa: E402

COLOURS = {"ours": "#c44e52", "peer": "#8c9db5", "limit": "#55a868"}


def save(figure, path):
    figure.savefig(path, metadata={"Date": None}, bbox_inches="tight")
    pyplot.close(figure)
    # matplotlib leaves blanks at ends of lines
    path.write_text("\n".join(line.rstrip() for line in path.read_text().splitlines()) + "\n")


def pick(results, case, metric, **params):
    """The rows of a case's first group that has these parameters."""
    rows = [row for row in results["rows"] if row["of"] != "growth" and row["case"] == case and row["metric"] == metric
            and all(row["params"].get(key) == number for key, number in params.items())]
    return [row for row in rows if row["params"] == rows[0]["params"]]


def bars(axes, rows, title):
    rows = sorted(rows, key=lambda row: -row["median"])
    medians = [row["median"] for row in rows]
    spread = [[row["median"] - row["q1"] for row in rows], [row["q3"] - row["median"] for row in rows]]
    axes.barh([row["system"] for row in rows], medians, xerr=spread, log=True, ecolor="#444444",
              color=[COLOURS[row["role"]] for row in rows])
    for y, row in enumerate(rows):
        axes.text(row["q3"] * 1.15, y, table.value(row["metric"], row["median"]), va="center")
    axes.set_xlim(min(medians) / 2, max(medians) * 6)
    axes.xaxis.set_major_formatter(lambda number, _: table.time(number))
    axes.set_title(title, loc="left")
    axes.spines[["top", "right"]].set_visible(False)


def draw_tasks(results, path):
    shown = [
        (pick(results, "submit, threads", "ns_per_task", submitters=1, workers=2, work_ns=0),
         "Threads: submit and complete, per task (1 submitter, 2 workers)"),
        (pick(results, "round trip, threads", "p50_ns", pause_us=0), "Threads: round trip, median"),
        (pick(results, "fork-join, fib", "ns_per_task", workers=2, spawns=2), "Threads: nested fork-join, per task (2 workers)"),
        (pick(results, "submit, processes", "ns_per_task", submitters=1, workers=2),
         "Processes: submit and complete, per task (1 submitter, 2 workers)"),
        (pick(results, "round trip, processes", "p50_ns", pause_us=0), "Processes: round trip, median"),
    ]
    shown = [(rows, title) for rows, title in shown if rows]
    if not shown:
        return
    figure, axes = pyplot.subplots(len(shown), 1, figsize=(8, 0.26 * sum(len(rows) + 3 for rows, _ in shown)),
                                   squeeze=False, gridspec_kw={"height_ratios": [len(rows) for rows, _ in shown]})
    for (rows, title), one in zip(shown, axes[:, 0]):
        bars(one, rows, title)
    figure.tight_layout()
    save(figure, path)


def draw_payload(results, path):
    rows = [row for row in results["rows"] if row["case"] == "payload both ways"]
    if not rows:
        return
    figure, axes = pyplot.subplots(figsize=(8, 4.5))
    for name in dict.fromkeys(row["system"] for row in rows):
        line = sorted((row["params"]["size"], row["median"], row["role"]) for row in rows if row["system"] == name)
        # 2: there and back
        axes.plot([size for size, _, _ in line], [2 * size / ns for size, ns, _ in line], marker="o", markersize=3, label=name,
                  linestyle={"ours": "-", "peer": "--", "limit": ":"}[line[0][2]])
    axes.set_xscale("log", base=2)
    axes.set_yscale("log")
    axes.xaxis.set_major_formatter(lambda number, _: table.size(int(number)))
    axes.set_xlabel("argument, and as much of result")
    axes.set_ylabel("GB/s, both ways together")
    axes.set_title("Processes: bulk data there and back", loc="left")
    axes.spines[["top", "right"]].set_visible(False)
    axes.legend(frameon=False, fontsize=8)
    save(figure, path)


def main():
    results, folder = json.loads(pathlib.Path(sys.argv[1]).read_text()), pathlib.Path(sys.argv[2])
    folder.mkdir(parents=True, exist_ok=True)
    draw_tasks(results, folder / "tasks.svg")
    draw_payload(results, folder / "payload.svg")


if __name__ == "__main__":
    main()
