"""Certificates of every kind, made as a test wants them."""

from __future__ import annotations

import datetime as dt
import ipaddress
import ssl
import subprocess
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec, rsa
from cryptography.x509.oid import NameOID


@dataclass(frozen=True)
class Paper:
    """`chain`: certificate and key in one file, as a server takes them; `pem`: the certificate alone."""

    chain: Path
    pem: str
    certificate: Any
    key: Any


def made(
    folder: Path,
    name: str,
    *,
    hosts: tuple[str, ...] = ("localhost", "127.0.0.1"),
    signer: Paper | None = None,
    days: tuple[int, int] = (-1, 30),
    weak: bool = False,
    authority: bool = False,
) -> Paper:
    """Self-signed unless `signer` is given. `days`: from and until, counted from today."""
    key: Any = rsa.generate_private_key(65537, 1024) if weak else ec.generate_private_key(ec.SECP256R1())
    subject = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, name)])
    now = dt.datetime.now(dt.timezone.utc)
    names: list[Any] = [
        x509.IPAddress(ipaddress.ip_address(host)) if host[0].isdigit() else x509.DNSName(host) for host in hosts
    ]
    built = (
        x509.CertificateBuilder()
        .subject_name(subject)
        .issuer_name(signer.certificate.subject if signer else subject)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(now + dt.timedelta(days=days[0]))
        .not_valid_after(now + dt.timedelta(days=days[1]))
        .add_extension(x509.BasicConstraints(ca=authority, path_length=None), critical=True)
    )
    if names:
        built = built.add_extension(x509.SubjectAlternativeName(names), critical=False)
    return _kept(folder, name, built.sign(signer.key if signer else key, hashes.SHA256()), key)


def old_hash(folder: Path, name: str, signer: Paper | None = None) -> Paper:
    """Signed with SHA-1, which only the command line still does."""
    key, file, request = folder / f"{name}.key", folder / f"{name}.crt", folder / f"{name}.csr"
    subject = ["-newkey", "rsa:2048", "-nodes", "-keyout", str(key), "-subj", f"/CN={name}"]
    names = folder / f"{name}.ext"
    names.write_text("subjectAltName=DNS:localhost,IP:127.0.0.1\n")
    if signer is None:
        added = ["-addext", "subjectAltName=DNS:localhost,IP:127.0.0.1"]
        _openssl("req", "-x509", "-sha1", "-days", "30", *subject, *added, "-out", str(file))
    else:
        _openssl("req", *subject, "-out", str(request))
        theirs = ["-CA", str(signer.chain), "-CAkey", str(signer.chain), "-CAcreateserial", "-extfile", str(names)]
        _openssl("x509", "-req", "-sha1", "-days", "30", "-in", str(request), *theirs, "-out", str(file))
    loaded = serialization.load_pem_private_key(key.read_bytes(), None)
    return _kept(folder, name, x509.load_pem_x509_certificate(file.read_bytes()), loaded)


def of_version_two(paper: Paper, folder: Path) -> Path:
    """The same as a certificate of X.509 v2, which nobody makes any more; its signature no longer fits."""
    der = ssl.PEM_cert_to_DER_cert(paper.pem)
    version = b"\xa0\x03\x02\x01"
    assert der.count(version + b"\x02") == 1
    secret = paper.chain.read_bytes().partition(b"-----BEGIN PRIVATE")
    chain = folder / "version-two.pem"
    shown = ssl.DER_cert_to_PEM_cert(der.replace(version + b"\x02", version + b"\x01"))
    chain.write_bytes(shown.encode() + b"".join(secret[1:]))
    return chain


def _openssl(*arguments: str) -> None:
    subprocess.run(["openssl", *arguments], check=True, capture_output=True)


def _kept(folder: Path, name: str, certificate: Any, key: Any) -> Paper:
    secret = key.private_bytes(
        serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
    )
    public = certificate.public_bytes(serialization.Encoding.PEM)
    chain = folder / f"{name}.pem"
    chain.write_bytes(public + secret)
    # As the door writes it down when it sees one.
    return Paper(
        chain, ssl.DER_cert_to_PEM_cert(certificate.public_bytes(serialization.Encoding.DER)), certificate, key
    )
