"""Behind nginx, HAProxy and Caddy with the files of deploy/."""

import asyncio
import json
import signal
import time

import pytest
import websockets

from harness import run, wait_until
from shippedproxies import FILES, NAME, Shipped, service

CLIENTS = 100
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
        # By the PROXY protocol alone wsd cannot know the port; its settings name the address.
        shown = NAME if name == "haproxy-proxy-protocol.cfg" else f"{NAME}:{proxy.port}"
        assert (status, json.loads(text)["connectionString"]) == (200, f"wss://{shown}/ws")
        status, text = proxy.get("/wsd/config.json", "-H", "X-Forwarded-Proto: http", "-H", "X-Forwarded-Host: evil.example")
        assert status == 200 and json.loads(text)["connectionString"] == f"wss://{shown}/ws"
        assert proxy.get("/", plain=True)[0] in (301, 308)


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


class Returning:
    """A client that comes back whenever it is closed, at once; its task fails where that is refused."""

    def __init__(self, proxy, client):
        self.proxy, self.client, self.codes = proxy, client, []
        self.task = asyncio.create_task(self.live())

    async def live(self):
        while True:
            self.codes.append((await self.client.closed())[0])
            self.client = await self.proxy.connect()


@every_file
def test_a_reload_refuses_nobody(name):
    async def scenario(wsd, proxy):
        old = {p["pid"] for p in wsd.processes()}
        clients = [Returning(proxy, await proxy.connect()) for _ in range(CLIENTS)]
        await asyncio.to_thread(wsd.ctl, "reload")
        deadline = time.monotonic() + 20
        while True:
            failed = [client.task.exception() for client in clients if client.task.done()]
            assert not failed, failed[0]
            connected = {c["id"] for c in wsd.json_lines("clients")}
            if all(client.codes for client in clients) and connected == {client.client.id for client in clients}:
                break
            assert time.monotonic() < deadline, f"{len(connected)} clients"
            await asyncio.sleep(0.1)
        assert {code for client in clients for code in client.codes} == {1012}
        assert not old & {p["pid"] for p in wsd.processes()}
        for client in clients:
            client.task.cancel()
        await asyncio.gather(*(client.task for client in clients), return_exceptions=True)
        await asyncio.gather(*(client.client.close() for client in clients))

    with service(name, WSD_RELOAD_DRAIN_SPREAD="2s") as wsd, Shipped(name, wsd.port) as proxy:
        run(scenario(wsd, proxy))


# nginx of Debian asks for no health.
@pytest.mark.parametrize("name", [name for name in FILES if name != "nginx.conf"])
def test_a_lame_duck_gets_no_new_clients(name):
    async def scenario(wsd, proxy):
        client = await proxy.connect()
        assert proxy.get("/healthz")[0] == 200
        wsd.signal(signal.SIGTERM)
        # wsd itself would answer 200 to this until it is gone.
        status = await asyncio.to_thread(
            wait_until, lambda: (code := proxy.get("/healthz")[0]) != 200 and str(code), "the proxy looks away", 20)
        assert status == ("0" if name == "haproxy-proxy-protocol.cfg" else "503")
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
        return await proxy.connect()

    async def scenario(first, second, proxy):
        clients = [await proxy.connect() for _ in range(20)]
        assert len(first.json_lines("clients")) == 20
        first.signal(signal.SIGTERM)
        if name != "nginx.conf":
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
