"""wsd as process 1 of a container."""

import json
import os
import re
import signal
import subprocess
import time
from pathlib import Path

import pytest

from container import BASE, DOCKERFILE, Container, image, instructions, obstacle, packages
from harness import BIN, ROOT, Client, Wsd, alive, run, wait_until

needs_namespaces = pytest.mark.skipif(obstacle() is not None, reason=str(obstacle()))


def status(container):
    return json.loads(container.run("wsctl", "status", "--json").stdout)


def port(container):
    return int(status(container)["addresses"][0].rpartition(":")[2].rstrip("/"))


@pytest.fixture(scope="module")
def container():
    with Container("--listen", "127.0.0.1:0", "--workers", "2") as running:
        yield running


# -- the Dockerfile itself

def test_the_image_is_what_a_service_needs():
    stage = image()
    assert stage["base"] == "debian:bookworm-slim"
    assert json.loads(stage["entrypoint"]) == ["wsd", "--prod"]
    uid, _, gid = stage["user"].partition(":")
    assert int(uid) > 0 and int(gid) > 0
    assert all(f"--uid {uid}" in run or "useradd" not in run for run in stage["run"])
    assert stage["stopsignal"] == "SIGTERM"
    assert stage["volume"] == stage["env"]["STATE_DIRECTORY"] == stage["workdir"]
    # The one port is what --prod listens on.
    config = subprocess.run([BIN / "wsd", "--prod", "--config", "/dev/null", "--print-config"], capture_output=True, text=True,
                            env={"PATH": os.environ["PATH"]}).stdout
    assert re.search(rf'^listen: \[":{stage["expose"]}"\]', config, re.MULTILINE), config
    assert re.search(r"CMD wsctl status \|\| exit 1$", stage["healthcheck"])
    heroku = image("heroku")
    assert "entrypoint" not in heroku and heroku["cmd"] == "exec wsd --prod" and heroku["user"] == stage["user"]


def test_every_library_is_in_a_package_of_the_image():
    known = {*BASE, *packages(image())}
    for program in ("wsd", "wsctl"):
        listing = subprocess.run(["ldd", BIN / program], capture_output=True, text=True, check=True).stdout
        for library in re.findall(r"(?:=> |^\s)(/\S+)", listing, re.MULTILINE):
            # Debian's packages name their files in /lib or in /usr/lib.
            real = os.path.realpath(library)
            names = [library, real, real.removeprefix("/usr"), re.sub(r"^/usr", "", library)]
            owners = [subprocess.run(["dpkg-query", "-S", name], capture_output=True, text=True).stdout for name in names]
            owner = next((text.partition(":")[0] for text in owners if text), None)
            assert owner in known, (program, library, owner)


def test_the_build_gets_what_it_needs():
    copied = [rest for name, rest in instructions(DOCKERFILE.read_text()) if name == "COPY"]
    assert ". ." in copied
    ignored = [line for line in (ROOT / ".dockerignore").read_text().splitlines() if line and not line.startswith("#")]
    # Every folder that the manifest, or a file that the compiler embeds, names is sent to the build.
    needed = {"Sources", "Tests", "Package.swift"}
    for source in (ROOT / "Sources").rglob("*.c"):
        for path in re.findall(r'^#embed "([^"]+)"', source.read_text(), re.MULTILINE):
            file = (source.parent / path).resolve()
            assert file.is_file(), (source, path)
            needed.add(str(file.relative_to(ROOT)).split("/")[0])
    for path in re.findall(r'path: "([^"]+)"', (ROOT / "Package.swift").read_text()):
        needed.add(path.split("/")[0])
    assert {"client", "pages"} <= needed
    for name in needed:
        assert name not in ignored and (ROOT / name).exists(), name
    # The same way of building as everywhere.
    lib = (ROOT / "scripts" / "lib.sh").read_text()
    build = "swift build -c release --static-swift-stdlib -Xlinker -s"
    assert build in lib and build in DOCKERFILE.read_text()
    for package in ("pkg-config", "zlib1g-dev", "libsqlite3-dev"):
        assert package in lib and package in DOCKERFILE.read_text()


# -- a running one

@needs_namespaces
def test_it_is_process_1_unprivileged_on_a_read_only_root(container):
    facts = dict(line.split(":\t", 1) for line in Path(f"/proc/{container.pid}/status").read_text().splitlines() if ":\t" in line)
    assert facts["NSpid"].split()[1:] == ["1"]
    assert facts["Uid"].split() == ["10001"] * 4 and facts["Groups"].strip() == ""
    tried = container.run("/bin/sh", "-c", "touch /etc/x /usr/bin/x /tmp/x", user="0:0")
    assert tried.stderr.count("Read-only file system") == 3, tried
    assert container.health().returncode == 0
    shown = status(container)
    assert shown["health"] == "ok" and shown["pid"] == 1, shown
    # Somebody who came with docker exec as root finds it, too.
    assert container.run("wsctl", "status", user="0:0").returncode == 0


@needs_namespaces
def test_orphans_are_reaped(container):
    own = ["wsd-hub", "wsd-worker-1", "wsd-worker-2"]
    assert sorted(name for _, name, _ in container.children()) == own
    # A child whose parent ends at once comes to process 1; it is seen there, and then is gone wholly.
    container.run("/bin/sh", "-c", "(sleep 0.5 >/dev/null 2>&1 &)")
    wait_until(lambda: "sleep" in [name for _, name, _ in container.children()], "the orphan", 5, 0.005)
    wait_until(lambda: "sleep" not in [name for _, name, _ in container.children()], "its end, without a zombie", 5)
    # Many at once, and a worker that is killed among them: its end is told, and nobody else's is taken for it.
    container.run("/bin/sh", "-c", "i=0; while [ $i -lt 200 ]; do (sleep 0.2 >/dev/null 2>&1 &); i=$((i+1)); done")
    worker = next(p for p in status(container)["processes"] if p.get("worker") == 2)
    assert container.run("/bin/sh", "-c", f"kill -KILL {worker['pid']}").returncode == 0
    wait_until(lambda: sorted(name for _, name, _ in container.children()) == own and not container.children("Z"), "none left", 10)
    shown = wait_until(lambda: (s := status(container))["health"] == "ok" and s, "health", 10)
    ends = {p["name"]: p.get("lastExit") for p in shown["processes"]}
    assert "SIGKILL" in ends["worker 2"] and not ends["worker 1"] and not ends["hub"], ends
    assert shown["totals"]["restarts"] == 1, shown["totals"]


@needs_namespaces
def test_health_fails_while_it_hangs():
    with Container("--listen", "127.0.0.1:0", "--workers", "1") as container:
        container.signal(signal.SIGSTOP)
        hung = container.health()
        assert hung.returncode == 1 and hung.stderr, hung
        container.signal(signal.SIGCONT)
        wait_until(lambda: container.health().returncode == 0, "healthy again", 10)
        # Nor while it stops.
        container.signal(signal.SIGTERM)
        wait_until(lambda: container.process.poll() is not None or container.health().returncode != 0, "unhealthy", 5)
        assert container.wait(20) == 0


@needs_namespaces
def test_stop_closes_clients_with_1001_in_time():
    with Container("--listen", "127.0.0.1:0", "--workers", "2") as container:
        at = port(container)

        async def stop():
            clients = [await Client.connect(f"ws://127.0.0.1:{at}/ws") for _ in range(40)]
            # docker stop: STOPSIGNAL to process 1, which has no default actions to fall back on.
            container.signal(getattr(signal, container.stage["stopsignal"]))
            return [await client.closed() for client in clients]

        pids = [pid for pid, _, _ in container.children()]
        start = time.monotonic()
        codes = run(stop())
        assert {code for code, _ in codes} == {1001}, codes
        assert container.wait(20) == 0
        # The drain takes shutdown.drainSpread (2 s); docker stop waits 10.
        assert time.monotonic() - start < 8
        assert not [pid for pid in pids if alive(pid)]


@needs_namespaces
def test_other_signals_do_nothing_to_process_1():
    with Container("--listen", "127.0.0.1:0", "--workers", "1") as container:
        for number in (signal.SIGUSR2, signal.SIGALRM, signal.SIGWINCH, signal.SIGCHLD):
            container.run("/bin/sh", "-c", f"kill -{int(number)} 1")
        assert container.health().returncode == 0
        children = container.children()
        # From within, process 1 cannot be killed (pid_namespaces(7)); SIGTERM it takes.
        container.run("/bin/sh", "-c", "kill -KILL 1")
        assert container.health().returncode == 0 and container.children() == children
        container.run("/bin/sh", "-c", "kill -TERM 1")
        assert container.wait(20) == 0


@needs_namespaces
def test_a_platform_may_choose_the_user_and_starts_by_a_shell():
    with Container(target="heroku", env={"PORT": "0"}, user="4711:4711") as container:
        assert container.stage.get("entrypoint") is None
        shown = status(container)
        assert shown["pid"] == 1 and shown["health"] == "ok"
        container.signal(signal.SIGTERM)
        assert container.wait(20) == 0


# -- what a process inherits without a container

def test_children_that_were_there_before_are_reaped():
    # exec in a script: the background job becomes wsd's child.
    prefix = ("sh", "-c", 'sleep 0.5 & exec "$@"', "sh")
    with Wsd(workers=1, prefix=prefix) as service:
        def children():
            return {int(pid) for pid in Path(f"/proc/{service.pid}/task/{service.pid}/children").read_text().split()}

        own = {p["pid"] for p in service.status()["processes"]} - {service.pid}
        wait_until(lambda: children() == own, "no zombie", 5)
        assert service.status()["health"] == "ok"


def test_an_ignored_sigchld_is_not_inherited():
    # A parent that ignores it has its children's children reaped by the kernel: how a worker ended would be lost.
    with Wsd(workers=1, preexec=lambda: signal.signal(signal.SIGCHLD, signal.SIG_IGN)) as service:
        pid = service.worker(1)["pid"]
        os.kill(pid, signal.SIGKILL)
        wait_until(lambda: (w := service.worker(1))["state"] == "ready" and w["pid"] != pid, "a successor")
        assert "SIGKILL" in service.worker(1)["lastExit"], service.worker(1)
