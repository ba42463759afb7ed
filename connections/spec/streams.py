"""A kind of record we read, in which parts, and how we see what changed."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from datetime import datetime, timedelta, timezone
from typing import Any

from connections.spec.columns import Column, ColumnKind, check
from connections.spec.envelope import BadPage, Envelope, Page
from connections.spec.faults import Fault
from connections.spec.operations import ParameterPlace
from connections.spec.paging import AfterId, Numbered, Offset, Paging, Whole
from connections.spec.scans import CutList, Position, Seen, Step, UnsettledList
from connections.spec.text import Text

__all__ = [
    "AfterId",
    "BadPage",
    "Column",
    "ColumnKind",
    "CutList",
    "Each",
    "Envelope",
    "Numbered",
    "Offset",
    "Page",
    "Paging",
    "Permission",
    "Position",
    "Seen",
    "Since",
    "Step",
    "Stream",
    "UnsettledList",
    "Whole",
]


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

    def newest(self, records: Iterable[Any], before: str) -> str:
        """The latest value of the change field in these records and `before`.

        What is no date-time is passed over, and so is what lies in the future of every time zone: a slip of somebody's
        clock, which would hide all changes until then.
        """
        limit = (datetime.now(timezone.utc) + timedelta(hours=26)).strftime(self.form)
        values = [record.get(self.field) for record in records if isinstance(record, dict)]
        later = {value for value in values if isinstance(value, str) and before < value <= limit}
        while later:
            latest = max(later)
            with suppress(BadPage):
                self.back(latest, timedelta(0))
                return latest
            later.remove(latest)
        return before


@dataclass(frozen=True)
class Permission:
    """Tells whole lists from ones that a missing right emptied or cut without a word: asked before each pass.

    `lacking` names, from the answer of `operation`, the rights of `needs` that are not given and the limitations that
    narrow lists (and raises BadPage); where it names any, the stream ends refused, with `fault`. `in_words` writes the
    name of one right for people.
    """

    operation: str
    needs: tuple[str, ...]
    lacking: Callable[[Any, tuple[str, ...]], list[str]]
    fault: Fault
    in_words: Callable[[str], str] = str


@dataclass(frozen=True)
class Each:
    """One list per record of another stream, read before: the value at `field` of each goes into `parameter`.

    Ids that are unique only within one such list are kept as `<part>/<id>` (`prefixed`). `gone`: codes of faults that say
    the record it belongs to is there no more, so that its list is empty. `closed`: whether such a record says of itself
    that it is closed, so that nothing is missing where the provider knows no list of it.
    """

    stream: str
    field: str
    parameter: str
    place: ParameterPlace = ParameterPlace.PATH
    prefixed: bool = False
    gone: tuple[str, ...] = ()
    closed: Callable[[Mapping[str, Any]], bool] = lambda record: False


@dataclass(frozen=True)
class Stream:
    """A collection we read. Without `since` every run is a full pass.

    `query` goes with every request. `variants` are further query parameters, one set for each list that together make
    the collection, read one after the other; `each` makes one list for every record of another stream. `columns`: the
    fields that people see in the list of its records, and find them by; the others have their own names for a label.
    """

    name: str
    label: Text
    operation: str
    paging: Paging
    key: str = "id"
    since: Since | None = None
    permission: Permission | None = None
    query: Mapping[str, str] = field(default_factory=dict)
    variants: Sequence[Mapping[str, str]] = ()
    each: Each | None = None
    columns: Sequence[Column] = ()
    source: str = ""  # where its document says so; shown in docs/providers.md

    def __post_init__(self) -> None:
        check(self.columns)

    @property
    def listed(self) -> list[Column]:
        """The columns of the list of its records."""
        return [column for column in self.columns if column.is_listed]

    @property
    def searched(self) -> list[Column]:
        """The columns that records can be found by, in the order of the places in which their values are stored."""
        return [column for column in self.columns if column.is_searched]
