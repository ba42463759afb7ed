"""Keeps tables from growing for ever and the request log's partitions ahead of time. Run daily, as the owner."""

from __future__ import annotations

from datetime import timedelta

from allauth.usersessions.models import UserSession
from django.conf import settings
from django.contrib.sessions.models import Session
from django.db import connection, transaction
from django.db.models import Exists, OuterRef
from django.utils import timezone

from connections.calls.services import ANSWER_LIFETIME, clear_answers
from connections.exports import writing as exports
from connections.jobs import heartbeats
from connections.jobs.heartbeats import HeartbeatKind
from connections.jobs.models import Heartbeat, Job, JobState
from connections.sync import history, schedule_models, searching
from connections.sync.models import ScheduleSlot
from connections.tenancy.models import AuditEvent, AuditTally, SystemAuditEvent
from connections.transport.log import partitions, recording, tallies
from connections.vault.models import Connection
from portal.certification import chain
from portal.incidents.advance_warnings import WARN, ensure_warned
from portal.incidents.models import Notice
from portal.notices.models import ErrorGroup, MailState, OutgoingMail
from portal.onboarding.watch_plan import WATCH, ensure_watched
from portal.rate_limits.models import CacheEntry, Usage

ENDED_JOBS_KEPT = timedelta(days=14)
SENT_MAILS_KEPT = timedelta(days=7)
UNSENT_MAILS_KEPT = timedelta(days=30)
ERROR_GROUPS_KEPT = timedelta(days=30)
AUDIT_EVENTS_KEPT = chain.SHORTEST_KEPT
MOST_FINDINGS_NAMED = 20
NOTICES_KEPT = timedelta(days=365)  # that somebody was mailed; incidents themselves stay
TALLIES_KEPT = timedelta(days=2)  # each counts one hour
HEARTBEATS_KEPT = timedelta(days=7)
LOCK_TIMEOUT = "10s"  # as PostgreSQL spells it


def run() -> list[str]:
    """One sentence per thing done, also when it was nothing. Safe to run again, and beside another run.

    Raises django.db.OperationalError when busy queries keep a partition for longer than ten seconds; what was done
    before that stays done.
    """
    return [
        _make_partitions(),
        _drop_partitions(),
        _add_up_days(),
        _delete_jobs(),
        _delete_slots(),
        _delete_mails(),
        _delete_error_groups(),
        _delete_notices(),
        _clear_answers(),
        _delete_recordings(),
        _delete_exports(),
        _delete_sessions(),
        _delete_counts(),
        _link_evidence(),
        _delete_audit_events(),
        _verify_evidence(),
        _delete_versions(),
        _plan_looks(),
        _fill_searches(),
        _name_orphans(),
        _leave_note(),
    ]


def _make_partitions() -> str:
    with transaction.atomic():
        _lock_out_other_runs()
        new_names = partitions.make_ahead()
    ahead = f"The request log has partitions for {partitions.MONTHS_AHEAD} months ahead"
    return f"{ahead}; made {', '.join(new_names)}." if new_names else f"{ahead}."


def _drop_partitions() -> str:
    months = settings.REQUEST_LOG_MONTHS
    with transaction.atomic():
        _lock_out_other_runs()
        dropped = partitions.drop_older(months)
    months_kept = f"Requests are kept for {months} whole months"
    return f"{months_kept}; dropped {', '.join(dropped)}." if dropped else f"{months_kept}; nothing is older."


def _add_up_days() -> str:
    with transaction.atomic():
        _lock_out_other_runs()
        deleted = tallies.delete_older(settings.REQUEST_LOG_MONTHS)
        days = tallies.add_up_days()
    return f"Added up the requests of {days} days; deleted {deleted} counts of minutes that were older than the log."


def _lock_out_other_runs() -> None:
    with connection.cursor() as cursor:
        cursor.execute("SELECT set_config('lock_timeout', %s, true)", [LOCK_TIMEOUT])
        cursor.execute("SELECT pg_advisory_xact_lock(hashtext('portal maintenance'))")


def _delete_jobs() -> str:
    count, _ = Job.objects.filter(ended_at__lt=timezone.now() - ENDED_JOBS_KEPT).delete()
    return f"Deleted {count} jobs that ended more than {ENDED_JOBS_KEPT.days} days ago."


def _leave_note() -> str:
    """Last of all, so that it says when everything was done."""
    of_processes = Heartbeat.objects.filter(kind__in=(HeartbeatKind.BEAT, HeartbeatKind.WORKER))
    of_processes.filter(at__lt=timezone.now() - HEARTBEATS_KEPT).delete()
    heartbeats.note(HeartbeatKind.MAINTENANCE, heartbeats.MAINTENANCE)
    return "Forgot workers that were not heard for a week, and noted that this is done."


def _delete_slots() -> str:
    count, _ = ScheduleSlot.objects.filter(due_at__lt=timezone.now() - schedule_models.SLOTS_KEPT).delete()
    return f"Deleted {count} slots of schedules that came more than {schedule_models.SLOTS_KEPT.days} days ago."


def _delete_mails() -> str:
    old = OutgoingMail.objects.filter(sent_at__lt=timezone.now() - SENT_MAILS_KEPT)
    count, _ = old.delete()
    given_up = OutgoingMail.objects.filter(
        state__in=(MailState.FAILED, MailState.REFUSED), created_at__lt=timezone.now() - UNSENT_MAILS_KEPT
    )
    unsent, _ = given_up.delete()
    return (
        f"Deleted {count} mails that were sent more than {SENT_MAILS_KEPT.days} days ago, and {unsent} that could not be"
        f" delivered and are older than {UNSENT_MAILS_KEPT.days} days."
    )


def _delete_error_groups() -> str:
    count, _ = ErrorGroup.objects.filter(last_at__lt=timezone.now() - ERROR_GROUPS_KEPT).delete()
    return f"Forgot {count} kinds of errors that were not seen for {ERROR_GROUPS_KEPT.days} days."


def _delete_notices() -> str:
    count, _ = Notice.objects.filter(ended_at__lt=timezone.now() - NOTICES_KEPT).delete()
    return f"Deleted {count} notices of mails older than {NOTICES_KEPT.days} days."


def _clear_answers() -> str:
    return f"Cleared {clear_answers()} answers to requests that were tried more than {ANSWER_LIFETIME.days} day ago."


def _delete_recordings() -> str:
    with transaction.atomic():
        return f"Deleted {recording.delete_old()} recordings whose day was over."


def _delete_exports() -> str:
    with transaction.atomic():
        return f"Deleted {exports.delete_old()} exports whose day was over."


def _plan_looks() -> str:
    """For connections of releases that had none of these jobs, and where one was given up; a run's end plans them as well."""
    waiting = Job.objects.filter(subject=OuterRef("id"), state__in=(JobState.QUEUED, JobState.RUNNING))
    planned = 0
    for rows, kind, plan in (
        (Connection.objects.standing(), WATCH, ensure_watched),
        (Connection.objects.not_disconnected(), WARN, ensure_warned),
    ):
        for each in rows.filter(~Exists(waiting.filter(kind=kind))).iterator():
            plan(each)
            planned += 1
    return f"Planned {planned} nightly looks and warnings for connections that had none."


def _delete_sessions() -> str:
    count, _ = Session.objects.filter(expire_date__lt=timezone.now()).delete()
    UserSession.objects.exclude(session_key__in=Session.objects.values("session_key")).delete()
    return f"Deleted {count} expired sessions."


def _delete_counts() -> str:
    entries, _ = CacheEntry.objects.filter(expires_at__lte=timezone.now()).delete()
    usages, _ = Usage.objects.filter(opens_at__lte=timezone.now()).delete()
    return f"Deleted {entries} expired cache entries and {usages} counts whose time was over."


def _link_evidence() -> str:
    return f"Linked {chain.link_new_rows()} rows into the chain of evidence."


def _verify_evidence() -> str:
    findings = chain.verify()
    chain.note_check(findings)
    if findings:
        named = "; ".join(map(str, findings[:MOST_FINDINGS_NAMED]))
        return f"The chain of evidence is broken at {len(findings)} places, to be looked into: {named}."
    return "The chain of evidence is whole."


def _delete_audit_events() -> str:
    """Only the owner may: no process has a right to. Their links stay, and one more says that they were deleted."""
    now, count = timezone.now(), 0
    before = now - AUDIT_EVENTS_KEPT
    for name, trail in (("audit", AuditEvent), ("system", SystemAuditEvent)):
        with transaction.atomic():
            deleted, _ = trail.objects.filter(happened_at__lt=before).delete()
            if deleted:
                chain.note_retention(name, before)
        count += deleted
    AuditTally.objects.filter(started_at__lt=now - TALLIES_KEPT).delete()
    return f"Deleted {count} audit events older than two years."


def _delete_versions() -> str:
    count = history.delete_old_versions()
    return f"Deleted {count} contents that records had until more than {history.VERSIONS_KEPT.days} days ago."


def _fill_searches() -> str:
    return f"Records of {searching.fill()} streams were made to be found by the columns that are declared today."


def _name_orphans() -> str:
    orphans = [f"{table}: {connection} of tenant {tenant}" for table, tenant, connection in history.orphans()]
    if orphans:
        return f"Records without a connection of their tenant, to be looked into: {'; '.join(orphans)}."
    return "Every record belongs to a connection of its tenant."
