"""How values are shown to a reader: times in their zone, provider text made harmless, marks, ids to copy."""

from __future__ import annotations

import re
from datetime import datetime, timedelta, timezone
from functools import cache, lru_cache
from pkgutil import resolve_name
from typing import Any

from django import template
from django.apps import apps
from django.contrib.humanize.templatetags.humanize import naturaltime
from django.db.models import Model
from django.template.loader import render_to_string
from django.utils import timezone as django_timezone
from django.utils.html import format_html
from django.utils.safestring import SafeString
from django.utils.text import slugify
from django.utils.translation import get_language
from django.utils.translation import gettext as _

from connections.spec.text import END, ISOLATE, duration
from connections.spec.times import (
    format_day,
    format_day_and_time,
    format_local_time,
    format_time,
    zone_name,
    zone_named,
)
from portal.members.statuses import status
from portal.members.templatetags.icons import lucide

register = template.Library()

LONGEST = 400
# Control characters, and the invisible ones that reorder what follows. Zero-width (non-)joiners are spelling in Persian.
UNSEEN = re.compile("[\x00-\x1f\x7f-\x9f\u061c\u200b\u200e\u200f\u2028\u2029\u202a-\u202e\u2066-\u2069\ufeff]")
ISOLATED = re.compile(f"{ISOLATE}([^\u2066-\u2069]*){END}")
UNSEEN_IN_LINES = re.compile(UNSEEN.pattern.replace("\x00-\x1f", "\x00-\x09\x0b-\x1f"))

TIME = '<time datetime="{}" title="{}" dir="auto">{}</time>'
COPYABLE = '<span class="copyable{}"><code id="{}" dir="ltr"{}>{}</code>{}</span>'
COPY_BUTTON = (
    '<button type="button" class="js-only" data-copies="{}" data-copied="{}">{}<span data-word{}>{}</span>'
    ' <span class="visually-hidden">{}</span></button>'
)


@register.filter
def visible(text: object) -> str:
    """Text that came from elsewhere: capped, and what hides or reorders characters shown by its code point."""
    plain = str(text)
    if len(plain) > LONGEST:
        plain = plain[:LONGEST] + "…"
    # What we have isolated ourselves stays so; a pair that somebody else wrote holds nothing but their own text.
    parts = ISOLATED.split(plain)
    escaped = [UNSEEN.sub(_code_point, part) for part in parts]
    return "".join(f"{ISOLATE}{part}{END}" if number % 2 else part for number, part in enumerate(escaped))


@register.filter
def whole(text: object) -> str:
    """A whole document from elsewhere, its lines kept: what hides or reorders characters is shown by its code point."""
    return UNSEEN_IN_LINES.sub(_code_point, str(text))


def _code_point(match: re.Match[str]) -> str:
    return f"[U+{ord(match.group()):04X}]"


@register.simple_tag
def moment(at: datetime | None, form: str = "") -> str | SafeString:
    """A `<time>` in the reader's zone, which the page's foot names; its title says the zone and UTC, to the second.

    `form="ago"` says how long ago, `"clock"` adds seconds. `dir` also isolates it: a
    time inside a sentence that runs from right to left keeps its order.
    """
    if at is None:
        return _("never")
    title, local = _written(at, form == "clock", django_timezone.get_current_timezone_name(), get_language())
    utc = at.astimezone(timezone.utc).isoformat(timespec="seconds")
    return format_html(TIME, utc, title, naturaltime(at) if form == "ago" else local)


@lru_cache(maxsize=10_000)
def _written(at: datetime, seconds: bool, zone: str, language: str) -> tuple[str, str]:
    """The title of a time and the time itself, in the reader's zone and language, which are the current ones."""
    utc = at.astimezone(timezone.utc)
    title = f"{format_time(at, seconds=True)} = {utc:%Y-%m-%d %H:%M:%S} UTC"
    return title, format_local_time(at, seconds=seconds)


@register.simple_tag(name="duration")
def duration_of(constant: str, unit: str = "seconds") -> str:
    """How long the named constant says: `{% duration "portal.members.services:VALID_FOR" as time %}` for a sentence.

    `constant` is a timedelta, or a number of `unit`. Raises ImportError, AttributeError for a name that is none.
    """
    value = resolve_name(constant)
    return str(duration(value if isinstance(value, timedelta) else timedelta(**{unit: value})))


register.filter("day", format_day)


@register.filter
def in_zone(at: datetime, name: str) -> str:
    """For mails, and for times that are another's than the reader's: in the zone of this name, which it says."""
    return format_time(at, zone=zone_named(name))


@register.simple_tag
def slot_time(at: datetime, name: str) -> SafeString:
    """A `<time>` of a schedule, with its day of the week, in the zone of this name; its title says UTC."""
    title = f"{at.astimezone(timezone.utc):%Y-%m-%d %H:%M} UTC"
    utc = at.astimezone(timezone.utc).isoformat(timespec="seconds")
    return format_html(TIME, utc, title, format_day_and_time(at, zone_named(name)))


@register.simple_tag
def zone() -> str:
    """The reader's time zone, for the foot of a page: `Europe/Helsinki (EET)`."""
    name = django_timezone.get_current_timezone_name()
    short = zone_name()
    return name if name == short else f"{name} ({short})"


@register.simple_tag(name="status")
def status_badge(row: Model, field: str = "state") -> SafeString:
    """The badge of a row's status: colour, icon and word."""
    return _badge(f"{row._meta.label}.{field}", getattr(row, field), get_language())


@register.simple_tag
def mark(state: str, pending: bool = False) -> SafeString:
    """The badge of a mark, or of the check that is pending for it."""
    of, value = ("check", "busy") if pending else ("onboarding.Mark.state", str(state))
    return _badge(of, value, get_language())


@cache
def _badge(of: str, value: str, language: str) -> SafeString:
    """In the reader's language, which is the current one."""
    return render_to_string("components/mark.html", {"status": status(of, value), "value": value})


# `{% status_entry "connection" summary.status as look %}`: the colour and icon for a template with a markup of its own.
register.simple_tag(status, name="status_entry")


@register.simple_tag
def choice(row: Model, field: str) -> str:
    """What `get_FOO_display` gives, for lists: that one walks through all choices of the field for each row."""
    return _choice(row._meta.label, field, getattr(row, field), get_language())


@lru_cache(maxsize=1000)
def _choice(model: str, field: str, value: str, language: str) -> str:
    """In the reader's language, which is the current one."""
    choices: Any = apps.get_model(model)._meta.get_field(field)
    return str(dict(choices.flatchoices).get(value, value))


@register.simple_tag
def copyable(value: object, label: str, key: str = "", size: str = "") -> SafeString:
    """An id that is copied with one press. `key` keeps element ids apart where one value stands twice.

    `size` is "big" for what a person must copy, "compact" in tables: cut short for the eye, whole for the copy.
    """
    # No template, and as little work as can be: a list holds a hundred of them.
    text = visible(value)
    element_id = f"copy-{key}{slugify(text)[:60]}"
    is_compact = size == "compact"
    return format_html(
        COPYABLE,
        f" copyable-{size}" if size else "",
        element_id,
        format_html(' title="{}"', text) if is_compact else "",
        text,
        _copy_button(element_id, str(label), is_compact, get_language()),
    )


@lru_cache(maxsize=1000)
def _copy_button(element_id: str, label: str, is_compact: bool, language: str) -> SafeString:
    return format_html(
        COPY_BUTTON,
        element_id,
        _("Copied"),
        lucide("copy", size=15, aria_hidden="true"),
        format_html(' class="{}"', "visually-hidden") if is_compact else "",
        _("Copy"),
        label,
    )
