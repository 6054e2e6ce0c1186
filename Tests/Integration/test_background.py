"""`wsctl start` where no wsd runs: it starts one in the background."""

import json
import os
import signal
import subprocess

import pytest

from harness import BIN, alive, wait_until


class Place:
    """A folder with a control socket and a state directory of its own, and no wsd yet."""

    def __init__(self, folder):
        self.folder = folder
        self.socket = folder / "run" / "control.sock"
        self.environment = {"PATH": os.environ["PATH"], "HOME": str(folder), "STATE_DIRECTORY": str(folder / "state"),
                            "WSD_SOCKET": str(self.socket), "NOTIFY_SOCKET": str(folder / "nobody")}

    def ctl(self, *words):
        return subprocess.run([str(BIN / "wsctl"), *words], cwd=self.folder, env=self.environment, capture_output=True, text=True,
                              stdin=subprocess.DEVNULL, timeout=60)

    def status(self):
        answer = self.ctl("status", "--json")
        return json.loads(answer.stdout) if answer.stdout else None


@pytest.fixture
def place(tmp_path):
    (tmp_path / "run").mkdir()
    place = Place(tmp_path)
    yield place
    status = place.status()
    if status:
        os.kill(status["pid"], signal.SIGTERM)
        wait_until(lambda: not alive(status["pid"]), "the end of wsd", 20)


def test_a_program_starts_wsd(place):
    (place.folder / "app.sh").write_text("echo hello; exec sleep 1000\n")
    started = place.ctl("start", "app.sh")
    assert started.returncode == 0, started
    status = place.status()
    assert f"(pid {status['pid']}), a process manager without WebSocket workers" in started.stderr
    assert status["managesOnly"] and [p["name"] for p in status["programs"]] == ["app"]
    log = place.folder / "state" / "logs" / "wsd.log"
    assert str(log) in started.stderr and "Starting" in log.read_text()
    # In a session of its own, with nothing of the caller's open, and without a folder that it would keep busy.
    assert os.getsid(status["pid"]) == status["pid"]
    assert os.readlink(f"/proc/{status['pid']}/cwd") == "/"
    program = status["programs"][0]["processes"][0]["pid"]
    assert os.readlink(f"/proc/{program}/cwd") == str(place.folder)

    # The next one finds it, and says nothing about it.
    taken = place.ctl("start", "app.sh")
    assert taken.returncode == 2 and "already" in taken.stderr and "background" not in taken.stderr, taken
    assert "hello" in wait_until(lambda: place.ctl("logs", "app", "--stream", "out").stdout, "its output", 10)
    assert place.ctl("stop", "").returncode == 64
    assert place.ctl("stop").returncode == 0
    wait_until(lambda: not alive(status["pid"]), "the end of wsd", 10)
    assert not alive(program)

    # What is remembered comes back.
    again = place.ctl("resurrect")
    assert again.returncode == 0 and "background" in again.stderr, again
    assert [p["state"] for p in place.status()["programs"]] == ["ready"]


def test_the_configuration_of_the_folder_is_read(place):
    (place.folder / "wsd.yaml").write_text("listen: 127.0.0.1:0\nworkers:\n  count: 1\n")
    started = place.ctl("start", "--name", "app", "--", "sleep", "1000")
    assert started.returncode == 0 and f"with {place.folder}/wsd.yaml" in started.stderr, started
    status = place.status()
    assert status["workersWanted"] == 1 and status["configurationFile"] == str(place.folder / "wsd.yaml")
    table = place.ctl("list").stdout.splitlines()
    assert table[1].split()[:3] == ["0", "workers", "ready"] and table[2].split()[:3] == ["1", "app", "ready"]


def test_the_last_words_of_one_that_does_not_start_are_shown(place):
    (place.folder / "wsd.yaml").write_text("prot: 3\n")
    failed = place.ctl("start", "--", "sleep", "1000")
    assert failed.returncode == 3
    assert "does not start: it exited with 78" in failed.stderr and "prot is not a key of wsd.yaml" in failed.stderr
    assert place.status() is None


def test_two_at_once_start_one_wsd(place):
    command = [str(BIN / "wsctl"), "start", "--name"]
    both = [subprocess.Popen([*command, name, "--", "sleep", "1000"], cwd=place.folder, env=place.environment,
                             stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True) for name in ("a", "b")]
    for process in both:
        said, _ = process.communicate(timeout=60)
        assert process.returncode == 0, said
    assert {p["name"] for p in place.status()["programs"]} == {"a", "b"}
