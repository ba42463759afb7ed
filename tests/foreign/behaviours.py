"""Everything that a foreign server may do: by slot, so that a trial draws no two that exclude each other."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

PROCOUNTOR, SMARTBUSINESS, PENTAMIC, SIMUTEK, HESABIT = "procountor", "smartbusiness", "pentamic", "simutek", "hesabit"
EVERY = (PROCOUNTOR, SMARTBUSINESS, PENTAMIC, SIMUTEK, HESABIT)
PAGED = (PROCOUNTOR, SMARTBUSINESS, SIMUTEK, HESABIT)
OPEN_LISTS = (SIMUTEK, HESABIT)  # no envelope is documented
TOLD = (PROCOUNTOR, SMARTBUSINESS)  # a total is documented
OPEN_ORDER = (SIMUTEK, HESABIT)  # nor in which order records come
UTF8_OPEN = (SMARTBUSINESS, PENTAMIC, SIMUTEK, HESABIT)  # Procountor promises UTF-8
REFRESHED = (PROCOUNTOR, SMARTBUSINESS, HESABIT)  # by a person's consent
OWN_KEYS = (PROCOUNTOR, SMARTBUSINESS, PENTAMIC, SIMUTEK)


@dataclass(frozen=True)
class Behaviour:
    """`is_readable`: all that is told can be read, so nothing but a green run is right. `is_partial`: all but a part can.

    `way`: only for 'refresh' or 'keys'.
    """

    name: str
    slot: str
    providers: tuple[str, ...]
    options: dict[str, Any]
    is_readable: bool = False
    is_partial: bool = False
    is_paged: bool = False  # shows only where a list has several pages
    auth_method: str = ""


def _each(
    slot: str, providers: tuple[str, ...], named: dict[str, dict[str, Any]], **flags: Any
) -> Iterator[Behaviour]:
    for name, options in named.items():
        yield Behaviour(name, slot, providers, options, **flags)


def _gathered() -> Iterator[Behaviour]:
    yield from _each(
        "size", PAGED, {f"cap-{cap}": {"cap": cap} for cap in (50, 7, 1)}, is_paged=True, is_readable=True
    )
    totals = ("missing", "high", "low", "million", "changing", "left", "of-page", "text")
    for total in totals:
        # Whoever says less than there is, or counts otherwise, may not be believed; but nothing may be green and lacking.
        readable = total in ("missing", "text")
        yield Behaviour(f"total-{total}", "total", PAGED, {"total": total}, is_readable=readable, is_paged=True)
    for links in ("next", "has_more", "cursor", "header", "odata"):
        yield Behaviour(
            f"links-{links}", "links", PAGED, {"links": links, "cap": 7, "total": "missing"}, is_paged=True
        )
        only = {"links": links, "links_only": True, "total": "missing"}
        yield Behaviour(f"links-{links}-only", "links", OPEN_LISTS, only, is_paged=True)
    names = ("bare", "data", "items", "results", "value", "resource", "nested", "content", "records", "list")
    for name in names:
        yield Behaviour(f"envelope-{name}", "envelope", OPEN_LISTS, {"envelope": name})
    pages = {"envelope": "data", "cap": 7, "links": "next"}
    yield Behaviour("whole-list-in-pages", "envelope", (PENTAMIC,), pages, is_paged=True)
    yield Behaviour("envelope-wrapped", "envelope", (PENTAMIC,), {"envelope": "data"}, is_readable=True)
    empties = ("204", "null", "body", "object", "null-list", "404")
    for empty in empties:
        readable = empty in ("204", "null", "body")
        yield Behaviour(f"empty-{empty}", "empty", EVERY, {"empty": empty}, is_readable=readable)
    paging = {"paging-ignored-all": "all", "paging-ignored-first": "first", "endless-new": "endless-new"}
    paging |= {"endless-empty": "endless-empty", "endless-same": "endless-same"}
    for name, value in paging.items():
        # Where no total is promised, nobody can tell a list without end from a long one.
        where = OPEN_LISTS if value in ("all", "first") else TOLD if value == "endless-new" else PAGED
        options = {"paging": value, **({"total": "true"} if value == "endless-new" else {})}
        yield Behaviour(name, "paging", where, options, is_paged=True, is_readable=value == "all")
    # What comes after an id, or from an offset on, is documented; where pages have numbers, nothing is.
    one, three = {"repeats-1": {"repeats": 1}}, {"repeats-3": {"repeats": 3}}
    yield from _each("repeats", (PROCOUNTOR, *OPEN_LISTS), one, is_paged=True, is_readable=True)
    yield from _each("repeats", OPEN_LISTS, three, is_paged=True, is_readable=True)
    yield from _edits()
    for status in (404, 400, 403):
        yield Behaviour(f"closed-{status}", "closed", (PROCOUNTOR, PENTAMIC), {"closed": status}, is_partial=True)
    yield Behaviour("hidden-products", "hidden", (PROCOUNTOR,), {"has_hidden": True}, is_readable=True)
    large = {"large_page": 25}
    yield Behaviour("504-on-large-pages", "paging", PAGED, large, is_paged=True, is_readable=True)
    yield from _bodies()
    yield from _trouble()
    yield from _tokens()


def _edits() -> Iterator[Behaviour]:
    anywhere = ("delete-shown", "delete-boundary", "delete-ahead", "insert-end", "change", "delete-first-shown")
    for edit in anywhere:
        yield Behaviour(f"edit-{edit}", "edits", PAGED, {"edits": (edit,)}, is_paged=True)
    for edit in ("insert-front", "insert-boundary", "move-to-front", "move-to-end", "swap"):
        yield Behaviour(f"edit-{edit}", "edits", OPEN_ORDER, {"edits": (edit,)}, is_paged=True)
    # The total stays the same: nothing but the order tells of it.
    both = {"edits": ("delete-shown", "insert-end")}
    yield Behaviour("edit-one-goes-one-comes", "edits", PAGED, both, is_paged=True)
    without = {"edits": ("delete-shown",), "total": "missing"}
    yield Behaviour("edit-delete-without-total", "edits", PAGED, without, is_paged=True)
    always = {"edits": ("delete-boundary", "insert-end"), "edited_pages": (2, 3, 4, 5)}
    yield Behaviour("edit-all-the-time", "edits", PAGED, always, is_paged=True)


def _bodies() -> Iterator[Behaviour]:
    yield Behaviour("bom", "charset", EVERY, {"has_mark": True}, is_readable=True)
    for charset in ("iso-8859-1", "windows-1252"):
        yield Behaviour(f"charset-{charset}", "charset", UTF8_OPEN, {"charset": charset}, is_readable=True)
    for packing in ("gzip", "deflate", "raw-deflate", "wrong-gzip", "empty", "identity", "utf-8"):
        yield Behaviour(f"packing-{packing}", "packing", EVERY, {"packing": packing}, is_readable=True)
    types = {"text-json": "text/json", "problem": "application/problem+json", "html": "text/html; charset=utf-8"}
    types |= {"plain": "text/plain", "absent": "absent", "quoted": 'application/json; charset="UTF8"'}
    for name, content_type in types.items():
        where = tuple(each for each in EVERY if each != SMARTBUSINESS or name != "problem")
        yield Behaviour(f"type-{name}", "type", where, {"content_type": content_type}, is_readable=True)
    yield Behaviour("chunked", "framing", EVERY, {"is_chunked": True}, is_readable=True)
    for status in (206, 202, 203):
        yield Behaviour(f"status-{status}", "status", EVERY, {"status": status}, is_readable=status == 203)
    for text in ("nul", "half", "reversed", "controls", "astral"):
        where = UTF8_OPEN if text == "astral" else EVERY
        yield Behaviour(f"text-{text}", "text", where, {"text": text}, is_readable=True)
    for numbers in ("long", "huge", "tiny", "fine"):
        yield Behaviour(f"numbers-{numbers}", "numbers", EVERY, {"numbers": numbers}, is_readable=True)
    yield Behaviour("digits-beside-nul", "text", EVERY, {"text": "nul", "numbers": "long"}, is_readable=True)
    number_ids = (PROCOUNTOR, SMARTBUSINESS, PENTAMIC, HESABIT)
    yield Behaviour("ids-mixed", "ids", number_ids, {"ids": "mixed"}, is_readable=True)
    yield Behaviour("ids-text", "ids", (PENTAMIC, HESABIT), {"ids": "text"}, is_readable=True)
    yield Behaviour("ids-big", "ids", (PENTAMIC, HESABIT), {"ids": "big"}, is_readable=True)
    yield Behaviour("names-with-capitals", "names", (PENTAMIC,), {"has_capitals": True}, is_readable=True)
    for ids in ("odd", "long", "case", "zeros"):
        yield Behaviour(f"ids-{ids}", "ids", (SIMUTEK, HESABIT), {"ids": ids}, is_readable=True)
    for bad in ("null", "missing", "object", "no-object"):
        yield Behaviour(f"bad-record-{bad}", "record", EVERY, {"bad_record": bad}, is_partial=True)
    for elements in ("two", "one-of-two", "nested"):
        yield Behaviour(f"xml-{elements}", "elements", (PENTAMIC,), {"elements": elements}, is_readable=True)


def _trouble() -> Iterator[Behaviour]:
    for answer in ("500", "502-html", "503", "cut", "half", "maintenance", "401", "404-html", "403-html"):
        yield Behaviour(f"once-{answer}", "trouble", EVERY, {"trouble": (answer,)})
    for answer in ("500", "503", "504", "cut"):
        yield Behaviour(f"burst-{answer}", "trouble", EVERY, {"trouble": (answer,) * 5})
    # Whoever says it again and again, of one new session after the other, means it.
    yield Behaviour("burst-401", "trouble", EVERY, {"trouble": ("401",) * 3})
    yield Behaviour("flaky-500", "trouble", EVERY, {"trouble": ("500", "") * 6})
    yield Behaviour("good-error", "trouble", (HESABIT,), {"trouble": ("good-error", "", "good-error")})
    units = (
        "seconds",
        "fraction",
        "unit",
        "minutes",
        "milliseconds",
        "epoch",
        "epoch-ms",
        "iso",
        "http-date",
        "words",
    )
    for unit in (*units, "zero", "negative", "absent", "reset-epoch", "duration", "clock", "far"):
        yield Behaviour(f"wait-{unit}", "wait", EVERY, {"waits": ((unit, 429),)}, is_readable=True)
    for unit in ("seconds", "epoch", "iso", "http-date"):
        yield Behaviour(f"wait-503-{unit}", "wait", EVERY, {"waits": ((unit, 503),)}, is_readable=True)


def _tokens() -> Iterator[Behaviour]:
    yield Behaviour("life-5s", "life", EVERY, {"life": 5.0}, is_readable=True)
    yield Behaviour("life-40s", "life", EVERY, {"life": 40.0}, is_readable=True)
    yield Behaviour("life-one-call", "life", EVERY, {"uses": 1}, is_readable=True)
    yield Behaviour("life-ten-calls", "life", EVERY, {"uses": 10}, is_readable=True)
    for expires in ("text", "zero", "absent", "fraction", "null", "negative", "words"):
        yield Behaviour(f"expires-{expires}", "expires", EVERY, {"expires": expires}, is_readable=True)
    yield Behaviour("fresh-401-once", "fresh", EVERY, {"late": 1, "late_tokens": 1}, is_readable=True)
    yield Behaviour("fresh-401-always", "fresh", EVERY, {"late": 1})
    yield Behaviour("fresh-401-twice", "fresh", EVERY, {"late": 2, "late_tokens": 2})
    yield Behaviour("fresh-3s-late", "fresh", EVERY, {"late_seconds": 3.0})
    yield Behaviour(
        "rotates", "rotation", (PROCOUNTOR, HESABIT), {"rotation": "always"}, is_readable=True, auth_method="refresh"
    )
    for refusal in (
        "access_denied", "invalid_grant", "invalid_request", "empty-400", "html-400", "html-403", "429-new-refresh",
        "400-new-refresh", "503-new-refresh", "empty-401", "unavailable", "500", "429", "cut", "server_error", "empty-200",
        "lists-403", "text-400", "slow_down",
    ):  # fmt: skip
        options = {"token_trouble": (refusal,)}
        yield Behaviour(f"refresh-{refusal}", "token", REFRESHED, options, auth_method="refresh")
    for refusal in (
        "empty-400",
        "html-400",
        "html-403",
        "unavailable",
        "500",
        "429",
        "text-400",
        "access_denied",
        "cut",
    ):
        yield Behaviour(f"keys-{refusal}", "token", OWN_KEYS, {"token_trouble": (refusal,)}, auth_method="keys")
    many = {"token_trouble": ("html-400",) * 4}
    yield Behaviour("keys-html-400-often", "token", OWN_KEYS, many, auth_method="keys")
    yield Behaviour(
        "refresh-empty-400-often", "token", REFRESHED, {"token_trouble": ("empty-400",) * 4}, auth_method="refresh"
    )
    kinds: dict[str, dict[str, Any]] = {f"token-type-{kind}": {"token_kind": kind} for kind in ("bearer", "BEARER")}
    yield from _each("token-type", EVERY, kinds, is_readable=True)
    packings: dict[str, dict[str, Any]] = {
        f"token-{each}": {"token_packing": each} for each in ("bom", "gzip", "html")
    }
    yield from _each("token-body", EVERY, packings, is_readable=True)


BEHAVIOURS: dict[str, Behaviour] = {each.name: each for each in _gathered()}
