"""Where a token goes in a request."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import ClassVar, Protocol

from connections.spec.uses import Use


@dataclass
class Signed:
    """What a signature adds to a request. `hidden_query` is put into the address below everything that keeps one."""

    headers: dict[str, str] = field(repr=False)
    hidden_query: dict[str, str] = field(repr=False)
    form: dict[str, str] | None = field(default=None, repr=False)
    body: bytes | None = field(default=None, repr=False)


class Placement(Protocol):
    """Where a provider wants the access token."""

    any_type: ClassVar[bool]  # tokens of other types than bearer can be sent, too
    use: ClassVar[Use]  # what an access token is sealed for

    def place(self, token: str, kind: str, signed: Signed) -> None:
        """Put the token in, in place. `kind` is the token's type as the provider named it, '' where it named none."""


@dataclass(frozen=True)
class BearerHeader:
    """`Authorization: Bearer ...` (RFC 6750 2.1)."""

    any_type: ClassVar[bool] = False
    use: ClassVar[Use] = Use.HEADER

    def place(self, token: str, kind: str, signed: Signed) -> None:
        signed.headers["Authorization"] = f"Bearer {token}"


@dataclass(frozen=True)
class TypedHeader:
    """`Authorization: {token_type} ...`, built from the token answer."""

    any_type: ClassVar[bool] = True
    use: ClassVar[Use] = Use.HEADER

    def place(self, token: str, kind: str, signed: Signed) -> None:
        signed.headers["Authorization"] = f"{kind or 'Bearer'} {token}"


@dataclass(frozen=True)
class QueryParameter:
    """`?name=...` on every request (RFC 6750 2.3): such a token must never reach a log, an exception or a referrer."""

    name: str
    any_type: ClassVar[bool] = False
    use: ClassVar[Use] = Use.QUERY

    def place(self, token: str, kind: str, signed: Signed) -> None:
        signed.hidden_query[self.name] = token
