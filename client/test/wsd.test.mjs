/** Against a real wsd: nothing lost, nothing twice, whoever is killed. Skipped where WSD_BIN is not set. */
import assert from "node:assert/strict";
import { after, before, describe, test } from "node:test";
import { WsdClient } from "../wsd-client.js";
import { reason, Service, token } from "./service.mjs";
import { TinyWebSocket } from "./sockets.mjs";
import { codeOf } from "./world.mjs";

const once = (emitter, event, fits = () => true) => new Promise((resolve) => {
  const end = emitter.on(event, (value) => {
    if (!fits(value)) return;
    end();
    resolve(value);
  });
});
const clients = new Set();
function connect(service, options = {}) {
  const client = new WsdClient({ url: service.url, WebSocket: TinyWebSocket, log: false, ...options });
  clients.add(client);
  return client;
}
function closeAll() {
  for (const client of clients) client.close();
  clients.clear();
}

const rules = `
restart:
  initialDelay: 10ms
  maxDelay: 200ms
  stableAfter: 0
rooms:
  presenceGrace: 1s
  typingTimeout: 1s
  rules:
    - match: "kept*"
      historySize: 20000
    - match: "short"
      historySize: 5
    - match: "slow"
      historySize: 100
      rate: 5/s burst 2
`;

describe("a wsd without limits", { skip: reason, timeout: 55000, concurrency: false }, () => {
  let service;
  before(async () => (service = await Service.start(`${rules}\nlimits:\n  messageRate: off\nauth:\n  secretFile: secret\n  leeway: 0\n`)));
  after(() => service?.remove());

  test("rooms: messages, members, typing, reading, history", async () => {
    const [one, two] = [connect(service), connect(service)];
    const [first, second] = [one.room("kept basics"), two.room("kept basics")];
    await first.join();
    const came = once(first, "userJoined");
    const { members, presence } = await second.join({ presence: true });
    assert.deepEqual([members, presence.length, (await came).client], [2, 2, two.id]);
    const heard = once(first, "message");
    const { offset, epoch } = await second.publish({ text: "hi" });
    const message = await heard;
    assert.deepEqual([message.data, message.offset, message.epoch, message.from.client, message.own], [{ text: "hi" }, offset, epoch, two.id, false]);
    assert.equal((await first.presence()).length, 2);
    assert.equal(await first.presenceCount(), 2);
    const page = await first.history({ limit: 10 });
    assert.deepEqual(page.messages.map(({ data, room }) => [data, room]), [[{ text: "hi" }, "kept basics"]]);
    const writes = once(first, "typing");
    second.typing();
    assert.deepEqual([(await writes).client, (await once(first, "typing", ({ typing }) => !typing)).client], [two.id, two.id]);
    const read = once(second, "read");
    first.read();
    assert.equal((await read).offset, 1);
    const broadcast = once(two, "broadcast");
    await one.broadcast("all");
    assert.equal((await broadcast).data, "all");
    const left = once(first, "userLeft");
    await second.leave();
    assert.equal((await left).client, two.id);
    assert.ok(await one.ping() >= 0);
    assert.equal(await codeOf(one.request("price", {})), "unknown_type");
    closeAll();
  });

  test("what was missed comes after a reconnect, and the others notice nothing", async () => {
    const [reader, writer] = [connect(service), connect(service)];
    const room = await reader.join("kept missed");
    const seen = [];
    room.on("message", ({ data }) => seen.push(data));
    const others = await writer.join("kept missed");
    const moves = [];
    others.on("userJoined", (event) => moves.push(event));
    others.on("userLeft", (event) => moves.push(event));
    await others.publish(0);
    reader._socket._socket.destroy();
    await once(reader, "disconnected");
    for (let number = 1; number < 300; number++) others.publish(number);
    await once(room, "message", () => seen.length === 300);
    assert.deepEqual(seen, Array.from({ length: 300 }, (_, number) => number));
    await new Promise((resolve) => setTimeout(resolve, 1200));
    assert.deepEqual(moves, []);
    closeAll();
  });

  test("what is no longer kept is a gap", async () => {
    const [reader, writer] = [connect(service), connect(service)];
    const room = await reader.join("short");
    reader._socket._socket.destroy();
    await once(reader, "disconnected");
    reader.close();
    for (let number = 0; number < 20; number++) await writer.publish("short", number);
    const gap = once(reader, "gap");
    reader.connect();
    const { reason, position } = await gap;
    assert.deepEqual([reason, position.offset], ["expired", 20]);
    assert.equal(room.joined, true);
    closeAll();
  });

  test("a room's own rate delays and keeps the order", async () => {
    const [reader, writer] = [connect(service), connect(service)];
    const room = await reader.join("slow");
    const seen = [];
    room.on("message", ({ data }) => seen.push(data));
    const sent = Array.from({ length: 8 }, (_, number) => writer.publish("slow", number));
    assert.deepEqual((await Promise.all(sent)).map(({ offset }) => offset), [1, 2, 3, 4, 5, 6, 7, 8]);
    if (seen.length < 8) await once(room, "message", () => seen.length === 8);
    assert.deepEqual(seen, [0, 1, 2, 3, 4, 5, 6, 7]);
    assert.ok(writer.stats().rateLimited > 0);
    closeAll();
  });

  test("direct messages by user; a token that ends is renewed without a reconnect; another one's is refused", async () => {
    let asked = 0;
    const ada = connect(service, { token: () => token("ada", ++asked === 1 ? 5 : 3600) });
    const bob = connect(service, { token: token("bob") });
    await Promise.all([ada.opened(), bob.opened()]);
    assert.deepEqual([ada.user, bob.user], ["ada", "bob"]);
    const letter = once(ada, "direct");
    await bob.sendTo("ada", { text: "hi" });
    const { data, from } = await letter;
    assert.deepEqual([data, from.user], [{ text: "hi" }, "bob"]);
    await once(ada, "connected");
    await new Promise((resolve) => setTimeout(resolve, 2500));
    assert.deepEqual([asked, ada.state, ada.stats().reconnects], [2, "open", 0]);
    assert.equal(await codeOf(bob.setToken(token("ada"))), "forbidden");
    const wrong = connect(service, { token: "nonsense" });
    await once(wrong, "stopped");
    assert.equal(wrong.reason.code, 4001);
    const old = connect(service, { token: token("carl", -100) });
    assert.equal((await once(old, "stopped")).code, 4002);
    closeAll();
  });

  test("workers, the hub and the whole service are killed while two clients write and read: once each, in order", async () => {
    const room = "kept under fire";
    const count = 900;
    const reconnect = { min: 5, max: 100 };
    const pair = [connect(service, { reconnect }), connect(service, { reconnect })];
    const seen = [[], []];
    const gaps = [];
    const errors = [];
    for (const [index, client] of pair.entries()) {
      const joined = await client.join(room);
      joined.on("message", ({ data, offset }) => seen[index].push([data.by, data.number, offset]));
      client.on("gap", (gap) => gaps.push(gap));
      client.on("error", (error) => errors.push(error));
    }
    let isWriting = true;
    const write = async (index) => {
      const sent = [];
      for (let number = 0; number < count; number++) {
        sent.push(pair[index].publish(room, { by: index, number }));
        // A burst now and then waits in the queue; most follow their answers.
        if (sent.length === 5) await Promise.all(sent.splice(0));
        await new Promise((resolve) => setTimeout(resolve, 2));
      }
      await Promise.all(sent);
    };
    const destroy = async () => {
      const victims = ["worker 1", "hub", "worker 2", "hub", "all", "worker 1", "worker 2", "hub"];
      for (const victim of victims) {
        if (!isWriting) return;
        if (victim === "all") await service.restart();
        else await service.kill(victim);
        await new Promise((resolve) => setTimeout(resolve, 250));
        await service.healthy();
      }
    };
    const writing = Promise.all([write(0), write(1)]).then(() => (isWriting = false));
    await Promise.all([destroy(), writing]);
    for (const [index, client] of pair.entries()) {
      if (seen[index].length < 2 * count) await once(client, "message", () => seen[index].length >= 2 * count);
    }
    for (const list of seen) {
      assert.equal(list.length, 2 * count);
      assert.deepEqual(list.map(([, , offset]) => offset), Array.from({ length: 2 * count }, (_, number) => number + 1));
      for (const by of [0, 1]) assert.deepEqual(list.filter(([who]) => who === by).map(([, number]) => number), Array.from({ length: count }, (_, number) => number));
    }
    assert.deepEqual(seen[0], seen[1]);
    assert.deepEqual([gaps, errors], [[], []]);
    const figures = pair.map((client) => client.stats());
    assert.ok(figures.every(({ reconnects }) => reconnects > 0), "nobody was killed under them");
    closeAll();
  });
});

describe("a wsd with limits", { skip: reason, timeout: 40000, concurrency: false }, () => {
  let service;
  before(async () => (service = await Service.start(
    "rooms:\n  defaults:\n    historySize: 1000\nauth:\n  secretFile: secret\nlimits:\n  connectionsPerUser: 1\n  perUserPolicy: replaceOldest\n")));
  after(() => service?.remove());

  test("the message rate is kept to without a refusal", async () => {
    const client = connect(service);
    const room = await client.join("lobby");
    const seen = [];
    room.on("message", ({ data }) => seen.push(data));
    const numbers = Array.from({ length: 45 }, (_, number) => number);
    await Promise.all(numbers.map((number) => room.publish(number)));
    if (seen.length < 45) await once(room, "message", () => seen.length === 45);
    assert.deepEqual(seen, numbers);
    assert.equal(client.stats().rateLimited, 0);
    assert.ok(client.stats().rateWaits > 0);
    closeAll();
  });

  test("the same user once more: the first stops, and there is no ping-pong", async () => {
    const first = connect(service, { token: token("ada") });
    await first.opened();
    const stopped = once(first, "stopped");
    const second = connect(service, { token: token("ada") });
    await second.opened();
    assert.equal((await stopped).code, 4004);
    await new Promise((resolve) => setTimeout(resolve, 1500));
    assert.deepEqual([first.state, second.state, second.stats().attempts, first.stats().attempts], ["stopped", "open", 1, 1]);
    closeAll();
  });
});
