"""The sandbox's own certificate authority, kept in the state folder so that a restart is still trusted."""

from __future__ import annotations

import os
import ssl
from pathlib import Path

import trustme

NAMES = ("localhost", "127.0.0.1", "::1")


def authority(folder: Path) -> trustme.CA:
    """Open or create the authority in `folder` (`ca.pem`, readable for all, and `ca-key.pem`, for its owner alone)."""
    public, private = folder / "ca.pem", folder / "ca-key.pem"
    if public.exists() and private.exists():
        return trustme.CA.from_pem(public.read_bytes(), private.read_bytes())
    made = trustme.CA(organization_name="Sandbox of simulated providers")
    _write(private, made.private_key_pem.bytes(), mode=0o600)
    _write(public, made.cert_pem.bytes(), mode=0o644)
    return made


def server_context(signed_by: trustme.CA) -> ssl.SSLContext:
    """A TLS server context with a fresh certificate for the loopback names."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.minimum_version = ssl.TLSVersion.TLSv1_2
    signed_by.issue_cert(*NAMES).configure_cert(context)
    return context


def _write(path: Path, content: bytes, *, mode: int) -> None:
    beside = path.with_suffix(".new")
    beside.unlink(missing_ok=True)
    with os.fdopen(os.open(beside, os.O_WRONLY | os.O_CREAT | os.O_EXCL, mode), "wb") as file:
        file.write(content)
    beside.chmod(mode)
    beside.replace(path)
