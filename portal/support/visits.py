"""Visits: one of our people looks inside one tenant, with a reason, for an hour at most, and only to read.

Outside a visit its pages answer like missing ones. That somebody came, why and what they opened stands in the tenant's own
audit trail, and its owners are mailed when it begins.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import timedelta
from typing import Any

from django.conf import settings
from django.core.exceptions import PermissionDenied
from django.db import connection as database
from django.db import transaction
from django.urls import reverse
from django.utils import timezone
from django.utils.translation import gettext_lazy as _

from connections.jobs.lease import TenantLease
from connections.jobs.services import enqueue
from connections.tenancy import audit
from connections.tenancy.models import Tenant
from connections.tenancy.scope import visit_scope
from connections.vault.services import ActionRefused
from portal.members.models import User
from portal.notices.owners import mail_owners
from portal.support.visit_models import LONGEST_VISIT, Visit

MAIL_OWNERS = "support.tell_of_visit"
LONGEST_REASON, LONGEST_TICKET = 200, 60
NOT_A_READING = _("A visit only reads.")


def open_visit(*, tenant: Tenant, user: User, reason: str, ticket: str, lasts: timedelta) -> Visit:
    """Begin a visit; one that this person had open, at whichever tenant, is over with it. Needs the staff's scope.

    Raises ActionRefused without a reason and a ticket, and for more than an hour.
    """
    reason, ticket = reason.strip()[:LONGEST_REASON], ticket.strip()[:LONGEST_TICKET]
    if not reason or not ticket:
        raise ActionRefused(_("Say why, and name the ticket: the customer's owners read both."))
    if not timedelta() < lasts <= LONGEST_VISIT:
        raise ActionRefused(_("A visit lasts at most %(most)d minutes.") % {"most": LONGEST_VISIT.seconds // 60})
    now = timezone.now()
    with transaction.atomic():
        for earlier in Visit.objects.filter(user_id=user.pk, ended_at=None).select_related("tenant"):
            end_visit(visit=earlier, user=user)
        visit = Visit(
            tenant=tenant,
            user_id=user.pk,
            visitor_name=user.email,
            reason=reason,
            ticket=ticket,
            started_at=now,
            until_at=now + lasts,
        )
        visit.save(force_insert=True)
        words: dict[str, Any] = {
            "reason": reason,
            "ticket": ticket,
            "until": visit.until_at.isoformat(timespec="minutes"),
        }
        audit.record(
            tenant_id=tenant.id, actor=user.actor, action="staff.visit_started", subject=str(visit.id), **words
        )
        enqueue(kind=MAIL_OWNERS, subject=visit.id, tenant_id=tenant.id)
    return visit


def end_visit(*, visit: Visit, user: User) -> None:
    """It is over, if it was not. Needs the staff's scope."""
    if Visit.objects.filter(id=visit.id, ended_at=None).update(ended_at=timezone.now()):
        audit.record(tenant_id=visit.tenant_id, actor=user.actor, action="staff.visit_ended", subject=str(visit.id))


def current_visit(user: User) -> Visit | None:
    """The one that this person is on now. Needs the staff's scope."""
    mine = Visit.objects.select_related("tenant").filter(user_id=user.pk, ended_at=None, until_at__gt=timezone.now())
    return mine.first()


@contextmanager
def inside(visit: Visit) -> Iterator[None]:
    """What the tenant's members may read may be read, and nothing may be written, until the block ends.

    Raises PermissionDenied from a statement that would write.
    """
    with visit_scope(visit.tenant_id), database.execute_wrapper(_only_reads):
        yield


def _only_reads(execute: Callable[..., Any], sql: str, params: Any, many: bool, context: Any) -> Any:
    if not sql.lstrip("( ").upper().startswith(("SELECT", "SAVEPOINT", "RELEASE", "ROLLBACK")):
        raise PermissionDenied(str(NOT_A_READING))
    return execute(sql, params, many, context)


def mail_owners_of_visit(lease: TenantLease) -> None:
    """Job: mail the tenant's owners that one of our people looks inside, who, why and until when."""
    with lease.scope():
        visit = Visit.objects.select_related("tenant").filter(id=lease.subject).first()
        if visit is not None:
            address = settings.ORIGIN + reverse("audit", args=[visit.tenant.slug])
            words = {"visit": visit, "address": address}
            mail_owners(tenant_id=visit.tenant_id, template="support/mail/visit", words=words)
