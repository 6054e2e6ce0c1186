"""Log files of programs, what becomes of them, and `wsctl logs` over restarts."""

import gzip
import json
import os
import signal
import subprocess

import pytest

from harness import BIN, Wsd, wait_until
from programs import PYTHON, Manager

FLOOD = """
import sys, time
for number in range(1, {lines} + 1):
    print("line", number, "of a flood that nobody asked for")
print("done", flush=True)
time.sleep(1000)
"""


def lines_of(folder, name):
    """All lines of a program, oldest first: rotated files and the present one."""
    rotated = sorted(folder.glob(f"{name}.log.*.gz"), key=lambda file: -int(file.suffixes[-2][1:]))
    texts = [gzip.decompress(file.read_bytes()).decode() for file in rotated]
    return "".join([*texts, (folder / f"{name}.log").read_text()]).splitlines()


@pytest.fixture
def pm():
    with Manager() as manager:
        yield manager


def test_every_program_has_a_file_until_it_is_flushed(pm):
    folder = pm.directory / "state" / "logs"
    for name in ("one", "two"):
        pm.add(name, ["sh", "-c", f"echo {name} out; echo {name} err >&2; exec sleep 1000"])
        pm.wait_written(name, f"{name} out", f"{name} err")
    wait_until(lambda: "two err" in (folder / "two.log").read_text(), "its line in the file")
    text = (folder / "one.log").read_text()
    assert "one out" in text and "one err" in text and "Program ready" in text and "two" not in text
    own = (folder / "wsd.log").read_text()
    assert "Program ready" in own and "one out" not in own

    said = pm.ctl("flush", "one").stdout
    assert said.startswith("Forgotten of one: 2 lines in memory, 1 file (")
    assert pm.written("one") == [] and not (folder / "one.log").exists()
    assert "two out" in pm.written("two") and (folder / "two.log").exists()
    assert "one:1" in pm.refused("/v1/logs/flush", {"targets": ["one:1"]})[1]
    pm.do("delete", "two")
    assert json.loads(pm.ctl("flush", "--json").stdout)["files"] >= 1
    assert sorted(file.name for file in folder.iterdir()) == ["wsd.log"]


def test_a_flood_is_rotated_and_nothing_is_lost():
    count = 60_000
    config = "log: {fileMaxSize: 1MiB, fileKeep: 100}\n"
    with Manager(config=config) as pm:
        pm.add("flood", [PYTHON, "-S", "-c", FLOOD.format(lines=count)])
        folder = pm.directory / "state" / "logs"
        last = folder / "flood.log"
        # While one is rotated away there is none.
        wait_until(lambda: last.exists() and "done" in last.read_text()[-500:], "the end of the flood", 60)
        numbers = [int(line.split("line ")[1].split()[0]) for line in lines_of(folder, "flood") if "of a flood" in line]
        assert numbers == list(range(1, count + 1))
        assert all(file.stat().st_size <= 1 << 20 for file in folder.iterdir())
        assert len(list(folder.glob("flood.log.*.gz"))) > 3


def test_logs_are_followed_over_a_restart_of_wsd(tmp_path):
    service = Wsd(workers=1, directory=tmp_path)
    follower = subprocess.Popen(
        [str(BIN / "wsctl"), "logs", "-f", "--json", "--socket", str(service.control)], stdout=subprocess.PIPE,
        stderr=subprocess.PIPE, text=True, preexec_fn=lambda: signal.signal(signal.SIGINT, signal.SIG_DFL))
    try:
        first = service.pid
        assert json.loads(follower.stdout.readline())["pid"] == first
        os.kill(first, signal.SIGKILL)
        service.close()
        service = Wsd(workers=1, directory=tmp_path)
        while (entry := json.loads(follower.stdout.readline()))["pid"] != service.pid:
            pass
        assert entry["sequence"] == 1
        assert follower.stderr.readline() == "wsctl: the service ended the stream; waiting for it to come back.\n"
        assert follower.stderr.readline() == f"wsctl: wsd is back (pid {service.pid}).\n"
    finally:
        follower.send_signal(signal.SIGINT)
        follower.wait(5)
        service.close()
