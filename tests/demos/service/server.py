"""A running service, and clients of it: what the tests here share. Nothing waits for a time; what never comes hangs."""
import http.client
import json
import os
import signal
import socket
import struct
import subprocess
import sys
import tempfile
import traceback
import zlib
from contextlib import contextmanager

PROGRAM = os.environ["SERVICE"]
SLOW = int(os.environ.get("TEST_TIMEOUT_FACTOR", "1"))  # under a sanitizer

failures = 0
passed = 0
skipped = 0


def check(name, function, *arguments):
    """Runs a test, and says how it went."""
    global failures, passed
    try:
        function(*arguments)
    except Exception:
        failures += 1
        print(f"FAIL  {name}")
        traceback.print_exc(file=sys.stdout)
    else:
        passed += 1
        print(f"ok    {name}", flush=True)


def skip(why):
    global skipped
    skipped += 1
    print(f"skip  {why}")


def finish():
    more = f", {skipped} skipped" if skipped else ""
    print(f"{passed} passed, {failures} failed{more}")
    sys.exit(1 if failures or not passed else 0)


def equal(got, wanted, about=""):
    if got != wanted:
        raise AssertionError(f"{about} {got!r}, not {wanted!r}")


class Answer:
    def __init__(self, response):
        self.status = response.status
        self.headers = response.headers
        self.body = response.read()

    @property
    def json(self):
        return json.loads(self.body)


class Service:
    """The program, with a folder that it may read."""

    def __init__(self, *options, root=None):
        arguments = [PROGRAM, "--port", "0", *options]
        if root:
            arguments += ["--root", root]
        self.process = subprocess.Popen(arguments, stdout=subprocess.PIPE, text=True)
        line = self.process.stdout.readline()
        if not line:
            raise RuntimeError(f"it does not start: status {self.process.wait()}")
        self.port = int(line.rsplit(":", 1)[1].strip("/\n"))

    def ask(self, method, path, body=None, headers=None):
        connection = http.client.HTTPConnection("127.0.0.1", self.port)
        try:
            connection.request(method, path, body, headers or {})
            return Answer(connection.getresponse())
        finally:
            connection.close()

    def get(self, path):
        return self.ask("GET", path)

    def post(self, job):
        return self.ask("POST", "/jobs", json.dumps(job), {"Content-Type": "application/json"})

    def upload(self, query, data, content_type="application/octet-stream"):
        return self.ask("POST", "/jobs?" + query, data, {"Content-Type": content_type})

    def submit(self, **job):
        answer = self.post(job)
        equal(answer.status, 201, answer.body)
        return answer.json["id"]

    def job(self, number):
        answer = self.get(f"/jobs/{number}")
        equal(answer.status, 200, answer.body)
        return answer.json

    def wait(self, number):
        """Waits for the end of a job, by its events. Returns the job."""
        for job in self.events(f"/jobs/{number}/events"):
            last = job
        return last

    def events_until(self, number, state):
        """The events of a job, up to one with this state, or its end."""
        seen = []
        for job in self.events(f"/jobs/{number}/events"):
            seen.append(job)
            if job["state"] == state:
                break
        return seen

    def wait_for(self, number, state):
        job = self.events_until(number, state)[-1]
        equal(job["state"], state, job)
        return job

    def events(self, path):
        """The jobs of a stream, one after the other."""
        connection = http.client.HTTPConnection("127.0.0.1", self.port)
        try:
            connection.request("GET", path)
            response = connection.getresponse()
            equal(response.status, 200)
            for line in response:
                if line.startswith(b"data: "):
                    yield json.loads(line[6:])
        finally:
            connection.close()

    def raw(self, data=b""):
        """A connection on which something was sent."""
        client = socket.create_connection(("127.0.0.1", self.port))
        client.sendall(data)
        return client

    def metric(self, name):
        for line in self.get("/metrics").body.decode().splitlines():
            if line.startswith(name + " "):
                return float(line.split()[-1])
        raise AssertionError(f"there is no {name}")

    def wait_metric(self, name, value):
        while self.metric(name) != value:
            pass

    def stop(self, number=signal.SIGTERM):
        self.process.send_signal(number)
        status = self.process.wait()
        self.process.stdout.close()
        return status


@contextmanager
def running(*options, root=None):
    """A service, which has to end well."""
    service = Service(*options, root=root)
    try:
        yield service
        equal(service.stop(), 0, "exit status")
    finally:
        if service.process.poll() is None:
            service.process.kill()


@contextmanager
def folder():
    with tempfile.TemporaryDirectory() as name:
        yield name


def read_all(client):
    """What comes until the other side closes; a reset counts as that."""
    data = b""
    try:
        while chunk := client.recv(65536):
            data += chunk
    except ConnectionResetError:
        pass
    client.close()
    return data


def read_status(client):
    """The status of the answer that comes, and closes the connection."""
    file = client.makefile("rb")
    line = file.readline()
    file.close()
    client.close()
    return line[9:12]


def png(width, height, color=(200, 30, 60)):
    """A picture of one color."""

    def chunk(name, data):
        return struct.pack(">I", len(data)) + name + data + struct.pack(">I", zlib.crc32(name + data))

    rows = (b"\0" + bytes(color) * width) * height
    head = struct.pack(">IIBBBBB", width, height, 8, 2, 0, 0, 0)
    return b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", head) + chunk(b"IDAT", zlib.compress(rows)) + chunk(b"IEND", b"")


def png_size(data):
    equal(data[:8], b"\x89PNG\r\n\x1a\n")
    return struct.unpack(">II", data[16:24])
