"""Programs that wsd keeps: every setting and every operation, with real processes."""

import asyncio
import contextlib
import json
import os
import resource
import shutil
import signal
import socket
import stat
import subprocess
import time
from pathlib import Path

import pytest
import websockets

from harness import BIN, Client, alive, process_tree, run, wait_until
from programs import (FAMILY, LISTENER, PYTHON, READY, REPORT, Manager, UnixConnection, free_port, gone, kill, manager, read_json,
                      read_lines, script, shell)

APPS = Path(__file__).parent / "apps"
SLEEP = ["sleep", "1000"]
# Says when it is up: where a process is ready because it runs, an operation waits a little to see whether it stays.
UP = {"command": shell("echo up; exec sleep 1000"), "ready": "log:up"}


@pytest.fixture(scope="module")
def shared():
    """One process manager for all tests that need nothing of their own."""
    with Manager() as service:
        yield service


@pytest.fixture
def pm(shared, tmp_path):
    """It without programs, and the folder of this test's scripts."""
    shared.folder = tmp_path
    shared.set_mark()
    yield shared
    if shared.programs():
        shared.do("stop", "all")
        shared.do("delete", "all")


def add_ready(pm, how, place="-", **entry):
    """Begins to add a program that is not ready before there is a file “go”."""
    return pm.begin(how, script(pm.folder, "ready.py", READY) + [how, str(place)], folder=str(pm.folder), **entry)


def go(folder, name="go"):
    (Path(folder) / name).touch()


# -- what a process is given


def report(pm, **entry):
    place = pm.folder / "report"
    pm.add("app", script(pm.folder, "report.py", REPORT) + [str(place), "two words", "$HOME"], ready="log:here", **entry)
    return read_json(place)


def test_a_process_has_a_session_of_its_own_and_nothing_of_the_services(pm):
    found = report(pm)
    assert found["parent"] == pm.pid and found["pid"] == pm.pid_of("app")
    assert found["session"] == found["group"] == found["pid"]
    assert found["arguments"] == ["two words", "$HOME"]
    assert found["descriptors"] == [0, 1, 2] and found["input"] == "/dev/null"
    # Python ignores two by itself, and glibc's posix_spawn(3) the two that are its own.
    ignored = {number for number in range(1, 65) if found["ignored"] >> number - 1 & 1}
    assert ignored <= {signal.SIGPIPE, signal.SIGXFSZ, 32, 33}
    assert found["blocked"] == 0
    environment = found["environment"]
    assert environment["PATH"] == os.environ["PATH"] and environment["WSD_SOCKET"] == str(pm.control)
    assert (environment["WSD_PROGRAM"], environment["WSD_NUMBER"], environment["NODE_APP_INSTANCE"]) == ("app", "1", "0")
    assert not {"LISTEN_FDS", "LISTEN_PID", "WATCHDOG_USEC", "STATE_DIRECTORY"} & set(environment)
    assert environment["NOTIFY_SOCKET"] != pm.notifications.path, "it would speak for wsd"
    assert Path(f"/proc/{found['pid']}/cmdline").read_bytes().split(b"\0")[0] == PYTHON.encode()


def test_folder_environment_umask_and_nice(pm):
    (pm.folder / "base.env").write_text('# secrets\nexport A=file\nB="of the file"\nC=\'kept $HOME\'\n')
    found = report(pm, folder=str(pm.folder), environment={"A": "entry", "D": "x=y z"},
                   environmentFiles=[str(pm.folder / "base.env"), "-/missing.env"], umask="027", nice=7)
    assert found["folder"] == str(pm.folder)
    assert {name: found["environment"].get(name) for name in "ABCD"} == {
        "A": "entry", "B": "of the file", "C": "kept $HOME", "D": "x=y z"}
    assert (found["umask"], found["nice"]) == (0o027, 7)


def test_an_environment_file_that_is_missing_or_wrong_fails_the_start(pm):
    (pm.folder / "wrong.env").write_text("A=1\nthis is no assignment\n")
    for file, words in [("missing.env", "missing.env"), ("wrong.env", "2")]:
        lines = pm.add("app", SLEEP, folder=str(pm.folder), environmentFiles=[str(pm.folder / file)], succeeds=False)
        assert file in lines[-1]["message"] and words in lines[-1]["message"], lines
        pm.do("stop", "app")
        pm.do("delete", "app")


def test_limits(pm):
    hard = resource.getrlimit(resource.RLIMIT_NOFILE)[1]
    found = report(pm, limits=["nofile=300:400", "core=0"])
    assert found["limits"] == {"NOFILE": [300, 400], "CORE": [0, 0]}
    assert hard > 400


def test_the_soft_limit_on_descriptors_is_the_one_that_wsd_was_started_with(tmp_path):
    def lower():
        resource.setrlimit(resource.RLIMIT_NOFILE, (512, 4096))
    with manager(preexec=lower) as pm:
        pm.folder = tmp_path
        assert "4096" in Path(f"/proc/{pm.pid}/limits").read_text().split("Max open files")[1].split("\n")[0].split()[0]
        assert report(pm)["limits"]["NOFILE"] == [512, 4096]


@pytest.mark.skipif(os.geteuid() != 0, reason="only root may change the user")
def test_user_and_group(pm):
    pm.add("app", shell("id -un; id -gn; id -G; echo $USER $HOME; exec sleep 1000"), user="nobody", folder="/")
    wait_until(lambda: len(pm.written("app")) == 4, "four lines")
    name, group, groups, home = pm.written("app")
    assert (name, group, groups) == ("nobody", "nogroup", "65534") and home.startswith("nobody /")
    pm.add("other", shell("id -gn; exec sleep 1000"), user="nobody", group="daemon", folder="/")
    pm.wait_written("other", "daemon")
    lines = pm.add("third", SLEEP, user="no-such-user", succeeds=False)
    assert "no-such-user" in lines[-1]["message"]


@pytest.mark.skipif(os.geteuid() != 0, reason="only root may change the user")
def test_another_user_gets_nothing_of_this_ones_session_and_a_stranger_does_not_speak_for_it(tmp_path):
    def told(pm, name, **entry):
        pm.add(name, shell("echo ${XDG_RUNTIME_DIR-none} ${SSH_AUTH_SOCK-none}; exec sleep 1000"), ready="log: ", folder="/", **entry)
        return pm.written(name)

    with manager(env={"XDG_RUNTIME_DIR": str(tmp_path), "SSH_AUTH_SOCK": "/agent"}) as pm:
        assert told(pm, "own") == [f"{tmp_path} /agent"]
        assert told(pm, "other", user="nobody") == ["none none"]
        waiting = pm.begin("quiet", SLEEP, ready="notify", readyTimeout="60s")
        wait_until(lambda: pm.program("quiet") and pm.pid_of("quiet"), "it runs")
        variables = Path(f"/proc/{pm.pid_of('quiet')}/environ").read_bytes().split(b"\0")
        address = next(v for v in variables if v.startswith(b"NOTIFY_SOCKET=@")).partition(b"@")[2].decode()
        say = f"import socket; socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM).sendto(b'READY=1', b'\\0{address}')"
        subprocess.run(["setpriv", "--reuid=65534", "--clear-groups", "/usr/bin/python3", "-c", say], check=True, timeout=30)
        ignored = "Notifications of another user are not the program's: they are ignored"
        line = wait_until(lambda: next((line for line in pm.log() if line["message"] == ignored), None), "that it is ignored")
        assert line["fields"]["sender.uid"] == "65534"
        assert pm.state("quiet") == "starting" and not waiting.done()
        subprocess.run(["/usr/bin/python3", "-c", say], check=True, timeout=30)
        assert waiting.result(10)[-1]["succeeded"] and pm.state("quiet") == "ready"


def test_a_wsd_that_is_a_program_has_a_socket_of_its_own(pm):
    inner = pm.folder / "inner.sock"
    deep = {"name": "deep", "command": shell("echo $WSD_SOCKET; exec sleep 1000"), "ready": "log:/"}
    (pm.folder / "inner.yaml").write_text(json.dumps({"control": {"socket": str(inner)}, "workers": {"count": 0}, "programs": [deep]}))
    pm.add("inner", [str(BIN / "wsd"), "--config", str(pm.folder / "inner.yaml")], ready="notify")
    connection = UnixConnection(inner)
    connection.request("GET", "/v1/logs?program=deep&stream=out")
    assert json.loads(connection.getresponse().readline())["message"] == str(inner)
    assert pm.program("inner")["state"] == "ready" and pm.program("deep") is None


def test_a_command_that_cannot_be_executed_says_why(pm):
    for name, command, entry, words in [
        ("nod", ["nod", "app.js"], {}, ["no program “nod” in PATH", os.environ["PATH"]]),
        ("file", ["./missing"], {}, ["missing"]),
        ("folder", SLEEP, {"folder": "/srv/no/such/folder"}, ["/srv/no/such/folder does not exist"]),
    ]:
        lines = pm.add(name, command, succeeds=False, **entry)
        assert all(word in lines[-1]["message"] for word in words), lines


def test_instances_and_their_numbers(pm):
    pm.add("app", shell('echo "up $WSD_NUMBER $NODE_APP_INSTANCE"; exec sleep 1000'), instances=3, ready="log:up")
    program = pm.program("app")
    assert program["state"] == "ready" and [p["name"] for p in program["processes"]] == ["app:1", "app:2", "app:3"]
    pm.wait_written("app", "up 1 0", "up 2 1", "up 3 2")
    pm.add("many", **UP, instances="max")
    assert len(pm.program("many")["processes"]) == len(os.sched_getaffinity(0))


# -- restarts


@pytest.mark.parametrize("restart, code, more, state", [
    ("always", 0, {}, "again"), ("always", 3, {"stopExitCodes": [3, 4]}, "finished"),
    ("on-failure", 0, {}, "finished"), ("on-failure", 3, {}, "again"),
    ("never", 0, {}, "finished"), ("never", 3, {}, "failed"),
])
def test_restart(pm, restart, code, more, state):
    entry = pm.entry("app", shell(f"exit {code}"), restart=restart, **more)
    pm.call("POST", "/v1/programs", entry)
    if state == "again":
        wait_until(lambda: pm.program("app")["restarts"] >= 3, "three restarts")
        assert pm.process_of("app")["lastExit"] == f"exited with {code}"
    else:
        program = pm.wait_state("app", state)
        assert program["restarts"] == 0 and program["processes"][0].get("pid") is None


def test_the_first_unstable_end_is_told_with_the_last_words(pm):
    lines = pm.add("app", shell("echo first >&2; echo 'Error: Cannot find module x' >&2; exit 3"), succeeds=False, ready="1s")
    assert "exited with 3" in lines[-1]["message"] and "Cannot find module x" in lines[-1]["message"], lines


def test_backoff_ends_with_a_failure_that_reset_revives(pm):
    starts = pm.folder / "starts"
    pm.add("app", shell(f"echo x >>{starts}; exit 7"), succeeds=False, maxUnstable=2, ready="1s")
    program = pm.wait_state("app", "failed")
    assert len(read_lines(starts)) == 3 and "exited with 7" in " ".join(program["problems"])
    status = pm.ctl("status", check=False)
    assert status.returncode == 1 and "app" in status.stdout
    assert pm.status()["health"] == "degraded"
    assert pm.events("Program failed: it is not started any more", "app")
    delays = [int(f["restart.delay.ms"]) for f in pm.events("Program restart delayed", "app")]
    assert len(delays) == 2 and all(5 <= delay <= 20 for delay in delays)
    pm.do("reset", "app")
    wait_until(lambda: len(read_lines(starts)) == 6, "three more starts")
    pm.wait_state("app", "failed")
    pm.do("stop", "app")
    assert pm.state("app") == "stopped" and pm.status()["health"] == "ok"


def test_one_that_crashes_as_soon_as_it_runs_never_looks_well(pm):
    pm.add("app", shell("sleep 0.15; exit 3"), succeeds=False)
    wait_until(lambda: pm.program("app")["restarts"] > 0, "a restart")
    seen = set()
    deadline = time.monotonic() + 1
    while time.monotonic() < deadline:
        status = pm.call("GET", "/v1/status")[1]
        seen.add((status["health"], next(p["state"] for p in status["programs"] if p["name"] == "app")))
    assert {health for health, _ in seen} == {"degraded"}
    assert ("degraded", "starting") in seen and not [state for _, state in seen if state == "ready"], seen


def test_a_stable_process_is_replaced_at_once(pm):
    pm.add("app", **UP, stableAfter="0", restartDelay="1h", restartMaxDelay="1h")
    first = pm.pid_of("app")
    kill(first)
    pm.wait_ready("app", besides=first)
    process = pm.process_of("app")
    assert process["restarts"] == 1 and process["lastExit"] == "was killed by SIGKILL"


def test_stop_signal(pm):
    pm.add("app", shell("trap 'echo bye; exit 0' USR1; echo here; while :; do sleep 0.01; done"), stopSignal="USR1",
           ready="log:here")
    pm.do("stop", "app")
    assert pm.written("app") == ["here", "bye"]
    assert pm.state("app") == "stopped" and not any(p.get("pid") for p in pm.program("app")["processes"])


def test_who_does_not_end_in_time_is_killed(pm):
    pm.add("app", shell("trap '' TERM; echo here; while :; do sleep 1; done"), stopTimeout="300ms", ready="log:here")
    pid, begin = pm.pid_of("app"), time.monotonic()
    pm.do("stop", "app")
    assert 0.3 <= time.monotonic() - begin < 5 and not alive(pid)
    assert pm.events("Program killed", "app")


# -- readiness


@pytest.mark.parametrize("how", ["notify", "child", "tcp", "http", "unix", "log"])
def test_ready(pm, how):
    port, path = free_port(), pm.folder / "app.sock"
    ready = {"notify": "notify", "child": "notify", "tcp": f"tcp://127.0.0.1:{port}",
             "http": f"http://127.0.0.1:{port}/healthz", "unix": f"unix:{path}:/healthz", "log": "log:listening on"}[how]
    start = add_ready(pm, how, path if how == "unix" else port, ready=ready)
    wait_until(lambda: pm.pid_of(how) if pm.program(how) else None, "a process")
    if how in ("http", "unix"):
        # It answers, but not what it takes.
        def answers():
            with contextlib.suppress(OSError), socket.socket(socket.AF_UNIX if how == "unix" else socket.AF_INET) as probe:
                probe.connect(str(path) if how == "unix" else ("127.0.0.1", port))
                return True
        wait_until(answers, "it listens")
    assert pm.state(how) == "starting" and not start.done()
    go(pm.folder)
    start.result(10)
    process = pm.process_of(how)
    assert process["state"] == "ready" and process["restarts"] == 0
    if how == "notify":
        assert process["statusText"] == "warmed up"


def test_ready_after_a_while(pm):
    begin = time.monotonic()
    pm.add("app", SLEEP, ready="300ms")
    assert time.monotonic() - begin >= 0.3 and pm.state("app") == "ready"


def test_who_is_not_ready_in_time_is_killed_and_tried_again(pm):
    start = add_ready(pm, "notify", ready="notify", readyTimeout="300ms", succeeds=False)
    message = start.result(10)[-1]["message"]
    assert "was not ready within 0.3 s" in message, message
    wait_until(lambda: pm.program("notify")["restarts"] > 0, "another try")
    go(pm.folder)
    pm.wait_state("notify", "ready")


# -- while it runs


def test_alive(pm):
    port = free_port()
    go(pm.folder)
    probe = f"http://127.0.0.1:{port}/healthz"
    add_ready(pm, "http", port, ready=probe, alive=probe, aliveInterval="100ms", aliveTimeout="200ms", aliveFailures=2,
              stableAfter="0").result(10)
    first = pm.pid_of("http")
    go(pm.folder, "sick")
    wait_until(lambda: pm.events("Program does not answer", "http"), "it is noticed")
    (pm.folder / "sick").unlink()
    pm.wait_ready("http", besides=first)
    assert not alive(first) and pm.program("http")["restarts"] >= 1


def test_memory_of_the_whole_tree_is_limited(pm):
    eat = "import os, sys, time\nif not os.path.exists('full'):\n    open('full', 'w')\n    os.fork()\n" \
          "    keep = bytearray(48 << 20)\ntime.sleep(1000)\n"
    pm.add("app", script(pm.folder, "eat.py", eat), folder=str(pm.folder), maxMemory="80MiB", stableAfter="0")
    first = pm.pid_of("app")
    pm.wait_ready("app", besides=first, timeout=15)
    event = pm.events("Program memory limit exceeded", "app")[0]
    assert int(event["memory.bytes"]) > 80 << 20
    wait_until(lambda: (pm.process_of("app").get("memory") or 1 << 40) < 40 << 20, "the new one's memory is told")


def test_watch(pm):
    sources = pm.folder / "src"
    (sources / "node_modules" / "x").mkdir(parents=True)
    starts = pm.folder / "starts"
    pm.add("app", shell(f"echo x >>{starts}; exec sleep 1000"), folder=str(pm.folder), watch=[str(sources)], watchIgnore=["*.log"],
           watchDelay="50ms", stableAfter="0")
    first = pm.pid_of("app")
    for ignored in ["out.log", "node_modules/x/index.js", ".main.js.swp"]:
        (sources / ignored).write_text("x")
    (sources / "new").mkdir()
    (sources / "main.js").write_text("one")
    second = pm.wait_ready("app", besides=first)
    # A folder that came later is watched, too; however many files change, it is one restart.
    for number in range(20):
        (sources / "new" / f"{number}.js").write_text("x")
    third = pm.wait_ready("app", besides=second)
    changes = pm.events("Program files changed", "app")
    assert len(changes) == 2, changes
    wait_until(lambda: len(read_lines(starts)) == 3, "three starts")
    assert not any("log" in json.dumps(f) or "node_modules" in json.dumps(f) or "swp" in json.dumps(f) for f in changes), changes
    pm.do("stop", "app")
    (sources / "main.js").write_text("two")
    pm.do("start", "app")
    assert pm.pid_of("app") not in (first, second, third)
    wait_until(lambda: len(read_lines(starts)) == 4, "four starts")


def test_cron_is_described_and_checked(pm):
    pm.add("app", **UP, cron="30 4 * * mon")
    settings = {s["key"]: s for s in pm.call("GET", "/v1/programs/describe?target=app")[1]["settings"]}
    assert settings["cron"]["value"].strip('"') == "30 4 * * mon" and not settings["cron"]["isDefault"]
    assert settings["nice"]["isDefault"]
    status, message = pm.refused("/v1/programs", pm.entry("other", SLEEP, cron="61 4 * * *"))
    assert status == 422 and "cron" in message and "61" in message


def test_output_is_kept_by_stream(pm):
    pm.add("app", shell("echo out; echo err >&2; printf 'no end'; exec sleep 1000"))
    pm.wait_written("app", "out", "err")
    lines = {(line["stream"], line["level"], line["message"]) for line in pm.log("source=app:1")}
    assert lines == {("out", "info", "out"), ("err", "error", "err")}
    assert pm.written("app", "stream=err") == ["err"]
    pm.do("stop", "app")
    assert "no end" in pm.written("app"), "what has no line end is not lost"


# -- between programs


def test_depends_on(tmp_path):
    ends = tmp_path / "ends"
    last = "trap 'echo %s >>" + str(ends) + "; exit 0' TERM; echo up; while :; do sleep 0.01; done"
    wait = f"while [ ! -e {tmp_path}/go ]; do sleep 0.01; done; "
    programs = [
        {"name": "api", "command": shell(last % "api"), "dependsOn": ["db"], "ready": "log:up"},
        {"name": "db", "command": shell(wait + last % "db"), "ready": "log:up"},
    ]
    with manager(*programs, ready=False) as pm:
        wait_until(lambda: pm.control.exists() and pm.state("db") == "starting", "db starts")
        api = pm.program("api")
        assert api["state"] == "waiting" and "db" in " ".join(api["problems"]) and not pm.pid_of("api")
        assert pm.status()["health"] == "starting"
        go(tmp_path)
        pm.notifications.wait_for("READY=1", abort=pm.check_alive)
        assert pm.state("api") == pm.state("db") == "ready"
        pm.process.terminate()
        assert pm.wait() == 0
        assert read_lines(ends) == ["api", "db"]


def test_restarts_with(pm):
    pm.add("db", **UP)
    pm.add("api", **UP, restartsWith=["db"])
    first = pm.pid_of("api")
    pm.do("restart", "db")
    second = pm.wait_ready("api", besides=first)
    kill(pm.pid_of("db"))
    third = pm.wait_ready("api", besides=second)
    database = pm.wait_ready("db")
    pm.do("restart", "api")
    pm.wait_ready("api", besides=third)
    assert pm.pid_of("db") == database, "not the other way round"


# -- sockets


def answer(port, timeout=10):
    with socket.create_connection(("127.0.0.1", port), timeout) as sock:
        return int(sock.recv(32))


def test_listen(pm):
    port = free_port()
    pm.add("app", script(pm.folder, "listener.py", LISTENER), folder=str(pm.folder), listen=[f"127.0.0.1:{port}"],
           ready="log:listening", instances=2)
    pids = {pm.pid_of("app", 1), pm.pid_of("app", 2)}
    count, names = json.loads(pm.written("app")[0].removeprefix("listening "))
    assert count == 1 and names
    assert answer(port) in pids
    # Nobody is refused while none of them lives: the sockets are wsd's.
    for pid in pids:
        kill(pid, signal.SIGSTOP)
    with socket.create_connection(("127.0.0.1", port)) as waiting:
        for pid in pids:
            kill(pid)
        waiting.settimeout(10)
        assert int(waiting.recv(32)) not in pids
    pm.do("stop", "app")
    with pytest.raises(ConnectionRefusedError):
        answer(port)
    pm.do("start", "app")
    assert answer(port)


def test_a_reload_with_sockets_has_no_gap_and_a_bad_successor_changes_nothing(pm):
    port = free_port()
    pm.add("app", script(pm.folder, "listener.py", LISTENER), folder=str(pm.folder), listen=[f"127.0.0.1:{port}"],
           ready="log:listening", instances=2)
    before = {pm.pid_of("app", 1), pm.pid_of("app", 2)}
    reload = pm.threads.submit(pm.do, "reload", "app")
    answers = set()
    while not reload.done():
        answers.add(answer(port))
    assert reload.result()[-1]["succeeded"] and answers
    after = {pm.pid_of("app", 1), pm.pid_of("app", 2)}
    assert before.isdisjoint(after) and answers <= before | after
    gone(*before)
    go(pm.folder, "broken")
    lines = pm.do("reload", "app", succeeds=False)
    assert "exited with 1" in lines[-1]["message"] and "the disk is full" in lines[-1]["message"], lines
    assert {pm.pid_of("app", 1), pm.pid_of("app", 2)} == after
    pm.wait_state("app", "ready")


async def clients_in_a_loop(port, reload):
    """Connects again and again until the reload is over; returns what servers said, and every connection that failed.

    websockets answers 503 where its server is told to close in the middle of a handshake: that is its word, not a refusal."""
    greetings, failures = [], []

    async def one():
        while not reload.done():
            try:
                async with websockets.connect(f"ws://127.0.0.1:{port}/", compression=None, open_timeout=10) as client:
                    greetings.append(json.loads(await client.recv()))
                    with contextlib.suppress(websockets.ConnectionClosed):
                        await client.send("hello")
                        assert await client.recv() == "hello"
            except websockets.InvalidStatus as error:
                if (error.response.status_code, error.response.body) != (503, b"Server is shutting down.\n"):
                    failures.append(repr(error))
            except (OSError, websockets.InvalidHandshake, TimeoutError) as error:
                failures.append(repr(error))

    await asyncio.gather(*[one() for _ in range(8)])
    return greetings, failures


@pytest.mark.parametrize("server", ["node", "python"])
def test_someone_elses_websocket_server_is_reloaded_without_a_refused_connection(pm, server):
    if server == "node":
        if not shutil.which("node") or not Path("/usr/share/nodejs/ws").exists():
            pytest.skip("Node.js or node-ws is missing: scripts/test installs them")
        command = [shutil.which("node"), str(APPS / "ws-server.js")]
    else:
        command = [PYTHON, str(APPS / "websockets_server.py")]
    port = free_port()
    pm.add("chat", command, listen=[f"127.0.0.1:{port}"], ready="log:listening", instances=2,
           environment={"NODE_PATH": "/usr/share/nodejs"})
    before = {pm.pid_of("chat", 1), pm.pid_of("chat", 2)}
    reload = pm.threads.submit(pm.do, "reload", "chat")
    greetings, failures = run(clients_in_a_loop(port, reload))
    assert reload.result()[-1]["succeeded"]
    after = {pm.pid_of("chat", 1), pm.pid_of("chat", 2)}
    assert before.isdisjoint(after) and not failures, failures
    assert greetings and all(g["listenPid"] == str(g["pid"]) and g["pid"] in before | after for g in greetings)


# -- operations


def test_operations_by_name_number_process_and_all(pm):
    assert "one" in pm.ctl("start", "--name", "one", "-i", "2", "--", *SLEEP).stdout
    pm.ctl("start", "--name", "two", "--cwd", "/", "--env", "A=1", "--", *SLEEP)
    numbers = {p["name"]: p["number"] for p in pm.programs().values()}
    assert numbers["one"] < numbers["two"]
    first, second = pm.pid_of("one", 1), pm.pid_of("one", 2)

    pm.ctl("restart", "one:2")
    assert pm.pid_of("one", 1) == first and pm.pid_of("one", 2) != second
    pm.ctl("restart", str(numbers["one"]))
    assert pm.pid_of("one", 1) != first
    pm.ctl("scale", "one", "3")
    third = pm.pid_of("one", 3)
    assert pm.state("one") == "ready" and alive(third)
    pm.ctl("scale", "one", "1")
    assert len(pm.program("one")["processes"]) == 1 and not alive(third)
    first = pm.pid_of("one")
    pm.ctl("reload", "one", "two")
    assert pm.pid_of("one") != first
    pm.ctl("stop", "all")
    assert {p["state"] for p in pm.programs().values()} == {"stopped"}
    pm.ctl("start", "all")
    assert {p["state"] for p in pm.programs().values()} == {"ready"}

    table = pm.ctl("list").stdout
    assert "one" in table and "two" in table
    described = pm.ctl("describe", "two").stdout
    assert "sleep" in described and str(pm.pid_of("two")) in described
    assert "A=1" in pm.ctl("env", "two").stdout.replace('"', "")
    pm.ctl("stop", "two")
    pm.ctl("delete", "two")
    assert pm.program("two") is None
    assert pm.program("one")["number"] == numbers["one"]


def test_signal(pm):
    pm.add("app", shell("trap 'echo again' HUP; echo up; while :; do sleep 0.01; done"), ready="log:up", instances=2)
    pids = [pm.pid_of("app", 1), pm.pid_of("app", 2)]
    pm.ctl("signal", "app:2", "HUP")
    pm.wait_written("app:2", "up", "again")
    assert pm.written("app:1") == ["up"]
    pm.do("signal", "app", signal="1")
    pm.wait_written("app:1", "up", "again")
    assert [pm.pid_of("app", 1), pm.pid_of("app", 2)] == pids


def test_a_reload_without_sockets_is_one_after_the_other(pm):
    pm.add("app", SLEEP, instances=3, ready="100ms")
    seen = set()
    reload = pm.threads.submit(pm.do, "reload", "app")
    while not reload.done():
        seen.add(sum(p["state"] == "ready" for p in pm.program("app")["processes"]))
    reload.result()
    assert min(seen) == 2, seen


def test_a_stop_goes_before_a_start_and_others_are_told_that_it_is_busy(pm):
    start = add_ready(pm, "notify", ready="notify", readyTimeout="1m", succeeds=False)
    wait_until(lambda: pm.pid_of("notify") if pm.program("notify") else None, "a process")
    status, message = pm.refused("/v1/programs/reload", {"targets": ["notify"]})
    assert status == 409 and "start is running" in message
    pm.do("stop", "notify")
    assert "stop" in start.result(10)[-1]["message"]


def test_errors_are_sentences(pm):
    pm.add("app", **UP)
    for path, body, status, words in [
        ("start", {"targets": ["nobody"]}, 404, "There is no program “nobody”"),
        ("restart", {"targets": ["app:7"]}, 404, "app has no process 7"),
        ("restart", {"targets": ["999"]}, 404, "999"),
        ("signal", {"targets": ["app"], "signal": "SIGNOPE"}, 422, "SIGNOPE"),
        ("scale", {"targets": ["app"], "instances": 1000}, 422, "256"),
        ("start", {"targets": []}, 422, ""),
    ]:
        found, message = pm.refused(f"/v1/programs/{path}", body)
        assert (found == status or status == 422 and found == 400) and words in message, (path, body, found, message)
    for entry, status, words in [
        (pm.entry("app", SLEEP), 409, "There is a program “app” already"),
        (pm.entry("all", SLEEP), 422, "all"),
        (pm.entry("x", []), 422, "command"),
        ({"name": "x", "command": SLEEP, "script": "app.js"}, 422, "command"),
        (pm.entry("x", SLEEP, dependsOn=["nobody"]), 422, "nobody"),
        (pm.entry("x", SLEEP, stopTimeout=5), 422, "stopTimeout"),
    ]:
        found, message = pm.refused("/v1/programs", entry)
        assert found == status and words in message, (entry, found, message)
    assert pm.call("GET", "/v1/programs/describe?target=nobody")[0] == 404
    wrong = pm.ctl("restart", "nobody", check=False)
    assert wrong.returncode == 2 and "no program “nobody”" in wrong.stderr


def test_metrics(pm):
    pm.add("app", **UP, instances=2)
    connection = UnixConnection(pm.control)
    connection.request("GET", "/metrics")
    page = connection.getresponse().read().decode()
    connection.close()
    lines = [line for line in page.splitlines() if line.startswith("wsd_program_") and '"app"' in line]
    assert lines, page


# -- the service's own beginning and end


def test_what_was_started_at_run_time_is_remembered():
    with Manager() as pm:
        directory, state = pm.directory, pm.directory / "state"
        pm.keep = True
        pm.add("one", **UP, instances=2, environment={"SECRET": "x"})
        pm.add("two", **UP)
        pm.add("gone", **UP)
        pm.do("stop", "two")
        pm.do("stop", "gone")
        pm.do("delete", "gone")
        pm.do("scale", "one", instances=3)
        numbers = {name: p["number"] for name, p in pm.programs().items()}
        pids = [pm.pid_of("one", number) for number in (1, 2, 3)]
        remembered = state / "programs.json"
        assert stat.S_IMODE(remembered.stat().st_mode) == 0o600
        pm.process.terminate()
        assert pm.wait() == 0 and not any(alive(pid) for pid in pids)
    try:
        with Manager(directory=directory) as pm:
            assert {name: p["number"] for name, p in pm.programs().items()} == numbers
            assert pm.state("one") == "ready" and len(pm.program("one")["processes"]) == 3
            assert pm.state("two") == "stopped"
            pm.do("start", "two")
            assert pm.state("two") == "ready"
        remembered.write_text("{ this is no JSON")
        with Manager(directory=directory) as pm:
            assert pm.programs() == {} and (state / "programs.json.broken-1").exists()
            assert any("broken-1" in json.dumps(line) for line in pm.log("level=warning"))
    finally:
        shutil.rmtree(directory)


def test_a_reload_of_the_configuration_adds_changes_and_removes():
    entry = {"stopTimeout": "1s", "restartDelay": "10ms"}
    programs = [{"name": name, **UP, **entry} for name in ("stays", "changes", "goes")]
    with manager(*programs, {"name": "later", "command": SLEEP, "autostart": False}) as pm:
        before = {name: pm.pid_of(name) for name in ("stays", "changes", "goes")}
        assert pm.state("later") == "stopped" and pm.program("stays")["configured"]
        status, message = pm.refused("/v1/programs/delete", {"targets": ["stays"]})
        assert status == 409 and "stands in the configuration" in message
        pm.add("mine", **UP)
        mine = pm.pid_of("mine")
        programs[1] = {**programs[1], "command": ["sleep", "2000"], "ready": "1ms"}
        programs[2] = {"name": "comes", **UP, **entry}
        pm.rewrite(programs)
        pm.ctl("reload")
        pm.wait_state("comes", "ready")
        changed = pm.wait_ready("changes", besides=before["changes"])
        assert Path(f"/proc/{changed}/cmdline").read_bytes() == b"sleep\x002000\x00"
        wait_until(lambda: pm.program("goes") is None and pm.program("later") is None, "the others are forgotten")
        gone(before["goes"])
        assert pm.pid_of("stays") == before["stays"] and pm.pid_of("mine") == mine
        pm.rewrite([{**programs[0], "dependsOn": ["comes"]}, {**programs[2], "dependsOn": ["stays"]}])
        wrong = pm.ctl("reload", check=False)
        assert wrong.returncode != 0 and "dependsOn" in wrong.stderr + wrong.stdout
        assert pm.pid_of("stays") == before["stays"] and pm.state("changes") == "ready"


def test_the_whole_tree_ends_with_its_program(pm):
    pm.add("app", script(pm.folder, "family.py", FAMILY) + [str(pm.folder / "family")], stopTimeout="1s", ready="log:here")
    family = read_json(pm.folder / "family")
    assert all(alive(pid) for pid in family.values())
    wait_until(lambda: (pm.process_of("app").get("tree") or 0) >= 3, "all three are counted")
    pm.do("stop", "app")
    assert not any(alive(pid) for pid in family.values())
    # The same where the main process goes by itself.
    (pm.folder / "family").unlink()
    pm.do("start", "app")
    family = read_json(pm.folder / "family")
    kill(family["main"])
    pm.wait_ready("app", besides=family["main"])
    gone(family["daemon"], family["child"])


DEAF = {"command": shell("trap '' TERM HUP INT; echo up; while :; do sleep 0.1; done"), "ready": "log:up", "stopTimeout": "1h"}


def role(pid):
    """The first argument of a process; None: it has ended."""
    try:
        return Path(f"/proc/{pid}/cmdline").read_bytes().split(b"\0")[1:2]
    except (FileNotFoundError, ProcessLookupError):
        return None


def guards(pm):
    return [pid for pid in process_tree(pm.pid) if role(pid) == [b"guard"]]


def test_the_killed_supervisor_takes_every_program_with_it(tmp_path):
    family = script(tmp_path, "family.py", FAMILY) + [str(tmp_path / "family")]
    with manager({"name": "family", "command": family}, {"name": "deaf", **DEAF}) as pm:
        pids = [*read_json(tmp_path / "family").values(), pm.pid_of("deaf")]
        assert all(alive(pid) for pid in pids)
        # Who sees to it is itself seen to.
        [guard] = guards(pm)
        kill(guard)
        wait_until(lambda: (now := guards(pm)) and guard not in now and now, "another guard")
        kill(pm.pid)
        gone(*pids, timeout=10)


def test_a_hurried_stop_kills_programs_that_take_their_time():
    with manager({"name": "deaf", **DEAF}) as pm:
        pid = pm.pid_of("deaf")
        pm.signal(signal.SIGINT)
        wait_until(lambda: pm.program("deaf")["state"] == "stopping", "it is asked to end")
        pm.signal(signal.SIGINT)
        assert pm.wait() == 0 and not alive(pid)


def test_a_service_with_clients_keeps_programs_too():
    with manager({"name": "api", **UP}, workers=1) as pm:
        status = pm.status()
        assert status["health"] == "ok" and [p["name"] for p in status["programs"]] == ["api"]
        assert "managesOnly" not in status and "api" in pm.ctl("status").stdout
        api = pm.pid_of("api")
        worker = pm.worker(1)["pid"]
        pm.ctl("reload")
        assert pm.pid_of("api") == api and pm.worker(1)["pid"] != worker
        pm.ctl("restart", "api")
        assert pm.pid_of("api") != api

        async def page():
            client = await Client.connect(pm.url())
            await client.close()
        run(page())


# -- workers.count: 0


def test_without_workers_it_is_a_process_manager():
    with manager({"name": "app", **UP}) as pm:
        status = pm.status()
        assert status["managesOnly"] and status["addresses"] == [] and status["health"] == "ok"
        assert [p["name"] for p in status["processes"]] == ["supervisor"]
        sockets = subprocess.run(["ss", "-Hltnp"], capture_output=True, text=True).stdout
        assert f"pid={pm.pid}," not in sockets, sockets
        shown = pm.ctl("status").stdout
        assert "programs alone" in shown and "app" in shown and "total:" not in shown
        assert pm.ctl("doctor", check=False).returncode == 0
        assert "programs only, no workers" in pm.output() or "Service ready" in pm.output()
        for command in [("scale", "3"), ("restart",), ("clients",)]:
            refused = pm.ctl(*command, check=False)
            assert refused.returncode != 0 and "workers.count: 0" in refused.stderr, (command, refused)
        assert pm.state("app") == "ready"


def test_without_workers_the_socket_of_a_socket_unit_is_not_left_without_an_answer():
    """Nobody listens behind it: who connects is refused instead of waiting for ever."""
    inherited = socket.create_server(("127.0.0.1", 0))
    port = inherited.getsockname()[1]
    launcher = ["/bin/sh", "-c", 'LISTEN_PID=$$ exec "$@"', "sh"]

    def put_on_three():
        os.dup2(inherited.fileno(), 3)
        os.set_inheritable(3, True)

    with Manager(listen=None, prefix=launcher, env={"LISTEN_FDS": "1"}, preexec=put_on_three, pass_fds=(3,)) as pm:
        inherited.close()
        with pytest.raises(ConnectionRefusedError):
            socket.create_connection(("127.0.0.1", port))
        assert any(f"127.0.0.1:{port}" in line["message"] for line in pm.log("level=warning"))


def test_serving_clients_is_begun_and_ended_by_a_restart_alone():
    app = {"name": "app", **UP}
    for before, after in [(0, 2), (1, 0)]:
        config = "workers:\n  count: {}\n"
        with manager(app, workers=None, config=config.format(before)) as pm:
            pid = pm.pid_of("app")
            pm.rewrite([app], config.format(after))
            output = pm.ctl("reload").stdout
            assert "workers.count" in output and "restart of wsd" in output, output
            assert pm.status().get("managesOnly", False) == (before == 0)
            assert pm.pid_of("app") == pid and pm.status()["health"] == "ok"
