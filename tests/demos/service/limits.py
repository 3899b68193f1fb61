"""What is bounded: bodies, queued jobs, uploads, kept results, connections."""
import os

from server import *

FOREVER = {"kind": "pi", "strips": 10**12}
JSON = {"Content-Type": "application/json"}


def cancel(service, numbers):
    for number in numbers:
        service.ask("DELETE", f"/jobs/{number}")
        service.wait(number)


def long_bodies():
    with running("--body-max", "1000") as service:
        for size, content_type in (1001, "image/png"), (10**9, "image/png"), (70000, "application/json"), (2**63 - 1, "image/jpeg"):
            client = service.raw(
                f"POST /jobs?kind=digest HTTP/1.1\r\nHost: localhost\r\nContent-Type: {content_type}\r\n"
                f"Content-Length: {size}\r\n\r\n".encode()
            )
            equal(read_status(client), b"413", size)
        client = service.raw(
            b"POST /jobs?kind=digest HTTP/1.1\r\nHost: localhost\r\nContent-Type: image/png\r\nContent-Length: 2000\r\n\r\n" + b"x" * 2000
        )
        equal(read_status(client), b"413", "who sends it all the same")
        equal(service.upload("kind=digest", b"x" * 1000).status, 201)


def full_queue():
    with running("--workers", "1", "--queued-max", "3") as service:
        numbers = [service.submit(**FOREVER)]
        service.wait_for(numbers[0], "running")
        while (answer := service.post(FOREVER)).status == 201:
            numbers.append(answer.json["id"])
        equal((answer.status, answer.headers["Retry-After"]), (429, "1"))
        assert len(numbers) >= 4, numbers  # some more may wait at the worker
        equal(service.upload("kind=digest", b"data").status, 429)
        equal(service.metric("service_upload_bytes"), 0)
        equal(service.metric("service_jobs_refused_total"), 2)
        cancel(service, numbers)
        equal(service.wait(service.submit(kind="pi", strips=1))["state"], "succeeded")


def many_uploads():
    with running("--workers", "1", "--uploads-max", "3000000", "--body-max", "2000000") as service:
        blocker = service.submit(**FOREVER)
        service.wait_for(blocker, "running")
        number = service.upload("kind=digest", b"x" * 2000000).json["id"]
        equal(service.upload("kind=digest", b"x" * 2000000).status, 429)
        half = service.raw(
            b"POST /jobs?kind=digest HTTP/1.1\r\nHost: localhost\r\nContent-Type: image/png\r\nContent-Length: 900000\r\n\r\n" + b"x" * 400000
        )
        service.wait_metric("service_upload_bytes", 2900000)
        equal(service.upload("kind=digest", b"x" * 200000).status, 429)
        half.close()
        service.wait_metric("service_upload_bytes", 2000000)
        cancel(service, [number, blocker])
        service.wait_metric("service_upload_bytes", 0)


def forgotten():
    with running("--kept-max", "3") as service:
        numbers = [service.submit(kind="pi", strips=1) for i in range(6)]
        service.wait_metric('service_jobs_total{kind="pi",outcome="succeeded"}', 6)
        equal(sum(service.get(f"/jobs/{number}").status == 200 for number in numbers), 3)
        equal(len(service.get("/jobs").json["jobs"]), 3)
        equal(service.metric("service_kept_jobs"), 3)


def kept_bytes():
    with folder() as root:
        for i in range(100):
            open(f"{root}/{i:0200}", "w").close()
        with running("--kept-bytes-max", "50000", root=root) as service:  # each listing has 26,900
            numbers = [service.submit(kind="digest", path=".") for i in range(3)]
            service.wait_metric('service_jobs_total{kind="digest",outcome="succeeded"}', 3)
            equal(sum(service.get(f"/jobs/{number}/result").status == 200 for number in numbers), 1)
            assert 0 < service.metric("service_kept_bytes") < 50000


def many_connections():
    with running("--connections-max", "5") as service:
        clients = [service.raw() for i in range(5)]
        equal(read_all(service.raw(b"GET /healthz HTTP/1.1\r\nHost: localhost\r\n\r\n")), b"", "one too many")
        clients.pop().close()
        while not read_all(service.raw(b"GET /healthz HTTP/1.1\r\nHost: localhost\r\n\r\n")).startswith(b"HTTP/1.1 200"):
            pass


def queue_limit():
    with running("--workers", "1", "--queue-limit-ms", "200") as service:
        while True:  # the first ones may have to wait too long for the worker to start
            blocker = service.submit(**FOREVER)
            if any(job["state"] == "running" for job in service.events_until(blocker, "running")):
                break
        job = service.wait(service.submit(kind="pi", strips=1))
        equal((job["state"], job["error"]["code"], job["worker"]), ("failed", "SOON_EEXPIRED", None), job)
        cancel(service, [blocker])


check("a body that is too long is 413, before it came", long_bodies)
check("a full queue is 429, with Retry-After", full_queue)
check("uploads that come or wait are bounded in all", many_uploads)
check("jobs that ended first are forgotten", forgotten)
check("kept results are bounded in bytes", kept_bytes)
check("a connection too many is closed", many_connections)
check("a job that waits too long fails", queue_limit)
finish()
