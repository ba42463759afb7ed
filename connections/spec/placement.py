"""Where a token goes in a request."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Protocol


class Placement(Protocol):
    def place(self, token: str, headers: dict[str, str], query: dict[str, str]) -> None:
        """Put the token into the headers or the query, in place."""


@dataclass(frozen=True)
class BearerHeader:
    """`Authorization: Bearer ...` (RFC 6750 2.1)."""

    def place(self, token: str, headers: dict[str, str], query: dict[str, str]) -> None:
        headers["Authorization"] = f"Bearer {token}"
