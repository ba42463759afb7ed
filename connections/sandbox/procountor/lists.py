"""How a list is asked for and answered: paging, order, filters, the envelope, and getting several by id."""

from __future__ import annotations

import json
import re
from bisect import bisect_left, bisect_right
from collections.abc import Callable, Mapping, Sequence
from datetime import date, datetime
from operator import attrgetter
from typing import Any

from connections.sandbox.procountor.streams import Entry

DEFAULT_SIZE, MAX_SIZE = 50, 200  # Procountor certification 7
BATCH_LIMIT = 200
PARTNER_TYPES = {"CUSTOMER", "SUPPLIER", "PERSON"}
INVOICE_TYPES = {
    "SALES_INVOICE",
    "SALES_ORDER",
    "PURCHASE_INVOICE",
    "PURCHASE_ORDER",
    "TRAVEL_INVOICE",
    "BILL_OF_CHARGES",
    "PERIODIC_TAX_RETURN",
}
_MOMENT = re.compile(r"\d{4}-\d{2}-\d{2}(T\d{2}:\d{2}(:\d{2})?)?")


class WrongParameter(ValueError):
    """A parameter that answers 400; `field` names it."""

    def __init__(self, *, field: str, message: str) -> None:
        super().__init__(message)
        self.field = field


def number(asked: Mapping[str, str], name: str, default: int, *, least: int, most: int | None = None) -> int:
    text = asked.get(name)
    if text is None:
        return default
    if not re.fullmatch(r"\d{1,10}", text) or int(text) < least or (most is not None and int(text) > most):
        limit = f" and at most {most}" if most is not None else ""
        raise WrongParameter(field=name, message=f"must be a whole number of at least {least}{limit}")
    return int(text)


def one_of(asked: Mapping[str, str], name: str, default: str, allowed: set[str]) -> str:
    value = asked.get(name, default)
    if value not in allowed:
        raise WrongParameter(field=name, message=f"must be one of {', '.join(sorted(allowed))}")
    return value


def moment(asked: Mapping[str, str], name: str) -> str | None:
    """A date-time without a zone, seconds optional; filled up so that it compares as text."""
    text = asked.get(name)
    if text is None:
        return None
    try:
        if not _MOMENT.fullmatch(text):
            raise ValueError
        return datetime.fromisoformat(text).isoformat(timespec="seconds")
    except ValueError as wrong:
        raise WrongParameter(field=name, message="must be a date-time such as 2017-01-30T15:20:00") from wrong


def day(asked: Mapping[str, str], name: str) -> str | None:
    text = asked.get(name)
    if text is None:
        return None
    try:
        if len(text) != 10:
            raise ValueError
        return date.fromisoformat(text).isoformat()
    except ValueError as wrong:
        raise WrongParameter(field=name, message="must be a date such as 2017-01-30") from wrong


def asked_kinds(asked: Mapping[str, str], stream: str) -> set[str]:
    """The types asked for, none meaning all. Raises WrongParameter."""
    name, allowed = ("type", PARTNER_TYPES) if stream == "partners" else ("types", INVOICE_TYPES)
    kinds = set(asked[name].split(",")) if name in asked else set()
    if strange := kinds - allowed:
        raise WrongParameter(field=name, message=f"{min(strange)[:40]!r} is none of {', '.join(sorted(allowed))}")
    return kinds


def filters(asked: Mapping[str, str], stream: str, *, inclusive: bool) -> list[Callable[[Entry], bool]]:
    """The tests an entry must pass. Raises WrongParameter; parameters unknown to the API are ignored (inferred)."""
    tests: list[Callable[[Entry], bool]] = []
    since, until = moment(asked, "versionStartDate"), moment(asked, "versionEndDate")
    if since is not None:
        tests.append(lambda e: e.version >= since if inclusive else e.version > since)
    if until is not None:
        tests.append(lambda e: e.version <= until if inclusive else e.version < until)
    if stream == "partners":
        active = one_of(asked, "active", "true", {"true", "false"}) == "true"
        tests.append(lambda e: e.active is active)
        if "type" in asked:
            partner_kinds = asked_kinds(asked, stream)
            tests.append(lambda e: e.kind in partner_kinds)
        return tests
    first, last = day(asked, "startDate"), day(asked, "endDate")
    if first is not None:
        tests.append(lambda e: e.billed >= first)
    if last is not None:
        tests.append(lambda e: e.billed <= last)
    if "status" in asked:
        tests.append(lambda e: e.status == asked["status"])
    if "types" in asked:
        kinds = asked_kinds(asked, stream)
        tests.append(lambda e: e.kind in kinds)
    return tests


def page(
    entries: Sequence[Entry], asked: Mapping[str, str], stream: str, *, inclusive: bool, total_count: bool
) -> bytes:
    """The answer of a list call as JSON, from entries by id ascending that the user may see. Raises WrongParameter."""
    size = number(asked, "size", DEFAULT_SIZE, least=1, most=MAX_SIZE)
    tests = filters(asked, stream, inclusive=inclusive)
    found = [e for e in entries if all(test(e) for test in tests)] if tests else list(entries)
    total, descending = len(found), one_of(asked, "orderById", "DESC", {"ASC", "DESC"}) == "DESC"
    by_version = (
        one_of(asked, "orderByVersion", "DESC", {"ASC", "DESC"})
        if "orderByVersion" in asked and stream == "invoices"
        else None
    )
    if "previousId" in asked:
        if by_version:
            raise WrongParameter(field="previousId", message="goes with orderById only")
        page_number, begin = 0, 0
        previous = number(asked, "previousId", 0, least=0)
        # With DESC the next ones have smaller ids: assumed, the document does not say.
        place = attrgetter("id")
        found = (
            found[: bisect_left(found, previous, key=place)]
            if descending
            else found[bisect_right(found, previous, key=place) :]
        )
    else:
        page_number = number(asked, "page", 0, least=0)
        begin = page_number * size
    if by_version:
        found.sort(key=attrgetter("version"), reverse=by_version == "DESC")
    elif descending:
        found.reverse()
    shown = found[begin : begin + size]
    meta: dict[str, int] = {"pageNumber": page_number, "pageSize": size, "resultCount": len(shown)}
    if total_count:
        meta["totalCount"] = total
    return (
        b'{"results":['
        + b",".join(e.encoded for e in shown)
        + b'],"meta":'
        + json.dumps(meta, separators=(",", ":")).encode()
        + b"}"
    )


def by_ids(entries: Sequence[Entry], ids: str, full: Callable[[dict[str, Any]], dict[str, Any]]) -> bytes | None:
    """One id: the object. Several: an array by id, unknown ones missing. None: nothing found. Raises WrongParameter."""
    parts = ids.split(",")
    if len(parts) > BATCH_LIMIT:
        raise WrongParameter(field="ids", message=f"at most {BATCH_LIMIT} ids")
    if not all(re.fullmatch(r"\d{1,10}", part) for part in parts):
        raise WrongParameter(field="ids", message="must be whole numbers separated by commas")
    wanted = {int(part) for part in parts}
    found = [full(e.body) for e in entries if e.id in wanted]
    if not found:
        return None
    answer: Any = found[0] if len(parts) == 1 else found
    return json.dumps(answer, ensure_ascii=False, separators=(",", ":")).encode()
