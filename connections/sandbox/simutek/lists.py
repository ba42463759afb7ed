"""How the one list is asked for and answered: its parameters under either set of names, paging and the envelope."""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from typing import Any

from connections.sandbox.kit.switches import Switches
from connections.sandbox.simutek.errors import Problem
from connections.sandbox.simutek.records import Customer, Customers, encoded

DEFAULT_SIZE, MAX_SIZE = 50, 100
# Meaning, name under "long", name under "short".
NAMES = {
    "number": ("customerNumber", "number"),
    "name": ("name", "companyName"),
    "corporate_identity": ("corporateIdentityNumber", "orgNumber"),
    "page": ("page", "pageNumber"),
    "size": ("pageSize", "pageSize"),
}
PLAIN_PARAMETERS = ("page", "pageNumber", "pageSize")
EXTRA = {"customerCategory": "ÅTERFÖRSÄLJARE", "isBlocked": False, "paymentTermsDays": 30, "tags": ["påhittad"]}


def search(customers: Customers, query: Mapping[str, str], switches: Switches) -> bytes:
    """One page of what matches, as JSON. Raises Problem (400)."""
    names = {meaning: pair[switches["parameter_names"] == "short"] for meaning, pair in NAMES.items()}
    strange = sorted(set(query) - set(names.values()))
    if strange and switches["unknown_parameters"] == "refused":
        raise Problem(400, {name: ["There is no such parameter."] for name in strange})
    page = _number(query, names["page"], 1)
    size = _number(query, names["size"], DEFAULT_SIZE)
    if size > MAX_SIZE:
        if switches["page_too_large"] == "refused":
            raise Problem(400, {names["size"]: [f"The page size is at most {MAX_SIZE}."]})
        size = MAX_SIZE
    filters = {meaning: query.get(names[meaning], "") for meaning in ("number", "name", "corporate_identity")}
    matches = customers.filter(**filters)
    page_customers = matches[(page - 1) * size : page * size]
    items = b"[" + b",".join(serialize(customer, switches) for customer in page_customers) + b"]"
    envelope = switches["list_envelope"]
    if envelope == "array":
        return items
    meta: dict[str, int] = {}
    if envelope == "items":
        meta = {"page": page, "pageSize": size}
        if switches["total_count"] != "missing":
            meta["totalCount"] = len(matches if switches["total_count"] == "all" else page_customers)
    rest = b"".join(f",{json.dumps(name)}:{value}".encode() for name, value in meta.items())
    return b'{"' + envelope.encode() + b'":' + items + rest + b"}"


def serialize(customer: Customer, switches: Switches) -> bytes:
    """One customer as lists and single gets tell it."""
    absent, extra = switches["empty_fields"] == "absent", switches.on("extra_fields")
    if not absent and not extra:
        return customer.encoded
    body: dict[str, Any] = {**customer.body, **EXTRA} if extra else customer.body
    return encoded(_without_nulls(body) if absent else body)


def _without_nulls(body: dict[str, Any]) -> dict[str, Any]:
    return {
        name: _without_nulls(value) if isinstance(value, dict) else value
        for name, value in body.items()
        if value is not None
    }


def _number(query: Mapping[str, str], name: str, default: int) -> int:
    text = query.get(name)
    if text is None:
        return default
    if not re.fullmatch(r"[0-9]{1,6}", text) or int(text) < 1:
        raise Problem(400, {name: [f"{name} must be a whole number of at least 1."]})
    return int(text)
