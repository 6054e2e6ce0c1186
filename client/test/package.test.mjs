/** What is published and served: size, version, the classic script, the types. */
import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import test from "node:test";
import vm from "node:vm";
import { gzipSync } from "node:zlib";
import * as library from "../wsd-client.js";

const read = (path) => readFileSync(new URL(path, import.meta.url), "utf8");
const source = read("../wsd-client.js");
const types = read("../wsd-client.d.ts");
const manifest = JSON.parse(read("../package.json"));

/** As the worker makes it. */
export function classic(text) {
  const [code, end] = text.split("\n/* module */\n");
  return `(() => {\n${code}\nglobalThis.wsd = {${/^export \{(.*)\};$/m.exec(end)[1]}};\n})();\n`;
}

test("it is small enough as it is", () => {
  const size = gzipSync(source, { level: 9 }).length;
  assert.ok(size <= 12288, `${size} bytes`);
});

test("it has the version of the service", () => {
  const version = /current = "([^"]+)"/.exec(read("../../Sources/Model/WsdVersion.swift"))[1];
  assert.equal(library.version, version);
  assert.equal(manifest.version, version);
});

test("it imports nothing, and ends with one line that exports", () => {
  assert.doesNotMatch(source, /^\s*import\b/m);
  assert.equal(source.split("/* module */").length, 2);
  assert.match(source.trimEnd().split("\n").at(-1), /^export \{ [\w, ]+ \};$/);
});

test("the classic script gives the same names as wsd, on a page and in a worker", () => {
  for (const place of [{ document: { currentScript: { src: "https://example.org/app/wsd/client.classic.js" } } }, {}]) {
    const context = vm.createContext({ URL, TextEncoder, AbortController, performance, setTimeout, clearTimeout, ...place });
    new vm.Script(classic(source)).runInContext(context);
    assert.deepEqual(Object.keys(context.wsd).sort(), Object.keys(library).sort());
    assert.equal(context.wsd.version, library.version);
  }
});

/** Where the classic script connects to, loaded from `script` into a page, or a worker; `site`: URL to JSON. */
async function classicAddress(script, page, site, isWorker = false) {
  let connected;
  const asked = [];
  class WebSocket {
    constructor(url) {
      connected = url;
    }
    close() {}
  }
  const fetch = async (url) => {
    asked.push(url);
    return { ok: url in site, status: 404, json: async () => site[url] };
  };
  const context = vm.createContext({
    URL, TextEncoder, AbortController, performance, setTimeout, clearTimeout, fetch, WebSocket, location: new URL(page),
    ...(isWorker ? {} : { document: { currentScript: { src: script } } }),
  });
  new vm.Script(classic(source), isWorker ? { filename: script } : {}).runInContext(context);
  const client = new context.wsd.WsdClient({ log: false });
  for (let turn = 0; turn < 5; turn++) await new Promise((resolve) => setImmediate(resolve));
  client.close();
  return { connected, asked };
}

test("config.json lies beside the script; a path that a proxy has put in front stands before the address, too", async () => {
  const told = (connectionString, prefix = "/wsd/") => ({ connectionString, prefix });
  const cases = [
    ["https://a.org/app/wsd/client.classic.js", "https://a.org/app/", "https://a.org/app/wsd/config.json", told("ws://a.org/ws"), "wss://a.org/app/ws"],
    ["https://a.org/app/wsd/client.js?v=1", "https://a.org/", "https://a.org/app/wsd/config.json", told("wss://a.org/app/ws"), "wss://a.org/app/ws"],
    ["http://a.org/wsd/client.js", "http://a.org/", "http://a.org/wsd/config.json", told("ws://a.org/ws"), "ws://a.org/ws"],
    ["http://a.org/x/real/client.js", "http://a.org/", "http://a.org/x/real/config.json", told("ws://a.org/ws", "/real/"), "ws://a.org/x/ws"],
    ["https://chat.a.org/p/wsd/client.js", "http://b.org/", "https://chat.a.org/p/wsd/config.json", told("ws://public.org/ws"), "wss://public.org/ws"],
    ["http://a.org/assets/index-1.js", "http://a.org/deep/page", "http://a.org/wsd/config.json", told("ws://a.org/ws"), "ws://a.org/ws"],
  ];
  for (const [script, page, place, answer, address] of cases) {
    for (const isWorker of [false, true]) {
      const { connected, asked } = await classicAddress(script, page, { [place]: answer }, isWorker);
      assert.deepEqual([connected, asked], [address, [place]], script);
    }
  }
});

test("a bundle that happens to be called client falls back to the usual place", async () => {
  const place = "http://a.org/wsd/config.json";
  const { connected, asked } = await classicAddress("http://a.org/assets/client-4f.js", "http://a.org/", { [place]: { connectionString: "ws://a.org/ws" } });
  assert.deepEqual([connected, asked], ["ws://a.org/ws", ["http://a.org/assets/config.json", place]]);
});

test("every name that is exported has a type, and the other way round", () => {
  const declared = [...types.matchAll(/^export declare (?:const|class) (\w+)/gm)].map((match) => match[1]);
  assert.deepEqual(declared.sort(), Object.keys(library).sort());
});

test("every method and property of client and room has a type, and the other way round", () => {
  class Silent {}
  const client = new library.WsdClient({ url: "ws://localhost/", WebSocket: Silent, autoConnect: false });
  for (const [name, object] of [["WsdClient", client], ["Room", client.room("r")]]) {
    const [, body] = new RegExp(`export (?:declare class|interface) ${name}\\b[^{]*\\{\\n([\\s\\S]*?)\\n\\}`).exec(types);
    const declared = [...body.matchAll(/^ {2}(?:readonly )?(\w+)[<(:]/gm)].map((match) => match[1]).filter((member) => member !== "constructor");
    const prototype = Object.getPrototypeOf(object);
    const actual = [...Object.getOwnPropertyNames(prototype), ...Object.keys(object)].filter((member) => !/^_|^constructor$/.test(member));
    assert.deepEqual([...new Set(declared)].sort(), [...new Set(actual)].sort(), name);
  }
});

test("every option has a type and a line in the documentation", () => {
  const documentation = read("../../docs/client.md");
  const options = (name) => [...new RegExp(`export interface ${name} [^{]*\\{\\n([\\s\\S]*?)\\n\\}`).exec(types)[1].matchAll(/^ {2}(\w+)\??[(:]/gm)].map((match) => match[1]);
  for (const option of options("WsdClientOptions")) assert.match(documentation, new RegExp(`^\\| \`${option}\``, "m"), option);
  for (const option of options("ReconnectOptions")) assert.match(documentation, new RegExp(`^\\| \`reconnect\\.${option}\``, "m"), option);
  for (const option of options("QueueOptions")) assert.match(documentation, new RegExp(`^\\| \`queue\\.${option}\``, "m"), option);
});

test("the package has what it names", () => {
  const names = [...manifest.files, manifest.exports["."].types, manifest.exports["."].default, "package.json"];
  for (const name of names) assert.ok(read(`../${name}`).length > 0, name);
  assert.equal(manifest.type, "module");
  assert.equal(manifest.dependencies, undefined);
});
