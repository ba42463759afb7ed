"""Single connections: sockets that hurry, and certificates judged before anything is sent."""

from __future__ import annotations

import socket
import ssl

from urllib3.connection import HTTPConnection, HTTPSConnection
from urllib3.connectionpool import HTTPConnectionPool, HTTPSConnectionPool

from connections.transport import deadline, proxy
from connections.transport.egress_errors import NotSent, NotTrusted
from connections.transport.heads import Heard

# Reasons of a handshake that OpenSSL gives up for the certificate's sake without calling it a failed verification.
WEAK = ("EE_KEY_TOO_SMALL", "CA_KEY_TOO_SMALL", "CA_MD_TOO_WEAK")


class PlainLink(HTTPConnection):
    response_class = Heard

    def _new_conn(self) -> socket.socket:
        return proxy.dialled(self) or deadline.hurrying(super()._new_conn())


class TLSLink(HTTPSConnection):
    response_class = Heard

    def _new_conn(self) -> socket.socket:
        return proxy.dialled(self) or deadline.hurrying(super()._new_conn())

    def connect(self) -> None:
        """Raises NotTrusted, NotSent: what fails here fails before a byte of the request has left."""
        try:
            super().connect()
        except ssl.SSLError as error:
            if isinstance(error, ssl.SSLCertVerificationError) or error.reason in WEAK:
                raise NotTrusted from None
            message = "no TLS"
            raise NotSent(message) from None
        except OSError as error:
            message = "timed out" if isinstance(error, TimeoutError) else "no answer"
            raise NotSent(message) from None


class PlainPool(HTTPConnectionPool):
    ConnectionCls = PlainLink


class TLSPool(HTTPSConnectionPool):
    ConnectionCls = TLSLink
