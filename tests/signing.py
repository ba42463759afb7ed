"""A provider with every way to sign in that the spec knows, and a server that plays its part byte by byte."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta, timezone
from types import MappingProxyType
from typing import Any
from urllib.parse import parse_qs, urlsplit

import pytest
from django.conf import settings

from connections.providers import registry
from connections.providers.procountor.checklist import company
from connections.providers.procountor.provider import PROVIDER
from connections.spec import proofs
from connections.spec.checklist import Asker, Checkpoint, Finding, LogProbe, MarkState, Probe
from connections.spec.faults import Fault, Phase, Responsible, Rule
from connections.spec.grants import Activation, AuthorizationCode, KeyLogin, Proposal
from connections.spec.operations import Operation
from connections.spec.provider import Provider
from connections.spec.streams import BadPage
from tests.transport.hostile import HostileServer, Line

LOST = Fault("login-lost", Responsible.CUSTOMER, "Sign in again, please.", "An answer was lost.", "login")
ENDED = Fault("login-ended", Responsible.CUSTOMER, "Six months are over, sign in once more.", "Refused.", "login")
CODE = AuthorizationCode("/login", LOST, name="code", label="Sign in at the provider", scope="read", logout="logout")
KEY_LOGIN = KeyLogin("/keylogin", "/oauth/key", credential="api_key", answer="api_key")


def proposal(body: Any) -> Proposal:
    try:
        who = body["initiator"]
        companies = [(str(each["companyId"]), str(each["extraInfo"])) for each in body["companiesToIntegrate"]]
    except (KeyError, TypeError):
        message = "no proposal"
        raise BadPage(message) from None
    expires_at = datetime.fromisoformat(body["expires"]).replace(tzinfo=timezone.utc)
    return Proposal(who["userFullName"], who["email"], companies, expires_at)


def keys(body: Any) -> Mapping[str, str]:
    return {str(each["companyId"]): each["apiKey"] for each in body["companiesIntegrated"]}


def decision(approved: Any, rejected: Any) -> Any:
    return {"approve": list(approved), "reject": [{"companyId": each, "reason": "Not wanted."} for each in rejected]}


ACTIVATION = Activation(
    "requestId", "integration.show", "integration.decide", PROVIDER.grants[0].name, "api_key", proposal, decision, keys
)


def signed_in(asker: Asker) -> Finding:
    """One call with what the login brought, and the same company as before."""
    finding = proofs.company(company)(asker)
    if finding.state is MarkState.FAILING:
        return finding
    return Finding(MarkState.VERIFIED, "key-accepted", proves_company=True)


def signing_provider(**changes: Any) -> Provider:
    """Procountor's data with a login for a session, a login for a key, and activation."""
    by_key = replace(
        PROVIDER.checkpoint("api-key", PROVIDER.grants[0].name),
        auth_methods=(PROVIDER.grants[0].name,),
        connect=(KEY_LOGIN.name,),
        how=("Be careful.",),
    )
    login = Checkpoint(
        "login",
        "Sign in there",
        "We get access to one company.",
        "So that nothing has to be typed in.",
        Probe(signed_in),
        "someone with the right to it",
        connect=("code",),
        auth_methods=("code",),
        may_hand_off=True,
    )
    confirmed = replace(
        PROVIDER.checkpoint("company", PROVIDER.grants[0].name), needs=(), proof=Probe(proofs.company(company))
    )
    last = replace(
        PROVIDER.checkpoint("first-sync", PROVIDER.grants[0].name),
        needs=("company",),
        proof=LogProbe(proofs.first_sync),
    )
    refused = Rule(ENDED, phase=Phase.TOKEN, codes=("INVALID_GRANT",))
    operations = [
        operation
        for operation in PROVIDER.operations
        if operation.name not in ("logout", "integration.show", "integration.decide")
    ]
    return replace(
        PROVIDER,
        **{
            "grants": (replace(PROVIDER.grants[0], label="API key"), CODE),
            "logins": (KEY_LOGIN,),
            "activation": ACTIVATION,
            "checklist": (
                replace(PROVIDER.checklist[0], auth_methods=by_key.auth_methods),
                by_key,
                login,
                confirmed,
                last,
            ),
            "operations": (
                *operations,
                Operation("logout", "POST", "/logout", "End the session"),
                Operation("integration.show", "GET", "/integrations/{requestId}", "Show a request"),
                Operation("integration.decide", "PUT", "/integrations/{requestId}", "Answer a request"),
            ),
            "faults": replace(PROVIDER.faults, rules=(refused, *PROVIDER.faults.rules)),
            "warnings": ("Whoever has the key can read everything.",),
            "after_leaving": ("Delete the technical user.",),
            **changes,
        },
    )


def offer(monkeypatch: pytest.MonkeyPatch, provider: Provider) -> Provider:
    """Let the registry know this provider, and no other by its slug."""
    known = MappingProxyType({**registry.all_providers(), provider.slug: provider})
    monkeypatch.setattr(registry, "all_providers", lambda: known)
    return provider


@dataclass
class House:
    """The provider's server: who signed in, and what it answers."""

    server: HostileServer
    company_id: int = 101
    api_key: str = "key-canary-of-the-provider-0001"
    token_status: int = 200
    token_body: dict[str, Any] = field(
        default_factory=lambda: {
            "access_token": "access-canary-0001",
            "refresh_token": "refresh-canary-0001",
            "token_type": "bearer",
            "expires_in": 3600,
        }
    )
    is_ended: bool = False  # somebody signed out: what renews that session is refused from then on
    integration_status: int = 200
    offered: tuple[int, ...] = (101, 102)
    decided: list[Any] = field(default_factory=list)

    def __call__(self, line: Line) -> None:
        path = line.asked.split(" ")[1].partition("?")[0].removeprefix("/api").removeprefix("/latest/api")
        path = "/" + path.split("/api/")[-1].lstrip("/")
        if path == "/oauth/token" and self.is_ended and b"grant_type=refresh_token" in line.body:
            line.answer(400, {"error": "invalid_grant"})
        elif path == "/oauth/token":
            self.is_ended = False
            line.answer(self.token_status, self.token_body)
        elif path == "/logout":
            self.is_ended = True
            line.answer(200, {})
        elif path == "/oauth/key":
            line.answer(200, {"api_key": self.api_key})
        elif path == "/sessioninfo":
            line.answer(200, {"companyId": self.company_id, "name": "Aamun Kirjat Oy", "userId": 5})
        elif path.startswith("/integrations/"):
            self._integration(line)
        else:
            line.answer(200, {})

    def _integration(self, line: Line) -> None:
        if self.integration_status != 200:
            line.answer(self.integration_status, {"errors": []})
        elif line.asked.startswith("GET"):
            ends = datetime.now(timezone.utc) + timedelta(hours=1)
            companies = [{"companyId": company, "extraInfo": f"Books {company}"} for company in self.offered]
            who = {"email": "kaisa@aamu.example", "userFullName": "Kaisa Kivi"}
            body = {"initiator": who, "companiesToIntegrate": companies, "expires": ends.isoformat()[:19]}
            line.answer(200, body)
        else:
            self.decided.append(json.loads(line.body))
            made = [
                {"companyId": int(each), "apiKey": f"key-canary-of-{each}"} for each in self.decided[-1]["approve"]
            ]
            line.answer(200, {"companiesIntegrated": made})

    def asked(self, path: str) -> list[Line]:
        return [line for line in self.server.asked if path in line.asked]

    def forms(self, path: str) -> list[dict[str, str]]:
        """What was posted there, as fields."""
        return [{k: v[0] for k, v in parse_qs(line.body.decode()).items()} for line in self.asked(path)]


def parameters(address: str) -> dict[str, str]:
    """The query of an address; each name stands in it once."""
    found = parse_qs(urlsplit(address).query)
    assert all(len(values) == 1 for values in found.values())
    return {name: values[0] for name, values in found.items()}


def callback(provider: str = "procountor") -> str:
    return f"{settings.ORIGIN}/callback/{provider}/"
