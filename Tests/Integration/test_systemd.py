"""The Debian package under a real systemd. Skipped, saying so, without systemd-box."""

import hashlib
import json
import os
import re
import subprocess
import sys
import time
from pathlib import Path

import pytest

from harness import BIN, wait_until
from systemdbox import SYSTEMDS, UNITS, newer_box, package, shared_box
from v1client import token

# A listener for webhooks, as a program of its own in the box's network; prints each call's path.
APPLICATION = """
import http.server
class Handler(http.server.BaseHTTPRequestHandler):
    def do_POST(self):
        self.rfile.read(int(self.headers["Content-Length"]))
        print(self.path, flush=True)
        self.send_response(200); self.send_header("Content-Length", "2"); self.end_headers(); self.wfile.write(b"{}")
    def log_message(self, *arguments): pass
server = http.server.ThreadingHTTPServer(("127.0.0.1", 9999), Handler)
print("listening", flush=True)
server.serve_forever()
"""

FULL = """
http: { metrics: true }
log: { file: /var/log/wsd/wsd.log }
rooms: { rules: [{ match: "kept", historySize: 10 }] }
webhooks:
  secretFile: /etc/wsd/hook-secret
  disconnect: { url: "http://127.0.0.1:9999/disconnect", timeout: 2s }
"""


@pytest.fixture(scope="module")
def begun():
    return time.monotonic()


@pytest.fixture(scope="module", params=SYSTEMDS)
def box(begun, request):
    return shared_box(request.param)


@pytest.fixture(autouse=True)
def afresh(request):
    """Every test begins with the unit as it is shipped, without configuration, stopped."""
    if "box" not in request.fixturenames:
        return
    machine = request.getfixturevalue("box")
    machine.run("systemctl", "stop", "wsd.socket", "wsd")
    machine.run("systemctl", "reset-failed", check=False)
    machine.run("sh", "-c", "rm -rf /etc/wsd/* /etc/systemd/system/wsd*.d")
    machine.run("systemctl", "daemon-reload")


def keys(unit):
    """The lines of a unit but its comments."""
    return [line for line in unit.read_text().splitlines() if line and not line.startswith("#")]


def workers(machine):
    """Process ids of the workers that serve."""
    found = json.loads(machine.run("wsctl", "workers", "--json"))
    return {w["pid"] for w in found if w["name"].startswith("worker") and w["state"] == "ready"}


def test_the_template_is_the_unit_but_for_names():
    plain = {re.sub(r"wsd-%i\b", "wsd", line).replace(" --config /etc/wsd/%i.yaml", "").replace(" (%i)", "")
             for line in keys(UNITS / "wsd@.service")}
    assert plain == set(keys(UNITS / "wsd.service"))


def test_start_waits_for_ready_and_status_says_more(box):
    box.start()
    assert re.match(r"\d+ workers?, 0 clients", box.show("StatusText"))
    status = box.run("wsctl", "status")
    assert "ready" in status and "/run/wsd/control.sock" in status and "under systemd" in status
    assert box.run("ps", "-o", "user=", "-p", box.show("MainPID")).strip() == "wsd"
    assert box.run("stat", "-c", "%U %a", "/etc/wsd").split() == ["root", "755"]


def test_members_of_the_group_may_use_wsctl(box):
    box.run("useradd", "--groups", "wsd", "grace", check=False)
    box.start()
    status, text = box.tried("runuser", "-u", "grace", "--", "wsctl", "status")
    assert status != 0 and "set control.group in wsd.yaml" in text
    box.configure("control: { group: wsd }\n")
    box.run("systemctl", "restart", "wsd")
    box.run("runuser", "-u", "grace", "--", "wsctl", "reload")


def test_it_is_hardened(box):
    verdict = box.run("systemd-analyze", "security", "wsd", "--no-pager", check=False)
    figure = float(re.search(r"Overall exposure level for wsd.service: ([0-9.]+)", verdict)[1])
    assert figure <= 1.5, verdict


def test_everything_works_under_the_hardening(box):
    box.write("/etc/wsd/hook-secret", "x" * 40, mode="0640")
    box.configure(FULL)
    box.start()
    with box.net(sys.executable, "-c", APPLICATION, stdout=subprocess.PIPE) as application:
        try:
            assert application.stdout.readline() == "listening\n"
            assert box.run("wsctl", "publish", "kept", '{"n":1}')
            with box.knocking(threads=1):
                assert application.stdout.readline() == "/disconnect\n"
        finally:
            application.kill()
    assert "wsd_" in box.run("curl", "-fs", "http://127.0.0.1:8080/wsd/metrics")
    assert "Service ready" in box.run("wsctl", "logs")
    assert "Service ready" in box.run("cat", "/var/log/wsd/wsd.log")
    pid = box.show("MainPID")
    box.run("systemctl", "restart", "wsd")
    assert box.show("MainPID") != pid
    assert '{"n":1}' in box.run("wsctl", "history", "kept").replace(" ", "")
    assert box.run("sh", "-c", "ls /var/lib/wsd/*").strip()
    # A worker that is killed comes back, with what the unit forbids.
    worker = json.loads(box.run("wsctl", "status", "--json"))["processes"][2]
    box.run("kill", "-KILL", str(worker["pid"]))
    wait_until(lambda: json.loads(box.run("wsctl", "status", "--json", check=False))["health"] == "ok", "successor", 20, 0.1)
    assert "Failed to set thread priority" not in box.run("journalctl", "--no-pager")


def test_reload_is_synchronous_and_says_why_it_failed(box):
    box.start()
    before = workers(box)
    box.run("systemctl", "reload", "wsd")
    after = workers(box)
    assert after and before.isdisjoint(after)
    box.configure("workers: { count: nonsense }\n")
    status, _ = box.tried("systemctl", "reload", "wsd")
    assert status != 0 and box.show("ActiveState") == "active"
    assert "workers.count is `nonsense`" in box.journal()


def test_a_wrong_configuration_does_not_start(box):
    box.configure("workers: { count: nonsense }\n")
    status, _ = box.tried("systemctl", "start", "wsd")
    assert status != 0 and "workers.count is `nonsense`" in box.journal()
    box.configure("workers: { count: 1 }\n")
    box.wait_active(timeout=20)


def children_of(box, pid):
    children = box.run("sh", "-c", f"cat /proc/{pid}/task/*/children").split()
    assert len(children) >= 2
    return children


def test_a_killed_supervisor_comes_back_without_orphans_and_refuses_nobody(box):
    box.start()
    pid = box.show("MainPID")
    children = children_of(box, pid)
    with box.knocking() as found:
        box.run("kill", "-KILL", pid)
        box.wait_active(pid)
    assert found["refused"] == 0 and found["opened"] > 0, found
    assert [c for c in children if box.tried("test", "-d", f"/proc/{c}")[0] == 0] == []


def test_the_watchdog_ends_a_hung_supervisor(box):
    box.drop_in("quick", "[Service]\nWatchdogSec=3s\n")
    box.start()
    pid = box.show("MainPID")
    children = children_of(box, pid)
    box.run("kill", "-STOP", pid)
    start = time.monotonic()
    box.wait_active(pid)
    assert time.monotonic() - start < 30
    assert "watchdog" in box.journal().lower()
    assert [c for c in children if box.tried("test", "-d", f"/proc/{c}")[0] == 0] == []


def test_a_restart_refuses_nobody(box):
    box.start()
    with box.knocking() as found:
        # Once with clients to be let go, which takes the usual drain of 2 s.
        with box.holding(200) as codes:
            box.run("systemctl", "restart", "wsd")
        assert codes == {"1001": 200}
        for _ in range(2):
            box.run("systemctl", "restart", "wsd")
    assert found["refused"] == 0 and found["other"] == {} and found["opened"] > 20, found
    assert found["p99"] <= 2 + 2, found
    assert "Listening sockets kept over the restart" in box.journal()
    assert box.show("NFileDescriptorStore") == "1"


def test_a_held_socket_goes_with_its_address(box):
    box.configure('listen: ["8080", "127.0.0.1:8090", "unix:/run/wsd/app.sock"]\n')
    box.start()
    assert box.show("NFileDescriptorStore") == "3"
    box.run("systemctl", "restart", "wsd")
    box.run("curl", "-fs", "--unix-socket", "/run/wsd/app.sock", "http://wsd/healthz")
    # The same port for another address: what systemd holds is in the way until it is told.
    box.configure('listen: ["127.0.0.1:8080"]\n')
    box.run("systemctl", "restart", "wsd")
    assert box.show("NFileDescriptorStore") == "1"
    assert box.tried("curl", "-s", "http://127.0.0.1:8090/")[0] == 7
    assert box.tried("curl", "-s", "http://127.0.0.1:8080/healthz")[0] == 0
    box.stop()
    assert box.tried("curl", "-s", "http://127.0.0.1:8080/")[0] == 7


def test_socket_activation(box):
    box.run("systemctl", "start", "wsd.socket")
    assert box.show("ActiveState") == "inactive" and box.tried("pgrep", "-x", "wsd")[1] == ""
    with box.knocking() as found:
        box.wait_active()
        box.run("systemctl", "restart", "wsd")
        assert "8080" in box.run("wsctl", "status")
    assert found["refused"] == 0 and found["opened"] > 0 and found["other"] == {}, found
    assert box.show("NFileDescriptorStore") == "0", "the socket unit holds it"
    box.run("systemctl", "stop", "wsd.socket", "wsd")


def test_several_instances(box):
    for number, name in enumerate(("one", "two")):
        box.configure(f"listen: {9001 + number}\nrooms: {{ defaults: {{ historySize: 5 }} }}\n", f"wsd@{name}")
        box.start(f"wsd@{name}")
        box.run("wsctl", "--socket", f"/run/wsd-{name}/control.sock", "publish", "room", f'"{name}"')
    assert '"two"' not in box.run("wsctl", "--socket", "/run/wsd-one/control.sock", "history", "room")
    box.run("systemctl", "reload", "wsd@two")
    for name in ("one", "two"):
        box.stop(f"wsd@{name}")


def test_a_service_of_one_user(box):
    box.run("useradd", "--create-home", "ada", check=False)
    number = box.run("id", "-u", "ada").strip()
    box.write("/home/ada/.config/wsd/wsd.yaml", "listen: 9100\nrooms: { defaults: { historySize: 5 } }\n")
    box.run("chown", "-R", "ada:", "/home/ada")
    box.run("systemctl", "start", f"user-runtime-dir@{number}", f"user@{number}")

    def ada(*command):
        return box.run("runuser", "-u", "ada", "--", "env", f"XDG_RUNTIME_DIR=/run/user/{number}", "HOME=/home/ada", *command)

    ada("systemctl", "--user", "start", "wsd")
    assert f"/run/user/{number}/wsd/control.sock" in ada("wsctl", "status")
    ada("wsctl", "publish", "room", "1")
    ada("systemctl", "--user", "reload", "wsd")
    with box.knocking(9100) as found:
        ada("systemctl", "--user", "restart", "wsd")
    assert found["refused"] == 0 and found["opened"] > 0, found
    assert box.run("ls", "/home/ada/.local/state/wsd").strip()
    ada("systemctl", "--user", "stop", "wsd")
    box.run("systemctl", "stop", f"user@{number}")


# Prints as whom a token lets its bearer in, or the code of the closure.
WHO = """
import asyncio, sys
from v1client import V1Client
async def main():
    client = await V1Client.connect("ws://127.0.0.1:8080/ws?token=" + sys.argv[1], greet=False)
    try:
        print((await asyncio.wait_for(client.event("connected"), 5))["user"])
    except Exception:
        print((await client.closed(5))[0])
asyncio.run(main())
"""
SECRET = "s" * 40
KEY = "wsd_" + "k" * 40


def test_credentials(box):
    """Secrets that root alone can read on the machine."""
    box.write("/etc/wsd/jwt", SECRET + "\n", mode="0600", owner="root:root")
    digest = hashlib.sha256(KEY.encode()).hexdigest()
    box.write("/etc/wsd/keys", f"- name: backend\n  sha256: {digest}\n  allow: [publish]\n", mode="0600", owner="root:root")
    box.configure("auth: { secretFile: credential:jwt, required: true }\napi: { keys: credential:api-keys }\n")
    # Without them it says what to do.
    assert box.tried("systemctl", "start", "wsd")[0] != 0
    journal = box.journal()
    assert "LoadCredential=jwt:FILE" in journal and "LoadCredential=api-keys:FILE" in journal
    box.run("systemctl", "stop", "wsd")
    box.drop_in("credentials", "[Service]\nLoadCredential=jwt:/etc/wsd/jwt\nLoadCredential=api-keys:/etc/wsd/keys\n")
    box.start()
    publish = ("curl", "-s", "-o", "/dev/null", "-w", "%{http_code}", "-H", f"Authorization: Bearer {KEY}", "-H",
               "Content-Type: application/json", "-d", '{"room":"lobby","data":1}',
               "http://127.0.0.1:8080/wsd/api/v1/publish")
    assert box.run(*publish) == "200"
    assert box.run(*[part.replace("kkkk", "xxxx") for part in publish]) == "401"
    for text, opened in ((SECRET, True), ("t" * 40, False)):
        client = box.net(sys.executable, "-c", WHO, token(text, "ada"), stdout=subprocess.PIPE, cwd=Path(__file__).parent)
        assert (client.communicate(timeout=30)[0] == "ada\n") is opened
    # The processes of the service can read them, others cannot; nothing shows them.
    shown = box.run("wsctl", "config") + box.run("journalctl", "--no-pager")
    assert SECRET not in shown and digest not in shown
    box.run("systemctl", "reload", "wsd")


def test_journal_has_fields(box):
    box.configure("workers: { count: 2 }\n")
    box.start()
    this = f"_SYSTEMD_INVOCATION_ID={box.show('InvocationID')}"
    started = box.entries(this)
    ready = [e for e in started if e["MESSAGE"].startswith("Service ready")]
    assert len(ready) == 1, "no line twice"
    assert ready[0]["PRIORITY"] == "5" and ready[0]["WSD_SOURCE"] == "supervisor" and ready[0]["SYSLOG_IDENTIFIER"] == "wsd"
    assert ready[0]["_SYSTEMD_UNIT"] == "wsd.service" and ready[0]["WSD_PID"] == box.show("MainPID")
    worker = next(w for w in json.loads(box.run("wsctl", "workers", "--json")) if w["name"] == "worker 2")
    box.run("kill", "-KILL", str(worker["pid"]))
    wait_until(lambda: json.loads(box.run("wsctl", "status", "--json", check=False))["health"] == "ok", "successor", 20, 0.1)
    about = box.entries(this, "WSD_WORKER=2", "-p", "warning")
    assert about and all(e["WSD_WORKER"] == "2" and int(e["PRIORITY"]) <= 4 for e in about)
    assert any(str(worker["pid"]) in e["MESSAGE"] for e in about), about
    assert box.entries(this, "WSD_WORKER=1", "-p", "warning") == []
    # wsctl has the same lines, whichever way they leave.
    kept = [json.loads(line) for line in box.run("wsctl", "logs", "--json", "-n", "1000").splitlines()]
    messages = [e["MESSAGE"] for e in box.entries(this) if "WSD_SOURCE" in e]
    assert [m for m in messages if not any(k["message"] in m for k in kept)] == []
    assert len(messages) == len(kept)
    # Plain lines where they are asked for.
    box.configure("log: { format: json }\n")
    box.run("systemctl", "restart", "wsd")
    pid = box.show("MainPID")
    plain = box.entries(f"_PID={pid}")
    assert plain and not any("WSD_SOURCE" in e for e in plain)
    assert json.loads(plain[-1]["MESSAGE"])["message"] == "Service ready"


def test_journal_may_restart_and_hang(box):
    """A journal that is away for a moment loses nothing; one that hangs holds nobody up."""
    box.configure("workers: { count: 1 }\n")
    box.start()

    def reopened():
        # Each SIGUSR1 is one line; signals that come together are one.
        box.run("kill", "-USR1", box.show("MainPID"))

    this = f"_SYSTEMD_INVOCATION_ID={box.show('InvocationID')}"

    def lines():
        return len([e for e in box.entries(this) if e["MESSAGE"].startswith("The log file is opened anew")])

    def kept():
        return box.run("wsctl", "logs", "-n", "1000").count("opened anew")

    for number in range(30):
        if number % 10 == 5:
            box.run("systemctl", "restart", "systemd-journald")
        reopened()
    wait_until(lambda: kept() > 20, "lines", 10, 0.1)
    assert lines() == kept()
    main, journald = box.show("MainPID"), box.show("MainPID", "systemd-journald")
    box.run("kill", "-STOP", journald)
    try:
        # More than its queue takes.
        wait_until(lambda: box.run("sh", "-c", f"for i in $(seq 2000); do kill -USR1 {main}; done") == ""
                   and "The journal took no records" in box.run("wsctl", "logs", "-n", "1000", "--level", "warning"),
                   "lines on standard error", 60, 0)
        began = time.monotonic()
        box.run("curl", "-fs", "http://127.0.0.1:8080/healthz")
        assert "ready" in box.run("wsctl", "status")
        assert time.monotonic() - began < 5
    finally:
        box.run("kill", "-CONT", journald)
    before = lines()
    reopened()
    wait_until(lambda: lines() > before, "the journal goes on", 20, 0.2)
    assert box.entries(this, "-p", "warning")[-1]["MESSAGE"].startswith("The journal took no records")


def test_programs_with_a_jit_need_the_drop_in(box):
    """What Node.js does: memory that is made executable after it was written."""
    probe = ("import ctypes, mmap; m = mmap.mmap(-1, 4096); libc = ctypes.CDLL(None, use_errno=True); "
             "a = ctypes.addressof(ctypes.c_char.from_buffer(m)); raise SystemExit(libc.mprotect(ctypes.c_void_p(a), 4096, 7) != 0)")
    box.drop_in("probe", f"[Service]\nExecStartPre=/usr/bin/python3 -c '{probe}'\n")
    assert box.tried("systemctl", "start", "wsd")[0] != 0
    box.run("systemctl", "stop", "wsd")
    box.drop_in("jit", (UNITS / "drop-ins" / "jit.conf").read_text())
    box.start()


def test_a_low_port_needs_the_drop_in(box):
    box.configure("listen: 80\n")
    box.tried("systemctl", "start", "wsd")
    assert "CAP_NET_BIND_SERVICE in AmbientCapabilities=" in box.journal()
    box.run("systemctl", "stop", "wsd")
    box.drop_in("low-port", (UNITS / "drop-ins" / "low-port.conf").read_text())
    box.start()
    box.run("curl", "-fs", "http://127.0.0.1/healthz")


def test_wsctl_stop_says_that_it_comes_back(box):
    box.start()
    status, text = box.tried("wsctl", "stop")
    assert "systemctl stop wsd" in text
    box.wait_active()


def test_a_stop_under_a_thousand_clients_ends_in_time(box):
    box.start()
    with box.holding(1000) as codes:
        wait_until(lambda: re.search(r"1,?000 clients", box.show("StatusText")), "clients in the status line", 20, 0.2)
        begun = time.monotonic()
        box.stop()
        took = time.monotonic() - begun
    # Every one with a close frame, over shutdown.drainSpread (2 s), not one killed at shutdown.timeout.
    assert codes == {"1001": 1000}
    assert 1.5 < took < 8, took
    assert box.tried("pgrep", "-x", "wsd")[1] == ""


def probed_version(box):
    """The version of the worker that answers."""
    return json.loads(box.run("curl", "-fs", "http://127.0.0.1:8080/wsd/probe"))["version"]


def renumbered(directory, program="wsd"):
    """A copy of the program with another version number in it: (file, number)."""
    number = subprocess.run([BIN / program, "--version"], capture_output=True, text=True, check=True).stdout.strip()
    # Of the same length, and greater than what is likely.
    other = re.sub(r"[0-9](?=[^.]*$)", lambda digit: "8" if digit[0] == "9" else "9", number)
    file = directory / program
    file.write_bytes((BIN / program).read_bytes().replace(number.encode(), other.encode()))
    file.chmod(0o755)
    return file, other


def test_the_binary_is_replaced_and_a_worker_killed(box, tmp_path):
    """Until the restart everything runs the supervisor's version, whatever lies on the disk."""
    box.configure("workers: { count: 1 }\nhttp: { testPage: true }\n")
    box.start()
    (pid,) = workers(box)
    box.run("sh", "-c", "cp /usr/bin/wsd /usr/bin/wsd.former")
    try:
        file, other = renumbered(tmp_path)
        box.call("put", str(file), "/usr/bin/wsd")
        box.run("kill", "-KILL", str(pid))
        wait_until(lambda: workers(box) - {pid}, "successor", 20, 0.1)
        (successor,) = workers(box)
        supervisor = box.show("MainPID")
        # One image, which has no name any more.
        images = {box.run("readlink", f"/proc/{p}/exe").strip() for p in (supervisor, successor)}
        assert images == {"/usr/bin/wsd (deleted)"}
        assert probed_version(box) != other == box.run("wsd", "--version").strip()
        box.run("systemctl", "reload", "wsd")
        assert probed_version(box) != other, "a reload is none of the supervisor"
        with box.knocking() as found:
            box.run("systemctl", "restart", "wsd")
        assert found["refused"] == 0 and found["other"] == {} and found["opened"] > 0, found
        assert probed_version(box) == other
    finally:
        box.run("mv", "/usr/bin/wsd.former", "/usr/bin/wsd")


# All but what belongs to the kernel, to systemd and to dpkg itself.
FILES = """find /etc /var /run /tmp -not -path '/run/systemd/*' -not -path '/run/udev/*' -not -path '/run/user/*' \
    -not -path '/var/lib/dpkg/*' -not -path '/var/log/*'; find /usr -xdev -name '*wsd*'"""


def test_removal_leaves_nothing(box):
    def files():
        return set(box.run("sh", "-c", FILES).splitlines())

    def running():
        return box.tried("pgrep", "-u", "wsd", "-a")[1] + box.run("ss", "-Hlntx", "sport = :8080 or sport = :9001") + \
            box.run("systemctl", "list-units", "--all", "--no-legend", "--state=active", "wsd*")

    box.dpkg("--purge", "wsd")
    box.run("sh", "-c", "rm -rf /etc/wsd /etc/systemd/system/wsd* /etc/systemd/system/*/wsd* /tmp/wsd.deb")
    before = files()
    box.dpkg("--install", package())
    assert box.show("ActiveState") == "active", "it starts with its package"
    box.configure("listen: 9001\nrooms: { defaults: { historySize: 5 } }\n", "wsd@chat")
    box.configure("rooms: { defaults: { historySize: 5 } }\n")
    box.run("systemctl", "enable", "--now", "wsd@chat")
    box.run("systemctl", "restart", "wsd")
    for socket in ("/run/wsd/control.sock", "/run/wsd-chat/control.sock"):
        box.run("wsctl", "--socket", socket, "publish", "room", "1")
    with box.holding(10) as codes:
        box.dpkg("--remove", "wsd")
    assert codes == {"1001": 10}
    assert running() == ""
    # Debian's rule: the configuration and what the service has written stay until the package is purged.
    left = files() - before
    assert {f for f in left if f.startswith(("/usr/", "/run/wsd", "/tmp/systemd"))} == set()
    assert {"/etc/wsd/wsd.yaml", "/etc/wsd/chat.yaml", "/var/lib/wsd/history.sqlite", "/var/lib/wsd-chat/history.sqlite"} <= left
    box.dpkg("--purge", "wsd")
    # What the operator made remains, and the user wsd, so that its number is not given to another.
    link = "/etc/systemd/system/multi-user.target.wants/wsd@chat.service"
    assert files() - before - {"/etc/systemd/system/multi-user.target.wants", "/tmp/wsd.deb"} == {"/etc/wsd", "/etc/wsd/chat.yaml", link}
    assert box.tried("getent", "passwd", "wsd")[0] == 0 and running() == ""


def test_a_newer_systemd_reloads_by_signal():
    """Type=notify-reload."""
    machine = newer_box(f"wsd-test-new-{os.getpid()}")
    try:
        machine.drop_in("notify-reload", (UNITS / "drop-ins" / "notify-reload.conf").read_text())
        machine.start()
        assert machine.show("Type") == "notify-reload"
        before = workers(machine)
        machine.run("systemctl", "reload", "wsd")
        after = workers(machine)
        assert after and before.isdisjoint(after)
        machine.configure("workers: { count: nonsense }\n")
        assert machine.tried("systemctl", "reload", "wsd")[0] != 0
        assert machine.show("ActiveState") == "active"
        machine.configure("workers: { count: 1 }\n")
        machine.run("systemctl", "reload", "wsd")
        with machine.knocking() as found:
            machine.run("systemctl", "restart", "wsd")
        assert found["refused"] == 0 and found["opened"] > 0, found
    finally:
        machine.down()


def test_the_whole_takes_less_than_five_minutes(begun, capsys):
    """All before this, the package and the box included."""
    took = time.monotonic() - begun
    with capsys.disabled():
        print(f"\nin the box: {took:.0f} s")
    assert took < 300
