"""How staff read a row: badges with icon and word, links, places, faults in words, times."""

from __future__ import annotations

from datetime import datetime
from typing import Any

import lucide
from django.urls import reverse
from django.utils import timezone
from django.utils.html import format_html
from django.utils.safestring import SafeString, mark_safe

from connections.calls import faults as call_faults
from connections.providers import registry
from connections.spec.provider import Environment
from connections.sync import faults
from connections.transport.models import RequestLogEntry
from portal.members.templatetags.reading import moment, visible

NOTHING = "–"

# Look and icon of every state that a list shows. The word is the state's own label.
LOOKS = {
    "active": ("good", "circle-check"),
    "connected": ("good", "circle-check"),
    "succeeded": ("good", "circle-check"),
    "answered": ("good", "circle-check"),
    "sent": ("good", "circle-check"),
    "done": ("good", "circle-check"),
    "founded": ("busy", "loader-circle"),
    "setup": ("busy", "list-checks"),
    "queued": ("busy", "clock"),
    "running": ("busy", "loader-circle"),
    "reading": ("busy", "loader-circle"),
    "pending": ("quiet", "circle-dashed"),
    "waiting": ("warn", "hourglass"),
    "paused": ("warn", "circle-pause"),
    "incomplete": ("warn", "circle-alert"),
    "suspended": ("bad", "ban"),
    "broken": ("bad", "circle-alert"),
    "failed": ("bad", "circle-x"),
    "parked": ("bad", "circle-x"),
    "refused": ("bad", "circle-x"),
    "troubled": ("bad", "cloud-alert"),
    "unreachable": ("bad", "cloud-off"),
    "unreadable": ("bad", "file-question-mark"),
    "blocked": ("bad", "shield-x"),
    "unknown": ("bad", "circle-question-mark"),
    "settled-done": ("warn", "user-round-check"),
    "settled-not-done": ("quiet", "circle-slash"),
    "cancelled": ("quiet", "circle-minus"),
    "disconnected": ("quiet", "unplug"),
    "started": ("quiet", "clock"),
    "received": ("busy", "loader-circle"),
    "exchanged": ("good", "circle-check"),
    "denied": ("warn", "circle-minus"),
    "info": ("quiet", "info"),
    "warning": ("warn", "triangle-alert"),
    "error": ("bad", "circle-x"),
    # The marks of a checklist, with the icons of the customer's page.
    "mark-open": ("quiet", "circle-dashed"),
    "mark-unconfirmed": ("busy", "circle-question-mark"),
    "mark-attested": ("warn", "user-round-check"),
    "mark-inferred": ("inferred", "link-2"),
    "mark-verified": ("good", "badge-check"),
    "mark-failing": ("bad", "circle-alert"),
    "mark-waived": ("quiet", "circle-minus"),
}


def icon(name: str, size: int = 15) -> SafeString:
    return mark_safe(lucide._render_icon(name, size, aria_hidden="true"))  # noqa: S308  # nosec B308 B703  (our own icons, our own names)


def badge(state: str, word: object) -> SafeString:
    """Colour, icon and word."""
    look, name = LOOKS.get(state, ("quiet", "circle"))
    return format_html('<span class="badge badge-{}">{}{}</span>', look, icon(name), word)


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
    """A time in the reader's zone, UTC on hover: to the second this year, with its year before."""
    if at is None:
        return NOTHING
    return moment(at, "clock" if at.year == timezone.now().year else "")


def text(value: object) -> str:
    """What came from elsewhere, made harmless; a dash for nothing."""
    return visible(value) if value not in ("", None) else NOTHING
