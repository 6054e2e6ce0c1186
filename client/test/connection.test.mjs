/** Connecting, reconnecting, stopping, tokens, the page: on a clock that is moved by hand. */
import assert from "node:assert/strict";
import { getEventListeners } from "node:events";
import test from "node:test";
import { WsdClient, WsdError } from "../wsd-client.js";
import { codeOf, settle, World } from "./world.mjs";

test("it connects by itself, is open after the greeting, and handlers set at once miss nothing", async () => {
  const world = new World();
  const client = world.client();
  const states = [];
  client.on("state", ({ state }) => states.push(state));
  assert.equal(client.state, "connecting");
  await settle();
  assert.deepEqual([world.socket.url, world.socket.protocols], ["ws://example.org/ws", ["wsd.v1.json"]]);
  assert.equal(client.state, "connecting");
  await world.socket.greet({ user: "ada" });
  assert.deepEqual([client.state, client.id, client.user, client.server.pingInterval], ["open", "c-1", "ada", 25000]);
  assert.deepEqual(states, ["connecting", "open"].slice(1));
  assert.equal(world.heard("connected")[0].session, undefined, "the session is a secret");
});

test("nothing is sent before the greeting", async () => {
  const world = new World();
  const client = world.client();
  client.publish("lobby", 1);
  client.join("lobby");
  client.request("price");
  await settle();
  assert.deepEqual(world.socket.sent, []);
  await world.socket.greet();
  assert.deepEqual(world.socket.sent.map(({ type }) => type), ["ping", "join", "price"]);
  await world.socket.reply(world.socket.last("join"), { room: "lobby", members: 1 });
  assert.equal(world.socket.of("publish").length, 1, "a message waits for the join of its room");
});

test("a server that is not up yet is a state, no error", async () => {
  const world = new World();
  const client = world.client();
  await settle();
  for (let attempt = 0; attempt < 30; attempt++) {
    await world.socket.end(1006);
    assert.equal(client.state, "connecting");
    await world.next();
  }
  assert.equal(world.sockets.length, 31);
  assert.deepEqual(world.heard("error"), []);
  assert.deepEqual(world.heard("disconnected"), []);
  await world.socket.greet();
  assert.equal(client.state, "open");
});

test("waits double with jitter up to the server's bound", async () => {
  const world = new World();
  world.dice = () => 1;
  await world.open({}, { server: { reconnectMin: 100, reconnectMax: 1000 } });
  for (const wait of [100, 200, 400, 800, 1000, 1000]) {
    await world.socket.end(1006);
    const count = world.sockets.length;
    await world.advance(wait - 1);
    assert.equal(world.sockets.length, count, `before ${wait}`);
    await world.advance(1);
    assert.equal(world.sockets.length, count + 1, `after ${wait}`);
  }
});

test("only a connection that lasted begins the waits anew", async () => {
  const world = new World();
  world.dice = () => 1;
  const client = await world.open();
  const retryIn = () => world.heard("state").at(-1).retryIn;
  for (const wait of [500, 1000, 2000]) {
    await world.advance(9000);
    await world.socket.end(1006);
    assert.equal(retryIn(), wait);
    await world.advance(wait);
    await world.socket.greet();
  }
  await world.advance(10000);
  await world.socket.end(1006);
  assert.equal(retryIn(), 500);
  assert.equal(client.stats().reconnects, 3);
});

test("a number of attempts, and none at all", async () => {
  const world = new World();
  const client = world.client({ reconnect: { attempts: 2 } });
  await settle();
  for (let i = 0; i < 2; i++) {
    await world.socket.end(1006);
    await world.next();
  }
  await world.socket.end(1006);
  assert.deepEqual([client.state, world.sockets.length, client.reason.code], ["stopped", 3, 1006]);
  const other = new World();
  const once = await other.open({ reconnect: false });
  await other.socket.end(1012);
  assert.equal(once.state, "stopped");
});

test("the server's hint is obeyed, once", async () => {
  const world = new World();
  await world.open();
  await world.advance(11000);
  await world.socket.say({ type: "reconnect", after: 7000, code: 1012 });
  await world.socket.end(1012);
  await world.advance(6999);
  assert.equal(world.sockets.length, 1);
  await world.advance(1);
  assert.equal(world.sockets.length, 2);
  await world.socket.end(1006);
  assert.equal(world.heard("state").at(-1).retryIn, 500);
});

test("a hint neither shortens the waits of a connection that keeps breaking nor lasts for ever", async () => {
  const world = new World();
  world.dice = () => 1;
  await world.open();
  for (const wait of [500, 1000, 2000]) {
    await world.socket.say({ type: "reconnect", after: 0, code: 1012 });
    await world.socket.end(1012);
    assert.equal(world.heard("state").at(-1).retryIn, wait);
    await world.advance(wait);
    await world.socket.greet();
  }
  await world.advance(10000);
  await world.socket.say({ type: "reconnect", after: 1e12, code: 1012 });
  await world.socket.end(1012);
  assert.equal(world.heard("state").at(-1).retryIn, 300000);
});

for (const code of [1000, 1002, 1003, 1007, 1008, 1009, 3000, 4001, 4003, 4004, 4005, 4100]) {
  test(`close code ${code} stops it and says why`, async () => {
    const world = new World();
    const client = await world.open();
    world.answersPings = false;
    const waiting = [client.publish("lobby", 1), client.request("price"), client.ping()].map(codeOf);
    await settle();
    await world.socket.end(code, "because");
    assert.equal(client.state, "stopped");
    assert.deepEqual([client.reason.code, client.reason.reason], [code, "because"]);
    assert.ok(client.reason.message.length > 10);
    assert.deepEqual(world.heard("stopped"), [client.reason]);
    assert.deepEqual(await Promise.all(waiting), ["stopped", "disconnected", "disconnected"]);
    assert.equal(await codeOf(client.publish("lobby", 2)), "stopped");
    await world.advance(600000);
    assert.equal(world.sockets.length, 1);
    assert.deepEqual(world.timers, []);
    client.connect();
    await settle();
    assert.equal(world.sockets.length, 2);
  });
}

for (const code of [1001, 1005, 1006, 1011, 1012, 1013, 4000, 4006, 4007, 4008]) {
  test(`after close code ${code} it comes back`, async () => {
    const world = new World();
    const client = await world.open();
    await world.socket.end(code);
    assert.equal(client.state, "reconnecting");
    assert.equal(world.heard("disconnected")[0].willReconnect, true);
    await world.next();
    await world.socket.greet();
    assert.equal(client.state, "open");
  });
}

test("a heartbeat timeout is followed at once, but only after a connection that lasted", async () => {
  const world = new World();
  await world.open();
  await world.socket.end(4000);
  assert.equal(world.heard("state").at(-1).retryIn, 250);
  await world.advance(250);
  await world.socket.greet();
  await world.advance(10000);
  await world.socket.end(4000);
  assert.equal(world.heard("state").at(-1).retryIn, 0);
});

test("a connect that stalls is given up, and what it says later is not heard", async () => {
  const world = new World();
  const client = world.client({ connectTimeout: 3000 });
  await settle();
  const stalled = world.socket;
  await world.advance(3000);
  assert.notEqual(stalled.closed, null);
  await world.advance(250);
  assert.equal(world.sockets.length, 2);
  await stalled.greet({ client: "old" });
  assert.equal(client.state, "connecting");
  await world.socket.greet({ client: "new" });
  await stalled.end(4004);
  await stalled.say({ type: "broadcast", data: "late" });
  assert.deepEqual([client.state, client.id, world.heard("broadcast")], ["open", "new", []]);
});

test("never two connections at a time, whatever the page tells", async () => {
  const world = new World();
  const client = await world.open();
  await world.socket.end(1006);
  for (let i = 0; i < 5; i++) {
    await world.events.fire("online");
    await world.events.fire("pageshow", { persisted: true });
    await world.document.fire("visibilitychange");
    client.connect();
  }
  await world.advance(30000);
  const alive = world.sockets.filter(({ closed }) => closed === null);
  assert.ok(alive.length <= 2, "the first was ended by the server");
  assert.equal(world.sockets.at(-2).closed === null && world.sockets.length > 2, false);
  await world.socket.greet();
  for (let i = 0; i < 5; i++) await world.events.fire("online");
  assert.equal(client.state, "open");
});

test("silence after a ping is death; anything heard is life", async () => {
  const world = new World();
  world.answersPings = false;
  const client = await world.open();
  const first = world.socket;
  await first.reply(first.last("ping"), { time: 1 });
  await world.advance(25000);
  assert.equal(first.of("ping").length, 2);
  await world.advance(9000);
  await first.say({ type: "broadcast", time: 1, data: 1 });
  await world.advance(15999);
  assert.equal(client.state, "open");
  await world.advance(1);
  assert.equal(first.of("ping").length, 3);
  await world.advance(9999);
  assert.equal(client.state, "open");
  await world.advance(1);
  assert.equal(client.state, "reconnecting");
  assert.notEqual(first.closed, null);
  assert.equal(client.reason.reason, "No answer to a ping");
});

test("pings that come faster than their answers may be late do not put off the end", async () => {
  const world = new World();
  world.answersPings = false;
  const client = await world.open({}, { server: { pingInterval: 1000, pongTimeout: 10000 } });
  await world.advance(9999);
  assert.equal(client.state, "open");
  await world.events.fire("online");
  await world.advance(1);
  assert.equal(client.state, "open", "the probe began anew, but not for long");
  await world.advance(3999);
  assert.equal(client.state, "reconnecting");
});

test("latency is measured", async () => {
  const world = new World();
  world.answersPings = false;
  const client = await world.open();
  await world.advance(40);
  await world.socket.reply(world.socket.last("ping"), { time: 1 });
  const measured = client.ping();
  await world.advance(20);
  await world.socket.reply(world.socket.last("ping"), { time: 1 });
  assert.equal(await measured, 20);
  assert.deepEqual(client.latency, { last: 20, min: 20, max: 40, average: 30, count: 2 });
  assert.equal(world.heard("latency").length, 2);
});

test("silent while the browser is offline, at once when it is back", async () => {
  const world = new World();
  const client = await world.open();
  await world.advance(20000);
  world.navigator.onLine = false;
  await world.socket.end(1006);
  assert.equal(client.state, "offline");
  await world.advance(3600000);
  await world.events.fire("pageshow", { persisted: true });
  assert.equal(world.sockets.length, 1);
  world.navigator.onLine = true;
  await world.events.fire("online");
  await world.advance(0);
  assert.equal(world.sockets.length, 2);
  await world.socket.greet();
  assert.equal(client.state, "open");
});

test("going offline while it waits ends the waiting; a loopback address needs no network", async () => {
  const world = new World();
  const client = await world.open();
  await world.socket.end(1006);
  world.navigator.onLine = false;
  await world.events.fire("offline");
  assert.equal(client.state, "offline");
  await world.advance(60000);
  assert.equal(world.sockets.length, 1);
  const local = new World();
  local.navigator.onLine = false;
  for (const url of ["ws://localhost:8080/ws", "ws://127.0.0.1/", "ws://[::1]/"]) {
    const before = local.sockets.length;
    const other = local.client({ url });
    await settle();
    assert.equal(local.sockets.length, before + 1, url);
    await local.socket.end(1006);
    assert.equal(other.state, "connecting", url);
    other.close();
  }
});

test("online and offline while open: it is asked whether the connection lives", async () => {
  for (const event of ["online", "offline"]) {
    const world = new World();
    const client = await world.open();
    world.answersPings = false;
    await world.events.fire(event);
    assert.equal(client.state, "open");
    await world.advance(4000);
    assert.equal(client.state, "reconnecting");
  }
});

test("events of the page do not make it faster than its first wait or the server's hint", async () => {
  const world = new World();
  await world.open();
  await world.socket.end(1006);
  let count = world.sockets.length;
  for (let i = 0; i < 100; i++) {
    await world.events.fire("online");
    await world.advance(10);
    if (world.sockets.length > count) {
      count = world.sockets.length;
      await world.socket.end(1006);
    }
  }
  assert.ok(count <= 4, `${count} attempts in a second`);
  await world.next();
  await world.socket.greet();
  await world.advance(11000);
  await world.socket.say({ type: "reconnect", after: 8000, code: 1013 });
  await world.socket.end(1013);
  count = world.sockets.length;
  await world.events.fire("online");
  await world.advance(7999);
  assert.equal(world.sockets.length, count);
});

test("close ends everything; connect begins again with the rooms that were joined", async () => {
  const world = new World();
  const client = await world.open();
  const joining = client.join("lobby");
  await settle();
  await world.socket.reply(world.socket.last("join"), { room: "lobby", epoch: "e", offset: 3 });
  await joining;
  const waiting = [client.publish("lobby", 1), client.request("price"), client.join("other")];
  await settle();
  client.close();
  client.close();
  assert.deepEqual(await Promise.all(waiting.map(codeOf)), ["closed", "closed", "closed"]);
  assert.equal(world.socket.closed, 1000);
  assert.deepEqual([client.state, world.timers.length], ["closed", 0]);
  assert.equal(await codeOf(client.join("third")), "closed");
  assert.equal(await codeOf(client.opened()), "closed");
  client.connect();
  await settle();
  await world.socket.greet({ client: "c-2", session: "s-2" });
  assert.deepEqual(world.socket.of("join").map(({ room, since, session }) => [room, since, session]), [["lobby", { epoch: "e", offset: 3 }, "s-1"]]);
});

test("a handler may close or connect in the middle of everything", async () => {
  for (const event of ["state", "connected", "open", "disconnected", "stopped", "message"]) {
    const world = new World();
    const client = world.client();
    client.on(event, () => client.close());
    client.on("error", (error) => assert.fail(error));
    await settle();
    if (world.socket) {
      await world.socket.greet?.();
      if (client.state === "open") {
        client.join("lobby");
        await settle();
        await world.socket.reply(world.socket.last("join"), { room: "lobby" });
        await world.socket.say({ type: "message", room: "lobby", data: 1 }, { type: "message", room: "lobby", data: 2 });
      }
      if (client.state === "open") await world.socket.end(event === "stopped" ? 4004 : 1006);
    }
    assert.equal(client.state, "closed", event);
    assert.deepEqual(world.timers, [], event);
    if (event === "message") assert.equal(world.heard("message").length, 1);
  }
  const world = new World();
  const client = await world.open();
  client.on("stopped", () => client.connect());
  await world.socket.end(4004);
  assert.equal(client.state, "connecting");
  assert.equal(world.sockets.length, 2);
});

test("a signal closes it, also one that was aborted before", async () => {
  const world = new World();
  const abort = new AbortController();
  const client = await world.open({ signal: abort.signal });
  abort.abort();
  assert.equal(client.state, "closed");
  const never = world.client({ signal: abort.signal });
  await settle();
  assert.deepEqual([never.state, world.sockets.length], ["closed", 1]);
});

test("opened() follows the state", async () => {
  const world = new World();
  const client = world.client();
  const opened = client.opened();
  assert.equal(await Promise.race([opened.then(() => "open"), settle().then(() => "waits")]), "waits");
  const late = client.opened({ timeout: 100 });
  await world.advance(100);
  assert.equal(await codeOf(late), "timeout");
  await world.socket.greet();
  await opened;
  await client.opened();
});

test("an address that no browser connects to stops it at once", async () => {
  const world = new World();
  world.refuses = "An insecure WebSocket connection may not be initiated from a page loaded over HTTPS.";
  const client = world.client();
  await settle();
  assert.deepEqual([client.state, client.reason.code], ["stopped", "invalid_url"]);
  assert.match(client.reason.message, /insecure/);
  const other = new World();
  const wrong = other.client({ url: "no address" });
  await settle();
  assert.deepEqual([wrong.state, wrong.reason.code], ["stopped", "invalid_url"]);
});

test("without a WebSocket or an address it says what to give", () => {
  const world = new World();
  assert.throws(() => new WsdClient({ WebSocket: world.WebSocket, env: { location: undefined } }), /option url/);
  const there = globalThis.WebSocket;
  try {
    delete globalThis.WebSocket;
    assert.throws(() => new WsdClient({ url: "ws://example.org" }), /option WebSocket/);
  } finally {
    if (there) globalThis.WebSocket = there;
  }
});

// -- Where to connect.

const page = (href) => ({ location: new URL(href) });
async function addressOn(href, site, options = {}) {
  const world = new World();
  world.site = site;
  const client = world.client({ url: undefined, ...options, env: page(href) });
  await settle();
  await settle();
  return { world, client, address: world.socket?.url };
}

test("config.json of the page's host says where; wss on a page that came by https", async () => {
  const local = await addressOn("http://localhost:8080/chat/", { "http://localhost:8080/wsd/config.json": { connectionString: "ws://localhost:8080/ws", prefix: "/wsd/" } });
  assert.equal(local.address, "ws://localhost:8080/ws");
  const secure = await addressOn("https://example.org/", { "https://example.org/wsd/config.json": { connectionString: "ws://example.org/ws" } });
  assert.equal(secure.address, "wss://example.org/ws");
});

test("an address may be relative, http(s), or a function", async () => {
  assert.equal((await addressOn("https://example.org/app/", {}, { url: "ws" })).address, "wss://example.org/app/ws");
  assert.equal((await addressOn("http://example.org/app/", {}, { url: "/ws#there" })).address, "ws://example.org/ws");
  assert.equal((await addressOn("https://example.org/", {}, { url: new URL("http://other.org/ws?a=1") })).address, "ws://other.org/ws?a=1");
  assert.equal((await addressOn("https://example.org/", {}, { url: async () => "wss://given.org/" })).address, "wss://given.org/");
});

test("a config.json that cannot be read yet is a server that is not up yet", async () => {
  const { world, client } = await addressOn("http://example.org/", {});
  assert.equal(client.state, "connecting");
  for (const wrong of [{ status: 502 }, { connectionString: "nonsense" }, "<html>"]) {
    world.site = { "http://example.org/wsd/config.json": wrong };
    await world.advance(20000);
    assert.deepEqual([client.state, world.sockets.length], ["connecting", 0]);
  }
  assert.match(client.reason.reason, /wsd\/config\.json: /);
  world.site = { "http://example.org/wsd/config.json": { connectionString: "ws://example.org/ws" } };
  await world.advance(20000);
  assert.equal(world.sockets.length, 1);
});

// -- Tokens.

test("a token is sent first, and nothing else before it is accepted", async () => {
  const world = new World();
  const client = world.client({ token: "secret-token" });
  client.publish("lobby", 1);
  await settle();
  await world.socket.greet({ authRequired: true });
  assert.deepEqual(world.socket.sent.map(({ type, token }) => [type, token]), [["auth", "secret-token"]]);
  assert.equal(client.state, "connecting");
  await world.socket.greet({ authenticated: true, user: "ada", expiresIn: 3600 });
  assert.deepEqual([client.state, client.user], ["open", "ada"]);
  await world.socket.reply(world.socket.last("auth"), { user: "ada", expiresIn: 3600 });
  assert.equal(world.socket.of("publish").length, 1);
  assert.equal(world.heard("open").length, 1);
});

test("a token function is asked once, as long as its token is good", async () => {
  const world = new World();
  let asked = 0;
  const client = world.client({ token: async () => `token-${++asked}` });
  await settle();
  const accept = async () => {
    await world.socket.greet({ authRequired: true });
    await world.socket.greet({ authenticated: true, user: "ada", expiresIn: 100 });
  };
  await accept();
  for (let i = 0; i < 3; i++) {
    await world.socket.end(1006);
    await world.advance(5000);
    await accept();
  }
  assert.equal(asked, 1);
  assert.equal(client.state, "open");
  await world.socket.end(1006);
  world.time += 95000;
  await world.next();
  assert.equal(asked, 2, "its end was near");
});

test("before the token ends a new one is asked for and sent", async () => {
  const world = new World();
  let asked = 0;
  const client = world.client({ token: () => `token-${++asked}` });
  await settle();
  await world.socket.greet({ authRequired: true });
  await world.socket.greet({ authenticated: true, user: "ada", expiresIn: 600 });
  await world.socket.say({ type: "expiring", expiresIn: 60 });
  assert.deepEqual(world.heard("expiring"), [{ expiresIn: 60 }]);
  assert.deepEqual(world.socket.of("auth").map(({ token }) => token), ["token-1", "token-2"]);
  await world.socket.greet({ authenticated: true, user: "ada", expiresIn: 600 });
  assert.equal(client.state, "open");
  assert.equal(world.heard("open").length, 1);
});

test("a warning that does not come does no harm", async () => {
  const world = new World();
  let asked = 0;
  const client = world.client({ token: () => `token-${++asked}` });
  await settle();
  await world.socket.greet({ authRequired: true });
  await world.socket.greet({ authenticated: true, user: "ada", expiresIn: 4 });
  await world.advance(2799);
  assert.equal(asked, 1);
  await world.advance(1);
  assert.equal(world.socket.last("auth").token, "token-2");
  await world.socket.greet({ authenticated: true, user: "ada", expiresIn: 3600 });
  await world.socket.reply(world.socket.last("auth"), { user: "ada" });
  await world.advance(3568999);
  assert.equal(asked, 2);
  await world.socket.say({ type: "expiring", expiresIn: 31 });
  await world.socket.reply(world.socket.last("auth"), { user: "ada" });
  await world.advance(20000);
  assert.equal(asked, 3, "not both");
  assert.equal(client.state, "open");
});

test("a refresh whose token function fails is tried again until the end", async () => {
  const world = new World();
  let asked = 0;
  const answers = ["first", new Error("backend down"), new Error("backend down"), "second"];
  world.client({ token: () => { const next = answers[asked++]; if (next instanceof Error) throw next; return next; } });
  await settle();
  await world.socket.greet({ authRequired: true });
  await world.socket.greet({ authenticated: true, user: "ada", expiresIn: 600 });
  await world.socket.say({ type: "expiring", expiresIn: 60 });
  await world.advance(10000);
  assert.equal(asked, 4);
  assert.equal(world.socket.last("auth").token, "second");
  assert.deepEqual(world.heard("error").map(({ code }) => code), ["token_failed", "token_failed"]);
});

test("a token function that fails is an event, and asked again; what is no text ends it", async () => {
  const world = new World();
  let asked = 0;
  const client = world.client({ token: () => { if (!asked++) throw new Error("backend down"); return { token: "t" }; } });
  await settle();
  assert.deepEqual(world.heard("error").map(({ code, message }) => [code, message]), [["token_failed", "token(): backend down"]]);
  assert.deepEqual([client.state, client.reason.code, world.sockets.length], ["connecting", "token_failed", 0]);
  await world.advance(1000);
  assert.deepEqual([client.state, client.reason.code, asked, world.sockets.length], ["stopped", "invalid_token", 2, 0]);
});

test("a handler of the token function's failure may close the client", async () => {
  const world = new World();
  const client = world.client({ token: () => { throw new Error("backend down"); } });
  client.on("error", () => client.close());
  await settle();
  assert.deepEqual([client.state, world.timers.length, world.heard("error").length], ["closed", 0, 1]);
});

test("an expired token is replaced once; a second refusal stops", async () => {
  for (const code of [4001, 4002]) {
    const world = new World();
    let asked = 0;
    const client = world.client({ token: () => `token-${++asked}` });
    await settle();
    await world.socket.greet({ authRequired: true });
    await world.socket.greet({ authenticated: true, user: "ada", expiresIn: 600 });
    await world.socket.end(1006);
    await world.advance(1000);
    await world.socket.greet({ authRequired: true });
    assert.equal(world.socket.last("auth").token, "token-1");
    await world.socket.end(code);
    assert.equal(client.state, "reconnecting", code);
    await world.next();
    await world.socket.greet({ authRequired: true });
    assert.equal(world.socket.last("auth").token, "token-2");
    await world.socket.end(code);
    assert.equal(client.state, "stopped", code);
  }
});

test("a text cannot be renewed, and a new token that is not accepted is not tried again", async () => {
  const world = new World();
  const client = world.client({ token: "old" });
  await settle();
  await world.socket.greet({ authRequired: true });
  await world.socket.end(4002);
  assert.deepEqual([client.state, client.reason.code], ["stopped", 4002]);
  const other = new World();
  const fresh = other.client({ token: () => "fresh" });
  await settle();
  await other.socket.greet({ authRequired: true });
  await other.socket.end(4001);
  assert.equal(fresh.state, "stopped");
});

test("a token function that fails is asked again with the next attempt, unless it says that it makes no sense", async () => {
  const world = new World();
  let error = new Error("not up yet");
  const client = world.client({ token: async () => { throw error; } });
  await settle();
  assert.deepEqual([client.state, world.sockets.length], ["connecting", 0]);
  assert.match(client.reason.reason, /not up yet/);
  error = new WsdError("forbidden", "Please log in");
  await world.advance(20000);
  assert.deepEqual([client.state, client.reason.code, client.reason.message], ["stopped", "forbidden", "Please log in"]);
});

test("a server that wants a token, and there is none: that is said at once", async () => {
  const world = new World();
  const client = world.client({ token: () => null });
  await settle();
  await world.socket.greet({ authRequired: true });
  assert.deepEqual([client.state, client.reason], ["stopped", { code: 4001, message: "The token is missing or not accepted", reason: "There is no token" }]);
  client.setToken("now");
  client.connect();
  await settle();
  await world.socket.greet({ authRequired: true });
  await world.socket.greet({ authenticated: true, user: "ada" });
  assert.equal(client.state, "open");
});

test("setToken makes an anonymous client somebody, now and later", async () => {
  const world = new World();
  const client = await world.open();
  const done = client.setToken("ada-token");
  await settle();
  assert.equal(world.socket.last("auth").token, "ada-token");
  await world.socket.greet({ authenticated: true, user: "ada" });
  await world.socket.reply(world.socket.last("auth"), { user: "ada" });
  await done;
  assert.equal(client.user, "ada");
  await world.reconnect();
  assert.equal(world.socket.last("auth").token, "ada-token");
  const refused = client.setToken("bob-token");
  await settle();
  await world.socket.refuse(world.socket.last("auth"), { code: "forbidden" });
  assert.equal(await codeOf(refused), "forbidden");
});

test("neither tokens nor sessions nor, unless asked for, data stand in the log", async () => {
  for (const log of [false, "debug"]) {
    const world = new World();
    const client = world.client({ log, token: "my-\"secret\"", url: "ws://example.org/ws?token=in-the-address" });
    await settle();
    await world.socket.greet({ authRequired: true, session: "my-session" });
    await world.socket.greet({ authenticated: true, session: "my-session" });
    const joining = client.join("lobby");
    await settle();
    await world.socket.reply(world.socket.last("join"), { room: "lobby" });
    await joining;
    client.publish("lobby", { text: "my-words" });
    await settle();
    await world.reconnect({ authenticated: true });
    await world.socket.greet({ authenticated: true });
    const text = client.exportLog();
    assert.ok(text.length > 100);
    assert.doesNotMatch(text, /secret|my-session|in-the-address/);
    assert.equal(/my-words/.test(text), log === "debug");
    for (const line of text.split("\n")) assert.ok(JSON.parse(line).level);
  }
});

test("the log has levels, a bound, and may go elsewhere", async () => {
  const world = new World();
  const written = [];
  const console = Object.fromEntries(["error", "warn", "info", "debug"].map((level) => [level, (text) => written.push([level, text])]));
  const client = world.client({ log: "info", logSize: 3, env: { console } });
  for (const level of ["error", "warn", "info", "debug"]) client.log(level, `at ${level}`);
  assert.deepEqual(written.map(([level]) => level), ["error", "warn", "info"]);
  assert.equal(client.exportLog().split("\n").length, 3);
  const entries = [];
  const other = world.client({ log: (entry) => { entries.push(entry); throw new Error("a log that fails"); } });
  other.log("debug", "words", { more: 1 });
  assert.deepEqual(entries.map(({ level, text, detail }) => [level, text, detail]), [["debug", "words", { more: 1 }]]);
});

// -- Corners.

test("the page tells nothing while an attempt is under way, nor when it was hidden or merely shown", async () => {
  const world = new World();
  const client = world.client();
  await settle();
  for (const event of ["online", "offline"]) await world.events.fire(event);
  await world.document.fire("visibilitychange");
  await world.advance(5000);
  assert.equal(world.sockets.length, 1);
  await world.socket.greet();
  const pings = () => world.socket.of("ping").length;
  assert.equal(pings(), 1);
  world.document.visibilityState = "hidden";
  await world.document.fire("visibilitychange");
  await world.events.fire("pageshow", { persisted: false });
  assert.equal(pings(), 1);
  world.document.visibilityState = "visible";
  await world.document.fire("visibilitychange");
  await world.events.fire("pageshow", { persisted: true });
  assert.equal(pings(), 3);
  client.close();
  const left = [...world.events.listeners.values(), ...world.document.listeners.values()].flat();
  assert.deepEqual(left, []);
});

test("the rest of a frame is not heard after a handler has closed", async () => {
  const world = new World();
  const client = await world.open();
  client.on("broadcast", () => client.close());
  const connected = { type: "connected", client: "c-9", session: "s", authRequired: false, server: {} };
  await world.socket.say({ type: "broadcast", data: 1 }, connected, { type: "broadcast", data: 2 });
  assert.deepEqual([client.state, client.id, world.heard("broadcast").length], ["closed", "c-1", 1]);
});

test("nothing is heard before the greeting, and nothing measured", async () => {
  const world = new World();
  const client = world.client();
  await settle();
  const ping = codeOf(client.ping());
  await world.socket.say({ type: "broadcast", data: 1 }, { type: "reconnect", after: 9000 }, { type: "joined", room: "r" });
  assert.deepEqual([await ping, world.heard("broadcast"), client.rooms], ["disconnected", [], []]);
  assert.deepEqual(world.socket.sent, []);
});

test("a token that expires again and again is renewed each time, as long as it was good between", async () => {
  const world = new World();
  let asked = 0;
  const client = world.client({ token: () => `token-${++asked}` });
  await settle();
  for (let round = 1; round <= 4; round++) {
    await world.socket.greet({ authRequired: true });
    assert.equal(world.socket.last("auth").token, `token-${round}`);
    await world.socket.greet({ authenticated: true, user: "ada", expiresIn: 600 });
    assert.equal(client.state, "open");
    await world.socket.end(4002);
    await world.next();
  }
});

test("a token without an end is asked for once, also after one with an end; a text is not sent again", async () => {
  const world = new World();
  let asked = 0;
  const client = world.client({ token: () => `token-${++asked}` });
  await settle();
  const accept = async (more) => {
    await world.socket.greet({ authRequired: true });
    await world.socket.greet({ authenticated: true, user: "ada", ...more });
  };
  await accept({ expiresIn: 10 });
  await world.socket.end(1006);
  world.time += 20000;
  await world.next();
  await accept({});
  for (let round = 0; round < 3; round++) {
    await world.reconnect({ authRequired: true });
    await world.socket.greet({ authenticated: true, user: "ada" });
  }
  assert.equal(asked, 2);
  client.setToken("text");
  await settle();
  await world.socket.greet({ authenticated: true, user: "ada", expiresIn: 10 });
  const before = world.socket.of("auth").length;
  await world.socket.say({ type: "expiring", expiresIn: 5 });
  await world.advance(8000);
  assert.equal(world.socket.of("auth").length, before);
});

test("a refresh that makes no sense is not tried again", async () => {
  const world = new World();
  let asked = 0;
  const client = world.client({ token: () => { if (++asked > 1) throw new WsdError("forbidden", "Logged out"); return "first"; } });
  await settle();
  await world.socket.greet({ authRequired: true });
  await world.socket.greet({ authenticated: true, user: "ada", expiresIn: 600 });
  await world.socket.say({ type: "expiring", expiresIn: 60 });
  await world.advance(40000);
  assert.deepEqual([asked, client.state, world.heard("error").map(({ code }) => code)], [2, "open", ["forbidden"]]);
});

test("config.json is asked again when its address does not answer, and not otherwise", async () => {
  const site = { "http://example.org/wsd/config.json": { connectionString: "ws://example.org/ws" } };
  const { world } = await addressOn("http://example.org/", site);
  await world.socket.greet();
  await world.socket.end(1006);
  await world.next();
  assert.equal(world.fetched.length, 1);
  await world.socket.end(1006);
  await world.next();
  assert.equal(world.fetched.length, 2);
});

test("connect begins with all attempts and the first wait", async () => {
  const world = new World();
  const client = world.client({ reconnect: { attempts: 1 } });
  await settle();
  for (let round = 0; round < 3; round++) {
    await world.socket.end(1006);
    assert.equal(world.heard("state").at(-1).retryIn, 250);
    await world.next();
    await world.socket.end(1006);
    assert.equal(client.state, "stopped");
    client.connect();
    await settle();
  }
});

test("signals are let go of, and room() wants a name", async () => {
  const world = new World();
  const client = await world.open();
  const abort = new AbortController();
  const { signal } = abort;
  const answers = [client.ping({ signal }), client.publish("r", 1, { signal }), client.opened({ signal })];
  await settle();
  await world.socket.reply(world.socket.last("publish"), { room: "r" });
  await Promise.all(answers);
  assert.equal(getEventListeners(signal, "abort").length, 0);
  for (const name of ["", undefined, 7]) assert.throws(() => client.room(name), TypeError);
});

test("options that are undefined are as if they were not there", async () => {
  const world = new World();
  const client = world.client({ connectTimeout: undefined, log: undefined, reconnect: undefined, queue: undefined, token: undefined, requestTimeout: undefined });
  await settle();
  await world.advance(9999);
  assert.equal(world.sockets.length, 1);
  await world.socket.greet();
  const late = codeOf(client.request("x"));
  await world.advance(10000);
  assert.equal(await late, "timeout");
});

test("closed while its address or its token is asked for: nothing connects", async () => {
  for (const asked of ["url", "token"]) {
    for (const outcome of ["answer", "fail"]) {
      const world = new World();
      let settleIt;
      const pending = new Promise((resolve, reject) => (settleIt = { answer: () => resolve("ws://example.org/"), fail: () => reject(new Error("no")) }));
      const client = world.client({ [asked]: () => pending });
      await settle();
      client.close();
      settleIt[outcome]();
      await world.advance(60000);
      assert.deepEqual([client.state, world.sockets.length, world.timers.length], ["closed", 0, 0], `${asked} ${outcome}`);
    }
  }
});

test("offline at the beginning, and a handler that closes when the network is back", async () => {
  const world = new World();
  world.navigator.onLine = false;
  const client = world.client();
  await settle();
  assert.deepEqual([client.state, world.sockets.length], ["offline", 0]);
  client.on("state", ({ state }) => state === "connecting" && client.close());
  world.navigator.onLine = true;
  await world.events.fire("online");
  await world.advance(1000);
  assert.deepEqual([client.state, world.sockets.length, world.timers.length], ["closed", 0, 0]);
});

test("a wait that the offline browser ended does not go on", async () => {
  const world = new World();
  const client = await world.open();
  await world.socket.end(1006);
  world.navigator.onLine = false;
  await world.events.fire("offline");
  assert.deepEqual([client.state, world.timers.length], ["offline", 0]);
});

test("hints and waits of a former life do not hold for the next", async () => {
  const world = new World();
  const client = await world.open();
  await world.socket.say({ type: "reconnect", after: 9000, code: 1012 });
  client.close();
  client.connect();
  await settle();
  await world.socket.greet();
  await world.socket.end(1006);
  assert.equal(world.heard("state").at(-1).retryIn, 250);
});
