/** Rooms, resume, the queue, rates, requests: on a clock that is moved by hand. */
import assert from "node:assert/strict";
import test from "node:test";
import { WsdError } from "../wsd-client.js";
import { codeOf, settle, World } from "./world.mjs";

/** A client in a room with history, at offset 3. */
async function inRoom(options = {}, hello = {}) {
  const world = new World();
  const client = await world.open(options, hello);
  const room = client.room("kept");
  const joining = room.join();
  await settle();
  await world.socket.reply(world.socket.last("join"), { room: "kept", epoch: "e", offset: 3, members: 1 });
  await joining;
  const seen = [];
  room.on("message", ({ offset }) => seen.push(offset));
  return { world, client, room, seen };
}
const message = (offset, more = {}) => ({ type: "message", room: "kept", epoch: "e", offset, time: 1, data: `m${offset}`, ...more });
const answer = (world, data) => world.socket.reply(world.socket.last("join"), { room: "kept", ...data });

// -- Resume.

test("after a reconnect each room is joined again from where it was, in the name of its former connection", async () => {
  const { world, client, room, seen } = await inRoom();
  await world.socket.say(message(4), message(5));
  assert.deepEqual(room.position, { epoch: "e", offset: 5 });
  await world.reconnect();
  const { since, session } = world.socket.last("join");
  assert.deepEqual([since, session], [{ epoch: "e", offset: 5 }, "s-1"]);
  assert.equal(room.joined, false);
  await answer(world, { epoch: "e", offset: 8, recovered: true, members: 2 });
  await world.socket.say(message(6), message(7));
  await world.socket.say(message(8));
  await world.socket.say(message(9));
  assert.deepEqual(seen, [4, 5, 6, 7, 8, 9]);
  assert.deepEqual(world.heard("gap"), []);
  assert.equal(world.heard("joined").length, 2);
  assert.equal(client.stats().reconnects, 1);
});

test("a session is the one of the connection that had joined, also after one that had not", async () => {
  const { world } = await inRoom();
  await world.reconnect({ session: "s-2" });
  await world.reconnect({ session: "s-3" });
  assert.equal(world.socket.last("join").session, "s-1");
});

test("what comes twice is handled once, and nothing before the answer to the join", async () => {
  const { world, client, seen } = await inRoom();
  await world.socket.say(message(4), message(4), message(3));
  await world.reconnect();
  await world.socket.say(message(5));
  await answer(world, { epoch: "e", offset: 5, recovered: true });
  await world.socket.say(message(5), message(4), message(6));
  assert.deepEqual(seen, [4, 5, 6]);
  assert.equal(client.stats().duplicates, 3);
});

test("the position moves after the handler, also after one that throws", async () => {
  const { world, client, room } = await inRoom();
  const positions = [];
  room.on("message", ({ offset }) => {
    positions.push(room.position.offset);
    if (offset === 4) throw new Error("in the handler");
  });
  room.on("message", async ({ offset }) => {
    if (offset === 5) throw new Error("later");
  });
  client.on("error", () => { throw new Error("in the error handler"); });
  const others = [];
  client.on("message", ({ offset }) => others.push(offset));
  await world.socket.say(message(4), message(5), message(6));
  assert.deepEqual(positions, [3, 4, 5]);
  assert.deepEqual(others, [4, 5, 6]);
  assert.deepEqual(world.heard("error").map(({ code, message, cause }) => [code, message, cause.message]), [
    ["handler_failed", 'A handler of message failed: in the handler', "in the handler"],
    ["handler_failed", 'A handler of message failed: later', "later"],
  ]);
});

for (const reason of ["expired", "epoch_changed", "ahead"]) {
  test(`what could not be resumed (${reason}) is told to the room and the client, and it goes on from there`, async () => {
    const { world, room, seen } = await inRoom();
    const gaps = [];
    room.on("gap", (gap) => gaps.push(gap));
    await world.reconnect();
    await answer(world, { epoch: "f", offset: 1, recovered: false, reason });
    await world.socket.say(message(2, { epoch: "f" }));
    const gap = { room: "kept", recovered: false, reason, position: { epoch: "f", offset: 1 } };
    assert.deepEqual([gaps, world.heard("gap")], [[gap], [gap]]);
    assert.deepEqual(seen, [2]);
    await world.reconnect();
    assert.deepEqual(world.socket.last("join").since, { epoch: "f", offset: 2 });
  });
}

test("a room without history tells after each return that something may be missing", async () => {
  const world = new World();
  const client = await world.open();
  client.join("plain");
  await settle();
  const reply = () => world.socket.reply(world.socket.last("join"), { room: "plain", members: 1 });
  await reply();
  assert.deepEqual(world.heard("gap"), []);
  await world.reconnect();
  assert.equal(world.socket.last("join").since, undefined);
  assert.equal(world.socket.last("join").session, "s-1");
  await reply();
  assert.deepEqual(world.heard("gap"), [{ room: "plain", recovered: false, reason: "no_history", position: undefined }]);
});

test("a message that this library sent twice is handled once in a room without history, others' ids are their own", async () => {
  const world = new World();
  const client = await world.open();
  client.join("plain");
  await settle();
  await world.socket.reply(world.socket.last("join"), { room: "plain" });
  const say = (id, more) => world.socket.say({ type: "message", room: "plain", time: 1, data: 1, id, ...more });
  for (const id of ["w0123456789012345-1", "w0123456789012345-2", "w0123456789012345-1", "1", "1", undefined, undefined]) await say(id);
  assert.equal(world.heard("message").length, 6);
  for (let i = 0; i < 2; i++) await world.socket.say({ type: "direct", time: 1, data: 1, id: "w0123456789012345-1" });
  assert.equal(world.heard("direct").length, 1);
});

test("a gap that the server tells of is filled where it can be", async () => {
  const { world, room, seen } = await inRoom();
  await world.socket.say(message(4), { type: "gap", room: "kept", reason: "expired" }, message(9));
  assert.deepEqual(world.socket.last("join").since, { epoch: "e", offset: 4 });
  assert.equal(world.socket.last("join").session, undefined);
  assert.deepEqual(seen, [4]);
  await answer(world, { epoch: "e", offset: 9, recovered: true });
  await world.socket.say(...[5, 6, 7, 8, 9].map((offset) => message(offset)));
  assert.deepEqual(seen, [4, 5, 6, 7, 8, 9]);
  assert.deepEqual(world.heard("gap"), []);
  await world.socket.say({ type: "gap", room: "kept", reason: "expired" });
  await answer(world, { epoch: "e", offset: 20, recovered: false, reason: "expired" });
  await world.socket.say(message(21));
  assert.deepEqual(world.heard("gap").map(({ reason }) => reason), ["expired"]);
  assert.deepEqual(seen.at(-1), 21);
  assert.equal(room.joined, true);
});

test("a hole is asked for once, then told", async () => {
  const { world, seen } = await inRoom();
  const joins = () => world.socket.of("join").length;
  await world.socket.say(message(6));
  assert.deepEqual([seen, joins()], [[], 2]);
  await answer(world, { epoch: "e", offset: 6, recovered: true });
  await world.socket.say(message(6));
  assert.deepEqual([seen, joins()], [[6], 2]);
  assert.deepEqual(world.heard("gap").map(({ reason }) => reason), ["hole"]);
});

test("since: an application goes on from where it was before the page was loaded", async () => {
  const world = new World();
  const client = await world.open();
  const joining = client.join("kept", { since: { epoch: "e", offset: 7 } });
  await settle();
  assert.deepEqual(world.socket.last("join").since, { epoch: "e", offset: 7 });
  await answer(world, { epoch: "e", offset: 9, recovered: true });
  assert.equal((await joining).position.offset, 7);
  await world.socket.say(message(8), message(9));
  assert.deepEqual(world.heard("message").map(({ offset }) => offset), [8, 9]);
});

test("all rooms come back in one frame", async () => {
  const world = new World();
  const client = await world.open();
  for (let i = 0; i < 100; i++) client.join(`room ${i}`);
  await settle();
  await world.reconnect();
  const joins = world.socket.frames.map((frame) => [JSON.parse(frame)].flat()).filter((frame) => frame[0].type === "join");
  assert.deepEqual(joins.map((frame) => frame.length), [64, 36]);
});

// -- Joining and leaving.

test("join: the answer, members, and the same promise while it is under way", async () => {
  const world = new World();
  const client = await world.open();
  const room = client.room("lobby");
  assert.equal(client.room("lobby"), room);
  const joins = [room.join({ presence: true }), client.join("lobby")];
  await settle();
  assert.deepEqual(world.socket.of("join").map(({ presence }) => presence), [true]);
  const data = { room: "lobby", members: 1, presence: [{ client: "c-1" }] };
  await world.socket.reply(world.socket.last("join"), data);
  assert.deepEqual(await Promise.all(joins), [data, room]);
  assert.deepEqual(await room.join(), data);
  assert.equal(world.socket.of("join").length, 1);
  await world.reconnect();
  assert.equal(world.socket.last("join").presence, true);
});

test("a refused join rejects and is not repeated; one that is refused for a while is", async () => {
  const world = new World();
  const client = await world.open();
  const refused = codeOf(client.join("secret"));
  const later = client.join("busy");
  await settle();
  const [secret, busy] = world.socket.of("join");
  await world.socket.refuse(secret, { code: "forbidden" });
  assert.equal(await refused, "forbidden");
  for (let i = 0; i < 20; i++) {
    await world.socket.refuse(world.socket.last("join"), { code: "unavailable", temporary: true });
    await world.advance(5000);
  }
  await world.socket.reply(world.socket.last("join"), { room: "busy" });
  assert.equal((await later).name, "busy");
  assert.equal(world.socket.last("join").requestId, busy.requestId);
  assert.deepEqual(client.rooms.map(({ name }) => name), ["busy"]);
  assert.deepEqual(world.heard("left"), []);
});

test("a room that may not be joined again is left, with the reason", async () => {
  const { world, client, room } = await inRoom();
  await world.reconnect();
  await world.socket.refuse(world.socket.last("join"), { code: "forbidden" });
  assert.deepEqual(world.heard("left").map((left) => [left.room, left.error.code]), [["kept", "forbidden"]]);
  assert.deepEqual([room.joined, client.rooms], [false, []]);
  await world.reconnect();
  assert.equal(world.socket.of("join").length, 0);
});

test("leaving while the join is under way, or while offline", async () => {
  const world = new World();
  const client = await world.open();
  const room = client.room("lobby");
  const joining = codeOf(room.join());
  await settle();
  const left = room.leave();
  assert.equal(await joining, "aborted");
  await settle();
  assert.deepEqual(world.socket.sent.slice(-2).map(({ type }) => type), ["join", "leave"]);
  await world.socket.reply(world.socket.of("join")[0], { room: "lobby" });
  assert.equal(room.joined, false);
  await world.socket.reply(world.socket.last("leave"), { room: "lobby" });
  await left;
  const again = room.join();
  await settle();
  await world.socket.reply(world.socket.last("join"), { room: "lobby" });
  await again;
  await world.socket.say({ type: "message", room: "lobby", data: 1 });
  assert.equal(world.heard("message").length, 1);
  await world.socket.end(1006);
  await room.leave();
  await world.next();
  await world.socket.greet();
  assert.equal(world.socket.of("join").length, 0);
});

test("join, leave, join keep their order", async () => {
  const world = new World();
  const client = await world.open();
  const room = client.room("lobby");
  const first = room.join();
  await settle();
  await world.socket.reply(world.socket.last("join"), { room: "lobby" });
  await first;
  room.leave();
  const second = room.join();
  await settle();
  assert.deepEqual(world.socket.sent.map(({ type }) => type), ["ping", "join", "leave"]);
  await world.socket.refuse(world.socket.last("leave"), { code: "rate_limited", temporary: true, retryAfter: 300 });
  await settle();
  await world.advance(299);
  assert.equal(world.socket.of("leave").length + world.socket.of("join").length, 2);
  await world.advance(1);
  await world.socket.reply(world.socket.last("leave"), { room: "lobby" });
  await world.socket.reply(world.socket.last("join"), { room: "lobby" });
  await second;
  assert.equal(room.joined, true);
});

test("of joins and leaves in one turn the last one counts", async () => {
  const world = new World();
  const client = await world.open();
  const room = client.room("lobby");
  const joins = [];
  for (let turn = 0; turn < 3; turn++) {
    joins.push(codeOf(room.join()));
    room.leave();
  }
  const last = room.join();
  await settle();
  for (let next = 0; next < world.socket.sent.length; next++) {
    await world.socket.reply(world.socket.sent[next], { room: "lobby", members: 1 });
    await settle();
  }
  assert.deepEqual(await Promise.all(joins), ["aborted", "aborted", "aborted"]);
  assert.equal((await last).members, 1);
  assert.deepEqual([room.joined, client.rooms, world.socket.sent.findLast(({ type }) => /join|leave/.test(type)).type], [true, [room], "join"]);
});

test("a join that nobody waits for any more is called off", async () => {
  const world = new World();
  const client = await world.open();
  const abort = new AbortController();
  const joins = [client.join("late", { timeout: 1000 }), client.join("called off", { signal: abort.signal })].map(codeOf);
  await settle();
  abort.abort();
  await world.advance(1000);
  assert.deepEqual(await Promise.all(joins), ["timeout", "aborted"]);
  assert.deepEqual(client.rooms, []);
  assert.deepEqual(world.socket.of("leave").map(({ room }) => room).sort(), ["called off", "late"]);
});

test("the server joins and ends memberships, too", async () => {
  const world = new World();
  const client = await world.open();
  await world.socket.say({ type: "joined", room: "kept", epoch: "e", offset: 5 });
  assert.deepEqual(world.heard("joined"), [{ room: "kept", epoch: "e", offset: 5, byServer: true }]);
  await world.socket.say(message(6));
  assert.equal(world.heard("message").length, 1);
  await world.reconnect();
  assert.deepEqual(world.socket.last("join").since, { epoch: "e", offset: 6 });
  // The token's rooms are joined again by the server, before and after the answer.
  await world.socket.say({ type: "joined", room: "kept", epoch: "e", offset: 8 });
  await answer(world, { epoch: "e", offset: 8, recovered: true });
  await world.socket.say({ type: "joined", room: "kept", epoch: "e", offset: 8 }, message(7), message(8));
  assert.equal(world.heard("message").length, 3);
  await world.reconnect();
  // It may be there by the server's grace, but not ask for it.
  await world.socket.say({ type: "joined", room: "kept", epoch: "e", offset: 11 });
  await world.socket.refuse(world.socket.last("join"), { code: "forbidden" });
  await world.socket.say(message(12));
  assert.equal(world.heard("message").length, 4);
  assert.deepEqual(world.heard("gap").map(({ reason, position }) => [reason, position.offset]), [["forbidden", 11]]);
  await world.socket.say({ type: "left", room: "kept" }, message(13));
  assert.equal(world.heard("message").length, 4);
  assert.deepEqual(client.rooms, []);
});

test("events of a room reach the room and the client; rooms that were left are silent", async () => {
  const { world, client, room } = await inRoom();
  const told = [];
  for (const event of ["userJoined", "userLeft", "typing", "read"]) room.on(event, (value) => told.push([event, value]));
  const events = [
    { type: "userJoined", room: "kept", client: "c-9", user: "ada", info: { name: "Ada" } },
    { type: "typing", room: "kept", client: "c-9", user: "ada", typing: true, expiresIn: 6000 },
    { type: "read", room: "kept", user: "ada", offset: 3 },
    { type: "userLeft", room: "kept", client: "c-9", user: "ada" },
  ];
  await world.socket.say(...events);
  assert.deepEqual(told, events.map(({ type, ...event }) => [type, event]));
  assert.equal(world.heard("userJoined").length, 1);
  room.leave();
  client.room("kept");
  await world.socket.say(...events, message(4));
  assert.equal(told.length, 4);
});

test("on, once, off and what on returns", async () => {
  const { world, room } = await inRoom();
  const told = [];
  const end = room.on("read", () => told.push("ended"));
  const off = () => told.push("off");
  room.on("read", off);
  room.once("read", () => told.push("once"));
  room.on("read", () => told.push("always"));
  room.off("read", off);
  end();
  for (let i = 0; i < 2; i++) await world.socket.say({ type: "read", room: "kept", offset: 1 });
  assert.deepEqual(told, ["once", "always", "always"]);
  assert.throws(() => room.on("read"), TypeError);
});

// -- Publishing.

const published = (world) => world.socket.of("publish");

test("publish resolves with what the server says, and tells one's own messages", async () => {
  const { world, client, room } = await inRoom();
  const sent = room.publish({ text: "hi" });
  await settle();
  const [command] = published(world);
  assert.deepEqual([command.room, command.data], ["kept", { text: "hi" }]);
  assert.match(command.messageId, /^w\d{16}-\d+$/);
  await world.socket.reply(command, { room: "kept", epoch: "e", offset: 4 });
  assert.deepEqual(await sent, { room: "kept", epoch: "e", offset: 4 });
  const own = { id: command.messageId, from: { client: "former" } };
  await world.socket.say(message(4, own), message(5, { from: { client: "c-1" } }), message(6, { from: { client: "c-7" } }), message(7));
  assert.deepEqual(world.heard("message").map(({ own }) => own), [true, true, false, false]);
  assert.equal(client.stats().queued, 0);
});

test("what was sent while there was no connection goes out in order, once the room is joined", async () => {
  const { world, room } = await inRoom();
  await world.socket.end(1006);
  const sent = [1, 2, 3].map((number) => room.publish(number));
  await world.next();
  await world.socket.greet();
  assert.deepEqual(published(world), []);
  await answer(world, { epoch: "e", offset: 3, recovered: true });
  for (const number of [1, 2, 3]) {
    assert.deepEqual(published(world).map(({ data }) => data), [1, 2, 3].slice(0, number));
    await world.socket.reply(published(world).at(-1), { room: "kept", epoch: "e", offset: 3 + number });
  }
  assert.deepEqual((await Promise.all(sent)).map(({ offset }) => offset), [4, 5, 6]);
});

test("what was not acknowledged is sent again with the same id, before what came later", async () => {
  const { world, client, room } = await inRoom();
  const first = room.publish("first");
  const second = room.publish("second");
  await settle();
  const { messageId } = published(world)[0];
  assert.equal(published(world).length, 1);
  await world.reconnect();
  await answer(world, { epoch: "e", offset: 4, recovered: true });
  assert.deepEqual(published(world).map((again) => [again.data, again.messageId]), [["first", messageId]]);
  await world.socket.reply(published(world)[0], { room: "kept", epoch: "e", offset: 4, duplicate: true });
  assert.equal((await first).duplicate, true);
  await world.socket.reply(published(world)[1], { room: "kept", epoch: "e", offset: 5 });
  assert.equal((await second).offset, 5);
  assert.equal(client.stats().resent, 1);
});

test("an answer that is late or lost: asked again on the same connection, and both answers are one", async () => {
  const { world, room } = await inRoom();
  const sent = room.publish("x");
  await settle();
  await world.advance(14999);
  assert.equal(published(world).length, 1);
  await world.advance(1);
  const [one, two] = published(world);
  assert.deepEqual(one, two);
  await world.socket.reply(one, { room: "kept", epoch: "e", offset: 4 });
  await world.socket.reply(two, { room: "kept", epoch: "e", offset: 4, duplicate: true });
  assert.equal((await sent).duplicate, undefined);
});

test("after the server has forgotten the id a message is not sent again", async () => {
  const { world, room } = await inRoom({ queue: { resendFor: 60000 } });
  const lost = codeOf(room.publish("lost"));
  const next = room.publish("next");
  await settle();
  await world.socket.end(1006);
  world.time += 61000;
  await world.next();
  await world.socket.greet();
  await answer(world, { epoch: "e", offset: 3, recovered: true });
  assert.equal(await lost, "unknown_outcome");
  assert.deepEqual(published(world).map(({ data }) => data), ["next"]);
  await world.socket.reply(published(world)[0], { room: "kept" });
  await next;
});

test("a rate limit that was hit delays and keeps the order", async () => {
  const { world, client, room } = await inRoom();
  const sent = ["a", "b"].map((data) => room.publish(data));
  const other = client.publish("other", "c");
  await settle();
  assert.deepEqual(published(world).map(({ data }) => data), ["a", "c"]);
  await world.socket.refuse(published(world)[0], { code: "rate_limited", temporary: true, retryAfter: 400 });
  await world.socket.reply(published(world)[1], { room: "other" });
  await other;
  client.publish("other", "d");
  await settle();
  assert.equal(published(world).at(-1).data, "d", "a limit of one room is not the other's");
  await world.advance(399);
  assert.equal(published(world).length, 3);
  await world.advance(1);
  assert.equal(published(world).at(-1).data, "a");
  await world.socket.reply(published(world).at(-1), { room: "kept", epoch: "e", offset: 4 });
  await world.socket.reply(published(world).at(-1), { room: "kept", epoch: "e", offset: 5 });
  assert.deepEqual((await Promise.all(sent)).map(({ offset }) => offset), [4, 5]);
  assert.equal(client.stats().rateLimited, 1);
});

test("it keeps to the server's limit by itself", async () => {
  const world = new World();
  const client = await world.open({}, { server: { messagesPerSecond: 10, burst: 5 } });
  const sent = Array.from({ length: 30 }, (_, index) => client.publish(`room ${index}`, index));
  await settle();
  assert.equal(world.socket.sent.length, 4);
  const answers = async () => {
    for (const command of published(world)) await world.socket.reply(command, { room: command.room });
  };
  for (let tenth = 1; tenth <= 20; tenth++) {
    await world.advance(102);
    assert.equal(world.socket.sent.length, 4 + tenth);
  }
  await answers();
  await world.advance(2000);
  await answers();
  await Promise.all(sent);
  assert.ok(client.stats().rateWaits > 10);
  assert.equal(client.stats().rateLimited, 0);
});

test("a refusal for the connection's own limit stops everything for that time", async () => {
  const world = new World();
  const client = await world.open({}, { server: { messagesPerSecond: 10, burst: 20 } });
  client.publish("a", 1);
  await settle();
  await world.socket.refuse(published(world)[0], { code: "rate_limited", temporary: true, retryAfter: 90 });
  client.publish("b", 2);
  await settle();
  assert.equal(published(world).length, 1);
  await world.advance(90);
  assert.deepEqual(published(world).map(({ data }) => data).sort(), [1, 1, 2]);
});

test("a temporary refusal is tried again with growing waits, some times; a lasting one is not", async () => {
  const { world, room } = await inRoom();
  const failing = codeOf(room.publish("x"));
  const next = room.publish("next");
  await settle();
  for (let attempt = 1; attempt <= 11; attempt++) {
    assert.deepEqual(published(world).map(({ data }) => data), Array(attempt).fill("x"));
    await world.socket.refuse(published(world).at(-1), { code: "storage_failed", temporary: true });
    await world.advance(5000);
  }
  assert.equal(await failing, "storage_failed");
  assert.equal(published(world).at(-1).data, "next");
  await world.socket.refuse(published(world).at(-1), { code: "forbidden", message: "Not allowed" });
  await assert.rejects(next, (error) => error instanceof WsdError && error.code === "forbidden" && error.message === "Not allowed" && !error.temporary);
});

test("the queue's policies when nobody reads promises", async () => {
  for (const [policy, codes] of [["reject", ["waits", "queue_full", "queue_full"]], ["dropNewest", ["waits", "dropped", "dropped"]], ["dropOldest", ["dropped", "dropped", "waits"]]]) {
    const world = new World();
    const client = world.client({ queue: { limit: 1, policy } });
    const outcomes = ["waits", "waits", "waits"];
    [1, 2, 3].forEach((data, index) => {
      client.publish("r", data, { messageId: `m${data}` }).then(
        (value) => (outcomes[index] = value.dropped ? "dropped" : value),
        (error) => (outcomes[index] = error.code),
      );
    });
    await settle();
    assert.deepEqual(outcomes, codes, policy);
    assert.equal(world.heard("dropped").length, policy === "reject" ? 0 : 2);
    assert.equal(client.stats().dropped, policy === "reject" ? 0 : 2);
    await world.socket.greet();
    assert.deepEqual(published(world).map(({ data }) => data), [policy === "dropOldest" ? 3 : 1]);
    client.close();
  }
});

test("an unread failure is no unhandled rejection", async () => {
  const failures = [];
  const listen = (reason) => failures.push(reason);
  process.on("unhandledRejection", listen);
  const world = new World();
  const client = await world.open({ token: undefined });
  const room = client.room("r");
  const all = () => {
    client.join("a");
    room.join();
    room.publish(1);
    room.publish(undefined);
    room.history();
    room.presence();
    room.presenceCount();
    client.sendTo("ada", 1);
    client.broadcast(1);
    client.request("x");
    client.opened();
    client.ping();
    client.setToken("t");
    client.publish("r", 1n);
  };
  all();
  await settle();
  await world.socket.end(1006);
  all();
  await settle();
  client.close();
  all();
  await world.advance(60000);
  process.off("unhandledRejection", listen);
  assert.deepEqual(failures, []);
});

test("what cannot be sent is refused here: nothing, too much, no JSON", async () => {
  const world = new World();
  const client = await world.open({}, { server: { maxMessageSize: 200 } });
  assert.equal(await codeOf(client.publish("r", undefined)), "missing_data");
  await assert.rejects(client.publish("r", 1n), TypeError);
  const big = codeOf(client.publish("r", "ä".repeat(100)));
  const fits = client.publish("r", "ok");
  await settle();
  assert.equal(await big, "message_too_big");
  assert.deepEqual(published(world).map(({ data }) => data), ["ok"]);
  await world.socket.reply(published(world)[0], { room: "r" });
  await fits;
});

test("a message as big as the server takes", async () => {
  const world = new World();
  const client = await world.open({}, { server: { maxMessageSize: 200 } });
  client.publish("r", "", { messageId: "m" });
  await settle();
  const least = Buffer.byteLength(world.socket.frames.at(-1));
  for (const rest of [200 - least, 199 - least]) {
    const other = client.publish(`${rest}`.slice(0, 1), "x".repeat(rest), { messageId: "m" });
    await settle();
    assert.equal(Buffer.byteLength(world.socket.frames.at(-1)), least + rest);
    await world.socket.reply(published(world).at(-1), {});
    await other;
  }
  assert.equal(await codeOf(client.publish("s", "x".repeat(201 - least), { messageId: "m" })), "message_too_big");
});

test("what leaves in one turn leaves in as few frames as the server takes", async () => {
  const world = new World();
  const client = await world.open({}, { server: { maxMessageSize: 1000 } });
  for (let i = 0; i < 20; i++) client.publish(`room ${i}`, "x".repeat(100));
  await settle();
  assert.equal(published(world).length, 20);
  const frames = world.socket.frames.slice(1);
  assert.ok(frames.length < 8, `${frames.length} frames`);
  for (const frame of frames) assert.ok(Buffer.byteLength(frame) <= 1000);
});

test("timeouts and signals end the waiting, and what has not been sent is not sent", async () => {
  const world = new World();
  const client = world.client();
  const abort = new AbortController();
  const waiting = [client.publish("r", 1, { timeout: 500 }), client.publish("r", 2, { signal: abort.signal }), client.publish("r", 3)];
  const codes = waiting.slice(0, 2).map(codeOf);
  abort.abort();
  await world.advance(500);
  assert.deepEqual(await Promise.all(codes), ["timeout", "aborted"]);
  await world.socket.greet();
  assert.deepEqual(published(world).map(({ data }) => data), [3]);
  assert.equal(await codeOf(client.publish("r", 4, { signal: abort.signal })), "aborted");
});

test("direct messages and broadcasts", async () => {
  const world = new World();
  const client = await world.open();
  const direct = client.sendTo("ada", { text: "hi" });
  const all = client.broadcast("news");
  await settle();
  const [send, broadcast] = [world.socket.last("send"), world.socket.last("broadcast")];
  assert.deepEqual([send.user, send.data, broadcast.data, broadcast.messageId], ["ada", { text: "hi" }, "news", undefined]);
  await world.socket.reply(send, { user: "ada" });
  assert.deepEqual(await direct, { user: "ada" });
  const lost = codeOf(all);
  const waits = client.sendTo("ada", "again");
  await settle();
  await world.reconnect();
  assert.equal(await lost, "disconnected");
  assert.deepEqual([world.socket.of("broadcast").length, world.socket.last("send").data], [0, "again"]);
  await world.socket.reply(world.socket.last("send"), { user: "ada" });
  await waits;
  await world.socket.say({ type: "broadcast", from: { client: "c-9" }, time: 1, data: 1 }, { type: "direct", id: "x", time: 2, data: 2 });
  assert.deepEqual(world.heard("broadcast"), [{ from: { client: "c-9" }, time: 1, data: 1, own: false }]);
  assert.deepEqual(world.heard("direct"), [{ id: "x", time: 2, data: 2, own: false }]);
});

test("short keys on the way, long ones in the application", async () => {
  const { world, room } = await inRoom({ dictionary: { text: "t" } });
  room.publish({ text: "hi", t: 1 });
  const history = room.history();
  await settle();
  assert.deepEqual(published(world)[0].data, { t: "hi", "~t": 1 });
  await world.socket.reply(world.socket.last("history"), { room: "kept", epoch: "e", offset: 3, messages: [{ offset: 3, time: 1, data: { t: "old" } }], more: false });
  assert.deepEqual((await history).messages, [{ room: "kept", epoch: "e", offset: 3, time: 1, data: { text: "old" }, own: false }]);
  await world.socket.say(message(4, { data: { t: "new" } }));
  assert.deepEqual(world.heard("message").at(-1).data, { text: "new" });
});

// -- Requests.

test("request: answer, refusal, time-out, disconnect, in clear words", async () => {
  const world = new World();
  const client = await world.open();
  const requests = [1, 2, 3, 4].map((of) => client.request("price", { of }, { timeout: of === 3 ? 700 : undefined }));
  const outcomes = requests.map((request) => request.catch((error) => error));
  await settle();
  const sent = world.socket.of("price");
  assert.deepEqual(sent.map(({ data, timeout }) => [data.of, timeout]), [[1, 10000], [2, 10000], [3, 700], [4, 10000]]);
  await world.socket.reply(sent[0], { price: 7 });
  await world.socket.refuse(sent[1], { code: "backend_failed", message: "The application did not answer, please try again", temporary: true });
  await world.advance(700);
  await world.socket.reply(sent[2], "late");
  await world.socket.end(1012);
  const [answer, refusal, late, lost] = await Promise.all(outcomes);
  assert.deepEqual(answer, { price: 7 });
  assert.deepEqual([refusal.code, refusal.temporary, refusal.message], ["backend_failed", true, "The application did not answer, please try again"]);
  assert.deepEqual([late.code, late.temporary, late.message], ["timeout", true, "No answer within 700 ms"]);
  assert.deepEqual([lost.code, lost.temporary, lost.closeCode], ["disconnected", true, 1012]);
});

test("a request waits for the connection as long as it may, and for a rate limit", async () => {
  const world = new World();
  const client = world.client();
  const [soon, late] = [client.request("a", 1), codeOf(client.request("b", 1, { timeout: 100 }))];
  await world.advance(100);
  assert.equal(await late, "timeout");
  await world.socket.greet();
  const sent = world.socket.of("a");
  assert.equal(world.socket.of("b").length, 0);
  await world.socket.refuse(sent[0], { code: "rate_limited", temporary: true, retryAfter: 50 });
  await world.advance(50);
  await world.socket.reply(world.socket.of("a")[1], "answer");
  assert.equal(await soon, "answer");
});

test("history, presence and its count", async () => {
  const { world, room } = await inRoom();
  const asked = [room.history({ from: 2, limit: 5, reverse: true }), room.presence(), room.presenceCount()];
  await settle();
  const { type, requestId, ...query } = world.socket.last("history");
  assert.deepEqual(query, { room: "kept", from: 2, limit: 5, reverse: true });
  await world.socket.reply(world.socket.last("history"), { room: "kept", messages: [], more: true });
  await world.socket.reply(world.socket.last("presence"), { room: "kept", members: 1, clients: [{ client: "c-1" }] });
  await world.socket.reply(world.socket.last("presenceCount"), { room: "kept", members: 12 });
  assert.deepEqual(await Promise.all(asked), [{ room: "kept", messages: [], more: true }, [{ client: "c-1" }], 12]);
});

// -- Typing and read marks.

test("typing throttles itself, ends by itself, and with what is sent", async () => {
  const { world, room } = await inRoom();
  const typing = () => world.socket.of("typing").map(({ typing }) => typing);
  for (let key = 0; key < 50; key++) {
    room.typing();
    await world.advance(100);
  }
  assert.deepEqual(typing(), [true, true, true]);
  await world.advance(3000);
  assert.deepEqual(typing(), [true, true, true, false]);
  await world.advance(60000);
  room.typing(false);
  assert.equal(typing().length, 4);
  room.typing();
  room.publish("done");
  await settle();
  assert.deepEqual(typing().slice(4), [true, false]);
  await world.socket.end(1006);
  room.typing();
  await world.next();
  await world.socket.greet();
  assert.deepEqual(typing(), [], "of no use later");
});

test("others stop typing when their time is over", async () => {
  const { world, room } = await inRoom();
  const told = [];
  room.on("typing", ({ client, typing }) => told.push([client, typing]));
  const say = (typing) => world.socket.say({ type: "typing", room: "kept", client: "c-9", typing, expiresIn: typing ? 6000 : undefined });
  await say(true);
  await world.advance(5000);
  await say(true);
  await world.advance(5999);
  assert.deepEqual(told, [["c-9", true], ["c-9", true]]);
  await world.advance(1);
  assert.deepEqual(told.at(-1), ["c-9", false]);
  await say(true);
  await say(false);
  await world.advance(10000);
  assert.equal(told.length, 5);
});

test("read marks are gathered, only grow, and survive a reconnect", async () => {
  const { world, room } = await inRoom();
  const marks = () => world.socket.of("read").map(({ offset }) => offset);
  await world.socket.say(message(4), message(5), message(6));
  room.read(4);
  room.read(5);
  room.read();
  room.read(2);
  assert.deepEqual(marks(), []);
  await world.advance(300);
  assert.deepEqual(marks(), [6]);
  await world.reconnect();
  await answer(world, { epoch: "e", offset: 6, recovered: true });
  assert.deepEqual(marks(), [6], "there was no answer");
  await world.socket.reply(world.socket.last("read"), { room: "kept" });
  await world.reconnect();
  await answer(world, { epoch: "e", offset: 6, recovered: true });
  assert.deepEqual(marks(), []);
  await world.reconnect();
  await answer(world, { epoch: "f", offset: 1, recovered: false, reason: "epoch_changed" });
  room.read();
  await world.advance(300);
  assert.deepEqual(marks(), [1], "another epoch begins anew");
});

test("autoRead: what was handed to a visible page", async () => {
  const { world, room } = await inRoom({ autoRead: true });
  const marks = () => world.socket.of("read").map(({ offset }) => offset);
  await world.socket.say(message(4), message(5));
  await world.advance(300);
  assert.deepEqual(marks(), [5]);
  world.document.visibilityState = "hidden";
  await world.socket.say(message(6));
  await world.advance(1000);
  assert.deepEqual(marks(), [5]);
  world.document.visibilityState = "visible";
  await world.document.fire("visibilitychange");
  await world.advance(300);
  assert.deepEqual(marks(), [5, 6]);
  await room.join({ autoRead: false });
  await world.socket.say(message(7));
  await world.advance(1000);
  assert.deepEqual(marks(), [5, 6]);
});

// -- What a server should not do.

test("garbage is counted and harms nobody", async () => {
  const { world, client, seen } = await inRoom();
  const before = client.stats().invalid;
  const garbage = ["", "{", "null", "5", "[]", "[null]", '"text"', "[[1]]", "{}", '{"type":7}', '{"type":"later","x":1}', '{"type":"reply"}',
    '{"type":"reply","requestId":99999,"data":1}', '{"type":"message"}', '{"type":"message","room":"kept"}', '{"type":"error"}', '{"type":"joined"}',
    '{"type":"gap"}', '{"type":"reconnect","after":"soon"}', '{"type":"typing","room":"kept"}', "\u0000", `{"type":"message","room":"kept","epoch":"e"}`];
  for (const text of garbage) await world.socket.raw(text);
  await world.socket.raw(new ArrayBuffer(8));
  await world.socket.say(null, message(4));
  assert.equal(client.state, "open");
  assert.ok(seen.includes(4));
  assert.ok(client.stats().invalid > before + 5);
  const early = new World();
  const waiting = early.client();
  await settle();
  await early.socket.say({ type: "reply", requestId: 1, data: 1 }, { type: "message", room: "x" });
  assert.equal(waiting.state, "connecting");
});

test("errors without a request are events", async () => {
  const world = new World();
  await world.open();
  await world.socket.say({ type: "error", error: { code: "forbidden", message: "Not allowed", temporary: false } });
  assert.deepEqual(world.heard("error").map(({ code, message }) => [code, message]), [["forbidden", "Not allowed"]]);
});

test("statistics", async () => {
  const { world, client, room } = await inRoom();
  const at = client.stats();
  room.publish("ä");
  await settle();
  const frame = world.socket.frames.at(-1);
  await world.advance(1000);
  const now = client.stats();
  assert.equal(now.bytesOut - at.bytesOut, Buffer.byteLength(frame));
  assert.equal(now.messagesOut - at.messagesOut, 1);
  assert.deepEqual([now.uptime, now.queued, now.rooms, now.state, now.attempts], [1000, 1, 1, "open", 1]);
  assert.equal(now.averageSizeOut, Math.round(now.bytesOut / now.messagesOut));
  assert.ok(now.bytesIn > 0 && now.messagesIn >= 2);
  client.close();
  assert.equal(client.stats().uptime, 0);
});

// -- Corners.

test("what waits leaves with the greeting, whatever else is answered", async () => {
  const world = new World();
  world.answersPings = false;
  const client = world.client();
  client.publish("r", 1);
  await settle();
  await world.socket.greet();
  assert.equal(published(world).length, 1);
});

test("a frame is filled to the byte, not above", async () => {
  const world = new World();
  const client = await world.open({}, { server: { maxMessageSize: 400 } });
  const least = 200 - Buffer.byteLength('{"type":"publish","room":"1","messageId":"m","data":"","requestId":10}');
  for (const [rest, frames] of [[-2, 1], [-1, 2]]) {
    const before = world.socket.frames.length;
    client._nextId = 10;
    const sent = ["1", "2"].map((room, index) => client.publish(room, "x".repeat(least + (index ? rest : -1)), { messageId: "m" }));
    await settle();
    const made = world.socket.frames.slice(before);
    assert.equal(made.length, frames);
    if (frames === 1) assert.equal(Buffer.byteLength(made[0]), 400);
    for (const command of published(world).slice(-2)) await world.socket.reply(command, {});
    await Promise.all(sent);
  }
});

test("a room that was left forgets where it was, also when a handler leaves it", async () => {
  const { world, client, room, seen } = await inRoom();
  room.on("message", () => room.leave());
  await world.socket.say(message(4), message(5));
  assert.deepEqual([seen, room.position, room.joined], [[4], null, false]);
  const joining = room.join();
  await settle();
  await world.socket.reply(world.socket.last("leave"), { room: "kept" });
  assert.deepEqual([world.socket.last("join").since, world.socket.last("join").session], [undefined, undefined]);
  await answer(world, { epoch: "e", offset: 9 });
  await joining;
  assert.deepEqual(world.heard("gap"), []);
  const other = client.room("plain");
  assert.equal(client.room("plain"), other);
});

test("a room without handlers is forgotten when it is left", async () => {
  const world = new World();
  const client = await world.open();
  for (let i = 0; i < 5; i++) {
    const room = client.room("r");
    room.join();
    room.leave();
    assert.notEqual(client.room("r"), room);
  }
});

test("join of a joined room asks who is there", async () => {
  const { world, room } = await inRoom();
  const joining = room.join({ presence: true });
  await settle();
  assert.equal(world.socket.of("join").length, 1);
  await world.socket.reply(world.socket.last("presence"), { room: "kept", members: 1, clients: [{ client: "c-1" }] });
  assert.deepEqual((await joining).presence, [{ client: "c-1" }]);
});

test("a join after close() does not stand in the way of the next one", async () => {
  const world = new World();
  const client = await world.open();
  const room = client.room("r");
  client.close();
  assert.equal(await codeOf(room.join()), "closed");
  client.connect();
  await settle();
  await world.socket.greet();
  const joining = room.join();
  await settle();
  await world.socket.reply(world.socket.last("join"), { room: "r" });
  await joining;
});

test("a membership by the server's grace is of its connection alone", async () => {
  const { world } = await inRoom();
  await world.reconnect();
  await world.socket.say({ type: "joined", room: "kept", epoch: "e", offset: 3 });
  await answer(world, { epoch: "e", offset: 3, recovered: true });
  await world.reconnect();
  await world.socket.refuse(world.socket.last("join"), { code: "forbidden" });
  assert.equal(world.heard("left").length, 1);
});

test("typing begins anew on a new connection", async () => {
  const { world, room } = await inRoom();
  room.typing();
  await world.socket.end(1006);
  await world.next();
  await world.socket.greet();
  await answer(world, { epoch: "e", offset: 3, recovered: true });
  room.typing();
  assert.equal(world.socket.of("typing").length, 1);
});

test("typing is not sent above the limit, nor outside of the room", async () => {
  const { world, client, room } = await inRoom({}, { server: { messagesPerSecond: 1, burst: 3 } });
  client.room("other").typing();
  room.typing();
  assert.deepEqual(world.socket.of("typing"), []);
});

test("a temporary refusal is waited out", async () => {
  const { world, room } = await inRoom();
  room.publish(1);
  await settle();
  for (const [more, wait] of [[{}, 100], [{}, 200], [{ retryAfter: 3000 }, 3000]]) {
    const count = published(world).length;
    await world.socket.refuse(published(world).at(-1), { code: "storage_failed", temporary: true, ...more });
    await world.advance(wait - 1);
    assert.equal(published(world).length, count);
    await world.advance(1);
    assert.equal(published(world).length, count + 1);
  }
});

test("a malformed answer is a failure of what was asked", async () => {
  const { world, client, room } = await inRoom();
  const asked = room.history();
  await settle();
  await world.socket.reply(world.socket.last("history"), { room: "kept" });
  await assert.rejects(asked, TypeError);
  assert.equal(client.state, "open");
});

test("remembered ids have a bound", async () => {
  const world = new World();
  const client = await world.open();
  for (let i = 0; i < 3000; i++) world.socket.onmessage({ data: JSON.stringify({ type: "direct", data: 1, id: `w0123456789012345-${i}` }) });
  assert.equal(client._recent.size, 2048);
  world.socket.onmessage({ data: JSON.stringify({ type: "direct", data: 1, id: "w0123456789012345-2999" }) });
  assert.deepEqual([world.heard("direct").length, client.stats().duplicates], [3000, 1]);
});

test("gaps are counted", async () => {
  const { world, client } = await inRoom();
  await world.reconnect();
  await answer(world, { epoch: "f", offset: 1, recovered: false, reason: "epoch_changed" });
  assert.equal(client.stats().gaps, 1);
});

test("what belongs to a page's turn is looked at once", async () => {
  const world = new World();
  const client = await world.open();
  let looked = 0;
  const ready = client._queue.ready.bind(client._queue);
  client._queue.ready = (...all) => (looked++, ready(...all));
  for (let i = 0; i < 100; i++) client.publish(`r${i}`, i);
  await settle();
  assert.equal(looked, 1);
});
