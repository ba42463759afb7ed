"""Whom we trust on a connection: the system's authorities, or one named certificate authority and nobody else."""

from __future__ import annotations

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
