"""Starts wsd as its users do and talks to it as they do: real processes, real sockets, in a directory of their own."""

import asyncio
import contextlib
import json
import os
import select
import shutil
import signal
import socket
import subprocess
import tempfile
import time
from pathlib import Path

import websockets

ROOT = Path(__file__).resolve().parents[2]
BIN = Path(os.environ.get("WSD_BIN", ROOT / ".build" / "release"))


def wait_until(condition, what, timeout=10.0, step=0.02):
    """Returns the first true value of condition(); for states that nothing announces."""
    deadline = time.monotonic() + timeout
    while True:
        value = condition()
        if value:
            return value
        if time.monotonic() > deadline:
            raise AssertionError(f"not within {timeout} s: {what}")
        time.sleep(step)


def process_tree(pid):
    """The living descendants of a process."""
    children = {}
    for entry in os.listdir("/proc"):
        if entry.isdigit():
            with contextlib.suppress(OSError):
                fields = Path(f"/proc/{entry}/stat").read_text().rpartition(")")[2].split()
                if fields[0] not in "ZX":
                    children.setdefault(int(fields[1]), []).append(int(entry))
    found, todo = [], [pid]
    while todo:
        for child in children.get(todo.pop(), []):
            found.append(child)
            todo.append(child)
    return found


def alive(pid):
    try:
        state = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0]
    except OSError:
        return False
    return state not in "ZX"


def cpu_seconds(pid):
    fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


class Notifications:
    """The service manager's end of sd_notify(3)."""

    def __init__(self, path):
        self.path = str(path)
        self.socket = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM | socket.SOCK_CLOEXEC)
        # A former service in the same directory left its own.
        Path(self.path).unlink(missing_ok=True)
        self.socket.bind(self.path)
        self.lines = []

    def wait_for(self, text, timeout=30.0, abort=lambda: None):
        """Waits for a line that starts with text among the notifications to come and returns it."""
        deadline = time.monotonic() + timeout
        seen = 0
        while True:
            while seen < len(self.lines):
                if self.lines[seen].startswith(text):
                    return self.lines[seen]
                seen += 1
            abort()
            left = deadline - time.monotonic()
            if left <= 0:
                raise AssertionError(f"no {text} within {timeout} s; notified so far: {self.lines}")
            if select.select([self.socket], [], [], min(left, 0.2))[0]:
                self.lines += self.socket.recv(65536).decode().splitlines()

    def drain(self):
        while select.select([self.socket], [], [], 0)[0]:
            self.lines += self.socket.recv(65536).decode().splitlines()
        return self.lines

    def forget(self):
        self.drain()
        self.lines = []

    def close(self):
        self.socket.close()


class Wsd:
    """One running service."""

    def __init__(self, workers=2, config="", args=(), env=None, binary=None, prefix=(), ready=True, preexec=None,
                 listen="127.0.0.1:0", directory=None, pass_fds=()):
        self.directory = Path(directory or tempfile.mkdtemp(prefix="wsd-test-"))
        self.keep = directory is not None
        self.control = self.directory / "control.sock"
        self.config_file = self.directory / "wsd.yaml"
        if "limits:" not in config:
            # Tests send faster than people do.
            config += "\nlimits:\n  messageRate: off\n"
        self.config_file.write_text(config)
        self.stderr_path = self.directory / "stderr"
        self.notifications = Notifications(self.directory / "notify.sock")
        environment = {"PATH": os.environ["PATH"], "HOME": str(self.directory), "TMPDIR": str(self.directory),
                       "NOTIFY_SOCKET": self.notifications.path, "STATE_DIRECTORY": str(self.directory / "state"),
                       **(env or {})}
        command = [*prefix, str(binary or BIN / "wsd"), "--config", str(self.config_file), "--socket", str(self.control)]
        if listen:
            command += ["--listen", listen]
        if workers is not None:
            command += ["--workers", str(workers)]
        with open(self.stderr_path, "ab") as stderr:
            self.process = subprocess.Popen([*command, *args], stdin=subprocess.DEVNULL, stdout=stderr, stderr=stderr,
                                            env=environment, cwd=self.directory, preexec_fn=preexec, pass_fds=pass_fds)
        self.pid = self.process.pid
        if ready:
            try:
                self.notifications.wait_for("READY=1", abort=self.check_alive)
            except BaseException:
                print(self.output())
                self.close()
                raise

    def check_alive(self):
        if self.process.poll() is not None:
            raise AssertionError(f"wsd ended with {self.process.returncode}:\n{self.output()}")

    def output(self):
        return self.stderr_path.read_text(errors="replace")

    # -- what an operator does

    def ctl(self, *args, check=True, timeout=60):
        # Behind “--” stands a program's own command line.
        at = args.index("--") if "--" in args else len(args)
        command = [str(BIN / "wsctl"), *args[:at], "--socket", str(self.control), *args[at:]]
        result = subprocess.run(command, capture_output=True, text=True, timeout=timeout, stdin=subprocess.DEVNULL,
                                env={"PATH": os.environ["PATH"]})
        if check and result.returncode != 0:
            raise AssertionError(f"wsctl {args} ended with {result.returncode}:\n{result.stdout}{result.stderr}\n{self.output()}")
        return result

    def ctl_background(self, *args):
        return subprocess.Popen([str(BIN / "wsctl"), *args, "--socket", str(self.control)], stdout=subprocess.PIPE,
                                stderr=subprocess.STDOUT, text=True, stdin=subprocess.DEVNULL)

    def status(self):
        return json.loads(self.ctl("status", "--json", check=False).stdout)

    def json_lines(self, *args):
        text = self.ctl(*args, "--json").stdout.strip()
        if text.startswith("["):
            return json.loads(text)
        return [json.loads(line) for line in text.splitlines()]

    def http(self, method, path, body=None):
        """A request to the control API itself; returns (status, text)."""
        command = ["curl", "-s", "-o", "-", "-w", "\n%{http_code}", "--unix-socket", str(self.control), "-X", method,
                   f"http://wsd{path}"]
        if body is not None:
            command += ["-H", "Content-Type: application/json", "-d", body]
        text, _, code = subprocess.run(command, capture_output=True, text=True, timeout=60).stdout.rpartition("\n")
        return int(code), text

    @property
    def port(self):
        if not hasattr(self, "_port"):
            self._port = int(self.status()["addresses"][0].rpartition(":")[2].rstrip("/"))
        return self._port

    def url(self, path="/ws"):
        return f"ws://127.0.0.1:{self.port}{path}"

    def processes(self, kind="worker"):
        return [p for p in self.status()["processes"] if p["name"].startswith(kind)]

    def worker(self, number):
        return next(p for p in self.processes() if p.get("worker") == number and p["state"] not in ("draining", "stopping"))

    def hub_pid(self):
        return self.processes("hub")[0].get("pid")

    def wait_healthy(self, timeout=20):
        return wait_until(lambda: (s := self.status())["health"] == "ok" and s, "health ok", timeout)

    def worker_of(self, client_id):
        """Number of the worker that has this client."""
        found = self.json_lines("clients", "--id", client_id)
        return found[0]["worker"] if found else None

    # -- the end

    def signal(self, number):
        os.kill(self.pid, number)

    def wait(self, timeout=40):
        return self.process.wait(timeout)

    def close(self):
        tree = process_tree(self.pid)
        if self.process.poll() is None:
            with contextlib.suppress(ProcessLookupError):
                os.kill(self.pid, signal.SIGCONT)
                self.process.terminate()
                with contextlib.suppress(subprocess.TimeoutExpired):
                    self.process.wait(0.5)
                if self.process.poll() is None:
                    # Another SIGTERM so soon would count as the same; SIGINT hurries.
                    self.process.send_signal(signal.SIGINT)
                with contextlib.suppress(subprocess.TimeoutExpired):
                    self.process.wait(10)
        for pid in [*tree, self.pid]:
            with contextlib.suppress(ProcessLookupError):
                os.kill(pid, signal.SIGKILL)
        self.process.wait(10)
        self.notifications.close()
        if not self.keep:
            shutil.rmtree(self.directory, ignore_errors=True)

    def __enter__(self):
        return self

    def __exit__(self, kind, value, trace):
        if kind is not None:
            print("--- output of wsd ---\n" + self.output()[-8000:])
        self.close()


class Client:
    """A page with a bare WebSocket, on the simple dialect."""

    def __init__(self, socket, greeting):
        self.socket = socket
        self.id = greeting["clientId"]

    @classmethod
    async def connect(cls, url, **options):
        options.setdefault("open_timeout", 20)
        socket = await websockets.connect(url, compression=None, ping_interval=None, max_queue=None, close_timeout=2, **options)
        greeting = json.loads(await asyncio.wait_for(socket.recv(), 20))
        assert greeting["type"] == "connected", greeting
        return cls(socket, greeting)

    async def send(self, **message):
        await self.socket.send(json.dumps(message))

    async def receive(self, timeout=10):
        return json.loads(await asyncio.wait_for(self.socket.recv(), timeout))

    async def request(self, timeout=10, **message):
        """Sends with a requestId and returns the answer to it and what came before it."""
        await self.send(requestId=1, **message)
        before = []
        while True:
            answer = await self.receive(timeout)
            if isinstance(answer, dict) and answer.get("requestId") == 1:
                return answer, before
            before.append(answer)

    async def join(self, room):
        answer, _ = await self.request(type="joinRoom", roomId=room)
        assert "error" not in answer, answer

    async def closed(self, timeout=40):
        """Reads to the end and returns (close code, reason)."""
        with contextlib.suppress(websockets.ConnectionClosed):
            while True:
                await asyncio.wait_for(self.socket.recv(), timeout)
        return self.socket.close_code, self.socket.close_reason

    async def close(self):
        await self.socket.close()


async def connect_to_worker(wsd, number, path="/ws"):
    """A client on the worker asked for: connects until the shared listener has handed one there."""
    for _ in range(200):
        client = await Client.connect(wsd.url(path))
        if wsd.worker_of(client.id) == number:
            return client
        await client.close()
    raise AssertionError(f"no connection reached worker {number}")


def run(coroutine, timeout=100):
    """Runs a test's asynchronous part."""
    return asyncio.run(asyncio.wait_for(coroutine, timeout))
