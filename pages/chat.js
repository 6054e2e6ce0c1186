// A chat with rooms, as an example of how an application uses WsdClient. Text of others goes into the page as text only.
// Ids for tests: name token address enter state[data-state] stateText problem rooms newRoom roomTitle leave messages typing text say limit members memberCount stats
import { WsdClient } from "../client.js";

const byId = (id) => document.getElementById(id);
const query = new URLSearchParams(location.search);
const maxMessages = 300; // kept for each room
const maxTyping = 3; // names shown

let client = null;
let myName = "";
let current = null; // the room that is shown
const rooms = new Map(); // name to { room, messages, pending, members, typing, reads, users, unread, note }
const names = new Map(); // connection to the name it gave; those of users are known anyway

// 1. Connect. The library reconnects, joins again, and brings what was missed; the page only shows it.

function enter(name, token) {
  myName = name;
  client = new WsdClient({
    url: query.get("url") ?? undefined, // default: what config.json says
    token: token || undefined, // or a function that gets a new one each time
  });
  client.on("state", showState);
  client.on("stopped", ({ message, reason }) => showProblem(`${message}${reason && ` (${reason})`}. Load the page again to go on.`));
  client.on("error", (error) => showProblem(error.message));
  client.on("connected", showState);
  byId("enter").hidden = true;
  byId("talk").hidden = false;
  showState();
  const first = new URLSearchParams(`room=${location.hash.slice(1)}`).get("room") || "lobby"; // takes what is no percent-encoding, too
  for (const name of new Set([first, "lobby", "random"])) addRoom(name);
  openRoom(first);
  setInterval(showStats, 1000);
  byId("text").focus();
}

// 2. Join rooms, and listen to each.

async function addRoom(name) {
  if (rooms.has(name)) return;
  const room = client.room(name);
  const view = { room, messages: [], pending: new Set(), members: new Map(), typing: new Map(), reads: new Map(), users: new Set(), unread: 0, note: "" };
  rooms.set(name, view);
  const show = () => changed(view);
  view.off = [
    room.on("message", (message) => received(view, message)),
    // The members are told at the first join and after each reconnect.
    room.on("joined", ({ presence }) => show((view.members = new Map((presence ?? []).map((member) => [member.client, member]))))),
    room.on("userJoined", (member) => show(view.members.set(member.client, member))),
    room.on("userLeft", ({ client }) => show(view.members.delete(client), view.typing.delete(client), view.reads.delete(client))),
    room.on("typing", ({ client, user, typing }) => show(typing ? view.typing.set(client, user) : view.typing.delete(client))),
    room.on("read", ({ user, client, offset }) => show(view.reads.set(user ?? client, offset), user && view.users.add(user))),
    room.on("gap", ({ reason }) => missed(view, reason)),
    room.on("left", ({ error }) => removeRoom(name, error ? error.message : "The application took you out of this room.")),
  ];
  showRooms();
  try {
    await room.join({ presence: true });
    await loadHistory(view);
  } catch (error) {
    removeRoom(name, error.message);
  }
}

function missed(view, reason) {
  if (reason === "no_history") return addMessage(view, { divider: "You were away. This room keeps no history: what was said meanwhile is gone." });
  view.messages = []; // the room may have begun anew: what it keeps counts
  loadHistory(view);
}

async function loadHistory(view) {
  try {
    const page = await view.room.history({ limit: 50, reverse: true });
    const known = new Set(view.messages.map((message) => message.offset));
    const older = page.messages.reverse().filter((message) => !known.has(message.offset));
    older.forEach(learnName);
    view.messages = [...older, ...view.messages].sort((a, b) => a.offset - b.offset).slice(-maxMessages);
    view.note = page.more ? "Older messages are not shown." : "This is the beginning of what the room keeps.";
  } catch (error) {
    view.note = error.code === "no_history" ? "This room keeps no history: you see what is said from now on." : error.message;
  }
  changed(view);
  markRead();
}

async function removeRoom(name, why) {
  const view = rooms.get(name);
  if (!rooms.delete(name)) return;
  view.off.forEach((off) => off());
  if (why) showProblem(`${name}: ${why}`);
  else await view.room.leave();
  if (current === view) current = null;
  if (rooms.size > 0 && !current) openRoom(rooms.keys().next().value);
  showRooms();
}

// 3. Messages, each way.

async function send(text, view = current) {
  const pending = { text };
  view.pending.add(pending);
  changed(view);
  try {
    // Waits while there is no connection or the rate limit says so; resolves when the server has it.
    await view.room.publish({ name: myName, text });
    view.pending.delete(pending);
  } catch (error) {
    pending.failed = error.message;
  }
  changed(view);
}

function received(view, message) {
  learnName(message);
  addMessage(view, message);
  view.typing.delete(message.from?.client);
  if (view !== current || document.hidden) view.unread++;
  changed(view);
  markRead();
}

function addMessage(view, message) {
  view.messages = [...view.messages, message].slice(-maxMessages);
}

/** Read is what was shown. The library sends the mark of the last message, once. */
function markRead() {
  if (!current || document.hidden) return;
  current.unread = 0;
  current.room.read(current.messages.findLast((message) => message.offset)?.offset);
  showRooms();
}

function learnName({ from, data }) {
  if (from?.client && typeof data?.name === "string") names.set(from.client, data.name.slice(0, 40));
  if (names.size > 2000) names.delete(names.keys().next().value);
}
const nameOf = (connection) => names.get(connection) ?? `guest ${String(connection).slice(-6)}`;
const sender = (message) => message.from?.user ?? (message.from?.client ? nameOf(message.from.client) : "the service");

// 4. Show it all.

const words = {
  connecting: ["Connecting", "warn"], open: ["Connected", "good"], reconnecting: ["Reconnecting", "warn"],
  offline: ["Offline", "warn"], closed: ["Closed", "bad"], stopped: ["Stopped", "bad"],
};

const sentence = (reason) => (reason ? `${reason.message.replace(/\.$/, "")}.` : "");

function showState(change = {}) {
  const [text, tone] = words[client.state];
  const wait = change.retryIn >= 1000 ? ` Trying again in ${Math.round(change.retryIn / 1000)} s.` : "";
  byId("state").textContent = text;
  Object.assign(byId("state").dataset, { state: client.state, tone });
  byId("stateText").textContent = client.state === "open" ? `as ${client.user ?? myName}`
    : ["reconnecting", "offline"].includes(client.state) ? `${sentence(client.reason)}${wait} What you write is sent when it is back.` : sentence(client.reason);
  if (client.state === "open") byId("problem").hidden = true;
  if (current) changed(current);
}

function showProblem(text) {
  Object.assign(byId("problem"), { textContent: text, hidden: false });
}

function openRoom(name) {
  current = rooms.get(name);
  history.replaceState(null, "", `#${encodeURIComponent(name)}`);
  changed(current);
  byId("messages").scrollTop = byId("messages").scrollHeight;
  markRead();
}

let isScheduled = false;
/** Draws once a frame, however much has changed. */
function changed(view) {
  if (view !== current) return showRooms();
  if (isScheduled) return;
  isScheduled = true;
  requestAnimationFrame(() => {
    isScheduled = false;
    if (current) showRoom(current);
    showRooms();
  });
}

function make(name, className, ...children) {
  const made = document.createElement(name);
  made.className = className;
  made.append(...children.filter(Boolean));
  return made;
}

const drawn = new WeakMap();
/** The same element as long as `facts` are the same: so focus and selection stay, and nothing is read out twice. */
function kept(thing, facts, draw) {
  if (drawn.get(thing)?.facts !== facts) drawn.set(thing, { facts, node: draw() });
  return drawn.get(thing).node;
}
function fill(list, nodes) {
  for (const node of [...list.children]) if (!nodes.includes(node)) node.remove();
  nodes.forEach((node, index) => list.children[index] !== node && list.insertBefore(node, list.children[index] ?? null));
}

function showRooms() {
  fill(byId("rooms"), [...rooms].map(([name, view]) => {
    const item = kept(view, name, () => make("li", "", make("button", "", make("span", "", name), make("span", "badge"))));
    const [button, badge] = [item.firstChild, item.firstChild.lastChild];
    button.onclick = () => openRoom(name);
    button.ariaCurrent = view === current ? "true" : null;
    button.ariaLabel = view.unread > 0 ? `${name}, ${view.unread} unread` : null;
    badge.hidden = view.unread === 0;
    badge.textContent = view.unread;
    return item;
  }));
}

function showRoom(view) {
  const list = byId("messages");
  const atEnd = list.scrollTop + list.clientHeight >= list.scrollHeight - 40;
  byId("roomTitle").textContent = view.room.name;
  fill(list, [
    kept(view.pending, view.note, () => make("p", "divider", view.note)),
    ...view.messages.map((message) => bubble(view, message)),
    ...[...view.pending].map((pending) => waiting(view, pending)),
  ]);
  if (atEnd) list.scrollTop = list.scrollHeight;
  const typing = [...view.typing].map(([client, user]) => user ?? nameOf(client));
  byId("typing").textContent = typing.length === 0 ? "" : typing.length > maxTyping ? `${typing.length} people are writing …`
    : `${typing.join(", ")} ${typing.length > 1 ? "are" : "is"} writing …`;
  byId("memberCount").textContent = view.members.size || "";
  byId("members").replaceChildren(...[...view.members.values()].map((member) =>
    make("li", "", member.client === client.id ? `${client.user ?? myName} (you)` : (member.info?.name ?? member.user ?? nameOf(member.client)))));
}

function bubble(view, message) {
  if (message.divider) return kept(message, "", () => make("p", "divider", message.divider));
  const text = typeof message.data?.text === "string" ? message.data.text : JSON.stringify(message.data);
  const isReader = ([who, offset]) => offset === message.offset && who !== (message.from?.user ?? message.from?.client);
  const readers = [...view.reads].filter(isReader).map(([who]) => (view.users.has(who) ? who : nameOf(who))).join(", ");
  const time = new Date(message.time).toLocaleTimeString([], { hour: "2-digit", minute: "2-digit" });
  return kept(message, `${sender(message)} ${readers}`, () => make("div", `message${message.own ? " own" : ""}`,
    !message.own && make("strong", "", sender(message)), make("p", "", text), make("footer", "", time, readers && ` · read by ${readers}`)));
}

function waiting(view, pending) {
  const state = pending.failed ? `not sent: ${pending.failed} ` : client.state === "open" ? "sending …" : "waits for the connection …";
  return kept(pending, state, () => {
    const again = pending.failed && make("button", "small", "Send again");
    if (again) again.onclick = () => view.pending.delete(pending) && send(pending.text, view);
    return make("div", "message own pending", make("p", "", pending.text), make("footer", "", state, again));
  });
}

let waitsBefore = 0;
function showStats() {
  const stats = client.stats();
  const size = (value) => (value < 1024 ? `${Math.round(value)} B` : `${(value / 1024).toFixed(1)} KiB`);
  const figures = {
    "Sent": `${stats.messagesOut} · ${size(stats.bytesOut)}`, "Received": `${stats.messagesIn} · ${size(stats.bytesIn)}`,
    "Average size": size((stats.bytesIn + stats.bytesOut) / Math.max(1, stats.messagesIn + stats.messagesOut)),
    "Latency": stats.latency ? `${stats.latency.last.toFixed(1)} ms` : "–", "Open for": `${Math.round(stats.uptime / 1000)} s`,
    "Reconnects": stats.reconnects, "Waiting": stats.queued, "Sent again": stats.resent, "Waits for the limit": stats.rateWaits,
  };
  byId("stats").replaceChildren(...Object.entries(figures).map(([name, value]) => make("div", "tile", make("dt", "", name), make("dd", "", String(value)))));
  const limit = client.server?.messagesPerSecond;
  const isLimited = stats.queued > 0 && stats.rateWaits > waitsBefore;
  byId("limit").textContent = isLimited ? `Not so fast: the server takes ${limit ?? "few"} messages a second. ${stats.queued} wait, none is lost.` : "";
  if (stats.queued === 0) waitsBefore = stats.rateWaits;
}

// 5. What the user does.

byId("enter").onsubmit = (event) => {
  event.preventDefault();
  sessionStorage.setItem("name", byId("name").value);
  enter(byId("name").value.trim() || "nobody", byId("token").value.trim());
};
byId("say").onsubmit = (event) => {
  event.preventDefault();
  if (!current || !byId("text").value.trim()) return;
  send(byId("text").value);
  byId("text").value = "";
  current.room.typing(false);
};
byId("text").oninput = () => current?.room.typing(); // throttles itself
byId("roomForm").onsubmit = (event) => {
  event.preventDefault();
  const name = byId("newRoom").value.trim();
  addRoom(name);
  openRoom(name);
  byId("newRoom").value = "";
};
byId("leave").onclick = () => current && removeRoom(current.room.name);
document.addEventListener("visibilitychange", markRead);

byId("name").value = query.get("name") ?? sessionStorage.getItem("name") ?? "";
if (query.has("url")) Object.assign(byId("address"), { textContent: `The link to this page connects it to ${query.get("url")}.`, hidden: false });
else if (query.has("name")) byId("enter").requestSubmit();
