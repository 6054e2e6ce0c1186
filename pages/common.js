// What the pages have in common: elements, words for figures, a bounded log, streams of JSON lines.

export const base = document.body.dataset.base;
export const byId = (id) => document.getElementById(id);

/** An element with properties (`dataset` merged) and children; text is only ever text. */
export function element(name, properties = {}, ...children) {
  const { dataset, ...rest } = properties;
  const made = Object.assign(document.createElement(name), rest);
  if (dataset) Object.assign(made.dataset, dataset);
  made.append(...children.filter((child) => child !== null && child !== undefined));
  return made;
}

export const cell = (text, className = "") => element("td", { className }, text);

/** Changes text only where it is another: what is selected stays so. */
export function show(target, text) {
  const node = typeof target === "string" ? byId(target) : target;
  if (node.textContent !== String(text)) node.textContent = text;
}

const whole = new Intl.NumberFormat("en");
export const count = (value) => whole.format(Math.round(value));
/** Few digits where they matter. */
export const rate = (value) => (value >= 100 ? count(value) : String(Math.round(value * 10) / 10));

export function bytes(value) {
  const units = ["B", "KiB", "MiB", "GiB", "TiB"];
  const step = value < 1 ? 0 : Math.min(units.length - 1, Math.floor(Math.log2(value) / 10));
  const scaled = value / 1024 ** step;
  return `${step === 0 || scaled >= 100 ? Math.round(scaled) : scaled.toFixed(1)} ${units[step]}`;
}

/** From seconds. */
export function duration(seconds) {
  if (seconds < 60) return `${Math.floor(seconds)} s`;
  if (seconds < 3600) return `${Math.floor(seconds / 60)} min ${Math.floor(seconds % 60)} s`;
  if (seconds < 86400) return `${Math.floor(seconds / 3600)} h ${Math.floor((seconds % 3600) / 60)} min`;
  return `${Math.floor(seconds / 86400)} d ${Math.floor((seconds % 86400) / 3600)} h`;
}

/** From seconds. */
export function milliseconds(seconds) {
  const value = seconds * 1000;
  if (value >= 1000) return `${(value / 1000).toFixed(1)} s`;
  return `${value >= 100 ? Math.round(value) : value >= 1 ? value.toFixed(1) : value.toFixed(2)} ms`;
}

export const pause = (wait) => new Promise((resolve) => setTimeout(resolve, wait));

export const clock = (time) => new Date(time).toLocaleTimeString("en-GB", { hour12: false });

/** The last `limit` entries, those that match shown; drawn at most once a frame. */
export class LogView {
  entries = [];
  #waiting = [];
  #frame = 0;
  constructor(root, { limit, line, matches = () => true }) {
    Object.assign(this, { root, limit, line, matches });
  }
  add(entry) {
    this.entries.push(entry);
    if (this.entries.length > this.limit * 1.2) this.entries = this.entries.slice(-this.limit);
    this.#waiting.push(entry);
    if (this.#waiting.length > this.limit * 1.2) this.#waiting = this.#waiting.slice(-this.limit);
    this.#frame ||= requestAnimationFrame(() => this.#draw());
  }
  /** After `matches` has changed. */
  refresh() {
    this.root.replaceChildren();
    this.#waiting = this.entries.slice(-this.limit);
    this.#draw();
  }
  /** Fields that `matches` looks at. */
  filterBy(...ids) {
    for (const id of ids) for (const type of ["input", "change"]) byId(id).addEventListener(type, () => this.refresh());
  }
  clear() {
    this.entries = [];
    this.refresh();
  }
  #draw() {
    this.#frame = 0;
    const atEnd = this.root.scrollTop + this.root.clientHeight >= this.root.scrollHeight - 8;
    const lines = this.#waiting.filter((entry) => this.matches(entry)).map((entry) => this.line(entry));
    this.#waiting = [];
    if (lines.length === 0) return;
    this.root.append(...lines);
    while (this.root.childElementCount > this.limit) this.root.firstElementChild.remove();
    if (atEnd) this.root.scrollTop = this.root.scrollHeight;
  }
  /** Offers all entries as a file of JSON lines. */
  save(name) {
    const text = this.entries.map((entry) => JSON.stringify(entry) + "\n").join("");
    const url = URL.createObjectURL(new Blob([text], { type: "application/x-ndjson" }));
    const stamp = new Date().toISOString().slice(0, 19).replaceAll(":", "-");
    element("a", { href: url, download: `${name}-${stamp}.ndjson` }).click();
    setTimeout(() => URL.revokeObjectURL(url), 60000);
  }
}

const maxLine = 4 << 20; // characters of one JSON line

/** The objects of an answer that consists of JSON lines. Leaving the loop ends the answer. */
export async function* jsonLines(response) {
  const reader = response.body.pipeThrough(new TextDecoderStream()).getReader();
  let rest = "";
  try {
    for (;;) {
      const { value, done } = await reader.read();
      if (done) break;
      const lines = (rest + value).split("\n");
      rest = lines.pop();
      if (rest.length > maxLine) throw new Error("The server sent too long a line.");
      for (const line of lines) if (line) yield JSON.parse(line);
    }
    if (rest.trim()) yield JSON.parse(rest);
  } finally {
    reader.cancel().catch(() => {});
  }
}

/** Text that may hold a token or session, without it. */
export function secrets(text) {
  return text.replace(/("(?:token|session)"\s*:\s*")(?:[^"\\]|\\.)+/g, "$1…").replace(/([?&](?:access_)?token=)[^&\s"]+/g, "$1…");
}

/** Text to be copied, under a name. */
export function snippet({ name, text }) {
  const pre = element("pre", { tabIndex: 0 }, text);
  const button = element("button", { type: "button", className: "small" }, "Copy");
  button.onclick = () => copy(pre, button);
  return element("div", { className: "snippet" }, element("header", {}, element("h3", {}, name), button), pre);
}

/** Puts text on the clipboard, or selects it where pages may not (plain http: from another machine). */
async function copy(node, button) {
  const before = button.textContent;
  try {
    await navigator.clipboard.writeText(node.textContent);
    button.textContent = "Copied";
  } catch {
    getSelection().selectAllChildren(node);
    button.textContent = "Selected: copy it";
  }
  setTimeout(() => (button.textContent = before), 2000);
}
