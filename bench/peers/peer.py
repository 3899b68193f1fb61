"""peer.py - Python's ThreadPoolExecutor (tpe), ProcessPoolExecutor (ppe) and multiprocessing.Pool (pool).

    peer.py CASE how=tpe|ppe|pool key=value ...

The cases and keys are those of ours. Runs with any Python from 3.8 on, as `python3 peer.py`.
"""
import concurrent.futures as cf
import json
import multiprocessing
import os
import signal
import sys
import threading
import time
from concurrent.futures.process import BrokenProcessPool

metrics = {}
now = time.perf_counter_ns
options = dict(argument.split("=", 1) for argument in sys.argv[2:])
NOT_HERE = 77


def number(key, otherwise):
    return int(options.get(key, otherwise))


def check(holds, what):
    if not holds:
        sys.exit("wrong: " + what)


def skip(reason):
    print(reason, file=sys.stderr)
    sys.exit(NOT_HERE)


def metric(name, value):
    metrics.setdefault(name, []).append(value)


def percentiles(times):
    times.sort()
    for name, part, least in ("p50_ns", 0.5, 1), ("p99_ns", 0.99, 100), ("p999_ns", 0.999, 1000):
        if len(times) >= least:
            metric(name, times[int(len(times) * part)])


def busy(ns):
    if ns:
        until = now() + ns
        while now() < until:
            pass


def add_one(x):
    return x + 1


def busy_add_one(x, ns):
    busy(ns)
    return x + 1


class Pool:
    """multiprocessing.Pool under the names of an executor."""

    def __init__(self, workers):
        self.pool = multiprocessing.Pool(workers)

    def submit(self, fn, *args):
        future = self.pool.apply_async(fn, args)
        future.result = future.get
        return future

    def map(self, fn, items, chunksize=None):
        return self.pool.map(fn, items, chunksize)

    def shutdown(self):
        self.pool.close()
        self.pool.join()


def executor(workers=None):
    how = options.get("how", "tpe")
    workers = workers or number("workers", 2)
    if how == "tpe":
        return cf.ThreadPoolExecutor(workers)
    return cf.ProcessPoolExecutor(workers) if how == "ppe" else Pool(workers)


def submit_all(pool, tasks, ns):
    futures = [pool.submit(busy_add_one, i, ns) if ns else pool.submit(add_one, i) for i in range(tasks)]
    check(sum(f.result() for f in futures) == tasks * (tasks + 1) // 2, "the sum of the results")


def run(pool, submitters, tasks, ns):
    threads = [threading.Thread(target=submit_all, args=(pool, tasks // submitters, ns)) for _ in range(submitters)]
    started = now()
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    return now() - started


def submit():
    tasks, submitters, ns = number("tasks", 10000), number("submitters", 1), number("work_ns", 0)
    pool = executor()
    run(pool, submitters, tasks // 10 + submitters, ns)
    for _ in range(number("passes", 3)):
        metric("ns_per_task", run(pool, submitters, tasks, ns) / tasks)
    pool.shutdown()


def roundtrip():
    pool, rounds, pause = executor(), number("rounds", 1000), number("pause_us", 0) / 1e6
    for i in range(rounds // 10 + 1):
        pool.submit(add_one, i).result()
    for _ in range(number("passes", 3)):
        times = []
        for i in range(rounds):
            if pause:
                time.sleep(pause)
            started = now()
            result = pool.submit(add_one, i).result()
            times.append(now() - started)
            check(result == i + 1, "a result")
        percentiles(times)
    pool.shutdown()


def sets():
    count = number("futures", 1000)
    for _ in range(number("passes", 3)):
        futures = [cf.Future() for _ in range(count)]

        def complete():
            for i, future in enumerate(futures):
                future.set_result(i + 1)

        thread = threading.Thread(target=complete)
        if options.get("when", "done") == "live":
            thread.start()
        else:
            complete()
        started = now()
        if options.get("how", "as_completed") == "wait":
            cf.wait(futures)
            total = sum(f.result() for f in futures)
        else:
            total = sum(f.result() for f in cf.as_completed(futures))
        metric("ns_per_future", (now() - started) / count)
        check(total == count * (count + 1) // 2, "the sum of the results")
        if thread.ident:
            thread.join()


def map_():
    items = range(number("items", 100000))
    pool = executor()
    for _ in range(number("passes", 3)):
        started = now()
        results = pool.map(add_one, items)
        metric("ns_per_item", (now() - started) / len(items))
        check(sum(results) == len(items) * (len(items) + 1) // 2, "the sum of the results")
    pool.shutdown()


def answer(data):
    check(data[-1] == 1, "the argument")
    return b"\2" * len(data)


def payload():
    """Bytes in both directions. Here reading is one byte and writing a fill, which favours Python."""
    size, rounds, pool = number("size", 1 << 20), number("rounds", 20), executor()
    for i in range(-1, number("passes", 3)):
        started = now()
        for _ in range(rounds if i >= 0 else 1):
            result = pool.submit(answer, b"\1" * size).result()
            check(len(result) == size and result[-1] == 2, "the result's bytes")
        if i >= 0:
            metric("ns_per_exchange", (now() - started) / rounds)
    pool.shutdown()


def grow(size):
    """Makes that much memory resident, in small pages."""
    if not size:
        return None
    if size > os.sysconf("SC_AVPHYS_PAGES") * os.sysconf("SC_PAGESIZE"):
        skip("not enough memory here")
    import mmap

    memory = mmap.mmap(-1, size, flags=mmap.MAP_PRIVATE | mmap.MAP_ANONYMOUS)
    if hasattr(mmap, "MADV_NOHUGEPAGE"):
        memory.madvise(mmap.MADV_NOHUGEPAGE)
    block = b"\1" * (16 << 20)
    for at in range(0, size, len(block)):
        memory[at : at + len(block)] = block[: size - at]
    return memory


def startup():
    memory = grow(number("resident", 0))
    for _ in range(number("passes", 5)):
        started = now()
        pool = executor()
        result = pool.submit(add_one, 1).result()
        metric("first_result_ns", now() - started)
        check(result == 2, "the first result")
        pool.shutdown()
    del memory


def hang(path):
    with open(path, "w") as file:
        file.write(str(os.getpid()))
    time.sleep(60)


def recovery():
    """After a death the executor is broken: its replacement is a new one, which the caller makes."""
    memory = grow(number("resident", 0))
    for _ in range(number("passes", 5)):
        pool, path = executor(), os.path.join(options["scratch"], "pid-%d" % os.getpid())
        future = pool.submit(hang, path)
        while not (os.path.exists(path) and os.path.getsize(path)):
            time.sleep(0.001)
        time.sleep(0.01)
        with open(path) as file:
            victim = int(file.read())
        killed = now()
        os.kill(victim, signal.SIGKILL)
        check(isinstance(future.exception(), BrokenProcessPool), "the error of the killed task")
        metric("failed_ns", now() - killed)
        pool.shutdown(wait=False)
        pool = executor()
        check(pool.submit(add_one, 1).result() == 2, "a task after the death")
        metric("replaced_ns", now() - killed)
        pool.shutdown()
        os.unlink(path)
    del memory


def resident():
    with open("/proc/self/statm") as file:
        return int(file.read().split()[1]) * os.sysconf("SC_PAGESIZE")


def memory():
    tasks, size, gate = number("tasks", 10000), number("size", 0), threading.Event()
    pool = executor(1)
    held = pool.submit(gate.wait)
    before = resident()
    # bytes(size) is one and the same object where size is 0
    futures = [pool.submit(len, bytes(size)) for _ in range(tasks)]
    full = resident()
    metric("bytes_per_future", (full - before) / tasks)
    gate.set()
    check(sum(f.result() for f in futures) == size * tasks and held.result(), "the results")
    del futures
    metric("left_mib", (resident() - before) / 2**20)
    metric("peak_mib", (full - before) / 2**20)
    pool.shutdown()


if __name__ == "__main__":
    cases = dict(submit=submit, roundtrip=roundtrip, sets=sets, map=map_, payload=payload, startup=startup)
    cases.update(recovery=recovery, memory=memory)
    cases[sys.argv[1]]()
    print(json.dumps(metrics))
