"""Connecting several companies at once: the request as its page shows it, and what follows when it was carried out."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import timedelta
from uuid import UUID

from django.utils import timezone
from django.utils.translation import gettext_lazy as _

from connections.jobs.lease import TenantLease
from connections.providers import registry
from connections.spec.provider import Environment, Provider
from connections.spec.text import Text
from connections.tenancy.models import Tenant
from connections.tenancy.scope import Actor, tenant_scope
from connections.transport.models import ActivationRequest, ActivationState
from connections.transport.oauth import activation
from connections.vault.models import ClientRegistration, Connection
from portal.members.access import MemberRequest
from portal.members.mailing import masked
from portal.members.polling import fingerprint_of
from portal.members.shortcuts import get_own_or_404
from portal.onboarding.consents import Consent, address_of, consent_of
from portal.onboarding.marks import ask_check, provider_of
from portal.onboarding.models import Mark, Onboarding
from portal.onboarding.progress import sentence
from portal.onboarding.services import create_onboarding
from portal.onboarding.twins import connected_companies
from portal.rate_limits import limits
from portal.rate_limits.limits import Scope
from portal.rate_limits.spending import spend

NAMED_WITHIN = timedelta(minutes=1)  # its first check tells a company's name
NO_KEYS = _("Your company's keys are being made. Try again in a few seconds.")


@dataclass(frozen=True)
class ProposedCompany:
    """One company of a proposal; `connection` once it is connected and its checklist laid out."""

    id: str
    words: str
    is_approved: bool
    connection: UUID | None
    name: str = ""  # of its connection; '' before one tells it
    twin: Connection | None = None  # the tenant's connection to it from before

    @property
    def title(self) -> str:
        """Its name, else what the provider says beside its number; '' where it says nothing."""
        return self.name or (self.twin.company_name if self.twin is not None else "") or self.words


@dataclass(frozen=True)
class ActivationPage:
    """One request as its page shows it."""

    row: ActivationRequest
    provider: Provider
    companies: list[ProposedCompany]
    consent: Consent | None  # while a decision is awaited, and of one that was declined by mail

    @property
    def side(self) -> Text:
        return Environment(self.row.environment).label

    @property
    def initiator(self) -> str:
        return str(self.row.proposal.get("initiator", ""))

    @property
    def email(self) -> str:
        return str(self.row.proposal.get("email", ""))

    @property
    def masked_email(self) -> str:
        return masked(address_of(self.row))

    @property
    def pace(self) -> str:
        """How often the page asks for news: a person takes longer than a worker."""
        return "5s" if self.is_open else "700ms"

    @property
    def is_open(self) -> bool:
        """A person's decision is awaited."""
        return self.row.state == ActivationState.SHOWN

    @property
    def is_decided(self) -> bool:
        return self.row.state == ActivationState.DECIDED

    @property
    def should_poll(self) -> bool:
        """A worker is at it, or is laying out the checklists."""
        if self.row.state in (ActivationState.ASKED, ActivationState.DECIDING):
            return True
        if self.is_open:
            return self.consent is not None and self.consent.name == "asked"
        if any(company.id in self.row.opened and company.connection is None for company in self.companies):
            return True
        is_new = self.row.ended_at is not None and self.row.ended_at > timezone.now() - NAMED_WITHIN
        return is_new and any(company.connection is not None and not company.name for company in self.companies)

    @property
    def why(self) -> str:
        """What went wrong, as a sentence."""
        reason_code = self.row.reason_code
        return (
            str(activation.MESSAGES[reason_code])
            if reason_code in activation.MESSAGES
            else sentence(self.provider, reason_code, {})
        )

    @property
    def fingerprint(self) -> str:
        ready = [f"{company.connection} {company.name}" for company in self.companies]
        consent_state = (
            f"{self.consent.name} {self.consent.delivery} {self.consent.may_ask_again}" if self.consent else ""
        )
        return fingerprint_of(self.row.state, consent_state, *ready)


def ask(*, tenant: Tenant, provider: Provider, environment: str, request_id: str, actor: Actor) -> ActivationRequest:
    """Take up a request for one of the person's tenants, or find it taken up. Raises RateLimited, ActionRefused, KeyUnavailable.

    Each makes a call to the provider in the name of our own registration, whatever its id: it is counted before.
    """
    with tenant_scope(tenant.id):
        before = activation.find_request(
            tenant=tenant, provider=provider, environment=environment, request_id=request_id, actor=actor
        )
    if before is not None:
        return before
    spend(limits.ACTIVATION, {Scope.PERSON: actor.id, Scope.TENANT: tenant.id})
    with tenant_scope(tenant.id):
        return activation.begin(
            tenant=tenant, provider=provider, environment=environment, request_id=request_id, actor=actor
        )


def links(provider: Provider) -> list[tuple[Environment, str]]:
    """Where several companies are chosen at once, for each side where the provider gave us such a link."""
    if provider.activation is None:
        return []
    offered = registry.environments(provider)
    rows = ClientRegistration.objects.filter(provider=provider.slug, environment__in=offered)
    links_by_side = dict(rows.exclude(activation_link="").values_list("environment", "activation_link"))
    return [(side, links_by_side[side]) for side in offered if side in links_by_side]


def sides(provider: Provider) -> list[Environment]:
    """Where we are registered, so that a request of the provider's can be looked at."""
    rows = ClientRegistration.objects.filter(provider=provider.slug).values_list("environment", flat=True)
    registered = set(rows)
    return [side for side in registry.environments(provider) if side in registered]


def get_activation_or_404(request: MemberRequest, activation_id: UUID) -> ActivationPage:
    """Six queries at most. Raises Http404, also where the provider no longer offers it."""
    row = get_own_or_404(request, ActivationRequest.objects.without_sealed(), id=activation_id)
    laid_out = Onboarding.objects.filter(connection_id__in=row.opened.values())
    names = {str(key): (key, name) for key, name in laid_out.values_list("connection_id", "connection__company_name")}
    twins: dict[str, Connection] = {}
    if row.state == ActivationState.SHOWN:
        twins = connected_companies(row.provider, row.environment, [company for company, _words in row.companies])

    def proposed(company: str, words: str) -> ProposedCompany:
        connection, name = names.get(row.opened.get(company, ""), (None, ""))
        return ProposedCompany(company, words, company in row.approved, connection, name, twins.get(company))

    return ActivationPage(
        row,
        registry.all_providers()[row.provider],
        [proposed(company, words) for company, words in row.companies],
        consent_of(row, request.user) if row.state == ActivationState.SHOWN or not row.approved else None,
    )


def go_on(lease: TenantLease) -> None:
    """Job: a checklist for every connection that a decision opened, its key checked. Done twice it changes nothing."""
    with lease.scope():
        request = ActivationRequest.objects.filter(id=lease.subject).first()
        if request is None:
            return
        has_one = Onboarding.objects.values("connection_id")
        for connection in Connection.objects.filter(id__in=request.opened.values()).exclude(id__in=has_one):
            provider = provider_of(connection)
            onboarding = create_onboarding(connection)
            name = provider.activation.credential if provider.activation else ""
            for checkpoint in provider.checkpoints(connection.auth_method):
                if name in checkpoint.fields:
                    ask_check(mark=Mark.objects.get(onboarding=onboarding, checkpoint=checkpoint.slug))
