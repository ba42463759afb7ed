"""Faults of our own reading, beside those that a provider's catalogue and transport know."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from django.utils.translation import gettext_lazy as _

from connections.providers import registry
from connections.spec.envelope import BadPage
from connections.spec.faults import Fault, Responsible
from connections.spec.scans import CutList, EndlessList, MovingList, ShortList
from connections.transport import faults as transport_faults

PAGE_UNREADABLE = Fault(
    "page-unreadable",
    Responsible.US,
    _("The list came in a form that we do not know. Our staff can see it; nothing was lost."),
    "A page was answered 2xx but is not what the provider's document promises; the log line says what is missing.",
)
GAVE_UP = Fault(
    "sync-gave-up",
    Responsible.US,
    _("Our own side failed several times while reading. Our staff can see it; nothing was lost."),
    "The job was parked after repeated crashes or failures: its row and the worker's log say why. Queue the sync again.",
)
OTHER_COMPANY = transport_faults.OTHER_COMPANY
COMPANY_UNPROVEN = transport_faults.COMPANY_UNPROVEN
AUTH_METHOD_WITHDRAWN = transport_faults.AUTH_METHOD_WITHDRAWN
COMPANY_FAULTS = transport_faults.COMPANY_FAULTS
LIST_CUT = Fault(
    "list-cut",
    Responsible.US,
    _("The provider lists only a part of what there is. Our staff can see it; what was read is kept."),
    "Every page is the same, and as long as a page is: the page parameter seems to be ignored, and the rest not to be had.",
)
LIST_SHORT = Fault(
    "list-short",
    Responsible.US,
    _(
        "The provider says that it has more records than it gives. What was read is kept, and the next sync looks again. "
        "Our staff can see it."
    ),
    "The list told a larger total, or that more follows, than it gave in two readings; or an answer of 206. The log line "
    "has both numbers.",
)
LIST_MOVES = Fault(
    "list-moves",
    Responsible.NOBODY,
    _(
        "Records changed their places in the list while it was read, so that some may be missing. What was read is kept, "
        "and the next sync looks again."
    ),
    "Read several times in a row, the list never came in the same order. A busy hour, or a server that sorts as it likes.",
)
LIST_ENDLESS = Fault(
    "list-endless",
    Responsible.US,
    _("The provider's list goes on without an end, so we stopped. Our staff can see it; what was read is kept."),
    "More records than twice the total that the list told, or than we read of a list that tells none.",
)
PARTS_MISSED = Fault(
    "parts-missed",
    Responsible.CUSTOMER,
    _(
        "Some lists could not be read, such as those of a single account; all others were. The log of the run names them. "
        "Where one of them should be readable, ask whoever gives out the rights at the provider."
    ),
    "Of a stream with several lists, one for each record of another stream or variant, some were refused while others were "
    "answered: 400, 403 or 404 for one of them. The log lines name them.",
)
PARTS_UNREADABLE = Fault(
    "parts-unreadable",
    Responsible.US,
    _(
        "Some lists were answered in a way that we do not know, or not at all; all others were read. The log of the run "
        "names them. Our staff can see it, and you need do nothing."
    ),
    "Of a stream with several lists, some were answered with something that is no list, or refused without a word of the "
    "provider's: a bare 400, 404 or 410. The log lines name them; its support knows what that means.",
)
RECORDS_SKIPPED = Fault(
    "records-skipped",
    Responsible.CUSTOMER,
    _(
        "Some records could not be kept, mostly because they have no number; all others were. The log of the run says "
        "where each stands in its list. Have them mended at the provider; where you cannot find them, ask our staff."
    ),
    "Items of a list that are no object, have no usable id, or hold a value that the database does not take. The log lines "
    "give stream, page and place; a stream's next run asks from the same moment again.",
)
_READING = (
    PAGE_UNREADABLE,
    LIST_CUT,
    LIST_SHORT,
    LIST_MOVES,
    LIST_ENDLESS,
    PARTS_MISSED,
    PARTS_UNREADABLE,
    RECORDS_SKIPPED,
)
_OURS = {fault.code: fault for fault in (*_READING, GAVE_UP)}
_BY_ERROR = {CutList: LIST_CUT, ShortList: LIST_SHORT, MovingList: LIST_MOVES, EndlessList: LIST_ENDLESS}


def own_faults() -> list[Fault]:
    """Those that come of reading, and of no provider's answer."""
    return list(_OURS.values())


def of_page(error: BadPage) -> Fault:
    """What it means that this page could not be read."""
    return _BY_ERROR.get(type(error), PAGE_UNREADABLE)


def customer_sentence(*, provider: str, fault: Fault, values: Mapping[str, Any]) -> str:
    """What the customer reads of a fault, with the name of what was refused where `values` tell it: `streams` by their
    names, blanks between, or the `operation` that was sent.
    """
    thing = _thing(provider, values) if fault.names else ""
    return str(fault.names) % {"thing": thing} if thing else str(fault.customer_message)


def _thing(slug: str, values: Mapping[str, Any]) -> str:
    provider = registry.find(slug)
    if provider is None:
        return ""
    streams, operation = str(values.get("streams", "")).split(), values.get("operation", "")
    read = [each.label for each in provider.streams if each.name in streams or each.operation == operation]
    return ", ".join(map(str, read))


def resolve_fault(*, provider: str, code: str) -> Fault | None:
    """The fault that `code` names: the provider's own, one of transport, or one of reading. None for an unknown code."""
    description = registry.find(provider)
    of_provider = description.faults.find(code) if description else None
    return of_provider or transport_faults.find(code) or _OURS.get(code)
