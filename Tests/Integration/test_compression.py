"""permessage-deflate with real clients."""

import asyncio
import json
import zlib

import pytest
import websockets
from websockets.extensions.permessage_deflate import ClientPerMessageDeflateFactory

from harness import Client, Wsd, cpu_seconds, run
from v1client import V1Client

ON = "websocket:\n  compression:\n    enabled: true\n    {}\n"


async def connect(wsd, **parameters):
    factory = ClientPerMessageDeflateFactory(**parameters)
    return await websockets.connect(wsd.url(), compression=None, extensions=[factory], max_size=None)


@pytest.mark.parametrize("server", ["threshold: 0", "serverContextTakeover: true", "clientContextTakeover: false",
                                    "serverWindowBits: 9", "clientWindowBits: 10", "level: 1"])
def test_any_agreement_works(server):
    parameters = [{}, {"server_no_context_takeover": True}, {"client_no_context_takeover": True},
                  {"server_max_window_bits": 10}, {"client_max_window_bits": 11}, {"client_max_window_bits": True}]

    async def scenario(wsd):
        sockets = [await connect(wsd, **p) for p in parameters]
        plain = await Client.connect(wsd.url())
        await plain.join("r")
        for socket in sockets:
            assert socket.protocol.extensions, "compression was not agreed on"
            await socket.recv()
            await socket.send(json.dumps({"type": "joinRoom", "roomId": "r", "requestId": 1}))
            while "requestId" not in json.loads(await socket.recv()):
                pass
        for size in (1, 100, 5000, 30000):
            data = {"text": "abc " * size, "n": size}
            for index in range(3):
                await sockets[index].send(json.dumps({"type": "sendToRoom", "roomId": "r", "data": [index, data]}))
                for other in [*sockets[:index], *sockets[index + 1:]]:
                    while True:
                        got = json.loads(await asyncio.wait_for(other.recv(), 10))
                        if isinstance(got, list):
                            break
                    assert got == [index, data]
            while True:
                if await plain.receive() == [2, data]:
                    break

    with Wsd(workers=1, config=ON.format(server) + "  maxMessageSize: 1MiB\n") as wsd:
        run(scenario(wsd))


def test_a_zip_bomb_ends_in_1009_and_costs_nothing():
    async def scenario(wsd):
        socket = await connect(wsd)
        await socket.recv()
        bomb = zlib.compressobj(9, zlib.DEFLATED, -15)
        data = bomb.compress(b"[" + b" " * 200_000_000) + bomb.flush(zlib.Z_SYNC_FLUSH)
        data = data[:-4]
        # Masked by hand, with RSV1 set, in one frame; the zeroes as mask leave the bytes as they are.
        header = bytes([0xC1, 0x80 | 127]) + len(data).to_bytes(8, "big") + bytes(4)
        transport = socket.transport
        transport.write(header + data)
        with pytest.raises(websockets.ConnectionClosed):
            while True:
                await asyncio.wait_for(socket.recv(), 20)
        assert socket.close_code == 1009

    with Wsd(workers=1, config=ON.format("threshold: 0") + "  maxMessageSize: 1MiB\n") as wsd:
        before = wsd.worker(1)["memory"]
        run(scenario(wsd))
        assert wsd.wait_healthy()
        assert wsd.worker(1)["memory"] < before + 32 * 1024 * 1024


def test_off_by_default():
    async def scenario(wsd):
        socket = await connect(wsd)
        assert not socket.protocol.extensions
        await socket.close()

    with Wsd(workers=1) as wsd:
        run(scenario(wsd))


def test_the_library_dialect_compresses_too():
    async def scenario(wsd):
        one = await V1Client.connect(wsd.url(), compression="deflate")
        two = await V1Client.connect(wsd.url())
        for client in (one, two):
            await client.request("join", room="r")
        await two.request("publish", room="r", data="x" * 50000)
        assert await one.messages("r", 1) == ["x" * 50000]
        assert await two.messages("r", 1) == ["x" * 50000]

    with Wsd(workers=1, config=ON.format("level: 6")) as wsd:
        run(scenario(wsd))
