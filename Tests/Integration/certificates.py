"""Certificates for tests: an authority of their own, and what it signs."""

import datetime
import os
from pathlib import Path

from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec, rsa
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat
from cryptography.x509.oid import NameOID

DAY = datetime.timedelta(days=1)


def name(common_name, organization=None):
    parts = [x509.NameAttribute(NameOID.ORGANIZATION_NAME, organization)] if organization else []
    return x509.Name([*parts, x509.NameAttribute(NameOID.COMMON_NAME, common_name)])


class Authority:
    def __init__(self, common_name="Test authority"):
        self.key = ec.generate_private_key(ec.SECP256R1())
        self.name = name(common_name)
        now = datetime.datetime.now(datetime.timezone.utc)
        self.certificate = (x509.CertificateBuilder().subject_name(self.name).issuer_name(self.name)
                            .public_key(self.key.public_key()).serial_number(x509.random_serial_number())
                            .not_valid_before(now - DAY).not_valid_after(now + 365 * DAY)
                            .add_extension(x509.BasicConstraints(ca=True, path_length=None), critical=True)
                            .sign(self.key, hashes.SHA256()))

    @property
    def pem(self):
        return self.certificate.public_bytes(Encoding.PEM)

    def issue(self, common_name="localhost", organization=None, begins=-DAY, ends=90 * DAY, key=None):
        """A pair (certificate, key), each in PEM form, for localhost and 127.0.0.1."""
        import ipaddress
        key = key or ec.generate_private_key(ec.SECP256R1())
        now = datetime.datetime.now(datetime.timezone.utc)
        names = [x509.DNSName("localhost"), x509.IPAddress(ipaddress.ip_address("127.0.0.1"))]
        certificate = (x509.CertificateBuilder().subject_name(name(common_name, organization)).issuer_name(self.name)
                       .public_key(key.public_key()).serial_number(x509.random_serial_number())
                       .not_valid_before(now + begins).not_valid_after(now + ends)
                       .add_extension(x509.SubjectAlternativeName(names), critical=False)
                       .sign(self.key, hashes.SHA256()))
        return (certificate.public_bytes(Encoding.PEM) + self.pem,
                key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption()))

    def issue_rsa(self, **options):
        return self.issue(key=rsa.generate_private_key(public_exponent=65537, key_size=2048), **options)


def put(path, content):
    """Replaces a file as a renewal does: at once."""
    path = Path(path)
    fresh = path.with_name(path.name + ".new")
    fresh.write_bytes(content)
    fresh.chmod(0o600)
    os.replace(fresh, path)
