"""What a provider's support desk wants to be told about one request, as data: which facts, by which of its own words."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from enum import StrEnum


class Fact(StrEnum):
    """Something that is known of one request, or said not to be."""

    CLIENT_ID = "client-id"
    ENDPOINT = "endpoint"
    REQUEST_BODY = "request-body"
    RESPONSE_BODY = "response-body"
    SERVER = "server"
    API_VERSION = "api-version"
    TIME = "time"
    COMPANY_ID = "company-id"
    USER_ID = "user-id"
    REQUEST_ID = "request-id"
    STATUS = "status"
    SCOPE = "scope"
    REPETITIONS = "repetitions"


@dataclass(frozen=True)
class DossierField:
    """One line of a dossier. `label` is what the desk calls it, in the language in which its document does."""

    fact: Fact
    label: str


@dataclass(frozen=True)
class Dossier:
    """To whom it goes, which facts the provider's document asks for, and where it does."""

    recipient: str
    source: str
    fields: Sequence[DossierField]
