"""The questions every provider is asked, as typed data."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import timedelta
from enum import StrEnum
from typing import TYPE_CHECKING

from django.utils.functional import Promise
from django.utils.translation import gettext_lazy as _

if TYPE_CHECKING:
    from connections.spec.checklist import Checkpoint
    from connections.spec.faults import FaultCatalogue
    from connections.spec.operations import Operation
    from connections.spec.placement import Placement
    from connections.spec.streams import Stream

Text = str | Promise


class Environment(StrEnum):
    """A provider's side: real books, the provider's own test server, or a stand-in named by PORTAL_SANDBOX_HOSTS."""

    PRODUCTION = "production"
    TEST = "test"
    SANDBOX = "sandbox"

    @property
    def label(self) -> Text:
        return {"production": _("production"), "test": _("test server"), "sandbox": _("sandbox")}[self.value]

    @classmethod
    def choices(cls) -> list[tuple[str, Text]]:
        return [(member.value, member.label) for member in cls]


@dataclass(frozen=True)
class Hosts:
    """`api`: the address that resource paths are appended to; `token`: the token endpoint itself; `authorize`: the login page."""

    api: str
    token: str
    authorize: str = ""
    ca: str = ""  # a file with the only trusted certificate authority; sandbox only
    loopback: bool = False  # loopback addresses and plain HTTP are allowed; sandbox only


@dataclass(frozen=True)
class CredentialField:
    """One thing the customer gives us. `secret` values are sealed and never shown again."""

    name: str
    label: Text
    help: Text = ""
    secret: bool = True
    shortest: int = 8
    longest: int = 4000


class TokenBody(StrEnum):
    FORM = "form"
    JSON = "json"


class Client(StrEnum):
    """Whose client id and secret a token request carries: our registration's, or the customer's own."""

    OURS = "ours"
    CUSTOMERS = "customers"


@dataclass(frozen=True)
class ClientCredentials:
    """RFC 6749 4.4. `also` names credentials sent as further fields of the token request."""

    client: Client = Client.OURS
    also: tuple[str, ...] = ()
    scope: str = ""
    body: TokenBody = TokenBody.FORM
    redirect_uri: bool = False  # sent along when our registration has one
    lifetime: timedelta = timedelta(hours=1)  # when the answer does not say


class CountedBy(StrEnum):
    """What a provider counts a quota by."""

    CLIENT = "client"
    COMPANY = "company"
    CONNECTION = "connection"


@dataclass(frozen=True)
class Quota:
    """At most `calls` in any window of `per`, shared by all workers."""

    calls: int
    per: timedelta
    counted_by: CountedBy


@dataclass(frozen=True)
class Deadlines:
    """Seconds and bytes one call may take; a provider's data may raise them (SECURITY NET-9)."""

    connect: float = 3.0
    read: float = 10.0
    total: float = 30.0
    token_total: float = 15.0
    body_bytes: int = 10_000_000


@dataclass(frozen=True)
class Provider:
    """An accounting API we can talk to. One per folder in connections/providers, found by walking the package."""

    slug: str
    name: str
    language: str  # in which its menu paths are quoted, for `lang`
    summary: Text
    hosts: Mapping[Environment, Hosts]
    token_path: str  # appended to `api` where only the api address of a sandbox is given
    credentials: Sequence[CredentialField]
    grants: Sequence[ClientCredentials]
    placement: Placement
    quotas: Sequence[Quota]
    streams: Sequence[Stream]
    operations: Sequence[Operation]
    checklist: Sequence[Checkpoint]
    sentences: Mapping[str, Text]  # what findings say, by code, with named placeholders
    faults: FaultCatalogue
    connect_needs: Sequence[Text] = ()  # said before the customer starts
    data_moved: Sequence[Text] = ()
    api_version: str = ""
    request_id_headers: Sequence[str] = ("X-Request-Id",)
    deadlines: Deadlines = field(default_factory=Deadlines)
    assumptions: Sequence[str] = ()  # what its document does not say; shown to support

    def operation(self, name: str) -> Operation:
        """Raises KeyError for a name that is not declared, as do the two below."""
        return {operation.name: operation for operation in self.operations}[name]

    def stream(self, name: str) -> Stream:
        return {stream.name: stream for stream in self.streams}[name]

    def checkpoint(self, slug: str) -> Checkpoint:
        return {checkpoint.slug: checkpoint for checkpoint in self.checklist}[slug]
