"""Whether each provider can be reached from here, by the rules of every call: asked by a worker, without credentials."""

from __future__ import annotations

from collections.abc import Iterator
from urllib.parse import urlsplit

from django.conf import settings

from connections.providers.registry import all_providers
from connections.spec.provider import Environment, Hosts, Provider
from connections.transport.http import session
from connections.transport.http.errors import AddressNotAllowed, EgressError, NameNotFound, NoProxy, NotTrusted
from portal.operations.answers import DoctorAnswer

WHOLE_SECONDS = 8.0  # for one host
QUESTION = "provider"
HINTS: dict[type[EgressError], str] = {
    AddressNotAllowed: "Its name leads inside: look at the name server, and at PORTAL_OWN_NETWORKS.",
    NameNotFound: "Look at /etc/resolv.conf, and whether your walls let the workers ask the name server.",
    NoProxy: "Look at the proxy that PORTAL_EGRESS_PROXY names.",
    NotTrusted: "Something between us and the provider may answer in its place; or this machine's list of authorities is old.",
}
USUAL_HINT = "Let the workers reach port 443 of public addresses, or a proxy by PORTAL_EGRESS_PROXY."


def answers() -> Iterator[DoctorAnswer]:
    """A line for each host of a provider's production that is the same for all customers; any answer of its own is one."""
    if settings.PROCESS != "worker" or settings.DEMO:
        yield DoctorAnswer(QUESTION, None, "none is asked: only workers of a production call providers")
        return
    for provider in all_providers().values():
        hosts = provider.hosts.get(Environment.PRODUCTION)
        if isinstance(hosts, Hosts):  # no customer's own address
            yield from (_reached(provider, hosts, place) for place in _places(hosts))


def _places(hosts: Hosts) -> list[str]:
    """Each host once, as the root of its address."""
    parts = [urlsplit(address) for address in (hosts.api, hosts.token)]
    return list(dict.fromkeys(f"{each.scheme}://{each.netloc}/" for each in parts))


def _reached(provider: Provider, hosts: Hosts, place: str) -> DoctorAnswer:
    question, host = f"{QUESTION} {provider.slug}", urlsplit(place).netloc
    try:
        session.send(hosts=hosts, method="HEAD", url=place, deadlines=provider.deadlines, total=WHOLE_SECONDS)
    except EgressError as error:
        hint = next((text for kind, text in HINTS.items() if isinstance(error, kind)), USUAL_HINT)
        return DoctorAnswer(question, False, f"{host}: {error}", hint)
    return DoctorAnswer(question, True, f"{host} answers")
