"""Parses what staff paste into a search box - an id, an address of our pages, a whole mail - into what it could name."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from datetime import datetime
from typing import TypeVar
from urllib.parse import unquote, urlsplit
from uuid import UUID

from django.urls import Resolver404, ResolverMatch, resolve
from django.utils import timezone

Each = TypeVar("Each")

LONGEST_TEXT_CHARACTERS = 4000
MOST_WORDS = 40  # that could be an id which is not ours
MOST_IDS = 40  # of ours, and as many beginnings of such
SHORTEST_BEGINNING_DIGITS = 8  # hexadecimal digits, as our pages show them
LONGEST_NAME_CHARACTERS = 200  # of a tenant, company or person

_HEX = "[0-9a-fA-F]"
_UUID = re.compile(f"{_HEX}{{8}}-(?:{_HEX}{{4}}-){{3}}{_HEX}{{12}}|(?<!{_HEX}){_HEX}{{32}}(?!{_HEX})")
_ADDRESS = re.compile(r"https?://[^\s<>\"'|]+|(?<![\w/:.])/[a-z][^\s<>\"'|]*")
_EMAIL = re.compile(r"[^\s@<>()\[\]\"',;:|]*@[^\s@<>()\[\]\"',;:|]*")
_FINGERPRINT = re.compile(f"(?:{_HEX}{{2}}:){{31}}{_HEX}{{2}}|(?<!{_HEX}){_HEX}{{64}}(?!{_HEX})")
_BEGINNING = re.compile(f"{_HEX}{{8}}(?:-?{_HEX}{{0,4}}){{0,3}}(?:-?{_HEX}{{0,11}})?")
_MONTHS = ["Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec"]
# As our pages and mails write times (connections/spec/times.py), and as logs do.
_TIME = re.compile(
    rf"(?:(?P<date>\d{{4}}-\d\d-\d\d)[T ]|(?P<day>\d{{1,2}})\.? (?P<month>{'|'.join(_MONTHS)})[a-z]*\.? (?P<year>\d{{4}}),? )"
    r"(?P<clock>\d\d:\d\d(?::\d\d)?)(?:\.\d+)?(?: ?(?P<zone>Z|UTC|GMT|[+-]\d\d:?\d\d)\b)?"
)
_PERSON = re.compile(r"\b(?:person|staff|user|actor_id)\W{1,3}(\d{1,9})\b")
_NUMBER = re.compile(r"[0-9]{1,9}")
_UNSEEN = re.compile("[\u00ad\u200b-\u200f\u2028-\u202e\u2060-\u2069\ufeff]")
_AROUND = ".,;:!?\"'`<>()[]{}|*\u2026«»„“”‚‘’‹›、。،؛"


@dataclass(frozen=True)
class SearchText:
    """What a text could name. `name` is '' where it is no name of one line; `beginnings` are first and last possible id."""

    text: str
    name: str
    ids: tuple[UUID, ...]
    beginnings: tuple[tuple[UUID, UUID], ...]
    words: tuple[str, ...]
    emails: tuple[str, ...]
    fingerprints: tuple[str, ...]
    people: tuple[int, ...]  # by their number, as logs and audit trails name them
    pages: tuple[ResolverMatch, ...]  # of ours
    addresses: tuple[str, ...]  # any
    times: tuple[datetime, ...]
    is_cut: bool  # not everything was read


def as_uuid(text: str) -> UUID | None:
    try:
        return UUID(text)
    except ValueError:
        return None


def parse_search_text(text_as_typed: str) -> SearchText:
    """What a text could name, which may be several things. Quotes, brackets, line breaks and words around them do no harm."""
    text = _UNSEEN.sub("", text_as_typed[:LONGEST_TEXT_CHARACTERS]).strip().strip(_AROUND).strip()
    addresses = _unique(each.rstrip(_AROUND) for each in _ADDRESS.findall(text))
    pages = [page for page in map(_page, addresses) if page is not None]
    rest = _ADDRESS.sub(lambda match: _parts(match[0].rstrip(_AROUND)), text)
    fingerprints = _unique(map(_colons, _FINGERPRINT.findall(rest)))
    emails = _unique(each.strip(_AROUND).lower() for each in _EMAIL.findall(rest) if len(each.strip(_AROUND)) > 2)
    ids = _unique(UUID(each) for each in _UUID.findall(rest))
    words = _unique(_words(text, _EMAIL.sub(" ", rest)))
    people = _unique(int(each) for each in [*_PERSON.findall(rest), *([text] if _NUMBER.fullmatch(text) else [])])
    beginnings = _unique(span for word in words if (span := _span(word)) is not None)
    return SearchText(
        text=text,
        name=text if len(text) <= LONGEST_NAME_CHARACTERS and not re.search("[\n@]", text) and not addresses else "",
        ids=tuple(ids[:MOST_IDS]),
        beginnings=tuple(beginnings[:MOST_IDS]),
        words=tuple(words[:MOST_WORDS]),
        emails=tuple(emails[:MOST_WORDS]),
        fingerprints=tuple(fingerprints[:MOST_IDS]),
        people=tuple(people[:MOST_IDS]),
        pages=tuple(pages[:MOST_IDS]),
        addresses=tuple(addresses[:MOST_IDS]),
        times=tuple(_unique(_times(rest))[:3]),
        is_cut=len(text_as_typed) >= LONGEST_TEXT_CHARACTERS
        or max(len(words), len(emails)) > MOST_WORDS
        or max(len(ids), len(beginnings), len(fingerprints), len(addresses)) > MOST_IDS,
    )


def _parts(address: str) -> str:
    """What is left to be read by itself: of a page of ours the query, of any other address all its parts."""
    rest = urlsplit(address).query if _page(address) else address
    return re.sub(r"[/?&#=]", " ", f" {unquote(rest)} ")


def _words(text: str, rest: str) -> Iterator[str]:
    """What could be a provider's or customer's id: the whole text, and every word that is not only letters."""
    if len(text) <= 600:  # the longest id of a company
        yield text
    for word in rest.split():
        bare = word.strip(_AROUND)
        for each in (bare, re.split("[=:]", bare)[-1].strip(_AROUND)):  # `id=7f3a`
            if 3 <= len(each) <= 600 and not each.isalpha():
                yield each


def _span(word: str) -> tuple[UUID, UUID] | None:
    """The first and the last id that begin like this word."""
    digits = word.replace("-", "")
    if not SHORTEST_BEGINNING_DIGITS <= len(digits) < 32 or not _BEGINNING.fullmatch(word):
        return None
    return UUID(digits.ljust(32, "0")), UUID(digits.ljust(32, "f"))


def _page(address: str) -> ResolverMatch | None:
    """The page of ours that an address names. The host is not asked: the portal may have several."""
    try:
        return resolve(unquote(urlsplit(address).path))
    except (Resolver404, ValueError):
        return None


def _colons(fingerprint: str) -> str:
    """As certificates' fingerprints are kept."""
    digits = fingerprint.replace(":", "").upper()
    return ":".join(digits[at : at + 2] for at in range(0, len(digits), 2))


def _times(text: str) -> Iterator[datetime]:
    """Those without a zone are in the reader's."""
    for match in _TIME.finditer(text):
        month = match["month"] and _MONTHS.index(match["month"]) + 1
        date = match["date"] or f"{match['year']}-{month:02}-{int(match['day']):02}"
        zone = (match["zone"] or "").replace("UTC", "Z").replace("GMT", "Z")
        try:
            at = datetime.fromisoformat(f"{date}T{match['clock']}{zone}")
        except ValueError:
            continue
        if 2000 <= at.year < 2100:
            yield at if at.tzinfo else timezone.make_aware(at)


def _unique(values: Iterable[Each]) -> list[Each]:
    return list(dict.fromkeys(values))
