"""Starting, addresses, configuration, stopping."""

import json
import os
import pty
import re
import shutil
import signal
import subprocess
import time
from pathlib import Path

import pytest

from harness import BIN, Client, Wsd, alive, process_tree, run, wait_until


def wsd_once(*args, env=None, **options):
    return subprocess.run([str(BIN / "wsd"), *args], capture_output=True, text=True, timeout=30, stdin=subprocess.DEVNULL,
                          env={"PATH": os.environ["PATH"], **(env or {})}, **options)


def test_starts_and_says_where(wsd):
    status = wsd.status()
    assert status["health"] == "ok", status
    assert [p["state"] for p in wsd.processes()] == ["ready", "ready"]
    # The banner's last line is the address to open; the log goes on after it.
    banner = wait_until(lambda: "is ready" in wsd.output() and wsd.output(), "the banner")
    assert re.search(rf"^ *http://127\.0\.0\.1:{wsd.port}/$", banner, re.MULTILINE), banner


def test_its_processes_have_names(wsd):
    names = {process["name"]: Path(f"/proc/{process['pid']}/comm").read_text().strip() for process in wsd.status()["processes"]}
    assert names == {"supervisor": "wsd", "hub": "wsd-hub", **{f"worker {n}": f"wsd-worker-{n}" for n in range(1, len(names) - 1)}}


def test_needs_no_library_that_a_plain_machine_lacks():
    # libsqlite3 and libz are Debian's libsqlite3-0 and zlib1g.
    allowed = {"libc", "libm", "libgcc_s", "libstdc++", "libsqlite3", "libz", "ld-linux-x86-64", "ld-linux-aarch64", "linux-vdso"}
    for program in ("wsd", "wsctl"):
        listing = subprocess.run(["readelf", "-d", str(BIN / program)], capture_output=True, text=True, check=True).stdout
        needed = re.findall(r"NEEDED.*\[([^\].]+)\.so", listing)
        assert needed and set(needed) <= allowed, needed
        assert "not found" not in subprocess.run(["ldd", str(BIN / program)], capture_output=True, text=True).stdout


def test_second_service_on_the_same_port_names_the_first(wsd):
    second = Wsd(workers=1, listen=f"127.0.0.1:{wsd.port}", ready=False)
    try:
        assert second.wait(20) == 69
        assert str(wsd.pid) in second.output(), second.output()
        assert str(wsd.port) in second.output()
    finally:
        second.close()


def test_second_service_on_the_same_control_socket_names_the_first(wsd):
    result = wsd_once("--socket", str(wsd.control), "--listen", "127.0.0.1:0", env={"TMPDIR": str(wsd.directory)},
                      cwd=wsd.directory)
    assert result.returncode == 69, result.stderr
    assert str(wsd.pid) in result.stderr
    assert wsd.status()["health"] == "ok"


def test_bad_configuration_is_explained(tmp_path):
    file = tmp_path / "wsd.yaml"
    file.write_text("workers:\n  cuont: 4\nshutdown:\n  timeout: soon\n")
    for args in ([], ["--check-config"]):
        result = wsd_once("--config", str(file), *args)
        assert result.returncode == 78, result
        assert "wsd.yaml:2:3" in result.stderr and "workers.count" in result.stderr, result.stderr
        assert "wsd.yaml:4" in result.stderr and "shutdown.timeout" in result.stderr, result.stderr
    file.write_text("workers:\n  count: 4\n")
    assert wsd_once("--config", str(file), "--check-config").returncode == 0


def test_what_the_configuration_names_is_checked_as_a_start_would_find_it(tmp_path):
    state, keys = tmp_path / "no" / "state", tmp_path / "keys.json"
    keys.write_text('{"keys": [{"kty": "RSA", "n": "AQAB", "e": "AQAB", "kid": "short"}]}')
    (tmp_path / "secret").write_text("0123456789" * 4)
    (tmp_path / "pem").write_text("-----BEGIN PUBLIC KEY-----\nAAAA\n-----END PUBLIC KEY-----\n")
    (tmp_path / "no").write_text("a file where a folder has to be")
    faults = {
        f"history:\n  directory: {state}\nrooms:\n  defaults:\n    historySize: 5\n": f"The history directory {state} cannot be used: Not a directory.",
        f"auth:\n  jwksFile: {keys}\n": f"{keys} (auth.jwksFile): the key short cannot be used",
        f"auth:\n  publicKeyFile: {tmp_path}/pem\n": f"{tmp_path}/pem (auth.publicKeyFile) is no PEM file of an RSA",
        "control:\n  group: nobody-has-this-group\n": "control.group: there is no group “nobody-has-this-group”",
    }
    file = tmp_path / "wsd.yaml"
    for text, sentence in faults.items():
        file.write_text(text)
        checked = wsd_once("--config", str(file), "--check-config")
        assert checked.returncode == 78 and checked.stderr.startswith(sentence) and not checked.stdout, checked
        assert checked.stderr.count("\n") == 1, checked.stderr
        said = checked.stderr.strip().removesuffix(".")
        if "group" in text:
            assert said in wsd_once("--config", str(file), "--listen", "127.0.0.1:0").stderr
            continue
        with Wsd(workers=1, config=text, ready=False) as service:
            wait_until(lambda: said in service.output(), said)
    # What would be made at the start is not made by the check.
    (tmp_path / "no").unlink()
    file.write_text(f"history:\n  directory: {state}\nrooms:\n  defaults:\n    historySize: 5\n"
                    f"webhooks:\n  secretFile: {tmp_path}/secret\n  rpc:\n    url: http://127.0.0.1:9/\n")
    checked = wsd_once("--config", str(file), "--check-config")
    assert checked.returncode == 0 and checked.stdout.startswith("ok: ") and not state.parent.exists(), checked


def test_wrong_flag_is_a_usage_error():
    assert wsd_once("--wrokers", "3").returncode == 64


def test_roles_explain_themselves_when_typed_by_hand():
    for role in ("hub", "worker"):
        result = wsd_once(role)
        assert result.returncode == 64 and "wsd" in result.stderr, result


def test_port_of_a_platform_means_all_addresses(tmp_path):
    with Wsd(workers=1, listen=None, env={"PORT": "0"}) as service:
        sockets = subprocess.run(["ss", "-Hltnp"], capture_output=True, text=True).stdout
        mine = [line for line in sockets.splitlines() if f"pid={service.pid}," in line]
        assert mine and all(re.search(r"(\*|\[::\]|0\.0\.0\.0):\d+", line) for line in mine), sockets


def test_sigterm_closes_clients_with_1001_and_leaves_nothing():
    with Wsd(workers=2) as service:
        async def clients():
            pages = [await Client.connect(service.url()) for _ in range(20)]
            service.signal(signal.SIGTERM)
            return [await page.closed() for page in pages]

        tree = process_tree(service.pid)
        codes = run(clients())
        assert service.wait() == 0
        assert {code for code, _ in codes} == {1001}, codes
        assert not [pid for pid in tree if alive(pid)]
        assert "STOPPING=1" in service.notifications.drain()
        assert not service.control.exists()


def test_second_signal_hurries():
    with Wsd(workers=1, config="shutdown:\n  lameDuck: 60s\n  timeout: 60s\n") as service:
        service.signal(signal.SIGTERM)
        service.notifications.wait_for("STOPPING=1")
        # What comes within a second is the same request: some platforms send it several times.
        for _ in range(3):
            service.signal(signal.SIGTERM)
        with pytest.raises(subprocess.TimeoutExpired):
            service.wait(1.2)
        start = time.monotonic()
        service.signal(signal.SIGTERM)
        assert service.wait(20) == 0
        assert time.monotonic() - start < 10


def test_lame_duck_is_not_ready_but_accepts():
    with Wsd(workers=1, config="shutdown:\n  lameDuck: 3s\n") as service:
        base = f"http://127.0.0.1:{service.port}"
        service.signal(signal.SIGTERM)
        service.notifications.wait_for("STOPPING=1")
        code = wait_until(lambda: (c := subprocess.run(["curl", "-s", "-o", "/dev/null", "-w", "%{http_code}", base + "/readyz"],
                                                       capture_output=True, text=True).stdout) == "503" and c, "readyz 503", 2)
        assert code == "503"

        async def still_accepted():
            client = await Client.connect(service.url())
            return await client.closed()

        assert run(still_accepted())[0] == 1001
        assert service.wait() == 0


def start_on_terminal(directory, service_args):
    """Runs wsd as a shell on a terminal would: a session of its own with a controlling terminal."""
    pid, terminal = pty.fork()
    if pid == 0:
        os.chdir(directory)
        os.execve(str(BIN / "wsd"), ["wsd", *service_args], {"PATH": os.environ["PATH"], "TMPDIR": str(directory),
                                                            "NOTIFY_SOCKET": str(directory / "notify.sock"), "TERM": "xterm"})
    return pid, terminal


@pytest.mark.parametrize("how", ["ctrl-c", "hangup"])
def test_terminal(how, tmp_path):
    """Ctrl-C reaches the supervisor alone and every client sees 1001; a closing terminal stops the service as well."""
    with Wsd(workers=0) as helper:  # lends its directory, notification socket and wsctl calls
        helper.process.terminate()
        helper.wait()
        helper.notifications.forget()
        pid, terminal = start_on_terminal(helper.directory, ["--listen", "127.0.0.1:0", "--workers", "2", "--socket",
                                                             str(helper.control), "--config", str(helper.config_file)])
        tree = []
        try:
            helper.notifications.wait_for("READY=1")
            tree = process_tree(pid)
            assert len(tree) == 3

            async def clients():
                pages = [await Client.connect(helper.url()) for _ in range(10)]
                if how == "ctrl-c":
                    os.write(terminal, b"\x03")
                else:
                    os.close(terminal)
                return [await page.closed() for page in pages]

            assert {code for code, _ in run(clients())} == {1001}
            _, wait_status = os.waitpid(pid, 0)
            assert os.waitstatus_to_exitcode(wait_status) == 0
            wait_until(lambda: not any(alive(child) for child in tree), "no child left")
        finally:
            for process in [*tree, pid]:
                if alive(process):
                    os.kill(process, signal.SIGKILL)


def test_supervisor_killed_leaves_no_orphan():
    with Wsd(workers=2, config="reload:\n  drainSpread: 1s\n  drainTimeout: 2s\n") as service:
        tree = process_tree(service.pid)
        assert len(tree) == 3

        async def clients():
            pages = [await Client.connect(service.url()) for _ in range(10)]
            os.kill(service.pid, signal.SIGKILL)
            return [await page.closed() for page in pages]

        codes = run(clients())
        assert {code for code, _ in codes} == {1012}, codes
        wait_until(lambda: not any(alive(pid) for pid in tree), "children gone", 15)


def test_a_service_that_starts_while_a_killed_one_still_drains_is_soon_whole(tmp_path):
    """Its workers do not find the old hub, which would stay for them and keep the history."""
    config = 'reload:\n  drainSpread: 1s\n  drainTimeout: 2s\nrooms:\n  rules:\n    - match: "kept:*"\n      historySize: 10\n'
    with Wsd(workers=2, config=config, directory=tmp_path) as killed:

        async def clients():
            pages = [await Client.connect(killed.url()) for _ in range(10)]
            os.kill(killed.pid, signal.SIGKILL)
            killed.process.wait(10)
            with Wsd(workers=2, config=config, directory=tmp_path) as service:
                client = await Client.connect(service.url())
                await client.join("kept:lobby")
            for page in pages:
                await page.closed()

        run(clients())


def test_binary_replaced_on_disk(tmp_path):
    """A successor runs the supervisor's own image, not what lies on disk by then."""
    for program in ("wsd", "wsctl"):
        shutil.copy(BIN / program, tmp_path / program)
    with Wsd(workers=1, binary=tmp_path / "wsd") as service:
        image = os.stat(f"/proc/{service.pid}/exe").st_ino
        impostor = tmp_path / "impostor"
        impostor.write_text("#!/bin/sh\nexit 1\n")
        impostor.chmod(0o755)
        os.replace(impostor, tmp_path / "wsd")
        old = service.worker(1)["pid"]
        os.kill(old, signal.SIGKILL)
        new = wait_until(lambda: (w := service.worker(1))["state"] == "ready" and w["pid"] != old and w, "successor ready")
        assert os.stat(f"/proc/{new['pid']}/exe").st_ino == image
        assert new["version"] == service.status()["version"]


def test_sockets_of_systemd_are_adopted(tmp_path):
    """LISTEN_FDS: the socket stays the one that was handed in."""
    import socket
    listener = socket.create_server(("127.0.0.1", 0))
    port = listener.getsockname()[1]
    launcher = ["/bin/sh", "-c", 'LISTEN_PID=$$ exec "$@"', "sh"]

    def put_on_three():
        os.dup2(listener.fileno(), 3)
        os.set_inheritable(3, True)

    with Wsd(workers=1, listen=None, prefix=launcher, env={"LISTEN_FDS": "1"}, preexec=put_on_three, pass_fds=(3,)) as service:
        assert service.port == port
        children = [Path(f"/proc/{pid}/environ").read_bytes() for pid in process_tree(service.pid)]
        assert children and not any(b"LISTEN_" in environ or b"NOTIFY_SOCKET" in environ for environ in children)

        async def echo():
            client = await Client.connect(service.url())
            await client.close()

        run(echo())
    listener.close()


def test_effective_configuration_says_where_from():
    with Wsd(workers=1, config="rooms:\n  announceMax: 7\n", env={"WSD_LOG_LEVEL": "notice"}) as service:
        entries = {entry["key"]: entry for entry in service.json_lines("config")}
        assert entries["rooms.announceMax"]["value"] == "7"
        assert re.search(r"wsd\.yaml:2", entries["rooms.announceMax"]["source"])
        assert "WSD_LOG_LEVEL" in entries["log.level"]["source"]
        assert entries["workers.count"]["source"].startswith("--workers")
        assert entries["hub.requestTimeout"]["source"] == "default"
        assert json.dumps(entries)
