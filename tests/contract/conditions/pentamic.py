"""What may be wrong at Pentamic."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from tests.contract.conditions import CUSTOMER, Condition
from tests.contract.conditions.everywhere import ALWAYS

if TYPE_CHECKING:
    from tests.contract.customers import Customer


def client(customer: Customer, **change: Any) -> None:
    changed = customer.simulator.control("client", {"client_id": customer.given["client_id"], **change})
    customer.secrets.add(changed["client_secret"])


def disabled(customer: Customer, **switches: str) -> None:
    customer.simulator.control("switches", switches)
    client(customer, enabled=False)


def renewed(customer: Customer, door: str) -> None:
    customer.simulator.control("certificate", {"door": door})


CONDITIONS = (
    Condition(
        "Pentamic's administrator disabled the client",
        disabled,
        ("access",),
        ("client-refused",),
        CUSTOMER,
        "the client was disabled",
        is_short=True,
    ),
    Condition(
        "the client was disabled, and its tokens end at once",
        lambda customer: disabled(customer, disabled_client_tokens="dead"),
        ("access",),
        ("client-refused",),
        CUSTOMER,
        "the client was disabled",
    ),
    Condition(
        "the client was disabled, and refusals are 401",
        lambda customer: disabled(customer, token_error_status="401"),
        ("access",),
        ("client-refused",),
        CUSTOMER,
        "the client was disabled",
    ),
    Condition(
        "the client has a new secret",
        lambda customer: client(customer, new_secret=True),
        ("access",),
        ("client-refused",),
        CUSTOMER,
        "has a new secret",
    ),
    Condition(
        "the scope was taken away from the client",
        lambda customer: client(customer, scopes=["pa-reports"]),
        ("access",),
        ("scope-refused",),
        CUSTOMER,
        "the scope",
        is_short=True,
    ),
    Condition(
        "a wrong secret is typed in",
        lambda customer: customer.type_anew(client_secret="not-the-secret-of-this-client"),
        ("access",),
        ("client-wrong",),
        CUSTOMER,
        "Compare them with what their administrator sent you",
    ),
    Condition(
        "a wrong scope is typed in",
        lambda customer: customer.type_anew(scope="pa-something-else", client_secret=customer.given["client_secret"]),
        ("access",),
        ("scope-refused",),
        CUSTOMER,
        "the scope",
    ),
    Condition(
        "the customers are refused with 403 without a word",
        lambda customer: customer.simulator.faults({"path": "/customers", "status": 403, "body": "", **ALWAYS}),
        ("access",),
        ("right-missing",),
        CUSTOMER,
        "Customers",
    ),
    Condition(
        "the API's address is another service",
        lambda customer: customer.simulator.faults({"path": "/customers", "status": 404, "body": "", **ALWAYS}),
        ("addresses",),
        ("not-found",),
        CUSTOMER,
        "Compare the address",
    ),
    # -- before anything has worked
    Condition(
        "a wrong secret from the start",
        lambda customer: customer.given.update(client_secret="not-the-secret-of-this-client"),
        ("access",),
        ("client-wrong",),
        CUSTOMER,
        "Compare them with what their administrator sent you",
        is_before=True,
    ),
    Condition(
        "a wrong scope from the start",
        lambda customer: customer.given.update(scope="pa-something-else"),
        ("access",),
        ("scope-refused",),
        CUSTOMER,
        "the scope",
        is_before=True,
    ),
    Condition(
        "the client was disabled before it was entered",
        disabled,
        ("access",),
        ("client-wrong",),
        CUSTOMER,
        "Compare them with what their administrator sent you",
        is_before=True,
    ),
    # -- what cannot be taken back
    Condition(
        "the certificate of the API's server was renewed",
        lambda customer: renewed(customer, "api"),
        ("certificate",),
        ("certificate-changed", "pin-broken"),
        CUSTOMER,
        "another certificate",
        lasts=True,
        is_short=True,
    ),
    Condition(
        "the certificate of the server that signs us in was renewed",
        lambda customer: renewed(customer, "identity"),
        ("certificate",),
        ("certificate-changed", "pin-broken"),
        CUSTOMER,
        "another certificate",
        lasts=True,
    ),
)
