"""A WebSocket server on websockets (PyPI), as people have it, but for one thing: it listens on the socket that it was started with."""

import asyncio
import json
import os
import signal
import socket

from websockets.asyncio.server import serve


async def client(connection):
    await connection.send(json.dumps({"pid": os.getpid(), "listenPid": os.environ["LISTEN_PID"]}))
    async for message in connection:
        await connection.send(message)


async def main():
    stop = asyncio.Event()
    asyncio.get_running_loop().add_signal_handler(signal.SIGTERM, stop.set)
    async with serve(client, sock=socket.socket(fileno=3)):
        print("listening", flush=True)
        await stop.wait()


asyncio.run(main())
