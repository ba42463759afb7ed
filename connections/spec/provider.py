"""What there is to say about a provider, as typed data: Provider is one accounting API."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import timedelta
from enum import StrEnum
from typing import TYPE_CHECKING

from django.utils.translation import gettext_lazy as _

from connections.spec.grants import ClientCredentials
from connections.spec.origins import origin_of
from connections.spec.text import Text
from connections.spec.uses import Use
from connections.spec.wire import Wire

if TYPE_CHECKING:
    from connections.spec.certification import ApiVersion, Certification
    from connections.spec.changes import AnnouncedChange
    from connections.spec.checklist import Checkpoint
    from connections.spec.dossiers import Dossier
    from connections.spec.faults import FaultCatalogue
    from connections.spec.grants import Activation, Grant, KeyLogin, Login
    from connections.spec.operations import Operation
    from connections.spec.placement import Placement
    from connections.spec.streams import Stream


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
        """For a field of a model or a form: value and label."""
        return [(member.value, member.label) for member in cls]


@dataclass(frozen=True)
class Hosts:
    """`api`: the address that resource paths are appended to; `token`: the token endpoint itself; `authorize`: what the
    paths of login pages are appended to.
    """

    api: str
    token: str
    authorize: str = ""
    issuer: str = ""  # what comes back from the login page as `iss` (RFC 9207); '' where no document says so
    ca: str = ""  # a file with the only trusted certificate authority; sandbox only
    loopback: bool = False  # loopback addresses and plain HTTP are allowed; sandbox only
    from_customer: bool = False  # typed in by a customer, whose server may stand on a port of its own
    plain: bool = False  # plain HTTP, by an admin's leave for this one connection
    private: tuple[str, ...] = ()  # networks of private addresses that it may be in, by an admin's leave
    pins: tuple[tuple[str, str], ...] = ()  # `host:port` and the PEM of a certificate trusted there, and no other


@dataclass(frozen=True)
class CustomerHosts:
    """Addresses that each customer gets from the provider. `api` and `token` name the fields they are typed into.

    The paths are appended to what was typed, unless it ends with them. `token_address` is a fixed token endpoint instead.
    """

    api: str
    api_path: str = ""
    token: str = ""
    token_path: str = ""
    token_address: str = ""
    pinned: bool = False  # its certificates are self-signed: the one that the customer confirmed is the only trust


class FieldKind(StrEnum):
    """What is typed into a field."""

    TEXT = "text"  # a key, an id: something made by a machine
    WORDS = "words"  # anything a person may write
    ADDRESS = "address"
    CHOICE = "choice"


@dataclass(frozen=True)
class CredentialField:
    """One thing the customer gives us. `secret` values are sealed and never shown again; others stand open on the connection."""

    name: str
    label: Text
    help: Text = ""
    secret: bool = True
    shortest: int = 8
    longest: int = 4000
    kind: FieldKind = FieldKind.TEXT
    choices: Sequence[tuple[str, Text]] = ()  # the first is the default
    optional: bool = False
    use: Use = Use.TOKEN_REQUEST  # of a secret one: what it is sealed for


class CountedBy(StrEnum):
    """What a provider counts a quota by."""

    CLIENT = "client"
    COMPANY = "company"
    CONNECTION = "connection"


@dataclass(frozen=True)
class Quota:
    """At most `calls` in any window of `per`, shared by all workers.

    Of a long window (an hour or more) runs use the share `for_runs`; the rest is kept for what a person waits for.
    """

    calls: int
    per: timedelta
    counted_by: CountedBy
    for_runs: float = 0.8


@dataclass(frozen=True)
class Deadlines:
    """Seconds and bytes one call may take; a provider's data may raise them (SECURITY NET-9)."""

    connect: float = 3.0
    read: float = 10.0
    total: float = 30.0
    token_total: float = 15.0
    body_bytes: int = 10_000_000


def _origin_or_none(address: str) -> str:
    try:
        return origin_of(address)
    except ValueError:
        return ""


@dataclass(frozen=True)
class Provider:
    """An accounting API we can talk to. One per folder in connections/providers, found by walking the package."""

    slug: str
    name: str
    language: str  # in which its menu paths are quoted, for `lang`
    summary: Text
    hosts: Mapping[Environment, Hosts | CustomerHosts]
    token_path: str  # appended to `api` where only the api address of a sandbox is configured
    credentials: Sequence[CredentialField]
    grants: Sequence[Grant]  # the first is the one we recommend
    placement: Placement
    quotas: Sequence[Quota]
    streams: Sequence[Stream]
    operations: Sequence[Operation]
    checklist: Sequence[Checkpoint]
    sentences: Mapping[str, Text]  # what findings say, by code, with named placeholders
    faults: FaultCatalogue
    connect_needs: Sequence[Text] = ()  # said before the customer starts
    data_moved: Sequence[Text] = ()
    logins: Sequence[KeyLogin] = ()
    activation: Activation | None = None
    tells_company: bool = True  # whether its API names the company that a session opens
    wires: Mapping[str, Wire] = field(default_factory=lambda: {"": Wire()})  # by the value of the field `wire_field`
    wire_field: str = ""
    warnings: Sequence[Text] = ()  # what a customer should know for as long as the connection stands
    changes: Sequence[AnnouncedChange] = ()  # what the provider has announced, and customers must do by a day
    after_leaving: Sequence[Text] = ()  # what a person should remove at the provider once we are disconnected
    api_version: str = ""  # the default one; shown in the request log
    version_named: Callable[[str], ApiVersion | None] = lambda name: None  # what is known of a version by its name
    versioned: Callable[[str, str], str] | None = None  # puts a version into the path of the api address
    request_id_headers: Sequence[str] = ("X-Request-Id",)  # that its document names; the usual ones are kept anyway
    deadlines: Deadlines = field(default_factory=Deadlines)
    # What people read in the place of a finding's value, by the value's name: findings are compared by machines' names.
    in_words: Callable[[str, str], str] = lambda name, value: value
    open_fields: str = ""  # of bodies, blanks between: codes, dates, yes or no; readable where a customer records
    certification: Certification | None = None  # what the provider wants to see of whoever integrates with it
    dossier: Dossier | None = None  # what its support desk wants to know of a request
    assumptions: Sequence[str] = ()  # what its document does not say; shown to support

    def offers(self, auth_method: str) -> bool:
        """Whether this grant is still declared: a release may have withdrawn it since a connection was opened."""
        return any(grant.name == auth_method for grant in self.grants)

    def grant(self, auth_method: str) -> Grant:
        """The grant a connection uses. Raises KeyError for a name that is not declared, as do the other look-ups by name."""
        return {grant.name: grant for grant in self.grants}[auth_method]

    def login(self, name: str) -> Login:
        """What a *Connect* button starts: a grant or a login page that sends people to the provider."""
        offered: list[Grant | KeyLogin] = [*self.grants, *self.logins]
        return {each.name: each for each in offered if not isinstance(each, ClientCredentials)}[name]

    def field(self, name: str) -> CredentialField:
        return {field.name: field for field in self.credentials}[name]

    def typed_origins(self, settings: Mapping[str, str]) -> tuple[str, ...]:
        """`field=origin` of each address that the customer has typed; () where all addresses are code.

        What is sealed for a connection is bound to these. One that cannot be read is no origin, and nothing opens for it.
        """
        typed = [field.name for field in self.credentials if field.kind is FieldKind.ADDRESS]
        return tuple(f"{name}={_origin_or_none(settings.get(name, ''))}" for name in sorted(typed))

    def checkpoints(self, auth_method: str) -> list[Checkpoint]:
        """The checklist of a connection that uses this grant. Two ways may have a checkpoint of the same slug.

        Empty for a grant that is not declared: nothing can be checked with it.
        """
        if not self.offers(auth_method):
            return []
        return [
            checkpoint
            for checkpoint in self.checklist
            if not checkpoint.auth_methods or auth_method in checkpoint.auth_methods
        ]

    def wire(self, settings: Mapping[str, str]) -> Wire:
        """How this connection's bodies are written and read."""
        return self.wires.get(settings.get(self.wire_field, ""), next(iter(self.wires.values())))

    def operation(self, name: str) -> Operation:
        return {operation.name: operation for operation in self.operations}[name]

    def stream(self, name: str) -> Stream:
        return {stream.name: stream for stream in self.streams}[name]

    def checkpoint(self, slug: str, auth_method: str) -> Checkpoint:
        return {checkpoint.slug: checkpoint for checkpoint in self.checkpoints(auth_method)}[slug]
