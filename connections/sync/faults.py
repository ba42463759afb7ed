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
OTHER_COMPANY = Fault(
    "other-company",
    Acts.CUSTOMER,
    _("What is stored opens another company than the one this connection belongs to, so nothing is read with it."),
    "The newest credential opens another company: no run reads until one of the right company has been accepted.",
)
COMPANY_UNPROVEN = Fault(
    "company-unproven",
    Acts.NOBODY,
    _("Somebody signed in at the provider anew. Until we have seen that it is the same company, nothing is read."),
    "A new login was received for a bound connection: no run reads until the check of its checkpoint has passed.",
)
HOLDING = frozenset({OTHER_COMPANY.code, COMPANY_UNPROVEN.code})  # while one of these stands, nothing is read
LIST_CUT = Fault(
    "list-cut",
    Acts.US,
    _("The provider lists only a part of what there is. Our staff can see it; what was read is kept."),
    "The list ended although it was full: paging is not documented there, and its page parameter seems to be ignored.",
)
_OURS = {fault.code: fault for fault in (PAGE_UNREADABLE, LIST_CUT, GAVE_UP, OTHER_COMPANY, COMPANY_UNPROVEN)}


def find(*, provider: str, code: str) -> Fault | None:
    """The fault that `code` names: the provider's own, one of the way there, or one of reading. None for no known code."""
    known = registry.find(provider)
    return (known.faults.find(code) if known else None) or transport_faults.find(code) or _OURS.get(code)
