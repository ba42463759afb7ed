"""One scan of a list, from its start to its end: what is remembered of it, how it is counted, and what it may end with."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import MISSING, asdict, dataclass, field, fields
from typing import Any

from connections.spec.envelope import BadPage

Position = dict[str, Any]  # how far a pass has come; JSON, kept in the cursor


class CutList(BadPage):
    """The provider serves no more of a list than this, although there may be more."""


class UnsettledList(BadPage):
    """A list that was perhaps not read whole. `total`: records that it promised, `seen`: that it gave; where they differ."""

    def __init__(self, message: str, total: int | None = None, seen: int | None = None) -> None:
        super().__init__(message)
        self.total, self.seen = total, seen


class ShortList(UnsettledList):
    """The list says that it holds more than it gives, and a second reading gave no more."""


class MovingList(UnsettledList):
    """A list whose rows changed places in every reading."""


class EndlessList(UnsettledList):
    """A list that goes on and on."""


class Seen:
    """The ids of one list that a pass has seen: in this reading of it, and in the one before."""

    def __init__(self) -> None:
        self.now: dict[str, None] = {}
        self.before: list[str] = []
        self._repeated = 0

    def add(self, ids: Iterable[str]) -> int:
        """How many of them are new to this reading."""
        before = len(self.now)
        for each in ids:
            if each not in self.now:
                self.now[each] = None
                if self._repeated < len(self.before) and self.before[self._repeated] == each:
                    self._repeated += 1
        return len(self.now) - before

    def turn(self) -> None:
        """Another reading begins."""
        self.now, self.before, self._repeated = {}, list(self.now), 0

    @property
    def repeats(self) -> bool:
        """Everything of the reading before has come again, in the same order.

        Then the reading before missed no row: rows slide towards the beginning only where one that was read is gone, and
        that one would be missing now.
        """
        return self._repeated == len(self.before) and bool(self.before or not self.now)


@dataclass
class Scan:
    """One reading of a list from its start. Its fields are stored in the position by these names (JSON), so they stay."""

    scan: int = 1  # tells readings apart; one that begins anew with smaller pages counts
    tries: int = 1
    size: int = 0  # records asked for in a page, where that is not the usual number
    pages: int = 0
    count: int = 0  # records, those without an id included
    most: int = 0  # records of the best reading before
    told: int | None = None  # total that its first page told
    held: int = 0  # records of its first page
    first: str = ""  # digest of the ids of its first page, and of the last one
    last: str = ""
    idle: int = 0
    slow: int = 0  # times in a row that the page here was not answered in time
    skipped: int = 0  # records that could not be kept, and those of the worst reading before
    skipped_most: int = 0
    loose: bool = False  # the order does not keep rows from sliding past the reader
    sound: bool = False  # the reading before came to an end that fits what was told
    same: str = ""  # digest of the first page of the reading before, where all its pages were the same
    was: list[int | None] | None = None  # told and count of the reading before, where they did not fit
    at: Position = field(default_factory=dict)

    @classmethod
    def of(cls, position: Position) -> Scan:
        """The scan that a position holds."""
        names = {each.name for each in fields(cls)} - {"at"}
        own = {name: value for name, value in position.items() if name in names}
        return cls(**own, at={name: value for name, value in position.items() if name not in names})

    @property
    def position(self) -> Position:
        """The scan as JSON, without the fields that have their defaults."""
        defaults = {each.name: each.default for each in fields(self) if each.default is not MISSING}
        values = {name: value for name, value in asdict(self).items() if name in defaults and value != defaults[name]}
        return {**values, **self.at}

    def again(self, *, fits: bool, is_same: bool = False) -> Position:
        """The start of another reading. `fits`: this one came to an end that fits what was told."""
        was = None if fits else [self.told, self.count]
        same = self.first if is_same else ""
        return self._new(tries=self.tries + 1, sound=fits and not is_same, same=same, was=was)

    def anew(self) -> Position:
        """The position from which the same reading begins once more."""
        return self._new(tries=self.tries)

    def _new(self, **more: Any) -> Position:
        most, skipped = max(self.most, self.count), max(self.skipped_most, self.skipped)
        return Scan(self.scan + 1, size=self.size, most=most, skipped_most=skipped, **more).position


@dataclass(frozen=True)
class Step:
    """Where a page leads. `seen`: records that are new to the pass; `ids`: of the page, to be remembered with the `scan`.

    `is_lacking`: the list ended well enough to be read on, but perhaps without having shown everything (paging.py).
    """

    following: Position | None
    seen: int
    scan: int = 1
    page: int = 1
    ids: tuple[str, ...] = ()
    is_lacking: bool = False


def skipped_records(before: Position, step: Step, count: int) -> tuple[int, Position | None]:
    """How many records that could not be stored a page adds to the pass, and where the pass goes on.

    `count` of them are on the page. A list that is read again brings the same ones again: only those beyond the worst reading
    are new.
    """
    scan = Scan.of(before)
    skipped, worst = scan.skipped + count, scan.skipped_most
    added = max(skipped, worst) - max(scan.skipped, worst)
    if step.following is None or not skipped:
        return added, step.following
    following = Scan.of(step.following)
    if following.scan == step.scan:
        following.skipped = skipped
    else:
        following.skipped_most = max(skipped, worst)
    return added, following.position
