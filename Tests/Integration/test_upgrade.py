"""Another program takes the supervisor's process over: what runs goes on, and nothing is lost."""

import json
import os
import shutil
import signal
import socket
import threading

import pytest

from harness import BIN, Client, Wsd, alive, run, wait_until
from programs import PYTHON, Manager
from test_logs import lines_of

COUNT = """
import time
number = 0
while True:
    number += 1
    print(number, flush=True)
    time.sleep(0.001)
"""
FLOOD = """
for number in range(1, {lines} + 1): print("line", number)
import time
print("done", flush=True)
time.sleep(1000)
"""


def version(service):
    return json.loads(service.http("GET", "/v1/version")[1])


def upgrade(service, timeout=30, **body):
    """Returns (lines of the answer, version) once it has been taken over."""
    before = version(service)["takeovers"]
    code, text = service.http("POST", "/v1/upgrade", json.dumps(body) if body else None)
    lines = [json.loads(line) for line in text.splitlines() if line.startswith("{")]
    assert code == 200 and not any(line["done"] for line in lines), text
    return lines, wait_until(lambda: (v := version(service))["takeovers"] > before and v, "taken over", timeout)


def refused(service, **body):
    """The sentence of an upgrade that was not carried out."""
    code, text = service.http("POST", "/v1/upgrade", json.dumps(body))
    lines = [json.loads(line) for line in text.splitlines()]
    assert lines[-1].get("succeeded") is False if code == 200 else code >= 400, text
    return lines[-1]["message"]


def descriptors(pid):
    """How many are open; a log file more or less does not count."""
    links = [os.readlink(f"/proc/{pid}/fd/{name}") for name in os.listdir(f"/proc/{pid}/fd") if name.isdigit()]
    return sum(not link.endswith(".log") for link in links)


@pytest.fixture
def pm():
    with Manager() as manager:
        yield manager


def test_clients_workers_and_hub_go_on():
    with Wsd(workers=2) as service:
        before = {p["name"]: p["pid"] for p in service.status()["processes"]}

        async def talk():
            clients = [await Client.connect(service.url()) for _ in range(6)]
            for client in clients:
                await client.join("room")
            for round in range(2):
                lines, now = upgrade(service)
                assert now["pid"] == service.pid and now["takeovers"] == round + 1
                assert lines[0]["operation"] == "upgrade"
                await clients[round].send(type="sendToRoom", roomId="room", data={"round": round})
                for client in clients[2:]:
                    while await client.receive() != {"round": round}:
                        pass

        run(talk())
        assert {p["name"]: p["pid"] for p in service.status()["processes"]} == before
        assert service.wait_healthy()["uptime"] > 0
        # Its children are its own: it sees their ends, and questions reach them.
        assert len(service.json_lines("rooms")) == 0 or service.ctl("rooms").returncode == 0
        old = service.worker(1)["pid"]
        os.kill(old, signal.SIGKILL)
        wait_until(lambda: service.worker(1).get("pid") not in (None, old), "another worker 1")
        service.wait_healthy()
        service.ctl("reload")
        wait_until(lambda: not {p["pid"] for p in service.processes("worker")} & set(before.values()), "others", 40)
        hub = service.hub_pid()
        os.kill(hub, signal.SIGKILL)
        wait_until(lambda: service.hub_pid() not in (None, hub), "another hub")
        service.wait_healthy()
        service.signal(signal.SIGTERM)
        assert service.wait() == 0


def test_programs_go_on_and_no_line_is_lost_or_torn(pm):
    pm.add("count", [PYTHON, "-S", "-u", "-c", COUNT])
    pm.add("err", ["sh", "-c", "echo out; echo err >&2; exec sleep 1000"])
    wait_until(lambda: len(pm.written("count")) > 100, "numbers")
    pids = {name: pm.pid_of(name) for name in ("count", "err")}
    before = descriptors(pm.pid)
    for _ in range(4):
        upgrade(pm)
        count = len(pm.written("count"))
        wait_until(lambda: len(pm.written("count")) > count + 50, "more numbers")
    assert {name: pm.pid_of(name) for name in pids} == pids
    numbers = [int(line) for line in pm.written("count")]
    assert numbers == list(range(numbers[0], numbers[0] + len(numbers)))
    assert sorted(pm.written("err")) == ["err", "out"]
    wait_until(lambda: descriptors(pm.pid) <= before, "no descriptor more than before")
    # The supervisor that took over restarts, stops and deletes as the one that started them.
    os.kill(pids["count"], signal.SIGKILL)
    again = pm.wait_ready("count", besides=pids["count"])
    pm.do("restart", "count")
    assert pm.pid_of("count") != again
    pm.do("delete", "all")
    assert not any(alive(pid) for pid in pids.values())
    kinds = [event["type"] for event in pm.call("GET", "/v1/events?count=1000")[1]]
    assert kinds.count("service.replaced") == 4 and kinds[0] == "service.starting"


def test_a_line_that_is_begun_is_ended_after_it(pm):
    go = pm.directory / "go"
    os.mkfifo(go)
    pm.add("half", ["sh", "-c", "printf half; read line < go; echo ' and half'; exec sleep 1000"])
    upgrade(pm)
    go.write_text("go\n")
    pm.wait_written("half", "half and half")


def test_a_flood_goes_on_without_a_gap():
    count = 300_000
    with Manager(config="log: {fileKeep: 100, fileMaxSize: 4MiB}\n") as pm:
        pm.add("flood", [PYTHON, "-S", "-c", FLOOD.format(lines=count)])
        upgrade(pm)
        upgrade(pm)
        folder = pm.directory / "state" / "logs"
        last = folder / "flood.log"
        wait_until(lambda: last.exists() and "done" in last.read_text()[-500:], "the end of the flood", 60)
        numbers = [int(line.rpartition(" line ")[2]) for line in lines_of(folder, "flood") if " line " in line]
        assert numbers == list(range(1, count + 1))


def test_places_that_wait_end_or_crash_are_taken_over_as_they_are(pm):
    pm.begin("crash", ["sh", "-c", "exit 3"], maxUnstable=100000)
    pm.add("tree", ["sh", "-c", "sleep 1000 & setsid sleep 1001 & exec sleep 1002"])
    pm.add("stubborn", [PYTHON, "-S", "-c", "import signal, time; signal.signal(signal.SIGTERM, signal.SIG_IGN); time.sleep(1000)"],
           stopTimeout="2s")
    pm.add("never", ["sleep", "1000"])
    pm.do("stop", "never")
    stop = pm.threads.submit(pm.do, "stop", "stubborn")
    wait_until(lambda: pm.state("stubborn") == "stopping", "it is being stopped")
    # Somebody waits for the end of that: so does the upgrade.
    lines, _ = upgrade(pm)
    assert any("stubborn" in line["message"] for line in lines), lines
    assert stop.result()[-1]["succeeded"]
    assert pm.state("never") == "stopped" and pm.state("stubborn") == "stopped"
    restarts = pm.program("crash")["restarts"]
    wait_until(lambda: pm.program("crash")["restarts"] > restarts + 3, "it goes on crashing")
    for _ in range(5):
        upgrade(pm)
    assert pm.program("tree")["state"] == "ready"
    pid = pm.pid_of("tree")
    wait_until(lambda: (pm.process_of("tree") or {}).get("tree") == 3, "three processes")
    pm.do("delete", "tree", "crash")
    assert not alive(pid)
    pm.add("next", ["sleep", "1000"])


def test_a_reload_of_a_program_with_sockets_refuses_nobody_over_it(pm, tmp_path):
    path = tmp_path / "app.sock"
    serve = ("import socket; server = socket.socket(fileno=3)\n"
             "while True:\n peer, _ = server.accept(); peer.sendall(b'hello'); peer.close()")
    pm.add("app", [PYTHON, "-S", "-c", serve], listen=[f"unix:{path}"])
    stop, failures = threading.Event(), []

    def knock():
        while not stop.is_set():
            with socket.socket(socket.AF_UNIX) as client:
                client.settimeout(10)
                try:
                    client.connect(str(path))
                    if client.recv(5) != b"hello":
                        failures.append("no answer")
                except OSError as error:
                    failures.append(str(error))

    thread = threading.Thread(target=knock)
    thread.start()
    try:
        upgrade(pm)
        pm.do("reload", "app")
        upgrade(pm)
        pm.do("restart", "app")
    finally:
        stop.set()
        thread.join()
    # A process that is killed in the middle of an answer gives none; the socket itself is never gone.
    assert not [failure for failure in failures if "refused" in failure or "No such file" in failure]


def test_the_guard_still_guards(pm):
    pm.add("one", ["sh", "-c", "setsid sleep 1000 & exec sleep 1001"])
    upgrade(pm)
    pm.add("two", ["sleep", "1000"])
    pids = [pm.pid_of("one"), pm.pid_of("two")]
    pm.signal(signal.SIGKILL)
    pm.wait()
    wait_until(lambda: not any(alive(pid) for pid in pids), "nothing is left", 10)


def test_notifications_readiness_and_probes_go_on(pm):
    notify = ("import os, socket, time\n"
              "address = os.environ['NOTIFY_SOCKET'].replace('@', chr(0), 1)\n"
              "def say(text): socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM).sendto(text.encode(), address)\n"
              "say('READY=1')\nnumber = 0\n"
              "while True:\n number += 1; say(f'STATUS=round {number}'); time.sleep(0.05)")
    pm.add("says", [PYTHON, "-S", "-c", notify], ready="notify")
    pm.begin("late", ["sh", "-c", "sleep 2; echo now; exec sleep 1000"], ready="log:now")
    wait_until(lambda: pm.state("late") == "starting", "it starts")
    upgrade(pm)
    said = pm.process_of("says")["statusText"]
    wait_until(lambda: pm.process_of("says")["statusText"] != said, "another status")
    pm.wait_state("late", "ready")


def test_what_cannot_take_over_is_refused_and_nothing_changes(pm):
    pm.add("one", ["sleep", "1000"])
    pid = pm.pid_of("one")
    # The first time makes things that stay.
    refused(pm, program="/bin/true")
    before = descriptors(pm.pid)
    odd = pm.directory / "odd"
    odd.write_text("#!/bin/sh\necho I am something else\n")
    odd.chmod(0o755)
    assert "I am something else" in refused(pm, program=str(odd))
    assert "no wsd" in refused(pm, program="/bin/true")
    assert "cannot be opened" in refused(pm, program=str(pm.directory / "missing"))
    assert "cannot be executed" in refused(pm, program=str(pm.config_file))
    assert "absolute" in refused(pm, program="wsd")
    text = pm.config_file.read_text()
    pm.config_file.write_text("workerz: 3\n")
    assert "workerz" in refused(pm)
    pm.config_file.write_text(text)
    code, answer = pm.http("POST", "/v1/upgrade", json.dumps({"checkOnly": True}))
    last = json.loads(answer.splitlines()[-1])
    assert last["done"] and last["succeeded"] and "can take over" in last["message"]
    assert version(pm)["takeovers"] == 0 and pm.pid_of("one") == pid
    assert pm.http("POST", "/v1/upgrade", "{")[0] == 400
    wait_until(lambda: descriptors(pm.pid) <= before, "no descriptor more than before")
    upgrade(pm)
    assert pm.pid_of("one") == pid


def test_a_program_of_another_version_takes_over(pm):
    """A copy under another name: the path that it was started from is the one of the next upgrade."""
    copy = pm.directory / "wsd-next"
    shutil.copy(BIN / "wsd", copy)
    _, now = upgrade(pm, program=str(copy))
    assert now["program"] == str(copy)
    # It is replaced as a package manager does it: by another file of its name.
    shutil.copy(BIN / "wsd", pm.directory / "new")
    os.rename(pm.directory / "new", copy)
    _, now = upgrade(pm)
    assert now["program"] == str(copy) and os.readlink(f"/proc/{pm.pid}/exe") == str(copy)


def test_the_environment_and_the_arguments_stay_as_they_are():
    with Manager(env={"ODD": "a\udcffb", "WSD_TAKEOVER": "7"}) as pm:
        arguments = open(f"/proc/{pm.pid}/cmdline", "rb").read()
        upgrade(pm)
        pm.add("one", ["sleep", "1000"])
        for pid in (pm.pid, pm.pid_of("one")):
            variables = open(f"/proc/{pid}/environ", "rb").read().split(b"\0")
            assert pid != pm.pid or b"ODD=a\xffb" in variables
            assert b"WSD_TAKEOVER=7" not in variables
        assert open(f"/proc/{pm.pid}/cmdline", "rb").read() == arguments


def test_a_stop_in_the_middle_is_not_lost(pm):
    pm.add("one", ["sleep", "1000"])
    answer = pm.threads.submit(pm.http, "POST", "/v1/upgrade")
    wait_until(lambda: any("Trying" in line["message"] or "progress" in line.get("fields", {}) for line in pm.log("source=supervisor")),
               "it has begun", step=0.001)
    pm.signal(signal.SIGTERM)
    assert pm.wait() == 0
    answer.result()


def test_logs_and_figures_from_before_are_still_there():
    with Wsd(workers=1) as service:
        first = service.json_lines("logs", "--lines", "1000")
        upgrade(service)
        then = service.json_lines("logs", "--lines", "1000")
        assert then[:len(first)] == first
        sequences = [line["sequence"] for line in then]
        assert sequences == sorted(set(sequences))
        assert any("taken the service over" in line["message"] for line in then[len(first):])
        service.notifications.forget()
        service.ctl("scale", "2")
        service.notifications.wait_for("STATUS=2 workers")
