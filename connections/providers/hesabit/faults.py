"""What Hesabit's refusals mean. Its document describes none: the status decides, a body is read if it can be."""

from __future__ import annotations

from typing import Any

from django.utils.translation import gettext_lazy as _

from connections.spec.faults import Fault, FaultCatalogue, Phase, Responsible, Rule

ACCESS_ENDED = Fault(
    "access-ended",
    Responsible.CUSTOMER,
    _("Hesabit no longer accepts our access: the approval was taken back, or our client removed. Connect once more."),
    "The refresh token is refused: the approval or the client was removed in the panel.",
    "access",
)
ACCESS_LOST = Fault(
    "access-lost",
    Responsible.CUSTOMER,
    _("An answer of Hesabit was lost while we renewed our access, and now the access is gone. Connect once more."),
    "The refresh token is refused after an answer to a refresh had been lost: nobody can know why.",
    "access",
)
CLIENT_REFUSED = Fault(
    "client-refused",
    Responsible.US,
    _("Hesabit does not accept our own registration. Our staff can see it and must mend it."),
    "invalid_client: check the client registration of this environment.",
)
TOKEN_REFUSED = Fault(
    "token-refused",
    Responsible.CUSTOMER,
    _("Hesabit ended our session, and a new one was refused as well. Connect once more."),
    "A call was answered 401 even with a token fetched a moment before.",
    "access",
)
RIGHT_MISSING = Fault(
    "right-missing",
    Responsible.CUSTOMER,
    _("Hesabit does not allow us something that we read. Look at your package there, then connect once more."),
    "403: not documented; the scope write should give everything.",
    "access",
    names=_("Hesabit does not allow us to open “%(thing)s”. Look at your package there, then connect once more."),
)
NOT_FOUND = Fault(
    "not-found",
    Responsible.NOBODY,
    _("Hesabit does not know what was asked for: it is not there any more."),
    "404: the id is unknown, or the path is none of Hesabit's.",
)
INVALID = Fault(
    "invalid-request",
    Responsible.NOBODY,
    _("Hesabit refused some of the values."),
    "400 or 422, or 200 with an error in its body; a body may name the fields.",
)
BAD_REQUEST = Fault(
    "bad-request",
    Responsible.US,
    _("Hesabit did not understand a request of ours. Our staff can see it and must mend it."),
    "400 or 422, or 200 with an error in its body, to something that we read: a parameter of ours is refused.",
)
TOO_MANY = Fault(
    "too-many-requests",
    Responsible.NOBODY,
    _("The requests that Hesabit allows for one day are used up. We go on by ourselves."),
    "429: 20,000 requests a day for our client id, shared by all its connections; more can be had by ticket.",
)
TROUBLE = Fault(
    "provider-trouble",
    Responsible.NOBODY,
    _("Hesabit has trouble at the moment. We try again by ourselves."),
    "5xx: the provider's own error. What reads is sent again after pauses, and the request log has every attempt.",
)
UNKNOWN = Fault(
    "unknown-refusal",
    Responsible.US,
    _("Hesabit refused a request in a way we do not know yet. Our staff can see it."),
    "A refusal that no rule of the catalogue matches: look at the request log entry.",
)


def refuses(body: Any) -> bool:
    """An answer of 2xx with an error in it is a refusal."""
    return isinstance(body, dict) and bool(body.get("error"))


def codes(body: Any) -> list[str]:
    """The machine-readable codes of an error's body."""
    code = body.get("error") if isinstance(body, dict) else None
    return [code] if isinstance(code, str) else []


def fields(body: Any) -> list[tuple[str, str]]:
    """`errors`: `{"email": ["..."]}`."""
    errors = body.get("errors") if isinstance(body, dict) else None
    fields = errors.items() if isinstance(errors, dict) else []
    return [
        (str(name), "; ".join(map(str, words)) if isinstance(words, list) else str(words)) for name, words in fields
    ]


FAULTS = FaultCatalogue(
    rules=(
        Rule(TOO_MANY, status=(429,)),
        Rule(TROUBLE, status=(500, 501, 502, 503, 504)),
        Rule(CLIENT_REFUSED, Phase.TOKEN, codes=("INVALID_CLIENT", "UNAUTHORIZED_CLIENT")),
        Rule(ACCESS_ENDED, Phase.TOKEN, codes=("INVALID_GRANT",)),
        Rule(TOKEN_REFUSED, Phase.CALL, status=(401,)),
        Rule(TOKEN_REFUSED, Phase.CALL, status=(200, 201), codes=("INVALID_TOKEN",)),
        Rule(RIGHT_MISSING, Phase.CALL, status=(403,)),
        Rule(NOT_FOUND, Phase.CALL, status=(404,)),
        Rule(NOT_FOUND, Phase.CALL, status=(200, 201), codes=("NOT_FOUND",)),
        Rule(BAD_REQUEST, Phase.CALL, status=(200, 201, 400, 422), reads=True),
        Rule(INVALID, Phase.CALL, status=(200, 201, 400, 422)),
    ),
    read_codes=codes,
    unknown=UNKNOWN,
    read_fields=fields,
    in_good=refuses,
    more=(ACCESS_LOST,),
)
