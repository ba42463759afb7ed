"""Cuts a collection into pages, says how many there are and where the next one is, and changes the books meanwhile."""

from __future__ import annotations

import random
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import urlencode

from tests.foreign.books import Collection, Entry, Literal, as_json
from tests.foreign.http_server import Request
from tests.foreign.options import Options

SPELLINGS = ("{}", "{}.0")


@dataclass(frozen=True)
class Listing:
    """One list as its document describes it. `mode`: after, offset, page or whole."""

    collection: Collection
    mode: str = "whole"
    default: int = 50
    most: int = 200
    first: int = 1  # number of the first page
    size: str = "limit"  # names of parameters
    place: str = "offset"
    name: str = ""  # of the resource
    select: Callable[[Entry], bool] = lambda entry: True
    part: str = ""
    is_descending: bool = False


@dataclass(frozen=True)
class Page:
    """What is shown of a list, and all that may be said about it. `total`: as it is told, None for not at all."""

    listing: Listing
    entries: Sequence[Entry]
    start: int
    size: int
    total: int | str | None
    has_next: bool
    links: Mapping[str, Any] = field(default_factory=dict)
    headers: Sequence[tuple[str, str]] = ()


class Pager:
    """Of one server. Remembers which page of a pass is asked for, so that the books are changed between two of them."""

    def __init__(self, rng: random.Random, address: str) -> None:
        self.rng, self.address = rng, address
        self._asked: dict[tuple[str, str], int] = {}
        self._edited: set[tuple[str, int]] = set()
        self.endless: Counter[str] = Counter()  # pages of lists without end
        self._told_first: dict[str, int] = {}

    def page(self, listing: Listing, request: Request, options: Options) -> Page:
        cursor = request.query.get("cursor", "")
        is_first = not self._position(listing, request) and not cursor
        key = (listing.collection.name, listing.part)
        number = self._asked[key] = 1 if is_first else self._asked.get(key, 1) + 1
        edited = (listing.collection.name, number)
        if options.edits and number in options.edited_pages and edited not in self._edited:
            self._edited.add(edited)
            self._edit(listing, request, options)
        entries = self._visible(listing)
        size = self._size(listing, request, options)
        if options.paging == "all" or (listing.mode == "whole" and not options.links):
            return self._told(listing, entries, 0, max(len(entries), 1), entries, options, request, number)
        if options.links_only or (listing.mode == "whole" and options.links):
            start = int(cursor) if cursor.isdigit() else 0
        else:
            start = self._start(listing, request, entries, size)
        if options.paging == "first":
            start = 0
        if options.paging.startswith("endless"):
            return self._endless(listing, entries, start, size, options, request, number)
        if options.repeats and size > options.repeats and start:
            # What comes once more takes the place of something new.
            start = start - options.repeats if listing.mode == "after" else start // size * (size - options.repeats)
        shown = entries[start : start + size]
        return self._told(listing, shown, start, size, entries, options, request, number)

    def _visible(self, listing: Listing) -> list[Entry]:
        entries = [each for each in listing.collection.entries if listing.select(each)]
        return entries[::-1] if listing.is_descending else entries

    def _position(self, listing: Listing, request: Request) -> str:
        """'' at the start of a pass."""
        given = request.query.get(listing.place, "")
        return "" if given in ("", "0", str(listing.first)) else given

    def _size(self, listing: Listing, request: Request, options: Options) -> int:
        if listing.mode == "whole":
            return options.cap or 10**6
        given = request.query.get(listing.size, "")
        size = min(int(given) if given.isdigit() and int(given) else listing.default, listing.most)
        return min(size, options.cap) if options.cap else size

    def _start(self, listing: Listing, request: Request, entries: list[Entry], size: int) -> int:
        given = request.query.get(listing.place, "")
        if listing.mode == "after":
            if given in ("", "0"):
                # The other way that the same document describes: pages by their number, from 0.
                number = request.query.get("page", "")
                return int(number) * size if number.isdigit() else 0
            last = float(given)
            passed = (lambda id_: id_ >= last) if listing.is_descending else (lambda id_: id_ <= last)
            return sum(passed(each.id) for each in entries)
        place = int(given) if given.isdigit() else 0
        return place if listing.mode == "offset" else max(place - listing.first, 0) * size

    def _endless(
        self,
        listing: Listing,
        entries: list[Entry],
        start: int,
        size: int,
        options: Options,
        request: Request,
        number: int,
    ) -> Page:
        shown = entries[start : start + size]
        if options.paging == "endless-same":
            shown = shown or entries[-size:]
        elif options.paging == "endless-new":
            while len(shown) < size:
                marks = {**(shown or entries)[-1].marks, "invented": "yes"}
                shown.append(listing.collection.add(**marks))
        self.endless[listing.collection.name] += 1
        first = self._told_first.setdefault(listing.collection.name, len(entries))
        page = self._told(listing, shown, start, size, entries, options, request, number)
        total = page.total
        if options.total == "true":
            total = 1_000_000 if options.paging == "endless-empty" else first
        return Page(listing, shown, start, size, total, True, page.links, page.headers)

    def _told(
        self,
        listing: Listing,
        shown: Sequence[Entry],
        start: int,
        size: int,
        entries: Sequence[Entry],
        options: Options,
        request: Request,
        number: int,
    ) -> Page:
        count, end = len(entries), start + size
        has_next = end < count
        totals: dict[str, int | str | None] = {
            "true": count,
            "missing": None,
            "high": count + 37,
            "low": count // 2,
            "million": 1_000_000,
            "changing": count + number,
            "left": max(count - start, 0),
            "of-page": len(shown),
            "text": str(count),
        }
        if options.status == 206:
            shown = shown[: len(shown) // 2]
        elif options.status == 202:
            shown = []
        links, headers = self._links(options.links, request, end if has_next else None)
        return Page(listing, shown, start, size, totals[options.total], has_next, links, headers)

    def _links(
        self, links: str, request: Request, end: int | None
    ) -> tuple[dict[str, Any], Sequence[tuple[str, str]]]:
        query = {**request.query, "cursor": str(end)}
        query.pop("access_token", None)
        url = f"{self.address}{request.path}?{urlencode(query)}"
        match links:
            case "next":
                return {"next": url if end else None}, ()
            case "has_more":
                return {"has_more": bool(end)}, ()
            case "cursor":
                return {"next_cursor": str(end) if end else None}, ()
            case "odata":
                return ({"@odata.nextLink": url} if end else {}), ()
            case "header":
                return {}, ([("Link", f'<{url}>; rel="next"')] if end else [])
        return {}, ()

    def _edit(self, listing: Listing, request: Request, options: Options) -> None:
        """Somebody works in the books, after a page was shown and before the next one is."""
        collection = listing.collection
        entries = self._visible(listing)
        size = self._size(listing, request, options)
        start = self._start(listing, request, entries, size) if listing.mode != "whole" else 0
        seen = [each for each in entries[:start] if "bad" not in each.marks]
        unseen = [each for each in entries[start:] if "bad" not in each.marks]
        marks = entries[0].marks if entries else {}
        marks = {name: value for name, value in marks.items() if name != "bad"}
        for edit in options.edits:
            match edit:
                case "delete-shown" if seen:
                    collection.remove(seen.pop(self.rng.randrange(len(seen))))
                case "delete-first-shown" if seen:
                    collection.remove(seen.pop(0))
                case "delete-boundary" if seen:
                    collection.remove(seen.pop())
                case "delete-ahead" if unseen:
                    collection.remove(unseen.pop(0))
                case "insert-end":
                    collection.add(**marks)
                case "insert-front":
                    collection.add(0, **marks)
                case "insert-boundary" if seen:
                    collection.add(collection.entries.index(seen[-1]), **marks)
                case "move-to-front" if unseen:
                    collection.move(unseen[-1], 0)
                case "move-to-end" if seen:
                    collection.move(seen.pop(), len(collection.entries) - 1)
                case "swap" if seen and unseen:
                    there, here = collection.entries.index(unseen[-1]), collection.entries.index(seen[0])
                    collection.entries[there], collection.entries[here] = seen[0], unseen[-1]
                    collection.books.tick()
                case "change" if seen and unseen:
                    collection.change(unseen[0], name="Changed while it was read")


def fields_of(entry: Entry, key: str, options: Options, rng: random.Random) -> Any:
    """A record as it is listed, its id in one of its spellings; what is bad about a bad one."""
    spelled: Any = entry.id
    if options.ids == "mixed" and isinstance(spelled, int):
        spelled = Literal(rng.choice((*SPELLINGS, '"{}"') if entry.marks.get("open") else SPELLINGS).format(spelled))
    match entry.marks.get("bad"):
        case "null":
            return {key: None, **entry.fields}
        case "missing":
            return dict(entry.fields)
        case "object":
            return {key: {"value": entry.id}, **entry.fields}
        case "no-object":
            return "no record at all"
    return {key: spelled, **entry.fields}


def rendered(page: Page, options: Options, rng: random.Random) -> list[str]:
    key = page.listing.collection.key
    return [as_json(fields_of(entry, key, options, rng)) for entry in page.entries]
