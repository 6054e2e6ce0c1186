"""Opens WebSocket connections again and again until standard input ends; prints what came of it as JSON.

usage: knock.py PORT PATH THREADS
"""

import json
import socket
import sys
import threading
import time

REQUEST = ("GET {path} HTTP/1.1\r\nHost: localhost\r\nUpgrade: websocket\r\nConnection: Upgrade\r\nSec-WebSocket-Version: 13\r\n"
           "Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n\r\n")


class Knocker:
    def __init__(self, port, path):
        self.port = port
        self.request = REQUEST.format(path=path).encode()
        self.done = threading.Event()
        self.lock = threading.Lock()
        # `times`: from connect to 101, seconds; `other`: what was neither that nor a refused connection.
        self.opened, self.refused, self.other, self.times = 0, 0, {}, []

    def knock(self):
        while not self.done.is_set():
            begun = time.monotonic()
            what = self.once()
            with self.lock:
                if what == "opened":
                    self.opened += 1
                    self.times.append(time.monotonic() - begun)
                elif what == "refused":
                    self.refused += 1
                else:
                    self.other[what] = self.other.get(what, 0) + 1
            self.done.wait(0.005)

    def once(self):
        try:
            connection = socket.create_connection(("127.0.0.1", self.port), timeout=60)
        except OSError:
            return "refused"
        with connection:
            try:
                connection.sendall(self.request)
                head = connection.recv(4096)
            except OSError as error:
                return type(error).__name__
        if head.startswith(b"HTTP/1.1 101 "):
            return "opened"
        return head.partition(b"\r\n")[0].decode() or "closed without an answer"

    def result(self):
        times = sorted(self.times) or [0]
        return {"opened": self.opened, "refused": self.refused, "other": self.other, "slowest": times[-1],
                "p99": times[int(len(times) * 0.99)]}


def main():
    knocker = Knocker(int(sys.argv[1]), sys.argv[2])
    threads = [threading.Thread(target=knocker.knock) for _ in range(int(sys.argv[3]))]
    for thread in threads:
        thread.start()
    print("knocking", flush=True)
    sys.stdin.read()
    knocker.done.set()
    for thread in threads:
        thread.join()
    print(json.dumps(knocker.result()), flush=True)


main()
