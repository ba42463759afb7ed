"""What Pentamic's refusals mean. 403 is a business answer where its body carries a code, else a missing right."""

from __future__ import annotations

from typing import Any

from django.utils.translation import gettext_lazy as _

from connections.spec.faults import Fault, FaultCatalogue, Phase, Responsible, Rule

CLIENT_WRONG = Fault(
    "client-wrong",
    Responsible.CUSTOMER,
    _("Pentamic does not accept the client id and secret. Compare them with what their administrator sent you."),
    "invalid_client, and these never gave us a session: mistyped, or replaced or disabled before they were entered.",
    "access",
)
CLIENT_REFUSED = Fault(
    "client-refused",
    Responsible.CUSTOMER,
    _(
        "Pentamic no longer accepts the client id and secret: the client was disabled, or has a new secret. Ask their "
        "administrator, and enter what they send you."
    ),
    "invalid_client for what has worked before: replaced, or the client was disabled by Pentamic's administrator.",
    "access",
    never_worked=CLIENT_WRONG,
)
SCOPE_REFUSED = Fault(
    "scope-refused",
    Responsible.CUSTOMER,
    _(
        "Pentamic does not allow the client the scope that was entered. Enter it exactly as their administrator sent it, or "
        "ask them whether it was taken away."
    ),
    "invalid_scope: wrong, or not allowed for this client.",
    "access",
)
TOKEN_REFUSED = Fault(
    "token-refused",
    Responsible.CUSTOMER,
    _("Pentamic's server does not accept the session that its own sign-in gave us. Ask their administrator."),
    "A call was answered 401 even with a token fetched a moment before: other server, clock, or audience.",
    "access",
)
RIGHT_MISSING = Fault(
    "right-missing",
    Responsible.CUSTOMER,
    _("Your access at Pentamic does not include the accounting API. Ask their administrator for it."),
    "403 without a business code: the token's scope lacks this API.",
    "access",
    names=_("Your access at Pentamic does not include “%(thing)s”. Ask their administrator for it, then check again."),
)
NAME_REQUIRED = Fault(
    "name-required", Responsible.NOBODY, _("A customer needs a name."), "403 NAME_REQUIRED.", is_about_request=True
)
TAX_REQUIRED = Fault(
    "tax-code-required",
    Responsible.NOBODY,
    _("A customer needs a tax code."),
    "403 TAXC_REQUIRED.",
    is_about_request=True,
)
TAX_INVALID = Fault(
    "tax-code-invalid",
    Responsible.NOBODY,
    _("Pentamic does not accept this tax code. It has 10 digits, or 13 for a branch, and may begin with 0."),
    "403 TAXC_INVALID.",
    is_about_request=True,
)
ID_NOT_FOUND = Fault(
    "customer-not-found",
    Responsible.NOBODY,
    _("There is no customer with this id at Pentamic."),
    "403 ID_NOTFOUND: not 404, and no missing right.",
    is_about_request=True,
)
NOT_FOUND = Fault(
    "not-found",
    Responsible.CUSTOMER,
    _("There is no such service at this address. Compare the address with what Pentamic's administrator sent you."),
    "404 or 405: wrong API address, or this customer's integration has other endpoints.",
    "addresses",
)
TROUBLE = Fault(
    "provider-trouble",
    Responsible.NOBODY,
    _("Pentamic's server has trouble or is being maintained. We try again by ourselves."),
    "5xx: the server's own error; 503 is maintenance. What reads is sent again after pauses.",
)
TOO_MANY = Fault(
    "too-many-requests",
    Responsible.NOBODY,
    _("Pentamic asked us to slow down. We go on by ourselves."),
    "429: not in its document.",
)
UNKNOWN = Fault(
    "unknown-refusal",
    Responsible.US,
    _("Pentamic refused a request in a way we do not know yet. Our staff can see it."),
    "A refusal that no rule of the catalogue matches: look at the request log entry.",
)
FIELDS = {
    "NAME_REQUIRED": ("name", NAME_REQUIRED),
    "TAXC_REQUIRED": ("taxCode", TAX_REQUIRED),
    "TAXC_INVALID": ("taxCode", TAX_INVALID),
}


def codes(body: Any) -> list[str]:
    """`{"error": "CODE"}`, for calls and token requests alike."""
    code = body.get("error") if isinstance(body, dict) else None
    return [code] if isinstance(code, str) else []


def fields(body: Any) -> list[tuple[str, str]]:
    """(dotted path, code of a fault) of each field that an error's body names."""
    return [(path, fault.code) for path, fault in (FIELDS[code] for code in codes(body) if code in FIELDS)]


FAULTS = FaultCatalogue(
    rules=(
        Rule(TOO_MANY, status=(429,)),
        Rule(TROUBLE, status=(500, 501, 502, 503, 504)),
        Rule(CLIENT_REFUSED, Phase.TOKEN, codes=("INVALID_CLIENT", "UNAUTHORIZED_CLIENT")),
        Rule(SCOPE_REFUSED, Phase.TOKEN, codes=("INVALID_SCOPE",)),
        Rule(NAME_REQUIRED, Phase.CALL, codes=("NAME_REQUIRED",)),
        Rule(TAX_REQUIRED, Phase.CALL, codes=("TAXC_REQUIRED",)),
        Rule(TAX_INVALID, Phase.CALL, codes=("TAXC_INVALID",)),
        Rule(ID_NOT_FOUND, Phase.CALL, codes=("ID_NOTFOUND",)),
        Rule(TOKEN_REFUSED, Phase.CALL, status=(401,)),
        Rule(RIGHT_MISSING, Phase.CALL, status=(403,)),
        Rule(NOT_FOUND, status=(404, 405)),
    ),
    read_codes=codes,
    unknown=UNKNOWN,
    read_fields=fields,
)
