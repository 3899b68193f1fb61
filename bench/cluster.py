"""cluster.py BUILD: see bench/cluster. Starts servers and daemons, measures in turns, prints medians."""
import collections
import json
import os
import pathlib
import signal
import socket
import statistics
import subprocess
import sys
import tempfile
import time

ROUNDS = 20  # which processes share a CPU changes from one to the next
NOT_HERE = 77


class Servers:
    """A Gearman server, and daemons that run the tasks of bench_cluster. All end with this program."""

    def __init__(self, build, scratch):
        self.build, self.scratch, self.running = build, scratch, {}

    def start(self, name, *command):
        log = open(os.path.join(self.scratch, name.replace("/", "-") + ".log"), "w")
        self.running[name] = subprocess.Popen(["setpriv", "--pdeathsig", "KILL", *command], stdin=subprocess.DEVNULL,
                                              stdout=log, stderr=log)

    def server(self):
        with socket.socket() as probe:
            probe.bind(("127.0.0.1", 0))
            port = probe.getsockname()[1]
        self.start(f"server {port}", "/usr/sbin/gearmand", "-L", "127.0.0.1", "-p", str(port), "-t", "1", "--round-robin",
                   "--job-retries=3", "-l", os.path.join(self.scratch, f"gearmand-{port}.log"))
        while True:
            try:
                socket.create_connection(("127.0.0.1", port)).close()
                return port
            except OSError:
                time.sleep(0.02)

    def daemon(self, name, ports, slots):
        servers = ",".join(f"127.0.0.1:{port}" for port in ports)
        self.start(name, str(self.build / "soon-workerd"), "--name", name, "--servers", servers, "--slots", str(slots),
                   "--program", str(self.build / "bench" / "bench_cluster"), "--log-level", "info")
        log = pathlib.Path(self.scratch, name + ".log")
        while log.read_text().count(": connected") < len(ports):
            if self.running[name].poll() is not None:
                sys.exit("soon-workerd: " + log.read_text())
            time.sleep(0.02)

    def kill(self, name):
        process = self.running.pop(name)
        now = time.clock_gettime_ns(time.CLOCK_MONOTONIC)
        process.send_signal(signal.SIGKILL)
        process.wait()
        return now

    def end(self):
        for name in list(self.running):
            self.kill(name)


def run(command, answer=None):
    """The metrics that the program prints, or None. `answer` gets each line that comes before, and returns what to say."""
    process = subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
    for line in process.stdout:
        if line.startswith("{"):
            process.wait()
            return json.loads(line)
        if answer:
            process.stdin.write(f"{answer(line.split())}\n")
            process.stdin.flush()
    if process.wait() != NOT_HERE:
        sys.exit(f"{' '.join(command)} has failed")
    return None


class Results:
    def __init__(self):
        self.values = collections.defaultdict(list)

    def add(self, name, metrics):
        for metric, values in (metrics or {}).items():
            self.values[name, metric] += values

    def median(self, name, metric):
        values = self.values.get((name, metric))
        return statistics.median(values) if values else None


def measure_beside_the_bare_protocol(build, scratch, results):
    """Each of ours and its limit in turns, on one server; the daemon has as many slots as the bare worker."""
    ours, bare = str(build / "bench" / "bench_cluster"), str(build / "bench" / "peer_gearman")
    for what, slots in (("roundtrip", 1), ("flood", 8)):
        servers = Servers(build, scratch)
        port = servers.server()
        try:
            servers.daemon("daemon", [port], slots)
            for _ in range(ROUNDS):
                results.add("ours", run([ours, f"servers=127.0.0.1:{port}", f"what={what}", "rounds=1000", "tasks=10000", "passes=1"]))
                results.add("bare", run([bare, what, f"port={port}", f"slots={slots}", "rounds=1000", "tasks=10000", "passes=1"]))
            if what == "flood":
                results.add("ours", run([ours, f"servers=127.0.0.1:{port}", "what=map", "items=1000000", "slots=8", "passes=5"]))
        finally:
            servers.end()


def measure_alone(build, scratch, results):
    ours = str(build / "bench" / "bench_cluster")
    servers = Servers(build, scratch)
    port = servers.server()
    try:
        results.add("ours", run([ours, f"servers=127.0.0.1:{port}", "what=queued", "tasks=1000000", "passes=1"]))
    finally:
        servers.end()


def measure_losses(build, scratch, results):
    ours = str(build / "bench" / "bench_cluster")
    servers = Servers(build, scratch)
    ports = [servers.server(), servers.server()]
    try:
        for name in ("one", "two"):
            servers.daemon(name, ports[:1], 2)

        def kill_daemon(words):
            name = next(name for name in ("one", "two") if servers.running[name].pid == int(words[1]))
            done = servers.kill(name)
            servers.daemon(name, ports[:1], 2)
            return done

        results.add("ours", run([ours, f"servers=127.0.0.1:{ports[0]}", "what=killed", "passes=5"], kill_daemon))
        servers.daemon("both", ports, 8)
        both = ",".join(f"127.0.0.1:{port}" for port in ports)
        for _ in range(3):
            def kill_server(_words):
                return servers.kill(f"server {ports[0]}")

            results.add("ours", run([ours, f"servers={both}", "what=moved", "passes=1"], kill_server))
            servers.start(f"server {ports[0]}", "/usr/sbin/gearmand", "-L", "127.0.0.1", "-p", str(ports[0]), "-t", "1",
                          "--round-robin", "-l", os.path.join(scratch, "again.log"))
            time.sleep(4)  # the daemon comes back
    finally:
        servers.end()


def measure_peers(results):
    """Other people's, with two workers, each in its own way; where they are installed."""
    peer = str(pathlib.Path(__file__).parent / "peers" / "cluster.py")
    python = "/usr/bin/python3"  # that of Debian, which has its packages
    commands = {"Dask": [python, peer, "dask"],
                "mpi4py.futures": ["mpiexec", "--allow-run-as-root", "--oversubscribe", "-n", "3", python, "-m", "mpi4py.futures",
                                   peer, "mpi"]}
    for name, command in commands.items():
        try:
            done = subprocess.run(command, capture_output=True, text=True, timeout=300)
        except (FileNotFoundError, subprocess.TimeoutExpired):
            continue
        for line in done.stdout.splitlines() if done.returncode == 0 else []:
            if line.startswith("{"):
                results.add(name, json.loads(line))


def show_peers(results):
    print("\n| system | round trip, p50 | small tasks | items of a map |\n|---|---|---|---|")
    for name in ("ours", "Dask", "mpi4py.futures"):
        if results.median(name, "p50_ns"):
            print(f"| {name} | {results.median(name, 'p50_ns') / 1e3:,.0f} us | {1e9 / results.median(name, 'ns_per_task'):,.0f} per s "
                  f"| {1e9 / results.median(name, 'ns_per_item'):,.0f} per s |")


def show(results):
    def line(what, value, aim):
        print(f"| {what} | {value} | {aim} |")

    ours, bare = results.median("ours", "p50_ns"), results.median("bare", "p50_ns")
    print("| figure | measured | at most |\n|---|---|---|")
    line("round trip, one slot, p50", f"{ours / 1e3:.0f} us; the bare protocol {bare / 1e3:.0f} us: {ours / bare:.2f} x", "1.2 x")
    line("the same, p99", f"{results.median('ours', 'p99_ns') / 1e3:.0f} us; {results.median('bare', 'p99_ns') / 1e3:.0f} us", "")
    ours, bare = results.median("ours", "ns_per_task"), results.median("bare", "ns_per_task")
    line("10,000 small tasks, eight slots", f"{1e9 / ours:,.0f} per s; the bare protocol {1e9 / bare:,.0f}", "at least 80,000 per s")
    line("map of 1,000,000 items", f"{1e9 / results.median('ours', 'ns_per_item'):,.0f} per s", "at least 1,000,000 per s")
    line("memory per queued future, 8 bytes of argument", f"{results.median('ours', 'bytes_per_future'):.0f} B", "128 B")
    line("a daemon is killed: another has begun its task", f"{results.median('ours', 'restarted_ns') / 1e6:.0f} ms", "50 ms")
    line("the server is killed: 200 tasks by way of the second", f"{results.median('ours', 'moved_ns') / 1e6:.0f} ms", "200 ms")


def main():
    build = pathlib.Path(sys.argv[1])
    results = Results()
    with tempfile.TemporaryDirectory() as scratch:
        measure_beside_the_bare_protocol(build, scratch, results)
        measure_alone(build, scratch, results)
        measure_losses(build, scratch, results)
    measure_peers(results)
    show(results)
    show_peers(results)


if __name__ == "__main__":
    main()
