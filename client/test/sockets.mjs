/** RFC 6455 in the small, both ends, on node:net and node:http: for tests where there is no global WebSocket. */
import { createHash, randomBytes } from "node:crypto";
import { createServer } from "node:http";
import { connect } from "node:net";

const accept = (key) => createHash("sha1").update(key + "258EAFA5-E914-47DA-95CA-C5AB0DC85B11").digest("base64");

/** One frame; `mask` as clients have to. */
export function frame(opcode, payload, { mask = false, fin = true } = {}) {
  const data = Buffer.from(payload);
  const length = data.length < 126 ? [data.length] : data.length < 65536 ? [126, data.length >> 8, data.length & 255] : null;
  const head = length ?? [127, 0, 0, 0, 0, ...[24, 16, 8, 0].map((shift) => (data.length >>> shift) & 255)];
  if (mask) head[0] |= 128;
  const key = mask ? randomBytes(4) : Buffer.alloc(0);
  if (mask) for (let i = 0; i < data.length; i++) data[i] ^= key[i & 3];
  return Buffer.concat([Buffer.from([(fin ? 128 : 0) | opcode, ...head]), key, data]);
}

/** Calls `each(opcode, payload)` for every complete message or control frame. */
function reader(each) {
  let bytes = Buffer.alloc(0);
  let parts = [];
  let kind = 0;
  return (chunk) => {
    bytes = Buffer.concat([bytes, chunk]);
    for (;;) {
      if (bytes.length < 2) return;
      let length = bytes[1] & 127;
      let at = 2;
      if (length === 126) [length, at] = bytes.length < 4 ? [NaN] : [bytes.readUInt16BE(2), 4];
      else if (length === 127) [length, at] = bytes.length < 10 ? [NaN] : [Number(bytes.readBigUInt64BE(2)), 10];
      const isMasked = bytes[1] & 128;
      if (!(bytes.length >= at + (isMasked ? 4 : 0) + length)) return;
      const key = isMasked ? bytes.subarray(at, (at += 4)) : null;
      const payload = Buffer.from(bytes.subarray(at, at + length));
      if (key) for (let i = 0; i < payload.length; i++) payload[i] ^= key[i & 3];
      const [fin, opcode] = [bytes[0] & 128, bytes[0] & 15];
      bytes = bytes.subarray(at + length);
      if (opcode >= 8) {
        each(opcode, payload);
        continue;
      }
      if (opcode) kind = opcode;
      parts.push(payload);
      if (!fin) continue;
      const message = Buffer.concat(parts);
      parts = [];
      each(kind, message);
    }
  };
}

const closeBody = (code, reason) => {
  if (code === undefined) return Buffer.alloc(0);
  return Buffer.concat([Buffer.from([code >> 8, code & 255]), Buffer.from(reason ?? "")]);
};

/** What a browser's WebSocket is to the library. */
export class TinyWebSocket {
  readyState = 0;
  onmessage = null;
  onclose = null;
  onerror = null;
  onopen = null;

  constructor(address, protocols = []) {
    const url = new URL(address);
    if (!/^wss?:$/.test(url.protocol)) throw new SyntaxError(`${url.protocol} is no WebSocket`);
    this.url = url.href;
    const key = randomBytes(16).toString("base64");
    const socket = (this._socket = connect(Number(url.port || 80), url.hostname.replace(/[[\]]/g, "")));
    socket.setNoDelay(true);
    let head = Buffer.alloc(0);
    const read = reader((opcode, payload) => this._frame(opcode, payload));
    socket.on("connect", () => {
      const protocol = [protocols].flat().join(", ");
      socket.write(
        `GET ${url.pathname}${url.search} HTTP/1.1\r\nHost: ${url.host}\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n` +
          `Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: ${key}\r\n` +
          (protocol ? `Sec-WebSocket-Protocol: ${protocol}\r\n` : "") + "\r\n",
      );
    });
    socket.on("data", (chunk) => {
      if (this.readyState > 0) return read(chunk);
      head = Buffer.concat([head, chunk]);
      const end = head.indexOf("\r\n\r\n");
      if (end < 0) return;
      const text = head.subarray(0, end).toString();
      if (!text.startsWith("HTTP/1.1 101") || !text.includes(accept(key))) return socket.destroy();
      this.readyState = 1;
      this.onopen?.({});
      read(head.subarray(end + 4));
    });
    socket.on("error", (error) => this.onerror?.({ error }));
    socket.on("close", () => this._ended());
  }
  _frame(opcode, payload) {
    if (opcode === 1) this.onmessage?.({ data: payload.toString() });
    else if (opcode === 9) this._socket.write(frame(10, payload, { mask: true }));
    else if (opcode === 8) {
      this._code = payload.length >= 2 ? payload.readUInt16BE(0) : 1005;
      this._reason = payload.subarray(2).toString();
      if (this.readyState === 1) this._socket.write(frame(8, payload, { mask: true }));
      this._socket.end();
      this._socket.destroySoon();
    }
  }
  _ended() {
    if (this.readyState === 3) return;
    this.readyState = 3;
    this.onclose?.({ code: this._code ?? 1006, reason: this._reason ?? "", wasClean: this._code !== undefined });
  }
  send(text) {
    if (this.readyState === 0) throw new Error("still connecting");
    if (this.readyState === 1) this._socket.write(frame(1, text, { mask: true }));
  }
  close(code, reason) {
    if (this.readyState >= 2) return;
    if (this.readyState === 0) return this._socket.destroy();
    this.readyState = 2;
    this._socket.write(frame(8, closeBody(code, reason), { mask: true }));
    // A peer that does not answer is not waited for.
    setTimeout(() => this._socket.destroy(), 500).unref();
  }
}

/** One connection of a {@link ScriptedServer}. */
class Peer {
  received = [];
  _waiting = [];
  isOpen = true;

  constructor(socket, head) {
    this.socket = socket;
    const read = reader((opcode, payload) => this._frame(opcode, payload));
    socket.on("data", read);
    socket.on("error", () => {});
    socket.on("close", () => {
      this.isOpen = false;
      for (const { reject } of this._waiting.splice(0)) reject(new Error("the client has gone"));
    });
    if (head.length) read(head);
  }
  _frame(opcode, payload) {
    if (opcode === 8) {
      this.closeCode = payload.length >= 2 ? payload.readUInt16BE(0) : 1005;
      if (!this.hasClosed) this.socket.write(frame(8, payload));
      this.socket.end();
    }
    if (opcode !== 1) return;
    for (const message of [JSON.parse(payload.toString())].flat()) {
      if (this.onMessage?.(message) === true) continue;
      this.received.push(message);
      this._look();
    }
  }
  _look() {
    for (const waiting of [...this._waiting]) {
      const index = this.received.findIndex(waiting.fits);
      if (index < 0) continue;
      this._waiting.splice(this._waiting.indexOf(waiting), 1);
      waiting.resolve(this.received.splice(index, 1)[0]);
    }
  }
  /** The next message of a type that has not been asked for yet. */
  next(type) {
    return new Promise((resolve, reject) => {
      this._waiting.push({ fits: (message) => message.type === type, resolve, reject });
      this._look();
    });
  }
  raw(bytes) {
    this.socket.write(bytes);
  }
  text(text) {
    this.raw(frame(1, text));
  }
  send(message) {
    this.text(JSON.stringify(message));
  }
  reply(to, data) {
    this.send({ type: "reply", requestId: to.requestId, data });
  }
  refuse(to, error) {
    this.send({ type: "reply", requestId: to.requestId, error: { message: error.code, temporary: false, ...error } });
  }
  close(code, reason) {
    this.hasClosed = true;
    this.raw(frame(8, closeBody(code, reason)));
    this.socket.end();
  }
  destroy() {
    this.socket.destroy();
  }
}

export const greeting = (over = {}) => ({
  type: "connected", client: "c-1", session: "s-1", user: null, authenticated: false, authRequired: false,
  server: { version: "0.1.0", pingInterval: 25000, pongTimeout: 10000, maxMessageSize: 65536, reconnectMin: 5, reconnectMax: 20 },
  ...over,
});

/** A server that does what a test says. Answers pings unless `silent`; greets unless `greets` is false. */
export class ScriptedServer {
  peers = [];
  _waiting = [];
  greets = true;
  connections = 0;

  static async start(options = {}) {
    const server = Object.assign(new ScriptedServer(), options);
    server._http = createServer((request, response) => server._request(request, response));
    server._http.on("upgrade", (request, socket, head) => server._upgrade(request, socket, head));
    await new Promise((resolve) => server._http.listen(options.port ?? 0, "127.0.0.1", resolve));
    server.port = server._http.address().port;
    server.url = `ws://127.0.0.1:${server.port}/ws`;
    return server;
  }
  _request(request, response) {
    const body = this.files?.[request.url];
    response.writeHead(body ? 200 : 404, { "Content-Type": "application/json" }).end(body ?? "");
  }
  _upgrade(request, socket, head) {
    this.connections++;
    socket.setNoDelay(true);
    if (this.refusal) return socket.end(`HTTP/1.1 ${this.refusal}\r\nConnection: close\r\n\r\n`);
    if (this.isDeaf) return this._deaf.push(socket);
    const protocol = request.headers["sec-websocket-protocol"];
    socket.write(
      "HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n" +
        `Sec-WebSocket-Accept: ${accept(request.headers["sec-websocket-key"])}\r\n` +
        (protocol ? `Sec-WebSocket-Protocol: ${protocol}\r\n` : "") + "\r\n",
    );
    const peer = new Peer(socket, head);
    peer.url = request.url;
    peer.protocol = protocol;
    peer.onMessage = (message) => {
      if (message.type !== "ping" || this.silent) return false;
      peer.reply(message, { time: Date.now() });
      return true;
    };
    if (this.greets) peer.send(greeting({ client: `c-${this.connections}`, session: `s-${this.connections}`, ...this.greeting }));
    this.peers.push(peer);
    this._waiting.shift()?.(peer);
  }
  _deaf = [];
  _taken = 0;
  /** The next connection. */
  async connection() {
    while (this.peers.length <= this._taken) await new Promise((resolve) => this._waiting.push(resolve));
    return this.peers[this._taken++];
  }
  async stop() {
    for (const socket of [...this.peers.map((peer) => peer.socket), ...this._deaf]) socket.destroy();
    this._http.closeAllConnections();
    await new Promise((resolve) => this._http.close(resolve));
  }
}
