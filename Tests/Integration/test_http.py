"""The plain HTTP side of the one port."""

import json
import re
import socket
import subprocess
import urllib.error
import urllib.request

import pytest

from harness import Wsd


def get(wsd, path, method="GET", headers=None):
    request = urllib.request.Request(f"http://127.0.0.1:{wsd.port}{path}", method=method, headers=headers or {})
    try:
        with urllib.request.urlopen(request, timeout=10) as answer:
            return answer.status, answer.headers, answer.read().decode()
    except urllib.error.HTTPError as error:
        return error.code, error.headers, error.read().decode()


def raw(wsd, text):
    with socket.create_connection(("127.0.0.1", wsd.port), timeout=10) as connection:
        connection.sendall(text.replace("\n", "\r\n").encode())
        answer = b""
        while chunk := connection.recv(65536):
            answer += chunk
    head, _, body = answer.decode().partition("\r\n\r\n")
    return int(head.split()[1]), head, body


def test_health(wsd):
    assert get(wsd, "/healthz")[0] == 200
    assert get(wsd, "/readyz")[0] == 200
    assert get(wsd, "/readyz", "HEAD")[0] == 200


def test_configuration_for_pages(wsd):
    status, headers, body = get(wsd, "/wsd/config.json")
    assert status == 200 and headers["Content-Type"].startswith("application/json")
    assert json.loads(body)["connectionString"] == f"ws://127.0.0.1:{wsd.port}/ws"
    status, headers, body = get(wsd, "/wsd/config.js")
    assert status == 200 and "javascript" in headers["Content-Type"]
    assert "window.wsConfig" in body and f"ws://127.0.0.1:{wsd.port}/ws" in body


def test_forwarded_headers_are_believed_from_trusted_proxies_only():
    forwarded = {"X-Forwarded-Proto": "https", "X-Forwarded-Host": "chat.example.org"}
    with Wsd(workers=1) as service:
        assert "chat.example.org" not in get(service, "/wsd/config.json", headers=forwarded)[2]
    with Wsd(workers=1, config="http:\n  trustedProxies: [127.0.0.0/8]\n") as service:
        body = json.loads(get(service, "/wsd/config.json", headers=forwarded)[2])
        assert body["connectionString"] == "wss://chat.example.org/ws"
        hostile = {"X-Forwarded-Proto": "https", "X-Forwarded-Host": 'x"}</script><script>alert(1)//'}
        assert "<script>" not in get(service, "/wsd/config.js", headers=hostile)[2]


def test_plain_get_on_a_websocket_path(wsd):
    status, headers, body = get(wsd, "/ws")
    assert status == 426 and "websocket" in headers["Upgrade"].lower() and "WebSocket" in body


def test_test_page_in_dev_only():
    with Wsd(workers=1) as service:
        for path in ("/", "/wsd/test"):
            status, headers, body = get(service, path)
            assert status == 200 and "text/html" in headers["Content-Type"] and "Content-Security-Policy" in headers, path
    with Wsd(workers=1, args=["--prod"]) as service:
        assert get(service, "/wsd/test")[0] == 404
        assert get(service, "/")[0] in (404, 426)


def test_echo_is_off_in_prod():
    with Wsd(workers=1, args=["--prod"]) as service:
        status, _, body = raw(service, "GET /wsd/echo HTTP/1.1\nHost: a\nUpgrade: websocket\nConnection: Upgrade\n"
                                       "Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\nSec-WebSocket-Version: 13\n\n")
        assert status == 404, body


@pytest.mark.parametrize("head, status, words", [
    ("GET /ws HTTP/1.1\nHost: a\nUpgrade: websocket\nConnection: Upgrade\nSec-WebSocket-Version: 13\n\n", 400, "Sec-WebSocket-Key"),
    ("GET /ws HTTP/1.1\nHost: a\nUpgrade: websocket\nConnection: Upgrade\nSec-WebSocket-Key: c2hvcnQ=\nSec-WebSocket-Version: 13\n\n",
     400, "Sec-WebSocket-Key"),
    ("GET /ws HTTP/1.1\nHost: a\nUpgrade: websocket\nConnection: Upgrade\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\n"
     "Sec-WebSocket-Version: 8\n\n", 426, "13"),
    ("POST /ws HTTP/1.1\nHost: a\nUpgrade: websocket\nConnection: Upgrade\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\n"
     "Sec-WebSocket-Version: 13\nContent-Length: 0\n\n", 405, "GET"),
    ("GET /ws HTTP/1.1\nUpgrade: websocket\nConnection: Upgrade\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\n"
     "Sec-WebSocket-Version: 13\n\n", 400, "Host"),
    ("GET /ws HTTP/1.1\nHost: a\nUpgrade: websocket\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\nSec-WebSocket-Version: 13\n\n",
     400, "Connection"),
    ("complete nonsense\n\n", 400, ""),
])
def test_bad_handshake_says_what_is_missing(wsd, head, status, words):
    answered, answer_head, body = raw(wsd, head)
    assert answered == status, (answer_head, body)
    assert words in body + answer_head


def test_curl_without_a_key(wsd):
    result = subprocess.run(["curl", "-s", "-w", "\n%{http_code}", "--max-time", "5", "-H", "Upgrade: websocket", "-H",
                             "Connection: Upgrade", f"http://127.0.0.1:{wsd.port}/ws"], capture_output=True, text=True)
    body, _, status = result.stdout.rpartition("\n")
    assert status == "400" and "Sec-WebSocket-Key" in body


def test_too_large_a_head_and_too_slow_a_head():
    with Wsd(workers=1, config="websocket:\n  maxHeaderSize: 2KiB\n  handshakeTimeout: 1s\n") as service:
        assert raw(service, "GET / HTTP/1.1\nHost: a\nX: " + "y" * 3000 + "\n\n")[0] == 431
        with socket.create_connection(("127.0.0.1", service.port), timeout=10) as connection:
            connection.sendall(b"GET / HTTP/1.1\r\nHost")
            answer = connection.recv(65536)
            assert answer == b"" or b" 408 " in answer.split(b"\r\n")[0], answer


def test_upgrade_on_a_connection_that_served_pages_before(wsd):
    with socket.create_connection(("127.0.0.1", wsd.port), timeout=10) as connection:
        connection.sendall(b"GET /healthz HTTP/1.1\r\nHost: a\r\n\r\n")
        answer = b""
        while not answer.endswith(b"ok\n") and not answer.endswith(b"ok"):
            answer += connection.recv(65536)
        assert b"200" in answer
        connection.sendall(b"GET /ws HTTP/1.1\r\nHost: a\r\nUpgrade: websocket\r\nConnection: Upgrade\r\nSec-WebSocket-Key: "
                           b"dGhlIHNhbXBsZSBub25jZQ==\r\nSec-WebSocket-Version: 13\r\n\r\n")
        answer = b""
        while b"connected" not in answer:
            chunk = connection.recv(65536)
            assert chunk, answer
            answer += chunk
        assert answer.startswith(b"HTTP/1.1 101")
        assert b"s3pPLMBiTxaQ9kYGzzhZRbK+xOo=" in answer


@pytest.fixture
def site(tmp_path):
    (tmp_path / "index.html").write_text("<!doctype html><title>app</title>")
    (tmp_path / "app.js").write_text("console.log(1)")
    (tmp_path / "sub").mkdir()
    (tmp_path / "sub" / "index.html").write_text("sub")
    (tmp_path / ".secret").write_text("secret")
    return tmp_path


def test_static_folder(site):
    with Wsd(workers=1, config=f"http:\n  staticFolder: {site}\n  singlePage: true\n") as service:
        status, headers, body = get(service, "/")
        assert status == 200 and "app" in body and "text/html" in headers["Content-Type"]
        status, headers, _ = get(service, "/app.js")
        assert status == 200 and "javascript" in headers["Content-Type"] and headers["ETag"]
        assert get(service, "/app.js", headers={"If-None-Match": headers["ETag"]})[0] == 304
        assert get(service, "/deep/link", headers={"Accept": "text/html"})[2].startswith("<!doctype")
        assert get(service, "/missing.png", headers={"Accept": "image/png"})[0] == 404
        assert "secret" not in get(service, "/.secret")[2]
        for path in ("/../../../../etc/passwd", "/%2e%2e/%2e%2e/%2e%2e/etc/passwd", "/..%2f..%2f..%2fetc%2fpasswd"):
            _, _, text = raw(service, f"GET {path} HTTP/1.1\nHost: a\nConnection: close\n\n")
            assert "root:" not in text, path
        assert get(service, "/ws")[0] == 426


def test_refused_attempts_are_logged_with_their_origin(wsd):
    raw(wsd, "GET /ws HTTP/1.1\nHost: a\nOrigin: https://evil.example\nUpgrade: websocket\nConnection: Upgrade\n"
             "Sec-WebSocket-Version: 13\n\n")
    text = wsd.ctl("logs", "-n", "200", "--json").stdout
    assert re.search("https:..evil.example", text.replace("\\/", "/")), text


def test_metrics_on_the_public_port_only_if_configured():
    with Wsd(workers=1) as service:
        assert get(service, "/wsd/metrics")[0] == 404
    with Wsd(workers=1, config="http:\n  metrics: true\n") as service:
        status, _, body = get(service, "/wsd/metrics")
        assert status == 200 and "# TYPE" in body
