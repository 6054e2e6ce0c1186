"""Routes: a real Express application (Debian's) behind the one port, with its own WebSocket, beside wsd's."""

import asyncio
import contextlib
import hashlib
import http.client
import json
import os
import shutil
import signal
import socket
import ssl
import subprocess
import threading
import time
from pathlib import Path

import pytest
import websockets

from certificates import Authority, put
from harness import Client, Wsd, cpu_seconds, run, wait_until
from rawclient import upgrade_request

APP = Path(__file__).parent / "apps" / "shop.js"
MODULES = "/usr/share/nodejs"
MEBIBYTE = 1 << 20

pytestmark = pytest.mark.skipif(
    not Path(MODULES, "express").exists() or not shutil.which("node"),
    reason="node-express, node-ws or Node.js is missing: scripts/test installs them")


class App:
    """The application, on a port that stays the same over restarts, or on a socket file."""

    def __init__(self, place=0):
        self.place = place
        self.process = None

    def start(self):
        self.process = subprocess.Popen(
            ["node", str(APP), str(self.place)], stdout=subprocess.PIPE, text=True,
            env={"PATH": os.environ["PATH"], "NODE_PATH": MODULES})
        line = self.process.stdout.readline()
        assert line.startswith("listening "), line
        if self.place == 0:
            self.place = int(line.split()[1])
        return self

    def stop(self, number=signal.SIGTERM):
        self.process.send_signal(number)
        self.process.wait(10)
        self.process.stdout.close()

    @property
    def address(self):
        return f"http://127.0.0.1:{self.place}" if isinstance(self.place, int) else f"unix:{self.place}"

    def __enter__(self):
        return self.start() if self.process is None else self

    def __exit__(self, *_):
        if self.process.poll() is None:
            self.stop(signal.SIGKILL)


def routes(app, further="", path="/"):
    return f"routes:\n  - path: {path}\n    upstream: {app.address}\n{further}"


@contextlib.contextmanager
def service(further="", config="", workers=1, path="/", place=0, args=()):
    """wsd with the application behind it."""
    with App(place) as app, Wsd(workers=workers, config=routes(app, further, path) + config, args=args) as wsd:
        yield wsd, app


def ask(wsd, method, target, body=None, headers=None, timeout=30):
    connection = http.client.HTTPConnection("127.0.0.1", wsd.port, timeout=timeout)
    try:
        connection.request(method, target, body, headers or {})
        answer = connection.getresponse()
        return answer.status, answer.headers, answer.read()
    finally:
        connection.close()


def ask_json(wsd, method, target, body=None, headers=None):
    status, _, text = ask(wsd, method, target, body, headers)
    assert status == 200, (status, text)
    return json.loads(text)


def raw(wsd, data, timeout=15):
    """Sends bytes and reads to the end."""
    with socket.create_connection(("127.0.0.1", wsd.port), timeout=timeout) as connection:
        connection.sendall(data)
        answer = b""
        while chunk := connection.recv(65536):
            answer += chunk
    return answer


def resident(pid):
    """Bytes of memory of a process, and its peak."""
    fields = dict(line.split(":", 1) for line in Path(f"/proc/{pid}/status").read_text().splitlines())
    return int(fields["VmRSS"].split()[0]) * 1024, int(fields["VmHWM"].split()[0]) * 1024


def metrics(wsd):
    return dict(line.rsplit(" ", 1) for line in wsd.http("GET", "/metrics")[1].splitlines()
                if line and not line.startswith("#"))


def test_the_application_and_wsd_share_the_port():
    with service(workers=2) as (wsd, app):
        status, headers, body = ask(wsd, "GET", "/")
        assert status == 200 and b"Shop" in body and headers["X-Application"] == "shop"
        seen = ask_json(wsd, "GET", "/api/v1/request?q=1%2F2&r=%7Ba%7D")
        assert seen["url"] == "/api/v1/request?q=1%2F2&r=%7Ba%7D"
        assert ask(wsd, "GET", "/nothing")[0] == 404 and ask(wsd, "GET", "/nothing")[1]["X-Application"] == "shop"
        # What is wsd's stays wsd's.
        for path in ("/wsd/client.js", "/wsd/config.json", "/healthz", "/readyz"):
            status, headers, _ = ask(wsd, "GET", path)
            assert status == 200 and "X-Application" not in headers, path
        assert "X-Application" not in ask(wsd, "GET", "/wsd/nothing")[1]

        async def sockets():
            for path in ("/ws", "/"):
                ours = await Client.connect(wsd.url(path))
                await ours.join("room")
                await ours.close()
            async with websockets.connect(wsd.url("/live?a=b")) as theirs:
                assert json.loads(await theirs.recv()) == {"hello": "127.0.0.1", "url": "/live?a=b"}
                await theirs.send("text")
                assert await theirs.recv() == "text"
                await theirs.send(b"\0" * 300_000)
                assert await theirs.recv() == b"\0" * 300_000
            assert theirs.close_code == 1000
            with pytest.raises(websockets.InvalidStatus) as refused:
                await websockets.connect(wsd.url("/other"))
            assert refused.value.response.status_code == 404
            assert refused.value.response.headers["X-Application"] == "shop"
            assert refused.value.response.body == b"no socket"

        run(sockets())


def test_what_the_application_learns_of_the_client():
    forged = {"X-Forwarded-For": "9.9.9.9", "X-Forwarded-Proto": "https", "X-Forwarded-Host": "evil.example",
              "X-Forwarded-Port": "1", "X-Real-IP": "9.9.9.9", "Forwarded": "for=9.9.9.9", "Via": "1.1 other"}
    hops = {"Connection": "keep-alive, X-Secret", "X-Secret": "1", "Keep-Alive": "timeout=5", "TE": "trailers",
            "Proxy-Connection": "keep-alive", "X-Kept": "yes"}
    with service() as (wsd, app):
        seen = ask_json(wsd, "GET", "/api/v1/request", headers={**forged, **hops, "Host": "shop.example:81"})
        got = seen["headers"]
        assert got["x-forwarded-for"] == "127.0.0.1" and got["x-forwarded-proto"] == "http"
        assert got["x-forwarded-host"] == "shop.example:81" and got["x-forwarded-port"] == str(wsd.port)
        assert got["host"] == "shop.example:81" and got["via"] == "1.1 other, 1.1 wsd"
        assert seen["ip"] == "127.0.0.1" and seen["protocol"] == "http"
        for name in ("x-real-ip", "forwarded", "x-secret", "keep-alive", "te", "proxy-connection", "transfer-encoding"):
            assert name not in got, name
        assert got["x-kept"] == "yes"
        # The names of fields are kept as they were written.
        assert "X-Kept" in seen["rawHeaders"]
    with service(config="http:\n  trustedProxies: [127.0.0.0/8]\n") as (wsd, app):
        seen = ask_json(wsd, "GET", "/api/v1/request", headers=forged)
        got = seen["headers"]
        assert got["x-forwarded-for"] == "9.9.9.9, 127.0.0.1" and got["x-forwarded-proto"] == "https"
        assert got["x-forwarded-host"] == "evil.example" and got["x-forwarded-port"] == "1"
        assert got["forwarded"] == "for=9.9.9.9" and got["x-real-ip"] == "9.9.9.9"
        assert seen["ip"] == "9.9.9.9" and seen["protocol"] == "https"


def test_prefixes_hosts_and_the_longest_path():
    with App() as app, App() as other:
        config = (f"routes:\n  - {{path: /, upstream: \"{app.address}\"}}\n"
                  f"  - {{path: /shop/, upstream: \"{other.address}\", stripPrefix: true, host: upstream}}\n")
        with Wsd(workers=1, config=config) as wsd:
            seen = ask_json(wsd, "GET", "/shop/api/v1/request?x=1", headers={"Host": "a.example"})
            assert seen["pid"] == other.process.pid and seen["url"] == "/api/v1/request?x=1"
            assert seen["headers"]["host"] == f"127.0.0.1:{other.place}"
            assert seen["headers"]["x-forwarded-host"] == "a.example"
            assert b"Shop" in ask(wsd, "GET", "/shop")[2]
            assert ask(wsd, "GET", "/shopping")[0] == 404
            seen = ask_json(wsd, "GET", "/api/v1/request", headers={"Host": "a.example"})
            assert seen["pid"] == app.process.pid and seen["headers"]["host"] == "a.example"


@pytest.mark.parametrize("place", ["tcp", "unix"])
def test_requests_of_all_kinds(place, tmp_path):
    where = 0 if place == "tcp" else str(tmp_path / "app.sock")
    with service(place=where) as (wsd, app):
        for method in ("POST", "PUT", "PATCH", "DELETE", "OPTIONS", "PROPFIND"):
            seen = ask_json(wsd, method, "/api/v1/request", b"body of it")
            assert seen["method"] == method and seen["body"] == "body of it", method
            assert seen["headers"]["content-length"] == "10"
        seen = ask_json(wsd, "POST", "/api/v1/request")
        assert seen["body"] == "" and seen["headers"]["content-length"] == "0"
        seen = ask_json(wsd, "POST", "/api/v1/request", iter([b"one ", b"two"]))
        assert seen["body"] == "one two" and seen["headers"]["transfer-encoding"] == "chunked"
        # HEAD has no body, whatever the application says of its length; the connection goes on.
        connection = http.client.HTTPConnection("127.0.0.1", wsd.port, timeout=10)
        for target in ("/", "/api/v1/bytes/100000", "/api/v1/status/204", "/api/v1/status/304"):
            connection.request("HEAD" if "status" not in target else "GET", target)
            answer = connection.getresponse()
            assert answer.read() == b"" and answer.status in (200, 204, 304), target
        connection.request("GET", "/api/v1/bytes/100000")
        assert connection.getresponse().read() == (b"0123456789abcdef" * 6250)
        connection.close()
        # Conditional requests: the application's tags.
        tag = ask(wsd, "GET", "/")[1]["ETag"]
        assert ask(wsd, "GET", "/", headers={"If-None-Match": tag})[0] == 304
        # Pipelined, HTTP/1.0 with and without a length, and an absolute target.
        two = raw(wsd, b"GET /api/v1/pid HTTP/1.1\r\nHost: a\r\n\r\nGET /healthz HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n")
        assert two.count(b"HTTP/1.1 200") == 2 and two.endswith(b"ok\n")
        old = raw(wsd, b"GET /api/v1/bytes/40 HTTP/1.0\r\n\r\n")
        assert old.startswith(b"HTTP/1.0 200") and old.endswith(b"\r\n\r\n" + b"0123456789abcdef" * 2 + b"01234567"), old
        assert b"chunked" not in old.lower() and b"connection: close" in old.lower()
        absolute = raw(wsd, b"GET http://b.example/api/v1/request HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n")
        assert b'"url":"/api/v1/request"' in absolute and b'"host":"b.example"' in absolute


def test_expectations_and_trailers():
    with service() as (wsd, app):
        with socket.create_connection(("127.0.0.1", wsd.port), timeout=10) as connection:
            connection.sendall(b"POST /api/v1/upload HTTP/1.1\r\nHost: a\r\nExpect: 100-continue\r\nContent-Length: 3\r\n\r\n")
            assert connection.recv(1000) == b"HTTP/1.1 100 Continue\r\n\r\n"
            connection.sendall(b"abc")
            assert b'"count":3' in connection.recv(65536)
        refused = raw(wsd, b"POST /api/v1/upload HTTP/1.1\r\nHost: a\r\nExpect: 100-continue\r\nX-Refuse: 1\r\n"
                           b"Content-Length: 3\r\n\r\n")
        assert refused.startswith(b"HTTP/1.1 417"), refused
        answer = raw(wsd, b"GET /api/v1/trailers HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n")
        assert answer.endswith(b"5\r\nbody\n\r\n0\r\nX-Checksum: abc\r\n\r\n"), answer
        seen = raw(wsd, b"POST /api/v1/request HTTP/1.1\r\nHost: a\r\nConnection: close\r\nTransfer-Encoding: chunked\r\n\r\n"
                        b"3\r\nabc\r\n0\r\nX-Sum: 1\r\nCookie: a=b\r\n\r\n")
        assert b'"trailers":{"x-sum":"1"}' in seen and b'"body":"abc"' in seen, seen


def test_no_request_is_smuggled():
    """Ambiguous requests are refused, or lose what is ambiguous; the application never sees a second one."""
    inner = b"GET /api/v1/status/299 HTTP/1.1\r\nHost: a\r\n\r\n"
    cases = {
        "CL and TE": b"POST /api/v1/request HTTP/1.1\r\nHost: a\r\nContent-Length: 5\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n" + inner,
        "TE and CL": b"POST /api/v1/request HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\nContent-Length: 5\r\n\r\n0\r\n\r\n" + inner,
        "two CL": b"POST /api/v1/request HTTP/1.1\r\nHost: a\r\nContent-Length: 0\r\nContent-Length: 44\r\n\r\n" + inner,
        "list of CL": b"POST /api/v1/request HTTP/1.1\r\nHost: a\r\nContent-Length: 0, 44\r\n\r\n" + inner,
        "signed CL": b"POST /api/v1/request HTTP/1.1\r\nHost: a\r\nContent-Length: +3\r\n\r\nabc" + inner,
        "folded TE": b"POST /api/v1/request HTTP/1.1\r\nHost: a\r\nTransfer-Encoding:\r\n chunked\r\nContent-Length: 5\r\n\r\n0\r\n\r\n" + inner,
        "odd TE": b"POST /api/v1/request HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: xchunked\r\n\r\n0\r\n\r\n" + inner,
        "two TE": b"POST /api/v1/request HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: gzip\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n" + inner,
        "TE before colon": b"POST /api/v1/request HTTP/1.1\r\nHost: a\r\nTransfer-Encoding : chunked\r\nContent-Length: 5\r\n\r\n0\r\n\r\n" + inner,
        "CR in field": b"GET /api/v1/request HTTP/1.1\r\nHost: a\r\nX: a\rContent-Length: 44\r\n\r\n" + inner,
        "NUL in field": b"GET /api/v1/request HTTP/1.1\r\nHost: a\r\nX: a\0b\r\n\r\n" + inner,
        "two CL, upgrade": b"GET /api/v1/request HTTP/1.1\r\nHost: a\r\nConnection: Upgrade\r\nUpgrade: x\r\nContent-Length: 0\r\nContent-Length: 44\r\n\r\n" + inner,
        "two hosts": b"GET /api/v1/request HTTP/1.1\r\nHost: a\r\nHost: b\r\n\r\n" + inner,
        "bad chunk": b"POST /api/v1/request HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\nzz\r\n" + inner,
        "HTTP/1.0 chunked": b"POST /api/v1/request HTTP/1.0\r\nConnection: keep-alive\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n" + inner,
    }
    with service() as (wsd, app):
        for name, data in cases.items():
            answer = raw(wsd, data)
            assert b"299" not in answer, (name, answer)
            status = int(answer.split()[1])
            assert status in (200, 400, 501), (name, answer)
            # Whatever was let through was let through as one request without the doubtful field.
            if status == 200:
                assert answer.count(b"HTTP/1.") == 1, (name, answer)
        # A head cannot take fields away from the application that say who asks.
        seen = ask_json(wsd, "GET", "/api/v1/request", headers={"Connection": "Host, X-Forwarded-For, Via", "Host": "c.example"})
        assert seen["headers"]["host"] == "c.example" and seen["headers"]["x-forwarded-for"] == "127.0.0.1"


def test_large_bodies_in_both_directions_take_no_memory():
    size = 100 * MEBIBYTE
    with service() as (wsd, app):
        worker = wsd.worker(1)["pid"]
        ask(wsd, "GET", "/api/v1/bytes/1000000")
        before = resident(worker)[1]
        # The client takes it slowly at first: the application has to wait.
        with socket.create_connection(("127.0.0.1", wsd.port), timeout=60) as connection:
            connection.sendall(b"GET /api/v1/bytes/%d HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n" % size)
            time.sleep(1)
            assert resident(worker)[0] - before < 8 * MEBIBYTE
            count = 0
            while piece := connection.recv(1 << 20):
                count += len(piece)
        assert count > size
        after_download = resident(worker)[1]
        piece = os.urandom(MEBIBYTE)
        digest = hashlib.sha256()
        for _ in range(100):
            digest.update(piece)
        answer = ask_json(wsd, "POST", "/api/v1/upload", iter([piece] * 100), {"Content-Type": "application/octet-stream"})
        assert answer == {"count": size, "sha256": digest.hexdigest()}
        # A slow application: what the client sends has to wait in its own kernel. With a length, this time.
        start = time.monotonic()
        answer = ask_json(wsd, "POST", f"/api/v1/upload?rate={20 * MEBIBYTE}", piece * 40)
        assert answer["count"] == 40 * MEBIBYTE and time.monotonic() - start > 1
        peak = resident(worker)[1]
        print(f"peak before {before >> 10} KiB, after the download {after_download >> 10}, after the uploads {peak >> 10}")
        assert peak - before < 16 * MEBIBYTE


def test_events_come_at_once_and_end_with_the_client():
    with service() as (wsd, app):
        with socket.create_connection(("127.0.0.1", wsd.port), timeout=10) as connection:
            connection.sendall(b"GET /api/v1/events?every=50 HTTP/1.1\r\nHost: a\r\n\r\n")
            got = b""
            while b"data: 5\n\n" not in got:
                got += connection.recv(65536)
            assert ask_json(wsd, "GET", "/api/v1/streams") == {"streams": 1}
        wait_until(lambda: ask_json(wsd, "GET", "/api/v1/streams") == {"streams": 0}, "the stream has ended")
        # Nothing more is sent for a minute: that the client has gone is noticed all the same.
        with socket.create_connection(("127.0.0.1", wsd.port), timeout=10) as connection:
            connection.sendall(b"GET /api/v1/events?every=60000 HTTP/1.1\r\nHost: a\r\n\r\n")
            got = b""
            while b"data: 1\n\n" not in got:
                got += connection.recv(65536)
            assert ask_json(wsd, "GET", "/api/v1/streams") == {"streams": 1}
        wait_until(lambda: ask_json(wsd, "GET", "/api/v1/streams") == {"streams": 0}, "the streams have ended")


def test_answers_before_the_end_of_the_request():
    with service() as (wsd, app):
        with socket.create_connection(("127.0.0.1", wsd.port), timeout=10) as connection:
            connection.sendall(b"POST /api/v1/refuse HTTP/1.1\r\nHost: a\r\nContent-Length: 1000000000\r\n\r\n" + b"x" * 100_000)
            answer = b""
            with contextlib.suppress(ConnectionError):
                while chunk := connection.recv(65536):
                    answer += chunk
        assert answer.startswith(b"HTTP/1.1 403") and answer.endswith(b"no\n"), answer
        # Others are not touched by it.
        assert ask(wsd, "GET", "/")[0] == 200


def test_bounds_of_bodies_and_time():
    with service(further="    maxBody: 1KiB\n    timeout: 300ms\n    idleTimeout: 1s\n") as (wsd, app):
        assert ask(wsd, "POST", "/api/v1/request", b"x" * 1024)[0] == 200
        assert ask(wsd, "POST", "/api/v1/request", b"x" * 1025)[0] == 413
        status, _, body = ask(wsd, "POST", "/api/v1/upload", iter([b"x" * 1000] * 2))
        assert status == 413 and b"1024 bytes" in body
        status, headers, body = ask(wsd, "GET", "/api/v1/slow/5000")
        assert status == 504 and body == b"The application behind / did not answer within 300 ms.\n"
        status, headers, body = ask(wsd, "GET", "/api/v1/slow/5000", headers={"Accept": "application/json"})
        assert status == 504 and json.loads(body)["code"] == "upstreamTimeout"
        # In the middle of an answer the client sees that it is not whole.
        with pytest.raises(http.client.IncompleteRead):
            ask(wsd, "GET", "/api/v1/events?every=60000")

        async def silent():
            async with websockets.connect(wsd.url("/live"), ping_interval=None) as theirs:
                await theirs.recv()
                start = time.monotonic()
                with pytest.raises(websockets.ConnectionClosed):
                    await asyncio.wait_for(theirs.recv(), 10)
                assert 0.8 < time.monotonic() - start < 5

        run(silent())
        numbers = metrics(wsd)
        assert numbers['wsd_route_failures_total{worker="1",route="/",reason="timeout"}'] == "2"
        assert "An upstream did not answer" in wsd.output() and "route.upstream" in wsd.output()


def test_errors_say_what_is_wrong(tmp_path):
    with socket.socket() as closed, socket.socket() as silent:
        closed.bind(("127.0.0.1", 0))
        silent.bind(("127.0.0.1", 0))
        silent.listen(1)
        config = f"""
routes:
  - {{path: /dead, upstream: "http://127.0.0.1:{closed.getsockname()[1]}", hold: 0}}
  - {{path: /starting, upstream: "http://127.0.0.1:{closed.getsockname()[1]}", hold: 600ms}}
  - {{path: /file, upstream: "unix:{tmp_path}/no.sock", hold: 300ms}}
  - {{path: /name, upstream: "http://nobody.invalid:80"}}
  - {{path: /tls, upstream: "https://127.0.0.1:{silent.getsockname()[1]}", connectTimeout: 300ms}}
"""
        with Wsd(workers=1, config=config) as wsd:
            status, headers, body = ask(wsd, "GET", "/dead")
            assert status == 502 and body == b"The application behind /dead accepts no connections.\n", body
            start = time.monotonic()
            status, headers, body = ask(wsd, "POST", "/starting", b"x" * 200_000)
            assert status == 503 and headers["Retry-After"] and b"/starting accepts no connections" in body
            assert 0.5 < time.monotonic() - start < 5
            status, headers, body = ask(wsd, "GET", "/file/x", headers={"Accept": "application/json"})
            assert status == 503 and json.loads(body)["error"].startswith("The application behind /file has no socket yet")
            status, _, body = ask(wsd, "GET", "/name")
            assert status == 502 and b"cannot be reached" in body
            status, _, body = ask(wsd, "GET", "/tls")
            assert status == 504, body
            assert raw(wsd, upgrade_request("/dead")).startswith(b"HTTP/1.1 502 Bad Gateway\r\n")
            wait_until(lambda: {value for key, value in metrics(wsd).items()
                                if key.startswith(("wsd_route_active", "wsd_route_held"))} == {"0"}, "nothing is left over")


def answering(data, close=True):
    """A server that answers one connection after the other with these bytes."""
    listener = socket.create_server(("127.0.0.1", 0))

    def serve():
        with contextlib.suppress(OSError):
            while True:
                connection, _ = listener.accept()
                with connection:
                    connection.recv(65536)
                    connection.sendall(data)
                    if not close:
                        time.sleep(0.5)

    threading.Thread(target=serve, daemon=True).start()
    return listener


@pytest.mark.parametrize("data,status,end", [
    (b"nonsense\r\n\r\n", 502, b"not HTTP"),
    (b"", 502, b"closed the connection"),
    (b"HTTP/1.1 200 OK\r\nContent-Length: 3\r\nContent-Length: 4\r\n\r\nabcd", 502, b""),
    (b"HTTP/1.1 200 OK\r\nX: " + b"x" * 200_000 + b"\r\n\r\n", 502, b""),
    (b"HTTP/1.1 101 Switching Protocols\r\nUpgrade: x\r\nConnection: Upgrade\r\n\r\n", 502, b""),
    (b"HTTP/1.1 200 OK\r\nTransfer-Encoding: gzip\r\n\r\nabc", 502, b"not HTTP"),
    (b"HTTP/1.1 103 Early Hints\r\nLink: </a>\r\n\r\nHTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok", 103, b"ok"),
    (b"HTTP/1.0 200 OK\r\n\r\nuntil the end", 200, b"d\r\nuntil the end\r\n0\r\n\r\n"),
    (b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nokHTTP/1.1 200 OK\r\nContent-Length: 4\r\n\r\nevil", 200, b"ok"),
])
def test_odd_upstreams(data, status, end):
    with answering(data) as listener:
        config = f"routes:\n  - {{path: /, upstream: \"http://127.0.0.1:{listener.getsockname()[1]}\"}}\n"
        with Wsd(workers=1, config=config) as wsd:
            for _ in range(2):
                answer = raw(wsd, b"GET /x HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n")
                assert answer.startswith(b"HTTP/1.1 %d " % status), answer
                assert end in answer and b"evil" not in answer, answer
                assert answer.endswith(end) or status == 502
            assert ask(wsd, "GET", "/healthz")[0] == 200


def upstream(serve):
    """A server that hands each connection to serve, in a thread of its own, with what came first."""
    listener = socket.create_server(("127.0.0.1", 0))

    def one(connection):
        with contextlib.suppress(OSError), connection:
            serve(connection, connection.recv(65536))

    def accept():
        with contextlib.suppress(OSError):
            while True:
                threading.Thread(target=one, args=(listener.accept()[0],), daemon=True).start()

    threading.Thread(target=accept, daemon=True).start()
    return listener


def test_what_a_tunnel_brings_right_before_its_end_arrives():
    def serve(connection, _):
        connection.sendall(b"HTTP/1.1 101 Switching Protocols\r\nUpgrade: x\r\nConnection: Upgrade\r\n\r\nfarewell")

    with upstream(serve) as listener:
        config = f"routes:\n  - {{path: /, upstream: \"http://127.0.0.1:{listener.getsockname()[1]}\"}}\n"
        with Wsd(workers=1, config=config) as wsd:
            for _ in range(20):
                answer = raw(wsd, b"GET /x HTTP/1.1\r\nHost: a\r\nConnection: Upgrade\r\nUpgrade: x\r\n\r\n")
                assert answer.startswith(b"HTTP/1.1 101 ") and answer.endswith(b"\r\n\r\nfarewell"), answer


@pytest.mark.parametrize("fields", [b"", b"Connection: Upgrade\r\nUpgrade: x\r\n"], ids=["plain", "upgrade"])
def test_interim_answers_do_not_put_off_the_time_limit(fields):
    def serve(connection, _):
        while True:
            connection.sendall(b"HTTP/1.1 102 Processing\r\n\r\n")
            time.sleep(0.1)

    with upstream(serve) as listener:
        config = f"routes:\n  - {{path: /, upstream: \"http://127.0.0.1:{listener.getsockname()[1]}\", timeout: 1s}}\n"
        with Wsd(workers=1, config=config) as wsd:
            answer = raw(wsd, b"GET /x HTTP/1.1\r\nHost: a\r\n" + (fields or b"Connection: close\r\n") + b"\r\n")
            assert b"HTTP/1.1 504 " in answer, answer


def test_what_comes_behind_an_answer_is_not_put_before_the_next():
    answers = []

    def serve(connection, _):
        while True:
            head = b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok"
            answers.append(head if answers else head + b"HTTP/1.1 200 OK\r\nX-Poison: ")
            connection.sendall(answers[-1])
            if not connection.recv(65536):
                return

    with upstream(serve) as listener:
        config = f"routes:\n  - {{path: /, upstream: \"http://127.0.0.1:{listener.getsockname()[1]}\"}}\n"
        with Wsd(workers=1, config=config) as wsd:
            for _ in range(3):
                status, fields, body = ask(wsd, "GET", "/x")
                assert (status, body) == (200, b"ok") and "X-Poison" not in fields, fields
            assert len(answers) == 3


@pytest.mark.parametrize("fields", [b"", b"Connection: Upgrade\r\nUpgrade: x\r\n"], ids=["plain", "upgrade"])
@pytest.mark.parametrize("target, host", [(b"/x", b"a b/../@x"), (b"/x", b""), (b"/x", b"user@a"), (b"http://u:p@evil/x", b"a")])
def test_a_host_that_is_none_does_not_reach_the_application(fields, target, host):
    with Wsd(workers=1, config="routes:\n  - {path: /, upstream: \"http://127.0.0.1:1\", hold: 0}\n") as wsd:
        answer = raw(wsd, b"GET " + target + b" HTTP/1.1\r\nHost: " + host + b"\r\n" + (fields or b"Connection: close\r\n") + b"\r\n")
        assert answer.startswith(b"HTTP/1.1 400 "), answer


def test_a_loop_is_noticed():
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    config = f"routes:\n  - {{path: /, upstream: \"http://127.0.0.1:{port}\"}}\n"
    with Wsd(workers=1, config=config, listen=f"127.0.0.1:{port}") as wsd:
        status, _, body = ask(wsd, "GET", "/x")
        assert status == 508 and b"sends requests back here" in body


def test_requests_wait_while_the_application_is_restarted():
    """Two dozen clients ask all the time; the application is stopped and started twice, once for longer, once killed."""
    with service(workers=2) as (wsd, app):
        failures, answered = [], []
        stopping = threading.Event()

        def client(number):
            connection = http.client.HTTPConnection("127.0.0.1", wsd.port, timeout=30)
            while not stopping.is_set():
                try:
                    connection.request("GET", f"/api/v1/pid?{number}")
                    answer = connection.getresponse()
                    text = answer.read()
                    if answer.status != 200:
                        failures.append((answer.status, text))
                    else:
                        answered.append(text)
                except Exception as error:
                    failures.append(error)
                    connection.close()
                time.sleep(0.005)
            connection.close()

        threads = [threading.Thread(target=client, args=(number,)) for number in range(24)]
        for thread in threads:
            thread.start()
        try:
            for number in (signal.SIGTERM, signal.SIGKILL):
                first = str(app.process.pid).encode()
                wait_until(lambda: answered and answered[-1] == first, "the application answers")
                app.stop(number)
                wait_until(lambda: sum(int(value) for key, value in metrics(wsd).items()
                                       if key.startswith("wsd_route_held_requests")) >= 24, "all requests are held")
                # Held requests cost next to nothing.
                cpu = sum(cpu_seconds(process["pid"]) for process in wsd.processes())
                time.sleep(1)
                assert sum(cpu_seconds(process["pid"]) for process in wsd.processes()) - cpu < 0.3
                app.start()
                second = str(app.process.pid).encode()
                wait_until(lambda: answered[-1] == second, "the new application answers")
        finally:
            stopping.set()
            for thread in threads:
                thread.join(30)
        assert failures == []
        assert len(set(answered)) == 3


def test_an_upload_waits_for_the_application_and_a_client_that_goes_does_not():
    with App() as app:
        app.stop()
        with Wsd(workers=1, config=routes(app)) as wsd:
            held = 'wsd_route_held_requests{worker="1",route="/"}'
            gone = socket.create_connection(("127.0.0.1", wsd.port), timeout=10)
            gone.sendall(b"GET /api/v1/pid HTTP/1.1\r\nHost: a\r\n\r\n")
            upgrade = socket.create_connection(("127.0.0.1", wsd.port), timeout=10)
            upgrade.sendall(upgrade_request("/live"))
            wait_until(lambda: metrics(wsd).get(held) == "2", "both are held")
            assert any("accepts no connections; requests that wait for it: 2." in problem for problem in wsd.status()["problems"])
            gone.close()
            wait_until(lambda: metrics(wsd).get(held) == "1", "it is forgotten")
            result = []
            uploader = threading.Thread(target=lambda: result.append(ask_json(wsd, "POST", "/api/v1/upload", b"y" * 20_000_000)))
            uploader.start()
            wait_until(lambda: metrics(wsd).get(held) == "2", "the upload is held")
            assert resident(wsd.worker(1)["pid"])[0] < 100 * MEBIBYTE
            app.start()
            uploader.join(20)
            assert result and result[0]["count"] == 20_000_000
            assert upgrade.recv(65536).startswith(b"HTTP/1.1 101")
            upgrade.close()


def test_tunnels_wait_for_the_slower_side():
    with service() as (wsd, app):
        worker = wsd.worker(1)["pid"]

        async def slow_reader():
            theirs = await websockets.connect(wsd.url("/live"), max_size=None, max_queue=1, compression=None, ping_interval=None)
            await theirs.recv()
            before = resident(worker)[0]
            await theirs.send("send 200 1000000")
            await asyncio.sleep(1)
            assert resident(worker)[0] - before < 8 * MEBIBYTE
            for _ in range(200):
                assert len(await asyncio.wait_for(theirs.recv(), 30)) == 1_000_000
            assert resident(worker)[1] - before < 16 * MEBIBYTE
            await theirs.close()

        run(slow_reader())
        wait_until(lambda: metrics(wsd)['wsd_route_tunnels{worker="1",route="/"}'] == "0", "the tunnel has ended")


def echo_server():
    """Switches to a protocol of its own, reads to the end, and only then answers what it has read."""

    def serve(connection, head):
        while b"\r\n\r\n" not in head:
            head += connection.recv(65536)
        body = head.partition(b"\r\n\r\n")[2]
        # The first bytes of the new protocol come in one piece with the answer.
        connection.sendall(b"HTTP/1.1 101 Switching Protocols\r\nUpgrade: echo/1\r\nConnection: Upgrade\r\n\r\nhello")
        while chunk := connection.recv(65536):
            body += chunk
        connection.sendall(b"all:" + body)

    return upstream(serve)


def test_any_protocol_and_half_closed_connections():
    with echo_server() as listener:
        config = f"routes:\n  - {{path: /raw, upstream: \"http://127.0.0.1:{listener.getsockname()[1]}\"}}\n"
        with Wsd(workers=1, config=config) as wsd:
            head = b"GET /raw HTTP/1.1\r\nHost: a\r\nConnection: Upgrade\r\nUpgrade: echo/1\r\n\r\n"
            for first in (b"", b"GET /healthz HTTP/1.1\r\nHost: a\r\n\r\n"):
                with socket.create_connection(("127.0.0.1", wsd.port), timeout=10) as connection:
                    if first:
                        # On a connection that has served requests before, as proxies reuse theirs.
                        connection.sendall(first)
                        assert connection.recv(65536).endswith(b"ok\n")
                    connection.sendall(head + b"early ")
                    got = b""
                    while not got.endswith(b"hello"):
                        got += connection.recv(65536)
                    assert got.startswith(b"HTTP/1.1 101 ") and b"Upgrade: echo/1" in got
                    connection.sendall(b"late")
                    connection.shutdown(socket.SHUT_WR)
                    rest = b""
                    while chunk := connection.recv(65536):
                        rest += chunk
                    assert rest == b"all:early late"
            # HTTP/2 without TLS is not asked for in earnest.
            answer = raw(wsd, b"GET /healthz HTTP/1.1\r\nHost: a\r\nConnection: Upgrade, HTTP2-Settings, close\r\nUpgrade: h2c\r\n"
                              b"HTTP2-Settings: x\r\n\r\n")
            assert answer.startswith(b"HTTP/1.1 200")


def test_tls_in_front_makes_no_difference(tmp_path):
    authority = Authority()
    for name, content in zip(("cert.pem", "key.pem"), authority.issue()):
        put(tmp_path / name, content)
    context = ssl.create_default_context(cadata=authority.pem.decode())
    tls = f"tls:\n  certificate: {tmp_path}/cert.pem\n  key: {tmp_path}/key.pem\n  hsts: 1h\n"
    with echo_server() as listener, App() as app:
        further = f"  - {{path: /raw, upstream: \"http://127.0.0.1:{listener.getsockname()[1]}\"}}\n"
        with Wsd(workers=1, config=routes(app, further) + tls) as wsd:
            connection = http.client.HTTPSConnection("127.0.0.1", wsd.port, timeout=30, context=context)
            connection.request("POST", "/api/v1/request", b"body")
            answer = connection.getresponse()
            seen = json.loads(answer.read())
            assert seen["headers"]["x-forwarded-proto"] == "https" and seen["protocol"] == "https" and seen["body"] == "body"
            assert answer.headers["Strict-Transport-Security"] == "max-age=3600"
            worker = wsd.worker(1)["pid"]
            before = resident(worker)[1]
            connection.request("GET", f"/api/v1/bytes/{50 * MEBIBYTE}")
            assert len(connection.getresponse().read()) == 50 * MEBIBYTE
            connection.request("POST", "/api/v1/upload", b"z" * (50 * MEBIBYTE))
            assert json.loads(connection.getresponse().read())["count"] == 50 * MEBIBYTE
            assert resident(worker)[1] - before < 16 * MEBIBYTE
            connection.close()

            async def sockets():
                url = f"wss://127.0.0.1:{wsd.port}"
                ours = await Client.connect(f"{url}/ws", ssl=context)
                await ours.join("room")
                await ours.close()
                async with websockets.connect(f"{url}/live", ssl=context, max_size=None) as theirs:
                    await theirs.recv()
                    await theirs.send(b"\1" * 3_000_000)
                    assert await theirs.recv() == b"\1" * 3_000_000
                assert theirs.close_code == 1000
                # Bytes before the answer, and an end of one side alone, which TLS has too; the upstream answers after it.
                reader, writer = await asyncio.open_connection("127.0.0.1", wsd.port, ssl=context)
                writer.write(b"GET /raw HTTP/1.1\r\nHost: a\r\nConnection: Upgrade\r\nUpgrade: echo/1\r\n\r\nearly")
                assert (await reader.readuntil(b"hello")).startswith(b"HTTP/1.1 101")
                writer.close()

            run(sockets())


def test_limits_of_connections_hold_for_tunnels_too():
    with service(config="limits:\n  connectRate: 1/m burst 3\n") as (wsd, app):
        answers = [None] * 5
        for index in range(5):
            with socket.create_connection(("127.0.0.1", wsd.port), timeout=10) as connection:
                connection.sendall(upgrade_request("/live"))
                answers[index] = connection.recv(65536).split()[1]
        assert answers == [b"101"] * 3 + [b"429"] * 2


def test_a_reload_lets_requests_end_and_closes_tunnels():
    with service(workers=2, config="reload:\n  drainSpread: 500ms\n  drainTimeout: 20s\n") as (wsd, app):
        results = []
        slow = [threading.Thread(target=lambda: results.append(ask(wsd, "GET", "/api/v1/slow/1500"))) for _ in range(8)]
        for thread in slow:
            thread.start()

        async def reloaded():
            theirs = [await websockets.connect(wsd.url("/live"), ping_interval=None) for _ in range(20)]
            for one in theirs:
                await one.recv()
            events = []
            for _ in range(4):
                reader, writer = await asyncio.open_connection("127.0.0.1", wsd.port)
                writer.write(b"GET /api/v1/events?every=60000 HTTP/1.1\r\nHost: a\r\n\r\n")
                assert b"data: 1" in await reader.readuntil(b"data: 1\n\n")
                events.append((reader, writer))
            idle = http.client.HTTPConnection("127.0.0.1", wsd.port, timeout=10)
            idle.request("GET", "/api/v1/pid")
            idle.getresponse().read()
            start = time.monotonic()
            await asyncio.to_thread(wsd.ctl, "reload")
            # Streams end as they should, so that browsers come again.
            for reader, writer in events:
                assert (await asyncio.wait_for(reader.read(), 15)).endswith(b"0\r\n\r\n")
                writer.close()
            for one in theirs:
                await asyncio.wait_for(one.wait_closed(), 15)
            assert time.monotonic() - start < 15
            idle.close()
            again = await websockets.connect(wsd.url("/live"), ping_interval=None)
            await again.recv()
            await again.close()

        run(reloaded())
        for thread in slow:
            thread.join(20)
        assert [(status, body) for status, _, body in results] == [(200, b"late\n")] * 8
        assert "Drain deadline passed" not in wsd.output()
        assert wsd.process.poll() is None


def test_a_reload_brings_other_routes():
    with App() as app, App() as other, Wsd(workers=1, config=routes(app)) as wsd:
        assert int(ask(wsd, "GET", "/api/v1/pid")[2]) == app.process.pid
        wsd.config_file.write_text(routes(other) + "\nlimits:\n  messageRate: off\n")
        wsd.ctl("reload")
        assert int(ask(wsd, "GET", "/api/v1/pid")[2]) == other.process.pid


def test_figures():
    with service(config="http:\n  metrics: true\n") as (wsd, app):
        for target in ("/", "/api/v1/status/404", "/api/v1/status/500", "/api/v1/status/301"):
            ask(wsd, "GET", target)
        numbers = wait_until(lambda: (found := metrics(wsd)).get(
            'wsd_route_request_duration_seconds_count{worker="1",route="/"}') == "4" and found, "four requests are counted")
        for name in ("2xx", "3xx", "4xx", "5xx"):
            assert numbers[f'wsd_route_requests_total{{worker="1",route="/",class="{name}"}}'] == "1"
        assert float(numbers['wsd_route_request_duration_seconds_sum{worker="1",route="/"}']) > 0
        text = ask(wsd, "GET", "/wsd/metrics")[2].decode()
        assert 'wsd_route_active_requests{worker="1",route="/"} 0' in text


def test_wrong_routes_are_refused_before_the_start(tmp_path):
    file = tmp_path / "wsd.yaml"

    def check(text):
        file.write_text(text)
        from harness import BIN
        result = subprocess.run([str(BIN / "wsd"), "--check-config", "--config", str(file)], capture_output=True, text=True)
        return result.returncode, result.stdout + result.stderr

    code, text = check("routes:\n  - {path: /a, upstream: 'http://127.0.0.1:1'}\n  - {path: /a/, upstream: 'http://127.0.0.1:2'}\n")
    assert code == 78 and "routes[1] and routes[0] are both for /a" in text
    for upstream, hint in [("127.0.0.1:3000", "did you mean http://127.0.0.1:3000?"), ("ws://a:1", "http://a:1"),
                           ("http://a:1/path", "no path"), ("http://a:99999", "it must be"), ("/run/a.sock", "did you mean unix:")]:
        code, text = check(f"routes:\n  - {{path: /a, upstream: '{upstream}'}}\n")
        assert code == 78 and hint in text and "wsd.yaml:2" in text, text
    assert check("routes:\n  - {path: a, upstream: 'http://a:1'}\n")[0] == 78
    code, text = check("routes:\n  - {path: /a}\n")
    assert code == 78 and "upstream" in text
    code, text = check("routes:\n  - {path: /wsd/x, upstream: 'http://a:1'}\n")
    assert code == 0 and "the route never does" in text
