"""How the pages of a list follow each other, and where the records stand in an answer."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Protocol

MOST_RECORDS = 2**31 - 1  # a total beyond what is counted with here says nothing
Position = dict[str, Any]  # how far a pass has come; JSON, kept in the cursor


class BadPage(Exception):
    """A page that does not have the documented shape. The text says what is missing, not what was there."""


class CutList(BadPage):
    """The provider serves no more of a list than this, although there may be more."""


@dataclass(frozen=True)
class Page:
    """The records of one answer, and where they stand in it. `total` is what the provider says the pass holds, if it says."""

    records: list[dict[str, Any]]
    total: int | None = None
    path: tuple[str, ...] = ()


class Paging(Protocol):
    def parameters(self, position: Position) -> dict[str, str]:
        """Query parameters of the page at `position`; `{}` is the start."""

    def read(self, body: Any, key: str) -> Page:
        """The records in a parsed answer. Raises BadPage."""

    def following(self, position: Position, page: Page, key: str) -> Position | None:
        """The position after this page, or None at the end. Raises BadPage when the pages stand still."""


@dataclass(frozen=True)
class Envelope:
    """Where the list may stand in an answer: under the first of `names` that holds one, or `bare`, the answer itself.

    Names are looked up whatever their case where `any_case`. `total`: path of the total count; optional at every level.
    """

    names: tuple[str, ...] = ()
    bare: bool = False
    total: tuple[str, ...] = ()
    any_case: bool = False

    def open(self, body: Any, key: str) -> Page:
        """Raises BadPage where there is no list, or a record without its key."""
        path = self._path(body)
        records = body if path == () else body[path[0]]
        for record in records:
            if not isinstance(record, dict) or not _is_id(record.get(key)):
                message = f"a record without {key}"
                raise BadPage(message)
        return Page(records, self._total(body), path)

    def _path(self, body: Any) -> tuple[str, ...]:
        if isinstance(body, list) and self.bare:
            return ()
        if isinstance(body, dict):
            spelled = {name.lower(): name for name in body} if self.any_case else {name: name for name in body}
            for name in self.names:
                found = spelled.get(name.lower() if self.any_case else name)
                if found is not None and isinstance(body[found], list):
                    return (found,)
        message = f"no list under {' or '.join(self.names)}" if self.names else "the answer is no list"
        raise BadPage(message)

    def _total(self, body: Any) -> int | None:
        for step in self.total:
            body = body.get(step) if isinstance(body, dict) else None
        is_count = isinstance(body, int) and not isinstance(body, bool) and 0 <= body <= MOST_RECORDS
        return body if self.total and is_count else None


@dataclass(frozen=True)
class AfterId:
    """Pages by the last id seen, ascending: `previousId=<last>&orderById=ASC&size=<n>`."""

    size: int
    envelope: Envelope
    id_parameter: str = "previousId"
    size_parameter: str = "size"
    order: Mapping[str, str] = field(default_factory=dict)

    def parameters(self, position: Position) -> dict[str, str]:
        parameters = {self.size_parameter: str(self.size), **self.order}
        if "after" in position:
            parameters[self.id_parameter] = str(position["after"])
        return parameters

    def read(self, body: Any, key: str) -> Page:
        return self.envelope.open(body, key)

    def following(self, position: Position, page: Page, key: str) -> Position | None:
        if len(page.records) < self.size:
            return None
        last = page.records[-1][key]
        before = position.get("after")
        if before is not None and isinstance(last, type(before)) and last <= before:
            raise _standing_still()
        return {"after": last}


@dataclass(frozen=True)
class Numbered:
    """Pages by number: `page=<first + n>&pageSize=<n>`; a page shorter than its size is the last.

    `may_be_ignored`: the document does not promise the page parameter. A second page that begins like the first then
    means that the list was cut (CutList) instead of a fault in the paging.
    """

    size: int
    envelope: Envelope
    first: int = 1
    page_parameter: str = "page"
    size_parameter: str = "pageSize"
    order: Mapping[str, str] = field(default_factory=dict)
    may_be_ignored: bool = False

    def parameters(self, position: Position) -> dict[str, str]:
        number = str(position.get("page", self.first))
        return {self.size_parameter: str(self.size), self.page_parameter: number, **self.order}

    def read(self, body: Any, key: str) -> Page:
        return self.envelope.open(body, key)

    def following(self, position: Position, page: Page, key: str) -> Position | None:
        begins = str(page.records[0][key]) if page.records else ""
        if begins and begins == position.get("begins"):
            if self.may_be_ignored:
                message = f"the list is cut after {self.size} records"
                raise CutList(message)
            raise _standing_still()
        if len(page.records) < self.size:
            return None
        return {"page": position.get("page", self.first) + 1, "begins": begins}


@dataclass(frozen=True)
class Offset:
    """Pages by offset: `offset=<n>&limit=<n>`. The next-page addresses in an answer are not followed: they
    might lead elsewhere.
    """

    size: int
    envelope: Envelope
    offset_parameter: str = "offset"
    size_parameter: str = "limit"
    order: Mapping[str, str] = field(default_factory=dict)

    def parameters(self, position: Position) -> dict[str, str]:
        offset = str(position.get("offset", 0))
        return {self.size_parameter: str(self.size), self.offset_parameter: offset, **self.order}

    def read(self, body: Any, key: str) -> Page:
        return self.envelope.open(body, key)

    def following(self, position: Position, page: Page, key: str) -> Position | None:
        if len(page.records) < self.size:
            return None
        begins = str(page.records[0][key])
        if begins == position.get("begins"):
            raise _standing_still()
        return {"offset": position.get("offset", 0) + len(page.records), "begins": begins}


@dataclass(frozen=True)
class Whole:
    """The complete list in one answer."""

    envelope: Envelope

    def parameters(self, position: Position) -> dict[str, str]:
        return {}

    def read(self, body: Any, key: str) -> Page:
        return self.envelope.open(body, key)

    def following(self, position: Position, page: Page, key: str) -> Position | None:
        return None


def _is_id(value: Any) -> bool:
    return isinstance(value, str | int | float) and not isinstance(value, bool) and value != ""


def _standing_still() -> BadPage:
    message = "the pages do not move on"
    return BadPage(message)
