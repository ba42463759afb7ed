"""Words for people: a sentence, or one that is translated when it is shown; and how long something lasts."""

from __future__ import annotations

from datetime import timedelta

from django.utils.functional import Promise, lazy
from django.utils.translation import get_language_bidi, ngettext

Text = str | Promise

MINUTE, HOUR, DAY = 60, 3600, 86_400


def _duration(span: timedelta | float) -> str:
    seconds = round(span.total_seconds() if isinstance(span, timedelta) else span)
    if seconds and seconds % DAY == 0:
        days = seconds // DAY
        return ngettext("%(count)d day", "%(count)d days", days) % {"count": days}
    if seconds and seconds % HOUR == 0:
        hours = seconds // HOUR
        return ngettext("%(count)d hour", "%(count)d hours", hours) % {"count": hours}
    if seconds and seconds % MINUTE == 0:
        minutes = seconds // MINUTE
        return ngettext("%(count)d minute", "%(count)d minutes", minutes) % {"count": minutes}
    return ngettext("%(count)d second", "%(count)d seconds", seconds) % {"count": seconds}


# `duration(timedelta(minutes=10))` or `duration(600)`: "10 minutes", in the reader's language when it is shown. For every
# sentence that says how long something lasts: the constant that decides it is the one that fills it in.
duration = lazy(_duration, str)

ISOLATE, END = "\u2068", "\u2069"  # FIRST STRONG ISOLATE, POP DIRECTIONAL ISOLATE


def isolate(value: object) -> str:
    """A value on its way into a sentence: a time, an id, an address, a name.

    In a language that runs from right to left it keeps its own order, and the sentence around it keeps its. In templates
    `<bdi>` does the same.
    """
    return f"{ISOLATE}{value}{END}" if get_language_bidi() else str(value)
