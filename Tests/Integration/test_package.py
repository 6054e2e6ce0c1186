"""The Debian package and `wsctl install-service` under a real systemd. Skipped, saying so, without systemd-box."""

import json
import os
import re
import shutil
import subprocess

import pytest

from harness import BIN, ROOT, wait_until
from systemdbox import Box, package

LATER = ("--suffix", "later")


class BareBox(Box):
    """A systemd without wsd."""

    def install(self):
        self.run("mkdir", "-p", "/usr/local/bin")


@pytest.fixture(scope="module")
def box():
    machine = BareBox(f"wsd-package-{os.getpid()}")
    yield machine
    machine.down()


@pytest.fixture
def installed(box):
    box.dpkg("--install", package())
    yield box
    box.run("rm", "-rf", "/etc/wsd/chat.yaml")
    box.run("systemctl", "disable", "--now", "wsd.socket", "wsd@chat", check=False)
    box.dpkg("--purge", "wsd")


def version(box):
    return box.run("dpkg-query", "-W", "-f", "${Version}", "wsd")


def listening(box):
    return sorted(line.split()[3] for line in box.run("ss", "-Hltn").splitlines())


def pid(box, unit="wsd"):
    return box.show("MainPID", unit)


# Files of wsd wherever they are, but what the tests bring.
FILES = r"""find /etc /var/lib /var/log /run /usr -xdev \( -path /var/lib/dpkg -o -path /var/log/journal -o -path /run/systemd \) -prune \
    -o \( -name '*wsd*' -o -name '*wsctl*' \) -print | grep -v -e -box -e ^/usr/local/bin/"""


def files(box):
    return set(box.tried("sh", "-c", FILES)[1].split())


def test_lintian_finds_nothing(tmp_path):
    if shutil.which("lintian") is None:
        pytest.skip("lintian is not installed; scripts/package --lint installs it")
    made = subprocess.run([ROOT / "scripts" / "package", "--fast", "--lint", tmp_path], capture_output=True, text=True, timeout=300,
                          stdin=subprocess.DEVNULL, env={**os.environ, "WSD_BIN": str(BIN)})
    assert made.returncode == 0, made.stdout + made.stderr
    assert re.search(r"^[EW]: ", made.stdout + made.stderr, re.MULTILINE) is None


def test_the_package_has_what_belongs_into_it():
    def told(*query):
        return subprocess.run(["dpkg-deb", *query], capture_output=True, text=True, check=True).stdout

    program = subprocess.run([BIN / "wsd", "--version"], capture_output=True, text=True, check=True).stdout.strip()
    assert told("-f", str(package()), "Version").strip() == program.replace("-", "~")
    assert told("-f", str(package(*LATER)), "Version").strip() == program.replace("-", "~") + "+later"
    assert "libsqlite3-0" in told("-f", str(package()), "Depends")
    lines = told("-c", str(package())).splitlines()
    names = {line.split()[5].removeprefix(".") for line in lines}
    assert {line.split()[1] for line in lines} == {"root/root"}
    doc, share = "/usr/share/doc/wsd", "/usr/share"
    assert {
        "/usr/bin/wsd", "/usr/bin/wsctl", "/etc/wsd/wsd.yaml", "/usr/lib/sysusers.d/wsd.conf", "/usr/lib/tmpfiles.d/wsd.conf",
        "/usr/lib/systemd/user/wsd.service", f"{share}/man/man8/wsd.8.gz", f"{share}/man/man1/wsctl.1.gz",
        f"{share}/man/man5/wsd.yaml.5.gz", f"{share}/bash-completion/completions/wsctl", f"{share}/zsh/vendor-completions/_wsctl",
        f"{share}/fish/vendor_completions.d/wsctl.fish", f"{doc}/copyright", f"{doc}/changelog.gz", f"{doc}/docs/operations.md",
        f"{doc}/examples/deploy/nginx.conf", f"{doc}/examples/drop-ins/jit.conf", f"{doc}/examples/drop-ins/programs.conf",
        f"{doc}/examples/wsd.example.yaml",
    } <= names
    assert {name.rpartition("/")[2] for name in names if "/systemd/system/wsd" in name} == {"wsd.service", "wsd@.service", "wsd.socket"}


def test_the_changelog_begins_with_the_programs_version():
    program = re.search(r'current = "(.*)"', (ROOT / "Sources/Model/WsdVersion.swift").read_text())[1]
    assert (ROOT / "debian/changelog").read_text().startswith(f"wsd ({program.replace('-', '~')}) ")


def test_a_new_installation_serves_this_machine_alone(installed):
    assert installed.show("ActiveState") == "active" and installed.show("UnitFileState") == "enabled"
    assert installed.show("UnitFileState", "wsd.socket") == "disabled"
    assert listening(installed) == ["127.0.0.1:8080"]
    assert "ok" in installed.run("wsctl", "status").splitlines()[0]
    assert installed.run("stat", "-c", "%a %U", "/etc/wsd", "/etc/wsd/wsd.yaml").split("\n")[:2] == ["755 root", "644 root"]
    # The whole example, of which one setting counts.
    own = json.loads(installed.run("wsctl", "config", "--json"))
    assert [entry["key"] for entry in own if "wsd.yaml" in entry["source"]] == ["listen"], own


def test_an_upgrade_refuses_nobody_and_keeps_the_configuration(installed):
    installed.configure('listen: ["127.0.0.1:8080"]\nworkers: { count: 1 }\n')
    installed.configure("listen: 9001\n", "wsd@chat")
    installed.run("systemctl", "restart", "wsd")
    installed.start("wsd@chat")
    former = {unit: pid(installed, unit) for unit in ("wsd", "wsd@chat")}
    with installed.knocking() as found, installed.knocking(9001) as chat, installed.holding(50) as codes:
        installed.dpkg("--install", package(*LATER))
        assert installed.show("ActiveState") == installed.show("ActiveState", "wsd@chat") == "active"
    assert version(installed).endswith("+later")
    for unit, number in former.items():
        assert pid(installed, unit) == number, f"{unit} was restarted"
        # The program that is on the disk.
        assert installed.run("readlink", f"/proc/{number}/exe").strip() == "/usr/bin/wsd"
        assert installed.show("NRestarts", unit) == "0"
    assert installed.former() == ""
    for knocked in (found, chat):
        assert knocked["refused"] == 0 and knocked["other"] == {} and knocked["opened"] > 20, knocked
        assert knocked["p99"] <= 2 + 2, knocked
    assert codes == {"1012": 50}
    assert installed.run("cat", "/etc/wsd/wsd.yaml").endswith("workers: { count: 1 }\n")


def test_an_upgrade_of_an_activated_service_refuses_nobody(installed):
    installed.run("systemctl", "disable", "--now", "wsd")
    installed.run("systemctl", "enable", "--now", "wsd.socket")
    with installed.knocking() as found:
        installed.wait_active()
        number = pid(installed)
        installed.dpkg("--install", package(*LATER))
        assert pid(installed) == number and installed.former() == ""
    assert found["refused"] == 0 and found["other"] == {} and found["opened"] > 20, found
    assert installed.show("UnitFileState") == "disabled" and installed.show("UnitFileState", "wsd.socket") == "enabled"


def test_an_upgrade_does_not_start_what_the_operator_has_switched_off(installed):
    installed.run("systemctl", "disable", "--now", "wsd")
    installed.dpkg("--install", package(*LATER))
    assert installed.show("ActiveState") == "inactive" and installed.show("UnitFileState") == "disabled"


def test_an_upgrade_restarts_what_it_cannot_take_over(installed):
    installed.drop_in("elsewhere", "[Service]\nEnvironment=WSD_SOCKET=/run/wsd/elsewhere.sock\n")
    installed.run("systemctl", "restart", "wsd")
    number = pid(installed)
    with installed.knocking() as found:
        said = installed.dpkg("--install", package(*LATER))
        installed.wait_active(number)
    assert "wsd: wsd.service is restarted, as the new program could not take it over: wsd is not running (no control socket at" in said
    assert found["refused"] == 0 and found["other"] == {} and found["opened"] > 20, found
    installed.without_drop_in("elsewhere")


def test_an_upgrade_leaves_a_service_alone_whose_configuration_is_not_taken(installed):
    number = pid(installed)
    installed.configure("workers: { count: nonsense }\n")
    said = installed.dpkg("--install", package(*LATER))
    assert "wsd: wsd.service goes on with the former program, and a restart would stop it: upgrade failed in " in said
    assert pid(installed) == number and installed.former() != ""
    assert "ok" in installed.run("wsctl", "status").splitlines()[0]
    installed.configure('listen: ["127.0.0.1:8080"]\n')
    assert f", pid {number}, nothing was stopped (" in installed.run("wsctl", "upgrade", "--all")
    assert pid(installed) == number and installed.former() == ""


def test_an_upgrade_asks_the_machines_policy(installed):
    number = pid(installed)
    installed.write("/usr/sbin/policy-rc.d", "#!/bin/sh\nexit 101\n", mode="0755", owner="root:root")
    installed.dpkg("--install", package(*LATER))
    installed.run("rm", "/usr/sbin/policy-rc.d")
    assert pid(installed) == number and installed.former() != ""


def test_removal_of_a_service_that_does_not_start_leaves_nothing(installed):
    installed.configure("workers: { count: nonsense }\n")
    installed.tried("systemctl", "restart", "wsd")
    installed.dpkg("--remove", "wsd")
    assert {f for f in files(installed) if f.startswith("/run/")} == set()


def test_install_service_leaves_the_packages_service_alone(installed):
    status, text = installed.tried("wsctl", "install-service")
    assert status == 2 and "The package wsd is installed" in text
    status, text = installed.tried("wsctl", "install-service", "--uninstall", "--purge")
    assert status == 2 and "apt purge wsd" in text
    assert installed.show("ActiveState") == "active"


@pytest.fixture
def copied(box):
    """The programs alone, as on another distribution."""
    for program in ("wsd", "wsctl"):
        box.call("put", str(BIN / program), f"/usr/local/bin/{program}")
    box.run("userdel", "wsd", check=False)
    before = files(box)
    yield box
    box.run("/usr/local/bin/wsctl", "install-service", "--uninstall", "--purge", check=False)
    box.run("rm", "-f", "/usr/local/bin/wsd", "/usr/local/bin/wsctl")
    assert files(box) == before


def test_install_service_and_its_removal(copied):
    wsctl = "/usr/local/bin/wsctl"
    before = files(copied)
    assert "write /etc/systemd/system/wsd.service" in copied.run(wsctl, "install-service", "--dry-run")
    assert files(copied) == before
    status, text = copied.tried("runuser", "-u", "nobody", "--", wsctl, "install-service")
    assert status == 4 and "sudo wsctl install-service" in text

    said = copied.run(wsctl, "install-service")
    assert "  write /etc/wsd/wsd.yaml\n" in said and "sudo wsctl status" in said
    assert copied.show("ActiveState") == "active" and copied.show("UnitFileState") == "enabled"
    assert copied.show("FragmentPath") == "/etc/systemd/system/wsd.service"
    assert listening(copied) == ["127.0.0.1:8080"]
    number = pid(copied)
    assert copied.run("stat", "-c", "%U", f"/proc/{number}").strip() == "wsd"
    assert copied.run("readlink", f"/proc/{number}/exe").strip() == "/usr/local/bin/wsd"

    # Again: all is there.
    said = copied.run(wsctl, "install-service")
    assert "write" not in said and pid(copied) == number
    # New programs in the place of the old ones.
    with copied.knocking() as found:
        copied.run("systemctl", "reload", "wsd")
        copied.call("put", str(BIN / "wsd"), "/usr/local/bin/wsd")
        said = copied.run(wsctl, "install-service")
        assert f"run {wsctl} --socket /run/wsd/control.sock upgrade --all\n" in said
        assert f", pid {number}, nothing was stopped (" in said and pid(copied) == number
        assert copied.former() == "" and "upgrade" not in copied.run(wsctl, "install-service")
        copied.run("systemctl", "restart", "wsd")
    assert found["refused"] == 0 and found["other"] == {} and found["opened"] > 20, found

    copied.configure("listen: 9001\nrooms: { defaults: { historySize: 5 } }\n", "wsd@chat")
    copied.run("systemctl", "enable", "--now", "wsd@chat")
    copied.run(wsctl, "--socket", "/run/wsd-chat/control.sock", "publish", "room", "1")
    said = copied.run(wsctl, "install-service", "--uninstall")
    assert "Kept: /etc/wsd" in said
    assert copied.tried("pgrep", "-u", "wsd")[1] == "" and listening(copied) == []
    assert {f for f in files(copied) if f.startswith(("/etc/systemd", "/etc/sysusers.d", "/run"))} == set()
    assert copied.run("ls", "/etc/wsd").split() == ["chat.yaml", "wsd.yaml"]
    assert copied.tried(wsctl, "install-service", "--uninstall")[0] == 2

    copied.run("rm", "/etc/wsd/chat.yaml")
    copied.run(wsctl, "install-service", "--uninstall", "--purge")
    assert files(copied) == before
    assert copied.tried("getent", "passwd", "wsd")[0] == 2


def test_install_service_says_that_it_did_not_start(copied):
    copied.write("/etc/wsd/wsd.yaml", "workers: { count: nonsense }\n", owner="root:root")
    status, text = copied.tried("/usr/local/bin/wsctl", "install-service")
    assert status == 1 and "journalctl -u wsd -n 30" in text
    assert "nonsense" in copied.journal()


def test_install_service_refuses_programs_in_a_home(copied):
    copied.run("sh", "-c", "mkdir -p /home/wsd-copy && cp /usr/local/bin/ws* /home/wsd-copy/")
    status, text = copied.tried("/home/wsd-copy/wsctl", "install-service")
    assert status == 2 and "sudo install /home/wsd-copy/wsd /home/wsd-copy/wsctl /usr/local/bin/" in text
    copied.run("rm", "-r", "/home/wsd-copy")


def test_install_service_for_one_user(copied):
    copied.run("useradd", "--create-home", "grace")
    number = copied.run("id", "-u", "grace").strip()
    copied.run("systemctl", "start", f"user-runtime-dir@{number}", f"user@{number}")
    copied.run("sh", "-c", "mkdir /home/grace/wsd && cp /usr/local/bin/ws* /home/grace/wsd/")

    def grace(*command):
        return copied.run("runuser", "-u", "grace", "--", "env", f"XDG_RUNTIME_DIR=/run/user/{number}", "HOME=/home/grace", *command)

    said = grace("/home/grace/wsd/wsctl", "install-service", "--user")
    assert "loginctl enable-linger" in said
    assert f"/run/user/{number}/wsd/control.sock" in grace("/home/grace/wsd/wsctl", "status")
    assert listening(copied) == ["127.0.0.1:8080"]
    grace("systemctl", "--user", "reload", "wsd")
    grace("/home/grace/wsd/wsctl", "install-service", "--user", "--uninstall", "--purge")
    wait_until(lambda: listening(copied) == [], "an end", 20, 0.1)
    assert copied.run("find", "/home/grace", "-name", "*wsd*", "-not", "-path", "/home/grace/wsd*") == ""
    copied.run("systemctl", "stop", f"user@{number}")
    copied.run("userdel", "--remove", "grace", check=False)
