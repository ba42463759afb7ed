"""The lists that a stream is read from: one, several variants of one, or one for each record of another stream.

One of several that is refused, or gone, does not stop the others; both are counted in the position (Tally).
"""

from __future__ import annotations

from collections.abc import Container
from dataclasses import dataclass, replace
from typing import Any

from connections.spec.errors import CallFailed, Forbidden, Rejected
from connections.spec.operations import Arguments, ParameterPlace
from connections.spec.streams import BadPage, Position, Stream
from connections.sync import upsert
from connections.sync.models import Record
from connections.vault.models import Connection

NOT_IN_A_PATH = ("", ".", "..")  # would make the address of something else
IDS_PER_QUERY = 100  # where some of the stored records have no list any more
MOST_MISSED = 10  # lists from the first one on: when so many are refused, all others are taken to be refused as well


@dataclass(frozen=True)
class Part:
    """One list: how far into it a pass is, what its requests are filled with, and what its records' ids begin with.

    `name`: the id of the record it belongs to, or the number of the variant. `is_closed`: that record says so of itself.
    """

    position: Position
    arguments: Arguments
    prefix: str = ""
    name: str = ""
    is_closed: bool = False


@dataclass(frozen=True)
class Tally:
    """How many lists of a divided stream were read so far, and how many could not be.

    `fault`, `entry` and `is_forbidden` are those of the first list that was missed.
    """

    answered: int = 0
    missed: int = 0
    fault: str = ""
    entry: str = ""
    is_forbidden: bool = False
    is_refused: bool = False  # any of them was, in the provider's own words: a bare 404 may only say "nothing here"

    @classmethod
    def of(cls, position: Position) -> Tally:
        """The tally that the position of a pass holds."""
        return cls(**position.get("tally", {}))

    def answer(self) -> Tally:
        """One more list that was read to its end."""
        return replace(self, answered=self.answered + 1)

    def miss(self, fault: str, entry: str, failed: Exception) -> Tally:
        """One more list that could not be read."""
        has_provider_reason = isinstance(failed, Forbidden) or (
            isinstance(failed, Rejected) and failed.has_provider_reason
        )
        is_refused = has_provider_reason and not (isinstance(failed, CallFailed) and failed.is_page)
        missed = replace(self, missed=self.missed + 1, is_refused=self.is_refused or is_refused)
        if self.missed:
            return missed
        return replace(missed, fault=fault, entry=entry, is_forbidden=isinstance(failed, Forbidden))

    @property
    def is_hopeless(self) -> bool:
        """Whether so many lists from the first one on were missed that no other is asked for."""
        return self.answered == 0 and self.missed >= MOST_MISSED

    def into(self, position: Position) -> Position:
        """The position with these counts."""
        counts = {name: value for name, value in vars(self).items() if value}
        return {**position, "tally": counts} if counts else position


def at(
    connection: Connection, stream: Stream, position: Position, parents: Container[str] | None = None
) -> Part | None:
    """The list at this position of the pass, None where there is none at all. Needs the tenant's scope.

    `parents`: the ids of the records that have a list, None for all that are stored.
    """
    if stream.each is not None:
        return _list_of_record(connection, stream, position, parents)
    if not stream.variants:
        return Part(position, Arguments(query=stream.query))
    number = position.get("part", 0)
    variant = stream.variants[number % len(stream.variants)]
    return Part(position.get("at", {}), Arguments(query={**stream.query, **variant}), name=str(number))


def within(stream: Stream, position: Position, part: Part, inner: Position) -> Position:
    """The pass's position at another place of the same list."""
    if not is_divided(stream):
        return inner
    name = part.name if stream.each else int(part.name)
    return Tally.of(position).into({"part": name, "at": inner})


def after(
    connection: Connection, stream: Stream, part: Part, tally: Tally, parents: Container[str] | None = None
) -> Position | None:
    """The pass's position at the next list, None after the last one."""
    if stream.each is not None:
        following = _first_id(connection, stream, part.name, parents)
        return None if following is None else tally.into({"part": following})
    number = int(part.name or 0) + 1
    # Those of a second look have numbers of their own, and the last variant is not looked at again.
    is_last = number in (len(stream.variants), 2 * len(stream.variants) - 1) or not stream.variants
    return None if is_last else tally.into({"part": number})


def second_look(stream: Stream, position: Position) -> Position | None:
    """Where all variants but the last are read once more, None where that was done or there are none.

    A record that went over from a later variant to an earlier one while they were read is in neither of them.
    """
    count = len(stream.variants)
    if count < 2 or position.get("part", 0) >= count:
        return None
    return Tally.of(position).into({"part": count})


def is_second_look(stream: Stream, part: Part) -> bool:
    """Whether this list is read a second time in its pass."""
    return bool(stream.variants) and stream.each is None and int(part.name) >= len(stream.variants)


def is_divided(stream: Stream) -> bool:
    """Whether the stream is made of several lists."""
    return bool(stream.each or stream.variants)


def is_nothing(stream: Stream, part: Part, failed: CallFailed | BadPage, status: int | None) -> bool:
    """Whether a refusal says that there is nothing to be read: the record is gone, or closed as it says itself."""
    if stream.each is None or not isinstance(failed, CallFailed):
        return False
    return failed.fault.code in stream.each.gone or (part.is_closed and status in (400, 404, 410, 422))


def _list_of_record(
    connection: Connection, stream: Stream, position: Position, parents: Container[str] | None
) -> Part | None:
    each = stream.each
    if each is None:
        return None
    record_id = position.get("part") or _first_id(connection, stream, "", parents)
    rows = _records(connection, stream).filter(external_id=record_id)
    value, body = rows.values_list(upsert.spelled(each.field), "body").first() or (None, None)
    if body is None:
        return None
    value = value or ""
    arguments = Arguments(query=dict(stream.query))
    match each.place:
        case ParameterPlace.PATH:
            arguments = replace(arguments, path={each.parameter: value})
        case ParameterPlace.HEADER:
            arguments = replace(arguments, headers={each.parameter: value})
        case ParameterPlace.QUERY:
            arguments = replace(arguments, query={**stream.query, each.parameter: value})
    prefix = f"{record_id}/" if each.prefixed else ""
    return Part(position.get("at", {}), arguments, prefix, str(record_id), each.closed(body))


def check_value(stream: Stream, part: Part) -> None:
    """Raises BadPage where the record that the list belongs to has no value to ask for it with."""
    if stream.each is None:
        return
    values = {**part.arguments.path, **part.arguments.headers, **part.arguments.query}
    value = values[stream.each.parameter]
    if value in NOT_IN_A_PATH or not value.isprintable():
        message = f"a record whose {stream.each.field} cannot be asked with"
        raise BadPage(message)


def _records(connection: Connection, stream: Stream) -> Any:
    parent = stream.each.stream if stream.each else stream.name
    return Record.objects.for_connection(connection).filter(stream=parent, gone_at=None)


def _first_id(connection: Connection, stream: Stream, after: str, parents: Container[str] | None) -> str | None:
    """The id of the next record that has a list, in the order of their ids. Needs the tenant's scope."""
    while True:
        ids = _records(connection, stream).filter(external_id__gt=after).order_by("external_id")
        candidates: list[str] = list(
            ids.values_list("external_id", flat=True)[: 1 if parents is None else IDS_PER_QUERY]
        )
        following = next((each for each in candidates if parents is None or each in parents), None)
        if following is not None or not candidates:
            return following
        after = candidates[-1]
