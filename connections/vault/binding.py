"""What a sealed value is bound to: whose it is, what for, and where it may go."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass, field

from connections.providers import registry
from connections.spec.origins import origin_of
from connections.spec.provider import Hosts, Provider
from connections.spec.uses import Use


@dataclass(frozen=True)
class Binding:
    """Written into the ciphertext: a value opens only where all of this is the same again.

    `origins`: of the addresses that the customer typed, as Provider.typed_origins gives them. Addresses that are code are
    left out: a new host of a provider's, or another port of a simulator, must not make secrets void.
    """

    uses: frozenset[Use]
    connection: str = ""
    name: str = ""
    provider: str = ""
    environment: str = ""
    origins: tuple[str, ...] = ()
    settings: Mapping[str, str] = field(default_factory=dict, compare=False, repr=False)

    def text(self) -> str:
        """One spelling of it: JSON with sorted names, so that no value can pretend to be two."""
        parts = {
            "connection": self.connection,
            "environment": self.environment,
            "name": self.name,
            "origins": list(self.origins),
            "provider": self.provider,
            "uses": sorted(self.uses),
        }
        return json.dumps(parts, sort_keys=True, separators=(",", ":"))

    def destinations(self) -> Mapping[Use, frozenset[str]]:
        """The origins that an opened value may be sent to, by use; a use without any is not for the network."""
        provider = registry.find(self.provider)
        if provider is None:
            return {use: frozenset() for use in self.uses}
        try:
            hosts = registry.hosts_of(provider, self.environment, self.settings)
            return {use: _destinations(use, hosts, provider) for use in self.uses}
        except (LookupError, ValueError):
            # No address, or none that can be read in one way alone: then it may be sent nowhere.
            return {use: frozenset() for use in self.uses}


def _destinations(use: Use, hosts: Hosts, provider: Provider) -> frozenset[str]:
    if use is Use.MAIL:
        return frozenset()
    addresses = [hosts.api]
    if use is Use.TOKEN_REQUEST:
        # A login page whose code is exchanged for a key is answered by the API itself.
        addresses = [hosts.token, *([hosts.api] if provider.logins else [])]
    return frozenset(map(origin_of, addresses))
