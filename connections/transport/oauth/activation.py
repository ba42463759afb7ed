"""Several companies at once: a request that somebody began at the provider, shown to a person here, decided, carried out."""

from __future__ import annotations

import itertools
import re
from collections.abc import Callable, Collection
from datetime import timedelta
from typing import Any
from urllib.parse import quote
from uuid import UUID

import orjson
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
    Blocked,
    CallFailed,
    Forbidden,
    OutcomeUnknown,
    QuotaExhausted,
    Unauthorized,
    Unavailable,
)
from connections.spec.faults import Phase
from connections.spec.grants import Activation, Proposal
from connections.spec.provider import Provider
from connections.spec.streams import BadPage
from connections.spec.text import duration
from connections.spec.uses import Use
from connections.tenancy import audit
from connections.tenancy.models import Tenant
from connections.tenancy.scope import Actor, tenant_scope
from connections.transport import error_mapping, faults
from connections.transport.http import parsing
from connections.transport.limits import rate_limiter
from connections.transport.log import writer
from connections.transport.models import ActivationRequest, ActivationState, Outcome
from connections.transport.oauth.signing import HttpBasic
from connections.transport.request_context import RequestContext
from connections.vault import sealing
from connections.vault.keys import KeyUnavailable
from connections.vault.models import ClientRegistration, Connection
from connections.vault.secret import BoundSecret, Secret, WrongUse
from connections.vault.services import (
    ActionRefused,
    bind_company,
    open_connection,
    open_registration,
    store_credential,
)

SHOW = "transport.activation_show"
DECIDE = "transport.activation_decide"
ACTIVATION_ENDED = "transport.activation_ended"  # its handler belongs to whoever goes on with the new connections

REQUEST_ID = re.compile(r"[A-Za-z0-9_][A-Za-z0-9._~-]{0,199}")  # never "." or "..", which would lead to another path
PLACEHOLDER = re.compile(r"\{\w+\}")
PATIENCE = timedelta(minutes=2)  # how long a provider that does not answer is asked again, with a person waiting
PAUSE = timedelta(seconds=3)
MOST_COMPANIES = 500

# Why a request came to nothing without a fault of the provider's catalogue.
WORDS = {
    "expired": _("This request is no longer valid at the provider. Open its link there once more."),
    "unknown-request": _("The provider does not know this request. Open its link there once more."),
    "registration-refused": _("The provider does not accept our registration for this. Our staff can see it."),
    "no-word": format_lazy(
        _("The provider did not answer for {time}. Open its link there once more, a little later."),
        time=duration(PATIENCE),
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
SEALED = ("key_version", "request_ciphertext")  # the web may write these, and not read them
CAME_TO_NOTHING = (ActivationState.EXPIRED, ActivationState.FAILED)
STATUSES = {410: "expired", 404: "unknown-request"}


# Whether whoever consented at the provider is known to mean this tenant: the link that came back names no one, and
# whoever holds it could open it elsewhere. Set by the room that knows people; without it nobody is.
_has_consent: Callable[[ActivationRequest], bool] | None = None


def connect_consent(check: Callable[[ActivationRequest], bool]) -> None:
    """Called while the apps load. `check` runs in the tenant's scope."""
    global _has_consent
    _has_consent = check


class _NoSuch(Exception):
    """The provider has no such request (any more): a word of ours says why."""

    def __init__(self, reason_code: str, entry_id: UUID) -> None:
        super().__init__(reason_code)
        self.reason_code, self.entry_id = reason_code, entry_id


def asked_before(
    *, tenant: Tenant, provider: Provider, environment: str, request_id: str, actor: Actor
) -> ActivationRequest | None:
    """What became of this request when the same person brought it before, if anything. Needs the tenant's scope."""
    return _row_of(str(tenant.id), provider.slug, environment, request_id, actor.id)[1]


def _row_of(*named: str | int | None) -> tuple[UUID, ActivationRequest | None]:
    """The id of our row for a request that one person brought, and the row if there is one.

    Each try that came to nothing is followed by a row of its own. The ids are made with the portal's key: nobody can
    guess the provider's request id from them.
    """
    for number in itertools.count():
        digest = salted_hmac("transport.activation", repr((*named, number)), algorithm="sha256").digest()
        row_id = UUID(bytes=digest[:16], version=5)
        row = ActivationRequest.objects.defer(*SEALED).filter(id=row_id).first()
        if row is None or row.state not in CAME_TO_NOTHING:
            break
    return row_id, row


def ask(*, tenant: Tenant, provider: Provider, environment: str, request_id: str, actor: Actor) -> ActivationRequest:
    """Keep a request that a browser brought, sealed, and have its proposal fetched. Needs the tenant's scope, in the web.

    Brought twice at once it is one. Raises ActionRefused for what is no request id, or without a registration; KeyUnavailable.
    """
    if not REQUEST_ID.fullmatch(request_id):
        raise ActionRefused(WORDS["unknown-request"])
    if not ClientRegistration.objects.filter(provider=provider.slug, environment=environment).exists():
        raise ActionRefused(faults.NO_REGISTRATION.customer)
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
        return ActivationRequest.objects.defer(*SEALED).get(id=row_id)
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
    """A person's word, once: these companies are connected, all others of the proposal rejected. In the tenant's scope.

    Raises ActionRefused when there is nothing to decide (any more), or for a company that the proposal does not name.
    """
    offered = [company for company, _words in activation.companies]
    if not set(approved) <= set(offered):
        raise ActionRefused(_("Choose from the companies that are listed."))
    if activation.expires_at and activation.expires_at <= timezone.now():
        raise ActionRefused(WORDS["expired"])
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
        body = _call(row, provider, activation.show)
        proposal = activation.read(body)
        if not 0 < len(proposal.companies) <= MOST_COMPANIES:
            message = "a proposal without companies, or with too many"
            raise BadPage(message)
    except Unavailable as failed:
        if timezone.now() < row.asked_at + PATIENCE:
            return Again(max(failed.retry_at, timezone.now() + PAUSE), failed.fault.code)
        _fail(lease, row, "no-word", failed.entry_id)
    except (CallFailed, BadPage, _NoSuch) as trouble:
        _fail(lease, row, *_said(trouble))
    else:
        with lease.scope():
            ActivationRequest.objects.filter(id=row.id).update(
                state=ActivationState.SHOWN, proposal=_kept(proposal), expires_at=proposal.expires_at
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
        # A worker died or broke after it may have asked: whether it was carried out, nobody here knows.
        _fail(lease, row, "answer-lost")
        return None
    offered = [company for company, _words in row.companies]
    rejected = [company for company in offered if company not in row.approved]
    try:
        body = _call(row, provider, activation.decide, activation.decision(row.approved, rejected))
        keys = {company: Secret(key) for company, key in activation.keys(body).items()}
    except QuotaExhausted as full:
        return Again(full.retry_at, full.fault.code)
    except (Unavailable, OutcomeUnknown) as lost:
        _fail(lease, row, "answer-lost", lost.entry_id)
        return None
    except (CallFailed, BadPage, _NoSuch) as trouble:
        _fail(lease, row, *_said(trouble))
        return None
    with lease.scope():
        actor = Actor(row.actor_id, row.actor_name)
        words = dict(row.companies)
        opened = {
            company: str(_connect(row, activation, company, words[company], keys[company], actor))
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


def _connect(
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


def _kept(proposal: Proposal) -> dict[str, Any]:
    return {
        "initiator": proposal.initiator[:200],
        "email": proposal.email[:254],
        "companies": [[company[:80], words[:200]] for company, words in proposal.companies],
    }


def _call(row: ActivationRequest, provider: Provider, operation: str, body: Any = None) -> Any:
    """One call with our registration as HTTP Basic, its entry written. Raises CallFailed, _NoSuch."""
    declared = provider.operation(operation)
    # There is no connection yet: the caller gets one that is never stored, and the entry names none.
    nobody = Connection(tenant_id=row.tenant_id, provider=row.provider, environment=row.environment)
    nobody.auth_method = provider.activation.auth_method if provider.activation else ""
    context = RequestContext(nobody, provider)
    client_id, secret, request_id = _opened(row)
    try:
        request_part = quote(request_id.reveal_for(Use.PATH, context.hosts.api), safe="")
    except WrongUse:
        raise Blocked(faults.WRONG_USE) from None
    path = PLACEHOLDER.sub(lambda _match: request_part, declared.path)
    rate_limiter.take(provider, nobody, client_id)
    entry = context.begin(operation=declared.name, method=declared.method, path_template=declared.path)
    entry.connection_id = None
    wire = context.wire
    try:
        answer = context.send(
            entry,
            url=context.hosts.api + path,
            total=provider.deadlines.total,
            signature=HttpBasic(client_id, secret),
            body=None if body is None else wire.encode(body, {}) if wire.encode else orjson.dumps(body),
            wire=wire,
        )
        try:
            parsed = parsing.read(answer.body, wire)
        except ValueError:
            parsed = None
        if answer.status in STATUSES:
            entry.outcome = Outcome.REFUSED
            raise _NoSuch(STATUSES[answer.status], entry.id)
        if not 200 <= answer.status < 300 or parsed is None or provider.faults.in_good(parsed):
            raise error_mapping.refusal(provider, Phase.CALL, entry, answer, parsed)
        entry.outcome = Outcome.ANSWERED
    except CallFailed as failed:
        entry.fault = failed.fault.code
        raise
    finally:
        writer.write_now([entry])
    return parsed


def _opened(row: ActivationRequest) -> tuple[str, BoundSecret, BoundSecret]:
    """Our client id and secret, and the request id. Raises Unauthorized."""
    with tenant_scope(row.tenant_id):
        try:
            client_id, secret, _redirect = open_registration(row.provider, row.environment)
            request_id = sealing.unseal(row, "request_ciphertext")
        except (sealing.Unopenable, KeyUnavailable):
            raise Unauthorized(faults.NO_KEY) from None
    if not client_id or secret is None:
        raise Unauthorized(faults.NO_REGISTRATION)
    return client_id, secret, request_id


def _said(trouble: Exception) -> tuple[str, UUID | None]:
    """The word for what went wrong, and the entry that shows it."""
    if isinstance(trouble, _NoSuch):
        return trouble.reason_code, trouble.entry_id
    if not isinstance(trouble, CallFailed):
        return faults.UNREADABLE.code, None
    is_ours = faults.find(trouble.fault.code) is not None
    if isinstance(trouble, Unauthorized | Forbidden) and not is_ours:
        # The provider's catalogue speaks of a customer's session, which this is not.
        return "registration-refused", trouble.entry_id
    return trouble.fault.code, trouble.entry_id


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
