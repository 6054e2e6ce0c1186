"""A real systemd in a box of namespaces (systemd-box), with wsd's package installed in it."""

import atexit
import contextlib
import functools
import json
import os
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path

import pytest

from harness import BIN, ROOT, wait_until

SHARED = Path(os.environ.get("WSD_SHARED", ROOT.parent / "shared"))
BOX = SHARED / "systemd-box"
UNITS = ROOT / "systemd"


@functools.cache
def package(*options, programs=BIN):
    """The Debian package of the programs; made once."""
    folder = tempfile.mkdtemp(prefix="wsd-package-")
    atexit.register(shutil.rmtree, folder, ignore_errors=True)
    made = subprocess.run([ROOT / "scripts" / "package", "--fast", *options, folder], capture_output=True, text=True, timeout=300,
                          stdin=subprocess.DEVNULL, env={**os.environ, "WSD_BIN": str(programs)})
    assert made.returncode == 0, made.stdout + made.stderr
    return Path(made.stdout.splitlines()[-1])


class Box:
    def __init__(self, name, *options):
        if not BOX.exists():
            pytest.skip("no systemd-box on this machine (WSD_SHARED)")
        if os.geteuid() != 0:
            pytest.skip("a systemd in a box needs root")
        self.name = name
        try:
            self.call("up", *options, timeout=300)
            # A container's or a build machine's own, which keeps packages from starting what they bring.
            self.run("rm", "-f", "/usr/sbin/policy-rc.d")
            self.install()
        except BaseException:
            self.down()
            raise

    def install(self):
        self.dpkg("--install", package())
        # The tests begin with nothing running and all addresses, as the program's defaults are.
        self.run("systemctl", "stop", "wsd")
        self.run("rm", "/etc/wsd/wsd.yaml")

    def dpkg(self, action, what):
        """dpkg with a file of this machine, or with a package's name."""
        if Path(what).is_file():
            self.call("put", str(what), "/tmp/wsd.deb")
            what = "/tmp/wsd.deb"
        status, text = self.tried("dpkg", "--force-unsafe-io", action, what)
        assert status == 0, text
        return text

    def call(self, *args, check=True, timeout=120, **options):
        result = subprocess.run([str(BOX), "--name", self.name, *args], capture_output=True, text=True, timeout=timeout,
                                stdin=subprocess.DEVNULL, **options)
        if check and result.returncode:
            raise AssertionError(f"{args}: {result.returncode}\n{result.stdout}{result.stderr}")
        return result

    def run(self, *command, check=True):
        result = self.call("run", *command, check=False)
        if check and result.returncode:
            raise AssertionError(f"{command}: {result.returncode}\n{result.stdout}{result.stderr}{self.journal()}")
        return result.stdout

    def tried(self, *command):
        """The same for what may fail: (exit status, both outputs)."""
        result = self.call("run", *command, check=False)
        return result.returncode, result.stdout + result.stderr

    def net(self, *command, **options):
        """Begins a program of this machine in the box's network."""
        return subprocess.Popen([str(BOX), "--name", self.name, "net", *command], text=True, **options)

    def write(self, path, text, mode="0644", owner="root:wsd"):
        self.run("sh", "-c", 'mkdir -p "${1%/*}" && printf %s "$2" >"$1" && chmod "$3" "$1" && chown "$4" "$1"', "sh", path, text,
                 mode, owner)

    def configure(self, text, unit="wsd"):
        self.write(f"/etc/wsd/{unit.partition('@')[2] or 'wsd'}.yaml", text)

    def drop_in(self, name, text, unit="wsd.service"):
        self.write(f"/etc/systemd/system/{unit}.d/{name}.conf", text)
        self.run("systemctl", "daemon-reload")

    def without_drop_in(self, name, unit="wsd.service"):
        self.run("rm", f"/etc/systemd/system/{unit}.d/{name}.conf")
        self.run("systemctl", "daemon-reload")

    def journal(self, *options, unit="wsd"):
        return self.call("run", "journalctl", "-u", unit, "--no-pager", *(options or ("-n", "60")), check=False).stdout

    def entries(self, *options, unit="wsd"):
        self.run("journalctl", "--sync")
        return [json.loads(line) for line in self.journal("-o", "json", "--all", *options, unit=unit).splitlines()]

    def show(self, key, unit="wsd"):
        return self.run("systemctl", "show", unit, "-p", key, "--value").strip()

    def former(self):
        """Command lines of the processes of wsd whose program was replaced on the disk since they were started."""
        script = 'for p in /proc/[0-9]*; do case $(readlink $p/exe) in */wsd*"(deleted)") tr "\\0" " " <$p/cmdline; echo;; esac; done'
        return self.tried("sh", "-c", script)[1]

    def start(self, unit="wsd"):
        self.run("systemctl", "reset-failed", check=False)
        self.run("systemctl", "start", unit)
        assert self.show("ActiveState", unit) == "active"

    def stop(self, unit="wsd"):
        self.run("systemctl", "stop", unit)
        assert self.show("ActiveState", unit) == "inactive" and self.show("Result", unit) == "success", self.journal(unit=unit)

    def wait_active(self, former="", timeout=60, unit="wsd"):
        """Waits until the unit is active with another main process than the former."""
        wait_until(lambda: self.show("MainPID", unit) not in (former, "0") and self.show("ActiveState", unit) == "active",
                   "active", timeout, 0.1)

    @contextlib.contextmanager
    def knocking(self, port=8080, path="/ws", threads=4):
        """Opens connections without a pause meanwhile; what came of them is in the dictionary afterwards."""
        found = {}
        client = self.net(sys.executable, str(Path(__file__).with_name("knock.py")), str(port), path, str(threads),
                          stdin=subprocess.PIPE, stdout=subprocess.PIPE)
        try:
            assert client.stdout.readline() == "knocking\n"
            yield found
            found.update(json.loads(client.communicate(timeout=90)[0]))
        finally:
            client.kill()
            client.wait(10)

    @contextlib.contextmanager
    def holding(self, number, port=8080):
        """Holds connections until they are closed meanwhile; the close codes with their numbers are in the dictionary afterwards."""
        codes = {}
        client = self.net(sys.executable, str(Path(__file__).with_name("hold.py")), str(port), str(number), stdin=subprocess.DEVNULL,
                          stdout=subprocess.PIPE)
        try:
            assert client.stdout.readline() == "holding\n"
            yield codes
            codes.update(json.loads(client.communicate(timeout=60)[0]))
        finally:
            client.kill()
            client.wait(10)

    def installed(self):
        """Has the package, whatever a test has done to it."""
        if self.tried("test", "-x", "/usr/bin/wsd")[0] != 0:
            self.install()

    def down(self):
        with contextlib.suppress(subprocess.SubprocessError):
            self.call("down", "--now", check=False)


def newer_box(name):
    """With the systemd of the distribution's backports."""
    try:
        return Box(name, "--systemd", "backports")
    except AssertionError as error:
        if "cannot download" in str(error) or "apt has no source" in str(error):
            pytest.skip(f"no newer systemd to be had: {error}")
        raise


SYSTEMDS = ["this systemd", "newer systemd"]


@functools.cache
def shared_box(systemd):
    """One of these for all files of tests; it goes with the run."""
    name = f"wsd-test-{os.getpid()}-{systemd.split()[0]}"
    machine = Box(name) if systemd == "this systemd" else newer_box(name)
    atexit.register(machine.down)
    return machine
