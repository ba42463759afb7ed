"""How staff read a row: badges with icon and word, links, places, faults in words, times."""

from __future__ import annotations

from datetime import datetime
from typing import Any

from django.urls import reverse
from django.utils.html import format_html
from django.utils.safestring import SafeString
from django.utils.translation import gettext

from connections.calls import faults as call_faults
from connections.providers import registry
from connections.spec.provider import Environment
from connections.spec.times import format_time
from connections.sync import faults
from connections.transport.models import RequestLogEntry
from portal.members.statuses import Status, status_of
from portal.members.templatetags.icons import lucide
from portal.members.templatetags.reading import moment, visible

NOTHING = "–"


def icon(name: str, size: int = 15) -> SafeString:
    return lucide(name, size=size, aria_hidden="true")


def badge(status: Status, word: object = "") -> SafeString:
    """Colour, icon and word; `word` in place of the status's own."""
    return format_html(
        '<span class="badge badge-{}">{}{}</span>', status.colour, icon(status.icon), word or status.word
    )


def yes_or_no(value: bool) -> str:
    """A fact that is neither good nor bad."""
    return gettext("yes") if value else gettext("no")


def outcome(entry: RequestLogEntry) -> SafeString:
    """How an attempt ended: its status, if there was one, and the word for it."""
    status = status_of(entry, "outcome")
    return badge(status, f"{entry.status} {status.word}" if entry.status else "")


def link(instance_or_model: Any, key: object, text: object) -> SafeString:
    """A link to the staff page of one row."""
    meta = instance_or_model._meta
    address = reverse(f"admin:{meta.app_label}_{meta.model_name}_change", args=[key])
    return format_html('<a href="{}">{}</a>', address, visible(text))


def provider_name(slug: str) -> str:
    provider = registry.find(slug)
    return provider.name if provider else slug


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
    fault = faults.resolve_fault(provider=provider, code=code) or call_faults.resolve_fault(
        provider=provider, code=code
    )
    return fault.staff_message if fault else code


def fault_link(provider: str, code: str) -> SafeString | str:
    """What a fault means, or its code where that is a check's sentence; a link to the page of it, if there is one."""
    if not code:
        return NOTHING
    words = fault_words(provider, code)
    more = code if words != code else ""
    known = registry.find(provider)
    if words == code and not (known and code in known.sentences):
        return visible(code)
    return with_more(format_html('<a href="{}">{}</a>', reverse("admin:fault", args=[code]), visible(words)), more)


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
