"""cases.py - what is measured: for each case its systems, its sizes, and which of them is the limit.

A case makes groups. The systems of a group do the same work with the same parameters, and are measured in turns. Their names
say which of them are ours, peers or limits: see ours(), peer() and limit().
"""

# How long the library spins before it sleeps: there = the worker, here = the thread that waits for a result. The limits
# "same spinning" do the same. Change these with the library's own constants.
SPIN_NS = {
    "threads": {"spin_there_ns": 20000, "spin_here_ns": 20000},  # SOON__SPIN_NS in executor/core/spin_internal.h
    "processes": {"spin_there_ns": 20000, "spin_here_ns": 20000},  # SPIN_NS in executor/processes/parent/pool.c
}
NO_SPIN = {"spin_there_ns": 0, "spin_here_ns": 0}

OURS = {"threads": "libsoon threads", "processes": "libsoon processes"}
KIB, MIB, GIB = 1 << 10, 1 << 20, 1 << 30


class System:
    """A name, a role, the words of its command, and what differs from the group's parameters."""

    def __init__(self, name, role, command, **extra):
        self.name, self.role, self.command, self.extra = name, role, command, extra


class Group:
    """Systems that are measured in turns. `metrics` are those shown; the first one counts for the ratios."""

    def __init__(self, case, params, metrics, systems, rounds=None, grows=None):
        self.case, self.params, self.metrics, self.systems = case, params, metrics, systems
        self.rounds = rounds  # None: as the run says
        self.grows = grows  # the parameter that says how much work it is, for the exponents


def ours(pool, program, name=None, **extra):
    return System(name or OURS[pool], "ours", ["bench_" + program], pool=pool, **extra)


def peer(name, program, case, **extra):
    return System(name, "peer", [program, case], **extra)


def python(how, case, scale=1, **extra):
    """`scale`: it gets 1/scale of the tasks; what is shown is per task."""
    name = {"tpe": "Python ThreadPoolExecutor", "ppe": "Python ProcessPoolExecutor", "pool": "Python Pool"}[how]
    return System(name, "peer", ["python", case], how=how, scale=scale, **extra)


def limit(name, case, **extra):
    return System("limit: " + name, "limit", ["bench_limits", case], **extra)


def handed_over(between):
    """A block with an argument that comes back with a result, and the least of all: a word in a ring, one way."""
    return [limit("a block there and back", "blocks", between=between), limit("one-way ring", "ring", between=between)]


def submit_threads(params):
    systems = [
        ours("threads", "submit"),
        peer("libuv uv_queue_work", "peer_uv", "submit"),
        peer("GLib GThreadPool", "peer_glib", "submit"),
        peer("GLib GTask", "peer_gtask", "submit"),
        peer("oneTBB task_group", "peer_tbb", "submit", how="task_group"),
        peer("oneTBB enqueue", "peer_tbb", "submit", how="enqueue"),
        peer("Boost.Asio thread_pool", "peer_asio", "submit"),
        peer("Taskflow async", "peer_taskflow", "submit"),
        peer("OpenMP tasks", "peer_openmp", "submit"),
        peer("Go goroutines", "peer_go", "submit"),
        python("tpe", "submit", scale=20),
        *handed_over("threads"),
    ]
    return Group("submit, threads", params, ["ns_per_task"], systems)


def submit(quick):
    tasks = 20000 if quick else 50000
    for work_ns in (0, 1000):
        for submitters in (1, 4):
            for workers in (1, 2, 4):
                if quick and work_ns and (submitters, workers) != (1, 2):
                    continue
                yield submit_threads(dict(submitters=submitters, workers=workers, work_ns=work_ns, tasks=tasks))


def roundtrip_systems(pool, pause_us):
    limits = [
        limit("ping-pong, same spinning", "pingpong", between=pool, **SPIN_NS[pool]),
        limit("ping-pong, no spinning", "pingpong", between=pool, **NO_SPIN),
    ]
    scale = 1 if pause_us else 10
    if pool == "processes":
        peers = [python("ppe", "roundtrip", scale=scale), python("pool", "roundtrip", scale=scale)]
    else:
        peers = [
            peer("libuv uv_queue_work", "peer_uv", "roundtrip"),
            peer("GLib GThreadPool", "peer_glib", "roundtrip"),
            peer("GLib GTask", "peer_gtask", "roundtrip"),
            peer("oneTBB enqueue", "peer_tbb", "roundtrip"),
            peer("Boost.Asio thread_pool", "peer_asio", "roundtrip"),
            peer("Taskflow async", "peer_taskflow", "roundtrip"),
            peer("Go goroutines", "peer_go", "roundtrip"),
            python("tpe", "roundtrip", scale=scale),
        ]
    return [ours(pool, "roundtrip")] + peers + limits


def roundtrip(quick, pools=("threads", "processes")):
    for pool in pools:
        for pause_us in (0, 2000):
            rounds = (100 if quick else 500) if pause_us else (5000 if quick else 20000)
            params = dict(workers=2, pause_us=pause_us, rounds=rounds)
            yield Group("round trip, " + pool, params, ["p50_ns", "p99_ns", "p999_ns"],
                        roundtrip_systems(pool, pause_us))


def fib_systems(spawns):
    """Both halves of a call are spawned, or one, and the other is called."""
    others = [peer("OpenMP tasks", "peer_openmp", "fib"), peer("Go goroutines", "peer_go", "fib")] if spawns == 2 else []
    return [
        ours("threads", "fib"),
        peer("oneTBB task_group", "peer_tbb", "fib"),
        *others,
        System("limit: plain recursion", "limit", ["peer_openmp", "plain_fib"]),
    ]


def fib(quick):
    for spawns in (2, 1):
        for workers in (1, 2, 4):
            if workers != 2 and quick:
                continue
            yield Group("fork-join, fib", dict(workers=workers, spawns=spawns, n=22 if quick else 30, passes=1), ["ns_per_task"],
                        fib_systems(spawns))


def sets(quick):
    for how in ("as_completed", "wait"):
        for when in ("done", "live"):
            for futures in (1, 1000, 100000) if quick else (1, 1000, 100000, 1000000):
                peers = [python("tpe", "sets", scale=10 if futures >= 100000 else 1)]
                yield Group("collect", dict(how=how, when=when, futures=futures), ["ns_per_future"],
                            [ours("threads", "sets")] + peers, rounds=2, grows="futures")


def map_(quick):
    for workers in (1, 2, 4):
        if workers != 2 and quick:
            continue
        systems = [
            ours("threads", "map"),
            ours("processes", "map"),
            peer("OpenMP parallel for", "peer_openmp", "map"),
            python("pool", "map", scale=20),
            System("limit: plain loop", "limit", ["peer_openmp", "loop"]),
        ]
        yield Group("map", dict(workers=workers, items=1000000 if quick else 10000000), ["ns_per_item"], systems)


def callbacks(quick):
    systems = [
        ours("threads", "callbacks"),
        ours("processes", "callbacks"),
        peer("libuv uv_queue_work", "peer_uv", "callbacks"),
        peer("GLib GTask", "peer_gtask", "callbacks"),
        *handed_over("threads"),
    ]
    yield Group("callbacks on a loop", dict(workers=2, tasks=50000 if quick else 200000), ["ns_per_task"], systems)


def loops(quick):
    kinds = {"libuv": "uv", "epoll": "epoll", "GLib": "glib", "libevent": "libevent"}
    for pool in ("threads", "processes"):
        systems = [ours(pool, "loops", f"{OURS[pool]}, {name}", loop=loop) for name, loop in kinds.items()]
        yield Group("callbacks, by loop, " + pool, dict(workers=2, tasks=50000 if quick else 200000), ["ns_per_task"], systems)


def processes(quick):
    for submitters in (1, 4):
        for workers in (1, 2, 4):
            if quick and (submitters, workers) != (1, 2):
                continue
            systems = [
                ours("processes", "submit"),
                python("ppe", "submit", scale=50),
                python("pool", "submit", scale=20),
                *handed_over("processes"),
            ]
            params = dict(submitters=submitters, workers=workers, work_ns=0, tasks=50000 if quick else 100000)
            yield Group("submit, processes", params, ["ns_per_task"], systems)


def payload(quick):
    sizes = (KIB, 64 * KIB, MIB, 16 * MIB) if quick else (KIB, 16 * KIB, 256 * KIB, MIB, 4 * MIB, 32 * MIB, 256 * MIB)
    for size in sizes:
        params = dict(size=size, workers=1, rounds=max(1, min(200, 32 * MIB // size)), passes=1 if size > 64 * MIB else 3)
        systems = [
            ours("processes", "payload", **{"as": "bytes"}),
            ours("processes", "payload", name="libsoon processes, soon_buffer", **{"as": "buffer"}),
            python("ppe", "payload"),
            python("pool", "payload"),
            limit("exchange, same copies", "exchange", copies=2, **SPIN_NS["processes"]),
            limit("exchange, one copy each way", "exchange", copies=1, **SPIN_NS["processes"]),
            limit("fresh memory for both", "fresh"),
            limit("memcpy", "memcpy"),
        ]
        yield Group("payload both ways", params, ["ns_per_exchange"], systems, grows="size")


def startup(quick):
    for resident in (0, (1 if quick else 6) * GIB):
        systems = [ours("processes", "startup"), python("ppe", "startup"), python("pool", "startup"),
                   limit("a program that does nothing", "start")]
        yield Group("start-up to first result", dict(workers=2, resident=resident, passes=5), ["first_result_ns"],
                    systems, rounds=2 if resident else None)


def recovery(quick):
    for resident in (0, (1 if quick else 6) * GIB):
        systems = [ours("processes", "recovery"), python("ppe", "recovery")]
        yield Group("recovery after SIGKILL", dict(workers=2, resident=resident, passes=5), ["failed_ns", "replaced_ns"],
                    systems, rounds=2 if resident else None)


def memory(quick):
    for size in (0, 32, 256):
        tasks = 200000 if quick else 10000000
        systems = [ours("threads", "memory"), ours("processes", "memory"),
                   python("tpe", "memory", scale=1 if quick else 20)]
        yield Group("memory per pending future", dict(size=size, tasks=tasks),
                    ["bytes_per_future", "peak_mib", "left_mib"], systems, rounds=1)


def idle(quick):
    systems = [ours("threads", "idle"), ours("processes", "idle")]
    yield Group("idle pools", dict(workers=2, seconds=2 if quick else 10), ["cpu_us_per_s", "switches_per_s"], systems,
                rounds=1 if quick else 2)


def priority(quick):
    systems = [ours("threads", "priority"), ours("processes", "priority")]
    yield Group("priority under a flood", dict(workers=2, flood=100000 if quick else 1000000, rounds=200),
                ["p99_ns", "p50_ns"], systems)


def growth(quick):
    """The same work at 1/100, 1/10 and the whole; cases that have several sizes already are taken from there."""
    for part in (100, 10, 1):
        whole = (200000 if quick else 1000000) // part
        yield Group("submit, threads", dict(submitters=1, workers=2, work_ns=0, tasks=whole), ["ns_per_task"],
                    [ours("threads", "submit"), peer("libuv uv_queue_work", "peer_uv", "submit")], rounds=1, grows="tasks")
        yield Group("submit, processes", dict(submitters=1, workers=2, work_ns=0, tasks=whole), ["ns_per_task"],
                    [ours("processes", "submit")], rounds=1, grows="tasks")
        yield Group("callbacks on a loop", dict(workers=2, tasks=whole), ["ns_per_task"],
                    [ours("threads", "callbacks"), ours("processes", "callbacks")], rounds=1, grows="tasks")
        for pool in ("threads", "processes"):
            yield Group("round trip, " + pool, dict(workers=2, pause_us=0, rounds=(20000 if quick else 1000000) // part, passes=1),
                        ["mean_ns"], [ours(pool, "roundtrip")], rounds=1, grows="rounds")
        items = (1000000 if quick else 10000000) // part
        yield Group("map", dict(workers=2, items=items), ["ns_per_item"],
                    [ours("threads", "map"), ours("processes", "map")], rounds=1, grows="items")
        n = {100: 13, 10: 18, 1: 22} if quick else {100: 20, 10: 25, 1: 30}
        yield Group("fork-join, fib", dict(workers=2, spawns=2, n=n[part], passes=1), ["ns_per_task"], [ours("threads", "fib")],
                    rounds=1, grows="n")
        yield Group("memory per pending future", dict(size=32, tasks=(200000 if quick else 10000000) // part),
                    ["bytes_per_future"], [ours("threads", "memory"), ours("processes", "memory")], rounds=1, grows="tasks")
        yield Group("priority under a flood", dict(workers=2, flood=(500000 if quick else 1000000) // part, rounds=10),
                    ["p99_ns"], [ours("threads", "priority")], rounds=1, grows="flood")


CASES = {
    "submit": submit,
    "roundtrip": roundtrip,
    "fib": fib,
    "sets": sets,
    "map": map_,
    "callbacks": callbacks,
    "loops": loops,
    "processes": processes,
    "payload": payload,
    "startup": startup,
    "recovery": recovery,
    "memory": memory,
    "idle": idle,
    "priority": priority,
    "growth": growth,
}
