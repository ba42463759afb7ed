"""Mails to admins about errors: the first of a kind at once, the rest as a count, in waits that grow. Shared by all processes."""

from __future__ import annotations

import uuid
from collections.abc import Callable
from datetime import datetime, timedelta
from zoneinfo import ZoneInfo

from django.core.mail import mail_admins
from django.db import transaction
from django.utils import timezone
from django.utils.translation import gettext as _

from connections.jobs.lease import Lease
from connections.jobs.services import enqueue
from connections.spec.text import duration
from connections.spec.times import format_time
from portal.notices.models import ErrorGroup

SUMMARY = "notices.error_summary"
FIRST_WAIT_SECONDS = 600
LONGEST_MAIL_WAIT_SECONDS = 24 * 3600
MOST_GROUPS = 200
REST = "errors of other kinds"  # all of them share one row, once there are as many kinds as may have one
NAMESPACE = uuid.UUID("c3f0b0f2-6d0c-4f5c-9a51-0c5e7f1f6f0e")


def count(label: str, mail_now: Callable[[], None]) -> None:
    """One more error of the kind that `label` names. `mail_now` is called where it is the first one for a while."""
    now = timezone.now()
    with transaction.atomic():
        group = _locked(label)
        group.last_at = now
        is_quiet = group.next_at is None or (now >= group.next_at and not group.more)
        if is_quiet:
            _mailed(group, now)
        else:
            group.more += 1
        group.save()
        if is_quiet:
            mail_now()
        elif group.more == 1:
            enqueue(kind=SUMMARY, subject=group.id, tenant_id=None, due_at=group.next_at)


def summarise(lease: Lease) -> None:
    """Job: how many more there were since the last mail about this kind."""
    now = timezone.now()
    with lease.scope():
        group = ErrorGroup.objects.select_for_update().filter(id=lease.subject).first()
        if group is None or not group.more or group.mailed_at is None or group.last_at is None:
            return
        words = {
            "count": group.more,
            "label": group.label,
            "since": format_time(group.mailed_at, seconds=True, zone=ZoneInfo("UTC")),
            "last": format_time(group.last_at, seconds=True, zone=ZoneInfo("UTC")),
        }
        _mailed(group, now)
        group.more = 0
        group.save()
        words["wait"] = duration(group.wait_seconds)
        mail_admins(
            _("%(count)d more: %(label)s") % words,
            _(
                "%(label)s\n\nThis happened %(count)d more times since %(since)s, last at %(last)s. The process logs"
                " show each of them.\n\nThe next mail about it comes in %(wait)s at the earliest."
            )
            % words,
        )


def gave_up(lease: Lease) -> None:
    """The summary was parked: the next error of this kind is mailed at once again."""
    ErrorGroup.objects.filter(id=lease.subject).update(more=0, next_at=None)


def _mailed(group: ErrorGroup, now: datetime) -> None:
    """Note a mail; the wait after it is twice the last one, unless there was quiet for as long."""
    wait = timedelta(seconds=group.wait_seconds)
    goes_on = group.more or (group.next_at is not None and now < group.next_at + wait)
    doubled = min(group.wait_seconds * 2, LONGEST_MAIL_WAIT_SECONDS)
    group.wait_seconds = max(doubled, FIRST_WAIT_SECONDS) if goes_on else FIRST_WAIT_SECONDS
    group.mailed_at, group.next_at = now, now + timedelta(seconds=group.wait_seconds)


def _locked(label: str) -> ErrorGroup:
    label = label[:300]
    row_id = uuid.uuid5(NAMESPACE, label)
    exists = ErrorGroup.objects.filter(id=row_id).exists()
    if not exists and ErrorGroup.objects.count() >= MOST_GROUPS:
        label, row_id = REST, uuid.uuid5(NAMESPACE, REST)
    ErrorGroup.objects.bulk_create([ErrorGroup(id=row_id, label=label)], ignore_conflicts=True)
    return ErrorGroup.objects.select_for_update().get(id=row_id)
