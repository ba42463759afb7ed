"""What GKS4's refusals mean. Statuses are documented, bodies are not; 404 on a creation is a business answer."""

from __future__ import annotations

from typing import Any

from django.utils.translation import gettext_lazy as _

from connections.spec.faults import Fault, FaultCatalogue, Phase, Responsible, Rule

CLIENT_WRONG = Fault(
    "client-wrong",
    Responsible.CUSTOMER,
    _("GKS4 does not accept the client id and secret. Compare them with what Simutek sent you."),
    "invalid_client, and these never gave us a session: mistyped, or replaced or removed before they were entered.",
    "access",
)
CLIENT_REFUSED = Fault(
    "client-refused",
    Responsible.CUSTOMER,
    _(
        "GKS4 no longer accepts the client id and secret: Simutek has disabled the client, or given it a new secret. Ask "
        "Simutek, and enter what they send you."
    ),
    "invalid_client for what has worked before: replaced, or Simutek disabled or removed the client.",
    "access",
    never_worked=CLIENT_WRONG,
)
TOKEN_REFUSED = Fault(
    "token-refused",
    Responsible.CUSTOMER,
    _("Your GKS4 does not accept the session that Simutek's sign-in gave us. Ask Simutek, or compare the address."),
    "A call was answered 401 even with a token fetched a moment before: another installation's host, or a removed client.",
    "access",
)
RIGHT_MISSING = Fault(
    "right-missing",
    Responsible.CUSTOMER,
    _("Your access to GKS4 does not include something that we read. Ask Simutek for it, then check again."),
    "403: not documented, but possible with bearer tokens.",
    "access",
    names=_("Your access to GKS4 does not include “%(thing)s”. Ask Simutek for it, then check again."),
)
NOT_FOUND = Fault(
    "not-found",
    Responsible.NOBODY,
    _("GKS4 does not know this customer number. For an order, create the customer in GKS4 first."),
    "404: the customer number is unknown. If every call ends so, suspect the host.",
)
LIST_MOVED = Fault(
    "list-moved",
    Responsible.US,
    _("GKS4 does not know the address at which we ask for the customers. Our staff can see it and must mend it."),
    "404 to the search of customers: its path is an assumption (see the provider's assumptions), and it is broken.",
)
INVALID = Fault(
    "invalid-request",
    Responsible.NOBODY,
    _("GKS4 refused some of the values."),
    "400: not well-formed, or a validation error; problem details, if they come, name the fields.",
)
BAD_REQUEST = Fault(
    "bad-request",
    Responsible.US,
    _("GKS4 did not understand a request of ours. Our staff can see it and must mend it."),
    "400, 415 or 422 to something that we read: a parameter or a header of ours is refused (see the assumptions).",
)
CONFLICT = Fault(
    "exists-already",
    Responsible.NOBODY,
    _("GKS4 has a customer with this number already."),
    "409: not documented.",
)
TOO_MANY = Fault(
    "too-many-requests",
    Responsible.NOBODY,
    _("GKS4 asked us to slow down. We go on by ourselves."),
    "429: not documented.",
)
TROUBLE = Fault(
    "provider-trouble",
    Responsible.NOBODY,
    _("GKS4 has trouble at the moment. We try again by ourselves."),
    "5xx: the server's own error. Only reads are repeated, after pauses, whatever the text of a 500 invites to.",
)
UNKNOWN = Fault(
    "unknown-refusal",
    Responsible.US,
    _("GKS4 refused a request in a way we do not know yet. Our staff can see it."),
    "A refusal that no rule of the catalogue matches: look at the request log entry.",
)


def codes(body: Any) -> list[str]:
    """`{"error": ...}` of token requests; problem details carry no code."""
    code = body.get("error") if isinstance(body, dict) else None
    return [code] if isinstance(code, str) else []


def fields(body: Any) -> list[tuple[str, str]]:
    """`errors` of problem details: `{"name": ["..."]}`."""
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
        Rule(TOKEN_REFUSED, Phase.CALL, status=(401,)),
        Rule(RIGHT_MISSING, Phase.CALL, status=(403,)),
        Rule(LIST_MOVED, Phase.CALL, status=(404,), operations=("customers.list",)),
        Rule(NOT_FOUND, Phase.CALL, status=(404,)),
        Rule(CONFLICT, Phase.CALL, status=(409,)),
        Rule(BAD_REQUEST, Phase.CALL, status=(400, 415, 422), reads=True),
        Rule(INVALID, Phase.CALL, status=(400, 415, 422)),
    ),
    read_codes=codes,
    unknown=UNKNOWN,
    read_fields=fields,
)
