"""Live logs and figures over WebSocket: by key, on the public port, from the supervisor's control socket."""

import asyncio
import hashlib
import json

import pytest
import websockets

from harness import Wsd, run

KEY, PUBLISHER = "k-" + "3" * 40, "k-" + "4" * 40

CONFIG = f"""
api:
  keys:
    - name: dashboard
      sha256: {hashlib.sha256(KEY.encode()).hexdigest()}
      allow: [observe]
    - name: app
      sha256: {hashlib.sha256(PUBLISHER.encode()).hexdigest()}
      allow: [publish]
"""


def connect(wsd, path, key=KEY, **options):
    headers = {"Authorization": f"Bearer {key}"} if key else {}
    return websockets.connect(f"ws://127.0.0.1:{wsd.port}{path}", additional_headers=headers, **options)


async def receive(socket):
    return json.loads(await asyncio.wait_for(socket.recv(), 10))


async def status_of(wsd, path, key=KEY):
    with pytest.raises(websockets.InvalidStatus) as refused:
        async with connect(wsd, path, key):
            pass
    return refused.value.response.status_code


async def refusal_of(wsd, path, key):
    with pytest.raises(websockets.InvalidStatus) as refused:
        async with connect(wsd, path, key):
            pass
    response = refused.value.response
    return response.headers.get("WWW-Authenticate"), response.body.decode()


@pytest.fixture(scope="module")
def live():
    with Wsd(workers=2, config=CONFIG) as service:
        yield service


def test_logs(live):
    async def scenario():
        async with connect(live, "/ws/logs?level=info&lines=5") as socket:
            while (line := await receive(socket))["message"] != "Live connection":
                assert line["level"] in ("info", "notice", "warning", "error", "critical")
            assert line["fields"]["api.key"] == "dashboard" and KEY not in json.dumps(line)
        async with websockets.connect(f"ws://127.0.0.1:{live.port}/ws/logs?token={KEY}&source=hub") as socket:
            await asyncio.wait_for(socket.ping(), 5)

    run(scenario())
    assert KEY not in live.output()


def test_figures(live):
    async def scenario():
        async with connect(live, "/ws/stats?interval=1s") as socket:
            first, second, third = [await receive(socket) for _ in range(3)]
            assert 0.5 < second["time"] - first["time"] < 3 and first["processes"] and "clients" in first["totals"]
            # The worker tells its figures once a second.
            assert third["totals"]["liveConnections"] == 1 and third["totals"]["clients"] == 0
            await socket.send("hello")
            assert "totals" in await receive(socket)

    run(scenario())


def test_who_may(live):
    async def scenario():
        assert await status_of(live, "/ws/logs", None) == 401
        assert await status_of(live, "/ws/stats", "wrong") == 401
        assert await status_of(live, "/ws/logs", PUBLISHER) == 403
        _, missing = await refusal_of(live, "/ws/logs", None)
        _, unknown = await refusal_of(live, "/ws/logs", "wrong-key")
        assert "Send an API key" in missing and "is not known" in unknown and "wrong-key" not in unknown
        assert await status_of(live, "/ws/logs?level=loud") == 400
        assert await status_of(live, "/ws/stats?interval=0s") == 400

    run(scenario())


def test_a_reload_closes_them_for_a_reconnect():
    async def scenario(wsd):
        async with connect(wsd, "/ws/stats") as socket:
            await receive(socket)
            await asyncio.to_thread(wsd.ctl, "reload")
            with pytest.raises(websockets.ConnectionClosed) as closed:
                while True:
                    await asyncio.wait_for(socket.recv(), 20)
            assert closed.value.rcvd.code == 1012
        async with connect(wsd, "/ws/stats") as socket:
            assert "totals" in await receive(socket)

    with Wsd(workers=1, config=CONFIG) as service:
        run(scenario(service))


def test_without_a_key_there_is_nothing():
    with Wsd(workers=1) as service:
        run(check_absent(service))


async def check_absent(wsd):
    assert await status_of(wsd, "/ws/logs") == 404
