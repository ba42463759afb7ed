"""Entries of the request log in words, as the pages of a connection and of a run list them."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

from django.utils.translation import gettext
from django.utils.translation import gettext_lazy as _

from connections.spec.provider import Provider
from connections.spec.text import Text
from connections.transport.models import RequestLogEntry
from portal.onboarding.progress import sentence

# How transport names the requests that no provider declares as an operation.
UNDECLARED = {
    "token": _("Open a session"),
    "token.code": _("Open the first session after a sign-in"),
    "credential.code": _("Fetch the key after a sign-in"),
}


@dataclass(frozen=True)
class RequestRow:
    """One entry of the request log with its operation in words."""

    entry: RequestLogEntry
    label: Text
    fault: str

    @property
    def is_good(self) -> bool:
        return self.entry.outcome == "answered"

    @property
    def duration(self) -> str:
        return gettext("%(duration)s ms") % {"duration": self.entry.duration_ms}


def labels_of(provider: Provider) -> dict[str, Text]:
    """What every operation that the request log may name is called."""
    return {**UNDECLARED, **{operation.name: operation.label for operation in provider.operations}}


def request_rows(provider: Provider, entries: Iterable[RequestLogEntry]) -> list[RequestRow]:
    """The entries as rows, in their order."""
    labels = labels_of(provider)
    return [
        RequestRow(
            entry,
            labels.get(entry.operation, entry.operation),
            sentence(provider, entry.fault, {}) if entry.fault else "",
        )
        for entry in entries
    ]
