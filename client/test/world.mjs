/** A world in which nothing happens by itself: a clock that is moved by hand, sockets without a network. */
import { WsdClient } from "../wsd-client.js";

/** Lets all promises that are settled be noticed. */
export const settle = () => new Promise((resolve) => setImmediate(resolve));

export const server = {
  version: "0.1.0", pingInterval: 25000, pongTimeout: 10000, maxMessageSize: 65536, reconnectMin: 500, reconnectMax: 20000,
};

class Socket {
  sent = [];
  frames = [];
  closed = null;
  constructor(url, protocols) {
    Object.assign(this, { url, protocols });
  }
  send(text) {
    this.frames.push(text);
    for (const message of [JSON.parse(text)].flat()) {
      this.sent.push(message);
      if (message.type !== "ping" || !this.world.answersPings) continue;
      Promise.resolve().then(() => this.onmessage({ data: JSON.stringify({ type: "reply", requestId: message.requestId, data: {} }) }));
    }
  }
  close(code) {
    this.closed = code ?? 1000;
  }
  /** The server says so. */
  async say(...messages) {
    this.onmessage({ data: JSON.stringify(messages.length === 1 ? messages[0] : messages) });
    await settle();
  }
  async raw(data) {
    this.onmessage({ data });
    await settle();
  }
  async end(code, reason = "") {
    this.onclose({ code, reason });
    await settle();
  }
  async greet(over = {}) {
    await this.say({
      type: "connected", client: "c-1", session: "s-1", user: null, authenticated: false, authRequired: false, ...over,
      server: { ...server, ...over.server },
    });
  }
  /** Messages of a type; the library's own pings are out of the way. */
  of(type) {
    return this.sent.filter((message) => message.type === type);
  }
  last(type) {
    return this.of(type).at(-1);
  }
  async reply(message, data = {}) {
    await this.say({ type: "reply", requestId: message.requestId, data });
  }
  async refuse(message, error) {
    await this.say({ type: "reply", requestId: message.requestId, error: { message: error.code, temporary: false, ...error } });
  }
}

class Events {
  listeners = new Map();
  addEventListener(type, listener) {
    this.listeners.set(type, [...(this.listeners.get(type) ?? []), listener]);
  }
  removeEventListener(type, listener) {
    this.listeners.set(type, (this.listeners.get(type) ?? []).filter((other) => other !== listener));
  }
  async fire(type, more = {}) {
    for (const listener of this.listeners.get(type) ?? []) listener({ type, ...more });
    await settle();
  }
}

export class World {
  time = 1000;
  timers = [];
  sockets = [];
  /** What the random source gives; a half by default. */
  dice = () => 0.5;
  answersPings = true;
  events = new Events();
  document = Object.assign(new Events(), { visibilityState: "visible" });
  navigator = { onLine: true };

  constructor() {
    const world = this;
    this.WebSocket = class extends Socket {
      constructor(url, protocols) {
        super(url, protocols);
        this.world = world;
        if (world.refuses) throw new Error(world.refuses);
        world.sockets.push(this);
      }
    };
    this.env = {
      setTimeout: (act, wait) => {
        const timer = { at: this.time + wait, act };
        this.timers.push(timer);
        return timer;
      },
      clearTimeout: (timer) => {
        const index = this.timers.indexOf(timer);
        if (index >= 0) this.timers.splice(index, 1);
      },
      now: () => this.time,
      random: () => this.dice(),
      fetch: async (url) => {
        this.fetched = [...(this.fetched ?? []), url];
        const answer = this.site?.[url];
        if (!answer) throw new TypeError("fetch failed");
        return { ok: answer.status === undefined, status: answer.status ?? 200, json: async () => answer };
      },
      events: this.events,
      document: this.document,
      navigator: this.navigator,
      location: undefined,
      console: {},
    };
  }
  /** The newest socket. */
  get socket() {
    return this.sockets.at(-1);
  }
  async advance(milliseconds) {
    const end = this.time + milliseconds;
    for (;;) {
      await settle();
      const due = this.timers.filter(({ at }) => at <= end).sort((a, b) => a.at - b.at)[0];
      if (!due) break;
      this.timers.splice(this.timers.indexOf(due), 1);
      this.time = Math.max(this.time, due.at);
      due.act();
    }
    this.time = end;
    await settle();
  }
  /** Moves the clock until there is another socket. */
  async next() {
    const count = this.sockets.length;
    for (let step = 0; this.sockets.length === count; step++) {
      if (!this.timers.length || step > 100) throw new Error("nothing connects");
      await this.advance(Math.max(0, Math.min(...this.timers.map(({ at }) => at)) - this.time));
    }
    return this.socket;
  }
  client(options = {}) {
    const client = new WsdClient({
      url: "ws://example.org/ws", WebSocket: this.WebSocket, log: false, ...options, env: { ...this.env, ...options.env },
    });
    this.events_ = [];
    const emit = client._emit.bind(client);
    client._emit = (event, value, failed) => {
      if (event !== "log") this.events_.push([event, value]);
      emit(event, value, failed);
    };
    return client;
  }
  /** Values of one event so far. */
  heard(event) {
    return this.events_.filter(([name]) => name === event).map(([, value]) => value);
  }
  /** A client that is open. */
  async open(options = {}, hello = {}) {
    const client = this.client(options);
    await settle();
    await this.socket.greet(hello);
    return client;
  }
  /** The connection breaks, and the next one is open. */
  async reconnect(hello = {}) {
    await this.socket.end(1006);
    await this.next();
    await this.socket.greet({ client: "c-2", session: "s-2", ...hello });
  }
}

/** The code of what a promise was rejected with. */
export const codeOf = (promise) => promise.then((value) => `resolved: ${JSON.stringify(value)}`, (error) => error.code ?? error);
