"""Who may do what: tokens, room rules, origins, PROXY protocol."""

import asyncio
import json
import os
import signal
import socket
import subprocess
import time

import pytest
import websockets

from harness import Client, Wsd, run, wait_until
from rawclient import masked_text, upgrade_request
from v1client import Refused, V1Client, b64url, hs256, token

SECRET = "a shared secret of more than 32 bytes, for tests"


def secret_file(tmp_path, text=SECRET):
    path = tmp_path / "secret"
    path.write_text(text)
    path.chmod(0o600)
    return path


CLOSED = """
auth:
  required: true
  timeout: 1s
  secretFile: {secret}
  audience: chat
  cookie: session
rooms:
  rules:
    - match: "public-*"
      join: users
      publish: users
      presence: granted
    - match: "inbox-{{user}}"
      join: users
      publish: nobody
    - match: "staff"
      join: granted
limits:
  messageRate: off
"""


@pytest.fixture
def closed(tmp_path):
    with Wsd(workers=2, config=CLOSED.format(secret=secret_file(tmp_path))) as service:
        yield service


def good(user="ada", seconds=3600, **claims):
    return token(SECRET, user, seconds, aud="chat", **claims)


def test_a_worker_that_dies_while_the_secret_is_replaced_comes_back(tmp_path):
    secret = secret_file(tmp_path)
    with Wsd(workers=1, config=CLOSED.format(secret=secret)) as service:
        secret.rename(tmp_path / "away")
        os.kill(service.worker(1)["pid"], signal.SIGKILL)
        wait_until(lambda: "exited with 75" in service.output(), "an attempt that fails")
        (tmp_path / "away").rename(secret)
        service.wait_healthy()


def test_a_token_comes_by_message_header_query_or_cookie(closed):
    async def scenario():
        by_message = await V1Client.connect(closed.url())
        assert by_message.connected["authRequired"] is True and by_message.connected["authenticated"] is False
        with pytest.raises(Refused) as refused:
            await by_message.request("join", room="public-a")
        assert refused.value.code == "unauthenticated"
        assert (await by_message.request("auth", token=good()))["user"] == "ada"
        assert (await by_message.event("connected", count=2))["user"] == "ada"
        await by_message.request("join", room="public-a")
        header = await V1Client.connect(closed.url(), additional_headers={"Authorization": "Bearer " + good("bob")})
        query = await V1Client.connect(closed.url() + "?token=" + good("cid"))
        cookie = await V1Client.connect(closed.url(), additional_headers={"Cookie": "a=b; session=" + good("dot")})
        for client, user in [(header, "bob"), (query, "cid"), (cookie, "dot")]:
            assert client.connected["user"] == user and client.connected["authenticated"] is True
            assert 3500 < client.connected["expiresIn"] <= 3600
            await client.request("join", room="public-a")
            assert (await by_message.event("userJoined", client=client.id))["user"] == user
        page = await Client.connect(closed.url() + "?token=" + good("eve"))
        await page.join("public-a")
        await page.send(type="sendToRoom", roomId="public-a", data=1)
        assert (await by_message.event("message", room="public-a"))["from"]["user"] == "eve"
        found = closed.json_lines("clients", "--id", query.id)[0]
        assert found["user"] == "cid"
        users = closed.json_lines("user", "cid")
        assert query.id in json.dumps(users)

    run(scenario())
    assert "eyJ" not in closed.output(), "a token stands in the log"


@pytest.mark.parametrize("bad, code", [
    (lambda: "nonsense", 4001),
    (lambda: token("another secret that is long enough, too", "ada", aud="chat"), 4001),
    (lambda: token(SECRET, "ada", aud="other"), 4001),
    (lambda: token(SECRET, "ada"), 4001),
    (lambda: good(seconds=-60), 4002),
    (lambda: good(nbf=int(time.time()) + 90), 4001),
    (lambda: b64url(b'{"alg":"none"}') + "." + b64url(b'{"sub":"ada","aud":"chat"}') + ".", 4001),
    (lambda: hs256(SECRET, {"sub": "", "aud": "chat"}), 4001),
    (lambda: "x" * 100000, None),
])
def test_bad_tokens_are_refused(closed, bad, code):
    async def scenario():
        if code is not None:
            client = await V1Client.connect(closed.url() + "?token=" + bad(), greet=False)
            assert (await client.closed(10))[0] == code
        client = await V1Client.connect(closed.url())
        with pytest.raises((Refused, asyncio.CancelledError)):
            await client.request("auth", token=bad())
        assert (await client.closed(10))[0] == (code or (await client.closed(1))[0])

    run(scenario())
    assert closed.wait_healthy()


def test_a_little_skew_is_forgiven_and_silence_is_not(closed):
    async def scenario():
        skewed = await V1Client.connect(closed.url() + "?token=" + good(seconds=-10))
        assert skewed.connected["user"] == "ada"
        silent = await V1Client.connect(closed.url())
        started = time.monotonic()
        assert (await silent.closed(10))[0] == 4001
        assert 0.5 < time.monotonic() - started < 4

    run(scenario())


def test_expiry_closes_unless_refreshed(tmp_path):
    config = CLOSED.format(secret=secret_file(tmp_path)).replace("  audience: chat\n", "  audience: chat\n  leeway: 0s\n")

    async def scenario(wsd):
        refreshed = await V1Client.connect(wsd.url() + "?token=" + good(seconds=4))
        left = await V1Client.connect(wsd.url() + "?token=" + good(seconds=4))
        await refreshed.event("expiring", timeout=6)
        with pytest.raises(Refused) as refused:
            await refreshed.request("auth", token=good("mallory"))
        assert refused.value.code == "forbidden"
        assert (await refreshed.request("auth", token=good(seconds=600)))["expiresIn"] > 500
        assert (await left.closed(10))[0] == 4002
        await asyncio.sleep(1)
        assert (await refreshed.request("ping"))["time"]

    with Wsd(workers=1, config=config) as wsd:
        run(scenario(wsd))


def test_rules_and_rights(closed):
    async def scenario():
        rights = [{"rooms": "staff", "allow": ["join", "publish"]}, {"rooms": "public-*", "allow": ["presence"]}]
        ada = await V1Client.connect(closed.url() + "?token=" + good(rights=rights, rooms=["given"], info={"name": "Ada"}))
        bob = await V1Client.connect(closed.url() + "?token=" + good("bob"))
        await ada.event("joined", room="given")
        await ada.request("join", room="staff")
        await ada.request("publish", room="staff", data=1)
        await ada.request("join", room="public-x")
        await bob.request("join", room="public-x")
        there = await ada.request("presence", room="public-x")
        assert {"client": ada.id, "user": "ada", "info": {"name": "Ada"}} in there["clients"]
        for client, type, room in [(bob, "join", "staff"), (bob, "publish", "staff"), (bob, "presence", "public-x"),
                                   (bob, "join", "inbox-ada"), (bob, "join", "unruled"), (bob, "publish", "inbox-bob"),
                                   (ada, "publish", "unruled")]:
            with pytest.raises(Refused) as refused:
                await client.request(type, room=room, data=1)
            assert refused.value.code == "forbidden", (type, room)
        await bob.request("join", room="inbox-bob")
        with pytest.raises(Refused) as refused:
            await bob.request("broadcast", data=1)
        assert refused.value.code == "forbidden"

    run(scenario())


def test_keys_of_other_kinds(tmp_path):
    made = tmp_path / "made"
    made.mkdir()
    from cryptography.hazmat.primitives import hashes, serialization
    from cryptography.hazmat.primitives.asymmetric import ec, ed25519, padding, rsa, utils

    def sign(alg, key, claims, kid=None):
        head = b64url(json.dumps({"alg": alg, **({"kid": kid} if kid else {})}).encode())
        text = f"{head}.{b64url(json.dumps(claims).encode())}"
        if alg == "RS256":
            raw = key.sign(text.encode(), padding.PKCS1v15(), hashes.SHA256())
        elif alg == "ES256":
            r, s = utils.decode_dss_signature(key.sign(text.encode(), ec.ECDSA(hashes.SHA256())))
            raw = r.to_bytes(32, "big") + s.to_bytes(32, "big")
        else:
            raw = key.sign(text.encode())
        return f"{text}.{b64url(raw)}"

    keys = {"RS256": rsa.generate_private_key(65537, 2048), "ES256": ec.generate_private_key(ec.SECP256R1()),
            "EdDSA": ed25519.Ed25519PrivateKey.generate()}
    claims = {"sub": "ada", "exp": int(time.time()) + 600}

    async def accepted(wsd, text):
        client = await V1Client.connect(wsd.url() + "?token=" + text, greet=False)
        event = asyncio.create_task(client.event("connected", 10))
        closing = asyncio.create_task(client.closed(10))
        await asyncio.wait([event, closing], return_when=asyncio.FIRST_COMPLETED)
        if client.of("connected"):
            event.cancelled() or await event
            closing.cancel()
            return client.of("connected")[0]["user"]
        event.cancel()
        return (await closing)[0]

    for alg, key in keys.items():
        pem = made / f"{alg}.pem"
        public = key.public_key().public_bytes(serialization.Encoding.PEM, serialization.PublicFormat.SubjectPublicKeyInfo)
        pem.write_bytes(public)
        with Wsd(workers=1, config=f"auth:\n  required: true\n  publicKeyFile: {pem}\n") as wsd:
            assert run(accepted(wsd, sign(alg, key, claims))) == "ada", alg
            other = "ES256" if alg != "ES256" else "RS256"
            assert run(accepted(wsd, sign(other, keys[other], claims))) == 4001
            # The public key's text as a shared secret: the classic confusion.
            assert run(accepted(wsd, hs256(public.decode(), claims))) == 4001

    numbers = keys["ES256"].public_key().public_numbers()
    jwks = made / "jwks.json"
    jwks.write_text(json.dumps({"keys": [{"kty": "EC", "crv": "P-256", "kid": "one", "alg": "ES256", "use": "sig",
                                          "x": b64url(numbers.x.to_bytes(32, "big")),
                                          "y": b64url(numbers.y.to_bytes(32, "big"))}]}))
    with Wsd(workers=1, config=f"auth:\n  required: true\n  jwksFile: {jwks}\n") as wsd:
        assert run(accepted(wsd, sign("ES256", keys["ES256"], claims, "one"))) == "ada"
        assert run(accepted(wsd, sign("ES256", keys["ES256"], claims, "two"))) == 4001


ORIGINS = """
limits:
  origins: [https://app.example.org, "https://*.pages.example.org"]
"""


def test_origins(tmp_path):
    async def status(wsd, origin, headers=None):
        try:
            async with websockets.connect(wsd.url(), origin=origin, compression=None, additional_headers=headers):
                return 101
        except websockets.InvalidStatus as refused:
            return refused.response.status_code

    async def scenario(wsd):
        for origin, wanted in [(None, 101), ("https://app.example.org", 101), ("https://a.pages.example.org", 101),
                               ("https://a.b.pages.example.org", 101), ("https://pages.example.org", 403),
                               ("http://app.example.org", 403), ("https://app.example.org:444", 403),
                               ("https://evil.org", 403), ("https://app.example.org.evil.org", 403), ("null", 403)]:
            assert await status(wsd, origin) == wanted, origin

    with Wsd(workers=1, config=ORIGINS) as wsd:
        run(scenario(wsd))

    async def same_host(wsd):
        assert await status(wsd, f"http://127.0.0.1:{wsd.port}") == 101
        assert await status(wsd, "https://evil.org") == 403

    with Wsd(workers=1, args=("--prod",)) as wsd:
        run(same_host(wsd))


def test_proxy_protocol_is_taken_from_the_proxy_alone():
    config = "http:\n  trustedProxies: [127.0.0.1]\nlimits:\n  proxyProtocol: true\n"
    v2 = b"\r\n\r\n\0\r\nQUIT\n" + b"\x21\x11\x00\x0c" + bytes([203, 0, 113, 9, 127, 0, 0, 1]) + b"\x1f\x90\x00\x50"

    def connect(wsd, prefix):
        link = socket.create_connection(("127.0.0.1", wsd.port), timeout=10)
        link.sendall(prefix + upgrade_request("/ws"))
        answer = b""
        while b"\r\n\r\n" not in answer:
            piece = link.recv(4096)
            if not piece:
                break
            answer += piece
        return link, answer

    with Wsd(workers=1, config=config) as wsd:
        for prefix, address in [(b"PROXY TCP4 198.51.100.7 127.0.0.1 5555 80\r\n", "198.51.100.7"), (v2, "203.0.113.9"),
                                (b"PROXY TCP6 2001:db8::1 ::1 5555 80\r\n", "2001:db8::1")]:
            link, answer = connect(wsd, prefix)
            assert answer.startswith(b"HTTP/1.1 101"), answer
            assert address in [c["address"].rpartition(":")[0].strip("[]") or c["address"]
                               for c in wsd.json_lines("clients")] or \
                any(address in c["address"] for c in wsd.json_lines("clients"))
            link.close()
        for prefix in (b"", b"PROXY TCP4 nonsense\r\n", b"PROXY " + b"x" * 200):
            link, answer = connect(wsd, prefix)
            assert not answer.startswith(b"HTTP/1.1 101"), prefix
            link.close()
        assert wsd.wait_healthy()
