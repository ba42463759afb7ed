"""What may be wrong at Hesabit."""

from __future__ import annotations

from typing import TYPE_CHECKING

from tests.contract.conditions import CUSTOMER, NOBODY, US, Condition
from tests.contract.conditions.everywhere import ALWAYS, other_registration

if TYPE_CHECKING:
    from tests.contract.customers import Customer

FORBIDDEN = {"status": 403, "body": '{"error": "forbidden"}'}


def revoked(customer: Customer, **switches: str) -> None:
    customer.simulator.control("switches", switches)
    customer.simulator.control("revoke", {})


CONDITIONS = (
    Condition(
        "the approval was taken back in the panel",
        revoked,
        ("access",),
        ("access-ended",),
        CUSTOMER,
        "approval was taken back",
        is_short=True,
    ),
    Condition(
        "the approval was taken back, and its access token lives on",
        lambda customer: revoked(customer, revocation_ends_access="off"),
        ("access",),
        ("access-ended",),
        CUSTOMER,
        "approval was taken back",
    ),
    Condition(
        "the package has ended",
        lambda customer: customer.simulator.control("package", {"active": False}),
        blind="Hesabit's API tells nothing of the package; it matters for payments on the invoice alone.",
        is_short=True,
    ),
    Condition(
        "invoices are refused with 403",
        lambda customer: customer.simulator.faults({"path": "/invoices", **FORBIDDEN, **ALWAYS}),
        ("access",),
        ("right-missing",),
        CUSTOMER,
        "Invoices",
    ),
    Condition(
        "items are refused with 403",
        lambda customer: customer.simulator.faults({"path": "/items", **FORBIDDEN, **ALWAYS}),
        ("access",),
        ("right-missing",),
        CUSTOMER,
        "Items",
    ),
    Condition(
        "the day's requests are used up",
        lambda customer: customer.simulator.control("budget", {"limit": 0}),
        codes=("too-many-requests",),
        responsible=NOBODY,
        is_short=True,
    ),
    Condition(
        "our client's secret is not the one that Hesabit knows",
        other_registration,
        codes=("client-refused",),
        responsible=US,
        thing="our own registration",
    ),
    Condition(
        "the person who should approve denies",
        lambda customer: customer.sign_in(deny=True),
        codes=("access_denied",),
        thing="declined",
        is_before=True,
        is_login=True,
    ),
)
