"""How the pages of a list follow each other, and when a list has been read to its end.

A list ends where it says so: with an empty page, or, where its document promises a total, with a page that is shorter
than its others once that many were read. How much a page holds is the server's to say, not ours. A list from which rows
can slide away behind the reader is read so that one which stood from the beginning to the end of the pass is not missed:
by the last id seen, with pages that overlap, or twice in the same order.
"""

from __future__ import annotations

import hashlib
import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from itertools import pairwise
from typing import Any, Protocol

from connections.spec.envelope import NO_HEADERS, BadPage, Envelope, Page, id_of
from connections.spec.scans import CutList, EndlessList, MovingList, Position, Scan, Seen, ShortList, Step

MOST_SCANS = 4  # of one list in one pass
MOST_IDLE_PAGES = 50  # in a row, that bring nothing new
MOST_STEPS_BACK = 8  # without anything new, after rows had slid away
MOST_WITHOUT_TOTAL = 1_000_000  # records of a list that tells no total
MOST_BEYOND_TOTAL = 1000  # records that a list may hold beyond twice the total that it told
MOST_PAGES_BEYOND_TOTAL = 50  # the same in pages as long as its first, where those hold few
SMALLEST_PAGE = 10  # records; no smaller pages are asked for
USUAL_SIZES = (10, 20, 25, 30, 50, 100, 200, 250, 500, 1000)
LIKELY_CUTS = (100, 200, 250, 500, 1000, 2000, 2500, 5000, 10_000)
WHOLE_NUMBER = re.compile(r"-?[0-9]{1,30}")


class Paging(Protocol):
    """A way in which a provider's lists are cut into pages. The position is JSON, stored with the pass; `{}` is the start."""

    @property
    def remembers(self) -> bool:
        """Whether `following` needs to know the ids of all pages."""

    def parameters(self, position: Position) -> dict[str, str]:
        """Query parameters of the page at `position`; `{}` is the start."""

    def read(self, body: Any, key: str, headers: Mapping[str, str] = NO_HEADERS) -> Page:
        """The records in a parsed answer. Raises BadPage."""

    def following(self, position: Position, page: Page, key: str, seen: Seen) -> Step:
        """What comes after this page; nothing at the end. Raises BadPage where the list cannot be read to its end."""

    def smaller(self, position: Position) -> Position | None:
        """Where to go on with pages of half the size. None where pages cannot be smaller."""


class _List:
    """What all ways of paging share: counting, and judging the end."""

    envelope: Envelope
    remembers = False

    def read(self, body: Any, key: str, headers: Mapping[str, str] = NO_HEADERS) -> Page:
        return self.envelope.open(body, key, headers)

    def smaller(self, position: Position) -> Position | None:
        return None

    def following(self, position: Position, page: Page, key: str, seen: Seen) -> Step:
        scan, ids = Scan.of(position), page.ids(key)
        number, counted_before = scan.scan, max(scan.count, scan.most)
        scan.pages, scan.slow = scan.pages + 1, 0
        if scan.pages == 1:
            scan.told, scan.held, scan.first = page.total, len(page.records), _digest(ids)
        is_repeated = bool(ids) and not self._is_at_start(scan) and _digest(ids) == scan.first
        remembered: list[str] = []
        fresh, is_end = 0, True
        if is_repeated:
            scan.loose = True  # or so many rows were inserted before it
        else:
            fresh, is_end, remembered = self._step(scan, page, ids, key, seen)
        if fresh:
            scan.count += fresh + sum(1 for record in page.records if id_of(record, key) is None)
        scan.idle = 0 if fresh else scan.idle + 1
        self._check_bounds(scan)
        is_last = bool(remembered) and scan.pages > 1 and len(page.records) < scan.held and not page.more
        if page.is_documented and is_last and scan.told is not None and scan.count >= scan.told:
            is_end = True
        pages, counted = scan.pages, max(scan.count, scan.most) - counted_before
        scan.last = _digest(ids)
        if is_end:
            after = self._end(scan, page, seen, is_repeated=is_repeated)
        elif scan.scan > 1 and scan.sound and self._repeats(scan, seen):
            after = None
        else:
            after = scan.position
        return Step(after, counted, number, pages, tuple(remembered), after is None and self._is_lacking(scan))

    def _step(self, scan: Scan, page: Page, ids: list[str], key: str, seen: Seen) -> tuple[int, bool, list[str]]:
        """How many records are new, whether the list ends here, and the ids to remember; `scan` then stands at the next page."""
        raise NotImplementedError

    def _is_lacking(self, scan: Scan) -> bool:
        """Whether a list that has ended may hold more than it showed: then nobody concludes what it holds no more."""
        return scan.told is not None and scan.count < scan.told

    def _page_size(self, scan: Scan) -> int:
        """Records that were asked for in a page; 0 for a list without pages."""
        return 0

    def _is_at_start(self, scan: Scan) -> bool:
        return scan.pages <= 1

    @staticmethod
    def _check_bounds(scan: Scan) -> None:
        """Raises EndlessList. A total that was passed and equals the first page was that page's own number."""
        if scan.told is not None and scan.told == scan.held and scan.count > scan.told:
            scan.told = None
        if scan.idle > MOST_IDLE_PAGES:
            message = f"{scan.idle} pages brought nothing new"
            raise EndlessList(message, scan.told, scan.count)
        beyond = min(MOST_BEYOND_TOTAL, MOST_PAGES_BEYOND_TOTAL * max(scan.held, 1))
        most = MOST_WITHOUT_TOTAL if scan.told is None else 2 * scan.told + beyond
        if scan.count > most:
            message = f"the list goes on beyond {most} records"
            raise EndlessList(message, scan.told, scan.count)

    @staticmethod
    def _repeats(scan: Scan, seen: Seen) -> bool:
        return scan.loose and seen.repeats and (scan.told is None or scan.count >= scan.told)

    def _end(self, scan: Scan, page: Page, seen: Seen, *, is_repeated: bool) -> Position | None:
        """Judge a reading that came to its end: None, or the start of another one. Raises BadPage."""
        is_short = scan.told is not None and scan.count < scan.told
        # Rows may have been deleted since the first page; what the last one tells is then true.
        if is_short and page.total and page.total <= scan.count:
            is_short = False
        if is_repeated and (
            scan.held == self._page_size(scan) or scan.held in USUAL_SIZES
        ):  # as pages are, and lists seldom
            message = f"every page is the same, of {scan.held} records"
            raise CutList(message)
        if is_short or page.more:
            if scan.was == [scan.told, scan.count] or scan.tries >= MOST_SCANS:
                message = f"told: {'more' if scan.told is None else scan.told}, read: {scan.count}"
                raise ShortList(message, scan.told, scan.count)
            seen.turn()
            return scan.again(fits=False)
        if not scan.loose or (scan.sound and seen.repeats) or (is_repeated and scan.first == scan.same):
            return None
        if scan.tries >= MOST_SCANS:
            message = f"rows changed places in each of {scan.tries} readings"
            raise MovingList(message)
        seen.turn()
        return scan.again(fits=True, is_same=is_repeated)


class _Paged(_List):
    size: int
    size_parameter: str
    order: Mapping[str, str]

    def _parameters(self, position: Position, **place: Any) -> dict[str, str]:
        filled = {name: str(value) for name, value in place.items() if value is not None}
        return {self.size_parameter: str(position.get("size") or self.size), **filled, **self.order}

    def _page_size(self, scan: Scan) -> int:
        return scan.size or self.size

    def smaller(self, position: Position) -> Position | None:
        scan = Scan.of(position)
        half = self._page_size(scan) // 2
        if half < SMALLEST_PAGE:
            return None
        scan.size, scan.held, scan.slow = half, min(scan.held, half), 0
        return scan.position


@dataclass(frozen=True)
class AfterId(_Paged):
    """Pages by the last id seen, ascending: `previousId=<last>&orderById=ASC&size=<n>`. No row can slide past the reader."""

    size: int
    envelope: Envelope
    id_parameter: str = "previousId"
    size_parameter: str = "size"
    order: Mapping[str, str] = field(default_factory=dict)

    def parameters(self, position: Position) -> dict[str, str]:
        return self._parameters(position, **{self.id_parameter: position.get("after")})

    def _step(self, scan: Scan, page: Page, ids: list[str], key: str, seen: Seen) -> tuple[int, bool, list[str]]:
        after = scan.at.get("after")
        new = ids[1:] if after is not None and ids[:1] == [after] else ids  # whether it comes again nobody says
        if not new:
            return 0, True, ids
        direction = _direction([*([after] if after is not None else []), *new])
        if direction == 0 or (direction and direction != scan.at.get("direction", direction)):
            message = "the pages are not in the order of their ids"
            raise BadPage(message)
        scan.at["after"] = new[-1]
        if direction:
            scan.at["direction"] = direction
        return len(new), False, ids


@dataclass(frozen=True)
class Numbered(_Paged):
    """Pages by number: `page=<first + n>&pageSize=<n>`. Nothing is promised about the order, so that a list of several
    pages is read twice.
    """

    size: int
    envelope: Envelope
    first: int = 1
    page_parameter: str = "page"
    size_parameter: str = "pageSize"
    order: Mapping[str, str] = field(default_factory=dict)
    remembers = True

    def parameters(self, position: Position) -> dict[str, str]:
        return self._parameters(position, **{self.page_parameter: position.get("page", self.first)})

    def smaller(self, position: Position) -> Position | None:
        """Page numbers count pages of one size: the reading begins anew."""
        smaller = super().smaller(position)
        if smaller is None:
            return None
        return Scan.of(smaller).anew()

    def _step(self, scan: Scan, page: Page, ids: list[str], key: str, seen: Seen) -> tuple[int, bool, list[str]]:
        scan.loose = True
        scan.at["page"] = scan.at.get("page", self.first) + 1
        # Some servers answer with the last page whatever lies behind it.
        is_last_again = bool(ids) and _digest(ids) == scan.last and len(page.records) < scan.held
        return seen.add(ids), not page.records or is_last_again, ids


@dataclass(frozen=True)
class Offset(_Paged):
    """Pages by offset: `offset=<n>&limit=<n>`, each from the last record of the page before.

    Where one begins with a record that was not read, rows have slid away and it goes back; where anything moved, the list
    is read once more. The next-page addresses in an answer are not followed: they might lead elsewhere.
    """

    size: int
    envelope: Envelope
    offset_parameter: str = "offset"
    size_parameter: str = "limit"
    order: Mapping[str, str] = field(default_factory=dict)
    remembers = True

    def parameters(self, position: Position) -> dict[str, str]:
        return self._parameters(position, **{self.offset_parameter: position.get("offset", 0)})

    def _step(self, scan: Scan, page: Page, ids: list[str], key: str, seen: Seen) -> tuple[int, bool, list[str]]:
        offset = scan.at.get("offset", 0)
        is_joined = bool(ids) and ids[0] in seen.now
        back = scan.at.get("back", 0)
        if page.records and not ids:  # a single bad record, which the page behind it cannot begin with
            scan.at, scan.loose = {"offset": offset + 1, "joins": False, "ended": None}, True
            return 0, False, []
        if scan.at.get("joins") and not is_joined:
            if back >= MOST_STEPS_BACK:
                message = "no page begins with what the one before ended with"
                raise MovingList(message)
            begin, scan.idle, scan.loose = max(0, offset - scan.held), 0, True
            scan.at = {"offset": begin, "joins": begin > 0, "back": back + 1}
            return 0, False, []
        if not page.records:
            return 0, True, []
        fresh = seen.add(ids)
        # Where something moved, or the order that was asked for is not kept, rows may have slid past unseen after all.
        has_moved = offset > 0 and ids[0] != scan.at.get("ended")
        has_changed = page.total is not None and scan.told is not None and page.total != scan.told
        scan.loose = scan.loose or has_moved or has_changed or _direction(ids) in (0, -1)
        is_alone = len(page.records) == 1
        # The page behind a single record cannot begin with it, so that nobody sees whether rows slid past.
        scan.loose = scan.loose or (is_alone and not is_joined)
        if is_alone and is_joined:
            return 0, True, ids
        last = max(place for place, record in enumerate(page.records) if id_of(record, key) is not None)
        scan.at = {
            "offset": offset + max(last, 1),
            "joins": not is_alone,
            "ended": ids[-1],
            **({"back": back} if back and not fresh else {}),
        }
        return fresh, False, ids

    def _is_at_start(self, scan: Scan) -> bool:
        return scan.pages <= 1 or scan.at.get("offset") == 0


@dataclass(frozen=True)
class Whole(_List):
    """The complete list in one answer."""

    envelope: Envelope

    def parameters(self, position: Position) -> dict[str, str]:
        return {}

    def _is_lacking(self, scan: Scan) -> bool:
        # A server may cut what is documented to come whole, at a number like these; it would not say so.
        is_cut = scan.told is None and scan.held in LIKELY_CUTS
        return is_cut or super()._is_lacking(scan)

    def _step(self, scan: Scan, page: Page, ids: list[str], key: str, seen: Seen) -> tuple[int, bool, list[str]]:
        return len(ids), True, ids


def _digest(ids: list[str]) -> str:
    return hashlib.sha256("\n".join(ids).encode()).hexdigest()[:16]


def _direction(ids: list[str]) -> int | None:
    """1 where they ascend, -1 where they descend, 0 where they do neither; None where it cannot be told."""
    if len(ids) < 2 or not all(WHOLE_NUMBER.fullmatch(each) for each in ids):
        return None
    numbers = [int(each) for each in ids]
    pairs = list(pairwise(numbers))
    if all(one < other for one, other in pairs):
        return 1
    return -1 if all(one > other for one, other in pairs) else 0
