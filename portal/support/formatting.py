"""How staff read a row: badges with icon and word, links, places, faults in words, times."""

from __future__ import annotations

from datetime import datetime
from typing import Any

import lucide
from django.urls import reverse
from django.utils.html import format_html
from django.utils.safestring import SafeString, mark_safe
from django.utils.translation import gettext, gettext_lazy

from connections.calls import faults as call_faults
from connections.providers import registry
from connections.spec.provider import Environment
from connections.spec.times import format_time
from connections.sync import faults
from connections.transport.models import RequestLogEntry
from portal.members.templatetags.reading import MARKS, moment, visible

NOTHING = "–"

# Look and icon of every state that a list shows; the word is the state's own label. Colour says what a person should look
# at: `bad` is broken, `warn` waits for a person, `good` is as it should be; what is neither is `quiet`, or `busy`.
LOOKS = {
    "active": ("good", "circle-check"),
    "connected": ("good", "circle-check"),
    "succeeded": ("good", "circle-check"),
    "answered": ("good", "circle-check"),
    "sent": ("good", "circle-check"),
    "done": ("good", "circle-check"),
    "exchanged": ("good", "circle-check"),
    "founded": ("busy", "loader-circle"),
    "setup": ("busy", "list-checks"),
    "queued": ("busy", "clock"),
    "running": ("busy", "loader-circle"),
    "reading": ("busy", "loader-circle"),
    "received": ("busy", "loader-circle"),
    "waiting": ("busy", "hourglass"),  # for a provider's limit: it goes on by itself
    "pending": ("quiet", "circle-dashed"),
    "started": ("quiet", "clock"),
    "stored": ("quiet", "lock"),
    "absent": ("quiet", "minus"),  # and nothing needs it
    "off": ("quiet", "ban"),  # switched off on purpose
    "settled-done": ("quiet", "user-round-check"),
    "settled-not-done": ("quiet", "circle-slash"),
    "cancelled": ("quiet", "circle-minus"),
    "denied": ("quiet", "circle-minus"),
    "disconnected": ("quiet", "unplug"),
    "info": ("quiet", "info"),
    "missing": ("warn", "circle-alert"),  # and something needs it
    "unconfirmed": ("warn", "circle-question-mark"),  # a person must say so
    "paused": ("warn", "circle-pause"),
    "incomplete": ("warn", "circle-alert"),
    "suspended": ("warn", "ban"),
    "warning": ("warn", "triangle-alert"),
    "unknown": ("warn", "circle-question-mark"),  # somebody must find out
    "broken": ("bad", "circle-alert"),
    "failed": ("bad", "circle-x"),
    "parked": ("bad", "circle-x"),
    "refused": ("bad", "circle-x"),
    "troubled": ("bad", "cloud-alert"),
    "unreachable": ("bad", "cloud-off"),
    "unreadable": ("bad", "file-question-mark"),
    "blocked": ("bad", "shield-x"),
    "error": ("bad", "circle-x"),
}
# Icons and words of marks are the customer's page's own (reading.MARKS).
LOOKS_OF_MARKS = {
    "attested": "quiet",
    "inferred": "inferred",
    "verified": "good",
    "unconfirmed": "warn",
    "failing": "bad",
}


def icon(name: str, size: int = 15) -> SafeString:
    return mark_safe(lucide._render_icon(name, size, aria_hidden="true"))  # noqa: S308  # nosec B308 B703  (our own icons, our own names)


def badge(state: str, word: object) -> SafeString:
    """Colour, icon and word."""
    look, name = LOOKS.get(state, ("quiet", "circle"))
    return format_html('<span class="badge badge-{}">{}{}</span>', look, icon(name), word)


def mark_badge(state: str) -> SafeString:
    """Marks that pass are different things, here as on the customer's page."""
    sign, word, _meaning = MARKS[state]
    return format_html(
        '<span class="badge badge-{}">{}{}</span>', LOOKS_OF_MARKS.get(state, "quiet"), icon(sign), word
    )


# Of secrets and grants, whose values nobody sees. That one is stored does not say that it works.
STATES_OF_KEPT = {
    "stored": gettext_lazy("stored"),
    "refused": gettext_lazy("stored, and refused by the provider"),
    "missing": gettext_lazy("not given yet"),
    "absent": gettext_lazy("none, and none is needed"),
}


def kept_badge(state: str) -> SafeString:
    return badge(state, STATES_OF_KEPT[state])


def yes_or_no(value: bool) -> str:
    """A fact that is neither good nor bad."""
    return gettext("yes") if value else gettext("no")


def outcome(entry: RequestLogEntry) -> SafeString:
    """How an attempt ended: its status, if there was one, and the word for it."""
    word = entry.get_outcome_display()
    return badge(entry.outcome, f"{entry.status} {word}" if entry.status else word)


def link(instance_or_model: Any, key: object, text: object) -> SafeString:
    """A link to the staff page of one row."""
    meta = instance_or_model._meta
    address = reverse(f"admin:{meta.app_label}_{meta.model_name}_change", args=[key])
    return format_html('<a href="{}">{}</a>', address, visible(text))


def provider_name(slug: str) -> str:
    found = registry.find(slug)
    return found.name if found else slug


def place(provider: str, environment: str) -> str:
    """`Procountor, test server`."""
    try:
        side = str(Environment(environment).label)
    except ValueError:
        side = environment
    return f"{provider_name(provider)}, {side}"


def fault_words(provider: str, code: str) -> str:
    """What a fault means, as staff read it."""
    if not code:
        return ""
    found = faults.find(provider=provider, code=code) or call_faults.find(provider=provider, code=code)
    return found.staff if found else code


def when(at: datetime | None) -> SafeString | str:
    """A time to the second, in the reader's zone; UTC on hover."""
    return moment(at, "clock") if at is not None else NOTHING


def when_in_words(at: datetime) -> str:
    return format_time(at, seconds=True)


def with_more(first: object, more: object) -> SafeString:
    """A cell with a second, quieter line: a list keeps to few columns, so that it is read without moving sideways."""
    if more in ("", None, NOTHING):
        return format_html("{}", first)
    return format_html('{}<div class="quiet">{}</div>', first, more)


def text(value: object) -> str:
    """What came from elsewhere, made harmless; a dash for nothing."""
    return visible(value) if value not in ("", None) else NOTHING
