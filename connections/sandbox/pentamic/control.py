"""Short cuts for tests that do not test the pages: the same deeds over the control API."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from flask import Blueprint, request

from connections.sandbox.kit.site import WrongOrder, required_field, required_object
from connections.sandbox.pentamic.grants import API_SCOPE, COMPANIES, MAIN_COMPANY, Grants, Refused
from connections.sandbox.pentamic.records import STREAMS, Records
from connections.sandbox.pentamic.serializers import Shape


def add_control(pages: Blueprint, grants: Grants, records: Records) -> None:
    """The part of `/pentamic/control/` that only this simulator has; `company` may be told everywhere."""
    _add_access(pages, grants)
    _add_records(pages, records)

    @pages.errorhandler(Refused)
    def refused(error: Refused) -> tuple[dict[str, str], int]:
        return {"error": f"{error.field}: {error}"}, 400


def _add_access(pages: Blueprint, grants: Grants) -> None:
    def client(client_id: str) -> dict[str, Any]:
        row = grants.client(client_id)
        if row is None:
            msg = "there is no such client"
            raise WrongOrder(msg)
        return {
            "client_id": row["id"],
            "client_secret": row["secret"],
            "scope": row["scopes"],
            "enabled": row["disabled_at"] is None,
        }

    @pages.post("/control/setup")
    def control_setup() -> dict[str, Any]:
        """A client for a company, and what the administrator would hand out with it."""
        body = required_object()
        company = _company(body)
        name, scopes = body.get("name", f"{COMPANIES[company]}, portal"), body.get("scopes", [API_SCOPE])
        credentials = client(grants.add_client(company, name=str(name), scopes=list(map(str, scopes))))
        fingerprints = grants.fingerprints()
        return {
            "credentials": {part: credentials[part] for part in ("client_id", "client_secret", "scope")},
            "company_id": company,
            "company": COMPANIES[company],
            "fingerprints": fingerprints,
            "certificates": {door: grants.certificate(door) for door in fingerprints},
            **grants.addresses,
        }

    @pages.post("/control/client")
    def control_client() -> dict[str, Any]:
        """Disable or enable a client, change its scopes, or give it a new secret; tells it as it is then."""
        body = required_object()
        client_id = client(required_field(body, "client_id", str))["client_id"]
        if "enabled" in body:
            grants.enable(client_id, required_field(body, "enabled", bool))
        if "scopes" in body:
            grants.allow_scopes(client_id, required_field(body, "scopes", list))
        if body.get("new_secret"):
            grants.renew_secret(client_id)
        return client(client_id)

    @pages.post("/control/revoke")
    def control_revoke() -> dict[str, Any]:
        """The administrator disables every client, or the one with `client_id`."""
        body = required_object()
        clients = [client(str(body["client_id"]))] if "client_id" in body else grants.clients()
        ids = [each["client_id" if "client_id" in body else "id"] for each in clients]
        for client_id in ids:
            grants.enable(client_id, False)
        return {"revoked": len(ids)}

    @pages.post("/control/certificate")
    def control_certificate() -> dict[str, Any]:
        """The vendor's server serves a new certificate at once; answers its fingerprint and itself."""
        door = required_field(required_object(), "door", str)
        grants.renew_certificate(door)
        return {"door": door, "fingerprint": grants.fingerprints()[door], "certificate": grants.certificate(door)}


def _add_records(pages: Blueprint, records: Records) -> None:
    def rows_of(company: int, stream: str, customer: int | None) -> list[Any]:
        plain = Shape()
        if stream == "customers":
            return [plain.record("Customer", row) for row in records.customers(company)]
        return [plain.record("Invoice", row) for row in records.invoices(company, customer)]

    @pages.get("/control/records")
    def control_records() -> dict[str, Any]:
        """What is kept, whatever the switches make of it: tax codes as text, numbers as numbers."""
        stream, customer = _stream(request.args), request.args.get("customer", type=int)
        return {"records": rows_of(_company(request.args), stream, customer)}

    @pages.post("/control/records")
    def control_hold() -> dict[str, Any]:
        body = required_object()
        company, stream, count = _company(body), _stream(body), required_field(body, "count", int)
        customer = required_field(body, "customer", int) if "customer" in body else None
        if not 0 <= count <= 100_000:
            msg = "count must be from 0 to 100000"
            raise WrongOrder(msg)
        records.hold(company, stream, count, customer)
        return {"stream": stream, "count": count}

    @pages.post("/control/touch")
    def control_touch() -> dict[str, Any]:
        body = required_object()
        ids = required_field(body, "ids", list)
        records.touch(_company(body), _stream(body), ids)
        return {"ids": ids}

    @pages.post("/control/remove")
    def control_remove() -> dict[str, Any]:
        body = required_object()
        ids = required_field(body, "ids", list)
        records.remove(_company(body), _stream(body), ids)
        return {"ids": ids}


def _company(body: Mapping[str, Any]) -> int:
    company = {str(number): number for number in COMPANIES}.get(str(body.get("company", MAIN_COMPANY)))
    if company is None:
        msg = f"company must be one of {', '.join(map(str, COMPANIES))}"
        raise WrongOrder(msg)
    return company


def _stream(body: Mapping[str, Any]) -> str:
    name = str(body.get("stream"))
    if name not in STREAMS:
        msg = f"stream must be one of {', '.join(STREAMS)}"
        raise WrongOrder(msg)
    return name
