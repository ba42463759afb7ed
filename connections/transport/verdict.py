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
from connections.spec.provider import Provider
from connections.transport import clock, faults, retry_after
from connections.transport.egress import Answer
from connections.transport.models import Outcome, RequestLogEntry

OURS: Mapping[str, type[CallFailed]] = {
    faults.NO_ANSWER.code: Unavailable,
    faults.UNREADABLE.code: Unreadable,
    faults.BLOCKED.code: Blocked,
    faults.UNTRUSTED.code: Blocked,
    faults.PIN_BROKEN.code: Blocked,
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
    faults.QUOTA.code: QuotaExhausted,
}


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
    """Judge an answer that is not what was asked for, and note it. `body`: parsed, None if it cannot be read."""
    status = answer.status
    refused = provider.faults.in_good(body) or (phase is not Phase.CALL and isinstance(body, dict) and "error" in body)
    if 300 <= status < 400:
        fault = faults.REDIRECTED
    elif status < 300 and not refused:
        fault = faults.UNREADABLE
    else:
        fault = provider.faults.judge(phase, status, body, entry.operation)
    if fault is faults.UNREADABLE:
        entry.outcome = Outcome.UNREADABLE
    else:
        entry.outcome = Outcome.TROUBLED if status >= 500 else Outcome.REFUSED
    now = clock.now()
    retry_at = now + timedelta(seconds=retry_after.seconds_asked(answer.headers, now) or 0.0)
    made = error(kind(fault, phase, status), fault, entry, retry_at)
    # An answer that we cannot read may have said yes.
    made.may_have_arrived = status >= 500 or status == 408 or (status < 400 and not refused)
    return made


def error(made: type[CallFailed], fault: Fault, entry: RequestLogEntry, retry_at: datetime) -> CallFailed:
    if issubclass(made, Unavailable):
        return made(fault, retry_at=retry_at, entry_id=entry.id, provider_request_id=entry.provider_request_id)
    return made(fault, entry_id=entry.id, provider_request_id=entry.provider_request_id)
