"""Each route and each kind of job, as API.md has it, and each way to ask for what is not there."""
import hashlib
import http.client
import json
import os
import time

from server import *

PI = {"kind": "pi", "strips": 1000}


def pi(service):
    answer = service.post({"kind": "pi", "strips": 2000000, "label": "small \u2713"})
    equal(answer.status, 201)
    job = answer.json
    equal(answer.headers["Location"], f"/jobs/{job['id']}")
    equal((job["kind"], job["label"], job["error"]), ("pi", "small \u2713", None))
    job = service.wait(job["id"])
    equal(job["state"], "succeeded", job)
    equal(round(job["result"]["pi"], 9), 3.141592654)
    equal(job["progress"], {"done": 2000000, "total": 2000000})
    equal(job, service.job(job["id"]))
    assert job["worker"] > 1 and job["created"] <= time.time() and job["queued_ms"] >= 0 and job["run_ms"] >= 0


def crash(service):
    job = service.wait(service.submit(kind="crash"))
    equal((job["state"], job["error"]["code"], job["error"]["signal"]), ("failed", "SOON_EWORKERDIED", 11), job)
    assert job["worker"] > 1


def upload_digest(service):
    for data in b"abc", os.urandom(3000000):
        answer = service.upload("kind=digest&label=a%20b%26c", data)
        equal((answer.status, answer.json["label"]), (201, "a b&c"))
        job = service.wait(answer.json["id"])
        equal(job["result"], {"sha256": hashlib.sha256(data).hexdigest(), "bytes": len(data), "files": 1, "failed": 0})
        equal(service.get(f"/jobs/{job['id']}/result").status, 404)


def file_digest(service, root):
    job = service.wait(service.submit(kind="digest", path="folder/one"))
    equal(job["result"], {"sha256": hashlib.sha256(b"one").hexdigest(), "bytes": 3, "files": 1, "failed": 0})


def folder_digest(service, root):
    job = service.wait(service.submit(kind="digest", path="folder"))
    lines = "".join(f"{hashlib.sha256(name.encode()).hexdigest()}  folder/{name}\n" for name in ("one", "two"))
    equal(service.get(job["result_location"]).body.decode(), lines)
    wanted = {"sha256": hashlib.sha256(lines.encode()).hexdigest(), "bytes": 6, "files": 2, "failed": 0}
    equal(job["result"], wanted)
    equal(job["progress"], {"done": 6, "total": 6})


def upload_thumbnail(service):
    answer = service.upload("kind=thumbnail&width=100&height=30", png(300, 200), "image/png")
    job = service.wait(answer.json["id"])
    equal(job["state"], "succeeded", job)
    image = service.get(job["result_location"])
    equal((image.status, image.headers["Content-Type"]), (200, "image/png"))
    equal(png_size(image.body), (45, 30))
    equal((job["result"]["width"], job["result"]["height"]), (45, 30))
    equal((job["result"]["source_width"], job["result"]["source_height"]), (300, 200))
    equal(job["result"]["bytes"], len(image.body))


def jpeg(service, root):
    job = service.wait(service.submit(kind="thumbnail", path="picture.png", format="jpeg", width=64))
    image = service.get(job["result_location"])
    equal((image.headers["Content-Type"], image.body[:3]), ("image/jpeg", b"\xff\xd8\xff"))
    again = service.upload("kind=thumbnail&width=32", image.body, "image/jpeg")
    job = service.wait(again.json["id"])
    equal((job["result"]["source_width"], job["result"]["width"]), (64, 32), job)


def no_image(service):
    bomb = bytearray(png(1, 1))
    bomb[16:24] = b"\0\1\0\0\0\1\0\0"
    for data in b"no image", png(20, 20)[:60], b"\xff\xd8\xff\xe0\0\0\0\0\0\0\0\0\0", bytes(bomb), b"\xff\xd8\xff":
        job = service.wait(service.upload("kind=thumbnail", data).json["id"])
        equal((job["state"], job["error"]["code"]), ("failed", "SOON_ERAISED"), job)


def a_long_answer(service):
    names = [f"long/{i:0100}" for i in range(3000)]
    job = service.wait(service.submit(kind="digest", path="long"))
    answer = service.get(job["result_location"])
    equal([line.split(b"  ")[1].decode() for line in answer.body.splitlines()], names)


def head(service):
    for path in "/", "/jobs", "/healthz", "/metrics":
        answer = service.ask("HEAD", path)
        equal((answer.status, answer.body), (200, b""), path)
        length = int(answer.headers["Content-Length"])
        assert length and (path == "/metrics" or length == len(service.get(path).body)), path


def pages(service):
    ids = [service.submit(**PI) for i in range(5)]
    for number in ids:
        service.wait(number)
    first = service.get("/jobs?limit=2").json
    equal([job["id"] for job in first["jobs"]], ids[:2:-1])
    second = service.get(first["next"]).json
    equal([job["id"] for job in second["jobs"]], ids[2:0:-1])
    everything, path = [], "/jobs?limit=3"
    while path:
        page = service.get(path).json
        everything += [int(job["id"]) for job in page["jobs"]]
        path = page["next"]
    equal(everything, list(range(int(ids[-1]), 0, -1)))


def bad_pages(service):
    for query in "limit=0", "limit=201", "limit=x", "limit=-1", "before=", "before=99999999999999999999", "what=1", "limit":
        equal(service.get("/jobs?" + query).status, 400, query)


def cancel_running(service):
    number = service.submit(kind="pi", strips=10**12)
    service.wait_for(number, "running")
    answer = service.ask("DELETE", f"/jobs/{number}")
    equal(answer.status, 202)
    job = service.wait(number)
    equal((job["state"], job["cancelling"]), ("cancelled", False), job)
    assert job["error"]["code"] in ("ECANCELED", "SOON_EKILLED"), job
    equal(service.ask("DELETE", f"/jobs/{number}").status, 409)


def cancel_queued(service, workers):
    running_ones = [service.submit(kind="pi", strips=10**12) for i in range(workers)]
    for number in running_ones:
        service.wait_for(number, "running")
    queued = service.submit(**PI)
    job = service.ask("DELETE", f"/jobs/{queued}").json
    equal((job["state"], job["error"]["code"]), ("cancelled", "ECANCELED"), job)
    equal(job["worker"], None)
    for number in running_ones:
        service.ask("DELETE", f"/jobs/{number}")
        service.wait(number)


def time_limit(service):
    job = service.wait(service.submit(kind="pi", strips=10**12, time_limit_ms=50))
    equal((job["state"], job["error"]["code"]), ("failed", "SOON_ETIMELIMIT"), job)


def all_events(service):
    stream = service.raw(b"GET /events HTTP/1.1\r\nHost: localhost\r\n\r\n")
    file = stream.makefile("rb")
    while file.readline() != b"\r\n":
        pass
    number = service.submit(kind="pi", strips=30000000)
    seen = []
    while not seen or seen[-1]["state"] != "succeeded":
        line = file.readline()
        if line.startswith(b"data: "):
            equal(json.loads(line[6:])["id"], number)
            seen.append(json.loads(line[6:]))
    done = [job["progress"]["done"] for job in seen]
    equal(done, sorted(done))
    stream.close()


def events_of_an_ended_job(service):
    number = service.submit(**PI)
    service.wait(number)
    equal([job["state"] for job in service.events(f"/jobs/{number}/events")], ["succeeded"])


def not_there(service):
    paths = ["/nothing", "/jobs/", "/jobs/0", "/jobs/999999", "/jobs/1x", "/jobs/-1", "/jobs/1/nothing", "/jobs/1/events/"]
    paths += ["/jobs/99999999999999999999", "/healthz/", "/../etc/passwd", "/page/index.html", "/%2e%2e/%2e%2e/etc/passwd"]
    for path in paths:
        equal(service.get(path).status, 404, path)


def other_methods(service):
    allowed = {"/jobs": "POST, GET, HEAD", "/jobs/1": "GET, HEAD, DELETE", "/healthz": "GET, HEAD", "/events": "GET", "/": "GET, HEAD"}
    for path, names in allowed.items():
        for method in "PUT", "PATCH", "OPTIONS", "DELETE", "POST", "HEAD":
            if method not in names.split(", "):
                answer = service.ask(method, path, headers={"Content-Length": "0"})
                equal((answer.status, answer.headers["Allow"]), (405, names), (method, path))


def bad_jobs(service):
    wrong = ["", "x", "[]", "null", "1", '"pi"', "{", '{"kind":}', "{}", '{"kind": 1}', '{"kind": "no"}', '{"kind": null}',
             '{"kind": "pi", "kind": "pi"}', '{"kind": "pi", "strips": 0}', '{"kind": "pi", "strips": -1}', '{"kind": "pi", "strips": 1.5}',
             '{"kind": "pi", "strips": "1"}', '{"kind": "pi", "strips": 1e3}', '{"kind": "pi", "strips": 99999999999999999999}',
             '{"kind": "pi", "strips": true}', '{"kind": "pi", "what": 1}', '{"kind": "pi", "path": "a"}', '{"kind": "crash", "strips": 1}',
             '{"kind": "pi", "label": 1}', '{"kind": "pi", "label": "a\\u0000b"}', '{"kind": "pi", "label": "\\ud800"}',
             '{"kind": "pi", "label": "%s"}' % ("x" * 201), '{"kind": "pi", "time_limit_ms": 0}', '{"kind": "pi", "time_limit_ms": 99999999}',
             '{"kind": "digest"}', '{"kind": "digest", "path": ""}', '{"kind": "digest", "path": 1}', '{"kind": "digest", "path": "%s"}' % ("x" * 5000),
             '{"kind": "thumbnail", "path": "a", "width": 0}', '{"kind": "thumbnail", "path": "a", "height": 9999}',
             '{"kind": "thumbnail", "path": "a", "format": "gif"}', '{"kind": "thumbnail", "path": "a", "format": 1}', "[" * 5000]
    for text in wrong:
        answer = service.ask("POST", "/jobs", text, {"Content-Type": "application/json"})
        equal(answer.status, 400, text[:100])
        assert answer.json["error"], text
    equal(service.ask("POST", "/jobs", b'{"kind": "pi", "label": "\xff"}', {"Content-Type": "application/json"}).status, 400)


def bad_uploads(service):
    queries = ["", "kind=pi", "kind=crash", "kind=no", "kind", "kind=digest&kind=digest", "kind=digest&path=a", "kind=digest&what=1"]
    queries += ["kind=thumbnail&" + word for word in ("width=0", "width=x", "width=", "format=gif")]
    queries += ["kind=digest&label=%ff", "kind=digest&label=" + "x" * 201, "kind=digest&" + "x" * 1100 + "=1"]
    for query in queries:
        equal(service.upload(query, b"data").status, 400, query[:80])
    equal(service.upload("kind=digest", b"").status, 400)


def bad_types(service):
    for kind in "text/plain", "application/x-www-form-urlencoded", "multipart/form-data; boundary=x", "application/jsonx":
        equal(service.ask("POST", "/jobs", "{}", {"Content-Type": kind}).status, 415, kind)
    answer = service.ask("POST", "/jobs", json.dumps(PI), {"Content-Type": "application/json; charset=utf-8"})
    equal(service.wait(answer.json["id"])["state"], "succeeded")


def escapes(service, root):
    for path in "/etc/passwd", "..", "../secret", "folder/../../secret", "folder/..", "./../secret":
        equal(service.post({"kind": "digest", "path": path}).status, 400, path)
    for path in "out", "absolute", "up", "up/secret", "folder/out", "nothing", "self/fd/0", "fifo", "dangling", "loop":
        job = service.wait(service.submit(kind="digest", path=path))
        equal((job["state"], job["error"]["code"]), ("failed", "SOON_ERAISED"), (path, job))
        job = service.wait(service.submit(kind="thumbnail", path=path))
        equal(job["state"], "failed", (path, job))
    job = service.wait(service.submit(kind="digest", path="inside"))
    equal(job["result"]["bytes"], 3, "a link that stays inside")
    job = service.wait(service.submit(kind="digest", path="."))
    names = service.get(job["result_location"]).body
    assert b"secret" not in names and b"fifo" not in names and b"out" not in names, names


def other_sites(service):
    for host in "evil.example", "evil.example:80", "localhost.evil.example", "127.0.0.1.evil.example", "[::2]", "":
        client = service.raw(f"GET /jobs HTTP/1.1\r\nHost: {host}\r\nConnection: close\r\n\r\n".encode())
        status = read_all(client)[:12]
        equal(status, b"HTTP/1.1 403" if host else b"HTTP/1.1 200", host)
    for host in "localhost", "LOCALHOST:1", "127.1.2.3:4", "[::1]:5":
        client = service.raw(f"GET /jobs HTTP/1.1\r\nHost: {host}\r\nConnection: close\r\n\r\n".encode())
        equal(read_all(client)[:12], b"HTTP/1.1 200", host)
    number = service.submit(kind="pi", strips=10**12)
    for origin in "http://evil.example", "null", f"https://127.0.0.1:{service.port}", f"http://127.0.0.1:{service.port}0", "x" * 300:
        headers = {"Content-Type": "application/json", "Origin": origin}
        equal(service.ask("POST", "/jobs", json.dumps(PI), headers).status, 403, origin)
        equal(service.ask("DELETE", f"/jobs/{number}", headers={"Origin": origin}).status, 403, origin)
    own = {"Content-Type": "application/json", "Origin": f"http://127.0.0.1:{service.port}"}
    equal(service.wait(service.ask("POST", "/jobs", json.dumps(PI), own).json["id"])["state"], "succeeded")
    equal(service.ask("DELETE", f"/jobs/{number}", headers=own).status, 202)


def metrics(service):
    text = service.get("/metrics").body.decode()
    for line in text.splitlines():
        assert line.startswith("# ") or len(line.rsplit(" ", 1)) == 2 and float(line.rsplit(" ", 1)[1]) >= 0, line
    before = service.metric('service_jobs_total{kind="pi",outcome="succeeded"}')
    service.wait(service.submit(**PI))
    equal(service.metric('service_jobs_total{kind="pi",outcome="succeeded"}'), before + 1)


def make_root(above):
    root = os.path.join(above, "root")
    os.makedirs(root + "/folder")
    os.makedirs(root + "/long")
    for name in "one", "two":
        with open(f"{root}/folder/{name}", "w") as file:
            file.write(name)
    with open(above + "/secret", "w") as file:
        file.write("secret")
    with open(root + "/picture.png", "wb") as file:
        file.write(png(640, 480))
    for i in range(3000):
        open(f"{root}/long/{i:0100}", "w").close()
    os.symlink("../secret", root + "/out")
    os.symlink(above + "/secret", root + "/absolute")
    os.symlink("..", root + "/up")
    os.symlink("../../secret", root + "/folder/out")
    os.symlink("/proc/self", root + "/self")
    os.symlink("folder/one", root + "/inside")
    os.symlink("nowhere", root + "/dangling")
    os.symlink("loop", root + "/loop")
    os.mkfifo(root + "/fifo")
    return root


with folder() as above:
    root = make_root(above)
    with running("--workers", "2", root=root) as service:
        check("pi has progress, a result, its times and its worker", pi, service)
        check("crash fails, by a signal", crash, service)
        check("an uploaded file is hashed, also one of several megabytes", upload_digest, service)
        check("a file of the root is hashed", file_digest, service, root)
        check("a folder is hashed, with a listing", folder_digest, service, root)
        check("an uploaded image gets a thumbnail that fits", upload_thumbnail, service)
        check("JPEG is written and read", jpeg, service, root)
        check("what is no image, or a bomb, fails", no_image, service)
        check("a long answer comes whole", a_long_answer, service)
        check("HEAD has the length and no body", head, service)
        check("jobs come in pages", pages, service)
        check("a wrong page is refused", bad_pages, service)
        check("a running job is killed", cancel_running, service)
        check("a queued job is cancelled at once", cancel_queued, service, 2)
        check("a job ends at its time limit", time_limit, service)
        check("the stream of all jobs has each change, in order", all_events, service)
        check("the stream of an ended job is its last state", events_of_an_ended_job, service)
        check("what is not there is 404", not_there, service)
        check("other methods are 405, and say which are allowed", other_methods, service)
        check("a job that makes no sense is 400", bad_jobs, service)
        check("an upload that makes no sense is 400", bad_uploads, service)
        check("other content types are 415", bad_types, service)
        check("no path leaves the root", escapes, service, root)
        check("other sites and other names are refused", other_sites, service)
        check("the numbers are in Prometheus' form, and count", metrics, service)
    with running() as service:
        check("without a root a path is refused", lambda: equal(service.post({"kind": "digest", "path": "a"}).status, 400))
    with running("--address", "::1") as service:
        pass
finish()
