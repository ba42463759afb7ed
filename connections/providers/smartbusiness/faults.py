"""What SmartBusiness's refusals mean, who mends them, and at which checkpoint. Codes are those of its error bodies."""

from __future__ import annotations

from typing import Any

from django.utils.translation import gettext_lazy as _

from connections.spec.faults import Fault, FaultCatalogue, Phase, Responsible, Rule

ACCESS_ENDED = Fault(
    "access-ended",
    Responsible.CUSTOMER,
    _("SmartBusiness no longer accepts our access: it was taken back there. Connect once more."),
    "The refresh token is refused: revoked in the app, or used twice.",
    "access",
)
ACCESS_LOST = Fault(
    "access-lost",
    Responsible.CUSTOMER,
    _(
        "An answer of SmartBusiness was lost while we renewed our access, and now the access is gone. Connect once more."
    ),
    "Refresh tokens work once. The answer to a refresh was lost, so nobody knows the new one, nor why.",
    "access",
)
CLIENT_WRONG = Fault(
    "client-wrong",
    Responsible.CUSTOMER,
    _("SmartBusiness does not accept the client id and secret. Compare them with those in SmartBusiness."),
    "invalid_client for a client that the customer registered, and that never gave us a session: mistyped, or deleted.",
    "access",
)
CLIENT_REFUSED = Fault(
    "client-refused",
    Responsible.CUSTOMER,
    _(
        "SmartBusiness no longer accepts the client id and secret: the client was deleted there, or has a new secret. "
        "Enter those of a client that is there."
    ),
    "invalid_client for the client that the customer registered and that has worked before: deleted or replaced in the app.",
    "access",
    never_worked=CLIENT_WRONG,
)
OUR_CLIENT_REFUSED = Fault(
    "our-client-refused",
    Responsible.US,
    _(
        "SmartBusiness does not accept our own registration. Our staff can see it and must mend it; you need not do anything."
    ),
    "invalid_client for our registration of this environment: check its client id and secret.",
)
SCOPE_REFUSED = Fault(
    "scope-refused",
    Responsible.CUSTOMER,
    _(
        "Our access to SmartBusiness lacks a scope that we need. It takes all of these: profile, contact, catalog, invoice, "
        "offer, order_confirmation and configuration."
    ),
    "invalid_scopes or required_scopes_missing (codes 11 and 12), at a token request or a call: too few scopes were ticked.",
    "scopes",
    names=_(
        "Our access to SmartBusiness lacks the scope for “%(thing)s”. It takes all of these: profile, contact, catalog, "
        "invoice, offer, order_confirmation and configuration."
    ),
)
TOKEN_REFUSED = Fault(
    "token-refused",
    Responsible.CUSTOMER,
    _("SmartBusiness ended our session, and a new one was refused as well. Give us access once more."),
    "A call was answered 401 even with a token fetched a moment before.",
    "access",
)
PERMISSION_MISSING = Fault(
    "permission-missing",
    Responsible.CUSTOMER,
    _(
        "The user who gave us access lacks a right in SmartBusiness that we need. Give it to them there, then check again."
    ),
    "403 code 5000: the user lacks the permission.",
    "scopes",
    names=_(
        "The user who gave us access may not open “%(thing)s” in SmartBusiness. Give them the right there, then check again."
    ),
)
PLAN_LACKS = Fault(
    "plan-lacks-feature",
    Responsible.CUSTOMER,
    _(
        "Your SmartBusiness plan does not include the API, or something that we read. Ask SmartBusiness for a plan that does."
    ),
    "403 code 4000: the plan lacks the feature (meta.feature, meta.plans).",
    "account",
    names=_("Your SmartBusiness plan does not include “%(thing)s”. Ask SmartBusiness for a plan that does."),
)
PLAN_LIMIT = Fault(
    "plan-limit",
    Responsible.CUSTOMER,
    _("A limit of your SmartBusiness plan is reached. Delete something there, or choose a larger plan."),
    "402, codes 4001 (hard), 4002 (soft), 4003 (total).",
    "account",
)
NOT_FOUND = Fault(
    "not-found",
    Responsible.NOBODY,
    _("SmartBusiness does not know what was asked for: it is not there any more."),
    "404 code 3000: the thing asked for does not exist.",
)
INVALID = Fault(
    "invalid-fields",
    Responsible.NOBODY,
    _("SmartBusiness refused some of the values of a request."),
    "422 code 1000: validation; meta.errors names the fields.",
)
BAD_REQUEST = Fault(
    "bad-request",
    Responsible.US,
    _("SmartBusiness did not understand a request of ours. Our staff can see it."),
    "400, codes 2000 and 2100 to 2104: with, filter, sort, limit or offset; or 422 to something that we read.",
)
TOO_MANY = Fault(
    "too-many-requests",
    Responsible.NOBODY,
    _("SmartBusiness asked us to slow down. We go on by ourselves."),
    "429 code 6000: wait as many seconds as X-Rate-Limit-Reset says.",
)
OFFLINE = Fault(
    "maintenance",
    Responsible.NOBODY,
    _("SmartBusiness is being maintained. We try again by ourselves."),
    "503 code 8000: the application is offline.",
)
TROUBLE = Fault(
    "provider-trouble",
    Responsible.NOBODY,
    _("SmartBusiness has trouble at the moment. We try again by ourselves."),
    "5xx: the provider's own error. What reads is sent again after pauses, and the request log has every attempt.",
)
UNKNOWN = Fault(
    "unknown-refusal",
    Responsible.US,
    _("SmartBusiness refused a request in a way we do not know yet. Our staff can see it."),
    "A refusal that no rule of the catalogue matches: look at the request log entry.",
)

# What 422 says of a field, by its code.
FIELD_SENTENCES = {
    "field-1100": _("is required"),
    "field-1101": _("has the wrong type"),
    "field-1102": _("has a value that is not allowed"),
    "field-1103": _("has the wrong form"),
    "field-1104": _("cannot be changed"),
    "field-1105": _("exists already"),
    "field-1106": _("is too large a file"),
    "field-1107": _("is a file of the wrong kind"),
    "field-1108": _("is not a file that can be read"),
}


def codes(body: Any) -> list[str]:
    """`{"code", "message", "meta"}` of calls; `{"error", ...}` of token requests (league/oauth2-server)."""
    if not isinstance(body, dict):
        return []
    meta = body.get("meta")
    values = [body.get("code"), body.get("error"), meta.get("error_type") if isinstance(meta, dict) else None]
    return [str(value) for value in values if isinstance(value, str | int) and not isinstance(value, bool)]


def fields(body: Any) -> list[tuple[str, str]]:
    """`meta.errors[]` of 422: `{"key", "code", "message"}`; a nested key is taken for a dotted path."""
    meta = body.get("meta") if isinstance(body, dict) else None
    errors = meta.get("errors") if isinstance(meta, dict) else None
    entries = [each for each in errors if isinstance(each, dict)] if isinstance(errors, list) else []
    troubles = [
        (str(each.get("key", "")), f"field-{each.get('code')}", str(each.get("message", ""))) for each in entries
    ]
    return [(key, code if code in FIELD_SENTENCES else message) for key, code, message in troubles]


FAULTS = FaultCatalogue(
    rules=(
        Rule(TOO_MANY, status=(429,)),
        Rule(OFFLINE, status=(503,)),
        Rule(TROUBLE, status=(500, 501, 502, 504)),
        Rule(OUR_CLIENT_REFUSED, Phase.GRANT, codes=("INVALID_CLIENT", "UNAUTHORIZED_CLIENT")),
        Rule(CLIENT_REFUSED, Phase.TOKEN, codes=("INVALID_CLIENT", "UNAUTHORIZED_CLIENT")),
        Rule(
            SCOPE_REFUSED,
            codes=("REQUIRED_SCOPES_MISSING", "INVALID_SCOPES", "INVALID_SCOPE", "11", "12"),
        ),
        Rule(ACCESS_ENDED, Phase.GRANT, codes=("INVALID_GRANT",)),
        Rule(TOKEN_REFUSED, Phase.CALL, status=(401,)),
        Rule(PLAN_LIMIT, Phase.CALL, status=(402,), in_words=True),
        Rule(PLAN_LIMIT, Phase.CALL, status=(402,)),
        Rule(PLAN_LACKS, Phase.CALL, status=(403,), codes=("4000",)),
        Rule(PERMISSION_MISSING, Phase.CALL, status=(403,), codes=("5000",)),
        Rule(PERMISSION_MISSING, Phase.CALL, status=(403,)),
        Rule(NOT_FOUND, Phase.CALL, status=(404,)),
        Rule(BAD_REQUEST, Phase.CALL, status=(422,), reads=True),
        Rule(INVALID, Phase.CALL, status=(422,)),
        Rule(BAD_REQUEST, Phase.CALL, status=(400, 405, 413)),
    ),
    read_codes=codes,
    unknown=UNKNOWN,
    read_fields=fields,
    more=(ACCESS_LOST,),
)
