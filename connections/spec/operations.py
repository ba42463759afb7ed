"""One thing a provider lets us do."""

from __future__ import annotations

from dataclasses import dataclass

from connections.spec.provider import Text

SAFE = ("GET", "HEAD")


@dataclass(frozen=True)
class Operation:
    """`path` is appended to the api address; `{placeholders}` are filled and kept as they are in the request log."""

    name: str
    method: str
    path: str
    label: Text
    retried: bool | None = None  # None: as the method says; only safe methods are sent twice

    @property
    def may_retry(self) -> bool:
        return self.method in SAFE if self.retried is None else self.retried
