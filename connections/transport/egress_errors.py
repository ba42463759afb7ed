"""Why a call gave no answer that can be used. The texts are fixed words: they never hold an address or a secret."""

from __future__ import annotations


class EgressError(Exception):
    """The call did not give an answer."""


class NotAllowed(EgressError):
    """Our own door refused the address."""

    def __init__(self) -> None:
        super().__init__("the address is not allowed")


class LeadsInside(NotAllowed):
    """The name leads to an address that we do not go to."""


class NoAnswer(EgressError):
    """Refused, cut, timed out, or a TLS failure."""


class NotSent(NoAnswer):
    """No answer, and surely nothing of the request arrived: the name, the connection or the TLS handshake failed."""


class NameNotFound(NotSent):
    """The name is not known, or whoever looks names up did not answer."""

    def __init__(self) -> None:
        super().__init__("the name was not found")


class NoProxy(NotSent):
    """Our own egress proxy does not answer, so nobody beyond it was asked."""

    def __init__(self) -> None:
        super().__init__("the egress proxy does not answer")


class NotTrusted(NotSent):
    """The host's certificate is not one that we trust."""

    def __init__(self) -> None:
        super().__init__("the certificate is not trusted")


class NotReadable(EgressError):
    """Something came back that we do not take in: no HTTP as we know it, an unknown encoding."""


class TooLarge(NotReadable):
    """More bytes than the cap."""
