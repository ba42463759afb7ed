"""Long lists page by page: the next page begins after the last row of this one, however many rows come or go meanwhile."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime, timezone
from typing import Any, Generic, TypeVar
from uuid import UUID

from django.db.models import Model, Q, QuerySet

Row = TypeVar("Row", bound=Model)
SEPARATOR = "~"  # stands as it is in an address
MOST_DIGITS = 9  # of a whole number, so that it is one of the database's as well


@dataclass(frozen=True)
class KeysetPage(Generic[Row]):
    """Some rows of a list, in its order."""

    rows: list[Row]
    next: str  # the position after which the next page begins; "" on the last one


def page(
    rows: QuerySet[Row], keys: Mapping[str, type], position: str, *, size: int, descending: bool = False
) -> KeysetPage[Row]:
    """The first `size` rows after `position`, or from the start where that is "" or none of ours. One query.

    `keys` are the columns that rows are ordered by, with their types; together they are unique.
    """
    sign = "-" if descending else ""
    ordered = rows.order_by(*(f"{sign}{key}" for key in keys))
    values = _parsed(position, list(keys.values()))
    if values is not None:
        ordered = ordered.filter(_after(dict(zip(keys, values, strict=True)), "lt" if descending else "gt"))
    found = list(ordered[: size + 1])
    shown = found[:size]
    return KeysetPage(shown, _position(shown[-1], keys) if len(found) > size else "")


def _after(values: dict[str, Any], comparison: str) -> Q:
    """(a, b) > (x, y), as Django can say it: a > x, or a = x and b > y."""
    condition = Q(pk=None)  # never
    for key, value in reversed(values.items()):
        condition = Q(**{f"{key}__{comparison}": value}) | Q(Q(**{key: value}), condition)
    return condition


def _position(row: Model, keys: Mapping[str, type]) -> str:
    values = (getattr(row, key) for key in keys)
    return SEPARATOR.join(value.isoformat() if isinstance(value, datetime) else str(value) for value in values)


def _parsed(position: str, types: list[type]) -> list[Any] | None:
    """The values of a position; None for what is none."""
    parts = position.split(SEPARATOR)
    if len(parts) != len(types):
        return None
    try:
        return [_value(part, kind) for part, kind in zip(parts, types, strict=True)]
    except (ValueError, OverflowError):
        return None


def _value(text: str, kind: type) -> Any:
    """Raises ValueError for what is no value of that type, OverflowError for a time that no calendar has."""
    if kind is UUID:
        return UUID(text)
    if kind is datetime:
        moment = datetime.fromisoformat(text)
        if moment.tzinfo is None:
            raise ValueError(text)
        return moment.astimezone(timezone.utc)
    if not re.fullmatch(rf"[0-9]{{1,{MOST_DIGITS}}}", text):
        raise ValueError(text)
    return int(text)
