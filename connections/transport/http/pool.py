"""Single connections: sockets that keep the deadline, and certificates checked before anything is sent."""

from __future__ import annotations

import socket
import ssl

from urllib3.connection import HTTPConnection, HTTPSConnection
from urllib3.connectionpool import HTTPConnectionPool, HTTPSConnectionPool

from connections.transport.http import deadline, proxy
from connections.transport.http.errors import NotEncrypted, NotSent, NotTrusted
from connections.transport.http.response import BoundedResponse

EXPIRED_CODE = 10  # X509_V_ERR_CERT_HAS_EXPIRED
UNSOUND_CODES = (9, 66, 67, 68)  # CERT_NOT_YET_VALID, EE_KEY_TOO_SMALL, CA_KEY_TOO_SMALL, CA_MD_TOO_WEAK
# What OpenSSL says of an answer that is no TLS at all.
NOT_TLS_REASONS = (
    "WRONG_VERSION_NUMBER",
    "HTTP_REQUEST",
    "HTTPS_PROXY_REQUEST",
    "UNKNOWN_PROTOCOL",
    "PACKET_LENGTH_TOO_LONG",
)
# Reasons of a handshake that OpenSSL gives up for the certificate's sake without calling it a failed verification.
WEAK_REASONS = ("EE_KEY_TOO_SMALL", "CA_KEY_TOO_SMALL", "CA_MD_TOO_WEAK")


def is_not_tls(error: OSError) -> bool:
    """Whether a handshake failed because the other side does not speak TLS at all."""
    return isinstance(error, ssl.SSLError) and error.reason in NOT_TLS_REASONS


class PlainConnection(HTTPConnection):
    """HTTP, through the egress proxy where there is one, with bounded responses."""

    response_class = BoundedResponse

    def _new_conn(self) -> socket.socket:
        return proxy.connect_through_proxy(self) or deadline.with_deadline(super()._new_conn())


class TLSConnection(HTTPSConnection):
    """The same over TLS."""

    response_class = BoundedResponse

    def _new_conn(self) -> socket.socket:
        return proxy.connect_through_proxy(self) or deadline.with_deadline(super()._new_conn())

    def connect(self) -> None:
        """Raises NotTrusted, NotSent: what fails here fails before a byte of the request has left."""
        try:
            super().connect()
        except ssl.SSLError as error:
            if isinstance(error, ssl.SSLCertVerificationError) or error.reason in WEAK_REASONS:
                code = getattr(error, "verify_code", 0)
                is_unsound = code in UNSOUND_CODES or getattr(error, "reason", "") in WEAK_REASONS
                raise NotTrusted(has_ended=code == EXPIRED_CODE, is_unsound=is_unsound) from None
            if is_not_tls(error):
                raise NotEncrypted from None
            message = "no TLS"
            raise NotSent(message) from None
        except OSError as error:
            message = "timed out" if isinstance(error, TimeoutError) else "no answer"
            raise NotSent(message) from None


class PlainPool(HTTPConnectionPool):
    ConnectionCls = PlainConnection


class TLSPool(HTTPSConnectionPool):
    ConnectionCls = TLSConnection
