"""Several companies at once: what an activation link's request holds, and how it is answered (integration setup)."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from connections.providers.procountor.checklist import M2M
from connections.providers.procountor.moments import instant
from connections.spec.envelope import required_id
from connections.spec.grants import Activation, Proposal
from connections.spec.streams import BadPage

REASON = "Not chosen by the person who was asked."


def read(body: Any) -> Proposal:
    """`{"initiator": {...}, "companiesToIntegrate": [{"companyId", "extraInfo"}], "expires"}`. Raises BadPage."""
    companies = body.get("companiesToIntegrate") if isinstance(body, dict) else None
    if not isinstance(companies, list) or not all(
        isinstance(each, dict) and "companyId" in each for each in companies
    ):
        message = "no companies in the request"
        raise BadPage(message)
    initiator = body.get("initiator")
    who = initiator if isinstance(initiator, dict) else {}
    return Proposal(
        str(who.get("userFullName") or "?"),
        str(who.get("email") or ""),
        [(required_id(each, "companyId"), str(each.get("extraInfo") or "")) for each in companies],
        instant(body.get("expires")),
    )


def decision(approved: Sequence[str], rejected: Sequence[str]) -> Any:
    """Every company of the request exactly once, else it is refused."""
    return {
        "approve": [int(each) for each in approved],
        "reject": [{"companyId": int(each), "reason": REASON} for each in rejected],
    }


def keys(body: Any) -> Mapping[str, str]:
    """`{"companiesIntegrated": [{"companyId", "apiKey"}]}`. Raises BadPage."""
    connected = body.get("companiesIntegrated") if isinstance(body, dict) else None
    if not isinstance(connected, list) or not all(isinstance(each, dict) and each.get("apiKey") for each in connected):
        message = "no keys in the answer"
        raise BadPage(message)
    return {required_id(each, "companyId"): str(each["apiKey"]) for each in connected}


ACTIVATION = Activation(
    parameter="requestId",
    show="activation.show",
    decide="activation.decide",
    auth_method=M2M,
    credential="api_key",
    read=read,
    decision=decision,
    keys=keys,
)
