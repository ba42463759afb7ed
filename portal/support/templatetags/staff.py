"""How staff pages show states, outcomes, faults and places."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from typing import Any

from django import template
from django.db.models import Model
from django.template.loader import render_to_string
from django.utils.html import format_html
from django.utils.safestring import SafeString, mark_safe
from django.utils.text import capfirst

from connections.transport.models import RequestLogEntry
from portal.incidents.models import RESPONSIBLE
from portal.members.statuses import status, status_of
from portal.support import formatting

register = template.Library()

register.simple_tag(formatting.place, name="place")


@register.simple_tag
def labelled_rows(headers: Sequence[dict[str, Any]], rows: Iterable[Iterable[str]]) -> Iterator[Iterator[str]]:
    """A list's cells, each with the name of its column, which small screens show where there is no room for a head.

    Both as Django's `result_list` has made them: made once more, the rows would cost the page twice.
    """
    labels = [
        format_html('<span class="cell-name" aria-hidden="true">{}</span>', capfirst(str(header["text"])))
        for header in headers
    ]
    for row in rows:
        cells = zip(labels, row, strict=True)
        yield (_labelled(cell, label) if "action-checkbox" not in cell else cell for label, cell in cells)


def _labelled(cell: str, label: SafeString) -> SafeString:
    """`<td class="...">` and what follows, made by Django's own list."""
    start, _end, rest = cell.partition(">")
    return mark_safe(f"{start}>{label}{rest}")  # noqa: S308  # nosec B308 B703  (its parts are escaped)


@register.simple_block_tag
def table(
    content: str,
    label: object,
    *columns: object,
    numbers: str = "",
    unseen: str = "",
    kind: str = "",
    has_caption: bool = False,
) -> SafeString:
    """`{% table _("Runs") _("Started") _("Read") numbers="2" %}<tr>...</tr>{% endtable %}`: rows in the one markup.

    `numbers` and `unseen` name columns, from 1: those that hold numbers, and those whose head is only read out.
    """
    heads = [
        {"name": name, "is_number": str(place) in numbers.split(), "is_unseen": str(place) in unseen.split()}
        for place, name in enumerate(columns, start=1)
    ]
    words = {"label": label, "columns": heads, "kind": kind, "has_caption": has_caption, "rows": content}
    return render_to_string("components/table.html", words)


@register.simple_tag
def badge(row: Model, field: str = "state") -> SafeString:
    """Of the status of a row."""
    return formatting.badge(status_of(row, field))


@register.simple_tag
def badge_of(of: str, value: str) -> SafeString:
    """Of a status that stands in no row at hand: `{% badge_of "secret" "stored" %}`."""
    return formatting.badge(status(of, value))


@register.simple_tag
def outcome(entry: RequestLogEntry) -> SafeString:
    return formatting.outcome(entry)


@register.simple_tag
def fault_link(provider: str, code: str) -> SafeString | str:
    return formatting.fault_link(provider, code)


@register.simple_tag
def who_acts(responsible: str) -> Any:
    """`our staff`: of an incident's column."""
    return dict(RESPONSIBLE).get(responsible, responsible)


@register.simple_tag
def fault(provider: str, code: str) -> str:
    return formatting.fault_words(provider, code) or formatting.NOTHING
