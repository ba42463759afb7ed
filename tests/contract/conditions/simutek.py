"""What may be wrong at Simutek's GKS4."""

from __future__ import annotations

from typing import TYPE_CHECKING

from tests.contract.conditions import CUSTOMER, US, Condition
from tests.contract.conditions.everywhere import ALWAYS

if TYPE_CHECKING:
    from tests.contract.customers import Customer

INSIDE = "https://localhost:64999"  # no address that a customer may have


def disabled(customer: Customer, **switches: str) -> None:
    customer.simulator.control("switches", switches)
    customer.simulator.control("revoke", {})


def other_resources(customer: Customer) -> dict[str, str]:
    """A client that may do sales orders alone."""
    made: dict[str, str] = customer.simulator.control("setup", {"resources": ["salesorders"]})["credentials"]
    customer.secrets.add(made["client_secret"])
    return made


CONDITIONS = (
    Condition(
        "Simutek disabled the client",
        disabled,
        ("access",),
        ("client-refused",),
        CUSTOMER,
        "client id and secret",
        is_short=True,
    ),
    Condition(
        "Simutek disabled the client, and a refusal is plain text",
        lambda customer: disabled(customer, token_error_body="text"),
        ("access",),
        ("client-refused",),
        CUSTOMER,
        "client id and secret",
    ),
    Condition(
        "Simutek disabled the client, and a refusal says nothing",
        lambda customer: disabled(customer, token_error_body="empty"),
        codes=("turned-away",),
        alike="a proxy on the way",
        thing="ask the provider",
    ),
    Condition(
        "a wrong secret is typed in",
        lambda customer: customer.type_anew(client_secret="not-the-secret-of-this-client"),
        ("access",),
        ("client-wrong",),
        CUSTOMER,
        "Compare them with what Simutek sent you",
        is_short=True,
    ),
    Condition(
        "a client that may not read customers is typed in",
        lambda customer: customer.type_anew(**other_resources(customer)),
        ("access",),
        ("right-missing",),
        CUSTOMER,
        "Customers",
    ),
    Condition(
        "the search of customers is refused with 403",
        lambda customer: customer.simulator.faults({"path": "/api/v1/companies", "status": 403, "body": "", **ALWAYS}),
        ("access",),
        ("right-missing",),
        CUSTOMER,
        "Customers",
    ),
    # -- before anything has worked
    Condition(
        "a wrong secret from the start",
        lambda customer: customer.given.update(client_secret="not-the-secret-of-this-client"),
        ("access",),
        ("client-wrong",),
        CUSTOMER,
        "Compare them with what Simutek sent you",
        is_before=True,
    ),
    Condition(
        "the client was disabled before it was entered",
        disabled,
        ("access",),
        ("client-wrong",),
        CUSTOMER,
        "Compare them with what Simutek sent you",
        is_before=True,
    ),
    Condition(
        "a client that may not read customers, from the start",
        lambda customer: customer.given.update(other_resources(customer)),
        ("access",),
        ("right-missing",),
        CUSTOMER,
        "Customers",
        is_before=True,
    ),
    Condition(
        "an address that our own network rules refuse, from the start",
        lambda customer: customer.given.update(api_url=INSIDE),
        codes=("blocked",),
        responsible=US,
        thing="network rules",
        is_before=True,
    ),
)
