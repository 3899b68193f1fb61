"""table.py [--markdown] RESULTS: the table of results, as text or as Markdown."""
import json
import math
import pathlib
import sys

UNITS = {"ns": ("ns", "us", "ms", "s"), "bytes": ("B", "KiB", "MiB", "GiB")}
NAMES = {
    "ns_per_task": "per task", "ns_per_item": "per item", "ns_per_future": "per future", "ns_per_exchange": "per exchange",
    "p50_ns": "median", "mean_ns": "mean", "p99_ns": "p99", "p999_ns": "p99.9", "first_result_ns": "first result",
    "failed_ns": "until it failed", "replaced_ns": "until replaced", "bytes_per_future": "per future",
    "peak_mib": "all of them", "left_mib": "left when gone", "cpu_us_per_s": "CPU per second",
    "switches_per_s": "switches per second",
}


def time(ns):
    for unit in UNITS["ns"]:
        if abs(ns) < 1000 or unit == "s":
            return f"{ns:.3g} {unit}" if abs(ns) < 1000 else f"{ns:.0f} {unit}"
        ns /= 1000
    return None


def size(count):
    for unit in UNITS["bytes"]:
        if count < 1024 or unit == "GiB":
            return f"{count:g} {unit}"
        count /= 1024
    return None


def value(metric, number):
    if "ns_" in metric or metric.endswith("_ns"):
        return time(number)
    if metric == "bytes_per_future":
        return f"{number:.0f} B"
    if metric.endswith("_mib"):
        return f"{number:.0f} MiB"
    return f"{number:.1f} us" if metric == "cpu_us_per_s" else f"{number:.1f}"


def words(params):
    """The parameters that a reader wants to see."""
    shown = []
    for key, number in params.items():
        if key in ("passes", "rounds"):
            continue
        if key in ("size", "resident"):
            number = size(number)
        elif key == "work_ns":
            key, number = "work", "empty" if number == 0 else time(number)
        elif key == "pause_us":
            key, number = "pool", "hot" if number == 0 else "idle"
        elif isinstance(number, int):
            number = f"{number:,}"
        shown.append(str(number) if key in ("how", "when", "pool") else f"{key} {number}")
    return ", ".join(shown)


def times(number):
    return "" if number is None else f"{number:.2f}" if number < 100 else f"{number:.0f}"


def cells(row):
    metric = row["metric"]
    spread = "" if row["count"] == 1 else f"{value(metric, row['q1'])} .. {value(metric, row['q3'])}"
    return [row["system"], NAMES[metric], value(metric, row["median"]), spread, times(row["ratio_to_ours"]),
            times(row["ratio_to_limit"])]


HEAD = ["system", "what", "median", "quartiles", "x ours", "x limit"]


# A ping-pong takes 100 to 200 ns between CPUs that share a cache, 400 to 600 between others, and more on busy CPUs.
CLOSENESS = {"close": 250, "far": 1000, "busy": math.inf}


def closeness(ping_pongs_ns):
    """How close the CPUs were, by a ping-pong between them before each turn."""
    if not ping_pongs_ns:
        return ""
    found = [next(how for how, most in CLOSENESS.items() if ns <= most) for ns in sorted(ping_pongs_ns)]
    low, high = min(ping_pongs_ns), max(ping_pongs_ns)
    return f"; CPUs {' and '.join(dict.fromkeys(found))} ({time(low)}{'' if high == low else ' .. ' + time(high)})"


def blocks(results):
    """(title, rows) for each group, in the order measured; of the case growth there are only exponents."""
    found = {}
    for row in results["rows"]:
        if row["of"] != "growth":
            title = row["case"] + ": " + words(row["params"]) + closeness(row.get("ping_pongs_ns"))
            found.setdefault(title, []).append(cells(row))
    return found.items()


def work(row):
    """How much of it there was, and how long all of it took; or for memory, how many bytes."""
    n = row["params"][row["grows"]]
    if row["grows"] == "n":  # fib(n) is so many calls
        n = 2 * round(((1 + math.sqrt(5)) / 2) ** (n + 1) / math.sqrt(5)) - 1
    per_whole = row["grows"] in ("size", "flood")
    return n, row["median"] * (1 if per_whole else n)


def slope(points):
    """Least squares on logarithms: 1 is linear."""
    points = [(math.log(n), math.log(total)) for n, total in points if n > 0 and total > 0]
    if len({x for x, _ in points}) < 2:
        return None
    mean_x, mean_y = (sum(part) / len(points) for part in zip(*points))
    return sum((x - mean_x) * (y - mean_y) for x, y in points) / sum((x - mean_x) ** 2 for x, _ in points)


def exponents(results):
    """[case, system, from, to, exponent] for what was measured at several sizes."""
    series = {}
    for row in results["rows"]:
        if not row["grows"] or row["role"] == "limit":
            continue
        rest = {key: number for key, number in row["params"].items() if key not in (row["grows"], "rounds", "passes")}
        key = (row["case"] + ": " + words(rest), row["system"], row["metric"], row["grows"])
        series.setdefault(key, []).append(row)
    lines = []
    for (case, system, metric, grows), rows in series.items():
        exponent = slope([work(row) for row in rows])
        if exponent is not None:
            sizes = sorted(row["params"][grows] for row in rows)
            shown = [size(n) if grows == "size" else f"{n:,}" for n in (sizes[0], sizes[-1])]
            lines.append([case, system, NAMES[metric], f"{grows} {shown[0]} .. {shown[1]}", f"{exponent:.2f}"])
    return lines


GROWTH = "growth of the whole's time or memory with its size: 1 is linear; of the wait with the flood: 0 is flat"
GROWTH_HEAD = ["case", "system", "what", "sizes", "exponent"]


def missing(results):
    """Each that was not run, once, with its reason."""
    return sorted({f"{row['case']}: {row['system']}: {row['reason']}" for row in results["not_run"]})


def about(results):
    machine = results["machine"]
    versions = ", ".join(f"{name} {number}" if number else f"no {name}" for name, number in machine["versions"].items())
    return (f"{machine['cpu']}, {machine['cpus']} CPUs, Linux {machine['kernel']}, {machine['libc']}, {machine['compiler']}; "
            f"{versions}; {machine['date']}" + ("; a quick run" if results["quick"] else ""))


def columns(rows):
    widths = [max(len(row[i]) for row in rows) for i in range(len(rows[0]))]
    return ["  ".join(cell.ljust(width) if i < 2 else cell.rjust(width)
                      for i, (cell, width) in enumerate(zip(row, widths))).rstrip() for row in rows]


def text(results):
    lines = [about(results), "x ours, x limit: so many times the median of ours, of the limit; more is slower."]
    for title, rows in blocks(results):
        lines += ["", title] + ["  " + line for line in columns([HEAD] + rows)]
    grown = exponents(results)
    if grown:
        lines += ["", GROWTH] + ["  " + line for line in columns([GROWTH_HEAD] + grown)]
    if results["not_run"]:
        lines += ["", "not run"] + ["  " + line for line in missing(results)]
    return "\n".join(lines)


def grid(rows):
    head = "| " + " | ".join(rows[0]) + " |"
    return [head, "|---" * len(rows[0]) + "|"] + ["| " + " | ".join(row) + " |" for row in rows[1:]]


def markdown(results):
    lines = [about(results) + "."]
    for title, rows in blocks(results):
        lines += ["", "#### " + title[:1].upper() + title[1:], ""] + grid([HEAD] + rows)
    grown = exponents(results)
    if grown:
        lines += ["", "#### Growth", "", GROWTH + ".", ""] + grid([GROWTH_HEAD] + grown)
    if results["not_run"]:
        lines += ["", "Not run:", ""] + ["- " + line for line in missing(results)]
    return "\n".join(lines)


if __name__ == "__main__":
    loaded = json.loads(pathlib.Path(sys.argv[-1]).read_text())
    print(markdown(loaded) if "--markdown" in sys.argv else text(loaded))
