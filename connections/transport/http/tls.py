"""Whom we trust on a connection: the public authorities, one named authority, or the very certificates a person confirmed."""

from __future__ import annotations

import hashlib
import ssl
from functools import lru_cache

import certifi

from connections.transport.http import deadline


class PinnedContext(ssl.SSLContext):
    """Knows the certificates that may be shown, as SHA-256 digests."""

    digests: frozenset[bytes] = frozenset()


class PinnedSocket(deadline.TLSSocket):
    """Looks at the certificate itself before anything is sent: one that a pinned key has signed is another certificate."""

    def do_handshake(self, block: bool = False) -> None:
        super().do_handshake(block)
        certificate = self.getpeercert(binary_form=True) or b""
        if (
            not isinstance(self.context, PinnedContext)
            or hashlib.sha256(certificate).digest() not in self.context.digests
        ):
            message = "not a certificate that was confirmed"
            raise ssl.SSLCertVerificationError(message)


# Made from nothing rather than by ssl.create_default_context, which lets the environment name a file for session keys.


@lru_cache(maxsize=64)
def context(ca: str) -> ssl.SSLContext:
    """`ca`: a file with the only trusted authority; '' means the public ones. Names and dates are always checked."""
    tls_context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    tls_context.load_verify_locations(cafile=ca or certifi.where())
    tls_context.minimum_version = ssl.TLSVersion.TLSv1_2
    tls_context.sslsocket_class = deadline.TLSSocket
    return tls_context


@lru_cache(maxsize=256)
def pinned(certificates: tuple[str, ...]) -> ssl.SSLContext:
    """Trusts these certificates (PEM) and no other, whoever signed them, each until it ends.

    Two are live while a host changes from one to the next. Names are not checked: the pin says more, and self-signed
    certificates are often tls_context without.
    """
    tls_context = PinnedContext(ssl.PROTOCOL_TLS_CLIENT)
    tls_context.check_hostname = False
    tls_context.load_verify_locations(cadata="\n".join(certificates))
    tls_context.verify_flags |= (
        ssl.VERIFY_X509_PARTIAL_CHAIN
    )  # a certificate that is no authority may stand for itself
    tls_context.minimum_version = ssl.TLSVersion.TLSv1_2
    tls_context.sslsocket_class = PinnedSocket
    tls_context.digests = frozenset(hashlib.sha256(ssl.PEM_cert_to_DER_cert(each)).digest() for each in certificates)
    return tls_context


def blind() -> ssl.SSLContext:
    """Trusts whatever is shown: good for looking at a certificate and hanging up, and for nothing else."""
    tls_context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    tls_context.check_hostname = False
    tls_context.verify_mode = ssl.CERT_NONE
    tls_context.sslsocket_class = deadline.TLSSocket
    return tls_context


def fingerprint(certificate: str) -> str:
    """SHA-256 of a PEM certificate as people compare it: AB:CD:..."""
    digest = hashlib.sha256(ssl.PEM_cert_to_DER_cert(certificate)).hexdigest().upper()
    return ":".join(digest[at : at + 2] for at in range(0, len(digest), 2))
