"""Clients that are slow, gone, or speak no HTTP: each gets an answer or a closed connection, and leaves nothing."""
import json
import os
import socket

from server import *

GET = b"GET /healthz HTTP/1.1\r\nHost: localhost\r\n\r\n"
LAST = b"GET /healthz HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n"
POST = b"POST /jobs?kind=digest HTTP/1.1\r\nHost: localhost\r\nContent-Type: image/png\r\nContent-Length: %d\r\n\r\n"


def nothing_is_left(service):
    """Beside the connection that asks."""
    service.wait_metric("service_streams", 0)
    service.wait_metric("service_upload_bytes", 0)
    service.wait_metric("service_connections", 1)


def answers(data):
    """The statuses of answers that follow one another, each of them whole."""
    statuses = []
    while data:
        head, _, data = data.partition(b"\r\n\r\n")
        lines = head.split(b"\r\n")
        length = next(int(line.split(b":")[1]) for line in lines if line.lower().startswith(b"content-length:"))
        equal(len(data[:length]), length)
        data = data[length:]
        statuses.append(int(lines[0].split()[1]))
    return statuses


def pipelining(service):
    """The first is answered, or the connection reset; what follows is dropped."""
    job = json.dumps({"kind": "pi", "strips": 1}).encode()
    post = b"POST /jobs HTTP/1.1\r\nHost: localhost\r\nContent-Type: application/json\r\nContent-Length: %d\r\n\r\n%s" % (len(job), job)
    before, created = service.metric('soon_submitted_total{executor="jobs"}'), 0
    for first, status in (GET, 200), (post, 201), (post.replace(b"pi", b"no"), 400):
        for second in GET, post, POST % 5 + b"bytes":
            statuses = answers(read_all(service.raw(first + second * 3)))
            assert statuses in ([status], []), (first, second)
            created += statuses == [201]
    submitted = service.metric('soon_submitted_total{executor="jobs"}') - before
    assert created <= submitted <= 3, (created, submitted)


def byte_by_byte(service):
    client = service.raw()
    for byte in LAST:
        client.sendall(bytes([byte]))
    equal(answers(read_all(client)), [200])
    client = service.raw()
    client.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
    for byte in POST % 5 + b"bytes":
        client.sendall(bytes([byte]))
    equal(client.recv(12), b"HTTP/1.1 201")
    client.close()


def many_unread(service):
    """Thousands of requests, the answers to which nobody reads for a while."""
    client = service.raw()
    client.setblocking(False)
    try:
        while True:
            client.send(GET * 100)
    except OSError:
        pass
    equal(service.get("/healthz").status, 200)
    client.setblocking(True)
    data = read_all(client)
    assert data[:12] in (b"HTTP/1.1 200", b""), data[:100]


def no_http(service):
    for data in b"\0" * 1000, b"\r\n\r\n", b"BREW /pot HTCPCP/1.0\r\n\r\n", b"GET\r\n\r\n", b"\x16\x03\x01" + b"x" * 600, b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n", \
                os.urandom(3000), b"CONNECT localhost:1 HTTP/1.1\r\n\r\n", b"x" * 100000:
        client = service.raw()
        try:
            client.sendall(data)
            client.shutdown(socket.SHUT_WR)
        except OSError:
            pass
        data = read_all(client)
        assert not data or data[9:10] == b"4", data[:200]


def long_heads(service):
    for request in b"GET /" + b"x" * 300 + b" HTTP/1.1\r\nHost: localhost\r\n\r\n", b"GET /" + b"x" * 100000, \
                   b"GET /healthz HTTP/1.1\r\nHost: localhost\r\nCookie: " + b"x" * 100000 + b"\r\n\r\n", \
                   b"GET /healthz HTTP/1.1\r\n" + b"X-Header: value\r\n" * 10000 + b"\r\n", \
                   b"GET /jobs?" + b"limit=1&" * 1000 + b" HTTP/1.1\r\n\r\n":
        client = service.raw()
        try:
            client.sendall(request)
            client.shutdown(socket.SHUT_WR)
        except OSError:
            pass
        data = read_all(client)
        assert not data or data[9:10] == b"4", data[:200]


def odd_lengths(service):
    head = b"POST /jobs?kind=digest HTTP/1.1\r\nHost: localhost\r\nContent-Type: image/png\r\n"
    for line, status in (b"", 411), (b"Content-Length: -1\r\n", 411), (b"Content-Length: x\r\n", 411), (b"Content-Length: 1x\r\n", 411), \
                        (b"Content-Length: 99999999999999999999\r\n", 411), (b"Transfer-Encoding: chunked\r\n", 411), \
                        (b"Content-Length: 3\r\nContent-Length: 4\r\n", 411), (b"Content-Length: 0\r\n", 400):
        client = service.raw(head + line + b"\r\n" + b"0\r\n\r\n")
        equal(read_status(client), b"%d" % status, line)
    client = service.raw(b"GET /jobs HTTP/1.1\r\nHost: localhost\r\nContent-Length: 5\r\n\r\nbytes")
    equal(read_status(client), b"400")


def continue_first(service):
    client = service.raw(POST.replace(b"\r\n\r\n", b"\r\nExpect: 100-continue\r\n\r\n") % 4)
    equal(client.recv(1000), b"HTTP/1.1 100 Continue\r\n\r\n")
    client.sendall(b"data")
    equal(client.recv(12), b"HTTP/1.1 201")
    client.close()


def upgrades(service):
    for name in b"websocket", b"h2c", b"other":
        client = service.raw(
            b"GET / HTTP/1.1\r\nHost: localhost\r\nConnection: Upgrade\r\nUpgrade: " + name + b"\r\nHTTP2-Settings: AAMAAABkAAQAAP__\r\n"
            b"Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\nSec-WebSocket-Version: 13\r\n\r\n"
        )
        equal(read_all(client)[9:10], b"4", name)


def old_http(service):
    equal(answers(read_all(service.raw(b"GET /healthz HTTP/1.0\r\n\r\n"))), [200])


def slow_heads(service):
    """The service closes them, not the client."""
    clients = [service.raw(data) for data in (b"", b"G", b"GET /healthz HTTP/1.1\r\nHost:", GET[:-2])]
    for client in clients:
        equal(read_all(client), b"")


def slow_bodies(service):
    clients = [service.raw(POST % 1000 + b"x" * size) for size in (0, 1, 999)]
    for client in clients:
        equal(read_all(client), b"")


def dripping(service):
    """It always goes on, and never ends."""
    client = service.raw(POST % 10000000)
    try:
        while True:
            client.sendall(b"x")
            equal(service.get("/healthz").status, 200)
    except OSError:
        client.close()


def unread_results(service, root):
    """More than fits into the system's buffers: a client that does not take its answer loses it."""
    number = service.submit(kind="digest", path=".")
    service.wait(number)
    client = socket.socket()
    client.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
    client.connect(("127.0.0.1", service.port))
    client.sendall(f"GET /jobs/{number}/result HTTP/1.1\r\nHost: localhost\r\n\r\n".encode())
    service.wait_metric("service_connections", 2)
    service.wait_metric("service_connections", 1)
    client.close()


def gone(service, root):
    """Each way to leave: with an answer on its way, in a stream, in a body; with and without a reset."""
    number = service.submit(kind="digest", path=".")
    service.wait(number)
    running_one = service.submit(kind="pi", strips=10**12)
    requests = [f"GET /jobs/{number}/result HTTP/1.1\r\nHost: localhost\r\n\r\n".encode(), GET, POST % 5000000 + b"x" * 100000, b"GE"]
    requests += [f"GET {path} HTTP/1.1\r\nHost: localhost\r\n\r\n".encode() for path in ("/events", f"/jobs/{running_one}/events")]
    for request in requests:
        for how in "close", "reset", "half":
            client = service.raw(request)
            if request.endswith(b"events HTTP/1.1\r\nHost: localhost\r\n\r\n"):
                client.recv(15)
            if how == "reset":
                client.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
            if how == "half":
                client.shutdown(socket.SHUT_WR)
                read_all(client)
            client.close()
    nothing_is_left(service)
    service.ask("DELETE", f"/jobs/{running_one}")


def chatty_streams(service):
    """Who sends more while a stream is open loses nothing but that."""
    number = service.submit(kind="pi", strips=10**12)
    client = service.raw(f"GET /jobs/{number}/events HTTP/1.1\r\nHost: localhost\r\n\r\n".encode())
    client.recv(15)
    try:
        for i in range(100):
            client.sendall(GET * 10)
    except OSError:
        pass  # libwebsockets 4.3 closes the connection
    service.ask("DELETE", f"/jobs/{number}")
    read_all(client)
    nothing_is_left(service)


def many_streams(service):
    number = service.submit(kind="pi", strips=10**12)
    clients = [service.raw(f"GET {path} HTTP/1.1\r\nHost: localhost\r\n\r\n".encode()) for path in ("/events", f"/jobs/{number}/events") * 50]
    service.wait_metric("service_streams", 100)
    service.ask("DELETE", f"/jobs/{number}")
    for client in clients[1::2]:
        assert b'"state":"cancelled"' in read_all(client)
    for client in clients[::2]:
        client.close()
    nothing_is_left(service)


with folder() as root:
    for i in range(20000):
        os.mknod(f"{root}/{i:0250}")
    with running("--workers", "2", root=root) as service:
        check("of requests that come together the first one counts", pipelining, service)
        check("requests come in bytes", byte_by_byte, service)
        check("thousands of requests by who reads nothing", many_unread, service)
        check("what is no HTTP", no_http, service)
        check("heads that are too long", long_heads, service)
        check("lengths that are none", odd_lengths, service)
        check("a client that waits for 100 Continue", continue_first, service)
        check("upgrades are refused", upgrades, service)
        check("HTTP/1.0", old_http, service)
        check("clients that go away leave nothing", gone, service, root)
        check("clients that send into a stream", chatty_streams, service)
        check("a hundred streams, each with the last state", many_streams, service)
    with running("--request-ms", "1000", "--workers", "1", root=root) as service:
        check("heads that do not end", slow_heads, service)
        check("bodies that do not end", slow_bodies, service)
        check("a body that comes in drops", dripping, service)
        check("an answer that nobody takes", unread_results, service, root)
        check("nothing of all that is left", nothing_is_left, service)
finish()
