// The dashboard. Ids for tests: health[data-health] about problem problems keyForm key figures tiles[tile-clients …] processes controls reload restart
// restart-worker-N scale operation messagesPlot clientsPlot memoryPlot cpuPlot latencyPlot tab-logs tab-clients tab-rooms log clients rooms dialog number dialogYes dialogNo
import { LogView, base, byId, bytes, cell, clock, count, duration, element, jsonLines, milliseconds, pause, rate, show } from "./common.js";
import { BarPlot, LinePlot } from "./plot.js";

const maxLogLines = 1000;
const maxClients = 500; // read of the list, and shown
const maxRooms = 2000; // read of the list
const maxRoomsShown = 500; // the fullest of them
const span = 300; // seconds that the plots show
const latencySpan = 60; // seconds of the histogram
const listEvery = 5000; // ms
const retryAfter = 2000; // ms
const levels = ["trace", "debug", "info", "notice", "warning", "error", "critical"];

let session = { control: false };
let timer = null; // of the lists
let key = null; // of the operator, on the public port only
let round = 0; // grows with each key that is entered; what follows for an older one ends

// -- Asking.

class Refusal extends Error {
  constructor(status, message) {
    super(message);
    this.status = status;
  }
}

async function call(path, { body, signal } = {}) {
  const headers = {};
  if (key) headers.Authorization = `Bearer ${key}`;
  if (body !== undefined) Object.assign(headers, { "Content-Type": "application/json", "X-Wsd-Csrf": session.csrf });
  const response = await fetch(`${base}api/${path}`, {
    method: body === undefined ? "GET" : "POST", headers, signal, cache: "no-store", redirect: "error",
    body: body === undefined ? undefined : JSON.stringify(body),
  });
  if (response.ok) return response;
  const text = await response.text();
  let message = text.trim(); // a sentence, or the control API's error
  try {
    message = JSON.parse(text).message ?? message;
  } catch {}
  throw new Refusal(response.status, message || `The server answered ${response.status}.`);
}

/** A sentence for what went wrong; a key that is needed is asked for. */
function failed(error) {
  const isAway = !(error instanceof Refusal);
  byId("problem").textContent = isAway ? "The dashboard's server does not answer: wsctl dashboard has ended, or the network is away. Trying again." : error.message;
  byId("problem").hidden = false;
  setHealth("unknown", isAway || error.status >= 500 ? "Away" : "Refused", "bad");
  if (error.status !== 401) return;
  if (key === null) {
    byId("problem").hidden = true;
    setHealth("unknown", "A key is needed", "warn");
  }
  key = null;
  byId("keyForm").hidden = false;
  byId("figures").hidden = true;
}

// -- Figures.

const plots = {
  messages: new LinePlot(byId("messagesPlot"), { names: ["in", "out"], span, format: rate, highest: 10 }),
  clients: new LinePlot(byId("clientsPlot"), { names: ["clients", "rooms"], span, format: rate, highest: 10 }),
  memory: new LinePlot(byId("memoryPlot"), { names: ["all", "workers", "hub"], span, format: bytes, highest: 1 << 20, isBinary: true }),
  cpu: new LinePlot(byId("cpuPlot"), { names: ["all", "busiest"], span, format: (value) => `${rate(value)} %`, highest: 10 }),
};
const bounds = Array.from({ length: 20 }, (_, bucket) => (32e-6 * 2 ** bucket));
const latencyPlot = new BarPlot(byId("latencyPlot"), {
  labels: [...bounds.map((bound) => milliseconds(bound).replace(/\.0+ /, " ")), "more"], format: rate, name: "deliveries by duration",
});
let latencies = new Map(); // pid to its histogram of now
let additions = []; // of each of the last seconds, over all processes

const added = (histograms) => histograms.reduce((sum, counts) => sum.map((value, bucket) => value + (counts[bucket] ?? 0)), Array(bounds.length + 1).fill(0));

function addHistograms(processes) {
  const now = new Map(processes.filter(({ counters }) => counters?.latency).map(({ pid, counters }) => [pid, counters.latency.counts]));
  const isFirst = latencies.size === 0;
  const grown = [...now].map(([pid, counts]) => counts.map((value, bucket) => Math.max(0, value - (latencies.get(pid)?.[bucket] ?? 0))));
  if (!isFirst) additions.push(added(grown));
  if (additions.length > latencySpan) additions.shift();
  latencies = now;
}

function showLatency() {
  const values = added(byId("latencyAll").checked ? [...latencies.values()] : additions);
  latencyPlot.set(values);
  const all = values.reduce((a, b) => a + b, 0);
  const quantile = (share) => {
    let seen = 0;
    const bucket = values.findIndex((value) => (seen += value) >= Math.max(1, Math.ceil(all * share)));
    return bucket < bounds.length ? `≤ ${milliseconds(bounds[bucket])}` : `> ${milliseconds(bounds.at(-1))}`;
  };
  const when = byId("latencyAll").checked ? "since these processes began" : `last ${latencySpan} s`;
  show("latency", all ? `${when}: half ${quantile(0.5)}, 95 % ${quantile(0.95)}, 99 % ${quantile(0.99)}` : `${when}: no deliveries`);
}

const sumOf = (list, pick) => list.reduce((sum, item) => sum + (pick(item) ?? 0), 0);

function showSample({ totals, processes }) {
  const workers = processes.filter((process) => process.worker !== undefined);
  const memory = sumOf(processes, (process) => process.memory);
  const cpus = processes.map((process) => process.cpu).filter(Number.isFinite);
  plots.messages.push([totals.messagesInPerSecond, totals.messagesOutPerSecond]);
  plots.clients.push([totals.clients, totals.rooms]);
  plots.memory.push([memory, sumOf(workers, (process) => process.memory), processes.find((process) => process.name === "hub")?.memory]);
  plots.cpu.push([cpus.reduce((a, b) => a + b, 0), Math.max(0, ...cpus)]);
  addHistograms(processes);
  showLatency();
  const { latency } = totals;
  showTiles({
    clients: ["Clients", count(totals.clients), `${count(totals.users)} users`],
    rooms: ["Rooms", count(totals.rooms), totals.historyRooms ? `${count(totals.historyRooms)} with history` : ""],
    in: ["Messages in", `${rate(totals.messagesInPerSecond)}/s`, `${count(totals.messagesIn)} in all`],
    out: ["Messages out", `${rate(totals.messagesOutPerSecond)}/s`, `${count(totals.messagesOut)} in all`],
    latency: ["Latency, 99 %", latency ? milliseconds(latency.p99) : "–", latency ? `half ${milliseconds(latency.p50)}` : "no deliveries yet"],
    memory: ["Memory", bytes(memory), `${processes.filter((process) => process.pid).length} processes`],
    restarts: ["Restarts", count(totals.restarts), totals.errors ? `${count(totals.errors)} errors` : "no errors"],
    refused: ["Refused", count(sumOf(Object.values(totals.refusedByReason), (value) => value)), totals.rateLimited ? `${count(totals.rateLimited)} rate limited` : "connections"],
  });
  showProcesses(processes);
}

/** Makes them once, then only changes the text. */
function showTiles(tiles) {
  for (const [id, [name, value, more]] of Object.entries(tiles)) {
    if (!byId(`tile-${id}`)) {
      byId("tiles").append(element("div", { className: "tile" }, element("dt", {}, name), element("dd", { id: `tile-${id}` }), element("dd", {}, element("small", { id: `more-${id}`, className: "muted" }))));
    }
    show(`tile-${id}`, value);
    show(`more-${id}`, more);
  }
}

const tones = { ready: "good", starting: "warn", draining: "warn", stopping: "warn", backoff: "bad", failed: "bad", stopped: "" };

function showProcesses(processes) {
  const rows = new Map([...byId("processes").children].map((row) => [row.dataset.name, row]));
  const wanted = processes.map((process) => {
    // A slot may have two for a while: one that drains and its successor.
    const name = `${process.name} ${process.state === "draining" ? process.pid : ""}`;
    const row = rows.get(name) ?? processRow(name, process);
    const { counters, messagesInPerSecond: messagesIn, messagesOutPerSecond: messagesOut } = process;
    const known = (value, format) => (value === undefined || value === null ? "–" : format(value));
    const state = process.retryIn ? `${process.state}, again in ${process.retryIn.toFixed(1)} s` : process.state;
    const values = [
      null, state, process.pid ?? "–", known(process.uptime, duration), count(process.restarts), process.worker ? known(counters?.clients, count) : "–",
      known(messagesIn, rate), known(messagesOut, rate), known(process.cpu, (value) => `${rate(value)} %`), known(process.memory, bytes), process.lastExit ?? "–",
    ];
    values.forEach((value, index) => value !== null && show(index === 1 ? row.cells[1].firstChild : row.cells[index], value));
    row.cells[1].firstChild.dataset.tone = tones[process.state] ?? "";
    return row;
  });
  const body = byId("processes");
  if (wanted.length !== body.children.length || wanted.some((row, index) => row !== body.children[index])) body.replaceChildren(...wanted);
}

function processRow(name, { name: title, worker }) {
  const row = element("tr", { dataset: { name } }, element("th", { scope: "row" }, title), element("td", {}, element("span", { className: "state small" })));
  for (let index = 2; index < 11; index++) row.append(element("td", { className: index < 10 ? "number" : "" }));
  if (session.control) {
    const action = element("td");
    if (worker) {
      const button = element("button", { id: `restart-worker-${worker}`, className: "small", type: "button", ariaLabel: `Restart ${title}` }, "Restart");
      button.onclick = () => ask(`Restart worker ${worker}?`, "Its successor takes over first; then its clients are told to connect again.", "Restart", () => operate(`restart?worker=${worker}`, {}));
      action.append(button);
    }
    row.append(action);
  }
  return row;
}

function setHealth(health, words, tone) {
  show("health", words);
  Object.assign(byId("health").dataset, { health, tone });
}

async function showStatus() {
  const status = await (await call("status")).json();
  const tone = { ok: "good", degraded: "bad", starting: "warn", stopping: "warn" }[status.health];
  setHealth(status.health, { ok: "All is well", degraded: "Degraded", starting: "Starting", stopping: "Stopping" }[status.health], tone);
  show("about", `${status.version} · ${status.mode} · up ${duration(status.uptime)} · ${status.addresses.join(", ")}`);
  const problems = [...status.problems, ...(status.operation ? [`Under way: ${status.operation}`] : [])];
  if (problems.join() !== [...byId("problems").children].map((node) => node.textContent).join()) {
    byId("problems").replaceChildren(...problems.map((text) => element("p", { className: "notice", dataset: { tone: "warn" } }, text)));
  }
  wanted = status.workersWanted;
}
let wanted = 0; // workers

// -- Logs.

const log = new LogView(byId("log"), {
  limit: maxLogLines,
  line: ({ time, source, level, message, fields }) => {
    const more = Object.entries(fields ?? {}).map(([name, value]) => `${name}=${value}`).join(" ");
    return element("div", { className: `level-${level}` }, element("time", {}, clock(time * 1000)), element("b", {}, level), `${source}: ${message} `, element("i", {}, more));
  },
  matches: ({ level, source, message, fields }) => levels.indexOf(level) >= levels.indexOf(byId("logLevel").value)
    && (!byId("logSource").value || source === byId("logSource").value)
    && `${message} ${JSON.stringify(fields ?? {})}`.toLowerCase().includes(byId("logText").value.toLowerCase()),
});
let lastLine = null;
let logPid = null; // of the supervisor that counts the lines

function addLine(entry) {
  lastLine = entry.sequence;
  const sources = byId("logSource");
  if (![...sources.options].some((option) => option.value === entry.source)) sources.append(element("option", { value: entry.source }, entry.source));
  log.add(entry);
}

// -- Lists.

async function readList(path, limit) {
  const [list, problems] = [[], []];
  let isCut = false;
  for await (const line of jsonLines(await call(path))) {
    if (line.problem) problems.push(line.problem);
    else if (list.length < limit) list.push(line);
    else {
      isCut = true;
      break;
    }
  }
  return { list, problems, isCut };
}

const contains = (id, ...texts) => texts.join(" ").toLowerCase().includes(byId(id).value.toLowerCase());

async function showClients() {
  const { list, problems, isCut } = await readList("clients", maxClients);
  const shown = list.filter((client) => contains("clientFilter", client.id, client.user ?? "", client.address, ...client.rooms));
  byId("clients").replaceChildren(...shown.map((client) => element("tr", {},
    element("th", { scope: "row", className: "mono" }, client.id), cell(client.user ?? "–"), cell(String(client.worker), "number"), cell(client.address),
    cell(client.dialect), cell(duration(client.sessionAge ?? Date.now() / 1000 - client.connectedAt), "number"), cell(bytes(client.bytesIn), "number"),
    cell(bytes(client.bytesOut), "number"), cell(bytes(client.queue), "number"), cell(client.rooms.join(", ") || "–", "wrap"))));
  show("clientNote", [`${count(shown.length)} shown`, isCut ? `of the first ${count(maxClients)}` : "", ...problems].filter(Boolean).join("; "));
}

async function showRooms() {
  const { list, problems, isCut } = await readList("rooms", maxRooms);
  const fitting = list.filter((room) => contains("roomFilter", room.room)).sort((a, b) => b.members - a.members);
  const shown = fitting.slice(0, maxRoomsShown);
  const known = (value, format) => (value === undefined ? "–" : format(value));
  byId("rooms").replaceChildren(...shown.map((room) => element("tr", {}, element("th", { scope: "row", className: "wrap" }, room.room), cell(count(room.members), "number"),
    cell(known(room.messages, count), "number"), cell(known(room.bytes, bytes), "number"), cell(known(room.offset, String), "number"))));
  show("roomNote", [`${count(shown.length)} shown`, fitting.length > shown.length ? `the fullest of ${count(fitting.length)}` : "", isCut ? `of the first ${count(maxRooms)} by name` : "", ...problems].filter(Boolean).join("; "));
}

const lists = { logs: null, clients: showClients, rooms: showRooms };
const tabs = Object.keys(lists);
let openTab = "logs";

function openPanel(name, isFocused) {
  openTab = name;
  for (const tab of tabs) {
    byId(`tab-${tab}`).ariaSelected = String(tab === name);
    byId(`tab-${tab}`).tabIndex = tab === name ? 0 : -1;
    byId(`panel-${tab}`).hidden = tab !== name;
  }
  if (isFocused) byId(`tab-${name}`).focus();
  showList();
}

async function showList() {
  try {
    await lists[openTab]?.();
  } catch (error) {
    if (error.status === 403) show(openTab === "clients" ? "clientNote" : "roomNote", error.message);
    else if (error.status === 401) failed(error);
  }
}

// -- Operations: only where wsctl serves this page.

let confirmed = null;
function ask(title, text, yes, act, withNumber = false) {
  show("dialogTitle", title);
  show("dialogText", text);
  show("dialogYes", yes);
  byId("dialogNumber").hidden = !withNumber;
  confirmed = act;
  byId("dialog").showModal();
}

async function operate(path, body) {
  const box = byId("operation");
  const say = (text, tone) => {
    box.hidden = false;
    box.dataset.tone = tone;
    show(box, text);
  };
  say("Asked for …", "");
  try {
    let last = null;
    for await (const step of jsonLines(await call(path, { body }))) {
      last = step;
      say(`${step.operation}: ${step.message}`, step.done ? (step.succeeded ? "good" : "bad") : "");
    }
    if (!last?.done) say("The answer broke off: see wsctl status.", "warn");
  } catch (error) {
    say(error instanceof Refusal ? error.message : "The answer broke off: see wsctl status.", "bad");
  }
  showStatus().catch(() => {});
}

// -- What goes on all the time.

async function followStats() {
  for (const mine = round; mine === round; await pause(retryAfter)) {
    try {
      for await (const sample of jsonLines(await call("stats?follow=1s"))) {
        if (mine !== round) return;
        byId("problem").hidden = true;
        byId("figures").hidden = false;
        showSample(sample);
      }
    } catch (error) {
      failed(error);
      if (error.status === 401) return;
    }
    for (const plot of Object.values(plots)) plot.push(plot.names.map(() => null));
    latencies.clear();
  }
}

async function followLogs() {
  for (const mine = round; mine === round; await pause(retryAfter)) {
    try {
      // A service that was started again counts its lines anew.
      const { pid } = await (await call("status")).json();
      if (pid !== logPid) [logPid, lastLine] = [pid, null];
      for await (const entry of jsonLines(await call(lastLine === null ? "logs?lines=200&follow=1" : `logs?after=${lastLine}&follow=1`))) {
        if (mine === round) addLine(entry);
        else return;
      }
    } catch (error) {
      if (error.status === 401) return;
      if (error.status === 403) {
        byId("tab-logs").hidden = true;
        return openTab === "logs" && openPanel("clients");
      }
    }
  }
}

async function begin() {
  try {
    session = await (await call("session")).json();
  } catch (error) {
    failed(error);
    if (error.status !== 401 && error.status !== 403) setTimeout(begin, retryAfter);
    return;
  }
  byId("problem").hidden = byId("keyForm").hidden = true;
  byId("controls").hidden = byId("actionHead").hidden = !session.control;
  round++;
  followStats();
  followLogs();
  const look = () => showStatus().catch((error) => error instanceof Refusal && error.status < 500 && failed(error));
  look();
  timer ??= setInterval(() => {
    if (document.hidden || !byId("keyForm").hidden) return;
    look();
    showList();
  }, listEvery);
}

byId("keyForm").onsubmit = (event) => {
  event.preventDefault();
  key = byId("key").value.trim();
  byId("key").value = "";
  begin();
};
byId("reload").onclick = () => ask("Reload?", "The configuration is read again, and the workers are replaced one after the other. Clients are told to connect again; nobody is refused.", "Reload", () => operate("reload", {}));
byId("restart").onclick = () => ask("Restart all workers?", "They are replaced one after the other. Clients are told to connect again; nobody is refused.", "Restart all", () => operate("restart", {}));
byId("scale").onclick = () => {
  byId("number").value = wanted;
  ask("How many workers?", "Until the service is started again; workers.count in wsd.yaml says with how many it starts.", "Scale", () => operate("scale", { workers: Number(byId("number").value) }), true);
};
byId("dialogForm").onsubmit = (event) => {
  event.preventDefault();
  byId("dialog").close();
  confirmed?.();
};
byId("dialogNo").onclick = () => byId("dialog").close();
log.filterBy("logText", "logLevel", "logSource");
for (const id of ["clientFilter", "roomFilter"]) byId(id).addEventListener("change", showList);
byId("logClear").onclick = () => log.clear();
byId("logExport").onclick = () => log.save("wsd-log");
byId("latencyAll").onchange = () => showLatency();
for (const [index, name] of tabs.entries()) {
  byId(`tab-${name}`).onclick = () => openPanel(name);
  byId(`tab-${name}`).onkeydown = ({ key: pressed }) => {
    const step = { ArrowRight: 1, ArrowLeft: -1 }[pressed];
    if (step) openPanel(tabs[(index + step + tabs.length) % tabs.length], true);
  };
}
begin();
