"""Short cuts for tests that do not test the pages: the same deeds over the control API."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from flask import Blueprint, request

from connections.sandbox.kit.site import WrongOrder, needed, wanted_object
from connections.sandbox.pentamic.books import STREAMS, Books
from connections.sandbox.pentamic.office import API_SCOPE, COMPANIES, MAIN_COMPANY, Office, Refused
from connections.sandbox.pentamic.shapes import Shape


def add_control(pages: Blueprint, office: Office, books: Books) -> None:
    """The part of `/pentamic/control/` that only this simulator has; `company` may be told everywhere."""
    _add_access(pages, office)
    _add_records(pages, books)

    @pages.errorhandler(Refused)
    def refused(error: Refused) -> tuple[dict[str, str], int]:
        return {"error": f"{error.field}: {error}"}, 400


def _add_access(pages: Blueprint, office: Office) -> None:
    def client(client_id: str) -> dict[str, Any]:
        row = office.client(client_id)
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
        wanted = wanted_object()
        company = _company(wanted)
        name, scopes = wanted.get("name", f"{COMPANIES[company]}, portal"), wanted.get("scopes", [API_SCOPE])
        made = client(office.add_client(company, name=str(name), scopes=list(map(str, scopes))))
        fingerprints = office.fingerprints()
        return {
            "credentials": {part: made[part] for part in ("client_id", "client_secret", "scope")},
            "company_id": company,
            "company": COMPANIES[company],
            "fingerprints": fingerprints,
            "certificates": {door: office.certificate(door) for door in fingerprints},
            **office.addresses,
        }

    @pages.post("/control/client")
    def control_client() -> dict[str, Any]:
        """Disable or enable a client, change its scopes, or give it a new secret; tells it as it is then."""
        wanted = wanted_object()
        found = client(needed(wanted, "client_id", str))["client_id"]
        if "enabled" in wanted:
            office.enable(found, needed(wanted, "enabled", bool))
        if "scopes" in wanted:
            office.allow_scopes(found, needed(wanted, "scopes", list))
        if wanted.get("new_secret"):
            office.renew_secret(found)
        return client(found)

    @pages.post("/control/revoke")
    def control_revoke() -> dict[str, Any]:
        """The administrator disables every client, or the one with `client_id`."""
        wanted = wanted_object()
        found = [client(str(wanted["client_id"]))] if "client_id" in wanted else office.clients()
        ids = [each["client_id" if "client_id" in wanted else "id"] for each in found]
        for client_id in ids:
            office.enable(client_id, False)
        return {"revoked": len(ids)}

    @pages.post("/control/certificate")
    def control_certificate() -> dict[str, Any]:
        """The vendor's server serves a new certificate at once; answers its fingerprint and itself."""
        door = needed(wanted_object(), "door", str)
        office.renew_certificate(door)
        return {"door": door, "fingerprint": office.fingerprints()[door], "certificate": office.certificate(door)}


def _add_records(pages: Blueprint, books: Books) -> None:
    def listed(company: int, stream: str, customer: int | None) -> list[Any]:
        plain = Shape()
        if stream == "customers":
            return [plain.record("Customer", row) for row in books.customers(company)]
        return [plain.record("Invoice", row) for row in books.invoices(company, customer)]

    @pages.get("/control/records")
    def control_records() -> dict[str, Any]:
        """What is kept, whatever the switches make of it: tax codes as text, numbers as numbers."""
        stream, customer = _stream(request.args), request.args.get("customer", type=int)
        return {"records": listed(_company(request.args), stream, customer)}

    @pages.post("/control/records")
    def control_hold() -> dict[str, Any]:
        wanted = wanted_object()
        company, stream, count = _company(wanted), _stream(wanted), needed(wanted, "count", int)
        customer = needed(wanted, "customer", int) if "customer" in wanted else None
        if not 0 <= count <= 100_000:
            msg = "count must be from 0 to 100000"
            raise WrongOrder(msg)
        books.hold(company, stream, count, customer)
        return {"stream": stream, "count": count}

    @pages.post("/control/touch")
    def control_touch() -> dict[str, Any]:
        wanted = wanted_object()
        ids = needed(wanted, "ids", list)
        books.touch(_company(wanted), _stream(wanted), ids)
        return {"ids": ids}

    @pages.post("/control/remove")
    def control_remove() -> dict[str, Any]:
        wanted = wanted_object()
        ids = needed(wanted, "ids", list)
        books.remove(_company(wanted), _stream(wanted), ids)
        return {"ids": ids}


def _company(wanted: Mapping[str, Any]) -> int:
    found = {str(company): company for company in COMPANIES}.get(str(wanted.get("company", MAIN_COMPANY)))
    if found is None:
        msg = f"company must be one of {', '.join(map(str, COMPANIES))}"
        raise WrongOrder(msg)
    return found


def _stream(wanted: Mapping[str, Any]) -> str:
    name = str(wanted.get("stream"))
    if name not in STREAMS:
        msg = f"stream must be one of {', '.join(STREAMS)}"
        raise WrongOrder(msg)
    return name
