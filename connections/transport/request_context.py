"""What every request of one connection has in common: who asks, for which run or checkpoint, where and with which grant."""

from __future__ import annotations

from dataclasses import dataclass, replace
from functools import cached_property
from uuid import UUID

from django.db import transaction

from connections.providers import registry
from connections.spec import provider as spec
from connections.spec.errors import Blocked, Unauthorized
from connections.spec.grants import ClientOwner
from connections.spec.grants import Grant as Flow
from connections.spec.wire import Wire
from connections.tenancy.scope import tenant_scope
from connections.transport import faults
from connections.vault.models import ClientRegistration, Connection
from connections.vault.services import Exemptions, exemptions_of, live_pins


@dataclass(frozen=True)
class RequestContext:
    """Data only. What needs a look at the database is read once, when it is first needed, and stays as it was then.

    `run_id`: the run that the requests are made for, None where a person waits for them; `checkpoint`: the checkpoint
    that they prove, '' for none; `is_batch`: no person waits for them, so that they leave the same part of a quota to
    people as runs do.
    """

    connection: Connection
    provider: spec.Provider
    run_id: UUID | None = None
    checkpoint: str = ""
    is_batch: bool = False

    @property
    def is_for_run(self) -> bool:
        """Whether the part of a quota that is kept for people is left alone."""
        return self.run_id is not None or self.is_batch

    @cached_property
    def grant(self) -> Flow:
        """How the connection gets its tokens. Raises Unauthorized where a release has withdrawn that way since."""
        if not self.provider.offers(self.connection.auth_method):
            raise Unauthorized(faults.AUTH_METHOD_WITHDRAWN)
        return self.provider.grant(self.connection.auth_method)

    @cached_property
    def registration(self) -> tuple[str, str]:
        """Our client id at the provider, and the API version chosen for it; '' for what is not stored."""
        with transaction.atomic():
            rows = ClientRegistration.objects.filter(
                provider=self.connection.provider, environment=self.connection.environment
            )
            return rows.values_list("client_id", "api_version").first() or ("", "")

    @property
    def client_id(self) -> str:
        """Our client id, which a provider may count calls by; '' where requests carry the customer's own."""
        return self.registration[0] if self.grant.client is ClientOwner.OURS else ""

    @property
    def api_version(self) -> str:
        """The version chosen in our registration, else the provider's usual one."""
        return self.registration[1] or self.provider.api_version

    @cached_property
    def hosts(self) -> spec.Hosts:
        """Where this connection's provider is, and whom we trust there.

        Raises Unauthorized (no address yet), Blocked (a strange one, or its environment is gone).
        """
        connection = self.connection
        try:
            hosts = registry.hosts_of(self.provider, connection.environment, connection.settings, self.registration[1])
        except registry.AddressMissing:
            raise Unauthorized(faults.NO_ADDRESS) from None
        except LookupError:
            raise Blocked(faults.BLOCKED) from None
        with tenant_scope(connection.tenant_id):
            pins = tuple((pin.host, pin.certificate) for pin in live_pins(connection))
            exemptions = exemptions_of(connection) if hosts.from_customer else Exemptions()
        plain = hosts.plain or exemptions.plain_http
        return replace(hosts, pins=pins, plain=plain, private=exemptions.private_networks)

    @property
    def wire(self) -> Wire:
        """The format of the provider's bodies."""
        return self.provider.wire(self.connection.settings)
