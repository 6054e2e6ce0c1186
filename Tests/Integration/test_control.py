"""wsctl and the control API."""

import asyncio
import grp
import json
import os
import re
import signal
import socket
import subprocess
import time

import pytest

from harness import BIN, Client, Wsd, run, wait_until


def test_status_is_one_screen(wsd):
    result = wsd.ctl("status")
    text = result.stdout
    for word in ("wsd", "worker 1", "worker 2", "hub", "ready", str(wsd.pid), f"127.0.0.1:{wsd.port}"):
        assert word in text, (word, text)
    assert max(len(line) for line in text.splitlines()) <= 100 and "\x1b" not in text


def test_not_running_is_said_with_what_to_do(tmp_path):
    result = subprocess.run([str(BIN / "wsctl"), "status", "--socket", str(tmp_path / "none.sock")], capture_output=True, text=True)
    assert result.returncode != 0 and "not running" in result.stderr and "none.sock" in result.stderr
    stale = tmp_path / "stale.sock"
    with socket.socket(socket.AF_UNIX) as listener:
        listener.bind(str(stale))
    result = subprocess.run([str(BIN / "wsctl"), "status", "--socket", str(stale)], capture_output=True, text=True)
    assert result.returncode != 0 and str(stale) in result.stderr


def test_clients_rooms_and_kick(wsd):
    async def scenario():
        pages = [await Client.connect(wsd.url(), origin="https://app.example") for _ in range(4)]
        for page in pages[:3]:
            await page.join("shop")
        await pages[3].join("other")
        clients = await asyncio.to_thread(wsd.json_lines, "clients")
        assert {c["id"] for c in clients} == {p.id for p in pages}
        assert all(c["address"].startswith("127.0.0.1") and c["origin"] == "https://app.example" for c in clients)
        in_shop = await asyncio.to_thread(wsd.json_lines, "clients", "--room", "shop")
        assert {c["id"] for c in in_shop} == {p.id for p in pages[:3]}
        rooms = {r["room"]: r["members"] for r in await asyncio.to_thread(wsd.json_lines, "rooms")}
        assert rooms == {"shop": 3, "other": 1}
        await asyncio.to_thread(wsd.ctl, "kick", pages[0].id)
        assert (await pages[0].closed())[0] == 1008
        missing = await asyncio.to_thread(lambda: wsd.ctl("kick", pages[0].id, check=False))
        assert missing.returncode != 0 and pages[0].id in missing.stderr
        while (await pages[1].receive())["type"] != "userLeft":
            pass
        await asyncio.to_thread(wsd.ctl, "publish", "shop", '{"from": "operator"}')
        assert await pages[1].receive() == {"from": "operator"}
        bad = await asyncio.to_thread(lambda: wsd.ctl("publish", "shop", "{oops", check=False))
        assert bad.returncode != 0 and "JSON" in bad.stderr

    run(scenario())


def test_statistics_count_what_happened(wsd):
    async def scenario():
        page = await Client.connect(wsd.url())
        await page.join("count")
        for _ in range(10):
            await page.request(type="sendToRoom", roomId="count", data=1)

    run(scenario())
    # The greeting, the answer to the join and ten more.
    totals = wait_until(lambda: (t := wsd.status()["totals"])["messagesOut"] == 12 and t, "messages counted", 5)
    assert totals["messagesIn"] == 11 and totals["connectionsAccepted"] >= 1 and totals["bytesIn"] > 200


def test_every_command_has_help_and_json(wsd):
    commands = ["status", "workers", "clients", "rooms", "stats", "logs", "restart", "reload", "scale", "stop", "kick", "publish",
                "config", "doctor", "version", "user", "presence", "history", "trace", "disconnect", "start", "list", "describe", "env",
                "delete", "signal", "reset", "flush", "save", "resurrect"]
    overview = subprocess.run([str(BIN / "wsctl"), "--help"], capture_output=True, text=True).stdout
    for command in commands:
        assert command in overview
        text = subprocess.run([str(BIN / "wsctl"), command, "--help"], capture_output=True, text=True).stdout
        assert "--json" in text and "--socket" in text, command
    for command in ("status", "stats", "doctor", "version"):
        json.loads(wsd.ctl(command, "--json", check=False).stdout)
    for command in ("workers", "clients", "rooms", "config", "list"):
        wsd.json_lines(command)


def test_doctor_finds_a_failed_worker():
    with Wsd(workers=2, config="restart:\n  maxUnstable: 1\n  initialDelay: 10ms\n") as service:
        assert "worker 1" not in service.ctl("doctor", check=False).stdout.replace("worker 1: ready", "")

        def failed():
            worker = service.worker(1)
            if worker.get("pid") and worker["state"] != "failed":
                try:
                    os.kill(worker["pid"], signal.SIGKILL)
                except ProcessLookupError:
                    pass
            return worker["state"] == "failed"

        wait_until(failed, "failed slot", 20)
        result = service.ctl("doctor", check=False)
        assert result.returncode != 0 and "worker 1" in result.stdout and "restart" in result.stdout


def test_logs_follow_live(wsd):
    follower = subprocess.Popen([str(BIN / "wsctl"), "logs", "-f", "-n", "0", "--json", "--socket", str(wsd.control)],
                                stdout=subprocess.PIPE, text=True,
                                # Background jobs of a shell are born with SIGINT ignored, and their children with them.
                                preexec_fn=lambda: signal.signal(signal.SIGINT, signal.SIG_DFL))
    try:
        time.sleep(0.3)  # the follower's request is on its way; nothing announces that it has arrived
        pid = wsd.worker(1)["pid"]
        os.kill(pid, signal.SIGKILL)
        while True:
            entry = json.loads(follower.stdout.readline())
            if str(pid) in json.dumps(entry) and "SIGKILL" in json.dumps(entry):
                break
        assert entry["source"] == "supervisor"
    finally:
        follower.send_signal(signal.SIGINT)
        assert follower.wait(5) in (0, 130, -2)


def test_logs_are_filtered_and_bounded():
    with Wsd(workers=1, args=["--log-level", "debug"], config="log:\n  memoryPerChild: 64KiB\n  memoryTotal: 256KiB\n") as service:
        async def many():
            for _ in range(600):
                page = await Client.connect(service.url())
                await page.close()

        run(many())
        entries = service.json_lines("logs", "-n", "100000", "--worker", "1")
        assert entries and all(entry["worker"] == 1 for entry in entries)
        assert sum(len(json.dumps(entry)) for entry in entries) < 400_000
        assert service.json_lines("logs", "-n", "5")[-1]["sequence"] > 600
        assert all(entry["source"] == "supervisor" for entry in service.json_lines("logs", "--source", "supervisor"))
        assert service.ctl("logs", "--level", "error").stdout == ""


def test_terminal_escapes_in_logged_text_are_harmless(wsd):
    with socket.create_connection(("127.0.0.1", wsd.port), timeout=5) as connection:
        connection.sendall(b"GET /ws HTTP/1.1\r\nHost: a\r\nOrigin: \x1b]0;owned\x07\x1b[2J\r\nUpgrade: websocket\r\n\r\n")
        connection.recv(4096)
    assert "\x1b" not in wsd.ctl("logs", "-n", "1000").stdout


def test_log_file_is_rotated(tmp_path):
    file = tmp_path / "logs" / "wsd.log"
    file.parent.mkdir()
    config = f"log:\n  file: {file}\n  fileMaxSize: 64KiB\n  fileKeep: 2\n  level: debug\n  format: json\n"
    with Wsd(workers=1, config=config) as service:
        async def many():
            for _ in range(1500):
                page = await Client.connect(service.url())
                await page.close()

        run(many())
        wait_until(lambda: len(list(file.parent.iterdir())) == 3, "two rotated files")
        assert all(entry.stat().st_size < 100_000 for entry in file.parent.iterdir())
        for line in file.read_text().splitlines():
            json.loads(line)


def test_api_errors_are_json(wsd):
    for method, path, body, expected in (("GET", "/v1/nothing", None, 404), ("DELETE", "/v1/status", None, 405),
                                         ("POST", "/v1/scale", "{}", 400), ("POST", "/v1/scale", '{"workers":-1}', 400),
                                         ("POST", "/v1/scale", '{"workers":"x"}', 400), ("POST", "/v1/publish", "nonsense", 400),
                                         ("POST", "/v1/kick", '{"client":"zzz"}', 404), ("POST", "/v1/restart?worker=99", None, 404),
                                         ("POST", "/v1/restart?worker=x", None, 400)):
        status, text = wsd.http(method, path, body)
        assert status == expected, (method, path, status, text)
        error = json.loads(text)
        assert error["code"] and error["message"], text
    assert wsd.status()["health"] == "ok"


def test_prometheus_metrics(wsd):
    status, text = wsd.http("GET", "/metrics")
    assert status == 200
    names = {line.split("{")[0].split(" ")[0] for line in text.splitlines() if line and not line.startswith("#")}
    typed = {line.split()[2] for line in text.splitlines() if line.startswith("# TYPE")}
    families = {re.sub("_(bucket|sum|count)$", "", name) if name not in typed else name for name in names}
    assert "wsd_up" in names and "wsd_message_latency_seconds_bucket" in names and families <= typed
    for line in text.splitlines():
        if line and not line.startswith("#"):
            float(line.rpartition(" ")[2])


@pytest.mark.skipif(os.geteuid() != 0, reason="needs root to become other users")
def test_who_may_use_the_control_socket():
    """A member of the configured group by supplementary group may; one outside it is refused, in words."""
    group = grp.getgrnam("games")
    with Wsd(workers=1, config="control:\n  group: games\n") as service:
        os.chmod(service.directory, 0o755)

        def as_user(groups, *command):
            return subprocess.run(["setpriv", "--reuid=65534", "--regid=65534", f"--groups={groups}", str(BIN / "wsctl"), *command,
                                   "--socket", str(service.control)], capture_output=True, text=True)

        allowed = as_user(str(group.gr_gid), "status")
        assert allowed.returncode == 0 and "worker 1" in allowed.stdout, allowed.stderr
        refused = as_user("65534", "status")
        assert refused.returncode != 0 and "games" in refused.stderr, refused
    with Wsd(workers=1, config="control:\n  readOnlyOthers: true\n") as service:
        os.chmod(service.directory, 0o755)
        looked = subprocess.run(["setpriv", "--reuid=65534", "--regid=65534", "--clear-groups", str(BIN / "wsctl"), "status",
                                 "--socket", str(service.control)], capture_output=True, text=True)
        assert looked.returncode == 0, looked.stderr
        changed = subprocess.run(["setpriv", "--reuid=65534", "--regid=65534", "--clear-groups", str(BIN / "wsctl"), "stop",
                                  "--socket", str(service.control)], capture_output=True, text=True)
        assert changed.returncode != 0
        assert service.status()["health"] == "ok"


def test_wsctl_stop():
    with Wsd(workers=1) as service:
        result = service.ctl("stop")
        assert service.wait() == 0 and result.returncode == 0


def test_default_socket_of_a_user(tmp_path):
    """With no --socket both programs agree on the place."""
    environment = {"PATH": os.environ["PATH"], "XDG_RUNTIME_DIR": str(tmp_path), "HOME": str(tmp_path)}
    prefix = ["setpriv", "--reuid=65534", "--regid=65534", "--clear-groups"] if os.geteuid() == 0 else []
    if prefix:
        os.chown(tmp_path, 65534, 65534)
        for parent in tmp_path.parents:
            if parent.stat().st_mode & 0o5 != 0o5:
                parent.chmod(0o755)
    process = subprocess.Popen([*prefix, str(BIN / "wsd"), "--listen", "127.0.0.1:0", "--workers", "1"], env=environment,
                               cwd=tmp_path, stderr=subprocess.PIPE, stdin=subprocess.DEVNULL)
    try:
        result = wait_until(lambda: (r := subprocess.run([*prefix, str(BIN / "wsctl"), "status"], env=environment, cwd=tmp_path,
                                                         capture_output=True, text=True)).returncode == 0 and r, "status", 15)
        assert str(tmp_path / "wsd" / "control.sock") in result.stdout
    finally:
        process.terminate()
        process.wait(30)


def test_the_trace_of_a_client_ends_with_it():
    async def scenario(wsd):
        for end in ("close", "kill"):
            client = await Client.connect(wsd.url())
            await client.join("r")
            trace = wsd.ctl_background("trace", client.id)
            whole = wsd.ctl_background("trace", client.id, "--room", "r")
            for process in (trace, whole):
                assert "1 client fits now" in process.stdout.readline()
            await client.send(type="message", roomId="r", data=1)
            if end == "close":
                await client.close()
            else:
                os.kill(wsd.worker(wsd.worker_of(client.id))["pid"], signal.SIGKILL)
            lines = (await asyncio.to_thread(trace.communicate, timeout=20))[0].splitlines()
            assert trace.returncode == 0, lines
            assert lines[-1].endswith(f"-- The client {client.id} is gone: the trace ends.")
            assert any(("closed " if end == "close" else "was killed by SIGKILL") in line for line in lines[:-1]), lines
            assert whole.poll() is None
            whole.terminate()
            whole.communicate()
            wsd.wait_healthy()

    with Wsd(workers=2) as wsd:
        run(scenario(wsd))


def test_a_room_without_history_is_answered_with_what_to_do():
    with Wsd(workers=1) as wsd:
        result = wsd.ctl("history", "lobby", check=False)
        assert result.returncode == 2 and "rooms.rules[].historySize" in result.stderr, result
        # And that is what helps.
        wsd.config_file.write_text("rooms:\n  rules:\n    - match: lobby\n      historySize: 10\n")
        wsd.ctl("reload")
        wsd.ctl("publish", "lobby", "1")
        assert [m["data"] for m in json.loads(wsd.ctl("history", "lobby", "--json").stdout)["messages"]] == [1]
