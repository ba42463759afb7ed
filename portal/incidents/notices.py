"""Notices: who is told what, once each, and the job that mails what is due."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from datetime import datetime, timedelta
from uuid import UUID

from django.utils import timezone

from connections.jobs.lease import TenantLease
from connections.jobs.services import enqueue
from connections.tenancy.models import Tenant, TenantState
from connections.vault.models import Connection
from portal.incidents import mails
from portal.incidents.due_times import due_at
from portal.incidents.kinds import MailKind
from portal.incidents.models import Notice, NoticeOutcome
from portal.incidents.recipients import choice_of, may_be_told, recipients_of
from portal.members.models import Membership, User

MAIL_PERSON = "incidents.mail_person"
MOST_SINGLE = 3  # notices that are due together become mails of their own; more become one mail
MOST_A_DAY = 20  # further notices of a day wait for the next morning's mail, so that nothing floods a person
MOST_IN_ONE = 50


def tell(
    *,
    connection: Connection,
    kind: MailKind,
    about: UUID,
    not_before: datetime | None = None,
    members: Sequence[Membership] | None = None,
    is_digest: bool = False,
) -> int:
    """Let the person who can act know, at a time that suits them; `members`: these people instead. Gives how many.

    In a worker, in the tenant's scope, in the transaction that writes what they are told. Twice is once.
    """
    now = timezone.now()
    recipients = recipients_of(connection, kind) if members is None else members
    for member in recipients:
        choice = choice_of(member.tenant_id, member.user_id)
        day = Notice.objects.filter(
            tenant_id=member.tenant_id, user_id=member.user_id, created_at__gt=now - timedelta(days=1)
        )
        is_many = len(day.values_list("id")[:MOST_A_DAY]) == MOST_A_DAY
        zone = User.objects.filter(id=member.user_id).values_list("time_zone", flat=True).first() or ""
        due = due_at(max(now, not_before or now), choice, zone, is_digest=is_digest or is_many)
        notice = Notice(
            tenant_id=member.tenant_id,
            user_id=member.user_id,
            kind=kind,
            about=about,
            connection_id=connection.id,
            created_at=now,
            due_at=due,
        )
        Notice.objects.bulk_create([notice], ignore_conflicts=True)
        enqueue(kind=MAIL_PERSON, subject=member.id, tenant_id=member.tenant_id, due_at=due)
    return len(recipients)


def tell_of_end(*, tenant_id: UUID, about: UUID) -> None:
    """It is over: whoever was mailed about it is mailed once more; whose mail still waits needs neither."""
    overtake(tenant_id=tenant_id, about=[about])
    mailed = Notice.objects.filter(
        tenant_id=tenant_id, about=about, kind__in=(MailKind.BROKEN, MailKind.OUTAGE), outcome=NoticeOutcome.MAILED
    )
    for notice in mailed:
        if notice.connection_id is None:
            continue
        connection = Connection.objects.filter(id=notice.connection_id).first()
        members = Membership.objects.filter(tenant_id=tenant_id, user_id=notice.user_id)
        wanting = [member for member in members if may_be_told(member, MailKind.HEALED)]
        if connection is not None:
            tell(connection=connection, kind=MailKind.HEALED, about=about, members=wanting)


def overtake(*, tenant_id: UUID, about: Collection[UUID]) -> None:
    """What waits about these is not mailed any more."""
    waiting = Notice.objects.filter(tenant_id=tenant_id, about__in=about, ended_at=None)
    waiting.update(ended_at=timezone.now(), outcome=NoticeOutcome.OVERTAKEN)


def mail_person(lease: TenantLease) -> None:
    """Job: mail one member what is due. The notices end in the transaction that queues the mails, so each is mailed once.

    Who has left, may not act any more or has unsubscribed meanwhile is not mailed.
    """
    now = timezone.now()
    with lease.scope():
        member = Membership.objects.filter(id=lease.subject).first()
        if member is None:
            return
        waiting = Notice.objects.filter(tenant_id=member.tenant_id, user_id=member.user_id, ended_at=None)
        due = list(waiting.select_for_update().filter(due_at__lte=now).order_by("created_at", "id")[:MOST_IN_ONE])
        person = mails.reader_of(member.user_id)
        is_open = Tenant.objects.filter(id=member.tenant_id).exclude(state=TenantState.SUSPENDED).exists()
        to_tell = [notice for notice in due if person and is_open and may_be_told(member, notice.kind)]
        items = mails.items_of(to_tell)
        if person is not None and items:
            is_one = len(items) > MOST_SINGLE or choice_of(member.tenant_id, member.user_id).is_digest
            mail_items = list(items.values())
            for group in [mail_items] if is_one else [[item] for item in mail_items]:
                mails.send(person, member.tenant, group)
        ids = {notice.id for notice in to_tell}
        Notice.objects.filter(id__in=items).update(ended_at=now, outcome=NoticeOutcome.MAILED)
        Notice.objects.filter(id__in=ids - items.keys()).update(ended_at=now, outcome=NoticeOutcome.OVERTAKEN)
        rest = [notice.id for notice in due if notice.id not in ids]
        Notice.objects.filter(id__in=rest).update(ended_at=now, outcome=NoticeOutcome.REFUSED)
        next_at = waiting.order_by("due_at").values_list("due_at", flat=True).first()
        if next_at is not None:
            # Queued here instead of handed back, so that the earlier time counts where more was asked for meanwhile.
            enqueue(kind=MAIL_PERSON, subject=member.id, tenant_id=member.tenant_id, due_at=next_at)
