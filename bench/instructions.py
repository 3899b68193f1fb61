"""instructions.py BUILD KEPT [--check]: see bench/instructions.

Each program runs twice, with few and with many tasks: the difference is what the tasks took, without start and end. On one CPU
the library looks for no work before it sleeps, and valgrind runs one thread at a time: what differs from run to run is below
one percent. There are no numbers for process pools: valgrind has no pidfd_open().
"""
import json
import os
import pathlib
import re
import statistics
import subprocess
import sys
import tempfile

MARGIN, RUNS = 0.10, 3
# name: program, its argument for how many, few, many, and what a task of that argument is: the warm-up has a tenth.
COUNTED = {
    "submit + complete": ("bench_submit", "tasks", 2000, 12000, 1.1),
    "round trip": ("bench_roundtrip", "rounds", 500, 2500, 1.1),
}


def first_line(*command):
    return subprocess.run(command, capture_output=True, text=True, check=True).stdout.splitlines()[0]


def tools(build):
    """What the numbers hold for."""
    command = json.loads((pathlib.Path(build) / "compile_commands.json").read_text())[0]["command"].split()
    compiler = command[1] if command[0].endswith("ccache") else command[0]
    # gcc says as what it was called
    return {"compiler": re.sub(r"^g?cc ", "gcc ", first_line(compiler, "--version")), "libc": first_line("ldd", "--version"),
            "machine": os.uname().machine}


def count(command):
    with tempfile.NamedTemporaryFile() as out:
        done = subprocess.run(["valgrind", "--tool=callgrind", "--callgrind-out-file=" + out.name, *command],
                              capture_output=True, text=True)
    collected = re.search(r"Collected : (\d+)", done.stderr)
    if done.returncode != 0 or not collected:
        sys.exit(f"{' '.join(command)} failed under valgrind:\n{done.stderr}")
    return int(collected.group(1))


def per_task(build, program, key, few, many, scale):
    words = [str(pathlib.Path(build) / "bench" / program), "workers=1", "passes=1"]
    counts = [statistics.median(count(words + [f"{key}={n}"]) for _ in range(RUNS)) for n in (few, many)]
    return round((counts[1] - counts[0]) / ((many - few) * scale))


def check(kept, now):
    """Returns how many are worse."""
    for tool, is_now in now["tools"].items():
        if kept["tools"][tool] != is_now:
            print(f"Not compared: the numbers kept are for {tool} {kept['tools'][tool]!r}, this is {is_now!r}.")
            return 0
    worse = 0
    for name, number in now["instructions"].items():
        was = kept["instructions"].get(name)
        if was is None:
            print(f"{name}: {number}; nothing was kept to compare with")
            continue
        change = number / was - 1
        too_many = change > MARGIN
        worse += too_many
        print(f"{name}: {number} instructions, {was} were kept, {change:+.1%}{': too many' if too_many else ''}")
        if change < -MARGIN:
            print("  It is better now: keep the new numbers, by bench/instructions.")
    return worse


def main():
    build, path = sys.argv[1], pathlib.Path(sys.argv[2])
    unknown = set(sys.argv[3:]) - {"--check"}
    if unknown:
        sys.exit(f"usage: bench/instructions [--check], not {' '.join(unknown)}")
    os.sched_setaffinity(0, [min(os.sched_getaffinity(0))])
    now = {"tools": tools(build), "instructions": {name: per_task(build, *how) for name, how in COUNTED.items()}}
    if "--check" in sys.argv[3:]:
        if not path.exists():
            sys.exit(f"there is no {path} to compare with: make it with bench/instructions")
        sys.exit(1 if check(json.loads(path.read_text()), now) else 0)
    path.write_text(json.dumps(now, indent=1) + "\n")
    print(path.read_text(), end="")


if __name__ == "__main__":
    main()
