"""nginx in front of wsd, with a configuration of the test's own."""

import contextlib
import datetime
import os
import shutil
import signal
import socket
import subprocess
import tempfile
from pathlib import Path

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat
from cryptography.x509.oid import NameOID

from harness import process_tree, wait_until

# As docs/client.md and the test page recommend.
UPGRADE = """
proxy_http_version 1.1;
proxy_set_header Upgrade $http_upgrade;
proxy_set_header Connection $connection_upgrade;
proxy_set_header Host $http_host;
proxy_set_header X-Forwarded-For $proxy_add_x_forwarded_for;
proxy_set_header X-Forwarded-Proto $scheme;
"""

CONFIGURATION = """
worker_processes 1;
pid {directory}/pid;
error_log {directory}/error.log;
{user}
events {{ worker_connections 200; }}
http {{
    access_log off;
    {temporary}
    types {{ text/html html; text/javascript js; }}
    map $http_upgrade $connection_upgrade {{ default upgrade; '' close; }}
    server {{
        listen 127.0.0.1:{port}{tls};
        {certificate}
        {locations}
    }}
}}
"""


def free_port():
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]


def location(path, target, more=UPGRADE):
    """Passes what lies below the path on; with a path in the target the former is replaced by it."""
    return f"location {path} {{ proxy_pass {target}; {more} }}\n"


def certificate(directory):
    """One that nobody has signed but itself."""
    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "app.example")])
    now = datetime.datetime.now(datetime.UTC)
    made = (x509.CertificateBuilder().subject_name(name).issuer_name(name).public_key(key.public_key())
            .serial_number(x509.random_serial_number()).not_valid_before(now - datetime.timedelta(days=1))
            .not_valid_after(now + datetime.timedelta(days=1))
            .add_extension(x509.SubjectAlternativeName([x509.DNSName("*.example")]), critical=False)
            .sign(key, hashes.SHA256()))
    (directory / "certificate.pem").write_bytes(made.public_bytes(Encoding.PEM))
    (directory / "key.pem").write_bytes(key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption()))
    return f"ssl_certificate {directory}/certificate.pem; ssl_certificate_key {directory}/key.pem;"


def end(process, directory):
    """Ends a proxy with its children and removes its files; asked politely, some wait for their connections."""
    for pid in [*process_tree(process.pid), process.pid]:
        with contextlib.suppress(ProcessLookupError):
            os.kill(pid, signal.SIGKILL)
    process.wait(5)
    shutil.rmtree(directory, ignore_errors=True)


class Nginx:
    """One running nginx with one server."""

    def __init__(self, locations, tls=False):
        program = shutil.which("nginx") or shutil.which("nginx", path="/usr/sbin")
        if not program:
            raise pytest.UsageError("nginx is missing: scripts/test installs it (Debian: nginx-light)")
        self.directory = Path(tempfile.mkdtemp(prefix="wsd-nginx-"))
        self.port = free_port()
        temporary = "".join(f"{kind}_temp_path {self.directory}/{kind};\n" for kind in ("client_body", "proxy", "fastcgi", "uwsgi", "scgi"))
        (self.directory / "nginx.conf").write_text(CONFIGURATION.format(
            directory=self.directory, port=self.port, locations=locations, tls=" ssl" if tls else "",
            temporary=temporary, user="user root;" if os.getuid() == 0 else "",
            certificate=certificate(self.directory) if tls else ""))
        self.process = subprocess.Popen(
            [program, "-p", self.directory, "-c", "nginx.conf", "-e", f"{self.directory}/error.log", "-g", "daemon off;"],
            stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        try:
            wait_until(self.listens, "nginx listens")
        except BaseException:
            print(self.output())
            self.close()
            raise

    def listens(self):
        assert self.process.poll() is None, f"nginx has ended:\n{self.output()}"
        with contextlib.suppress(ConnectionRefusedError), socket.create_connection(("127.0.0.1", self.port), timeout=5):
            return True

    def output(self):
        with contextlib.suppress(FileNotFoundError):
            return (self.directory / "error.log").read_text()

    def close(self):
        end(self.process, self.directory)

    def __enter__(self):
        return self

    def __exit__(self, kind, *_):
        if kind is not None:
            print(f"--- errors of nginx ---\n{self.output()}")
        self.close()
