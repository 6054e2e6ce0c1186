"""The files of deploy/ in the real proxies: only ports, paths and the certificate are others."""

import contextlib
import os
import shutil
import socket
import ssl
import subprocess
import tempfile
from pathlib import Path

import pytest

from harness import ROOT, Client, Wsd, wait_until
from proxy import certificate, end, free_port

FILES = ("nginx.conf", "nginx-stream.conf", "haproxy.cfg", "haproxy-proxy-protocol.cfg", "Caddyfile")
# By the PROXY protocol alone wsd cannot know what the browser was told: its settings name the address.
PROXY_PROTOCOL = ("nginx-stream.conf", "haproxy-proxy-protocol.cfg")
# nginx of Debian asks for no health.
ASKS_FOR_HEALTH = ("haproxy.cfg", "haproxy-proxy-protocol.cfg", "Caddyfile")
NAME = "app.example.org"
# How the files of a proxy begin a line for a second service, and the one for a Unix socket in the place of a port; without the # it
# counts.
SECOND = {"nginx": "#server 127.0.0.1:8081", "haproxy": "#server second", "caddy": "#to 127.0.0.1:8081"}
FIRST = {"nginx": "server 127.0.0.1:8080;", "haproxy": "server first 127.0.0.1:8080", "caddy": "to 127.0.0.1:8080"}
SOCKET = "/run/wsd/web.sock"
UNIX = {"nginx": f"#server unix:{SOCKET};", "haproxy": f"#server first unix@{SOCKET}", "caddy": f"#to unix/{SOCKET}"}


def wsd_settings(name):
    """What the head of a file says to put into wsd.yaml: its lines that are indented by five."""
    lines = (ROOT / "deploy" / name).read_text().splitlines()
    settings = "\n".join(line[6:] for line in lines if line.startswith("#     "))
    assert "trustedProxies: [127.0.0.1]" in settings, f"deploy/{name} does not say what to put into wsd.yaml"
    return settings + "\n"


class Shipped:
    """A proxy that runs one of the files in front of a service, which has a port or the path of a Unix socket, or of two."""

    def __init__(self, name, port, second=None):
        self.name = name
        self.kind = {"nginx.conf": "nginx", "nginx-stream.conf": "nginx", "Caddyfile": "caddy"}.get(name, "haproxy")
        program = shutil.which(self.kind) or shutil.which(self.kind, path="/usr/sbin:/usr/bin")
        if not program:
            raise pytest.UsageError(f"{self.kind} is missing: scripts/test installs it")
        self.directory = Path(tempfile.mkdtemp(prefix=f"wsd-{self.kind}-"))
        # For the user whom the file names.
        self.directory.chmod(0o755)
        self.log = self.directory / "log"
        self.port, self.plain_port = free_port(), free_port()
        certificate(self.directory)
        text = (ROOT / "deploy" / name).read_text()
        if second:
            text = self.replace(text, SECOND[self.kind], SECOND[self.kind][1:])
            text = self.replace(text, "127.0.0.1:8081", f"127.0.0.1:{second}")
        if isinstance(port, int):
            # The address in the head, which is wsd's, changes too; it is a comment.
            text = self.replace(text, "127.0.0.1:8080", f"127.0.0.1:{port}")
        else:
            text = self.replace(text, FIRST[self.kind], "")
            text = self.replace(text, UNIX[self.kind], UNIX[self.kind][1:])
            text = self.replace(text, SOCKET, str(port))
            if self.kind == "haproxy":
                text = self.replace(text, "    chroot /var/lib/haproxy\n", "")
        text = getattr(self, self.kind)(text)
        file = self.directory / name
        file.write_text(text)
        command = {
            "nginx": [program, "-p", self.directory, "-c", name, "-e", self.log, "-g", "daemon off;"],
            "haproxy": [program, "-db", "-f", file],
            "caddy": [program, "run", "--config", file, "--adapter", "caddyfile"],
        }[self.kind]
        environment = {"PATH": os.environ["PATH"], "HOME": str(self.directory), "XDG_DATA_HOME": str(self.directory),
                       "XDG_CONFIG_HOME": str(self.directory)}
        with open(self.log, "ab") as log:
            self.process = subprocess.Popen(command, stdin=subprocess.DEVNULL, stdout=log, stderr=log, env=environment)
        try:
            wait_until(self.listens, f"{self.kind} listens")
        except BaseException:
            print(self.output())
            self.close()
            raise

    @staticmethod
    def replace(text, old, new):
        assert old in text, f"the file has no {old!r} any more"
        return text.replace(old, new)

    def nginx(self, text):
        # Debian's folder, relative to nginx's own one, which is the test's.
        (self.directory / "modules").symlink_to("/usr/lib/nginx/modules")
        for old, new in {
            "listen 443 ssl;": f"listen 127.0.0.1:{self.port} ssl;",
            "listen 80;": f"listen 127.0.0.1:{self.plain_port};",
            f"/etc/ssl/certs/{NAME}.pem": f"{self.directory}/certificate.pem",
            f"/etc/ssl/private/{NAME}.key": f"{self.directory}/key.pem",
            "/run/nginx.pid": f"{self.directory}/pid",
            "/var/log/nginx/": f"{self.directory}/",
            "user www-data;": "user www-data;" if os.getuid() == 0 else "",
            "http {\n": "http {\n" + "".join(f"{kind}_temp_path {self.directory}/{kind};\n"
                                            for kind in ("client_body", "proxy", "fastcgi", "uwsgi", "scgi")),
        }.items():
            text = self.replace(text, old, new)
        return text

    def haproxy(self, text):
        both = (self.directory / "certificate.pem").read_text() + (self.directory / "key.pem").read_text()
        (self.directory / "both.pem").write_text(both)
        for old, new in {
            "bind :443 ": f"bind 127.0.0.1:{self.port} ",
            "bind :80\n": f"bind 127.0.0.1:{self.plain_port}\n",
            f"/etc/haproxy/certs/{NAME}.pem": f"{self.directory}/both.pem",
            "/run/haproxy/admin.sock": f"{self.directory}/admin.sock",
        }.items():
            text = self.replace(text, old, new)
        if os.getuid() != 0:
            for line in ("user haproxy", "group haproxy", "chroot /var/lib/haproxy"):
                text = text.replace(f"    {line}\n", "")
        return text

    def caddy(self, text):
        # No management port. Whatever else is wrong, no certificate is asked of a public authority.
        ports = (f"{{\n\tadmin off\n\tauto_https disable_certs\n\tdefault_bind 127.0.0.1\n"
                 f"\thttp_port {self.plain_port}\n\thttps_port {self.port}\n}}\n")
        tls = f"\n{NAME} {{\n\ttls {self.directory}/certificate.pem {self.directory}/key.pem\n"
        return ports + self.replace(text, f"\n{NAME} {{\n", tls)

    def listens(self):
        assert self.process.poll() is None, f"{self.kind} has ended:\n{self.output()}"
        for port in (self.port, self.plain_port):
            with contextlib.suppress(ConnectionRefusedError), socket.create_connection(("127.0.0.1", port), timeout=5):
                continue
            return False
        return True

    def output(self):
        with contextlib.suppress(FileNotFoundError):
            return self.log.read_text(errors="replace")[-8000:]

    # -- what clients do

    @property
    def origin(self):
        return f"https://{NAME}:{self.port}"

    async def connect(self, address="127.0.0.2", kind=Client, **options):
        """A client with an address of its own."""
        context = ssl.create_default_context(cafile=self.directory / "certificate.pem")
        # The proxy shows the test's certificate; it stands for names below .example.
        context.check_hostname = False
        return await kind.connect(f"wss://{NAME}:{self.port}/ws", host="127.0.0.1", port=self.port, ssl=context,
                                  local_addr=(address, 0), **options)

    def get(self, path, *more, plain=False):
        """Status and text of an HTTP request; status 0 where there was no answer."""
        scheme, port = ("http", self.plain_port) if plain else ("https", self.port)
        result = subprocess.run(
            ["curl", "-sk", "--max-time", "5", "-w", "\n%{http_code}", "--resolve", f"{NAME}:{port}:127.0.0.1", *more,
             f"{scheme}://{NAME}:{port}{path}"], capture_output=True, text=True, timeout=10)
        text, _, code = result.stdout.rpartition("\n")
        return int(code), text

    # -- the end

    def close(self):
        end(self.process, self.directory)

    def __enter__(self):
        return self

    def __exit__(self, kind, *_):
        if kind is not None:
            print(f"--- output of {self.kind} ---\n{self.output()}")
        self.close()


class Native:
    """No proxy: the service itself ends TLS. To its clients it is as a Shipped one."""

    def __init__(self, directory, port):
        self.directory, self.port = directory, port

    connect = Shipped.connect


@contextlib.contextmanager
def native(config="", **environment):
    """The service with a certificate of its own: (service, what clients see of it)."""
    directory = Path(tempfile.mkdtemp(prefix="wsd-native-"))
    try:
        certificate(directory)
        tls = f"tls: {{ certificate: {directory}/certificate.pem, key: {directory}/key.pem }}\n"
        with Wsd(workers=2, config=tls + config, args=["--prod"], env={"WSD_LIMITS_MESSAGE_RATE": "off", **environment}) as wsd:
            yield wsd, Native(directory, wsd.port)
    finally:
        shutil.rmtree(directory, ignore_errors=True)


def service(name, config="", listen="127.0.0.1:0", **environment):
    """wsd as the head of the file wants it, in production's mode; more settings as text and as variables."""
    return Wsd(workers=2, config=wsd_settings(name) + config, args=["--prod"], listen=listen,
               env={"WSD_LIMITS_MESSAGE_RATE": "off", **environment})
