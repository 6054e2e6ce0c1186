"""What users, attackers and fate do to a service: nothing of it may harm the others, or leave anything behind."""

import contextlib
import json
import os
import re
import resource
import select
import shutil
import signal
import socket
import struct
import subprocess
import tempfile
import threading
import time
from pathlib import Path

import pytest

from harness import BIN, Wsd, alive, cpu_seconds, process_tree, wait_until
from rawclient import KEY, RawConnections, masked_text, read_frames, upgrade_request

QUICK = "reload:\n  drainSpread: 200ms\nshutdown:\n  drainSpread: 200ms\n"
HOST = b"Host: a\r\n"
UPGRADE = b"Upgrade: websocket\r\nConnection: Upgrade\r\nSec-WebSocket-Version: 13\r\nSec-WebSocket-Key: " + KEY + b"\r\n"
RESET = struct.pack("ii", 1, 0)


class Peer:
    """One blocking connection: nothing between the test and the wire."""

    def __init__(self, port, path="/ws"):
        self.socket = socket.create_connection(("127.0.0.1", port), timeout=10)
        self.socket.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        self.frames, self.buffer, self.requests = [], bytearray(), 0
        self.socket.sendall(upgrade_request(path))
        while b"\r\n\r\n" not in self.buffer:
            self.buffer += self.socket.recv(65536)
        head, _, rest = bytes(self.buffer).partition(b"\r\n\r\n")
        assert head.startswith(b"HTTP/1.1 101"), head
        self.buffer = bytearray(rest)
        if path == "/ws":
            self.id = json.loads(self.next()[1])["clientId"]

    def next(self, timeout=10):
        """The next frame as (opcode, payload); (None, b"") at the end; None when none comes."""
        deadline = time.monotonic() + timeout
        while not self.frames:
            self.frames = read_frames(self.buffer)
            left = deadline - time.monotonic()
            if self.frames:
                break
            if left <= 0 or not select.select([self.socket], [], [], left)[0]:
                return None
            data = self.socket.recv(1 << 18)
            if not data:
                return None, b""
            self.buffer += data
        return self.frames.pop(0)

    def send(self, **message):
        self.socket.sendall(masked_text(json.dumps(message).encode()))

    def request(self, **message):
        """The answer, and what came before it."""
        self.requests += 1
        self.send(requestId=self.requests, **message)
        before = []
        while True:
            frame = self.next()
            assert frame and frame[0] == 1, frame
            value = json.loads(frame[1])
            if isinstance(value, dict) and value.get("requestId") == self.requests:
                return value, before
            before.append(value)

    def join(self, room):
        answer, _ = self.request(type="joinRoom", roomId=room)
        assert "error" not in answer, answer

    def reset(self):
        self.socket.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, RESET)
        self.socket.close()

    def close(self):
        self.socket.close()


def exchange(port, data, enough=lambda received: False, bytewise=False):
    """Sends and reads until the end, or until it is enough."""
    with socket.create_connection(("127.0.0.1", port), timeout=5) as sock:
        sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        for piece in ([data[i:i + 1] for i in range(len(data))] if bytewise else [data]):
            sock.sendall(piece)
        received = b""
        while not enough(received):
            try:
                more = sock.recv(65536)
            except ConnectionResetError:
                break
            if not more:
                break
            received += more
        return received


def zombies(parent):
    found = []
    for entry in filter(str.isdigit, os.listdir("/proc")):
        with contextlib.suppress(OSError):
            fields = Path(f"/proc/{entry}/stat").read_text().rpartition(")")[2].split()
            if fields[0] == "Z" and int(fields[1]) == parent:
                found.append(int(entry))
    return found


def resident(pid):
    return int(Path(f"/proc/{pid}/statm").read_text().split()[1]) * resource.getpagesize()


def descriptors(pids):
    return {pid: len(os.listdir(f"/proc/{pid}/fd")) for pid in pids}


@contextlib.contextmanager
def listened_to(service):
    """A service manager that reads what it is told."""
    done = threading.Event()

    def read():
        while not done.is_set():
            select.select([service.notifications.socket], [], [], 0.05)
            service.notifications.drain()

    reader = threading.Thread(target=read)
    reader.start()
    try:
        yield service
    finally:
        done.set()
        reader.join()


def at_rest(pids):
    """Descriptors that stay: the connection of whoever asked last may not have been closed yet."""
    def look():
        first = descriptors(pids)
        time.sleep(0.2)
        return descriptors(pids) == first and first
    return wait_until(look, "at rest")


@pytest.fixture(scope="module")
def public():
    with Wsd(workers=2) as service, listened_to(service):
        pids = [service.pid, *process_tree(service.pid)]
        service.wait_healthy()
        service.at_start = at_rest(pids)
        yield service


@pytest.fixture
def calm(public):
    """After the test: the same processes, at rest, with the descriptors they had, and nobody in them."""
    before = public.at_start
    pids = list(before)
    yield public
    assert sorted([public.pid, *process_tree(public.pid)]) == sorted(pids), public.output()[-3000:]
    wait_until(lambda: (t := public.status()["totals"])["clients"] == 0 and t["rooms"] == 0, "nobody left")
    with contextlib.suppress(AssertionError):
        wait_until(lambda: descriptors(pids) == before, "descriptors as before", 5)
    assert descriptors(pids) == before, subprocess.run(["ls", "-l", *(f"/proc/{pid}/fd" for pid in pids)], capture_output=True,
                                                       text=True).stdout
    cpu = [cpu_seconds(pid) for pid in pids]
    time.sleep(0.3)
    assert sum(cpu_seconds(pid) for pid in pids) - sum(cpu) <= 0.04, "not idle"
    assert public.status()["health"] == "ok" and not zombies(public.pid)


# -- the public port: HTTP

HEADS = {
    "two lengths": (b"POST /healthz HTTP/1.1\r\n" + HOST + b"Content-Length: 3\r\nContent-Length: 4\r\n\r\nabcd", [400]),
    "length and chunks": (b"POST /healthz HTTP/1.1\r\n" + HOST + b"Content-Length: 3\r\nTransfer-Encoding: chunked\r\n\r\n"
                          b"0\r\n\r\nGET /healthz HTTP/1.1\r\nHost: a\r\n\r\n", [400]),
    "unknown coding": (b"POST /healthz HTTP/1.1\r\n" + HOST + b"Transfer-Encoding: chunked, identity\r\n\r\n0\r\n\r\n", [400]),
    "negative length": (b"POST /healthz HTTP/1.1\r\n" + HOST + b"Content-Length: -1\r\n\r\n", [400]),
    "impossible length": (b"POST /healthz HTTP/1.1\r\n" + HOST + b"Content-Length: " + b"9" * 25 + b"\r\n\r\n", [400]),
    "large length": (b"POST /healthz HTTP/1.1\r\n" + HOST + b"Content-Length: 10000000000\r\n\r\n", [413]),
    "impossible chunk": (b"POST /healthz HTTP/1.1\r\n" + HOST + b"Transfer-Encoding: chunked\r\n\r\n" + b"F" * 17 + b"\r\n", [400]),
    "upgrade with chunks": (b"GET /ws HTTP/1.1\r\n" + HOST + UPGRADE + b"Transfer-Encoding: chunked\r\n\r\n0\r\n\r\n", [400]),
    "upgrade with body": (b"GET /ws HTTP/1.1\r\n" + HOST + UPGRADE + b"Content-Length: 5\r\n\r\nhello", [400]),
    "later upgrade with body": (b"GET /healthz HTTP/1.1\r\n" + HOST + b"\r\nGET /ws HTTP/1.1\r\n" + HOST + UPGRADE
                                + b"Content-Length: 5\r\n\r\nhello", [200, 400]),
    "upgrade by POST": (b"POST /ws HTTP/1.1\r\n" + HOST + UPGRADE + b"\r\n", [405]),
    "upgrade by HEAD": (b"HEAD /ws HTTP/1.1\r\n" + HOST + UPGRADE + b"\r\n", [405]),
    "upgrade of 1.0": (b"GET /ws HTTP/1.0\r\n" + HOST + UPGRADE + b"\r\n", [400]),
    "upgrade to h2c": (b"GET /ws HTTP/1.1\r\n" + HOST + b"Connection: Upgrade\r\nUpgrade: h2c\r\n\r\n", [426]),
    "HTTP/2": (b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n", [505]),
    "PUT": (b"PUT /healthz HTTP/1.1\r\n" + HOST + b"Content-Length: 3\r\n\r\nabc", [405]),
    "OPTIONS": (b"OPTIONS / HTTP/1.1\r\n" + HOST + b"\r\n", [405]),
    "1.0": (b"GET /healthz HTTP/1.0\r\n\r\n", [200]),
    "absolute": (b"GET http://a/healthz HTTP/1.1\r\n" + HOST + b"\r\n", [200]),
    "traversal": (b"GET /%2e%2e/../../etc/passwd HTTP/1.1\r\n" + HOST + b"\r\n", [404]),
    "bad percent": (b"GET /%zz%00 HTTP/1.1\r\n" + HOST + b"\r\n", [404]),
    "upgrade beside": (b"GET //ws HTTP/1.1\r\n" + HOST + UPGRADE + b"\r\n", [404]),
    "128 fields": (b"GET /healthz HTTP/1.1\r\n" + HOST + b"X: y\r\n" * 127 + b"\r\n", [200]),
    "129 fields": (b"GET /healthz HTTP/1.1\r\n" + HOST + b"X: y\r\n" * 128 + b"\r\n", [431]),
    "empty lines": (b"\r\n" * 9000, [431]),
    "folded": (b"GET /healthz HTTP/1.1\r\n" + HOST + b"X: a\r\n b\r\n\r\n", [400]),
    "blank before colon": (b"GET /healthz HTTP/1.1\r\nHost : a\r\n\r\n", [400]),
    "NUL": (b"GET /healthz HTTP/1.1\r\n" + HOST + b"X: a\0b\r\n\r\n", [400]),
    "pipelined": ((b"GET /healthz HTTP/1.1\r\n" + HOST + b"\r\n") * 3, [200, 200, 200]),
    "second is none": (b"GET /healthz HTTP/1.1\r\n" + HOST + b"\r\nGARBAGE\r\n\r\n", [200, 400]),
}


def statuses(received):
    return [int(part[:3]) for part in received.split(b"HTTP/1.1 ")[1:] if part[:3].isdigit()]


@pytest.mark.parametrize("name", HEADS)
def test_heads(public, name):
    request, expected = HEADS[name]
    received = exchange(public.port, request, lambda got: len(statuses(got)) >= len(expected) and b"\r\n\r\n" in got)
    assert statuses(received) == expected, received


@pytest.mark.parametrize("hosts", [b"", HOST + b"Host: b\r\n"], ids=["none", "two"])
def test_each_request_of_a_connection_names_one_host(public, hosts):
    """As the first one must (RFC 9112 section 3.2)."""
    first = b"GET /healthz HTTP/1.1\r\n" + HOST + b"\r\n"
    received = exchange(public.port, first + b"GET /healthz HTTP/1.1\r\n" + hosts + b"\r\n", lambda got: len(statuses(got)) == 2)
    assert statuses(received) == [200, 400]


def test_slow_heads_in_number_hold_up_nobody():
    with Wsd(workers=1, config="websocket:\n  handshakeTimeout: 1s\n") as service:
        slow = [socket.create_connection(("127.0.0.1", service.port)) for _ in range(1000)]
        for sock in slow:
            sock.sendall(b"GET /ws HTTP/1.1\r\nHost: a\r\nX: ")
        start = time.monotonic()
        Peer(service.port).close()
        assert time.monotonic() - start < 0.9
        ends = []
        for sock in slow:
            sock.settimeout(5)
            ends.append(sock.recv(12))
            with contextlib.suppress(OSError):
                sock.sendall(b"x")
            sock.close()
        assert set(ends) == {b"HTTP/1.1 408"} and time.monotonic() - start < 5


# -- the public port: frames


def test_frames_behind_the_handshake_and_byte_by_byte(calm):
    message = masked_text(b'{"type":"joinRoom","roomId":"a","requestId":1}')
    answer = b'{"requestId":1,"data":{"ok":true,"roomId":"a"}}'
    received = exchange(calm.port, upgrade_request() + message * 3, lambda got: got.count(answer) == 3)
    assert received.count(answer) == 3
    received = exchange(calm.port, upgrade_request() + message, lambda got: answer in got, bytewise=True)
    assert received.count(answer) == 1
    plain = b"GET /healthz HTTP/1.1\r\n" + HOST + b"\r\n"
    received = exchange(calm.port, plain * 2 + upgrade_request() + message, lambda got: answer in got)
    assert statuses(received) == [200, 200, 101] and answer in received


def frame(first, length, extended=b"", payload=b""):
    return bytes([first, 0x80 | length]) + extended + bytes(4) + payload


FRAMES = {
    "length all ones": (frame(0x82, 127, b"\xff" * 8), 1002),
    "length 2^63": (frame(0x82, 127, b"\x80" + bytes(7)), 1002),
    "length 2^63-1": (frame(0x82, 127, b"\x7f" + b"\xff" * 7), 1009),
    "64 KiB and 1": (frame(0x82, 127, struct.pack(">Q", 65537)), 1009),
    "too wide a length": (frame(0x82, 127, struct.pack(">Q", 5), b"hello"), 1002),
    "unmasked": (b"\x81\x05hello", 1002),
    "unmasked close": (b"\x88\x00", 1002),
    "reserved bit": (frame(0xC1, 0), 1002),
    "reserved opcode": (frame(0x83, 0), 1002),
    "long ping": (frame(0x89, 126, struct.pack(">H", 126), b"x" * 126), 1002),
    "fragmented ping": (frame(0x09, 0), 1002),
    "continues nothing": (frame(0x80, 0), 1002),
    "text within text": (frame(0x01, 0) + frame(0x81, 0), 1002),
    "half a close code": (frame(0x88, 1, payload=b"\x03"), 1002),
    "close 1005": (frame(0x88, 2, payload=b"\x03\xed"), 1002),
    "close 65535": (frame(0x88, 2, payload=b"\xff\xff"), 1002),
    "close reason no UTF-8": (frame(0x88, 4, payload=b"\x03\xe8\xff\xff"), 1007),
    "text no UTF-8": (frame(0x81, 2, payload=b"\xff\xfe"), 1007),
    "1025 fragments": (frame(0x01, 0) + frame(0x00, 0) * 1023 + frame(0x80, 0), 1008),
    "close within a message": (frame(0x01, 1, payload=b"a") + frame(0x88, 2, payload=b"\x03\xe8"), 1000),
    "data behind close": (frame(0x88, 2, payload=b"\x0b\xb8") + masked_text(b"late") * 50, 3000),
}


def test_frames_that_end_a_connection(calm):
    codes = {}
    for name, (data, _) in FRAMES.items():
        received = exchange(calm.port, upgrade_request("/wsd/echo") + data)
        frames = read_frames(bytearray(received.partition(b"\r\n\r\n")[2]))
        codes[name] = [int.from_bytes(payload[:2], "big") if opcode == 8 else opcode for opcode, payload in frames]
    assert codes == {name: [code] for name, (_, code) in FRAMES.items()}


def test_odd_request_ids(calm):
    peer = Peer(calm.port)
    for written, is_fine in [
            ("1e999", True), ("9" * 70, True), ("9" * 300, False), ("-0", True), ("01", False), ('""', True), ("true", False),
            ('{"a":1}', False), ("[1]", False), ('"é\\ud83d\\ude00\\u0000\\ud800"', True), ('"' + "y" * 5000 + '"', False)]:
        peer.socket.sendall(masked_text(('{"type":"leaveRoom","roomId":"a","requestId":%s}' % written).encode()))
        answer = peer.next()[1].decode()
        if is_fine:
            assert answer == '{"requestId":%s,"data":{"ok":true,"roomId":"a"}}' % written
        else:
            assert '"invalid_message"' in answer and "requestId" not in answer
    peer.close()


def test_what_was_sent_before_an_abrupt_end_is_delivered(calm):
    reader = Peer(calm.port)
    reader.join("end")

    def send(number, raw, end):
        if raw:
            sock = socket.create_connection(("127.0.0.1", calm.port))
            sock.sendall(upgrade_request())
        else:
            sock = Peer(calm.port).socket
        sock.sendall(masked_text(b'{"type":"sendToRoom","roomId":"end","data":%d}' % number))
        end(sock)
        sock.close()

    ends = [lambda sock: None, lambda sock: sock.shutdown(socket.SHUT_WR), lambda sock: sock.sendall(frame(0x88, 2, payload=b"\x03\xe8"))]
    for number in range(60):
        send(number, number % 2, ends[number % 3])
    assert sorted(int(reader.next()[1]) for _ in range(60)) == list(range(60))
    reader.close()


def test_5000_connects_and_drops_in_a_burst(calm):
    parts = [b"", upgrade_request(), b"GET /ws HT", upgrade_request() + masked_text(b'{"type":"joinRoom","roomId":"burst"}')]
    for number in range(5000):
        sock = socket.create_connection(("127.0.0.1", calm.port))
        sock.sendall(parts[number % 4])
        if number % 3:
            sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, RESET)
        sock.close()
    Peer(calm.port).close()


def test_members_that_vanish_in_the_middle_of_a_fan_out(calm):
    crowd = RawConnections(calm.port)
    crowd.start(300)
    crowd.finish(10)
    for sock in crowd.open:
        sock.setblocking(True)
        sock.sendall(masked_text(b'{"type":"joinRoom","roomId":"fan"}'))
    publisher = Peer(calm.port)
    flood = masked_text(b'{"type":"sendToRoom","roomId":"fan","data":"%s"}' % (b"x" * 500)) * 300
    publisher.socket.sendall(flood)
    for half in (crowd.open[::2], crowd.open[1::2]):
        for sock in half:
            sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, RESET)
            sock.close()
        publisher.socket.sendall(flood)
    answer, _ = publisher.request(type="sendToRoom", roomId="fan", data=1)
    assert "error" not in answer
    publisher.close()
    crowd.close()


def test_a_room_that_all_leave_at_once(calm):
    watcher = Peer(calm.port)
    watcher.join("mass")
    members = [Peer(calm.port) for _ in range(150)]
    for member in members:
        member.join("mass")
    for number, member in enumerate(members):
        if number % 3 == 0:
            member.send(type="leaveRoom", roomId="mass")
        elif number % 3 == 1:
            member.reset()
        else:
            member.close()
    ids = sorted(member.id for member in members)
    seen = [json.loads(watcher.next()[1]) for _ in range(300)]
    for kind in ("userJoined", "userLeft"):
        assert sorted(m["userId"] for m in seen if m["type"] == kind) == ids
    assert watcher.next(0.2) is None
    for peer in [watcher, *members]:
        peer.close()


@pytest.mark.parametrize("path, piece", [
    ("/wsd/echo", frame(0x89, 125, payload=b"p" * 125) * 400), ("/wsd/echo", masked_text(b"e" * 50000)),
    ("/ws", masked_text(b"{") * 8000)], ids=["pings", "echo", "errors"])
def test_who_sends_and_never_reads_is_held_back_then_closed(path, piece):
    with Wsd(workers=1, config="websocket:\n  pingInterval: 1s\n  pongTimeout: 1s\n") as service:
        memory = {pid: resident(pid) for pid in process_tree(service.pid)}
        with socket.create_connection(("127.0.0.1", service.port)) as sock:
            sock.sendall(upgrade_request(path))
            # Held back is who cannot send a byte for so long; a busy machine takes its time for a piece.
            sock.settimeout(1)
            sent, rest = 0, b""
            with contextlib.suppress(OSError):
                while sent < 60_000_000:
                    rest = rest or memoryview(piece)
                    count = sock.send(rest)
                    rest = rest[count:]
                    sent += count
            assert sent < 40_000_000, "it was not held back"
            assert all(resident(pid) - memory[pid] < 20 << 20 for pid in memory)
            wait_until(lambda: service.status()["totals"]["slowClientsClosed"] == 1, "closed and counted", 10)


def test_who_reads_late_gets_all_of_its_answers():
    pages, echoes = 200, 300
    with Wsd(workers=1, config="rooms:\n  rules:\n    - match: kept\n      historySize: 60\n") as service:
        with contextlib.closing(Peer(service.port)) as writer:
            for _ in range(60):
                writer.request(type="sendToRoom", roomId="kept", data="x" * 8000)
        request = upgrade_request().replace(b"\r\n\r\n", b"\r\nSec-WebSocket-Protocol: wsd.v1.json\r\n\r\n")
        questions = [json.dumps({"type": "history", "room": "kept", "requestId": n}).encode() for n in range(pages)]
        for head, payloads, answers in [(request, questions, pages + 1),
                                        (upgrade_request("/wsd/echo"), [b"e" * 50000] * echoes, echoes)]:
            with socket.create_connection(("127.0.0.1", service.port), timeout=20) as sock:
                sock.sendall(head)
                sender = threading.Thread(target=lambda: [sock.sendall(masked_text(p)) for p in payloads])
                sender.start()
                # Long enough for a server that goes on answering to have given it up.
                sender.join(1)
                received, frames = bytearray(), []
                while b"\r\n\r\n" not in received:
                    received += sock.recv(65536)
                received = received.partition(b"\r\n\r\n")[2]
                while len(frames) < answers:
                    data = sock.recv(1 << 18)
                    assert data, f"closed after {len(frames)} of {answers} answers"
                    received += data
                    frames += read_frames(received)
                sender.join()
                assert [opcode for opcode, _ in frames] == [1] * answers
        assert service.status()["totals"]["slowClientsClosed"] == 0


def test_20000_rooms_of_one_client_survive_the_hub():
    with Wsd(workers=2, config="rooms:\n  maxPerClient: 100000\n") as service:
        peer = Peer(service.port)
        for start in range(0, 20000, 100):
            peer.socket.sendall(b"".join(masked_text(b'{"type":"joinRoom","roomId":"room-%d","requestId":1}' % i)
                                         for i in range(start, start + 100)))
            assert all(b'"ok":true' in peer.next()[1] for _ in range(100))
        assert len(service.json_lines("rooms")) == 20000
        os.kill(service.hub_pid(), signal.SIGKILL)
        other = Peer(service.port)
        other.join("room-19999")
        other.send(type="sendToRoom", roomId="room-19999", data=1)
        assert [json.loads(peer.next()[1]) for _ in range(2)][1] == 1
        peer.reset()
        assert json.loads(other.next()[1])["type"] == "userLeft"
        wait_until(lambda: service.status()["totals"]["rooms"] == 1, "its rooms gone", 5)
        other.close()


def test_memory_is_flat(calm):
    """200,000 messages and 20,000 connections."""
    pids = [calm.pid, *process_tree(calm.pid)]

    def messages(count):
        sender, reader = Peer(calm.port), Peer(calm.port)
        reader.join("flat")
        batch = masked_text(b'{"type":"sendToRoom","roomId":"flat","data":"%s"}' % (b"m" * 40)) * 500
        for _ in range(count // 500):
            sender.socket.sendall(batch)
            for _ in range(500):
                assert reader.next()[0] == 1
        sender.close()
        reader.close()

    def cycles(count):
        for _ in range(count // 500):
            crowd = RawConnections(calm.port)
            crowd.start(500)
            crowd.finish(10)
            assert len(crowd.open) == 500
            crowd.close()

    messages(20000)
    cycles(4000)
    before = {pid: resident(pid) for pid in pids}
    messages(180_000)
    cycles(16000)
    grown = {pid: resident(pid) - before[pid] for pid in pids}
    assert all(size < 6 << 20 for size in grown.values()), grown


# -- operations and kills


def test_killed_successor_aborts_a_reload_and_nothing_else():
    with Wsd(workers=2, config=QUICK) as service, listened_to(service):
        count = len(process_tree(service.pid))
        aborted = 0
        for _ in range(20):
            old = set(process_tree(service.pid))
            reload = service.ctl_background("reload")
            for pid in wait_until(lambda: set(process_tree(service.pid)) - old, "a successor", 5, 0.0005):
                os.kill(pid, signal.SIGKILL)
            output, _ = reload.communicate(timeout=10)
            # On a busy machine it is READY before it is seen here: then it is a worker like another, and the reload goes on.
            if reload.returncode:
                assert reload.returncode == 1 and re.search(r"Aborted: worker \d", output), output
                aborted += 1
            wait_until(lambda: len(process_tree(service.pid)) == count and service.status()["health"] == "ok", "as before")
            if aborted == 5:
                break
        assert aborted == 5
        assert service.status()["health"] == "ok" and not zombies(service.pid)


def test_one_order_under_reload_and_hub_kill():
    with Wsd(workers=2, config=QUICK) as service, listened_to(service):
        readers = [Peer(service.port) for _ in range(4)]
        for reader in readers:
            reader.join("order")
        stop = threading.Event()
        seen = [[] for _ in readers]
        # Sent, but the answer was lost with the connection: such a one may come, and late, behind what its sender sent on the next.
        unsure = set()

        def publish(key):
            peer, number = Peer(service.port), 0
            while not stop.is_set():
                try:
                    peer.request(type="sendToRoom", roomId="order", data=[key, number])
                    number += 1
                except (AssertionError, OSError):
                    unsure.add((key, number))
                    number += 1
                    peer.close()
                    peer = Peer(service.port)
            peer.close()

        def read(index):
            while (got := readers[index].next(3)) and got[0] == 1:
                value = json.loads(got[1])
                if isinstance(value, list):
                    seen[index].append(tuple(value))
            seen[index].append(got and got[0])

        threads = [threading.Thread(target=publish, args=(key,)) for key in "ab"] + [
            threading.Thread(target=read, args=(index,)) for index in range(4)]
        for thread in threads:
            thread.start()
        wait_until(lambda: all(len(row) > 100 for row in seen), "messages")
        reload = service.ctl_background("reload")
        os.kill(service.hub_pid(), signal.SIGKILL)
        assert reload.wait(20) == 0, reload.stdout.read()
        reload.stdout.close()
        for thread in threads[2:]:
            thread.join()
        stop.set()
        for thread in threads[:2]:
            thread.join()
        assert [row.pop() for row in seen] == [8] * 4, "closed otherwise than by a close frame"
        for row in seen:
            for key in "ab":
                numbers = [number for sender, number in row if sender == key]
                assert len(numbers) == len(set(numbers)), "doubled"
                sure = [number for number in numbers if (key, number) not in unsure]
                assert sure == sorted(sure), "out of its sender's order"
        for reader in readers:
            reader.close()


def test_operations_at_once_and_scaling_to_and_fro():
    with Wsd(workers=2, config=QUICK) as service, listened_to(service):
        before = len(os.listdir(f"/proc/{service.pid}/fd"))
        for _ in range(100):
            os.kill(service.pid, signal.SIGHUP)
        commands = [service.ctl_background("scale", str(count)) for count in (5, 1, 4)] + [
            service.ctl_background("reload"), service.ctl_background("restart", "--now")]
        assert {command.wait(20) for command in commands} <= {0, 5}
        for command in commands:
            command.stdout.close()

        def scale(count):
            wait_until(lambda: service.ctl("scale", str(count), check=False).returncode == 0, f"scale {count}", 20)

        for count in (8, 0, 6, 1, 2):
            scale(count)
        wait_until(lambda: len(process_tree(service.pid)) == 3 and not zombies(service.pid), "hub and two workers")
        assert service.wait_healthy()
        wait_until(lambda: len(os.listdir(f"/proc/{service.pid}/fd")) <= before, f"at most {before} descriptors", 5)
        Peer(service.port).close()


@pytest.mark.parametrize("operation", [["reload"], ["scale", "8"], ["scale", "0"], ["restart", "--now"], ["restart"]], ids=" ".join)
def test_stop_in_the_middle_of(operation):
    with Wsd(workers=2, config=QUICK) as service:
        command = service.ctl_background(*operation)
        pids = set(process_tree(service.pid))
        wait_until(lambda: command.poll() is not None or set(process_tree(service.pid)) != pids, "its begin", 5, 0.001)
        service.signal(signal.SIGTERM)
        while service.process.poll() is None:
            pids |= set(process_tree(service.pid))
            time.sleep(0.002)
        assert service.process.returncode == 0
        assert command.wait(5) in (0, 1, 6)
        command.stdout.close()
        wait_until(lambda: not any(alive(pid) for pid in pids), "no orphan", 3)
        assert {path.name for path in service.directory.glob("control.sock*")} <= {"control.sock.lock"}


def test_a_service_manager_that_does_not_read_stops_nothing():
    """Its queue is bounded (net.unix.max_dgram_qlen, 10): the supervisor must not wait for it."""
    with Wsd(workers=1, config=QUICK) as service:
        with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM | socket.SOCK_NONBLOCK) as filler:
            with contextlib.suppress(BlockingIOError):
                while True:
                    filler.sendto(b"X=1", service.notifications.path)
            try:
                old = service.worker(1)["pid"]
                reload = service.ctl_background("reload")
                assert reload.wait(5) == 0
                reload.stdout.close()
                assert service.worker(1)["pid"] != old
            finally:
                service.notifications.drain()


def test_its_socket_directory_is_removed_and_the_hub_killed():
    """As those that clean /tmp do: rooms must come back."""
    with Wsd(workers=1, config=QUICK) as service:
        peer = Peer(service.port)
        peer.join("a")
        hub = service.hub_pid()
        shutil.rmtree(f"{service.control}.d")
        os.kill(hub, signal.SIGKILL)
        wait_until(lambda: service.status()["health"] == "ok" and service.hub_pid() not in (None, hub), "the hub back", 15)
        peer.join("b")
        peer.close()


# -- starting


def start(arguments, **options):
    return subprocess.Popen([str(BIN / "wsd"), "--config", "/dev/null", "--listen", "127.0.0.1:0", "--workers", "1", *arguments],
                            env={"PATH": os.environ["PATH"]}, **options)


def status(control):
    return subprocess.run([str(BIN / "wsctl"), "status", "--socket", str(control)], capture_output=True, text=True, timeout=10)


def stop(process):
    process.terminate()
    try:
        return process.wait(10)
    finally:
        if process.poll() is None:
            process.kill()
            process.wait()


@pytest.mark.parametrize("closed", [(0,), (2,), (0, 1, 2)], ids=str)
def test_closed_standard_descriptors(tmp_path, closed):
    """What opens next gets their numbers, and must not get the log."""
    control = tmp_path / "c.sock"
    process = start(["--socket", str(control), "--log-level", "debug"], stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL,
                    stderr=subprocess.DEVNULL, preexec_fn=lambda: [os.close(number) for number in closed])
    try:
        wait_until(lambda: status(control).returncode == 0, "ready")
        assert (tmp_path / "c.sock.lock").read_text() == f"{process.pid}\n"
    finally:
        assert stop(process) == 0


def test_full_standard_error_that_nobody_reads(tmp_path):
    read, write = os.pipe()
    os.set_blocking(write, False)
    with contextlib.suppress(BlockingIOError):
        while True:
            os.write(write, b"x" * 4096)
    os.set_blocking(write, True)
    control = tmp_path / "c.sock"
    process = start(["--socket", str(control), "--log-level", "trace"], stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL, stderr=write)
    try:
        wait_until(lambda: status(control).returncode == 0, "ready")
        begin = time.monotonic()
    finally:
        assert stop(process) == 0
        os.close(read)
        os.close(write)
    assert time.monotonic() - begin < 3


def test_few_descriptors_are_said_and_survived(tmp_path):
    control = tmp_path / "c.sock"
    process = start(["--socket", str(control)], stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL,
                    stderr=subprocess.DEVNULL, preexec_fn=lambda: resource.setrlimit(resource.RLIMIT_NOFILE, (18, 18)))
    try:
        wait_until(lambda: "Too many open files" in status(control).stdout, "the reason in the status")
        cpu = cpu_seconds(process.pid)
        time.sleep(0.5)
        assert cpu_seconds(process.pid) - cpu < 0.1
    finally:
        assert stop(process) == 0


def test_relative_socket_in_a_deleted_directory_is_refused(tmp_path):
    """Not put into the root directory."""
    name = f"{tmp_path.name}-{os.getpid()}.sock"
    gone = tmp_path / "gone"
    gone.mkdir()

    def leave():
        os.chdir(gone)
        os.rmdir(gone)

    process = start(["--socket", name], stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, preexec_fn=leave)
    try:
        wait_until(lambda: process.poll() is not None or os.path.exists(f"/{name}"), "an end")
        assert process.poll() not in (None, 0), "runs with its sockets in /"
    finally:
        stop(process)
        with contextlib.suppress(OSError):
            os.unlink(f"/{name}.lock")


@pytest.mark.parametrize("length", [97, 98, 107])
def test_a_socket_path_that_is_accepted_can_be_used(length):
    base = tempfile.mkdtemp(prefix="wsd-")
    directory = Path(base, "d" * (length - len(base) - 1 - len("/control.sock")))
    directory.mkdir()
    try:
        checked = subprocess.run([str(BIN / "wsd"), "--config", "/dev/null", "--socket", str(directory / "control.sock"), "--check-config"],
                                 capture_output=True, timeout=10)
        if checked.returncode != 78:
            with Wsd(workers=1, directory=directory, ready=False) as service:
                service.notifications.wait_for("READY=1", 2, abort=service.check_alive)
    finally:
        shutil.rmtree(base)


def test_start_over_what_a_killed_service_left(tmp_path):
    """Its stale control, hub and listening sockets; its children may still be leaving."""
    listen = ["--listen", f"unix:{tmp_path}/app.sock", "--listen", "[::1]:0"]
    children = []
    with contextlib.ExitStack() as services:
        for _ in range(3):
            (tmp_path / "notify.sock").unlink(missing_ok=True)
            service = services.enter_context(Wsd(workers=2, args=listen, directory=tmp_path, config=QUICK))
            with socket.socket(socket.AF_UNIX) as sock:
                sock.settimeout(5)
                sock.connect(f"{tmp_path}/app.sock")
                sock.sendall(upgrade_request() + masked_text(b'{"type":"joinRoom","roomId":"a","requestId":1}'))
                received = b""
                while b'"ok":true' not in received:
                    more = sock.recv(4096)
                    assert more, received
                    received += more
            assert len(service.status()["addresses"]) == 3
            children += process_tree(service.pid)
            service.process.kill()
            service.process.wait()
        wait_until(lambda: not any(alive(pid) for pid in children), "no orphan", 10)
