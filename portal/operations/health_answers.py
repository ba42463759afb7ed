"""Whether database, broker, beat and workers do what they are for, right now: one answer each, for a command and a page."""

from __future__ import annotations

import http.client
from collections.abc import Iterator

from django.conf import settings
from django.utils.translation import gettext as _
from kombu.connection import Connection as Broker

from connections.jobs import vital_signs
from connections.jobs.heartbeats import HeartbeatKind
from connections.jobs.registry import QUEUES
from connections.jobs.vital_signs import COUNTED_JOBS, VitalSigns
from connections.spec.text import DAY, HOUR, MINUTE, duration
from connections.tenancy.single_query import DatabaseSilent
from portal.operations.answers import DoctorAnswer
from portal.operations.health import READY

BROKER_SECONDS = 1.5
WEB_SECONDS = 3.0


def answers() -> Iterator[DoctorAnswer]:
    """In the order in which they depend on each other."""
    yield broker(BROKER_SECONDS)
    try:
        signs = vital_signs.read()
    except DatabaseSilent as reason:
        yield DoctorAnswer(
            _("database"), False, str(reason), _("See whether PostgreSQL runs and lets this process in.")
        )
        return
    yield DoctorAnswer(_("database"), True, _("answers"))
    if not signs.is_dispatched:
        hint = _("If this is meant to call providers and to send mail: `manage.py release`, as the owner.")
        yield DoctorAnswer(
            _("jobs"), False, _("held: this is a copy that nobody has released, or was held by hand"), hint
        )
    yield _beat(signs)
    yield _sweep(signs)
    yield from (_queue(signs, queue) for queue in QUEUES)
    yield _parked(signs)


def broker(seconds: float) -> DoctorAnswer:
    """Asked for at most so long, for each of its addresses."""
    address = settings.CELERY_BROKER_URL
    question = _("broker")
    if address.startswith("memory:"):
        return DoctorAnswer(question, None, _("none is named here"))
    options = {
        **settings.CELERY_BROKER_TRANSPORT_OPTIONS,
        "socket_timeout": seconds,
        "socket_connect_timeout": seconds,
        "max_retries": 0,
    }
    try:
        with Broker(address, connect_timeout=seconds, transport_options=options) as link:
            link.ensure_connection(max_retries=1, interval_start=0, timeout=seconds)
    except Exception as error:  # noqa: BLE001  (each transport has errors of its own)
        hint = _(
            "Look at BROKER_URL and whether the server runs. Jobs wait in the database; only the sweep finds them."
        )
        return DoctorAnswer(question, False, _("does not answer: %(why)s") % {"why": type(error).__name__}, hint)
    return DoctorAnswer(question, True, _("answers"))


def web(address: str) -> DoctorAnswer:
    """What a web process says of itself at `address`, host:port. Speaks plain HTTP, as the processes do behind their proxy."""
    question = _("web at %(address)s") % {"address": address}
    hint = _("See what its log says: journalctl -u pilotage-web.")
    line = http.client.HTTPConnection(address, timeout=WEB_SECONDS)
    try:
        line.request("GET", READY)
        status = line.getresponse().status
    except (OSError, http.client.HTTPException) as error:
        return DoctorAnswer(question, False, _("does not answer: %(why)s") % {"why": type(error).__name__}, hint)
    finally:
        line.close()
    if status != http.HTTPStatus.OK:
        return DoctorAnswer(
            question, False, _("lives, and is not ready: it answered %(status)s") % {"status": status}, hint
        )
    return DoctorAnswer(question, True, _("is ready"))


def _beat(signs: VitalSigns) -> DoctorAnswer:
    beat = signs.last(HeartbeatKind.BEAT)
    hint = _("See whether the beat runs and reaches broker and database: journalctl -u pilotage-beat.")
    if beat is None:
        return DoctorAnswer(_("beat"), False, _("no sign of life"), hint)
    text = _("%(name)s rang %(ago)s ago") % {"name": beat.name, "ago": _about(beat.age_seconds)}
    return DoctorAnswer(_("beat"), not beat.is_silent, text, hint)


def _sweep(signs: VitalSigns) -> DoctorAnswer:
    sweep = signs.last(HeartbeatKind.SWEEP)
    hint = _("Beat asks for it and the worker for interactive does it: see which of them does not run.")
    if sweep is None:
        return DoctorAnswer(_("sweep"), False, _("there was none yet: due jobs are not looked for"), hint)
    text = _("due jobs were looked for %(ago)s ago") % {"ago": _about(sweep.age_seconds)}
    return DoctorAnswer(_("sweep"), signs.is_swept(), text, hint)


def _queue(signs: VitalSigns, queue: str) -> DoctorAnswer:
    names = ", ".join(each.name for each in signs.workers(queue))
    waiting = signs.waiting[queue]
    parts = [_("served by %(workers)s") % {"workers": names} if names else _("no worker serves it")]
    if waiting.jobs:
        count = f"{COUNTED_JOBS}+" if waiting.jobs >= COUNTED_JOBS else str(waiting.jobs)
        words = {"count": count, "time": _about(waiting.late_seconds)}
        parts.append(_("%(count)s jobs are due, the oldest for %(time)s") % words)
    is_well = bool(names) and queue not in signs.late_queues()
    hint = _("See whether the worker for %(queue)s runs, and whether it is enough: more of them may run anywhere.")
    return DoctorAnswer(_("queue %(queue)s") % {"queue": queue}, is_well, "; ".join(parts), hint % {"queue": queue})


def _parked(signs: VitalSigns) -> DoctorAnswer:
    if not signs.parked:
        return DoctorAnswer(_("parked jobs"), True, _("none"))
    count = f"{COUNTED_JOBS}+" if signs.parked >= COUNTED_JOBS else str(signs.parked)
    hint = _("The staff's list of jobs says why, and queues them again.")
    return DoctorAnswer(_("parked jobs"), None, _("%(count)s gave up") % {"count": count}, hint)


def _about(seconds: float) -> str:
    """In the largest unit of which there are two at least."""
    unit = next((unit for unit in (DAY, HOUR, MINUTE) if seconds >= 2 * unit), 1)
    return str(duration(round(seconds / unit) * unit))
