"""What Kuvitelma's refusals mean, who mends them, and at which checkpoint."""

from __future__ import annotations

from typing import Any

from django.utils.translation import gettext_lazy as _

from connections.spec.faults import Fault, FaultCatalogue, Phase, Responsible, Rule

ACCESS_ENDED = Fault(
    "access-ended",
    Responsible.CUSTOMER,
    _("Kuvitelma no longer lets us in. Give the access once more."),
    "The refresh token is refused.",
    "access",
)
ACCESS_LOST = Fault(
    "access-lost",
    Responsible.CUSTOMER,
    _("An answer of Kuvitelma was lost while we renewed our access. Connect once more."),
    "Refresh tokens work once; the answer to a refresh was lost.",
    "access",
)
CLIENT_REFUSED = Fault(
    "client-refused",
    Responsible.US,
    _("Kuvitelma does not accept our own registration. Our staff can see it and must mend it."),
    "invalid_client: check the client registration of this environment.",
)
KEY_REFUSED = Fault(
    "key-refused",
    Responsible.CUSTOMER,
    _("Kuvitelma does not accept this client. Compare both values with those at Kuvitelma."),
    "The customer's own client is refused.",
    "access",
)
FORBIDDEN = Fault(
    "forbidden", Responsible.CUSTOMER, _("The access does not include this."), "403: a right is missing.", "access"
)
NOT_FOUND = Fault("not-found", Responsible.NOBODY, _("Kuvitelma does not know this any more."), "404.")
INVALID = Fault("invalid-fields", Responsible.NOBODY, _("Kuvitelma refused some of the values."), "400 or 422.")
BAD_REQUEST = Fault(
    "bad-request",
    Responsible.US,
    _("Kuvitelma did not understand a request of ours. Our staff can see it and must mend it."),
    "400 or 422 to something that we read.",
)
TOO_MANY = Fault("too-many-requests", Responsible.NOBODY, _("Kuvitelma asked us to slow down."), "429.")
TROUBLE = Fault(
    "provider-trouble",
    Responsible.NOBODY,
    _("Kuvitelma has trouble at the moment."),
    "5xx.",
)
UNKNOWN = Fault(
    "unknown-refusal", Responsible.US, _("Kuvitelma refused in a way we do not know yet."), "No rule matches."
)


def codes(body: Any) -> list[str]:
    """`{"error": "..."}`."""
    return [str(body["error"])] if isinstance(body, dict) and isinstance(body.get("error"), str) else []


FAULTS = FaultCatalogue(
    rules=(
        Rule(TOO_MANY, status=(429,)),
        Rule(CLIENT_REFUSED, Phase.GRANT, codes=("INVALID_CLIENT",)),
        Rule(ACCESS_ENDED, Phase.GRANT, codes=("INVALID_GRANT",)),
        Rule(KEY_REFUSED, Phase.TOKEN, codes=("INVALID_CLIENT", "INVALID_GRANT")),
        Rule(ACCESS_ENDED, Phase.CALL, status=(401,)),
        Rule(FORBIDDEN, status=(403,)),
        Rule(NOT_FOUND, status=(404,)),
        Rule(BAD_REQUEST, Phase.CALL, status=(400, 415, 422), reads=True),
        Rule(INVALID, status=(400, 422)),
        Rule(TROUBLE, status=(500, 501, 502, 503, 504)),
    ),
    read_codes=codes,
    unknown=UNKNOWN,
    more=(ACCESS_LOST,),
)
