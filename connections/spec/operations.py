"""One thing a provider lets us do."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from enum import StrEnum
from typing import Any

from connections.spec.text import Text

SAFE = ("GET", "HEAD")


class ParameterPlace(StrEnum):
    """Where a value stands in a request."""

    PATH = "path"
    QUERY = "query"
    HEADER = "header"


@dataclass(frozen=True)
class Parameter:
    """One named value of a request. In a path it is always needed; a private filter value goes in a header."""

    name: str
    place: ParameterPlace = ParameterPlace.QUERY
    required: bool = False
    choices: tuple[str, ...] = ()
    example: str = ""


@dataclass(frozen=True)
class Arguments:
    """What one call is filled with."""

    path: Mapping[str, str] = field(default_factory=dict)
    query: Mapping[str, str] = field(default_factory=dict)
    headers: Mapping[str, str] = field(default_factory=dict)
    body: Any = None


@dataclass(frozen=True)
class LookUp:
    """How to find out whether a write whose answer was lost has happened: by our own reference in it.

    `arguments` fills the looking operation from what was sent, None where it holds no reference of ours; `matches` gives
    everything in the answer (parsed) that bears it. A 404 of the looking operation means not there.

    `by` gives the reference itself where `arguments` do not hold it, as where a list is read whole: writes with the same
    one cannot be told apart by a look-up.

    `created` reads off a thing when it was created, or changed last where only that is told; None where neither is. What
    is older than the write, or of no age, is another's. Without it anything that bears the reference is taken for ours:
    only for a reference that is given once, and never for a name.
    """

    operation: str
    arguments: Callable[[Arguments], Arguments | None]
    matches: Callable[[Any, Arguments], Sequence[Any]]
    by: Callable[[Arguments], Any] | None = None
    created: Callable[[Any], datetime | None] | None = None

    def reference(self, sent: Arguments) -> Any:
        """What a thing is looked for by; equal for writes of which a look may find the other's."""
        return (self.by or self.arguments)(sent)


@dataclass(frozen=True)
class FollowUp:
    """An answer of 202 that a person must confirm first: ask `operation`, with `parameter` in its path read from `field`.

    200 is done, 202 is waiting; `ended` maps other statuses to a sentence.
    """

    operation: str
    parameter: str
    field: str
    ended: Mapping[int, Text]


@dataclass(frozen=True)
class FieldTrouble:
    """What is wrong with one field of a body; `path` is dotted, list places are numbers."""

    path: str
    sentence: Text


@dataclass(frozen=True)
class Operation:
    """`path` is appended to the api address; `{placeholders}` are filled and kept as they are in the request log.

    `example` is a body to start from, for writes that have one. `check` looks at a body before it is sent.
    """

    name: str
    method: str
    path: str
    label: Text
    parameters: Sequence[Parameter] = ()
    example: Any = None
    retried: bool | None = None  # None: as the method says; only safe methods are sent twice
    look_up: LookUp | None = None
    follow_up: FollowUp | None = None
    check: Callable[[Any], Sequence[FieldTrouble]] | None = None
    source: str = ""  # where its document says so; shown in docs/providers.md

    @property
    def is_write(self) -> bool:
        return self.method not in SAFE

    @property
    def may_retry(self) -> bool:
        """Whether it may be sent twice, where the first answer did not come."""
        return not self.is_write if self.retried is None else self.retried
