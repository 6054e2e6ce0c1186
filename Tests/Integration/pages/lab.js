// Does what a test says, and keeps what it saw in `seen`.
import { WsdClient } from "./wsd/client.js";

const seen = (globalThis.seen = { states: [], ids: [], gaps: [], errors: [], messages: [], asked: 0 });

/** All that the library has made, the last one at the end. */
const sockets = (globalThis.sockets = []);
class Recorded extends WebSocket {
  constructor(...all) {
    super(...all);
    sockets.push(this);
  }
}

/** `tokens`: what the token function gives, one after the other. */
globalThis.start = ({ tokens, ...options } = {}) => {
  const token = tokens ? () => tokens[seen.asked++] : options.token;
  const client = (globalThis.client = new WsdClient({ reconnect: { min: 20, max: 300 }, WebSocket: Recorded, ...options, token }));
  client.on("state", ({ state, reason }) => seen.states.push([state, reason?.code ?? null]));
  client.on("connected", ({ client: id }) => seen.ids.push(id));
  client.on("gap", (gap) => seen.gaps.push(gap));
  client.on("error", ({ code, message }) => seen.errors.push([code, message]));
  client.on("message", ({ data, offset }) => seen.messages.push([data.by, data.number, offset]));
};

globalThis.join = (room) => client.join(room).then(() => true);

let writing = null;
/** Publishes numbers, one every few milliseconds, not waiting for answers. */
globalThis.write = (room, by, pause = 5) => {
  const sent = [];
  let number = 0;
  const timer = setInterval(() => sent.push(client.publish(room, { by, number: number++ })), pause);
  writing = { stop: () => (clearInterval(timer), Promise.all(sent).then(() => number)), written: () => number };
};
globalThis.written = () => writing.written();
/** Resolves when the server has them all, with their number. */
globalThis.stopWriting = () => writing.stop();
document.title = "Ready";
