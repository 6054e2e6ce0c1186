"""A client of the wsd.v1.json dialect that knows nothing of wsd's own code."""

import asyncio
import base64
import contextlib
import hashlib
import hmac
import itertools
import json
import time

import websockets


class Refused(Exception):
    """A reply with an error."""

    def __init__(self, error):
        super().__init__(error["code"] + ": " + error["message"])
        self.error = error
        self.code = error["code"]


class V1Client:
    """One connection. Everything that is no reply lies in `events`, in the order it came."""

    def __init__(self, socket):
        self.socket = socket
        self.connected = None
        self.events = []
        self.frames = 0
        self.arrived = asyncio.Condition()
        self.numbers = itertools.count(1)
        self.replies = {}
        self.reader = asyncio.create_task(self.read())

    @classmethod
    async def connect(cls, url, greet=True, compression=None, **options):
        options.setdefault("open_timeout", 20)
        socket = await websockets.connect(url, subprotocols=["wsd.v1.json"], compression=compression, ping_interval=None,
                                          max_queue=None, max_size=None, close_timeout=2, **options)
        assert socket.subprotocol == "wsd.v1.json"
        client = cls(socket)
        if greet:
            client.connected = await client.event("connected")
        return client

    @property
    def id(self):
        return self.connected["client"]

    @property
    def session(self):
        return self.connected["session"]

    async def read(self):
        with contextlib.suppress(websockets.ConnectionClosed):
            async for text in self.socket:
                self.frames += 1
                message = json.loads(text)
                async with self.arrived:
                    for event in message if isinstance(message, list) else [message]:
                        if event["type"] == "reply":
                            future = self.replies.pop(event["requestId"], None)
                            assert future is not None, f"a reply nobody asked for: {event}"
                            # Events behind the reply stand behind this mark.
                            event["_mark"] = len(self.events)
                            future.set_result(event)
                        else:
                            self.events.append(event)
                    self.arrived.notify_all()
        async with self.arrived:
            for future in self.replies.values():
                future.cancel()
            self.arrived.notify_all()

    async def send(self, *commands):
        await self.socket.send(json.dumps(commands[0] if len(commands) == 1 else commands))

    async def request(self, type, timeout=20, **fields):
        """The reply's data; raises Refused."""
        return (await self.request_marked(type, timeout, **fields))[0]

    async def request_marked(self, type, timeout=20, **fields):
        number = next(self.numbers)
        future = self.replies[number] = asyncio.get_running_loop().create_future()
        await self.socket.send(json.dumps({"type": type, "requestId": number, **fields}))
        reply = await asyncio.wait_for(future, timeout)
        if "error" in reply:
            raise Refused(reply["error"])
        return reply["data"], reply["_mark"]

    def of(self, type, **fields):
        return [e for e in self.events if e["type"] == type and all(e.get(k) == v for k, v in fields.items())]

    async def event(self, type, timeout=20, count=1, **fields):
        """Waits until that many such events have come and returns the last of them."""
        async with self.arrived:
            await asyncio.wait_for(self.arrived.wait_for(lambda: len(self.of(type, **fields)) >= count), timeout)
        return self.of(type, **fields)[count - 1]

    async def messages(self, room, count, timeout=30):
        """The data of the room's messages, once so many have come."""
        await self.event("message", timeout, count, room=room)
        return [e["data"] for e in self.of("message", room=room)]

    async def closed(self, timeout=40):
        await asyncio.wait_for(asyncio.shield(self.reader), timeout)
        return self.socket.close_code, self.socket.close_reason

    async def close(self):
        await self.socket.close()
        await self.reader

    def abort(self):
        """As a phone does that loses its network."""
        self.socket.transport.abort()


def b64url(data):
    return base64.urlsafe_b64encode(data).rstrip(b"=").decode()


def hs256(secret, claims, header=None):
    """A token of RFC 7519 by hand."""
    head = b64url(json.dumps({"alg": "HS256", "typ": "JWT", **(header or {})}).encode())
    body = b64url(json.dumps(claims).encode())
    signature = hmac.new(secret.encode(), f"{head}.{body}".encode(), hashlib.sha256).digest()
    return f"{head}.{body}.{b64url(signature)}"


def token(secret, user, seconds=3600, **claims):
    return hs256(secret, {"sub": user, "exp": int(time.time() + seconds), **claims})
