"""Why a call gave no answer that can be used. The texts are fixed: they never hold an address or a secret."""

from __future__ import annotations


class EgressError(Exception):
    """The call did not give an answer."""


class AddressNotAllowed(EgressError):
    """We refuse to connect to the address."""

    def __init__(self) -> None:
        super().__init__("the address is not allowed")


class LeadsInside(AddressNotAllowed):
    """The name leads to an address that we do not connect to, such as one of our own network."""


class NoAnswer(EgressError):
    """Refused, cut, timed out, or a TLS failure."""


class NotSent(NoAnswer):
    """No answer, and surely nothing of the request arrived: the name, the connection or the TLS handshake failed."""


class NameNotFound(NotSent):
    """The name is not known, or the name server did not answer."""

    def __init__(self) -> None:
        super().__init__("the name was not found")


class NoProxy(NotSent):
    """Our own egress proxy does not answer, so nobody beyond it was asked."""

    def __init__(self) -> None:
        super().__init__("the egress proxy does not answer")


class NotTrusted(NotSent):
    """The host's certificate is not one that we trust. `has_ended`: its last day is over, and nothing else is wrong with
    it; `is_unsound`: it is not valid yet, or its key is too weak, whoever vouches for it.
    """

    def __init__(self, *, has_ended: bool = False, is_unsound: bool = False) -> None:
        super().__init__("the certificate is not trusted")
        self.has_ended, self.is_unsound = has_ended, is_unsound


class NotEncrypted(NotSent):
    """The host did not answer in TLS: it speaks plain HTTP there, most likely."""

    def __init__(self) -> None:
        super().__init__("the host does not speak TLS")


class NotReadable(EgressError):
    """Something came back that we do not take in: no HTTP as we know it, an unknown encoding."""


class TooLarge(NotReadable):
    """More bytes than the cap."""
