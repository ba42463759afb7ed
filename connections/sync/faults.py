"""Troubles of our own reading, beside the ones a provider's catalogue and transport know."""

from __future__ import annotations

from django.utils.translation import gettext_lazy as _

from connections.providers import registry
from connections.spec.faults import Acts, Fault
from connections.transport import faults as transport_faults

PAGE_UNREADABLE = Fault(
    "page-unreadable",
    Acts.US,
    _("The list came in a form that we do not know. Our staff can see it; nothing was lost."),
    "A page was answered 2xx but is not what the provider's document promises; the log line says what is missing.",
)
GAVE_UP = Fault(
    "sync-gave-up",
    Acts.US,
    _("Our own side failed several times while reading. Our staff can see it; nothing was lost."),
    "The job was parked after repeated crashes or failures: its row and the worker's log say why. Queue the sync again.",
)
OTHER_COMPANY = transport_faults.OTHER_COMPANY
COMPANY_UNPROVEN = transport_faults.COMPANY_UNPROVEN
HOLDING = transport_faults.HOLDING
LIST_CUT = Fault(
    "list-cut",
    Acts.US,
    _("The provider lists only a part of what there is. Our staff can see it; what was read is kept."),
    "The list ended although it was full: paging is not documented there, and its page parameter seems to be ignored.",
)
_OURS = {fault.code: fault for fault in (PAGE_UNREADABLE, LIST_CUT, GAVE_UP)}


def find(*, provider: str, code: str) -> Fault | None:
    """The fault that `code` names: the provider's own, one of the way there, or one of reading. None for no known code."""
    known = registry.find(provider)
    return (known.faults.find(code) if known else None) or transport_faults.find(code) or _OURS.get(code)
