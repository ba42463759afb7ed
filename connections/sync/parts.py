"""The lists a stream is read from: one, several variants of one, or one for each record of another stream."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Any

from connections.spec.operations import Arguments, Place
from connections.spec.streams import BadPage, Position, Stream
from connections.sync.models import Record
from connections.vault.models import Connection

UNASKABLE = ("", ".", "..")  # would make another path


@dataclass(frozen=True)
class Part:
    """One list: how far into it a pass is, what its requests are filled with, and what its records' ids begin with."""

    position: Position
    arguments: Arguments
    prefix: str = ""


def at(connection: Connection, stream: Stream, position: Position) -> Part | None:
    """The list at this position of the pass, None where there is none at all. Needs the tenant's scope.

    Raises BadPage where the record it belongs to gives nothing to ask with.
    """
    if stream.each is not None:
        return _of_record(connection, stream, position)
    if not stream.variants:
        return Part(position, Arguments(query=stream.query))
    variant = stream.variants[position.get("part", 0)]
    return Part(position.get("at", {}), Arguments(query={**stream.query, **variant}))


def following(connection: Connection, stream: Stream, position: Position, inner: Position | None) -> Position | None:
    """The pass's position after a page: further into the same list, at the next one, or None at the end."""
    if stream.each is not None:
        part = position.get("part") or _first_id(connection, stream, "")
        if inner is not None:
            return {"part": part, "at": inner}
        after = _first_id(connection, stream, str(part))
        return None if after is None else {"part": after}
    if not stream.variants:
        return inner
    part = position.get("part", 0)
    if inner is not None:
        return {"part": part, "at": inner}
    return {"part": part + 1} if part + 1 < len(stream.variants) else None


def is_divided(stream: Stream) -> bool:
    """Whether it is made of several lists."""
    return bool(stream.each or stream.variants)


def _of_record(connection: Connection, stream: Stream, position: Position) -> Part | None:
    each = stream.each
    if each is None:
        return None
    wanted = position.get("part") or _first_id(connection, stream, "")
    body = _records(connection, stream).filter(external_id=wanted).values_list("body", flat=True).first()
    if body is None:
        return None
    value = str(body.get(each.field, ""))
    if value in UNASKABLE or not value.isprintable():
        message = f"a record whose {each.field} cannot be asked with"
        raise BadPage(message)
    arguments = Arguments(query=dict(stream.query))
    match each.place:
        case Place.PATH:
            arguments = replace(arguments, path={each.parameter: value})
        case Place.HEADER:
            arguments = replace(arguments, headers={each.parameter: value})
        case Place.QUERY:
            arguments = replace(arguments, query={**stream.query, each.parameter: value})
    return Part(position.get("at", {}), arguments, f"{wanted}/" if each.prefixed else "")


def _records(connection: Connection, stream: Stream) -> Any:
    parent = stream.each.stream if stream.each else stream.name
    return Record.objects.filter(connection_id=connection.id, stream=parent)


def _first_id(connection: Connection, stream: Stream, after: str) -> str | None:
    """The next record's id in their order; one look into the index."""
    ids = _records(connection, stream).filter(external_id__gt=after).order_by("external_id")
    found: str | None = ids.values_list("external_id", flat=True).first()
    return found
