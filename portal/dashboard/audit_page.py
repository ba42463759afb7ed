"""What the owners' audit page shows: events narrowed by person, kind and days, each in words and with the side it came from."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from dataclasses import dataclass
from datetime import date, datetime, time, timedelta
from uuid import UUID

from django.utils import timezone

from connections.spec.text import Text
from connections.tenancy.models import AuditEvent, Tenant
from connections.vault.models import Connection
from portal.dashboard.audit_words import KINDS, words_of
from portal.dashboard.pagination import KeysetPage, page
from portal.members.models import Membership

EVENTS_SHOWN = 50
KEYS: Mapping[str, type] = {"happened_at": datetime, "id": UUID}
LONGEST_NAME = 254
# Of an event's details: what an owner asks for; ids of ours say nothing here.
DETAILS_SHOWN = (
    "reason",
    "ticket",
    "page",
    "stream",
    "record",
    "checkpoint",
    "name",
    "email",
    "role",
    "before",
    "after",
)
FILTERS = ("who", "what", "from", "to")


@dataclass(frozen=True)
class AuditRow:
    """`side`: support, team, link (of somebody without an account), portal (by itself), other (nobody of the team now)."""

    event: AuditEvent
    words: Text
    side: str
    connection: Connection | None
    details: list[str]


def chosen_filters(query: Mapping[str, str]) -> dict[str, str]:
    """Each filter of an address, '' where it narrows nothing."""
    return {name: query.get(name, "").strip()[:LONGEST_NAME] for name in FILTERS}


def audit_page(tenant: Tenant, chosen: Mapping[str, str], after: str) -> tuple[list[AuditRow], str]:
    """The rows, newest first, and the position of the next page. Three queries; needs the tenant's scope."""
    rows = AuditEvent.objects.filter(tenant_id=tenant.id)
    if chosen["who"]:
        rows = rows.filter(actor_name=chosen["who"])
    if chosen["what"] in KINDS:
        rows = rows.filter(action__startswith=KINDS[chosen["what"]][0])
    if (first := _midnight(chosen["from"])) is not None:
        rows = rows.filter(happened_at__gte=first)
    if (last := _midnight(chosen["to"], days=1)) is not None:
        rows = rows.filter(happened_at__lt=last)
    part: KeysetPage[AuditEvent] = page(rows, KEYS, after, size=EVENTS_SHOWN, descending=True)
    members = set(Membership.objects.filter(tenant_id=tenant.id).values_list("user_id", flat=True))
    keys = {key for event in part.rows if (key := _as_uuid(event.subject)) is not None}
    of_tenant = Connection.objects.filter(tenant_id=tenant.id, id__in=keys)
    connections: dict[UUID | None, Connection] = {row.id: row for row in of_tenant}
    described = [
        AuditRow(
            event,
            words_of(event.action),
            _side(event, members),
            connections.get(_as_uuid(event.subject)),
            [str(event.details[name]) for name in DETAILS_SHOWN if event.details.get(name)],
        )
        for event in part.rows
    ]
    return described, part.next


def _side(event: AuditEvent, members: Collection[int]) -> str:
    if event.action.startswith("staff."):
        return "support"
    if event.actor_id is None:
        return "link" if event.action.startswith("handoff.") else "portal"
    return "team" if event.actor_id in members else "other"


def _as_uuid(text: str) -> UUID | None:
    try:
        return UUID(text)
    except ValueError:
        return None


def _midnight(text: str, days: int = 0) -> datetime | None:
    """The beginning of a day in the reader's zone, or of one after it; None for what is none."""
    try:
        return timezone.make_aware(datetime.combine(date.fromisoformat(text) + timedelta(days=days), time.min))
    except (ValueError, OverflowError):
        return None
