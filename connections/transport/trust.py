"""Whom we trust on a connection: the public authorities, one named authority, or one single certificate."""

from __future__ import annotations

import hashlib
import ssl
from functools import lru_cache

import certifi

from connections.transport import deadline


@lru_cache(maxsize=64)
def context(ca: str) -> ssl.SSLContext:
    """`ca`: a file with the only trusted authority; '' means the public ones. Names and dates are always checked."""
    made = ssl.create_default_context(cafile=ca or certifi.where())
    made.minimum_version = ssl.TLSVersion.TLSv1_2
    made.sslsocket_class = deadline.TLSSocket
    return made


@lru_cache(maxsize=256)
def pinned(certificate: str) -> ssl.SSLContext:
    """Trusts this one certificate (PEM), whoever signed it, until it ends. Names are not checked: the pin says more."""
    made = ssl.create_default_context(cadata=certificate)
    made.check_hostname = False
    made.verify_flags |= ssl.VERIFY_X509_PARTIAL_CHAIN  # a certificate that is no authority may stand for itself
    made.minimum_version = ssl.TLSVersion.TLSv1_2
    made.sslsocket_class = deadline.TLSSocket
    return made


def blind() -> ssl.SSLContext:
    """Trusts whatever is shown: good for looking at a certificate and hanging up, and for nothing else."""
    made = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    made.check_hostname = False
    made.verify_mode = ssl.CERT_NONE
    return made


def fingerprint(certificate: str) -> str:
    """SHA-256 of a PEM certificate as people compare it: AB:CD:..."""
    digest = hashlib.sha256(ssl.PEM_cert_to_DER_cert(certificate)).hexdigest().upper()
    return ":".join(digest[at : at + 2] for at in range(0, len(digest), 2))
