"""figures.py [RESULTS]: the figures that libsoon is to reach, each beside what one run has measured or counted."""
import json
import operator
import pathlib
import sys

MIB, GIB = 1 << 20, 1 << 30
OURS_THREADS, OURS_PROCESSES = "libsoon threads", "libsoon processes"


def median(results, case, system, metric, **params):
    """The value of the first row that has these parameters; None: it was not measured."""
    for row in results["rows"]:
        if (row["of"] != "growth" and (row["case"], row["system"], row["metric"]) == (case, system, metric)
                and all(row["params"].get(key) == number for key, number in params.items())):
            return row["median"]
    return None


class Figure:
    """`ours` over or minus `other`, by `how`; if that is None, `ours` alone. The result should be `most` at most."""

    def __init__(self, what, most, unit, ours, other=None, how=None):
        self.what, self.most, self.unit, self.ours, self.other, self.how = what, most, unit, ours, other, how
        self.scale = 1e6 if unit == "ms" else 1  # the rows have nanoseconds

    def measured(self, results):
        case, system, metric, params = self.ours
        number = median(results, case, system, metric, **params)
        if number is None or self.other is None:
            return None if number is None else number / self.scale
        case, system, metric, params = self.other
        other = median(results, case, system, metric, **params)
        return self.how(number, other) if other else None

    def cells(self, results):
        number = self.measured(results)
        if number is None:
            return [self.what, f"{self.most:g} {self.unit}", "", "not measured"]
        if self.unit == "B":
            number = round(number)  # a block has whole bytes; the lists of all blocks are part of what was measured
        shown = f"{number:.3g}" if abs(number) < 1000 else f"{number:,.0f}"
        return [self.what, f"{self.most:g} {self.unit}", f"{shown} {self.unit}",
                "met" if number <= self.most else "not met"]


class Counted(Figure):
    """Instructions per task, which bench/instructions has counted, and not this run."""

    KEPT = pathlib.Path(__file__).parent / "instructions.json"

    def __init__(self, case, most):
        super().__init__(f"instructions of a {case}", most, "instructions", case)

    def measured(self, _):
        return json.loads(self.KEPT.read_text())["per task"].get(self.ours, {}).get("instructions")


def beside(what, most, case, ours, other, metric, **params):
    return Figure(what, most, "x", (case, ours, metric, params), (case, other, metric, params), operator.truediv)


def over(what, most, case, ours, other, metric, **params):
    """How many nanoseconds ours takes more than the other."""
    return Figure(what, most, "ns", (case, ours, metric, params), (case, other, metric, params), operator.sub)


def alone(what, most, unit, case, ours, metric, **params):
    return Figure(what, most, unit, (case, ours, metric, params))


UV, PING_PONG = "libuv uv_queue_work", "limit: ping-pong, same spinning"


def of_threads():
    for workers in (1, 2, 4):
        what = f"threads: submit + complete, {workers} worker{'s' if workers > 1 else ''}, beside "
        how = dict(submitters=1, workers=workers, work_ns=0)
        yield beside(what + "uv_queue_work", 0.35, "submit, threads", OURS_THREADS, UV, "ns_per_task", **how)
        yield beside(what + "oneTBB's enqueue", 1, "submit, threads", OURS_THREADS, "oneTBB enqueue", "ns_per_task", **how)
    for workers in (2, 4):
        yield beside(f"threads: fib, {workers} workers, beside oneTBB's task_group", 1, "fork-join, fib", OURS_THREADS,
                     "oneTBB task_group", "ns_per_task", workers=workers, spawns=2)
    yield over("threads: round trip, over a ping-pong with the same spinning", 150, "round trip, threads", OURS_THREADS, PING_PONG,
               "p50_ns", pause_us=0)
    yield beside("threads: round trip beside Go", 1, "round trip, threads", OURS_THREADS, "Go goroutines", "p50_ns", pause_us=0)
    yield beside("threads: callbacks on a loop beside uv_queue_work", 0.5, "callbacks on a loop", OURS_THREADS, UV, "ns_per_task")
    yield beside("threads: map, 2 workers, beside OpenMP's for", 2, "map", OURS_THREADS, "OpenMP parallel for", "ns_per_item",
                 workers=2)
    for futures in (1000, 100000):
        yield alone(f"as_completed, {futures:,} done", 100, "ns", "collect", OURS_THREADS, "ns_per_future", how="as_completed",
                    when="done", futures=futures)


def of_instructions():
    for case, most in ("submit + complete", 500), ("round trip", 900), ("fib task", 400):
        yield Counted(case, most)


def of_processes():
    yield over("processes: round trip, over a ping-pong with the same spinning", 350, "round trip, processes", OURS_PROCESSES,
               PING_PONG, "p50_ns", pause_us=0)
    yield beside("processes: round trip beside ProcessPoolExecutor", 1 / 20, "round trip, processes", OURS_PROCESSES,
                 "Python ProcessPoolExecutor", "p50_ns", pause_us=0)
    yield alone("processes: small tasks, 2 workers", 400, "ns", "submit, processes", OURS_PROCESSES, "ns_per_task",
                submitters=1, workers=2)
    yield beside("processes: small tasks beside Pool", 1 / 25, "submit, processes", OURS_PROCESSES, "Python Pool",
                 "ns_per_task", submitters=1, workers=2)
    yield beside("processes: callbacks on a loop beside uv_queue_work", 1.2, "callbacks on a loop", OURS_PROCESSES, UV,
                 "ns_per_task")
    yield alone("processes: map, 2 workers", 20, "ns", "map", OURS_PROCESSES, "ns_per_item", workers=2)
    yield beside("processes: 1 MiB both ways beside the bare exchange", 1.5, "payload both ways", OURS_PROCESSES,
                 "limit: exchange, same copies", "ns_per_exchange", size=MIB)
    yield beside("processes: 1 MiB both ways beside ProcessPoolExecutor", 1 / 4, "payload both ways", OURS_PROCESSES,
                 "Python ProcessPoolExecutor", "ns_per_exchange", size=MIB)


def figures():
    yield from of_threads()
    yield from of_instructions()
    yield from of_processes()
    for system in (OURS_THREADS, OURS_PROCESSES):
        yield alone(f"{system}: memory per pending future, 32 bytes of argument", 128, "B", "memory per pending future", system,
                    "bytes_per_future", size=32)
        yield alone(f"{system}: left of that when all are gone", 64, "MiB", "memory per pending future", system,
                    "left_mib", size=32)
    for resident in (0, 6 * GIB):
        held = f", {resident // GIB} GiB resident" if resident else ""
        yield alone("killed worker: until its future fails" + held, 5, "ms", "recovery after SIGKILL",
                    OURS_PROCESSES, "failed_ns", resident=resident)
        yield alone("killed worker: until its replacement has served" + held, 20, "ms", "recovery after SIGKILL",
                    OURS_PROCESSES, "replaced_ns", resident=resident)
        yield alone("processes: first result of a new pool" + held, 5, "ms", "start-up to first result",
                    OURS_PROCESSES, "first_result_ns", resident=resident)
    for system in (OURS_THREADS, OURS_PROCESSES):
        yield alone(f"{system}: CPU of an idle pool, per second", 0, "us", "idle pools", system, "cpu_us_per_s")


HEAD = ["figure", "at most", "measured", ""]


def lines(results):
    return [figure.cells(results) for figure in figures()]


if __name__ == "__main__":
    import table

    path = pathlib.Path(sys.argv[1]) if len(sys.argv) > 1 else pathlib.Path(__file__).parent / "results.json"
    print("\n".join(table.columns([HEAD] + lines(json.loads(path.read_text())))))
