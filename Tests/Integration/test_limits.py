"""Limits hold over all workers, say so in words, and are counted."""

import asyncio
import json
import os
import signal
import time

import pytest
import websockets

from harness import Client, Wsd, run, wait_until
from test_auth import SECRET, secret_file
from v1client import Refused, V1Client, token


def user_token(user="ada"):
    return "?token=" + token(SECRET, user)


async def verdict(wsd, query="", **options):
    """`None` when admitted, else the close code or HTTP status."""
    try:
        client = await V1Client.connect(wsd.url() + query, greet=False, **options)
    except websockets.InvalidStatus as refused:
        return refused.response.status_code, None
    event = asyncio.create_task(client.event("connected", 10))
    done, _ = await asyncio.wait([event, client.reader], return_when=asyncio.FIRST_COMPLETED)
    if client.of("connected"):
        await event
        client.connected = client.of("connected")[0]
        return None, client
    event.cancel()
    return client.socket.close_code, client


def test_messages_of_a_connection_are_limited_by_default():
    async def scenario(wsd):
        client = await V1Client.connect(wsd.url())
        assert client.connected["server"]["messagesPerSecond"] == 10 and client.connected["server"]["burst"] == 20
        refused = []
        for n in range(30):
            try:
                await client.request("publish", room="r", data=n)
            except Refused as error:
                refused.append(error)
        assert 5 <= len(refused) <= 10, len(refused)
        assert refused[0].code == "rate_limited" and 0 < refused[0].error["retryAfter"] <= 200
        await asyncio.sleep(refused[-1].error["retryAfter"] / 1000 + 0.02)
        await client.request("publish", room="r", data="later")
        page = await Client.connect(wsd.url())
        for n in range(30):
            await page.send(type="sendToRoom", roomId="r", data=n)
        error = await page.receive()
        assert error["code"] == "rate_limited" and error["error"] == "Rate limit exceeded" and error["retryAfter"] > 0

    with Wsd(workers=1, config="limits: {}\n") as wsd:
        run(scenario(wsd))
        stats = json.loads(wsd.ctl("stats", "--json").stdout)
        assert "rateLimited" in json.dumps(stats)


def test_going_on_far_above_the_limit_closes():
    async def scenario(wsd):
        client = await V1Client.connect(wsd.url())
        for n in range(100):
            await client.send({"type": "publish", "room": "r", "data": n})
        assert (await client.closed(10))[0] == 4007

    with Wsd(workers=1, config="limits:\n  messageRate: 5/s burst 5\n  abuseThreshold: 50\n") as wsd:
        run(scenario(wsd))


def test_user_and_address_rates_hold_over_workers(tmp_path):
    config = f"auth:\n  secretFile: {secret_file(tmp_path)}\nlimits:\n  messageRate: off\n  userRate: 1/s burst 10\n"

    async def scenario(wsd):
        clients = [await V1Client.connect(wsd.url() + user_token()) for _ in range(6)]
        taken = 0
        for n in range(30):
            try:
                await clients[n % 6].request("publish", room="r", data=n)
                taken += 1
            except Refused as error:
                assert error.code == "rate_limited" and error.error["retryAfter"] > 0
        assert 10 <= taken <= 14, taken
        other = await V1Client.connect(wsd.url() + user_token("bob"))
        await other.request("publish", room="r", data=1)

    with Wsd(workers=3, config=config) as wsd:
        run(scenario(wsd))


def test_a_rooms_own_rate():
    config = "rooms:\n  rules:\n    - match: slow\n      rate: 1/s burst 2\nlimits:\n  messageRate: off\n"

    async def scenario(wsd):
        client = await V1Client.connect(wsd.url())
        for n in range(5):
            await client.request("publish", room="fast", data=n)
        outcomes = []
        for n in range(4):
            try:
                await client.request("publish", room="slow", data=n)
                outcomes.append("ok")
            except Refused as error:
                outcomes.append(error.code)
        assert outcomes == ["ok", "ok", "rate_limited", "rate_limited"]

    with Wsd(workers=1, config=config) as wsd:
        run(scenario(wsd))


def test_the_oldest_connection_of_a_user_is_replaced(tmp_path):
    config = f"auth:\n  secretFile: {secret_file(tmp_path)}\nlimits:\n  connectionsPerUser: 2\n"

    async def scenario(wsd):
        clients = []
        for _ in range(5):
            code, client = await verdict(wsd, user_token())
            assert code is None
            clients.append(client)
        for client in clients[:3]:
            code, reason = await client.closed(10)
            assert code == 4004 and "newer" in reason
        for client in clients[3:]:
            assert (await client.request("ping"))["time"]
        assert (await verdict(wsd, user_token("bob")))[0] is None

    with Wsd(workers=3, config=config) as wsd:
        run(scenario(wsd))


def test_the_newest_connection_of_a_user_is_refused(tmp_path):
    config = (f"auth:\n  secretFile: {secret_file(tmp_path)}\n"
              "limits:\n  connectionsPerUser: 2\n  perUserPolicy: refuseNewest\n")

    async def scenario(wsd):
        outcomes = [await verdict(wsd, user_token()) for _ in range(4)]
        assert [code for code, _ in outcomes] == [None, None, 4005, 4005]
        await outcomes[0][1].close()
        wait_until(lambda: len(wsd.json_lines("clients")) == 1, "gone")
        assert (await verdict(wsd, user_token()))[0] is None

    with Wsd(workers=2, config=config) as wsd:
        run(scenario(wsd))


@pytest.mark.parametrize("key, headers", [
    ("connectionsPerAddress", lambda n: {}),
    ("connectionsPerOrigin", lambda n: {"Origin": "https://one.example.org"}),
    ("connections", lambda n: {}),
])
def test_connections_are_counted_exactly_over_workers_and_over_a_hub_kill(key, headers):
    async def scenario(wsd):
        options = lambda: {"additional_headers": headers(0)}  # noqa: E731
        outcomes = await asyncio.gather(*(verdict(wsd, **options()) for _ in range(25)))
        admitted = [client for code, client in outcomes if code is None]
        assert len(admitted) == 10 and {code for code, _ in outcomes} == {None, 4006}
        old = wsd.hub_pid()
        os.kill(old, signal.SIGKILL)
        wait_until(lambda: wsd.hub_pid() not in (None, old) and wsd.wait_healthy(), "a new hub")
        assert (await verdict(wsd, **options()))[0] == 4006
        await admitted[0].close()
        for _ in range(50):
            code, client = await verdict(wsd, **options())
            if code is None:
                break
            await asyncio.sleep(0.05)
        assert code is None
        assert (await verdict(wsd, **options()))[0] == 4006

    with Wsd(workers=3, config=f"limits:\n  {key}: 10\n  messageRate: off\n") as wsd:
        run(scenario(wsd))
        assert "refused" in wsd.ctl("stats", "--json").stdout.lower()


def test_an_ipv6_network_counts_as_one_address():
    config = "http:\n  trustedProxies: [127.0.0.1]\nlimits:\n  connectionsPerAddress: 1\n"

    async def scenario(wsd):
        def by(address):
            return verdict(wsd, additional_headers={"X-Forwarded-For": address})
        assert (await by("2001:db8:1:2::1"))[0] is None
        assert (await by("2001:db8:1:2:ffff::9"))[0] == 4006
        assert (await by("2001:db8:1:3::1"))[0] is None
        assert (await by("192.0.2.1"))[0] is None
        assert (await by("192.0.2.2"))[0] is None

    with Wsd(workers=1, config=config) as wsd:
        run(scenario(wsd))


@pytest.mark.parametrize("policy, wanted", [("admit", None), ("refuse", 4006)])
def test_what_happens_while_the_hub_is_away_is_configured(policy, wanted):
    config = f"limits:\n  connectionsPerAddress: 5\n  whenHubAway: {policy}\n  admissionTimeout: 300ms\n"

    async def scenario(wsd):
        pid = wsd.hub_pid()
        os.kill(pid, signal.SIGSTOP)
        try:
            started = time.monotonic()
            code, _ = await verdict(wsd)
            assert code == wanted and 0.2 < time.monotonic() - started < 2
        finally:
            os.kill(pid, signal.SIGCONT)

    with Wsd(workers=1, config=config) as wsd:
        run(scenario(wsd))


def test_connections_that_wait_for_a_killed_hub_are_decided_by_the_next():
    async def scenario(wsd):
        old = wsd.hub_pid()
        os.kill(old, signal.SIGSTOP)
        waiting = asyncio.gather(*(verdict(wsd) for _ in range(25)))
        await asyncio.sleep(0.5)
        os.kill(old, signal.SIGKILL)
        outcomes = await waiting
        assert [code for code, _ in outcomes].count(None) == 10 and {code for code, _ in outcomes} == {None, 4006}
        wait_until(lambda: len(wsd.json_lines("clients")) == 10, "the refused are gone")
        status, info = wsd.http("GET", "/v1/api/info")
        assert status == 200 and json.loads(info)["clients"] == 10

    config = "limits:\n  connectionsPerAddress: 10\n  admissionTimeout: 8s\n  messageRate: off\n"
    with Wsd(workers=2, config=config) as wsd:
        run(scenario(wsd))


def test_connects_of_an_address_are_limited():
    async def scenario(wsd):
        codes = [(await verdict(wsd))[0] for _ in range(12)]
        assert codes[:5] == [None] * 5
        assert set(codes[6:]) <= {429, 4006} and codes.count(None) <= 7

    with Wsd(workers=2, config="limits:\n  connectRate: 1/s burst 5\n") as wsd:
        run(scenario(wsd))
