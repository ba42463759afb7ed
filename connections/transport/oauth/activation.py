"""Several companies at once: a request that somebody began at the provider, shown to a person here, decided, carried out."""

from __future__ import annotations

import itertools
import re
from collections.abc import Callable, Collection
from datetime import timedelta
from typing import Any
from uuid import UUID

from django.db import IntegrityError, transaction
from django.db.models.functions import Now
from django.utils import timezone
from django.utils.crypto import salted_hmac
from django.utils.text import format_lazy
from django.utils.translation import gettext_lazy as _

from connections.jobs.lease import TenantLease
from connections.jobs.registry import Again
from connections.jobs.services import enqueue
from connections.providers import registry
from connections.spec.errors import (
    CallFailed,
    OutcomeUnknown,
    QuotaExhausted,
    Unavailable,
)
from connections.spec.grants import Activation, Proposal
from connections.spec.provider import Provider
from connections.spec.streams import BadPage
from connections.spec.text import duration
from connections.tenancy import audit
from connections.tenancy.models import Tenant
from connections.tenancy.scope import Actor, tenant_scope
from connections.transport import faults
from connections.transport.models import ActivationRequest, ActivationState
from connections.transport.oauth import activation_endpoint
from connections.transport.oauth.activation_endpoint import NoSuchRequest
from connections.vault import sealing
from connections.vault.models import ClientRegistration
from connections.vault.secret import Secret
from connections.vault.services import (
    ActionRefused,
    bind_company,
    open_connection,
    store_credential,
)

SHOW = "transport.activation_show"
DECIDE = "transport.activation_decide"
ACTIVATION_ENDED = "transport.activation_ended"  # portal/onboarding registers its handler, which makes the checklists

REQUEST_ID = re.compile(r"[A-Za-z0-9_][A-Za-z0-9._~-]{0,199}")  # never "." or "..", which would lead to another path
RETRIED_FOR = timedelta(minutes=2)  # a provider that does not answer is asked again for so long, with a person waiting
RETRY_PAUSE = timedelta(seconds=3)
MOST_COMPANIES = 500

# What people read where a request came to nothing, by reason code; else the provider's catalogue of faults says it.
MESSAGES = {
    "expired": _("This request is no longer valid at the provider. Open its link there once more."),
    "unknown-request": _("The provider does not know this request. Open its link there once more."),
    "registration-refused": _("The provider does not accept our registration for this. Our staff can see it."),
    "no-word": format_lazy(
        _("The provider did not answer for {time}. Open its link there once more, a little later."),
        time=duration(RETRIED_FOR),
    ),
    "answer-lost": _(
        "The provider's answer was lost, so we cannot tell whether it was carried out. Open its link there once more."
    ),
    "interrupted": _("Our own side was interrupted. Open the provider's link once more."),
    "no-consent": _(
        "The person who chose the companies at the provider has not confirmed to us that they are meant to be connected"
        " here. Open the provider's link once more."
    ),
}
UNSUCCESSFUL = (ActivationState.EXPIRED, ActivationState.FAILED)


# Whether whoever consented at the provider is known to mean this tenant: the link that came back names no one, and
# whoever holds it could open it elsewhere. Set when the apps load, by portal/onboarding, which knows people; without it no
# consent counts.
_has_consent: Callable[[ActivationRequest], bool] | None = None


def connect_consent(check: Callable[[ActivationRequest], bool]) -> None:
    """Called while the apps load. `check` runs in the tenant's scope."""
    global _has_consent
    _has_consent = check


def find_request(
    *, tenant: Tenant, provider: Provider, environment: str, request_id: str, actor: Actor
) -> ActivationRequest | None:
    """The row of this request where the same person brought it before, else None. Needs the tenant's scope."""
    return _row_of(str(tenant.id), provider.slug, environment, request_id, actor.id)[1]


def _row_of(*named: str | int | None) -> tuple[UUID, ActivationRequest | None]:
    """The id of our row for a request that one person brought, and the row if there is one.

    Each try that came to nothing is followed by a row of its own. The ids are made with the portal's key: nobody can
    guess the provider's request id from them.
    """
    for number in itertools.count():
        digest = salted_hmac("transport.activation", repr((*named, number)), algorithm="sha256").digest()
        row_id = UUID(bytes=digest[:16], version=5)
        row = ActivationRequest.objects.without_sealed().filter(id=row_id).first()
        if row is None or row.state not in UNSUCCESSFUL:
            break
    return row_id, row


def begin(*, tenant: Tenant, provider: Provider, environment: str, request_id: str, actor: Actor) -> ActivationRequest:
    """Store a request that a browser brought, sealed, and have its proposal fetched. Needs the tenant's scope, in the web.

    Returns its row; brought twice at once it has one. Raises ActionRefused for what is no request id, or without a registration;
    KeyUnavailable.
    """
    if not REQUEST_ID.fullmatch(request_id):
        raise ActionRefused(MESSAGES["unknown-request"])
    if not ClientRegistration.objects.filter(provider=provider.slug, environment=environment).exists():
        raise ActionRefused(faults.NO_REGISTRATION.customer_message)
    row_id, before = _row_of(str(tenant.id), provider.slug, environment, request_id, actor.id)
    if before is not None:
        return before
    row = ActivationRequest(
        id=row_id,
        tenant=tenant,
        provider=provider.slug,
        environment=environment,
        actor_id=actor.id,
        actor_name=actor.name,
    )
    sealing.seal(row, "request_ciphertext", Secret(request_id))
    try:
        with transaction.atomic():
            row.save(force_insert=True)
    except IntegrityError:  # pressed twice: the later press waits here until the first one's row stands
        return ActivationRequest.objects.without_sealed().get(id=row_id)
    enqueue(kind=SHOW, subject=row.id, tenant_id=tenant.id)
    audit.record(
        tenant_id=tenant.id,
        actor=actor,
        action="activation.asked",
        subject=str(row.id),
        provider=provider.slug,
        environment=environment,
    )
    return row


def decide(*, activation: ActivationRequest, approved: Collection[str], actor: Actor) -> None:
    """Store a person's decision, once: these companies are connected, all others rejected. In the tenant's scope.

    Raises ActionRefused when there is nothing to decide (any more), or for a company that the proposal does not name.
    """
    offered = [company for company, _words in activation.companies]
    if not set(approved) <= set(offered):
        raise ActionRefused(_("Choose from the companies that are listed."))
    if activation.expires_at and activation.expires_at <= timezone.now():
        raise ActionRefused(MESSAGES["expired"])
    chosen = [company for company in offered if company in approved]
    waiting = ActivationRequest.objects.filter(id=activation.id, state=ActivationState.SHOWN)
    if not waiting.update(state=ActivationState.DECIDING, approved=chosen):
        raise ActionRefused(_("This has been decided already."))
    enqueue(kind=DECIDE, subject=activation.id, tenant_id=activation.tenant_id)
    audit.record(
        tenant_id=activation.tenant_id,
        actor=actor,
        action="activation.decided",
        subject=str(activation.id),
        approved=", ".join(chosen),
        rejected=len(offered) - len(chosen),
    )


def show(lease: TenantLease) -> Again | None:
    """Job: fetch who asks for which companies. A provider that does not answer is asked again for a while."""
    row = _row(lease, ActivationState.ASKED)
    if row is None:
        return None
    provider, activation = _provider(row)
    try:
        body = activation_endpoint.call(row, provider, activation.show)
        proposal = activation.read(body)
        if not 0 < len(proposal.companies) <= MOST_COMPANIES:
            message = "a proposal without companies, or with too many"
            raise BadPage(message)
    except Unavailable as failed:
        if timezone.now() < row.asked_at + RETRIED_FOR:
            return Again(max(failed.retry_at, timezone.now() + RETRY_PAUSE), failed.fault.code)
        _fail(lease, row, "no-word", failed.entry_id)
    except (CallFailed, BadPage, NoSuchRequest) as error:
        _fail(lease, row, *activation_endpoint.reason_of(error))
    else:
        with lease.scope():
            ActivationRequest.objects.filter(id=row.id).update(
                state=ActivationState.SHOWN, proposal=_stored_form(proposal), expires_at=proposal.expires_at
            )
    return None


def carry_out(lease: TenantLease) -> Again | None:
    """Job: tell the provider the decision, and open a connection with its key for each approved company, in one commit."""
    row = _row(lease, ActivationState.DECIDING)
    if row is None:
        return None
    provider, activation = _provider(row)
    if row.approved and not _is_consented(row):
        _fail(lease, row, "no-consent")
        return None
    if lease.starts > 1 or lease.failures:
        # A worker died or failed after it may have sent the request: whether it was carried out is not known.
        _fail(lease, row, "answer-lost")
        return None
    offered = [company for company, _words in row.companies]
    rejected = [company for company in offered if company not in row.approved]
    try:
        body = activation_endpoint.call(row, provider, activation.decide, activation.decision(row.approved, rejected))
        keys = {company: Secret(key) for company, key in activation.keys(body).items()}
    except QuotaExhausted as full:
        return Again(full.retry_at, full.fault.code)
    except (Unavailable, OutcomeUnknown) as lost:
        _fail(lease, row, "answer-lost", lost.entry_id)
        return None
    except (CallFailed, BadPage, NoSuchRequest) as error:
        _fail(lease, row, *activation_endpoint.reason_of(error))
        return None
    with lease.scope():
        actor = Actor(row.actor_id, row.actor_name)
        words = dict(row.companies)
        opened = {
            company: str(_open_connection(row, activation, company, words[company], keys[company], actor))
            for company in row.approved
            if company in keys
        }
        ActivationRequest.objects.filter(id=row.id).update(opened=opened)
        _end(row, ActivationState.DECIDED, "")
    return None


def gave_up(lease: TenantLease) -> None:
    """A job was parked: the page stops waiting, and says so."""
    row = _row(lease, ActivationState.ASKED, ActivationState.DECIDING)
    if row is not None:
        _end(row, ActivationState.FAILED, "interrupted")


def _open_connection(
    row: ActivationRequest, activation: Activation, company: str, words: str, key: Secret, actor: Actor
) -> UUID:
    """One company's connection, bound to it from the start: a key of another one is recognised by the first check."""
    method = activation.auth_method
    connection = open_connection(
        tenant=row.tenant, provider=row.provider, environment=row.environment, auth_method=method, actor=actor
    )
    store_credential(connection=connection, name=activation.credential, secret=key, actor=actor)
    bind_company(connection=connection, company_id=company[:80], company_name=words[:200])
    return connection.id


def _row(lease: TenantLease, *states: ActivationState) -> ActivationRequest | None:
    with lease.scope():
        rows = ActivationRequest.objects.select_related("tenant").filter(id=lease.subject, state__in=states)
        return rows.first()


def _is_consented(row: ActivationRequest) -> bool:
    with tenant_scope(row.tenant_id):
        return _has_consent is not None and _has_consent(row)


def _provider(row: ActivationRequest) -> tuple[Provider, Activation]:
    provider = registry.find(row.provider)
    if provider is None or provider.activation is None:
        message = f"{row.provider} offers no activation"
        raise LookupError(message)
    return provider, provider.activation


def _stored_form(proposal: Proposal) -> dict[str, Any]:
    return {
        "initiator": proposal.initiator[:200],
        "email": proposal.email[:254],
        "companies": [[company[:80], words[:200]] for company, words in proposal.companies],
    }


def _fail(lease: TenantLease, row: ActivationRequest, reason_code: str, entry_id: UUID | None = None) -> None:
    with lease.scope():
        state = ActivationState.EXPIRED if reason_code == "expired" else ActivationState.FAILED
        _end(row, state, reason_code, entry_id)


def _end(row: ActivationRequest, state: ActivationState, reason_code: str, entry_id: UUID | None = None) -> None:
    """What was sealed for it goes: the request id is of no more use."""
    with tenant_scope(row.tenant_id):
        ActivationRequest.objects.filter(id=row.id).update(
            state=state, reason_code=reason_code[:60], entry_id=entry_id, ended_at=Now(), request_ciphertext=b""
        )
        if state == ActivationState.DECIDED:
            enqueue(kind=ACTIVATION_ENDED, subject=row.id, tenant_id=row.tenant_id)
