"""What Procountor's refusals mean, who mends them, and at which checkpoint."""

from __future__ import annotations

from typing import Any

from django.utils.translation import gettext_lazy as _

from connections.spec.faults import Fault, FaultCatalogue, Phase, Responsible, Rule

KEY_WRONG = Fault(
    "api-key-wrong",
    Responsible.CUSTOMER,
    _(
        "Procountor does not accept this API key. Copy it once more, whole; it must have been made for us, in the company"
        " that you want to connect, and that company's usage settings must allow invoiceable API clients. If all of that is"
        " so, ask our staff."
    ),
    "The token request was answered 401 or invalid_grant, and this key never gave us a session: mistyped, cut, made for"
    " another client, or revoked before it was entered. Some answers do not tell it from a refusal of our own client.",
    "api-key",
)
KEY_REFUSED = Fault(
    "api-key-refused",
    Responsible.CUSTOMER,
    _(
        "Procountor no longer accepts the API key. Most likely it was revoked, its user was removed from the company, or the"
        " company's usage settings do not allow invoiceable API clients any more: look at these, and make a new key where it"
        " is gone. If all is as it was, ask our staff."
    ),
    "The token request was answered 401. With our client id and secret right, the key is wrong or revoked, or its user left.",
    "api-key",
    never_worked=KEY_WRONG,
)
CLIENT_REFUSED = Fault(
    "client-refused",
    Responsible.US,
    _(
        "Procountor does not accept our own registration. Our staff can see it and must mend it; you need not do anything."
    ),
    "Token request refused because of our client id or secret: check the client registration of this environment.",
)
USAGE_FORBIDDEN = Fault(
    "usage-forbidden",
    Responsible.CUSTOMER,
    _(
        "The company's usage settings in Procountor do not allow invoiceable API clients. Allow them, then check again."
    ),
    "The token request was refused because the company's usage setting is off (code observed on the sandbox, inferred).",
    "usage-settings",
)
ACCESS_ENDED = Fault(
    "access-ended",
    Responsible.CUSTOMER,
    _(
        "Procountor no longer accepts the access you gave us. Most likely six months are over, the password was changed, or "
        "the user left the company. Sign in once more; if that does not help, ask our staff."
    ),
    "The refresh token is refused: expired, password changed, logged out, user removed, or pushed out as the 101st.",
    "api-key",
)
ACCESS_LOST = Fault(
    "access-lost",
    Responsible.CUSTOMER,
    _("An answer of Procountor was lost while we renewed our access, and now the access is gone. Sign in once more."),
    "The refresh token is refused after an answer to a refresh had been lost: nobody can know why.",
    "api-key",
)
STALE = Fault(
    "stale-version",
    Responsible.NOBODY,
    _("Somebody has changed this in Procountor since it was read. Read it again, then change it."),
    "409, or 400 on an update: the version that was sent is not the newest (status inferred).",
)
INVALID = Fault(
    "invalid-fields",
    Responsible.NOBODY,
    _("Procountor refused some of the values of a request."),
    "400: validation; errors[] names fields and codes.",
)
BAD_REQUEST = Fault(
    "bad-request",
    Responsible.US,
    _("Procountor did not understand a request of ours. Our staff can see it and must mend it."),
    "400 to something that we read: a parameter of ours is refused.",
)
TOKEN_REFUSED = Fault(
    "token-refused",
    Responsible.CUSTOMER,
    _(
        "Procountor ended our session, and refused a new one as well. Look whether the user is still there, and connect anew."
    ),
    "A call was answered 401 even with a token fetched a moment before.",
    "api-key",
)
RIGHT_MISSING = Fault(
    "right-missing",
    Responsible.CUSTOMER,
    _("The user of this access lacks a right in Procountor. Give it there, then check again."),
    "403 on a read: the user lacks a right (or the object is in a state that forbids it).",
    "rights",
    names=_("The user of this access may not read “%(thing)s” in Procountor. Give the right there, then check again."),
)
CONFIRMATION_NEEDED = Fault(
    "confirmation-needed",
    Responsible.CUSTOMER,
    _(
        "Procountor lets only a person do this, who signed in, has the right for it and confirms it in the Procountor Key app."
        " An API key cannot. Do it in Procountor, or connect by signing in as somebody who may."
    ),
    "403 to one of the endpoints that need two-factor confirmation: closed to M2M, to users without the app, and to those"
    " without the right (certification 3.1, 3.2). It says nothing about what is read.",
    is_about_request=True,
)
NOT_FOUND = Fault(
    "not-found",
    Responsible.US,
    _("Procountor does not know the address we asked for. Our staff can see it and must mend it."),
    "404 or 410: wrong API version in the path, a removed endpoint, or a missing right shown as 404.",
)
TOO_MANY = Fault(
    "too-many-requests",
    Responsible.NOBODY,
    _("Procountor asked us to slow down. We go on by ourselves."),
    "429: not documented by Procountor; the limit is 60 requests a second per customer.",
)
TROUBLE = Fault(
    "provider-trouble",
    Responsible.NOBODY,
    _("Procountor has trouble at the moment. We try again by ourselves."),
    "5xx: the provider's own error. What reads is sent again after pauses, and the request log has every attempt.",
)
UNKNOWN = Fault(
    "unknown-refusal",
    Responsible.US,
    _("Procountor refused a request in a way we do not know yet. Our staff can see it."),
    "A refusal that no rule of the catalogue matches: look at the request log entry.",
)

BY_A_PERSON = ("payments.create", "payments.delete", "mfa.result")
# Neither document says which codes a token refusal carries; the names are the sandbox's, and listed as assumptions.
FAULTS = FaultCatalogue(
    rules=(
        Rule(TOO_MANY, status=(429,)),
        Rule(TROUBLE, status=(500, 501, 502, 503, 504)),
        Rule(USAGE_FORBIDDEN, Phase.TOKEN, codes=("INVOICEABLE_API_CLIENTS_NOT_ALLOWED",)),
        Rule(CLIENT_REFUSED, Phase.TOKEN, codes=("INVALID_CLIENT", "UNAUTHORIZED_CLIENT")),
        Rule(ACCESS_ENDED, Phase.GRANT, codes=("INVALID_GRANT",)),
        Rule(ACCESS_ENDED, Phase.GRANT, status=(401,), in_words=True),
        Rule(KEY_REFUSED, Phase.TOKEN, codes=("INVALID_GRANT",)),
        Rule(KEY_REFUSED, Phase.TOKEN, status=(401,), in_words=True),
        Rule(TOKEN_REFUSED, Phase.CALL, status=(401,)),
        Rule(CONFIRMATION_NEEDED, Phase.CALL, status=(403,), in_words=True, operations=BY_A_PERSON),
        Rule(RIGHT_MISSING, Phase.CALL, status=(403,), in_words=True),
        Rule(RIGHT_MISSING, Phase.CALL, status=(403,)),
        Rule(NOT_FOUND, Phase.CALL, status=(404, 410)),
        Rule(STALE, Phase.CALL, status=(409,)),
        Rule(BAD_REQUEST, Phase.CALL, status=(400,), reads=True),
        Rule(INVALID, Phase.CALL, status=(400, 406, 408)),
    ),
    read_codes=lambda body: _codes(body),
    unknown=UNKNOWN,
    read_fields=lambda body: _fields(body),
    more=(ACCESS_LOST,),
)


def _codes(body: Any) -> list[str]:
    """`{"errors":[{"message": ...}]}` or `{"error": ...}`; a message is a code when it looks like one."""
    if not isinstance(body, dict):
        return []
    errors = body.get("errors")
    messages = (
        [entry.get("message") for entry in errors if isinstance(entry, dict)] if isinstance(errors, list) else []
    )
    messages.append(body.get("error"))
    return [value.upper() for value in messages if isinstance(value, str)]


def _fields(body: Any) -> list[tuple[str, str]]:
    """`errors[]`: `{"field": "path.of.field", "message": "CODE or text"}`."""
    errors = body.get("errors") if isinstance(body, dict) else None
    entries = [each for each in errors if isinstance(each, dict)] if isinstance(errors, list) else []
    return [(str(each["field"]), str(each.get("message", ""))) for each in entries if each.get("field")]
