"""The origin of an address: what a secret is bound to where the customer says where their server is."""

from __future__ import annotations

from urllib.parse import urlsplit

USUAL_PORTS = {"https": 443, "http": 80}


def origin_of(url: str) -> str:
    """`scheme://host:port` in lower case, the port always named, without a dot at the end of the host.

    Raises ValueError for what is no http(s) address, or holds a name or password.
    """
    parts = urlsplit(url.strip())
    scheme, host = parts.scheme.lower(), (parts.hostname or "").removesuffix(".")
    if scheme not in USUAL_PORTS or not host or "@" in parts.netloc or "\\" in parts.netloc:
        message = "not the address of a server"
        raise ValueError(message)
    return f"{scheme}://{f'[{host}]' if ':' in host else host}:{parts.port or USUAL_PORTS[scheme]}"
