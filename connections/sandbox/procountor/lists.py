"""How a list is asked for and answered: paging, order, filters, the envelope, and getting several by id."""

from __future__ import annotations

import json
import re
from bisect import bisect_left, bisect_right
from collections.abc import Callable, Mapping, Sequence
from datetime import date, datetime
from operator import attrgetter
from typing import Any

from connections.sandbox.procountor.catalogue import Stream, at
from connections.sandbox.procountor.records import Entry

DEFAULT_SIZE, MAX_SIZE = 50, 200  # Procountor certification 7
BATCH_LIMIT = 200
Test = Callable[[Entry], bool]
_MOMENT = re.compile(r"\d{4}-\d{2}-\d{2}(T\d{2}:\d{2}(:\d{2})?)?")


class WrongParameter(ValueError):
    """A parameter that answers 400; `field` names it."""

    def __init__(self, *, field: str, message: str) -> None:
        super().__init__(message)
        self.field = field


def number(query: Mapping[str, str], name: str, default: int, *, least: int, most: int | None = None) -> int:
    text = query.get(name)
    if text is None:
        return default
    if not re.fullmatch(r"\d{1,19}", text) or int(text) < least or (most is not None and int(text) > most):
        limit = f" and at most {most}" if most is not None else ""
        raise WrongParameter(field=name, message=f"must be a whole number of at least {least}{limit}")
    return int(text)


def one_of(query: Mapping[str, str], name: str, default: str, allowed: set[str]) -> str:
    value = query.get(name, default)
    if value not in allowed:
        raise WrongParameter(field=name, message=f"must be one of {', '.join(sorted(allowed))}")
    return value


def moment(query: Mapping[str, str], name: str) -> str | None:
    """A date-time without a zone, seconds optional; filled up so that it compares as text."""
    text = query.get(name)
    if text is None:
        return None
    try:
        if not _MOMENT.fullmatch(text):
            raise ValueError
        return datetime.fromisoformat(text).isoformat(timespec="seconds")
    except ValueError as wrong:
        raise WrongParameter(field=name, message="must be a date-time such as 2017-01-30T15:20:00") from wrong


def day(query: Mapping[str, str], name: str) -> str | None:
    text = query.get(name)
    if text is None:
        return None
    try:
        if len(text) != 10:
            raise ValueError
        return date.fromisoformat(text).isoformat()
    except ValueError as wrong:
        raise WrongParameter(field=name, message="must be a date such as 2017-01-30") from wrong


def requested_kinds(query: Mapping[str, str], stream: Stream) -> set[str]:
    """The types asked for, none meaning all. Raises WrongParameter."""
    name = stream.kind_parameter
    kinds = set(query[name].split(",")) if name and name in query else set()
    if strange := kinds - stream.kinds:
        raise WrongParameter(field=name, message=f"{min(strange)[:40]!r} is none of {', '.join(sorted(stream.kinds))}")
    return kinds


def _said(value: object) -> str:
    """A value as a query parameter would say it."""
    return str(value).lower() if isinstance(value, bool) else str(value)


def _bounds(values: tuple[str | None, str | None], place: str, *, inclusive: bool) -> list[Test]:
    """Both ends as texts; the version stands ready, as every incremental reader asks for it."""
    since, until = values
    get: Callable[[Entry], str] = attrgetter("version") if place == "version" else lambda e: e.body.get(place) or ""
    tests: list[Test] = []
    if since is not None:
        tests.append((lambda e: get(e) >= since) if inclusive else (lambda e: get(e) > since))
    if until is not None:
        tests.append((lambda e: get(e) <= until) if inclusive else (lambda e: get(e) < until))
    return tests


def filters(query: Mapping[str, str], headers: Mapping[str, str], stream: Stream, *, inclusive: bool) -> list[Test]:
    """The tests an entry must pass. Raises WrongParameter; parameters unknown to the API are ignored (inferred)."""
    tests: list[Test] = []
    for half, place in stream.moments.items():
        pair = (moment(query, f"{half}StartDate"), moment(query, f"{half}EndDate"))
        tests += _bounds(pair, place, inclusive=inclusive)
    for first, place in stream.days.items():
        last = first.replace("start", "end").replace("Start", "End")
        tests += _bounds((day(query, f"{first}Date"), day(query, f"{last}Date")), place, inclusive=True)
    if stream.name == "partners":
        active = one_of(query, "active", "true", {"true", "false"}) == "true"
        tests.append(lambda e: e.active is active)
    kinds = requested_kinds(query, stream)
    if stream.name == "products":
        kinds = kinds or {"SALES", "PURCHASE"}  # the default leaves TRAVEL out
    if kinds:
        tests.append(lambda e: e.kind in kinds)
    for source, table in ((query, stream.equal), (headers, stream.headers)):
        for name, place in table.items():
            if (value := source.get(name)) is not None:
                values = set(value.split(","))
                tests.append(lambda e, place=place, values=values: _said(at(e.body, place)) in values)  # type: ignore[misc]
    for name, place in stream.within.items():
        if name in query:
            part = query[name].lower()
            tests.append(lambda e, place=place, part=part: part in str(at(e.body, place) or "").lower())  # type: ignore[misc]
    return tests


def page(
    entries: Sequence[Entry],
    query: Mapping[str, str],
    headers: Mapping[str, str],
    stream: Stream,
    *,
    inclusive: bool,
    total_count: bool,
    later_release: bool = False,
) -> bytes:
    """The answer of a list call as JSON, from entries by id ascending that the user may see. Raises WrongParameter."""
    size = number(query, "size", DEFAULT_SIZE, least=1, most=MAX_SIZE)
    if stream.only_previous_id and "page" in query:
        raise WrongParameter(field="page", message="is not known here, use previousId")
    tests = filters(query, headers, stream, inclusive=inclusive)
    matches = [e for e in entries if all(test(e) for test in tests)] if tests else list(entries)
    total = len(matches)
    usual = "ASC" if stream.ascending else "DESC"
    descending = one_of(query, "orderById", usual, {"ASC", "DESC"}) == "DESC"
    ordered = next((name for name in stream.orders if name in query), None)
    upwards = ordered is None or one_of(query, ordered, "DESC", {"ASC", "DESC"}) == "ASC"
    page_number = begin = 0
    if "previousId" in query:
        if ordered:
            raise WrongParameter(field="previousId", message="goes with orderById only")
        if previous := number(query, "previousId", 0, least=0):
            # With DESC the next ones have smaller ids: assumed, the document does not say.
            place = attrgetter("id")
            cut = (
                bisect_left(matches, previous, key=place) if descending else bisect_right(matches, previous, key=place)
            )
            matches = matches[:cut] if descending else matches[cut:]
    else:
        page_number = number(query, "page", 0, least=0)
        begin = page_number * size
    if ordered:
        field = stream.orders[ordered]
        matches.sort(key=lambda e: _sortable(at(e.body, field)), reverse=not upwards)
    elif descending:
        matches.reverse()
    page_entries = matches[begin : begin + size]
    meta: dict[str, int] = {"pageNumber": page_number, "pageSize": size, "resultCount": len(page_entries)}
    if total_count:
        meta["totalCount"] = total
    encoded = [_later(e) if later_release else e.encoded for e in page_entries]
    encoded_meta = json.dumps(meta, separators=(",", ":")).encode()
    return b'{"results":[' + b",".join(encoded) + b'],"meta":' + encoded_meta + b"}"


def _sortable(value: object) -> tuple[int, str]:
    """Numbers by size, texts as they are, nothing first."""
    return (value, "") if isinstance(value, int) else (0, str(value or ""))


def whole_list(stream: Stream, entries: Sequence[Entry]) -> bytes:
    """The lists that come in one piece, each with its own wrapping (specification 26.04)."""
    if stream.name == "fiscal_years":
        entries = entries[::-1]  # the newest first
    body = b"[" + b",".join(e.encoded for e in entries) + b"]"
    name = {"accounts": b"ledgerAccounts", "fiscal_years": b"fiscalYears"}.get(stream.name)
    return body if name is None else b'{"' + name + b'":' + body + b"}"


def _later(entry: Entry) -> bytes:
    """The record as a release after this one might tell it: one more field, and sometimes an unknown value."""
    body = {**entry.body, "addedInALaterRelease": {"anything": [1, None]}}
    if entry.id % 7 == 0 and body.get("status"):
        body["status"] = "STATUS_OF_A_LATER_RELEASE"
    return json.dumps(body, ensure_ascii=False, separators=(",", ":")).encode()


def by_ids(entries: Sequence[Entry], ids: str, full: Callable[[Entry], dict[str, Any]]) -> bytes | None:
    """One id: the object. Several: an array by id, unknown ones missing. None: nothing found. Raises WrongParameter."""
    parts = ids.split(",")
    if len(parts) > BATCH_LIMIT:
        raise WrongParameter(field="ids", message=f"at most {BATCH_LIMIT} ids")
    if not all(re.fullmatch(r"\d{1,19}", part) for part in parts):
        raise WrongParameter(field="ids", message="must be whole numbers separated by commas")
    numbers = {int(part) for part in parts}
    bodies = [full(e) for e in entries if e.id in numbers]
    if not bodies:
        return None
    answer: Any = bodies[0] if len(parts) == 1 else bodies
    return json.dumps(answer, ensure_ascii=False, separators=(",", ":")).encode()
