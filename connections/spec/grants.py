"""How we come to a session: the grants a provider offers, and the login pages that hand out credentials."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from enum import StrEnum
from typing import Any

from connections.spec.faults import Fault
from connections.spec.text import Text


class TokenBody(StrEnum):
    FORM = "form"
    JSON = "json"


class ClientOwner(StrEnum):
    """Whose client id and secret a token request carries: our registration's, or the customer's own."""

    OURS = "ours"
    CUSTOMERS = "customers"


@dataclass(frozen=True)
class ClientCredentials:
    """RFC 6749 4.4. `also` names fields of the customer that are sent as further fields of the token request."""

    name: str = "client-credentials"
    label: Text = ""
    client: ClientOwner = ClientOwner.OURS
    also: tuple[str, ...] = ()
    scope: str = ""
    body: TokenBody = TokenBody.FORM
    redirect_uri: bool = False  # sent along when our registration has one
    lifetime: timedelta = timedelta(hours=1)  # when the answer does not say


@dataclass(frozen=True)
class AuthorizationCode:
    """RFC 6749 4.1 with PKCE, and 6 (refresh), always with our own registration.

    `authorize_path` is appended to the environment's authorize address. `lost` is the fault of a refresh token that is
    refused after an answer of its token request had been lost: nobody can know why (docs/security.md, OAU-8).
    """

    authorize_path: str
    lost: Fault
    name: str = "authorization-code"
    label: Text = ""
    scope: str = ""
    extra: Mapping[str, str] = field(default_factory=dict)  # further parameters of the authorization address
    body: TokenBody = TokenBody.FORM
    redirect_uri: bool = False  # sent with a refresh as well
    scope_on_refresh: bool = False  # sent with a refresh as well
    lifetime: timedelta = timedelta(hours=1)
    refresh_lifetime: timedelta | None = None  # None: not stated, or without end
    most_refresh_tokens: int | None = None  # of one client, company and user at a time; None: not stated
    state_promised: bool = True  # whether its document says that `state` comes back
    pkce: bool = True  # off only for a provider that refuses parameters it does not know
    logout: str = ""  # the operation that ends a session there; '' where there is none

    client: ClientOwner = field(default=ClientOwner.OURS, init=False)
    also: tuple[str, ...] = field(default=(), init=False)


Grant = ClientCredentials | AuthorizationCode


@dataclass(frozen=True)
class KeyLogin:
    """A login page whose code is traded for a credential instead of a token.

    `exchange_path` is appended to the api address; `answer` names the field of its answer, stored as `credential`.
    """

    authorize_path: str
    exchange_path: str
    credential: str
    answer: str
    name: str = "key-login"
    label: Text = ""
    extra: Mapping[str, str] = field(default_factory=dict)
    body: TokenBody = TokenBody.FORM
    state_promised: bool = True
    pkce: bool = True


Login = AuthorizationCode | KeyLogin


@dataclass(frozen=True)
class Proposal:
    """What somebody at the provider asks us to connect: who asks, which companies (id, further words), until when."""

    initiator: str
    email: str
    companies: Sequence[tuple[str, str]]
    expires_at: datetime | None


@dataclass(frozen=True)
class Activation:
    """A link at the provider by which a customer chooses several companies at once; each gets a credential.

    The browser comes back with a request id in `parameter` and nothing that we sent along, so a signed-in person is
    shown the proposal and asked. `show` and `decide` name operations, called with our registration as HTTP Basic.
    """

    parameter: str
    show: str
    decide: str
    auth_method: str  # the grant of the connections it makes
    credential: str
    read: Callable[[Any], Proposal]  # raises BadPage
    decision: Callable[[Sequence[str], Sequence[str]], Any]  # approved and rejected ids -> body
    keys: Callable[[Any], Mapping[str, str]]  # company id -> credential; raises BadPage
