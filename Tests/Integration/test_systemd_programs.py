"""Programs of the service under a real systemd, with the unit and the drop-in that are shipped. Skipped, saying so, without
systemd-box."""

import json
import re
import subprocess
import sys
import time

import pytest

from harness import wait_until
from systemdbox import SYSTEMDS, UNITS, package, shared_box

# What is asked for on the socket that it was started with; its root is what Node.js needs memory for that can be executed.
SHOP = """
const http = require("http"), os = require("os"), fs = require("fs");
if (!os.networkInterfaces().lo) throw new Error("no addresses");
fs.writeFileSync("/srv/shop/written", String(process.pid));
const server = http.createServer((request, response) => response.end(`pid ${process.pid}`));
server.listen({ fd: 3 });
process.on("SIGTERM", () => server.close(() => process.exit(0)));
"""

# Ready some time after its start; leaves behind a daemon without a session, a parent or an environment in common with it.
MAILER = """
import os, signal, socket, subprocess, time
if os.fork() == 0:
    os.setsid()
    if os.fork() == 0:
        os.execve("/usr/bin/sleep", ["mailer-daemon", "1000"], {})
    os._exit(0)
time.sleep(1)
with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as sock:
    sock.connect(os.environ["NOTIFY_SOCKET"].replace("@", chr(0), 1))
    sock.send(b"READY=1")
while True:
    signal.pause()
"""

ECHO = """
import os, socket, threading

def serve(connection):
    for line in connection.makefile():
        print("said", line, end="", flush=True)
        connection.sendall(f"{os.getpid()} {line}".encode())

server = socket.socket(fileno=3)
while True:
    threading.Thread(target=serve, args=[server.accept()[0]], daemon=True).start()
"""

CONFIGURATION = """
workers: { count: 1 }
programs:
  - { name: shop, command: node /srv/shop/shop.js, folder: /srv/shop, listen: 127.0.0.1:3000, ready: "http://127.0.0.1:3000/" }
  - { name: mailer, command: /usr/bin/python3 -S /srv/shop/mailer.py, ready: notify, dependsOn: [shop] }
"""


@pytest.fixture(scope="module", params=SYSTEMDS)
def box(request):
    machine = shared_box(request.param)
    machine.installed()
    machine.write("/srv/shop/shop.js", SHOP)
    machine.write("/srv/shop/mailer.py", MAILER)
    machine.run("chown", "wsd:", "/srv/shop")
    return machine


@pytest.fixture(autouse=True)
def afresh(box):
    """Every test begins without configuration, stopped, and with the drop-in."""
    box.run("systemctl", "stop", "wsd.socket", "wsd")
    box.run("sh", "-c", "rm -rf /etc/wsd/* /etc/systemd/system/wsd*.d /var/lib/wsd/programs.json")
    box.drop_in("programs", (UNITS / "drop-ins" / "programs.conf").read_text())


def programs(machine):
    return {p["name"]: p for p in json.loads(machine.run("wsctl", "list", "--json")) if p["number"] > 0}


def pid_of(machine, name):
    return str(programs(machine)[name]["processes"][0]["pid"])


def living(machine):
    """Everything of the service: pid and command."""
    return machine.tried("pgrep", "-a", "-u", "wsd")[1]


def test_the_service_keeps_them_through_whatever_happens_to_it(box):
    box.configure(CONFIGURATION)
    begun = time.monotonic()
    box.start()
    # The second one waits for the first, and says when it is ready.
    assert time.monotonic() - begun > 1
    assert re.match(r"1 worker, 0 clients; 2 programs$", box.show("StatusText"))
    shop = pid_of(box, "shop")
    assert box.run("cat", "/srv/shop/written") == shop
    assert "/wsd.service/wsd.shop.1." in box.run("cat", f"/proc/{shop}/cgroup")
    # The kernel spares the supervisor, where systemd may have it so, and nobody else.
    assert box.run("cat", f"/proc/{shop}/oom_score_adj").strip() == "0"
    # Remembered in /var/lib/wsd.
    box.run("wsctl", "start", "--name", "added", "--", "sleep", "1001")
    box.run("wsctl", "start", "--name", "stopped", "--", "sleep", "1002")
    box.run("wsctl", "stop", "stopped")
    with box.knocking(3000, "/", 2) as found:
        box.run("systemctl", "restart", "wsd")
        assert pid_of(box, "shop") != shop
        assert {n: p["state"] for n, p in programs(box).items()} == \
            {"shop": "ready", "mailer": "ready", "added": "ready", "stopped": "stopped"}
        main, daemons = box.show("MainPID"), box.run("pgrep", "-f", "mailer-daemon")
        assert len(daemons.split()) == 1, "the one of the life before has gone"
        box.run("kill", "-KILL", main)
        box.wait_active(main)
        assert box.run("pgrep", "-f", "mailer-daemon") != daemons
        assert len(box.run("pgrep", "-f", "mailer-daemon").split()) == 1
    assert found["refused"] == 0 and found["other"].get("HTTP/1.1 200 OK", 0) > 10, found
    assert "Listening sockets of programs kept over the restart" in box.journal()
    # A program that is stopped is not to be reached: nothing holds its port; and it has it back at once.
    box.run("wsctl", "stop", "shop")
    assert box.tried("curl", "-s", "http://127.0.0.1:3000/")[0] == 7
    box.run("wsctl", "start", "shop")
    assert box.run("curl", "-fs", "http://127.0.0.1:3000/") == f"pid {pid_of(box, 'shop')}"
    begun = time.monotonic()
    box.stop()
    assert time.monotonic() - begun < 5
    assert living(box) == "" and box.tried("pgrep", "-f", "mailer-daemon")[1] == ""


# What does not depend on the version of systemd.
once = pytest.mark.parametrize("box", SYSTEMDS[:1], indirect=True)


@once
def test_the_drop_in_leaves_it_hardened(box):
    verdict = box.run("systemd-analyze", "security", "wsd", "--no-pager", check=False)
    assert float(re.search(r"Overall exposure level for wsd.service: ([0-9.]+)", verdict)[1]) <= 1.6, verdict


# Sends each line of its input to a server, and prints what that says.
TALK = """
import socket, sys
connection = socket.create_connection(("127.0.0.1", int(sys.argv[1])), timeout=30)
for line in sys.stdin:
    connection.sendall(line.encode())
    print(connection.makefile().readline(), end="", flush=True)
"""


def test_an_upgrade_of_the_package_does_not_touch_them(box):
    box.write("/srv/shop/echo.py", ECHO)
    box.configure(CONFIGURATION.replace("programs:", "programs:\n"
                  "  - { name: echo, command: /usr/bin/python3 -S -u /srv/shop/echo.py, listen: 127.0.0.1:3001, ready: tcp://3001 }"))
    box.start()
    box.run("wsctl", "start", "--name", "added", "--", "sleep", "1001")
    box.run("wsctl", "start", "--name", "stopped", "--", "sleep", "1002")
    box.run("wsctl", "stop", "stopped")
    names = ["shop", "mailer", "echo", "added"]
    main, former, daemon = box.show("MainPID"), [pid_of(box, name) for name in names], box.run("pgrep", "-f", "mailer-daemon")
    talk = box.net(sys.executable, "-c", TALK, "3001", stdin=subprocess.PIPE, stdout=subprocess.PIPE)

    def say(word):
        talk.stdin.write(f"{word}\n")
        talk.stdin.flush()
        return talk.stdout.readline()

    try:
        assert say("before") == f"{former[2]} before\n"
        with box.knocking(3000, "/", 2) as found, box.holding(5) as codes:
            box.dpkg("--install", package())
            assert box.show("MainPID") == main and box.show("NRestarts") == "0"
            assert json.loads(box.run("wsctl", "version", "--json"))["takeovers"] == 1
            assert [pid_of(box, name) for name in names] == former
            wait_until(lambda: box.former() == "", "nothing of the former program, the guard neither", 10, 0.2)
        assert found["refused"] == 0 and set(found["other"]) == {"HTTP/1.1 200 OK"}, found
        # Workers are new.
        assert codes == {"1012": 5}
        assert say("after") == f"{former[2]} after\n"
        assert box.run("pgrep", "-f", "mailer-daemon") == daemon
        # What they say is still heard, and the end of one seen.
        wait_until(lambda: "said after" in box.run("wsctl", "logs", "echo", "--out"), "its line", 10, 0.1)
        box.run("kill", "-KILL", former[2])
        wait_until(lambda: programs(box)["echo"]["restarts"] == 1 and programs(box)["echo"]["state"] == "ready", "another process",
                   10, 0.1)
        assert pid_of(box, "echo") != former[2]
        assert {n: p["state"] for n, p in programs(box).items()} == \
            {"shop": "ready", "mailer": "ready", "echo": "ready", "added": "ready", "stopped": "stopped"}
    finally:
        talk.kill()
        talk.wait(10)
    # Watched by systemd as before: the watchdog, its sockets, and a stop.
    assert box.show("ActiveState") == "active" and box.show("StatusText").startswith("1 worker, 0 clients; ")
    box.stop()
    assert living(box) == ""


@once
def test_a_stop_takes_the_time_that_a_program_takes(box):
    box.drop_in("short", "[Service]\nTimeoutStopSec=1s\n")
    box.configure("workers: { count: 0 }\nprograms:\n"
                  "  - { name: slow, command: \"sh -c 'trap : TERM; while :; do sleep 1; done'\", stopTimeout: 2s }\n")
    box.start()
    begun = time.monotonic()
    box.stop()
    assert time.monotonic() - begun > 2
    assert "Program killed" in box.journal() and living(box) == ""


@once
def test_what_the_unit_forbids_is_said(box):
    box.without_drop_in("programs")
    box.configure("workers: { count: 0 }\n")
    box.start()
    status, text = box.tried("wsctl", "start", "--name", "other", "--user", "nobody", "--", "sleep", "1000")
    assert status != 0 and "only root may change the user to “nobody”" in text
    box.run("wsctl", "delete", "other")
    status, text = box.tried("wsctl", "start", "--name", "shop", "--", "node", "-e", "0")
    assert status != 0 and "no memory that is writable and executable (MemoryDenyWriteExecute=)" in text
    box.run("wsctl", "delete", "shop")
    box.run("sh", "-c", "mkdir -p /home/app && chmod 755 /home/app")
    status, text = box.tried("wsctl", "start", "--name", "home", "--cwd", "/home/app", "--", "sleep", "1000")
    assert status != 0 and "the unit hides /home (ProtectHome=)" in text
    box.run("wsctl", "delete", "home")


@once
def test_programs_of_several_users(box):
    box.run("useradd", "--create-home", "app", check=False)
    box.drop_in("program-users", (UNITS / "drop-ins" / "program-users.conf").read_text())
    box.configure(CONFIGURATION.replace("count: 1", "count: 0").replace("name: shop", "name: shop, user: app")
                  .replace("name: mailer", "name: mailer, user: nobody"))
    box.run("chown", "app:", "/srv/shop")
    box.run("rm", "-f", "/srv/shop/written")
    box.start()
    assert box.run("ps", "-o", "user=", "-p", pid_of(box, "shop")).strip() == "app"
    assert "mailer-daemon" in box.run("pgrep", "-a", "-u", "nobody")
    box.run("wsctl", "stop", "mailer")
    assert box.tried("pgrep", "-u", "nobody")[1] == ""
    box.stop()
    assert box.tried("pgrep", "-u", "app")[1] == ""
    box.run("chown", "wsd:", "/srv/shop", "/srv/shop/written")


@once
def test_a_service_of_one_user_needs_no_drop_in(box):
    box.run("useradd", "--create-home", "grace", check=False)
    number = box.run("id", "-u", "grace").strip()
    box.write("/home/grace/shop.js", SHOP.replace("/srv/shop", "/home/grace"), owner="grace:")
    box.write("/home/grace/.config/wsd/wsd.yaml", "workers: { count: 0 }\n", owner="grace:")
    box.run("chown", "-R", "grace:", "/home/grace")
    box.run("systemctl", "start", f"user-runtime-dir@{number}", f"user@{number}")

    def grace(*command):
        return box.run("runuser", "-u", "grace", "--", "env", f"XDG_RUNTIME_DIR=/run/user/{number}", "HOME=/home/grace", *command)

    try:
        grace("systemctl", "--user", "start", "wsd")
        grace("wsctl", "start", "--name", "shop", "--cwd", "/home/grace", "--listen", "127.0.0.1:3000", "--", "node", "shop.js")
        pid = box.run("cat", "/home/grace/written")
        assert "/wsd.service/wsd.shop.1." in box.run("cat", f"/proc/{pid}/cgroup")
        with box.knocking(3000, "/", 1) as found:
            grace("systemctl", "--user", "restart", "wsd")
        assert found["refused"] == 0 and found["other"].get("HTTP/1.1 200 OK", 0) > 0, found
        grace("systemctl", "--user", "stop", "wsd")
        assert box.tried("test", "-e", f"/proc/{pid}")[0] != 0
    finally:
        box.run("systemctl", "stop", f"user@{number}")
