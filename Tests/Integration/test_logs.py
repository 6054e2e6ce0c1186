"""Log files of programs, what becomes of them, and `wsctl logs` over restarts."""

import contextlib
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
    # `.wsd-logs` names those that are wsd's.
    assert sorted(file.name for file in folder.iterdir()) == [".wsd-logs", "wsd.log"]


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


def test_logs_of_several_names(pm):
    for name in ("api", "web", "job"):
        pm.add(name, ["sh", "-c", f"echo {name} out $WSD_NUMBER; echo {name} err >&2; exec sleep 1000"], instances=2)
        pm.wait_written(name, f"{name} out 1", f"{name} out 2", f"{name} err", f"{name} err")

    def shown(*args):
        return sorted(line["message"] for line in pm.json_lines("logs", *args) if line.get("stream"))

    assert shown("api", "web:2") == ["api err", "api err", "api out 1", "api out 2", "web err", "web out 2"]
    assert shown("1", "3", "--err") == ["api err", "api err", "job err", "job err"]
    assert shown("job:1", "hub", "--out") == ["job out 1"]
    assert len(shown("api", "job", "-n", "3")) <= 3 and len(shown("all", "--out")) == 6
    about = {line["fields"]["process.name"] for line in pm.json_lines("logs", "web:2") if line["source"] == "supervisor"}
    assert about == {"web:2"}

    for typed, words in [("apo", "There is no program “apo”. `wsctl list` shows those there are. Did you mean api?"),
                         ("supervizor", "Did you mean supervisor?"), ("web:9", "web has no process 9."), ("9", "“9”"),
                         ("worker:1", "There is no worker 1.")]:
        refused = pm.ctl("logs", "api", typed, check=False)
        assert refused.returncode == 2 and words in refused.stderr and not refused.stdout, refused
        assert pm.ctl("logs", "-f", typed, check=False).returncode == 2
    # What is gone is known as long as lines of it are kept.
    pm.do("delete", "web")
    assert shown("web", "--out") == ["web out 1", "web out 2"] and shown("web:1", "--out") == ["web out 1"]
    pm.ctl("flush")
    assert "Program" in pm.ctl("logs", "web").stdout, "what the supervisor said about it is kept"


COUNTER = """
import itertools, sys, time
for number in itertools.count():
    print("number", number, flush=True)
    time.sleep(0.002)
"""


@contextlib.contextmanager
def following(service, *args):
    """Lines of a command that follows, as JSON; ended at the end."""
    follower = subprocess.Popen(
        [str(BIN / "wsctl"), *args, "-f", "--json", "--socket", str(service.control)], stdout=subprocess.PIPE,
        stderr=subprocess.PIPE, text=True, preexec_fn=lambda: signal.signal(signal.SIGINT, signal.SIG_DFL))
    try:
        yield map(json.loads, follower.stdout)
    finally:
        follower.send_signal(signal.SIGINT)
        assert follower.communicate(timeout=5)[1] == "", "nobody reads remarks here"


def test_what_follows_goes_on_when_another_program_takes_over(pm):
    pm.add("counter", [PYTHON, "-S", "-c", COUNTER])
    pm.add("quiet", ["sleep", "1000"])
    pid = pm.pid_of("counter")
    with following(pm, "logs", "counter") as lines, following(pm, "logs", "quiet", "-n", "0") as quiet, \
            following(pm, "events", "--count", "0") as events, following(pm, "stats") as stats:
        next(lines), next(stats)
        for times in range(1, 4):
            said = pm.ctl("upgrade").stdout.splitlines()[-1]
            assert said.startswith("wsd ") and f", pid {pm.pid}, nothing was stopped (" in said, said
            assert pm.call("GET", "/v1/version")[1]["takeovers"] == times
            pm.ctl("stop", "quiet") if times % 2 else pm.ctl("start", "quiet")
        newest = pm.call("GET", "/v1/logs?target=counter&stream=out&lines=1")[1][-1]["message"]
        seen = []
        for line in lines:
            seen.append(line)
            if line["message"] == newest:
                break
        numbers = [int(line["message"].split()[1]) for line in seen if line.get("stream")]
        assert numbers == list(range(numbers[0], numbers[0] + len(numbers))), "all, in order, and each once"
        sequences = [line["sequence"] for line in seen]
        assert sequences == sorted(set(sequences))
        told = []
        while [event["type"] for event in told].count("stop.finished") < 2:
            told.append(next(events))
        assert [event["type"] for event in told].count("start.finished") == 1
        assert [event["sequence"] for event in told] == sorted({event["sequence"] for event in told})
        about = [next(quiet)["sequence"] for _ in range(6)]
        assert about == sorted(set(about))
        next(stats)
    assert pm.pid_of("counter") == pid
