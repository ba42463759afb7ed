"""A person at the provider's login page and back: one row per attempt, used once, its code exchanged by a worker."""

from __future__ import annotations

import hashlib
import secrets
from contextlib import suppress
from datetime import timedelta
from uuid import UUID

from django.db.models.functions import Now
from django.utils import timezone
from django.utils.text import format_lazy
from django.utils.translation import gettext_lazy as _
from requests_oauthlib import OAuth2Session

from connections.jobs.lease import TenantLease
from connections.jobs.services import enqueue
from connections.providers import registry
from connections.spec.errors import CallFailed, Unavailable
from connections.spec.grants import KeyLogin
from connections.spec.origins import origin_of
from connections.spec.provider import Provider
from connections.spec.text import duration
from connections.tenancy import audit
from connections.tenancy.models import Lookup
from connections.tenancy.scope import Actor, tenant_scope
from connections.transport import faults
from connections.transport.models import AttemptState, AuthorizationAttempt, AuthorizationAttemptQuerySet
from connections.transport.oauth import revocation, token_endpoint, token_store
from connections.transport.oauth.token import LoginCode
from connections.transport.oauth.tokens import TokenHolder
from connections.transport.request_context import RequestContext
from connections.vault import sealing
from connections.vault.models import ClientRegistration, Connection, ConnectionState
from connections.vault.secret import Secret
from connections.vault.services import ActionRefused, doubt_company, lock_unless_disconnected, store_credential

EXCHANGE = "transport.exchange"
ATTEMPT_ENDED = "transport.attempt_ended"  # portal/onboarding registers its handler, which acts on the outcome
PURPOSE = "login"
VALID_FOR = timedelta(minutes=10)
STATE_BYTES = 32

# What people read where an attempt ended without a request of ours, by reason code. Some codes are of RFC 6749 4.1.2.1;
# the provider's own texts are never shown.
MESSAGES = {
    "access_denied": _("The connection was declined at the provider. Nothing has changed; you can start again."),
    "temporarily_unavailable": _("The provider's login page is out of order at the moment. Try again later."),
    "server_error": _("The provider's login page had trouble. Try again later."),
    "invalid_scope": _("The provider does not allow what we ask for. Our staff can see it."),
    "invalid_request": _(
        "The provider's login page did not accept how we asked; it may refuse the extra protection (PKCE) that we send"
        " along. Our staff can see it."
    ),
    "unauthorized_client": _("The provider does not accept our registration for this. Our staff can see it."),
    "no-code": _("The provider sent you back without an answer. Nothing has changed; start again."),
    "other-answer": _("The provider's login page refused. Nothing has changed; you can start again."),
    "not-traded": _(
        "This sign-in could not be completed: the provider did not take it at the moment. Start again a little later."
    ),
    "other-issuer": _("The answer came from another server than the one you were sent to, so it was not used."),
    "too-late": format_lazy(_("The login took longer than {time}. Start again."), time=duration(VALID_FOR)),
    "interrupted": _("Our own side was interrupted while it used the answer. Start again."),
    "left": _("The connection was disconnected meanwhile, so the answer was not used."),
}


def begin(
    *, connection: Connection, login: str, checkpoint: str, redirect_uri: str, session: str, actor: Actor
) -> str:
    """Store a new attempt; returns the address of the provider's login page. Needs the tenant's scope, in the web.

    `session` is the browser session's key. Raises ActionRefused where we are not registered; KeyUnavailable.
    """
    provider = _provider(connection)
    grant = provider.login(login)
    registrations = ClientRegistration.objects.filter(provider=connection.provider, environment=connection.environment)
    client_id = registrations.values_list("client_id", flat=True).first()
    if not client_id:
        raise ActionRefused(_("We are not registered at this provider yet. Our staff can see it and must add it."))
    hosts = registry.hosts_of(provider, connection.environment, connection.settings)
    scope = getattr(grant, "scope", "")
    browser = OAuth2Session(
        client_id, redirect_uri=redirect_uri, scope=scope or None, pkce="S256" if grant.pkce else None
    )
    state = secrets.token_urlsafe(STATE_BYTES)
    page = hosts.authorize + grant.authorize_path
    # The library refuses plain HTTP, which the pages of simulators stand on; nothing is sent from here.
    is_plain = hosts.loopback and page.startswith("http://")
    page = f"https://{page.removeprefix('http://')}" if is_plain else page
    address, _state = browser.authorization_url(page, state=state, **grant.extra)
    address = f"http://{address.removeprefix('https://')}" if is_plain else address
    attempt = AuthorizationAttempt(
        tenant_id=connection.tenant_id,
        connection=connection,
        login=login,
        checkpoint=checkpoint,
        state_digest=digest(state),
        session_digest=digest(session),
        actor_id=actor.id,
        actor_name=actor.name,
        redirect_uri=redirect_uri,
        token_address=hosts.token,
    )
    sealing.seal(attempt, "verifier_ciphertext", Secret(browser._code_verifier or ""))
    attempt.save(force_insert=True)
    _forget_states_before(connection)
    Lookup(digest=attempt.state_digest, tenant_id=connection.tenant_id, purpose=PURPOSE).save(force_insert=True)
    return str(address)


def tenant_of(*, state: str) -> UUID | None:
    """The tenant an attempt belongs to, and nothing else; None for a state that is not ours, or of long ago."""
    lookups = Lookup.objects.filter(digest=digest(state), purpose=PURPOSE)
    return lookups.values_list("tenant_id", flat=True).first()


def attempt_of(*, state: str) -> AuthorizationAttempt | None:
    """The attempt with this state, whoever began it. Needs the tenant's scope, in the web."""
    return AuthorizationAttempt.objects.without_sealed().filter(state_digest=digest(state)).first()


def receive(
    *, provider: str, state: str, code: str, error: str, issuer: str, session: str, actor: Actor
) -> AuthorizationAttempt | None:
    """Use an attempt up, once, and have its code exchanged. Needs the tenant's scope, in the web.

    None for a state that is unknown, used, too old, of another session, person or provider: nothing is sent then.
    """
    ids = list(
        _attempts_of_browser(provider, state, session, actor).filter(consumed_at=None).values_list("id", flat=True)
    )
    # One statement decides: of many callbacks at once, one finds the row unused.
    if not ids or not AuthorizationAttempt.objects.filter(id=ids[0], consumed_at=None).update(consumed_at=Now()):
        return None
    attempt = AuthorizationAttempt.objects.select_related("connection").without_sealed().get(id=ids[0])
    reason_code = _reason_not_to_exchange(attempt, code, error, issuer)
    if reason_code:
        _end(attempt, AttemptState.DENIED if reason_code == "access_denied" else AttemptState.FAILED, reason_code)
        return attempt
    sealed = sealing.seal(attempt, "code_ciphertext", Secret(code))
    AuthorizationAttempt.objects.filter(id=attempt.id).update(state=AttemptState.RECEIVED, **sealed)
    attempt.state = AttemptState.RECEIVED
    enqueue(kind=EXCHANGE, subject=attempt.id, tenant_id=attempt.tenant_id)
    return attempt


def received_before(*, provider: str, state: str, session: str, actor: Actor) -> AuthorizationAttempt | None:
    """The attempt that the same person used up in the same session: a way back that was opened twice, or fetched ahead.

    Changes nothing, and what was brought this time is not looked at. Needs the tenant's scope.
    """
    used = _attempts_of_browser(provider, state, session, actor).exclude(consumed_at=None)
    return used.select_related("connection").without_sealed().first()


def _attempts_of_browser(provider: str, state: str, session: str, actor: Actor) -> AuthorizationAttemptQuerySet:
    """The attempt with this state, where it was begun by this person in this session, for this provider."""
    attempts = AuthorizationAttempt.objects.filter(
        state_digest=digest(state),
        session_digest=digest(session),
        actor_id=actor.id,
        connection__provider=provider,
    )
    return attempts.exclude(connection__state=ConnectionState.DISCONNECTED)


def _forget_states_before(connection: Connection) -> None:
    """Of attempts that cannot be used any more, the used ones among them, nobody needs to find the tenant."""
    old = AuthorizationAttempt.objects.filter(connection=connection, started_at__lt=timezone.now() - VALID_FOR)
    Lookup.objects.filter(purpose=PURPOSE, digest__in=list(old.values_list("state_digest", flat=True))).delete()


def _reason_not_to_exchange(attempt: AuthorizationAttempt, code: str, error: str, issuer: str) -> str:
    """The reason code for not exchanging the code; '' where it is exchanged."""
    if attempt.started_at < timezone.now() - VALID_FOR:
        return "too-late"
    if error:
        return error if error in MESSAGES else "other-answer"
    if not _is_issuer(attempt.connection, issuer):
        return "other-issuer"
    return "" if 0 < len(code) <= 4000 else "no-code"


def exchange(lease: TenantLease, send_operation: revocation.SendOperation) -> None:
    """Exchange a code for tokens, or for a key. A code is good once: whatever happens, the attempt ends here and says how."""
    with lease.scope():
        attempt = AuthorizationAttempt.objects.select_related("connection__tenant").filter(id=lease.subject).first()
        if attempt is None or attempt.state != AttemptState.RECEIVED:
            return
        if attempt.connection.is_disconnected:
            _end(attempt, AttemptState.FAILED, "left")
            return
        if lease.starts > 1 or lease.failures:
            # A worker died or broke with the code in its hands: it may have been used up.
            _end(attempt, AttemptState.FAILED, "interrupted")
            return
        if attempt.connection.fault not in faults.COMPANY_FAULTS:
            # The page that received the code holds reading as well; a row that no page wrote comes no further for it.
            doubt_company(connection=attempt.connection, fault=faults.COMPANY_UNPROVEN.code)
        code = LoginCode(
            sealing.unseal(attempt, "code_ciphertext"),
            sealing.unseal(attempt, "verifier_ciphertext"),
            attempt.redirect_uri,
        )
    provider = _provider(attempt.connection)
    context = RequestContext(attempt.connection, provider, checkpoint=attempt.checkpoint)
    try:
        grant = provider.login(attempt.login) if provider.offers(attempt.connection.auth_method) else context.grant
        if isinstance(grant, KeyLogin):
            key = token_endpoint.request_key(context, grant, code)
            with tenant_scope(lease.tenant_id):
                lock_unless_disconnected(attempt.connection)
                actor = Actor(attempt.actor_id, attempt.actor_name)
                store_credential(connection=attempt.connection, name=grant.credential, secret=key, actor=actor)
                token_store.destroy_pair(attempt.connection)
        else:
            # The pair before this one goes first: a provider may allow only so many, and nobody would use it again.
            # Where that fails, the request log shows it, and the new login goes on all the same.
            with suppress(CallFailed):
                revocation.revoke_session(context, send_operation)
            TokenHolder(context).exchange_code(code)
    except ActionRefused:
        with tenant_scope(lease.tenant_id):
            _end(attempt, AttemptState.FAILED, "left")
        return
    except CallFailed as failed:
        # A code is not sent twice, so what would pass by itself elsewhere does not here.
        reason_code = "not-traded" if isinstance(failed, Unavailable) else failed.fault.code
        with tenant_scope(lease.tenant_id):
            _end(attempt, AttemptState.FAILED, reason_code, entry_id=failed.entry_id)
        return
    with lease.scope():
        if Connection.objects.disconnected().filter(id=attempt.connection_id).exists():
            # Disconnected while we asked: what has just been stored is given back as well.
            enqueue(kind=revocation.REVOKE, subject=attempt.connection_id, tenant_id=lease.tenant_id)
            _end(attempt, AttemptState.FAILED, "left")
            return
        _end(attempt, AttemptState.EXCHANGED, "")
        audit.record(
            tenant_id=lease.tenant_id,
            actor=Actor(attempt.actor_id, attempt.actor_name),
            action="connection.authorized",
            subject=str(attempt.connection_id),
            login=attempt.login,
        )


def gave_up(lease: TenantLease) -> None:
    """The exchange was parked: the page stops waiting, and says so."""
    attempt = AuthorizationAttempt.objects.filter(id=lease.subject, state=AttemptState.RECEIVED).first()
    if attempt is not None:
        _end(attempt, AttemptState.FAILED, "interrupted")


def _end(
    attempt: AuthorizationAttempt, state: AttemptState, reason_code: str, *, entry_id: UUID | None = None
) -> None:
    """The end of an attempt; what was sealed for it goes. In the tenant's scope."""
    # Only a worker has sent anything, and only it may write the entry's id.
    sent = {} if entry_id is None else {"entry_id": entry_id}
    AuthorizationAttempt.objects.filter(id=attempt.id).update(
        state=state, reason_code=reason_code[:60], ended_at=Now(), code_ciphertext=None, **sent
    )
    attempt.state, attempt.reason_code = state, reason_code
    enqueue(kind=ATTEMPT_ENDED, subject=attempt.id, tenant_id=attempt.tenant_id)


def _is_issuer(connection: Connection, issuer: str) -> bool:
    """Whether the answer may be that of the server that the person was sent to (RFC 9207).

    A declared issuer comes along and is compared as it is (2.4). Where no document names one, the same paragraph leaves it
    to us: none, or any at one of the environment's own hosts, whatever its path. The address of the way back, which is
    another one for every provider, is what tells them apart there.
    """
    hosts = registry.hosts_of(_provider(connection), connection.environment, connection.settings)
    if hosts.issuer:
        return issuer == hosts.issuer
    ours = {_origin(each) for each in (hosts.authorize, hosts.token, hosts.api)} - {""}
    return not issuer or _origin(issuer) in ours


def _origin(address: str) -> str:
    """'' for what is no address."""
    try:
        return origin_of(address)
    except ValueError:
        return ""


def _provider(connection: Connection) -> Provider:
    provider = registry.find(connection.provider)
    if provider is None:
        message = f"no provider called {connection.provider}"
        raise LookupError(message)
    return provider


def digest(text: str) -> str:
    """SHA-256 in hex: how a state or a session is known without being stored."""
    return hashlib.sha256(text.encode()).hexdigest()
