"""What to do next about a refusal: the error for a fault and a status."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime, timedelta

from connections.spec.errors import (
    Blocked,
    CallFailed,
    Forbidden,
    OutcomeUnknown,
    QuotaExhausted,
    Rejected,
    Unauthorized,
    Unavailable,
    Unreadable,
)
from connections.spec.faults import Fault, Phase
from connections.spec.operations import SAFE
from connections.spec.provider import Provider
from connections.transport import faults
from connections.transport.http.session import Answer
from connections.transport.limits import clock, retry_after
from connections.transport.models import Outcome, RequestLogEntry

OURS: Mapping[str, type[CallFailed]] = {
    faults.NO_ANSWER.code: Unavailable,
    faults.UNREADABLE.code: Unreadable,
    faults.BLOCKED.code: Blocked,
    faults.UNTRUSTED.code: Blocked,
    faults.PIN_MISSING.code: Blocked,
    faults.PIN_BROKEN.code: Blocked,
    faults.PIN_ENDED.code: Blocked,
    faults.NOT_ENCRYPTED.code: Unavailable,
    faults.NO_ADDRESS.code: Unauthorized,
    faults.NO_SERVER.code: Unavailable,
    faults.NO_PROXY.code: Unavailable,
    faults.NO_GRANT.code: Unauthorized,
    faults.OTHER_CLIENT.code: Unauthorized,
    faults.UNKNOWN_OUTCOME.code: OutcomeUnknown,
    faults.REDIRECTED.code: Rejected,
    faults.NO_REGISTRATION.code: Unauthorized,
    faults.NO_CREDENTIAL.code: Unauthorized,
    faults.NO_KEY.code: Unauthorized,
    faults.TROUBLE.code: Unavailable,
    faults.TURNED_AWAY.code: Unavailable,
    faults.REFUSED_ONCE.code: Unavailable,
    faults.CODE_REFUSED.code: Unauthorized,
    faults.QUOTA.code: QuotaExhausted,
}
PASSES = (408, 425, 429)  # of 4xx: these say themselves that they are about the moment
CONFIRMED_AFTER = timedelta(seconds=60)  # a refusal that is not told in words counts when it is still there then
REMEMBERED = timedelta(days=1)
AT_THE_SAME_TIME = timedelta(minutes=10)
PAGE = (b"<!doctype html", b"<html")


def kind(fault: Fault, phase: Phase, status: int | None) -> type[CallFailed]:
    """The error's type. A token request that is refused in whatever words leaves us without a session."""
    if fault.code in OURS:
        return OURS[fault.code]
    if status is None or status in (408, 425) or status >= 500:
        return Unavailable
    if status == 429:
        return QuotaExhausted
    if status == 403 and not fault.is_about_request:
        return Forbidden
    return Unauthorized if status == 401 or phase is not Phase.CALL else Rejected


def refusal(provider: Provider, phase: Phase, entry: RequestLogEntry, answer: Answer, body: object) -> CallFailed:
    """Judge an answer that is not what was asked for, and note it. `body`: parsed, None if it cannot be read.

    Of a token request only the protocol's words, or the provider's own, may blame anybody: a status may be anybody's.
    """
    status, rule = answer.status, None
    refused = provider.faults.in_good(body) or (phase is not Phase.CALL and isinstance(body, dict) and "error" in body)
    if 300 <= status < 400:
        fault = faults.REDIRECTED
    elif status < 300 and not refused:
        fault = faults.UNREADABLE
    else:
        rule = provider.faults.rule(phase, status, body, entry.operation, reads=entry.method in SAFE)
        fault = rule.fault if rule else provider.faults.unknown
    is_told = rule is not None and not rule.goes_by_status
    if refused_by_status(status) and phase is not Phase.CALL and not is_told and fault is not faults.UNREADABLE:
        fault = faults.TURNED_AWAY
    if fault is faults.UNREADABLE:
        entry.outcome = Outcome.UNREADABLE
    else:
        entry.outcome = Outcome.TROUBLED if status >= 500 else Outcome.REFUSED
    now = clock.now()
    retry_at = now + timedelta(seconds=retry_after.seconds_asked(answer.headers, now) or 0.0)
    made = error(kind(fault, phase, status), fault, entry, retry_at)
    made.is_told, made.is_page = is_told, answer.body.lstrip()[:20].lower().startswith(PAGE)
    # An answer that we cannot read may have said yes.
    made.may_have_arrived = status >= 500 or status == 408 or (status < 400 and not refused)
    return made


def refused_by_status(status: int) -> bool:
    """Neither a redirect nor trouble that says of itself that it passes. An error within a 200 counts."""
    return status < 500 and not 300 <= status < 400 and status not in PASSES


def is_confirmed(entry: RequestLogEntry) -> bool:
    """Whether the same was refused alike before, long enough ago that it is no whim of a moment. In the tenant's scope."""
    since, until = entry.at - REMEMBERED, entry.at - CONFIRMED_AFTER * 0.9
    of_connection = RequestLogEntry.objects.filter(connection=entry.connection_id)
    before = of_connection.filter(operation=entry.operation, at__gt=since, at__lt=until)
    return before.order_by("-at").values_list("status", flat=True).first() == entry.status


def is_alone(entry: RequestLogEntry) -> bool:
    """Whether only this operation is refused: others were answered at the same time. In the tenant's scope."""
    near = RequestLogEntry.objects.filter(connection=entry.connection_id, at__gt=entry.at - AT_THE_SAME_TIME)
    others = near.filter(outcome=Outcome.ANSWERED).exclude(operation=entry.operation)
    return others.exclude(operation__startswith="token").exists()


def error(made: type[CallFailed], fault: Fault, entry: RequestLogEntry, retry_at: datetime) -> CallFailed:
    if issubclass(made, Unavailable):
        return made(fault, retry_at=retry_at, entry_id=entry.id, provider_request_id=entry.provider_request_id)
    return made(fault, entry_id=entry.id, provider_request_id=entry.provider_request_id)
