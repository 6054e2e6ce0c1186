import assert from "node:assert/strict";
import test from "node:test";
import { internals } from "../wsd-client.js";

const { Backoff, RateLimiter, SendQueue, Codec } = internals;

test("waits grow to their bound, with full jitter, and end with the attempts", () => {
  const longest = new Backoff({}, () => 1);
  assert.deepEqual(Array.from({ length: 8 }, () => longest.next()), [500, 1000, 2000, 4000, 8000, 16000, 20000, 20000]);
  longest.failures = 0;
  assert.equal(longest.next(), 500);
  assert.equal(new Backoff({}, () => 0).next(), 0);
  assert.equal(new Backoff({ min: 100, max: 150, factor: 3 }, () => 0.5).next(), 50);
  const few = new Backoff({ attempts: 2 }, () => 1);
  assert.deepEqual([few.next(), few.next(), few.next()], [500, 1000, undefined]);
});

test("the server's bounds hold where the application gave none", () => {
  const backoff = new Backoff({ max: 3000 }, () => 1);
  backoff.hint(1000, 60000);
  assert.deepEqual([backoff.next(), backoff.next(), backoff.next()], [1000, 2000, 3000]);
});

test("the limiter lets a burst through and then one at a time, never faster than the server's bucket", () => {
  const limiter = new RateLimiter();
  limiter.set(10, 20);
  // The server's bucket, as Sources/Realtime/TokenBucket.swift has it.
  let fullAt = 0;
  const serverTakes = (now) => {
    const start = Math.max(fullAt, now);
    if (start - now + 100 > 2000) return false;
    fullAt = start + 100;
    return true;
  };
  let now = 5000;
  let atOnce = 0;
  for (let sent = 0; sent < 300; sent++) {
    const wait = limiter.wait(now);
    if (wait === 0 && now === 5000) atOnce++;
    now += wait;
    limiter.take(now);
    assert.ok(serverTakes(now), `message ${sent} at ${now}`);
  }
  assert.equal(atOnce, 19);
  assert.ok(now - 5000 < 300 * 103, "not much slower either");
});

test("without a limit nothing waits, and a refusal blocks for its time", () => {
  const limiter = new RateLimiter();
  limiter.set(undefined, undefined);
  for (let i = 0; i < 1000; i++) limiter.take(50);
  assert.equal(limiter.wait(50), 0);
  limiter.blockedUntil = 150;
  assert.equal(limiter.wait(50), 100);
});

let nextId = 1;
const message = (lane, size = 10, more = {}) => ({ id: nextId++, lane, size, isMessage: true, isDurable: true, ...more });
const add = (queue, ...commands) => (commands.forEach((command) => assert.deepEqual(queue.add(command), [])), commands);
const ids = (queue, now = 0, isHeld) => queue.ready(now, isHeld).list.map(({ id }) => id);

test("one message of a lane is under way; the next follows its answer, and other lanes do not wait", () => {
  const queue = new SendQueue();
  const [a1, a2, b1] = add(queue, message("a"), message("a"), message("b"));
  assert.deepEqual(ids(queue), [a1.id, b1.id]);
  queue.sent(a1, 5);
  assert.deepEqual(ids(queue), [b1.id]);
  queue.remove(a1.id);
  assert.deepEqual(ids(queue), [a2.id, b1.id]);
});

test("a message that has to wait is not overtaken", () => {
  const queue = new SendQueue({ inFlight: 3 });
  const [first, second, third] = add(queue, message("a"), message("a"), message("a"));
  for (const command of [first, second]) queue.sent(command, 1);
  assert.deepEqual(ids(queue, 1), [third.id]);
  queue.retry(first, 500, true);
  assert.deepEqual(queue.ready(100), { list: [], wakeAt: 500 });
  assert.deepEqual(ids(queue, 500), [first.id, third.id]);
});

test("urgent commands come first, and held ones hold their lane alone", () => {
  const queue = new SendQueue();
  const [held, behind, free] = add(queue, message("a"), message("a"), message("b"));
  const join = { id: nextId++, lane: "member a", size: 0, isUrgent: true };
  queue.add(join);
  assert.deepEqual(ids(queue, 0, (command) => command === held), [join.id, free.id]);
  assert.ok(behind);
});

test("the bound of number and of bytes, and what happens beyond", () => {
  const rejecting = new SendQueue({ limit: 2, bytes: 100 });
  add(rejecting, message("a", 60), message("a", 40));
  assert.equal(rejecting.add(message("a", 1)), null);
  rejecting.remove(nextId - 2);
  assert.equal(rejecting.add(message("a", 61)), null);
  assert.equal(rejecting.bytes, 60);

  const newest = new SendQueue({ limit: 1, policy: "dropNewest" });
  const [kept] = add(newest, message("a"));
  const late = message("a");
  assert.deepEqual(newest.add(late), [late]);
  assert.deepEqual([...newest.keys()], [kept.id]);

  const oldest = new SendQueue({ limit: 2, policy: "dropOldest" });
  const [sent, waiting] = add(oldest, message("a"), message("a"));
  oldest.sent(sent, 1);
  const next = message("a");
  assert.deepEqual(oldest.add(next), [waiting], "what has been sent cannot be dropped");
  oldest.sent(next, 2);
  const last = message("a");
  assert.deepEqual(oldest.add(last), [last], "nothing is left to drop but itself");
  assert.equal(oldest.count, 2);
});

test("requests have a bound of their own, urgent ones none", () => {
  const queue = new SendQueue({}, 1);
  add(queue, { id: nextId++ }, message("a"));
  assert.equal(queue.add({ id: nextId++ }), null);
  add(queue, { id: nextId++, isUrgent: true });
});

test("what outlives a connection is sent again, in order; what does not is taken out", () => {
  const queue = new SendQueue();
  const [first, second] = add(queue, message("a"), message("a"));
  const request = { id: nextId++ };
  const unsent = { id: nextId++ };
  add(queue, request, unsent);
  for (const command of [first, request]) queue.sent(command, 1);
  assert.deepEqual(queue.disconnected(), [request]);
  assert.deepEqual(ids(queue), [first.id, unsent.id]);
  assert.equal(first.firstSent, 1);
  assert.equal(second.firstSent, 0);
});

test("a lost answer makes a message stale after a while; a refusal does not", () => {
  const queue = new SendQueue({ resendFor: 1000 });
  const [lost, refused, never] = add(queue, message("a"), message("b"), message("c"));
  queue.sent(lost, 1);
  queue.sent(refused, 1);
  queue.retry(refused, 5, true);
  queue.retry(lost, 5, false);
  assert.deepEqual([lost, refused, never].map((command) => queue.isStale(command, 1002)), [true, false, false]);
  assert.equal(queue.isStale(lost, 1001), false);
});

test("short keys there and back, whatever the keys of the data are", () => {
  const codec = new Codec({ text: "t", author: "a" });
  const data = { text: "hi", author: { text: [1, { author: null }] }, other: 1 };
  assert.equal(JSON.stringify(codec.encode(data)), '{"t":"hi","a":{"t":[1,{"a":null}]},"other":1}');
  for (const value of [data, { t: 1, text: 2, "~t": 3, "~": 4, "": 5, a: { "~~a": 6 } }, [], [{ text: 1 }], null, "text", 5, { at: new Date(0) }]) {
    assert.deepEqual(codec.decode(JSON.parse(JSON.stringify(codec.encode(value)))), JSON.parse(JSON.stringify(value)));
  }
  const hostile = JSON.parse('{"__proto__":{"t":1},"constructor":2}');
  assert.equal(JSON.stringify(codec.decode(hostile)), '{"__proto__":{"text":1},"constructor":2}');
  assert.equal({}.text, undefined);
  assert.deepEqual(new Codec().encode({ t: 1 }), { t: 1 });
  assert.throws(() => new Codec({ a: "x", b: "x" }), TypeError);
  assert.throws(() => new Codec({ a: "~x" }), TypeError);
  assert.throws(() => new Codec({ a: "" }), TypeError);
});
