"""One request for a token: what is sent, and how the answer is read, however odd it is."""

from __future__ import annotations

import math
import re
import time
from dataclasses import dataclass, field, replace
from datetime import timedelta
from typing import Any

from connections.spec.errors import About, CallFailed, OutcomeUnknown, Unauthorized, Unavailable, Unreadable
from connections.spec.faults import Acts, Phase
from connections.spec.grants import AuthorizationCode, Client, ClientCredentials, KeyLogin
from connections.tenancy.scope import tenant_scope
from connections.transport import error_mapping, faults
from connections.transport.http import parsing
from connections.transport.http.session import Answer
from connections.transport.limits import circuit_breaker, clock, rate_limiter
from connections.transport.log import writer
from connections.transport.models import Outcome, RequestLogEntry
from connections.transport.oauth.signing import TokenRequestSignature
from connections.transport.request_context import RequestContext
from connections.vault.keys import KeyUnavailable
from connections.vault.sealing import Unopenable
from connections.vault.secret import BoundSecret, Secret
from connections.vault.services import OpenCredentials, open_credentials

SHORTEST_ASKING = 1.0  # seconds
SHORTEST_LIFE, LONGEST = 0.001, timedelta(hours=24)
TOKEN = re.compile(
    r"[\x21-\x7e](?:[\x20-\x7e]{0,16382}[\x21-\x7e])?"
)  # RFC 6749 A.12, and a length that fits a header
# What is taken for a token although a refusal came with it. A sentence or a word about the field is none.
KEPT = re.compile(r"(?=.*[^A-Za-z])[A-Za-z0-9._~+/=-]{1,16384}")
KIND = re.compile(r"[A-Za-z][A-Za-z0-9._-]{0,38}")
SCOPE = re.compile(r"[^\x20-\x7e]")
# RFC 6749 5.2 sends these with 400 (401); some send 200. Of 4.1.2.1 is access_denied, and the last two, which pass.
OF_REQUEST = ("invalid_request", "unsupported_grant_type", "invalid_scope", "unauthorized_client", "access_denied")
STATUS = {
    **dict.fromkeys(("invalid_client", "invalid_grant", *OF_REQUEST), 400),
    "temporarily_unavailable": 503,
    "server_error": 500,
}


@dataclass(frozen=True)
class TokenResponse:
    """What a token request gave. `lifetime` counts from before it was sent; `entry` is not yet written.

    `secret` is None where no usable access token came; a refresh token that came with it is worth keeping all the same.
    """

    secret: Secret | None
    refresh: Secret | None
    kind: str
    lifetime: timedelta
    scope: str
    entry: RequestLogEntry = field(repr=False)
    refused: CallFailed | None = None


@dataclass(frozen=True)
class Code:
    """An authorization code that a login page gave, with what must be sent along to trade it."""

    secret: BoundSecret
    verifier: BoundSecret
    redirect_uri: str


def ask(
    context: RequestContext, *, refresh: BoundSecret | None = None, code: Code | None = None, until: float = math.inf
) -> TokenResponse:
    """Ask once: with a code, a refresh token, or the credentials alone. Raises CallFailed; its entry is written by then.

    `until`: by this process's steady clock, when it must be over.

    An answer that is odd or a refusal is returned with the refresh token that came in it, where one did, and with
    `refused`: keep first, then raise.
    """
    flow, opened = context.grant, _opened(context)
    if isinstance(flow, AuthorizationCode):
        fields = _ours(opened) | _of_person(flow, refresh, code, opened)
    else:
        fields = _of_client(flow, opened)
    operation = "token" if code is None else "token.code"
    signature = TokenRequestSignature(fields, flow.body)
    entry, answer, body = post(context, operation, context.hosts.token, signature, until=until)
    phase = Phase.GRANT if isinstance(flow, AuthorizationCode) else Phase.TOKEN
    access, renewed = _text(body, "access_token"), _text(body, "refresh_token")
    refused = None
    if answer.status not in (200, 201) or not _is_token(body, any_type=context.provider.placement.any_type):
        refused = _refusal(context, phase, entry, answer, body, code=code)
        renewed = renewed if KEPT.fullmatch(renewed) else ""
        if answer.status not in (200, 201) and not renewed:
            raise _written(entry, refused)
        entry.fault = refused.fault.code
        if renewed:
            refused.may_have_arrived = False  # what was given has come
    else:
        entry.outcome = Outcome.ANSWERED
    kind = body.get("token_type") if isinstance(body, dict) else ""
    return TokenResponse(
        Secret(access) if refused is None else None,
        Secret(renewed) if renewed else None,
        kind.strip()[:40] if isinstance(kind, str) and KIND.fullmatch(kind.strip()) else "",
        lifetime(body.get("expires_in") if isinstance(body, dict) else None, flow.lifetime),
        _scope(body.get("scope")) if isinstance(body, dict) else "",
        entry,
        refused,
    )


def ask_key(context: RequestContext, login: KeyLogin, code: Code) -> Secret:
    """Trade a code for a credential. Raises CallFailed. Its entry is written by then."""
    signature = TokenRequestSignature(_ours(_opened(context)) | _traded(code), login.body)
    address = context.hosts.api + login.exchange_path
    entry, answer, body = post(context, "credential.code", address, signature, login.exchange_path)
    given = _text(body, login.answer)
    if answer.status not in (200, 201) or not given:
        raise _written(entry, _refusal(context, Phase.GRANT, entry, answer, body, code=code))
    entry.outcome = Outcome.ANSWERED
    writer.write_now([entry])
    return Secret(given)


def post(
    context: RequestContext,
    operation: str,
    url: str,
    signature: TokenRequestSignature,
    path: str = "",
    *,
    until: float = math.inf,
) -> tuple[RequestLogEntry, Answer, Any]:
    """Send one token request: its entry, not yet written, the answer, and its parsed body. Raises CallFailed."""
    with circuit_breaker.guard(context, url):
        return _post(context, operation, url, signature, path or context.provider.token_path, until)


def _post(
    context: RequestContext, operation: str, url: str, signature: TokenRequestSignature, path: str, until: float
) -> tuple[RequestLogEntry, Answer, Any]:
    rate_limiter.take(context.provider, context.connection, context.client_id, for_run=context.is_for_run)
    left = until - time.monotonic()
    if left < SHORTEST_ASKING:  # what waited so long for its turn is put down: nothing was sent
        raise Unavailable(faults.NO_ANSWER, retry_at=clock.now())
    entry = context.begin(operation=operation, method="POST", path_template=path)
    try:
        answer = context.send(
            entry,
            url=url,
            total=min(context.provider.deadlines.token_total, left),
            signature=signature,
        )
    except OutcomeUnknown as lost:
        unknown = Unavailable(faults.NO_ANSWER, retry_at=clock.now(), entry_id=lost.entry_id)
        unknown.may_have_arrived = True
        raise _written(entry, unknown) from None
    except CallFailed as failed:
        failed.may_have_arrived = isinstance(failed, Unreadable)
        raise _written(entry, failed) from None
    return entry, answer, parsing.read_leniently(answer.body)


def _refusal(
    context: RequestContext, phase: Phase, entry: RequestLogEntry, answer: Answer, body: Any, *, code: Code | None
) -> CallFailed:
    """The error of an answer that is no token, and what it is about, where that is said."""
    told = _error(answer, body)
    if told and (answer.status < 300 or STATUS[told] >= 500 > answer.status):
        answer = replace(answer, status=STATUS[told])
    refused = error_mapping.refusal(
        context.provider, phase, entry, answer, body or ({"error": told} if told else None)
    )
    if not error_mapping.refused_by_status(answer.status) or refused.fault is faults.UNREADABLE:
        return refused
    if told == "invalid_client":
        refused.about = About.CLIENT
    elif told == "invalid_grant" and phase is Phase.GRANT:
        refused.about = About.GRANT
    elif _is_of_grant(context, refused):
        refused.about = About.GRANT_PERHAPS
    fault = refused.fault
    if code is not None and refused.about in (About.GRANT, About.GRANT_PERHAPS):
        fault, refused.about = faults.CODE_REFUSED, None
    elif code is None and phase is Phase.GRANT and told and refused.about is None:
        fault = faults.TURNED_AWAY  # of an access that was given, these say nothing
    elif not context.has_worked:
        by_address = (
            context.provider.faults.judge(phase, answer.status, None) if answer.status in (404, 405) else fault
        )
        fault = by_address if fault is faults.TURNED_AWAY and by_address.acts is Acts.CUSTOMER else fault
        fault = fault.never_worked or fault
    if fault is refused.fault:
        return refused
    made = error_mapping.error(error_mapping.kind(fault, phase, answer.status), fault, entry, clock.now())
    made.about = refused.about
    return made


def _error(answer: Answer, body: Any) -> str:
    """The protocol's word for a refusal, '' where there is none. Some send the bare word instead of JSON."""
    told = body.get("error") if isinstance(body, dict) else None
    if body is None and len(answer.body) < 40:
        told = answer.body.decode("ascii", errors="replace").strip()
    return told if isinstance(told, str) and told in STATUS else ""


def _is_of_grant(context: RequestContext, refused: CallFailed) -> bool:
    """Where a person must walk the same checkpoint again as for a lost grant, it is the grant that is refused."""
    flow = context.grant
    is_same = isinstance(flow, AuthorizationCode) and refused.fault.checkpoint == flow.lost.checkpoint
    return is_same and refused.fault.acts is Acts.CUSTOMER


def _written(entry: RequestLogEntry, failed: CallFailed) -> CallFailed:
    entry.fault = failed.fault.code
    writer.write_now([entry])
    return failed


def _opened(context: RequestContext) -> OpenCredentials:
    with tenant_scope(context.connection.tenant_id):
        try:
            return open_credentials(context.connection)
        except (Unopenable, KeyUnavailable):
            raise Unauthorized(faults.NO_KEY) from None


Fields = dict[str, str | BoundSecret]


def _ours(opened: OpenCredentials) -> Fields:
    """Raises Unauthorized where we are not registered."""
    if not opened.client_id or opened.client_secret is None:
        raise Unauthorized(faults.NO_REGISTRATION)
    return {"client_id": opened.client_id, "client_secret": opened.client_secret}


def _traded(code: Code) -> Fields:
    fields: Fields = {
        "grant_type": "authorization_code",
        "code": code.secret,
        "redirect_uri": code.redirect_uri,
    }
    return fields | ({"code_verifier": code.verifier} if code.verifier else {})


def _of_person(
    flow: AuthorizationCode, refresh: BoundSecret | None, code: Code | None, opened: OpenCredentials
) -> Fields:
    """Raises Unauthorized where there is nothing to ask with."""
    if code is not None:
        return _traded(code)
    if refresh is None:
        raise Unauthorized(faults.NO_GRANT)
    fields: Fields = {"grant_type": "refresh_token", "refresh_token": refresh}
    if flow.redirect_uri and opened.redirect_uri:
        fields["redirect_uri"] = opened.redirect_uri
    if flow.scope_on_refresh:
        fields["scope"] = flow.scope
    return fields


def _of_client(flow: ClientCredentials, opened: OpenCredentials) -> Fields:
    """The body. Raises Unauthorized for what is not stored."""
    given = opened.credentials
    fields: Fields = {"grant_type": "client_credentials"}
    names = flow.also
    if flow.client is Client.OURS:
        fields |= _ours(opened)
    else:
        names = ("client_id", "client_secret", *flow.also)
    for name in names:
        if name not in given:
            raise Unauthorized(faults.NO_CREDENTIAL)
        fields[name] = given[name]
    if flow.redirect_uri and opened.redirect_uri:
        fields["redirect_uri"] = opened.redirect_uri
    if flow.scope:
        fields["scope"] = flow.scope
    return fields


def _text(body: Any, name: str) -> str:
    """A token-like text of the answer, '' for anything else."""
    value = body.get(name) if isinstance(body, dict) else None
    return value if isinstance(value, str) and TOKEN.fullmatch(value) else ""


def _is_token(body: Any, *, any_type: bool) -> bool:
    """A token that can be sent, and no error beside it. A missing type is taken for bearer (RFC 6749 7.1)."""
    if not isinstance(body, dict) or "error" in body:
        return False
    told = body.get("token_type")
    kind = told.strip() if isinstance(told, str) else ""
    is_known = kind.lower() in ("", "bearer") or (any_type and KIND.fullmatch(kind) is not None)
    return is_known and bool(_text(body, "access_token"))


def _scope(given: Any) -> str:
    return SCOPE.sub("", given)[:400] if isinstance(given, str) else ""


def lifetime(given: Any, default: timedelta) -> timedelta:
    """`expires_in` as it comes: number, text, missing or absurd; 24 h at most. A short life is believed.

    Zero and less is none: nobody gives a token that has ended. What that token is good for, its first call shows.
    """
    try:
        seconds = float(given) if isinstance(given, str | int | float) and not isinstance(given, bool) else 0.0
    except (ValueError, OverflowError):
        seconds = 0.0
    if not SHORTEST_LIFE <= seconds < float("inf"):
        return default
    return timedelta(seconds=min(seconds, LONGEST.total_seconds()))
