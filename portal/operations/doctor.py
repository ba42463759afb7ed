"""What an operator asks first: is everything right here, and what is to be done where it is not. One line for each question.

Made for `manage.py doctor`, as any kind of process: each sees what its own environment lets it see. Changes nothing.
"""

from __future__ import annotations

import platform
import smtplib
from collections.abc import Callable, Iterator
from datetime import datetime, timedelta, timezone
from importlib import metadata
from typing import Any

import django
from django.conf import settings
from django.core.checks import CheckMessage
from django.core.mail import get_connection
from django.db import DatabaseError, connection
from django.db.migrations.executor import MigrationExecutor

from connections.jobs.heartbeats import MAINTENANCE
from connections.jobs.models import Heartbeat, Job, JobState
from connections.jobs.vital_signs import LATE_SECONDS
from connections.transport.http import deadline
from connections.transport.log import partitions
from portal.notices.mail import SMTP
from portal.notices.models import MailState, OutgoingMail
from portal.notices.smtp import WHOLE_SECONDS
from portal.operations import checks, database_checks, health_answers, maintenance, provider_reach, start
from portal.operations.answers import DoctorAnswer

BROKER_SECONDS = 3.0
MAINTENANCE_WAITS = timedelta(days=2)  # it should run every night
LATE = timedelta(seconds=LATE_SECONDS)  # a job that is due for so long has nobody who does it


def answers() -> Iterator[DoctorAnswer]:
    """Every question in the order in which they make sense; those about the database only where it answers."""
    yield _versions()
    for check in (*start.ON_SETTINGS, checks.collected_files):
        yield _checked(check)
    yield health_answers.broker(BROKER_SECONDS)
    yield _mail_server()
    yield from provider_reach.answers()
    unreachable = database_checks.reachable()
    if unreachable:
        yield DoctorAnswer("database", False, unreachable[0].msg, unreachable[0].hint or "")
        return
    for check in (each for each in start.ON_DATABASE if each is not database_checks.migrations):
        yield _checked(check, databases=["default"])
    migrated = _migrations()
    yield migrated
    if not migrated.is_right:
        return  # tables that further questions are about may not be there
    for ask in (_partitions, _maintenance, _late_jobs, _parked_jobs, _failed_mails):
        yield _asked(ask)


def _checked(check: Callable[..., list[CheckMessage]], **arguments: Any) -> DoctorAnswer:
    question = check.__name__.replace("_", " ")
    messages = start.run_check(check, **arguments)
    if not messages:
        return DoctorAnswer(question, True, "as it must be")
    first = messages[0]
    more = f" (and {len(messages) - 1} more)" if len(messages) > 1 else ""
    return DoctorAnswer(question, not first.is_serious(), f"{first.msg}{more}", first.hint or "")


def _asked(ask: Callable[[], DoctorAnswer]) -> DoctorAnswer:
    try:
        return ask()
    except DatabaseError as error:
        # A web or worker process has no right to see everything.
        reason = str(error).strip().partition("\n")[0]
        return DoctorAnswer(
            ask.__name__.strip("_").replace("_", " "), None, f"not seen as {settings.PROCESS}: {reason}"
        )


def _versions() -> DoctorAnswer:
    text = f"Python {platform.python_version()}, Django {django.get_version()}, Celery {metadata.version('celery')}"
    return DoctorAnswer("versions", None, f"{text}; asked as {settings.PROCESS}, for {settings.MODE}")


def _mail_server() -> DoctorAnswer:
    if not settings.SMTP:
        return DoctorAnswer("mail server", None, "none is named here; the worker that sends mail has PORTAL_SMTP_URL")
    backend = get_connection(SMTP, **settings.SMTP)
    try:
        with deadline.within(WHOLE_SECONDS):
            backend.open()
            backend.close()
    except (OSError, smtplib.SMTPException) as error:
        code = getattr(error, "smtp_code", "")
        hint = "Look at PORTAL_SMTP_URL: host, port, user and password. Mails wait and are tried for about a day."
        return DoctorAnswer("mail server", False, f"{type(error).__name__} {code}".strip(), hint)
    return DoctorAnswer("mail server", True, "lets us in")


def _migrations() -> DoctorAnswer:
    executor = MigrationExecutor(connection)
    pending = executor.migration_plan(executor.loader.graph.leaf_nodes())
    if pending:
        return DoctorAnswer(
            "migrations", False, f"{len(pending)} are pending", "Run `manage.py migrate` as the owner."
        )
    return DoctorAnswer("migrations", True, "all are applied")


def _partitions() -> DoctorAnswer:
    last = partitions.last_month()
    this_month = datetime.now(timezone.utc).date().replace(day=1)
    hint = "Run `manage.py maintenance` as the owner, and every night."
    if last is None or last <= this_month:
        return DoctorAnswer("partitions", False, "the request log has none for next month", hint)
    return DoctorAnswer("partitions", True, f"the request log has some until {last:%Y-%m}")


def _maintenance() -> DoctorAnswer:
    """By its own note; where it has never left one, by what it would have taken away."""
    now = datetime.now(timezone.utc)
    hint = "Run `manage.py maintenance` as the owner, every night by a timer."
    last_at = Heartbeat.objects.filter(name=MAINTENANCE).values_list("at", flat=True).first()
    if last_at is not None:
        return DoctorAnswer(
            "maintenance", now - last_at < MAINTENANCE_WAITS, f"last at {last_at:%Y-%m-%d %H:%M} UTC", hint
        )
    if Job.objects.filter(ended_at__lt=now - maintenance.ENDED_JOBS_KEPT - MAINTENANCE_WAITS).exists():
        text = f"jobs are kept that ended more than {(maintenance.ENDED_JOBS_KEPT + MAINTENANCE_WAITS).days} days ago"
        return DoctorAnswer("maintenance", False, text, hint)
    return DoctorAnswer("maintenance", True, "nothing lies here that it would have taken away")


def _late_jobs() -> DoctorAnswer:
    late = Job.objects.filter(state=JobState.QUEUED, due_at__lt=datetime.now(timezone.utc) - LATE)
    first = late.order_by("due_at").values_list("queue", "due_at").first()
    if first is None:
        return DoctorAnswer("late jobs", True, "none")
    queue, due_at = first
    text = f"the oldest, of the queue {queue}, is due since {due_at:%Y-%m-%d %H:%M} UTC"
    return DoctorAnswer("late jobs", False, text, f"See whether the beat and the worker for {queue} run.")


def _parked_jobs() -> DoctorAnswer:
    count = Job.objects.filter(state=JobState.PARKED).count()
    if count:
        return DoctorAnswer(
            "parked jobs", False, f"{count} gave up", "The admin's list of jobs says why, and queues them again."
        )
    return DoctorAnswer("parked jobs", True, "none")


def _failed_mails() -> DoctorAnswer:
    count = OutgoingMail.objects.filter(state=MailState.FAILED).count()
    if count:
        hint = "See whether the mail server lets us in: `manage.py doctor` with PORTAL_SMTP_URL."
        return DoctorAnswer("failed mails", False, f"{count} could not be sent", hint)
    return DoctorAnswer("failed mails", True, "none")
