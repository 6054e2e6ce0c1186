"""A client that comes back inside the kept window gets every message once and in order, whoever was killed meanwhile."""

import asyncio
import contextlib
import json
import os
import random
import signal
import subprocess
import tempfile

import pytest
import websockets

from harness import Wsd, process_tree, run, wait_until
from v1client import Refused, V1Client

CONFIG = """
restart:
  initialDelay: 10ms
  maxDelay: 200ms
  stableAfter: 0
rooms:
  rules:
    - match: "kept*"
      historySize: 20000
      historyTTL: 1h
    - match: "short*"
      historySize: 10
limits:
  messageRate: off
"""


async def publish_surely(url, room, values, client=None):
    """Publishes each value until it is acknowledged, as a library does: with its message id, over new connections."""
    for value in values:
        while True:
            try:
                if client is None:
                    client = await V1Client.connect(url, open_timeout=5)
                await client.request("publish", room=room, data=value, messageId=f"{room}-{value}", timeout=6)
                break
            except Refused as refused:
                assert refused.error["temporary"], refused
                await asyncio.sleep(0.02)
            except (OSError, asyncio.TimeoutError, asyncio.CancelledError, websockets.WebSocketException):
                client = None
                await asyncio.sleep(0.02)
    return client


async def resumed(url, room, epoch, offset):
    while True:
        try:
            client = await V1Client.connect(url, open_timeout=5)
            reply, mark = await client.request_marked("join", room=room, since={"epoch": epoch, "offset": offset}, timeout=6)
            return client, reply, mark
        except Refused as refused:
            assert refused.error["temporary"], refused
        except (OSError, asyncio.TimeoutError, asyncio.CancelledError, websockets.WebSocketException):
            pass
        await asyncio.sleep(0.02)


def test_what_was_missed_follows_the_reply_in_order():
    async def scenario(wsd):
        reader = await V1Client.connect(wsd.url())
        start = await reader.request("join", room="kept")
        writer = await publish_surely(wsd.url(), "kept", range(5))
        assert await reader.messages("kept", 5) == list(range(5))
        last = reader.of("message")[-1]
        reader.abort()
        await publish_surely(wsd.url(), "kept", range(5, 2500), writer)
        back, reply, mark = await resumed(wsd.url(), "kept", last["epoch"], last["offset"])
        assert reply["recovered"] is True and reply["epoch"] == start["epoch"]
        assert not [e for e in back.events[:mark] if e["type"] == "message"]
        assert await back.messages("kept", 2495) == list(range(5, 2500))
        assert [e["offset"] for e in back.of("message")] == list(range(6, 2501))
        assert back.frames < 200, "the missed ones come many to a frame"

    with Wsd(workers=2, config=CONFIG) as wsd:
        run(scenario(wsd))


def test_too_old_is_said_with_the_reason():
    async def scenario(wsd):
        writer = await publish_surely(wsd.url(), "short", range(30))
        page = await writer.request("history", room="short", limit=1)
        epoch = page["epoch"]
        for since, reason in [
            ({"epoch": epoch, "offset": 5}, "expired"),
            ({"epoch": "zzzz", "offset": 5}, "epoch_changed"),
            ({"epoch": epoch, "offset": 31}, "ahead"),
        ]:
            client = await V1Client.connect(wsd.url())
            reply = await client.request("join", room="short", since=since)
            assert reply["recovered"] is False and reply["reason"] == reason and reply["offset"] == 30
            await client.close()
        client = await V1Client.connect(wsd.url())
        reply = await client.request("join", room="short", since={"epoch": epoch, "offset": 20})
        assert reply["recovered"] is True
        assert await client.messages("short", 10) == list(range(20, 30))
        reply = await client.request("join", room="nothing", since={"epoch": epoch, "offset": 20})
        assert reply["recovered"] is False and reply["reason"] == "no_history"

    with Wsd(workers=1, config=CONFIG) as wsd:
        run(scenario(wsd))


@pytest.mark.timeout(180)
def test_joins_while_a_thousand_messages_a_second_arrive():
    async def scenario(wsd):
        seed = await V1Client.connect(wsd.url())
        start = await seed.request("join", room="kept-fast")
        total = 5000

        async def publisher():
            writer = await V1Client.connect(wsd.url())
            for n in range(0, total, 10):
                await writer.send(*({"type": "publish", "room": "kept-fast", "data": n + i} for i in range(10)))
                await asyncio.sleep(0.008)
            return writer

        async def comer_and_goer(number):
            offset, seen = 0, []
            while len(seen) < total:
                client, reply, _ = await resumed(wsd.url(), "kept-fast", start["epoch"], offset)
                assert reply["recovered"] is True, reply
                with contextlib.suppress(asyncio.TimeoutError):
                    want = total - len(seen)
                    await client.event("message", 0.3 + 0.05 * number, want)
                events = client.of("message")
                client.abort()
                for event in events:
                    assert event["offset"] == offset + 1, (number, offset, event["offset"])
                    offset = event["offset"]
                    seen.append(event["data"])
            return seen

        results = await asyncio.gather(publisher(), *(comer_and_goer(n) for n in range(5)))
        for seen in results[1:]:
            assert seen == list(range(total))

    with Wsd(workers=2, config=CONFIG) as wsd:
        run(scenario(wsd), 150)


@pytest.mark.timeout(300)
@pytest.mark.parametrize("victim", ["hub", "worker"])
def test_nothing_is_lost_or_doubled_over_kills(victim):
    async def scenario(wsd):
        reader = await V1Client.connect(wsd.url())
        start = await reader.request("join", room="kept-k")
        count, kills = 400, 12
        position, seen = 0, []
        stop = asyncio.Event()

        async def read():
            nonlocal reader, position
            while True:
                with contextlib.suppress(asyncio.TimeoutError):
                    await reader.event("message", 0.2, len(reader.of("message")) + 1)
                for event in reader.events:
                    if event["type"] == "message":
                        assert event["offset"] == position + 1, (position, event)
                        position = event["offset"]
                        seen.append(event["data"])
                reader.events.clear()
                if stop.is_set() and len(seen) >= count:
                    return
                if reader.reader.done():
                    reader, reply, _ = await resumed(wsd.url(), "kept-k", start["epoch"], position)
                    assert reply["recovered"] is True, reply

        async def kill():
            for _ in range(kills):
                await asyncio.sleep(0.25)
                pids = [wsd.hub_pid()] if victim == "hub" else [p.get("pid") for p in wsd.processes()]
                for pid in pids[:1]:
                    if pid:
                        with contextlib.suppress(ProcessLookupError):
                            os.kill(pid, signal.SIGKILL)

        async def write():
            await publish_surely(wsd.url(), "kept-k", range(count))
            stop.set()

        killer = asyncio.create_task(kill())
        await asyncio.gather(write(), read())
        await killer
        assert seen == list(range(count))

    with Wsd(workers=2, config=CONFIG) as wsd:
        run(scenario(wsd), 250)


@pytest.mark.timeout(600)
def test_hub_killed_two_hundred_times_right_after_a_delivery():
    async def scenario(wsd):
        reader, writer = await V1Client.connect(wsd.url()), await V1Client.connect(wsd.url())
        start = await reader.request("join", room="kept-200")
        for n in range(200):
            number = n + 1
            await writer.send({"type": "publish", "room": "kept-200", "data": n, "messageId": f"m{n}"})
            event = await reader.event("message", 20, number, room="kept-200")
            os.kill(wait_until(wsd.hub_pid, "a hub"), signal.SIGKILL)
            assert event["data"] == n and event["offset"] == number and event["epoch"] == start["epoch"]
        late = await V1Client.connect(wsd.url())
        reply = await late.request("join", room="kept-200", since={"epoch": start["epoch"], "offset": 0})
        assert reply["recovered"] is True
        assert await late.messages("kept-200", 200) == list(range(200))
        # A repetition of an early one is still recognised.
        assert (await writer.request("publish", room="kept-200", data="again", messageId="m3"))["duplicate"] is True
        assert len(reader.of("message")) == 200 and not reader.of("gap")
        assert reader.reader.done() is False, "nobody was closed"

    with Wsd(workers=2, config=CONFIG) as wsd:
        run(scenario(wsd), 500)


def test_history_survives_a_reload_and_a_restart_of_the_whole_service():
    directory = tempfile.mkdtemp(prefix="wsd-test-")
    try:
        async def first(wsd):
            writer = await publish_surely(wsd.url(), "kept-s", range(10))
            epoch = (await writer.request("history", room="kept-s"))["epoch"]
            wsd.ctl("reload", "--wait", check=False)
            await publish_surely(wsd.url(), "kept-s", range(10, 20))
            return epoch

        async def second(wsd, epoch):
            client, reply, _ = await resumed(wsd.url(), "kept-s", epoch, 3)
            assert reply["recovered"] is True and reply["offset"] == 20
            assert await client.messages("kept-s", 17) == list(range(3, 20))
            reply = await client.request("publish", room="kept-s", data="x", messageId="kept-s-19")
            assert reply["duplicate"] is True and reply["offset"] == 20
            assert (await client.request("publish", room="kept-s", data="y"))["offset"] == 21

        with Wsd(workers=2, config=CONFIG + "reload:\n  drainSpread: 0\n", directory=directory) as wsd:
            epoch = run(first(wsd))
        with Wsd(workers=1, config=CONFIG, directory=directory) as wsd:
            run(second(wsd, epoch))
    finally:
        subprocess.run(["rm", "-rf", directory], check=False)


@pytest.mark.skipif(os.geteuid() != 0, reason="mounting a small file system needs root")
def test_a_full_disk_refuses_and_never_delivers_unrecorded():
    directory = tempfile.mkdtemp(prefix="wsd-test-")
    state = os.path.join(directory, "small")
    os.mkdir(state)
    mounted = subprocess.run(["mount", "-t", "tmpfs", "-o", "size=1m", "tmpfs", state], capture_output=True)
    if mounted.returncode:
        os.rmdir(state)
        os.rmdir(directory)
        pytest.skip("mounting is not allowed here")

    async def scenario(wsd):
        reader, writer = await V1Client.connect(wsd.url()), await V1Client.connect(wsd.url())
        start = await reader.request("join", room="kept-d")
        await reader.request("join", room="open")
        stored, refused = 0, None
        for n in range(200):
            try:
                await writer.request("publish", room="kept-d", data=[n, "x" * 20000])
                stored += 1
            except Refused as error:
                refused = error
                break
        assert refused is not None and refused.code == "storage_failed" and refused.error["temporary"], stored
        assert stored > 3
        await writer.request("publish", room="open", data="rooms without history go on")
        await reader.messages("open", 1)
        assert [d[0] for d in await reader.messages("kept-d", stored)] == list(range(stored))
        assert len(reader.of("message", room="kept-d")) == stored
        wait_until(lambda: "history" in wsd.output().lower(), "a word in the log")
        # Space again: it goes on where it was.
        subprocess.run(["mount", "-o", "remount,size=16m", state], check=True)
        reply = await writer.request("publish", room="kept-d", data="after")
        assert reply["offset"] == stored + 1 and reply["epoch"] == start["epoch"]
        assert (await reader.event("message", 10, stored + 1, room="kept-d"))["data"] == "after"

    try:
        with Wsd(workers=1, config=CONFIG + f"history:\n  directory: {state}\n", directory=directory) as wsd:
            run(scenario(wsd))
    finally:
        subprocess.run(["umount", "-l", state], check=False)
        subprocess.run(["rm", "-rf", directory], check=False)


def overwrite(path, start, end):
    """Fills a part of a file, given in shares of its size, with noise."""
    size = os.path.getsize(path)
    first, last = int(size * start), int(size * end)
    with open(path, "r+b") as file:
        file.seek(first)
        file.write(random.Random(7).randbytes(last - first))


def one_message_for_each_position(client, seen):
    for event in client.of("message"):
        assert seen.setdefault((event["epoch"], event["offset"]), event["data"]) == event["data"], event


@pytest.mark.timeout(180)
@pytest.mark.parametrize("files, is_killed", [
    # Found when a page is read, and when the next hub opens it.
    (["history.sqlite", "history.sqlite-wal"], False), (["history.sqlite-wal"], True),
    (["history.sqlite", "history.sqlite-wal"], True),
])
def test_a_damaged_database_is_put_aside_and_the_service_goes_on(files, is_killed):
    rooms = [f"kept-{n}" for n in range(20)]
    seen = {}

    async def publish(writer, room, data):
        """Whether it was recorded."""
        try:
            await writer.request("publish", room=room, data=data, timeout=10)
            return True
        except Refused as refused:
            assert refused.code in ("storage_failed", "unavailable") and refused.error["temporary"], refused
            return False

    async def scenario(wsd):
        state = wsd.directory / "state"
        reader, writer = await V1Client.connect(wsd.url()), await V1Client.connect(wsd.url())
        start = await reader.request("join", room="kept-read")
        for n in range(60):
            # More than the hub's page cache, in the file and in the log.
            for half in rooms[:10], rooms[10:]:
                await writer.send(*({"type": "publish", "room": room, "data": [n, "x" * 5000]} for room in half))
        for n in range(20):
            assert await publish(writer, "kept-read", [n])
        await reader.messages("kept-read", 20)
        wait_until(lambda: os.path.getsize(state / "history.sqlite") > 1_000_000, "a checkpoint")
        first = wsd.hub_pid()
        if is_killed:
            os.kill(first, signal.SIGSTOP)
        for name in files:
            overwrite(state / name, 0.3 if name == "history.sqlite" else 0, 0.7)
        if is_killed:
            os.kill(first, signal.SIGKILL)
        deadline = asyncio.get_running_loop().time() + 60
        while not (state / "history.sqlite.broken-1").exists():
            assert asyncio.get_running_loop().time() < deadline, "the damage was not found"
            for room in rooms:
                await publish(writer, room, ["on"])
            await asyncio.sleep(0.02)
        second = wait_until(lambda: (pid := wsd.hub_pid()) and pid != first and pid, "another hub")
        while not await publish(writer, "kept-read", ["anew"]):
            await asyncio.sleep(0.02)
        last = await reader.event("message", 20, 21, room="kept-read")
        assert last["data"] == ["anew"] and last["epoch"] != start["epoch"] and last["offset"] == 1
        one_message_for_each_position(reader, seen)
        late, reply, _ = await resumed(wsd.url(), "kept-read", start["epoch"], 5)
        assert reply["recovered"] is False and reply["reason"] == "epoch_changed"
        # From here on all is as ever, also over the next kill.
        for room in rooms:
            assert await publish(writer, room, ["after"])
        assert wsd.hub_pid() == second and not (state / "history.sqlite.broken-2").exists()
        os.kill(second, signal.SIGKILL)
        while not await publish(writer, "kept-read", ["still"]):
            await asyncio.sleep(0.02)
        assert (await late.event("message", 20, 1, room="kept-read"))["offset"] == 2
        assert reader.reader.done() is False and writer.reader.done() is False, "nobody was closed"
        assert "put aside" in wsd.output() and "Histories are stored again" not in wsd.output()

    with Wsd(workers=2, config=CONFIG) as wsd:
        run(scenario(wsd), 170)


def test_a_log_that_lost_its_end_means_a_new_epoch():
    """What workers have delivered and the file no longer has must not come again under the same offset."""
    async def scenario(wsd):
        log = wsd.directory / "state" / "history.sqlite-wal"
        reader, writer = await V1Client.connect(wsd.url()), await V1Client.connect(wsd.url())
        start = await reader.request("join", room="kept")
        for n in range(10):
            await writer.request("publish", room="kept", data=n)
        size = os.path.getsize(log)
        for n in range(10, 20):
            await writer.request("publish", room="kept", data=n)
        await reader.messages("kept", 20)
        hub = wsd.hub_pid()
        os.kill(hub, signal.SIGSTOP)
        os.truncate(log, size)
        os.kill(hub, signal.SIGKILL)
        await publish_surely(wsd.url(), "kept", ["new"], writer)
        event = await reader.event("message", 20, 21, room="kept")
        assert event["data"] == "new" and event["offset"] == 1 and event["epoch"] != start["epoch"]
        assert len(reader.of("gap", room="kept")) == 1
        one_message_for_each_position(reader, {})

    with Wsd(workers=1, config=CONFIG) as wsd:
        run(scenario(wsd))


@pytest.mark.parametrize("first, second", [(0, 12), (12, 0)])
def test_of_two_joins_at_once_the_latest_counts(first, second):
    async def scenario(wsd):
        writer = await publish_surely(wsd.url(), "kept", range(20))
        epoch = (await writer.request("history", room="kept", limit=0))["epoch"]
        client = await V1Client.connect(wsd.url())
        replies = [client.replies.setdefault(offset, asyncio.get_running_loop().create_future())
                   for offset in (first, second)]
        await client.send(*({"type": "join", "room": "kept", "since": {"epoch": epoch, "offset": offset}, "requestId": offset}
                            for offset in (first, second)))
        former, latest = [reply["data"] for reply in await asyncio.gather(*replies)]
        assert "recovered" not in former and latest["recovered"] is True
        await writer.request("publish", room="kept", data="live")
        want = [*range(second, 20), "live"]
        assert await client.messages("kept", len(want)) == want

    with Wsd(workers=1, config=CONFIG) as wsd:
        run(scenario(wsd))
