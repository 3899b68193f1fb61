"""instructions.py BUILD KEPT [--check | --profile CASE]: see bench/instructions.

A program runs twice under callgrind, with few and with many tasks. The difference is the cost of the tasks, without start
and end. Callgrind counts how often each instruction ran, and objdump says what it was: an atomic read-modify-write, an
indirect call, or another one.

What threads do depends on which one runs when. Here they have one CPU, where the library does not spin. Valgrind lets one
thread run at a time, in their order, and the scheduling policy SCHED_BATCH keeps a thread from giving way to one that it has
woken. So the numbers are the same each time to a hundredth, also on a busy machine. Two cases are different:

- "round trip" is the one that a user meets on an idle machine. Mostly the worker runs before the caller looks for its result,
  but the machine decides how often. It is shown, and not compared; "round trip, both asleep" is compared, and is exact.
- Valgrind does not order processes; with SCHED_BATCH they alternate less evenly than without it. And where rounds take more
  than a millisecond under valgrind, on a busy machine, more of them are sampled. So where two processes wait for each other
  the margin is wider; and numbers of processes that are too large are counted again, alone, and the least of them counts.
  On a machine that others keep busy they are not compared then.
"""
import collections
import concurrent.futures
import functools
import json
import os
import pathlib
import re
import statistics
import subprocess
import sys
import tempfile
import typing

RUNS, AGAIN = 3, 3
MARGIN, PROCESSES_MARGIN, RMWS_SLACK = 0.10, 0.25, 0.3  # the slack counts where there are few
TOO_MANY = "too many"
KINDS = ("instructions", "read-modify-writes", "indirect calls")


class Case(typing.NamedTuple):
    """`many` minus `few` of what `key` says, times `scale`, is how many tasks the difference took."""
    program: str
    key: str
    few: int
    many: int
    scale: float = 1.1  # the warm-up has a tenth
    words: dict = {}
    inside: str = None  # the function to count in, where not all that the program does is meant
    batch: bool = True
    compared: bool = True
    margin: float = MARGIN


CASES = {
    "submit + complete": Case("submit", "tasks", 2000, 12000),
    "round trip": Case("roundtrip", "rounds", 500, 2500, words={"whole": 1}, batch=False, compared=False),
    "round trip, both asleep": Case("roundtrip", "rounds", 500, 2500, words={"whole": 1}),
    "fib task": Case("fib", "passes", 2, 12, 465, {"n": 12}),
    "as_completed, 1,000 done": Case("sets", "passes", 2, 12, 1000, {"futures": 1000}, inside="as_completed"),
    "map item": Case("map", "items", 20000, 120000, 2, {"passes": 2}),
    "callback on a loop": Case("callbacks", "tasks", 2000, 12000),
    "callback where it is dispatched": Case("loops", "tasks", 2000, 12000, words={"loop": "epoll"}),
    "process round trip": Case("roundtrip", "rounds", 500, 2500, words={"pool": "processes", "whole": 1}, batch=False,
                               margin=PROCESSES_MARGIN),
    "process task": Case("submit", "tasks", 2000, 12000, words={"pool": "processes"}, batch=False),
    "process map item": Case("map", "items", 20000, 120000, 2, {"passes": 2, "pool": "processes"}, batch=False),
    "process callback on a loop": Case("callbacks", "tasks", 2000, 12000, words={"pool": "processes"}, batch=False,
                                       margin=PROCESSES_MARGIN),
}


def first_line(*command):
    return subprocess.run(command, capture_output=True, text=True, check=True).stdout.splitlines()[0]


def tools(build):
    """The compiler and libc that the numbers hold for."""
    command = json.loads((build / "compile_commands.json").read_text())[0]["command"].split()
    compiler = command[1] if command[0].endswith("ccache") else command[0]
    # gcc says as what it was called
    return {"compiler": re.sub(r"^g?cc ", "gcc ", first_line(compiler, "--version")), "libc": first_line("ldd", "--version"),
            "machine": os.uname().machine}


def executed(text):
    """Reads a file of callgrind's: {(object, address): (function, how often)}. A line with a count belongs to the
    instruction itself, unless the line before said that it is a call."""
    counts, path, function, is_call = {}, None, None, False
    for line in text.splitlines():
        key, _, value = line.partition("=")
        if key == "ob":
            path = value
        elif key == "fn":
            function = value
        elif key == "calls":
            is_call = True
        elif line.startswith("0x"):
            address, _, count = line.split()
            if not is_call:
                at = path, int(address, 16)
                counts[at] = function, counts.get(at, (None, 0))[1] + int(count)
            is_call = False
    return counts


@functools.cache
def marked(path):
    """The addresses of an object's read-modify-writes, and of its indirect calls."""
    shown = subprocess.run(["objdump", "-d", "--no-show-raw-insn", path], capture_output=True, text=True).stdout
    return [{int(address, 16) for address in re.findall(r"^ *([0-9a-f]+):\t" + instruction, shown, re.MULTILINE)}
            for instruction in (r"(?:lock |xchg .*\()", r"(?:bnd |notrack )*call +\*")]


def per_function(counts):
    """{(function, object): how many of each kind}."""
    sums = collections.defaultdict(lambda: [0, 0, 0])
    for (path, address), (function, count) in counts.items():
        kinds = sums[function, os.path.basename(path)]
        rmws, calls = marked(path)
        kinds[0] += count
        kinds[1] += count * (address in rmws)
        kinds[2] += count * (address in calls)
    return sums


def run(build, case, number):
    """What each process executed, by function; the parent's first."""
    words = {"workers": 1, "passes": 1, **case.words, case.key: number}
    command = [str(build / "bench" / ("bench_" + case.program)), *(f"{key}={word}" for key, word in words.items())]
    environment = dict(os.environ)
    if "pool" in words:
        environment["LD_PRELOAD"] = str((build / "bench" / "libpidfd.so").resolve())
    with tempfile.TemporaryDirectory() as folder:
        valgrind = ["valgrind", "--tool=callgrind", "--dump-instr=yes", "--compress-strings=no", "--compress-pos=no",
                    "--fair-sched=yes", "--trace-children=yes", f"--callgrind-out-file={folder}/%p"]
        if case.inside:
            valgrind.append("--toggle-collect=" + case.inside)
        process = subprocess.Popen(valgrind + command, env=environment, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE,
                                   text=True)
        said = process.communicate()[1]
        if process.returncode != 0:
            sys.exit(f"{' '.join(command)} failed under valgrind:\n{said}")
        paths = sorted(pathlib.Path(folder).iterdir(), key=lambda path: path.name != str(process.pid))
        return [per_function(executed(path.read_text())) for path in paths]


def budget(build, name):
    """What a task takes: {side: {(function, object): how many of each kind}}. The thread stays on one CPU."""
    case = CASES[name]
    os.sched_setscheduler(0, os.SCHED_BATCH if case.batch else os.SCHED_OTHER, os.sched_param(0))
    few, many = (run(build, case, number) for number in (case.few, case.many))
    tasks = (case.many - case.few) * case.scale
    names = [name] if len(many) == 1 else [name + ", parent", name + ", worker"]
    return {side: {function: [(n - m) / tasks for m, n in zip(before[function], after[function])] for function in list(after)}
            for side, before, after in zip(names, few, many)}


def total(functions):
    return [sum(column) for column in zip(*functions.values())]


def numbers(build, name):
    """{name of the side: {kind: number}}: medians of some runs, of the kinds that are compared."""
    runs = [{side: total(functions) for side, functions in budget(build, name).items()} for _ in range(RUNS)]
    return {side: {kind: round(statistics.median(one[side][i] for one in runs), 1) + 0 for i, kind in enumerate(KINDS[:2])}
            for side in runs[0]}


def count_all(build):
    """On each CPU one case at a time."""
    cpus = collections.deque(os.sched_getaffinity(0))

    def on_one_cpu(name):
        cpu = cpus.pop()
        os.sched_setaffinity(0, [cpu])  # this thread's, and so the programs' that it starts
        try:
            return numbers(build, name)
        finally:
            cpus.append(cpu)

    with concurrent.futures.ThreadPoolExecutor(len(cpus)) as pool:
        return {side: kinds for sides in pool.map(on_one_cpu, CASES) for side, kinds in sides.items()}


def case_of(side):
    """Of processes a side is a parent or a worker."""
    return side if side in CASES else side.rpartition(",")[0]


def verdict(side, kind, was, number):
    if was is None:
        return "nothing was kept to compare with"
    case = CASES[case_of(side)]
    if not case.compared:
        return "not compared"
    slack = case.margin * was + (RMWS_SLACK if kind == KINDS[1] else 0)
    if number > was + slack:
        return TOO_MANY
    return "better: keep it, by bench/instructions" if number < was - slack else "as it was"


def is_too_many(kept, side, kinds):
    return any(verdict(side, kind, kept.get(side, {}).get(kind), number) == TOO_MANY for kind, number in kinds.items())


def count_again(build, kept, now):
    """Cases of processes that took too many. Returns those that still do, on a machine that is busy: nobody knows why."""
    unknown = set()
    for name in {case_of(side) for side, kinds in now.items() if is_too_many(kept, side, kinds)}:
        for _ in range(0 if CASES[name].batch else AGAIN):
            for side, kinds in numbers(build, name).items():
                now[side] = {kind: min(number, now[side][kind]) for kind, number in kinds.items()}
        if not CASES[name].batch and os.getloadavg()[0] > len(os.sched_getaffinity(0)):
            unknown |= {side for side in now if case_of(side) == name and is_too_many(kept, side, now[side])}
    return unknown


def check(build, kept, now):
    """Returns whether there is a number that is too large."""
    worse = False
    unknown = count_again(build, kept, now)
    for side, kinds in now.items():
        for kind, number in kinds.items():
            was = kept.get(side, {}).get(kind)
            found = verdict(side, kind, was, number)
            if found == TOO_MANY and side in unknown:
                found = "not compared: the machine is busy"
            worse |= found == TOO_MANY
            print(f"{side}: {number:g} {kind}, {was or 0:g} were kept: {found}")
    return worse


def show_profile(build, name):
    os.sched_setaffinity(0, [min(os.sched_getaffinity(0))])
    for side, functions in budget(build, name).items():
        rows = sorted(functions.items(), key=lambda row: -row[1][0])
        print(f"{side}: per task, in each function itself")
        print("".join(f"{kind:>20}" for kind in KINDS) + "  function, where it is")
        for where, kinds in [(("in all", ""), total(functions)), *rows]:
            if max(kinds) >= 0.05:
                print("".join(f"{number:20.1f}" for number in kinds), "", *where)


def main():
    build, path, words = pathlib.Path(sys.argv[1]), pathlib.Path(sys.argv[2]), sys.argv[3:]
    if os.uname().machine != "x86_64":
        sys.exit("bench/instructions knows the instructions of x86_64 alone")
    if len(words) == 2 and words[0] == "--profile" and words[1] in CASES:
        return show_profile(build, words[1])
    if words not in ([], ["--check"]):
        sys.exit("Usage: bench/instructions [--check | --profile CASE]; a CASE is one of: " + "; ".join(CASES))
    holds_for = tools(build)
    if not words:
        path.write_text(json.dumps({"tools": holds_for, "per task": count_all(build)}, indent=1) + "\n")
        return print(path.read_text(), end="")
    kept = json.loads(path.read_text())
    if kept["tools"] != holds_for:
        return print(f"Not compared: the numbers kept are for {kept['tools']}, this is {holds_for}.")
    return check(build, kept["per task"], count_all(build))


if __name__ == "__main__":
    sys.exit(main())
