"""What a pasted value brings along that is no part of it: taken off where that is plain, refused in words where it is not."""

from __future__ import annotations

import dataclasses
import json
import re
from collections.abc import Collection
from dataclasses import dataclass

from django.utils.translation import gettext_lazy as _

from connections.spec.provider import CredentialField, FieldKind
from connections.spec.text import Text

# Nothing of a key, an id or an address: zero width, soft hyphen, byte order mark, and what turns the direction of writing.
INVISIBLE = re.compile("[\u00ad\u061c\u180e\u200b-\u200f\u202a-\u202e\u2060-\u2064\u2066-\u2069\ufeff]")
# In what people write, the two joiners are spelling (Persian, among others).
INVISIBLE_IN_WORDS = re.compile("[\u00ad\u180e\u200b\u200e\u200f\u202a-\u202e\u2060-\u2064\u2066-\u2069\ufeff]")
JOINERS = "\u200c\u200d"
QUOTES = "\"'`\u00ab\u00bb\u2018\u2019\u201a\u201c\u201d\u201e\u2039\u203a"
# `api_key=`, `"client_secret": `, `Authorization: Bearer `. Only names that are known: a secret may hold = and : itself.
NAMED = re.compile(
    rf"[{QUOTES}]?(?P<name>[^\W\d][\w .'\u2019-]{{0,60}}?)[{QUOTES}]?\s*[:=]\s*(?P<value>\S.*)", re.DOTALL
)
BEARER = re.compile(r"bearer\s+(?P<value>\S.*)", re.DOTALL | re.IGNORECASE)
GENERAL = ("authorization", "key", "apikey", "xapikey", "secret", "token", "value", "password")

BLANKS = _("blanks around it")
MARKS = _("quotation marks")
HIDDEN = _("characters that cannot be seen")
NAME = _("the name in front of it")
WORD = _("the word “Bearer”")


class OtherField(Exception):
    """The value says itself that it belongs into another field, whose label this is."""

    def __init__(self, label: Text) -> None:
        super().__init__()
        self.label = label


class MoreThanValue(Exception):
    """A whole piece of JSON with other things in it."""


@dataclass(frozen=True)
class CleanPaste:
    value: str = dataclasses.field(repr=False)
    left_out: tuple[Text, ...] = ()


def clean_paste(field: CredentialField, text: str, others: Collection[CredentialField] = ()) -> CleanPaste:
    """The value alone, and what was left out. `others`: the fields beside it. Raises OtherField, MoreThanValue."""
    left_out: list[Text] = []

    def keep(after: str, before: str, what: Text) -> str:
        if after != before:
            left_out.append(what)
        return after

    is_words = field.kind is FieldKind.WORDS
    value = keep((INVISIBLE_IN_WORDS if is_words else INVISIBLE).sub("", text), text, HIDDEN)
    if is_words:
        value = re.sub("[\u00a0\u2007\u202f]", " ", value)  # look like blanks, and are meant as such
    value = keep(value.strip(), value, BLANKS)
    if not is_words and field.kind is not FieldKind.CHOICE:
        value = keep(_without_name(field, value, others), value, NAME)
        bearer = BEARER.fullmatch(value.strip(QUOTES).strip())
        value = keep(bearer["value"], value, WORD) if bearer else value
    return CleanPaste(keep(value.strip(QUOTES).strip(), value, MARKS), tuple(dict.fromkeys(left_out)))


def _without_name(field: CredentialField, value: str, others: Collection[CredentialField]) -> str:
    if value.startswith("{"):
        return _member(field, value)
    match = NAMED.fullmatch(value)
    if match is None:
        return value
    name = _plain(match["name"])
    for other in others:
        if other.name != field.name and name in _names(other):
            raise OtherField(other.label)
    if name not in _names(field) and name not in GENERAL:
        return value
    return match["value"].strip().rstrip(",;").strip()


def _member(field: CredentialField, value: str) -> str:
    try:
        document = json.loads(value)
    except ValueError:
        return value
    members = document.items() if isinstance(document, dict) else ()
    values = [member for name, member in members if _plain(name) in _names(field)]
    if len(values) != 1 or not isinstance(values[0], str):
        raise MoreThanValue
    return values[0]


def _names(field: CredentialField) -> set[str]:
    return {_plain(field.name), _plain(str(field.label))}


def _plain(name: str) -> str:
    return "".join(character for character in name.casefold() if character.isalnum())
