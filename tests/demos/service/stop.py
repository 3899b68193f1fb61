"""SIGTERM drains, with a deadline; a second one stops at once."""
import signal

from server import *

FOREVER = {"kind": "pi", "strips": 10**12}


def started(*options):
    return Service("--workers", "2", *options)


def draining(service):
    """Sends SIGTERM, and returns when the service has heard it."""
    service.process.send_signal(signal.SIGTERM)
    while service.get("/healthz").status != 503:
        pass


def last_state(stream):
    """Of a stream that was begun before, up to its end."""
    return list(stream)[-1]["state"]


def ended(service, status):
    equal(service.process.wait(), status)
    service.process.stdout.close()


def idle():
    for number in signal.SIGTERM, signal.SIGINT:
        equal(started().stop(number), 0)


def drained():
    service = started("--drain-ms", "100000")
    numbers = [service.submit(kind="pi", strips=300000000) for i in range(5)]
    streams = [service.events(f"/jobs/{number}/events") for number in numbers]
    for stream in streams:
        next(stream)
    draining(service)
    equal(service.get("/healthz").json, {"status": "draining"})
    answer = service.post(FOREVER)
    equal((answer.status, answer.headers["Retry-After"]), (503, "1"))
    equal(service.job(numbers[0])["kind"], "pi")
    equal([last_state(stream) for stream in streams], ["succeeded"] * 5)
    ended(service, 0)


def deadline():
    service = started("--drain-ms", "50")
    number = service.submit(**FOREVER)
    stream = service.events(f"/jobs/{number}/events")
    next(stream)
    service.process.send_signal(signal.SIGTERM)
    equal(last_state(stream), "cancelled")
    ended(service, 1)


def second():
    service = started("--drain-ms", "80000000")
    numbers = [service.submit(**FOREVER) for i in range(4)]
    streams = [service.events(f"/jobs/{number}/events") for number in numbers]
    everything = service.raw(b"GET /events HTTP/1.1\r\nHost: localhost\r\n\r\n")
    for stream in streams:
        next(stream)
    draining(service)
    service.process.send_signal(signal.SIGTERM)
    equal([last_state(stream) for stream in streams], ["cancelled"] * 4)
    ended(service, 1)
    equal(read_all(everything).count(b'"state":"cancelled"'), 4)


def cancelled_in_the_drain():
    service = started("--drain-ms", "80000000")
    number = service.submit(**FOREVER)
    service.wait_for(number, "running")
    draining(service)
    equal(service.ask("DELETE", f"/jobs/{number}").status, 202)
    ended(service, 0)


def no_start():
    with running() as service:
        for options in ("--port", str(service.port)), ("--root", "/nowhere"), ("--address", "localhost"), ("--page", "/nowhere"):
            process = subprocess.run([PROGRAM, *options], capture_output=True, text=True)
            equal((process.returncode, process.stdout), (1, ""), options)
            assert process.stderr.startswith("service: "), process.stderr
    for options in ("--port", "x"), ("--port",), ("--no-such",), ("word",), ("--workers", "-1"):
        equal(subprocess.run([PROGRAM, *options], capture_output=True).returncode, 2, options)
    equal(subprocess.run([PROGRAM, "--help"], capture_output=True).returncode, 0)


check("an idle service ends at once", idle)
check("jobs end before the service does, and it takes no more", drained)
check("at the deadline jobs are killed", deadline)
check("a second signal kills them at once", second)
check("a job that is cancelled meanwhile counts as ended", cancelled_in_the_drain)
check("what cannot start says why", no_start)
finish()
