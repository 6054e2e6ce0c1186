"""The simple dialect over several workers: what a page with a bare WebSocket sees."""

import asyncio
import json

import websockets

from harness import Client, Wsd, connect_to_worker, run


def test_rooms_across_workers(wsd):
    async def scenario():
        one = await connect_to_worker(wsd, 1)
        two = await connect_to_worker(wsd, 2)
        await one.join("lobby")
        await two.join("lobby")
        assert await one.receive() == {"type": "userJoined", "userId": two.id, "roomId": "lobby"}
        await two.send(type="sendToRoom", roomId="lobby", data={"text": "hello", "n": [1, 2.5, None, True]})
        assert await one.receive() == {"text": "hello", "n": [1, 2.5, None, True]}
        answer, before = await two.request(type="leaveRoom", roomId="lobby")
        assert "error" not in answer and before == []
        assert await one.receive() == {"type": "userLeft", "userId": two.id, "roomId": "lobby"}
        await one.request(type="sendToRoom", roomId="lobby", data=1)
        await two.join("lobby")
        await one.close()
        assert await two.receive() == {"type": "userLeft", "userId": one.id, "roomId": "lobby"}

    run(scenario())


def test_broadcast_reaches_everybody_else(wsd):
    async def scenario():
        clients = [await Client.connect(wsd.url()) for _ in range(8)]
        await clients[0].send(type="broadcast", data="all")
        for client in clients[1:]:
            assert await client.receive() == "all"
        answer, before = await clients[0].request(type="joinRoom", roomId="x")
        assert before == [] and "error" not in answer

    run(scenario())


def test_one_order_per_room(wsd):
    """Four senders at once; every member that does not send sees one and the same order, and each sender's own order."""
    async def scenario():
        senders = [await Client.connect(wsd.url()) for _ in range(4)]
        readers = [await connect_to_worker(wsd, number) for number in (1, 2)] + [await Client.connect(wsd.url())]
        for client in [*senders, *readers]:
            await client.join("order")
        count = 200

        async def publish(index):
            for n in range(count):
                await senders[index].send(type="sendToRoom", roomId="order", data=[index, n])

        await asyncio.gather(*(publish(index) for index in range(4)))

        async def read(client):
            seen = []
            while len(seen) < 4 * count:
                message = await client.receive()
                if isinstance(message, list):
                    seen.append(tuple(message))
            return seen

        orders = await asyncio.gather(*(read(client) for client in readers))
        assert orders[0] == orders[1] == orders[2]
        for index in range(4):
            assert [n for sender, n in orders[0] if sender == index] == list(range(count))

    run(scenario())


def test_data_passes_as_the_bytes_that_came(wsd):
    async def scenario():
        sender, reader = await connect_to_worker(wsd, 1), await connect_to_worker(wsd, 2)
        await sender.join("bytes")
        await reader.join("bytes")
        await sender.receive()
        pretty = '{\n  "text" : "Grüße \\u0041 \\n",\r\n\t"big": 123456789012345678901234567890.10\n}'
        await sender.socket.send('{"type":"sendToRoom", "data": ' + pretty + ' ,"roomId":"bytes"}')
        assert await asyncio.wait_for(reader.socket.recv(), 10) == pretty

    run(scenario())


def test_only_the_sender_hears_of_a_malformed_message(wsd):
    async def scenario():
        sender, reader = await connect_to_worker(wsd, 1), await connect_to_worker(wsd, 2)
        await sender.join("bad")
        await reader.join("bad")
        assert (await sender.receive())["type"] == "userJoined"
        for text in ('{"type":"sendToRoom","roomId":"bad","data":{"a":tru}}', "not json", "[1,2]", '"joinRoom"', "{}",
                     '{"type":"nonsense"}', '{"type":"joinRoom"}', '{"type":"sendToRoom","roomId":"bad"}',
                     '{"type":"joinRoom","roomId":""}', '{"type":"joinRoom","roomId":17}', "{" * 500, '{"type":"joinRoom","roomId":"a\nb"}'):
            await sender.socket.send(text)
            answer = await sender.receive()
            assert answer["type"] == "error" and answer["error"] and answer["code"], (text, answer)
        await sender.request(type="sendToRoom", roomId="bad", data="good")
        assert await reader.receive() == "good"

    run(scenario())


def test_request_ids_come_back_as_they_were(wsd):
    async def scenario():
        client = await Client.connect(wsd.url())
        for request_id in ("abc", "1", 17, 1.5, "ü"):
            await client.send(type="joinRoom", roomId=f"r{request_id}", requestId=request_id)
            answer = await client.receive()
            assert answer["requestId"] == request_id and type(answer["requestId"]) is type(request_id)
            assert "data" in answer and "error" not in answer
        await client.send(type="sendToRoom", roomId="x" * 300, data=1, requestId=9)
        answer = await client.receive()
        assert answer["requestId"] == 9 and "error" in answer
        await client.send(type="what", requestId="q")
        answer = await client.receive()
        assert answer["requestId"] == "q" and "error" in answer

    run(scenario())


def test_large_rooms_do_not_announce():
    with Wsd(workers=2, config="rooms:\n  announceMax: 5\n") as service:
        async def scenario():
            clients = []
            for _ in range(8):
                client = await Client.connect(service.url())
                await client.join("crowd")
                clients.append(client)
            await clients[7].request(type="sendToRoom", roomId="crowd", data="end")
            joined = 0
            while (message := await clients[0].receive()) != "end":
                assert message["type"] == "userJoined"
                joined += 1
            assert joined == 4

        run(scenario())


def test_every_websocket_path(wsd):
    async def scenario():
        for path in ("", "/", "/ws", "/ws/connection", "/connection/websocket", "/ws?token=x"):
            client = await Client.connect(wsd.url(path))
            await client.close()
        for path in ("/nowhere", "/wsd/nothing", "/ws/"):
            try:
                await websockets.connect(wsd.url(path))
                raise AssertionError(f"{path} was accepted")
            except websockets.InvalidStatus as refused:
                assert refused.response.status_code == 404, path
                assert refused.response.body

    run(scenario())


def test_limits_of_messages_and_utf8():
    with Wsd(workers=1, config="websocket:\n  maxMessageSize: 1000\n") as service:
        async def scenario():
            client = await Client.connect(service.url())
            await client.socket.send("x" * 1001)
            assert (await client.closed())[0] == 1009
            client = await Client.connect(service.url())
            await client.socket.send(["y" * 600, "y" * 600])
            assert (await client.closed())[0] == 1009
            client = await Client.connect(service.url())
            await client.socket.send(b"\xff\xfe", text=True)
            assert (await client.closed())[0] == 1007

        run(scenario())


def test_echo_returns_text_and_binary(wsd):
    async def scenario():
        async with websockets.connect(wsd.url("/wsd/echo"), compression=None) as socket:
            for message in ("text", "", "ü" * 1000, b"\x00\x01\xff", b"z" * 60000, json.dumps({"a": 1})):
                await socket.send(message)
                assert await socket.recv() == message

    run(scenario())


def test_idle_client_is_pinged_and_dropped():
    with Wsd(workers=1, config="websocket:\n  pingInterval: 1s\n  pongTimeout: 1s\n") as service:
        from rawclient import read_frames, upgrade_request
        import socket as sockets
        raw = sockets.create_connection(("127.0.0.1", service.port))
        raw.settimeout(10)
        raw.sendall(upgrade_request())
        received = bytearray(raw.recv(4096))
        while b"\r\n\r\n" not in received:
            received += raw.recv(4096)
        del received[:received.index(b"\r\n\r\n") + 4]
        opcodes = []
        while data := raw.recv(4096):
            received += data
            frames = read_frames(received)
            opcodes += frames
        assert 9 in [opcode for opcode, _ in opcodes]
        assert opcodes[-1][0] == 8 and int.from_bytes(opcodes[-1][1][:2], "big") == 4000, opcodes

        async def answering():
            client = await Client.connect(service.url())
            try:
                await client.receive(timeout=4)
                raise AssertionError("nothing was to come")
            except asyncio.TimeoutError:
                pass
            answer, _ = await client.request(type="joinRoom", roomId="alive")
            assert "error" not in answer

        run(answering())
