/** Starts a real wsd in a directory of its own. WSD_BIN names the folder of wsd and wsctl. */
import { execFile, spawn } from "node:child_process";
import { createHmac } from "node:crypto";
import { mkdtempSync, openSync, readdirSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";

export const binaries = process.env.WSD_BIN;
export const reason = binaries ? false : "WSD_BIN is not set: the folder of wsd and wsctl";

const secret = "0123456789abcdef0123456789abcdef";

/** A token of RFC 7519, HS256. */
export function token(user, seconds = 3600) {
  const part = (value) => Buffer.from(JSON.stringify(value)).toString("base64url");
  const text = `${part({ alg: "HS256", typ: "JWT" })}.${part({ sub: user, exp: Math.floor(Date.now() / 1000 + seconds) })}`;
  return `${text}.${createHmac("sha256", secret).update(text).digest("base64url")}`;
}

export class Service {
  port = 0;

  static async start(configuration = "", { workers = 2 } = {}) {
    const service = new Service();
    service.directory = mkdtempSync(join(tmpdir(), "wsd-client-"));
    service.workers = workers;
    writeFileSync(join(service.directory, "secret"), secret, { mode: 0o600 });
    writeFileSync(join(service.directory, "wsd.yaml"), configuration);
    await service.run();
    return service;
  }

  get socket() {
    return join(this.directory, "control.sock");
  }

  async run() {
    const output = openSync(join(this.directory, "output"), "a");
    this.process = spawn(
      join(binaries, "wsd"),
      ["--config", join(this.directory, "wsd.yaml"), "--socket", this.socket, "--listen", `127.0.0.1:${this.port}`, "--workers", String(this.workers)],
      {
        cwd: this.directory, stdio: ["ignore", output, output],
        env: { PATH: process.env.PATH, HOME: this.directory, TMPDIR: this.directory, STATE_DIRECTORY: join(this.directory, "state") },
      },
    );
    this.ended = new Promise((resolve) => this.process.once("exit", resolve));
    const status = await this.healthy();
    this.port = Number(/:(\d+)\/?$/.exec(status.addresses[0])[1]);
    this.url = `ws://127.0.0.1:${this.port}/ws`;
  }

  ctl(...options) {
    return new Promise((resolve, reject) => {
      execFile(join(binaries, "wsctl"), [...options, "--socket", this.socket], (error, output) => (error ? reject(error) : resolve(output)));
    });
  }

  async status() {
    return JSON.parse(await this.ctl("status", "--json"));
  }

  /** Waits until all runs. */
  async healthy() {
    const end = Date.now() + 20000;
    for (;;) {
      const status = await this.status().catch(() => null);
      if (status?.health === "ok") return status;
      if (this.process.exitCode !== null || Date.now() > end) throw new Error(`wsd is not healthy:\n${this.output()}`);
      await new Promise((resolve) => setTimeout(resolve, 20));
    }
  }

  output() {
    return readFileSync(join(this.directory, "output"), "utf8");
  }

  /** The pid of "hub" or "worker 1". */
  async pid(name) {
    return (await this.status()).processes.find((process) => process.name === name && process.state === "ready")?.pid;
  }

  async kill(name) {
    const pid = await this.pid(name);
    if (pid) process.kill(pid, "SIGKILL");
  }

  async stop() {
    const tree = descendants(this.process.pid);
    if (this.process.exitCode === null) {
      // The second one cuts the waiting for clients short.
      this.process.kill("SIGTERM");
      const second = setTimeout(() => this.process.kill("SIGTERM"), 500);
      const last = setTimeout(() => this.process.kill("SIGKILL"), 10000);
      await this.ended;
      clearTimeout(second);
      clearTimeout(last);
    }
    for (const pid of tree) {
      try {
        process.kill(pid, "SIGKILL");
      } catch {
        // It has left by itself.
      }
    }
  }

  async restart() {
    await this.stop();
    await this.run();
  }

  async remove() {
    await this.stop();
    rmSync(this.directory, { recursive: true, force: true });
  }
}

function descendants(root) {
  const parents = new Map();
  for (const entry of readdirSync("/proc")) {
    if (!/^\d+$/.test(entry)) continue;
    try {
      const [, parent] = readFileSync(`/proc/${entry}/stat`, "utf8").split(") ")[1].split(" ");
      parents.set(Number(entry), Number(parent));
    } catch {
      // It ended meanwhile.
    }
  }
  const found = [root];
  for (const pid of found) for (const [child, parent] of parents) if (parent === pid) found.push(child);
  return found.slice(1);
}
