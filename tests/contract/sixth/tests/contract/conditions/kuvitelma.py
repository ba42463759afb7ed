"""What may be wrong at the sixth provider."""

from __future__ import annotations

from tests.contract.conditions import CUSTOMER, Condition

CONDITIONS = (
    Condition(
        "the approval was taken back",
        lambda customer: customer.simulator.control("revoke", {}),
        ("access",),
        ("access-ended",),
        CUSTOMER,
        is_short=True,
    ),
)
