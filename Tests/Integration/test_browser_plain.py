"""Pages with a bare WebSocket on the simple dialect, as they are written without the library, in a real Chromium."""

import os
import signal

import pytest

from browser import BROKEN_CONNECTIONS, PAGES, chromium  # noqa: F401
from harness import Wsd
from test_backend import Application

SITE = f"http:\n  staticFolder: {PAGES}\n"
NO_RATE = "limits:\n  messageRate: off\n"
SECRET = "a shared secret of more than 32 bytes, for tests"


def open_plain(pages, wsd, address=None):
    tab = pages.open(f"http://127.0.0.1:{wsd.port}/plain.html")
    tab.wait("document.title === 'Ready'")
    tab.run("connect(arguments[0] ?? undefined)", address)
    tab.wait("isOpen()")
    return tab


def test_rooms(chromium):
    with Wsd(workers=2, config=SITE) as wsd, chromium.pages() as pages:
        one, two = (open_plain(pages, wsd) for _ in range(2))
        assert one.run("return join('lobby')") == {"requestId": 1, "data": {"ok": True, "roomId": "lobby"}}
        two.run("return join('lobby')")
        ids = [tab.value("seen.ids[0]") for tab in (one, two)]
        assert one.wait("seen.joined[0]") == {"type": "userJoined", "userId": ids[1], "roomId": "lobby"}
        two.run("send({ type: 'sendToRoom', roomId: 'lobby', data: { text: 'Grüße, 世界 🌍' } })")
        one.run("send({ type: 'sendToRoom', roomId: 'lobby', data: ['as', 1, 'was'] })")
        one.run("send({ type: 'broadcast', data: { to: 'all' } })")
        assert one.wait("seen.data.length && seen.data") == [{"text": "Grüße, 世界 🌍"}]
        two.wait("seen.data.length === 2")
        # Only what others sent, as it was.
        assert two.value("seen.data") == [["as", 1, "was"], {"to": "all"}]
        two.run("return ask({ type: 'leaveRoom', roomId: 'lobby' })")
        assert one.wait("seen.left[0]") == {"type": "userLeft", "userId": ids[1], "roomId": "lobby"}
        assert two.run("return ask({ type: 'joinRoom', roomId: '' })")["code"] == "invalid_room"
        assert [tab.value("[seen.errors, seen.closes]") for tab in (one, two)] == [[[], []], [[], []]]


@pytest.mark.parametrize("path", ["", "/", "/ws", "/connection/websocket"])
def test_addresses_without_configuration(chromium, path):
    with Wsd(workers=2, config=SITE) as wsd, chromium.pages() as pages:
        tab = open_plain(pages, wsd, f"ws://127.0.0.1:{wsd.port}{path}")
        assert tab.run("return join('lobby')")["data"]["ok"] is True


def test_reconnects_and_sends_what_waited(chromium):
    with Wsd(workers=2, config=SITE + NO_RATE) as wsd, chromium.pages(BROKEN_CONNECTIONS) as pages:
        one, two = (open_plain(pages, wsd) for _ in range(2))
        for tab in (one, two):
            tab.run("return join('lobby')")
        for _ in range(2):
            # Its connection is closed before it notices, and what it says until it is back waits.
            count = one.value("seen.ids.length")
            os.kill(wsd.worker(wsd.worker_of(one.value("seen.ids.at(-1)")))["pid"], signal.SIGKILL)
            one.wait("seen.closes.length === arguments[0]", count)
            one.wait("isOpen()")
            two.wait("isOpen()")
            wsd.wait_healthy()
        assert set(one.value("seen.closes")) == {1006}
        one.run("return ask({ type: 'leaveRoom', roomId: 'elsewhere' })")
        two.run("return ask({ type: 'leaveRoom', roomId: 'elsewhere' })")
        one.run("send({ type: 'sendToRoom', roomId: 'lobby', data: 'back again' })")
        two.wait("seen.data.includes('back again')")


def test_requests_to_the_application(chromium, tmp_path):
    secret = tmp_path / "secret"
    secret.write_text(SECRET)
    secret.chmod(0o600)
    application = Application(SECRET)
    application.answers["rpc"] = lambda request: (200, {"data": {"price": 7, "of": request["data"]["of"]}})
    config = f"{SITE}webhooks:\n  secretFile: {secret}\n  rpc:\n    url: {application.url('rpc')}\n"
    try:
        with Wsd(workers=2, config=config) as wsd, chromium.pages() as pages:
            tab = open_plain(pages, wsd)
            answers = tab.run("return Promise.all(['tea', 'rum'].map((of) => ask({ type: 'price', data: { of } })))")
            assert answers == [{"requestId": number, "data": {"price": 7, "of": of}} for number, of in ((1, "tea"), (2, "rum"))]
            application.answers["rpc"] = lambda request: (500, {})
            refused = tab.run("return ask({ type: 'price', data: { of: 'tea' } })")
            assert refused["requestId"] == 3 and refused["code"] == "backend_failed" and refused["error"]
    finally:
        application.shutdown()
        application.server_close()


def test_rate_limit(chromium):
    with Wsd(workers=1, config=SITE + "limits:\n  messageRate: 2/s burst 4\n") as wsd, chromium.pages() as pages:
        one, two = (open_plain(pages, wsd) for _ in range(2))
        two.run("return join('lobby')")
        one.run("for (let n = 0; n < 6; n++) send({ type: 'sendToRoom', roomId: 'lobby', data: n })")
        one.wait("seen.errors.length >= 2")
        errors = one.value("seen.errors")
        assert {error["code"] for error in errors} == {"rate_limited"} and all(0 < error["retryAfter"] <= 1000 for error in errors)
        # Told when it may go on, and still connected.
        wait = errors[-1]["retryAfter"]
        answer = one.run("return new Promise((go) => setTimeout(go, arguments[0])).then(() => ask({ type: 'joinRoom', roomId: 'lobby' }))", wait)
        assert answer["data"]["ok"] is True and one.value("seen.closes") == []
        assert two.value("seen.data") == [0, 1, 2, 3]
