"""Long lists of records page by page, in either direction: a page begins beside a row, however many come or go meanwhile."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timezone
from typing import Any

from django.db.models import Q, QuerySet
from django.db.models.fields.tuple_lookups import Tuple, TupleGreaterThan, TupleLessThan

from connections.sync.models import Record

LONGEST_POSITION = 400


@dataclass(frozen=True)
class Order:
    """The columns in whose order records are listed, which one index has. Together they are unique in a stream."""

    columns: tuple[str, ...]
    is_descending: bool = False

    def position(self, row: Record) -> str:
        """Where this row stands, for an address."""
        values = (getattr(row, column) for column in self.columns)
        return json.dumps([each.isoformat() if isinstance(each, datetime) else each for each in values])

    def parsed(self, position: str) -> list[Any] | None:
        """The values of a position; None for what is none."""
        try:
            values = json.loads(position) if len(position) <= LONGEST_POSITION else None
        except (ValueError, RecursionError):
            return None
        if not isinstance(values, list) or len(values) != len(self.columns):
            return None
        try:
            return [_value(column, value) for column, value in zip(self.columns, values, strict=True)]
        except (ValueError, TypeError, OverflowError):
            return None


@dataclass(frozen=True)
class RecordRows:
    """Some records in their order; `next` and `previous` are positions, "" where there is nothing more."""

    rows: Sequence[Record]
    next: str = ""
    previous: str = ""


def page(rows: QuerySet[Record], order: Order, *, after: str = "", before: str = "", size: int) -> RecordRows:
    """`size` rows after a position or before one, or the first ones where neither is a position of this order. One query."""
    beginning = order.parsed(after)
    end = order.parsed(before) if beginning is None else None
    is_backward = end is not None
    edge = end if is_backward else beginning
    # Walking back is walking the other way from the edge, and turning round.
    is_falling = order.is_descending != is_backward
    if edge is not None:
        rows = rows.filter(_beyond(order.columns, edge, is_falling=is_falling))
    fetched = list(rows.order_by(*(f"-{each}" if is_falling else each for each in order.columns))[: size + 1])
    is_more = len(fetched) > size
    listed = fetched[:size]
    if is_backward:
        listed.reverse()
    if not listed:
        return RecordRows([])
    has_next = is_backward or is_more
    has_previous = is_more if is_backward else beginning is not None
    return RecordRows(
        listed,
        next=order.position(listed[-1]) if has_next else "",
        previous=order.position(listed[0]) if has_previous else "",
    )


def _beyond(columns: tuple[str, ...], edge: Sequence[Any], *, is_falling: bool) -> Any:
    """(a, b) > (x, y) as one comparison of rows, which begins in the index where the edge stands."""
    if len(columns) == 1:
        return Q(**{f"{columns[0]}__{'lt' if is_falling else 'gt'}": edge[0]})
    return (TupleLessThan if is_falling else TupleGreaterThan)(Tuple(*columns), tuple(edge))


def _value(column: str, value: Any) -> Any:
    """Raises ValueError or TypeError for what no such column holds, OverflowError for a time that no calendar has."""
    if column == "change_number":
        if isinstance(value, bool) or not isinstance(value, int) or not 0 <= value < 2**63:
            raise ValueError(column)
        return value
    if not isinstance(value, str) or "\0" in value:
        raise ValueError(column)
    value.encode()  # half a surrogate pair is no text
    if column == "gone_at":
        moment = datetime.fromisoformat(value)
        if moment.tzinfo is None:
            raise ValueError(column)
        return moment.astimezone(timezone.utc)
    return value
