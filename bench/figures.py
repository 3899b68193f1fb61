"""figures.py [RESULTS]: the figures that libsoon is to reach, each beside what was measured in one and the same run."""
import json
import pathlib
import sys

MIB, GIB = 1 << 20, 1 << 30
OURS_THREADS, OURS_PROCESSES = "libsoon threads", "libsoon processes"


def median(results, case, system, metric, **params):
    """Of the first row that has these parameters; None: it was not measured."""
    for row in results["rows"]:
        if (row["of"] != "growth" and (row["case"], row["system"], row["metric"]) == (case, system, metric)
                and all(row["params"].get(key) == number for key, number in params.items())):
            return row["median"]
    return None


class Figure:
    """`ours` over `other`, or where that is None `ours` alone, must be at most `most`."""

    def __init__(self, what, most, unit, ours, other=None):
        self.what, self.most, self.unit, self.ours, self.other = what, most, unit, ours, other
        self.scale = 1e6 if unit == "ms" else 1  # the rows have nanoseconds

    def measured(self, results):
        case, system, metric, params = self.ours
        number = median(results, case, system, metric, **params)
        if number is None:
            return None
        if self.other is None:
            return number / self.scale
        case, system, metric, params = self.other
        other = median(results, case, system, metric, **params)
        return number / other if other else None

    def cells(self, results):
        number = self.measured(results)
        if number is None:
            return [self.what, f"{self.most:g} {self.unit}", "", "not measured"]
        return [self.what, f"{self.most:g} {self.unit}", f"{number:.3g} {self.unit}",
                "met" if number <= self.most else "not met"]


def beside(what, most, case, ours, other, metric, **params):
    return Figure(what, most, "x", (case, ours, metric, params), (case, other, metric, params))


def alone(what, most, unit, case, ours, metric, **params):
    return Figure(what, most, unit, (case, ours, metric, params))


def figures():
    for workers in (1, 2, 4):
        pool = f"{workers} worker{'s' if workers > 1 else ''}"
        yield beside(f"threads: submit + complete, {pool}, beside uv_queue_work", 0.5, "submit, threads",
                     OURS_THREADS, "libuv uv_queue_work", "ns_per_task", submitters=1, workers=workers, work_ns=0)
    yield beside("threads: round trip beside a ping-pong, same spinning", 1.5, "round trip, threads", OURS_THREADS,
                 "limit: ping-pong, same spinning", "p50_ns", pause_us=0)
    yield beside("threads: fib beside oneTBB's task_group", 1, "fork-join, fib", OURS_THREADS, "oneTBB task_group",
                 "ns_per_task", workers=2)
    yield beside("processes: round trip beside a ping-pong, same spinning", 1.5, "round trip, processes", OURS_PROCESSES,
                 "limit: ping-pong, same spinning", "p50_ns", pause_us=0)
    yield beside("processes: round trip beside ProcessPoolExecutor", 1 / 20, "round trip, processes", OURS_PROCESSES,
                 "Python ProcessPoolExecutor", "p50_ns", pause_us=0)
    yield alone("processes: small tasks, 2 workers", 1000, "ns", "submit, processes", OURS_PROCESSES, "ns_per_task",
                submitters=1, workers=2)
    yield beside("processes: small tasks beside Pool", 1 / 25, "submit, processes", OURS_PROCESSES, "Python Pool",
                 "ns_per_task", submitters=1, workers=2)
    yield beside("processes: 1 MiB both ways beside the bare exchange", 1.5, "payload both ways", OURS_PROCESSES,
                 "limit: exchange, same copies", "ns_per_exchange", size=MIB)
    yield beside("processes: 1 MiB both ways beside ProcessPoolExecutor", 1 / 4, "payload both ways", OURS_PROCESSES,
                 "Python ProcessPoolExecutor", "ns_per_exchange", size=MIB)
    for system in (OURS_THREADS, OURS_PROCESSES):
        for size in (0, 32):
            yield alone(f"{system}: memory per pending future, {size} bytes of argument", 192, "B",
                        "memory per pending future", system, "bytes_per_future", size=size)
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
