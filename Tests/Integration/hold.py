"""Opens so many WebSocket connections and waits for their ends; prints the close codes with their numbers as JSON.

usage: hold.py PORT CLIENTS
"""

import collections
import json
import selectors
import socket
import sys

REQUEST = (b"GET /ws HTTP/1.1\r\nHost: localhost\r\nUpgrade: websocket\r\nConnection: Upgrade\r\nSec-WebSocket-Version: 13\r\n"
           b"Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n\r\n")
CLOSE, PING = 0x88, 0x89


def opened(port):
    """A connection whose greeting has been read, whole."""
    connection = socket.create_connection(("127.0.0.1", port), timeout=60)
    connection.sendall(REQUEST)
    text = b""
    while b"\r\n\r\n" not in text or not text.endswith(b"}"):
        part = connection.recv(4096)
        if not part:
            raise SystemExit(f"not let in: {text!r}")
        text += part
    return connection


def main():
    port, number = int(sys.argv[1]), int(sys.argv[2])
    clients = selectors.DefaultSelector()
    for _ in range(number):
        clients.register(opened(port), selectors.EVENT_READ, bytearray())
    print("holding", flush=True)
    codes = collections.Counter()
    while clients.get_map():
        for key, _ in clients.select():
            try:
                part = key.fileobj.recv(4096)
            except ConnectionResetError:
                part = b""
            key.data.extend(part)
            while len(key.data) >= 2 and key.data[0] == PING and len(key.data) >= 2 + key.data[1]:
                del key.data[:2 + key.data[1]]
            if part and not (len(key.data) >= 4 and key.data[0] == CLOSE):
                continue
            # Nothing but pings comes to a client in no room before the close frame.
            codes[int.from_bytes(key.data[2:4], "big") if len(key.data) >= 4 else "none"] += 1
            clients.unregister(key.fileobj)
            key.fileobj.close()
    print(json.dumps(codes), flush=True)


main()
