"""The certificates a connection's hosts show: fetched without trust, kept for a person to compare, then pinned."""

from __future__ import annotations

import socket
import ssl
from collections.abc import Sequence
from datetime import datetime
from urllib.parse import urlsplit

from cryptography import x509
from django.db.models.functions import Now

from connections.spec.checklist import SeenCertificate
from connections.spec.errors import Blocked, Unavailable
from connections.spec.provider import Hosts
from connections.tenancy.scope import tenant_scope
from connections.transport import clock, egress, faults, trust
from connections.transport.caller import Caller
from connections.vault.models import Pin

SECONDS = 10.0


def seen(caller: Caller) -> Sequence[SeenCertificate]:
    """Ask every https host of the connection for its certificate and keep what is new. Nothing else is sent.

    Raises Unauthorized (no address yet), Blocked, Unavailable.
    """
    return [_seen(caller, caller.hosts, host, port) for host, port in _places(caller.hosts)]


def _places(hosts: Hosts) -> list[tuple[str, int]]:
    """Each https host and port once, the API's first."""
    parts = [urlsplit(address) for address in (hosts.api, hosts.token)]
    places = [(part.hostname or "", part.port or 443) for part in parts if part.scheme == "https"]
    return list(dict.fromkeys(places))


def _seen(caller: Caller, hosts: Hosts, host: str, port: int) -> SeenCertificate:
    try:
        address = str(egress.judged(host, port, hosts.loopback))
        der = _shown(address, port, host, trust.blind())
        is_public = _is_trusted(address, port, host, trust.context(hosts.ca))
    except egress.NotAllowed:
        raise Blocked(faults.BLOCKED) from None
    except (egress.EgressError, OSError, ValueError):
        raise Unavailable(faults.NO_ANSWER, retry_at=clock.now()) from None
    pem = ssl.DER_cert_to_PEM_cert(der)
    sha256, ends_at = trust.fingerprint(pem), _ends_at(der)
    name = f"{host}:{port}"
    connection = caller.connection
    with tenant_scope(connection.tenant_id):
        pins = Pin.objects.filter(connection_id=connection.id, host=name)
        confirmed = list(pins.filter(confirmed_at__isnull=False).values_list("sha256", flat=True))
        # What was seen before and never confirmed is of no use to anybody.
        pins.filter(confirmed_at=None).exclude(sha256=sha256).delete()
        if not is_public:
            row = Pin(
                tenant_id=connection.tenant_id,
                connection_id=connection.id,
                host=name,
                certificate=pem,
                sha256=sha256,
                ends_at=ends_at,
                seen_at=clock.now(),
            )
            Pin.objects.bulk_create([row], ignore_conflicts=True)
            pins.filter(sha256=sha256).update(seen_at=Now())
    is_confirmed = sha256 in confirmed
    return SeenCertificate(name, sha256, ends_at, is_public, is_confirmed, bool(confirmed) and not is_confirmed)


def _shown(address: str, port: int, host: str, context: ssl.SSLContext) -> bytes:
    with socket.create_connection((address, port), timeout=SECONDS) as link:
        with context.wrap_socket(link, server_hostname=host) as tls:
            return tls.getpeercert(binary_form=True) or b""


def _is_trusted(address: str, port: int, host: str, context: ssl.SSLContext) -> bool:
    try:
        _shown(address, port, host, context)
    except ssl.SSLError:
        return False
    return True


def _ends_at(der: bytes) -> datetime:
    return x509.load_der_x509_certificate(der).not_valid_after_utc
