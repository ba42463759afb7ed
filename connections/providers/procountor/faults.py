"""What Procountor's refusals mean, who mends them, and at which checkpoint."""

from __future__ import annotations

from typing import Any

from django.utils.translation import gettext_lazy as _

from connections.spec.faults import Acts, Fault, FaultCatalogue, Phase, Rule

KEY_REFUSED = Fault(
    "api-key-refused",
    Acts.CUSTOMER,
    _("Procountor no longer accepts the API key. It was revoked, or its user was removed from the company."),
    "The token request was answered 401. With our client id and secret right, the key is wrong or revoked, or its user left.",
    "api-key",
)
CLIENT_REFUSED = Fault(
    "client-refused",
    Acts.US,
    _(
        "Procountor does not accept our own registration. Our staff can see it and must mend it; you need not do anything."
    ),
    "Token request refused because of our client id or secret: check the client registration of this environment.",
)
USAGE_FORBIDDEN = Fault(
    "usage-forbidden",
    Acts.CUSTOMER,
    _("Procountor's usage settings do not allow invoiceable API clients."),
    "The token request was refused because the company's usage setting is off (code observed on the sandbox, inferred).",
    "usage-settings",
)
TOKEN_REFUSED = Fault(
    "token-refused",
    Acts.CUSTOMER,
    _("Procountor ended the session of the API user, and a new one was refused as well."),
    "A call was answered 401 even with a token fetched a moment before.",
    "api-key",
)
RIGHT_MISSING = Fault(
    "right-missing",
    Acts.CUSTOMER,
    _("The API user may not read this in Procountor."),
    "403 on a read: the user lacks a right (or the object is in a state that forbids it).",
    "rights",
)
NOT_FOUND = Fault(
    "not-found",
    Acts.US,
    _("Procountor does not know the address we asked for. Our staff can see it and must mend it."),
    "404: wrong API version in the path, a removed endpoint, or a missing right shown as 404.",
)
TOO_MANY = Fault(
    "too-many-requests",
    Acts.NOBODY,
    _("Procountor asked us to slow down. We go on by ourselves."),
    "429: not documented by Procountor; the limit is 60 requests a second per customer.",
)
TROUBLE = Fault(
    "provider-trouble",
    Acts.NOBODY,
    _("Procountor has trouble at the moment. We try again by ourselves."),
    "5xx after all retries.",
)
UNKNOWN = Fault(
    "unknown-refusal",
    Acts.US,
    _("Procountor refused a request in a way we do not know yet. Our staff can see it."),
    "A refusal that no rule of the catalogue matches: look at the request log entry.",
)

# Neither document says which codes a token refusal carries; the names are the sandbox's, and listed as assumptions.
FAULTS = FaultCatalogue(
    rules=(
        Rule(USAGE_FORBIDDEN, Phase.TOKEN, codes=("INVOICEABLE_API_CLIENTS_NOT_ALLOWED",)),
        Rule(CLIENT_REFUSED, Phase.TOKEN, codes=("INVALID_CLIENT",)),
        Rule(KEY_REFUSED, Phase.TOKEN, status=(400, 401)),
        Rule(USAGE_FORBIDDEN, Phase.TOKEN, status=(403,)),
        Rule(TOKEN_REFUSED, Phase.CALL, status=(401,)),
        Rule(RIGHT_MISSING, Phase.CALL, status=(403,)),
        Rule(NOT_FOUND, status=(404, 410)),
        Rule(TOO_MANY, status=(429,)),
        Rule(TROUBLE, status=(500, 501, 502, 503, 504)),
    ),
    read_codes=lambda body: _codes(body),
    unknown=UNKNOWN,
)


def _codes(body: Any) -> list[str]:
    """`{"errors":[{"message": ...}]}` or `{"error": ...}`; a message is a code when it looks like one."""
    if not isinstance(body, dict):
        return []
    errors = body.get("errors")
    found = [entry.get("message") for entry in errors if isinstance(entry, dict)] if isinstance(errors, list) else []
    found.append(body.get("error"))
    return [value.upper() for value in found if isinstance(value, str)]
