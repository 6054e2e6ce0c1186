// Browser library of wsd: docs/client.md.
const version = "0.1.0";

// Bounds that are no options; milliseconds.
const maxBatch = 64;
const maxTries = 10; // of a message refused for a while
const maxRecent = 2048;
const maxTimers = 2000; // beyond, typing is not watched
const maxHint = 300000; // the server's longest wait
const typingInterval = 2000;
const typingIdle = 3000;
const readDelay = 300;
const wakeProbe = 4000; // for a pong, when network or page are back

// A worker has no element.
let scriptURL = globalThis.document?.currentScript?.src ?? /https?:\S+\.js/.exec(new Error().stack)?.[0];

class WsdError extends Error {
  constructor(code, message, { temporary = false, retryAfter, closeCode, cause } = {}) {
    super(message, { cause });
    Object.assign(this, { name: "WsdError", code, temporary, retryAfter, closeCode });
  }
}

const closeWords = {
  1006: "The connection broke or could not be made",
  1009: "A message was too big",
  4001: "The token is missing or not accepted",
  4002: "The token has expired",
  4003: "The application refused the connection",
  4004: "A newer connection of this user took its place",
  4005: "This user has too many connections",
  token_failed: "There is no token",
};
const isFinal = (code) => /^100[023789]$/.test(code) || (code >= 3000 && !/^400[02678]$/.test(code));

const encoder = new TextEncoder();
const byteLength = (text) => encoder.encode(text).length;
const redacted = (text) => text.replace(/"(token|session)":"(?:[^"\\]|\\.)*"/g, '"$1":"…"').slice(0, 2000);
const refusal = ({ code, message, ...more }) => new WsdError(code, message, more);

// Unread, it is no unhandled rejection.
function quiet(promise) {
  promise.catch(() => {});
  return promise;
}

// Full jitter under a growing bound.
class Backoff {
  failures = 0;
  constructor({ min, max, factor = 2, attempts = Infinity } = {}, random = Math.random) {
    Object.assign(this, { given: { min, max }, factor, attempts, random });
    this.hint();
  }
  hint(min = 500, max = 20000) {
    this.min = this.given.min ?? min;
    this.max = Math.max(this.min, this.given.max ?? max);
  }
  next() {
    if (this.failures >= this.attempts) return undefined;
    return this.random() * Math.min(this.max, this.min * this.factor ** this.failures++);
  }
}

// The server's bucket, but smaller and slower: jitter on the way.
class RateLimiter {
  interval = 0;
  fullAt = 0;
  blockedUntil = 0;
  set(perSecond, burst = 1) {
    this.interval = perSecond > 0 ? 1020 / perSecond : 0;
    this.capacity = this.interval * (burst > 2 ? burst - 1 : 1);
    this.fullAt = this.blockedUntil = 0;
  }
  wait(now, ahead = 0) {
    const debt = this.interval && Math.max(this.fullAt, now) - now + this.interval * (ahead + 1) - this.capacity;
    return Math.max(0, debt, this.blockedUntil - now);
  }
  take(now) {
    this.fullAt = Math.max(this.fullAt, now) + this.interval;
  }
}

/**
 * Commands waiting or unanswered. In a lane none overtakes another, and at most `inFlight` messages are under way.
 * `isMessage`: bounded in number and bytes; `isDurable`: outlives a connection.
 */
class SendQueue extends Map {
  count = 0;
  bytes = 0;
  constructor({ limit = 1000, bytes = 1 << 20, policy = "reject", inFlight = 1, resendFor = 240000 } = {}, maxRequests = 500) {
    super();
    Object.assign(this, { limit, maxBytes: bytes, policy, inFlight, resendFor, maxRequests });
  }
  // What was dropped, maybe itself; `null`: refused.
  add(command) {
    const dropped = [];
    const isFull = () => this.count >= this.limit || this.bytes + command.size > this.maxBytes;
    if (command.isMessage) {
      if (this.policy === "dropOldest" && command.size <= this.maxBytes) {
        for (const old of this.values()) {
          if (isFull() && old.isMessage && !old.firstSent) dropped.push(this.remove(old.id));
        }
      }
      if (isFull()) return this.policy === "reject" ? null : [...dropped, command];
      this.count++;
      this.bytes += command.size;
    } else if (!command.isUrgent && this.size - this.count >= this.maxRequests) return null;
    this.set(command.id, Object.assign(command, { sentAt: 0, firstSent: 0, notBefore: 0, tries: 0 }));
    return dropped;
  }
  remove(id) {
    const command = this.get(id);
    if (this.delete(id) && command.isMessage) {
      this.count--;
      this.bytes -= command.size;
    }
    return command;
  }
  ready(now, isHeld = () => false) {
    const lanes = new Map();
    const list = [];
    let wakeAt = Infinity;
    for (const command of [...this.values()].sort((a, b) => Boolean(b.isUrgent) - Boolean(a.isUrgent))) {
      const { lane, sentAt, notBefore } = command;
      const before = (lane && lanes.get(lane)) || 0;
      let taken = before + 1;
      if (!sentAt) {
        if (lane && before >= (command.isMessage ? this.inFlight : 1)) taken = Infinity;
        else if (notBefore > now || isHeld(command)) {
          if (notBefore > now) wakeAt = Math.min(wakeAt, notBefore);
          taken = Infinity;
        } else list.push(command);
      }
      lanes.set(lane, taken);
    }
    return { list, wakeAt };
  }
  sent(command, now) {
    command.sentAt = now;
    command.firstSent ||= now;
  }
  // The server may have forgotten its id.
  isStale({ isMessage, firstSent }, now) {
    return Boolean(isMessage && firstSent && now - firstSent > this.resendFor);
  }
  retry(command, notBefore, wasRefused) {
    Object.assign(command, { notBefore, sentAt: 0, tries: command.tries + 1 });
    if (wasRefused) command.firstSent = 0;
  }
  disconnected() {
    const lost = [...this.values()].filter(({ sentAt, isDurable }) => sentAt && !isDurable);
    for (const { id } of lost) this.remove(id);
    for (const command of this.values()) Object.assign(command, { sentAt: 0, notBefore: 0 });
    return lost;
  }
}

// Short keys in `data`. A key that looks short, or begins with ~, travels behind a ~.
class Codec {
  constructor(dictionary = {}) {
    this.short = new Map(Object.entries(dictionary));
    this.long = new Map([...this.short].map(([long, short]) => [short, long]));
    if (this.long.size < this.short.size || [...this.long.keys()].some((key) => !/^[^~]/.test(key)))
      throw new TypeError("dictionary: short keys differ and begin without ~");
  }
  map(data, name) {
    if (!data || typeof data !== "object") return data;
    if (Array.isArray(data)) return data.map((item) => this.map(item, name));
    return Object.fromEntries(Object.entries(data).map(([key, item]) => [name(key), this.map(item, name)]));
  }
  encode(data) {
    if (!this.short.size) return data;
    return this.map(JSON.parse(JSON.stringify(data)), (key) => this.short.get(key) ?? (this.long.has(key) || key[0] === "~" ? "~" : "") + key);
  }
  decode(data) {
    if (!this.short.size) return data;
    return this.map(data, (key) => (key[0] === "~" ? key.slice(1) : (this.long.get(key) ?? key)));
  }
}

class Emitter {
  _handlers = new Map();
  on(event, handler) {
    if (!handler?.call) throw new TypeError(`on(${event}): no function`);
    this._handlers.set(event, [...(this._handlers.get(event) ?? []), handler]);
    return () => this.off(event, handler);
  }
  once(event, handler) {
    const end = this.on(event, (value) => (end(), handler(value)));
    return end;
  }
  off(event, handler) {
    const left = (this._handlers.get(event) ?? []).filter((other) => other !== handler);
    if (left.length) this._handlers.set(event, left);
    else this._handlers.delete(event);
  }
  _emit(event, value, failed) {
    for (const handler of this._handlers.get(event) ?? []) {
      try {
        handler(value)?.then?.(undefined, failed);
      } catch (error) {
        failed(error);
      }
    }
  }
}

class Room extends Emitter {
  joined = false;
  _options = {};
  constructor(client, name) {
    super();
    this._client = client;
    this.name = name;
    this._forget();
  }
  _forget() {
    this.joined = this._isWanted = this._wasJoined = false;
    this.position = null;
    this._session = this._joining = this._byServer = undefined;
    this._typedAt = NaN;
    this._readTo = this._readTold = 0;
  }
  join(options = {}) {
    return this._client._join(this, options);
  }
  leave() {
    return this._client._leave(this);
  }
  publish(data, options) {
    return this._client.publish(this.name, data, options);
  }
  _ask(type, more, options, done) {
    return this._client._ask({ type, room: this.name, ...more }, { ...options, done });
  }
  history({ from, limit, reverse, ...options } = {}) {
    return this._ask("history", { from, limit, reverse }, options, (page) => ({
      ...page,
      messages: page.messages.map((message) => this._client._asGiven({ room: this.name, epoch: page.epoch, ...message })),
    }));
  }
  presence(options) {
    return this._ask("presence", {}, options, ({ clients }) => clients);
  }
  presenceCount(options) {
    return this._ask("presenceCount", {}, options, ({ members }) => members);
  }
  typing(isTyping = true) {
    const client = this._client;
    const now = client._env.now();
    if (isTyping) client._timer(`idle ${this.name}`, typingIdle, () => this.typing(false));
    if (isTyping ? now - this._typedAt < typingInterval : !this._typedAt) return;
    this._typedAt = isTyping ? now : NaN;
    if (this.joined && !client._limiter.wait(now)) client._send([JSON.stringify({ type: "typing", room: this.name, typing: isTyping })]);
  }
  read(offset = this.position?.offset) {
    if (!(offset > this._readTo)) return;
    this._readTo = offset;
    this._client._timer(`read ${this.name}`, readDelay, () => this._tellRead());
  }
  _tellRead() {
    const offset = this._readTo;
    if (!this.joined || offset <= this._readTold) return;
    this._ask("read", { offset }, {}, () => (this._readTold = Math.max(this._readTold, offset)));
  }
  _isNew({ epoch, offset }) {
    return this.position?.epoch !== epoch || offset > this.position.offset;
  }
  _leavesHole({ epoch, offset }) {
    return this.position?.epoch === epoch && offset > this.position.offset + 1;
  }
  _move({ epoch, offset }) {
    if (this.position && this.position.epoch !== epoch) this._readTo = this._readTold = 0;
    this.position = epoch === undefined ? null : { epoch, offset };
  }
}

const levels = ["error", "warn", "info", "debug"];

class WsdClient extends Emitter {
  state = "closed";
  id = null;
  user = null;
  server = null;
  url = null;
  reason = null;
  latency = null;
  _rooms = new Map();
  _timers = new Map();
  _recent = new Set();
  _logged = [];
  _generation = 0; // of the connection; what an older one says is not heard
  _nextId = 1;
  _limiter = new RateLimiter();
  _figures = {
    messagesIn: 0, messagesOut: 0, bytesIn: 0, bytesOut: 0, attempts: 0, reconnects: 0, dropped: 0, resent: 0,
    duplicates: 0, gaps: 0, rateWaits: 0, rateLimited: 0, invalid: 0,
  };

  constructor(options = {}) {
    super();
    const { document, navigator, location, console } = globalThis;
    const env = (this._env = {
      setTimeout: (act, wait) => setTimeout(act, wait),
      clearTimeout: (timer) => clearTimeout(timer),
      now: () => performance.now(),
      random: () => Math.random(),
      fetch: (...all) => fetch(...all),
      events: globalThis,
      document, navigator, location, console, ...options.env,
    });
    const { connectTimeout = 10000, requestTimeout = 10000, ackTimeout = 15000, log = "warn", logSize = 500 } = options;
    const { logData = log === "debug", WebSocket = globalThis.WebSocket } = options;
    this._options = { ...options, connectTimeout, requestTimeout, ackTimeout, log, logSize, logData, WebSocket };
    if (!WebSocket) throw new TypeError("No WebSocket here: give the option WebSocket");
    if (!options.url && !env.location && !/^http/.test(scriptURL)) throw new TypeError("No page here: give the option url");
    const reconnect = options.reconnect === false ? { attempts: 0 } : (options.reconnect ?? {});
    this._stableAfter = reconnect.stableAfter ?? 10000;
    this._backoff = new Backoff(reconnect, env.random);
    this._codec = new Codec(options.dictionary);
    this._queue = new SendQueue(options.queue, options.maxRequests);
    this._token = { source: options.token };
    if (log?.call) this.on("log", log);
    this._name = "w" + env.random().toFixed(16).slice(2);
    options.signal?.addEventListener("abort", () => this.close());
    if (options.signal?.aborted || options.autoConnect === false) return;
    this.state = "connecting";
    // After the handlers are set.
    Promise.resolve().then(() => this.state === "connecting" && this.connect());
  }

  get rooms() {
    return [...this._rooms.values()].filter((room) => room._isWanted);
  }

  connect() {
    if (this._isWanted) return;
    this._isWanted = true;
    this._wasOpen = this._isRenewed = false;
    this._hint = undefined;
    this._hintUntil = this._attemptedAt = 0;
    this._backoff.failures = 0;
    this._listen(true);
    this._attempt();
  }

  opened(options = {}) {
    let off;
    const begin = (resolve, reject) => {
      const look = () => (this.state === "open" ? resolve() : this._hasEnded() && reject(this._ended()));
      off = this.on("state", look);
      look();
    };
    return this._promise(options, begin, () => off?.());
  }

  close() {
    if (this.state !== "closed") this._end("closed");
  }

  room(name) {
    if (typeof name !== "string" || !name) throw new TypeError("A room's name is a text");
    if (!this._rooms.has(name)) this._rooms.set(name, new Room(this, name));
    return this._rooms.get(name);
  }

  join(name, options) {
    const room = this.room(name);
    return quiet(room.join(options).then(() => room));
  }

  publish(room, data, options) {
    this._rooms.get(room)?.typing(false);
    return this._post({ type: "publish", room }, data, options);
  }

  sendTo(user, data, options) {
    return this._post({ type: "send", user }, data, options);
  }

  broadcast(data, options) {
    return this._post({ type: "broadcast" }, data, options);
  }

  request(type, data, { timeout = this._options.requestTimeout, signal } = {}) {
    return this._ask({ type, timeout: Math.ceil(Math.min(timeout, 300000)) }, { data, timeout, signal });
  }

  ping(options) {
    const from = this._env.now();
    const done = () => {
      const last = this._env.now() - from;
      let { min = last, max = last, average = 0, count = 0 } = this.latency ?? {};
      const sum = average * count++ + last;
      this.latency = { last, min: Math.min(min, last), max: Math.max(max, last), average: sum / count, count };
      this._tell("latency", this.latency);
      return last;
    };
    return this._ask({ type: "ping" }, { ...options, isNow: true, isUrgent: true, done });
  }

  setToken(source) {
    this._token = { source };
    this._isRenewed = false;
    return quiet(this._isGreeted ? this._fetchToken(true).then((token) => this._authenticate(token)) : Promise.resolve());
  }

  stats() {
    const figures = this._figures;
    return {
      state: this.state,
      ...figures,
      averageSizeIn: Math.round(figures.bytesIn / (figures.messagesIn || 1)),
      averageSizeOut: Math.round(figures.bytesOut / (figures.messagesOut || 1)),
      uptime: this.state === "open" ? this._env.now() - this._openedAt : 0,
      latency: this.latency,
      queued: this._queue.count,
      queuedBytes: this._queue.bytes,
      rooms: this.rooms.length,
    };
  }

  log(level, text, detail) {
    const entry = { time: Date.now(), level, text, detail };
    this._logged.push(entry);
    if (this._logged.length > this._options.logSize) this._logged.shift();
    if (levels.indexOf(level) <= levels.indexOf(this._options.log)) this._env.console?.[level]?.(`wsd: ${text}`, detail ?? "");
    this._emit("log", entry, () => {});
  }

  exportLog() {
    return this._logged.map((entry) => JSON.stringify(entry)).join("\n");
  }

  async _attempt() {
    this._clear("retry");
    if (this._isOffline()) return this._setState("offline");
    const generation = ++this._generation;
    const isCurrent = () => generation === this._generation;
    this._attemptedAt = this._env.now();
    this._figures.attempts++;
    this._setState(this._wasOpen ? "reconnecting" : "connecting");
    if (!isCurrent()) return;
    this._timer("connect", this._options.connectTimeout, () => this._lost(1006, "No connection in time"));
    try {
      const url = await this._address();
      const token = isCurrent() && (await this._fetchToken());
      if (!isCurrent()) return;
      this.url = url;
      this._firstToken = token;
      this.log("info", `Connecting to ${url.replace(/\?.*/, "?…")}`);
    } catch (error) {
      if (!isCurrent()) return;
      if (error instanceof WsdError && !error.temporary) return this._stop(error.code, error.message);
      if (error.code !== "token_failed") return this._lost(1006, error.message);
      this._fail(error);
      return isCurrent() && this._lost(error.code, error.message);
    }
    let socket;
    try {
      socket = this._socket = new this._options.WebSocket(this.url, ["wsd.v1.json"]);
    } catch (error) {
      return this._stop("invalid_url", `${this.url} is refused here: ${error.message}`);
    }
    socket.onmessage = ({ data }) => isCurrent() && this._received(data);
    socket.onclose = ({ code, reason }) => isCurrent() && this._lost(code, reason);
    socket.onerror = () => {};
  }

  async _address() {
    const { url } = this._options;
    const given = (url?.call ? await url() : url) ?? (this._found ??= await this._discover());
    try {
      const address = new URL(given, this._env.location?.href);
      address.protocol = address.protocol.replace("http", "ws");
      address.hash = "";
      return address.href;
    } catch {
      throw new WsdError("invalid_url", `${given} is no address`);
    }
  }

  // Asks config.json, beside the script or at the usual place.
  async _discover() {
    const { location, fetch } = this._env;
    const places = [];
    if (/\/client[\w.-]*\.js([?#]|$)/.test(scriptURL)) places.push(new URL("config.json", scriptURL));
    if (location) places.push(new URL("/wsd/config.json", location.href));
    let failure;
    for (const place of places) {
      try {
        const answer = await fetch(place.href, { cache: "no-store" });
        if (!answer.ok) throw new Error(answer.status);
        const { connectionString, prefix = "/wsd/" } = await answer.json();
        const url = new URL(connectionString);
        const front = place.pathname.slice(0, -`${prefix}config.json`.length);
        if (front && url.host === place.host && !url.pathname.startsWith(`${front}/`)) url.pathname = front + url.pathname;
        if (place.protocol === "https:" || location?.protocol === "https:") url.protocol = "wss:";
        return url.href;
      } catch (error) {
        failure = `${place}: ${error.message}`;
      }
    }
    throw new WsdError("no_config", failure, { temporary: true });
  }

  async _fetchToken(isFresh) {
    const token = this._token;
    if (!token.source?.call) return token.source;
    token.isOld = !isFresh && Boolean(token.value) && this._env.now() < token.endsAt - 5000;
    if (token.isOld) return token.value;
    try {
      token.value = await token.source();
      token.endsAt = Infinity;
      if (token.value && !token.value.trim) throw new WsdError("invalid_token", "token(): no text");
      return token.value;
    } catch (cause) {
      if (cause instanceof WsdError) throw cause;
      throw new WsdError("token_failed", `token(): ${cause?.message ?? cause}`, { temporary: true, cause });
    }
  }

  async _authenticate(token) {
    if (token) await this._ask({ type: "auth", token }, { isNow: true, isUrgent: true });
  }

  _lost(code, words = "") {
    const now = this._env.now();
    const wasOpen = this.state === "open";
    const wasStable = wasOpen && now - this._openedAt >= this._stableAfter;
    if (!wasOpen) this._found = undefined;
    const message = closeWords[code] ?? "The server ended the connection";
    const reason = (this.reason = { code, message, reason: words });
    this._drop();
    let isOver = isFinal(code);
    if (code === 4002 || (code === 4001 && this._token.isOld)) {
      isOver = !this._token.source?.call || this._isRenewed;
      this._isRenewed = true;
      this._token.value = undefined;
    }
    if (wasStable) this._backoff.failures = 0;
    let retryIn = isOver ? undefined : this._backoff.next();
    const hint = this._hint ?? (code === 4000 && wasStable ? 0 : undefined);
    this._hint = undefined;
    this._hintUntil = now + (hint ?? 0);
    if (retryIn !== undefined && hint !== undefined) retryIn = wasStable ? hint : Math.max(hint, retryIn);
    this.log("info", `${message} (${code}${words && ": "}${words})`);
    const generation = this._generation;
    if (wasOpen) this._tell("disconnected", { ...reason, willReconnect: retryIn !== undefined, retryIn });
    if (generation !== this._generation) return; // a handler has closed or connected
    if (retryIn === undefined) return this._stop(code, message, words);
    if (this._isOffline()) return this._setState("offline", { reason });
    this._timer("retry", retryIn, () => this._attempt());
    this._setState(this._wasOpen ? "reconnecting" : "connecting", { reason, retryIn });
  }

  _drop(code) {
    this._generation++;
    const socket = this._socket;
    this._socket = null;
    this._isGreeted = false;
    for (const name of this._timers.keys()) if (!this._isWanted || !name.includes(" ")) this._clear(name);
    for (const command of this._queue.disconnected()) command.reject(this._disconnected());
    for (const room of this._rooms.values()) {
      room.joined = false;
      room._byServer = null;
      room._typedAt = NaN;
    }
    try {
      socket?.close(code);
    } catch {}
  }

  _stop(code, message, reason = "") {
    this.reason = { code, message, reason };
    this.log("warn", `Stopped: ${message}`, code);
    this._end("stopped");
    if (this.state === "stopped") this._tell("stopped", this.reason);
  }

  _end(state) {
    this._isWanted = false;
    this._listen(false);
    const error = this._ended(state);
    for (const command of [...this._queue.values()]) this._reject(command, error);
    this._drop(1000);
    this._setState(state, state === "stopped" ? { reason: this.reason } : {});
  }

  _hasEnded() {
    return /^(closed|stopped)$/.test(this.state);
  }
  _ended(state = this.state) {
    if (state === "closed") return new WsdError("closed", "The client is closed");
    return new WsdError("stopped", `The client has stopped: ${this.reason.message}`, { closeCode: this.reason.code });
  }
  _disconnected() {
    return new WsdError("disconnected", "The connection was lost", { temporary: true, closeCode: this.reason?.code });
  }

  _setState(state, detail) {
    const previous = this.state;
    if (state === previous && !detail) return;
    this.state = state;
    this._tell("state", { state, previous, ...detail });
  }

  _listen(isOn) {
    this._noticed ??= (event) => this._notice(event);
    const change = isOn ? "addEventListener" : "removeEventListener";
    for (const name of ["online", "offline", "pageshow"]) this._env.events?.[change]?.(name, this._noticed);
    this._env.document?.[change]?.("visibilitychange", this._noticed);
  }

  _notice({ type, persisted }) {
    if (type === "visibilitychange") {
      if (!this._isVisible()) return;
      for (const room of this.rooms) this._readItself(room);
    }
    if (type === "pageshow" && !persisted) return;
    if (this.state === "open") return this._beat(wakeProbe);
    if (this.state !== "offline" && !this._timers.has("retry")) return;
    this._clear("retry");
    if (this._isOffline()) return this._setState("offline");
    // No faster than the first wait and the server allow.
    const until = Math.max(this._attemptedAt + this._backoff.min, this._hintUntil);
    this._timer("retry", until - this._env.now(), () => this._attempt());
  }

  _isOffline() {
    const { navigator, location } = this._env;
    const places = [this.url, this._options.url, location?.href];
    return navigator?.onLine === false && !places.some((place) => /^\w+:\/\/(localhost|127\.|\[::1\])/.test(place));
  }
  _isVisible() {
    return this._env.document?.visibilityState !== "hidden";
  }
  _readItself(room) {
    if ((room._options.autoRead ?? this._options.autoRead) && this._isVisible()) room.read();
  }

  _beat(probe) {
    const interval = this._options.heartbeatInterval ?? (this.server.pingInterval || 25000);
    const timeout = probe ?? this._options.heartbeatTimeout ?? this.server.pongTimeout ?? 10000;
    this._timer("beat", interval, () => this._beat());
    if (probe || !this._timers.has("pong")) this._timer("pong", timeout, () => this._lost(1006, "No answer to a ping"));
    this.ping({ timeout: interval + timeout });
  }

  _send(texts) {
    const now = this._env.now();
    for (const _ of texts) this._limiter.take(now);
    const frame = texts.length === 1 ? texts[0] : `[${texts}]`;
    this._figures.messagesOut += texts.length;
    this._figures.bytesOut += byteLength(frame);
    if (this._options.logData) this.log("debug", "Sent", redacted(frame));
    try {
      // Browsers complain of what is sent while it closes.
      this._socket.readyState > 1 || this._socket.send(frame);
    } catch {} // the end is told next
  }

  // Queues a command; a function as `message` is called when it is sent.
  _ask(message, { timeout = this._options.requestTimeout, signal, data, ...more } = {}) {
    const id = this._nextId++;
    const begin = (resolve, reject) => {
      if (more.isMessage && data === undefined) throw new WsdError("missing_data", "There is no data");
      const isLate = message.call;
      const text = isLate ? "" : JSON.stringify({ ...message, data: more.isMessage ? this._codec.encode(data) : data, requestId: id });
      const late = () => JSON.stringify({ ...message(), requestId: id });
      this._enqueue({ id, message, text: isLate ? late : () => text, size: byteLength(text), resolve, reject, ...more });
    };
    return this._promise({ timeout, signal }, begin, () => this._queue.remove(id));
  }

  _post(message, data, { messageId = `${this._name}-${this._nextId}`, timeout = Infinity, signal } = {}) {
    const { type, room, user } = message;
    const isDurable = type !== "broadcast";
    if (isDurable) message.messageId = messageId;
    return this._ask(message, { data, timeout, signal, lane: `${type} ${room ?? user}`, isMessage: true, isDurable });
  }

  _enqueue(command) {
    if (this._hasEnded()) return this._reject(command, this._ended());
    if (command.isNow && !this._isGreeted) return command.reject(this._disconnected());
    const dropped = this._queue.add(command);
    if (!dropped) return this._reject(command, new WsdError("queue_full", "Too much waits to be sent", { temporary: true }));
    for (const { message, resolve } of dropped) {
      this._figures.dropped++;
      resolve({ ...message, dropped: true });
      this._tell("dropped", message);
    }
    if (!command.isNow) return this._flush();
    this._queue.sent(command, this._env.now());
    this._send([command.text()]);
  }

  _reject(command, error) {
    command.failed?.(error);
    command.reject(error);
  }

  _flush() {
    if (this._isFlushing) return;
    this._isFlushing = true;
    Promise.resolve().then(() => {
      this._isFlushing = false;
      if (this.state === "open") this._flushNow();
    });
  }

  _flushNow() {
    const now = this._env.now();
    const most = this.server.maxMessageSize ?? Infinity;
    const { list, wakeAt } = this._queue.ready(now, ({ isMessage, message }) => isMessage && this._rooms.get(message.room)?._joining);
    let next = wakeAt;
    let frame = [];
    let room;
    for (const command of list) {
      const wait = this._limiter.wait(now, frame.length);
      if (wait > 0) {
        if (!this._timers.has("flush")) this._figures.rateWaits++;
        next = Math.min(next, now + wait);
        break;
      }
      const text = command.text();
      const length = byteLength(text);
      let error;
      if (length > most) error = new WsdError("message_too_big", `${length} bytes; the server takes ${most}`);
      if (this._queue.isStale(command, now)) error = new WsdError("unknown_outcome", "The answer was lost, and is too old to ask again");
      if (error) {
        this._reject(command, error);
        this._flush();
        continue;
      }
      if (frame.length && (frame.length === maxBatch || length > room)) {
        this._send(frame);
        frame = [];
      }
      if (!frame.length) room = most - 2;
      if (command.firstSent) this._figures.resent++;
      this._queue.sent(command, now);
      frame.push(text);
      room -= length + 1;
    }
    if (frame.length) this._send(frame);
    if (next < Infinity) this._timer("flush", next - now, () => this._flush());
    if (!this._timers.has("ack")) this._awaitAnswers();
  }

  _awaitAnswers() {
    const now = this._env.now();
    let next = Infinity;
    for (const command of this._queue.values()) {
      if (!command.sentAt || !command.isDurable) continue;
      const due = command.sentAt + this._options.ackTimeout;
      if (due > now) next = Math.min(next, due);
      else {
        this._queue.retry(command, now, false);
        this._flush();
      }
    }
    if (next < Infinity) this._timer("ack", next - now, () => this._awaitAnswers());
  }

  _received(text) {
    this._clear("pong");
    const generation = this._generation;
    this._figures.bytesIn += byteLength(text);
    if (this._options.logData) this.log("debug", "Received", redacted(String(text)));
    let messages = [null];
    try {
      messages = [JSON.parse(text)].flat();
    } catch {}
    this._figures.messagesIn += messages.length;
    for (const message of messages) {
      if (generation !== this._generation) return;
      try {
        this._take(message);
      } catch (error) {
        this._figures.invalid++;
        this.log("warn", "Invalid message", error.message);
      }
    }
  }

  _take({ type, ...message }) {
    if (type === "connected") return this._greeted(message);
    if (!this._isGreeted || typeof type !== "string") throw new Error("no type, or not greeted");
    const room = this._rooms.get(message.room);
    switch (type) {
      case "reply":
        return this._replied(message);
      case "broadcast":
      case "direct":
        return this._isRepeated(type, message.id) || this._tell(type, this._asGiven(message));
      case "joined":
        return this._joinedByServer(this.room(message.room), message);
      case "expiring":
        this._refresh();
        return this._tell(type, message);
      case "reconnect":
        return (this._hint = Math.min(maxHint, Math.max(0, Number(message.after) || 0)));
      case "error":
        return message.error.code === "rate_limited" ? this._figures.rateLimited++ : this._fail(refusal(message.error));
    }
    if (!room?._isWanted) return;
    switch (type) {
      case "message":
        return this._delivered(room, message);
      case "typing":
        return this._typed(room, message);
      case "gap":
        return room.joined && this._repair(room, message.reason);
      case "left":
        this._abandon(room);
      case "userJoined":
      case "userLeft":
      case "read":
        this._tell(type, message, room);
    }
  }

  _greeted({ session, ...greeting }) {
    const isFirst = !this._isGreeted;
    const generation = this._generation;
    const server = greeting.server ?? {};
    Object.assign(this, { _isGreeted: true, _session: session, id: greeting.client, user: greeting.user ?? null, server });
    if (isFirst) {
      this._limiter.set(server.messagesPerSecond, server.burst);
      this._backoff.hint(server.reconnectMin, server.reconnectMax);
    }
    const life = greeting.expiresIn * 1000;
    // Should the server's warning not come.
    if (life) {
      this._token.endsAt = this._env.now() + life;
      this._timer("refresh", life - 1000 - Math.min(30000, life / 20), () => this._refresh());
    }
    this._tell("connected", greeting);
    if (generation !== this._generation) return;
    const token = isFirst && this._firstToken;
    if (token) this._authenticate(token).catch(({ code, message }) => this.log("warn", `Not authenticated: ${message}`, code));
    else if (greeting.authRequired) this._lost(4001, "There is no token");
    else if (this.state !== "open") this._isOpen(greeting);
  }

  _isOpen(greeting) {
    const generation = this._generation;
    this._clear("connect");
    this._openedAt = this._env.now();
    if (this._wasOpen) this._figures.reconnects++;
    this._wasOpen = true;
    this._isRenewed = false;
    this._beat();
    for (const room of this.rooms) if (!room.joined) this._startJoin(room);
    this._flush();
    this._setState("open");
    if (generation === this._generation) this._tell("open", greeting);
  }

  async _refresh() {
    const generation = this._generation;
    this._clear("refresh");
    if (!this._token.source?.call) return;
    try {
      const token = await this._fetchToken(true);
      if (generation === this._generation) await this._authenticate(token);
    } catch (error) {
      if (generation !== this._generation) return;
      this._fail(error);
      const left = this._token.endsAt - this._env.now();
      if (error.temporary && left > 500) this._timer("refresh", Math.min(5000, left / 3), () => this._refresh());
    }
  }

  _replied({ requestId, data, error }) {
    const command = this._queue.get(requestId);
    if (!command?.sentAt) return;
    if (error) this._refused(command, error);
    else {
      try {
        command.resolve(command.done ? command.done(data) : data);
      } catch (cause) {
        command.reject(cause);
      }
    }
    this._flush();
  }

  _refused(command, error) {
    const now = this._env.now();
    const { code, temporary, retryAfter } = error;
    if (code === "rate_limited" && !command.isNow) {
      this._figures.rateLimited++;
      const wait = retryAfter ?? 1000;
      // A longer one may be the room's alone.
      if (wait <= this._limiter.interval) this._limiter.blockedUntil = now + wait;
      this._queue.retry(command, now + wait * (1 + this._env.random() * Math.min(command.tries, maxTries)), true);
    } else if (temporary && command.isDurable && (command.isUrgent || command.tries < maxTries)) {
      const wait = retryAfter ?? Math.min(5000, 100 * 2 ** command.tries);
      this._queue.retry(command, now + wait, code !== "unavailable");
    } else this._reject(command, refusal(error));
  }

  _asGiven(message) {
    const own = Boolean(message.id?.startsWith(`${this._name}-`) || (message.from?.client && message.from.client === this.id));
    return { ...message, data: this._codec.decode(message.data), own };
  }

  // By its id, where no position tells it; only ids of this library are unique.
  _isRepeated(place, id) {
    if (!/^w\d{16}-/.test(id)) return false;
    const key = `${place} ${id}`;
    const isRepeated = this._recent.has(key);
    this._figures.duplicates += isRepeated;
    this._recent.add(key);
    if (this._recent.size > maxRecent) this._recent.delete(this._recent.values().next().value);
    return isRepeated;
  }

  _delivered(room, message) {
    if (message.epoch === undefined) {
      if (!this._isRepeated(room.name, message.id)) this._tell("message", this._asGiven(message), room);
      return;
    }
    if (!room.joined) return; // it comes again after the answer to the join
    if (!room._isNew(message)) return this._figures.duplicates++;
    if (room._leavesHole(message) && this._repair(room, "hole")) return;
    const at = room.position;
    this._tell("message", this._asGiven(message), room);
    if (!room._isWanted || room.position !== at) return;
    room._move(message);
    this._readItself(room);
  }

  _typed(room, message) {
    const key = `typist ${message.client} ${room.name}`;
    this._clear(key);
    const end = () => this._typed(room, { ...message, typing: false, expiresIn: undefined });
    if (message.typing && this._timers.size < maxTimers) this._timer(key, message.expiresIn ?? 6000, end);
    this._tell("typing", message, room);
  }

  _join(room, { presence, since, autoRead, ...options }) {
    if (this._hasEnded()) return quiet(Promise.reject(this._ended()));
    if (presence !== undefined) room._options.presence = presence;
    if (autoRead !== undefined) room._options.autoRead = autoRead;
    if (since && !room._isWanted) room._move(since);
    room._isWanted = true;
    this._rooms.set(room.name, room);
    if (room.joined && presence) return room._ask("presence", {}, options, ({ clients }) => ({ ...room._last, presence: clients }));
    if (room.joined) return Promise.resolve(room._last);
    const joining = this._startJoin(room);
    const joined = this._promise(options, (resolve, reject) => joining.then(resolve, reject), () => {});
    joined.catch(() => room._joining === joining && !room._wasJoined && this._leave(room));
    return joined;
  }

  _startJoin(room) {
    room.joined = false;
    if (room._joining) return room._joining;
    const abort = (room._calledOff = new AbortController());
    const message = () => ({
      type: "join", room: room.name, since: room.position ?? undefined, presence: room._options.presence,
      session: room._session === this._session ? undefined : room._session,
    });
    return (room._joining = this._ask(message, {
      timeout: Infinity, signal: abort.signal, lane: `member ${room.name}`, isUrgent: true, isDurable: true,
      done: (data) => this._hasJoined(room, data),
      failed: (error) => this._notJoined(room, error),
    }));
  }

  _hasJoined(room, data) {
    const isReturn = room._wasJoined;
    room._joining = undefined;
    room.joined = room._wasJoined = true;
    room._session = this._session;
    const answer = (room._last = { ...data, room: room.name });
    if (!data.recovered) room._move(data);
    this._tell("joined", answer, room);
    if (!data.recovered && (isReturn || data.reason)) this._gap(room, data.reason ?? "no_history");
    room._tellRead();
    return answer;
  }

  _notJoined(room, error) {
    room._joining = undefined;
    if (!this._isWanted) room._isWanted = room._wasJoined;
    else if (room._byServer) this._hasJoined(room, { ...room._byServer, recovered: false, reason: error.code });
    else {
      const wasJoined = room._wasJoined;
      this._abandon(room);
      if (wasJoined) this._tell("left", { room: room.name, error }, room);
    }
  }

  _joinedByServer(room, message) {
    room._byServer = message;
    if (room.joined || room._joining) return; // the answer to the join says more
    room._isWanted = true;
    this._hasJoined(room, { ...message, byServer: true });
  }

  _abandon(room) {
    if (room._joining) room._calledOff.abort();
    room._forget();
    if (!room._handlers.size) this._rooms.delete(room.name);
  }

  _leave(room) {
    if (!room._isWanted) return Promise.resolve();
    this._abandon(room);
    if (this.state !== "open") return Promise.resolve();
    const end = () => {};
    return room._ask("leave", {}, { lane: `member ${room.name}`, isUrgent: true }, end).catch(end);
  }

  // Asks for what is missing; `false`: it did so in vain, and tells.
  _repair(room, reason) {
    const isFirst = room.position && room._repaired !== room.position;
    room._repaired = room.position;
    return isFirst ? this._startJoin(room) : this._gap(room, reason);
  }

  _gap(room, reason) {
    this._figures.gaps++;
    this._tell("gap", { room: room.name, recovered: false, reason, position: room.position ?? undefined }, room);
  }

  _tell(event, value, room) {
    const failed = (cause) => {
      const message = `A handler of ${event} failed: ${cause?.message ?? cause}`;
      if (event === "error") this.log("error", message);
      else this._fail(new WsdError("handler_failed", message, { cause }));
    };
    room?._emit(event, value, failed);
    this._emit(event, value, failed);
  }

  _fail(error) {
    this.log("error", error.message, error.code);
    this._tell("error", error);
  }

  // `begin` settles it, unless time or signal do before; `end` runs then.
  _promise({ timeout = Infinity, signal }, begin, end) {
    const make = (resolve, reject) => {
      let timer;
      const settle = (act) => (value) => {
        this._env.clearTimeout(timer);
        signal?.removeEventListener("abort", abort);
        end();
        act(value);
      };
      const fail = settle(reject);
      const abort = () => fail(new WsdError("aborted", "Called off"));
      if (signal?.aborted) return abort();
      signal?.addEventListener("abort", abort);
      const late = () => fail(new WsdError("timeout", `No answer within ${timeout} ms`, { temporary: true }));
      if (timeout < Infinity) timer = this._env.setTimeout(late, timeout);
      try {
        begin(settle(resolve), fail);
      } catch (error) {
        fail(error);
      }
    };
    return quiet(new Promise(make));
  }

  _timer(name, wait, act) {
    this._clear(name);
    const fire = () => (this._timers.delete(name), act());
    this._timers.set(name, this._env.setTimeout(fire, Math.min(Math.ceil(Math.max(0, wait)), 0x7fffffff)));
  }
  _clear(name) {
    this._env.clearTimeout(this._timers.get(name));
    this._timers.delete(name);
  }
}

const internals = { Backoff, RateLimiter, SendQueue, Codec };
/* module */
scriptURL = import.meta.url;
export { WsdClient, WsdError, internals, version };
