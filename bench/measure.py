"""measure.py BUILD RESULTS [--quick] [--rounds N] [--cpus N] [CASE ...]: measures, prints the table, writes RESULTS.

The systems of a group take turns (A B C A B C ...), each time in a process of its own, all on the same CPUs, so that what
else the machine does affects them alike. The results are the median and the quartiles over all passes of all rounds, except
the first pass of each program, which meets new memory. If a case sets the number of passes itself, all count. Before each
round a ping-pong measures how close the CPUs are to each other.
"""
import argparse
import datetime
import json
import os
import pathlib
import platform
import re
import statistics
import subprocess
import sys
import tempfile
import time

import cases
import figures
import table

NOT_HERE = 77
# A group that has taken so long gets no further turns: somewhere fresh memory, or 10,000,000 futures, take minutes.
BUDGET_S, QUICK_BUDGET_S = 25, 8
PEER = pathlib.Path(__file__).parent / "peers" / "peer.py"


def newest_python():
    """The newest python3 on PATH or under pyenv, with its version; ours is one of them."""
    folders = [pathlib.Path(folder) for folder in os.environ.get("PATH", "").split(os.pathsep) if folder]
    pyenv = pathlib.Path(os.environ.get("PYENV_ROOT", pathlib.Path.home() / ".pyenv"))
    folders += sorted(pyenv.glob("versions/*/bin"))
    found = {platform.python_version(): sys.executable}
    for folder in folders:
        for path in folder.glob("python3*"):
            if re.fullmatch(r"python3(\.\d+)?", path.name) and os.access(path, os.X_OK):
                shown = subprocess.run([path, "-c", "import sys; print('.'.join(map(str, sys.version_info[:3])))"],
                                       capture_output=True, text=True)
                if shown.returncode == 0:
                    found.setdefault(shown.stdout.strip(), str(path))
    newest = max(found, key=lambda version: [int(part) for part in version.split(".")])
    return found[newest], newest


def version(*command):
    """The first word of its output that looks like a version."""
    try:
        shown = subprocess.run(command, capture_output=True, text=True)
    except FileNotFoundError:
        return None
    match = re.search(r"\d+\.\d+(\.\d+)?", shown.stdout + shown.stderr)
    return match.group() if shown.returncode == 0 and match else None


def debian_version(package):
    return version("dpkg-query", "-W", "-f", "${Version}", package)


def cpu_model():
    for line in pathlib.Path("/proc/cpuinfo").read_text().splitlines():
        if line.startswith("model name"):
            return line.partition(":")[2].strip()
    return platform.machine()


def machine(python_version, cpus):
    boost = pathlib.Path("/usr/include/boost/version.hpp")
    boost = boost.exists() and re.search(r'BOOST_LIB_VERSION "([\d_]+)"', boost.read_text())
    return {
        "date": datetime.date.today().isoformat(),
        "cpu": cpu_model(),
        "cpus": cpus,
        "kernel": version("uname", "-r"),
        "compiler": "gcc " + (version("gcc", "--version") or "?"),
        "libc": " ".join(platform.libc_ver()),
        "load_at_start": os.getloadavg()[0],
        "versions": {
            "libuv": version("pkg-config", "--modversion", "libuv"),
            "GLib": version("pkg-config", "--modversion", "glib-2.0"),
            "oneTBB": version("pkg-config", "--modversion", "tbb"),
            "Taskflow": debian_version("libtaskflow-cpp-dev"),
            "Boost": boost.group(1).replace("_", ".") if boost else None,
            "Go": version("go", "version"),
            "Python": python_version,
        },
    }


class Runner:
    def __init__(self, build, python, cpus, passes):
        self.programs, self.python, self.cpus, self.passes = pathlib.Path(build) / "bench", python, cpus, passes
        self.scratch = tempfile.TemporaryDirectory()

    def command(self, group, system):
        params = {**group.params, **{k: v for k, v in system.extra.items() if k != "scale"}}
        params.setdefault("passes", self.passes + 1)  # the first one is left out
        for name in ("tasks", "rounds", "items", "futures"):
            if name in params and system.extra.get("scale", 1) > 1:
                params[name] = max(params[name] // system.extra["scale"], 10)
        words = [f"{key}={value}" for key, value in params.items()]
        if system.command[0] == "python":
            return [self.python, str(PEER), system.command[1], *words, "scratch=" + self.scratch.name]
        return [str(self.programs / system.command[0]), *system.command[1:], *words]

    def sample(self, group, system):
        """Its metrics as lists, or why it could not be measured."""
        command = self.command(group, system)
        if system.command[0] != "python" and not os.path.exists(command[0]):
            return "not built: its package is not installed"
        try:
            done = subprocess.run(command, capture_output=True, text=True, timeout=300,
                                  preexec_fn=lambda: os.sched_setaffinity(0, self.cpus))
        except subprocess.TimeoutExpired:
            return "took longer than 300 s"
        if done.returncode == 0:
            metrics = json.loads(done.stdout)
            return metrics if "passes" in group.params else {name: values[1:] or values for name, values in metrics.items()}
        said = done.stderr.strip().splitlines()[-1:] or ["status %d" % done.returncode]
        return said[0] if done.returncode == NOT_HERE else "FAILED: " + said[0]

    def ping_pong_ns(self):
        """The time in which two spinning threads pass a word to and fro; the best of some. None: there is one CPU."""
        if len(self.cpus) == 1:
            return None
        command = [str(self.programs / "bench_limits"), "pingpong", "between=threads", "rounds=1000", "passes=5",
                   "spin_there_ns=20000", "spin_here_ns=20000"]
        done = subprocess.run(command, capture_output=True, text=True, check=True,
                              preexec_fn=lambda: os.sched_setaffinity(0, self.cpus))
        return min(json.loads(done.stdout)["p50_ns"])


def measure(runner, group, rounds, budget_s, not_run):
    """The values of each system's metrics, by the systems' order in the group; and the ping-pongs' times."""
    values = {system: {} for system in group.systems}
    ping_pongs_ns = []
    started = time.monotonic()
    for turn in range(group.rounds or rounds):
        if turn > 0 and time.monotonic() - started > budget_s:
            break
        ping_pongs_ns.append(runner.ping_pong_ns())
        for system in group.systems:
            if system not in values:
                continue
            sample = runner.sample(group, system)
            if isinstance(sample, str):
                not_run.append({"case": group.case, "system": system.name, "params": group.params, "reason": sample})
                del values[system]
                continue
            for name, more in sample.items():
                values[system].setdefault(name, []).extend(more)
    return values, [ns for ns in ping_pongs_ns if ns is not None]


def summary(numbers):
    numbers = sorted(numbers)
    quartiles = statistics.quantiles(numbers, n=4, method="inclusive") if len(numbers) > 1 else [numbers[0]] * 3
    return {"median": statistics.median(numbers), "min": numbers[0], "q1": quartiles[0], "q3": quartiles[2],
            "max": numbers[-1], "count": len(numbers)}


def ratio(part, whole):
    return part / whole if whole else None


def rows_of(group, values, ping_pongs_ns):
    rows = []
    ours = [system for system in values if system.role == "ours"]
    limits = [system for system in values if system.role == "limit"]
    for system, metrics in values.items():
        for metric in group.metrics:
            if metric not in metrics:
                continue
            row = {"case": group.case, "system": system.name, "role": system.role, "params": group.params,
                   "metric": metric, "grows": group.grows, "ping_pongs_ns": ping_pongs_ns, **summary(metrics[metric])}
            for key, to in ("ratio_to_ours", ours), ("ratio_to_limit", limits):
                to = [statistics.median(values[one][metric]) for one in to if metric in values[one]]
                row[key] = ratio(row["median"], to[0]) if to else None
            rows.append(row)
    return rows


def main():
    parser = argparse.ArgumentParser(prog="bench/run", description="Measures libsoon beside its peers.")
    parser.add_argument("build", help=argparse.SUPPRESS)
    parser.add_argument("results", help=argparse.SUPPRESS)
    parser.add_argument("case", nargs="*", help="one of " + ", ".join(cases.CASES) + "; none: all")
    parser.add_argument("--quick", action="store_true", help="smaller sizes and fewer rounds: some minutes")
    parser.add_argument("--rounds", type=int, help="how often each system has its turn")
    parser.add_argument("--cpus", type=int, default=2, help="on how many CPUs (2)")
    arguments = parser.parse_intermixed_args()
    unknown = set(arguments.case) - set(cases.CASES)
    if unknown:
        parser.error("no such case: " + ", ".join(sorted(unknown)))

    python, python_version = newest_python()
    cpus = sorted(os.sched_getaffinity(0))[: arguments.cpus]
    runner = Runner(arguments.build, python, cpus, 2 if arguments.quick else 3)
    rounds = arguments.rounds or (2 if arguments.quick else 3)
    results = {"machine": machine(python_version, len(cpus)), "quick": arguments.quick, "rows": [], "not_run": []}
    budget_s, started = QUICK_BUDGET_S if arguments.quick else BUDGET_S, time.monotonic()
    for name in arguments.case or cases.CASES:
        for group in cases.CASES[name](arguments.quick):
            print(f"  {time.monotonic() - started:5.0f} s  {name}: {group.case}, {table.words(group.params)}", file=sys.stderr,
                  flush=True)
            rows = rows_of(group, *measure(runner, group, rounds, budget_s, results["not_run"]))
            for row in rows:
                row["of"] = name
            results["rows"] += rows
            pathlib.Path(arguments.results).write_text(json.dumps(results, indent=1) + "\n")
    print(table.text(results))
    print("\nfigures to reach")
    print("\n".join("  " + line for line in table.columns([figures.HEAD] + figures.lines(results))))
    return 1 if any(row["reason"].startswith("FAILED") for row in results["not_run"]) else 0


if __name__ == "__main__":
    sys.exit(main())
