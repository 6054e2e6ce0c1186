"""Any process may be killed, stopped or starved at any moment and the rest goes on."""

import asyncio
import contextlib
import json
import os
import resource
import signal
import socket
import time

import pytest
import websockets

from harness import Client, Wsd, alive, connect_to_worker, cpu_seconds, process_tree, run, wait_until
from rawclient import RawConnections, masked_text, upgrade_request


def percentile(values, share):
    return sorted(values)[min(len(values) - 1, int(len(values) * share))]


class Echo:
    """Round trips on one echo connection."""

    def __init__(self, port):
        self.socket = socket.create_connection(("127.0.0.1", port), timeout=20)
        self.socket.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        self.socket.sendall(upgrade_request("/wsd/echo"))
        answer = b""
        while b"\r\n\r\n" not in answer:
            answer += self.socket.recv(4096)
        assert answer.startswith(b"HTTP/1.1 101"), answer
        self.frame = masked_text(b"x" * 64)

    def round_trip(self):
        start = time.monotonic()
        self.socket.sendall(self.frame)
        need = 66
        while need > 0:
            need -= len(self.socket.recv(need))
        return time.monotonic() - start

    def measure(self, seconds, pause=0.002):
        times = []
        end = time.monotonic() + seconds
        while time.monotonic() < end:
            times.append(self.round_trip())
            time.sleep(pause)
        return times


def test_killed_worker_comes_back(wsd):
    old = wsd.worker(1)["pid"]
    os.kill(old, signal.SIGKILL)
    new = wait_until(lambda: (w := wsd.worker(1))["state"] == "ready" and w["pid"] != old and w, "successor")
    assert new["restarts"] == 1 and "SIGKILL" in new["lastExit"]
    assert wsd.wait_healthy()


def test_killed_worker_with_100_members_is_told_once_each(wsd):
    async def scenario():
        watcher = await connect_to_worker(wsd, 1)
        await watcher.join("many")
        ids = set()
        members = []
        while len(members) < 100:
            client = await Client.connect(wsd.url())
            members.append(client)
        on_two = {entry["id"] for entry in wsd.json_lines("clients") if entry["worker"] == 2}
        victims = [client for client in members if client.id in on_two]
        while len(victims) < 100:
            client = await Client.connect(wsd.url())
            if wsd.worker_of(client.id) == 2:
                victims.append(client)
            else:
                members.append(client)
        victims = victims[:100]
        await asyncio.gather(*(client.join("many") for client in victims))
        joined = [await watcher.receive() for _ in range(100)]
        ids = {client.id for client in victims}
        assert {message["userId"] for message in joined} == ids
        os.kill(wsd.worker(2)["pid"], signal.SIGKILL)
        killed = time.monotonic()
        left = [await watcher.receive() for _ in range(100)]
        assert time.monotonic() - killed < 2
        assert all(message["type"] == "userLeft" for message in left)
        assert sorted(message["userId"] for message in left) == sorted(ids)
        with pytest.raises(asyncio.TimeoutError):
            await watcher.receive(timeout=0.5)

    run(scenario())


def test_killed_hub_costs_nobody_a_message(wsd):
    """No userLeft, and everything acknowledged arrives once and in order, though the hub is killed again and again."""
    async def scenario():
        sender, reader = await connect_to_worker(wsd, 1), await connect_to_worker(wsd, 2)
        await sender.join("hub")
        await reader.join("hub")
        acknowledged = []
        seen = []

        async def publish():
            for n in range(3000):
                answer, _ = await sender.request(type="sendToRoom", roomId="hub", data={"n": n}, timeout=20)
                if "error" not in answer:
                    acknowledged.append(n)

        async def read():
            while True:
                seen.append(await reader.receive(timeout=30))

        async def kill():
            for _ in range(4):
                await asyncio.sleep(0.15)
                pid = await asyncio.to_thread(lambda: wait_until(wsd.hub_pid, "a hub"))
                os.kill(pid, signal.SIGKILL)
                await asyncio.to_thread(lambda: wait_until(
                    lambda: (h := wsd.processes("hub")[0])["state"] == "ready" and h["pid"] != pid, "hub back"))

        reading = asyncio.ensure_future(read())
        await asyncio.gather(publish(), kill())
        await sender.request(type="sendToRoom", roomId="hub", data="end")
        for _ in range(500):
            if seen and seen[-1] == "end":
                break
            await asyncio.sleep(0.02)
        reading.cancel()
        assert seen[-1] == "end"
        assert not [m for m in seen if isinstance(m, dict) and m.get("type") in ("userLeft", "userJoined")]
        numbers = [m["n"] for m in seen if isinstance(m, dict)]
        assert numbers == sorted(set(numbers)), "doubled or out of order"
        assert not set(acknowledged) - set(numbers), "lost"
        assert len(acknowledged) > 2900

    run(scenario())


def test_while_the_hub_is_away_requests_get_a_temporary_error():
    with Wsd(workers=1, config="hub:\n  requestTimeout: 1s\nworkers:\n  heartbeatTimeout: 30s\n") as service:
        async def scenario():
            client = await Client.connect(service.url())
            await client.join("a")
            os.kill(service.hub_pid(), signal.SIGSTOP)
            try:
                start = time.monotonic()
                answer, _ = await client.request(type="sendToRoom", roomId="a", data=1)
                assert "Temporarily unavailable" in json.dumps(answer), answer
                assert 0.5 < time.monotonic() - start < 3
            finally:
                os.kill(service.hub_pid(), signal.SIGCONT)
            answer, _ = await client.request(type="sendToRoom", roomId="a", data=2)
            assert "error" not in answer

        run(scenario())


def test_silent_worker_is_replaced():
    with Wsd(workers=2, config="workers:\n  heartbeatTimeout: 2s\n") as service:
        victim = service.worker(1)["pid"]
        os.kill(victim, signal.SIGSTOP)
        wait_until(lambda: not alive(victim), "the silent worker killed", 10)
        assert service.wait_healthy()["totals"]["restarts"] >= 1


def test_supervisor_stopped_under_a_log_flood():
    """Ten seconds without a supervisor while workers log: echo stays as fast, and nobody is killed when it wakes."""
    with Wsd(workers=2, args=["--log-level", "debug"]) as service:
        echo = Echo(service.port)
        workers = [w["pid"] for w in service.processes()]
        port = service.port

        def flood(seconds):
            """Connects and is refused all the time, which a debug log tells; returns echo times meanwhile."""
            times = []
            end = time.monotonic() + seconds
            while time.monotonic() < end:
                burst = RawConnections(port, "/nowhere")
                burst.start(20)
                burst.finish(5)
                burst.close()
                times += [echo.round_trip() for _ in range(5)]
            return times

        before = flood(4)
        os.kill(service.pid, signal.SIGSTOP)
        try:
            during = flood(10)
        finally:
            os.kill(service.pid, signal.SIGCONT)
        assert percentile(during, 0.99) < max(3 * percentile(before, 0.99), 0.02)
        service.wait_healthy()
        time.sleep(2)  # longer than the supervisor needs to make a wrong decision
        assert [w["pid"] for w in service.processes()] == workers
        assert service.status()["totals"]["restarts"] == 0


def test_stopped_worker_slows_nobody_and_hub_memory_is_bounded(wsd):
    async def members():
        reader = await connect_to_worker(wsd, 1)
        stuck = await connect_to_worker(wsd, 2)
        publisher = await connect_to_worker(wsd, 1)
        for client in (reader, stuck, publisher):
            await client.join("stop")
        return reader, stuck, publisher

    def rss(pid):
        with open(f"/proc/{pid}/statm") as statm:
            return int(statm.read().split()[1]) * resource.getpagesize()

    async def delays(reader, publisher, seconds):
        times = []
        end = time.monotonic() + seconds
        pad = "p" * 2000
        while time.monotonic() < end:
            start = time.monotonic()
            await publisher.send(type="sendToRoom", roomId="stop", data={"t": start, "pad": pad})
            while True:
                message = await reader.receive()
                if isinstance(message, dict) and message.get("t") == start:
                    break
            times.append(time.monotonic() - start)
        return times

    async def scenario():
        reader, stuck, publisher = await members()
        before = await delays(reader, publisher, 2)
        pid, hub = wsd.worker(2)["pid"], wsd.hub_pid()
        memory = rss(hub)
        os.kill(pid, signal.SIGSTOP)
        try:
            during = await delays(reader, publisher, 4)
        finally:
            os.kill(pid, signal.SIGCONT)
        assert percentile(during, 0.99) < max(3 * percentile(before, 0.99), 0.02)
        assert rss(hub) - memory < 80 * 1024 * 1024
        assert wsd.worker(2)["pid"] == pid, "four seconds are no reason to kill"

    run(scenario())


def test_failed_slot_and_stopped_worker_refuse_nobody():
    """One slot given up, one worker stopped: 1,000 connects are all upgraded within a second."""
    config = "restart:\n  maxUnstable: 1\n  initialDelay: 10ms\nworkers:\n  heartbeatTimeout: 60s\n"
    with Wsd(workers=4, config=config) as service:
        def failed():
            worker = service.worker(1)
            if worker["state"] == "failed":
                return True
            if worker.get("pid"):
                with contextlib.suppress(ProcessLookupError):
                    os.kill(worker["pid"], signal.SIGKILL)
            return False

        wait_until(failed, "slot 1 failed", 20)
        status = service.ctl("status", check=False)
        assert status.returncode != 0 and "failed" in status.stdout
        stopped = service.worker(2)["pid"]
        os.kill(stopped, signal.SIGSTOP)
        try:
            connections = RawConnections(service.port)
            connections.start(1000)
            took = connections.finish(10)
            # What the stopped worker had already taken from the backlog is the only thing that may wait for it.
            assert not connections.errors and len(connections.open) == 1000, (len(connections.open), connections.errors[:3])
            assert took < 1.0, took
            connections.close()
        finally:
            os.kill(stopped, signal.SIGCONT)
        service.ctl("restart")
        assert service.wait_healthy()["health"] == "ok"


def test_all_slots_failed_ends_the_service():
    config = "restart:\n  maxUnstable: 1\n  initialDelay: 10ms\n"
    with Wsd(workers=1, config=config) as service:
        def kill():
            for pid in process_tree(service.pid):
                with contextlib.suppress(OSError):
                    if b"worker" in open(f"/proc/{pid}/cmdline", "rb").read():
                        os.kill(pid, signal.SIGKILL)
            return service.process.poll() is not None

        wait_until(kill, "the service to give up", 20, step=0.05)
        assert service.process.returncode not in (0, -9)


def test_descriptor_limit_pauses_accepting():
    """40 descriptors and 60 connects: no spin, and the queued are served once descriptors are free."""
    def limit():
        resource.setrlimit(resource.RLIMIT_NOFILE, (40, 40))

    with Wsd(workers=1, preexec=limit) as service:
        pid = service.worker(1)["pid"]
        connections = RawConnections(service.port)
        connections.start(60)
        connections.finish(1.5)
        served = len(connections.open)
        assert 10 < served < 60 and not connections.errors, (served, connections.errors)
        cpu, start = cpu_seconds(pid), time.monotonic()
        time.sleep(2)
        assert (cpu_seconds(pid) - cpu) / (time.monotonic() - start) < 0.10
        while connections.pending and not connections.errors:
            assert connections.open, "nobody was served although descriptors are free"
            for sock in connections.open:
                sock.close()
                connections.received.pop(sock)
            connections.open = []
            connections.finish(3)
        assert connections.pending == 0 and not connections.errors
        connections.close()
        assert service.worker(1)["pid"] == pid
        assert "descriptor" in service.ctl("logs", "-n", "500").stdout.lower()


def test_slow_client_is_closed_and_counted():
    with Wsd(workers=1, config="websocket:\n  outboundQueue: 64KiB\n") as service:
        async def scenario():
            slow = socket.socket()
            slow.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
            slow.connect(("127.0.0.1", service.port))
            slow.sendall(upgrade_request() + masked_text(b'{"type":"joinRoom","roomId":"flood"}'))
            publisher = await Client.connect(service.url())
            await publisher.join("flood")

            def closed():
                return service.status()["totals"]["slowClientsClosed"] == 1

            for _ in range(400):
                for _ in range(10):
                    await publisher.send(type="sendToRoom", roomId="flood", data="z" * 30000)
                if await asyncio.to_thread(closed):
                    break
            assert closed()
            slow.close()
            answer, _ = await publisher.request(type="joinRoom", roomId="after")
            assert "error" not in answer

        run(scenario())


def test_garbage_crashes_nothing(wsd):
    """Random bytes as handshakes and as frames; the same processes serve on."""
    import random
    generator = random.Random(20240607)
    pids = [p.get("pid") for p in wsd.status()["processes"]]
    for round_number in range(150):
        with socket.create_connection(("127.0.0.1", wsd.port), timeout=5) as connection, contextlib.suppress(OSError):
            if round_number % 2:
                connection.sendall(upgrade_request("/wsd/echo" if round_number % 4 == 1 else "/ws"))
                connection.recv(4096)
            connection.sendall(generator.randbytes(generator.randint(1, 3000)))
            connection.shutdown(socket.SHUT_WR)
            while connection.recv(65536):
                pass

    async def scenario():
        client = await Client.connect(wsd.url())
        await client.join("alive")

    run(scenario())
    assert [p.get("pid") for p in wsd.status()["processes"]] == pids


def test_worker_under_way_is_refused_nothing(wsd):
    """Workers are killed one after the other while connections keep coming: nobody sees a refused connection."""
    async def scenario():
        refused = []
        stop = asyncio.Event()

        async def connect():
            while not stop.is_set():
                try:
                    async with websockets.connect(wsd.url(), compression=None, ping_interval=None):
                        pass
                except ConnectionRefusedError as error:
                    refused.append(error)
                except Exception:
                    pass  # a connection that its killed worker had already taken

        loops = [asyncio.ensure_future(connect()) for _ in range(5)]
        for number in (1, 2, 1, 2):
            old = (await asyncio.to_thread(wsd.worker, number))["pid"]
            os.kill(old, signal.SIGKILL)
            await asyncio.to_thread(lambda: wait_until(
                lambda: (w := wsd.worker(number))["state"] == "ready" and w["pid"] != old, "successor"))
        stop.set()
        await asyncio.gather(*loops)
        assert not refused

    run(scenario())
