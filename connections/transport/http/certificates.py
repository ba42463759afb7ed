"""The certificates a connection's hosts show: fetched without trust, stored for a person to compare, then pinned."""

from __future__ import annotations

import ssl
import time
from collections.abc import Sequence

from cryptography import x509
from django.db.models.functions import Now

from connections.spec.checklist import SeenCertificate
from connections.spec.errors import Blocked, Unavailable
from connections.spec.provider import Hosts
from connections.tenancy.scope import tenant_scope
from connections.transport import clock, faults
from connections.transport.http import addresses, deadline, dns, pool, proxy, tls
from connections.transport.http import session as http_session
from connections.transport.http.addresses import IP
from connections.vault.models import Connection, Pin
from connections.vault.services import live_pins

TIMEOUT_SECONDS = 10.0


def seen_certificates(connection: Connection, hosts: Hosts) -> Sequence[SeenCertificate]:
    """Ask every https host of the connection for its certificate and store what is new. Nothing else is sent.

    Raises Blocked, Unavailable.
    """
    try:
        places = _places(hosts)
    except http_session.AddressNotAllowed:
        raise Blocked(faults.BLOCKED) from None
    return [_seen(connection, hosts, host, port) for host, port in places]


def _places(hosts: Hosts) -> list[tuple[str, int]]:
    """Each https host and port once, the API's first. Raises AddressNotAllowed."""
    urls = [url for url in (hosts.api, hosts.token) if not url.lower().startswith("http:")]
    parsed = [addresses.parse_address(url, hosts) for url in urls]
    return list(dict.fromkeys((address.host, address.port) for address in parsed))


def _seen(connection: Connection, hosts: Hosts, host: str, port: int) -> SeenCertificate:
    started = time.monotonic()
    try:
        with deadline.within(TIMEOUT_SECONDS):
            ips = dns.allowed_addresses(host, port, hosts)
            der = _fetch_certificate(ips, port, host, tls.blind())
            is_public = _is_trusted(ips, port, host, tls.context(hosts.ca))
        ends_at = x509.load_der_x509_certificate(der).not_valid_after_utc
    except (http_session.LeadsInside, http_session.NameNotFound):
        clock.wait_for_whole_second(started)  # both look the same, as in a call (attempt.py)
        raise Unavailable(faults.NO_SERVER, retry_at=clock.now()) from None
    except http_session.AddressNotAllowed:
        raise Blocked(faults.BLOCKED) from None
    except http_session.NoProxy:
        raise Unavailable(faults.NO_PROXY, retry_at=clock.now()) from None
    except (http_session.EgressError, OSError, ValueError, x509.InvalidVersion) as error:
        if isinstance(error, OSError) and pool.is_not_tls(error):
            raise Unavailable(faults.NOT_ENCRYPTED, retry_at=clock.now()) from None
        raise Unavailable(faults.NO_ANSWER, retry_at=clock.now()) from None
    pem = ssl.DER_cert_to_PEM_cert(der)
    sha256 = tls.fingerprint(pem)
    name = f"{host}:{port}"
    with tenant_scope(connection.tenant_id):
        pins = Pin.objects.filter(connection_id=connection.id, host=name)
        live = [pin for pin in live_pins(connection) if pin.host == name]
        # What was seen before and never confirmed, or is no longer live, is of no use to anybody.
        pins.filter(confirmed_at=None).exclude(sha256=sha256).delete()
        pins.exclude(confirmed_at=None).exclude(id__in=[pin.id for pin in live]).delete()
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
    is_confirmed = sha256 in [pin.sha256 for pin in live]
    return SeenCertificate(name, sha256, ends_at, is_public, is_confirmed, bool(live) and not is_confirmed)


def _fetch_certificate(ips: Sequence[IP], port: int, host: str, context: ssl.SSLContext) -> bytes:
    """The certificate of the first address that listens. Raises OSError."""
    for at, address in enumerate(ips, 1):
        try:
            raw_socket = proxy.connect((str(address), port), TIMEOUT_SECONDS / 2)
        except OSError:
            if at == len(ips):
                raise
            continue
        with raw_socket, context.wrap_socket(raw_socket, server_hostname=host) as encrypted:
            return encrypted.getpeercert(binary_form=True) or b""
    raise AssertionError  # dns.allowed_addresses gives one address at least


def _is_trusted(ips: Sequence[IP], port: int, host: str, context: ssl.SSLContext) -> bool:
    try:
        _fetch_certificate(ips, port, host, context)
    except ssl.SSLError:
        return False
    return True
