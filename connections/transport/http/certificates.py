"""The certificates a connection's hosts show: fetched without trust, kept for a person to compare, then pinned."""

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
from connections.transport import faults
from connections.transport.http import addresses, deadline, dns, pool, proxy, tls
from connections.transport.http import session as http_session
from connections.transport.http.addresses import IP
from connections.transport.limits import clock
from connections.transport.request_context import RequestContext
from connections.vault.models import Pin
from connections.vault.services import live_pins

SECONDS = 10.0


def seen(context: RequestContext) -> Sequence[SeenCertificate]:
    """Ask every https host of the connection for its certificate and keep what is new. Nothing else is sent.

    Raises Unauthorized (no address yet), Blocked, Unavailable.
    """
    hosts = context.hosts
    try:
        places = _places(hosts)
    except http_session.NotAllowed:
        raise Blocked(faults.BLOCKED) from None
    return [_seen(context, hosts, host, port) for host, port in places]


def _places(hosts: Hosts) -> list[tuple[str, int]]:
    """Each https host and port once, the API's first. Raises NotAllowed."""
    found = [addresses.checked(url, hosts) for url in (hosts.api, hosts.token) if not url.lower().startswith("http:")]
    return list(dict.fromkeys((address.host, address.port) for address in found))


def _seen(context: RequestContext, hosts: Hosts, host: str, port: int) -> SeenCertificate:
    started = time.monotonic()
    try:
        with deadline.within(SECONDS):
            found = dns.judged(host, port, hosts)
            der = _shown(found, port, host, tls.blind())
            is_public = _is_trusted(found, port, host, tls.context(hosts.ca))
        ends_at = x509.load_der_x509_certificate(der).not_valid_after_utc
    except (http_session.LeadsInside, http_session.NameNotFound):
        clock.whole_seconds(started)  # told alike, as in a call (request_context.py)
        raise Unavailable(faults.NO_SERVER, retry_at=clock.now()) from None
    except http_session.NotAllowed:
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
    connection = context.connection
    with tenant_scope(connection.tenant_id):
        pins = Pin.objects.filter(connection_id=connection.id, host=name)
        live = [pin for pin in live_pins(connection) if pin.host == name]
        # What was seen before and never confirmed, or is live no longer, is of no use to anybody.
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


def _shown(found: Sequence[IP], port: int, host: str, context: ssl.SSLContext) -> bytes:
    """The certificate of the first address that listens. Raises OSError."""
    for at, address in enumerate(found, 1):
        try:
            link = proxy.connected((str(address), port), SECONDS / 2)
        except OSError:
            if at == len(found):
                raise
            continue
        with link, context.wrap_socket(link, server_hostname=host) as encrypted:
            return encrypted.getpeercert(binary_form=True) or b""
    raise AssertionError  # names.judged gives one address at least


def _is_trusted(found: Sequence[IP], port: int, host: str, context: ssl.SSLContext) -> bool:
    try:
        _shown(found, port, host, context)
    except ssl.SSLError:
        return False
    return True
