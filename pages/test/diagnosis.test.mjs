import assert from "node:assert/strict";
import { test } from "node:test";
import { diagnose } from "../diagnosis.js";
import { parseTarget } from "../prober.js";

const http = new URL("http://app.example:8080/wsd/test");
const https = new URL("https://app.example/wsd/test");

/** Facts of an attempt that failed before it was open, with changes. */
function facts(changes = {}, url = "ws://app.example:8080/ws", page = http) {
  return {
    page: { origin: page.origin, protocol: page.protocol }, target: parseTarget(url, page), online: true,
    dialect: "wsd.v1.json", attempt: { opened: false, greeted: false, code: 1006, reason: "", lasted: 0 }, refusal: null,
    again: { opened: false }, plain: null, health: null, otherScheme: null, probe: null, ...changes,
  };
}
const probe = (changes = {}) => ({
  service: "wsd", worker: 1, workers: 1, origin: "allowed", path: "/wsd/probe", webSocket: true, handshake: null, ...changes,
});
const handshake = (changes = {}) => ({ upgrade: true, key: true, status: 101, connection: "Upgrade", httpVersion: "1.1", path: "/ws", ...changes });
const ended = (code, changes = {}) => facts({ attempt: { opened: true, greeted: true, code, reason: "", lasted: 5000, ...changes } });

function finds(name, given, id, sure) {
  test(name, () => {
    const finding = diagnose(given);
    assert.equal(finding.id, id);
    if (sure !== undefined) assert.equal(finding.sure, sure);
    assert.ok(finding.title.length > 5 && typeof finding.what === "string");
    if (id !== "finished") assert.ok(finding.todo.length > 0, "says what to do");
    for (const text of [finding.title, finding.what, ...finding.todo]) assert.doesNotMatch(text, /undefined|null|NaN|\[object/);
  });
}

test("an address is read as people write it", () => {
  assert.equal(parseTarget("localhost:9000", http).url, "ws://localhost:9000/");
  assert.equal(parseTarget("/ws", http).url, "ws://app.example:8080/ws");
  assert.equal(parseTarget("/ws", https).url, "wss://app.example/ws");
  assert.equal(parseTarget("https://x.example/ws#part", http).url, "wss://x.example/ws");
  assert.equal(parseTarget(" ws://[::1]:1/ws ", http).loopback, true);
  assert.equal(parseTarget("ws://localhost.example.org/", http).loopback, false);
  assert.equal(parseTarget("ws://app.example:8080/ws", http).sameOrigin, true);
  assert.equal(parseTarget("ws://app.example/ws", http).sameOrigin, false);
});
test("what is no address is named", () => {
  for (const text of ["", "ws://", "ftp://x/", "ws://a b/", undefined]) assert.ok(parseTarget(text, http).problem, String(text));
});
finds("no address", facts({}, "ftp://x/"), "invalid_address", true);

finds("ws: from https:", facts({}, "ws://app.example/ws", https), "mixed_content", true);
test("ws: to this machine is allowed from https:", () => {
  const finding = diagnose(facts({ plain: { kind: "failed", ms: 3 } }, "ws://localhost:8080/ws", https));
  assert.equal(finding.id, "port_closed");
});
finds("no network", facts({ online: false }), "offline", true);
test("without a network this machine itself can be reached", () => {
  assert.equal(diagnose(facts({ online: false, plain: { kind: "failed", ms: 3 } }, "ws://127.0.0.1:1/")).id, "port_closed");
});
finds("a second attempt is successful", facts({ again: { opened: true } }), "works_now", true);

// wsd saw the attempt.
finds("Upgrade taken away", facts({ plain: { kind: "status", status: 426 }, probe: probe({ handshake: handshake({ upgrade: false, status: 426 }) }) }), "proxy_without_upgrade", true);
finds("Connection taken away", facts({ probe: probe({ handshake: handshake({ status: 400, connection: "close" }) }) }), "proxy_without_upgrade", true);
finds("HTTP/1.0 to wsd", facts({ probe: probe({ handshake: handshake({ status: 400, httpVersion: "1.0" }) }) }), "proxy_without_upgrade", true);
finds("origin refused in the handshake", facts({ probe: probe({ origin: "refused", handshake: handshake({ status: 403 }) }) }), "origin_refused", true);
finds("wrong path in the handshake", facts({ probe: probe({ handshake: handshake({ status: 404, path: "/nowhere" }) }) }), "wrong_path", true);
finds("too many connects", facts({ probe: probe({ handshake: handshake({ status: 429 }) }) }), "connect_rate", true);
finds("broken handshake", facts({ probe: probe({ handshake: handshake({ status: 400, reason: "There is more than one Sec-WebSocket-Key." }) }) }), "refused", true);
finds("the answer is lost", facts({ probe: probe({ handshake: handshake() }) }), "answer_lost", true);
finds("subprotocol not agreed on", facts({ probe: probe({ handshake: handshake({ protocols: "wsd.v1.json", protocol: null }) }) }), "subprotocol_refused", true);
finds("the echo speaks no subprotocol", facts({ probe: probe({ handshake: handshake({ protocols: "wsd.v1.json", path: "/wsd/echo" }) }) }), "subprotocol_refused");
test("a path that a proxy changed is told", () => {
  const { what } = diagnose(facts({ probe: probe({ handshake: handshake({ status: 404, path: "/app/ws" }) }) }));
  assert.match(what, /\/app\/ws out of \/ws/);
});
test("proxy and mixed content come with configurations to copy", () => {
  const proxy = diagnose(facts({ probe: probe({ handshake: handshake({ upgrade: false, status: 426 }) }) }));
  for (const { snippets } of [proxy, diagnose(facts({}, "ws://app.example/ws", https))]) {
    assert.deepEqual(snippets.map((snippet) => snippet.name), ["nginx", "Caddy"]);
  }
  assert.match(proxy.snippets[0].text, /proxy_set_header Upgrade \$http_upgrade/);
});
test("the origin to be added is named", () => {
  assert.ok(diagnose(facts({ probe: probe({ origin: "refused" }) })).todo[0].includes(http.origin));
});

// wsd answers, but knows nothing of the attempt.
finds("origin refused by the probe", facts({ plain: { kind: "status", status: 426 }, probe: probe({ origin: "refused" }) }), "origin_refused", true);
finds("wrong path by the probe", facts({ plain: { kind: "opaque" }, probe: probe({ webSocket: false }) }), "wrong_path", false);
finds("a path that the proxy keeps", facts({ plain: { kind: "status", status: 404 }, probe: probe({ webSocket: false, askedAll: true }) }), "path_not_passed_on", true);
finds("a path that the proxy keeps, on another server", facts({ plain: { kind: "opaque" }, probe: probe({ webSocket: false, askedAll: true }) }), "path_not_passed_on", true);
finds("an attempt that was given up says nothing about proxies",
  facts({ plain: { kind: "status", status: 404 }, again: { opened: false, isLate: true }, probe: probe({ webSocket: false, askedAll: true }) }), "wrong_path");
finds("a redirect before wsd", facts({ plain: { kind: "redirect" }, probe: probe({ webSocket: false, askedAll: true }) }), "redirected", true);
finds("all is right but the upgrade", facts({ plain: { kind: "status", status: 426 }, probe: probe() }), "proxy_without_upgrade", false);
finds("all is right but the upgrade, on another server", facts({ plain: { kind: "opaque" }, probe: probe() }), "proxy_without_upgrade", false);
test("a proxy's 502 for this path counts more than wsd's other paths", () => {
  assert.equal(diagnose(facts({ plain: { kind: "status", status: 502 }, probe: probe() })).id, "proxy_without_backend");
});

// Only plain requests.
finds("404", facts({ plain: { kind: "status", status: 404 } }), "wrong_path");
finds("426", facts({ plain: { kind: "status", status: 426 } }), "proxy_without_upgrade", false);
for (const status of [502, 503, 504]) finds(`${status}`, facts({ plain: { kind: "status", status } }), "proxy_without_backend", true);
for (const status of [401, 403]) finds(`${status}`, facts({ plain: { kind: "status", status } }), "refused_before");
finds("429", facts({ plain: { kind: "status", status: 429 } }), "connect_rate");
finds("200", facts({ plain: { kind: "status", status: 200, text: "<h1>Welcome</h1>" } }), "not_websocket");
finds("a redirect", facts({ plain: { kind: "redirect" } }), "redirected");
finds("http to a TLS port, answered", facts({ plain: { kind: "status", status: 400, text: "The plain HTTP request was sent to HTTPS port" } }), "wrong_scheme");
finds("another server without CORS", facts({ plain: { kind: "opaque" } }), "something_answers", false);
finds("nobody answers", facts({ plain: { kind: "timeout", ms: 4000 } }), "not_reachable");
finds("port closed", facts({ plain: { kind: "failed", ms: 4 }, health: { kind: "failed", ms: 4 } }), "port_closed", true);
finds("wss: to a closed port or a bad certificate", facts({ plain: { kind: "failed", ms: 4 } }, "wss://app.example/ws"), "port_closed", false);
finds("ws: to a TLS port", facts({ plain: { kind: "failed", ms: 4 }, otherScheme: { kind: "opaque" } }), "wrong_scheme");
finds("ws: to a TLS port that answers", facts({ plain: { kind: "opaque" }, otherScheme: { kind: "opaque" } }), "wrong_scheme");
finds("wss: to a TLS port that answers", facts({ plain: { kind: "opaque" }, otherScheme: { kind: "opaque" } }, "wss://app.example/ws"), "something_answers");
finds("wss: to a plain port", facts({ plain: { kind: "failed", ms: 4 }, otherScheme: { kind: "status", status: 404 } }, "wss://app.example:8080/ws"), "wrong_scheme");
finds("only this path is cut off", facts({ plain: { kind: "failed", ms: 4 }, health: { kind: "status", status: 200 } }), "path_cut_off", false);
finds("nothing is known", facts(), "unknown", false);

// After the opening.
const codes = {
  1000: "finished", 1001: "going_away", 1002: "protocol_error", 1003: "unsupported_data", 1007: "invalid_payload", 1008: "policy",
  1009: "too_big", 1011: "internal_error", 1012: "restart", 1013: "too_slow", 4000: "heartbeat", 4001: "token_refused",
  4002: "token_expired", 4003: "refused_by_application", 4004: "replaced", 4005: "user_limit", 4006: "connection_limit",
  4007: "rate_abused", 4008: "application_unavailable", 3456: "closed_by_application", 1015: "closed",
};
for (const [code, id] of Object.entries(codes)) finds(`closed with ${code}`, ended(Number(code)), id);
finds("broken off", ended(1006), "broken_off", false);
test("an idle timeout is recognised", () => {
  assert.match(diagnose(ended(1006, { lasted: 60100 })).what, /60 s/);
  assert.doesNotMatch(diagnose(ended(1006, { lasted: 40000 })).what, /idle/);
});
finds("no greeting, ended at once", ended(1006, { greeted: false, lasted: 20 }), "not_wsd", false);
finds("no greeting, ended in another way", ended(1014, { greeted: false }), "not_wsd", false);
test("the server's own words are shown", () => {
  assert.match(diagnose(ended(4003, { reason: "banned" })).what, /banned/);
});
for (const dialect of ["simple", "wsd.v1.json"]) {
  finds(`a command of the other dialect than ${dialect}`,
    { ...ended(1005), dialect, refusal: { code: "unknown_type", type: "join" } }, "wrong_dialect", true);
}
