"""A kind of record we read, and how its pages follow each other."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from contextlib import suppress
from dataclasses import dataclass, field
from datetime import datetime, timedelta, timezone
from typing import Any, Protocol

from connections.spec.faults import Fault
from connections.spec.provider import Text

Position = dict[str, Any]  # how far a pass has come; JSON, kept in the cursor


class BadPage(Exception):
    """A page that does not have the documented shape. The text says what is missing, not what was there."""


@dataclass(frozen=True)
class Page:
    """The records of one answer. `total` is what the provider says the pass holds, if it says."""

    records: list[dict[str, Any]]
    total: int | None = None


class Paging(Protocol):
    @property
    def path(self) -> tuple[str, ...]:
        """Where the list of records stands in an answer; `()` when it is the answer itself."""

    def parameters(self, position: Position) -> dict[str, str]:
        """Query parameters of the page at `position`; `{}` is the start."""

    def read(self, body: Any, key: str) -> Page:
        """The records in a parsed answer. Raises BadPage."""

    def following(self, position: Position, page: Page, key: str) -> Position | None:
        """The position after this page, or None at the end. Raises BadPage when the pages stand still."""


@dataclass(frozen=True)
class AfterId:
    """Pages by the last id seen, ascending: `previousId=<last>&orderById=ASC&size=<n>`."""

    size: int
    items: str
    total: tuple[str, ...] = ()  # path of the total count in the envelope; optional at every level
    id_parameter: str = "previousId"
    size_parameter: str = "size"
    order: Mapping[str, str] = field(default_factory=dict)

    @property
    def path(self) -> tuple[str, ...]:
        return (self.items,)

    def parameters(self, position: Position) -> dict[str, str]:
        parameters = {self.size_parameter: str(self.size), **self.order}
        if "after" in position:
            parameters[self.id_parameter] = str(position["after"])
        return parameters

    def read(self, body: Any, key: str) -> Page:
        records = body.get(self.items) if isinstance(body, dict) else None
        if not isinstance(records, list):
            message = f"no list under {self.items}"
            raise BadPage(message)
        for record in records:
            if not isinstance(record, dict) or record.get(key) in (None, ""):
                message = f"a record without {key}"
                raise BadPage(message)
        total: Any = body
        for step in self.total:
            total = total.get(step) if isinstance(total, dict) else None
        return Page(records, total if isinstance(total, int) and self.total else None)

    def following(self, position: Position, page: Page, key: str) -> Position | None:
        if len(page.records) < self.size:
            return None
        last = page.records[-1][key]
        before = position.get("after")
        if before is not None and isinstance(last, type(before)) and last <= before:
            message = "the pages do not move on"
            raise BadPage(message)
        return {"after": last}


@dataclass(frozen=True)
class Since:
    """A filter for what changed: `parameter=<newest seen - overlap>`, read from `field` of the records.

    The overlap absorbs ties and clocks; unchanged records cost nothing as they are not written.
    """

    parameter: str
    field: str
    overlap: timedelta
    form: str = "%Y-%m-%dT%H:%M:%S"

    def back(self, value: str, by: timedelta) -> str:
        """A change field's value (ISO 8601) moved back, in the form the filter takes. Raises BadPage for anything else."""
        try:
            return (datetime.fromisoformat(value) - by).strftime(self.form)
        except (ValueError, OverflowError):
            message = f"{self.field} is not a date-time"
            raise BadPage(message) from None

    def newest(self, records: Iterable[Mapping[str, Any]], before: str) -> str:
        """The latest value of the change field in these records and `before`.

        What is no date-time is passed over, and so is what lies in the future of every time zone: a slip of somebody's
        clock, which would hide all changes until then.
        """
        limit = (datetime.now(timezone.utc) + timedelta(hours=26)).strftime(self.form)
        values = (record.get(self.field) for record in records)
        for value in sorted((value for value in values if isinstance(value, str) and value <= limit), reverse=True):
            if value <= before:
                break
            with suppress(BadPage):
                self.back(value, timedelta(0))
                return value
        return before


@dataclass(frozen=True)
class Permission:
    """Tells whole lists from ones that a missing right emptied or cut without a word: asked before each pass.

    `lacking` names, from the answer of `operation`, the rights of `needs` that are not given and the limitations that
    narrow lists (and raises BadPage); where it names any, the stream ends refused, with `fault`.
    """

    operation: str
    needs: tuple[str, ...]
    lacking: Callable[[Any, tuple[str, ...]], list[str]]
    fault: Fault


@dataclass(frozen=True)
class Stream:
    """A collection we read. Without `since` every run is a full pass."""

    name: str
    label: Text
    operation: str
    paging: Paging
    key: str = "id"
    since: Since | None = None
    permission: Permission | None = None
