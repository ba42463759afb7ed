"""What may be wrong at SmartBusiness."""

from __future__ import annotations

from typing import TYPE_CHECKING

from connections.providers.smartbusiness.checklist import SCOPES
from connections.sandbox.smartbusiness.sample_data import COMPANIES
from tests.contract.conditions import CUSTOMER, NOBODY, US, Condition
from tests.contract.conditions.everywhere import other_registration

if TYPE_CHECKING:
    from tests.contract.customers import Customer

CONSENT, OWN_CLIENT = ("consent",), ("own-client",)
AREAS = {"contacts": "Contacts", "catalog": "Products", "receivables": "Invoices", "configuration": "Bank accounts"}


def rights(area: str, thing: str) -> Condition:
    return Condition(
        f"the user may not see {area} any more",
        lambda customer: customer.simulator.control("rights", {"rights": {area: "none"}}),
        ("scopes",),
        ("permission-missing",),
        CUSTOMER,
        thing,
        is_short=area == "contacts",
    )


def client_of(customer: Customer, **wanted: object) -> dict[str, str]:
    """A client of its own, made at SmartBusiness."""
    made: dict[str, str] = customer.simulator.control("setup", wanted)["credentials"]
    customer.secrets.add(made["client_secret"])
    return made


def without_scope(scope: str) -> Condition:
    return Condition(
        f"a client without the scope {scope} is typed in",
        lambda customer: customer.type_anew(**client_of(customer, scopes=[each for each in SCOPES if each != scope])),
        ("scopes",),
        ("scope-refused",),
        CUSTOMER,
        scope,
        grants=OWN_CLIENT,
        is_short=scope == "invoice",
    )


def revoked(customer: Customer, **switches: str) -> None:
    customer.simulator.control("switches", switches)
    customer.simulator.control("revoke", {})


CONDITIONS = (
    Condition(
        "the access was taken back in SmartBusiness",
        revoked,
        ("access",),
        ("access-ended",),
        CUSTOMER,
        "it was taken back there",
        grants=CONSENT,
        is_short=True,
    ),
    Condition(
        "the access was taken back, and its access token lives on",
        lambda customer: revoked(customer, revocation_ends_access="off"),
        ("access",),
        ("access-ended",),
        CUSTOMER,
        "it was taken back there",
        grants=CONSENT,
    ),
    Condition(
        "the access was taken back, and a refused refresh is 401 invalid_request",
        lambda customer: revoked(customer, refused_refresh="401"),
        codes=("turned-away", "token-refused"),
        alike="a fault of our own request",
        grants=CONSENT,
    ),
    Condition(
        "the client was deleted in SmartBusiness",
        revoked,
        ("access",),
        ("client-refused",),
        CUSTOMER,
        "the client was deleted there",
        grants=OWN_CLIENT,
        is_short=True,
    ),
    *(rights(area, thing) for area, thing in AREAS.items()),
    *(without_scope(scope) for scope in SCOPES),
    Condition(
        "the plan lacks offers and order confirmations",
        lambda customer: customer.simulator.control("plan", {"plan": "basic"}),
        ("account",),
        ("plan-lacks-feature",),
        CUSTOMER,
        "Offers",
    ),
    Condition(
        "the plan lacks the API",
        lambda customer: customer.simulator.control("plan", {"plan": "free"}),
        ("account",),
        ("plan-lacks-feature",),
        CUSTOMER,
        "the API",
    ),
    Condition(
        "a limit of the plan is reached",
        lambda customer: customer.simulator.control("plan", {"limit": 4001}),
    ),
    Condition(
        "the allowance of requests is used up",
        lambda customer: customer.simulator.control("rate", {"limit": 0, "seconds": 600}),
        codes=("too-many-requests",),
        responsible=NOBODY,
    ),
    Condition(
        "a wrong secret is typed in",
        lambda customer: customer.type_anew(client_secret="not-the-secret-of-this-client"),
        ("access",),
        ("client-wrong",),
        CUSTOMER,
        "Compare them with those in SmartBusiness",
        grants=OWN_CLIENT,
    ),
    Condition(
        "a client of another company is typed in",
        lambda customer: customer.type_anew(**client_of(customer, company=COMPANIES[1])),
        ("access",),
        ("company-other",),
        CUSTOMER,
        "Atelier du Lac Fictif",
        grants=OWN_CLIENT,
    ),
    Condition(
        "somebody of another company signs in",
        lambda customer: customer.sign_in(company=COMPANIES[1]),
        ("access",),
        ("company-other",),
        CUSTOMER,
        "Atelier du Lac Fictif",
        grants=CONSENT,
    ),
    Condition(
        "our client's secret is not the one that SmartBusiness knows",
        other_registration,
        codes=("our-client-refused",),
        responsible=US,
        thing="our own registration",
        grants=CONSENT,
    ),
    # -- before anything has worked
    Condition(
        "a wrong secret from the start",
        lambda customer: customer.given.update(client_secret="not-the-secret-of-this-client"),
        ("access",),
        ("client-wrong",),
        CUSTOMER,
        "Compare them with those in SmartBusiness",
        grants=OWN_CLIENT,
        is_before=True,
    ),
    Condition(
        "a client without the scope invoice, from the start",
        lambda customer: customer.given.update(client_of(customer, scopes=[s for s in SCOPES if s != "invoice"])),
        ("scopes",),
        ("scope-refused",),
        CUSTOMER,
        "invoice",
        grants=OWN_CLIENT,
        is_before=True,
    ),
    Condition(
        "the plan lacks the API from the start",
        lambda customer: customer.simulator.control("plan", {"plan": "free"}),
        ("account",),
        ("plan-lacks-feature",),
        CUSTOMER,
        "the API",
        is_before=True,
    ),
    Condition(
        "the person who should allow it denies",
        lambda customer: customer.sign_in(deny=True),
        codes=("access_denied",),
        thing="declined",
        grants=CONSENT,
        is_before=True,
        is_login=True,
    ),
)
