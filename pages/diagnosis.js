// From what is known of a connection that failed to what is wrong and what to do. Pure: facts in, one finding out.
//
// facts: {
//   page:    { origin, protocol }                       of the document
//   target:  what `parseTarget` of prober.js gave
//   online:  navigator.onLine
//   dialect: "wsd.v1.json" | "simple"
//   attempt: { opened, greeted, code, reason, lasted }  the connection itself; `lasted` in ms since it opened
//   refusal: { code, type }                             an error that the server answered with, if that is the matter
//   again:   { opened, isLate } | null                  a second attempt; late: it was given up
//   plain, health, otherScheme: a plain GET of the same address, of /healthz, and of the same port with or without TLS:
//            { kind: "status", status, text } | { kind: "opaque" } | { kind: "redirect" }
//            | { kind: "failed", ms } | { kind: "timeout", ms } | null (not asked)
//   probe:   what {prefix}probe answered, with `handshake`: how the second attempt looked to wsd, and `askedAll`: no worker
//            was left that could have seen it | null
// }
// finding: { id, sure, title, what, todo: [text], snippets: [{ name, text }] }

const proxySnippets = [
  {
    name: "nginx",
    text: `# once, in the http block
map $http_upgrade $connection_upgrade { default upgrade; '' close; }

# in the server block
location / {
    proxy_pass http://127.0.0.1:8080;
    proxy_http_version 1.1;
    proxy_set_header Upgrade $http_upgrade;
    proxy_set_header Connection $connection_upgrade;
    proxy_set_header Host $http_host;
    proxy_set_header X-Forwarded-For $proxy_add_x_forwarded_for;
    proxy_set_header X-Forwarded-Proto $scheme;
    proxy_read_timeout 75s;   # longer than websocket.pingInterval
}`,
  },
  {
    name: "Caddy",
    text: `# passes the upgrade on by itself
app.example.org {
    reverse_proxy 127.0.0.1:8080
}`,
  },
];

const answers = (request) => ["status", "opaque", "redirect"].includes(request?.kind);

/** One finding for the facts above. */
export function diagnose(facts) {
  const { attempt, target } = facts;
  const found = target.problem ? invalidAddress(target) : attempt.opened ? afterOpen(facts) : beforeOpen(facts);
  return { sure: true, todo: [], snippets: [], ...found };
}

function invalidAddress(target) {
  return {
    id: "invalid_address", title: "The address is not one", what: target.problem,
    todo: ["Write it as ws://host:port/ws, or wss://host/ws behind TLS."],
  };
}

// -- The connection was never open: the browser hides why.

function beforeOpen(facts) {
  const { page, target, again, probe } = facts;
  if (page.protocol === "https:" && !target.secure && !target.loopback) {
    return {
      id: "mixed_content", title: "ws: is blocked on a page that came by https:",
      what: "Browsers refuse an unencrypted connection from an encrypted page (mixed content). Nothing was sent.",
      todo: [
        `Connect with wss:// instead: wss://${target.host}${target.path}`,
        "wsd itself speaks no TLS: let the proxy that serves this page by https: pass the WebSocket path on to wsd, too.",
      ],
      snippets: proxySnippets,
    };
  }
  if (facts.online === false && !target.loopback) {
    return {
      id: "offline", title: "This computer is offline", what: "The browser says that there is no network.",
      todo: ["Connect to a network and try again."],
    };
  }
  if (again?.opened) {
    return {
      id: "works_now", title: "It works now",
      what: "A second attempt just now was successful: the server was starting, restarting, or away for a moment.",
      todo: ["Press Connect again. A client library that reconnects would be connected already."],
    };
  }
  return (probe?.handshake && fromHandshake(facts, probe.handshake)) ?? (probe && fromProbe(facts)) ?? fromPlain(facts);
}

/** wsd itself tells how the attempt looked to it. */
function fromHandshake(facts, { upgrade, status, connection, httpVersion, path, protocols, protocol, reason }) {
  const noConnection = upgrade && typeof connection === "string" && !/upgrade/i.test(connection);
  if (!upgrade || noConnection || httpVersion === "1.0") {
    const missing = !upgrade ? "without its field Upgrade" : noConnection ? "without Connection: Upgrade" : "as HTTP/1.0";
    return proxyFinding(`The attempt reached wsd, but ${missing}: a proxy in between has taken that away.`, true);
  }
  switch (status) {
    case 101: return protocols && (protocol === null || path.endsWith("/echo")) ? subprotocolFinding(facts) : {
      id: "answer_lost", title: "The server's answer was lost or changed on its way",
      what: "wsd accepted the connection (101), but the browser did not: something in between has changed the answer or ended it.",
      todo: [
        "Look for a proxy, firewall, or virus scanner that does not know WebSocket; connect to wsd's own port to compare.",
        "wss:// gets through such things that look into unencrypted traffic.",
      ],
    };
    case 403: return originFinding(facts);
    case 404: return wrongPath(facts, path);
    case 429: return tooManyConnects();
    default: return {
      id: "refused", title: `wsd refused the attempt (${status})`, what: reason ?? "The handshake was not a good one.",
      todo: ["Look for a proxy or an extension of the browser that changes requests.", "wsctl logs --level debug shows refusals."],
    };
  }
}

/** wsd answers plain requests, but has not told how the attempt looked. */
function fromProbe(facts) {
  const { probe, plain } = facts;
  if (probe.origin === "refused") return originFinding(facts);
  // The plain request's own status says more than what a path would be without a proxy.
  if (plain?.kind === "redirect") return null;
  const status = plain?.kind === "status" ? plain.status : null;
  if (status !== null && status !== 404 && status !== 426) return null;
  if (status === 404 || (status === null && probe.webSocket === false)) {
    if (probe.askedAll && facts.again && !facts.again.isLate) return notPassedOn(facts);
    return { ...wrongPath(facts), sure: status === 404 };
  }
  if (probe.webSocket || status === 426) {
    return proxyFinding("wsd answers plain requests to this address, knows the path, and lets this page in; "
      + "only the upgrade to WebSocket does not reach it.", false);
  }
  return null;
}

/** All that is known is how a plain request fares. */
function fromPlain(facts) {
  const { plain, health, target, otherScheme } = facts;
  if (!plain) return unknown();
  if (plain.kind === "opaque" && !target.secure && answers(otherScheme)) return otherSchemeFinding(target);
  switch (plain.kind) {
    case "status": return fromStatus(facts, plain);
    case "redirect": return {
      id: "redirected", title: "The address only redirects",
      what: "A plain request to it is sent elsewhere. Browsers do not follow redirects with a WebSocket.",
      todo: ["Connect to where it redirects to: often wss:// instead of ws://, another host name, or a slash more at the end.",
        "Or let the proxy pass this path on instead of redirecting it."],
    };
    case "opaque": return {
      id: "something_answers", sure: false, title: "Something answers there, but does not let this page see what",
      what: `A server at ${target.host} answers plain requests, and the WebSocket was refused. `
        + "The path, the page's origin, or a proxy that does not pass the upgrade on can be the cause.",
      todo: [
        `Open ${target.http} in a tab: wsd says 426 where the path is right, and 404 where it is not.`,
        `Open wsd's own test page on that server to have it found out there: ${target.origin}/wsd/test`,
        `Look into limits.origins: does it let ${facts.page.origin} in?`,
      ],
    };
    case "timeout": return {
      id: "not_reachable", title: "The server does not answer",
      what: `${target.host} did not answer within ${Math.round(plain.ms / 1000)} s: the packets get lost, or what listens there is stuck.`,
      todo: ["Check the host name or address.", "A firewall or a security group may drop the port: open it.",
        "Are you in the right network (VPN)?"],
    };
    default: return fromFailure(facts, health);
  }
}

function fromStatus(facts, { status, text = "" }) {
  const { target } = facts;
  if (status === 404) return wrongPath(facts);
  if (status === 426) {
    return proxyFinding("A plain request to this address gets wsd's 426, the path is right; the browser's attempt failed all the same.", false);
  }
  if (status === 429) return tooManyConnects();
  if ([502, 503, 504].includes(status)) {
    return {
      id: "proxy_without_backend", title: `The proxy does not reach wsd (${status})`,
      what: "Something in front of wsd answers, and says that what is behind it does not.",
      todo: ["Is wsd running? wsctl status", "Does the proxy pass on to the address that wsd listens on? wsctl status shows it."],
    };
  }
  if (status === 401 || status === 403) {
    return {
      id: "refused_before", title: `Refused before it came to wsd (${status})`,
      what: "What stands in front of wsd wants a login, or lets nobody in here.",
      todo: ["Log in on this host in another tab, or except the WebSocket path from the login."],
    };
  }
  if (status === 400 && /https/i.test(text)) return otherSchemeFinding(target);
  return {
    id: "not_websocket", title: `No WebSocket answers there (${status})`,
    what: `A plain request is answered with ${status}; wsd would say 426. It is another server's page, or another folder of the proxy.`,
    todo: ["Check host, port, and path.", "Behind a proxy: is this path passed on to wsd?"],
    snippets: proxySnippets,
  };
}

function fromFailure({ plain, target, page, otherScheme }, health) {
  if (answers(otherScheme)) return otherSchemeFinding(target);
  if (answers(health)) {
    return {
      id: "path_cut_off", sure: false, title: "The server is there, but cuts this path off",
      what: "Other paths of the same server answer. Something drops requests to this one.",
      todo: ["Look into the rules of the proxy or firewall in front of wsd."],
    };
  }
  const todo = [
    "Is wsd running? wsctl status shows it, and the addresses it listens on.",
    "Does it listen on this address? In dev it listens on 127.0.0.1 only: from another machine use --listen :8080.",
    `Check host name and port: ${target.host}`,
  ];
  if (target.secure) {
    todo.push(`With wss:// the certificate must be good: open ${target.origin} in a tab and see what the browser says.`);
  }
  return {
    id: "port_closed", title: target.secure ? "The port is closed, or its certificate is not accepted" : "The port is closed",
    what: `${target.host} refused at once (after ${Math.max(1, Math.round(plain.ms))} ms): nothing listens there, or the name does not exist.`,
    sure: !target.secure && page.protocol !== "https:", todo,
  };
}

// -- The connection was open, and ended.

function afterOpen(facts) {
  const { attempt, refusal, dialect } = facts;
  if (refusal) return wrongDialect(dialect, refusal);
  const known = closed[attempt.code];
  if (known) return { id: known[0], title: known[1], what: words(attempt, known[2]), todo: known.slice(3) };
  if (attempt.code === 1006 || attempt.code === 1005) return brokenOff(attempt);
  if (!attempt.greeted) return notWsd();
  if (attempt.code >= 3000) {
    return {
      id: "closed_by_application", title: `The application ended the connection (${attempt.code})`,
      what: words(attempt, "This close code is its own; it does not want the client back."),
      todo: ["See what the application's backend means by it."],
    };
  }
  return { id: "closed", sure: false, title: `The connection was closed (${attempt.code})`, what: words(attempt, ""), todo: ["wsctl logs"] };
}

const words = ({ reason }, text) => (reason ? `The server says: ${reason}. ${text}` : text).trim();

// Close code: id, title, what it means, what to do.
const closed = {
  1000: ["finished", "The connection was finished", "It was closed in good order."],
  1001: ["going_away", "The service stops", "wsd is shutting down, or a proxy is.",
    "Connect again in a moment, to another instance if there is one."],
  1002: ["protocol_error", "The WebSocket protocol was broken", "What arrived at the other end was no correct frame.",
    "Look for a proxy that changes the traffic; a browser itself does not do this."],
  1003: ["unsupported_data", "This kind of data is not taken", "The server takes text only.", "Send JSON as text."],
  1007: ["invalid_payload", "The message could not be read", "It was no UTF-8, or its compression was broken.",
    "Look for a proxy that changes the traffic."],
  1008: ["policy", "Ended by the operator or a rule", "Somebody used wsctl kick, or a message had too many fragments.", "Ask the operator."],
  1009: ["too_big", "The message was too big", "It has more bytes than websocket.maxMessageSize.",
    "Send less at once, or raise websocket.maxMessageSize."],
  1011: ["internal_error", "Something broke in the server", "That is an error of wsd.", "wsctl logs --level error shows it: please report it."],
  1012: ["restart", "The worker restarts", "A reload or a new version; others have taken over already.", "Connect again."],
  1013: ["too_slow", "This client read too slowly", "More than websocket.outboundQueue waited for it.",
    "Join fewer rooms, or read faster; then connect again."],
  4000: ["heartbeat", "The client did not answer a ping", "The browser or the network slept for a while.", "Connect again."],
  4001: ["token_refused", "The token is missing or was not accepted", "",
    "Without a token: enter one above; auth.required is on, and auth.timeout is how long the server waits for it.",
    "With one: it must be signed by a key of auth.*, be valid now, and name this service (aud, iss), if that is configured.",
    "wsctl logs --level debug says which of that it was."],
  4002: ["token_expired", "The token has expired", "", "Get a new one from your application and connect with it.",
    "If it is new: compare the clocks of both machines; auth.leeway forgives a difference."],
  4003: ["refused_by_application", "The application refused the connection", "Its backend or its connect webhook said no.",
    "Look into the application's log: the webhook's answer decides."],
  4004: ["replaced", "A newer connection took this one's place", "The same user connected again (limits.perUserPolicy: replaceOldest).",
    "Use the newer tab, or close it and connect again."],
  4005: ["user_limit", "This user has too many connections", "limits.connectionsPerUser allows no more.",
    "Close other tabs, or raise the limit."],
  4006: ["connection_limit", "There are too many connections", "From this address, from pages of this origin, or in all.",
    "Wait and connect again, or raise limits.connections, limits.connectionsPerAddress, or limits.connectionsPerOrigin.",
    "If everybody seems to come from one address: a proxy hides them; name it in http.trustedProxies."],
  4007: ["rate_abused", "Far too many messages were sent", "The client went on although it was told of its rate limit.",
    "Wait as long as retryAfter says before sending again."],
  4008: ["application_unavailable", "The application could not be asked", "The connect webhook did not answer.",
    "Is the application running, and its address in webhooks.connect right?"],
};

function wrongDialect(dialect, { code, type }) {
  const isV1 = dialect === "wsd.v1.json";
  return {
    id: "wrong_dialect", title: `“${type}” is not a command of ${isV1 ? "wsd.v1.json" : "the simple dialect"}`,
    what: `The server answered ${code}. Each connection speaks one dialect, chosen when it is made.`,
    todo: [isV1
      ? "Use join, leave, publish; or connect with the dialect “simple” for joinRoom, leaveRoom, sendToRoom."
      : "Use joinRoom, leaveRoom, sendToRoom; or connect with the dialect “wsd.v1.json” for join, leave, publish and the rest."],
  };
}

function brokenOff({ lasted, greeted }) {
  const idle = [30000, 60000, 100000, 120000, 300000].find((limit) => Math.abs(lasted - limit) < 1500);
  if (!greeted && lasted < 1500) return notWsd();
  return {
    id: "broken_off", sure: false, title: "The connection broke off",
    what: idle
      ? `Without a close, after almost exactly ${idle / 1000} s: that looks like the idle timeout of a proxy.`
      : "Without a close: the network failed, the worker was killed, or a proxy ended it.",
    todo: [idle ? "Keep websocket.pingInterval below the idle timeout (nginx: proxy_read_timeout)." : "Connect again.",
      "If it comes again: wsctl logs --level warning"],
  };
}

function notWsd() {
  return {
    id: "not_wsd", sure: false, title: "It is a WebSocket, but not wsd's",
    what: "wsd greets each client with {\"type\":\"connected\", …}; this server did not.",
    todo: ["Check host, port, and path.", "wsd's /wsd/echo does not greet, either: it only repeats."],
  };
}

// -- Findings that several ways lead to.

function proxyFinding(what, sure) {
  return {
    id: "proxy_without_upgrade", sure, title: "A proxy does not pass the upgrade to WebSocket on", what,
    todo: ["Let the proxy pass Upgrade and Connection on, with HTTP/1.1, as below; then reload the proxy.",
      "To be sure connect to wsd's own port, past the proxy: there it should work."],
    snippets: proxySnippets,
  };
}

function originFinding({ page }) {
  return {
    id: "origin_refused", title: "Pages of this origin may not connect",
    what: `wsd refuses connections from pages of ${page.origin} (403).`,
    todo: [
      `Add it in wsd.yaml, then wsctl reload:  limits: { origins: [same-host, "${page.origin}"] }`,
      "Behind a proxy: it has to pass the Host field on (nginx: proxy_set_header Host $http_host), otherwise same-host fits no page.",
    ],
  };
}

function wrongPath({ target }, seen) {
  const path = seen ?? target.path;
  return {
    id: "wrong_path", title: "There is no WebSocket on this path (404)",
    what: `The server answers, but knows no WebSocket at ${path}.`
      + (seen && seen !== target.path ? ` A proxy made ${seen} out of ${target.path}.` : ""),
    todo: ["Use a path of websocket.paths: /ws by default.", "Or add this one to websocket.paths and run wsctl reload."],
  };
}

function notPassedOn({ target }) {
  return {
    id: "path_not_passed_on", title: "This path does not lead to wsd",
    what: `wsd is there, but the attempt did not reach it: what stands in front of it answers ${target.path} itself, or passes it elsewhere.`,
    todo: ["Let the proxy pass this path on to wsd, as below, or connect to one that it does.", "Is the path written as you meant it? /ws is the default."],
    snippets: proxySnippets,
  };
}

function subprotocolFinding({ dialect }) {
  return {
    id: "subprotocol_refused", title: `The server does not speak ${dialect}`,
    what: "It accepted the connection without the subprotocol that was asked for; browsers then drop it.",
    todo: ["Connect with the dialect “simple”.", "/wsd/echo speaks none; if this is another path of wsd, a proxy takes Sec-WebSocket-Protocol away."],
  };
}

function tooManyConnects() {
  return {
    id: "connect_rate", title: "Too many new connections from this address (429)",
    what: "limits.connectRate allows no more at the moment.",
    todo: ["Wait a few seconds.", "If everybody seems to come from one address: a proxy hides them; name it in http.trustedProxies."],
  };
}

function otherSchemeFinding(target) {
  const other = target.secure ? "ws" : "wss";
  return {
    id: "wrong_scheme", title: target.secure ? "There is no TLS on this port" : "This port wants TLS",
    what: `The same port answers with ${target.secure ? "http:" : "https:"}, so the address has to begin with ${other}:`,
    todo: [`Connect to ${other}://${target.host}${target.path}`,
      ...(target.secure ? ["wsd itself speaks no TLS: a proxy in front of it does."] : [])],
  };
}

function unknown() {
  return {
    id: "unknown", sure: false, title: "It could not be found out why",
    what: "The connection ended before it was open, and nothing could be learnt from the server.",
    todo: ["wsctl doctor on the server looks for the usual troubles.", "The browser's console (F12) may say more."],
  };
}
