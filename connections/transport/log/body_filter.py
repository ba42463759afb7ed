"""What may be kept of a body: the names of its fields, and values of those that hold codes, ids, dates and the like.

Whatever else stands there is told by its kind and length. In a refusal, what the provider says is kept as well, but for
the values that it repeats of what was sent.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from typing import Any

from connections.spec.provider import Provider
from connections.transport.log.redaction import LONGEST_TEXT, as_text, redact

MOST_ITEMS = 3  # of a list: the others look alike
MOST_FIELDS = 200  # of one object
MOST_VALUES = 1000  # of one body
MOST_CHARACTERS = 8000  # of one body as text
LONGEST_VALUE = 200
SHORTEST_OWN = 4  # characters of a value that is known again in a refusal
DEEPEST = 12
# As the providers write them. Where people's words stand in the place of names, most look otherwise.
FIELD = re.compile(r"[a-z_][A-Za-z_]{0,39}[0-9]{0,2}")
# Fields that hold an id, a date, a word of a list or a count, at every provider so far; each may name more of its own.
OPEN = (
    "active count created currency date hasMore has_more id language languageCode limit meta modified offset page"
    " pageNumber pageSize page_size pages size status totalCount total_count type updated uuid version"
)
# What a refusal says, at its top or in one of these. Elsewhere such fields hold what people wrote.
SAID = (
    "code detail entity_type error errorCode errorMessage error_description error_type errors feature field hint"
    " instance key message messages path reason title traceId"
)
PLACES = ("error", "errors", "meta")


def of(provider: Provider, values: Any) -> str:
    """What was sent, or a good answer, as indented JSON. '' for no body."""
    return _text(values, _Outline(_known(provider)))


def of_refusal(provider: Provider, values: Any, sent: Any) -> str:
    """A refusal of what was `sent`."""
    known = _known(provider)
    own = sorted(set(_values(sent, known)), key=len, reverse=True)
    return _text(values, _Outline(known, own=own), refused=True)


def _known(provider: Provider) -> frozenset[str]:
    return frozenset(f"{OPEN} {provider.open_fields}".split())


def _text(values: Any, outline: _Outline, *, refused: bool = False) -> str:
    if values is None:
        return ""
    text = as_text(outline.of(values, says=refused))
    return text if len(text) <= MOST_CHARACTERS else f"{text[:MOST_CHARACTERS]}\n…"


def _values(value: Any, known: frozenset[str], *, is_open: bool = False, depth: int = 0) -> Iterator[str]:
    """Of what was sent, the values that are nobody's business."""
    if isinstance(value, Mapping):
        for name, each in value.items():
            yield from _values(each, known, is_open=name in known, depth=depth + 1) if depth < DEEPEST else ()
    elif isinstance(value, list | tuple):
        for each in value:
            yield from _values(each, known, is_open=is_open, depth=depth + 1) if depth < DEEPEST else ()
    elif not is_open and not isinstance(value, bool) and len(str(value)) >= SHORTEST_OWN:
        yield str(value)


class _Outline:
    """One body. `own`: what is not to be repeated of what was sent, the longest first."""

    def __init__(self, known: frozenset[str], *, own: list[str] | None = None) -> None:
        self.known, self.own = known, own or []
        self.said = frozenset(SAID.split())
        self.left, self.room = MOST_VALUES, MOST_CHARACTERS

    def of(self, value: Any, *, is_open: bool = False, says: bool = False, depth: int = 0) -> Any:
        """`says`: here a refusal says what is wrong, and not what somebody wrote."""
        self.left -= 1
        if self.left < 0 or self.room < 0 or depth > DEEPEST:
            return "…"
        if isinstance(value, Mapping):
            return self._fields(value, everything=is_open and says, says=says, depth=depth + 1)
        if isinstance(value, list | tuple):
            shown = [self.of(each, is_open=is_open, says=says, depth=depth + 1) for each in value[:MOST_ITEMS]]
            return [*shown, f"… {len(value) - MOST_ITEMS} more"] if len(value) > MOST_ITEMS else shown
        if value is None:
            return None
        if isinstance(value, str):
            return self._cut(value) if is_open else f"(text, {len(value)})"
        if is_open:
            return "…" if str(value) in self.own else value
        return "(yes or no)" if isinstance(value, bool) else "(number)"

    def _fields(self, value: Mapping[Any, Any], *, everything: bool, says: bool, depth: int) -> dict[str, Any]:
        shown: dict[str, Any] = {}
        for number, (name, each) in enumerate(value.items(), 1):
            if number > MOST_FIELDS:
                shown["…"] = f"{len(value) - MOST_FIELDS} more"
                break
            is_open = name in self.known or (says and (everything or name in self.said))
            is_name = isinstance(name, str) and FIELD.fullmatch(name)
            place = says and name in PLACES
            shown[name if is_name else f"(name {number})"] = self.of(
                each, is_open=is_open, says=place or everything, depth=depth
            )
        return shown

    def _cut(self, text: str) -> str:
        """Searched for secrets first: of one that is cut nobody would know it again."""
        text = redact(text[:LONGEST_TEXT])
        for each in self.own:
            text = text.replace(each, "…")
        text = f"{text[:LONGEST_VALUE]}…" if len(text) > LONGEST_VALUE else text
        self.room -= len(text)
        return text
