"""cluster.py dask|mpi: round trips, small tasks and a map on Dask, or on mpi4py.futures (under mpiexec), on this machine;
prints one line of JSON. bench/cluster runs it, where Debian's packages are installed."""
import json
import statistics
import sys
import time


def add_one(x):
    return x + 1


def measure(submit, flood, map_all, rounds=300, tasks=2000, items=100000):
    times = []
    for i in range(rounds + 20):
        started = time.perf_counter_ns()
        assert submit(i) == i + 1
        times.append(time.perf_counter_ns() - started)
    started = time.perf_counter_ns()
    assert sum(flood(tasks)) == tasks * (tasks + 1) // 2
    per_task = (time.perf_counter_ns() - started) / tasks
    started = time.perf_counter_ns()
    assert sum(map_all(items)) == items * (items + 1) // 2
    per_item = (time.perf_counter_ns() - started) / items
    print(json.dumps({"p50_ns": [statistics.median(times[20:])], "ns_per_task": [per_task], "ns_per_item": [per_item]}))


def chunk_of(numbers):
    return [add_one(number) for number in numbers]


def dask():
    from distributed import Client, LocalCluster

    with LocalCluster(n_workers=2, threads_per_worker=1, processes=True, dashboard_address=None) as cluster, Client(cluster) as client:
        def map_all(items):
            chunks = [range(at, min(at + 1000, items)) for at in range(0, items, 1000)]
            return [x for part in client.gather(client.map(chunk_of, chunks, pure=False)) for x in part]

        measure(lambda i: client.submit(add_one, i, pure=False).result(),
                lambda tasks: client.gather([client.submit(add_one, i, pure=False) for i in range(tasks)]), map_all)


def mpi():
    from mpi4py.futures import MPIPoolExecutor

    with MPIPoolExecutor() as pool:
        measure(lambda i: pool.submit(add_one, i).result(),
                lambda tasks: [future.result() for future in [pool.submit(add_one, i) for i in range(tasks)]],
                lambda items: pool.map(add_one, range(items), chunksize=1000))


if __name__ == "__main__":
    {"dask": dask, "mpi": mpi}[sys.argv[1]]()
