"""Which providers there are, and in which ways a customer can connect each of them: found, never listed."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache

from connections.providers.registry import all_providers
from connections.sandbox.kit import Simulator, discover
from connections.spec.grants import AuthorizationCode, ClientCredentials, ClientOwner
from connections.spec.provider import Provider


@dataclass(frozen=True)
class AuthMethod:
    """One grant of a provider; `login` names the login page that begins it, `wire` the form of its bodies ('' : the first)."""

    slug: str
    grant: str
    login: str = ""
    wire: str = ""

    @property
    def is_plain(self) -> bool:
        """Nothing but its grant: how bodies are written and who gave the credential is another way's matter."""
        return not self.wire and self.login in ("", self.grant)

    @property
    def provider(self) -> Provider:
        return all_providers()[self.slug]

    def __str__(self) -> str:
        login = "" if self.login in ("", self.grant) else f"-by-{self.login}"
        return f"{self.slug}-{self.grant}{login}" + (f"-{self.wire}" if self.wire else "")


@cache
def simulators() -> Mapping[str, Simulator]:
    return {simulator.slug: simulator for simulator in discover()}


def simulated() -> list[Provider]:
    """Every provider that can be tried; that each of them can be is a test of its own."""
    return [provider for provider in all_providers().values() if provider.slug in simulators()]


def auth_methods() -> list[AuthMethod]:
    return [auth_method for provider in simulated() for auth_method in auth_methods_of(provider)]


def first_ways() -> list[AuthMethod]:
    """The one we recommend, of every provider."""
    return [auth_methods_of(provider)[0] for provider in simulated()]


def auth_methods_of(provider: Provider) -> list[AuthMethod]:
    """Each grant with what is typed in or with its login page, then the first of them in every other form of bodies."""
    found = []
    for grant in provider.grants:
        if isinstance(grant, AuthorizationCode):
            found.append(AuthMethod(provider.slug, grant.name, grant.name))
            continue
        needed = needs(grant)
        if needed <= typed_in(provider, grant.name):
            found.append(AuthMethod(provider.slug, grant.name))
        found += [
            AuthMethod(provider.slug, grant.name, login.name)
            for login in provider.logins
            if login.credential in needed
        ]
    others = [value for value in provider.wires if value != next(iter(provider.wires))]
    first = found[0]
    return [*found, *(AuthMethod(first.slug, first.grant, first.login, value) for value in others)]


def needs(grant: ClientCredentials) -> set[str]:
    """The fields of the customer without which there is no token request."""
    return {*grant.also, *(("client_id", "client_secret") if grant.client is ClientOwner.CUSTOMERS else ())}


def typed_in(provider: Provider, grant: str) -> set[str]:
    return {name for checkpoint in provider.checkpoints(grant) for name in checkpoint.fields}
