"""Faults of our own with single calls, beside those that a provider's catalogue and transport know."""

from __future__ import annotations

from datetime import timedelta

from django.utils.text import format_lazy
from django.utils.translation import gettext_lazy as _

from connections.providers import registry
from connections.spec.faults import Fault, Responsible
from connections.spec.text import duration
from connections.transport import faults as transport_faults

LONGEST_WAIT = timedelta(days=1)  # what could not be sent by then is given up

NOT_STANDING = Fault(
    "call-not-standing",
    Responsible.CUSTOMER,
    _("Before it could be sent the connection was disconnected, paused, or lost its company. Nothing was sent."),
    "When a worker took the call the connection did not stand, or the tenant was suspended.",
)
TOO_LATE = Fault(
    "call-too-late",
    Responsible.NOBODY,
    format_lazy(
        _("For {time} there was no way to send it, so we let it be. Nothing was sent."), time=duration(LONGEST_WAIT)
    ),
    "Quota or outage kept the call waiting for longer than it may wait.",
)
GAVE_UP = Fault(
    "call-gave-up",
    Responsible.US,
    _("Our own side failed several times with this request. Our staff can see it."),
    "The job was parked after repeated crashes or failures: its row and the worker's log say why.",
)
NOT_DECLARED = Fault(
    "call-not-declared",
    Responsible.US,
    _("What was asked for is no longer offered. Nothing was sent."),
    "The provider's description no longer holds this operation, or no longer takes these values.",
)
WRITES_OFF = Fault(
    "call-writes-off",
    Responsible.CUSTOMER,
    _("Before it could be sent an owner switched off requests that write. Nothing was sent."),
    "When a worker took the call, writes were switched off for the connection on the page of single requests.",
)
_OURS = {fault.code: fault for fault in (NOT_STANDING, TOO_LATE, GAVE_UP, NOT_DECLARED, WRITES_OFF)}


def own_faults() -> list[Fault]:
    """Those that come of single requests, and of no provider's answer."""
    return list(_OURS.values())


def resolve_fault(*, provider: str, code: str) -> Fault | None:
    """The fault that `code` names: the provider's own, one of transport, or one of ours. None for an unknown code."""
    description = registry.find(provider)
    of_provider = description.faults.find(code) if description else None
    return of_provider or transport_faults.find(code) or _OURS.get(code)
