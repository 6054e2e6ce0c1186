"""A wsd that keeps programs, and what the tests have it keep: small scripts in a temporary folder."""

import concurrent.futures
import contextlib
import http.client
import json
import os
import signal
import socket
import sys
from pathlib import Path

from harness import Wsd, alive, wait_until

PYTHON = sys.executable
# Restarts at once, as often as it takes: what is not a test of restarts does not wait for them.
QUICK = {"restartDelay": "10ms", "restartMaxDelay": "20ms", "maxUnstable": 1000, "stopTimeout": "5s"}


class UnixConnection(http.client.HTTPConnection):
    def __init__(self, path, timeout=30):
        super().__init__("wsd", timeout=timeout)
        self.path = str(path)

    def connect(self):
        self.sock = socket.socket(socket.AF_UNIX)
        self.sock.settimeout(self.timeout)
        self.sock.connect(self.path)


class Manager(Wsd):
    """wsd with programs: `programs` as they stand in wsd.yaml. YAML takes JSON as it is."""

    def __init__(self, programs=(), workers=0, config="", **more):
        super().__init__(workers=workers, config=self.text(programs) + config, **more)
        # Sequence number of the last log line that does not count.
        self.mark = 0
        self.threads = concurrent.futures.ThreadPoolExecutor()

    @staticmethod
    def text(programs):
        return f"programs: {json.dumps(list(programs))}\n" if programs else ""

    def rewrite(self, programs, config=""):
        self.config_file.write_text(self.text(programs) + config)

    # -- calls

    def call(self, method, path, body=None, timeout=30):
        """Returns (status, value): the JSON document, or the list of documents of an NDJSON answer."""
        connection = UnixConnection(self.control, timeout)
        try:
            text = None if body is None else json.dumps(body)
            connection.request(method, path, text, {"Content-Type": "application/json"} if text else {})
            answer = connection.getresponse()
            content = answer.read().decode()
            if "ndjson" in answer.getheader("Content-Type", ""):
                return answer.status, [json.loads(line) for line in content.splitlines()]
            return answer.status, json.loads(content) if content else None
        finally:
            connection.close()

    def operate(self, path, body, succeeds=True, timeout=30):
        """An operation that is begun, to its last word; returns all it said."""
        status, lines = self.call("POST", path, body, timeout)
        assert status == 200, (status, lines)
        assert lines and lines[-1]["done"], lines
        assert lines[-1]["succeeded"] == succeeds, lines
        return lines

    def do(self, verb, *targets, succeeds=True, **more):
        return self.operate(f"/v1/programs/{verb}", {"targets": list(targets), **more}, succeeds)

    def refused(self, path, body):
        """A call that is not carried out; returns (status, sentence)."""
        status, error = self.call("POST", path, body)
        assert status >= 400 and isinstance(error, dict), (status, error)
        return status, error["message"]

    def add(self, name, command, succeeds=True, **entry):
        """`wsctl start --name NAME -- COMMAND` with further settings."""
        return self.operate("/v1/programs", self.entry(name, command, **entry), succeeds)

    def begin(self, name, command, **entry):
        """The same, without waiting for its end."""
        return self.threads.submit(self.add, name, command, **entry)

    def entry(self, name, command, **entry):
        return {"name": name, "command": command, "folder": str(self.directory), **QUICK, **entry}

    # -- what there is

    def programs(self):
        return {p["name"]: p for p in self.call("GET", "/v1/programs")[1]}

    def program(self, name):
        return self.programs().get(name)

    def state(self, name):
        program = self.program(name)
        return program and program["state"]

    def wait_state(self, name, state, timeout=10):
        return wait_until(lambda: (p := self.program(name)) and p["state"] == state and p, f"{name} {state}", timeout)

    def process_of(self, name, number=1):
        """What fills a place, whatever is on its way out beside it."""
        ones = [p for p in self.program(name)["processes"] if p["number"] == number]
        return next((p for p in ones if p["state"] != "stopping"), ones[0] if ones else None)

    def pid_of(self, name, number=1):
        process = self.process_of(name, number)
        return process and process.get("pid")

    def wait_ready(self, name, number=1, besides=None, timeout=10):
        """The pid of a ready process in this place, another one than `besides`."""
        def ready():
            ones = [p for p in self.program(name)["processes"] if p["number"] == number and p["state"] == "ready"]
            return next((p["pid"] for p in ones if p["pid"] != besides), None)
        return wait_until(ready, f"{name}:{number} ready", timeout)

    def log(self, *filters):
        """Log lines since the mark, as they are told to programs."""
        query = "&".join(["lines=10000", f"after={self.mark}", *filters])
        return self.call("GET", f"/v1/logs?{query}")[1]

    def set_mark(self):
        """What was logged so far does not count any more."""
        self.mark = max((line["sequence"] for line in self.log()), default=self.mark)

    def written(self, name, *filters):
        """Lines that a program (or one process of it) has written."""
        source = "source" if ":" in name else "program"
        return [line["message"] for line in self.log(f"{source}={name}", *filters) if line.get("stream")]

    def wait_written(self, name, *lines):
        """Waits until it has written these lines, in whatever order, and nothing else."""
        wait_until(lambda: sorted(self.written(name)) == sorted(lines), f"{name} writes {lines}")

    def events(self, message, name):
        """Fields of what was said about a program or its processes."""
        mine = [line["fields"] for line in self.log("source=supervisor") if line["message"] == message]
        return [f for f in mine if f["process.name"].partition(":")[0] == name]

    def close(self):
        self.threads.shutdown(wait=False, cancel_futures=True)
        super().close()


@contextlib.contextmanager
def manager(*programs, **more):
    with Manager(programs, **more) as service:
        yield service


def script(folder, name, text):
    """A Python script that nothing has to be installed for."""
    path = Path(folder) / name
    path.write_text(text)
    return [PYTHON, "-S", "-u", str(path)]


def shell(text):
    return ["/bin/sh", "-c", text]


def read_json(path):
    """What a process wrote, once it is there as a whole."""
    def value():
        try:
            return json.loads(Path(path).read_text())
        except (OSError, ValueError):
            return None
    return wait_until(value, f"{path} is written")


def read_lines(path):
    try:
        return Path(path).read_text().splitlines()
    except FileNotFoundError:
        return []


def gone(*pids, timeout=10):
    wait_until(lambda: not any(alive(pid) for pid in pids), f"{pids} gone", timeout)


def kill(pid, number=signal.SIGKILL):
    os.kill(pid, number)


def free_port():
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]


# Tells about itself in the file that is named, then lives until it is told to end.
REPORT = """
import grp, json, os, resource, signal, sys
names = ["NOFILE", "CORE"]
mask = os.umask(0)
os.umask(mask)
status = dict(line.split(":\\t", 1) for line in open("/proc/self/status").read().splitlines())
report = {
    "pid": os.getpid(), "parent": os.getppid(), "session": os.getsid(0), "group": os.getpgrp(), "folder": os.getcwd(),
    "environment": dict(os.environ), "arguments": sys.argv[2:], "umask": mask, "nice": os.nice(0),
    "limits": {name: resource.getrlimit(getattr(resource, "RLIMIT_" + name)) for name in names},
    "ignored": int(status["SigIgn"], 16), "blocked": int(status["SigBlk"], 16),
    "descriptors": sorted(int(fd) for fd in os.listdir("/proc/self/fd") if os.path.exists("/proc/self/fd/" + fd)),
    "input": os.readlink("/proc/self/fd/0"),
}
with open(sys.argv[1] + ".new", "w") as file:
    json.dump(report, file)
os.rename(sys.argv[1] + ".new", sys.argv[1])
print("here")
while True:
    signal.pause()
"""

# Becomes ready in the way asked for once the file “go” is there; stops answering once there is a file “sick”.
READY = """
import http.server, os, socket, sys, time
how, place = sys.argv[1], sys.argv[2]

def wait(name):
    while not os.path.exists(name):
        time.sleep(0.005)

def notify(*lines):
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as sock:
        name = os.environ["NOTIFY_SOCKET"]
        sock.connect("\\0" + name[1:] if name.startswith("@") else name)
        sock.send("\\n".join(lines).encode())

class Handler(http.server.BaseHTTPRequestHandler):
    def do_GET(self):
        if os.path.exists("sick"):
            time.sleep(60)
        self.send_response(200 if self.path == "/healthz" and os.path.exists("go") else 503)
        self.send_header("Content-Length", "0")
        self.end_headers()

    def log_message(self, *_):
        pass

    def address_string(self):
        return "?"

class Unix(http.server.ThreadingHTTPServer):
    address_family = socket.AF_UNIX

    def server_bind(self):
        self.socket.bind(self.server_address)

if how == "http":
    http.server.ThreadingHTTPServer(("127.0.0.1", int(place)), Handler).serve_forever()
elif how == "unix":
    Unix(place, Handler).serve_forever()
wait("go")
if how == "tcp":
    keep = socket.create_server(("127.0.0.1", int(place)))
elif how == "notify":
    notify("STATUS=warmed up", "READY=1")
elif how == "child" and os.fork() == 0:
    # Not the main process, but one that came from it.
    notify("READY=1")
elif how == "log":
    print("server listening on port", place)
while True:
    time.sleep(60)
"""

# A daemon as old books make them: two forks and a session of its own, beside a child that does not care for SIGTERM.
FAMILY = """
import json, os, signal, sys, time
ours = {"main": os.getpid()}
reader, writer = os.pipe()
if os.fork() == 0:
    os.setsid()
    if os.fork() == 0:
        os.write(writer, b"%d\\n" % os.getpid())
        signal.signal(signal.SIGTERM, signal.SIG_IGN)
        signal.signal(signal.SIGHUP, signal.SIG_IGN)
        while True:
            time.sleep(60)
    os._exit(0)
ours["daemon"] = int(os.read(reader, 32))
child = os.fork()
if child == 0:
    signal.signal(signal.SIGTERM, signal.SIG_IGN)
    while True:
        time.sleep(60)
ours["child"] = child
with open(sys.argv[1] + ".new", "w") as file:
    json.dump(ours, file)
os.rename(sys.argv[1] + ".new", sys.argv[1])
print("here")
while True:
    signal.pause()
"""

# Answers on descriptor 3 with its pid, one connection after the other, and ends between two; does not become ready while there is
# a file “broken”.
LISTENER = """
import ctypes, json, os, select, signal, socket, sys
if os.path.exists("broken"):
    sys.exit("the disk is full")
assert os.environ["LISTEN_PID"] == str(os.getpid()), "LISTEN_PID is another process"
count = ctypes.CDLL("libsystemd.so.0").sd_listen_fds(0)
listener = socket.socket(fileno=3)
listener.setblocking(False)
told, tell = os.pipe()
os.set_blocking(tell, False)
signal.set_wakeup_fd(tell)
signal.signal(signal.SIGTERM, lambda *_: None)
print("listening", json.dumps([count, os.environ["LISTEN_FDNAMES"]]))
while True:
    if told in select.select([listener, told], [], [])[0]:
        sys.exit(0)
    try:
        connection, _ = listener.accept()
    except BlockingIOError:
        continue
    with connection:
        connection.sendall(b"%d" % os.getpid())
"""
