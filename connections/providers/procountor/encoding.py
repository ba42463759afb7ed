"""Only characters of Windows-1252 are taken (API requests, encoding): the one that is not is named before anything is sent."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any

from django.utils.translation import gettext as _

from connections.spec.operations import FieldTrouble


def windows_1252(body: Any) -> Sequence[FieldTrouble]:
    """For every text the first character that Procountor does not take."""
    return [
        FieldTrouble(
            path,
            _("Procountor does not take the character “%(character)s” (U+%(code)s). Write it in another way.")
            % {"character": character, "code": f"{ord(character):04X}"},
        )
        for path, text in _texts(body, "")
        if (character := _stranger(text))
    ]


def with_version(body: Any) -> Sequence[FieldTrouble]:
    """Troubles of an update, which needs the version that was read last: Procountor refuses a stale one."""
    troubles = list(windows_1252(body))
    if not isinstance(body, dict) or not body.get("version"):
        troubles.append(FieldTrouble("version", _("Read it first, and send the version that you were given.")))
    return troubles


def _stranger(text: str) -> str:
    try:
        text.encode("cp1252")
    except UnicodeEncodeError as refused:
        return text[refused.start]
    return ""


def _texts(value: Any, path: str) -> Iterator[tuple[str, str]]:
    if isinstance(value, str):
        yield path, value
    elif isinstance(value, dict):
        for name, each in value.items():
            yield from _texts(each, f"{path}.{name}".lstrip("."))
    elif isinstance(value, list):
        for place, each in enumerate(value):
            yield from _texts(each, f"{path}.{place}".lstrip("."))
