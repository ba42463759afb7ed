"""Words for people: a sentence, or one that is translated when it is shown."""

from __future__ import annotations

from django.utils.functional import Promise
from django.utils.translation import get_language_bidi

Text = str | Promise

ISOLATE, END = "\u2068", "\u2069"  # FIRST STRONG ISOLATE, POP DIRECTIONAL ISOLATE


def isolate(value: object) -> str:
    """A value on its way into a sentence: a time, an id, an address, a name.

    In a language that runs from right to left it keeps its own order, and the sentence around it keeps its. In templates
    `<bdi>` does the same.
    """
    return f"{ISOLATE}{value}{END}" if get_language_bidi() else str(value)
