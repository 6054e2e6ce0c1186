"""What needs tools that not every machine has: the Autobahn suite and a real systemd. Skipped, saying so, without them."""

import os
import subprocess
import time
from pathlib import Path

import pytest

from harness import BIN, ROOT, Wsd, wait_until

SHARED = Path(os.environ.get("WSD_SHARED", ROOT.parent / "shared"))
AUTOBAHN = SHARED / "autobahn"
BOX = SHARED / "systemd-box"


@pytest.mark.skipif(not AUTOBAHN.exists(), reason="the Autobahn suite is not on this machine (WSD_SHARED)")
@pytest.mark.timeout(900)
def test_autobahn_quick():
    config = ("websocket:\n  maxMessageSize: 32MiB\n  maxFragments: 1000000\n  compression:\n    enabled: true\n    threshold: 0\n"
              "hub:\n  heldBytes: 64MiB\n  linkQueue: 64MiB\n")
    with Wsd(workers=1, config=config) as service:
        result = subprocess.run([str(AUTOBAHN), "--url", service.url("/wsd/echo"), "--quick"], capture_output=True, text=True,
                                timeout=850)
        assert result.returncode == 0 and "UNIMPLEMENTED 0" in result.stdout, result.stdout[-4000:] + result.stderr[-2000:]


@pytest.mark.skipif(not (BIN / "wsd-chaos").exists(), reason="wsd-chaos is not built (scripts/test without arguments does)")
@pytest.mark.timeout(200)
def test_a_little_chaos():
    result = subprocess.run([str(ROOT / "scripts" / "chaos"), "--seconds", "15", "--clients", "200", "--rooms", "20", "--workers",
                             "2", "--seed", "1"], capture_output=True, text=True, timeout=190,
                            env={**os.environ, "WSD_BIN": str(BIN)})
    assert result.returncode == 0, result.stdout[-3000:] + result.stderr[-2000:]


class Box:
    """A real systemd in a box of namespaces."""

    def __init__(self, name):
        self.name = name
        self.call("up", "--bind-ro", f"{BIN}:/srv/wsd-bin")

    def call(self, *args, check=True):
        return subprocess.run([str(BOX), "--name", self.name, *args], capture_output=True, text=True, check=check, timeout=120)

    def run(self, *command, check=True):
        result = self.call("run", *command, check=False)
        if check and result.returncode:
            raise AssertionError(f"{command}: {result.returncode}\n{result.stdout}{result.stderr}{self.journal()}")
        return result.stdout

    def journal(self):
        return self.call("run", "journalctl", "-u", "wsd", "--no-pager", "-n", "60", check=False).stdout

    def show(self, key):
        return self.run("systemctl", "show", "wsd", "-p", key, "--value").strip()


@pytest.fixture(scope="module")
def box():
    if not BOX.exists():
        pytest.skip("no systemd-box on this machine (WSD_SHARED)")
    if os.geteuid() != 0:
        pytest.skip("a systemd in a box needs root")
    machine = Box(f"wsd-test-{os.getpid()}")
    try:
        machine.run("mkdir", "-p", "/usr/local/bin", "/etc/wsd")
        for program in ("wsd", "wsctl"):
            machine.run("cp", f"/srv/wsd-bin/{program}", f"/usr/bin/{program}")
        machine.call("put", str(ROOT / "systemd" / "wsd.service"), "/etc/systemd/system/wsd.service")
        machine.run("systemctl", "daemon-reload")
        yield machine
    finally:
        machine.call("down", "--now", check=False)


def test_systemd_start_waits_for_ready_and_status_says_more(box):
    box.run("systemctl", "start", "wsd")
    assert box.show("ActiveState") == "active"
    assert "worker" in box.show("StatusText")
    status = box.run("wsctl", "status")
    assert "ready" in status and "/run/wsd/control.sock" in status


def test_systemd_reload_is_synchronous(box):
    before = box.run("wsctl", "workers", "--json")
    box.run("systemctl", "reload", "wsd")
    assert box.show("ActiveState") == "active"
    assert box.run("wsctl", "workers", "--json") != before


def test_systemd_brings_a_killed_supervisor_back_without_orphans(box):
    pid = box.show("MainPID")
    children = box.run("sh", "-c", f"cat /proc/{pid}/task/*/children").split()
    assert len(children) >= 2
    box.run("kill", "-KILL", pid)
    wait_until(lambda: box.show("MainPID") not in (pid, "0") and box.show("ActiveState") == "active", "restarted", 30)
    wait_until(lambda: not [c for c in children if box.call("run", "test", "-d", f"/proc/{c}", check=False).returncode == 0],
               "children of the killed one gone", 40)


def test_systemd_watchdog_ends_a_hung_supervisor(box):
    pid = box.show("MainPID")
    box.run("kill", "-STOP", pid)
    start = time.monotonic()
    wait_until(lambda: box.show("MainPID") not in (pid, "0") and box.show("ActiveState") == "active", "watchdog restart", 90)
    assert time.monotonic() - start < 80


def test_wsctl_stop_under_systemd_says_that_it_comes_back(box):
    result = box.call("run", "wsctl", "stop", check=False)
    assert "systemctl stop wsd" in result.stdout + result.stderr


def test_systemd_stop_is_clean(box):
    wait_until(lambda: box.show("ActiveState") == "active", "active", 60)
    box.run("systemctl", "stop", "wsd")
    assert box.show("ActiveState") == "inactive" and box.show("Result") == "success", box.journal()
    assert box.call("run", "pgrep", "-x", "wsd", check=False).stdout == ""
