"""Who calls: a connection, for a run or a checkpoint; and what the request log will say of each of its attempts."""

from __future__ import annotations

import time
import uuid
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from functools import cached_property
from typing import TYPE_CHECKING
from uuid import UUID

from django.db import transaction
from django.db.models import Max
from django.db.models.functions import Now

from connections.providers import registry
from connections.spec import provider as spec
from connections.spec.errors import Blocked, CallFailed, OutcomeUnknown, Unauthorized, Unavailable, Unreadable
from connections.spec.faults import Fault
from connections.spec.grants import Client
from connections.spec.grants import Grant as Flow
from connections.spec.operations import SAFE
from connections.spec.placement import Signed
from connections.spec.wire import Wire
from connections.tenancy.scope import tenant_scope
from connections.transport import faults
from connections.transport.http import addresses
from connections.transport.http import session as http_session
from connections.transport.limits import circuit_breaker, clock, retry_after
from connections.transport.log import writer
from connections.transport.models import Outcome, Recording, RequestLogEntry
from connections.transport.oauth.signing import Signature
from connections.vault.models import ClientRegistration, Connection, Credential, Grant
from connections.vault.secret import WrongUse
from connections.vault.services import Exemptions, exemptions_of, live_pins

if TYPE_CHECKING:
    from connections.transport.oauth.tokens import AccessToken


@dataclass
class RequestContext:
    """`pending`: entries of good answers, not yet written. `token`: the one in use, opened (tokens.py).

    `passed`, `tried`, `counted`: breakers that let the attempt under way through, wait for its outcome, or count it.
    """

    connection: Connection
    provider: spec.Provider
    run_id: UUID | None = None
    checkpoint: str = ""
    pending: list[RequestLogEntry] = field(default_factory=list)
    token: AccessToken | None = None
    passed: set[str] = field(default_factory=set)
    tried: set[str] = field(default_factory=set)
    counted: set[str] = field(default_factory=set)
    refusals: int = 0  # in a row, as the grant's row says (refusal_waits.py)
    operation: str = ""  # that is being sent
    held_operation: str = ""  # that was refused a while ago, so that it is looked at anew before it is sent
    fingerprint: str = ""  # a digest of what this caller's own token was asked with

    @cached_property
    def grant(self) -> Flow:
        """Raises Unauthorized where a release has withdrawn it since the connection was opened."""
        if not self.provider.offers(self.connection.auth_method):
            raise Unauthorized(faults.AUTH_METHOD_WITHDRAWN)
        return self.provider.grant(self.connection.auth_method)

    @cached_property
    def _registration(self) -> tuple[str, str]:
        """Our client id there, and the API version chosen for it."""
        with transaction.atomic():
            ours = ClientRegistration.objects.filter(
                provider=self.connection.provider, environment=self.connection.environment
            )
            return ours.values_list("client_id", "api_version").first() or ("", "")

    @property
    def is_for_run(self) -> bool:
        return self.run_id is not None

    @property
    def has_worked(self) -> bool:
        """Whether a session was given for what is stored now: a key that never opened anything was not taken back."""
        with tenant_scope(self.connection.tenant_id):
            given_at = (
                Grant.objects.filter(connection_id=self.connection.id).values_list("issued_at", flat=True).first()
            )
            typed_at = Credential.objects.filter(connection_id=self.connection.id).aggregate(at=Max("changed_at"))[
                "at"
            ]
        return given_at is not None and (typed_at is None or given_at > typed_at)

    @property
    def client_id(self) -> str:
        """Our client id there, which a provider may count calls by; '' where requests carry the customer's own."""
        return self._registration[0] if self.grant.client is Client.OURS else ""

    @property
    def api_version(self) -> str:
        return self._registration[1] or self.provider.api_version

    @cached_property
    def hosts(self) -> spec.Hosts:
        """Where this connection's provider is, and whom we trust there.

        Raises Unauthorized (no address yet), Blocked (a strange one, or its environment is gone).
        """
        connection = self.connection
        try:
            found = registry.hosts_of(
                self.provider, connection.environment, connection.settings, self._registration[1]
            )
        except registry.AddressMissing:
            raise Unauthorized(faults.NO_ADDRESS) from None
        except LookupError:
            raise Blocked(faults.BLOCKED) from None
        with tenant_scope(connection.tenant_id):
            pins = tuple((pin.host, pin.certificate) for pin in live_pins(connection))
            allowed = exemptions_of(connection) if found.from_customer else Exemptions()
        plain = found.plain or allowed.plain_http
        return replace(found, pins=pins, plain=plain, private=allowed.private_networks)

    @cached_property
    def recording(self) -> Recording | None:
        """The wish of an owner that bodies are kept (recording.py), as it was when first asked."""
        with tenant_scope(self.connection.tenant_id):
            wanted = Recording.objects.filter(connection_id=self.connection.id, stopped_at=None, until_at__gt=Now())
            return wanted.only("id", "tenant_id", "connection_id", "public_keyset", "until_at").first()

    @property
    def wire(self) -> Wire:
        return self.provider.wire(self.connection.settings)

    def begin(self, *, operation: str, method: str, path_template: str, attempt: int = 1) -> RequestLogEntry:
        """An entry that says nothing about the answer yet."""
        return RequestLogEntry(
            id=uuid.uuid4(),
            at=clock.now(),
            tenant_id=self.connection.tenant_id,
            connection_id=self.connection.id,
            run_id=self.run_id,
            checkpoint=self.checkpoint,
            provider=self.connection.provider,
            environment=self.connection.environment,
            api_version=self.api_version,
            operation=operation,
            method=method,
            path_template=path_template,
            outcome=Outcome.UNREACHABLE,
            attempt=attempt,
            duration_ms=0,
        )

    def send(
        self,
        entry: RequestLogEntry,
        *,
        url: str,
        total: float,
        headers: Mapping[str, str] | None = None,
        query: Mapping[str, str] | None = None,
        signature: Signature | None = None,
        body: bytes | None = None,
        wire: Wire = http_session.JSON,
    ) -> http_session.Answer:
        """Send once and note what came of it. `total`: seconds. Secrets come in by `signature` alone.

        Raises Blocked, Unreadable (too large, an odd encoding), Unavailable (nothing arrived there), OutcomeUnknown.
        """
        started = time.monotonic()
        try:
            signed = signature.sign(url) if signature else Signed({}, {})
        except WrongUse:
            entry.outcome = Outcome.BLOCKED
            raise Blocked(faults.WRONG_USE, entry_id=entry.id) from None
        try:
            answer = http_session.send(
                hosts=self.hosts,
                method=entry.method,
                url=url,
                deadlines=self.provider.deadlines,
                total=total,
                headers={**(headers or {}), **signed.headers},
                query=query,
                hidden_query=signed.hidden_query,
                form=signed.form,
                body=body if signed.body is None else signed.body,
                wire=wire,
                keep=writer.request_id_headers(self.provider),
            )
        except http_session.EgressError as error:
            entry.duration_ms = _since(started)
            raise self._failed(entry, url, error, started) from None
        entry.duration_ms = _since(started)
        circuit_breaker.note(self, url, is_good=answer.status < 500)
        entry.status, entry.bytes_in = answer.status, len(answer.body)
        entry.provider_request_id = writer.request_id(self.provider, answer.headers)
        entry.quota_left = retry_after.quota_left(answer.headers)
        entry.leads_to = answer.leads_to
        return answer

    def _failed(self, entry: RequestLogEntry, url: str, error: http_session.EgressError, started: float) -> CallFailed:
        """What it means that there is no answer."""
        if self.hosts.from_customer and isinstance(error, http_session.LeadsInside | http_session.NameNotFound):
            # Told alike, the time it took included: whoever may name a host could feel out our network by its names.
            entry.duration_ms = 1000 * clock.whole_seconds(started)
            circuit_breaker.note(self, url, is_good=False)
            return Unavailable(faults.NO_SERVER, retry_at=clock.now(), entry_id=entry.id)
        if isinstance(error, http_session.NoProxy):
            return Unavailable(faults.NO_PROXY, retry_at=clock.now(), entry_id=entry.id)
        if isinstance(error, http_session.NotAllowed):
            entry.outcome = Outcome.BLOCKED
            return Blocked(faults.BLOCKED, entry_id=entry.id)
        if isinstance(error, http_session.NotReadable):
            entry.outcome = Outcome.UNREADABLE
            unreadable = Unreadable(faults.UNREADABLE, entry_id=entry.id)
            unreadable.may_have_arrived = entry.method not in SAFE
            return unreadable
        if isinstance(error, http_session.NotTrusted):
            entry.outcome = Outcome.BLOCKED
            return Blocked(self._mistrust(url, error), entry_id=entry.id)
        circuit_breaker.note(self, url, is_good=False)
        if isinstance(error, http_session.NotEncrypted):
            return Unavailable(faults.NOT_ENCRYPTED, retry_at=clock.now(), entry_id=entry.id)
        if isinstance(error, http_session.NotSent) or entry.method in SAFE:
            return Unavailable(faults.NO_ANSWER, retry_at=clock.now(), entry_id=entry.id)
        return OutcomeUnknown(faults.UNKNOWN_OUTCOME, entry_id=entry.id)

    def _mistrust(self, url: str, error: http_session.NotTrusted) -> Fault:
        known = self.provider.hosts.get(spec.Environment(self.connection.environment)) or next(
            iter(self.provider.hosts.values()), None
        )
        is_pinned = isinstance(known, spec.CustomerHosts) and known.pinned
        if not is_pinned:
            return faults.UNTRUSTED
        place = addresses.checked(url, self.hosts)
        if f"{place.host}:{place.port}" not in [host for host, _certificate in self.hosts.pins]:
            return faults.PIN_MISSING
        if error.has_ended:
            return faults.PIN_ENDED
        return faults.UNTRUSTED if error.is_unsound else faults.PIN_BROKEN


def _since(started: float) -> int:
    """Milliseconds."""
    return round((time.monotonic() - started) * 1000)
