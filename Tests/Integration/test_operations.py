"""Reload, restart, scale: what an operator does while clients are connected."""

import asyncio
import os
import signal
import time
from pathlib import Path

import pytest

from harness import Client, Wsd, run, wait_until
from rawclient import RawConnections, close_codes

QUICK = "reload:\n  drainSpread: 1s\n  drainTimeout: 5s\n"


@pytest.mark.parametrize("how", ["wsctl reload", "SIGHUP", "wsctl restart"])
def test_rolling_reload_under_1000_connections(how):
    """None refused, none cut otherwise than by the paced close."""
    with Wsd(workers=2, config=QUICK) as service:
        connections = RawConnections(service.port)
        connections.start(1000)
        connections.finish(20)
        assert len(connections.open) == 1000 and not connections.errors
        old = {w["pid"] for w in service.processes()}
        if how == "SIGHUP":
            service.signal(signal.SIGHUP)
        else:
            command = service.ctl_background(how.split()[1])
        fresh = RawConnections(service.port)
        while not {w["pid"] for w in service.processes() if w["state"] == "ready"}.isdisjoint(old) \
                or len(service.processes()) > 2:
            fresh.start(20)
            fresh.finish(10)
            codes = None
        assert not fresh.errors, fresh.errors[:3]
        codes = close_codes(connections.open, 20)
        assert set(codes) == {1012}, set(codes)
        if how != "SIGHUP":
            output, _ = command.communicate(timeout=30)
            assert command.returncode == 0, output
            assert "worker 1" in output and "worker 2" in output
        assert service.wait_healthy()["totals"]["restarts"] == 0
        # those that came during the reload: served to the end or closed by the pace of the second slot
        for sock in fresh.open:
            sock.setblocking(False)
        connections.close()
        fresh.close()


def stop_newborn(service, before):
    """Stops the next child of the supervisor before it can become ready."""
    deadline = time.monotonic() + 10
    while time.monotonic() < deadline:
        born = {int(pid) for task in Path(f"/proc/{service.pid}/task").iterdir()
                for pid in (task / "children").read_text().split()} - before
        for pid in born:
            # Not before its exec: until then a spawned child borrows its parent's memory and the parent waits.
            if b"worker" in Path(f"/proc/{pid}/cmdline").read_bytes().split(b"\0"):
                os.kill(pid, signal.SIGSTOP)
                return pid
    raise AssertionError("no child was born")


def test_reload_aborts_when_the_new_worker_never_becomes_ready():
    with Wsd(workers=2, config=QUICK + "workers:\n  readyTimeout: 2s\n") as service:
        before = {int(pid) for task in Path(f"/proc/{service.pid}/task").iterdir()
                  for pid in (task / "children").read_text().split()}
        old = [w["pid"] for w in service.processes()]

        async def page():
            return await Client.connect(service.url())

        command = service.ctl_background("reload")
        stop_newborn(service, before)
        output, _ = command.communicate(timeout=30)
        assert command.returncode != 0 and "ready" in output.lower(), output
        assert [w["pid"] for w in service.processes()] == old
        assert service.status()["health"] == "ok"
        run(page())


def test_bad_configuration_on_reload_changes_nothing():
    with Wsd(workers=1, config=QUICK) as service:
        old = service.worker(1)["pid"]
        service.config_file.write_text(QUICK + "rooms:\n  anounceMax: 1\n")
        result = service.ctl("reload", check=False)
        assert result.returncode != 0
        assert "rooms.announceMax" in result.stdout + result.stderr and "wsd.yaml:5" in result.stdout + result.stderr
        assert service.worker(1)["pid"] == old and service.status()["health"] == "ok"
        entries = {e["key"]: e["value"] for e in service.json_lines("config")}
        assert entries["rooms.announceMax"] == "200"


def test_reload_takes_new_values_and_names_what_it_cannot_change():
    with Wsd(workers=1, config=QUICK + "control:\n  readOnlyOthers: false\n", listen="127.0.0.1:0") as service:
        service.config_file.write_text(QUICK + "control:\n  readOnlyOthers: true\nwebsocket:\n  maxMessageSize: 1000\n")
        result = service.ctl("reload")
        assert "control.readOnlyOthers" in result.stdout + result.stderr

        async def scenario():
            client = await Client.connect(service.url())
            await client.socket.send("x" * 1001)
            assert (await client.closed())[0] == 1009

        run(scenario())


def test_scale_down_under_a_connect_loop_resets_nobody():
    with Wsd(workers=4, config=QUICK) as service:
        command = service.ctl_background("scale", "1")
        connections = RawConnections(service.port)
        while command.poll() is None:
            connections.start(10)
            connections.finish(10)
        assert command.returncode == 0, command.stdout.read()
        assert not connections.errors, connections.errors[:5]
        assert [w["worker"] for w in service.processes()] == [1]
        # Whoever was on a worker that left saw the paced close and nothing else.
        gone = [code for code in close_codes(connections.open, 1.5) if code != "still open"]
        assert set(gone) <= {1012}, set(gone)
        connections.close()


def test_scale_up_and_to_nothing():
    with Wsd(workers=1, config=QUICK) as service:
        service.ctl("scale", "3")
        assert [w["state"] for w in service.processes()] == ["ready"] * 3
        service.ctl("scale", "0")
        assert service.processes() == []
        service.ctl("scale", "1")
        assert service.wait_healthy()


def test_one_operation_at_a_time():
    with Wsd(workers=1, config="workers:\n  readyTimeout: 5s\n" + QUICK) as service:
        before = {int(pid) for task in Path(f"/proc/{service.pid}/task").iterdir()
                  for pid in (task / "children").read_text().split()}
        first = service.ctl_background("reload")
        newborn = stop_newborn(service, before)
        second = service.ctl("scale", "3", check=False)
        assert second.returncode != 0 and "reload" in second.stderr + second.stdout
        assert service.http("POST", "/v1/restart")[0] == 409
        os.kill(newborn, signal.SIGCONT)
        output, _ = first.communicate(timeout=30)
        assert first.returncode == 0, output


def test_restart_of_one_worker_and_now(wsd):
    pids = [w["pid"] for w in wsd.processes()]
    wsd.ctl("restart", "worker:2", timeout=60)
    wait_until(lambda: len(wsd.processes()) == 2, "drained", 40)
    after = [w["pid"] for w in wsd.processes()]
    assert after[0] == pids[0] and after[1] != pids[1]
    wsd.ctl("restart", "--now")
    wsd.wait_healthy()
    assert not set(after) & {w["pid"] for w in wsd.processes()}


def test_memory_limit_recycles_gracefully():
    with Wsd(workers=1, config=QUICK + "workers:\n  maxMemory: 16MiB\n") as service:
        # Any worker is above 16 MiB: each is replaced by a ready successor, nobody is refused meanwhile.
        first = service.worker(1)["pid"]
        connections = RawConnections(service.port)
        end = time.monotonic() + 15
        while time.monotonic() < end and service.worker(1)["pid"] == first:
            connections.start(5)
            connections.finish(5)
        assert service.worker(1)["pid"] != first
        assert not connections.errors
        connections.close()
        assert "memory" in service.ctl("logs", "-n", "200").stdout.lower()


def test_clients_are_closed_at_a_pace():
    with Wsd(workers=1, config="reload:\n  drainSpread: 3s\n  drainTimeout: 10s\n") as service:
        async def scenario():
            pages = [await Client.connect(service.url()) for _ in range(60)]
            command = service.ctl_background("reload")

            async def end(page):
                code = await page.closed()
                return time.monotonic(), code[0]

            ends = await asyncio.gather(*(end(page) for page in pages))
            times = sorted(moment for moment, _ in ends)
            assert {code for _, code in ends} == {1012}
            assert 1.5 < times[-1] - times[0] < 6
            thirds = [sum(1 for t in times if k <= (t - times[0]) / (times[-1] - times[0]) * 3 < k + 1) for k in range(3)]
            assert min(thirds) >= 5, thirds
            await asyncio.to_thread(command.communicate, None, 30)

        run(scenario())
