"""A door as it stands: where it is, and the certificate it serves, which may be changed under it."""

from __future__ import annotations

import ssl
from dataclasses import dataclass
from typing import TYPE_CHECKING

from connections.sandbox.kit.certificates import SelfSigned
from connections.sandbox.kit.server import Listener

if TYPE_CHECKING:
    from _typeshed.wsgi import WSGIApplication


@dataclass(frozen=True)
class OpenDoor:
    """One port of a simulator; without a `context` it speaks plain HTTP."""

    listener: Listener
    context: ssl.SSLContext | None = None
    certificate: SelfSigned | None = None

    @property
    def origin(self) -> str:
        """As `https://localhost:8002`."""
        return f"{'http' if self.context is None else 'https'}://localhost:{self.listener.port}"

    def serve(self, application: WSGIApplication) -> None:
        self.listener.serve(application, self.context)

    def renew_certificate(self) -> None:
        """Serve a new self-signed certificate from now on; open connections end, so that nobody misses it."""
        if self.certificate is None:
            msg = "only a self-signed certificate can be renewed"
            raise ValueError(msg)
        self.certificate.renew()
        self.listener.hang_up()
