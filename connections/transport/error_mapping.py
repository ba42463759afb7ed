"""Which error a refusal becomes: by the fault that the provider's catalogue names, and by the status."""

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
from connections.transport import clock, faults
from connections.transport.http import retry_after
from connections.transport.http.session import Answer
from connections.transport.models import Outcome, RequestLogEntry

ERRORS_OF_OUR_FAULTS: Mapping[str, type[CallFailed]] = {
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
PASSING_STATUSES = (408, 425, 429)  # of 4xx: these say themselves that they are about the moment
PAGE_BEGINNINGS = (b"<!doctype html", b"<html")


def error_type(fault: Fault, phase: Phase, status: int | None) -> type[CallFailed]:
    """The type of error for a fault. A token request that is refused for any reason leaves us without a session."""
    if fault.code in ERRORS_OF_OUR_FAULTS:
        return ERRORS_OF_OUR_FAULTS[fault.code]
    if status is None or status in (408, 425) or status >= 500:
        return Unavailable
    if status == 429:
        return QuotaExhausted
    if status == 403 and not fault.is_about_request:
        return Forbidden
    return Unauthorized if status == 401 or phase is not Phase.CALL else Rejected


def refusal(provider: Provider, phase: Phase, entry: RequestLogEntry, answer: Answer, body: object) -> CallFailed:
    """The error for an answer that is not what was asked for; its outcome is noted in the entry.

    `body`: parsed, None if it cannot be read. Of a token request only the protocol's error codes, or the provider's own
    words, may blame anybody: a status may come from any machine on the way.
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
    has_provider_reason = rule is not None and not rule.goes_by_status
    if (
        refused_by_status(status)
        and phase is not Phase.CALL
        and not has_provider_reason
        and fault is not faults.UNREADABLE
    ):
        fault = faults.TURNED_AWAY
    if fault is faults.UNREADABLE:
        entry.outcome = Outcome.UNREADABLE
    else:
        entry.outcome = Outcome.TROUBLED if status >= 500 else Outcome.REFUSED
    now = clock.now()
    retry_at = now + timedelta(seconds=retry_after.wait_seconds(answer.headers, now) or 0.0)
    error = make_error(error_type(fault, phase, status), fault, entry, retry_at)
    error.has_provider_reason = has_provider_reason
    error.is_page = answer.body.lstrip()[:20].lower().startswith(PAGE_BEGINNINGS)
    # An answer that we cannot read may have said yes.
    error.may_have_arrived = status >= 500 or status == 408 or (status < 400 and not refused)
    return error


def refused_by_status(status: int) -> bool:
    """Whether a status refuses: neither a redirect nor trouble that passes by itself. An error within a 200 counts."""
    return status < 500 and not 300 <= status < 400 and status not in PASSING_STATUSES


def make_error(error_class: type[CallFailed], fault: Fault, entry: RequestLogEntry, retry_at: datetime) -> CallFailed:
    """An error of that type about an entry, to be raised. `retry_at` counts for errors that pass."""
    if issubclass(error_class, Unavailable):
        failed: CallFailed = error_class(
            fault, retry_at=retry_at, entry_id=entry.id, provider_request_id=entry.provider_request_id
        )
    else:
        failed = error_class(fault, entry_id=entry.id, provider_request_id=entry.provider_request_id)
    failed.operation = entry.operation
    return failed
