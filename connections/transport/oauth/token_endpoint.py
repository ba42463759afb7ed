"""One request for a token: what is sent, and how the answer is read, however odd it is."""

from __future__ import annotations

import math
import re
import time
from dataclasses import replace
from datetime import timedelta
from typing import Any

from connections.spec.errors import CallFailed, OutcomeUnknown, RefusedPart, Unauthorized, Unavailable, Unreadable
from connections.spec.faults import Phase, Responsible
from connections.spec.grants import AuthorizationCode, ClientCredentials, ClientOwner, KeyLogin
from connections.tenancy.scope import tenant_scope
from connections.transport import attempt, clock, error_mapping, faults
from connections.transport.http import parsing
from connections.transport.http.session import Answer
from connections.transport.limits import rate_limiter
from connections.transport.limits.circuit_breaker import CircuitBreaker
from connections.transport.log import writer
from connections.transport.models import Outcome, RequestLogEntry
from connections.transport.oauth import token_store
from connections.transport.oauth.signing import TokenRequestSignature
from connections.transport.oauth.token import LoginCode, TokenResponse
from connections.transport.request_context import RequestContext
from connections.vault.keys import KeyUnavailable
from connections.vault.sealing import Unopenable
from connections.vault.secret import BoundSecret, Secret
from connections.vault.services import OpenCredentials, open_credentials

SHORTEST_REQUEST_SECONDS = 1.0
SHORTEST_LIFETIME_SECONDS, LONGEST_LIFETIME = 0.001, timedelta(hours=24)
TOKEN_TEXT = re.compile(
    r"[\x21-\x7e](?:[\x20-\x7e]{0,16382}[\x21-\x7e])?"
)  # RFC 6749 A.12, and a length that fits a header
# What counts as a refresh token although a refusal came with it. A sentence or a word about the field does not.
USABLE_REFRESH_TOKEN = re.compile(r"(?=.*[^A-Za-z])[A-Za-z0-9._~+/=-]{1,16384}")
TOKEN_TYPE = re.compile(r"[A-Za-z][A-Za-z0-9._-]{0,38}")
NOT_PRINTABLE = re.compile(r"[^\x20-\x7e]")
# RFC 6749 5.2 sends these with 400 (401); some send 200. Of 4.1.2.1 is access_denied, and the last two, which pass.
ERRORS_OF_REQUEST = (
    "invalid_request",
    "unsupported_grant_type",
    "invalid_scope",
    "unauthorized_client",
    "access_denied",
)
STATUS_OF_ERROR = {
    **dict.fromkeys(("invalid_client", "invalid_grant", *ERRORS_OF_REQUEST), 400),
    "temporarily_unavailable": 503,
    "server_error": 500,
}


def request_token(
    context: RequestContext,
    breaker: CircuitBreaker,
    *,
    refresh: BoundSecret | None = None,
    code: LoginCode | None = None,
    answer_by: float = math.inf,
) -> TokenResponse:
    """Ask once: with a code, a refresh token, or the credentials alone. Raises CallFailed; its entry is written by then.

    `answer_by`: by this process's steady clock, when it must be over.

    An answer that is odd or a refusal is returned with the refresh token that came in it, where one did, and with
    `refusal`: store first, then raise.
    """
    grant, opened = context.grant, _open_credentials(context)
    if isinstance(grant, AuthorizationCode):
        fields = _client_fields(opened) | _fields_of_person(grant, refresh, code, opened)
    else:
        fields = _fields_of_client(grant, opened)
    operation = "token" if code is None else "token.code"
    signature = TokenRequestSignature(fields, grant.body)
    entry, answer, body = _post(context, breaker, operation, context.hosts.token, signature, answer_by=answer_by)
    phase = Phase.GRANT if isinstance(grant, AuthorizationCode) else Phase.TOKEN
    access, new_refresh = _token_text(body, "access_token"), _token_text(body, "refresh_token")
    refusal = None
    if answer.status not in (200, 201) or not _has_token(body, any_type=context.provider.placement.any_type):
        refusal = _refusal_of(context, phase, entry, answer, body, code=code)
        new_refresh = new_refresh if USABLE_REFRESH_TOKEN.fullmatch(new_refresh) else ""
        if answer.status not in (200, 201) and not new_refresh:
            raise _write_failure(entry, refusal)
        entry.fault = refusal.fault.code
        if new_refresh:
            refusal.may_have_arrived = False  # the new refresh token has arrived
    else:
        entry.outcome = Outcome.ANSWERED
    kind = body.get("token_type") if isinstance(body, dict) else ""
    return TokenResponse(
        Secret(access) if refusal is None else None,
        Secret(new_refresh) if new_refresh else None,
        kind.strip()[:40] if isinstance(kind, str) and TOKEN_TYPE.fullmatch(kind.strip()) else "",
        lifetime(body.get("expires_in") if isinstance(body, dict) else None, grant.lifetime),
        _scope(body.get("scope")) if isinstance(body, dict) else "",
        entry,
        refusal,
    )


def request_key(context: RequestContext, login: KeyLogin, code: LoginCode) -> Secret:
    """Exchange a code for a credential. Raises CallFailed. The entry is written by then."""
    signature = TokenRequestSignature(_client_fields(_open_credentials(context)) | _code_fields(code), login.body)
    url = context.hosts.api + login.exchange_path
    breaker = CircuitBreaker(context.connection)
    entry, answer, body = _post(context, breaker, "credential.code", url, signature, path=login.exchange_path)
    key = _token_text(body, login.answer)
    if answer.status not in (200, 201) or not key:
        raise _write_failure(entry, _refusal_of(context, Phase.GRANT, entry, answer, body, code=code))
    entry.outcome = Outcome.ANSWERED
    writer.write_now([entry])
    return Secret(key)


def _post(
    context: RequestContext,
    breaker: CircuitBreaker,
    operation: str,
    url: str,
    signature: TokenRequestSignature,
    *,
    path: str = "",
    answer_by: float = math.inf,
) -> tuple[RequestLogEntry, Answer, Any]:
    """Send one token request: its entry, not yet written, the answer, and its parsed body. Raises CallFailed."""
    with breaker.guard(url):
        rate_limiter.take_place(context.provider, context.connection, context.client_id, for_run=context.is_for_run)
        left_seconds = answer_by - time.monotonic()
        if left_seconds < SHORTEST_REQUEST_SECONDS:  # it waited too long for its place: nothing is sent
            raise Unavailable(faults.NO_ANSWER, retry_at=clock.now())
        entry = attempt.begin(
            context, operation=operation, method="POST", path_template=path or context.provider.token_path
        )
        total_seconds = min(context.provider.deadlines.token_total, left_seconds)
        try:
            answer = attempt.send(context, breaker, entry, url=url, total_seconds=total_seconds, signature=signature)
        except OutcomeUnknown as lost:
            unknown = Unavailable(faults.NO_ANSWER, retry_at=clock.now(), entry_id=lost.entry_id)
            unknown.may_have_arrived = True
            raise _write_failure(entry, unknown) from None
        except CallFailed as failure:
            failure.may_have_arrived = isinstance(failure, Unreadable)
            raise _write_failure(entry, failure) from None
        return entry, answer, parsing.read_leniently(answer.body)


def _refusal_of(
    context: RequestContext, phase: Phase, entry: RequestLogEntry, answer: Answer, body: Any, *, code: LoginCode | None
) -> CallFailed:
    """The error of an answer that is no token, and what it is about, where that is said."""
    error_code = _error_code(answer, body)
    if error_code and (answer.status < 300 or STATUS_OF_ERROR[error_code] >= 500 > answer.status):
        answer = replace(answer, status=STATUS_OF_ERROR[error_code])
    refusal = error_mapping.refusal(
        context.provider, phase, entry, answer, body or ({"error": error_code} if error_code else None)
    )
    if not error_mapping.refused_by_status(answer.status) or refusal.fault is faults.UNREADABLE:
        return refusal
    if error_code == "invalid_client":
        refusal.refused_part = RefusedPart.CLIENT
    elif error_code == "invalid_grant" and phase is Phase.GRANT:
        refusal.refused_part = RefusedPart.GRANT
    elif _is_about_grant(context, refusal):
        refusal.refused_part = RefusedPart.GRANT_PERHAPS
    fault = refusal.fault
    if code is not None and refusal.refused_part in (RefusedPart.GRANT, RefusedPart.GRANT_PERHAPS):
        fault, refusal.refused_part = faults.CODE_REFUSED, None
    elif code is None and phase is Phase.GRANT and error_code and refusal.refused_part is None:
        fault = faults.TURNED_AWAY  # of an access that was given, these say nothing
    elif not token_store.has_worked(context.connection):
        by_address = (
            context.provider.faults.judge(phase, answer.status, None) if answer.status in (404, 405) else fault
        )
        fault = by_address if fault is faults.TURNED_AWAY and by_address.responsible is Responsible.CUSTOMER else fault
        fault = fault.never_worked or fault
    if fault is refusal.fault:
        return refusal
    error = error_mapping.make_error(error_mapping.error_type(fault, phase, answer.status), fault, entry, clock.now())
    error.refused_part = refusal.refused_part
    return error


def _error_code(answer: Answer, body: Any) -> str:
    """The protocol's error code for a refusal, '' where there is none. Some send the bare code instead of JSON."""
    error_code = body.get("error") if isinstance(body, dict) else None
    if body is None and len(answer.body) < 40:
        error_code = answer.body.decode("ascii", errors="replace").strip()
    return error_code if isinstance(error_code, str) and error_code in STATUS_OF_ERROR else ""


def _is_about_grant(context: RequestContext, refusal: CallFailed) -> bool:
    """Where a person must pass the same checkpoint again as for a lost grant, it is the grant that is refused."""
    grant = context.grant
    is_same = isinstance(grant, AuthorizationCode) and refusal.fault.checkpoint == grant.lost.checkpoint
    return is_same and refusal.fault.responsible is Responsible.CUSTOMER


def _write_failure(entry: RequestLogEntry, failure: CallFailed) -> CallFailed:
    entry.fault = failure.fault.code
    writer.write_now([entry])
    return failure


def _open_credentials(context: RequestContext) -> OpenCredentials:
    with tenant_scope(context.connection.tenant_id):
        try:
            return open_credentials(context.connection)
        except (Unopenable, KeyUnavailable):
            raise Unauthorized(faults.NO_KEY) from None


Fields = dict[str, str | BoundSecret]


def _client_fields(opened: OpenCredentials) -> Fields:
    """Raises Unauthorized where we are not registered."""
    if not opened.client_id or opened.client_secret is None:
        raise Unauthorized(faults.NO_REGISTRATION)
    return {"client_id": opened.client_id, "client_secret": opened.client_secret}


def _code_fields(code: LoginCode) -> Fields:
    fields: Fields = {
        "grant_type": "authorization_code",
        "code": code.secret,
        "redirect_uri": code.redirect_uri,
    }
    return fields | ({"code_verifier": code.verifier} if code.verifier else {})


def _fields_of_person(
    grant: AuthorizationCode, refresh: BoundSecret | None, code: LoginCode | None, opened: OpenCredentials
) -> Fields:
    """Raises Unauthorized where there is nothing to ask with."""
    if code is not None:
        return _code_fields(code)
    if refresh is None:
        raise Unauthorized(faults.NO_GRANT)
    fields: Fields = {"grant_type": "refresh_token", "refresh_token": refresh}
    if grant.redirect_uri and opened.redirect_uri:
        fields["redirect_uri"] = opened.redirect_uri
    if grant.scope_on_refresh:
        fields["scope"] = grant.scope
    return fields


def _fields_of_client(grant: ClientCredentials, opened: OpenCredentials) -> Fields:
    """The body. Raises Unauthorized for what is not stored."""
    credentials = opened.credentials
    fields: Fields = {"grant_type": "client_credentials"}
    names = grant.also
    if grant.client is ClientOwner.OURS:
        fields |= _client_fields(opened)
    else:
        names = ("client_id", "client_secret", *grant.also)
    for name in names:
        if name not in credentials:
            raise Unauthorized(faults.NO_CREDENTIAL)
        fields[name] = credentials[name]
    if grant.redirect_uri and opened.redirect_uri:
        fields["redirect_uri"] = opened.redirect_uri
    if grant.scope:
        fields["scope"] = grant.scope
    return fields


def _token_text(body: Any, name: str) -> str:
    """A field of the answer that may be a token, '' for anything else."""
    value = body.get(name) if isinstance(body, dict) else None
    return value if isinstance(value, str) and TOKEN_TEXT.fullmatch(value) else ""


def _has_token(body: Any, *, any_type: bool) -> bool:
    """A token that can be sent, and no error beside it. A missing type is taken for bearer (RFC 6749 7.1)."""
    if not isinstance(body, dict) or "error" in body:
        return False
    token_type = body.get("token_type")
    kind = token_type.strip() if isinstance(token_type, str) else ""
    is_known = kind.lower() in ("", "bearer") or (any_type and TOKEN_TYPE.fullmatch(kind) is not None)
    return is_known and bool(_token_text(body, "access_token"))


def _scope(value: Any) -> str:
    return NOT_PRINTABLE.sub("", value)[:400] if isinstance(value, str) else ""


def lifetime(value: Any, default: timedelta) -> timedelta:
    """`expires_in` as it comes: number, text, missing or absurd; 24 h at most. A short life is believed.

    Zero and less is none: nobody gives a token that has ended. What that token is good for, its first call shows.
    """
    try:
        seconds = float(value) if isinstance(value, str | int | float) and not isinstance(value, bool) else 0.0
    except (ValueError, OverflowError):
        seconds = 0.0
    if not SHORTEST_LIFETIME_SECONDS <= seconds < float("inf"):
        return default
    return timedelta(seconds=min(seconds, LONGEST_LIFETIME.total_seconds()))
