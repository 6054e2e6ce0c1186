// The test page. Ids for tests: url connect dialect token reconnect state[data-state] stateText diagnosis[data-finding] diagnosisTitle
// diagnosisTodo room join leave rooms sample message send addId clientId user protocol compression latency sent received log logText logKind logClear logExport
import { LogView, base, byId, bytes, clock, count, duration, element, secrets, show, snippet } from "./common.js";
import { diagnose } from "./diagnosis.js";
import { LinePlot } from "./plot.js";
import { gatherFacts, parseTarget } from "./prober.js";

const maxEntries = 1000; // lines of the log
const maxShown = 2000; // characters of a message in the log; an exported one has ten times as many
const maxAnswers = 200; // requests whose answer is waited for
const pingInterval = 2000; // ms between two measurements of the latency
const pingTimeout = 10000; // ms
const connectTimeout = 8000; // ms
const greetingTimeout = 5000; // ms until a server that does not greet is taken for another one
const firstWait = 500; // ms before connecting again; doubled up to:
const longestWait = 10000;
const diagnoseEvery = 10000; // ms between two diagnoses while connecting again and again
const finalCodes = [1000, 1002, 1003, 1007, 1008, 1009];
const passingCodes = [4000, 4006, 4007, 4008];

const states = {
  idle: ["Not connected", ""], connecting: ["Connecting", "warn"], open: ["Connected", "good"],
  waiting: ["Waiting to connect again", "warn"], failed: ["Failed", "bad"], closed: ["Closed", ""],
};
const commandTypes = {
  simple: ["joinRoom", "leaveRoom", "sendToRoom"],
  "wsd.v1.json": ["join", "leave", "publish", "send", "history", "presence", "presenceCount", "typing", "read", "ping"],
};
const samples = {
  simple: (roomId) => ({
    "to a room": { type: "sendToRoom", roomId, data: { text: "hello" } },
    "to everybody": { type: "broadcast", data: { text: "hello, all" } },
    "join a room": { type: "joinRoom", roomId },
    "leave a room": { type: "leaveRoom", roomId },
    "authenticate": { type: "auth", token: "eyJ…" },
    "ask the application": { type: "price", data: { of: "tea" } },
  }),
  "wsd.v1.json": (room) => ({
    "publish": { type: "publish", room, data: { text: "hello" } },
    "publish, harmless to repeat": { type: "publish", room, data: { text: "once" }, messageId: `test-${Math.random().toString(36).slice(2, 10)}` },
    "to everybody": { type: "broadcast", data: { text: "hello, all" } },
    "to a user": { type: "send", user: "ada", data: { text: "hello" } },
    "join with members": { type: "join", room, presence: true },
    "leave": { type: "leave", room },
    "history": { type: "history", room, limit: 10 },
    "who is there": { type: "presence", room },
    "typing": { type: "typing", room, typing: true },
    "read mark": { type: "read", room, offset: 1 },
    "ping": { type: "ping" },
    "authenticate": { type: "auth", token: "eyJ…" },
    "ask the application": { type: "price", data: { of: "tea" } },
    "two in one frame": [{ type: "ping", requestId: "a" }, { type: "presenceCount", room, requestId: "b" }],
  }),
};

// -- The log.

const symbols = { sent: "→ sent", received: "← received", note: "· note", error: "! error" };
const log = new LogView(byId("log"), {
  limit: maxEntries,
  line: ({ time, kind, text }) => {
    const shown = text.length > maxShown ? `${text.slice(0, maxShown)} … (${count(text.length)} characters)` : text;
    return element("div", { className: kind }, element("time", {}, clock(time)), element("b", {}, symbols[kind]), shown);
  },
  matches: (entry) => (!byId("logKind").value || entry.kind === byId("logKind").value) && (byId("logPings").checked || !entry.ping)
    && entry.text.toLowerCase().includes(byId("logText").value.toLowerCase()),
});
function note(text, kind = "note", ping = undefined) {
  log.add({ time: Date.now(), kind, text: secrets(text.slice(0, maxShown * 10)), ping });
}

// -- The connection.

let connection = null; // { socket, target, dialect, token, greeted, openedAt, answers, rooms }
let run = 0; // grows with each attempt; what an older one says is not heard
let failures = 0;
let retry = null;
let diagnosedAt = -Infinity;
const wantedRooms = new Set(); // joined again with the next connection
const traffic = { sent: 0, sentBytes: 0, received: 0, receivedBytes: 0 };
const plot = new LinePlot(byId("latencyPlot"), {
  names: ["latency"], span: 60, format: (value) => `${value < 10 ? Math.round(value * 10) / 10 : Math.round(value)} ms`, highest: 2, every: pingInterval / 1000,
});
let latencies = [];

function setState(state, text = "") {
  const [words, tone] = states[state];
  const badge = byId("state");
  Object.assign(badge.dataset, { state, tone });
  badge.toggleAttribute("data-busy", state === "connecting" || state === "waiting");
  show(badge, words);
  show("stateText", text);
  show("connect", state === "open" ? "Disconnect" : state === "connecting" || state === "waiting" ? "Stop" : "Connect");
  byId("connect").classList.toggle("primary", state === "idle" || state === "failed" || state === "closed");
  for (const id of ["join", "leave", "send"]) byId(id).disabled = state !== "open";
}

function connect() {
  clearTimeout(retry);
  const mine = ++run;
  const target = parseTarget(byId("url").value, location);
  const dialect = byId("dialect").value;
  const protocols = dialect === "simple" ? [] : [dialect];
  const attempt = { opened: false, greeted: false, code: 1006, reason: "", lasted: 0 };
  const made = { run: mine, target, dialect, protocols, attempt, token: byId("token").value.trim(), answers: new Map(), openedAt: 0, nextId: 1 };
  if (target.problem) return failed(made);
  setState("connecting", secrets(target.url));
  note(`connecting to ${target.url}, ${dialect}`);
  try {
    made.socket = new WebSocket(target.url, protocols);
  } catch (error) {
    note(`the browser refuses to connect: ${error.message}`, "error");
    return failed(made);
  }
  connection = made;
  made.patience = setTimeout(() => made.socket.close(), connectTimeout);
  made.socket.onopen = () => mine === run && opened(made);
  made.socket.onmessage = (event) => mine === run && received(made, event.data);
  made.socket.onclose = (event) => mine === run && ended(made, event);
}

function disconnect() {
  clearTimeout(retry);
  run++;
  connection?.socket.close(1000);
  finish();
  connection = null;
  failures = 0;
  wantedRooms.clear();
  setState("closed", "by you");
  note("disconnected");
}

function opened(made) {
  const { socket, attempt } = made;
  attempt.opened = true;
  clearTimeout(made.patience);
  made.openedAt = performance.now();
  setState("open", secrets(made.target.url));
  byId("diagnosis").hidden = true;
  show("protocol", socket.protocol || "simple (no subprotocol)");
  show("compression", socket.extensions ? `agreed on: ${socket.extensions}` : "not agreed on");
  note(`open, ${socket.protocol || "no subprotocol"}, ${socket.extensions || "no compression"}`);
  made.greeting = setTimeout(() => made === connection && !attempt.greeted && explain({ ...made, attempt: { ...attempt, code: 0 } }), greetingTimeout);
  made.pinger = setInterval(() => ping(made), pingInterval);
}

/** What ends with each connection. */
function finish() {
  clearTimeout(connection?.greeting);
  clearInterval(connection?.pinger);
  for (const id of ["clientId", "user", "protocol", "compression", "server", "uptime"]) show(id, "–");
  byId("rooms").replaceChildren();
}

function ended(made, event) {
  const { attempt } = made;
  Object.assign(attempt, { code: event.code, reason: event.reason, lasted: attempt.opened ? performance.now() - made.openedAt : 0 });
  clearTimeout(made.patience);
  finish();
  if (attempt.opened) plot.push([null]);
  if (attempt.lasted > longestWait) failures = 0;
  note(`${attempt.opened ? "closed" : "failed before it was open"}, code ${event.code}${event.reason ? `: ${event.reason}` : ""}`, "error");
  failed(made);
}

function failed(made) {
  const { attempt, target } = made;
  connection = null;
  const { code } = attempt;
  const isFinal = target.problem || (attempt.opened && (finalCodes.includes(code) || (code >= 3000 && !passingCodes.includes(code))));
  const text = attempt.opened ? `code ${code}${attempt.reason ? `: ${attempt.reason}` : ""}` : "before it was open";
  if (byId("reconnect").checked && !isFinal && made.socket) {
    const wait = Math.min(longestWait, firstWait * 2 ** failures++) * (0.5 + Math.random() / 2);
    setState("waiting", `in ${(wait / 1000).toFixed(1)} s; failed ${text}`);
    retry = setTimeout(connect, wait);
  } else {
    setState(attempt.opened && code === 1000 ? "closed" : "failed", text);
  }
  if (failures <= 1 || performance.now() - diagnosedAt > diagnoseEvery) explain(made);
}

// -- The diagnosis.

let explaining = 0;

async function explain(made) {
  const mine = ++explaining;
  diagnosedAt = performance.now();
  const box = byId("diagnosis");
  if (!made.attempt.opened && box.hidden) {
    show("diagnosisTitle", "Looking for the cause …");
    for (const id of ["diagnosisWhat", "diagnosisSure", "diagnosisFacts"]) show(id, "");
    byId("diagnosisTodo").replaceChildren();
    byId("diagnosisSnippets").replaceChildren();
    byId("diagnosisNotice").dataset.tone = "";
    box.dataset.finding = "";
    box.hidden = false;
  }
  const facts = await gatherFacts({ ...made, base });
  if (mine !== explaining || (made.run !== run && connection?.attempt.opened)) return;
  const finding = diagnose(facts);
  note(`diagnosis: ${finding.title}`);
  show("diagnosisTitle", finding.title);
  show("diagnosisWhat", finding.what);
  show("diagnosisSure", finding.sure ? "" : "likely");
  byId("diagnosisNotice").dataset.tone = ["finished", "works_now"].includes(finding.id) ? "good" : finding.sure ? "bad" : "warn";
  byId("diagnosisTodo").replaceChildren(...finding.todo.map((text) => element("li", {}, text)));
  byId("diagnosisSnippets").replaceChildren(...finding.snippets.map(snippet));
  show("diagnosisFacts", secrets(JSON.stringify(facts, null, 1)));
  Object.assign(box.dataset, { finding: finding.id, sure: finding.sure });
  box.hidden = false;
}

// -- Messages.

const size = (text) => new TextEncoder().encode(text).length;

function send(made, text, isPing = false) {
  // Refused by the server, it may be closing before the page has heard of that.
  if (made.socket.readyState !== WebSocket.OPEN) return;
  made.socket.send(text);
  traffic.sent++;
  traffic.sentBytes += size(text);
  note(text, "sent", isPing || undefined);
}

/** With a `requestId`, so that the answer is known. */
function request(made, command, answered, isPing = false) {
  const requestId = `${isPing ? "ping" : "page"}-${made.nextId++}`;
  made.answers.set(requestId, { type: command.type, answered, isPing });
  if (made.answers.size > maxAnswers) made.answers.delete(made.answers.keys().next().value);
  send(made, JSON.stringify({ ...command, requestId }), isPing);
}

/** The way to wsd and back. The simple dialect has no ping: leaving a room one is not in does nothing, but is answered. */
function ping(made) {
  if (!made.attempt.greeted || [...made.answers.values()].some((answer) => answer.isPing)) return;
  const begin = performance.now();
  const command = made.dialect === "simple" ? { type: "leaveRoom", roomId: "wsd-test-page-latency" } : { type: "ping" };
  const late = setTimeout(() => {
    made.answers.forEach((answer, id) => answer.isPing && made.answers.delete(id));
    if (made === connection) plot.push([null]);
  }, pingTimeout);
  request(made, command, () => {
    clearTimeout(late);
    const passed = performance.now() - begin;
    latencies = [...latencies.slice(1 - plot.span), passed];
    plot.push([passed]);
    const mean = latencies.reduce((a, b) => a + b, 0) / latencies.length;
    show("latency", `${plot.format(passed)} · mean ${plot.format(mean)} · ${plot.format(Math.min(...latencies))} to ${plot.format(Math.max(...latencies))}`);
  }, true);
}

function received(made, data) {
  traffic.received++;
  const isText = typeof data === "string";
  traffic.receivedBytes += isText ? size(data) : data.size;
  const messages = isText ? parsed(data) : [];
  const isPing = messages.length === 1 && Boolean(made.answers.get(messages[0]?.requestId)?.isPing);
  note(isText ? data : `(${bytes(data.size)} that are no text)`, messages.some((message) => message?.error) && !isPing ? "error" : "received", isPing || undefined);
  for (const message of messages) if (message && typeof message === "object") take(made, message);
}

function parsed(text) {
  try {
    return [JSON.parse(text)].flat();
  } catch {
    return []; // not wsd
  }
}

function take(made, message) {
  const { type, requestId, error } = message;
  if (type === "connected") return greeted(made, message);
  const answer = made.answers.get(requestId);
  made.answers.delete(requestId);
  if (answer) answer.answered?.(error ? null : message.data ?? {});
  const code = error?.code ?? (error ? message.code : undefined);
  if (code && !answer?.isPing) checkDialect(made, code, answer?.type ?? made.lastType);
  if (type === "joined") markRoom(made, message.room, true);
  if (type === "left") markRoom(made, message.room, false);
}

function greeted(made, { client, clientId, user, server }) {
  show("clientId", client ?? clientId ?? "–");
  if (made.dialect !== "simple") show("user", user ?? "anonymous");
  const limit = server?.messagesPerSecond ? `, ${server.messagesPerSecond} messages a second` : "";
  show("server", `wsd ${server?.version ?? ""}${limit}`);
  if (made.attempt.greeted) return;
  made.attempt.greeted = true;
  clearTimeout(made.greeting);
  const join = () => [...wantedRooms].forEach((room) => moveRoom(made, room, true));
  if (made.token) request(made, { type: "auth", token: made.token }, (answer) => answer && (made.dialect === "simple" && show("user", "authenticated"), join()));
  else join();
}

/** A command of the other dialect is the most usual mistake. */
function checkDialect(made, code, type) {
  const other = made.dialect === "simple" ? "wsd.v1.json" : "simple";
  if (code !== "unknown_type" || !commandTypes[other].includes(type)) return;
  explain({ ...made, refusal: { code, type } });
}

// -- Rooms.

function moveRoom(made, room, isIn) {
  const command = made.dialect === "simple" ? { type: isIn ? "joinRoom" : "leaveRoom", roomId: room } : { type: isIn ? "join" : "leave", room };
  request(made, command, (answer) => answer && markRoom(made, room, isIn));
}

function markRoom(made, room, isIn) {
  if (made !== connection) return;
  const list = byId("rooms");
  const known = [...list.children].find((chip) => chip.dataset.room === room);
  wantedRooms[isIn ? "add" : "delete"](room);
  if (!isIn) return known?.remove();
  if (known) return;
  const button = element("button", { type: "button", ariaLabel: `Leave ${room}`, title: "Leave" }, "×");
  button.onclick = () => connection && moveRoom(connection, room, false);
  list.append(element("li", { className: "chip", dataset: { room } }, room, button));
}

// -- The page.

function fillSamples() {
  const list = samples[byId("dialect").value](byId("room").value);
  const chosen = byId("sample").value;
  byId("sample").replaceChildren(...Object.keys(list).map((name) => element("option", {}, name)));
  if (chosen in list) byId("sample").value = chosen;
  byId("message").value = JSON.stringify(list[byId("sample").value]);
}

function sendTyped() {
  if (!connection?.attempt.opened) return;
  let text = byId("message").value;
  try {
    const command = JSON.parse(text);
    const isObject = command && typeof command === "object" && !Array.isArray(command);
    connection.lastType = command?.type;
    if (isObject && command.requestId !== undefined) {
      connection.answers.set(command.requestId, { type: command.type });
    } else if (isObject && byId("addId").checked) {
      const room = command.room ?? command.roomId;
      const isMove = ["join", "joinRoom", "leave", "leaveRoom"].includes(command.type);
      return request(connection, command, (answer) => answer && isMove && markRoom(connection, room, command.type.startsWith("join")));
    }
  } catch {
    note("this is not JSON: sent as it is");
  }
  send(connection, text);
}

async function defaultAddress() {
  try {
    const response = await fetch(`${base}config.json`, { cache: "no-store" });
    const url = new URL((await response.json()).connectionString);
    // A proxy that speaks TLS and does not say so (X-Forwarded-Proto, http.trustedProxies).
    if (location.protocol === "https:" && url.host === location.host) url.protocol = "wss:";
    return url.href;
  } catch {
    return `${location.protocol === "https:" ? "wss:" : "ws:"}//${location.host}/ws`;
  }
}

byId("connectForm").onsubmit = (event) => {
  event.preventDefault();
  if (["open", "connecting", "waiting"].includes(byId("state").dataset.state)) return disconnect();
  failures = 0;
  byId("diagnosis").hidden = true;
  connect();
};
byId("roomForm").onsubmit = (event) => {
  event.preventDefault();
  if (connection?.attempt.opened) moveRoom(connection, byId("room").value, event.submitter?.name !== "leave");
};
byId("sendForm").onsubmit = (event) => {
  event.preventDefault();
  sendTyped();
};
byId("message").onkeydown = (event) => {
  if (event.key === "Enter" && (event.ctrlKey || event.metaKey)) sendTyped();
};
for (const id of ["sample", "room", "dialect"]) byId(id).onchange = fillSamples;
log.filterBy("logText", "logKind", "logPings");
byId("logClear").onclick = () => log.clear();
byId("logExport").onclick = () => log.save("wsd-log");
addEventListener("online", () => byId("state").dataset.state === "waiting" && connect());
setInterval(() => {
  for (const way of ["sent", "received"]) {
    byId(way).firstChild.data = `${count(traffic[way])} `;
    show(`${way}Bytes`, bytes(traffic[`${way}Bytes`]));
  }
  if (connection?.attempt.opened) show("uptime", duration((performance.now() - connection.openedAt) / 1000));
}, 500);

setState("idle");
fillSamples();
const asked = new URLSearchParams(location.search).get("url");
byId("url").value = asked ?? (await defaultAddress());
// An address from a link is not connected to without being asked.
if (asked === null && byId("state").dataset.state === "idle") connect();
