"""wsctl monit in a terminal of its own, as a person has it: tmux shows what stands there."""

import fcntl
import json
import os
import re
import shutil
import signal
import struct
import subprocess
import tempfile
import termios
import time
from pathlib import Path

import pytest

from harness import BIN, alive, cpu_seconds, wait_until
from programs import Manager, PYTHON, shell

if not shutil.which("tmux"):
    pytest.skip("tmux is missing", allow_module_level=True)

PROMPT = "ready>"
FLOOD = "import sys, time\nn = 0\nwhile True:\n    for _ in range(100):\n        n += 1; print('flood', n)\n    sys.stdout.flush(); time.sleep(0.01)\n"


class Screen:
    """A shell in a terminal of so many columns and rows."""

    def __init__(self, columns=80, rows=24, **environment):
        self.folder = tempfile.mkdtemp(prefix="wsd-tmux-")
        self.server = ["tmux", "-S", f"{self.folder}/tmux.sock", "-f", "/dev/null"]
        environment = {"PATH": os.environ["PATH"], "HOME": self.folder, "LC_ALL": "C.UTF-8", "PS1": "$? " + PROMPT, **environment}
        words = [f"{name}={value}" for name, value in environment.items()]
        # The shell's TERM is tmux's own.
        subprocess.run([*self.server, "-u", "new-session", "-d", "-x", str(columns), "-y", str(rows), "env", *words,
                        "bash", "--norc", "--noprofile", "-i"], check=True, env={"PATH": os.environ["PATH"], "TERM": "xterm"})
        self.wait(PROMPT)

    def tmux(self, *words):
        return subprocess.run([*self.server, *words], check=True, capture_output=True, text=True, timeout=10).stdout

    def keys(self, *keys):
        self.tmux("send-keys", *keys)

    def type(self, text):
        self.tmux("send-keys", "-l", text)

    def lines(self, *options):
        return self.tmux("capture-pane", "-p", *options).split("\n")[:-1]

    def text(self, *options):
        return "\n".join(self.lines(*options))

    def wait(self, *words, timeout=10):
        try:
            return wait_until(lambda: all(word in (text := self.text()) for word in words) and text, words, timeout)
        except AssertionError:
            print(self.text())
            raise

    def state(self):
        """Which screen it is, whether the cursor is to be seen, whether lines wrap."""
        return self.tmux("display-message", "-p", "#{alternate_on} #{cursor_flag} #{wrap_flag}").strip()

    def run(self, command):
        """What a command printed."""
        self.keys("C-l")
        out = Path(self.folder, "out")
        out.unlink(missing_ok=True)
        self.type(f"{command} > {out}.new; mv {out}.new {out}")
        self.keys("Enter")
        return wait_until(lambda: out.exists() and out.read_text(), command)

    def monit(self, service, *words):
        """Starts it; returns its pid. The next prompt has its status."""
        self.type(f"{BIN}/wsctl monit --socket {service.control}")
        self.keys("Enter")
        self.wait("CPU%", *words)
        self.pid = next(int(p) for p in os.listdir("/proc") if p.isdigit() and self.is_monit(p, service))
        return self.pid

    @staticmethod
    def is_monit(pid, service):
        try:
            words = Path(f"/proc/{pid}/cmdline").read_bytes().split(b"\0")
        except OSError:
            return False
        return words[0].endswith(b"/wsctl") and str(service.control).encode() in words

    def rows(self):
        """The list, without the headings."""
        lines = self.lines()[3:]
        return lines[:next(i for i, line in enumerate(lines) if "log of" in line)]

    def is_selected(self, name):
        return any(row.startswith(("›", ">")) and row[1:].strip().startswith(f"{name} ") for row in self.rows())

    def select(self, name):
        at = wait_until(lambda: next((i + 1 for i, row in enumerate(self.rows()) if row[1:].strip().startswith(f"{name} ")), None),
                        f"a row {name}")
        self.keys("Home", *["Down"] * (at - 1))
        wait_until(lambda: self.is_selected(name), f"{name} selected")

    def close(self):
        subprocess.run([*self.server, "kill-server"], capture_output=True)
        shutil.rmtree(self.folder, ignore_errors=True)


@pytest.fixture(scope="module")
def service():
    """Two workers and three programs."""
    programs = [
        {"name": "talker", "command": shell("echo first words; exec sleep 1000")},
        {"name": "pair", "command": ["sleep", "1000"], "instances": 2},
    ]
    with Manager(programs, workers=2) as service:
        service.add("broken", shell("echo it went wrong >&2; exit 3"), succeeds=False, restartDelay="5m", restartMaxDelay="5m")
        yield service


@pytest.fixture
def screen():
    opened = []

    def open_screen(*args, **more):
        opened.append(Screen(*args, **more))
        return opened[-1]
    yield open_screen
    for one in opened:
        one.close()


def test_everything_is_on_80_by_24(service, screen):
    s = screen()
    s.monit(service, "supervisor", "hub", "worker 1", "worker 2", "talker", "pair:1", "pair:2", "broken", "backoff")
    lines = s.lines()
    assert len(lines) == 24 and "degraded" in lines[0] and "0 clients" in lines[0]
    assert lines[23].startswith("l log") and lines[23].rstrip().endswith("q quit")
    s.select("broken")
    s.wait("! ", "exited with 3: it went wrong", "log of broken")
    s.select("talker")
    s.wait("log of talker", "first words")
    s.keys("l")
    s.wait("l back")
    assert "supervisor ready" not in s.text()
    s.keys("Escape")
    s.wait("worker 2")
    s.keys("?")
    s.wait("draw again")
    s.keys("x")
    s.wait("worker 2")
    s.type("/pair:")
    s.keys("Enter")
    wait_until(lambda: "talker" not in s.text(), "only what matches")
    s.wait("pair:1", "filter “pair:”")
    s.keys("Escape")
    s.wait("talker")
    s.type("sss")
    s.wait("*RESTARTS")


def test_programs_are_stopped_started_and_restarted(service, screen):
    s = screen(100, 30)
    s.monit(service, "talker")
    s.select("talker")
    pid = service.pid_of("talker")
    s.keys("x")
    s.wait("Stop talker? y/n")
    s.keys("n")
    s.wait("Nothing was done")
    assert alive(pid)
    s.keys("x", "y")
    s.wait("stop talker: ", "stopped")
    assert service.state("talker") == "stopped" and not alive(pid)
    s.keys("S")
    s.wait("start talker: ")
    pid = service.wait_ready("talker")
    s.keys("r")
    s.wait("restart talker: ")
    service.wait_ready("talker", besides=pid)
    s.select("hub")
    s.keys("r")
    s.wait("only workers and programs")


def test_the_size_may_change(service, screen):
    s = screen()
    s.monit(service, "talker")
    for columns, rows in [(120, 40), (60, 15), (30, 5), (200, 50), (80, 24)]:
        s.tmux("resize-window", "-x", str(columns), "-y", str(rows))
        if rows < 10:
            s.wait("Too small")
            continue
        def is_whole(rows=rows):
            lines = s.lines()
            counts = [sum(word in line for line in lines) for word in ("wsd 0", "*NAME", "log of everything", "l log")]
            return len(lines) == rows and lines[-1].startswith("l log") and counts == [1, 1, 1, 1]
        wait_until(is_whole, f"{columns}×{rows}")


ENDS = {"q": lambda s: s.keys("q"), "ctrl-c": lambda s: s.keys("C-c"),
        **{name: lambda s, name=name: os.kill(s.pid, getattr(signal, name))
           for name in ("SIGTERM", "SIGHUP", "SIGINT", "SIGQUIT", "SIGSEGV", "SIGABRT", "SIGILL", "SIGTRAP")}}


@pytest.mark.parametrize("how", ENDS)
def test_the_terminal_is_as_before_however_it_ends(service, screen, how):
    s = screen()
    before = s.run("stty -g"), s.state()
    s.keys("C-l")
    s.type("echo what stood here")
    s.keys("Enter")
    s.monit(service)
    assert s.state() == "1 0 0"
    ENDS[how](s)
    status = 0 if how in ("q", "ctrl-c") else 128 + getattr(signal, how)
    text = s.wait("what stood here", f"{status} {PROMPT}")
    assert "CPU%" not in text and not alive(s.pid)
    assert (s.run("stty -g"), s.state()) == before


def test_ctrl_z_and_back(service, screen):
    s = screen()
    s.monit(service)
    s.keys("C-z")
    s.wait("Stopped", PROMPT)
    assert s.state() == "0 1 1"
    s.type("fg")
    s.keys("Enter")
    s.wait("CPU%", "q quit")
    # Something may stop it that does not ask.
    os.kill(s.pid, signal.SIGSTOP)
    s.wait("Stopped")
    s.type("fg")
    s.keys("Enter")
    s.wait("CPU%", "q quit")
    s.keys("q")
    s.wait(f"0 {PROMPT}")
    assert s.state() == "0 1 1"


def test_in_the_background_it_waits_for_the_front(service, screen):
    s = screen()
    s.type(f"{BIN}/wsctl monit --socket {service.control} &")
    # A shell tells it with its next prompt.
    wait_until(lambda: s.keys("Enter") or "Stopped" in s.text(), "stopped", step=0.1)
    assert s.state() == "0 1 1"
    s.type("fg")
    s.keys("Enter")
    s.wait("CPU%", "q quit")
    s.keys("q")
    s.wait(f"0 {PROMPT}")


def test_the_service_goes_and_comes_back(screen):
    s = screen()
    with Manager([{"name": "talker", "command": shell("echo words; exec sleep 1000")}]) as first:
        s.monit(first, "talker")
        s.select("talker")
        s.wait("words")
        os.kill(first.pid, signal.SIGKILL)
        s.wait("away", "! wsd does not run.")
        # What it last said can still be read.
        assert "words" in s.text()
        with Manager([{"name": "talker", "command": shell("echo other; exec sleep 1000")}], directory=first.directory):
            s.wait(" ok ", "talker", "other")
            s.select("wsd")
            s.keys("x", "y")
            s.wait("stop: wsd has ended")
    s.keys("q")
    s.wait(f"0 {PROMPT}")


@pytest.mark.parametrize("how", ["SIGTERM", "hang-up"])
def test_a_terminal_that_takes_nothing_does_not_hold_it(screen, how):
    with Manager([{"name": "flood", "command": [PYTHON, "-c", FLOOD]}]) as service:
        ours, its = os.openpty()
        # Frames that fill it within a second.
        fcntl.ioctl(ours, termios.TIOCSWINSZ, struct.pack("HHHH", 200, 500, 0, 0))
        process = subprocess.Popen([BIN / "wsctl", "monit", "--socket", str(service.control)], stdin=its, stdout=its, stderr=its,
                                   start_new_session=True, env={"PATH": os.environ["PATH"], "TERM": "xterm"})
        os.close(its)
        assert os.read(ours, 1)
        time.sleep(2)
        if how == "SIGTERM":
            process.terminate()
            assert process.wait(5) == -signal.SIGTERM
        os.close(ours)
        process.wait(5)


def test_connections_do_not_pile_up_when_the_selection_moves(service, screen):
    s = screen()
    pid = s.monit(service, "talker")
    s.keys(*["Down", "Down", "Up"] * 40)
    s.select("talker")
    s.wait("log of talker", "first words")
    # One connection for the log, one for the status; the others are closed.
    wait_until(lambda: len(os.listdir(f"/proc/{pid}/fd")) < 20, "few descriptors")


def test_without_colour_and_without_utf8(service, screen):
    s = screen(NO_COLOR="1", LC_ALL="C")
    s.monit(service, "talker")
    s.select("broken")
    text = s.text("-e")
    assert text.isascii() and not re.search(r"\x1b\[[\d;]*3[0-7]m", text) and "\x1b[7m" in text
    coloured = screen()
    coloured.monit(service, "talker")
    text = coloured.text("-e")
    assert "\x1b[32m" in text and not text.isascii()


def test_it_needs_a_terminal(service, screen):
    for arguments, word in [(["monit"], "needs a terminal"), (["monit", "--json"], "status --json")]:
        result = service.ctl(*arguments, check=False)
        assert result.returncode == 64 and word in result.stderr and not result.stdout
    s = screen()
    s.type(f"TERM=dumb {BIN}/wsctl monit --socket {service.control}")
    s.keys("Enter")
    s.wait("use `wsctl status`", f"64 {PROMPT}")
    s.keys("C-l")
    s.type(f"{BIN}/wsctl monit --socket {s.folder}/none.sock")
    s.keys("Enter")
    s.wait("wsd is not running", f"3 {PROMPT}")


def test_a_flood_is_shown_live_and_rest_costs_little(screen):
    with Manager([{"name": "flood", "command": [PYTHON, "-c", FLOOD], "autostart": False}]) as service:
        s = screen()
        pid = s.monit(service, "flood")
        s.select("flood")
        s.wait("log of flood")
        before = cpu_seconds(pid)
        time.sleep(2)
        rest = (cpu_seconds(pid) - before) / 2
        assert rest < 0.03, rest
        s.keys("S")
        s.wait("flood 20", timeout=30)
        before = cpu_seconds(pid)
        time.sleep(2)
        share = (cpu_seconds(pid) - before) / 2

        def behind():
            shown = max(int(line.split()[-1]) for line in s.lines() if " flood " in line and line.split()[-1].isdigit())
            entries = service.call("GET", "/v1/logs?program=flood&lines=1")[1]
            return int(entries[-1]["message"].split()[-1]) - shown
        # Within a second of what is written (about 10,000 lines in it).
        assert min(behind() for _ in range(3)) < 10_000
        start = time.monotonic()
        s.keys("?")
        s.wait("draw again", timeout=2)
        print(json.dumps({"rest": rest, "flood": share, "key": time.monotonic() - start}))
        s.keys("q", "q")
        s.wait(f"0 {PROMPT}")
