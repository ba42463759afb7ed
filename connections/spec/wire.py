"""How bodies are written and read: the format on the wire, and what it takes to read a provider's own dialect."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any


@dataclass(frozen=True)
class Wire:
    """`decode` turns a body in UTF-8 into JSON text, in which numbers keep their digits; without it, it is JSON already.

    `encode` turns values into bytes, and is told the connection's settings, too. Both raise ValueError. `on_reads`: the
    provider wants the content type on requests without a body, too.
    """

    accept: str = "application/json"
    content_type: str = "application/json"
    on_reads: bool = False
    decode: Callable[[bytes], bytes] | None = None
    encode: Callable[[Any, Mapping[str, str]], bytes] | None = None
