"""The vendor's two calls about an activation request."""

from __future__ import annotations

import secrets
from datetime import datetime
from typing import Any

from flask import Flask, Response, g, request

from connections.sandbox.procountor.accounts import VENDOR
from connections.sandbox.procountor.activation import REASON_LIMIT_CHARACTERS, Activations
from connections.sandbox.procountor.grants import Grants
from connections.sandbox.procountor.records import FINLAND
from connections.sandbox.procountor.tokens import trouble
from connections.sandbox.procountor.validation import Body, WrongBody
from connections.sandbox.procountor.writes import NotThere, Writing


def add_integrations(app: Flask, activations: Activations, grants: Grants, writing: Writing) -> None:
    """`GET` and `PUT /integrations/{requestId}`; what opens them is a switch, as nothing is documented."""

    def vendor() -> str | None:
        """The client that asks, once it has proved itself."""
        way = activations.kit.switches["integrations_auth"]
        if way == "m2m":
            kind, _, token = request.headers.get("Authorization", "").partition(" ")
            session = grants.find(token) if kind.lower() == "bearer" else None
            own = session is not None and session.m2m and session.company["id"] == VENDOR[0]
            return session.client_id if session is not None and own else None
        if way == "basic":
            ident, secret = (
                (request.authorization.username, request.authorization.password)
                if (request.authorization and request.authorization.type == "basic")
                else (None, None)
            )
        else:
            ident, secret = request.headers.get("client-id"), request.headers.get("client-secret")
        client = activations.accounts.client(ident or "")
        good = client is not None and secrets.compare_digest(client["secret"].encode(), (secret or "").encode())
        return client["id"] if client is not None and good else None

    def open_request(ident: str) -> Any:
        client_id = vendor()
        if client_id is None:
            return trouble(401, "The vendor's credentials are missing or wrong")
        row = activations.request(ident)
        if row is None or row["client_id"] != client_id:
            raise NotThere
        return trouble(410, "The integration request has expired") if activations.expired(row) else row

    @app.get("/integrations/<ident>")
    def integration(ident: str) -> Response:
        row = open_request(ident)
        if isinstance(row, Response):
            return row
        expires = datetime.fromtimestamp(row["expires_at"], tz=FINLAND).strftime("%Y-%m-%dT%H:%M:%S")
        answer: Response = g.json(
            {
                "integrationId": row["specification_id"],
                "expires": expires,
                "initiator": {"email": row["email"], "userFullName": row["full_name"]},
                "companiesToIntegrate": companies_of(row["companies"]),
            }
        )
        return answer

    @app.put("/integrations/<ident>")
    def answer_integration(ident: str) -> Response:
        row = open_request(ident)
        if isinstance(row, Response):
            return row
        approved, rejected = decided(writing.raw())
        company_ids = sorted(company["companyId"] for company in companies_of(row["companies"]))
        if sorted(approved + rejected) != company_ids:
            raise WrongBody((None, "approve and reject must cover exactly the companies of the request"))
        answer: Response = g.json(activations.approve(row, approved))
        return answer

    def companies_of(text: str) -> list[Body]:
        companies: list[Body] = app.json.loads(text)
        return companies


def decided(body: Body) -> tuple[list[int], list[int]]:
    """The companies approved and those rejected. Raises WrongBody."""
    approved, rejected = body.get("approve") or [], body.get("reject") or []
    if not isinstance(approved, list) or not all(type(company) is int for company in approved):
        raise WrongBody(("approve", "must be a list of company ids"))
    if not isinstance(rejected, list) or not all(
        isinstance(each, dict) and type(each.get("companyId")) is int for each in rejected
    ):
        raise WrongBody(("reject", "must be a list of companyId and reason"))
    for place, each in enumerate(rejected):
        if not isinstance(each.get("reason"), str) or not 0 < len(each["reason"]) <= REASON_LIMIT_CHARACTERS:
            raise WrongBody(
                (f"reject[{place}].reason", f"must be a text of at most {REASON_LIMIT_CHARACTERS} characters")
            )
    return approved, [each["companyId"] for each in rejected]
