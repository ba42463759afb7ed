"""What the page and the certificate of a connection that was left show, from a fixed number of queries."""

from __future__ import annotations

from dataclasses import dataclass

from django.utils.translation import gettext_lazy as _

from connections.spec.text import Text
from connections.transport.models import Departure
from connections.transport.oauth.revocation import SESSION
from connections.vault.models import Connection
from portal.dashboard.summaries import Summary, summaries
from portal.onboarding.progress import sentence


@dataclass(frozen=True)
class DeparturePage:
    """One departure. The certificate is written from its row alone."""

    summary: Summary
    departure: Departure

    @property
    def auth_method(self) -> Text:
        provider, auth_method = self.summary.provider, self.summary.connection.auth_method
        return provider.grant(auth_method).label if provider.offers(auth_method) else _("no longer offered")

    @property
    def destroyed(self) -> list[Text]:
        """What was destroyed here, by its label."""
        labels: dict[str, Text] = {field.name: field.label for field in self.summary.provider.credentials}
        labels[SESSION] = _("Session")
        return [labels.get(name, name) for name in self.departure.destroyed]

    @property
    def probe_fault(self) -> str:
        """What the provider said to the last try, as a sentence; empty where it let us in, or said nothing."""
        return probe_sentence(self.summary)


def departure_page(connection: Connection) -> DeparturePage:
    """Two queries. Needs the tenant's scope, and a connection of `connections_with_totals` that has a departure."""
    [summary] = summaries([connection])
    return DeparturePage(summary, connection.departure)


def probe_sentence(summary: Summary) -> str:
    """The sentence of the fault that the last probe met; empty where there was none."""
    departure = summary.departure
    return sentence(summary.provider, departure.probe_fault, {}) if departure and departure.probe_fault else ""
