"""Signing in at a provider: sending a person there, what the way back brings, and what it does to the checklist."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from django.conf import settings
from django.urls import reverse

from connections.jobs.lease import TenantLease
from connections.providers import registry
from connections.spec.checklist import Inference, MarkState, Probe
from connections.spec.faults import Responsible
from connections.spec.grants import AuthorizationCode, Login
from connections.spec.provider import Provider
from connections.sync import faults
from connections.tenancy.models import Tenant
from connections.tenancy.scope import Actor, tenant_scope, visitor_scope
from connections.transport import faults as transport_faults
from connections.transport.models import AttemptState, AuthorizationAttempt
from connections.transport.oauth import authorization
from connections.vault.models import ClientRegistration
from connections.vault.services import ActionRefused, refuse_disconnected
from portal.members.access import membership_of
from portal.members.models import User
from portal.members.permissions import Action
from portal.onboarding import diagnosis, handoffs
from portal.onboarding.marks import CheckpointResult, ask_check, checkpoint_of, marks_of, provider_of, record
from portal.onboarding.models import Mark, Onboarding
from portal.onboarding.services import hold_reading


def callback_address(provider: str) -> str:
    """Where a provider's login page sends people back to, unless another address was registered there."""
    return settings.ORIGIN + reverse("callback", args=[provider])


def login_of(mark: Mark, name: str) -> Login | None:
    """The login by this name, where the mark's checkpoint offers it and the connection's way uses it."""
    checkpoint, connection = checkpoint_of(mark), mark.onboarding.connection
    if name not in checkpoint.connect:
        return None
    login = provider_of(connection).login(name)
    return None if isinstance(login, AuthorizationCode) and login.name != connection.auth_method else login


def start(*, mark: Mark, login: Login, session: str, actor: Actor) -> str:
    """Begin an attempt and give the address at the provider. `session`: the browser session's key.

    Raises ActionRefused where we are not registered, or do not know yet where the provider is; KeyUnavailable.
    """
    connection = mark.onboarding.connection
    refuse_disconnected(connection)
    registered = ClientRegistration.objects.filter(provider=connection.provider, environment=connection.environment)
    address = registered.values_list("redirect_uri", flat=True).first()
    try:
        return authorization.begin(
            connection=connection,
            login=login.name,
            checkpoint=mark.checkpoint,
            redirect_uri=address or callback_address(connection.provider),
            session=session,
            actor=actor,
        )
    except registry.AddressMissing:
        raise ActionRefused(transport_faults.NO_ADDRESS.customer_message) from None


@dataclass(frozen=True)
class Arrival:
    """Where to go on: the checklist of the login that came back."""

    tenant: Tenant
    attempt: AuthorizationAttempt


def arrive(*, provider: str, query: Mapping[str, str], session: str, user: User) -> Arrival | None:
    """Use up the attempt that a browser brought back, in its tenant's scope. `query`: state, code, error, iss.

    A way back that was opened before, by the same person in the same session, leads to where it led, and uses nothing.
    None, alike for a state that is unknown, too old, of another session, person, provider or tenant: nothing is sent
    then. A code that arrives for a connection with a company stops its reading until the company is proved.
    """
    state = query["state"]
    tenant_id = authorization.tenant_of(state=state)
    membership = membership_of(user, tenant_id, Action.CONNECT) if tenant_id else None
    if membership is None:
        return None
    with tenant_scope(membership.tenant_id):
        attempt = _receive(provider, query, session, user.actor)
    return Arrival(membership.tenant, attempt) if attempt is not None else None


def arrive_by_handoff(*, provider: str, query: Mapping[str, str], cookies: Mapping[str, str]) -> str:
    """The same for somebody who was given one step: the key of their page; '' where it was not begun by them, in this
    browser, or they may not do it any more.
    """
    state = query["state"]
    tenant_id = authorization.tenant_of(state=state)
    if tenant_id is None or not handoffs.may_hold_session(cookies):
        return ""
    with tenant_scope(tenant_id):
        attempt = authorization.attempt_of(state=state)
        step = handoffs.of_login(attempt, cookies) if attempt is not None else None
        if step is None:
            return ""
        secret = cookies[handoffs.cookie_name(step.handoff.key)]
        with visitor_scope(step.handoff.visitor):
            attempt = _receive(provider, query, secret, step.actor)
        return step.handoff.key if attempt is not None else ""


def _receive(provider: str, query: Mapping[str, str], session: str, actor: Actor) -> AuthorizationAttempt | None:
    """In the tenant's scope."""
    state = query["state"]
    attempt = authorization.receive(
        provider=provider,
        state=state,
        code=query["code"],
        error=query["error"],
        issuer=query["iss"],
        session=session,
        actor=actor,
    )
    if attempt is None:
        attempt = authorization.received_before(provider=provider, state=state, session=session, actor=actor)
    elif attempt.state == AttemptState.RECEIVED:
        hold_reading(connection=attempt.connection, actor=actor)
    return None if attempt is None or attempt.reason_code == "too-late" else attempt


def state_is_assumed(provider: Provider) -> bool:
    """Whether no document promises that `state` comes back: one that is missing then breaks an assumption of ours."""
    promised = [grant.state_promised for grant in provider.grants if isinstance(grant, AuthorizationCode)]
    return not all([*promised, *(login.state_promised for login in provider.logins)])


def attempt_ended(lease: TenantLease) -> None:
    """Job: a login has ended. One that brought something is checked; any other says on its checkpoint why not."""
    with lease.scope():
        attempt = AuthorizationAttempt.objects.select_related("connection").filter(id=lease.subject).first()
        if attempt is None or attempt.connection.is_disconnected:
            return
        connection = attempt.connection
        marks = marks_of(Onboarding.objects.select_related("connection").get(connection=connection))
        # Where a release renamed the checkpoint meanwhile, it is the one that offers this login today.
        offers = (each for each in marks.values() if attempt.login in checkpoint_of(each).connect)
        mark = marks.get(attempt.checkpoint) or next(offers, None)
        if mark is None:
            return
        if attempt.state == AttemptState.EXCHANGED:
            _ask(marks, mark)
        elif attempt.state in (AttemptState.DENIED, AttemptState.FAILED):
            _explain(attempt, marks, mark)
            if connection.fault == faults.COMPANY_UNPROVEN.code:
                _ask(marks, mark)  # reading was stopped for it: what is stored now decides how it goes on


def _ask(marks: Mapping[str, Mark], mark: Mark) -> None:
    """Have the checkpoint's proof asked for: its own, or the one that it is inferred from."""
    proof = checkpoint_of(mark).proof
    if isinstance(proof, Probe):
        ask_check(mark=mark)
    elif isinstance(proof, Inference):
        ask_check(mark=marks[proof.follows])


def _explain(attempt: AuthorizationAttempt, marks: Mapping[str, Mark], mark: Mark) -> None:
    """The word on the checkpoint of the login, and where its fault is the customer's to mend, on the one it names."""
    fault = faults.resolve_fault(provider=attempt.connection.provider, code=attempt.reason_code)
    if fault is None or fault.responsible is not Responsible.CUSTOMER or not fault.checkpoint:
        record(
            mark=mark, result=CheckpointResult(MarkState(mark.state), attempt.reason_code, entry_id=attempt.entry_id)
        )
        return
    blamed_mark = marks.get(fault.checkpoint, mark)
    diagnosis.fail(blamed_mark, fault, attempt.entry_id)
    if blamed_mark is not mark:
        record(
            mark=mark, result=CheckpointResult(MarkState(mark.state), attempt.reason_code, entry_id=attempt.entry_id)
        )
