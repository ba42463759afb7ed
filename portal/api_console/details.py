"""What the pages of tried requests show: what is offered, what will be sent and where, what became of it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any
from urllib.parse import urlencode

from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy

from connections.calls import faults
from connections.calls.entries import by_id
from connections.calls.models import Call, CallState, Why
from connections.calls.services import can_send
from connections.providers import registry
from connections.spec.operations import Arguments, Operation
from connections.spec.provider import Provider
from connections.spec.text import Text
from connections.transport.client import fill_path
from connections.transport.models import RequestLogEntry
from connections.vault.models import ClientRegistration, Connection
from portal.api_console.forms import pretty
from portal.members.polling import fingerprint_of
from portal.members.statuses import Colour, status_of
from portal.onboarding.marks import provider_of

CALLS_SHOWN = 20

WHY: dict[str, Text] = {
    Why.NOT_OFFERED: gettext_lazy(
        "It holds nothing that we could look for at the provider, so only a person can tell."
    ),
    Why.NOT_FOUND: gettext_lazy("We looked several times and did not find it. It may still arrive late."),
    Why.NOT_HEARD: gettext_lazy("We could not look for it: the provider did not let us."),
    Why.TWIN: gettext_lazy(
        "Another one with the same reference was there before or came meanwhile, so finding one proves nothing about this."
    ),
    Why.NO_NEWS: gettext_lazy("The provider wanted it confirmed, and we could not find out whether it was."),
}


@dataclass(frozen=True)
class CallRow:
    """One call in a list."""

    call: Call
    label: Text


@dataclass(frozen=True)
class Offer:
    """Everything that can be tried on a connection, and what was tried last."""

    connection: Connection
    provider: Provider
    reads: Sequence[Operation]
    writes: Sequence[Operation]
    calls: Sequence[CallRow]
    stands: bool


def offer(connection: Connection) -> Offer:
    """Needs the tenant's scope. Two queries."""
    provider = provider_of(connection)
    labels = {each.name: each.label for each in provider.operations}
    latest = Call.objects.for_connection(connection).defer("answer", "body", "arguments", "troubles")[:CALLS_SHOWN]
    return Offer(
        connection=connection,
        provider=provider,
        reads=[each for each in provider.operations if not each.is_write],
        writes=[each for each in provider.operations if each.is_write],
        calls=[CallRow(call, labels.get(call.operation, call.operation)) for call in latest],
        stands=can_send(connection),
    )


@dataclass(frozen=True)
class Request:
    """What leaves for the provider, to the letter: everything but the token that signs it."""

    method: str
    address: str
    headers: dict[str, str]
    body: str


def request_of(connection: Connection, operation: Operation, arguments: Arguments) -> Request:
    """Needs the tenant's scope. One query."""
    provider = provider_of(connection)
    ours = ClientRegistration.objects.filter(provider=connection.provider, environment=connection.environment)
    version = ours.values_list("api_version", flat=True).first() or ""
    try:
        base = registry.hosts_of(provider, connection.environment, connection.settings, version).api
    except LookupError:
        base = "…"
    query = f"?{urlencode(arguments.query)}" if arguments.query else ""
    return Request(
        operation.method,
        f"{base}{fill_path(operation.path, arguments.path)}{query}",
        dict(arguments.headers),
        pretty(arguments.body) if arguments.body is not None else "",
    )


@dataclass(frozen=True)
class Trouble:
    """What is wrong with one field that was sent."""

    path: str
    sent: str
    text: str


@dataclass(frozen=True)
class Detail:
    """One call and what became of it."""

    call: Call
    provider: Provider
    operation: Operation | None
    request: Request | None
    entry: RequestLogEntry | None
    successor: Call | None
    troubles: Sequence[Trouble]

    @property
    def label(self) -> Text:
        return self.operation.label if self.operation else self.call.operation

    @property
    def is_trouble(self) -> bool:
        """Refused or not sent."""
        return status_of(self.call).colour is Colour.BAD

    @property
    def fault(self) -> str:
        known = faults.resolve_fault(provider=self.provider.slug, code=self.call.fault) if self.call.fault else None
        return str(known.customer_message) if known else self.call.fault

    @property
    def sentence(self) -> str:
        """What is going on, for whoever asked."""
        call = self.call
        match call.state:
            case CallState.QUEUED if call.next_at:
                return _("Nothing has happened there yet. %(fault)s") % {"fault": self.fault}
            case CallState.QUEUED:
                return _("A worker takes it in a moment.")
            case CallState.SENT:
                return _("It is on its way.")
            case CallState.WAITING:
                return _("The provider waits until a person has confirmed it there. We go on asking by ourselves.")
            case CallState.UNKNOWN if call.next_at:
                return _("Its answer was lost. We look whether it was carried out, several times, before we ask you.")
            case CallState.UNKNOWN:
                return _("Its answer was lost, so nobody here knows whether it was carried out. %(why)s") % {
                    "why": WHY.get(call.why, "")
                }
            case CallState.ANSWERED if call.found_by_look_up:
                return _("Its answer was lost. We looked, and found that it was carried out.")
            case CallState.ANSWERED if call.is_write:
                return _("Carried out.")
            case CallState.ANSWERED:
                return _("Answered.")
            case CallState.REFUSED:
                return self._refusal()
            case CallState.SETTLED_DONE:
                return _("%(name)s looked and said that it was carried out.") % {"name": call.settled_by}
            case CallState.SETTLED_NOT_DONE:
                return _("%(name)s looked and said that it was not carried out.") % {"name": call.settled_by}
        return self.fault

    def _refusal(self) -> str:
        ended = self.operation.follow_up.ended if self.operation and self.operation.follow_up else {}
        if self.call.follow_up and self.call.status is not None and self.call.status in ended:
            return str(ended[self.call.status])
        return self.fault or _("The provider refused it.")

    @property
    def fingerprint(self) -> str:
        call = self.call
        parts = (call.state, call.looks, call.next_at, call.fault, self.successor and self.successor.id)
        return fingerprint_of(*parts)


def detail(call: Call) -> Detail:
    """Needs the tenant's scope. A fixed number of queries."""
    provider = provider_of(call.connection)
    operation = {each.name: each for each in provider.operations}.get(call.operation)
    try:
        request = request_of(call.connection, operation, call.call_arguments) if operation else None
    except (KeyError, ValueError):  # a description that changed since
        request = None
    sent = call.call_arguments.body
    return Detail(
        call=call,
        provider=provider,
        operation=operation,
        request=request,
        entry=by_id(call.entry_id),
        successor=Call.objects.filter(instead_of=call).only("id", "tenant_id").first(),
        troubles=[Trouble(path, _at(sent, path), text) for path, text in call.troubles],
    )


def _at(body: Any, path: str) -> str:
    """What was sent at a dotted path, as JSON; '' where there is nothing."""
    for part in path.split(".") if path else []:
        if isinstance(body, dict) and part in body:
            body = body[part]
        elif isinstance(body, list) and part.isascii() and part.isdigit() and int(part) < len(body):
            body = body[int(part)]
        else:
            return ""
    return "" if isinstance(body, dict | list) else pretty(body)
