"""Where we may go: one reading of an address for everybody who comes after, and the ranges that lead inside."""

from __future__ import annotations

import ipaddress
import re
from collections.abc import Iterable, Iterator
from contextlib import suppress
from dataclasses import dataclass
from itertools import islice
from urllib.parse import urlsplit

import idna
from django.conf import settings
from requests_hardened.ip_filter import EXTRA_BLOCKED_NET_RANGES

from connections.spec.provider import Hosts
from connections.transport.http.errors import AddressNotAllowed

IP = ipaddress.IPv4Address | ipaddress.IPv6Address

# The global addresses of IPv6: all others were never assigned, or serve a purpose of their own.
GLOBAL_IPV6 = ipaddress.ip_network("2000::/3")
# Beyond what requests-hardened and Python refuse (docs/decisions/0007): the rest of IANA's special-purpose registries, with what
# they call globally reachable (anycast services, AS112, AMT), as no provider stands there; and a machine's own metadata at
# one cloud (Azure).
ALSO_REFUSED = tuple(
    ipaddress.ip_network(text)
    for text in (
        "0.0.0.0/8", "100.64.0.0/10", "192.0.0.0/24", "192.31.196.0/24", "192.52.193.0/24", "192.88.99.0/24",
        "192.175.48.0/24", "2001::/23", "2001:db8::/32", "2002::/16", "2620:4f:8000::/48", "3fff::/20", "168.63.129.16/32",
    )
)  # fmt: skip
# RFC 6052: how a machine that has IPv6 alone reaches the world's IPv4, whose address stands in the last 32 bits. Its prefix
# for local use (64:ff9b:1::/48) is inside, and so are 6to4 and Teredo, which nobody runs any more: a relay decides there.
TRANSLATED = ipaddress.ip_network("64:ff9b::/96")
PRIVATE = tuple(map(ipaddress.ip_network, ("10.0.0.0/8", "172.16.0.0/12", "192.168.0.0/16", "fc00::/7")))
MOST_PRIVATE_ADDRESSES = 256  # addresses of a network that an admin may name
MOST_NETWORKS = 8
LONGEST_NAME = 253
FIRST_FREE_PORT = 1024
USUAL_PORTS = {"https": 443, "http": 80}
AMBIGUOUS_CHARACTER = re.compile(r"[\x00-\x20\x7f\\#]")  # what one parser drops or turns and the next one does not
IP_LITERAL = re.compile(r"\[([0-9a-f:.]+)\](?::\d*)?", re.IGNORECASE)  # no zone: it names a network card of ours
NAME = re.compile(r"([^:\[\]@]+)(?::\d*)?")
LABEL = re.compile(r"[a-z0-9_](?:[a-z0-9_-]{0,61}[a-z0-9_])?")
NUMBER = re.compile(r"\d+|0x[0-9a-f]*")


@dataclass(frozen=True)
class Address:
    """An address that was read once. `url` is written anew from its parts, so that nobody can read it differently."""

    url: str
    host: str  # in lower case, in ASCII, without a dot at its end; an IPv6 literal without its brackets
    port: int


def parse_address(url: str, hosts: Hosts) -> Address:
    """Raises AddressNotAllowed for an address that is more than scheme, host, port, path and query, or leads to another port."""
    try:
        parts = urlsplit(url)
        stated_port = parts.port
    except ValueError:
        raise AddressNotAllowed from None
    if (
        AMBIGUOUS_CHARACTER.search(url)
        or parts.scheme not in USUAL_PORTS
        or (parts.scheme == "http" and not hosts.plain)
    ):
        raise AddressNotAllowed
    host = _host(parts.netloc)
    usual = USUAL_PORTS[parts.scheme]
    port = usual if stated_port is None else stated_port
    if port != usual and not _is_port_allowed(port, hosts):
        raise AddressNotAllowed
    place = f"[{host}]" if ":" in host else host
    written = f"{parts.scheme}://{place}" + (f":{port}" if port != usual else "") + parts.path
    return Address(written + (f"?{parts.query}" if parts.query else ""), host, port)


def _is_port_allowed(port: int, hosts: Hosts) -> bool:
    """Customers run servers of their own on ports of their own, but not on those of the services of a machine."""
    return port > 0 and (hosts.loopback or (hosts.from_customer and port >= FIRST_FREE_PORT))


def _host(netloc: str) -> str:
    """Raises AddressNotAllowed for what is neither a name nor an address in its plain spelling."""
    if (literal := IP_LITERAL.fullmatch(netloc)) is not None:
        return str(_parse_ip(literal[1]))
    if (named := NAME.fullmatch(netloc)) is None:
        raise AddressNotAllowed
    try:
        name = named[1].lower() if named[1].isascii() else idna.encode(named[1], uts46=True).decode("ascii").lower()
    except UnicodeError:
        raise AddressNotAllowed from None
    name = name.removesuffix(".")
    labels = name.split(".")
    if len(name) > LONGEST_NAME or not all(LABEL.fullmatch(label) for label in labels):
        raise AddressNotAllowed
    # 127.1, 2130706433 and 0x7f.1 are numbers to those who look names up: four plain ones are an address, all else is not.
    return str(_parse_ip(name)) if NUMBER.fullmatch(labels[-1]) else name


def _parse_ip(text: str) -> IP:
    try:
        return ipaddress.ip_address(text)
    except ValueError:
        raise AddressNotAllowed from None


def host_of(location: str, otherwise: str) -> str:
    """The host that a redirect leads to, `otherwise` where it names none. '' for what can be read in several ways."""
    try:
        parts = urlsplit(location)
        if not parts.netloc:
            is_path = not parts.scheme and not AMBIGUOUS_CHARACTER.search(location) and not location.startswith("//")
            return otherwise if is_path else ""
        return _host(parts.netloc)
    except (ValueError, AddressNotAllowed):
        return ""


def is_reachable(ip: IP, hosts: Hosts) -> bool:
    """Addresses of the world, and private ones of networks that an admin has named for this connection (SECURITY NET-8)."""
    mapped = getattr(ip, "ipv4_mapped", None) or ip
    if mapped.is_loopback:
        return hosts.loopback
    if any(mapped in net for net in settings.OWN_NETWORKS):
        return False
    if (behind := behind_translator(ip)) is not None:
        # Nothing but the world stands behind a translator (RFC 6052 3.1), whatever an admin has named.
        return _is_public(behind) and not any(behind in net for net in settings.OWN_NETWORKS)
    return is_allowed_private(mapped, hosts) or _is_public(mapped)


def _is_public(ip: IP) -> bool:
    refused = (*EXTRA_BLOCKED_NET_RANGES, *ALSO_REFUSED)
    is_ours = ip.is_private or ip.is_multicast or not ip.is_global
    is_ours = is_ours or (ip.version == 6 and ip not in GLOBAL_IPV6)
    return not is_ours and not any(ip in net for net in refused if net.version == ip.version)


def behind_translator(ip: IP) -> ipaddress.IPv4Address | None:
    """The IPv4 address that an IPv6 address stands for at a translator (NAT64)."""
    return ipaddress.IPv4Address(int(ip) & 0xFFFFFFFF) if ip in TRANSLATED else None


def is_allowed_private(ip: IP, hosts: Hosts) -> bool:
    """Whether a private address is of a network that an admin has named for this connection, and not of our own."""
    mapped = getattr(ip, "ipv4_mapped", None) or ip
    named = hosts.from_customer and any(mapped in net for net in _small_networks(hosts.private))
    is_own = any(mapped in net for net in settings.OWN_NETWORKS)
    return named and not is_own and any(mapped in net for net in PRIVATE)


def _small_networks(texts: Iterable[str]) -> Iterator[ipaddress.IPv4Network | ipaddress.IPv6Network]:
    """Those that an admin can have named: who writes rows by SQL could name all private addresses at once."""
    for text in islice(texts, MOST_NETWORKS):
        with suppress(ValueError):
            net = ipaddress.ip_network(text)
            if net.num_addresses <= MOST_PRIVATE_ADDRESSES:
                yield net


def private_networks(text: str) -> list[str]:
    """The networks, one or several with commas or blanks between them, that a connection may be allowed to reach.

    Raises ValueError for what is not private (RFC 1918, RFC 4193), is larger than 256 addresses, or is our own.
    """
    networks = [ipaddress.ip_network(each) for each in text.replace(",", " ").split()]
    for net in networks:
        is_private = any(net.version == each.version and net.subnet_of(each) for each in PRIVATE)  # type: ignore[arg-type]
        is_own = any(net.version == each.version and net.overlaps(each) for each in settings.OWN_NETWORKS)
        if not is_private or is_own or net.num_addresses > MOST_PRIVATE_ADDRESSES:
            raise ValueError(str(net))
    if len(networks) > MOST_NETWORKS:
        raise ValueError(text)
    return [str(net) for net in networks]
