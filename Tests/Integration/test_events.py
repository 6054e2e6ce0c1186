"""Events and hooks, with real processes."""

import contextlib
import http.server
import json
import os
import signal
import subprocess
import threading
import time

from harness import BIN, alive, wait_until
from programs import Manager, UnixConnection, kill, shell

SLEEP = {"command": ["sleep", "1000"], "restartDelay": "10ms", "restartMaxDelay": "20ms"}


def hooks(*entries):
    return f"onEvent: {json.dumps(list(entries))}\n"


def events(service, query=""):
    status, found = service.call("GET", f"/v1/events?{query}")
    assert status == 200, found
    return found


def wait_event(service, query):
    return wait_until(lambda: events(service, query), query)[0]


class Follower:
    """What a follower gets, line by line."""

    def __init__(self, service, query=""):
        self.connection = UnixConnection(service.control)
        self.connection.request("GET", f"/v1/events?follow=1&{query}")
        self.answer = self.connection.getresponse()

    def next(self):
        return json.loads(self.answer.readline())

    def __enter__(self):
        return self

    def __exit__(self, kind, value, trace):
        self.connection.close()


@contextlib.contextmanager
def receiver(status=200, hold=None):
    """A server that takes posts; yields its address and what came."""
    came = []

    class Handler(http.server.BaseHTTPRequestHandler):
        def do_POST(self):
            came.append((self.path, json.loads(self.rfile.read(int(self.headers["Content-Length"])))))
            if hold:
                hold.wait(20)
            self.send_response(status)
            self.end_headers()

        def log_message(self, *_):
            pass

    server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    try:
        yield f"http://127.0.0.1:{server.server_port}", came
    finally:
        if hold:
            hold.set()
        server.shutdown()


def test_a_crash_is_told_with_all_that_is_known():
    with Manager([{"name": "api", **SLEEP, "command": shell("echo 'Error: no database' >&2; exec sleep 1000"),
                   "ready": "log:database"}]) as service:
        with Follower(service, "type=program.*") as follower:
            pid = service.pid_of("api")
            types = []
            os.kill(pid, signal.SIGSEGV)
            while not types or types[-1]["type"] != "process.ready" or types[-1]["pid"] == pid:
                types.append(follower.next())
        ends = [e for e in types if e["type"] == "process.exited"]
        assert len(ends) == 1, types
        end = ends[0]
        assert (end["process"], end["program"], end["pid"], end["signal"]) == ("api:1", "api", pid, "SIGSEGV")
        assert end["expected"] is False and end["restarts"] == 0 and end["uptime"] > 0 and "code" not in end
        assert "no database" in end["reason"] and end["time"] <= time.time()
        everything = events(service)
        assert [e["sequence"] for e in everything] == list(range(1, len(everything) + 1))
        assert {"service.starting", "configuration.loaded", "service.ready"} <= {e["type"] for e in everything}
        assert events(service, f"after={everything[-2]['sequence']}")[0] == everything[-1]
        service.do("stop", "api")
        assert wait_event(service, "type=stop.finished&program=api")["operation"] == "stop"
        assert [e["expected"] for e in events(service, "type=program.exited")] == [False, True]


def test_workers_and_reloads():
    with Manager(workers=1) as service:
        pid = service.worker(1)["pid"]
        kill(pid)
        end = wait_event(service, "type=worker.exited")
        assert (end["process"], end["worker"], end["pid"], end["signal"]) == ("worker 1", 1, pid, "SIGKILL")
        service.wait_healthy()
        service.ctl("reload")
        assert [e["type"] for e in events(service, "type=reload.*")] == ["reload.started", "reload.finished"]
        assert len(events(service, "type=configuration.loaded")) == 2
        service.config_file.write_text("workers: nonsense\n")
        service.ctl("reload", check=False)
        assert "workers" in wait_event(service, "type=configuration.refused")["fields"]["errors"]
        shown = service.ctl("events", "--type", "worker.exited,*.refused").stdout
        assert "process.exited" in shown and "signal=SIGKILL" in shown and "configuration.refused" in shown
        wrong = subprocess.run([BIN / "wsctl", "--socket", service.control, "events", "--type", "worker.dies"],
                               capture_output=True, text=True)
        assert wrong.returncode == 64 and "worker.dies" in wrong.stderr


def test_a_run_gets_the_event_and_writes_to_the_log(tmp_path):
    place = tmp_path / "out"
    (tmp_path / "hook").write_text(f"""#!/bin/sh
cat >> {place}.json
echo "$WSD_EVENT_TYPE $WSD_EVENT_PROCESS $WSD_EVENT_SIGNAL" >> {place}
echo "told of $WSD_EVENT_PROGRAM"; echo oops >&2
exit 3
""")
    (tmp_path / "hook").chmod(0o755)
    hook = {"events": ["program.exited"], "programs": ["api"], "run": [str(tmp_path / "hook")]}
    programs = [{"name": "api", **SLEEP}, {"name": "other", **SLEEP}]
    with Manager(programs, config=hooks(hook)) as service:
        kill(service.pid_of("other"))
        kill(service.pid_of("api"))
        wait_until(lambda: place.exists() and place.read_text() == "process.exited api:1 SIGKILL\n", "the hook")
        event = json.loads((tmp_path / "out.json").read_text())
        assert event["type"] == "process.exited" and event["text"].startswith("wsd: api:1: ")
        log = wait_until(lambda: [l for l in service.log() if l["message"] == "A hook failed"], "its failure")
        assert log[0]["fields"]["hook"] == "onEvent[0]" and "exited with 3" in log[0]["fields"]["error"]
        lines = wait_until(lambda: (l := service.log("source=onEvent[0]")) and len(l) == 2 and l, "its lines")
        assert [l["message"] for l in lines] == ["told of api", "oops"]


def test_a_hook_that_hangs_is_killed_with_all_it_started(tmp_path):
    hook = {"events": ["program.exited"], "timeout": "300ms",
            "run": ["sh", "-c", f"sleep 1000 & echo $! $$ > {tmp_path}/pids; wait"]}
    with Manager([{"name": "api", **SLEEP}], config=hooks(hook)) as service:
        kill(service.pid_of("api"))
        wait_until(lambda: any(l["message"] == "A hook failed" and "timeout" in l["fields"]["error"] for l in service.log()),
                   "the timeout")
        pids = [int(pid) for pid in (tmp_path / "pids").read_text().split()]
        wait_until(lambda: not any(alive(pid) for pid in pids), "its end")
        service.wait_state("api", "ready")


def test_a_hook_that_cannot_be_run_says_so():
    with Manager([{"name": "api", **SLEEP}], config=hooks({"events": "program.exited", "run": "nod here"})) as service:
        kill(service.pid_of("api"))
        line = wait_until(lambda: [l for l in service.log() if l["message"] == "A hook failed"], "the failure")[0]
        assert "Cannot start nod: No such file or directory" in line["fields"]["error"]


def test_a_call_gets_the_event_and_a_flood_is_counted():
    with receiver() as (address, came):
        hook = {"events": "program.exited", "url": f"{address}/in?x=1", "rateLimit": "1/s burst 2"}
        with Manager([{"name": "api", **SLEEP, "command": ["false"], "maxUnstable": 10_000}], config=hooks(hook),
                     ready=False) as service:
            wait_until(lambda: any(body.get("leftOut") for _, body in came), "a count")
            path, first = came[0]
            assert (path, first["type"], first["code"], first["sequence"] > 0) == ("/in?x=1", "process.exited", 1, True)
            assert "api:1" in first["text"] and "exited with 1" in first["text"]
            assert any(l["message"] == "Events were left out: the rate limit of a hook" for l in service.log())
        assert len(came) < 40


def test_a_server_that_does_not_answer_holds_up_nothing():
    hold = threading.Event()
    with receiver(hold=hold) as (address, came):
        hook = {"events": "program.exited", "url": address, "timeout": "400ms"}
        with Manager([{"name": "api", **SLEEP}], config=hooks(hook)) as service:
            first = service.pid_of("api")
            kill(first)
            second = service.wait_ready("api", besides=first)
            kill(second)
            service.wait_ready("api", besides=second)
            wait_until(lambda: len(came) == 2, "the second call")
            lines = wait_until(lambda: [l for l in service.log() if l["message"] == "A hook failed"], "the timeout")
            assert lines[0]["fields"]["error"] == "no answer in time"


def test_hooks_change_with_a_reload_and_hear_of_the_stop(tmp_path):
    hook = {"events": ["service.stopping", "configuration.loaded"], "run": ["sh", "-c", f"echo $WSD_EVENT_TYPE >> {tmp_path}/out"]}
    with Manager() as service:
        service.rewrite([], hooks(hook))
        service.ctl("reload")
        wait_until(lambda: (tmp_path / "out").exists(), "the hook")
        service.signal(signal.SIGTERM)
        assert service.wait() == 0
        wait_until(lambda: (tmp_path / "out").read_text().split() == ["configuration.loaded", "service.stopping"], "the last")
