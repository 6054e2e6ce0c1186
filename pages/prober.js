// Gathers the facts for diagnosis.js after a connection failed before it was open, by asking the same server in other ways.

const fetchTimeout = 4000; // ms for one plain request
const attemptTimeout = 9000; // ms for the second attempt: browsers hold attempts back after failures
const maxAsked = 12; // times that wsd is asked whether a worker saw the attempt

const isLoopback = (host) => /^((.*\.)?localhost|127(\.\d+){3}|\[::1\])$/.test(host);

/** The address to connect to, with what is wrong with it in `problem`. `page` is a location. */
export function parseTarget(text, page) {
  const given = String(text ?? "").trim();
  if (!given) return { problem: "There is no address." };
  let url;
  try {
    url = new URL(given.includes("://") || given.startsWith("/") ? given : `ws://${given}`, page.href);
  } catch {
    return { problem: `“${given}” is not an address.` };
  }
  if (url.protocol === "http:") url.protocol = "ws:";
  if (url.protocol === "https:") url.protocol = "wss:";
  if (url.protocol !== "ws:" && url.protocol !== "wss:") {
    return { problem: `A WebSocket address begins with ws:// or wss://, not with ${url.protocol}` };
  }
  url.hash = "";
  const secure = url.protocol === "wss:";
  const http = new URL(url);
  http.protocol = secure ? "https:" : "http:";
  return {
    url: url.href, http: http.href, origin: http.origin, host: url.host, path: url.pathname, secure,
    loopback: isLoopback(url.hostname), sameOrigin: http.origin === page.origin, problem: null,
  };
}

/**
 * `attempt`, `dialect` and `target` as in diagnosis.js; `protocols` as for `new WebSocket`; `base`: path prefix of this
 * page's own server.
 */
export async function gatherFacts({ target, attempt, dialect, protocols, base, refusal }) {
  const page = { origin: location.origin, protocol: location.protocol };
  const facts = {
    page, target, attempt, dialect, refusal, online: navigator.onLine,
    again: null, plain: null, health: null, otherScheme: null, probe: null,
  };
  const mixed = page.protocol === "https:" && !target.secure && !target.loopback;
  if (target.problem || attempt.opened || mixed) return facts;

  const id = [...crypto.getRandomValues(new Uint8Array(16))].map((byte) => byte.toString(16).padStart(2, "0")).join("");
  const other = new URL(target.http);
  other.protocol = target.secure ? "http:" : "https:";
  const enough = new AbortController();
  const again = tryAgain(target, protocols, id, enough.signal);
  [facts.plain, facts.health] = await Promise.all([ask(target.http, target.sameOrigin), ask(`${target.origin}/healthz`, target.sameOrigin)]);
  const isSilent = (request) => request.kind === "failed" || request.kind === "timeout";
  // A page that pages of other origins may not load (Cross-Origin-Resource-Policy) looks like a server that is not there.
  const isAway = isSilent(facts.plain) && isSilent(facts.health);
  if (isAway) enough.abort();
  facts.again = await again;
  if (facts.again.opened || (isAway && facts.plain.kind === "timeout")) return facts;
  if (!isAway) facts.probe = await askProbe(target, base, id);
  // What speaks TLS may answer a plain request, too, in order to refuse it.
  if (isAway || (facts.plain.kind === "opaque" && !facts.probe && !target.secure)) {
    facts.otherScheme = await ask(`${other.origin}/healthz`, false);
  }
  return facts;
}

/** How a plain GET fares. */
async function ask(url, isOwn) {
  const begin = performance.now();
  const options = { cache: "no-store", credentials: isOwn ? "same-origin" : "omit", redirect: "manual" };
  const passed = () => performance.now() - begin;
  const failure = () => (passed() >= fetchTimeout - 50 ? { kind: "timeout", ms: passed() } : { kind: "failed", ms: passed() });
  try {
    const response = await fetch(url, { ...options, signal: AbortSignal.timeout(fetchTimeout) });
    if (response.type === "opaqueredirect") return { kind: "redirect" };
    return { kind: "status", status: response.status, text: (await response.text()).slice(0, 500) };
  } catch {
    if (isOwn) return failure();
  }
  try {
    // Tells only whether anything answers at all.
    const rest = Math.max(100, fetchTimeout - passed());
    await fetch(url, { ...options, mode: "no-cors", redirect: "follow", signal: AbortSignal.timeout(rest) });
    return { kind: "opaque" };
  } catch {
    return failure();
  }
}

/** A second attempt, with a name by which wsd can tell how it looked. */
function tryAgain(target, protocols, id, signal) {
  const url = new URL(target.url);
  url.searchParams.set("wsd-probe", id);
  return new Promise((resolve) => {
    let socket;
    try {
      socket = new WebSocket(url, protocols);
    } catch (error) {
      return resolve({ opened: false, error: error.name });
    }
    const end = (opened, isLate = false) => {
      clearTimeout(timer);
      socket.onopen = socket.onclose = null;
      socket.close();
      resolve({ opened, isLate });
    };
    const timer = setTimeout(() => end(false, true), attemptTimeout);
    signal.addEventListener("abort", () => end(false, true));
    socket.onopen = () => end(true);
    socket.onclose = () => end(false);
  });
}

/** What wsd says about this page and the second attempt. Each worker knows of its own attempts only. */
async function askProbe(target, base, id) {
  const own = target.sameOrigin ? [new URL(`${base}probe`, location.href).href] : [];
  const folder = target.path.slice(0, target.path.lastIndexOf("/") + 1);
  const places = new Set([...own, `${target.origin}/wsd/probe`, `${target.origin}${folder}wsd/probe`]);
  const query = new URLSearchParams({ path: target.path, id, origin: location.origin });
  for (const place of places) {
    const first = await askOnce(`${place}?${query}`);
    if (!first) continue;
    let [last, seen] = [first, new Set([first.worker])];
    for (let asked = 1; !last.handshake && asked < maxAsked && seen.size < (first.workers ?? Infinity); asked++) {
      last = (await askOnce(`${place}?${query}`)) ?? last;
      seen.add(last.worker);
    }
    return { ...last, askedAll: seen.size >= (first.workers ?? Infinity) };
  }
  return null;
}

async function askOnce(url) {
  try {
    const response = await fetch(url, { cache: "no-store", credentials: "omit", signal: AbortSignal.timeout(fetchTimeout) });
    const answer = response.ok ? await response.json() : null;
    return answer?.service === "wsd" ? answer : null;
  } catch {
    return null;
  }
}
