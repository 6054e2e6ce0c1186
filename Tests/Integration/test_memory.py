"""The memory of the service's control group: what is seen of it, and a kill by the kernel. In a real systemd, with whatever
memory controller the machine has."""

import json
import re

import pytest

from harness import wait_until
from systemdbox import SYSTEMDS, shared_box

MIB = 1024 * 1024

# Joins a control group and takes memory until the kernel kills somebody there.
BALLOON = r"""
my ($group, $counts) = @ARGV;
sub put { my ($path, $text) = @_; open(my $file, ">", $path) or die "$path: $!"; print $file $text; close($file) or die "$path: $!" }
sub kills { open(my $file, "<", "$group/$counts") or die $!; return (map { /^oom_kill (\d+)/ ? $1 : () } <$file>)[0] }
put("$group/cgroup.procs", $$);
my $before = kills();
my @held;
for (1 .. 1000) {
    push @held, "x" x (1 << 20);
    exit 0 if kills() > $before;
}
die "nobody was killed";
"""


@pytest.fixture(scope="module")
def box():
    machine = shared_box(SYSTEMDS[0])
    machine.installed()
    return machine


@pytest.fixture(autouse=True)
def afresh(box):
    box.run("systemctl", "stop", "wsd.socket", "wsd")
    box.run("systemctl", "reset-failed", check=False)
    box.run("sh", "-c", "rm -rf /etc/wsd/* /etc/systemd/system/wsd*.d /var/lib/wsd/programs.json")
    box.run("systemctl", "daemon-reload")


def group_of(box):
    """The directory of the service's group, and the file in it that counts kills."""
    path = box.show("ControlGroup")
    for root, file, counts in (("", "memory.current", "memory.events"), ("/unified", "memory.current", "memory.events"),
                               ("/memory", "memory.usage_in_bytes", "memory.oom_control")):
        if box.tried("test", "-e", f"/sys/fs/cgroup{root}{path}/{file}")[0] == 0:
            return f"/sys/fs/cgroup{root}{path}", counts
    pytest.skip("no memory controller in the box")


def status(box):
    return json.loads(box.run("wsctl", "status", "--json", check=False))


def test_the_units_limits_are_seen(box):
    box.start()
    group_of(box)
    total = int(re.search(r"MemTotal: +(\d+) kB", box.run("cat", "/proc/meminfo"))[1]) * 1024
    memory = status(box)["memory"]
    assert memory["max"] == pytest.approx(total * 0.9, rel=0.01)
    assert 0 < memory["workingSet"] <= memory["usage"] < total
    assert memory["events"] == {"low": 0, "high": 0, "max": 0, "oom": 0, "oomKills": 0}
    assert "memory  " not in box.run("wsctl", "status"), "nothing to say"
    assert re.search(r"ok +Memory: .* of .* \(Memory(High|Max)\)\.", box.tried("wsctl", "doctor")[1])


def test_the_supervisor_is_killed_last(box):
    if box.tried("sh", "-c", "echo -1 >/proc/self/oom_score_adj")[0]:
        pytest.skip("nobody here may protect a process (CAP_SYS_RESOURCE)")
    box.start()
    scores = [int(box.run("cat", f"/proc/{p['pid']}/oom_score_adj")) for p in status(box)["processes"]]
    assert scores[0] == -500 and set(scores[1:]) == {0}, scores


def test_a_worker_that_the_kernel_kills(box):
    box.configure("workers: { count: 2 }\n")
    box.drop_in("memory", f"[Service]\nMemoryHigh=infinity\nMemoryMax={256 * MIB}\n")
    box.start()
    group, counts = group_of(box)
    before = {p["name"]: p["pid"] for p in status(box)["processes"]}
    assert status(box)["memory"]["max"] == 256 * MIB
    # The kernel would take the largest; this one is to be it.
    box.run("sh", "-c", f"echo 1000 >/proc/{before['worker 2']}/oom_score_adj")
    # The kernel may go on to kill this one, too, before the worker's memory is free.
    code, text = box.tried("perl", "-e", BALLOON, group, counts)
    assert code in (0, -9, 137), text
    wait_until(lambda: status(box)["processes"][3].get("memoryKills") and status(box)["health"] == "ok", "the successor", 20, 0.1)
    found = status(box)
    after = {p["name"]: p for p in found["processes"]}
    assert {name: p["pid"] for name, p in after.items() if name != "worker 2"} == \
        {name: pid for name, pid in before.items() if name != "worker 2"}
    assert after["worker 2"]["lastExit"] == "was killed by the kernel for memory"
    kills = found["memory"]["events"]["oomKills"]
    assert after["worker 2"]["memoryKills"] == 1 and kills == (1 if code == 0 else 2)
    spoken = "1 process" if kills == 1 else f"{kills} processes"
    assert f"{spoken} killed by the kernel" in box.run("wsctl", "status")
    code, doctor = box.tried("wsctl", "doctor")
    assert code == 1 and f"The kernel killed {spoken} for memory: worker 2 (1 time)." in doctor
    metrics = box.run("curl", "-fs", "--unix-socket", "/run/wsd/control.sock", "http://wsd/metrics")
    assert 'wsd_process_memory_kills_total{process="worker 2"} 1' in metrics
    assert f'wsd_cgroup_memory_events_total{{event="oom_kill"}} {kills}' in metrics
    told = box.entries("WSD_WORKER=2", "-p", "err")
    assert any(e["MESSAGE"].startswith("The kernel killed a process of the service for memory") and
               e["WSD_PROCESS_PID"] == str(before["worker 2"]) for e in told), told
    if kills == 2:
        # That of the other process is looked for among the service's for some seconds.
        wait_until(lambda: "run beside the service" in box.journal("-p", "err"), "the stranger in the journal", 20, 0.2)
    # A kill by somebody else is none by the kernel.
    box.run("kill", "-KILL", str(after["worker 1"]["pid"]))
    wait_until(lambda: status(box)["processes"][2].get("lastExit") == "was killed by SIGKILL", "the end of worker 1", 20, 0.1)
    assert status(box)["memory"]["events"]["oomKills"] == kills
