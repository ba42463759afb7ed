"""The sandbox's certificates: its own authority and self-signed ones, kept so that a restart is still trusted."""

from __future__ import annotations

import os
import ssl
from datetime import UTC, datetime, timedelta
from ipaddress import ip_address
from pathlib import Path

import trustme
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID

NAMES = ("localhost", "127.0.0.1", "::1")


def authority(folder: Path) -> trustme.CA:
    """Open or create the authority in `folder` (`ca.pem`, readable for all, and `ca-key.pem`, for its owner alone)."""
    public, private = folder / "ca.pem", folder / "ca-key.pem"
    if public.exists() and private.exists():
        return trustme.CA.from_pem(public.read_bytes(), private.read_bytes())
    ca = trustme.CA(organization_name="Sandbox of simulated providers")
    _write(private, ca.private_key_pem.bytes(), mode=0o600)
    _write(public, ca.cert_pem.bytes(), mode=0o644)
    return ca


def server_context(signed_by: trustme.CA) -> ssl.SSLContext:
    """A TLS server context with a fresh certificate for the loopback names."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.minimum_version = ssl.TLSVersion.TLSv1_2
    signed_by.issue_cert(*NAMES).configure_cert(context)
    return context


def self_signed_context(folder: Path, name: str) -> ssl.SSLContext:
    """A TLS server context whose certificate nobody signed but itself; kept, as a vendor's would be for years."""
    public, private = folder / f"{name}.pem", folder / f"{name}-key.pem"
    if not (public.exists() and private.exists()):
        _make_self_signed(public, private)
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.minimum_version = ssl.TLSVersion.TLSv1_2
    context.load_cert_chain(public, private)
    return context


class SelfSigned:
    """A kept self-signed certificate (`<name>.pem` in `folder`) that can be renewed while it is served."""

    def __init__(self, folder: Path, name: str) -> None:
        self._folder, self._name = folder, name
        self._newest = self.context = self_signed_context(folder, name)
        # Asked in every handshake, even without a server name: a whole context is exchanged, so that no handshake
        # meets a new certificate with an old key.
        self.context.sni_callback = self._choose

    @property
    def pem(self) -> str:
        return (self._folder / f"{self._name}.pem").read_text()

    @property
    def fingerprint(self) -> str:
        """SHA-256 of the certificate as served, `AA:BB:...`."""
        certificate = x509.load_pem_x509_certificate(self.pem.encode())
        return certificate.fingerprint(hashes.SHA256()).hex(":").upper()

    def renew(self) -> None:
        """Make a new certificate and key; handshakes from now on meet these."""
        _make_self_signed(self._folder / f"{self._name}.pem", self._folder / f"{self._name}-key.pem")
        self._newest = self_signed_context(self._folder, self._name)

    def _choose(self, link: ssl.SSLSocket | ssl.SSLObject, name: str | None, context: ssl.SSLContext) -> None:
        link.context = self._newest


def _make_self_signed(public: Path, private: Path) -> None:
    key = ec.generate_private_key(ec.SECP256R1())
    subject = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "localhost")])
    now = datetime.now(UTC)
    alternatives = [x509.DNSName("localhost"), *(x509.IPAddress(ip_address(name)) for name in NAMES[1:])]
    certificate = (
        x509.CertificateBuilder()
        .subject_name(subject)
        .issuer_name(subject)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - timedelta(hours=1))
        .not_valid_after(now + timedelta(days=825))
        .add_extension(x509.SubjectAlternativeName(alternatives), critical=False)
        .sign(key, hashes.SHA256())
    )
    encoding = serialization.Encoding.PEM
    form, sealing = serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
    _write(private, key.private_bytes(encoding, form, sealing), mode=0o600)
    _write(public, certificate.public_bytes(encoding), mode=0o644)


def _write(path: Path, content: bytes, *, mode: int) -> None:
    beside = path.with_suffix(".new")
    beside.unlink(missing_ok=True)
    with os.fdopen(os.open(beside, os.O_WRONLY | os.O_CREAT | os.O_EXCL, mode), "wb") as file:
        file.write(content)
    beside.chmod(mode)
    beside.replace(path)
