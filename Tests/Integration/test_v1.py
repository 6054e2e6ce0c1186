"""The wsd.v1.json dialect over several workers."""

import asyncio
import json

import pytest
import websockets

from harness import Client, Wsd, run, wait_until
from test_auth import SECRET, secret_file
from v1client import Refused, V1Client, token

HISTORY = """
rooms:
  presenceGrace: 2s
  typingTimeout: 1s
  rules:
    - match: "kept-*"
      historySize: 100
      historyTTL: 1h
    - match: "auto-*"
      historySize: 10
      autoRead: true
limits:
  messageRate: off
auth:
  secretFile: FILE
"""


@pytest.fixture(scope="module")
def kept(tmp_path_factory):
    secret = secret_file(tmp_path_factory.mktemp("keys"))
    with Wsd(workers=2, config=HISTORY.replace("FILE", str(secret))) as service:
        yield service


async def on_worker(wsd, number, **options):
    for _ in range(200):
        client = await V1Client.connect(wsd.url(), **options)
        if wsd.worker_of(client.id) == number:
            return client
        await client.close()
    raise AssertionError(f"no connection reached worker {number}")


def test_envelopes_go_to_members_and_the_sender(kept):
    async def scenario():
        one, two = await on_worker(kept, 1), await on_worker(kept, 2)
        assert one.connected["server"]["maxMessageSize"] == 65536 and one.connected["user"] is None
        first = await one.request("join", room="kept-a")
        assert first["members"] == 1 and first["offset"] == 0 and first["epoch"]
        await two.request("join", room="kept-a", presence=True)
        await one.event("userJoined", room="kept-a", client=two.id)
        sent = await two.request("publish", room="kept-a", data={"text": "hi", "n": [1, 2.5, None]}, messageId="m-1")
        assert sent == {"room": "kept-a", "epoch": first["epoch"], "offset": 1}
        for client in (one, two):
            event = await client.event("message", room="kept-a")
            assert event["data"] == {"text": "hi", "n": [1, 2.5, None]}
            assert (event["offset"], event["epoch"], event["id"]) == (1, first["epoch"], "m-1")
            assert event["from"]["client"] == two.id and event["time"] > 1_700_000_000_000
        again = await two.request("publish", room="kept-a", data="again", messageId="m-1")
        assert again["duplicate"] is True and again["offset"] == 1
        await two.request("publish", room="kept-a", data="next")
        assert await one.messages("kept-a", 2) == [{"text": "hi", "n": [1, 2.5, None]}, "next"]
        await one.close()
        await two.close()

    run(scenario())


def test_both_dialects_share_a_room(kept):
    async def scenario():
        page, library = await Client.connect(kept.url()), await V1Client.connect(kept.url())
        await page.join("mixed")
        await library.request("join", room="mixed")
        assert (await page.receive())["type"] == "userJoined"
        await library.request("publish", room="mixed", data=[1])
        assert await page.receive() == [1]
        await page.request(type="sendToRoom", roomId="mixed", data={"from": "page"})
        assert (await library.messages("mixed", 2))[1] == {"from": "page"}
        await page.close()
        await library.event("userLeft", room="mixed")
        await library.close()

    run(scenario())


def test_several_commands_in_one_frame(kept):
    async def scenario():
        client = await V1Client.connect(kept.url())
        await client.send({"type": "join", "room": "batch"}, {"type": "publish", "room": "batch", "data": 1},
                          {"type": "nonsense"}, {"type": "publish", "room": "batch", "data": 2})
        assert await client.messages("batch", 2) == [1, 2]
        error = await client.event("error")
        assert error["error"]["code"] == "unknown_type"
        await client.send()
        assert (await client.event("error", count=2))["error"]["code"] == "invalid_message"
        await client.socket.send(b"\x00")
        assert (await client.event("error", count=3))["error"]["code"] == "unsupported_data"
        await client.close()

    run(scenario())


def test_history_pages(kept):
    async def scenario():
        client = await V1Client.connect(kept.url())
        for n in range(130):
            await client.request("publish", room="kept-pages", data=n)
        page = await client.request("history", room="kept-pages", limit=60)
        assert [m["offset"] for m in page["messages"]] == list(range(31, 91)) and page["more"] is True
        assert page["offset"] == 130
        rest = await client.request("history", room="kept-pages", **{"from": 90}, limit=1000)
        assert [m["data"] for m in rest["messages"]] == list(range(90, 130)) and rest["more"] is False
        newest = await client.request("history", room="kept-pages", limit=3, reverse=True)
        assert [m["offset"] for m in newest["messages"]] == [130, 129, 128] and newest["more"] is True
        with pytest.raises(Refused) as refused:
            await client.request("history", room="unkept")
        assert refused.value.code == "no_history"
        await client.close()

    run(scenario())


def test_presence_and_grace(kept):
    async def scenario():
        watcher = await on_worker(kept, 1)
        await watcher.request("join", room="kept-p")
        other = await on_worker(kept, 2)
        await other.request("join", room="kept-p")
        await watcher.event("userJoined", room="kept-p")
        there = await watcher.request("presence", room="kept-p")
        assert there["members"] == 2 and {c["client"] for c in there["clients"]} == {watcher.id, other.id}
        assert (await watcher.request("presenceCount", room="kept-p"))["members"] == 2
        # A network that breaks and comes back is neither a leave nor a join.
        session = other.session
        other.abort()
        back = await V1Client.connect(kept.url())
        await back.request("join", room="kept-p", session=session)
        await watcher.request("publish", room="kept-p", data=1)
        await watcher.messages("kept-p", 1)
        await asyncio.sleep(2.5)
        assert not watcher.of("userLeft") and len(watcher.of("userJoined")) == 1
        # One that does not come back is missed after the grace time, under the name it is known by.
        back.abort()
        await watcher.event("userLeft", room="kept-p", client=other.id, timeout=6)
        # One that says goodbye is missed at once.
        polite = await V1Client.connect(kept.url())
        await polite.request("join", room="kept-p")
        await polite.close()
        await watcher.event("userLeft", room="kept-p", client=polite.id, timeout=1)
        await watcher.close()

    run(scenario())


def test_typing_stops_by_itself(kept):
    async def scenario():
        one, two = await on_worker(kept, 1), await on_worker(kept, 2)
        await one.request("join", room="type")
        await two.request("join", room="type")
        await two.request("typing", room="type", typing=True)
        assert (await one.event("typing", client=two.id))["typing"] is True
        assert (await one.event("typing", count=2, timeout=5))["typing"] is False
        assert not two.of("typing")
        await one.close()
        await two.close()

    run(scenario())


def test_read_marks_only_grow(kept):
    async def scenario():
        one, two = await on_worker(kept, 1), await on_worker(kept, 2)
        for client in (one, two):
            await client.request("join", room="kept-r")
        for n in range(3):
            await one.request("publish", room="kept-r", data=n)
        await two.request("read", room="kept-r", offset=2)
        assert (await one.event("read", room="kept-r", client=two.id))["offset"] == 2
        await two.request("read", room="kept-r", offset=1)
        await two.request("read", room="kept-r", offset=3)
        assert (await one.event("read", room="kept-r", count=2))["offset"] == 3
        await one.close()
        await two.close()

    run(scenario())


def test_a_room_may_mark_what_is_delivered_to_users(kept):
    async def scenario():
        ada = await V1Client.connect(kept.url() + "?token=" + token(SECRET, "ada"))
        bob = await V1Client.connect(kept.url() + "?token=" + token(SECRET, "bob"))
        for client in (ada, bob):
            await client.request("join", room="auto-r")
        await ada.request("publish", room="auto-r", data="x")
        assert (await ada.event("read", room="auto-r", user="bob"))["offset"] == 1
        await ada.close()
        await bob.close()

    run(scenario())


def test_bad_commands_get_their_reasons(kept):
    async def scenario():
        client = await V1Client.connect(kept.url())
        for fields, code in [
            (dict(type="join"), "invalid_room"),
            (dict(type="join", room=""), "invalid_room"),
            (dict(type="join", room="x" * 257), "invalid_room"),
            (dict(type="join", room="kept-b", since={"epoch": "!", "offset": 1}), "invalid_position"),
            (dict(type="join", room="kept-b", since=5), "invalid_position"),
            (dict(type="publish", room="kept-b"), "missing_data"),
            (dict(type="publish", room="kept-b", data=1, messageId="x" * 65), "invalid_message_id"),
            (dict(type="send", data=1), "invalid_user"),
            (dict(type="dance"), "unknown_type"),
        ]:
            with pytest.raises(Refused) as refused:
                await client.request(**fields)
            assert refused.value.code == code, fields
        assert (await client.request("ping"))["time"] > 1_700_000_000_000
        await client.close()

    run(scenario())


def test_a_page_that_asks_for_another_subprotocol_gets_none(kept):
    async def scenario():
        socket = await websockets.connect(kept.url(), subprotocols=["other", "wsd.v1.json"], compression=None)
        assert socket.subprotocol == "wsd.v1.json"
        await socket.close()
        with pytest.raises(websockets.NegotiationError):
            # The library insists on one of its own; wsd chose none.
            socket = await websockets.connect(kept.url(), subprotocols=["other"], compression=None)
            if socket.subprotocol is None:
                await socket.close()
                raise websockets.NegotiationError("none chosen")

    run(scenario())


def test_wsctl_shows_users_and_rooms(kept):
    async def scenario():
        client = await V1Client.connect(kept.url())
        await client.request("join", room="kept-w")
        await client.request("publish", room="kept-w", data="x" * 100)
        found = kept.json_lines("clients", "--id", client.id)[0]
        assert found["dialect"] == "wsd.v1.json" and found["rooms"] == ["kept-w"]
        room = next(r for r in kept.json_lines("rooms") if r["room"] == "kept-w")
        assert room["members"] == 1
        await client.close()

    run(scenario())
