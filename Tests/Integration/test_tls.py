"""TLS without a proxy: who may speak what, certificates that change, redirects, client certificates."""

import asyncio
import contextlib
import hashlib
import http.client
import http.server
import json
import os
import random
import shutil
import signal
import socket
import ssl
import struct
import subprocess
import tempfile
import threading
import time
from pathlib import Path

import pytest
import websockets
from cryptography import x509
from cryptography.hazmat.primitives.serialization import BestAvailableEncryption, Encoding, PrivateFormat, load_pem_private_key

from certificates import DAY, Authority, put
from harness import BIN, Client, Wsd, run, wait_until
from proxy import free_port
from rawclient import masked_text, upgrade_request

AUTHORITY = Authority()


@contextlib.contextmanager
def folder(pair=None):
    path = Path(tempfile.mkdtemp(prefix="wsd-tls-"))
    try:
        certificate, key = pair or AUTHORITY.issue()
        put(path / "cert.pem", certificate)
        put(path / "key.pem", key)
        put(path / "ca.pem", AUTHORITY.pem)
        yield path
    finally:
        shutil.rmtree(path)


@contextlib.contextmanager
def service(more="", rest="", pair=None, **options):
    with folder(pair) as path:
        config = f"tls:\n  certificate: {path}/cert.pem\n  key: {path}/key.pem\n{more}{rest}"
        with Wsd(config=config, **options) as wsd:
            wsd.files = path
            wsd.secure = f"wss://127.0.0.1:{wsd.port}/ws"
            yield wsd


def client_context(pair=None, path=None, version=None, authority=AUTHORITY):
    context = ssl.create_default_context(cadata=authority.pem.decode())
    if version:
        context.minimum_version = context.maximum_version = version
        if version < ssl.TLSVersion.TLSv1_2:
            context.set_ciphers("ALL:@SECLEVEL=0")
    if pair:
        certificate, key = pair
        (path / "client.pem").write_bytes(certificate + key)
        context.load_cert_chain(path / "client.pem")
    return context


def connected(wsd, context=None):
    """A TLS connection, handshake done; TLS 1.3 tells of a refused client certificate only at the first read."""
    plain = socket.create_connection(("127.0.0.1", wsd.port), timeout=10)
    return (context or client_context()).wrap_socket(plain, server_hostname="localhost")


def serial(wsd):
    """Of the certificate that a new connection is shown."""
    with connected(wsd) as connection:
        return x509.load_der_x509_certificate(connection.getpeercert(binary_form=True)).serial_number


def read_all(connection):
    data = b""
    with contextlib.suppress(ConnectionResetError, TimeoutError):
        while chunk := connection.recv(65536):
            data += chunk
    return data


def plain(port, request):
    with socket.create_connection(("127.0.0.1", port), timeout=10) as connection:
        connection.sendall(request)
        return read_all(connection)


def metric(wsd, name):
    _, text = wsd.http("GET", "/metrics")
    lines = [line for line in text.splitlines() if line.startswith(name)]
    return sum(float(line.rpartition(" ")[2]) for line in lines)


def failures(wsd, reason):
    _, text = wsd.http("GET", "/metrics")
    found = [line for line in text.splitlines()
             if line.startswith("wsd_tls_handshake_failures_total") and f'reason="{reason}"' in line]
    return sum(float(line.rpartition(" ")[2]) for line in found)


async def echo(url, context, message="hello", **options):
    async with websockets.connect(url, ssl=context, compression=None, **options) as page:
        await page.send(message)
        return await page.recv()


@pytest.mark.parametrize("issue", [AUTHORITY.issue, AUTHORITY.issue_rsa], ids=["ecdsa", "rsa"])
def test_versions_and_ciphers(issue):
    with service(pair=issue()) as wsd:
        url = wsd.secure.replace("/ws", "/wsd/echo")
        for version in (ssl.TLSVersion.TLSv1_2, ssl.TLSVersion.TLSv1_3):
            assert run(echo(url, client_context(version=version))) == "hello"
        with connected(wsd, client_context(version=ssl.TLSVersion.TLSv1_2)) as connection:
            name = connection.cipher()[0]
            assert name.startswith("ECDHE-") and ("GCM" in name or "CHACHA20" in name)
        with connected(wsd) as connection:
            assert connection.version() == "TLSv1.3"
        for version in (ssl.TLSVersion.TLSv1, ssl.TLSVersion.TLSv1_1):
            with pytest.raises((ssl.SSLError, ConnectionResetError)):
                connected(wsd, client_context(version=version))
        weak = client_context(version=ssl.TLSVersion.TLSv1_2)
        weak.set_ciphers("AES128-SHA:AES128-GCM-SHA256:ECDHE-RSA-AES128-SHA:ECDHE-ECDSA-AES128-SHA")
        with pytest.raises(ssl.SSLError):
            connected(wsd, weak)
        context = client_context()
        context.set_alpn_protocols(["h2", "http/1.1"])
        with connected(wsd, context) as connection:
            assert connection.selected_alpn_protocol() == "http/1.1"
        wait_until(lambda: failures(wsd, "version") == 2 and failures(wsd, "cipher") == 1, "failures are counted")
        assert metric(wsd, "wsd_tls_handshakes_total") >= 4


def test_the_oldest_version_is_configured():
    with service("  minimumVersion: 1.3\n") as wsd:
        with pytest.raises(ssl.SSLError):
            connected(wsd, client_context(version=ssl.TLSVersion.TLSv1_2))
        with connected(wsd) as connection:
            assert connection.version() == "TLSv1.3"


def test_large_messages_rooms_and_the_end():
    async def scenario(wsd):
        one = await Client.connect(wsd.secure, ssl=client_context())
        two = await Client.connect(wsd.secure, ssl=client_context(version=ssl.TLSVersion.TLSv1_2))
        for client in (one, two):
            await client.join("lobby")
        for size in (1, 1000, 20_000, 60_000):
            data = random.randbytes(size // 2).hex()
            for sender, receiver in ((one, two), (two, one)):
                await sender.send(type="sendToRoom", roomId="lobby", data=data)
                while await receiver.receive() != data:
                    pass
        # Goodbye is said, in TLS's words too: an end without close_notify would be an error here.
        assert wsd.ctl("kick", two.id).returncode == 0
        assert (await two.closed())[0] == 1008
        await one.close()

    with service() as wsd:
        run(scenario(wsd))
        with connected(wsd) as connection:
            connection.sendall(b"GET /wsd/echo HTTP/1.0\r\n\r\n")
            connection.suppress_ragged_eofs = False
            data = b""
            while chunk := connection.recv(65536):
                data += chunk
            assert data.startswith(b"HTTP/1.1 426 ")


def test_a_client_that_floods_and_does_not_read_is_given_up():
    with service(rest="websocket:\n  outboundQueue: 64KiB\n") as wsd:
        connection = connected(wsd)
        connection.sendall(upgrade_request("/wsd/echo"))
        connection.settimeout(0.2)
        began = time.monotonic()
        with pytest.raises((OSError, ssl.SSLError)) as ended:
            while time.monotonic() - began < 30:
                with contextlib.suppress(TimeoutError):
                    connection.sendall(masked_text(b"x" * 60_000))
        assert not isinstance(ended.value, TimeoutError)
        wait_until(lambda: metric(wsd, "wsd_worker_clients") == 0, "the client is gone", timeout=20)
        assert run(echo(wsd.secure.replace("/ws", "/wsd/echo"), client_context())) == "hello"


def test_pages_learn_the_scheme_and_hsts():
    with service("  hsts: 24h\n") as wsd:
        base = f"https://localhost:{wsd.port}"

        def get(path, *more):
            command = ["curl", "-s", "-i", "--cacert", str(wsd.files / "ca.pem"), *more, base + path]
            return subprocess.run(command, capture_output=True, text=True, timeout=20).stdout

        answer = get("/wsd/config.json")
        assert answer.startswith("HTTP/1.1 200") and f'"wss://localhost:{wsd.port}/ws"' in answer
        assert "Strict-Transport-Security: max-age=86400\n" in answer
        assert "max-age=86400" in get("/nothing")
        # Kept alive: two requests over one connection.
        twice = subprocess.run(["curl", "-s", "-w", "%{num_connects}\n", "--cacert", str(wsd.files / "ca.pem"), "-o",
                                "/dev/null", "-o", "/dev/null", base + "/healthz", base + "/readyz"],
                               capture_output=True, text=True, timeout=20).stdout.split()
        assert twice == ["1", "0"]
        assert wsd.status()["addresses"][0].startswith("https://")
    with service() as wsd:
        with connected(wsd) as connection:
            connection.sendall(b"GET /healthz HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n")
            assert b"Strict-Transport" not in read_all(connection)


def test_a_kept_alive_connection_may_still_become_a_websocket():
    with service() as wsd, connected(wsd) as connection:
        connection.sendall(b"GET /healthz HTTP/1.1\r\nHost: x\r\n\r\n")
        data = b""
        while b"ok\n" not in data:
            data += connection.recv(4096)
        connection.sendall(upgrade_request("/wsd/echo") + masked_text(b"early"))
        data = b""
        while b"early" not in data:
            chunk = connection.recv(4096)
            assert chunk, data
            data += chunk
        assert data.startswith(b"HTTP/1.1 101 ")


def test_a_connection_that_closes_ends_at_once():
    """Not only after a time-out for the other side's goodbye."""
    with service() as wsd:
        for unwraps in (True, False):
            connection = connected(wsd)
            began = time.monotonic()
            connection.sendall(b"GET /healthz HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n")
            assert read_all(connection).endswith(b"ok\n")
            if unwraps:
                with contextlib.suppress(OSError, ssl.SSLError):
                    connection.unwrap()
            connection.close()
            wait_until(lambda: len(sockets_of(wsd)) == 0, "the socket is closed", timeout=1.5)
            assert time.monotonic() - began < 1.5


def sockets_of(wsd):
    """Connections at the service's port that a process holds, as the kernel knows them."""
    text = Path("/proc/net/tcp").read_text().splitlines()[1:]
    port = f":{wsd.port:04X}"
    rows = [line.split() for line in text]
    return [r for r in rows if r[1].endswith(port) and r[3] != "0A" and r[9] != "0"]


def test_origins_of_pages():
    """same-host means https where the connection is."""
    async def scenario(wsd):
        host = f"127.0.0.1:{wsd.port}"
        assert await echo(f"wss://{host}/wsd/echo", client_context(), origin=f"https://{host}") == "hello"
        for origin in (f"http://{host}", "https://evil.example"):
            with pytest.raises(websockets.InvalidStatus) as refused:
                await echo(f"wss://{host}/wsd/echo", client_context(), origin=origin)
            assert refused.value.response.status_code == 403

    with service(rest="limits:\n  origins: same-host\n") as wsd:
        run(scenario(wsd))


def test_unix_sockets_stay_plain():
    with folder() as path:
        config = f"tls:\n  certificate: {path}/cert.pem\n  key: {path}/key.pem\n"
        with Wsd(config=config, args=["--listen", f"unix:{path}/app.sock"]) as wsd:
            found = subprocess.run(["curl", "-s", "--unix-socket", f"{path}/app.sock", "http://x/healthz"],
                                   capture_output=True, text=True, timeout=20)
            assert found.stdout == "ok\n"
            assert serial(wsd)


def test_plain_http_on_the_port_and_tls_on_a_plain_one():
    with service() as wsd:
        answer = plain(wsd.port, b"GET / HTTP/1.1\r\nHost: x\r\n\r\n")
        assert answer.startswith(b"HTTP/1.1 400 ") and b"https://" in answer
        for junk in (b"\0\0\0\0", b"\x80\x2e\x01\x00\x02", b"\xff" * 3000):
            assert plain(wsd.port, junk) == b""  # Neither does it get an answer.
        wait_until(lambda: failures(wsd, "plain") == 1 and failures(wsd, "invalid") == 3, "failures are counted")
    with Wsd() as wsd:
        with pytest.raises(ssl.SSLError):
            connected(wsd)
        wait_until(lambda: "tls.certificate" in wsd.output(), "the log says it")


def test_files_that_do_not_fit_are_named():
    with folder() as path:
        (path / "wsd.yaml").write_text(f"tls:\n  certificate: {path}/cert.pem\n  key: {path}/key.pem\n")

        def check():
            found = subprocess.run([str(BIN / "wsd"), "--check-config", "--config", str(path / "wsd.yaml")],
                                   capture_output=True, text=True, timeout=20, env={"HOME": str(path),
                                                                                   "XDG_STATE_HOME": str(path)})
            return found.returncode, found.stdout + found.stderr

        assert check()[0] == 0, check()
        good = AUTHORITY.issue()
        cases = [
            (good[0], AUTHORITY.issue()[1], 78, "is not the key of the first certificate"),
            (b"nothing\n", good[1], 78, "holds no certificate in PEM form"),
            (good[0], b"nothing\n", 78, "holds no private key in PEM form"),
            (b"-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n", good[1], 78, "holds no certificate"),
            (good[0], b"-----BEGIN PRIVATE KEY-----\nAAAA\n-----END PRIVATE KEY-----\n", 78, "holds no private key"),
            (good[1], good[0], 78, "tls.certificate"),
            (*AUTHORITY.issue(begins=-9 * DAY, ends=-2 * DAY), 0, "warning: The TLS certificate has expired 2 days ago"),
            (*AUTHORITY.issue(ends=3.5 * DAY), 0, "warning: The TLS certificate expires in 3 days"),
            (*AUTHORITY.issue(begins=DAY), 0, "warning: The TLS certificate is not valid yet"),
        ]
        for certificate, key, status, sentence in cases:
            put(path / "cert.pem", certificate)
            put(path / "key.pem", key)
            code, text = check()
            assert code == status and sentence in text, text
        encrypted = load_pem_private_key(good[1], None).private_bytes(
            Encoding.PEM, PrivateFormat.PKCS8, BestAvailableEncryption(b"secret"))
        put(path / "cert.pem", good[0])
        put(path / "key.pem", encrypted)
        assert check()[0] == 78 and "passphrase" in check()[1]
        put(path / "key.pem", good[1])
        (path / "key.pem").chmod(0o644)
        assert check()[0] == 0 and "can be read by everybody" in check()[1]
        (path / "key.pem").unlink()
        assert check()[0] == 78 and "does not exist" in check()[1]


def test_files_from_the_service_manager():
    with folder() as path:
        config = "tls:\n  certificate: credential:cert.pem\n  key: credential:key.pem\n"
        with Wsd(config=config, env={"CREDENTIALS_DIRECTORY": str(path)}) as wsd:
            assert serial(wsd)


def test_a_new_certificate_is_taken_up_and_a_bad_one_is_not():
    async def scenario(wsd):
        staying = [await Client.connect(wsd.secure, ssl=client_context()) for _ in range(10)]
        before = serial(wsd)
        new = AUTHORITY.issue(ends=5 * DAY)
        # A renewal in the wrong order, with a moment in between in which the two do not fit.
        put(wsd.files / "cert.pem", new[0])
        await asyncio.sleep(0.5)
        put(wsd.files / "key.pem", new[1])
        shown = x509.load_pem_x509_certificate(new[0]).serial_number
        await asyncio.to_thread(wait_until, lambda: all(serial(wsd) == shown for _ in range(10)), "new certificate", 30)
        assert before != shown and "cannot be used" not in wsd.output()
        assert any("expires in 4 days" in problem for problem in wsd.status()["problems"])
        # Another authority's key is in the file from now on.
        put(wsd.files / "key.pem", AUTHORITY.issue()[1])
        await asyncio.to_thread(wait_until, lambda: wsd.output().count("the former stays") == 2, "a warning", 30)
        assert serial(wsd) == shown

        def refused():
            return any("the former is served" in problem for problem in wsd.status()["problems"])

        await asyncio.to_thread(wait_until, refused, "a problem in the status")
        await asyncio.sleep(11)
        assert wsd.output().count("the former stays") == 2
        put(wsd.files / "key.pem", new[1])
        await asyncio.to_thread(wait_until, lambda: not refused(), "no problem any more", 30)
        for client in staying:
            await client.join("lobby")
            await client.close()

    with service() as wsd:
        run(scenario(wsd))
        assert metric(wsd, "wsd_tls_certificate_not_after_seconds") / 2 == pytest.approx(time.time() + 5 * 86400, abs=600)


def test_a_worker_that_dies_while_the_files_are_replaced_comes_back():
    with service(workers=1) as wsd:
        good = (wsd.files / "key.pem").read_bytes()
        put(wsd.files / "key.pem", AUTHORITY.issue()[1])
        os.kill(wsd.worker(1)["pid"], signal.SIGKILL)
        wait_until(lambda: "is not the key of" in wsd.output(), "an attempt that fails")
        put(wsd.files / "key.pem", good)
        wsd.wait_healthy()
        assert run(echo(wsd.secure.replace("/ws", "/wsd/echo"), client_context())) == "hello"


def test_a_reload_in_the_middle_of_100_clients():
    async def scenario(wsd):
        clients = [await Client.connect(wsd.secure, ssl=client_context()) for _ in range(100)]
        before = serial(wsd)
        put(wsd.files / "cert.pem", (new := AUTHORITY.issue())[0])
        put(wsd.files / "key.pem", new[1])
        reload = await asyncio.to_thread(wsd.ctl, "reload")
        assert reload.returncode == 0
        codes = [await client.closed() for client in clients]
        assert all(code == 1012 for code, _ in codes), codes
        assert serial(wsd) != before
        again = [await Client.connect(wsd.secure, ssl=client_context()) for _ in range(100)]
        assert len(wsd.json_lines("clients")) == 100
        # A pair that does not fit stops a reload; the old workers stay.
        put(wsd.files / "key.pem", AUTHORITY.issue()[1])
        failed = await asyncio.to_thread(wsd.ctl, "reload", check=False)
        assert failed.returncode != 0 and "is not the key" in failed.stdout + failed.stderr + wsd.output()
        for client in again:
            await client.join("lobby")
        assert len(wsd.json_lines("clients")) == 100
        put(wsd.files / "key.pem", new[1])
        for client in again:
            await client.close()

    with service(rest="reload:\n  drainSpread: 1s\n") as wsd:
        run(scenario(wsd))


def test_redirects():
    port = free_port()
    with service(f'  redirectFrom: ["127.0.0.1:{port}"]\n') as wsd:
        def ask(target, host="chat.example", method="GET", more=""):
            answer = plain(port, f"{method} {target} HTTP/1.1\r\nHost: {host}\r\n{more}\r\n".encode()).decode()
            location = [line[10:] for line in answer.splitlines() if line.startswith("Location: ")]
            return int(answer.split()[1]), location[0] if location else None, answer

        assert ask("/a/b?c=d")[:2] == (308, f"https://chat.example:{wsd.port}/a/b?c=d")
        assert ask("/", f"chat.example:{port}")[:2] == (308, f"https://chat.example:{wsd.port}/")
        assert ask("/", f"[::1]:{port}")[:2] == (308, f"https://[::1]:{wsd.port}/")
        assert ask("//evil.example/")[:2] == (308, f"https://chat.example:{wsd.port}//evil.example/")
        assert ask("/x", method="POST", more="Content-Length: 3\r\n")[0] == 308
        assert ask("/", "a/b")[0] == 400
        assert ask("/", 'x"y')[0] == 400
        assert ask("/healthz")[::2][0] == 200 and ask("/healthz")[2].endswith("ok\n")
        assert ask("/readyz")[0] == 200
        head = ask("/healthz", method="HEAD")[2]
        assert head.startswith("HTTP/1.1 200") and head.endswith("\r\n\r\n")
        assert ask("/wsd/config.json")[0] == 308
        upgrade = plain(port, upgrade_request("/ws", "chat.example")).decode()
        assert upgrade.startswith("HTTP/1.1 308 ") and "wss://" in upgrade
        with pytest.raises(ssl.SSLError):
            client_context().wrap_socket(socket.create_connection(("127.0.0.1", port)), server_hostname="localhost")
        # A client that follows redirects gets there.
        found = subprocess.run(["curl", "-s", "-L", "--cacert", str(wsd.files / "ca.pem"), f"http://localhost:{port}/healthz2"],
                               capture_output=True, text=True, timeout=20).stdout
        assert "Nothing is served" in found
        # The redirects live on over a reload, and are closed with the service.
        wsd.ctl("reload")
        assert ask("/")[0] == 308
    with pytest.raises(ConnectionRefusedError):
        plain(port, b"")
    with service(f'  redirectFrom: ["127.0.0.1:{port}"]\n', "http:\n  publicURL: wss://chat.example/base\n") as wsd:
        answer = plain(port, b"GET /x HTTP/1.1\r\nHost: other\r\n\r\n").decode()
        assert "Location: https://chat.example/base/x\r\n" in answer


class Hook(http.server.BaseHTTPRequestHandler):
    """Answers every connect with yes, and keeps what it was told."""

    told = []

    def do_POST(self):
        body = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
        self.told.append(body)
        answer = json.dumps({"allow": True}).encode()
        self.send_response(200)
        self.send_header("Content-Length", str(len(answer)))
        self.end_headers()
        self.wfile.write(answer)

    def log_message(self, *_):
        pass


def test_client_certificates():
    others = Authority("Somebody else")
    alice = AUTHORITY.issue("alice", "Example, Inc.")
    fingerprint = hashlib.sha256(x509.load_pem_x509_certificate(alice[0]).public_bytes(Encoding.DER)).hexdigest()

    def refused(wsd, context):
        with pytest.raises((ssl.SSLError, ConnectionError)):
            with connected(wsd, context) as connection:
                connection.sendall(b"GET /healthz HTTP/1.1\r\nHost: x\r\n\r\n")
                if not connection.recv(1):
                    raise ConnectionError

    async def shown(wsd, context):
        client = await Client.connect(wsd.secure, ssl=context)
        found = wsd.json_lines("clients", "--id", client.id)[0].get("certificate")
        await client.close()
        return found

    server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Hook)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    try:
        with folder() as path:
            (path / "secret").write_text("s" * 32)
            hook = f"webhooks:\n  secretFile: {path}/secret\n  connect:\n    url: http://127.0.0.1:{server.server_port}/\n"
            good = client_context(alice, path)
            bad = client_context(others.issue("mallory"), path)
            old = client_context(AUTHORITY.issue("bob", begins=-9 * DAY, ends=-DAY), path)
            authority = f"  clientAuthority: {path}/ca.pem\n"
            expected = {"subject": "CN=alice,O=Example\\, Inc.", "sha256": fingerprint}
            with service("  clientCertificates: required\n" + authority, hook) as wsd:
                assert run(shown(wsd, good)) == expected
                assert Hook.told[-1]["certificate"] == expected
                for context in (client_context(), bad, old):
                    refused(wsd, context)
                twelve = client_context(alice, path, ssl.TLSVersion.TLSv1_2)
                assert run(shown(wsd, twelve)) == expected
                # A resumed session is the same client.
                for context in (good, twelve):
                    with connected(wsd, context) as first:
                        first.sendall(b"GET /healthz HTTP/1.1\r\nHost: x\r\n\r\n")
                        first.recv(4096)
                        session = first.session
                    for _ in range(6):
                        with context.wrap_socket(socket.create_connection(("127.0.0.1", wsd.port)),
                                                 server_hostname="localhost", session=session) as again:
                            again.sendall(b"GET /healthz HTTP/1.1\r\nHost: x\r\n\r\n")
                            assert again.recv(4096).startswith(b"HTTP/1.1 200")
                wait_until(lambda: failures(wsd, "client_certificate") == 3, "failures are counted")
            with service("  clientCertificates: optional\n" + authority) as wsd:
                assert run(shown(wsd, good)) == expected
                assert run(shown(wsd, client_context())) is None
                for context in (bad, old):
                    refused(wsd, context)
    finally:
        server.shutdown()
        server.server_close()


def test_a_proxy_says_who_the_client_is_before_tls():
    v2 = (b"\r\n\r\n\0\r\nQUIT\n" + b"\x21\x11" + struct.pack("!H", 12) + socket.inet_aton("203.0.113.9")
          + socket.inet_aton("127.0.0.1") + struct.pack("!HH", 5555, 443))
    rest = "limits:\n  proxyProtocol: true\n  messageRate: off\nhttp:\n  trustedProxies: [127.0.0.1]\n"
    with service(rest=rest) as wsd:
        for header, address in ((v2, "203.0.113.9"), (b"PROXY TCP4 198.51.100.7 127.0.0.1 5555 443\r\n", "198.51.100.7")):
            sock = socket.create_connection(("127.0.0.1", wsd.port), timeout=10)
            sock.sendall(header)
            with client_context().wrap_socket(sock, server_hostname="localhost") as connection:
                connection.sendall(upgrade_request())
                assert connection.recv(4096).startswith(b"HTTP/1.1 101 ")
                assert [c["address"] for c in wsd.json_lines("clients")] == [address]
        # The header inside TLS is none.
        with pytest.raises((ssl.SSLError, ConnectionError)):
            connected(wsd)
        # Header and ClientHello in one piece, byte by byte.
        incoming, outgoing = ssl.MemoryBIO(), ssl.MemoryBIO()
        hello = client_context().wrap_bio(incoming, outgoing, server_hostname="localhost")
        with pytest.raises(ssl.SSLWantReadError):
            hello.do_handshake()
        with socket.create_connection(("127.0.0.1", wsd.port), timeout=10) as sock:
            sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            for byte in v2 + outgoing.read():
                sock.send(bytes([byte]))
            while True:
                incoming.write(sock.recv(65536))
                try:
                    hello.do_handshake()
                    break
                except ssl.SSLWantReadError:
                    pass


def test_slow_and_broken_handshakes_do_no_harm():
    incoming, outgoing = ssl.MemoryBIO(), ssl.MemoryBIO()
    half = client_context().wrap_bio(incoming, outgoing, server_hostname="localhost")
    with pytest.raises(ssl.SSLWantReadError):
        half.do_handshake()
    hello = outgoing.read()
    generator = random.Random(5)

    def broken(kind):
        if kind == 0:
            return hello[:generator.randrange(1, len(hello))]
        if kind == 1:
            damaged = bytearray(hello)
            for _ in range(8):
                damaged[generator.randrange(5, len(damaged))] = generator.randrange(256)
            return bytes(damaged)
        if kind == 2:
            return b"\x16\x03\x01\xff\xff" + generator.randbytes(4000)
        if kind == 3:
            return hello + generator.randbytes(300)
        return generator.randbytes(200)

    async def scenario(wsd):
        staying = await Client.connect(wsd.secure, ssl=client_context())
        held = []
        for index in range(200):
            sock = socket.create_connection(("127.0.0.1", wsd.port))
            sock.sendall(broken(index % 5))
            held.append(sock)
            if index % 7 == 0:
                held.pop().close()
        # Silent ones, and one that says a byte a second.
        held += [socket.create_connection(("127.0.0.1", wsd.port)) for _ in range(20)]
        slow = socket.create_connection(("127.0.0.1", wsd.port))
        began = time.monotonic()
        ended = None
        for byte in hello:
            try:
                slow.send(bytes([byte]))
                await asyncio.sleep(0.25)
                slow.setblocking(False)
                if slow.recv(10) == b"":
                    ended = time.monotonic() - began
                    break
            except BlockingIOError:
                continue
            except OSError:
                ended = time.monotonic() - began
                break
        assert ended and 1.5 < ended < 6, ended
        for _ in range(20):
            assert await echo(wsd.secure.replace("/ws", "/wsd/echo"), client_context()) == "hello"
        await asyncio.to_thread(wait_until, lambda: len(sockets_of(wsd)) <= 1, "all but the good one are gone", 15)
        await staying.join("lobby")
        await staying.close()
        for sock in held:
            sock.close()

    with service(rest="websocket:\n  handshakeTimeout: 2s\n") as wsd:
        pids = [p["pid"] for p in wsd.processes()]
        run(scenario(wsd))
        assert [p["pid"] for p in wsd.processes()] == pids and wsd.status()["health"] == "ok"
        wait_until(lambda: failures(wsd, "timeout") >= 1 and failures(wsd, "invalid") >= 40, "failures are counted")


def test_an_abrupt_end_is_no_error():
    with service(args=["--log-level", "info"]) as wsd:
        for _ in range(20):
            connection = connected(wsd)
            connection.sendall(upgrade_request())
            assert connection.recv(4096).startswith(b"HTTP/1.1 101 ")
            # Neither close frame nor close_notify; the descriptor goes with a FIN, or with a reset.
            descriptor = connection.detach()
            raw = socket.socket(fileno=descriptor)
            if random.random() < 0.5:
                raw.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
            raw.close()
        wait_until(lambda: metric(wsd, "wsd_worker_clients") == 0, "all are gone")
        text = wsd.output().lower()
        assert "unclean" not in text and "error" not in text and "warning" not in text


def test_tls_is_turned_on_by_a_reload():
    with folder() as path, Wsd() as wsd:
        assert wsd.status()["addresses"][0].startswith("http://")
        wsd.config_file.write_text(f"tls:\n  certificate: {path}/cert.pem\n  key: {path}/key.pem\n")
        wsd.ctl("reload")
        assert serial(wsd) and wsd.status()["addresses"][0].startswith("https://")
        wsd.config_file.write_text("")
        wsd.ctl("reload")
        assert plain(wsd.port, b"GET /healthz HTTP/1.0\r\n\r\n").endswith(b"ok\n")


@pytest.mark.parametrize("held", [False, True], ids=["socket units", "held over a restart"])
def test_sockets_that_systemd_hands_in_are_told_apart(held):
    """By their address, or by the name that they were held under."""
    service_port, redirect_port = free_port(), free_port()
    names = ":".join(f"wsd-listen-127.0.0.1%3a{port}" for port in (redirect_port, service_port)) if held else ":"
    sockets = [socket.create_server(("127.0.0.1", port)) for port in (redirect_port, service_port)]

    def put_in_place():
        copies = [os.dup(s.fileno()) for s in sockets]
        copies = [fd if fd > 20 else os.dup2(fd, 30 + index) for index, fd in enumerate(copies)]
        for target, fd in enumerate(copies, 3):
            os.dup2(fd, target)
            os.set_inheritable(target, True)

    with folder() as path:
        config = (f'listen: ["127.0.0.1:{service_port}"]\ntls:\n  certificate: {path}/cert.pem\n  key: {path}/key.pem\n'
                  f'  redirectFrom: ["127.0.0.1:{redirect_port}"]\n')
        launcher = ["/bin/sh", "-c", 'LISTEN_PID=$$ exec "$@"', "sh"]
        with Wsd(config=config, listen=None, prefix=launcher, env={"LISTEN_FDS": "2", "LISTEN_FDNAMES": names},
                 preexec=put_in_place, pass_fds=(3, 4)) as wsd:
            assert wsd.port == service_port and serial(wsd)
            answer = plain(redirect_port, b"GET /a HTTP/1.1\r\nHost: localhost\r\n\r\n").decode()
            assert f"Location: https://localhost:{service_port}/a\r\n" in answer
            assert ("Listening sockets kept" in wsd.output()) == held
    for listener in sockets:
        listener.close()


def test_redirecting_sockets_are_given_to_systemd_to_hold():
    port = free_port()
    with service(f'  redirectFrom: ["127.0.0.1:{port}"]\n') as wsd:
        names = [line for line in wsd.notifications.drain() if line.startswith("FDNAME=")]
        assert f"FDNAME=wsd-listen-127.0.0.1%3a{port}" in names and len(names) == 2
