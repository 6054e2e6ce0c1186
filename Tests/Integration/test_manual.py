"""Man pages and completions, as scripts/manual writes them: by the programs that read them."""

import atexit
import os
import pty
import re
import select
import shutil
import subprocess
import tempfile
import time

import pytest

from harness import BIN, ROOT

PAGES = ("wsd.8", "wsctl.1", "wsd.yaml.5")
# Shells and man write into HOME.
HOME = tempfile.mkdtemp(prefix="wsd-manual-")
atexit.register(shutil.rmtree, HOME, ignore_errors=True)
ENVIRONMENT = {"PATH": f"{BIN}:{os.environ['PATH']}", "LC_ALL": "C.UTF-8", "TERM": "dumb", "HOME": HOME}


@pytest.fixture(scope="module")
def manual(tmp_path_factory):
    out = tmp_path_factory.mktemp("manual")
    subprocess.run([ROOT / "scripts" / "manual", out], check=True, timeout=120, env={**os.environ, "WSD_BIN": str(BIN)})
    return out


def said(*command, **options):
    return subprocess.run(command, capture_output=True, text=True, timeout=60, env=ENVIRONMENT, **options)


def read(manual, page):
    """A page as a reader sees it, its lines joined: a name is never torn apart, a sentence is."""
    shown = subprocess.run(["man", "-E", "UTF-8", "-l", manual / "man" / page], capture_output=True, text=True, timeout=60,
                           env={**ENVIRONMENT, "MANWIDTH": "80", "MANPAGER": "cat", "GROFF_NO_SGR": "1"}).stdout
    return re.sub(r"\s+", " ", re.sub(r".\x08", "", shown))


def words(text):
    """Names of a page: without what a sentence puts around them."""
    return {word.strip("[],.;:()") for word in text.split()} | set(text.split())


@pytest.mark.parametrize("page", PAGES)
def test_pages_are_without_a_warning(manual, page):
    file = manual / "man" / page
    # The way lintian asks.
    shown = subprocess.run(["man", "--warnings", "-E", "UTF-8", "-l", "-Tutf8", "-Z", file], capture_output=True, text=True,
                           timeout=60, env={**ENVIRONMENT, "MANROFFSEQ": "", "MANWIDTH": "80"})
    assert shown.returncode == 0 and not shown.stderr, shown.stderr
    strict = said("groff", "-mandoc", "-ww", "-z", "-Tutf8", str(file))
    assert strict.returncode == 0 and not strict.stderr, strict.stderr
    # What is not ASCII is written out: an old man shows it, too.
    file.read_text(encoding="ascii")
    name, section = page.rsplit(".", 1)
    parsed = said("lexgrog", str(file))
    assert re.search(rf'"{re.escape(name)} - .+"', parsed.stdout), parsed


def test_every_option_of_wsd_is_in_its_page(manual):
    options = set(re.findall(r"(?<![\w-])--?[a-z][a-z-]*", said(BIN / "wsd", "--help").stdout.partition("OPTIONS:\n")[2]))
    assert {"--config", "-c", "--check-config", "--help"} <= options
    assert options <= words(read(manual, "wsd.8")), options - words(read(manual, "wsd.8"))


def commands_of_wsctl():
    listed = re.findall(r"^  ([a-z-]+)(?:, [a-z-]+)* {2,}", said(BIN / "wsctl", "--help").stdout.partition("SUBCOMMANDS:\n")[2], re.MULTILINE)
    assert {"status", "logs", "doctor", "key"} <= set(listed)
    return [[name] for name in listed] + [["key", "new"], ["key", "hash"]]


def test_every_command_of_wsctl_is_in_its_page_with_its_options(manual):
    page = read(manual, "wsctl.1")
    for command in commands_of_wsctl():
        text = said(BIN / "wsctl", *command, "--help").stdout
        assert f"wsctl {' '.join(command)}" in page, command
        # From its heading to the next command's synopsis behind its own.
        part = re.search(rf" {' '.join(command)} (?=wsctl {' '.join(command)}\b|[A-Z]).*?(?= wsctl [a-z]+ [A-Z]| EXIT STATUS)", page)
        options = re.findall(r"^  (-.*?)(?:  |$)", text.partition("OPTIONS:\n")[2], re.MULTILINE)
        for option in re.findall(r"(?<![\w-])--?[a-z][a-z-]*", " ".join(options)):
            where = page if option in ("--socket", "--json", "--version", "-h", "--help") else page[part.start():]
            assert option in words(where), (command, option)
        abstract = text.partition("OVERVIEW: ")[2].partition("\n\n")[0]
        assert " ".join(abstract.split()) in page, abstract


def test_every_key_of_the_configuration_is_in_its_page_with_its_variable(manual):
    page = read(manual, "wsd.yaml.5")
    keys = re.findall(r"^([A-Za-z.]+): ", said(BIN / "wsd", "--print-config", cwd=manual).stdout, re.MULTILINE)
    example = said(BIN / "wsd", "--print-example-config").stdout
    variables = re.findall(r"Variable: (WSD_\w+)", example)
    assert len(keys) > 100 and "websocket.pingInterval" in keys and "rooms.rules" in keys and len(variables) > 80
    known = words(page)
    missing = [name for name in [*keys, *variables] if name not in known]
    assert not missing
    # The sentences are those of the example file, where they are broken into lines of comments.
    sentences = " ".join(line.strip().removeprefix("#").strip() for line in example.splitlines())
    for sentence in ("A client that is silent this long is pinged.", "Clients are closed (code 1001) evenly over this time."):
        assert sentence in sentences and sentence in page
    # Entries of lists have keys of their own.
    for name in ("publishNeedsMembership", "sha256"):
        assert name in known


def test_what_pages_name_exists(manual):
    keys = set(re.findall(r"^([A-Za-z.]+): ", said(BIN / "wsd", "--print-config", cwd=manual).stdout, re.MULTILINE))
    sections = {key.rpartition(".")[0] for key in keys}
    for page in ("wsd.8", "wsctl.1"):
        for name in re.findall(r"\\%([a-z]+\.[a-zA-Z]+(?:\.[a-zA-Z]+)?)\\fR", (manual / "man" / page).read_text()):
            section = name.rpartition(".")[0]
            assert section not in sections or name in keys, (page, name)
    for path in re.findall(r"(?:\.service|@\.service|\.socket)", (manual / "man" / "wsd.8").read_text()):
        assert (ROOT / "systemd" / f"wsd{path}").exists()


# -- completions, by the shells themselves

class Terminal:
    """A shell on a terminal, at which somebody types."""

    def __init__(self, command, directory):
        self.pid, self.descriptor = pty.fork()
        if self.pid == 0:
            os.chdir(directory)
            os.execvpe(command[0], command, {**ENVIRONMENT, "COLUMNS": "200", "LINES": "100"})
        self.seen = ""

    def type(self, text):
        os.write(self.descriptor, text.encode())

    def read(self, done, timeout=20):
        """Reads until done(what was read); returns that."""
        deadline = time.monotonic() + timeout
        while not done(self.seen):
            left = deadline - time.monotonic()
            assert left > 0, f"not within {timeout} s: {self.seen!r}"
            if select.select([self.descriptor], [], [], min(left, 0.5))[0]:
                self.seen += os.read(self.descriptor, 65536).decode(errors="replace")
        seen, self.seen = self.seen, ""
        return seen

    def run(self, line):
        """A command without output of interest."""
        self.type(f"{line}; echo do''ne\r")
        self.read(lambda seen: "done" in seen)

    def close(self):
        os.close(self.descriptor)
        os.kill(self.pid, 9)
        os.waitpid(self.pid, 0)


COMPLETED = {
    "wsctl re": ["reload", "restart", "reset"],
    "wsctl ": ["status", "logs", "scale", "start", "list", "key", "doctor"],
    "wsctl logs --": ["--follow", "--worker", "--grep", "--socket"],
    "wsctl logs --level ": ["trace", "notice", "critical"],
    "wsctl key ": ["new", "hash"],
    "wsd --": ["--config", "--listen", "--prod", "--check-config"],
    "wsd --log-format ": ["text", "json", "auto"],
    "wsd --config ": ["mine.yaml"],
}


def offered(seen, word):
    """Whether a word stands by itself in what a terminal showed."""
    plain = re.sub(r"\x1b\[[?0-9;]*[a-zA-Z]|[\x07\x08]", " ", seen)
    return re.search(rf"(?:^|\s){re.escape(word)}(?=$|[\s=,)])", plain, re.MULTILINE)


@pytest.fixture
def folder(tmp_path):
    (tmp_path / "mine.yaml").write_text("")
    (tmp_path / "other.txt").write_text("")
    return tmp_path


def complete_on_terminal(shell, line, expected):
    shell.type(line + "\t\t")
    seen = shell.read(lambda seen: all(offered(seen, word) for word in expected))
    # Ctrl-U, and a command: whatever the shell still writes belongs to this one.
    shell.type("\x15")
    shell.run(":")
    return seen


@pytest.mark.parametrize("name", ["bash", "zsh"])
def test_completions_on_a_terminal(manual, folder, name):
    assert shutil.which(name), f"install {name}: scripts/test does"
    completions = manual / "completions"
    assert said(name, "-n", completions / ("wsctl.bash" if name == "bash" else "_wsctl")).stderr == ""
    shell = Terminal(["bash", "--norc", "--noprofile", "-i"] if name == "bash" else ["zsh", "-f", "-i"], folder)
    try:
        if name == "bash":
            shell.run("bind 'set completion-query-items 0'; bind 'set show-all-if-ambiguous on'; bind 'set page-completions off'")
            shell.run(f"source {completions}/wsd.bash; source {completions}/wsctl.bash")
        else:
            shell.run("unsetopt zle_bracketed_paste; LISTMAX=0; zstyle ':completion:*' list-prompt ''")
            shell.run(f"fpath=({completions} $fpath); autoload -Uz compinit; compinit -u -D")
        for line, expected in COMPLETED.items():
            seen = complete_on_terminal(shell, line, expected)
            assert "other.txt" not in seen, (line, seen)
            if line == "wsd --":
                assert "print-config-reference" not in seen, seen
            if name == "zsh" and line == "wsctl re":
                assert "Read the configuration again" in seen, seen
    finally:
        shell.close()


def test_completions_in_fish(manual, folder):
    assert shutil.which("fish"), "install fish: scripts/test does"
    completions = manual / "completions"
    script = f"source {completions}/wsd.fish; source {completions}/wsctl.fish; complete -C $argv[1]"
    for line, expected in COMPLETED.items():
        shown = said("fish", "--no-config", "-c", script, line, cwd=folder)
        assert shown.stderr == "", shown.stderr
        offers = dict(entry.partition("\t")[::2] for entry in shown.stdout.splitlines())
        assert set(expected) <= set(offers), (line, offers)
        assert "other.txt" not in offers
        if line in ("wsctl ", "wsctl logs --", "wsd --"):
            # Whoever reads them wants a sentence.
            assert all(re.search(r"^[A-Za-z].{10,}\.$", offers[word]) for word in expected if offers[word]), offers
            assert all(offers[word] for word in expected), offers


def test_wsd_offers_no_command_that_it_does_not_have(manual, folder):
    script = f"source {manual}/completions/wsd.fish; complete -C 'wsd '"
    assert "help" not in said("fish", "--no-config", "-c", script, cwd=folder).stdout.split()
    script = f"source {manual}/completions/wsd.bash; compopt() {{ :; }}; COMP_WORDS=(wsd ''); COMP_CWORD=1; COMP_LINE='wsd '; " \
             "COMP_POINT=4; _wsd wsd '' wsd; printf '%s\\n' \"${COMPREPLY[@]}\""
    offers = said("bash", "--norc", "-c", script, cwd=folder).stdout.split()
    assert "help" not in offers, offers
