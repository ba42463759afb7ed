"""What a record looks like after somebody in Procountor saved it again: a little changed."""

from __future__ import annotations

import re
from datetime import date, timedelta
from typing import Any

Body = dict[str, Any]

TEXTS = {
    "products": "name",
    "ledger_receipts": "name",
    "payments": "description",
    "reference_payments": "name",
    "bank_accounts": "bankName",
    "dimensions": "name",
    "accounts": "name",
}
_TIMES = re.compile(r"(.*?)(?: ?\(muutettu (\d+)\))?", re.DOTALL)


def edited(stream: str, whole: Body, version: str, active: bool | None) -> Body:
    """The whole record with a new version, and something in its list form that was not so before."""
    changed = {**whole, **({"version": version} if "version" in whole else {})}
    if stream == "partners":
        address = whole["billingAddress"] or {}
        changed["billingAddress"] = {**address, "specifier": _again(address.get("specifier"))}
        if active is not None:
            changed["registryInfo"] = {**(whole["registryInfo"] or {}), "active": active}
    elif stream == "invoices":
        due = whole["newDueDate"] or whole["dueDate"]
        later = (date.fromisoformat(due) + timedelta(days=7)).isoformat()
        changed["newDueDate"] = later
        changed["paymentInfo"] = {**whole["paymentInfo"], "newDueDate": later}
    elif stream == "bank_statements":
        changed["endBalance"] = round(whole["endBalance"] + 0.01, 2)
    elif stream == "fiscal_years":
        again = f"{whole['endDate']}T00:00:00" if whole["modified"] == version else version
        changed["modified"] = again
    else:
        changed[TEXTS[stream]] = _again(whole[TEXTS[stream]])
    return changed


def _again(text: str | None) -> str:
    matched = _TIMES.fullmatch(text or "")
    before, times = (matched[1], int(matched[2] or 0)) if matched else ("", 0)
    return f"{before} (muutettu {times + 1})".strip()
