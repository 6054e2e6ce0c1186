"""The client library and the pages that the service carries, and the dashboard: on the public port and from wsctl."""

import contextlib
import gzip
import hashlib
import http.client
import json
import os
import re
import shutil
import signal
import socket
import subprocess
import threading
import time

import pytest

from harness import BIN, ROOT, Wsd, wait_until

VERSION = "0.1.0"
KEY, PUBLISHER = "k-" + "5" * 40, "k-" + "6" * 40

DASHBOARD = f"""
mode: prod
http:
  dashboard: true
api:
  keys:
    - name: dashboard
      sha256: {hashlib.sha256(KEY.encode()).hexdigest()}
      allow: [observe]
    - name: app
      sha256: {hashlib.sha256(PUBLISHER.encode()).hexdigest()}
      allow: [publish, manage]
"""


class Answer:
    def __init__(self, answer):
        self.status, self.headers, self.body = answer.status, answer.headers, answer.read()

    @property
    def text(self):
        return self.body.decode()

    @property
    def json(self):
        return json.loads(self.body)


def ask(port, path, method="GET", headers=None, body=None, host=None):
    """One request on a connection of its own; a header given as None is left out."""
    fields = {"Host": host or f"127.0.0.1:{port}", **(headers or {})}
    with contextlib.closing(http.client.HTTPConnection("127.0.0.1", port, timeout=20)) as connection:
        connection.putrequest(method, path, skip_host=True, skip_accept_encoding=True)
        for name, value in fields.items():
            if value is not None:
                connection.putheader(name, value)
        if body is not None:
            connection.putheader("Content-Length", str(len(body)))
        connection.endheaders(body)
        return Answer(connection.getresponse())


def get(service, path, **options):
    return ask(service.port, path, **options)


def file(name):
    return (ROOT / name).read_bytes()


# -- the client library


@pytest.mark.parametrize("name, source", [("client.js", "client/wsd-client.js"), ("client.d.ts", "client/wsd-client.d.ts")])
def test_client_is_the_file_itself(wsd, name, source):
    answer = get(wsd, f"/wsd/{name}")
    assert answer.status == 200 and answer.body == file(source)
    assert answer.headers["Access-Control-Allow-Origin"] == "*"
    assert answer.headers["Cache-Control"] == "no-cache"


def test_tags_and_versions(wsd):
    first = get(wsd, "/wsd/client.js")
    tag = first.headers["ETag"]
    assert re.fullmatch(r'"[^"]+"', tag)
    kept = get(wsd, "/wsd/client.js", headers={"If-None-Match": tag})
    assert kept.status == 304 and kept.body == b"" and kept.headers["ETag"] == tag
    assert get(wsd, "/wsd/client.js", headers={"If-None-Match": '"other"'}).status == 200
    # Every worker has the same file.
    assert {get(wsd, "/wsd/client.js", method="HEAD").headers["ETag"] for _ in range(10)} == {tag}
    versioned = get(wsd, f"/wsd/client.js?v={VERSION}")
    assert versioned.headers["Cache-Control"] == "public, max-age=31536000, immutable"
    assert get(wsd, "/wsd/client.js?v=9.9.9").headers["Cache-Control"] == "no-cache"


def test_compressed(wsd):
    plain = get(wsd, "/wsd/client.js")
    zipped = get(wsd, "/wsd/client.js", headers={"Accept-Encoding": "gzip, deflate, br"})
    assert zipped.headers["Content-Encoding"] == "gzip" and gzip.decompress(zipped.body) == plain.body
    assert zipped.headers["Vary"] == plain.headers["Vary"] == "Accept-Encoding"
    assert len(zipped.body) <= 12 * 1024
    assert "Content-Encoding" not in plain.headers and zipped.headers["ETag"] != plain.headers["ETag"]


@pytest.mark.skipif(shutil.which("node") is None, reason="node is not installed")
def test_classic_script_and_module_are_the_same_library(wsd, tmp_path):
    (tmp_path / "classic.js").write_bytes(get(wsd, "/wsd/client.classic.js").body)
    (tmp_path / "module.mjs").write_bytes(get(wsd, "/wsd/client.js").body)
    (tmp_path / "both.mjs").write_text(
        "import vm from 'node:vm'; import fs from 'node:fs'; import * as module from './module.mjs';\n"
        "vm.runInThisContext(fs.readFileSync(new URL('classic.js', import.meta.url), 'utf8'));\n"
        "const client = new wsd.WsdClient({ url: 'ws://127.0.0.1:1/ws', autoConnect: false, WebSocket: class {} });\n"
        "console.log(JSON.stringify([Object.keys(wsd).sort(), Object.keys(module).sort(), wsd.version, client.state]));\n")
    result = subprocess.run(["node", tmp_path / "both.mjs"], capture_output=True, text=True, timeout=30)
    assert result.returncode == 0, result.stderr
    classic, module, version, state = json.loads(result.stdout)
    assert classic == module and "WsdClient" in classic
    assert version == VERSION and state == "closed"


# -- pages


def test_pages_are_policed(wsd):
    for path, script in [("/", "wsd/pages/test.js"), ("/wsd/test", "./pages/test.js"), ("/wsd/demo/chat", "../pages/chat.js")]:
        page = get(wsd, path)
        assert page.status == 200 and page.headers["Content-Type"] == "text/html; charset=utf-8"
        policy = page.headers["Content-Security-Policy"]
        assert "default-src 'none'; script-src 'self'; style-src 'self';" in policy and "unsafe" not in policy
        assert "frame-ancestors 'none'" in policy
        assert page.headers["X-Content-Type-Options"] == "nosniff" and page.headers["X-Frame-Options"] == "DENY"
        assert page.headers["Referrer-Policy"] == "no-referrer"
        assert f'src="{script}"' in page.text and "{{" not in page.text
    assert get(wsd, "/wsd/pages/wsd.css").body == file("pages/wsd.css")
    assert get(wsd, "/wsd/pages/test.js").body == file("pages/test.js")
    assert get(wsd, "/wsd/dashboard").status == 404


def test_in_prod_only_the_client_library():
    with Wsd(workers=1, config="mode: prod\n") as service:
        assert get(service, "/wsd/client.js").status == 200
        for path in ["test", "demo/chat", "pages/wsd.css", "probe", "dashboard", "dashboard/api/session"]:
            assert get(service, f"/wsd/{path}").status == 404, path
        assert get(service, "/").status in (404, 426)
    with Wsd(workers=1, config="mode: prod\nhttp:\n  testPage: true\n") as service:
        assert get(service, "/wsd/test").status == 200 and get(service, "/wsd/demo/chat").status == 200


HANDSHAKE = {"Upgrade": "websocket", "Connection": "Upgrade", "Sec-WebSocket-Version": "13",
             "Sec-WebSocket-Key": "dGhlIHNhbXBsZSBub25jZQ=="}


def note(service, mark):
    """What some worker remembers of the attempt with this mark: the connections are spread over them."""
    for _ in range(100):
        answer = get(service, f"/wsd/probe?id={mark}").json
        if answer["handshake"]:
            return answer["handshake"]
    raise AssertionError("no worker has seen it")


def test_probe_tells_of_a_handshake(wsd):
    answer = get(wsd, "/wsd/probe?path=/ws", headers={"Origin": "https://app.example"})
    assert answer.headers["Access-Control-Allow-Origin"] == "*" and answer.headers["Connection"] == "close"
    assert answer.json["service"] == "wsd" and answer.json["webSocket"] is True and answer.json["origin"] == "allowed"
    stripped = {**HANDSHAKE, "Upgrade": None, "Connection": "close"}
    refused = get(wsd, "/ws?wsd-probe=stripped0000000000", headers=stripped)
    assert refused.status == 426
    seen = note(wsd, "stripped0000000000")
    assert (seen["upgrade"], seen["key"], seen["status"]) == (False, True, 426) and seen["reason"] in refused.text
    assert get(wsd, "/nowhere?wsd-probe=wrongpath000000000", headers=HANDSHAKE).status == 404
    seen = note(wsd, "wrongpath000000000")
    assert (seen["upgrade"], seen["status"], seen["path"]) == (True, 404, "/nowhere")
    assert note_of_accepted(wsd) == 101


def note_of_accepted(service):
    connection = http.client.HTTPConnection("127.0.0.1", service.port, timeout=20)
    connection.putrequest("GET", "/ws?wsd-probe=accepted0000000000")
    for name, value in HANDSHAKE.items():
        connection.putheader(name, value)
    connection.endheaders()
    assert connection.getresponse().status == 101
    connection.close()
    return note(service, "accepted0000000000")["status"]


def test_probe_judges_the_origin_as_the_gate_does():
    with Wsd(workers=1, config="limits:\n  origins: ['https://app.example']\n  messageRate: off\n") as service:
        for origin, word, status in [("https://app.example", "allowed", 101), ("https://evil.example", "refused", 403)]:
            assert get(service, "/wsd/probe", headers={"Origin": origin}).json["origin"] == word
            assert get(service, f"/wsd/probe?origin={origin}").json["origin"] == word
            connection = http.client.HTTPConnection("127.0.0.1", service.port, timeout=20)
            connection.request("GET", "/ws", headers={**HANDSHAKE, "Origin": origin})
            assert connection.getresponse().status == status
            connection.close()


# -- the dashboard on the public port


@pytest.fixture(scope="module")
def public():
    with Wsd(workers=2, config=DASHBOARD) as service:
        service.worker_sockets = {p["pid"]: sockets(p["pid"]) for p in service.processes()}
        yield service


def sockets(pid):
    """How many sockets a process has open."""
    count = 0
    for entry in os.scandir(f"/proc/{pid}/fd"):
        with contextlib.suppress(FileNotFoundError):
            count += os.readlink(entry.path).startswith("socket:")
    return count


def bearer(key=KEY):
    return {"Authorization": f"Bearer {key}"}


def test_public_dashboard_shows_by_key_only(public):
    page = get(public, "/wsd/dashboard")
    assert page.status == 200 and "connect-src 'self';" in page.headers["Content-Security-Policy"]
    assert get(public, "/wsd/dashboard/pages/dashboard.js").body == file("pages/dashboard.js")
    api = "/wsd/dashboard/api/"
    for name in ["session", "status", "logs"]:
        assert get(public, api + name).status == 401
        assert get(public, f"{api}{name}?token={KEY}").status == 401
        assert get(public, api + name, headers=bearer("k-wrong")).status == 401
        assert get(public, api + name, headers=bearer(PUBLISHER)).status == 403
    assert get(public, api + "session", headers=bearer()).json == {"control": False}
    status = get(public, api + "status", headers=bearer()).json
    assert status["health"] == "ok" and len([p for p in status["processes"] if p.get("worker")]) == 2
    assert get(public, api + "logs?lines=1", headers=bearer()).text.count("\n") == 1
    assert "lines" in get(public, api + "logs?lines=x", headers=bearer()).json["message"]


def test_public_dashboard_changes_nothing(public):
    before = public.status()["processes"]
    for method in ["GET", "POST", "PUT", "DELETE"]:
        for name in ["restart", "reload", "scale", "stop", "kick", "publish", "config", "../../v1/stop", "status%2f..%2fstop"]:
            answer = get(public, f"/wsd/dashboard/api/{name}", method=method, headers=bearer(), body=b"{}")
            assert answer.status in (400, 403, 404, 405), (method, name, answer.text)
    assert [p["pid"] for p in public.status()["processes"]] == [p["pid"] for p in before]


def test_public_stream_ends_with_the_browser_and_with_the_worker(public):
    def used():
        return sum(sockets(pid) - rest for pid, rest in public.worker_sockets.items())

    wait_until(lambda: used() == 0, "the connections of other tests have ended")
    connection = http.client.HTTPConnection("127.0.0.1", public.port, timeout=20)
    connection.request("GET", "/wsd/dashboard/api/stats?follow=1s", headers=bearer())
    answer = connection.getresponse()
    for _ in range(2):
        assert "totals" in json.loads(answer.readline())
    assert used() == 2, "browser and control socket"
    connection.sock.close()
    answer.close()
    wait_until(lambda: used() == 0, "both have ended")

    connection = http.client.HTTPConnection("127.0.0.1", public.port, timeout=20)
    connection.request("GET", "/wsd/dashboard/api/logs?follow=1&lines=0", headers=bearer())
    answer = connection.getresponse()
    started = time.monotonic()
    public.ctl("restart")
    # The workers that drain do not wait for those that watch.
    while answer.read1():
        pass
    wait_until(lambda: not any(p["state"] == "draining" for p in public.status()["processes"]), "all drained")
    assert time.monotonic() - started < 10
    connection.close()


def test_public_dashboard_needs_a_key_that_may_observe(tmp_path):
    file = tmp_path / "wsd.yaml"
    file.write_text("http:\n  dashboard: true\n")
    result = subprocess.run([BIN / "wsd", "--config", file, "--check-config"], capture_output=True, text=True, timeout=30)
    assert result.returncode != 0 and "allows observe" in result.stdout + result.stderr


# -- the dashboard of wsctl


class Dashboard:
    """A running `wsctl dashboard` and a browser that may have been let in."""

    def __init__(self, service, *args):
        self.process = subprocess.Popen(
            [str(BIN / "wsctl"), "dashboard", "--json", "--socket", str(service.control), *args], text=True,
            stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, env={"PATH": os.environ["PATH"]})
        self.cookie = self.csrf = None
        self.read_address()

    def read_address(self):
        line = self.process.stdout.readline()
        assert line.startswith("{"), line + self.process.stdout.read()
        told = json.loads(line)
        self.port = told["port"]
        prefix, _, self.target = told["address"].partition(f":{self.port}")
        assert prefix == "http://127.0.0.1" and self.target.startswith("/?token=")

    def ask(self, path, method="GET", headers=None, **options):
        return ask(self.port, path, method=method, headers={"Cookie": self.cookie, **(headers or {})}, **options)

    def enter(self):
        answer = self.ask(self.target)
        assert answer.status == 303 and answer.headers["Location"] == "/", answer.text
        self.cookie, _, attributes = answer.headers["Set-Cookie"].partition("; ")
        assert attributes == "Path=/; HttpOnly; SameSite=Strict"
        self.csrf = self.ask("/api/session").json.get("csrf")
        return self

    def change(self, name, body=b"{}", **headers):
        fields = {"Origin": f"http://127.0.0.1:{self.port}", "Sec-Fetch-Site": "same-origin",
                  "Content-Type": "application/json", "X-Wsd-Csrf": self.csrf}
        fields.update({key.replace("_", "-"): value for key, value in headers.items()})
        return self.ask(f"/api/{name}", method="POST", headers=fields, body=body)

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.process.kill()
        self.process.wait(10)
        self.process.stdin.close()
        self.process.stdout.close()


@pytest.fixture
def inside(wsd):
    with Dashboard(wsd) as dashboard:
        yield dashboard.enter()


def test_token_lets_one_browser_in_once(wsd):
    with Dashboard(wsd) as dashboard:
        for path in ["/", "/?token=" + "0" * 64, "/api/status", "/api/session", "/pages/wsd.css"]:
            answer = dashboard.ask(path)
            assert answer.status == 403 and "wsctl dashboard" in answer.text, path
        address = dashboard.target
        dashboard.enter()
        page = dashboard.ask("/")
        assert page.status == 200 and "frame-ancestors 'none'" in page.headers["Content-Security-Policy"]
        assert page.headers["Cache-Control"] == "no-store"
        assert ask(dashboard.port, address).status == 403
        dashboard.process.stdin.write("\n")
        dashboard.process.stdin.flush()
        dashboard.read_address()
        assert dashboard.target != address
        assert ask(dashboard.port, dashboard.target).status == 303
        assert dashboard.ask("/").status == 200
        # It is the token's bearer who gets in, from this machine's loopback alone.
        with pytest.raises(OSError):
            ask_elsewhere(dashboard.port)


def ask_elsewhere(port):
    with contextlib.closing(http.client.HTTPConnection("127.0.0.2", port, timeout=2)) as connection:
        connection.request("GET", "/")
        return connection.getresponse()


def test_shows_what_the_control_socket_says(wsd, inside):
    assert inside.ask("/pages/dashboard.js").body == file("pages/dashboard.js")
    status = inside.ask("/api/status").json
    assert status["health"] == "ok" and status["pid"] == wsd.pid
    assert inside.ask("/api/logs?lines=2").text.count("\n") == 2
    refused = inside.ask("/api/logs?lines=x")
    assert refused.status == 400 and refused.json["code"] == "bad_request"
    for path in ["/api/config", "/api/stop", "/api/kick", "/api/trace", "/metrics", "/v1/status", "/api/../v1/stop"]:
        assert inside.ask(path).status == 404, path


@pytest.mark.parametrize("host", ["evil.example", "evil.example:{port}", "127.0.0.1", "127.0.0.1:1", "[::1]:{port}"])
def test_foreign_hosts_are_refused(inside, host):
    for path in ["/", "/api/status", inside.target]:
        answer = inside.ask(path, host=host.format(port=inside.port))
        assert answer.status == 403 and "127.0.0.1" in answer.text


def test_other_pages_are_refused(wsd, inside):
    pids = [p.get("pid") for p in wsd.processes()]
    port = inside.port
    for fields in [{"Sec-Fetch-Site": "cross-site"}, {"Sec-Fetch-Site": "same-site"}, {"Origin": "https://evil.example"},
                   {"Origin": "null"}, {"Origin": f"http://localhost:{port}"}]:
        assert inside.ask("/api/status", headers=fields).status == 403, fields
        assert inside.change("restart", **{name.replace("-", "_"): value for name, value in fields.items()}).status == 403
    for fields in [{"X_Wsd_Csrf": None}, {"X_Wsd_Csrf": "0" * 64}, {"Origin": None}, {"Cookie": None}]:
        assert inside.change("restart", **fields).status == 403, fields
    assert inside.change("restart", Content_Type="text/plain").status == 415
    assert inside.change("stop").status == 404
    assert inside.change("scale", body=b'{"workers":' + b" " * 2000 + b"1}").status == 413
    assert [p.get("pid") for p in wsd.processes()] == pids


def test_changes_what_it_may(wsd, inside):
    before = wsd.worker(1)["pid"]
    answer = inside.change("restart?worker=1")
    steps = [json.loads(line) for line in answer.text.splitlines()]
    assert answer.status == 200 and steps[-1]["done"] and steps[-1]["succeeded"]
    assert wsd.worker(1)["pid"] != before
    refused = inside.change("scale", body=b'{"workers":-1}')
    assert refused.status == 400 and refused.json["code"] == "bad_request"
    wsd.wait_healthy()


def test_read_only(wsd):
    with Dashboard(wsd, "--read-only") as dashboard:
        dashboard.enter()
        assert dashboard.ask("/api/session").json == {"control": False}
        assert dashboard.ask("/api/status").status == 200
        before = wsd.worker(1)["pid"]
        answer = dashboard.change("restart", X_Wsd_Csrf="0" * 64)
        assert answer.status == 403 and "--read-only" in answer.json["message"]
        assert wsd.worker(1)["pid"] == before


def test_stream_ends_with_the_browser(inside):
    wait_until(lambda: sockets(inside.process.pid) == 1, "only the listener")
    connection = http.client.HTTPConnection("127.0.0.1", inside.port, timeout=20)
    # Quiet: nothing is written that could find out that nobody reads.
    connection.request("GET", "/api/logs?lines=0&follow=1", headers={"Cookie": inside.cookie})
    answer = connection.getresponse()
    assert answer.status == 200 and answer.headers["Content-Type"] == "application/x-ndjson"
    wait_until(lambda: sockets(inside.process.pid) == 3, "browser and control socket")
    connection.sock.close()
    answer.close()
    wait_until(lambda: sockets(inside.process.pid) == 1, "both have ended")


@pytest.mark.parametrize("version, fields", [("HTTP/1.0", ""), ("HTTP/1.0", "Connection: keep-alive\r\n"),
                                             ("HTTP/1.1", "Upgrade: h2c\r\n"), ("HTTP/1.1", "Connection: close\r\n")])
def test_connection_ends_behind_what_nothing_may_follow(wsd, inside, version, fields):
    for path in ["/api/session", "/api/version"]:
        with socket.create_connection(("127.0.0.1", inside.port), timeout=20) as connection:
            connection.sendall(f"GET {path} {version}\r\nHost: 127.0.0.1:{inside.port}\r\nCookie: {inside.cookie}\r\n{fields}\r\n"
                               .encode())
            answer = http.client.HTTPResponse(connection)
            answer.begin()
            body = answer.read()
            assert answer.status == 200 and answer.getheader("Connection") == "close"
            assert connection.recv(1) == b""
        # Who speaks HTTP/1.0 knows no chunks.
        assert not (version == "HTTP/1.0" and answer.getheader("Transfer-Encoding"))
    assert json.loads(body)["pid"] == wsd.pid


class Torrent:
    """A control socket that streams as fast as it is read."""

    def __init__(self, directory):
        self.control = directory / "control.sock"
        self.listener = socket.socket(socket.AF_UNIX)
        self.listener.bind(str(self.control))
        self.listener.listen()
        threading.Thread(target=self.accept, daemon=True).start()

    def accept(self):
        with contextlib.suppress(OSError):
            while True:
                threading.Thread(target=self.serve, args=[self.listener.accept()[0]], daemon=True).start()

    def serve(self, connection):
        with contextlib.suppress(OSError), connection:
            if b"/v1/version" in connection.recv(65536):
                body = b'{"pid":1,"version":"0.1.0"}'
                return connection.sendall(b"HTTP/1.1 200 OK\r\nContent-Length: %d\r\n\r\n%s" % (len(body), body))
            connection.sendall(b"HTTP/1.1 200 OK\r\nContent-Type: application/x-ndjson\r\nTransfer-Encoding: chunked\r\n\r\n")
            line = json.dumps({"line": "x" * 2000}).encode() + b"\n"
            while True:
                connection.sendall((b"%x\r\n%s\r\n" % (len(line), line)) * 16)


def test_streams_do_not_pile_up(tmp_path):
    torrent = Torrent(tmp_path)
    with Dashboard(torrent) as dashboard, contextlib.ExitStack() as stack:
        stack.callback(torrent.listener.close)
        dashboard.enter()

        def stream():
            connection = stack.enter_context(socket.create_connection(("127.0.0.1", dashboard.port), timeout=20))
            connection.sendall(f"GET /api/stats?follow=1s HTTP/1.1\r\nHost: 127.0.0.1:{dashboard.port}\r\n"
                               f"Cookie: {dashboard.cookie}\r\n\r\n".encode())
            assert connection.recv(12) == b"HTTP/1.1 200"
            return connection

        before = memory(dashboard.process.pid)
        # Some who do not read at all, and one who does.
        for _ in range(10):
            stream()
        reader, read = stream(), 0
        while read < 64 << 20:
            piece = reader.recv(1 << 20)
            assert piece, "the stream goes on"
            read += len(piece)
        assert memory(dashboard.process.pid) - before < 32 << 20


def memory(pid):
    """Bytes that a process has had in memory at most."""
    with open(f"/proc/{pid}/status") as status:
        return next(int(line.split()[1]) * 1024 for line in status if line.startswith("VmHWM:"))


def test_service_that_has_gone():
    with Wsd(workers=1) as service:
        with Dashboard(service) as dashboard:
            dashboard.enter()
            service.signal(signal.SIGTERM)
            service.wait()
            answer = dashboard.ask("/api/status")
            assert answer.status == 502 and answer.json["code"] == "unavailable"
            assert "not running" in answer.json["message"]
        late = service.ctl("dashboard", check=False)
        assert late.returncode == 3 and "not running" in late.stderr


def test_port_in_use(wsd, inside):
    result = wsd.ctl("dashboard", "--port", str(inside.port), check=False)
    assert result.returncode == 6 and "Choose another --port" in result.stderr
