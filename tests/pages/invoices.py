"""An invoice as a provider lists it."""

from __future__ import annotations

from typing import Any


def invoice(number: int, **more: Any) -> dict[str, Any]:
    partner = {"counterPartyAddress": {"name": f"Halla {number} Oy"}}
    return {"id": number, "invoiceNumber": 1000 + number, "counterParty": partner, **more}
