"""What a backend does: the HTTP API with keys, on the public port and on the control socket, and webhooks."""

import asyncio
import contextlib
import hashlib
import hmac
import http.server
import json
import threading
import time
import urllib.error
import urllib.request

import pytest
import websockets

from harness import Client, Wsd, run, wait_until
from test_auth import SECRET, secret_file
from v1client import Refused, V1Client, token

KEY, LOOKER = "k-" + "1" * 40, "k-" + "2" * 40

CONFIG = f"""
api:
  keys:
    - name: app
      sha256: {hashlib.sha256(KEY.encode()).hexdigest()}
    - name: looker
      sha256: {hashlib.sha256(LOOKER.encode()).hexdigest()}
      allow: [observe]
rooms:
  rules:
    - match: "kept*"
      historySize: 100
limits:
  messageRate: off
auth:
  secretFile: SECRET
"""


def call(wsd, method, path, body=None, key=KEY, headers=None, raw=None):
    request = urllib.request.Request(f"http://127.0.0.1:{wsd.port}/wsd/api/v1/{path}", method=method,
                                     data=raw if raw is not None else None if body is None else json.dumps(body).encode())
    if key:
        request.add_header("Authorization", f"Bearer {key}")
    for name, value in (headers or {}).items():
        request.add_header(name, value)
    try:
        with urllib.request.urlopen(request, timeout=20) as answer:
            return answer.status, json.loads(answer.read() or b"null")
    except urllib.error.HTTPError as error:
        return error.code, json.loads(error.read() or b"null")


async def acall(*args, **options):
    return await asyncio.to_thread(call, *args, **options)


@pytest.fixture(scope="module")
def api(tmp_path_factory):
    secret = secret_file(tmp_path_factory.mktemp("keys"))
    with Wsd(workers=2, config=CONFIG.replace("SECRET", str(secret))) as service:
        yield service


def test_publishing(api):
    async def scenario():
        client, page = await V1Client.connect(api.url()), await Client.connect(api.url())
        await client.request("join", room="kept-1")
        await page.join("kept-1")
        status, answer = await acall(api, "POST", "publish", raw=b'{"room":"kept-1","data":{"a" : 1.0}}')
        assert status == 200 and answer["offset"] == 1 and answer["epoch"], answer
        event = await client.event("message", room="kept-1")
        assert event["data"] == {"a": 1.0} and "from" not in event
        # Byte for byte, as with every publication.
        assert await asyncio.wait_for(page.socket.recv(), 5) == '{"a" : 1.0}'
        status, answer = await acall(api, "POST", "publish", {"room": "kept-1", "data": 2}, headers={"Idempotency-Key": "x1"})
        assert status == 200 and answer["offset"] == 2
        status, answer = await acall(api, "POST", "publish", {"room": "kept-1", "data": 2}, headers={"Idempotency-Key": "x1"})
        assert status == 200 and answer["offset"] == 2 and answer["duplicate"] is True
        status, answer = await acall(api, "POST", "publish-many", {"rooms": ["kept-1", "other"], "data": "many"})
        assert status == 200
        status, answer = await acall(api, "POST", "broadcast", {"data": "all"})
        assert status == 200
        assert await client.messages("kept-1", 3) == [{"a": 1.0}, 2, "many"]
        assert (await client.event("broadcast"))["data"] == "all"

    run(scenario())


def test_asking_and_removing(api):
    async def scenario():
        user = await V1Client.connect(api.url() + "?token=" + token(SECRET, "ada", info={"n": 1}))
        await user.request("join", room="kept-2")
        for n in range(5):
            await acall(api, "POST", "publish", {"room": "kept-2", "data": n})
        status, answer = await acall(api, "GET", "rooms/kept-2/history?limit=2&from=1")
        assert status == 200 and [m["data"] for m in answer["messages"]] == [1, 2] and answer["offset"] == 5
        status, answer = await acall(api, "GET", "rooms/kept-2/presence", key=LOOKER)
        assert answer["clients"] == [{"client": user.id, "user": "ada", "info": {"n": 1}}]
        assert (await acall(api, "GET", "rooms/kept-2/count"))[1]["members"] == 1
        status, answer = await acall(api, "GET", "rooms?prefix=kept-2")
        assert "kept-2" in json.dumps(answer)
        assert (await acall(api, "GET", "info"))[0] == 200
        assert (await acall(api, "DELETE", "rooms/kept-2/history"))[0] == 200
        status, answer = await acall(api, "GET", "rooms/kept-2/history")
        assert answer["messages"] == [] and answer["offset"] == 5
        with pytest.raises(Refused):
            await user.request("history", room="unkept")

    run(scenario())


def test_a_message_of_the_largest_size_can_be_missed(api):
    """The answer to a join holds it, and who is there, too."""

    async def scenario():
        here = [await V1Client.connect(api.url() + "?token=" + token(SECRET, f"big{n}", info="i" * 4000)) for n in range(70)]
        await asyncio.gather(*(client.request("join", room="kept-big") for client in here))
        position = await here[0].request("history", room="kept-big", limit=0)
        body = b'{"room":"kept-big","data":"%s"}' % (b"x" * (1024 * 1024 - 40))
        status, answer = await acall(api, "POST", "publish", raw=body)
        assert status == 200, answer
        await asyncio.gather(*(client.messages("kept-big", 1) for client in here))
        late = await V1Client.connect(api.url())
        since = {"epoch": position["epoch"], "offset": position["offset"]}
        reply = await late.request("join", room="kept-big", since=since, presence=True)
        assert reply["recovered"] is True and reply["members"] == 71 and len(reply["presence"]) > 50
        assert len((await late.messages("kept-big", 1))[0]) == 1024 * 1024 - 40

    run(scenario())


@pytest.mark.alone
def test_a_message_of_64_mib():
    """Longer than anything else on the link between worker and hub: no broken frame, and nobody is cut off."""
    size = 64 * 1024 * 1024
    config = CONFIG.replace("api:", "api:\n  maxBody: 64MiB").replace("  secretFile: SECRET\n", "  timeout: 10s\n")
    with Wsd(workers=1, config=config + "hub:\n  heldBytes: 64MiB\n  linkQueue: 64MiB\n") as wsd:
        async def scenario():
            client = await V1Client.connect(wsd.url())
            await client.request("join", room="r")
            status, answer = await acall(wsd, "POST", "publish", raw=b'{"room":"r","data":"%s"}' % (b"x" * (size - 24)))
            assert status == 200, answer
            assert len((await client.messages("r", 1, timeout=80))[0]) == size - 24
            assert (await client.request("ping"))["time"]

        run(scenario())
        assert "Link closed" not in wsd.output()


def test_users(api):
    async def scenario():
        one = await V1Client.connect(api.url() + "?token=" + token(SECRET, "eve/1"))
        two = await V1Client.connect(api.url() + "?token=" + token(SECRET, "eve/1"))
        for client in (one, two):
            # The hub, which is asked on another worker's link below, knows who has joined.
            await client.request("join", room="here")
        status, _ = await acall(api, "POST", "users/eve%2F1/send", {"data": "for eve"})
        assert status == 200
        for client in (one, two):
            assert (await client.event("direct"))["data"] == "for eve"
        assert (await acall(api, "POST", "users/eve%2F1/subscribe", {"room": "kept-3"}))[0] == 200
        for client in (one, two):
            await client.event("joined", room="kept-3")
        await acall(api, "POST", "publish", {"room": "kept-3", "data": 1})
        for client in (one, two):
            assert await client.messages("kept-3", 1) == [1]
        assert (await acall(api, "POST", "users/eve%2F1/unsubscribe", {"room": "kept-3"}))[0] == 200
        await one.event("left", room="kept-3")
        assert (await acall(api, "POST", f"clients/{one.id}/disconnect", {"reason": "bye"}))[0] == 200
        assert (await one.closed(5)) == (4003, "bye")
        assert (await acall(api, "POST", "users/eve%2F1/disconnect", {}))[0] == 200
        assert (await two.closed(5))[0] == 4003

    run(scenario())


def test_a_batch_of_heavy_questions_holds_up_nobody(api):
    async def scenario():
        clients = [await V1Client.connect(api.url()) for _ in range(80)]
        for client in clients:
            for start in (0, 64):
                await client.send(*[{"type": "join", "room": f"many-{client.id}-{n}"} for n in range(start, start + 64)])
        for client in clients:
            await client.request("ping")
        hub = api.hub_pid()
        status, answer = await acall(api, "POST", "batch", {"requests": [{"type": "rooms"}] * 1000})
        assert status == 200 and len(answer["replies"][0]["rooms"]) == 100, answer
        assert answer["replies"][-1]["error"]["code"] == "unavailable"
        assert api.hub_pid() == hub
        await asyncio.gather(*(client.close() for client in clients))

    run(scenario())


def test_batch(api):
    status, answer = call(api, "POST", "batch", {"requests": [
        {"type": "publish", "room": "kept-4", "data": {"x": 1}}, {"type": "history", "room": "unkept"},
        {"type": "history", "room": "kept-4"}]})
    assert status == 200 and len(answer["replies"]) == 3, answer
    assert "offset" in json.dumps(answer["replies"][0])
    assert "error" in answer["replies"][1] and "error" not in answer["replies"][2]
    # One that is malformed is refused as a whole, before anything of it is carried out.
    status, answer = call(api, "POST", "batch", {"requests": [
        {"type": "publish", "room": "kept-4", "data": {"x": 2}}, {"type": "nonsense"}]})
    assert status == 400 and answer["error"]["message"]
    assert len(call(api, "GET", "rooms/kept-4/history")[1]["messages"]) == 1


@pytest.mark.parametrize("method, path, body, key, wanted", [
    ("POST", "publish", {"room": "r", "data": 1}, None, 401),
    ("POST", "publish", {"room": "r", "data": 1}, "wrong", 401),
    ("POST", "publish", {"room": "r", "data": 1}, LOOKER, 403),
    ("POST", "publish", {"room": "", "data": 1}, KEY, 400),
    ("POST", "publish", {"room": "r"}, KEY, 400),
    ("POST", "publish", {"room": "r" * 300, "data": 1}, KEY, 400),
    ("POST", "publish", [1], KEY, 400),
    ("GET", "publish", None, KEY, 405),
    ("POST", "nonsense", {}, KEY, 404),
    ("GET", "rooms/unkept/history", None, KEY, 404),
    ("POST", "clients/nobody/disconnect", {}, KEY, 400),
    ("GET", "rooms?prefx=kept", None, KEY, 400),
    ("POST", "publish?room=r", {"room": "r", "data": 1}, KEY, 400),
    ("GET", "info?token=x", None, None, 401),
])
def test_refusals_are_json_with_a_reason(api, method, path, body, key, wanted):
    status, answer = call(api, method, path, body, key=key)
    assert status == wanted, answer
    assert answer["error"]["code"] and answer["error"]["message"]


def test_a_body_too_large_and_a_broken_one(api):
    status, answer = call(api, "POST", "publish", raw=b'{"room":"r","data":"' + b"x" * 2_000_000 + b'"}')
    assert status == 413
    status, answer = call(api, "POST", "publish", raw=b'{"room":"r","data":')
    assert status == 400 and "error" in answer
    assert api.wait_healthy()


def test_the_control_socket_needs_no_key(api):
    status, text = api.http("POST", "/v1/api/publish", '{"room":"kept-5","data":[1]}')
    assert status == 200 and json.loads(text)["offset"] == 1
    status, text = api.http("GET", "/v1/api/rooms/kept-5/history")
    assert status == 200 and json.loads(text)["messages"][0]["data"] == [1]
    status, text = api.http("GET", "/v1/api/rooms/kept-5/history?form=1")
    assert status == 400 and "no parameter `form`" in text and "`from`, `limit` and `reverse`" in text, text
    assert "offset" in api.ctl("publish", "kept-5", '{"from":"operator"}', "--json").stdout


class Application(http.server.ThreadingHTTPServer):
    """An application that wsd asks."""

    daemon_threads = True
    allow_reuse_address = True

    def __init__(self, secret):
        self.calls, self.answers, self.delay, self.secret = [], {}, 0.0, secret.encode()
        super().__init__(("127.0.0.1", 0), Handler)
        threading.Thread(target=self.serve_forever, daemon=True).start()

    def url(self, event):
        return f"http://127.0.0.1:{self.server_address[1]}/{event}"

    def of(self, event):
        return [body for name, body in self.calls if name == event]


class Handler(http.server.BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"

    def do_POST(self):
        body = self.rfile.read(int(self.headers["Content-Length"]))
        stamp = self.headers["Wsd-Timestamp"]
        signature = hmac.new(self.server.secret, stamp.encode() + b"." + body, hashlib.sha256).hexdigest()
        assert self.headers["Wsd-Signature"] == f"v1={signature}", self.headers["Wsd-Signature"]
        assert abs(time.time() - int(stamp)) < 60
        event = self.path.strip("/")
        assert self.headers["Wsd-Event"] == event
        request = json.loads(body)
        self.server.calls.append((event, request))
        if self.server.delay:
            time.sleep(self.server.delay)
        answer = self.server.answers.get(event, {})
        status, answer = answer(request) if callable(answer) else (200, answer)
        text = json.dumps(answer).encode()
        with contextlib.suppress(OSError):
            self.send_response(status)
            self.send_header("Content-Type", "application/json")
            self.send_header("Content-Length", str(len(text)))
            self.end_headers()
            self.wfile.write(text)

    def log_message(self, *arguments):
        pass


HOOKS = """
webhooks:
  secretFile: SECRET
  connect: { url: "URL/connect", timeout: 1s, retries: 0 }
  join: { url: "URL/join", timeout: 1s, retries: 0 }
  publish: { url: "URL/publish", timeout: 1s, retries: 0 }
  rpc: { url: "URL/rpc", timeout: 1s, retries: 0 }
  disconnect: { url: "URL/disconnect", timeout: 1s, retries: 5 }
  roomEmpty: { url: "URL/roomEmpty", timeout: 1s, retries: 5 }
limits:
  messageRate: off
"""


@pytest.fixture
def application(tmp_path):
    server = Application(SECRET)
    server.config = HOOKS.replace("SECRET", str(secret_file(tmp_path))).replace("URL", server.url("").rstrip("/"))
    yield server
    server.shutdown()
    server.server_close()


def test_webhooks_decide(application):
    application.answers = {
        "connect": lambda r: (200, {"user": "ada", "info": {"n": 1}, "rooms": ["given"], "data": {"hello": "you"}}
                              if "good" in (r.get("headers") or {}).get("cookie", "") else
                              {"error": {"message": "who are you?"}}),
        "join": lambda r: (200, {"error": {"message": "not there"}} if r["room"] == "closed" else {}),
        "publish": lambda r: (200, {"error": {"message": "mind your words"}} if r["data"] == "rude" else
                              {"data": {"checked": r["data"]}}),
        "rpc": lambda r: (200, {"data": {"sum": sum(r["data"])}} if r["type"] == "add" else
                          {"error": {"message": "unknown"}}),
    }

    async def scenario(wsd):
        stranger = await V1Client.connect(wsd.url(), greet=False)
        assert (await stranger.closed(5)) == (4003, "who are you?")
        client = await V1Client.connect(wsd.url(), additional_headers={"Cookie": "s=good"})
        assert client.connected["user"] == "ada" and client.connected["data"] == {"hello": "you"}
        await client.event("joined", room="given")
        with pytest.raises(Refused) as refused:
            await client.request("join", room="closed")
        assert refused.value.code == "refused" and refused.value.error["message"] == "not there"
        await client.request("join", room="open")
        # The order of a client's own commands is kept, whatever has to be asked in between.
        await client.send(*({"type": "publish", "room": "open", "data": n} for n in range(10)))
        assert await client.messages("open", 10) == [{"checked": n} for n in range(10)]
        with pytest.raises(Refused) as refused:
            await client.request("publish", room="open", data="rude")
        assert refused.value.error["message"] == "mind your words"
        assert await client.request("add", data=[1, 2, 3]) == {"sum": 6}
        with pytest.raises(Refused):
            await client.request("subtract", data=[1])
        page = await Client.connect(wsd.url(), additional_headers={"Cookie": "s=good"})
        answer, _ = await page.request(type="add", data=[4, 5])
        assert answer["data"] == {"sum": 9}
        await page.close()
        await client.close()
        wait_until(lambda: len(application.of("disconnect")) == 2, "both disconnects")
        wait_until(lambda: {r["room"] for r in application.of("roomEmpty")} >= {"open", "given"}, "rooms empty")
        assert application.of("disconnect")[0]["user"] == "ada"

    with Wsd(workers=2, config=application.config) as wsd:
        run(scenario(wsd))
        assert '"publish"' in wsd.ctl("stats", "--json").stdout or "webhook" in wsd.ctl("stats", "--json").stdout.lower()


@pytest.mark.parametrize("policy", ["allow", "refuse"])
def test_a_slow_application_stops_nobody_else(application, policy):
    config = application.config
    for hook in ("publish",):
        config = config.replace(f'/{hook}", timeout', f'/{hook}", onFailure: {policy}, timeout')
    config = config.replace("/connect\"", "/connect\", onFailure: allow")

    async def scenario(wsd):
        client, bystander = await V1Client.connect(wsd.url()), await V1Client.connect(wsd.url())
        await client.request("join", room="r")
        application.delay = 3
        slow = asyncio.create_task(client.request("publish", room="r", data="x"))
        started = time.monotonic()
        for _ in range(20):
            await bystander.request("ping")
        assert time.monotonic() - started < 1
        if policy == "allow":
            await slow
            assert await client.messages("r", 1) == ["x"]
        else:
            with pytest.raises(Refused) as refused:
                await slow
            assert refused.value.code == "backend_failed" and refused.value.error["temporary"]
        assert time.monotonic() - started < 2.5

    with Wsd(workers=1, config=config) as wsd:
        run(scenario(wsd))


def test_an_application_that_is_down(application):
    application.shutdown()
    application.server_close()

    async def scenario(wsd):
        client = await V1Client.connect(wsd.url(), greet=False)
        assert (await client.closed(10))[0] == 4008

    with Wsd(workers=1, config=application.config) as wsd:
        run(scenario(wsd))


def test_live_logs_and_figures_over_websocket(api):
    async def scenario():
        for path in ("/ws/logs", "/ws/stats"):
            with pytest.raises(websockets.InvalidStatus) as refused:
                await websockets.connect(api.url(path), compression=None)
            assert refused.value.response.status_code == 401
        async with websockets.connect(api.url("/ws/stats"), compression=None,
                                      additional_headers={"Authorization": f"Bearer {LOOKER}"}) as stats:
            first = json.loads(await asyncio.wait_for(stats.recv(), 10))
            second = json.loads(await asyncio.wait_for(stats.recv(), 10))
            assert "clients" in json.dumps(first) and "clients" in json.dumps(second)
        async with websockets.connect(api.url(f"/ws/logs?token={LOOKER}"), compression=None) as logs:
            reload = asyncio.create_task(asyncio.to_thread(api.ctl, "reload"))
            line = json.loads(await asyncio.wait_for(logs.recv(), 20))
            assert "message" in json.dumps(line)
            await reload

    run(scenario())
    assert LOOKER not in api.output()
