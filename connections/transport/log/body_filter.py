"""What may be kept of a body: the names of its fields, and values of those that hold codes, ids, dates and the like.

Of everything else only the kind and length are kept. In a refusal, what the provider says is kept as well, but for
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
SHORTEST_PRIVATE_VALUE = 4  # characters of a value that is recognised in a refusal
DEEPEST_NESTING = 12
# As providers name their fields. Where texts of people stand in place of names, most look different.
FIELD_NAME = re.compile(r"[a-z_][A-Za-z_]{0,39}[0-9]{0,2}")
# Fields that hold an id, a date, a word of a list or a count, at every provider so far; each may name more of its own.
OPEN_FIELDS = (
    "active count created currency date hasMore has_more id language languageCode limit meta modified offset page"
    " pageNumber pageSize page_size pages size status totalCount total_count type updated uuid version"
)
# What a refusal says, at its top or in one of these. Elsewhere such fields hold what people wrote.
REFUSAL_FIELDS = (
    "code detail entity_type error errorCode errorMessage error_description error_type errors feature field hint"
    " instance key message messages path reason title traceId"
)
REFUSAL_CONTAINERS = ("error", "errors", "meta")


def outline(provider: Provider, values: Any) -> str:
    """What was sent, or a good answer, as indented JSON. '' for no body."""
    return _as_text(values, _Outline(_open_fields(provider)))


def outline_of_refusal(provider: Provider, values: Any, sent: Any) -> str:
    """A refusal of what was `sent`, as indented JSON. '' for no body."""
    open_fields = _open_fields(provider)
    private_values = sorted(set(_private_values(sent, open_fields)), key=len, reverse=True)
    return _as_text(values, _Outline(open_fields, private_values=private_values), refused=True)


def _open_fields(provider: Provider) -> frozenset[str]:
    return frozenset(f"{OPEN_FIELDS} {provider.open_fields}".split())


def _as_text(values: Any, outline: _Outline, *, refused: bool = False) -> str:
    if values is None:
        return ""
    text = as_text(outline.value_outline(values, in_refusal=refused))
    return text if len(text) <= MOST_CHARACTERS else f"{text[:MOST_CHARACTERS]}\n…"


def _private_values(
    value: Any, open_fields: frozenset[str], *, is_open: bool = False, depth: int = 0
) -> Iterator[str]:
    """The values of what was sent that may not be recorded."""
    if isinstance(value, Mapping):
        for name, each in value.items():
            yield from (
                _private_values(each, open_fields, is_open=name in open_fields, depth=depth + 1)
                if depth < DEEPEST_NESTING
                else ()
            )
    elif isinstance(value, list | tuple):
        for each in value:
            yield from (
                _private_values(each, open_fields, is_open=is_open, depth=depth + 1) if depth < DEEPEST_NESTING else ()
            )
    elif not is_open and not isinstance(value, bool) and len(str(value)) >= SHORTEST_PRIVATE_VALUE:
        yield str(value)


class _Outline:
    """One body. `private_values`: values that were sent and are not to be repeated, the longest first."""

    def __init__(self, open_fields: frozenset[str], *, private_values: list[str] | None = None) -> None:
        self.open_fields, self.private_values = open_fields, private_values or []
        self.refusal_fields = frozenset(REFUSAL_FIELDS.split())
        self.values_left, self.characters_left = MOST_VALUES, MOST_CHARACTERS

    def value_outline(self, value: Any, *, is_open: bool = False, in_refusal: bool = False, depth: int = 0) -> Any:
        """`in_refusal`: here a refusal says what is wrong; nowhere else does it hold texts that somebody wrote."""
        self.values_left -= 1
        if self.values_left < 0 or self.characters_left < 0 or depth > DEEPEST_NESTING:
            return "…"
        if isinstance(value, Mapping):
            return self._fields_outline(
                value, everything=is_open and in_refusal, in_refusal=in_refusal, depth=depth + 1
            )
        if isinstance(value, list | tuple):
            outline = [
                self.value_outline(each, is_open=is_open, in_refusal=in_refusal, depth=depth + 1)
                for each in value[:MOST_ITEMS]
            ]
            return [*outline, f"… {len(value) - MOST_ITEMS} more"] if len(value) > MOST_ITEMS else outline
        if value is None:
            return None
        if isinstance(value, str):
            return self._cut(value) if is_open else f"(text, {len(value)})"
        if is_open:
            return "…" if str(value) in self.private_values else value
        return "(yes or no)" if isinstance(value, bool) else "(number)"

    def _fields_outline(
        self, value: Mapping[Any, Any], *, everything: bool, in_refusal: bool, depth: int
    ) -> dict[str, Any]:
        outline: dict[str, Any] = {}
        for number, (name, each) in enumerate(value.items(), 1):
            if number > MOST_FIELDS:
                outline["…"] = f"{len(value) - MOST_FIELDS} more"
                break
            is_open = name in self.open_fields or (in_refusal and (everything or name in self.refusal_fields))
            is_name = isinstance(name, str) and FIELD_NAME.fullmatch(name)
            is_container = in_refusal and name in REFUSAL_CONTAINERS
            outline[name if is_name else f"(name {number})"] = self.value_outline(
                each, is_open=is_open, in_refusal=is_container or everything, depth=depth
            )
        return outline

    def _cut(self, text: str) -> str:
        """Searched for secrets first: of one that is cut nobody would know it again."""
        text = redact(text[:LONGEST_TEXT])
        for each in self.private_values:
            text = text.replace(each, "…")
        text = f"{text[:LONGEST_VALUE]}…" if len(text) > LONGEST_VALUE else text
        self.characters_left -= len(text)
        return text
