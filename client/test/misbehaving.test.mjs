/** Real sockets, and a server that does what servers should not. */
import assert from "node:assert/strict";
import test from "node:test";
import { WsdClient } from "../wsd-client.js";
import { frame, greeting, ScriptedServer, TinyWebSocket } from "./sockets.mjs";
import { codeOf } from "./world.mjs";

const once = (emitter, event) => new Promise((resolve) => emitter.once(event, resolve));
const until = (emitter, event, fits) => new Promise((resolve) => {
  const end = emitter.on(event, (value) => {
    if (!fits(value)) return;
    end();
    resolve(value);
  });
});

function scripted(name, script, options = {}) {
  test(name, { timeout: 20000 }, async () => {
    const server = await ScriptedServer.start(options.server);
    const client = new WsdClient({ url: server.url, WebSocket: TinyWebSocket, log: false, ...options.client });
    try {
      await script(server, client);
    } finally {
      client.close();
      await server.stop();
    }
  });
}

/** Answers joins and publications of one room with history, as a good server. */
class History {
  messages = [];
  ids = new Map();
  serve(peer) {
    peer.onMessage = (message) => {
      const { type, room, since, data, messageId } = message;
      if (type === "ping") peer.reply(message, {});
      else if (type === "join") {
        const missed = this.messages.slice(since?.offset ?? this.messages.length);
        peer.reply(message, { room, epoch: "e", offset: this.messages.length, ...(since && { recovered: true }) });
        if (missed.length) peer.send(missed);
      } else if (type === "publish") {
        const known = this.ids.get(messageId);
        const offset = known ?? this.add({ room, data, id: messageId });
        this.ids.set(messageId, offset);
        this.answers?.(peer, message, { room, epoch: "e", offset, ...(known && { duplicate: true }) }) ??
          peer.reply(message, { room, epoch: "e", offset, ...(known && { duplicate: true }) });
        if (!known) peer.send(this.messages[offset - 1]);
      } else return false;
      return true;
    };
  }
  add(message) {
    this.messages.push({ type: "message", epoch: "e", time: 1, offset: this.messages.length + 1, ...message });
    return this.messages.length;
  }
}

scripted("the handshake asks for the subprotocol", async (server, client) => {
  const peer = await server.connection();
  await client.opened();
  assert.equal(peer.protocol, "wsd.v1.json");
});

scripted("a server that drops connections in the middle of frames and answers: once each, in order", async (server, client) => {
  const history = new History();
  const seen = [];
  let answered = 0;
  // Every fourth answer is lost with its connection, every seventh cut in two.
  history.answers = (peer, message, data) => {
    answered++;
    const bytes = frame(1, JSON.stringify({ type: "reply", requestId: message.requestId, data }));
    if (answered % 4 === 0) peer.destroy();
    else if (answered % 7 === 0) {
      peer.raw(bytes.subarray(0, bytes.length / 2));
      peer.socket.destroySoon();
    } else return undefined;
    return true;
  };
  (async () => {
    for (;;) history.serve(await server.connection());
  })();
  const room = await client.join("kept");
  room.on("message", ({ data }) => seen.push(data));
  const numbers = Array.from({ length: 40 }, (_, index) => index);
  await Promise.all(numbers.map((number) => room.publish(number)));
  if (seen.length < 40) await until(room, "message", () => seen.length === 40);
  assert.deepEqual(seen, numbers);
  assert.deepEqual(history.messages.map(({ data }) => data), numbers);
  assert.ok(server.connections > 5);
}, { client: { reconnect: { min: 1, max: 5 } } });

scripted("frames in pieces, many in one, and pings between", async (server, client) => {
  const peer = await server.connection();
  await client.opened();
  const heard = [];
  client.on("broadcast", ({ data }) => heard.push(data));
  const text = JSON.stringify({ type: "broadcast", time: 1, data: "ä".repeat(200) });
  const bytes = Buffer.concat([frame(1, Buffer.from(text).subarray(0, 50), { fin: false }), frame(9, "ping"), frame(0, Buffer.from(text).subarray(50))]);
  for (const byte of bytes) peer.raw(Buffer.from([byte]));
  peer.raw(Buffer.concat([1, 2, 3].map((data) => frame(1, JSON.stringify({ type: "broadcast", time: 1, data })))));
  await until(client, "broadcast", ({ data }) => data === 3);
  assert.deepEqual(heard, ["ä".repeat(200), 1, 2, 3]);
});

scripted("a half-open connection is noticed by its silence", async (server, client) => {
  const peer = await server.connection();
  await client.opened();
  server.silent = false;
  peer.onMessage = () => true;
  const { reason } = await once(client, "disconnected");
  assert.equal(reason, "No answer to a ping");
  await server.connection();
  await client.opened();
}, { client: { heartbeatInterval: 40, heartbeatTimeout: 60 } });

scripted("a server that accepts and never answers the handshake", async (server, client) => {
  const { reason } = await until(client, "state", ({ retryIn }) => retryIn !== undefined);
  assert.equal(reason.reason, "No connection in time");
  server.isDeaf = false;
  await client.opened();
}, { server: { isDeaf: true }, client: { connectTimeout: 100, reconnect: { min: 1 } } });

scripted("a server that upgrades and never greets", async (server, client) => {
  await server.connection();
  await until(client, "state", ({ retryIn }) => retryIn !== undefined);
  server.greets = true;
  await client.opened();
}, { server: { greets: false }, client: { connectTimeout: 100, reconnect: { min: 1 } } });

for (const refusal of ["403 Forbidden", "404 Not Found", "426 Upgrade Required", "502 Bad Gateway"]) {
  scripted(`a handshake that is refused with ${refusal} is tried again, with backoff`, async (server, client) => {
    await until(client, "state", ({ retryIn }) => retryIn !== undefined && server.connections >= 4);
    assert.equal(client.state, "connecting");
    server.refusal = undefined;
    await client.opened();
  }, { server: { refusal }, client: { reconnect: { min: 1, max: 5 } } });
}

test("a server that comes later", { timeout: 20000 }, async () => {
  const first = await ScriptedServer.start();
  const { port, url } = first;
  await first.stop();
  const client = new WsdClient({ url, WebSocket: TinyWebSocket, log: false, reconnect: { min: 1, max: 20 } });
  client.on("error", (error) => assert.fail(error));
  await until(client, "state", ({ retryIn }) => retryIn !== undefined);
  assert.equal(client.state, "connecting");
  const second = await ScriptedServer.start({ port });
  await client.opened();
  client.close();
  await second.stop();
});

for (const code of [1000, 1002, 1003, 1007, 1008, 1009, 3999, 4001, 4003, 4004, 4005, 4009, 4999]) {
  scripted(`close code ${code} on the wire ends it`, async (server, client) => {
    const peer = await server.connection();
    await client.opened();
    const stopped = once(client, "stopped");
    peer.close(code, "because");
    const { code: told, reason } = await stopped;
    assert.deepEqual([told, reason, client.state], [code, "because", "stopped"]);
    await new Promise((resolve) => setTimeout(resolve, 50));
    assert.equal(server.connections, 1);
  });
}

for (const code of [undefined, 1001, 1011, 1012, 1013, 1014, 4000, 4006, 4007, 4008]) {
  scripted(`close code ${code ?? "none"} on the wire brings it back`, async (server, client) => {
    const peer = await server.connection();
    await client.opened();
    const disconnected = once(client, "disconnected");
    peer.close(code, "");
    assert.equal((await disconnected).code, code ?? 1005);
    await server.connection();
    await client.opened();
  });
}

scripted("two connections never live at the same time while the server closes one after the other", async (server, client) => {
  let alive = 0;
  let most = 0;
  for (let round = 0; round < 20; round++) {
    const peer = await server.connection();
    alive++;
    most = Math.max(most, alive);
    await client.opened();
    peer.socket.on("close", () => alive--);
    const ended = once(peer.socket, "close");
    const gone = once(client, "disconnected");
    if (round % 2) peer.close(1012, "");
    else peer.destroy();
    await Promise.all([ended, gone]);
  }
  assert.equal(most, 1);
}, { client: { reconnect: { min: 1, max: 2 } } });

scripted("answers in any order, late, twice, to nobody", async (server, client) => {
  const peer = await server.connection();
  await client.opened();
  const asked = ["a", "b", "c"].map((type) => client.request(type));
  const late = codeOf(client.request("late", null, { timeout: 30 }));
  const [a, b, c, l] = await Promise.all(["a", "b", "c", "late"].map((type) => peer.next(type)));
  assert.equal(await late, "timeout");
  peer.reply(l, "too late");
  for (const command of [c, a, c, { requestId: "unknown" }, { requestId: null }, b]) peer.reply(command, command.type);
  assert.deepEqual(await Promise.all(asked), ["a", "b", "c"]);
});

scripted("garbage between good messages", async (server, client) => {
  const peer = await server.connection();
  await client.opened();
  const heard = once(client, "broadcast");
  for (const text of ["", "{", "null", "[1,2", '{"type":"reply","requestId":{}}', '{"type":"message","room":[]}', "x".repeat(100000)]) peer.text(text);
  peer.raw(frame(2, Buffer.from([0, 1, 2])));
  peer.send({ type: "broadcast", time: 1, data: "good" });
  assert.equal((await heard).data, "good");
  assert.equal(client.state, "open");
  assert.ok(client.stats().invalid >= 5);
});

scripted("the server's reconnect is obeyed on the wire", async (server, client) => {
  const peer = await server.connection();
  await client.opened();
  const gone = once(client, "disconnected");
  peer.send({ type: "reconnect", after: 300, code: 1012 });
  peer.close(1012, "restart");
  assert.equal((await gone).retryIn, 300);
  const from = performance.now();
  await server.connection();
  assert.ok(performance.now() - from > 250);
}, { client: { reconnect: { stableAfter: 0 } } });

test("the address comes from config.json, with the path that a proxy has put in front", { timeout: 20000 }, async () => {
  const server = await ScriptedServer.start();
  const told = { connectionString: `ws://127.0.0.1:${server.port}/ws`, prefix: "/wsd/" };
  server.files = { "/wsd/config.json": JSON.stringify(told) };
  const location = new URL(`http://127.0.0.1:${server.port}/page`);
  const client = new WsdClient({ WebSocket: TinyWebSocket, log: false, env: { location } });
  assert.equal((await server.connection()).url, "/ws");
  client.close();
  await server.stop();
});

test("a greeting with another server behind it: the rooms, the queue and the session move over", { timeout: 20000 }, async () => {
  const server = await ScriptedServer.start();
  const client = new WsdClient({ url: server.url, WebSocket: TinyWebSocket, log: false });
  const first = await server.connection();
  const joining = client.join("kept");
  first.reply(await first.next("join"), { room: "kept", epoch: "e", offset: 1 });
  const room = await joining;
  first.destroy();
  await once(client, "disconnected");
  const sent = room.publish("meanwhile");
  const second = await server.connection();
  const join = await second.next("join");
  assert.deepEqual([join.since, join.session], [{ epoch: "e", offset: 1 }, "s-1"]);
  second.reply(join, { room: "kept", epoch: "e", offset: 1, recovered: true });
  const publish = await second.next("publish");
  second.reply(publish, { room: "kept", epoch: "e", offset: 2 });
  assert.equal((await sent).offset, 2);
  client.close();
  await server.stop();
});

test("it goes on while an event loop is busy: no ping of its own kills it", { timeout: 20000 }, async () => {
  const server = await ScriptedServer.start();
  const client = new WsdClient({ url: server.url, WebSocket: TinyWebSocket, log: false, heartbeatInterval: 50, heartbeatTimeout: 400 });
  await client.opened();
  for (let i = 0; i < 3; i++) {
    const end = performance.now() + 100;
    while (performance.now() < end);
    await new Promise((resolve) => setTimeout(resolve, 20));
  }
  assert.equal(client.stats().reconnects, 0);
  assert.ok(greeting().type);
  client.close();
  await server.stop();
});
