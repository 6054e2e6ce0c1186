"""The image of deploy/Dockerfile without a container engine: its last stage as a folder, run with the kernel's own means
(namespaces of processes and mounts, a read-only root, tmpfs), as docker run --read-only --tmpfs /run/wsd does."""

import atexit
import contextlib
import functools
import json
import os
import re
import shlex
import shutil
import signal
import subprocess
import tempfile
from pathlib import Path

from harness import BIN, ROOT, wait_until

DOCKERFILE = ROOT / "deploy" / "Dockerfile"
# What debian:bookworm-slim has of its own that is needed here: the C library with the loader, a shell (for HEALTHCHECK and RUN),
# coreutils with its libraries, and the two libraries that apt itself is linked to.
BASE = ("libc6", "dash", "coreutils", "libgcc-s1", "libstdc++6", "libselinux1", "libpcre2-8-0", "libacl1", "libattr1", "libgmp10")


def instructions(text):
    """(instruction, rest) of a Dockerfile, lines that go on joined."""
    lines = [line for line in text.splitlines() if not line.lstrip().startswith("#")]
    joined = re.sub(r"\\\n\s*", " ", "\n".join(lines))
    return [tuple(line.split(None, 1)) for line in joined.splitlines() if line.strip()]


def image(target=None):
    """What the instructions of a stage, and of those that it builds on, say of a container."""
    stages, current = {}, None
    for instruction, rest in instructions(DOCKERFILE.read_text()):
        if instruction == "FROM":
            base, _, name = rest.partition(" AS ")
            current = {key: (dict(value) if isinstance(value, dict) else list(value) if isinstance(value, list) else value)
                       for key, value in stages.get(base, {"base": base, "env": {}, "run": [], "copy": []}).items()}
            stages[name or "last"] = current
        elif instruction == "ENV":
            current["env"].update(word.split("=", 1) for word in shlex.split(rest))
        elif instruction in ("RUN", "COPY"):
            current[instruction.lower()].append(rest)
        else:
            current[instruction.lower()] = rest
    return stages[target or "last"]


def packages(stage):
    """Debian packages that its RUN lines install."""
    found = []
    for run in stage["run"]:
        for command in re.split(r"&&|;", run):
            words = shlex.split(command)
            if words[:2] == ["apt-get", "install"]:
                found += [word for word in words[2:] if not word.startswith("-")]
    return found


@functools.cache
def obstacle():
    """Why no container can be made here, or None."""
    if os.geteuid() != 0:
        return "namespaces and a root of their own need root"
    if not shutil.which("dpkg-query"):
        return "the files of the image come from this machine's Debian packages"
    tried = subprocess.run(["unshare", "--pid", "--fork", "--mount-proc", "true"], capture_output=True, text=True)
    return None if tried.returncode == 0 else tried.stderr.strip()


def copy_packages(names, root):
    for name in names:
        files = subprocess.run(["dpkg-query", "-L", name], capture_output=True, text=True)
        assert files.returncode == 0, f"{name}: {files.stderr}"
        for line in files.stdout.splitlines():
            source = Path(line)
            if source.is_dir() or not (source.is_symlink() or source.exists()):
                continue
            if re.match(r"/usr/share/(doc|man|locale|lintian|info)/", line):
                continue
            # /lib is /usr/lib, as in Debian since bookworm.
            target = root / re.sub(r"^/(lib|lib64|bin|sbin)/", r"/usr/\1/", line).lstrip("/")
            target.parent.mkdir(parents=True, exist_ok=True)
            shutil.copy2(source, target, follow_symlinks=False)


@functools.cache
def root():
    """The image's files; every container has them read-only."""
    folder = Path(tempfile.mkdtemp(prefix="wsd-image-"))
    atexit.register(shutil.rmtree, folder, ignore_errors=True)
    folder.chmod(0o755)
    for name in ("usr/bin", "usr/lib", "usr/lib64", "usr/sbin", "proc", "dev", "etc", "tmp", "run/wsd", "var/lib/wsd"):
        (folder / name).mkdir(parents=True)
    for name in ("bin", "lib", "lib64", "sbin"):
        (folder / name).symlink_to(f"usr/{name}")
    stage = image()
    copy_packages([*BASE, *packages(stage)], folder)
    for copied in stage["copy"]:
        *sources, target = [word for word in copied.split() if not word.startswith("--")]
        for source in sources:
            shutil.copy(BIN / Path(source).name, folder / target.lstrip("/"))
    # As useradd of the image leaves them.
    (folder / "etc/passwd").write_text("root:x:0:0::/root:/bin/sh\nwsd:x:10001:10001::/var/lib/wsd:/usr/sbin/nologin\n")
    (folder / "etc/group").write_text("root:x:0:\nwsd:x:10001:\n")
    (folder / "etc/hosts").write_text("127.0.0.1 localhost\n")
    return folder


class Container:
    """A container of the image, with the root read-only."""

    def __init__(self, *arguments, target=None, env=None, user=None, ready=True):
        self.stage = image(target)
        self.directory = Path(tempfile.mkdtemp(prefix="wsd-container-"))
        self.directory.chmod(0o755)
        self.root = root()
        self.user = user or self.stage["user"]
        path = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"
        self.environment = {"PATH": path, **self.stage["env"], **(env or {})}
        self.log = open(self.directory / "log", "w+")
        self.process = subprocess.Popen(
            ["unshare", "--pid", "--fork", "--mount", "sh", "-euc", self._script(list(arguments))], stdin=subprocess.DEVNULL,
            stdout=self.log, stderr=self.log, env=self.environment, cwd="/", start_new_session=True)
        try:
            self.pid = wait_until(self._first, "process 1", 10)
            if ready:
                wait_until(lambda: self.check_alive() or self.health().returncode == 0, "healthy", 20)
        except BaseException:
            print(self.output())
            self.close()
            raise

    def _script(self, arguments):
        """Mounts as an engine does, and becomes the image's process: what it executes is process 1."""
        root, uid = shlex.quote(str(self.root)), self.user
        entry = self.stage.get("entrypoint")
        # No ENTRYPOINT: the command goes through /bin/sh -c.
        command = [*json.loads(entry), *arguments] if entry else ["/bin/sh", "-c", self.stage["cmd"]]
        quoted = " ".join(shlex.quote(word) for word in command)
        return f"""
            mount --make-rprivate /
            mount --bind {root} {root}
            mount -t proc proc {root}/proc
            mount -t tmpfs -o mode=755 tmpfs {root}/dev
            for device in null zero full random urandom; do
                touch {root}/dev/$device
                mount --bind /dev/$device {root}/dev/$device
            done
            mount -t tmpfs -o mode=1777,size=64m tmpfs {root}/run/wsd
            mount -t tmpfs -o mode=1777,size=64m tmpfs {root}/var/lib/wsd
            mount -o remount,bind,ro {root}
            exec chroot --userspec={uid} --groups= {root} sh -c 'cd {self.stage["workdir"]} && exec "$@"' sh {quoted}
        """

    def _first(self):
        """The pid of process 1 once it is wsd, as this machine counts."""
        self.check_alive()
        children = Path(f"/proc/{self.process.pid}/task/{self.process.pid}/children").read_text().split()
        for child in map(int, children):
            with contextlib.suppress(OSError):
                if Path(f"/proc/{child}/comm").read_text().strip() == "wsd":
                    return child
        return None

    def check_alive(self):
        if self.process.poll() is not None:
            raise AssertionError(f"the container ended with {self.process.returncode}:\n{self.output()}")

    def output(self):
        return Path(self.log.name).read_text(errors="replace")

    def run(self, *command, user=None, timeout=30):
        """docker exec."""
        uid, _, gid = (user or self.user).partition(":")
        return subprocess.run(
            ["nsenter", "--target", str(self.pid), "--mount", "--pid", "--root", f"--wd={self.root}", "--setgid", gid,
             "--setuid", uid, "--", *command], capture_output=True, text=True, timeout=timeout, stdin=subprocess.DEVNULL, env=self.environment)

    def health(self):
        """What HEALTHCHECK runs, with its limit of time."""
        options, _, command = self.stage["healthcheck"].partition("CMD ")
        limit = int(re.search(r"--timeout=(\d+)s", options)[1])
        return self.run("/bin/sh", "-c", command, timeout=limit)

    def children(self, states="RSDTZXI"):
        """(pid, name, state) of process 1's children, as this machine counts."""
        found = []
        for child in Path(f"/proc/{self.pid}/task/{self.pid}/children").read_text().split():
            with contextlib.suppress(OSError):
                text = Path(f"/proc/{child}/stat").read_text()
                state = text.rpartition(")")[2].split()[0]
                if state in states:
                    found.append((int(child), text.partition("(")[2].rpartition(")")[0], state))
        return found

    def signal(self, number):
        os.kill(self.pid, number)

    def wait(self, timeout=40):
        """The exit status that docker inspect would show: of process 1."""
        return self.process.wait(timeout)

    def close(self):
        if self.process.poll() is None:
            with contextlib.suppress(Exception):
                os.kill(self.pid, signal.SIGKILL)
            with contextlib.suppress(subprocess.TimeoutExpired):
                self.process.wait(5)
            if self.process.poll() is None:
                self.process.kill()
                self.process.wait(10)
        self.log.close()
        shutil.rmtree(self.directory, ignore_errors=True)

    def __enter__(self):
        return self

    def __exit__(self, kind, value, trace):
        if kind is not None:
            print("--- output of the container ---\n" + self.output()[-8000:])
        self.close()
