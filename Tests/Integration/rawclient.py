"""Many raw WebSocket connections at once, without a library's cost: non-blocking sockets in one selector."""

import selectors
import socket
import time

KEY = b"dGhlIHNhbXBsZSBub25jZQ=="


def upgrade_request(path="/ws", host="127.0.0.1"):
    return (b"GET %s HTTP/1.1\r\nHost: %s\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
            b"Sec-WebSocket-Key: %s\r\nSec-WebSocket-Version: 13\r\n\r\n") % (path.encode(), host.encode(), KEY)


def masked_text(payload):
    """One masked text frame of up to 65,535 bytes (RFC 6455 section 5.2), masking key 0."""
    size = len(payload)
    head = bytes([0x81, 0x80 | size]) if size < 126 else bytes([0x81, 0x80 | 126, size >> 8, size & 255])
    return head + b"\0\0\0\0" + payload


class RawConnections:
    """Opens connections and notes for each what became of it."""

    def __init__(self, port, path="/ws"):
        self.address = ("127.0.0.1", port)
        self.request = upgrade_request(path)
        self.selector = selectors.DefaultSelector()
        self.received = {}
        self.open = []
        self.errors = []
        self.pending = 0

    def start(self, count):
        for _ in range(count):
            sock = socket.socket()
            sock.setblocking(False)
            error = sock.connect_ex(self.address)
            if error not in (0, 115):
                self.errors.append(error)
                sock.close()
                continue
            self.received[sock] = b""
            self.pending += 1
            self.selector.register(sock, selectors.EVENT_WRITE)

    def step(self, timeout=0.05):
        for key, _ in self.selector.select(timeout):
            sock = key.fileobj
            try:
                if key.events == selectors.EVENT_WRITE:
                    error = sock.getsockopt(socket.SOL_SOCKET, socket.SO_ERROR)
                    if error:
                        raise OSError(error, "connect")
                    sock.send(self.request)
                    self.selector.modify(sock, selectors.EVENT_READ)
                    continue
                data = sock.recv(65536)
                if not data:
                    raise OSError(0, "closed before 101")
                self.received[sock] += data
                if b"\r\n\r\n" in self.received[sock]:
                    self.selector.unregister(sock)
                    self.pending -= 1
                    if self.received[sock].startswith(b"HTTP/1.1 101"):
                        self.open.append(sock)
                    else:
                        self.errors.append(self.received[sock].split(b"\r\n")[0])
            except OSError as error:
                self.selector.unregister(sock)
                self.pending -= 1
                self.errors.append(error)
                sock.close()

    def finish(self, timeout):
        """Drives all pending handshakes to their end; returns the seconds it took."""
        start = time.monotonic()
        while self.pending and time.monotonic() - start < timeout:
            self.step()
        return time.monotonic() - start

    def close(self):
        for sock in list(self.received):
            sock.close()
        self.selector.close()


def read_frames(buffer):
    """Splits unmasked frames off a bytearray: returns [(opcode, payload)] and leaves an unfinished one."""
    frames = []
    while len(buffer) >= 2:
        size, head = buffer[1] & 127, 2
        if size == 126:
            if len(buffer) < 4:
                break
            size, head = int.from_bytes(buffer[2:4], "big"), 4
        elif size == 127:
            if len(buffer) < 10:
                break
            size, head = int.from_bytes(buffer[2:10], "big"), 10
        if len(buffer) < head + size:
            break
        frames.append((buffer[0] & 15, bytes(buffer[head:head + size])))
        del buffer[:head + size]
    return frames


def close_codes(sockets, timeout):
    """Reads the sockets to their end; the close code of each, or a word for an end without one."""
    selector = selectors.DefaultSelector()
    buffers = {}
    codes = {}
    for sock in sockets:
        sock.setblocking(False)
        buffers[sock] = bytearray()
        selector.register(sock, selectors.EVENT_READ)
    deadline = time.monotonic() + timeout
    while len(codes) < len(buffers) and time.monotonic() < deadline:
        for key, _ in selector.select(0.1):
            sock = key.fileobj
            try:
                data = sock.recv(65536)
            except OSError as error:
                codes[sock] = f"reset ({error.strerror})"
                selector.unregister(sock)
                continue
            if not data:
                codes.setdefault(sock, "end without close frame")
                selector.unregister(sock)
                continue
            buffers[sock] += data
            for opcode, payload in read_frames(buffers[sock]):
                if opcode == 8:
                    codes[sock] = int.from_bytes(payload[:2], "big")
                    selector.unregister(sock)
                    sock.send(bytes([0x88, 0x82, 0, 0, 0, 0]) + payload[:2])
                    break
    selector.close()
    return [codes.get(sock, "still open") for sock in sockets]
