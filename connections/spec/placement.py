"""Where a token goes in a request."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar, Protocol


@dataclass
class Signed:
    """What a placement adds to a request. `hidden_query` is put into the address below everything that keeps one."""

    headers: dict[str, str]
    hidden_query: dict[str, str]


class Placement(Protocol):
    any_type: ClassVar[bool]  # tokens of other types than bearer can be sent, too

    def place(self, token: str, kind: str, signed: Signed) -> None:
        """Put the token in, in place. `kind` is the token's type as the provider named it, '' where it named none."""


@dataclass(frozen=True)
class BearerHeader:
    """`Authorization: Bearer ...` (RFC 6750 2.1)."""

    any_type: ClassVar[bool] = False

    def place(self, token: str, kind: str, signed: Signed) -> None:
        signed.headers["Authorization"] = f"Bearer {token}"


@dataclass(frozen=True)
class TypedHeader:
    """`Authorization: {token_type} ...`, built from the token answer."""

    any_type: ClassVar[bool] = True

    def place(self, token: str, kind: str, signed: Signed) -> None:
        signed.headers["Authorization"] = f"{kind or 'Bearer'} {token}"


@dataclass(frozen=True)
class QueryParameter:
    """`?name=...` on every request (RFC 6750 2.3): such a token must never reach a log, an exception or a referrer."""

    name: str
    any_type: ClassVar[bool] = False

    def place(self, token: str, kind: str, signed: Signed) -> None:
        signed.hidden_query[self.name] = token
