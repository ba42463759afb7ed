"""Finds the providers by walking the package: a folder with a `provider.py` that declares PROVIDER."""

from __future__ import annotations

import importlib
import pkgutil
from collections.abc import Mapping
from dataclasses import replace
from functools import cache
from types import MappingProxyType
from urllib.parse import urlsplit

from django.conf import settings as django_settings

import connections.providers
from connections.spec.provider import CustomerHosts, Environment, Hosts, Provider


@cache
def all_providers() -> Mapping[str, Provider]:
    """Every provider by slug, in the order of their folders. Raises ValueError when a folder's name is not its slug."""
    providers: dict[str, Provider] = {}
    for module in pkgutil.iter_modules(connections.providers.__path__):
        if not module.ispkg:
            continue
        provider = importlib.import_module(f"connections.providers.{module.name}.provider").PROVIDER
        if provider.slug != module.name:
            message = f"connections/providers/{module.name} declares the slug {provider.slug}"
            raise ValueError(message)
        providers[provider.slug] = provider
    return MappingProxyType(providers)


def find(slug: str) -> Provider | None:
    """None for a provider that this release does not know, although rows may name it."""
    return all_providers().get(slug)


def environments(provider: Provider) -> list[Environment]:
    """Where a connection can be opened: what the provider has, and the sandbox where PORTAL_SANDBOX_HOSTS names one."""
    sandbox = [Environment.SANDBOX] if provider.slug in django_settings.SANDBOX_HOSTS else []
    return [*sandbox, *(environment for environment in provider.hosts if environment is not Environment.SANDBOX)]


class AddressMissing(LookupError):
    """The customer has not said yet where the provider is."""


class NoSimulatorThere(LookupError):
    """A sandbox connection whose address is none of the simulators'."""


def hosts_of(
    provider: Provider, environment: str, settings: Mapping[str, str] = MappingProxyType({}), version: str = ""
) -> Hosts:
    """The addresses of one environment. Raises LookupError when it has none.

    `settings` are what the customer typed, for providers whose addresses each customer is told; `version` is the API
    version in the path where the provider has one, '' for its default. A sandbox may name a host alone: the paths are
    then those of the provider's first environment.
    """
    side = Environment(environment)
    if side is Environment.SANDBOX:
        hosts = _sandbox_hosts(provider, settings)
    elif side in provider.hosts:
        declared = provider.hosts[side]
        hosts = _customer_hosts(declared, settings) if isinstance(declared, CustomerHosts) else declared
    else:
        message = f"{provider.slug} has no {environment} environment"
        raise LookupError(message)
    if provider.versioned is None:
        return hosts
    return replace(hosts, api=provider.versioned(hosts.api, version or provider.api_version))


def _sandbox_hosts(provider: Provider, settings: Mapping[str, str]) -> Hosts:
    if provider.slug not in django_settings.SANDBOX_HOSTS:
        message = f"PORTAL_SANDBOX_HOSTS names no host for {provider.slug}"
        raise LookupError(message)
    sandbox = django_settings.SANDBOX_HOSTS[provider.slug]
    real = next(iter(provider.hosts.values()), Hosts(api="", token=""))
    if isinstance(real, CustomerHosts):
        hosts = _customer_hosts(replace(real, token_address=real.token_address and sandbox.token), settings)
        simulators = {_origin(address) for address in (sandbox.api, sandbox.token, sandbox.plain) if address}
        # Loopback is open to the simulators alone, not to whatever else a customer might type.
        if {_origin(hosts.api), _origin(hosts.token)} - simulators:
            message = f"PORTAL_SANDBOX_HOSTS names other addresses for {provider.slug}"
            raise NoSimulatorThere(message)
        return replace(hosts, ca=sandbox.ca, loopback=True)
    api = _with_path(sandbox.api or sandbox.token, urlsplit(real.api).path)
    token = _with_path(sandbox.token, urlsplit(real.token).path) if sandbox.token else api + provider.token_path
    return Hosts(
        api=api,
        token=token,
        authorize=sandbox.authorize or _origin(api),
        issuer=sandbox.issuer,
        ca=sandbox.ca,
        loopback=True,
        plain=True,
    )


def _customer_hosts(declared: CustomerHosts, settings: Mapping[str, str]) -> Hosts:
    """The addresses that the customer typed. Raises AddressMissing."""
    missing = [name for name in (declared.api, declared.token) if name and not settings.get(name)]
    if missing:
        message = f"the field {missing[0]} is empty"
        raise AddressMissing(message)
    token = declared.token_address or _with_ending(settings[declared.token or declared.api], declared.token_path)
    return Hosts(api=_with_ending(settings[declared.api], declared.api_path), token=token, from_customer=True)


def _with_ending(address: str, path: str) -> str:
    address = address.rstrip("/")
    return address if address.endswith(path) else address + path


def _origin(address: str) -> str:
    parts = urlsplit(address)
    return f"{parts.scheme}://{parts.netloc}"


def _with_path(address: str, path: str) -> str:
    parts = urlsplit(address)
    return address.rstrip("/") if parts.path.strip("/") else f"{parts.scheme}://{parts.netloc}{path}"
