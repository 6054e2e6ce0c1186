"""Behind nginx, HAProxy and Caddy with the files of deploy/; and the same 500 clients by TLS of its own."""

import asyncio
import contextlib
import json
import random
import shutil
import signal
import tempfile
import time
from pathlib import Path

import pytest
import websockets

from harness import run, wait_until
from shippedproxies import ASKS_FOR_HEALTH, FILES, NAME, PROXY_PROTOCOL, Shipped, native, service
from v1client import V1Client

CLIENTS, ADDRESSES = 500, 50
every_file = pytest.mark.parametrize("name", FILES)


@every_file
def test_a_page_gets_through_as_itself(name):
    async def scenario(wsd, proxy):
        # What a client claims about itself does not count.
        claims = {"X-Forwarded-For": "203.0.113.9", "X-Forwarded-Host": "evil.example", "X-Forwarded-Proto": "ws"}
        one = await proxy.connect("127.0.0.2", origin=proxy.origin, additional_headers=claims)
        two = await proxy.connect("127.0.0.3")
        for client in (one, two):
            await client.join("lobby")
        await two.send(type="sendToRoom", roomId="lobby", data="x" * 40_000)
        while await one.receive() != "x" * 40_000:
            pass
        addresses = {c["id"]: c["address"] for c in wsd.json_lines("clients")}
        assert addresses == {one.id: "127.0.0.2", two.id: "127.0.0.3"}
        with pytest.raises(websockets.InvalidStatus) as refused:
            await proxy.connect(origin="https://evil.example", additional_headers=claims)
        assert refused.value.response.status_code == 403
        await one.close()
        await two.close()

    with service(name) as wsd, Shipped(name, wsd.port) as proxy:
        run(scenario(wsd, proxy))
        status, text = proxy.get("/wsd/config.json")
        shown = NAME if name in PROXY_PROTOCOL else f"{NAME}:{proxy.port}"
        assert (status, json.loads(text)["connectionString"]) == (200, f"wss://{shown}/ws")
        status, text = proxy.get("/wsd/config.json", "-H", "X-Forwarded-Proto: http", "-H", "X-Forwarded-Host: evil.example")
        assert status == 200 and json.loads(text)["connectionString"] == f"wss://{shown}/ws"
        assert proxy.get("/", plain=True)[0] in (301, 308)
        proxy.get("/healthz?token=in-the-log")
        for log in (proxy.log, *proxy.directory.glob("access.log")):
            assert "in-the-log" not in log.read_text()


@every_file
def test_connections_are_counted_by_real_address(name):
    async def scenario(proxy):
        clients = [await proxy.connect(address) for address in ("127.0.0.2", "127.0.0.2", "127.0.0.3", "127.0.0.3")]
        with pytest.raises(websockets.ConnectionClosed) as refused:
            await proxy.connect("127.0.0.2")
        assert refused.value.rcvd.code == 4006
        clients.append(await proxy.connect("127.0.0.4"))
        for client in clients:
            await client.close()

    with service(name, WSD_LIMITS_CONNECTIONS_PER_ADDRESS="2") as wsd, Shipped(name, wsd.port) as proxy:
        run(scenario(proxy))


class Member:
    """A client that comes back whenever it is closed, and goes on where it was; its task fails where that is refused."""

    def __init__(self, proxy, number):
        self.proxy, self.number = proxy, number
        self.address, self.room = f"127.0.1.{1 + number % ADDRESSES}", f"kept-{number // ADDRESSES}"
        self.codes, self.seen, self.position = [], [], None

    async def enter(self):
        self.client = await self.proxy.connect(self.address, kind=V1Client, greet=False)
        greeting = asyncio.create_task(self.client.event("connected"))
        await asyncio.wait({greeting, self.client.reader}, return_when=asyncio.FIRST_COMPLETED)
        if not greeting.done():
            greeting.cancel()
            raise AssertionError(f"refused with {self.client.socket.close_code} {self.client.socket.close_reason}")
        self.client.connected = greeting.result()
        since = {"since": self.position} if self.position else {}
        reply = await self.client.request("join", room=self.room, **since)
        assert reply["recovered"] is True if since else True, reply
        self.position = {"epoch": reply["epoch"], "offset": reply["offset"]} if not since else self.position

    def take(self):
        for event in self.client.of("message", room=self.room):
            self.seen.append(event["data"])
            self.position = {"epoch": event["epoch"], "offset": event["offset"]}
        self.client.events.clear()

    async def live(self):
        while True:
            self.codes.append((await self.client.closed(60))[0])
            self.take()
            # As the client library does. At its address's limit, one that came in the same millisecond would be asked to come later,
            # as the former connection still counts.
            await asyncio.sleep(random.uniform(0.05, 0.5))
            await self.enter()


@contextlib.contextmanager
def in_front(name, config, **environment):
    if name == "native TLS":
        with native(config, **environment) as both:
            yield both
    else:
        with service(name, config, **environment) as wsd, Shipped(name, wsd.port) as proxy:
            yield wsd, proxy


@pytest.mark.parametrize("name", [*FILES, "native TLS"])
def test_five_hundred_clients_and_a_reload(name):
    """Nobody is refused, every message comes once and in order, addresses stay the clients' own, and their limit holds."""
    async def publish(wsd, value):
        body = json.dumps({"rooms": [f"kept-{n}" for n in range(CLIENTS // ADDRESSES)], "data": value})
        status, text = await asyncio.to_thread(wsd.http, "POST", "/v1/api/publish-many", body)
        assert status == 200 and "error" not in text, text

    async def scenario(wsd, proxy):
        old = {p["pid"] for p in wsd.processes()}
        members = [Member(proxy, number) for number in range(CLIENTS)]
        for part in range(0, CLIENTS, 20):
            await asyncio.gather(*(member.enter() for member in members[part:part + 20]))
        tasks = [asyncio.create_task(member.live()) for member in members]
        reload = asyncio.create_task(asyncio.to_thread(wsd.ctl, "reload"))
        published, deadline = 0, time.monotonic() + 45
        while not reload.done() or not all(member.codes for member in members):
            await publish(wsd, published)
            published += 1
            await asyncio.sleep(0.2)
            failed = [task.exception() for task in tasks if task.done()]
            assert not failed, (len(failed), failed[0])
            assert time.monotonic() < deadline, sum(not member.codes for member in members)
        reload.result()
        await publish(wsd, published)
        for member in members:
            while len(member.seen) + len(member.client.of("message")) <= published:
                assert time.monotonic() < deadline, (member.number, member.seen, member.client.events)
                await asyncio.sleep(0.05)
            member.take()
            assert member.seen == list(range(published + 1)), member.number
        assert {code for member in members for code in member.codes} == {1012}
        assert not old & {p["pid"] for p in wsd.processes()}
        addresses = {c["id"]: c["address"] for c in wsd.json_lines("clients")}
        assert addresses == {member.client.id: member.address for member in members}
        with pytest.raises((websockets.ConnectionClosed, asyncio.TimeoutError)) as refused:
            await proxy.connect(members[0].address)
        assert refused.value.rcvd.code == 4006
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
        await asyncio.gather(*(member.client.close() for member in members))

    rules = "rooms: { defaults: { historySize: 1000 }, announceMax: 0 }\n"
    with in_front(name, rules, WSD_LIMITS_CONNECTIONS_PER_ADDRESS=str(CLIENTS // ADDRESSES),
                  WSD_RELOAD_DRAIN_SPREAD="3s") as (wsd, proxy):
        run(scenario(wsd, proxy))


@every_file
def test_over_a_unix_socket(name):
    """The service and the proxy are different users, as they are under systemd."""
    async def scenario(wsd, proxy):
        one, two = await proxy.connect("127.0.0.2", origin=proxy.origin), await proxy.connect("127.0.0.3")
        assert {c["id"]: c["address"] for c in wsd.json_lines("clients")} == {one.id: "127.0.0.2", two.id: "127.0.0.3"}
        with pytest.raises(websockets.ConnectionClosed) as refused:
            await proxy.connect("127.0.0.2")
        assert refused.value.rcvd.code == 4006
        await asyncio.to_thread(wsd.ctl, "reload")
        assert {(await client.closed())[0] for client in (one, two)} == {1012}
        # A worker that ends while it is asked leaves the list incomplete.
        while (listed := wsd.ctl("clients", "--json", check=False)).returncode or listed.stdout.strip("[] \n"):
            await asyncio.sleep(0.02)
        await (await proxy.connect("127.0.0.2")).close()

    # As /run/wsd: others may look into it.
    folder = Path(tempfile.mkdtemp(prefix="wsd-unix-"))
    folder.chmod(0o755)
    try:
        with service(name, listen=f"unix:{folder}/web.sock", WSD_LIMITS_CONNECTIONS_PER_ADDRESS="1",
                     WSD_RELOAD_DRAIN_SPREAD="0") as wsd, Shipped(name, f"{folder}/web.sock") as proxy:
            wait_until(lambda: proxy.get("/healthz")[0] == 200, "the proxy has found the service")
            run(scenario(wsd, proxy))
    finally:
        shutil.rmtree(folder, ignore_errors=True)


@pytest.mark.parametrize("name", ASKS_FOR_HEALTH)
def test_a_lame_duck_gets_no_new_clients(name):
    async def scenario(wsd, proxy):
        client = await proxy.connect()
        assert proxy.get("/healthz")[0] == 200
        wsd.signal(signal.SIGTERM)
        # wsd itself would answer 200 to this until it is gone.
        status = await asyncio.to_thread(
            wait_until, lambda: (code := proxy.get("/healthz")[0]) != 200 and str(code), "the proxy looks away", 20)
        assert status == ("0" if name in PROXY_PROTOCOL else "503")
        with pytest.raises((websockets.InvalidHandshake, OSError)):
            await proxy.connect()
        # Who is connected stays for now.
        await client.join("lobby")
        assert [c["id"] for c in wsd.json_lines("clients")] == [client.id]
        # A second signal ends the wait.
        wsd.signal(signal.SIGTERM)
        assert (await client.closed())[0] == 1001

    with service(name, WSD_SHUTDOWN_DRAIN_SPREAD="0") as wsd, Shipped(name, wsd.port) as proxy:
        wait_until(lambda: proxy.get("/readyz")[0] == 200, "the proxy has found the service")
        run(scenario(wsd, proxy))
        assert wsd.wait() == 0


@every_file
def test_a_second_service_takes_over(name):
    async def come_back(proxy, client):
        assert (await client.closed())[0] == 1001
        # One that the first accepts and cannot serve any more is tried again, by the client where its proxy passes on bytes alone.
        for _ in range(5 if name == "nginx-stream.conf" else 0):
            with contextlib.suppress(websockets.InvalidMessage, ConnectionError):
                return await proxy.connect()
        return await proxy.connect()

    async def scenario(first, second, proxy):
        clients = [await proxy.connect() for _ in range(20)]
        assert len(first.json_lines("clients")) == 20
        first.signal(signal.SIGTERM)
        if name in ASKS_FOR_HEALTH:
            async def newcomer_at_second():
                newcomer = await proxy.connect()
                try:
                    return newcomer.id in {c["id"] for c in second.json_lines("clients")}
                finally:
                    await newcomer.close()
            while not await newcomer_at_second():
                assert first.process.poll() is None, "the lame duck got new clients to its end"
                await asyncio.sleep(0.2)
            assert {client.id for client in clients} <= {c["id"] for c in first.json_lines("clients")}
        first.signal(signal.SIGTERM)
        back = await asyncio.gather(*(come_back(proxy, client) for client in clients))
        wanted = {client.id for client in back}
        assert wanted <= {c["id"] for c in second.json_lines("clients")}
        await asyncio.gather(*(client.close() for client in back))

    with service(name) as first, service(name) as second, Shipped(name, first.port, second.port) as proxy:
        run(scenario(first, second, proxy))
        assert first.wait() == 0
