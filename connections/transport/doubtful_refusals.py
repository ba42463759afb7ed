"""Refusals that may not be the provider's own word: these are asked again before a connection breaks by them."""

from __future__ import annotations

from datetime import timedelta

from connections.spec.errors import CallFailed, Rejected, Unauthorized, Unavailable
from connections.spec.faults import Responsible
from connections.tenancy.scope import tenant_scope
from connections.transport import clock, error_mapping, faults
from connections.transport.models import Outcome, RequestLogEntry
from connections.transport.request_context import RequestContext
from connections.vault.states import STANDING_OR_PAUSED

CONFIRMED_AFTER = timedelta(seconds=60)  # a refusal without a reason counts when it is still there after this time
CONFIRMED_WITHIN = timedelta(days=1)  # an older refusal confirms nothing
SAME_TIME = timedelta(minutes=10)


def raise_if_doubtful(context: RequestContext, entry: RequestLogEntry, refusal: CallFailed, *, is_write: bool) -> None:
    """Raise another error in place of a refusal that a machine on the way may have made as well as the provider.

    A connection that has stood is not broken by one of those: a new session that is refused, a status without a reason of
    the provider's that would blame the customer, a page for people. Raises Unavailable for the first one, so that it is
    asked again after a pause; it counts when it is refused again then. Raises Rejected for one that was refused again but
    still says nothing about the session. In set-up, and for what was typed anew, every refusal counts at once: nothing has
    worked before.
    """
    if not context.run_id and not context.checkpoint:
        return  # sent by hand: a person reads what came of it, and no connection breaks by it
    connection = context.connection
    has_stood = connection.state in STANDING_OR_PAUSED
    is_doubtful = refusal.is_page or isinstance(refusal, Unauthorized)
    is_doubtful = is_doubtful or (
        refusal.fault.responsible is Responsible.CUSTOMER and not refusal.has_provider_reason
    )
    if not is_doubtful or is_write or not has_stood or connection.fault in faults.COMPANY_FAULTS:
        return
    with tenant_scope(connection.tenant_id):
        is_confirmed = _is_confirmed(entry)
        is_alone = is_confirmed and isinstance(refusal, Unauthorized) and _is_only_operation(entry)
    if not is_confirmed:
        retry_at = clock.now() + CONFIRMED_AFTER
        raise error_mapping.make_error(Unavailable, faults.TURNED_AWAY, entry, retry_at) from None
    # Whoever sends a page is not the provider; and a session that opens other things was not refused as such.
    if refusal.is_page or is_alone:
        raise error_mapping.make_error(Rejected, faults.TURNED_AWAY, entry, clock.now()) from None


def _is_confirmed(entry: RequestLogEntry) -> bool:
    """Whether the last attempt of this operation, long enough ago, got the same status. In the tenant's scope."""
    earlier = RequestLogEntry.objects.for_connection(entry.connection_id).filter(
        operation=entry.operation, at__gt=entry.at - CONFIRMED_WITHIN, at__lt=entry.at - CONFIRMED_AFTER * 0.9
    )
    return earlier.order_by("-at").values_list("status", flat=True).first() == entry.status


def _is_only_operation(entry: RequestLogEntry) -> bool:
    """Whether other operations were answered at the same time, so that only this one is refused. In the tenant's scope."""
    answered = RequestLogEntry.objects.for_connection(entry.connection_id).filter(
        outcome=Outcome.ANSWERED, at__gt=entry.at - SAME_TIME
    )
    others = answered.exclude(operation=entry.operation)
    return others.exclude(operation__startswith="token").exists()
